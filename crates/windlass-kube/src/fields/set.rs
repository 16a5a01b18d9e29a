//! A set of field paths, held as a sorted tree.

use std::cmp::Ordering;
use std::fmt;
use std::sync::Arc;

use super::element::{FieldPath, PathElement};

/// A set of fields of an object.
///
/// A container and what it contains are separate members: owning `.spec` says nothing of `.spec.replicas`.
/// Sets share their subtrees: a clone is a reference count, and operations copy only what differs.
#[derive(Clone, Default)]
pub struct FieldSet {
    nodes: Option<Arc<Vec<Node>>>,
}

/// One path element of a set: a member, or the way to members, or both.
#[derive(Clone, PartialEq)]
pub(crate) struct Node {
    pub(crate) element: PathElement,
    pub(crate) member: bool,
    pub(crate) children: FieldSet,
}

impl FieldSet {
    /// The empty set.
    #[must_use]
    pub const fn new() -> Self {
        Self { nodes: None }
    }

    /// Whether it has no members.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        // Nodes that lead to no member are never kept.
        self.nodes.is_none()
    }

    /// How many members it has.
    #[must_use]
    pub fn len(&self) -> usize {
        self.nodes().iter().map(|node| usize::from(node.member) + node.children.len()).sum()
    }

    /// Whether `path` is a member. The empty path never is.
    #[must_use]
    pub fn contains(&self, path: &[PathElement]) -> bool {
        match path {
            [] => false,
            [last] => self.node(last).is_some_and(|node| node.member),
            [first, rest @ ..] => self.node(first).is_some_and(|node| node.children.contains(rest)),
        }
    }

    /// Adds one path, not its parents. The empty path, and one longer than [`super::MAX_DEPTH`], are ignored.
    pub fn insert(&mut self, path: &[PathElement]) {
        if path.is_empty() || path.len() > super::MAX_DEPTH {
            return;
        }
        let mut set = self;
        for (depth, element) in path.iter().enumerate() {
            let nodes = Arc::make_mut(set.nodes.get_or_insert_default());
            let idx = nodes.binary_search_by(|node| node.element.cmp(element)).unwrap_or_else(|idx| {
                nodes.insert(idx, Node { element: element.clone(), member: false, children: Self::new() });
                idx
            });
            if depth + 1 == path.len() {
                nodes[idx].member = true;
                return;
            }
            set = &mut nodes[idx].children;
        }
    }

    /// The members below `element`, relative to it.
    #[must_use]
    pub fn below(&self, element: &PathElement) -> Self {
        self.node(element).map(|node| node.children.clone()).unwrap_or_default()
    }

    /// Members of either.
    #[must_use]
    pub fn union(&self, other: &Self) -> Self {
        if other.is_empty() || self.shares(other) {
            return self.clone();
        }
        if self.is_empty() {
            return other.clone();
        }
        let mut out = Vec::with_capacity(self.nodes().len().max(other.nodes().len()));
        for pair in Merged::new(self.nodes(), other.nodes()) {
            out.push(match pair {
                (Some(a), Some(b)) => Node {
                    element: a.element.clone(),
                    member: a.member || b.member,
                    children: a.children.union(&b.children),
                },
                (Some(only), None) | (None, Some(only)) => only.clone(),
                (None, None) => continue,
            });
        }
        Self::from_nodes(out)
    }

    /// Members of both.
    #[must_use]
    pub fn intersection(&self, other: &Self) -> Self {
        if self.is_empty() || self.shares(other) {
            return self.clone();
        }
        let both = Merged::new(self.nodes(), other.nodes()).filter_map(|pair| match pair {
            (Some(a), Some(b)) => Some(Node {
                element: a.element.clone(),
                member: a.member && b.member,
                children: a.children.intersection(&b.children),
            }),
            _ => None,
        });
        Self::from_nodes(both.filter(Node::leads_somewhere).collect())
    }

    /// Members of this set that are not members of `other`. Parents and children are told apart: taking
    /// `.spec` away leaves `.spec.replicas`.
    #[must_use]
    pub fn difference(&self, other: &Self) -> Self {
        self.minus(other, |a, b| Node {
            element: a.element.clone(),
            member: a.member && !b.member,
            children: a.children.difference(&b.children),
        })
    }

    /// Members of this set that neither are members of `other` nor lie below one: taking `.spec` away
    /// takes `.spec.replicas` too.
    #[must_use]
    pub fn recursive_difference(&self, other: &Self) -> Self {
        self.minus(other, |a, b| Node {
            element: a.element.clone(),
            member: a.member && !b.member,
            children: if b.member { Self::new() } else { a.children.recursive_difference(&b.children) },
        })
    }

    fn minus(&self, other: &Self, both: impl Fn(&Node, &Node) -> Node) -> Self {
        if self.is_empty() || other.is_empty() {
            return self.clone();
        }
        if self.shares(other) {
            return Self::new();
        }
        let left = Merged::new(self.nodes(), other.nodes()).filter_map(|pair| match pair {
            (Some(a), Some(b)) => Some(both(a, b)),
            (Some(a), None) => Some(a.clone()),
            _ => None,
        });
        Self::from_nodes(left.filter(Node::leads_somewhere).collect())
    }

    /// Members that have no members below them.
    #[must_use]
    pub fn leaves(&self) -> Self {
        let leaves = self.nodes().iter().map(|node| Node {
            element: node.element.clone(),
            member: node.member && node.children.is_empty(),
            children: node.children.leaves(),
        });
        Self::from_nodes(leaves.collect())
    }

    /// The members, in the order in which the server reports them: those of a level before those below it.
    #[must_use]
    pub fn paths(&self) -> Vec<FieldPath> {
        let mut out = Vec::new();
        self.collect_paths(&mut Vec::new(), &mut out);
        out
    }

    fn collect_paths(&self, prefix: &mut Vec<PathElement>, out: &mut Vec<FieldPath>) {
        for node in self.nodes().iter().filter(|node| node.member) {
            let path = prefix.iter().chain([&node.element]).cloned();
            out.push(path.collect());
        }
        for node in self.nodes().iter().filter(|node| !node.children.is_empty()) {
            prefix.push(node.element.clone());
            node.children.collect_paths(prefix, out);
            prefix.pop();
        }
    }

    pub(crate) fn nodes(&self) -> &[Node] {
        self.nodes.as_ref().map_or(&[], |nodes| nodes.as_slice())
    }

    pub(crate) fn node(&self, element: &PathElement) -> Option<&Node> {
        let nodes = self.nodes();
        nodes.binary_search_by(|node| node.element.cmp(element)).ok().map(|idx| &nodes[idx])
    }

    pub(crate) fn field(&self, name: &str) -> Option<&Node> {
        let nodes = self.nodes();
        let by_name = |node: &Node| match &node.element {
            PathElement::Field(have) => have.as_str().cmp(name),
            _ => Ordering::Greater,
        };
        nodes.binary_search_by(by_name).ok().map(|idx| &nodes[idx])
    }

    /// Takes nodes that are sorted, distinct, and each lead to a member.
    pub(crate) fn from_nodes(nodes: Vec<Node>) -> Self {
        debug_assert!(nodes.is_sorted_by(|a, b| a.element < b.element), "nodes are sorted and distinct");
        Self { nodes: (!nodes.is_empty()).then(|| Arc::new(nodes)) }
    }

    fn shares(&self, other: &Self) -> bool {
        matches!((&self.nodes, &other.nodes), (Some(a), Some(b)) if Arc::ptr_eq(a, b))
    }
}

