//! Objects and lists in the form the client asked for.

use std::time::SystemTime;

use bytes::Bytes;
use windlass_kube::{Map, Object, Value, value};

use super::accept::Form;
use super::answer::json_bytes;
use super::columns;
use crate::api::read::{Page, presented, presented_json};
use crate::protobuf::{EncodeError, ListEncoder};
use crate::resource::Resource;
use crate::tables;

/// How much of an object a table row carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Included {
    Nothing,
    Metadata,
    Object,
}

impl Included {
    pub(super) fn parse(parameter: &str) -> Self {
        match parameter {
            "None" => Self::Nothing,
            "Object" => Self::Object,
            _ => Self::Metadata,
        }
    }
}

/// What is known of a table or list beside its items.
fn list_metadata(revision: &str, page: Option<&Page>) -> Value {
    let mut metadata = value!({"resourceVersion": revision});
    if let Some(page) = page {
        if !page.continue_token.is_empty() {
            metadata.set_at(&["continue"], page.continue_token.clone());
        }
        if let Some(remaining) = page.remaining {
            metadata.set_at(&["remainingItemCount"], i64::try_from(remaining).unwrap_or(i64::MAX));
        }
    }
    metadata
}

/// Only names, labels, owners and the like.
fn metadata_only(object: &Value) -> Value {
    let metadata = object.get("metadata").cloned().unwrap_or_else(Value::object);
    value!({"kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1", "metadata": metadata})
}

fn row(resource: &Resource, object: &Value, included: Included, now: SystemTime) -> Value {
    let carried = match included {
        Included::Nothing => Value::Null,
        Included::Metadata => metadata_only(object),
        Included::Object => object.clone(),
    };
    match &resource.custom {
        Some(custom) => {
            let cells = columns::cells(custom, object, now);
            value!({"cells": cells, "object": carried})
        }
        None => tables::row(&resource.gvk(), object, now).into_value(carried),
    }
}

fn table(resource: &Resource, metadata: Value, rows: Vec<Value>) -> Value {
    let columns = match &resource.custom {
        Some(custom) => columns::definitions(custom),
        None => tables::columns(&resource.gvk()),
    };
    value!({
        "kind": "Table", "apiVersion": "meta.k8s.io/v1", "metadata": metadata,
        "columnDefinitions": columns, "rows": rows
    })
}

/// One object.
pub(super) fn object(
    resource: &Resource,
    object: &Object,
    json: Bytes,
    form: Form,
    included: Included,
) -> Bytes {
    match form {
        Form::Whole => json,
        Form::Metadata => json_bytes(&metadata_only(&object.to_value())),
        Form::Table => {
            let row = row(resource, &object.to_value(), included, SystemTime::now());
            let metadata = list_metadata(object.resource_version(), None);
            json_bytes(&table(resource, metadata, vec![row]))
        }
    }
}

/// One object of a watch event, as a value; only for forms other than the whole.
pub(super) fn event_object(resource: &Resource, object: &Object, form: Form, included: Included) -> Value {
    match form {
        Form::Whole => object.to_value(),
        Form::Metadata => metadata_only(&object.to_value()),
        Form::Table => {
            let row = row(resource, &object.to_value(), included, SystemTime::now());
            table(resource, list_metadata(object.resource_version(), None), vec![row])
        }
    }
}

/// A page of a list.
pub(super) fn list(resource: &Resource, page: &Page, form: Form, included: Included) -> Bytes {
    let revision = page.revision.to_string();
    let mut metadata = list_metadata(&revision, Some(page));
    if form == Form::Whole && resource.custom.is_some() && metadata.get("continue").is_none() {
        metadata.set_at(&["continue"], "");
    }
    match form {
        Form::Whole => whole_list(resource, page, &metadata),
        Form::Metadata => {
            let items: Vec<Value> = page
                .objects
                .iter()
                .map(|stored| metadata_only(&presented(resource, stored).to_value()))
                .collect();
            json_bytes(&value!({
                "kind": "PartialObjectMetadataList", "apiVersion": "meta.k8s.io/v1",
                "metadata": metadata, "items": items
            }))
        }
        Form::Table => {
            let now = SystemTime::now();
            let rows = page
                .objects
                .iter()
                .map(|stored| row(resource, &presented(resource, stored).to_value(), included, now))
                .collect();
            json_bytes(&table(resource, metadata, rows))
        }
    }
}

