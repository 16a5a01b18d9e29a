//! Arithmetic on floats as if they were the decimal numbers they print as.
//!
//! `0.1 + 0.2` is `0.3` here: each operand becomes the shortest decimal number that reads back as it, the
//! calculation is exact (division to sixteen places), and only the result is a float again. That is how sprig
//! uses shopspring/decimal.

use num_bigint::{BigInt, Sign};

use crate::function::{Context, Entry, FunctionError, Signature};
use crate::value::Value;

use super::arguments::{ANY, Answer, any};
use super::cast::to_float;

pub(super) const FUNCTIONS: &[Entry] = &[
    Entry::new("add1f", Signature::fixed(&[ANY]), |context, arguments| {
        calculate(context, any(arguments, 0), &[Value::Int(1)], Decimal::plus)
    }),
    Entry::new("addf", Signature::variadic(&[], ANY), |context, arguments| {
        calculate(context, &Value::Float(0.0), arguments, Decimal::plus)
    }),
    Entry::new("subf", Signature::variadic(&[ANY], ANY), |context, arguments| {
        calculate(context, any(arguments, 0), &arguments[1..], Decimal::minus)
    }),
    Entry::new("mulf", Signature::variadic(&[ANY], ANY), |context, arguments| {
        calculate(context, any(arguments, 0), &arguments[1..], Decimal::times)
    }),
    Entry::new("divf", Signature::variadic(&[ANY], ANY), |context, arguments| {
        calculate(context, any(arguments, 0), &arguments[1..], Decimal::over)
    }),
];

/// The decimal places of a quotient.
const DIVISION_PLACES: i64 = 16;

/// What one more operand costs, in steps: a product of many becomes thousands of digits long.
const STEPS_PER_OPERAND: u64 = 100;

type Operation = fn(Decimal, &Decimal) -> Result<Decimal, FunctionError>;

fn calculate(context: &mut Context<'_>, first: &Value, others: &[Value], operation: Operation) -> Answer {
    let mut result = Decimal::from_float(to_float(first))?;
    for other in others {
        context.charge(STEPS_PER_OPERAND + result.digits.bits())?;
        result = operation(result, &Decimal::from_float(to_float(other))?)?;
    }
    Ok(result.to_float().into())
}

/// `digits` times ten to the `exponent`.
#[derive(Clone)]
struct Decimal {
    digits: BigInt,
    exponent: i64,
}

impl Decimal {
    fn from_float(float: f64) -> Result<Self, FunctionError> {
        if !float.is_finite() {
            let name = match float {
                f64::INFINITY => "+Inf",
                f64::NEG_INFINITY => "-Inf",
                _ => "NaN",
            };
            return Err(format!("Cannot create a Decimal from {name}").into());
        }
        // The shortest digits that read back as the float.
        let printed = format!("{float:e}");
        let (mantissa, exponent) = printed.split_once('e').unwrap_or((&printed, "0"));
        let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        let digits = format!("{whole}{fraction}").parse().unwrap_or_default();
        let places = i64::try_from(fraction.len()).unwrap_or(0);
        Ok(Self { digits, exponent: exponent.parse::<i64>().unwrap_or(0) - places })
    }

    fn to_float(&self) -> f64 {
        format!("{}e{}", self.digits, self.exponent).parse().unwrap_or(0.0)
    }

    /// The digits at a lower exponent.
    fn digits_at(&self, exponent: i64) -> BigInt {
        &self.digits * power_of_ten(self.exponent - exponent)
    }

    fn plus(self, other: &Self) -> Result<Self, FunctionError> {
        let exponent = self.exponent.min(other.exponent);
        Ok(Self { digits: self.digits_at(exponent) + other.digits_at(exponent), exponent })
    }

    fn minus(self, other: &Self) -> Result<Self, FunctionError> {
        let exponent = self.exponent.min(other.exponent);
        Ok(Self { digits: self.digits_at(exponent) - other.digits_at(exponent), exponent })
    }

    fn times(self, other: &Self) -> Result<Self, FunctionError> {
        Ok(Self { digits: self.digits * &other.digits, exponent: self.exponent + other.exponent })
    }

    /// The quotient to [`DIVISION_PLACES`], halves away from zero.
    fn over(self, other: &Self) -> Result<Self, FunctionError> {
        if other.digits.sign() == Sign::NoSign {
            return Err("decimal division by 0".into());
        }
        let shift = self.exponent - other.exponent + DIVISION_PLACES;
        let (mut dividend, mut divisor) = (self.digits, other.digits.clone());
        if shift >= 0 {
            dividend *= power_of_ten(shift);
        } else {
            divisor *= power_of_ten(-shift);
        }
        let is_negative = (dividend.sign() == Sign::Minus) != (divisor.sign() == Sign::Minus);
        let (dividend, divisor) = (dividend.into_parts().1, divisor.into_parts().1);
        let quotient = (&dividend * 2_u32 + &divisor) / (&divisor * 2_u32);
        let sign = if is_negative { Sign::Minus } else { Sign::Plus };
        Ok(Self { digits: BigInt::from_biguint(sign, quotient), exponent: -DIVISION_PLACES })
    }
}

/// Ten to an exponent that is not negative.
fn power_of_ten(exponent: i64) -> BigInt {
    BigInt::from(10).pow(u32::try_from(exponent).unwrap_or(0))
}
