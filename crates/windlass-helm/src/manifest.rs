//! What templates print, as manifests and hooks in the order of installation.

use std::sync::Arc;

use windlass_yaml::{Str, Value};

use crate::HelmVersion;
use crate::text::{base, is_space};

/// One document of a rendered template.
#[derive(Clone, Debug, PartialEq)]
pub struct Manifest {
    /// The template's path, from the chart's name on: `web/templates/service.yaml`.
    pub source: Arc<str>,
    /// The document, as Helm prints it.
    pub text: String,
    /// Its `apiVersion`; empty if it has none.
    pub api_version: Str,
    /// Its `kind`; empty if it has none.
    pub kind: Str,
    /// What the document says.
    pub value: Value,
}

/// A manifest that is applied at certain moments of a release.
#[derive(Clone, Debug, PartialEq)]
pub struct Hook {
    /// The name of the object.
    pub name: Str,
    /// Its kind.
    pub kind: Str,
    /// The template's path.
    pub source: Arc<str>,
    /// The document, as Helm prints it.
    pub text: String,
    /// When it is applied.
    pub events: Vec<HookEvent>,
    /// Of the hooks of a moment, those of lower weight come first.
    pub weight: i64,
    /// When it is deleted: `before-hook-creation`, `hook-succeeded`, `hook-failed`, or whatever stands there.
    pub delete_policies: Vec<Str>,
    /// When its logs are shown: `hook-succeeded`, `hook-failed`, or whatever stands there.
    pub output_log_policies: Vec<Str>,
    /// What the document says.
    pub value: Value,
}

/// A moment of a release.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum HookEvent {
    /// After templates are rendered, before anything is created.
    PreInstall,
    /// After everything is created.
    PostInstall,
    /// On an uninstallation, before anything is deleted.
    PreDelete,
    /// On an uninstallation, after everything is deleted.
    PostDelete,
    /// On an upgrade, before anything is changed.
    PreUpgrade,
    /// On an upgrade, after everything is changed.
    PostUpgrade,
    /// On a rollback, before anything is changed.
    PreRollback,
    /// On a rollback, after everything is changed.
    PostRollback,
    /// When tests are run.
    Test,
}

impl HookEvent {
    /// Its name in the annotation.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::PreInstall => "pre-install",
            Self::PostInstall => "post-install",
            Self::PreDelete => "pre-delete",
            Self::PostDelete => "post-delete",
            Self::PreUpgrade => "pre-upgrade",
            Self::PostUpgrade => "post-upgrade",
            Self::PreRollback => "pre-rollback",
            Self::PostRollback => "post-rollback",
            Self::Test => "test",
        }
    }

    fn parse(name: &str) -> Option<Self> {
        const ALL: [HookEvent; 9] = [
            HookEvent::PreInstall,
            HookEvent::PostInstall,
            HookEvent::PreDelete,
            HookEvent::PostDelete,
            HookEvent::PreUpgrade,
            HookEvent::PostUpgrade,
            HookEvent::PreRollback,
            HookEvent::PostRollback,
            HookEvent::Test,
        ];
        // Helm 2 had two words for a test.
        let name = if name == "test-success" { "test" } else { name };
        ALL.into_iter().find(|event| event.name() == name)
    }
}

/// A rendered file that is no manifest.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("YAML parse error on {source_path}: {problem}")]
pub struct ManifestError {
    /// The template's path.
    pub source_path: Arc<str>,
    /// What is wrong, in the words of Go's packages.
    pub problem: String,
    /// The rendered text of the file.
    pub text: String,
}

