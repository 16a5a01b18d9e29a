//! Field sets against structured-merge-diff's own.

#![allow(clippy::unwrap_used, reason = "tests")]

mod recorded;

use proptest::prelude::*;
use recorded::{Report, cases};
use windlass_kube::fields::{FieldSet, PathElement, extract};
use windlass_kube::{Str, Value, value};

#[test]
fn set_operations_are_those_of_structured_merge_diff() {
    let mut report = Report::default();
    for case in cases("fields.jsonl") {
        let text = |key: &str| case.str_at(&[key]).unwrap_or_default().to_owned();
        if case.get("text").is_some() {
            let parsed = FieldSet::parse(&text("text"));
            match case.str_at(&["printed"]) {
                Some(printed) => {
                    report.check(|| text("text"), &parsed.map(|set| set.to_json()), &Ok(printed.to_owned()));
                }
                None => report.check(|| text("text"), &parsed.is_err(), &true),
            }
            continue;
        }
        let (a, b) = (FieldSet::parse(&text("a")).unwrap(), FieldSet::parse(&text("b")).unwrap());
        let operations = [
            ("a", a.clone()),
            ("union", a.union(&b)),
            ("intersection", a.intersection(&b)),
            ("difference", a.difference(&b)),
            ("recursive_difference", a.recursive_difference(&b)),
            ("leaves", a.leaves()),
        ];
        for (name, ours) in operations {
            report.check(
                || format!("{name} of {} and {}", text("a"), text("b")),
                &ours.to_json(),
                &text(name),
            );
            let through_value = FieldSet::from_value(&ours.to_value()).unwrap();
            report.check(|| format!("{name} through a value"), &through_value, &ours);
        }
        report.check(|| text("a"), &a.to_string(), &text("paths"));
        report.check(|| text("a"), &i64::try_from(a.len()).unwrap(), &case.int_at(&["size"]).unwrap());
    }
    report.finish(1000);
}

#[test]
fn extract_takes_what_is_owned_in_live_order() {
    let live = value!({
        "metadata": {"labels": {"a": "1", "b": "2"}, "annotations": {"x": "y"}, "finalizers": ["p", "q", "r"]},
        "spec": {
            "containers": [
                {"name": "z", "image": "i", "ports": [{"containerPort": 80, "protocol": "TCP", "name": "web"}]},
                {"name": "a", "image": "j", "args": ["1", "2"]}
            ],
            "list": [10, 20, 30], "empty": (Value::object()), "null": (Value::Null)
        }
    });
    let cases = [
        (r#"{"f:metadata":{"f:labels":{"f:a":{}}}}"#, value!({"metadata": {"labels": {"a": "1"}}})),
        (r#"{"f:metadata":{"f:labels":{}}}"#, value!({"metadata": {"labels": {"a": "1", "b": "2"}}})),
        (
            r#"{"f:metadata":{"f:labels":{".":{},"f:gone":{}}}}"#,
            value!({"metadata": {"labels": (Value::object())}}),
        ),
        (r#"{"f:metadata":{"f:labels":{"f:gone":{}}}}"#, Value::object()),
        (
            r#"{"f:metadata":{"f:finalizers":{"v:\"r\"":{},"v:\"p\"":{},"v:\"no\"":{}}}}"#,
            value!({"metadata": {"finalizers": ["p", "r"]}}),
        ),
        (
            r#"{"f:spec":{"f:containers":{"k:{\"name\":\"a\"}":{".":{},"f:image":{},"f:name":{}},"k:{\"name\":\"z\"}":{"f:image":{}}}}}"#,
            value!({"spec": {"containers": [{"name": "z", "image": "i"}, {"name": "a", "image": "j"}]}}),
        ),
        (
            r#"{"f:spec":{"f:containers":{"k:{\"name\":\"z\"}":{"f:ports":{"k:{\"containerPort\":80,\"protocol\":\"TCP\"}":{".":{},"f:containerPort":{}}}}}}}"#,
            value!({"spec": {"containers": [{"name": "z", "ports": [{"containerPort": 80, "protocol": "TCP"}]}]}}),
        ),
        (r#"{"f:spec":{"f:list":{"i:2":{},"i:0":{}}}}"#, value!({"spec": {"list": [10, 30]}})),
        (
            r#"{"f:spec":{"f:empty":{},"f:null":{},"f:absent":{}}}"#,
            value!({"spec": {"empty": (Value::object()), "null": (Value::Null)}}),
        ),
        (r#"{"f:spec":{"f:null":{"f:x":{}}}}"#, Value::object()),
    ];
    for (set, expected) in cases {
        assert_eq!(extract(&live, &FieldSet::parse(set).unwrap()), expected, "{set}");
    }
}

fn element() -> impl Strategy<Value = PathElement> {
    prop_oneof![
        "[a-c]".prop_map(PathElement::field),
        (0..3_i64).prop_map(PathElement::Index),
        prop_oneof![(0..3_i64).prop_map(Value::from), "[a-b]".prop_map(Value::from)]
            .prop_map(PathElement::Value),
        ("[a-b]", 0..2_i64).prop_map(|(name, id)| PathElement::key([
            (Str::new_static("name"), Value::from(name)),
            (Str::new_static("id"), Value::from(id)),
        ])),
    ]
}

fn set() -> impl Strategy<Value = FieldSet> {
    prop::collection::vec(prop::collection::vec(element(), 1..4), 0..10)
        .prop_map(|paths| paths.into_iter().collect())
}

proptest! {
    #[test]
    fn laws_of_sets_hold(a in set(), b in set(), c in set()) {
        prop_assert_eq!(a.union(&b), b.union(&a));
        prop_assert_eq!(a.intersection(&b), b.intersection(&a));
        prop_assert_eq!(a.union(&b).union(&c), a.union(&b.union(&c)));
        prop_assert_eq!(a.intersection(&b.union(&c)), a.intersection(&b).union(&a.intersection(&c)));
        prop_assert_eq!(&a.difference(&b).union(&a.intersection(&b)), &a);
        prop_assert!(a.difference(&b).intersection(&b).is_empty());
        prop_assert!(a.difference(&a).is_empty());
        prop_assert_eq!(a.union(&b).len() + a.intersection(&b).len(), a.len() + b.len());
        prop_assert!(a.recursive_difference(&b).difference(&a.difference(&b)).is_empty());
        prop_assert!(a.leaves().difference(&a).is_empty());
        for path in a.paths() {
            prop_assert!(a.contains(&path));
            prop_assert_eq!(a.union(&b).contains(&path), true);
            prop_assert_eq!(a.difference(&b).contains(&path), !b.contains(&path));
        }
    }

    #[test]
    fn sets_survive_printing(a in set()) {
        prop_assert_eq!(&FieldSet::parse(&a.to_json()).unwrap(), &a);
        prop_assert_eq!(FieldSet::from_value(&a.to_value()).unwrap(), a);
    }
}
