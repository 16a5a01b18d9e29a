//! Applications whose source is no Git repository: charts of Helm repositories and registries, artifacts; submodules.

use serde_json::{Value, json};
use windlass_testing::{FileServer, GitServer, OciRegistry, RegistryAuth, S3Server, WebFault};

use super::caching::{sharing, until_shared};
use crate::plane::{Plane, Server, automated, config_map};

const CHART_LAYER: &str = "application/vnd.cncf.helm.chart.content.v1.tar+gzip";
const TAR_LAYER: &str = "application/vnd.oci.image.layer.v1.tar+gzip";

/// A gzipped tar archive of these files.
fn archive(files: &[(&str, &str)]) -> Vec<u8> {
    let encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    let mut archive = tar::Builder::new(encoder);
    for (path, content) in files {
        let mut header = tar::Header::new_gnu();
        header.set_size(content.len() as u64);
        header.set_mode(0o644);
        archive.append_data(&mut header, path, content.as_bytes()).unwrap();
    }
    archive.into_inner().unwrap().finish().unwrap()
}

/// A chart with one ConfigMap that says the chart's version and a value.
fn chart(version: &str) -> Vec<u8> {
    let template = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: web}\ndata:\n  value: {{ .Values.value | quote }}\n  \
                    version: {{ .Chart.Version | quote }}\n";
    archive(&[
        ("web/Chart.yaml", &format!("apiVersion: v2\nname: web\nversion: {version}\n")),
        ("web/values.yaml", "value: chart\n"),
        ("web/templates/web.yaml", template),
    ])
}

fn publish(server: &FileServer, versions: &[&str]) {
    let mut index = String::from("apiVersion: v1\nentries:\n  web:\n");
    for version in versions {
        server.put(&format!("charts/web-{version}.tgz"), chart(version));
        index.push_str(&format!("  - name: web\n    version: {version}\n    urls: [web-{version}.tgz]\n"));
    }
    server.put("charts/index.yaml", index);
}

fn app_of(source: Value) -> Value {
    let mut app = automated();
    app["spec"]["source"] = source;
    app
}

async fn until_synced(plane: &Plane, revision: &str) -> Value {
    let is_synced = |app: &Value| {
        let sync = &app["status"]["sync"];
        sync["status"] == "Synced"
            && (sync["revision"] == revision || sync["revisions"][0] == revision)
            && app["status"]["operationState"]["phase"] == "Succeeded"
    };
    plane.until_app(&format!("a sync at {revision}"), is_synced).await
}

async fn until_data(plane: &Plane, key: &str, value: &str) {
    let path = plane.path("configmaps/web");
    plane.until(&path, &format!("{key} to be {value}"), |live| live["data"][key] == value).await;
}

/// A chart of a Helm repository with a password: a range follows its newest version, a wrong password is told, and
/// while the repository is down what runs is healed.
pub(crate) async fn chart_of_a_helm_repository(server: Server) {
    let charts = FileServer::builder().basic_auth("ada", "s3cret-and-right").start().unwrap();
    publish(&charts, &["1.0.0"]);
    let plane = Plane::start(server).await;
    let url = format!("{}/charts", charts.base_url());
    let data = json!({
        "type": "helm", "name": "charts", "url": url, "username": "ada", "password": "s3cret-but-wrong",
        "insecure": "true",
    });
    plane.create_secret("charts", Some("repository"), data).await;
    let source = json!({"repoURL": url, "path": null, "chart": "web", "targetRevision": "1.x"});
    plane.create_app(app_of(source)).await;
    let said = plane.until_condition("ComparisonError", &["did not accept the configured credentials"]).await;
    assert!(!said.contains("s3cret"), "{said}");
    let fix = json!({"stringData": {"password": "s3cret-and-right"}});
    plane.api.merge(&plane.control_path("secrets/charts"), &fix).await.unwrap();
    let app = until_synced(&plane, "1.0.0").await;
    assert_eq!(app["status"]["sourceType"], "Helm");
    until_data(&plane, "version", "1.0.0").await;
    publish(&charts, &["1.0.0", "1.1.0", "2.0.0"]);
    let app = until_synced(&plane, "1.1.0").await;
    assert_eq!(app["status"]["history"][1]["source"]["chart"], "web");
    until_data(&plane, "version", "1.1.0").await;
    charts.fault("", usize::MAX, WebFault::Status(503));
    plane.until_condition("ComparisonError", &["503"]).await;
    let web = plane.path("configmaps/web");
    plane.api.merge(&web, &json!({"data": {"value": "drifted"}})).await.unwrap();
    until_data(&plane, "value", "chart").await;
    charts.clear_faults();
    plane.until_no_conditions().await;
    let other =
        json!({"spec": {"source": {"helm": {"valuesObject": {"value": "own"}}, "targetRevision": "2.0.0"}}});
    plane.patch_app(other).await;
    until_synced(&plane, "2.0.0").await;
    until_data(&plane, "value", "own").await;
    plane.patch_app(json!({"spec": {"source": {"targetRevision": "9.x"}}})).await;
    plane.until_condition("ComparisonError", &["cannot get chart web 9.x", "none of its 3 versions"]).await;
    plane.assert_exists(&web).await;
}

