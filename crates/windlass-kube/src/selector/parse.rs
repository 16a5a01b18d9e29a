//! The string syntax of label selectors.

use super::ParseSelectorError;
use super::label::{LabelOperator, LabelRequirement};
use crate::go_print::quote;
use crate::{Str, validation};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Token {
    Error,
    End,
    Close,
    Comma,
    Not,
    DoubleEquals,
    Equals,
    Greater,
    Identifier,
    In,
    Less,
    NotEquals,
    NotIn,
    Open,
}

fn token_of(text: &str) -> Option<Token> {
    Some(match text {
        ")" => Token::Close,
        "," => Token::Comma,
        "!" => Token::Not,
        "==" => Token::DoubleEquals,
        "=" => Token::Equals,
        ">" => Token::Greater,
        "in" => Token::In,
        "<" => Token::Less,
        "!=" => Token::NotEquals,
        "notin" => Token::NotIn,
        "(" => Token::Open,
        _ => return None,
    })
}

fn is_special(byte: u8) -> bool {
    matches!(byte, b'=' | b'!' | b'(' | b')' | b',' | b'>' | b'<')
}

fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\r' | b'\n')
}

/// Splits the text. A NUL byte after a token is skipped, one before a token ends the text, as in the original.
fn tokens(text: &str) -> Vec<(Token, String)> {
    let mut rest = text.trim_start_matches([' ', '\t', '\r', '\n']);
    let mut out = Vec::new();
    while let Some(first) = rest.bytes().next().filter(|first| *first != 0) {
        let n_read = if is_special(first) {
            let n_special = rest.bytes().take_while(|b| is_special(*b)).count();
            // The longest operator at the start; once one is found, a longer text that is none ends it.
            let mut found = None;
            for len in 1..=n_special {
                match token_of(&rest[..len]) {
                    Some(token) => found = Some((token, len)),
                    None if found.is_some() => break,
                    None => {}
                }
            }
            match found {
                Some((token, len)) => {
                    out.push((token, rest[..len].to_owned()));
                    len
                }
                None => {
                    let message = format!("error expected: keyword found '{}'", &rest[..n_special]);
                    out.push((Token::Error, message));
                    n_special
                }
            }
        } else {
            let len = rest.bytes().take_while(|b| !is_special(*b) && !is_space(*b) && *b != 0).count();
            out.push((token_of(&rest[..len]).unwrap_or(Token::Identifier), rest[..len].to_owned()));
            len
        };
        rest = &rest[n_read..];
        rest = rest.strip_prefix('\0').unwrap_or(rest).trim_start_matches([' ', '\t', '\r', '\n']);
    }
    out.push((Token::End, String::new()));
    out
}

struct Parser {
    tokens: Vec<(Token, String)>,
    position: usize,
}

fn refuse<T>(message: String) -> Result<T, ParseSelectorError> {
    Err(ParseSelectorError(message))
}

pub(super) fn parse(text: &str) -> Result<Vec<LabelRequirement>, ParseSelectorError> {
    let mut parser = Parser { tokens: tokens(text), position: 0 };
    let mut requirements = Vec::new();
    loop {
        let (token, found) = parser.peek_value();
        match token {
            Token::Identifier | Token::Not => {
                let requirement = parser
                    .requirement()
                    .map_err(|why| ParseSelectorError(format!("unable to parse requirement: {why}")))?;
                requirements.push(requirement);
                let (token, found) = parser.next_value();
                match token {
                    Token::End => return Ok(requirements),
                    Token::Comma => {
                        let (after, found) = parser.peek_value();
                        if after != Token::Identifier && after != Token::Not {
                            return refuse(format!("found '{found}', expected: identifier after ','"));
                        }
                    }
                    _ => return refuse(format!("found '{found}', expected: ',' or 'end of string'")),
                }
            }
            Token::End => return Ok(requirements),
            _ => return refuse(format!("found '{found}', expected: !, identifier, or 'end of string'")),
        }
    }
}

impl Parser {
    fn peek(&self) -> (Token, String) {
        self.tokens.get(self.position).cloned().unwrap_or((Token::End, String::new()))
    }

