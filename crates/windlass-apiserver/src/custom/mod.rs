//! Custom resources: what a CustomResourceDefinition makes of a resource.

mod check;
mod conversion;
mod defaults_definition;
mod definition;
mod embedded;
mod format;
mod internal;
mod names;
mod open_api;
mod rewrite;
mod rules;
mod rules_definition;
mod schema;
mod structural;

use std::sync::Arc;

use windlass_kube::schema::ObjectType;
use windlass_kube::{Gvk, Object, Str, Value};

use crate::defaults;
use crate::status::Cause;
use schema::Node;

pub(crate) use conversion::Conversion;
pub(crate) use definition::{
    CLEANUP_FINALIZER, accept_names, establish, is_true, resources, set_condition, store, validate_definition,
};

/// One version of a custom resource, as its definition describes it.
#[derive(Debug)]
pub struct CustomVersion {
    pub(crate) namespaced: bool,
    /// All versions of the definition.
    pub(crate) versions: Vec<Str>,
    /// What converts it to and from other versions, where that is more than a name; all versions share it.
    pub(crate) conversion: Option<Arc<Conversion>>,
    /// The compiled schema; `None` keeps everything.
    pub(crate) schema: Option<Node>,
    /// The rules in CEL, of schemas that have some.
    pub(crate) rules: Option<rules::RuleNode>,
    /// The schema as written, for the OpenAPI documents.
    pub(crate) open_api: Value,
    /// How fields merge.
    pub(crate) object_type: ObjectType,
    pub(crate) has_status: bool,
    /// Whether there are whole objects within its objects.
    pub(crate) embeds: bool,
    /// What a client that uses this version is warned of.
    pub(crate) deprecation: Option<String>,
    pub(crate) scale: Option<ScalePaths>,
    pub(crate) columns: Vec<Column>,
    pub(crate) selectable_fields: Vec<Str>,
}

/// Where a custom resource keeps what the `scale` subresource shows.
#[derive(Clone, Debug)]
pub(crate) struct ScalePaths {
    pub(crate) spec_replicas: Vec<Str>,
    pub(crate) status_replicas: Vec<Str>,
    pub(crate) label_selector: Vec<Str>,
}

/// A column of the table that `kubectl get` prints.
#[derive(Clone, Debug)]
pub(crate) struct Column {
    pub(crate) name: Str,
    pub(crate) kind: Str,
    pub(crate) format: Str,
    pub(crate) description: Str,
    pub(crate) priority: i64,
    pub(crate) json_path: Str,
}

impl CustomVersion {
    /// Drops what the schema does not know and says what that was.
    pub(crate) fn prune(&self, object: &mut Value) -> Vec<String> {
        let mut unknown = Vec::new();
        prune_metadata(object, &mut unknown);
        if let Some(schema) = &self.schema {
            rewrite::prune_root(schema, object, &mut unknown);
            if self.embeds {
                embedded::prune(schema, object, "", &mut unknown);
            }
        }
        unknown
    }

    /// What would be dropped of an object that is of another version: all but what every object has.
    pub(crate) fn unknown_of_another_version(object: &Value) -> Vec<String> {
        let mut unknown = Vec::new();
        prune_metadata(&mut object.clone(), &mut unknown);
        let members = object.as_object().into_iter().flat_map(windlass_kube::Map::keys);
        unknown.extend(
            members
                .filter(|key| !matches!(key.as_str(), "apiVersion" | "kind" | "metadata"))
                .map(ToString::to_string),
        );
        unknown
    }

    /// Sets defaults, drops nulls where null is no value.
    pub(crate) fn default(&self, object: &mut Value) {
        if let Some(schema) = &self.schema {
            rewrite::default(schema, object);
        }
    }

    pub(crate) fn prepare_for_create(&self, object: &mut Value) {
        if self.has_status {
            object.object_mut().remove("status");
        }
        object.set_at(&["metadata", "generation"], 1_i64);
    }

