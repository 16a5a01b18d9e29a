//! JSON patches and merge patches against evanphx/json-patch.

#![allow(clippy::unwrap_used, reason = "tests")]

mod recorded;

use proptest::prelude::*;
use recorded::{Report, cases};
use windlass_kube::{Map, Str, Value, json_patch, merge_patch, value};

#[test]
fn json_patches_apply_as_the_server_applies_them() {
    let mut report = Report::default();
    for case in cases("json-patch.jsonl") {
        let (document, patch) = (case.get("document").unwrap(), case.get("patch").unwrap());
        let ours = json_patch::apply(document, patch).map_err(|why| why.to_string());
        let expected = match case.str_at(&["error"]) {
            Some(error) => Err(error.to_owned()),
            None => Ok(case.get("result").unwrap().clone()),
        };
        report.check(|| format!("{patch:?}"), &ours, &expected);
    }
    report.finish(150);
}

#[test]
fn limits_of_json_patches_name_themselves() {
    let operation = value!({"op": "add", "path": "/a", "value": 1});
    let patch = Value::from(vec![operation; json_patch::MAX_OPERATIONS + 1]);
    let refused = json_patch::apply(&Value::object(), &patch).unwrap_err();
    assert_eq!(refused.to_string(), "The allowed maximum operations in a JSON patch is 10000, got 10001");

    let document = value!({"a": ("x".repeat(1024 * 1024))});
    let copy = |to: &str| value!({"op": "copy", "from": "/a", "path": (to)});
    let patch = Value::from(vec![copy("/b"), copy("/c"), copy("/d")]);
    let refused = json_patch::apply(&document, &patch).unwrap_err();
    assert_eq!(
        refused.to_string(),
        "Unable to complete the copy, the accumulated size increase of copy is 3145734, exceeding the limit 3145728"
    );
}

#[test]
fn merge_patches_apply_as_the_server_applies_them() {
    let mut report = Report::default();
    for case in cases("merge-patch.jsonl") {
        if let Some(from) = case.get("from") {
            let to = case.get("to").unwrap();
            report.check(
                || format!("diff of {case:?}"),
                &merge_patch::diff(from, to),
                case.get("diff").unwrap(),
            );
        } else {
            let (document, patch) = (case.get("document").unwrap(), case.get("patch").unwrap());
            let ours = merge_patch::apply(document, patch);
            report.check(|| format!("{case:?}"), &ours, case.get("result").unwrap());
        }
    }
    report.finish(300);
}

fn document() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        any::<bool>().prop_map(Value::from),
        (0..3_i64).prop_map(Value::from),
        "[a-c]".prop_map(Value::from)
    ];
    leaf.prop_recursive(4, 32, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..3).prop_map(Value::from),
            prop::collection::vec(("[a-d]", inner), 0..4).prop_map(|members| {
                Value::from(
                    members.into_iter().map(|(name, value)| (Str::from(name), value)).collect::<Map>(),
                )
            }),
        ]
    })
}

proptest! {
    #[test]
    fn a_diff_leads_from_one_document_to_the_other(from in document(), to in document()) {
        let patch = merge_patch::diff(&from, &to);
        prop_assert_eq!(&merge_patch::apply(&from, &patch), &to);
        prop_assert_eq!(&merge_patch::apply(&to, &patch), &to);
    }
}
