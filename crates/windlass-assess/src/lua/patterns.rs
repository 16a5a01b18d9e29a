//! Lua's patterns, with every step of a match counted.
//!
//! The matcher that comes with Lua cannot be stopped, and some patterns take longer than the universe lasts. This one
//! does what the manual of Lua 5.4 says of `find`, `match`, `gmatch` and `gsub`, and spends of the script's budget.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use mlua::{Error, Function, IntoLuaMulti, Lua, LuaString, MultiValue, Result, Value as LuaValue};

use super::{MAX_INSTRUCTIONS, MAX_MEMORY};

/// Captures of one pattern, as in Lua.
const MAX_CAPTURES: usize = 32;

/// How deep one match may nest: Lua's own limit (`MAXCCALLS` of its `lstrlib.c`).
const MAX_DEPTH: usize = 200;

/// Searching for plain text costs one instruction for so many bytes.
const PLAIN_BYTES_A_STEP: usize = 64;

/// Puts the functions that match into Lua's table `string`.
pub(super) fn install(lua: &Lua, spent: &Arc<AtomicU64>) -> Result<()> {
    let strings: mlua::Table = lua.globals().get("string")?;
    for (name, finds) in [("find", true), ("match", false)] {
        let budget = Budget(spent.clone());
        let search = move |lua: &Lua, (text, pattern, init, plain): Arguments| {
            search(lua, &budget, finds, &text, &pattern, init.unwrap_or(1), truth(&plain))
        };
        strings.set(name, lua.create_function(search)?)?;
    }
    let budget = Budget(spent.clone());
    let all = move |lua: &Lua, (text, pattern, init): (LuaString, LuaString, Option<i64>)| {
        each_match(lua, budget.clone(), &text, &pattern, init.unwrap_or(1))
    };
    strings.set("gmatch", lua.create_function(all)?)?;
    let budget = Budget(spent.clone());
    let replace = move |lua: &Lua, (text, pattern, with, most): Replacing| {
        replace(lua, &budget, &text, &pattern, &with, most)
    };
    strings.set("gsub", lua.create_function(replace)?)
}

type Arguments = (LuaString, LuaString, Option<i64>, LuaValue);
type Replacing = (LuaString, LuaString, LuaValue, Option<i64>);

fn truth(value: &LuaValue) -> bool {
    !matches!(value, LuaValue::Nil | LuaValue::Boolean(false))
}

/// What a script may still do.
#[derive(Clone)]
struct Budget(Arc<AtomicU64>);

impl Budget {
    fn spend(&self, steps: usize) -> Result<()> {
        let steps = u64::try_from(steps).unwrap_or(u64::MAX);
        let spent = self.0.fetch_add(steps, Ordering::Relaxed).saturating_add(steps);
        if spent >= MAX_INSTRUCTIONS { Err(Error::runtime("too many instructions")) } else { Ok(()) }
    }
}

/// The first position of a search, from 0; `None` behind the end.
fn begin(init: i64, len: usize) -> Option<usize> {
    let len_signed = i64::try_from(len).unwrap_or(i64::MAX);
    let at = match init {
        1.. => init - 1,
        0 => 0,
        _ => len_signed.saturating_add(init).max(0),
    };
    usize::try_from(at).ok().filter(|at| *at <= len)
}

fn search(
    lua: &Lua,
    budget: &Budget,
    finds: bool,
    text: &LuaString,
    pattern: &LuaString,
    init: i64,
    plain: bool,
) -> Result<MultiValue> {
    let (text, pattern) = (text.as_bytes(), pattern.as_bytes());
    let Some(start) = begin(init, text.len()) else { return LuaValue::Nil.into_lua_multi(lua) };
    if finds && (plain || !pattern.iter().any(|byte| b"^$*+?.([%-".contains(byte))) {
        budget.spend((text.len() - start) / PLAIN_BYTES_A_STEP * pattern.len().clamp(1, 8))?;
        return match plain_find(&text[start..], &pattern, budget)? {
            Some(at) => (start + at + 1, start + at + pattern.len()).into_lua_multi(lua),
            None => LuaValue::Nil.into_lua_multi(lua),
        };
    }
    let (is_anchored, pattern) = unanchored(&pattern);
    let mut matcher = Matcher::new(&text, pattern, budget);
    for at in start..=text.len() {
        if let Some(end) = matcher.begin(at)? {
            let mut found = MultiValue::new();
            if finds {
                found.push_back(LuaValue::Integer(whole(at + 1)));
                found.push_back(LuaValue::Integer(whole(end)));
            }
            matcher.captures(lua, (!finds).then_some((at, end)), &mut found)?;
            return Ok(found);
        }
        if is_anchored {
            break;
        }
    }
    LuaValue::Nil.into_lua_multi(lua)
}

