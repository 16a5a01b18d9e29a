//! The little language of `--set`: `a.b[0].c=1,d={x,y}`.
//!
//! Facts and words of errors from Helm's `pkg/strvals`, which is a parser of runes that writes as it reads: what
//! was read before an error stays written.

use gotemplate::{List, Map, Str, Value};
use windlass_yaml::json::{JsonOptions, Stream};

use crate::HelmVersion;
use crate::text::{is_space, quote};

/// The highest index of a list: what Helm allows.
pub const MAX_INDEX: usize = 65_536;

/// How many names may be joined by dots: what Helm allows.
pub const MAX_NESTED_NAME_LEVEL: usize = 30;

/// How many lists may stand inside each other in one name. Helm has no limit of its own, but a stack.
pub const MAX_NESTED_LISTS: usize = 200;

/// What is wrong with a text of `--set`, in Helm's words.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct SetError(String);

/// Reads `--set` into `values`: `true`, `null` and integers become what they look like.
///
/// # Errors
/// See [`SetError`].
pub fn set(text: &str, values: &Map, helm: HelmVersion) -> Result<(), SetError> {
    Parser::new(text, Reader::Typed, helm).parse(values)
}

/// Reads `--set-string` into `values`: everything is a string.
///
/// # Errors
/// See [`SetError`].
pub fn set_string(text: &str, values: &Map, helm: HelmVersion) -> Result<(), SetError> {
    Parser::new(text, Reader::String, helm).parse(values)
}

/// Reads `--set-file` into `values`: each value is what `read` makes of the path that stands there.
///
/// # Errors
/// See [`SetError`], and what `read` fails with.
pub fn set_file(
    text: &str,
    values: &Map,
    helm: HelmVersion,
    read: &mut dyn FnMut(&str) -> Result<Str, String>,
) -> Result<(), SetError> {
    Parser::new(text, Reader::File(read), helm).parse(values)
}

/// Reads `--set-json` into `values`: each value is JSON.
///
/// # Errors
/// See [`SetError`].
pub fn set_json(text: &str, values: &Map, helm: HelmVersion) -> Result<(), SetError> {
    Parser::new(text, Reader::Json, helm).parse(values)
}

/// Reads `--set-literal` into `values`: one name, and all that follows `=` is its value.
///
/// # Errors
/// See [`SetError`].
pub fn set_literal(text: &str, values: &Map, helm: HelmVersion) -> Result<(), SetError> {
    Parser::new(text, Reader::Literal, helm).parse(values)
}

/// How a value is read.
enum Reader<'a> {
    Typed,
    String,
    Json,
    Literal,
    File(&'a mut dyn FnMut(&str) -> Result<Str, String>),
}

struct Parser<'a> {
    text: &'a str,
    at: usize,
    reader: Reader<'a>,
    helm: HelmVersion,
    n_lists: usize,
}

/// Why a function of the parser stops.
enum Stop {
    /// The text is at its end.
    End,
    Error(SetError),
}

fn error<T>(text: impl Into<String>) -> Result<T, Stop> {
    Err(Stop::Error(SetError(text.into())))
}

/// What stood before a rune that ends it; `None` for the rune at the end of the text.
struct Until {
    text: String,
    last: Option<char>,
}

impl<'a> Parser<'a> {
    fn new(text: &'a str, reader: Reader<'a>, helm: HelmVersion) -> Self {
        Self { text, at: 0, reader, helm, n_lists: 0 }
    }

    fn parse(mut self, values: &Map) -> Result<(), SetError> {
        loop {
            match self.key(values, 0) {
                Ok(()) => {}
                Err(Stop::End) => return Ok(()),
                Err(Stop::Error(error)) => return Err(error),
            }
        }
    }

    fn is_literal(&self) -> bool {
        matches!(self.reader, Reader::Literal)
    }

    fn next(&mut self) -> Option<char> {
        let char = self.text[self.at..].chars().next()?;
        self.at += char.len_utf8();
        Some(char)
    }

    fn until(&mut self, stops: &[char]) -> Until {
        let mut text = String::new();
        loop {
            match self.next() {
                None => return Until { text, last: None },
                Some(char) if stops.contains(&char) => return Until { text, last: Some(char) },
                Some('\\') if !self.is_literal() => match self.next() {
                    Some(char) => text.push(char),
                    None => return Until { text, last: None },
                },
                Some(char) => text.push(char),
            }
        }
    }

