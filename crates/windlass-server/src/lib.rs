//! What Windlass serves over HTTP beside the Kubernetes API: metrics, health, webhooks.
//!
//! | path | answers |
//! |---|---|
//! | `/healthz` | 200 while the process lives |
//! | `/readyz` | 200 once the engine watches, 503 before |
//! | `/metrics` | OpenMetrics text; the names are in `docs/metrics.md` |
//! | `POST /api/webhook` | takes pushes of Git hosts; the secret is checked before the body is parsed |
//!
//! The listener and what is done about a push belong to the caller:
//!
//! ```no_run
//! # async fn run() -> std::io::Result<()> {
//! use std::sync::{Arc, RwLock};
//! use windlass_server::{Hub, serve};
//!
//! let hub = Hub::new(Arc::default(), Arc::new(RwLock::default()), |push| {
//!     println!("pushed: {push:?}");
//!     true
//! });
//! let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
//! serve(listener, hub, std::future::pending()).await
//! # }
//! ```

mod process;
#[cfg(test)]
mod tests;
mod webhook;

use std::future::Future;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, RwLock};

use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
pub use process::register_process_metrics;
use prometheus_client::registry::Registry;
use tokio::net::TcpListener;
use windlass_source::webhook::{Push, Secrets};

/// A body of a webhook of more bytes is refused: GitHub sends at most 25 MiB, others less.
pub const MAX_WEBHOOK_BYTES: usize = 25 * 1024 * 1024;

/// What the server answers from. A clone shares it.
#[derive(Clone)]
pub struct Hub(Arc<Inner>);

struct Inner {
    registry: Arc<RwLock<Registry>>,
    secrets: Arc<RwLock<Secrets>>,
    ready: AtomicBool,
    on_push: Box<dyn Fn(Push) -> bool + Send + Sync>,
}

impl Hub {
    /// Answers metrics from `registry`, checks webhooks against `secrets`, and hands each push to `on_push`, which
    /// says whether it was taken.
    pub fn new(
        registry: Arc<RwLock<Registry>>,
        secrets: Arc<RwLock<Secrets>>,
        on_push: impl Fn(Push) -> bool + Send + Sync + 'static,
    ) -> Self {
        let inner = Inner { registry, secrets, ready: AtomicBool::new(false), on_push: Box::new(on_push) };
        Self(Arc::new(inner))
    }

    /// Says whether `/readyz` answers 200 from now on.
    pub fn set_ready(&self, ready: bool) {
        self.0.ready.store(ready, Ordering::Relaxed);
    }

    /// All paths.
    pub fn router(&self) -> Router {
        Router::new()
            .route("/healthz", get(|| async { "ok" }))
            .route("/readyz", get(readyz))
            .route("/metrics", get(metrics))
            .route("/api/webhook", post(webhook::receive))
            .layer(axum::extract::DefaultBodyLimit::max(MAX_WEBHOOK_BYTES))
            .with_state(self.clone())
    }
}

/// Serves until `shutdown` is done; requests under way are finished.
///
/// # Errors
///
/// When the listener fails.
pub async fn serve(
    listener: TcpListener,
    hub: Hub,
    shutdown: impl Future<Output = ()> + Send + 'static,
) -> std::io::Result<()> {
    axum::serve(listener, hub.router()).with_graceful_shutdown(shutdown).await
}

async fn readyz(State(hub): State<Hub>) -> (StatusCode, &'static str) {
    if hub.0.ready.load(Ordering::Relaxed) {
        (StatusCode::OK, "ok")
    } else {
        (StatusCode::SERVICE_UNAVAILABLE, "the engine is not watching yet")
    }
}

async fn metrics(State(hub): State<Hub>) -> Response {
    let mut text = String::new();
    let encoded = {
        let registry = hub.0.registry.read().unwrap_or_else(std::sync::PoisonError::into_inner);
        prometheus_client::encoding::text::encode(&mut text, &registry)
    };
    match encoded {
        Ok(()) => {
            let content_type = "application/openmetrics-text; version=1.0.0; charset=utf-8";
            ([(header::CONTENT_TYPE, content_type)], text).into_response()
        }
        Err(_) => (StatusCode::INTERNAL_SERVER_ERROR, "the metrics could not be written").into_response(),
    }
}
