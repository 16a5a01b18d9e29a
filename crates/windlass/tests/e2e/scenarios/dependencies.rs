//! Applications that wait for others.

use serde_json::json;

use crate::plane::{Plane, Server, automated, balancer, condition, config_map, is_synced};

const DEPENDS_ON: &str = "windlass.dev/depends-on";

impl Plane {
    /// Creates an automated Application of a folder, which depends on others.
    async fn create_dependent(&self, name: &str, folder: &str, depends_on: &str) {
        let mut app = automated();
        app["metadata"]["annotations"] = json!({DEPENDS_ON: depends_on});
        app["spec"]["source"] = json!({"path": folder});
        self.create_app_named(name, app).await;
    }
}

/// The second Application is synced when the first is healthy; a commit that changes both is applied in that order,
/// too; a dependency of one on itself over the other is named.
pub(crate) async fn applications_wait_for_others(server: Server) {
    let plane = Plane::builder(server).without_simulator().never_polls().start().await;
    let (base, web) = (format!("{}-base", plane.app), plane.app.clone());
    let first = plane
        .commit()
        .file("base/front.yaml", balancer("front", 0))
        .file("web/page.yaml", config_map("page", "1"))
        .submit()
        .unwrap();
    plane.create_dependent(&web, "web", &base).await;
    let full = format!("{}/{base}", plane.namespace);
    let waits = |app: &serde_json::Value| {
        let own = &app["status"]["windlass"];
        own["waiting"] == json!(format!("waiting for {full} to be synced and healthy"))
            && own["dependsOn"] == json!([{"application": full, "waiting": true}])
    };
    plane.until_app("the status to name the other Application", waits).await;
    plane.verb(&["explain", &web]).exits(1).prints(&["it does not exist"]);
    plane.assert_absent(&plane.path("configmaps/page")).await;

    plane.create_dependent(&base, "base", "").await;
    plane.until_exists(&plane.path("services/front")).await;
    let base_path = plane.control_path(&format!("applications/{base}"));
    let synced = |commit| move |app: &serde_json::Value| is_synced(app, commit);
    plane.until(&base_path, "the first to be synced", synced(&first)).await;
    plane.verb(&["explain", &web]).exits(1).prints(&[&full, "Synced, Progressing"]);
    plane.verb(&["get", &web]).exits(0).prints(&["Depends On:", &full]);
    plane.verb(&["graph"]).exits(0).prints(&["STEP", &full, "Progressing"]);
    plane.assert_absent(&plane.path("configmaps/page")).await;
    plane.open("front").await;
    plane.until_exists(&plane.path("configmaps/page")).await;
    plane.until_healthy(&first).await;

    // One commit changes both: the second waits although the first was done a moment ago.
    let second = plane
        .commit()
        .file("base/side.yaml", balancer("side", 0))
        .file("web/page.yaml", config_map("page", "2"))
        .submit()
        .unwrap();
    plane.refresh().await;
    plane.until_app("it to wait again", waits).await;
    plane.until(&base_path, "the first to be synced", synced(&second)).await;
    assert_eq!(plane.get(&plane.path("configmaps/page")).await["data"]["value"], "1");
    plane.open("side").await;
    plane.until(&plane.path("configmaps/page"), "the new page", |page| page["data"]["value"] == "2").await;
    plane.until_healthy(&second).await;

    let annotation = json!({"metadata": {"annotations": {DEPENDS_ON: web}}});
    plane.api.merge(&base_path, &annotation).await.unwrap();
    let around = format!("{0}/{web} → {full} → {0}/{web}", plane.namespace);
    let third = plane.commit().file("web/page.yaml", config_map("page", "3")).submit().unwrap();
    plane.refresh().await;
    plane.until_condition("SyncError", &["it depends on itself", &around]).await;
    assert_eq!(plane.get(&plane.path("configmaps/page")).await["data"]["value"], "2");
    let annotation = json!({"metadata": {"annotations": {DEPENDS_ON: null}}});
    plane.api.merge(&base_path, &annotation).await.unwrap();
    plane.until_healthy(&third).await;
    let app = plane.app().await;
    assert_eq!(condition(&app, "SyncError", &[]), None);
}

/// A wave of Applications waits until those of the wave before are synced and healthy.
pub(crate) async fn waves_wait_for_applications(server: Server) {
    let plane = Plane::builder(server).without_simulator().start().await;
    let child = |name: &str, wave: u32| {
        format!(
            "apiVersion: argoproj.io/v1alpha1\nkind: Application\nmetadata:\n  name: {name}\n  namespace: {0}\n  \
             annotations:\n    argocd.argoproj.io/sync-wave: \"{wave}\"\nspec:\n  project: default\n  source:\n    \
             repoURL: {1}\n    path: wave{wave}\n    targetRevision: main\n  destination:\n    server: \
             https://kubernetes.default.svc\n    namespace: {2}\n  syncPolicy:\n    automated: {{}}\n",
            plane.namespace,
            plane.url(),
            plane.target
        )
    };
    let (early, late) = (format!("{}-early", plane.app), format!("{}-late", plane.app));
    let commit = plane
        .commit()
        .file("deploy/early.yaml", child(&early, 0))
        .file("deploy/late.yaml", child(&late, 1))
        .file("wave0/front.yaml", balancer("front", 0))
        .file("wave1/page.yaml", config_map("page", "1"))
        .submit()
        .unwrap();
    let mut app = automated();
    app["spec"]["destination"] = json!({"namespace": plane.namespace});
    plane.create_app(app).await;
    let waits = |app: &serde_json::Value| crate::scenarios::waves::waits_for(app, &early);
    plane.until_app("the status to name the child", waits).await;
    plane.until_exists(&plane.path("services/front")).await;
    plane.assert_absent(&plane.control_path(&format!("applications/{late}"))).await;
    plane.open("front").await;
    plane.until_exists(&plane.path("configmaps/page")).await;
    plane.until_synced(&commit).await;
}
