//! How long the operations take that run on every event or request: `cargo bench -p windlass-kube`.
//!
//! Works on the largest recorded Deployment; prints the median of several rounds.

#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "a benchmark prints, and fails loudly")]

use std::hint::black_box;
use std::time::Instant;

use windlass_kube::fields::{FieldSet, Operation, extract, extract_owned, owned_by};
use windlass_kube::merge::{Request, apply, fields_of, update, validate};
use windlass_kube::schema::Types;
use windlass_kube::selector::LabelSelector;
use windlass_kube::{Object, Value, merge_patch, strategic, value};

const ROUNDS: usize = 15;
const REPEATS: u32 = 400;

fn main() {
    let data = |name: &str| {
        let path = format!("{}/tests/data/{name}", env!("CARGO_MANIFEST_DIR"));
        let text = std::fs::read_to_string(path).unwrap();
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect::<Vec<Value>>()
    };
    let types = Types::from_openapi(&data("schema.jsonl")[0]).unwrap();
    let scenarios = data("apply.jsonl");
    let deployments = scenarios.iter().filter(|scenario| scenario.str_at(&["kind"]) == Some("Deployment"));
    let applied = deployments
        .flat_map(|scenario| scenario.items_at(&["steps"]))
        .filter(|step| step.str_at(&["verb"]) == Some("apply") && step.get("response").is_some());
    let step = applied.max_by_key(|step| format!("{step:?}").len()).unwrap();
    let live = Object::try_new(step.get("response").unwrap().clone()).unwrap();
    let config = Object::try_new(step.get("request").unwrap().clone()).unwrap();
    let manager = step.str_at(&["manager"]).unwrap();
    let deployment = types.get(&live.gvk()).unwrap();
    let request = Request {
        manager,
        object_type: &deployment,
        subresource: "",
        now: "2026-01-01T00:00:00Z",
        ignored: None,
    };
    let mut changed = config.clone();
    changed.set_at(&["spec", "replicas"], 7_i64);
    let mut smaller = config.clone();
    smaller.remove_at(&["spec", "replicas"]);
    let mut updated = live.clone();
    updated.set_at(&["metadata", "labels", "new"], "label");
    let owned = owned_by(&live, manager, Operation::Apply).unwrap();
    let live_value = live.to_value();
    let fields_v1 = owned.to_json();
    let patch = value!({"metadata": {"labels": {"a": "b"}}, "spec": {"replicas": 3}});
    let selector: LabelSelector = "app=a,tier in (x,y),!gone".parse().unwrap();

    println!(
        "live object: {} bytes of JSON, {} fields owned",
        serde_json::to_string(live.as_map()).unwrap().len(),
        owned.len()
    );
    time("apply, nothing changes", || drop(black_box(apply(Some(&live), &config, &request, true))));
    time("apply, one field changes", || drop(black_box(apply(Some(&live), &changed, &request, true))));
    time("apply, one field is removed", || drop(black_box(apply(Some(&live), &smaller, &request, true))));
    time("apply, creates", || drop(black_box(apply(None, &config, &request, false))));
    time("update, one label", || drop(black_box(update(Some(&live), &updated, &request))));
    time("update, creates", || drop(black_box(update(None, &config, &request))));
    time("extract, set at hand", || drop(black_box(extract(&live_value, &owned))));
    time("extract by manager", || drop(black_box(extract_owned(&live, manager))));
    time("fieldsV1, parse", || drop(black_box(FieldSet::parse(&fields_v1))));
    let fields_value = owned.to_value();
    time("fieldsV1, read", || drop(black_box(FieldSet::from_value(&fields_value))));
    time("fieldsV1, as a value", || drop(black_box(owned.to_value())));
    time("validate", || drop(black_box(validate(&deployment, &config))));
    time("fields of a configuration", || drop(black_box(fields_of(&deployment, &config))));
    time("fieldsV1, print", || drop(black_box(owned.to_json())));
    time("merge patch", || drop(black_box(merge_patch::apply(&live_value, &patch))));
    time("strategic patch", || drop(black_box(strategic::apply(&deployment, &live_value, &patch))));
    time("label selector", || assert!(!black_box(selector.matches_object(&live))));
}

fn time(name: &str, mut work: impl FnMut()) {
    let mut rounds: Vec<u128> = (0..ROUNDS)
        .map(|_| {
            let start = Instant::now();
            (0..REPEATS).for_each(|_| work());
            start.elapsed().as_nanos() / u128::from(REPEATS)
        })
        .collect();
    rounds.sort_unstable();
    println!("{name:<30} {:>8} ns", rounds[ROUNDS / 2]);
}
