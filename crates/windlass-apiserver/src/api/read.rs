//! Reading: one object, a page of a list.

use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bytes::Bytes;
use windlass_kube::{Object, Str, Value, value};

use super::selection::Selection;
use super::{Api, ListOptions, ObjectList};
use crate::defaults;
use crate::resource::{Gvr, Resource};
use crate::status::{Cause, Status};
use crate::store::{Key, Revision, Snapshot, Stored};

/// A page of a list, still as stored.
pub(crate) struct Page {
    pub(crate) revision: Revision,
    pub(crate) objects: Vec<Arc<Stored>>,
    pub(crate) continue_token: Str,
    pub(crate) remaining: Option<usize>,
}

/// What a continue token says.
struct Continue {
    revision: Revision,
    after: Key,
}

impl Continue {
    /// As kube-apiserver encodes it, so that clients that look inside find what they know.
    fn encode(&self, namespaced_list: bool) -> Str {
        let start = if namespaced_list || self.after.namespace.is_empty() {
            format!("{}\0", self.after.name)
        } else {
            format!("{}\0", self.after)
        };
        let token = value!({"v": "meta.k8s.io/v1", "rv": (self.revision.cast_signed()), "start": start});
        URL_SAFE_NO_PAD.encode(format!("{token:?}")).into()
    }

    /// Why a token that says nothing cannot be read, in Go's words.
    fn problem(token: &str) -> String {
        let Ok(bytes) = URL_SAFE_NO_PAD.decode(token.trim_end_matches('=')) else {
            return "malformed value".to_owned();
        };
        match serde_json::from_slice::<Value>(&bytes) {
            Ok(_) => "malformed value".to_owned(),
            Err(error) => crate::http::go_json_error(&bytes, &error),
        }
    }

    fn decode(token: &str, namespace: Option<&str>, namespaced: bool) -> Option<Self> {
        let bytes = URL_SAFE_NO_PAD.decode(token.trim_end_matches('=')).ok()?;
        let token: Value = serde_json::from_slice(&bytes).ok()?;
        if token.str_at(&["v"]) != Some("meta.k8s.io/v1") {
            return None;
        }
        let start = token.str_at(&["start"])?.trim_end_matches('\0');
        let after = match namespace {
            Some(namespace) => Key::new(namespace, start),
            None if namespaced => start.split_once('/').map(|(namespace, name)| Key::new(namespace, name))?,
            None => Key::new("", start),
        };
        Some(Self { revision: token.int_at(&["rv"])?.cast_unsigned(), after })
    }
}

impl Api {
    /// The resource of that name, if it is served.
    pub(crate) fn resource(&self, gvr: &Gvr) -> Result<Arc<Resource>, Status> {
        self.shared.registry.get(gvr).ok_or_else(Status::no_such_resource)
    }

    pub(crate) fn stored(
        &self,
        resource: &Resource,
        namespace: &str,
        name: &str,
    ) -> Result<Arc<Stored>, Status> {
        let table = self.shared.store.table(&resource.storage);
        table
            .get(&Key::new(namespace, name))
            .ok_or_else(|| Status::not_found(&resource.group_resource(), name))
    }

    pub(crate) fn page(
        &self,
        resource: &Resource,
        namespace: Option<&str>,
        options: &ListOptions,
    ) -> Result<Page, Status> {
        let selection =
            Selection::parse(resource, namespace, &options.label_selector, &options.field_selector)?;
        let snapshot = self.snapshot(resource, namespace, options, &selection)?;
        Ok(cut(snapshot, namespace, options, &selection))
    }

    /// What a list is made of, before anything is selected.
    pub(super) fn snapshot(
        &self,
        resource: &Resource,
        namespace: Option<&str>,
        options: &ListOptions,
        selection: &Selection,
    ) -> Result<Snapshot, Status> {
        let table = self.shared.store.table(&resource.storage);
        let snapshot = if options.continue_token.is_empty() {
            self.check_not_ahead(options.resource_version)?;
            match (selection.namespace(), selection.exact_name()) {
                (Some(namespace), Some(name)) if !options.exact => {
                    let objects = table.get(&Key::new(namespace, name)).into_iter().collect();
                    Snapshot { revision: table.revision(), objects }
                }
                _ => match options.resource_version.filter(|revision| options.exact && *revision > 0) {
                    Some(revision) => table.list_at(selection.namespace(), None, revision).map_err(|compacted| {
                        Status::expired(format!(
                            "The resourceVersion for the provided list is too old. (requested {}, oldest {})",
                            compacted.asked, compacted.oldest
                        ))
                    })?,
                    None => table.list(selection.namespace()),
                },
            }
        } else {
            let from = Continue::decode(&options.continue_token, namespace, resource.namespaced).ok_or_else(
                || {
                    let why = Continue::problem(&options.continue_token);
                    Status::bad_request(format!("invalid continue token: continue key is not valid: {why}"))
                },
            )?;
            table.list_at(selection.namespace(), Some(&from.after), from.revision).map_err(|_| {
                Status::expired(
                    "The provided continue parameter is too old to display a consistent list result. You can start a new list without the continue parameter.",
                )
            })?
        };
        Ok(snapshot)
    }

