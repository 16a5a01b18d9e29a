//! `windlass app logs`.

use std::process::ExitCode;
use std::time::Duration;

use anyhow::Result;
use clap::Args;
use http_body_util::BodyExt as _;
use tokio::sync::mpsc;
use windlass_cluster::ClusterClient;
use windlass_kube::Object;

use super::destination::destination;
use super::follow::timeout;
use super::tree::pods;
use crate::cli::LoginOptions;
use crate::output::{self, Advised};
use crate::session::Session;

/// Options of `windlass app logs`.
#[derive(Debug, Clone, Args)]
pub(super) struct LogsOptions {
    /// The Application: NAME, or NAMESPACE/NAME.
    name: String,
    /// Only pods of objects of this kind, such as Deployment.
    #[arg(long, value_name = "KIND")]
    kind: Option<String>,
    /// Only pods of the object with this name.
    #[arg(long = "name", value_name = "NAME")]
    object: Option<String>,
    /// Only this container.
    #[arg(short, long, value_name = "NAME")]
    container: Option<String>,
    /// Go on as logs grow, until Ctrl-C.
    #[arg(short, long)]
    follow: bool,
    /// Only so many of the last lines of each container.
    #[arg(long, value_name = "LINES")]
    tail: Option<u64>,
    /// Only what is younger than this, such as 10m.
    #[arg(long, value_parser = timeout, value_name = "TIME")]
    since: Option<Duration>,
    /// The logs of the containers that ran before.
    #[arg(short, long)]
    previous: bool,
    #[command(flatten)]
    logins: LoginOptions,
}

/// Lines that wait to be printed; a container that is faster waits too.
const BUFFER: usize = 256;

/// What the embedded API answers, because nothing runs.
const SIMULATED: &str = "This pod is simulated";

pub(super) async fn run(session: &Session, options: &LogsOptions) -> Result<ExitCode> {
    let application = session.get(&options.name).await?;
    let there = destination(session, &application, options.logins.allowed()).await?;
    let is_meant = |key: &windlass_kube::ObjectRef| {
        options.kind.as_ref().is_none_or(|kind| key.kind.eq_ignore_ascii_case(kind))
            && options.object.as_ref().is_none_or(|name| key.name == *name)
    };
    let pods = pods(&there, &application, is_meant).await?;
    let streams: Vec<(String, String)> = pods
        .iter()
        .flat_map(|pod| containers(pod).into_iter().map(move |container| (pod, container)))
        .filter(|(_, container)| options.container.as_ref().is_none_or(|wanted| wanted == container))
        .map(|(pod, container)| (format!("{}/{container}", pod.name()), path(pod, &container, options)))
        .collect();
    if streams.is_empty() {
        return Err(Advised::error(
            "there are no such containers",
            format!("`windlass app tree {}` shows the pods there are", options.name),
        ));
    }
    let has_many = streams.len() > 1;
    let (lines, mut received) = mpsc::channel::<Line>(BUFFER);
    for (source, path) in streams {
        tokio::spawn(read(there.client.clone(), source, path, lines.clone()));
    }
    drop(lines);
    let mut code = ExitCode::SUCCESS;
    let mut is_simulated = false;
    while let Some(line) = received.recv().await {
        match line {
            Line::Text(_, text) if text.starts_with(SIMULATED) => is_simulated = true,
            Line::Text(source, text) if has_many => output::print(&format!("{source} | {text}\n"))?,
            Line::Text(_, text) => output::print(&format!("{text}\n"))?,
            Line::Failed(source, problem) => {
                output::note(&format!("{source}: {problem}"));
                code = ExitCode::FAILURE;
            }
        }
    }
    if is_simulated {
        output::note("The pods are simulated: no container runs, and there are no logs.");
    }
    Ok(code)
}

enum Line {
    Text(String, String),
    Failed(String, String),
}

fn containers(pod: &Object) -> Vec<String> {
    let spec = pod.at(&["spec"]).cloned().unwrap_or_default();
    let names = |list: &str| -> Vec<String> {
        let containers = spec.items_at(&[list]);
        containers.iter().filter_map(|container| container.str_at(&["name"])).map(str::to_owned).collect()
    };
    let mut all = names("initContainers");
    all.extend(names("containers"));
    all
}

fn path(pod: &Object, container: &str, options: &LogsOptions) -> String {
    let mut path = format!(
        "/api/v1/namespaces/{}/pods/{}/log?container={container}&follow={}&previous={}",
        pod.namespace(),
        pod.name(),
        options.follow,
        options.previous
    );
    if let Some(lines) = options.tail {
        path.push_str(&format!("&tailLines={lines}"));
    }
    if let Some(since) = options.since {
        path.push_str(&format!("&sinceSeconds={}", since.as_secs().max(1)));
    }
    path
}

async fn read(client: ClusterClient, source: String, path: String, lines: mpsc::Sender<Line>) {
    let mut body = match client.open(&path).await {
        Ok(body) => body,
        Err(error) => {
            let _ = lines.send(Line::Failed(source, error.to_string())).await;
            return;
        }
    };
    let mut rest: Vec<u8> = Vec::new();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim_end_matches('\r').to_owned();
    while let Some(frame) = body.frame().await {
        let data = match frame {
            Ok(frame) => frame.into_data().unwrap_or_default(),
            Err(error) => {
                let _ = lines.send(Line::Failed(source, error.to_string())).await;
                return;
            }
        };
        rest.extend_from_slice(&data);
        while let Some(end) = rest.iter().position(|byte| *byte == b'\n') {
            let line: Vec<u8> = rest.drain(..=end).collect();
            if lines.send(Line::Text(source.clone(), text(&line[..end]))).await.is_err() {
                return;
            }
        }
    }
    if !rest.is_empty() {
        let _ = lines.send(Line::Text(source, text(&rest))).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_container_has_a_log() {
        let pod = windlass_yaml::load(
            "apiVersion: v1\nkind: Pod\nmetadata: {name: p, namespace: shop}\n\
             spec: {initContainers: [{name: i}], containers: [{name: a}, {name: b}]}\n",
        );
        let pod = Object::try_new(pod.unwrap()).unwrap();
        assert_eq!(containers(&pod), ["i", "a", "b"]);
        let options = LogsOptions {
            name: "x".into(),
            kind: None,
            object: None,
            container: None,
            follow: true,
            tail: Some(5),
            since: Some(Duration::from_secs(60)),
            previous: false,
            logins: LoginOptions::default(),
        };
        assert_eq!(
            path(&pod, "a", &options),
            "/api/v1/namespaces/shop/pods/p/log?container=a&follow=true&previous=false&tailLines=5&sinceSeconds=60"
        );
    }
}
