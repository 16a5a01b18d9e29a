//! YAML as a tree that remembers how it was written: comments, styles, anchors, tags, places.
//!
//! It is the tree of yaml.v3's `Node`, with byte spans. [`crate::nodes_to_yaml`] prints it again as Go's
//! encoder does; to change a scalar and leave every other byte alone, see [`crate::edit`].

use std::ops::Range;

use crate::error::{YamlError, YamlErrorKind};
use crate::limits::Limits;
use crate::parser::{Comments, Event, EventKind, Parser};
use crate::resolve::{Dialect, resolve};
use crate::scanner::{Mark, ScalarStyle};

/// What a node is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NodeKind {
    /// A list; its items are the content.
    Sequence,
    /// A map; keys and values take turns in the content.
    Mapping,
    /// A scalar; its text is the value.
    Scalar,
    /// `*name`; the name is the value.
    Alias,
}

/// How a node was written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum NodeStyle {
    /// A plain scalar, or a collection by indentation.
    #[default]
    Plain,
    /// `'…'`
    SingleQuoted,
    /// `"…"`
    DoubleQuoted,
    /// `|`
    Literal,
    /// `>`
    Folded,
    /// `[…]` or `{…}`
    Flow,
}

/// A node of a document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Node {
    /// What it is.
    pub kind: NodeKind,
    /// How it was written.
    pub style: NodeStyle,
    /// The short tag, such as `!!str`; resolved by yaml.v3's rules where none was written. Empty for an alias.
    pub tag: String,
    /// Whether the tag was written.
    pub tagged: bool,
    /// A scalar's text or an alias's name.
    pub value: String,
    /// The anchor's name; empty without one.
    pub anchor: String,
    /// A collection's nodes.
    pub content: Vec<Node>,
    /// The comment above the node.
    pub head_comment: String,
    /// The comment behind the node.
    pub line_comment: String,
    /// The comment below the node.
    pub foot_comment: String,
    /// The line, counted from 1; 0 for a node that was not read.
    pub line: usize,
    /// The column in characters, counted from 1.
    pub column: usize,
    /// Whether it stands inside `[…]` or `{…}`.
    pub in_flow: bool,
    /// The bytes of a scalar or alias without its properties, or of a collection from its first token to its
    /// last.
    pub span: Range<usize>,
}

/// A document: its root and the comments outside.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DocumentNode {
    /// The document's one node.
    pub root: Node,
    /// The comment above the document, set off by an empty line.
    pub head_comment: String,
    /// The comment below the document.
    pub foot_comment: String,
    /// The line, counted from 1, on which the document begins.
    pub line: usize,
}

impl Node {
    /// A string scalar; printing quotes it where needed.
    #[must_use]
    pub fn string(value: impl Into<String>) -> Self {
        Self { tag: "!!str".to_owned(), ..Self::scalar(value) }
    }

    /// A plain scalar that means what its text resolves to.
    #[must_use]
    pub fn scalar(value: impl Into<String>) -> Self {
        let value = value.into();
        let tag = resolve(&value, Dialect::V3, true).tag().to_owned();
        Self { tag, value, ..Self::collection(NodeKind::Scalar, Vec::new()) }
    }

    /// A list of `content`, or a map of keys and values in turns.
    #[must_use]
    pub fn collection(kind: NodeKind, content: Vec<Self>) -> Self {
        let tag = if kind == NodeKind::Mapping { "!!map" } else { "!!seq" };
        Self {
            kind,
            style: NodeStyle::Plain,
            tag: tag.to_owned(),
            tagged: false,
            value: String::new(),
            anchor: String::new(),
            content,
            head_comment: String::new(),
            line_comment: String::new(),
            foot_comment: String::new(),
            line: 0,
            column: 0,
            in_flow: false,
            span: 0..0,
        }
    }

    /// The keys and values of a map; nothing for any other node.
    pub fn members(&self) -> impl Iterator<Item = (&Self, &Self)> {
        let content = if self.kind == NodeKind::Mapping { &self.content[..] } else { &[] };
        content.as_chunks::<2>().0.iter().map(|[key, value]| (key, value))
    }

