//! From text to tokens.

use windlass_kube::{Str, Value};

use super::JqError;

/// One token; `Op` holds every sign.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Token {
    Number(Value),
    /// A string: pieces of text, and the tokens between `\(` and `)`.
    Text(Vec<Piece>),
    /// A name, which may be a keyword.
    Word(Str),
    /// `.name`.
    Field(Str),
    /// `$name`.
    Variable(Str),
    /// `@name`.
    Format(Str),
    Op(&'static str),
}

/// A piece of a string.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Piece {
    Text(String),
    Code(Vec<(Token, usize)>),
}

const OPS: &[&str] = &[
    "?//", "//=", "..", "//", "==", "!=", "<=", ">=", "|=", "+=", "-=", "*=", "/=", "%=", ".", "[", "]", "(",
    ")", "{", "}", "|", ",", ":", ";", "=", "<", ">", "+", "-", "*", "/", "%", "?",
];

pub(super) fn tokens(text: &str) -> Result<Vec<(Token, usize)>, JqError> {
    let chars: Vec<char> = text.chars().collect();
    let mut lexer = Lexer { chars: &chars, at: 0 };
    let found = lexer.run(false)?;
    Ok(found)
}

struct Lexer<'a> {
    chars: &'a [char],
    at: usize,
}

impl Lexer<'_> {
    fn peek(&self, ahead: usize) -> char {
        self.chars.get(self.at + ahead).copied().unwrap_or('\0')
    }

    fn fail<T>(&self, message: impl Into<String>) -> Result<T, JqError> {
        Err(JqError::Syntax { message: message.into(), at: self.at + 1 })
    }

    /// Tokens up to the end, or up to the `)` that ends an interpolation.
    fn run(&mut self, inside: bool) -> Result<Vec<(Token, usize)>, JqError> {
        let mut found = Vec::new();
        let mut depth = 0_usize;
        while self.at < self.chars.len() {
            let start = self.at;
            let token = match self.peek(0) {
                c if c.is_whitespace() => {
                    self.at += 1;
                    continue;
                }
                '#' => {
                    while self.at < self.chars.len() && self.peek(0) != '\n' {
                        self.at += 1;
                    }
                    continue;
                }
                '"' => self.string()?,
                '.' if self.peek(1).is_alphabetic() || self.peek(1) == '_' => {
                    self.at += 1;
                    Token::Field(self.word(false))
                }
                c if c.is_ascii_digit() || (c == '.' && self.peek(1).is_ascii_digit()) => self.number()?,
                '$' => {
                    self.at += 1;
                    let name = self.word(true);
                    if name.is_empty() {
                        return self.fail("a name must follow $");
                    }
                    Token::Variable(name)
                }
                '@' => {
                    self.at += 1;
                    Token::Format(self.word(false))
                }
                c if c.is_alphabetic() || c == '_' => Token::Word(self.word(true)),
                c => {
                    let rest: String = self.chars[self.at..].iter().take(3).collect();
                    let Some(op) = OPS.iter().find(|op| rest.starts_with(**op)) else {
                        return self.fail(format!("unexpected {c:?}"));
                    };
                    if *op == "(" {
                        depth += 1;
                    } else if *op == ")" {
                        if inside && depth == 0 {
                            return Ok(found);
                        }
                        depth = depth.saturating_sub(1);
                    }
                    self.at += op.len();
                    Token::Op(op)
                }
            };
            found.push((token, start));
        }
        if inside { self.fail("the string does not end") } else { Ok(found) }
    }

    fn word(&mut self, with_modules: bool) -> Str {
        let start = self.at;
        while self.peek(0).is_alphanumeric()
            || self.peek(0) == '_'
            || (with_modules && self.peek(0) == ':' && self.peek(1) == ':')
        {
            self.at += if self.peek(0) == ':' { 2 } else { 1 };
        }
        self.chars[start..self.at].iter().collect::<String>().into()
    }

    fn number(&mut self) -> Result<Token, JqError> {
        let start = self.at;
        while self.peek(0).is_ascii_digit() || self.peek(0) == '.' {
            self.at += 1;
        }
        if matches!(self.peek(0), 'e' | 'E') {
            self.at += 1;
            if matches!(self.peek(0), '+' | '-') {
                self.at += 1;
            }
            while self.peek(0).is_ascii_digit() {
                self.at += 1;
            }
        }
        let text: String = self.chars[start..self.at].iter().collect();
        if let Ok(number) = text.parse::<i64>() {
            return Ok(Token::Number(number.into()));
        }
        match text.parse::<f64>() {
            Ok(number) => Ok(Token::Number(Value::Float(number))),
            Err(_) => self.fail(format!("{text} is no number")),
        }
    }

    fn string(&mut self) -> Result<Token, JqError> {
        self.at += 1;
        let mut pieces = Vec::new();
        let mut text = String::new();
        loop {
            if self.at >= self.chars.len() {
                return self.fail("the string does not end");
            }
            let c = self.peek(0);
            self.at += 1;
            match c {
                '"' => break,
                '\\' => {
                    let escape = self.peek(0);
                    self.at += 1;
                    match escape {
                        'n' => text.push('\n'),
                        't' => text.push('\t'),
                        'r' => text.push('\r'),
                        'b' => text.push('\u{8}'),
                        'f' => text.push('\u{c}'),
                        '"' | '\\' | '/' => text.push(escape),
                        'u' => text.push(self.unicode()?),
                        '(' => {
                            if !text.is_empty() {
                                pieces.push(Piece::Text(std::mem::take(&mut text)));
                            }
                            pieces.push(Piece::Code(self.run(true)?));
                            self.at += 1;
                        }
                        other => return self.fail(format!("unknown escape \\{other}")),
                    }
                }
                other => text.push(other),
            }
        }
        if !text.is_empty() || pieces.is_empty() {
            pieces.push(Piece::Text(text));
        }
        Ok(Token::Text(pieces))
    }

    fn unicode(&mut self) -> Result<char, JqError> {
        let mut unit = || {
            let digits: String = self.chars.iter().skip(self.at).take(4).collect();
            self.at += 4;
            u32::from_str_radix(&digits, 16).unwrap_or(0xfffd)
        };
        let first = unit();
        if (0xd800..0xdc00).contains(&first) && self.peek(0) == '\\' && self.peek(1) == 'u' {
            self.at += 2;
            let digits: String = self.chars.iter().skip(self.at).take(4).collect();
            self.at += 4;
            let second = u32::from_str_radix(&digits, 16).unwrap_or(0);
            let joined = 0x10000 + ((first - 0xd800) << 10) + second.wrapping_sub(0xdc00);
            return Ok(char::from_u32(joined).unwrap_or('\u{fffd}'));
        }
        Ok(char::from_u32(first).unwrap_or('\u{fffd}'))
    }
}
