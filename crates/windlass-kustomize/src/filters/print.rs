//! Nodes as YAML, as kyaml prints them.

use windlass_yaml::{DocumentNode, NodeKind, NodeStyle, YamlStyle};

use crate::node::{Node, Scalar, Style};

/// A node as kyaml's `String` prints it, but for comments and flow style, which nodes do not keep.
#[must_use]
pub fn to_text(node: &Node) -> String {
    windlass_yaml::nodes_to_yaml(&[document(to_yaml_node(node))], &YamlStyle::KYAML)
}

/// A node of windlass-yaml that says the same.
#[must_use]
pub fn to_yaml_node(node: &Node) -> windlass_yaml::Node {
    match node {
        Node::Scalar(scalar) => to_yaml_scalar(scalar),
        Node::Sequence(items) => {
            windlass_yaml::Node::collection(NodeKind::Sequence, items.iter().map(to_yaml_node).collect())
        }
        Node::Mapping(members) => {
            let members = members.iter().flat_map(|(key, value)| [to_yaml_scalar(key), to_yaml_node(value)]);
            windlass_yaml::Node::collection(NodeKind::Mapping, members.collect())
        }
    }
}

fn to_yaml_scalar(scalar: &Scalar) -> windlass_yaml::Node {
    let style = match scalar.style {
        Style::Plain => NodeStyle::Plain,
        Style::SingleQuoted => NodeStyle::SingleQuoted,
        Style::DoubleQuoted => NodeStyle::DoubleQuoted,
        Style::Literal => NodeStyle::Literal,
        Style::Folded => NodeStyle::Folded,
    };
    windlass_yaml::Node { style, tag: scalar.tag.short().to_owned(), ..untagged(&scalar.value) }
}

/// A plain scalar without a tag.
pub(super) fn untagged(text: &str) -> windlass_yaml::Node {
    windlass_yaml::Node { tag: String::new(), ..windlass_yaml::Node::string(text) }
}

/// A document of one node.
pub(super) fn document(root: windlass_yaml::Node) -> DocumentNode {
    DocumentNode { root, head_comment: String::new(), foot_comment: String::new(), line: 1 }
}
