//! The `scale` subresource, and the binding of pods.

use std::sync::Arc;

use windlass_kube::selector::LabelSelector;
use windlass_kube::{Object, Str, Value, value};

use super::read::presented;
use super::write::{Made, intake};
use super::{Api, WriteOptions, managed};
use crate::resource::{GroupResource, Gvr, Resource};
use crate::status::{Cause, Status};

/// When to ask again about a budget that no controller has looked at, as kube-apiserver 1.36 has it.
const BUDGET_RETRY_SECONDS: u32 = 10;

impl Api {
    /// The scale of an object.
    pub(crate) async fn scale(
        &self,
        resource: &Resource,
        namespace: &str,
        name: &str,
    ) -> Result<Value, Status> {
        let stored = self.stored(resource, namespace, name)?;
        let object = presented(resource, &*self.one_at_version(resource, &stored).await?);
        let path = replicas_path(resource);
        if resource.custom.is_some() && object.at(&borrowed(&path)).is_none() {
            let why = format!("the spec replicas field \".{}\" does not exist", path.join("."));
            return Err(Status::internal(why));
        }
        Ok(scale_of(resource, &object))
    }

    /// Changes how many replicas an object is to have.
    pub(crate) async fn set_scale(
        &self,
        resource: &Arc<Resource>,
        namespace: &str,
        name: &str,
        options: &WriteOptions,
        mut make: impl FnMut(&Value) -> Result<Value, Status>,
    ) -> Result<Value, Status> {
        let manager = self.manager(options);
        let written = self
            .change(resource, namespace, name, options, Vec::new(), |old, _, versions| {
                let scale = make(&scale_of(resource, old))?;
                let replicas = scale.int_at(&["spec", "replicas"]).unwrap_or(0);
                check_replicas(name, replicas)?;
                let mut new = old.clone();
                let path = replicas_path(resource);
                new.set_at(&borrowed(&path), replicas);
                let scaled_to_nothing = replicas == 0 && wanted(resource, old) != 0;
                // Who owns the number is told of the version that is stored, and of no other.
                let is_foreign = resource.conversion().is_some() && resource.gvk() != resource.storage_gvk;
                match scale.str_at(&["metadata", "resourceVersion"]) {
                    Some(version) if !version.is_empty() && version != old.resource_version() => {
                        new.set_at(&["metadata", "resourceVersion"], version);
                    }
                    _ => {
                        new.remove_at(&["metadata", "resourceVersion"]);
                    }
                }
                if scaled_to_nothing {
                    // A scale does not print that it is zero, so that nobody owns it then.
                    let version = new.at(&["metadata", "resourceVersion"]).cloned();
                    new.remove_at(&borrowed(&path));
                    let subresource = &options.subresource;
                    managed::track(resource, Some(old), &mut new, &manager, subresource, Some(versions));
                    new.set_at(&borrowed(&path), 0_i64);
                    if let Some(version) = version {
                        new.set_at(&["metadata", "resourceVersion"], version);
                    }
                    return Ok(Made::Owned(new));
                }
                Ok(if is_foreign { Made::Owned(new) } else { Made::Tracked(new) })
            })
            .await?;
        Ok(scale_of(resource, &written.object))
    }

