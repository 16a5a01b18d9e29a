//! `windlass cluster list`, `get` and `rm`.

use std::fmt::Write as _;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Result;
use clap::Args;
use windlass_argo::{IN_CLUSTER_NAME, IN_CLUSTER_SERVER};
use windlass_cluster::ClusterClient;
use windlass_kube::{Object, Value, value};

use super::{Registered, find, registered};
use crate::cli::LoginOptions;
use crate::output::{self, Advised, FormatOption, Table, Tone, tone_of};
use crate::session::{Kind, Session, explained};

/// How long a cluster may take to say its version.
const PATIENCE: Duration = Duration::from_secs(5);

#[derive(Debug, Clone, Args)]
pub(super) struct ListOptions {
    #[command(flatten)]
    format: FormatOption,
    /// Do not ask the clusters how they are.
    #[arg(long)]
    offline: bool,
    #[command(flatten)]
    logins: LoginOptions,
}

#[derive(Debug, Clone, Args)]
pub(super) struct GetOptions {
    /// The cluster, by name or address.
    cluster: String,
    #[command(flatten)]
    format: FormatOption,
    /// Do not ask the cluster how it is.
    #[arg(long)]
    offline: bool,
    #[command(flatten)]
    logins: LoginOptions,
}

#[derive(Debug, Clone, Args)]
pub(super) struct RemoveOptions {
    /// The clusters, by name or address.
    #[arg(required = true)]
    clusters: Vec<String>,
    /// Forget it although Applications go there.
    #[arg(short, long)]
    yes: bool,
}

/// What is known of a cluster, without anything secret.
struct Card {
    server: String,
    name: String,
    project: String,
    namespaces: Vec<String>,
    login: String,
    n_applications: usize,
    /// Its version, or why it does not say one; `None` when it was not asked.
    answer: Option<Result<String, String>>,
}

impl Card {
    fn state(&self) -> &'static str {
        match &self.answer {
            None => "-",
            Some(Ok(_)) => "Successful",
            Some(Err(_)) => "Failed",
        }
    }

    fn version(&self) -> &str {
        self.answer.as_ref().and_then(|answer| answer.as_deref().ok()).unwrap_or("-")
    }

    fn message(&self) -> &str {
        self.answer.as_ref().and_then(|answer| answer.as_ref().err()).map_or("", String::as_str)
    }

    fn value(&self) -> Value {
        let namespaces: Vec<Value> = self.namespaces.iter().map(|it| it.as_str().into()).collect();
        value!({
            "server": (self.server.as_str()), "name": (self.name.as_str()), "project": (self.project.as_str()),
            "namespaces": (namespaces), "login": (self.login.as_str()),
            "applications": (i64::try_from(self.n_applications).unwrap_or(i64::MAX)),
            "connection": {"status": (self.state()), "version": (self.version()), "message": (self.message())}
        })
    }
}

/// Asks a cluster for its version.
async fn version(client: &ClusterClient) -> Result<String, String> {
    match tokio::time::timeout(PATIENCE, client.get_path("/version")).await {
        Ok(Ok(answer)) => Ok(answer.str_at(&["gitVersion"]).unwrap_or("unknown").to_owned()),
        Ok(Err(error)) => Err(format!("{:#}", anyhow::Error::new(error))),
        Err(_) => Err(format!("it did not answer within {} seconds", PATIENCE.as_secs())),
    }
}

/// Whether an Application goes to a cluster.
fn goes_to(application: &Object, server: &str, name: &str) -> bool {
    match application.str_at(&["spec", "destination", "server"]).trim_end_matches('/') {
        "" => application.str_at(&["spec", "destination", "name"]) == name,
        said => said == server.trim_end_matches('/'),
    }
}

/// The cards of clusters, and of the one that holds the control plane; all are asked at once.
async fn cards(
    session: &Session,
    clusters: Vec<Registered>,
    offline: bool,
    logins: LoginOptions,
) -> Result<Vec<Card>> {
    let applications = session.own_applications().await?;
    let n_applications =
        |server: &str, name: &str| applications.iter().filter(|it| goes_to(it, server, name)).count();
    let has_own = clusters.iter().any(|cluster| cluster.server() == IN_CLUSTER_SERVER);
    let mut asked = tokio::task::JoinSet::new();
    let mut cards = Vec::new();
    let mut ask = |idx: usize, client: Result<ClusterClient, String>| {
        if !offline {
            asked.spawn(async move {
                let answer = match client {
                    Ok(client) => version(&client).await,
                    Err(problem) => Err(problem),
                };
                (idx, answer)
            });
        }
    };
    if !has_own {
        ask(0, Ok(session.client.clone()));
        cards.push(Card {
            server: IN_CLUSTER_SERVER.into(),
            name: IN_CLUSTER_NAME.into(),
            project: String::new(),
            namespaces: Vec::new(),
            login: "own".into(),
            n_applications: n_applications(IN_CLUSTER_SERVER, IN_CLUSTER_NAME),
            answer: None,
        });
    }
    for cluster in clusters {
        let (server, name) = (cluster.server().to_owned(), cluster.name().to_owned());
        let client = match &cluster.read {
            Ok(_) if server == IN_CLUSTER_SERVER => Ok(session.client.clone()),
            Ok(read) => read.connect(logins.allowed()),
            Err(problem) => Err(format!("Secret {}: {problem}", cluster.secret.name())),
        };
        ask(cards.len(), client);
        let read = cluster.read.as_ref().ok();
        cards.push(Card {
            n_applications: n_applications(&server, &name),
            project: read.map(|read| read.project.to_string()).unwrap_or_default(),
            namespaces: read
                .map(|read| read.namespaces.iter().map(ToString::to_string).collect())
                .unwrap_or_default(),
            login: read.map_or("-", |read| read.login()).to_owned(),
            server,
            name,
            answer: None,
        });
    }
    while let Some(answered) = asked.join_next().await {
        let (idx, answer) = answered?;
        cards[idx].answer = Some(answer);
    }
    Ok(cards)
}

