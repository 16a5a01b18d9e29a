//! Writing the protobuf form: the inverse of reading it, byte for byte as Go's types write themselves.
//!
//! Fields come in the order of their numbers. Those that Go has no pointer for are written even when they are
//! zero. A length is known only once what it counts is written: it is put before it then.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use windlass_kube::{Map, Value};

use super::fields::{Field, Kind, Struct, struct_of_kind, structs};
use super::{MAGIC, MAX_DEPTH};
use crate::defaults::quantity::Quantity;

/// The wire types.
const VARINT: u64 = 0;
const FIXED64: u64 = 1;
const BYTES: u64 = 2;

/// How many bytes a head may take: magic number, version and kind.
const MAX_HEAD: usize = 512;

/// Why an object has no protobuf form.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("kind {kind:?} of version {api_version:?} has no protobuf form")]
pub struct EncodeError {
    /// `apiVersion`.
    pub api_version: String,
    /// `kind`.
    pub kind: String,
}

/// Writes an object as Kubernetes sends it: the magic number, then an envelope with kind and object.
///
/// What the kind has no field for is left out, and what is of another type than the field counts as not set:
/// objects that were checked lose nothing.
///
/// # Errors
///
/// When the kind is not one of Kubernetes' own.
pub fn encode(object: &Value) -> Result<Vec<u8>, EncodeError> {
    let text = |key: &str| object.str_at(&[key]).unwrap_or_default();
    let (api_version, kind) = (text("apiVersion"), text("kind"));
    let of = struct_of(api_version, kind)?;
    let mut out = Vec::with_capacity(1024);
    message(&mut out, of, object.as_object(), 0);
    let mut whole = Vec::with_capacity(out.len() + MAX_HEAD);
    head(&mut whole, api_version, kind, out.len());
    whole.extend_from_slice(&out);
    tail(&mut whole);
    Ok(whole)
}

fn struct_of(api_version: &str, kind: &str) -> Result<&'static Struct, EncodeError> {
    struct_of_kind(api_version, kind)
        .ok_or_else(|| EncodeError { api_version: api_version.to_owned(), kind: kind.to_owned() })
}

/// What comes before an object: magic number, kind, and how long the object is.
fn head(out: &mut Vec<u8>, api_version: &str, kind: &str, n_raw: usize) {
    out.extend_from_slice(MAGIC);
    nested(out, 1, |out| {
        bytes(out, 1, api_version.as_bytes());
        bytes(out, 2, kind.as_bytes());
    });
    key(out, 2, BYTES);
    varint(out, n_raw as u64);
}

/// How the content is encoded, and its type: nothing is said of either.
fn tail(out: &mut Vec<u8>) {
    bytes(out, 3, b"");
    bytes(out, 4, b"");
}

/// A list that is written item by item, so that only its protobuf form is held as a whole.
pub(crate) struct ListEncoder {
    out: Vec<u8>,
    item: &'static Struct,
    api_version: String,
    kind: String,
}

impl ListEncoder {
    /// Begins a list of `kind`, whose items are of `item_kind`.
    pub(crate) fn new(
        api_version: &str,
        kind: &str,
        item_kind: &str,
        metadata: &Value,
        n_bytes: usize,
    ) -> Result<Self, EncodeError> {
        let item = struct_of(api_version, item_kind)?;
        let mut out = Vec::with_capacity(n_bytes + MAX_HEAD);
        // Room for the head, which says how long the list is.
        out.resize(MAX_HEAD, 0);
        let metadata_struct = structs().get("meta.v1.ListMeta").expect("recorded");
        nested(&mut out, 1, |out| message(out, metadata_struct, metadata.as_object(), 1));
        Ok(Self { out, item, api_version: api_version.to_owned(), kind: kind.to_owned() })
    }

    /// Writes the next item.
    pub(crate) fn push(&mut self, object: Option<&Map>) {
        nested(&mut self.out, 2, |out| message(out, self.item, object, 1));
    }

