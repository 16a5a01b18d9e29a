//! The functions of the language, and what its operators do.

use std::cmp::Ordering;
use std::sync::LazyLock;

use windlass_go::re2::Regex;
use windlass_kube::{Map, Str, Value};

use super::eval::{Machine, Stop, raise, truthy};
use super::parse::{Function, Pattern, Term, TextPart, definitions};
use super::{JqError, Step, delete_paths};

/// The functions that are written in the language itself.
pub(super) static PRELUDE: LazyLock<Vec<Function>> = LazyLock::new(|| {
    definitions(
        "def recurse(f): def r: ., (f | r); r;
         def recurse(f; cond): def r: ., (f | select(cond) | r); r;
         def map(f): [.[] | f];
         def values: select(. != null);
         def nulls: select(. == null);
         def booleans: select(type == \"boolean\");
         def numbers: select(type == \"number\");
         def strings: select(type == \"string\");
         def arrays: select(type == \"array\");
         def objects: select(type == \"object\");
         def iterables: select(type | . == \"array\" or . == \"object\");
         def scalars: select(type | . != \"array\" and . != \"object\");
         def range($to): range(0; $to; 1);
         def range($from; $to): range($from; $to; 1);
         def first: .[0];
         def last: .[-1];
         def nth($n): .[$n];
         def nth($n; f): last(limit($n + 1; f));
         def isempty(f): label $done | (f | false, break $done), true;
         def any: any(.[]; .);
         def any(f): any(.[]; f);
         def any(source; f): isempty(first(source | f or empty)) | not;
         def all: all(.[]; .);
         def all(f): all(.[]; f);
         def all(source; f): isempty(first(source | f and empty));
         def until(cond; f): def r: if cond then . else (f | r) end; r;
         def while(cond; f): def r: if cond then ., (f | r) else empty end; r;
         def repeat(f): def r: ., (f | r); r;
         def paths: path(..) | select(length > 0);
         def paths(f): path(.. | select(f)) | select(length > 0);
         def leaf_paths: paths(scalars);
         def del(f): delpaths([path(f)]);
         def with_entries(f): to_entries | map(f) | from_entries;
         def _each(f): . as $of | reduce keys_unsorted[] as $k ({}; . + ((first($of[$k] | f) as $v | {($k): $v}) // {}));
         def map_values(f): if type == \"array\" then map(first(f)) else _each(f) end;
         def in(source): . as $key | source | has($key);
         def inside(source): . as $part | source | contains($part);
         def index($part): indices($part) | .[0];
         def rindex($part): indices($part) | .[-1];
         def capture(re): capture(re; null);
         def test(re): test(re; null);
         def match(re): match(re; null);
         def scan(re): scan(re; null);
         def sub(re; to): sub(re; to; \"\");
         def gsub(re; to): sub(re; to; \"g\");
         def splits($re): split($re; null) | .[];
         def walk(f): def r: if type == \"object\" then _each(r)
           elif type == \"array\" then map(r) else . end | f; r;
         ",
    )
    .expect("the prelude is in order: a test parses it")
});

/// Functions of values: name and number of arguments.
const NATIVE: &[(&str, usize)] = &[
    ("not", 0),
    ("length", 0),
    ("utf8bytelength", 0),
    ("keys", 0),
    ("keys_unsorted", 0),
    ("add", 0),
    ("type", 0),
    ("tostring", 0),
    ("tonumber", 0),
    ("tojson", 0),
    ("fromjson", 0),
    ("ascii_downcase", 0),
    ("ascii_upcase", 0),
    ("floor", 0),
    ("ceil", 0),
    ("round", 0),
    ("abs", 0),
    ("fabs", 0),
    ("sqrt", 0),
    ("reverse", 0),
    ("sort", 0),
    ("unique", 0),
    ("min", 0),
    ("max", 0),
    ("flatten", 0),
    ("flatten", 1),
    ("to_entries", 0),
    ("from_entries", 0),
    ("explode", 0),
    ("implode", 0),
    ("trim", 0),
    ("ltrim", 0),
    ("rtrim", 0),
    ("transpose", 0),
    ("tojson", 0),
    ("ascii", 0),
    ("infinite", 0),
    ("nan", 0),
    ("null", 0),
    ("has", 1),
    ("contains", 1),
    ("startswith", 1),
    ("endswith", 1),
    ("ltrimstr", 1),
    ("rtrimstr", 1),
    ("trimstr", 1),
    ("join", 1),
    ("split", 1),
    ("split", 2),
    ("indices", 1),
    ("delpaths", 1),
    ("setpath", 2),
    ("test", 2),
    ("match", 2),
    ("capture", 2),
    ("scan", 2),
    ("sub", 3),
    ("toarray", 0),
    ("pow", 2),
    ("log", 0),
    ("isvalid", 1),
    ("have_literal_numbers", 0),
];

/// Functions of filters.
const FILTERS: &[(&str, usize)] = &[
    ("empty", 0),
    ("error", 0),
    ("error", 1),
    ("path", 1),
    ("getpath", 1),
    ("recurse", 0),
    ("select", 1),
    ("first", 1),
    ("last", 1),
    ("limit", 2),
    ("range", 3),
    ("sort_by", 1),
    ("group_by", 1),
    ("unique_by", 1),
    ("min_by", 1),
    ("max_by", 1),
];

/// Sees to it that everything a term calls or reads is there.
pub(super) fn check(term: &Term) -> Result<(), JqError> {
    let mut names = Names { functions: Vec::new(), variables: Vec::new() };
    names.functions.extend(PRELUDE.iter().map(|it| (it.name.clone(), it.parameters.len())));
    names.functions.extend(NATIVE.iter().chain(FILTERS).map(|(name, n)| (Str::new_static(name), *n)));
    names.check(term)
}

struct Names {
    functions: Vec<(Str, usize)>,
    variables: Vec<Str>,
}

impl Names {
    fn check(&mut self, term: &Term) -> Result<(), JqError> {
        let missing = |what: String| Err(JqError::Syntax { message: format!("{what} is not there"), at: 1 });
        let (n_functions, n_variables) = (self.functions.len(), self.variables.len());
        match term {
            Term::Identity | Term::Literal(_) | Term::Break(_) => {}
            Term::Format(name) => known_format(name)?,
            Term::Text(format, parts) => {
                known_format(format.as_deref().unwrap_or("text"))?;
                for part in parts {
                    if let TextPart::Code(code) = part {
                        self.check(code)?;
                    }
                }
            }
            Term::Variable(name) => {
                if !self.variables.contains(name) {
                    return missing(format!("variable ${name}"));
                }
            }
            Term::Iterate(a) | Term::Negate(a) | Term::Label(_, a) => self.check(a)?,
            Term::Index(a, b)
            | Term::Pipe(a, b)
            | Term::Comma(a, b)
            | Term::Binary(_, a, b)
            | Term::And(a, b)
            | Term::Or(a, b)
            | Term::Alternative(a, b) => {
                self.check(a)?;
                self.check(b)?;
            }
            Term::Slice(a, b, c) => {
                self.check(a)?;
                b.iter().chain(c).try_for_each(|term| self.check(term))?;
            }
            Term::Try(a, b) => {
                self.check(a)?;
                b.iter().try_for_each(|term| self.check(term))?;
            }
            Term::If(a, b, c) => {
                self.check(a)?;
                self.check(b)?;
                c.iter().try_for_each(|term| self.check(term))?;
            }
            Term::Reduce(source, pattern, start, update) => {
                self.check(source)?;
                self.check(start)?;
                self.bind(pattern)?;
                self.check(update)?;
            }
            Term::Foreach(source, pattern, start, update, extract) => {
                self.check(source)?;
                self.check(start)?;
                self.bind(pattern)?;
                self.check(update)?;
                extract.iter().try_for_each(|term| self.check(term))?;
            }
            Term::Bind(source, pattern, body) => {
                self.check(source)?;
                self.bind(pattern)?;
                self.check(body)?;
            }
            Term::Define(function, body) => {
                self.functions.push((function.name.clone(), function.parameters.len()));
                let inside = self.functions.len();
                self.functions.extend(function.parameters.iter().map(|name| (name.clone(), 0)));
                self.check(&function.body)?;
                self.functions.truncate(inside);
                self.check(body)?;
            }
            Term::Call(name, arguments) => {
                if !self.functions.contains(&(name.clone(), arguments.len())) {
                    return missing(format!("function {name}/{}", arguments.len()));
                }
                arguments.iter().try_for_each(|term| self.check(term))?;
            }
            Term::List(body) => body.iter().try_for_each(|term| self.check(term))?,
            Term::Object(members) => {
                for (key, value) in members {
                    self.check(key)?;
                    self.check(value)?;
                }
            }
        }
        self.functions.truncate(n_functions);
        self.variables.truncate(n_variables);
        Ok(())
    }

    fn bind(&mut self, pattern: &Pattern) -> Result<(), JqError> {
        match pattern {
            Pattern::Variable(name) => self.variables.push(name.clone()),
            Pattern::List(items) => items.iter().try_for_each(|item| self.bind(item))?,
            Pattern::Object(members) => {
                for (key, name, below) in members {
                    self.check(key)?;
                    self.variables.extend(name.clone());
                    below.iter().try_for_each(|below| self.bind(below))?;
                }
            }
        }
        Ok(())
    }
}

fn known_format(name: &str) -> Result<(), JqError> {
    if matches!(name, "text" | "json" | "base64" | "base64d" | "uri" | "html") {
        return Ok(());
    }
    Err(JqError::Syntax { message: format!("format @{name} is not there"), at: 1 })
}

pub(super) fn format(name: &str, value: &Value) -> Result<Value, Stop> {
    use base64::Engine as _;
    let engine = base64::engine::general_purpose::STANDARD;
    let text = to_text(value);
    Ok(match name {
        "json" => json(value).into(),
        "base64" => engine.encode(text).into(),
        "base64d" => {
            let loose = base64::engine::general_purpose::STANDARD_NO_PAD;
            match loose.decode(text.trim_end_matches('=')) {
                Ok(bytes) => String::from_utf8_lossy(&bytes).into_owned().into(),
                Err(_) => return raise(format!("@base64d cannot be applied to {}", shown(value))),
            }
        }
        "uri" => {
            let mut out = String::new();
            for byte in text.bytes() {
                if byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte) {
                    out.push(char::from(byte));
                } else {
                    out.push_str(&format!("%{byte:02X}"));
                }
            }
            out.into()
        }
        "html" => {
            let escaped = text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
            escaped.replace('\'', "&#39;").replace('"', "&quot;").into()
        }
        _ => text.into(),
    })
}

fn json(value: &Value) -> String {
    windlass_yaml::json::to_string(value)
}

/// As `tostring`: a string as it is, everything else as JSON.
pub(super) fn to_text(value: &Value) -> String {
    match value {
        Value::String(text) => text.to_string(),
        other => json(other),
    }
}

/// A value in an error: its type, and the beginning of it.
pub(super) fn shown(value: &Value) -> String {
    /// Longer values are cut.
    const LONGEST: usize = 24;
    let text = json(value);
    let cut: String = text.chars().take(LONGEST).collect();
    let more = if cut.len() < text.len() { "…" } else { "" };
    format!("{} ({cut}{more})", type_name(value))
}

fn type_name(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Int(_) | Value::Float(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}

/// A number; whole ones as integers.
pub(super) fn number(value: f64) -> Value {
    /// Beyond this, neighbours of a float are no longer one apart.
    const EXACT: f64 = 9_007_199_254_740_992.0;
    if value.fract() == 0.0 && value.abs() < EXACT {
        #[expect(clippy::cast_possible_truncation, reason = "it is whole and small enough")]
        return Value::Int(value as i64);
    }
    Value::Float(value)
}

/// The order of the language: null, false, true, numbers, strings, lists, objects (by their keys first).
fn compare(a: &Value, b: &Value) -> Ordering {
    if let (Value::Object(a), Value::Object(b)) = (a, b) {
        let by_keys = a.keys().cmp(b.keys());
        return by_keys.then_with(|| {
            a.values()
                .zip(b.values())
                .map(|(a, b)| compare(a, b))
                .find(|it| it.is_ne())
                .unwrap_or(Ordering::Equal)
        });
    }
    if let (Value::Array(a), Value::Array(b)) = (a, b) {
        let by_item = a.iter().zip(b.iter()).map(|(a, b)| compare(a, b)).find(|it| it.is_ne());
        return by_item.unwrap_or_else(|| a.len().cmp(&b.len()));
    }
    if let (Some(a), Some(b)) = (a.as_float(), b.as_float())
        && a == b
    {
        return Ordering::Equal;
    }
    a.total_cmp(b)
}

pub(super) fn binary(machine: &Machine, op: &str, a: &Value, b: &Value) -> Result<Value, Stop> {
    Ok(match op {
        "==" => compare(a, b).is_eq().into(),
        "!=" => compare(a, b).is_ne().into(),
        "<" => compare(a, b).is_lt().into(),
        "<=" => compare(a, b).is_le().into(),
        ">" => compare(a, b).is_gt().into(),
        ">=" => compare(a, b).is_ge().into(),
        op => arithmetic(machine, op, a, b)?,
    })
}

pub(super) fn arithmetic(machine: &Machine, op: &str, a: &Value, b: &Value) -> Result<Value, Stop> {
    let refuse = || raise(format!("cannot compute {} {op} {}", shown(a), shown(b)));
    match (op, a, b) {
        ("+", Value::Null, other) | ("+", other, Value::Null) => Ok(other.clone()),
        ("+", Value::Int(a), Value::Int(b)) if a.checked_add(*b).is_some() => Ok(Value::Int(a + b)),
        ("-", Value::Int(a), Value::Int(b)) if a.checked_sub(*b).is_some() => Ok(Value::Int(a - b)),
        ("*", Value::Int(a), Value::Int(b)) if a.checked_mul(*b).is_some() => Ok(Value::Int(a * b)),
        ("+", Value::String(a), Value::String(b)) => {
            machine.pay(a.len() + b.len())?;
            Ok(format!("{a}{b}").into())
        }
        ("+", Value::Array(a), Value::Array(b)) => {
            machine.pay(a.len() + b.len())?;
            Ok(Value::Array(a.iter().chain(b.iter()).cloned().collect::<Vec<_>>().into()))
        }
        ("+", Value::Object(a), Value::Object(b)) => {
            machine.pay(a.len() + b.len())?;
            let mut sum = a.clone();
            b.iter().for_each(|(key, value)| drop(sum.insert(key.clone(), value.clone())));
            Ok(Value::Object(sum))
        }
        ("-", Value::Array(a), Value::Array(b)) => {
            machine.pay(a.len().saturating_mul(b.len()))?;
            let kept = a.iter().filter(|it| !b.iter().any(|other| compare(it, other).is_eq()));
            Ok(Value::Array(kept.cloned().collect::<Vec<_>>().into()))
        }
        ("*", Value::Object(a), Value::Object(b)) => {
            machine.pay(a.len() + b.len())?;
            Ok(Value::Object(merged(a, b)))
        }
        ("*", Value::String(text), count) | ("*", count, Value::String(text))
            if count.as_float().is_some() =>
        {
            let count = count.as_float().unwrap_or(0.0);
            if count <= 0.0 {
                return Ok(Value::Null);
            }
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "a huge count is paid for and refused"
            )]
            let count = count.max(1.0) as usize;
            machine.pay(text.len().saturating_mul(count))?;
            Ok(text.repeat(count).into())
        }
        ("/", Value::String(a), Value::String(b)) => Ok(split(a, b)),
        (_, a, b) => {
            let (Some(x), Some(y)) = (a.as_float(), b.as_float()) else { return refuse() };
            match op {
                "+" => Ok(number(x + y)),
                "-" => Ok(number(x - y)),
                "*" => Ok(number(x * y)),
                "/" if y == 0.0 => refuse(),
                "/" => Ok(number(x / y)),
                "%" if y.trunc() == 0.0 => refuse(),
                "%" => Ok(number(x.trunc() % y.trunc().abs())),
                _ => refuse(),
            }
        }
    }
}

fn merged(a: &Map, b: &Map) -> Map {
    let mut out = a.clone();
    for (key, value) in b.iter() {
        let value = match (a.get(key), value) {
            (Some(Value::Object(a)), Value::Object(b)) => Value::Object(merged(a, b)),
            _ => value.clone(),
        };
        out.insert(key.clone(), value);
    }
    out
}

fn split(text: &str, by: &str) -> Value {
    let parts: Vec<Value> = match (text.is_empty(), by.is_empty()) {
        (true, _) => vec![],
        (_, true) => text.chars().map(|c| c.to_string().into()).collect(),
        _ => text.split(by).map(Value::from).collect(),
    };
    Value::Array(parts.into())
}

/// The positions at which a list or string contains a part.
pub(super) fn indices(of: &Value, part: &Value) -> Value {
    let found: Vec<Value> = match (of, part) {
        (Value::String(of), Value::String(part)) if !part.is_empty() => (0..of.len())
            .filter(|at| of.is_char_boundary(*at) && of[*at..].starts_with(part.as_str()))
            .map(|at| number(of[..at].chars().count() as f64))
            .collect(),
        (Value::Array(of), Value::Array(part)) if !part.is_empty() && part.len() <= of.len() => {
            let same = |at: &usize| of[*at..].iter().zip(part.iter()).all(|(a, b)| compare(a, b).is_eq());
            (0..=of.len() - part.len()).filter(same).map(|at| number(at as f64)).collect()
        }
        (Value::Array(of), part) if !matches!(part, Value::Array(_)) => {
            let found = of.iter().enumerate().filter(|(_, it)| compare(it, part).is_eq());
            found.map(|(at, _)| number(at as f64)).collect()
        }
        _ => return Value::Null,
    };
    Value::Array(found.into())
}

fn contains(of: &Value, part: &Value) -> Result<bool, Stop> {
    Ok(match (of, part) {
        (Value::Object(of), Value::Object(part)) => {
            for (key, part) in part.iter() {
                match of.get(key) {
                    Some(of) if contains(of, part)? => {}
                    _ => return Ok(false),
                }
            }
            true
        }
        (Value::Array(of), Value::Array(part)) => {
            for part in part.iter() {
                let mut any = false;
                for of in of.iter() {
                    any = any || (type_name(of) == type_name(part) && contains(of, part)?);
                }
                if !any {
                    return Ok(false);
                }
            }
            true
        }
        (Value::String(of), Value::String(part)) => of.contains(part.as_str()),
        (of, part) if type_name(of) == type_name(part) => compare(of, part).is_eq(),
        (of, part) => return raise(format!("{} cannot contain {}", shown(of), shown(part))),
    })
}

pub(super) fn by_key(name: &str, mut keyed: Vec<(Value, Value)>) -> Value {
    if name == "min_by" {
        let least = keyed.into_iter().reduce(|a, b| if compare(&b.0, &a.0).is_lt() { b } else { a });
        return least.map(|(_, value)| value).unwrap_or_default();
    }
    if name == "max_by" {
        let most = keyed.into_iter().reduce(|a, b| if compare(&b.0, &a.0).is_ge() { b } else { a });
        return most.map(|(_, value)| value).unwrap_or_default();
    }
    keyed.sort_by(|a, b| compare(&a.0, &b.0));
    let mut groups: Vec<(Value, Vec<Value>)> = Vec::new();
    for (key, value) in keyed {
        match groups.last_mut() {
            Some((last, group)) if compare(last, &key).is_eq() => group.push(value),
            _ => groups.push((key, vec![value])),
        }
    }
    let out: Vec<Value> = match name {
        "group_by" => groups.into_iter().map(|(_, group)| Value::Array(group.into())).collect(),
        "unique_by" => groups.into_iter().filter_map(|(_, group)| group.into_iter().next()).collect(),
        _ => groups.into_iter().flat_map(|(_, group)| group).collect(),
    };
    Value::Array(out.into())
}

pub(super) fn from_steps(steps: &[Step]) -> Value {
    let item = |step: &Step| match step {
        Step::Key(key) => Value::String(key.clone()),
        Step::Index(idx) => Value::Int(*idx),
        Step::Slice(from, to) => {
            let mut bounds = Map::new();
            bounds.insert("start", from.map_or(Value::Null, Value::Int));
            bounds.insert("end", to.map_or(Value::Null, Value::Int));
            Value::Object(bounds)
        }
    };
    Value::Array(steps.iter().map(item).collect::<Vec<_>>().into())
}

pub(super) fn to_steps(path: &Value) -> Result<Vec<Step>, Stop> {
    let Value::Array(items) = path else {
        return raise(format!("a path must be a list, this is {}", shown(path)));
    };
    items
        .iter()
        .map(|item| match item {
            Value::String(key) => Ok(Step::Key(key.clone())),
            Value::Int(idx) => Ok(Step::Index(*idx)),
            Value::Object(bounds) => Ok(Step::Slice(
                bounds.get("start").and_then(Value::as_int),
                bounds.get("end").and_then(Value::as_int),
            )),
            other => raise(format!("{} is no step of a path", shown(other))),
        })
        .collect()
}

fn regex(pattern: &Value, flags: &Value) -> Result<(Regex, bool), Stop> {
    let Value::String(pattern) = pattern else { return raise("a regular expression must be a string") };
    let flags = flags.as_str().unwrap_or_default();
    let mut prefix = String::new();
    for flag in flags.chars() {
        match flag {
            'g' | 'n' | 'l' => {}
            'i' => prefix.push('i'),
            's' => prefix.push('s'),
            'x' => return raise("the flag x of regular expressions is not supported"),
            other => return raise(format!("unknown flag {other} of a regular expression")),
        }
    }
    let text = if prefix.is_empty() { pattern.to_string() } else { format!("(?{prefix}){pattern}") };
    match Regex::parse(&text) {
        Ok(regex) => Ok((regex, flags.contains('g'))),
        Err(error) => raise(error.to_string()),
    }
}

fn matches(text: &str, pattern: &Value, flags: &Value, all: bool) -> Result<Vec<Value>, Stop> {
    let (regex, global) = regex(pattern, flags)?;
    let names: Vec<Option<String>> = regex.group_names().map(|name| name.map(str::to_owned)).collect();
    let mut found = regex.captures_all(text);
    if !(global || all) {
        found.truncate(1);
    }
    let part = |range: Option<std::ops::Range<usize>>| {
        let mut out = Map::new();
        let (offset, length, string) = match range {
            Some(range) => (
                text[..range.start].chars().count() as f64,
                text[range.clone()].chars().count() as f64,
                Value::from(&text[range]),
            ),
            None => (-1.0, 0.0, Value::Null),
        };
        out.insert("offset", number(offset));
        out.insert("length", number(length));
        out.insert("string", string);
        out
    };
    Ok(found
        .iter()
        .map(|captures| {
            let mut out = part(Some(captures.range()));
            let groups = captures.ranges().iter().enumerate().skip(1).map(|(at, range)| {
                let mut group = part(range.clone());
                // Some lists of names begin with the whole match, which has none.
                let name =
                    if names.len() == captures.ranges().len() { names.get(at) } else { names.get(at - 1) };
                group.insert("name", name.cloned().flatten().map_or(Value::Null, Value::from));
                Value::Object(group)
            });
            out.insert("captures", Value::Array(groups.collect::<Vec<_>>().into()));
            Value::Object(out)
        })
        .collect())
}

fn captured(found: &Value) -> Map {
    let mut out = Map::new();
    for group in found.items_at(&["captures"]) {
        if let Some(name) = group.str_at(&["name"]) {
            out.insert(name, group.get("string").cloned().unwrap_or_default());
        }
    }
    out
}

/// What a function of values gives.
pub(super) fn call(
    machine: &Machine,
    name: &str,
    input: &Value,
    given: &[Value],
) -> Result<Vec<Value>, Stop> {
    let one = |value: Value| Ok(vec![value]);
    let refuse = || raise(format!("{name} cannot be applied to {}", shown(input)));
    if let Value::Array(items) = input {
        machine.pay(items.len())?;
    }
    let text = input.as_str();
    match (name, given) {
        ("not", []) => one((!truthy(input)).into()),
        ("null", []) => one(Value::Null),
        ("type", []) => one(type_name(input).into()),
        ("infinite", []) => one(Value::Float(f64::INFINITY)),
        ("nan", []) => one(Value::Float(f64::NAN)),
        ("have_literal_numbers", []) => one(true.into()),
        ("toarray", []) => one(match input {
            Value::Array(_) => input.clone(),
            other => Value::Array(vec![other.clone()].into()),
        }),
        ("length", []) => one(match input {
            Value::Null => 0.into(),
            Value::String(text) => number(text.chars().count() as f64),
            Value::Array(items) => number(items.len() as f64),
            Value::Object(map) => number(map.len() as f64),
            Value::Int(_) | Value::Float(_) => number(input.as_float().unwrap_or(0.0).abs()),
            Value::Bool(_) => return refuse(),
        }),
        ("utf8bytelength", []) => text.map_or_else(refuse, |text| one(number(text.len() as f64))),
        ("keys" | "keys_unsorted", []) => match input {
            Value::Object(map) => {
                one(Value::Array(map.keys().cloned().map(Value::from).collect::<Vec<_>>().into()))
            }
            Value::Array(items) => {
                one(Value::Array((0..items.len()).map(|at| number(at as f64)).collect::<Vec<_>>().into()))
            }
            _ => refuse(),
        },
        ("add", []) => {
            let values: Vec<&Value> = match input {
                Value::Array(items) => items.iter().collect(),
                Value::Object(map) => map.values().collect(),
                _ => return refuse(),
            };
            let mut sum = Value::Null;
            for value in values {
                sum = arithmetic(machine, "+", &sum, value)?;
            }
            one(sum)
        }
        ("tostring", []) => one(to_text(input).into()),
        ("tojson", []) => one(json(input).into()),
        ("fromjson", []) => match text.map(|text| windlass_yaml::json::parse(text.as_bytes())) {
            Some(Ok(value)) => one(value),
            _ => refuse(),
        },
        ("tonumber", []) => match input {
            Value::Int(_) | Value::Float(_) => one(input.clone()),
            Value::String(text) => match (text.parse::<i64>(), text.parse::<f64>()) {
                (Ok(value), _) => one(value.into()),
                (_, Ok(value)) => one(number(value)),
                _ => refuse(),
            },
            _ => refuse(),
        },
        ("ascii_downcase", []) => text.map_or_else(refuse, |text| one(text.to_ascii_lowercase().into())),
        ("ascii_upcase", []) => text.map_or_else(refuse, |text| one(text.to_ascii_uppercase().into())),
        ("trim", []) => text.map_or_else(refuse, |text| one(text.trim().into())),
        ("ltrim", []) => text.map_or_else(refuse, |text| one(text.trim_start().into())),
        ("rtrim", []) => text.map_or_else(refuse, |text| one(text.trim_end().into())),
        ("explode", []) => text.map_or_else(refuse, |text| {
            one(Value::Array(text.chars().map(|c| i64::from(u32::from(c)).into()).collect::<Vec<_>>().into()))
        }),
        ("implode", []) => match input {
            Value::Array(items) => {
                let chars =
                    items.iter().map(|it| it.as_int().and_then(|it| char::from_u32(u32::try_from(it).ok()?)));
                match chars.collect::<Option<String>>() {
                    Some(text) => one(text.into()),
                    None => refuse(),
                }
            }
            _ => refuse(),
        },
        ("ascii", []) => match input.as_int().and_then(|it| u8::try_from(it).ok()) {
            Some(byte) => one(char::from(byte).to_string().into()),
            None => refuse(),
        },
        ("floor" | "ceil" | "round" | "abs" | "fabs" | "sqrt" | "log", []) => {
            let Some(x) = input.as_float() else { return refuse() };
            one(number(match name {
                "floor" => x.floor(),
                "ceil" => x.ceil(),
                "round" => x.round(),
                "sqrt" => x.sqrt(),
                "log" => x.ln(),
                _ => x.abs(),
            }))
        }
        ("pow", [base, exponent]) => match (base.as_float(), exponent.as_float()) {
            (Some(base), Some(exponent)) => one(number(base.powf(exponent))),
            _ => refuse(),
        },
        ("reverse", []) => match input {
            Value::Null => one(Value::Array(Vec::new().into())),
            Value::Array(items) => one(Value::Array(items.iter().rev().cloned().collect::<Vec<_>>().into())),
            Value::String(text) => one(text.chars().rev().collect::<String>().into()),
            _ => refuse(),
        },
        ("sort" | "unique" | "min" | "max", []) => {
            let Value::Array(items) = input else { return refuse() };
            let keyed = items.iter().map(|it| (it.clone(), it.clone())).collect();
            one(by_key(
                match name {
                    "sort" => "sort_by",
                    "unique" => "unique_by",
                    "min" => "min_by",
                    _ => "max_by",
                },
                keyed,
            ))
        }
        ("flatten", depth) => {
            let Value::Array(items) = input else { return refuse() };
            let depth = depth.first().map_or(i64::MAX, |depth| depth.as_int().unwrap_or(0));
            if depth < 0 {
                return raise("flatten depth must not be negative");
            }
            let mut out = Vec::new();
            flatten(items, depth, &mut out);
            machine.pay(out.len())?;
            one(Value::Array(out.into()))
        }
        ("transpose", []) => {
            let Value::Array(rows) = input else { return refuse() };
            let width = rows.iter().map(|row| row.items_at(&[]).len()).max().unwrap_or(0);
            machine.pay(width.saturating_mul(rows.len()))?;
            let column = |at: usize| {
                let cells = rows.iter().map(|row| row.items_at(&[]).get(at).cloned().unwrap_or_default());
                Value::Array(cells.collect::<Vec<_>>().into())
            };
            one(Value::Array((0..width).map(column).collect::<Vec<_>>().into()))
        }
        ("to_entries", []) => match input {
            Value::Object(map) => {
                let entry = |(key, value): (&Str, &Value)| {
                    let mut entry = Map::new();
                    entry.insert("key", key.clone());
                    entry.insert("value", value.clone());
                    Value::Object(entry)
                };
                one(Value::Array(map.iter().map(entry).collect::<Vec<_>>().into()))
            }
            _ => refuse(),
        },
        ("from_entries", []) => {
            let Value::Array(entries) = input else { return refuse() };
            let mut out = Map::new();
            for entry in entries.iter() {
                let find = |names: [&str; 4]| {
                    names.into_iter().find_map(|name| entry.get(name).filter(|it| !it.is_null()))
                };
                let key = find(["key", "k", "name", "Name"]).or_else(|| find(["Key", "K", "Key", "K"]));
                let key = match key {
                    Some(Value::String(key)) => key.clone(),
                    Some(Value::Bool(_) | Value::Int(_) | Value::Float(_)) => {
                        key.map(to_text).unwrap_or_default().into()
                    }
                    None => "null".into(),
                    Some(other) => return raise(format!("{} is no key", shown(other))),
                };
                let value = ["value", "v", "Value", "V"].into_iter().find_map(|name| entry.get(name));
                out.insert(key, value.cloned().unwrap_or_default());
            }
            one(Value::Object(out))
        }
        ("has", [key]) => match (input, key) {
            (Value::Object(map), Value::String(key)) => one(map.contains_key(key).into()),
            (Value::Array(items), key) if key.as_float().is_some() => {
                let at = key.as_float().unwrap_or(-1.0);
                one((at >= 0.0 && at < items.len() as f64).into())
            }
            _ => raise(format!("{} cannot have the key {}", shown(input), shown(key))),
        },
        ("contains", [part]) => one(contains(input, part)?.into()),
        ("startswith" | "endswith", [part]) => match (text, part.as_str()) {
            (Some(text), Some(part)) if name == "startswith" => one(text.starts_with(part).into()),
            (Some(text), Some(part)) => one(text.ends_with(part).into()),
            _ => raise(format!("{name} needs strings")),
        },
        ("ltrimstr" | "rtrimstr" | "trimstr", [part]) => match (text, part.as_str()) {
            (Some(text), Some(part)) => {
                let mut left = text;
                if name != "rtrimstr" {
                    left = left.strip_prefix(part).unwrap_or(left);
                }
                if name != "ltrimstr" {
                    left = left.strip_suffix(part).unwrap_or(left);
                }
                one(left.into())
            }
            _ => one(input.clone()),
        },
        ("join", [by]) => {
            let (Value::Array(items), Some(by)) = (input, by.as_str()) else { return refuse() };
            let mut parts = Vec::new();
            for item in items.iter() {
                parts.push(match item {
                    Value::Null => String::new(),
                    Value::Array(_) | Value::Object(_) => {
                        return raise(format!("join cannot take {}", shown(item)));
                    }
                    other => to_text(other),
                });
            }
            let joined = parts.join(by);
            machine.pay(joined.len())?;
            one(joined.into())
        }
        ("split", [by]) => match (text, by.as_str()) {
            (Some(text), Some(by)) => one(split(text, by)),
            _ => raise("split needs strings"),
        },
        ("split", [pattern, flags]) => {
            let Some(text) = text else { return refuse() };
            let (regex, _) = regex(pattern, flags)?;
            let mut parts: Vec<Value> = Vec::new();
            let mut from = 0;
            for captures in regex.captures_all(text) {
                let range = captures.range();
                parts.push(text[from..range.start].into());
                from = range.end;
            }
            parts.push(text[from..].into());
            one(Value::Array(parts.into()))
        }
        ("indices", [part]) => one(indices(input, part)),
        ("delpaths", [paths]) => {
            let Value::Array(paths) = paths else { return raise("delpaths needs a list of paths") };
            let steps = paths.iter().map(to_steps).collect::<Result<Vec<_>, _>>()?;
            machine.pay(steps.len())?;
            one(delete_paths(input.clone(), steps))
        }
        ("setpath", [path, value]) => one(set_path(input.clone(), &to_steps(path)?, value)?),
        ("test", [pattern, flags]) => {
            let Some(text) = text else { return refuse() };
            let (pattern, flags) = unpacked(pattern, flags);
            machine.pay(text.len())?;
            one(regex(&pattern, &flags)?.0.is_match(text).into())
        }
        ("match", [pattern, flags]) => {
            let Some(text) = text else { return refuse() };
            let (pattern, flags) = unpacked(pattern, flags);
            machine.pay(text.len())?;
            matches(text, &pattern, &flags, false)
        }
        ("capture", [pattern, flags]) => {
            let Some(text) = text else { return refuse() };
            let (pattern, flags) = unpacked(pattern, flags);
            machine.pay(text.len())?;
            let found = matches(text, &pattern, &flags, false)?;
            Ok(found.iter().map(|found| Value::Object(captured(found))).collect())
        }
        ("scan", [pattern, flags]) => {
            let Some(text) = text else { return refuse() };
            machine.pay(text.len())?;
            let found = matches(text, pattern, flags, true)?;
            Ok(found
                .iter()
                .map(|found| {
                    let groups = found.items_at(&["captures"]);
                    let string = |it: &Value| it.get("string").cloned().unwrap_or_default();
                    if groups.is_empty() {
                        string(found)
                    } else {
                        Value::Array(groups.iter().map(string).collect::<Vec<_>>().into())
                    }
                })
                .collect())
        }
        ("sub", [pattern, to, flags]) => {
            let (Some(text), Some(to)) = (text, to.as_str()) else { return refuse() };
            let (regex, all) = regex(pattern, flags)?;
            let mut out = String::new();
            let mut from = 0;
            for captures in regex.captures_all(text) {
                let range = captures.range();
                out.push_str(&text[from..range.start]);
                out.push_str(to);
                from = range.end;
                machine.pay(out.len())?;
                if !all {
                    break;
                }
            }
            out.push_str(&text[from..]);
            one(out.into())
        }
        _ => raise(format!("function {name}/{} is not there", given.len())),
    }
}

/// A pattern may come with its flags in one list.
fn unpacked(pattern: &Value, flags: &Value) -> (Value, Value) {
    match pattern {
        Value::Array(both) if flags.is_null() => {
            (both.first().cloned().unwrap_or_default(), both.get(1).cloned().unwrap_or_default())
        }
        _ => (pattern.clone(), flags.clone()),
    }
}

fn flatten(items: &[Value], depth: i64, out: &mut Vec<Value>) {
    for item in items {
        match item {
            Value::Array(inner) if depth > 0 => flatten(inner, depth - 1, out),
            other => out.push(other.clone()),
        }
    }
}

fn set_path(of: Value, path: &[Step], value: &Value) -> Result<Value, Stop> {
    /// A list does not grow by more at once.
    const LONGEST_LIST: i64 = 65_536;
    let Some((first, rest)) = path.split_first() else { return Ok(value.clone()) };
    match (of, first) {
        (Value::Null, Step::Key(_)) => set_path(Value::object(), path, value),
        (Value::Null, Step::Index(_)) => set_path(Value::Array(Vec::new().into()), path, value),
        (Value::Object(mut map), Step::Key(key)) => {
            let below = map.get(key).cloned().unwrap_or_default();
            map.insert(key.clone(), set_path(below, rest, value)?);
            Ok(Value::Object(map))
        }
        (Value::Array(items), Step::Index(idx)) => {
            let mut items = items.into_vec();
            let at = if *idx < 0 { idx + i64::try_from(items.len()).unwrap_or(i64::MAX) } else { *idx };
            let Some(at) = usize::try_from(at).ok().filter(|_| at < LONGEST_LIST) else {
                return raise(format!("{idx} is no position of the list"));
            };
            if items.len() <= at {
                items.resize(at + 1, Value::Null);
            }
            items[at] = set_path(std::mem::take(&mut items[at]), rest, value)?;
            Ok(Value::Array(items.into()))
        }
        (of, _) => raise(format!("cannot set a part of {}", shown(&of))),
    }
}
