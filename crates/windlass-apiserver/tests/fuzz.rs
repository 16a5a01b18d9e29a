//! Every decoder of the embedded API, fed through its front door with what nobody would send.
//!
//! Valid requests are changed at random, as text, as trees and as bytes, and asked of a running API. Nothing may panic,
//! and nothing may hang, which shows as a test that does not end. Seeds are fixed: a failure comes again. More inputs:
//! `make fuzz INPUTS=100000`, with `WINDLASS_FUZZ_SEED` for others.

#![expect(clippy::unwrap_used, reason = "a test ends where something is wrong")]

use base64::{Engine, prelude::BASE64_STANDARD};
use http::{Method, Request, header};
use http_body_util::{BodyExt, Full};
use windlass_apiserver::store::Store;
use windlass_apiserver::{Api, ApiService};
use windlass_kube::{Array, Value};
use windlass_testing::Seeded;

/// Inputs for each target, unless `WINDLASS_FUZZ_INPUTS` says otherwise.
const INPUTS: u64 = 150;

fn number(variable: &str, otherwise: u64) -> u64 {
    std::env::var(variable).ok().and_then(|text| text.parse().ok()).unwrap_or(otherwise)
}

const MAPS: &str = "/api/v1/namespaces/default/configmaps";
const DEPLOYMENT: &str = "/apis/apps/v1/namespaces/default/deployments/web?dryRun=All";

/// One decoder, and requests that it takes.
struct Target {
    name: &'static str,
    method: Method,
    /// `{}` is where the input goes when it is not the body.
    path: &'static str,
    content_type: &'static str,
    seeds: &'static [&'static str],
}

const OBJECT: &str = r#"{"apiVersion":"apps/v1","kind":"Deployment","metadata":{"name":"web","labels":{"a":"b"},"annotations":{"c":"d"},"finalizers":["example.com/x"],"ownerReferences":[{"apiVersion":"v1","kind":"ConfigMap","name":"o","uid":"1","controller":true}]},"spec":{"replicas":2,"selector":{"matchLabels":{"app":"web"}},"strategy":{"rollingUpdate":{"maxSurge":"25%","maxUnavailable":1}},"template":{"metadata":{"labels":{"app":"web"}},"spec":{"containers":[{"name":"web","image":"nginx","ports":[{"containerPort":80,"protocol":"TCP"}],"env":[{"name":"A","value":"1"},{"name":"B","valueFrom":{"fieldRef":{"fieldPath":"metadata.name"}}}],"resources":{"limits":{"cpu":"100m","memory":"1Gi"}},"readinessProbe":{"httpGet":{"path":"/","port":"http"},"periodSeconds":5}}],"volumes":[{"name":"v","emptyDir":{"sizeLimit":"1Ki"}}]}}}}"#;

const OBJECT_YAML: &str = "apiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: web\n  labels: &l {a: b}\nspec:\n  replicas: 2\n  selector: {matchLabels: {app: web}}\n  template:\n    metadata: {labels: {app: web}, annotations: *l}\n    spec:\n      containers:\n      - name: web\n        image: nginx\n        command: [sh, -c, \"echo\"]\n        env:\n        - {name: A, value: \"text\"}\n        - name: B\n          value: >+\n            folded\n            text\n        - name: C\n          value: |2-\n              indented\n";

const MANAGED: &str = r#"{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"managed","managedFields":[{"manager":"m","operation":"Apply","apiVersion":"v1","time":"2026-01-01T00:00:00Z","fieldsType":"FieldsV1","fieldsV1":{"f:metadata":{"f:labels":{".":{},"f:a":{}},"f:ownerReferences":{"k:{\"uid\":\"1\"}":{".":{},"f:name":{}}}},"f:data":{".":{},"f:a":{},"v:\"x\"":{},"i:0":{}}}}]},"data":{"a":"1"}}"#;

