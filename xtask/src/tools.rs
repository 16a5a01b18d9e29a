//! Building the original programs, at pinned versions, with their own toolchain.
//!
//! Each has a Go module of its own in `tools/`, so that none decides on the versions another is built
//! with. What is built is kept in a cache outside of `target`, under a digest of everything that goes in,
//! so that a second checkout on the same machine has it at once. A build that is interrupted goes on where
//! it was, because Go keeps every package that it has compiled.

use anyhow::{Context, Result, bail, ensure};
use std::{
    env, fs,
    fs::File,
    io::{BufRead, BufReader, IsTerminal, Write},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
        mpsc,
    },
    time::{Duration, Instant},
};

/// An original program.
struct Tool {
    /// The name of the binary.
    name: &'static str,
    /// The folder of its module in `tools/`.
    module: &'static str,
    /// The package to build.
    package: &'static str,
    /// The module that its version is the version of; `go.mod` decides on the version itself.
    pinned: &'static str,
    /// What the linker sets, so that the program knows its version. `{version}` stands for it.
    linker_flags: &'static str,
    /// Whether the tests of the workspace need it to start a cluster.
    cluster: bool,
}

/// How Kubernetes programs learn their version; without it, clients see `v0.0.0`.
const KUBERNETES_FLAGS: &str = "-X k8s.io/component-base/version.gitVersion={version} \
    -X k8s.io/component-base/version.gitMajor=1 -X k8s.io/component-base/version.gitMinor=36 \
    -X k8s.io/client-go/pkg/version.gitVersion={version}";

const fn kubernetes(name: &'static str, package: &'static str) -> Tool {
    let (module, pinned) = ("kubernetes", "k8s.io/kubernetes");
    Tool { name, module, package, pinned, linker_flags: KUBERNETES_FLAGS, cluster: true }
}

/// All of them; what the tests need comes first.
const TOOLS: [Tool; 14] = [
    Tool {
        name: "etcd",
        module: "etcd",
        package: "go.etcd.io/etcd/server/v3",
        pinned: "go.etcd.io/etcd/server/v3",
        linker_flags: "",
        cluster: true,
    },
    Tool {
        name: "kwok",
        module: "kwok",
        package: "sigs.k8s.io/kwok/cmd/kwok",
        pinned: "sigs.k8s.io/kwok",
        linker_flags: "",
        cluster: true,
    },
    kubernetes("kube-apiserver", "k8s.io/kubernetes/cmd/kube-apiserver"),
    kubernetes("kube-controller-manager", "k8s.io/kubernetes/cmd/kube-controller-manager"),
    kubernetes("kube-scheduler", "k8s.io/kubernetes/cmd/kube-scheduler"),
    kubernetes("kubectl", "k8s.io/kubernetes/cmd/kubectl"),
    Tool {
        name: "helm",
        module: "helm4",
        package: "helm.sh/helm/v4/cmd/helm",
        pinned: "helm.sh/helm/v4",
        linker_flags: "-X helm.sh/helm/v4/internal/version.version={version}",
        cluster: false,
    },
    Tool {
        name: "helm3",
        module: "helm3",
        package: "helm.sh/helm/v3/cmd/helm",
        pinned: "helm.sh/helm/v3",
        linker_flags: "-X helm.sh/helm/v3/internal/version.version={version}",
        cluster: false,
    },
    Tool {
        name: "kustomize",
        module: "kustomize",
        package: "sigs.k8s.io/kustomize/kustomize/v5",
        pinned: "sigs.k8s.io/kustomize/kustomize/v5",
        linker_flags: "-X sigs.k8s.io/kustomize/api/provenance.version={version}",
        cluster: false,
    },
    Tool {
        name: "jsonnet",
        module: "jsonnet",
        package: "github.com/google/go-jsonnet/cmd/jsonnet",
        pinned: "github.com/google/go-jsonnet",
        linker_flags: "",
        cluster: false,
    },
    Tool {
        name: "sops",
        module: "sops",
        package: "github.com/getsops/sops/v3/cmd/sops",
        pinned: "github.com/getsops/sops/v3",
        linker_flags: "",
        cluster: false,
    },
    Tool {
        name: "s3",
        module: "s3",
        package: "windlass.dev/tools/s3",
        pinned: "github.com/johannesboyne/gofakes3",
        linker_flags: "",
        cluster: false,
    },
    Tool {
        name: "client-go",
        module: "client-go",
        package: "windlass.dev/tools/client-go",
        pinned: "k8s.io/client-go",
        linker_flags: "",
        cluster: false,
    },
    Tool {
        name: "kubeseal",
        module: "kubeseal",
        package: "github.com/bitnami-labs/sealed-secrets/cmd/kubeseal",
        pinned: "github.com/bitnami-labs/sealed-secrets",
        linker_flags: "-X main.VERSION={version}",
        cluster: false,
    },
];

