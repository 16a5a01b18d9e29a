//! Nodes with their comments to YAML, as yaml.v3's encoder prints them.

use super::analysis::analyze;
use super::scalar::Implicit;
use super::value::MAX_SIMPLE_KEY;
use super::writer::{Place, Writer};
use super::{YamlStyle, analysis};
use crate::node::{DocumentNode, Node, NodeKind, NodeStyle};
use crate::resolve::{Dialect, Resolved, resolve};
use crate::scanner::ScalarStyle;

/// Prints documents, with `---` between them.
///
/// The style's dialect must be [`Dialect::V3`]; yaml.v2 knows no comments. The recursion is as deep as the
/// nodes.
#[must_use]
pub fn nodes_to_yaml(documents: &[DocumentNode], style: &YamlStyle) -> String {
    let mut writer = NodeWriter {
        pen: Writer::new(YamlStyle { dialect: Dialect::V3, ..*style }),
        head: String::new(),
        line: String::new(),
        foot: String::new(),
        tail: String::new(),
        key_line: String::new(),
    };
    for (idx, document) in documents.iter().enumerate() {
        writer.document(document, idx == 0);
    }
    writer.pen.out
}

impl Writer {
    /// Writes a comment that stands behind something on the same line, and ends the line.
    pub(super) fn write_line_comment(&mut self, comment: &mut String) {
        if comment.is_empty() {
            return;
        }
        if !self.whitespace {
            self.put(' ');
        }
        self.write_comment(comment);
        comment.clear();
    }

    fn write_comment(&mut self, comment: &str) {
        let mut breaks = false;
        let mut pound = false;
        for character in comment.chars() {
            if analysis::is_break(character) {
                self.put_text_break(character);
                breaks = true;
                pound = false;
                continue;
            }
            if breaks {
                self.write_indent();
            }
            if !pound && character != '#' {
                self.put_str("# ");
            }
            pound = true;
            self.put(character);
            self.indention = false;
            breaks = false;
        }
        if !breaks {
            self.put_break();
        }
        self.whitespace = true;
    }
}

/// A writer with the comments that are due: a comment stays due until a place comes where it can stand.
struct NodeWriter {
    pen: Writer,
    head: String,
    line: String,
    foot: String,
    /// The foot of the key before this one.
    tail: String,
    /// A line comment found on a key.
    key_line: String,
}

/// What the encoder decides about a scalar before the emitter sees it.
struct Scalar {
    tag: String,
    style: ScalarStyle,
}

fn due(comment: &mut String, from: &str) {
    if !from.is_empty() {
        from.clone_into(comment);
    }
}

impl NodeWriter {
    fn document(&mut self, document: &DocumentNode, first: bool) {
        due(&mut self.head, &document.head_comment);
        if !first {
            self.pen.write_indent();
            self.pen.write_indicator("---", true, false, false);
            self.pen.write_indent();
        }
        if !self.head.is_empty() {
            self.write_head();
            self.pen.put_break();
        }
        self.load(&document.root, "");
        self.write_head();
        self.node(&document.root, Place::default(), |_| {});
        due(&mut self.foot, &document.foot_comment);
        self.pen.foot_indent = 0;
        self.write_foot();
        self.pen.foot_indent = -1;
        self.pen.write_indent();
    }

    /// Makes the comments of a node's first event due. A collection's line and foot belong to its end.
    fn load(&mut self, node: &Node, tail: &str) {
        due(&mut self.tail, tail);
        due(&mut self.head, &node.head_comment);
        if matches!(node.kind, NodeKind::Scalar | NodeKind::Alias) {
            due(&mut self.line, &node.line_comment);
            due(&mut self.foot, &node.foot_comment);
        }
    }

    fn load_end(&mut self, node: &Node, tail: &str) {
        due(&mut self.tail, tail);
        due(&mut self.line, &node.line_comment);
        due(&mut self.foot, &node.foot_comment);
    }