/// Where a text holds another.
fn plain_find(text: &[u8], wanted: &[u8], budget: &Budget) -> Result<Option<usize>> {
    let Some((first, rest)) = wanted.split_first() else { return Ok(Some(0)) };
    let mut from = 0;
    while let Some(at) = text[from..].iter().position(|byte| byte == first) {
        let begins = from + at + 1;
        budget.spend(1)?;
        if text[begins..].starts_with(rest) {
            return Ok(Some(begins - 1));
        }
        budget.spend(rest.len() / PLAIN_BYTES_A_STEP)?;
        from = begins;
    }
    Ok(None)
}

fn unanchored(pattern: &[u8]) -> (bool, &[u8]) {
    match pattern.strip_prefix(b"^") {
        Some(rest) => (true, rest),
        None => (false, pattern),
    }
}

fn each_match(
    lua: &Lua,
    budget: Budget,
    text: &LuaString,
    pattern: &LuaString,
    init: i64,
) -> Result<Function> {
    let (text, pattern) = (text.as_bytes().to_vec(), pattern.as_bytes().to_vec());
    let mut next = begin(init, text.len()).unwrap_or(text.len() + 1);
    let mut last = None;
    lua.create_function_mut(move |lua, ()| {
        let mut matcher = Matcher::new(&text, &pattern, &budget);
        while next <= text.len() {
            let at = next;
            match matcher.begin(at)?.filter(|end| last != Some(*end)) {
                Some(end) => {
                    (next, last) = (end, Some(end));
                    let mut found = MultiValue::new();
                    matcher.captures(lua, Some((at, end)), &mut found)?;
                    return Ok(found);
                }
                None => next += 1,
            }
        }
        LuaValue::Nil.into_lua_multi(lua)
    })
}

fn replace(
    lua: &Lua,
    budget: &Budget,
    text: &LuaString,
    pattern: &LuaString,
    with: &LuaValue,
    most: Option<i64>,
) -> Result<(LuaString, i64)> {
    let (text, pattern) = (text.as_bytes(), pattern.as_bytes());
    let text_with = match with {
        LuaValue::String(_) | LuaValue::Integer(_) | LuaValue::Number(_) => {
            lua.coerce_string(with.clone())?
        }
        LuaValue::Table(_) | LuaValue::Function(_) => None,
        other => {
            let message = format!(
                "bad argument #3 to 'gsub' (string/function/table expected, got {})",
                other.type_name()
            );
            return Err(Error::runtime(message));
        }
    };
    let (is_anchored, pattern) = unanchored(&pattern);
    let most = most.unwrap_or(i64::MAX);
    let mut matcher = Matcher::new(&text, pattern, budget);
    let (mut made, mut at, mut last, mut count) = (Vec::with_capacity(text.len()), 0, None, 0);
    while count < most {
        match matcher.begin(at)?.filter(|end| last != Some(*end)) {
            Some(end) => {
                count += 1;
                match &text_with {
                    Some(with) => matcher.expand(lua, &with.as_bytes(), (at, end), &mut made)?,
                    None => made.extend(matcher.asked(lua, with, (at, end))?),
                }
                (at, last) = (end, Some(end));
            }
            None if at < text.len() => {
                made.push(text[at]);
                at += 1;
            }
            None => break,
        }
        if made.len() > MAX_MEMORY {
            return Err(Error::MemoryError("a replacement is too long".into()));
        }
        if is_anchored {
            break;
        }
    }
    made.extend_from_slice(&text[at.min(text.len())..]);
    Ok((lua.create_string(&made)?, count))
}

fn whole(at: usize) -> i64 {
    i64::try_from(at).unwrap_or(i64::MAX)
}

