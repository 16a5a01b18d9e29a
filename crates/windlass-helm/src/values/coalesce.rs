//! How a chart's values become one with what was given for it.
//!
//! Two ways, as in Helm: *coalescing*, where a null deletes, and *merging*, where a null is kept for a later
//! coalescing. Facts from Helm's `coalesce.go`; the order of steps matters, because maps are shared.

use gotemplate::{Map, Value};

use super::dependencies::Node;
use crate::HelmVersion;
use crate::warning::Warning;

/// The name of the values that every chart sees.
pub(crate) const GLOBAL: &str = "global";

/// A table was needed where something else stands.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("type mismatch on {chart}: {shown}")]
pub struct TypeMismatch {
    chart: String,
    shown: String,
}

/// Whether a null deletes or stays.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Nulls {
    Delete,
    Keep,
}

/// One pass over a chart and the charts inside it.
pub(crate) struct Coalescing<'a> {
    pub(crate) helm: HelmVersion,
    pub(crate) nulls: Nulls,
    pub(crate) warnings: &'a mut Vec<Warning>,
}

impl Coalescing<'_> {
    /// Fills `values` with the defaults of `chart`, and the tables of the charts inside with theirs. `values` is
    /// changed.
    pub(crate) fn run(&mut self, chart: &Node<'_>, values: &Map) -> Result<(), TypeMismatch> {
        self.chart(chart, values, "")
    }

    fn chart(&mut self, chart: &Node<'_>, values: &Map, prefix: &str) -> Result<(), TypeMismatch> {
        self.own(chart, values, prefix);
        for inner in &chart.children {
            let table = match values.get(inner.name.as_str()) {
                None => {
                    let table = Map::new();
                    values.insert(inner.name.as_str(), Value::Map(table.clone()));
                    table
                }
                Some(Value::Map(table)) => table,
                Some(other) => {
                    let shown = not_a_boolean(&other);
                    return Err(TypeMismatch { chart: inner.name.to_string(), shown });
                }
            };
            let prefix = joined(prefix, &chart.name);
            self.globals(&table, values, &prefix);
            self.chart(inner, &table, &prefix)?;
        }
        Ok(())
    }

    /// The globals of the parent go into the child's.
    fn globals(&mut self, child: &Map, parent: &Map, prefix: &str) {
        let into = match child.get(GLOBAL) {
            None => Map::new(),
            Some(Value::Map(map)) => map,
            Some(_) => {
                self.warn(format!("warning: skipping globals because destination {GLOBAL} is not a table."));
                return;
            }
        };
        let from = match parent.get(GLOBAL) {
            None => Map::new(),
            Some(Value::Map(map)) => map,
            Some(_) => {
                self.warn(format!("warning: skipping globals because source {GLOBAL} is not a table."));
                return;
            }
        };
        for (key, value) in from.entries() {
            match value {
                Value::Map(table) => {
                    let table = table.copy();
                    match into.get(&key) {
                        None => {
                            into.insert(key, Value::Map(table));
                        }
                        Some(Value::Map(own)) => {
                            let prefix = joined(prefix, &key.lossy());
                            self.tables(&table, &own, &prefix, Nulls::Keep);
                            into.insert(key, Value::Map(table));
                        }
                        Some(_) => {
                            let key = crate::text::quote(&key.lossy());
                            self.warn(format!(
                                "Conflict: cannot merge map onto non-map for {key}. Skipping."
                            ));
                        }
                    }
                }
                value => {
                    if let Some(Value::Map(_)) = into.get(&key) {
                        self.warn(format!("key {key} is table. Skipping"));
                    } else {
                        into.insert(key, value);
                    }
                }
            }
        }
        child.insert(GLOBAL, Value::Map(into));
    }

    /// The chart's own defaults go under what was given.
    fn own(&mut self, chart: &Node<'_>, values: &Map, prefix: &str) {
        let prefix = joined(prefix, &chart.name);
        let cleans = self.helm == HelmVersion::V4 && self.nulls == Nulls::Delete;
        let defaults = chart.defaults();
        for (key, default) in defaults.entries() {
            match values.get(&key) {
                Some(value) if value.is_nil() && self.nulls == Nulls::Delete => {
                    values.remove(&key);
                }
                Some(Value::Map(given)) => {
                    let Value::Map(default) = default else {
                        if !default.is_nil() {
                            self.warn(format!("warning: skipped value for {prefix}.{key}: Not a table."));
                        }
                        continue;
                    };
                    let nulls = if chart.children.iter().any(|inner| key == *inner.name.as_str()) {
                        Nulls::Keep
                    } else {
                        self.nulls
                    };
                    if self.helm == HelmVersion::V4 && nulls == Nulls::Delete {
                        clean_nulls(&default);
                    }
                    let prefix = joined(&prefix, &key.lossy());
                    self.tables(&given, &default, &prefix, nulls);
                }
                Some(_) => {}
                None => {
                    if cleans {
                        match &default {
                            default if default.is_nil() => continue,
                            Value::Map(table) => clean_nulls(table),
                            _ => {}
                        }
                    }
                    values.insert(key, default);
                }
            }
        }
    }

    /// Fills `into` with what only `from` has. Both are changed.
    pub(crate) fn tables(&mut self, into: &Map, from: &Map, prefix: &str, nulls: Nulls) {
        if into.is_same(from) {
            return;
        }
        let not_null: Vec<gotemplate::Str> = {
            let from = from.read();
            from.iter().filter(|(_, value)| !value.is_nil()).map(|(key, _)| key.clone()).collect()
        };
        let nulls_of_into: Vec<gotemplate::Str> = {
            let into = into.read();
            into.iter().filter(|(_, value)| value.is_nil()).map(|(key, _)| key.clone()).collect()
        };
        for key in nulls_of_into {
            from.insert(key, Value::Nil);
        }
        for (key, value) in from.entries() {
            let full_key = || joined(prefix, &key.lossy());
            match (into.get(&key), &value) {
                (Some(own), _)
                    if nulls == Nulls::Delete && own.is_nil() && not_null.binary_search(&key).is_ok() =>
                {
                    into.remove(&key);
                }
                (None, _) => {
                    into.insert(key, value);
                }
                (Some(Value::Map(own)), Value::Map(table)) => self.tables(&own, table, &full_key(), nulls),
                (Some(_), Value::Map(_)) => {
                    let text = format!(
                        "warning: cannot overwrite table with non table for {} ({})",
                        full_key(),
                        go_value(&value)
                    );
                    self.warn(text);
                }
                (Some(Value::Map(_)), other) if !other.is_nil() => {
                    let text = format!(
                        "warning: destination for {} is a table. Ignoring non-table value ({})",
                        full_key(),
                        go_value(&value)
                    );
                    self.warn(text);
                }
                _ => {}
            }
        }
    }

    fn warn(&mut self, text: String) {
        self.warnings.push(Warning(text));
    }
}

