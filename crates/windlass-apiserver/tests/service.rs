//! The API in process and over TLS: what clients that are not `kubectl` rely on.

#![expect(clippy::unwrap_used, reason = "a test ends where something is wrong")]

use http::{Method, Request, header};
use http_body_util::{BodyExt, Full};
use windlass_apiserver::store::Store;
use windlass_apiserver::{
    Api, Body, Config, Data, Gvr, ListOptions, Patch, Server, UserInfo, WatchEvent, WatchOptions,
    WriteOptions,
};
use windlass_kube::{Object, Value, value};

async fn api() -> Api {
    Api::start(Store::in_memory()).await.unwrap()
}

fn config_maps() -> Gvr {
    Gvr::new("", "v1", "configmaps")
}

fn config_map(name: &str) -> Object {
    Object::try_new(
        value!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": {"a": "1"}}),
    )
    .unwrap()
}

fn request(method: Method, path: &str, body: &str) -> Request<Full<bytes::Bytes>> {
    let content_type =
        if method == Method::PATCH { "application/apply-patch+yaml" } else { "application/json" };
    Request::builder()
        .method(method)
        .uri(path)
        .header(header::CONTENT_TYPE, content_type)
        .header(header::USER_AGENT, "tester/1.0")
        .body(Full::from(body.to_owned()))
        .unwrap()
}

async fn ask(api: &Api, method: Method, path: &str, body: &str) -> (u16, Value) {
    let response = api.service().answer(request(method, path, body)).await;
    let code = response.status().as_u16();
    let bytes = response.into_body().collect().await.unwrap().to_bytes();
    (code, serde_json::from_slice(&bytes).unwrap_or_default())
}

