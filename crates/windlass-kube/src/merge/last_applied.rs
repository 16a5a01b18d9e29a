//! The annotation of client-side apply, which `kubectl apply --server-side` takes over.

use super::{compare, typed, validate};
use crate::fields::FieldSet;
use crate::schema::ObjectType;
use crate::{Object, Value, validation};

/// Where client-side apply keeps what it applied.
pub const LAST_APPLIED_ANNOTATION: &str = "kubectl.kubernetes.io/last-applied-configuration";

/// The only manager for which the server minds the annotation.
pub(super) const MANAGER: &str = "kubectl";

/// The fields that client-side apply set and that still have its values: kubectl may take them without force.
pub(super) fn allowed_conflicts(
    live: &Object,
    config: &Object,
    object_type: &ObjectType,
) -> Option<FieldSet> {
    let text = live.annotation(LAST_APPLIED_ANNOTATION).filter(|text| !text.is_empty())?;
    let last: Value = serde_json::from_str(text).ok()?;
    if last.str_at(&["apiVersion"]) != Some(config.api_version()) {
        return None;
    }
    validate::validate(object_type, &last, false).ok()?;
    let set = typed::field_set(object_type, &last);
    let comparison = compare::compare(object_type, &last, &live.to_value()).ok()?;
    Some(set.difference(&comparison.modified).difference(&comparison.added).difference(&comparison.removed))
}

/// Brings the annotation, where there is one, up to date with what was applied now; whether that changed it.
pub(super) fn refresh(object: &mut Object, config: &Object) -> bool {
    if object.annotation(LAST_APPLIED_ANNOTATION).is_none_or(str::is_empty) {
        return false;
    }
    let before = object.clone();
    let mut config = config.clone();
    config.remove_at(&["metadata", "annotations", LAST_APPLIED_ANNOTATION]);
    let Ok(json) = serde_json::to_string(config.as_map()) else { return false };
    // Go's encoder escapes these, and ends with a line feed.
    let json = json.replace('<', "\\u003c").replace('>', "\\u003e").replace('&', "\\u0026");
    let json = json.replace('\u{2028}', "\\u2028").replace('\u{2029}', "\\u2029") + "\n";
    let path = ["metadata", "annotations", LAST_APPLIED_ANNOTATION];
    object.set_at(&path, json);
    let size = |(key, value): (&crate::Str, &Value)| key.len() + value.as_str().map_or(0, str::len);
    let annotations = object.at(&["metadata", "annotations"]).and_then(Value::as_object);
    let total: usize = annotations.map_or(0, |annotations| annotations.iter().map(size).sum());
    if total > validation::TOTAL_ANNOTATIONS_MAX_SIZE {
        object.remove_at(&path);
    }
    *object != before
}
