//! How events reach many watchers, and what becomes of one that does not read.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use memchr::{memchr, memmem};
use serde_json::{Value, json};

use super::{namespace, rate};
use crate::arguments::Arguments;
use crate::client::{Api, CONNECTIONS, Call, Connection};
use crate::figures::{Row, duration, float};
use crate::workload::config_maps;

const NAMESPACE: &str = "watched";

/// Latencies are counted in classes of a tenth of a millisecond, up to this many.
const CLASSES: usize = 200_000;
const CLASS: Duration = Duration::from_micros(100);

/// How long the last events may be on their way after the last write.
const DRAIN: Duration = Duration::from_secs(30);

/// What many watchers saw.
#[derive(Debug, Default)]
pub(super) struct Delivery {
    n_watchers: usize,
    n_events: usize,
    written_a_second: f64,
    delivered_a_second: f64,
    n_missing: usize,
    n_out_of_order: usize,
    half: Duration,
    most: Duration,
    worst: Duration,
}

/// What all watchers share.
struct Shared {
    begun: Instant,
    counts: Vec<AtomicU64>,
    n_delivered: AtomicUsize,
    n_out_of_order: AtomicUsize,
    stop: AtomicBool,
}

impl Shared {
    /// Counts what one watcher read at once. All watchers are on the machine that is measured, so that they look at the
    /// clock, and at what they share, once for all of it.
    fn note(&self, sent_micros: &[u64]) {
        let now = u64::try_from(self.begun.elapsed().as_micros()).unwrap_or(u64::MAX);
        for sent in sent_micros {
            let class = usize::try_from(now.saturating_sub(*sent) / 100).unwrap_or(usize::MAX);
            self.counts[class.min(CLASSES - 1)].fetch_add(1, Ordering::Relaxed);
        }
        self.n_delivered.fetch_add(sent_micros.len(), Ordering::Relaxed);
    }

    /// The latency below which this share of all lies, in percent.
    fn percentile(&self, percent: u64) -> Duration {
        let counts: Vec<u64> = self.counts.iter().map(|count| count.load(Ordering::Relaxed)).collect();
        let all: u64 = counts.iter().sum();
        let mut below = 0;
        for (class, count) in counts.iter().enumerate() {
            below += count;
            if below * 100 >= all * percent {
                return CLASS * u32::try_from(class + 1).unwrap_or(u32::MAX);
            }
        }
        Duration::ZERO
    }
}

/// The number behind `key` in a line of JSON, up to the next character that is no digit.
fn number_after(line: &[u8], key: &[u8]) -> Option<u64> {
    let begin = memmem::find(line, key)? + key.len();
    let digits = line[begin..].iter().take_while(|byte| byte.is_ascii_digit());
    Some(digits.fold(0, |number, digit| number * 10 + u64::from(digit - b'0')))
}

/// As [`number_after`], where the key is near the end.
fn number_after_last(line: &[u8], key: &[u8]) -> Option<u64> {
    let begin = memmem::rfind(line, key)?;
    number_after(&line[begin..], key)
}

/// Opens a watch of the namespace from now on.
async fn watch(api: &Api, namespace: &str) -> Result<(Connection, Incoming)> {
    let mut connection = api.connect().await?;
    let list = connection.json(&Call::get(&format!("{}?limit=1", config_maps(namespace)))).await?;
    let version = list["metadata"]["resourceVersion"].as_str().unwrap_or("0");
    let path = format!("{}?watch=true&resourceVersion={version}", config_maps(namespace));
    let (status, body) = connection.open(&Call::get(&path)).await?;
    if !status.is_success() {
        bail!("a watch was answered {status}");
    }
    Ok((connection, body))
}

