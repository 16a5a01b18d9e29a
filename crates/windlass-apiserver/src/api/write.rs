//! Creating and replacing objects: the path of every write.

use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use windlass_kube::{Gvk, Map, Object, Str, Value};

use super::patch::check_name;
use super::read::{json_of, presented, presented_json};
use super::scale::{scale_of, scaled_to};
use super::versions::OtherVersions;
use super::{Api, FieldValidation, WriteOptions, Written, managed, rules};
use crate::admission::{Attributes, Turn};
use crate::audit;
use crate::authorize::{Attributes as Asked, is_allowed, not_held, role_rules};
use crate::custom::CustomVersion;
use crate::defaults::{self, CreateContext};
use crate::resource::Resource;
use crate::status::{Cause, Status};
use crate::store::{Change, Expect, Key, Stored, WriteError};
use crate::time;

/// How often a patch is worked out anew when others write the same object in between. Past this the
/// client gets the conflict; kube-apiserver gives up after five.
const MAX_ATTEMPTS: usize = 16;

/// How many random characters a generated name gets, as `names.SimpleNameGenerator` has it.
const GENERATED_SUFFIX: usize = 5;

/// How long a generated name's base may be: the suffix must fit 63 characters.
const MAX_GENERATED_BASE: usize = 63 - GENERATED_SUFFIX;

/// What a changed object says of field ownership.
pub(super) enum Made {
    /// The caller's manager owns what differs.
    Tracked(Object),
    /// Ownership has been worked out.
    Owned(Object),
}

impl Api {
    pub(super) fn manager(&self, options: &WriteOptions) -> Str {
        if options.field_manager.is_empty() {
            self.field_manager.clone()
        } else {
            options.field_manager.clone()
        }
    }

    /// Creates an object from what a client sent.
    pub(crate) async fn create_on(
        &self,
        resource: &Arc<Resource>,
        namespace: &str,
        value: Value,
        options: &WriteOptions,
    ) -> Result<Written, Status> {
        let mut warnings = Vec::new();
        let object = match intake(resource, value, options.field_validation, &mut warnings) {
            Ok(object) => object,
            Err(status) => return Err(status.warned(warnings)),
        };
        audit::sent(&object);
        self.create_made(resource, namespace, Made::Tracked(object), options, warnings).await
    }

    /// Creates an object that went through [`intake`].
    pub(super) async fn create_made(
        &self,
        resource: &Arc<Resource>,
        namespace: &str,
        made: Made,
        options: &WriteOptions,
        mut warnings: Vec<String>,
    ) -> Result<Written, Status> {
        let outcome = self.create_warning(resource, namespace, made, options, &mut warnings).await;
        warned(outcome, warnings)
    }

