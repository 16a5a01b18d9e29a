//! Strings: searching, cutting, padding, quoting, joining.

use crate::function::{Context, Entry, FunctionError, Signature};
use crate::value::{Kind, Map, Str, Value, types};

use super::arguments::{ANY, Answer, INT, STRING, any, bounds_error, int, items, text};
use super::display::{display, quoted, string_of};
use super::runes;

pub(super) const FUNCTIONS: &[Entry] = &[
    Entry::new("hello", Signature::fixed(&[]), |_, _| Ok(Value::from("Hello!"))),
    Entry::new("trim", Signature::fixed(&[STRING]), trim),
    Entry::new("trimall", Signature::fixed(&[STRING, STRING]), trim_all),
    Entry::new("trimAll", Signature::fixed(&[STRING, STRING]), trim_all),
    Entry::new("trimSuffix", Signature::fixed(&[STRING, STRING]), trim_suffix),
    Entry::new("trimPrefix", Signature::fixed(&[STRING, STRING]), trim_prefix),
    Entry::new("contains", Signature::fixed(&[STRING, STRING]), contains),
    Entry::new("hasPrefix", Signature::fixed(&[STRING, STRING]), has_prefix),
    Entry::new("hasSuffix", Signature::fixed(&[STRING, STRING]), has_suffix),
    Entry::new("trunc", Signature::fixed(&[INT, STRING]), trunc),
    Entry::new("substr", Signature::fixed(&[INT, INT, STRING]), substr),
    Entry::new("abbrev", Signature::fixed(&[INT, STRING]), abbrev),
    Entry::new("abbrevboth", Signature::fixed(&[INT, INT, STRING]), abbrev_both),
    Entry::new("repeat", Signature::fixed(&[INT, STRING]), repeat),
    Entry::new("indent", Signature::fixed(&[INT, STRING]), indent),
    Entry::new("nindent", Signature::fixed(&[INT, STRING]), nindent),
    Entry::new("wrap", Signature::fixed(&[INT, STRING]), wrap),
    Entry::new("wrapWith", Signature::fixed(&[INT, STRING, STRING]), wrap_with),
    Entry::new("replace", Signature::fixed(&[STRING, STRING, STRING]), replace),
    Entry::new("plural", Signature::fixed(&[STRING, STRING, INT]), plural),
    Entry::new("quote", Signature::variadic(&[], ANY), quote),
    Entry::new("squote", Signature::variadic(&[], ANY), single_quote),
    Entry::new("cat", Signature::variadic(&[], ANY), cat),
    Entry::new("toString", Signature::fixed(&[ANY]), |_, arguments| Ok(string_of(any(arguments, 0)).into())),
    Entry::new("toStrings", Signature::fixed(&[ANY]), to_strings),
    Entry::new("join", Signature::fixed(&[STRING, ANY]), join),
    Entry::new("sortAlpha", Signature::fixed(&[ANY]), sort_alpha),
    Entry::new("split", Signature::fixed(&[STRING, STRING]), split),
    Entry::new("splitList", Signature::fixed(&[STRING, STRING]), split_list),
    Entry::new("splitn", Signature::fixed(&[STRING, INT, STRING]), splitn),
];

fn trim(_: &mut Context<'_>, arguments: &[Value]) -> Answer {
    Ok(trim_where(text(arguments, 0), true, true, runes::is_space).into())
}

fn trim_all(_: &mut Context<'_>, arguments: &[Value]) -> Answer {
    let set: Vec<char> = runes::decode(text(arguments, 0).as_bytes()).iter().map(|(char, _)| *char).collect();
    Ok(trim_where(text(arguments, 1), true, true, |char| set.contains(&char)).into())
}

/// Cuts the characters off both ends that `cuts` names.
fn trim_where(text: &Str, start: bool, end: bool, cuts: impl Fn(char) -> bool) -> Str {
    let bytes = text.as_bytes();
    if let Some(text) = text.as_str() {
        let trimmed = if start { text.trim_start_matches(&cuts) } else { text };
        let trimmed = if end { trimmed.trim_end_matches(&cuts) } else { trimmed };
        return Str::from(trimmed);
    }
    let runes = runes::decode(bytes);
    let length = |(char, length): &(char, usize)| cuts(*char).then_some(*length);
    let cut_start: usize = if start { runes.iter().map_while(length).sum() } else { 0 };
    let cut_end: usize = if end { runes.iter().rev().map_while(length).sum() } else { 0 };
    Str::from_bytes(bytes.get(cut_start..bytes.len() - cut_end).unwrap_or_default())
}

fn trim_suffix(_: &mut Context<'_>, arguments: &[Value]) -> Answer {
    let (suffix, whole) = (text(arguments, 0), text(arguments, 1));
    Ok(match whole.as_bytes().strip_suffix(suffix.as_bytes()) {
        Some(rest) if !suffix.is_empty() => Str::from_bytes(rest).into(),
        _ => whole.clone().into(),
    })
}

