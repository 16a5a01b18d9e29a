//! Watches that never end: list, follow, and list again when the server says so.

use std::time::Duration;

use bytes::BytesMut;
use http_body_util::BodyExt;
use tokio::sync::mpsc;
use tokio::time::Instant;
use windlass_kube::{Object, Str, Value};

use crate::client::{PAGE_SIZE, complete, decode, escape};
use crate::{ApiError, ClusterClient, Resource};

/// What a watch brings.
#[derive(Debug, Clone)]
pub enum WatchEvent {
    /// A list begins: everything known of this kind may be out of date until [`WatchEvent::Listed`].
    Listing,
    /// An object is there, in this state: from the list, or because it was made or changed.
    Applied(Object),
    /// An object is gone; this was its last state.
    Deleted(Object),
    /// The list is complete: what it did not bring was gone at this version.
    Listed(Str),
    /// The kind is not served any more, or not yet.
    NotServed,
    /// The server cannot be reached or refuses; the watch goes on trying.
    Failing(String),
}

/// Which objects of a kind are watched.
#[derive(Debug, Clone, Default)]
pub struct WatchScope {
    /// Only this namespace; empty is all.
    pub namespace: Str,
    /// Only objects with these labels; empty is all.
    pub label_selector: Str,
}

/// The server ends a watch after this long; kube-apiserver spreads watches of clients between 5 and 10 minutes.
const WATCH_SECONDS: u32 = 290;

/// A watch that is silent for longer than it may last is dead.
const SILENCE: Duration = Duration::from_secs(WATCH_SECONDS as u64 + 15);

/// A watch that brings bookmarks and is silent for so long is dead. kube-apiserver sends one about a minute after the
/// last (`defaultBookmarkFrequency` of its watch cache, looked after once a second), the embedded API as well: two have
/// failed to come then, each a quarter late.
const SILENCE_AFTER_BOOKMARK: Duration = Duration::from_secs(150);

/// A watch that ends sooner than this was cut; without a pause, a server that cuts them all would be stormed.
const SHORTEST_WATCH: Duration = Duration::from_secs(1);

/// One event of a watch: many times what an API server stores as one object.
const MAX_EVENT_BYTES: usize = 64 * 1024 * 1024;

/// The first pause after a failure, doubled up to [`LONGEST_PAUSE`].
const FIRST_PAUSE: Duration = Duration::from_millis(100);

/// A server that comes back is noticed within this time.
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// Lists and follows a kind until the receiver of `events` is dropped.
///
/// # Guarantees
///
/// After a [`WatchEvent::Listed`] the receiver has seen every object that was there. No change is left out: when
/// the server forgot the version the watch stands at, everything is listed again.
///
/// # Cancel safety
///
/// Dropping the future ends the watch; nothing is lost but the watch.
pub async fn watch(
    client: ClusterClient,
    resource: Resource,
    scope: WatchScope,
    events: mpsc::Sender<WatchEvent>,
) {
    let mut pause = FIRST_PAUSE;
    let mut position: Option<Str> = None;
    let mut bookmarks = Bookmarks::default();
    loop {
        let began = Instant::now();
        let listing = position.is_none();
        let step = async {
            match position.take() {
                None => list(&client, &resource, &scope, &events).await,
                Some(version) => follow(&client, &resource, &scope, version, &mut bookmarks, &events).await,
            }
        };
        // A server that never answers must not keep a watch alive that nobody receives.
        let result = tokio::select! {
            result = step => result,
            () = events.closed() => return,
        };
        match result {
            Ok(version) => {
                position = Some(version);
                if listing {
                    continue;
                }
                if began.elapsed() >= SHORTEST_WATCH {
                    pause = FIRST_PAUSE;
                    continue;
                }
            }
            Err(Interrupted::ReceiverGone) => return,
            Err(Interrupted::At(version, error)) => {
                tracing::debug!(kind = %resource.gvk, %error, "watch broke off, taking it up again");
                position = Some(version);
                if began.elapsed() >= SHORTEST_WATCH {
                    pause = FIRST_PAUSE;
                }
            }
            Err(Interrupted::Failed(error)) if error.is_gone() => {}
            Err(Interrupted::Failed(error)) if error.is_not_found() => {
                if events.send(WatchEvent::NotServed).await.is_err() {
                    return;
                }
            }
            Err(Interrupted::Failed(error)) => {
                tracing::debug!(kind = %resource.gvk, %error, "watch failed, trying again");
                if events.send(WatchEvent::Failing(error.to_string())).await.is_err() {
                    return;
                }
            }
        }
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            () = events.closed() => return,
        }
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}

enum Interrupted {
    ReceiverGone,
    /// Broken off by the network; the watch can be taken up at this version.
    At(Str, ApiError),
    Failed(ApiError),
}

impl From<ApiError> for Interrupted {
    fn from(error: ApiError) -> Self {
        Self::Failed(error)
    }
}

