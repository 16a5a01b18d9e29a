//! Watchers on real sockets: one that does not read is cut off and told so, and costs the others nothing.

#![expect(clippy::unwrap_used, reason = "a test ends where something is wrong")]

use std::sync::Arc;

use http::Request;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use serde_json::{Value, json};
use tokio::sync::watch;
use windlass_apiserver::{Config, Server};
use windlass_testing::ApiClient;

const MAPS: &str = "/api/v1/namespaces/default/configmaps";

/// How large a change is, and how many there are: far more than sockets and the history of one kind hold.
const SIZE: usize = 100_000;
const N_CHANGES: usize = 400;

/// How many watch beside the slow one.
const N_OTHERS: usize = 5;

/// How far the writer may be ahead of the others: they are to keep up, however busy the machine is.
const AHEAD: usize = 10;

async fn open(client: &ApiClient, since: &str) -> Incoming {
    let path = format!("{MAPS}?watch=true&fieldSelector=metadata.name%3Dchanging&resourceVersion={since}");
    let answer = client.open(Request::get(path).body(Full::default()).unwrap()).await.unwrap();
    assert_eq!(answer.status(), 200);
    answer.into_body()
}

/// Reads events until there are no more, or `enough` says so.
async fn read(mut body: Incoming, mut each: impl FnMut(Value) -> bool) {
    let mut rest: Vec<u8> = Vec::new();
    while let Some(Ok(frame)) = body.frame().await {
        rest.extend_from_slice(frame.data_ref().unwrap());
        while let Some(end) = rest.iter().position(|byte| *byte == b'\n') {
            let line: Vec<u8> = rest.drain(..=end).collect();
            if !each(serde_json::from_slice(&line).unwrap()) {
                return;
            }
        }
    }
}

fn number(event: &Value) -> Option<usize> {
    event["object"]["data"]["number"].as_str()?.parse().ok()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_watcher_that_does_not_read_is_told_that_it_is_too_old_and_others_lose_nothing() {
    let server = Server::start(Config::default()).await.unwrap();
    let client = ApiClient::new(server.address().port(), server.ca_pem(), server.admin_token()).unwrap();
    let client = Arc::new(client);
    let since = client.get(MAPS).await.unwrap()["metadata"]["resourceVersion"].as_str().unwrap().to_owned();
    let slow = open(&client, &since).await;
    let mut seen = Vec::new();
    let mut others = Vec::new();
    for _ in 0..N_OTHERS {
        let body = open(&client, &since).await;
        let (at, seen_by_one) = watch::channel(0);
        seen.push(seen_by_one);
        others.push(tokio::spawn(async move {
            let mut n_seen = 0;
            read(body, |event| {
                assert_eq!(number(&event), Some(n_seen), "{}", event["type"]);
                n_seen += 1;
                at.send_replace(n_seen);
                n_seen < N_CHANGES
            })
            .await;
            n_seen
        }));
    }
    for n in 0..N_CHANGES {
        let object = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "changing"},
            "data": {"number": n.to_string(), "text": "x".repeat(SIZE)}});
        client.apply(&format!("{MAPS}/changing"), "tester", &object).await.unwrap();
        for one in &mut seen {
            one.wait_for(|n_seen| n_seen + AHEAD > n).await.unwrap();
        }
    }
    for other in others {
        assert_eq!(other.await.unwrap(), N_CHANGES);
    }
    // Now it reads: what was on its way, without a gap, and then that there is a gap.
    let mut n_read = 0;
    let mut end = Value::Null;
    read(slow, |event| {
        if event["type"] == "ERROR" {
            end = event["object"].clone();
            return true;
        }
        assert_eq!((number(&event), &end), (Some(n_read), &Value::Null));
        n_read += 1;
        true
    })
    .await;
    assert!(n_read < N_CHANGES / 2, "{n_read} were kept for it");
    assert_eq!((&end["code"], &end["reason"]), (&json!(410), &json!("Expired")), "{end}");
    // It lists again and is as far as the others.
    let now = client.get(&format!("{MAPS}/changing")).await.unwrap();
    assert_eq!(now["data"]["number"], (N_CHANGES - 1).to_string());
    server.shutdown().await;
}
