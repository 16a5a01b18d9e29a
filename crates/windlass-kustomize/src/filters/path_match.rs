//! Paths that lead to several places, as kyaml's `PathMatcher` follows them: `*`, patterns in `[name=…]`, and
//! through texts that are YAML or JSON themselves.

use windlass_go::re2::Regex;
use windlass_yaml::{Limits, NodeKind, YamlStyle};

use super::path;
use crate::error::{Error, Result};
use crate::node::{Kind, Node, Scalar};

/// A tree that paths lead through.
pub(super) trait PathTree: Sized {
    /// What it is.
    fn kind(&self) -> Kind;
    /// Whether it is null.
    fn is_null(&self) -> bool;
    /// A scalar's text.
    fn text(&self) -> &str;
    /// How many items or members there are.
    fn len(&self) -> usize;
    /// An item, or the value of a member.
    fn child(&mut self, idx: usize) -> &mut Self;
    /// Where the first member with a name is.
    fn member(&self, name: &str) -> Option<usize>;
    /// Adds a member with an empty node of a kind.
    fn push_member(&mut self, name: &str, kind: Kind);
    /// Adds an empty item of a kind.
    fn push_item(&mut self, kind: Kind);
    /// Adds an item that says a value, in a field unless the name is empty.
    fn push_match(&mut self, name: &str, value: &str);
    /// The node as YAML.
    fn printed(&self) -> String;
}

/// Where a path leads.
#[derive(Debug, Default)]
pub(super) struct Matches {
    /// The way to each node: which child, and so on.
    pub(super) places: Vec<Vec<usize>>,
    /// How many nodes are in copies that nobody sees, such as texts that were read as YAML.
    pub(super) unseen: usize,
}

/// Follows a path; with a kind, what is missing is made, the last of it of that kind.
///
/// # Errors
/// A step into a node of another kind; an index beyond a list; what is no pattern.
pub(super) fn find<T: PathTree>(root: &mut T, path: &[String], create: Option<Kind>) -> Result<Matches> {
    let mut matches = Matches::default();
    Finder { create, matches: &mut matches, way: Vec::new() }.node(root, path)?;
    Ok(matches)
}

struct Finder<'a> {
    create: Option<Kind>,
    matches: &'a mut Matches,
    way: Vec<usize>,
}

fn expect<T: PathTree>(node: &T, expected: Kind) -> Result<()> {
    if node.is_null() || node.kind() == expected {
        return Ok(());
    }
    let (expected, found) = (expected.name(), node.kind().name());
    let words =
        format!("wrong node kind: expected {expected} but got {found}: node contents:\n{}", node.printed());
    Err(Error::invalid(words))
}

impl Finder<'_> {
    fn node<T: PathTree>(&mut self, node: &mut T, path: &[String]) -> Result<()> {
        let Some((part, rest)) = path.split_first() else {
            self.matches.places.push(self.way.clone());
            return Ok(());
        };
        if path::is_index_number(part) {
            return self.index(node, part, rest);
        }
        if path::is_list_index(part) {
            return self.pattern(node, part, rest);
        }
        if part == "*" {
            expect(node, Kind::Sequence)?;
            return (0..items(node)).try_for_each(|idx| self.child(node, idx, rest));
        }
        self.field(node, part, rest)
    }

    fn child<T: PathTree>(&mut self, node: &mut T, idx: usize, rest: &[String]) -> Result<()> {
        self.way.push(idx);
        let walked = self.node(node.child(idx), rest);
        self.way.pop();
        walked
    }

    /// What kyaml makes below a null is never seen.
    fn unseen(&mut self) -> Result<()> {
        self.matches.unseen += 1;
        Ok(())
    }

    fn index<T: PathTree>(&mut self, node: &mut T, part: &str, rest: &[String]) -> Result<()> {
        let idx = path::atoi(part).and_then(|number| usize::try_from(number).ok()).unwrap_or(usize::MAX);
        expect(node, Kind::Sequence)?;
        let count = items(node);
        match self.create {
            Some(_) if count == idx && node.is_null() => return self.unseen(),
            Some(kind) if count == idx => {
                node.push_item(path::kind_before(rest.first().map(String::as_str), kind));
            }
            _ if idx >= count => {
                let words = format!("index {idx} specified but only {count} elements found");
                return Err(Error::invalid(words));
            }
            _ => {}
        }
        self.child(node, idx, rest)
    }

    fn field<T: PathTree>(&mut self, node: &mut T, name: &str, rest: &[String]) -> Result<()> {
        expect(node, Kind::Mapping)?;
        let found = if node.is_null() { None } else { node.member(name) };
        let idx = match (found, self.create) {
            (Some(idx), _) => idx,
            (None, None) => return Ok(()),
            (None, Some(_)) if node.is_null() => return self.unseen(),
            (None, Some(kind)) => {
                node.push_member(name, path::kind_before(rest.first().map(String::as_str), kind));
                node.len() - 1
            }
        };
        let field = node.child(idx);
        if field.kind() == Kind::Scalar && !rest.is_empty() {
            // A copy is made and changed, and nobody looks at it.
            let mut document = parse(field.text())?;
            let within = find(&mut document, rest, self.create)?;
            self.matches.unseen += within.places.len() + within.unseen;
            return Ok(());
        }
        self.child(node, idx, rest)
    }

    fn pattern<T: PathTree>(&mut self, node: &mut T, part: &str, rest: &[String]) -> Result<()> {
        let (name, pattern) = path::split_index(part)?;
        expect(node, Kind::Sequence)?;
        let count = self.matches.places.len() + self.matches.unseen;
        if items(node) > 0 {
            let regex = Regex::parse(pattern).map_err(|error| Error::invalid(error.to_string()))?;
            self.matching(node, name, &regex, rest, 0)?;
        }
        if self.create.is_none() || self.matches.places.len() + self.matches.unseen > count {
            return Ok(());
        }
        if node.is_null() {
            return self.unseen();
        }
        let regex = Regex::parse(pattern).map_err(|error| Error::invalid(error.to_string()))?;
        let from = items(node);
        node.push_match(name, pattern);
        self.matching(node, name, &regex, rest, from)?;
        if self.matches.places.len() + self.matches.unseen > count {
            return Ok(());
        }
        // kyaml would add one item after the other for ever.
        Err(Error::invalid(format!(
            "failed to create element for {part:?}: it does not match its own pattern"
        )))
    }

    fn matching<T: PathTree>(
        &mut self,
        node: &mut T,
        name: &str,
        regex: &Regex,
        rest: &[String],
        from: usize,
    ) -> Result<()> {
        for idx in from..items(node) {
            let item = node.child(idx);
            if name.is_empty() {
                if regex.is_match(item.printed().trim()) {
                    // What follows `[=value]` is not looked at.
                    self.way.push(idx);
                    self.matches.places.push(self.way.clone());
                    self.way.pop();
                }
                continue;
            }
            if item.kind() != Kind::Mapping {
                continue;
            }
            let Some(field) = item.member(name) else { continue };
            if regex.is_match(item.child(field).printed().trim()) {
                self.child(node, idx, rest)?;
            }
        }
        Ok(())
    }
}

