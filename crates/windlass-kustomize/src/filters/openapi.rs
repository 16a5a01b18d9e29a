//! What merging and naming need to know of the schema of Kubernetes.
//!
//! Kustomize embeds the OpenAPI document of Kubernetes 1.21.2 and parses it in each process that merges
//! anything. Of all that it says, three things matter: which lists are merged by which keys, where these
//! lists are, and which kinds have no namespace. `data/schema.txt` is exactly that, written by
//! `tools/oracle-kustomize` from the embedded document, and read once.

use std::collections::HashMap;
use std::sync::{Arc, LazyLock};

use smol_str::SmolStr;
use windlass_yaml::Value;

use crate::error::{Error, Result};
use crate::res_id::Gvk;

/// A schema, shared; a clone costs a count.
#[derive(Clone, Debug)]
pub struct Schema(Arc<Facts>);

/// A schema of a type, a field or an item.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SchemaId(u32);

impl SchemaId {
    /// A schema that says nothing.
    pub const NOTHING: Self = Self(u32::MAX);
}

static NOTHING: SchemaNode =
    SchemaNode { merge_keys: None, items: None, additional: None, fields: Vec::new() };

#[derive(Debug, Default)]
struct Facts {
    nodes: Vec<SchemaNode>,
    types: HashMap<SmolStr, HashMap<SmolStr, SchemaId>>,
    /// By version and kind: whether objects have a namespace.
    namespaced: HashMap<SmolStr, HashMap<SmolStr, bool>>,
}

#[derive(Clone, Debug, Default)]
struct SchemaNode {
    /// The keys by which items of a list are merged; empty keys where items are values.
    merge_keys: Option<Vec<SmolStr>>,
    items: Option<SchemaId>,
    /// The schema of all fields that are not named.
    additional: Option<SchemaId>,
    /// In order of their names.
    fields: Vec<(SmolStr, SchemaId)>,
}

static BUILT_IN: LazyLock<Schema> = LazyLock::new(|| {
    Schema(Arc::new(read(include_str!("data/schema.txt")).expect("the data was recorded whole")))
});

impl Default for Schema {
    fn default() -> Self {
        Self::built_in()
    }
}

impl Schema {
    /// The schema that kustomize 5.8 embeds.
    #[must_use]
    pub fn built_in() -> Self {
        BUILT_IN.clone()
    }

    /// A kustomization's own schema (`openapi.path`), in YAML or JSON; it takes the place of the built-in one
    /// but for the scopes of the kinds that are built in.
    ///
    /// # Errors
    /// A text that is neither; definitions that are no maps.
    pub fn custom(text: &str) -> Result<Self> {
        let failed = |error: &dyn std::fmt::Display| Error::invalid(format!("invalid schema file: {error}"));
        let document = windlass_yaml::load(text).map_err(|error| failed(&error))?;
        let mut facts = Facts::default();
        let mut builder = Builder { document: &document, facts: &mut facts, known: HashMap::new() };
        builder.definitions();
        builder.paths();
        // What kustomize has computed beforehand counts before any schema.
        for (version, kinds) in &BUILT_IN.0.namespaced {
            let own = facts.namespaced.entry(version.clone()).or_default();
            own.extend(kinds.iter().map(|(kind, scope)| (kind.clone(), *scope)));
        }
        Ok(Self(Arc::new(facts)))
    }

    /// Whether the schema is certain that objects of a kind have no namespace.
    #[must_use]
    pub fn is_cluster_scoped(&self, gvk: &Gvk) -> bool {
        let kinds = if gvk.group.is_empty() {
            self.0.namespaced.get(&gvk.version)
        } else {
            self.0.namespaced.get(gvk.api_version().as_str())
        };
        kinds.and_then(|kinds| kinds.get(&gvk.kind)).is_some_and(|namespaced| !namespaced)
    }

    /// The schema of a kind.
    #[must_use]
    pub fn of_type(&self, api_version: &str, kind: &str) -> Option<SchemaId> {
        self.0.types.get(api_version)?.get(kind).copied()
    }

    /// The schema of a field.
    #[must_use]
    pub fn field(&self, id: SchemaId, name: &str) -> Option<SchemaId> {
        let node = self.node(id);
        let found = node.fields.binary_search_by(|(own, _)| own.as_str().cmp(name));
        found.map_or(node.additional, |idx| Some(node.fields[idx].1))
    }