/// A page of a list of a built-in kind in protobuf.
pub(super) fn protobuf_list(resource: &Resource, page: &Page) -> Result<Bytes, EncodeError> {
    let metadata = list_metadata(&page.revision.to_string(), Some(page));
    let n_bytes = page.objects.iter().map(|stored| stored.json_len()).sum();
    let (api_version, kind) = (resource.gvr.group_version(), format!("{}List", resource.kind));
    let mut list = ListEncoder::new(&api_version, &kind, &resource.kind, &metadata, n_bytes)?;
    for stored in &page.objects {
        list.push(Some(presented(resource, stored).as_map()));
    }
    Ok(list.finish())
}

/// The stored bytes of the objects, one after the other.
fn whole_list(resource: &Resource, page: &Page, metadata: &Value) -> Bytes {
    let n_bytes: usize = page.objects.iter().map(|stored| stored.json_len() + 1).sum();
    let mut json = Vec::with_capacity(n_bytes + 256);
    let head: Map = [
        ("apiVersion", Value::from(resource.gvr.group_version())),
        ("kind", Value::from(format!("{}List", resource.kind))),
        ("metadata", metadata.clone()),
    ]
    .into_iter()
    .collect();
    let head = json_bytes(&head.into());
    json.extend_from_slice(&head[..head.len() - 1]);
    json.extend_from_slice(b",\"items\":[");
    let without = resource.custom.is_none().then(|| {
        (
            format!("{{\"apiVersion\":\"{}\",", resource.gvr.group_version()).into_bytes(),
            format!("\"kind\":\"{}\",\"metadata\":{{", resource.kind).into_bytes(),
        )
    });
    for (idx, stored) in page.objects.iter().enumerate() {
        if idx > 0 {
            json.push(b',');
        }
        let item = presented_json(resource, stored);
        match &without {
            Some((begin, kind)) => append_without(&mut json, &item, begin, kind),
            None => json.extend_from_slice(&item),
        }
    }
    json.extend_from_slice(b"]}");
    json.into()
}

/// Appends an object without its version and kind, as built-in kinds stand in lists.
///
/// Members are sorted, so that the kind stands right before the metadata; in a text its quotes would be
/// escaped.
fn append_without(json: &mut Vec<u8>, item: &[u8], begin: &[u8], kind: &[u8]) {
    let found = item.strip_prefix(begin).and_then(|rest| Some((rest, memchr::memmem::find(rest, kind)?)));
    let Some((rest, at)) = found else { return json.extend_from_slice(item) };
    let member = kind.len() - b"\"metadata\":{".len();
    json.push(b'{');
    json.extend_from_slice(&rest[..at]);
    json.extend_from_slice(&rest[at + member..]);
}

/// A scale as a table.
pub(super) fn scale_table(scale: &Value) -> Value {
    let member = |path: &[&str]| scale.at(path).cloned().unwrap_or_default();
    let created = tables::since(scale.at(&["metadata", "creationTimestamp"]), SystemTime::now());
    let column = |name: &str, kind: &str, description: &str| value!({"name": name, "type": kind, "format": "", "description": description, "priority": 0});
    let cells = vec![
        member(&["metadata", "name"]),
        member(&["spec", "replicas"]),
        member(&["status", "replicas"]),
        Value::from(created),
    ];
    let row = value!({"cells": cells, "object": (metadata_only(scale))});
    let columns = vec![
        column("Name", "string", "Name of the scaled object."),
        column("Desired", "integer", "replicas is the desired number of instances for the scaled object."),
        column(
            "Available",
            "integer",
            "replicas is the actual number of observed instances of the scaled object.",
        ),
        column("Age", "string", "Time since the scaled object was created."),
    ];
    value!({
        "kind": "Table", "apiVersion": "meta.k8s.io/v1",
        "metadata": {"resourceVersion": (member(&["metadata", "resourceVersion"]))},
        "columnDefinitions": columns, "rows": [row]
    })
}
