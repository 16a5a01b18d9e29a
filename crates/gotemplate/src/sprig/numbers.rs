//! Arithmetic on integers and floats, and sequences of integers.

use crate::function::{Context, Entry, FunctionError, Signature};
use crate::value::{List, Value, types};

use super::arguments::{ANY, Answer, INT, STRING, any, int, text};
use super::cast::{IntError, parse_int, scaled, to_float, to_int};
use super::display::display;

pub(super) const FUNCTIONS: &[Entry] = &[
    Entry::new("int", Signature::fixed(&[ANY]), |_, arguments| Ok(Value::Int(to_int(any(arguments, 0))))),
    Entry::new("int64", Signature::fixed(&[ANY]), |_, arguments| Ok(Value::Int64(to_int(any(arguments, 0))))),
    Entry::new("float64", Signature::fixed(&[ANY]), |_, arguments| {
        Ok(Value::Float(to_float(any(arguments, 0))))
    }),
    Entry::new("atoi", Signature::fixed(&[STRING]), atoi),
    Entry::new("toDecimal", Signature::fixed(&[ANY]), to_decimal),
    Entry::new("add1", Signature::fixed(&[ANY]), |_, arguments| {
        Ok(Value::Int64(to_int(any(arguments, 0)).wrapping_add(1)))
    }),
    Entry::new("add", Signature::variadic(&[], ANY), |_, arguments| {
        Ok(Value::Int64(arguments.iter().fold(0, |sum, value| sum.wrapping_add(to_int(value)))))
    }),
    Entry::new("sub", Signature::fixed(&[ANY, ANY]), |_, arguments| {
        Ok(Value::Int64(to_int(any(arguments, 0)).wrapping_sub(to_int(any(arguments, 1)))))
    }),
    Entry::new("mul", Signature::variadic(&[ANY], ANY), |_, arguments| {
        Ok(Value::Int64(arguments.iter().fold(1, |product, value| product.wrapping_mul(to_int(value)))))
    }),
    Entry::new("div", Signature::fixed(&[ANY, ANY]), |_, arguments| divided(arguments, i64::wrapping_div)),
    Entry::new("mod", Signature::fixed(&[ANY, ANY]), |_, arguments| divided(arguments, i64::wrapping_rem)),
    Entry::new("max", Signature::variadic(&[ANY], ANY), max),
    Entry::new("biggest", Signature::variadic(&[ANY], ANY), max),
    Entry::new("min", Signature::variadic(&[ANY], ANY), |_, arguments| {
        Ok(Value::Int64(arguments.iter().map(to_int).min().unwrap_or(0)))
    }),
    Entry::new("maxf", Signature::variadic(&[ANY], ANY), |_, arguments| Ok(extreme(arguments, larger))),
    Entry::new("minf", Signature::variadic(&[ANY], ANY), |_, arguments| Ok(extreme(arguments, smaller))),
    Entry::new("ceil", Signature::fixed(&[ANY]), |_, arguments| {
        Ok(to_float(any(arguments, 0)).ceil().into())
    }),
    Entry::new("floor", Signature::fixed(&[ANY]), |_, arguments| {
        Ok(to_float(any(arguments, 0)).floor().into())
    }),
    Entry::new("round", Signature::variadic(&[ANY, INT], &types::FLOAT64), round),
    Entry::new("until", Signature::fixed(&[INT]), until),
    Entry::new("untilStep", Signature::fixed(&[INT, INT, INT]), until_step),
    Entry::new("seq", Signature::variadic(&[], INT), seq),
];

fn atoi(_: &mut Context<'_>, arguments: &[Value]) -> Answer {
    let parsed = text(arguments, 0).as_str().map_or(Err(IntError::Syntax), |text| parse_int(text, 10));
    Ok(Value::Int(match parsed {
        Ok(int) | Err(IntError::Range(int)) => int,
        Err(IntError::Syntax) => 0,
    }))
}

/// Reads octal digits, as of a file mode.
fn to_decimal(_: &mut Context<'_>, arguments: &[Value]) -> Answer {
    let printed = display(any(arguments, 0));
    Ok(Value::Int64(printed.as_str().and_then(|text| parse_int(text, 8).ok()).unwrap_or(0)))
}

fn divided(arguments: &[Value], divide: fn(i64, i64) -> i64) -> Answer {
    match (to_int(any(arguments, 0)), to_int(any(arguments, 1))) {
        (_, 0) => Err("runtime error: integer divide by zero".into()),
        (dividend, divisor) => Ok(Value::Int64(divide(dividend, divisor))),
    }
}

