//! The keyword `format`, which drafts before 2019-09 assert.

use core::net::Ipv6Addr;

use windlass_go::re2::Regex;

/// What is wrong with a text of this format; nothing for formats that are not known.
pub(super) fn check(format: &str, text: &str) -> Result<(), String> {
    match format {
        "email" => email(text),
        "hostname" => hostname(text),
        "ipv4" => ipv4(text),
        "ipv6" => ipv6(text),
        "uri" | "iri" => uri(text),
        "uri-reference" | "iri-reference" if text.contains('\\') => Err("contains \\".into()),
        "date" => date(text),
        "date-time" => date_time(text),
        "time" => time(text),
        "uuid" => uuid(text),
        "regex" => Regex::parse(text).map(|_| ()).map_err(|error| error.to_string()),
        _ => Ok(()),
    }
}

fn fail(problem: &str) -> Result<(), String> {
    Err(problem.to_owned())
}

fn ipv4(text: &str) -> Result<(), String> {
    let groups: Vec<&str> = text.split('.').collect();
    if groups.len() != 4 {
        return fail("expected four decimals");
    }
    for group in groups {
        if group.len() > 1 && group.starts_with('0') {
            return fail("leading zeros");
        }
        match group.parse::<i64>() {
            Ok(0..=255) => {}
            Ok(_) => return fail("decimal must be between 0 and 255"),
            Err(_) => {
                let group = crate::text::quote(group);
                return Err(format!("strconv.Atoi: parsing {group}: invalid syntax"));
            }
        }
    }
    Ok(())
}

fn ipv6(text: &str) -> Result<(), String> {
    if !text.contains(':') {
        return fail("missing colon");
    }
    if text.contains('%') {
        return fail("zone id is not a part of ipv6 address");
    }
    match text.parse::<Ipv6Addr>() {
        Ok(_) => Ok(()),
        Err(_) => Err(format!("ParseAddr({}): unable to parse IP", crate::text::quote(text))),
    }
}

fn hostname(text: &str) -> Result<(), String> {
    let name = text.strip_suffix('.').unwrap_or(text);
    if name.len() > 253 {
        return fail("more than 253 characters long");
    }
    for label in name.split('.') {
        if label.is_empty() || label.len() > 63 {
            return fail("label must be 1 to 63 characters long");
        }
        if label.starts_with('-') {
            return fail("label starts with hyphen");
        }
        if label.ends_with('-') {
            return fail("label ends with hyphen");
        }
        if let Some(bad) = label.chars().find(|char| !char.is_ascii_alphanumeric() && *char != '-') {
            return Err(format!("invalid character {bad:?}"));
        }
    }
    Ok(())
}

fn email(text: &str) -> Result<(), String> {
    if text.len() > 254 {
        return fail("more than 255 characters long");
    }
    let Some((local, domain)) = text.rsplit_once('@') else { return fail("missing @") };
    if local.len() > 64 {
        return fail("local part more than 64 characters long");
    }
    if local.len() > 1 && local.starts_with('"') && local.ends_with('"') {
        if local[1..local.len() - 1].contains(['\\', '"']) {
            return fail("backslash and quote are not allowed within quoted local part");
        }
    } else {
        if local.starts_with('.') {
            return fail("starts with dot");
        }
        if local.ends_with('.') {
            return fail("ends with dot");
        }
        if local.contains("..") {
            return fail("consecutive dots");
        }
        let is_allowed = |char: char| char.is_ascii_alphanumeric() || ".!#$%&'*+-/=?^_`{|}~".contains(char);
        if let Some(bad) = local.chars().find(|char| !is_allowed(*char)) {
            return Err(format!("invalid character {bad:?}"));
        }
    }
    if let Some(address) = domain.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
        return match address.strip_prefix("IPv6:") {
            Some(address) => ipv6(address).map_err(|problem| format!("invalid ipv6 address: {problem}")),
            None => ipv4(address).map_err(|problem| format!("invalid ipv4 address: {problem}")),
        };
    }
    hostname(domain).map_err(|problem| format!("invalid domain: {problem}"))
}