    async fn create_warning(
        &self,
        resource: &Arc<Resource>,
        namespace: &str,
        made: Made,
        options: &WriteOptions,
        warnings: &mut Vec<String>,
    ) -> Result<Written, Status> {
        let (mut object, tracked) = match made {
            Made::Tracked(object) => (object, true),
            Made::Owned(object) => (object, false),
        };
        let name_of_group = resource.group_resource();
        set_namespace(resource, &mut object, namespace)?;
        if !object.resource_version().is_empty() {
            return Err(Status::new(500, "", "resourceVersion should not be set on objects to be created"));
        }
        let generated = generate_name(&mut object);
        if object.name().is_empty() {
            let cause = Cause::required("metadata.name", "name or generateName is required");
            return Err(invalid(resource, "", vec![cause]));
        }
        let shown = if generated { object.str_at(&["metadata", "generateName"]) } else { object.name() };
        self.check_namespace(resource, namespace, shown)?;
        self.check_definition(resource, object.name())?;
        if resource.storage == "/pods" {
            // Pods may be as they are: nothing runs in them.
            let key = "pod-security.kubernetes.io/enforce-policy";
            audit::annotate(|| key.into(), || "privileged:latest".into());
        }
        for field in ["selfLink", "deletionTimestamp", "deletionGracePeriodSeconds"] {
            object.remove_at(&["metadata", field]);
        }
        if tracked {
            let manager = self.manager(options);
            managed::track(resource, None, &mut object, &manager, &options.subresource, None);
        }
        self.default_limits(resource, namespace, &mut object);
        self.give_account(resource, namespace, &mut object, generated).await?;
        if self.has_mutation() {
            object = self.mutate_new(resource, namespace, object, generated, options, warnings).await?;
        }
        object.set_at(&["metadata", "uid"], new_uid());
        object.set_at(&["metadata", "creationTimestamp"], time::now());
        let mut object = self.prepare_create(resource, object)?;
        self.check_escalation(resource, &object)?;
        let causes = match &resource.custom {
            Some(custom) => custom.validate_create(&object),
            None => rules::create(resource, &object),
        };
        if !causes.is_empty() {
            return Err(invalid(resource, object.name(), causes));
        }
        warnings.extend(rules::warnings(resource, &object, None));
        self.check_limits(resource, &object)?;
        self.allocate(resource, &mut object, None)?;
        let name: Str = object.name().into();
        let mut _turn = Turn::default();
        if self.has_admission() {
            let named = if generated { "" } else { &*name };
            let attributes = Attributes::create(resource, &object, named, namespace, options);
            match self.admit(&attributes, warnings).await {
                Ok(turn) => _turn = turn,
                Err(status) => {
                    self.release(resource, &object);
                    return Err(status);
                }
            }
        }
        let object = match self.to_storage(resource, object.clone()).await {
            Ok(stored) => stored,
            Err(status) => {
                self.release(resource, &object);
                return Err(status);
            }
        };
        if options.dry_run {
            self.release(resource, &object);
            let key = Key::new(namespace, name.clone());
            if self.shared.store.table(&resource.storage).get(&key).is_some() {
                return Err(Status::already_exists(&name_of_group, &name));
            }
            return self.unwritten(resource, object, true).await;
        }
        let key = Key::new(object.namespace(), name.clone());
        let change = Change::Put(object.clone());
        let outcome = self.shared.store.write(&resource.storage, key, Expect::Absent, change).await;
        if outcome.is_err() {
            self.release(resource, &object);
        }
        match outcome {
            Ok(stored) => {
                self.after_write(resource, &stored);
                self.written(resource, &stored, true).await
            }
            Err(WriteError::Conflict { .. }) if generated => {
                let mut status = Status::already_exists(&name_of_group, &name);
                status.message = format!(
                    "{name_of_group} {name:?} already exists, the server was not able to generate a unique name for the object"
                );
                status.details.retry_after_seconds = 1;
                Err(status)
            }
            Err(WriteError::Conflict { .. }) => {
                let mut status = Status::already_exists(&name_of_group, &name);
                let key = Key::new(namespace, name);
                let there = self.shared.store.table(&resource.storage).get(&key);
                if there.is_some_and(|stored| stored.is_terminating()) {
                    status.message.insert_str(0, "object is being deleted: ");
                }
                Err(status)
            }
            Err(error) => Err(Status::internal(error)),
        }
    }

    /// Nobody hands on rights that they do not have, unless they may escalate or bind.
    fn check_escalation(&self, resource: &Resource, object: &Object) -> Result<(), Status> {
        const GROUP: &str = "rbac.authorization.k8s.io";
        if resource.gvr.group != GROUP || self.user.is_in("system:masters") {
            return Ok(());
        }
        let (role, verb, resource_name, name) = match object.kind() {
            "Role" | "ClusterRole" => {
                (object.to_value(), "escalate", resource.gvr.resource.as_str(), object.name())
            }
            _ => {
                let roles =
                    if object.str_at(&["roleRef", "kind"]) == "Role" { "roles" } else { "clusterroles" };
                (role_rules(self, object), "bind", roles, object.str_at(&["roleRef", "name"]))
            }
        };
        let asked = Asked {
            verb,
            group: GROUP,
            resource: resource_name,
            subresource: "",
            namespace: object.namespace(),
            name,
        };
        if is_allowed(self, &self.user, &asked) {
            return Ok(());
        }
        let missing = not_held(self, &self.user, object.namespace(), role.items_at(&["rules"]));
        if missing.is_empty() {
            return Ok(());
        }
        let missing: Vec<String> = missing.iter().map(rule_in_words).collect();
        let groups: Vec<String> = self.user.groups.iter().map(|group| format!("{group:?}")).collect();
        let why = format!(
            "user {:?} (groups=[{}]) is attempting to grant RBAC permissions not currently held:\n{}",
            self.user.name,
            groups.join(" "),
            missing.join("\n")
        );
        Err(Status::forbidden(&resource.group_resource(), object.name(), why))
    }

    /// What a kind's strategy does to a new object.
    fn prepare_create(&self, resource: &Resource, object: Object) -> Result<Object, Status> {
        let mut value = object.into_value();
        match &resource.custom {
            Some(custom) => custom.prepare_for_create(&mut value),
            None => {
                let gvk = resource.gvk();
                let context = self.create_context(resource, &value)?;
                defaults::prepare_for_create(&gvk, &mut value, &context);
            }
        }
        Object::try_new(value).map_err(|error| Status::bad_request(error.to_string()))
    }

