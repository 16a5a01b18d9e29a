//! From an Application to a Unit.

mod depends_on;
mod health_checks;
mod operation;
mod overrides;
mod policy;
mod source;
mod support;

pub use overrides::overridden;
pub(crate) use support::is_set;

use std::sync::Arc;

use windlass_kube::{Object, Str};
use windlass_model::{
    ClusterRef, Comparing, Diagnostic, DiagnosticKind, Identity, IgnoreRule, OperationPhase, OrphanRules,
    Ownership, Permissions, SyncRequest, TargetSpec, Time, Unit, UnitId,
};

pub use depends_on::DEPENDS_ON_ANNOTATION;
pub use health_checks::HEALTH_CHECKS_ANNOTATION;

use crate::types::{Application, ApplicationSpec, Operation, Source};
use crate::{
    Cluster, Deletion, Impersonation, Project, ProjectProblem, Settings, SourceRules, cluster, deletion,
    project,
};

/// The annotation that asks for a refresh, and its companion.
pub(crate) const REFRESH_ANNOTATIONS: [&str; 2] =
    ["argocd.argoproj.io/refresh", "argocd.argoproj.io/refresh-timestamp"];
const COMPARE_OPTIONS_ANNOTATION: &str = "argocd.argoproj.io/compare-options";
/// Comparing by the server's own answer, with what its webhooks do, is how Windlass always does it.
const COMPARED_SO: [&str; 3] = ["ServerSideDiff=true", "IncludeMutationWebhook=true", ""];
const SKIP_RECONCILE_ANNOTATION: &str = "argocd.argoproj.io/skip-reconcile";
/// What is done about fields that others added to the objects of an Application: `off`, `report` or `revert`. The same
/// on an object goes before it.
const STRICT_ANNOTATION: &str = "windlass.dev/strict";
/// When hooks with Helm's annotation run: with every sync, as Argo CD maps them (`phases`), or on the events that they name
/// (`events`).
const HELM_HOOKS_ANNOTATION: &str = "windlass.dev/helm-hooks";
/// Whether hooks run when drift is undone: on an Application for all of its hooks, on a hook for itself.
const HOOK_WHEN_HEALING_ANNOTATION: &str = "windlass.dev/hook-when-healing";
/// The field manager of Argo CD's own server-side applies, so that Applications can be taken over and handed back.
pub const FIELD_MANAGER: &str = "argocd-controller";

/// Who writes to Applications themselves: their status, their finalizers, the refresh that was carried out.
///
/// Another name than [`FIELD_MANAGER`], as in Argo CD 3.6, where it is the program's name: an Application that another
/// Application declares must not have its status taken for fields that were applied to it.
pub const STATUS_MANAGER: &str = "argocd-application-controller";
const MIGRATION_MANAGER_ANNOTATION: &str = "argocd.argoproj.io/client-side-apply-migration-manager";
/// The field manager of `kubectl apply`.
const KUBECTL_APPLY: &str = "kubectl-client-side-apply";

/// How thorough a refresh somebody asked for by annotation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refresh {
    /// Sources are resolved anew.
    Normal,
    /// Nothing that was kept is trusted either.
    Hard,
}

/// An Application in the words of the model.
#[derive(Clone, Debug)]
pub struct Lowered {
    /// What is kept in sync.
    pub unit: Unit,
    /// The sync that its `operation` field asks for.
    pub request: Option<SyncRequest>,
    /// Why its `operation` field cannot be carried out. [`crate::raise`] ends the operation with this message; take
    /// the field with the same patch.
    pub refused: Option<Str>,
    /// Whether somebody asked to end the running operation.
    pub terminate: bool,
    /// The refresh that its annotation asks for.
    pub refresh: Option<Refresh>,
    /// Whether it is to be left alone altogether: annotation `skip-reconcile`.
    pub paused: bool,
    /// Whether it is being deleted, and how.
    pub deletion: Deletion,
    /// When somebody approved deletions that wait for approval.
    pub approved: Option<Time>,
    /// The cluster it goes to, if it names one that is known.
    pub cluster: Option<Cluster>,
    /// What it may deploy.
    pub permissions: Arc<Permissions>,
    /// What of its target namespace counts as orphaned; `None` when its project does not ask.
    pub orphans: Option<Arc<OrphanRules>>,
    /// Its sources as declared, one for each of the Unit's: what a repository's own files may change.
    pub sources: Box<[Source]>,
    /// What it may be made of.
    pub permitted_sources: SourceRules,
    /// Flags for its kustomizations: [`Settings::kustomize_build_options`].
    pub kustomize_build_options: Str,
    /// Whether those are not its own but those of the operation that is asked for.
    pub overriding: bool,
    /// The namespace of the control plane, for the status.
    pub controller_namespace: Str,
}