    /// The schema of a list's items.
    #[must_use]
    pub fn items(&self, id: SchemaId) -> Option<SchemaId> {
        self.node(id).items
    }

    /// The keys by which a list is merged, none where its items are plain values; nothing if it is replaced.
    #[must_use]
    pub fn merge_keys(&self, id: SchemaId) -> Option<&[SmolStr]> {
        self.node(id).merge_keys.as_deref()
    }

    fn node(&self, id: SchemaId) -> &SchemaNode {
        self.0.nodes.get(id.0 as usize).unwrap_or(&NOTHING)
    }
}

/// Reads the recorded data; nothing if it is not whole.
fn read(text: &str) -> Option<Facts> {
    let mut facts = Facts::default();
    let mut section = "";
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        if line.starts_with('[') {
            section = line;
            continue;
        }
        let mut words = line.split(' ');
        if section == "[nodes]" {
            facts.nodes.push(read_node(&mut words)?);
            continue;
        }
        let (version, kind, fact) = (words.next()?, words.next()?, words.next()?);
        let (version, kind) = (SmolStr::new(version), SmolStr::new(kind));
        if section == "[types]" {
            let id = SchemaId(fact.parse().ok()?);
            facts.types.entry(version).or_default().insert(kind, id);
        } else {
            facts.namespaced.entry(version).or_default().insert(kind, fact == "true");
        }
    }
    Some(facts)
}

fn read_node<'a>(words: &mut impl Iterator<Item = &'a str>) -> Option<SchemaNode> {
    let id = |word: &str| match word {
        "-" => Some(None),
        number => number.parse().ok().map(|number| Some(SchemaId(number))),
    };
    let keys = words.next()?;
    let merge_keys = keys
        .strip_prefix('+')
        .map(|keys| keys.split(',').filter(|key| !key.is_empty()).map(SmolStr::new).collect());
    let (items, additional) = (id(words.next()?)?, id(words.next()?)?);
    let mut fields = Vec::new();
    for word in words {
        let (name, number) = word.rsplit_once('=')?;
        fields.push((SmolStr::new(name), id(number)??));
    }
    Some(SchemaNode { merge_keys, items, additional, fields })
}

/// How deep schemas may nest in each other without references; as deep as values may.
const MAX_DEPTH: usize = windlass_yaml::MAX_DEPTH;

/// How many steps a reference to a reference may take; more is a circle.
const MAX_REFERENCES: usize = 100;

/// Makes facts of an OpenAPI document.
struct Builder<'a> {
    document: &'a Value,
    facts: &'a mut Facts,
    known: HashMap<*const Value, SchemaId>,
}

impl<'a> Builder<'a> {
    fn definitions(&mut self) {
        let document = self.document;
        let Some(definitions) = document.get("definitions").and_then(Value::as_object) else { return };
        for (_, definition) in definitions.iter() {
            for gvk in definition.items_at(&["x-kubernetes-group-version-kind"]) {
                let Some((version, kind)) = version_and_kind(gvk) else { continue };
                let id = self.schema(definition, 0);
                self.facts.types.entry(version).or_default().insert(kind, id);
            }
        }
    }

    fn paths(&mut self) {
        let Some(paths) = self.document.get("paths").and_then(Value::as_object) else { return };
        for (path, item) in paths.iter() {
            let gvk = item.at(&["get", "x-kubernetes-group-version-kind"]);
            let Some((version, kind)) = gvk.and_then(version_and_kind) else { continue };
            let namespaced = path.contains("namespaces/{namespace}");
            let scope = self.facts.namespaced.entry(version).or_default().entry(kind).or_insert(false);
            *scope |= namespaced;
        }
    }

    fn schema(&mut self, schema: &'a Value, depth: usize) -> SchemaId {
        if let Some(id) = self.known.get(&std::ptr::from_ref(schema)) {
            return *id;
        }
        let id = SchemaId(u32::try_from(self.facts.nodes.len()).unwrap_or(u32::MAX));
        self.facts.nodes.push(SchemaNode::default());
        self.known.insert(schema, id);
        if depth < MAX_DEPTH {
            let node = self.read_schema(schema, depth);
            self.facts.nodes[id.0 as usize] = node;
        }
        id
    }

