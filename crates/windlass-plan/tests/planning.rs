//! Plans of small Units as text, and properties that hold of every plan.
#![expect(clippy::unwrap_used, reason = "the helpers of a test")]

mod support;

use std::sync::Arc;

use proptest::prelude::*;
use support::{desired, live, object, scope, shown, unit};
use windlass_kube::{Object, Value};
use windlass_model::{
    Action, CountedStatus, Digest, Generation, LiveRecord, Manifest, Origin, Permissions, Plan, Propagation,
    Receipt, Selection, SystemComparing,
};
use windlass_plan::{
    Comparison, HookInput, Marks, PlanInput, check, compare, owned_form, plan, plan_deletion, prepare,
};

/// Plans `objects` as missing, beside `extra` live ones, and checks the plan.
fn planned(objects: &[Object], extra: &[LiveRecord], prune: bool, namespace: bool) -> Plan {
    let unit = unit();
    let desired: Vec<_> =
        desired(objects).into_iter().map(|desired| (desired, Comparison::Missing)).collect();
    let extra: Vec<&LiveRecord> = extra.iter().collect();
    let namespace = namespace.then(|| Arc::new(object("Namespace", "shop", "")));
    let made = plan(&PlanInput {
        unit: &unit,
        generation: Generation(1),
        desired: &desired,
        extra: &extra,
        prune,
        selection: &[],
        namespace,
        hooks: HookInput::NONE,
    });
    assert_eq!(check(&unit, &made), []);
    made
}

#[test]
fn one_wave_goes_by_kind_with_the_namespace_first() {
    let plan = planned(&[object("Service", "a", ""), object("ConfigMap", "b", "")], &[], true, true);
    assert_eq!(
        shown(&plan),
        "wave 0 after []\n  \
           ensure Namespace shop: the target namespace must exist first\n  \
           apply ConfigMap shop/b: declared, and not in the cluster\n  \
           apply Service shop/a: declared, and not in the cluster\n"
    );
}

#[test]
fn waves_wait_for_those_before_and_prunes_for_everything() {
    let objects = [object("ConfigMap", "late", "5"), object("ConfigMap", "early", "-1")];
    let plan = planned(&objects, &[live("ConfigMap", "old"), live("Service", "old")], true, false);
    assert_eq!(
        shown(&plan),
        "wave -1 after []\n  \
           apply ConfigMap shop/early: declared, and not in the cluster\n\
         wave 5 after [ConfigMap shop/early]\n  \
           apply ConfigMap shop/late: declared, and not in the cluster\n\
         wave 6 after [ConfigMap shop/early, ConfigMap shop/late]\n  \
           delete Service shop/old: no longer declared\n  \
           delete ConfigMap shop/old: no longer declared\n\
         verified first\n"
    );
}

#[test]
fn what_must_stay_is_skipped_with_the_reason() {
    let kept = LiveRecord { keep_on_prune: true, ..live("ConfigMap", "kept") };
    assert_eq!(
        shown(&planned(&[], &[kept], true, false)),
        "wave 0 after []\n  skip ConfigMap shop/kept: no longer declared, and marked to be kept\n"
    );
    assert_eq!(
        shown(&planned(&[], &[live("ConfigMap", "old")], false, false)),
        "wave 0 after []\n  skip ConfigMap shop/old: no longer declared, and pruning is off\n"
    );
}

#[test]
fn a_custom_resource_waits_for_its_definition() {
    let objects = [object("Widget", "w", ""), object("CustomResourceDefinition", "widgets.example.org", "")];
    let plan = planned(&objects, &[], true, false);
    assert_eq!(
        shown(&plan),
        "wave 0 after []\n  \
           apply CustomResourceDefinition widgets.example.org: declared, and not in the cluster\n\
         wave 0 after [CustomResourceDefinition widgets.example.org]\n  \
           apply Widget.example.org w: declared, and not in the cluster\n\
         verified first\n"
    );
}

#[test]
fn what_others_need_moves_up_to_their_wave() {
    let objects = [
        object("Widget", "w", "-2"),
        object("CustomResourceDefinition", "widgets.example.org", "3"),
        object("ConfigMap", "a", "-3"),
        object("Namespace", "shop", "1"),
    ];
    let plan = planned(&objects, &[], true, false);
    assert_eq!(
        shown(&plan),
        "wave -3 after []\n  \
           apply Namespace shop: declared, and not in the cluster\n  \
           apply ConfigMap shop/a: declared, and not in the cluster\n\
         wave -2 after [ConfigMap shop/a]\n  \
           apply CustomResourceDefinition widgets.example.org: declared, and not in the cluster\n\
         wave -2 after [ConfigMap shop/a, CustomResourceDefinition widgets.example.org]\n  \
           apply Widget.example.org w: declared, and not in the cluster\n\
         verified first\n"
    );
}