/// What a machine without Go is told.
const NO_GO: &str = "Go is not installed, and the original programs are built with it. Any Go from 1.21 on will do, \
    because it fetches the version that a program asks for: install it from https://go.dev/dl/, or from your \
    distribution (Debian 12's own `golang` is too old; `golang-go` from its backports is not)";

/// How often a build that is not watched on a terminal says that it is still at it.
const PROGRESS_EVERY: Duration = Duration::from_secs(20);

/// Builds what is missing of these programs and groups; of all, when none is named.
pub(crate) fn build(root: &Path, names: &[&str]) -> Result<()> {
    let wanted = select(names)?;
    let bin = root.join("target/tools/bin");
    let stamps = root.join("target/tools/stamps");
    for directory in [&bin, &stamps] {
        fs::create_dir_all(directory).with_context(|| format!("cannot create {}", directory.display()))?;
    }
    let lock_path = root.join("target/tools/lock");
    let lock = File::create(&lock_path).with_context(|| format!("cannot write {}", lock_path.display()))?;
    if lock.try_lock().is_err() {
        println!("waiting for another build of the tools");
        lock.lock().context("cannot wait for another build of the tools")?;
    }
    let assets = env::var_os("KUBEBUILDER_ASSETS").map(PathBuf::from);
    for (tool_idx, tool) in wanted.iter().enumerate() {
        let place = format!("[{}/{}]", tool_idx + 1, wanted.len());
        if let Some(assets) = &assets
            && assets.join(tool.name).is_file()
        {
            println!("{place} {}: KUBEBUILDER_ASSETS has it", tool.name);
            continue;
        }
        let version = tool.version(root)?;
        let digest = tool.digest(root)?;
        let binary = bin.join(tool.name);
        let stamp = stamps.join(tool.name);
        if binary.is_file() && fs::read_to_string(&stamp).is_ok_and(|text| text == digest) {
            continue;
        }
        let cached = cache_directory()?.join(&digest).join(tool.name);
        if cached.is_file() {
            println!("{place} {} {version}: from the cache", tool.name);
        } else {
            tool.compile(root, &place, &version, &cached)?;
        }
        place_binary(&cached, &binary)?;
        fs::write(&stamp, &digest).with_context(|| format!("cannot write {}", stamp.display()))?;
    }
    println!("{} tools are in {}", wanted.len(), bin.display());
    Ok(())
}

/// Prints the programs, their versions, and where they are.
pub(crate) fn list(root: &Path) -> Result<()> {
    for tool in &TOOLS {
        let binary = root.join("target/tools/bin").join(tool.name);
        let stamp = fs::read_to_string(root.join("target/tools/stamps").join(tool.name)).unwrap_or_default();
        let state = match (binary.is_file(), stamp == tool.digest(root)?) {
            (true, true) => "built",
            (true, false) => "built from something else",
            (false, _) => "missing",
        };
        println!("{:<24} {:<10} {state}", tool.name, tool.version(root)?);
    }
    Ok(())
}

fn select(names: &[&str]) -> Result<Vec<&'static Tool>> {
    if let Some(unknown) = names.iter().find(|&&name| !is_known(name)) {
        let known = TOOLS.iter().map(|tool| tool.name).collect::<Vec<_>>();
        bail!("there is no tool `{unknown}`; there are: cluster, all, {}", known.join(", "));
    }
    let all = names.is_empty() || names.contains(&"all");
    let is_wanted =
        |tool: &&Tool| all || names.contains(&tool.name) || tool.cluster && names.contains(&"cluster");
    Ok(TOOLS.iter().filter(is_wanted).collect())
}

fn is_known(name: &str) -> bool {
    ["cluster", "all"].contains(&name) || TOOLS.iter().any(|tool| tool.name == name)
}

