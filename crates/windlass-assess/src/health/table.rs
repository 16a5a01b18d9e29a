//! The kinds whose health a table can tell: conditions, phases, counts.
//!
//! `kinds.txt` is the table; each block is for the kinds of its `K` lines. What stands after a kind is its noun, for
//! messages; `_` in a group or kind stands for anything. The lines after that are tried from the top:
//!
//! - `? TESTS STATUS MESSAGE`: when all tests hold for the object.
//! - `* TESTS STATUS MESSAGE`: for each condition in turn, when all tests hold. Lines that follow each other are tried
//!   together for each condition; a line `-` between them starts over with the first condition.
//! - `= STATUS MESSAGE`: else.
//!
//! Tests are joined by `&`: `path=text`, `path!=text` (also when absent), `path~text` (equal or absent), `path^prefix`,
//! `path>number`, `path>=number`, `path?` (there), `!path` (not there). `@path` in place of a text is the object's own.
//! In lines for conditions `.field` is the condition's, `o.path` the object's, and `Type=Status` or `Type` short for
//! both. Statuses are H, P, D, S, M, U; N says nothing at all, and `-` goes on to the next condition. Messages may hold
//! `{path}`, `{.field}`, `{path|what else}`, `{noun}`, `{kind}`.

use std::collections::HashMap;
use std::sync::LazyLock;

use windlass_kube::{Object, Value};
use windlass_model::{Health, HealthStatus};

/// What the table says of an object whose kind it names; `None` when it does not. Inside, `None` is that nothing is to
/// be said.
pub(super) fn exact(object: &Object) -> Option<Option<Health>> {
    let gvk = object.gvk();
    let entry = TABLE.exact.get(format!("{}/{}", gvk.group, gvk.kind).as_str())?;
    Some(TABLE.blocks[entry.0].health(object, entry.1))
}

/// The same for kinds that it names by pattern.
pub(super) fn pattern(object: &Object) -> Option<Option<Health>> {
    let gvk = object.gvk();
    let fits = |pattern: &str| {
        let of = pattern.strip_suffix("/_").unwrap_or(pattern);
        match of.strip_prefix('_') {
            Some(end) => gvk.group.ends_with(end),
            None => gvk.group == of,
        }
    };
    let (_, entry) = TABLE.patterns.iter().find(|(pattern, _)| fits(pattern))?;
    Some(TABLE.blocks[entry.0].health(object, entry.1))
}

/// The kinds in the table, as `group/Kind`.
pub(super) fn kinds() -> impl Iterator<Item = &'static str> {
    TABLE.exact.keys().copied().chain(TABLE.patterns.iter().map(|(kind, _)| *kind))
}

static TABLE: LazyLock<Table> = LazyLock::new(|| Table::read(include_str!("kinds.txt")));

struct Table {
    blocks: Vec<Block>,
    /// Block and noun.
    exact: HashMap<&'static str, (usize, &'static str)>,
    patterns: Vec<(&'static str, (usize, &'static str))>,
}

#[derive(Default)]
struct Block {
    lines: Vec<Line>,
}

enum Line {
    Object(Vec<Test>, Verdict),
    Conditions(Vec<(Vec<Test>, Verdict)>),
    Else(Verdict),
}

struct Test {
    of: Of,
    path: Vec<String>,
    is: Is,
    to: &'static str,
}

#[derive(Clone, Copy, PartialEq)]
enum Of {
    Object,
    Condition,
}

#[derive(Clone, Copy)]
enum Is {
    Equal,
    Different,
    EqualOrAbsent,
    Prefixed,
    Above,
    AtLeast,
    There,
    Absent,
}

