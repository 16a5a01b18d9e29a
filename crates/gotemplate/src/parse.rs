//! Parses templates: Go's grammar, with Go's complaints.

mod constant;
mod lex;
mod list;
mod pipeline;

use std::collections::HashMap;
use std::sync::Arc;

use windlass_go::fmt::{quote, rune_count};

use crate::error::ParseError;
use crate::function::Functions;
use crate::tree::{Span, Template, Tree};
use crate::value::Str;
use lex::{Kind, Lexer, Token};

/// How many parentheses may be open at a time, as in Go.
const MAX_PARENTHESES: usize = 10_000;

/// How many controls (`if`, `range`, `with`, `block`) may be open at a time. Go has no limit; the deepest of
/// the public charts is below 30.
const MAX_CONTROLS: usize = 10_000;

/// The largest text of a template, in bytes; positions have 32 bits.
const MAX_TEXT: usize = 256 << 20;

/// The delimiters where none are chosen.
const DELIMITERS: (&[u8], &[u8]) = (b"{{", b"}}");

/// Parses `text` into the template `name` and those it defines, by name.
///
/// The template itself is always among them.
pub(crate) fn parse(
    name: &str,
    text: &[u8],
    delimiters: Option<&(Str, Str)>,
    functions: &Functions,
) -> Result<HashMap<Str, Arc<Template>>, ParseError> {
    let (mut left, mut right) = DELIMITERS;
    if let Some(chosen) = delimiters {
        left = if chosen.0.is_empty() { left } else { chosen.0.as_bytes() };
        right = if chosen.1.is_empty() { right } else { chosen.1.as_bytes() };
    }
    let mut lexer = Lexer::new(text, left, right);
    lexer.break_is_keyword = functions.get("break").is_none();
    lexer.continue_is_keyword = functions.get("continue").is_none();
    let text: Arc<[u8]> = Arc::from(text);
    let tree = Tree {
        parse_name: Str::from(name),
        text: Arc::clone(&text),
        nodes: Vec::new(),
        pipes: Vec::new(),
        commands: Vec::new(),
        expressions: Vec::new(),
        declarations: Vec::new(),
        names: Vec::new(),
        strings: Vec::new(),
        numbers: Vec::new(),
        functions: Vec::new(),
    };
    let mut parser = Parser {
        lexer,
        text,
        functions,
        tree,
        names: HashMap::new(),
        roots: HashMap::new(),
        this: Definition::default(),
        n_controls: 0,
    };
    if parser.text.len() > MAX_TEXT {
        return Err(parser.error(format!("template is larger than {MAX_TEXT} bytes")));
    }
    parser.this.name = Str::from(name);
    parser.parse_root()?;
    let tree = Arc::new(parser.tree);
    let templates = parser.roots.into_iter().map(|(name, root)| {
        let template = Template {
            name: name.clone(),
            tree: Arc::clone(&tree),
            root: root.list,
            n_slots: root.n_slots,
            is_empty: root.is_empty,
        };
        (name, Arc::new(template))
    });
    Ok(templates.collect())
}

struct Parser<'a> {
    lexer: Lexer<'a>,
    text: Arc<[u8]>,
    functions: &'a Functions,
    tree: Tree,
    /// Where a name is among those of the tree, if it stands alone.
    names: HashMap<Str, u32>,
    roots: HashMap<Str, Root>,
    this: Definition,
    n_controls: usize,
}

/// What became of one definition.
struct Root {
    list: Span,
    n_slots: usize,
    is_empty: bool,
}

/// What is known of the template being parsed: the file's own, or one that it defines. Go parses each with a
/// parser of its own on the same lexer, and where the tokens it has looked at are forgotten shows in errors.
struct Definition {
    name: Str,
    tokens: [Token; 3],
    peeked: usize,
    /// The names that Go's parser knows: those assigned to are among them, though they have no value.
    known: Vec<Str>,
    /// The variables that will have a value at this point, with their slots.
    scope: Vec<(Str, u32)>,
    n_slots: usize,
    action_line: usize,
    range_depth: usize,
    n_parentheses: usize,
}