    fn create_context(&self, resource: &Resource, object: &Value) -> Result<CreateContext, Status> {
        let mut context =
            CreateContext { now: time::now(), service_accounts: true, ..CreateContext::default() };
        match (resource.gvr.group.as_str(), resource.kind.as_str()) {
            ("", "Pod") => {
                if let Some(class) = object.str_at(&["spec", "priorityClassName"]) {
                    let found = self
                        .shared
                        .store
                        .table("scheduling.k8s.io/priorityclasses")
                        .get(&Key::new("", class));
                    if found.is_none() {
                        let why = format!("no PriorityClass with name {class} was found");
                        let name = object.str_at(&["metadata", "name"]).unwrap_or_default();
                        return Err(Status::forbidden(&resource.group_resource(), name, why));
                    }
                    context.priority_class = found.map(|stored| stored.object().into_value());
                }
            }
            ("", "PersistentVolumeClaim") => {
                let classes = self.shared.store.table("storage.k8s.io/storageclasses").list(None);
                let default = classes.objects.iter().map(|stored| stored.object()).find(|class| {
                    class.annotation("storageclass.kubernetes.io/is-default-class") == Some("true")
                });
                context.default_storage_class = default.map(|class| class.name().into());
            }
            _ => {}
        }
        Ok(context)
    }

    /// New objects need a namespace that is there to stay.
    pub(crate) fn check_namespace(
        &self,
        resource: &Resource,
        namespace: &str,
        name: &str,
    ) -> Result<(), Status> {
        if !resource.namespaced {
            return Ok(());
        }
        let namespaces = crate::resource::GroupResource::new("", "namespaces");
        let found = self.shared.store.table("/namespaces").get(&Key::new("", namespace));
        match found {
            None => Err(Status::not_found(&namespaces, namespace)),
            Some(stored) if stored.is_terminating() => {
                let why = format!(
                    "unable to create new content in namespace {namespace} because it is being terminated"
                );
                let mut status = Status::forbidden(&resource.group_resource(), name, why);
                status.details.causes = vec![Cause {
                    reason: "NamespaceTerminating",
                    message: format!("namespace {namespace} is being terminated"),
                    field: "metadata.namespace".into(),
                }];
                Err(status)
            }
            Some(_) => Ok(()),
        }
    }

    /// Replaces an object by what a client sent.
    pub(crate) async fn update_on(
        &self,
        resource: &Arc<Resource>,
        namespace: &str,
        name: &str,
        value: Value,
        options: &WriteOptions,
    ) -> Result<Written, Status> {
        let mut warnings = Vec::new();
        let mut object = match intake(resource, value, options.field_validation, &mut warnings) {
            Ok(object) => object,
            Err(status) => return Err(status.warned(warnings)),
        };
        audit::sent(&object);
        check_name(object.name(), name)?;
        set_namespace(resource, &mut object, namespace)?;
        let version = object.resource_version();
        if !version.is_empty() && version.parse::<u64>().is_err() {
            let message = format!("strconv.ParseUint: parsing {version:?}: invalid syntax");
            return Err(Status::new(500, "", message));
        }
        if creates_on_update(resource) && self.stored(resource, namespace, name).is_err() {
            object.remove_at(&["metadata", "resourceVersion"]);
            return self.create_made(resource, namespace, Made::Tracked(object), options, warnings).await;
        }
        let conditional = resource.custom.is_some() || defaults::needs_resource_version(&resource.gvk());
        if conditional && object.resource_version().is_empty() {
            let cause = Cause {
                reason: "FieldValueInvalid",
                message: "Invalid value: 0: must be specified for an update".into(),
                field: "metadata.resourceVersion".into(),
            };
            // Custom resources and policies are named here by their resource, not their kind.
            let by_resource =
                resource.custom.is_some() || resource.gvr.group == "admissionregistration.k8s.io";
            let kind = if by_resource { &resource.gvr.resource } else { &resource.kind };
            return Err(Status::invalid(&resource.gvr.group, kind, name, vec![cause]));
        }
        self.change(resource, namespace, name, options, warnings, |old, _, _| {
            if !object.uid().is_empty() && object.uid() != old.uid() {
                let (asked, have) = (object.uid(), old.uid());
                let kept = if resource.custom.is_some() {
                    format!("{}/{}", resource.gvr.group, resource.gvr.resource)
                } else {
                    resource.gvr.resource.to_string()
                };
                let place = if namespace.is_empty() { String::new() } else { format!("/{namespace}") };
                let why = format!(
                    "StorageError: invalid object, Code: 4, Key: /registry/{kept}{place}/{name}, ResourceVersion: 0, AdditionalErrorMsg: Precondition failed: UID in precondition: {asked}, UID in object meta: {have}"
                );
                return Err(Status::conflict(&resource.group_resource(), name, &why));
            }
            Ok(Made::Tracked(object.clone()))
        })
        .await
    }

