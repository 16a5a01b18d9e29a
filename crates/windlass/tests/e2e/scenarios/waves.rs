//! What comes later waits for what comes earlier.

use serde_json::json;

use crate::plane::{Plane, Server, automated, balancer, config_map, config_map_with, resource};

/// The annotation that says in which wave an object comes.
pub(crate) const WAVE: &str = "argocd.argoproj.io/sync-wave";

/// Whether a running sync waits for the health of `name`.
pub(crate) fn waits_for(app: &serde_json::Value, name: &str) -> bool {
    let state = &app["status"]["operationState"];
    let message = state["message"].as_str().unwrap_or_default();
    state["phase"] == "Running" && message.contains("waiting for healthy state of") && message.contains(name)
}

/// The second wave starts when the first is healthy; until then the status says what is waited for.
pub(crate) async fn waves_wait_for_health(server: Server) {
    let plane = Plane::builder(server).without_simulator().start().await;
    let commit = plane
        .commit()
        .file("deploy/front.yaml", balancer("front", 0))
        .file("deploy/later.yaml", config_map_with("later", "1", WAVE, "1"))
        .submit()
        .unwrap();
    plane.create_automated_app().await;
    plane.until_app("the status to name the Service", |app| waits_for(app, "front")).await;
    plane.assert_absent(&plane.path("configmaps/later")).await;
    plane.open("front").await;
    plane.until_exists(&plane.path("configmaps/later")).await;
    plane.until_healthy(&commit).await;
}

/// A plan in whose middle the sources are prepared anew, because the kinds that the cluster serves have changed, still
/// waits for what it waited for.
pub(crate) async fn waves_wait_when_planned_anew(server: Server) {
    let plane = Plane::builder(server).without_simulator().start().await;
    let commit = plane
        .commit()
        .file("deploy/front.yaml", balancer("front", 0))
        .file("deploy/later.yaml", config_map_with("later", "1", WAVE, "1"))
        .submit()
        .unwrap();
    plane.create_automated_app().await;
    plane.until_app("the status to name the Service", |app| waits_for(app, "front")).await;
    let group = format!("{}.example.com", plane.target);
    let widgets = serde_json::json!({
        "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
        "metadata": {"name": format!("widgets.{group}")},
        "spec": {
            "group": group, "scope": "Namespaced",
            "names": {"kind": "Widget", "plural": "widgets", "singular": "widget"},
            "versions": [{"name": "v1", "served": true, "storage": true,
                "schema": {"openAPIV3Schema": {"type": "object"}}}],
        }
    });
    let definitions = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions";
    plane.api.create(definitions, &widgets).await.unwrap();
    // A server may say that it serves a kind later than its definition does.
    let definition = format!("{definitions}/widgets.{group}");
    plane.until_log_touching(&definition, |log| log.contains("plan kept")).await;
    plane.until_app("the status to name the Service again", |app| waits_for(app, "front")).await;
    plane.assert_absent(&plane.path("configmaps/later")).await;
    plane.open("front").await;
    plane.until_exists(&plane.path("configmaps/later")).await;
    plane.until_healthy(&commit).await;
    plane.api.delete(&definition).await.unwrap();
}

/// A newer commit does not wait for an older one that never gets healthy.
pub(crate) async fn newer_commit_supersedes_a_stuck_wave(server: Server) {
    let plane = Plane::builder(server).without_simulator().start().await;
    plane
        .commit()
        .file("deploy/front.yaml", balancer("front", 0))
        .file("deploy/later.yaml", config_map_with("later", "1", WAVE, "1"))
        .submit()
        .unwrap();
    plane.create_automated_app().await;
    plane.until_app("the first commit to be stuck", |app| waits_for(app, "front")).await;
    let fixed = balancer("front", 0).replace("LoadBalancer", "ClusterIP");
    let second = plane
        .commit()
        .file("deploy/front.yaml", fixed)
        .file("deploy/later.yaml", config_map("later", "2"))
        .submit()
        .unwrap();
    let app = plane.until_healthy(&second).await;
    let later = plane.get(&plane.path("configmaps/later")).await;
    assert_eq!(later["data"]["value"], "2");
    let history = app["status"]["history"].as_array().unwrap();
    assert_eq!(history.len(), 1, "what never ended was no deployment: {history:?}");
}

/// The annotation in which an Application tells the health of its objects itself.
const HEALTH_CHECKS: &str = "windlass.dev/health-check-exprs";

/// What expressions say of an Application's own objects goes before the built-in checks, and holds up waves as those
/// do; whoever changes the expressions changes the health at once.
pub(crate) async fn expressions_tell_the_health(server: Server) {
    let plane = Plane::builder(server).without_simulator().start().await;
    let commit = plane
        .commit()
        .file("deploy/gate.yaml", config_map("gate", "1"))
        .file("deploy/later.yaml", config_map_with("later", "1", WAVE, "1"))
        .submit()
        .unwrap();
    let expressions = |failed: &str| {
        format!(
            "- apiVersion: v1\n  kind: ConfigMap\n  inProgress: metadata.name == 'gate' && !has(data.state)\n  \
             failed: {failed}\n  current: 'true'\n"
        )
    };
    let mut changes = automated();
    changes["metadata"] =
        json!({"annotations": {HEALTH_CHECKS: expressions("has(data.state) && data.state == 'broken'")}});
    plane.create_app(changes).await;
    plane.until_app("the sync to wait for the gate", |app| waits_for(app, "gate")).await;
    plane.assert_absent(&plane.path("configmaps/later")).await;
    // A field that Git says nothing of.
    let gate = plane.path("configmaps/gate");
    plane.api.merge(&gate, &json!({"data": {"state": "open"}})).await.unwrap();
    plane.until_exists(&plane.path("configmaps/later")).await;
    plane.until_healthy(&commit).await;
    plane.api.merge(&gate, &json!({"data": {"state": "broken"}})).await.unwrap();
    let health = |app: &serde_json::Value| app["status"]["health"]["status"].clone();
    plane.until_app("what has failed to show", |app| health(app) == "Degraded").await;
    // Other expressions, and the same objects.
    let annotate = |text: Option<String>| json!({"metadata": {"annotations": {HEALTH_CHECKS: text}}});
    plane.patch_app(annotate(Some(expressions("data.state == 'closed'")))).await;
    let app = plane
        .until_app("an expression without a value to show", |app| {
            resource(app, "ConfigMap", "later")["health"]["status"] == "Unknown"
        })
        .await;
    let said = resource(&app, "ConfigMap", "later")["health"]["message"].as_str().unwrap_or_default();
    assert!(said.starts_with("failed to evaluate the CEL expression 'data.state == 'closed''"), "{said}");
    assert_eq!(resource(&app, "ConfigMap", "gate")["health"]["status"], "Healthy");
    plane.patch_app(annotate(Some(expressions("1 +")))).await;
    plane.until_condition("InvalidSpecError", &["failed to parse the expression Failed"]).await;
    plane.patch_app(annotate(None)).await;
    plane.until_healthy(&commit).await;
    plane.until_no_conditions().await;
}
