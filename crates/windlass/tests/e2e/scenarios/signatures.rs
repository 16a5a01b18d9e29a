//! What must be signed is not deployed before it is.

use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use windlass_testing::OciRegistry;

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
        // The previews refuse what the deployment does.
        for verb in ["manifests", "diff"] {
            plane.verb(&[verb, &plane.app, "--allow-local-repositories"]).says(&[told]);
        }
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

/// Puts what cosign pushed for a case into a registry; returns the case.
fn push_signed(registry: &OciRegistry, name: &str, tag: &str) -> Value {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../windlass-artifact-signature/tests/cosign.json");
    let recording: Value = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
    let case = recording["cases"].as_array().unwrap().iter().find(|case| case["name"] == name).unwrap();
    for (reference, manifest) in case["manifests"].as_object().unwrap() {
        let reference = if reference == "1.0.0" { tag } else { reference };
        let bytes = STANDARD.decode(manifest["body"].as_str().unwrap()).unwrap();
        let tag = Some(reference).filter(|it| !it.starts_with("sha256:"));
        registry.push_manifest_bytes("apps/web", tag, manifest["mediaType"].as_str().unwrap(), &bytes);
    }
    for blob in case["blobs"].as_object().unwrap().values() {
        registry.push_blob(&STANDARD.decode(blob.as_str().unwrap()).unwrap());
    }
    case.clone()
}

/// A policy of the control plane counts: what cosign signed with its key is deployed, what another key signed, or
/// nobody, is refused with a condition that says so, while what was deployed stays; and the previews refuse it as the
/// deployment does.
pub(crate) async fn unsigned_artifacts_are_not_deployed(server: Server) {
    let registry = OciRegistry::start().unwrap();
    let good = push_signed(&registry, "key/bundle/p256", "good");
    push_signed(&registry, "key/classic/rsa2048", "foreign");
    push_signed(&registry, "key/none", "unsigned");
    push_signed(&registry, "key/classic/one-of-two-keys", "classic");
    let url = registry.url("apps/web");
    let plane = Plane::start(server).await;
    let data = json!({"type": "oci", "name": "web", "url": url, "insecureOCIForceHttp": "true"});
    plane.create_secret("web", Some("repository"), data).await;
    let key = good["keys"][0].as_str().unwrap().replace('\n', "\n  ");
    let policy = |repositories: &str, key: &str| {
        json!({
            "apiVersion": "v1", "kind": "ConfigMap", "metadata": {
                "name": "windlass-artifact-signatures", "labels": {"app.kubernetes.io/part-of": "argocd"},
            },
            "data": {"web": format!("{repositories}provider: cosign\nkeys:\n- |\n  {key}\n")},
        })
    };
    let repositories = format!("repositories: ['{}']\n", registry.url("apps/*"));
    plane.api.create(&plane.control_path("configmaps"), &policy(&repositories, &key)).await.unwrap();
    let mut app = automated();
    app["spec"]["source"] = json!({"repoURL": url, "targetRevision": "good", "path": "."});
    plane.create_app(app).await;
    let signed = plane.path("configmaps/signed");
    let deployed = async |case: &str| {
        plane.until(&signed, case, |live| live["data"]["case"] == case).await;
        plane.until_no_conditions().await;
    };
    deployed("key/bundle/p256").await;
    let at = |revision: &str| json!({"spec": {"source": {"targetRevision": revision}}});
    for (revision, told) in [
        ("foreign", "none of its 1 signatures counts: no trusted key made it"),
        ("unsigned", "it has no signature"),
    ] {
        plane.patch_app(at(revision)).await;
        plane.until_condition("ComparisonError", &["it is not signed as is asked for", told]).await;
        assert_eq!(plane.get(&signed).await["data"]["case"], "key/bundle/p256", "{revision}");
        plane
            .verb(&["manifests", &plane.app, "--allow-local-repositories"])
            .says(&["it is not signed as is asked for"]);
    }
    // Back at what is signed, it is looked after again.
    plane.patch_app(at("good")).await;
    plane.until_no_conditions().await;
    plane.api.delete(&signed).await.unwrap();
    plane.until(&signed, "key/bundle/p256", |live| live["data"]["case"] == "key/bundle/p256").await;
    plane.patch_app(at("classic")).await;
    deployed("key/classic/one-of-two-keys").await;
    // A policy that cannot be read refuses what it is for.
    let map = plane.control_path("configmaps/windlass-artifact-signatures");
    plane.api.merge(&map, &policy(&repositories, "nonsense")).await.unwrap();
    plane.until_condition("ComparisonError", &["a policy for signatures cannot be used"]).await;
    plane.api.delete(&map).await.unwrap();
    plane.until_no_conditions().await;
}
