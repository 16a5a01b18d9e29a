//! Executes templates: walks the nodes of a tree.
//!
//! Go's executor keeps "the current node" for its errors, which is whichever it looked at last, and messages
//! show it; so `place` here is set exactly where Go sets it.

mod call;
mod field;
mod range;

use std::sync::Arc;

use crate::context::Context;
use crate::error::{ErrorPlace, ExecError, ExecErrorKind, LimitExceeded};
use crate::format;
use crate::stack;
use crate::tree::{Branch, Expression, NO_SLOT, Node, Place, Span, Template, Tree};
use crate::value::{Kind, Str, Value};
use windlass_go::fmt::quote;

/// Executes `template` with the dot at `data`.
pub(crate) fn execute(
    context: &mut Context<'_>,
    template: &Template,
    data: &Value,
    output: &mut Vec<u8>,
) -> Result<(), ExecError> {
    // A nil interface is no value once reflected on.
    let dot = Operand::plain(if matches!(data, Value::Nil) { Value::NoValue } else { data.clone() });
    Executor::run(context, output, template, &dot, Place::Node(Node::Text { start: 0, end: 0 }))
        .map_err(|error| *error)
}

/// A value while it is evaluated.
#[derive(Clone, Default)]
struct Operand {
    value: Value,
    /// Whether the value came out of a container of `interface {}`, and is still seen as one: errors about its
    /// fields name that type and not the value's own.
    is_boxed: bool,
}

impl Operand {
    fn plain(value: Value) -> Self {
        Self { value, is_boxed: false }
    }
}

/// How a walk ended.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Flow {
    Next,
    Break,
    Continue,
}

/// Errors are rare and large; boxed, they do not slow down what succeeds.
type Failure = Box<ExecError>;

/// One execution of one template.
struct Executor<'c, 'w, 't> {
    context: &'c mut Context<'w>,
    output: &'c mut Vec<u8>,
    template: &'t Template,
    tree: &'t Tree,
    place: Place,
    slots: Vec<Operand>,
    /// Whether the field or variable that was evaluated last is seen as an `interface {}`.
    was_boxed: bool,
}

impl<'c, 'w, 't> Executor<'c, 'w, 't> {
    /// Executes a template, one level deeper. An error that it is too deep is at `place`, of the caller.
    fn run(
        context: &'c mut Context<'w>,
        output: &'c mut Vec<u8>,
        template: &'t Template,
        dot: &Operand,
        place: Place,
    ) -> Result<(), Failure> {
        let mut slots = Vec::with_capacity(template.n_slots);
        slots.push(dot.clone());
        slots.resize(template.n_slots, Operand::default());
        let mut executor =
            Self { context, output, template, tree: &template.tree, place, slots, was_boxed: false };
        let limit = executor.context.limits().depth;
        if executor.context.depth >= limit {
            return Err(executor.limit(LimitExceeded::Depth(limit)));
        }
        executor.context.depth += 1;
        let result = stack::deepen(|| executor.walk(dot, template.root));
        executor.context.depth -= 1;
        result.map(|_| ())
    }

    fn fail(&self, kind: ExecErrorKind) -> Failure {
        let place = ErrorPlace {
            template: self.template.name.clone(),
            location: self.tree.location(self.place),
            action: self.tree.source(self.place),
        };
        Box::new(ExecError { place: Some(Box::new(place)), kind })
    }

    fn complain(&self, message: impl Into<String>) -> Failure {
        self.fail(ExecErrorKind::Language(message.into()))
    }

    fn limit(&self, limit: LimitExceeded) -> Failure {
        self.fail(ExecErrorKind::Limit(limit))
    }

    fn charge(&mut self) -> Result<(), Failure> {
        self.context.charge(1).map_err(|limit| self.limit(limit))
    }

    /// Accounts for what was printed since `start`.
    fn printed(&mut self, start: usize) -> Result<(), Failure> {
        self.context.output += self.output.len() - start;
        let limit = self.context.limits().output;
        if self.context.output > limit {
            return Err(self.limit(LimitExceeded::Output(limit)));
        }
        Ok(())
    }

    fn walk(&mut self, dot: &Operand, list: Span) -> Result<Flow, Failure> {
        let tree = self.tree;
        for node in &tree.nodes[list.indexes()] {
            self.charge()?;
            let flow = match *node {
                Node::Text { start, end } => {
                    self.place = Place::Node(*node);
                    let before = self.output.len();
                    self.output.extend_from_slice(&tree.text[start as usize..end as usize]);
                    self.printed(before)?;
                    Flow::Next
                }
                Node::Action { pipe, .. } => {
                    self.place = Place::Node(*node);
                    let value = self.pipeline(dot, pipe)?;
                    if tree.pipes[pipe as usize].declarations.len() == 0 {
                        self.place = Place::Node(*node);
                        self.print(&value)?;
                    }
                    Flow::Next
                }
                Node::If(branch) => stack::deepen(|| self.branch(dot, branch, false))?,
                Node::With(branch) => stack::deepen(|| self.branch(dot, branch, true))?,
                Node::Range(branch) => stack::deepen(|| self.range(dot, branch))?,
                Node::Template { name, pipe, .. } => {
                    self.place = Place::Node(*node);
                    self.template(dot, &tree.names[name as usize], pipe)?;
                    Flow::Next
                }
                Node::Break { .. } => Flow::Break,
                Node::Continue { .. } => Flow::Continue,
            };
            if flow != Flow::Next {
                return Ok(flow);
            }
        }
        Ok(Flow::Next)
    }