    /// A resource version from the future is refused as kube-apiserver refuses it after waiting.
    pub(crate) fn check_not_ahead(&self, revision: Option<Revision>) -> Result<(), Status> {
        let current = self.shared.store.revision();
        let Some(ahead) = revision.filter(|revision| *revision > current) else { return Ok(()) };
        let message = format!("Timeout: Too large resource version: {ahead}, current: {current}");
        let mut status = Status::new(504, "Timeout", message);
        status.details.retry_after_seconds = 1;
        status.details.causes = vec![Cause {
            reason: "ResourceVersionTooLarge",
            message: "Too large resource version".into(),
            field: String::new(),
        }];
        Err(status)
    }

    pub(crate) fn list_objects(
        &self,
        resource: &Resource,
        namespace: Option<&str>,
        options: &ListOptions,
    ) -> Result<ObjectList, Status> {
        let page = self.page(resource, namespace, options)?;
        let items = page.objects.iter().map(|stored| presented(resource, stored)).collect();
        Ok(ObjectList {
            revision: page.revision,
            items,
            continue_token: page.continue_token,
            remaining: page.remaining,
        })
    }
}

/// The page of a list that was asked for.
pub(super) fn cut(
    mut snapshot: Snapshot,
    namespace: Option<&str>,
    options: &ListOptions,
    selection: &Selection,
) -> Page {
    // A page that is full goes on where anything follows it, whether or not that is meant.
    let last = snapshot.objects.last().map(|stored| stored.key().clone());
    if !selection.is_everything() {
        snapshot.objects.retain(|stored| selection.matches(stored));
    }
    let n_objects = snapshot.objects.len();
    let mut page = Page {
        revision: snapshot.revision,
        objects: snapshot.objects,
        continue_token: Str::default(),
        remaining: None,
    };
    if options.limit > 0 && n_objects >= options.limit {
        page.objects.truncate(options.limit);
        let shown = page.objects.last().map(|stored| stored.key().clone());
        if let Some(shown) = shown.filter(|shown| last.as_ref() != Some(shown)) {
            let after = Continue { revision: page.revision, after: shown };
            page.continue_token = after.encode(namespace.is_some());
            page.remaining = selection.is_everything().then_some(n_objects - options.limit);
        }
    }
    page
}

/// Whether the stored bytes are what a reader of this resource gets.
pub(crate) fn is_presentable(resource: &Resource, json: &[u8]) -> bool {
    let group_version = resource.gvr.group_version();
    json.strip_prefix(b"{\"apiVersion\":\"")
        .and_then(|rest| rest.strip_prefix(group_version.as_bytes()))
        .is_some_and(|rest| rest.starts_with(b"\""))
}

/// An object at the version of the resource it is read through.
pub(crate) fn presented(resource: &Resource, stored: &Stored) -> Object {
    converted(resource, stored.object())
}

/// The JSON of an object at the version of the resource it is read through; the stored bytes themselves
/// where they are that.
pub(crate) fn presented_json(resource: &Resource, stored: &Stored) -> Bytes {
    let json = stored.json();
    if is_presentable(resource, &json) || resource.conversion().is_some() {
        return json;
    }
    json_of(&presented(resource, stored))
}

/// Compact JSON.
pub(crate) fn json_of(object: &Object) -> Bytes {
    serde_json::to_vec(object.as_map()).expect("writing to memory cannot fail").into()
}

/// An object at the version of the resource it is read through.
///
/// What a webhook has to convert stays as it is: see `convert`.
fn converted(resource: &Resource, object: Object) -> Object {
    if resource.conversion().is_some() {
        return object;
    }
    convert_to(object, &resource.gvk(), resource.custom.is_some())
}

pub(super) fn convert_to(mut object: Object, to: &windlass_kube::Gvk, custom: bool) -> Object {
    let from = object.gvk();
    if from == *to {
        return object;
    }
    if custom {
        // Without a conversion webhook, versions differ only in their name.
        object.set_at(&["apiVersion"], to.api_version());
        return object;
    }
    let mut value = object.to_value();
    defaults::convert(&from, to, &mut value);
    Object::try_new(value).unwrap_or(object)
}
