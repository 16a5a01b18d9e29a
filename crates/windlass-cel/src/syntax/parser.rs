//! The grammar, and messages for what it refuses in the words of cel-go's generated parser.

use super::ast::{Element, Entry, Field, Kind, NodeId, Tree};
use super::lexer::{Token, TokenKind, tokens};
use super::{macros, unquote::unquote};
use crate::{Value, problem::Problems};
use std::sync::Arc;

/// How deep an expression may nest, as in cel-go.
const MOST_DEPTH: u32 = 250;

/// The longest expression, in characters, as in cel-go.
const MOST_CHARACTERS: usize = 100_000;

/// Names that are kept for later versions of the language.
const RESERVED: [&str; 17] = [
    "as",
    "break",
    "const",
    "continue",
    "else",
    "for",
    "function",
    "if",
    "import",
    "let",
    "loop",
    "package",
    "namespace",
    "return",
    "var",
    "void",
    "while",
];

/// What may begin an expression.
const EXPRESSION: &str = "{'[', '{', '(', '.', '-', '!', 'true', 'false', 'null', NUM_FLOAT, NUM_INT, NUM_UINT, STRING, BYTES, IDENTIFIER}";
const ARGUMENT: &str = "{'[', '{', '(', ')', '.', '-', '!', 'true', 'false', 'null', NUM_FLOAT, NUM_INT, NUM_UINT, STRING, BYTES, IDENTIFIER}";
const INDEX: &str = "{'[', '{', '(', '.', '-', '!', '?', 'true', 'false', 'null', NUM_FLOAT, NUM_INT, NUM_UINT, STRING, BYTES, IDENTIFIER}";

/// The tree of an expression; what is wrong with it is reported.
pub(crate) fn parse(text: &str, problems: &mut Problems) -> Tree {
    let characters: Vec<char> = text.chars().collect();
    let mut parser = Parser {
        tree: Tree::default(),
        tokens: Vec::new(),
        next: 0,
        depth: 0,
        heights: Vec::new(),
        problems,
    };
    if characters.len() > MOST_CHARACTERS {
        let message = format!(
            "expression code point size exceeds limit: size: {}, limit {MOST_CHARACTERS}",
            characters.len()
        );
        parser.problems.report_nowhere(message);
        parser.tree.root = parser.tree.add(0, Kind::Missing);
        return parser.tree;
    }
    parser.tokens = tokens(&characters, parser.problems);
    parser.tree.root = match parser.start() {
        Ok(root) => root,
        Err(Stop) => parser.tree.add(0, Kind::Missing),
    };
    parser.tree
}

/// A syntax error was reported; nothing after it is read.
struct Stop;

type Parsed<T = NodeId> = Result<T, Stop>;

pub(super) struct Parser<'p> {
    pub(super) tree: Tree,
    tokens: Vec<Token>,
    next: usize,
    depth: u32,
    /// How deep what is below a node nests, by node.
    heights: Vec<u32>,
    problems: &'p mut Problems,
}

