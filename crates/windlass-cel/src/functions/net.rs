//! IP addresses and prefixes of them.

use super::{no_overload, quoted};
use crate::evaluate::{Evaluated, Fault};
use crate::value::Value;
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

pub(super) fn call(function: &str, arguments: &[Value]) -> Evaluated {
    Ok(match (function, arguments) {
        ("isIP", [Value::String(text)]) => Value::Bool(address(text).is_ok()),
        ("isCIDR", [Value::String(text)]) => Value::Bool(prefix(text).is_ok()),
        ("ip", [Value::String(text)]) => Value::Ip(address(text)?),
        ("cidr", [Value::String(text)]) => {
            let (ip, length) = prefix(text)?;
            Value::Cidr(ip, length)
        }
        ("ip.isCanonical", [Value::String(text)]) => Value::Bool(address(text)?.to_string() == **text),
        ("string", [value]) => super::convert("string", value)?,
        ("family", [Value::Ip(ip)]) => Value::Int(if ip.is_ipv4() { 4 } else { 6 }),
        ("isUnspecified", [Value::Ip(ip)]) => Value::Bool(ip.is_unspecified()),
        ("isLoopback", [Value::Ip(ip)]) => Value::Bool(ip.is_loopback()),
        ("isLinkLocalMulticast", [Value::Ip(ip)]) => Value::Bool(match ip {
            IpAddr::V4(ip) => ip.octets()[..3] == [224, 0, 0],
            IpAddr::V6(ip) => ip.segments()[0] & 0xff0f == 0xff02,
        }),
        ("isLinkLocalUnicast", [Value::Ip(ip)]) => Value::Bool(is_link_local(ip)),
        ("isGlobalUnicast", [Value::Ip(ip)]) => Value::Bool(
            !(ip.is_unspecified()
                || ip.is_loopback()
                || ip.is_multicast()
                || is_link_local(ip)
                || *ip == IpAddr::V4(Ipv4Addr::BROADCAST)),
        ),
        ("ip", [Value::Cidr(ip, _)]) => Value::Ip(*ip),
        ("prefixLength", [Value::Cidr(_, length)]) => Value::Int(i64::from(*length)),
        ("masked", [Value::Cidr(ip, length)]) => Value::Cidr(masked(*ip, *length), *length),
        ("containsIP", [Value::Cidr(ip, length), other]) => {
            let other = match other {
                Value::Ip(other) => *other,
                Value::String(text) => address(text).map_err(|_| Fault::no_overload())?,
                _ => return Err(no_overload(function, arguments)),
            };
            Value::Bool(contains(*ip, *length, other))
        }
        ("containsCIDR", [Value::Cidr(ip, length), other]) => {
            let (other, other_length) = match other {
                Value::Cidr(other, length) => (*other, *length),
                Value::String(text) => prefix(text)?,
                _ => return Err(no_overload(function, arguments)),
            };
            Value::Bool(*length <= other_length && contains(*ip, *length, other))
        }
        _ => return Err(no_overload(function, arguments)),
    })
}

fn is_link_local(ip: &IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => ip.is_link_local(),
        IpAddr::V6(ip) => ip.is_unicast_link_local(),
    }
}

fn masked(ip: IpAddr, length: u8) -> IpAddr {
    match ip {
        IpAddr::V4(ip) => {
            let mask = u32::MAX.checked_shl(32 - u32::from(length)).unwrap_or(0);
            IpAddr::V4(Ipv4Addr::from(u32::from(ip) & mask))
        }
        IpAddr::V6(ip) => {
            let mask = u128::MAX.checked_shl(128 - u32::from(length)).unwrap_or(0);
            IpAddr::V6(Ipv6Addr::from(u128::from(ip) & mask))
        }
    }
}

fn contains(ip: IpAddr, length: u8, other: IpAddr) -> bool {
    ip.is_ipv4() == other.is_ipv4() && masked(ip, length) == masked(other, length)
}

fn address(text: &str) -> Result<IpAddr, Fault> {
    let (plain, zone) = match text.split_once('%') {
        Some((plain, zone)) => (plain, Some(zone)),
        None => (text, None),
    };
    let Ok(ip) = plain.parse::<IpAddr>() else {
        let reason = reason(text);
        return Err(Fault::new(format!(
            "IP Address {} parse error during conversion from string: ParseAddr({}): {reason}",
            quoted(text),
            quoted(text)
        )));
    };
    if zone.is_some() {
        return Err(Fault::new(format!("IP address {} with zone value is not allowed", quoted(text))));
    }
    if matches!(ip, IpAddr::V6(ip) if ip.to_ipv4_mapped().is_some()) {
        return Err(Fault::new(format!("IPv4-mapped IPv6 address {} is not allowed", quoted(text))));
    }
    Ok(ip)
}

/// Why Go's `netip.ParseAddr` refuses a text, for the usual mistakes.
fn reason(text: &str) -> String {
    match text.find(['.', ':', '%']) {
        None => "unable to parse IP".to_owned(),
        Some(at) if text[at..].starts_with('.') => {
            let fields: Vec<&str> = text.split('.').collect();
            if let Some(bad) = text.find(|char: char| char != '.' && !char.is_ascii_digit()) {
                return format!("unexpected character (at {})", quoted(&text[bad..]));
            }
            if fields.iter().any(|field| field.is_empty()) {
                let at = text.find("..").map_or(0, |at| at + 1);
                return format!("IPv4 field must have at least one digit (at {})", quoted(&text[at..]));
            }
            if fields.iter().any(|field| field.len() > 1 && field.starts_with('0')) {
                return "IPv4 field has octet with leading zero".to_owned();
            }
            if fields.iter().any(|field| field.parse::<u8>().is_err()) {
                return "IPv4 field has value >255".to_owned();
            }
            if fields.len() < 4 { "IPv4 address too short" } else { "IPv4 address too long" }.to_owned()
        }
        Some(_) if !text.starts_with(|char: char| char.is_ascii_hexdigit() || char == ':') => {
            format!("each colon-separated field must have at least one digit (at {})", quoted(text))
        }
        Some(_) => "unexpected character".to_owned(),
    }
}

fn prefix(text: &str) -> Result<(IpAddr, u8), Fault> {
    let twice = "network address parse error during conversion from string: ";
    let wrong =
        |reason: String| Fault::new(format!("{twice}{twice}netip.ParsePrefix({}): {reason}", quoted(text)));
    let Some((ip, length)) = text.rsplit_once('/') else { return Err(wrong("no '/'".to_owned())) };
    let Ok(ip) = ip.parse::<IpAddr>() else {
        if ip.contains('%') {
            return Err(wrong("IPv6 zones cannot be present in a prefix".to_owned()));
        }
        return Err(wrong(format!("ParseAddr({}): {}", quoted(ip), reason(ip))));
    };
    if length.is_empty()
        || !length.bytes().all(|byte| byte.is_ascii_digit())
        || (length.len() > 1 && length.starts_with('0'))
    {
        return Err(wrong(format!("bad bits after slash: {}", quoted(length))));
    }
    let most = if ip.is_ipv4() { 32 } else { 128 };
    let length = match length.parse::<u8>() {
        Ok(length) if length <= most => length,
        _ => return Err(wrong("prefix length out of range".to_owned())),
    };
    if matches!(ip, IpAddr::V6(ip) if ip.to_ipv4_mapped().is_some()) {
        return Err(Fault::new(format!("{twice}IPv4-mapped IPv6 address {} is not allowed", quoted(text))));
    }
    Ok((ip, length))
}
