//! Takes out of both sides what does not count.

use windlass_kube::fields::{FieldPath, PathElement, managed_fields};
use windlass_kube::{Object, Value};

use crate::jq::{Step, child, delete_paths, position};
use crate::known_types;
use crate::rules::Rules;

/// Two objects without what does not count.
#[derive(Debug, Clone)]
pub struct Normalised {
    /// What is declared, or what applying it would give.
    pub desired: Object,
    /// What is live.
    pub live: Object,
    /// Expressions that failed on one of them, in words: they had no effect there.
    pub problems: Vec<String>,
}

/// `desired` and `live` without what `rules` say does not count, in forms that compare equal where they mean the same.
///
/// `desired` may be what is declared or, better, what a server-side dry run of it gave. Only for comparing: the
/// results may lack fields that are required, and write amounts in a form of their own.
#[must_use]
pub fn normalise(desired: &Object, live: &Object, rules: &Rules) -> Normalised {
    let mut problems = Vec::new();
    let owned = managed_paths(live, rules);
    let mut side = |object: &Object| {
        let mut paths = ignored_paths(object, live, rules, &mut problems);
        paths.extend(owned.iter().filter_map(|path| locate(&object.to_value(), path)));
        let mut object = without(object, paths);
        known_types::settle(&mut object, rules);
        object
    };
    let (desired, live) = (side(desired), side(live));
    problems.dedup();
    Normalised { desired, live, problems }
}

/// `desired` with the live values in all places that `rules` say do not count: applying it leaves them alone.
///
/// This is what `RespectIgnoreDifferences` asks for. What is live and not declared comes in only where what holds it
/// is declared; items of lists are matched by `name`, `key` or `type` where every item has one, else by position.
/// `status` and what the server alone sets in `metadata` never come in.
#[must_use]
pub fn respected(desired: &Object, live: &Object, rules: &Rules) -> Object {
    let mut problems = Vec::new();
    let (wanted, there) = (desired.to_value(), live.to_value());
    let owned = managed_paths(live, rules);
    let mut gone = ignored_paths(desired, live, rules, &mut problems);
    gone.extend(owned.iter().filter_map(|path| locate(&wanted, path)));
    let mut kept = ignored_paths(live, live, rules, &mut problems);
    kept.extend(owned.iter().filter_map(|path| locate(&there, path)));
    let protected = |path: &Vec<Step>| match path.as_slice() {
        [] => false,
        [Step::Key(key), ..] if ["status", "apiVersion", "kind"].contains(&key.as_str()) => false,
        [Step::Key(key)] => key != "metadata",
        [Step::Key(key), Step::Key(field), ..] if key == "metadata" => {
            ["labels", "annotations", "finalizers"].contains(&field.as_str())
        }
        _ => true,
    };
    let mut result = wanted.clone();
    // In place, so that lists keep their positions; what is not live goes afterwards.
    let mut left = Vec::new();
    for path in gone.into_iter().filter(protected) {
        match translate(&wanted, &there, &path).and_then(|path| find(&there, &path)) {
            Some(value) => set(&mut result, &path, value.clone()),
            None => left.push(path),
        }
    }
    for path in kept.into_iter().filter(protected) {
        if let (Some(to), Some(value)) = (translate(&there, &wanted, &path), find(&there, &path)) {
            set(&mut result, &to, value.clone());
        }
    }
    Object::try_new(delete_paths(result, left)).unwrap_or_else(|_| desired.clone())
}

/// Whether a role gets its rules from other roles.
fn is_aggregated(object: &Object) -> bool {
    object.kind() == "ClusterRole"
        && object.gvk().group == "rbac.authorization.k8s.io"
        && object.at(&["aggregationRule"]).is_some_and(|rule| !rule.is_null())
}

pub(crate) fn ignored_paths(
    object: &Object,
    live: &Object,
    rules: &Rules,
    problems: &mut Vec<String>,
) -> Vec<Vec<Step>> {
    let (value, key) = (object.to_value(), object.object_ref());
    let mut paths = Vec::new();
    for rule in rules.rules.iter().filter(|rule| rule.applies.to(&key)) {
        paths.extend(rule.pointers.iter().filter_map(|pointer| resolve(&value, pointer)));
        for filter in &rule.filters {
            match filter.paths(&value) {
                Ok(found) => paths.extend(found),
                Err(problem) => problems.push(problem.to_string()),
            }
        }
    }
    if rules.ignore_aggregated_roles && (is_aggregated(object) || is_aggregated(live)) {
        paths.push(vec![Step::Key("rules".into())]);
    }
    if !rules.status.of(&key.group, &key.kind) && object.at(&["status"]).is_some() {
        paths.push(vec![Step::Key("status".into())]);
    }
    paths
}

