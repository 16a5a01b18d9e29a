//! Hooks: when they run, what they hold up, and what becomes of them.

use serde_json::{Value, json};
use windlass_testing::{ApiFault, ApiFaults, CommitId, FaultRule, Traffic};

use crate::plane::{Plane, Server, automated, config_map};

/// A Job that waits until a scenario lets it run, with these annotations.
fn waiting_job(name: &str, annotations: &[(&str, &str)]) -> String {
    job(name, annotations, true)
}

fn job(name: &str, annotations: &[(&str, &str)], suspend: bool) -> String {
    let annotations: serde_json::Map<String, Value> =
        annotations.iter().map(|(key, value)| ((*key).to_owned(), json!(value))).collect();
    json!({
        "apiVersion": "batch/v1", "kind": "Job",
        "metadata": {"name": name, "annotations": annotations},
        "spec": {
            "suspend": suspend,
            "backoffLimit": 0,
            "template": {"spec": {
                "restartPolicy": "Never",
                "containers": [{"name": "main", "image": "hook:1"}],
            }},
        },
    })
    .to_string()
}

const HOOK: &str = "argocd.argoproj.io/hook";
const POLICY: &str = "argocd.argoproj.io/hook-delete-policy";

/// Lets a Job run; it completes.
async fn release(plane: &Plane, name: &str) {
    plane.until_exists(&plane.path(&format!("jobs/{name}"))).await;
    plane
        .api
        .merge(&plane.path(&format!("jobs/{name}")), &json!({"spec": {"suspend": false}}))
        .await
        .unwrap();
}

/// Makes a Job a failed one.
async fn fail(plane: &Plane, name: &str) {
    let path = plane.path(&format!("jobs/{name}"));
    plane.until_exists(&path).await;
    let at = "2026-01-01T00:00:00Z";
    let condition = |kind: &str| {
        json!({"type": kind, "status": "True", "reason": "BackoffLimitExceeded", "message": "no luck",
            "lastTransitionTime": at, "lastProbeTime": at})
    };
    let status = json!({"status": {
        "startTime": at, "failed": 1, "conditions": [condition("FailureTarget"), condition("Failed")],
    }});
    plane.api.merge(&format!("{path}/status"), &status).await.unwrap();
}

/// Whether a running sync waits for a hook.
fn waits_for_hook(app: &Value, name: &str) -> bool {
    let state = &app["status"]["operationState"];
    let message = state["message"].as_str().unwrap_or_default();
    state["phase"] == "Running"
        && message.contains("waiting for completion of hook")
        && message.contains(name)
}

/// A commit that declares a ConfigMap, and a Job that has to end before it.
fn commit_with_a_migration(plane: &Plane) -> CommitId {
    let commit = plane.commit().file("deploy/migrate.yaml", waiting_job("migrate", &[(HOOK, "PreSync")]));
    commit.file("deploy/a.yaml", config_map("settings", "1")).submit().unwrap()
}

/// Waits until that Job runs and the sync waits for it; answers the Job's uid.
async fn until_migrating(plane: &Plane) -> Value {
    plane.until_app("the sync to wait for the hook", |app| waits_for_hook(app, "migrate")).await;
    plane.get(&plane.path("jobs/migrate")).await["metadata"]["uid"].clone()
}

/// What the last operation says of a hook in a phase.
fn result<'a>(app: &'a Value, name: &str, phase: &str) -> &'a Value {
    let results = app["status"]["operationState"]["syncResult"]["resources"].as_array();
    results
        .into_iter()
        .flatten()
        .find(|result| result["name"] == name && result["syncPhase"] == phase)
        .unwrap_or(&Value::Null)
}

