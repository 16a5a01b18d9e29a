//! The embedded API answers whole conversations as kube-apiserver 1.36.3 does.
//!
//! Scenarios are data, in `conformance/scenarios`. What the real server answered is recorded in
//! `conformance/recorded`; `cargo xtask conformance --record` renews it, and is needed after a scenario has
//! changed. What differs and may is in [`DIFFERENT`], which must not hold what agrees.

#[path = "conformance/hook.rs"]
mod hook;
#[path = "conformance/known.rs"]
mod known;
#[path = "conformance/normal.rs"]
mod normal;
#[path = "conformance/random.rs"]
mod random;
#[path = "conformance/run.rs"]
mod run;
#[path = "conformance/scenario.rs"]
mod scenario;
#[path = "conformance/server.rs"]
mod server;

use std::collections::BTreeMap;
use std::path::PathBuf;

use futures_util::StreamExt;
use futures_util::stream;
use known::DIFFERENT;
use normal::{differences, normal};
use scenario::{Scenario, title};
use serde_json::{Value, json};
use server::Server;

/// The server that was recorded.
const VERSION: &str = "kube-apiserver v1.36.3";

/// How many scenarios run at once.
const AT_ONCE: usize = 6;

fn directory(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/conformance").join(name)
}

/// All scenarios, or those whose topic or name contains `WINDLASS_SCENARIOS`.
fn scenarios() -> Vec<Scenario> {
    let mut files: Vec<PathBuf> = std::fs::read_dir(directory("scenarios"))
        .expect("scenarios")
        .map(|it| it.expect("a file").path())
        .collect();
    files.sort();
    let wanted = std::env::var("WINDLASS_SCENARIOS").unwrap_or_default();
    let mut scenarios = Vec::new();
    for file in files {
        let topic = file.file_stem().expect("a name").to_string_lossy().into_owned();
        scenarios.extend(scenario::parse(&topic, &std::fs::read_to_string(&file).expect("text")));
    }
    let mut names: Vec<&str> = scenarios.iter().map(|scenario| scenario.name.as_str()).collect();
    names.sort_unstable();
    if let Some(twice) = names.windows(2).find(|pair| pair[0] == pair[1]) {
        panic!("two scenarios are called {}", twice[0]);
    }
    scenarios.retain(|scenario| format!("{}/{}", scenario.topic, scenario.name).contains(&wanted));
    scenarios
}

/// What was recorded, by scenario: the scenario's text then, and the answers.
fn recorded(topic: &str) -> BTreeMap<String, (String, Vec<Value>)> {
    let path = directory("recorded").join(format!("{topic}.jsonl"));
    let text = std::fs::read_to_string(path).unwrap_or_default();
    text.lines()
        .skip(1)
        .map(|line| {
            let line: Value = serde_json::from_str(line).expect("a recorded line");
            let text = |key: &str| line[key].as_str().expect("text").to_owned();
            (text("scenario"), (text("of"), line["answers"].as_array().expect("answers").clone()))
        })
        .collect()
}

/// Tells texts apart; FNV-1a.
fn digest(text: &str) -> String {
    let hash = text.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    format!("{hash:016x}")
}

async fn transcript(server: &Server, scenario: &Scenario) -> Vec<Value> {
    normal(scenario, run::run(server, scenario).await)
}

