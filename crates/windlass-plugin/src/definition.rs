//! What a plugin is, as a file says it.

use std::path::PathBuf;

use windlass_kube::{Object, Str, Value};
use windlass_model::Digest;
use windlass_yaml::LoadOptions;

use crate::wasm::Module;

/// The kind of Argo CD's plugins.
const COMMAND_KIND: &str = "ConfigManagementPlugin";
/// The kind of our own.
const WASM_KIND: &str = "WasmPlugin";

/// Gives a plugin the network.
const NETWORK_ANNOTATION: &str = "windlass.dev/network";
/// Which files a plugin sees.
const READS_ANNOTATION: &str = "windlass.dev/reads";
/// Files of the machine that a plugin may read, besides the system's own.
const READABLE_ANNOTATION: &str = "windlass.dev/readable";
/// Tells a plugin the revision.
const REVISION_ANNOTATION: &str = "windlass.dev/revision";

/// How the variables begin that change with every commit.
pub(crate) const REVISION_VARIABLE: &str = "ARGOCD_APP_REVISION";

/// A plugin.
#[derive(Debug)]
pub(crate) struct Definition {
    /// The file that declares it.
    pub(crate) file: PathBuf,
    /// Its name, with its version where it has one: what `source.plugin.name` says.
    pub(crate) name: Str,
    pub(crate) engine: Engine,
    pub(crate) discover: Discover,
    pub(crate) parameters: Parameters,
    /// Whether it is told the revision, and so run again for each.
    pub(crate) sees_revision: bool,
    /// The digest of all that is known of it.
    pub(crate) digest: Digest,
}

/// What runs it.
#[derive(Debug)]
pub(crate) enum Engine {
    Command(Box<CommandPlugin>),
    Wasm(Box<Module>),
}

/// A plugin made of programs.
#[derive(Debug, Default)]
pub(crate) struct CommandPlugin {
    pub(crate) init: CommandLine,
    pub(crate) generate: CommandLine,
    pub(crate) preserve_file_mode: bool,
    pub(crate) network: bool,
    pub(crate) whole_repository: bool,
    pub(crate) readable: Vec<PathBuf>,
}

/// A program and its arguments; empty when there is none.
pub(crate) type CommandLine = Vec<String>;

/// How it finds its folders. Of several ways the first that is given counts, as in Argo CD.
#[derive(Debug, Default)]
pub(crate) struct Discover {
    pub(crate) file_name: String,
    pub(crate) glob: String,
    pub(crate) command: CommandLine,
}

impl Discover {
    pub(crate) fn is_configured(&self) -> bool {
        !(self.file_name.is_empty() && self.glob.is_empty() && self.command.is_empty())
    }
}

/// The parameters that it announces.
#[derive(Debug, Default)]
pub(crate) struct Parameters {
    pub(crate) fixed: Vec<Value>,
    pub(crate) dynamic: CommandLine,
}

