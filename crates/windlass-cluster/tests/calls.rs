//! Single calls: paths, bodies and failures.

mod scripted;

use scripted::{Answer, Server};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use windlass_cluster::{ApiError, ApplyOptions, ClusterClient, DeleteOptions, Resource};
use windlass_kube::{Object, Value, value};
use windlass_model::Propagation;

fn config_maps() -> Resource {
    Resource::new("", "v1", "ConfigMap", "configmaps", true)
}

fn roles() -> Resource {
    Resource::new("rbac.authorization.k8s.io", "v1", "ClusterRole", "clusterroles", false)
}

#[tokio::test]
async fn names_are_escaped_in_paths_and_queries() {
    let object = value!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "system:a/b c", "namespace": "web"}});
    let object = Object::try_new(object).unwrap();
    let role = value!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole", "metadata": {"name": "x?y"}});
    let role = Object::try_new(role).unwrap();
    let server = Server::new(vec![
        Answer::Json(200, object.to_value()),
        Answer::Json(200, role.to_value()),
        Answer::Json(200, Value::object()),
        Answer::Json(404, value!({"kind": "Status", "code": 404, "reason": "NotFound"})),
    ]);
    let client = server.client();
    client.apply(&config_maps(), &object, &ApplyOptions::new("a&b").dry_run()).await.unwrap();
    client.get(&roles(), "ignored", "x?y").await.unwrap();
    let options =
        DeleteOptions { propagation: Some(Propagation::Background), uid: Some("u1".into()), dry_run: true };
    client.delete(&config_maps(), "web", "a", &options).await.unwrap();
    // What is not there need not be deleted.
    client.delete(&config_maps(), "web", "a", &DeleteOptions::default()).await.unwrap();
    assert_eq!(
        server.asked(),
        [
            "PATCH /api/v1/namespaces/web/configmaps/system:a%2Fb%20c?fieldManager=a%26b&force=true&dryRun=All",
            "GET /apis/rbac.authorization.k8s.io/v1/clusterroles/x%3Fy",
            "DELETE /api/v1/namespaces/web/configmaps/a",
            "DELETE /api/v1/namespaces/web/configmaps/a",
        ]
    );
    let options = r#"{"apiVersion":"v1","dryRun":["All"],"kind":"DeleteOptions","preconditions":{"uid":"u1"},"propagationPolicy":"Background"}"#;
    assert_eq!(server.bodies()[2], options);
}

#[tokio::test]
async fn a_refusal_names_every_cause() {
    let refusal = value!({
        "kind": "Status", "status": "Failure", "code": 422, "reason": "Invalid",
        "message": "Deployment \"a\" is invalid",
        "details": {"causes": [
            {"reason": "FieldValueRequired", "message": "Required value", "field": "spec.selector"},
            {"reason": "FieldValueInvalid", "message": "Invalid value: -1", "field": "spec.replicas"}
        ]}
    });
    let error = Server::new(vec![Answer::Json(422, refusal)])
        .client()
        .get(&config_maps(), "web", "a")
        .await
        .unwrap_err();
    assert!(error.is_refusal() && !error.is_transient() && !error.is_conflict());
    assert_eq!(error.to_string(), "Deployment \"a\" is invalid");
    let ApiError::Status(status) = error else { panic!("{error:?}") };
    assert_eq!((status.code, status.reason.as_str()), (422, "Invalid"));
    let fields: Vec<&str> = status.causes.iter().map(|cause| cause.field.as_str()).collect();
    assert_eq!(fields, ["spec.selector", "spec.replicas"]);
}

#[tokio::test]
async fn failures_are_told_apart() {
    for (code, not_found, conflict, gone, refusal, transient) in [
        (400, false, false, false, true, false),
        (403, false, false, false, true, false),
        (404, true, false, false, false, false),
        (409, false, true, false, false, false),
        (410, false, false, true, false, false),
        (500, false, false, false, false, true),
        (503, false, false, false, false, true),
    ] {
        let error = Server::new(vec![Answer::Json(code, value!("a proxy's page"))])
            .client()
            .get_path("/version")
            .await
            .unwrap_err();
        let seen = (
            error.is_not_found(),
            error.is_conflict(),
            error.is_gone(),
            error.is_refusal(),
            error.is_transient(),
        );
        assert_eq!(seen, (not_found, conflict, gone, refusal, transient), "{code}");
        assert_eq!(error.to_string(), format!("HTTP status {code}: \"a proxy's page\""));
    }
    let error = Server::new(vec![Answer::Unreachable]).client().get_path("/version").await.unwrap_err();
    assert!(error.is_transient());
    assert!(error.to_string().ends_with("connection refused"), "{error}");
    let error =
        Server::new(vec![Answer::Json(200, value!([]))]).client().get(&config_maps(), "web", "a").await;
    assert!(matches!(error, Err(ApiError::Decode { .. })), "{error:?}");
}

#[tokio::test(start_paused = true)]
async fn only_a_busy_server_is_asked_again_and_only_a_few_times() {
    let busy = || Answer::Json(429, value!({"kind": "Status", "code": 429, "reason": "TooManyRequests"}));
    let server = Server::new(vec![busy(), busy(), Answer::Json(200, value!({"a": 1}))]);
    assert_eq!(server.client().get_path("/version").await.unwrap(), value!({"a": 1}));
    assert_eq!(server.asked().len(), 3);
    let server = Server::new((0..20).map(|_| busy()).collect());
    assert!(server.client().get_path("/version").await.unwrap_err().is_transient());
    assert_eq!(server.asked().len(), 4);
    for code in [500, 502, 503, 504] {
        let server =
            Server::new(vec![Answer::Json(code, Value::object()), Answer::Json(200, Value::object())]);
        assert!(server.client().get_path("/version").await.is_err());
        assert_eq!(server.asked().len(), 1, "{code}");
    }
}

/// A server on a socket: the client's own layers must not repeat what a script in process cannot see.
#[tokio::test]
async fn no_layer_below_repeats_a_call() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (asked, mut seen) = tokio::sync::mpsc::unbounded_channel();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut head = Vec::new();
            while !head.ends_with(b"\r\n\r\n") && stream.read_buf(&mut head).await.is_ok_and(|n| n > 0) {}
            let _ = asked.send(());
            let answer = b"HTTP/1.1 503 Service Unavailable\r\nretry-after: 0\r\nconnection: close\r\ncontent-length: 2\r\n\r\n{}";
            let _ = stream.write_all(answer).await;
        }
    });
    let url = format!("http://{address}").parse().unwrap();
    let client = ClusterClient::from_config(kube::Config::new(url)).unwrap();
    assert_eq!(client.get_path("/version").await.unwrap_err().code(), Some(503));
    assert!(seen.recv().await.is_some());
    assert!(seen.try_recv().is_err(), "asked more than once");
}