    /// Applies how many replicas an object is to have: whoever owns that with another number is in conflict.
    pub(crate) async fn apply_scale(
        &self,
        resource: &Arc<Resource>,
        namespace: &str,
        name: &str,
        options: &WriteOptions,
        applied: &Value,
    ) -> Result<Value, Status> {
        let text = |path: &[&str]| applied.str_at(path).unwrap_or_default();
        if (text(&["apiVersion"]), text(&["kind"])) != ("autoscaling/v1", "Scale") {
            let (group, version) =
                text(&["apiVersion"]).split_once('/').unwrap_or(("", text(&["apiVersion"])));
            let kind = text(&["kind"]);
            return Err(Status::bad_request(format!("invalid object type: {group}/{version}, Kind={kind}")));
        }
        let mut config = value!({
            "apiVersion": (resource.gvr.group_version()), "kind": (resource.kind.clone()),
            "metadata": {"name": name}
        });
        if let Some(replicas) = applied.int_at(&["spec", "replicas"]) {
            check_replicas(name, replicas)?;
            config.set_at(&borrowed(&replicas_path(resource)), replicas);
        }
        let config = Object::try_new(config).map_err(Status::internal)?;
        let manager = self.manager(options);
        let written = self
            .change(resource, namespace, name, options, Vec::new(), |old, warnings, versions| {
                let path = replicas_path(resource);
                let mut live = old.clone();
                // A scale does not print that it is zero: who says so says something new.
                if wanted(resource, old) == 0 {
                    live.remove_at(&borrowed(&path));
                }
                let mut merged =
                    managed::apply(resource, Some(&live), &config, &manager, options, Some(versions))?;
                if merged.at(&borrowed(&path)).is_none() {
                    merged.set_at(&borrowed(&path), wanted(resource, old));
                }
                Ok(Made::Owned(intake(resource, merged, options.field_validation, warnings)?))
            })
            .await?;
        Ok(scale_of(resource, &written.object))
    }

    /// Puts a pod on a node.
    pub(crate) async fn bind(
        &self,
        resource: &Arc<Resource>,
        namespace: &str,
        name: &str,
        binding: &Value,
        dry_run: bool,
    ) -> Result<(), Status> {
        let kind = binding.str_at(&["target", "kind"]).unwrap_or_default();
        if !matches!(kind, "" | "Node") {
            let why =
                format!("target.kind: Unsupported value: {kind:?}: supported values: \"Node\", \"<empty>\"");
            return Err(Status::new(500, "", why));
        }
        let node = binding.str_at(&["target", "name"]).unwrap_or_default();
        if node.is_empty() {
            return Err(Status::new(500, "", "target.name: Required value"));
        }
        let options = WriteOptions { subresource: "binding".into(), dry_run, ..WriteOptions::default() };
        self.change(resource, namespace, name, &options, Vec::new(), |old, _, _| {
            let bound = old.str_at(&["spec", "nodeName"]);
            if !bound.is_empty() {
                let why = format!("pod {name} is already assigned to node {bound:?}");
                let binding = GroupResource::new("", "pods/binding");
                return Err(Status::conflict(&binding, name, &why));
            }
            let mut new = old.clone();
            new.set_at(&["spec", "nodeName"], node);
            let scheduled = value!({
                "type": "PodScheduled", "status": "True", "lastProbeTime": null,
                "lastTransitionTime": (crate::time::now())
            });
            let mut conditions: Vec<Value> = old.to_value().items_at(&["status", "conditions"]).to_vec();
            conditions.retain(|condition| condition.str_at(&["type"]) != Some("PodScheduled"));
            conditions.push(scheduled);
            new.set_at(&["status", "conditions"], conditions);
            Ok(Made::Owned(new))
        })
        .await?;
        Ok(())
    }