/// Lowers an Application. While it asks for an operation with other sources than its own, those are the Unit's.
///
/// Two Applications that mean the same give equal Units apart from their ids and tracking names. What is wrong,
/// and every field that is set and not acted on, is in the Unit's diagnostics.
#[must_use]
pub fn lower(
    application: &Object,
    project: Result<&Project, ProjectProblem>,
    settings: &Settings,
    known_clusters: &[Cluster],
) -> Lowered {
    let (read, problems) = Application::read(application);
    let mut findings = Findings(support::unsupported(application, &problems));
    let project = project.map_err(|problem| findings.invalid(problem.to_string())).ok();
    if let Some(project) = project {
        findings.0.extend(project.diagnostics.iter().cloned());
        check_namespace(application, project, settings, &mut findings);
    }
    if read.spec.has_multiple_sources() && read.spec.source.is_some() {
        findings.0.push(Diagnostic::new(
            DiagnosticKind::Unsupported,
            "field spec.source is not used, because spec.sources is set",
        ));
    }
    let overriding = read.operation.as_deref().and_then(|asked| operation::overriding(asked, &read.spec));
    let mut not_overriding: Option<Str> = None;
    let overriding = overriding.filter(|spec| {
        let mut refuse = |why: String| {
            not_overriding.get_or_insert_with(|| format!("operation.sync.source: {why}").into());
        };
        source::sources(spec, &source::declared(spec), project, &mut refuse);
        not_overriding.is_none()
    });
    let synced_from = overriding.as_ref().unwrap_or(&read.spec);
    let declared = source::declared(synced_from);
    let sources = source::sources(synced_from, &declared, project, &mut |message| findings.invalid(message));
    let cluster = resolve_cluster(&read, project, known_clusters, settings, &mut findings);
    let identity = identity(application, &read, project, cluster.as_ref(), settings, &mut findings);
    let mut policy = policy::policy(&read.spec, &mut findings);
    match application.annotation(STRICT_ANNOTATION).map(str::parse) {
        Some(Ok(strict)) => policy.apply.strict = strict,
        Some(Err(why)) => findings.invalid(format!("annotation {STRICT_ANNOTATION} {why}")),
        None => {}
    }
    match application.annotation(HELM_HOOKS_ANNOTATION) {
        Some("events") => policy.hooks.by_event = true,
        Some("phases") | None => {}
        Some(other) => findings.invalid(format!(
            "annotation {HELM_HOOKS_ANNOTATION} must be events or phases, this is {other:?}"
        )),
    }
    policy.hooks.when_healing = application.annotation(HOOK_WHEN_HEALING_ANNOTATION) == Some("true");
    let asked = read.operation.as_deref().map(|asked| operation::request(asked, &read.spec, &mut findings));
    let asked = asked.map(|asked| {
        asked.map(|mut request| {
            if let Some(own) = &mut request.policy {
                own.apply.strict = policy.apply.strict;
                own.hooks = policy.hooks;
            }
            request
        })
    });
    if let Some(options) = application.annotation(COMPARE_OPTIONS_ANNOTATION) {
        for option in options.split(',').map(str::trim).filter(|option| !COMPARED_SO.contains(option)) {
            let message =
                format!("option {option} in annotation {COMPARE_OPTIONS_ANNOTATION} is not acted on yet");
            findings.0.push(Diagnostic::new(DiagnosticKind::Unsupported, message));
        }
    }
    let (request, refused) = match asked {
        Some(Ok(_)) if not_overriding.is_some() => (None, not_overriding),
        Some(Ok(request)) => (Some(request), None),
        Some(Err(why)) => (None, Some(why)),
        None => (None, None),
    };
    let phase = read.status.operation_state.as_deref().map(|state| state.phase.as_str());
    Lowered {
        unit: Unit {
            id: UnitId(application.object_ref()),
            sources,
            target: TargetSpec {
                cluster: cluster.as_ref().map_or(ClusterRef::Local, Cluster::reference),
                name: cluster.as_ref().map(|cluster| cluster.name.clone()).unwrap_or_default(),
                namespace: read.spec.destination.namespace.clone(),
                identity,
            },
            ownership: Ownership {
                field_manager: FIELD_MANAGER.into(),
                former_managers: former_managers(application, &read.spec),
                instance: settings.instance(application.namespace(), application.name()),
                tracking: settings.tracking(),
                installation: Some(settings.installation()),
            },
            policy,
            comparing: comparing(&read.spec, settings),
            depends_on: depends_on::depends_on(application, &mut findings),
            health_checks: health_checks::health_checks(application, &mut findings),
            windows: project
                .map(|project| project.windows_for(application.name(), &read.spec.destination))
                .unwrap_or_default(),
            diagnostics: findings.0,
        },
        sources: declared.clone().into_owned().into(),
        overriding: overriding.is_some(),
        request,
        refused,
        terminate: phase == Some(OperationPhase::Terminating.as_str()),
        refresh: application.annotation(REFRESH_ANNOTATIONS[0]).map(|how| match how {
            "hard" => Refresh::Hard,
            _ => Refresh::Normal,
        }),
        paused: application.annotation(SKIP_RECONCILE_ANNOTATION) == Some("true"),
        deletion: Deletion::of(application, read.spec.sync_policy.as_deref()),
        approved: deletion::approved(application),
        cluster,
        permissions: project.map(|project| project.permissions.clone()).unwrap_or_default(),
        orphans: project.and_then(|project| project.orphans.clone()),
        permitted_sources: project.map(|project| project.sources().clone()).unwrap_or_default(),
        kustomize_build_options: settings.kustomize_build_options.clone(),
        controller_namespace: settings.control_plane_namespace.clone(),
    }
}

