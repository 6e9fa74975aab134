//! What concerns the process: who owns stdout, with whom it ends, how much memory it took.

use std::fs::File;
use std::io;
use std::os::fd::{AsRawFd, FromRawFd};

/// Keeps stdout for answers; whatever a library or a guest prints goes to stderr from now on.
///
/// # Errors
/// Those of the system calls.
#[allow(unsafe_code, reason = "the standard library cannot exchange a file descriptor")]
pub fn take_stdout() -> io::Result<File> {
    // SAFETY: both descriptors are open for the life of the process, and the new one has no other owner.
    unsafe {
        let private = libc::dup(io::stdout().as_raw_fd());
        if private < 0 || libc::dup2(io::stderr().as_raw_fd(), io::stdout().as_raw_fd()) < 0 {
            return Err(io::Error::last_os_error());
        }
        Ok(File::from_raw_fd(private))
    }
}

/// Has the kernel end this process with its owner, also in the middle of a job.
#[allow(unsafe_code, reason = "the standard library has no call for it")]
pub fn end_with_owner() {
    #[cfg(target_os = "linux")]
    // SAFETY: a system call without pointers.
    unsafe {
        libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL);
    }
}

/// Highest resident memory of this process, 0 where the system does not say.
pub fn peak_rss_bytes() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kibibytes = line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok());
    kibibytes.unwrap_or_default() * 1024
}
