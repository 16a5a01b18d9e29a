//! ConfigMaps and Secrets made from files, literals and lines of `key=value`; and the hash of their content.

use base64::Engine as _;
use sha2::{Digest as _, Sha256};
use smol_str::SmolStr;
use windlass_yaml::{Map, Value};

use crate::error::{Error, Result};
use crate::kustomization::{Generator, GeneratorOptions, SecretGenerator};
use crate::loader::Loader;
use crate::node::{Kind, Node, Scalar, Style, Tag};
use crate::resource::{Behavior, Resource};

/// How many bytes one generator may read in all: etcd refuses an object of more than 1.5 MiB.
pub const MAX_GENERATED: usize = 64 * 1024 * 1024;

/// A generator's options with those that hold for all below them.
pub(crate) fn merged_options(
    own: Option<GeneratorOptions>,
    all: Option<&GeneratorOptions>,
) -> Option<GeneratorOptions> {
    let Some(all) = all else { return own };
    let mut own = own.unwrap_or_default();
    for (key, value) in &all.labels {
        own.labels.entry(key.clone()).or_insert_with(|| value.clone());
    }
    for (key, value) in &all.annotations {
        own.annotations.entry(key.clone()).or_insert_with(|| value.clone());
    }
    own.disable_name_suffix_hash |= all.disable_name_suffix_hash;
    own.immutable |= all.immutable;
    Some(own)
}

/// The ConfigMap that a generator describes.
pub(crate) fn config_map(loader: &Loader<'_>, generator: &Generator) -> Result<Resource> {
    let mut node = base("ConfigMap", &generator.name, &generator.namespace)?;
    for (key, bytes) in pairs(loader, generator)? {
        let (field, text) = match String::from_utf8(bytes) {
            Ok(text) => ("data", text),
            Err(error) => ("binaryData", wrapped_base64(error.as_bytes())),
        };
        node.lookup_create(Kind::Mapping, &[field])?.set_field(&key, data(text))?;
    }
    finish(node, generator)
}

/// The Secret that a generator describes.
pub(crate) fn secret(loader: &Loader<'_>, secret: &SecretGenerator) -> Result<Resource> {
    let generator = Generator {
        namespace: secret.namespace.clone(),
        name: secret.name.clone(),
        behavior: secret.behavior.clone(),
        literals: secret.literals.clone(),
        files: secret.files.clone(),
        envs: secret.envs.clone(),
        env: secret.env.clone(),
        options: secret.options.clone(),
    };
    let mut node = base("Secret", &generator.name, &generator.namespace)?;
    let kind = if secret.secret_type.is_empty() { "Opaque".into() } else { secret.secret_type.clone() };
    node.set_field("type", Node::string(kind))?;
    let pairs = pairs(loader, &generator)?;
    let map = node.lookup_create(Kind::Mapping, &["data"])?;
    for (key, bytes) in pairs {
        map.set_field(&key, data(wrapped_base64(&bytes)))?;
    }
    finish(node, &generator)
}

fn base(kind: &str, name: &SmolStr, namespace: &SmolStr) -> Result<Node> {
    if name.is_empty() {
        return Err(Error::invalid("a configmap must have a name"));
    }
    let field = |key: &str, value: Node| (Scalar { tag: Tag::Str, ..Scalar::untagged(key) }, value);
    let mut node =
        Node::Mapping(vec![field("apiVersion", Node::string("v1")), field("kind", Node::string(kind))]);
    let metadata = node.lookup_create(Kind::Mapping, &["metadata"])?;
    metadata.set_field("name", Node::string(name.clone()))?;
    if !namespace.is_empty() {
        metadata.set_field("namespace", Node::string(namespace.clone()))?;
    }
    Ok(node)
}

fn data(text: String) -> Node {
    let style = if text.contains('\n') { Style::Literal } else { Style::Plain };
    Node::Scalar(Scalar { value: text.into(), tag: Tag::Str, style, ..Scalar::default() })
}

