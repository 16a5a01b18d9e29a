//! Values: what the user gives, what charts bring, and how they become one.
//!
//! Values are the maps that templates see ([`gotemplate::Map`]), because Go's maps are references and Helm's
//! merging lets charts share some of them: what one template sets there, another one sees.

pub(crate) mod coalesce;
pub(crate) mod dependencies;
mod overrides;
mod path;

use gotemplate::{List, Map, Numbers, Type, Value, types};

pub use overrides::{OverrideError, Overrides};
pub(crate) use path::{path_value, table};

/// The type of a chart's `.Values` in Helm 4.
pub(crate) static VALUES_V4: Type = Type::named("common.Values", &types::MAP);
/// The type of a chart's `.Values` in Helm 3.
pub(crate) static VALUES_V3: Type = Type::named("chartutil.Values", &types::MAP);

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