    /// The whole list.
    pub(crate) fn finish(mut self) -> bytes::Bytes {
        let mut before = Vec::with_capacity(MAX_HEAD);
        head(&mut before, &self.api_version, &self.kind, self.out.len() - MAX_HEAD);
        tail(&mut self.out);
        let Some(start) = MAX_HEAD.checked_sub(before.len()) else {
            // A version and kind of hundreds of bytes; none of Kubernetes' own is.
            before.extend_from_slice(&self.out[MAX_HEAD..]);
            return before.into();
        };
        self.out[start..MAX_HEAD].copy_from_slice(&before);
        bytes::Bytes::from(self.out).slice(start..)
    }
}

/// A watch event as a frame of a stream: its length, then the event with the object in its envelope.
pub(crate) fn frame(kind: &str, object: &[u8]) -> bytes::Bytes {
    let mut out = vec![0; 4];
    bytes(&mut out, 1, kind.as_bytes());
    nested(&mut out, 2, |out| bytes(out, 1, object));
    let length = u32::try_from(out.len() - 4).expect("objects have a few megabytes at most");
    out[..4].copy_from_slice(&length.to_be_bytes());
    out.into()
}

fn varint(out: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        out.push(low_byte(number) | 0x80);
        number >>= 7;
    }
    out.push(low_byte(number));
}

fn low_byte(number: u64) -> u8 {
    number.to_le_bytes()[0]
}

fn key(out: &mut Vec<u8>, number: u64, wire: u64) {
    varint(out, number << 3 | wire);
}

fn bytes(out: &mut Vec<u8>, number: u64, content: &[u8]) {
    key(out, number, BYTES);
    varint(out, content.len() as u64);
    out.extend_from_slice(content);
}

fn int(out: &mut Vec<u8>, number: u64, value: i64) {
    key(out, number, VARINT);
    varint(out, value.cast_unsigned());
}

/// A field with what `write` writes, and its length before it.
fn nested(out: &mut Vec<u8>, number: u64, write: impl FnOnce(&mut Vec<u8>)) {
    key(out, number, BYTES);
    let at = out.len();
    // One byte is enough for most; the others move what they count.
    out.push(0);
    write(out);
    let mut prefix = Vec::with_capacity(10);
    varint(&mut prefix, (out.len() - at - 1) as u64);
    out.splice(at..=at, prefix);
}

/// Writes all fields of a message; `object` is nothing where all of them are zero.
fn message(out: &mut Vec<u8>, of: &Struct, object: Option<&Map>, depth: usize) {
    if depth > MAX_DEPTH {
        return;
    }
    for (number, field) in of.fields() {
        let value = match field.name.is_empty() {
            true => None,
            false => object.and_then(|object| object.get(&field.name)).filter(|value| !value.is_null()),
        };
        one(out, *number, field, value, object, depth);
    }
}

fn one(
    out: &mut Vec<u8>,
    number: u64,
    field: &Field,
    value: Option<&Value>,
    around: Option<&Map>,
    depth: usize,
) {
    match &field.kind {
        // Its fields are those of the object around it.
        Kind::Struct(name) if field.name.is_empty() => {
            if let Some(of) = structs().get(name) {
                nested(out, number, |out| message(out, of, around, depth + 1));
            }
        }
        Kind::Pointer(inner) => {
            if value.is_some() {
                single(out, number, inner, value, depth);
            }
        }
        Kind::List(item) => {
            for value in value.and_then(Value::as_array).into_iter().flat_map(|list| list.as_slice()) {
                single(out, number, item, Some(value), depth);
            }
        }
        Kind::Map(item) => {
            for (name, value) in value.and_then(Value::as_object).into_iter().flat_map(Map::iter) {
                nested(out, number, |out| {
                    bytes(out, 1, name.as_bytes());
                    if !(value.is_null() && matches!(**item, Kind::Bytes)) {
                        single(out, 2, item, Some(value), depth);
                    }
                });
            }
        }
        Kind::Bytes | Kind::Items(_) if value.is_none() => {}
        kind => single(out, number, kind, value, depth),
    }
}