impl Tool {
    fn directory(&self, root: &Path) -> PathBuf {
        root.join("tools").join(self.module)
    }

    /// The version that `go.mod` requires.
    fn version(&self, root: &Path) -> Result<String> {
        let path = self.directory(root).join("go.mod");
        let text = fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
        let required = text.lines().find_map(|line| {
            let line = line.trim_start().trim_start_matches("require ");
            line.strip_prefix(self.pinned)?.strip_prefix(' ')?.split_whitespace().next()
        });
        let required =
            required.with_context(|| format!("{} does not require {}", path.display(), self.pinned));
        Ok(required?.to_owned())
    }

    fn linker_flags(&self, root: &Path) -> Result<String> {
        Ok(format!("-s -w {}", self.linker_flags.replace("{version}", &self.version(root)?)))
    }

    /// A digest of everything that decides on what the binary will be, but for the toolchain.
    fn digest(&self, root: &Path) -> Result<String> {
        let mut digest = Fnv::new();
        for name in ["go.mod", "go.sum"] {
            let path = self.directory(root).join(name);
            digest.add(&fs::read(&path).with_context(|| format!("cannot read {}", path.display()))?);
        }
        // A program of our own is what its files say, too.
        if self.package.starts_with(OWN_PROGRAMS) {
            for path in go_files(&self.directory(root))? {
                digest.add(&fs::read(&path).with_context(|| format!("cannot read {}", path.display()))?);
            }
        }
        digest.add(self.package.as_bytes());
        digest.add(self.linker_flags(root)?.as_bytes());
        digest.add(env::consts::ARCH.as_bytes());
        digest.add(env::consts::OS.as_bytes());
        Ok(format!("{:016x}", digest.0))
    }

    /// Builds the program, and puts it into the cache once it is whole.
    fn compile(&self, root: &Path, place: &str, version: &str, cached: &Path) -> Result<()> {
        let folder = cached.parent().expect("a file in the cache has a folder");
        fs::create_dir_all(folder).with_context(|| format!("cannot create {}", folder.display()))?;
        let unfinished = folder.join(format!("{}.unfinished-{}", self.name, std::process::id()));
        let mut command = Command::new("go");
        command.arg("build").arg("-C").arg(self.directory(root)).args(["-trimpath", "-buildvcs=false", "-v"]);
        command.arg("-ldflags").arg(self.linker_flags(root)?).arg("-o").arg(&unfinished).arg(self.package);
        if env::var_os("GOTOOLCHAIN").is_none() {
            command.env("GOTOOLCHAIN", "auto");
        }
        command.env_remove("GOFLAGS").stdin(Stdio::null()).stderr(Stdio::piped());
        let what = format!("{place} {} {version}", self.name);
        let result = watch(command, &what);
        if result.is_err() {
            // The error is what matters; the next attempt writes to another name.
            let _ = fs::remove_file(&unfinished);
        }
        result?;
        fs::rename(&unfinished, cached).with_context(|| format!("cannot write {}", cached.display()))
    }
}

/// Runs a build, and says how far it is: Go names each package that it compiles.
fn watch(mut command: Command, what: &str) -> Result<()> {
    let started = Instant::now();
    let terminal = std::io::stdout().is_terminal();
    println!("{what}: building");
    let mut child = match command.spawn() {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => bail!(NO_GO),
        child => child.context("cannot run go")?,
    };
    let output = child.stderr.take().expect("standard error was asked for");
    let n_packages = Arc::new(AtomicU32::new(0));
    let (ended, end) = mpsc::channel::<()>();
    let progress = std::thread::spawn({
        let (n_packages, what) = (Arc::clone(&n_packages), what.to_owned());
        let every = if terminal { Duration::from_millis(500) } else { PROGRESS_EVERY };
        move || {
            while end.recv_timeout(every) == Err(mpsc::RecvTimeoutError::Timeout) {
                let line = format!(
                    "{what}: {} packages compiled, {}",
                    n_packages.load(Ordering::Relaxed),
                    elapsed(started)
                );
                if terminal {
                    print!("\r{line}");
                    // Progress that cannot be shown is no reason to stop.
                    let _ = std::io::stdout().flush();
                } else {
                    println!("{line}");
                }
            }
        }
    });
    let mut complaints = Vec::new();
    for line in BufReader::new(output).lines() {
        let line = line.context("cannot read what go prints")?;
        // The name of a package has no spaces; everything else is worth showing when the build fails.
        if line.contains(' ') {
            complaints.push(line);
        } else {
            n_packages.fetch_add(1, Ordering::Relaxed);
        }
    }
    let status = child.wait().context("cannot wait for go")?;
    drop(ended);
    progress.join().expect("the progress thread does not panic");
    let line_start = if terminal { "\r" } else { "" };
    ensure!(status.success(), "{what} did not build ({status}):\n{}", complaints.join("\n"));
    println!(
        "{line_start}{what}: built in {} ({} packages compiled)",
        elapsed(started),
        n_packages.load(Ordering::Relaxed)
    );
    Ok(())
}