/// A part of the text that a pattern captures.
#[derive(Clone, Copy)]
enum Capture {
    Open(usize),
    Position(usize),
    Part(usize, usize),
}

/// One pattern on its way through one text.
struct Matcher<'a> {
    text: &'a [u8],
    pattern: &'a [u8],
    budget: &'a Budget,
    captures: Vec<Capture>,
    depth: usize,
}

impl<'a> Matcher<'a> {
    fn new(text: &'a [u8], pattern: &'a [u8], budget: &'a Budget) -> Self {
        Self { text, pattern, budget, captures: Vec::new(), depth: 0 }
    }

    /// Where a match that begins here ends.
    fn begin(&mut self, at: usize) -> Result<Option<usize>> {
        self.captures.clear();
        self.depth = 0;
        self.at(at, 0)
    }

    fn at(&mut self, text: usize, pattern: usize) -> Result<Option<usize>> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err(Error::runtime("pattern too complex"));
        }
        let found = self.steps(text, pattern);
        self.depth -= 1;
        found
    }

    fn steps(&mut self, mut at: usize, mut p: usize) -> Result<Option<usize>> {
        loop {
            self.budget.spend(1)?;
            let Some(byte) = self.pattern.get(p) else { return Ok(Some(at)) };
            let next = self.pattern.get(p + 1);
            match (byte, next) {
                (b'(', Some(b')')) => return self.open(Capture::Position(at), at, p + 2),
                (b'(', _) => return self.open(Capture::Open(at), at, p + 1),
                (b')', _) => return self.close(at, p + 1),
                (b'$', None) => return Ok((at == self.text.len()).then_some(at)),
                (b'%', Some(b'b')) => match self.balanced(at, p + 2)? {
                    Some(end) => (at, p) = (end, p + 4),
                    None => return Ok(None),
                },
                (b'%', Some(b'f')) => {
                    p += 2;
                    if self.pattern.get(p) != Some(&b'[') {
                        return Err(Error::runtime("missing '[' after '%f' in pattern"));
                    }
                    let end = self.class_end(p)?;
                    let before = if at == 0 { 0 } else { self.text[at - 1] };
                    let here = self.text.get(at).copied().unwrap_or(0);
                    if self.in_set(before, p, end - 1)? || !self.in_set(here, p, end - 1)? {
                        return Ok(None);
                    }
                    p = end;
                }
                (b'%', Some(digit @ b'0'..=b'9')) => match self.repeated(at, *digit)? {
                    Some(end) => (at, p) = (end, p + 2),
                    None => return Ok(None),
                },
                _ => {
                    let end = self.class_end(p)?;
                    let quantifier = self.pattern.get(end);
                    let is_one = self.matches_one(at, p, end)?;
                    match quantifier {
                        Some(b'?') if is_one => {
                            if let Some(found) = self.at(at + 1, end + 1)? {
                                return Ok(Some(found));
                            }
                            p = end + 1;
                        }
                        Some(b'+') if is_one => return self.most(at + 1, p, end),
                        Some(b'*') if is_one => return self.most(at, p, end),
                        Some(b'-') => return self.least(at, p, end),
                        Some(b'*' | b'?') => p = end + 1,
                        _ if is_one => (at, p) = (at + 1, end),
                        _ => return Ok(None),
                    }
                }
            }
        }
    }

    /// As many as there are, and then ever fewer.
    fn most(&mut self, at: usize, p: usize, end: usize) -> Result<Option<usize>> {
        let mut count = 0;
        while self.matches_one(at + count, p, end)? {
            count += 1;
        }
        self.budget.spend(count)?;
        loop {
            if let Some(found) = self.at(at + count, end + 1)? {
                return Ok(Some(found));
            }
            match count.checked_sub(1) {
                Some(fewer) => count = fewer,
                None => return Ok(None),
            }
        }
    }

    /// As few as will do.
    fn least(&mut self, mut at: usize, p: usize, end: usize) -> Result<Option<usize>> {
        loop {
            if let Some(found) = self.at(at, end + 1)? {
                return Ok(Some(found));
            }
            if !self.matches_one(at, p, end)? {
                return Ok(None);
            }
            at += 1;
        }
    }

    fn open(&mut self, capture: Capture, at: usize, p: usize) -> Result<Option<usize>> {
        if self.captures.len() >= MAX_CAPTURES {
            return Err(Error::runtime("too many captures"));
        }
        self.captures.push(capture);
        let found = self.at(at, p)?;
        if found.is_none() {
            self.captures.pop();
        }
        Ok(found)
    }

    fn close(&mut self, at: usize, p: usize) -> Result<Option<usize>> {
        let open = self.captures.iter().rposition(|capture| matches!(capture, Capture::Open(_)));
        let Some(idx) = open else { return Err(Error::runtime("invalid pattern capture")) };
        let Capture::Open(from) = self.captures[idx] else { return Ok(None) };
        self.captures[idx] = Capture::Part(from, at);
        let found = self.at(at, p)?;
        if found.is_none() {
            self.captures[idx] = Capture::Open(from);
        }
        Ok(found)
    }

    fn balanced(&self, at: usize, p: usize) -> Result<Option<usize>> {
        let (Some(opens), Some(closes)) = (self.pattern.get(p), self.pattern.get(p + 1)) else {
            return Err(Error::runtime("malformed pattern (missing arguments to '%b')"));
        };
        if self.text.get(at) != Some(opens) {
            return Ok(None);
        }
        let mut depth = 1_usize;
        for (idx, byte) in self.text.iter().enumerate().skip(at + 1) {
            self.budget.spend(1)?;
            if byte == closes {
                depth -= 1;
                if depth == 0 {
                    return Ok(Some(idx + 1));
                }
            } else if byte == opens {
                depth += 1;
            }
        }
        Ok(None)
    }

    /// What was captured, once more.
    fn repeated(&self, at: usize, digit: u8) -> Result<Option<usize>> {
        let idx = usize::from(digit).wrapping_sub(usize::from(b'1'));
        // A place captured no text that could come once more.
        if let Some(Capture::Position(_)) = self.captures.get(idx) {
            return Ok(None);
        }
        let Some(Capture::Part(from, to)) = self.captures.get(idx) else {
            let message = format!("invalid capture index %{} in pattern", idx.wrapping_add(1));
            return Err(Error::runtime(message));
        };
        let part = &self.text[*from..*to];
        self.budget.spend(part.len() / PLAIN_BYTES_A_STEP)?;
        Ok(self.text[at..].starts_with(part).then_some(at + part.len()))
    }

    /// Behind the class of bytes that begins at `p`.
    fn class_end(&self, p: usize) -> Result<usize> {
        match self.pattern.get(p) {
            Some(b'%') if p + 1 >= self.pattern.len() => {
                Err(Error::runtime("malformed pattern (ends with '%')"))
            }
            Some(b'%') => Ok(p + 2),
            Some(b'[') => {
                let mut at = p + 1;
                if self.pattern.get(at) == Some(&b'^') {
                    at += 1;
                }
                // The first member may be a bracket itself.
                loop {
                    match self.pattern.get(at) {
                        None => return Err(Error::runtime("malformed pattern (missing ']')")),
                        Some(b'%') if at + 1 < self.pattern.len() => at += 2,
                        Some(_) => at += 1,
                    }
                    if self.pattern.get(at) == Some(&b']') {
                        return Ok(at + 1);
                    }
                }
            }
            _ => Ok(p + 1),
        }
    }

    fn matches_one(&self, at: usize, p: usize, end: usize) -> Result<bool> {
        let Some(byte) = self.text.get(at).copied() else { return Ok(false) };
        Ok(match self.pattern[p] {
            b'.' => true,
            b'%' => is_of(byte, self.pattern[p + 1]),
            b'[' => self.in_set(byte, p, end - 1)?,
            other => other == byte,
        })
    }

    /// Whether a byte is in the set that begins at `p` and whose last bracket is at `end`.
    fn in_set(&self, byte: u8, p: usize, end: usize) -> Result<bool> {
        let set = &self.pattern[p + 1..end];
        self.budget.spend(set.len() / 4)?;
        let (is_in, set) = match set.strip_prefix(b"^") {
            Some(rest) => (false, rest),
            None => (true, set),
        };
        let mut at = 0;
        while at < set.len() {
            if set[at] == b'%' && at + 1 < set.len() {
                if is_of(byte, set[at + 1]) {
                    return Ok(is_in);
                }
                at += 2;
            } else if set.get(at + 1) == Some(&b'-') && at + 2 < set.len() {
                if (set[at]..=set[at + 2]).contains(&byte) {
                    return Ok(is_in);
                }
                at += 3;
            } else {
                if set[at] == byte {
                    return Ok(is_in);
                }
                at += 1;
            }
        }
        Ok(!is_in)
    }

    /// What was captured; the whole match where nothing is.
    fn captures(&self, lua: &Lua, found: Option<(usize, usize)>, into: &mut MultiValue) -> Result<()> {
        if let (true, Some((from, to))) = (self.captures.is_empty(), found) {
            into.push_back(LuaValue::String(lua.create_string(&self.text[from..to])?));
        }
        for idx in 0..self.captures.len() {
            into.push_back(self.capture(lua, idx)?);
        }
        Ok(())
    }

    fn capture(&self, lua: &Lua, idx: usize) -> Result<LuaValue> {
        Ok(match self.captures[idx] {
            Capture::Open(_) => return Err(Error::runtime("unfinished capture")),
            Capture::Position(at) => LuaValue::Integer(whole(at + 1)),
            Capture::Part(from, to) => LuaValue::String(lua.create_string(&self.text[from..to])?),
        })
    }

    /// The first capture, or the whole match.
    fn first(&self, lua: &Lua, (from, to): (usize, usize)) -> Result<LuaValue> {
        if self.captures.is_empty() {
            return Ok(LuaValue::String(lua.create_string(&self.text[from..to])?));
        }
        self.capture(lua, 0)
    }

    /// What a replacement in which `%1` and the like stand is for a match.
    fn expand(&self, lua: &Lua, with: &[u8], found: (usize, usize), made: &mut Vec<u8>) -> Result<()> {
        self.budget.spend(with.len() / PLAIN_BYTES_A_STEP)?;
        let mut rest = with;
        while let Some(at) = rest.iter().position(|byte| *byte == b'%') {
            made.extend_from_slice(&rest[..at]);
            match rest.get(at + 1) {
                Some(b'%') => made.push(b'%'),
                Some(b'0') => made.extend_from_slice(&self.text[found.0..found.1]),
                Some(digit @ b'1'..=b'9') => {
                    let idx = usize::from(digit - b'1');
                    let value = match idx {
                        0 => self.first(lua, found)?,
                        idx if idx < self.captures.len() => self.capture(lua, idx)?,
                        idx => {
                            let message = format!("invalid capture index %{} in replacement string", idx + 1);
                            return Err(Error::runtime(message));
                        }
                    };
                    made.extend(lua.coerce_string(value)?.iter().flat_map(|text| text.as_bytes().to_vec()));
                }
                _ => return Err(Error::runtime("invalid use of '%' in replacement string")),
            }
            rest = &rest[at + 2..];
        }
        made.extend_from_slice(rest);
        Ok(())
    }

    /// What a table or a function has for a match.
    fn asked(&self, lua: &Lua, with: &LuaValue, found: (usize, usize)) -> Result<Vec<u8>> {
        let value: LuaValue = match with {
            LuaValue::Table(table) => table.get(self.first(lua, found)?)?,
            LuaValue::Function(function) => {
                let mut arguments = MultiValue::new();
                self.captures(lua, Some(found), &mut arguments)?;
                function.call(arguments)?
            }
            _ => LuaValue::Nil,
        };
        match value {
            LuaValue::Nil | LuaValue::Boolean(false) => Ok(self.text[found.0..found.1].to_vec()),
            LuaValue::String(_) | LuaValue::Integer(_) | LuaValue::Number(_) => {
                Ok(lua.coerce_string(value)?.map(|text| text.as_bytes().to_vec()).unwrap_or_default())
            }
            other => Err(Error::runtime(format!("invalid replacement value (a {})", other.type_name()))),
        }
    }
}

