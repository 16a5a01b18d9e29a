//! Watches against a scripted API server.

mod scripted;

use scripted::{Answer, Piece, Server};
use tokio::sync::mpsc;
use windlass_cluster::{Resource, WatchEvent, WatchScope, watch};
use windlass_kube::{Value, value};

fn config_maps() -> Resource {
    Resource::new("", "v1", "ConfigMap", "configmaps", true)
}

fn item(name: &str, version: &str) -> Value {
    value!({"metadata": {"name": (name), "namespace": "web", "resourceVersion": (version)}})
}

fn page(items: Vec<Value>, version: &str, next: &str) -> Answer {
    let mut list = value!({"kind": "ConfigMapList", "apiVersion": "v1"});
    list.set_at(&["metadata", "resourceVersion"], version);
    list.set_at(&["metadata", "continue"], next);
    list.set_at(&["items"], items);
    Answer::Json(200, list)
}

fn event(kind: &str, object: Value) -> String {
    let mut event = value!({"type": (kind)});
    event.set_at(&["object"], object);
    serde_json::to_string(&event).expect("it is JSON") + "\n"
}

fn status(code: u16, reason: &str) -> Value {
    value!({"kind": "Status", "status": "Failure", "code": (u32::from(code)), "reason": (reason), "message": (reason)})
}

fn told(event: &WatchEvent) -> String {
    match event {
        WatchEvent::Listing => "listing".into(),
        WatchEvent::Applied(object) => format!("+{} {}", object.name(), object.kind()),
        WatchEvent::Deleted(object) => format!("-{} {}", object.name(), object.kind()),
        WatchEvent::Listed(version) => format!("listed at {version}"),
        WatchEvent::NotServed => "not served".into(),
        WatchEvent::Failing(problem) => format!("failing: {problem}"),
    }
}

/// Runs a watch on a script until it has brought `n` events; answers them and the paths that were asked for.
async fn run(script: Vec<Answer>, n: usize) -> (Vec<String>, Vec<String>) {
    let server = Server::new(script);
    let (sender, mut received) = mpsc::channel(4);
    let scope = WatchScope { namespace: "web".into(), label_selector: "a in (b,c)".into() };
    let watching = tokio::spawn(watch(server.client(), config_maps(), scope, sender));
    let mut events = Vec::new();
    while events.len() < n {
        events.push(told(&received.recv().await.expect("the watch goes on")));
    }
    // A watch ends with its receiver, wherever it stands.
    drop(received);
    watching.await.expect("it ends by itself");
    (events, server.asked())
}

const SELECTOR: &str = "labelSelector=a%20in%20%28b%2Cc%29";

fn follow_path(version: &str) -> String {
    format!(
        "GET /api/v1/namespaces/web/configmaps?watch=true&allowWatchBookmarks=true&timeoutSeconds=290&resourceVersion={version}&{SELECTOR}"
    )
}

#[tokio::test(start_paused = true)]
async fn pages_are_one_list_and_the_watch_goes_on_from_there() {
    let (events, asked) = run(
        vec![
            page(vec![item("a", "1"), item("b", "2")], "7", "more/+"),
            page(vec![item("c", "3")], "7", ""),
            Answer::Stream(vec![
                Piece::Data(event("MODIFIED", item("a", "8"))),
                Piece::Data(event("DELETED", item("b", "9"))),
                Piece::Hang,
            ]),
        ],
        7,
    )
    .await;
    assert_eq!(
        events,
        [
            "listing",
            "+a ConfigMap",
            "+b ConfigMap",
            "+c ConfigMap",
            "listed at 7",
            "+a ConfigMap",
            "-b ConfigMap"
        ]
    );
    let list = format!("GET /api/v1/namespaces/web/configmaps?limit=500&{SELECTOR}");
    assert_eq!(asked, [list.clone(), format!("{list}&continue=more%2F%2B"), follow_path("7")]);
}

#[tokio::test(start_paused = true)]
async fn a_cut_connection_is_taken_up_where_it_stood() {
    let bookmark = event("BOOKMARK", value!({"metadata": {"resourceVersion": "50"}}));
    let (events, asked) = run(
        vec![
            page(vec![], "7", ""),
            Answer::Stream(vec![Piece::Data(event("ADDED", item("a", "8"))), Piece::Cut]),
            // A bookmark brings nothing but moves the version.
            Answer::Stream(vec![Piece::Data(bookmark), Piece::End]),
            // Half of an event is none.
            Answer::Stream(vec![Piece::Data(event("ADDED", item("lost", "99"))[..20].into()), Piece::End]),
            Answer::Stream(vec![Piece::Data(event("ADDED", item("b", "51"))), Piece::Hang]),
        ],
        4,
    )
    .await;
    assert_eq!(events, ["listing", "listed at 7", "+a ConfigMap", "+b ConfigMap"]);
    let versions: Vec<String> = ["7", "8", "50", "50"].map(follow_path).into();
    assert_eq!(asked[1..], versions);
}

#[tokio::test(start_paused = true)]
async fn events_are_whole_however_they_are_cut_into_chunks() {
    let bytes =
        event("ADDED", item("ä", "8")) + &event("ADDED", item("b", "9")) + &event("DELETED", item("ä", "10"));
    let pieces = bytes.as_bytes().chunks(3).map(|chunk| Piece::Bytes(chunk.to_vec()));
    let stream = pieces.chain([Piece::Hang]).collect();
    let (events, _) = run(vec![page(vec![], "7", ""), Answer::Stream(stream)], 5).await;
    assert_eq!(events, ["listing", "listed at 7", "+ä ConfigMap", "+b ConfigMap", "-ä ConfigMap"]);
}

