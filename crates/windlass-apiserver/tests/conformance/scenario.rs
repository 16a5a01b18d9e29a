//! Scenarios: requests as data.
//!
//! `$hook` and `$ca` are where a webhook is and whom it is trusted by: see `hook.rs`.
//!
//! A file of scenarios is a YAML list of `name` and `steps`. Each scenario has a namespace of its own,
//! `$ns` in paths and bodies. The first word of a step is what it does:
//!
//! | word | does |
//! |---|---|
//! | `get`, `create`, `update`, `delete` | GET, POST, PUT, DELETE |
//! | `apply`, `merge`, `strategic`, `json` | PATCH, with the content type of that patch |
//! | `watch: NAME`, `path` | begins a watch |
//! | `events: NAME`, `count` | the next `count` events of a watch; all until its end without `count` |
//! | `until`, `code` or `at` + `is` | GET until it answers that code, or has that text at that path |
//!
//! A path begins with `/`, or with a resource of the table below, in the scenario's namespace. Beside it
//! stand `body` (its `apiVersion` and `kind` are filled in) or `text` (as it is), `type` and `accept`,
//! `as` and `groups` (whom to act as), `setup` (its answer is not compared), `insist` and `insist-at` (the request is sent until
//! it is answered with that code, or with something at that path), `bearer` (the token it is sent with), `claims` (what the token in
//! the answer says is compared), `pick` (only what is at these JSON pointers counts, once the first is there), and `save`, a name by which later steps say `${NAME.metadata.uid}`, or `${NAME.data.token!}` for
//! what stands there in base64.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value};
use windlass_yaml::{Dialect, LoadOptions};

/// A named sequence of requests.
#[derive(Clone, Debug)]
pub(crate) struct Scenario {
    pub(crate) topic: String,
    pub(crate) name: String,
    pub(crate) steps: Vec<Value>,
}

