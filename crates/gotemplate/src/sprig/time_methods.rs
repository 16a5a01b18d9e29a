//! The methods of times and durations that templates call.

use std::any::Any;

use windlass_go::duration::Duration;
use windlass_go::time::{Civil, Time, Zone};

use crate::function::{Context, FunctionError, Signature};
use crate::value::{Kind, Methods, Object, Str, Type, Value};

use super::arguments::{Answer, INT, NIL_DEREFERENCE, STRING, any, int, text};
use super::dates::{TIME, time, time_value};
use super::durations::{self, DURATION, duration, duration_value, in_units};

pub(super) static METHODS: TimeMethods = TimeMethods;
pub(super) static DURATION_METHODS: DurationMethods = DurationMethods;

static NOTHING: Signature = Signature::fixed(&[]);
static ONE_TEXT: Signature = Signature::fixed(&[STRING]);
static ONE_TIME: Signature = Signature::fixed(&[TIME]);
static ONE_DURATION: Signature = Signature::fixed(&[&DURATION]);
static THREE_INTS: Signature = Signature::fixed(&[INT, INT, INT]);

static MONTH: Type = Type::new("time.Month", Kind::Int).with_methods(&NAME_METHODS);
static WEEKDAY: Type = Type::new("time.Weekday", Kind::Int).with_methods(&NAME_METHODS);
static NAME_METHODS: NameMethods = NameMethods;

/// The methods of `time.Time`.
pub(super) struct TimeMethods;

impl Methods for TimeMethods {
    fn signature(&self, name: &str) -> Option<&'static Signature> {
        match name {
            "String" | "GoString" | "Unix" | "UnixMilli" | "UnixMicro" | "UnixNano" | "Year" | "Month"
            | "Day" | "Hour" | "Minute" | "Second" | "Nanosecond" | "Weekday" | "YearDay" | "UTC"
            | "Local" | "IsZero" => Some(&NOTHING),
            "Format" => Some(&ONE_TEXT),
            "Before" | "After" | "Equal" | "Compare" | "Sub" => Some(&ONE_TIME),
            "Add" | "Truncate" | "Round" => Some(&ONE_DURATION),
            "AddDate" => Some(&THREE_INTS),
            _ => None,
        }
    }

    fn call(&self, receiver: &Value, name: &str, _: &mut Context<'_>, arguments: &[Value]) -> Answer {
        let time = time(receiver).ok_or(NIL_DEREFERENCE)?;
        let civil = || time.civil();
        let number = |number: u32| Value::Int(i64::from(number));
        Ok(match name {
            "String" => time.to_string().into(),
            "Unix" => Value::Int64(time.unix()),
            "UnixMilli" => Value::Int64(since_1970(time, 1_000)),
            "UnixMicro" => Value::Int64(since_1970(time, 1_000_000)),
            "UnixNano" => Value::Int64(time.unix_nanos()),
            "Year" => Value::Int(civil().year),
            "Month" => Value::object(Name { kind: &MONTH, number: civil().month }),
            "Day" => number(civil().day),
            "Hour" => number(civil().hour),
            "Minute" => number(civil().minute),
            "Second" => number(civil().second),
            "Nanosecond" => number(time.nanosecond()),
            "Weekday" => Value::object(Name { kind: &WEEKDAY, number: civil().weekday }),
            "YearDay" => number(civil().year_day),
            // What is local is UTC.
            "UTC" | "Local" => time_value(time.clone().in_zone(Zone::Utc)),
            "IsZero" => time.is_zero().into(),
            "Format" => Str::from(time.format_bytes(text(arguments, 0).as_bytes())).into(),
            "Add" => time_value(time.add(argument(arguments)?)),
            "Truncate" => time_value(moved(time, argument(arguments)?, false)),
            "Round" => time_value(moved(time, argument(arguments)?, true)),
            "AddDate" => time_value(with_date(time, int(arguments, 0), int(arguments, 1), int(arguments, 2))),
            "Before" | "After" | "Equal" | "Compare" | "Sub" => {
                let other = super::dates::time(any(arguments, 0)).ok_or(NIL_DEREFERENCE)?;
                let order = (time.unix(), time.nanosecond()).cmp(&(other.unix(), other.nanosecond()));
                match name {
                    "Before" => order.is_lt().into(),
                    "After" => order.is_gt().into(),
                    "Equal" => order.is_eq().into(),
                    "Compare" => Value::Int(order as i64),
                    _ => duration_value(time.since(other)),
                }
            }
            _ => return Err(format!("time.Time.{name} cannot be called here").into()),
        })
    }
}

fn argument(arguments: &[Value]) -> Result<Duration, FunctionError> {
    duration(any(arguments, 0)).ok_or_else(|| NIL_DEREFERENCE.into())
}

