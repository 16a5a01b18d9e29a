//! Looks through the write-ahead log before SQLite does.
//!
//! SQLite takes the first frame whose checksum is wrong for the end of the log, which is right for a write that was
//! cut, and would silently lose what was acknowledged if a byte changed further ahead. The difference can be seen: every
//! transaction is on disk before the next one begins, so what was cut is one transaction at most.
//!
//! The form of the file: "The WAL File Format", <https://www.sqlite.org/fileformat2.html>.

use std::collections::HashSet;
use std::fs::File;
use std::io::{ErrorKind, Read};
use std::path::Path;

const HEADER: usize = 32;
const FRAME_HEADER: usize = 24;

/// Pages are at most this large in any file of SQLite.
const MAX_PAGE: usize = 65_536;

/// Says what is wrong with the log of the database at `path`, if anything is.
pub(super) fn check(path: &Path) -> Result<(), &'static str> {
    let mut name = path.as_os_str().to_owned();
    name.push("-wal");
    // What cannot be read is for SQLite to complain of.
    let Ok(mut file) = File::open(Path::new(&name)) else { return Ok(()) };
    let mut header = [0; HEADER];
    // Shorter, it was cut while it was begun: nothing in it was acknowledged.
    if read(&mut file, &mut header).is_none() {
        return Ok(());
    }
    let Some(log) = Log::of(&header) else { return Err("the head of its write-ahead log is damaged") };
    log.follow(&mut file)
}

/// Reads exactly as many bytes; `None` at the end.
fn read(file: &mut File, into: &mut [u8]) -> Option<()> {
    loop {
        match file.read_exact(into) {
            Ok(()) => return Some(()),
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(_) => return None,
        }
    }
}

fn word(bytes: &[u8], offset: usize) -> u32 {
    u32::from_be_bytes([bytes[offset], bytes[offset + 1], bytes[offset + 2], bytes[offset + 3]])
}

/// What the head of a log says.
struct Log {
    big_endian: bool,
    page_size: usize,
    salts: [u8; 8],
    sums: (u32, u32),
}

impl Log {
    fn of(header: &[u8; HEADER]) -> Option<Self> {
        let magic = word(header, 0);
        if magic & !1 != 0x377f_0682 {
            return None;
        }
        let page_size = word(header, 8) as usize;
        if !page_size.is_power_of_two() || !(512..=MAX_PAGE).contains(&page_size) {
            return None;
        }
        let mut log = Self {
            big_endian: magic & 1 == 1,
            page_size,
            salts: header[16..24].try_into().ok()?,
            sums: (0, 0),
        };
        log.sums = log.sum(log.sums, &header[..24]);
        (log.sums == (word(header, 24), word(header, 28))).then_some(log)
    }

    fn sum(&self, (mut first, mut second): (u32, u32), bytes: &[u8]) -> (u32, u32) {
        for pair in bytes.chunks_exact(8) {
            let number = |at: usize| {
                let four = [pair[at], pair[at + 1], pair[at + 2], pair[at + 3]];
                if self.big_endian { u32::from_be_bytes(four) } else { u32::from_le_bytes(four) }
            };
            first = first.wrapping_add(number(0)).wrapping_add(second);
            second = second.wrapping_add(number(4)).wrapping_add(first);
        }
        (first, second)
    }

    /// Whether a frame belongs to this round of the log, one damaged byte forgiven. Those of earlier rounds have other
    /// random salts.
    fn is_current(&self, frame: &[u8]) -> bool {
        frame[8..16].iter().zip(&self.salts).filter(|(is, was)| is == was).count() >= 7
    }

    fn follow(&self, file: &mut File) -> Result<(), &'static str> {
        let mut frame = vec![0; FRAME_HEADER + self.page_size];
        let mut sums = self.sums;
        loop {
            if read(file, &mut frame).is_none() {
                return Ok(());
            }
            let next = self.sum(self.sum(sums, &frame[..8]), &frame[FRAME_HEADER..]);
            let intact = frame[8..16] == self.salts && next == (word(&frame, 16), word(&frame, 20));
            if !intact {
                break;
            }
            sums = next;
        }
        // From here on nothing counts any more. It must be the rest of one transaction.
        let mut pages = HashSet::new();
        let mut ended = false;
        loop {
            if self.is_current(&frame) {
                let page = word(&frame, 0);
                if ended || !pages.insert(page) {
                    return Err("its write-ahead log is damaged ahead of its end");
                }
                // The last frame of a transaction says how many pages the file has after it.
                ended = word(&frame, 4) != 0;
            }
            if read(file, &mut frame).is_none() {
                return Ok(());
            }
        }
    }
}