/// How two transcripts differ, step by step.
fn compare(scenario: &Scenario, ours: &[Value], theirs: &[Value]) -> Vec<String> {
    let mut report = Vec::new();
    for (idx, step) in scenario.steps.iter().enumerate() {
        let mut found = Vec::new();
        let (ours, theirs) = (ours.get(idx).unwrap_or(&Value::Null), theirs.get(idx).unwrap_or(&Value::Null));
        differences("", ours, theirs, &mut found);
        if !found.is_empty() {
            report.push(format!("  step {}: {}\n{}", idx + 1, title(step), found.join("\n")));
        }
    }
    report
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn answers_are_those_of_the_real_server() {
    let (server, controllers) = server::embedded().await;
    let scenarios = scenarios();
    let mut report = Vec::new();
    let mut recordings = BTreeMap::new();
    let mut n_equal = 0;
    let answered: Vec<(&Scenario, Vec<Value>)> = stream::iter(&scenarios)
        .map(|scenario| {
            let server = &server;
            async move { (scenario, transcript(server, scenario).await) }
        })
        .buffered(AT_ONCE)
        .collect()
        .await;
    for (scenario, ours) in &answered {
        let name = format!("{}/{}", scenario.topic, scenario.name);
        let recording = recordings.entry(scenario.topic.clone()).or_insert_with(|| recorded(&scenario.topic));
        let Some((_, theirs)) =
            recording.get(&scenario.name).filter(|(of, _)| *of == digest(&scenario.text()))
        else {
            report
                .push(format!("{name} has changed since it was recorded: cargo xtask conformance --record"));
            continue;
        };
        let found = compare(scenario, ours, theirs);
        let known = DIFFERENT.iter().find(|(known, _)| *known == name);
        match (found.is_empty(), known) {
            (true, None) => n_equal += 1,
            (false, Some(_)) if std::env::var_os("WINDLASS_SHOW_KNOWN").is_none() => {}
            (true, Some((_, reason))) => {
                report.push(format!("{name} agrees now; it is not different because {reason}"));
            }
            (false, _) => report.push(format!("{name}\n{}", found.join("\n"))),
        }
    }
    controllers.stop().await;
    eprintln!("{n_equal} of {} scenarios agree", scenarios.len());
    assert!(report.is_empty(), "{} of {} scenarios:\n{}", report.len(), scenarios.len(), report.join("\n"));
}

#[test]
fn differences_are_of_scenarios_that_exist() {
    let names: Vec<String> =
        scenarios().iter().map(|scenario| format!("{}/{}", scenario.topic, scenario.name)).collect();
    for (name, _) in DIFFERENT.iter().filter(|_| std::env::var_os("WINDLASS_SCENARIOS").is_none()) {
        assert!(names.iter().any(|known| known == name), "there is no scenario {name}");
    }
}

/// How two servers differ over a conversation.
async fn differ(ours: &Server, theirs: &Server, scenario: &Scenario) -> Vec<String> {
    let (ours, theirs) = tokio::join!(transcript(ours, scenario), transcript(theirs, scenario));
    compare(scenario, &ours, &theirs)
}

/// As small a part of a conversation as still makes them differ, by leaving out one step after the other.
async fn shrunk(ours: &Server, theirs: &Server, mut scenario: Scenario) -> (Scenario, Vec<String>) {
    let mut found = Vec::new();
    let mut attempt = 0;
    let mut step_idx = 0;
    while step_idx < scenario.steps.len() {
        attempt += 1;
        let smaller = random::without(&scenario, step_idx, attempt);
        let still = differ(ours, theirs, &smaller).await;
        if still.is_empty() {
            step_idx += 1;
        } else {
            (scenario, found) = (smaller, still);
        }
    }
    (scenario, found)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "starts the original programs: cargo xtask conformance --random"]
async fn random_conversations() {
    /// After how many differences it is enough to mend.
    const ENOUGH: usize = 8;
    let number = |name: &str, default: u64| {
        std::env::var(name).ok().map_or(default, |text| text.parse().expect("a number"))
    };
    let (seed, count) = (number("WINDLASS_SEED", 1), number("WINDLASS_COUNT", 200));
    let (ours, controllers) = server::embedded().await;
    let (theirs, _cluster) = server::real().await;
    let (ours, theirs) = (&ours, &theirs);
    let differing: Vec<Scenario> = stream::iter(seed..seed + count)
        .map(|seed| async move {
            let scenario = random::scenario(seed);
            let found = differ(ours, theirs, &scenario).await;
            (!found.is_empty()).then_some(scenario)
        })
        .buffered(AT_ONCE)
        .filter_map(|scenario| async move { scenario })
        .collect()
        .await;
    let mut report = Vec::new();
    for scenario in differing.iter().take(ENOUGH) {
        let (smallest, found) = shrunk(ours, theirs, scenario.clone()).await;
        report.push(format!("{}: {}\n{}", scenario.name, smallest.text(), found.join("\n")));
    }
    controllers.stop().await;
    eprintln!("{} of {count} conversations from seed {seed} differ", differing.len());
    assert!(report.is_empty(), "{}", report.join("\n"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "starts the original programs: cargo xtask conformance --record"]
async fn record() {
    let (server, _cluster) = server::real().await;
    let scenarios = scenarios();
    let server = &server;
    let answered: Vec<(&Scenario, Vec<Value>)> = stream::iter(&scenarios)
        .map(|scenario| async move { (scenario, transcript(server, scenario).await) })
        .buffered(AT_ONCE)
        .collect()
        .await;
    let mut topics: BTreeMap<&str, BTreeMap<String, (String, Vec<Value>)>> = BTreeMap::new();
    for (scenario, answers) in answered {
        for (step, answer) in scenario.steps.iter().zip(&answers) {
            if answer.get("overdue").is_some() || answer.to_string().contains("\"no event\"") {
                eprintln!("{}/{}: {} waited in vain: {answer}", scenario.topic, scenario.name, title(step));
            }
        }
        // Of a topic of which only some scenarios run, the others stay as they are.
        let topic = topics.entry(&scenario.topic).or_insert_with(|| recorded(&scenario.topic));
        topic.insert(scenario.name.clone(), (digest(&scenario.text()), answers));
    }
    let everything = std::env::var_os("WINDLASS_SCENARIOS").is_none();
    for (topic, mut recorded) in topics {
        if everything {
            recorded.retain(|name, _| scenarios.iter().any(|it| it.topic == topic && it.name == *name));
        }
        let mut text = json!({"server": VERSION}).to_string();
        for (name, (of, answers)) in recorded {
            text.push('\n');
            text.push_str(&json!({"scenario": name, "of": of, "answers": answers}).to_string());
        }
        text.push('\n');
        std::fs::write(directory("recorded").join(format!("{topic}.jsonl")), text).expect("a file");
    }
    eprintln!("recorded {} scenarios", scenarios.len());
}
