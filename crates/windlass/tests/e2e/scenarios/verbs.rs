//! `windlass app …`, as a person types it.

use serde_json::json;
use tempfile::TempDir;

use crate::plane::{Plane, Server, config_map, deployment};

/// No verb waits longer than the rest of a scenario would.
const TIMEOUT: &str = "--timeout=180s";
const HERE: &str = "--allow-local-repositories";

/// A commit as tables print it.
fn short(commit: &str) -> &str {
    &commit[..7]
}

/// The whole life of an Application, from `create` to `delete`, with the verbs alone.
pub(crate) async fn life_of_an_application(server: Server) {
    let plane = Plane::builder(server).never_polls().start().await;
    let app = plane.app.as_str();
    let first = plane
        .commit()
        .file("deploy/settings.yaml", config_map("settings", "1"))
        .file("deploy/web.yaml", deployment("web", "nginx:1.27"))
        .submit()
        .unwrap();

    plane.verb(&["list"]).exits(0).says(&["There are no such Applications in namespace"]);
    plane.verb(&["get", app]).exits(1).says(&["error: there is no Application"]);
    plane.verb(&["wait", app, "--timeout=1s"]).exits(1).says(&["there is no Application"]);
    let url = plane.url();
    let target = plane.target.as_str();
    let create = ["create", app, "--repo", &url, "--path=deploy", "--dest-namespace", target];
    plane.verb(&create).exits(0).says(&["created."]);
    plane.verb(&create).exits(0).says(&["is there already, as asked for"]);
    let other = ["create", app, "--repo", &url, "--path=elsewhere", "--dest-namespace", target];
    plane.verb(&other).exits(1).says(&["exists and asks for something else", "hint: --upsert"]);

    plane.verb(&["refresh", app]).exits(0).prints(&["OutOfSync", short(&first), "Missing"]);
    plane.verb(&["list"]).exits(0).prints(&["NAME", app, "default", "OutOfSync", "Missing", target]);
    plane.verb(&["list", "-o", "name"]).exits(0).prints(&[&format!("{}/{app}\n", plane.namespace)]);
    plane.verb(&["get", app]).exits(0).prints(&["OutOfSync", "a manual sync", "Deployment", "web"]);
    plane.verb(&["history", app]).exits(0).says(&["Nothing was deployed yet."]);
    plane.verb(&["manifests", app, HERE]).exits(0).prints(&["kind: Deployment", "image: nginx:1.27"]);
    plane.verb(&["manifests", app]).exits(1).says(&["error: ", "loopback"]);
    plane
        .verb(&["diff", app, HERE])
        .exits(1)
        .prints(&["ConfigMap", "would be created", "Deployment", "+  value: \"1\""])
        .says(&["2 objects differ."]);
    plane.verb(&["sync", app, "--dry-run", TIMEOUT]).exits(0).says(&["Succeeded"]);
    plane.assert_absent(&plane.path("configmaps/settings")).await;
    plane.verb(&["terminate", app]).exits(1).says(&["no operation is running"]);

    let settings = format!(":ConfigMap:{target}/settings");
    plane.verb(&["sync", app, "--resource", &settings, TIMEOUT]).exits(0).prints(&["settings", "Synced"]);
    plane.assert_exists(&plane.path("configmaps/settings")).await;
    plane.assert_absent(&plane.path("deployments/web")).await;
    plane.verb(&["sync", app, "--wait", TIMEOUT]).exits(0).prints(&["web", "Synced", "Healthy"]);
    plane.verb(&["wait", app, TIMEOUT]).exits(0).prints(&["Synced", short(&first), "Healthy"]);
    plane.verb(&["diff", app, HERE]).exits(0).says(&["No differences."]);
    plane
        .verb(&["resources", app, "-o", "name"])
        .exits(0)
        .prints(&["deployment.apps/web", "configmap/settings"]);
    plane.verb(&["tree", app]).exits(0).prints(&["Application", "Deployment", "ReplicaSet", "Pod", "1/1"]);
    plane.verb(&["manifests", app, "--source=live"]).exits(0).prints(&["readyReplicas: 1"]);
    let logs = plane.verb(&["logs", app]);
    match server {
        Server::Embedded => logs.exits(0).says(&["The pods are simulated"]),
        // The nodes of kwok have no logs of what does not run; the real server says so in its own words.
        Server::Real => logs.exits(1).says(&["web-"]),
    };
    plane.verb(&["logs", app, "--container=none"]).exits(1).says(&["there are no such containers"]);

    let second = plane.commit().file("deploy/settings.yaml", config_map("settings", "2")).submit().unwrap();
    plane.verb(&["get", app, "--refresh"]).exits(0).prints(&["OutOfSync", short(&second)]);
    plane
        .verb(&["diff", app, HERE])
        .exits(1)
        .prints(&["would be changed", "-  value: \"1\"", "+  value: \"2\""])
        .says(&["1 object differs."]);
    plane.verb(&["diff", app, HERE, "--exit-code=false"]).exits(0);
    plane.verb(&["diff", app, HERE, "--revision", first.as_str()]).exits(0).says(&["No differences."]);
    plane.verb(&["diff", app, HERE, "--revision=gone"]).exits(2).says(&["error: ", "gone"]);
    plane.verb(&["sync", app, "--async"]).exits(0).says(&["Asked for"]);
    plane.verb(&["wait", app, "--sync", "--operation", TIMEOUT]).exits(0).prints(&["Synced", short(&second)]);
    let history = plane.verb(&["history", app]).exits(0).prints(&[short(&first), short(&second)]);
    assert_eq!(history.out.lines().count(), 3, "{}", history.out);

    plane.verb(&["rollback", app, "7"]).exits(1).says(&["there is no deployment 7 in its history"]);
    plane.verb(&["rollback", app, TIMEOUT]).exits(0).says(&["Succeeded", short(&first)]);
    assert_eq!(plane.get(&plane.path("configmaps/settings")).await["data"]["value"], "1");
    plane.verb(&["sync", app, "--revision=gone", TIMEOUT]).exits(1).says(&["could not be resolved", "gone"]);

    plane.verb(&["set", app, "--auto-prune", "--self-heal"]).exits(0).says(&["changed."]);
    plane.verb(&["wait", app, TIMEOUT]).exits(0).prints(&["Synced", short(&second), "Healthy"]);
    assert_eq!(plane.get(&plane.path("configmaps/settings")).await["data"]["value"], "2");
    plane.verb(&["rollback", app]).exits(1).says(&["syncs by itself", "hint: ", "--sync-policy manual"]);
    let wait = ["wait", app, "--delete", "--timeout=1s"];
    plane.verb(&wait).exits(1).says(&["the time was up", "hint: "]);

    plane.verb(&["delete", app, "--yes", "--wait", TIMEOUT]).exits(0).says(&["deleted."]);
    plane.assert_absent(&plane.path("configmaps/settings")).await;
    plane.assert_absent(&plane.path("deployments/web")).await;
    plane.verb(&["list"]).exits(0).says(&["There are no such Applications"]);
}

