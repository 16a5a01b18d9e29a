//! YAML as yaml.v3 writes it straight from a value, without JSON in between.

use windlass_yaml::{
    DocumentNode, Limits, Node, NodeKind, NodeStyle, YamlStyle, nodes_to_yaml, parse_nodes, to_yaml_with,
};

use crate::function::{Context, FunctionError};
use crate::stack;
use crate::value::{Number, Str, Value};

use super::dates::time;
use super::display::shortest;
use super::document::{self, Refusal, Rules};
use super::durations::duration;
use super::encoding::base64_encoded;
use super::json::{self, Style};

/// How deep a value may nest to be written; one that contains itself nests without end.
const MAX_DEPTH: usize = 1_000;

/// A value as a YAML document.
pub(super) fn yaml(context: &mut Context<'_>, value: &Value) -> Result<String, FunctionError> {
    match document::convert(context, value, Rules::Direct) {
        Ok(document) => Ok(to_yaml_with(&document, &YamlStyle::V3)),
        Err(Refusal::Special) => {
            // Text by text, and so with an end, whatever refers to itself or to others many times.
            json::encoded(context, value, Style::Compact)?;
            by_nodes(value).ok_or_else(|| "cannot marshal".into())
        }
        Err(Refusal::Failed(error)) => Err(error),
    }
}

/// For values that a plain document cannot hold, such as times.
fn by_nodes(value: &Value) -> Option<String> {
    let root = node(value, 0)?;
    let document = DocumentNode { root, head_comment: String::new(), foot_comment: String::new(), line: 0 };
    Some(nodes_to_yaml(&[document], &YamlStyle::V3))
}

fn node(value: &Value, depth: usize) -> Option<Node> {
    if depth > MAX_DEPTH {
        return None;
    }
    Some(match value {
        Value::Nil | Value::NoValue | Value::NilOf(_) => Node::scalar("null"),
        Value::Bool(bool) => Node::scalar(bool.to_string()),
        Value::Float(float) => Node::scalar(float_text(*float)),
        Value::Number(Number::Float32(float)) => {
            Node::scalar(float_text(format!("{float:e}").parse().unwrap_or(f64::from(*float))))
        }
        Value::Int(_) | Value::Int64(_) | Value::Number(_) => {
            let printed = value.as_int().map(|int| int.to_string());
            Node::scalar(printed.or_else(|| value.as_uint().map(|uint| uint.to_string()))?)
        }
        Value::String(text) => string(text),
        Value::Bytes(bytes) => sequence(
            bytes
                .as_bytes()
                .iter()
                .map(|byte| Some(Node::scalar(byte.to_string())))
                .collect::<Option<_>>()?,
        ),
        Value::List(list) => sequence(
            list.items().iter().map(|item| stack::deepen(|| node(item, depth + 1))).collect::<Option<_>>()?,
        ),
        Value::Map(map) => mapping(in_order(map.entries())?, depth)?,
        Value::Object(object) => {
            if let Some(time) = time(value) {
                Node::scalar(time.format("2006-01-02T15:04:05.999999999Z07:00"))
            } else if let Some(duration) = duration(value) {
                string(&duration.to_string().into())
            } else if let Some(scalar) = object.scalar() {
                node(&scalar, depth + 1)?
            } else if let Some(text) = object.text() {
                string(&text)
            } else {
                let fields = object.fields().into_iter();
                mapping(fields.map(|(name, value)| (name.to_lowercase().into(), value)), depth)?
            }
        }
        Value::Function(_) => return None,
    })
}

/// Entries in the order in which the emitter writes their keys, which counts numbers in them as numbers.
fn in_order(entries: Vec<(Str, Value)>) -> Option<impl Iterator<Item = (Str, Value)>> {
    let positions = (0_i64..)
        .zip(&entries)
        .map(|(position, (key, _))| (key.to_smol(), windlass_yaml::Value::Int(position)));
    let positions: windlass_yaml::Map = positions.collect::<Vec<_>>().into_iter().collect();
    let written = to_yaml_with(&windlass_yaml::Value::Object(positions), &YamlStyle::V3);
    let documents = parse_nodes(&written, &Limits::default()).ok()?;
    let order: Vec<usize> =
        documents.first()?.root.members().filter_map(|(_, position)| position.value.parse().ok()).collect();
    Some(order.into_iter().filter_map(move |position| entries.get(position).cloned()))
}

fn sequence(items: Vec<Node>) -> Node {
    let mut node = Node::collection(NodeKind::Sequence, items);
    if node.content.is_empty() {
        node.style = NodeStyle::Flow;
    }
    node
}

fn mapping(entries: impl Iterator<Item = (Str, Value)>, depth: usize) -> Option<Node> {
    let mut content = Vec::new();
    for (key, value) in entries {
        content.push(string(&key));
        content.push(stack::deepen(|| node(&value, depth + 1))?);
    }
    let mut node = Node::collection(NodeKind::Mapping, content);
    if node.content.is_empty() {
        node.style = NodeStyle::Flow;
    }
    Some(node)
}

fn string(text: &Str) -> Node {
    let Some(readable) = text.as_str() else {
        let mut node = Node::scalar(base64_encoded(text.as_bytes()));
        "!!binary".clone_into(&mut node.tag);
        node.tagged = true;
        return node;
    };
    let mut node = Node::string(readable);
    node.style = match to_yaml_with(&readable.into(), &YamlStyle::V3).as_bytes().first() {
        Some(b'"') => NodeStyle::DoubleQuoted,
        Some(b'\'') => NodeStyle::SingleQuoted,
        _ if readable.contains('\n') => NodeStyle::Literal,
        _ => NodeStyle::Plain,
    };
    node
}

fn float_text(float: f64) -> String {
    match shortest(float) {
        text if text == "+Inf" => ".inf".to_owned(),
        text if text == "-Inf" => "-.inf".to_owned(),
        text if text == "NaN" => ".nan".to_owned(),
        text => text,
    }
}
