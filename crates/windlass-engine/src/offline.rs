//! What a sync would do, found out from files alone: the same lowering, preparing and planning as in the loop.

mod deletion;

pub use deletion::{OfflineDeletion, OfflineDeletionPlan, deletion_offline, deletion_plan_offline};

use std::sync::Arc;

use windlass_argo::{Lowered, Project, ProjectProblem, Settings, lower, project_name};
use windlass_assess::cel::CelChecks;
use windlass_kube::{Object, ObjectRef, Value, value};
use windlass_model::{
    Automation, Desired, Diagnostic, DiagnosticKind, Generation, LiveRecord, Manifest, Plan, Renderer, Time,
};
use windlass_plan::{
    Comparison, HookInput, Marks, PlanInput, Prepared, WindowVerdict, check, compare, owned_form, plan,
    prepare, window_verdict,
};

use crate::arrival::{Lens, checks};
use crate::own_health::OwnChecks;
use crate::scopes::Scopes;

/// Everything that a plan without a server depends on.
#[derive(Debug, Clone, Copy)]
pub struct OfflineInput<'a> {
    /// The Application, with its `operation` if it has one; without it, an automated one that prunes.
    pub application: Option<&'a Object>,
    /// Its AppProject; without it, everything is permitted.
    pub project: Option<&'a Object>,
    /// What is declared.
    pub manifests: &'a [Manifest],
    /// What is live. Objects without `managedFields` count as in sync where they say all that is declared.
    pub live: &'a [Object],
    /// The revision that is planned for.
    pub revision: &'a str,
    /// The moment the sync begins.
    pub now: Time,
}

/// What a sync would do.
#[derive(Debug, Clone)]
pub struct OfflinePlan {
    /// The steps, in order.
    pub plan: Plan,
    /// Declared objects for which there is nothing to do.
    pub in_sync: Vec<ObjectRef>,
    /// The sync window that would hold it up now.
    pub blocked_by: Option<String>,
    /// What could not be told, and what is worth knowing.
    pub diagnostics: Vec<Diagnostic>,
}

/// Plans a sync without a server.
///
/// Kinds of Kubernetes itself are known, those that a CustomResourceDefinition among the declared or the live objects
/// brings, and those of which an object is live; any other is taken for namespaced.
#[must_use]
pub fn plan_offline(input: &OfflineInput<'_>) -> OfflinePlan {
    let Read { lowered, prepared, live, mut diagnostics, .. } = Read::of(input);
    let unit = &lowered.unit;
    diagnostics.extend(prepared.diagnostics);
    let desired: Vec<(Desired, Comparison)> = prepared
        .desired
        .into_iter()
        .map(|desired| {
            let there = live.iter().find(|(record, _)| record.key == desired.key);
            let comparison = compare_files(&desired, there.map(|(record, object)| (record, *object)));
            (desired, comparison)
        })
        .collect();
    let declared: Vec<&ObjectRef> =
        desired.iter().map(|(desired, _)| &desired.key).chain(&prepared.skipped).collect();
    let extra: Vec<&LiveRecord> = live
        .iter()
        .map(|(record, _)| record)
        .filter(|live| live.instance.as_ref() == Some(&unit.ownership.instance))
        .filter(|live| live.owners.is_empty() && !live.hook && !live.terminating)
        .filter(|live| !declared.contains(&&live.key))
        .collect();
    let live_hooks: Vec<&LiveRecord> = live.iter().map(|(record, _)| record).collect();
    let request = lowered.request.clone();
    let prune = match (&request, unit.policy.automation) {
        (Some(request), _) => request.prune,
        (None, Automation::Automatic { prune, .. }) => prune,
        (None, Automation::Manual) => false,
    };
    let selection = request.as_ref().map(|request| request.selection.clone()).unwrap_or_default();
    let runs_hooks = selection.is_empty() && !request.as_ref().is_some_and(|request| request.skip_hooks);
    let mut planned = unit.clone();
    if let Some(policy) = request.as_ref().and_then(|request| request.policy.as_deref()) {
        planned.policy = policy.clone();
    }
    let plan = plan(&PlanInput {
        unit: &planned,
        generation: Generation(1),
        desired: &desired,
        extra: &extra,
        prune,
        selection: &selection,
        namespace: None,
        hooks: HookInput {
            hooks: if runs_hooks { &prepared.hooks } else { &[] },
            live: &live_hooks,
            revision: input.revision,
            started: input.now,
            resumed: false,
        },
    });
    debug_assert_eq!(check(&planned, &plan), vec![]);
    let verdict = window_verdict(&unit.windows, request.is_some(), None, input.now);
    let in_sync = desired
        .iter()
        .filter(|(_, comparison)| !comparison.needs_apply())
        .map(|(desired, _)| desired.key.clone())
        .collect();
    OfflinePlan {
        plan,
        in_sync,
        blocked_by: match verdict {
            WindowVerdict::Open => None,
            WindowVerdict::Closed { window, .. } => Some(window.to_string()),
        },
        diagnostics,
    }
}