const DEFINITION: &str = r#"{"apiVersion":"apiextensions.k8s.io/v1","kind":"CustomResourceDefinition","metadata":{"name":"things.example.com"},"spec":{"group":"example.com","scope":"Namespaced","names":{"kind":"Thing","plural":"things","shortNames":["th"],"categories":["all"]},"versions":[{"name":"v1","served":true,"storage":true,"subresources":{"status":{},"scale":{"specReplicasPath":".spec.replicas","statusReplicasPath":".status.replicas"}},"additionalPrinterColumns":[{"name":"R","type":"integer","jsonPath":".spec.replicas"}],"selectableFields":[{"jsonPath":".spec.color"}],"schema":{"openAPIV3Schema":{"type":"object","properties":{"spec":{"type":"object","required":["replicas"],"x-kubernetes-validations":[{"rule":"self.replicas >= 0 && self.items.all(i, i.name.matches('^[a-z]+$'))","message":"no"},{"rule":"oldSelf.color == self.color || has(self.color)","messageExpression":"'was ' + oldSelf.color"}],"properties":{"replicas":{"type":"integer","minimum":0,"maximum":10,"default":1},"color":{"type":"string","enum":["red","blue"],"pattern":"^[a-z]*$","maxLength":10},"any":{"x-kubernetes-preserve-unknown-fields":true},"port":{"x-kubernetes-int-or-string":true,"anyOf":[{"type":"integer"},{"type":"string"}]},"items":{"type":"array","maxItems":5,"x-kubernetes-list-type":"map","x-kubernetes-list-map-keys":["name"],"items":{"type":"object","required":["name"],"properties":{"name":{"type":"string","maxLength":20}}}},"map":{"type":"object","additionalProperties":{"type":"string","format":"date-time"}}}},"status":{"type":"object","properties":{"replicas":{"type":"integer"}}}}}}}]}}"#;

const POLICY: &str = r#"{"apiVersion":"admissionregistration.k8s.io/v1","kind":"ValidatingAdmissionPolicy","metadata":{"name":"fuzzed"},"spec":{"failurePolicy":"Fail","matchConstraints":{"resourceRules":[{"apiGroups":[""],"apiVersions":["v1"],"operations":["CREATE","UPDATE"],"resources":["configmaps"]}]},"variables":[{"name":"n","expression":"size(object.metadata.name)"}],"matchConditions":[{"name":"a","expression":"!('skip' in object.metadata.labels)"}],"validations":[{"expression":"variables.n < 100 && object.data.all(k, object.data[k] != 'x' || quantity('1Gi').isGreaterThan(quantity('1Mi')))","messageExpression":"'name ' + string(variables.n)"}]}}"#;

