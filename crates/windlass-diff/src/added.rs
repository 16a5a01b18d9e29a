//! Fields that others added beneath what we own: what strict mode reports, and takes away if asked.

use std::fmt;

use windlass_kube::fields::{FieldPath, FieldSet, Operation, PathElement, managed_fields, owned_by};
use windlass_kube::{Object, Str, Value, value};
use windlass_model::Digest;

use crate::Rules;
use crate::jq::{Step, delete_paths};
use crate::normalise::{find, ignored_paths, locate, managed_paths};
use crate::words::{comparable, shown};

/// A field that somebody added where we declare what stands around it.
#[derive(Debug, Clone, PartialEq)]
pub struct Added {
    /// The field, as people write it: `spec.template.spec.nodeSelector`.
    pub field: String,
    /// What is live.
    pub live: Value,
    /// The manager that owns it, with the time as written.
    pub set_by: (Str, Str),
    path: Vec<Step>,
}

/// Prints `spec.paused: Git says nothing of it, live true, added by kubectl-edit at 2026-11-01T10:00:00Z`.
impl fmt::Display for Added {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (manager, time) = &self.set_by;
        write!(f, "{}: Git says nothing of it, live {}, added by {manager}", self.field, shown(&self.live))?;
        if time.is_empty() { Ok(()) } else { write!(f, " at {time}") }
    }
}

/// The parts of Kubernetes itself that write into objects of others because that is their task: they bind claims to
/// volumes and pods to nodes, and put their marks on what they have seen.
const PARTS_OF_KUBERNETES: [&str; 4] =
    ["kube-apiserver", "kube-controller-manager", "kube-scheduler", "kubelet"];

/// What others than `manager` added to `live` beneath what `manager` applied; `rules` say what does not count.
///
/// A member is added if what holds it is ours; what we declare nothing of at all is not looked at, and neither are
/// `status`, what parts of Kubernetes write, and what was written through a subresource (a scaler's replicas).
/// Something that was added as a whole is told as a whole. Defaults are owned by nobody, and so are never added.
#[must_use]
pub fn added(live: &Object, manager: &str, rules: &Rules) -> Vec<Added> {
    let Some(ours) = owned_by(live, manager, Operation::Apply) else { return Vec::new() };
    let written = live.to_value();
    let mut kept: Vec<Vec<Step>> = Vec::new();
    if rules.concern(&live.object_ref()) {
        // An expression that fails is told where differences are looked for.
        kept.extend(ignored_paths(live, live, rules, &mut Vec::new()));
        kept.extend(managed_paths(live, rules).iter().filter_map(|path| locate(&written, path)));
    }
    let mut candidates: Vec<(FieldPath, FieldPath, (Str, Str))> = Vec::new();
    for entry in managed_fields(live) {
        if entry.manager == manager || !entry.subresource.is_empty() {
            continue;
        }
        let Ok(fields) = entry.fields() else { continue };
        let theirs = fields.leaves().paths();
        if PARTS_OF_KUBERNETES.contains(&entry.manager) {
            kept.extend(theirs.iter().filter_map(|path| locate(&written, path)));
            continue;
        }
        let by = (Str::from(entry.manager), Str::from(entry.time.unwrap_or_default()));
        for path in theirs {
            if let Some(top) = outermost(&ours, &path) {
                candidates.push((path, top, by.clone()));
            }
        }
    }
    let shown_value = comparable(live);
    let mut found: Vec<Added> = Vec::new();
    for (path, top, set_by) in candidates {
        let place = |path: &FieldPath| locate(&written, path);
        let (Some(exact), Some(whole)) = (place(&path), place(&top)) else { continue };
        if kept.iter().any(|kept| exact.starts_with(kept)) {
            continue;
        }
        let is_mixed = kept.iter().any(|kept| kept.starts_with(&whole));
        let (steps, path) = if is_mixed { (exact, path) } else { (whole, top) };
        match found.iter_mut().find(|known| known.path == steps) {
            Some(known) if known.set_by.1 < set_by.1 => known.set_by = set_by,
            Some(_) => {}
            None => {
                let live = find(&shown_value, &steps).cloned().unwrap_or_default();
                found.push(Added { field: spelled(&path), live, set_by, path: steps });
            }
        }
    }
    found.sort_by(|a, b| a.path.len().cmp(&b.path.len()).then_with(|| a.field.cmp(&b.field)));
    // What lies in something that goes as a whole goes with it.
    let mut outer: Vec<Added> = Vec::new();
    for one in found {
        if !outer.iter().any(|known| one.path.starts_with(&known.path)) {
            outer.push(one);
        }
    }
    outer.sort_by(|a, b| a.field.cmp(&b.field));
    outer
}

