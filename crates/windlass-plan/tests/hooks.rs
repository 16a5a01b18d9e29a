//! Plans with hooks as text transcripts, and how annotations make them.
#![expect(clippy::unwrap_used, reason = "the helpers of a test")]

mod support;

use support::{live, object, planned_with_hooks, shown, unit};
use windlass_kube::{Object, Value, value};
use windlass_model::{Generation, LiveRecord, Phase, Time};
use windlass_plan::{Marks, Treatment, check, failure_plan, hook_name, termination_plan};

fn hook(name: &str, wave: &str, phases: &str) -> Object {
    let mut object = object("Job", name, wave);
    object.set_at(&["metadata", "annotations", "argocd.argoproj.io/hook"], phases);
    object
}

fn with_policy(mut object: Object, policy: &str) -> Object {
    object.set_at(&["metadata", "annotations", "argocd.argoproj.io/hook-delete-policy"], policy);
    object
}

fn left_over(name: &str) -> LiveRecord {
    LiveRecord { hook: true, ..live("Job", name) }
}

#[test]
fn phases_go_in_order_and_wait_for_hooks_and_health() {
    let objects = [
        hook("migrate", "", "PreSync"),
        hook("seed", "1", "PreSync"),
        object("ConfigMap", "settings", ""),
        with_policy(hook("smoke", "", "PostSync"), "HookSucceeded"),
        with_policy(hook("page", "", "SyncFail"), "HookSucceeded"),
    ];
    assert_eq!(
        shown(&planned_with_hooks(&objects, &[], false)),
        "PreSync wave 0 after []\n  \
           run Job shop/migrate: a PreSync hook\n\
         PreSync wave 1 after [] hooks [Job shop/migrate]\n  \
           run Job shop/seed: a PreSync hook\n\
         wave 0 after [] hooks [Job shop/migrate, Job shop/seed]\n  \
           apply ConfigMap shop/settings: declared, and not in the cluster\n\
         PostSync wave 0 after [ConfigMap shop/settings] hooks [Job shop/migrate, Job shop/seed]\n  \
           run Job shop/smoke: a PostSync hook\n\
         PostSync wave 1 after [] hooks [Job shop/migrate, Job shop/seed, Job shop/smoke]\n  \
           delete hook Job shop/smoke: a hook that has ended\n\
         on failure:\n\
         SyncFail wave 0 after []\n  \
           run Job shop/page: a SyncFail hook\n\
         verified first\n"
    );
}

#[test]
fn a_hook_of_an_earlier_sync_is_gone_before_it_is_created_again() {
    let objects = [hook("migrate", "", "PreSync"), with_policy(hook("kept", "", "PreSync"), "HookFailed")];
    assert_eq!(
        shown(&planned_with_hooks(&objects, &[left_over("migrate"), left_over("kept")], false)),
        "PreSync wave 0 after []\n  \
           delete hook Job shop/migrate: a hook that is created anew\n\
         PreSync wave 0 after [] gone [Job shop/migrate]\n  \
           run Job shop/kept: a PreSync hook\n  \
           run Job shop/migrate: a PreSync hook\n\
         PreSync wave 1 after [] hooks [Job shop/kept, Job shop/migrate]\n\
         verified first\n"
    );
}

#[test]
fn a_hook_of_two_phases_is_created_twice() {
    assert_eq!(
        shown(&planned_with_hooks(&[hook("check", "", "PreSync, PostSync")], &[], false)),
        "PreSync wave 0 after []\n  \
           run Job shop/check: a PreSync hook\n\
         PostSync wave 0 after [] hooks [Job shop/check]\n  \
           delete hook Job shop/check: a hook that is created anew\n\
         PostSync wave 0 after [] hooks [Job shop/check] gone [Job shop/check]\n  \
           run Job shop/check: a PostSync hook\n\
         PostSync wave 1 after [] hooks [Job shop/check]\n\
         verified first\n"
    );
}

