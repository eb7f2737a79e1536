//! What the shim knows: where it looks, which files are open, which faults are due. It speaks to the kernel by number:
//! the C library's functions are its own.

use std::ffi::{CStr, CString, c_int, c_long};
use std::os::unix::ffi::OsStringExt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, OnceLock, PoisonError};

use crate::journal::{Entry, Op};

/// Descriptors that can be told apart; files with higher numbers are not looked at.
const DESCRIPTORS: usize = 4_096;
/// Bytes of a file of faults that are read.
const FAULTS_BYTES: usize = 4_096;

/// Whether a descriptor is one of a file below the directory.
static TRACKED: [AtomicBool; DESCRIPTORS] = [const { AtomicBool::new(false) }; DESCRIPTORS];
static PLACES: OnceLock<Option<Places>> = OnceLock::new();
static SHIM: Mutex<Shim> =
    Mutex::new(Shim { journal: None, text: Vec::new(), counts: Vec::new(), inode: None, owed: Vec::new(), spared: 0 });

struct Places {
    dir: String,
    faults: Option<CString>,
    journal: Option<CString>,
}

fn places() -> Option<&'static Places> {
    let read = || {
        let c_string = |name| std::env::var_os(name).and_then(|path| CString::new(path.into_vec()).ok());
        let dir = std::env::var("BATON_SHIM_DIR").ok()?;
        Some(Places { dir, faults: c_string("BATON_SHIM_FAULTS"), journal: c_string("BATON_SHIM_JOURNAL") })
    };
    PLACES.get_or_init(read).as_ref()
}

pub(crate) fn tracks(fd: c_int) -> bool {
    usize::try_from(fd).ok().and_then(|fd| TRACKED.get(fd)).is_some_and(|fd| fd.load(Ordering::Relaxed))
}

/// Remembers whose a new descriptor is.
pub(crate) fn note_fd(fd: c_long, tracked: bool) {
    if let Some(slot) = usize::try_from(fd).ok().and_then(|fd| TRACKED.get(fd)) {
        slot.store(tracked, Ordering::Relaxed);
    }
}

/// The path below the directory; none for all others. The directory itself is the empty path.
pub(crate) fn locate(dir: c_int, path: &CStr) -> Option<String> {
    let places = places()?;
    let path = path.to_str().ok()?;
    let base = match path.starts_with('/') {
        true => String::new(),
        false if dir == libc::AT_FDCWD => std::env::current_dir().ok()?.into_os_string().into_string().ok()?,
        false => path_of(dir)?,
    };
    let whole = format!("{base}/{path}");
    let parts: Vec<&str> = whole.split('/').filter(|part| !part.is_empty() && *part != ".").collect();
    let below = format!("/{}", parts.join("/")).strip_prefix(&places.dir)?.to_owned();
    match below.strip_prefix('/') {
        Some(below) => Some(below.to_owned()),
        None => below.is_empty().then(String::new),
    }
}

/// Where the file of a descriptor lies below the directory.
pub(crate) fn path_below(fd: c_int) -> Option<String> {
    locate(libc::AT_FDCWD, &CString::new(path_of(fd)?).ok()?)
}

/// The path that a descriptor was opened with.
fn path_of(fd: c_int) -> Option<String> {
    let link = CString::new(format!("/proc/self/fd/{fd}")).ok()?;
    let mut path = vec![0_u8; 4_096];
    let call = (libc::SYS_readlinkat, libc::AT_FDCWD);
    // SAFETY: the buffer has as many bytes as the kernel is told.
    let length = unsafe { libc::syscall(call.0, call.1, link.as_ptr(), path.as_mut_ptr(), path.len()) };
    path.truncate(usize::try_from(length).ok()?);
    String::from_utf8(path).ok()
}

pub(crate) struct Shim {
    journal: Option<c_int>,
    /// The faults as they were read last.
    text: Vec<u8>,
    /// How often each word was counted since they changed.
    counts: Vec<(&'static str, u64)>,
    /// The inode of `store`.
    inode: Option<u64>,
    /// Descriptors whose next sync fails: the kernel owes each that is open the news that its file could not be written.
    owed: Vec<c_int>,
    /// Calls at which no kill is due yet.
    spared: u32,
}

/// Does something while nobody else does.
pub(crate) fn with<T>(run: impl FnOnce(&mut Shim) -> T) -> T {
    let mut shim = SHIM.lock().unwrap_or_else(PoisonError::into_inner);
    shim.watch();
    let done = run(&mut shim);
    // SAFETY: the C library gives the address of this thread's errno, which is valid as long as the thread.
    let errno = unsafe { *libc::__errno_location() };
    shim.inode = inode_of("store");
    // What the call has said is not for us to write over.
    // SAFETY: as above.
    unsafe { *libc::__errno_location() = errno };
    done
}

/// In the place of an errno: the process ends there.
const KILL: c_int = -1;
/// Calls after a sync that failed at which no kill takes place: it comes after them.
const SPARED_CALLS: u32 = 8;

/// One line of the file of faults: `word errno [from [to]]`. The calls of that word (`open` is one to write, `any` each),
/// counted from 1 since the file last changed, fail from number `from` to number `to`; without them, all do. With `KILL` in
/// the place of the errno, the process is killed before the call.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Fault<'a> {
    word: &'a str,
    errno: c_int,
    from: u64,
    to: u64,
}

