//! What a process costs, as the kernel counts it.

use std::time::Duration;

/// The clock ticks of `/proc/PID/stat` are hundredths of a second on every Linux that we run on.
const TICK: Duration = Duration::from_millis(10);

/// Memory of a process, in KiB.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Memory {
    /// Resident, shared pages counted whole.
    pub(crate) resident: u64,
    /// Resident, shared pages divided among those who share them.
    pub(crate) proportional: u64,
    /// The largest that `resident` ever was.
    pub(crate) peak: u64,
}

/// Reads the memory of a process; zeros when it is gone.
pub(crate) fn memory(pid: u32) -> Memory {
    let field = |file: &str, key: &str| {
        let text = std::fs::read_to_string(format!("/proc/{pid}/{file}")).unwrap_or_default();
        let line = text.lines().find(|line| line.starts_with(key)).unwrap_or_default();
        line.split_whitespace().nth(1).and_then(|text| text.parse().ok()).unwrap_or(0)
    };
    Memory {
        resident: field("status", "VmRSS:"),
        proportional: field("smaps_rollup", "Pss:"),
        peak: field("status", "VmHWM:"),
    }
}

/// Reads the processor time that a process has used, in user and in system mode.
pub(crate) fn processor_time(pid: u32) -> Duration {
    let text = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    // The name in parentheses may hold anything; what follows the last one is numbers.
    let numbers = text.rsplit_once(')').map_or("", |(_, rest)| rest);
    let ticks: u32 =
        numbers.split_whitespace().skip(11).take(2).filter_map(|text| text.parse::<u32>().ok()).sum();
    TICK * ticks
}
