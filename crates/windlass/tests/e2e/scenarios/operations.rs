//! What a person asks for through the `operation` field.

use serde_json::{Value, json};

use crate::plane::{Plane, Server, config_map, resource};

fn succeeded(app: &Value) -> bool {
    app["operation"].is_null() && app["status"]["operationState"]["phase"] == "Succeeded"
}

/// Nothing happens until somebody asks; then once.
pub(crate) async fn manual_sync(server: Server) {
    let plane = Plane::start(server).await;
    let commit = plane.commit().file("deploy/a.yaml", config_map("settings", "1")).submit().unwrap();
    plane.create_app(json!({})).await;
    let app = plane.until_app("OutOfSync", |app| app["status"]["sync"]["status"] == "OutOfSync").await;
    assert_eq!(app["status"]["health"]["status"], "Missing");
    plane.assert_absent(&plane.path("configmaps/settings")).await;
    plane
        .patch_app(json!({"operation": {
            "initiatedBy": {"username": "ada"},
            "info": [{"name": "why", "value": "release"}],
            "sync": {"revision": commit.as_str()},
        }}))
        .await;
    let app = plane.until_app("the operation to have succeeded", succeeded).await;
    let state = &app["status"]["operationState"];
    assert_eq!(state["operation"]["initiatedBy"]["username"], "ada");
    assert_eq!(state["operation"]["info"][0]["value"], "release");
    assert_eq!(state["syncResult"]["resources"][0]["status"], "Synced");
    assert_eq!(app["status"]["history"][0]["initiatedBy"]["username"], "ada");
    plane.until_synced(&commit).await;

    // Asking again, when there is nothing to do, comes to an end as well.
    plane.patch_app(json!({"operation": {"initiatedBy": {"username": "bob"}, "sync": {}}})).await;
    plane
        .until_app("the second operation to have succeeded", |app| {
            succeeded(app) && app["status"]["operationState"]["operation"]["initiatedBy"]["username"] == "bob"
        })
        .await;

    let next = plane.commit().file("deploy/a.yaml", config_map("settings", "2")).submit().unwrap();
    plane
        .until_app("OutOfSync at the next commit", |app| {
            app["status"]["sync"]["status"] == "OutOfSync"
                && app["status"]["sync"]["revision"] == next.as_str()
        })
        .await;
    assert_eq!(plane.get(&plane.path("configmaps/settings")).await["data"]["value"], "1");
}

/// What a person asks for does not wait until the policy's failing attempts succeed.
pub(crate) async fn request_beside_failing_automation(server: Server) {
    let plane = Plane::start(server).await;
    let elsewhere = config_map("settings", "1").replace("metadata:\n", "metadata:\n  namespace: nowhere\n");
    plane.commit().file("deploy/a.yaml", elsewhere).submit().unwrap();
    plane.create_automated_app().await;
    let app = plane
        .until_app("the policy's attempt to fail", |app| app["status"]["operationState"]["phase"] == "Failed")
        .await;
    let message = app["status"]["operationState"]["message"].as_str().unwrap();
    assert!(message.contains("CreateNamespace=true"), "{message}");
    plane.patch_app(json!({"operation": {"initiatedBy": {"username": "ada"}, "sync": {}}})).await;
    plane
        .until_app("the request to be carried out", |app| {
            app["operation"].is_null()
                && app["status"]["operationState"]["operation"]["initiatedBy"]["username"] == "ada"
        })
        .await;
}

/// A sync without prune leaves what is no longer declared; one with prune takes it away.
pub(crate) async fn manual_sync_with_prune(server: Server) {
    let plane = Plane::start(server).await;
    plane
        .commit()
        .file("deploy/keep.yaml", config_map("keep", "1"))
        .file("deploy/old.yaml", config_map("old", "1"))
        .submit()
        .unwrap();
    plane.create_app(json!({"operation": {"sync": {}}})).await;
    plane.until_app("the first sync", succeeded).await;
    let second = plane.commit().delete("deploy/old.yaml").submit().unwrap();
    plane
        .until_app("the old object to require pruning", |app| {
            resource(app, "ConfigMap", "old")["requiresPruning"] == true
        })
        .await;
    plane.patch_app(json!({"operation": {"sync": {}}})).await;
    let app = plane
        .until_app("the second sync", |app| {
            succeeded(app) && app["status"]["operationState"]["syncResult"]["revision"] == second.as_str()
        })
        .await;
    let results = app["status"]["operationState"]["syncResult"]["resources"].as_array().unwrap();
    assert!(
        results.iter().any(|result| result["name"] == "old" && result["status"] == "PruneSkipped"),
        "{results:?}"
    );
    plane.assert_exists(&plane.path("configmaps/old")).await;
    plane.patch_app(json!({"operation": {"sync": {"prune": true}}})).await;
    plane.until_gone(&plane.path("configmaps/old")).await;
    plane.until_synced(&second).await;
}

