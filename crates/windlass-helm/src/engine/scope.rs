//! What the templates of each chart see as their dot.

use gotemplate::value::Entries;
use gotemplate::{Map, Str, Value, types};

use super::{chart_object, cluster, files};
use crate::HelmVersion;
use crate::capabilities::Capabilities;
use crate::release::Release;
use crate::values::dependencies::Node;
use crate::values::{VALUES_V3, VALUES_V4};

/// The dot of a chart's templates, shared by all of them.
pub(crate) struct Scope(Map);

impl Scope {
    /// The map itself.
    pub(crate) fn dot(&self) -> &Map {
        &self.0
    }

    /// Makes `.Template` that of the template that is executed next.
    pub(super) fn enter(&self, name: &str, base_path: &str) {
        let entries = [("Name", name), ("BasePath", base_path)];
        let entries = entries.into_iter().map(|(key, value)| (Str::from_static(key), Value::from(value)));
        self.0.insert("Template", Value::Map(Map::typed(self.0.type_of(), entries.collect())));
    }
}

/// The scopes of a chart and of those inside it, each before its children's, in the order of `Program::parse`.
pub(crate) fn scopes(
    root: &Node<'_>,
    values: &Map,
    release: &Release,
    capabilities: &Capabilities,
    helm: HelmVersion,
) -> Vec<Scope> {
    let release: Entries = [
        ("Name", Value::from(release.name.as_str())),
        ("Namespace", Value::from(release.namespace.as_str())),
        ("IsUpgrade", Value::Bool(release.is_upgrade)),
        ("IsInstall", Value::Bool(!release.is_upgrade)),
        ("Revision", Value::Int(release.revision)),
        ("Service", Value::from("Helm")),
    ]
    .into_iter()
    .map(|(key, value)| (Str::from_static(key), value))
    .collect();
    let shared = Shared {
        release: Value::Map(Map::typed(&types::MAP, release)),
        capabilities: cluster::capabilities(capabilities, helm),
        helm,
    };
    let mut scopes = Vec::new();
    shared.add(root, values, true, &mut scopes);
    scopes
}

struct Shared {
    release: Value,
    capabilities: Value,
    helm: HelmVersion,
}

impl Shared {
    fn add(&self, node: &Node<'_>, values: &Map, is_root: bool, scopes: &mut Vec<Scope>) -> Map {
        let kind = match self.helm {
            HelmVersion::V3 => &VALUES_V3,
            HelmVersion::V4 => &VALUES_V4,
        };
        let subcharts = Map::new();
        let entries: Entries = [
            ("Chart", chart_object::chart(node, is_root, self.helm)),
            ("Files", Value::Map(files::files(&node.chart.files))),
            ("Release", self.release.clone()),
            ("Capabilities", self.capabilities.clone()),
            ("Values", Value::Map(values.clone())),
            ("Subcharts", Value::Map(subcharts.clone())),
        ]
        .into_iter()
        .map(|(key, value)| (Str::from_static(key), value))
        .collect();
        let dot = Map::typed(kind, entries);
        scopes.push(Scope(dot.clone()));
        for child in &node.children {
            let inner = match crate::values::table(values, &child.name) {
                Ok(inner) => inner.converted(kind),
                Err(_) => Map::typed(kind, Entries::new()),
            };
            let inner = self.add(child, &inner, false, scopes);
            subcharts.insert(child.name.as_str(), Value::Map(inner));
        }
        dot
    }
}
