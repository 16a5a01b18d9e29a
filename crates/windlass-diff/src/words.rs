//! What differs, in words: which field, what Git says, what is live, and who set it last.

use std::fmt;

use windlass_kube::fields::managed_fields;
use windlass_kube::{Object, Str, Value};
use windlass_model::Digest;

use crate::jq::Step;
use crate::normalise::{list_key, locate};

/// One field that differs.
#[derive(Debug, Clone, PartialEq)]
pub struct Difference {
    /// The field, as people write it: `spec.containers[web].image`.
    pub field: String,
    /// What Git says: the value that applying would give.
    pub wanted: Value,
    /// What is live.
    pub live: Value,
    /// The manager that owns the live value, with the time as written; `None` when that is nobody but ourselves.
    pub set_by: Option<(Str, Str)>,
}

/// Prints `spec.replicas: Git says 3, live 5, last set by hpa-controller at 2026-11-01T10:00:00Z`.
impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: Git says {}, live {}", self.field, shown(&self.wanted), shown(&self.live))?;
        match &self.set_by {
            Some((manager, time)) if time.is_empty() => write!(f, ", last set by {manager}"),
            Some((manager, time)) => write!(f, ", last set by {manager} at {time}"),
            None => Ok(()),
        }
    }
}

/// What differs between what applying would give and what is live.
///
/// `written` is the live object as it was read, with `managedFields`; `manager` is our own field manager. Values of
/// Secrets are hidden.
#[must_use]
pub fn differences(predicted: &Object, live: &Object, written: &Object, manager: &str) -> Vec<Difference> {
    let mut found = Vec::new();
    let mut walk = Walk { field: String::new(), path: Vec::new(), found: &mut found };
    walk.compare(&comparable(predicted), &comparable(live));
    let mut differences = Vec::with_capacity(found.len());
    for (difference, path) in found {
        let set_by = owner(written, &path, manager);
        differences.push(Difference { set_by, ..difference });
    }
    differences
}

/// A few differences in one line.
#[must_use]
pub fn sentence(differences: &[Difference]) -> String {
    /// More fields than this make a sentence that nobody reads.
    const SHOWN: usize = 5;
    let parts: Vec<String> = differences.iter().take(SHOWN).map(ToString::to_string).collect();
    let mut text = parts.join("; ");
    let n_more = differences.len().saturating_sub(SHOWN);
    if n_more > 0 {
        text.push_str(&format!("; and {n_more} more"));
    }
    text
}

/// An object without what changes at every write, and without the values of Secrets.
#[must_use]
pub fn comparable(object: &Object) -> Value {
    let mut object = object.clone();
    for path in [
        &["metadata", "managedFields"][..],
        &["metadata", "resourceVersion"],
        &["metadata", "generation"],
        &["metadata", "creationTimestamp"],
        &["metadata", "uid"],
    ] {
        object.remove_at(path);
    }
    let is_secret = object.kind() == "Secret" && object.api_version() == "v1";
    let mut value = object.into_value();
    if is_secret {
        for key in ["data", "stringData"] {
            if let Some(Value::Object(data)) = value.as_object_mut().and_then(|map| map.get_mut(key)) {
                for (_, value) in data.iter_mut() {
                    // Equal values stay equal, and no value can be read off.
                    *value = format!("(hidden, {})", Digest::of_value(value)).into();
                }
            }
        }
    }
    value
}

/// A walk through two values at once.
struct Walk<'a> {
    /// Where it is, for people.
    field: String,
    /// Where it is in the live value.
    path: Vec<Step>,
    found: &'a mut Vec<(Difference, Vec<Step>)>,
}