fn targets() -> Vec<Target> {
    let target =
        |name, method: Method, path, content_type, seeds| Target { name, method, path, content_type, seeds };
    let (json, post) = ("application/json", Method::POST);
    let patch = || Method::PATCH;
    vec![
        target(
            "JSON objects",
            post.clone(),
            "/apis/apps/v1/namespaces/other/deployments?dryRun=All",
            json,
            &[OBJECT],
        ),
        target(
            "YAML objects",
            post.clone(),
            "/apis/apps/v1/namespaces/other/deployments?dryRun=All",
            "application/yaml",
            &[OBJECT_YAML, OBJECT],
        ),
        target(
            "managed fields",
            post.clone(),
            "/api/v1/namespaces/other/configmaps?dryRun=All",
            json,
            &[MANAGED],
        ),
        target(
            "applies",
            patch(),
            "/apis/apps/v1/namespaces/default/deployments/web?fieldManager=fuzz&force=true&dryRun=All",
            "application/apply-patch+yaml",
            &[OBJECT, OBJECT_YAML],
        ),
        target(
            "strategic merge patches",
            patch(),
            DEPLOYMENT,
            "application/strategic-merge-patch+json",
            &[
                r#"{"spec":{"template":{"spec":{"$setElementOrder/containers":[{"name":"x"},{"name":"z"}],"containers":[{"name":"x","image":"y"},{"name":"web","$patch":"delete"},{"name":"z","image":"z"}],"volumes":[{"$retainKeys":["name","emptyDir"],"name":"v","emptyDir":{}}]}}},"metadata":{"$deleteFromPrimitiveList/finalizers":["example.com/x"],"finalizers":["example.com/y"],"labels":{"$patch":"replace","q":null}}}"#,
            ],
        ),
        target(
            "JSON patches",
            patch(),
            DEPLOYMENT,
            "application/json-patch+json",
            &[
                r#"[{"op":"test","path":"/spec/replicas","value":2},{"op":"replace","path":"/spec/replicas","value":3},{"op":"add","path":"/metadata/labels/x~1y","value":"z"},{"op":"add","path":"/spec/template/spec/containers/-","value":{"name":"q","image":"q"}},{"op":"move","from":"/metadata/labels/a","path":"/metadata/annotations/a"},{"op":"copy","from":"/metadata/name","path":"/metadata/annotations/t"},{"op":"remove","path":"/spec/template/spec/volumes/0"}]"#,
            ],
        ),
        target(
            "merge patches",
            patch(),
            DEPLOYMENT,
            "application/merge-patch+json",
            &[
                r#"{"metadata":{"labels":{"a":null,"b":"c"}},"spec":{"replicas":null,"template":{"spec":{"containers":[{"name":"w","image":"i"}]}}}}"#,
            ],
        ),
        target(
            "definitions",
            post.clone(),
            "/apis/apiextensions.k8s.io/v1/customresourcedefinitions?dryRun=All",
            json,
            &[DEFINITION],
        ),
        target(
            "custom objects",
            post.clone(),
            "/apis/stable.example.com/v1/namespaces/default/things?dryRun=All",
            json,
            &[
                r#"{"apiVersion":"stable.example.com/v1","kind":"Thing","metadata":{"name":"t","generateName":"g-"},"spec":{"replicas":3,"color":"red","any":{"x":[1,{"y":null}]},"port":"http","items":[{"name":"a"},{"name":"b"}],"map":{"t":"2026-01-01T00:00:00Z"}},"status":{"replicas":1}}"#,
            ],
        ),
        target(
            "admission policies",
            post.clone(),
            "/apis/admissionregistration.k8s.io/v1/validatingadmissionpolicies?dryRun=All",
            json,
            &[POLICY],
        ),
        target(
            "label selectors",
            Method::GET,
            "/api/v1/configmaps?labelSelector={}",
            json,
            &["a=b,c!=d,e in (f,g),h notin (i),j,!k", "app==web,tier in (front, back)"],
        ),
        target(
            "field selectors",
            Method::GET,
            "/api/v1/pods?fieldSelector={}",
            json,
            &["metadata.name=a,spec.nodeName!=b,status.phase==Running", "metadata.namespace=a\\,b\\=c"],
        ),
        target(
            "list options",
            Method::GET,
            "/api/v1/configmaps?{}",
            json,
            &[
                "limit=5&resourceVersion=0&timeoutSeconds=1&pretty=true",
                "limit=5&continue=eyJ2IjoibWV0YS5rOHMuaW8vdjEiLCJydiI6NSwic3RhcnQiOiJhIn0&resourceVersion=5&resourceVersionMatch=Exact",
            ],
        ),
        target(
            "paths",
            Method::GET,
            "{}",
            json,
            &[
                "/apis/apps/v1/namespaces/default/deployments/web/status",
                "/api/v1/namespaces/default/pods/p/log?container=c&tailLines=3",
                "/openapi/v3/apis/apps/v1?hash=1",
            ],
        ),
        target(
            "reviews",
            post,
            "/apis/authorization.k8s.io/v1/subjectaccessreviews",
            json,
            &[
                r#"{"apiVersion":"authorization.k8s.io/v1","kind":"SubjectAccessReview","spec":{"user":"u","groups":["g"],"resourceAttributes":{"namespace":"n","verb":"get","group":"","resource":"pods","subresource":"log","name":"x","labelSelector":{"requirements":[{"key":"a","operator":"In","values":["b"]}]}}}}"#,
            ],
        ),
        target(
            "scales",
            Method::PUT,
            "/apis/apps/v1/namespaces/default/deployments/web/scale",
            json,
            &[
                r#"{"apiVersion":"autoscaling/v1","kind":"Scale","metadata":{"name":"web","namespace":"default"},"spec":{"replicas":4}}"#,
            ],
        ),
        target(
            "delete options",
            Method::DELETE,
            MAPS,
            json,
            &[
                r#"{"apiVersion":"v1","kind":"DeleteOptions","propagationPolicy":"Foreground","gracePeriodSeconds":3,"preconditions":{"uid":"x","resourceVersion":"1"},"dryRun":["All"]}"#,
            ],
        ),
    ]
}

