//! The end of an Application, with or without what it made.

use serde_json::json;

use crate::plane::{Plane, Server, automated, config_map, config_map_with, deployment};

const FINALIZER: &str = "resources-finalizer.argocd.argoproj.io";

async fn deletes_objects(server: Server, finalizer: &str) {
    let plane = Plane::start(server).await;
    let kept = config_map_with("kept", "1", "argocd.argoproj.io/sync-options", "Delete=false");
    let commit = plane
        .commit()
        .file("deploy/a.yaml", config_map("one", "1"))
        .file("deploy/web.yaml", deployment("web", "nginx:1.27"))
        .file("deploy/kept.yaml", kept)
        .submit()
        .unwrap();
    let mut app = automated();
    app["metadata"] = json!({"finalizers": [finalizer]});
    plane.create_app(app).await;
    plane.until_healthy(&commit).await;
    plane.api.delete(&plane.app_path()).await.unwrap();
    plane.until_gone(&plane.app_path()).await;
    plane.assert_absent(&plane.path("configmaps/one")).await;
    plane.assert_absent(&plane.path("deployments/web")).await;
    plane.assert_exists(&plane.path("configmaps/kept")).await;
}

/// The objects go, and the Application only after them.
pub(crate) async fn deletion_with_finalizer(server: Server) {
    deletes_objects(server, FINALIZER).await;
}

/// The same in the background.
pub(crate) async fn deletion_in_the_background(server: Server) {
    deletes_objects(server, &format!("{FINALIZER}/background")).await;
}

/// Without a finalizer the objects stay as they are.
pub(crate) async fn deletion_without_finalizer_leaves_objects(server: Server) {
    let plane = Plane::start(server).await;
    let commit = plane.commit().file("deploy/a.yaml", config_map("one", "1")).submit().unwrap();
    plane.create_automated_app().await;
    plane.until_synced(&commit).await;
    let before = plane.get(&plane.path("configmaps/one")).await;
    plane.api.delete(&plane.app_path()).await.unwrap();
    plane.until_gone(&plane.app_path()).await;
    // Windlass has seen the deletion when it acts on what came after it.
    let name = format!("{}-next", plane.app);
    let mut next = automated();
    next["spec"]["source"] = json!({"path": "next"});
    plane.commit().file("next/b.yaml", config_map("two", "1")).submit().unwrap();
    plane.create_app_named(&name, next).await;
    plane.until_exists(&plane.path("configmaps/two")).await;
    assert_eq!(plane.get(&plane.path("configmaps/one")).await, before);
}
