//! Hides from a program where its vDSO is. valgrind takes the vDSO away and says so in the auxiliary vector on the stack and in
//! `/proc/self/auxv`; but a program that asks the kernel by `prctl` is told where it was, as rustix does, and reads there.

use crate::failure::Result;

/// Does `what` in a thread whose children are told nothing by `prctl(PR_GET_AUXV)`: they look elsewhere.
#[cfg(target_os = "linux")]
pub(super) fn hidden<T: Send>(what: impl FnOnce() -> Result<T> + Send) -> Result<T> {
    use crate::failure::{Doing, Failure};

    let filter = filter().doing(|| "a filter of system calls".to_owned())?;
    // A filter stays: it is this thread's, and goes with it.
    let thread = || {
        seccompiler::apply_filter(&filter).doing(|| "filtering system calls".to_owned())?;
        what()
    };
    let ended = std::thread::scope(|scope| scope.spawn(thread).join());
    ended.unwrap_or_else(|_| Err(Failure::new("the thread that counts panicked")))
}

#[cfg(not(target_os = "linux"))]
pub(super) fn hidden<T: Send>(what: impl FnOnce() -> Result<T> + Send) -> Result<T> {
    what()
}

#[cfg(target_os = "linux")]
fn filter() -> std::result::Result<seccompiler::BpfProgram, seccompiler::BackendError> {
    use seccompiler::{SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter, SeccompRule};

    /// Of linux/prctl.h.
    const PR_GET_AUXV: u64 = 0x4155_5856;
    let asks = SeccompCondition::new(0, SeccompCmpArgLen::Dword, SeccompCmpOp::Eq, PR_GET_AUXV)?;
    let rules = [(libc::SYS_prctl, vec![SeccompRule::new(vec![asks])?])].into();
    // What a kernel says that does not know it.
    let refused = SeccompAction::Errno(libc::EINVAL.unsigned_abs());
    let here = std::env::consts::ARCH.try_into()?;
    SeccompFilter::new(rules, SeccompAction::Allow, refused, here)?.try_into()
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;
    use crate::process::{Interrupt, capture};

    #[test]
    fn programs_started_there_run_and_others_are_as_before() {
        let echo = || capture(std::process::Command::new("echo").arg("here"), &Interrupt::never());
        assert_eq!(hidden(echo).map_err(|failure| failure.to_string()), Ok("here\n".to_owned()));
        let before = filters();
        assert_eq!(hidden(|| Ok(filters())).map_err(|failure| failure.to_string()), Ok(before + 1));
        assert_eq!(filters(), before);
    }

    /// How many filters this thread's system calls go through.
    fn filters() -> u32 {
        let status = std::fs::read_to_string("/proc/thread-self/status").expect("it is there");
        let filters = status.lines().find_map(|line| line.strip_prefix("Seccomp_filters:"));
        filters.and_then(|filters| filters.trim().parse().ok()).expect("Linux 5.9 or newer tells")
    }
}
