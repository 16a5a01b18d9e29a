//! Takes the webhooks of Git hosts.

use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use windlass_source::webhook::{Event, receive as read};

use crate::{Hub, MAX_WEBHOOK_BYTES};

pub(crate) async fn receive(State(hub): State<Hub>, headers: HeaderMap, body: Bytes) -> (StatusCode, String) {
    let secrets = hub.0.secrets.read().unwrap_or_else(std::sync::PoisonError::into_inner).clone();
    match read(&headers, &body, &secrets, MAX_WEBHOOK_BYTES) {
        Ok(Event::Push(pushes)) => {
            let n_pushes = pushes.len();
            let n_taken = pushes.into_iter().filter(|push| (hub.0.on_push)(push.clone())).count();
            if n_taken == n_pushes {
                (StatusCode::OK, format!("{n_pushes} pushes taken\n"))
            } else {
                // The sender tries again; polling finds the change in any case.
                (StatusCode::SERVICE_UNAVAILABLE, "the engine is not taking pushes now\n".into())
            }
        }
        Ok(Event::Ignored { event }) => (StatusCode::OK, format!("{event} is no push and was ignored\n")),
        Err(error) => {
            tracing::warn!(%error, "webhook refused");
            let status = StatusCode::from_u16(error.status()).unwrap_or(StatusCode::BAD_REQUEST);
            (status, format!("{error}\n"))
        }
    }
}
