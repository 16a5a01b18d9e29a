//! Single operations that run on every event, file or request, in process.

use std::hint::black_box;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use windlass_kube::fields::extract_owned;
use windlass_kube::merge::{Request, apply};
use windlass_kube::schema::Types;
use windlass_kube::{Object, Value, merge_patch};

use crate::figures::{Report, Row, median};

/// Rounds of which the middle one counts.
const ROUNDS: usize = 15;

/// A round is long enough for the clock.
const ROUND: Duration = Duration::from_millis(20);

/// Measures all of them.
pub(crate) fn run(report: &mut Report) -> Result<()> {
    let scenarios = recorded("apply.jsonl")?;
    let types = recorded("schema.jsonl")?;
    let types = Types::from_openapi(types.first().context("no schema was recorded")?)?;
    let (live, config, manager) = largest_deployment(&scenarios)?;
    let deployment = types.get(&live.gvk()).context("the schema knows no Deployment")?;
    let request = Request {
        manager: &manager,
        object_type: &deployment,
        subresource: "",
        now: "2026-01-01T00:00:00Z",
        ignored: None,
    };
    let mut changed = config.clone();
    changed.set_at(&["spec", "replicas"], 7_i64);
    let json = serde_json::to_vec(live.as_map())?;
    let live_value = live.to_value();
    let patch = merge_patch::diff(&config.to_value(), &changed.to_value());
    let size = format!("a Deployment of {} bytes", json.len());
    let mut rows = vec![
        Row::time("parse an object's JSON", time(|| serde_json::from_slice::<Value>(&json))).note(&size),
        Row::time(
            "digest on arrival: owned fields, digest, health, images",
            time(|| digest(&live, &manager)),
        )
        .note(&size),
        Row::time(
            "server-side apply, one field changes",
            time(|| apply(Some(&live), &changed, &request, true)),
        )
        .note(&size),
        Row::time("server-side apply, nothing changes", time(|| apply(Some(&live), &config, &request, true)))
            .note(&size),
        Row::time("merge patch, one field", time(|| merge_patch::apply(&live_value, &patch))).note(&size),
    ];
    let (n_documents, text) = yaml_documents(&scenarios);
    let took = time(|| windlass_yaml::load_all(&text, &windlass_yaml::LoadOptions::default()));
    rows.push(rate("load YAML", text.len(), took, n_documents));
    let loaded = windlass_yaml::load_all(&text, &windlass_yaml::LoadOptions::default())?;
    let took =
        time(|| loaded.iter().map(|document| windlass_yaml::to_yaml(&document.value).len()).sum::<usize>());
    rows.push(rate("print YAML", text.len(), took, n_documents));
    report.add("single operations", rows);
    Ok(())
}

/// The parts that an object is reduced to when a watch brings it.
fn digest(object: &Object, manager: &str) -> usize {
    let owned = extract_owned(object, manager).and_then(|mut owned| {
        let map = owned.as_object_mut()?;
        map.insert("apiVersion", "v1");
        map.insert("kind", "Owned");
        Object::try_new(owned).ok()
    });
    let digest =
        owned.map(|owned| windlass_model::Digest::of_value(&windlass_plan::owned_form(&owned, false)));
    black_box(digest);
    black_box(windlass_assess::health(object));
    windlass_assess::images(object).len()
}

#[expect(clippy::cast_precision_loss, reason = "sizes of test data")]
fn rate(what: &str, n_bytes: usize, took: Duration, n_documents: usize) -> Row {
    let rate = n_bytes as f64 / took.as_secs_f64();
    Row::figure(what, rate, format!("{:.0} MB/s", rate / 1e6))
        .note(format!("{n_documents} documents of {n_bytes} bytes together"))
}

/// How long one call takes.
fn time<T>(mut work: impl FnMut() -> T) -> Duration {
    let begun = Instant::now();
    black_box(work());
    let once = begun.elapsed().max(Duration::from_nanos(20));
    let n_calls = u32::try_from(ROUND.as_nanos() / once.as_nanos()).unwrap_or(1).max(1);
    let rounds = (0..ROUNDS).map(|_| {
        let begun = Instant::now();
        for _ in 0..n_calls {
            black_box(work());
        }
        begun.elapsed() / n_calls
    });
    median(rounds.collect())
}

/// The objects that a real kube-apiserver was asked to apply, with its answers.
fn recorded(name: &str) -> Result<Vec<Value>> {
    let path: PathBuf =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../crates/windlass-kube/tests/data").join(name);
    let text = std::fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
    text.lines().map(|line| Ok(serde_json::from_str(line)?)).collect()
}

fn steps(scenarios: &[Value]) -> impl Iterator<Item = (&Value, Object, Object)> {
    scenarios.iter().flat_map(|scenario| scenario.items_at(&["steps"])).filter_map(|step| {
        let object = |key: &str| Object::try_new(step.get(key)?.clone()).ok();
        let is_apply = step.str_at(&["verb"]) == Some("apply");
        is_apply.then_some(())?;
        Some((step, object("response")?, object("request")?))
    })
}

fn largest_deployment(scenarios: &[Value]) -> Result<(Object, Object, String)> {
    let deployments = steps(scenarios).filter(|(_, live, _)| live.kind() == "Deployment");
    let (step, live, config) = deployments
        .max_by_key(|(_, live, _)| serde_json::to_vec(live.as_map()).map_or(0, |json| json.len()))
        .context("no Deployment was recorded")?;
    Ok((live, config, step.str_at(&["manager"]).unwrap_or_default().to_owned()))
}

/// All recorded objects as one stream of YAML.
fn yaml_documents(scenarios: &[Value]) -> (usize, String) {
    let documents: Vec<String> =
        steps(scenarios).map(|(_, live, _)| windlass_yaml::to_yaml(&live.to_value())).collect();
    (documents.len(), documents.join("---\n"))
}