fn trim_prefix(_: &mut Context<'_>, arguments: &[Value]) -> Answer {
    let (prefix, whole) = (text(arguments, 0), text(arguments, 1));
    Ok(match whole.as_bytes().strip_prefix(prefix.as_bytes()) {
        Some(rest) if !prefix.is_empty() => Str::from_bytes(rest).into(),
        _ => whole.clone().into(),
    })
}

fn contains(_: &mut Context<'_>, arguments: &[Value]) -> Answer {
    let (part, whole) = (text(arguments, 0), text(arguments, 1));
    Ok(memchr::memmem::find(whole.as_bytes(), part.as_bytes()).is_some().into())
}

fn has_prefix(_: &mut Context<'_>, arguments: &[Value]) -> Answer {
    Ok(text(arguments, 1).as_bytes().starts_with(text(arguments, 0).as_bytes()).into())
}

fn has_suffix(_: &mut Context<'_>, arguments: &[Value]) -> Answer {
    Ok(text(arguments, 1).as_bytes().ends_with(text(arguments, 0).as_bytes()).into())
}

fn trunc(_: &mut Context<'_>, arguments: &[Value]) -> Answer {
    let (count, whole) = (int(arguments, 0), text(arguments, 1));
    let bytes = whole.as_bytes();
    let distance = usize::try_from(count.unsigned_abs()).unwrap_or(usize::MAX);
    Ok(match bytes.len().checked_sub(distance) {
        Some(start) if count < 0 && start > 0 => Str::from_bytes(&bytes[start..]).into(),
        Some(_) if count >= 0 => Str::from_bytes(&bytes[..distance]).into(),
        _ => whole.clone().into(),
    })
}

fn substr(_: &mut Context<'_>, arguments: &[Value]) -> Answer {
    let (start, end, whole) = (int(arguments, 0), int(arguments, 1), text(arguments, 2));
    let length = i64::try_from(whole.len()).unwrap_or(i64::MAX);
    let (start, end) = match (start, end) {
        (..0, end) => (0, Some(end)),
        (start, ..0) => (start, None),
        (start, end) if end > length => (start, None),
        (start, end) => (start, Some(end)),
    };
    if let Some(error) = bounds_error(start, end, whole.len()) {
        return Err(error.into());
    }
    let at = |position: i64| usize::try_from(position).unwrap_or(0);
    Ok(Str::from_bytes(&whole.as_bytes()[at(start)..at(end.unwrap_or(length))]).into())
}

fn abbrev(_: &mut Context<'_>, arguments: &[Value]) -> Answer {
    let (width, whole) = (int(arguments, 0), text(arguments, 1));
    Ok(if width < 4 { whole.clone() } else { abbreviated(whole.as_bytes(), 0, width) }.into())
}

fn abbrev_both(_: &mut Context<'_>, arguments: &[Value]) -> Answer {
    let (left, right, whole) = (int(arguments, 0), int(arguments, 1), text(arguments, 2));
    if right < 4 || left > 0 && right < 7 {
        return Ok(whole.clone().into());
    }
    Ok(abbreviated(whole.as_bytes(), left, right).into())
}

/// Cuts a text to `width` bytes, from about `offset` on, with three dots where something is left out.
fn abbreviated(whole: &[u8], offset: i64, width: i64) -> Str {
    let length = i64::try_from(whole.len()).unwrap_or(i64::MAX);
    if length <= width {
        return Str::from_bytes(whole);
    }
    let mut offset = offset.min(length);
    let kept = width - 3;
    if length - offset < kept {
        offset = length - kept;
    }
    let at = |position: i64| usize::try_from(position).unwrap_or(0);
    if offset <= 4 {
        return [&whole[..at(kept)], b"..."].concat().into();
    }
    // Too narrow for dots on both sides.
    if width < 7 {
        return Str::new();
    }
    if offset + kept < length {
        let rest = abbreviated(&whole[at(offset)..], 0, kept);
        return [b"...", rest.as_bytes()].concat().into();
    }
    [b"...", &whole[at(length - kept)..]].concat().into()
}

fn repeat(context: &mut Context<'_>, arguments: &[Value]) -> Answer {
    let (count, part) = (int(arguments, 0), text(arguments, 1));
    Ok(Str::from(repeated(context, part.as_bytes(), count)?).into())
}

/// A text so many times, within the limits.
fn repeated(context: &mut Context<'_>, part: &[u8], count: i64) -> Result<Vec<u8>, FunctionError> {
    let Ok(count) = usize::try_from(count) else { return Err("strings: negative Repeat count".into()) };
    match part.len().checked_mul(count) {
        Some(length) if i64::try_from(length).is_ok() => context.charge_memory(length)?,
        _ => return Err("strings: Repeat output length overflow".into()),
    }
    if part.is_empty() { Ok(Vec::new()) } else { Ok(part.repeat(count)) }
}

