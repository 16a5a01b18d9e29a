//! Schedules against the answers of robfig/cron (see `tools/oracle-cron`).

use jiff::Timestamp;
use serde_json::Value;
use windlass_go::cron::Schedule;

#[test]
fn schedules_are_due_when_robfig_cron_says() {
    let (mut n_times, mut n_refused) = (0, 0);
    for line in include_str!("data/cron.jsonl").lines().skip(1) {
        let line: Value = serde_json::from_str(line).unwrap();
        let (text, zone) = (line["schedule"].as_str().unwrap(), line["zone"].as_str().unwrap());
        let schedule = Schedule::parse(text, zone);
        if line.get("error").is_some() {
            assert!(schedule.is_err(), "{line}");
            n_refused += 1;
            continue;
        }
        let schedule = schedule.unwrap();
        let mut at: Timestamp = line["after"].as_str().unwrap().parse().unwrap();
        for expected in line["next"].as_array().unwrap() {
            let next = schedule.next_after(at.as_second()).unwrap();
            at = Timestamp::from_second(next).unwrap();
            assert_eq!(at.to_string(), expected.as_str().unwrap(), "{line}");
            n_times += 1;
        }
        if line["next"].as_array().unwrap().len() < 3 {
            assert_eq!(schedule.next_after(at.as_second()), None, "{line}");
        }
    }
    assert!(n_times > 5000 && n_refused > 20, "{n_times} times, {n_refused} refused");
}

#[test]
fn words_stand_for_schedules() {
    let daily = Schedule::parse_with_words("@daily", "Europe/Berlin").unwrap();
    assert_eq!(daily, Schedule::parse("0 0 * * *", "Europe/Berlin").unwrap());
    assert!(Schedule::parse("@daily", "").is_err());
}