/// Whose fields are taken over: those that Argo CD takes over (`sync.go` of 3.6), and those that Argo CD itself
/// applied without `ServerSideApply`.
fn former_managers(application: &Object, spec: &ApplicationSpec) -> Box<[Str]> {
    let options = spec.sync_policy.as_deref().map(|policy| &*policy.sync_options).unwrap_or_default();
    if options.iter().any(|option| option == policy::NO_MIGRATION) {
        return Box::default();
    }
    let named = application.annotation(MIGRATION_MANAGER_ANNOTATION).filter(|name| !name.is_empty());
    [named.unwrap_or(KUBECTL_APPLY).into(), FIELD_MANAGER.into()].into()
}

/// What does not count when objects are compared: the Application's own rules, and those of the control plane.
fn comparing(spec: &ApplicationSpec, settings: &Settings) -> Comparing {
    let rules = spec.ignore_differences.iter().map(|rule| IgnoreRule {
        group: rule.group.clone(),
        kind: rule.kind.clone(),
        name: rule.name.clone(),
        namespace: rule.namespace.clone(),
        pointers: rule.json_pointers.clone(),
        expressions: rule.jq_path_expressions.clone(),
        managers: rule.managed_fields_managers.clone(),
    });
    Comparing { rules: rules.collect(), system: settings.comparing.clone() }
}

fn check_namespace(application: &Object, project: &Project, settings: &Settings, findings: &mut Findings) {
    let (name, namespace) = (application.name(), application.namespace());
    if namespace.is_empty() || namespace == settings.control_plane_namespace {
        return;
    }
    if !project::in_list(&settings.application_namespaces, namespace) {
        findings.invalid(format!(
            "applications in namespace '{namespace}' are not enabled by application.namespaces"
        ));
    } else if !project.permits_namespace(namespace) {
        findings.invalid(format!(
            "application '{name}' in namespace '{namespace}' is not allowed to use project {}",
            project.name
        ));
    }
}

/// As whom its objects are written.
fn identity(
    application: &Object,
    read: &Application,
    project: Option<&Project>,
    cluster: Option<&Cluster>,
    settings: &Settings,
    findings: &mut Findings,
) -> Identity {
    if settings.impersonation == Impersonation::Off {
        return Identity::Engine;
    }
    // Whoever has no project or no cluster is told so already.
    let (Some(project), Some(cluster)) = (project, cluster) else { return Identity::Nobody };
    let namespace = &read.spec.destination.namespace;
    match project.account_for(&cluster.server, namespace, application.namespace()) {
        Ok(Some(user)) => Identity::User(user),
        Ok(None) if settings.impersonation == Impersonation::WhereNamed => Identity::Engine,
        Ok(None) => {
            findings.invalid(format!(
                "no matching service account found for destination server {} and namespace {namespace}: name one in \
                 destinationServiceAccounts of project {}",
                cluster.server, project.name
            ));
            Identity::Nobody
        }
        Err(why) => {
            findings.invalid(format!("failed to derive service account to impersonate: {why}"));
            Identity::Nobody
        }
    }
}

fn resolve_cluster(
    read: &Application,
    project: Option<&Project>,
    known: &[Cluster],
    settings: &Settings,
    findings: &mut Findings,
) -> Option<Cluster> {
    let destination = &read.spec.destination;
    match cluster::resolve(destination, known, settings) {
        Ok(cluster) => {
            let permitted = project.map(|project| {
                project.permits_cluster(&cluster, &destination.namespace, !destination.name.is_empty())
            });
            if let Some(Err(why)) = permitted {
                findings.invalid(why);
            }
            Some(cluster)
        }
        Err(why) => {
            findings.invalid(why);
            None
        }
    }
}

/// What an operation that stands in a status asks for; `None` when it cannot be carried out.
pub(crate) fn request_of(operation: &Operation, spec: &ApplicationSpec) -> Option<SyncRequest> {
    operation::request(operation, spec, &mut Findings(Vec::new())).ok()
}

/// What lowering has to say, in the order it was found.
struct Findings(Vec<Diagnostic>);

impl Findings {
    fn invalid(&mut self, message: impl Into<Str>) {
        self.0.push(Diagnostic::new(DiagnosticKind::InvalidSpec, message));
    }
}

impl policy::Findings for Findings {
    fn refuse(&mut self, message: String) {
        self.invalid(message);
    }

    fn ignore(&mut self, message: String) {
        self.0.push(Diagnostic::new(DiagnosticKind::Unsupported, message));
    }
}
