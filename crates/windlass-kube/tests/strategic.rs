//! Strategic merge patches against apimachinery.

#![allow(clippy::unwrap_used, reason = "tests")]

mod recorded;

use recorded::{Report, cases, lines};
use windlass_kube::schema::Types;
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