    fn read_schema(&mut self, schema: &'a Value, depth: usize) -> SchemaNode {
        let strategy = schema.str_at(&["x-kubernetes-patch-strategy"]);
        let merge_keys = strategy.filter(|text| text.split(',').any(|word| word == "merge")).map(|_| {
            match schema.get("x-kubernetes-list-map-keys") {
                Some(keys) => keys.items_at(&[]).iter().filter_map(Value::as_str).map(SmolStr::new).collect(),
                None => {
                    schema.str_at(&["x-kubernetes-patch-merge-key"]).map(SmolStr::new).into_iter().collect()
                }
            }
        });
        let mut child = |value: &'a Value| self.resolved(value).map(|value| self.schema(value, depth + 1));
        let is_list = schema.str_at(&["type"]) == Some("array");
        let items =
            schema.get("items").filter(|items| is_list && items.as_object().is_some()).and_then(&mut child);
        let additional = schema.get("additionalProperties").filter(|it| it.as_object().is_some());
        let additional = additional.and_then(&mut child);
        let properties = schema.get("properties").and_then(Value::as_object);
        let fields = properties.into_iter().flat_map(|map| map.iter());
        let fields = fields.filter_map(|(name, value)| Some((name.clone(), child(value)?))).collect();
        SchemaNode { merge_keys, items, additional, fields }
    }

    fn resolved(&self, mut schema: &'a Value) -> Option<&'a Value> {
        for _ in 0..MAX_REFERENCES {
            let Some(reference) = schema.str_at(&["$ref"]).filter(|text| !text.is_empty()) else {
                return Some(schema);
            };
            let mut found = self.document;
            for part in reference.strip_prefix("#/")?.split('/') {
                found = found.get(&part.replace("~1", "/").replace("~0", "~"))?;
            }
            schema = found;
        }
        None
    }
}

fn version_and_kind(gvk: &Value) -> Option<(SmolStr, SmolStr)> {
    let (version, kind) = (gvk.str_at(&["version"])?, gvk.str_at(&["kind"])?);
    let version = match gvk.str_at(&["group"]).unwrap_or_default() {
        "" => SmolStr::new(version),
        group => SmolStr::from(format!("{group}/{version}")),
    };
    Some((version, SmolStr::new(kind)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn knows_how_lists_of_pods_are_merged() {
        let schema = Schema::built_in();
        let deployment = schema.of_type("apps/v1", "Deployment").unwrap();
        let path = ["spec", "template", "spec", "containers"];
        let containers = path.iter().try_fold(deployment, |id, name| schema.field(id, name)).unwrap();
        assert_eq!(schema.merge_keys(containers).unwrap(), ["name"]);
        let ports = schema.field(schema.items(containers).unwrap(), "ports").unwrap();
        assert_eq!(schema.merge_keys(ports).unwrap(), ["containerPort", "protocol"]);
        let args = schema.field(schema.items(containers).unwrap(), "args").unwrap();
        assert_eq!(schema.merge_keys(args), None);
    }

    #[test]
    fn knows_scopes() {
        let schema = Schema::built_in();
        let scope = |version: &str, kind: &str| schema.is_cluster_scoped(&Gvk::new(version, kind));
        assert!(scope("v1", "Namespace") && scope("rbac.authorization.k8s.io/v1", "ClusterRole"));
        assert!(!scope("v1", "Pod") && !scope("example.com/v1", "Namespace"));
    }

    #[test]
    fn a_custom_schema_takes_the_place_of_the_built_in_one() {
        let schema = Schema::custom(
            "definitions:
  a.Thing:
    type: object
    x-kubernetes-group-version-kind: [{group: a, version: v1, kind: Thing}]
    properties:
      parts: {type: array, x-kubernetes-patch-strategy: merge, x-kubernetes-patch-merge-key: id, items: {$ref: '#/definitions/a.Part'}}
  a.Part:
    type: object
    additionalProperties: {$ref: '#/definitions/a.Thing'}
paths:
  /apis/a/v1/things:
    get: {x-kubernetes-group-version-kind: {group: a, version: v1, kind: Thing}}
",
        )
        .unwrap();
        let thing = schema.of_type("a/v1", "Thing").unwrap();
        let parts = schema.field(thing, "parts").unwrap();
        assert_eq!(schema.merge_keys(parts).unwrap(), ["id"]);
        assert_eq!(schema.field(schema.items(parts).unwrap(), "anything"), Some(thing));
        assert!(schema.is_cluster_scoped(&Gvk::new("a/v1", "Thing")));
        assert!(schema.is_cluster_scoped(&Gvk::new("v1", "Node")));
        assert_eq!(schema.of_type("apps/v1", "Deployment"), None);
    }
}
