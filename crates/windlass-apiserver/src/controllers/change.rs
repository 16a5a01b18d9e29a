//! Reading and changing objects as controllers do.

use windlass_kube::{Object, Str, Value};

use crate::api::{Api, WriteOptions};
use crate::resource::{Gvr, Resource};
use crate::status::Status;
use crate::store::Key;

/// How often a change is tried again when somebody else was quicker.
const ATTEMPTS: usize = 8;

/// The object `key` of a resource, if it is there.
pub(crate) fn read(api: &Api, resource: &Resource, key: &Key) -> Option<Object> {
    api.get(&resource.gvr, &key.namespace, &key.name).ok()
}

/// The object of a resource, if it is there.
pub(crate) fn get(api: &Api, gvr: &Gvr, namespace: &str, name: &str) -> Option<Object> {
    api.get(gvr, namespace, name).ok()
}

/// Changes an object or one of its subresources, as often as it takes; `None` when it is gone.
///
/// Nothing is written when `change` leaves the object as it is.
pub(crate) async fn modify(
    api: &Api,
    gvr: &Gvr,
    namespace: &str,
    name: &str,
    subresource: &str,
    mut change: impl FnMut(&mut Object),
) -> Result<Option<Object>, Status> {
    let options = WriteOptions { subresource: subresource.into(), ..WriteOptions::default() };
    let mut last = None;
    for _ in 0..ATTEMPTS {
        let old = match api.get(gvr, namespace, name) {
            Ok(old) => old,
            Err(status) if status.reason == "NotFound" => return Ok(None),
            Err(status) => return Err(status),
        };
        let mut new = old.clone();
        change(&mut new);
        if new == old {
            return Ok(Some(old));
        }
        match api.update(gvr, namespace, name, new, &options).await {
            Ok(written) => return Ok(Some(written.object)),
            Err(status) if status.reason == "NotFound" => return Ok(None),
            Err(status) if status.reason == "Conflict" => last = Some(status),
            Err(status) => return Err(status),
        }
    }
    Err(last.unwrap_or_else(Status::no_such_resource))
}

/// Sets a status; nothing is written when it is the same.
pub(crate) async fn set_status(api: &Api, gvr: &Gvr, object: &Object, status: &Value) -> Result<(), Status> {
    let uid = object.uid().to_owned();
    modify(api, gvr, object.namespace(), object.name(), "status", |object| {
        if object.uid() == uid {
            object.set_at(&["status"], status.clone());
        }
    })
    .await?;
    Ok(())
}

/// Creates an object; that it exists already is fine.
pub(crate) async fn create(api: &Api, gvr: &Gvr, value: Value) -> Result<Option<Object>, Status> {
    let object = Object::try_new(value).map_err(Status::internal)?;
    let namespace = Str::from(object.namespace());
    match api.create(gvr, &namespace, object, &WriteOptions::default()).await {
        Ok(written) => Ok(Some(written.object)),
        Err(status) if status.reason == "AlreadyExists" => Ok(None),
        Err(status) => Err(status),
    }
}

/// An owner reference that says who controls an object.
pub(crate) fn controller_reference(owner: &Object) -> Value {
    windlass_kube::value!({
        "apiVersion": (owner.api_version()), "kind": (owner.kind()), "name": (owner.name()), "uid": (owner.uid()),
        "controller": true, "blockOwnerDeletion": true
    })
}

/// The uid of the controller that owns an object.
pub(crate) fn controller_of(object: &Object) -> Option<&str> {
    let owners = object.at(&["metadata", "ownerReferences"])?.as_array()?;
    owners.iter().find(|owner| owner.bool_at(&["controller"]) == Some(true))?.str_at(&["uid"])
}

/// The items of a list.
pub(crate) fn items<'a>(object: &'a Object, path: &[&str]) -> &'a [Value] {
    object.at(path).and_then(Value::as_array).map_or(&[], |items| items.as_slice())
}