impl Walk<'_> {
    fn compare(&mut self, wanted: &Value, live: &Value) {
        if wanted == live {
            return;
        }
        match (wanted, live) {
            (Value::Object(a), Value::Object(b)) => {
                for (key, value) in a.iter() {
                    self.member(key, value, b.get(key).unwrap_or(&Value::Null));
                }
                for (key, value) in b.iter().filter(|(key, _)| !a.contains_key(key)) {
                    self.member(key, &Value::Null, value);
                }
            }
            (Value::Array(a), Value::Array(b)) => match list_key(a, b) {
                Some(key) => self.named_items(key, a, b),
                None if a.len() == b.len() => {
                    for (idx, (a, b)) in a.iter().zip(b.iter()).enumerate() {
                        self.item(&idx.to_string(), idx, a, b);
                    }
                }
                None => self.differ(wanted, live),
            },
            _ => self.differ(wanted, live),
        }
    }

    fn differ(&mut self, wanted: &Value, live: &Value) {
        let (wanted, live) = (wanted.clone(), live.clone());
        let difference = Difference { field: self.field.clone(), wanted, live, set_by: None };
        self.found.push((difference, self.path.clone()));
    }

    fn member(&mut self, key: &Str, wanted: &Value, live: &Value) {
        let length = self.field.len();
        if key.contains(['.', '/']) {
            self.field.push_str(&format!("[{key}]"));
        } else {
            if length > 0 {
                self.field.push('.');
            }
            self.field.push_str(key);
        }
        self.path.push(Step::Key(key.clone()));
        self.compare(wanted, live);
        self.path.pop();
        self.field.truncate(length);
    }

    fn item(&mut self, name: &str, live_idx: usize, wanted: &Value, live: &Value) {
        let length = self.field.len();
        self.field.push_str(&format!("[{name}]"));
        self.path.push(Step::Index(i64::try_from(live_idx).unwrap_or(i64::MAX)));
        self.compare(wanted, live);
        self.path.pop();
        self.field.truncate(length);
    }

    fn named_items(&mut self, key: &str, wanted: &[Value], live: &[Value]) {
        let same = |a: &Value, b: &Value| a.get(key) == b.get(key);
        let mut order = Vec::new();
        for item in wanted {
            let at = live.iter().position(|other| same(item, other));
            order.extend(at);
            let name = item.str_at(&[key]).unwrap_or_default();
            let other = at.map_or(&Value::Null, |at| &live[at]);
            self.item(name, at.unwrap_or(live.len()), item, other);
        }
        for (idx, item) in live.iter().enumerate().filter(|(_, item)| !wanted.iter().any(|it| same(it, item)))
        {
            self.item(item.str_at(&[key]).unwrap_or_default(), idx, &Value::Null, item);
        }
        if !order.is_sorted() {
            // The same items in another order.
            let names = |items: &[Value]| {
                let names = items.iter().map(|item| item.get(key).cloned().unwrap_or_default());
                Value::Array(names.collect::<Vec<_>>().into())
            };
            self.differ(&names(wanted), &names(live));
        }
    }
}

/// Who of the others owns the live value at `path`, the latest first.
fn owner(live: &Object, path: &[Step], ours: &str) -> Option<(Str, Str)> {
    let value = live.to_value();
    managed_fields(live)
        .filter(|entry| entry.manager != ours)
        .filter(|entry| {
            let Ok(fields) = entry.fields() else { return false };
            // It owns the field, something in it, or all of what holds it.
            fields.leaves().paths().iter().filter_map(|owned| locate(&value, owned)).any(|owned| {
                let common = owned.len().min(path.len());
                owned[..common] == path[..common]
            })
        })
        .max_by_key(|entry| entry.time.unwrap_or_default())
        .map(|entry| (entry.manager.into(), entry.time.unwrap_or_default().into()))
}

/// A value in a few characters.
pub(crate) fn shown(value: &Value) -> String {
    /// Longer values are cut: the place matters here, the diff shows the rest.
    const LONGEST: usize = 60;
    match value {
        Value::Null => "nothing".into(),
        Value::Object(_) => "an object".into(),
        Value::Array(items)
            if items.iter().all(|item| matches!(item, Value::String(_))) && items.len() <= 5 =>
        {
            let names: Vec<&str> = items.iter().filter_map(Value::as_str).collect();
            format!("[{}]", names.join(", "))
        }
        Value::Array(items) => format!("a list of {}", items.len()),
        other => {
            let text = format!("{other:?}");
            if text.chars().count() > LONGEST {
                text.chars().take(LONGEST).chain("…".chars()).collect()
            } else {
                text
            }
        }
    }
}
