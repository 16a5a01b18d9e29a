//! Go's pattern grammar, translated as it is read.
//!
//! Every part is printed with the flags it was read under, so the translation has no flag groups whose reach
//! the two languages might see differently.

use super::class::{Class, NOTHING, perl_class, posix_class};
use super::unicode::property;
use super::{MAX_NESTING, Problem, RegexError};

/// The largest number a repetition may name, and the largest product of nested ones; Go's own limit.
const MAX_REPEAT: u64 = 1000;

/// A pattern in the `regex` crate's syntax.
pub(super) struct Translated {
    pub(super) pattern: String,
    /// The names of the groups, the whole match first.
    pub(super) names: Vec<Option<Box<str>>>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Flags {
    ignores_case: bool,
    is_multi_line: bool,
    dot_takes_newline: bool,
    is_lazy: bool,
}

/// One thing a repetition can apply to.
struct Item {
    text: String,
    /// The largest product of counts on any path down through it.
    repeats: u64,
    depth: usize,
}

/// A group being read; the outermost is the pattern.
struct Group {
    /// What the group opens with: `(` or `(?:`.
    open: &'static str,
    /// The flags to go back to after it.
    outer_flags: Flags,
    /// Finished branches, printed.
    branches: Vec<String>,
    items: Vec<Item>,
    repeats: u64,
    depth: usize,
}

struct Parser<'p> {
    whole: &'p str,
    rest: &'p str,
    flags: Flags,
    groups: Vec<Group>,
    names: Vec<Option<Box<str>>>,
}

pub(super) fn translate(pattern: &str) -> Result<Translated, RegexError> {
    let mut parser = Parser {
        whole: pattern,
        rest: pattern,
        flags: Flags::default(),
        groups: vec![Group::new("(?:", Flags::default())],
        names: vec![None],
    };
    parser.run()?;
    let mut outermost = parser.groups.pop().expect("the outermost group is never closed");
    if !parser.groups.is_empty() {
        return Err(error(Problem::MissingParen, pattern));
    }
    outermost.end_branch();
    Ok(Translated { pattern: outermost.branches.join("|"), names: parser.names })
}

fn error(problem: Problem, expression: &str) -> RegexError {
    RegexError::Syntax { problem, expression: expression.to_owned() }
}

/// What `rest`, a suffix of `from`, has left of it.
fn consumed<'a>(from: &'a str, rest: &str) -> &'a str {
    &from[..from.len() - rest.len()]
}

/// The first character; at the end one that is nothing's, as Go's reader has it.
fn next_char(text: &str) -> (char, &str) {
    let mut chars = text.chars();
    let char = chars.next().unwrap_or(char::REPLACEMENT_CHARACTER);
    (char, chars.as_str())
}

impl Group {
    fn new(open: &'static str, outer_flags: Flags) -> Self {
        Self { open, outer_flags, branches: Vec::new(), items: Vec::new(), repeats: 1, depth: 0 }
    }

    fn end_branch(&mut self) {
        let mut branch = String::new();
        for item in self.items.drain(..) {
            branch.push_str(&item.text);
            self.repeats = self.repeats.max(item.repeats);
            self.depth = self.depth.max(item.depth);
        }
        self.branches.push(branch);
    }
}

