//! JSON, as `encoding/json` writes and reads it.

use windlass_yaml::json as yaml_json;

use crate::function::{Context, Entry, FunctionError, Signature};
use crate::stack;
use crate::value::{List, Map, Number, Numbers, Str, Value, types};

use super::arguments::{ANY, Answer, STRING, any, text};
use super::encoding::base64_encoded;

pub(super) const FUNCTIONS: &[Entry] = &[
    Entry::new("toJson", Signature::fixed(&[ANY]), |context, arguments| {
        lenient(written(context, any(arguments, 0), Style::Compact))
    }),
    Entry::new("mustToJson", Signature::fixed(&[ANY]), |context, arguments| {
        written(context, any(arguments, 0), Style::Compact)
    }),
    Entry::new("toPrettyJson", Signature::fixed(&[ANY]), |context, arguments| {
        lenient(written(context, any(arguments, 0), Style::Indented))
    }),
    Entry::new("mustToPrettyJson", Signature::fixed(&[ANY]), |context, arguments| {
        written(context, any(arguments, 0), Style::Indented)
    }),
    Entry::new("toRawJson", Signature::fixed(&[ANY]), |context, arguments| {
        written(context, any(arguments, 0), Style::Raw)
    }),
    Entry::new("mustToRawJson", Signature::fixed(&[ANY]), |context, arguments| {
        written(context, any(arguments, 0), Style::Raw)
    }),
    Entry::new("fromJson", Signature::fixed(&[STRING]), from_json),
    Entry::new("fromJsonArray", Signature::fixed(&[STRING]), from_json_array),
    Entry::new("mustFromJson", Signature::fixed(&[STRING]), |context, arguments| {
        Ok(read(context, text(arguments, 0))?)
    }),
];

/// How JSON is laid out.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Style {
    /// On one line, with the characters that HTML gives a meaning escaped.
    Compact,
    /// On one line, with only JSON's own escapes.
    Raw,
    /// On lines indented by two spaces, with HTML's characters escaped.
    Indented,
}

/// How deep a value may nest to be written. Go finds a cycle by its address at the same depth.
const MAX_DEPTH: usize = 1_000;

/// Without `must` a value that cannot be written is an empty text; a limit stays one.
fn lenient(answer: Answer) -> Answer {
    match answer {
        Err(FunctionError::Message(_)) => Ok(Value::EMPTY),
        answer => answer,
    }
}

fn written(context: &mut Context<'_>, value: &Value, style: Style) -> Answer {
    Ok(Str::from(encoded(context, value, style)?).into())
}

/// A value as JSON.
pub(super) fn encoded(
    context: &mut Context<'_>,
    value: &Value,
    style: Style,
) -> Result<String, FunctionError> {
    let mut writer = Writer { context, out: String::new(), style, depth: 0 };
    writer.write(value)?;
    Ok(writer.out)
}

struct Writer<'a, 'c> {
    context: &'a mut Context<'c>,
    out: String,
    style: Style,
    depth: usize,
}

impl Writer<'_, '_> {
    fn write(&mut self, value: &Value) -> Result<(), FunctionError> {
        match value {
            Value::Nil | Value::NoValue | Value::NilOf(_) => self.out.push_str("null"),
            Value::Bool(bool) => self.out.push_str(if *bool { "true" } else { "false" }),
            Value::Int(int) | Value::Int64(int) => self.out.push_str(&int.to_string()),
            Value::Float(float) => self.float(*float)?,
            Value::Number(Number::Float32(float)) => self.float32(*float)?,
            Value::Number(number) => match (value.as_int(), value.as_uint()) {
                (Some(int), _) => self.out.push_str(&int.to_string()),
                (_, Some(uint)) => self.out.push_str(&uint.to_string()),
                _ => {
                    return Err(
                        format!("json: unsupported type: {}", Value::Number(*number).type_of().name).into()
                    );
                }
            },
            Value::String(text) => self.string(text)?,
            Value::Bytes(bytes) => {
                self.out.push('"');
                self.out.push_str(&base64_encoded(bytes.as_bytes()));
                self.out.push('"');
            }
            Value::List(list) if list.is_nil() => self.out.push_str("null"),
            Value::List(list) => stack::deepen(|| self.list(list))?,
            Value::Map(map) if map.is_nil() => self.out.push_str("null"),
            Value::Map(map) => stack::deepen(|| self.map(map))?,
            Value::Object(object) => {
                self.nest(value)?;
                self.write(&object.encoded())?;
                self.depth -= 1;
            }
            Value::Function(_) => {
                return Err(format!("json: unsupported type: {}", value.type_of().name).into());
            }
        }
        Ok(())
    }

