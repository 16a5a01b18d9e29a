//! Waiting for an Application to become something, with progress where it takes longer than a second.

use std::time::{Duration, Instant};

use anyhow::Result;
use windlass_cluster::ApiError;
use windlass_kube::Object;

use crate::output;
use crate::session::Session;

/// What one look at an Application shows.
pub(super) enum Look<T> {
    /// It came to pass.
    Done(T),
    /// Not yet, for this reason: a sentence for people.
    Pending(String),
}

/// Nothing is said before this: what is over sooner needs no progress.
const PATIENCE: Duration = Duration::from_secs(1);
/// The first pause between two looks; one object is cheap to read, and most waits are short.
const FIRST_PAUSE: Duration = Duration::from_millis(50);
/// Pauses grow up to this.
const LONGEST_PAUSE: Duration = Duration::from_millis(500);

/// Looks until it is done; `None` when `timeout` is over first. The look gets `None` when the Application is gone.
///
/// A server that does not answer for a while is waited for too.
pub(super) async fn until<T>(
    session: &Session,
    name: &str,
    timeout: Option<Duration>,
    mut look: impl FnMut(Option<&Object>) -> Look<T>,
) -> Result<Option<T>> {
    let begun = Instant::now();
    let mut pause = FIRST_PAUSE;
    let mut said = String::new();
    loop {
        let pending = match session.find(name).await {
            Ok(object) => match look(object.as_ref()) {
                Look::Done(found) => return Ok(Some(found)),
                Look::Pending(reason) => reason,
            },
            Err(error) if is_transient(&error) && begun.elapsed() > PATIENCE => {
                "the cluster does not answer, trying again".into()
            }
            Err(error) => return Err(error),
        };
        let is_over = timeout.is_some_and(|timeout| begun.elapsed() >= timeout);
        if (is_over || begun.elapsed() >= PATIENCE) && pending != said {
            output::note(&format!("{:>6} {name}: {pending}", format!("{}s", begun.elapsed().as_secs())));
            said = pending;
        }
        if is_over {
            return Ok(None);
        }
        let left = timeout.map_or(pause, |timeout| timeout.saturating_sub(begun.elapsed()));
        tokio::time::sleep(pause.min(left)).await;
        pause = (pause * 3 / 2).min(LONGEST_PAUSE);
    }
}

fn is_transient(error: &anyhow::Error) -> bool {
    error.chain().filter_map(|cause| cause.downcast_ref::<ApiError>()).any(ApiError::is_transient)
}

/// Reads `90s`, `2m`, `1h30m`; a bare number is seconds, and 0 is without end.
pub(super) fn timeout(text: &str) -> Result<Duration, String> {
    if let Ok(seconds) = text.parse() {
        return Ok(Duration::from_secs(seconds));
    }
    let duration: windlass_go::duration::Duration =
        text.parse().map_err(|error: windlass_go::duration::ParseDurationError| error.to_string())?;
    Duration::try_from(duration).map_err(|_| "a time cannot be negative".to_string())
}

/// The timeout as [`until`] takes it.
pub(super) fn limit(timeout: Duration) -> Option<Duration> {
    (!timeout.is_zero()).then_some(timeout)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn timeouts_are_seconds_or_durations() {
        for (text, seconds) in [("90", 90), ("2m", 120), ("1h30m", 5_400), ("0", 0)] {
            assert_eq!(timeout(text).unwrap().as_secs(), seconds);
        }
        for text in ["-3s", "soon", ""] {
            assert!(timeout(text).is_err(), "{text}");
        }
        assert_eq!(limit(Duration::ZERO), None);
    }
}
