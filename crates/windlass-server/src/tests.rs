//! The paths, asked in process.

use std::sync::{Arc, Mutex, RwLock};

use axum::body::Body;
use axum::http::{Request, StatusCode};
use http_body_util::BodyExt;
use tower::ServiceExt;
use windlass_source::Secret;
use windlass_source::webhook::Secrets;

use crate::Hub;

async fn ask(hub: &Hub, request: Request<Body>) -> (StatusCode, String) {
    let response = hub.router().oneshot(request).await.unwrap();
    let status = response.status();
    let body = response.into_body().collect().await.unwrap().to_bytes();
    (status, String::from_utf8_lossy(&body).into_owned())
}

fn get(path: &str) -> Request<Body> {
    Request::get(path).body(Body::empty()).unwrap()
}

#[tokio::test]
async fn readiness_follows_the_engine() {
    let hub = Hub::new(Arc::default(), Arc::default(), |_| true);
    assert_eq!(ask(&hub, get("/healthz")).await.0, StatusCode::OK);
    assert_eq!(ask(&hub, get("/readyz")).await.0, StatusCode::SERVICE_UNAVAILABLE);
    hub.set_ready(true);
    assert_eq!(ask(&hub, get("/readyz")).await.0, StatusCode::OK);
}

#[tokio::test]
async fn metrics_are_openmetrics() {
    let hub = Hub::new(Arc::default(), Arc::default(), |_| true);
    let (status, text) = ask(&hub, get("/metrics")).await;
    assert_eq!((status, text.as_str()), (StatusCode::OK, "# EOF\n"));
}

#[tokio::test]
async fn a_webhook_without_the_right_secret_is_refused_unread() {
    let secrets = Secrets { gitlab: Some(Secret::new("right".to_string())), ..Secrets::default() };
    let taken = Arc::new(Mutex::new(0));
    let count = taken.clone();
    let hub = Hub::new(Arc::default(), Arc::new(RwLock::new(secrets)), move |_| {
        *count.lock().unwrap() += 1;
        true
    });
    let request = |token: &str| {
        Request::post("/api/webhook")
            .header("x-gitlab-event", "Push Hook")
            .header("x-gitlab-token", token)
            .body(Body::from(
                r#"{"object_kind":"push","ref":"refs/heads/main","project":{"web_url":"https://gitlab.example/a/b","default_branch":"main"}}"#,
            ))
            .unwrap()
    };
    assert_eq!(ask(&hub, request("wrong")).await.0, StatusCode::UNAUTHORIZED);
    assert_eq!(*taken.lock().unwrap(), 0);
    let (status, text) = ask(&hub, request("right")).await;
    assert_eq!((status, text.as_str()), (StatusCode::OK, "1 pushes taken\n"));
    assert_eq!(*taken.lock().unwrap(), 1);
}