#[derive(Clone, Copy)]
enum Verdict {
    Says(HealthStatus, &'static str),
    Nothing,
    NextCondition,
}

impl Table {
    fn read(text: &'static str) -> Self {
        let mut table = Self { blocks: Vec::new(), exact: HashMap::new(), patterns: Vec::new() };
        let mut in_kinds = false;
        let mut joined = false;
        for line in text.lines() {
            let (mark, rest) = line.split_once(' ').unwrap_or((line, ""));
            match mark {
                "K" => {
                    if !in_kinds {
                        table.blocks.push(Block::default());
                    }
                    in_kinds = true;
                    let (kind, noun) = rest.split_once(' ').unwrap_or((rest, ""));
                    let entry = (table.blocks.len() - 1, noun);
                    if kind.contains("_.") || kind.ends_with("/_") {
                        table.patterns.push((kind, entry));
                    } else {
                        table.exact.insert(kind, entry);
                    }
                    continue;
                }
                "?" | "*" | "=" | "-" => {}
                _ => continue,
            }
            in_kinds = false;
            let block = table.blocks.last_mut().expect("lines follow their kinds: a test reads the table");
            match mark {
                "-" => joined = false,
                "=" => block.lines.push(Line::Else(verdict(rest))),
                mark => {
                    let (tests, verdict) = split(rest, mark == "*");
                    if mark == "?" {
                        joined = false;
                        block.lines.push(Line::Object(tests, verdict));
                    } else if let Some(Line::Conditions(lines)) = block.lines.last_mut().filter(|_| joined) {
                        lines.push((tests, verdict));
                    } else {
                        joined = true;
                        block.lines.push(Line::Conditions(vec![(tests, verdict)]));
                    }
                }
            }
            if mark == "=" {
                joined = false;
            }
        }
        // The longest group first: it says most.
        table.patterns.sort_by_key(|(kind, _)| std::cmp::Reverse(kind.len()));
        table
    }
}

/// Tests and verdict of a line. A status letter with spaces around it ends the tests: texts may have spaces in them.
fn split(line: &'static str, of_condition: bool) -> (Vec<Test>, Verdict) {
    let ends = |at: &usize| {
        let rest = &line[at + 1..];
        let is_status = ["H", "P", "D", "S", "M", "U", "N", "-"].iter().any(|it| rest.starts_with(it));
        is_status && (rest.len() == 1 || rest.as_bytes()[1] == b' ')
    };
    let at = line.match_indices(' ').map(|(at, _)| at).find(ends).unwrap_or(line.len());
    let tests = line[..at].split('&').map(|test| Test::read(test, of_condition));
    // `Type=Status` is two tests.
    (tests.flatten().collect(), verdict(line.get(at + 1..).unwrap_or("N")))
}

fn verdict(text: &'static str) -> Verdict {
    let (status, message) = text.split_once(' ').unwrap_or((text, ""));
    let status = match status {
        "H" => HealthStatus::Healthy,
        "P" => HealthStatus::Progressing,
        "D" => HealthStatus::Degraded,
        "S" => HealthStatus::Suspended,
        "M" => HealthStatus::Missing,
        "U" => HealthStatus::Unknown,
        "-" => return Verdict::NextCondition,
        _ => return Verdict::Nothing,
    };
    Verdict::Says(status, message)
}

impl Test {
    fn read(text: &'static str, of_condition: bool) -> Vec<Self> {
        let (of, text) = match (of_condition, text.strip_prefix('.'), text.strip_prefix("o.")) {
            (true, Some(field), _) => (Of::Condition, field),
            (true, None, Some(path)) => (Of::Object, path),
            (true, None, None) => return Self::of_type(text),
            (false, ..) => (Of::Object, text),
        };
        let (path, is, to) = if let Some(path) = text.strip_prefix('!') {
            (path, Is::Absent, "")
        } else if let Some(path) = text.strip_suffix('?') {
            (path, Is::There, "")
        } else {
            let signs =
                [("!=", Is::Different), (">=", Is::AtLeast), (">", Is::Above), ("~", Is::EqualOrAbsent)];
            let more = [("^", Is::Prefixed), ("=", Is::Equal)];
            let found = signs.iter().chain(&more).find_map(|(sign, is)| {
                let (path, to) = text.split_once(sign)?;
                Some((path, *is, to))
            });
            found.unwrap_or((text, Is::There, ""))
        };
        vec![Self { of, path: steps(path), is, to }]
    }

    fn of_type(text: &'static str) -> Vec<Self> {
        let field = |field: &str, is, to| Self { of: Of::Condition, path: vec![field.into()], is, to };
        if let Some((kind, status)) = text.split_once("!=") {
            return vec![field("type", Is::Equal, kind), field("status", Is::Different, status)];
        }
        match text.split_once('=') {
            Some((kind, status)) => {
                vec![field("type", Is::Equal, kind), field("status", Is::Equal, status)]
            }
            None => vec![field("type", Is::Equal, text)],
        }
    }