/// A chart that one replica has fetched is not fetched again by the next, which has nothing of the first: its files and
/// its render come from the bucket that they share.
pub(crate) async fn charts_are_shared_through_a_bucket(server: Server) {
    let bucket = S3Server::start().unwrap();
    let charts = FileServer::start().unwrap();
    publish(&charts, &["1.0.0"]);
    let mut plane = sharing(server, &bucket).start().await;
    let url = format!("{}/charts", charts.base_url());
    let app = || app_of(json!({"repoURL": url, "path": null, "chart": "web", "targetRevision": "1.x"}));
    plane.create_app(app()).await;
    until_synced(&plane, "1.0.0").await;
    // The files, and what they were rendered to.
    until_shared(&bucket, 2).await;
    plane.kill();
    charts.fault(".tgz", usize::MAX, WebFault::Status(503));
    plane.start_elsewhere().await;
    if server == Server::Embedded {
        // That control plane is gone with its process.
        plane.create_app(app()).await;
    }
    until_synced(&plane, "1.0.0").await;
    until_data(&plane, "value", "chart").await;
    // It can read the files, too: other values are rendered.
    plane.patch_app(json!({"spec": {"source": {"helm": {"valuesObject": {"value": "own"}}}}})).await;
    until_data(&plane, "value", "own").await;
    let n_downloads = charts.requests().iter().filter(|request| request.path.ends_with(".tgz")).count();
    assert_eq!(n_downloads, 1);
}

/// A chart of a registry that is named as Argo CD names it, with values from Git.
pub(crate) async fn chart_of_a_registry(server: Server) {
    let auth = RegistryAuth::Token("ada".into(), "s3cret-and-right".into());
    let registry = OciRegistry::builder().auth(auth).start().unwrap();
    registry.push("charts/web", "1.0.0", &[(CHART_LAYER, &chart("1.0.0"))], &[]).unwrap();
    let plane = Plane::start(server).await;
    let bare = registry.url("charts").trim_start_matches("oci://").to_string();
    let data = json!({
        "type": "helm", "name": "charts", "url": bare, "username": "ada", "password": "s3cret-and-right",
        "enableOCI": "true", "insecureOCIForceHttp": "true",
    });
    plane.create_secret("charts", Some("repo-creds"), data).await;
    plane.commit().file("env/prod.yaml", "value: git\n").submit().unwrap();
    let mut app = automated();
    app["spec"]["source"] = json!(null);
    app["spec"]["sources"] = json!([
        {"repoURL": bare, "chart": "web", "targetRevision": "~1",
         "helm": {"releaseName": "web", "valueFiles": ["$values/env/prod.yaml"]}},
        {"repoURL": plane.url(), "targetRevision": "main", "ref": "values"},
    ]);
    plane.create_app(app).await;
    until_synced(&plane, "1.0.0").await;
    until_data(&plane, "value", "git").await;
    plane.commit().file("env/prod.yaml", "value: newer\n").submit().unwrap();
    until_data(&plane, "value", "newer").await;
    registry.push("charts/web", "1.2.0", &[(CHART_LAYER, &chart("1.2.0"))], &[]).unwrap();
    until_synced(&plane, "1.2.0").await;
    until_data(&plane, "version", "1.2.0").await;
    // The commands read the same sources.
    plane.verb(&["manifests", &plane.app, "--allow-local-repositories"]).exits(0).prints(&["newer", "1.2.0"]);
    plane.verb(&["diff", &plane.app, "--allow-local-repositories"]).exits(0);
}

