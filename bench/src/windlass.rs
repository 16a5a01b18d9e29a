//! The program that is measured, run as users run it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use bytes::Bytes;
use hmac::{Hmac, KeyInit, Mac};
use http::Request;
use http_body_util::{BodyExt, Full};
use hyper_util::rt::TokioIo;
use sha2::Sha256;
use tokio::net::TcpStream;
use windlass_testing::{Process, Repository, eventually, free_port};

use crate::workload;

/// What pushes are signed with.
pub(crate) const WEBHOOK_SECRET: &str = "bench";

/// A start takes well below a second; this bounds a machine that is very busy.
const READY_WITHIN: Duration = Duration::from_secs(60);

/// A running `windlass`.
pub(crate) struct Windlass {
    process: Process,
    hub: u16,
    pub(crate) kubeconfig: PathBuf,
    pub(crate) started: Instant,
}

/// Which of its ways to run.
pub(crate) enum Mode<'a> {
    /// With the embedded API, and the engine.
    Up {
        /// Whether its state is in memory only.
        in_memory: bool,
    },
    /// With the embedded API only.
    ApiOnly {
        /// Whether its state is in memory only.
        in_memory: bool,
    },
    /// Against a cluster.
    Controller(&'a Path),
}

impl Windlass {
    /// Starts it; what it keeps goes below `folder`, which is new.
    pub(crate) fn start(binary: &Path, mode: &Mode<'_>, folder: &Path) -> Result<Self> {
        std::fs::create_dir_all(folder)?;
        let hub = free_port()?;
        let mut kubeconfig = folder.join("kubeconfig");
        let mut arguments = vec![
            // Polling would measure the interval; pushes are announced instead.
            "--poll-interval=1h".to_owned(),
            "--allow-local-repositories".to_owned(),
            format!("--listen=127.0.0.1:{hub}"),
            format!("--namespace={}", workload::CONTROL_PLANE),
            format!("--watch-namespace={}", workload::CONTROL_PLANE),
        ];
        let data = format!("--data-dir={}", folder.join("data").display());
        match mode {
            Mode::Up { in_memory } | Mode::ApiOnly { in_memory } => {
                arguments.insert(0, "up".to_owned());
                arguments.push(if *in_memory { "--in-memory".to_owned() } else { data });
                arguments.push(format!("--api-listen=127.0.0.1:{}", free_port()?));
                arguments.push(format!("--kubeconfig-out={}", kubeconfig.display()));
                if matches!(mode, Mode::ApiOnly { .. }) {
                    arguments.push("--no-engine".to_owned());
                }
            }
            Mode::Controller(cluster) => {
                kubeconfig = cluster.to_path_buf();
                arguments.insert(0, "controller".to_owned());
                arguments.push(data);
                arguments.push(format!("--kubeconfig={}", kubeconfig.display()));
            }
        }
        let started = Instant::now();
        let log = folder.join("windlass.log");
        let process = Process::builder(binary).args(arguments).log(log).start()?;
        Ok(Self { process, hub, kubeconfig, started })
    }

    /// Waits until the kubeconfig is there, which is written when the API answers.
    pub(crate) async fn api_ready(&mut self) -> Result<Duration> {
        while !self.kubeconfig.is_file() {
            if self.process.exited().is_some() || self.started.elapsed() > READY_WITHIN {
                bail!("windlass did not start: {}", self.process.log_tail());
            }
            // Fine enough for a figure in milliseconds.
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        Ok(self.started.elapsed())
    }

    /// Waits until pushes are taken: then the engine runs and has read the secret.
    pub(crate) async fn engine_ready(&self) -> Result<()> {
        let probe = || async { self.announce("https://nobody.invalid/nothing").await };
        eventually(READY_WITHIN, probe).await.with_context(|| self.process.log_tail())?;
        Ok(())
    }

    /// Says that a repository was pushed to.
    pub(crate) async fn push(&self, repository: &Repository) -> Result<()> {
        self.announce(&repository.file_url()).await
    }

    /// Says that the repository at an address was pushed to.
    pub(crate) async fn announce(&self, repository: &str) -> Result<()> {
        let body = serde_json::json!({"repository": repository, "ref": "refs/heads/main"}).to_string();
        let mut mac = Hmac::<Sha256>::new_from_slice(WEBHOOK_SECRET.as_bytes())?;
        mac.update(body.as_bytes());
        let signature: String =
            mac.finalize().into_bytes().iter().map(|byte| format!("{byte:02x}")).collect();
        let request = Request::post("/api/webhook")
            .header("x-signature", format!("sha256={signature}"))
            .header(http::header::CONTENT_TYPE, "application/json");
        self.hub(request, body).await.map(drop)
    }

    /// The figures that it gives of itself, by name and labels.
    pub(crate) async fn metrics(&self) -> Result<BTreeMap<String, f64>> {
        let text = self.hub(Request::get("/metrics"), String::new()).await?;
        let lines = text.lines().filter(|line| !line.starts_with('#'));
        let read = |line: &str| {
            let (name, value) = line.rsplit_once(' ')?;
            Some((name.to_owned(), value.parse().ok()?))
        };
        Ok(lines.filter_map(read).collect())
    }

    async fn hub(&self, request: http::request::Builder, body: String) -> Result<String> {
        let stream = TcpStream::connect(("127.0.0.1", self.hub)).await?;
        stream.set_nodelay(true)?;
        let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
        tokio::spawn(connection);
        let request = request
            .header(http::header::HOST, "127.0.0.1")
            .header(http::header::CONNECTION, "close")
            .body(Full::new(Bytes::from(body)))?;
        let answer = sender.send_request(request).await?;
        let status = answer.status();
        let text = String::from_utf8_lossy(&answer.into_body().collect().await?.to_bytes()).into_owned();
        if !status.is_success() {
            bail!("the hub answered {status}: {text}");
        }
        Ok(text)
    }

    /// Its process id.
    pub(crate) fn id(&self) -> u32 {
        self.process.id()
    }

    /// Ends it.
    pub(crate) fn stop(mut self) -> Result<()> {
        /// It has nothing to finish.
        const GRACE: Duration = Duration::from_secs(5);
        self.process.stop(GRACE)?;
        Ok(())
    }
}

/// What a version command prints.
pub(crate) fn version(binary: &Path) -> String {
    let output = std::process::Command::new(binary).arg("--version").output();
    output.map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned()).unwrap_or_default()
}