    fn branch(&mut self, dot: &Operand, branch: Branch, is_with: bool) -> Result<Flow, Failure> {
        let value = self.pipeline(dot, branch.pipe)?;
        if value.truth() {
            if is_with {
                return self.walk(&Operand::plain(value), branch.list);
            }
            return self.walk(dot, branch.list);
        }
        match branch.otherwise {
            Some(otherwise) => self.walk(dot, otherwise),
            None => Ok(Flow::Next),
        }
    }

    fn template(&mut self, dot: &Operand, name: &Str, pipe: Option<u32>) -> Result<(), Failure> {
        let place = self.place;
        let Some(template) = self.context.set().lookup(name.as_bytes()).map(Arc::clone) else {
            return Err(self.complain(format!("template {} not defined", quote(name.as_bytes()))));
        };
        let limit = self.context.limits().depth;
        if self.context.depth >= limit {
            return Err(self.limit(LimitExceeded::Depth(limit)));
        }
        let value = match pipe {
            Some(pipe) => self.pipeline(dot, pipe)?,
            None => Value::NoValue,
        };
        Executor::run(self.context, self.output, &template, &Operand::plain(value), place)
    }

    /// Prints the value of the action at `place`.
    fn print(&mut self, value: &Value) -> Result<(), Failure> {
        let before = self.output.len();
        match value {
            Value::String(text) => self.output.extend_from_slice(text.as_bytes()),
            Value::NoValue => self.output.extend_from_slice(b"<no value>"),
            Value::Function(_) => return Err(self.unprintable(value)),
            Value::NilOf(kind) if kind.kind == Kind::Func => return Err(self.unprintable(value)),
            _ => format::print_indirect(self.output, value)
                .map_err(|error| self.complain(error.to_string()))?,
        }
        self.printed(before)
    }

    fn unprintable(&self, value: &Value) -> Failure {
        let source = self.tree.source(self.place);
        self.complain(format!("can't print {source} of type {}", value.type_of().name))
    }

    /// Evaluates a pipeline; a nil interface is no value after it.
    fn pipeline(&mut self, dot: &Operand, pipe: u32) -> Result<Value, Failure> {
        self.place = Place::Pipe(pipe);
        let tree = self.tree;
        let pipe = tree.pipes[pipe as usize];
        let mut value = None;
        for command in pipe.commands.start..pipe.commands.end {
            value = Some(match self.command(dot, command, value)? {
                Value::Nil => Value::NoValue,
                value => value,
            });
        }
        let value = value.unwrap_or(Value::NoValue);
        for declaration in &tree.declarations[pipe.declarations.indexes()] {
            self.set(declaration.slot, declaration.name, Operand::plain(value.clone()))?;
        }
        Ok(value)
    }

    fn set(&mut self, slot: u32, name: u32, operand: Operand) -> Result<(), Failure> {
        if slot == NO_SLOT {
            return Err(self.undefined(name));
        }
        self.slots[slot as usize] = operand;
        Ok(())
    }

    fn undefined(&self, name: u32) -> Failure {
        self.complain(format!("undefined variable: {}", self.tree.names[name as usize]))
    }

    /// Evaluates a command, whose last argument is the value of the command before it.
    fn command(&mut self, dot: &Operand, command: u32, last: Option<Value>) -> Result<Value, Failure> {
        let tree = self.tree;
        let arguments = tree.commands[command as usize].arguments;
        let first = tree.expressions[arguments.start as usize];
        match first {
            Expression::Field { names, .. } => {
                self.place = Place::Expression(first);
                self.chain(dot, dot, Place::Expression(first), names, Some(arguments), last)
            }
            Expression::Chain { .. } => self.chained(dot, first, Some(arguments), last),
            Expression::Identifier { name, function, .. } => {
                self.place = Place::Expression(first);
                self.charge()?;
                let function = (&*tree.functions[function as usize], &tree.names[name as usize]);
                self.function(dot, function, Place::Command(command), Some(arguments), last)
            }
            Expression::Pipe { pipe } => {
                self.not_a_function(arguments, last.is_some())?;
                stack::deepen(|| self.pipeline(dot, pipe))
            }
            Expression::Variable { .. } => self.variable(dot, first, Some(arguments), last),
            _ => {
                self.place = Place::Expression(first);
                self.not_a_function(arguments, last.is_some())?;
                match first {
                    Expression::Dot { .. } => Ok(dot.value.clone()),
                    Expression::Nil { .. } => Err(self.complain("nil is not a command")),
                    _ => self.constant(first),
                }
            }
        }
    }

    fn not_a_function(&self, arguments: Span, has_last: bool) -> Result<(), Failure> {
        if arguments.len() > 1 || has_last {
            let first = Place::Expression(self.tree.expressions[arguments.start as usize]);
            let source = self.tree.source(first);
            return Err(self.complain(format!("can't give argument to non-function {source}")));
        }
        Ok(())
    }

    /// The value of a constant where nothing says which type is wanted.
    fn constant(&mut self, expression: Expression) -> Result<Value, Failure> {
        match expression {
            Expression::Bool { value, .. } => Ok(Value::Bool(value)),
            Expression::String { string, .. } => Ok(self.tree.strings[string as usize].clone()),
            Expression::Number { number, .. } => {
                self.place = Place::Expression(expression);
                let constant = &self.tree.numbers[number as usize];
                constant.ideal().ok_or_else(|| self.complain(format!("{} overflows int", constant.text)))
            }
            _ => Err(self.complain("not a constant")),
        }
    }
}
