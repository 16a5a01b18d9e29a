//! Replicas that share work, against Leases in memory, on a paused clock: however they are cut off, stopped and slowed
//! down, no Unit is ever acted on twice at a time, and in the end every Unit is acted on.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use http::{Method, Request, Response};
use http_body_util::BodyExt;
use kube::client::Body;
use tokio::sync::{mpsc, watch};
use tokio::time::sleep;
use windlass_cluster::{Assignment, ClusterClient, Messages, Shards, ShareOptions, leave, share};
use windlass_kube::{Value, value};

const N_UNITS: usize = 60;

/// A server that knows Leases, with optimistic concurrency.
#[derive(Clone, Default)]
struct LeaseServer(Arc<Mutex<Leases>>);

#[derive(Default)]
struct Leases {
    leases: BTreeMap<String, Value>,
    version: i64,
}

/// What lies between one replica and the server.
#[derive(Clone, Copy, Default)]
struct Line {
    /// Nothing comes back.
    silent: bool,
    /// What is asked is done, and the answer is lost.
    deaf: bool,
    delay: Duration,
}

impl LeaseServer {
    fn client(&self, line: Arc<Mutex<Line>>) -> ClusterClient {
        let server = self.clone();
        let service = tower::service_fn(move |request: Request<Body>| {
            let (server, line) = (server.clone(), line.clone());
            async move {
                let now = *line.lock().expect("nothing panics");
                sleep(now.delay / 2).await;
                if now.silent || request.uri().query().is_some_and(|query| query.contains("watch=")) {
                    std::future::pending::<()>().await;
                }
                let (head, body) = request.into_parts();
                let body = body.collect().await.expect("the body is in memory").to_bytes();
                let body: Value = serde_json::from_slice(&body).unwrap_or_default();
                let name = head.uri.path().rsplit('/').next().unwrap_or_default();
                let (code, answer) = server.answer(&head.method, name, body);
                sleep(now.delay / 2).await;
                if now.deaf {
                    std::future::pending::<()>().await;
                }
                let answer = Response::builder()
                    .status(code)
                    .body(Body::from(serde_json::to_vec(&answer).expect("it is JSON")));
                Ok::<_, Infallible>(answer.expect("it is a response"))
            }
        });
        ClusterClient::new(kube::Client::new(service, "default"))
    }

    fn n_leases(&self) -> usize {
        self.0.lock().expect("nothing panics").leases.len()
    }

    fn answer(&self, method: &Method, name: &str, mut body: Value) -> (u16, Value) {
        let mut state = self.0.lock().expect("nothing panics");
        let version = |value: &Value| value.str_at(&["metadata", "resourceVersion"]).map(str::to_string);
        match *method {
            Method::GET => {
                let items: Vec<Value> = state.leases.values().cloned().collect();
                let mut list = value!({"metadata": {"resourceVersion": "1"}});
                list.set_at(&["items"], items);
                (200, list)
            }
            Method::DELETE => {
                state.leases.remove(name);
                (200, value!({"kind": "Status"}))
            }
            Method::POST | Method::PUT => {
                let name = body.str_at(&["metadata", "name"]).unwrap_or_default().to_owned();
                let current = state.leases.get(&name);
                if *method == Method::POST && current.is_some() {
                    return (409, value!({"code": 409}));
                }
                if *method == Method::PUT && current.is_none() {
                    return (404, value!({"code": 404}));
                }
                if *method == Method::PUT && current.is_some_and(|lease| version(lease) != version(&body)) {
                    return (409, value!({"code": 409}));
                }
                state.version += 1;
                body.set_at(&["metadata", "resourceVersion"], state.version.to_string());
                state.leases.insert(name, body.clone());
                (200, body)
            }
            _ => (405, Value::object()),
        }
    }
}

/// One replica, with calls that take a while.
struct Replica {
    line: Arc<Mutex<Line>>,
    client: ClusterClient,
    options: ShareOptions,
    /// What it acts on now; a Unit that was given away stays until its last call has come back.
    acts_on: Arc<Mutex<Vec<usize>>>,
    outgoing: mpsc::Sender<Value>,
    incoming: mpsc::Receiver<Value>,
    tasks: Vec<tokio::task::JoinHandle<()>>,
}

