//! How long a start takes with nothing and with much stored, and what stored objects take of memory.

use std::time::{Duration, Instant};

use anyhow::Result;

use super::{Subject, namespace, rate};
use crate::arguments::Arguments;
use crate::client::{Api, Call};
use crate::figures::{Row, float};
use crate::server::Place;
use crate::usage::memory;
use crate::windlass::{Mode, Windlass};
use crate::workload::{config_map, config_maps, name};

const NAMESPACE: &str = "stored";

/// How many requests are made beforehand at once: all of them would take a gigabyte.
const BATCH: usize = 10_000;

/// What starting takes.
#[derive(Debug, Default)]
pub(super) struct Start {
    pub(super) empty: Option<Duration>,
    pub(super) at_rest_kib: u64,
    n_stored: usize,
    filled_a_second: f64,
    filled_kib: u64,
    restart: Option<Duration>,
    restarted_kib: u64,
    file_bytes: u64,
}

/// The resident memory of a server, in KiB; 0 where it is several processes.
pub(super) fn resident(subject: &Subject) -> u64 {
    match subject {
        Subject::Embedded(windlass) => memory(windlass.id()).resident,
        Subject::Real(_) => 0,
    }
}

/// Fills the server, and starts it again where it keeps what it has.
pub(super) async fn measure(
    subject: Subject,
    api: &Api,
    place: Option<&Place>,
    arguments: &Arguments,
    start: &mut Start,
) -> Result<()> {
    namespace(api, NAMESPACE).await?;
    let path = config_maps(NAMESPACE);
    let mut pool = api.pool().await?;
    let mut filling = Duration::ZERO;
    for begin in (0..arguments.n_stored).step_by(BATCH) {
        let calls = (begin..(begin + BATCH).min(arguments.n_stored)).map(|idx| {
            vec![Call::apply(&format!("{path}/{}", name(idx)), &config_map(idx, 0, NAMESPACE, "1"))]
        });
        filling += pool.run(calls.collect()).await?;
    }
    drop(pool);
    start.n_stored = arguments.n_stored;
    start.filled_a_second = rate(arguments.n_stored, filling);
    start.filled_kib = resident(&subject);
    match (subject, place) {
        (Subject::Embedded(windlass), Some(place)) if arguments.on_disk => {
            let folder = windlass.kubeconfig.parent().map(std::path::Path::to_owned).unwrap_or_default();
            let kubeconfig = windlass.kubeconfig.clone();
            windlass.stop()?;
            let store = folder.join("data/api/store.db");
            start.file_bytes = std::fs::metadata(store).map_or(0, |file| file.len());
            // It is written when the API answers.
            std::fs::remove_file(kubeconfig)?;
            let mut again = Windlass::start(&place.binary, &Mode::ApiOnly { in_memory: false }, &folder)?;
            let took = again.api_ready().await?;
            let api = Api::from_kubeconfig(&again.kubeconfig)?;
            api.once(&Call::get(&format!("{path}/{}", name(arguments.n_stored - 1)))).await?;
            start.restart = Some(took);
            start.restarted_kib = memory(again.id()).resident;
            again.stop()?;
        }
        (Subject::Real(cluster), _) => {
            cluster.kill_apiserver().await;
            let begun = Instant::now();
            cluster.start_apiserver().await?;
            api.once(&Call::get(&format!("{path}/{}", name(arguments.n_stored - 1)))).await?;
            start.restart = Some(begun.elapsed());
        }
        _ => {}
    }
    Ok(())
}

impl Start {
    pub(super) fn rows(&self) -> Vec<Row> {
        let mut rows = Vec::new();
        if let Some(empty) = self.empty {
            rows.push(Row::time("start until the API answers, empty", empty).target("≤ 100 ms"));
        }
        if let Some(restart) = self.restart {
            let what = format!("start until the API answers, {} objects stored", self.n_stored);
            let row = Row::time(what, restart).target("≤ 2 s with 100,000");
            rows.push(row.note(format!("stored at {:.0} a second", self.filled_a_second)));
        }
        let more = |kib: u64| {
            let bytes = kib.saturating_sub(self.at_rest_kib) * 1024;
            bytes / u64::try_from(self.n_stored.max(1)).unwrap_or(1)
        };
        if self.filled_kib > 0 {
            let note = format!(
                "{} bytes an object more than empty, with the history of all that was measured",
                more(self.filled_kib)
            );
            rows.push(Row::memory("resident memory, filled", self.filled_kib).note(note));
        }
        if self.restarted_kib > 0 {
            let note = format!("{} bytes an object more than empty", more(self.restarted_kib));
            rows.push(Row::memory("resident memory after the start", self.restarted_kib).note(note));
        }
        if self.file_bytes > 0 {
            let count = usize::try_from(self.file_bytes).unwrap_or(usize::MAX);
            let each = count / self.n_stored.max(1);
            let row = Row::figure("the file", float(count), format!("{:.1} MB", float(count) / 1e6));
            rows.push(row.note(format!("{each} bytes an object")));
        }
        rows
    }
}