/// Resource, path before the namespace, apiVersion, kind; without a namespace where the path ends in `!`.
const RESOURCES: &[(&str, &str, &str, &str)] = &[
    ("bindings", "/api/v1", "v1", "Binding"),
    ("configmaps", "/api/v1", "v1", "ConfigMap"),
    ("endpoints", "/api/v1", "v1", "Endpoints"),
    ("events", "/api/v1", "v1", "Event"),
    ("limitranges", "/api/v1", "v1", "LimitRange"),
    ("persistentvolumeclaims", "/api/v1", "v1", "PersistentVolumeClaim"),
    ("pods", "/api/v1", "v1", "Pod"),
    ("podtemplates", "/api/v1", "v1", "PodTemplate"),
    ("replicationcontrollers", "/api/v1", "v1", "ReplicationController"),
    ("resourcequotas", "/api/v1", "v1", "ResourceQuota"),
    ("secrets", "/api/v1", "v1", "Secret"),
    ("serviceaccounts", "/api/v1", "v1", "ServiceAccount"),
    ("services", "/api/v1", "v1", "Service"),
    ("namespaces", "/api/v1!", "v1", "Namespace"),
    ("nodes", "/api/v1!", "v1", "Node"),
    ("persistentvolumes", "/api/v1!", "v1", "PersistentVolume"),
    ("deployments", "/apis/apps/v1", "apps/v1", "Deployment"),
    ("replicasets", "/apis/apps/v1", "apps/v1", "ReplicaSet"),
    ("statefulsets", "/apis/apps/v1", "apps/v1", "StatefulSet"),
    ("daemonsets", "/apis/apps/v1", "apps/v1", "DaemonSet"),
    ("controllerrevisions", "/apis/apps/v1", "apps/v1", "ControllerRevision"),
    ("jobs", "/apis/batch/v1", "batch/v1", "Job"),
    ("cronjobs", "/apis/batch/v1", "batch/v1", "CronJob"),
    ("horizontalpodautoscalers", "/apis/autoscaling/v2", "autoscaling/v2", "HorizontalPodAutoscaler"),
    ("ingresses", "/apis/networking.k8s.io/v1", "networking.k8s.io/v1", "Ingress"),
    ("networkpolicies", "/apis/networking.k8s.io/v1", "networking.k8s.io/v1", "NetworkPolicy"),
    ("ingressclasses", "/apis/networking.k8s.io/v1!", "networking.k8s.io/v1", "IngressClass"),
    ("poddisruptionbudgets", "/apis/policy/v1", "policy/v1", "PodDisruptionBudget"),
    ("leases", "/apis/coordination.k8s.io/v1", "coordination.k8s.io/v1", "Lease"),
    ("endpointslices", "/apis/discovery.k8s.io/v1", "discovery.k8s.io/v1", "EndpointSlice"),
    ("roles", "/apis/rbac.authorization.k8s.io/v1", "rbac.authorization.k8s.io/v1", "Role"),
    ("rolebindings", "/apis/rbac.authorization.k8s.io/v1", "rbac.authorization.k8s.io/v1", "RoleBinding"),
    ("clusterroles", "/apis/rbac.authorization.k8s.io/v1!", "rbac.authorization.k8s.io/v1", "ClusterRole"),
    (
        "clusterrolebindings",
        "/apis/rbac.authorization.k8s.io/v1!",
        "rbac.authorization.k8s.io/v1",
        "ClusterRoleBinding",
    ),
    ("priorityclasses", "/apis/scheduling.k8s.io/v1!", "scheduling.k8s.io/v1", "PriorityClass"),
    ("storageclasses", "/apis/storage.k8s.io/v1!", "storage.k8s.io/v1", "StorageClass"),
    (
        "crds",
        "/apis/apiextensions.k8s.io/v1!customresourcedefinitions",
        "apiextensions.k8s.io/v1",
        "CustomResourceDefinition",
    ),
    (
        "policies",
        "/apis/admissionregistration.k8s.io/v1!validatingadmissionpolicies",
        "admissionregistration.k8s.io/v1",
        "ValidatingAdmissionPolicy",
    ),
    (
        "policybindings",
        "/apis/admissionregistration.k8s.io/v1!validatingadmissionpolicybindings",
        "admissionregistration.k8s.io/v1",
        "ValidatingAdmissionPolicyBinding",
    ),
    (
        "mutators",
        "/apis/admissionregistration.k8s.io/v1!mutatingadmissionpolicies",
        "admissionregistration.k8s.io/v1",
        "MutatingAdmissionPolicy",
    ),
    (
        "mutatorbindings",
        "/apis/admissionregistration.k8s.io/v1!mutatingadmissionpolicybindings",
        "admissionregistration.k8s.io/v1",
        "MutatingAdmissionPolicyBinding",
    ),
    (
        "validatinghooks",
        "/apis/admissionregistration.k8s.io/v1!validatingwebhookconfigurations",
        "admissionregistration.k8s.io/v1",
        "ValidatingWebhookConfiguration",
    ),
    (
        "mutatinghooks",
        "/apis/admissionregistration.k8s.io/v1!mutatingwebhookconfigurations",
        "admissionregistration.k8s.io/v1",
        "MutatingWebhookConfiguration",
    ),
];

/// What a step may do, and the method and content type that go with it.
const VERBS: &[(&str, &str, &str)] = &[
    ("get", "GET", ""),
    ("until", "GET", ""),
    ("create", "POST", "application/json"),
    ("update", "PUT", "application/json"),
    ("delete", "DELETE", "application/json"),
    ("apply", "PATCH", "application/apply-patch+yaml"),
    ("merge", "PATCH", "application/merge-patch+json"),
    ("strategic", "PATCH", "application/strategic-merge-patch+json"),
    ("json", "PATCH", "application/json-patch+json"),
    ("watch", "GET", ""),
    ("events", "", ""),
];

/// A request that is ready to be sent.
#[derive(Clone, Debug)]
pub(crate) struct Prepared {
    pub(crate) verb: &'static str,
    pub(crate) method: &'static str,
    pub(crate) path: String,
    pub(crate) content_type: String,
    pub(crate) body: String,
}