/// What the languages give a meaning.
const TOKENS: &[&str] = &[
    "null",
    "true",
    "-1",
    "9223372036854775807",
    "9223372036854775808",
    "1e400",
    "1e308",
    "0.1",
    "\"\"",
    "{}",
    "[]",
    "[[[[",
    "{\"a\":",
    "\\u0000",
    "\\ud800",
    "\u{fffd}",
    "$patch",
    "delete",
    "$retainKeys",
    "~0~1",
    "/-",
    "../",
    "%",
    "%00",
    "%2F",
    "&",
    "*a",
    "&a ",
    "!!binary ",
    "!!int ",
    "---\n",
    "...\n",
    "? ",
    ": ",
    "- ",
    "|2-\n",
    "\t",
    "<<: ",
    "f:",
    "k:{",
    "v:",
    "i:",
    "self",
    "oldSelf",
    ".all(x, ",
    "matches('(')",
    "has(",
    "?",
    ":",
    "||",
    "(",
    ")",
    ",",
    "==",
    "!=",
    " in (",
    " notin (",
    "2026-99-99T99:99:99Z",
    "1Ei",
    "-0m",
    "metadata",
    "spec",
    "status",
    "name",
];

/// Values that stand where something else belongs.
fn intruder(chance: &mut Seeded) -> Value {
    match chance.below(14) {
        0 => Value::Null,
        1 => true.into(),
        2 => Value::Int(-1),
        3 => Value::Int(i64::MAX),
        4 => Value::Float(1.5),
        5 => "".into(),
        6 => "x".repeat(300).into(),
        7 => Value::Array(Array::new()),
        8 => Value::object(),
        9 => TOKENS[usize::try_from(chance.below(TOKENS.len() as u64)).unwrap()].into(),
        10 => vec![Value::Null, 1.into(), "a".into()].into(),
        11 => (0..60).fold(Value::Null, |inner, _| vec![inner].into()),
        12 => "self.spec.map(x, self.spec.map(y, x + y)).size() > 0".into(),
        _ => Value::Int(i64::MIN),
    }
}

/// Puts an intruder somewhere into a tree, or takes something out of it.
fn disturb(value: &mut Value, chance: &mut Seeded) {
    let here = chance.chance(0.15);
    let pick = |n: usize, chance: &mut Seeded| usize::try_from(chance.below(n as u64)).unwrap();
    match value {
        Value::Object(members) if !members.is_empty() && !here => {
            let key = members.iter().nth(pick(members.len(), chance)).map(|(key, _)| key.clone()).unwrap();
            let members = value.object_mut();
            if chance.chance(0.1) {
                members.remove(&key);
            } else if let Some(member) = members.get_mut(&key) {
                disturb(member, chance);
            }
        }
        Value::Array(items) if !items.is_empty() && !here => {
            let idx = pick(items.len(), chance);
            disturb(&mut items.as_mut()[idx], chance);
        }
        other => *other = intruder(chance),
    }
}

/// Changes bytes: some flipped, cut, repeated, or replaced by tokens.
fn scramble(bytes: &mut Vec<u8>, chance: &mut Seeded) {
    for _ in 0..=chance.below(4) {
        let len = bytes.len() as u64;
        let at = usize::try_from(chance.below(len + 1)).unwrap();
        let end = (at + usize::try_from(chance.below(40)).unwrap()).min(bytes.len());
        match chance.below(6) {
            0 if at < bytes.len() => bytes[at] = u8::try_from(chance.below(256)).unwrap(),
            1 => drop(bytes.drain(at..end)),
            2 => {
                let copy = bytes[at..end].repeat(usize::try_from(chance.below(50)).unwrap());
                bytes.splice(at..at, copy);
            }
            3 => bytes.truncate(at),
            _ => {
                let token = TOKENS[usize::try_from(chance.below(TOKENS.len() as u64)).unwrap()];
                let times = if chance.chance(0.05) { 2000 } else { 1 };
                bytes.splice(at..end, token.repeat(times).into_bytes());
            }
        }
    }
}

fn input(seed: &str, chance: &mut Seeded) -> Vec<u8> {
    let mut bytes = seed.as_bytes().to_vec();
    if let Ok(mut tree) = serde_json::from_str::<Value>(seed)
        && chance.chance(0.7)
    {
        for _ in 0..=chance.below(3) {
            disturb(&mut tree, chance);
        }
        bytes = serde_json::to_vec(&tree).unwrap();
    }
    if chance.chance(0.5) {
        scramble(&mut bytes, chance);
    }
    bytes
}

fn percent(bytes: &[u8], keep: &[u8]) -> String {
    bytes
        .iter()
        .map(|byte| match byte {
            byte if byte.is_ascii_alphanumeric() || keep.contains(byte) => char::from(*byte).to_string(),
            byte => format!("%{byte:02X}"),
        })
        .collect()
}

