//! TOML, as BurntSushi/toml 1.6 writes and reads it.

use crate::function::{Context, FunctionError};
use crate::value::{Kind, Map, Str, Value};

use super::arguments::Answer;

mod decode;
mod encode;
mod lex;
mod strings;

/// A value as TOML.
pub(super) fn encode(context: &mut Context<'_>, value: &Value) -> Result<Str, FunctionError> {
    Ok(encode::document(context, value)?.into())
}

/// TOML as a map; what is wrong with it is a member of the map.
pub(super) fn decode(context: &mut Context<'_>, text: &Str) -> Answer {
    context.charge_memory(text.len().saturating_mul(4))?;
    let map = Map::new();
    if let Err(error) = decode::document(text, &map) {
        map.insert("Error", error.into());
    }
    Ok(Value::Map(map))
}

/// Whether the encoder makes a table of the value.
fn is_table(value: &Value) -> bool {
    match value {
        Value::Map(map) => !map.is_nil(),
        Value::Object(object) => object.type_of().kind == Kind::Struct && object.text().is_none(),
        _ => false,
    }
}
