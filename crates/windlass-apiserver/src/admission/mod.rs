//! Admission: what policies say of a write before it happens.
//!
//! Facts and words: `k8s.io/apiserver` v0.36.3, packages `admission/plugin/cel`, `policy` and `webhook`.

mod activation;
mod authority;
pub(crate) mod expressions;
mod matching;
pub(crate) mod mutating;
mod params;
pub(crate) mod quota;
mod review;
mod validating;
mod webhooks;

pub(crate) use review::{Client, Unanswered};

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex};

use windlass_kube::{Gvk, Object, Str, Value, value};

use crate::api::write::intake;
use crate::api::{Api, FieldValidation, WriteOptions};
use crate::resource::Resource;
use crate::status::Status;
use crate::store::{Revision, Stored};

/// What a request wants to do, as admission names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Operation {
    Create,
    Update,
    Delete,
    Connect,
}

impl Operation {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Create => "CREATE",
            Self::Update => "UPDATE",
            Self::Delete => "DELETE",
            Self::Connect => "CONNECT",
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
    /// The same write at another version of the kind.
    ///
    /// # Errors
    ///
    /// When a webhook that has to convert an object fails.
    pub(crate) async fn at_kind(&self, api: &Api, kind: &Gvk) -> Result<Self, Status> {
        if self.kind == *kind {
            return Ok(self.clone());
        }
        let mut at = self.clone();
        for value in [&mut at.object, &mut at.old].into_iter().flatten() {
            *value = api.at_kind(self.resource, value, kind).await?;
        }
        Ok(at)
    }

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