fn request(target: &Target, input: &[u8]) -> Option<Request<Full<bytes::Bytes>>> {
    let (path, body) = match target.path {
        "{}" => (percent(input, b"/?=&.-_%"), Vec::new()),
        path if path.ends_with("?{}") => (path.replace("{}", &percent(input, b"=&.-_%+")), Vec::new()),
        path if path.contains("{}") => (path.replace("{}", &percent(input, b"")), Vec::new()),
        path => (path.to_owned(), input.to_vec()),
    };
    // A watch goes on for good, and is not what is looked for here.
    if path.contains("watch") {
        return None;
    }
    let path = if path.starts_with('/') { path } else { format!("/{path}") };
    Request::builder()
        .method(target.method.clone())
        .uri(path)
        .header(header::CONTENT_TYPE, target.content_type)
        .header(header::USER_AGENT, "fuzz/1")
        .body(Full::from(body))
        .ok()
}

async fn ask(service: &ApiService, request: Request<Full<bytes::Bytes>>) -> (u16, bytes::Bytes) {
    let response = service.clone().answer(request).await;
    let code = response.status().as_u16();
    (code, response.into_body().collect().await.unwrap().to_bytes())
}

async fn fresh() -> ApiService {
    let api = Api::start(Store::in_memory()).await.unwrap();
    let service = api.service();
    let post = |path: &str, body: String| {
        let request = Request::post(path).header(header::CONTENT_TYPE, "application/json");
        request.body(Full::from(body)).unwrap()
    };
    let definition = DEFINITION.replace("\"example.com\"", "\"stable.example.com\"");
    let definition = definition.replace("things.example.com", "things.stable.example.com");
    let definitions = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions";
    assert_eq!(ask(&service, post(definitions, definition)).await.0, 201);
    let namespace = r#"{"metadata":{"name":"other"}}"#.to_owned();
    assert_eq!(ask(&service, post("/api/v1/namespaces", namespace)).await.0, 201);
    let deployments = "/apis/apps/v1/namespaces/default/deployments";
    assert_eq!(ask(&service, post(deployments, OBJECT.to_owned())).await.0, 201);
    service
}

/// Asks one thing; a panic is told with what brought it about.
async fn survive(
    service: &ApiService,
    name: &str,
    request: Request<Full<bytes::Bytes>>,
    input: &[u8],
) -> (u16, bytes::Bytes) {
    let service = service.clone();
    match tokio::spawn(async move { ask(&service, request).await }).await {
        Ok(code) => code,
        Err(error) => panic!("{name}: {error}; in base64: {}", BASE64_STANDARD.encode(input)),
    }
}

#[tokio::test]
async fn nothing_that_is_sent_makes_the_api_panic() {
    let (n_inputs, seed) = (number("WINDLASS_FUZZ_INPUTS", INPUTS), number("WINDLASS_FUZZ_SEED", 1));
    let mut refused = Vec::new();
    for (target_idx, target) in targets().iter().enumerate() {
        let service = fresh().await;
        let mut chance = Seeded::new(seed.wrapping_mul(1000) + target_idx as u64);
        let mut n_taken = 0;
        for input_idx in 0..n_inputs {
            // The first of all is unchanged: a target whose seed is refused tests little.
            let seed = target.seeds[usize::try_from(chance.below(target.seeds.len() as u64)).unwrap()];
            let bytes =
                if input_idx == 0 { target.seeds[0].as_bytes().to_vec() } else { input(seed, &mut chance) };
            let Some(request) = request(target, &bytes) else { continue };
            let (code, answer) = survive(&service, target.name, request, &bytes).await;
            n_taken += u64::from(code < 300);
            if input_idx == 0 && code >= 300 {
                refused.push(format!("{}: {answer:?}", target.name));
            }
        }
        println!("{}: {n_inputs} inputs, {n_taken} taken", target.name);
    }
    assert!(refused.is_empty(), "seeds should be taken: {}", refused.join("\n"));
}

/// A message in the wire format: field numbers and contents.
fn message(fields: &[(u8, &[u8])]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for (number, content) in fields {
        bytes.push(number << 3 | 2);
        let mut length = content.len();
        while length >= 0x80 {
            bytes.push(u8::try_from(length & 0x7f).unwrap() | 0x80);
            length >>= 7;
        }
        bytes.push(u8::try_from(length).unwrap());
        bytes.extend_from_slice(content);
    }
    bytes
}

