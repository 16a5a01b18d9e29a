//! What templates are made of: text, actions, and controls with lists inside.

use super::constant::unquote;
use super::lex::{Kind, Token};
use super::{Definition, MAX_CONTROLS, Parser, index};
use crate::error::ParseError;
use crate::stack;
use crate::tree::{Branch, Node, Span};
use crate::value::Str;

/// What a list ends with.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Ending {
    End,
    Else,
}

impl Ending {
    fn source(self) -> &'static str {
        match self {
            Self::End => "{{end}}",
            Self::Else => "{{else}}",
        }
    }
}

enum Item {
    Node(Node),
    Ending(Ending),
}

/// Which control it is; its pipeline's errors say so.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Control {
    If,
    With,
    Range,
}

impl Parser<'_> {
    /// Parses the whole text.
    pub(super) fn parse_root(&mut self) -> Result<(), ParseError> {
        let mut nodes = Vec::new();
        while self.peek().kind != Kind::Eof {
            if self.peek().kind == Kind::LeftDelimiter {
                let delimiter = self.next();
                if self.next_non_space().kind == Kind::Define {
                    self.nested(Str::from_static("definition"), Self::definition)?;
                    continue;
                }
                self.backup2(delimiter);
            }
            match self.text_or_action()? {
                Item::Ending(ending) => return Err(self.error(format!("unexpected {}", ending.source()))),
                Item::Node(node) => nodes.push(node),
            }
        }
        let list = self.append(&nodes);
        self.add(list)
    }

    /// Parses another definition on the same lexer.
    fn nested<R>(
        &mut self,
        name: Str,
        parse: impl FnOnce(&mut Self) -> Result<R, ParseError>,
    ) -> Result<R, ParseError> {
        let outer = std::mem::replace(&mut self.this, Definition { name, ..Definition::default() });
        let result = parse(self);
        self.this = outer;
        result
    }

    fn append(&mut self, nodes: &[Node]) -> Span {
        let start = index(self.tree.nodes.len());
        self.tree.nodes.extend_from_slice(nodes);
        Span { start, end: index(self.tree.nodes.len()) }
    }

    /// Whether there is nothing but space.
    pub(super) fn is_empty(&self, list: Span) -> bool {
        self.tree.nodes[list.indexes()].iter().all(|node| match node {
            Node::Text { start, end } => {
                let text = String::from_utf8_lossy(&self.text[*start as usize..*end as usize]);
                text.trim().is_empty()
            }
            _ => false,
        })
    }

    fn definition(&mut self) -> Result<(), ParseError> {
        const CONTEXT: &str = "define clause";
        let token = self.next_non_space();
        if !matches!(token.kind, Kind::String | Kind::RawString) {
            return Err(self.unexpected(token, CONTEXT));
        }
        self.this.name = self.unquoted(token)?;
        self.expect(Kind::RightDelimiter, CONTEXT)?;
        let (list, ending) = self.list()?;
        if ending != Ending::End {
            return Err(self.error(format!("unexpected {} in {CONTEXT}", ending.source())));
        }
        self.add(list)
    }

    /// Parses up to an `end` or `else`.
    fn list(&mut self) -> Result<(Span, Ending), ParseError> {
        if self.n_controls >= MAX_CONTROLS {
            return Err(self.error(format!("max control depth ({MAX_CONTROLS}) exceeded")));
        }
        self.n_controls += 1;
        let mut nodes = Vec::new();
        while self.peek_non_space().kind != Kind::Eof {
            match stack::deepen(|| self.text_or_action())? {
                Item::Ending(ending) => {
                    self.n_controls -= 1;
                    return Ok((self.append(&nodes), ending));
                }
                Item::Node(node) => nodes.push(node),
            }
        }
        Err(self.error("unexpected EOF"))
    }

    fn text_or_action(&mut self) -> Result<Item, ParseError> {
        let token = self.next_non_space();
        match token.kind {
            Kind::Text => Ok(Item::Node(Node::Text { start: index(token.start), end: index(token.end) })),
            Kind::LeftDelimiter => {
                self.this.action_line = token.line;
                let item = self.action();
                if item.is_ok() {
                    self.this.action_line = 0;
                }
                item
            }
            _ => Err(self.unexpected(token, "input")),
        }
    }

    fn action(&mut self) -> Result<Item, ParseError> {
        let token = self.next_non_space();
        let position = index(token.start);
        let node = match token.kind {
            Kind::Block => self.block()?,
            Kind::Break => {
                self.loop_control(token, "break")?;
                Node::Break { position }
            }
            Kind::Continue => {
                self.loop_control(token, "continue")?;
                Node::Continue { position }
            }
            Kind::Else => {
                if !matches!(self.peek_non_space().kind, Kind::If | Kind::With) {
                    self.expect(Kind::RightDelimiter, "else")?;
                }
                return Ok(Item::Ending(Ending::Else));
            }
            Kind::End => {
                self.expect(Kind::RightDelimiter, "end")?;
                return Ok(Item::Ending(Ending::End));
            }
            Kind::If => Node::If(self.branch(Control::If)?),
            Kind::Range => Node::Range(self.branch(Control::Range)?),
            Kind::With => Node::With(self.branch(Control::With)?),
            Kind::Template => self.template()?,
            _ => {
                self.backup();
                let position = index(self.peek().start);
                let pipe = self.pipeline("command", Kind::RightDelimiter)?;
                Node::Action { position, pipe }
            }
        };
        Ok(Item::Node(node))
    }

    fn loop_control(&mut self, _: Token, word: &str) -> Result<(), ParseError> {
        let token = self.next_non_space();
        if token.kind != Kind::RightDelimiter {
            return Err(self.unexpected(token, &format!("{{{{{word}}}}}")));
        }
        if self.this.range_depth == 0 {
            return Err(self.error(format!("{{{{{word}}}}} outside {{{{range}}}}")));
        }
        Ok(())
    }

    fn branch(&mut self, control: Control) -> Result<Branch, ParseError> {
        let (n_known, n_scope) = (self.this.known.len(), self.this.scope.len());
        let branch = self.branch_in_scope(control)?;
        self.this.known.truncate(n_known);
        self.this.scope.truncate(n_scope);
        Ok(branch)
    }

    fn branch_in_scope(&mut self, control: Control) -> Result<Branch, ParseError> {
        let context = match control {
            Control::If => "if",
            Control::With => "with",
            Control::Range => "range",
        };
        let pipe = self.pipeline(context, Kind::RightDelimiter)?;
        if control == Control::Range {
            self.this.range_depth += 1;
        }
        let body_scope = self.this.scope.len();
        let (list, ending) = self.list()?;
        if control == Control::Range {
            self.this.range_depth -= 1;
        }
        // What one list declares has no value in the other, though Go's parser still knows the name.
        self.this.scope.truncate(body_scope);
        if ending == Ending::End {
            return Ok(Branch { pipe, list, otherwise: None });
        }
        let chained = match (control, self.peek().kind) {
            (Control::If, Kind::If) => {
                self.next();
                Some(Node::If(stack::deepen(|| self.branch(Control::If))?))
            }
            (Control::With, Kind::With) => {
                self.next();
                Some(Node::With(stack::deepen(|| self.branch(Control::With))?))
            }
            _ => None,
        };
        let otherwise = match chained {
            Some(node) => self.append(&[node]),
            None => {
                let (otherwise, ending) = self.list()?;
                if ending != Ending::End {
                    return Err(self.error(format!("expected end; found {}", ending.source())));
                }
                otherwise
            }
        };
        Ok(Branch { pipe, list, otherwise: Some(otherwise) })
    }

    fn block(&mut self) -> Result<Node, ParseError> {
        const CONTEXT: &str = "block clause";
        let token = self.next_non_space();
        let name = self.template_name(token, CONTEXT)?;
        let pipe = self.pipeline(CONTEXT, Kind::RightDelimiter)?;
        let ending = self.nested(name.clone(), |parser| {
            let (list, ending) = parser.list()?;
            if ending == Ending::End {
                parser.add(list)?;
            }
            Ok(ending)
        })?;
        if ending != Ending::End {
            return Err(self.error(format!("unexpected {} in {CONTEXT}", ending.source())));
        }
        Ok(Node::Template { position: index(token.start), name: self.name(&name), pipe: Some(pipe) })
    }

    fn template(&mut self) -> Result<Node, ParseError> {
        const CONTEXT: &str = "template clause";
        let token = self.next_non_space();
        let name = self.template_name(token, CONTEXT)?;
        let mut pipe = None;
        if self.next_non_space().kind != Kind::RightDelimiter {
            self.backup();
            pipe = Some(self.pipeline(CONTEXT, Kind::RightDelimiter)?);
        }
        Ok(Node::Template { position: index(token.start), name: self.name(&name), pipe })
    }

    fn template_name(&mut self, token: Token, context: &str) -> Result<Str, ParseError> {
        match token.kind {
            Kind::String | Kind::RawString => self.unquoted(token),
            _ => Err(self.unexpected(token, context)),
        }
    }

    pub(super) fn unquoted(&self, token: Token) -> Result<Str, ParseError> {
        unquote(self.source(token)).map(Str::from).map_err(|message| self.error(message))
    }
}
