//! Parsed templates: flat arrays of nodes that refer to each other by index.
//!
//! Nodes are small and are copied, not borrowed; nothing here is nested, so that a template of ten thousand
//! parentheses is dropped without a deep stack. Variables are resolved to slots while parsing. Everything that
//! errors print (positions, names, the text of constants) is kept.

mod print;

use std::sync::Arc;

use crate::function::Function;
use crate::value::{Number, Str, Value};

/// A range of one of the arrays.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Span {
    pub(crate) start: u32,
    pub(crate) end: u32,
}

impl Span {
    pub(crate) fn len(self) -> usize {
        (self.end - self.start) as usize
    }

    pub(crate) fn indexes(self) -> std::ops::Range<usize> {
        self.start as usize..self.end as usize
    }
}

/// What one text was parsed into: the nodes of a template and of those it defines.
pub(crate) struct Tree {
    /// The name the text was parsed under, which positions are printed with.
    pub(crate) parse_name: Str,
    pub(crate) text: Arc<[u8]>,
    pub(crate) nodes: Vec<Node>,
    pub(crate) pipes: Vec<Pipe>,
    pub(crate) commands: Vec<Command>,
    pub(crate) expressions: Vec<Expression>,
    pub(crate) declarations: Vec<Declaration>,
    pub(crate) names: Vec<Str>,
    pub(crate) strings: Vec<Value>,
    pub(crate) numbers: Vec<Constant>,
    pub(crate) functions: Vec<Arc<Function>>,
}

/// One template: a root in a tree.
pub struct Template {
    pub(crate) name: Str,
    pub(crate) tree: Arc<Tree>,
    pub(crate) root: Span,
    /// How many variables can be alive at a time, `$` being the first.
    pub(crate) n_slots: usize,
    /// Whether it is nothing but space and comments.
    pub(crate) is_empty: bool,
}

impl Template {
    /// Its name.
    #[must_use]
    pub fn name(&self) -> &Str {
        &self.name
    }
}

/// Something between delimiters, or the text between them.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Node {
    Text { start: u32, end: u32 },
    Action { position: u32, pipe: u32 },
    If(Branch),
    With(Branch),
    Range(Branch),
    Template { position: u32, name: u32, pipe: Option<u32> },
    Break { position: u32 },
    Continue { position: u32 },
}

/// `if`, `with` or `range`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Branch {
    pub(crate) pipe: u32,
    pub(crate) list: Span,
    pub(crate) otherwise: Option<Span>,
}

/// Commands that each hand their value to the next.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pipe {
    pub(crate) position: u32,
    pub(crate) is_assignment: bool,
    pub(crate) declarations: Span,
    pub(crate) commands: Span,
}

/// A variable that a pipeline sets.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Declaration {
    pub(crate) name: u32,
    pub(crate) slot: u32,
}

/// The slot of a variable that only ever was assigned to, never declared.
pub(crate) const NO_SLOT: u32 = u32::MAX;

#[derive(Clone, Copy, Debug)]
pub(crate) struct Command {
    pub(crate) position: u32,
    pub(crate) arguments: Span,
}

/// An operand of a command.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Expression {
    Bool {
        position: u32,
        value: bool,
    },
    Nil {
        position: u32,
    },
    Dot {
        position: u32,
    },
    Number {
        position: u32,
        number: u32,
    },
    String {
        position: u32,
        quoted: Span,
        string: u32,
    },
    Field {
        position: u32,
        names: Span,
    },
    /// The first of the names is the variable's.
    Variable {
        position: u32,
        slot: u32,
        names: Span,
    },
    Identifier {
        position: u32,
        name: u32,
        function: u32,
    },
    Chain {
        position: u32,
        inner: u32,
        names: Span,
    },
    Pipe {
        pipe: u32,
    },
}

/// A numeric constant, with what it may stand for.
#[derive(Clone, Debug, Default)]
pub(crate) struct Constant {
    pub(crate) text: Str,
    pub(crate) int: Option<i64>,
    pub(crate) uint: Option<u64>,
    pub(crate) float: Option<f64>,
    pub(crate) complex: Option<(f64, f64)>,
}

impl Constant {
    /// The value where nothing says which type is wanted; `None` if it overflows an `int`.
    pub(crate) fn ideal(&self) -> Option<Value> {
        if let Some((real, imaginary)) = self.complex {
            return Some(Value::Number(Number::Complex128(real, imaginary)));
        }
        let text = self.text.as_bytes();
        let has = |letters: &[u8]| text.iter().any(|byte| letters.contains(byte));
        let is_hexadecimal =
            text.len() > 2 && text[0] == b'0' && matches!(text[1], b'x' | b'X') && !has(b"pP");
        match self.float {
            Some(float) if !is_hexadecimal && text[0] != b'\'' && has(b".eEpP") => Some(Value::Float(float)),
            _ => self.int.map(Value::Int),
        }
    }
}

/// A place in a tree, for errors.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Place {
    Node(Node),
    Pipe(u32),
    Command(u32),
    Expression(Expression),
}

impl Tree {
    /// The names of a field chain.
    pub(crate) fn names(&self, span: Span) -> &[Str] {
        &self.names[span.indexes()]
    }

    /// Where a place is: `NAME:LINE:COLUMN`.
    pub(crate) fn location(&self, place: Place) -> String {
        let position = self.position(place) as usize;
        let before = &self.text[..position];
        let line = 1 + before.iter().filter(|byte| **byte == b'\n').count();
        let column = match before.iter().rposition(|byte| *byte == b'\n') {
            Some(newline) => position - newline - 1,
            None => position,
        };
        format!("{}:{line}:{column}", self.parse_name)
    }

    fn position(&self, place: Place) -> u32 {
        match place {
            Place::Node(node) => match node {
                Node::Text { start, .. } => start,
                Node::Action { position, .. }
                | Node::Template { position, .. }
                | Node::Break { position }
                | Node::Continue { position } => position,
                Node::If(branch) | Node::With(branch) | Node::Range(branch) => {
                    self.pipes[branch.pipe as usize].position
                }
            },
            Place::Pipe(pipe) => self.pipes[pipe as usize].position,
            Place::Command(command) => self.commands[command as usize].position,
            Place::Expression(expression) => match expression {
                Expression::Bool { position, .. }
                | Expression::Nil { position }
                | Expression::Dot { position }
                | Expression::Number { position, .. }
                | Expression::String { position, .. }
                | Expression::Field { position, .. }
                | Expression::Variable { position, .. }
                | Expression::Identifier { position, .. }
                | Expression::Chain { position, .. } => position,
                Expression::Pipe { pipe } => self.pipes[pipe as usize].position,
            },
        }
    }
}
