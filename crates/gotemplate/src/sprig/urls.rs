//! URLs taken apart and put together, as Go's `net/url` (1.26) does it.

use core::net::{Ipv4Addr, Ipv6Addr};

use crate::function::{Context, Entry, FunctionError, Signature};
use crate::value::{Map, Str, Value};

use super::arguments::{Answer, MAP, NIL_DEREFERENCE, STRING, map, text};
use super::display::quoted;

pub(super) const FUNCTIONS: &[Entry] = &[
    Entry::new("urlParse", Signature::fixed(&[STRING]), url_parse),
    Entry::new("urlJoin", Signature::fixed(&[MAP]), url_join),
];

/// A part of a URL, each of which has its own characters that stand for themselves.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Part {
    Path,
    Fragment,
    Host,
    Zone,
    UserPassword,
}

impl Part {
    /// Whether a byte has to be written as `%XX` in this part.
    fn escapes(self, byte: u8) -> bool {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => false,
            b'!' | b'\'' | b'(' | b')' | b'*' | b'[' | b']' | b'<' | b'>' | b'"' if self.is_host() => false,
            b'$' | b'&' | b'+' | b',' | b';' | b'=' | b':' if self.is_host() => false,
            b'$' | b'&' | b'+' | b',' | b'/' | b':' | b';' | b'=' | b'?' | b'@' => match self {
                Self::Path => byte == b'?',
                Self::UserPassword => matches!(byte, b'@' | b'/' | b'?' | b':'),
                Self::Fragment => false,
                Self::Host | Self::Zone => true,
            },
            b'!' | b'(' | b')' | b'*' => self != Self::Fragment,
            _ => true,
        }
    }

    fn is_host(self) -> bool {
        matches!(self, Self::Host | Self::Zone)
    }
}

#[derive(Default)]
struct Url {
    scheme: Vec<u8>,
    opaque: Vec<u8>,
    user: Option<User>,
    host: Vec<u8>,
    path: Vec<u8>,
    query: Vec<u8>,
    fragment: Vec<u8>,
}

struct User {
    name: Vec<u8>,
    password: Option<Vec<u8>>,
}

fn go_quoted(bytes: &[u8]) -> String {
    String::from_utf8_lossy(&quoted(&Str::from_bytes(bytes))).into_owned()
}

fn url_parse(_: &mut Context<'_>, arguments: &[Value]) -> Answer {
    let url =
        parse(text(arguments, 0).as_bytes()).map_err(|error| format!("unable to parse url: {error}"))?;
    let member = |bytes: &[u8]| Value::String(Str::from_bytes(bytes));
    let entries = [
        ("scheme", member(&url.scheme)),
        ("host", member(&url.host)),
        ("hostname", member(hostname(&url.host))),
        ("path", member(&url.path)),
        ("query", member(&url.query)),
        ("opaque", member(&url.opaque)),
        ("fragment", member(&url.fragment)),
        ("userinfo", member(&url.user.as_ref().map(User::written).unwrap_or_default())),
    ];
    Ok(Value::Map(entries.into_iter().collect::<Map>()))
}

fn url_join(_: &mut Context<'_>, arguments: &[Value]) -> Answer {
    let members = map(arguments, 0);
    let member = |key: &str| member(&members, key);
    let mut url = Url {
        scheme: member("scheme")?,
        host: member("host")?,
        path: member("path")?,
        query: member("query")?,
        opaque: member("opaque")?,
        fragment: member("fragment")?,
        user: None,
    };
    let user = member("userinfo")?;
    if !user.is_empty() {
        let carrier = [b"proto://", user.as_slice(), b"@host"].concat();
        let parsed = parse(&carrier).map_err(|error| format!("unable to parse userinfo in dict: {error}"))?;
        url.user = parsed.user;
    }
    Ok(Str::from(url.written()).into())
}

fn member(members: &Map, key: &str) -> Result<Vec<u8>, FunctionError> {
    match members.get(key) {
        None => Ok(Vec::new()),
        Some(Value::String(text)) => Ok(text.as_bytes().to_vec()),
        Some(Value::Nil | Value::NoValue) => Err(NIL_DEREFERENCE.into()),
        Some(value) => {
            let kind = value.kind();
            Err(format!("unable to parse {key} key, must be of type string, but {kind} found").into())
        }
    }
}

/// Go's `url.Parse`; the error has the address that was parsed.
fn parse(address: &[u8]) -> Result<Url, String> {
    let (before, fragment) = cut(address, b'#');
    let failed = |address: &[u8], problem: String| format!("parse {}: {problem}", go_quoted(address));
    let mut url = parse_without_fragment(before).map_err(|problem| failed(before, problem))?;
    url.fragment = unescaped(fragment, Part::Fragment).map_err(|problem| failed(address, problem))?;
    Ok(url)
}

