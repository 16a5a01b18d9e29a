//! `windlass demo`: the whole spine in a minute, on an embedded control plane that is gone afterwards.

mod repository;

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use clap::Args;
use windlass_apiserver::Data;
use windlass_kube::{Object, Value, value};

use crate::app::show_tree;
use crate::cli::{EngineOptions, Global, JsonnetOptions, LoginOptions, PluginOptions};
use crate::output::{self, ColorOption, Paint, Tone};
use crate::serving;
use crate::session::Session;
use crate::up::{ControlPlane, Scratch};
use repository::SampleRepository;

/// Options of `windlass demo`.
#[derive(Debug, Clone, Args)]
pub(crate) struct DemoOptions {
    /// A repository of your own instead of the sample one.
    #[arg(long, env = "WINDLASS_DEMO_REPO", value_name = "URL")]
    repo: Option<String>,
    /// The folder in it.
    #[arg(long, env = "WINDLASS_DEMO_PATH", default_value = ".", value_name = "DIR")]
    path: String,
    /// The branch, tag or commit of it.
    #[arg(long, default_value = "HEAD", value_name = "REVISION")]
    revision: String,
    /// End after the last step instead of staying up.
    #[arg(long)]
    once: bool,
    #[command(flatten)]
    color: ColorOption,
}

/// The namespace of the control plane.
const CONTROL_PLANE: &str = "argocd";
/// The name of the Application and of the namespace it is deployed to.
const NAME: &str = "guestbook";
/// A step that takes longer has failed; a slow machine needs a tenth of it.
const STEP: Duration = Duration::from_secs(60);
/// A repository of one's own may be far and large.
const FIRST_STEP: Duration = Duration::from_secs(240);
/// How often the sample repository is asked for news: it is on this machine, so it may be often.
const POLL: Duration = Duration::from_millis(500);

/// Runs the demo until it ends or is interrupted; nothing is left behind in either case.
pub(crate) async fn run(options: &DemoOptions, global: &Global) -> Result<()> {
    /// The level of logs when nothing is said; the demo then speaks for itself.
    const USUAL_LOG: &str = "info";
    if global.log != USUAL_LOG {
        let _telemetry = crate::logging::start(global)?;
    }
    let scratch = Scratch::new()?;
    let listen = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    let begun = Instant::now();
    let plane = ControlPlane::start(Data::Memory, listen, true, CONTROL_PLANE, None).await?;
    let kubeconfig = scratch.path.join("kubeconfig");
    plane.write_kubeconfig(&kubeconfig)?;
    let session = Session::new(plane.client.clone(), CONTROL_PLANE, options.color.paint());
    let engine = EngineOptions {
        store_bucket: None,
        namespace: CONTROL_PLANE.into(),
        watch_namespace: String::new(),
        poll_interval: POLL,
        allow_local_repositories: true,
        allow_local_folder: Vec::new(),
        logins: LoginOptions::default(),
        jsonnet: JsonnetOptions::default(),
        plugins: PluginOptions::default(),
        listen,
    };
    let demo = Demo {
        paint: session.paint,
        session,
        options,
        kubeconfig,
        folder: scratch.path.join("sample"),
        url: plane.server.url(),
    };
    demo.step(&format!("Control plane ready in {}.", spent(begun)));
    demo.say(&format!("It serves the Kubernetes API at {} and keeps everything in memory.", demo.url));
    demo.say("Workloads are simulated: Pods look as if they ran, and nothing runs.");
    let result = tokio::select! {
        shown = demo.show() => shown,
        ended = serving::run(&engine, plane.client.clone(), &scratch.path, false, std::future::pending()) => {
            ended.and_then(|()| bail!("the engine ended by itself"))
        }
        () = serving::stopped() => Ok(()),
    };
    plane.server.shutdown().await;
    drop(scratch);
    result
}

struct Demo<'a> {
    session: Session,
    paint: Paint,
    options: &'a DemoOptions,
    kubeconfig: PathBuf,
    folder: PathBuf,
    url: String,
}

