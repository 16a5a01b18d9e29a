//! Where manifests come from, and which revision of them.

use serde_json::{Value, json};
use tempfile::TempDir;
use windlass_testing::{GitServer, Repository, SshGitServer};

use crate::plane::{Plane, Server, automated, config_map};

fn app_of(source: Value) -> Value {
    let mut app = automated();
    app["spec"]["source"] = source;
    app
}

/// A private repository over TLS, with the password in a Secret; a wrong one is told without being shown.
pub(crate) async fn private_repository(server: Server) {
    let git = GitServer::builder().basic_auth("ada", "s3cret-and-right").tls().start().unwrap();
    let plane = Plane::builder(server).git(git).start().await;
    let commit = plane.commit().file("deploy/a.yaml", config_map("one", "1")).submit().unwrap();
    let data = json!({
        "type": "git", "url": plane.url(), "username": "ada", "password": "s3cret-but-wrong",
        "insecure": "true",
    });
    plane.create_secret("repository", Some("repository"), data).await;
    plane.create_automated_app().await;
    let said = plane.until_condition("ComparisonError", &["did not accept the configured credentials"]).await;
    assert!(!said.contains("s3cret"), "{said}");
    let status = plane.app().await["status"].to_string();
    assert!(!status.contains("s3cret"), "{status}");
    let log = std::fs::read_to_string(plane.windlass.log()).unwrap();
    assert!(!log.contains("s3cret"), "the password is in the log");
    let fix = json!({"stringData": {"password": "s3cret-and-right"}});
    plane.api.merge(&plane.control_path("secrets/repository"), &fix).await.unwrap();
    plane.until_synced(&commit).await;
    plane.until_no_conditions().await;
}

/// A repository over SSH, with a key in a Secret and the host's key in the settings.
pub(crate) async fn ssh_repository(server: Server) {
    let ssh = SshGitServer::start().unwrap();
    let repository = ssh.repository("shop").unwrap();
    let commit = repository.commit("main").file("deploy/a.yaml", config_map("one", "1")).submit().unwrap();
    let plane = Plane::start(server).await;
    let known = json!({
        "apiVersion": "v1", "kind": "ConfigMap",
        "metadata": {"name": "argocd-ssh-known-hosts-cm", "namespace": plane.namespace},
        "data": {"ssh_known_hosts": std::fs::read_to_string(ssh.known_hosts()).unwrap()},
    });
    plane.api.create(&plane.control_path("configmaps"), &known).await.unwrap();
    let key = std::fs::read_to_string(ssh.client_key()).unwrap();
    let data = json!({"type": "git", "url": ssh.url("shop"), "sshPrivateKey": key});
    plane.create_secret("repository", Some("repository"), data).await;
    plane.create_app(app_of(json!({"repoURL": ssh.url("shop")}))).await;
    plane.until_synced(&commit).await;
    let second = repository.commit("main").file("deploy/a.yaml", config_map("one", "2")).submit().unwrap();
    plane.until_synced(&second).await;
}

/// A repository on this machine.
pub(crate) async fn local_repository(server: Server) {
    let folder = TempDir::with_prefix("windlass-e2e-local-").unwrap();
    let repository = Repository::init(folder.path().join("shop.git")).unwrap();
    let commit = repository.commit("main").file("deploy/a.yaml", config_map("one", "1")).submit().unwrap();
    let plane = Plane::start(server).await;
    plane.create_app(app_of(json!({"repoURL": repository.file_url()}))).await;
    plane.until_synced(&commit).await;
    let second = repository.commit("main").file("deploy/a.yaml", config_map("one", "2")).submit().unwrap();
    plane.until_synced(&second).await;
}