/// What comes before the sync holds it up, what comes after waits for it, and hooks are no part of what is in sync.
pub(crate) async fn hooks_run_in_their_phases(server: Server) {
    let plane = Plane::start(server).await;
    let commit = plane
        .commit()
        .file("deploy/migrate.yaml", waiting_job("migrate", &[(HOOK, "PreSync")]))
        .file("deploy/a.yaml", config_map("settings", "1"))
        .file("deploy/smoke.yaml", waiting_job("smoke", &[(HOOK, "PostSync"), (POLICY, "HookSucceeded")]))
        .file("deploy/skip.yaml", job("left-alone", &[(HOOK, "Skip")], true))
        .submit()
        .unwrap();
    plane.create_automated_app().await;
    let app = plane.until_app("the sync to wait for the hook", |app| waits_for_hook(app, "migrate")).await;
    assert_eq!(result(&app, "migrate", "PreSync")["hookPhase"], "Running");
    plane.assert_absent(&plane.path("configmaps/settings")).await;
    release(&plane, "migrate").await;
    let app = plane.until_app("the sync to wait for the next", |app| waits_for_hook(app, "smoke")).await;
    assert_eq!(result(&app, "migrate", "PreSync")["hookPhase"], "Succeeded");
    assert_eq!(result(&app, "migrate", "PreSync")["hookType"], "PreSync");
    assert_eq!(result(&app, "settings", "Sync")["hookType"], Value::Null);
    plane.assert_exists(&plane.path("configmaps/settings")).await;
    release(&plane, "smoke").await;
    let app = plane.until_healthy(&commit).await;
    assert_eq!(app["status"]["operationState"]["phase"], "Succeeded");
    assert_eq!(result(&app, "smoke", "PostSync")["hookPhase"], "Succeeded");
    plane.until_gone(&plane.path("jobs/smoke")).await;
    plane.assert_absent(&plane.path("jobs/left-alone")).await;
    let app = plane
        .until_app("the hook that stays to be listed", |app| {
            app["status"]["resources"].as_array().is_some_and(|all| all.iter().any(|one| one["hook"] == true))
        })
        .await;
    let hook = crate::plane::resource(&app, "Job", "migrate");
    assert_eq!((&hook["hook"], &hook["status"]), (&json!(true), &Value::Null));
    plane.until_no_conditions().await;

    // The next sync creates the hook anew.
    let first = plane.get(&plane.path("jobs/migrate")).await["metadata"]["uid"].clone();
    let commit = plane.commit().file("deploy/a.yaml", config_map("settings", "2")).submit().unwrap();
    plane.until(&plane.path("jobs/migrate"), "another Job", |job| job["metadata"]["uid"] != first).await;
    release(&plane, "migrate").await;
    release(&plane, "smoke").await;
    plane.until_healthy(&commit).await;
    assert_eq!(plane.get(&plane.path("configmaps/settings")).await["data"]["value"], "2");
}

/// Drift is undone without hooks.
pub(crate) async fn healing_runs_no_hooks(server: Server) {
    let plane = Plane::start(server).await;
    let commit = plane
        .commit()
        .file("deploy/migrate.yaml", job("migrate", &[(HOOK, "PreSync")], false))
        .file("deploy/a.yaml", config_map("settings", "1"))
        .submit()
        .unwrap();
    plane.create_automated_app().await;
    plane.until_healthy(&commit).await;
    let hook = plane.get(&plane.path("jobs/migrate")).await["metadata"]["uid"].clone();
    let path = plane.path("configmaps/settings");
    plane.api.merge(&path, &json!({"data": {"value": "drift"}})).await.unwrap();
    plane.until(&path, "the drift to be undone", |map| map["data"]["value"] == "1").await;
    plane.until_synced(&commit).await;
    assert_eq!(plane.get(&plane.path("jobs/migrate")).await["metadata"]["uid"], hook);
}