    fn key(&mut self, data: &Map, level: usize) -> Result<(), Stop> {
        let stops: &[char] = if self.is_literal() { &['=', '[', '.'] } else { &['=', '[', ',', '.'] };
        let Until { text: key, last } = self.until(stops);
        match last {
            None if key.is_empty() => Err(Stop::End),
            None => error(format!("key {} has no value", quote(&key))),
            Some('[') => {
                let index = self.index()?;
                let list = match data.get(&key) {
                    None => Vec::new(),
                    Some(found) => as_list(&found).map_err(panicked)?,
                };
                let (list, result) = self.list_item(list, index, level);
                if let Some(list) = list {
                    assign(data, &key, Value::List(list.into_iter().collect::<List>()));
                }
                result
            }
            Some('=') => {
                let (value, result) = self.value();
                if let Some(value) = value {
                    assign(data, &key, value);
                }
                result
            }
            Some(',') => {
                assign(data, &key, Value::EMPTY);
                error(format!("key {} has no value (cannot end with ,)", quote(&key)))
            }
            Some(_) => {
                let level = level + 1;
                if level > MAX_NESTED_NAME_LEVEL {
                    return error(format!(
                        "value name nested level is greater than maximum supported nested level of \
                         {MAX_NESTED_NAME_LEVEL}"
                    ));
                }
                let inner = match data.get(&key) {
                    None => Map::new(),
                    Some(found) => as_map(&found).map_err(panicked)?,
                };
                let result = self.key(&inner, level);
                if result.is_ok() && inner.is_empty() {
                    return error(format!("key map {} has no value", quote(&key)));
                }
                if !inner.is_empty() {
                    assign(data, &key, Value::Map(inner));
                }
                result
            }
        }
    }

    /// What follows `=`: the value, if there is one to set, and how to go on.
    fn value(&mut self) -> (Option<Value>, Result<(), Stop>) {
        if self.is_literal() {
            let rest = self.until(&[]).text;
            return (Some(Value::from(rest)), Ok(()));
        }
        if matches!(self.reader, Reader::Json) {
            return match self.json() {
                Ok(value) => (Some(value), Ok(())),
                Err(stop) => (None, Err(stop)),
            };
        }
        if self.at == self.text.len() {
            return (Some(Value::EMPTY), Err(Stop::End));
        }
        if self.text[self.at..].starts_with('{') {
            self.at += 1;
            return match self.braces() {
                Ok(items) => (Some(Value::list(items)), Ok(())),
                Err(stop) => (None, Err(stop)),
            };
        }
        let text = self.until(&[',']).text;
        match self.read(&text) {
            Ok(value) => (Some(value), Ok(())),
            // The original sets what its reader gave, nil beside an error.
            Err(stop) => (Some(Value::Nil), Err(stop)),
        }
    }

    /// The items of `{a,b}`, after the brace.
    fn braces(&mut self) -> Result<Vec<Value>, Stop> {
        let mut items = Vec::new();
        loop {
            let Until { text, last } = self.until(&[',', '}']);
            match last {
                None => return error("list must terminate with '}'"),
                Some('}') => {
                    if self.text[self.at..].starts_with(',') {
                        self.at += 1;
                    }
                    items.push(self.read(&text)?);
                    return Ok(items);
                }
                Some(_) => items.push(self.read(&text)?),
            }
        }
    }

    fn read(&mut self, text: &str) -> Result<Value, Stop> {
        match &mut self.reader {
            Reader::Typed => Ok(typed(text)),
            Reader::File(read) => match read(text) {
                Ok(content) => Ok(Value::String(content)),
                Err(problem) => error(problem),
            },
            _ => Ok(Value::from(text)),
        }
    }

    /// A JSON value, with the blanks and the comma behind it; nothing at all is null.
    fn json(&mut self) -> Result<Value, Stop> {
        if self.is_empty_value() {
            return Ok(Value::Nil);
        }
        let rest = &self.text.as_bytes()[self.at..];
        let mut stream = Stream::new(rest, JsonOptions::default());
        let value = match stream.next() {
            Some(Ok(value)) => value,
            Some(Err(problem)) => return error(problem.to_string()),
            None => return Err(Stop::End),
        };
        self.at += stream.offset();
        self.is_empty_value();
        Ok(Value::from_yaml(&value, gotemplate::Numbers::Float64))
    }

    /// Passes blanks and one comma; whether nothing but these was there.
    fn is_empty_value(&mut self) -> bool {
        loop {
            let before = self.at;
            match self.next() {
                None | Some(',') => return true,
                Some(char) if is_space(char) => {}
                Some(_) => {
                    self.at = before;
                    return false;
                }
            }
        }
    }

    /// The number before `]`.
    fn index(&mut self) -> Result<i64, Stop> {
        let Until { text, last } = self.until(&[']']);
        if last.is_none() {
            return match self.helm {
                HelmVersion::V3 => error("error parsing index: EOF"),
                // Helm 4 takes the error for the end of the text, and drops what it read.
                HelmVersion::V4 => Err(Stop::End),
            };
        }
        let problem = match atoi(&text) {
            Ok(index) => return Ok(index),
            Err(problem) => problem,
        };
        error(format!("error parsing index: strconv.Atoi: parsing {}: {problem}", quote(&text)))
    }

