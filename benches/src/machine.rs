//! What the system knows of a process: its memory and its processor time.

use std::time::Duration;

use anyhow::{Context, Result};

/// Clock ticks a second in `/proc`; fixed for programs on Linux, whatever the kernel counts in.
const TICKS_PER_SECOND: u64 = 100;

/// Returns the resident memory of a process that is its own, in KiB: no mapped files.
pub(crate) fn resident_kib(id: u32) -> Result<u64> {
    let status = std::fs::read_to_string(format!("/proc/{id}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("RssAnon:")).context("no RssAnon")?;
    Ok(line.trim().trim_end_matches(" kB").parse()?)
}

/// Returns the processor time that a process has used, in user and system mode together.
pub(crate) fn processor_time(id: u32) -> Result<Duration> {
    let stat = std::fs::read_to_string(format!("/proc/{id}/stat"))?;
    // The name, in parentheses, may hold anything; fields are counted after it.
    let (_, fields) = stat.rsplit_once(')').context("no name")?;
    let fields: Vec<&str> = fields.split_whitespace().collect();
    let ticks = |at: usize| -> Result<u64> { Ok(fields.get(at).context("too few fields")?.parse()?) };
    Ok(Duration::from_millis((ticks(11)? + ticks(12)?) * 1_000 / TICKS_PER_SECOND))
}
