//! The webhook that scenarios have both servers ask: `$hook/WORD` is its address, `$ca` whom to trust. The word says
//! what it answers. On `convert` it converts, or fails to in the way that an object's name says.

use std::sync::OnceLock;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use windlass_testing::ReviewServer;

/// The webhook, started when it is first needed.
fn hook() -> &'static ReviewServer {
    static HOOK: OnceLock<ReviewServer> = OnceLock::new();
    HOOK.get_or_init(|| ReviewServer::start(answer).expect("a port for the webhook"))
}

fn bundle() -> String {
    STANDARD.encode(hook().authority_pem())
}

/// Puts in where the webhook is.
pub(crate) fn fill(text: &str) -> String {
    if text.contains("$hook") || text.contains("$ca") {
        text.replace("$hook", &hook().base_url()).replace("$ca", &bundle())
    } else {
        text.to_owned()
    }
}

/// Takes out again where it is, which differs in each run.
pub(crate) fn hide(text: &str) -> String {
    if text.contains("localhost") || text.contains("caBundle") {
        text.replace(&hook().base_url(), "$hook").replace(&bundle(), "$ca")
    } else {
        text.to_owned()
    }
}

fn patch(operations: &Value) -> Value {
    json!({"allowed": true, "patchType": "JSONPatch", "patch": STANDARD.encode(operations.to_string())})
}

fn label(key: &str, value: &str) -> Value {
    json!([
        {"op": "add", "path": "/metadata/labels", "value": {key: value}}
    ])
}

/// What the webhook answers on a path.
fn answer(path: &str, request: &Value) -> Value {
    match path.trim_start_matches('/') {
        "deny" => json!({"allowed": false}),
        "deny-saying" => {
            json!({"allowed": false, "status": {"message": "not today", "code": 418, "reason": "Teapot"}})
        }
        "deny-reason" => json!({"allowed": false, "status": {"reason": "Because", "details": {"name": "x"}}}),
        "deny-bad" if request["object"]["metadata"]["name"] == "bad" => {
            json!({"allowed": false, "warnings": ["bad"]})
        }
        "warn" => json!({"allowed": true, "warnings": ["first", "and \"second\""]}),
        "echo" => {
            let mut shown = request.clone();
            for key in ["uid", "userInfo"] {
                shown.as_object_mut().expect("a request").remove(key);
            }
            for object in ["object", "oldObject"] {
                if let Some(metadata) = shown[object]["metadata"].as_object_mut() {
                    metadata.remove("managedFields");
                    metadata.remove("resourceVersion");
                }
            }
            json!({"allowed": false, "status": {"message": shown.to_string()}})
        }
        "label" => patch(&label("hooked", request["operation"].as_str().unwrap_or_default())),
        "count" => {
            let seen = request["object"]["metadata"]["annotations"]["seen"].as_str().unwrap_or_default();
            let keys = request["object"]["data"].as_object().map_or(0, serde_json::Map::len);
            patch(
                &json!([{"op": "add", "path": "/metadata/annotations", "value": {"seen": format!("{seen}{keys},")}}]),
            )
        }
        "data" => patch(&json!([{"op": "add", "path": "/data", "value": {"by": "hook"}}])),
        "remove" => patch(&json!([{"op": "remove", "path": "/nothing"}])),
        "unpatchable" => {
            json!({"allowed": true, "patchType": "JSONPatch", "patch": STANDARD.encode("no patch")})
        }
        "typeless" => json!({"allowed": true, "patch": STANDARD.encode("[]")}),
        "patching" => json!({"allowed": true, "patchType": "JSONPatch"}),
        "other" => json!({"allowed": true, "uid": "another"}),
        "note" => patch(&json!([
            {"op": "add", "path": "/metadata/labels", "value": {"hooked": "yes"}},
            {"op": "add", "path": "/spec/size", "value": "8x8"}
        ])),
        "five" if request["object"]["spec"]["replicas"] == 99 => json!({"allowed": false}),
        "five" => patch(&json!([
            {"op": "replace", "path": "/spec/replicas", "value": 5},
            {"op": "add", "path": "/metadata/annotations", "value": {"hooked": "yes"}}
        ])),
        "telling" => json!({"allowed": true, "auditAnnotations": {"told": "by the webhook"}}),
        "convert" => converted(request),
        _ => json!({"allowed": true}),
    }
}