    /// Works out a new state from the present one and writes it, again when others wrote in between.
    pub(super) async fn change(
        &self,
        resource: &Arc<Resource>,
        namespace: &str,
        name: &str,
        options: &WriteOptions,
        mut warnings: Vec<String>,
        make: impl FnMut(&Object, &mut Vec<String>, &OtherVersions<'_>) -> Result<Made, Status>,
    ) -> Result<Written, Status> {
        let outcome = self.change_warning(resource, namespace, name, options, &mut warnings, make).await;
        warned(outcome, warnings)
    }

    async fn change_warning(
        &self,
        resource: &Arc<Resource>,
        namespace: &str,
        name: &str,
        options: &WriteOptions,
        warnings: &mut Vec<String>,
        mut make: impl FnMut(&Object, &mut Vec<String>, &OtherVersions<'_>) -> Result<Made, Status>,
    ) -> Result<Written, Status> {
        let group_resource = resource.group_resource();
        let given = warnings.len();
        let versions = OtherVersions::new(self, resource);
        for _ in 0..MAX_ATTEMPTS {
            let stored = self.stored(resource, namespace, name)?;
            let shown = self.one_at_version(resource, &stored).await?;
            let old = presented(resource, &shown);
            let (mut new, tracked) = loop {
                warnings.truncate(given);
                match make(&old, warnings, &versions) {
                    // What an object is at another version may have to be asked of a webhook first.
                    Err(_) if versions.fetch().await? => {}
                    Ok(Made::Tracked(object)) => break (object, true),
                    Ok(Made::Owned(object)) => break (object, false),
                    Err(status) => return Err(status),
                }
            };
            let asked = new.resource_version();
            let conditional = !asked.is_empty() && asked != "0";
            if conditional && asked != old.resource_version() {
                return Err(Status::modified(&group_resource, name));
            }
            let changed = changed_identity(&old, &new);
            if !changed.is_empty() {
                return Err(invalid(resource, name, changed));
            }
            keep_identity(&old, &mut new);
            // Before the kind's strategy: what that takes away is still owned.
            if tracked {
                let (untracked, manager) = (new.clone(), self.manager(options));
                loop {
                    let subresource = &options.subresource;
                    managed::track(resource, Some(&old), &mut new, &manager, subresource, Some(&versions));
                    if !versions.fetch().await? {
                        break;
                    }
                    new = untracked.clone();
                }
            }
            let mut new = self.prepare_update(resource, &old, new, &options.subresource)?;
            let changed = self.mutate_change(resource, namespace, (&old, &new), options, warnings).await?;
            if let Some(changed) = changed {
                let fields = new.at(&["metadata", "managedFields"]).cloned();
                let mut changed =
                    Object::try_new(changed).map_err(|error| Status::bad_request(error.to_string()))?;
                keep_identity(&old, &mut changed);
                new = self.prepare_update(resource, &old, changed, &options.subresource)?;
                if let Some(fields) = fields {
                    new.set_at(&["metadata", "managedFields"], fields);
                }
            }
            self.check_escalation(resource, &new)?;
            let causes = match &resource.custom {
                Some(custom) => custom.validate_update(&new, &old, &options.subresource),
                None => rules::update(resource, &new, &old, &options.subresource),
            };
            if !causes.is_empty() {
                return Err(invalid(resource, name, causes));
            }
            if options.subresource.is_empty() {
                if resource.kind == "PersistentVolumeClaim" && !old.is_terminating() {
                    self.check_limits(resource, &new)?;
                }
                warnings.extend(rules::warnings(resource, &new, Some(&old)));
            }
            if options.subresource.is_empty() || options.subresource == "scale" {
                self.allocate(resource, &mut new, Some(&old))?;
            }
            let _turn = self.admit_change(resource, namespace, (&old, &new), options, warnings).await?;
            if same_but_for_times(&old, &new) {
                return Ok(written(resource, &shown, false));
            }
            let finished = may_go(&new);
            let new = self.to_storage(resource, new).await?;
            if options.dry_run {
                return self.unwritten(resource, new, false).await;
            }
            // A deletion shows the last state that was stored, with the finalizer that has just gone.
            let change = if finished { Change::Delete(stored.object()) } else { Change::Put(new.clone()) };
            let key = stored.key().clone();
            match self.shared.store.write(&resource.storage, key, Expect::At(stored.revision()), change).await
            {
                Ok(stored) if finished => {
                    self.after_delete(resource, &stored);
                    // The write that takes the last finalizer away is a deletion, which gives no new version.
                    let mut object = self.converted(resource, new).await?;
                    object.set_at(&["metadata", "resourceVersion"], old.resource_version());
                    let json = json_of(&object);
                    return Ok(Written { object, json, created: false, warnings: Vec::new() });
                }
                Ok(stored) => {
                    self.after_write(resource, &stored);
                    return self.written(resource, &stored, false).await;
                }
                Err(WriteError::Conflict { .. }) if conditional => {
                    return Err(Status::modified(&group_resource, name));
                }
                Err(WriteError::Conflict { .. }) => {}
                Err(error) => return Err(Status::internal(error)),
            }
        }
        Err(Status::modified(&group_resource, name))
    }

    /// What was written, as a reader of the resource sees it.
    async fn written(
        &self,
        resource: &Resource,
        stored: &Arc<Stored>,
        created: bool,
    ) -> Result<Written, Status> {
        Ok(written(resource, &*self.one_at_version(resource, stored).await?, created))
    }

    /// What would have been written, as a reader of the resource sees it.
    async fn unwritten(&self, resource: &Resource, object: Object, created: bool) -> Result<Written, Status> {
        let object = self.converted(resource, object).await?;
        let json: Bytes = json_of(&object);
        Ok(Written { object, json, created, warnings: Vec::new() })
    }

    /// Lets those change a new object who may; they do not see a name that is made up.
    async fn mutate_new(
        &self,
        resource: &Arc<Resource>,
        namespace: &str,
        object: Object,
        generated: bool,
        options: &WriteOptions,
        warnings: &mut Vec<String>,
    ) -> Result<Object, Status> {
        let name: Str = object.name().into();
        let mut bare = object.clone();
        for field in ["uid", "creationTimestamp", "generation"] {
            bare.remove_at(&["metadata", field]);
        }
        if generated {
            bare.remove_at(&["metadata", "name"]);
        }
        let named = if generated { "" } else { &*name };
        let attributes = Attributes::create(resource, &bare, named, namespace, options);
        let changed = self.mutate(attributes, warnings).await?;
        let Some(changed) = changed else { return Ok(object) };
        let mut changed = Object::try_new(changed).map_err(|error| Status::bad_request(error.to_string()))?;
        if changed.name().is_empty() {
            changed.set_at(&["metadata", "name"], name);
        }
        Ok(changed)
    }

    /// Lets those change a change who may.
    async fn mutate_change(
        &self,
        resource: &Arc<Resource>,
        namespace: &str,
        (old, new): (&Object, &Object),
        options: &WriteOptions,
        warnings: &mut Vec<String>,
    ) -> Result<Option<Value>, Status> {
        if !self.has_mutation() || options.subresource == "binding" {
            return Ok(None);
        }
        if options.subresource == "scale" {
            let attributes = self.scaled(resource, namespace, (old, new), options);
            let Some(scale) = self.mutate(attributes, warnings).await? else { return Ok(None) };
            return Ok(Some(scaled_to(resource, new, &scale).into_value()));
        }
        self.mutate(Attributes::update(resource, old, new, new.name(), namespace, options), warnings).await
    }

    /// Asks those who may refuse a change.
    async fn admit_change(
        &self,
        resource: &Arc<Resource>,
        namespace: &str,
        (old, new): (&Object, &Object),
        options: &WriteOptions,
        warnings: &mut Vec<String>,
    ) -> Result<Turn, Status> {
        // That a pod gets its node is the creation of a binding, not a change of the pod.
        if !self.has_admission() || options.subresource == "binding" {
            return Ok(Turn::default());
        }
        let attributes = if options.subresource == "scale" {
            self.scaled(resource, namespace, (old, new), options)
        } else {
            Attributes::update(resource, old, new, new.name(), namespace, options)
        };
        self.admit(&attributes, warnings).await
    }

    /// A change through `scale`, as admission sees it.
    #[expect(clippy::unused_self, reason = "reads as a part of its callers")]
    fn scaled<'a>(
        &self,
        resource: &'a Arc<Resource>,
        namespace: &'a str,
        (old, new): (&Object, &'a Object),
        options: &'a WriteOptions,
    ) -> Attributes<'a> {
        let mut attributes = Attributes::update(resource, old, new, new.name(), namespace, options);
        attributes.kind = Gvk::new("autoscaling", "v1", "Scale");
        attributes.object = Some(scale_of(resource, new));
        attributes.old = Some(scale_of(resource, old));
        attributes
    }

    /// What a kind's strategy does to a changed object.
    fn prepare_update(
        &self,
        resource: &Resource,
        old: &Object,
        new: Object,
        subresource: &str,
    ) -> Result<Object, Status> {
        let mut value = new.into_value();
        let before = old.to_value();
        match (&resource.custom, subresource) {
            (Some(custom), "status") => custom.prepare_for_status_update(&mut value, &before),
            (Some(custom), _) => custom.prepare_for_update(&mut value, &before),
            (None, "status" | "approval") => {
                defaults::prepare_for_status_update(&resource.gvk(), &mut value, &before, &time::now());
            }
            (None, "finalize") => {
                let finalizers = value.at(&["spec", "finalizers"]).cloned().unwrap_or_default();
                let metadata = value.get("metadata").cloned().unwrap_or_default();
                value = before;
                value.set_at(&["spec", "finalizers"], finalizers);
                value.set_at(&["metadata"], metadata);
                let _ = defaults::normalize(&resource.gvk(), &mut value);
            }
            // A pod that gets its node is no other pod.
            (None, "binding") => {}
            (None, _) => defaults::prepare_for_update(&resource.gvk(), &mut value, &before),
        }
        Object::try_new(value).map_err(|error| Status::bad_request(error.to_string()))
    }
}

/// A rule as the original prints it.
fn rule_in_words(rule: &Value) -> String {
    let members = [
        ("nonResourceURLs", "NonResourceURLs"),
        ("apiGroups", "APIGroups"),
        ("resources", "Resources"),
        ("resourceNames", "ResourceNames"),
        ("verbs", "Verbs"),
    ];
    let shown: Vec<String> = members
        .iter()
        .filter_map(|(key, name)| {
            let items = rule.items_at(&[key]);
            let list: Vec<String> = items.iter().map(|item| format!("{item:?}")).collect();
            (!list.is_empty()).then(|| format!("{name}:[{}]", list.join(", ")))
        })
        .collect();
    format!("{{{}}}", shown.join(", "))
}

/// The kinds that an update creates: `AllowCreateOnUpdate` in kube-apiserver 1.36's registry.
fn creates_on_update(resource: &Resource) -> bool {
    match resource.gvr.group.as_str() {
        "" => matches!(resource.gvr.resource.as_str(), "endpoints" | "events" | "limitranges" | "services"),
        "rbac.authorization.k8s.io" | "coordination.k8s.io" | "node.k8s.io" | "events.k8s.io" => true,
        _ => false,
    }
}

/// An object that breaks rules, in the words of its kind.
pub(super) fn invalid(resource: &Resource, name: &str, causes: Vec<Cause>) -> Status {
    Status::invalid(&resource.gvr.group, &resource.kind, name, causes)
}

/// Reads what a client sent: checks its kind, drops what the kind does not know, sets defaults.
///
/// # Errors
///
/// `BadRequest` in the words of the server's decoder.
pub(crate) fn intake(
    resource: &Resource,
    mut value: Value,
    validation: FieldValidation,
    warnings: &mut Vec<String>,
) -> Result<Object, Status> {
    let gvk = resource.gvk();
    let cannot = |why: &str| {
        Status::bad_request(format!(
            "{} in version {:?} cannot be handled as a {}: {why}",
            gvk.kind, gvk.version, gvk.kind
        ))
    };
    if value.as_object().is_none() {
        return Err(cannot(&format!(
            "json: cannot unmarshal {} into Go value of type map[string]interface {{}}",
            value.type_name()
        )));
    }
    if let Err(status) = check_kind(resource, &value) {
        let sent = Gvk::from_api_version(
            value.str_at(&["apiVersion"]).unwrap_or_default(),
            value.str_at(&["kind"]).unwrap_or_default(),
        );
        let is_of_group = (sent.group.as_str(), sent.kind.as_str()) == (&*gvk.group, &*gvk.kind);
        let is_unknown = |custom: &CustomVersion| is_of_group && !custom.versions.contains(&sent.version);
        if resource.custom.as_deref().is_some_and(is_unknown) {
            // Nothing is known of the fields of such a version.
            let unknown = CustomVersion::unknown_of_another_version(&value);
            tell_unknown(&unknown, validation, warnings).map_err(|why| cannot(&why))?;
        }
        return Err(status);
    }
    value.set_at(&["apiVersion"], gvk.api_version());
    value.set_at(&["kind"], gvk.kind.clone());
    if resource.storage == "/secrets" {
        keep_as_data(&mut value);
    }
    let unknown = match &resource.custom {
        Some(custom) => {
            let mut unknown = custom.prune(&mut value);
            unknown.sort();
            unknown
        }
        None => defaults::decode(&gvk, &mut value).map_err(|error| cannot(&error.to_string()))?,
    };
    tell_unknown(&unknown, validation, warnings).map_err(|why| cannot(&why))?;
    match &resource.custom {
        Some(custom) => custom.default(&mut value),
        None => defaults::apply_defaults(&gvk, &mut value),
    }
    Object::try_new(value).map_err(|error| Status::bad_request(error.to_string()))
}

/// What is done about fields that the kind does not know.
///
/// # Errors
///
/// What is said of them where they are refused.
fn tell_unknown(
    unknown: &[String],
    validation: FieldValidation,
    warnings: &mut Vec<String>,
) -> Result<(), String> {
    let fields: Vec<String> = unknown.iter().map(|field| format!("unknown field {field:?}")).collect();
    match validation {
        FieldValidation::Strict if !fields.is_empty() => {
            return Err(format!("strict decoding error: {}", fields.join(", ")));
        }
        FieldValidation::Warn => warnings.extend(fields),
        FieldValidation::Strict | FieldValidation::Ignore => {}
    }
    Ok(())
}

/// The fields of what a client sent that the kind does not know, in the words of warnings.
pub(crate) fn unknown_fields(resource: &Resource, value: Value) -> Vec<String> {
    let mut warnings = Vec::new();
    match intake(resource, value, FieldValidation::Warn, &mut warnings) {
        Ok(_) => warnings,
        // What else is wrong is said by whoever creates it.
        Err(_) => Vec::new(),
    }
}

/// Moves what a Secret has as text to where it is kept, before anybody asks who owns it.
fn keep_as_data(secret: &mut Value) {
    let Some(Value::Object(texts)) = secret.get("stringData") else { return };
    if !texts.values().all(|text| matches!(text, Value::String(_))) {
        return;
    }
    for (key, text) in texts.clone().iter() {
        let encoded = STANDARD.encode(text.as_str().unwrap_or_default());
        secret.set_at(&["data", key], encoded);
    }
    secret.object_mut().remove("stringData");
}

fn check_kind(resource: &Resource, value: &Value) -> Result<(), Status> {
    let gvk = resource.gvk();
    let (api_version, kind) = (value.str_at(&["apiVersion"]), value.str_at(&["kind"]));
    let wrong_version = api_version.is_some_and(|have| !have.is_empty() && have != gvk.api_version());
    let wrong_kind = kind.is_some_and(|have| !have.is_empty() && have != gvk.kind);
    if !wrong_version && !wrong_kind {
        return Ok(());
    }
    let sent = Gvk::from_api_version(api_version.unwrap_or_default(), kind.unwrap_or_default());
    if resource.custom.is_some() && wrong_version {
        return Err(Status::bad_request(format!(
            "the API version in the data ({}) does not match the expected API version ({})",
            api_version.unwrap_or_default(),
            gvk.api_version()
        )));
    }
    if resource.custom.is_none() && defaults::is_built_in(&sent) {
        let package = |group: &str| match group.split('.').next() {
            None | Some("") => "core".to_owned(),
            Some(first) => first.to_owned(),
        };
        return Err(Status::bad_request(format!(
            "{} in version {:?} cannot be handled as a {}: converting ({}.{}) to ({}.{}): unknown conversion",
            sent.kind,
            sent.version,
            gvk.kind,
            sent.version,
            sent.kind,
            package(&gvk.group),
            gvk.kind
        )));
    }
    Err(Status::bad_request(format!(
        "{} in version {:?} cannot be handled as a {}: no kind {:?} is registered for version {:?} in scheme \"pkg/runtime/scheme.go:111\"",
        sent.kind,
        sent.version,
        gvk.kind,
        sent.kind,
        api_version.unwrap_or_default()
    )))
}

/// The namespace of the URL, which the object may repeat but not contradict.
fn set_namespace(resource: &Resource, object: &mut Object, namespace: &str) -> Result<(), Status> {
    if !resource.namespaced {
        object.remove_at(&["metadata", "namespace"]);
        return Ok(());
    }
    if !object.namespace().is_empty() && object.namespace() != namespace {
        return Err(Status::bad_request(
            "the namespace of the provided object does not match the namespace sent on the request",
        ));
    }
    object.set_at(&["metadata", "namespace"], namespace);
    Ok(())
}

/// Fills an absent name from `generateName`; says whether it did.
fn generate_name(object: &mut Object) -> bool {
    let base = object.str_at(&["metadata", "generateName"]).to_owned();
    if !object.name().is_empty() || base.is_empty() {
        return false;
    }
    let mut end = base.len().min(MAX_GENERATED_BASE);
    while !base.is_char_boundary(end) {
        end -= 1;
    }
    object.set_at(&["metadata", "name"], format!("{}{}", &base[..end], random_suffix()));
    true
}

/// The alphabet of `k8s.io/apimachinery/pkg/util/rand`: no vowels and nothing that looks like another.
const SUFFIX_ALPHABET: &[u8] = b"bcdfghjklmnpqrstvwxz2456789";

pub(super) fn random_suffix() -> String {
    let bytes = random::<GENERATED_SUFFIX>();
    bytes.iter().map(|byte| char::from(SUFFIX_ALPHABET[usize::from(*byte) % SUFFIX_ALPHABET.len()])).collect()
}

/// Random bytes of the operating system.
pub(crate) fn random<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).expect("the operating system gives random bytes");
    bytes
}