/// An artifact of a registry: a moved tag is a new digest, which is the revision.
pub(crate) async fn artifact_of_a_registry(server: Server) {
    let registry = OciRegistry::start().unwrap();
    let push = |value: &str| {
        let files = archive(&[("deploy/web.yaml", &config_map("web", value)), ("other/x.yaml", "a: b\n")]);
        registry.push("team/app", "latest", &[(TAR_LAYER, &files)], &[]).unwrap()
    };
    let first = push("1");
    let plane = Plane::start(server).await;
    let url = registry.url("team/app");
    let data = json!({"type": "oci", "name": "app", "url": url, "insecureOCIForceHttp": "true"});
    plane.create_secret("app", Some("repository"), data).await;
    plane.create_app(app_of(json!({"repoURL": url, "targetRevision": "latest"}))).await;
    until_synced(&plane, &first).await;
    until_data(&plane, "value", "1").await;
    let second = push("2");
    until_synced(&plane, &second).await;
    until_data(&plane, "value", "2").await;
    registry.fault("", usize::MAX, WebFault::Status(503));
    plane.until_condition("ComparisonError", &["503"]).await;
    plane.api.delete(&plane.path("configmaps/web")).await.unwrap();
    until_data(&plane, "value", "2").await;
    registry.clear_faults();
    // Without a server the same comes of the same file.
    let mut file = plane.app().await;
    file["kind"] = json!("Application");
    file["apiVersion"] = json!("argoproj.io/v1alpha1");
    let secret = json!({
        "apiVersion": "v1", "kind": "Secret",
        "metadata": {"name": "app", "labels": {"argocd.argoproj.io/secret-type": "repository"}},
        "stringData": {"type": "oci", "url": url, "insecureOCIForceHttp": "true"},
    });
    let folder = tempfile::TempDir::new().unwrap();
    let path = folder.path().join("app.yaml");
    std::fs::write(&path, format!("{file}\n---\n{secret}\n")).unwrap();
    let path = path.to_str().unwrap();
    plane
        .windlass(&["render", "--app", path, "--allow-local-repositories"])
        .exits(0)
        .prints(&["value: \"2\""]);
    // Back, by digest.
    plane.patch_app(json!({"spec": {"source": {"targetRevision": first}}})).await;
    until_synced(&plane, &first).await;
    until_data(&plane, "value", "1").await;
}

/// A folder of a bucket: an object that changes is a new state, a wrong key is told, and who permits a bucket does not permit
/// one of that name elsewhere.
pub(crate) async fn folder_of_a_bucket(server: Server) {
    let bucket = S3Server::start().unwrap();
    bucket.put("team/deploy/web.yaml", config_map("web", "1")).unwrap();
    bucket.put("team/deploy/other.yaml", config_map("other", "1")).unwrap();
    bucket.put("others/x.yaml", "no: object").unwrap();
    let plane = Plane::start(server).await;
    let url = format!("s3://apps/team?endpoint={}", bucket.base_url());
    let data = json!({
        "type": "git", "url": format!("{}/apps", bucket.base_url()), "username": S3Server::KEY,
        "password": "s3cret-but-wrong",
    });
    plane.create_secret("bucket", Some("repo-creds"), data).await;
    plane.create_app(app_of(json!({"repoURL": url, "targetRevision": null}))).await;
    let said = plane.until_condition("ComparisonError", &["/apps is forbidden"]).await;
    assert!(!said.contains("s3cret"), "{said}");
    let fix = json!({"stringData": {"password": S3Server::SECRET}});
    plane.api.merge(&plane.control_path("secrets/bucket"), &fix).await.unwrap();
    until_data(&plane, "value", "1").await;
    let is_synced = |app: &Value| app["status"]["operationState"]["phase"] == "Succeeded";
    let app = plane.until_app("the first sync", is_synced).await;
    let first = app["status"]["sync"]["revision"].as_str().unwrap().to_owned();
    assert!(first.starts_with("sha256:"), "{first}");
    let requests = plane.metric("windlass_applies_total{result=\"ok\"}").await;
    bucket.put("others/x.yaml", "of: others").unwrap();
    bucket.put("team/deploy/web.yaml", config_map("web", "2")).unwrap();
    until_data(&plane, "value", "2").await;
    assert_eq!(plane.metric("windlass_applies_total{result=\"ok\"}").await, requests + 1);
    bucket.delete("team/deploy/other.yaml").unwrap();
    plane.until_gone(&plane.path("configmaps/other")).await;
    plane.until_app("the new revision", |app| app["status"]["sync"]["revision"] != first.as_str()).await;
    plane.verb(&["manifests", &plane.app, "--allow-local-repositories"]).exits(0).prints(&["value: \"2\""]);
    let project = json!({
        "apiVersion": "argoproj.io/v1alpha1", "kind": "AppProject",
        "metadata": {"name": "careful", "namespace": plane.namespace},
        "spec": {
            "sourceRepos": ["s3://apps/**"],
            "destinations": [{"server": "*", "namespace": "*"}],
        },
    });
    plane.api.create(&plane.control_path("appprojects"), &project).await.unwrap();
    plane.patch_app(json!({"spec": {"project": "careful"}})).await;
    plane.until_condition("InvalidSpecError", &["/apps/team is not permitted in project 'careful'"]).await;
    plane.assert_exists(&plane.path("configmaps/web")).await;
}

