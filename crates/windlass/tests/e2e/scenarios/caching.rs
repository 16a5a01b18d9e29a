//! Which renders run, and where the others come from.

use serde_json::{Value, json};
use windlass_source::{Access, ArtifactLimits, ArtifactStore, Authentication, BucketPart, Policy, Secret};
use windlass_testing::{S3Server, eventually};

use crate::plane::{PATIENCE, Plane, PlaneBuilder, Server, automated};

const CHART: &str = "apiVersion: v2\nname: web\nversion: 1.0.0\n";

/// Chooses a password, by which one render is told from another.
const TEMPLATE: &str = "\
apiVersion: v1
kind: ConfigMap
metadata:
  name: {{ .Release.Name }}-settings
data:
  password: {{ randAlphaNum 24 | quote }}
  {{- if .Values.fails }}{{ fail \"it was asked to fail\" }}{{ end }}
";

/// An Application of the chart with a release's name.
fn release(name: &str) -> Value {
    let mut app = automated();
    app["spec"]["source"] = json!({"helm": {"releaseName": name}});
    app
}

async fn commit_chart(plane: &Plane) -> windlass_testing::CommitId {
    plane
        .commit()
        .file("deploy/Chart.yaml", CHART)
        .file("deploy/values.yaml", "fails: false\n")
        .file("deploy/templates/settings.yaml", TEMPLATE)
        .submit()
        .unwrap()
}

async fn password(plane: &Plane, release: &str) -> String {
    let live = plane.until_exists(&plane.path(&format!("configmaps/{release}-settings"))).await;
    live["data"]["password"].as_str().unwrap().to_owned()
}

/// Asks for a refresh, and waits until it was taken.
async fn refresh(plane: &Plane, kind: &str) {
    plane.patch_app(json!({"metadata": {"annotations": {"argocd.argoproj.io/refresh": kind}}})).await;
    plane
        .until_app("the refresh to be taken", |app| {
            app["metadata"]["annotations"]["argocd.argoproj.io/refresh"].is_null()
        })
        .await;
}

/// A refresh, and a restart, render nothing that is known; a hard refresh renders the Application that asks for it, once,
/// and no other one, and a failure that is kept is tried at once.
pub(crate) async fn hard_refresh_goes_past_all_that_is_kept(server: Server) {
    let mut plane = Plane::builder(server).never_polls().durable().start().await;
    let commit = commit_chart(&plane).await;
    plane.create_app(release("one")).await;
    plane.until_synced(&commit).await;
    let other = format!("{}-other", plane.app);
    plane.create_app_named(&other, release("two")).await;
    let path = plane.control_path(&format!("applications/{other}"));
    plane.until(&path, "the other one synced", |app| app["status"]["sync"]["status"] == "Synced").await;
    let (one, two) = (password(&plane, "one").await, password(&plane, "two").await);
    assert_eq!(plane.renders_that_ran().await, 2);
    refresh(&plane, "normal").await;
    assert_eq!(plane.renders_that_ran().await, 2);
    refresh(&plane, "hard").await;
    assert_eq!(plane.renders_that_ran().await, 3);
    let settings = plane.path("configmaps/one-settings");
    let changed = plane.until(&settings, "another password", |live| live["data"]["password"] != one).await;
    let chosen = changed["data"]["password"].as_str().unwrap().to_owned();
    plane.until_synced(&commit).await;
    assert_eq!(password(&plane, "two").await, two);
    // What it made is kept in the place of what was.
    refresh(&plane, "normal").await;
    assert_eq!(plane.renders_that_ran().await, 3);
    plane.kill();
    plane.start_again().await;
    refresh(&plane, "normal").await;
    plane.until_synced(&commit).await;
    assert_eq!(plane.renders_that_ran().await, 0);
    assert_eq!(password(&plane, "one").await, chosen);
    // A failure is told again without trying, but for a hard refresh.
    plane
        .patch_app(
            json!({"spec": {"source": {"helm": {"parameters": [{"name": "fails", "value": "true"}]}}}}),
        )
        .await;
    plane.until_condition("ComparisonError", &["it was asked to fail"]).await;
    let failed = plane.renders_that_ran().await;
    refresh(&plane, "hard").await;
    assert!(plane.renders_that_ran().await > failed);
    assert_eq!(password(&plane, "one").await, chosen);
}

/// A replica that takes over where nothing of the one before is left has its renders of the bucket, and renders nothing: a
/// chart keeps the password that it chose.
pub(crate) async fn renders_are_shared_through_a_bucket(server: Server) {
    let bucket = S3Server::start().unwrap();
    let mut plane = sharing(server, &bucket).start().await;
    let commit = commit_chart(&plane).await;
    plane.create_app(release("one")).await;
    plane.until_synced(&commit).await;
    let chosen = password(&plane, "one").await;
    assert_eq!(plane.renders_that_ran().await, 1);
    until_shared(&bucket, 1).await;
    plane.kill();
    plane.start_elsewhere().await;
    if server == Server::Embedded {
        // That control plane is gone with its process.
        plane.create_app(release("one")).await;
    }
    plane.until_synced(&commit).await;
    assert_eq!(password(&plane, "one").await, chosen);
    plane.commit().file("beside", "news").submit().unwrap();
    refresh(&plane, "normal").await;
    assert_eq!(plane.renders_that_ran().await, 0);
    assert_eq!(plane.metric("windlass_render_answers_total{from=\"store\"}").await, 1);
}

/// A control plane that shares through a bucket.
pub(super) fn sharing(server: Server, bucket: &S3Server) -> PlaneBuilder {
    Plane::builder(server)
        .variable("WINDLASS_STORE_BUCKET", format!("s3://{}/team", S3Server::BUCKET))
        .variable("WINDLASS_STORE_SECRET", "a secret of thirty-two bytes or more")
        .variable("AWS_ENDPOINT_URL", bucket.base_url())
        .variable("AWS_ACCESS_KEY_ID", S3Server::KEY)
        .variable("AWS_SECRET_ACCESS_KEY", S3Server::SECRET)
}

/// Waits until so many objects are in the bucket.
pub(super) async fn until_shared(server: &S3Server, n_records: usize) {
    let folder = tempfile::TempDir::new().unwrap();
    let limits = ArtifactLimits::default();
    let store = ArtifactStore::open(folder.path(), Policy::trusting(), limits).unwrap();
    let access = Access {
        authentication: Authentication::Basic {
            username: S3Server::KEY.into(),
            password: Secret::new(S3Server::SECRET),
        },
        credentials_over_http: true,
        ..Access::default()
    };
    let part =
        BucketPart { name: S3Server::BUCKET.into(), prefix: "team/renders/".into(), ..BucketPart::default() };
    let url = server.base_url().parse().unwrap();
    let objects = std::sync::Arc::new(store.bucket_objects(&url, &access, part).unwrap());
    let attempt = || {
        let objects = objects.clone();
        async move {
            let names = tokio::task::spawn_blocking(move || objects.names()).await.unwrap().unwrap();
            if names.len() == n_records { Ok(()) } else { Err(format!("there are {names:?}")) }
        }
    };
    eventually(PATIENCE, attempt).await.unwrap();
}