/// Why a file declares no plugin.
#[derive(Debug, thiserror::Error)]
pub enum DefinitionError {
    /// It cannot be read.
    #[error("cannot be read: {0}")]
    Unreadable(String),
    /// It is no YAML.
    #[error("cannot be parsed: {0}")]
    Syntax(String),
    /// It is another kind of object.
    #[error("is a {0:?}; plugins are of the kinds ConfigManagementPlugin and WasmPlugin")]
    Kind(String),
    /// A field is missing.
    #[error("has no {0}")]
    Missing(&'static str),
    /// A field has another type.
    #[error("has a {field} that is {found}, not {expected}")]
    Type {
        /// Where it stands.
        field: String,
        /// What should stand there.
        expected: &'static str,
        /// What does.
        found: &'static str,
    },
    /// An annotation says something else than it can.
    #[error("has the annotation {annotation} with {value:?}; it may be {allowed}")]
    Annotation {
        /// The annotation.
        annotation: &'static str,
        /// What it says.
        value: String,
        /// What it may say.
        allowed: &'static str,
    },
    /// A parameter cannot be announced.
    #[error("announces in spec.parameters.static {0}")]
    Parameter(String),
    /// A module cannot be used.
    #[error("names a module that cannot be used: {0}")]
    Module(String),
    /// Another file declares the same name.
    #[error("declares {0}, which another file does, too")]
    Twice(Str),
}

/// What else there is to say of a file that declares a plugin.
pub(crate) type Remarks = Vec<String>;

impl Definition {
    /// Reads the text of a file. `read` gives the bytes of a file that stands beside it.
    pub(crate) fn read(
        text: &str,
        read: &dyn Fn(&str) -> Result<Vec<u8>, String>,
    ) -> Result<(Self, Remarks), DefinitionError> {
        let value = windlass_yaml::load_with(text, &LoadOptions::default())
            .map_err(|error| DefinitionError::Syntax(error.to_string()))?;
        let kind = value.str_at(&["kind"]).unwrap_or_default().to_owned();
        let fields = Fields(&value);
        // In this order, as in Argo CD.
        let name = fields.text(&["metadata", "name"])?;
        if name.is_empty() {
            return Err(DefinitionError::Missing("metadata.name"));
        }
        if kind != COMMAND_KIND && kind != WASM_KIND {
            return Err(DefinitionError::Kind(kind));
        }
        let version = fields.text(&["spec", "version"])?;
        let name: Str = if version.is_empty() { name.into() } else { format!("{name}-{version}").into() };
        let discover = Discover {
            file_name: fields.text(&["spec", "discover", "fileName"])?,
            glob: fields.text(&["spec", "discover", "find", "glob"])?,
            command: fields.command(&["spec", "discover", "find"])?,
        };
        let fixed = fields.list(&["spec", "parameters", "static"])?;
        let parameters = Parameters {
            fixed: fixed
                .iter()
                .map(announcement)
                .collect::<Result<_, _>>()
                .map_err(DefinitionError::Parameter)?,
            dynamic: fields.command(&["spec", "parameters", "dynamic"])?,
        };
        let mut remarks = fields.unknown(&kind);
        let mut sees_revision = fields.switch(REVISION_ANNOTATION)?.unwrap_or(false);
        let mut parts = vec![Digest::of_value(&value)];
        let engine = if kind == COMMAND_KIND {
            let plugin = fields.command_plugin()?;
            if plugin.generate.is_empty() {
                return Err(DefinitionError::Missing("spec.generate.command"));
            }
            if fields.boolean(&["spec", "provideGitCreds"])? {
                remarks.push("asks for spec.provideGitCreds, and is given no credentials".into());
            }
            let lines = [&plugin.init, &plugin.generate, &discover.command, &parameters.dynamic];
            sees_revision |=
                lines.iter().any(|line| line.iter().any(|word| word.contains(REVISION_VARIABLE)));
            for line in [&plugin.init, &plugin.generate, &discover.command] {
                parts.extend(line.iter().filter_map(|word| installed(word)));
            }
            Engine::Command(Box::new(plugin))
        } else {
            if !discover.command.is_empty() || !parameters.dynamic.is_empty() {
                remarks
                    .push("runs no commands: those of spec.discover and spec.parameters are left out".into());
            }
            let module = fields.module(read)?;
            sees_revision |= module.mentions(REVISION_VARIABLE);
            parts.push(module.digest());
            Engine::Wasm(Box::new(module))
        };
        let digest = Digest::combine(parts);
        let file = PathBuf::new();
        Ok((Self { file, name, engine, discover, parameters, sees_revision, digest }, remarks))
    }
}

/// What is known of a file of this machine that a command names: another version of it is another plugin.
fn installed(word: &str) -> Option<Digest> {
    let path = std::path::Path::new(word);
    let metadata = path.is_absolute().then(|| path.metadata().ok()).flatten().filter(|it| it.is_file())?;
    let changed = metadata.modified().ok()?.duration_since(std::time::UNIX_EPOCH).ok()?;
    Some(Digest::of_bytes(format!("{word}\n{}\n{}", metadata.len(), changed.as_nanos()).as_bytes()))
}

/// One announced parameter, with what is known of such.
///
/// # Errors
///
/// What is wrong with it, in words that go on from "announces".
pub(crate) fn announcement(value: &Value) -> Result<Value, String> {
    let mut known = Value::object();
    let fields = value.as_object().ok_or_else(|| format!("{}, not an object", value.type_name()))?;
    for (name, value) in fields.iter().filter(|(_, value)| !value.is_null()) {
        let is_text = |value: &Value| value.as_str().is_some();
        let (fits, is_said) = match name.as_str() {
            "name" | "title" | "tooltip" | "itemType" | "collectionType" | "string" => {
                (is_text(value), value.as_str() != Some(""))
            }
            "required" => (value.as_bool().is_some(), value.as_bool() == Some(true)),
            "array" => (
                value.as_array().is_some_and(|items| items.as_slice().iter().all(is_text)),
                value.as_array().is_some_and(|items| !items.as_slice().is_empty()),
            ),
            "map" => (
                value.as_object().is_some_and(|map| map.values().all(is_text)),
                value.as_object().is_some_and(|map| !map.is_empty()),
            ),
            _ => (true, false),
        };
        if !fits {
            return Err(format!("a parameter whose {name} is {}", value.type_name()));
        }
        if is_said {
            known.set_at(&[name], value.clone());
        }
    }
    Ok(known)
}

/// The fields of a definition.
struct Fields<'a>(&'a Value);