/// A failed hook fails the sync, after the hooks for failures have run; the commit that mends it is taken at once.
pub(crate) async fn failed_hook_runs_those_for_failures(server: Server) {
    let plane = Plane::start(server).await;
    plane
        .commit()
        .file("deploy/migrate.yaml", waiting_job("migrate", &[(HOOK, "PreSync"), (POLICY, "HookFailed")]))
        .file("deploy/a.yaml", config_map("settings", "1"))
        .file("deploy/page.yaml", waiting_job("page", &[(HOOK, "SyncFail")]))
        .submit()
        .unwrap();
    let mut changes = automated();
    changes["spec"]["syncPolicy"]["retry"] = json!({"limit": 5, "backoff": {"duration": "1h"}});
    plane.create_app(changes).await;
    until_migrating(&plane).await;
    fail(&plane, "migrate").await;
    plane.until_app("the hook for failures to run", |app| waits_for_hook(app, "page")).await;
    plane.until_gone(&plane.path("jobs/migrate")).await;
    release(&plane, "page").await;
    let app = plane
        .until_app("the sync to have failed", |app| app["status"]["operationState"]["phase"] == "Failed")
        .await;
    let message = app["status"]["operationState"]["message"].as_str().unwrap();
    assert!(message.contains("completed unsuccessfully") && message.contains("migrate"), "{message}");
    assert_eq!(result(&app, "migrate", "PreSync")["hookPhase"], "Failed");
    assert_eq!(result(&app, "page", "SyncFail")["hookPhase"], "Succeeded");
    plane.assert_absent(&plane.path("configmaps/settings")).await;
    let commit = plane
        .commit()
        .file("deploy/migrate.yaml", job("migrate", &[(HOOK, "PreSync")], false))
        .submit()
        .unwrap();
    plane.until_healthy(&commit).await;
}

/// Whoever ends an operation ends its hooks.
pub(crate) async fn terminating_deletes_running_hooks(server: Server) {
    let plane = Plane::start(server).await;
    commit_with_a_migration(&plane);
    plane.create_app(json!({})).await;
    plane.patch_app(json!({"operation": {"initiatedBy": {"username": "ada"}, "sync": {}}})).await;
    until_migrating(&plane).await;
    plane.patch_app(json!({"status": {"operationState": {"phase": "Terminating"}}})).await;
    let app = plane
        .until_app("the operation to end", |app| app["status"]["operationState"]["phase"] == "Failed")
        .await;
    assert_eq!(app["status"]["operationState"]["message"], "Operation terminated");
    assert_eq!(result(&app, "migrate", "PreSync")["hookPhase"], "Failed");
    plane.until_gone(&plane.path("jobs/migrate")).await;
    plane.assert_absent(&plane.path("configmaps/settings")).await;
}

/// A commit that changes a stuck hook does not wait for it; one that leaves it as it is does.
pub(crate) async fn newer_commit_replaces_a_stuck_hook(server: Server) {
    let plane = Plane::start(server).await;
    commit_with_a_migration(&plane);
    plane.create_automated_app().await;
    let stuck = until_migrating(&plane).await;
    let second = plane.commit().file("deploy/a.yaml", config_map("settings", "2")).submit().unwrap();
    plane
        .until_app("the second commit to be seen", |app| {
            app["status"]["sync"]["revision"] == second.as_str() && waits_for_hook(app, "migrate")
        })
        .await;
    assert_eq!(plane.get(&plane.path("jobs/migrate")).await["metadata"]["uid"], stuck);
    let third = plane
        .commit()
        .file("deploy/migrate.yaml", job("migrate", &[(HOOK, "PreSync")], false))
        .submit()
        .unwrap();
    let app = plane.until_healthy(&third).await;
    assert_ne!(plane.get(&plane.path("jobs/migrate")).await["metadata"]["uid"], stuck);
    assert_eq!(plane.get(&plane.path("configmaps/settings")).await["data"]["value"], "2");
    assert_eq!(app["status"]["history"].as_array().unwrap().len(), 1);
}

/// Helm's hooks are Argo CD's: both kinds of a phase run at every sync, tests never.
pub(crate) async fn helm_hooks_run_as_argo_cd_maps_them(server: Server) {
    let plane = Plane::start(server).await;
    let early = [("helm.sh/hook", "pre-install,pre-upgrade"), ("helm.sh/hook-weight", "-5")];
    let late = [("helm.sh/hook", "post-install"), ("helm.sh/hook-delete-policy", "hook-succeeded")];
    let commit = plane
        .commit()
        .file("deploy/early.yaml", job("early", &early, false))
        .file("deploy/a.yaml", config_map("settings", "1"))
        .file("deploy/late.yaml", job("late", &late, false))
        .file("deploy/test.yaml", job("test", &[("helm.sh/hook", "test")], false))
        .submit()
        .unwrap();
    plane.create_automated_app().await;
    let app = plane.until_healthy(&commit).await;
    assert_eq!(result(&app, "early", "PreSync")["hookPhase"], "Succeeded");
    assert_eq!(result(&app, "late", "PostSync")["hookPhase"], "Succeeded");
    plane.until_gone(&plane.path("jobs/late")).await;
    plane.assert_absent(&plane.path("jobs/test")).await;
    plane.until_no_conditions().await;
}

