//! A disk that fails on demand, without privilege: preloaded (`LD_PRELOAD`), this library stands between a program and
//! the C library's calls that change files, for all paths below one directory.
//!
//! | variable | what it says |
//! | --- | --- |
//! | `BATON_SHIM_DIR` | the directory, absolute; without it every call goes straight through |
//! | `BATON_SHIM_FAULTS` | a file of faults, read anew at each call: see [`state::Fault`] |
//! | `BATON_SHIM_JOURNAL` | a file to which every call is appended, with its bytes: see [`journal`] |
//!
//! Calls that are noted take place one at a time, so that the journal has them in their order. What does not go through
//! the C library, such as `renameat2` by number, is not seen; where the entries `store` and `store.copy` of the directory
//! are exchanged that way, the next call notes it.
#![cfg(target_os = "linux")]
#![allow(unsafe_code)]

mod journal;
mod state;

use std::ffi::{CStr, c_char, c_int, c_long, c_uint, c_void};

use journal::{Entry, Op};
use libc::{iovec, mode_t, off_t, off64_t, size_t, ssize_t};
use state::{Shim, locate, note_fd, path_below, tracks, with};

/// Fails the call with `errno`.
fn fail(errno: c_int) -> c_long {
    // SAFETY: the C library gives the address of this thread's errno, which is valid as long as the thread.
    unsafe { *libc::__errno_location() = errno };
    -1
}

fn errno() -> i64 {
    std::io::Error::last_os_error().raw_os_error().map_or(-1, |errno| -i64::from(errno))
}

/// What is noted of a call's result: what it gave, or its error with the sign turned.
fn outcome(result: c_long) -> i64 {
    if result < 0 { errno() } else { result }
}

/// Runs `call` unless a fault stands in its place, and notes it.
fn guarded(shim: &mut Shim, mut entry: Entry<'_>, call: impl FnOnce() -> c_long) -> c_long {
    let fault = match entry.op {
        Op::Sync | Op::SyncRange => shim.sync_fault(entry.op, entry.fd),
        op => shim.fault(op),
    };
    let result = match fault {
        Some(error) => fail(error),
        None => call(),
    };
    entry.result = outcome(result);
    shim.note(&entry);
    if result < 0 {
        // Noting it has made calls of its own.
        return fail(c_int::try_from(-entry.result).unwrap_or(libc::EIO));
    }
    result
}

// SAFETY (of every function below): the caller keeps to the contract of the C library's function of the same name, and
// its arguments are handed to the kernel as they are; strings are read up to their zero byte, as the kernel would.

unsafe fn open_at(dir: c_int, path: *const c_char, flags: c_int, mode: mode_t) -> c_int {
    // SAFETY: as above.
    let call = || unsafe { libc::syscall(libc::SYS_openat, dir, path, flags | libc::O_LARGEFILE, mode) };
    // SAFETY: as above.
    let Some(place) = locate(dir, unsafe { CStr::from_ptr(path) }) else {
        let fd = call();
        note_fd(fd, false);
        return fd as c_int;
    };
    let writes = flags & libc::O_ACCMODE != libc::O_RDONLY;
    let fd = with(|shim| {
        let op = if writes { Op::Open } else { Op::OpenToRead };
        let entry = Entry { a: flags as u64, path: &place, ..Entry::of(op) };
        guarded(shim, entry, call)
    });
    // A directory that is read is closed by ways of its own: its number would be taken for a file's.
    note_fd(fd, flags & libc::O_DIRECTORY == 0);
    fd as c_int
}

/// # Safety
/// As `open(2)`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn open(path: *const c_char, flags: c_int, mode: mode_t) -> c_int {
    // SAFETY: as above.
    unsafe { open_at(libc::AT_FDCWD, path, flags, mode) }
}

/// # Safety
/// As `open(2)`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn open64(path: *const c_char, flags: c_int, mode: mode_t) -> c_int {
    // SAFETY: as above.
    unsafe { open_at(libc::AT_FDCWD, path, flags, mode) }
}