fn finish(mut node: Node, generator: &Generator) -> Result<Resource> {
    let quoted = |value: &SmolStr| {
        Node::Scalar(Scalar { style: Style::SingleQuoted, ..Scalar::string(value.clone()) })
    };
    if let Some(options) = &generator.options {
        for (field, texts) in [("labels", &options.labels), ("annotations", &options.annotations)] {
            for (key, value) in texts {
                let map = node.lookup_create(Kind::Mapping, &["metadata", field])?;
                map.set_field(key, quoted(value))?;
            }
        }
        if options.immutable {
            let value = Scalar { tag: Tag::Bool, ..Scalar::untagged("true") };
            node.set_field("immutable", Node::Scalar(value))?;
        }
    }
    let mut resource = Resource::new(node);
    resource.memory.needs_hash =
        !generator.options.as_ref().is_some_and(|options| options.disable_name_suffix_hash);
    resource.memory.behavior = Some(Behavior::parse(&generator.behavior));
    resource.touch_annotations();
    Ok(resource)
}

/// Base64 as kustomize writes it: lines of 70 where it is longer.
fn wrapped_base64(bytes: &[u8]) -> String {
    const LINE: usize = 70;
    let text = base64::engine::general_purpose::STANDARD.encode(bytes);
    if text.len() / LINE == 0 {
        return text;
    }
    let mut lines = String::with_capacity(text.len() + text.len() / LINE + 1);
    for begin in (0..text.len()).step_by(LINE) {
        lines.push_str(&text[begin..text.len().min(begin + LINE)]);
        lines.push('\n');
    }
    lines
}

/// The keys and values of a generator, sorted by key.
fn pairs(loader: &Loader<'_>, generator: &Generator) -> Result<Vec<(SmolStr, Vec<u8>)>> {
    let mut pairs = Vec::new();
    let list = |texts: &[SmolStr]| format!("[{}]", texts.join(" "));
    let loading = |error: Error| error.wrap("loading KV pairs");
    from_lines(loader, &generator.envs, &mut pairs)
        .map_err(|error| loading(error.wrap(format!("env source files: {}", list(&generator.envs)))))?;
    from_literals(&generator.literals, &mut pairs)
        .map_err(|error| loading(error.wrap(format!("literal sources {}", list(&generator.literals)))))?;
    from_files(loader, &generator.files, &mut pairs)
        .map_err(|error| loading(error.wrap(format!("file sources: {}", list(&generator.files)))))?;
    let size: usize = pairs.iter().map(|(_, value)| value.len()).sum();
    if size > MAX_GENERATED {
        let message = format!(
            "the generator {} reads {size} bytes, more than the limit MAX_GENERATED of {MAX_GENERATED}",
            generator.name
        );
        return Err(Error::limit(message));
    }
    let mut known = std::collections::HashSet::new();
    for (key, _) in &pairs {
        if !known.insert(key.clone()) {
            let message = format!("configmap {} illegally repeats the key `{key}`", generator.name);
            return Err(Error::invalid(message));
        }
    }
    pairs.sort_by(|a, b| a.0.cmp(&b.0));
    Ok(pairs)
}

fn from_literals(sources: &[SmolStr], pairs: &mut Vec<(SmolStr, Vec<u8>)>) -> Result<()> {
    for source in sources {
        let Some((key, value)) = source.split_once('=').filter(|(key, _)| !key.is_empty()) else {
            return Err(Error::invalid(format!("invalid literal source {source}, expected key=value")));
        };
        let quoted = value.len() >= 2
            && value.starts_with(['"', '\''])
            && value.as_bytes().first() == value.as_bytes().last();
        let value = if quoted { &value[1..value.len() - 1] } else { value };
        pairs.push((key.into(), value.as_bytes().to_vec()));
    }
    Ok(())
}

fn from_files(loader: &Loader<'_>, sources: &[SmolStr], pairs: &mut Vec<(SmolStr, Vec<u8>)>) -> Result<()> {
    for source in sources {
        let (key, path) = file_source(source)?;
        pairs.push((key.into(), loader.load(path)?.to_vec()));
    }
    Ok(())
}