#[tokio::test]
async fn no_protobuf_makes_the_api_panic() {
    let n_inputs = number("WINDLASS_FUZZ_INPUTS", INPUTS) * 4;
    let meta = message(&[(1, b"from-protobuf"), (3, b"default")]);
    let entry = message(&[(1, b"key"), (2, b"value")]);
    let raw = message(&[(1, &meta), (2, &entry)]);
    let kind = message(&[(1, b"v1"), (2, b"ConfigMap")]);
    let valid = [b"k8s\0".as_slice(), &message(&[(1, &kind), (2, &raw)])].concat();
    let service = fresh().await;
    let mut chance = Seeded::new(number("WINDLASS_FUZZ_SEED", 1));
    for input_idx in 0..n_inputs {
        let mut bytes = valid.clone();
        if input_idx > 0 {
            scramble(&mut bytes, &mut chance);
            // Most changes would otherwise be to what says that this is protobuf at all.
            if bytes.len() > 4 && chance.chance(0.8) {
                bytes[..4].copy_from_slice(b"k8s\0");
            }
        }
        let request = Request::post(MAPS)
            .header(header::CONTENT_TYPE, "application/vnd.kubernetes.protobuf")
            .body(Full::from(bytes.clone()))
            .unwrap();
        let (code, _) = survive(&service, "protobuf", request, &bytes).await;
        assert!(input_idx > 0 || code == 201, "the valid one was answered {code}");
    }
}

/// What is too much is refused in words that say which limit it was.
#[tokio::test]
async fn limits_name_themselves() {
    let service = fresh().await;
    let nested = |open: &str, inner: &str, close: &str, depth: usize| {
        format!("{}{inner}{}", open.repeat(depth), close.repeat(depth))
    };
    let deep = nested("{\"a\":", "1", "}", 100_000);
    let in_object = |value: &str| {
        format!(r#"{{"apiVersion":"v1","kind":"ConfigMap","metadata":{{"name":"x","annotations":{value}}}}}"#)
    };
    let operations = format!("[{}]", vec![r#"{"op":"test","path":"/kind","value":"x"}"#; 10_001].join(","));
    let aliases = format!("a: &a [x,x,x,x,x,x,x,x,x]\n{}", {
        let line = |n: u8| {
            let (before, now) = (char::from(b'a' + n), char::from(b'b' + n));
            format!("{now}: &{now} [{}]\n", vec![format!("*{before}"); 9].join(","))
        };
        (0..9).map(line).collect::<String>()
    });
    let cases: Vec<(&str, Method, &str, &str, String, u16, &str)> = vec![
        ("size", Method::POST, MAPS, "application/json", " ".repeat(3 << 20) + "{}", 413, "limit is 3145728"),
        ("depth of JSON", Method::POST, MAPS, "application/json", in_object(&deep), 400, "depth"),
        (
            "depth of YAML",
            Method::POST,
            MAPS,
            "application/yaml",
            nested("[", "", "]", 100_000),
            400,
            "depth",
        ),
        ("aliases", Method::POST, MAPS, "application/yaml", aliases, 400, "alias"),
        (
            "depth of a merge patch",
            Method::PATCH,
            DEPLOYMENT,
            "application/merge-patch+json",
            deep.clone(),
            400,
            "depth",
        ),
        (
            "depth of a strategic patch",
            Method::PATCH,
            DEPLOYMENT,
            "application/strategic-merge-patch+json",
            deep.clone(),
            400,
            "depth",
        ),
        ("operations", Method::PATCH, DEPLOYMENT, "application/json-patch+json", operations, 413, "10000"),
        (
            "depth of an apply",
            Method::PATCH,
            "/api/v1/namespaces/default/configmaps/x?fieldManager=m",
            "application/apply-patch+yaml",
            in_object(&deep),
            400,
            "depth",
        ),
    ];
    let mut wrong = Vec::new();
    for (what, method, path, content_type, body, code, word) in cases {
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header(header::CONTENT_TYPE, content_type)
            .body(Full::<bytes::Bytes>::from(body))
            .unwrap();
        let response = service.clone().answer(request).await;
        let found = response.status().as_u16();
        let bytes = response.into_body().collect().await.unwrap().to_bytes();
        let text: String = String::from_utf8_lossy(&bytes).chars().take(400).collect();
        if found != code || !text.contains(word) {
            wrong.push(format!("{what}: {found} {text}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
