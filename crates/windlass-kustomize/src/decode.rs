//! JSON to records, as Go's `encoding/json` fills structs: its matching of keys, its words for what does not
//! fit.
//!
//! A type that does not fit, or in strict decoding an unknown field, is remembered and decoding goes on; the
//! first such problem is the error.

use std::collections::BTreeMap;

use smol_str::SmolStr;
use windlass_yaml::Value;

/// The state of one decoding.
#[derive(Debug, Default)]
pub(crate) struct Decoder {
    strict: bool,
    problem: Option<String>,
    /// The record being filled.
    record: &'static str,
    path: Vec<&'static str>,
}

/// Something that a value can be decoded into.
pub(crate) trait Decode: Default {
    /// The type's name in Go, for messages.
    fn go_type() -> String;

    /// Fills a new one; `value` is not null.
    fn decode(value: &Value, decoder: &mut Decoder) -> Self;
}

/// Something that Go's `json.Marshal` writes with `omitempty`.
pub(crate) trait Encode {
    /// The value; nothing where it is empty.
    fn encode(&self) -> Option<Value>;
}

impl Encode for SmolStr {
    fn encode(&self) -> Option<Value> {
        (!self.is_empty()).then(|| Value::String(self.clone()))
    }
}

impl Encode for bool {
    fn encode(&self) -> Option<Value> {
        self.then_some(Value::Bool(true))
    }
}

impl Encode for i64 {
    fn encode(&self) -> Option<Value> {
        (*self != 0).then_some(Value::Int(*self))
    }
}

impl Encode for Value {
    fn encode(&self) -> Option<Value> {
        Some(self.clone())
    }
}

impl<T: Encode> Encode for Option<T> {
    fn encode(&self) -> Option<Value> {
        self.as_ref().map(|value| value.encode().unwrap_or_else(Value::object))
    }
}

impl<T: Encode> Encode for Vec<T> {
    fn encode(&self) -> Option<Value> {
        let items = self.iter().map(|item| item.encode().unwrap_or_default());
        (!self.is_empty()).then(|| Value::Array(items.collect()))
    }
}

impl<T: Encode> Encode for BTreeMap<SmolStr, T> {
    fn encode(&self) -> Option<Value> {
        let members = self.iter().map(|(key, value)| {
            (key.clone(), value.encode().unwrap_or_else(|| Value::String(SmolStr::default())))
        });
        (!self.is_empty()).then(|| Value::Object(members.collect()))
    }
}

/// Decodes `value`; strict decoding refuses unknown fields.
///
/// # Errors
/// Go's words for the first problem, such as `json: unknown field "x"`.
pub(crate) fn decode<T: Decode>(value: &Value, strict: bool) -> Result<T, String> {
    let mut decoder = Decoder { strict, ..Decoder::default() };
    let decoded = if value.is_null() { T::default() } else { T::decode(value, &mut decoder) };
    match decoder.problem {
        Some(problem) => Err(problem),
        None => Ok(decoded),
    }
}

impl Decoder {
    fn save(&mut self, problem: impl FnOnce() -> String) {
        if self.problem.is_none() {
            self.problem = Some(problem());
        }
    }

    pub(crate) fn mismatch(&mut self, value: &Value, go_type: &str) {
        let found = match value {
            Value::Null => "null",
            Value::Bool(_) => "bool",
            Value::Int(_) | Value::Float(_) => "number",
            Value::String(_) => "string",
            Value::Array(_) => "array",
            Value::Object(_) => "object",
        };
        let found = match (value, go_type) {
            (Value::Float(_), "int64" | "int") => format!("number {}", windlass_yaml::json::to_string(value)),
            _ => found.to_owned(),
        };
        let place = if self.record.is_empty() {
            String::from("Go value")
        } else {
            format!("Go struct field {}.{}", self.record, self.path.join("."))
        };
        self.save(|| format!("json: cannot unmarshal {found} into {place} of type {go_type}"));
    }

