//! Measures server-side applies: `applies [COUNT] [DIRECTORY]`, in process, 16 at a time.
//!
//! Prints how many ConfigMaps a second are created by apply, changed by apply, and applied without change.

use std::io::Write;
use std::path::Path;
use std::time::Instant;

use windlass_apiserver::store::Store;
use windlass_apiserver::{Api, Gvr, Patch, WriteOptions};
use windlass_kube::value;

/// How many applies are under way at once, as in the benchmark's bare client.
const TASKS: usize = 16;

async fn round(api: &Api, count: usize, data: &'static str) -> f64 {
    let begun = Instant::now();
    let tasks: Vec<_> = (0..TASKS)
        .map(|task| {
            let api = api.clone();
            tokio::spawn(async move {
                let gvr = Gvr::new("", "v1", "configmaps");
                let options = WriteOptions::default().manager("argocd-controller");
                for n in (task..count).step_by(TASKS) {
                    let name = format!("config-{n}");
                    let config = value!({
                        "apiVersion": "v1", "kind": "ConfigMap",
                        "metadata": {"name": (name.as_str()), "labels": {"app.kubernetes.io/instance": (name.as_str())}},
                        "data": {"key": data, "other": "value"}
                    });
                    let applied = api.patch(&gvr, "default", &name, Patch::Apply(config), &options).await;
                    applied.expect("a valid apply succeeds");
                }
            })
        })
        .collect();
    for task in tasks {
        task.await.expect("the task does not panic");
    }
    #[expect(clippy::cast_precision_loss, reason = "a rate to be read by people")]
    let rate = count as f64 / begun.elapsed().as_secs_f64();
    rate
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let count = arguments.next().map_or(Ok(2000), |count| count.parse())?;
    let store = match arguments.next() {
        Some(directory) => Store::open(&Path::new(&directory).join("store.db"))?,
        None => Store::in_memory(),
    };
    let begun = Instant::now();
    let api = Api::start(store).await?;
    let mut out = std::io::stdout();
    writeln!(out, "start        {:>8.1} ms", begun.elapsed().as_secs_f64() * 1000.0)?;
    for (what, data) in [("create", "1"), ("change", "2"), ("no change", "2")] {
        writeln!(out, "{what:<12} {:>8.0} applies/s", round(&api, count, data).await)?;
    }
    api.store().close().await;
    Ok(())
}