impl<T> From<mpsc::error::SendError<T>> for Interrupted {
    fn from(_: mpsc::error::SendError<T>) -> Self {
        Self::ReceiverGone
    }
}

async fn list(
    client: &ClusterClient,
    resource: &Resource,
    scope: &WatchScope,
    events: &mpsc::Sender<WatchEvent>,
) -> Result<Str, Interrupted> {
    let mut next = Str::default();
    let mut begun = false;
    loop {
        let page =
            client.list_page(resource, &scope.namespace, &scope.label_selector, PAGE_SIZE, &next).await?;
        if !begun {
            events.send(WatchEvent::Listing).await?;
            begun = true;
        }
        for item in page.items {
            if let Some(object) = complete(resource, item) {
                events.send(WatchEvent::Applied(object)).await?;
            }
        }
        if page.next.is_empty() {
            events.send(WatchEvent::Listed(page.resource_version.clone())).await?;
            return Ok(page.resource_version);
        }
        next = page.next;
    }
}

/// Whether a server sends bookmarks for a kind, as far as its watches have shown. kube-apiserver sends none for a kind
/// of which nothing has changed since it was started.
#[derive(Debug, Default)]
struct Bookmarks {
    are_sent: bool,
}

impl Bookmarks {
    /// How long a watch may be silent.
    fn patience(&self) -> Duration {
        if self.are_sent { SILENCE_AFTER_BOOKMARK } else { SILENCE }
    }
}

/// Follows from `version` until the server ends the watch, or is silent for too long; answers the version reached.
async fn follow(
    client: &ClusterClient,
    resource: &Resource,
    scope: &WatchScope,
    mut version: Str,
    bookmarks: &mut Bookmarks,
    events: &mpsc::Sender<WatchEvent>,
) -> Result<Str, Interrupted> {
    let mut path = format!(
        "{}?watch=true&allowWatchBookmarks=true&timeoutSeconds={WATCH_SECONDS}&resourceVersion={version}",
        resource.path(&scope.namespace)
    );
    if !scope.label_selector.is_empty() {
        path.push_str(&format!("&labelSelector={}", escape(&scope.label_selector)));
    }
    let mut body = client.open(&path).await?;
    let mut buffer = BytesMut::new();
    let mut searched = 0;
    loop {
        let frame = tokio::select! {
            frame = tokio::time::timeout(bookmarks.patience(), body.frame()) => frame,
            () = events.closed() => return Err(Interrupted::ReceiverGone),
        };
        let data = match frame {
            // Silent for too long, or ended by the server: take it up where it stands.
            Err(_) => {
                // A server that has begun to leave them out is asked in vain this once.
                bookmarks.are_sent = false;
                return Ok(version);
            }
            Ok(None) => return Ok(version),
            Ok(Some(Err(error))) => {
                return Err(Interrupted::At(version, ApiError::unreachable(&error)));
            }
            Ok(Some(Ok(frame))) => frame.into_data().unwrap_or_default(),
        };
        buffer.extend_from_slice(&data);
        while let Some(end) = buffer[searched..].iter().position(|byte| *byte == b'\n') {
            let line = buffer.split_to(searched + end + 1);
            searched = 0;
            match read_event(resource, &line, &mut version)? {
                Told::Event(event) => events.send(event).await?,
                Told::Bookmark => bookmarks.are_sent = true,
                Told::Nothing => {}
            }
        }
        if buffer.len() > MAX_EVENT_BYTES {
            let problem =
                format!("an event is more than {MAX_EVENT_BYTES} bytes long (limit MAX_EVENT_BYTES)");
            return Err(ApiError::Decode { request: format!("WATCH {}", resource.gvk), problem }.into());
        }
        searched = buffer.len();
    }
}

/// What one line of a watch says.
enum Told {
    Event(WatchEvent),
    Bookmark,
    Nothing,
}

fn read_event(resource: &Resource, line: &[u8], version: &mut Str) -> Result<Told, Interrupted> {
    let mut event: Value = decode(&format!("WATCH {}", resource.gvk), line)?;
    let object = event.remove_at(&["object"]).unwrap_or_default();
    let kind = event.str_at(&["type"]).unwrap_or_default();
    if kind == "ERROR" {
        let code = object.int_at(&["code"]).and_then(|code| u16::try_from(code).ok()).unwrap_or(500);
        let body = serde_json::to_vec(&object).unwrap_or_default();
        return Err(ApiError::from_answer(code, &body).into());
    }
    if let Some(reached) = object.str_at(&["metadata", "resourceVersion"]) {
        *version = reached.into();
    }
    if kind == "BOOKMARK" {
        return Ok(Told::Bookmark);
    }
    Ok(match (kind, complete(resource, object)) {
        ("ADDED" | "MODIFIED", Some(object)) => Told::Event(WatchEvent::Applied(object)),
        ("DELETED", Some(object)) => Told::Event(WatchEvent::Deleted(object)),
        _ => Told::Nothing,
    })
}