    /// Refuses an eviction that a disruption budget does not allow.
    pub(crate) fn check_disruption(&self, namespace: &str, name: &str) -> Result<(), Status> {
        let pods = Gvr::new("", "v1", "pods");
        let pod = self.get(&pods, namespace, name)?;
        let ended = matches!(pod.str_at(&["status", "phase"]), "Succeeded" | "Failed" | "Pending" | "");
        if ended || pod.is_terminating() {
            return Ok(());
        }
        for stored in self.shared.store.table("policy/poddisruptionbudgets").list(Some(namespace)).objects {
            let budget = stored.object();
            let selector = LabelSelector::from_object(budget.at(&["spec", "selector"])).ok();
            if !selector.is_some_and(|selector| selector.matches_object(&pod)) {
                continue;
            }
            let number = |key: &str| budget.at(&["status", key]).and_then(Value::as_int).unwrap_or(0);
            let unprocessed = number("observedGeneration") < budget.generation();
            let message = if unprocessed {
                format!("The disruption budget {} is still being processed by the server.", budget.name())
            } else if number("disruptionsAllowed") <= 0 {
                format!(
                    "The disruption budget {} needs {} healthy pods and has {} currently",
                    budget.name(),
                    number("desiredHealthy"),
                    number("currentHealthy")
                )
            } else {
                continue;
            };
            let why = "Cannot evict pod as it would violate the pod's disruption budget.";
            let mut status = Status::new(429, "TooManyRequests", why);
            status.details.causes = vec![Cause { reason: "DisruptionBudget", message, field: String::new() }];
            status.details.retry_after_seconds = if unprocessed { BUDGET_RETRY_SECONDS } else { 0 };
            return Err(status);
        }
        Ok(())
    }
}

fn check_replicas(name: &str, replicas: i64) -> Result<(), Status> {
    if replicas >= 0 {
        return Ok(());
    }
    let detail = "must be greater than or equal to 0";
    let cause = Cause::invalid("spec.replicas", &Value::Int(replicas), detail);
    Err(Status::invalid("autoscaling", "Scale", name, vec![cause]))
}

fn replicas_path(resource: &Resource) -> Vec<Str> {
    match resource.custom.as_ref().and_then(|custom| custom.scale.as_ref()) {
        Some(scale) => scale.spec_replicas.clone(),
        None => vec!["spec".into(), "replicas".into()],
    }
}

/// An object with as many replicas as a scale says.
pub(super) fn scaled_to(resource: &Resource, object: &Object, scale: &Value) -> Object {
    let mut scaled = object.clone();
    let replicas = scale.int_at(&["spec", "replicas"]).unwrap_or(0);
    scaled.set_at(&borrowed(&replicas_path(resource)), replicas);
    scaled
}

fn wanted(resource: &Resource, object: &Object) -> i64 {
    object.at(&borrowed(&replicas_path(resource))).and_then(Value::as_int).unwrap_or(0)
}

fn borrowed(path: &[Str]) -> Vec<&str> {
    path.iter().map(Str::as_str).collect()
}

pub(super) fn scale_of(resource: &Resource, object: &Object) -> Value {
    let (status_replicas, selector) = match resource.custom.as_ref().and_then(|custom| custom.scale.as_ref())
    {
        Some(scale) => {
            let selector = object.str_at(&borrowed(&scale.label_selector)).to_owned();
            (scale.status_replicas.clone(), selector)
        }
        None => {
            let selector = object.at(&["spec", "selector"]);
            let parsed = if resource.kind == "ReplicationController" {
                selector.and_then(Value::as_object).map(LabelSelector::from_map)
            } else {
                LabelSelector::from_object(selector).ok()
            };
            (
                vec!["status".into(), "replicas".into()],
                parsed.map(|parsed| parsed.to_string()).unwrap_or_default(),
            )
        }
    };
    let count = |path: &[Str]| object.at(&borrowed(path)).and_then(Value::as_int).unwrap_or(0);
    let mut scale = value!({
        "kind": "Scale", "apiVersion": "autoscaling/v1",
        "metadata": {"name": (object.name())},
        "spec": (Value::object()),
        "status": {"replicas": (count(&status_replicas))}
    });
    let replicas = wanted(resource, object);
    if replicas != 0 {
        scale.set_at(&["spec", "replicas"], replicas);
    }
    if !selector.is_empty() {
        scale.set_at(&["status", "selector"], selector);
    }
    for field in ["namespace", "uid", "resourceVersion", "creationTimestamp"] {
        if let Some(value) = object.at(&["metadata", field]) {
            scale.set_at(&["metadata", field], value.clone());
        }
    }
    scale
}
