//! A Git server over a real `sshd`.

use super::repository::Repository;
use crate::{Error, Process, Result, eventually_blocking, free_port, tools};
use std::{
    collections::BTreeMap,
    env,
    fs::Permissions,
    net::{Ipv4Addr, SocketAddr, TcpStream},
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::Command,
    sync::{Mutex, PoisonError},
    time::Duration,
};
use tempfile::TempDir;

/// Where systems put the server; it insists on being started by its absolute path.
const SSHD: [&str; 3] = ["/usr/sbin/sshd", "/usr/bin/sshd", "/usr/local/sbin/sshd"];

/// Starting takes milliseconds; this only bounds a machine that is very busy.
const READY_WITHIN: Duration = Duration::from_secs(120);

/// Somebody else may take the port between finding and using it; not three times in a row.
const PORT_ATTEMPTS: usize = 3;

/// A Git server over SSH on a loopback port, for the user who runs the tests.
///
/// It has a host key and lets in one client key, both made anew. It runs nothing but Git.
/// Dropping it ends the server and removes repositories and keys.
#[derive(Debug)]
pub struct SshGitServer {
    port: u16,
    user: String,
    root: TempDir,
    repositories: Mutex<BTreeMap<String, Repository>>,
    /// Held for its end.
    _process: Process,
}

impl SshGitServer {
    /// Whether an SSH server is installed.
    pub fn is_available() -> bool {
        program().is_some()
    }

    /// Starts a server.
    ///
    /// # Errors
    /// [`Error::NotInstalled`] when there is no `sshd`; otherwise when it does not come up.
    pub fn start() -> Result<Self> {
        let program = program().ok_or_else(|| Error::NotInstalled {
            program: "sshd".to_owned(),
            remedy: "install it with `apt-get install openssh-server`".to_owned(),
        })?;
        let root = TempDir::with_prefix("windlass-ssh-").map_err(Error::io("make a temporary directory"))?;
        let directory = root.path();
        make_key(&directory.join("host_key"))?;
        make_key(&directory.join("client_key"))?;
        std::fs::copy(directory.join("client_key.pub"), directory.join("authorized_keys"))
            .map_err(Error::io("write authorized_keys"))?;
        write_script(directory)?;
        if user_is_root() {
            // Run as root, the server wants this directory, which the init system of the distribution makes.
            tools::create_directory(Path::new("/run/sshd"))?;
        }
        let mut attempt = 1;
        let (port, process) = loop {
            let port = free_port()?;
            let config = directory.join("sshd_config");
            tools::write(&config, configuration(directory, port))?;
            let mut process = Process::builder(program).args(["-D", "-e", "-f"]).arg(&config).start()?;
            match wait_until_ready(&mut process, port) {
                Ok(()) => break (port, process),
                Err(error) if attempt == PORT_ATTEMPTS => return Err(error),
                Err(_) => attempt += 1,
            }
        };
        let server =
            Self { port, user: user_name()?, root, repositories: Mutex::default(), _process: process };
        server.write_known_hosts()?;
        Ok(server)
    }

    /// The repository of this name (which may have slashes), made when it does not exist.
    ///
    /// # Errors
    /// When Git is not installed or refuses.
    pub fn repository(&self, name: &str) -> Result<Repository> {
        let mut repositories = self.repositories.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(repository) = repositories.get(name) {
            return Ok(repository.clone());
        }
        let repository = Repository::init(self.repository_path(name))?;
        repositories.insert(name.to_owned(), repository.clone());
        Ok(repository)
    }

    /// The address of a repository in the form `ssh://user@127.0.0.1:port/path`.
    pub fn url(&self, name: &str) -> String {
        format!("ssh://{}@127.0.0.1:{}{}", self.user, self.port, self.repository_path(name).display())
    }

    /// The port.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The user to log in as, who is the one that runs the tests.
    pub fn user(&self) -> &str {
        &self.user
    }

    /// The private key that is let in: a file in OpenSSH's format, Ed25519, without a passphrase.
    pub fn client_key(&self) -> PathBuf {
        self.root.path().join("client_key")
    }

    /// The file that names the server's host key, as `ssh` reads it.
    pub fn known_hosts(&self) -> PathBuf {
        self.root.path().join("known_hosts")
    }

    /// A value for `GIT_SSH_COMMAND` with which Git gets in.
    pub fn git_ssh_command(&self) -> String {
        format!(
            "ssh -F /dev/null -i {} -o IdentitiesOnly=yes -o StrictHostKeyChecking=yes -o UserKnownHostsFile={}",
            self.client_key().display(),
            self.known_hosts().display()
        )
    }

    /// The commands that clients have run so far, for example `git-upload-pack '/…/app.git'`.
    pub fn commands(&self) -> Vec<String> {
        let text = std::fs::read_to_string(self.root.path().join("commands")).unwrap_or_default();
        text.lines().map(str::to_owned).collect()
    }