#[test]
fn what_a_process_before_began_goes_on() {
    let objects = [hook("migrate", "", "PreSync"), object("ConfigMap", "settings", "")];
    let fresh = planned_with_hooks(&objects, &[], false);
    let step = fresh.steps().find(|step| step.key.name == "migrate").unwrap();
    let windlass_model::Action::RunHook { digest, object: step_object, .. } = &step.action else {
        panic!("it is a hook")
    };
    let begun = LiveRecord {
        key: step.key.clone(),
        owned: Some(*digest),
        added: None,
        begun: step_object.annotation("windlass.dev/hook-attempt").unwrap().into(),
        ..left_over("migrate")
    };
    // It is waited for, and not applied once more. No clock is asked: the server's may be behind.
    let goes_on = shown(&planned_with_hooks(&objects, std::slice::from_ref(&begun), true));
    assert_eq!(
        goes_on,
        "PreSync wave 0 after []\n  \
           await Job shop/migrate: a PreSync hook that runs already\n\
         wave 0 after [] hooks [Job shop/migrate]\n  \
           apply ConfigMap shop/settings: declared, and not in the cluster\n\
         wave 1 after [] hooks [Job shop/migrate]\n\
         verified first\n"
    );
    // One that does not say who began it goes by the time it was made.
    let said = |begun_at: &str| LiveRecord { begun: begun_at.into(), ..begun.clone() };
    assert_eq!(shown(&planned_with_hooks(&objects, &[said("2023-11-14T22:13:21Z")], true)), goes_on);
    for other in ["2023-11-14T22:13:19Z", "0123456-1699999999", "abcdef0-1700000000", ""] {
        let anew = shown(&planned_with_hooks(&objects, &[said(other)], true));
        assert!(
            anew.contains("delete hook Job shop/migrate") && anew.contains("  run Job shop/migrate"),
            "{other}: {anew}"
        );
    }
}

#[test]
fn a_hook_without_a_name_gets_one_for_each_attempt() {
    let mut generated = hook("", "", "PostSync");
    generated.remove_at(&["metadata", "name"]);
    generated.set_at(&["metadata", "generateName"], "smoke-");
    let plan = planned_with_hooks(&[generated.clone(), generated], &[], false);
    let step = plan.steps().find(|step| step.hook().is_some()).unwrap();
    assert_eq!(step.key.name, "smoke-0123456-postsync-1700000000");
    let windlass_model::Action::RunHook { object, .. } = &step.action else { panic!("it is a hook") };
    assert_eq!(
        object.annotation("argocd.argoproj.io/tracking-id"),
        Some("shop:/Job:shop/smoke-0123456-postsync-1700000000")
    );
    assert_eq!(hook_name("a-", "1.2", Phase::SyncFail, Time::from_unix(7)), "a-1.2-syncfail-7");
}

#[test]
fn a_namespace_moves_up_to_the_hook_inside_it() {
    let objects = [hook("migrate", "-1", "PreSync"), object("Namespace", "shop", "2")];
    assert_eq!(
        shown(&planned_with_hooks(&objects, &[], false)),
        "PreSync wave -1 after []\n  \
           apply Namespace shop: declared, and not in the cluster\n  \
           run Job shop/migrate: a PreSync hook\n\
         PreSync wave 0 after [] hooks [Job shop/migrate]\n\
         verified first\n"
    );
}

#[test]
fn a_failure_deletes_hooks_by_policy_and_runs_those_for_failures() {
    let objects = [
        with_policy(hook("migrate", "", "PreSync"), "HookFailed"),
        with_policy(hook("smoke", "", "PostSync"), "HookFailed"),
        with_policy(hook("page", "", "SyncFail"), "HookSucceeded"),
    ];
    let plan = planned_with_hooks(&objects, &[], false);
    let failure = failure_plan(&plan, 1, Generation(2));
    assert_eq!(
        shown(&failure),
        "SyncFail wave -2147483648 after []\n  \
           delete hook Job shop/migrate: a hook that has ended\n\
         SyncFail wave 0 after []\n  \
           run Job shop/page: a SyncFail hook\n\
         SyncFail wave 1 after [] hooks [Job shop/page]\n  \
           delete hook Job shop/page: a hook that has ended\n"
    );
    assert_eq!(check(&unit(), &failure), []);
    let running = [plan.waves[0].steps[0].key.clone()];
    assert_eq!(
        shown(&termination_plan(&plan, &running, Generation(2))),
        "wave 0 after []\n  \
           delete hook Job shop/migrate: a hook that has ended\n\
         wave 1 after [] gone [Job shop/migrate]\n"
    );
}

