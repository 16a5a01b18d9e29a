//! Sync options of Applications and objects, each with what it changes.

use serde_json::{Value, json};

use crate::plane::{Plane, Server, automated, condition, config_map, config_map_with, resource};

const OPTIONS: &str = "argocd.argoproj.io/sync-options";
const APPROVED: &str = "argocd.argoproj.io/deletion-approved";

fn with_options(options: &[&str]) -> Value {
    let mut app = automated();
    app["spec"]["syncPolicy"]["syncOptions"] = json!(options);
    app
}

/// The same name twice in a list is applied all the same, named, and in sync.
pub(crate) async fn duplicate_list_items_are_merged(server: Server) {
    let plane = Plane::start(server).await;
    let web = |level: &str| {
        json!({
            "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web"},
            "spec": {
                "replicas": 0,
                "selector": {"matchLabels": {"app": "web"}},
                "template": {
                    "metadata": {"labels": {"app": "web"}},
                    "spec": {"containers": [{
                        "name": "main", "image": "web:1",
                        "env": [{"name": "LEVEL", "value": "low"}, {"name": "LEVEL", "value": level}],
                        "ports": [{"containerPort": 80, "name": "a"}, {"containerPort": 80, "name": "b"}],
                    }]},
                },
            },
        })
        .to_string()
    };
    let commit = plane.commit().file("deploy/web.yaml", web("high")).submit().unwrap();
    plane.create_automated_app().await;
    plane.until_synced(&commit).await;
    let said = ["containers[0].env names LEVEL twice", "three-way merge"];
    plane.until_condition("RepeatedResourceWarning", &said).await;
    let path = plane.path("deployments/web");
    let main = plane.get(&path).await["spec"]["template"]["spec"]["containers"][0].clone();
    assert_eq!(main["env"][1]["value"], "high");
    assert_eq!(main["ports"].as_array().unwrap().len(), 2);
    let commit = plane.commit().file("deploy/web.yaml", web("higher")).submit().unwrap();
    plane.until_synced(&commit).await;
    let main = plane.get(&path).await["spec"]["template"]["spec"]["containers"][0].clone();
    assert_eq!(main["env"][1]["value"], "higher");
    // Mended, it is applied server-side, and nothing of the merge is left.
    let mended = web("high")
        .replace(r#"{"name":"LEVEL","value":"low"},"#, "")
        .replace(r#",{"containerPort":80,"name":"b"}"#, "");
    let commit = plane.commit().file("deploy/web.yaml", mended).submit().unwrap();
    let app = plane.until_synced(&commit).await;
    assert_eq!(condition(&app, "RepeatedResourceWarning", &[]), None);
    let main = plane.get(&path).await["spec"]["template"]["spec"]["containers"][0].clone();
    assert_eq!(main["env"], json!([{"name": "LEVEL", "value": "high"}]));
    assert_eq!(main["ports"].as_array().unwrap().len(), 1);
}

/// What a field forbids to change is changed by deleting the object, if it asks for that.
pub(crate) async fn force_creates_anew_what_cannot_be_changed(server: Server) {
    let plane = Plane::start(server).await;
    let frozen = |value: &str| {
        config_map_with("settings", value, OPTIONS, "Force=true").replacen(
            "\ndata:",
            "\nimmutable: true\ndata:",
            1,
        )
    };
    let commit = plane.commit().file("deploy/a.yaml", frozen("1")).submit().unwrap();
    plane.create_automated_app().await;
    plane.until_synced(&commit).await;
    let uid = plane.get(&plane.path("configmaps/settings")).await["metadata"]["uid"].clone();
    let commit = plane.commit().file("deploy/a.yaml", frozen("2")).submit().unwrap();
    plane.until_synced(&commit).await;
    let map = plane.get(&plane.path("configmaps/settings")).await;
    assert_eq!(map["data"]["value"], "2");
    assert_ne!(map["metadata"]["uid"], uid);
}

/// What others wrote goes when an object is replaced, and stays when it is applied.
pub(crate) async fn replace_leaves_nothing_of_others(server: Server) {
    let plane = Plane::start(server).await;
    let commit = plane
        .commit()
        .file("deploy/a.yaml", config_map_with("replaced", "1", OPTIONS, "Replace=true"))
        .file("deploy/b.yaml", config_map("applied", "1"))
        .submit()
        .unwrap();
    plane.create_automated_app().await;
    plane.until_synced(&commit).await;
    for name in ["replaced", "applied"] {
        let path = plane.path(&format!("configmaps/{name}"));
        plane.api.merge(&path, &json!({"data": {"theirs": "x"}})).await.unwrap();
    }
    let commit = plane
        .commit()
        .file("deploy/a.yaml", config_map_with("replaced", "2", OPTIONS, "Replace=true"))
        .file("deploy/b.yaml", config_map("applied", "2"))
        .submit()
        .unwrap();
    plane.until_synced(&commit).await;
    assert_eq!(plane.get(&plane.path("configmaps/replaced")).await["data"], json!({"value": "2"}));
    assert_eq!(
        plane.get(&plane.path("configmaps/applied")).await["data"],
        json!({"value": "2", "theirs": "x"})
    );
}

/// A field that the kind does not have is refused, or dropped where validation is off.
pub(crate) async fn validation_can_be_switched_off(server: Server) {
    let plane = Plane::start(server).await;
    let odd = |options: &str| {
        config_map_with("settings", "1", OPTIONS, options).replacen("\ndata:", "\nsurprise: 1\ndata:", 1)
    };
    plane.commit().file("deploy/a.yaml", odd("Prune=true")).submit().unwrap();
    plane.create_automated_app().await;
    plane.until_condition("SyncError", &["surprise"]).await;
    let commit = plane.commit().file("deploy/a.yaml", odd("Validate=false")).submit().unwrap();
    plane.until_synced(&commit).await;
    assert_eq!(plane.get(&plane.path("configmaps/settings")).await["data"]["value"], "1");
    // A value of another type than its field is no trouble of the server that passes, although it answers 500.
    let odd = config_map("settings", "1").replace("\"1\"", "[x]");
    plane.commit().file("deploy/a.yaml", odd).submit().unwrap();
    plane.until_condition("SyncError", &["failed to create typed patch object", "data.value"]).await;
    let is_told =
        |app: &Value| app["status"].to_string().contains("would be refused: failed to create typed");
    plane.until_app("what differs to be told", is_told).await;
    let commit = plane.commit().file("deploy/a.yaml", config_map("settings", "2")).submit().unwrap();
    plane.until_synced(&commit).await;
}

/// What is to be pruned only with approval waits for it, and says so.
pub(crate) async fn pruning_waits_for_approval(server: Server) {
    let plane = Plane::start(server).await;
    let commit = plane
        .commit()
        .file("deploy/a.yaml", config_map_with("precious", "1", OPTIONS, "Prune=confirm"))
        .file("deploy/b.yaml", config_map("settings", "1"))
        .file("deploy/c.yaml", config_map("plain", "1"))
        .submit()
        .unwrap();
    plane.create_automated_app().await;
    plane.until_synced(&commit).await;
    let commit = plane.commit().delete("deploy/a.yaml").delete("deploy/c.yaml").submit().unwrap();
    let app = plane
        .until_app("the sync to wait for approval", |app| {
            let message = app["status"]["operationState"]["message"].as_str().unwrap_or_default();
            message.contains("pruning confirmation of") && message.contains("precious")
        })
        .await;
    assert_eq!(resource(&app, "ConfigMap", "precious")["requiresDeletionConfirmation"], true);
    plane.until_gone(&plane.path("configmaps/plain")).await;
    plane.assert_exists(&plane.path("configmaps/precious")).await;
    plane.patch_app(json!({"metadata": {"annotations": {APPROVED: "2099-01-01T00:00:00Z"}}})).await;
    plane.until_gone(&plane.path("configmaps/precious")).await;
    plane.until_synced(&commit).await;
}

/// What is to go only with approval when the Application goes waits for it.
pub(crate) async fn deleting_waits_for_approval(server: Server) {
    let plane = Plane::start(server).await;
    let commit = plane
        .commit()
        .file("deploy/a.yaml", config_map_with("precious", "1", OPTIONS, "Delete=confirm"))
        .file("deploy/b.yaml", config_map_with("kept", "1", OPTIONS, "Delete=false"))
        .submit()
        .unwrap();
    let mut app = automated();
    app["metadata"] = json!({"finalizers": ["resources-finalizer.argocd.argoproj.io"]});
    plane.create_app(app).await;
    plane.until_synced(&commit).await;
    plane.api.delete(&plane.app_path()).await.unwrap();
    plane.until_condition("DeletionError", &["precious", "approval"]).await;
    plane.assert_exists(&plane.path("configmaps/precious")).await;
    plane.patch_app(json!({"metadata": {"annotations": {APPROVED: "2099-01-01T00:00:00Z"}}})).await;
    plane.until_gone(&plane.app_path()).await;
    plane.assert_absent(&plane.path("configmaps/precious")).await;
    plane.assert_exists(&plane.path("configmaps/kept")).await;
}

/// A sync fails on an object of another Application, if that is asked for.
pub(crate) async fn shared_object_fails_the_sync(server: Server) {
    let plane = Plane::start(server).await;
    let commit = plane.commit().file("deploy/a.yaml", config_map("settings", "1")).submit().unwrap();
    plane.create_automated_app().await;
    plane.until_synced(&commit).await;
    let name = format!("{}-too", plane.app);
    plane.commit().file("deploy/b.yaml", config_map("other", "1")).submit().unwrap();
    plane.create_app_named(&name, with_options(&["FailOnSharedResource=true"])).await;
    let path = plane.control_path(&format!("applications/{name}"));
    plane
        .until(&path, "the sync to fail", |app| {
            let message = app["status"]["operationState"]["message"].as_str().unwrap_or_default();
            message.contains("Shared resource found")
        })
        .await;
}