/// Splits rendered files into manifests and hooks, each in the order of installation.
///
/// `files` are sorted by path. What is blank is left out, and so are hooks of unknown moments.
pub(crate) fn sort(
    files: &[(Arc<str>, String)],
    helm: HelmVersion,
) -> Result<(Vec<Manifest>, Vec<Hook>), ManifestError> {
    let mut manifests = Vec::new();
    let mut hooks = Vec::new();
    for (source, content) in files {
        if base(source).starts_with('_') || content.trim_matches(is_space).is_empty() {
            continue;
        }
        for text in split(content, helm) {
            let head = head(text, helm).map_err(|problem| ManifestError {
                source_path: source.clone(),
                problem,
                text: content.clone(),
            })?;
            let source = source.clone();
            let Some(hook) = head.annotation("helm.sh/hook") else {
                let text = text.to_owned();
                let Head { api_version, kind, value, .. } = head;
                manifests.push(Manifest { source, text, api_version, kind, value });
                continue;
            };
            let events = hook.split(',').map(|event| HookEvent::parse(&normalized(event)));
            let Some(events) = events.collect::<Option<Vec<_>>>() else { continue };
            let list = |annotation: &str| -> Vec<Str> {
                let values = head.annotation(annotation);
                values
                    .into_iter()
                    .flat_map(|values| values.split(','))
                    .map(|v| normalized(v).into())
                    .collect()
            };
            let weight = head.annotation("helm.sh/hook-weight").and_then(|weight| weight.parse().ok());
            let delete_policies = list("helm.sh/hook-delete-policy");
            let output_log_policies = list("helm.sh/hook-output-log-policy");
            hooks.push(Hook {
                name: head.name,
                kind: head.kind,
                source,
                text: text.to_owned(),
                events,
                weight: weight.unwrap_or(0),
                delete_policies,
                output_log_policies,
                value: head.value,
            });
        }
    }
    manifests.sort_by(|a, b| order(&a.kind, &b.kind, helm));
    hooks.sort_by(|a, b| order(&a.kind, &b.kind, helm));
    Ok((manifests, hooks))
}

fn normalized(word: &str) -> String {
    word.trim_matches(is_space).to_lowercase()
}

/// The documents of a rendered file, without those that are blank.
///
/// Helm 3 takes blanks away around each document, Helm 4 only before it; both take a line that merely begins with
/// `---` for a separator, and what stands behind the dashes for the document's beginning.
pub(crate) fn split<'a>(content: &'a str, helm: HelmVersion) -> Vec<&'a str> {
    let content = match helm {
        HelmVersion::V3 => content.trim_matches(is_space),
        HelmVersion::V4 => content.trim_start_matches(is_space),
    };
    let mut documents = Vec::new();
    let mut from = 0;
    let mut line = 0;
    let add = |text: &'a str, documents: &mut Vec<&'a str>| {
        let text = match helm {
            HelmVersion::V3 => text.trim_matches(is_space),
            HelmVersion::V4 => text.trim_start_matches(is_space),
        };
        if !text.trim_end_matches(is_space).is_empty() {
            documents.push(text);
        }
    };
    // Helm 3's pattern takes the blanks behind the dashes and wants a line break before them, so a separator right
    // behind another one is none.
    let mut consumed = 0;
    while line < content.len() {
        let next = content[line..].find('\n').map_or(content.len(), |at| line + at + 1);
        if content[line..next].starts_with("---") && (helm == HelmVersion::V4 || line == 0 || line > consumed)
        {
            add(&content[from..line], &mut documents);
            from = line + 3;
            consumed = content.len() - content[from..].trim_start_matches(is_space).len();
        }
        line = next;
    }
    add(&content[from..], &mut documents);
    documents
}

/// What decides about a manifest.
#[derive(Debug, Default)]
struct Head {
    api_version: Str,
    kind: Str,
    name: Str,
    annotations: Vec<(Str, Str)>,
    value: Value,
}

impl Head {
    fn annotation(&self, name: &str) -> Option<&str> {
        self.annotations.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }
}

