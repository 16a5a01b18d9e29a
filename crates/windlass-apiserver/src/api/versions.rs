//! Objects at the other versions of their kind, for fields that somebody owns at one.
//!
//! The merge that asks for them cannot wait, but a webhook that converts must be waited for: what is not known yet is noted,
//! fetched, and the merge is done again.

use std::sync::Mutex;

use windlass_kube::merge::Versions;
use windlass_kube::schema::ObjectType;
use windlass_kube::{Gvk, Object, Str, Value};

use super::read::convert_to;
use super::{Api, managed};
use crate::resource::Resource;
use crate::status::Status;

/// The other versions of a resource's kind, as far as they were asked for.
pub(super) struct OtherVersions<'a> {
    api: &'a Api,
    resource: &'a Resource,
    known: Mutex<Vec<(Value, Str, Value)>>,
    wanted: Mutex<Option<(Value, Str)>>,
}

impl<'a> OtherVersions<'a> {
    pub(super) fn new(api: &'a Api, resource: &'a Resource) -> Self {
        Self { api, resource, known: Mutex::default(), wanted: Mutex::default() }
    }

    fn gvk(&self, api_version: &str) -> Gvk {
        Gvk::from_api_version(api_version, self.resource.kind.clone())
    }

    /// Converts what a merge asked for and could not get; whether there was something.
    ///
    /// # Errors
    ///
    /// When the webhook fails.
    pub(super) async fn fetch(&self) -> Result<bool, Status> {
        let wanted = self.wanted.lock().expect("no panic under this lock").take();
        let Some((value, api_version)) = wanted else { return Ok(false) };
        let converted = self.api.at_kind(self.resource, &value, &self.gvk(&api_version)).await?;
        self.known.lock().expect("no panic under this lock").push((value, api_version, converted));
        Ok(true)
    }
}

impl Versions for OtherVersions<'_> {
    fn object_type(&self, api_version: &str) -> Option<ObjectType> {
        let gvk = self.gvk(api_version);
        self.api.resource_for(&gvk).map(|at| managed::object_type(&at))
    }

    fn convert(&self, object: &Value, api_version: &str) -> Result<Value, String> {
        let gvk = self.gvk(api_version);
        if self.resource.conversion().is_none() {
            let object = Object::try_new(object.clone()).map_err(|error| error.to_string())?;
            return Ok(convert_to(object, &gvk, self.resource.custom.is_some()).into_value());
        }
        let known = self.known.lock().expect("no panic under this lock");
        if let Some((.., converted)) =
            known.iter().find(|(from, version, _)| version == api_version && from == object)
        {
            return Ok(converted.clone());
        }
        drop(known);
        *self.wanted.lock().expect("no panic under this lock") = Some((object.clone(), api_version.into()));
        Err("an object is still to be converted".into())
    }
}
