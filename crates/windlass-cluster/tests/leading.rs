//! Leader election against a Lease in memory, on a paused clock.

use std::convert::Infallible;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use http::{Method, Request, Response};
use http_body_util::BodyExt;
use kube::client::Body;
use tokio::sync::watch;
use tokio::time::{Instant, sleep, timeout};
use windlass_cluster::{ClusterClient, Leadership, LeaseOptions, lead};
use windlass_kube::{Value, value};

/// A server that knows one Lease, with optimistic concurrency; it can be taken away.
#[derive(Clone, Default)]
struct LeaseServer(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    lease: Option<Value>,
    version: i64,
    down: bool,
    silent: bool,
    writes: usize,
}

impl LeaseServer {
    fn client(&self) -> ClusterClient {
        let server = self.clone();
        let service = tower::service_fn(move |request: Request<Body>| {
            let server = server.clone();
            async move {
                if server.0.lock().expect("nothing panics").silent {
                    std::future::pending::<()>().await;
                }
                let (head, body) = request.into_parts();
                let body = body.collect().await.expect("the body is in memory").to_bytes();
                let body: Value = serde_json::from_slice(&body).unwrap_or_default();
                let (code, answer) = server.answer(&head.method, body);
                let answer = Response::builder()
                    .status(code)
                    .body(Body::from(serde_json::to_vec(&answer).expect("it is JSON")));
                Ok::<_, Infallible>(answer.expect("it is a response"))
            }
        });
        ClusterClient::new(kube::Client::new(service, "default"))
    }

    fn answer(&self, method: &Method, mut body: Value) -> (u16, Value) {
        let mut state = self.0.lock().expect("nothing panics");
        if state.down {
            return (503, Value::object());
        }
        let current = state.lease.clone();
        let version = |value: &Value| value.str_at(&["metadata", "resourceVersion"]).map(str::to_string);
        match (method, current) {
            (&Method::GET, Some(lease)) => (200, lease),
            (&Method::GET, None) => (404, value!({"code": 404})),
            (&Method::POST, Some(_)) => (409, value!({"code": 409})),
            (&Method::PUT, Some(lease)) if version(&lease) != version(&body) => (409, value!({"code": 409})),
            (&Method::POST | &Method::PUT, _) => {
                state.version += 1;
                state.writes += 1;
                body.set_at(&["metadata", "resourceVersion"], state.version.to_string());
                state.lease = Some(body.clone());
                (200, body)
            }
            (&Method::PATCH, Some(mut lease)) => {
                state.version += 1;
                lease.remove_at(&["spec", "holderIdentity"]);
                lease.set_at(&["spec", "leaseDurationSeconds"], 1);
                lease.set_at(&["metadata", "resourceVersion"], state.version.to_string());
                state.lease = Some(lease.clone());
                (200, lease)
            }
            _ => (405, Value::object()),
        }
    }

    fn set_down(&self, down: bool) {
        self.0.lock().expect("nothing panics").down = down;
    }

    fn spec(&self) -> Value {
        let state = self.0.lock().expect("nothing panics");
        state.lease.as_ref().and_then(|lease| lease.get("spec")).cloned().unwrap_or_default()
    }

    fn holder(&self) -> String {
        self.spec().str_at(&["holderIdentity"]).unwrap_or_default().to_string()
    }

    fn compete(&self, identity: &str) -> watch::Receiver<Leadership> {
        let options = LeaseOptions {
            namespace: "argocd".into(),
            name: "windlass".into(),
            identity: identity.into(),
            duration: Duration::from_secs(15),
            renew: Duration::from_secs(5),
        };
        let (sender, receiver) = watch::channel(Leadership::Following);
        tokio::spawn(lead(self.client(), options, sender));
        receiver
    }
}

async fn becomes(leadership: &mut watch::Receiver<Leadership>, wanted: Leadership) {
    let waiting = leadership.wait_for(|now| *now == wanted);
    timeout(Duration::from_secs(120), waiting).await.expect("in time").expect("it goes on");
}