pub(super) async fn list(session: &Session, options: &ListOptions) -> Result<ExitCode> {
    let cards = cards(session, registered(session).await?, options.offline, options.logins).await?;
    let values = || Value::from(cards.iter().map(Card::value).collect::<Vec<Value>>());
    let text = match options.format.output.for_programs(values, cards.iter().map(|card| &card.name)) {
        Some(text) => text,
        None => table(&cards).print(session.paint),
    };
    output::print(&text)?;
    Ok(ExitCode::SUCCESS)
}

fn table(cards: &[Card]) -> Table {
    let mut table =
        Table::new(["NAME", "SERVER", "VERSION", "STATUS", "APPS", "LOGIN", "PROJECT", "MESSAGE"]);
    for card in cards {
        let project = if card.project.is_empty() { "-" } else { &card.project };
        let n_applications = card.n_applications.to_string();
        table.row([
            &card.name,
            &card.server,
            card.version(),
            card.state(),
            &n_applications,
            &card.login,
            project,
            card.message(),
        ]);
    }
    table
}

pub(super) async fn get(session: &Session, options: &GetOptions) -> Result<ExitCode> {
    let is_own = [IN_CLUSTER_NAME, IN_CLUSTER_SERVER].contains(&options.cluster.as_str());
    let clusters = match find(session, &options.cluster).await {
        Ok(cluster) => vec![cluster],
        Err(_) if is_own => Vec::new(),
        Err(error) => return Err(error),
    };
    let labels = clusters.first().and_then(|it| it.secret.at(&["metadata", "labels"])).cloned();
    let card = cards(session, clusters, options.offline, options.logins).await?.pop();
    let Some(card) = card else { return Ok(ExitCode::FAILURE) };
    let text = match options.format.output.for_programs(|| card.value(), [&card.name]) {
        Some(text) => text,
        None => {
            let mut text = String::new();
            let mut line = |what: &str, said: &str| {
                let _ = writeln!(text, "{}{said}", session.paint.tone(Tone::Strong, &format!("{what:<14}")));
            };
            line("Name", &card.name);
            line("Server", &card.server);
            line("Status", &session.paint.tone(tone_of(card.state()), card.state()));
            if !card.message().is_empty() {
                line("Message", card.message());
            }
            line("Version", card.version());
            line("Login", &card.login);
            line("Applications", &card.n_applications.to_string());
            line("Project", if card.project.is_empty() { "all" } else { &card.project });
            line(
                "Namespaces",
                &if card.namespaces.is_empty() { "all".into() } else { card.namespaces.join(", ") },
            );
            if let Some(labels) = labels.as_ref().and_then(Value::as_object) {
                let labels: Vec<String> = labels
                    .iter()
                    .map(|(key, value)| format!("{key}={}", value.as_str().unwrap_or_default()))
                    .collect();
                line("Labels", &labels.join(", "));
            }
            text
        }
    };
    output::print(&text)?;
    Ok(ExitCode::SUCCESS)
}

pub(super) async fn remove(session: &Session, options: &RemoveOptions) -> Result<ExitCode> {
    let kind = Kind::secret();
    for named in &options.clusters {
        let cluster = find(session, named).await?;
        let (name, server) = (cluster.name().to_owned(), cluster.server().to_owned());
        if !options.yes {
            let applications = session.own_applications().await?;
            let n_applications = applications.iter().filter(|it| goes_to(it, &server, &name)).count();
            if n_applications > 0 {
                return Err(Advised::error(
                    format!(
                        "{} of cluster {name} would be left",
                        output::count(n_applications, "Application")
                    ),
                    "their objects would stay there, and nothing would look after them; --yes forgets it all the same",
                ));
            }
        }
        let deleted = session.delete_of(&kind, &cluster.secret).await;
        deleted.map_err(|error| explained(&kind, error, &format!("Secret {}", cluster.secret.name())))?;
        output::note(&format!("Cluster {name} is forgotten; what was deployed there stays."));
        if server != IN_CLUSTER_SERVER && cluster.read.is_ok_and(|read| read.login() == "token") {
            output::note(&format!(
                "If nobody else uses it, its ServiceAccount can go, too:\n  \
                 kubectl delete clusterrolebinding/{0}-role-binding clusterrole/{0}-role\n  \
                 kubectl delete --namespace kube-system serviceaccount/{0}",
                super::add::MANAGER_ACCOUNT
            ));
        }
    }
    Ok(ExitCode::SUCCESS)
}