    fn write_head(&mut self) {
        if !self.tail.is_empty() {
            self.pen.write_indent();
            self.pen.write_comment(&self.tail);
            self.tail.clear();
            self.pen.foot_indent = self.pen.indent.max(0);
        }
        if !self.head.is_empty() {
            self.pen.write_indent();
            self.pen.write_comment(&self.head);
            self.head.clear();
        }
    }

    fn write_line(&mut self) {
        self.pen.write_line_comment(&mut self.line);
    }

    fn write_foot(&mut self) {
        if !self.foot.is_empty() {
            self.pen.write_indent();
            self.pen.write_comment(&self.foot);
            self.foot.clear();
            self.pen.foot_indent = self.pen.indent.max(0);
        }
    }

    fn has_trailing_comment(&self) -> bool {
        !(self.line.is_empty() && self.foot.is_empty() && self.tail.is_empty())
    }

    /// Writes a node whose comments are due. `after_start` runs when its first event is written: for a scalar
    /// at its end, for a collection before its content.
    fn node(&mut self, node: &Node, place: Place, after_start: impl FnOnce(&mut Self)) {
        match node.kind {
            NodeKind::Alias => {
                self.write_anchor("*", &node.value);
                after_start(self);
                self.after_start(place);
            }
            NodeKind::Scalar => {
                self.scalar(node, place);
                after_start(self);
                self.after_start(place);
            }
            NodeKind::Sequence | NodeKind::Mapping => {
                self.write_anchor("&", &node.anchor);
                self.write_tag(&collection_tag(node));
                after_start(self);
                self.after_start(place);
                let flow =
                    self.pen.flow_level > 0 || node.style == NodeStyle::Flow || node.content.is_empty();
                match (node.kind, flow) {
                    (NodeKind::Sequence, true) => self.flow_sequence(node, place),
                    (NodeKind::Sequence, false) => self.block_sequence(node, place),
                    (_, true) => self.flow_mapping(node, place),
                    (_, false) => self.block_mapping(node, place),
                }
            }
        }
    }

    /// What follows every node's first event but a key's.
    fn after_start(&mut self, place: Place) {
        if !place.simple_key {
            self.write_line();
            self.write_foot();
        }
    }

    fn write_anchor(&mut self, sign: &str, name: &str) {
        if name.is_empty() {
            return;
        }
        self.pen.write_indicator(sign, true, false, false);
        self.pen.put_str(name);
        self.pen.whitespace = false;
        self.pen.indention = false;
    }

    /// Writes a long tag.
    fn write_tag(&mut self, tag: &str) {
        if tag.is_empty() {
            return;
        }
        let (handle, suffix) = split_tag(tag);
        if handle.is_empty() {
            self.pen.write_indicator("!<", true, false, false);
            self.write_tag_content(suffix);
            self.pen.write_indicator(">", false, false, false);
        } else {
            if !self.pen.whitespace {
                self.pen.put(' ');
            }
            self.pen.put_str(handle);
            self.write_tag_content(suffix);
        }
        self.pen.whitespace = false;
        self.pen.indention = false;
    }

    fn write_tag_content(&mut self, text: &str) {
        for byte in text.bytes() {
            if byte.is_ascii_alphanumeric() || b";/?:@&=+$,_.~*'()[]-".contains(&byte) {
                self.pen.put(char::from(byte));
            } else {
                self.pen.put_str(&format!("%{byte:02X}"));
            }
        }
    }

    fn scalar(&mut self, node: &Node, place: Place) {
        let Scalar { tag, style } = scalar_of(node);
        let analysis = analyze(&node.value, false);
        let implicit = Implicit { no_tag: tag.is_empty(), plain: tag.is_empty(), quoted: tag.is_empty() };
        let style = self.pen.select_style(&node.value, style, analysis, place, implicit);
        self.write_anchor("&", &node.anchor);
        self.write_tag(&tag);
        self.pen.write_scalar(&node.value, style, place, &mut self.line);
    }

