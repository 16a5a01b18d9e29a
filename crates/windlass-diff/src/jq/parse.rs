//! From tokens to terms.

use windlass_kube::{Str, Value};

use super::JqError;
use super::token::{Piece, Token, tokens};

/// An expression.
#[derive(Debug, Clone)]
pub(super) enum Term {
    Identity,
    Literal(Value),
    /// A string with code in it, and the format of what the code gives.
    Text(Option<Str>, Vec<TextPart>),
    Format(Str),
    Variable(Str),
    Index(Box<Self>, Box<Self>),
    Slice(Box<Self>, Option<Box<Self>>, Option<Box<Self>>),
    Iterate(Box<Self>),
    Pipe(Box<Self>, Box<Self>),
    Comma(Box<Self>, Box<Self>),
    Negate(Box<Self>),
    Binary(&'static str, Box<Self>, Box<Self>),
    And(Box<Self>, Box<Self>),
    Or(Box<Self>, Box<Self>),
    Alternative(Box<Self>, Box<Self>),
    Try(Box<Self>, Option<Box<Self>>),
    If(Box<Self>, Box<Self>, Option<Box<Self>>),
    Reduce(Box<Self>, Pattern, Box<Self>, Box<Self>),
    Foreach(Box<Self>, Pattern, Box<Self>, Box<Self>, Option<Box<Self>>),
    Bind(Box<Self>, Pattern, Box<Self>),
    Label(Str, Box<Self>),
    Break(Str),
    Define(Box<Function>, Box<Self>),
    Call(Str, Vec<Self>),
    List(Option<Box<Self>>),
    Object(Vec<(Self, Self)>),
}

/// A part of a string.
#[derive(Debug, Clone)]
pub(super) enum TextPart {
    Text(String),
    Code(Term),
}

/// What `as` binds.
#[derive(Debug, Clone)]
pub(super) enum Pattern {
    Variable(Str),
    List(Vec<Self>),
    Object(Vec<(Term, Option<Str>, Option<Self>)>),
}

/// A function of the expression's own.
#[derive(Debug, Clone)]
pub(super) struct Function {
    pub(super) name: Str,
    pub(super) parameters: Vec<Str>,
    pub(super) body: Term,
}

/// How deep an expression may nest: more is no expression that a person wrote.
const MAX_NESTING: usize = 200;

const KEYWORDS: &[&str] = &[
    "and", "as", "catch", "def", "elif", "else", "end", "foreach", "if", "import", "include", "label", "or",
    "reduce", "then", "try", "__loc__",
];

pub(super) fn parse(text: &str) -> Result<Term, JqError> {
    Parser::new(&tokens(text)?, text.chars().count(), 0)?.whole()
}

/// The functions of a text that defines nothing else.
pub(super) fn definitions(text: &str) -> Result<Vec<Function>, JqError> {
    let tokens = tokens(text)?;
    let mut parser = Parser::new(&tokens, text.chars().count(), 0)?;
    let mut found = Vec::new();
    while parser.is_word("def") {
        found.push(parser.function()?);
    }
    Ok(found)
}

struct Parser<'a> {
    tokens: &'a [(Token, usize)],
    at: usize,
    end: usize,
    depth: usize,
}

impl<'a> Parser<'a> {
    fn new(tokens: &'a [(Token, usize)], end: usize, depth: usize) -> Result<Self, JqError> {
        if depth > MAX_NESTING {
            return Err(JqError::Syntax { message: format!("nests deeper than {MAX_NESTING}"), at: end });
        }
        Ok(Self { tokens, at: 0, end, depth })
    }

    fn whole(mut self) -> Result<Term, JqError> {
        let term = self.pipe()?;
        if self.at < self.tokens.len() { self.unexpected() } else { Ok(term) }
    }