fn elapsed(since: Instant) -> String {
    let seconds = since.elapsed().as_secs();
    if seconds < 60 { format!("{seconds} s") } else { format!("{} min {:02} s", seconds / 60, seconds % 60) }
}

/// Where built programs are kept for every checkout on this machine.
fn cache_directory() -> Result<PathBuf> {
    if let Some(path) = env::var_os("WINDLASS_TOOLS_CACHE") {
        return Ok(path.into());
    }
    if let Some(path) = env::var_os("XDG_CACHE_HOME") {
        return Ok(Path::new(&path).join("windlass/tools"));
    }
    let home = env::var_os("HOME").context("neither WINDLASS_TOOLS_CACHE, XDG_CACHE_HOME nor HOME is set")?;
    Ok(Path::new(&home).join(".cache/windlass/tools"))
}

/// Puts a cached program in its place in one step: one that is running goes on undisturbed.
fn place_binary(cached: &Path, binary: &Path) -> Result<()> {
    let beside = binary.with_extension("new");
    // Left over from an attempt that was interrupted, or not there.
    let _ = fs::remove_file(&beside);
    let placed = fs::hard_link(cached, &beside).or_else(|_| fs::copy(cached, &beside).map(drop));
    placed.with_context(|| format!("cannot copy {} to {}", cached.display(), beside.display()))?;
    fs::rename(&beside, binary).with_context(|| format!("cannot write {}", binary.display()))
}

/// How the packages of programs begin that are written here.
const OWN_PROGRAMS: &str = "windlass.dev/";

/// The Go files of a folder, sorted.
fn go_files(directory: &Path) -> Result<Vec<PathBuf>> {
    let listed = fs::read_dir(directory).with_context(|| format!("cannot list {}", directory.display()))?;
    let mut paths = listed.map(|entry| entry.map(|entry| entry.path())).collect::<Result<Vec<_>, _>>()?;
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "go"));
    paths.sort();
    Ok(paths)
}

/// The 64-bit FNV-1a hash: enough to tell a handful of versions apart, and it never changes.
struct Fnv(u64);

impl Fnv {
    fn new() -> Self {
        Self(0xcbf2_9ce4_8422_2325)
    }

    /// Adds a text, and where it ends.
    fn add(&mut self, bytes: &[u8]) {
        for &byte in bytes.iter().chain(&[0xff]) {
            self.0 = (self.0 ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_tool_is_pinned_by_its_module() {
        for tool in &TOOLS {
            let version = tool.version(&crate::root()).unwrap();
            assert!(version.starts_with('v'), "{}: {version}", tool.name);
        }
    }

    #[test]
    fn the_digest_is_the_published_hash() {
        // The hash of "foobar" in the reference test suite of FNV, before the end mark that add() puts.
        let digest = "foobar".bytes().fold(Fnv::new(), |mut digest, byte| {
            digest.0 = (digest.0 ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
            digest
        });
        assert_eq!(digest.0, 0x8594_4171_f739_67e8);
    }

    #[test]
    fn groups_and_names_select() {
        let names = |wanted: &[&str]| {
            select(wanted).map(|tools| tools.iter().map(|tool| tool.name).collect::<Vec<_>>())
        };
        assert_eq!(names(&[]).unwrap().len(), TOOLS.len());
        assert_eq!(names(&["helm3", "helm"]).unwrap(), ["helm", "helm3"]);
        assert!(names(&["cluster"]).unwrap().contains(&"kwok"));
        assert!(names(&["make"]).unwrap_err().to_string().contains("there is no tool `make`"));
    }
}