/// Reads all scenarios of a file.
pub(crate) fn parse(topic: &str, text: &str) -> Vec<Scenario> {
    let options = LoadOptions { dialect: Dialect::V3, ..LoadOptions::default() };
    let document =
        windlass_yaml::load_with(text, &options).unwrap_or_else(|error| panic!("{topic}: {error}"));
    let document: Value =
        serde_json::from_str(&serde_json::to_string(&document).expect("a tree")).expect("JSON");
    let scenarios = document.as_array().unwrap_or_else(|| panic!("{topic} is no list"));
    scenarios
        .iter()
        .map(|scenario| Scenario {
            topic: topic.to_owned(),
            name: scenario["name"].as_str().unwrap_or_else(|| panic!("{topic}: no name")).to_owned(),
            steps: scenario["steps"].as_array().unwrap_or_else(|| panic!("{scenario}: no steps")).clone(),
        })
        .collect()
}

impl Scenario {
    /// The namespace that is the scenario's own.
    pub(crate) fn namespace(&self) -> String {
        format!("s-{}", self.name)
    }

    /// The scenario as text: what a recording is of.
    pub(crate) fn text(&self) -> String {
        serde_json::to_string(&self.steps).expect("a tree")
    }
}

/// What a step does, in a few words.
pub(crate) fn title(step: &Value) -> String {
    let Some((verb, ..)) = VERBS.iter().find(|(verb, ..)| step.get(verb).is_some()) else {
        return step.to_string();
    };
    format!("{verb} {}", step[verb].as_str().unwrap_or_default())
}

/// Makes the request of a step, with what earlier answers said.
pub(crate) fn prepare(step: &Value, namespace: &str, saved: &Map<String, Value>) -> Prepared {
    let (verb, method, default_type) = VERBS
        .iter()
        .find(|(verb, ..)| step.get(verb).is_some())
        .unwrap_or_else(|| panic!("nothing to do in {step}"));
    let path = step.get("path").unwrap_or(&step[verb]).as_str().expect("a path").to_owned();
    let known = RESOURCES.iter().find(|(name, ..)| {
        path.strip_prefix(name).is_some_and(|rest| rest.is_empty() || rest.starts_with(['/', '?']))
    });
    let full = match known {
        Some((name, prefix, ..)) => match prefix.split_once('!') {
            Some((prefix, "")) => format!("{prefix}/{path}"),
            Some((prefix, plural)) => format!("{prefix}/{plural}{}", &path[name.len()..]),
            None => format!("{prefix}/namespaces/$ns/{path}"),
        },
        None => path,
    };
    let mut body = step.get("body").cloned();
    let is_object = matches!(*verb, "create" | "update" | "apply");
    let is_subresource = full.split('?').next().is_some_and(|path| {
        path.ends_with("/scale") || path.ends_with("/eviction") || path.ends_with("/token")
    });
    if let (Some(Value::Object(body)), Some((_, _, api_version, kind)), true, false) =
        (&mut body, known, is_object, is_subresource)
        && step.get("bare").is_none()
    {
        body.entry("apiVersion").or_insert_with(|| (*api_version).into());
        body.entry("kind").or_insert_with(|| (*kind).into());
    }
    let body = match (step.get("text"), body) {
        (Some(text), _) => text.as_str().expect("text").to_owned(),
        (None, Some(body)) => body.to_string(),
        (None, None) => String::new(),
    };
    let content_type = step.get("type").and_then(Value::as_str).unwrap_or(default_type);
    Prepared {
        verb,
        method,
        path: fill(&full, namespace, saved),
        content_type: content_type.to_owned(),
        body: fill(&body, namespace, saved),
    }
}

/// Puts in the namespace, and what was saved.
pub(crate) fn fill(text: &str, namespace: &str, saved: &Map<String, Value>) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("${") {
        let (word, after) = after.split_once('}').expect("a closing brace");
        out.push_str(before);
        let (name, path) = word.split_once('.').expect("a name and a path");
        let pointer = format!("/{}", path.trim_end_matches('!').replace('.', "/"));
        let found = saved.get(name).and_then(|value| value.pointer(&pointer)).cloned().unwrap_or_default();
        let text = found.as_str().map_or_else(|| found.to_string(), str::to_owned);
        if path.ends_with('!') {
            let decoded = STANDARD.decode(&text).unwrap_or_default();
            out.push_str(&String::from_utf8_lossy(&decoded));
        } else {
            out.push_str(&text);
        }
        rest = after;
    }
    out.push_str(rest);
    crate::hook::fill(&out).replace("$ns", namespace)
}