/// What tells one set of added fields from another; `None` when there are none. For every event of a watch: rules are
/// left to those who look closer.
#[must_use]
pub fn added_digest(live: &Object, manager: &str) -> Option<Digest> {
    let others = |entry: &windlass_kube::fields::ManagedFieldsEntry<'_>| {
        entry.manager != manager
            && entry.subresource.is_empty()
            && !PARTS_OF_KUBERNETES.contains(&entry.manager)
    };
    if !managed_fields(live).any(|entry| others(&entry)) {
        return None;
    }
    let found = added(live, manager, &Rules::default());
    let lines = found.iter().map(|one| Digest::of_bytes(one.to_string().as_bytes()));
    (!found.is_empty()).then(|| Digest::combine(lines))
}

/// The JSON patch that takes added fields away, and fails when the object has changed since it was read.
#[must_use]
pub fn removal(live: &Object, added: &[Added]) -> Value {
    let mut paths: Vec<&Added> = added.iter().collect();
    // Later items of a list first, so that the positions of the others hold.
    paths.sort_by(|a, b| compare_paths(&b.path, &a.path));
    let mut patch = vec![
        value!({"op": "replace", "path": "/metadata/resourceVersion", "value": (live.resource_version())}),
    ];
    patch.extend(paths.iter().map(|one| {
        let pointer: String = one
            .path
            .iter()
            .map(|step| match step {
                Step::Key(key) => format!("/{}", key.replace('~', "~0").replace('/', "~1")),
                Step::Index(idx) => format!("/{idx}"),
                _ => String::new(),
            })
            .collect();
        value!({"op": "remove", "path": (pointer)})
    }));
    patch.into()
}

/// An object as it would be without what others added.
#[must_use]
pub fn without_added(object: Object, manager: &str, rules: &Rules) -> Object {
    let paths: Vec<Vec<Step>> = added(&object, manager, rules).into_iter().map(|one| one.path).collect();
    if paths.is_empty() {
        return object;
    }
    Object::try_new(delete_paths(object.to_value(), paths)).unwrap_or(object)
}

fn compare_paths(a: &[Step], b: &[Step]) -> std::cmp::Ordering {
    for pair in a.iter().zip(b) {
        let order = match pair {
            (Step::Index(a), Step::Index(b)) => a.cmp(b),
            (Step::Key(a), Step::Key(b)) => a.cmp(b),
            _ => std::cmp::Ordering::Equal,
        };
        if order.is_ne() {
            return order;
        }
    }
    a.len().cmp(&b.len())
}

/// The outermost part of somebody's `path` that is not ours while what holds it is; `None` where it is ours, or stands
/// beside all that is.
fn outermost(ours: &FieldSet, path: &FieldPath) -> Option<FieldPath> {
    let root = match path.0.first() {
        Some(PathElement::Field(name)) => name.as_str(),
        _ => return None,
    };
    // Of the metadata only what lies in labels, annotations and the like can be added to.
    let least = match root {
        "status" => return None,
        "metadata" => 2,
        _ => 1,
    };
    let mut held = ours.clone();
    for (depth, element) in path.0.iter().enumerate() {
        let is_ours = held.contains(std::slice::from_ref(element));
        let below = held.below(element);
        if below.is_empty() {
            // A leaf of ours holds whatever lies in it.
            return (!is_ours && depth >= least).then(|| FieldPath(path.0[..=depth].to_vec()));
        }
        held = below;
    }
    None
}

/// A path as people write it: `spec.template.spec.containers[name=web].image`, `metadata.annotations[a.b/c]`.
fn spelled(path: &FieldPath) -> String {
    let mut text = String::new();
    for element in &path.0 {
        match element {
            PathElement::Field(name) if name.contains(['.', '/']) => text.push_str(&format!("[{name}]")),
            PathElement::Field(name) => {
                if !text.is_empty() {
                    text.push('.');
                }
                text.push_str(name);
            }
            PathElement::Key(fields) => {
                let plain =
                    |value: &Value| value.as_str().map_or_else(|| format!("{value:?}"), str::to_owned);
                let named: Vec<String> = match fields.iter().collect::<Vec<_>>().as_slice() {
                    [(_, only)] => vec![plain(only)],
                    several => {
                        several.iter().map(|(name, value)| format!("{name}={}", plain(value))).collect()
                    }
                };
                text.push_str(&format!("[{}]", named.join(",")));
            }
            PathElement::Value(value) => text.push_str(&format!("[{}]", value.as_str().unwrap_or_default())),
            PathElement::Index(idx) => text.push_str(&format!("[{idx}]")),
        }
    }
    text
}