    /// The value of the key `name` in a map.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Self> {
        self.members()
            .find(|(key, _)| key.kind == NodeKind::Scalar && key.value == name)
            .map(|(_, value)| value)
    }

    /// The value of the key `name` in a map, to be changed.
    pub fn get_mut(&mut self, name: &str) -> Option<&mut Self> {
        if self.kind != NodeKind::Mapping {
            return None;
        }
        let is_key = |key: &Self| key.kind == NodeKind::Scalar && key.value == name;
        let idx = self.content.iter().step_by(2).position(is_key)?;
        self.content.get_mut(2 * idx + 1)
    }

    /// Calls `visit` for this node and all below it, parents first.
    pub fn walk<'a>(&'a self, visit: &mut dyn FnMut(&'a Self)) {
        let mut open = vec![self];
        while let Some(node) = open.pop() {
            visit(node);
            open.extend(node.content.iter().rev());
        }
    }
}

/// A collection whose end was not reached yet.
struct Open {
    node: Node,
    /// Whether the next node is a mapping's value.
    in_value: bool,
}

/// Reads all documents of `text` with their comments, as yaml.v3 reads nodes.
///
/// # Errors
/// Text that is not YAML, unknown anchors, values nested too deep. Types and duplicate keys are not looked at.
pub fn parse_nodes(text: &str, limits: &Limits) -> Result<Vec<DocumentNode>, YamlError> {
    crate::text::check(text, limits)?;
    let mut parser = Parser::new(text, true, true);
    let mut documents = Vec::new();
    let mut anchors = std::collections::HashSet::new();
    let mut head = (String::new(), 0);
    let mut stack: Vec<Open> = Vec::new();
    let mut root: Option<Node> = None;
    loop {
        let event = parser.next().map_err(|error| error.into_error(true))?;
        let (start, end) = (event.start, event.end);
        match &event.kind {
            EventKind::StreamEnd => return Ok(documents),
            EventKind::StreamStart => {}
            EventKind::DocumentStart => {
                let comments = event.comments.as_deref().cloned().unwrap_or_default();
                head = (comments.head, start.line as usize + 1);
            }
            EventKind::DocumentEnd => {
                let foot_comment = event.comments.map(|comments| comments.foot).unwrap_or_default();
                let root = root.take().expect("a document has a node");
                let (head_comment, line) = std::mem::take(&mut head);
                documents.push(DocumentNode { root, head_comment, foot_comment, line });
            }
            EventKind::SequenceStart { properties, .. } | EventKind::MappingStart { properties, .. } => {
                if stack.len() >= limits.depth {
                    let problem = format!("values nest deeper than the limit depth of {}", limits.depth);
                    return Err(YamlError::new(YamlErrorKind::Limit, problem, start.position()));
                }
                anchors.extend(properties.anchor);
                let in_flow = is_in_flow(&stack);
                stack.push(Open { node: Node { in_flow, ..node_of(event) }, in_value: false });
            }
            EventKind::SequenceEnd | EventKind::MappingEnd => {
                let mut node = stack.pop().expect("every end has its start").node;
                let comments = event.comments.map(|comments| *comments).unwrap_or_default();
                close(&mut node, comments, end);
                give(&mut stack, &mut root, node);
            }
            EventKind::Alias(name) => {
                if !anchors.contains(name) {
                    let problem = format!("unknown anchor '{name}' referenced");
                    return Err(YamlError::new(YamlErrorKind::Anchor, problem, start.position()));
                }
                let in_flow = is_in_flow(&stack);
                give(&mut stack, &mut root, Node { in_flow, ..node_of(event) });
            }
            EventKind::Scalar { properties, .. } => {
                anchors.extend(properties.anchor);
                let in_flow = is_in_flow(&stack);
                give(&mut stack, &mut root, Node { in_flow, ..node_of(event) });
            }
        }
    }
}

