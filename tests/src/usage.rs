//! What a process of this machine holds, as Linux tells it.

use std::fs;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Returns the most memory that a process ever held, in bytes.
///
/// # Panics
/// If there is no such process.
#[must_use]
pub fn memory_bytes_max(process_id: u32) -> usize {
    let status = fs::read_to_string(format!("/proc/{process_id}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<usize>().unwrap() * 1_024
}

/// Returns how many files and sockets a process has open.
///
/// # Panics
/// If there is no such process.
#[must_use]
pub fn descriptors(process_id: u32) -> usize {
    fs::read_dir(format!("/proc/{process_id}/fd")).unwrap().count()
}

/// Allows this process to have so many files and sockets open.
///
/// # Panics
/// If the system does not: the hard limit of `ulimit -n` is too low.
pub fn open_files_at_least(count: u64) {
    let limits = getrlimit(Resource::Nofile);
    if limits.current.is_some_and(|current| current < count) {
        let hard = limits.maximum;
        assert!(hard.is_none_or(|hard| hard >= count), "expected a limit of {count} open files, got {hard:?}");
        setrlimit(Resource::Nofile, Rlimit { current: Some(count), maximum: hard }).unwrap();
    }
}