/// An operation that waits can be watched and ended; a deletion can leave the objects.
pub(crate) async fn ending_an_operation(server: Server) {
    let plane = Plane::builder(server).never_polls().without_simulator().start().await;
    let app = plane.app.as_str();
    plane
        .commit()
        .file("deploy/front.yaml", crate::plane::balancer("front", 0))
        .file("deploy/late.yaml", crate::plane::config_map_with("late", "1", super::waves::WAVE, "1"))
        .submit()
        .unwrap();
    plane.create_app(serde_json::json!({})).await;
    plane.verb(&["sync", app, "--timeout=1s"]).exits(1).says(&["did not end", "hint: "]);
    plane.until_app("the sync to wait", |app| super::waves::waits_for(app, "front")).await;
    plane.verb(&["get", app]).exits(0).prints(&["Running", "healthy state of", "front"]);
    plane.verb(&["sync", app, TIMEOUT]).exits(1).says(&["error: ", "windlass app terminate"]);
    plane.verb(&["terminate", app]).exits(0).says(&["ends at its next safe point"]);
    plane.verb(&["wait", app, "--operation", TIMEOUT]).exits(0);
    plane.until_app("the operation ended", |app| app["status"]["operationState"]["phase"] == "Failed").await;
    plane.assert_absent(&plane.path("configmaps/late")).await;
    plane.verb(&["delete", app, "--cascade=orphan", "--yes"]).exits(0).says(&["its objects stay"]);
    plane.verb(&["wait", app, "--delete", TIMEOUT]).exits(0);
    plane.assert_exists(&plane.path("services/front")).await;
}

