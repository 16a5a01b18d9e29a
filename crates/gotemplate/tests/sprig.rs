//! Every function of sprig and Helm against what Go answered: random calls (`tests/data/sprig.jsonl`) and chosen
//! templates (`tests/data/sprig-cases.jsonl`), both recorded by `tools/oracle-sprig`.
//!
//! `GOTEMPLATE_SPRIG_RECORDS=FILE` compares with another file of records, and prints each difference.

#![cfg(feature = "crypto")]
#![expect(clippy::unwrap_used, reason = "a test that cannot read its data has failed")]

#[path = "sprig/dump.rs"]
mod dump;

use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};

use gotemplate::{
    Context, Function, FunctionError, Functions, Limits, Map, MissingKey, NoWorld, Signature, TemplateSet,
    Value, sprig, types,
};
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
        Err(_) => [include_str!("data/sprig.jsonl"), include_str!("data/sprig-cases.jsonl")].concat(),
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

/// The functions, with one that shows a value with its Go type.
fn functions_with_dump() -> Arc<Functions> {
    static FUNCTIONS: OnceLock<Arc<Functions>> = OnceLock::new();
    let made = FUNCTIONS.get_or_init(|| {
        let mut functions = functions().clone();
        let dump =
            |_: &mut Context<'_>, arguments: &[Value]| Ok(dump::dump(&arguments[0]).to_string().into());
        functions.insert("dump", Function::new(Signature::variadic(&[], &types::ANY), dump));
        Arc::new(functions)
    });
    Arc::clone(made)
}

/// Renders the template of a record; `None` if its values cannot be made here.
fn compare(record: &Json) -> Option<Result<(), String>> {
    let template = record["t"].as_str()?;
    let values = Map::new();
    for (key, dumped) in record["a"].as_object().into_iter().flatten() {
        values.insert(key.as_str(), dump::undump(dumped)?);
    }
    let expected = match record["err"].as_str() {
        Some(error) => format!("error: {error}"),
        None => plain(record["out"].as_str().unwrap_or_default()),
    };
    let found = match render(template, &values) {
        Ok(printed) => plain(&printed),
        Err(error) => format!("error: {error}"),
    };
    let given = &record["a"];
    if expected != found {
        return Some(Err(format!("   {template} {given}\n     go   {expected}\n     here {found}\n")));
    }
    // What a merge that fails did before depends on the order in which Go went through the map.
    let has_failed = record["err"].is_string() || expected == "\"\"";
    if has_failed && function_of(record).to_lowercase().contains("merge") {
        return Some(Ok(()));
    }
    let after = record.get("after").unwrap_or(given);
    for (key, value) in values.entries() {
        let (expected, found) = (after[key.to_string()].to_string(), dump::dump(&value).to_string());
        if expected != found {
            let after = format!("     after go   {expected}\n     after here {found}\n");
            return Some(Err(format!("   {template} {given}\n{after}")));
        }
    }
    Some(Ok(()))
}

/// What is printed, with the members of objects in one order.
fn plain(printed: &str) -> String {
    serde_json::from_str::<Json>(printed).map_or_else(|_| printed.to_owned(), |printed| printed.to_string())
}

fn render(template: &str, values: &Map) -> Result<String, String> {
    let mut set = TemplateSet::new(functions_with_dump()).missing_key(MissingKey::Zero);
    set.parse("t", template).map_err(|error| error.to_string())?;
    let values = Value::Map(values.clone());
    let printed = Arc::new(set).execute("t", &values, Limits::default(), &mut NoWorld::default());
    printed.map(|printed| String::from_utf8_lossy(&printed).into_owned()).map_err(|error| error.to_string())
}
