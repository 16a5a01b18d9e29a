//! What a project forbids does not happen.

use serde_json::{Value, json};

use crate::plane::{Plane, Server, automated, config_map};

async fn create_project(plane: &Plane, spec: Value) {
    let project = json!({
        "apiVersion": "argoproj.io/v1alpha1", "kind": "AppProject",
        "metadata": {"name": "team", "namespace": plane.namespace}, "spec": spec,
    });
    plane.api.create(&plane.control_path("appprojects"), &project).await.unwrap();
    let mut app = automated();
    app["spec"]["project"] = json!("team");
    plane.commit().file("deploy/a.yaml", config_map("one", "1")).submit().unwrap();
    plane.create_app(app).await;
}

fn everywhere() -> Value {
    json!([{"server": "*", "namespace": "*"}])
}

/// A repository that the project does not list.
pub(crate) async fn project_forbids_the_source(server: Server) {
    let plane = Plane::start(server).await;
    let spec = json!({"sourceRepos": ["https://example.org/*"], "destinations": everywhere()});
    create_project(&plane, spec).await;
    plane.until_condition("InvalidSpecError", &["is not permitted in project", "team"]).await;
    plane.assert_absent(&plane.path("configmaps/one")).await;
    // As soon as it is allowed, it happens.
    let allow = json!({"spec": {"sourceRepos": ["*"]}});
    plane.api.merge(&plane.control_path("appprojects/team"), &allow).await.unwrap();
    plane.until_exists(&plane.path("configmaps/one")).await;
    plane.until_no_conditions().await;
}

/// A namespace that the project does not list.
pub(crate) async fn project_forbids_the_destination(server: Server) {
    let plane = Plane::start(server).await;
    let spec = json!({"sourceRepos": ["*"], "destinations": [{"server": "*", "namespace": "another"}]});
    create_project(&plane, spec).await;
    plane.until_condition("InvalidSpecError", &["destination", "team"]).await;
    plane.assert_absent(&plane.path("configmaps/one")).await;
}

/// A kind that the project does not allow; nothing of the plan is done.
pub(crate) async fn project_forbids_a_kind(server: Server) {
    let plane = Plane::start(server).await;
    let spec = json!({
        "sourceRepos": ["*"], "destinations": everywhere(),
        "namespaceResourceBlacklist": [{"group": "", "kind": "ConfigMap"}],
    });
    create_project(&plane, spec).await;
    plane
        .until_app("the kind to be refused", |app| {
            let said = app["status"]["conditions"].to_string();
            said.contains("ConfigMap") && said.contains("team")
        })
        .await;
    plane.assert_absent(&plane.path("configmaps/one")).await;
}

/// A project that does not exist.
pub(crate) async fn project_does_not_exist(server: Server) {
    let plane = Plane::start(server).await;
    plane.commit().file("deploy/a.yaml", config_map("one", "1")).submit().unwrap();
    let mut app = automated();
    app["spec"]["project"] = json!("nobody");
    plane.create_app(app).await;
    plane.until_condition("InvalidSpecError", &["project", "nobody"]).await;
    plane.assert_absent(&plane.path("configmaps/one")).await;
}

/// Nothing is synced while a window denies it, and the status says which; when the window goes, it is.
pub(crate) async fn sync_window_holds_up_syncs(server: Server) {
    let plane = Plane::start(server).await;
    let always = json!([{"kind": "deny", "schedule": "* * * * *", "duration": "1h", "applications": ["*"], "manualSync": true}]);
    let spec = json!({"sourceRepos": ["*"], "destinations": everywhere(), "syncWindows": always});
    create_project(&plane, spec).await;
    let waits = |app: &Value| {
        let waiting = app["status"]["windlass"]["waiting"].as_str().unwrap_or_default();
        waiting.contains("blocked by sync window deny")
    };
    let app = plane.until_app("the window to be named", waits).await;
    assert_eq!(app["status"]["sync"]["status"], "OutOfSync");
    plane.verb(&["get", plane.app.as_str()]).prints(&["blocked by sync window"]);
    plane.assert_absent(&plane.path("configmaps/one")).await;
    // A person may.
    plane.patch_app(json!({"operation": {"initiatedBy": {"username": "ada"}, "sync": {}}})).await;
    plane.until_exists(&plane.path("configmaps/one")).await;
    let commit = plane.commit().file("deploy/a.yaml", config_map("one", "2")).submit().unwrap();
    plane.until_app("the window to be named again", waits).await;
    let open = json!({"spec": {"syncWindows": null}});
    plane.api.merge(&plane.control_path("appprojects/team"), &open).await.unwrap();
    plane.until_synced(&commit).await;
}

