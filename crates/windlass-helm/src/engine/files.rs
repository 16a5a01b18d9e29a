//! `.Files`: the files of a chart that are neither templates nor values.

use gotemplate::function::Context;
use gotemplate::value::Entries;
use gotemplate::{FunctionError, Map, Methods, Signature, Str, Type, Value, types};
use windlass_go::glob::Gobwas;
use windlass_yaml::Value as Yaml;

use crate::chart::File;
use crate::text::base;

/// The files as templates see them: a map of paths to bytes, with methods.
pub(super) fn files(files: &[File]) -> Map {
    let entries =
        files.iter().map(|file| (Str::from(file.name.clone()), Value::Bytes(Str::from_bytes(&file.data))));
    Map::typed(&FILES, entries.collect())
}

static FILES: Type = Type::named("engine.files", &types::BYTES_MAP).with_methods(&FilesMethods);

struct FilesMethods;

static PATH: Signature = Signature::fixed(&[&types::STRING]);
static NOTHING: Signature = Signature::fixed(&[]);

impl Methods for FilesMethods {
    fn signature(&self, name: &str) -> Option<&'static Signature> {
        match name {
            "Get" | "GetBytes" | "Glob" | "Lines" => Some(&PATH),
            "AsConfig" | "AsSecrets" => Some(&NOTHING),
            _ => None,
        }
    }

    fn call(
        &self,
        receiver: &Value,
        name: &str,
        context: &mut Context<'_>,
        arguments: &[Value],
    ) -> Result<Value, FunctionError> {
        let Value::Map(files) = receiver else { return Err("not files".into()) };
        let path = arguments.first().and_then(Value::as_string).cloned().unwrap_or_default();
        let content = |files: &Map| match files.get(&path) {
            Some(Value::Bytes(content)) => content,
            _ => Str::new(),
        };
        Ok(match name {
            "Get" => Value::String(content(files)),
            "GetBytes" => Value::Bytes(content(files)),
            "Glob" => {
                context.charge(files.len() as u64)?;
                Value::Map(glob(files, &path.lossy()))
            }
            "Lines" => lines(&content(files)),
            "AsConfig" => as_yaml(files, |content| Yaml::String(content.to_smol())),
            _ => as_yaml(files, |content| Yaml::String(base64(content.as_bytes()).into())),
        })
    }
}

/// The files whose paths match; all of them if the pattern cannot be used.
fn glob(files: &Map, pattern: &str) -> Map {
    let matcher = Gobwas::compile(pattern, &['/']).ok();
    let matches = |path: &Str| matcher.as_ref().is_none_or(|matcher| matcher.is_match(&path.lossy()));
    let entries: Entries = files.entries().into_iter().filter(|(path, _)| matches(path)).collect();
    Map::typed(&FILES, entries)
}

fn lines(content: &Str) -> Value {
    if content.is_empty() {
        return Value::strings(Vec::<Str>::new());
    }
    let bytes = content.as_bytes();
    let bytes = bytes.strip_suffix(b"\n").unwrap_or(bytes);
    Value::strings(bytes.split(|byte| *byte == b'\n').map(Str::from_bytes))
}

/// The files by their names without folders, as the `data` of an object.
fn as_yaml(files: &Map, content: impl Fn(&Str) -> Yaml) -> Value {
    let mut data = windlass_yaml::Map::new();
    for (path, value) in files.entries() {
        if let Value::Bytes(bytes) = value {
            data.insert(base(&path.lossy()), content(&bytes));
        }
    }
    let text = windlass_yaml::to_yaml(&Yaml::Object(data));
    Value::from(text.strip_suffix('\n').unwrap_or(&text))
}

fn base64(bytes: &[u8]) -> String {
    // The value layer has the encoding already, for encoders that meet bytes.
    match Value::Bytes(Str::from_bytes(bytes)).to_yaml() {
        Ok(Yaml::String(text)) => text.to_string(),
        _ => String::new(),
    }
}
