//! Replicas that share the Applications of one control plane.

use serde_json::{Value, json};
use windlass_testing::{ApiFaults, CommitId, Process, eventually};

use crate::plane::{PATIENCE, Plane, Server, automated, config_map, is_synced};

/// So many that every replica has some, but for a chance of one in thousands.
const N_APPS: usize = 16;

const SECRET: &str = "sesame";

/// Two replicas share the Applications, hear of the same pushes, and apply everything once; one that is killed is taken
/// over, and one that ends as it should is taken over at once.
pub(crate) async fn replicas_share_the_work(server: Server) {
    let faults = ApiFaults::new(1);
    let mut plane = Plane::builder(server).share_work().never_polls().faults(&faults).start().await;
    plane.create_secret("argocd-secret", None, json!({"webhook.generic.secret": SECRET})).await;
    let first = commit(&plane, "1");
    for idx in 0..N_APPS {
        let mut app = automated();
        app["spec"]["source"] = json!({"path": format!("part-{idx}")});
        plane.create_app_named(&name(&plane, idx), app).await;
    }
    all_synced(&plane, &first).await;
    let mut other = plane.second_controller();
    until_replicas(&plane, 2).await;
    until_units_of_both(&mut plane, &mut other).await;
    // Nothing changed, so nothing was applied again by whoever took it over.
    assert_applied_once(&faults, "1");

    let second = commit(&plane, "2");
    push(&plane).await;
    all_synced(&plane, &second).await;
    assert_applied_once(&faults, "2");

    plane.kill();
    std::mem::swap(&mut plane.windlass, &mut other);
    let third = commit(&plane, "3");
    push(&plane).await;
    all_synced(&plane, &third).await;
    assert_applied_once(&faults, "3");
    until_replicas(&plane, 1).await;

    other = plane.second_controller();
    until_replicas(&plane, 2).await;
    until_units_of_both(&mut plane, &mut other).await;
    // This one says that it goes.
    let ended = format!("_{}", other.id());
    other.stop(PATIENCE).unwrap();
    let leases = replicas(&plane).await;
    let is_its =
        |lease: &&Value| lease["spec"]["holderIdentity"].as_str().unwrap_or_default().ends_with(&ended);
    assert!(leases.iter().find(is_its).is_none(), "a replica that has ended left its Lease: {leases:?}");
    let fourth = commit(&plane, "4");
    push(&plane).await;
    all_synced(&plane, &fourth).await;
    assert_applied_once(&faults, "4");
}

/// An Application that waits for another replica's begins when that is done, and not before.
pub(crate) async fn waits_for_units_of_other_replicas(server: Server) {
    const N_LINKS: usize = 8;
    let faults = ApiFaults::new(2);
    let mut plane = Plane::builder(server).share_work().never_polls().faults(&faults).start().await;
    plane.create_secret("argocd-secret", None, json!({"webhook.generic.secret": SECRET})).await;
    let mut other = plane.second_controller();
    until_replicas(&plane, 2).await;
    let first = commit(&plane, "1");
    for idx in 0..N_APPS {
        let mut app = automated();
        app["spec"]["source"] = json!({"path": format!("part-{idx}")});
        if (1..N_LINKS).contains(&idx) {
            app["metadata"] = json!({"annotations": {"windlass.dev/depends-on": name(&plane, idx - 1)}});
        }
        plane.create_app_named(&name(&plane, idx), app).await;
    }
    all_synced(&plane, &first).await;
    until_units_of_both(&mut plane, &mut other).await;
    for value in ["2", "3"] {
        let next = commit(&plane, value);
        push(&plane).await;
        all_synced(&plane, &next).await;
        let applied = applies(&faults, value);
        let chain: Vec<&String> =
            applied.iter().filter(|name| (0..N_LINKS).any(|idx| **name == part(idx))).collect();
        let expected: Vec<String> = (0..N_LINKS).map(part).collect();
        assert_eq!(chain, expected.iter().collect::<Vec<_>>(), "the order of the chain for {value}");
    }
    // A commit that touches the last link alone waits for the others to have seen it, and not for ever.
    let last = plane
        .commit()
        .file(format!("part-{0}/{0}.yaml", N_LINKS - 1), config_map(&part(N_LINKS - 1), "alone"))
        .submit()
        .unwrap();
    push(&plane).await;
    let path = plane.control_path(&format!("applications/{}", name(&plane, N_LINKS - 1)));
    plane.until(&path, "the last link to be synced", |app| is_synced(app, &last)).await;
}