/// Where ServiceAccounts write, one may do what its own roles allow, and without one nothing is written.
pub(crate) async fn service_account_writes(server: Server) {
    let plane = Plane::start(server).await;
    let settings = json!({
        "apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "argocd-cm", "namespace": plane.namespace},
        "data": {"application.sync.impersonation.enabled": "true"},
    });
    plane.api.create(&plane.control_path("configmaps"), &settings).await.unwrap();
    let spec = json!({"sourceRepos": ["*"], "destinations": everywhere()});
    create_project(&plane, spec).await;
    plane.until_condition("InvalidSpecError", &["no matching service account found", "team"]).await;
    plane.assert_absent(&plane.path("configmaps/one")).await;

    let accounts = json!([
        {"server": "https://elsewhere.example", "namespace": "*", "defaultServiceAccount": "other"},
        {"server": "*", "namespace": plane.target, "defaultServiceAccount": "deployer"},
    ]);
    let named = json!({"spec": {"destinationServiceAccounts": accounts}});
    plane.api.merge(&plane.control_path("appprojects/team"), &named).await.unwrap();
    let user = format!("system:serviceaccount:{}:deployer", plane.target);
    plane
        .until_app("the account to be refused", |app| {
            let status = app["status"].to_string();
            status.contains("forbidden") && status.contains(&user)
        })
        .await;
    plane.assert_absent(&plane.path("configmaps/one")).await;

    allow_config_maps(&plane, &plane.target, "deployer").await;
    plane.until_exists(&plane.path("configmaps/one")).await;
    plane.until_no_conditions().await;
    // What it may not write stays away, and what it wrote it also takes away.
    let secret = "apiVersion: v1\nkind: Secret\nmetadata:\n  name: key\n";
    plane.commit().delete("deploy/a.yaml").file("deploy/b.yaml", config_map("two", "2")).submit().unwrap();
    plane.until_gone(&plane.path("configmaps/one")).await;
    plane.until_exists(&plane.path("configmaps/two")).await;
    plane.commit().file("deploy/key.yaml", secret).submit().unwrap();
    plane.until_app("the Secret to be refused", |app| app["status"].to_string().contains("secrets")).await;
    plane.assert_absent(&plane.path("secrets/key")).await;
}

/// What a global project permits, those that match its selector permit too, as long as it does.
pub(crate) async fn projects_inherit(server: Server) {
    let plane = Plane::start(server).await;
    let settings = json!({
        "apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "argocd-cm", "namespace": plane.namespace},
        "data": {"globalProjects": "- projectName: base\n  labelSelector:\n    matchLabels: {tier: prod}\n"},
    });
    plane.api.create(&plane.control_path("configmaps"), &settings).await.unwrap();
    create_project(&plane, json!({"sourceRepos": [], "destinations": everywhere()})).await;
    let base = json!({
        "apiVersion": "argoproj.io/v1alpha1", "kind": "AppProject",
        "metadata": {"name": "base", "namespace": plane.namespace}, "spec": {"sourceRepos": ["*"]},
    });
    plane.api.create(&plane.control_path("appprojects"), &base).await.unwrap();
    plane.until_condition("InvalidSpecError", &["is not permitted in project", "team"]).await;
    let labels = json!({"metadata": {"labels": {"tier": "prod"}}});
    plane.api.merge(&plane.control_path("appprojects/team"), &labels).await.unwrap();
    plane.until_exists(&plane.path("configmaps/one")).await;
    plane.until_no_conditions().await;
    plane.api.delete(&plane.control_path("appprojects/base")).await.unwrap();
    plane.until_condition("InvalidSpecError", &["is not permitted in project", "team"]).await;
}

/// Lets a ServiceAccount of the target's namespace do everything with ConfigMaps there.
pub(crate) async fn allow_config_maps(plane: &Plane, account_namespace: &str, account: &str) {
    let roles = format!("/apis/rbac.authorization.k8s.io/v1/namespaces/{}", plane.target);
    let role = json!({
        "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "Role",
        "metadata": {"name": "deployer", "namespace": plane.target},
        "rules": [{"apiGroups": [""], "resources": ["configmaps"], "verbs": ["get", "create", "patch", "delete"]}],
    });
    let binding = json!({
        "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "RoleBinding",
        "metadata": {"name": "deployer", "namespace": plane.target},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "deployer"},
        "subjects": [{"kind": "ServiceAccount", "name": account, "namespace": account_namespace}],
    });
    plane.api.create(&format!("{roles}/roles"), &role).await.unwrap();
    plane.api.create(&format!("{roles}/rolebindings"), &binding).await.unwrap();
}

