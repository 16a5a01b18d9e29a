//! Selectors and names against apimachinery.

#![allow(clippy::unwrap_used, reason = "tests")]

mod recorded;

use recorded::{Report, cases};
use windlass_kube::selector::{FieldSelector, LabelSelector};
use windlass_kube::{Map, Value, validation, value};

#[test]
fn selectors_are_those_of_apimachinery() {
    let label_sets = [
        Value::object(),
        value!({"a": "1"}),
        value!({"a": "2", "b": "x"}),
        value!({"x": "in", "y": ""}),
        value!({"a": "10", "example.com/k": "v"}),
        value!({"in": "notin"}),
    ];
    let field_sets = [
        Value::object(),
        value!({"metadata.name": "a"}),
        value!({"metadata.name": "b,c=d\\e", "spec.nodeName": "n"}),
        value!({"status.phase": "Running", "metadata.name": ""}),
    ];
    let mut report = Report::default();
    for case in cases("selectors.jsonl") {
        let of = || format!("{case:?}");
        let (ours, matches) = if let Some(text) = case.str_at(&["field"]) {
            let parsed = text.parse::<FieldSelector>();
            let matches = parsed.as_ref().ok().map(|selector| {
                field_sets
                    .iter()
                    .map(|set| Value::from(selector.matches_with(|field| set.str_at(&[field]))))
                    .collect()
            });
            (parsed.map(|selector| selector.to_string()), matches)
        } else {
            let parsed = match case.str_at(&["label"]) {
                Some(text) => text.parse::<LabelSelector>(),
                None => LabelSelector::from_object(case.get("object")),
            };
            let matches = parsed.as_ref().ok().map(|selector| {
                label_sets.iter().map(|set| Value::from(selector.matches(set.as_object()))).collect()
            });
            (parsed.map(|selector| selector.to_string()), matches)
        };
        let matches: Option<Vec<Value>> = matches;
        let ours = ours.map_err(|why| why.to_string());
        match case.str_at(&["error"]) {
            Some(error) => report.check(of, &ours, &Err(error.to_owned())),
            None => {
                report.check(of, &ours, &Ok(case.str_at(&["printed"]).unwrap().to_owned()));
                report.check(of, &matches.map(Value::from), &case.get("matches").cloned());
            }
        }
    }
    report.finish(190);
}

#[test]
fn names_are_validated_in_the_servers_words() {
    let mut report = Report::default();
    let strings = |value: &Value| {
        value.as_array().unwrap().iter().map(|item| item.as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    let printed =
        |errors: Vec<validation::Invalid>| errors.iter().map(ToString::to_string).collect::<Vec<_>>();
    for case in cases("names.jsonl") {
        if let Some(text) = case.str_at(&["text"]) {
            let ours = [
                ("dns1123_label", validation::dns1123_label(text)),
                ("dns1123_subdomain", validation::dns1123_subdomain(text)),
                ("dns1035_label", validation::dns1035_label(text)),
                ("label_key", validation::label_key(text)),
                ("label_value", validation::label_value(text)),
                ("path_segment", validation::path_segment_name(text)),
            ];
            for (name, ours) in ours {
                report.check(|| format!("{name} {text:?}"), &ours, &strings(case.get(name).unwrap()));
            }
        } else if let Some(len) = case.int_at(&["long"]) {
            let map: Map = [("a", "v".repeat(usize::try_from(len).unwrap()))].into_iter().collect();
            let ours = printed(validation::annotations(&map, "metadata.annotations"));
            report.check(|| "size".into(), &ours, &strings(case.get("annotation_errors").unwrap()));
        } else {
            let map = case.get("map").unwrap().as_object().unwrap();
            let ours = printed(validation::labels(map, "metadata.labels"));
            report.check(|| format!("{case:?}"), &ours, &strings(case.get("label_errors").unwrap()));
            let ours = printed(validation::annotations(map, "metadata.annotations"));
            report.check(|| format!("{case:?}"), &ours, &strings(case.get("annotation_errors").unwrap()));
        }
    }
    report.finish(200);
}