    fn nest(&mut self, value: &Value) -> Result<(), FunctionError> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            let name = value.type_of().name;
            return Err(format!("json: unsupported value: encountered a cycle via {name}").into());
        }
        Ok(())
    }

    fn list(&mut self, list: &List) -> Result<(), FunctionError> {
        self.nest(&Value::List(list.clone()))?;
        self.context.charge(list.len() as u64)?;
        self.out.push('[');
        for (position, item) in list.items().iter().enumerate() {
            self.separate(position);
            self.write(item)?;
        }
        self.close(list.is_empty(), ']');
        Ok(())
    }

    fn map(&mut self, map: &Map) -> Result<(), FunctionError> {
        self.nest(&Value::Map(map.clone()))?;
        self.context.charge(map.len() as u64)?;
        self.out.push('{');
        // A copy, not a guard: the map may be inside itself.
        for (position, (key, value)) in map.entries().into_iter().enumerate() {
            self.separate(position);
            self.string(&key)?;
            self.out.push(':');
            if self.style == Style::Indented {
                self.out.push(' ');
            }
            self.write(&value)?;
        }
        self.close(map.is_empty(), '}');
        Ok(())
    }

    /// What stands before a member.
    fn separate(&mut self, position: usize) {
        if position > 0 {
            self.out.push(',');
        }
        self.line();
    }

    fn close(&mut self, is_empty: bool, bracket: char) {
        self.depth -= 1;
        if !is_empty {
            self.line();
        }
        self.out.push(bracket);
    }

    fn line(&mut self) {
        if self.style == Style::Indented {
            self.out.push('\n');
            self.out.extend(std::iter::repeat_n("  ", self.depth));
        }
    }

    fn string(&mut self, text: &Str) -> Result<(), FunctionError> {
        self.context.charge_memory(text.len() + 2)?;
        self.out.push('"');
        for chunk in text.as_bytes().utf8_chunks() {
            self.escaped(chunk.valid());
            // A byte that is no character shows that it was replaced; a U+FFFD that was there does not.
            self.out.extend(chunk.invalid().iter().map(|_| "\\ufffd"));
        }
        self.out.push('"');
        Ok(())
    }

    fn escaped(&mut self, text: &str) {
        let mut plain_from = 0;
        for (at, char) in text.char_indices() {
            let escape = match char {
                '"' => "\\\"",
                '\\' => "\\\\",
                '\x08' => "\\b",
                '\x0c' => "\\f",
                '\n' => "\\n",
                '\r' => "\\r",
                '\t' => "\\t",
                '<' if self.style != Style::Raw => "\\u003c",
                '>' if self.style != Style::Raw => "\\u003e",
                '&' if self.style != Style::Raw => "\\u0026",
                // These end lines in JavaScript.
                '\u{2028}' => "\\u2028",
                '\u{2029}' => "\\u2029",
                '\0'..='\x1f' => "",
                _ => continue,
            };
            self.out.push_str(&text[plain_from..at]);
            self.out.push_str(escape);
            if escape.is_empty() {
                self.out.push_str(&format!("\\u{:04x}", u32::from(char)));
            }
            plain_from = at + char.len_utf8();
        }
        self.out.push_str(&text[plain_from..]);
    }

    fn float(&mut self, float: f64) -> Result<(), FunctionError> {
        if !float.is_finite() {
            return Err(unsupported(float));
        }
        // The YAML layer prints floats as this package does.
        self.out.push_str(&yaml_json::to_string(&windlass_yaml::Value::Float(float)));
        Ok(())
    }

    fn float32(&mut self, float: f32) -> Result<(), FunctionError> {
        if !float.is_finite() {
            return Err(unsupported(f64::from(float)));
        }
        // The shortest digits of the small float, read as a large one, print the same.
        let shortest = format!("{float:e}").parse().unwrap_or(f64::from(float));
        self.float(shortest)
    }
}

fn unsupported(float: f64) -> FunctionError {
    let name = if float.is_nan() {
        "NaN"
    } else if float > 0.0 {
        "+Inf"
    } else {
        "-Inf"
    };
    format!("json: unsupported value: {name}").into()
}

/// Reads JSON into whatever it is.
fn read(context: &mut Context<'_>, text: &Str) -> Result<Value, String> {
    let bytes = text.as_bytes();
    context.charge_memory(bytes.len().saturating_mul(4)).map_err(|limit| limit.to_string())?;
    let value = yaml_json::parse(bytes).map_err(|error| error.to_string())?;
    Ok(Value::from_yaml(&value, Numbers::Float64))
}

fn from_json(context: &mut Context<'_>, arguments: &[Value]) -> Answer {
    Ok(Value::Map(as_map(read(context, text(arguments, 0)), "")))
}

fn from_json_array(context: &mut Context<'_>, arguments: &[Value]) -> Answer {
    Ok(Value::List(as_list(read(context, text(arguments, 0)), "")))
}

/// What decoding into a map gives: the error is a member of it.
pub(super) fn as_map(read: Result<Value, String>, prefix: &str) -> Map {
    let error = match read {
        Ok(Value::Map(map)) => return map,
        Ok(Value::Nil) => return Map::nil(&types::MAP),
        Ok(value) => format!("{prefix}{}", mismatch(&value, types::MAP.name)),
        Err(error) => error,
    };
    [("Error", Value::from(error))].into_iter().collect()
}

/// What decoding into a list gives: the error is its only item.
pub(super) fn as_list(read: Result<Value, String>, prefix: &str) -> List {
    let error = match read {
        Ok(Value::List(list)) => return list,
        Ok(Value::Nil) => return List::nil(&types::LIST),
        Ok(value) => format!("{prefix}{}", mismatch(&value, types::LIST.name)),
        Err(error) => error,
    };
    List::new(vec![error.into()])
}

fn mismatch(value: &Value, wanted: &str) -> String {
    let found = match value {
        Value::Bool(_) => "bool",
        Value::String(_) => "string",
        Value::List(_) => "array",
        Value::Map(_) => "object",
        _ => "number",
    };
    format!("json: cannot unmarshal {found} into Go value of type {wanted}")
}
