//! Field ownership: the seam to `windlass_kube::merge`.

use std::sync::{Arc, OnceLock};

use windlass_kube::fields::{FieldSet, PathElement};
use windlass_kube::merge::{self, ApplyError, Request};
use windlass_kube::schema::{ObjectType, Types};
use windlass_kube::strategic::{self, StrategicPatchError};
use windlass_kube::{Object, Value};

use super::versions::OtherVersions;
use super::{Api, WriteOptions};
use crate::defaults;
use crate::resource::Resource;
use crate::status::{Cause, Status};
use crate::{recorded, time};

/// The types of all built-in kinds, made once from the recorded schemas.
fn built_in_types() -> &'static Arc<Types> {
    static TYPES: OnceLock<Arc<Types>> = OnceLock::new();
    TYPES.get_or_init(|| {
        let mut document = Value::object();
        document.set_at(&["openapi"], "3.0.0");
        document.set_at(&["components", "schemas"], recorded::schemas().clone());
        Types::from_openapi(&document).expect("the recorded schemas are those of a real API server")
    })
}

/// How the fields of a resource's objects merge.
pub(super) fn object_type(resource: &Resource) -> ObjectType {
    match &resource.custom {
        Some(custom) => custom.object_type.clone(),
        None => built_in_types().get(&resource.gvk()).unwrap_or_else(ObjectType::deduced),
    }
}

/// How the fields of a resource's objects merge, at another of its versions, too.
pub(crate) fn field_types(api: &Api, resource: &Resource, kind: &windlass_kube::Gvk) -> ObjectType {
    match api.resource_for(kind) {
        Some(at) => object_type(&at),
        None => object_type(resource),
    }
}

/// The fields that nobody can own through an endpoint, because it resets them.
fn reset_fields(resource: &Resource, subresource: &str) -> Option<FieldSet> {
    let paths: &[&[&str]] = match (subresource, resource.custom.is_some(), resource.gvr.resource.as_str()) {
        ("", ..) if resource.subresource("status").is_some() => &[&["status"]],
        ("status", true, _)
        | (
            "status",
            false,
            "flowschemas"
            | "prioritylevelconfigurations"
            | "resourceclaims"
            | "servicecidrs"
            | "volumeattachments",
        ) => &[&["spec"], &["metadata"]],
        ("status", false, "deployments") => &[&["spec"], &["metadata", "labels"]],
        ("status", false, "pods") => {
            &[&["spec"], &["metadata", "deletionTimestamp"], &["metadata", "ownerReferences"]]
        }
        ("status", false, _) => &[&["spec"]],
        _ => return None,
    };
    let path = |names: &&[&str]| names.iter().map(|name| PathElement::field(*name)).collect::<Vec<_>>();
    Some(paths.iter().map(path).collect())
}

/// Records in `new` who owns what after a write that is no apply.
pub(super) fn track(
    resource: &Resource,
    old: Option<&Object>,
    new: &mut Object,
    manager: &str,
    subresource: &str,
    versions: Option<&OtherVersions<'_>>,
) {
    let object_type = object_type(resource);
    let ignored = reset_fields(resource, subresource);
    let now = time::now();
    let request =
        Request { manager, object_type: &object_type, subresource, now: &now, ignored: ignored.as_ref() };
    let empty = if old.is_none() { empty_object(resource) } else { None };
    let versions = versions.map(|versions| versions as &dyn merge::Versions);
    *new = merge::update_with(old.or(empty.as_ref()), new, &request, versions);
}

impl Api {
    /// A question with its fields owned by who asks it.
    ///
    /// # Errors
    ///
    /// `BadRequest` when it is no object.
    pub(crate) fn tracked_review(
        &self,
        resource: &Resource,
        review: Value,
        manager: &str,
        subresource: &str,
    ) -> Result<Value, Status> {
        let mut object = Object::try_new(review).map_err(|error| Status::bad_request(error.to_string()))?;
        let options = WriteOptions { field_manager: manager.into(), ..WriteOptions::default() };
        let named = object.at(&["metadata", "name"]).cloned();
        let object_type = built_in_types().get(&object.gvk()).unwrap_or_else(ObjectType::deduced);
        let now = time::now();
        let manager = self.manager(&options);
        let request =
            Request { manager: &manager, object_type: &object_type, subresource, now: &now, ignored: None };
        let empty = empty_object(resource);
        let mut empty = empty.unwrap_or_else(|| object.clone());
        empty.set_at(&["kind"], object.kind());
        empty.set_at(&["apiVersion"], object.api_version());
        empty.remove_at(&["status"]);
        empty.set_at(&["spec"], Value::object());
        if subresource == "token" {
            // Go prints it as null where there is none.
            empty.set_at(&["spec", "boundObjectRef"], Value::Null);
        }
        object = merge::update(Some(&empty), &object, &request);
        if named.is_none() {
            object.remove_at(&["metadata", "name"]);
        }
        Ok(object.into_value())
    }
}

/// What Go prints of an object of a built-in kind with nothing set: a create adds nothing that is there.
fn empty_object(resource: &Resource) -> Option<Object> {
    if resource.custom.is_some() {
        return None;
    }
    let gvk = resource.gvk();
    let mut empty = Value::object();
    empty.set_at(&["apiVersion"], gvk.api_version());
    empty.set_at(&["kind"], gvk.kind.clone());
    defaults::normalize(&gvk, &mut empty).ok()?;
    Object::try_new(empty).ok()
}

/// The live object with an applied configuration merged in.
///
/// # Errors
///
/// `Conflict` with one cause for each field that another manager owns.
pub(super) fn apply(
    resource: &Resource,
    live: Option<&Object>,
    config: &Object,
    manager: &str,
    options: &WriteOptions,
    versions: Option<&OtherVersions<'_>>,
) -> Result<Value, Status> {
    let object_type = object_type(resource);
    let ignored = reset_fields(resource, &options.subresource);
    let now = time::now();
    let request = Request {
        manager,
        object_type: &object_type,
        subresource: &options.subresource,
        now: &now,
        ignored: ignored.as_ref(),
    };
    let versions = versions.map(|versions| versions as &dyn merge::Versions);
    match merge::apply_with(live, config, &request, options.force, versions) {
        Ok(applied) => Ok(applied.object.into_value()),
        Err(ApplyError::Conflicts(conflicts)) => {
            let mut status = Status::new(409, "Conflict", conflicts.to_string());
            status.details.causes = conflicts
                .causes()
                .into_iter()
                .map(|cause| Cause {
                    reason: "FieldManagerConflict",
                    message: cause.message,
                    field: cause.field,
                })
                .collect();
            Err(status)
        }
        Err(ApplyError::BadRequest(why)) => Err(Status::bad_request(why)),
        Err(error) => Err(Status::new(500, "", error.to_string())),
    }
}

/// The object after a strategic merge patch.
///
/// # Errors
///
/// As the server answers a patch it cannot read or apply.
pub(super) fn strategic(resource: &Resource, old: &Value, patch: &Value) -> Result<Value, Status> {
    strategic::apply(&object_type(resource), old, patch).map_err(|error| match error {
        StrategicPatchError::Format(why) => Status::bad_request(why),
        StrategicPatchError::Unsupported(_) => Status::patch_rejected(),
        StrategicPatchError::Failed(why) => Status::new(500, "", why),
    })
}