impl Parser<'_> {
    fn run(&mut self) -> Result<(), RegexError> {
        // The text from the repetition just read on, to which another may not be applied.
        let mut last_repeat: Option<&str> = None;
        while let Some(first) = self.rest.bytes().next() {
            let before = self.rest;
            let mut repeated = false;
            match first {
                b'(' if before.starts_with("(?") => self.parse_perl_group()?,
                b'(' => {
                    self.names.push(None);
                    self.open_group("(")?;
                    self.rest = &before[1..];
                }
                b')' => self.close_group()?,
                b'|' => {
                    self.group().end_branch();
                    self.rest = &before[1..];
                }
                b'*' | b'+' | b'?' => {
                    self.rest = &before[1..];
                    self.repeat(before, last_repeat, &before[..1], None)?;
                    repeated = true;
                }
                b'{' => match parse_count(before) {
                    Some((count, after)) => {
                        self.rest = after;
                        let Some(count) = count else {
                            return Err(error(Problem::InvalidRepeatSize, consumed(before, after)));
                        };
                        self.repeat(before, last_repeat, &count.print(), Some(count))?;
                        repeated = true;
                    }
                    None => self.parse_literal(),
                },
                b'^' => self.push_assertion(if self.flags.is_multi_line { "(?m:^)" } else { r"\A" }),
                b'$' => self.push_assertion(if self.flags.is_multi_line { "(?m:$)" } else { r"\z" }),
                b'.' => self.push_assertion(if self.flags.dot_takes_newline { "(?s:.)" } else { r"[^\n]" }),
                b'[' => self.parse_class()?,
                b'\\' => self.parse_backslash()?,
                _ => self.parse_literal(),
            }
            last_repeat = repeated.then_some(before);
        }
        Ok(())
    }

    fn group(&mut self) -> &mut Group {
        self.groups.last_mut().expect("the outermost group is never closed")
    }

    fn push(&mut self, text: String) {
        self.group().items.push(Item { text, repeats: 1, depth: 1 });
    }

    /// Pushes the translation of a one-byte operator.
    fn push_assertion(&mut self, text: &str) {
        self.push(text.to_owned());
        self.rest = &self.rest[1..];
    }

    fn parse_literal(&mut self) {
        let (char, rest) = next_char(self.rest);
        self.rest = rest;
        self.push_char(u32::from(char));
    }

    fn push_char(&mut self, code: u32) {
        let literal = match char::from_u32(code) {
            Some(char) if char.is_ascii_alphanumeric() || !char.is_ascii() => char.to_string(),
            Some(_) => format!(r"\x{code:02X}"),
            // A surrogate occurs in no text.
            None => NOTHING.to_owned(),
        };
        self.push_folding(literal);
    }

    /// Pushes a literal or a class under the current case flag.
    fn push_folding(&mut self, text: String) {
        self.push(if self.flags.ignores_case { format!("(?i:{text})") } else { text });
    }

    fn open_group(&mut self, open: &'static str) -> Result<(), RegexError> {
        if self.groups.len() > MAX_NESTING {
            return Err(error(Problem::NestingDepth, self.whole));
        }
        self.groups.push(Group::new(open, self.flags));
        Ok(())
    }

    fn close_group(&mut self) -> Result<(), RegexError> {
        if self.groups.len() < 2 {
            return Err(error(Problem::UnexpectedParen, self.whole));
        }
        let mut group = self.groups.pop().expect("just counted");
        group.end_branch();
        self.flags = group.outer_flags;
        self.rest = &self.rest[1..];
        let text = format!("{}{})", group.open, group.branches.join("|"));
        self.push_item(Item { text, repeats: group.repeats, depth: group.depth + 1 })
    }

    fn push_item(&mut self, item: Item) -> Result<(), RegexError> {
        if item.depth > MAX_NESTING {
            return Err(error(Problem::NestingDepth, self.whole));
        }
        self.group().items.push(item);
        Ok(())
    }

    /// Applies a repetition to the item before it. Go looks at what it pushed last, so in `a(?i)*` that is `a`.
    fn repeat(
        &mut self,
        before: &str,
        last_repeat: Option<&str>,
        operator: &str,
        count: Option<Count>,
    ) -> Result<(), RegexError> {
        let without_lazy = self.rest;
        let mut is_lazy = self.flags.is_lazy;
        if let Some(rest) = without_lazy.strip_prefix('?') {
            self.rest = rest;
            is_lazy = !is_lazy;
        }
        if let Some(last) = last_repeat {
            return Err(error(Problem::InvalidRepeatOp, consumed(last, self.rest)));
        }
        let consumed = consumed(before, self.rest);
        let Some(item) = self.group().items.pop() else {
            return Err(error(Problem::MissingRepeatArgument, consumed));
        };
        let repeats = match count {
            None => item.repeats,
            Some(Count { max: Some(0), .. }) => 1,
            Some(Count { min, max }) => item.repeats.saturating_mul(max.unwrap_or(min).max(1)),
        };
        if repeats > MAX_REPEAT
            && count.is_some_and(|count| count.min >= 2 || count.max.is_some_and(|max| max >= 2))
        {
            return Err(error(Problem::InvalidRepeatSize, consumed));
        }
        let lazy = if is_lazy { "?" } else { "" };
        let text = format!("(?:{}){operator}{lazy}", item.text);
        self.push_item(Item { text, repeats, depth: item.depth + 1 })
    }

    /// Reads what starts with `(?`: a named group, flags, or a group with flags.
    fn parse_perl_group(&mut self) -> Result<(), RegexError> {
        let whole = self.rest;
        // A name needs something after its bracket to be taken for one.
        let name_start = if whole.len() > 4 && whole.starts_with("(?P<") {
            Some(4)
        } else if whole.len() > 3 && whole.starts_with("(?<") {
            Some(3)
        } else {
            None
        };
        if let Some(start) = name_start {
            let Some(end) = whole.find('>') else { return Err(error(Problem::InvalidNamedCapture, whole)) };
            let name = &whole[start..end];
            if name.is_empty() || !name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_') {
                return Err(error(Problem::InvalidNamedCapture, &whole[..=end]));
            }
            self.names.push(Some(name.into()));
            self.rest = &whole[end + 1..];
            return self.open_group("(");
        }
        let mut flags = self.flags;
        let (mut sets, mut saw_flag) = (true, false);
        let mut rest = &whole[2..];
        while !rest.is_empty() {
            let (char, after) = next_char(rest);
            rest = after;
            let flag = match char {
                'i' => &mut flags.ignores_case,
                'm' => &mut flags.is_multi_line,
                's' => &mut flags.dot_takes_newline,
                'U' => &mut flags.is_lazy,
                '-' if sets => {
                    (sets, saw_flag) = (false, false);
                    continue;
                }
                ':' | ')' if sets || saw_flag => {
                    self.rest = rest;
                    if char == ':' {
                        self.open_group("(?:")?;
                    }
                    self.flags = flags;
                    return Ok(());
                }
                _ => break,
            };
            *flag = sets;
            saw_flag = true;
        }
        Err(error(Problem::InvalidPerlOp, consumed(whole, rest)))
    }

    fn parse_backslash(&mut self) -> Result<(), RegexError> {
        let whole = self.rest;
        let assertion = match whole.as_bytes().get(1) {
            Some(b'A') => r"\A",
            Some(b'z') => r"\z",
            Some(b'b') => r"(?-u:\b)",
            Some(b'B') => r"(?-u:\B)",
            Some(b'C') => return Err(error(Problem::InvalidEscape, &whole[..2])),
            Some(b'Q') => {
                let quoted = &whole[2..];
                let (literal, rest) = quoted.split_once(r"\E").unwrap_or((quoted, ""));
                literal.chars().for_each(|char| self.push_char(u32::from(char)));
                self.rest = rest;
                return Ok(());
            }
            Some(letter) => {
                if let Some(class) = perl_class(*letter) {
                    self.rest = &whole[2..];
                    self.push_folding(class.to_owned());
                    return Ok(());
                }
                if let Some((class, rest)) = parse_property(whole)? {
                    self.rest = rest;
                    self.push_folding(class);
                    return Ok(());
                }
                let (code, rest) = parse_escape(whole)?;
                self.rest = rest;
                self.push_char(code);
                return Ok(());
            }
            None => return Err(error(Problem::TrailingBackslash, "")),
        };
        self.rest = &whole[2..];
        self.push(assertion.to_owned());
        Ok(())
    }

    fn parse_class(&mut self) -> Result<(), RegexError> {
        let whole = self.rest;
        let (is_negated, mut rest) =
            whole[1..].strip_prefix('^').map_or((false, &whole[1..]), |rest| (true, rest));
        let mut class = Class::default();
        let mut is_first = true;
        while is_first || !rest.starts_with(']') {
            is_first = false;
            if let Some(after) = rest.strip_prefix("[:")
                && let Some(end) = after.find(":]")
            {
                let posix = posix_class(&after[..end])
                    .ok_or_else(|| error(Problem::InvalidCharRange, &rest[..end + 4]))?;
                class.push_class(&posix);
                rest = &after[end + 2..];
                continue;
            }
            if let Some((property, after)) = parse_property(rest)? {
                class.push_class(&property);
                rest = after;
                continue;
            }
            if let [b'\\', letter, ..] = rest.as_bytes()
                && let Some(perl) = perl_class(*letter)
            {
                class.push_class(perl);
                rest = &rest[2..];
                continue;
            }
            let range = rest;
            let (low, after) = parse_class_char(rest, whole)?;
            rest = after;
            let mut high = low;
            if let Some(after) = rest.strip_prefix('-')
                && !after.is_empty()
                && !after.starts_with(']')
            {
                (high, rest) = parse_class_char(after, whole)?;
                if high < low {
                    return Err(error(Problem::InvalidCharRange, consumed(range, rest)));
                }
            }
            class.push_range(low, high);
        }
        self.rest = &rest[1..];
        self.push_folding(class.print(is_negated));
        Ok(())
    }
}

