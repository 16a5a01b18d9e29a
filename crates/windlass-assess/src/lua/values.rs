//! Objects as tables and back, and the clock that scripts see.

use mlua::{Lua, Table, Value as LuaValue};
use windlass_go::time::{Civil, Time, days_from_civil};
use windlass_kube::{Map, Value};

use super::Clock;

/// Tables nest no deeper: those of objects do not, and one may hold itself.
const MAX_DEPTH: usize = 200;

pub(super) fn to_lua(lua: &Lua, value: &Value) -> mlua::Result<LuaValue> {
    Ok(match value {
        Value::Null => LuaValue::Nil,
        Value::Bool(flag) => LuaValue::Boolean(*flag),
        Value::Int(number) => LuaValue::Integer(*number),
        Value::Float(number) => LuaValue::Number(*number),
        Value::String(text) => LuaValue::String(lua.create_string(text.as_bytes())?),
        Value::Array(items) => {
            let table = lua.create_table()?;
            for item in items.iter() {
                table.raw_push(to_lua(lua, item)?)?;
            }
            LuaValue::Table(table)
        }
        Value::Object(map) => {
            let table = lua.create_table()?;
            for (key, item) in map.iter() {
                table.raw_set(key.as_str(), to_lua(lua, item)?)?;
            }
            LuaValue::Table(table)
        }
    })
}

/// A table without members is what `like` is at its place: Lua does not tell an empty list from an empty object.
pub(super) fn from_lua(value: &LuaValue, like: Option<&Value>, depth: usize) -> mlua::Result<Value> {
    if depth > MAX_DEPTH {
        return Err(mlua::Error::runtime(format!("what the script returned nests deeper than {MAX_DEPTH}")));
    }
    Ok(match value {
        LuaValue::Boolean(flag) => Value::Bool(*flag),
        LuaValue::Integer(number) => Value::Int(*number),
        LuaValue::Number(number) => whole(*number),
        LuaValue::String(text) => Value::from(text.to_string_lossy()),
        LuaValue::Table(table) => table_value(table, like, depth)?,
        // Functions and the like are nothing that JSON knows.
        _ => Value::Null,
    })
}

/// Lua's numbers of 5.1 are floats; whole ones are integers to Kubernetes.
fn whole(number: f64) -> Value {
    /// Beyond this, neighbours of a float are no longer one apart.
    const EXACT: f64 = 9_007_199_254_740_992.0;
    if number.fract() == 0.0 && number.abs() < EXACT {
        #[expect(clippy::cast_possible_truncation, reason = "it is whole and small enough")]
        return Value::Int(number as i64);
    }
    Value::Float(number)
}

fn table_value(table: &Table, like: Option<&Value>, depth: usize) -> mlua::Result<Value> {
    let length = table.raw_len();
    if length > 0 {
        let mut items = Vec::with_capacity(length);
        for idx in 1..=length {
            let like = like.and_then(|like| like.items_at(&[]).get(idx - 1));
            items.push(from_lua(&table.raw_get(idx)?, like, depth + 1)?);
        }
        return Ok(Value::Array(items.into()));
    }
    let mut map = Map::new();
    for pair in table.pairs::<LuaValue, LuaValue>() {
        let (key, value) = pair?;
        let key = match key {
            LuaValue::String(text) => text.to_string_lossy(),
            LuaValue::Integer(number) => number.to_string(),
            _ => continue,
        };
        let like = like.and_then(|like| like.get(&key));
        map.insert(key.as_str(), from_lua(&value, like, depth + 1)?);
    }
    if map.is_empty() && matches!(like, Some(Value::Array(_)) | None) && depth > 0 {
        return Ok(Value::Array(Vec::new().into()));
    }
    Ok(Value::Object(map))
}

/// `os` with `time` and `date`, both in UTC.
pub(super) fn os(lua: &Lua, clock: Clock) -> mlua::Result<Table> {
    let os = lua.create_table()?;
    let now = clock.clone();
    os.set(
        "time",
        lua.create_function(move |_, of: Option<Table>| {
            let Some(of) = of else { return Ok(now()) };
            let field = |name: &str, otherwise: i64| -> mlua::Result<i64> {
                let value: LuaValue = of.get(name)?;
                Ok(match value {
                    LuaValue::Integer(number) => number,
                    #[expect(clippy::cast_possible_truncation, reason = "a field of a date is small")]
                    LuaValue::Number(number) => number as i64,
                    LuaValue::String(text) => text.to_string_lossy().trim().parse().unwrap_or(otherwise),
                    _ => otherwise,
                })
            };
            let days = days(field("year", 1970)?, field("month", 1)?, field("day", 1)?);
            Ok(days * 86_400 + field("hour", 12)? * 3600 + field("min", 0)? * 60 + field("sec", 0)?)
        })?,
    )?;
    os.set(
        "date",
        lua.create_function(move |_, (format, at): (Option<String>, Option<f64>)| {
            #[expect(clippy::cast_possible_truncation, reason = "seconds of any date fit")]
            let at = at.map_or_else(|| clock(), |at| at as i64);
            Ok(date(format.as_deref().unwrap_or("%c"), at))
        })?,
    )?;
    Ok(os)
}

/// Days since 1970 of a date; months beyond the year carry over.
fn days(year: i64, month: i64, day: i64) -> i64 {
    let months = month - 1;
    let month = u32::try_from(months.rem_euclid(12) + 1).unwrap_or(1);
    days_from_civil(year + months.div_euclid(12), month, 1) + day - 1
}

/// The signs of `strftime` that scripts use; a leading `!` asks for UTC, which it is anyway.
pub(crate) fn date(format: &str, at: i64) -> String {
    let Civil { year, month, day, hour, minute, second, .. } = Time::from_unix(at, 0).civil();
    let mut out = String::new();
    let mut chars = format.strip_prefix('!').unwrap_or(format).chars();
    while let Some(c) = chars.next() {
        if c != '%' {
            out.push(c);
            continue;
        }
        match chars.next() {
            Some('Y') => out.push_str(&year.to_string()),
            Some('y') => out.push_str(&format!("{:02}", year.rem_euclid(100))),
            Some('m') => out.push_str(&format!("{month:02}")),
            Some('d') => out.push_str(&format!("{day:02}")),
            Some('H') => out.push_str(&format!("{hour:02}")),
            Some('M') => out.push_str(&format!("{minute:02}")),
            Some('S') => out.push_str(&format!("{second:02}")),
            Some('s') => out.push_str(&at.to_string()),
            Some('F') => out.push_str(&format!("{year}-{month:02}-{day:02}")),
            Some('T' | 'X') => {
                out.push_str(&format!("{hour:02}:{minute:02}:{second:02}"));
            }
            Some('c') => out.push_str(&date("%F %T", at)),
            Some('%') => out.push('%'),
            Some(other) => {
                out.push('%');
                out.push(other);
            }
            None => out.push('%'),
        }
    }
    out
}
