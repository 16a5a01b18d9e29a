//! What bounds the work that a chart can cause.

/// Limits of loading a chart. Each names itself in the error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LoadLimits {
    /// Bytes of all files together, those of archives counted unpacked.
    pub chart_bytes: u64,
    /// Bytes of one file.
    pub file_bytes: u64,
    /// Files of a chart with all its subcharts.
    pub files: usize,
    /// Charts inside each other.
    pub depth: usize,
    /// Bytes of a file's path.
    pub path_bytes: usize,
}

impl LoadLimits {
    /// What Helm 3 and 4 allow for a chart.
    pub const CHART_BYTES: u64 = 100 << 20;
    /// What Helm 3 allows for a file; Helm 4 has no such limit.
    pub const FILE_BYTES_V3: u64 = 5 << 20;
    /// The largest public charts have 2,000 files.
    pub const FILES: usize = 50_000;
    /// Public charts nest four deep.
    pub const DEPTH: usize = 32;
    /// What Linux allows for a path.
    pub const PATH_BYTES: usize = 4096;
}

impl Default for LoadLimits {
    fn default() -> Self {
        Self {
            chart_bytes: Self::CHART_BYTES,
            file_bytes: Self::CHART_BYTES,
            files: Self::FILES,
            depth: Self::DEPTH,
            path_bytes: Self::PATH_BYTES,
        }
    }
}