async fn lines(body: Body, n_lines: usize) -> Vec<Value> {
    let mut body = body;
    let mut text = Vec::new();
    while text.iter().filter(|byte| **byte == b'\n').count() < n_lines {
        let frame = body.frame().await.unwrap().unwrap();
        text.extend_from_slice(frame.data_ref().unwrap());
    }
    String::from_utf8(text).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

const MAPS: &str = "/api/v1/namespaces/default/configmaps";

#[tokio::test]
async fn pages_are_of_one_revision() {
    let api = api().await;
    for n in 0..7 {
        api.create(&config_maps(), "default", config_map(&format!("c{n}")), &WriteOptions::default())
            .await
            .unwrap();
    }
    let (code, first) = ask(&api, Method::GET, &format!("{MAPS}?limit=3"), "").await;
    assert_eq!(
        (code, first.items_at(&["items"]).len(), first.int_at(&["metadata", "remainingItemCount"])),
        (200, 3, Some(4))
    );
    // What happens between two pages does not show.
    api.delete(&config_maps(), "default", "c5", &Default::default()).await.unwrap();
    api.create(&config_maps(), "default", config_map("c45"), &WriteOptions::default()).await.unwrap();
    let mut names: Vec<String> = Vec::new();
    let mut page = first;
    loop {
        names.extend(
            page.items_at(&["items"])
                .iter()
                .map(|item| item.str_at(&["metadata", "name"]).unwrap().to_owned()),
        );
        let Some(token) = page.str_at(&["metadata", "continue"]).map(str::to_owned) else { break };
        page = ask(&api, Method::GET, &format!("{MAPS}?limit=3&continue={token}"), "").await.1;
    }
    assert_eq!(names, ["c0", "c1", "c2", "c3", "c4", "c5", "c6"]);
    let (code, status) = ask(&api, Method::GET, &format!("{MAPS}?continue=junk"), "").await;
    assert_eq!((code, status.str_at(&["reason"])), (400, Some("BadRequest")));
}

#[tokio::test]
async fn watches_begin_anywhere_and_end_when_too_old() {
    let api = api().await;
    let first =
        api.create(&config_maps(), "default", config_map("a"), &WriteOptions::default()).await.unwrap();
    let since = first.object.resource_version().to_owned();
    api.patch(
        &config_maps(),
        "default",
        "a",
        Patch::Merge(value!({"data": {"a": "2"}})),
        &WriteOptions::default(),
    )
    .await
    .unwrap();
    api.delete(&config_maps(), "default", "a", &Default::default()).await.unwrap();
    let watch = format!("{MAPS}?watch=true&resourceVersion={since}&fieldSelector=metadata.name%3Da");
    let response = api.service().answer(request(Method::GET, &watch, "")).await;
    let told = lines(response.into_body(), 2).await;
    let kinds: Vec<_> = told.iter().map(|event| event.str_at(&["type"]).unwrap()).collect();
    assert_eq!(kinds, ["MODIFIED", "DELETED"]);
    let streaming = format!(
        "{MAPS}?watch=true&sendInitialEvents=true&allowWatchBookmarks=true&resourceVersionMatch=NotOlderThan&labelSelector=none"
    );
    let response = api.service().answer(request(Method::GET, &streaming, "")).await;
    let told = lines(response.into_body(), 1).await;
    assert_eq!(told[0].str_at(&["type"]), Some("BOOKMARK"));
    let end = ["object", "metadata", "annotations", "k8s.io/initial-events-end"];
    assert_eq!(told[0].str_at(&end), Some("true"));
    api.store().table("/configmaps").compact(api.store().revision());
    let response = api.service().answer(request(Method::GET, &watch, "")).await;
    assert_eq!(response.status(), 200);
    let told = lines(response.into_body(), 1).await;
    assert_eq!((told[0].str_at(&["type"]), told[0].int_at(&["object", "code"])), (Some("ERROR"), Some(410)));
    assert_eq!(told[0].str_at(&["object", "reason"]), Some("Expired"));
}

#[tokio::test]
async fn an_object_that_ceases_to_match_is_deleted_for_the_watcher() {
    let api = api().await;
    let options = WatchOptions { label_selector: "x=y".into(), ..WatchOptions::default() };
    let mut watch = api.watch(&config_maps(), Some("default"), &options).unwrap();
    let mut object = config_map("a");
    object.set_at(&["metadata", "labels", "x"], "y");
    api.create(&config_maps(), "default", object, &WriteOptions::default()).await.unwrap();
    assert!(matches!(watch.next().await.unwrap(), WatchEvent::Added(object) if object.name() == "a"));
    let patch = Patch::Merge(value!({"metadata": {"labels": {"x": "z"}}}));
    let written = api.patch(&config_maps(), "default", "a", patch, &WriteOptions::default()).await.unwrap();
    let WatchEvent::Deleted(object) = watch.next().await.unwrap() else { panic!("it no longer matches") };
    assert_eq!(
        (object.label("x"), object.resource_version()),
        (Some("y"), written.object.resource_version())
    );
}

#[tokio::test]
async fn writes_are_guarded() {
    let api = api().await;
    let (code, created) =
        ask(&api, Method::POST, MAPS, r#"{"metadata":{"name":"a"},"data":{"k":"v"}}"#).await;
    assert_eq!((code, created.str_at(&["kind"])), (201, Some("ConfigMap")));
    let (code, status) = ask(&api, Method::POST, MAPS, r#"{"metadata":{"name":"a"}}"#).await;
    assert_eq!((code, status.str_at(&["message"])), (409, Some("configmaps \"a\" already exists")));
    let stale = r#"{"metadata":{"name":"a","resourceVersion":"1"},"data":{}}"#;
    let (code, status) = ask(&api, Method::PUT, &format!("{MAPS}/a"), stale).await;
    assert_eq!((code, status.str_at(&["reason"])), (409, Some("Conflict")));
    let revision = api.store().revision();
    let same = r#"{"metadata":{"name":"a"},"data":{"k":"v"}}"#;
    assert_eq!(ask(&api, Method::PUT, &format!("{MAPS}/a"), same).await.0, 200);
    assert_eq!(api.store().revision(), revision, "a write that changes nothing is none");
    let (code, _) = ask(
        &api,
        Method::PATCH,
        &format!("{MAPS}/a?fieldManager=x&dryRun=All"),
        r#"{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"a"},"data":{"n":"1"}}"#,
    )
    .await;
    assert_eq!((code, api.store().revision()), (200, revision));
    let (code, status) =
        ask(&api, Method::PATCH, &format!("{MAPS}/a"), r#"{"apiVersion":"v1","kind":"ConfigMap"}"#).await;
    assert_eq!((code, status.str_at(&["reason"])), (422, Some("Invalid")));
    let body = r#"{"preconditions":{"uid":"other"}}"#;
    let (code, status) = ask(&api, Method::DELETE, &format!("{MAPS}/a"), body).await;
    assert_eq!((code, status.str_at(&["reason"])), (409, Some("Conflict")));
    let (code, status) = ask(&api, Method::DELETE, &format!("{MAPS}/a"), "").await;
    assert_eq!((code, status.str_at(&["status"])), (200, Some("Success")));
    let large = format!(r#"{{"metadata":{{"name":"b"}},"data":{{"k":"{}"}}}}"#, "x".repeat(3 << 20));
    assert_eq!(ask(&api, Method::POST, MAPS, &large).await.0, 413);
}

#[tokio::test]
async fn finalizers_hold_an_object() {
    let api = api().await;
    let mut object = config_map("a");
    object.set_at(&["metadata", "finalizers"], vec![Value::from("example.com/wait")]);
    api.create(&config_maps(), "default", object, &WriteOptions::default()).await.unwrap();
    let (code, marked) = ask(&api, Method::DELETE, &format!("{MAPS}/a"), "").await;
    assert_eq!(code, 200);
    assert!(marked.at(&["metadata", "deletionTimestamp"]).is_some());
    assert!(api.get(&config_maps(), "default", "a").unwrap().is_terminating());
    let patch = Patch::Merge(value!({"metadata": {"finalizers": null}}));
    api.patch(&config_maps(), "default", "a", patch, &WriteOptions::default()).await.unwrap();
    assert_eq!(api.get(&config_maps(), "default", "a").unwrap_err().reason, "NotFound");
}

#[tokio::test]
async fn users_may_what_roles_allow() {
    let api = api().await;
    let bob = api.as_user(UserInfo {
        name: "bob".into(),
        groups: vec!["system:authenticated".into()],
        ..UserInfo::default()
    });
    let (code, status) = ask(&bob, Method::GET, MAPS, "").await;
    let message = r#"configmaps is forbidden: User "bob" cannot list resource "configmaps" in API group "" in the namespace "default""#;
    assert_eq!((code, status.str_at(&["message"])), (403, Some(message)));
    let rbac = "/apis/rbac.authorization.k8s.io/v1/namespaces/default";
    let role = r#"{"metadata":{"name":"r"},"rules":[{"apiGroups":[""],"resources":["configmaps"],"verbs":["list"]}]}"#;
    assert_eq!(ask(&api, Method::POST, &format!("{rbac}/roles"), role).await.0, 201);
    let binding = r#"{"metadata":{"name":"b"},"roleRef":{"apiGroup":"rbac.authorization.k8s.io","kind":"Role","name":"r"},"subjects":[{"kind":"User","name":"bob","apiGroup":"rbac.authorization.k8s.io"}]}"#;
    assert_eq!(ask(&api, Method::POST, &format!("{rbac}/rolebindings"), binding).await.0, 201);
    assert_eq!(ask(&bob, Method::GET, MAPS, "").await.0, 200);
    assert_eq!(ask(&bob, Method::GET, "/api/v1/configmaps", "").await.0, 403);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_server_kept_is_there_again() {
    let directory = tempfile::tempdir().unwrap();
    let config = Config { data: Data::Dir(directory.path().to_owned()), ..Config::default() };
    let server = Server::start(config.clone()).await.unwrap();
    let definition =
        Object::try_new(serde_json::from_str(include_str!("data/custom-definition.json")).unwrap()).unwrap();
    let definitions = Gvr::new("apiextensions.k8s.io", "v1", "customresourcedefinitions");
    server.api().create(&definitions, "", definition, &WriteOptions::default()).await.unwrap();
    let widgets = Gvr::new("example.com", "v1", "widgets");
    let widget = value!({"apiVersion": "example.com/v1", "kind": "Widget", "metadata": {"name": "w"}, "spec": {"size": "small"}});
    server
        .api()
        .create(&widgets, "default", Object::try_new(widget).unwrap(), &WriteOptions::default())
        .await
        .unwrap();
    let ca = server.ca_pem().to_owned();
    server.shutdown().await;
    let server = Server::start(config).await.unwrap();
    assert_eq!(server.ca_pem(), ca);
    let list = server.api().list(&widgets, None, &ListOptions::default()).unwrap();
    assert_eq!(list.items.len(), 1);
    assert_eq!(list.items[0].at(&["spec", "replicas"]).and_then(Value::as_int), Some(2));
    use std::os::unix::fs::PermissionsExt;
    let mode = std::fs::metadata(directory.path().join("ca.key")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    server.shutdown().await;
}

/// Asks a server over TLS, as a client that trusts its authority.
async fn ask_over_tls(server: &Server, path: &str, token: Option<&str>) -> (u16, Value) {
    use rustls_pki_types::pem::PemObject;
    let mut roots = rustls::RootCertStore::empty();
    roots.add(rustls_pki_types::CertificateDer::from_pem_slice(server.ca_pem().as_bytes()).unwrap()).unwrap();
    let provider = std::sync::Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let connector = tokio_rustls::TlsConnector::from(std::sync::Arc::new(config));
    let stream = tokio::net::TcpStream::connect(server.address()).await.unwrap();
    let stream = connector.connect("localhost".try_into().unwrap(), stream).await.unwrap();
    let io = hyper_util::rt::TokioIo::new(stream);
    let (mut sender, connection) = hyper::client::conn::http1::handshake(io).await.unwrap();
    tokio::spawn(connection);
    let mut request = request(Method::GET, path, "");
    if let Some(token) = token {
        let value = format!("Bearer {token}").parse().unwrap();
        request.headers_mut().insert(header::AUTHORIZATION, value);
    }
    let response = sender.send_request(request).await.unwrap();
    let code = response.status().as_u16();
    let bytes = response.into_body().collect().await.unwrap().to_bytes();
    (code, serde_json::from_slice(&bytes).unwrap_or_default())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn strangers_get_nothing_over_tls() {
    let server = Server::start(Config::default()).await.unwrap();
    let (code, version) = ask_over_tls(&server, "/version", None).await;
    assert_eq!((code, version.str_at(&["gitVersion"])), (200, Some("v1.36.3+windlass")));
    for token in [None, Some("wrong"), Some("")] {
        let (code, status) = ask_over_tls(&server, "/api/v1/secrets", token).await;
        assert_eq!((code, status.str_at(&["reason"])), (401, Some("Unauthorized")));
    }
    let (code, list) = ask_over_tls(&server, "/api/v1/secrets", Some(server.admin_token())).await;
    assert_eq!((code, list.str_at(&["kind"])), (200, Some("SecretList")));
    let (code, token) = {
        let body = r#"{"spec":{"expirationSeconds":600}}"#;
        ask(
            server.api(),
            Method::POST,
            "/api/v1/namespaces/default/serviceaccounts",
            r#"{"metadata":{"name":"robot"}}"#,
        )
        .await;
        ask(server.api(), Method::POST, "/api/v1/namespaces/default/serviceaccounts/robot/token", body).await
    };
    assert_eq!(code, 201);
    let robot = token.str_at(&["status", "token"]).unwrap();
    let (code, status) = ask_over_tls(&server, "/api/v1/secrets", Some(robot)).await;
    assert_eq!(code, 403);
    assert!(status.str_at(&["message"]).unwrap().contains("system:serviceaccount:default:robot"));
    server.shutdown().await;
}
