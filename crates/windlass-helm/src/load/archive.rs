//! The files of a packaged chart: a gzipped tar archive, read in memory.
//!
//! Nothing is ever unpacked to a disk. Paths that lead out of the chart are errors, as Helm has it; so are links,
//! which Helm takes for empty files.

use std::io::{self, Read};
use std::sync::Arc;

use flate2::read::MultiGzDecoder;
use tar::EntryType;
use windlass_yaml::Str;

use super::{Budget, LoadError, file};
use crate::chart::File;
use crate::text::clean;

/// Why an archive is no chart.
#[derive(Debug, thiserror::Error)]
pub enum ArchiveError {
    /// It is not compressed by gzip.
    #[error("not a gzipped archive")]
    NotGzip,
    /// It is damaged.
    #[error("the archive cannot be read")]
    Damaged(#[source] io::Error),
    /// There is nothing in it.
    #[error("no files in chart archive")]
    Empty,
    /// A path is absolute.
    #[error("chart illegally contains absolute paths")]
    Absolute,
    /// A path has no folder around it.
    #[error("chart illegally contains content outside the base directory: {0:?}")]
    OutsideBase(Str),
    /// A path leads to a folder above.
    #[error("chart illegally references parent directory")]
    Parent,
    /// A path begins with a Windows drive.
    #[error("chart contains illegally named files")]
    Drive,
    /// `Chart.yaml` stands at the top.
    #[error("chart yaml not in base directory")]
    ChartFileOutsideBase,
    /// A link, a device or a pipe.
    #[error("chart illegally contains {path:?}, which is not a regular file")]
    NotRegular {
        /// Its path in the archive.
        path: Str,
    },
    /// A path is too long.
    #[error("chart contains a path of more than {0} bytes (limit PATH_BYTES)")]
    PathTooLong(usize),
}

/// How many bytes of headers and padding a file may cost beside its own.
const OVERHEAD_PER_FILE: u64 = 16 << 10;

/// The files of the archive, in its order.
pub(super) fn files(bytes: &[u8], budget: &mut Budget) -> Result<Vec<File>, LoadError> {
    if !bytes.starts_with(&[0x1f, 0x8b]) {
        return Err(ArchiveError::NotGzip.into());
    }
    let limits = budget.options.limits;
    let overhead = OVERHEAD_PER_FILE.saturating_mul(limits.files as u64);
    // One more than allowed, so that what is too much is seen as such and not as an early end.
    let most = budget.remaining().saturating_add(overhead).saturating_add(1);
    let mut archive = tar::Archive::new(MultiGzDecoder::new(bytes).take(most));
    let damaged = |error| LoadError::Archive(ArchiveError::Damaged(error));
    let mut files = Vec::new();
    let mut n_entries = 0_usize;
    for entry in archive.entries().map_err(damaged)? {
        let entry = entry.map_err(damaged)?;
        n_entries += 1;
        if n_entries > limits.files {
            return Err(LoadError::TooManyFiles(limits.files));
        }
        let path = String::from_utf8_lossy(&entry.path_bytes()).into_owned();
        match entry.header().entry_type() {
            EntryType::Directory | EntryType::XGlobalHeader | EntryType::XHeader => continue,
            _ if path.ends_with('/') => continue,
            kind if kind.is_file() || kind == EntryType::Continuous => {}
            _ => return Err(ArchiveError::NotRegular { path: Str::from(path) }.into()),
        }
        if path.len() > limits.path_bytes {
            return Err(ArchiveError::PathTooLong(limits.path_bytes).into());
        }
        let name = name_in_chart(&path)?;
        let size = entry.size();
        if size > limits.file_bytes {
            return Err(LoadError::FileTooLarge { file: Str::from(name), limit: limits.file_bytes });
        }
        if size > budget.remaining() {
            return Err(LoadError::ChartTooLarge(limits.chart_bytes));
        }
        let mut data = Vec::new();
        entry.take(size).read_to_end(&mut data).map_err(damaged)?;
        if (data.len() as u64) < size {
            return Err(LoadError::ChartTooLarge(limits.chart_bytes));
        }
        budget.take(&name, size)?;
        files.push(file(&name, Arc::from(data)));
    }
    if files.is_empty() {
        return Err(ArchiveError::Empty.into());
    }
    Ok(files)
}

/// A path without the archive's top folder.
fn name_in_chart(path: &str) -> Result<String, ArchiveError> {
    // Archives made on Windows have the other slash.
    let delimiter = if path.contains('\\') { '\\' } else { '/' };
    let (top, rest) = path.split_once(delimiter).unwrap_or((path, ""));
    let rest = rest.replace(delimiter, "/");
    if rest.starts_with('/') {
        return Err(ArchiveError::Absolute);
    }
    let name = clean(&rest);
    if name == "." {
        return Err(ArchiveError::OutsideBase(Str::from(path)));
    }
    if name.starts_with("..") {
        return Err(ArchiveError::Parent);
    }
    let bytes = name.as_bytes();
    if bytes.len() > 2 && bytes[0].is_ascii_alphabetic() && &bytes[1..3] == b":/" {
        return Err(ArchiveError::Drive);
    }
    if top == "Chart.yaml" {
        return Err(ArchiveError::ChartFileOutsideBase);
    }
    Ok(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_stay_inside() {
        assert_eq!(name_in_chart("web/templates/a.yaml").unwrap(), "templates/a.yaml");
        assert_eq!(name_in_chart("web\\templates\\a.yaml").unwrap(), "templates/a.yaml");
        assert!(matches!(name_in_chart("web/../../a"), Err(ArchiveError::Parent)));
        assert!(matches!(name_in_chart("web//etc/passwd"), Err(ArchiveError::Absolute)));
        assert!(matches!(name_in_chart("web/c:/a"), Err(ArchiveError::Drive)));
        assert!(matches!(name_in_chart("README.md"), Err(ArchiveError::OutsideBase(_))));
    }
}
