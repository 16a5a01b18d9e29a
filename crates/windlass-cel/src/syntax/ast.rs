//! The tree of an expression, in one arena, so that what is known about a node is a vector.

use crate::Value;
use std::sync::Arc;

/// The place of a node in the arena.
pub(crate) type NodeId = u32;

/// A node and where it is, in characters from the start of the text.
#[derive(Clone, Debug)]
pub(crate) struct Node {
    pub(crate) kind: Kind,
    pub(crate) at: u32,
}

/// What a node is.
#[derive(Clone, Debug)]
pub(crate) enum Kind {
    /// A problem was reported here.
    Missing,
    Literal(Value),
    Ident(Arc<str>),
    Select {
        operand: NodeId,
        field: Arc<str>,
        /// Made by `has()`: asks whether the field is there.
        test_only: bool,
    },
    Call {
        target: Option<NodeId>,
        function: Arc<str>,
        arguments: Vec<NodeId>,
    },
    List(Vec<Element>),
    Map(Vec<Entry>),
    Struct {
        name: Arc<str>,
        fields: Vec<Field>,
    },
    Fold(Box<Fold>),
}

/// An item of a list literal.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Element {
    pub(crate) value: NodeId,
    pub(crate) optional: bool,
}

/// A pair of a map literal.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Entry {
    pub(crate) key: NodeId,
    pub(crate) value: NodeId,
    pub(crate) optional: bool,
}

/// A field of a struct literal.
#[derive(Clone, Debug)]
pub(crate) struct Field {
    pub(crate) name: Arc<str>,
    pub(crate) value: NodeId,
    pub(crate) optional: bool,
    pub(crate) at: u32,
}

/// The loop that macros become.
#[derive(Clone, Debug)]
pub(crate) struct Fold {
    pub(crate) range: NodeId,
    pub(crate) variable: Arc<str>,
    /// The second variable of the macros that have two.
    pub(crate) second: Option<Arc<str>>,
    pub(crate) accumulator: Arc<str>,
    pub(crate) start: NodeId,
    pub(crate) condition: NodeId,
    pub(crate) step: NodeId,
    pub(crate) result: NodeId,
}

/// The name that loops made by macros gather under.
pub(crate) const ACCUMULATOR: &str = "@result";
/// The older name, which no variable may have.
pub(crate) const OLD_ACCUMULATOR: &str = "__result__";

/// The nodes of one expression.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tree {
    pub(crate) nodes: Vec<Node>,
    pub(crate) root: NodeId,
}

impl Tree {
    pub(crate) fn add(&mut self, at: u32, kind: Kind) -> NodeId {
        self.nodes.push(Node { kind, at });
        NodeId::try_from(self.nodes.len() - 1).expect("an expression has at most 100,000 characters")
    }

    pub(crate) fn kind(&self, id: NodeId) -> &Kind {
        &self.nodes[id as usize].kind
    }

    pub(crate) fn at(&self, id: NodeId) -> u32 {
        self.nodes[id as usize].at
    }

    /// The nodes directly below one.
    pub(crate) fn children(&self, id: NodeId) -> Vec<NodeId> {
        match self.kind(id) {
            Kind::Missing | Kind::Literal(_) | Kind::Ident(_) => Vec::new(),
            Kind::Select { operand, .. } => vec![*operand],
            Kind::Call { target, arguments, .. } => target.iter().chain(arguments).copied().collect(),
            Kind::List(elements) => elements.iter().map(|element| element.value).collect(),
            Kind::Map(entries) => entries.iter().flat_map(|entry| [entry.key, entry.value]).collect(),
            Kind::Struct { fields, .. } => fields.iter().map(|field| field.value).collect(),
            Kind::Fold(fold) => {
                vec![fold.range, fold.start, fold.condition, fold.step, fold.result]
            }
        }
    }

    /// Copies a node and all below it.
    pub(crate) fn copy(&mut self, id: NodeId) -> NodeId {
        let mut node = self.nodes[id as usize].clone();
        match &mut node.kind {
            Kind::Missing | Kind::Literal(_) | Kind::Ident(_) => {}
            Kind::Select { operand, .. } => *operand = self.copy(*operand),
            Kind::Call { target, arguments, .. } => {
                *target = target.map(|target| self.copy(target));
                for argument in arguments {
                    *argument = self.copy(*argument);
                }
            }
            Kind::List(elements) => {
                for element in elements {
                    element.value = self.copy(element.value);
                }
            }
            Kind::Map(entries) => {
                for entry in entries {
                    entry.key = self.copy(entry.key);
                    entry.value = self.copy(entry.value);
                }
            }
            Kind::Struct { fields, .. } => {
                for field in fields {
                    field.value = self.copy(field.value);
                }
            }
            Kind::Fold(fold) => {
                fold.range = self.copy(fold.range);
                fold.start = self.copy(fold.start);
                fold.condition = self.copy(fold.condition);
                fold.step = self.copy(fold.step);
                fold.result = self.copy(fold.result);
            }
        }
        self.add(node.at, node.kind)
    }

    /// The dotted name that a chain of selections on a name spells.
    pub(crate) fn qualified_name(&self, id: NodeId) -> Option<String> {
        match self.kind(id) {
            Kind::Ident(name) => Some(name.to_string()),
            Kind::Select { operand, field, test_only: false } => {
                let mut name = self.qualified_name(*operand)?;
                name.push('.');
                name.push_str(field);
                Some(name)
            }
            _ => None,
        }
    }
}
