//! Admission: what policies say of a write before it happens.
//!
//! Facts and words: `k8s.io/apiserver` v0.36.3, packages `admission/plugin/cel`, `policy` and `webhook`.

mod activation;
mod authority;
pub(crate) mod expressions;
mod matching;
mod params;
mod validating;

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use windlass_kube::{Gvk, Object, Str, Value, value};

use crate::api::{Api, WriteOptions};
use crate::resource::Resource;
use crate::status::Status;
use crate::store::{Revision, Stored};

/// What a request wants to do, as admission names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Operation {
    Create,
    Update,
    Delete,
}

impl Operation {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Create => "CREATE",
            Self::Update => "UPDATE",
            Self::Delete => "DELETE",
        }
    }
}

/// A write that is to be admitted.
#[derive(Clone, Debug)]
pub(crate) struct Attributes<'a> {
    pub(crate) resource: &'a Arc<Resource>,
    pub(crate) subresource: &'a str,
    pub(crate) operation: Operation,
    /// The kind of the objects: that of the resource, or of the subresource.
    pub(crate) kind: Gvk,
    /// Of a namespace its own name.
    pub(crate) namespace: &'a str,
    /// Empty for a deletion of many.
    pub(crate) name: &'a str,
    /// What there will be; nothing for a deletion.
    pub(crate) object: Option<Value>,
    /// What there is; nothing for a creation.
    pub(crate) old: Option<Value>,
    pub(crate) dry_run: bool,
    /// What the client said beside the object.
    pub(crate) options: Value,
}

impl<'a> Attributes<'a> {
    /// The creation of an object.
    pub(crate) fn create(
        resource: &'a Arc<Resource>,
        object: &Object,
        name: &'a str,
        namespace: &'a str,
        options: &WriteOptions,
    ) -> Self {
        Self {
            resource,
            subresource: "",
            operation: Operation::Create,
            kind: resource.gvk(),
            namespace: place(resource, name, namespace),
            name,
            object: Some(object.to_value()),
            old: None,
            dry_run: options.dry_run,
            options: said("CreateOptions", options),
        }
    }

    /// The change of an object, or of its subresource.
    pub(crate) fn update(
        resource: &'a Arc<Resource>,
        old: &Object,
        new: &Object,
        name: &'a str,
        namespace: &'a str,
        options: &'a WriteOptions,
    ) -> Self {
        Self {
            resource,
            subresource: &options.subresource,
            operation: Operation::Update,
            kind: resource.gvk(),
            namespace: place(resource, name, namespace),
            name,
            object: Some(new.to_value()),
            old: Some(old.to_value()),
            dry_run: options.dry_run,
            options: said("UpdateOptions", options),
        }
    }

    /// What a refusal names.
    fn shown_name(&self) -> &str {
        let of_object =
            |key: &str| self.object.as_ref()?.str_at(&["metadata", key]).filter(|name| !name.is_empty());
        if self.name.is_empty() {
            of_object("name").or_else(|| of_object("generateName")).unwrap_or("Unknown")
        } else {
            self.name
        }
    }

    /// Whether it changes what admission itself goes by, which nothing but RBAC guards.
    fn is_exempt(&self) -> bool {
        self.resource.gvr.group == "admissionregistration.k8s.io"
            || matches!(self.resource.gvr.group.as_str(), "authentication.k8s.io" | "authorization.k8s.io")
    }
}

fn place<'a>(resource: &Resource, name: &'a str, namespace: &'a str) -> &'a str {
    if resource.storage == "/namespaces" { name } else { namespace }
}

fn said(kind: &str, options: &WriteOptions) -> Value {
    let mut said = value!({"kind": kind, "apiVersion": "meta.k8s.io/v1"});
    if options.dry_run {
        said.set_at(&["dryRun"], value!(["All"]));
    }
    if !options.field_manager.is_empty() {
        said.set_at(&["fieldManager"], options.field_manager.clone());
    }
    if !options.said_field_validation.is_empty() {
        said.set_at(&["fieldValidation"], options.said_field_validation.clone());
    }
    said
}

/// What was compiled of policies that are stored.
#[derive(Default)]
pub(crate) struct Compiled {
    validating: Mutex<HashMap<Str, (Revision, Arc<validating::Policy>)>>,
}

impl Compiled {
    /// The compiled form of a stored policy, made when the policy is first asked or has changed.
    fn validating(&self, stored: &Stored) -> Arc<validating::Policy> {
        let mut known = self.validating.lock().expect("no panic under this lock");
        match known.get(&stored.key().name) {
            Some((revision, policy)) if *revision == stored.revision() => policy.clone(),
            _ => {
                let policy = Arc::new(validating::Policy::compile(&stored.object().to_value()));
                known.insert(stored.key().name.clone(), (stored.revision(), policy.clone()));
                policy
            }
        }
    }

    /// Forgets a policy that is gone.
    pub(crate) fn forget(&self, storage: &str, name: &str) {
        if storage == validating::POLICIES {
            self.validating.lock().expect("no panic under this lock").remove(name);
        }
    }
}

impl Api {
    /// Whether anything could refuse a write.
    pub(crate) fn has_admission(&self) -> bool {
        !self.store().table(validating::BINDINGS).is_empty()
    }

    /// Asks everybody who may refuse a write that is otherwise in order.
    ///
    /// # Errors
    ///
    /// The refusal, in the words of who refuses.
    pub(crate) fn admit(
        &self,
        attributes: &Attributes<'_>,
        warnings: &mut Vec<String>,
    ) -> Result<(), Status> {
        if attributes.is_exempt() {
            return Ok(());
        }
        validating::dispatch(self, attributes, warnings)
    }
}
