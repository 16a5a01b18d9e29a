//! From a folder or an archive to a [`Chart`].
//!
//! Loading is a function of a Tree or of bytes: nothing here reads a file system.

mod archive;
mod assemble;
mod folder;
mod ignore;
mod values_file;

use std::sync::Arc;

use windlass_model::{Digest, Tree, TreeError};
use windlass_yaml::{Str, YamlError};

pub use archive::ArchiveError;
pub(crate) use assemble::digest as digest_of;
pub use ignore::IgnoreError;
pub(crate) use values_file::merge as merge_values;
pub use values_file::{ValuesFileError, parse_values};

use crate::HelmVersion;
use crate::chart::{Chart, File, InvalidMetadata};
use crate::limits::LoadLimits;
use crate::warning::Warning;

/// How a chart is loaded.
#[derive(Clone, Copy, Debug, Default)]
pub struct LoadOptions {
    /// Whose rules hold.
    pub helm: HelmVersion,
    /// What stops the load.
    pub limits: LoadLimits,
}

impl LoadOptions {
    /// The rules and limits of a version of Helm.
    #[must_use]
    pub fn of(helm: HelmVersion) -> Self {
        let mut limits = LoadLimits::default();
        if helm == HelmVersion::V3 {
            limits.file_bytes = LoadLimits::FILE_BYTES_V3;
        }
        Self { helm, limits }
    }
}

/// A chart, and what is worth knowing about its files.
#[derive(Debug)]
pub struct Loaded {
    /// The chart.
    pub chart: Arc<Chart>,
    /// What Helm would print to its error output.
    pub warnings: Vec<Warning>,
    /// The digest of the files it was made of, those of fetched dependencies too: equal ones make equal charts.
    pub digest: Digest,
}

/// Loads the chart in the folder `path` of `tree`, without what its `.helmignore` names.
///
/// # Errors
///
/// [`LoadError`], in Helm's words where Helm has some.
pub fn load_folder(tree: &dyn Tree, path: &str, options: &LoadOptions) -> Result<Loaded, LoadError> {
    let mut budget = Budget::new(options);
    let files = folder_files(tree, path, &mut budget)?;
    chart(files, &mut budget)
}

/// Loads a chart from a packaged one: a gzipped tar archive.
///
/// # Errors
///
/// [`LoadError`], in Helm's words where Helm has some.
pub fn load_archive(bytes: &[u8], options: &LoadOptions) -> Result<Loaded, LoadError> {
    let mut budget = Budget::new(options);
    let files = archive::files(bytes, &mut budget)?;
    chart(files, &mut budget)
}

/// The files of the chart in a folder, without what its `.helmignore` names.
pub(crate) fn folder_files(tree: &dyn Tree, path: &str, budget: &mut Budget) -> Result<Vec<File>, LoadError> {
    folder::files(tree, path, budget)
}

/// The files of a packaged chart.
pub(crate) fn archive_files(bytes: &[u8], budget: &mut Budget) -> Result<Vec<File>, LoadError> {
    archive::files(bytes, budget)
}

/// Makes a chart of its files.
pub(crate) fn chart(files: Vec<File>, budget: &mut Budget) -> Result<Loaded, LoadError> {
    if budget.options.helm == HelmVersion::V4 {
        assemble::check_api_version(&files)?;
    }
    assemble::chart(files, budget)
}

