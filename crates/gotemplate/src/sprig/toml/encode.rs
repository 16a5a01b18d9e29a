//! The encoder.

use std::fmt::Write as _;

use crate::function::{Context, FunctionError};
use crate::stack;
use crate::value::{Kind, List, Number, Str, Value};

use super::super::dates::time;
use super::super::display::shortest;
use super::is_table;

/// How deep a value may nest to be written; one that contains itself nests without end.
const MAX_DEPTH: usize = 1_000;

/// A whole document.
pub(super) fn document(context: &mut Context<'_>, value: &Value) -> Result<Vec<u8>, FunctionError> {
    let mut encoder = Encoder { context, out: Vec::new(), key: Vec::new(), depth: 0 };
    match value {
        // Reflection on nothing panics in the original.
        Value::Nil | Value::NoValue => {
            return Err("reflect: call of reflect.Value.Type on zero Value".into());
        }
        value => encoder.encode(value)?,
    }
    Ok(encoder.out)
}

struct Encoder<'a, 'c> {
    context: &'a mut Context<'c>,
    out: Vec<u8>,
    key: Vec<Str>,
    /// How many arrays and inline tables are open.
    depth: usize,
}

impl Encoder<'_, '_> {
    fn encode(&mut self, value: &Value) -> Result<(), FunctionError> {
        if self.key.len() > MAX_DEPTH {
            return Err(format!("value nests deeper than {MAX_DEPTH} levels").into());
        }
        match value {
            Value::List(list) if is_array_of_tables(self.context, list)? => self.array_of_tables(list),
            _ if is_table(value) => self.table(value),
            Value::Map(_) | Value::NilOf(_) | Value::Nil | Value::NoValue => Ok(()),
            Value::Function(_) => {
                let key = written_key(&self.key);
                let key = String::from_utf8_lossy(&key).into_owned();
                Err(format!("unsupported type for key '{key}': {}", value.kind()).into())
            }
            value => self.key_value(value),
        }
    }

    /// Accounts for so many values.
    fn charge(&mut self, count: usize) -> Result<(), FunctionError> {
        self.context.charge(count as u64)?;
        Ok(self.context.charge_memory(count.saturating_mul(size_of::<Value>()))?)
    }

    fn nest(&mut self, count: usize) -> Result<(), FunctionError> {
        self.charge(count)?;
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err(format!("value nests deeper than {MAX_DEPTH} levels").into());
        }
        Ok(())
    }

    fn newline(&mut self) {
        if !self.out.is_empty() {
            self.out.push(b'\n');
        }
    }

    fn indentation(&mut self) {
        let spaces = 2 * self.key.len().saturating_sub(1);
        self.out.extend(std::iter::repeat_n(b' ', spaces));
    }

    fn key_value(&mut self, value: &Value) -> Result<(), FunctionError> {
        let Some(last) = self.key.last().cloned() else { return self.element(value) };
        self.indentation();
        self.out.extend(maybe_quoted(&last));
        self.out.extend_from_slice(b" = ");
        self.element(value)?;
        self.newline();
        Ok(())
    }

    fn table(&mut self, value: &Value) -> Result<(), FunctionError> {
        if self.key.len() == 1 {
            self.newline();
        }
        if !self.key.is_empty() {
            self.indentation();
            self.out.push(b'[');
            self.out.extend(written_key(&self.key));
            self.out.push(b']');
            self.newline();
        }
        self.members(value)
    }

    fn array_of_tables(&mut self, list: &List) -> Result<(), FunctionError> {
        if self.key.is_empty() {
            return Err("toml: top-level values must be Go maps or structs".into());
        }
        for item in list.items() {
            self.newline();
            self.indentation();
            self.out.extend_from_slice(b"[[");
            self.out.extend(written_key(&self.key));
            self.out.extend_from_slice(b"]]");
            self.newline();
            self.members(item)?;
        }
        Ok(())
    }

    /// The members of a table: plain ones first, those that open tables of their own after them.
    fn members(&mut self, value: &Value) -> Result<(), FunctionError> {
        let (direct, tables) = split_members(self.context, value)?;
        self.charge(direct.len() + tables.len())?;
        for (key, value) in direct.into_iter().chain(tables).filter(|(_, value)| !is_nil(value)) {
            self.key.push(key);
            stack::deepen(|| self.encode(&value))?;
            self.key.pop();
        }
        Ok(())
    }

    /// A value after an equals sign or in an array.
    fn element(&mut self, value: &Value) -> Result<(), FunctionError> {
        if let Some(time) = time(value) {
            self.out.extend(time.format_bytes(b"2006-01-02T15:04:05.999999999Z07:00"));
            return Ok(());
        }
        match value {
            Value::Object(object) => match object.text() {
                Some(text) if !is_table(value) => self.string(&text)?,
                _ if is_table(value) => self.inline_table(value)?,
                _ => match object.scalar() {
                    Some(scalar) => self.element(&scalar)?,
                    None => self.string(&Str::new())?,
                },
            },
            Value::String(text) => self.string(text)?,
            Value::Bool(bool) => self.out.extend_from_slice(if *bool { b"true" } else { b"false" }),
            Value::Float(float) => self.float(*float),
            Value::Number(Number::Float32(float)) => {
                self.float(format!("{float:e}").parse().unwrap_or(f64::from(*float)));
            }
            Value::Bytes(bytes) => {
                let items: Vec<String> = bytes.as_bytes().iter().map(u8::to_string).collect();
                self.out.extend_from_slice(format!("[{}]", items.join(", ")).as_bytes());
            }
            Value::List(list) => {
                self.out.push(b'[');
                self.nest(list.len())?;
                for (position, item) in list.items().iter().enumerate() {
                    if position > 0 {
                        self.out.extend_from_slice(b", ");
                    }
                    stack::deepen(|| self.element(item))?;
                }
                self.depth -= 1;
                self.out.push(b']');
            }
            Value::Map(_) => self.inline_table(value)?,
            Value::Nil | Value::NoValue | Value::NilOf(_) => {
                return Err("reflect: call of reflect.Value.Interface on zero Value".into());
            }
            Value::Function(_) => return Err(format!("unexpected type: {}", value.type_of().name).into()),
            _ => match (value.as_int(), value.as_uint()) {
                (Some(int), _) => self.out.extend_from_slice(int.to_string().as_bytes()),
                (_, Some(uint)) => self.out.extend_from_slice(uint.to_string().as_bytes()),
                _ => return Err(format!("unexpected type: {}", value.type_of().name).into()),
            },
        }
        Ok(())
    }

    fn inline_table(&mut self, value: &Value) -> Result<(), FunctionError> {
        let (direct, tables) = split_members(self.context, value)?;
        self.nest(direct.len() + tables.len())?;
        self.out.push(b'{');
        for (members, comma_after_last) in [(&direct, !tables.is_empty()), (&tables, false)] {
            for (position, (key, value)) in members.iter().enumerate() {
                // The comma is decided by position, so that a nil at the end leaves one behind.
                if is_nil(value) {
                    continue;
                }
                self.out.extend(maybe_quoted(key));
                self.out.extend_from_slice(b" = ");
                stack::deepen(|| self.element(value))?;
                if comma_after_last || position + 1 != members.len() {
                    self.out.extend_from_slice(b", ");
                }
            }
        }
        self.out.push(b'}');
        self.depth -= 1;
        Ok(())
    }

    fn float(&mut self, float: f64) {
        let printed = if float.is_nan() {
            if float.is_sign_negative() { "-nan".to_owned() } else { "nan".to_owned() }
        } else if float.is_infinite() {
            if float < 0.0 { "-inf".to_owned() } else { "inf".to_owned() }
        } else {
            let printed = shortest(float);
            if printed.contains(['e', '.']) { printed } else { format!("{printed}.0") }
        };
        self.out.extend_from_slice(printed.as_bytes());
    }

    fn string(&mut self, text: &Str) -> Result<(), FunctionError> {
        self.context.charge_memory(text.len())?;
        self.out.push(b'"');
        self.out.extend(escaped(text.as_bytes()));
        self.out.push(b'"');
        Ok(())
    }
}

