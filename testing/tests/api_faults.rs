//! Faults in front of a real API server.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::{Method, Request};
use serde_json::{Value, json};
use std::time::Duration;
use windlass_testing::{ApiClient, ApiError, ApiFault, ApiFaults, Cluster, FaultProxy, FaultRule, Traffic};

/// A client that comes through the proxy.
fn through(proxy: &FaultProxy) -> ApiClient {
    let port = proxy.url().rsplit(':').next().unwrap().parse().unwrap();
    ApiClient::new(port, proxy.authority_pem(), "anybody").unwrap()
}

fn config_map(name: &str) -> Value {
    json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": {"a": "b"}})
}

#[tokio::test]
async fn calls_meet_what_the_rules_say_and_the_server_sees_what_it_should() {
    let cluster = Cluster::shared().await.unwrap();
    let namespace = cluster.namespace("faults").await.unwrap();
    let proxy = FaultProxy::start(cluster.api(), ApiFaults::new(1)).unwrap();
    let (api, faults) = (through(&proxy), proxy.faults());
    let all = format!("/api/v1/namespaces/{}/configmaps", namespace.name());
    let path = |name: &str| format!("{all}/{name}");

    api.create(&all, &config_map("well")).await.unwrap();
    assert_eq!(api.get(&path("well")).await.unwrap()["data"]["a"], "b");
    assert_eq!(faults.count(), 0);

    for (fault, code, reason) in [
        (ApiFault::Status(500), 500, "InternalError"),
        (ApiFault::Busy(1), 429, "TooManyRequests"),
        (ApiFault::Conflict, 409, "Conflict"),
    ] {
        faults.add(FaultRule::new(Traffic::Writes, fault).times(1));
        let refused = api.create(&all, &config_map("refused")).await.unwrap_err();
        assert_eq!(refused.code(), Some(code));
        assert!(matches!(&refused, ApiError::Refused { reason: said, .. } if said == reason), "{refused}");
        // Once means once, and nothing was done.
        assert_eq!(api.get(&path("refused")).await.unwrap_err().code(), Some(404));
    }

    faults.add(FaultRule::new(Traffic::Writes, ApiFault::Disconnect).path("configmaps").times(1));
    assert_eq!(api.create(&all, &config_map("unseen")).await.unwrap_err().code(), None);
    assert_eq!(api.get(&path("unseen")).await.unwrap_err().code(), Some(404));

    faults.add(FaultRule::new(Traffic::Writes, ApiFault::LostAnswer).times(1));
    assert_eq!(api.create(&all, &config_map("lost")).await.unwrap_err().code(), None);
    assert_eq!(api.get(&path("lost")).await.unwrap()["data"]["a"], "b");

    faults.add(FaultRule::new(Traffic::Reads, ApiFault::CutAfter(10)).times(1));
    assert_eq!(api.get(&path("well")).await.unwrap_err().code(), None);

    faults.add(FaultRule::new(Traffic::Reads, ApiFault::Latency(Duration::from_millis(20))).times(1));
    assert_eq!(api.get(&path("well")).await.unwrap()["data"]["a"], "b");

    assert_eq!(faults.count(), 7);
    let writes = faults.writes();
    let answered: Vec<u16> = writes.iter().map(|write| write.status.as_u16()).collect();
    assert_eq!(answered, [201, 201], "what the server has answered, and nothing else");
    assert_eq!(writes[1].method, Method::POST);
    assert!(String::from_utf8_lossy(&writes[1].answer).contains("resourceVersion"));
}

#[tokio::test]
async fn black_holes_and_watches_break_off() {
    let cluster = Cluster::shared().await.unwrap();
    let namespace = cluster.namespace("faults").await.unwrap();
    let proxy = FaultProxy::start(cluster.api(), ApiFaults::new(1)).unwrap();
    let (api, faults) = (through(&proxy), proxy.faults().clone());
    let all = format!("/api/v1/namespaces/{}/configmaps", namespace.name());

    faults.add(FaultRule::new(Traffic::Writes, ApiFault::BlackHole));
    let object = config_map("swallowed");
    let (answer, ()) = tokio::join!(api.create(&all, &object), async {
        // Healed once it hangs.
        while faults.count() == 0 {
            tokio::task::yield_now().await;
        }
        faults.heal();
    });
    assert_eq!(answer.unwrap_err().code(), None);
    assert_eq!(api.get(&format!("{all}/swallowed")).await.unwrap_err().code(), Some(404));

    faults.add(FaultRule::new(Traffic::Watches, ApiFault::CutAfter(40)));
    let request = Request::get(format!("{all}?watch=true")).body(Full::<Bytes>::default()).unwrap();
    let watch = api.open(request).await.unwrap();
    api.create(&all, &config_map("seen")).await.unwrap();
    assert!(watch.into_body().collect().await.is_err(), "a watch that is cut off has no good end");

    faults.heal();
    let request = Request::get(format!("{all}?watch=true")).body(Full::<Bytes>::default()).unwrap();
    let watch = api.open(request).await.unwrap();
    faults.drop_watches();
    assert!(watch.into_body().collect().await.is_err(), "nor has one that is dropped");
}

#[tokio::test]
async fn a_kubeconfig_leads_through() {
    let cluster = Cluster::shared().await.unwrap();
    let proxy = FaultProxy::start(cluster.api(), ApiFaults::new(1)).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("kubeconfig");
    proxy.write_kubeconfig(&path).unwrap();
    let said = windlass_testing::Kubectl::new(&path).run(&["get", "--raw", "/version"]).unwrap();
    assert!(said.contains("gitVersion"), "{said}");
}