/// The steps of a pointer in a value, where it leads somewhere.
fn resolve(value: &Value, pointer: &[Step]) -> Option<Vec<Step>> {
    let mut at = value;
    let mut path = Vec::new();
    for step in pointer {
        let step = match (at, step) {
            (Value::Array(_), Step::Key(text)) => Step::Index(text.parse().ok()?),
            (_, step) => step.clone(),
        };
        at = child(at, &step)?;
        path.push(step);
    }
    Some(path)
}

fn without(object: &Object, mut paths: Vec<Vec<Step>>) -> Object {
    // Not what makes it an object.
    paths.retain(|path| match path.as_slice() {
        [] => false,
        [Step::Key(key)] => !["apiVersion", "kind", "metadata"].contains(&key.as_str()),
        _ => true,
    });
    if paths.is_empty() {
        return object.clone();
    }
    let reduced = delete_paths(object.to_value(), paths);
    Object::try_new(reduced).unwrap_or_else(|_| object.clone())
}

/// The fields that managers named by the rules own in the live object, leaves alone.
pub(crate) fn managed_paths(live: &Object, rules: &Rules) -> Vec<FieldPath> {
    let key = live.object_ref();
    let applying = rules.rules.iter().filter(|rule| !rule.managers.is_empty() && rule.applies.to(&key));
    let managers: Vec<&str> = applying.flat_map(|rule| rule.managers.iter().map(|it| it.as_str())).collect();
    if managers.is_empty() {
        return Vec::new();
    }
    managed_fields(live)
        .filter(|entry| managers.contains(&entry.manager))
        .filter_map(|entry| entry.fields().ok())
        .flat_map(|fields| fields.leaves().paths())
        .collect()
}

/// Where a field path leads in a value.
pub(crate) fn locate(value: &Value, path: &FieldPath) -> Option<Vec<Step>> {
    let mut at = value;
    let mut steps = Vec::new();
    for element in &path.0 {
        let step = match (element, at) {
            (PathElement::Field(name), Value::Object(_)) => Step::Key(name.clone()),
            (element, Value::Array(items)) => {
                let at = match element {
                    PathElement::Key(fields) => items
                        .iter()
                        .position(|item| fields.iter().all(|(name, value)| item.get(name) == Some(value)))?,
                    PathElement::Value(value) => items.iter().position(|item| item == value)?,
                    PathElement::Index(idx) => position(*idx, items.len())?,
                    PathElement::Field(_) => return None,
                };
                Step::Index(i64::try_from(at).ok()?)
            }
            _ => return None,
        };
        at = child(at, &step)?;
        steps.push(step);
    }
    Some(steps)
}

/// What stands at a path.
pub(crate) fn find<'a>(value: &'a Value, path: &[Step]) -> Option<&'a Value> {
    path.iter().try_fold(value, child)
}

/// The path in `to` that names what `path` names in `from`; its last step need not be there yet.
fn translate(from: &Value, to: &Value, path: &[Step]) -> Option<Vec<Step>> {
    let (mut from, mut to) = (Some(from), Some(to));
    let mut out = Vec::new();
    for step in path {
        let holder = to?;
        let step = match (from, holder, step) {
            (Some(Value::Array(items)), Value::Array(others), Step::Index(idx)) => {
                let at = position(*idx, items.len())?;
                let at = match list_key(items, others) {
                    Some(key) => others.iter().position(|other| other.get(key) == items[at].get(key))?,
                    None => at,
                };
                Step::Index(i64::try_from(at).ok()?)
            }
            (_, Value::Object(_), Step::Key(key)) => Step::Key(key.clone()),
            _ => return None,
        };
        from = from.and_then(|from| child(from, path.get(out.len())?));
        to = child(holder, &step);
        out.push(step);
    }
    Some(out)
}

/// The member that names the items of both lists, each once.
pub(crate) fn list_key(a: &[Value], b: &[Value]) -> Option<&'static str> {
    /// What Kubernetes types name the items of lists by.
    const KEYS: [&str; 5] = ["name", "key", "type", "ip", "mountPath"];
    let names_all = |items: &[Value], key: &str| {
        let mut names: Vec<&str> = items.iter().filter_map(|item| item.str_at(&[key])).collect();
        names.sort_unstable();
        names.dedup();
        names.len() == items.len()
    };
    KEYS.into_iter().find(|key| names_all(a, key) && names_all(b, key))
}

fn set(value: &mut Value, path: &[Step], to: Value) {
    let Some((first, rest)) = path.split_first() else {
        *value = to;
        return;
    };
    match (value, first) {
        (Value::Object(map), Step::Key(key)) => {
            if rest.is_empty() {
                map.insert(key.clone(), to);
            } else if let Some(member) = map.get_mut(key) {
                set(member, rest, to);
            }
        }
        (Value::Array(items), Step::Index(idx)) => {
            if let Some(at) = position(*idx, items.len()) {
                set(&mut items.as_mut()[at], rest, to);
            }
        }
        _ => {}
    }
}
