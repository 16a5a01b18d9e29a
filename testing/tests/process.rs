//! Processes, waiting and webhooks.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::{
    io::{Read, Write},
    net::TcpStream,
    path::Path,
    time::Duration,
};
use windlass_testing::{Process, SmallDisk, WebhookReceiver, eventually, eventually_blocking, free_port};

const LONG: Duration = Duration::from_secs(120);

/// Whether there is such a process, running or not waited for.
fn exists(id: u32) -> bool {
    Path::new(&format!("/proc/{id}")).exists()
}

#[test]
fn a_process_ends_with_its_guard() {
    let process = Process::builder("sleep").arg("1000").start().unwrap();
    let id = process.id();
    assert!(exists(id));
    drop(process);
    assert!(!exists(id));
}

#[test]
fn output_and_exit_code_are_kept() {
    let mut process = Process::builder("sh")
        .args(["-c", "echo out; echo err >&2; exit $CODE"])
        .env("CODE", "7")
        .start()
        .unwrap();
    let status = process.wait(LONG).unwrap();
    assert_eq!(status.code(), Some(7));
    assert_eq!(std::fs::read_to_string(process.log()).unwrap(), "out\nerr\n");
    assert_eq!(process.log_tail(), "out\nerr\n");
}

#[test]
fn a_process_may_stop_well_and_is_killed_otherwise() {
    let ready = |process: &Process| {
        let log = process.log().to_owned();
        eventually_blocking(LONG, || match std::fs::read_to_string(&log) {
            Ok(text) if text.contains("ready") => Ok(()),
            other => Err(format!("{other:?}")),
        })
        .unwrap();
    };
    let polite = "trap 'exit 0' TERM; echo ready; while :; do sleep 0.01; done";
    let mut polite = Process::builder("sh").args(["-c", polite]).start().unwrap();
    ready(&polite);
    assert_eq!(polite.stop(LONG).unwrap().code(), Some(0));
    let deaf = "trap '' TERM; echo ready; while :; do sleep 0.01; done";
    let mut deaf = Process::builder("sh").args(["-c", deaf]).start().unwrap();
    ready(&deaf);
    assert_eq!(deaf.stop(Duration::from_millis(50)).unwrap().code(), None);
}

#[test]
fn a_program_that_does_not_exist_is_named() {
    let error = Process::builder("no-such-program").start().unwrap_err();
    assert!(error.to_string().contains("no-such-program"), "{error}");
}

#[test]
fn a_small_disk_fills_and_keeps_what_was_written() {
    if !SmallDisk::is_available() {
        println!("NOT TESTED: this container does not let us make namespaces");
        return;
    }
    let disk = SmallDisk::new(1 << 20).unwrap();
    let write = || {
        let script = format!("printf 12345 >{}/file", disk.path().display());
        Process::builder("sh").args(["-c", &script]).on(&disk).start().unwrap().wait(LONG).unwrap()
    };
    disk.fill().unwrap();
    assert!(!write().success());
    disk.free().unwrap();
    assert!(write().success());
    assert_eq!(std::fs::read_to_string(disk.path_from_outside().join("file")).unwrap(), "12345");
    assert!(!disk.path().join("file").exists());
}

#[tokio::test]
async fn waiting_ends_with_the_last_complaint() {
    let mut asked = 0;
    let overdue = eventually(Duration::from_millis(30), || {
        asked += 1;
        let complaint = format!("complaint {asked}");
        async move { Err::<(), _>(complaint) }
    });
    let overdue = overdue.await.unwrap_err();
    assert!(overdue.attempts >= 2);
    assert_eq!(overdue.last, format!("complaint {}", overdue.attempts));
    assert!(format!("{overdue:?}").contains("last: complaint"));
}

#[test]
fn a_free_port_is_free() {
    // Others take ports, too; they do not take all of these.
    let ports: Vec<u16> = (0..10).map(|_| free_port().unwrap()).collect();
    assert!(ports.iter().any(|port| TcpStream::connect(("127.0.0.1", *port)).is_err()), "{ports:?}");
}

/// Sends a request as bytes, and returns the first line of the answer.
fn send(url: &str, method: &str, body: &str) -> String {
    let rest = url.strip_prefix("http://").unwrap();
    let (host, path) = rest.split_once('/').unwrap();
    let mut stream = TcpStream::connect(host).unwrap();
    let length = body.len();
    write!(
        stream,
        "{method} /{path} HTTP/1.1\r\nHost: {host}\r\nX-Event: push\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}"
    )
    .unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer.lines().next().unwrap_or_default().to_owned()
}

#[tokio::test]
async fn webhooks_are_recorded_and_waited_for() {
    let receiver = WebhookReceiver::start().unwrap();
    let url = receiver.url("/hook?a=1");
    let sender = std::thread::spawn(move || (send(&url, "POST", "{\"n\": 1}"), send(&url, "PUT", "plain")));
    let calls = receiver.wait_for(2, LONG).await.unwrap();
    assert_eq!(sender.join().unwrap().0, "HTTP/1.1 200 OK");
    assert_eq!(
        (calls[0].method.as_str(), calls[0].path.as_str(), calls[0].query.as_str()),
        ("POST", "/hook", "a=1")
    );
    assert_eq!(calls[0].json()["n"], 1);
    assert_eq!(calls[0].header("x-event"), Some("push"));
    assert_eq!(calls[1].body, "plain");
    receiver.answer_with(503);
    assert_eq!(send(&receiver.url("/"), "GET", ""), "HTTP/1.1 503 Service Unavailable");
    let overdue = receiver.wait_for(4, Duration::from_millis(10)).await.unwrap_err();
    assert_eq!(overdue.last, "3 of 4 requests have come");
}

#[test]
fn the_workspace_is_found() {
    assert!(windlass_testing::workspace_root().join("Cargo.lock").is_file());
    let error = windlass_testing::tool("no-such-tool").unwrap_err();
    assert!(error.to_string().contains("make tools"), "{error}");
}
