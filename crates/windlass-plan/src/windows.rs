//! Whether sync windows let a sync begin or go on.

use windlass_kube::Str;
use windlass_model::{SyncWindow, Time};

/// What windows say of a sync.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WindowVerdict {
    /// It may go on.
    Open,
    /// It may not.
    Closed {
        /// The window that denies it, or the first one that would allow it, in words.
        window: Str,
        /// When that may change; `None` when no window opens or closes any more.
        until: Option<Time>,
    },
}

/// Whether a sync may begin, or go on when it has `started`, at `now`.
///
/// The rules are those of Argo CD 3.6 (`SyncWindows.CanSync`): a denying window that is open forbids, to people too
/// unless all of those allow manual syncs; else an allowing one that is open allows; else, where there are allowing
/// ones, it is forbidden, to people too unless all of those allow manual syncs; else it is allowed. A sync that began
/// when it was allowed may go on if every window in the way says so.
///
/// Unlike Argo CD, which takes today's distance from UTC for every day, a window opens at the time of its zone.
#[must_use]
pub fn window_verdict(
    windows: &[SyncWindow],
    manual: bool,
    started: Option<Time>,
    now: Time,
) -> WindowVerdict {
    let Some(in_the_way) = in_the_way(windows, manual, now) else { return WindowVerdict::Open };
    let began_in_time = started.is_some_and(|started| self::in_the_way(windows, manual, started).is_none());
    if began_in_time && in_the_way.iter().all(|window| window.overrun) {
        return WindowVerdict::Open;
    }
    let window = in_the_way.first().map(|window| window.description.clone()).unwrap_or_default();
    WindowVerdict::Closed { window, until: next_change(windows, now) }
}

/// The windows that forbid a sync; `None` when none does.
fn in_the_way(windows: &[SyncWindow], manual: bool, now: Time) -> Option<Vec<&SyncWindow>> {
    let denying: Vec<&SyncWindow> =
        windows.iter().filter(|window| !window.allows && window.is_open(now)).collect();
    let allowing = || windows.iter().filter(|window| window.allows);
    let forbidding = if denying.is_empty() {
        if allowing().any(|window| window.is_open(now)) {
            return None;
        }
        allowing().collect()
    } else {
        denying
    };
    let is_excepted = manual && forbidding.iter().all(|window| window.manual_sync);
    (!forbidding.is_empty() && !is_excepted).then_some(forbidding)
}

/// When the first window opens or closes after `now`.
fn next_change(windows: &[SyncWindow], now: Time) -> Option<Time> {
    windows.iter().filter_map(|window| window.next_change(now)).min()
}