fn file_source(source: &str) -> Result<(&str, &str)> {
    let Some((key, path)) = source.split_once('=') else {
        let name = source.trim_end_matches('/');
        let name = name.rsplit_once('/').map_or(name, |(_, name)| name);
        let key = match (source.is_empty(), name.is_empty()) {
            (true, _) => ".",
            (false, true) => "/",
            _ => name,
        };
        return Ok((key, source));
    };
    let message = if path.contains('=') {
        format!("source {source:?} key name or file path contains '='")
    } else if key.is_empty() {
        format!("missing key name for file path {path:?} in source {source:?}")
    } else if path.is_empty() {
        format!("missing file path for key name {key:?} in source {source:?}")
    } else {
        return Ok((key, path));
    };
    Err(Error::invalid(message))
}

fn from_lines(loader: &Loader<'_>, paths: &[SmolStr], pairs: &mut Vec<(SmolStr, Vec<u8>)>) -> Result<()> {
    /// The longest line that Go's `bufio.Scanner` reads.
    const MAX_LINE: usize = 64 * 1024;
    for path in paths {
        let bytes = loader.load(path)?;
        let mut lines: Vec<&[u8]> = bytes.split(|byte| *byte == b'\n').collect();
        if lines.last().is_some_and(|last| last.is_empty()) {
            lines.pop();
        }
        for (number, line) in lines.into_iter().enumerate() {
            if line.len() >= MAX_LINE {
                // The scanner ends there without an error, and so does kustomize.
                break;
            }
            let line = line.strip_suffix(b"\r").unwrap_or(line);
            let Ok(text) = std::str::from_utf8(line) else {
                let bytes = line.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ");
                let text = String::from_utf8_lossy(line);
                return Err(Error::invalid(format!("line [{bytes}] has invalid utf8 bytes : {text}")));
            };
            let text = if number == 0 { text.strip_prefix('\u{feff}').unwrap_or(text) } else { text };
            let text = text.trim_start();
            if text.is_empty() || text.starts_with('#') {
                continue;
            }
            let (key, value) = text.split_once('=').unwrap_or((text, ""));
            if !key.is_empty() {
                pairs.push((key.into(), value.as_bytes().to_vec()));
            }
        }
    }
    Ok(())
}

/// The hash that goes behind the name of a generated ConfigMap or Secret.
pub(crate) fn hash(node: &Node) -> Result<String> {
    let kind = node.get("kind").map_or("", Node::text);
    let mut content = Map::new();
    let field = |name: &str| -> Result<Value> {
        match node.get(name) {
            None => Ok(Value::String("".into())),
            Some(Node::Scalar(scalar)) => Ok(Value::String(scalar.value.clone())),
            Some(collection) => Ok(floats(collection.to_value()?)),
        }
    };
    content.insert("kind", kind);
    // kustomize means `metadata.name` and looks for a field called `metadata/name`.
    content.insert("name", field("metadata/name")?);
    content.insert("data", field("data")?);
    let second = if kind == "Secret" {
        content.insert("type", field("type")?);
        "stringData"
    } else {
        "binaryData"
    };
    let more = field(second)?;
    if more.as_object().is_some() {
        content.insert(second, more);
    }
    let text = windlass_yaml::json::to_string(&Value::Object(content));
    let digest = Sha256::digest(text.as_bytes());
    let hex = digest.iter().take(5).flat_map(|byte| [byte >> 4, byte & 15]);
    // Letters and digits that spell no words.
    let safe = hex.map(|digit| match digit {
        0 => 'g',
        1 => 'h',
        3 => 'k',
        10 => 'm',
        14 => 't',
        digit => char::from_digit(u32::from(digit), 16).unwrap_or('0'),
    });
    Ok(safe.collect())
}

/// Numbers as they are after they went through Go's `interface{}`: all of them floats.
fn floats(value: Value) -> Value {
    value
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_base64_has_lines_of_70() {
        assert_eq!(wrapped_base64(b"a"), "YQ==");
        let long = wrapped_base64(&[b'a'; 60]);
        assert_eq!(long.lines().map(str::len).collect::<Vec<_>>(), [70, 10]);
        assert!(long.ends_with('\n'));
    }

    #[test]
    fn a_file_source_has_a_key_and_a_path() {
        assert_eq!(file_source("./a/b.txt").unwrap(), ("b.txt", "./a/b.txt"));
        assert_eq!(file_source("k=a/b").unwrap(), ("k", "a/b"));
        for bad in ["=a", "a=", "a=b=c"] {
            assert!(file_source(bad).is_err(), "{bad}");
        }
    }
}
