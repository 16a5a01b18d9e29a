//! The audit log tells of requests as that of kube-apiserver 1.36.3 does.
//!
//! What the real server wrote is recorded in `audit/recorded.jsonl`; `--ignored record`
//! renews it.

#[path = "conformance/hook.rs"]
mod hook;
#[path = "conformance/normal.rs"]
mod normal;
#[path = "conformance/run.rs"]
mod run;
#[path = "conformance/scenario.rs"]
#[expect(dead_code, reason = "the conversations use more of it")]
mod scenario;
#[path = "conformance/server.rs"]
#[expect(dead_code, reason = "the conversations use more of it")]
mod server;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use http::{Request, header};
use http_body_util::Full;
use normal::{differences, normal};
use scenario::Scenario;
use serde_json::Value;
use server::Server;
use windlass_apiserver::Api;
use windlass_apiserver::audit::{Audit, LogOptions};
use windlass_apiserver::controllers::{Controllers, Options};
use windlass_apiserver::store::Store;

fn file(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/audit").join(name)
}

fn scenarios() -> Vec<Scenario> {
    scenario::parse("audit", &std::fs::read_to_string(file("scenarios.yaml")).expect("scenarios"))
}

/// The events of a scenario in a log, request by request; its own requests only.
fn events_of(log: &str, scenario: &Scenario) -> Vec<Value> {
    let mut requests: Vec<(String, Vec<Value>)> = Vec::new();
    for line in hook::hide(log).lines() {
        let event: Value = serde_json::from_str(line).expect("a line is an event");
        let is_own = event["userAgent"] == "conformance/1";
        let place = format!("{}{}", event["requestURI"], event["objectRef"]);
        let tag = scenario.namespace();
        if !is_own
            || !place.contains(&tag)
            || place.contains("fieldManager=waiting")
            || place.contains("?end=")
            || place.contains("serviceaccounts/default\"")
        {
            continue;
        }
        let id = event["auditID"].as_str().expect("an id").to_owned();
        match requests.iter_mut().find(|(known, _)| *known == id) {
            Some((_, events)) => events.push(event),
            None => requests.push((id, vec![event])),
        }
    }
    let mut events: Vec<Value> = requests.into_iter().flat_map(|(_, events)| events).collect();
    for event in &mut events {
        let members = event.as_object_mut().expect("an event");
        for time in ["requestReceivedTimestamp", "stageTimestamp"] {
            let text = members.remove(time).expect("a time");
            let text = text.as_str().expect("text");
            assert!(text.len() == 27 && text.ends_with('Z'), "{text}");
        }
        assert!(members.remove("auditID").is_some());
        members.remove("sourceIPs");
        // Each token has a name of its own.
        let issued = "authentication.kubernetes.io/issued-credential-id";
        if let Some(name) = members.get_mut("annotations").and_then(|annotations| annotations.get_mut(issued))
        {
            assert!(name.as_str().is_some_and(|name| name.starts_with("JTI=") && name.len() == 40), "{name}");
            *name = "JTI".into();
        }
        let user = members.remove("user").expect("a user");
        assert!(user["groups"].to_string().contains("system:masters"), "{user}");
    }
    normal(scenario, events)
}

/// The log of a scenario, with everything up to a last request.
async fn logged(server: &Server, scenario: &Scenario, path: &Path) -> String {
    let end = format!("/version?end={}", scenario.namespace());
    let last = Request::get(&end).header(header::USER_AGENT, "conformance/1").body(Full::default());
    server.send(last.expect("a request")).await;
    let give_up = tokio::time::Instant::now() + Duration::from_secs(60);
    loop {
        let log = std::fs::read_to_string(path).expect("a log");
        let is_end = |line: &str| line.contains(&end) && line.contains("ResponseComplete");
        if log.ends_with('\n') && log.lines().any(is_end) {
            return log;
        }
        assert!(tokio::time::Instant::now() < give_up, "the end of {} is not told", scenario.name);
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn events_are_those_of_the_real_server() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("audit.log");
    let options = LogOptions { path: path.clone(), max_megabytes: 0, max_age_days: 0, max_backups: 0 };
    let audit = Audit::open(&file("policy.yaml"), options).expect("a policy and a log");
    let api = Api::start(Store::in_memory()).await.expect("a store");
    let controllers = Controllers::start(&api, &Options { cluster_ca: None, simulate_workloads: false });
    let server = Server::Embedded(api.service().audited(Some(audit.clone())));
    let recorded = std::fs::read_to_string(file("recorded.jsonl")).expect("recorded");
    let recorded: BTreeMap<String, Vec<Value>> = recorded
        .lines()
        .map(|line| {
            let line: Value = serde_json::from_str(line).expect("a recorded line");
            let name = line["scenario"].as_str().expect("a name").to_owned();
            (name, line["events"].as_array().expect("events").clone())
        })
        .collect();
    let (mut report, mut n_events) = (Vec::new(), 0);
    for scenario in scenarios() {
        run::run(&server, &scenario).await;
        let log = logged(&server, &scenario, &path).await;
        let ours = events_of(&log, &scenario);
        let theirs = recorded.get(&scenario.name).cloned().unwrap_or_default();
        n_events += theirs.len();
        let shown = |event: &Value| format!("{} {} {}", event["stage"], event["verb"], event["requestURI"]);
        let (ours_shown, theirs_shown): (Vec<_>, Vec<_>) =
            (ours.iter().map(shown).collect(), theirs.iter().map(shown).collect());
        if ours_shown != theirs_shown {
            report.push(format!("{}:\n  ours   {ours_shown:#?}\n  theirs {theirs_shown:#?}", scenario.name));
            continue;
        }
        for (ours, theirs) in ours.iter().zip(&theirs) {
            let mut found = Vec::new();
            differences("", ours, theirs, &mut found);
            if !found.is_empty() {
                report.push(format!("{}: {}\n{}", scenario.name, shown(ours), found.join("\n")));
            }
        }
    }
    controllers.stop().await;
    assert_eq!(audit.lost(), 0);
    eprintln!("{n_events} events");
    assert!(report.is_empty(), "{}", report.join("\n"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "records, with the original programs: cargo test -p windlass-apiserver --test audit -- --ignored"]
async fn record() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("audit.log");
    let cluster = windlass_testing::Cluster::builder()
        .controllers("namespace-controller,serviceaccount-controller")
        .without_admission("TaintNodesByCondition")
        .nodes(0)
        .apiserver_arg(format!("--audit-policy-file={}", file("policy.yaml").display()))
        .apiserver_arg(format!("--audit-log-path={}", path.display()))
        .start()
        .await
        .expect("the original programs: cargo xtask tools cluster");
    let server = Server::Real(cluster.api().clone());
    let mut text = String::new();
    for scenario in scenarios() {
        run::run(&server, &scenario).await;
        let log = logged(&server, &scenario, &path).await;
        let events = events_of(&log, &scenario);
        text.push_str(&serde_json::json!({"scenario": scenario.name, "events": events}).to_string());
        text.push('\n');
    }
    std::fs::write(file("recorded.jsonl"), text).expect("a file");
}