/// Tests of a chart never run with a sync; `app test` runs them, as `helm test` does, at what was deployed last.
pub(crate) async fn tests_run_when_asked_for(server: Server) {
    const HERE: &str = "--allow-local-repositories";
    let plane = Plane::start(server).await;
    let app = plane.app.as_str();
    let test = |name: &str, weight: &str, policy: &str, suspend: bool| {
        let mut annotations = vec![("helm.sh/hook", "test"), ("helm.sh/hook-weight", weight)];
        annotations.extend((!policy.is_empty()).then_some(("helm.sh/hook-delete-policy", policy)));
        job(name, &annotations, suspend)
    };
    let commit = plane
        .commit()
        .file("deploy/a.yaml", config_map("settings", "1"))
        .file("deploy/connects.yaml", test("connects", "1", "", false))
        .file("deploy/first.yaml", test("first", "-1", "hook-succeeded", false))
        .submit()
        .unwrap();
    plane.create_app(json!({})).await;
    plane.verb(&["test", app, HERE]).exits(1).says(&["nothing was deployed yet", "windlass app sync"]);
    plane.verb(&["sync", app, "--wait", "--timeout=180s"]).exits(0);
    plane.until_healthy(&commit).await;
    plane.assert_absent(&plane.path("jobs/connects")).await;

    let said = plane
        .verb(&["test", app, HERE])
        .exits(0)
        .prints(&["TEST SUITE:     first", "TEST SUITE:     connects", "Phase:          Succeeded"])
        .says(&["Job first: succeeded", "Job connects: running", "Job connects: succeeded"]);
    assert!(said.out.find("first") < said.out.find("connects"), "{}", said.out);
    plane.until_gone(&plane.path("jobs/first")).await;
    let uid = plane.get(&plane.path("jobs/connects")).await["metadata"]["uid"].clone();
    let said = plane.verb(&["test", app, HERE, "--filter=name=connects", "-o", "json"]).exits(0);
    let told: Value = serde_json::from_str(&said.out).unwrap();
    assert_eq!(told["tests"].as_array().map(Vec::len), Some(1), "{told}");
    assert_eq!(told["tests"][0]["phase"], "Succeeded");
    assert_ne!(plane.get(&plane.path("jobs/connects")).await["metadata"]["uid"], uid, "it ran anew");
    plane.verb(&["test", app, HERE, "--filter=name=none"]).exits(0).prints(&["TEST SUITE: None"]);

    // What is not deployed yet is not tested yet; the first that fails ends it.
    plane.commit().file("deploy/stuck.yaml", test("stuck", "0", "hook-failed", true)).submit().unwrap();
    plane.verb(&["get", app, "--refresh"]).exits(0);
    plane.verb(&["test", app, HERE, "--filter=name=stuck"]).exits(0).prints(&["TEST SUITE: None"]);
    plane.verb(&["sync", app, "--timeout=180s"]).exits(0);
    let said = plane
        .verb(&["test", app, HERE, "--timeout=2s", "--filter=!name=first"])
        .exits(1)
        .prints(&["TEST SUITE:     stuck", "Phase:          Failed"])
        .says(&["error: the test Job stuck failed: timed out waiting for its end"]);
    assert!(!said.out.contains("connects"), "{}", said.out);
    plane.until_gone(&plane.path("jobs/stuck")).await;
    plane.until_no_conditions().await;
}

/// A process that takes over in the middle of a sync goes on with the hook that runs.
pub(crate) async fn running_hook_survives_a_restart(server: Server) {
    let mut plane = Plane::builder(server).durable().start().await;
    let commit = commit_with_a_migration(&plane);
    plane.create_automated_app().await;
    let uid = until_migrating(&plane).await;
    plane.kill();
    plane.start_again().await;
    release(&plane, "migrate").await;
    plane.until_healthy(&commit).await;
    let job = plane.get(&plane.path("jobs/migrate")).await;
    assert_eq!(job["metadata"]["uid"], uid);
    // By this it was known for the sync's own: no clock was asked.
    let attempt = job["metadata"]["annotations"]["windlass.dev/hook-attempt"].as_str().unwrap();
    assert!(attempt.starts_with(&commit[..7]), "{attempt}");
}