/// What is before the first such byte, and what is after it.
fn cut(bytes: &[u8], at: u8) -> (&[u8], &[u8]) {
    match memchr::memchr(at, bytes) {
        Some(position) => (&bytes[..position], &bytes[position + 1..]),
        None => (bytes, &[]),
    }
}

fn parse_without_fragment(address: &[u8]) -> Result<Url, String> {
    if address.iter().any(|byte| *byte < b' ' || *byte == 0x7f) {
        return Err("net/url: invalid control character in URL".to_owned());
    }
    let mut url = Url::default();
    if address == b"*" {
        url.path = address.to_vec();
        return Ok(url);
    }
    let (scheme, rest) = split_scheme(address)?;
    url.scheme = scheme.to_ascii_lowercase();
    let (mut rest, query) = cut(rest, b'?');
    url.query = query.to_vec();
    if !rest.starts_with(b"/") {
        if !url.scheme.is_empty() {
            url.opaque = rest.to_vec();
            return Ok(url);
        }
        if cut(rest, b'/').0.contains(&b':') {
            return Err("first path segment in URL cannot contain colon".to_owned());
        }
    }
    if (!url.scheme.is_empty() || !rest.starts_with(b"///"))
        && let Some(authority) = rest.strip_prefix(b"//")
    {
        let end = memchr::memchr(b'/', authority).unwrap_or(authority.len());
        (url.user, url.host) = parse_authority(&url.scheme, &authority[..end])?;
        rest = &authority[end..];
    }
    url.path = unescaped(rest, Part::Path)?;
    Ok(url)
}

fn split_scheme(address: &[u8]) -> Result<(&[u8], &[u8]), String> {
    for (at, byte) in address.iter().enumerate() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' => {}
            b'0'..=b'9' | b'+' | b'-' | b'.' if at > 0 => {}
            b':' if at == 0 => return Err("missing protocol scheme".to_owned()),
            b':' => return Ok((&address[..at], &address[at + 1..])),
            _ => break,
        }
    }
    Ok((&[], address))
}

fn parse_authority(scheme: &[u8], authority: &[u8]) -> Result<(Option<User>, Vec<u8>), String> {
    let Some(at) = memchr::memrchr(b'@', authority) else {
        return Ok((None, parse_host(scheme, authority)?));
    };
    let host = parse_host(scheme, &authority[at + 1..])?;
    let info = &authority[..at];
    let is_valid = |byte: &u8| byte.is_ascii_alphanumeric() || b"-._:~!$&'()*+,;=%@".contains(byte);
    if !info.iter().all(is_valid) {
        return Err("net/url: invalid userinfo".to_owned());
    }
    let (name, password) = cut(info, b':');
    let name = unescaped(name, Part::UserPassword)?;
    let password = if info.contains(&b':') { Some(unescaped(password, Part::UserPassword)?) } else { None };
    Ok((Some(User { name, password }), host))
}

fn parse_host(scheme: &[u8], host: &[u8]) -> Result<Vec<u8>, String> {
    match memchr::memrchr(b'[', host) {
        Some(0) => return parse_literal(host),
        Some(_) => return Err("invalid IP-literal".to_owned()),
        None => {}
    }
    if let Some(first) = memchr::memchr(b':', host) {
        // More than one colon is taken for a list of hosts, but not where the web is meant.
        let is_web = matches!(scheme, b"http" | b"https");
        let colon = if is_web { first } else { memchr::memrchr(b':', host).unwrap_or(first) };
        check_port(&host[colon..])?;
    }
    unescaped(host, Part::Host)
}

fn check_port(port: &[u8]) -> Result<(), String> {
    if is_optional_port(port) { Ok(()) } else { Err(format!("invalid port {} after host", go_quoted(port))) }
}

fn is_optional_port(port: &[u8]) -> bool {
    match port {
        [] => true,
        [b':', digits @ ..] => digits.iter().all(u8::is_ascii_digit),
        _ => false,
    }
}