/// Reads the head of a manifest as `sigs.k8s.io/yaml` reads it into Helm's `SimpleHead`: the whole document has to
/// be YAML, and what is read of it has to be of the right type.
fn head(text: &str, helm: HelmVersion) -> Result<Head, String> {
    let value =
        windlass_yaml::load(text).map_err(|error| format!("error converting YAML to JSON: {error}"))?;
    let found = |value: &Value| match value {
        Value::Null => "null",
        Value::Bool(_) => "bool",
        Value::Int(_) | Value::Float(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    };
    let wrong = |value: &Value, place: &str, wanted: &str| {
        let found = found(value);
        Err::<Head, _>(format!(
            "error unmarshaling JSON: while decoding JSON: json: cannot unmarshal {found} into Go {place} of type {wanted}"
        ))
    };
    const STRUCT: &str = "struct { Name string \"json:\\\"name\\\"\"; Annotations map[string]string \"json:\\\"annotations\\\"\" }";
    let mut head = Head { value: value.clone(), ..Head::default() };
    let map = match &value {
        Value::Null => return Ok(head),
        Value::Object(map) => map,
        other => {
            let wanted = match helm {
                HelmVersion::V3 => "releaseutil.SimpleHead",
                HelmVersion::V4 => "util.SimpleHead",
            };
            return wrong(other, "value", wanted);
        }
    };
    let string = |value: &Value, place: &str| -> Result<Str, String> {
        Ok(match value {
            Value::Null => Str::default(),
            Value::String(text) => text.clone(),
            Value::Bool(bool) => Str::from(bool.to_string()),
            Value::Int(int) => Str::from(int.to_string()),
            Value::Float(float) => Str::from(crate::text::float_g(*float)),
            other => return wrong(other, place, "string").map(|_| Str::default()),
        })
    };
    for (key, value) in map.iter() {
        if key.eq_ignore_ascii_case("apiVersion") {
            head.api_version = string(value, "struct field SimpleHead.apiVersion")?;
        } else if key.eq_ignore_ascii_case("kind") {
            head.kind = string(value, "struct field SimpleHead.kind")?;
        } else if key.eq_ignore_ascii_case("metadata") {
            let metadata = match value {
                Value::Null => continue,
                Value::Object(map) => map,
                other => {
                    return wrong(other, "struct field SimpleHead.metadata", STRUCT);
                }
            };
            for (key, value) in metadata.iter() {
                if key.eq_ignore_ascii_case("name") {
                    head.name = string(value, "struct field .metadata.name")?;
                } else if key.eq_ignore_ascii_case("annotations") {
                    match value {
                        Value::Null => {}
                        Value::Object(map) => {
                            for (key, value) in map.iter() {
                                let value = string(value, "struct field .metadata.annotations")?;
                                head.annotations.push((key.clone(), value));
                            }
                        }
                        other => {
                            return wrong(other, "struct field .metadata.annotations", "map[string]string");
                        }
                    }
                }
            }
        }
    }
    Ok(head)
}

/// The order in which Helm installs kinds; those that are not here come last, by name.
const INSTALL_ORDER: [&str; 38] = [
    "PriorityClass",
    "Namespace",
    "NetworkPolicy",
    "ResourceQuota",
    "LimitRange",
    "PodSecurityPolicy",
    "PodDisruptionBudget",
    "ServiceAccount",
    "Secret",
    "SecretList",
    "ConfigMap",
    "StorageClass",
    "PersistentVolume",
    "PersistentVolumeClaim",
    "CustomResourceDefinition",
    "ClusterRole",
    "ClusterRoleList",
    "ClusterRoleBinding",
    "ClusterRoleBindingList",
    "Role",
    "RoleList",
    "RoleBinding",
    "RoleBindingList",
    "Service",
    "DaemonSet",
    "Pod",
    "ReplicationController",
    "ReplicaSet",
    "Deployment",
    "HorizontalPodAutoscaler",
    "StatefulSet",
    "Job",
    "CronJob",
    "IngressClass",
    "Ingress",
    "APIService",
    "MutatingWebhookConfiguration",
    "ValidatingWebhookConfiguration",
];

/// How many kinds of the order Helm 3 knows: all but the webhook configurations.
const N_KINDS_V3: usize = INSTALL_ORDER.len() - 2;

fn order(a: &str, b: &str, helm: HelmVersion) -> std::cmp::Ordering {
    let known = match helm {
        HelmVersion::V3 => &INSTALL_ORDER[..N_KINDS_V3],
        HelmVersion::V4 => &INSTALL_ORDER[..],
    };
    let rank = |kind: &str| known.iter().position(|one| *one == kind).unwrap_or(known.len());
    let (rank_a, rank_b) = (rank(a), rank(b));
    // Kinds that are not known are ordered by name.
    rank_a.cmp(&rank_b).then_with(|| if rank_a == known.len() { a.cmp(b) } else { std::cmp::Ordering::Equal })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn documents_are_split_as_either_helm_splits_them() {
        let text = "\n---\na: 1\n\n--- # note\nb: 2\n---c: 3\n  \n---\n";
        assert_eq!(split(text, HelmVersion::V4), ["a: 1\n\n", "# note\nb: 2\n", "c: 3\n  \n"]);
        assert_eq!(split(text, HelmVersion::V3), ["a: 1", "# note\nb: 2", "c: 3"]);
    }

    #[test]
    fn unknown_kinds_come_last_by_name() {
        let mut kinds = ["Zebra", "Service", "Ant", "ValidatingWebhookConfiguration", "Secret"];
        kinds.sort_by(|a, b| order(a, b, HelmVersion::V3));
        assert_eq!(kinds, ["Secret", "Service", "Ant", "ValidatingWebhookConfiguration", "Zebra"]);
        kinds.sort_by(|a, b| order(a, b, HelmVersion::V4));
        assert_eq!(kinds, ["Secret", "Service", "ValidatingWebhookConfiguration", "Ant", "Zebra"]);
    }
}
