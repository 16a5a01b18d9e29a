//! Values as documents of the YAML layer.

use windlass_yaml as yaml;

use crate::function::{Context, FunctionError};
use crate::stack;
use crate::value::{Number, Str, Value};

use super::dates::time;
use super::durations::duration;
use super::encoding::base64_encoded;

/// How deep a value may nest to be written; one that contains itself nests without end.
const MAX_DEPTH: usize = 1_000;

/// Which of Go's packages the document is for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Rules {
    /// `sigs.k8s.io/yaml`: what JSON makes of the value.
    Json,
    /// yaml.v3: the value itself.
    Direct,
}

/// Why a value is no document.
pub(super) enum Refusal {
    /// It holds something that needs more than a document: a time, a character that YAML treats specially.
    Special,
    /// It cannot be written: in the words of the original, or for a limit.
    Failed(FunctionError),
}

/// The value as a document.
pub(super) fn convert(
    context: &mut Context<'_>,
    value: &Value,
    rules: Rules,
) -> Result<yaml::Value, Refusal> {
    converted(context, value, rules, 0)
}

fn converted(
    context: &mut Context<'_>,
    value: &Value,
    rules: Rules,
    depth: usize,
) -> Result<yaml::Value, Refusal> {
    if depth > MAX_DEPTH {
        let name = value.type_of().name;
        let problem = format!("json: unsupported value: encountered a cycle via {name}");
        return Err(Refusal::Failed(problem.into()));
    }
    let is_json = rules == Rules::Json;
    Ok(match value {
        Value::Nil | Value::NoValue | Value::NilOf(_) => yaml::Value::Null,
        Value::Bool(bool) => yaml::Value::Bool(*bool),
        Value::Int(int) | Value::Int64(int) => yaml::Value::Int(*int),
        Value::Float(float) => float_value(*float, rules)?,
        Value::Number(Number::Float32(float)) => {
            float_value(format!("{float:e}").parse().unwrap_or(f64::from(*float)), rules)?
        }
        Value::Number(_) => {
            let int = value.as_int().or_else(|| i64::try_from(value.as_uint()?).ok());
            yaml::Value::Int(int.ok_or(Refusal::Special)?)
        }
        Value::String(text) => yaml::Value::String(plain(text)?),
        Value::Bytes(bytes) if is_json => yaml::Value::String(base64_encoded(bytes.as_bytes()).into()),
        Value::Bytes(bytes) => {
            let items = bytes.as_bytes().iter().map(|byte| yaml::Value::Int(i64::from(*byte)));
            yaml::Value::Array(items.collect::<Vec<_>>().into())
        }
        Value::List(list) if list.is_nil() && is_json => yaml::Value::Null,
        Value::List(list) => {
            charge(context, list.len())?;
            let items =
                list.items().iter().map(|item| stack::deepen(|| converted(context, item, rules, depth + 1)));
            yaml::Value::Array(items.collect::<Result<Vec<_>, _>>()?.into())
        }
        Value::Map(map) if map.is_nil() && is_json => yaml::Value::Null,
        Value::Map(map) => {
            // A copy, not a guard: the map may be inside itself.
            let entries = map.entries();
            charge(context, entries.len())?;
            let entries = entries.into_iter().map(|(key, value)| {
                Ok((plain(&key)?, stack::deepen(|| converted(context, &value, rules, depth + 1))?))
            });
            yaml::Value::Object(entries.collect::<Result<Vec<_>, _>>()?.into_iter().collect())
        }
        Value::Object(_) if is_json && time(value).is_none() => {
            let Value::Object(object) = value else { return Err(Refusal::Special) };
            converted(context, &object.encoded(), rules, depth + 1)?
        }
        Value::Object(_) if !is_json && time(value).is_none() => match duration(value) {
            Some(duration) => yaml::Value::String(duration.to_string().into()),
            None => return Err(Refusal::Special),
        },
        Value::Object(_) | Value::Function(_) => return Err(Refusal::Special),
    })
}

/// Accounts for a container of so many values.
fn charge(context: &mut Context<'_>, count: usize) -> Result<(), Refusal> {
    let charged = context.charge(count as u64);
    let charged = charged.and_then(|()| context.charge_memory(count.saturating_mul(size_of::<Value>())));
    charged.map_err(|limit| Refusal::Failed(limit.into()))
}

fn float_value(float: f64, rules: Rules) -> Result<yaml::Value, Refusal> {
    if float.is_finite() || rules == Rules::Direct {
        return Ok(yaml::Value::Float(float));
    }
    let name = if float.is_nan() {
        "NaN"
    } else if float > 0.0 {
        "+Inf"
    } else {
        "-Inf"
    };
    Err(Refusal::Failed(format!("json: unsupported value: {name}").into()))
}

/// The text, if it has no byte that is no character, and no character that readers of YAML refuse or fold.
fn plain(text: &Str) -> Result<yaml::Str, Refusal> {
    let readable = text.as_str().ok_or(Refusal::Special)?;
    let is_special = |char| matches!(char, '\x7f'..='\u{9f}' | '\u{feff}' | '\u{fffe}' | '\u{ffff}');
    if readable.contains(is_special) { Err(Refusal::Special) } else { Ok(text.to_smol()) }
}
