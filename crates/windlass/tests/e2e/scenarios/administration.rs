//! `windlass proj`, `cluster` and `admin`, as a person types them.

use serde_json::json;

use crate::plane::{Plane, Server, automated, config_map};

/// A project from `create` to `delete`; what it says has its effect at once.
pub(crate) async fn projects_from_the_command_line(server: Server) {
    let plane = Plane::start(server).await;
    let (app, url) = (plane.app.clone(), plane.url());
    let empty = plane.proj(&["list"]).exits(0);
    match server {
        Server::Embedded => empty.prints(&["default", "*,*"]),
        Server::Real => empty.says(&["There are no projects in namespace"]),
    };
    plane.proj(&["get", "team"]).exits(1).says(&["error: there is no AppProject", "`windlass proj list`"]);
    plane.proj(&["create", "team", "--description=Team A"]).exits(0).says(&["Project team created."]);
    plane.proj(&["create", "team", "--description=Team A"]).exits(0).says(&["says the same"]);
    plane
        .proj(&["create", "team", "--src=*"])
        .exits(1)
        .says(&["exists and says something else", "hint: --upsert"]);

    plane.commit().file("deploy/a.yaml", config_map("one", "1")).submit().unwrap();
    let mut automated = automated();
    automated["spec"]["project"] = json!("team");
    plane.create_app(automated).await;
    plane.until_condition("InvalidSpecError", &["is not permitted in project", "team"]).await;
    plane.proj(&["add-source", "team", &url]).exits(0).says(&["is on spec.sourceRepos"]);
    plane.proj(&["add-source", "team", &url]).exits(0).says(&["says so already"]);
    plane.proj(&["add-destination", "team", "https://kubernetes.default.svc", &plane.target]).exits(0);
    plane.until_exists(&plane.path("configmaps/one")).await;

    let window = ["--schedule=* * * * *", "--duration=1h", "--applications=*"];
    let add = ["windows", "add", "team", "--kind=deny"];
    plane.proj(&[&add[..], &window].concat()).exits(0).says(&["deny window added"]);
    plane
        .proj(&[&add[..], &["--schedule=* * *", "--duration=1h", "--applications=*"]].concat())
        .exits(1)
        .says(&["cannot be used", "hint: a schedule has five fields"]);
    plane.proj(&["windows", "list", "team"]).exits(0).prints(&["0    Open", "deny"]);
    plane.verb(&["sync", &app, "--timeout=2s"]).exits(1);
    plane.proj(&["windows", "enable-manual-sync", "team", "0"]).exits(0).says(&["manualSync is on"]);
    // The sync that was asked for begins now.
    plane.verb(&["wait", &app, "--operation", "--timeout=180s"]).exits(0);
    plane.proj(&["windows", "delete", "team", "1"]).exits(1).says(&["the project has no window 1"]);
    plane.proj(&["windows", "delete", "team", "0"]).exits(0).says(&["window 0 deleted"]);
    plane.proj(&["windows", "list", "team"]).exits(0).says(&["has no windows"]);

    plane.proj(&["role", "create", "team", "ci"]).exits(0).says(&["role ci created"]);
    let policy = ["role", "add-policy", "team", "ci", "--action=sync", "--object=*"];
    plane.proj(&policy).exits(0).says(&["p, proj:team:ci, applications, sync, team/*, allow"]);
    plane
        .proj(&["role", "add-policy", "team", "cd", "--action=sync", "--object=*"])
        .exits(1)
        .says(&["the project has no role \"cd\"", "hint: those there are: ci"]);
    plane.proj(&["role", "get", "team", "ci"]).exits(0).prints(&["proj:team:ci"]);

    let status = format!("{}/{app}", plane.namespace);
    plane.proj(&["get", "team"]).exits(0).prints(&["Team A", &url, &status, "ci"]);
    plane.proj(&["list"]).exits(0).prints(&["NAME", "team", "here,"]);
    plane.proj(&["list", "-o", "name"]).exits(0).prints(&["team\n"]);
    plane.proj(&["delete", "team"]).exits(1).says(&["project team has 1 Application"]);
    plane.verb(&["delete", &app, "--yes", "--wait", "--timeout=180s"]).exits(0);
    plane.proj(&["delete", "team"]).exits(0).says(&["Project team deleted."]);
}

