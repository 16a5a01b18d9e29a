//! Durations as values, and Helm's functions that measure and round them.

use std::any::Any;

use windlass_go::duration::Duration;

use crate::function::{Entry, FunctionError, Signature};
use crate::value::{Kind, Number, Object, Str, Type, Value};

use super::arguments::{ANY, any};
use super::cast::{parse_float, truncated};
use super::display::{display, quoted};
use super::time_methods::DURATION_METHODS;

pub(super) const FUNCTIONS: &[Entry] = &[
    Entry::new("mustToDuration", Signature::fixed(&[ANY]), |_, arguments| {
        Ok(duration_value(to_duration(any(arguments, 0))?))
    }),
    Entry::new("durationNanoseconds", Signature::fixed(&[ANY]), |_, arguments| Ok(whole(arguments, 1))),
    Entry::new("durationMicroseconds", Signature::fixed(&[ANY]), |_, arguments| Ok(whole(arguments, 1_000))),
    Entry::new("durationMilliseconds", Signature::fixed(&[ANY]), |_, arguments| {
        Ok(whole(arguments, 1_000_000))
    }),
    Entry::new("durationSeconds", Signature::fixed(&[ANY]), |_, arguments| {
        Ok(in_units(lenient(arguments), SECOND).into())
    }),
    Entry::new("durationMinutes", Signature::fixed(&[ANY]), |_, arguments| {
        Ok(in_units(lenient(arguments), 60 * SECOND).into())
    }),
    Entry::new("durationHours", Signature::fixed(&[ANY]), |_, arguments| {
        Ok(in_units(lenient(arguments), HOUR).into())
    }),
    Entry::new("durationDays", Signature::fixed(&[ANY]), |_, arguments| {
        Ok((in_units(lenient(arguments), HOUR) / 24.0).into())
    }),
    Entry::new("durationWeeks", Signature::fixed(&[ANY]), |_, arguments| {
        Ok((in_units(lenient(arguments), HOUR) / 24.0 / 7.0).into())
    }),
    Entry::new("durationRoundTo", Signature::fixed(&[ANY, ANY]), |_, arguments| {
        Ok(to_multiple(arguments, rounded))
    }),
    Entry::new("durationTruncateTo", Signature::fixed(&[ANY, ANY]), |_, arguments| {
        Ok(to_multiple(arguments, cut))
    }),
];

const SECOND: i64 = 1_000_000_000;
const HOUR: i64 = 3_600 * SECOND;

pub(super) static DURATION: Type = Type::new("time.Duration", Kind::Int64).with_methods(&DURATION_METHODS);

/// A `time.Duration` as templates hold it.
#[must_use]
pub fn duration_value(duration: Duration) -> Value {
    Value::object(DurationObject(duration))
}

/// The duration that a value is.
#[must_use]
pub fn duration(value: &Value) -> Option<Duration> {
    value.downcast::<DurationObject>().map(|object| object.0)
}

struct DurationObject(Duration);

impl Object for DurationObject {
    fn type_of(&self) -> &'static Type {
        &DURATION
    }

    fn as_any(&self) -> &dyn Any {
        self
    }

    fn text(&self) -> Option<Str> {
        Some(self.0.to_string().into())
    }

    fn scalar(&self) -> Option<Value> {
        Some(Value::Int64(self.0.as_nanos()))
    }

    fn with_scalar(&self, scalar: Value) -> Option<Value> {
        Some(duration_value(Duration::from_nanos(scalar.as_int()?)))
    }

    fn equals(&self, other: &dyn Object) -> bool {
        other.as_any().downcast_ref().is_some_and(|other: &Self| other.0 == self.0)
    }
}

