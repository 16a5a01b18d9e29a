//! Where charts come from that do not lie in the chart that needs them.

use std::sync::Arc;

use windlass_model::Tree;

/// A chart that a chart needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ChartRequest<'a> {
    /// The address of the repository: `https://…`, `http://…`, `oci://…`, or an absolute `file:///…`.
    pub repository: &'a str,
    /// The chart's name in it.
    pub name: &'a str,
    /// A version, or a range of versions of which the newest is wanted.
    pub version: &'a str,
}

/// A chart as a source has it.
#[derive(Clone)]
pub enum ChartFiles {
    /// A Tree whose root is the chart's folder.
    Tree(Arc<dyn Tree>),
    /// A packaged chart.
    Archive(Arc<[u8]>),
}

/// Why a source has no such chart.
pub type ChartSourceError = Box<dyn std::error::Error + Send + Sync>;

/// Repositories of charts. What is asked of it comes from charts, which anyone may have written: an implementation
/// decides which addresses may be asked at all.
pub trait ChartSource: Send + Sync {
    /// Fetches a chart.
    ///
    /// # Errors
    ///
    /// Why it cannot be had; the words are shown to people, so they have no secrets.
    fn fetch(&self, request: &ChartRequest<'_>) -> Result<ChartFiles, ChartSourceError>;

    /// Hears which charts are going to be fetched, one after the other, so that they can be fetched side by side.
    fn expect(&self, requests: &[ChartRequest<'_>]) {
        let _ = requests;
    }

    /// The address of the repository that somebody has given a name: `@name` or `alias:name` in a chart.
    fn address_of(&self, name: &str) -> Option<String> {
        let _ = name;
        None
    }
}

/// No repositories: only dependencies at a `file://` address inside the Tree can be had.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoCharts;

impl ChartSource for NoCharts {
    fn fetch(&self, _: &ChartRequest<'_>) -> Result<ChartFiles, ChartSourceError> {
        Err("charts are not fetched here".into())
    }
}
