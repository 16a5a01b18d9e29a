//! Compares health and actions with Argo CD's own test data, which is not kept here.
//!
//! ```text
//! cargo run -p windlass-assess --example compare -- health SHIPPED.jsonl
//! cargo run -p windlass-assess --example compare -- actions RESOURCE_CUSTOMIZATIONS
//! ```
//!
//! The first takes what `tools/oracle-health` recorded, the second the folder `resource_customizations` of an Argo CD
//! module: every `action_test.yaml` in it says which actions an object has and what they write.
#![expect(clippy::print_stdout, reason = "what differs is the output")]

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use windlass_assess::actions::{Change, actions, run_action};
use windlass_assess::health;
use windlass_go::re2::Regex;
use windlass_kube::{Object, Str, Value};

const STATUSES: [&str; 6] = ["Healthy", "Suspended", "Progressing", "Missing", "Degraded", "Unknown"];

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let (compared, differing) = match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["health", file] => compare_health(Path::new(file)),
        ["actions", folder] => compare_actions(Path::new(folder)),
        _ => {
            println!("usage: compare health FILE | compare actions FOLDER");
            return ExitCode::from(2);
        }
    };
    println!("{compared} compared, {differing} differ");
    if differing == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn compare_health(file: &Path) -> (usize, usize) {
    let text = std::fs::read_to_string(file).expect("the recording can be read");
    let (mut compared, mut differing) = (0, 0);
    // The first line names the versions.
    for line in text.lines().skip(1) {
        let case: Value = serde_json::from_str(line).expect("each line is JSON");
        let said = |key| case.str_at(&["health", key]).unwrap_or_default().to_owned();
        let object = object(case.at(&["object"]).cloned().unwrap_or_default());
        let expected = (!said("status").is_empty()).then(|| (said("status"), said("message")));
        let got = health(&object).map(|health| (health.status.to_string(), health.message.to_string()));
        // A phase that Argo CD hands on as a status although it is none; it shows as Unknown there, too.
        let is_none = expected.as_ref().is_some_and(|(status, _)| !STATUSES.contains(&status.as_str()));
        compared += 1;
        if got != expected && !is_none {
            differing += 1;
            let name = case.str_at(&["name"]).unwrap_or_default();
            println!("{name}\n   ours   {got:?}\n   theirs {expected:?}");
        }
    }
    (compared, differing)
}

fn compare_actions(folder: &Path) -> (usize, usize) {
    let mut tests = Vec::new();
    find(folder, &mut tests);
    tests.sort();
    let (mut compared, mut differing) = (0, 0);
    let mut tell = |name: &str, problem: Option<String>| {
        compared += 1;
        if let Some(problem) = problem {
            differing += 1;
            println!("{name}: {problem}");
        }
    };
    for test in tests {
        let place = test.parent().expect("a file has a folder");
        let shown = place.strip_prefix(folder).unwrap_or(place).display().to_string();
        let said = windlass_yaml::load(&std::fs::read_to_string(&test).expect("the test can be read"))
            .expect("the test is YAML");
        for case in said.items_at(&["discoveryTests"]) {
            let input = case.str_at(&["inputPath"]).unwrap_or_default();
            tell(&format!("{shown} {input}"), discovered(&read(place, input)[0], case));
        }
        for case in said.items_at(&["actionTests"]) {
            let input = case.str_at(&["inputPath"]).unwrap_or_default();
            let action = case.str_at(&["action"]).unwrap_or_default();
            tell(&format!("{shown} {action} {input}"), performed(place, &read(place, input)[0], case));
        }
    }
    (compared, differing)
}

fn find(folder: &Path, tests: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).expect("the folder can be read").flatten() {
        let path = entry.path();
        if path.is_dir() {
            find(&path, tests);
        } else if path.ends_with("actions/action_test.yaml") {
            tests.push(path);
        }
    }
}

fn object(value: Value) -> Object {
    Object::try_new(value).expect("it is an object")
}

fn read(place: &Path, file: &str) -> Vec<Object> {
    let text = std::fs::read_to_string(place.join(file)).expect("the test data can be read");
    let value = windlass_yaml::load(&text).expect("the test data is YAML");
    match value {
        Value::Array(items) => {
            let written = |item: &Value| item.at(&["unstructuredObj"]).unwrap_or(item).clone();
            items.iter().map(written).map(object).collect()
        }
        value => vec![object(value)],
    }
}