/// A folder of this machine that is no repository: an edit is applied without a commit and without polling, what is deleted is
/// pruned, and while the folder is away what runs stays. Another folder needs the operator's leave.
pub(crate) async fn local_folder(server: Server) {
    let parent = TempDir::with_prefix("windlass-e2e-folder-").unwrap();
    let (open, closed) = (parent.path().join("open"), parent.path().join("closed"));
    let put = |folder: &std::path::Path, name: &str, text: String| {
        std::fs::create_dir_all(folder.join("deploy")).unwrap();
        // As editors write that never leave half a file.
        std::fs::write(folder.join("beside"), text).unwrap();
        std::fs::rename(folder.join("beside"), folder.join("deploy").join(name)).unwrap();
    };
    put(&open, "web.yaml", config_map("web", "1"));
    put(&open, "other.yaml", config_map("other", "1"));
    put(&closed, "web.yaml", config_map("web", "of somebody else"));
    let leave = open.to_str().unwrap();
    let plane =
        Plane::builder(server).never_polls().variable("WINDLASS_ALLOW_LOCAL_FOLDERS", leave).start().await;
    plane.create_app(app_of(json!({"repoURL": format!("file://{}", closed.display())}))).await;
    let said = plane.until_condition("ComparisonError", &["--allow-local-folder"]).await;
    assert!(!said.contains("somebody else"), "{said}");
    plane.patch_app(json!({"spec": {"source": {"repoURL": format!("file://{leave}/not/there")}}})).await;
    plane.until_condition("ComparisonError", &["there is no repository at"]).await;
    plane.patch_app(json!({"spec": {"source": {"repoURL": format!("file://{leave}")}}})).await;
    let value = |wanted: &'static str| move |live: &Value| live["data"]["value"] == wanted;
    let web = plane.path("configmaps/web");
    plane.until(&web, "the first value", value("1")).await;
    plane.until_no_conditions().await;
    let app = plane.until_app("a revision", |app| app["status"]["sync"]["revision"].is_string()).await;
    let first = app["status"]["sync"]["revision"].as_str().unwrap().to_owned();
    assert!(first.starts_with("sha256:"), "{first}");
    let applied = plane.metric("windlass_applies_total{result=\"ok\"}").await;
    put(&open, "web.yaml", config_map("web", "2"));
    plane.until(&web, "the second value", value("2")).await;
    assert_eq!(plane.metric("windlass_applies_total{result=\"ok\"}").await, applied + 1);
    plane.until_app("another revision", |app| app["status"]["sync"]["revision"] != first.as_str()).await;
    std::fs::remove_file(open.join("deploy/other.yaml")).unwrap();
    plane.until_gone(&plane.path("configmaps/other")).await;
    // A link that leads out is refused with all that is in the folder, and so is what is not there.
    std::os::unix::fs::symlink("../../closed", open.join("out")).unwrap();
    plane.until_condition("ComparisonError", &["points out of"]).await;
    std::fs::remove_dir_all(&open).unwrap();
    plane.until_condition("ComparisonError", &["there is no repository at"]).await;
    plane.assert_exists(&web).await;
    put(&open, "web.yaml", config_map("web", "3"));
    plane.until(&web, "the third value", value("3")).await;
    plane.until_no_conditions().await;
}

/// A range of versions follows the newest tag in it.
pub(crate) async fn semver_range(server: Server) {
    let plane = Plane::start(server).await;
    let first = plane.commit().file("deploy/a.yaml", config_map("one", "1.0.0")).submit().unwrap();
    plane.repository.annotated_tag("v1.0.0", &first, "first").unwrap();
    plane.create_app(app_of(json!({"targetRevision": "1.*"}))).await;
    plane.until_synced(&first).await;
    let second = plane.commit().file("deploy/a.yaml", config_map("one", "1.1.0")).submit().unwrap();
    plane.repository.tag("v1.1.0", &second).unwrap();
    plane.until_synced(&second).await;
    let outside = plane.commit().file("deploy/a.yaml", config_map("one", "2.0.0")).submit().unwrap();
    plane.repository.tag("v2.0.0", &outside).unwrap();
    let third = plane.commit().file("deploy/a.yaml", config_map("one", "1.2.0")).submit().unwrap();
    plane.repository.tag("v1.2.0", &third).unwrap();
    let app = plane.until_synced(&third).await;
    let history = app["status"]["history"].to_string();
    assert!(!history.contains(outside.as_str()), "{history}");
}

/// A tag is followed where it is moved to.
pub(crate) async fn tag(server: Server) {
    let plane = Plane::start(server).await;
    let first = plane.commit().file("deploy/a.yaml", config_map("one", "1")).submit().unwrap();
    plane.repository.annotated_tag("live", &first, "first").unwrap();
    plane.create_app(app_of(json!({"targetRevision": "live"}))).await;
    plane.until_synced(&first).await;
    let second = plane.commit().file("deploy/a.yaml", config_map("one", "2")).submit().unwrap();
    plane.repository.annotated_tag("live", &second, "second").unwrap();
    plane.until_synced(&second).await;
}

/// A commit stays what it is, whatever comes after.
pub(crate) async fn commit_id(server: Server) {
    let plane = Plane::start(server).await;
    let first = plane.commit().file("deploy/a.yaml", config_map("one", "1")).submit().unwrap();
    let second = plane.commit().file("deploy/a.yaml", config_map("one", "2")).submit().unwrap();
    plane.create_app(app_of(json!({"targetRevision": first.as_str()}))).await;
    plane.until_synced(&first).await;
    plane.patch_app(json!({"spec": {"source": {"targetRevision": second.as_str()}}})).await;
    plane.until_synced(&second).await;
    // Back again: nothing has to be fetched for that.
    plane.patch_app(json!({"spec": {"source": {"targetRevision": first.as_str()}}})).await;
    plane.until_synced(&first).await;
    assert_eq!(plane.get(&plane.path("configmaps/one")).await["data"]["value"], "1");
}

/// Two Applications declare one object: both are told, and it does not go to and fro.
pub(crate) async fn two_applications_claim_one_object(server: Server) {
    let plane = Plane::start(server).await;
    let commit = plane
        .commit()
        .file("deploy/a.yaml", config_map("one", "1"))
        .file("rival/a.yaml", config_map("one", "2"))
        .submit()
        .unwrap();
    plane.create_automated_app().await;
    plane.until_synced(&commit).await;
    let rival = format!("{}-rival", plane.app);
    plane.create_app_named(&rival, app_of(json!({"path": "rival"}))).await;
    let path = plane.control_path(&format!("applications/{rival}"));
    plane
        .until(&path, "a condition about the shared object", |app| {
            let said = app["status"]["conditions"].to_string();
            said.contains("SharedResourceWarning") && said.contains("one")
        })
        .await;
}