fn is_nil(value: &Value) -> bool {
    value.is_nil()
}

type Members = Vec<(Str, Value)>;

/// The members that are written as `key = value`, and those that are tables.
fn split_members(context: &mut Context<'_>, value: &Value) -> Result<(Members, Members), FunctionError> {
    let members = match value {
        Value::Map(map) => map.entries(),
        Value::Object(object) => {
            object.fields().into_iter().map(|(name, value)| (Str::from_static(name), value)).collect()
        }
        _ => Vec::new(),
    };
    let (mut direct, mut tables) = (Vec::new(), Vec::new());
    for (key, value) in members {
        let opens_table = match &value {
            Value::List(list) => is_array_of_tables(context, list)?,
            Value::Function(_) => return Err(format!("unsupported type: {}", Kind::Func).into()),
            value => is_table(value),
        };
        if opens_table { tables.push((key, value)) } else { direct.push((key, value)) }
    }
    Ok((direct, tables))
}

/// Whether every item of a list is a table. Lists may not hold nil.
fn is_array_of_tables(context: &mut Context<'_>, list: &List) -> Result<bool, FunctionError> {
    context.charge(list.len() as u64)?;
    if list.is_nil() || list.is_empty() {
        return Ok(false);
    }
    let mut all = true;
    for item in list.items() {
        if is_nil(item) {
            return Err("toml: cannot encode array with nil element".into());
        }
        // The type of an inner list is asked for too, which looks for nil in it.
        if let Value::List(inner) = item {
            stack::deepen(|| is_array_of_tables(context, inner))?;
        }
        all &= is_table(item);
    }
    Ok(all)
}

pub(super) fn written_key(key: &[Str]) -> Vec<u8> {
    let parts: Vec<Vec<u8>> = key.iter().map(maybe_quoted).collect();
    parts.join(&b'.')
}

/// A key, in quotes unless it is made of letters, digits, `-` and `_` alone.
fn maybe_quoted(key: &Str) -> Vec<u8> {
    let bytes = key.as_bytes();
    let is_bare = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    if bytes.is_empty() {
        b"\"\"".to_vec()
    } else if bytes.iter().all(is_bare) {
        bytes.to_vec()
    } else {
        [b"\"", escaped(bytes).as_slice(), b"\""].concat()
    }
}

fn escaped(bytes: &[u8]) -> Vec<u8> {
    let mut out = String::new();
    let mut bytes_out = Vec::with_capacity(bytes.len());
    for byte in bytes {
        out.clear();
        match byte {
            b'"' => out.push_str("\\\""),
            b'\\' => out.push_str("\\\\"),
            b'\x08' => out.push_str("\\b"),
            b'\t' => out.push_str("\\t"),
            b'\n' => out.push_str("\\n"),
            b'\x0c' => out.push_str("\\f"),
            b'\r' => out.push_str("\\r"),
            // Writing to a string cannot fail.
            0..=0x1f | 0x7f => _ = write!(out, "\\u{byte:04x}"),
            _ => {
                bytes_out.push(*byte);
                continue;
            }
        }
        bytes_out.extend_from_slice(out.as_bytes());
    }
    bytes_out
}
