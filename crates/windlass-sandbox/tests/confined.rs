//! Programs of others: what they may do, and how those end that do something else.
#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use std::fs;
use std::io::Read as _;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tempfile::TempDir;
use windlass_sandbox::confined::{Confinement, Job, JobError, JobLimits, run};

/// On a machine that is busy with other things, a good program takes a while.
fn patient() -> JobLimits {
    JobLimits { time: Duration::from_secs(60), ..JobLimits::default() }
}

struct Shell {
    folder: TempDir,
    readable: Vec<PathBuf>,
    network: bool,
    limits: JobLimits,
}

impl Shell {
    fn new(limits: JobLimits) -> Self {
        Self { folder: TempDir::new().unwrap(), readable: Vec::new(), network: false, limits }
    }

    fn command(&self, command: &[&str]) -> Result<String, JobError> {
        let command: Vec<String> = command.iter().map(ToString::to_string).collect();
        let environment =
            [("PATH".to_owned(), "/usr/bin:/bin".to_owned()), ("A".to_owned(), "b c".to_owned())];
        let job = Job {
            command: &command,
            folder: self.folder.path(),
            environment: &environment,
            readable: &self.readable,
            writable: &[self.folder.path().into()],
            network: self.network,
            confinement: Confinement::Required,
            limits: self.limits,
        };
        run(Path::new(env!("CARGO_BIN_EXE_jsonnet-child")), &job)
            .map(|printed| String::from_utf8_lossy(&printed).into_owned())
    }

    fn script(&self, script: &str) -> Result<String, JobError> {
        self.command(&["bash", "-c", script])
    }
}

/// How many processes have this among their arguments.
fn processes_with(mark: &str) -> usize {
    let found = fs::read_dir("/proc").unwrap().flatten().filter(|entry| {
        let line = fs::read(entry.path().join("cmdline")).unwrap_or_default();
        line.split(|byte| *byte == 0).any(|argument| argument == mark.as_bytes())
    });
    found.count()
}

#[test]
fn a_program_sees_its_folder_and_its_environment_and_nothing_else() {
    let shell = Shell::new(patient());
    fs::write(shell.folder.path().join("in.txt"), "content").unwrap();
    assert_eq!(shell.script("cat in.txt; echo -n written > out; cat out").unwrap(), "contentwritten");
    let environment = shell.command(&["env"]).unwrap();
    let mut lines: Vec<_> = environment.lines().collect();
    lines.sort_unstable();
    assert_eq!(lines, ["A=b c", "PATH=/usr/bin:/bin"]);
    assert_eq!(shell.script("read x || echo none").unwrap(), "none\n");
}

#[test]
fn a_failure_is_told_with_the_end_of_what_was_said() {
    let shell = Shell::new(patient());
    let error = shell.script("echo out; echo sorry >&2; exit 3").unwrap_err();
    assert_eq!(error.to_string(), "it ended with exit status: 3: sorry");
    let error = shell.script("yes x | head -n 100000 >&2; echo the end >&2; exit 1").unwrap_err().to_string();
    assert!(error.ends_with("x\nthe end") && error.len() < 10_000, "{}", error.len());
    let error = shell.command(&["no-such-program"]).unwrap_err().to_string();
    assert_eq!(error, "no-such-program cannot be run: No such file or directory (os error 2)");
    assert_eq!(shell.command(&[]).unwrap_err().to_string(), "the command is empty");
}

#[test]
fn one_that_hangs_is_ended_with_all_that_it_started() {
    let limits = JobLimits { time: Duration::from_millis(700), ..patient() };
    let error = Shell::new(limits).script("sleep 98701 & sleep 98701; wait").unwrap_err();
    assert_eq!(
        error.to_string(),
        "it ran for more than 0.7 seconds (limit PLUGIN_SECONDS, see --plugin-seconds)"
    );
    assert_eq!(processes_with("98701"), 0);
}

#[test]
fn nothing_outlives_one_that_ends_well() {
    let shell = Shell::new(patient());
    let script = "sleep 98702 & setsid sleep 98702 & (trap '' TERM HUP; sleep 98702) & echo done";
    assert_eq!(shell.script(script).unwrap(), "done\n");
    assert_eq!(processes_with("98702"), 0);
}

#[test]
fn one_that_prints_without_end_is_ended() {
    let limits = JobLimits { output_bytes: 1 << 20, ..patient() };
    let error = Shell::new(limits).command(&["yes"]).unwrap_err();
    assert_eq!(error.to_string(), "it prints more than 1048576 bytes (limit PLUGIN_OUTPUT_BYTES)");
}

#[test]
fn one_that_forks_without_end_is_ended() {
    let limits = JobLimits { processes: 16, ..patient() };
    let error = Shell::new(limits).script("while :; do sleep 98703 & done").unwrap_err();
    assert_eq!(error.to_string(), "it runs more than 16 processes at once (limit PLUGIN_PROCESSES)");
    assert_eq!(processes_with("98703"), 0);
}

#[test]
fn one_that_takes_all_memory_is_ended() {
    let limits = JobLimits { memory_bytes: 64 << 20, ..patient() };
    // One process asks for too much, and several do together.
    let error = Shell::new(limits).command(&["tail", "/dev/zero"]).unwrap_err().to_string();
    assert!(error.contains("PLUGIN_MEMORY_BYTES"), "{error}");
    let grow = "a=$(head -c 20000000 /dev/zero | tr '\\0' x); sleep 98704";
    let script = format!("({grow}) & ({grow}) & ({grow}) & ({grow}) & ({grow}) & wait");
    let error = Shell::new(limits).script(&script).unwrap_err().to_string();
    assert!(error.contains("PLUGIN_MEMORY_BYTES"), "{error}");
}

#[test]
fn there_is_no_network_unless_it_is_given() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let script =
        format!("exec 3<>/dev/tcp/127.0.0.1/{}; echo hello >&3", listener.local_addr().unwrap().port());
    let mut shell = Shell::new(patient());
    let error = shell.script(&script).unwrap_err().to_string();
    assert!(error.contains("Network is unreachable"), "{error}");
    assert!(error.ends_with("(it has no network unless its definition says so)"), "{error}");
    shell.network = true;
    shell.script(&script).unwrap();
    let mut text = String::new();
    listener.accept().unwrap().0.read_to_string(&mut text).unwrap();
    assert_eq!(text, "hello\n");
}

/// Where the kernel has Landlock, which this finds out by asking for it.
#[test]
fn files_of_others_are_closed() {
    let mut shell = Shell::new(patient());
    let other = TempDir::new().unwrap();
    let secret = other.path().join("token");
    fs::write(&secret, "hunter2").unwrap();
    let script = format!("cat {}", secret.display());
    match shell.script(&script) {
        Ok(_) => {
            let release = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap();
            let lists = fs::read_to_string("/sys/kernel/security/lsm").unwrap_or_default();
            assert!(!lists.contains("landlock"), "Landlock is there ({release}), and did nothing");
        }
        Err(error) => {
            assert!(error.to_string().contains("Permission denied"), "{error}");
            let write = format!("echo x > {}", other.path().join("new").display());
            assert!(shell.script(&write).unwrap_err().to_string().contains("Permission denied"));
            assert!(shell.script("cat /proc/$PPID/environ").is_err());
            shell.readable = vec![other.path().into()];
            assert_eq!(shell.script(&script).unwrap(), "hunter2");
            assert!(shell.script(&write).is_err());
        }
    }
}
