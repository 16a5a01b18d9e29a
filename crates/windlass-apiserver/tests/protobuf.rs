//! Objects are written in protobuf byte for byte as Go's types of Kubernetes 1.36.3 write themselves, and read back
//! as they were.
//!
//! `data/protobuf.jsonl.gz` is made by `tools/oracle-apiserver-protobuf objects`: every kind that is served, empty,
//! with all its fields and with some of them.

#![expect(clippy::unwrap_used, reason = "tests stop at the first surprise")]

use std::io::Read;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use proptest::prelude::*;
use windlass_apiserver::protobuf::{decode, encode};
use windlass_kube::Value;

fn recorded() -> Vec<(Value, Vec<u8>)> {
    let mut text = String::new();
    flate2::read::GzDecoder::new(&include_bytes!("data/protobuf.jsonl.gz")[..])
        .read_to_string(&mut text)
        .unwrap();
    text.lines()
        .map(|line| {
            let line: Value = serde_json::from_str(line).unwrap();
            let bytes = STANDARD.decode(line.str_at(&["protobuf"]).unwrap()).unwrap();
            (line.get("object").unwrap().clone(), bytes)
        })
        .collect()
}

/// Without what is not set: protobuf does not tell null and nothing apart, nor nothing and an empty list or map.
fn set_only(value: &Value) -> Value {
    match value {
        Value::Object(map) => {
            let mut map = map.clone();
            for (_, value) in map.iter_mut() {
                *value = set_only(value);
            }
            map.retain(|_, value| !is_nothing(value));
            map.into()
        }
        Value::Array(list) => Value::from(list.as_slice().iter().map(set_only).collect::<Vec<_>>()),
        other => other.clone(),
    }
}

/// Go leaves some of these out of JSON when they are zero, and prints others.
fn is_nothing(value: &Value) -> bool {
    match value {
        Value::Null | Value::Bool(false) | Value::Int(0) => true,
        Value::Float(float) => *float == 0.0,
        Value::String(text) => text.is_empty(),
        Value::Array(list) => list.as_slice().is_empty(),
        Value::Object(map) => map.is_empty(),
        Value::Bool(true) | Value::Int(_) => false,
    }
}

#[test]
fn writes_what_go_writes_and_reads_it_back() {
    let recorded = recorded();
    let mut different = Vec::new();
    for (object, bytes) in &recorded {
        let name =
            format!("{} {}", object.str_at(&["apiVersion"]).unwrap(), object.str_at(&["kind"]).unwrap());
        let ours = encode(object).unwrap();
        if ours != *bytes {
            let at = ours.iter().zip(bytes).take_while(|(ours, theirs)| ours == theirs).count();
            let around = |bytes: &[u8]| {
                String::from_utf8_lossy(&bytes[at.saturating_sub(40)..bytes.len().min(at + 20)]).into_owned()
            };
            different.push(format!("{name} at {at}:\n  {:?}\n  {:?}", around(&ours), around(bytes)));
        }
        let back = decode(&ours).unwrap();
        assert_eq!(set_only(&back), set_only(object), "{name}");
    }
    assert!(different.is_empty(), "{} of {}:\n{}", different.len(), recorded.len(), different.join("\n"));
    assert!(recorded.len() > 400, "{}", recorded.len());
}

#[test]
fn only_kinds_of_kubernetes_have_this_form() {
    let object: Value = serde_json::from_str(r#"{"apiVersion":"example.com/v1","kind":"Thing"}"#).unwrap();
    let refused = encode(&object).unwrap_err();
    assert_eq!(refused.to_string(), "kind \"Thing\" of version \"example.com/v1\" has no protobuf form");
}

proptest! {
    #[test]
    fn what_is_cut_or_changed_never_panics(
        of in any::<prop::sample::Index>(), at in any::<prop::sample::Index>(), byte in any::<u8>(), cut in any::<bool>(),
    ) {
        thread_local!(static RECORDED: Vec<(Value, Vec<u8>)> = recorded());
        RECORDED.with(|recorded| {
            let mut bytes = of.get(recorded).1.clone();
            let at = at.index(bytes.len());
            if cut {
                bytes.truncate(at);
            } else {
                bytes[at] = byte;
            }
            if let Ok(object) = decode(&bytes) {
                // What could be read can be written, and is then read the same.
                let again = decode(&encode(&object).unwrap()).unwrap();
                prop_assert_eq!(set_only(&again), set_only(&object));
            }
            Ok(())
        })?;
    }
}
