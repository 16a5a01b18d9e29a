//! Paths with slashes, as text. The functions for the operating system's paths are the same: it is always Linux.

use crate::function::{Context, Entry, Signature};
use crate::value::{Str, Value};

use super::arguments::{Answer, STRING, text};

pub(super) const FUNCTIONS: &[Entry] = &[
    Entry::new("base", Signature::fixed(&[STRING]), base),
    Entry::new("osBase", Signature::fixed(&[STRING]), base),
    Entry::new("dir", Signature::fixed(&[STRING]), dir),
    Entry::new("osDir", Signature::fixed(&[STRING]), dir),
    Entry::new("clean", Signature::fixed(&[STRING]), |_, arguments| {
        Ok(Str::from(cleaned(text(arguments, 0).as_bytes())).into())
    }),
    Entry::new("osClean", Signature::fixed(&[STRING]), |_, arguments| {
        Ok(Str::from(cleaned(text(arguments, 0).as_bytes())).into())
    }),
    Entry::new("ext", Signature::fixed(&[STRING]), ext),
    Entry::new("osExt", Signature::fixed(&[STRING]), ext),
    Entry::new("isAbs", Signature::fixed(&[STRING]), is_absolute),
    Entry::new("osIsAbs", Signature::fixed(&[STRING]), is_absolute),
];

fn base(_: &mut Context<'_>, arguments: &[Value]) -> Answer {
    let path = text(arguments, 0).as_bytes();
    if path.is_empty() {
        return Ok(".".into());
    }
    let end = path.iter().rposition(|byte| *byte != b'/').map_or(0, |last| last + 1);
    let start = memchr::memrchr(b'/', &path[..end]).map_or(0, |slash| slash + 1);
    Ok(if end == 0 { "/".into() } else { Str::from_bytes(&path[start..end]).into() })
}

fn dir(_: &mut Context<'_>, arguments: &[Value]) -> Answer {
    let path = text(arguments, 0).as_bytes();
    let end = memchr::memrchr(b'/', path).map_or(0, |slash| slash + 1);
    Ok(Str::from(cleaned(&path[..end])).into())
}

/// A path without `.`, inner `..` and doubled slashes.
fn cleaned(path: &[u8]) -> Vec<u8> {
    let is_rooted = path.starts_with(b"/");
    let mut parts: Vec<&[u8]> = Vec::new();
    for part in path.split(|byte| *byte == b'/') {
        match part {
            b"" | b"." => {}
            b".." => match parts.last() {
                Some(last) if *last != b".." => {
                    parts.pop();
                }
                _ if is_rooted => {}
                _ => parts.push(part),
            },
            _ => parts.push(part),
        }
    }
    let joined = parts.join(&b'/');
    match (is_rooted, joined.is_empty()) {
        (true, _) => [b"/", joined.as_slice()].concat(),
        (false, true) => b".".to_vec(),
        (false, false) => joined,
    }
}

fn ext(_: &mut Context<'_>, arguments: &[Value]) -> Answer {
    let path = text(arguments, 0).as_bytes();
    let dot = path.iter().rposition(|byte| matches!(byte, b'.' | b'/')).filter(|at| path[*at] == b'.');
    Ok(dot.map_or(Value::EMPTY, |dot| Str::from_bytes(&path[dot..]).into()))
}

fn is_absolute(_: &mut Context<'_>, arguments: &[Value]) -> Answer {
    Ok(text(arguments, 0).as_bytes().starts_with(b"/").into())
}