/// Reads until all events have come or it is told to stop.
async fn follow(shared: Arc<Shared>, mut body: Incoming, connection: Connection) {
    let mut rest: Vec<u8> = Vec::new();
    let mut last = 0;
    let mut sent_at: Vec<u64> = Vec::new();
    while let Some(Ok(frame)) = body.frame().await {
        let Ok(bytes) = frame.into_data() else { continue };
        // All watchers are on the machine that is measured: nothing is copied that need not be.
        let taken = std::mem::take(&mut rest);
        let whole = if taken.is_empty() { bytes } else { [&taken, &bytes[..]].concat().into() };
        let mut begin = 0;
        while let Some(length) = memchr(b'\n', &whole[begin..]) {
            let line = &whole[begin..begin + length];
            begin += length + 1;
            // The data come before the metadata.
            let Some(sent) = number_after(line, b"\"sent\":\"") else { continue };
            // The version comes after what a manager is said to own, with nothing but the uid behind it.
            let version = number_after_last(line, b"\"resourceVersion\":\"").unwrap_or(0);
            if version <= last {
                shared.n_out_of_order.fetch_add(1, Ordering::Relaxed);
            }
            last = version;
            sent_at.push(sent);
        }
        if !sent_at.is_empty() {
            shared.note(&sent_at);
            sent_at.clear();
        }
        rest.extend_from_slice(&whole[begin..]);
        if shared.stop.load(Ordering::Relaxed) {
            break;
        }
    }
    drop(connection);
}

fn event(name: &str, sent: u128) -> Value {
    json!({
        "apiVersion": "v1", "kind": "ConfigMap",
        "metadata": {"name": name, "namespace": NAMESPACE},
        "data": {"sent": sent.to_string(), "text": "color=blue\nsize=large\n"},
    })
}

