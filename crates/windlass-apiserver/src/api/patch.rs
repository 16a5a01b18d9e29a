//! The four kinds of patches.

use std::sync::Arc;

use windlass_kube::json_patch::JsonPatchError;
use windlass_kube::{Object, Value, json_patch, merge_patch};

use super::write::{Made, intake};
use super::{Api, Patch, WriteOptions, Written, managed};
use crate::resource::Resource;
use crate::status::Status;

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
        self.change(resource, namespace, name, options, Vec::new(), |old, warnings| {
            let patched = patched(resource, &old.to_value(), patch)?;
            let patched_name = patched.str_at(&["metadata", "name"]).unwrap_or_default();
            if patched_name != name {
                return Err(Status::bad_request(format!(
                    "the name of the object ({patched_name}) does not match the name on the URL ({name})"
                )));
            }
            let mut object = intake(resource, patched, options.field_validation, warnings)?;
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
                        .change(resource, namespace, name, options, Vec::new(), |old, warnings| {
                            let merged = managed::apply(resource, Some(old), &applied, &manager, options)?;
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
                    if !applied.uid().is_empty() {
                        let why = format!(
                            "uid mismatch: the provided object specified uid {}, and no existing object was found",
                            applied.uid()
                        );
                        return Err(Status::conflict(&resource.group_resource(), name, &why));
                    }
                    let merged = managed::apply(resource, None, &applied, &manager, options)?;
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
fn applied_object(
    resource: &Resource,
    namespace: &str,
    name: &str,
    mut value: Value,
) -> Result<Object, Status> {
    let gvk = resource.gvk();
    let sent =
        (value.str_at(&["apiVersion"]).unwrap_or_default(), value.str_at(&["kind"]).unwrap_or_default());
    if sent != (gvk.api_version().as_str(), gvk.kind.as_str()) {
        let (group, version) = sent.0.split_once('/').unwrap_or(("", sent.0));
        return Err(Status::bad_request(format!("invalid object type: {group}/{version}, Kind={}", sent.1)));
    }
    if value.items_at(&["metadata", "managedFields"]).iter().next().is_some() {
        return Err(Status::bad_request("metadata.managedFields must be nil"));
    }
    match value.str_at(&["metadata", "name"]) {
        None | Some("") => value.set_at(&["metadata", "name"], name),
        Some(have) if have != name => {
            return Err(Status::bad_request(format!(
                "the name of the object ({have}) does not match the name on the URL ({name})"
            )));
        }
        Some(_) => {}
    }
    if resource.namespaced {
        match value.str_at(&["metadata", "namespace"]) {
            None | Some("") => value.set_at(&["metadata", "namespace"], namespace),
            Some(have) if have != namespace => {
                return Err(Status::bad_request(
                    "the namespace of the provided object does not match the namespace sent on the request",
                ));
            }
            Some(_) => {}
        }
    }
    Object::try_new(value).map_err(|error| Status::bad_request(error.to_string()))
}

/// The object after a patch.
fn patched(resource: &Resource, old: &Value, patch: &Patch) -> Result<Value, Status> {
    match patch {
        Patch::Json(patch) => json_patch::apply(old, patch).map_err(|error| match error {
            JsonPatchError::Decode(why) => Status::bad_request(why),
            JsonPatchError::TooManyOperations(_) => {
                Status::new(413, "RequestEntityTooLarge", error.to_string())
            }
            JsonPatchError::Apply(_) => Status::patch_rejected(),
        }),
        Patch::Merge(patch @ Value::Object(_)) => Ok(merge_patch::apply(old, patch)),
        Patch::Merge(other) => Err(Status::bad_request(format!(
            "error decoding patch: json: cannot unmarshal {} into Go value of type map[string]interface {{}}",
            other.type_name()
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
