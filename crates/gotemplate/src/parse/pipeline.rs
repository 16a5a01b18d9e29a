//! What stands between delimiters: pipelines, commands and operands.

use super::constant::constant;
use super::lex::{Kind, Token};
use super::{MAX_PARENTHESES, Parser, index};
use crate::error::ParseError;
use crate::stack;
use crate::tree::{Command, Declaration, Expression, NO_SLOT, Pipe, Place, Span};
use crate::value::{Str, Value};
use std::sync::Arc;
use windlass_go::fmt::quote;

impl Parser<'_> {
    /// Parses a pipeline and the token that ends it; returns the pipeline's index.
    pub(super) fn pipeline(&mut self, context: &str, end: Kind) -> Result<u32, ParseError> {
        let position = index(self.peek_non_space().start);
        let mut is_assignment = false;
        let mut declared = Vec::new();
        loop {
            let variable = self.peek_non_space();
            if variable.kind != Kind::Variable {
                break;
            }
            self.next();
            let after = self.peek();
            let next = self.peek_non_space();
            match next.kind {
                Kind::Assign | Kind::Declare => {
                    is_assignment = next.kind == Kind::Assign;
                    self.next_non_space();
                    declared.push(self.declare(variable));
                }
                Kind::Char if self.source(next) == b"," => {
                    self.next_non_space();
                    declared.push(self.declare(variable));
                    if context == "range" && declared.len() < 2 {
                        match self.peek_non_space().kind {
                            Kind::Variable | Kind::RightDelimiter | Kind::RightParen => continue,
                            _ => return Err(self.error("range can only initialize variables")),
                        }
                    }
                    return Err(self.error(format!("too many declarations in {context}")));
                }
                _ if after.kind == Kind::Space => self.backup3(variable, after),
                _ => self.backup2(variable),
            }
            break;
        }
        let mut commands = Vec::new();
        loop {
            let token = self.next_non_space();
            if token.kind == end {
                break;
            }
            match token.kind {
                Kind::Bool
                | Kind::CharConstant
                | Kind::Complex
                | Kind::Dot
                | Kind::Field
                | Kind::Identifier
                | Kind::Number
                | Kind::Nil
                | Kind::RawString
                | Kind::String
                | Kind::Variable
                | Kind::LeftParen => {
                    self.backup();
                    commands.push(self.command()?);
                }
                _ => return Err(self.unexpected(token, context)),
            }
        }
        self.check(&commands, context)?;
        // The variables get their values after the commands were evaluated, so they are in scope only now.
        let start = index(self.tree.declarations.len());
        for name in declared {
            let slot = if is_assignment { self.slot(&name) } else { self.new_slot(&name) };
            let name = self.name(&name);
            self.tree.declarations.push(Declaration { name, slot });
        }
        let declarations = Span { start, end: index(self.tree.declarations.len()) };
        let start = index(self.tree.commands.len());
        self.tree.commands.append(&mut commands);
        let commands = Span { start, end: index(self.tree.commands.len()) };
        self.tree.pipes.push(Pipe { position, is_assignment, declarations, commands });
        Ok(index(self.tree.pipes.len() - 1))
    }

    fn declare(&mut self, variable: Token) -> Str {
        let name = Str::from_bytes(self.source(variable));
        self.this.known.push(name.clone());
        name
    }

    /// The slot of the variable that `name` means here.
    fn slot(&self, name: &Str) -> u32 {
        self.this.scope.iter().rev().find(|(known, _)| known == name).map_or(NO_SLOT, |(_, slot)| *slot)
    }

    fn new_slot(&mut self, name: &Str) -> u32 {
        let slot = index(self.this.scope.len());
        self.this.scope.push((name.clone(), slot));
        self.this.n_slots = self.this.n_slots.max(self.this.scope.len());
        slot
    }

    fn check(&self, commands: &[Command], context: &str) -> Result<(), ParseError> {
        if commands.is_empty() {
            return Err(self.error(format!("missing value for {context}")));
        }
        for (stage, command) in commands.iter().enumerate().skip(1) {
            if matches!(
                self.tree.expressions[command.arguments.start as usize],
                Expression::Bool { .. }
                    | Expression::Dot { .. }
                    | Expression::Nil { .. }
                    | Expression::Number { .. }
                    | Expression::String { .. }
            ) {
                let stage = stage + 1;
                return Err(self.error(format!("non executable command in pipeline stage {stage}")));
            }
        }
        Ok(())
    }

    fn command(&mut self) -> Result<Command, ParseError> {
        let position = index(self.peek_non_space().start);
        let mut arguments = Vec::new();
        loop {
            self.peek_non_space();
            arguments.extend(self.operand()?);
            let token = self.next();
            match token.kind {
                Kind::Space => continue,
                Kind::RightDelimiter | Kind::RightParen => self.backup(),
                Kind::Pipe => {}
                _ => return Err(self.unexpected(token, "operand")),
            }
            break;
        }
        if arguments.is_empty() {
            return Err(self.error("empty command"));
        }
        let start = index(self.tree.expressions.len());
        self.tree.expressions.append(&mut arguments);
        Ok(Command { position, arguments: Span { start, end: index(self.tree.expressions.len()) } })
    }

    /// A term, with the fields that follow it.
    fn operand(&mut self) -> Result<Option<Expression>, ParseError> {
        let Some(mut term) = self.term()? else { return Ok(None) };
        let first = self.peek();
        if first.kind != Kind::Field {
            return Ok(Some(term));
        }
        let position = index(first.start);
        let mut fields = Vec::new();
        while self.peek().kind == Kind::Field {
            let token = self.next();
            fields.push(Str::from_bytes(&self.source(token)[1..]));
        }
        match &mut term {
            Expression::Field { position: place, names }
            | Expression::Variable { position: place, names, .. } => {
                *place = position;
                let first = self.tree.names[names.start as usize].clone();
                *names = self.chain(std::iter::once(first).chain(fields));
            }
            Expression::Bool { .. }
            | Expression::String { .. }
            | Expression::Number { .. }
            | Expression::Nil { .. }
            | Expression::Dot { .. } => {
                let source = quote(self.tree.source(Place::Expression(term)).as_bytes());
                return Err(self.error(format!("unexpected . after term {source}")));
            }
            _ => {
                let inner = index(self.tree.expressions.len());
                self.tree.expressions.push(term);
                let names = self.chain(fields);
                term = Expression::Chain { position, inner, names };
            }
        }
        Ok(Some(term))
    }

    /// Adds names in a row.
    fn chain(&mut self, names: impl IntoIterator<Item = Str>) -> Span {
        let start = index(self.tree.names.len());
        self.tree.names.extend(names);
        Span { start, end: index(self.tree.names.len()) }
    }

    /// A name alone, as a chain of one.
    fn single(&mut self, name: &Str) -> Span {
        let start = self.name(name);
        Span { start, end: start + 1 }
    }

    fn term(&mut self) -> Result<Option<Expression>, ParseError> {
        let token = self.next_non_space();
        let position = index(token.start);
        Ok(Some(match token.kind {
            Kind::Identifier => {
                let name = Str::from_bytes(self.source(token));
                let function = name.as_str().and_then(|name| self.functions.get(name)).map(Arc::clone);
                let Some(function) = function else {
                    return Err(self.error(format!("function {} not defined", quote(name.as_bytes()))));
                };
                self.tree.functions.push(function);
                let function = index(self.tree.functions.len() - 1);
                Expression::Identifier { position, name: self.name(&name), function }
            }
            Kind::Dot => Expression::Dot { position },
            Kind::Nil => Expression::Nil { position },
            Kind::Variable => {
                let name = Str::from_bytes(self.source(token));
                if !self.this.known.contains(&name) {
                    return Err(self.error(format!("undefined variable {}", quote(name.as_bytes()))));
                }
                Expression::Variable { position, slot: self.slot(&name), names: self.single(&name) }
            }
            Kind::Field => {
                let name = Str::from_bytes(&self.source(token)[1..]);
                Expression::Field { position, names: self.single(&name) }
            }
            Kind::Bool => Expression::Bool { position, value: self.source(token) == b"true" },
            Kind::CharConstant | Kind::Complex | Kind::Number => {
                let number = constant(self.source(token), token.kind).map_err(|error| self.error(error))?;
                self.tree.numbers.push(number);
                Expression::Number { position, number: index(self.tree.numbers.len() - 1) }
            }
            Kind::LeftParen => {
                if self.this.n_parentheses >= MAX_PARENTHESES {
                    return Err(self.error("max expression depth exceeded"));
                }
                self.this.n_parentheses += 1;
                let pipe = stack::deepen(|| self.pipeline("parenthesized pipeline", Kind::RightParen))?;
                self.this.n_parentheses -= 1;
                Expression::Pipe { pipe }
            }
            Kind::String | Kind::RawString => {
                let text = self.unquoted(token)?;
                self.tree.strings.push(Value::String(text));
                let quoted = Span { start: position, end: index(token.end) };
                Expression::String { position, quoted, string: index(self.tree.strings.len() - 1) }
            }
            _ => {
                self.backup();
                return Ok(None);
            }
        }))
    }
}
