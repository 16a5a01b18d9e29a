//! Removing what is no longer declared, and only that.

use serde_json::json;

use crate::plane::{Plane, Server, automated, balancer, config_map, config_map_with, resource};

/// What is no longer declared goes once the rest is healthy, not before.
pub(crate) async fn prunes_after_health(server: Server) {
    let plane = Plane::builder(server).without_simulator().start().await;
    let first = plane
        .commit()
        .file("deploy/keep.yaml", config_map("keep", "1"))
        .file("deploy/old.yaml", config_map("old", "1"))
        .submit()
        .unwrap();
    plane.create_automated_app().await;
    plane.until_synced(&first).await;
    let second = plane
        .commit()
        .delete("deploy/old.yaml")
        .file("deploy/front.yaml", balancer("front", 0))
        .submit()
        .unwrap();
    plane.until_exists(&plane.path("services/front")).await;
    let app = plane
        .until_app("the prune to wait for the Service", |app| {
            let message = app["status"]["operationState"]["message"].as_str().unwrap_or_default();
            message.contains("waiting for healthy state of") && message.contains("front")
        })
        .await;
    assert_eq!(app["status"]["operationState"]["phase"], "Running");
    assert_eq!(resource(&app, "ConfigMap", "old")["requiresPruning"], true);
    plane.assert_exists(&plane.path("configmaps/old")).await;
    plane.open("front").await;
    plane.until_gone(&plane.path("configmaps/old")).await;
    plane.until_healthy(&second).await;
    plane.assert_exists(&plane.path("configmaps/keep")).await;
}

/// Without `prune`, what is no longer declared is told and left alone.
pub(crate) async fn without_prune_nothing_is_removed(server: Server) {
    let plane = Plane::start(server).await;
    let first = plane
        .commit()
        .file("deploy/keep.yaml", config_map("keep", "1"))
        .file("deploy/old.yaml", config_map("old", "1"))
        .submit()
        .unwrap();
    plane.create_app(json!({"spec": {"syncPolicy": {"automated": {"selfHeal": true}}}})).await;
    plane.until_synced(&first).await;
    let second = plane
        .commit()
        .delete("deploy/old.yaml")
        .file("deploy/keep.yaml", config_map("keep", "2"))
        .submit()
        .unwrap();
    let keep = plane.path("configmaps/keep");
    plane.until(&keep, "the new value", |live| live["data"]["value"] == "2").await;
    let app = plane
        .until_app("OutOfSync at the second commit, with nothing under way", |app| {
            let status = &app["status"];
            status["sync"]["status"] == "OutOfSync"
                && status["sync"]["revision"] == second.as_str()
                && status["operationState"]["phase"] == "Succeeded"
                && resource(app, "ConfigMap", "keep")["status"] == "Synced"
        })
        .await;
    assert_eq!(resource(&app, "ConfigMap", "old")["requiresPruning"], true);
    plane.assert_exists(&plane.path("configmaps/old")).await;
}

/// An object that says `Prune=false` stays.
pub(crate) async fn keeps_objects_that_say_so(server: Server) {
    let plane = Plane::start(server).await;
    let kept = config_map_with("kept", "1", "argocd.argoproj.io/sync-options", "Prune=false");
    let first = plane
        .commit()
        .file("deploy/keep.yaml", config_map("keep", "1"))
        .file("deploy/old.yaml", config_map("old", "1"))
        .file("deploy/kept.yaml", kept)
        .submit()
        .unwrap();
    plane.create_app(automated()).await;
    plane.until_synced(&first).await;
    let second = plane.commit().delete("deploy/old.yaml").delete("deploy/kept.yaml").submit().unwrap();
    plane.until_gone(&plane.path("configmaps/old")).await;
    plane
        .until_app("the prune to have ended", |app| {
            app["status"]["sync"]["revision"] == second.as_str()
                && app["status"]["operationState"]["phase"] == "Succeeded"
                && resource(app, "ConfigMap", "old").is_null()
        })
        .await;
    plane.assert_exists(&plane.path("configmaps/kept")).await;
}
