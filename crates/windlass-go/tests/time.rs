//! Times against what Go answered (`tests/data/time.jsonl`).

use serde_json::Value;
use windlass_go::time::{Time, Zone};

/// How recorded times are written.
const RECORDED: &str = "2006-01-02 15:04:05.999999999 -07:00:00 MST";

#[test]
fn times_are_those_of_go() {
    let mut differences = Vec::new();
    for line in include_str!("data/time.jsonl").lines() {
        let record: Value = serde_json::from_str(line).unwrap();
        let (expected, found) = answers(&record);
        if expected != found {
            differences.push(format!("{line}\n  go   {expected}\n  here {found}"));
        }
    }
    assert!(differences.is_empty(), "{}", differences.join("\n"));
}

/// What Go answered, and what is answered here.
fn answers(record: &Value) -> (String, String) {
    let field = |name: &str| record[name].as_str().unwrap_or_default().to_owned();
    let layout = field("layout");
    if let Some(seconds) = record["unix"].as_i64() {
        let zone = Zone::load(&field("in")).unwrap_or(Zone::Utc);
        return (field("formatted"), Time::from_unix(seconds, 0).in_zone(zone).format(&layout));
    }
    match Time::parse(&layout, &field("parse"), &Zone::Utc) {
        Err(error) => (field("error"), error.to_string()),
        Ok(time) => {
            let expected = format!("{} in {}", field("time"), field("zone"));
            (expected, format!("{} in {}", time.format(RECORDED), time.zone().name()))
        }
    }
}

#[test]
fn dates_go_there_and_back() {
    // A day in each of many years, leap years and the year zero among them.
    for day in (-800_000..800_000).step_by(97) {
        let time = Time::from_unix(day * 86_400 + 3_723, 5);
        let back = Time::from_civil(time.civil(), time.nanosecond(), &Zone::Utc);
        assert_eq!((back.unix(), back.nanosecond()), (time.unix(), 5));
    }
}
