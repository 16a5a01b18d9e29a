//! Sync windows: the rules of Argo CD, and time zones through the year.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::time::Duration;

use windlass_go::cron::Schedule;
use windlass_model::{SyncWindow, Time};
use windlass_plan::{WindowVerdict, window_verdict};

fn window(kind: &str, schedule: &str, zone: &str, hours: u64) -> SyncWindow {
    SyncWindow {
        allows: kind == "allow",
        schedule: Schedule::parse(schedule, zone).unwrap(),
        duration: Duration::from_secs(hours * 3600),
        manual_sync: false,
        overrun: false,
        description: format!("{kind} {schedule}").into(),
    }
}

fn at(text: &str) -> Time {
    text.parse().unwrap()
}

fn shown(windows: &[SyncWindow], manual: bool, started: Option<&str>, now: &str) -> String {
    match window_verdict(windows, manual, started.map(at), at(now)) {
        WindowVerdict::Open => "open".into(),
        WindowVerdict::Closed { window, until } => {
            format!("{window} until {}", until.map_or("for ever".into(), |until| until.to_string()))
        }
    }
}

#[test]
fn denying_wins_and_allowing_is_needed_where_there_is_one() {
    let day = window("allow", "0 8 * * *", "", 8);
    let lunch = window("deny", "0 12 * * *", "", 1);
    let by_hand = |window: &SyncWindow| SyncWindow { manual_sync: true, ..window.clone() };
    let cases: [(Vec<SyncWindow>, bool, &str, &str); 11] = [
        (vec![], false, "2026-01-01T12:30:00Z", "open"),
        (vec![day.clone()], false, "2026-01-01T08:00:00Z", "open"),
        (vec![day.clone()], false, "2026-01-01T16:00:00Z", "allow 0 8 * * * until 2026-01-02T08:00:00Z"),
        (vec![day.clone()], true, "2026-01-01T07:59:59Z", "allow 0 8 * * * until 2026-01-01T08:00:00Z"),
        (vec![by_hand(&day)], true, "2026-01-01T07:59:59Z", "open"),
        (
            vec![day.clone(), lunch.clone()],
            false,
            "2026-01-01T12:30:00Z",
            "deny 0 12 * * * until 2026-01-01T13:00:00Z",
        ),
        (vec![day.clone(), by_hand(&lunch)], true, "2026-01-01T12:30:00Z", "open"),
        (
            vec![day.clone(), by_hand(&lunch)],
            false,
            "2026-01-01T12:30:00Z",
            "deny 0 12 * * * until 2026-01-01T13:00:00Z",
        ),
        (vec![day, lunch.clone()], false, "2026-01-01T13:00:00Z", "open"),
        (vec![lunch.clone()], false, "2026-01-01T11:00:00Z", "open"),
        (vec![lunch], false, "2026-01-01T12:00:00Z", "deny 0 12 * * * until 2026-01-01T13:00:00Z"),
    ];
    for (windows, manual, now, expected) in cases {
        assert_eq!(shown(&windows, manual, None, now), expected, "{windows:?} manual {manual} at {now}");
    }
}

#[test]
fn a_sync_that_began_in_time_may_go_on_where_the_window_says_so() {
    let overrun = SyncWindow { overrun: true, ..window("allow", "0 8 * * *", "", 8) };
    let began = Some("2026-01-01T15:59:00Z");
    assert_eq!(shown(std::slice::from_ref(&overrun), false, began, "2026-01-01T16:30:00Z"), "open");
    let late = Some("2026-01-01T16:10:00Z");
    assert_ne!(shown(&[overrun], false, late, "2026-01-01T16:30:00Z"), "open");
    let strict = window("allow", "0 8 * * *", "", 8);
    assert_ne!(shown(&[strict], false, began, "2026-01-01T16:30:00Z"), "open");
}

/// The clock of the zone counts, before and after daylight saving, and in the nights between.
#[test]
fn windows_open_by_the_clock_of_their_zone() {
    let night = [window("allow", "0 22 * * *", "Europe/Berlin", 2)];
    for (now, expected) in [
        ("2026-01-15T20:59:59Z", "allow 0 22 * * * until 2026-01-15T21:00:00Z"),
        ("2026-01-15T21:00:00Z", "open"),
        ("2026-07-15T19:59:59Z", "allow 0 22 * * * until 2026-07-15T20:00:00Z"),
        ("2026-07-15T20:00:00Z", "open"),
        ("2026-03-28T21:00:00Z", "open"),
        ("2026-03-29T20:00:00Z", "open"),
        ("2026-03-29T19:59:59Z", "allow 0 22 * * * until 2026-03-29T20:00:00Z"),
        ("2026-10-25T21:00:00Z", "open"),
    ] {
        assert_eq!(shown(&night, false, None, now), expected, "at {now}");
    }
}
