//! `windlass backup` and `windlass restore`, as a person types them.

#![expect(clippy::unwrap_used, reason = "a test ends where something is wrong")]

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use serde_json::{Value, json};
use windlass_testing::{ApiClient, Process, eventually, free_port};

/// A control plane without an engine on a folder of ours.
struct Plane {
    process: Process,
    api: ApiClient,
    kubeconfig: PathBuf,
}

impl Plane {
    async fn start(folder: &Path) -> Self {
        Self::start_on(folder, "data").await
    }

    async fn start_on(folder: &Path, data: &str) -> Self {
        let port = free_port().unwrap();
        let kubeconfig = folder.join(format!("kubeconfig-{port}"));
        let process = Process::builder(env!("CARGO_BIN_EXE_windlass"))
            .args(["up", "--no-engine"])
            .arg(format!("--data-dir={}", folder.join(data).display()))
            .arg(format!("--api-listen=127.0.0.1:{port}"))
            .arg(format!("--kubeconfig-out={}", kubeconfig.display()))
            .log(folder.join(format!("windlass-{port}.log")))
            .start()
            .unwrap();
        let there = || async { std::fs::read_to_string(&kubeconfig) };
        let config = eventually(Duration::from_secs(60), there).await.unwrap();
        let config: Value = serde_json::from_str(&config).unwrap();
        let pem = |value: &Value| {
            use base64::{Engine, prelude::BASE64_STANDARD};
            String::from_utf8(BASE64_STANDARD.decode(value.as_str().unwrap()).unwrap()).unwrap()
        };
        let (cluster, user) = (&config["clusters"][0]["cluster"], &config["users"][0]["user"]);
        let api = ApiClient::with_certificate(
            port,
            &pem(&cluster["certificate-authority-data"]),
            &pem(&user["client-certificate-data"]),
            &pem(&user["client-key-data"]),
        )
        .unwrap();
        Self { process, api, kubeconfig }
    }

    fn stop(mut self) {
        self.process.stop(Duration::from_secs(30)).unwrap();
    }
}

/// Whether it succeeded, and what it said.
fn windlass(arguments: &[&str]) -> (bool, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_windlass")).args(arguments).output().unwrap();
    (output.status.success(), String::from_utf8_lossy(&output.stderr).into_owned())
}

const CONFIG_MAPS: &str = "/api/v1/namespaces/default/configmaps";

async fn create(plane: &Plane, name: &str) -> Value {
    let object = json!({"metadata": {"name": name}, "data": {"text": name}});
    plane.api.create(CONFIG_MAPS, &object).await.unwrap()
}

#[tokio::test]
async fn a_backup_of_a_running_control_plane_is_restored() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let plane = Plane::start(folder.path()).await;
    let kept = create(&plane, "kept").await;
    let later = create(&plane, "changed").await;
    let kubeconfig = plane.kubeconfig.to_str().unwrap().to_owned();
    let backup = |file: &str| windlass(&["backup", &path(file), "--kubeconfig", &kubeconfig]);
    let account = "/api/v1/namespaces/default/serviceaccounts/default";
    eventually(Duration::from_secs(60), || plane.api.get(account)).await.unwrap();
    let token = plane.api.create(&format!("{account}/token"), &json!({})).await.unwrap();
    let token = token["status"]["token"].as_str().unwrap().to_owned();
    let (done, said) = backup("first");
    assert!(done && said.contains("objects at version"), "{said}");
    assert_eq!(std::fs::metadata(path("first")).unwrap().permissions().mode() & 0o777, 0o600);
    let (done, said) = backup("first");
    assert!(!done && said.contains("never overwrites"), "{said}");

    // What happens after the backup is not in it.
    plane.api.delete(&format!("{CONFIG_MAPS}/changed")).await.unwrap();
    create(&plane, "new").await;
    let data = path("data");
    let (done, said) = windlass(&["restore", &path("first"), "--data-dir", &data]);
    assert!(!done && said.contains("is in use"), "{said}");
    plane.stop();
    let (done, said) = windlass(&["restore", &path("first"), "--data-dir", &data]);
    assert!(!done && said.contains("--replace"), "{said}");

    let mut broken = std::fs::read(path("first")).unwrap();
    let middle = broken.len() / 2;
    broken[middle..middle + 4096].fill(0x55);
    std::fs::write(path("broken"), broken).unwrap();
    let (done, said) = windlass(&["restore", &path("broken"), "--data-dir", &data, "--replace"]);
    assert!(!done && said.contains(&format!("{} is no backup", path("broken"))), "{said}");
    assert!(said.contains("damaged") && !said.contains("partial"), "{said}");

    let (done, said) = windlass(&["restore", &path("first"), "--data-dir", &data, "--replace"]);
    assert!(done && said.contains("restored") && said.contains("replaced-1"), "{said}");
    let plane = Plane::start(folder.path()).await;
    for object in [&kept, &later] {
        let name = object["metadata"]["name"].as_str().unwrap();
        let found = plane.api.get(&format!("{CONFIG_MAPS}/{name}")).await.unwrap();
        assert_eq!(found["metadata"], object["metadata"], "versions are those of the backup");
    }
    assert!(plane.api.get(&format!("{CONFIG_MAPS}/new")).await.is_err());
    let next = create(&plane, "next").await;
    let version =
        |object: &Value| -> u64 { object["metadata"]["resourceVersion"].as_str().unwrap().parse().unwrap() };
    assert!(version(&next) > version(&later));
    plane.stop();

    // On another machine it is the same server to those who knew it: their tokens are good, and so is its certificate.
    let (done, said) = windlass(&["restore", &path("first"), "--data-dir", &path("elsewhere")]);
    assert!(done, "{said}");
    let plane = Plane::start_on(folder.path(), "elsewhere").await;
    let review =
        json!({"apiVersion": "authentication.k8s.io/v1", "kind": "TokenReview", "spec": {"token": token}});
    let review = plane.api.create("/apis/authentication.k8s.io/v1/tokenreviews", &review).await.unwrap();
    assert_eq!(review["status"]["user"]["username"], "system:serviceaccount:default:default", "{review}");
    plane.stop();
    for data in ["data", "elsewhere"] {
        let files = || std::fs::read_dir(folder.path().join(data).join("api")).unwrap().map(Result::unwrap);
        let mut names: Vec<_> = files().map(|entry| entry.file_name().into_string().unwrap()).collect();
        names.retain(|name| !name.contains("replaced") && name != "store.db-last");
        names.sort();
        assert_eq!(names, ["ca.crt", "ca.key", "service-accounts.key", "store.db"]);
        for key in files().filter(|entry| entry.file_name() != "ca.crt") {
            assert_eq!(key.metadata().unwrap().permissions().mode() & 0o777, 0o600, "{key:?}");
        }
    }
}