/// Only what was named is synced, and that is no deployment.
pub(crate) async fn manual_sync_of_selected_objects(server: Server) {
    let plane = Plane::start(server).await;
    let commit = plane
        .commit()
        .file("deploy/a.yaml", config_map("one", "1"))
        .file("deploy/b.yaml", config_map("two", "1"))
        .submit()
        .unwrap();
    plane.create_app(json!({})).await;
    plane.until_app("OutOfSync", |app| app["status"]["sync"]["status"] == "OutOfSync").await;
    plane
        .patch_app(json!({"operation": {"sync": {"resources": [{"kind": "ConfigMap", "name": "one"}]}}}))
        .await;
    let app = plane
        .until_app("the sync of one object", |app| {
            succeeded(app) && resource(app, "ConfigMap", "one")["status"] == "Synced"
        })
        .await;
    plane.assert_exists(&plane.path("configmaps/one")).await;
    plane.assert_absent(&plane.path("configmaps/two")).await;
    assert_eq!(app["status"]["sync"]["status"], "OutOfSync");
    assert!(app["status"]["history"].as_array().is_none_or(Vec::is_empty), "{}", app["status"]);
    plane.patch_app(json!({"operation": {"sync": {}}})).await;
    plane.until_synced(&commit).await;
}

/// An operation may name another source than the Application's, and may bring its manifests along; afterwards the
/// Application is compared with its own source again.
pub(crate) async fn operations_with_other_sources(server: Server) {
    let plane = Plane::builder(server).never_polls().start().await;
    let commit = plane
        .commit()
        .file("deploy/a.yaml", config_map("own", "1"))
        .file("other/b.yaml", config_map("other", "1"))
        .submit()
        .unwrap();
    plane.create_app(json!({})).await;
    let source = json!({"repoURL": plane.url(), "path": "other", "targetRevision": "main"});
    let operation = json!({"initiatedBy": {"username": "ada"}, "sync": {"source": source}});
    plane.patch_app(json!({"operation": operation})).await;
    let app = plane.until_app("the operation to have succeeded", succeeded).await;
    assert_eq!(app["status"]["history"][0]["source"]["path"], "other");
    assert_eq!(app["status"]["history"][0]["revision"], commit.as_str());
    assert_eq!(app["status"]["operationState"]["syncResult"]["source"]["path"], "other");
    plane.assert_exists(&plane.path("configmaps/other")).await;
    plane.assert_absent(&plane.path("configmaps/own")).await;
    let compared = |app: &Value| {
        app["status"]["sync"]["comparedTo"]["source"]["path"] == "deploy"
            && app["status"]["sync"]["status"] == "OutOfSync"
            && resource(app, "ConfigMap", "other")["requiresPruning"] == true
    };
    plane.until_app("it to be compared with its own source", compared).await;

    let manifest = json!({
        "apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "brought"}, "data": {"value": "1"}
    });
    let operation = json!({"initiatedBy": {"username": "bob"}, "sync": {"manifests": [manifest.to_string()], "prune": true}});
    plane.patch_app(json!({"operation": operation})).await;
    let by_bob = |app: &Value| {
        succeeded(app) && app["status"]["operationState"]["operation"]["initiatedBy"]["username"] == "bob"
    };
    let app = plane.until_app("the second operation to have succeeded", by_bob).await;
    assert!(app["status"]["operationState"]["operation"]["sync"]["manifests"].is_null());
    assert_eq!(app["status"]["history"].as_array().map(Vec::len), Some(1));
    plane.assert_exists(&plane.path("configmaps/brought")).await;
    plane.until_gone(&plane.path("configmaps/other")).await;

    let operation = json!({"initiatedBy": {"username": "eve"}, "sync": {"manifests": ["{"]}});
    plane.patch_app(json!({"operation": operation})).await;
    let failed = |app: &Value| {
        let state = &app["status"]["operationState"];
        state["phase"] == "Error" && state["message"].as_str().unwrap_or_default().contains("manifests[0]")
    };
    plane.until_app("the third operation to have failed", failed).await;
}