/// Calls that fail do not make a hook run anew that runs already, whether it was begun by this process or by the one
/// before; and who changed it meanwhile is not overruled.
pub(crate) async fn running_hook_survives_calls_that_fail(server: Server) {
    let faults = ApiFaults::new(1);
    let mut plane = Plane::builder(server).durable().faults(&faults).start().await;
    let commit = commit_with_a_migration(&plane);
    let mut changes = automated();
    changes["spec"]["syncPolicy"]["retry"] = json!({"backoff": {"duration": "1s"}});
    plane.create_app(changes).await;
    let uid = until_migrating(&plane).await;
    plane.kill();
    // The plan cannot be tried, or else what comes after the hook cannot be applied.
    faults.add(FaultRule::new(Traffic::Writes, ApiFault::Status(503)).path("configmaps/settings").times(2));
    plane.start_again().await;
    let app = plane
        .until_app("an attempt that failed", |app| {
            app["status"]["operationState"]["retryCount"].as_i64().is_some_and(|count| count > 0)
                && waits_for_hook(app, "migrate")
        })
        .await;
    assert_eq!(result(&app, "migrate", "PreSync")["hookPhase"], "Running");
    release(&plane, "migrate").await;
    // In the middle of the sync, too.
    faults.add(FaultRule::new(Traffic::Writes, ApiFault::Status(503)).path("configmaps/settings").times(2));
    plane.until_healthy(&commit).await;
    let job = plane.get(&plane.path("jobs/migrate")).await;
    assert_eq!((&job["metadata"]["uid"], &job["spec"]["suspend"]), (&uid, &json!(false)));
}

/// What is to run before and after the objects go does, and nothing of it stays.
pub(crate) async fn hooks_run_around_a_deletion(server: Server) {
    let plane = Plane::start(server).await;
    let commit = plane
        .commit()
        .file("deploy/backup.yaml", waiting_job("backup", &[(HOOK, "PreDelete")]))
        .file("deploy/a.yaml", config_map("settings", "1"))
        .file("deploy/farewell.yaml", waiting_job("farewell", &[("helm.sh/hook", "post-delete")]))
        .submit()
        .unwrap();
    let mut changes = automated();
    changes["metadata"] = json!({"finalizers": ["resources-finalizer.argocd.argoproj.io"]});
    plane.create_app(changes).await;
    plane.until_healthy(&commit).await;
    plane
        .until_app("the finalizers of its hooks", |app| {
            let finalizers = app["metadata"]["finalizers"].as_array().map_or(0, Vec::len);
            finalizers == 5
        })
        .await;
    plane.assert_absent(&plane.path("jobs/backup")).await;
    plane.api.delete(&plane.app_path()).await.unwrap();
    plane.until_exists(&plane.path("jobs/backup")).await;
    plane.assert_exists(&plane.path("configmaps/settings")).await;
    release(&plane, "backup").await;
    plane.until_gone(&plane.path("configmaps/settings")).await;
    plane.until_exists(&plane.path("jobs/farewell")).await;
    release(&plane, "farewell").await;
    plane.until_gone(&plane.app_path()).await;
    plane.until_gone(&plane.path("jobs/backup")).await;
    plane.until_gone(&plane.path("jobs/farewell")).await;
}

