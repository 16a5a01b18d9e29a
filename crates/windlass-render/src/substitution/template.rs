//! The grammar of references.

use super::{SubstitutionError, SyntaxError, functions};

/// References within references; what people write has two or three.
pub(super) const NESTED_REFERENCES: usize = 100;

/// Gives the value of a variable; `None` when it must not be missing and is.
type Lookup<'a> = &'a dyn Fn(&str) -> Option<&'a str>;

/// Replaces the references of a text. All of it is checked before any variable is looked up.
pub(super) fn expand(text: &str, lookup: Lookup<'_>) -> Result<String, SubstitutionError> {
    let mut parser = Parser { rest: text, depth: 0 };
    let mut parts = Vec::new();
    loop {
        parser.text(&mut parts, Escapes::DOLLARS, |_| true);
        if !parser.take("${") {
            break;
        }
        parts.push(Part::Reference(parser.reference()?));
    }
    let mut expanded = String::with_capacity(text.len());
    for part in &parts {
        evaluate(part, lookup, &mut expanded)?;
    }
    Ok(expanded)
}

/// A piece of a text.
enum Part {
    Text(String),
    Reference(Reference),
}

/// A variable and what is done with it.
struct Reference {
    name: String,
    operator: String,
    arguments: Vec<Part>,
}

/// Which pairs of characters stand for their second one.
#[derive(Clone, Copy)]
struct Escapes {
    dollars: bool,
    backslashes: bool,
}

impl Escapes {
    const NONE: Self = Self { dollars: false, backslashes: false };
    const DOLLARS: Self = Self { dollars: true, backslashes: false };
    const ALL: Self = Self { dollars: true, backslashes: true };
}

struct Parser<'a> {
    rest: &'a str,
    depth: usize,
}

