//! Differences that do not count, and the reasons for those that do.

use serde_json::json;

use crate::plane::{Plane, Server, automated, config_map, deployment, resource};

/// Replicas that something else sets are left alone, while everything else is still healed.
pub(crate) async fn ignored_fields_are_left_alone(server: Server) {
    let plane = Plane::builder(server).never_polls().start().await;
    let commit = plane
        .commit()
        .file("deploy/web.yaml", deployment("web", "nginx:1.27"))
        .file("deploy/a.yaml", config_map("settings", "1"))
        .file("deploy/b.yaml", config_map("injected", "1"))
        .submit()
        .unwrap();
    let mut app = automated();
    app["spec"]["ignoreDifferences"] = json!([
        {"group": "apps", "kind": "Deployment", "jsonPointers": ["/spec/replicas"]},
        {"group": "", "kind": "ConfigMap", "name": "injected", "jqPathExpressions": [".data | .value"]}
    ]);
    plane.create_app(app).await;
    plane.until_healthy(&commit).await;
    let live = plane.path("deployments/web");
    plane.api.merge(&live, &json!({"spec": {"replicas": 2}})).await.unwrap();
    let injected = plane.path("configmaps/injected");
    plane.api.merge(&injected, &json!({"data": {"value": "by a webhook"}})).await.unwrap();
    // What comes after both of them was healed, so they have been looked at.
    let settings = plane.path("configmaps/settings");
    plane.api.merge(&settings, &json!({"data": {"value": "drifted"}})).await.unwrap();
    plane.until(&settings, "the value to be healed", |live| live["data"]["value"] == "1").await;
    plane
        .until_app("all objects to be in sync", |app| {
            app["status"]["sync"]["status"] == "Synced"
                && resource(app, "Deployment", "web")["status"] == "Synced"
                && resource(app, "ConfigMap", "injected")["status"] == "Synced"
        })
        .await;
    assert_eq!(plane.get(&live).await["spec"]["replicas"], 2);
    assert_eq!(plane.get(&injected).await["data"]["value"], "by a webhook");
}

/// With `RespectIgnoreDifferences` a new commit leaves replicas alone that something else sets; without, it sets them.
pub(crate) async fn ignored_fields_are_kept_when_syncing(server: Server) {
    let plane = Plane::builder(server).never_polls().start().await;
    let web = |version: u32| deployment("web", &format!("nginx:1.{version}"));
    let commit = plane.commit().file("deploy/web.yaml", web(27)).submit().unwrap();
    let mut app = automated();
    app["spec"]["syncPolicy"]["syncOptions"] = json!(["RespectIgnoreDifferences=true"]);
    app["spec"]["ignoreDifferences"] = json!([
        {"group": "apps", "kind": "Deployment", "jsonPointers": ["/spec/replicas"]}
    ]);
    plane.create_app(app).await;
    plane.until_healthy(&commit).await;
    let live = plane.path("deployments/web");
    plane.api.merge(&live, &json!({"spec": {"replicas": 2}})).await.unwrap();
    plane.until(&live, "both replicas", |live| live["status"]["readyReplicas"] == 2).await;

    let commit = plane.commit().file("deploy/web.yaml", web(28)).submit().unwrap();
    plane.refresh().await;
    plane.until_healthy(&commit).await;
    let now = plane.get(&live).await;
    assert_eq!(now["spec"]["replicas"], 2);
    assert_eq!(now["spec"]["template"]["spec"]["containers"][0]["image"], "nginx:1.28");

    plane.patch_app(json!({"spec": {"syncPolicy": {"syncOptions": null}}})).await;
    let commit = plane.commit().file("deploy/web.yaml", web(29)).submit().unwrap();
    plane.refresh().await;
    plane.until_healthy(&commit).await;
    assert_eq!(plane.get(&live).await["spec"]["replicas"], 1);
}