/// # Safety
/// As `openat(2)`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn openat(dir: c_int, path: *const c_char, flags: c_int, mode: mode_t) -> c_int {
    // SAFETY: as above.
    unsafe { open_at(dir, path, flags, mode) }
}

/// # Safety
/// As `openat(2)`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn openat64(dir: c_int, path: *const c_char, flags: c_int, mode: mode_t) -> c_int {
    // SAFETY: as above.
    unsafe { open_at(dir, path, flags, mode) }
}

/// # Safety
/// As `creat(2)`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn creat(path: *const c_char, mode: mode_t) -> c_int {
    // SAFETY: as above.
    unsafe { open_at(libc::AT_FDCWD, path, libc::O_CREAT | libc::O_WRONLY | libc::O_TRUNC, mode) }
}

/// # Safety
/// As `close(2)`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn close(fd: c_int) -> c_int {
    // SAFETY: as above.
    let call = || unsafe { libc::syscall(libc::SYS_close, fd) };
    if !tracks(fd) {
        return call() as c_int;
    }
    with(|shim| {
        note_fd(fd.into(), false);
        shim.forget(fd);
        shim.note(&Entry { fd, ..Entry::of(Op::Close) });
        call()
    }) as c_int
}

/// As the call, whose third argument is a number or an address. A copy of a descriptor is one of the same file.
unsafe fn control(fd: c_int, command: c_int, argument: usize) -> c_int {
    // SAFETY: as above.
    let call = || unsafe { libc::syscall(libc::SYS_fcntl, fd, command, argument) };
    if !matches!(command, libc::F_DUPFD | libc::F_DUPFD_CLOEXEC) || !tracks(fd) {
        return call() as c_int;
    }
    with(|shim| {
        let copy = call();
        note_fd(copy, copy >= 0);
        if let Some(path) = path_below(fd) {
            shim.note(&Entry { path: &path, result: outcome(copy), ..Entry::of(Op::OpenToRead) });
        }
        copy
    }) as c_int
}

/// # Safety
/// As `fcntl(2)`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fcntl(fd: c_int, command: c_int, argument: usize) -> c_int {
    // SAFETY: as above.
    unsafe { control(fd, command, argument) }
}

/// # Safety
/// As `fcntl(2)`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fcntl64(fd: c_int, command: c_int, argument: usize) -> c_int {
    // SAFETY: as above.
    unsafe { control(fd, command, argument) }
}

/// Writes `bytes` at `at`; none: where the file stands, and moves on. Where the disk fails, half of them may be there all
/// the same.
unsafe fn write_to(fd: c_int, bytes: *const c_void, length: size_t, at: Option<off64_t>) -> ssize_t {
    with(|shim| {
        let fault = shim.fault(Op::Write);
        let length = match fault {
            None => length,
            Some(libc::EIO) => length / 2,
            Some(_) => 0,
        };
        // SAFETY: as above.
        let place = at.unwrap_or_else(|| unsafe { position(fd) });
        let mut result = 0;
        if length > 0 || fault.is_none() {
            // SAFETY: as above.
            result = unsafe { libc::syscall(libc::SYS_pwrite64, fd, bytes, length, place) };
        }
        let mut entry = Entry { fd, a: place as u64, result: outcome(result), ..Entry::of(Op::Write) };
        if let Ok(written @ 1..) = usize::try_from(result) {
            // SAFETY: the kernel has just read that many bytes from there.
            entry.bytes = unsafe { std::slice::from_raw_parts(bytes.cast(), written) };
            if at.is_none() {
                // SAFETY: as above.
                unsafe { libc::syscall(libc::SYS_lseek, fd, place + result, libc::SEEK_SET) };
            }
        }
        shim.note(&entry);
        match fault {
            Some(error) => fail(error),
            None if result < 0 => fail(c_int::try_from(-entry.result).unwrap_or(libc::EIO)),
            None => result,
        }
    }) as ssize_t
}