    /// Reads what follows `[N]` and puts it into the list; the list is to be set, whatever else happened, unless
    /// it is `None`.
    fn list_item(
        &mut self,
        mut list: Vec<Value>,
        index: i64,
        level: usize,
    ) -> (Option<Vec<Value>>, Result<(), Stop>) {
        let Ok(at) = usize::try_from(index) else {
            return (Some(list), error(format!("negative {index} index not allowed")));
        };
        let Until { text: key, last } = self.until(&['[', '.', '=']);
        if !key.is_empty() {
            return (Some(list), error(format!("unexpected data at end of array index: {}", runes(&key))));
        }
        match last {
            None => (Some(list), Err(Stop::End)),
            Some('=') => {
                let (value, result) = self.value();
                match (value, result) {
                    // An end right behind the sign sets the empty string and reads on.
                    (Some(value), Ok(()) | Err(Stop::End)) => set_index(list, at, value),
                    (_, result) => (Some(list), result),
                }
            }
            Some('[') => {
                let inner = match list.get(at) {
                    None | Some(Value::Nil) => Vec::new(),
                    Some(found) => match as_list(found) {
                        Ok(inner) => inner,
                        Err(problem) => return (None, Err(panicked(problem))),
                    },
                };
                let next = match self.index() {
                    Ok(next) => next,
                    Err(stop) => return (Some(list), Err(stop)),
                };
                self.n_lists += 1;
                if self.n_lists > MAX_NESTED_LISTS {
                    let problem =
                        format!("lists nest deeper than {MAX_NESTED_LISTS} (limit MAX_NESTED_LISTS)");
                    return (Some(list), error(problem));
                }
                let (inner, result) = self.list_item(inner, next, level);
                match (inner, result) {
                    (Some(inner), Ok(())) => set_index(list, at, Value::list(inner)),
                    (None, result) => (None, result),
                    (_, result) => (Some(list), result),
                }
            }
            Some(_) => {
                let inner = match list.get(at) {
                    None => Map::new(),
                    Some(Value::Map(inner)) => inner.clone(),
                    Some(_) => {
                        let inner = Map::new();
                        list[at] = Value::Map(inner.clone());
                        inner
                    }
                };
                match self.key(&inner, level) {
                    Ok(()) => set_index(list, at, Value::Map(inner)),
                    Err(stop) => (Some(list), Err(stop)),
                }
            }
        }
    }
}

/// Sets a member; one without a name is dropped.
fn assign(data: &Map, key: &str, value: Value) {
    if !key.is_empty() {
        data.insert(key, value);
    }
}

fn set_index(mut list: Vec<Value>, at: usize, value: Value) -> (Option<Vec<Value>>, Result<(), Stop>) {
    if at > MAX_INDEX {
        let problem = format!("index of {at} is greater than maximum supported index of {MAX_INDEX}");
        return (Some(list), error(problem));
    }
    if list.len() <= at {
        list.resize(at + 1, Value::Nil);
    }
    list[at] = value;
    (Some(list), Ok(()))
}

/// A failed type assertion, which the original catches.
fn panicked(problem: impl std::fmt::Display) -> Stop {
    Stop::Error(SetError(format!("unable to parse key: {problem}")))
}

fn as_list(value: &Value) -> Result<Vec<Value>, String> {
    match value {
        Value::List(list) => Ok(list.items().to_vec()),
        other => Err(conversion(other, "[]interface {}")),
    }
}

fn as_map(value: &Value) -> Result<Map, String> {
    match value {
        Value::Map(map) => Ok(map.clone()),
        other => Err(conversion(other, "map[string]interface {}")),
    }
}

fn conversion(found: &Value, wanted: &str) -> String {
    let found = if found.is_nil() { "nil" } else { found.type_of().name };
    format!("interface conversion: interface {{}} is {found}, not {wanted}")
}

/// What `--set` takes a text for.
fn typed(text: &str) -> Value {
    if text.eq_ignore_ascii_case("true") {
        return Value::Bool(true);
    }
    if text.eq_ignore_ascii_case("false") {
        return Value::Bool(false);
    }
    if text.eq_ignore_ascii_case("null") {
        return Value::Nil;
    }
    if text == "0" {
        return Value::Int64(0);
    }
    match text.parse() {
        Ok(int) if !text.starts_with('0') => Value::Int64(int),
        _ => Value::from(text),
    }
}

/// How Go's `%q` prints the runes of a text.
fn runes(text: &str) -> String {
    let quoted = text.chars().map(|char| match char {
        '\'' => "'\\''".to_owned(),
        '"' => "'\"'".to_owned(),
        char => {
            let double = quote(char.encode_utf8(&mut [0; 4]));
            format!("'{}'", &double[1..double.len() - 1])
        }
    });
    format!("[{}]", quoted.collect::<Vec<_>>().join(" "))
}

/// `strconv.Atoi`, with the reason of a failure.
fn atoi(text: &str) -> Result<i64, &'static str> {
    text.parse::<i64>().map_err(|error| match error.kind() {
        std::num::IntErrorKind::PosOverflow | std::num::IntErrorKind::NegOverflow => "value out of range",
        _ => "invalid syntax",
    })
}
