//! The four kinds of patches.

use std::sync::Arc;

use windlass_kube::json_patch::JsonPatchError;
use windlass_kube::{Object, Value, json_patch, merge_patch};

use super::write::{Made, intake};
use super::{Api, Patch, WriteOptions, Written, managed};
use crate::resource::Resource;
use crate::status::{Cause, Status};

impl Api {
    pub(crate) async fn patch_on(
        &self,
        resource: &Arc<Resource>,
        namespace: &str,
        name: &str,
        patch: &Patch,
        options: &WriteOptions,
    ) -> Result<Written, Status> {
        if let Patch::Apply(applied) = patch {
            return self.apply_on(resource, namespace, name, applied, options).await;
        }
        if matches!(patch, Patch::Strategic(_)) && resource.custom.is_some() {
            return Err(Status::unsupported_media_type(&[
                "application/json-patch+json",
                "application/merge-patch+json",
                "application/apply-patch+yaml",
            ]));
        }
        self.change(resource, namespace, name, options, Vec::new(), |old, warnings, _| {
            let mut patched = patched(resource, &old.to_value(), patch)?;
            if matches!(patch, Patch::Strategic(_)) {
                // It is merged into a typed object, whose kind stands.
                patched.set_at(&["apiVersion"], resource.gvr.group_version());
                patched.set_at(&["kind"], resource.kind.clone());
            }
            let mut object = intake(resource, patched.clone(), options.field_validation, warnings)
                .map_err(|status| unreadable(&patched, patch, status))?;
            check_name(object.name(), name)?;
            if resource.namespaced && object.namespace() != namespace {
                return Err(Status::bad_request(OTHER_NAMESPACE));
            }
            keep_version_unless_patched(old, &mut object);
            Ok(Made::Tracked(object))
        })
        .await
    }

    async fn apply_on(
        &self,
        resource: &Arc<Resource>,
        namespace: &str,
        name: &str,
        applied: &Value,
        options: &WriteOptions,
    ) -> Result<Written, Status> {
        let applied = applied_object(resource, namespace, name, applied.clone())?;
        let manager = self.manager(options);
        loop {
            match self.stored(resource, namespace, name) {
                Ok(_) => {
                    let changed = self
                        .change(resource, namespace, name, options, Vec::new(), |old, warnings, versions| {
                            let merged = managed::apply(
                                resource,
                                Some(old),
                                &applied,
                                &manager,
                                options,
                                Some(versions),
                            )?;
                            let object = intake(resource, merged, options.field_validation, warnings)?;
                            Ok(Made::Owned(object))
                        })
                        .await;
                    match changed {
                        Err(status) if status.reason == "NotFound" => {}
                        other => return other,
                    }
                }
                Err(status) if !options.subresource.is_empty() => return Err(status),
                Err(_) => {
                    let mut applied = applied.clone();
                    applied.remove_at(&["metadata", "resourceVersion"]);
                    if !applied.uid().is_empty() {
                        let why = format!(
                            "uid mismatch: the provided object specified uid {}, and no existing object was found",
                            applied.uid()
                        );
                        return Err(Status::conflict(&resource.group_resource(), name, &why));
                    }
                    let merged = managed::apply(resource, None, &applied, &manager, options, None)?;
                    let mut warnings = Vec::new();
                    let object = intake(resource, merged, options.field_validation, &mut warnings)?;
                    match self.create_made(resource, namespace, Made::Owned(object), options, warnings).await
                    {
                        Err(status) if status.reason == "AlreadyExists" && !options.dry_run => {}
                        other => return other,
                    }
                }
            }
        }
    }
}

/// Checks what every applied object must have.
fn applied_object(resource: &Resource, namespace: &str, name: &str, value: Value) -> Result<Object, Status> {
    let gvk = resource.gvk();
    if value.as_object().is_none() {
        return Err(Status::bad_request(format!(
            "error decoding YAML: error unmarshaling JSON: while decoding JSON: json: cannot unmarshal {} into Go value of type map[string]interface {{}}",
            go_type(&value)
        )));
    }
    let sent =
        (value.str_at(&["apiVersion"]).unwrap_or_default(), value.str_at(&["kind"]).unwrap_or_default());
    if sent != (gvk.api_version().as_str(), gvk.kind.as_str()) {
        let (group, version) = sent.0.split_once('/').unwrap_or(("", sent.0));
        return Err(Status::bad_request(format!("invalid object type: {group}/{version}, Kind={}", sent.1)));
    }
    if value.items_at(&["metadata", "managedFields"]).iter().next().is_some() {
        return Err(Status::bad_request("metadata.managedFields must be nil"));
    }
    let named = value.at(&["metadata", "name"]).is_none_or(|name| name.as_str().is_some());
    if named {
        check_name(value.str_at(&["metadata", "name"]).unwrap_or_default(), name)?;
    }
    if resource.namespaced {
        let have = value.str_at(&["metadata", "namespace"]).unwrap_or_default();
        if !have.is_empty() && have != namespace {
            return Err(Status::bad_request(OTHER_NAMESPACE));
        }
    }
    Object::try_new(value).map_err(|error| Status::bad_request(error.to_string()))
}

