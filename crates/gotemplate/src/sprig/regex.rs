//! Regular expressions, with Go's syntax and Go's words for what is wrong with one.

use std::borrow::Cow;
use std::cell::RefCell;
use std::collections::HashMap;

use windlass_go::re2::Regex;

use crate::function::{Context, Entry, FunctionError, Signature};
use crate::value::{Str, Value};

use super::arguments::{Answer, INT, STRING, int, strings, text};
use super::display::quoted;

pub(super) const FUNCTIONS: &[Entry] = &[
    Entry::new("regexMatch", Signature::fixed(&[STRING, STRING]), |context, arguments| {
        // An expression that does not compile matches nothing.
        match compiled(context, arguments) {
            Ok(regex) => Ok(regex.is_match(&readable(text(arguments, 1))).into()),
            Err(Failure::Expression(_)) => Ok(false.into()),
            Err(Failure::Function(error)) => Err(error),
        }
    }),
    Entry::new("mustRegexMatch", Signature::fixed(&[STRING, STRING]), |context, arguments| {
        Ok(must(context, arguments)?.is_match(&readable(text(arguments, 1))).into())
    }),
    Entry::new("regexFind", Signature::fixed(&[STRING, STRING]), |context, arguments| {
        Ok(find(&should(context, arguments)?, arguments))
    }),
    Entry::new("mustRegexFind", Signature::fixed(&[STRING, STRING]), |context, arguments| {
        Ok(find(&must(context, arguments)?, arguments))
    }),
    Entry::new("regexFindAll", Signature::fixed(&[STRING, STRING, INT]), |context, arguments| {
        Ok(find_all(&should(context, arguments)?, arguments))
    }),
    Entry::new("mustRegexFindAll", Signature::fixed(&[STRING, STRING, INT]), |context, arguments| {
        Ok(find_all(&must(context, arguments)?, arguments))
    }),
    Entry::new("regexReplaceAll", Signature::fixed(&[STRING, STRING, STRING]), |context, arguments| {
        let regex = should(context, arguments)?;
        replaced(context, arguments, |whole, with| regex.replace_all(whole, with))
    }),
    Entry::new("mustRegexReplaceAll", Signature::fixed(&[STRING, STRING, STRING]), |context, arguments| {
        let regex = must(context, arguments)?;
        replaced(context, arguments, |whole, with| regex.replace_all(whole, with))
    }),
    Entry::new(
        "regexReplaceAllLiteral",
        Signature::fixed(&[STRING, STRING, STRING]),
        |context, arguments| {
            let regex = should(context, arguments)?;
            replaced(context, arguments, |whole, with| regex.replace_all_literal(whole, with))
        },
    ),
    Entry::new(
        "mustRegexReplaceAllLiteral",
        Signature::fixed(&[STRING, STRING, STRING]),
        |context, arguments| {
            let regex = must(context, arguments)?;
            replaced(context, arguments, |whole, with| regex.replace_all_literal(whole, with))
        },
    ),
    Entry::new("regexSplit", Signature::fixed(&[STRING, STRING, INT]), |context, arguments| {
        Ok(split(&should(context, arguments)?, arguments))
    }),
    Entry::new("mustRegexSplit", Signature::fixed(&[STRING, STRING, INT]), |context, arguments| {
        Ok(split(&must(context, arguments)?, arguments))
    }),
    Entry::new("regexQuoteMeta", Signature::fixed(&[STRING]), quote_meta),
];

/// How many compiled expressions a thread keeps. Charts use a handful, over and over.
const KEPT_EXPRESSIONS: usize = 64;

/// What compiling an expression costs, in steps: about as long as so many nodes of a template take.
const STEPS_PER_EXPRESSION: u64 = 500;

thread_local! {
    static COMPILED: RefCell<HashMap<Str, Result<Regex, String>>> = RefCell::default();
}

enum Failure {
    Expression(String),
    Function(FunctionError),
}

/// The expression that is the first argument, compiled. Accounts for the search in the second.
fn compiled(context: &mut Context<'_>, arguments: &[Value]) -> Result<Regex, Failure> {
    let pattern = text(arguments, 0);
    let work = (text(arguments, 1).len() as u64 / 16).saturating_mul(1 + pattern.len() as u64 / 16);
    context.charge(work).map_err(|limit| Failure::Function(limit.into()))?;
    let known = COMPILED.with_borrow(|kept| kept.get(pattern).cloned());
    let result = match known {
        Some(result) => result,
        None => {
            context.charge(STEPS_PER_EXPRESSION).map_err(|limit| Failure::Function(limit.into()))?;
            let result = match pattern.as_str() {
                Some(pattern) => Regex::parse(pattern).map_err(|error| error.to_string()),
                None => Err(invalid_utf8(pattern)),
            };
            COMPILED.with_borrow_mut(|kept| {
                if kept.len() >= KEPT_EXPRESSIONS {
                    kept.clear();
                }
                kept.insert(pattern.clone(), result.clone());
            });
            result
        }
    };
    result.map_err(Failure::Expression)
}

/// What Go says of an expression that is no text, with what follows its first wrong byte.
fn invalid_utf8(pattern: &Str) -> String {
    let valid = pattern.as_bytes().utf8_chunks().next().map_or(0, |chunk| chunk.valid().len());
    format!("error parsing regexp: invalid UTF-8: `{}`", Str::from_bytes(&pattern.as_bytes()[valid..]))
}