    fn holds(&self, object: &Object, condition: Option<&Value>) -> bool {
        let root = object.to_value();
        let found = match self.of {
            Of::Object => at(&root, &self.path),
            Of::Condition => condition.and_then(|condition| at(condition, &self.path)),
        };
        let to = match self.to.strip_prefix('@') {
            Some(path) => at(&root, &steps(path)).cloned(),
            None => Some(self.to.into()),
        };
        let same = |found: &Value| to.as_ref().is_some_and(|to| printed(found) == printed(to));
        let number = |value: &Value| value.as_float();
        let limit = to.as_ref().and_then(|to| number(to).or_else(|| to.as_str()?.parse().ok()));
        match self.is {
            Is::There => found.is_some(),
            Is::Absent => found.is_none(),
            // What is absent on both sides is equal, as nothing is.
            Is::Equal => found.map_or(self.to.starts_with('@') && to.is_none(), same),
            Is::Different => match found {
                Some(found) => !same(found),
                None => !(self.to.starts_with('@') && to.is_none()),
            },
            Is::EqualOrAbsent => found.is_none_or(same),
            Is::Prefixed => found.and_then(Value::as_str).is_some_and(|text| text.starts_with(self.to)),
            Is::Above => found.and_then(number).zip(limit).is_some_and(|(found, limit)| found > limit),
            Is::AtLeast => found.and_then(number).zip(limit).is_some_and(|(found, limit)| found >= limit),
        }
    }
}

impl Block {
    fn health(&self, object: &Object, noun: &str) -> Option<Health> {
        let conditions = crate::condition::items(object, &["status", "conditions"]);
        for line in &self.lines {
            match line {
                Line::Object(tests, verdict) => {
                    if tests.iter().all(|test| test.holds(object, None)) {
                        return verdict.say(object, None, noun);
                    }
                }
                Line::Else(verdict) => return verdict.say(object, None, noun),
                Line::Conditions(lines) => {
                    for condition in conditions {
                        let held = lines
                            .iter()
                            .find(|(tests, _)| tests.iter().all(|test| test.holds(object, Some(condition))));
                        match held {
                            None | Some((_, Verdict::NextCondition)) => {}
                            Some((_, verdict)) => return verdict.say(object, Some(condition), noun),
                        }
                    }
                }
            }
        }
        None
    }
}

impl Verdict {
    fn say(self, object: &Object, condition: Option<&Value>, noun: &str) -> Option<Health> {
        let Self::Says(status, message) = self else { return None };
        Some(Health::new(status, filled(message, object, condition, noun).unwrap_or_default()))
    }
}

/// A message with its places filled; `None` when a place has nothing and says nothing else.
fn filled(text: &str, object: &Object, condition: Option<&Value>, noun: &str) -> Option<String> {
    let mut out = String::new();
    let mut rest = text;
    while let Some(open) = rest.find('{') {
        out.push_str(&rest[..open]);
        let mut depth = 0_usize;
        let close = rest[open..].char_indices().find_map(|(at, c)| {
            depth = if c == '{' {
                depth + 1
            } else if c == '}' {
                depth - 1
            } else {
                depth
            };
            (depth == 0).then_some(open + at)
        })?;
        let place = &rest[open + 1..close];
        rest = &rest[close + 1..];
        let (path, otherwise) =
            place.split_once('|').map_or((place, None), |(path, otherwise)| (path, Some(otherwise)));
        let root = object.to_value();
        let found = match path {
            "noun" => Some(noun.to_owned()),
            "noun:lower" => Some(noun.to_lowercase()),
            path => {
                let (path, after) = path.split_once(":after ").unwrap_or((path, ""));
                let found = match path.strip_prefix('.') {
                    Some(field) => condition.and_then(|condition| at(condition, &steps(field))),
                    None => at(&root, &steps(path)),
                };
                found.map(|found| printed(found).replace(after, ""))
            }
        };
        match (found, otherwise) {
            (Some(found), _) => out.push_str(&found),
            (None, Some(otherwise)) => out.push_str(&filled(otherwise, object, condition, noun)?),
            (None, None) => return None,
        }
    }
    out.push_str(rest);
    Some(out)
}

/// The steps of a path; `\.` is a dot within one.
fn steps(path: &str) -> Vec<String> {
    let kept = path.replace("\\.", "\0");
    kept.split('.').map(|step| step.replace('\0', ".")).collect()
}

fn at<'a>(value: &'a Value, path: &[String]) -> Option<&'a Value> {
    let found = path.iter().try_fold(value, |value, step| match value {
        Value::Array(items) if step == "last" => items.last(),
        Value::Array(items) => items.get(step.parse::<usize>().ok()?),
        other => other.get(step),
    })?;
    (!found.is_null()).then_some(found)
}

/// As Lua prints it in a message.
pub(super) fn printed(value: &Value) -> String {
    match value {
        Value::String(text) => text.to_string(),
        Value::Array(items) => items.iter().map(printed).collect::<Vec<_>>().join(", "),
        other => windlass_yaml::json::to_string(other),
    }
}