fn parse_class_char<'a>(text: &'a str, whole: &str) -> Result<(u32, &'a str), RegexError> {
    if text.is_empty() {
        return Err(error(Problem::MissingBracket, whole));
    }
    if text.starts_with('\\') {
        return parse_escape(text);
    }
    let (char, rest) = next_char(text);
    Ok((u32::from(char), rest))
}

/// Reads `\pN`, `\p{Name}`, `\P{^Name}`; `None` when the text starts with something else.
fn parse_property(text: &str) -> Result<Option<(String, &str)>, RegexError> {
    let [b'\\', letter @ (b'p' | b'P'), ..] = text.as_bytes() else { return Ok(None) };
    let after = &text[2..];
    let (name, rest) = if after.starts_with('{') {
        let Some(end) = after.find('}') else { return Err(error(Problem::InvalidCharRange, text)) };
        (&after[1..end], &after[end + 1..])
    } else {
        let (_, rest) = next_char(after);
        (consumed(after, rest), rest)
    };
    let (has_caret, bare) = name.strip_prefix('^').map_or((false, name), |bare| (true, bare));
    let is_negated = (*letter == b'P') != has_caret;
    match property(bare, is_negated) {
        Some(property) => Ok(Some((property, rest))),
        None => Err(error(Problem::InvalidCharRange, consumed(text, rest))),
    }
}

