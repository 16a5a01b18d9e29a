//! Dates: formatting, reading and shifting them. What is local is UTC.

use std::any::Any;

use windlass_go::duration::Duration;
use windlass_go::time::{Time, Zone};

use crate::function::{Context, Entry, FunctionError, Signature};
use crate::value::{Kind, Number, Object, Str, Type, Value};

use super::arguments::{ANY, Answer, STRING, any, text};
use super::cast::{IntError, parse_int};
use super::time_methods::METHODS;

pub(super) const FUNCTIONS: &[Entry] = &[
    Entry::new("now", Signature::fixed(&[]), |context, _| Ok(time_value(now(context)))),
    Entry::new("date", Signature::fixed(&[STRING, ANY]), |context, arguments| {
        Ok(in_zone(context, text(arguments, 0).as_bytes(), any(arguments, 1), "UTC"))
    }),
    Entry::new("dateInZone", Signature::fixed(&[STRING, ANY, STRING]), date_in_zone),
    Entry::new("date_in_zone", Signature::fixed(&[STRING, ANY, STRING]), date_in_zone),
    Entry::new("htmlDate", Signature::fixed(&[ANY]), |context, arguments| {
        Ok(in_zone(context, HTML_DATE, any(arguments, 0), "UTC"))
    }),
    Entry::new("htmlDateInZone", Signature::fixed(&[ANY, STRING]), |context, arguments| {
        Ok(in_zone(context, HTML_DATE, any(arguments, 0), &text(arguments, 1).lossy()))
    }),
    Entry::new("dateModify", Signature::fixed(&[STRING, TIME]), date_modify),
    Entry::new("date_modify", Signature::fixed(&[STRING, TIME]), date_modify),
    Entry::new("mustDateModify", Signature::fixed(&[STRING, TIME]), must_date_modify),
    Entry::new("must_date_modify", Signature::fixed(&[STRING, TIME]), must_date_modify),
    Entry::new("toDate", Signature::fixed(&[STRING, STRING]), |_, arguments| {
        Ok(time_value(parsed(arguments).unwrap_or(Time::ZERO)))
    }),
    Entry::new("mustToDate", Signature::fixed(&[STRING, STRING]), |_, arguments| {
        Ok(time_value(parsed(arguments)?))
    }),
    Entry::new("unixEpoch", Signature::fixed(&[TIME]), |_, arguments| {
        Ok(time(any(arguments, 0)).map_or(0, |time| time.unix()).to_string().into())
    }),
    Entry::new("ago", Signature::fixed(&[ANY]), ago),
    Entry::new("duration", Signature::fixed(&[ANY]), duration),
    Entry::new("durationRound", Signature::fixed(&[ANY]), duration_round),
];

const HTML_DATE: &[u8] = b"2006-01-02";

/// `time.Time`, short for tables.
pub(super) const TIME: &Type = &TIME_TYPE;

pub(super) static TIME_TYPE: Type = Type::new("time.Time", Kind::Struct).with_methods(&METHODS);

/// A `time.Time` as templates hold it: the value of a date in a document, and of `now`.
#[must_use]
pub fn time_value(time: Time) -> Value {
    Value::object(TimeObject(time))
}

/// The time that a value is.
#[must_use]
pub fn time(value: &Value) -> Option<&Time> {
    value.downcast::<TimeObject>().map(|object| &object.0)
}

struct TimeObject(Time);

impl Object for TimeObject {
    fn type_of(&self) -> &'static Type {
        TIME
    }

    fn as_any(&self) -> &dyn Any {
        self
    }

    fn text(&self) -> Option<Str> {
        Some(self.0.to_string().into())
    }

    fn encoded(&self) -> Value {
        self.0.to_rfc3339().map_or(Value::Nil, Value::from)
    }

    fn equals(&self, other: &dyn Object) -> bool {
        // Go compares the zones too.
        other.as_any().downcast_ref().is_some_and(|other: &Self| {
            other.0 == self.0
                && other.0.zone().name() == self.0.zone().name()
                && other.0.offset() == self.0.offset()
        })
    }
}

fn now(context: &mut Context<'_>) -> Time {
    let now = context.now();
    Time::from_unix(now.seconds, now.nanoseconds)
}