/// An archive at an address: what is published anew is seen, a wrong password is told, and one that has to have a digest is refused
/// when it has another one.
pub(crate) async fn archive_at_an_address(server: Server) {
    let files = FileServer::builder().basic_auth("ada", "s3cret-and-right").start().unwrap();
    let publish = |value: &str| {
        let text = config_map("web", value);
        let packed = archive(&[("app/deploy/web.yaml", text.as_str())]);
        files.put("app.tar.gz", packed.clone());
        windlass_source::ContentDigest::of(&packed).to_string()
    };
    let first = publish("1");
    let plane = Plane::start(server).await;
    let data = json!({
        "type": "git", "url": files.base_url(), "username": "ada", "password": "s3cret-but-wrong",
        "insecure": "true",
    });
    plane.create_secret("files", Some("repo-creds"), data).await;
    let url = format!("{}/app.tar.gz", files.base_url());
    let source = json!({"repoURL": url, "path": "app/deploy", "targetRevision": null});
    plane.create_app(app_of(source)).await;
    let said = plane.until_condition("ComparisonError", &["did not accept the configured"]).await;
    assert!(!said.contains("s3cret"), "{said}");
    let fix = json!({"stringData": {"password": "s3cret-and-right"}});
    plane.api.merge(&plane.control_path("secrets/files"), &fix).await.unwrap();
    until_data(&plane, "value", "1").await;
    let at = |revision: String| {
        move |app: &Value| {
            app["status"]["sync"]["revision"] == revision && app["status"]["sync"]["status"] == "Synced"
        }
    };
    plane.until_app("the first revision", at(first.clone())).await;
    let second = publish("2");
    until_data(&plane, "value", "2").await;
    plane.until_app("the second revision", at(second)).await;
    // The server sends nothing that is known.
    let is_polled = |request: &windlass_testing::WebRequest| request.status == 304;
    plane.until_app("a poll", |_| files.requests().iter().any(is_polled)).await;
    // What is gone does not take away what runs.
    files.remove("app.tar.gz");
    plane.refresh().await;
    plane.until_condition("ComparisonError", &["there is no repository at"]).await;
    let third = publish("3");
    until_data(&plane, "value", "3").await;
    plane.until_no_conditions().await;
    let source = json!({"repoURL": format!("archive+{url}"), "targetRevision": third});
    plane.patch_app(json!({"spec": {"source": source}})).await;
    plane.until_app("the digest that is asked for", at(third)).await;
    publish("4");
    let pinned = json!({"spec": {"source": {"targetRevision": format!("sha256:{}", "0".repeat(64))}}});
    plane.patch_app(pinned).await;
    plane.until_condition("ComparisonError", &["announced as sha256:0000"]).await;
    plane.patch_app(json!({"spec": {"source": {"targetRevision": "main"}}})).await;
    plane.until_condition("InvalidSpecError", &["targetRevision of an archive is its digest"]).await;
    until_data(&plane, "value", "3").await;
}

