//! Which requests a policy or a webhook is about.

use windlass_kube::selector::LabelSelector;
use windlass_kube::{Gvk, Map, Str, Value};

use super::{Attributes, Operation};
use crate::api::Api;
use crate::resource::{GroupResource, Gvr};
use crate::status::Status;
use crate::store::Key;

/// The requests that are meant: `matchConstraints` of a policy, `matchResources` of a binding.
#[derive(Debug)]
pub(super) struct Matcher {
    namespaces: LabelSelector,
    objects: LabelSelector,
    rules: Vec<Rule>,
    excluded: Vec<Rule>,
    /// Whether another version of the resource counts.
    is_equivalent: bool,
    /// Whether everything is meant where no rules say what.
    means_all: bool,
}

/// Some operations on some resources.
#[derive(Debug)]
struct Rule {
    operations: Vec<Str>,
    groups: Vec<Str>,
    versions: Vec<Str>,
    resources: Vec<Str>,
    names: Vec<Str>,
    scope: Str,
}

/// What a request is to a policy that matches it.
#[derive(Clone, Debug)]
pub(super) struct Matched {
    pub(super) resource: Gvr,
    pub(super) kind: Gvk,
}

impl Matcher {
    pub(super) fn new(spec: &Value) -> Self {
        let selector = |key: &str| match spec.get(key) {
            None => LabelSelector::everything(),
            Some(selector) => {
                LabelSelector::from_object(Some(selector)).unwrap_or_else(|_| LabelSelector::nothing())
            }
        };
        let rules = |key: &str| spec.items_at(&[key]).iter().map(Rule::new).collect();
        Self {
            namespaces: selector("namespaceSelector"),
            objects: selector("objectSelector"),
            rules: rules("resourceRules"),
            excluded: rules("excludeResourceRules"),
            is_equivalent: spec.str_at(&["matchPolicy"]) != Some("Exact"),
            means_all: true,
        }
    }

    /// The requests that a webhook is about.
    pub(super) fn of_webhook(hook: &Value) -> Self {
        let rules = hook.items_at(&["rules"]).iter().map(Rule::new).collect();
        Self { rules, means_all: false, ..Self::new(hook) }
    }

    /// What the request is, if it is meant.
    ///
    /// # Errors
    ///
    /// When the namespace that decides is not there.
    pub(super) fn matches(&self, api: &Api, attributes: &Attributes<'_>) -> Result<Option<Matched>, Status> {
        let in_namespace = self.in_namespace(api, attributes);
        if matches!(in_namespace, Ok(false)) || !self.selects_object(attributes) {
            return Ok(None);
        }
        if self.by_rules(&self.excluded, api, attributes).is_some() {
            return Ok(None);
        }
        let matched = if self.rules.is_empty() && self.means_all {
            Some(Matched { resource: attributes.resource.gvr.clone(), kind: attributes.kind.clone() })
        } else {
            self.by_rules(&self.rules, api, attributes)
        };
        match matched {
            None => Ok(None),
            Some(matched) => in_namespace.map(|_| Some(matched)),
        }
    }

    fn in_namespace(&self, api: &Api, attributes: &Attributes<'_>) -> Result<bool, Status> {
        let is_namespace = attributes.resource.gvr.resource == "namespaces";
        if (attributes.namespace.is_empty() && !is_namespace) || self.namespaces.is_everything() {
            return Ok(true);
        }
        if is_namespace && attributes.subresource.is_empty() && attributes.operation != Operation::Delete {
            return Ok(self.namespaces.matches(labels(attributes.object.as_ref())));
        }
        match api.store().table("/namespaces").get(&Key::new("", attributes.namespace)) {
            Some(stored) => Ok(self.namespaces.matches(stored.labels())),
            None => Err(Status::not_found(&GroupResource::new("", "namespaces"), attributes.namespace)),
        }
    }

    fn selects_object(&self, attributes: &Attributes<'_>) -> bool {
        let selects = |object: &Option<Value>| {
            object.as_ref().is_some_and(|object| self.objects.matches(labels(Some(object))))
        };
        self.objects.is_everything() || selects(&attributes.object) || selects(&attributes.old)
    }

    fn by_rules(&self, rules: &[Rule], api: &Api, attributes: &Attributes<'_>) -> Option<Matched> {
        let own = &attributes.resource.gvr;
        if rules.iter().any(|rule| rule.matches(own, attributes) && rule.names_it(attributes)) {
            return Some(Matched { resource: own.clone(), kind: attributes.kind.clone() });
        }
        if !self.is_equivalent || rules.is_empty() {
            return None;
        }
        let resources = api.registry().current();
        let equivalents = || {
            resources.iter().filter(|other| {
                other.storage == attributes.resource.storage
                    && other.gvr != *own
                    && (attributes.subresource.is_empty()
                        || other.subresource(attributes.subresource).is_some())
            })
        };
        for rule in rules {
            for other in equivalents() {
                if rule.matches(&other.gvr, attributes) && rule.names_it(attributes) {
                    let kind = if attributes.kind == attributes.resource.gvk() {
                        other.gvk()
                    } else {
                        attributes.kind.clone()
                    };
                    return Some(Matched { resource: other.gvr.clone(), kind });
                }
            }
        }
        None
    }
}

fn labels(object: Option<&Value>) -> Option<&Map> {
    object?.at(&["metadata", "labels"]).and_then(Value::as_object)
}

impl Rule {
    fn new(rule: &Value) -> Self {
        let texts =
            |key: &str| rule.items_at(&[key]).iter().filter_map(Value::as_str).map(Str::new).collect();
        Self {
            operations: texts("operations"),
            groups: texts("apiGroups"),
            versions: texts("apiVersions"),
            resources: texts("resources"),
            names: texts("resourceNames"),
            scope: rule.str_at(&["scope"]).unwrap_or("*").into(),
        }
    }

    fn matches(&self, gvr: &Gvr, attributes: &Attributes<'_>) -> bool {
        let is_namespace = gvr.group.is_empty() && gvr.resource == "namespaces";
        let in_scope = match self.scope.as_str() {
            "Namespaced" => !is_namespace && !attributes.namespace.is_empty(),
            "Cluster" => is_namespace || attributes.namespace.is_empty(),
            _ => true,
        };
        let has = |words: &[Str], word: &str| words.iter().any(|have| have == "*" || have == word);
        in_scope
            && has(&self.operations, attributes.operation.as_str())
            && has(&self.groups, &gvr.group)
            && has(&self.versions, &gvr.version)
            && self.resources.iter().any(|full| {
                let (resource, subresource) = full.split_once('/').unwrap_or((full, ""));
                (resource == "*" || resource == gvr.resource)
                    && (subresource == "*" || subresource == attributes.subresource)
            })
    }

    fn names_it(&self, attributes: &Attributes<'_>) -> bool {
        self.names.is_empty() || self.names.iter().any(|name| name == attributes.name)
    }
}
