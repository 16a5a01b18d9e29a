//! What `kubectl get` prints: the columns and rows of built-in kinds as the API server's printers give them.
//!
//! Columns are recorded from kube-apiserver 1.36.3 (`tables/columns.json`); rows are compared with its rows
//! for objects in many states (`tests/data/tables`). Pure: the present time is an argument.

mod autoscaler;
mod duration;
mod pod;
mod rows;

use std::collections::HashMap;
use std::sync::OnceLock;
use std::time::SystemTime;

use windlass_kube::{Array, Gvk, Value, value};

pub use duration::{human_duration, since};

/// One row of a table: the cells, and for pods that ended the condition that says so.
#[derive(Clone, Debug, PartialEq)]
pub struct Row {
    /// One value a column.
    pub cells: Vec<Value>,
    /// `conditions` of the row, if it has any.
    pub conditions: Option<Value>,
}

/// The `columnDefinitions` of a built-in kind; other kinds have a name and a creation time.
#[must_use]
pub fn columns(gvk: &Gvk) -> Array {
    static COLUMNS: OnceLock<HashMap<String, Array>> = OnceLock::new();
    let all = COLUMNS.get_or_init(|| {
        let recorded: Value =
            serde_json::from_str(include_str!("tables/columns.json")).expect("recorded columns are JSON");
        let Value::Object(kinds) = recorded else { return HashMap::new() };
        kinds
            .into_iter()
            .filter_map(|(kind, columns)| Some((kind.to_string(), columns.as_array()?.clone())))
            .collect()
    });
    all.get(&gvk.to_string()).or_else(|| all.get("v1 LimitRange")).cloned().unwrap_or_default()
}

/// The row of an object of a built-in kind; of any other kind, its name and creation time.
#[must_use]
pub fn row(gvk: &Gvk, object: &Value, now: SystemTime) -> Row {
    if gvk.group.is_empty() && gvk.kind == "Pod" {
        return pod::row(object, now);
    }
    let cells = rows::cells(gvk, object, now).unwrap_or_else(|| {
        let member = |name: &str| object.at(&["metadata", name]).cloned().unwrap_or_else(|| "".into());
        vec![member("name"), member("creationTimestamp")]
    });
    Row { cells, conditions: None }
}

impl Row {
    /// As a row of a `Table` with this `object` (nothing, metadata only, or all of it).
    #[must_use]
    pub fn into_value(self, object: Value) -> Value {
        let mut row = value!({"cells": (self.cells)});
        if let Some(conditions) = self.conditions {
            row.set_at(&["conditions"], conditions);
        }
        row.set_at(&["object"], object);
        row
    }
}