fn uri(text: &str) -> Result<(), String> {
    let scheme = text.split_once(':').map(|(scheme, _)| scheme);
    let is_scheme = |scheme: &str| {
        scheme.starts_with(|char: char| char.is_ascii_alphabetic())
            && scheme.chars().all(|char| char.is_ascii_alphanumeric() || "+-.".contains(char))
    };
    match scheme {
        Some(scheme) if is_scheme(scheme) => Ok(()),
        _ => fail("relative url"),
    }
}

fn date(text: &str) -> Result<(), String> {
    let bytes = text.as_bytes();
    let is_shaped = bytes.len() == 10
        && bytes.iter().enumerate().all(|(idx, byte)| match idx {
            4 | 7 => *byte == b'-',
            _ => byte.is_ascii_digit(),
        });
    let shown = crate::text::quote(text);
    if !is_shaped {
        return Err(format!("parsing time {shown} as \"2006-01-02\": cannot parse {shown} as \"2006\""));
    }
    let part = |range: std::ops::Range<usize>| text[range].parse::<u32>().unwrap_or(0);
    let (year, month, day) = (part(0..4), part(5..7), part(8..10));
    if !(1..=12).contains(&month) {
        return Err(format!("parsing time {shown}: month out of range"));
    }
    let is_leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let n_days = match month {
        2 if is_leap => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    };
    if day == 0 || day > n_days {
        return Err(format!("parsing time {shown}: day out of range"));
    }
    Ok(())
}

fn date_time(text: &str) -> Result<(), String> {
    if text.len() < 20 {
        return fail("less than 20 characters long");
    }
    if !matches!(text.as_bytes()[10], b't' | b'T') || !text.is_char_boundary(10) {
        return fail("11th character must be t or T");
    }
    date(&text[..10]).map_err(|problem| format!("invalid date element: {problem}"))?;
    time(&text[11..]).map_err(|problem| format!("invalid time element: {problem}"))
}

fn time(text: &str) -> Result<(), String> {
    let bytes = text.as_bytes();
    if bytes.len() < 9 {
        return fail("less than 9 characters long");
    }
    if bytes[2] != b':' || bytes[5] != b':' || !text.is_ascii() {
        return fail("missing colon in correct place");
    }
    let part = |range: std::ops::Range<usize>| text[range].parse::<u32>().ok();
    let (Some(hour), Some(minute), Some(second)) = (part(0..2), part(3..5), part(6..8)) else {
        return fail("invalid hour/min/sec");
    };
    if hour > 23 || minute > 59 || second > 60 {
        return fail("hour/min/sec out of range");
    }
    let mut rest = &text[8..];
    if let Some(fraction) = rest.strip_prefix('.') {
        let after = fraction.trim_start_matches(|char: char| char.is_ascii_digit());
        if after.len() == fraction.len() {
            return fail("no digits in second fraction");
        }
        rest = after;
    }
    if matches!(rest, "z" | "Z") {
        return Ok(());
    }
    if rest.len() != 6 {
        return fail("offset must be 6 characters long");
    }
    if !rest.starts_with(['+', '-']) {
        return fail("offset must begin with plus/minus");
    }
    if rest.as_bytes()[3] != b':' {
        return fail("missing colon in offset in correct place");
    }
    match (rest[1..3].parse::<u32>(), rest[4..6].parse::<u32>()) {
        (Ok(0..=23), Ok(0..=59)) => Ok(()),
        (Ok(_), Ok(_)) => fail("hour/min in offset out of range"),
        _ => fail("invalid hour/min in offset"),
    }
}

fn uuid(text: &str) -> Result<(), String> {
    let groups: Vec<&str> = text.split('-').collect();
    let is_hex = |group: &&str| group.chars().all(|char| char.is_ascii_hexdigit());
    if groups.len() != 5 {
        return fail("must have 5 elements");
    }
    for (idx, (group, length)) in groups.iter().zip([8, 4, 4, 4, 12]).enumerate() {
        if group.len() != length {
            return Err(format!("element {} must be {length} characters long", idx + 1));
        }
        if !is_hex(group) {
            return Err(format!("non-hex character in element {}", idx + 1));
        }
    }
    Ok(())
}