    pub(crate) fn prepare_for_update(&self, new: &mut Value, old: &Value) {
        if self.has_status {
            match old.get("status") {
                Some(status) => new.set_at(&["status"], status.clone()),
                None => {
                    new.object_mut().remove("status");
                }
            }
        }
        let content = |object: &Value| {
            let mut object = object.clone();
            object.object_mut().remove("metadata");
            if self.has_status {
                object.object_mut().remove("status");
            }
            object
        };
        let generation = old.int_at(&["metadata", "generation"]).unwrap_or(1);
        let changed = content(new) != content(old);
        new.set_at(&["metadata", "generation"], generation + i64::from(changed));
    }

    /// Only status is taken over; of metadata nothing but who manages what.
    #[expect(clippy::unused_self, reason = "reads as the kind's rule, like its siblings")]
    pub(crate) fn prepare_for_status_update(&self, new: &mut Value, old: &Value) {
        let status = new.get("status").cloned();
        let managers = new.at(&["metadata", "managedFields"]).cloned();
        *new = old.clone();
        match status {
            Some(status) => new.set_at(&["status"], status),
            None => {
                new.object_mut().remove("status");
            }
        }
        if let Some(managers) = managers {
            new.set_at(&["metadata", "managedFields"], managers);
        }
    }

    pub(crate) fn validate_create(&self, object: &Object) -> Vec<Cause> {
        let mut causes = self.validate_schema(object);
        causes.extend(self.validate_lists(object));
        causes.extend(self.validate_rules(object, None, &causes).causes);
        causes
    }

    /// What is to be said of an object that is accepted: what rules say that do not refuse the change, because what
    /// they are about is as it was, and finalizers that others could use, too.
    pub(crate) fn warnings(&self, new: &Object, old: Option<&Object>) -> Vec<String> {
        let finalizers = |object: &Object| -> Vec<Str> {
            let list = object.at(&["metadata", "finalizers"]).and_then(Value::as_array);
            list.into_iter().flat_map(|list| list.iter()).filter_map(Value::as_str).map(Str::new).collect()
        };
        let before = old.map(finalizers).unwrap_or_default();
        let mut added = finalizers(new);
        added.retain(|finalizer| !before.contains(finalizer));
        added.sort();
        added.dedup();
        let mut warnings: Vec<String> =
            added.iter().flat_map(|finalizer| finalizer_warnings(finalizer)).collect();
        warnings.extend(self.validate_rules(new, old, &[]).warnings);
        warnings
    }

    fn validate_rules(&self, new: &Object, old: Option<&Object>, found: &[Cause]) -> rules::Found {
        const BLOCKING: [&str; 5] = [
            "FieldValueNotSupported",
            "FieldValueRequired",
            "FieldValueTooLong",
            "FieldValueTooMany",
            "FieldValueTypeInvalid",
        ];
        let mut all = rules::Found::default();
        let Some(node) = &self.rules else { return all };
        if found.iter().any(|cause| BLOCKING.contains(&cause.reason)) {
            let why = "some validation rules were not checked because the object was invalid; correct the existing errors to complete validation";
            all.causes.push(Cause::invalid("<nil>", &Value::Null, why));
            return all;
        }
        rules::check(node, &new.to_value(), old.map(Object::to_value).as_ref(), &mut all);
        all
    }

    fn validate_schema(&self, object: &Object) -> Vec<Cause> {
        let mut causes = validate_metadata(object);
        let value = object.to_value();
        if let Some(schema) = &self.schema {
            check::check(schema, &value, &mut causes);
            if self.embeds {
                embedded::check(schema, &value, "", &mut causes);
            }
        }
        if let Some(scale) = &self.scale {
            check_replicas(&value, &scale.spec_replicas, &mut causes);
            check_scale_status(&value, scale, &mut causes);
        }
        causes
    }

    /// What is wrong with lists that are sets or maps.
    fn validate_lists(&self, object: &Object) -> Vec<Cause> {
        let mut causes = Vec::new();
        if let Some(schema) = &self.schema {
            check::check_lists(schema, &object.to_value(), "", &mut causes);
        }
        causes
    }

