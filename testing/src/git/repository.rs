//! A bare repository that takes commits as fast as `git fast-import` does.

use crate::{Error, Result};
use std::{
    collections::BTreeMap,
    fmt,
    io::{BufWriter, Write},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

/// The time of the first commit (2025-01-01 00:00 UTC); each later one is a minute younger.
///
/// Nothing depends on when a test runs, so the same commits have the same ids every time.
const FIRST_COMMIT_SECONDS: u64 = 1_735_689_600;

/// The author and committer of every commit that names no other.
const DEFAULT_AUTHOR: &str = "Windlass Test <test@windlass.dev>";

/// How much of what Git complained of is quoted in an error.
const QUOTED_BYTES: usize = 2_000;

/// A bare repository on disk.
///
/// It is not removed when dropped: it lies in a directory that somebody else owns.
#[derive(Clone, Debug)]
pub struct Repository {
    path: PathBuf,
    commits: Arc<AtomicU64>,
}

impl Repository {
    /// Makes an empty bare repository whose `HEAD` names the branch `main`.
    ///
    /// # Errors
    /// When Git is not installed, or the directory cannot be written.
    pub fn init(path: impl Into<PathBuf>) -> Result<Self> {
        let path = path.into();
        crate::tools::create_directory(&path)?;
        let repository = Self { path, commits: Arc::default() };
        repository.git(&["init", "--quiet", "--bare", "--initial-branch=main", "."])?;
        // No background repacking: it would race with a test that looks at the files, and with removal.
        repository.git(&["config", "gc.auto", "0"])?;
        repository.git(&["config", "receive.autogc", "false"])?;
        // What the large hosts allow, so that a fetch of a bare id works here as it does there.
        repository.git(&["config", "uploadpack.allowAnySHA1InWant", "true"])?;
        repository.git(&["config", "uploadpack.allowFilter", "true"])?;
        Ok(repository)
    }

    /// Takes every branch and tag of a bundle, as it is.
    ///
    /// # Errors
    /// When the bundle cannot be read.
    pub fn take_bundle(&self, bundle: &Path) -> Result<()> {
        let bundle = bundle.to_string_lossy();
        self.git(&["fetch", "--quiet", &bundle, "refs/heads/*:refs/heads/*", "refs/tags/*:refs/tags/*"])?;
        Ok(())
    }

    /// Where the repository lies.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The `file://` address of the repository.
    pub fn file_url(&self) -> String {
        format!("file://{}", self.path.display())
    }

    /// Begins a commit on a branch, which is made when it does not exist yet.
    pub fn commit(&self, branch: &str) -> CommitBuilder<'_> {
        CommitBuilder {
            repository: self,
            reference: format!("refs/heads/{branch}"),
            message: None,
            author: DEFAULT_AUTHOR.to_owned(),
            parent: Parent::Tip,
            replace: false,
            changes: BTreeMap::new(),
        }
    }

    /// Writes one file and commits it: the common case, in short.
    ///
    /// # Errors
    /// When Git refuses.
    pub fn write(&self, branch: &str, path: &str, content: impl AsRef<[u8]>) -> Result<CommitId> {
        self.commit(branch).file(path, content).submit()
    }

    /// Points a branch at a commit, whatever it pointed at before: a force-push.
    ///
    /// # Errors
    /// When Git refuses.
    pub fn set_branch(&self, branch: &str, target: &str) -> Result<()> {
        self.git(&["update-ref", &format!("refs/heads/{branch}"), target]).map(drop)
    }

    /// Deletes a branch.
    ///
    /// # Errors
    /// When Git refuses.
    pub fn delete_branch(&self, branch: &str) -> Result<()> {
        self.git(&["update-ref", "-d", &format!("refs/heads/{branch}")]).map(drop)
    }

    /// Points any reference, given by its full name, at a commit.
    ///
    /// # Errors
    /// When Git refuses.
    pub fn set_reference(&self, name: &str, target: &str) -> Result<()> {
        self.git(&["update-ref", name, target]).map(drop)
    }

    /// Points `HEAD` at a branch.
    ///
    /// # Errors
    /// When Git refuses.
    pub fn set_head(&self, branch: &str) -> Result<()> {
        self.git(&["symbolic-ref", "HEAD", &format!("refs/heads/{branch}")]).map(drop)
    }

    /// Makes or moves a lightweight tag.
    ///
    /// # Errors
    /// When Git refuses.
    pub fn tag(&self, name: &str, target: &str) -> Result<()> {
        self.git(&["tag", "--force", name, target]).map(drop)
    }

    /// Makes or moves an annotated tag, which is an object of its own that points at the commit.
    ///
    /// # Errors
    /// When Git refuses.
    pub fn annotated_tag(&self, name: &str, target: &str, message: &str) -> Result<()> {
        self.git(&["tag", "--force", "--annotate", "--message", message, name, target]).map(drop)
    }

    /// Deletes a tag.
    ///
    /// # Errors
    /// When Git refuses.
    pub fn delete_tag(&self, name: &str) -> Result<()> {
        self.git(&["tag", "--delete", name]).map(drop)
    }

    /// What a revision expression resolves to.
    ///
    /// # Errors
    /// When it resolves to nothing.
    pub fn resolve(&self, revision: &str) -> Result<CommitId> {
        Ok(CommitId(self.git(&["rev-parse", "--verify", "--end-of-options", revision])?))
    }

    /// Packs everything into one pack, as a server does from time to time.
    ///
    /// # Errors
    /// When Git refuses.
    pub fn repack(&self) -> Result<()> {
        self.git(&["repack", "-adfq"]).map(drop)
    }

    /// Runs any Git command here and returns what it printed, without the last newline.
    ///
    /// # Errors
    /// When Git refuses.
    pub fn git(&self, arguments: &[&str]) -> Result<String> {
        let output = git_command(&self.path)
            .args(arguments)
            .output()
            .map_err(Error::io(format!("run git in {}", self.path.display())))?;
        if !output.status.success() {
            return Err(Error::Program {
                program: format!("git {}", arguments.join(" ")),
                status: output.status.to_string(),
                output: quoted(&output.stderr),
            });
        }
        Ok(String::from_utf8_lossy(&output.stdout).trim_end_matches('\n').to_owned())
    }

    fn next_commit_seconds(&self) -> u64 {
        FIRST_COMMIT_SECONDS + 60 * self.commits.fetch_add(1, Ordering::Relaxed)
    }
}