/// A cluster is registered from a kubeconfig, deployed to, and forgotten.
pub(crate) async fn clusters_from_the_command_line(server: Server) {
    let plane = Plane::start(server).await;
    let kubeconfig = plane.kubeconfig();
    plane.cluster(&["list"]).exits(0).prints(&["in-cluster", "https://kubernetes.default.svc", "Successful"]);
    plane
        .cluster(&["add", "--from", &kubeconfig])
        .exits(1)
        .says(&["say which context", "hint: those there are:"]);
    let context = plane.kubectl().run(&["config", "current-context"]).unwrap().trim().to_owned();
    let add = ["add", &context, "--from", &kubeconfig, "--name=elsewhere", "--label=region=eu", "--yes"];
    // The tokens of ServiceAccounts are made by controllers that the embedded server does not have.
    let target = plane.target.clone();
    let login: &[&str] = match server {
        Server::Embedded => &["--own-credentials"],
        Server::Real => &["--system-namespace", &target],
    };
    plane.cluster(&[&add[..], login].concat()).exits(0).says(&["Cluster elsewhere added: https://"]);
    plane.cluster(&[&add[..], login].concat()).exits(1).says(&["is registered already, as elsewhere"]);
    plane.cluster(&[&add[..], login, &["--upsert"]].concat()).exits(0);
    let login = if matches!(server, Server::Real) { "token" } else { "certificate" };
    plane.cluster(&["get", "elsewhere"]).exits(0).prints(&["elsewhere", "Successful", login, "region=eu"]);
    let card = plane.cluster(&["get", "elsewhere", "-o", "json"]).exits(0).out;
    let card: serde_json::Value = serde_json::from_str(&card).unwrap();
    assert!(card["connection"]["version"].as_str().unwrap().starts_with('v'), "{card}");

    let commit = plane.commit().file("deploy/a.yaml", config_map("one", "1")).submit().unwrap();
    let mut automated = automated();
    automated["spec"]["destination"] = json!({"server": null, "name": "elsewhere"});
    plane.create_app(automated).await;
    plane.until_synced(&commit).await;
    plane.assert_exists(&plane.path("configmaps/one")).await;
    plane.cluster(&["rm", "elsewhere"]).exits(1).says(&["1 Application of cluster elsewhere", "hint: "]);

    plane.cluster(&["set", "elsewhere", "--name=there", "--project=team"]).exits(0).says(&["changed"]);
    plane.cluster(&["get", "there"]).exits(0).prints(&["there", "team"]);
    plane.cluster(&["set", "there"]).exits(1).says(&["nothing is to be changed"]);
    plane.cluster(&["rm", "there", "--yes"]).exits(0).says(&["is forgotten"]);
    plane.cluster(&["get", "there"]).exits(1).says(&["there is no cluster there"]);
    plane.assert_exists(&plane.path("configmaps/one")).await;
    plane.assert_absent(&plane.control_path("secrets/there")).await;
}

/// Of a cluster that is registered with namespaces nothing else is looked at, nor is there a right to.
pub(crate) async fn cluster_of_single_namespaces(server: Server) {
    let plane = Plane::start(server).await;
    let context = plane.kubectl().run(&["config", "current-context"]).unwrap().trim().to_owned();
    let (kubeconfig, target) = (plane.kubeconfig(), plane.target.clone());
    let add = ["add", &context, "--from", &kubeconfig, "--name=elsewhere", "--namespaces", &target, "--yes"];
    let login: &[&str] = match server {
        Server::Embedded => &["--own-credentials"],
        Server::Real => &["--system-namespace", &target],
    };
    plane.cluster(&[&add[..], login].concat()).exits(0);
    plane.cluster(&["get", "elsewhere"]).exits(0).prints(&[&target]);
    let commit = plane.commit().file("deploy/a.yaml", config_map("one", "1")).submit().unwrap();
    let mut automated = automated();
    automated["spec"]["destination"] = json!({"server": null, "name": "elsewhere"});
    plane.create_app(automated).await;
    plane.until_synced(&commit).await;
    plane.assert_exists(&plane.path("configmaps/one")).await;
    // What others change there is seen and healed.
    plane.api.merge(&plane.path("configmaps/one"), &json!({"data": {"value": "other"}})).await.unwrap();
    plane
        .until(&plane.path("configmaps/one"), "the drift to be healed", |it| it["data"]["value"] == "1")
        .await;

    let role =
        "apiVersion: rbac.authorization.k8s.io/v1\nkind: ClusterRole\nmetadata: {name: wide}\nrules: []\n";
    plane.commit().file("deploy/role.yaml", role).submit().unwrap();
    plane.until_condition("ComparisonError", &["cluster level ClusterRole", "in namespaced mode"]).await;
    let other = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: two, namespace: default}\n";
    plane.commit().file("deploy/role.yaml", other).submit().unwrap();
    plane
        .until_condition("ComparisonError", &["namespace \"default\" for ConfigMap \"two\" is not managed"])
        .await;
    let mended = plane.commit().file("deploy/role.yaml", config_map("three", "1")).submit().unwrap();
    plane.until_synced(&mended).await;
    plane.until_no_conditions().await;
}