impl Parser<'_> {
    pub(super) fn report(&mut self, at: u32, message: impl Into<String>) -> NodeId {
        self.problems.report(at, message.into());
        self.tree.add(at, Kind::Missing)
    }

    fn token(&self) -> &Token {
        &self.tokens[self.next.min(self.tokens.len() - 1)]
    }

    fn peek(&self, symbol: &str) -> bool {
        self.token().kind == TokenKind::Symbol && self.token().text == symbol
    }

    fn advance(&mut self) -> Token {
        let token = self.token().clone();
        self.next = (self.next + 1).min(self.tokens.len() - 1);
        token
    }

    fn eat(&mut self, symbol: &str) -> Option<u32> {
        self.peek(symbol).then(|| self.advance().at)
    }

    fn fail<T>(&mut self, message: &str) -> Parsed<T> {
        let (at, shown) = (self.token().at, self.token().text.clone());
        self.problems.report(at, format!("Syntax error: {}", message.replace("{}", &shown)));
        Err(Stop)
    }

    fn start(&mut self) -> Parsed {
        let root = self.expression(EXPRESSION)?;
        if self.token().kind != TokenKind::End {
            let follows_operator = matches!(self.token().text.as_str(), ":" | ")" | "]" | "}" | ",");
            let rest = self.tokens.len() - 1 - self.next;
            let message = match (rest, follows_operator) {
                (1, _) => "extraneous input '{}' expecting <EOF>",
                _ => "mismatched input '{}' expecting <EOF>",
            };
            return self.fail(message);
        }
        Ok(root)
    }

    /// Notes how deep a node nests, and refuses what nests too deep.
    fn made(&mut self, id: NodeId) -> Parsed {
        let below = self.tree.children(id).into_iter();
        let height =
            below.map(|child| self.heights.get(child as usize).copied().unwrap_or(0)).max().unwrap_or(0) + 1;
        self.heights.resize(self.tree.nodes.len(), 0);
        self.heights[id as usize] = height;
        if height > MOST_DEPTH {
            self.problems.report_nowhere("max recursion depth exceeded".to_owned());
            return Err(Stop);
        }
        Ok(id)
    }

    fn expression(&mut self, expecting: &str) -> Parsed {
        self.depth += 1;
        if self.depth > MOST_DEPTH {
            let message = format!("expression recursion limit exceeded: {MOST_DEPTH}");
            self.problems.report_nowhere(message);
            return Err(Stop);
        }
        let parsed = stacker::maybe_grow(64 * 1024, 1024 * 1024, || self.conditional(expecting));
        self.depth -= 1;
        parsed
    }

    fn conditional(&mut self, expecting: &str) -> Parsed {
        let condition = self.logical(true, expecting)?;
        let Some(at) = self.eat("?") else { return Ok(condition) };
        let if_true = self.logical(true, EXPRESSION)?;
        if self.eat(":").is_none() {
            return self.fail("mismatched input '{}' expecting ':'");
        }
        let if_false = self.expression(EXPRESSION)?;
        self.call(at, "_?_:_", vec![condition, if_true, if_false])
    }

    /// `||` of `&&` of relations, each a balanced tree.
    fn logical(&mut self, is_or: bool, expecting: &str) -> Parsed {
        let (symbol, function) = if is_or { ("||", "_||_") } else { ("&&", "_&&_") };
        let mut terms = Vec::new();
        let mut operators = Vec::new();
        let mut expecting = expecting;
        loop {
            terms.push(if is_or { self.logical(false, expecting)? } else { self.relation(expecting)? });
            expecting = EXPRESSION;
            match self.eat(symbol) {
                Some(at) => operators.push(at),
                None => break,
            }
        }
        self.balanced(function, &terms, &operators)
    }

    fn balanced(&mut self, function: &str, terms: &[NodeId], operators: &[u32]) -> Parsed {
        if operators.is_empty() {
            return Ok(terms[0]);
        }
        let middle = operators.len() / 2;
        let left = self.balanced(function, &terms[..=middle], &operators[..middle])?;
        let right = self.balanced(function, &terms[middle + 1..], &operators[middle + 1..])?;
        self.call(operators[middle], function, vec![left, right])
    }

    fn binary(&mut self, operators: &[(&str, &str)]) -> Option<(u32, String)> {
        for (symbol, function) in operators {
            if let Some(at) = self.eat(symbol) {
                return Some((at, (*function).to_owned()));
            }
        }
        None
    }

    fn relation(&mut self, expecting: &str) -> Parsed {
        const OPERATORS: [(&str, &str); 7] = [
            ("<", "_<_"),
            ("<=", "_<=_"),
            (">=", "_>=_"),
            (">", "_>_"),
            ("==", "_==_"),
            ("!=", "_!=_"),
            ("in", "@in"),
        ];
        let mut left = self.sum(expecting)?;
        while let Some((at, function)) = self.binary(&OPERATORS) {
            let right = self.sum(EXPRESSION)?;
            left = self.call(at, &function, vec![left, right])?;
        }
        Ok(left)
    }

    fn sum(&mut self, expecting: &str) -> Parsed {
        let mut left = self.product(expecting)?;
        while let Some((at, function)) = self.binary(&[("+", "_+_"), ("-", "_-_")]) {
            let right = self.product(EXPRESSION)?;
            left = self.call(at, &function, vec![left, right])?;
        }
        Ok(left)
    }

    fn product(&mut self, expecting: &str) -> Parsed {
        let mut left = self.unary(expecting)?;
        while let Some((at, function)) = self.binary(&[("*", "_*_"), ("/", "_/_"), ("%", "_%_")]) {
            let right = self.unary(EXPRESSION)?;
            left = self.call(at, &function, vec![left, right])?;
        }
        Ok(left)
    }

    fn unary(&mut self, expecting: &str) -> Parsed {
        for (symbol, function) in [("!", "!_"), ("-", "-_")] {
            if !self.peek(symbol) {
                continue;
            }
            let after = &self.tokens[(self.next + 1).min(self.tokens.len() - 1)];
            if symbol == "-" && matches!(after.kind, TokenKind::Int | TokenKind::Float) {
                break;
            }
            let at = self.token().at;
            let mut count = 0;
            while self.eat(symbol).is_some() {
                count += 1;
            }
            let operand = self.member(EXPRESSION)?;
            return if count % 2 == 0 { Ok(operand) } else { self.call(at, function, vec![operand]) };
        }
        self.member(expecting)
    }

    fn member(&mut self, expecting: &str) -> Parsed {
        let mut operand = self.primary(expecting)?;
        loop {
            if let Some(at) = self.eat(".") {
                operand = self.select(operand, at)?;
            } else if let Some(at) = self.eat("[") {
                let optional = self.eat("?").is_some();
                let index = self.expression(if optional { EXPRESSION } else { INDEX })?;
                self.close("]")?;
                operand = self.call(at, if optional { "_[?_]" } else { "_[_]" }, vec![operand, index])?;
            } else {
                return Ok(operand);
            }
        }
    }

    fn select(&mut self, operand: NodeId, at: u32) -> Parsed {
        let optional = self.eat("?").is_some();
        let token = self.token().clone();
        match token.kind {
            TokenKind::Identifier => self.advance(),
            TokenKind::Quoted => {
                self.advance();
                self.report(token.at, "unsupported syntax: '`'");
                return Ok(operand);
            }
            TokenKind::Symbol if matches!(token.text.as_str(), "true" | "false" | "null") => {
                return self.fail("mismatched input '{}' expecting IDENTIFIER");
            }
            _ => {
                self.problems.report(token.at, "Syntax error: no viable alternative at input '.'".to_owned());
                return Err(Stop);
            }
        };
        if optional {
            let field = self.tree.add(token.at, Kind::Literal(Value::string(&token.text)));
            return self.call(at, "_?._", vec![operand, field]);
        }
        if let Some(open) = self.eat("(") {
            let arguments = self.arguments()?;
            return self.member_call(open, operand, &token.text, arguments);
        }
        let select = self.tree.add(at, Kind::Select { operand, field: token.text.into(), test_only: false });
        self.made(select)
    }

    fn close(&mut self, symbol: &str) -> Parsed<()> {
        if self.eat(symbol).is_some() {
            return Ok(());
        }
        if self.token().kind == TokenKind::End {
            return self.fail(&format!("missing '{symbol}' at '{{}}'"));
        }
        self.fail(&format!("mismatched input '{{}}' expecting '{symbol}'"))
    }

    fn arguments(&mut self) -> Parsed<Vec<NodeId>> {
        let mut arguments = Vec::new();
        if self.eat(")").is_some() {
            return Ok(arguments);
        }
        let mut expecting = ARGUMENT;
        loop {
            arguments.push(self.expression(expecting)?);
            expecting = EXPRESSION;
            if self.eat(",").is_none() {
                return match self.eat(")") {
                    Some(_) => Ok(arguments),
                    None => self.fail("mismatched input '{}' expecting {')', ','}"),
                };
            }
        }
    }

    fn call(&mut self, at: u32, function: &str, arguments: Vec<NodeId>) -> Parsed {
        let id = self.tree.add(at, Kind::Call { target: None, function: function.into(), arguments });
        self.made(id)
    }

    fn global_call(&mut self, at: u32, function: &str, arguments: Vec<NodeId>) -> Parsed {
        if let Some(expanded) = macros::expand(self, at, function, None, &arguments) {
            return self.made(expanded);
        }
        self.call(at, function, arguments)
    }

    fn member_call(&mut self, at: u32, target: NodeId, function: &str, arguments: Vec<NodeId>) -> Parsed {
        if let Some(expanded) = macros::expand(self, at, function, Some(target), &arguments) {
            return self.made(expanded);
        }
        let id = self.tree.add(at, Kind::Call { target: Some(target), function: function.into(), arguments });
        self.made(id)
    }

    fn primary(&mut self, expecting: &str) -> Parsed {
        let token = self.token().clone();
        match (token.kind, token.text.as_str()) {
            (TokenKind::Symbol, "(") => {
                self.advance();
                let inner = self.expression(EXPRESSION)?;
                self.close(")")?;
                Ok(inner)
            }
            (TokenKind::Symbol, "[") => {
                self.advance();
                self.list(token.at)
            }
            (TokenKind::Symbol, "{") => {
                self.advance();
                self.map(token.at)
            }
            (TokenKind::Symbol, ".") | (TokenKind::Identifier, _) => self.name(),
            (TokenKind::Symbol, "true" | "false") => {
                self.advance();
                self.literal(token.at, Value::Bool(token.text == "true"))
            }
            (TokenKind::Symbol, "null") => {
                self.advance();
                self.literal(token.at, Value::Null)
            }
            (TokenKind::Symbol, "-") => {
                let after = self.tokens[(self.next + 1).min(self.tokens.len() - 1)].kind;
                if matches!(after, TokenKind::Int | TokenKind::Float) {
                    self.advance();
                    return self.number(token.at, "-");
                }
                self.fail(&format!("mismatched input '{{}}' expecting {expecting}"))
            }
            (TokenKind::Int | TokenKind::Uint | TokenKind::Float, _) => self.number(token.at, ""),
            (TokenKind::String, _) => {
                self.advance();
                match unquote(&token.text, false) {
                    Ok(bytes) => {
                        let text = String::from_utf8_lossy(&bytes);
                        self.literal(token.at, Value::string(&text))
                    }
                    Err(message) => Ok(self.report(token.at, message)),
                }
            }
            (TokenKind::Bytes, _) => {
                self.advance();
                match unquote(&token.text[1..], true) {
                    Ok(bytes) => self.literal(token.at, Value::Bytes(bytes.into())),
                    Err(message) => Ok(self.report(token.at, message)),
                }
            }
            _ => self.expected(expecting),
        }
    }

    /// Reports that no expression begins here, as the generated parser does.
    fn expected(&mut self, expecting: &str) -> Parsed {
        // Where what follows could begin one, the token in between is the problem.
        let after = &self.tokens[(self.next + 1).min(self.tokens.len() - 1)];
        let begins = match after.kind {
            TokenKind::End => false,
            TokenKind::Symbol => {
                matches!(after.text.as_str(), "[" | "{" | "(" | "." | "-" | "!" | "true" | "false" | "null")
                    || (expecting == ARGUMENT && after.text == ")")
            }
            TokenKind::Quoted => false,
            _ => true,
        };
        if begins && self.token().kind != TokenKind::End {
            return self.fail(&format!("extraneous input '{{}}' expecting {expecting}"));
        }
        self.fail(&format!("mismatched input '{{}}' expecting {expecting}"))
    }

    fn literal(&mut self, at: u32, value: Value) -> Parsed {
        let id = self.tree.add(at, Kind::Literal(value));
        self.made(id)
    }

    fn number(&mut self, at: u32, sign: &str) -> Parsed {
        let token = self.advance();
        let digits = token.text.trim_end_matches(['u', 'U']);
        let (digits, base) = match digits.strip_prefix("0x") {
            Some(hexadecimal) => (hexadecimal, 16),
            None => (digits, 10),
        };
        match token.kind {
            TokenKind::Int => match i64::from_str_radix(&format!("{sign}{digits}"), base) {
                Ok(int) => self.literal(at, Value::Int(int)),
                Err(_) => Ok(self.report(at, "invalid int literal")),
            },
            TokenKind::Uint => match u64::from_str_radix(digits, base) {
                Ok(uint) => self.literal(at, Value::Uint(uint)),
                Err(_) => Ok(self.report(at, "invalid uint literal")),
            },
            _ => match format!("{sign}{}", token.text).parse::<f64>() {
                Ok(double) if double.is_finite() => self.literal(at, Value::Double(double)),
                _ => Ok(self.report(at, "invalid double literal")),
            },
        }
    }

    /// A name, a call of a function, or a struct.
    fn name(&mut self) -> Parsed {
        let leading_dot = self.eat(".");
        let prefix = if leading_dot.is_some() { "." } else { "" };
        let token = self.token().clone();
        if token.kind != TokenKind::Identifier {
            return self.fail("mismatched input '{}' expecting IDENTIFIER");
        }
        if let Some((name, open)) = self.struct_name() {
            return self.structure(open, format!("{prefix}{name}"));
        }
        self.advance();
        let reserved = RESERVED.contains(&token.text.as_str());
        if let Some(open) = self.eat("(") {
            let arguments = self.arguments()?;
            if reserved {
                return Ok(self.report(
                    leading_dot.unwrap_or(token.at),
                    format!("reserved identifier: {}", token.text),
                ));
            }
            return self.global_call(open, &format!("{prefix}{}", token.text), arguments);
        }
        if reserved {
            return Ok(
                self.report(leading_dot.unwrap_or(token.at), format!("reserved identifier: {}", token.text))
            );
        }
        let id = self.tree.add(token.at, Kind::Ident(format!("{prefix}{}", token.text).into()));
        self.made(id)
    }

    /// If names and dots up to a brace follow, the name and the brace, which are read.
    fn struct_name(&mut self) -> Option<(String, u32)> {
        let mut at = self.next;
        let mut name = String::new();
        loop {
            let token = self.tokens.get(at)?;
            if token.kind != TokenKind::Identifier {
                return None;
            }
            name.push_str(&token.text);
            let after = self.tokens.get(at + 1)?;
            match (after.kind, after.text.as_str()) {
                (TokenKind::Symbol, ".") => name.push('.'),
                (TokenKind::Symbol, "{") => {
                    let open = after.at;
                    self.next = at + 2;
                    return Some((name, open));
                }
                _ => return None,
            }
            at += 2;
        }
    }

    fn structure(&mut self, at: u32, name: String) -> Parsed {
        let mut fields = Vec::new();
        while !self.peek("}") {
            if self.peek(",") {
                self.advance();
                break;
            }
            let optional = self.eat("?").is_some();
            let token = self.token().clone();
            if token.kind != TokenKind::Identifier {
                return self
                    .fail("mismatched input '{}' expecting {'}', ',', '?', IDENTIFIER, ESC_IDENTIFIER}");
            }
            self.advance();
            let Some(colon) = self.eat(":") else {
                return self.fail("missing ':' at '{}'");
            };
            let value = self.expression(EXPRESSION)?;
            fields.push(Field { name: token.text.into(), value, optional, at: colon });
            if self.eat(",").is_none() {
                break;
            }
        }
        if self.eat("}").is_none() {
            return self.fail("mismatched input '{}' expecting {'}', ','}");
        }
        let id = self.tree.add(at, Kind::Struct { name: Arc::from(name), fields });
        self.made(id)
    }

    fn list(&mut self, at: u32) -> Parsed {
        let mut elements = Vec::new();
        if self.peek(",") {
            self.advance();
        }
        let mut after_comma = false;
        while !self.peek("]") {
            if after_comma && self.peek(",") {
                return self.fail("mismatched input '{}' expecting ']'");
            }
            let optional = self.eat("?").is_some();
            let value = self.expression(EXPRESSION)?;
            elements.push(Element { value, optional });
            after_comma = self.eat(",").is_some();
            if !after_comma {
                break;
            }
        }
        if self.eat("]").is_none() {
            return self.fail("mismatched input '{}' expecting {']', ','}");
        }
        let id = self.tree.add(at, Kind::List(elements));
        self.made(id)
    }

    fn map(&mut self, at: u32) -> Parsed {
        let mut entries = Vec::new();
        if self.peek(",") {
            self.advance();
        }
        while !self.peek("}") {
            let optional = self.eat("?").is_some();
            let key = self.expression(EXPRESSION)?;
            if self.eat(":").is_none() {
                return self.fail("missing ':' at '{}'");
            }
            let value = self.expression(EXPRESSION)?;
            entries.push(Entry { key, value, optional });
            if self.eat(",").is_none() {
                break;
            }
        }
        if self.eat("}").is_none() {
            return self.fail("mismatched input '{}' expecting {'}', ','}");
        }
        let id = self.tree.add(at, Kind::Map(entries));
        self.made(id)
    }
}