fn is_in_flow(stack: &[Open]) -> bool {
    stack.last().is_some_and(|open| open.node.in_flow || open.node.style == NodeStyle::Flow)
}

fn short_tag(tag: &str) -> String {
    match tag.strip_prefix("tag:yaml.org,2002:") {
        Some(name) => format!("!!{name}"),
        None => tag.to_owned(),
    }
}

fn node_of(event: Event<'_>) -> Node {
    let comments = event.comments.map(|comments| *comments).unwrap_or_default();
    let mut node = Node {
        head_comment: comments.head,
        line_comment: comments.line,
        foot_comment: comments.foot,
        line: event.start.line as usize + 1,
        column: event.start.column as usize + 1,
        span: event.start.offset as usize..event.end.offset as usize,
        ..Node::collection(NodeKind::Scalar, Vec::new())
    };
    let properties = match event.kind {
        EventKind::Alias(name) => {
            node.kind = NodeKind::Alias;
            node.tag.clear();
            node.value = name.to_owned();
            return node;
        }
        EventKind::SequenceStart { properties, flow } => {
            node.kind = NodeKind::Sequence;
            node.style = if flow { NodeStyle::Flow } else { NodeStyle::Plain };
            properties
        }
        EventKind::MappingStart { properties, flow } => {
            node.kind = NodeKind::Mapping;
            node.tag = "!!map".to_owned();
            node.style = if flow { NodeStyle::Flow } else { NodeStyle::Plain };
            properties
        }
        EventKind::Scalar { properties, value, style, content } => {
            node.style = match style {
                ScalarStyle::Plain => NodeStyle::Plain,
                ScalarStyle::SingleQuoted => NodeStyle::SingleQuoted,
                ScalarStyle::DoubleQuoted => NodeStyle::DoubleQuoted,
                ScalarStyle::Literal => NodeStyle::Literal,
                ScalarStyle::Folded => NodeStyle::Folded,
            };
            node.span.start = content.offset as usize;
            node.tag = match style {
                ScalarStyle::Plain if value == "<<" => "!!merge",
                ScalarStyle::Plain => resolve(&value, Dialect::V3, true).tag(),
                _ => "!!str",
            }
            .to_owned();
            node.value = value.into_owned();
            properties
        }
        _ => return node,
    };
    node.anchor = properties.anchor.unwrap_or_default().to_owned();
    if let Some(tag) = properties.tag.filter(|tag| tag != "!") {
        node.tag = short_tag(&tag);
        node.tagged = true;
    }
    node
}

/// Ends a collection: feet that belong to a block mapping's last value move to its key.
fn close(node: &mut Node, comments: Comments, end: Mark) {
    node.line_comment = comments.line;
    node.foot_comment = comments.foot;
    node.span.end = end.offset as usize;
    if node.kind == NodeKind::Sequence || node.style == NodeStyle::Flow {
        return;
    }
    let count = node.content.len();
    if !node.foot_comment.is_empty() && count > 1 {
        node.content[count - 2].foot_comment = std::mem::take(&mut node.foot_comment);
    }
}

/// Hands a complete node to the collection it stands in.
fn give(stack: &mut [Open], root: &mut Option<Node>, mut node: Node) {
    let Some(Open { node: parent, in_value }) = stack.last_mut() else {
        *root = Some(node);
        return;
    };
    if parent.kind == NodeKind::Mapping {
        let count = parent.content.len();
        if *in_value {
            let key = &mut parent.content[count - 1];
            if key.foot_comment.is_empty() {
                key.foot_comment = std::mem::take(&mut node.foot_comment);
            }
        } else if parent.style != NodeStyle::Flow && count > 1 && !node.foot_comment.is_empty() {
            // The foot of a key must be the foot of the value before it.
            parent.content[count - 2].foot_comment = std::mem::take(&mut node.foot_comment);
        }
        *in_value = !*in_value;
    }
    parent.content.push(node);
}