fn units_of(shards: &Shards) -> Vec<usize> {
    (0..N_UNITS).filter(|idx| shards.has("argocd", &format!("unit-{idx}"))).collect()
}

impl Replica {
    fn start(server: &LeaseServer, identity: &str, calls_take: Duration) -> Self {
        let line = Arc::<Mutex<Line>>::default();
        let client = server.client(line.clone());
        let options = ShareOptions {
            namespace: "argocd".into(),
            group: "windlass".into(),
            identity: identity.into(),
            duration: Duration::from_secs(15),
            renew: Duration::from_secs(5),
        };
        let (assignments, mut assigned) = watch::channel::<Option<Assignment>>(None);
        let (settle, settled) = watch::channel(0);
        let (outgoing, said) = mpsc::channel(8);
        let (heard, incoming) = mpsc::channel(8);
        let messages = Messages { outgoing: said, incoming: heard };
        let sharing = share(client.clone(), options.clone(), assignments, settled, messages);
        let acts_on = Arc::<Mutex<Vec<usize>>>::default();
        let acting = acts_on.clone();
        let working = async move {
            while assigned.changed().await.is_ok() {
                let assignment = assigned.borrow_and_update().clone();
                let Some(Assignment { number, shards }) = assignment else {
                    acting.lock().expect("nothing panics").clear();
                    continue;
                };
                let next = units_of(&shards);
                let given_away = {
                    let mut acting = acting.lock().expect("nothing panics");
                    let given_away = acting.iter().any(|unit| !next.contains(unit));
                    let added =
                        next.iter().filter(|unit| !acting.contains(unit)).copied().collect::<Vec<_>>();
                    acting.extend(added);
                    given_away
                };
                if given_away {
                    let mut stopped = assigned.clone();
                    // Calls are under way; whoever has to stop at once is told so meanwhile.
                    tokio::select! {
                        () = sleep(calls_take) => {}
                        _ = stopped.wait_for(Option::is_none) => {
                            acting.lock().expect("nothing panics").clear();
                            continue;
                        }
                    }
                }
                acting.lock().expect("nothing panics").retain(|unit| next.contains(unit));
                let _ = settle.send(number);
            }
        };
        let tasks = vec![tokio::spawn(sharing), tokio::spawn(working)];
        Self { line, client, options, acts_on, outgoing, incoming, tasks }
    }

    fn set(&self, line: Line) {
        *self.line.lock().expect("nothing panics") = line;
    }

    /// Ends without a word.
    fn kill(&self) {
        self.tasks.iter().for_each(tokio::task::JoinHandle::abort);
        self.acts_on.lock().expect("nothing panics").clear();
    }

    fn acts_on(&self) -> Vec<usize> {
        self.acts_on.lock().expect("nothing panics").clone()
    }
}

/// How many Units nobody acts on. Fails when somebody acts beside somebody else.
fn n_idle(replicas: &[Replica], when: &str) -> usize {
    let mut counts = [0; N_UNITS];
    for replica in replicas {
        for unit in replica.acts_on() {
            counts[unit] += 1;
        }
    }
    if let Some(unit) = counts.iter().position(|count| *count > 1) {
        let who: Vec<&str> = replicas
            .iter()
            .filter(|replica| replica.acts_on().contains(&unit))
            .map(|replica| replica.options.identity.as_str())
            .collect();
        panic!("{who:?} act on unit {unit} at a time, {when}");
    }
    counts.iter().filter(|count| **count == 0).count()
}

async fn until_shared(replicas: &[Replica], when: &str) -> Duration {
    let begun = tokio::time::Instant::now();
    while n_idle(replicas, when) > 0 {
        if begun.elapsed() > Duration::from_secs(120) {
            let parts: Vec<(String, usize)> =
                replicas.iter().map(|it| (it.options.identity.to_string(), it.acts_on().len())).collect();
            panic!("units nobody acts on, {when}: {parts:?}");
        }
        sleep(Duration::from_millis(100)).await;
    }
    begun.elapsed()
}