    fn peek(&self) -> Option<&'a Token> {
        self.tokens.get(self.at).map(|(token, _)| token)
    }

    fn fail<T>(&self, message: impl Into<String>) -> Result<T, JqError> {
        let at = self.tokens.get(self.at).map_or(self.end, |(_, at)| at + 1);
        Err(JqError::Syntax { message: message.into(), at })
    }

    fn unexpected<T>(&self) -> Result<T, JqError> {
        match self.peek() {
            None => self.fail("unexpected end"),
            Some(Token::Op(op)) => self.fail(format!("unexpected {op}")),
            Some(Token::Word(word)) => self.fail(format!("unexpected {word}")),
            Some(_) => self.fail("unexpected value"),
        }
    }

    fn is_op(&self, op: &str) -> bool {
        matches!(self.peek(), Some(Token::Op(found)) if *found == op)
    }

    fn is_word(&self, word: &str) -> bool {
        matches!(self.peek(), Some(Token::Word(found)) if found == word)
    }

    fn take_op(&mut self, op: &str) -> bool {
        let found = self.is_op(op);
        self.at += usize::from(found);
        found
    }

    fn take_word(&mut self, word: &str) -> bool {
        let found = self.is_word(word);
        self.at += usize::from(found);
        found
    }

    fn expect_op(&mut self, op: &str) -> Result<(), JqError> {
        if self.take_op(op) { Ok(()) } else { self.fail(format!("{op} expected")) }
    }

    fn expect_word(&mut self, word: &str) -> Result<(), JqError> {
        if self.take_word(word) { Ok(()) } else { self.fail(format!("{word} expected")) }
    }

    fn pipe(&mut self) -> Result<Term, JqError> {
        self.depth += 1;
        if self.depth > MAX_NESTING {
            return self.fail(format!("nests deeper than {MAX_NESTING}"));
        }
        let term = self.pipe_inside();
        self.depth -= 1;
        term
    }

    fn pipe_inside(&mut self) -> Result<Term, JqError> {
        if self.is_word("def") {
            let function = self.function()?;
            let rest = self.pipe()?;
            return Ok(Term::Define(Box::new(function), Box::new(rest)));
        }
        if self.take_word("label") {
            let name = self.variable()?;
            self.expect_op("|")?;
            return Ok(Term::Label(name, Box::new(self.pipe()?)));
        }
        let left = self.comma()?;
        if self.take_op("|") {
            let right = self.pipe()?;
            return Ok(Term::Pipe(Box::new(left), Box::new(right)));
        }
        Ok(left)
    }

    fn comma(&mut self) -> Result<Term, JqError> {
        let mut left = self.binary(0)?;
        while self.take_op(",") {
            left = Term::Comma(Box::new(left), Box::new(self.binary(0)?));
        }
        Ok(left)
    }

    /// Binding strength, and whether the operator groups to the right.
    fn strength(&self) -> Option<(u8, bool, &'static str)> {
        Some(match self.peek()? {
            Token::Op(op @ "//") => (1, true, op),
            Token::Word(word) if word == "or" => (3, false, "or"),
            Token::Word(word) if word == "and" => (4, false, "and"),
            Token::Op(op @ ("==" | "!=" | "<" | "<=" | ">" | ">=")) => (5, false, op),
            Token::Op(op @ ("+" | "-")) => (6, false, op),
            Token::Op(op @ ("*" | "/" | "%")) => (7, false, op),
            _ => return None,
        })
    }

    fn binary(&mut self, floor: u8) -> Result<Term, JqError> {
        self.depth += 1;
        if self.depth > MAX_NESTING {
            return self.fail(format!("nests deeper than {MAX_NESTING}"));
        }
        let mut left = self.postfix()?;
        while let Some((strength, right_first, op)) = self.strength().filter(|found| found.0 >= floor) {
            self.at += 1;
            let right = Box::new(self.binary(if right_first { strength } else { strength + 1 })?);
            let boxed = Box::new(left);
            left = match op {
                "//" => Term::Alternative(boxed, right),
                "or" => Term::Or(boxed, right),
                "and" => Term::And(boxed, right),
                op => Term::Binary(op, boxed, right),
            };
        }
        if let Some(Token::Op(op @ ("=" | "|=" | "+=" | "-=" | "*=" | "/=" | "%=" | "//="))) = self.peek() {
            return self.fail(format!("the assignment {op} names no field"));
        }
        self.depth -= 1;
        Ok(left)
    }

    fn postfix(&mut self) -> Result<Term, JqError> {
        let mut term = self.primary()?;
        loop {
            if let Some(Token::Field(name)) = self.peek() {
                self.at += 1;
                term = Term::Index(Box::new(term), Box::new(Term::Literal(name.clone().into())));
            } else if self.is_op(".") {
                self.at += 1;
                if let Some(Token::Text(_)) = self.peek() {
                    let key = self.text(None)?;
                    term = Term::Index(Box::new(term), Box::new(key));
                } else if !self.is_op("[") {
                    return self.unexpected();
                }
            } else if self.take_op("[") {
                term = self.bracket(term)?;
            } else if self.take_op("?") {
                term = Term::Try(Box::new(term), None);
            } else if self.take_word("as") {
                let pattern = self.pattern()?;
                if self.is_op("?//") {
                    return self.fail("alternatives of destructuring are not supported");
                }
                self.expect_op("|")?;
                let body = self.pipe()?;
                return Ok(Term::Bind(Box::new(term), pattern, Box::new(body)));
            } else {
                return Ok(term);
            }
        }
    }

    fn bracket(&mut self, of: Term) -> Result<Term, JqError> {
        let of = Box::new(of);
        if self.take_op("]") {
            return Ok(Term::Iterate(of));
        }
        if self.take_op(":") {
            let to = self.pipe()?;
            self.expect_op("]")?;
            return Ok(Term::Slice(of, None, Some(Box::new(to))));
        }
        let from = self.pipe()?;
        if self.take_op(":") {
            if self.take_op("]") {
                return Ok(Term::Slice(of, Some(Box::new(from)), None));
            }
            let to = self.pipe()?;
            self.expect_op("]")?;
            return Ok(Term::Slice(of, Some(Box::new(from)), Some(Box::new(to))));
        }
        self.expect_op("]")?;
        Ok(Term::Index(of, Box::new(from)))
    }

    fn primary(&mut self) -> Result<Term, JqError> {
        let Some(token) = self.peek() else { return self.unexpected() };
        match token {
            Token::Number(number) => {
                self.at += 1;
                Ok(Term::Literal(number.clone()))
            }
            Token::Text(_) => self.text(None),
            Token::Format(name) => {
                self.at += 1;
                if let Some(Token::Text(_)) = self.peek() {
                    self.text(Some(name.clone()))
                } else {
                    Ok(Term::Format(name.clone()))
                }
            }
            Token::Field(name) => {
                self.at += 1;
                Ok(Term::Index(Box::new(Term::Identity), Box::new(Term::Literal(name.clone().into()))))
            }
            Token::Variable(name) => {
                self.at += 1;
                Ok(Term::Variable(name.clone()))
            }
            Token::Op(".") => {
                self.at += 1;
                if let Some(Token::Text(_)) = self.peek() {
                    let key = self.text(None)?;
                    return Ok(Term::Index(Box::new(Term::Identity), Box::new(key)));
                }
                Ok(Term::Identity)
            }
            Token::Op("..") => {
                self.at += 1;
                Ok(Term::Call("recurse".into(), vec![]))
            }
            Token::Op("(") => {
                self.at += 1;
                let term = self.pipe()?;
                self.expect_op(")")?;
                Ok(term)
            }
            Token::Op("[") => {
                self.at += 1;
                if self.take_op("]") {
                    return Ok(Term::List(None));
                }
                let term = self.pipe()?;
                self.expect_op("]")?;
                Ok(Term::List(Some(Box::new(term))))
            }
            Token::Op("{") => self.object(),
            Token::Op("-") => {
                self.at += 1;
                Ok(Term::Negate(Box::new(self.postfix()?)))
            }
            Token::Word(word) => self.word(word.clone()),
            Token::Op(_) => self.unexpected(),
        }
    }

    fn word(&mut self, word: Str) -> Result<Term, JqError> {
        match word.as_str() {
            "if" => {
                self.at += 1;
                self.condition()
            }
            "try" => {
                self.at += 1;
                let body = Box::new(self.guarded()?);
                let caught = if self.take_word("catch") { Some(Box::new(self.guarded()?)) } else { None };
                Ok(Term::Try(body, caught))
            }
            "reduce" | "foreach" => {
                self.at += 1;
                let source = Box::new(self.guarded()?);
                self.expect_word("as")?;
                let pattern = self.pattern()?;
                self.expect_op("(")?;
                let start = Box::new(self.pipe()?);
                self.expect_op(";")?;
                let update = Box::new(self.pipe()?);
                let term = if word == "reduce" {
                    Term::Reduce(source, pattern, start, update)
                } else {
                    let extract = if self.take_op(";") { Some(Box::new(self.pipe()?)) } else { None };
                    Term::Foreach(source, pattern, start, update, extract)
                };
                self.expect_op(")")?;
                Ok(term)
            }
            "break" => {
                self.at += 1;
                Ok(Term::Break(self.variable()?))
            }
            word if KEYWORDS.contains(&word) => self.unexpected(),
            "null" | "true" | "false" => {
                self.at += 1;
                Ok(Term::Literal(match word.as_str() {
                    "null" => Value::Null,
                    text => Value::Bool(text == "true"),
                }))
            }
            _ => {
                self.at += 1;
                let mut arguments = Vec::new();
                if self.take_op("(") {
                    loop {
                        arguments.push(self.pipe()?);
                        if !self.take_op(";") {
                            break;
                        }
                    }
                    self.expect_op(")")?;
                }
                Ok(Term::Call(word, arguments))
            }
        }
    }

    /// A term with what follows it directly, but without `as`.
    fn guarded(&mut self) -> Result<Term, JqError> {
        let mut term = self.primary()?;
        loop {
            if let Some(Token::Field(name)) = self.peek() {
                self.at += 1;
                term = Term::Index(Box::new(term), Box::new(Term::Literal(name.clone().into())));
            } else if self.is_op(".") && matches!(self.tokens.get(self.at + 1), Some((Token::Op("["), _))) {
                self.at += 1;
            } else if self.take_op("[") {
                term = self.bracket(term)?;
            } else if self.take_op("?") {
                term = Term::Try(Box::new(term), None);
            } else {
                return Ok(term);
            }
        }
    }

    fn condition(&mut self) -> Result<Term, JqError> {
        let test = Box::new(self.pipe()?);
        self.expect_word("then")?;
        let then = Box::new(self.pipe()?);
        if self.take_word("elif") {
            self.depth += 1;
            if self.depth > MAX_NESTING {
                return self.fail(format!("nests deeper than {MAX_NESTING}"));
            }
            let rest = self.condition()?;
            self.depth -= 1;
            return Ok(Term::If(test, then, Some(Box::new(rest))));
        }
        let otherwise = if self.take_word("else") { Some(Box::new(self.pipe()?)) } else { None };
        self.expect_word("end")?;
        Ok(Term::If(test, then, otherwise))
    }

    fn variable(&mut self) -> Result<Str, JqError> {
        match self.peek() {
            Some(Token::Variable(name)) => {
                self.at += 1;
                Ok(name.clone())
            }
            _ => self.fail("a variable such as $x expected"),
        }
    }

    fn pattern(&mut self) -> Result<Pattern, JqError> {
        if self.take_op("[") {
            let mut items = Vec::new();
            loop {
                items.push(self.pattern()?);
                if !self.take_op(",") {
                    break;
                }
            }
            self.expect_op("]")?;
            return Ok(Pattern::List(items));
        }
        if self.take_op("{") {
            let mut members = Vec::new();
            loop {
                let (key, name) = match self.peek() {
                    Some(Token::Variable(name)) => {
                        self.at += 1;
                        (Term::Literal(name.clone().into()), Some(name.clone()))
                    }
                    Some(Token::Word(word)) => {
                        self.at += 1;
                        (Term::Literal(word.clone().into()), None)
                    }
                    Some(Token::Text(_)) => (self.text(None)?, None),
                    Some(Token::Op("(")) => {
                        self.at += 1;
                        let key = self.pipe()?;
                        self.expect_op(")")?;
                        (key, None)
                    }
                    _ => return self.unexpected(),
                };
                let below = if self.take_op(":") { Some(self.pattern()?) } else { None };
                if name.is_none() && below.is_none() {
                    return self.unexpected();
                }
                members.push((key, name, below));
                if !self.take_op(",") {
                    break;
                }
            }
            self.expect_op("}")?;
            return Ok(Pattern::Object(members));
        }
        Ok(Pattern::Variable(self.variable()?))
    }

    fn function(&mut self) -> Result<Function, JqError> {
        self.expect_word("def")?;
        let Some(Token::Word(name)) = self.peek() else { return self.fail("a name expected") };
        self.at += 1;
        let mut parameters = Vec::new();
        let mut values = Vec::new();
        if self.take_op("(") {
            loop {
                match self.peek() {
                    Some(Token::Word(parameter)) => parameters.push(parameter.clone()),
                    Some(Token::Variable(parameter)) => {
                        parameters.push(parameter.clone());
                        values.push(parameter.clone());
                    }
                    _ => return self.unexpected(),
                }
                self.at += 1;
                if !self.take_op(";") {
                    break;
                }
            }
            self.expect_op(")")?;
        }
        self.expect_op(":")?;
        let mut body = self.pipe()?;
        self.expect_op(";")?;
        for value in values.into_iter().rev() {
            let source = Box::new(Term::Call(value.clone(), vec![]));
            body = Term::Bind(source, Pattern::Variable(value), Box::new(body));
        }
        Ok(Function { name: name.clone(), parameters, body })
    }

    fn text(&mut self, format: Option<Str>) -> Result<Term, JqError> {
        let Some(Token::Text(pieces)) = self.peek() else { return self.unexpected() };
        self.at += 1;
        if let [Piece::Text(text)] = pieces.as_slice() {
            return Ok(Term::Literal(text.as_str().into()));
        }
        let mut parts = Vec::new();
        for piece in pieces {
            parts.push(match piece {
                Piece::Text(text) => TextPart::Text(text.clone()),
                Piece::Code(tokens) => {
                    TextPart::Code(Parser::new(tokens, self.end, self.depth + 1)?.whole()?)
                }
            });
        }
        Ok(Term::Text(format, parts))
    }

    fn object(&mut self) -> Result<Term, JqError> {
        self.expect_op("{")?;
        let mut members = Vec::new();
        while !self.is_op("}") {
            let key = match self.peek() {
                Some(Token::Variable(name)) => {
                    self.at += 1;
                    members.push((Term::Literal(name.clone().into()), Term::Variable(name.clone())));
                    if !self.take_op(",") {
                        break;
                    }
                    continue;
                }
                Some(Token::Word(word)) => {
                    self.at += 1;
                    Term::Literal(word.clone().into())
                }
                Some(Token::Text(_)) => self.text(None)?,
                Some(Token::Op("(")) => {
                    self.at += 1;
                    let key = self.pipe()?;
                    self.expect_op(")")?;
                    key
                }
                _ => return self.unexpected(),
            };
            let value = if self.take_op(":") {
                let mut value = self.binary(1)?;
                while self.take_op("|") {
                    value = Term::Pipe(Box::new(value), Box::new(self.binary(1)?));
                }
                value
            } else {
                Term::Index(Box::new(Term::Identity), Box::new(key.clone()))
            };
            members.push((key, value));
            if !self.take_op(",") {
                break;
            }
        }
        self.expect_op("}")?;
        Ok(Term::Object(members))
    }
}