    /// What is wrong with a status that is written by itself: its rules name its fields as if it were all there is.
    fn validate_status(&self, object: &Object) -> Vec<Cause> {
        let mut causes = validate_metadata(object);
        let value = object.to_value();
        let member = self.schema.as_ref().and_then(|schema| schema.member("status"));
        if let (Some(schema), Some(status)) = (member, value.get("status")) {
            let mut found = Vec::new();
            check::check(schema, status, &mut found);
            causes.extend(found.into_iter().map(|mut cause| {
                cause.field = match cause.field.as_str() {
                    "" | "<nil>" => "status".to_owned(),
                    field => format!("status.{field}"),
                };
                cause
            }));
        }
        if let Some(scale) = &self.scale {
            check_scale_status(&value, scale, &mut causes);
        }
        causes
    }

    /// Faults that were there before are let pass, as validation ratcheting does.
    pub(crate) fn validate_update(&self, new: &Object, old: &Object, subresource: &str) -> Vec<Cause> {
        let validate = |object: &Object| match subresource {
            "status" => self.validate_status(object),
            _ => self.validate_schema(object),
        };
        let before = validate(old);
        let mut causes = validate(new);
        causes.retain(|cause| {
            let unchanged = || {
                let mut path = value_path(&cause.field);
                if cause.reason == "FieldValueRequired" {
                    // What is missing is the fault of what is around it.
                    path.pop();
                }
                !path.is_empty() && value_at(&new.to_value(), &path) == value_at(&old.to_value(), &path)
            };
            !(before.contains(cause) && unchanged())
        });
        if self.validate_lists(old).is_empty() {
            causes.extend(self.validate_lists(new));
        }
        causes.extend(self.validate_rules(new, Some(old), &causes).causes);
        causes
    }
}

fn finalizer_warnings(finalizer: &str) -> Vec<String> {
    let lead = format!("metadata.finalizers: {finalizer:?}: ");
    let mut warnings: Vec<String> =
        windlass_kube::validation::label_key(finalizer).iter().map(|why| format!("{lead}{why}")).collect();
    let standard = ["orphan", "foregroundDeletion", "kubernetes"].contains(&finalizer);
    if !standard && !finalizer.contains('/') {
        let what = if finalizer.contains('.') {
            "a domain-qualified finalizer name including a path (/)"
        } else {
            "a domain-qualified finalizer name"
        };
        warnings
            .push(format!("{lead}prefer {what} to avoid accidental conflicts with other finalizer writers"));
    }
    warnings
}

/// What stands at a path of the `scale` subresource.
///
/// # Errors
///
/// When the path runs into what has no members, in the words of Go's accessors.
fn scaled<'v>(value: &'v Value, path: &[Str], shown: &Value) -> Result<Option<&'v Value>, Cause> {
    let field = format!(".{}", path.join("."));
    let mut here = value;
    for (idx, key) in path.iter().enumerate() {
        here = match here {
            Value::Object(map) => match map.get(key) {
                Some(next) => next,
                None => return Ok(None),
            },
            Value::Null => return Ok(None),
            other => {
                let at = format!(".{}", path[..=idx].join("."));
                return Err(accessor(&field, &at, shown, other, "map[string]interface{}"));
            }
        };
    }
    Ok(Some(here))
}

fn check_replicas(value: &Value, path: &[Str], causes: &mut Vec<Cause>) {
    const MOST: i64 = i32::MAX as i64;
    let field = format!(".{}", path.join("."));
    match scaled(value, path, &Value::Int(0)) {
        Err(cause) => causes.push(cause),
        Ok(None) => {}
        Ok(Some(Value::Int(count))) if *count < 0 => {
            causes.push(Cause::invalid(field, &Value::Int(*count), "should be a non-negative integer"));
        }
        Ok(Some(Value::Int(count))) if *count > MOST => {
            let why = format!("should be less than or equal to {MOST}");
            causes.push(Cause::invalid(field, &Value::Int(*count), &why));
        }
        Ok(Some(Value::Int(_))) => {}
        Ok(Some(other)) => causes.push(accessor(&field, &field, &Value::Int(0), other, "int64")),
    }
}

fn check_scale_status(value: &Value, scale: &ScalePaths, causes: &mut Vec<Cause>) {
    check_replicas(value, &scale.status_replicas, causes);
    if scale.label_selector.is_empty() {
        return;
    }
    let shown = Value::from("");
    match scaled(value, &scale.label_selector, &shown) {
        Err(cause) => causes.push(cause),
        Ok(None | Some(Value::String(_))) => {}
        Ok(Some(other)) => {
            let field = format!(".{}", scale.label_selector.join("."));
            causes.push(accessor(&field, &field, &shown, other, "string"));
        }
    }
}