fn items<T: PathTree>(node: &T) -> usize {
    if node.is_null() { 0 } else { node.len() }
}

/// The first document of a text, as YAML.
///
/// # Errors
/// A text that is none, or nothing at all.
pub(super) fn parse(text: &str) -> Result<windlass_yaml::Node> {
    let documents = windlass_yaml::parse_nodes(text, &Limits::default())
        .map_err(|error| Error::invalid(error.to_string()))?;
    let first = documents.into_iter().next().map(|document| document.root);
    first.ok_or_else(|| {
        Error::invalid("wrong node kind: expected MappingNode but got : node contents:\nnull\n")
    })
}

/// The node that a way leads to.
pub(super) fn at<'a, T: PathTree>(root: &'a mut T, way: &[usize]) -> &'a mut T {
    way.iter().fold(root, |node, idx| node.child(*idx))
}

impl PathTree for Node {
    fn kind(&self) -> Kind {
        Self::kind(self)
    }

    fn is_null(&self) -> bool {
        Self::is_null(self)
    }

    fn text(&self) -> &str {
        Self::text(self)
    }

    fn len(&self) -> usize {
        self.items().len() + self.members().len()
    }

    fn child(&mut self, idx: usize) -> &mut Self {
        match self {
            Self::Sequence(items) => &mut items[idx],
            Self::Mapping(members) => &mut members[idx].1,
            Self::Scalar(_) => unreachable!("a scalar has no children"),
        }
    }

    fn member(&self, name: &str) -> Option<usize> {
        self.members().iter().position(|(key, _)| key.value == name)
    }

    fn push_member(&mut self, name: &str, kind: Kind) {
        if let Self::Mapping(members) = self {
            members.push((Scalar::untagged(name), Self::empty(kind)));
        }
    }

    fn push_item(&mut self, kind: Kind) {
        if let Self::Sequence(items) = self {
            items.push(Self::empty(kind));
        }
    }

    fn push_match(&mut self, name: &str, value: &str) {
        let value = Self::untagged(value);
        if let Self::Sequence(items) = self {
            items.push(match name {
                "" => value,
                name => Self::Mapping(vec![(Scalar::untagged(name), value)]),
            });
        }
    }

    fn printed(&self) -> String {
        super::print::to_text(self)
    }
}

impl PathTree for windlass_yaml::Node {
    fn kind(&self) -> Kind {
        match self.kind {
            NodeKind::Sequence => Kind::Sequence,
            NodeKind::Mapping => Kind::Mapping,
            NodeKind::Scalar | NodeKind::Alias => Kind::Scalar,
        }
    }

    fn is_null(&self) -> bool {
        self.tag == "!!null"
    }

    fn text(&self) -> &str {
        &self.value
    }

    fn len(&self) -> usize {
        if self.kind == NodeKind::Mapping { self.content.len() / 2 } else { self.content.len() }
    }

    fn child(&mut self, idx: usize) -> &mut Self {
        let idx = if self.kind == NodeKind::Mapping { 2 * idx + 1 } else { idx };
        &mut self.content[idx]
    }

    fn member(&self, name: &str) -> Option<usize> {
        self.members().position(|(key, _)| key.value == name)
    }

    fn push_member(&mut self, name: &str, kind: Kind) {
        self.content.extend([super::print::untagged(name), empty(kind)]);
    }

    fn push_item(&mut self, kind: Kind) {
        self.content.push(empty(kind));
    }

    fn push_match(&mut self, name: &str, value: &str) {
        let value = super::print::untagged(value);
        self.content.push(match name {
            "" => value,
            name => Self::collection(NodeKind::Mapping, vec![super::print::untagged(name), value]),
        });
    }

    fn printed(&self) -> String {
        windlass_yaml::nodes_to_yaml(&[super::print::document(self.clone())], &YamlStyle::KYAML)
    }
}

fn empty(kind: Kind) -> windlass_yaml::Node {
    match kind {
        Kind::Scalar => super::print::untagged(""),
        Kind::Sequence => windlass_yaml::Node::collection(NodeKind::Sequence, Vec::new()),
        Kind::Mapping => windlass_yaml::Node::collection(NodeKind::Mapping, Vec::new()),
    }
}
