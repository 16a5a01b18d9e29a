//! Ages as people read them.

use std::time::SystemTime;

use windlass_kube::Value;

/// A duration with two or three figures, as `duration.HumanDuration` of apimachinery prints it.
///
/// Up to one second before zero counts as zero; anything earlier is `<invalid>`.
#[must_use]
pub fn human_duration(seconds: i64) -> String {
    let two = |large: i64, unit: char, small: i64, part: char| {
        if small == 0 { format!("{large}{unit}") } else { format!("{large}{unit}{small}{part}") }
    };
    let (minutes, hours) = (seconds / 60, seconds / 3600);
    let days = hours / 24;
    match seconds {
        i64::MIN..-1 => "<invalid>".into(),
        -1 => "0s".into(),
        0..120 => format!("{seconds}s"),
        _ if minutes < 10 => two(minutes, 'm', seconds % 60, 's'),
        _ if minutes < 180 => format!("{minutes}m"),
        _ if hours < 8 => two(hours, 'h', minutes % 60, 'm'),
        _ if hours < 48 => format!("{hours}h"),
        _ if hours < 192 => two(days, 'd', hours % 24, 'h'),
        _ if days < 730 => format!("{days}d"),
        _ if days < 2920 => two(days / 365, 'y', days % 365, 'd'),
        _ => format!("{}y", days / 365),
    }
}

/// How long ago a timestamp was: `<unknown>` when it is not set.
#[must_use]
pub fn since(timestamp: Option<&Value>, now: SystemTime) -> String {
    match seconds_of(timestamp) {
        Some(then) => human_duration(seconds_of_now(now).saturating_sub(then)),
        None => "<unknown>".into(),
    }
}

/// Seconds since 1970 of a timestamp.
pub(super) fn seconds_of(timestamp: Option<&Value>) -> Option<i64> {
    let time: jiff::Timestamp = timestamp?.as_str()?.parse().ok()?;
    Some(time.as_second())
}

pub(super) fn seconds_of_now(now: SystemTime) -> i64 {
    now.duration_since(SystemTime::UNIX_EPOCH)
        .map_or(0, |since| i64::try_from(since.as_secs()).unwrap_or(i64::MAX))
}