/// The waves of an Application of Applications wait for those that other replicas act on.
pub(crate) async fn waves_wait_for_applications_of_other_replicas(server: Server) {
    let faults = ApiFaults::new(3);
    let mut plane = Plane::builder(server).share_work().never_polls().faults(&faults).start().await;
    let mut other = plane.second_controller();
    until_replicas(&plane, 2).await;
    let child = |idx: usize| {
        format!(
            "apiVersion: argoproj.io/v1alpha1\nkind: Application\nmetadata:\n  name: {}\n  namespace: {1}\n  annotations:\n    \
             argocd.argoproj.io/sync-wave: \"{idx}\"\nspec:\n  project: default\n  source:\n    repoURL: {2}\n    path: \
             part-{idx}\n    targetRevision: main\n  destination:\n    server: https://kubernetes.default.svc\n    namespace: \
             {3}\n  syncPolicy:\n    automated: {{}}\n",
            name(&plane, idx),
            plane.namespace,
            plane.url(),
            plane.target
        )
    };
    let children = (0..N_APPS - 1).map(|idx| (format!("deploy/{idx}.yaml"), child(idx)));
    let parts = (0..N_APPS - 1).map(|idx| (format!("part-{idx}/{idx}.yaml"), config_map(&part(idx), "1")));
    let commit = plane.commit().files(children).files(parts).submit().unwrap();
    let mut app = automated();
    app["spec"]["destination"] = json!({"namespace": plane.namespace});
    plane.create_app(app).await;
    plane.until_synced(&commit).await;
    let expected: Vec<String> = (0..N_APPS - 1).map(part).collect();
    assert_eq!(applies(&faults, "1"), expected, "the order of the waves");
    until_units_of_both(&mut plane, &mut other).await;
}

fn name(plane: &Plane, idx: usize) -> String {
    format!("{}-{idx}", plane.app)
}

fn part(idx: usize) -> String {
    format!("part-{idx}")
}

fn commit(plane: &Plane, value: &str) -> CommitId {
    let files = (0..N_APPS).map(|idx| (format!("part-{idx}/{idx}.yaml"), config_map(&part(idx), value)));
    plane.commit().files(files).submit().unwrap()
}

async fn push(plane: &Plane) {
    let taken = || async {
        match plane.push_webhook(SECRET).await {
            200..300 => Ok(()),
            status => Err(format!("the push was answered with {status}")),
        }
    };
    eventually(PATIENCE, taken).await.unwrap();
}

async fn all_synced(plane: &Plane, commit: &CommitId) {
    for idx in 0..N_APPS {
        let path = plane.control_path(&format!("applications/{}", name(plane, idx)));
        plane.until(&path, "it to be synced", |app| is_synced(app, commit)).await;
    }
}

/// The Leases of the replicas.
pub(crate) async fn replicas(plane: &Plane) -> Vec<Value> {
    let path = format!("{}?labelSelector=windlass.dev/replica-of=windlass", plane.control_path("leases"));
    let list = plane.get(&path).await;
    list["items"].as_array().unwrap().clone()
}

/// Waits until so many replicas say that they share the work among as many.
async fn until_replicas(plane: &Plane, n_replicas: usize) {
    let agreed = || async {
        let leases = replicas(plane).await;
        let views: Vec<&str> = leases
            .iter()
            .map(|lease| {
                lease["metadata"]["annotations"]["windlass.dev/replicas"].as_str().unwrap_or_default()
            })
            .collect();
        let n_agreed = views.iter().filter(|view| view.split(',').count() == n_replicas).count();
        if n_agreed == n_replicas { Ok(()) } else { Err(format!("the replicas say {views:?}")) }
    };
    eventually(PATIENCE, agreed).await.unwrap();
}

/// Waits until both have some of the Applications, and together all of them.
async fn until_units_of_both(plane: &mut Plane, other: &mut Process) {
    let deadline = std::time::Instant::now() + PATIENCE;
    loop {
        let here = plane.metric("windlass_units").await;
        std::mem::swap(&mut plane.windlass, other);
        let there = plane.metric("windlass_units").await;
        std::mem::swap(&mut plane.windlass, other);
        if here > 0 && there > 0 && here + there == N_APPS as u64 {
            return;
        }
        assert!(std::time::Instant::now() < deadline, "the replicas have {here} and {there} of {N_APPS}");
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
}

/// The ConfigMaps that were applied with this value, in the order of the server's answers.
fn applies(faults: &ApiFaults, value: &str) -> Vec<String> {
    let writes = faults.writes();
    let applies = writes.iter().filter(|write| {
        write.method == "PATCH" && write.path.contains("/configmaps/") && !write.path.contains("dryRun")
    });
    applies
        .filter_map(|write| {
            let object: Value = serde_json::from_slice(&write.body).ok()?;
            (object["data"]["value"] == value)
                .then(|| object["metadata"]["name"].as_str().map(str::to_owned))?
        })
        .collect()
}

fn assert_applied_once(faults: &ApiFaults, value: &str) {
    let mut applied = applies(faults, value);
    applied.sort();
    let mut expected: Vec<String> = (0..N_APPS).map(part).collect();
    expected.sort();
    assert_eq!(applied, expected, "what was applied with {value}");
}
