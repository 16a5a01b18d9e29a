//! Values from the YAML layer, and back.

use thiserror::Error;
use windlass_yaml as yaml;

use super::{Map, Str, Value};
use crate::stack;

/// How deep a value may nest to be converted, printed or compared.
///
/// A map can contain itself, and a template can nest lists without end; Go overflows its stack then. No real
/// document comes near: the YAML layer itself stops long before.
pub const MAX_VALUE_DEPTH: usize = 1_000;

/// How many values a conversion makes: a value that refers to others many times can be larger than any memory.
pub const MAX_VALUE_NODES: usize = 5_000_000;

/// What the numbers of a document become.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Numbers {
    /// Every number a `float64`, as `encoding/json` decodes into an `any`: Helm's chart values.
    Float64,
    /// Integers that fit an `int64`, as Kubernetes' own decoder has it; the others a `float64`.
    Int64,
    /// Integers an `int`, as yaml.v3 decodes; the others a `float64`.
    Int,
}

/// Why a value has no place in a document.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum ConvertError {
    /// It nests deeper than [`MAX_VALUE_DEPTH`]; perhaps it contains itself.
    #[error("value nests deeper than {MAX_VALUE_DEPTH} levels")]
    TooDeep,
    /// It has more parts than [`MAX_VALUE_NODES`], each counted as often as it is referred to.
    #[error("value has more than {MAX_VALUE_NODES} parts")]
    TooLarge,
    /// It has a type that no document has.
    #[error("unsupported type: {0}")]
    UnsupportedType(&'static str),
    /// NaN or an infinity.
    #[error("unsupported value: {0}")]
    UnsupportedNumber(&'static str),
}

impl Value {
    /// A value of a document as templates see it.
    #[must_use]
    pub fn from_yaml(value: &yaml::Value, numbers: Numbers) -> Self {
        match value {
            yaml::Value::Null => Self::Nil,
            yaml::Value::Bool(bool) => Self::Bool(*bool),
            yaml::Value::Int(int) => match numbers {
                #[expect(clippy::cast_precision_loss, reason = "what the JSON decoder does")]
                Numbers::Float64 => Self::Float(*int as f64),
                Numbers::Int64 => Self::Int64(*int),
                Numbers::Int => Self::Int(*int),
            },
            yaml::Value::Float(float) => Self::Float(*float),
            yaml::Value::String(text) => Self::String(Str::from(text.clone())),
            yaml::Value::Array(items) => {
                Self::List(items.as_slice().iter().map(|item| Self::from_yaml(item, numbers)).collect())
            }
            yaml::Value::Object(map) => {
                let entries = map.iter();
                Self::Map(
                    entries
                        .map(|(key, value)| (key.clone(), Self::from_yaml(value, numbers)))
                        .collect::<Map>(),
                )
            }
        }
    }

    /// This value as a document has it, the way `encoding/json` sees it: `[]byte` is base64, a nil slice or map
    /// is null, an object is what it encodes as.
    ///
    /// # Errors
    /// If it nests too deeply, or holds a function, NaN or an infinity.
    pub fn to_yaml(&self) -> Result<yaml::Value, ConvertError> {
        let mut left = MAX_VALUE_NODES;
        to_yaml(self, 0, &mut left)
    }
}

fn to_yaml(value: &Value, depth: usize, left: &mut usize) -> Result<yaml::Value, ConvertError> {
    if depth > MAX_VALUE_DEPTH {
        return Err(ConvertError::TooDeep);
    }
    *left = left.checked_sub(1).ok_or(ConvertError::TooLarge)?;
    Ok(match value {
        Value::NoValue | Value::Nil | Value::NilOf(_) => yaml::Value::Null,
        Value::Bool(bool) => yaml::Value::Bool(*bool),
        Value::Int(int) | Value::Int64(int) => yaml::Value::Int(*int),
        Value::Float(float) => float_to_yaml(*float)?,
        Value::Number(_) => {
            if let Some(int) = value.as_int() {
                yaml::Value::Int(int)
            } else if let Some(uint) = value.as_uint() {
                #[expect(clippy::cast_precision_loss, reason = "the document has no larger integers")]
                i64::try_from(uint).map_or(yaml::Value::Float(uint as f64), yaml::Value::Int)
            } else if let Some(float) = value.as_float() {
                float_to_yaml(float)?
            } else {
                return Err(ConvertError::UnsupportedType(value.type_of().name));
            }
        }
        Value::String(text) => yaml::Value::String(text.to_smol()),
        Value::Bytes(bytes) => yaml::Value::String(base64(bytes.as_bytes()).into()),
        Value::List(list) if list.is_nil() => yaml::Value::Null,
        Value::List(list) => {
            let items = list.items().iter().map(|item| deeper(item, depth, left));
            yaml::Value::Array(items.collect::<Result<Vec<_>, _>>()?.into())
        }
        Value::Map(map) if map.is_nil() => yaml::Value::Null,
        Value::Map(map) => {
            // A copy, not a guard: the map may be inside itself.
            let entries = map.entries().into_iter();
            let entries = entries.map(|(key, value)| Ok((key.to_smol(), deeper(&value, depth, left)?)));
            yaml::Value::Object(entries.collect::<Result<Vec<_>, ConvertError>>()?.into_iter().collect())
        }
        Value::Object(object) => deeper(&object.encoded(), depth, left)?,
        Value::Function(_) => return Err(ConvertError::UnsupportedType("func")),
    })
}

fn deeper(value: &Value, depth: usize, left: &mut usize) -> Result<yaml::Value, ConvertError> {
    stack::deepen(|| to_yaml(value, depth + 1, left))
}

fn float_to_yaml(float: f64) -> Result<yaml::Value, ConvertError> {
    if float.is_finite() {
        Ok(yaml::Value::Float(float))
    } else if float.is_nan() {
        Err(ConvertError::UnsupportedNumber("NaN"))
    } else {
        Err(ConvertError::UnsupportedNumber(if float > 0.0 { "+Inf" } else { "-Inf" }))
    }
}

/// Standard base64, with padding.
fn base64(bytes: &[u8]) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for chunk in bytes.chunks(3) {
        let byte = |index: usize| u32::from(chunk.get(index).copied().unwrap_or(0));
        let bits = byte(0) << 16 | byte(1) << 8 | byte(2);
        for position in 0..4 {
            if position <= chunk.len() {
                text.push(char::from(ALPHABET[(bits >> (18 - 6 * position)) as usize & 63]));
            } else {
                text.push('=');
            }
        }
    }
    text
}
