//! Helm's functions for YAML and TOML, and the ones that stop a render.

use windlass_yaml::{LoadOptions, decode_text, load_with, to_yaml};

use crate::function::{Context, Entry, FunctionError, Signature};
use crate::value::{List, Map, Numbers, Str, Value};

use super::arguments::{ANY, Answer, STRING, any, text};
use super::document::{self, Refusal, Rules};
use super::json::{self, Style};
use super::toml;

pub(super) const FUNCTIONS: &[Entry] = &[
    Entry::new("toYaml", Signature::fixed(&[ANY]), |context, arguments| {
        lenient(yaml(context, any(arguments, 0)))
    }),
    Entry::new("mustToYaml", Signature::fixed(&[ANY]), |context, arguments| yaml(context, any(arguments, 0))),
    Entry::new("toYamlPretty", Signature::fixed(&[ANY]), to_yaml_pretty),
    Entry::new("fromYaml", Signature::fixed(&[STRING]), |context, arguments| {
        Ok(Value::Map(match read_yaml(context, text(arguments, 0)) {
            // Nothing leaves the map as it was: empty.
            Ok(Value::Nil) => Map::new(),
            read => json::as_map(read, FROM_YAML),
        }))
    }),
    Entry::new("fromYamlArray", Signature::fixed(&[STRING]), |context, arguments| {
        Ok(Value::List(match read_yaml(context, text(arguments, 0)) {
            Ok(Value::Nil) => List::new(Vec::new()),
            read => json::as_list(read, FROM_YAML),
        }))
    }),
    Entry::new("toToml", Signature::fixed(&[ANY]), |context, arguments| {
        match toml::encode(context, any(arguments, 0)) {
            // What the encoder refuses is the text; that it stumbles over nothing at all is not.
            Err(FunctionError::Message(error)) if !error.starts_with("reflect: ") => Ok(error.into()),
            encoded => Ok(encoded?.into()),
        }
    }),
    Entry::new("mustToToml", Signature::fixed(&[ANY]), |context, arguments| {
        Ok(toml::encode(context, any(arguments, 0))?.into())
    }),
    Entry::new("fromToml", Signature::fixed(&[STRING]), |context, arguments| {
        toml::decode(context, text(arguments, 0))
    }),
    Entry::new("fail", Signature::fixed(&[STRING]), |_, arguments| {
        Err(String::from_utf8_lossy(text(arguments, 0).as_bytes()).into_owned().into())
    }),
    Entry::new("required", Signature::fixed(&[STRING, ANY]), required),
];

/// What stands before the words of the JSON decoder, through which YAML goes.
const FROM_YAML: &str = "error unmarshaling JSON: while decoding JSON: ";

/// Without `must` a value that cannot be written is an empty text; a limit stays one.
fn lenient(answer: Answer) -> Answer {
    match answer {
        Err(FunctionError::Message(_)) => Ok(Value::EMPTY),
        answer => answer,
    }
}

fn without_last_newline(text: &str) -> &str {
    text.strip_suffix('\n').unwrap_or(text)
}

/// As `sigs.k8s.io/yaml` writes: through JSON, so that numbers and types are JSON's.
fn yaml(context: &mut Context<'_>, value: &Value) -> Answer {
    let document = match document::convert(context, value, Rules::Json) {
        Ok(document) => document,
        Err(Refusal::Failed(error)) => return Err(error),
        Err(Refusal::Special) => {
            // The original reads the JSON as YAML, which refuses some characters and folds others.
            let json = json::encoded(context, value, Style::Compact)?;
            load_with(&json, &LoadOptions::default()).map_err(|error| error.to_string())?
        }
    };
    let written = to_yaml(&document);
    Ok(without_last_newline(&written).into())
}

/// As yaml.v3 writes with an indentation of two, straight from the value.
fn to_yaml_pretty(context: &mut Context<'_>, arguments: &[Value]) -> Answer {
    lenient(
        super::pretty::yaml(context, any(arguments, 0)).map(|written| without_last_newline(&written).into()),
    )
}

fn read_yaml(context: &mut Context<'_>, text: &Str) -> Result<Value, String> {
    context.charge_memory(text.len().saturating_mul(4)).map_err(|limit| limit.to_string())?;
    let value = decode_text(text.as_bytes())
        .and_then(|text| load_with(&text, &LoadOptions::default()))
        .map_err(|error| format!("error converting YAML to JSON: {error}"))?;
    Ok(Value::from_yaml(&value, Numbers::Float64))
}

/// A value that must be there and be no empty text; the message if it is not.
fn required(_: &mut Context<'_>, arguments: &[Value]) -> Answer {
    match any(arguments, 1) {
        Value::Nil | Value::NoValue => Err(text(arguments, 0).lossy().into_owned().into()),
        Value::String(given) if given.is_empty() => Err(text(arguments, 0).lossy().into_owned().into()),
        given => Ok(given.clone()),
    }
}
