//! The protobuf form of Kubernetes' own kinds, in which Go clients send and take them.
//!
//! The fields (`fields.txt`) are printed from the struct tags of `k8s.io/api` by
//! `tools/oracle-apiserver-protobuf`.

mod encode;
mod fields;
mod wire;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use windlass_kube::{Array, Map, Str, Value};

pub use encode::{EncodeError, encode};
pub(crate) use encode::{ListEncoder, frame};
use fields::{Field, Kind, Struct, struct_of_kind};
use wire::{Reader, Wire};

/// What a body begins with.
const MAGIC: &[u8] = b"k8s\0";

/// How deep messages may nest: deeper than any real object, shallower than a stack.
const MAX_DEPTH: usize = 100;

/// Why a body could not be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// It does not begin as protobuf bodies of Kubernetes do.
    #[error("it does not begin with the magic number k8s\\0")]
    Magic,
    /// The bytes are no protobuf.
    #[error("it is cut short or malformed")]
    Malformed,
    /// The kind is not known in this form.
    #[error("no kind {kind:?} is registered for version {api_version:?}")]
    Kind {
        /// `apiVersion`.
        api_version: String,
        /// `kind`.
        kind: String,
    },
    /// A text is not UTF-8.
    #[error("a string is not UTF-8")]
    Text,
    /// JSON inside is none.
    #[error("embedded JSON cannot be read")]
    Json,
    /// Messages nest too deep.
    #[error("messages nest deeper than {MAX_DEPTH}")]
    Depth,
}

/// Decodes a body: the magic number, then an envelope with kind and object.
///
/// # Errors
///
/// [`DecodeError`] when the bytes are not that, or the kind is not one of Kubernetes' own.
pub fn decode(bytes: &[u8]) -> Result<Value, DecodeError> {
    decode_at(bytes, 0)
}

/// Decodes an event of a watch, without the length before it: what happened, and the object.
///
/// # Errors
///
/// [`DecodeError`] when the bytes are not that, or the object cannot be decoded.
pub fn decode_event(bytes: &[u8]) -> Result<(Str, Value), DecodeError> {
    let (mut kind, mut object) = (Str::default(), Value::Null);
    let mut reader = Reader::new(bytes);
    while let Some(field) = reader.next()? {
        match field {
            (1, Wire::Bytes(bytes)) => kind = text(bytes)?,
            (2, Wire::Bytes(bytes)) => object = raw(bytes, 0)?,
            _ => {}
        }
    }
    Ok((kind, object))
}

fn decode_at(bytes: &[u8], depth: usize) -> Result<Value, DecodeError> {
    let body = bytes.strip_prefix(MAGIC).ok_or(DecodeError::Magic)?;
    let (mut api_version, mut kind, mut raw) = (Str::default(), Str::default(), &[][..]);
    let mut reader = Reader::new(body);
    while let Some((number, wire)) = reader.next()? {
        match (number, wire) {
            (1, Wire::Bytes(bytes)) => {
                let mut type_meta = Reader::new(bytes);
                while let Some(field) = type_meta.next()? {
                    match field {
                        (1, Wire::Bytes(bytes)) => api_version = text(bytes)?,
                        (2, Wire::Bytes(bytes)) => kind = text(bytes)?,
                        _ => {}
                    }
                }
            }
            (2, Wire::Bytes(bytes)) => raw = bytes,
            _ => {}
        }
    }
    let of = struct_of_kind(&api_version, &kind)
        .ok_or_else(|| DecodeError::Kind { api_version: api_version.to_string(), kind: kind.to_string() })?;
    let mut object = Map::new();
    message(of, raw, &mut object, depth + 1)?;
    object.insert("apiVersion", api_version);
    object.insert("kind", kind);
    Ok(object.into())
}

fn text(bytes: &[u8]) -> Result<Str, DecodeError> {
    std::str::from_utf8(bytes).map(Str::new).map_err(|_| DecodeError::Text)
}

/// Reads a message's fields into `object`; those that Go writes inline come out there too.
fn message(of: &Struct, bytes: &[u8], object: &mut Map, depth: usize) -> Result<(), DecodeError> {
    if depth > MAX_DEPTH {
        return Err(DecodeError::Depth);
    }
    let mut reader = Reader::new(bytes);
    while let Some((number, wire)) = reader.next()? {
        let Some(field) = of.field(number) else { continue };
        put(field, &field.kind, wire, object, depth)?;
    }
    Ok(())
}

