//! Every verb and flag, declared once: help, completions and manual pages come from here.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context as _, Result};
use clap::{Args, Parser, Subcommand, ValueEnum};
use windlass_apiserver::audit::{Audit, LogOptions};
use windlass_cluster::LocalLogins;
use windlass_plugin::{DEFAULT_FOLDER, Finding, PluginSettings, Registry};
use windlass_sandbox::confined::{Confinement, JobLimits, PLUGIN_SECONDS};
use windlass_sandbox::{ChildJsonnet, Limits, RUN_SECONDS};

/// GitOps in one binary: what Git declares is what runs.
///
/// `windlass up` brings its own Kubernetes-compatible control plane; `windlass controller` works on a cluster you
/// have. Both act on the Argo CD Applications they find there.
#[derive(Debug, Parser)]
#[command(name = "windlass", version, max_term_width = 100, args_override_self = true)]
pub(crate) struct Cli {
    #[command(subcommand)]
    command: Command,
    #[command(flatten)]
    pub(crate) global: Global,
}

/// Flags of every verb.
#[derive(Debug, Args)]
pub(crate) struct Global {
    /// A YAML file of flags: `flag-name: value`, one a line. Flags and environment variables win over it.
    #[arg(long, global = true, env = "WINDLASS_CONFIG", value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// How much is logged: error, warn, info, debug or trace, also per module as in `windlass_engine=debug`.
    #[arg(long, global = true, env = "WINDLASS_LOG", default_value = "info", value_name = "LEVEL")]
    pub(crate) log: String,
    /// How log lines look.
    #[arg(long, global = true, env = "WINDLASS_LOG_FORMAT", value_enum, default_value_t = LogFormat::Text)]
    pub(crate) log_format: LogFormat,
    /// Where traces are sent: the address of an OpenTelemetry collector that takes OTLP over HTTP.
    #[arg(long, global = true, env = "OTEL_EXPORTER_OTLP_ENDPOINT", value_name = "URL")]
    pub(crate) otlp_endpoint: Option<String>,
}

/// How log lines look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum LogFormat {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run Windlass with its own embedded control plane.
    Up(UpOptions),
    /// Run the engine against an existing cluster.
    Controller(ControllerOptions),
    /// Print the manifests that a real cluster needs.
    #[command(after_help = "\
EXAMPLES
  windlass install --crds-only | kubectl apply --server-side -f -
  windlass install --image registry.example.org/windlass:0.1.0 | kubectl apply --server-side -f -
  windlass install --replicas 3 --apply-role none > windlass.yaml")]
    Install(crate::install::InstallOptions),
    /// Work with Applications: list, get, create, sync, wait, diff, tree and more.
    #[command(after_help = "\
EXAMPLES
  windlass app list
  windlass app diff guestbook
  windlass app sync guestbook --wait

The same verbs work on the control plane of `windlass up` and on a cluster: they speak the Kubernetes API only.")]
    App(Box<crate::app::AppOptions>),
    /// Write the whole control plane to a file, and read it back.
    Admin(Box<crate::admin::AdminOptions>),
    /// Write the whole state of a running `windlass up` to a file.
    #[command(after_help = "\
EXAMPLES
  windlass backup state.db
  windlass restore state.db

The file holds every object of the embedded control plane at its version, with its Secrets: only you can read it. It is checked \
before it gets its name, and never written over another. Applications alone, as YAML: `windlass admin export`.")]
    Backup(crate::backup::BackupOptions),
    /// Put a backup where `windlass up` looks for its state.
    #[command(after_help = "\
EXAMPLES
  windlass restore state.db
  windlass restore state.db --data-dir /srv/windlass --replace

The backup is checked first. `windlass up` must not run on the data directory; what is there is kept beside with --replace.")]
    Restore(crate::backup::RestoreOptions),
    /// Work with the clusters that Applications go to.
    #[command(after_help = "\
