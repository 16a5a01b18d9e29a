//! What other tools applied client-side, taken over: nothing changes but what Git says.

use serde_json::{Value, json};

use crate::plane::{Plane, Server, automated, config_map, deployment};

const LAST_APPLIED: &str = "kubectl.kubernetes.io/last-applied-configuration";

/// Who owns fields of an object, apart from its status.
fn managers(live: &Value) -> Vec<String> {
    let entries = live["metadata"]["managedFields"].as_array().into_iter().flatten();
    let entries = entries.filter(|entry| entry["subresource"].is_null());
    let mut managers: Vec<String> = entries
        .map(|entry| {
            format!("{} {}", entry["manager"].as_str().unwrap(), entry["operation"].as_str().unwrap())
        })
        .collect();
    managers.sort();
    managers
}

/// Several kinds whose fields the server fills in, as files.
fn manifests() -> Vec<(&'static str, String)> {
    let service = "apiVersion: v1\nkind: Service\nmetadata:\n  name: web\nspec:\n  selector:\n    app: web\n  \
                   ports:\n    - port: 80\n";
    let claim = "apiVersion: v1\nkind: PersistentVolumeClaim\nmetadata:\n  name: data\nspec:\n  accessModes: \
                 [ReadWriteOnce]\n  resources:\n    requests:\n      storage: 1Gi\n";
    let job = "apiVersion: batch/v1\nkind: Job\nmetadata:\n  name: once\nspec:\n  template:\n    spec:\n      \
               restartPolicy: Never\n      containers:\n        - name: once\n          image: busybox:1\n";
    let account = "apiVersion: v1\nkind: ServiceAccount\nmetadata:\n  name: shop\n";
    vec![
        ("configmaps/settings", config_map("settings", "1")),
        ("deployments/web", deployment("web", "nginx:1.27")),
        ("services/web", service.into()),
        ("persistentvolumeclaims/data", claim.into()),
        ("jobs/once", job.into()),
        ("serviceaccounts/shop", account.into()),
    ]
}

/// The manifest with the mark that Argo CD leaves.
fn tracked(plane: &Plane, manifest: &str) -> String {
    let line = |key: &str| {
        let found = manifest.lines().find_map(|line| line.trim().strip_prefix(key));
        found.unwrap_or_default().trim().to_owned()
    };
    let version = line("apiVersion:");
    let group = version.split_once('/').map_or("", |(group, _)| group);
    let id = format!("{}:{group}/{}:{}/{}", plane.app, line("kind:"), plane.target, line("name:"));
    manifest.replacen(
        "metadata:\n",
        &format!("metadata:\n  annotations:\n    argocd.argoproj.io/tracking-id: \"{id}\"\n"),
        1,
    )
}

/// What Argo CD applied without `ServerSideApply` is taken over: no object is replaced or rolled, all of it is ours
/// afterwards, and what Git drops later goes.
pub(crate) async fn takes_over_what_argo_cd_applied(server: Server) {
    let plane = Plane::start(server).await;
    let kubectl = plane.kubectl();
    for (_, manifest) in manifests() {
        // Argo CD calls the code of kubectl with this name (gitops-engine, resource_ops.go).
        let apply = ["apply", "--field-manager=argocd-controller", "-n", &plane.target, "-f", "-"];
        kubectl.run_with_input(&apply, tracked(&plane, &manifest)).unwrap();
    }
    let web = plane.path("deployments/web");
    plane.until(&web, "the Deployment to be ready", |live| live["status"]["readyReplicas"] == 1).await;
    let revision =
        |live: &Value| live["metadata"]["annotations"]["deployment.kubernetes.io/revision"].clone();
    let rolled_out = revision(&plane.get(&web).await);
    let mut before = Vec::new();
    let mut commit = plane.commit();
    for (path, manifest) in manifests() {
        before.push(plane.get(&plane.path(path)).await);
        commit = commit.file(format!("deploy/{}.yaml", path.replace('/', "-")), manifest);
    }
    let first = commit.submit().unwrap();
    plane.create_automated_app().await;
    // The claim has no volume to be bound to.
    plane.until_synced(&first).await;
    for ((path, _), before) in manifests().iter().zip(&before) {
        let after = plane.get(&plane.path(path)).await;
        assert_eq!(after["metadata"]["uid"], before["metadata"]["uid"], "{path}");
        assert_eq!(after["spec"], before["spec"], "{path}");
        assert!(after["metadata"]["annotations"][LAST_APPLIED].is_null(), "{path}: {after}");
        let managers = managers(&after);
        assert!(managers.contains(&"argocd-controller Apply".into()), "{path}: {managers:?}");
        assert!(!managers.contains(&"argocd-controller Update".into()), "{path}: {managers:?}");
    }
    assert_eq!(revision(&plane.get(&web).await), rolled_out, "it was rolled out anew");
    let second = plane
        .commit()
        .file("deploy/configmaps-settings.yaml", config_map("settings", "1").replace("value", "other"))
        .submit()
        .unwrap();
    plane.until_synced(&second).await;
    let settings = plane.get(&plane.path("configmaps/settings")).await;
    assert_eq!(settings["data"], json!({"other": "1"}));
}