    fn is_simple_key(&self, node: &Node) -> bool {
        let text = match node.kind {
            NodeKind::Alias => return node.value.len() <= MAX_SIMPLE_KEY,
            NodeKind::Scalar if node.value.contains(analysis::is_break) => return false,
            NodeKind::Scalar => node.value.len() + tag_length(&scalar_of(node).tag),
            _ if !node.content.is_empty() => return false,
            _ => tag_length(&collection_tag(node)),
        };
        node.anchor.len() + text <= MAX_SIMPLE_KEY
    }

    fn block_sequence(&mut self, node: &Node, place: Place) {
        self.pen.open_sequence(place);
        for item in &node.content {
            self.load(item, "");
            self.write_head();
            self.pen.write_indent();
            self.pen.write_indicator("-", true, false, true);
            self.node(item, Place { block_item: true, ..Place::default() }, |_| {});
        }
        self.load_end(node, "");
        self.pen.decrease_indent();
    }

    fn block_mapping(&mut self, node: &Node, place: Place) {
        self.pen.increase_indent(false, false, place, false);
        let mut tail = "";
        for (key, value) in node.members() {
            self.load_key(key, tail);
            tail = &key.foot_comment;
            self.write_head();
            self.pen.write_indent();
            self.key_line.clear();
            if !self.line.is_empty() {
                self.key_line = std::mem::take(&mut self.line);
            }
            let simple = self.is_simple_key(key);
            if simple {
                self.key(key, true);
                self.load(value, "");
                self.pen.write_indicator(":", false, false, false);
            } else {
                self.pen.write_indicator("?", true, false, true);
                self.key(key, false);
                self.load(value, "");
                self.pen.write_indent();
                self.pen.write_indicator(":", true, false, true);
            }
            if !self.key_line.is_empty() {
                self.write_key_line(value);
            }
            self.node(value, Place { mapping: true, ..Place::default() }, |_| {});
        }
        self.load_end(node, tail);
        self.write_head();
        self.pen.decrease_indent();
    }

    /// A key without its foot, which stands below the value.
    fn load_key(&mut self, key: &Node, tail: &str) {
        due(&mut self.tail, tail);
        due(&mut self.head, &key.head_comment);
        if matches!(key.kind, NodeKind::Scalar | NodeKind::Alias) {
            due(&mut self.line, &key.line_comment);
        }
    }

    fn key(&mut self, key: &Node, simple: bool) {
        // No comment is written between a key and its colon, whichever form the key has.
        match key.kind {
            NodeKind::Scalar => {
                self.scalar(key, Place { mapping: true, simple_key: simple, block_item: false });
            }
            NodeKind::Alias => self.write_anchor("*", &key.value),
            _ => self.node(key, Place { mapping: true, simple_key: true, block_item: false }, |_| {}),
        }
    }

    fn write_key_line(&mut self, value: &Node) {
        match value.kind {
            NodeKind::Scalar if self.line.is_empty() => self.line = std::mem::take(&mut self.key_line),
            NodeKind::Sequence | NodeKind::Mapping if value.style != NodeStyle::Flow => {
                std::mem::swap(&mut self.line, &mut self.key_line);
                self.write_line();
                std::mem::swap(&mut self.line, &mut self.key_line);
            }
            _ => {}
        }
    }

    fn flow_sequence(&mut self, node: &Node, place: Place) {
        self.pen.write_indicator("[", true, true, false);
        self.pen.increase_indent(true, false, place, false);
        self.pen.flow_level += 1;
        let mut comma_due = false;
        for item in &node.content {
            self.load(item, "");
            if comma_due {
                self.pen.write_indicator(",", false, false, false);
            }
            self.write_head();
            if self.pen.column == 0 || self.pen.past_width() {
                self.pen.write_indent();
            }
            comma_due = !self.has_trailing_comment();
            self.node(item, Place::default(), |writer| {
                if writer.has_trailing_comment() {
                    writer.pen.write_indicator(",", false, false, false);
                }
            });
        }
        self.load_end(node, "");
        self.pen.flow_level -= 1;
        self.pen.decrease_indent();
        if self.pen.column == 0 {
            self.pen.write_indent();
        }
        self.pen.write_indicator("]", false, false, false);
        self.write_line();
        self.write_foot();
    }