/// Where the next write of an open file goes.
unsafe fn position(fd: c_int) -> off64_t {
    // SAFETY: as above.
    let flags = unsafe { libc::syscall(libc::SYS_fcntl, fd, libc::F_GETFL) };
    let whence = if flags & c_long::from(libc::O_APPEND) == 0 { libc::SEEK_CUR } else { libc::SEEK_END };
    // SAFETY: as above.
    unsafe { libc::syscall(libc::SYS_lseek, fd, 0, whence) }
}

/// # Safety
/// As `write(2)`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn write(fd: c_int, bytes: *const c_void, length: size_t) -> ssize_t {
    match tracks(fd) {
        // SAFETY: as above.
        true => unsafe { write_to(fd, bytes, length, None) },
        // SAFETY: as above.
        false => unsafe { libc::syscall(libc::SYS_write, fd, bytes, length) as ssize_t },
    }
}

/// # Safety
/// As `writev(2)`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn writev(fd: c_int, parts: *const iovec, count: c_int) -> ssize_t {
    if !tracks(fd) || count < 1 {
        // SAFETY: as above.
        return unsafe { libc::syscall(libc::SYS_writev, fd, parts, count) as ssize_t };
    }
    // A part of what was asked is a right answer: whoever asked goes on with the rest.
    // SAFETY: there is at least one part.
    let first = unsafe { &*parts };
    // SAFETY: as above.
    unsafe { write_to(fd, first.iov_base, first.iov_len, None) }
}

/// # Safety
/// As `pwrite(2)`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pwrite(fd: c_int, bytes: *const c_void, length: size_t, at: off_t) -> ssize_t {
    // SAFETY: as above.
    unsafe { pwrite64(fd, bytes, length, at) }
}

/// # Safety
/// As `pwrite(2)`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pwrite64(fd: c_int, bytes: *const c_void, length: size_t, at: off64_t) -> ssize_t {
    match tracks(fd) {
        // SAFETY: as above.
        true => unsafe { write_to(fd, bytes, length, Some(at)) },
        // SAFETY: as above.
        false => unsafe { libc::syscall(libc::SYS_pwrite64, fd, bytes, length, at) as ssize_t },
    }
}

/// # Safety
/// As `ftruncate(2)`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ftruncate(fd: c_int, length: off_t) -> c_int {
    // SAFETY: as above.
    unsafe { ftruncate64(fd, length) }
}

/// # Safety
/// As `ftruncate(2)`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ftruncate64(fd: c_int, length: off64_t) -> c_int {
    // SAFETY: as above.
    let call = || unsafe { libc::syscall(libc::SYS_ftruncate, fd, length) };
    on_fd(fd, Entry { fd, a: length as u64, ..Entry::of(Op::Truncate) }, call)
}

/// A call on an open file.
fn on_fd(fd: c_int, entry: Entry<'_>, call: impl FnOnce() -> c_long) -> c_int {
    match tracks(fd) {
        true => with(|shim| guarded(shim, entry, call)) as c_int,
        false => call() as c_int,
    }
}

/// # Safety
/// As `fsync(2)`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fsync(fd: c_int) -> c_int {
    // SAFETY: as above.
    let call = || unsafe { libc::syscall(libc::SYS_fsync, fd) };
    on_fd(fd, Entry { fd, ..Entry::of(Op::Sync) }, call)
}

/// # Safety
/// As `fdatasync(2)`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fdatasync(fd: c_int) -> c_int {
    // SAFETY: as above.
    let call = || unsafe { libc::syscall(libc::SYS_fdatasync, fd) };
    on_fd(fd, Entry { fd, ..Entry::of(Op::Sync) }, call)
}

/// # Safety
/// As `sync_file_range(2)`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sync_file_range(fd: c_int, from: off64_t, length: off64_t, flags: c_uint) -> c_int {
    // SAFETY: as above.
    let call = || unsafe { libc::syscall(libc::SYS_sync_file_range, fd, from, length, flags) };
    on_fd(fd, Entry { fd, a: from as u64, ..Entry::of(Op::SyncRange) }, call)
}