fn put(
    field: &Field,
    kind: &Kind,
    wire: Wire<'_>,
    object: &mut Map,
    depth: usize,
) -> Result<(), DecodeError> {
    match kind {
        Kind::Struct(name) if field.name.is_empty() => {
            let Wire::Bytes(bytes) = wire else { return Err(DecodeError::Malformed) };
            let of = fields::structs().get(name).ok_or(DecodeError::Malformed)?;
            message(of, bytes, object, depth + 1)?;
        }
        Kind::Pointer(inner) => {
            let value = single(inner, wire, depth)?;
            object.insert(field.name.clone(), value);
        }
        Kind::List(item) => {
            let list = object.entry(&field.name);
            if list.is_null() {
                *list = Value::Array(Array::new());
            }
            let value = single(item, wire, depth)?;
            if let Some(list) = list.as_array_mut() {
                list.push(value);
            }
        }
        Kind::Map(item) => {
            let Wire::Bytes(bytes) = wire else { return Err(DecodeError::Malformed) };
            let (key, value) = entry(item, bytes, depth)?;
            object.entry(&field.name).object_mut().insert(key, value);
        }
        kind => {
            let value = single(kind, wire, depth)?;
            let left_out = value.is_null() || (field.omits_empty && is_zero(&value));
            if !left_out {
                object.insert(field.name.clone(), value);
            }
        }
    }
    Ok(())
}

fn is_zero(value: &Value) -> bool {
    match value {
        Value::Null | Value::Bool(false) | Value::Int(0) => true,
        Value::Float(float) => *float == 0.0,
        Value::String(text) => text.is_empty(),
        _ => false,
    }
}

/// A map's entry: key and value.
fn entry(item: &Kind, bytes: &[u8], depth: usize) -> Result<(Str, Value), DecodeError> {
    let (mut key, mut value) = (Str::default(), None);
    let mut reader = Reader::new(bytes);
    while let Some(field) = reader.next()? {
        match field {
            (1, Wire::Bytes(bytes)) => key = text(bytes)?,
            (2, wire) => value = Some(single(item, wire, depth)?),
            _ => {}
        }
    }
    let value = value.unwrap_or_else(|| match item {
        Kind::Struct(_) => Value::object(),
        _ => Value::from(""),
    });
    Ok((key, value))
}

/// One value.
#[expect(clippy::cast_possible_wrap, reason = "protobuf integers are two's complement in 64 bits")]
fn single(kind: &Kind, wire: Wire<'_>, depth: usize) -> Result<Value, DecodeError> {
    if depth > MAX_DEPTH {
        return Err(DecodeError::Depth);
    }
    Ok(match (kind, wire) {
        (Kind::Pointer(inner), wire) => single(inner, wire, depth)?,
        (Kind::Bool, Wire::Number(number)) => (number != 0).into(),
        (Kind::Int, Wire::Number(number)) => Value::Int(number as i64),
        (Kind::Float, Wire::Fixed64(bits)) => Value::Float(f64::from_bits(bits)),
        (Kind::Float, Wire::Fixed32(bits)) => Value::Float(f32::from_bits(bits).into()),
        (Kind::String, Wire::Bytes(bytes)) => Value::String(text(bytes)?),
        (Kind::Bytes, Wire::Bytes(bytes)) => STANDARD.encode(bytes).into(),
        (Kind::Struct(name), Wire::Bytes(bytes)) => {
            let of = fields::structs().get(name).ok_or(DecodeError::Malformed)?;
            let mut object = Map::new();
            message(of, bytes, &mut object, depth + 1)?;
            object.into()
        }
        (Kind::Items(item), Wire::Bytes(bytes)) => Value::Array(all(bytes, 1, item, depth)?),
        (Kind::Quantity, Wire::Bytes(bytes)) => {
            first(bytes, 1, &Kind::String, depth)?.unwrap_or_else(|| "0".into())
        }
        (Kind::IntOrString, Wire::Bytes(bytes)) => int_or_string(bytes, depth)?,
        (Kind::Time { micros }, Wire::Bytes(bytes)) => timestamp(bytes, *micros, depth)?,
        (Kind::Duration, Wire::Bytes(bytes)) => {
            let nanoseconds =
                first(bytes, 1, &Kind::Int, depth)?.and_then(|value| value.as_int()).unwrap_or(0);
            windlass_go::duration::Duration::from_nanos(nanoseconds).to_string().into()
        }
        (Kind::Raw, Wire::Bytes(bytes)) => raw(bytes, depth)?,
        (Kind::SchemaOrBool, Wire::Bytes(bytes)) => match first(bytes, 2, &schema(), depth)? {
            Some(schema) => schema,
            None => first(bytes, 1, &Kind::Bool, depth)?.unwrap_or(Value::Bool(false)),
        },
        (Kind::SchemaOrArray, Wire::Bytes(bytes)) => match first(bytes, 1, &schema(), depth)? {
            Some(schema) => schema,
            None => Value::Array(all(bytes, 2, &schema(), depth)?),
        },
        (Kind::SchemaOrStrings, Wire::Bytes(bytes)) => match first(bytes, 1, &schema(), depth)? {
            Some(schema) => schema,
            None => Value::Array(all(bytes, 2, &Kind::String, depth)?),
        },
        _ => return Err(DecodeError::Malformed),
    })
}

