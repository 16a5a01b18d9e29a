//! Running a scenario against a server, into a transcript.

use std::collections::HashMap;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use bytes::Bytes;
use http::{Request, Response, header};
use http_body_util::{BodyExt, Full};
use serde_json::{Map, Value, json};

use windlass_apiserver::protobuf;

use crate::scenario::{Prepared, Scenario, prepare};
use crate::server::{Body, Server};

/// How long the body of an answer may take that is no watch.
const LONGEST_BODY: Duration = Duration::from_secs(30);

/// How often it is looked for.
const GLANCE: Duration = Duration::from_millis(20);

/// An open watch, with what has arrived and was not yet asked for.
struct Stream {
    body: Body,
    arrived: Vec<u8>,
}

/// Runs all steps; the answers, as they came.
pub(crate) async fn run(server: &Server, scenario: &Scenario) -> Vec<Value> {
    let namespace = scenario.namespace();
    let made = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}}).to_string();
    let made = server.send(request("POST", "/api/v1/namespaces", "application/json", made)).await;
    assert!(made.status().is_success(), "{namespace}: {}", made.status());
    let account = format!("/api/v1/namespaces/{namespace}/serviceaccounts/default");
    patiently(server, &account, |answer| answer["code"] == 200).await;
    let mut answers = Vec::new();
    let mut saved = Map::new();
    let mut watches: HashMap<String, Stream> = HashMap::new();
    for step in &scenario.steps {
        let answer = one(server, step, &namespace, &saved, &mut watches).await;
        if let Some(name) = step.get("save").and_then(Value::as_str) {
            saved.insert(name.to_owned(), answer["body"].clone());
        }
        let compared = step.get("setup").is_none() || answer.get("overdue").is_some();
        answers.push(if compared { answer } else { Value::Null });
    }
    let path = format!("/api/v1/namespaces/{namespace}");
    server.send(request("DELETE", &path, "", String::new())).await;
    answers
}

async fn one(
    server: &Server,
    step: &Value,
    namespace: &str,
    saved: &Map<String, Value>,
    watches: &mut HashMap<String, Stream>,
) -> Value {
    if let Some(name) = step.get("events") {
        let name = name.as_str().expect("a watch's name");
        let Some(stream) = watches.get_mut(name) else { return json!({"events": "the watch was refused"}) };
        let wanted = step.get("count").and_then(Value::as_u64);
        return json!({"events": (events(stream, wanted, server.patience()).await)});
    }
    let prepared = prepare(step, namespace, saved);
    if prepared.verb == "until" {
        let code = step.get("code").and_then(Value::as_u64);
        let at = step.get("at").and_then(Value::as_str).unwrap_or_default().replace('.', "/");
        return patiently(server, &prepared.path, |answer| match code {
            Some(code) => answer["code"] == code,
            None => answer["body"].pointer(&format!("/{at}")) == step.get("is"),
        })
        .await;
    }
    if let Some(picked) = step.get("pick").and_then(Value::as_array) {
        let pointers: Vec<&str> = picked.iter().filter_map(Value::as_str).collect();
        let answer =
            patiently(server, &prepared.path, |answer| answer["body"].pointer(pointers[0]).is_some()).await;
        let parts = pointers.iter().map(|at| answer["body"].pointer(at).cloned().unwrap_or_default());
        return json!({"code": answer["code"], "picked": (parts.collect::<Vec<_>>())});
    }
    let code = step.get("insist").and_then(Value::as_u64);
    let pointer =
        step.get("insist-at").and_then(Value::as_str).map(|at| format!("/{}", at.replace('.', "/")));
    if code.is_some() || pointer.is_some() {
        let give_up = tokio::time::Instant::now() + server.patience();
        loop {
            let mut answer = answer(server.send(ask(step, &prepared, namespace, saved)).await).await;
            if step.get("claims").is_some() {
                answer["claims"] = claims(&answer["body"]);
            }
            let is_there = pointer.as_ref().is_none_or(|at| answer["body"].pointer(at).is_some());
            if code.is_none_or(|code| answer["code"] == code) && is_there {
                return answer;
            }
            if tokio::time::Instant::now() > give_up {
                return json!({"overdue": answer});
            }
            tokio::time::sleep(GLANCE).await;
        }
    }
    let response = server.send(ask(step, &prepared, namespace, saved)).await;
    if prepared.verb == "watch" && response.status().is_success() {
        let name = step["watch"].as_str().expect("a watch's name").to_owned();
        let mut answer = json!({"code": (response.status().as_u16())});
        if let Some(content_type) =
            response.headers().get(header::CONTENT_TYPE).and_then(|it| it.to_str().ok())
            && content_type.contains("protobuf")
        {
            answer["type"] = content_type.into();
        }
        watches.insert(name, Stream { body: response.into_body(), arrived: Vec::new() });
        return answer;
    }
    let mut answer = answer(response).await;
    if step.get("claims").is_some() {
        answer["claims"] = claims(&answer["body"]);
    }
    answer
}