/// One value of a field; zero where there is none.
fn single(out: &mut Vec<u8>, number: u64, kind: &Kind, value: Option<&Value>, depth: usize) {
    let text = || value.and_then(Value::as_str).unwrap_or_default();
    match kind {
        Kind::Pointer(inner) => single(out, number, inner, value, depth),
        Kind::Bool => int(out, number, i64::from(value.and_then(Value::as_bool) == Some(true))),
        Kind::Int => int(out, number, value.and_then(Value::as_int).unwrap_or(0)),
        Kind::Float => {
            key(out, number, FIXED64);
            out.extend_from_slice(&value.and_then(Value::as_float).unwrap_or(0.0).to_le_bytes());
        }
        Kind::String => bytes(out, number, text().as_bytes()),
        Kind::Bytes => bytes(out, number, &STANDARD.decode(text()).unwrap_or_default()),
        Kind::Struct(name) => {
            if let Some(of) = structs().get(name) {
                nested(out, number, |out| message(out, of, value.and_then(Value::as_object), depth + 1));
            }
        }
        Kind::Items(item) | Kind::List(item) => nested(out, number, |out| {
            for value in value.and_then(Value::as_array).into_iter().flat_map(|list| list.as_slice()) {
                single(out, 1, item, Some(value), depth + 1);
            }
        }),
        Kind::Map(_) => {}
        Kind::Quantity => nested(out, number, |out| bytes(out, 1, canonical(value).as_bytes())),
        Kind::IntOrString => nested(out, number, |out| {
            let is_text = matches!(value, Some(Value::String(_)));
            int(out, 1, i64::from(is_text));
            int(out, 2, value.and_then(Value::as_int).filter(|_| !is_text).unwrap_or(0));
            bytes(out, 3, text().as_bytes());
        }),
        Kind::Time { micros } => nested(out, number, |out| {
            if let Ok(time) = text().parse::<jiff::Timestamp>()
                && text() != ZERO_TIME
            {
                let nanoseconds = if *micros { i64::from(time.subsec_nanosecond()) / 1000 * 1000 } else { 0 };
                int(out, 1, time.as_second());
                int(out, 2, nanoseconds);
            }
        }),
        Kind::Duration => nested(out, number, |out| {
            let duration = text().parse::<windlass_go::duration::Duration>();
            int(out, 1, duration.map_or(0, windlass_go::duration::Duration::as_nanos));
        }),
        Kind::Raw => nested(out, number, |out| {
            if let Some(value) = value {
                bytes(out, 1, &serde_json::to_vec(value).expect("writing to memory cannot fail"));
            }
        }),
        Kind::SchemaOrBool => nested(out, number, |out| {
            let allows = value.is_some_and(|value| value.as_bool() != Some(false));
            int(out, 1, i64::from(allows));
            if let Some(schema) = value.filter(|value| value.as_object().is_some()) {
                single(out, 2, &super::schema(), Some(schema), depth + 1);
            }
        }),
        Kind::SchemaOrArray => schema_or(out, number, value, &super::schema(), depth),
        Kind::SchemaOrStrings => schema_or(out, number, value, &Kind::String, depth),
    }
}

/// How Go's JSON would write no time at all.
const ZERO_TIME: &str = "0001-01-01T00:00:00Z";

/// A schema, or a list of something.
fn schema_or(out: &mut Vec<u8>, number: u64, value: Option<&Value>, item: &Kind, depth: usize) {
    nested(out, number, |out| match value {
        Some(Value::Array(list)) => {
            list.as_slice().iter().for_each(|value| single(out, 2, item, Some(value), depth + 1));
        }
        Some(schema @ Value::Object(_)) => single(out, 1, &super::schema(), Some(schema), depth + 1),
        _ => {}
    });
}

/// A quantity as Go prints it, whether it was written as text or as a number.
fn canonical(value: Option<&Value>) -> String {
    let text = match value {
        Some(Value::String(text)) => text.to_string(),
        Some(number) => format!("{number:?}"),
        None => return "0".to_owned(),
    };
    Quantity::printed(&text).unwrap_or(text)
}