/// Whether a byte is of the class that a letter after `%` names.
fn is_of(byte: u8, class: u8) -> bool {
    let is = match class.to_ascii_lowercase() {
        b'a' => byte.is_ascii_alphabetic(),
        b'c' => byte.is_ascii_control(),
        b'd' => byte.is_ascii_digit(),
        b'g' => byte.is_ascii_graphic(),
        b'l' => byte.is_ascii_lowercase(),
        b'p' => byte.is_ascii_punctuation(),
        b's' => matches!(byte, b' ' | b'\t'..=b'\r'),
        b'u' => byte.is_ascii_uppercase(),
        b'w' => byte.is_ascii_alphanumeric(),
        b'x' => byte.is_ascii_hexdigit(),
        _ => return class == byte,
    };
    is != class.is_ascii_uppercase()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Runs one call by Lua's own functions and by ours; what each answers, as text.
    fn both(call: &str, text: &str, pattern: &str, with: &str) -> (String, String) {
        let ask = |is_ours: bool| {
            let lua = Lua::new();
            let spent = Arc::new(AtomicU64::new(0));
            if is_ours {
                install(&lua, &spent).unwrap();
            }
            lua.globals().set("text", text).unwrap();
            lua.globals().set("pattern", pattern).unwrap();
            lua.globals().set("with", with).unwrap();
            let script = format!(
                "local function told(...) local parts = {{}} for i = 1, select('#', ...) do \
                 parts[i] = tostring((select(i, ...))) end return table.concat(parts, '|') end {call}"
            );
            match lua.load(script).eval::<String>() {
                Ok(said) => said,
                Err(_) => "error".into(),
            }
        };
        (ask(false), ask(true))
    }

    const CALLS: [&str; 8] = [
        "return told(string.find(text, pattern))",
        "return told(text:find(pattern, 2))",
        "return told(text:find(pattern, -3, true))",
        "return told(text:match(pattern))",
        "local all = {} for a, b in text:gmatch(pattern) do all[#all + 1] = told(a, b) end return table.concat(all, ';')",
        "return told(text:gsub(pattern, with))",
        "return told(text:gsub(pattern, {a = 'A', b = false, ab = 7}, 2))",
        "return told(text:gsub(pattern, function(a, b) if a == 'b' then return nil end return told(b, a) end))",
    ];

    #[test]
    fn patterns_match_as_lua_does() {
        for (text, pattern) in [
            ("hello world", "o w"),
            ("hello world from Lua", "(%w+) (%w+)"),
            ("key = value", "^(%w+)%s*=%s*(%w+)$"),
            ("THE (quick) fox", "%((%a+)%)"),
            ("THE (quick) fox", "%f[%a]%a+%f[%A]"),
            ("f(a(b)c)d", "%b()"),
            ("aaa", "a-"),
            ("aaa", "()a()"),
            ("abcabc", "(abc)%1"),
            ("1", "()%1"),
            ("abc", "(a()%2)%1"),
            ("abc", "(a%1)"),
            ("2024-01-02T03:04:05Z", "(%d+)%-(%d+)%-(%d+)T"),
            ("]-^", "[]^-]"),
            ("a]b", "[^%]]+"),
            ("x", "[a-]"),
            ("", ".-"),
            ("a\u{e4}b", "[\u{80}-\u{ff}]+"),
            ("one;two;;four", "([^;]*)"),
            ("$name", "%$(%w+)"),
            ("a.b", "."),
            ("aXb", "%u"),
            ("abc", "%"),
            ("abc", "[a"),
            ("abc", "(a"),
            ("abc", "a)"),
            ("abc", "%1"),
            ("abc", "%b"),
            ("abc", "%fa"),
        ] {
            for call in CALLS {
                let (lua, ours) = both(call, text, pattern, "<%0%1%%>");
                assert_eq!(ours, lua, "{call} of {text:?} with {pattern:?}");
            }
        }
    }

    proptest! {
        #[test]
        fn whatever_the_pattern_it_matches_as_lua_does(
            text in "[ab1 ()]{0,8}",
            pattern in "(\\^)?([ab.]|%[abds%()]|\\[[ab^]?[a-b]?%?[ab1]\\]|\\(|\\)|%1|%b\\(\\)|%f[\\[]a[\\]]|[*+?-]){0,5}\\$?",
            with in "[x%012]{0,4}",
            call in 0..CALLS.len(),
        ) {
            let (lua, ours) = both(CALLS[call], &text, &pattern, &with);
            prop_assert_eq!(ours, lua, "{} of {:?} with {:?}", CALLS[call], text, pattern);
        }
    }
}