fn indent(context: &mut Context<'_>, arguments: &[Value]) -> Answer {
    Ok(Str::from(indented(context, int(arguments, 0), text(arguments, 1), Vec::new())?).into())
}

fn nindent(context: &mut Context<'_>, arguments: &[Value]) -> Answer {
    Ok(Str::from(indented(context, int(arguments, 0), text(arguments, 1), vec![b'\n'])?).into())
}

/// Appends a text with spaces before each line, empty ones too.
fn indented(
    context: &mut Context<'_>,
    spaces: i64,
    text: &Str,
    mut to: Vec<u8>,
) -> Result<Vec<u8>, FunctionError> {
    let pad = repeated(context, b" ", spaces)?;
    let bytes = text.as_bytes();
    let lines = 1 + memchr::memchr_iter(b'\n', bytes).count();
    let length = pad.len().saturating_mul(lines).saturating_add(bytes.len() + 1);
    context.charge_memory(length)?;
    to.reserve(length);
    let mut rest = bytes;
    loop {
        to.extend_from_slice(&pad);
        let Some(end) = memchr::memchr(b'\n', rest) else { break };
        to.extend_from_slice(&rest[..=end]);
        rest = &rest[end + 1..];
    }
    to.extend_from_slice(rest);
    Ok(to)
}

fn wrap(context: &mut Context<'_>, arguments: &[Value]) -> Answer {
    wrapped(context, text(arguments, 1).as_bytes(), int(arguments, 0), b"\n", false)
}

fn wrap_with(context: &mut Context<'_>, arguments: &[Value]) -> Answer {
    let separator = match text(arguments, 1).as_bytes() {
        b"" => b"\n",
        separator => separator,
    };
    wrapped(context, text(arguments, 2).as_bytes(), int(arguments, 0), separator, true)
}

/// Breaks a line at spaces so that none is longer than `width` bytes; longer words are cut if `cuts_words`.
fn wrapped(context: &mut Context<'_>, line: &[u8], width: i64, separator: &[u8], cuts_words: bool) -> Answer {
    let width = usize::try_from(width.max(1)).unwrap_or(usize::MAX);
    let mut out = Vec::with_capacity(line.len() + line.len() / 16);
    let mut rest = line;
    while rest.len() > width {
        if let Some(after) = rest.strip_prefix(b" ") {
            rest = after;
            continue;
        }
        context.charge_memory(separator.len())?;
        let space = match memchr::memrchr(b' ', &rest[..=width]) {
            Some(space) => Some(space),
            None if cuts_words => None,
            None => match memchr::memchr(b' ', &rest[width..]) {
                Some(space) => Some(width + space),
                None => break,
            },
        };
        let end = space.unwrap_or(width);
        out.extend_from_slice(&rest[..end]);
        out.extend_from_slice(separator);
        rest = &rest[end + usize::from(space.is_some())..];
    }
    out.extend_from_slice(rest);
    Ok(Str::from(out).into())
}

fn replace(context: &mut Context<'_>, arguments: &[Value]) -> Answer {
    let (old, new, whole) = (text(arguments, 0), text(arguments, 1), text(arguments, 2));
    let bytes = whole.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    if old.is_empty() {
        context.charge_memory(new.len().saturating_mul(bytes.len() + 1))?;
        let mut at = 0;
        out.extend_from_slice(new.as_bytes());
        for (_, length) in runes::decode(bytes) {
            out.extend_from_slice(&bytes[at..at + length]);
            out.extend_from_slice(new.as_bytes());
            at += length;
        }
        return Ok(Str::from(out).into());
    }
    let mut kept_from = 0;
    for found in memchr::memmem::find_iter(bytes, old.as_bytes()) {
        context.charge_memory(new.len())?;
        out.extend_from_slice(&bytes[kept_from..found]);
        out.extend_from_slice(new.as_bytes());
        kept_from = found + old.len();
    }
    if kept_from == 0 {
        return Ok(whole.clone().into());
    }
    out.extend_from_slice(&bytes[kept_from..]);
    Ok(Str::from(out).into())
}

fn plural(_: &mut Context<'_>, arguments: &[Value]) -> Answer {
    Ok(text(arguments, usize::from(int(arguments, 2) != 1)).clone().into())
}

fn quote(_: &mut Context<'_>, arguments: &[Value]) -> Answer {
    let given = arguments.iter().filter(|value| !matches!(value, Value::Nil | Value::NoValue));
    Ok(joined(given.map(|value| Str::from(quoted(&string_of(value)))), b" "))
}

