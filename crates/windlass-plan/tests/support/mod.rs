//! Small Units, objects and live states, and plans as text.
#![allow(dead_code, reason = "each test file uses some of it")]

use std::fmt::Write as _;
use std::time::Duration;

use windlass_kube::{Gvk, Object, ObjectRef, Str, Value};
use windlass_model::{
    Action, ApplyMode, Automation, Backoff, ClusterRef, Desired, Digest, Generation, HookPolicy, LiveRecord,
    Manifest, NamespacePolicy, Origin, Ownership, Permissions, Plan, Propagation, Retry, SyncPolicy,
    TargetSpec, Time, Tracking, Unit, UnitId, Wave,
};
use windlass_plan::{Comparison, HookInput, Marks, PlanInput, Scope, check, plan, prepare};

pub(crate) fn unit() -> Unit {
    Unit {
        id: UnitId(ObjectRef::new("argoproj.io", "Application", "argocd", "shop")),
        sources: Vec::new(),
        target: TargetSpec {
            cluster: ClusterRef::Local,
            name: "in-cluster".into(),
            namespace: "shop".into(),
            identity: windlass_model::Identity::Engine,
        },
        ownership: Ownership {
            field_manager: "argocd-controller".into(),
            former_managers: ["kubectl-client-side-apply".into()].into(),
            instance: "shop".into(),
            tracking: Tracking::Annotation { key: "argocd.argoproj.io/tracking-id".into() },
            installation: None,
        },
        comparing: windlass_model::Comparing::default(),
        policy: SyncPolicy {
            automation: Automation::Manual,
            retry: Retry {
                limit: None,
                backoff: Backoff {
                    initial: Duration::from_secs(5),
                    factor: 2.0,
                    max: Duration::from_secs(180),
                },
            },
            namespace: NamespacePolicy::default(),
            never_prune: false,
            confirm_prune: false,
            apply: ApplyMode::default(),
            fail_on_shared_object: false,
            respect_ignored: false,
            prune_propagation: Propagation::Foreground,
            history_limit: 10,
            hooks: HookPolicy::default(),
        },
        depends_on: Box::default(),
        health_checks: Box::default(),
        windows: Vec::new(),
        diagnostics: Vec::new(),
    }
}

pub(crate) fn object(kind: &str, name: &str, wave: &str) -> Object {
    let mut value = Value::object();
    value.set_at(&["apiVersion"], if kind == "Widget" { "example.org/v1" } else { "v1" });
    value.set_at(&["kind"], kind);
    value.set_at(&["metadata", "name"], name);
    if !wave.is_empty() {
        value.set_at(&["metadata", "annotations", "argocd.argoproj.io/sync-wave"], wave);
    }
    if kind == "CustomResourceDefinition" {
        value.set_at(&["spec", "group"], "example.org");
        value.set_at(&["spec", "names", "kind"], "Widget");
        value.set_at(&["spec", "scope"], "Cluster");
    }
    Object::try_new(value).unwrap()
}

pub(crate) fn scope(gvk: &Gvk) -> Scope {
    match gvk.kind.as_str() {
        "Namespace" | "CustomResourceDefinition" => Scope::Cluster,
        "Widget" => Scope::Unknown,
        _ => Scope::Namespaced,
    }
}

pub(crate) fn desired(objects: &[Object]) -> Vec<Desired> {
    let manifests: Vec<Manifest> = objects
        .iter()
        .map(|object| Manifest { object: object.clone(), origin: Origin { file: "a.yaml".into(), line: 1 } })
        .collect();
    let prepared = prepare(&unit(), &Permissions::everything("default"), &manifests, scope, &Marks::ARGO);
    assert_eq!(prepared.diagnostics, []);
    prepared.desired
}

pub(crate) fn live(kind: &str, name: &str) -> LiveRecord {
    LiveRecord {
        key: ObjectRef::new("", kind, "shop", name),
        gvk: Gvk::new("", "v1", kind),
        uid: format!("uid-{name}").into(),
        resource_version: "1".into(),
        owners: Box::default(),
        instance: Some("shop".into()),
        owned: Some(Digest::of_bytes(b"something")),
        added: None,
        health: None,
        health_ignored: false,
        terminating: false,
        hook: false,
        held_as_hook: false,
        keep_on_prune: false,
        confirm_prune: None,
        keep_on_delete: false,
        uncounted: false,
        confirm_delete: false,
        images: Box::default(),
        last_writer: None,
        applied: None,
        begun: Str::default(),
    }
}

pub(crate) fn shown(plan: &Plan) -> String {
    let mut text = waves_shown(&plan.waves);
    if !plan.on_failure.is_empty() {
        text.push_str("on failure:\n");
        text.push_str(&waves_shown(&plan.on_failure));
    }
    if plan.verify_first {
        text.push_str("verified first\n");
    }
    text
}

fn waves_shown(waves: &[Wave]) -> String {
    fn list(word: &str, keys: &[ObjectRef]) -> String {
        let keys: Vec<String> = keys.iter().map(ToString::to_string).collect();
        format!("{word} [{}]", keys.join(", "))
    }
    let mut text = String::new();
    for wave in waves {
        let phase = match wave.phase {
            windlass_model::Phase::Sync => String::new(),
            phase => format!("{} ", phase.as_str()),
        };
        let mut gates = vec![list("after", &wave.after_healthy)];
        if !wave.after_hooks.is_empty() {
            gates.push(list("hooks", &wave.after_hooks));
        }
        if !wave.after_gone.is_empty() {
            gates.push(list("gone", &wave.after_gone));
        }
        let _ = writeln!(text, "{phase}wave {} {}", wave.number, gates.join(" "));
        for step in &wave.steps {
            let action = match &step.action {
                Action::Apply { .. } => "apply",
                Action::EnsureNamespace { .. } => "ensure",
                Action::Delete { .. } => "delete",
                Action::RunHook { goes_on: true, .. } => "await",
                Action::RunHook { .. } => "run",
                Action::DeleteHook { .. } => "delete hook",
                Action::Skip => "skip",
            };
            let _ = writeln!(text, "  {action} {}: {}", step.key, step.reason);
        }
    }
    text
}

/// What declares these objects, hooks among them, as missing; beside `live_hooks`.
pub(crate) fn planned_with_hooks(objects: &[Object], live_hooks: &[LiveRecord], resumed: bool) -> Plan {
    let unit = unit();
    let manifests: Vec<Manifest> = objects
        .iter()
        .map(|object| Manifest { object: object.clone(), origin: Origin { file: "a.yaml".into(), line: 1 } })
        .collect();
    let prepared = prepare(&unit, &Permissions::everything("default"), &manifests, scope, &Marks::ARGO);
    let desired: Vec<_> =
        prepared.desired.into_iter().map(|desired| (desired, Comparison::Missing)).collect();
    let live: Vec<&LiveRecord> = live_hooks.iter().collect();
    let made = plan(&PlanInput {
        unit: &unit,
        generation: Generation(1),
        desired: &desired,
        extra: &[],
        prune: true,
        selection: &[],
        namespace: None,
        hooks: HookInput {
            hooks: &prepared.hooks,
            live: &live,
            revision: "0123456789abcdef",
            started: Time::from_unix(1_700_000_000),
            resumed,
        },
    });
    assert_eq!(check(&unit, &made), []);
    made
}
