//! What a program and its children use together.

use std::fs;
use std::process::Child;

use rustix::process::Pid;

/// Processes with a common leader, which none of them can leave.
pub(super) struct Group(Pid);

/// What they use at one moment.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(super) struct Usage {
    pub(super) processes: usize,
    pub(super) memory_bytes: u64,
}

/// Where a line of `/proc/PID/stat` has these, counted from what follows the name: see proc(5).
const GROUP_FIELD: usize = 2;
const RESIDENT_FIELD: usize = 21;

impl Group {
    pub(super) fn led_by(child: &Child) -> Self {
        Self(Pid::from_child(child))
    }

    pub(super) fn leader(&self) -> Pid {
        self.0
    }

    /// Counts. Without `/proc` there is nothing to count, and the other limits are left.
    pub(super) fn usage(&self) -> Usage {
        let mut usage = Usage::default();
        let page = rustix::param::page_size() as u64;
        for entry in fs::read_dir("/proc").into_iter().flatten().flatten() {
            let is_process = entry.file_name().as_encoded_bytes().first().is_some_and(u8::is_ascii_digit);
            if !is_process {
                continue;
            }
            // It may be gone by now.
            let Ok(line) = fs::read_to_string(entry.path().join("stat")) else { continue };
            if let Some(pages) = resident_pages(&line, self.0.as_raw_nonzero().get()) {
                usage.processes += 1;
                usage.memory_bytes += pages * page;
            }
        }
        usage
    }
}

/// The pages in memory of a process that is of the group.
fn resident_pages(line: &str, group: i32) -> Option<u64> {
    // The name may hold spaces and brackets.
    let (_, rest) = line.rsplit_once(')')?;
    let mut fields = rest.split_ascii_whitespace();
    let of: i32 = fields.nth(GROUP_FIELD)?.parse().ok()?;
    if of != group {
        return None;
    }
    fields.nth(RESIDENT_FIELD - GROUP_FIELD - 1)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_of_proc_is_read_by_what_follows_the_name() {
        let line =
            "7 (a) b (c) S 1 42 42 0 -1 4194304 1 2 3 4 5 6 7 8 20 0 1 0 99 10000 321 18446744073709551615 1";
        assert_eq!(resident_pages(line, 42), Some(321));
        assert_eq!(resident_pages(line, 43), None);
        assert_eq!(resident_pages("nonsense", 1), None);
    }
}