/// A random uid, version 4.
pub(crate) fn new_uid() -> Str {
    let mut bytes = random::<16>();
    bytes[6] = bytes[6] & 0x0f | 0x40;
    bytes[8] = bytes[8] & 0x3f | 0x80;
    let mut text = String::with_capacity(36);
    for (idx, byte) in bytes.iter().enumerate() {
        if matches!(idx, 4 | 6 | 8 | 10) {
            text.push('-');
        }
        for digit in [byte >> 4, byte & 15] {
            text.push(char::from(b"0123456789abcdef"[usize::from(digit)]));
        }
    }
    text.into()
}

/// What a changed object says of itself that is not so, and new reasons to keep an object that is to go.
fn changed_identity(old: &Object, new: &Object) -> Vec<Cause> {
    let mut causes = Vec::new();
    for field in ["uid", "deletionTimestamp"] {
        let (before, after) = (old.at(&["metadata", field]), new.at(&["metadata", field]));
        if let Some(after) = after.filter(|after| Some(*after) != before && after.as_str() != Some("")) {
            let cause = Cause::invalid(format!("metadata.{field}"), after, "field is immutable");
            causes.extend([cause.clone(), cause]);
        }
    }
    let finalizers = |object: &Object| -> Vec<Str> {
        let list = object.at(&["metadata", "finalizers"]).and_then(Value::as_array);
        list.into_iter().flat_map(|list| list.iter()).filter_map(Value::as_str).map(Into::into).collect()
    };
    if old.is_terminating() {
        let before = finalizers(old);
        let added: Vec<String> = finalizers(new)
            .into_iter()
            .filter(|finalizer| !before.contains(finalizer))
            .map(|finalizer| format!("{finalizer:?}"))
            .collect();
        if !added.is_empty() {
            let why = format!(
                "no new finalizers can be added if the object is being deleted, found new finalizers []string{{{}}}",
                added.join(", ")
            );
            let cause = Cause::forbidden("metadata.finalizers", &why);
            causes.extend([cause.clone(), cause]);
        }
    }
    causes
}