#[tokio::test(start_paused = true)]
async fn one_leads_and_the_other_takes_over_when_it_is_not_heard_of() {
    let server = LeaseServer::default();
    let mut first = server.compete("first");
    becomes(&mut first, Leadership::Leading).await;
    assert_eq!(server.holder(), "first");
    let mut second = server.compete("second");
    sleep(Duration::from_secs(60)).await;
    assert_eq!((*first.borrow(), *second.borrow()), (Leadership::Leading, Leadership::Following));
    assert_eq!(server.spec().int_at(&["leaseTransitions"]), Some(0));
    let writes = server.0.lock().unwrap().writes;
    assert!((12..=14).contains(&writes), "{writes} writes in a minute of renewing every 5 s");

    // The first hands over when it stops: the second need not wait for the Lease to run out.
    let began = Instant::now();
    drop(first);
    becomes(&mut second, Leadership::Leading).await;
    assert!(began.elapsed() <= Duration::from_secs(6), "{:?}", began.elapsed());
    assert_eq!(server.holder(), "second");
    assert_eq!(server.spec().int_at(&["leaseTransitions"]), Some(1));
}

#[tokio::test(start_paused = true)]
async fn a_holder_that_died_is_followed_for_the_whole_duration_first() {
    let server = LeaseServer::default();
    let lease = value!({
        "apiVersion": "coordination.k8s.io/v1", "kind": "Lease",
        "metadata": {"name": "windlass", "namespace": "argocd", "resourceVersion": "1"},
        // An old time: other clocks are not believed.
        "spec": {"holderIdentity": "dead", "renewTime": "2001-01-01T00:00:00.000000Z", "leaseTransitions": 4}
    });
    server.0.lock().unwrap().lease = Some(lease);
    let began = Instant::now();
    let mut next = server.compete("next");
    becomes(&mut next, Leadership::Leading).await;
    let waited = began.elapsed();
    assert!(waited >= Duration::from_secs(15) && waited <= Duration::from_secs(21), "{waited:?}");
    assert_eq!(server.spec().int_at(&["leaseTransitions"]), Some(5));
}

#[tokio::test(start_paused = true)]
async fn a_leader_that_cannot_renew_steps_down_before_others_may_take_over() {
    let server = LeaseServer::default();
    let mut leader = server.compete("leader");
    becomes(&mut leader, Leadership::Leading).await;
    server.set_down(true);
    let began = Instant::now();
    // Short trouble is no reason to step down.
    sleep(Duration::from_secs(6)).await;
    assert_eq!(*leader.borrow(), Leadership::Leading);
    becomes(&mut leader, Leadership::Following).await;
    assert!(began.elapsed() <= Duration::from_secs(15), "{:?}", began.elapsed());
    server.set_down(false);
    becomes(&mut leader, Leadership::Leading).await;
    assert_eq!(server.holder(), "leader");
}

#[tokio::test(start_paused = true)]
async fn a_server_that_does_not_answer_keeps_no_leader_in_place() {
    let server = LeaseServer::default();
    let mut leader = server.compete("leader");
    becomes(&mut leader, Leadership::Leading).await;
    let began = Instant::now();
    server.0.lock().unwrap().silent = true;
    becomes(&mut leader, Leadership::Following).await;
    assert!(began.elapsed() < Duration::from_secs(15), "{:?}", began.elapsed());
}

#[tokio::test(start_paused = true)]
async fn of_many_that_start_at_once_exactly_one_leads() {
    let server = LeaseServer::default();
    let replicas: Vec<_> = (0..8).map(|n| server.compete(&format!("replica-{n}"))).collect();
    for _ in 0..40 {
        sleep(Duration::from_secs(1)).await;
        let n_leading = replicas.iter().filter(|replica| *replica.borrow() == Leadership::Leading).count();
        assert_eq!(n_leading, 1);
    }
}
