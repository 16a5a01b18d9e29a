//! What conversations cannot show of admission: many at once, and webhooks that fail.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;
use windlass_apiserver::store::Store;
use windlass_apiserver::{Api, Gvr, Status, WriteOptions};
use windlass_kube::{Object, Value};
use windlass_testing::{Authority, ReviewServer, WebFault};

fn object(json: serde_json::Value) -> Object {
    let value: Value = serde_json::from_value(json).unwrap();
    Object::try_new(value).unwrap()
}

async fn api() -> Api {
    Api::start(Store::in_memory()).await.unwrap()
}

async fn create(api: &Api, gvr: &Gvr, json: serde_json::Value) -> Result<(), Status> {
    let object = object(json);
    let namespace = object.namespace().to_owned();
    api.create(gvr, &namespace, object, &WriteOptions::default()).await.map(|_| ())
}

async fn config_map(api: &Api, name: &str) -> Result<(), Status> {
    let map =
        json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, "namespace": "default"}});
    create(api, &Gvr::new("", "v1", "configmaps"), map).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_quota_holds_however_many_ask_at_once() {
    let api = api().await;
    let quota = json!({
        "apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"name": "q", "namespace": "default"},
        "spec": {"hard": {"configmaps": "7"}}
    });
    create(&api, &Gvr::new("", "v1", "resourcequotas"), quota).await.unwrap();
    let asked = (0..64).map(|idx| {
        let api = api.clone();
        tokio::spawn(async move { config_map(&api, &format!("c{idx}")).await })
    });
    let mut n_made = 0;
    for answer in futures_util::future::join_all(asked).await {
        match answer.unwrap() {
            Ok(()) => n_made += 1,
            Err(status) => assert!(status.message.contains("exceeded quota: q"), "{}", status.message),
        }
    }
    assert_eq!(n_made, 7);
}

async fn hook(api: &Api, url: &str, authority: &str, more: serde_json::Value) {
    let mut hook = json!({
        "name": "a.hooks.io", "admissionReviewVersions": ["v1"], "sideEffects": "None", "timeoutSeconds": 1,
        "clientConfig": {"url": url, "caBundle": STANDARD.encode(authority)},
        "rules": [{"apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["configmaps"]}]
    });
    for (key, value) in more.as_object().unwrap() {
        hook[key] = value.clone();
    }
    let configuration = json!({
        "apiVersion": "admissionregistration.k8s.io/v1", "kind": "ValidatingWebhookConfiguration",
        "metadata": {"name": "h"}, "webhooks": [hook]
    });
    let gvr = Gvr::new("admissionregistration.k8s.io", "v1", "validatingwebhookconfigurations");
    create(api, &gvr, configuration).await.unwrap();
}

fn server() -> ReviewServer {
    ReviewServer::start(|_, _| json!({"allowed": true})).unwrap()
}

#[tokio::test]
async fn a_webhook_that_hangs_is_given_up() {
    let (api, server) = (api().await, server());
    hook(&api, &format!("{}/x", server.base_url()), server.authority_pem(), json!({})).await;
    config_map(&api, "a").await.unwrap();
    server.fail_next("/x", 1, WebFault::Hang);
    let status = config_map(&api, "b").await.unwrap_err();
    let expected = format!(
        "Internal error occurred: failed calling webhook \"a.hooks.io\": failed to call webhook: Post \"{}/x?timeout=1s\": context deadline exceeded",
        server.base_url()
    );
    assert_eq!((status.code, status.message), (500, expected));
    config_map(&api, "b").await.unwrap();
}

#[tokio::test]
async fn a_webhook_that_fails_in_any_way_refuses_or_lets_pass() {
    for fault in
        [WebFault::Disconnect, WebFault::Status(500), WebFault::Body(b"{".to_vec()), WebFault::CutAfter(9)]
    {
        let (api, server) = (api().await, server());
        hook(&api, &server.base_url(), server.authority_pem(), json!({})).await;
        server.fail_next("/", 1, fault.clone());
        let status = config_map(&api, "a").await.unwrap_err();
        assert!(
            status.message.contains("failed calling webhook \"a.hooks.io\": "),
            "{fault:?}: {}",
            status.message
        );

        let api = self::api().await;
        hook(&api, &server.base_url(), server.authority_pem(), json!({"failurePolicy": "Ignore"})).await;
        server.fail_next("/", 1, fault);
        config_map(&api, "a").await.unwrap();
    }
}

#[tokio::test]
async fn a_webhook_that_nobody_trusts_is_not_asked() {
    let (api, server) = (api().await, server());
    let other = Authority::new("another").unwrap();
    hook(&api, &server.base_url(), other.certificate_pem(), json!({})).await;
    let status = config_map(&api, "a").await.unwrap_err();
    assert!(status.message.ends_with("x509: certificate signed by unknown authority"), "{}", status.message);
    assert_eq!(server.requests().len(), 0);
}

/// A role that is the sum of others has all of them, however many come at once while it is being filled.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sums_of_roles_have_all_parts_however_many_come_at_once() {
    const N_PARTS: usize = 40;
    let api = api().await;
    let roles = Gvr::new("rbac.authorization.k8s.io", "v1", "clusterroles");
    let made = (0..N_PARTS).map(|idx| {
        let part = json!({
            "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole",
            "metadata": {
                "name": format!("part-{idx}"),
                "labels": {"rbac.authorization.k8s.io/aggregate-to-view": "true"}
            },
            "rules": [{"apiGroups": ["example.org"], "resources": [format!("things{idx}")], "verbs": ["get"]}]
        });
        let (api, roles) = (api.clone(), roles.clone());
        tokio::spawn(async move { create(&api, &roles, part).await })
    });
    for answer in futures_util::future::join_all(made).await {
        answer.unwrap().unwrap();
    }
    let all = || async {
        let view = api.get(&roles, "", "view").map_err(|status| status.message)?.to_value();
        let text = format!("{view:?}");
        let missing = (0..N_PARTS).find(|idx| !text.contains(&format!("\"things{idx}\"")));
        missing.map_or(Ok(()), |idx| Err(format!("things{idx} is missing")))
    };
    windlass_testing::eventually(std::time::Duration::from_secs(60), all).await.unwrap();
}