/// Who goes on using `kubectl apply` gets what Git says, and everything still works.
pub(crate) async fn kubectl_apply_used_again_is_overruled(server: Server) {
    let plane = Plane::start(server).await;
    let kubectl = plane.kubectl();
    let apply = ["apply", "-n", &plane.target, "-f", "-"];
    kubectl.run_with_input(&apply, config_map("settings", "1")).unwrap();
    let commit = plane.commit().file("deploy/a.yaml", config_map("settings", "1")).submit().unwrap();
    plane.create_automated_app().await;
    plane.until_synced(&commit).await;
    let settings = plane.path("configmaps/settings");
    assert_eq!(managers(&plane.get(&settings).await), ["argocd-controller Apply"]);
    // With the annotation gone, kubectl says so and puts it back.
    let changed = format!("{}  mine: \"1\"\n", config_map("settings", "2"));
    kubectl.run_with_input(&apply, changed).unwrap();
    let healed = |live: &Value| live["data"] == json!({"value": "1"});
    let live = plane.until(&settings, "what Git says, and nothing else", healed).await;
    assert!(live["metadata"]["annotations"][LAST_APPLIED].is_null(), "{live}");
    plane.until_synced(&commit).await;
}

/// Where the Application asks for it, fields that kubectl applied stay.
pub(crate) async fn leaves_fields_where_migration_is_off(server: Server) {
    let plane = Plane::start(server).await;
    let manifest = config_map("settings", "1");
    plane.kubectl().run_with_input(&["apply", "-n", &plane.target, "-f", "-"], &manifest).unwrap();
    let commit = plane.commit().file("deploy/a.yaml", manifest.replace("value", "other")).submit().unwrap();
    let mut app = automated();
    app["spec"]["syncPolicy"]["syncOptions"] = json!(["ClientSideApplyMigration=false"]);
    plane.create_app(app).await;
    let app = plane.until_synced(&commit).await;
    assert!(app["status"]["conditions"].as_array().is_none_or(Vec::is_empty), "{app}");
    let settings = plane.get(&plane.path("configmaps/settings")).await;
    assert_eq!(settings["data"], json!({"other": "1", "value": "1"}));
    assert_eq!(managers(&settings), ["argocd-controller Apply", "kubectl-client-side-apply Update"]);
}

/// A namespace that somebody applied with kubectl keeps its labels, whatever CreateNamespace adds.
pub(crate) async fn leaves_labels_of_a_namespace_that_is_not_declared(server: Server) {
    let plane = Plane::start(server).await;
    let made = format!("{}-kept", plane.target);
    let namespace = format!(
        "apiVersion: v1\nkind: Namespace\nmetadata:\n  name: {made}\n  labels:\n    owner: somebody\n"
    );
    plane.kubectl().run_with_input(&["apply", "-f", "-"], namespace).unwrap();
    let commit = plane.commit().file("deploy/a.yaml", config_map("settings", "1")).submit().unwrap();
    let mut app = automated();
    app["spec"]["destination"] = json!({"namespace": made});
    app["spec"]["syncPolicy"]["syncOptions"] = json!(["CreateNamespace=true"]);
    app["spec"]["syncPolicy"]["managedNamespaceMetadata"] = json!({"labels": {"team": "shop"}});
    plane.create_app(app).await;
    plane.until_synced(&commit).await;
    let live = plane.get(&format!("/api/v1/namespaces/{made}")).await;
    let labels = &live["metadata"]["labels"];
    assert_eq!((&labels["owner"], &labels["team"]), (&json!("somebody"), &json!("shop")));
    plane.api.delete(&format!("/api/v1/namespaces/{made}")).await.unwrap();
}