#[test]
fn a_selection_leaves_the_rest_alone() {
    let unit = unit();
    let desired: Vec<_> = desired(&[object("ConfigMap", "a", ""), object("ConfigMap", "b", "")])
        .into_iter()
        .map(|desired| (desired, Comparison::Missing))
        .collect();
    let selection = [Selection {
        kind: windlass_kube::GroupKind::new("", "ConfigMap"),
        namespace: "".into(),
        name: "b".into(),
    }];
    let old = live("ConfigMap", "old");
    let made = plan(&PlanInput {
        unit: &unit,
        generation: Generation(1),
        desired: &desired,
        extra: &[&old],
        prune: true,
        selection: &selection,
        namespace: None,
        hooks: HookInput::NONE,
    });
    assert_eq!(shown(&made), "wave 0 after []\n  apply ConfigMap shop/b: declared, and not in the cluster\n");
}

#[test]
fn deleting_a_unit_leaves_what_asks_to_be_kept() {
    let kept = LiveRecord { keep_on_delete: true, ..live("ConfigMap", "kept") };
    let gone = LiveRecord { terminating: true, ..live("ConfigMap", "going") };
    let (map, service) = (live("ConfigMap", "a"), live("Service", "b"));
    let plan =
        plan_deletion(&unit(), Generation(1), &[&kept, &gone, &map, &service], Propagation::Background);
    assert_eq!(
        shown(&plan),
        "wave 0 after []\n  \
           delete Service shop/b: its Unit is being deleted\n  \
           delete ConfigMap shop/a: its Unit is being deleted\n"
    );
    assert_eq!(check(&unit(), &plan), []);
}

#[test]
fn comparing_needs_no_call_where_a_receipt_or_the_fields_prove_it() {
    let object = object("ConfigMap", "a", "");
    let desired = Digest::of_value(&owned_form(&object, false));
    let other = Digest::of_bytes(b"normalised by the server");
    let as_applied = LiveRecord { owned: Some(desired), ..live("ConfigMap", "a") };
    let normalised = LiveRecord { owned: Some(other), ..live("ConfigMap", "a") };
    let receipt = Receipt { desired, owned: other };
    assert_eq!(compare(desired, None, None), Comparison::Missing);
    assert_eq!(compare(desired, Some(&as_applied), None), Comparison::InSync);
    assert_eq!(compare(desired, Some(&normalised), None), Comparison::Unverified);
    assert_eq!(compare(desired, Some(&normalised), Some(&receipt)), Comparison::InSync);
    let drifted = LiveRecord { owned: Some(Digest::of_bytes(b"drift")), ..live("ConfigMap", "a") };
    assert_eq!(compare(desired, Some(&drifted), Some(&receipt)), Comparison::Drifted);
    let changed = Digest::of_bytes(b"a new commit");
    assert_eq!(compare(changed, Some(&normalised), Some(&receipt)), Comparison::Changed);
    let unowned = LiveRecord { owned: None, ..live("ConfigMap", "a") };
    assert_eq!(compare(desired, Some(&unowned), None), Comparison::Unowned);
}

/// A status that counts is applied and compared with what is owned; any other is no part of what is declared.
#[test]
fn a_declared_status_is_kept_where_it_counts() {
    let mut object = object("ConfigMap", "a", "");
    object.set_at(&["status", "phase"], "Ready");
    let manifests = [Manifest { object, origin: Origin { file: "a.yaml".into(), line: 1 } }];
    let prepared = |status| {
        let mut unit = unit();
        unit.comparing.system = Arc::new(SystemComparing { status, ..SystemComparing::default() });
        let permissions = Permissions::everything("default");
        prepare(&unit, &permissions, &manifests, scope, &Marks::ARGO).desired.remove(0)
    };
    let (left_out, counted) = (prepared(CountedStatus::None), prepared(CountedStatus::All));
    assert_eq!(left_out.object.at(&["status"]), None);
    assert_eq!(counted.object.str_at(&["status", "phase"]), "Ready");
    assert_ne!(left_out.digest, counted.digest);
}

#[test]
fn the_owned_form_drops_what_is_never_owned() {
    let mut object = object("ConfigMap", "a", "");
    object.set_at(&["metadata", "namespace"], "shop");
    object.set_at(&["metadata", "labels", "x"], "y");
    object.set_at(&["data", "gone"], Value::Null);
    object.set_at(&["data", "kept"], "1");
    object.set_at(&["status", "phase"], "Active");
    assert_eq!(
        format!("{:?}", owned_form(&object, false)),
        r#"{"data":{"kept":"1"},"metadata":{"labels":{"x":"y"}}}"#
    );
}

