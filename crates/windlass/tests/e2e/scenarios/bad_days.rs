//! Failures around Windlass, and of Windlass: afterwards it converges.

use std::time::Duration;

use base64::{Engine as _, prelude::BASE64_STANDARD};
use serde_json::{Value, json};
use windlass_testing::{ApiFault, ApiFaults, Fault, FaultProxy, FaultRule, SmallDisk, Traffic, eventually};

use crate::plane::{PATIENCE, Plane, Server, balancer, config_map, config_map_with};
use crate::scenarios::waves::{WAVE, waits_for};

/// While Git does not answer, what runs stays and is healed from the last good revision.
pub(crate) async fn git_unreachable_while_drift_is_healed(server: Server) {
    let plane = Plane::start(server).await;
    let first = plane.commit().file("deploy/a.yaml", config_map("one", "1")).submit().unwrap();
    plane.create_automated_app().await;
    plane.until_synced(&first).await;
    plane.git.set_fault(Some(Fault::Disconnect));
    plane.until_condition("ComparisonError", &["cannot reach"]).await;
    let one = plane.path("configmaps/one");
    plane.api.merge(&one, &json!({"data": {"value": "drifted"}})).await.unwrap();
    plane.until(&one, "the value to be healed", |live| live["data"]["value"] == "1").await;
    plane.api.delete(&one).await.unwrap();
    plane.until_exists(&one).await;
    let second = plane.commit().file("deploy/a.yaml", config_map("one", "2")).submit().unwrap();
    plane.git.set_fault(None);
    plane.until_synced(&second).await;
    plane.until_no_conditions().await;
}

/// The API server goes away and comes back, on the embedded server together with Windlass.
pub(crate) async fn api_server_restarts(server: Server) {
    let mut plane = Plane::builder(server).durable().own_cluster().start().await;
    let first = plane
        .commit()
        .file("deploy/a.yaml", config_map("one", "1"))
        .file("deploy/b.yaml", config_map("old", "1"))
        .submit()
        .unwrap();
    plane.create_automated_app().await;
    plane.until_synced(&first).await;
    match &plane.private {
        Some(cluster) => cluster.kill_apiserver().await,
        None => plane.kill(),
    }
    let second = plane
        .commit()
        .file("deploy/a.yaml", config_map("one", "2"))
        .file("deploy/c.yaml", config_map("new", "1"))
        .delete("deploy/b.yaml")
        .submit()
        .unwrap();
    match &plane.private {
        Some(cluster) => cluster.start_apiserver().await.unwrap(),
        None => plane.start_again().await,
    }
    plane.until_healthy(&second).await;
    assert_eq!(plane.get(&plane.path("configmaps/one")).await["data"]["value"], "2");
    plane.assert_exists(&plane.path("configmaps/new")).await;
    plane.until_gone(&plane.path("configmaps/old")).await;
    // Its watches work again, too.
    let one = plane.path("configmaps/one");
    plane.api.merge(&one, &json!({"data": {"value": "drifted"}})).await.unwrap();
    plane.until(&one, "the value to be healed", |live| live["data"]["value"] == "2").await;
}

/// Killed between two waves, Windlass ends what it began: nothing twice, nothing lost.
pub(crate) async fn killed_in_the_middle_of_a_sync(server: Server) {
    let mut plane = Plane::builder(server).durable().without_simulator().start().await;
    let first = plane.commit().file("deploy/first.yaml", config_map("first", "1")).submit().unwrap();
    plane.create_automated_app().await;
    plane.until_synced(&first).await;
    let second = plane
        .commit()
        .file("deploy/before.yaml", config_map("before", "1"))
        .file("deploy/front.yaml", balancer("front", 1))
        .file("deploy/after.yaml", config_map_with("after", "1", WAVE, "2"))
        .submit()
        .unwrap();
    plane.until_app("the sync to wait for the Service", |app| waits_for(app, "front")).await;
    plane.kill();
    plane.start_again().await;
    plane.assert_absent(&plane.path("configmaps/after")).await;
    plane.open("front").await;
    let app = plane.until_healthy(&second).await;
    for name in ["first", "before", "after"] {
        plane.assert_exists(&plane.path(&format!("configmaps/{name}"))).await;
    }
    assert_eq!(deployed(&app), [first.as_str(), second.as_str()]);
}