    fn flow_mapping(&mut self, node: &Node, place: Place) {
        self.pen.write_indicator("{", true, true, false);
        self.pen.increase_indent(true, false, place, false);
        self.pen.flow_level += 1;
        let mut comma_due = false;
        let mut tail = "";
        for (key, value) in node.members() {
            self.load_key(key, tail);
            tail = &key.foot_comment;
            if comma_due {
                self.pen.write_indicator(",", false, false, false);
            }
            self.write_head();
            if self.pen.column == 0 || self.pen.past_width() {
                self.pen.write_indent();
            }
            let simple = self.is_simple_key(key);
            if simple {
                self.key(key, true);
                self.load(value, "");
                self.pen.write_indicator(":", false, false, false);
            } else {
                self.pen.write_indicator("?", true, false, false);
                self.key(key, false);
                self.load(value, "");
                if self.pen.past_width() {
                    self.pen.write_indent();
                }
                self.pen.write_indicator(":", true, false, false);
            }
            comma_due = !self.has_trailing_comment();
            self.node(value, Place { mapping: true, ..Place::default() }, |writer| {
                if writer.has_trailing_comment() {
                    writer.pen.write_indicator(",", false, false, false);
                }
            });
        }
        self.load_end(node, tail);
        let comments = !(self.head.is_empty() && self.foot.is_empty() && self.tail.is_empty());
        if comments && comma_due {
            self.pen.write_indicator(",", false, false, false);
        }
        self.write_head();
        self.pen.flow_level -= 1;
        self.pen.decrease_indent();
        self.pen.write_indicator("}", false, false, false);
        self.write_line();
        self.write_foot();
    }
}

fn long_tag(tag: &str) -> String {
    match tag.strip_prefix("!!") {
        Some(name) => format!("tag:yaml.org,2002:{name}"),
        None => tag.to_owned(),
    }
}

/// The handle and the rest of a long tag.
fn split_tag(tag: &str) -> (&'static str, &str) {
    if let Some(suffix) = tag.strip_prefix('!') {
        return ("!", suffix);
    }
    match tag.strip_prefix("tag:yaml.org,2002:") {
        Some(suffix) => ("!!", suffix),
        None => ("", tag),
    }
}

fn tag_length(tag: &str) -> usize {
    let (handle, suffix) = split_tag(tag);
    handle.len() + suffix.len()
}

/// The long tag to be written for a collection; empty where it goes without saying.
fn collection_tag(node: &Node) -> String {
    let implied = if node.kind == NodeKind::Mapping { "!!map" } else { "!!seq" };
    if !node.tagged && node.tag == implied { String::new() } else { long_tag(&node.tag) }
}

fn scalar_of(node: &Node) -> Scalar {
    let quoted = node.style != NodeStyle::Plain;
    let mut tag = long_tag(&node.tag);
    let mut force_quotes = false;
    if !node.tagged && !tag.is_empty() {
        let resolved = resolve(&node.value, Dialect::V3, true);
        if (node.tag == "!!str" && quoted) || resolved.tag() == node.tag {
            tag.clear();
        } else if node.tag == "!!str" {
            tag.clear();
            force_quotes = resolved != Resolved::Str;
        }
    }
    let style = match node.style {
        NodeStyle::DoubleQuoted => ScalarStyle::DoubleQuoted,
        NodeStyle::SingleQuoted => ScalarStyle::SingleQuoted,
        NodeStyle::Literal => ScalarStyle::Literal,
        NodeStyle::Folded => ScalarStyle::Folded,
        NodeStyle::Plain | NodeStyle::Flow if node.value.contains('\n') => ScalarStyle::Literal,
        NodeStyle::Plain | NodeStyle::Flow if force_quotes => ScalarStyle::DoubleQuoted,
        NodeStyle::Plain | NodeStyle::Flow => ScalarStyle::Plain,
    };
    Scalar { tag, style }
}
