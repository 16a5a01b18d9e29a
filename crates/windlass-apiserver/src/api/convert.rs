//! Objects at the version they are read through, where a webhook has to be asked for it.
//!
//! All others are converted where they are read (see `read`), which costs nothing when they are stored at that version.

use std::sync::Arc;

use windlass_kube::{Gvk, Object, Value};

use super::Api;
use super::read::{Page, convert_to};
use super::selection::Selection;
use super::{ListOptions, read};
use crate::resource::Resource;
use crate::status::Status;
use crate::store::{Event, Stored};

impl Api {
    /// Stored objects as a reader of the resource sees them.
    ///
    /// # Errors
    ///
    /// When a webhook that has to convert one fails.
    pub(crate) async fn at_version(
        &self,
        resource: &Resource,
        stored: Vec<Arc<Stored>>,
    ) -> Result<Vec<Arc<Stored>>, Status> {
        let Some((custom, conversion)) = resource.conversion() else { return Ok(stored) };
        let others = |one: &Arc<Stored>| !read::is_presentable(resource, &one.json());
        if !stored.iter().any(others) {
            return Ok(stored);
        }
        let finish = |value: &mut Value| {
            custom.prune(value);
        };
        conversion.at_version(self, stored, &resource.gvk(), finish).await
    }

    /// As [`at_version`](Self::at_version), of one.
    ///
    /// # Errors
    ///
    /// When a webhook that has to convert it fails.
    pub(crate) async fn one_at_version(
        &self,
        resource: &Resource,
        stored: &Arc<Stored>,
    ) -> Result<Arc<Stored>, Status> {
        if resource.conversion().is_none() {
            return Ok(stored.clone());
        }
        let mut stored = self.at_version(resource, vec![stored.clone()]).await?;
        Ok(stored.remove(0))
    }

    /// Changes as a reader of the resource sees them.
    ///
    /// # Errors
    ///
    /// When a webhook that has to convert an object fails.
    pub(super) async fn events_at_version(
        &self,
        resource: &Resource,
        events: &[Arc<Event>],
    ) -> Result<Vec<Arc<Event>>, Status> {
        let objects = events.iter().flat_map(|event| [Some(&event.object), event.previous.as_ref()]);
        let objects: Vec<Arc<Stored>> = objects.flatten().cloned().collect();
        let mut objects = self.at_version(resource, objects).await?.into_iter();
        let shown = events.iter().map(|event| {
            let object = objects.next().unwrap_or_else(|| event.object.clone());
            let previous = event.previous.as_ref().and_then(|_| objects.next());
            Arc::new(Event::settled(event.kind, object, previous))
        });
        Ok(shown.collect())
    }

    /// A page of a list as a reader of the resource sees it.
    ///
    /// # Errors
    ///
    /// As `page`, and when a webhook that has to convert an object fails.
    pub(crate) async fn page_at_version(
        &self,
        resource: &Resource,
        namespace: Option<&str>,
        options: &ListOptions,
    ) -> Result<Page, Status> {
        if resource.conversion().is_none() {
            return self.page(resource, namespace, options);
        }
        let selection =
            Selection::parse(resource, namespace, &options.label_selector, &options.field_selector)?;
        let mut snapshot = self.snapshot(resource, namespace, options, &selection)?;
        if selection.reads_object() {
            snapshot.objects = self.at_version(resource, snapshot.objects).await?;
        }
        let mut page = read::cut(snapshot, namespace, options, &selection);
        page.objects = self.at_version(resource, page.objects).await?;
        Ok(page)
    }

    /// An object of the resource at another version of its kind.
    ///
    /// # Errors
    ///
    /// When a webhook that has to convert it fails.
    pub(crate) async fn at_kind(
        &self,
        resource: &Resource,
        object: &Value,
        kind: &Gvk,
    ) -> Result<Value, Status> {
        let Ok(object) = Object::try_new(object.clone()) else { return Ok(object.clone()) };
        Ok(self.converted_to(resource, object, kind).await?.into_value())
    }

    /// An object at the version it is stored at.
    ///
    /// # Errors
    ///
    /// When a webhook that has to convert it fails.
    pub(super) async fn to_storage(&self, resource: &Resource, object: Object) -> Result<Object, Status> {
        self.converted_to(resource, object, &resource.storage_gvk).await
    }

    /// An object at the version of the resource it is read through.
    ///
    /// # Errors
    ///
    /// When a webhook that has to convert it fails.
    pub(super) async fn converted(&self, resource: &Resource, object: Object) -> Result<Object, Status> {
        self.converted_to(resource, object, &resource.gvk()).await
    }

    async fn converted_to(&self, resource: &Resource, object: Object, to: &Gvk) -> Result<Object, Status> {
        let is_of_resource = to.kind == resource.kind;
        let Some((_, conversion)) = resource.conversion().filter(|_| is_of_resource) else {
            return Ok(convert_to(object, to, resource.custom.is_some()));
        };
        if object.gvk() == *to {
            return Ok(object);
        }
        let converted = conversion.convert(self, vec![object], to).await?.remove(0);
        let Some(custom) = self.resource_for(to).and_then(|at| at.custom.clone()) else {
            return Ok(converted);
        };
        let mut value = converted.into_value();
        custom.prune(&mut value);
        Object::try_new(value).map_err(Status::internal)
    }
}