/// What is said of an object that is sent to a namespace it does not name.
const OTHER_NAMESPACE: &str =
    "the namespace of the provided object does not match the namespace sent on the request";

pub(super) fn check_name(have: &str, name: &str) -> Result<(), Status> {
    if have.is_empty() {
        return Err(Status::bad_request(format!(
            "the name of the object ({name} based on URL) was undeterminable: name must be provided"
        )));
    }
    if have != name {
        return Err(Status::bad_request(format!(
            "the name of the object ({have}) does not match the name on the URL ({name})"
        )));
    }
    Ok(())
}

/// What Go's JSON package calls the type of a value.
fn go_type(value: &Value) -> &'static str {
    match value {
        Value::Int(_) | Value::Float(_) => "number",
        other => other.type_name(),
    }
}

/// A patch after which the object cannot be read: where creating says `BadRequest`, patching says `Invalid`.
fn unreadable(patched: &Value, patch: &Patch, status: Status) -> Status {
    let Some((_, why)) = status.message.split_once(" cannot be handled as a ") else { return status };
    let why = why.split_once(": ").map_or(why, |(_, why)| why);
    let (shown, why) = match patch {
        Patch::Strategic(patch) => (format!("{patch:?}"), in_words_of_the_converter(why)),
        _ => (format!("{patched:?}"), why.to_owned()),
    };
    let cause = Cause::invalid("patch", &Value::from(shown), &why);
    Status::invalid("", "", "", vec![cause])
}

/// A strategic merge patch makes its object of a tree, not of JSON text, and fails in other words.
fn in_words_of_the_converter(why: &str) -> String {
    let Some((found, wanted)) =
        why.strip_prefix("json: cannot unmarshal ").and_then(|rest| rest.split_once(" into "))
    else {
        return why.to_owned();
    };
    let wanted = wanted.rsplit_once("of type ").map_or(wanted, |(_, wanted)| wanted);
    match (found, wanted) {
        ("array", map) if map.starts_with("map[") => "cannot restore map from slice".to_owned(),
        ("number", "string") => "cannot convert int64 to string".to_owned(),
        (_, simple) => format!("unrecognized type: {simple}"),
    }
}

/// The object after a patch.
fn patched(resource: &Resource, old: &Value, patch: &Patch) -> Result<Value, Status> {
    match patch {
        Patch::Json(other) if other.as_array().is_none() => Err(Status::bad_request(format!(
            "error decoding patch: json: cannot unmarshal {} into Go value of type []handlers.jsonPatchOp",
            go_type(other)
        ))),
        Patch::Json(patch) => json_patch::apply(old, patch).map_err(|error| match error {
            JsonPatchError::Decode(why) => Status::bad_request(why),
            JsonPatchError::TooManyOperations(_) => {
                Status::new(413, "RequestEntityTooLarge", error.to_string())
            }
            JsonPatchError::Apply(_) => Status::patch_rejected(),
        }),
        Patch::Merge(patch @ Value::Object(_)) => Ok(merge_patch::apply(old, patch)),
        Patch::Merge(Value::Null) => Err(Status::bad_request("Invalid JSON Patch")),
        Patch::Merge(other) => Err(Status::bad_request(format!(
            "error decoding patch: json: cannot unmarshal {} into Go value of type map[string]interface {{}}",
            go_type(other)
        ))),
        Patch::Strategic(other) if other.as_object().is_none() => Err(Status::bad_request(format!(
            "json: cannot unmarshal {} into Go value of type map[string]interface {{}}",
            go_type(other)
        ))),
        Patch::Strategic(patch) => managed::strategic(resource, old, patch),
        Patch::Apply(_) => Ok(old.clone()),
    }
}

/// A patch that does not speak of the resource version applies to whatever is there.
fn keep_version_unless_patched(old: &Object, new: &mut Object) {
    if new.resource_version() == old.resource_version() {
        new.remove_at(&["metadata", "resourceVersion"]);
    }
}