/// The id of a commit, in hexadecimal.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct CommitId(String);

impl CommitId {
    /// The id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for CommitId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl std::ops::Deref for CommitId {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

impl PartialEq<str> for CommitId {
    fn eq(&self, other: &str) -> bool {
        self.0 == other
    }
}

/// A commit in the making. Nothing is written before [`submit`](CommitBuilder::submit).
#[derive(Debug)]
#[must_use = "a commit is made by submit()"]
pub struct CommitBuilder<'a> {
    repository: &'a Repository,
    reference: String,
    message: Option<String>,
    author: String,
    parent: Parent,
    replace: bool,
    changes: BTreeMap<String, Change>,
}

/// What the commit follows.
#[derive(Debug)]
enum Parent {
    /// The branch as it is, or nothing when it does not exist.
    Tip,
    /// Nothing: the branch gets a new, unrelated history.
    None,
    /// This revision: the branch moves there first.
    Revision(String),
}

/// What happens to one path.
#[derive(Debug)]
enum Change {
    Write { mode: Mode, content: Vec<u8> },
    Submodule(String),
    Delete,
}

/// The file modes that Git knows, but for directories.
#[derive(Clone, Copy, Debug)]
enum Mode {
    File,
    Executable,
    Symlink,
}

impl Mode {
    fn octal(self) -> &'static str {
        match self {
            Self::File => "100644",
            Self::Executable => "100755",
            Self::Symlink => "120000",
        }
    }
}

