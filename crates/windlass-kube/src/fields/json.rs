//! fieldsV1: how sets of fields are written down in `metadata.managedFields`.

use std::fmt::{self, Write as _};

use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};

use super::MAX_DEPTH;
use super::element::PathElement;
use super::set::{FieldSet, SetBuilder};
use crate::{Map, Str, Value};

/// Why a value is not fieldsV1.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ParseFieldsError {
    /// The text is not JSON.
    #[error("fieldsV1 is not JSON: {0}")]
    Json(String),
    /// A level of the tree is no object.
    #[error("fieldsV1 must be objects all the way down, there is a {0}")]
    NotAnObject(&'static str),
    /// A key is not `.` and does not start with a letter and a colon.
    #[error("fieldsV1 has the key {0:?}, which is no path element")]
    Element(String),
    /// The tree is too deep.
    #[error("fieldsV1 nests deeper than MAX_DEPTH ({MAX_DEPTH}) levels")]
    TooDeep,
}

impl FieldSet {
    /// Reads fieldsV1 from JSON text.
    ///
    /// # Errors
    ///
    /// As [`FieldSet::from_value`], and for text that is not JSON.
    pub fn parse(text: &str) -> Result<Self, ParseFieldsError> {
        let value = serde_json::from_str(text).map_err(|error| ParseFieldsError::Json(error.to_string()))?;
        Self::from_value(&value)
    }

    /// Reads fieldsV1. Kinds of path elements that are not known are dropped, as the server does.
    ///
    /// # Errors
    ///
    /// [`ParseFieldsError`] says what is no fieldsV1.
    pub fn from_value(value: &Value) -> Result<Self, ParseFieldsError> {
        read_level(value, MAX_DEPTH).map(|(set, _)| set)
    }

    /// Prints fieldsV1, byte for byte as the server does.
    #[must_use]
    pub fn to_json(&self) -> String {
        let mut out = String::with_capacity(64);
        self.write_level(false, &mut out, &mut String::new());
        out
    }

    /// As fieldsV1 inside an object. Members of a [`Map`] are sorted by bytes, so unlike [`FieldSet::to_json`]
    /// an `i:` comes before a `k:`; readers do not mind.
    #[must_use]
    pub fn to_value(&self) -> Value {
        Value::Object(self.to_map(false))
    }

    fn to_map(&self, is_member: bool) -> Map {
        let own = (is_member && !self.is_empty()).then(|| (Str::new_static("."), Value::object()));
        let mut key = String::new();
        let nodes = self.nodes().iter().map(|node| {
            let name = match &node.element {
                PathElement::Field(name) => {
                    key.clear();
                    key.push_str("f:");
                    key.push_str(name);
                    Str::new(&key)
                }
                element => {
                    key.clear();
                    element.write_key(&mut key);
                    Str::new(&key)
                }
            };
            (name, Value::Object(node.children.to_map(node.member)))
        });
        own.into_iter().chain(nodes).collect()
    }

    fn write_level(&self, is_member: bool, out: &mut String, key: &mut String) {
        out.push('{');
        let mut first = true;
        if is_member && !self.is_empty() {
            out.push_str("\".\":{}");
            first = false;
        }
        for node in self.nodes() {
            if !std::mem::take(&mut first) {
                out.push(',');
            }
            key.clear();
            node.element.write_key(key);
            write_string(key, out, false);
            out.push(':');
            node.children.write_level(node.member, out, key);
        }
        out.push('}');
    }
}

/// The set below a level, and whether the level's own element is a member.
fn read_level(value: &Value, depth: usize) -> Result<(FieldSet, bool), ParseFieldsError> {
    let Value::Object(map) = value else {
        // The server reads null as it reads {}.
        return if value.is_null() {
            Ok((FieldSet::new(), true))
        } else {
            Err(ParseFieldsError::NotAnObject(value.type_name()))
        };
    };
    if map.is_empty() {
        return Ok((FieldSet::new(), true));
    }
    let below = depth.checked_sub(1).ok_or(ParseFieldsError::TooDeep)?;
    let mut is_member = false;
    let mut level = SetBuilder::with_capacity(map.len());
    for (key, value) in map.iter() {
        if key == "." {
            is_member = true;
        } else if let Some(element) = PathElement::parse_key(key)? {
            let (children, is_member) = read_level(value, below)?;
            level.add(element, is_member, children);
        }
    }
    let set = level.build();
    let is_member = is_member || set.is_empty();
    Ok((set, is_member))
}