/// For the functions with `must`, which return the error.
fn must(context: &mut Context<'_>, arguments: &[Value]) -> Result<Regex, FunctionError> {
    compiled(context, arguments).map_err(|failure| match failure {
        Failure::Expression(error) => error.into(),
        Failure::Function(error) => error,
    })
}

/// For the functions without, which panic with the expression before the error.
fn should(context: &mut Context<'_>, arguments: &[Value]) -> Result<Regex, FunctionError> {
    compiled(context, arguments).map_err(|failure| match failure {
        Failure::Expression(error) => {
            let pattern = text(arguments, 0);
            let plain = pattern.as_str().filter(|pattern| can_backquote(pattern));
            let shown = match plain {
                Some(pattern) => format!("`{pattern}`"),
                None => String::from_utf8_lossy(&quoted(pattern)).into_owned(),
            };
            format!("regexp: Compile({shown}): {error}").into()
        }
        Failure::Function(error) => error,
    })
}

/// `strconv.CanBackquote`.
fn can_backquote(text: &str) -> bool {
    !text.chars().any(|char| matches!(char, '\0'..='\x08' | '\n'..='\x1f' | '\x7f' | '`' | '\u{feff}'))
}

/// The first of the private characters that stand for bytes which are no characters: U+10FF00 and the byte.
const STAND_INS: u32 = 0x10_ff00;

/// The first of them that is used: bytes below it are characters.
pub(super) const FIRST_STAND_IN: char = '\u{10ff80}';

/// A text that expressions can be run on: a byte that is no character becomes a private one, which no
/// expression is likely to name and `.` matches, as it does in Go.
pub(super) fn readable(text: &Str) -> Cow<'_, str> {
    if let Some(text) = text.as_str() {
        return Cow::Borrowed(text);
    }
    let mut readable = String::with_capacity(text.len() * 2);
    for chunk in text.as_bytes().utf8_chunks() {
        readable.push_str(chunk.valid());
        readable
            .extend(chunk.invalid().iter().filter_map(|byte| char::from_u32(STAND_INS + u32::from(*byte))));
    }
    Cow::Owned(readable)
}

/// The text with its bytes again.
fn restored(text: &str) -> Str {
    if !text.contains(|char| char >= FIRST_STAND_IN) {
        return text.into();
    }
    let mut bytes = Vec::with_capacity(text.len());
    for char in text.chars() {
        match u32::from(char).checked_sub(STAND_INS).and_then(|byte| u8::try_from(byte).ok()) {
            Some(byte @ 0x80..) => bytes.push(byte),
            _ => bytes.extend_from_slice(char.encode_utf8(&mut [0; 4]).as_bytes()),
        }
    }
    bytes.into()
}

fn find(regex: &Regex, arguments: &[Value]) -> Value {
    let whole = readable(text(arguments, 1));
    restored(regex.find(&whole).unwrap_or_default()).into()
}

fn find_all(regex: &Regex, arguments: &[Value]) -> Value {
    let whole = readable(text(arguments, 1));
    let most = usize::try_from(int(arguments, 2)).unwrap_or(usize::MAX);
    let found = regex.captures_all(&whole);
    let found: Vec<Str> = found.iter().take(most).map(|found| restored(&whole[found.range()])).collect();
    strings(Some(found).filter(|found| !found.is_empty()))
}

fn replaced(
    context: &mut Context<'_>,
    arguments: &[Value],
    replace: impl FnOnce(&str, &str) -> String,
) -> Answer {
    let (whole, with) = (readable(text(arguments, 1)), readable(text(arguments, 2)));
    // Nothing matches more often than once per character, and a reference repeats at most the whole.
    let references = with.matches('$').count();
    let most = whole.len().saturating_add(1).saturating_mul(with.len());
    context.charge_memory(most.saturating_add(whole.len().saturating_mul(1 + references)))?;
    Ok(restored(&replace(&whole, &with)).into())
}

/// Go's `Regexp.Split`: at most so many parts; an empty match at the start makes none.
fn split(regex: &Regex, arguments: &[Value]) -> Value {
    let whole = readable(text(arguments, 1));
    let most = int(arguments, 2);
    if most == 0 {
        return strings(None);
    }
    if !regex.as_str().is_empty() && whole.is_empty() {
        return Value::strings([""]);
    }
    let most = usize::try_from(most).unwrap_or(usize::MAX);
    let mut parts = Vec::new();
    let (mut start, mut end) = (0, 0);
    for found in regex.captures_all(&whole).iter().take(most) {
        if parts.len() + 1 == most {
            break;
        }
        let found = found.range();
        end = found.start;
        if found.end != 0 {
            parts.push(restored(&whole[start..end]));
        }
        start = found.end;
    }
    if end != whole.len() {
        parts.push(restored(&whole[start..]));
    }
    Value::strings(parts)
}

fn quote_meta(_: &mut Context<'_>, arguments: &[Value]) -> Answer {
    let bytes = text(arguments, 0).as_bytes();
    let mut quoted = Vec::with_capacity(bytes.len() * 2);
    for byte in bytes {
        if br"\.+*?()|[]{}^$".contains(byte) {
            quoted.push(b'\\');
        }
        quoted.push(*byte);
    }
    Ok(Str::from(quoted).into())
}