/// The moment that a value means: a time, or a number of seconds since 1970 of one of these types; anything
/// else is now.
fn moment(context: &mut Context<'_>, value: &Value, int32: bool) -> Time {
    match value {
        Value::Int(seconds) | Value::Int64(seconds) => Time::from_unix(*seconds, 0),
        Value::Number(Number::Int32(seconds)) if int32 => Time::from_unix(i64::from(*seconds), 0),
        _ => match time(value) {
            Some(time) => time.clone(),
            None => now(context),
        },
    }
}

fn in_zone(context: &mut Context<'_>, layout: &[u8], value: &Value, zone: &str) -> Value {
    let zone = Zone::load(zone).unwrap_or(Zone::Utc);
    Str::from(moment(context, value, true).in_zone(zone).format_bytes(layout)).into()
}

fn date_in_zone(context: &mut Context<'_>, arguments: &[Value]) -> Answer {
    Ok(in_zone(context, text(arguments, 0).as_bytes(), any(arguments, 1), &text(arguments, 2).lossy()))
}

fn date_modify(_: &mut Context<'_>, arguments: &[Value]) -> Answer {
    let Some(time) = time(any(arguments, 1)) else { return Ok(Value::Nil) };
    Ok(match Duration::parse(&text(arguments, 0).lossy()) {
        Ok(duration) => time_value(time.add(duration)),
        Err(_) => any(arguments, 1).clone(),
    })
}

fn must_date_modify(_: &mut Context<'_>, arguments: &[Value]) -> Answer {
    let Some(time) = time(any(arguments, 1)) else { return Ok(Value::Nil) };
    let duration = Duration::parse(&text(arguments, 0).lossy()).map_err(|error| error.to_string())?;
    Ok(time_value(time.add(duration)))
}

fn parsed(arguments: &[Value]) -> Result<Time, FunctionError> {
    let (layout, written) = (text(arguments, 0).as_bytes(), text(arguments, 1).as_bytes());
    Time::parse_bytes(layout, written, &Zone::Utc).map_err(|error| error.to_string().into())
}

fn ago(context: &mut Context<'_>, arguments: &[Value]) -> Answer {
    let moment = moment(context, any(arguments, 0), false);
    let elapsed = now(context).since(&moment);
    Ok(super::durations::rounded(elapsed, Duration::from_secs(1)).to_string().into())
}

/// A number of seconds as a duration; only an `int64` or a text counts.
fn duration(_: &mut Context<'_>, arguments: &[Value]) -> Answer {
    let seconds = match any(arguments, 0) {
        Value::Int64(seconds) => *seconds,
        Value::String(text) => {
            match text.as_str().map_or(Err(IntError::Syntax), |text| parse_int(text, 10)) {
                Ok(seconds) | Err(IntError::Range(seconds)) => seconds,
                Err(IntError::Syntax) => 0,
            }
        }
        _ => 0,
    };
    Ok(Duration::from_nanos(seconds.wrapping_mul(1_000_000_000)).to_string().into())
}

/// A duration in its largest whole unit: `3mo`.
fn duration_round(context: &mut Context<'_>, arguments: &[Value]) -> Answer {
    let duration = match any(arguments, 0) {
        Value::String(text) => Duration::parse(&text.lossy()).unwrap_or(Duration::ZERO),
        Value::Int64(nanos) => Duration::from_nanos(*nanos),
        value => match time(value) {
            Some(time) => now(context).since(time),
            None => Duration::ZERO,
        },
    };
    const SECOND: u64 = 1_000_000_000;
    const DAY: u64 = 86_400 * SECOND;
    let nanos = duration.as_nanos().unsigned_abs();
    let units = [
        (365 * DAY, "y"),
        (30 * DAY, "mo"),
        (DAY, "d"),
        (3_600 * SECOND, "h"),
        (60 * SECOND, "m"),
        (SECOND, "s"),
    ];
    // The unit itself is not more than one of it.
    let shown = units.iter().find(|(unit, _)| nanos > *unit);
    Ok(shown.map_or_else(|| "0s".to_owned(), |(unit, name)| format!("{}{name}", nanos / unit)).into())
}
