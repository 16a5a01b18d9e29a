//! Floats as Go prints them.

/// The shortest digits that name a float, and the exponent of the first.
fn shortest(text: &str) -> (bool, String, i32) {
    let (sign, text) = match text.strip_prefix('-') {
        Some(text) => (true, text),
        None => (false, text),
    };
    let (mantissa, exponent) = text.split_once('e').unwrap_or((text, "0"));
    let digits: String = mantissa.chars().filter(|c| *c != '.').collect();
    (sign, digits, exponent.parse().unwrap_or(0))
}

/// `d.ddde±dd`, as `strconv.FormatFloat(f, 'e', -1, bits)` prints it.
fn scientific(negative: bool, digits: &str, exponent: i32) -> String {
    let mut text = String::with_capacity(digits.len() + 6);
    if negative {
        text.push('-');
    }
    text.push_str(&digits[..1]);
    if digits.len() > 1 {
        text.push('.');
        text.push_str(&digits[1..]);
    }
    text.push('e');
    text.push(if exponent < 0 { '-' } else { '+' });
    text.push_str(&format!("{:02}", exponent.abs()));
    text
}

fn special(float: f64) -> Option<&'static str> {
    if float.is_nan() {
        Some("NaN")
    } else if float.is_infinite() {
        Some(if float > 0.0 { "+Inf" } else { "-Inf" })
    } else {
        None
    }
}

/// Below this exponent, and from `GENERAL_HIGH` on, Go's shortest `%g` is scientific.
const GENERAL_LOW: i32 = -4;
const GENERAL_HIGH: i32 = 6;

fn general(float: f64, exponential: &str, positional: String, high: i32) -> String {
    if let Some(name) = special(float) {
        return name.to_owned();
    }
    let (negative, digits, exponent) = shortest(exponential);
    if exponent < GENERAL_LOW || exponent >= high {
        scientific(negative, &digits, exponent)
    } else {
        positional
    }
}

/// `strconv.FormatFloat(f, 'g', -1, 64)`.
pub(crate) fn go_g(float: f64) -> String {
    general(float, &format!("{float:e}"), format!("{float}"), GENERAL_HIGH)
}

/// `strconv.FormatFloat(f, 'g', -1, 32)`.
#[expect(clippy::cast_possible_truncation, reason = "Go rounds to 32 bits here, too")]
pub(crate) fn go_g32(float: f64) -> String {
    let float = float as f32;
    let wide = f64::from(float);
    let name = match special(wide) {
        Some("+Inf") => ".inf",
        Some("-Inf") => "-.inf",
        Some(_) => ".nan",
        None => return general(wide, &format!("{float:e}"), format!("{float}"), GENERAL_HIGH),
    };
    name.to_owned()
}

/// A float as `encoding/json` writes it: positional from 1e-6 to below 1e21.
pub(crate) fn go_json(float: f64) -> String {
    let magnitude = float.abs();
    if magnitude == 0.0 || (1e-6..1e21).contains(&magnitude) {
        return format!("{float}");
    }
    let (negative, digits, exponent) = shortest(&format!("{float:e}"));
    let text = scientific(negative, &digits, exponent);
    // The JSON encoder prints a one-digit negative exponent without its zero.
    match text.strip_suffix(|c: char| c.is_ascii_digit()).and_then(|head| head.strip_suffix("e-0")) {
        Some(head) => format!("{head}e-{}", &text[text.len() - 1..]),
        None => text,
    }
}