/// Takes out nulls, in tables inside too.
fn clean_nulls(map: &Map) {
    let mut inner = Vec::new();
    map.write().retain(|_, value| {
        if let Value::Map(table) = value {
            inner.push(table.clone());
        }
        !value.is_nil()
    });
    inner.iter().for_each(clean_nulls);
}

fn joined(prefix: &str, name: &str) -> String {
    if prefix.is_empty() { name.to_owned() } else { format!("{prefix}.{name}") }
}

/// How Go's `%t` prints a value that is no boolean.
fn not_a_boolean(value: &Value) -> String {
    match value {
        Value::Bool(bool) => bool.to_string(),
        Value::List(list) => {
            let items: Vec<_> = list.items().iter().map(not_a_boolean).collect();
            format!("[{}]", items.join(" "))
        }
        value if value.is_nil() => "%!t(<nil>)".to_owned(),
        value => format!("%!t({}={})", value.type_of().name, go_value(value)),
    }
}

/// How Go's `%v` prints a value, for warnings.
fn go_value(value: &Value) -> String {
    match value {
        Value::String(text) => text.to_string(),
        Value::Bool(bool) => bool.to_string(),
        Value::Int(int) | Value::Int64(int) => int.to_string(),
        Value::Float(float) => float.to_string(),
        Value::Map(map) => {
            let entries: Vec<_> =
                map.entries().iter().map(|(key, value)| format!("{key}:{}", go_value(value))).collect();
            format!("map[{}]", entries.join(" "))
        }
        Value::List(list) => {
            let items: Vec<_> = list.items().iter().map(go_value).collect();
            format!("[{}]", items.join(" "))
        }
        _ => "<nil>".to_owned(),
    }
}