/// Submodules are part of the files, with credentials of their own; a commit that moves one is a new state.
pub(crate) async fn submodules(server: Server) {
    let elsewhere = GitServer::builder().basic_auth("bob", "hunter2").start().unwrap();
    let library = elsewhere.repository("lib").unwrap();
    let first = library.commit("main").file("web.yaml", config_map("web", "1")).submit().unwrap();
    let plane = Plane::start(server).await;
    let modules = format!("[submodule \"lib\"]\n\tpath = deploy/lib\n\turl = {}\n", elsewhere.url("lib"));
    plane
        .commit()
        .file(".gitmodules", modules)
        .file("deploy/kustomization.yaml", "resources: [lib/web.yaml]\n")
        .submodule("deploy/lib", first.as_str())
        .submit()
        .unwrap();
    plane.create_automated_app().await;
    plane.until_condition("ComparisonError", &["requires credentials, and none are configured"]).await;
    let data = json!({
        "type": "git", "url": elsewhere.base_url(), "username": "bob", "password": "hunter2", "insecure": "true",
    });
    plane.create_secret("elsewhere", Some("repo-creds"), data).await;
    until_data(&plane, "value", "1").await;
    let second = library.commit("main").file("web.yaml", config_map("web", "2")).submit().unwrap();
    let moved = plane.commit().submodule("deploy/lib", second.as_str()).submit().unwrap();
    plane.until_synced(&moved).await;
    until_data(&plane, "value", "2").await;
}

/// What Git LFS keeps is part of the files, where a Secret asks for it; what cannot be had is told and tried again.
pub(crate) async fn files_that_git_lfs_keeps(server: Server) {
    let plane = Plane::start(server).await;
    let pointer = plane.git.keep_lfs(config_map("web", "1"));
    let digits = pointer.split("sha256:").nth(1).unwrap().split_whitespace().next().unwrap();
    plane.git.replace_lfs(digits, "damaged");
    let data = json!({"type": "git", "url": plane.url(), "enableLfs": "true"});
    plane.create_secret("lfs", Some("repository"), data).await;
    let first = plane.commit().file("deploy/web.yaml", pointer.as_str()).submit().unwrap();
    plane.create_automated_app().await;
    plane.until_condition("ComparisonError", &["LFS object", "has the digest"]).await;
    plane.git.replace_lfs(digits, config_map("web", "1"));
    plane.until_synced(&first).await;
    until_data(&plane, "value", "1").await;
    plane.until_no_conditions().await;
    let second = plane.git.keep_lfs(config_map("web", "2"));
    plane.commit().file("deploy/web.yaml", second.as_str()).submit().unwrap();
    until_data(&plane, "value", "2").await;
}

/// What is damaged on disk is fetched again, and nothing is taken away meanwhile.
pub(crate) async fn damaged_files_are_fetched_again(server: Server) {
    let plane = Plane::builder(server).durable().start().await;
    let settings: String =
        (0..200).map(|line| format!("  key{line}: text number {}\n", line * 7919)).collect();
    let first = plane
        .commit()
        .file("deploy/web.yaml", config_map("web", "1"))
        .file("later/web.yaml", config_map("web", "2"))
        .file(
            "later/more.yaml",
            format!("apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: more}}\ndata:\n{settings}"),
        )
        .submit()
        .unwrap();
    plane.create_automated_app().await;
    plane.until_synced(&first).await;
    plane.damage_packs();
    plane.patch_app(json!({"spec": {"source": {"path": "later"}}})).await;
    until_data(&plane, "value", "2").await;
    plane.until_synced(&first).await;
    plane.until_no_conditions().await;
    plane.until_log(|log| log.contains("is damaged and is fetched again")).await;
}

/// A chart in Git gets the chart that it needs from a repository with a password, as soon as a Secret has it.
pub(crate) async fn chart_with_a_dependency(server: Server) {
    let charts = FileServer::builder().basic_auth("ada", "s3cret-and-right").start().unwrap();
    publish(&charts, &["1.0.0", "1.1.0", "2.0.0"]);
    let plane = Plane::start(server).await;
    let url = format!("{}/charts", charts.base_url());
    let parent = format!(
        "apiVersion: v2\nname: parent\nversion: 0.1.0\ndependencies:\n- {{name: web, version: 1.x, repository: '{url}'}}\n"
    );
    let first = plane
        .commit()
        .file("deploy/Chart.yaml", parent)
        .file("deploy/values.yaml", "web: {value: parent}\n")
        .submit()
        .unwrap();
    plane.create_automated_app().await;
    plane.until_condition("ComparisonError", &["web"]).await;
    let data = json!({
        "type": "helm", "name": "charts", "url": url, "username": "ada", "password": "s3cret-and-right",
        "insecure": "true",
    });
    plane.create_secret("charts", Some("repository"), data).await;
    plane.until_synced(&first).await;
    until_data(&plane, "value", "parent").await;
    until_data(&plane, "version", "1.1.0").await;
    plane.until_no_conditions().await;
    // A newer version that is allowed is noticed although no commit says so.
    publish(&charts, &["1.0.0", "1.1.0", "1.2.0", "2.0.0"]);
    until_data(&plane, "version", "1.2.0").await;
    plane.until_no_conditions().await;
}

