//! The child that confines itself and becomes the program.

use std::ffi::{OsStr, OsString};
use std::io::Write as _;
use std::os::unix::process::CommandExt as _;
use std::path::PathBuf;
use std::process::Command;

use rustix::process::Resource;
use rustix::thread::{CapabilitySet, CapabilitySets};
use windlass_kube::Value;
use windlass_yaml::json;

use super::{Confinement, Job, files, filter};
use crate::limits::lower;

/// The argument that makes a program that calls [`serve_if_child`](crate::serve_if_child) another one.
pub(crate) const PLUGIN_ARGUMENT: &str = "__plugin";

/// The exit code of a child that could not become the program, which begins what it says with these words.
pub(super) const NOT_STARTED: i32 = 125;
pub(super) const NOT_STARTED_WORDS: &str = "windlass:";

/// Open files of a program.
const OPEN_FILES: u64 = 1024;

/// What the child has to do, as its argument.
pub(super) fn instructions(job: &Job<'_>) -> OsString {
    let paths = |paths: &[PathBuf]| list(paths.iter().map(|path| path.to_string_lossy().into_owned()));
    let mut value = Value::object();
    value.set_at(&["command"], list(job.command.iter().cloned()));
    value.set_at(&["readable"], paths(job.readable));
    value.set_at(&["writable"], paths(job.writable));
    value.set_at(&["network"], job.network);
    value.set_at(&["confined"], job.confinement == Confinement::Required);
    let number = |number: u64| Value::from(i64::try_from(number).unwrap_or(i64::MAX));
    value.set_at(&["memory"], number(job.limits.memory_bytes));
    value.set_at(&["file"], number(job.limits.file_bytes));
    value.set_at(&["seconds"], number(job.limits.time.as_secs() + 1));
    json::to_string(&value).into()
}

fn list(items: impl Iterator<Item = String>) -> Value {
    Value::Array(items.map(Value::from).collect())
}

/// Becomes the program. Comes back only to say why not.
pub(crate) fn launch(instructions: Option<&OsStr>) -> i32 {
    let problem = match instructions.and_then(OsStr::to_str).map(attempt) {
        Some(Err(problem)) => problem,
        Some(Ok(never)) => match never {},
        None => "it was started without instructions".into(),
    };
    let _ = writeln!(std::io::stderr(), "{NOT_STARTED_WORDS} {problem}");
    NOT_STARTED
}

fn no_capabilities() -> CapabilitySets {
    let none = CapabilitySet::empty();
    CapabilitySets { effective: none, permitted: none, inheritable: none }
}

/// Takes from this process what the program shall not have.
fn confine(asked: &Value) -> Result<(), String> {
    let texts = |key: &str| asked.items_at(&[key]).iter().filter_map(Value::as_str).map(PathBuf::from);
    let paths = |key: &str| texts(key).collect::<Vec<_>>();
    let refused = |what: &str, problem: &dyn std::fmt::Display| {
        format!(
            "{what} cannot be kept from it ({problem}), so it does not run (see --allow-unconfined-plugins)"
        )
    };
    let files =
        files::apply(&paths("readable"), &paths("writable")).map_err(|error| refused("files", &error));
    // Root's rights would open what files and processes of others keep closed. None comes back: the filters forbid it.
    let rights = rustix::thread::set_capabilities(None, no_capabilities())
        .map_err(|error| refused("the rights of root", &error));
    let network = filter::apply(asked.bool_at(&["network"]) == Some(true))
        .map_err(|error| refused("the network", &error));
    files.and(rights).and(network)
}

fn attempt(instructions: &str) -> Result<std::convert::Infallible, String> {
    let asked = json::parse(instructions.as_bytes()).map_err(|error| error.to_string())?;
    let texts = |key: &str| asked.items_at(&[key]).iter().filter_map(Value::as_str).map(str::to_owned);
    let number = |key: &str| asked.int_at(&[key]).and_then(|number| u64::try_from(number).ok());
    let command: Vec<String> = texts("command").collect();
    let Some((program, arguments)) = command.split_first() else { return Err("the command is empty".into()) };
    let limited = |resource, key: &str| {
        let limit = number(key).ok_or_else(|| format!("the limit {key} is missing"))?;
        lower(resource, limit).map_err(|error| format!("the limit {key} cannot be set: {error}"))
    };
    limited(Resource::Data, "memory")?;
    limited(Resource::Fsize, "file")?;
    limited(Resource::Cpu, "seconds")?;
    for (resource, limit) in [(Resource::Core, 0), (Resource::Nofile, OPEN_FILES)] {
        lower(resource, limit).map_err(|error| format!("its resources cannot be limited: {error}"))?;
    }
    // Where memory is short, it goes before the engine does.
    let _ = std::fs::write("/proc/self/oom_score_adj", "1000");
    let confined = confine(&asked);
    if asked.bool_at(&["confined"]) != Some(false) {
        confined?;
    }
    let error = Command::new(program).args(arguments).exec();
    Err(format!("{program} cannot be run: {error}"))
}