/// A hook that Argo CD left behind, with its finalizer and all, holds up nothing: it is deleted and created anew.
pub(crate) async fn hooks_that_argo_cd_left_are_let_go(server: Server) {
    let plane = Plane::start(server).await;
    let mark = format!("{}:batch/Job:{}/migrate", plane.app, plane.target);
    let left: Value = serde_json::from_str(&waiting_job(
        "migrate",
        &[(HOOK, "PreSync"), ("argocd.argoproj.io/tracking-id", &mark)],
    ))
    .unwrap();
    let mut left = left;
    left["metadata"]["finalizers"] = json!(["argocd.argoproj.io/hook-finalizer"]);
    let left = plane.api.create(&plane.path("jobs"), &left).await.unwrap();
    let commit = plane
        .commit()
        .file("deploy/migrate.yaml", job("migrate", &[(HOOK, "PreSync")], false))
        .file("deploy/a.yaml", config_map("settings", "1"))
        .submit()
        .unwrap();
    plane.create_automated_app().await;
    plane.until_healthy(&commit).await;
    let now = plane.get(&plane.path("jobs/migrate")).await;
    assert_ne!(now["metadata"]["uid"], left["metadata"]["uid"]);
    assert_eq!(now["metadata"].get("finalizers"), None);
}

/// Where an Application asks for Helm's events, the history decides which hooks run.
pub(crate) async fn helm_hooks_run_on_their_events(server: Server) {
    let plane = Plane::start(server).await;
    let hook = |name: &str, event: &str| job(name, &[("helm.sh/hook", event)], false);
    let commit = |value: &str| {
        plane
            .commit()
            .file("deploy/install.yaml", hook("install", "pre-install"))
            .file("deploy/upgrade.yaml", hook("upgrade", "post-upgrade"))
            .file("deploy/rollback.yaml", hook("rollback", "pre-rollback,post-rollback"))
            .file("deploy/a.yaml", config_map("settings", value))
            .submit()
            .unwrap()
    };
    let first = commit("1");
    plane.create_app(json!({"metadata": {"annotations": {"windlass.dev/helm-hooks": "events"}}})).await;
    let sync = |revision: &str| json!({"operation": {"sync": {"revision": revision}}});
    let done = |app: &Value, revision: &str| {
        let state = &app["status"]["operationState"];
        state["phase"] == "Succeeded" && state["syncResult"]["revision"] == revision
    };
    let ran = |app: &Value| {
        let results = app["status"]["operationState"]["syncResult"]["resources"].as_array().cloned();
        let hooks = results.unwrap_or_default().into_iter().filter(|it| it["hookType"].is_string());
        let mut names: Vec<String> = hooks
            .map(|it| format!("{} {}", it["name"].as_str().unwrap(), it["syncPhase"].as_str().unwrap()))
            .collect();
        names.sort();
        names
    };
    plane.patch_app(sync(&first)).await;
    let app = plane.until_app("the installation", |app| done(app, &first)).await;
    assert_eq!(ran(&app), ["install PreSync"]);
    let second = commit("2");
    plane.patch_app(sync(&second)).await;
    let app = plane.until_app("the upgrade", |app| done(app, &second)).await;
    assert_eq!(ran(&app), ["upgrade PostSync"]);
    plane.patch_app(sync(&first)).await;
    let app = plane.until_app("the rollback", |app| done(app, &first)).await;
    assert_eq!(ran(&app), ["rollback PostSync", "rollback PreSync"]);
}

/// Drift is undone with the hooks that ask for that.
pub(crate) async fn healing_runs_hooks_that_ask_for_it(server: Server) {
    let plane = Plane::start(server).await;
    let asks = [(HOOK, "PreSync"), ("windlass.dev/hook-when-healing", "true")];
    let commit = plane
        .commit()
        .file("deploy/asks.yaml", job("asks", &asks, false))
        .file("deploy/other.yaml", job("other", &[(HOOK, "PreSync")], false))
        .file("deploy/a.yaml", config_map("settings", "1"))
        .submit()
        .unwrap();
    plane.create_automated_app().await;
    plane.until_healthy(&commit).await;
    let uid = |job: Value| job["metadata"]["uid"].clone();
    let asks = uid(plane.get(&plane.path("jobs/asks")).await);
    let other = uid(plane.get(&plane.path("jobs/other")).await);
    let path = plane.path("configmaps/settings");
    plane.api.merge(&path, &json!({"data": {"value": "drift"}})).await.unwrap();
    plane.until(&path, "the drift to be undone", |map| map["data"]["value"] == "1").await;
    plane.until_synced(&commit).await;
    assert_ne!(uid(plane.get(&plane.path("jobs/asks")).await), asks);
    assert_eq!(uid(plane.get(&plane.path("jobs/other")).await), other);
}