#[tokio::test(start_paused = true)]
async fn who_comes_gets_its_part_and_what_goes_is_taken_over() {
    let server = LeaseServer::default();
    let mut replicas = vec![Replica::start(&server, "a", Duration::from_secs(1))];
    let alone = until_shared(&replicas, "alone").await;
    assert!(alone < Duration::from_secs(1), "alone after {alone:?}");
    assert_eq!(replicas[0].acts_on().len(), N_UNITS);
    for name in ["b", "c"] {
        replicas.push(Replica::start(&server, name, Duration::from_secs(1)));
        sleep(Duration::from_secs(20)).await;
        assert_eq!(n_idle(&replicas, "after one more came"), 0);
    }
    assert!(replicas.iter().all(|replica| replica.acts_on().len() > N_UNITS / 6), "nobody has it all");
    // One ends as it should, and another without a word.
    let first = replicas.remove(0);
    first.kill();
    leave(&first.client, &first.options).await;
    let left = until_shared(&replicas, "after one left").await;
    assert!(left < Duration::from_secs(8), "taken over {left:?} after it left");
    replicas.remove(0).kill();
    let died = until_shared(&replicas, "after one died").await;
    assert!(
        died > Duration::from_secs(10),
        "taken over {died:?} after it died, although it might have been alive"
    );
    assert_eq!(replicas[0].acts_on().len(), N_UNITS);
    assert_eq!(server.n_leases(), 2, "that of the one that died, and of the one that is left");
    sleep(Duration::from_secs(200)).await;
    assert_eq!(server.n_leases(), 1, "what is long gone is forgotten");
}

#[tokio::test(start_paused = true)]
async fn what_one_hears_of_all_hear_of() {
    let server = LeaseServer::default();
    let mut replicas: Vec<Replica> =
        ["a", "b", "c"].iter().map(|name| Replica::start(&server, name, Duration::ZERO)).collect();
    sleep(Duration::from_secs(30)).await;
    for number in 0..3 {
        replicas[0].outgoing.send(value!({"pushed": number})).await.expect("it listens");
        sleep(Duration::from_secs(7)).await;
    }
    for replica in &mut replicas[1..] {
        let mut heard = Vec::new();
        while let Ok(message) = replica.incoming.try_recv() {
            heard.push(message.at(&["pushed"]).and_then(Value::as_int));
        }
        assert_eq!(heard, [Some(0), Some(1), Some(2)], "{}", replica.options.identity);
    }
    assert!(replicas[0].incoming.try_recv().is_err(), "nobody hears of itself");
}

#[tokio::test(start_paused = true)]
async fn no_unit_is_acted_on_twice_whatever_goes_wrong() {
    const SEEDS: u64 = 60;
    for seed in 0..SEEDS {
        let mut random = Random(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1);
        let server = LeaseServer::default();
        let mut replicas = Vec::new();
        let mut n_started = 0;
        for step in 0..40 {
            let when = format!("seed {seed}, step {step}");
            match random.below(6) {
                0 | 1 if replicas.len() < 5 => {
                    let calls_take = Duration::from_millis(random.below(20_000));
                    replicas.push(Replica::start(&server, &format!("r{n_started}"), calls_take));
                    n_started += 1;
                }
                2 if replicas.len() > 1 => {
                    let at = usize::try_from(random.below(replicas.len() as u64)).expect("small");
                    let gone = replicas.swap_remove(at);
                    gone.kill();
                    if random.below(2) == 0 {
                        leave(&gone.client, &gone.options).await;
                    }
                }
                _ => {
                    for replica in &replicas {
                        let line = Line {
                            silent: random.below(4) == 0,
                            deaf: random.below(6) == 0,
                            delay: Duration::from_millis(random.below(4000)),
                        };
                        replica.set(line);
                    }
                }
            }
            for _ in 0..random.below(250) {
                n_idle(&replicas, &when);
                sleep(Duration::from_millis(97)).await;
            }
        }
        replicas.iter().for_each(|replica| replica.set(Line::default()));
        until_shared(&replicas, &format!("seed {seed}, at the end")).await;
        for replica in &replicas {
            replica.kill();
        }
    }
}

/// A xorshift generator.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % bound
    }
}
