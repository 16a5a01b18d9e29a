//! Checksums of what the file holds.
//!
//! CRC-32 notices every change of up to 32 bits in a row. Of all rows, the sum of mixed checksums is kept: adding and
//! taking away costs nothing, and a missing row shows.

use flate2::Crc;

use super::{Summary, number_of};
use crate::store::{Record, Revision};

/// How many rows there are, and the sum of what is mixed from each.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Digest {
    pub(super) n_rows: u64,
    pub(super) sum: u64,
}

impl Digest {
    pub(super) fn add(&mut self, item: u64) {
        self.n_rows = self.n_rows.wrapping_add(1);
        self.sum = self.sum.wrapping_add(item);
    }

    pub(super) fn remove(&mut self, item: u64) {
        self.n_rows = self.n_rows.wrapping_sub(1);
        self.sum = self.sum.wrapping_sub(item);
    }
}

/// The checksum of one version.
pub(super) fn version(record: &Record) -> i64 {
    let mut crc = Crc::new();
    crc.update(&record.revision.to_le_bytes());
    crc.update(&number_of(record.kind).to_le_bytes());
    for text in [&record.resource, &record.key.namespace, &record.key.name] {
        crc.update(text.as_bytes());
        // No text has this byte, so that none runs into the next.
        crc.update(&[0xff]);
    }
    crc.update(&record.json);
    i64::from(crc.sum())
}

/// What one version adds to the digest.
pub(super) fn item(revision: Revision, sum: i64) -> u64 {
    mix(revision, sum.cast_unsigned())
}

/// What a resource's horizon adds to the digest.
pub(super) fn horizon(resource: &str, revision: Revision) -> u64 {
    let mut crc = Crc::new();
    crc.update(resource.as_bytes());
    mix(revision, u64::from(crc.sum()) | 1 << 32)
}

/// The checksum of the summary itself.
pub(super) fn summary(summary: &Summary) -> i64 {
    let mut crc = Crc::new();
    for number in [summary.revision, summary.floor, summary.digest.n_rows, summary.digest.sum] {
        crc.update(&number.to_le_bytes());
    }
    i64::from(crc.sum())
}

/// Two numbers as one in which every bit depends on all of theirs: the finalizer of MurmurHash3.
fn mix(first: u64, second: u64) -> u64 {
    let finish = |mut bits: u64| {
        bits = (bits ^ (bits >> 33)).wrapping_mul(0xff51_afd7_ed55_8ccd);
        bits = (bits ^ (bits >> 33)).wrapping_mul(0xc4ce_b9fe_1a85_ec53);
        bits ^ (bits >> 33)
    };
    finish(finish(first).wrapping_add(second))
}