/// Things between version 1, which has a size such as `3x4`, and version 2, which has a width and a height.
fn converted(request: &Value) -> Value {
    let to = request["desiredAPIVersion"].as_str().unwrap_or_default();
    let objects = request["objects"].as_array().map_or(&[][..], Vec::as_slice);
    // kube-apiserver sends one at a time; who is sent more fails for all when it fails for one.
    let names = || objects.iter().filter_map(|object| object["metadata"]["name"].as_str());
    let name = names().find(|name| *name == "fails").or_else(|| names().next()).unwrap_or_default();
    let failed = |message: &str| json!({"result": {"status": "Failed", "message": message}});
    let mut converted: Vec<Value> = objects.iter().map(|object| thing(object, to)).collect();
    match name {
        "fails" | "fails-at-once" => return failed("this cannot be converted"),
        "fails-silently" => return failed(""),
        "no-result" => return json!({"convertedObjects": converted}),
        "no-response" => return Value::Null,
        "too-many" => converted.push(json!({})),
        "none" => converted.clear(),
        "no-object" => converted[0] = "text".into(),
        "other-review" => {
            return json!({"uid": "another", "result": {"status": "Success"}, "convertedObjects": converted});
        }
        "refused-code" => {
            return json!({"result": {"status": "Failure", "reason": "Teapot", "code": 418}});
        }
        _ => {}
    }
    json!({"result": {"status": "Success"}, "convertedObjects": converted})
}

fn thing(object: &Value, to: &str) -> Value {
    let mut thing = object.clone();
    thing["apiVersion"] = to.into();
    if let Some(spec) = thing["spec"].as_object_mut() {
        if to.ends_with("/v2") {
            if let Some(Value::String(size)) = spec.remove("size") {
                let (width, height) = size.split_once('x').unwrap_or(("0", "0"));
                spec.insert("width".into(), width.parse::<i64>().unwrap_or(0).into());
                spec.insert("height".into(), height.parse::<i64>().unwrap_or(0).into());
            }
        } else if let (width, Some(height)) = (spec.remove("width"), spec.remove("height")) {
            spec.insert("size".into(), format!("{}x{height}", width.unwrap_or_default()).into());
        }
    }
    let metadata = &mut thing["metadata"];
    match object["metadata"]["name"].as_str().unwrap_or_default() {
        "other-version" => thing["apiVersion"] = format!("{to}beta9").into(),
        "other-kind" => thing["kind"] = "Other".into(),
        "other-name" => metadata["name"] = "another".into(),
        "other-namespace" => metadata["namespace"] = "another".into(),
        "other-uid" => metadata["uid"] = "another".into(),
        "no-metadata" => {
            thing.as_object_mut().expect("an object").remove("metadata");
        }
        "text-metadata" => thing["metadata"] = "text".into(),
        "text-labels" => metadata["labels"] = "text".into(),
        "number-label" => metadata["labels"] = json!({"l": 1}),
        "bad-label" => metadata["labels"] = json!({"l": "not valid!"}),
        "bad-annotation" => metadata["annotations"] = json!({"not valid!": "x"}),
        "new-labels" => {
            metadata["labels"] = json!({"by": "hook"});
            metadata["annotations"] = json!({"by": "hook"});
        }
        "owned" => {
            metadata["finalizers"] = json!(["example.com/hook"]);
            metadata["generation"] = 99.into();
        }
        "broken" => thing["spec"] = json!({"width": "text", "unknown": 1}),
        _ => {}
    }
    thing
}