EXAMPLES
  windlass cluster list
  windlass cluster add production            # a context of your kubeconfig
  windlass cluster rm production")]
    Cluster(Box<crate::cluster::ClusterOptions>),
    /// Work with projects, which say what Applications may deploy, from where and to where.
    #[command(
        visible_alias = "project",
        after_help = "\
EXAMPLES
  windlass proj list
  windlass proj create payments --src 'https://git.example.org/payments/*' --dest '*,payments-*'
  windlass proj windows list payments"
    )]
    Proj(Box<crate::proj::ProjectOptions>),
    /// Render a folder, an address, or what an Application in a file says, as the engine would, without any server.
    #[command(after_help = "\
EXAMPLES
  windlass render deploy/
  windlass render --app guestbook.yaml
  windlass render . --path deploy --recurse -o name
  windlass render deploy/ --explain
  windlass render deploy/ --watch -o name
  windlass render 'https://github.com/argoproj/argocd-example-apps//guestbook?ref=master' -o tree
  windlass render oci://ghcr.io/org/app:1.2
  windlass render https://charts.jetstack.io --chart cert-manager
  windlass render deploy/ | kubectl diff -f -

Exit code: 0 when everything was rendered, 1 when something was not.")]
    Render(Box<crate::render::RenderOptions>),
    /// Tell the health of objects in files, as the engine would.
    #[command(after_help = "\
EXAMPLES
  kubectl get deploy,certificates -A -o yaml | windlass health -
  windlass health rollout.yaml --lua check.lua -o json

Exit code: 0 when everything is Healthy or Suspended or has no check, 1 when something is Progressing or Missing, 2 when \
something is Degraded or Unknown.")]
    Health(crate::health::HealthOptions),
    /// List what can be done to objects in files, and print what that would write.
    Actions(crate::actions::ActionsOptions),
    /// Show what a sync would do, from files alone, without any server.
    #[command(after_help = "\
EXAMPLES
  windlass plan --desired deploy/
  windlass plan --desired deploy/ --app application.yaml --live live.yaml -o json

The live file holds objects as `kubectl get -o yaml --show-managed-fields` prints them; without managed fields an object \
counts as in sync where it says all that is declared. Exit code: 0 when the plan is complete, 1 when something could not \
be rendered or prepared.")]
    Plan(crate::plan::PlanOptions),
    /// See it all work: a Git repository becomes live state, and stays so.
    #[command(after_help = "\
EXAMPLES
  windlass demo
  windlass demo --repo https://github.com/argoproj/argocd-example-apps --path guestbook

Everything runs in this process, with simulated workloads. Ctrl-C ends it and leaves nothing behind.")]
    Demo(crate::demo::DemoOptions),
    /// Print a completion script for a shell.
    #[command(after_help = "\
EXAMPLES
  source <(windlass completions bash)
  windlass completions zsh > ~/.zfunc/_windlass
  windlass completions fish > ~/.config/fish/completions/windlass.fish")]
    Completions(crate::completions::CompletionsOptions),
    /// Write manual pages.
    #[command(after_help = "\
EXAMPLES
  windlass man | man -l -
  windlass man ~/.local/share/man/man1")]
    Man(crate::completions::ManOptions),
    /// Print the version of this binary, and that of the server if one answers.
    Version(crate::completions::VersionOptions),
}