#[tokio::test(start_paused = true)]
async fn a_version_that_is_gone_is_listed_anew() {
    let expired = event("ERROR", status(410, "Expired"));
    let (events, asked) = run(
        vec![
            page(vec![item("a", "1")], "7", ""),
            // Mid-stream, as kube-apiserver says it.
            Answer::Stream(vec![
                Piece::Data(event("ADDED", item("b", "8"))),
                Piece::Data(expired),
                Piece::Hang,
            ]),
            page(vec![item("b", "8")], "20", ""),
            // And as the answer to the request.
            Answer::Json(410, status(410, "Expired")),
            page(vec![], "30", ""),
            Answer::Stream(vec![Piece::Hang]),
        ],
        9,
    )
    .await;
    assert_eq!(
        events,
        [
            "listing",
            "+a ConfigMap",
            "listed at 7",
            "+b ConfigMap",
            "listing",
            "+b ConfigMap",
            "listed at 20",
            "listing",
            "listed at 30"
        ]
    );
    // A third one may be on its way already when the last event is taken.
    let followed: Vec<&String> = asked.iter().filter(|path| path.contains("watch=true")).collect();
    assert!(followed.len() >= 2 && followed[1].contains("resourceVersion=20"), "{followed:?}");
}

#[tokio::test(start_paused = true)]
async fn a_list_whose_next_page_is_gone_begins_anew() {
    let (events, _) = run(
        vec![
            page(vec![item("a", "1")], "7", "next"),
            Answer::Json(410, status(410, "Expired")),
            page(vec![item("b", "2")], "9", ""),
        ],
        5,
    )
    .await;
    // The second `listing` says that what the first brought may be gone.
    assert_eq!(events, ["listing", "+a ConfigMap", "listing", "+b ConfigMap", "listed at 9"]);
}

#[tokio::test(start_paused = true)]
async fn a_kind_that_is_not_served_is_asked_for_again() {
    let (events, asked) = run(
        vec![
            Answer::Json(404, status(404, "NotFound")),
            Answer::Json(404, status(404, "NotFound")),
            page(vec![], "7", ""),
        ],
        4,
    )
    .await;
    assert_eq!(events, ["not served", "not served", "listing", "listed at 7"]);
    assert!(asked.len() >= 3);
}

#[tokio::test(start_paused = true)]
async fn failures_are_told_and_gone_when_the_server_is_back() {
    let broken = event("ERROR", status(500, "InternalError"));
    let (events, _) = run(
        vec![
            Answer::Unreachable,
            Answer::Json(500, status(500, "InternalError")),
            page(vec![], "7", ""),
            Answer::Stream(vec![Piece::Data(broken), Piece::Hang]),
            page(vec![], "8", ""),
            Answer::Stream(vec![Piece::Data("no json\n".into()), Piece::Hang]),
            page(vec![], "9", ""),
        ],
        10,
    )
    .await;
    assert!(events[0].starts_with("failing: the API server cannot be reached"), "{events:?}");
    assert_eq!(
        events[1..6],
        ["failing: InternalError", "listing", "listed at 7", "failing: InternalError", "listing"]
    );
    assert!(events[7].contains("cannot be read"), "{events:?}");
    assert_eq!(events[8..], ["listing", "listed at 9"]);
}

#[tokio::test(start_paused = true)]
async fn a_server_that_ends_every_watch_at_once_is_not_stormed() {
    let ends = (0..40).map(|_| Answer::Stream(vec![Piece::End]));
    let script = [page(vec![], "7", "")].into_iter().chain(ends);
    let added = Answer::Stream(vec![Piece::Data(event("ADDED", item("a", "8"))), Piece::Hang]);
    let began = tokio::time::Instant::now();
    let (events, _) = run(script.chain([added]).collect(), 3).await;
    assert_eq!(events[2], "+a ConfigMap");
    // The clock is the test's own: pauses grow to five seconds.
    assert!(began.elapsed().as_secs() > 100, "{:?}", began.elapsed());
}

#[tokio::test(start_paused = true)]
async fn a_silent_watch_is_taken_up_again() {
    let (events, asked) = run(
        vec![
            page(vec![], "7", ""),
            Answer::Stream(vec![Piece::Hang]),
            Answer::Stream(vec![Piece::Data(event("ADDED", item("a", "8"))), Piece::Hang]),
        ],
        3,
    )
    .await;
    assert_eq!(events[2], "+a ConfigMap");
    assert_eq!(asked[1..], [follow_path("7"), follow_path("7")]);
}

/// Where bookmarks come once a minute, silence is noticed after two of them have failed to come, however the connection
/// died; where they do not, the watch's own end is waited for.
#[tokio::test(start_paused = true)]
async fn a_watch_that_brings_bookmarks_is_not_silent_for_long() {
    let bookmark = || Piece::Data(event("BOOKMARK", value!({"metadata": {"resourceVersion": "50"}})));
    let added = || Piece::Data(event("ADDED", item("a", "60")));
    for (begins, at_most) in [(vec![bookmark()], 151), (vec![], 306)] {
        let began = tokio::time::Instant::now();
        let stream = begins.into_iter().chain([Piece::Hang]).collect();
        let script =
            vec![page(vec![], "7", ""), Answer::Stream(stream), Answer::Stream(vec![added(), Piece::Hang])];
        let (events, _) = run(script, 3).await;
        assert_eq!(events[2], "+a ConfigMap");
        // The clock is the test's own.
        let silent = began.elapsed().as_secs();
        assert!((at_most - 2..=at_most).contains(&silent), "{silent}");
    }
}
