//! From a commit to live state, and keeping it so.

use serde_json::{Value, json};
use windlass_testing::eventually;

use crate::plane::{PATIENCE, Plane, Server, automated, config_map, deployment, resource};

/// A Deployment and a ConfigMap arrive; the status says all that Argo CD's would.
pub(crate) async fn first_sync_becomes_healthy(server: Server) {
    let plane = Plane::start(server).await;
    let commit = plane
        .commit()
        .file("deploy/settings.yaml", config_map("settings", "1"))
        .file("deploy/web.yaml", deployment("web", "nginx:1.27"))
        .submit()
        .unwrap();
    plane.create_automated_app().await;
    let app = plane.until_healthy(&commit).await;

    let status = &app["status"];
    assert_eq!(status["sourceType"], "Directory");
    assert_eq!(status["summary"]["images"], json!(["nginx:1.27"]));
    assert_eq!(resource(&app, "Deployment", "web")["health"]["status"], "Healthy");
    assert_eq!(resource(&app, "ConfigMap", "settings")["status"], "Synced");
    assert_eq!(status["history"].as_array().map(Vec::len), Some(1), "{status}");
    assert_eq!(status["history"][0]["revision"], commit.as_str());
    assert_eq!(status["operationState"]["syncResult"]["revision"], commit.as_str());
    assert!(status["conditions"].as_array().is_none_or(Vec::is_empty), "{status}");

    let live = plane.get(&plane.path("configmaps/settings")).await;
    let mark = &live["metadata"]["annotations"]["argocd.argoproj.io/tracking-id"];
    assert_eq!(*mark, format!("{}:/ConfigMap:{}/settings", plane.app, plane.target));
    let managers: Vec<&Value> = live["metadata"]["managedFields"].as_array().into_iter().flatten().collect();
    assert!(managers.iter().any(|entry| entry["manager"] == "argocd-controller"), "{live}");
}

/// The next commit is found by asking.
pub(crate) async fn new_commit_arrives_by_poll(server: Server) {
    let plane = Plane::start(server).await;
    let first = plane.commit().file("deploy/a.yaml", config_map("settings", "1")).submit().unwrap();
    plane.create_automated_app().await;
    plane.until_synced(&first).await;
    let second = plane.commit().file("deploy/a.yaml", config_map("settings", "2")).submit().unwrap();
    let app = plane.until_synced(&second).await;
    assert_eq!(plane.get(&plane.path("configmaps/settings")).await["data"]["value"], "2");
    assert_eq!(app["status"]["history"].as_array().map(Vec::len), Some(2), "{}", app["status"]);
}

/// Objects that are changed one after the other are all brought back at once: none of them is fought over. With one
/// pause for the whole Application the ninth would wait for minutes.
pub(crate) async fn drift_of_many_objects_is_undone_at_once(server: Server) {
    const N_OBJECTS: usize = 12;
    let plane = Plane::start(server).await;
    let files = (0..N_OBJECTS).map(|idx| {
        let name = format!("settings-{idx}");
        (format!("deploy/{idx}.yaml"), config_map(&name, "1"))
    });
    let commit = plane.commit().files(files).submit().unwrap();
    plane.create_automated_app().await;
    plane.until_synced(&commit).await;
    for idx in 0..N_OBJECTS {
        let path = plane.path(&format!("configmaps/settings-{idx}"));
        plane.api.merge(&path, &json!({"data": {"value": "drifted"}})).await.unwrap();
        plane.until(&path, "the value to be healed", |live| live["data"]["value"] == "1").await;
    }
    plane.until_no_conditions().await;
}

/// The next commit is told by a signed webhook, and one with a wrong signature is refused.
pub(crate) async fn new_commit_arrives_by_webhook(server: Server) {
    let plane = Plane::builder(server).never_polls().start().await;
    plane.create_secret("argocd-secret", None, json!({"webhook.generic.secret": "sesame"})).await;
    let first = plane.commit().file("deploy/a.yaml", config_map("settings", "1")).submit().unwrap();
    plane.create_automated_app().await;
    plane.until_synced(&first).await;
    let second = plane.commit().file("deploy/a.yaml", config_map("settings", "2")).submit().unwrap();
    assert!(plane.push_webhook("guess").await >= 400, "a push with a wrong signature was taken");
    assert_eq!(plane.app().await["status"]["sync"]["revision"], first.as_str());
    let taken = || async {
        match plane.push_webhook("sesame").await {
            200..=299 => Ok(()),
            code => Err(format!("the webhook answered {code}")),
        }
    };
    eventually(PATIENCE, taken).await.unwrap();
    plane.until_synced(&second).await;
    assert_eq!(plane.get(&plane.path("configmaps/settings")).await["data"]["value"], "2");
}

