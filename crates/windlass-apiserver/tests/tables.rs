//! Rows of `kubectl get` equal those of kube-apiserver 1.36.3.

use std::time::{Duration, SystemTime};

use windlass_apiserver::tables::{columns, human_duration, row};
use windlass_kube::{Gvk, Value};

#[test]
fn rows_are_those_of_the_real_server() {
    let mut kinds = std::collections::BTreeSet::new();
    let mut report = Vec::new();
    for line in include_str!("data/tables/recorded.jsonl").lines().skip(1) {
        let case: Value = serde_json::from_str(line).expect("recorded JSON");
        let object = case.get("object").expect("object");
        let text = |key: &str| object.str_at(&[key]).expect("type of the object");
        let gvk = Gvk::from_api_version(text("apiVersion"), text("kind"));
        let now = u64::try_from(case.int_at(&["now"]).expect("now")).expect("after 1970");
        let ours = row(&gvk, object, SystemTime::UNIX_EPOCH + Duration::from_secs(now));
        let name = object.str_at(&["metadata", "name"]).unwrap_or_default();
        let (cells, conditions) =
            (case.items_at(&["cells"]), case.get("conditions").filter(|c| !c.is_null()));
        if ours.cells != cells || ours.conditions.as_ref() != conditions {
            report
                .push(format!("{gvk} {name}\n  ours   {:?}\n  theirs {cells:?} {conditions:?}", ours.cells));
        }
        assert_eq!(columns(&gvk).len(), cells.len(), "{gvk}");
        kinds.insert(gvk.to_string());
    }
    assert!(report.is_empty(), "{} rows differ:\n{}", report.len(), report.join("\n"));
    assert!(kinds.len() >= 35, "only {} kinds", kinds.len());
}

#[test]
fn durations_have_two_or_three_figures() {
    // Printed by duration.HumanDuration of apimachinery v0.36.3.
    let (minute, hour, day) = (60, 3600, 86_400);
    let year = 365 * day;
    for (seconds, text) in [
        (-2, "<invalid>"),
        (-1, "0s"),
        (0, "0s"),
        (119, "119s"),
        (2 * minute, "2m"),
        (2 * minute + 1, "2m1s"),
        (10 * minute, "10m"),
        (3 * hour - 1, "179m"),
        (3 * hour, "3h"),
        (3 * hour + 5 * minute, "3h5m"),
        (8 * hour - 1, "7h59m"),
        (47 * hour, "47h"),
        (2 * day + hour, "2d1h"),
        (8 * day, "8d"),
        (2 * year - 1, "729d"),
        (2 * year, "2y"),
        (2 * year + day, "2y1d"),
        (8 * year, "8y"),
    ] {
        assert_eq!(human_duration(seconds), text, "{seconds}");
    }
}
