//! Answers to custom resources that break their schema, against those recorded from kube-apiserver.

use windlass_kube::{Map, Object, Value, value};

use super::*;
use crate::status::Status;

fn data(name: &str) -> Value {
    let path = format!("{}/tests/data/{name}", env!("CARGO_MANIFEST_DIR"));
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}

/// The causes without their order: the server walks Go maps, whose order is random.
fn sorted_causes(status: &Value) -> Vec<String> {
    let mut causes: Vec<String> =
        status.items_at(&["details", "causes"]).iter().map(|cause| format!("{cause:?}")).collect();
    causes.sort();
    causes
}

#[test]
fn answers_as_the_server_does() {
    let definition = Object::try_new(data("custom-definition.json")).unwrap();
    let resource = resources(&definition).remove(0);
    let custom = resource.custom.unwrap();
    let answers = data("custom-answers.json");
    let mut wrong = Vec::new();
    for case in answers.items_at(&["cases"]) {
        let spec = case.get("spec").unwrap().clone();
        let strict = case.str_at(&["validation"]) == Some("Strict");
        let mut object = value!({"apiVersion": "example.com/v1", "kind": "Widget", "metadata": {"name": "w"}, "spec": spec});
        let unknown = custom.prune(&mut object);
        custom.default(&mut object);
        let causes = custom.validate_create(&Object::try_new(object.clone()).unwrap());
        let expected = case.get("answer").unwrap();
        let ours = if strict && !unknown.is_empty() {
            let fields: Vec<String> =
                unknown.iter().map(|field| format!("unknown field {field:?}")).collect();
            Status::bad_request(format!(
                "Widget in version \"v1\" cannot be handled as a Widget: strict decoding error: {}",
                fields.join(", ")
            ))
            .to_value()
        } else if causes.is_empty() {
            [("spec", object.get("spec").cloned().unwrap())].into_iter().collect::<Map>().into()
        } else {
            Status::invalid("example.com", "Widget", "w", causes).to_value()
        };
        let agrees = if sorted_causes(expected).len() > 1 {
            sorted_causes(&ours) == sorted_causes(expected) && ours.get("code") == expected.get("code")
        } else if strict && expected.int_at(&["code"]) == Some(400) {
            let words = |status: &Value| {
                let message = status.str_at(&["message"]).unwrap_or_default().to_owned();
                let mut words: Vec<String> = message
                    .split(", ")
                    .map(|word| word.rsplit(": ").next().unwrap_or_default().to_owned())
                    .collect();
                words.sort();
                words
            };
            words(&ours) == words(expected)
        } else {
            ours.get("spec") == expected.get("spec")
                && ours.get("message") == expected.get("message")
                && sorted_causes(&ours) == sorted_causes(expected)
        };
        if !agrees {
            wrong.push(format!("{:?}\n  ours     {ours:?}\n  expected {expected:?}", case.get("spec")));
        }
    }
    assert!(wrong.is_empty(), "{} differ:\n{}", wrong.len(), wrong.join("\n"));
}