/// What Argo CD 3.6 answers (`hook.Types`, `hook.IsHook`, `hook.DeletePolicies`, `isHookOfType`), recorded by
/// `tools/oracle-argo/hooks`.
#[test]
fn annotations_make_hooks_as_in_argo_cd() {
    let mut n_asked = 0;
    for line in include_str!("data/hooks.jsonl").lines().skip(1) {
        let line: Value = serde_json::from_str(line).unwrap();
        let mut object = object("Job", "a", "");
        for key in [
            "argocd.argoproj.io/hook",
            "helm.sh/hook",
            "argocd.argoproj.io/hook-delete-policy",
            "helm.sh/hook-delete-policy",
        ] {
            if let Some(text) = line.str_at(&["annotations", key]) {
                object.set_at(&["metadata", "annotations", key], text);
            }
        }
        let said = match Marks::ARGO.treatment_of(&object) {
            Treatment::Member => "member".to_owned(),
            Treatment::Skipped => "skipped".to_owned(),
            // Left alone by a sync, and a hook of the deletion.
            Treatment::Hook { phases, .. }
                if object.annotation("argocd.argoproj.io/hook") == Some("Skip")
                    && phases.iter().all(|phase| *phase >= Phase::PreDelete) =>
            {
                "skipped".to_owned()
            }
            Treatment::Hook { phases, role } => {
                // The phases of deletion are another part of Argo CD's business.
                let phases: Vec<&str> = phases
                    .iter()
                    .filter(|phase| **phase < Phase::PreDelete)
                    .map(|phase| phase.as_str())
                    .collect();
                let mut policies = Vec::new();
                for (is_set, name) in [
                    (role.delete.before_creation, "BeforeHookCreation"),
                    (role.delete.failed, "HookFailed"),
                    (role.delete.succeeded, "HookSucceeded"),
                ] {
                    if is_set {
                        policies.push(name);
                    }
                }
                format!("hook {} delete {}", phases.join(","), policies.join(","))
            }
        };
        assert_eq!(Some(said.as_str()), line.str_at(&["answer"]), "{line:?}");
        n_asked += 1;
    }
    assert!(n_asked > 100, "{n_asked} questions");
}

#[test]
fn options_are_read_wherever_they_stand_in_the_list() {
    let mut object = object("ConfigMap", "a", "");
    object
        .set_at(&["metadata", "annotations", "argocd.argoproj.io/compare-options"], "A=b, IgnoreExtraneous");
    object.set_at(
        &["metadata", "annotations", "argocd.argoproj.io/sync-options"],
        "Prune=confirm,Delete=false, SkipDryRunOnMissingResource=true ,Force=true",
    );
    let options = Marks::ARGO.options_of(&object);
    assert!(options.uncounted && options.keep_on_delete && !options.keep_on_prune && !options.confirm_delete);
    assert_eq!(options.confirm_prune, Some(true));
    assert!(options.apply.kind_may_be_missing && options.apply.force && !options.apply.replace);
}

/// Which hooks run, and in which phases, for each occasion.
#[test]
fn hooks_run_on_the_occasions_that_they_and_the_policy_name() {
    use windlass_model::HookPolicy;
    use windlass_plan::{HelmEvent, Occasion, on_occasion};
    let hook = |annotations: Value| {
        let mut job = object("Job", "hook", "");
        let mut made = support::desired(std::slice::from_ref(&job)).remove(0);
        job.set_at(&["metadata", "annotations"], annotations);
        made.object = std::sync::Arc::new(job);
        windlass_model::DesiredHook {
            desired: made,
            phases: [Phase::PreSync, Phase::PostSync].into(),
            role: windlass_model::HookRole::default(),
        }
    };
    let ran = |annotations: Value, event: HelmEvent, heals: bool, by_event: bool, when_healing: bool| {
        let policy = HookPolicy { by_event, when_healing };
        let found = on_occasion(&hook(annotations), Occasion { event, heals }, policy, &Marks::ARGO);
        found.map(|hook| hook.phases.iter().map(|phase| phase.as_str()).collect::<Vec<_>>().join(" "))
    };
    let both = Some("PreSync PostSync".to_owned());
    let helm = || value!({"helm.sh/hook": "pre-install, post-upgrade,post-rollback"});
    let own = || value!({"argocd.argoproj.io/hook": "PreSync,PostSync", "helm.sh/hook": "pre-install"});
    assert_eq!(ran(helm(), HelmEvent::Upgrade, false, false, false), both);
    assert_eq!(ran(helm(), HelmEvent::Install, false, true, false).as_deref(), Some("PreSync"));
    assert_eq!(ran(helm(), HelmEvent::Upgrade, false, true, false).as_deref(), Some("PostSync"));
    assert_eq!(ran(helm(), HelmEvent::Rollback, false, true, false).as_deref(), Some("PostSync"));
    assert_eq!(ran(value!({"helm.sh/hook": "pre-install"}), HelmEvent::Upgrade, false, true, false), None);
    assert_eq!(ran(own(), HelmEvent::Upgrade, false, true, false), both);
    assert_eq!(ran(own(), HelmEvent::Upgrade, true, false, false), None);
    assert_eq!(ran(own(), HelmEvent::Upgrade, true, false, true), both);
    let asks = value!({"argocd.argoproj.io/hook": "PreSync", "windlass.dev/hook-when-healing": "true"});
    assert_eq!(ran(asks, HelmEvent::Upgrade, true, false, false), both);
}