/// A host in brackets: an address of IPv6, with a zone perhaps.
fn parse_literal(host: &[u8]) -> Result<Vec<u8>, String> {
    let end = memchr::memrchr(b']', host).ok_or("missing ']' in host")?;
    check_port(&host[end + 1..])?;
    let port = unescaped(&host[end + 1..], Part::Host)?;
    let name = &host[1..end];
    let name = match memchr::memmem::find(name, b"%25") {
        Some(zone) => [unescaped(&name[..zone], Part::Host)?, unescaped(&name[zone..], Part::Zone)?].concat(),
        None => unescaped(name, Part::Host)?,
    };
    let readable = String::from_utf8_lossy(&name).into_owned();
    if readable.parse::<Ipv4Addr>().is_ok() {
        return Err("invalid IP-literal".to_owned());
    }
    let (address, zone) = readable.split_once('%').unwrap_or((&readable, "zone"));
    if address.parse::<Ipv6Addr>().is_err() || zone.is_empty() {
        return Err(format!("invalid host: ParseAddr({}): unable to parse IP", go_quoted(&name)));
    }
    Ok([b"[", name.as_slice(), b"]", &port].concat())
}

fn hexadecimal(byte: Option<&u8>) -> Option<u8> {
    let digit = char::from(*byte?).to_digit(16)?;
    u8::try_from(digit).ok()
}

fn unescaped(text: &[u8], part: Part) -> Result<Vec<u8>, String> {
    let mut out = Vec::with_capacity(text.len());
    let mut at = 0;
    while at < text.len() {
        let byte = text[at];
        if byte != b'%' {
            if part.is_host() && byte < 0x80 && part.escapes(byte) {
                return Err(format!("invalid character {} in host name", go_quoted(&text[at..=at])));
            }
            out.push(byte);
            at += 1;
            continue;
        }
        let invalid = || {
            let escape = &text[at..text.len().min(at + 3)];
            format!("invalid URL escape {}", go_quoted(escape))
        };
        let (Some(high), Some(low)) = (hexadecimal(text.get(at + 1)), hexadecimal(text.get(at + 2))) else {
            return Err(invalid());
        };
        let value = high << 4 | low;
        let is_percent = &text[at..at + 3] == b"%25";
        // A host may escape only what is not ASCII; its zone only what could stand there as it is.
        let is_refused = match part {
            Part::Host => high < 8 && !is_percent,
            Part::Zone => !is_percent && value != b' ' && Part::Host.escapes(value),
            _ => false,
        };
        if is_refused {
            return Err(invalid());
        }
        out.push(value);
        at += 3;
    }
    Ok(out)
}

fn escaped(text: &[u8], part: Part) -> Vec<u8> {
    const DIGITS: &[u8; 16] = b"0123456789ABCDEF";
    let mut out = Vec::with_capacity(text.len());
    for byte in text {
        if part.escapes(*byte) {
            out.extend([b'%', DIGITS[usize::from(byte >> 4)], DIGITS[usize::from(byte & 15)]]);
        } else {
            out.push(*byte);
        }
    }
    out
}

/// The host without its port and brackets.
fn hostname(host: &[u8]) -> &[u8] {
    let mut name = host;
    if let Some(colon) = memchr::memrchr(b':', host)
        && is_optional_port(&host[colon..])
    {
        name = &host[..colon];
    }
    name.strip_prefix(b"[").and_then(|name| name.strip_suffix(b"]")).unwrap_or(name)
}

impl User {
    fn written(&self) -> Vec<u8> {
        let mut out = escaped(&self.name, Part::UserPassword);
        if let Some(password) = &self.password {
            out.push(b':');
            out.extend(escaped(password, Part::UserPassword));
        }
        out
    }
}

impl Url {
    /// The address, each part escaped anew.
    fn written(&self) -> Vec<u8> {
        let mut out = Vec::new();
        if !self.scheme.is_empty() {
            out.extend_from_slice(&self.scheme);
            out.push(b':');
        }
        if self.opaque.is_empty() {
            self.write_hierarchy(&mut out);
        } else {
            out.extend_from_slice(&self.opaque);
        }
        if !self.query.is_empty() {
            out.push(b'?');
            out.extend_from_slice(&self.query);
        }
        if !self.fragment.is_empty() {
            out.push(b'#');
            out.extend(escaped(&self.fragment, Part::Fragment));
        }
        out
    }

    fn write_hierarchy(&self, out: &mut Vec<u8>) {
        let has_authority = !self.host.is_empty() || self.user.is_some();
        if has_authority || !self.scheme.is_empty() && !self.path.is_empty() {
            out.extend_from_slice(b"//");
        }
        if let Some(user) = &self.user {
            out.extend(user.written());
            out.push(b'@');
        }
        out.extend(escaped(&self.host, Part::Host));
        let path = if self.path == b"*" { self.path.clone() } else { escaped(&self.path, Part::Path) };
        if !path.is_empty() && !path.starts_with(b"/") && !self.host.is_empty() {
            out.push(b'/');
        }
        // A first segment with a colon would read as a scheme.
        if out.is_empty() && cut(&path, b'/').0.contains(&b':') {
            out.extend_from_slice(b"./");
        }
        out.extend(path);
    }
}