impl Fields<'_> {
    fn wrong(path: &[&str], expected: &'static str, found: &Value) -> DefinitionError {
        DefinitionError::Type { field: path.join("."), expected, found: found.type_name() }
    }

    /// What stands there; what is on the way must be objects.
    fn at(&self, path: &[&str]) -> Result<Option<&Value>, DefinitionError> {
        let mut value = self.0;
        for (depth, name) in path.iter().enumerate() {
            if value.as_object().is_none() {
                return Err(Self::wrong(&path[..depth], "an object", value));
            }
            match value.get(name).filter(|value| !value.is_null()) {
                Some(member) => value = member,
                None => return Ok(None),
            }
        }
        Ok(Some(value))
    }

    fn text(&self, path: &[&str]) -> Result<String, DefinitionError> {
        match self.at(path)? {
            None => Ok(String::new()),
            Some(value) => {
                value.as_str().map(str::to_owned).ok_or_else(|| Self::wrong(path, "a string", value))
            }
        }
    }

    fn boolean(&self, path: &[&str]) -> Result<bool, DefinitionError> {
        match self.at(path)? {
            None => Ok(false),
            Some(value) => value.as_bool().ok_or_else(|| Self::wrong(path, "a boolean", value)),
        }
    }

    fn list(&self, path: &[&str]) -> Result<&[Value], DefinitionError> {
        match self.at(path)? {
            None => Ok(&[]),
            Some(value) => value
                .as_array()
                .map(|items| items.as_slice())
                .ok_or_else(|| Self::wrong(path, "a list", value)),
        }
    }

    fn texts(&self, path: &[&str]) -> Result<Vec<String>, DefinitionError> {
        let text = |item: &Value| {
            item.as_str().map(str::to_owned).ok_or_else(|| Self::wrong(path, "a string", item))
        };
        self.list(path)?.iter().map(text).collect()
    }

    /// The command and the arguments of an object; nothing without a command.
    fn command(&self, path: &[&str]) -> Result<CommandLine, DefinitionError> {
        let mut line = self.texts(&[path, &["command"]].concat())?;
        let arguments = self.texts(&[path, &["args"]].concat())?;
        if !line.is_empty() {
            line.extend(arguments);
        }
        Ok(line)
    }

    fn annotation(&self, name: &'static str) -> Result<Option<String>, DefinitionError> {
        let path = ["metadata", "annotations", name];
        Ok(Some(self.text(&path)?).filter(|text| !text.is_empty()))
    }

    fn switch(&self, name: &'static str) -> Result<Option<bool>, DefinitionError> {
        match self.annotation(name)?.as_deref() {
            None => Ok(None),
            Some("true") => Ok(Some(true)),
            Some("false") => Ok(Some(false)),
            Some(other) => Err(DefinitionError::Annotation {
                annotation: name,
                value: other.into(),
                allowed: "true or false",
            }),
        }
    }

    fn command_plugin(&self) -> Result<CommandPlugin, DefinitionError> {
        let whole_repository = match self.annotation(READS_ANNOTATION)?.as_deref() {
            None | Some("folder") => false,
            Some("repository") => true,
            Some(other) => {
                return Err(DefinitionError::Annotation {
                    annotation: READS_ANNOTATION,
                    value: other.into(),
                    allowed: "folder or repository",
                });
            }
        };
        let readable = self.annotation(READABLE_ANNOTATION)?.unwrap_or_default();
        let readable = readable.split(',').map(str::trim).filter(|path| !path.is_empty());
        Ok(CommandPlugin {
            init: self.command(&["spec", "init"])?,
            generate: self.command(&["spec", "generate"])?,
            preserve_file_mode: self.boolean(&["spec", "preserveFileMode"])?,
            network: self.switch(NETWORK_ANNOTATION)?.unwrap_or(false),
            whole_repository,
            readable: readable.map(PathBuf::from).collect(),
        })
    }

    fn module(&self, read: &dyn Fn(&str) -> Result<Vec<u8>, String>) -> Result<Module, DefinitionError> {
        let file = self.text(&["spec", "module"])?;
        if file.is_empty() {
            return Err(DefinitionError::Missing("spec.module"));
        }
        let declared = self.text(&["spec", "sha256"])?;
        if declared.is_empty() {
            return Err(DefinitionError::Missing("spec.sha256"));
        }
        let bytes = read(&file).map_err(DefinitionError::Module)?;
        Module::compile(&bytes, &declared)
            .map_err(|error| DefinitionError::Module(format!("{file}: {error}")))
    }

    /// Names the fields that mean nothing here.
    fn unknown(&self, kind: &str) -> Remarks {
        const SHARED: [&str; 3] = ["version", "discover", "parameters"];
        let own: &[&str] = match kind {
            COMMAND_KIND => &["init", "generate", "preserveFileMode", "provideGitCreds"],
            _ => &["module", "sha256"],
        };
        let fields = self.0.at(&["spec"]).and_then(Value::as_object);
        let names = fields.into_iter().flat_map(windlass_kube::Map::keys).map(Str::as_str);
        names
            .filter(|name| !SHARED.contains(name) && !own.contains(name))
            .map(|name| format!("has a field spec.{name} that is not known"))
            .collect()
    }
}

impl Definition {
    /// Whether the object is about plugins at all: a folder may hold others.
    pub(crate) fn is_one(text: &str) -> bool {
        let object = windlass_yaml::load(text).ok().and_then(|value| Object::try_new(value).ok());
        object.is_none_or(|object| object.kind() == COMMAND_KIND || object.kind() == WASM_KIND)
    }
}