impl PathElement {
    /// Reads a key of fieldsV1: `f:name`, `k:{…}`, `v:…` or `i:0`; `None` for a kind this version does not know.
    ///
    /// # Errors
    ///
    /// [`ParseFieldsError::Element`].
    pub fn parse_key(key: &str) -> Result<Option<Self>, ParseFieldsError> {
        let wrong = || ParseFieldsError::Element(key.to_owned());
        if !key.is_char_boundary(2) || key.as_bytes().get(1) != Some(&b':') {
            return Err(wrong());
        }
        let (kind, rest) = key.split_at(2);
        Ok(Some(match kind {
            "f:" => Self::Field(Str::new(rest)),
            "k:" => {
                let KeyFields(fields) = serde_json::from_str(rest).map_err(|_| wrong())?;
                Self::key(fields)
            }
            "v:" => Self::Value(as_read(serde_json::from_str(rest).map_err(|_| wrong())?)),
            "i:" => Self::Index(rest.parse().map_err(|_| wrong())?),
            _ => return Ok(None),
        }))
    }

    /// Writes the key of fieldsV1 for this element.
    pub(crate) fn write_key(&self, out: &mut String) {
        match self {
            Self::Field(name) => {
                out.push_str("f:");
                out.push_str(name);
            }
            Self::Key(fields) => {
                out.push_str("k:{");
                for (idx, (name, value)) in fields.iter().enumerate() {
                    if idx > 0 {
                        out.push(',');
                    }
                    write_string(name, out, false);
                    out.push(':');
                    write_value(value, out);
                }
                out.push('}');
            }
            Self::Value(value) => {
                out.push_str("v:");
                write_value(value, out);
            }
            Self::Index(index) => {
                let _ = write!(out, "i:{index}");
            }
        }
    }

    /// The key of fieldsV1 for this element.
    #[must_use]
    pub fn to_key(&self) -> String {
        let mut out = String::new();
        self.write_key(&mut out);
        out
    }
}

/// The members of a `k:` as they are written.
struct KeyFields(Vec<(Str, Value)>);

impl<'de> Deserialize<'de> for KeyFields {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Members;

        impl<'de> Visitor<'de> for Members {
            type Value = KeyFields;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object of key fields")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<KeyFields, A::Error> {
                let mut fields = Vec::with_capacity(2);
                while let Some((name, value)) = map.next_entry::<Str, Value>()? {
                    fields.push((name, as_read(value)));
                }
                Ok(KeyFields(fields))
            }
        }

        deserializer.deserialize_map(Members)
    }
}

/// Numbers in path elements are read as floats, so integers beyond 2^53 are rounded.
fn as_read(value: Value) -> Value {
    #[expect(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        reason = "the rounding is the point"
    )]
    match value {
        Value::Int(int) if int.unsigned_abs() > 1 << 53 => Value::Int(int as f64 as i64),
        other => other,
    }
}

fn write_value(value: &Value, out: &mut String) {
    match value {
        Value::Null => out.push_str("null"),
        Value::Bool(bool) => out.push_str(if *bool { "true" } else { "false" }),
        Value::Int(int) => {
            let _ = write!(out, "{int}");
        }
        Value::Float(float) => write_float(*float, out),
        Value::String(string) => write_string(string, out, true),
        Value::Array(items) => {
            out.push('[');
            for (idx, item) in items.iter().enumerate() {
                if idx > 0 {
                    out.push(',');
                }
                write_value(item, out);
            }
            out.push(']');
        }
        Value::Object(map) => {
            out.push('{');
            for (idx, (name, value)) in map.iter().enumerate() {
                if idx > 0 {
                    out.push(',');
                }
                write_string(name, out, true);
                out.push(':');
                write_value(value, out);
            }
            out.push('}');
        }
    }
}

/// As Go's JSON encoders print floats: an exponent below 1e-6 and from 1e21.
fn write_float(float: f64, out: &mut String) {
    let magnitude = float.abs();
    if float != 0.0 && !(1e-6..1e21).contains(&magnitude) {
        let text = format!("{float:e}");
        let (digits, exponent) = text.split_once('e').unwrap_or((&text, "0"));
        let (sign, exponent) = exponent.strip_prefix('-').map_or(('+', exponent), |rest| ('-', rest));
        let _ = write!(out, "{digits}e{sign}{exponent:0>2}");
    } else {
        let _ = write!(out, "{float}");
    }
}

fn write_string(text: &str, out: &mut String, html: bool) {
    out.push('"');
    let mut plain_from = 0;
    for (idx, c) in text.char_indices() {
        let escape: &str = match c {
            '"' => "\\\"",
            '\\' => "\\\\",
            '\n' => "\\n",
            '\r' => "\\r",
            '\t' => "\\t",
            '<' if html => "\\u003c",
            '>' if html => "\\u003e",
            '&' if html => "\\u0026",
            '\u{2028}' if html => "\\u2028",
            '\u{2029}' if html => "\\u2029",
            c if c < ' ' => "",
            _ => continue,
        };
        out.push_str(&text[plain_from..idx]);
        if escape.is_empty() {
            let _ = write!(out, "\\u{:04x}", u32::from(c));
        } else {
            out.push_str(escape);
        }
        plain_from = idx + c.len_utf8();
    }
    out.push_str(&text[plain_from..]);
    out.push('"');
}