impl Demo<'_> {
    /// The steps, and then staying up.
    async fn show(&self) -> Result<()> {
        let sample = match &self.options.repo {
            Some(_) => None,
            None => Some(SampleRepository::create(&self.folder).await?),
        };
        self.deploy(sample.as_ref()).await?;
        output::print(&format!("\n{}", show_tree(&self.session, NAME).await?))?;
        if let Some(sample) = &sample {
            self.commit(sample).await?;
        }
        self.drift().await?;
        self.step("That was the demo.");
        if self.options.once {
            return Ok(());
        }
        self.invite(sample.as_ref());
        std::future::pending().await
    }

    /// Creates the Application and waits until it is Synced and Healthy.
    async fn deploy(&self, sample: Option<&SampleRepository>) -> Result<()> {
        let (repository, path, revision) = match (sample, &self.options.repo) {
            (Some(sample), _) => {
                self.step(&format!("Sample Git repository at {}", sample.folder().display()));
                (sample.url(), "guestbook", "main")
            }
            (None, repo) => {
                (repo.clone().unwrap_or_default(), self.options.path.as_str(), self.options.revision.as_str())
            }
        };
        self.step(&format!("Creating Application {NAME}: {repository}, folder {path}"));
        let application = value!({
            "apiVersion": "argoproj.io/v1alpha1",
            "kind": "Application",
            "metadata": {"name": NAME, "namespace": CONTROL_PLANE},
            "spec": {
                "project": "default",
                "source": {"repoURL": (repository.as_str()), "path": path, "targetRevision": revision},
                "destination": {"server": (windlass_argo::IN_CLUSTER_SERVER), "namespace": NAME},
                "syncPolicy": {
                    "automated": {"prune": true, "selfHeal": true},
                    "syncOptions": ["CreateNamespace=true"]
                }
            }
        });
        let begun = Instant::now();
        self.session
            .create(&Object::try_new(application)?)
            .await
            .context("the Application could not be created")?;
        let mut said = String::new();
        let found = self
            .until("it is Synced and Healthy", FIRST_STEP, |application| {
                let now = describe(application);
                if now != said {
                    self.say(&now);
                    said = now;
                }
                is_well(application)
            })
            .await?;
        let revision = found.str_at(&["status", "sync", "revision"]);
        self.step(&format!("Synced and Healthy after {}, at {}", spent(begun), short(revision)));
        Ok(())
    }

    /// Commits a change and waits for it.
    async fn commit(&self, sample: &SampleRepository) -> Result<()> {
        self.step("Committing: three replicas instead of two, and another greeting");
        let commit = sample.commit_change().await?;
        let begun = Instant::now();
        self.until("the commit has arrived", STEP, |application| {
            application.str_at(&["status", "sync", "revision"]) == commit && is_well(application)
        })
        .await?;
        let deployment = self.session.client.get_path(DEPLOYMENT).await?;
        self.step(&format!(
            "Commit {} is live after {}: {} replicas, Synced and Healthy",
            short(&commit),
            spent(begun),
            deployment.int_at(&["status", "readyReplicas"]).unwrap_or_default()
        ));
        self.say(&format!(
            "The repository is asked for news every {} ms here; a webhook saves the waiting.",
            POLL.as_millis()
        ));
        Ok(())
    }

    /// Changes a live object by hand and waits until it is as declared again.
    async fn drift(&self) -> Result<()> {
        let Some((path, object)) = self.drifting_object().await? else {
            self.say("There is no Deployment or ConfigMap to drift.");
            return Ok(());
        };
        if object.kind() == "Deployment" {
            let before = object.at(&["spec", "replicas"]).cloned().unwrap_or_else(|| 1.into());
            let after = before.as_int().unwrap_or(1) + 6;
            return self.drift_field(&path, &object, &["spec", "replicas"], &before, after.into()).await;
        }
        let data = object.at(&["data"]).and_then(Value::as_object).and_then(|data| data.iter().next());
        let Some((key, before)) = data.map(|(key, value)| (key.to_string(), value.clone())) else {
            return Ok(());
        };
        self.drift_field(&path, &object, &["data", &key], &before, "changed by hand".into()).await
    }

    async fn drift_field(
        &self,
        path: &str,
        object: &Object,
        field: &[&str],
        before: &Value,
        after: Value,
    ) -> Result<()> {
        let show = |value: &Value| serde_json::to_string(value).unwrap_or_default();
        self.step(&format!(
            "By hand: {} {} from {} to {}",
            object.object_ref(),
            field.join("."),
            show(before),
            show(&after)
        ));
        let mut patch = Value::object();
        patch.set_at(field, after);
        let body = serde_json::to_vec(&patch)?;
        let target = format!("{path}?fieldManager=a-person");
        let changing =
            self.session.client.send(http::Method::PATCH, &target, "application/merge-patch+json", body);
        changing.await.context("the object could not be changed by hand")?;
        let begun = Instant::now();
        while self.session.client.get_path(path).await?.at(field) != Some(before) {
            if begun.elapsed() > STEP {
                bail!("{} was not healed within {}", object.object_ref(), output::age(STEP));
            }
            tokio::time::sleep(GLANCE).await;
        }
        let healed = spent(begun);
        self.until("it is Healthy again", STEP, is_well).await?;
        self.step(&format!("Healed after {healed}, Healthy after {}", spent(begun)));
        Ok(())
    }

    /// The object to drift, with its path in the API.
    async fn drifting_object(&self) -> Result<Option<(String, Object)>> {
        let application = self.session.get(NAME).await?;
        let status = application.at(&["status"]).cloned().unwrap_or_default();
        for (group, kind, prefix) in [("apps", "Deployment", "/apis/apps/v1"), ("", "ConfigMap", "/api/v1")] {
            let found = status.items_at(&["resources"]).iter().find(|resource| {
                resource.str_at(&["group"]).unwrap_or_default() == group
                    && resource.str_at(&["kind"]) == Some(kind)
            });
            let Some(found) = found else { continue };
            let text = |field: &str| found.str_at(&[field]).unwrap_or_default();
            let plural = format!("{}s", kind.to_lowercase());
            let path = format!("{prefix}/namespaces/{}/{plural}/{}", text("namespace"), text("name"));
            let object = Object::try_new(self.session.client.get_path(&path).await?)?;
            return Ok(Some((path, object)));
        }
        Ok(None)
    }

    /// Waits until the Application is so.
    async fn until(
        &self,
        what: &str,
        time: Duration,
        mut is_so: impl FnMut(&Object) -> bool,
    ) -> Result<Object> {
        let begun = Instant::now();
        loop {
            let application = self.session.get(NAME).await?;
            if is_so(&application) {
                return Ok(application);
            }
            if begun.elapsed() > time {
                bail!("waited {} until {what}; now it is {}", output::age(time), describe(&application));
            }
            tokio::time::sleep(GLANCE).await;
        }
    }

    /// What to try now.
    fn invite(&self, sample: Option<&SampleRepository>) {
        let own =
            std::env::current_exe().map_or_else(|_| "windlass".into(), |path| path.display().to_string());
        let mut text = format!(
            "\nIt stays up until Ctrl-C; nothing is left behind then. In another terminal, try:\n\n\
             \x20 export KUBECONFIG={}\n\
             \x20 {own} app get {NAME}\n\
             \x20 {own} app tree {NAME}\n\
             \x20 {own} app history {NAME}\n\
             \x20 kubectl get applications -n {CONTROL_PLANE}\n\
             \x20 kubectl get all -n {NAME}\n\
             \x20 kubectl delete deployment --all -n {NAME}   # and see it come back\n",
            self.kubeconfig.display()
        );
        if let Some(sample) = sample {
            let folder = sample.folder().display();
            text.push_str(&format!(
                "\x20 cd {folder} && sed -i 's/replicas: .*/replicas: 5/' guestbook/web.yaml && git commit -am five\n"
            ));
        }
        // An invitation is for people, and so is everything else here.
        let _ = output::print(&text);
    }

    fn step(&self, text: &str) {
        let _ = output::print(&format!("{} {text}\n", self.paint.tone(Tone::Good, "==>")));
    }

    fn say(&self, text: &str) {
        let _ = output::print(&format!("    {text}\n"));
    }
}