/// Everything that the files say.
struct Read<'a> {
    lowered: Lowered,
    prepared: Prepared,
    live: Vec<(LiveRecord, &'a Object)>,
    lens: Lens,
    diagnostics: Vec<Diagnostic>,
}

impl<'a> Read<'a> {
    fn of(input: &OfflineInput<'a>) -> Self {
        let stand_in;
        let application = match input.application {
            Some(application) => application,
            None => {
                stand_in = stand_in_application();
                &stand_in
            }
        };
        let project = match input.project {
            Some(object) => Ok(Project::parse(object)),
            None if project_name(application) == "default" || input.application.is_some() => {
                Ok(Project::built_in())
            }
            None => Err(ProjectProblem::NotFound(project_name(application).into())),
        };
        let settings =
            Settings { control_plane_namespace: application.namespace().into(), ..Settings::default() };
        let lowered = lower(application, project.as_ref().map_err(Clone::clone), &settings, &[]);
        let unit = &lowered.unit;
        let scopes = Scopes::of(input.live);
        let prepared =
            prepare(unit, &lowered.permissions, input.manifests, |gvk| scopes.scope(gvk), &Marks::ARGO);
        let mut diagnostics = unit.diagnostics.clone();

        let lens = Lens {
            field_manager: unit.ownership.field_manager.clone(),
            tracking: settings.tracking(),
            installation: Some(settings.installation()),
            status: settings.comparing.status,
            marks: Marks::ARGO,
            checks: checks(&settings.customizations),
            own_checks: OwnChecks::default(),
        };
        match CelChecks::of(&unit.health_checks) {
            Ok(own) => drop(lens.own_checks.set(&unit.ownership.instance, Some(&Arc::new(own)))),
            Err(error) => diagnostics.push(Diagnostic::new(DiagnosticKind::InvalidSpec, error.to_string())),
        }
        let live = input.live.iter().map(|object| (record_of_file(&lens, object), object)).collect();
        Read { lowered, prepared, live, lens, diagnostics }
    }
}

fn stand_in_application() -> Object {
    let application = value!({
        "apiVersion": "argoproj.io/v1alpha1", "kind": "Application",
        "metadata": {"name": "plan", "namespace": "argocd"},
        "spec": {
            "project": "default",
            "source": {"repoURL": "https://example.org/repository.git", "path": "."},
            "destination": {"server": "https://kubernetes.default.svc", "namespace": "default"},
            "syncPolicy": {"automated": {"prune": true, "selfHeal": true}},
        },
    });
    Object::try_new(application).expect("it has apiVersion and kind")
}

/// The renderer that an Application names for its first source.
#[must_use]
pub fn renderer_of(application: &Object) -> Renderer {
    let project = Project::built_in();
    let lowered = lower(application, Ok(&project), &Settings::default(), &[]);
    lowered.unit.sources.first().map_or(Renderer::Detect, |source| source.renderer.clone())
}

fn compare_files(desired: &Desired, live: Option<(&LiveRecord, &Object)>) -> Comparison {
    let Some((record, object)) = live else { return Comparison::Missing };
    let has_owners = object.at(&["metadata", "managedFields"]).is_some();
    if has_owners {
        return compare(desired.digest, Some(record), None);
    }
    if is_within(&owned_form(&desired.object, false), &object.to_value()) {
        Comparison::InSync
    } else {
        Comparison::Changed
    }
}

/// What is known of a live object from a file. Whoever wrote it may have left out the uid, by which alone an object
/// that is there is told from a later one of its name; the file's own object is meant.
fn record_of_file(lens: &Lens, object: &Object) -> LiveRecord {
    let mut record = lens.record(object);
    if record.uid.is_empty() {
        record.uid = "of the live file".into();
    }
    record
}

/// Whether `live` says all that `wanted` says.
fn is_within(wanted: &Value, live: &Value) -> bool {
    match (wanted, live) {
        (Value::Object(wanted), Value::Object(live)) => {
            wanted.iter().all(|(key, value)| live.get(key).is_some_and(|there| is_within(value, there)))
        }
        (Value::Array(wanted), Value::Array(live)) => {
            wanted.len() == live.len()
                && wanted.iter().zip(live).all(|(wanted, live)| is_within(wanted, live))
        }
        _ => wanted == live,
    }
}