/// What Go's unstructured accessors say when a path runs into another type.
fn accessor(field: &str, at: &str, unset: &Value, found: &Value, wanted: &str) -> Cause {
    let (shown, kind) = match found {
        Value::String(text) => (text.to_string(), "string"),
        Value::Bool(bool) => (bool.to_string(), "bool"),
        Value::Int(int) => (int.to_string(), "int64"),
        Value::Float(float) => (float.to_string(), "float64"),
        Value::Array(items) => {
            let items: Vec<String> = items.iter().map(go_print).collect();
            (format!("[{}]", items.join(" ")), "[]interface {}")
        }
        Value::Object(_) => (go_print(found), "map[string]interface {}"),
        Value::Null => ("<nil>".into(), "<nil>"),
    };
    Cause::invalid(
        field,
        unset,
        &format!("{at} accessor error: {shown} is of the type {kind}, expected {wanted}"),
    )
}

/// A value as Go's `%v` prints it.
fn go_print(value: &Value) -> String {
    match value {
        Value::Null => "<nil>".into(),
        Value::String(text) => text.to_string(),
        Value::Array(items) => format!("[{}]", items.iter().map(go_print).collect::<Vec<_>>().join(" ")),
        Value::Object(map) => {
            let members: Vec<String> =
                map.iter().map(|(key, value)| format!("{key}:{}", go_print(value))).collect();
            format!("map[{}]", members.join(" "))
        }
        other => format!("{other:?}"),
    }
}

/// Reads metadata as the built-in kinds' decoder does.
fn prune_metadata(object: &mut Value, unknown: &mut Vec<String>) {
    let Some(metadata) = object.get("metadata").cloned() else { return };
    let mut carrier = Value::object();
    carrier.set_at(&["metadata"], metadata);
    if let Ok(dropped) = defaults::normalize(&Gvk::new("", "v1", "ConfigMap"), &mut carrier) {
        unknown.extend(dropped);
        object.set_at(&["metadata"], carrier.get("metadata").cloned().unwrap_or_else(Value::object));
    }
}

/// The rules for names, labels and annotations of every object.
fn validate_metadata(object: &Object) -> Vec<Cause> {
    use windlass_kube::validation;
    let mut causes: Vec<Cause> = validation::dns1123_subdomain(object.name())
        .iter()
        .map(|detail| Cause::invalid("metadata.name", &Value::from(object.name()), detail))
        .collect();
    let maps = [
        ("labels", validation::labels as fn(&windlass_kube::Map, &str) -> Vec<validation::Invalid>),
        ("annotations", validation::annotations),
    ];
    for (member, check) in maps {
        if let Some(map) = object.at(&["metadata", member]).and_then(Value::as_object) {
            causes.extend(check(map, &format!("metadata.{member}")).into_iter().map(cause_of));
        }
    }
    causes
}

fn cause_of(invalid: windlass_kube::validation::Invalid) -> Cause {
    match invalid.value {
        Some(value) => Cause {
            reason: "FieldValueInvalid",
            message: format!("Invalid value: {value}: {}", invalid.detail),
            field: invalid.field,
        },
        None => Cause {
            reason: "FieldValueTooLong",
            message: format!("Too long: {}", invalid.detail),
            field: invalid.field,
        },
    }
}

/// `spec.list[1].name` as steps.
fn value_path(field: &str) -> Vec<Str> {
    if field.starts_with('<') {
        return Vec::new();
    }
    field
        .split(['.', '['])
        .filter(|step| !step.is_empty())
        .map(|step| step.trim_end_matches(']').into())
        .collect()
}

fn value_at<'a>(value: &'a Value, path: &[Str]) -> Option<&'a Value> {
    path.iter().try_fold(value, |here, step| match here {
        Value::Array(items) => items.get(step.parse::<usize>().ok()?),
        other => other.get(step),
    })
}

#[cfg(test)]
mod tests;