/// Killed at moments that nobody chose, it converges each time, and the history has every deployment once.
pub(crate) async fn killed_at_any_moment(server: Server) {
    const N_OBJECTS: usize = 30;
    const N_KILLS: usize = 4;
    let mut plane = Plane::builder(server).durable().start().await;
    let first = plane.commit().file("deploy/first.yaml", config_map("first", "1")).submit().unwrap();
    plane.create_automated_app().await;
    plane.until_synced(&first).await;
    let mut commits = vec![first];
    for round in 0..N_KILLS {
        let round = round.to_string();
        let mut commit = plane.commit();
        for n in 0..N_OBJECTS {
            // Three waves, so that there is more than one moment to be killed at.
            let wave = (n % 3).to_string();
            let object = config_map_with(&format!("many-{n}"), &round, WAVE, &wave);
            commit = commit.file(format!("deploy/many-{n}.yaml"), object);
        }
        commits.push(commit.submit().unwrap());
        // The first wave has begun, and nobody knows how far the rest has come.
        plane
            .until(&plane.path("configmaps/many-0"), "the new value", |live| live["data"]["value"] == round)
            .await;
        plane.kill();
        plane.start_again().await;
        let app = plane.until_healthy(commits.last().unwrap()).await;
        for n in 0..N_OBJECTS {
            let live = plane.get(&plane.path(&format!("configmaps/many-{n}"))).await;
            assert_eq!(live["data"]["value"], round, "many-{n}");
        }
        assert_eq!(deployed(&app), commits.iter().map(|commit| commit.as_str()).collect::<Vec<_>>());
    }
}

/// Each of these keeps a sync from going well; while it lasts nothing is lost, and when it is over the sync is done.
pub(crate) async fn the_way_to_the_api_is_bad(server: Server) {
    let faults = ApiFaults::new(7);
    let plane = Plane::builder(server).without_simulator().faults(&faults).start().await;
    let first = plane.commit().file("deploy/always.yaml", config_map("always", "1")).submit().unwrap();
    plane.create_automated_app().await;
    plane.until_synced(&first).await;
    let in_target = |traffic, fault| FaultRule::new(traffic, fault).path(format!("/{}/", plane.target));
    let weathers = [
        ("late", vec![FaultRule::new(Traffic::All, ApiFault::Latency(Duration::from_millis(300)))]),
        ("busy", vec![FaultRule::new(Traffic::All, ApiFault::Busy(1)).chance(0.5)]),
        ("failing", vec![FaultRule::new(Traffic::All, ApiFault::Status(500)).chance(0.5)]),
        ("conflicts", vec![in_target(Traffic::Writes, ApiFault::Conflict)]),
        ("unseen", vec![FaultRule::new(Traffic::Writes, ApiFault::Disconnect).chance(0.7)]),
        ("lost", vec![FaultRule::new(Traffic::Writes, ApiFault::LostAnswer).chance(0.7)]),
        ("partial", vec![FaultRule::new(Traffic::All, ApiFault::CutAfter(100)).chance(0.5)]),
        ("watches", vec![FaultRule::new(Traffic::Watches, ApiFault::CutAfter(1500))]),
        ("swallowed", vec![FaultRule::new(Traffic::All, ApiFault::BlackHole).chance(0.5)]),
    ];
    let mut before: Option<&str> = None;
    for (name, rules) in weathers {
        let n_before = faults.count();
        for rule in rules {
            faults.add(rule);
        }
        faults.drop_watches();
        let mut commit = plane.commit().file(format!("deploy/{name}.yaml"), config_map(name, name)).file(
            format!("deploy/{name}-later.yaml"),
            config_map_with(&format!("{name}-later"), name, WAVE, "1"),
        );
        if let Some(before) = before {
            commit = commit.delete(format!("deploy/{before}-later.yaml"));
        }
        let commit = commit.submit().unwrap();
        let met = || async {
            if faults.count() > n_before { Ok(()) } else { Err(format!("{name}: {} faults", faults.count())) }
        };
        eventually(PATIENCE, met).await.unwrap();
        faults.heal();
        plane.until_healthy(&commit).await;
        for object in [name, &format!("{name}-later"), "always"] {
            plane.assert_exists(&plane.path(&format!("configmaps/{object}"))).await;
        }
        if let Some(before) = before {
            plane.until_gone(&plane.path(&format!("configmaps/{before}-later"))).await;
        }
        before = Some(name);
    }
    // Watches that were cut have lost nothing.
    let always = plane.path("configmaps/always");
    plane.api.merge(&always, &json!({"data": {"value": "drifted"}})).await.unwrap();
    plane.until(&always, "the value to be healed", |live| live["data"]["value"] == "1").await;
}

