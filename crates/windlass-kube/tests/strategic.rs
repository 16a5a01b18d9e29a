//! Strategic merge patches against apimachinery.

#![allow(clippy::unwrap_used, reason = "tests")]

mod recorded;

use recorded::{Report, cases, lines};
use windlass_kube::schema::{ObjectType, Types};
use windlass_kube::{Gvk, strategic};

#[test]
fn strategic_patches_apply_as_the_server_applies_them() {
    let types = Types::from_openapi(&lines("schema.jsonl")[0]).unwrap();
    let types_of_v2 = Types::from_openapi(&lines("schema.jsonl")[1]).unwrap();
    let mut report = Report::default();
    for case in cases("strategic.jsonl") {
        let kind = case.str_at(&["kind"]).unwrap();
        let gvk = Gvk::from_api_version(if kind == "Deployment" { "apps/v1" } else { "v1" }, kind);
        for types in [&types, &types_of_v2] {
            let object_type = types.get(&gvk).unwrap();
            let ours =
                strategic::apply(&object_type, case.get("original").unwrap(), case.get("patch").unwrap());
            let expected = match case.str_at(&["error"]) {
                Some(error) => Err(error.to_owned()),
                None => Ok(case.get("result").unwrap().clone()),
            };
            report.check(|| format!("{case:?}"), &ours.map_err(|why| why.to_string()), &expected);
        }
    }
    report.finish(220);
}

#[test]
fn three_way_merges_give_what_kubectl_apply_gives() {
    let types = Types::from_openapi(&lines("schema.jsonl")[0]).unwrap();
    let mut report = Report::default();
    for case in cases("three-way.jsonl") {
        let kind = case.str_at(&["kind"]).unwrap();
        let gvk = Gvk::from_api_version(if kind == "Deployment" { "apps/v1" } else { "v1" }, kind);
        let object_type = types.get(&gvk).unwrap();
        let part = |name: &str| case.get(name).unwrap();
        let ours = strategic::three_way(&object_type, part("applied"), part("wanted"), part("live"));
        report.check(|| format!("{case:?}"), &ours, part("result"));
    }
    report.finish(150);
}

#[test]
fn without_a_type_maps_are_merged_and_lists_are_not() {
    let load = |text: &str| windlass_yaml::load(text).unwrap();
    let applied = load("{data: {a: '1', gone: '1'}, list: [1]}");
    let wanted = load("{data: {a: '2', new: '1'}, list: [1, 1]}");
    let live = load("{data: {a: '1', gone: '1', theirs: '1'}, list: [1], status: {x: 1}}");
    let expected = load("{data: {a: '2', new: '1', theirs: '1'}, list: [1, 1], status: {x: 1}}");
    let merged = strategic::three_way(&ObjectType::deduced(), &applied, &wanted, &live);
    assert_eq!(merged, expected);
    assert_eq!(strategic::three_way(&ObjectType::deduced(), &wanted, &wanted, &merged), merged);
}

#[test]
fn lists_that_name_an_item_twice_are_taken_as_a_whole() {
    let types = Types::from_openapi(&lines("schema.jsonl")[0]).unwrap();
    let object_type = types.get(&Gvk::from_api_version("v1", "Pod")).unwrap();
    let pod = |env: &str| {
        windlass_yaml::load(&format!("spec: {{containers: [{{name: a, env: {env}}}, {{name: b}}]}}")).unwrap()
    };
    let (applied, wanted) =
        (pod("[{name: X, value: '1'}]"), pod("[{name: X, value: '1'}, {name: X, value: '2'}]"));
    let live = pod("[{name: X, value: '0'}, {name: Y, value: '3'}]");
    assert_eq!(strategic::three_way(&object_type, &applied, &wanted, &live), wanted);
}
