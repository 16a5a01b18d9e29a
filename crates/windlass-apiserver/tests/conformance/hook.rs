//! The webhook that scenarios have both servers ask: `$hook/WORD` is its address, `$ca` whom to trust. The word says
//! what it answers.

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
        _ => json!({"allowed": true}),
    }
}
