//! Points and spans of time.

use super::no_overload;
use crate::evaluate::{Evaluated, Fault};
use crate::value::Value;
use windlass_go::duration::Duration;
use windlass_go::time::{Time, Zone};

/// The first second of year 1 and the last of year 9999, as in cel-go.
const FIRST: i64 = -62_135_596_800;
const LAST: i64 = 253_402_300_799;

fn timestamp_overflow() -> Fault {
    Fault::new("timestamp overflow")
}

fn in_range(time: Time) -> Evaluated {
    if (FIRST..=LAST).contains(&time.unix()) {
        Ok(Value::Timestamp(Box::new(time)))
    } else {
        Err(timestamp_overflow())
    }
}

pub(super) fn from_unix(seconds: i64) -> Evaluated {
    in_range(Time::from_unix(seconds, 0))
}

/// A time as RFC 3339 writes it; nothing if it is none.
pub(super) fn parse(text: &str) -> Option<Evaluated> {
    let time = Time::parse("2006-01-02T15:04:05Z07:00", text, &Zone::Utc).ok()?;
    Some(in_range(time))
}

fn total_nanos(time: &Time) -> i128 {
    i128::from(time.unix()) * 1_000_000_000 + i128::from(time.nanosecond())
}

fn shifted(time: &Time, nanos: i128) -> Evaluated {
    let total = total_nanos(time) + nanos;
    let seconds = i64::try_from(total.div_euclid(1_000_000_000)).map_err(|_| timestamp_overflow())?;
    let rest = u32::try_from(total.rem_euclid(1_000_000_000)).unwrap_or(0);
    in_range(Time::from_unix(seconds, rest).in_zone(time.zone().clone()))
}

pub(super) fn arithmetic(symbol: &str, left: &Value, right: &Value) -> Evaluated {
    let span = |nanos: Option<i64>| match nanos {
        Some(nanos) => Ok(Value::Duration(Duration::from_nanos(nanos))),
        None => Err(Fault::new("duration overflow")),
    };
    match (symbol, left, right) {
        ("+", Value::Duration(left), Value::Duration(right)) => {
            span(left.as_nanos().checked_add(right.as_nanos()))
        }
        ("-", Value::Duration(left), Value::Duration(right)) => {
            span(left.as_nanos().checked_sub(right.as_nanos()))
        }
        ("+", Value::Timestamp(time), Value::Duration(duration))
        | ("+", Value::Duration(duration), Value::Timestamp(time)) => {
            shifted(time, i128::from(duration.as_nanos()))
        }
        ("-", Value::Timestamp(time), Value::Duration(duration)) => {
            shifted(time, -i128::from(duration.as_nanos()))
        }
        ("-", Value::Timestamp(left), Value::Timestamp(right)) => {
            span(i64::try_from(total_nanos(left) - total_nanos(right)).ok())
        }
        _ => Err(Fault::no_overload()),
    }
}

fn zone(name: &str) -> Result<Zone, Fault> {
    let Some((hours, minutes)) = name.split_once(':') else {
        return Zone::load(name).map_err(|error| Fault::new(error.to_string()));
    };
    let number = |text: &str| {
        text.parse::<i32>()
            .map_err(|_| Fault::new(format!("strconv.Atoi: parsing {}: invalid syntax", super::quoted(text))))
    };
    let (hours_east, minutes) = (number(hours)?, number(minutes)?);
    let signed = if name.starts_with('-') { -minutes } else { minutes };
    let offset = hours_east.saturating_mul(60).saturating_add(signed).saturating_mul(60);
    Ok(Zone::Fixed { name: "".into(), offset })
}

pub(super) fn call(function: &str, arguments: &[Value]) -> Evaluated {
    let part = match arguments {
        [Value::Duration(duration)] => {
            let nanos = duration.as_nanos();
            return Ok(Value::Int(match function {
                "getHours" => nanos / 3_600_000_000_000,
                "getMinutes" => nanos / 60_000_000_000,
                "getSeconds" => nanos / 1_000_000_000,
                "getMilliseconds" => nanos / 1_000_000,
                _ => return Err(no_overload(function, arguments)),
            }));
        }
        [Value::Timestamp(time)] => (**time).clone().in_zone(Zone::Utc),
        [Value::Timestamp(time), Value::String(name)] => (**time).clone().in_zone(zone(name)?),
        _ => return Err(no_overload(function, arguments)),
    };
    let number = |layout: &str| part.format(layout).parse::<i64>().unwrap_or(0);
    Ok(Value::Int(match function {
        "getFullYear" => number("2006"),
        "getMonth" => number("1") - 1,
        "getDate" => number("2"),
        "getDayOfMonth" => number("2") - 1,
        "getDayOfWeek" => {
            let local = part.unix() + i64::from(part.offset().seconds);
            (local.div_euclid(86_400) + 4).rem_euclid(7)
        }
        "getDayOfYear" => number("002") - 1,
        "getHours" => number("15"),
        "getMinutes" => number("4"),
        "getSeconds" => number("5"),
        "getMilliseconds" => i64::from(part.nanosecond() / 1_000_000),
        _ => return Err(no_overload(function, arguments)),
    }))
}