/// How often an object is looked at while something is expected of it.
const GLANCE: Duration = Duration::from_millis(10);

/// The sample's Deployment in the API.
const DEPLOYMENT: &str = "/apis/apps/v1/namespaces/guestbook/deployments/web";

fn is_well(application: &Object) -> bool {
    application.str_at(&["status", "sync", "status"]) == "Synced"
        && application.str_at(&["status", "health", "status"]) == "Healthy"
        && application.str_at(&["status", "operationState", "phase"]) == "Succeeded"
}

/// How an Application is, in one line.
fn describe(application: &Object) -> String {
    let or_unknown = |path: &[&str]| match application.str_at(path) {
        "" => "Unknown".to_owned(),
        said => said.to_owned(),
    };
    let mut text = format!(
        "{}, {}",
        or_unknown(&["status", "sync", "status"]),
        or_unknown(&["status", "health", "status"])
    );
    let waiting = application.str_at(&["status", "windlass", "waiting"]);
    if !waiting.is_empty() {
        text.push_str(&format!("; {waiting}"));
    }
    let status = application.at(&["status"]).cloned().unwrap_or_default();
    for condition in status.items_at(&["conditions"]) {
        text.push_str(&format!("; {}", condition.str_at(&["message"]).unwrap_or_default()));
    }
    text
}

fn short(revision: &str) -> &str {
    revision.get(..7).unwrap_or(revision)
}

fn spent(since: Instant) -> String {
    let spent = since.elapsed();
    if spent < Duration::from_secs(1) {
        format!("{} ms", spent.as_millis())
    } else {
        format!("{:.1} s", spent.as_secs_f64())
    }
}