impl Node {
    fn leads_somewhere(&self) -> bool {
        self.member || !self.children.is_empty()
    }
}

impl PartialEq for FieldSet {
    fn eq(&self, other: &Self) -> bool {
        self.shares(other) || self.nodes() == other.nodes()
    }
}

impl Eq for FieldSet {}

impl<P: AsRef<[PathElement]>> FromIterator<P> for FieldSet {
    fn from_iter<I: IntoIterator<Item = P>>(paths: I) -> Self {
        let mut set = Self::new();
        for path in paths {
            set.insert(path.as_ref());
        }
        set
    }
}

impl AsRef<[PathElement]> for FieldPath {
    fn as_ref(&self) -> &[PathElement] {
        &self.0
    }
}

/// Prints one path a line.
impl fmt::Display for FieldSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (idx, path) in self.paths().iter().enumerate() {
            let line_end = if idx == 0 { "" } else { "\n" };
            write!(f, "{line_end}{path}")?;
        }
        Ok(())
    }
}

/// Prints fieldsV1.
impl fmt::Debug for FieldSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.to_json())
    }
}

/// Walks two sorted lists of nodes side by side.
struct Merged<'a> {
    a: &'a [Node],
    b: &'a [Node],
}

impl<'a> Merged<'a> {
    fn new(a: &'a [Node], b: &'a [Node]) -> Self {
        Self { a, b }
    }
}

impl<'a> Iterator for Merged<'a> {
    type Item = (Option<&'a Node>, Option<&'a Node>);

    fn next(&mut self) -> Option<Self::Item> {
        let order = match (self.a.first(), self.b.first()) {
            (None, None) => return None,
            (Some(_), None) => Ordering::Less,
            (None, Some(_)) => Ordering::Greater,
            (Some(a), Some(b)) => a.element.cmp(&b.element),
        };
        let mut a = None;
        let mut b = None;
        if order.is_le() {
            a = self.a.split_first().map(|(first, rest)| (self.a = rest, first).1);
        }
        if order.is_ge() {
            b = self.b.split_first().map(|(first, rest)| (self.b = rest, first).1);
        }
        Some((a, b))
    }
}

/// Builds one level of a set from nodes that mostly come sorted already.
#[derive(Default)]
pub(crate) struct SetBuilder {
    nodes: Vec<Node>,
}

impl SetBuilder {
    pub(crate) fn with_capacity(n_nodes: usize) -> Self {
        Self { nodes: Vec::with_capacity(n_nodes) }
    }

    /// Adds an element; of equal elements the members and children are united.
    pub(crate) fn add(&mut self, element: PathElement, member: bool, children: FieldSet) {
        if !member && children.is_empty() {
            return;
        }
        let idx = match self.nodes.last() {
            Some(last) if last.element >= element => {
                self.nodes.binary_search_by(|node| node.element.cmp(&element))
            }
            _ => Err(self.nodes.len()),
        };
        match idx {
            Err(idx) => self.nodes.insert(idx, Node { element, member, children }),
            Ok(idx) => {
                let node = &mut self.nodes[idx];
                node.member |= member;
                node.children = node.children.union(&children);
            }
        }
    }

    pub(crate) fn build(self) -> FieldSet {
        FieldSet::from_nodes(self.nodes)
    }
}
