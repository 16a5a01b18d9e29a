//! `html`, `js`, `urlquery`: text that is safe to put somewhere.

use windlass_go::fmt::{decode_rune, is_print};

use super::Answer;
use crate::context::Context;
use crate::format;
use crate::function::FunctionError;
use crate::value::{Str, Value};

/// The arguments printed one after the other, as the language prints values.
fn text(context: &mut Context<'_>, arguments: &[Value]) -> Result<Str, FunctionError> {
    let text = match arguments {
        [Value::String(text)] => text.clone(),
        _ => {
            let printable = arguments.iter().map(|argument| match argument {
                Value::NoValue | Value::Nil => Value::from("<no value>"),
                _ => argument.clone(),
            });
            let printable = printable.collect::<Vec<_>>();
            let text = format::sprint_indirect(&printable);
            Str::from(text.map_err(|error| FunctionError::Message(error.to_string()))?)
        }
    };
    // Escaping makes at most six bytes of one.
    context.charge_memory(text.len())?;
    Ok(text)
}

pub(super) fn html(context: &mut Context<'_>, arguments: &[Value]) -> Answer {
    let text = text(context, arguments)?;
    let mut escaped = Vec::with_capacity(text.len());
    for byte in text.as_bytes() {
        match byte {
            b'\0' => escaped.extend_from_slice("\u{fffd}".as_bytes()),
            b'"' => escaped.extend_from_slice(b"&#34;"),
            b'\'' => escaped.extend_from_slice(b"&#39;"),
            b'&' => escaped.extend_from_slice(b"&amp;"),
            b'<' => escaped.extend_from_slice(b"&lt;"),
            b'>' => escaped.extend_from_slice(b"&gt;"),
            _ => escaped.push(*byte),
        }
    }
    Ok(Value::String(Str::from(escaped)))
}

pub(super) fn js(context: &mut Context<'_>, arguments: &[Value]) -> Answer {
    let text = text(context, arguments)?;
    let mut escaped = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some(byte) = rest.first() {
        let (char, width) = decode_rune(rest);
        match byte {
            b'\\' => escaped.extend_from_slice(br"\\"),
            b'\'' => escaped.extend_from_slice(br"\'"),
            b'"' => escaped.extend_from_slice(br#"\""#),
            b'<' | b'>' | b'&' | b'=' | ..0x20 => {
                escaped.extend_from_slice(format!("\\u{byte:04X}").as_bytes());
            }
            0x20..0x80 => escaped.push(*byte),
            _ if is_print(char) => escaped.extend_from_slice(&rest[..width]),
            _ => escaped.extend_from_slice(format!("\\u{:04X}", u32::from(char)).as_bytes()),
        }
        rest = &rest[width..];
    }
    Ok(Value::String(Str::from(escaped)))
}

pub(super) fn urlquery(context: &mut Context<'_>, arguments: &[Value]) -> Answer {
    let text = text(context, arguments)?;
    let mut escaped = String::with_capacity(text.len());
    for byte in text.as_bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => {
                escaped.push(char::from(*byte));
            }
            b' ' => escaped.push('+'),
            _ => escaped.push_str(&format!("%{byte:02X}")),
        }
    }
    Ok(Value::from(escaped))
}
