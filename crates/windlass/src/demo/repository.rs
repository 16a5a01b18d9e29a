//! The sample repository of the demo, made with the `git` program: only the demo needs to write to Git.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use tokio::process::Command;

use crate::output::Advised;

/// The files of the sample.
const FILES: [(&str, &str); 4] = [
    ("guestbook/settings.yaml", SETTINGS),
    ("guestbook/web.yaml", WEB),
    ("guestbook/service.yaml", SERVICE),
    ("guestbook/migrate.yaml", MIGRATE),
];

const SETTINGS: &str = "\
apiVersion: v1
kind: ConfigMap
metadata:
  name: settings
data:
  greeting: Hello from Git
";

const WEB: &str = "\
apiVersion: apps/v1
kind: Deployment
metadata:
  name: web
spec:
  replicas: 2
  selector:
    matchLabels:
      app: web
  template:
    metadata:
      labels:
        app: web
    spec:
      containers:
      - name: web
        image: nginx:1.29
        ports:
        - containerPort: 80
        envFrom:
        - configMapRef:
            name: settings
";

const SERVICE: &str = "\
apiVersion: v1
kind: Service
metadata:
  name: web
spec:
  selector:
    app: web
  ports:
  - port: 80
";

const MIGRATE: &str = "\
apiVersion: batch/v1
kind: Job
metadata:
  name: migrate
spec:
  template:
    spec:
      restartPolicy: Never
      containers:
      - name: migrate
        image: busybox:1.37
        command: [\"true\"]
";

/// A Git repository with a work tree, which is its owner's to commit to.
pub(super) struct SampleRepository {
    folder: PathBuf,
}

impl SampleRepository {
    /// Makes the repository with its first commit.
    pub(super) async fn create(folder: &Path) -> Result<Self> {
        for (path, content) in FILES {
            write(&folder.join(path), content)?;
        }
        let repository = Self { folder: folder.to_owned() };
        repository.git(&["init", "--quiet", "--initial-branch=main"]).await?;
        // So that commits made by hand in it work on a machine where Git was never set up.
        repository.git(&["config", "user.name", "Windlass demo"]).await?;
        repository.git(&["config", "user.email", "demo@windlass.invalid"]).await?;
        repository.git(&["config", "commit.gpgsign", "false"]).await?;
        repository.git(&["add", "--all"]).await?;
        repository.git(&["commit", "--quiet", "--message=Add the guestbook"]).await?;
        Ok(repository)
    }

    /// The folder it is in.
    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }

    /// The address it is reached by.
    pub(super) fn url(&self) -> String {
        format!("file://{}", self.folder.display())
    }

    /// Commits a change; the commit's id.
    pub(super) async fn commit_change(&self) -> Result<String> {
        write(&self.folder.join(FILES[1].0), &WEB.replace("replicas: 2", "replicas: 3"))?;
        write(&self.folder.join(FILES[0].0), &SETTINGS.replace("Hello from Git", "Hello again from Git"))?;
        self.git(&["commit", "--quiet", "--all", "--message=Greet again, with three replicas"]).await?;
        self.git(&["rev-parse", "HEAD"]).await
    }

    async fn git(&self, arguments: &[&str]) -> Result<String> {
        let mut command = Command::new("git");
        command.current_dir(&self.folder).args(arguments).kill_on_drop(true);
        // Neither the caller's repository nor the caller's settings are meant.
        for variable in ["GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_OBJECT_DIRECTORY"] {
            command.env_remove(variable);
        }
        command.env("GIT_CONFIG_GLOBAL", "/dev/null").env("GIT_CONFIG_NOSYSTEM", "1");
        let output = match command.output().await {
            Ok(output) => output,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                return Err(Advised::error(
                    "the demo makes its sample repository with the git program, and there is none",
                    "install git, or give a repository of your own: windlass demo --repo URL --path DIR",
                ));
            }
            Err(error) => return Err(error).context("git could not be started"),
        };
        if !output.status.success() {
            let said = String::from_utf8_lossy(&output.stderr);
            bail!("git {} failed: {}", arguments.join(" "), said.trim());
        }
        Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
    }
}

fn write(path: &Path, content: &str) -> Result<()> {
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
    }
    std::fs::write(path, content).with_context(|| format!("cannot write {}", path.display()))
}
