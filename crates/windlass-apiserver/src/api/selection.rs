//! Which objects a list or watch is about: namespace, labels, fields.

use windlass_kube::selector::{FieldSelector, LabelSelector, ParseSelectorError};
use windlass_kube::{Object, Str, Value};

use crate::resource::Resource;
use crate::status::Status;
use crate::store::Stored;

/// The objects that were asked for.
#[derive(Clone, Debug)]
pub(crate) struct Selection {
    namespace: Option<Str>,
    labels: LabelSelector,
    fields: FieldSelector,
    /// Whether a field beside the object's names is asked for, so that the object must be read.
    reads_object: bool,
}

impl Selection {
    /// Reads the selectors.
    ///
    /// # Errors
    ///
    /// In the server's words, when one cannot be read or names a field this resource is not selected by.
    pub(crate) fn parse(
        resource: &Resource,
        namespace: Option<&str>,
        label_selector: &str,
        field_selector: &str,
    ) -> Result<Self, Status> {
        let labels: LabelSelector = label_selector
            .parse()
            .map_err(|error: ParseSelectorError| Status::bad_request(error.to_string()))?;
        let fields: FieldSelector = field_selector
            .parse()
            .map_err(|error: ParseSelectorError| Status::bad_request(error.to_string()))?;
        let mut reads_object = false;
        for requirement in fields.requirements() {
            match requirement.field.as_str() {
                "metadata.name" => {}
                "metadata.namespace" if resource.namespaced => {}
                field if is_selectable(resource, field) => reads_object = true,
                field => return Err(Status::bad_request(not_selectable(resource, field))),
            }
        }
        Ok(Self { namespace: namespace.map(Str::new), labels, fields, reads_object })
    }

    /// Whether every object of the namespace is meant.
    pub(crate) fn is_everything(&self) -> bool {
        self.labels.is_everything() && self.fields.is_everything()
    }

    /// Whether an object must be read to know whether it is meant.
    pub(crate) fn reads_object(&self) -> bool {
        self.reads_object
    }

    /// The name, where only one object can be meant.
    pub(crate) fn exact_name(&self) -> Option<&str> {
        self.fields.exact("metadata.name")
    }

    /// The namespace, where only one can be meant.
    pub(crate) fn namespace(&self) -> Option<&str> {
        self.namespace.as_deref().or_else(|| self.fields.exact("metadata.namespace"))
    }

    /// Whether an object is meant.
    pub(crate) fn matches(&self, stored: &Stored) -> bool {
        if self.namespace.as_ref().is_some_and(|namespace| *namespace != stored.key().namespace) {
            return false;
        }
        if !self.labels.is_everything() && !self.labels.matches(stored.labels()) {
            return false;
        }
        if self.fields.is_everything() {
            return true;
        }
        let object = self.reads_object.then(|| stored.object());
        let texts: Vec<(&str, String)> = match &object {
            Some(object) => self
                .fields
                .requirements()
                .iter()
                .map(|requirement| (requirement.field.as_str(), field_text(object, &requirement.field)))
                .collect(),
            None => Vec::new(),
        };
        self.fields.matches_with(|field| match field {
            "metadata.name" => Some(stored.key().name.as_str()),
            "metadata.namespace" => Some(stored.key().namespace.as_str()),
            _ => texts.iter().find(|(have, _)| *have == field).map(|(_, text)| text.as_str()),
        })
    }
}

/// What the server says of a field it does not select by; kinds with fields of their own say it another way.
fn not_selectable(resource: &Resource, field: &str) -> String {
    if resource.custom.is_some() || !selectable(resource).is_empty() {
        return format!("field label not supported: {field}");
    }
    let known =
        if resource.namespaced { "\"metadata.name\", \"metadata.namespace\"" } else { "\"metadata.name\"" };
    format!("{field:?} is not a known field selector: only {known}")
}

/// The fields beside its names that a resource can be selected by, as its registry in kube-apiserver 1.36
/// lists them.
fn is_selectable(resource: &Resource, field: &str) -> bool {
    if let Some(custom) = &resource.custom {
        return custom.selectable_fields.iter().any(|have| have.trim_start_matches('.') == field);
    }
    selectable(resource).contains(&field)
}

fn selectable(resource: &Resource) -> &'static [&'static str] {
    match (resource.gvr.group.as_str(), resource.gvr.resource.as_str()) {
        ("", "pods") => &[
            "spec.nodeName",
            "spec.restartPolicy",
            "spec.schedulerName",
            "spec.serviceAccountName",
            "spec.hostNetwork",
            "status.phase",
            "status.podIP",
            "status.podIPs",
            "status.nominatedNodeName",
        ],
        ("" | "events.k8s.io", "events") => &[
            "involvedObject.kind",
            "involvedObject.namespace",
            "involvedObject.name",
            "involvedObject.uid",
            "involvedObject.apiVersion",
            "involvedObject.resourceVersion",
            "involvedObject.fieldPath",
            "reason",
            "reportingComponent",
            "source",
            "type",
        ],
        ("", "namespaces") => &["status.phase", "name"],
        ("", "nodes") => &["spec.unschedulable"],
        ("", "secrets") => &["type"],
        ("", "services") => &["spec.clusterIP", "spec.type"],
        ("", "replicationcontrollers") | ("apps", "replicasets") => &["status.replicas"],
        ("batch", "jobs") => &["status.successful"],
        ("certificates.k8s.io", "certificatesigningrequests") => &["spec.signerName"],
        _ => &[],
    }
}

fn field_text(object: &Object, field: &str) -> String {
    let path: Vec<&str> = match field {
        "name" => vec!["metadata", "name"],
        "status.successful" => vec!["status", "succeeded"],
        "source" => vec!["source", "component"],
        _ => field.split('.').collect(),
    };
    let zero = match field {
        "spec.unschedulable" | "spec.hostNetwork" => "false",
        "status.replicas" | "status.successful" => "0",
        _ => "",
    };
    match object.at(&path) {
        None | Some(Value::Null) => zero.into(),
        Some(Value::String(text)) => text.to_string(),
        Some(other) => format!("{other:?}"),
    }
}