/// Where the control plane does not ignore it, a declared status is applied and healed; one that the server drops,
/// because only a controller may write it, makes no difference.
pub(crate) async fn a_declared_status_counts_where_asked_for(server: Server) {
    let plane = Plane::builder(server).never_polls().start().await;
    let settings = json!({
        "apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "argocd-cm", "namespace": plane.namespace},
        "data": {"resource.compareoptions": "ignoreResourceStatusField: none"},
    });
    plane.api.create(&plane.control_path("configmaps"), &settings).await.unwrap();
    let group = format!("{}.example.com", plane.target);
    let definition = json!({
        "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
        "metadata": {"name": format!("widgets.{group}")},
        "spec": {
            "group": group, "scope": "Namespaced",
            "names": {"kind": "Widget", "plural": "widgets", "singular": "widget"},
            "versions": [{"name": "v1", "served": true, "storage": true, "schema": {"openAPIV3Schema": {
                "type": "object", "x-kubernetes-preserve-unknown-fields": true
            }}}],
        },
        // As those who generate definitions leave it in.
        "status": {"acceptedNames": {"kind": "", "plural": ""}, "conditions": [], "storedVersions": []},
    });
    let widget = json!({
        "apiVersion": format!("{group}/v1"), "kind": "Widget", "metadata": {"name": "own"},
        "status": {"phase": "Ready"},
    });
    let commit = plane
        .commit()
        .file("deploy/definition.yaml", definition.to_string())
        .file("deploy/widget.yaml", widget.to_string())
        .submit()
        .unwrap();
    plane.create_automated_app().await;
    plane.until_healthy(&commit).await;
    let live = format!("/apis/{group}/v1/namespaces/{}/widgets/own", plane.target);
    assert_eq!(plane.get(&live).await["status"]["phase"], "Ready");
    plane.api.merge(&live, &json!({"status": {"phase": "Lost"}})).await.unwrap();
    plane.until(&live, "the status to be healed", |live| live["status"]["phase"] == "Ready").await;
    plane.until_app("all to be in sync", |app| app["status"]["sync"]["status"] == "Synced").await;
    let definitions = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions";
    plane.api.delete(&format!("{definitions}/widgets.{group}")).await.unwrap();
}

/// Somebody who changes a field back as often as it is undone is named, with the field, and met ever more slowly.
pub(crate) async fn two_writers_of_a_field_are_named(server: Server) {
    let plane = Plane::builder(server).never_polls().start().await;
    let commit = plane.commit().file("deploy/a.yaml", config_map("settings", "1")).submit().unwrap();
    plane.create_automated_app().await;
    plane.until_synced(&commit).await;
    let settings = plane.path("configmaps/settings");
    let theirs = json!({"data": {"value": "theirs"}});
    let fight = async {
        loop {
            plane.api.merge(&settings, &theirs).await.unwrap();
            plane.until(&settings, "the value to be healed", |live| live["data"]["value"] == "1").await;
        }
    };
    let said = ["argocd-controller", "ConfigMap", "data.value", "theirs", "last set by"];
    let told = plane.until_condition("ContestedFieldWarning", &said);
    tokio::select! {
        () = fight => {}
        _ = told => {}
    }
    // It is still undone, only not at once.
    plane.until(&settings, "the value to be healed", |live| live["data"]["value"] == "1").await;
}

/// Fields that somebody added are told where an Application is strict, and taken away where it or the object says so.
pub(crate) async fn added_fields_are_told_or_taken_away(server: Server) {
    let plane = Plane::builder(server).never_polls().start().await;
    let kept = "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: kept\n  annotations: {windlass.dev/strict: revert}\n\
                data: {value: '1'}\n";
    let commit = plane
        .commit()
        .file("deploy/a.yaml", config_map("settings", "1"))
        .file("deploy/b.yaml", kept)
        .submit()
        .unwrap();
    let mut app = automated();
    app["metadata"]["annotations"] = json!({"windlass.dev/strict": "report"});
    app["spec"]["ignoreDifferences"] = json!([
        {"group": "", "kind": "ConfigMap", "jsonPointers": ["/data/injected"]}
    ]);
    plane.create_app(app).await;
    plane.until_synced(&commit).await;
    let (settings, reverted) = (plane.path("configmaps/settings"), plane.path("configmaps/kept"));
    let theirs = json!({
        "metadata": {"annotations": {"theirs.dev/note": "x"}}, "data": {"more": "theirs", "injected": "by a webhook"},
    });
    for path in [&settings, &reverted] {
        plane.api.merge(path, &theirs).await.unwrap();
    }
    let live =
        plane.until(&reverted, "what was added to go", |live| live["data"].get("more").is_none()).await;
    assert_eq!(live["data"], json!({"value": "1", "injected": "by a webhook"}));
    assert!(live["metadata"]["annotations"].get("theirs.dev/note").is_none());
    let said = [
        "data.more: Git says nothing of it, live \"theirs\", added by",
        "metadata.annotations[theirs.dev/note]",
    ];
    plane.until_condition("AddedFieldWarning", &said).await;
    let app = plane
        .until_app("to be in sync", |app| {
            app["status"]["sync"]["status"] == "Synced"
                && resource(app, "ConfigMap", "kept")["status"] == "Synced"
                && resource(app, "ConfigMap", "settings")["status"] == "Synced"
        })
        .await;
    assert!(!app["status"]["conditions"].to_string().contains("injected"));
    assert_eq!(plane.get(&settings).await["data"]["more"], "theirs");
    // Now all of it is to go.
    plane.patch_app(json!({"metadata": {"annotations": {"windlass.dev/strict": "revert"}}})).await;
    plane.until(&settings, "what was added to go", |live| live["data"].get("more").is_none()).await;
    plane.until_no_conditions().await;
}
