//! Flags from a file, for `up` and `controller`: each `name: value` becomes a flag that the command line and the
//! environment win over.

use std::ffi::OsString;
use std::path::PathBuf;

use anyhow::{Context, Result, bail};
use windlass_yaml::Value;

/// The arguments with those of the file named by `--config` or `WINDLASS_CONFIG` put before them.
///
/// # Errors
///
/// When the file cannot be read, is no mapping of flags, or gives a flag a value that is no scalar.
pub(crate) fn with_file(arguments: Vec<OsString>) -> Result<Vec<OsString>> {
    let Some(path) = named_file(&arguments) else { return Ok(arguments) };
    let text = std::fs::read_to_string(&path)
        .with_context(|| format!("the config file {} cannot be read", path.display()))?;
    let value = windlass_yaml::load(&text)
        .with_context(|| format!("the config file {} cannot be parsed", path.display()))?;
    let flags = flags_of(&value).with_context(|| format!("in the config file {}", path.display()))?;
    // After the verb, before the flags that were typed: of two equal flags the later one wins.
    let verb = arguments.iter().skip(1).position(|argument| !argument.to_string_lossy().starts_with('-'));
    // The other verbs have few flags in common with these, and would stumble over the rest.
    let verb = verb.filter(|verb| arguments[verb + 1] == "up" || arguments[verb + 1] == "controller");
    let Some(verb) = verb else { return Ok(arguments) };
    let mut all = arguments;
    let after = all.split_off(verb + 2);
    all.extend(flags.into_iter().filter(|(name, _)| !is_in_environment(name)).map(|(_, flag)| flag));
    all.extend(after);
    Ok(all)
}

fn named_file(arguments: &[OsString]) -> Option<PathBuf> {
    let mut arguments = arguments.iter();
    while let Some(argument) = arguments.next() {
        let text = argument.to_string_lossy();
        if text == "--config" {
            return arguments.next().map(PathBuf::from);
        }
        if let Some(path) = text.strip_prefix("--config=") {
            return Some(PathBuf::from(path));
        }
    }
    std::env::var_os("WINDLASS_CONFIG").filter(|path| !path.is_empty()).map(PathBuf::from)
}

fn is_in_environment(flag: &str) -> bool {
    let name = format!("WINDLASS_{}", flag.to_uppercase().replace('-', "_"));
    std::env::var_os(name).is_some()
}

fn flags_of(value: &Value) -> Result<Vec<(String, OsString)>> {
    let Some(map) = value.as_object() else {
        if value.is_null() {
            return Ok(Vec::new());
        }
        bail!("a mapping of flags to values is expected, this is a {}", value.type_name());
    };
    let mut flags = Vec::new();
    for (name, value) in map.iter() {
        let flag = match value {
            Value::Bool(true) => format!("--{name}"),
            Value::Bool(false) | Value::Null => continue,
            Value::String(text) => format!("--{name}={text}"),
            Value::Int(number) => format!("--{name}={number}"),
            Value::Float(number) => format!("--{name}={number}"),
            Value::Array(_) | Value::Object(_) => bail!("{name} has to be a single value"),
        };
        flags.push((name.to_string(), flag.into()));
    }
    Ok(flags)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_stands_between_the_verb_and_the_typed_flags() {
        let folder = std::env::temp_dir().join(format!("windlass-config-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let file = folder.join("windlass.yaml");
        std::fs::write(&file, "poll-interval: 30s\nsimulate-workloads: true\nno-engine: false\n").unwrap();
        let typed = ["windlass", "up", "--poll-interval=1m", "--config", file.to_str().unwrap()];
        let all = with_file(typed.iter().map(OsString::from).collect()).unwrap();
        let all: Vec<_> = all.iter().map(|argument| argument.to_str().unwrap()).collect();
        assert_eq!(
            all[..5],
            ["windlass", "up", "--poll-interval=30s", "--simulate-workloads", "--poll-interval=1m"]
        );
        std::fs::remove_dir_all(&folder).unwrap();
    }
}
