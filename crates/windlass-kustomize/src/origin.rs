//! Where resources come from and what changed them, as `buildMetadata` writes it down.

use windlass_yaml::{
    Dialect, DocumentNode, Node as YamlNode, NodeKind, NodeStyle, YamlStyle, nodes_to_yaml, plain_tag,
};

use crate::loader::clean;
use crate::remote;

/// Where a resource, a generator or a transformer comes from.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Origin {
    pub(crate) path: String,
    pub(crate) repository: String,
    pub(crate) reference: String,
    pub(crate) configured_in: String,
    pub(crate) configured_by: ConfiguredBy,
}

/// The object that a generator or a transformer is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct ConfiguredBy {
    pub(crate) api_version: String,
    pub(crate) kind: String,
    pub(crate) name: String,
    pub(crate) namespace: String,
}

impl Origin {
    /// The origin of what lies at `path` below this one.
    pub(crate) fn append(&self, path: &str) -> Self {
        let mut origin = self.clone();
        let mut path = path;
        let address = remote::parse(path);
        if let Some(address) = &address {
            origin.repository.clone_from(&address.repository);
            origin.reference.clone_from(&address.reference);
            origin.path.clear();
            path = &address.folder;
        }
        let parts = [origin.path.as_str(), path];
        let joined = parts.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join("/");
        origin.path = if joined.is_empty() { String::new() } else { clean(&joined) };
        origin
    }

    fn to_node(&self) -> YamlNode {
        let by = &self.configured_by;
        let by = map(&[
            ("apiVersion", &by.api_version),
            ("kind", &by.kind),
            ("name", &by.name),
            ("namespace", &by.namespace),
        ]);
        let mut node = map(&[
            ("path", &self.path),
            ("repo", &self.repository),
            ("ref", &self.reference),
            ("configuredIn", &self.configured_in),
        ]);
        if !by.content.is_empty() {
            node.content.extend([YamlNode::string("configuredBy"), by]);
        }
        node
    }

    /// The text of the annotation.
    pub(crate) fn to_text(&self) -> String {
        print(self.to_node())
    }

    /// The text of one entry in the list of transformations.
    pub(crate) fn to_entry(&self) -> String {
        print(YamlNode::collection(NodeKind::Sequence, vec![self.to_node()]))
    }

    /// Reads an annotation's text.
    pub(crate) fn parse(text: &str) -> Self {
        let value = windlass_yaml::load(text).unwrap_or_default();
        let at = |path: &[&str]| value.str_at(path).unwrap_or_default().to_owned();
        Self {
            path: at(&["path"]),
            repository: at(&["repo"]),
            reference: at(&["ref"]),
            configured_in: at(&["configuredIn"]),
            configured_by: ConfiguredBy {
                api_version: at(&["configuredBy", "apiVersion"]),
                kind: at(&["configuredBy", "kind"]),
                name: at(&["configuredBy", "name"]),
                namespace: at(&["configuredBy", "namespace"]),
            },
        }
    }
}

fn map(pairs: &[(&str, &str)]) -> YamlNode {
    let filled = pairs.iter().filter(|(_, value)| !value.is_empty());
    let content = filled.flat_map(|(key, value)| [YamlNode::string(*key), string(value)]);
    YamlNode::collection(NodeKind::Mapping, content.collect())
}

/// A string as yaml.v3's `Marshal` prints it: in quotes where YAML 1.1 would read something else.
fn string(text: &str) -> YamlNode {
    let is_plain = [Dialect::V3, Dialect::Sigs].iter().all(|dialect| plain_tag(text, *dialect) == "!!str");
    let style = if is_plain { NodeStyle::Plain } else { NodeStyle::DoubleQuoted };
    YamlNode { style, ..YamlNode::string(text) }
}

fn print(root: YamlNode) -> String {
    if root.content.is_empty() {
        return "{}\n".to_owned();
    }
    let document = DocumentNode { root, head_comment: String::new(), foot_comment: String::new(), line: 1 };
    nodes_to_yaml(&[document], &YamlStyle::KYAML)
}
