//! What is measured, declared once.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use clap::{Parser, ValueEnum};

use crate::workload::Size;

/// Measures Windlass as ratios to the least possible work.
#[derive(Debug, Parser)]
#[command(name = "windlass-bench", max_term_width = 100)]
pub(crate) struct Arguments {
    /// What to measure.
    #[arg(value_enum, default_value_t = What::All)]
    pub(crate) what: What,
    /// Which API server to measure on.
    #[arg(long, value_enum, default_value_t = Which::Both)]
    pub(crate) server: Which,
    /// How many Units, comma-separated.
    #[arg(short = 'n', long = "units", value_delimiter = ',', default_value = "300,1000")]
    pub(crate) units: Vec<usize>,
    /// How many ConfigMaps each Unit has.
    #[arg(long = "objects", value_name = "COUNT", default_value_t = 1)]
    pub(crate) n_objects: usize,
    /// How many folders the repository of `monorepo` has, comma-separated.
    #[arg(long, value_name = "COUNT", value_delimiter = ',', default_value = "10000")]
    pub(crate) folders: Vec<usize>,
    /// Which of the `extremes`, comma-separated; all when none is named.
    #[arg(long, value_enum, value_name = "EXTREME", value_delimiter = ',')]
    pub(crate) only: Vec<Extreme>,
    /// Divide the sizes of `extremes` by this, to try them out.
    #[arg(long, value_name = "COUNT", default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..))]
    pub(crate) divide: u16,
    /// How long the history of the repository with a long one is, in MiB, for `repositories`.
    #[arg(long, value_name = "MIB", default_value_t = 5120)]
    pub(crate) history_mib: u64,
    /// Measure the floor only.
    #[arg(long)]
    pub(crate) floor_only: bool,
    /// The binary to measure; by default the `windlass` next to this program.
    #[arg(long, value_name = "FILE")]
    pub(crate) windlass: Option<PathBuf>,
    /// How often commits are repeated; the median counts.
    #[arg(long, default_value_t = 5)]
    pub(crate) repeat: usize,
    /// How long idle CPU is watched.
    #[arg(long, default_value_t = 30)]
    pub(crate) idle_seconds: u64,
    /// How long one measurement may take before it is given up, in seconds.
    #[arg(long, default_value_t = 600)]
    pub(crate) timeout_seconds: u64,
    /// Keep the embedded API's state on disk instead of in memory; for `api`, make etcd wait for its disk too.
    #[arg(long)]
    pub(crate) on_disk: bool,
    /// How many objects are applied and read by `api`.
    #[arg(long = "applies", value_name = "COUNT", default_value_t = 5000)]
    pub(crate) n_applies: usize,
    /// How many watchers of one kind `api` opens.
    #[arg(long = "watchers", value_name = "COUNT", default_value_t = 1000)]
    pub(crate) n_watchers: usize,
    /// How many changes a second they see.
    #[arg(long, value_name = "COUNT", default_value_t = 1000)]
    pub(crate) events_a_second: usize,
    /// For how long.
    #[arg(long, value_name = "SECONDS", default_value_t = 10)]
    pub(crate) event_seconds: usize,
    /// How many objects `api` stores before it starts the server again; 0 leaves that out.
    #[arg(long = "stored", value_name = "COUNT", default_value_t = 100_000)]
    pub(crate) n_stored: usize,
    /// Folders with charts of others, measured beside our own by `helm`.
    #[arg(long, value_name = "DIR", num_args = 1..)]
    pub(crate) charts: Vec<PathBuf>,
    /// Where the figures are written as JSON.
    #[arg(long, value_name = "FILE")]
    pub(crate) json: Option<PathBuf>,
}

/// What to measure.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum What {
    /// Everything.
    All,
    /// From a Git repository to live state.
    Spine,
    /// One repository with thousands of folders, over HTTP.
    Monorepo,
    /// Units that are large, slow or sick, and clusters that are gone.
    Extremes,
    /// Large repositories, next to `git clone`. Not part of everything: making them takes minutes.
    Repositories,
    /// Single operations, in process.
    Micro,
    /// Building kustomizations, against kustomize. Not part of everything: it takes minutes of kustomize's.
    Kustomize,
    /// The embedded API against kube-apiserver and etcd: calls, watches, starts. Not part of everything: filling takes
    /// minutes of kube-apiserver's.
    Api,
    /// Rendering charts, against Helm. Not part of everything: it takes minutes of Helm's.
    Helm,
}

/// One of the `extremes`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Extreme {
    /// One Unit of 5,000 objects.
    Large,
    /// One Unit of 100 waves.
    Waves,
    /// 50 Units of which each depends on the one before.
    Chain,
    /// 200 healthy Units beside 20 that never get healthy.
    Sick,
    /// Somebody who changes 1,000 objects a second.
    Drift,
    /// Ten clusters of which two swallow every call.
    Clusters,
}

/// Which API server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Which {
    /// The one in `windlass up`.
    Embedded,
    /// kube-apiserver with etcd.
    Real,
    /// One after the other.
    Both,
}

impl Arguments {
    /// The program to measure.
    pub(crate) fn binary(&self) -> Result<PathBuf> {
        let path = match &self.windlass {
            Some(path) => path.clone(),
            None => {
                let own = std::env::current_exe().context("this program does not know where it lies")?;
                own.with_file_name("windlass")
            }
        };
        if !path.is_file() {
            bail!(
                "there is no {}; build it with `cargo build --release`, or name another with --windlass",
                path.display()
            );
        }
        Ok(path)
    }

    /// So many Units of the size asked for.
    pub(crate) fn size(&self, n_units: usize) -> Size {
        Size { n_units, n_objects: self.n_objects.max(1) }
    }

    /// Whether one of the `extremes` is to be measured.
    pub(crate) fn wants(&self, extreme: Extreme) -> bool {
        self.only.is_empty() || self.only.contains(&extreme)
    }

    /// A size of `extremes`, as asked for.
    pub(crate) fn scaled(&self, size: usize) -> usize {
        (size / usize::from(self.divide)).max(2)
    }

    pub(crate) fn timeout(&self) -> Duration {
        Duration::from_secs(self.timeout_seconds)
    }
}