/// Why a chart cannot be loaded.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// The folder is not there.
    #[error("{path} does not exist, or is not a folder")]
    NoFolder {
        /// The folder as asked for.
        path: Str,
    },
    /// There is no `Chart.yaml`.
    #[error("Chart.yaml file is missing")]
    NoChartFile,
    /// `apiVersion` is neither `v1` nor `v2`.
    #[error("unsupported chart version")]
    UnsupportedVersion,
    /// `apiVersion` is `v3`, which Helm 4 knows and does not render.
    #[error("invalid chart apiVersion")]
    NotYetSupportedVersion,
    /// A file of the chart is no YAML, or not what it has to be.
    #[error("cannot load {file}: {problem}")]
    File {
        /// The file.
        file: &'static str,
        /// What is wrong with it, in the words of Go's packages.
        problem: String,
    },
    /// `Chart.yaml` says something that is not allowed.
    #[error(transparent)]
    Metadata(#[from] InvalidMetadata),
    /// A chart inside cannot be loaded.
    #[error("error unpacking subchart {subchart} in {chart}: {error}")]
    Subchart {
        /// Its folder or archive.
        subchart: Str,
        /// The chart it is in.
        chart: Str,
        /// Why.
        error: Box<LoadError>,
    },
    /// A folder is called like an archive.
    #[error("error unpacking subchart tar in {chart}: expected {expected}, got {found}")]
    NotAnArchive {
        /// The chart it is in.
        chart: Str,
        /// The folder.
        expected: Str,
        /// A file in it.
        found: Str,
    },
    /// An archive cannot be read.
    #[error(transparent)]
    Archive(#[from] ArchiveError),
    /// `.helmignore` has a line that cannot be used.
    #[error(transparent)]
    Ignore(#[from] IgnoreError),
    /// The Tree failed.
    #[error("error reading {path}: {source}")]
    Tree {
        /// What was read.
        path: Str,
        /// Why it failed.
        source: TreeError,
    },
    /// The files are too large together.
    #[error("chart exceeds maximum decompressed size of {0} bytes (limit CHART_BYTES)")]
    ChartTooLarge(u64),
    /// One file is too large.
    #[error("chart file {file:?} is larger than the maximum file size {limit} (limit FILE_BYTES)")]
    FileTooLarge {
        /// The file.
        file: Str,
        /// The limit in bytes.
        limit: u64,
    },
    /// There are too many files.
    #[error("chart has more than {0} files (limit FILES)")]
    TooManyFiles(usize),
    /// Charts nest too deeply.
    #[error("charts nest deeper than {0} (limit DEPTH)")]
    TooDeep(usize),
}

impl LoadError {
    pub(crate) fn yaml(file: &'static str, error: &YamlError) -> Self {
        Self::File { file, problem: format!("error converting YAML to JSON: {error}") }
    }
}

/// What is left of the limits, for the whole chart with everything inside.
pub(crate) struct Budget {
    pub(crate) options: LoadOptions,
    bytes: u64,
    files: usize,
    pub(crate) depth: usize,
    pub(crate) warnings: Vec<Warning>,
}

impl Budget {
    pub(crate) fn new(options: &LoadOptions) -> Self {
        Self { options: *options, bytes: 0, files: 0, depth: 0, warnings: Vec::new() }
    }

    /// How many bytes may still be read.
    pub(crate) fn remaining(&self) -> u64 {
        self.options.limits.chart_bytes.saturating_sub(self.bytes)
    }

    /// Accounts for a file.
    pub(crate) fn take(&mut self, name: &str, bytes: u64) -> Result<(), LoadError> {
        let limits = &self.options.limits;
        if bytes > limits.file_bytes {
            return Err(LoadError::FileTooLarge { file: Str::from(name), limit: limits.file_bytes });
        }
        if bytes > self.remaining() {
            return Err(LoadError::ChartTooLarge(limits.chart_bytes));
        }
        self.bytes += bytes;
        self.files += 1;
        if self.files > limits.files {
            return Err(LoadError::TooManyFiles(limits.files));
        }
        Ok(())
    }

    pub(crate) fn warn(&mut self, warning: Warning) {
        self.warnings.push(warning);
    }
}

/// A file's bytes without the mark that some editors begin a text with.
fn without_mark(data: Arc<[u8]>) -> Arc<[u8]> {
    match data.strip_prefix(b"\xef\xbb\xbf") {
        Some(rest) => rest.into(),
        None => data,
    }
}

fn file(name: &str, data: Arc<[u8]>) -> File {
    File { name: Str::from(name), data: without_mark(data) }
}