fn schema() -> Kind {
    Kind::Struct("apiextensions.v1.JSONSchemaProps".into())
}

/// The last value of a field in a message, as protobuf has it.
fn first(bytes: &[u8], number: u64, kind: &Kind, depth: usize) -> Result<Option<Value>, DecodeError> {
    let values = all(bytes, number, kind, depth)?;
    Ok(values.into_vec().pop())
}

fn all(bytes: &[u8], number: u64, kind: &Kind, depth: usize) -> Result<Array, DecodeError> {
    let mut values = Array::new();
    let mut reader = Reader::new(bytes);
    while let Some((have, wire)) = reader.next()? {
        if have == number {
            values.push(single(kind, wire, depth + 1)?);
        }
    }
    Ok(values)
}

fn int_or_string(bytes: &[u8], depth: usize) -> Result<Value, DecodeError> {
    let is_text = first(bytes, 1, &Kind::Int, depth)?.and_then(|kind| kind.as_int()) == Some(1);
    let (number, kind) = if is_text { (3, Kind::String) } else { (2, Kind::Int) };
    let absent = if is_text { Value::from("") } else { Value::Int(0) };
    Ok(first(bytes, number, &kind, depth)?.unwrap_or(absent))
}

/// A time; null where nothing is set.
fn timestamp(bytes: &[u8], micros: bool, depth: usize) -> Result<Value, DecodeError> {
    let part = |number| Ok(first(bytes, number, &Kind::Int, depth)?.and_then(|value| value.as_int()));
    let (Some(seconds), nanoseconds) = (part(1)?, part(2)?) else { return Ok(Value::Null) };
    let Ok(whole) = jiff::Timestamp::from_second(seconds) else { return Ok(Value::Null) };
    if !micros {
        return Ok(whole.to_string().into());
    }
    let micros = nanoseconds.unwrap_or(0) / 1000;
    Ok(format!("{}.{micros:06}Z", whole.to_string().trim_end_matches('Z')).into())
}

/// JSON, or an object in protobuf again.
fn raw(bytes: &[u8], depth: usize) -> Result<Value, DecodeError> {
    let mut reader = Reader::new(bytes);
    let mut found = &[][..];
    while let Some(field) = reader.next()? {
        if let (1, Wire::Bytes(bytes)) = field {
            found = bytes;
        }
    }
    if found.is_empty() {
        return Ok(Value::Null);
    }
    if found.starts_with(MAGIC) {
        return decode_at(found, depth + 1);
    }
    serde_json::from_slice(found).map_err(|_| DecodeError::Json)
}

#[cfg(test)]
mod tests {
    use windlass_kube::value;

    use super::*;

    #[test]
    fn reads_what_kubectl_sends() {
        // The body of `kubectl create configmap a2 --from-literal=a=b`, kubectl 1.36.3.
        let body = [
            "6b387300",
            "0a0f0a0276311209436f6e6669674d6170",
            "121c",
            "0a120a026132",
            "12001a00",
            "22002a00",
            "32003800",
            "4200",
            "1206",
            "0a01611201",
            "62",
            "1a002200",
        ]
        .concat();
        let bytes: Vec<u8> = (0..body.len())
            .step_by(2)
            .map(|idx| u8::from_str_radix(&body[idx..idx + 2], 16).unwrap())
            .collect();
        let expected = value!({
            "apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a2"}, "data": {"a": "b"}
        });
        assert_eq!(decode(&bytes), Ok(expected));
        for length in 0..bytes.len() {
            // Cut anywhere, it is an error or a smaller object, never a panic.
            let _ = decode(&bytes[..length]);
        }
        assert_eq!(decode(b"{}"), Err(DecodeError::Magic));
    }
}