/// What the token in an answer says, with times counted from when it was made.
fn claims(body: &Value) -> Value {
    let of_secret = body["data"]["token"].as_str().and_then(|text| STANDARD.decode(text).ok());
    let of_secret = of_secret.map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
    let Some(token) = body["status"]["token"].as_str().map(str::to_owned).or(of_secret) else {
        return Value::Null;
    };
    let parts: Vec<Value> = token
        .split('.')
        .take(2)
        .map(|part| serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).expect("base64")).expect("JSON"))
        .collect();
    let [mut header, mut claims] = <[Value; 2]>::try_from(parts).expect("header and claims");
    header["kid"] = "KEY".into();
    let made = claims["iat"].as_i64().unwrap_or_default();
    let since = |value: &mut Value| {
        if let Some(number) = value.as_i64() {
            *value = (number - made).into();
        }
    };
    for name in ["exp", "nbf", "iat"] {
        if claims.get(name).is_some() {
            since(&mut claims[name]);
        }
    }
    if claims["kubernetes.io"].get("warnafter").is_some() {
        since(&mut claims["kubernetes.io"]["warnafter"]);
    }
    json!({"header": header, "claims": claims})
}

/// The request of a step, with its headers.
fn ask(
    step: &Value,
    prepared: &Prepared,
    namespace: &str,
    saved: &Map<String, Value>,
) -> Request<Full<Bytes>> {
    let mut asked = request(prepared.method, &prepared.path, &prepared.content_type, prepared.body.clone());
    let text = |key: &str| step.get(key).and_then(Value::as_str);
    let headers = asked.headers_mut();
    if let Some(accept) = text("accept") {
        headers.insert(header::ACCEPT, accept.parse().expect("a header"));
    }
    if let Some(token) = text("bearer") {
        let token = format!("Bearer {}", crate::scenario::fill(token, namespace, saved));
        headers.insert(header::AUTHORIZATION, token.parse().expect("a header"));
    }
    if let Some(agent) = text("agent") {
        headers.insert(header::USER_AGENT, agent.parse().expect("a header"));
    }
    if let Some(user) = text("as") {
        headers.insert("impersonate-user", user.replace("$ns", namespace).parse().expect("a header"));
    }
    for group in step.get("groups").and_then(Value::as_array).into_iter().flatten() {
        let group = group.as_str().expect("a group");
        headers.append("impersonate-group", group.replace("$ns", namespace).parse().expect("a header"));
    }
    asked
}

async fn patiently(server: &Server, path: &str, is_it: impl Fn(&Value) -> bool) -> Value {
    let give_up = tokio::time::Instant::now() + server.patience();
    loop {
        let answer = answer(server.send(request("GET", path, "", String::new())).await).await;
        if is_it(&answer) {
            return answer;
        }
        if tokio::time::Instant::now() > give_up {
            return json!({"overdue": answer});
        }
        tokio::time::sleep(GLANCE).await;
    }
}