/// Many watchers of one kind, and changes at an even pace.
pub(super) async fn measure(api: &Api, arguments: &Arguments) -> Result<Delivery> {
    let (n_watchers, pace) = (arguments.n_watchers, arguments.events_a_second.max(1));
    let n_events = pace * arguments.event_seconds;
    namespace(api, NAMESPACE).await?;
    let shared = Arc::new(Shared {
        begun: Instant::now(),
        counts: (0..CLASSES).map(|_| AtomicU64::new(0)).collect(),
        n_delivered: AtomicUsize::new(0),
        n_out_of_order: AtomicUsize::new(0),
        stop: AtomicBool::new(false),
    });
    let mut watchers = Vec::with_capacity(n_watchers);
    for _ in 0..n_watchers {
        let (connection, body) = watch(api, NAMESPACE).await.context("opening the watches")?;
        watchers.push(tokio::spawn(follow(shared.clone(), body, connection)));
    }
    let first = Instant::now();
    let next = Arc::new(AtomicUsize::new(0));
    let mut writers = Vec::new();
    for _ in 0..CONNECTIONS {
        let (mut connection, shared, next) = (api.connect().await?, shared.clone(), next.clone());
        writers.push(tokio::spawn(async move {
            let path = config_maps(NAMESPACE);
            loop {
                let event_idx = next.fetch_add(1, Ordering::Relaxed);
                if event_idx >= n_events {
                    return Ok::<_, anyhow::Error>(());
                }
                let due = first + Duration::from_secs_f64(float(event_idx) / float(pace));
                tokio::time::sleep_until(due.into()).await;
                let object = event(&format!("event-{event_idx:06}"), shared.begun.elapsed().as_micros());
                connection.send(&Call::create(&path, &object)).await?;
            }
        }));
    }
    for writer in writers {
        writer.await??;
    }
    let written = first.elapsed();
    let wanted = n_events * n_watchers;
    while shared.n_delivered.load(Ordering::Relaxed) < wanted && first.elapsed() < written + DRAIN {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    let delivered = first.elapsed();
    let n_delivered = shared.n_delivered.load(Ordering::Relaxed);
    shared.stop.store(true, Ordering::Relaxed);
    watchers.iter().for_each(tokio::task::JoinHandle::abort);
    api.once(&Call::delete(&config_maps(NAMESPACE))).await?;
    Ok(Delivery {
        n_watchers,
        n_events,
        written_a_second: rate(n_events, written),
        delivered_a_second: rate(n_delivered, delivered),
        n_missing: wanted.saturating_sub(n_delivered),
        n_out_of_order: shared.n_out_of_order.load(Ordering::Relaxed),
        half: shared.percentile(50),
        most: shared.percentile(99),
        worst: shared.percentile(100),
    })
}

impl Delivery {
    pub(super) fn rows(&self) -> Vec<Row> {
        let count = |what: &str, count: usize| Row::figure(what, float(count), count.to_string());
        vec![
            Row::figure(
                format!("events to {} watchers of one kind", self.n_watchers),
                self.delivered_a_second,
                format!("{:.0} a second", self.delivered_a_second),
            )
            .note(format!("{} changes, {:.0} a second", self.n_events, self.written_a_second)),
            Row::time("from the write until a watcher has it, p99", self.most).target("≤ 50 ms").note(
                format!(
                    "median {}, worst {}; the write itself included",
                    duration(self.half),
                    duration(self.worst)
                ),
            ),
            count("events that did not come", self.n_missing).target("0"),
            count("events out of order", self.n_out_of_order).target("0"),
        ]
    }
}

/// What became of a watcher that does not read.
#[derive(Debug, Default)]
pub(super) struct Slow {
    n_events: usize,
    n_others: usize,
    n_missing: usize,
    seen_by_slow: usize,
    end: String,
}

/// How large the events are that a slow watcher is drowned in, so that few of them fill what sockets hold.
const LARGE: usize = 100_000;

/// How many of them: far more than sockets and the server's history of one kind hold.
const N_LARGE: usize = 600;

/// How many watch beside the slow one.
const OTHERS: usize = 10;

/// One watcher that does not read, beside others that do.
pub(super) async fn slow_watcher(api: &Api) -> Result<Slow> {
    const NAMESPACE: &str = "slow";
    namespace(api, NAMESPACE).await?;
    let (connection, mut slow) = watch(api, NAMESPACE).await?;
    let mut others = Vec::new();
    for _ in 0..OTHERS {
        let (connection, mut body) = watch(api, NAMESPACE).await?;
        others.push(tokio::spawn(async move {
            let mut n_lines = 0;
            while n_lines < N_LARGE {
                let Some(Ok(frame)) = body.frame().await else { break };
                let Ok(bytes) = frame.into_data() else { continue };
                n_lines += bytes.iter().filter(|byte| **byte == b'\n').count();
            }
            drop(connection);
            n_lines
        }));
    }
    let mut writer = api.connect().await?;
    let path = config_maps(NAMESPACE);
    for event_idx in 0..N_LARGE {
        let object = json!({
            "apiVersion": "v1", "kind": "ConfigMap",
            "metadata": {"name": format!("event-{}", event_idx % 10), "namespace": NAMESPACE},
            "data": {"text": "x".repeat(LARGE), "event": event_idx.to_string()},
        });
        let name = format!("{path}/event-{}", event_idx % 10);
        writer.send(&Call::apply(&name, &object)).await?;
    }
    let mut n_missing = 0;
    for other in others {
        n_missing += N_LARGE.saturating_sub(tokio::time::timeout(DRAIN, other).await.unwrap_or(Ok(0))?);
    }
    // Now it reads, and finds out.
    let mut text: Vec<u8> = Vec::new();
    let mut end = "nothing, it was still served".to_owned();
    let mut seen_by_slow = 0;
    loop {
        match tokio::time::timeout(Duration::from_secs(3), slow.frame()).await {
            Err(_) => break,
            Ok(None) => {
                end = "the end of the stream".to_owned();
                break;
            }
            Ok(Some(Err(error))) => {
                end = format!("a broken connection: {error}");
                break;
            }
            Ok(Some(Ok(frame))) => {
                let Ok(bytes) = frame.into_data() else { continue };
                text.extend_from_slice(&bytes);
                while let Some(length) = text.iter().position(|byte| *byte == b'\n') {
                    let line: Vec<u8> = text.drain(..=length).collect();
                    seen_by_slow += 1;
                    if line.starts_with(b"{\"type\":\"ERROR\"") {
                        let code = number_after(&line, b"\"code\":").unwrap_or(0);
                        end = format!("an error event with code {code}");
                        seen_by_slow -= 1;
                    }
                }
                if end.starts_with("an error") {
                    break;
                }
            }
        }
    }
    drop(connection);
    api.once(&Call::delete(&path)).await?;
    Ok(Slow { n_events: N_LARGE, n_others: OTHERS, n_missing, seen_by_slow, end })
}

impl Slow {
    pub(super) fn rows(&self) -> Vec<Row> {
        let Self { n_events, n_others, n_missing, seen_by_slow, end } = self;
        vec![
            Row::figure("events that the others missed", float(*n_missing), n_missing.to_string())
                .target("0")
                .note(format!("{n_others} others, {n_events} changes of {LARGE} bytes")),
            Row::figure("what the slow one got in the end", float(*seen_by_slow), end.clone())
                .target("code 410")
                .note(format!("after {seen_by_slow} events that were on their way")),
        ]
    }
}