impl<'a> Fault<'a> {
    fn parse(line: &'a str) -> Option<Self> {
        let mut words = line.split_whitespace();
        let word = words.next()?;
        let errno = match words.next()? {
            "EIO" => libc::EIO,
            "ENOSPC" => libc::ENOSPC,
            "EROFS" => libc::EROFS,
            "KILL" => KILL,
            _ => return None,
        };
        let mut number = |otherwise| words.next().map_or(Some(otherwise), |word| word.parse().ok());
        Some(Self { word, errno, from: number(1)?, to: number(u64::MAX)? })
    }
}

impl Shim {
    /// The error that stands in the place of this call.
    pub(crate) fn fault(&mut self, op: Op) -> Option<c_int> {
        let word = op.word()?;
        let text = read(places()?.faults.as_deref()?);
        if text != self.text {
            self.text = text;
            self.counts.clear();
        }
        let mut due = None;
        for count in ["any", word] {
            let number = self.count(count);
            let lines = std::str::from_utf8(&self.text).unwrap_or_default().lines();
            let mut faults = lines.filter_map(Fault::parse);
            let found = faults.find(|fault| fault.word == count && (fault.from..=fault.to).contains(&number));
            due = due.or(found.map(|fault| fault.errno));
        }
        // Between a sync that failed and the word of it that is left for the next process nobody can help.
        let spared = self.spared > 0;
        self.spared = self.spared.saturating_sub(1);
        if due == Some(KILL) && !spared {
            // SAFETY: it ends this process, which is what is wanted.
            unsafe { libc::kill(libc::getpid(), libc::SIGKILL) };
        }
        due.filter(|due| *due != KILL)
    }

    /// As [`Shim::fault`], of a sync of `fd`. What fails is told to all who have that file open, once.
    pub(crate) fn sync_fault(&mut self, op: Op, fd: c_int) -> Option<c_int> {
        let fault = self.fault(op);
        if fault.is_some() {
            let inode = inode_of_fd(fd);
            let others = (0..DESCRIPTORS as c_int).filter(|other| tracks(*other) && inode_of_fd(*other) == inode);
            self.owed.extend(others);
        }
        if op != Op::Sync {
            return fault;
        }
        let owed = self.owed.len();
        self.forget(fd);
        let fault = fault.or((self.owed.len() < owed).then_some(libc::EIO));
        if fault.is_some() {
            self.spared = SPARED_CALLS;
        }
        fault
    }

    /// Nothing is owed to `fd` any more.
    pub(crate) fn forget(&mut self, fd: c_int) {
        self.owed.retain(|owed| *owed != fd);
    }

    fn count(&mut self, word: &'static str) -> u64 {
        match self.counts.iter_mut().find(|(counted, _)| *counted == word) {
            Some((_, count)) => {
                *count += 1;
                *count
            }
            None => {
                self.counts.push((word, 1));
                1
            }
        }
    }

    /// Appends to the journal.
    pub(crate) fn note(&mut self, entry: &Entry<'_>) {
        let Some(path) = places().and_then(|places| places.journal.as_deref()) else { return };
        let mut bytes = Vec::new();
        let fd = *self.journal.get_or_insert_with(|| {
            bytes = Entry::of(Op::Start).encode();
            open(path, libc::O_WRONLY | libc::O_CREAT | libc::O_APPEND)
        });
        bytes.extend_from_slice(&entry.encode());
        // SAFETY: the slice is as long as the kernel is told. One call for an entry: a kill seldom cuts it short.
        unsafe { libc::syscall(libc::SYS_write, fd, bytes.as_ptr(), bytes.len()) };
    }

    /// Notes an exchange of the two stores that was made past the C library.
    fn watch(&mut self) {
        let now = inode_of("store");
        if self.inode.is_some() && now.is_some() && now != self.inode && inode_of("store.copy") == self.inode {
            self.note(&Entry { path: "store", to: "store.copy", ..Entry::of(Op::Exchange) });
        }
    }
}

fn open(path: &CStr, flags: c_int) -> c_int {
    // SAFETY: the path ends with a zero byte.
    unsafe { libc::syscall(libc::SYS_openat, libc::AT_FDCWD, path.as_ptr(), flags | libc::O_CLOEXEC, 0o600) as c_int }
}

/// What a file holds; nothing where there is none.
fn read(path: &CStr) -> Vec<u8> {
    let fd = open(path, libc::O_RDONLY);
    let mut bytes = vec![0_u8; FAULTS_BYTES];
    // SAFETY: the buffer has as many bytes as the kernel is told; a descriptor that is none is an error.
    let length = unsafe { libc::syscall(libc::SYS_read, fd, bytes.as_mut_ptr(), bytes.len()) };
    if fd >= 0 {
        // SAFETY: it was opened here.
        unsafe { libc::syscall(libc::SYS_close, fd) };
    }
    bytes.truncate(usize::try_from(length).unwrap_or(0));
    bytes
}

fn inode_of(name: &str) -> Option<u64> {
    let path = CString::new(format!("{}/{name}", places()?.dir)).ok()?;
    let fd = open(&path, libc::O_PATH);
    if fd < 0 {
        return None;
    }
    let inode = inode_of_fd(fd);
    // SAFETY: it was opened here.
    unsafe { libc::syscall(libc::SYS_close, fd) };
    inode
}

fn inode_of_fd(fd: c_int) -> Option<u64> {
    let mut found = std::mem::MaybeUninit::<libc::stat>::uninit();
    // SAFETY: the kernel writes a whole `stat`, or says that it did not.
    unsafe { (libc::fstat(fd, found.as_mut_ptr()) == 0).then(|| found.assume_init().st_ino) }
}