/// What was changed or deleted by hand comes back without anybody asking Git.
pub(crate) async fn heals_drift_by_watch(server: Server) {
    let plane = Plane::builder(server).never_polls().start().await;
    let commit = plane
        .commit()
        .file("deploy/a.yaml", config_map("settings", "1"))
        .file("deploy/web.yaml", deployment("web", "nginx:1.27"))
        .submit()
        .unwrap();
    plane.create_automated_app().await;
    plane.until_healthy(&commit).await;
    let asked = plane.git.upload_packs();

    let settings = plane.path("configmaps/settings");
    plane.api.merge(&settings, &json!({"data": {"value": "drifted", "mine": "kept"}})).await.unwrap();
    let healed = plane.until(&settings, "the value to be healed", |live| live["data"]["value"] == "1").await;
    assert_eq!(healed["data"]["mine"], "kept", "a field that Git does not declare is nobody's business");

    let web = plane.path("deployments/web");
    let uid = plane.get(&web).await["metadata"]["uid"].clone();
    plane.api.delete(&web).await.unwrap();
    plane.until(&web, "another Deployment", |live| live["metadata"]["uid"] != uid).await;
    let app = plane.until_healthy(&commit).await;
    assert_eq!(app["status"]["history"].as_array().map(Vec::len), Some(1), "healing is no deployment");
    assert_eq!(plane.git.upload_packs(), asked, "Git was asked");
}

/// The refresh annotation asks for news, and is removed.
pub(crate) async fn refresh_annotation_is_taken(server: Server) {
    let plane = Plane::builder(server).never_polls().start().await;
    let first = plane.commit().file("deploy/a.yaml", config_map("settings", "1")).submit().unwrap();
    plane.create_automated_app().await;
    plane.until_synced(&first).await;
    let second = plane.commit().file("deploy/a.yaml", config_map("settings", "2")).submit().unwrap();
    plane.refresh().await;
    // It goes when the answer is in the status, not before.
    assert_eq!(plane.app().await["status"]["sync"]["revision"], second.as_str());
    plane.until_synced(&second).await;
    plane.patch_app(json!({"metadata": {"annotations": {"argocd.argoproj.io/refresh": "hard"}}})).await;
    plane
        .until_app("the hard refresh to be taken", |app| {
            app["metadata"]["annotations"]["argocd.argoproj.io/refresh"].is_null()
        })
        .await;
    plane.until_synced(&second).await;
}

/// The destination's namespace is made, and carries what the policy says.
pub(crate) async fn creates_the_namespace_with_its_metadata(server: Server) {
    let plane = Plane::start(server).await;
    let made = format!("{}-made", plane.target);
    let commit = plane.commit().file("deploy/a.yaml", config_map("settings", "1")).submit().unwrap();
    let mut app = automated();
    app["spec"]["destination"] = json!({"namespace": made});
    app["spec"]["syncPolicy"]["syncOptions"] = json!(["CreateNamespace=true"]);
    app["spec"]["syncPolicy"]["managedNamespaceMetadata"] =
        json!({"labels": {"team": "shop"}, "annotations": {"contact": "shop@example.org"}});
    plane.create_app(app).await;
    plane.until_healthy(&commit).await;
    let namespace = plane.get(&format!("/api/v1/namespaces/{made}")).await;
    assert_eq!(namespace["metadata"]["labels"]["team"], "shop");
    assert_eq!(namespace["metadata"]["annotations"]["contact"], "shop@example.org");
    plane.assert_exists(&format!("/api/v1/namespaces/{made}/configmaps/settings")).await;
    let metadata = json!({"labels": {"team": "checkout"}});
    plane.patch_app(json!({"spec": {"syncPolicy": {"managedNamespaceMetadata": metadata}}})).await;
    plane
        .until(&format!("/api/v1/namespaces/{made}"), "the new label", |namespace| {
            namespace["metadata"]["labels"]["team"] == "checkout"
        })
        .await;
    plane.api.delete(&format!("/api/v1/namespaces/{made}")).await.unwrap();
}

