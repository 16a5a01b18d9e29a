//! The table of figures and ratios, for people and as JSON.

use std::time::{Duration, Instant};

use anyhow::Result;
use serde::Serialize;

use crate::machine::{Machine, load};

/// Everything that one run measured.
#[derive(Debug, Serialize)]
pub(crate) struct Report {
    pub(crate) machine: Machine,
    load_after: String,
    /// What was measured, in which versions.
    pub(crate) versions: Vec<String>,
    pub(crate) sections: Vec<Section>,
}

/// What was measured in one place.
#[derive(Debug, Serialize)]
pub(crate) struct Section {
    title: String,
    rows: Vec<Row>,
}

/// One figure.
#[derive(Debug, Default, Serialize)]
pub(crate) struct Row {
    what: String,
    figure: String,
    /// In the base unit: seconds, bytes, a share, a count a second.
    value: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    ratio: Option<f64>,
    #[serde(skip_serializing_if = "String::is_empty")]
    target: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    note: String,
}

impl Row {
    /// A time.
    pub(crate) fn time(what: impl Into<String>, time: Duration) -> Self {
        Self { what: what.into(), figure: duration(time), value: time.as_secs_f64(), ..Self::default() }
    }

    /// An amount of memory, given in KiB.
    pub(crate) fn memory(what: impl Into<String>, kib: u64) -> Self {
        #[expect(clippy::cast_precision_loss, reason = "memory has fewer digits than a float")]
        let bytes = (kib * 1024) as f64;
        let figure = format!("{:.1} MB", bytes / 1e6);
        Self { what: what.into(), figure, value: bytes, ..Self::default() }
    }

    /// Any other figure, as it is to be shown.
    pub(crate) fn figure(what: impl Into<String>, value: f64, figure: impl Into<String>) -> Self {
        Self { what: what.into(), figure: figure.into(), value, ..Self::default() }
    }

    /// How many times `base` this is.
    pub(crate) fn ratio_to(mut self, base: Duration) -> Self {
        self.ratio = Some(self.value / base.as_secs_f64());
        self
    }

    /// A ratio that was worked out elsewhere.
    pub(crate) fn times(mut self, ratio: f64) -> Self {
        self.ratio = Some(ratio);
        self
    }

    /// What we hold ourselves to.
    pub(crate) fn target(mut self, target: impl Into<String>) -> Self {
        self.target = target.into();
        self
    }

    /// What a reader should know beside it.
    pub(crate) fn note(mut self, note: impl Into<String>) -> Self {
        self.note = note.into();
        self
    }
}

impl Report {
    /// An empty report.
    pub(crate) fn new(machine: &Machine) -> Self {
        let versions = vec![format!("bench built with optimization: {}", !cfg!(debug_assertions))];
        Self { machine: machine.clone(), load_after: String::new(), versions, sections: Vec::new() }
    }

    /// Adds what was measured, and says so to whoever waits.
    pub(crate) fn add(&mut self, title: impl Into<String>, rows: Vec<Row>) {
        let section = Section { title: title.into(), rows };
        eprintln!("{}", section.to_markdown());
        self.sections.push(section);
    }

    /// Notes how busy the machine was at the end.
    pub(crate) fn finish(&mut self) {
        self.load_after = load();
    }

    /// The whole report as Markdown.
    pub(crate) fn to_markdown(&self) -> String {
        let Machine { cores, processor, memory_mib, kernel, load_before } = &self.machine;
        let mut text = format!(
            "{cores} cores of {processor}, {memory_mib} MiB, Linux {kernel}; load averages before {load_before}, \
             after {}\n\n",
            self.load_after
        );
        for version in &self.versions {
            text.push_str(&format!("- {version}\n"));
        }
        for section in &self.sections {
            text.push('\n');
            text.push_str(&section.to_markdown());
        }
        text
    }
}

impl Section {
    fn to_markdown(&self) -> String {
        let mut text = format!("### {}\n\n| what | figure | ratio | target | remarks |\n", self.title);
        text.push_str("|---|--:|--:|---|---|\n");
        for Row { what, figure, ratio, target, note, .. } in &self.rows {
            let ratio = ratio.map(|ratio| format!("{ratio:.2} ×")).unwrap_or_default();
            text.push_str(&format!("| {what} | {figure} | {ratio} | {target} | {note} |\n"));
        }
        text
    }
}

/// A time in the unit that suits it.
pub(crate) fn duration(time: Duration) -> String {
    let seconds = time.as_secs_f64();
    if seconds >= 1.0 {
        format!("{seconds:.2} s")
    } else if seconds >= 1e-3 {
        format!("{:.1} ms", seconds * 1e3)
    } else {
        format!("{:.1} µs", seconds * 1e6)
    }
}

/// The middle one; the upper of two middles.
pub(crate) fn median(mut times: Vec<Duration>) -> Duration {
    times.sort_unstable();
    times.get(times.len() / 2).copied().unwrap_or_default()
}

/// How often a piece of work is repeated; the middle one counts.
const REPEAT: usize = 5;

/// What a piece of work takes. One that takes longer than `long` is measured once.
pub(crate) fn repeated(long: Duration, mut work: impl FnMut() -> Result<()>) -> Result<Duration> {
    let mut times = Vec::new();
    for _ in 0..REPEAT {
        let begun = Instant::now();
        work()?;
        times.push(begun.elapsed());
        if times[0] > long {
            break;
        }
    }
    Ok(median(times))
}

/// A count among other figures.
#[expect(clippy::cast_precision_loss, reason = "small counts")]
pub(crate) fn float(count: usize) -> f64 {
    count as f64
}