/// Reads an escape that stands for one code point, which may be a surrogate.
fn parse_escape(text: &str) -> Result<(u32, &str), RegexError> {
    let after = &text[1..];
    if after.is_empty() {
        return Err(error(Problem::TrailingBackslash, ""));
    }
    let invalid = |rest: &str| Err(error(Problem::InvalidEscape, consumed(text, rest)));
    let (char, mut rest) = next_char(after);
    let is_octal = |text: &str| text.starts_with(|char| matches!(char, '0'..='7'));
    let code = match char {
        '1'..='7' if !is_octal(rest) => return invalid(rest),
        '0'..='7' => {
            let mut code = u32::from(char) - u32::from('0');
            for _ in 0..2 {
                if !is_octal(rest) {
                    break;
                }
                code = code * 8 + u32::from(rest.as_bytes()[0] - b'0');
                rest = &rest[1..];
            }
            code
        }
        'x' => return parse_hexadecimal(text, rest),
        'a' => 0x07,
        'f' => 0x0c,
        'n' => 0x0a,
        'r' => 0x0d,
        't' => 0x09,
        'v' => 0x0b,
        _ if char.is_ascii() && !char.is_ascii_alphanumeric() => u32::from(char),
        _ => return invalid(rest),
    };
    Ok((code, rest))
}

/// Reads what follows `\x`: two digits, or any number in braces.
fn parse_hexadecimal<'a>(text: &'a str, mut rest: &'a str) -> Result<(u32, &'a str), RegexError> {
    let invalid = |rest: &str| Err(error(Problem::InvalidEscape, consumed(text, rest)));
    if rest.is_empty() {
        return invalid(rest);
    }
    let (first, after) = next_char(rest);
    rest = after;
    if first != '{' {
        let (second, after) = next_char(rest);
        return match (first.to_digit(16), second.to_digit(16)) {
            (Some(high), Some(low)) => Ok((high * 16 + low, after)),
            _ => invalid(after),
        };
    }
    let mut code: Option<u32> = None;
    loop {
        if rest.is_empty() {
            return invalid(rest);
        }
        let (char, after) = next_char(rest);
        rest = after;
        if char == '}' {
            return code.map_or_else(|| invalid(rest), |code| Ok((code, rest)));
        }
        let next = char.to_digit(16).map(|digit| code.unwrap_or(0) * 16 + digit);
        let Some(next) = next.filter(|next| *next <= u32::from(char::MAX)) else { return invalid(rest) };
        code = Some(next);
    }
}

/// The numbers of `{2}`, `{2,}` or `{2,5}`.
#[derive(Clone, Copy)]
struct Count {
    min: u64,
    max: Option<u64>,
}

impl Count {
    fn print(self) -> String {
        match self.max {
            None => format!("{{{},}}", self.min),
            Some(max) => format!("{{{},{max}}}", self.min),
        }
    }
}

/// Reads a counted repetition. Outer `None`: not of that form, so the brace is a literal; inner `None`: of
/// that form, with numbers Go refuses.
fn parse_count(text: &str) -> Option<(Option<Count>, &str)> {
    let (min, rest) = parse_number(text.strip_prefix('{')?)?;
    let (max, rest) = match rest.strip_prefix(',') {
        None => (Some(min), rest),
        Some(rest) if rest.starts_with('}') => (None, rest),
        Some(rest) => {
            let (max, rest) = parse_number(rest)?;
            (Some(max), rest)
        }
    };
    let rest = rest.strip_prefix('}')?;
    let is_fine = min <= MAX_REPEAT && max.is_none_or(|max| max <= MAX_REPEAT && min <= max);
    Some((is_fine.then_some(Count { min, max }), rest))
}

/// Reads a number without leading zeros; one too large for its type is just too large.
fn parse_number(text: &str) -> Option<(u64, &str)> {
    let end = text.bytes().position(|byte| !byte.is_ascii_digit()).unwrap_or(text.len());
    let (digits, rest) = text.split_at(end);
    if digits.is_empty() || (digits.len() > 1 && digits.starts_with('0')) {
        return None;
    }
    Some((digits.parse().unwrap_or(u64::MAX), rest))
}