/// A kind and an object of it arrive in one commit.
pub(crate) async fn custom_resource_beside_its_definition(server: Server) {
    let mut plane = Plane::start(server).await;
    // Definitions belong to the whole cluster, which others use too.
    let group = format!("{}.example.org", plane.target);
    let definition = json!({
        "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
        "metadata": {"name": format!("gadgets.{group}")},
        "spec": {
            "group": group, "scope": "Namespaced",
            "names": {"kind": "Gadget", "plural": "gadgets", "singular": "gadget"},
            "versions": [{"name": "v1", "served": true, "storage": true, "schema": {"openAPIV3Schema": {
                "type": "object", "properties": {"spec": {"type": "object",
                    "properties": {"size": {"type": "integer"}}}}}}}],
        }
    });
    let gadget = json!({
        "apiVersion": format!("{group}/v1"), "kind": "Gadget",
        "metadata": {"name": "one"}, "spec": {"size": 3},
    });
    let commit = plane
        .commit()
        .file("deploy/gadget.json", gadget.to_string())
        .file("deploy/definition.json", definition.to_string())
        .submit()
        .unwrap();
    plane.create_automated_app().await;
    plane.until_healthy(&commit).await;
    let path = format!("/apis/{group}/v1/namespaces/{}/gadgets/one", plane.target);
    assert_eq!(plane.get(&path).await["spec"]["size"], 3);
    plane.api.merge(&path, &json!({"spec": {"size": 4}})).await.unwrap();
    plane.until(&path, "the size to be healed", |live| live["spec"]["size"] == 3).await;
    if server == Server::Embedded {
        return;
    }
    plane.kill();
    let definition = format!("/apis/apiextensions.k8s.io/v1/customresourcedefinitions/gadgets.{group}");
    plane.api.delete(&definition).await.unwrap();
}

/// Objects that `kubectl apply` made are taken over as they are.
pub(crate) async fn takes_over_applied_objects_unchanged(server: Server) {
    let plane = Plane::start(server).await;
    let files = [("settings", config_map("settings", "1")), ("web", deployment("web", "nginx:1.27"))];
    for (_, manifest) in &files {
        plane.kubectl().run_with_input(&["apply", "-n", &plane.target, "-f", "-"], manifest).unwrap();
    }
    let web = plane.path("deployments/web");
    plane.until(&web, "the Deployment to be ready", |live| live["status"]["readyReplicas"] == 1).await;
    let before = plane.get(&web).await;
    let mut commit = plane.commit();
    for (name, manifest) in &files {
        commit = commit.file(format!("deploy/{name}.yaml"), manifest);
    }
    let commit = commit.submit().unwrap();
    plane.create_automated_app().await;
    plane.until_healthy(&commit).await;
    let after = plane.get(&web).await;
    assert_eq!(after["metadata"]["uid"], before["metadata"]["uid"]);
    assert_eq!(after["spec"], before["spec"]);
}

/// A field that `kubectl apply` set goes when it is no longer declared.
pub(crate) async fn removes_fields_that_kubectl_applied(server: Server) {
    let plane = Plane::start(server).await;
    let manifest = config_map("settings", "1");
    plane.kubectl().run_with_input(&["apply", "-n", &plane.target, "-f", "-"], &manifest).unwrap();
    let first = plane.commit().file("deploy/a.yaml", &manifest).submit().unwrap();
    plane.create_automated_app().await;
    plane.until_synced(&first).await;
    let second = plane.commit().file("deploy/a.yaml", manifest.replace("value", "other")).submit().unwrap();
    plane.until_synced(&second).await;
    let settings = plane.get(&plane.path("configmaps/settings")).await;
    assert_eq!(settings["data"], json!({"other": "1"}));
}

/// No more deployments are remembered than the Application wants.
pub(crate) async fn history_is_limited(server: Server) {
    let plane = Plane::start(server).await;
    let mut commits =
        vec![plane.commit().file("deploy/a.yaml", config_map("settings", "0")).submit().unwrap()];
    let mut app = automated();
    app["spec"]["revisionHistoryLimit"] = json!(2);
    plane.create_app(app).await;
    plane.until_synced(&commits[0]).await;
    for value in ["1", "2", "3"] {
        commits.push(plane.commit().file("deploy/a.yaml", config_map("settings", value)).submit().unwrap());
        plane.until_synced(&commits[commits.len() - 1]).await;
    }
    let app = plane.app().await;
    let history = app["status"]["history"].as_array().unwrap();
    let revisions: Vec<&str> = history.iter().filter_map(|entry| entry["revision"].as_str()).collect();
    assert_eq!(revisions, [commits[2].as_str(), commits[3].as_str()]);
    let ids: Vec<i64> = history.iter().filter_map(|entry| entry["id"].as_i64()).collect();
    assert_eq!(ids, [2, 3]);
}
