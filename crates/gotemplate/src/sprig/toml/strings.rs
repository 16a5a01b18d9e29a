//! The strings of a document.

use crate::value::{Str, Value};

use super::lex::{Lexer, Problem};

type Read<T> = Result<T, Problem>;

impl Lexer<'_> {
    /// The rest of a `"…"` string.
    pub(super) fn basic_string(&mut self) -> Read<Str> {
        let line = self.line();
        let mut raw = String::new();
        loop {
            match self.next_char()? {
                None => return self.fail("unexpected EOF; expected '\"'"),
                Some('\n' | '\r') => return self.fail_at_line_end("strings cannot contain newlines"),
                Some('"') => return unescaped(&raw, line).map(Str::from),
                Some('\\') => {
                    raw.push('\\');
                    self.escape(&mut raw)?;
                }
                Some(char) => raw.push(char),
            }
        }
    }

    /// What follows a backslash, checked and kept as it is.
    fn escape(&mut self, raw: &mut String) -> Read<()> {
        let char = self.next_char()?;
        let digits = match char {
            Some('x') => 2,
            Some('u') => 4,
            Some('U') => 8,
            Some('b' | 't' | 'n' | 'f' | 'r' | 'e' | '"' | '\\' | ' ' | '\t') => 0,
            char => return self.fail(format!("invalid escape in string '\\{}'", char.unwrap_or('\0'))),
        };
        raw.extend(char);
        let wanted = match digits {
            2 => "two",
            4 => "four",
            _ => "eight",
        };
        for _ in 0..digits {
            let digit = self.next_char()?;
            raw.extend(digit);
            if !digit.is_some_and(|digit| digit.is_ascii_hexdigit()) {
                let (kind, read) =
                    (char.unwrap_or_default(), super::super::display::quoted(&raw.as_str().into()));
                let read = String::from_utf8_lossy(&read).into_owned();
                return self.fail(format!(
                    "expected {wanted} hexadecimal digits after '\\{kind}', but got {read} instead"
                ));
            }
        }
        Ok(())
    }

    /// The rest of a `'…'` string.
    pub(super) fn literal_string(&mut self) -> Read<Str> {
        let mut text = String::new();
        loop {
            match self.next_char()? {
                None => return self.fail("unexpected EOF; expected \"'\""),
                Some('\n' | '\r') => return self.fail_at_line_end("strings cannot contain newlines"),
                Some('\'') => return Ok(text.into()),
                Some(char) => text.push(char),
            }
        }
    }

    /// The rest of a `"""…"""` string.
    pub(super) fn long_string(&mut self) -> Read<Value> {
        let mut raw = String::new();
        loop {
            match self.next_char()? {
                None => return self.fail("unexpected EOF; expected '\"\"\"'"),
                Some('\\') => {
                    raw.push('\\');
                    // A backslash may end a line.
                    if self.peek() == Some('\n') || self.peek() == Some('\r') {
                        raw.extend(self.next_char()?);
                    } else {
                        self.escape(&mut raw)?;
                    }
                }
                Some('"') => {
                    let quotes = 1 + self.quotes('"')?;
                    if quotes >= 6 {
                        return self.fail("unexpected '\"\"\"\"\"\"'");
                    }
                    if quotes >= 3 {
                        raw.extend(std::iter::repeat_n('"', quotes - 3));
                        let text = without_escaped_newlines(without_first_newline(&raw));
                        return unescaped(&text, self.line()).map(Value::from);
                    }
                    raw.extend(std::iter::repeat_n('"', quotes));
                }
                Some(char) => raw.push(char),
            }
        }
    }

    /// The rest of a `'''…'''` string.
    pub(super) fn long_literal(&mut self) -> Read<Value> {
        let mut text = String::new();
        loop {
            match self.next_char()? {
                None => return self.fail("unexpected EOF; expected \"'''\""),
                Some('\'') => {
                    let quotes = 1 + self.quotes('\'')?;
                    if quotes >= 6 {
                        return self.fail("unexpected \"''''''\"");
                    }
                    if quotes >= 3 {
                        text.extend(std::iter::repeat_n('\'', quotes - 3));
                        return Ok(without_first_newline(&text).into());
                    }
                    text.extend(std::iter::repeat_n('\'', quotes));
                }
                Some(char) => text.push(char),
            }
        }
    }

    /// Steps over quotes, and says how many there were; more than five are not needed.
    fn quotes(&mut self, quote: char) -> Read<usize> {
        let mut count = 0;
        while count < 5 && self.accept(quote)? {
            count += 1;
        }
        Ok(count)
    }
}

fn without_first_newline(text: &str) -> &str {
    text.strip_prefix('\n').or_else(|| text.strip_prefix("\r\n")).unwrap_or(text)
}

/// Without the backslashes that end lines, and the white space after them.
fn without_escaped_newlines(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('\\') {
        let after = &rest[at + 1..];
        let next = after.trim_start_matches([' ', '\t', '\r', '\n']);
        let space = &after[..after.len() - next.len()];
        if space.contains('\n') {
            out.push_str(&rest[..at]);
            rest = next;
        } else {
            // Whatever is escaped stays, a backslash too.
            let kept = at + 1 + after.chars().next().map_or(0, char::len_utf8);
            out.push_str(&rest[..kept]);
            rest = &rest[kept..];
        }
    }
    out.push_str(rest);
    out
}

/// The text that is meant, where escapes were checked before.
fn unescaped(raw: &str, line: usize) -> Read<String> {
    let mut out = String::with_capacity(raw.len());
    let mut rest = raw;
    while let Some(at) = rest.find('\\') {
        out.push_str(&rest[..at]);
        let after = &rest[at + 1..];
        let Some(kind) = after.chars().next() else { break };
        rest = &after[kind.len_utf8()..];
        let digits = match kind {
            'x' => 2,
            'u' => 4,
            'U' => 8,
            _ => 0,
        };
        match kind {
            'b' => out.push('\x08'),
            't' => out.push('\t'),
            'n' => out.push('\n'),
            'f' => out.push('\x0c'),
            'r' => out.push('\r'),
            'e' => out.push('\x1b'),
            'x' | 'u' | 'U' => {
                let (code, after) = rest.split_at_checked(digits).unwrap_or((rest, ""));
                rest = after;
                match u32::from_str_radix(code, 16).ok().and_then(char::from_u32) {
                    Some(char) => out.push(char),
                    None => {
                        let message = format!("Escaped character '\\u{code}' is not valid UTF-8.");
                        return Err(Problem { line, message });
                    }
                }
            }
            ' ' | '\t' => return Err(Problem { line, message: format!("invalid escape: '\\{kind}'") }),
            kind => out.push(kind),
        }
    }
    out.push_str(rest);
    Ok(out)
}
