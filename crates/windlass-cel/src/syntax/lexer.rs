//! Tokens, as the grammar of cel-go 0.26 cuts them.

use crate::problem::Problems;

/// What a token is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum TokenKind {
    Int,
    Uint,
    Float,
    String,
    Bytes,
    Identifier,
    Quoted,
    /// An operator, a bracket, or one of the words `in`, `true`, `false`, `null`.
    Symbol,
    End,
}

/// A piece of the text.
#[derive(Clone, Debug)]
pub(super) struct Token {
    pub(super) kind: TokenKind,
    pub(super) text: String,
    /// Characters before it.
    pub(super) at: u32,
}

const SYMBOLS: [&str; 27] = [
    "==", "!=", "<=", ">=", "&&", "||", "<", ">", "[", "]", "{", "}", "(", ")", ".", ",", "-", "!", "?", ":",
    "+", "*", "/", "%", "=", "&", "|",
];

/// Cuts the text into tokens; what is none is reported and passed over. The last token is the end.
pub(super) fn tokens(text: &[char], problems: &mut Problems) -> Vec<Token> {
    let mut found = Vec::new();
    let mut at = 0;
    while at < text.len() {
        let rest = &text[at..];
        if matches!(rest[0], ' ' | '\t' | '\r' | '\n' | '\u{c}') {
            at += 1;
            continue;
        }
        if rest.starts_with(&['/', '/']) {
            at += rest.iter().position(|&char| char == '\n').unwrap_or(rest.len());
            continue;
        }
        match next(rest) {
            Ok((kind, len)) => {
                found.push(Token { kind, text: rest[..len].iter().collect(), at: position(at) });
                at += len;
            }
            Err(len) => {
                let part: String = rest[..len].iter().collect();
                let shown = part.replace('\n', "\\n").replace('\r', "\\r").replace('\t', "\\t");
                problems.report(position(at), format!("Syntax error: token recognition error at: '{shown}'"));
                at += len;
            }
        }
    }
    found.push(Token { kind: TokenKind::End, text: "<EOF>".to_owned(), at: position(text.len()) });
    found
}

fn position(at: usize) -> u32 {
    u32::try_from(at).unwrap_or(u32::MAX)
}

/// The token at the start, or how many characters are none.
fn next(rest: &[char]) -> Result<(TokenKind, usize), usize> {
    let first = rest[0];
    if let Some(result) = string(rest) {
        return result;
    }
    if first.is_ascii_digit() || (first == '.' && rest.get(1).is_some_and(char::is_ascii_digit)) {
        return Ok(number(rest));
    }
    if first.is_ascii_alphabetic() || first == '_' {
        let len = rest.iter().take_while(|char| char.is_ascii_alphanumeric() || **char == '_').count();
        let word: String = rest[..len].iter().collect();
        let kind = match word.as_str() {
            "in" | "true" | "false" | "null" => TokenKind::Symbol,
            _ => TokenKind::Identifier,
        };
        return Ok((kind, len));
    }
    if first == '`' {
        let inner = rest[1..]
            .iter()
            .take_while(|char| char.is_ascii_alphanumeric() || matches!(char, '_' | '.' | '-' | '/' | ' '))
            .count();
        return if inner > 0 && rest.get(inner + 1) == Some(&'`') {
            Ok((TokenKind::Quoted, inner + 2))
        } else {
            Err((inner + 2).min(rest.len()))
        };
    }
    for symbol in SYMBOLS {
        if rest.starts_with(&symbol.chars().collect::<Vec<_>>()) {
            // These are only the beginning of one.
            return match symbol {
                "=" | "&" | "|" => Err(2.min(rest.len())),
                _ => Ok((TokenKind::Symbol, symbol.len())),
            };
        }
    }
    Err(1)
}