/// A folder of this machine takes the place of the repository's; actions act on live objects.
pub(crate) async fn local_folder_and_actions(server: Server) {
    let plane = Plane::builder(server).never_polls().start().await;
    let app = plane.app.as_str();
    let commit = plane.commit().file("deploy/web.yaml", deployment("web", "nginx:1.27")).submit().unwrap();
    plane.create_app(json!({})).await;
    plane.verb(&["sync", app, "--wait", TIMEOUT]).exits(0).says(&[
        "Sync, wave 0",
        "deployment.apps/",
        "Synced: deployment.apps/web serverside-applied",
    ]);
    plane.until_healthy(&commit).await;

    let folder = TempDir::with_prefix("windlass-e2e-local-").unwrap();
    let local = folder.path().to_str().unwrap();
    std::fs::write(folder.path().join("web.yaml"), deployment("web", "nginx:1.28")).unwrap();
    plane
        .verb(&["diff", app, HERE, "--local", local])
        .exits(1)
        .prints(&["-      - image: nginx:1.27", "+      - image: nginx:1.28"])
        .says(&["1 object differs."]);
    plane.verb(&["sync", app, "--local", local, TIMEOUT]).exits(0).says(&["Succeeded"]);
    let live = plane.path("deployments/web");
    let image = |live: &serde_json::Value| live["spec"]["template"]["spec"]["containers"][0]["image"].clone();
    assert_eq!(image(&plane.get(&live).await), "nginx:1.28");
    plane
        .until_app("OutOfSync with its repository", |app| app["status"]["sync"]["status"] == "OutOfSync")
        .await;
    std::fs::write(folder.path().join("broken.yaml"), "apiVersion: v1\nkind: ConfigMap\nmetadata: {")
        .unwrap();
    plane
        .verb(&["sync", app, "--local", local, TIMEOUT])
        .exits(1)
        .says(&["could not be rendered as a whole"]);

    plane.verb(&["actions", "list", app]).exits(0).prints(&["Deployment.apps", "restart", "scale"]);
    plane.verb(&["actions", "run", app, "explode"]).exits(1).says(&["none of these objects", "hint: "]);
    let scale = ["actions", "run", app, "scale", "--kind=Deployment", "--param=replicas=2"];
    plane.verb(&scale).exits(0).says(&["scale done"]);
    plane.until(&live, "two replicas", |live| live["spec"]["replicas"] == 2).await;
    plane.verb(&["actions", "run", app, "restart", "--kind=Deployment"]).exits(0).says(&["restart done"]);
    let restarted = |live: &serde_json::Value| {
        live["spec"]["template"]["metadata"]["annotations"]["kubectl.kubernetes.io/restartedAt"].is_string()
    };
    plane.until(&live, "the time of the restart", restarted).await;

    plane.verb(&["set", app, "--auto-prune", "--self-heal"]).exits(0);
    plane.verb(&["sync", app, "--local", local]).exits(1).says(&["syncs by itself", "hint: "]);
}

/// `diff` shows what goes when an object is taken over from `kubectl apply`, and looks at other clusters as well.
pub(crate) async fn taking_over_and_other_clusters(server: Server) {
    let plane = Plane::builder(server).never_polls().start().await;
    let app = plane.app.as_str();
    let elsewhere = plane.register_cluster("elsewhere").await;
    let declared = config_map("settings", "1");
    let applied = format!("{declared}  old: \"1\"\n");
    plane.kubectl().run_with_input(&["apply", "-n", &plane.target, "-f", "-"], &applied).unwrap();
    let commit = plane.commit().file("deploy/a.yaml", &declared).submit().unwrap();
    plane.create_app(json!({"spec": {"destination": {"server": elsewhere}}})).await;
    let diff = plane.verb(&["diff", app, HERE]).exits(1).prints(&["would be changed", "-  old: \"1\""]);
    assert!(!diff.out.contains("-  value"), "{}", diff.out);
    plane.verb(&["sync", app, "--wait", TIMEOUT]).exits(0);
    let synced = plane.until_synced(&commit).await;
    assert_eq!(synced["status"]["sync"]["comparedTo"]["destination"]["server"], elsewhere.as_str());
    assert_eq!(plane.get(&plane.path("configmaps/settings")).await["data"], json!({"value": "1"}));
    plane.verb(&["diff", app, HERE]).exits(0).says(&["No differences."]);
    let tree = plane.verb(&["tree", app]).exits(0).prints(&["ConfigMap", "settings"]);
    assert!(!tree.err.contains("another cluster"), "{}", tree.err);
    plane.verb(&["logs", app]).exits(1).says(&["there are no such containers"]);
    plane.verb(&["actions", "list", app]).exits(0);
}
