//! Values: what the user gives, what charts bring, and how they become one.
//!
//! Values are the maps that templates see ([`gotemplate::Map`]), because Go's maps are references and Helm's
//! merging lets charts share some of them: what one template sets there, another one sees.

pub(crate) mod coalesce;
pub(crate) mod dependencies;
mod overrides;
mod path;

use gotemplate::{Context, FunctionError, List, Map, Methods, Numbers, Signature, Type, Value, types};

pub use overrides::{OverrideError, Overrides};
pub(crate) use path::{path_value, table};

use crate::text::quote;

/// The type of a chart's `.Values` in Helm 4.
pub(crate) static VALUES_V4: Type = Type::named("common.Values", &types::MAP).with_methods(&ValuesMethods);
/// The type of a chart's `.Values` in Helm 3.
pub(crate) static VALUES_V3: Type = Type::named("chartutil.Values", &types::MAP).with_methods(&ValuesMethods);

/// The methods of `.Values`, which some charts call.
struct ValuesMethods;

static NOTHING: Signature = Signature::fixed(&[]);
static PATH: Signature = Signature::fixed(&[&types::STRING]);

impl Methods for ValuesMethods {
    fn signature(&self, name: &str) -> Option<&'static Signature> {
        match name {
            "AsMap" | "YAML" => Some(&NOTHING),
            "Table" | "PathValue" => Some(&PATH),
            _ => None,
        }
    }

    fn call(
        &self,
        receiver: &Value,
        name: &str,
        _: &mut Context<'_>,
        arguments: &[Value],
    ) -> Result<Value, FunctionError> {
        let Value::Map(values) = receiver else { return Err("not values".into()) };
        let path = arguments.first().and_then(Value::as_string).map(|path| path.lossy()).unwrap_or_default();
        match name {
            "AsMap" => Ok(Value::Map(values.converted(&types::MAP))),
            "YAML" => {
                let document = receiver.to_yaml().map_err(|error| error.to_string())?;
                Ok(Value::from(windlass_yaml::to_yaml(&document)))
            }
            "Table" => match table(values, &path) {
                Ok(found) => Ok(Value::Map(found.converted(values.type_of()))),
                Err(name) => Err(format!("{} is not a table", quote(&name)).into()),
            },
            _ if path.is_empty() => Err("YAML path cannot be empty".into()),
            _ => path_value(values, &path).ok_or_else(|| {
                let name = path.rsplit('.').next().unwrap_or_default();
                format!("{} is not a value", quote(name)).into()
            }),
        }
    }
}

/// Another map with copies of everything in it.
pub(crate) fn deep_copy(map: &Map) -> Map {
    Map::typed(
        map.type_of(),
        map.read().iter().map(|(key, value)| (key.clone(), copy_value(value))).collect(),
    )
}

fn copy_value(value: &Value) -> Value {
    match value {
        Value::Map(map) if !map.is_nil() => Value::Map(deep_copy(map)),
        // Lists cannot be written to; what is in them can.
        Value::List(list)
            if list.items().iter().any(|item| matches!(item, Value::Map(_) | Value::List(_))) =>
        {
            let items = list.items().iter().map(copy_value).collect();
            Value::List(List::typed(list.type_of(), items))
        }
        other => other.clone(),
    }
}

/// Values of a file as a map, their numbers as Helm has them.
pub(crate) fn from_file(values: &windlass_yaml::Value) -> Map {
    match Value::from_yaml(values, Numbers::Float64) {
        Value::Map(map) => map,
        _ => Map::new(),
    }
}
