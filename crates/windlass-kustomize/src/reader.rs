//! Texts to objects: the documents of a file, lists taken apart, empty documents left out.

use crate::error::{Error, ErrorKind, Result};
use crate::node::{Node, Scalar, Style};
use crate::resource::validate_metadata;
use windlass_yaml::{Limits, Value};

/// How deep the nodes of a file may nest; the recursion over nodes is as deep.
pub(crate) const MAX_NODE_DEPTH: usize = windlass_yaml::MAX_DEPTH;

/// The objects of a file or an inline text.
///
/// # Errors
/// Text that is not YAML, objects without kind or name, lists whose items are none.
pub(crate) fn objects(text: &[u8]) -> Result<Vec<Node>> {
    let text = windlass_yaml::decode_text(text).map_err(|error| malformed(&error.to_string()))?;
    let nodes = without_bad(documents(&text)?)?;
    take_lists_apart(nodes)
}

/// The nodes of a text, whatever they are.
///
/// # Errors
/// Text that is not YAML.
pub(crate) fn nodes(text: &[u8]) -> Result<Vec<Node>> {
    let text = windlass_yaml::decode_text(text).map_err(|error| malformed(&error.to_string()))?;
    documents(&text)
}

/// The first document of a text, which must have one.
///
/// # Errors
/// Text that is not YAML, or nothing but comments.
pub(crate) fn first_node(text: &[u8]) -> Result<Node> {
    let text = windlass_yaml::decode_text(text).map_err(|error| Error::invalid(error.to_string()))?;
    let limits = Limits { depth: MAX_NODE_DEPTH, ..Limits::default() };
    let documents =
        windlass_yaml::parse_nodes(&text, &limits).map_err(|error| Error::invalid(error.to_string()))?;
    let document = documents.first().ok_or_else(|| Error::invalid("EOF"))?;
    Node::from_document(&document.root)
}

/// The same error, said of a file.
pub(crate) fn in_file(error: Error, path: &str) -> Error {
    let message = error.message();
    if message.contains("error converting YAML to JSON") || message.contains("error unmarshaling JSON") {
        let message = format!("YAML file [{path}] encounters a format error.\n{message}\n");
        return Error::new(error.kind(), message);
    }
    if message.contains("MalformedYAMLError") {
        return Error::new(ErrorKind::MalformedYaml, format!("{message} in File: {path}"));
    }
    error
}

fn malformed(problem: &str) -> Error {
    Error::new(ErrorKind::MalformedYaml, format!("MalformedYAMLError: {problem}"))
}

/// The documents of a text as kyaml reads them: it splits the text at lines that begin with `---` itself, and
/// of each part reads the first document.
fn documents(text: &str) -> Result<Vec<Node>> {
    let text = if text.contains("\r\n") {
        text.replace("\r\n", "\n").into()
    } else {
        std::borrow::Cow::Borrowed(text)
    };
    let parts = split(&text)?;
    let only = parts.len() == 1;
    let mut nodes = Vec::with_capacity(parts.len());
    for part in parts {
        let Some(node) = first_document(part)? else { continue };
        if node.is_null() {
            continue;
        }
        let kind = node.get("kind").filter(|kind| !kind.is_nil_or_empty()).map_or("", Node::text);
        let is_list = matches!(kind, "List" | "ResourceList");
        if only && is_list && (node.get("items").is_some() || node.get("functionConfig").is_some()) {
            nodes.extend(node.get("items").into_iter().flat_map(|items| items.items().iter().cloned()));
        } else {
            nodes.push(node);
        }
    }
    Ok(nodes)
}

fn first_document(text: &str) -> Result<Option<Node>> {
    let limits = Limits { depth: MAX_NODE_DEPTH, ..Limits::default() };
    let documents =
        windlass_yaml::parse_nodes(text, &limits).map_err(|error| malformed(&error.to_string()))?;
    let Some(document) = documents.first() else { return Ok(None) };
    Node::from_document(&document.root).map(Some)
}

/// The parts of a text between lines that begin with `---`. All but the last keep their last line break.
fn split(text: &str) -> Result<Vec<&str>> {
    let mut parts = Vec::new();
    if text.is_empty() {
        return Ok(parts);
    }
    let mut begin = 0;
    let mut from = 0;
    while let Some(place) = text[from..].find("\n---") {
        let separator = from + place;
        let line = separator + 1;
        let Some(length) = text[line..].find('\n') else { break };
        let rest = text[line + 3..line + length].trim();
        if !rest.is_empty() && !rest.starts_with('#') {
            let whole = text[line..line + length].trim();
            return Err(Error::invalid(format!("invalid document separator: {whole}")));
        }
        parts.push(&text[begin..=separator]);
        begin = line + length + 1;
        // The line break that ends a separator does not begin another one.
        from = begin;
    }
    parts.push(&text[begin..]);
    Ok(parts)
}

fn without_bad(nodes: Vec<Node>) -> Result<Vec<Node>> {
    let mut good = Vec::with_capacity(nodes.len());
    for node in nodes {
        if node.is_nil_or_empty() {
            continue;
        }
        validate_metadata(&node)?;
        good.push(node);
    }
    Ok(good)
}

/// Puts the items of each `…List` at the end, and theirs.
fn take_lists_apart(nodes: Vec<Node>) -> Result<Vec<Node>> {
    let kind_of = |node: &Node| node.get("kind").map_or(String::new(), |kind| kind.text().to_owned());
    if !nodes.iter().any(|node| kind_of(node).ends_with("List")) {
        return Ok(nodes);
    }
    let mut result = Vec::new();
    let mut queue = std::collections::VecDeque::from(nodes);
    while let Some(node) = queue.pop_front() {
        let kind = kind_of(&node);
        if !kind.ends_with("List") || node.get("items").is_none() {
            result.push(node);
            continue;
        }
        let value = node
            .to_value()
            .map_err(|error| error.reworded(|words| format!("trouble expanding list of {kind}; {words}")))?;
        match value.get("items") {
            Some(Value::Array(items)) => {
                queue.extend(without_bad(items.iter().map(from_json).collect())?);
            }
            Some(Value::Null) | None => {}
            Some(other) => {
                let found = match other {
                    Value::Bool(_) => "bool",
                    Value::Int(_) => "int",
                    Value::Float(_) => "float64",
                    Value::String(_) => "string",
                    _ => "map[string]interface {}",
                };
                let message = format!("expected array in {kind}/items, but found {found}");
                return Err(Error::invalid(message));
            }
        }
    }
    Ok(result)
}

/// A value as the nodes of its JSON: every string in double quotes.
fn from_json(value: &Value) -> Node {
    let mut node = Node::from_value(value);
    quote(&mut node);
    node
}

fn quote(node: &mut Node) {
    match node {
        Node::Scalar(scalar) if scalar.tag == crate::node::Tag::Str => scalar.style = Style::DoubleQuoted,
        Node::Scalar(_) => {}
        Node::Sequence(items) => items.iter_mut().for_each(quote),
        Node::Mapping(members) => {
            for (key, value) in members {
                *key = Scalar { style: Style::DoubleQuoted, ..key.clone() };
                quote(value);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_split_at_its_separators() {
        assert_eq!(split("a\n---\nb\n").unwrap(), ["a\n", "b\n"]);
        assert_eq!(split("---\na\n--- # c\n---\nb").unwrap(), ["---\na\n", "---\nb"]);
        assert_eq!(split("a\n---").unwrap(), ["a\n---"]);
        assert!(split("a\n--- b\nc").is_err());
    }
}