/// What the engine needs to know, wherever it runs.
#[derive(Debug, Clone, Args)]
pub(crate) struct EngineOptions {
    /// The namespace of the control plane's own objects: projects, repositories, clusters.
    #[arg(long, env = "WINDLASS_NAMESPACE", default_value = "argocd", value_name = "NAME")]
    pub(crate) namespace: String,
    /// Act only on Applications of this namespace; all by default.
    #[arg(
        long,
        env = "WINDLASS_WATCH_NAMESPACE",
        default_value = "",
        hide_default_value = true,
        value_name = "NAME"
    )]
    pub(crate) watch_namespace: String,
    /// How often a repository is asked for news, such as 30s or 2m; up to half of it is added at random.
    #[arg(long, env = "WINDLASS_POLL_INTERVAL", default_value = "2m", value_parser = duration, value_name = "TIME")]
    pub(crate) poll_interval: Duration,
    /// Allow repositories on this machine: file:// addresses, plain paths and loopback hosts.
    #[arg(long, env = "WINDLASS_ALLOW_LOCAL_REPOSITORIES")]
    pub(crate) allow_local_repositories: bool,
    /// Let Applications name this folder of this machine, or one below it, as their source without Git:
    /// `repoURL: file:///folder`. It is watched, and what is in it is applied as it is. Everybody who may write an
    /// Application can then read it.
    #[arg(long, env = "WINDLASS_ALLOW_LOCAL_FOLDERS", value_delimiter = ':', value_name = "DIR")]
    pub(crate) allow_local_folder: Vec<PathBuf>,
    #[command(flatten)]
    pub(crate) logins: LoginOptions,
    #[command(flatten)]
    pub(crate) jsonnet: JsonnetOptions,
    #[command(flatten)]
    pub(crate) plugins: PluginOptions,
    /// Share renders and fetched artifacts with other replicas through this bucket: s3://NAME/PREFIX, reached as the usual AWS_
    /// variables say. They are sealed with what WINDLASS_STORE_SECRET holds, the same for all replicas.
    #[arg(long, env = "WINDLASS_STORE_BUCKET", value_name = "ADDRESS")]
    pub(crate) store_bucket: Option<String>,
    /// Where metrics, health and webhooks are served; port 0 takes a free one.
    #[arg(long, env = "WINDLASS_LISTEN", default_value = "127.0.0.1:8082", value_name = "ADDRESS")]
    pub(crate) listen: SocketAddr,
}

/// How other clusters may be logged in to.
#[derive(Debug, Clone, Copy, Default, Args)]
pub(crate) struct LoginOptions {
    /// Let Secrets of clusters and repositories have programs of this machine run, or files of it read, to log in
    /// (execProviderConfig, awsAuthConfig, bearerTokenFile, tokenCommand, tokenFile, machineIdentity). Who may write
    /// such Secrets can then run programs here.
    #[arg(long, env = "WINDLASS_ALLOW_CLUSTER_PROGRAMS")]
    allow_cluster_programs: bool,
}

impl LoginOptions {
    /// What is allowed.
    pub(crate) fn allowed(self) -> LocalLogins {
        if self.allow_cluster_programs { LocalLogins::Allowed } else { LocalLogins::Refused }
    }
}

/// What programs in repositories may use.
#[derive(Debug, Clone, Copy, Args)]
pub(crate) struct JsonnetOptions {
    /// A Jsonnet program that runs for longer is ended.
    #[arg(long, env = "WINDLASS_JSONNET_SECONDS", default_value_t = RUN_SECONDS, value_name = "SECONDS")]
    jsonnet_seconds: u64,
}

impl JsonnetOptions {
    /// What evaluates Jsonnet: children of this process.
    pub(crate) fn engine(self) -> ChildJsonnet {
        let time = Duration::from_secs(self.jsonnet_seconds);
        ChildJsonnet::of_this_program(Limits { time, ..Limits::default() })
    }
}

/// Which plugins there are, and what they may do.
#[derive(Debug, Clone, Args)]
pub(crate) struct PluginOptions {
    /// The folder in which plugins are declared. Default: /etc/windlass/plugins, where that exists.
    #[arg(long, alias = "plugin", env = "WINDLASS_PLUGINS", value_name = "DIR")]
    plugins: Option<PathBuf>,
    /// Run plugins also where the kernel cannot keep the network and other files from them.
    #[arg(long, env = "WINDLASS_ALLOW_UNCONFINED_PLUGINS")]
    allow_unconfined_plugins: bool,
    /// A program of a plugin that runs for longer is ended.
    #[arg(long, env = "WINDLASS_PLUGIN_SECONDS", default_value_t = PLUGIN_SECONDS, value_name = "SECONDS")]
    plugin_seconds: u64,
}