/// A project that asks for it is told how many objects in the namespace belong to nobody; the command line lists them.
pub(crate) async fn orphans_are_counted(server: Server) {
    let plane = Plane::start(server).await;
    let spec = json!({
        "sourceRepos": ["*"], "destinations": everywhere(),
        "orphanedResources": {"warn": true, "ignore": [
            {"kind": "ConfigMap", "name": "left-*"}, {"group": "windlass.dev", "kind": "Anything"},
        ]},
    });
    create_project(&plane, spec).await;
    plane.until_exists(&plane.path("configmaps/one")).await;
    plane.until_no_conditions().await;
    for name in ["stray", "left-alone"] {
        let map = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}});
        plane.api.create(&plane.path("configmaps"), &map).await.unwrap();
    }
    plane.until_condition("OrphanedResourceWarning", &["Application has 1 orphaned resources"]).await;
    // What an orphan owns is one, too; what belongs to an Application that does not exist is nobody's.
    let owner = plane.api.get(&plane.path("configmaps/stray")).await.unwrap();
    let owned = json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "owned", "ownerReferences": [
        {"apiVersion": "v1", "kind": "ConfigMap", "name": "stray", "uid": owner["metadata"]["uid"]},
    ]}});
    plane.api.create(&plane.path("secrets"), &owned).await.unwrap();
    let mark = format!("nobody:/Service:{}/marked", plane.namespace);
    let marked = json!({
        "apiVersion": "v1", "kind": "Service", "spec": {"ports": [{"port": 80}]},
        "metadata": {"name": "marked", "annotations": {"argocd.argoproj.io/tracking-id": mark}},
    });
    plane.api.create(&plane.path("services"), &marked).await.unwrap();
    plane.until_condition("OrphanedResourceWarning", &["Application has 3 orphaned resources"]).await;
    plane
        .verb(&["resources", plane.app.as_str(), "--orphaned", "-o", "name"])
        .exits(0)
        .prints(&["configmap/stray\nsecret/owned\nservice/marked\n"]);
    // What is declared is no orphan any more.
    let stray = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: stray}\ndata: {a: b}\n";
    plane.commit().file("deploy/stray.yaml", stray).submit().unwrap();
    plane.until_condition("OrphanedResourceWarning", &["Application has 1 orphaned resources"]).await;
    // Where nobody wants to be warned, they can be listed all the same.
    let quiet = json!({"spec": {"orphanedResources": {"warn": false}}});
    plane.api.merge(&plane.control_path("appprojects/team"), &quiet).await.unwrap();
    plane.until_no_conditions().await;
    plane.verb(&["resources", plane.app.as_str(), "--orphaned"]).exits(0).prints(&["marked"]);
    let nothing = json!({"spec": {"orphanedResources": null}});
    plane.api.merge(&plane.control_path("appprojects/team"), &nothing).await.unwrap();
    plane
        .verb(&["resources", plane.app.as_str(), "--orphaned"])
        .exits(0)
        .says(&["does not look for orphaned"]);
}

/// A sync that somebody asks for says what holds it up before it begins, and can be ended then.
pub(crate) async fn a_held_sync_says_so(server: Server) {
    let plane = Plane::start(server).await;
    let always = json!([{"kind": "deny", "schedule": "* * * * *", "duration": "1h", "applications": ["*"]}]);
    let spec = json!({"sourceRepos": ["*"], "destinations": everywhere(), "syncWindows": always});
    create_project(&plane, spec).await;
    let asks = json!({"operation": {"initiatedBy": {"username": "ada"}, "sync": {}}});
    plane.patch_app(asks.clone()).await;
    let held = |app: &Value| {
        let state = &app["status"]["operationState"];
        state["phase"] == "Running"
            && state["message"].as_str().unwrap_or_default().contains("sync window deny")
    };
    let app = plane.until_app("the sync to say what holds it up", held).await;
    assert_eq!(app["status"]["operationState"]["operation"]["initiatedBy"]["username"], "ada");
    assert!(app["status"]["operationState"]["startedAt"].is_string());
    plane.verb(&["terminate", plane.app.as_str()]).exits(0);
    plane
        .until_app("the operation to end", |app| {
            app["status"]["operationState"]["phase"] == "Failed" && app.get("operation").is_none()
        })
        .await;
    plane.assert_absent(&plane.path("configmaps/one")).await;
    plane.patch_app(asks).await;
    plane.until_app("the sync to say what holds it up", held).await;
    let open = json!({"spec": {"syncWindows": null}});
    plane.api.merge(&plane.control_path("appprojects/team"), &open).await.unwrap();
    plane.until_exists(&plane.path("configmaps/one")).await;
    plane.until_app("the end", |app| app["status"]["operationState"]["phase"] == "Succeeded").await;
}

/// A kind that `resource.exclusions` leaves out is deployed where it is declared, and the Application says so.
pub(crate) async fn excluded_kinds_are_told(server: Server) {
    let plane = Plane::start(server).await;
    let settings = |exclusions: &str| {
        json!({
            "apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "argocd-cm", "namespace": plane.namespace},
            "data": {"resource.exclusions": exclusions},
        })
    };
    let exclusions = settings("- apiGroups: ['']\n  kinds: [ConfigMap]\n");
    plane.api.create(&plane.control_path("configmaps"), &exclusions).await.unwrap();
    let commit = plane.commit().file("deploy/a.yaml", config_map("settings", "1")).submit().unwrap();
    plane.create_automated_app().await;
    let said = ["Resource /ConfigMap settings is excluded in the settings"];
    plane.until_condition("ExcludedResourceWarning", &said).await;
    plane.until_healthy(&commit).await;
    plane.assert_exists(&plane.path("configmaps/settings")).await;
    plane.api.merge(&plane.control_path("configmaps/argocd-cm"), &settings("[]")).await.unwrap();
    plane.until_no_conditions().await;
}