/// What no client sets once an object exists.
fn keep_identity(old: &Object, new: &mut Object) {
    for field in [
        "uid",
        "resourceVersion",
        "creationTimestamp",
        "deletionTimestamp",
        "deletionGracePeriodSeconds",
        "generation",
    ] {
        match old.at(&["metadata", field]) {
            Some(value) => new.set_at(&["metadata", field], value.clone()),
            None => {
                new.remove_at(&["metadata", field]);
            }
        }
    }
    new.remove_at(&["metadata", "selfLink"]);
}

/// Whether nothing has changed but when managers last changed something; then nothing is written.
fn same_but_for_times(old: &Object, new: &Object) -> bool {
    if old == new {
        return true;
    }
    let without = |object: &Object| {
        let mut object = object.clone();
        object.remove_at(&["metadata", "managedFields"]);
        object
    };
    if without(old) != without(new) {
        return false;
    }
    let entries = |object: &Object| -> Vec<Map> {
        let entries = object.at(&["metadata", "managedFields"]).and_then(Value::as_array);
        entries.map_or_else(Vec::new, |entries| {
            entries
                .iter()
                .filter_map(Value::as_object)
                .map(|entry| {
                    let mut entry = entry.clone();
                    entry.remove("time");
                    entry
                })
                .collect()
        })
    };
    entries(old) == entries(new)
}

/// Whether an object whose deletion has begun has nothing left to wait for.
pub(super) fn may_go(object: &Object) -> bool {
    object.is_terminating()
        && object.at(&["metadata", "finalizers"]).and_then(Value::as_array).is_none_or(|list| list.is_empty())
        && object.at(&["metadata", "deletionGracePeriodSeconds"]).and_then(Value::as_int).unwrap_or(0) == 0
        && (object.kind() != "Namespace"
            || object.api_version() != "v1"
            || object
                .at(&["spec", "finalizers"])
                .and_then(Value::as_array)
                .is_none_or(|list| list.is_empty()))
}

fn written(resource: &Resource, stored: &Stored, created: bool) -> Written {
    let (object, json) = (presented(resource, stored), presented_json(resource, stored));
    Written { object, json, created, warnings: Vec::new() }
}

/// What a write came to, with what its caller should know whatever that is.
fn warned(outcome: Result<Written, Status>, warnings: Vec<String>) -> Result<Written, Status> {
    match outcome {
        Ok(written) => Ok(Written { warnings, ..written }),
        Err(status) => Err(status.warned(warnings)),
    }
}