/// What differs in which actions an object has.
fn discovered(object: &Object, case: &Value) -> Option<String> {
    let line = |name: &str, disabled: bool, icon: &str, title: &str, parameters: String| {
        format!("{name} disabled={disabled} icon={icon:?} title={title:?} params=[{parameters}]")
    };
    let mut theirs: Vec<String> = case
        .items_at(&["result"])
        .iter()
        .map(|action| {
            let text = |key: &str| action.str_at(&[key]).unwrap_or_default();
            let parameters = action.items_at(&["params"]).iter();
            let parameters: Vec<&str> = parameters.filter_map(|it| it.str_at(&["name"])).collect();
            let disabled = action.bool_at(&["disabled"]) == Some(true);
            line(text("name"), disabled, text("iconClass"), text("displayName"), parameters.join(","))
        })
        .collect();
    let mut ours: Vec<String> = actions(object)
        .iter()
        .map(|action| {
            let parameters: Vec<&str> = action.parameters.iter().map(|it| it.name.as_str()).collect();
            line(&action.name, action.is_disabled, &action.icon, &action.title, parameters.join(","))
        })
        .collect();
    theirs.sort();
    ours.sort();
    (ours != theirs).then(|| {
        format!("\n   ours   {}\n   theirs {}", ours.join("\n          "), theirs.join("\n          "))
    })
}

/// What differs in what an action writes.
fn performed(place: &Path, object: &Object, case: &Value) -> Option<String> {
    let action = case.str_at(&["action"]).unwrap_or_default();
    let parameters: Vec<(Str, Str)> = case
        .at(&["parameters"])
        .and_then(Value::as_object)
        .into_iter()
        .flat_map(windlass_kube::Map::iter)
        .map(|(name, value)| (name.clone(), value.as_str().unwrap_or_default().into()))
        .collect();
    let done = run_action(object, action, &parameters, 1_700_000_000);
    if let Some(message) = case.str_at(&["expectedErrorMessage"]) {
        return match done {
            Err(error) if error.to_string().contains(message) => None,
            other => Some(format!("\n   ours   {other:?}\n   theirs {message}")),
        };
    }
    let changes = match done {
        Ok(changes) => changes,
        Err(error) => return Some(format!("failed: {error}")),
    };
    let ours: Vec<Value> = changes
        .into_iter()
        .map(|change| match change {
            Change::Patch(object) | Change::Create(object) => settled(object.into_value()),
        })
        .collect();
    let theirs: Vec<Value> = read(place, case.str_at(&["expectedOutputPath"]).unwrap_or_default())
        .into_iter()
        .map(|object| settled(object.into_value()))
        .collect();
    let shown = |values: &[Value]| values.iter().map(windlass_yaml::to_yaml).collect::<String>();
    (ours != theirs).then(|| differing_lines(&shown(&ours), &shown(&theirs)))
}

fn differing_lines(ours: &str, theirs: &str) -> String {
    let mut text = String::new();
    let (a, b): (Vec<&str>, Vec<&str>) = (ours.lines().collect(), theirs.lines().collect());
    for line in a.iter().filter(|line| !b.contains(line)) {
        text.push_str(&format!("\n   ours   {line}"));
    }
    for line in b.iter().filter(|line| !a.contains(line)) {
        text.push_str(&format!("\n   theirs {line}"));
    }
    text
}

/// Without what depends on the moment, and what the server alone sets: Argo CD's own tests leave that out, too.
fn settled(mut value: Value) -> Value {
    for path in [
        &["status"][..],
        &["metadata", "creationTimestamp"],
        &["metadata", "generation"],
        &["metadata", "resourceVersion"],
        &["metadata", "uid"],
        &["metadata", "managedFields"],
        &["metadata", "selfLink"],
    ] {
        value.remove_at(path);
    }
    settle(&mut value);
    value
}

fn settle(value: &mut Value) {
    match value {
        Value::Object(map) => {
            map.retain(|_, member| !member.is_null());
            map.iter_mut().for_each(|(_, member)| settle(member));
            map.retain(|_, member| !member.as_object().is_some_and(windlass_kube::Map::is_empty));
        }
        Value::Array(items) => items.as_mut().iter_mut().for_each(settle),
        Value::String(text) => {
            let times = [r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z?", r"-\d{9,}$", r"^\d{9,}$"];
            for time in times {
                let pattern = Regex::parse(time).expect("the pattern can be read");
                if pattern.is_match(text) {
                    *value = Value::from(pattern.replace_all_literal(text, "TIME"));
                    return;
                }
            }
        }
        _ => {}
    }
}