    /// Goes through the members of an object for a record: `fill` gets the canonical key. Beside each key stand
    /// the embedded structs that Go has it in, which its messages name.
    pub(crate) fn record(
        &mut self,
        value: &Value,
        (name, go_type): (&'static str, &str),
        keys: &'static [(&'static str, &'static str)],
        mut fill: impl FnMut(&str, &Value, &mut Self),
    ) {
        let Some(map) = value.as_object() else {
            self.mismatch(value, go_type);
            return;
        };
        let outer = std::mem::replace(&mut self.record, name);
        for (key, value) in map.iter() {
            let exact = keys.iter().find(|(known, _)| *known == key.as_str());
            match exact.or_else(|| keys.iter().find(|(known, _)| known.eq_ignore_ascii_case(key))) {
                Some((known, embedded)) => {
                    let depth = self.path.len();
                    self.path.extend([*embedded].into_iter().filter(|embedded| !embedded.is_empty()));
                    self.path.push(known);
                    if !value.is_null() {
                        fill(known, value, self);
                    }
                    self.path.truncate(depth);
                }
                None if self.strict => self.save(|| format!("json: unknown field {:?}", key.as_str())),
                None => {}
            }
        }
        self.record = outer;
    }
}

impl Decode for SmolStr {
    fn go_type() -> String {
        "string".to_owned()
    }

    fn decode(value: &Value, decoder: &mut Decoder) -> Self {
        match value {
            Value::String(text) => text.clone(),
            _ => {
                decoder.mismatch(value, "string");
                Self::default()
            }
        }
    }
}

impl Decode for bool {
    fn go_type() -> String {
        "bool".to_owned()
    }

    fn decode(value: &Value, decoder: &mut Decoder) -> Self {
        value.as_bool().unwrap_or_else(|| {
            decoder.mismatch(value, "bool");
            false
        })
    }
}

impl Decode for i64 {
    fn go_type() -> String {
        "int64".to_owned()
    }

    fn decode(value: &Value, decoder: &mut Decoder) -> Self {
        match value {
            Value::Int(int) => *int,
            _ => {
                decoder.mismatch(value, "int64");
                0
            }
        }
    }
}

impl Decode for Value {
    fn go_type() -> String {
        "interface {}".to_owned()
    }

    fn decode(value: &Value, _: &mut Decoder) -> Self {
        value.clone()
    }
}

impl<T: Decode> Decode for Option<T> {
    fn go_type() -> String {
        T::go_type()
    }

    fn decode(value: &Value, decoder: &mut Decoder) -> Self {
        Some(T::decode(value, decoder))
    }
}

impl<T: Decode> Decode for Vec<T> {
    fn go_type() -> String {
        format!("[]{}", T::go_type())
    }

    fn decode(value: &Value, decoder: &mut Decoder) -> Self {
        let Some(items) = value.as_array() else {
            decoder.mismatch(value, &Self::go_type());
            return Self::new();
        };
        let items = items.iter();
        items.map(|item| if item.is_null() { T::default() } else { T::decode(item, decoder) }).collect()
    }
}

impl<T: Decode> Decode for BTreeMap<SmolStr, T> {
    fn go_type() -> String {
        format!("map[string]{}", T::go_type())
    }

    fn decode(value: &Value, decoder: &mut Decoder) -> Self {
        let Some(map) = value.as_object() else {
            decoder.mismatch(value, &Self::go_type());
            return Self::new();
        };
        let members = map.iter();
        members
            .map(|(key, value)| {
                let value = if value.is_null() { T::default() } else { T::decode(value, decoder) };
                (key.clone(), value)
            })
            .collect()
    }
}

/// Defines a record and how it is decoded: each field with its key in JSON.
macro_rules! record {
    (
        $(#[$meta:meta])*
        $vis:vis struct $name:ident($go:literal) {
            $( $(#[$field_meta:meta])* $field:ident: $type:ty = $key:literal $(in $embedded:literal)?, )*
        }
    ) => {
        $(#[$meta])*
        #[derive(Clone, Debug, Default, PartialEq)]
        $vis struct $name {
            $( $(#[$field_meta])* $vis $field: $type, )*
        }

        impl $crate::decode::Decode for $name {
            fn go_type() -> String {
                concat!("types.", $go).to_owned()
            }

            fn decode(value: &windlass_yaml::Value, decoder: &mut $crate::decode::Decoder) -> Self {
                let mut record = Self::default();
                let names = ($go, concat!("types.", $go));
                let keys = &[$(($key, concat!($($embedded)?))),*];
                decoder.record(value, names, keys, |key, value, decoder| match key {
                    $( $key => record.$field = $crate::decode::Decode::decode(value, decoder), )*
                    _ => {}
                });
                record
            }
        }

        impl $crate::decode::Encode for $name {
            fn encode(&self) -> Option<windlass_yaml::Value> {
                let mut map = windlass_yaml::Map::new();
                $(
                    if let Some(value) = $crate::decode::Encode::encode(&self.$field) {
                        map.insert($key, value);
                    }
                )*
                (!map.is_empty()).then_some(windlass_yaml::Value::Object(map))
            }
        }
    };
}

pub(crate) use record;