/// A cluster whose Secret has a program log in is used only where the operator allows programs.
pub(crate) async fn clusters_by_programs_are_refused(server: Server) {
    let plane = Plane::start(server).await;
    plane.commit().file("deploy/a.yaml", config_map("one", "1")).submit().unwrap();
    let config = json!({"execProviderConfig": {"command": "touch", "args": ["ran"]}}).to_string();
    let data = json!({"name": "cloud", "server": "https://cloud.example.org", "config": config});
    plane.create_secret("cloud", Some("cluster"), data).await;
    let mut automated = automated();
    automated["spec"]["destination"] = json!({"server": null, "name": "cloud"});
    plane.create_app(automated).await;
    plane.until_condition("InvalidSpecError", &["have a program run", "--allow-cluster-programs"]).await;
    let said = plane.cluster(&["list"]).exits(0);
    said.prints(&["cloud", "Failed", "program", "--allow-cluster-programs"]);
}

/// The control plane is written to a file, changed, and made again from that file.
pub(crate) async fn control_plane_as_a_file(server: Server) {
    let plane = Plane::start(server).await;
    let commit = plane.commit().file("deploy/a.yaml", config_map("one", "1")).submit().unwrap();
    plane.proj(&["create", "team", "--src=*", "--dest=*,*"]).exits(0);
    plane
        .create_secret(
            "repository",
            Some("repository"),
            json!({"url": "https://example.org/a.git", "password": "tops3cret"}),
        )
        .await;
    let mut app = automated();
    app["spec"]["project"] = json!("team");
    plane.create_app(app).await;
    plane.until_synced(&commit).await;

    let file = plane.folder().join("backup.yaml");
    let file = file.to_str().unwrap();
    plane.admin(&["export", "--out", file]).exits(0).says(&["AppProject", ", 1 Application, 1 Secret."]);
    let text = std::fs::read_to_string(file).unwrap();
    for said in ["kind: AppProject", "kind: Application", "kind: Secret"] {
        assert!(text.contains(said), "{said} in\n{text}");
    }
    assert!(!text.contains("resourceVersion") && !text.contains("managedFields"), "{text}");
    plane.admin(&["import", file]).exits(0).says(&["0 changed, 0 failed."]);

    plane.proj(&["set", "team", "--src=https://example.org/*"]).exits(0);
    plane.proj(&["create", "other"]).exits(0);
    plane.admin(&["import", file, "--dry-run"]).exits(0).says(&[
        "AppProject",
        "team updated (dry run)",
        "not in the file; it stays",
    ]);
    plane.proj(&["get", "team"]).exits(0).prints(&["https://example.org/*"]);
    plane
        .admin(&["import", file, "--prune", "--yes"])
        .exits(0)
        .says(&["other deleted", "2 changed, 0 failed."]);
    plane.proj(&["get", "other"]).exits(1);

    // Without its finalizer an Application's objects stay, and it finds them again.
    plane.verb(&["delete", &plane.app, "--cascade=orphan", "--yes", "--wait", "--timeout=180s"]).exits(0);
    plane.assert_exists(&plane.path("configmaps/one")).await;
    plane.admin(&["import", file]).exits(0).says(&["Application", "created", "1 changed"]);
    plane.until_healthy(&commit).await;
    let bad = plane.folder().join("bad.yaml");
    std::fs::write(&bad, "apiVersion: v1\nkind: Pod\nmetadata: {name: x}\n").unwrap();
    plane
        .admin(&["import", bad.to_str().unwrap()])
        .exits(1)
        .says(&["line 1: Pod x is nothing of a control plane's"]);
}