impl Parser<'_> {
    fn peek(&self) -> Option<char> {
        self.rest.chars().next()
    }

    fn take(&mut self, text: &str) -> bool {
        let rest = self.rest.strip_prefix(text);
        self.rest = rest.unwrap_or(self.rest);
        rest.is_some()
    }

    /// Takes characters up to a reference or the first that `accepts` does not; whether there was one.
    fn text(&mut self, parts: &mut Vec<Part>, escapes: Escapes, accepts: impl Fn(char) -> bool) -> bool {
        let mut text = String::new();
        while let Some(char) = self.peek() {
            if self.rest.starts_with("${") {
                break;
            }
            let is_pair = (escapes.dollars && self.rest.starts_with("$$"))
                || (escapes.backslashes && (self.rest.starts_with(r"\/") || self.rest.starts_with(r"\\")));
            if is_pair {
                text.push(char::from(self.rest.as_bytes()[1]));
                self.rest = &self.rest[2..];
            } else if accepts(char) {
                text.push(char);
                self.rest = &self.rest[char.len_utf8()..];
            } else {
                break;
            }
        }
        if text.is_empty() {
            return false;
        }
        parts.push(Part::Text(text));
        true
    }

    fn name(&mut self) -> Option<String> {
        let is_part = |char: char| char.is_alphabetic() || is_decimal(char) || char == '_';
        let end = self.rest.find(|char| !is_part(char)).unwrap_or(self.rest.len());
        let (name, rest) = self.rest.split_at(end);
        self.rest = rest;
        (end > 0).then(|| name.to_owned())
    }

    /// Parses what follows `${`.
    fn reference(&mut self) -> Result<Reference, SyntaxError> {
        self.depth += 1;
        if self.depth > NESTED_REFERENCES {
            return Err(SyntaxError::TooDeep);
        }
        let reference = self.inner();
        self.depth -= 1;
        reference
    }

    fn inner(&mut self) -> Result<Reference, SyntaxError> {
        if self.take("#") {
            let name = self.name().ok_or(SyntaxError::Bad)?;
            return self.closed(Reference { name, operator: "#".into(), arguments: Vec::new() });
        }
        let name = self.name().ok_or(SyntaxError::Name)?;
        let reference = |operator: &str, arguments| Reference { name, operator: operator.into(), arguments };
        match self.peek() {
            Some(':') if self.rest[1..].starts_with(['=', '-', '?', '+']) => {
                let operator = self.rest[..2].to_owned();
                self.rest = &self.rest[2..];
                let arguments = self.default()?;
                self.closed(reference(&operator, arguments))
            }
            Some('=') => {
                self.take("=");
                let arguments = self.default()?;
                self.closed(reference("=", arguments))
            }
            // With nothing behind it, it is taken for no operator at all.
            Some(':') if self.rest.len() == 1 => Err(SyntaxError::Bad),
            Some(':') => {
                self.take(":");
                let mut arguments = Vec::new();
                self.argument(&mut arguments, Escapes::NONE, |char| char != ':' && char != '}')?;
                if self.take("}") {
                    return Ok(reference(":", arguments));
                }
                self.many(':')?;
                self.argument(&mut arguments, Escapes::NONE, |char| char != '}')?;
                self.closed(reference(":", arguments))
            }
            Some(',' | '^') => {
                let length = self.rest.bytes().take(2).take_while(|byte| matches!(byte, b',' | b'^')).count();
                let operator = self.rest[..length].to_owned();
                self.rest = &self.rest[length..];
                self.closed(reference(&operator, Vec::new()))
            }
            Some('/') => {
                let length = if self.rest[1..].starts_with(['/', '#', '%']) { 2 } else { 1 };
                let operator = self.rest[..length].to_owned();
                self.rest = &self.rest[length..];
                let mut arguments = Vec::new();
                self.argument(&mut arguments, Escapes::ALL, |char| char != '/')?;
                self.many('/')?;
                if self.peek() != Some('}') {
                    self.argument(&mut arguments, Escapes::ALL, |char| char != '}')?;
                }
                self.closed(reference(&operator, arguments))
            }
            Some(sign @ ('#' | '%')) => {
                let length = if self.rest[1..].starts_with(sign) { 2 } else { 1 };
                let operator = self.rest[..length].to_owned();
                self.rest = &self.rest[length..];
                let mut arguments = Vec::new();
                self.argument(&mut arguments, Escapes::NONE, |char| char != '}')?;
                self.closed(reference(&operator, arguments))
            }
            _ if self.take("}") => Ok(reference("", Vec::new())),
            _ => Err(SyntaxError::MissingBrace),
        }
    }

    /// Parses the parts of a default, up to its brace.
    fn default(&mut self) -> Result<Vec<Part>, SyntaxError> {
        let mut parts = Vec::new();
        while self.peek() != Some('}') {
            self.argument(&mut parts, Escapes::NONE, |char| char != '}')?;
        }
        Ok(parts)
    }

    /// Parses a reference, or text of at least one character.
    fn argument(
        &mut self,
        parts: &mut Vec<Part>,
        escapes: Escapes,
        accepts: impl Fn(char) -> bool,
    ) -> Result<(), SyntaxError> {
        if self.take("${") {
            parts.push(Part::Reference(self.reference()?));
            return Ok(());
        }
        if self.text(parts, escapes, accepts) { Ok(()) } else { Err(SyntaxError::Argument) }
    }

    /// Takes all of the same delimiter; there must be one.
    fn many(&mut self, delimiter: char) -> Result<(), SyntaxError> {
        let rest = self.rest.trim_start_matches(delimiter);
        let found = rest.len() < self.rest.len();
        self.rest = rest;
        if found { Ok(()) } else { Err(SyntaxError::Bad) }
    }

    fn closed(&mut self, reference: Reference) -> Result<Reference, SyntaxError> {
        if self.take("}") { Ok(reference) } else { Err(SyntaxError::Bad) }
    }
}

/// Whether Go's `unicode.IsDigit` takes it for one: of category Nd, where Rust knows numbers of all kinds.
fn is_decimal(char: char) -> bool {
    char.is_ascii_digit() || (!char.is_ascii() && char.is_numeric() && !char.is_alphabetic())
}

fn evaluate(part: &Part, lookup: Lookup<'_>, into: &mut String) -> Result<(), SubstitutionError> {
    let reference = match part {
        Part::Text(text) => {
            into.push_str(text);
            return Ok(());
        }
        Part::Reference(reference) => reference,
    };
    let mut arguments = Vec::with_capacity(reference.arguments.len());
    for argument in &reference.arguments {
        let mut text = String::new();
        evaluate(argument, lookup, &mut text)?;
        arguments.push(text);
    }
    let has_default = matches!(reference.operator.as_str(), "=" | ":-" | ":+" | ":=" | ":?");
    let value = match lookup(&reference.name) {
        Some(value) => value,
        None if has_default => "",
        None => return Err(SubstitutionError::NotSet { name: reference.name.clone() }),
    };
    into.push_str(&functions::call(&reference.operator, value, &arguments));
    Ok(())
}