    fn next(&mut self) -> (Token, String) {
        let token = self.peek();
        self.position += 1;
        token
    }

    /// Where a value may stand, `in` and `notin` are words like any other.
    fn peek_value(&self) -> (Token, String) {
        let (token, found) = self.peek();
        (if matches!(token, Token::In | Token::NotIn) { Token::Identifier } else { token }, found)
    }

    fn next_value(&mut self) -> (Token, String) {
        let token = self.peek_value();
        self.position += 1;
        token
    }

    fn requirement(&mut self) -> Result<LabelRequirement, ParseSelectorError> {
        let (mut token, mut key) = self.next_value();
        let negated = token == Token::Not;
        if negated {
            (token, key) = self.next_value();
        }
        if token != Token::Identifier {
            return refuse(format!("found '{key}', expected: identifier"));
        }
        let errors = validation::label_key(&key);
        if !errors.is_empty() {
            return refuse(format!("<nil>: Invalid value: {}: {}", quote(&key), errors.join("; ")));
        }
        if negated {
            return LabelRequirement::try_new(key, LabelOperator::DoesNotExist, Vec::new());
        }
        if matches!(self.peek_value().0, Token::End | Token::Comma) {
            return LabelRequirement::try_new(key, LabelOperator::Exists, Vec::new());
        }
        let operator = self.operator()?;
        let mut values = match operator {
            LabelOperator::In | LabelOperator::NotIn => self.values()?,
            _ => vec![self.exact_value()?],
        };
        values.sort_unstable();
        values.dedup();
        LabelRequirement::try_new(key, operator, values)
    }

    fn operator(&mut self) -> Result<LabelOperator, ParseSelectorError> {
        let (token, found) = self.next();
        Ok(match token {
            Token::In => LabelOperator::In,
            Token::NotIn => LabelOperator::NotIn,
            Token::Equals => LabelOperator::Equals,
            Token::DoubleEquals => LabelOperator::DoubleEquals,
            Token::NotEquals => LabelOperator::NotEquals,
            Token::Greater => LabelOperator::GreaterThan,
            Token::Less => LabelOperator::LessThan,
            _ => return refuse(format!("found '{found}', expected: in, notin, =, ==, !=, gt, lt")),
        })
    }

    fn values(&mut self) -> Result<Vec<Str>, ParseSelectorError> {
        let (token, found) = self.next_value();
        if token != Token::Open {
            return refuse(format!("found '{found}' expected: '('"));
        }
        let (token, first) = self.peek_value();
        match token {
            Token::Identifier | Token::Comma => {
                let values = self.list()?;
                if self.next_value().0 != Token::Close {
                    return refuse(format!("found '{first}', expected: ')'"));
                }
                Ok(values)
            }
            Token::Close => {
                self.next_value();
                Ok(vec![Str::default()])
            }
            _ => refuse(format!("found '{first}', expected: ',', ')' or identifier")),
        }
    }

    /// Words between commas; nothing between two commas is the empty word.
    fn list(&mut self) -> Result<Vec<Str>, ParseSelectorError> {
        let mut values: Vec<Str> = Vec::new();
        loop {
            let (token, found) = self.next_value();
            match token {
                Token::Identifier => {
                    values.push(found.into());
                    match self.peek_value() {
                        (Token::Comma, _) => {}
                        (Token::Close, _) => return Ok(values),
                        (_, found) => return refuse(format!("found '{found}', expected: ',' or ')'")),
                    }
                }
                Token::Comma => {
                    if values.is_empty() {
                        values.push(Str::default());
                    }
                    match self.peek_value().0 {
                        Token::Close => {
                            values.push(Str::default());
                            return Ok(values);
                        }
                        Token::Comma => values.push(Str::default()),
                        _ => {}
                    }
                }
                _ => return refuse(format!("found '{found}', expected: ',', or identifier")),
            }
        }
    }

    fn exact_value(&mut self) -> Result<Str, ParseSelectorError> {
        if matches!(self.peek_value().0, Token::End | Token::Comma) {
            return Ok(Str::default());
        }
        match self.next_value() {
            (Token::Identifier, value) => Ok(value.into()),
            (_, found) => refuse(format!("found '{found}', expected: identifier")),
        }
    }
}