/// A call on a name.
unsafe fn on_path(dir: c_int, path: *const c_char, op: Op, call: impl FnOnce() -> c_long) -> c_int {
    // SAFETY: as above.
    match locate(dir, unsafe { CStr::from_ptr(path) }) {
        Some(place) => with(|shim| guarded(shim, Entry { path: &place, ..Entry::of(op) }, call)) as c_int,
        None => call() as c_int,
    }
}

/// # Safety
/// As `mkdir(2)`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mkdir(path: *const c_char, mode: mode_t) -> c_int {
    // SAFETY: as above.
    let call = || unsafe { libc::syscall(libc::SYS_mkdirat, libc::AT_FDCWD, path, mode) };
    // SAFETY: as above.
    unsafe { on_path(libc::AT_FDCWD, path, Op::MakeDir, call) }
}

/// # Safety
/// As `unlinkat(2)`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn unlinkat(dir: c_int, path: *const c_char, flags: c_int) -> c_int {
    // SAFETY: as above.
    let call = || unsafe { libc::syscall(libc::SYS_unlinkat, dir, path, flags) };
    let op = if flags & libc::AT_REMOVEDIR == 0 { Op::Unlink } else { Op::RemoveDir };
    // SAFETY: as above.
    unsafe { on_path(dir, path, op, call) }
}

/// # Safety
/// As `unlink(2)`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn unlink(path: *const c_char) -> c_int {
    // SAFETY: as above.
    unsafe { unlinkat(libc::AT_FDCWD, path, 0) }
}

/// # Safety
/// As `rmdir(2)`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rmdir(path: *const c_char) -> c_int {
    // SAFETY: as above.
    unsafe { unlinkat(libc::AT_FDCWD, path, libc::AT_REMOVEDIR) }
}

/// # Safety
/// As `rename(2)`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rename(from: *const c_char, to: *const c_char) -> c_int {
    // SAFETY: as above.
    let call = || unsafe { libc::syscall(libc::SYS_renameat2, libc::AT_FDCWD, from, libc::AT_FDCWD, to, 0) };
    // SAFETY: as above.
    let places = unsafe { (locate(libc::AT_FDCWD, CStr::from_ptr(from)), locate(libc::AT_FDCWD, CStr::from_ptr(to))) };
    match places {
        (Some(from), Some(to)) => {
            with(|shim| guarded(shim, Entry { path: &from, to: &to, ..Entry::of(Op::Rename) }, call)) as c_int
        }
        _ => call() as c_int,
    }
}

/// Whoever copies has to do so by reading and writing.
///
/// # Safety
/// As `copy_file_range(2)`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn copy_file_range(
    from: c_int,
    from_at: *mut off64_t,
    to: c_int,
    to_at: *mut off64_t,
    length: size_t,
    flags: c_uint,
) -> ssize_t {
    match tracks(to) {
        true => fail(libc::ENOSYS) as ssize_t,
        // SAFETY: as above.
        false => unsafe {
            libc::syscall(libc::SYS_copy_file_range, from, from_at, to, to_at, length, flags) as ssize_t
        },
    }
}

/// Likewise.
///
/// # Safety
/// As `sendfile(2)`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sendfile64(to: c_int, from: c_int, at: *mut off64_t, length: size_t) -> ssize_t {
    match tracks(to) {
        true => fail(libc::EINVAL) as ssize_t,
        // SAFETY: as above.
        false => unsafe { libc::syscall(libc::SYS_sendfile, to, from, at, length) as ssize_t },
    }
}

/// Likewise.
///
/// # Safety
/// As `sendfile(2)`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sendfile(to: c_int, from: c_int, at: *mut off_t, length: size_t) -> ssize_t {
    // SAFETY: as above.
    unsafe { sendfile64(to, from, at, length) }
}