    /// What is asked of an object, in the form of one that is not kept.
    pub(crate) fn call(
        resource: &'a Arc<Resource>,
        (namespace, name): (&'a str, &'a str),
        subresource: &'a crate::resource::Subresource,
        operation: Operation,
        object: Value,
        options: &WriteOptions,
    ) -> Self {
        let said = if operation == Operation::Connect { Value::Null } else { said("CreateOptions", options) };
        Self {
            resource,
            subresource: &subresource.name,
            operation,
            kind: resource.kind_of(subresource),
            namespace,
            name,
            object: Some(object),
            old: None,
            dry_run: options.dry_run,
            options: said,
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
    mutating: Mutex<HashMap<Str, (Revision, Arc<mutating::Policy>)>>,
    turns: Mutex<HashMap<Str, Arc<tokio::sync::Mutex<()>>>>,
    mutating_hooks: webhooks::Known,
    validating_hooks: webhooks::Known,
}

/// The right to write to a namespace with quotas until it is dropped, so that what was counted still holds then.
#[derive(Debug, Default)]
#[must_use = "what a quota allows holds while this is kept"]
pub(crate) struct Turn(
    #[expect(dead_code, reason = "it is kept to be dropped")] Option<tokio::sync::OwnedMutexGuard<()>>,
);

/// The compiled form of something that is stored, made when it is first asked or has changed.
fn current<T>(
    known: &Mutex<HashMap<Str, (Revision, Arc<T>)>>,
    stored: &Stored,
    compile: impl Fn(&Value) -> T,
) -> Arc<T> {
    let mut known = known.lock().expect("no panic under this lock");
    match known.get(&stored.key().name) {
        Some((revision, compiled)) if *revision == stored.revision() => compiled.clone(),
        _ => {
            let compiled = Arc::new(compile(&stored.object().to_value()));
            known.insert(stored.key().name.clone(), (stored.revision(), compiled.clone()));
            compiled
        }
    }
}

impl Compiled {
    fn validating(&self, stored: &Stored) -> Arc<validating::Policy> {
        current(&self.validating, stored, validating::Policy::compile)
    }

    fn mutating(&self, stored: &Stored) -> Arc<mutating::Policy> {
        current(&self.mutating, stored, mutating::Policy::compile)
    }

    fn hooks(&self, storage: &str, stored: &Stored) -> webhooks::Hooks {
        let known = if storage == webhooks::MUTATING { &self.mutating_hooks } else { &self.validating_hooks };
        current(known, stored, webhooks::compile)
    }

    /// Waits until nobody else writes what a quota of the namespace could count.
    async fn turn(&self, api: &Api, namespace: &str) -> Turn {
        if namespace.is_empty() || api.store().table(quota::QUOTAS).list(Some(namespace)).objects.is_empty() {
            return Turn::default();
        }
        let turn = {
            let mut turns = self.turns.lock().expect("no panic under this lock");
            turns.entry(namespace.into()).or_default().clone()
        };
        Turn(Some(turn.lock_owned().await))
    }

    /// Forgets a policy that is gone.
    pub(crate) fn forget(&self, storage: &str, name: &str) {
        match storage {
            validating::POLICIES => {
                self.validating.lock().expect("no panic under this lock").remove(name);
            }
            mutating::POLICIES => {
                self.mutating.lock().expect("no panic under this lock").remove(name);
            }
            "/namespaces" => {
                self.turns.lock().expect("no panic under this lock").remove(name);
            }
            webhooks::MUTATING => {
                self.mutating_hooks.lock().expect("no panic under this lock").remove(name);
            }
            webhooks::VALIDATING => {
                self.validating_hooks.lock().expect("no panic under this lock").remove(name);
            }
            _ => {}
        }
    }
}

/// Who changed what in which order, so that those who want to may look again at what others changed after them.
#[derive(Debug, Default)]
pub(super) struct Rounds {
    /// Whether this is the second round.
    is_again: bool,
    /// Whether anything was changed.
    is_changed: bool,
    /// Those who were asked before the last change and want to look again.
    asked: BTreeSet<String>,
    due: BTreeSet<String>,
    last: Option<Value>,
}

impl Rounds {
    /// Before anybody is asked.
    fn begin(&mut self, object: Option<&Value>) {
        if self.is_again && self.last.as_ref() != object {
            self.due.append(&mut self.asked);
        }
    }

    /// Somebody has changed the object.
    fn changed(&mut self) {
        self.is_changed = true;
        self.due.append(&mut self.asked);
    }

    /// Somebody was asked who wants to look again.
    fn looks_again(&mut self, key: String) {
        self.asked.insert(key);
    }

    fn is_due(&self, key: &str) -> bool {
        self.due.contains(key)
    }

    /// Everybody has been asked; what was patched was changed for whoever patched it, too.
    fn end(&mut self, object: Option<&Value>, is_patched: bool) {
        if is_patched {
            self.changed();
        }
        self.last = object.cloned();
    }
}

impl Api {
    /// Whether anything could change a write.
    pub(crate) fn has_mutation(&self) -> bool {
        !self.store().table(mutating::BINDINGS).is_empty()
            || !self.store().table(webhooks::MUTATING).is_empty()
    }

    /// Lets everybody change a write who may, twice where somebody wants to see what others did.
    ///
    /// # Errors
    ///
    /// When somebody refuses, or fails and may not.
    pub(crate) async fn mutate(
        &self,
        mut attributes: Attributes<'_>,
        warnings: &mut Vec<String>,
    ) -> Result<Option<Value>, Status> {
        let before = attributes.object.clone();
        if !attributes.is_exempt() {
            let (mut policies, mut hooks) = (Rounds::default(), Rounds::default());
            mutating::dispatch(self, &mut attributes, &mut policies).await?;
            webhooks::mutate(self, &mut attributes, &mut hooks, warnings).await?;
            if policies.is_changed || hooks.is_changed {
                (policies.is_again, hooks.is_again) = (true, true);
                mutating::dispatch(self, &mut attributes, &mut policies).await?;
                webhooks::mutate(self, &mut attributes, &mut hooks, warnings).await?;
            }
        }
        Ok(attributes.object.filter(|object| before.as_ref() != Some(object)))
    }

    /// An object that was changed by others, read again as if a client had sent it.
    pub(crate) fn reread(&self, resource: &Resource, value: Value) -> Result<Value, Status> {
        if value.str_at(&["kind"]) != Some(resource.kind.as_str()) {
            // What is written through a subresource, and kept as something else.
            return Ok(value);
        }
        intake(resource, value, FieldValidation::Ignore, &mut Vec::new()).map(Object::into_value)
    }

    /// Asks those who may change or refuse what is asked of an object; what is asked then, and their warnings.
    ///
    /// # Errors
    ///
    /// The refusal, in the words of who refuses.
    pub(crate) async fn admit_call(
        &self,
        mut attributes: Attributes<'_>,
    ) -> Result<(Value, Vec<String>), Status> {
        let mut warnings = Vec::new();
        if self.has_mutation() {
            match self.mutate(attributes.clone(), &mut warnings).await {
                Ok(Some(changed)) => attributes.object = Some(changed),
                Ok(None) => {}
                Err(status) => return Err(status.warned(warnings)),
            }
        }
        if self.has_admission()
            && let Err(status) = self.admit(&attributes, &mut warnings).await
        {
            return Err(status.warned(warnings));
        }
        Ok((attributes.object.unwrap_or_default(), warnings))
    }

    /// Whether anything could refuse a write.
    pub(crate) fn has_admission(&self) -> bool {
        !self.store().table(validating::BINDINGS).is_empty()
            || !self.store().table(webhooks::VALIDATING).is_empty()
            || !self.store().table(quota::QUOTAS).is_empty()
    }

    /// Asks everybody who may refuse a write that is otherwise in order.
    ///
    /// # Errors
    ///
    /// The refusal, in the words of who refuses.
    pub(crate) async fn admit(
        &self,
        attributes: &Attributes<'_>,
        warnings: &mut Vec<String>,
    ) -> Result<Turn, Status> {
        if attributes.is_exempt() {
            return Ok(Turn::default());
        }
        validating::dispatch(self, attributes, warnings).await?;
        webhooks::validate(self, attributes, warnings).await?;
        if attributes.operation == Operation::Delete || attributes.dry_run {
            return quota::check(self, attributes).map(|()| Turn::default());
        }
        let turn = self.compiled().turn(self, attributes.namespace).await;
        quota::check(self, attributes).map(|()| turn)
    }
}
