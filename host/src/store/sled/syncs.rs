//! sled's own syncs. On Linux sled calls `sync_file_range`, which waits for no disk's cache and for no length of a file, and
//! takes for durable what it wrote. It then writes over the part of its log that held the same before: with the power lost
//! before the next barrier neither is there, and the store does not open. A kernel that does not know that call has sled sync
//! the file instead. So none of it is known to the store's thread, nor to those that sled starts from there.

/// From now on what this thread has sled write is on the disk before sled goes on, where the system lets a thread have a
/// filter of system calls. Linux alone has both, the call and the filter; elsewhere sled syncs as it should.
///
/// # Errors
/// Says why not.
#[cfg(target_os = "linux")]
pub(super) fn insist() -> Result<(), String> {
    let program = filter().map_err(|error| error.to_string())?;
    seccompiler::apply_filter(&program).map_err(|error| error.to_string())
}

#[cfg(target_os = "linux")]
fn filter() -> Result<seccompiler::BpfProgram, seccompiler::BackendError> {
    use seccompiler::{BackendError, SeccompAction, SeccompFilter, TargetArch};

    let rules = [(libc::SYS_sync_file_range, Vec::new())].into();
    let unknown = SeccompAction::Errno(libc::ENOSYS.unsigned_abs());
    let here = match () {
        () if cfg!(target_arch = "x86_64") => TargetArch::x86_64,
        () if cfg!(target_arch = "riscv64") => TargetArch::riscv64,
        () if cfg!(target_arch = "aarch64") => TargetArch::aarch64,
        () => return Err(BackendError::InvalidTargetArch("this processor's".to_owned())),
    };
    SeccompFilter::new(rules, SeccompAction::Allow, unknown, here)?.try_into()
}

#[cfg(not(target_os = "linux"))]
pub(super) fn insist() -> Result<(), String> {
    Ok(())
}
