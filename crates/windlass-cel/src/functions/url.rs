//! Addresses, as far as Go's `net/url` lets an expression see them.

use super::{no_overload, quoted};
use crate::evaluate::Evaluated;
use crate::value::{Key, Map, Value};
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

/// An address that a request could be sent to.
#[derive(Clone, Debug, Default)]
pub struct Url {
    text: String,
    scheme: String,
    host: String,
    path: String,
    query: String,
}

impl Url {
    /// Reads an absolute address or an absolute path; the error is in Go's words.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let wrong = |reason: String| Err(format!("parse {}: {reason}", quoted(text)));
        if text.bytes().any(|byte| byte < b' ' || byte == 0x7f) {
            return wrong("net/url: invalid control character in URL".to_owned());
        }
        if text.is_empty() {
            return wrong("empty url".to_owned());
        }
        let mut url = Self { text: text.to_owned(), ..Self::default() };
        let mut rest = text;
        if text != "*" {
            match scheme(text) {
                Ok((scheme, after)) => {
                    url.scheme = scheme.to_ascii_lowercase();
                    rest = after;
                }
                Err(reason) => return wrong(reason.to_owned()),
            }
        }
        // A request has no fragment, so a `#` is an ordinary character while it is judged; it is cut off for the value.
        let judged = rest;
        rest = rest.split('#').next().unwrap_or(rest);
        if let Some((path, query)) = rest.split_once('?') {
            url.query = query.to_owned();
            rest = path;
        }
        if !judged.starts_with('/') {
            if !url.scheme.is_empty() {
                return Ok(url);
            }
            return wrong("invalid URI for request".to_owned());
        }
        if let Some(after) =
            rest.strip_prefix("//").filter(|_| !url.scheme.is_empty() || !rest.starts_with("///"))
        {
            let (authority, path) = match after.find('/') {
                Some(at) => after.split_at(at),
                None => (after, ""),
            };
            let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
            if let Err(reason) = check_host(host) {
                return wrong(reason);
            }
            url.host = unescape(host).unwrap_or_else(|_| host.to_owned());
            rest = path;
        }
        if let Err(bad) = unescape(rest) {
            return wrong(format!("invalid URL escape {}", quoted(&bad)));
        }
        url.path = rest.to_owned();
        Ok(url)
    }

    fn hostname(&self) -> &str {
        if let Some(inner) = self.host.strip_prefix('[') {
            return inner.split(']').next().unwrap_or(inner);
        }
        self.host.split(':').next().unwrap_or_default()
    }

    fn port(&self) -> &str {
        let after = match self.host.rsplit_once(']') {
            Some((_, after)) => after,
            None => self.host.as_str(),
        };
        after.split_once(':').map_or("", |(_, port)| port)
    }
}

impl fmt::Display for Url {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.text)
    }
}

fn scheme(text: &str) -> Result<(&str, &str), &'static str> {
    for (at, char) in text.char_indices() {
        match char {
            'a'..='z' | 'A'..='Z' => {}
            '0'..='9' | '+' | '-' | '.' if at > 0 => {}
            ':' if at == 0 => return Err("missing protocol scheme"),
            ':' => return Ok((&text[..at], &text[at + 1..])),
            _ => break,
        }
    }
    Ok(("", text))
}

fn check_host(host: &str) -> Result<(), String> {
    let port = match host.strip_prefix('[') {
        Some(inner) => match inner.split_once(']') {
            Some((_, port)) => port,
            None => return Err("missing ']' in host".to_owned()),
        },
        None => host.find(':').map_or("", |at| &host[at..]),
    };
    if !port.is_empty()
        && !port.strip_prefix(':').is_some_and(|port| port.bytes().all(|byte| byte.is_ascii_digit()))
    {
        return Err(format!("invalid port {} after host", quoted(port)));
    }
    match host.chars().find(|char| matches!(char, ' ' | '"' | '<' | '>' | '\\' | '^' | '`' | '{' | '|' | '}'))
    {
        Some(char) => Err(format!("invalid character {} in host name", quoted(&char.to_string()))),
        None => Ok(()),
    }
}

/// Resolves `%41`; the error is the escape that is none.
fn unescape(text: &str) -> Result<String, String> {
    let bytes = text.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        if bytes[at] == b'%' {
            let code =
                text.get(at + 1..at + 3).filter(|hex| hex.bytes().all(|byte| byte.is_ascii_hexdigit()));
            match code.and_then(|code| u8::from_str_radix(code, 16).ok()) {
                Some(byte) => out.push(byte),
                None => {
                    let end = (at + 3).min(bytes.len());
                    return Err(String::from_utf8_lossy(&bytes[at..end]).into_owned());
                }
            }
            at += 3;
        } else {
            out.push(bytes[at]);
            at += 1;
        }
    }
    Ok(String::from_utf8_lossy(&out).into_owned())
}

pub(super) fn call(function: &str, url: &Arc<Url>) -> Evaluated {
    Ok(match function {
        "getScheme" => Value::string(&url.scheme),
        "getHost" => Value::string(&url.host),
        "getHostname" => Value::string(url.hostname()),
        "getPort" => Value::string(url.port()),
        "getEscapedPath" => Value::string(&url.path),
        "getQuery" => {
            let mut found: BTreeMap<Arc<str>, Vec<String>> = BTreeMap::new();
            for pair in url.query.split('&').filter(|pair| !pair.is_empty() && !pair.contains(';')) {
                let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
                if let (Ok(key), Ok(value)) =
                    (unescape(&key.replace('+', " ")), unescape(&value.replace('+', " ")))
                {
                    found.entry(key.into()).or_default().push(value);
                }
            }
            Value::Map(Map::Made(Arc::new(
                found
                    .into_iter()
                    .map(|(key, values)| {
                        (Key::String(Arc::clone(&key)), (Value::String(key), Value::strings(values)))
                    })
                    .collect(),
            )))
        }
        _ => return Err(no_overload(function, &[Value::Url(Arc::clone(url))])),
    })
}