/// A cluster that swallows every call uses up what it may be asked at once, and nobody else's.
pub(crate) async fn dead_cluster_holds_up_no_other(server: Server) {
    /// More Applications than one cluster is asked for at once.
    const N_FAR: usize = 36;
    const AT_ONCE: usize = 32;
    let plane = Plane::start(server).await;
    let faults = ApiFaults::new(1);
    let proxy = FaultProxy::start(&plane.api, faults.clone()).unwrap();
    let access = json!({
        "bearerToken": "anybody",
        "tlsClientConfig": {"caData": BASE64_STANDARD.encode(proxy.authority_pem())},
    });
    let data = json!({"name": "far", "server": proxy.url(), "config": access.to_string()});
    plane.create_secret("far", Some("cluster"), data).await;
    let commit = |value: &str| {
        let far = (0..N_FAR).map(|n| (format!("far-{n}/a.yaml"), config_map(&format!("far-{n}"), value)));
        plane.commit().file("deploy/near.yaml", config_map("near", value)).files(far).submit().unwrap()
    };
    let first = commit("1");
    let name = |n: usize| format!("{}-far-{n}", plane.app);
    for n in 0..N_FAR {
        let mut app = crate::plane::automated();
        app["spec"]["source"] = json!({"path": format!("far-{n}")});
        app["spec"]["destination"] = json!({"server": proxy.url()});
        plane.create_app_named(&name(n), app).await;
    }
    plane.create_automated_app().await;
    plane.until_synced(&first).await;
    let far_synced = async |commit| {
        for n in 0..N_FAR {
            let path = plane.control_path(&format!("applications/{}", name(n)));
            plane.until(&path, "it to be synced", |app| crate::plane::is_synced(app, commit)).await;
        }
    };
    far_synced(&first).await;
    faults.add(FaultRule::new(Traffic::Writes, ApiFault::BlackHole));
    let second = commit("2");
    let all_hang = || async {
        if faults.count() >= AT_ONCE { Ok(()) } else { Err(format!("{} calls hang", faults.count())) }
    };
    eventually(PATIENCE, all_hang).await.unwrap();
    let n_hanging = faults.count();
    plane.until_synced(&second).await;
    assert_eq!(faults.count(), n_hanging, "the near Application waited until the far cluster was given up");
    faults.heal();
    far_synced(&second).await;
}

/// The revisions in the history, oldest first.
fn deployed(app: &Value) -> Vec<&str> {
    let history = app["status"]["history"].as_array().unwrap();
    history.iter().filter_map(|entry| entry["revision"].as_str()).collect()
}

/// After a restart, what did not change is neither applied nor reported again.
pub(crate) async fn restart_writes_nothing(server: Server) {
    let mut plane = Plane::builder(server).durable().start().await;
    let first = plane
        .commit()
        .file("deploy/a.yaml", config_map("one", "1"))
        .file("deploy/b.yaml", config_map("two", "1"))
        .submit()
        .unwrap();
    plane.create_automated_app().await;
    let before = settled(&plane, &first).await;
    let one = plane.get(&plane.path("configmaps/one")).await;
    plane.kill();
    plane.start_again().await;
    // The restarted Windlass is at work when it acts on something new; by then it has looked at everything.
    let second =
        plane.repository.commit("other").file("deploy/c.yaml", config_map("three", "1")).submit().unwrap();
    let name = format!("{}-other", plane.app);
    let mut other = crate::plane::automated();
    other["spec"]["source"] = json!({"targetRevision": "other"});
    plane.create_app_named(&name, other).await;
    let path = plane.control_path(&format!("applications/{name}"));
    plane
        .until(&path, "the other Application to be synced", |app| crate::plane::is_synced(app, &second))
        .await;
    let after = plane.app().await;
    assert_eq!(
        after["metadata"]["resourceVersion"], before["metadata"]["resourceVersion"],
        "{after}\n{before}"
    );
    let after = plane.get(&plane.path("configmaps/one")).await;
    assert_eq!(after["metadata"]["resourceVersion"], one["metadata"]["resourceVersion"]);
    // And it still follows and heals the one that it did not touch.
    let third = plane.commit().file("deploy/a.yaml", config_map("one", "2")).submit().unwrap();
    plane.until_synced(&third).await;
}