/// A chart calls the repository of what it needs by the name that a Secret gives it, and is rendered again when the name
/// means another one.
pub(crate) async fn chart_of_a_named_repository(server: Server) {
    let (one, other) = (FileServer::start().unwrap(), FileServer::start().unwrap());
    publish(&one, &["1.0.0"]);
    publish(&other, &["1.5.0"]);
    let plane = Plane::start(server).await;
    let parent = "apiVersion: v2\nname: parent\nversion: 0.1.0\n\
        dependencies:\n- {name: web, version: 1.x, repository: '@charts'}\n";
    let first = plane.commit().file("deploy/Chart.yaml", parent).submit().unwrap();
    plane.create_automated_app().await;
    plane.until_condition("ComparisonError", &["@charts"]).await;
    let named = |server: &FileServer| {
        let url = format!("{}/charts", server.base_url());
        json!({"type": "helm", "name": "charts", "url": url})
    };
    plane.create_secret("one", Some("repository"), named(&one)).await;
    plane.until_synced(&first).await;
    until_data(&plane, "version", "1.0.0").await;
    plane.until_no_conditions().await;
    plane.api.delete(&plane.control_path("secrets/one")).await.unwrap();
    plane.create_secret("other", Some("repository"), named(&other)).await;
    until_data(&plane, "version", "1.5.0").await;
    plane.until_no_conditions().await;
}

/// A kustomization lies on a base in another repository, brings a file of a web server, and a chart where the settings
/// allow charts.
pub(crate) async fn kustomization_of_things_elsewhere(server: Server) {
    let charts = FileServer::start().unwrap();
    publish(&charts, &["1.0.0"]);
    let elsewhere = GitServer::start().unwrap();
    let base = elsewhere.repository("base").unwrap();
    base.commit("main")
        .file("deploy/kustomization.yaml", "resources: [base.yaml]\n")
        .file("deploy/base.yaml", config_map("base", "1"))
        .submit()
        .unwrap();
    charts.put("files/file.yaml", config_map("file", "1"));
    let plane = Plane::start(server).await;
    let kustomization = format!(
        "resources: ['{}//deploy?ref=main', '{}/files/file.yaml']\nhelmCharts:\n- {{name: web, repo: '{}/charts', version: 1.0.0, releaseName: web}}\n",
        elsewhere.url("base"),
        charts.base_url(),
        charts.base_url()
    );
    let first = plane.commit().file("deploy/kustomization.yaml", kustomization).submit().unwrap();
    plane.create_automated_app().await;
    plane.until_condition("ComparisonError", &["helm"]).await;
    let settings = json!({
        "apiVersion": "v1", "kind": "ConfigMap",
        "metadata": {"name": "argocd-cm", "labels": {"app.kubernetes.io/part-of": "argocd"}},
        "data": {"kustomize.buildOptions": "--enable-helm"},
    });
    plane.api.create(&plane.control_path("configmaps"), &settings).await.unwrap();
    plane.until_synced(&first).await;
    until_data(&plane, "version", "1.0.0").await;
    for name in ["base", "file"] {
        let live = plane.get(&plane.path(&format!("configmaps/{name}"))).await;
        assert_eq!(live["data"]["value"], "1");
    }
    plane.until_no_conditions().await;
    // What changes elsewhere is noticed although the Application's own repository is as it was.
    base.commit("main").file("deploy/base.yaml", config_map("base", "2")).submit().unwrap();
    charts.put("files/file.yaml", config_map("file", "2"));
    for name in ["base", "file"] {
        let is_new = |live: &Value| live["data"]["value"] == "2";
        plane.until(&plane.path(&format!("configmaps/{name}")), "the new value", is_new).await;
    }
    plane.until_no_conditions().await;
}