fn request(method: &str, path: &str, content_type: &str, body: String) -> Request<Full<Bytes>> {
    let mut request = Request::builder()
        .method(method)
        .uri(path)
        .header(header::USER_AGENT, "conformance/1")
        .header(header::ACCEPT, "application/json");
    if !content_type.is_empty() && !body.is_empty() {
        request = request.header(header::CONTENT_TYPE, content_type);
    }
    request.body(Full::from(body)).unwrap_or_else(|error| panic!("{method} {path}: {error}"))
}

async fn answer(response: Response<Body>) -> Value {
    let (parts, body) = response.into_parts();
    let collected = tokio::time::timeout(LONGEST_BODY, body.collect()).await;
    let Ok(collected) = collected else { return json!({"code": (parts.status.as_u16()), "body": "endless"}) };
    let bytes = collected.expect("a whole body").to_bytes();
    let text = crate::hook::hide(&String::from_utf8_lossy(&bytes));
    let body = match protobuf::decode(&bytes) {
        Ok(object) => json!({"protobuf": (tree(&object))}),
        Err(_) => serde_json::from_str(&text).unwrap_or_else(|_| Value::String(without_version(&text))),
    };
    let warnings: Vec<Value> = parts
        .headers
        .get_all(header::WARNING)
        .iter()
        .map(|warning| String::from_utf8_lossy(warning.as_bytes()).into_owned().into())
        .collect();
    let mut answer = json!({"code": (parts.status.as_u16()), "body": body});
    if !warnings.is_empty() {
        answer["warnings"] = warnings.into();
    }
    let content_type =
        parts.headers.get(header::CONTENT_TYPE).and_then(|it| it.to_str().ok()).unwrap_or_default();
    if content_type.contains("protobuf") {
        answer["type"] = content_type.into();
    }
    if let Some(after) = parts.headers.get(header::RETRY_AFTER) {
        answer["retryAfter"] = after.to_str().unwrap_or_default().into();
    }
    answer
}

/// YAML without the number of its version, which differs in each run.
fn without_version(text: &str) -> String {
    let masked = text.split_inclusive('\n').map(|line| match line.split_once("resourceVersion: ") {
        Some((indent, _)) => format!("{indent}resourceVersion: RV\n"),
        None => line.to_owned(),
    });
    masked.collect()
}

fn tree(value: &windlass_kube::Value) -> Value {
    serde_json::to_value(value).expect("a tree")
}

/// Takes a whole frame of protobuf, which begins with its length; a line of JSON begins with a brace.
fn protobuf_frame(arrived: &mut Vec<u8>) -> Option<Vec<u8>> {
    let length = u32::from_be_bytes(*arrived.first_chunk::<4>()?);
    let end = usize::try_from(length).ok()?.checked_add(4)?;
    if arrived[0] != 0 || arrived.len() < end {
        return None;
    }
    Some(arrived.drain(..end).skip(4).collect())
}

async fn events(stream: &mut Stream, wanted: Option<u64>, patience: Duration) -> Vec<Value> {
    let mut events = Vec::new();
    while wanted.is_none_or(|wanted| (events.len() as u64) < wanted) {
        if let Some(frame) = protobuf_frame(&mut stream.arrived) {
            let (kind, object) = protobuf::decode_event(&frame).expect("an event");
            events.push(json!({"type": (kind.as_str()), "protobuf": (tree(&object))}));
            continue;
        }
        if stream.arrived.first() == Some(&b'{')
            && let Some(end) = stream.arrived.iter().position(|byte| *byte == b'\n')
        {
            let line: Vec<u8> = stream.arrived.drain(..=end).collect();
            events.push(serde_json::from_slice(&line).expect("an event"));
            continue;
        }
        match tokio::time::timeout(patience, stream.body.frame()).await {
            Ok(Some(Ok(frame))) => {
                stream.arrived.extend_from_slice(frame.data_ref().map_or(&[], |data| data));
            }
            Ok(Some(Err(_)) | None) => break,
            Err(_) => {
                events.push("no event".into());
                break;
            }
        }
    }
    events
}