/// A branch that moved on while Windlass was down is no news to an Application whose files are the same.
pub(crate) async fn restart_at_a_newer_commit_writes_nothing(server: Server) {
    let mut plane = Plane::builder(server).durable().start().await;
    let first = plane.commit().file("deploy/a.yaml", config_map("one", "1")).submit().unwrap();
    plane.create_automated_app().await;
    let before = settled(&plane, &first).await;
    plane.kill();
    let second = plane.commit().file("elsewhere/b.yaml", config_map("two", "1")).submit().unwrap();
    plane.start_again().await;
    // By the time that it acts on something new it has looked at everything.
    let name = format!("{}-elsewhere", plane.app);
    let mut other = crate::plane::automated();
    other["spec"]["source"] = json!({"path": "elsewhere"});
    plane.create_app_named(&name, other).await;
    let path = plane.control_path(&format!("applications/{name}"));
    plane
        .until(&path, "the other Application to be synced", |app| crate::plane::is_synced(app, &second))
        .await;
    let after = plane.app().await;
    assert_eq!(
        after["metadata"]["resourceVersion"], before["metadata"]["resourceVersion"],
        "{after}\n{before}"
    );
    // Whoever asks is shown the newest revision.
    plane.refresh().await;
    plane.until_synced(&second).await;
}

/// A state of the Application that is complete: healthy, and of the newest revision of the object.
async fn settled(plane: &Plane, commit: &windlass_testing::CommitId) -> Value {
    plane.until_healthy(commit).await;
    // The refresh is taken with a write that says everything that is known.
    plane.refresh().await;
    plane.until_healthy(commit).await
}

/// A full disk is told; when there is room again, it goes on.
pub(crate) async fn disk_full(server: Server) {
    const N_BYTES: u64 = 64 * 1024 * 1024;
    let disk = SmallDisk::new(N_BYTES).unwrap();
    let plane = Plane::builder(server).disk(disk).start().await;
    let first = plane.commit().file("deploy/a.yaml", config_map("one", "1")).submit().unwrap();
    plane.create_automated_app().await;
    plane.until_synced(&first).await;
    let disk = plane.disk.as_ref().unwrap();
    disk.fill().unwrap();
    let second = plane.commit().file("deploy/a.yaml", config_map("one", "2")).submit().unwrap();
    plane.until_condition("ComparisonError", &["no space is left"]).await;
    plane.assert_exists(&plane.path("configmaps/one")).await;
    disk.free().unwrap();
    plane.until_synced(&second).await;
    plane.until_no_conditions().await;
}

/// The disk of the embedded API itself is full: writes are refused, nothing is lost, and it goes on.
pub(crate) async fn disk_full_under_the_api(server: Server) {
    const N_BYTES: u64 = 64 * 1024 * 1024;
    let disk = SmallDisk::new(N_BYTES).unwrap();
    let plane = Plane::builder(server).disk(disk).start().await;
    let first = plane.commit().file("deploy/a.yaml", config_map("one", "1")).submit().unwrap();
    plane.create_automated_app().await;
    plane.until_synced(&first).await;
    let disk = plane.disk.as_ref().unwrap();
    disk.fill().unwrap();
    // What was reserved may take some writes yet; this fills a file of any journal.
    let large = "x".repeat(64 * 1024);
    let refused = || async {
        let object = json!({"metadata": {"generateName": "filler-"}, "data": {"large": large}});
        match plane.api.create(&plane.path("configmaps"), &object).await {
            Err(error) if error.code().is_some_and(|code| code >= 500) => Ok(()),
            other => Err(format!("{:?}", other.map(drop))),
        }
    };
    eventually(PATIENCE, refused).await.unwrap();
    assert_eq!(plane.get(&plane.path("configmaps/one")).await["data"]["value"], "1", "reads go on");
    let second = plane.commit().file("deploy/a.yaml", config_map("one", "2")).submit().unwrap();
    disk.free().unwrap();
    plane.until_synced(&second).await;
}