impl CommitBuilder<'_> {
    /// Writes a file.
    pub fn file(self, path: impl Into<String>, content: impl AsRef<[u8]>) -> Self {
        self.change(path, Change::Write { mode: Mode::File, content: content.as_ref().to_vec() })
    }

    /// Writes an executable file.
    pub fn executable(self, path: impl Into<String>, content: impl AsRef<[u8]>) -> Self {
        self.change(path, Change::Write { mode: Mode::Executable, content: content.as_ref().to_vec() })
    }

    /// Writes a symbolic link. The target is taken as it is: it may dangle, and it may leave the tree.
    pub fn symlink(self, path: impl Into<String>, target: &str) -> Self {
        self.change(path, Change::Write { mode: Mode::Symlink, content: target.as_bytes().to_vec() })
    }

    /// Writes the entry of a submodule, without the `.gitmodules` file that usually goes with it.
    pub fn submodule(self, path: impl Into<String>, commit: &str) -> Self {
        self.change(path, Change::Submodule(commit.to_owned()))
    }

    /// Deletes a file, or a directory with everything in it.
    pub fn delete(self, path: impl Into<String>) -> Self {
        self.change(path, Change::Delete)
    }

    /// Writes many files.
    pub fn files(self, files: impl IntoIterator<Item = (impl Into<String>, impl AsRef<[u8]>)>) -> Self {
        files.into_iter().fold(self, |commit, (path, content)| commit.file(path, content))
    }

    /// Starts from an empty tree instead of the parent's.
    pub fn replacing_everything(mut self) -> Self {
        self.replace = true;
        self
    }

    /// Sets the message; without one, it names the number of changes.
    pub fn message(mut self, message: impl Into<String>) -> Self {
        self.message = Some(message.into());
        self
    }

    /// Sets author and committer, as `Name <address>`.
    pub fn author(mut self, author: impl Into<String>) -> Self {
        self.author = author.into();
        self
    }

    /// Gives the branch a new history that shares nothing with the old one.
    pub fn orphan(mut self) -> Self {
        self.parent = Parent::None;
        self
    }

    /// Commits on top of this revision, and moves the branch: a force-push when it is not an ancestor.
    pub fn on_top_of(mut self, revision: &str) -> Self {
        self.parent = Parent::Revision(revision.to_owned());
        self
    }

    /// Writes the commit and moves the branch.
    ///
    /// # Errors
    /// When Git refuses, for example because a path is not one that Git stores.
    pub fn submit(self) -> Result<CommitId> {
        let repository = self.repository;
        let cannot = || Error::io(format!("run git fast-import in {}", repository.path.display()));
        let parent = match &self.parent {
            Parent::None => None,
            Parent::Revision(revision) => Some(repository.resolve(&format!("{revision}^{{commit}}"))?),
            // That it does not resolve means that the branch is new.
            Parent::Tip => repository.resolve(&self.reference).ok(),
        };
        let mut child = git_command(&repository.path)
            .args(["fast-import", "--quiet", "--force", "--done"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(cannot())?;
        let input = child.stdin.take().expect("standard input was asked for");
        // A broken pipe means that Git has stopped with a complaint, which says more than the pipe does.
        let written = self.write_stream(BufWriter::new(input), parent.as_ref());
        let output = child.wait_with_output().map_err(cannot())?;
        if !output.status.success() {
            return Err(Error::Program {
                program: "git fast-import".to_owned(),
                status: output.status.to_string(),
                output: quoted(&output.stderr),
            });
        }
        written.map_err(cannot())?;
        Ok(CommitId(String::from_utf8_lossy(&output.stdout).trim().to_owned()))
    }

    /// Writes the commands of `git fast-import`. See: git-fast-import(1), "Input Format".
    fn write_stream(&self, mut out: impl Write, parent: Option<&CommitId>) -> std::io::Result<()> {
        let message =
            self.message.clone().unwrap_or_else(|| format!("Change {} paths\n", self.changes.len()));
        if parent.is_none() {
            // Without this, a branch that exists would be the parent by default.
            writeln!(out, "reset {}\n", self.reference)?;
        }
        writeln!(out, "commit {}", self.reference)?;
        writeln!(out, "mark :1")?;
        writeln!(out, "committer {} {} +0000", self.author, self.repository.next_commit_seconds())?;
        write_data(&mut out, message.as_bytes())?;
        if let Some(parent) = parent {
            writeln!(out, "from {parent}")?;
        }
        if self.replace {
            writeln!(out, "deleteall")?;
        }
        for (path, change) in &self.changes {
            let path = QuotedPath(path);
            match change {
                Change::Write { mode, content } => {
                    writeln!(out, "M {} inline {path}", mode.octal())?;
                    write_data(&mut out, content)?;
                }
                Change::Submodule(commit) => writeln!(out, "M 160000 {commit} {path}")?,
                Change::Delete => writeln!(out, "D {path}")?,
            }
        }
        writeln!(out, "\nget-mark :1\ndone")?;
        out.flush()
    }

    fn change(mut self, path: impl Into<String>, change: Change) -> Self {
        self.changes.insert(path.into(), change);
        self
    }
}

fn write_data(out: &mut impl Write, content: &[u8]) -> std::io::Result<()> {
    writeln!(out, "data {}", content.len())?;
    out.write_all(content)?;
    out.write_all(b"\n")
}

/// A path as fast-import reads it when it may hold anything.
struct QuotedPath<'a>(&'a str);

impl fmt::Display for QuotedPath<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("\"")?;
        for character in self.0.chars() {
            match character {
                '"' => formatter.write_str("\\\"")?,
                '\\' => formatter.write_str("\\\\")?,
                '\n' => formatter.write_str("\\n")?,
                other => write!(formatter, "{other}")?,
            }
        }
        formatter.write_str("\"")
    }
}

/// Git, deaf to the configuration of whoever runs the tests.
pub(super) fn git_command(directory: &Path) -> Command {
    let mut command = Command::new("git");
    command.current_dir(directory);
    for (name, value) in ISOLATION {
        command.env(name, value);
    }
    // Set by Git itself around hooks, for example when the tests run in one.
    for name in ["GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE"] {
        command.env_remove(name);
    }
    command
}

/// What keeps Git from reading the configuration of the machine or of the user, and from asking questions.
pub(super) const ISOLATION: [(&str, &str); 8] = [
    ("GIT_CONFIG_NOSYSTEM", "1"),
    ("GIT_CONFIG_GLOBAL", "/dev/null"),
    ("GIT_TERMINAL_PROMPT", "0"),
    ("GIT_AUTHOR_NAME", "Windlass Test"),
    ("GIT_AUTHOR_EMAIL", "test@windlass.dev"),
    ("GIT_COMMITTER_NAME", "Windlass Test"),
    ("GIT_COMMITTER_EMAIL", "test@windlass.dev"),
    ("GIT_COMMITTER_DATE", "2025-01-01T00:00:00Z"),
];

fn quoted(bytes: &[u8]) -> String {
    String::from_utf8_lossy(&bytes[..bytes.len().min(QUOTED_BYTES)]).trim().to_owned()
}