/// A duration out of its text, or of a number of seconds of any type.
fn to_duration(value: &Value) -> Result<Duration, FunctionError> {
    if let Some(duration) = duration(value) {
        return Ok(duration);
    }
    match value {
        Value::Nil | Value::NoValue => Err("invalid duration".into()),
        Value::String(whole) => {
            let whole_text = whole.lossy();
            let trimmed = whole_text.trim();
            if trimmed.is_empty() {
                return Err("empty duration".into());
            }
            if let Ok(duration) = Duration::parse(trimmed) {
                return Ok(duration);
            }
            match parse_float(trimmed) {
                Some((seconds, true)) => of_seconds(seconds),
                _ => {
                    Err(format!("could not parse duration {}", String::from_utf8_lossy(&quoted(whole)))
                        .into())
                }
            }
        }
        Value::Number(Number::Float32(_)) | Value::Float(_) => of_seconds(value.as_float().unwrap_or(0.0)),
        _ => {
            let integer = value.as_int().map(i128::from).or_else(|| value.as_uint().map(i128::from));
            match integer.or_else(|| Some(i128::from(value.as_float().map(truncated)?))) {
                Some(seconds) => {
                    let limit = i128::from(i64::MAX / SECOND);
                    if !(-limit..=limit).contains(&seconds) {
                        return Err(format!("duration seconds overflow: {seconds}").into());
                    }
                    Ok(Duration::from_secs(i64::try_from(seconds).unwrap_or(0)))
                }
                None => Err(format!("unsupported duration type {}", value.type_of().name).into()),
            }
        }
    }
}

#[expect(clippy::cast_precision_loss, reason = "what the original compares with")]
fn of_seconds(seconds: f64) -> Result<Duration, FunctionError> {
    let printed = || display(&Value::Float(seconds));
    if !seconds.is_finite() {
        return Err(format!("invalid duration seconds: {}", printed()).into());
    }
    let limit = i64::MAX as f64 / SECOND as f64;
    if seconds.abs() > limit {
        return Err(format!("duration seconds overflow: {}", printed()).into());
    }
    Ok(Duration::from_nanos(truncated(seconds * SECOND as f64)))
}

/// The argument as a duration; what is none is no time.
fn lenient(arguments: &[Value]) -> Duration {
    to_duration(any(arguments, 0)).unwrap_or(Duration::ZERO)
}

fn whole(arguments: &[Value], unit: i64) -> Value {
    Value::Int64(lenient(arguments).as_nanos() / unit)
}

/// A duration in units, the whole ones and the fraction added as floats.
#[expect(clippy::cast_precision_loss, reason = "what Go's methods do")]
pub(super) fn in_units(duration: Duration, unit: i64) -> f64 {
    let nanos = duration.as_nanos();
    (nanos / unit) as f64 + (nanos % unit) as f64 / unit as f64
}

fn to_multiple(arguments: &[Value], to: fn(Duration, Duration) -> Duration) -> Value {
    let Ok(duration) = to_duration(any(arguments, 0)) else { return duration_value(Duration::ZERO) };
    duration_value(to_duration(any(arguments, 1)).map_or(duration, |multiple| to(duration, multiple)))
}

/// `Duration.Truncate`.
pub(super) fn cut(duration: Duration, multiple: Duration) -> Duration {
    let (nanos, unit) = (duration.as_nanos(), multiple.as_nanos());
    if unit <= 0 { duration } else { Duration::from_nanos(nanos - nanos % unit) }
}

/// `Duration.Round`: halves away from zero, and the longest duration where that is beyond.
pub(super) fn rounded(duration: Duration, multiple: Duration) -> Duration {
    let (nanos, unit) = (i128::from(duration.as_nanos()), i128::from(multiple.as_nanos()));
    if unit <= 0 {
        return duration;
    }
    let rest = nanos % unit;
    let toward_zero = nanos - rest;
    let is_less_than_half = rest.abs() * 2 < unit;
    let rounded = if is_less_than_half { toward_zero } else { toward_zero + unit * rest.signum() };
    let rounded = rounded.clamp(i128::from(i64::MIN), i128::from(i64::MAX));
    Duration::from_nanos(i64::try_from(rounded).unwrap_or(0))
}
