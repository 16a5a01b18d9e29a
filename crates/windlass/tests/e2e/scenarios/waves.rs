//! What comes later waits for what comes earlier.

use crate::plane::{Plane, Server, balancer, config_map, config_map_with};

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