impl PluginOptions {
    /// The plugins; `told` hears of what is wrong with their files.
    pub(crate) fn registry(&self, told: impl Fn(&Finding)) -> Result<Option<Registry>> {
        let usual = Path::new(DEFAULT_FOLDER);
        let folder = match &self.plugins {
            Some(folder) => folder.as_path(),
            None if usual.is_dir() => usual,
            None => return Ok(None),
        };
        let confinement = match self.allow_unconfined_plugins {
            true => Confinement::WherePossible,
            false => Confinement::Required,
        };
        let limits = JobLimits { time: Duration::from_secs(self.plugin_seconds), ..JobLimits::default() };
        let mut settings = PluginSettings { confinement, limits, ..PluginSettings::default() };
        if let Ok(search) = std::env::var("PATH") {
            settings.search = search;
        }
        let (registry, findings) = Registry::load(folder, settings)
            .with_context(|| format!("the plugins in {} cannot be read", folder.display()))?;
        findings.iter().for_each(told);
        Ok(Some(registry))
    }
}

impl Default for PluginOptions {
    fn default() -> Self {
        Self { plugins: None, allow_unconfined_plugins: false, plugin_seconds: PLUGIN_SECONDS }
    }
}

impl Default for JsonnetOptions {
    fn default() -> Self {
        Self { jsonnet_seconds: RUN_SECONDS }
    }
}

/// Options of `windlass up`.
#[derive(Debug, Clone, Args)]
pub(crate) struct UpOptions {
    #[command(flatten)]
    pub(crate) engine: EngineOptions,
    /// Where everything is kept; may be deleted to begin anew. Default: the user's data directory.
    #[arg(long, env = "WINDLASS_DATA_DIR", value_name = "DIR")]
    pub(crate) data_dir: Option<PathBuf>,
    /// Keep nothing: the state is in memory and gone with the process.
    #[arg(long, env = "WINDLASS_IN_MEMORY", conflicts_with = "data_dir")]
    pub(crate) in_memory: bool,
    /// Where the Kubernetes API is served; port 0 takes a free one.
    #[arg(long, env = "WINDLASS_API_LISTEN", default_value = "127.0.0.1:6443", value_name = "ADDRESS")]
    pub(crate) api_listen: SocketAddr,
    /// Where the kubeconfig is written. Default: kubeconfig in the data directory.
    #[arg(long, env = "WINDLASS_KUBECONFIG_OUT", value_name = "FILE")]
    pub(crate) kubeconfig_out: Option<PathBuf>,
    /// Simulate workloads: Deployments, Jobs and Pods become ready as if they ran. Nothing really runs.
    #[arg(long, env = "WINDLASS_SIMULATE_WORKLOADS")]
    pub(crate) simulate_workloads: bool,
    #[command(flatten)]
    pub(crate) audit: AuditOptions,
    /// Serve the API only and leave Applications alone.
    #[arg(long, env = "WINDLASS_NO_ENGINE")]
    pub(crate) no_engine: bool,
}

/// What the embedded API tells of its requests, and where.
#[derive(Debug, Clone, Default, Args)]
pub(crate) struct AuditOptions {
    /// The policy (`audit.k8s.io/v1`) that says which requests of the embedded API are told of.
    #[arg(long, env = "WINDLASS_AUDIT_POLICY_FILE", value_name = "FILE", requires = "audit_log_path")]
    pub(crate) audit_policy_file: Option<PathBuf>,
    /// The file that is told, one event a line; `-` is standard output.
    #[arg(long, env = "WINDLASS_AUDIT_LOG_PATH", value_name = "FILE", requires = "audit_policy_file")]
    pub(crate) audit_log_path: Option<PathBuf>,
    /// How many megabytes the log has before another is begun.
    #[arg(long, env = "WINDLASS_AUDIT_LOG_MAXSIZE", default_value_t = 100, value_name = "MB")]
    pub(crate) audit_log_maxsize: u64,
    /// For how many days older logs are kept; 0 is for ever.
    #[arg(long, env = "WINDLASS_AUDIT_LOG_MAXAGE", default_value_t = 0, value_name = "DAYS")]
    pub(crate) audit_log_maxage: u64,
    /// How many older logs are kept; 0 is all.
    #[arg(long, env = "WINDLASS_AUDIT_LOG_MAXBACKUP", default_value_t = 0, value_name = "COUNT")]
    pub(crate) audit_log_maxbackup: usize,
}