fn since_1970(time: &Time, per_second: i64) -> i64 {
    time.unix().wrapping_mul(per_second) + i64::from(time.nanosecond()) / (1_000_000_000 / per_second)
}

/// A time at the multiple of a duration before it, or nearest to it, counted from Go's zero time.
fn moved(time: &Time, multiple: Duration, nearest: bool) -> Time {
    let unit = i128::from(multiple.as_nanos());
    if unit <= 0 {
        return time.clone();
    }
    let nanos = |time: &Time| i128::from(time.unix()) * 1_000_000_000 + i128::from(time.nanosecond());
    let rest = (nanos(time) - nanos(&Time::ZERO)).rem_euclid(unit);
    let change = if nearest && rest * 2 >= unit { unit - rest } else { -rest };
    time.add(Duration::from_nanos(i64::try_from(change).unwrap_or(0)))
}

/// A time so many years, months and days later; the 31st of a short month is in the next.
fn with_date(time: &Time, years: i64, months: i64, days: i64) -> Time {
    let civil = time.civil();
    let month = i64::from(civil.month) - 1 + months;
    let first = Civil {
        year: civil.year.saturating_add(years).saturating_add(month.div_euclid(12)),
        month: u32::try_from(month.rem_euclid(12) + 1).unwrap_or(1),
        day: 1,
        ..civil
    };
    let shown = Time::from_civil(first, time.nanosecond(), &Zone::Utc);
    let days = (i64::from(civil.day) - 1).saturating_add(days);
    let shown = Time::from_unix(shown.unix().saturating_add(days.saturating_mul(86_400)), shown.nanosecond());
    Time::from_civil(shown.civil(), time.nanosecond(), time.zone())
}

/// The methods of `time.Duration`.
pub(super) struct DurationMethods;

impl Methods for DurationMethods {
    fn signature(&self, name: &str) -> Option<&'static Signature> {
        match name {
            "String" | "Hours" | "Minutes" | "Seconds" | "Milliseconds" | "Microseconds" | "Nanoseconds"
            | "Abs" => Some(&NOTHING),
            "Round" | "Truncate" => Some(&ONE_DURATION),
            _ => None,
        }
    }

    fn call(&self, receiver: &Value, name: &str, _: &mut Context<'_>, arguments: &[Value]) -> Answer {
        let duration = duration(receiver).ok_or(NIL_DEREFERENCE)?;
        let nanos = duration.as_nanos();
        Ok(match name {
            "String" => duration.to_string().into(),
            "Hours" => in_units(duration, 3_600_000_000_000).into(),
            "Minutes" => in_units(duration, 60_000_000_000).into(),
            "Seconds" => in_units(duration, 1_000_000_000).into(),
            "Milliseconds" => Value::Int64(nanos / 1_000_000),
            "Microseconds" => Value::Int64(nanos / 1_000),
            "Nanoseconds" => Value::Int64(nanos),
            "Abs" => duration_value(Duration::from_nanos(nanos.saturating_abs())),
            "Round" => duration_value(durations::rounded(duration, argument(arguments)?)),
            _ => duration_value(durations::cut(duration, argument(arguments)?)),
        })
    }
}

/// A month or a weekday: a number that prints as its name.
struct Name {
    kind: &'static Type,
    number: u32,
}

impl Object for Name {
    fn type_of(&self) -> &'static Type {
        self.kind
    }

    fn as_any(&self) -> &dyn Any {
        self
    }

    fn text(&self) -> Option<Str> {
        const MONTHS: [&str; 12] = [
            "January",
            "February",
            "March",
            "April",
            "May",
            "June",
            "July",
            "August",
            "September",
            "October",
            "November",
            "December",
        ];
        const WEEKDAYS: [&str; 7] =
            ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"];
        let number = self.number as usize;
        let name = match self.kind.name {
            "time.Month" => MONTHS.get(number.wrapping_sub(1)),
            _ => WEEKDAYS.get(number),
        };
        name.map(|name| Str::from_static(name))
    }

    fn scalar(&self) -> Option<Value> {
        Some(Value::Int(i64::from(self.number)))
    }

    fn equals(&self, other: &dyn Object) -> bool {
        other.as_any().downcast_ref().is_some_and(|other: &Self| other.number == self.number)
    }
}

struct NameMethods;

impl Methods for NameMethods {
    fn signature(&self, name: &str) -> Option<&'static Signature> {
        (name == "String").then_some(&NOTHING)
    }

    fn call(&self, receiver: &Value, _: &str, _: &mut Context<'_>, _: &[Value]) -> Answer {
        let Value::Object(object) = receiver else { return Err(NIL_DEREFERENCE.into()) };
        Ok(object.text().map_or(Value::EMPTY, Value::String))
    }
}
