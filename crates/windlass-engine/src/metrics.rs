//! What the engine counts.

use std::sync::atomic::Ordering;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::Registry;
use windlass_render::Counts;

/// A label `result`: `ok` or `error`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(crate) struct ResultLabel {
    pub(crate) result: &'static str,
}

impl ResultLabel {
    pub(crate) fn of(ok: bool) -> Self {
        Self { result: if ok { "ok" } else { "error" } }
    }
}

/// A label `phase` as in an Application's `operationState`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(crate) struct PhaseLabel {
    pub(crate) phase: &'static str,
}

/// A label `from`: where the answer to a render came from.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(crate) struct AnswerLabel {
    pub(crate) from: &'static str,
}

/// The engine's counters; a clone shares them. The names are documented in `docs/metrics.md`.
#[derive(Debug, Clone)]
pub struct Metrics {
    pub(crate) units: Gauge,
    pub(crate) live_objects: Gauge,
    pub(crate) reconciles: Counter,
    pub(crate) renders: Family<ResultLabel, Counter>,
    pub(crate) render_answers: Family<AnswerLabel, Counter>,
    pub(crate) applies: Family<ResultLabel, Counter>,
    pub(crate) dry_runs: Counter,
    pub(crate) status_writes: Family<ResultLabel, Counter>,
    pub(crate) source_updates: Family<ResultLabel, Counter>,
    pub(crate) operations: Family<PhaseLabel, Counter>,
    pub(crate) operation_seconds: Histogram,
    pub(crate) events_dropped: Counter,
    pub(crate) live_events: Counter,
}

impl Default for Metrics {
    fn default() -> Self {
        Self {
            units: Gauge::default(),
            live_objects: Gauge::default(),
            reconciles: Counter::default(),
            renders: Family::default(),
            render_answers: Family::default(),
            applies: Family::default(),
            dry_runs: Counter::default(),
            status_writes: Family::default(),
            source_updates: Family::default(),
            operations: Family::default(),
            // 5 ms to about 80 s.
            operation_seconds: Histogram::new(exponential_buckets(0.005, 2.0, 15)),
            events_dropped: Counter::default(),
            live_events: Counter::default(),
        }
    }
}

impl Metrics {
    /// Registers all of them.
    ///
    /// Every label value is there from the start, so that a rate over it has a zero to begin with.
    pub fn register(&self, registry: &mut Registry) {
        for family in [&self.renders, &self.applies, &self.status_writes, &self.source_updates] {
            for ok in [true, false] {
                drop(family.get_or_create(&ResultLabel::of(ok)));
            }
        }
        self.note_answers(Counts::default());
        for phase in ["Succeeded", "Failed", "Error"] {
            drop(self.operations.get_or_create(&PhaseLabel { phase }));
        }
        let registry = registry.sub_registry_with_prefix("windlass");
        registry.register("units", "Units that are kept in sync", self.units.clone());
        registry.register("live_objects", "Live objects that belong to a Unit", self.live_objects.clone());
        registry.register("reconciles", "Looks at a Unit", self.reconciles.clone());
        registry.register("renders", "Renders of a Unit's sources", self.renders.clone());
        registry.register(
            "render_answers",
            "Sources that were rendered, or answered from what is kept",
            self.render_answers.clone(),
        );
        registry.register("applies", "Objects applied or deleted", self.applies.clone());
        registry.register("dry_runs", "Objects checked by a server dry run", self.dry_runs.clone());
        registry.register(
            "status_writes",
            "Writes to a declaring object's status",
            self.status_writes.clone(),
        );
        registry.register("source_updates", "Resolutions of a source", self.source_updates.clone());
        registry.register("operations", "Sync operations that ended, by phase", self.operations.clone());
        registry.register(
            "operation_seconds",
            "Seconds from the start of a sync operation to its end",
            self.operation_seconds.clone(),
        );
        registry.register(
            "events_dropped",
            "Kubernetes Events that were not written because of the rate limit",
            self.events_dropped.clone(),
        );
        registry.register(
            "live_events",
            "Changes of live objects that were digested",
            self.live_events.clone(),
        );
    }

    /// Takes over what the cache of renders has counted so far.
    pub(crate) fn note_answers(&self, counts: Counts) {
        let Counts { rendered, remembered, loaded, paused } = counts;
        for (from, count) in
            [("rendering", rendered), ("memory", remembered), ("store", loaded), ("failure", paused)]
        {
            let counter = self.render_answers.get_or_create(&AnswerLabel { from });
            // Its readers see no older number: it is written by one task.
            counter.inner().store(count, Ordering::Relaxed);
        }
    }
}