    /// Runs this shell script as `git-lfs-authenticate`, with the repository's path and `download` as its arguments.
    /// Without one the command is as unknown as `git shell` has it.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn answer_lfs(&self, script: &str) -> Result<()> {
        let path = self.root.path().join("git-lfs-authenticate");
        tools::write(&path, format!("#!/bin/sh\n{script}\n"))?;
        std::fs::set_permissions(&path, Permissions::from_mode(0o755))
            .map_err(Error::io(format!("make {} executable", path.display())))
    }

    /// How many times `git-lfs-authenticate` was run.
    pub fn lfs_authentications(&self) -> usize {
        self.commands().iter().filter(|command| command.starts_with("git-lfs-authenticate")).count()
    }

    /// How many times `git-upload-pack` was run.
    pub fn upload_packs(&self) -> usize {
        self.commands().iter().filter(|command| command.starts_with("git-upload-pack")).count()
    }

    fn repository_path(&self, name: &str) -> PathBuf {
        self.root.path().join("repositories").join(format!("{name}.git"))
    }

    fn write_known_hosts(&self) -> Result<()> {
        let key = self.root.path().join("host_key.pub");
        let key = std::fs::read_to_string(&key).map_err(Error::io(format!("read {}", key.display())))?;
        tools::write(&self.known_hosts(), format!("[127.0.0.1]:{} {key}", self.port))
    }
}

/// Waits until the server accepts connections.
fn wait_until_ready(process: &mut Process, port: u16) -> Result<()> {
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    let answer = eventually_blocking(READY_WITHIN, || {
        if let Some(status) = process.exited() {
            return Ok(Err(format!("it ended ({status}): {}", process.log_tail())));
        }
        TcpStream::connect(address).map(|_| Ok(()))
    });
    let last = match answer {
        Ok(Ok(())) => return Ok(()),
        Ok(Err(ended)) => ended,
        Err(overdue) => overdue.to_string(),
    };
    Err(Error::NotReady {
        what: "sshd".to_owned(),
        waited: READY_WITHIN,
        last,
        logs: process.log().to_owned(),
    })
}

fn program() -> Option<&'static str> {
    SSHD.into_iter().find(|path| Path::new(path).exists())
}

fn configuration(directory: &Path, port: u16) -> String {
    let directory = directory.display();
    format!(
        "ListenAddress 127.0.0.1:{port}\n\
         HostKey {directory}/host_key\n\
         AuthorizedKeysFile {directory}/authorized_keys\n\
         ForceCommand {directory}/git-only\n\
         PidFile none\n\
         StrictModes no\n\
         UsePAM no\n\
         PermitRootLogin yes\n\
         PasswordAuthentication no\n\
         KbdInteractiveAuthentication no\n\
         AllowTcpForwarding no\n\
         PermitTTY no\n\
         PrintMotd no\n\
         AcceptEnv GIT_PROTOCOL\n\
         MaxStartups 100\n"
    )
}

/// Writes what each session runs instead of a shell: it notes the command and hands it to Git.
fn write_script(directory: &Path) -> Result<()> {
    let script = directory.join("git-only");
    let directory = directory.display();
    tools::write(
        &script,
        format!(
            "#!/bin/sh\n\
             printf '%s\\n' \"$SSH_ORIGINAL_COMMAND\" >>'{directory}/commands'\n\
             export GIT_CONFIG_NOSYSTEM=1 GIT_CONFIG_GLOBAL=/dev/null\n\
             case \"$SSH_ORIGINAL_COMMAND\" in git-lfs-authenticate\\ *)\n\
             test -x '{directory}/git-lfs-authenticate' && cd '{directory}' && PATH=\".:$PATH\" exec sh -c \"$SSH_ORIGINAL_COMMAND\"\n\
             esac\n\
             exec git shell -c \"$SSH_ORIGINAL_COMMAND\"\n"
        ),
    )?;
    std::fs::set_permissions(&script, Permissions::from_mode(0o755))
        .map_err(Error::io(format!("make {} executable", script.display())))
}

fn make_key(path: &Path) -> Result<()> {
    let output = Command::new("ssh-keygen")
        .args(["-q", "-t", "ed25519", "-N", "", "-C", "windlass-testing", "-f"])
        .arg(path)
        .output()
        .map_err(Error::io("run ssh-keygen"))?;
    if output.status.success() {
        return Ok(());
    }
    Err(Error::Program {
        program: "ssh-keygen".to_owned(),
        status: output.status.to_string(),
        output: String::from_utf8_lossy(&output.stderr).into_owned(),
    })
}

fn user_is_root() -> bool {
    rustix::process::geteuid().is_root()
}

fn user_name() -> Result<String> {
    if user_is_root() {
        return Ok("root".to_owned());
    }
    if let Ok(user) = env::var("USER") {
        return Ok(user);
    }
    let output = Command::new("id").arg("-un").output().map_err(Error::io("run id"))?;
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}