impl AuditOptions {
    /// Who tells, where anybody is to be told.
    pub(crate) fn open(&self) -> Result<Option<Audit>> {
        let (Some(policy), Some(path)) = (&self.audit_policy_file, &self.audit_log_path) else {
            return Ok(None);
        };
        let options = LogOptions {
            path: path.clone(),
            max_megabytes: self.audit_log_maxsize,
            max_age_days: self.audit_log_maxage,
            max_backups: self.audit_log_maxbackup,
        };
        Ok(Some(Audit::open(policy, options)?))
    }
}

/// Options of `windlass controller`.
#[derive(Debug, Clone, Args)]
pub(crate) struct ControllerOptions {
    #[command(flatten)]
    pub(crate) engine: EngineOptions,
    /// Where repositories are kept; may be deleted at any time.
    #[arg(long, env = "WINDLASS_DATA_DIR", value_name = "DIR")]
    pub(crate) data_dir: Option<PathBuf>,
    /// The kubeconfig to use; by default as kubectl finds it, or the pod's service account.
    #[arg(long, env = "KUBECONFIG", value_name = "FILE")]
    pub(crate) kubeconfig: Option<PathBuf>,
    /// The context in it; the current one by default.
    #[arg(long, value_name = "NAME")]
    pub(crate) context: Option<String>,
    /// Share the work with other replicas: each holds a Lease and acts on its part of the Applications.
    #[arg(long, env = "WINDLASS_SHARE_WORK", alias = "leader-elect")]
    pub(crate) share_work: bool,
}

impl Cli {
    /// Runs the verb; the exit code is for scripts.
    pub(crate) async fn run(self) -> Result<ExitCode> {
        match self.command {
            Command::Up(options) => {
                let _telemetry = crate::logging::start(&self.global)?;
                crate::up::run(options).await?;
            }
            Command::Controller(options) => {
                let _telemetry = crate::logging::start(&self.global)?;
                crate::controller::run(options).await?;
            }
            Command::Install(options) => crate::install::run(&options)?,
            Command::App(options) => return crate::app::run(*options).await,
            Command::Admin(options) => return crate::admin::run(*options).await,
            Command::Backup(options) => crate::backup::backup(&options).await?,
            Command::Restore(options) => crate::backup::restore(&options)?,
            Command::Cluster(options) => return crate::cluster::run(*options).await,
            Command::Proj(options) => return crate::proj::run(*options).await,
            Command::Render(options) => return crate::render::run(&options).await,
            Command::Health(options) => return crate::health::run(&options),
            Command::Actions(options) => return crate::actions::run(&options),
            Command::Plan(options) => return crate::plan::run(&options),
            Command::Demo(options) => {
                if let Err(error) = crate::demo::run(&options, &self.global).await {
                    crate::output::report(&error);
                    return Ok(ExitCode::FAILURE);
                }
            }
            Command::Completions(options) => crate::completions::completions(&options)?,
            Command::Man(options) => crate::completions::man(&options)?,
            Command::Version(options) => crate::completions::version(&options).await?,
        }
        Ok(ExitCode::SUCCESS)
    }
}

/// Reads `90s`, `2m`, `1h30m`.
fn duration(text: &str) -> Result<Duration, String> {
    let duration: windlass_go::duration::Duration =
        text.parse().map_err(|error: windlass_go::duration::ParseDurationError| error.to_string())?;
    Duration::try_from(duration).map_err(|_| "a time cannot be negative".to_string())
}
