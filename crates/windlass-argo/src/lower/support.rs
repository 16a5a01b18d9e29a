//! Which fields are acted on. Every other field that is set is named, so that nothing is silently ignored.

use windlass_kube::{Object, Value};
use windlass_model::{Diagnostic, DiagnosticKind};

use crate::types::{FieldProblem, FieldProblemKind};

/// The fields that lowering acts on, with everything below them. `spec.sources[]` is spelt `spec.source`, and
/// Operation's sources are compared as a whole.
///
/// `spec.info` and the sources' names are for people. `retry.refresh` asks for what always happens: an attempt
/// uses the newest revision.
const ACTED_ON: &[&str] = &[
    "spec.project",
    "spec.info",
    "spec.destination",
    "spec.revisionHistoryLimit",
    "spec.ignoreDifferences",
    "spec.source.repoURL",
    "spec.source.path",
    "spec.source.chart",
    "spec.source.targetRevision",
    "spec.source.tagPrefix",
    "spec.source.name",
    "spec.source.directory.recurse",
    "spec.source.directory.include",
    "spec.source.directory.exclude",
    "spec.source.directory.disableExtensionFilter",
    "spec.source.directory.jsonnet",
    "spec.source.ref",
    "spec.source.plugin",
    "spec.source.helm.valueFiles",
    "spec.source.helm.ignoreMissingValueFiles",
    "spec.source.helm.values",
    "spec.source.helm.valuesObject",
    "spec.source.helm.parameters",
    "spec.source.helm.fileParameters",
    "spec.source.helm.releaseName",
    "spec.source.helm.namespace",
    "spec.source.helm.kubeVersion",
    "spec.source.helm.apiVersions",
    "spec.source.helm.skipCrds",
    "spec.source.helm.skipTests",
    "spec.source.helm.skipSchemaValidation",
    "spec.source.helm.version",
    "spec.source.helm.passCredentials",
    "spec.source.kustomize.namePrefix",
    "spec.source.kustomize.nameSuffix",
    "spec.source.kustomize.namespace",
    "spec.source.kustomize.images",
    "spec.source.kustomize.replicas",
    "spec.source.kustomize.commonLabels",
    "spec.source.kustomize.forceCommonLabels",
    "spec.source.kustomize.labelWithoutSelector",
    "spec.source.kustomize.labelIncludeTemplates",
    "spec.source.kustomize.commonAnnotations",
    "spec.source.kustomize.forceCommonAnnotations",
    "spec.source.kustomize.commonAnnotationsEnvsubst",
    "spec.source.kustomize.patches",
    "spec.source.kustomize.components",
    "spec.source.kustomize.ignoreMissingComponents",
    "spec.sourceHydrator.syncSource",
    "spec.syncPolicy",
    "operation.info",
    "operation.initiatedBy",
    "operation.retry",
    "operation.sync.revision",
    "operation.sync.revisions",
    "operation.sync.prune",
    "operation.sync.dryRun",
    "operation.sync.resources",
    "operation.sync.syncStrategy.apply",
    "operation.sync.syncStrategy.hook",
    "operation.sync.source",
    "operation.sync.sources",
    "operation.sync.manifests",
    "operation.sync.syncOptions",
    "operation.sync.autoHealAttemptsCount",
];

/// Objects whose members are named one by one although none of them is acted on.
const NAMED_BY_MEMBER: &[&str] =
    &["spec.source.helm", "spec.source.kustomize", "spec.sourceHydrator.drySource"];

/// Names the fields of `application` that are set and not acted on, and those that could not be read.
pub(super) fn unsupported(application: &Object, problems: &[FieldProblem]) -> Vec<Diagnostic> {
    let mut found = Vec::new();
    for problem in problems {
        if problem.path.starts_with("status") {
            continue;
        }
        let path = &problem.path;
        found.push(match problem.kind {
            FieldProblemKind::Unknown => {
                Diagnostic::new(DiagnosticKind::Unsupported, format!("field {path} is not known"))
            }
            FieldProblemKind::WrongType { expected, found } => Diagnostic::new(
                DiagnosticKind::InvalidSpec,
                format!("field {path} must be {expected}, this is {found}"),
            ),
        });
    }
    let unread: Vec<&str> = problems.iter().map(|problem| problem.path.as_str()).collect();
    for field in ["spec", "operation"] {
        if let Some(value) = application.at(&[field]) {
            walk(value, field, field, &mut |path| {
                if !unread.contains(&path) {
                    let message = format!("field {path} is set and not acted on yet");
                    found.push(Diagnostic::new(DiagnosticKind::Unsupported, message));
                }
            });
        }
    }
    found
}

/// Walks `value`, which stands at `path` and in the table at `table_path`.
fn walk(value: &Value, path: &str, table_path: &str, found: &mut impl FnMut(&str)) {
    if !is_set(value) || ACTED_ON.contains(&table_path) {
        return;
    }
    let below = |entry: &&str| entry.strip_prefix(table_path).is_some_and(|rest| rest.starts_with('.'));
    let descend = ACTED_ON.iter().any(below) || NAMED_BY_MEMBER.contains(&table_path);
    match value {
        Value::Object(members) if descend => {
            for (key, value) in members.iter() {
                walk(value, &format!("{path}.{key}"), &format!("{table_path}.{key}"), found);
            }
        }
        Value::Array(sources) if table_path == "spec.sources" => {
            for (idx, source) in sources.iter().enumerate() {
                walk(source, &format!("{path}[{idx}]"), "spec.source", found);
            }
        }
        _ => found(path),
    }
}

/// Whether a value says anything: Go's zero values do not.
pub(crate) fn is_set(value: &Value) -> bool {
    match value {
        Value::Null | Value::Bool(false) => false,
        Value::Bool(true) | Value::Int(_) | Value::Float(_) => true,
        Value::String(text) => !text.is_empty(),
        Value::Array(items) => !items.is_empty(),
        Value::Object(members) => members.values().any(is_set),
    }
}
