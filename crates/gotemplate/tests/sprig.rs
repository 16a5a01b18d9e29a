//! Every function of sprig and Helm against what Go answered (`tests/data/sprig.jsonl`).
//!
//! `GOTEMPLATE_SPRIG_RECORDS=FILE` compares with another file of records, and prints each difference.

#![expect(clippy::unwrap_used, reason = "a test that cannot read its data has failed")]

#[path = "sprig/dump.rs"]
mod dump;

use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};

use gotemplate::{Context, FunctionError, Functions, Limits, NoWorld, TemplateSet, Value, sprig};
use serde_json::Value as Json;

/// All functions, made once.
pub fn functions() -> &'static Functions {
    static FUNCTIONS: OnceLock<Functions> = OnceLock::new();
    FUNCTIONS.get_or_init(|| {
        let mut functions = Functions::builtin();
        sprig::register(&mut functions);
        functions
    })
}

/// Calls one function.
pub fn call(functions: &Functions, name: &str, arguments: &[Value]) -> Result<Value, FunctionError> {
    let set = Arc::new(TemplateSet::new(Functions::none()));
    let mut world = NoWorld::default();
    let mut context = Context::new(set, Limits::default(), &mut world);
    let function = functions.get(name).ok_or_else(|| FunctionError::from(format!("no function {name}")))?;
    function.call(&mut context, arguments)
}

#[test]
fn every_function_is_known() {
    // The engine of Helm brings these three.
    let engine = ["include", "tpl", "lookup"];
    let listed = include_str!("data/functions.txt");
    let names = listed.lines().filter_map(|line| line.split(' ').next());
    let missing: Vec<&str> =
        names.filter(|name| !engine.contains(name) && functions().get(name).is_none()).collect();
    assert!(missing.is_empty(), "{missing:?}");
}

#[test]
fn signatures_are_those_of_go() {
    for line in include_str!("data/functions.txt").lines() {
        let (name, signature) = line.split_once(' ').unwrap();
        let Some(function) = functions().get(name) else { continue };
        let declared = function.signature();
        let mut parameters: Vec<String> =
            declared.parameters.iter().map(|kind| kind.name.replace(' ', "")).collect();
        parameters.extend(declared.variadic.map(|kind| format!("...{}", kind.name.replace(' ', ""))));
        let expected = format!("func({})", parameters.join(","));
        assert!(signature.starts_with(&expected), "{name}: {signature} is not {expected}");
    }
}

#[test]
fn answers_are_those_of_go() {
    let path = std::env::var("GOTEMPLATE_SPRIG_RECORDS");
    let records = match &path {
        Ok(path) => std::fs::read_to_string(path).unwrap(),
        Err(_) => include_str!("data/sprig.jsonl").to_owned(),
    };
    let mut differences: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let mut compared = 0;
    for line in records.lines() {
        let record: Json = serde_json::from_str(line).unwrap();
        match compare(&record) {
            None => {}
            Some(Ok(())) => compared += 1,
            Some(Err(difference)) => {
                compared += 1;
                differences.entry(function_of(&record).to_owned()).or_default().push(difference);
            }
        }
    }
    let count: usize = differences.values().map(Vec::len).sum();
    let mut report = format!("{count} of {compared} differ\n");
    for (name, examples) in &differences {
        report.push_str(&format!("== {name}: {}\n", examples.len()));
        report.extend(examples.iter().take(4).cloned());
    }
    assert!(differences.is_empty(), "{report}");
    assert!(compared > 0);
}

fn function_of(record: &Json) -> &str {
    let template = record["t"].as_str().unwrap();
    let start = template.find("(").map_or(0, |at| at + 1);
    template[start..].split([' ', ')']).next().unwrap()
}

/// Compares one call; `None` if it cannot be made here.
fn compare(record: &Json) -> Option<Result<(), String>> {
    let template = record["t"].as_str()?;
    let call_text = template.strip_prefix("{{dump (")?.strip_suffix(")}}")?;
    let mut words = call_text.split(' ');
    let name = words.next()?;
    let expected_error = record["err"].as_str();
    let marker = format!("error calling {name}: ");
    let expected_message = match expected_error {
        // Other errors are the language's, not the function's.
        Some(error) => Some(error.split_once(&marker)?.1.to_owned()),
        None => None,
    };
    let names: Vec<&str> = words.map(|word| word.trim_start_matches('.')).collect();
    let mut values = BTreeMap::new();
    for (key, dumped) in record["a"].as_object().into_iter().flatten() {
        values.insert(key.clone(), dump::undump(dumped)?);
    }
    let signature = functions().get(name)?.signature();
    let argument = |(position, key): (usize, &&str)| {
        let value = values.get(*key)?.clone();
        let declared = signature.parameter(position)?;
        // The language makes the zero of the declared type of nil.
        Some(if matches!(value, Value::Nil) { Value::zero(declared) } else { value })
    };
    let arguments: Vec<Value> = names.iter().enumerate().map(argument).collect::<Option<_>>()?;
    let (expected, found) = match (expected_message, call(functions(), name, &arguments)) {
        (Some(expected), Err(error)) => (format!("error: {expected}"), format!("error: {error}")),
        (Some(expected), Ok(value)) => (format!("error: {expected}"), dump::dump(&value).to_string()),
        (None, found) => {
            let expected: Json = serde_json::from_str(record["out"].as_str()?).unwrap();
            let found =
                found.map_or_else(|error| format!("error: {error}"), |value| dump::dump(&value).to_string());
            (expected.to_string(), found)
        }
    };
    if expected != found {
        let given = record["a"].to_string();
        return Some(Err(format!("   {template} {given}\n     go   {expected}\n     here {found}\n")));
    }
    let after = record.get("after").unwrap_or(&record["a"]);
    for (key, value) in &values {
        let (expected, found) = (after[key].to_string(), dump::dump(value).to_string());
        if expected != found {
            return Some(Err(format!(
                "   {template} {}\n     after go   {expected}\n     after here {found}\n",
                record["a"]
            )));
        }
    }
    Some(Ok(()))
}
