//! Values as JSON that shows their Go types, and back: the form of the recorded calls.

use gotemplate::{Kind, List, Map, Number, Str, Type, Value, sprig, types};
use serde_json::{Value as Json, json};
use windlass_go::duration::Duration;
use windlass_go::time::{Time, Zone};

/// How times are recorded.
const TIME: &str = "2006-01-02 15:04:05.999999999 -07:00:00 MST";

const TYPES: [&Type; 14] = [
    &types::LISTS,
    &types::STRINGS,
    &types::INTS,
    &types::MAPS,
    &types::LIST,
    &types::MAP,
    &types::STRING_MAP,
    &types::INT64S,
    &types::FLOAT64S,
    &types::BOOLS,
    &types::BYTES,
    &types::INT_MAP,
    &types::BOOL_MAP,
    &types::BYTES_LIST,
];

/// A value with its Go type.
pub(crate) fn dump(value: &Value) -> Json {
    let name = value.type_of().name;
    match value {
        Value::NoValue | Value::Nil => Json::Null,
        Value::Bool(bool) => json!(bool),
        Value::String(text) => match text.as_str() {
            Some(text) => json!(text),
            None => json!({"b": base64(text.as_bytes())}),
        },
        Value::Bytes(bytes) => json!({name: base64(bytes.as_bytes())}),
        Value::Float(float) => json!({name: go_float(*float)}),
        Value::Number(Number::Float32(float)) => json!({name: go_float(f64::from(*float))}),
        Value::Int(_) | Value::Int64(_) | Value::Number(_) => {
            let printed = value.as_int().map(|int| int.to_string());
            json!({name: printed.or_else(|| value.as_uint().map(|uint| uint.to_string()))})
        }
        Value::List(list) if list.is_nil() => json!({"n": name}),
        Value::List(list) => {
            let items: Vec<Json> = list.items().iter().map(dump).collect();
            if name == types::LIST.name { json!(items) } else { json!({name: items}) }
        }
        Value::Map(map) if map.is_nil() => json!({"n": name}),
        Value::Map(map) => {
            let members = map.entries().into_iter().map(|(key, value)| {
                let key =
                    key.as_str().map_or_else(|| format!("base64:{}", base64(key.as_bytes())), str::to_owned);
                (key, dump(&value))
            });
            let members: serde_json::Map<String, Json> = members.collect();
            let name = if name == types::MAP.name { "m" } else { name };
            json!({name: members})
        }
        Value::Object(_) => dump_object(value),
        _ => json!({"?": name}),
    }
}

fn dump_object(value: &Value) -> Json {
    if let Some(time) = sprig::time(value) {
        json!({"t": time.format(TIME), "z": time.zone().name()})
    } else if let Some(duration) = sprig::duration(value) {
        json!({"d": duration.as_nanos().to_string()})
    } else if let Some(original) = sprig::version_original(value) {
        json!({"v": original})
    } else {
        json!({"?": value.type_of().name})
    }
}

/// The value that was dumped; `None` if it is one that only Go can make.
pub(crate) fn undump(dumped: &Json) -> Option<Value> {
    Some(match dumped {
        Json::Null => Value::Nil,
        Json::Bool(bool) => Value::Bool(*bool),
        Json::String(text) => Value::from(text.as_str()),
        Json::Array(items) => Value::list(items.iter().map(undump).collect::<Option<_>>()?),
        Json::Object(object) => return undump_typed(object),
        Json::Number(_) => return None,
    })
}

fn undump_typed(object: &serde_json::Map<String, Json>) -> Option<Value> {
    if let Some(Json::String(text)) = object.get("t") {
        return undump_time(text, object.get("z")?.as_str()?);
    }
    let (name, content) = object.iter().next()?;
    let named = |name: &str| TYPES.iter().find(|known| known.name == name).copied();
    let text = || content.as_str();
    Some(match name.as_str() {
        "b" => Value::String(Str::from_bytes(&unbase64(text()?))),
        "[]uint8" => Value::Bytes(Str::from_bytes(&unbase64(text()?))),
        "d" => sprig::duration_value(Duration::from_nanos(text()?.parse().ok()?)),
        "v" => version(text()?)?,
        "n" => Value::zero(named(text()?)?),
        "int" => Value::Int(text()?.parse().ok()?),
        "int64" => Value::Int64(text()?.parse().ok()?),
        "float64" => Value::Float(float(text()?)?),
        "int8" => Value::Number(Number::Int8(text()?.parse().ok()?)),
        "int32" => Value::Number(Number::Int32(text()?.parse().ok()?)),
        "uint" => Value::Number(Number::Uint(text()?.parse().ok()?)),
        "uint8" => Value::Number(Number::Uint8(text()?.parse().ok()?)),
        "uint64" => Value::Number(Number::Uint64(text()?.parse().ok()?)),
        #[expect(clippy::cast_possible_truncation, reason = "it was a float32")]
        "float32" => Value::Number(Number::Float32(float(text()?)? as f32)),
        "m" => Value::Map(members(content)?),
        name => {
            let kind = named(name)?;
            match content {
                Json::Array(items) => {
                    Value::List(List::typed(kind, items.iter().map(undump).collect::<Option<_>>()?))
                }
                content if kind.kind == Kind::Map => {
                    Value::Map(Map::typed(kind, members(content)?.entries().into_iter().collect()))
                }
                _ => return None,
            }
        }
    })
}

fn members(content: &Json) -> Option<Map> {
    let members = content.as_object()?.iter();
    members.map(|(key, value)| Some((key.as_str(), undump(value)?))).collect()
}

fn version(text: &str) -> Option<Value> {
    let mut functions = gotemplate::Functions::none();
    sprig::register(&mut functions);
    super::call(&functions, "semver", &[Value::from(text)]).ok()
}

/// A time of its text; the zone tells which rules it follows.
fn undump_time(text: &str, zone: &str) -> Option<Value> {
    let time = Time::parse(TIME, text, &Zone::Utc).ok()?;
    let zone = match Zone::load(zone) {
        _ if zone == "Local" => Zone::Utc,
        Ok(found) if !zone.is_empty() => found,
        _ => {
            let offset = time.offset().seconds;
            Zone::Fixed { name: zone.into(), offset }
        }
    };
    Some(sprig::time_value(time.in_zone(zone)))
}

fn go_float(float: f64) -> String {
    if float.is_nan() {
        return "NaN".into();
    }
    if float.is_infinite() {
        return if float > 0.0 { "+Inf".into() } else { "-Inf".into() };
    }
    let printed = format!("{float:e}");
    let (mantissa, exponent) = printed.split_once('e').unwrap_or((&printed, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    if float != 0.0 && !(-4..6).contains(&exponent) {
        let sign = if exponent < 0 { '-' } else { '+' };
        return format!("{mantissa}e{sign}{:02}", exponent.unsigned_abs());
    }
    format!("{float}")
}

fn float(text: &str) -> Option<f64> {
    match text {
        "NaN" => Some(f64::NAN),
        "+Inf" => Some(f64::INFINITY),
        "-Inf" => Some(f64::NEG_INFINITY),
        text => text.parse().ok(),
    }
}

fn base64(bytes: &[u8]) -> String {
    let Ok(Value::String(text)) = super::call(super::functions(), "b64enc", &[Value::string(bytes)]) else {
        return String::new();
    };
    text.to_string()
}

fn unbase64(text: &str) -> Vec<u8> {
    let Ok(Value::String(bytes)) = super::call(super::functions(), "b64dec", &[Value::from(text)]) else {
        return Vec::new();
    };
    bytes.as_bytes().to_vec()
}
