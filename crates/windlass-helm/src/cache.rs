//! Charts that are kept between renders.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use windlass_model::{Digest, Tree};

use crate::chart::Chart;
use crate::dependencies::{self, Dependencies, DependencyError};
use crate::load::{self, Budget, LoadError, LoadOptions, Loaded};
use crate::render::CompiledChart;
use crate::warning::Warning;

/// Compiled charts by the digests of their files, bounded by the bytes of these; the least recently used go first.
///
/// A chart that is rendered with new values, or for another release, is not parsed again. The files are read each
/// time, because they say which chart it is.
pub struct ChartCache {
    options: LoadOptions,
    capacity: usize,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    charts: HashMap<Digest, Kept>,
    bytes: usize,
    clock: u64,
}

struct Kept {
    chart: Arc<KeptChart>,
    bytes: usize,
    used: u64,
}

/// A chart of a [`ChartCache`].
#[derive(Debug)]
pub struct KeptChart {
    /// The chart.
    pub chart: CompiledChart,
    /// What Helm would print to its error output on loading it.
    pub warnings: Vec<Warning>,
    digest: Digest,
}

/// Why a chart cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum ChartError {
    /// Its files are no chart.
    #[error(transparent)]
    Load(#[from] LoadError),
    /// What it needs cannot be had.
    #[error(transparent)]
    Dependencies(#[from] DependencyError),
}

impl ChartCache {
    /// A cache of charts that are loaded by these rules, with up to `capacity` bytes of their files.
    #[must_use]
    pub fn new(options: LoadOptions, capacity: usize) -> Self {
        Self { options, capacity, state: Mutex::default() }
    }

    /// The chart in the folder `path` of `tree`, with the dependencies it declares if these are given.
    ///
    /// # Errors
    ///
    /// As for [`load_folder`](crate::load_folder) and [`complete`](crate::complete). Failures are not kept.
    pub fn load(
        &self,
        tree: &dyn Tree,
        path: &str,
        dependencies: Option<Dependencies<'_>>,
    ) -> Result<Arc<KeptChart>, ChartError> {
        let mut budget = Budget::new(&self.options);
        let files = load::folder_files(tree, path, &mut budget)?;
        let digest = load::digest_of(&files);
        let alone = match self.get(digest) {
            Some(kept) => kept,
            None => self.keep(load::chart(files, &mut budget)?),
        };
        let Some(dependencies) = dependencies else { return Ok(alone) };
        let chart = alone.chart.chart();
        if chart.missing_dependencies().is_empty() {
            return Ok(alone);
        }
        let fetched = dependencies::fetch(chart, tree, path, dependencies, &self.options)?;
        if let Some(kept) = self.get(fetched.digest(alone.digest)) {
            return Ok(kept);
        }
        let chart = Arc::clone(chart);
        let loaded = Loaded { chart, warnings: alone.warnings.clone(), digest: alone.digest };
        Ok(self.keep(fetched.into_loaded(&loaded)))
    }

    /// How many charts are kept.
    #[must_use]
    pub fn len(&self) -> usize {
        self.lock().charts.len()
    }

    /// Whether no chart is kept.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn get(&self, digest: Digest) -> Option<Arc<KeptChart>> {
        let mut state = self.lock();
        state.clock += 1;
        let now = state.clock;
        let kept = state.charts.get_mut(&digest)?;
        kept.used = now;
        Some(Arc::clone(&kept.chart))
    }

    fn keep(&self, loaded: Loaded) -> Arc<KeptChart> {
        let Loaded { chart, warnings, digest } = loaded;
        let bytes = bytes_of(&chart);
        let chart =
            Arc::new(KeptChart { chart: CompiledChart::new(chart, self.options.helm), warnings, digest });
        if bytes > self.capacity {
            return chart;
        }
        let mut state = self.lock();
        state.clock += 1;
        let used = state.clock;
        let before = state.charts.insert(digest, Kept { chart: Arc::clone(&chart), bytes, used });
        state.bytes += bytes - before.map_or(0, |before| before.bytes);
        while state.bytes > self.capacity {
            let oldest = state.charts.iter().min_by_key(|(_, kept)| kept.used).map(|(digest, _)| *digest);
            let Some(kept) = oldest.and_then(|oldest| state.charts.remove(&oldest)) else { break };
            state.bytes -= kept.bytes;
        }
        chart
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for ChartCache {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "ChartCache({} charts)", self.len())
    }
}

/// The bytes of a chart's files, with something for each: an empty file takes memory too.
fn bytes_of(chart: &Chart) -> usize {
    const PER_FILE: usize = 256;
    let files = chart.templates.iter().chain(&chart.files);
    let own: usize = files.map(|file| file.data.len() + PER_FILE).sum();
    let schema = chart.schema.as_ref().map_or(0, |schema| schema.len());
    PER_FILE + own + schema + chart.dependencies.iter().map(|inner| bytes_of(inner)).sum::<usize>()
}