fn number(rest: &[char]) -> (TokenKind, usize) {
    let digits =
        |from: usize| rest[from.min(rest.len())..].iter().take_while(|char| char.is_ascii_digit()).count();
    let is_unsigned = |at: usize| matches!(rest.get(at), Some('u' | 'U'));
    if rest.starts_with(&['0', 'x']) {
        let hexadecimal = rest[2..].iter().take_while(|char| char.is_ascii_hexdigit()).count();
        if hexadecimal > 0 {
            let len = 2 + hexadecimal;
            return if is_unsigned(len) { (TokenKind::Uint, len + 1) } else { (TokenKind::Int, len) };
        }
    }
    let whole = digits(0);
    let mut len = whole;
    let mut is_float = false;
    if rest.get(len) == Some(&'.') && digits(len + 1) > 0 {
        len += 1 + digits(len + 1);
        is_float = true;
    }
    if matches!(rest.get(len), Some('e' | 'E')) {
        let sign = usize::from(matches!(rest.get(len + 1), Some('+' | '-')));
        let exponent = digits(len + 1 + sign);
        if exponent > 0 {
            len += 1 + sign + exponent;
            is_float = true;
        }
    }
    match (is_float, is_unsigned(len)) {
        (true, _) => (TokenKind::Float, len),
        (false, true) => (TokenKind::Uint, len + 1),
        (false, false) => (TokenKind::Int, len),
    }
}

/// A string or bytes; nothing if none begins here.
fn string(rest: &[char]) -> Option<Result<(TokenKind, usize), usize>> {
    let mut at = 0;
    let mut kind = TokenKind::String;
    if matches!(rest[0], 'b' | 'B') {
        kind = TokenKind::Bytes;
        at += 1;
    }
    let is_raw = matches!(rest.get(at), Some('r' | 'R'));
    at += usize::from(is_raw);
    let quote = *rest.get(at)?;
    if quote != '\'' && quote != '"' {
        return None;
    }
    if rest[at..].starts_with(&[quote, quote, quote])
        && let Ok(len) = until(rest, at + 3, &[quote, quote, quote], is_raw, true)
    {
        return Some(Ok((kind, len)));
    }
    match until(rest, at + 1, &[quote], is_raw, false) {
        Ok(len) => Some(Ok((kind, len))),
        // A prefix is a name of its own where no string follows.
        Err(_) if at > 0 => None,
        Err(len) => Some(Err(len)),
    }
}

/// Where the string that is open at `at` ends, or where it turns out to be none.
fn until(rest: &[char], mut at: usize, end: &[char], is_raw: bool, many_lines: bool) -> Result<usize, usize> {
    loop {
        if rest[at.min(rest.len())..].starts_with(end) {
            return Ok(at + end.len());
        }
        match rest.get(at) {
            None => return Err(rest.len()),
            Some('\n' | '\r') if !many_lines => return Err(at + 1),
            Some('\\') if !is_raw => at += escape(rest, at)?,
            Some(_) => at += 1,
        }
    }
}

/// How long the escape at `at` is.
fn escape(rest: &[char], at: usize) -> Result<usize, usize> {
    let hexadecimal = |count: usize| {
        for idx in 0..count {
            if !rest.get(at + 2 + idx).is_some_and(char::is_ascii_hexdigit) {
                return Err((at + 3 + idx).min(rest.len()));
            }
        }
        Ok(2 + count)
    };
    match rest.get(at + 1) {
        Some('a' | 'b' | 'f' | 'n' | 'r' | 't' | 'v' | '"' | '\'' | '\\' | '?' | '`') => Ok(2),
        Some('x' | 'X') => hexadecimal(2),
        Some('u') => hexadecimal(4),
        Some('U') => hexadecimal(8),
        Some('0'..='3') => {
            for idx in 2..4 {
                if !matches!(rest.get(at + idx), Some('0'..='7')) {
                    return Err((at + idx + 1).min(rest.len()));
                }
            }
            Ok(4)
        }
        _ => Err((at + 2).min(rest.len())),
    }
}