#[test]
fn what_cannot_be_prepared_is_named_and_the_rest_goes_on() {
    let mut generated = object("Job", "", "");
    generated.remove_at(&["metadata", "name"]);
    generated.set_at(&["metadata", "generateName"], "job-");
    let objects = [object("ConfigMap", "a", "one"), generated, object("ConfigMap", "a", "")];
    let manifests: Vec<Manifest> = objects
        .into_iter()
        .zip(1..)
        .map(|(object, line)| Manifest { object, origin: Origin { file: "a.yaml".into(), line } })
        .collect();
    let prepared = prepare(&unit(), &Permissions::everything("default"), &manifests, scope, &Marks::ARGO);
    let said: Vec<String> = prepared.diagnostics.iter().map(ToString::to_string).collect();
    assert_eq!(
        said,
        [
            "a.yaml:1: ConfigMap a: its wave \"one\" is no integer; 0 is used",
            "a.yaml:2: Job job-: has generateName and no name: only hooks can be made anew each time",
            "a.yaml:1: ConfigMap shop/a: is declared more than once, last at a.yaml:3",
        ]
    );
    assert_eq!(prepared.desired.len(), 1);
    assert_eq!(
        prepared.desired[0].object.annotation("argocd.argoproj.io/tracking-id"),
        Some("shop:/ConfigMap:shop/a")
    );
}

#[test]
fn a_project_that_forbids_a_kind_is_obeyed() {
    let permissions = Permissions { cluster_allow: Box::default(), ..Permissions::everything("tenant") };
    let manifests = [Manifest {
        object: object("Namespace", "x", ""),
        origin: Origin { file: "n.yaml".into(), line: 1 },
    }];
    let prepared = prepare(&unit(), &permissions, &manifests, scope, &Marks::ARGO);
    assert!(prepared.desired.is_empty());
    assert!(prepared.diagnostics[0].to_string().contains("tenant"), "{}", prepared.diagnostics[0]);
}

proptest! {
    /// Whatever is declared, live and allowed, the checker finds nothing wrong with the plan, and planning is a
    /// function of its input.
    #[test]
    fn every_plan_is_sound(
        declared in proptest::collection::vec((0..6usize, 0..8u8, -2..3i32, 0..6usize), 0..24),
        undeclared in proptest::collection::vec((0..6usize, 8..12u8, any::<bool>()), 0..12),
        prune in any::<bool>(),
        never_prune in any::<bool>(),
        namespace in any::<bool>(),
    ) {
        const KINDS: [&str; 6] = ["ConfigMap", "Service", "Pod", "Widget", "CustomResourceDefinition", "Secret"];
        const STATES: [Comparison; 6] = [
            Comparison::InSync, Comparison::Missing, Comparison::Changed, Comparison::Drifted,
            Comparison::Unowned, Comparison::Unverified,
        ];
        let mut unit = unit();
        unit.policy.never_prune = never_prune;
        let mut names = std::collections::HashSet::new();
        let mut desired_states = Vec::new();
        for (kind, name, wave, state) in declared {
            if names.insert((kind, name)) {
                let object = object(KINDS[kind], &format!("n{name}"), &wave.to_string());
                desired_states.push((object, STATES[state]));
            }
        }
        let objects: Vec<Object> = desired_states.iter().map(|(object, _)| object.clone()).collect();
        let desired: Vec<_> =
            desired(&objects).into_iter().zip(desired_states.iter().map(|(_, state)| *state)).collect();
        let mut seen = std::collections::HashSet::new();
        let extra: Vec<LiveRecord> = undeclared
            .into_iter()
            .filter(|(kind, name, _)| seen.insert((*kind, *name)))
            .map(|(kind, name, keep)| LiveRecord { keep_on_prune: keep, ..live(KINDS[kind], &format!("n{name}")) })
            .collect();
        let extra: Vec<&LiveRecord> = extra.iter().collect();
        let input = PlanInput {
            unit: &unit,
            generation: Generation(1),
            desired: &desired,
            extra: &extra,
            prune,
            selection: &[],
            namespace: namespace.then(|| Arc::new(object("Namespace", "shop", ""))),
            hooks: HookInput::NONE,
        };
        let made = plan(&input);
        prop_assert_eq!(check(&unit, &made), vec![]);
        prop_assert_eq!(&plan(&input), &made);
        // Nothing that is out of sync is forgotten, and nothing that is in sync is touched.
        let applied: std::collections::HashSet<_> = made
            .steps()
            .filter(|step| matches!(step.action, Action::Apply { .. }))
            .map(|step| step.key.clone())
            .collect();
        for (desired, state) in &desired {
            prop_assert_eq!(applied.contains(&desired.key), state.needs_apply());
        }
    }
}
