//! Paths of names joined by dots.

use gotemplate::{Map, Value};

/// The table at `path`, or the name that is none.
pub(crate) fn table(values: &Map, path: &str) -> Result<Map, String> {
    let mut here = values.clone();
    for name in path.split('.') {
        here = match here.get(name) {
            Some(Value::Map(inner)) => inner,
            _ => return Err(name.to_owned()),
        };
    }
    Ok(here)
}

/// The value at `path` that is no table; a null counts.
pub(crate) fn path_value(values: &Map, path: &str) -> Option<Value> {
    let (parent, name) = match path.rsplit_once('.') {
        Some((parent, name)) => (table(values, parent).ok()?, name),
        None => (values.clone(), path),
    };
    parent.get(name).filter(|value| !matches!(value, Value::Map(_)))
}
