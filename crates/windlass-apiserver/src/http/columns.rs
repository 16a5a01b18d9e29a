//! The tables of custom resources: printer columns and the JSON paths they read.

use std::time::SystemTime;

use windlass_kube::{Array, Map, Value, value};

use crate::custom::CustomVersion;
use crate::tables;

/// The `columnDefinitions` of a custom resource: its name, then what its definition says.
pub(super) fn definitions(custom: &CustomVersion) -> Array {
    let mut columns = Array::new();
    columns.push(value!({
        "name": "Name", "type": "string", "format": "name", "priority": 0,
        "description": "Name must be unique within a namespace. Is required when creating resources, although some resources may allow a client to request the generation of an appropriate name automatically. Name is primarily intended for creation idempotence and configuration definition. Cannot be updated. More info: https://kubernetes.io/docs/concepts/overview/working-with-objects/names#names"
    }));
    for column in &custom.columns {
        let description = if column.description.is_empty() {
            format!("Custom resource definition column (in JSONPath format): {}", column.json_path)
        } else {
            column.description.to_string()
        };
        let mut definition = Map::new();
        definition.insert("name", column.name.clone());
        definition.insert("type", column.kind.clone());
        definition.insert("format", column.format.clone());
        definition.insert("description", description);
        definition.insert("priority", column.priority);
        columns.push(definition);
    }
    columns
}

/// The cells of one object.
pub(super) fn cells(custom: &CustomVersion, object: &Value, now: SystemTime) -> Vec<Value> {
    let name = object.at(&["metadata", "name"]).cloned().unwrap_or_default();
    let mut cells = vec![name];
    for column in &custom.columns {
        let found = find(object, &column.json_path);
        cells.push(found.first().map_or(Value::Null, |first| cell(&column.kind, first, now)));
    }
    cells
}

/// Of several values at a path the first is shown.
fn cell(kind: &str, first: &Value, now: SystemTime) -> Value {
    match (kind, first) {
        (_, Value::Null) => Value::Null,
        ("integer", value) => value.as_int().map_or(Value::Null, Value::Int),
        ("number", value) => value.as_float().map_or(Value::Null, Value::Float),
        ("boolean", value) => value.as_bool().map_or(Value::Null, Value::Bool),
        ("date", Value::String(text)) if crate::time::parse(text).is_none() => "<invalid>".into(),
        ("date", Value::String(_)) => tables::since(Some(first), now).into(),
        ("date", _) => Value::Null,
        _ => text_of(first).into(),
    }
}

fn text_of(value: &Value) -> String {
    match value {
        Value::String(text) => text.to_string(),
        other => format!("{other:?}"),
    }
}

/// The values a simple JSON path finds: members, positions, `[*]`, and filters on equality.
fn find(object: &Value, path: &str) -> Vec<Value> {
    let mut found = vec![object.clone()];
    for step in steps(path) {
        found = found.iter().flat_map(|value| step.take(value)).collect();
    }
    found
}

#[derive(Debug, PartialEq)]
enum Step {
    Member(String),
    Position(i64),
    All,
    Where(Vec<String>, bool, String),
}

impl Step {
    fn take(&self, value: &Value) -> Vec<Value> {
        match (self, value) {
            (Self::Member(name), value) => value.get(name).cloned().into_iter().collect(),
            (Self::Position(position), Value::Array(items)) => {
                let length = i64::try_from(items.len()).unwrap_or(0);
                let idx = if *position < 0 { length + position } else { *position };
                usize::try_from(idx).ok().and_then(|idx| items.get(idx)).cloned().into_iter().collect()
            }
            (Self::All, Value::Array(items)) => items.to_vec(),
            (Self::All, Value::Object(map)) => map.values().cloned().collect(),
            (Self::Where(path, equal, wanted), Value::Array(items)) => {
                let holds = |item: &&Value| {
                    let have = path.iter().try_fold(*item, |here, step| here.get(step)).map(text_of);
                    have.is_some_and(|have| (have == *wanted) == *equal)
                };
                items.iter().filter(holds).cloned().collect()
            }
            _ => Vec::new(),
        }
    }
}

fn steps(path: &str) -> Vec<Step> {
    let mut steps = Vec::new();
    let mut rest = path.trim().trim_start_matches('{').trim_end_matches('}').trim_start_matches('$');
    while !rest.is_empty() {
        if let Some(inner) = rest.strip_prefix('[') {
            let Some(end) = closing(inner) else { break };
            steps.push(bracket(inner[..end].trim()));
            rest = &inner[end + 1..];
            continue;
        }
        rest = rest.strip_prefix('.').unwrap_or(rest);
        let (name, after) = member(rest);
        rest = after;
        match name.as_str() {
            "" => {}
            "*" => steps.push(Step::All),
            _ => steps.push(Step::Member(name)),
        }
    }
    steps
}

/// Where the bracket closes, quotes respected.
fn closing(inner: &str) -> Option<usize> {
    let mut quote = None;
    for (idx, c) in inner.char_indices() {
        match (quote, c) {
            (None, '\'' | '"') => quote = Some(c),
            (Some(open), c) if c == open => quote = None,
            (None, ']') => return Some(idx),
            _ => {}
        }
    }
    None
}

fn bracket(inner: &str) -> Step {
    if inner == "*" {
        return Step::All;
    }
    if let Ok(position) = inner.parse() {
        return Step::Position(position);
    }
    let filter = inner.strip_prefix("?(").and_then(|filter| filter.strip_suffix(')'));
    if let Some(filter) = filter {
        for (operator, equal) in [("==", true), ("!=", false)] {
            if let Some((left, right)) = filter.split_once(operator) {
                let path = left.trim().trim_start_matches('@');
                let path = path.split('.').filter(|step| !step.is_empty()).map(str::to_owned).collect();
                return Step::Where(path, equal, right.trim().trim_matches(['\'', '"']).to_owned());
            }
        }
    }
    Step::Member(inner.trim_matches(['\'', '"']).replace("\\.", "."))
}

/// A member's name, in which `\.` is a dot.
fn member(rest: &str) -> (String, &str) {
    let mut name = String::new();
    let mut chars = rest.char_indices();
    while let Some((idx, c)) = chars.next() {
        match c {
            '\\' => name.extend(chars.next().map(|(_, c)| c)),
            '.' | '[' => return (name, &rest[idx..]),
            c => name.push(c),
        }
    }
    (name, "")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_the_paths_that_definitions_use() {
        let object = value!({
            "metadata": {"name": "a", "labels": {"x.io/y": "z"}},
            "status": {"conditions": [{"type": "Ready", "status": "True"}, {"type": "Other", "status": "False"}]},
            "spec": {"ports": [{"p": 1}, {"p": 2}]}
        });
        for (path, expected) in [
            (".metadata.name", vec!["a"]),
            (".metadata.labels.x\\.io/y", vec!["z"]),
            (".metadata.labels['x\\.io/y']", vec!["z"]),
            (".status.conditions[?(@.type==\"Ready\")].status", vec!["True"]),
            (".status.conditions[?(@.type!='Ready')].status", vec!["False"]),
            (".spec.ports[*].p", vec!["1", "2"]),
            (".spec.ports[-1].p", vec!["2"]),
            (".spec.absent", vec![]),
            ("{.metadata.name}", vec!["a"]),
        ] {
            let found: Vec<String> = find(&object, path).iter().map(text_of).collect();
            assert_eq!(found, expected, "{path}");
        }
    }
}