impl Default for Definition {
    fn default() -> Self {
        let dollar = Str::from_static("$");
        Self {
            name: Str::new(),
            tokens: [Token::default(); 3],
            peeked: 0,
            known: vec![dollar.clone()],
            scope: vec![(dollar, 0)],
            n_slots: 1,
            action_line: 0,
            range_depth: 0,
            n_parentheses: 0,
        }
    }
}

impl Parser<'_> {
    fn next(&mut self) -> Token {
        if self.this.peeked > 0 {
            self.this.peeked -= 1;
        } else {
            self.this.tokens[0] = self.lexer.next_token();
        }
        self.this.tokens[self.this.peeked]
    }

    fn backup(&mut self) {
        self.this.peeked += 1;
    }

    fn backup2(&mut self, first: Token) {
        self.this.tokens[1] = first;
        self.this.peeked = 2;
    }

    fn backup3(&mut self, second: Token, first: Token) {
        self.this.tokens[1] = first;
        self.this.tokens[2] = second;
        self.this.peeked = 3;
    }

    fn peek(&mut self) -> Token {
        if self.this.peeked > 0 {
            return self.this.tokens[self.this.peeked - 1];
        }
        self.this.peeked = 1;
        self.this.tokens[0] = self.lexer.next_token();
        self.this.tokens[0]
    }

    fn next_non_space(&mut self) -> Token {
        loop {
            let token = self.next();
            if token.kind != Kind::Space {
                return token;
            }
        }
    }

    fn peek_non_space(&mut self) -> Token {
        let token = self.next_non_space();
        self.backup();
        token
    }

    fn expect(&mut self, kind: Kind, context: &str) -> Result<Token, ParseError> {
        let token = self.next_non_space();
        if token.kind == kind { Ok(token) } else { Err(self.unexpected(token, context)) }
    }

    /// The text of a token.
    fn source(&self, token: Token) -> &[u8] {
        &self.text[token.start..token.end]
    }

    fn error(&self, message: impl Into<String>) -> ParseError {
        ParseError {
            name: self.tree.parse_name.to_string(),
            line: self.this.tokens[0].line,
            message: message.into(),
        }
    }

    fn unexpected(&self, token: Token, context: &str) -> ParseError {
        if token.kind != Kind::Error {
            return self.error(format!("unexpected {} in {context}", self.described(token)));
        }
        let mut message = self.lexer.error.clone();
        let line = self.this.action_line;
        if line != 0 && line != token.line {
            // An "unclosed action" needs no second "action".
            let what = if message.ends_with(" action") { "" } else { " in action" };
            message.push_str(&format!("{what} started at {}:{line}", self.tree.parse_name));
        }
        self.error(message)
    }

    /// A token as errors show it.
    fn described(&self, token: Token) -> String {
        let source = self.source(token);
        match token.kind {
            Kind::Eof => "EOF".to_owned(),
            Kind::Error => self.lexer.error.clone(),
            kind if kind.is_keyword() => format!("<{}>", String::from_utf8_lossy(source)),
            _ if source.len() > 10 => {
                let mut end = 0;
                while end < source.len() && rune_count(&source[..end]) < 10 {
                    end += windlass_go::fmt::decode_rune(&source[end..]).1;
                }
                format!("{}...", quote(&source[..end]))
            }
            _ => quote(source),
        }
    }

    /// The index of a name in the tree; each name is kept once.
    fn name(&mut self, name: &Str) -> u32 {
        if let Some(index) = self.names.get(name) {
            return *index;
        }
        let index = index(self.tree.names.len());
        self.tree.names.push(name.clone());
        self.names.insert(name.clone(), index);
        index
    }

    /// Registers what was parsed as the template of its name.
    fn add(&mut self, list: Span) -> Result<(), ParseError> {
        let is_empty = self.is_empty(list);
        let name = self.this.name.clone();
        if self.roots.get(&name).is_none_or(|known| known.is_empty) {
            let root = Root { list, n_slots: self.this.n_slots, is_empty };
            self.roots.insert(name, root);
            return Ok(());
        }
        if is_empty {
            return Ok(());
        }
        let name = quote(name.as_bytes());
        Err(self.error(format!("template: multiple definition of template {name}")))
    }
}

fn index(length: usize) -> u32 {
    u32::try_from(length).expect("no array is longer than the text, whose length was checked")
}