fn single_quote(_: &mut Context<'_>, arguments: &[Value]) -> Answer {
    let given = arguments.iter().filter(|value| !matches!(value, Value::Nil | Value::NoValue));
    Ok(joined(given.map(|value| Str::from([b"'", display(value).as_bytes(), b"'"].concat())), b" "))
}

fn cat(_: &mut Context<'_>, arguments: &[Value]) -> Answer {
    let given = arguments.iter().filter(|value| !matches!(value, Value::Nil | Value::NoValue));
    Ok(joined(given.map(display), b" "))
}

fn joined(parts: impl Iterator<Item = Str>, separator: &[u8]) -> Value {
    let mut out = Vec::new();
    for (position, part) in parts.enumerate() {
        if position > 0 {
            out.extend_from_slice(separator);
        }
        out.extend_from_slice(part.as_bytes());
    }
    Str::from(out).into()
}

fn to_strings(_: &mut Context<'_>, arguments: &[Value]) -> Answer {
    let value = any(arguments, 0);
    Ok(match value {
        Value::List(list) if *list.type_of() == types::STRINGS => value.clone(),
        _ => Value::strings(strings_of(value)),
    })
}

/// What a list holds as strings, without its nils; a single value is a list of one.
fn strings_of(value: &Value) -> Vec<Str> {
    match items(value) {
        Some(items) => {
            let given = items.iter().filter(|item| !matches!(item, Value::Nil | Value::NoValue));
            given.map(string_of).collect()
        }
        None if matches!(value, Value::Nil | Value::NoValue) => Vec::new(),
        None => vec![string_of(value)],
    }
}

fn join(context: &mut Context<'_>, arguments: &[Value]) -> Answer {
    let (separator, parts) = (text(arguments, 0), strings_of(any(arguments, 1)));
    context.charge_memory(parts.iter().map(|part| part.len() + separator.len()).sum())?;
    Ok(joined(parts.into_iter(), separator.as_bytes()))
}

fn sort_alpha(_: &mut Context<'_>, arguments: &[Value]) -> Answer {
    let value = any(arguments, 0);
    match value {
        // Go sorts a []string where it is.
        Value::List(list) if *list.type_of() == types::STRINGS => {
            list.sort_once(|items| items.sort_by(|one, other| one.as_string().cmp(&other.as_string())));
            Ok(value.clone())
        }
        _ if matches!(value.kind(), Kind::Slice | Kind::Array) => {
            let mut strings = strings_of(value);
            strings.sort_unstable();
            Ok(Value::strings(strings))
        }
        _ => Ok(Value::strings([string_of(value)])),
    }
}

/// Cuts a text at a separator, into at most `most` parts; at every character if the separator is empty.
fn parts(
    context: &mut Context<'_>,
    separator: &Str,
    whole: &Str,
    most: Option<usize>,
) -> Result<Vec<Str>, FunctionError> {
    let (separator, bytes) = (separator.as_bytes(), whole.as_bytes());
    let most = most.unwrap_or(usize::MAX);
    let mut parts = Vec::new();
    if most == 0 || separator.is_empty() && bytes.is_empty() {
        return Ok(parts);
    }
    let mut rest = bytes;
    if separator.is_empty() {
        let runes = runes::decode(bytes);
        for (_, length) in &runes {
            if parts.len() + 1 == most {
                break;
            }
            context.charge_memory(size_of::<Value>())?;
            parts.push(Str::from_bytes(&rest[..*length]));
            rest = &rest[*length..];
        }
        if !rest.is_empty() {
            parts.push(Str::from_bytes(rest));
        }
        return Ok(parts);
    }
    let finder = memchr::memmem::Finder::new(separator);
    while parts.len() + 1 < most
        && let Some(end) = finder.find(rest)
    {
        context.charge_memory(size_of::<Value>())?;
        parts.push(Str::from_bytes(&rest[..end]));
        rest = &rest[end + separator.len()..];
    }
    parts.push(Str::from_bytes(rest));
    Ok(parts)
}

/// The parts under `_0`, `_1`…
fn numbered(parts: Vec<Str>) -> Value {
    let entries = parts.into_iter().enumerate();
    let entries = entries.map(|(position, part)| (format!("_{position}").into(), Value::String(part)));
    Value::Map(Map::typed(&types::STRING_MAP, entries.collect()))
}

fn split(context: &mut Context<'_>, arguments: &[Value]) -> Answer {
    Ok(numbered(parts(context, text(arguments, 0), text(arguments, 1), None)?))
}

fn split_list(context: &mut Context<'_>, arguments: &[Value]) -> Answer {
    Ok(Value::strings(parts(context, text(arguments, 0), text(arguments, 1), None)?))
}

fn splitn(context: &mut Context<'_>, arguments: &[Value]) -> Answer {
    let most = usize::try_from(int(arguments, 1)).ok();
    Ok(numbered(parts(context, text(arguments, 0), text(arguments, 2), most)?))
}
