//! What must be signed is not deployed before it is.

use std::path::{Path, PathBuf};

use serde_json::json;

use crate::plane::{Plane, Server, automated};

fn recorded(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../windlass-signature/tests/git").join(name)
}

/// The project's keys count: a commit that nobody signed, or another key, is refused in Argo CD's words; a signed one is
/// deployed; strictly, nothing before the seal counts and everything after it does.
pub(crate) async fn unsigned_commits_are_not_deployed(server: Server) {
    let plane = Plane::start(server).await;
    plane.repository.take_bundle(&recorded("app.bundle")).unwrap();
    let key = std::fs::read_to_string(recorded("rsa.id")).unwrap();
    let keyring = std::fs::read_to_string(recorded("keyring.asc")).unwrap();
    let project = |mode: &str| {
        json!({
            "sourceRepos": ["*"], "destinations": [{"server": "*", "namespace": "*"}],
            "sourceIntegrity": {"git": {"policies": [
                {"repos": [{"url": "*"}], "gpg": {"mode": mode, "keys": [key.trim()]}}
            ]}},
        })
    };
    let object = json!({
        "apiVersion": "argoproj.io/v1alpha1", "kind": "AppProject",
        "metadata": {"name": "team"}, "spec": project("head"),
    });
    plane.api.create(&plane.control_path("appprojects"), &object).await.unwrap();
    let mut app = automated();
    app["spec"]["project"] = json!("team");
    app["spec"]["source"] = json!({"targetRevision": "app-signed"});
    plane.create_app(app).await;
    // Not before the key is known.
    let told =
        ["GIT/GPG: Failed verifying revision ", " by 'Jane Doe <jane@example.org>': ", "key not in keyring"];
    plane.until_condition("ComparisonError", &told).await;
    let settings = plane.path("configmaps/settings");
    plane.assert_absent(&settings).await;
    let keys = json!({
        "apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "argocd-gpg-keys-cm", "labels": {
            "app.kubernetes.io/part-of": "argocd"
        }},
        "data": {"0123456789ABCDEF": keyring},
    });
    plane.api.create(&plane.control_path("configmaps"), &keys).await.unwrap();
    plane.until(&settings, "the signed commit", |live| live["data"]["step"] == "signed").await;
    plane.until_no_conditions().await;

    let at = |revision: &str| json!({"spec": {"source": {"targetRevision": revision}}});
    for (revision, told) in [
        ("app-foreign", "signed with unallowed key (key_id="),
        ("app-unsigned", "unsigned (key_id=)"),
        ("v1.1.0", "Failed verifying revision v1.1.0 by 'Jane Doe <jane@example.org>': unsigned"),
    ] {
        plane.patch_app(at(revision)).await;
        plane.until_condition("ComparisonError", &[told]).await;
        assert_eq!(plane.get(&settings).await["data"]["step"], "signed", "{revision}");
    }
    // The tag is signed, whatever its commit is.
    plane.patch_app(at("v2.0.0")).await;
    plane.until(&settings, "the commit of the signed tag", |live| live["data"]["step"] == "open").await;

    let team = plane.control_path("appprojects/team");
    plane.api.merge(&team, &json!({"spec": project("strict")})).await.unwrap();
    plane.until_condition("ComparisonError", &["unsigned (key_id=)"]).await;
    plane.patch_app(at("v1.0.0")).await;
    plane.until(&settings, "what is signed down to the seal", |live| live["data"]["step"] == "signed").await;
    plane.until_no_conditions().await;
}