fn max(_: &mut Context<'_>, arguments: &[Value]) -> Answer {
    Ok(Value::Int64(arguments.iter().map(to_int).max().unwrap_or(0)))
}

fn extreme(arguments: &[Value], choose: fn(f64, f64) -> f64) -> Value {
    arguments.iter().map(to_float).reduce(choose).unwrap_or(0.0).into()
}

/// `math.Max`: infinity before NaN, and zero before minus zero.
fn larger(one: f64, other: f64) -> f64 {
    if one == f64::INFINITY || other == f64::INFINITY {
        f64::INFINITY
    } else if one.is_nan() || other.is_nan() {
        f64::NAN
    } else if one == 0.0 && other == 0.0 {
        if one.is_sign_negative() { other } else { one }
    } else if one > other {
        one
    } else {
        other
    }
}

/// `math.Min`.
fn smaller(one: f64, other: f64) -> f64 {
    -larger(-one, -other)
}

fn round(_: &mut Context<'_>, arguments: &[Value]) -> Answer {
    let value = to_float(any(arguments, 0));
    let threshold = arguments.get(2).and_then(Value::as_float).unwrap_or(0.5);
    let power = power_of_ten(int(arguments, 1));
    let shifted = power * value;
    let rounded = if shifted.fract() >= threshold { shifted.ceil() } else { shifted.floor() };
    Ok((rounded / power).into())
}

/// `math.Pow(10, exponent)`, which is not always the float nearest to it: Go multiplies squares of 0.625, and
/// keeps the power of two beside it.
fn power_of_ten(exponent: i64) -> f64 {
    let (mut product, mut product_exponent) = (1.0_f64, 0_i64);
    let (mut square, mut square_exponent) = (0.625_f64, 4_i64);
    let mut left = exponent.unsigned_abs();
    while left != 0 {
        if !(-(1 << 12)..=1 << 12).contains(&square_exponent) {
            product_exponent += square_exponent;
            break;
        }
        if left & 1 == 1 {
            product *= square;
            product_exponent += square_exponent;
        }
        square *= square;
        square_exponent <<= 1;
        if square < 0.5 {
            square += square;
            square_exponent -= 1;
        }
        left >>= 1;
    }
    if exponent < 0 {
        product = 1.0 / product;
        product_exponent = -product_exponent;
    }
    scaled(product, product_exponent)
}

fn until(context: &mut Context<'_>, arguments: &[Value]) -> Answer {
    let count = int(arguments, 0);
    let integers = sequence(context, 0, count, if count < 0 { -1 } else { 1 })?;
    Ok(Value::List(List::typed(&types::INTS, integers.into_iter().map(Value::Int).collect())))
}

fn until_step(context: &mut Context<'_>, arguments: &[Value]) -> Answer {
    let integers = sequence(context, int(arguments, 0), int(arguments, 1), int(arguments, 2))?;
    Ok(Value::List(List::typed(&types::INTS, integers.into_iter().map(Value::Int).collect())))
}

/// The integers from `start` to before `stop`; none if the step leads away from it.
fn sequence(context: &mut Context<'_>, start: i64, stop: i64, step: i64) -> Result<Vec<i64>, FunctionError> {
    let distance = if (stop < start) == (step < 0) { start.abs_diff(stop) } else { 0 };
    if step == 0 || distance == 0 {
        return Ok(Vec::new());
    }
    let count = distance.div_ceil(step.unsigned_abs());
    context.charge(count)?;
    context.charge_memory(usize::try_from(count).unwrap_or(usize::MAX).saturating_mul(size_of::<Value>()))?;
    let mut integers = Vec::with_capacity(usize::try_from(count).unwrap_or(0));
    let mut next = start;
    for _ in 0..count {
        integers.push(next);
        next = next.wrapping_add(step);
    }
    Ok(integers)
}

/// The integers that the program `seq` prints, separated by spaces.
fn seq(context: &mut Context<'_>, arguments: &[Value]) -> Answer {
    let toward = |start: i64, end: i64| if end < start { -1 } else { 1 };
    let (start, step, end) = match arguments.len() {
        1 => (1, toward(1, int(arguments, 0)), int(arguments, 0)),
        2 => {
            let (start, end) = (int(arguments, 0), int(arguments, 1));
            (start, toward(start, end), end)
        }
        3 => (int(arguments, 0), int(arguments, 1), int(arguments, 2)),
        _ => return Ok(Value::EMPTY),
    };
    if end < start && step > 0 {
        return Ok(Value::EMPTY);
    }
    let integers = sequence(context, start, end.wrapping_add(toward(start, end)), step)?;
    let printed: Vec<String> = integers.iter().map(i64::to_string).collect();
    Ok(printed.join(" ").into())
}
