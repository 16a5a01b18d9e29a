//! A resource: its node, and what kustomize remembers of it while it builds.
//!
//! kustomize keeps these memories as annotations `internal.config.kubernetes.io/…` on the object itself. Here
//! they are fields, which makes asking for an identity cheap; where a filter could see or remove annotations
//! they are written onto the node and taken back ([`Resource::with_annotations`]).

use std::sync::Arc;

use smol_str::SmolStr;

use crate::error::{Error, Result};
use crate::filters::openapi::Schema;
use crate::node::{Kind, Node};
use crate::res_id::{Gvk, ResId};

/// What a generated resource does to one of the same identity.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Behavior {
    /// Nothing was said; it counts as `create`.
    #[default]
    Unspecified,
    /// There must be none.
    Create,
    /// It takes the other's place.
    Replace,
    /// Its data goes over the other's.
    Merge,
}

impl Behavior {
    /// From a generator's `behavior`; anything unknown is unspecified.
    #[must_use]
    pub fn parse(text: &str) -> Self {
        match text {
            "create" => Self::Create,
            "replace" => Self::Replace,
            "merge" => Self::Merge,
            _ => Self::Unspecified,
        }
    }

    /// The name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Unspecified => "unspecified",
            Self::Create => "create",
            Self::Replace => "replace",
            Self::Merge => "merge",
        }
    }
}

/// An identity that a resource had: its effective namespace then, its name and its kind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PreviousId {
    /// The effective namespace.
    pub namespace: SmolStr,
    /// The name.
    pub name: SmolStr,
    /// The kind.
    pub kind: SmolStr,
}

/// What kustomize keeps in build annotations.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Memory {
    /// Earlier identities, the oldest first.
    pub previous: Vec<PreviousId>,
    /// Name prefixes that were put on, the innermost first.
    pub prefixes: Vec<SmolStr>,
    /// Name suffixes that were put on, the innermost first.
    pub suffixes: Vec<SmolStr>,
    /// Who refers to this resource.
    pub referred_by: Vec<ResId>,
    /// Whether a patch may change its target's name.
    pub allow_name_change: bool,
    /// Whether a patch may change its target's kind.
    pub allow_kind_change: bool,
    /// What a generated resource does to one of the same identity; `None` if it was not generated.
    pub behavior: Option<Behavior>,
    /// Whether the hash of the content goes behind the name.
    pub needs_hash: bool,
    /// Whether it comes from a chart, so that no namespace is set on it.
    pub helm_generated: bool,
}

const PREFIX: &str = "internal.config.kubernetes.io/";

impl Memory {
    /// Whether kustomize would keep no annotation for this.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    fn annotations(&self) -> Vec<(String, String)> {
        let mut pairs = Vec::new();
        let mut put = |name: &str, values: Vec<String>| {
            if !values.is_empty() {
                pairs.push((format!("{PREFIX}{name}"), values.join(",")));
            }
        };
        let enabled = |is: bool| if is { vec!["enabled".to_owned()] } else { Vec::new() };
        put("previousKinds", self.previous.iter().map(|id| id.kind.to_string()).collect());
        put("previousNames", self.previous.iter().map(|id| id.name.to_string()).collect());
        put("previousNamespaces", self.previous.iter().map(|id| id.namespace.to_string()).collect());
        put("prefixes", self.prefixes.iter().map(ToString::to_string).collect());
        put("suffixes", self.suffixes.iter().map(ToString::to_string).collect());
        put("refBy", self.referred_by.iter().map(ToString::to_string).collect());
        put("allowNameChange", enabled(self.allow_name_change));
        put("allowKindChange", enabled(self.allow_kind_change));
        put("generatorBehavior", self.behavior.iter().map(|it| it.name().to_owned()).collect());
        put("needsHashSuffix", enabled(self.needs_hash));
        put("helm-generated", if self.helm_generated { vec!["true".to_owned()] } else { Vec::new() });
        pairs
    }
}

/// A Kubernetes object on its way through a build.
#[derive(Clone, Debug)]
pub struct Resource {
    /// The object.
    pub node: Node,
    /// What kustomize remembers of it. Changing it does not change the annotations: call
    /// [`Resource::touch_annotations`] with the change that kustomize would write.
    pub memory: Memory,
    /// The names of the variables (`vars`) that take their value from it.
    pub variables: Vec<Arc<str>>,
    /// Whether kustomize has written annotations onto it, which makes every annotation a string and removes
    /// an empty map of annotations.
    annotated: bool,
}

impl Resource {
    /// A resource that nothing is remembered of.
    #[must_use]
    pub fn new(node: Node) -> Self {
        Self { node, memory: Memory::default(), variables: Vec::new(), annotated: false }
    }

    /// `kind`, or an empty text.
    #[must_use]
    pub fn kind(&self) -> &str {
        self.node.get("kind").map_or("", Node::text)
    }

    /// `apiVersion`, or an empty text.
    #[must_use]
    pub fn api_version(&self) -> &str {
        self.node.get("apiVersion").map_or("", Node::text)
    }

    /// `metadata.name`, or an empty text.
    #[must_use]
    pub fn name(&self) -> &str {
        meta_text(&self.node, "name")
    }

    /// `metadata.namespace`, or an empty text.
    #[must_use]
    pub fn namespace(&self) -> &str {
        meta_text(&self.node, "namespace")
    }

    /// Group, version and kind.
    #[must_use]
    pub fn gvk(&self) -> Gvk {
        Gvk::new(self.api_version(), self.kind())
    }

    /// The identity that the object has now.
    #[must_use]
    pub fn current_id(&self, schema: &Schema) -> ResId {
        ResId::new(self.gvk(), self.name(), self.namespace(), schema)
    }

    /// The identity that it had first.
    #[must_use]
    pub fn original_id(&self, schema: &Schema) -> ResId {
        match self.memory.previous.first() {
            Some(previous) => self.previous_id(previous),
            None => self.current_id(schema),
        }
    }

    /// The identities that it had, the oldest first, without the present one.
    pub fn previous_ids(&self) -> impl Iterator<Item = ResId> {
        self.memory.previous.iter().map(|previous| self.previous_id(previous))
    }

    fn previous_id(&self, previous: &PreviousId) -> ResId {
        let gvk = Gvk { kind: previous.kind.clone(), ..Gvk::new(self.api_version(), "") };
        ResId {
            gvk,
            name: previous.name.clone(),
            namespace: previous.namespace.clone(),
            cluster_scoped: false,
        }
    }

    /// Remembers the present identity; to be called before it changes.
    pub fn store_previous_id(&mut self, schema: &Schema) {
        let id = self.current_id(schema);
        let namespace = id.effective_namespace().into();
        self.memory.previous.push(PreviousId { namespace, name: id.name, kind: id.gvk.kind });
        self.touch_annotations();
    }

    /// Remembers a name prefix; an empty one is none.
    pub fn add_prefix(&mut self, prefix: &str) {
        if !prefix.is_empty() {
            self.memory.prefixes.push(prefix.into());
            self.touch_annotations();
        }
    }

    /// Remembers a name suffix; an empty one is none.
    pub fn add_suffix(&mut self, suffix: &str) {
        if !suffix.is_empty() {
            self.memory.suffixes.push(suffix.into());
            self.touch_annotations();
        }
    }

    /// kustomize's `SetKind`.
    ///
    /// # Errors
    /// The object is not a map.
    pub fn set_kind(&mut self, kind: &str) -> Result<()> {
        self.node.set_field("kind", Node::untagged(kind))
    }

    /// kustomize's `SetName`: the name becomes an untagged scalar.
    ///
    /// # Errors
    /// The metadata is not a map.
    pub fn set_name(&mut self, name: &str) -> Result<()> {
        self.node.lookup_create(Kind::Mapping, &["metadata"])?.set_field("name", Node::untagged(name))
    }

    /// kustomize's `SetNamespace`: an empty one is removed.
    ///
    /// # Errors
    /// The metadata is not a map.
    pub fn set_namespace(&mut self, namespace: &str) -> Result<()> {
        if namespace.is_empty() {
            if let Some(metadata) = self.node.get_mut("metadata") {
                metadata.clear("namespace")?;
            }
            return Ok(());
        }
        let metadata = self.node.lookup_create(Kind::Mapping, &["metadata"])?;
        metadata.set_field("namespace", Node::untagged(namespace))
    }

    /// The annotations as texts, without those of the build; the last of equal keys counts.
    #[must_use]
    pub fn annotations(&self) -> Vec<(SmolStr, SmolStr)> {
        meta_texts(&self.node, "annotations")
    }

    /// The labels as texts.
    #[must_use]
    pub fn labels(&self) -> Vec<(SmolStr, SmolStr)> {
        meta_texts(&self.node, "labels")
    }

    /// kustomize's `SetAnnotations`: all annotations become strings, sorted by key; none removes the field.
    ///
    /// # Errors
    /// The metadata is not a map.
    pub fn set_annotations(&mut self, pairs: Vec<(SmolStr, SmolStr)>) -> Result<()> {
        set_meta_texts(&mut self.node, "annotations", pairs)
    }

    /// kustomize's `SetLabels`.
    ///
    /// # Errors
    /// The metadata is not a map.
    pub fn set_labels(&mut self, pairs: Vec<(SmolStr, SmolStr)>) -> Result<()> {
        set_meta_texts(&mut self.node, "labels", pairs)
    }

    /// One annotation's text.
    #[must_use]
    pub fn annotation(&self, key: &str) -> Option<&str> {
        Some(self.node.at(&["metadata", "annotations", key])?.text())
    }

    /// Says that kustomize has written one of its own annotations onto the object by now.
    pub fn touch_annotations(&mut self) {
        self.annotated = true;
    }

    /// Runs `change` on the node with the build's annotations written onto it, and takes them back: for
    /// filters that may see annotations or remove them all.
    ///
    /// # Errors
    /// Those of `change`.
    pub fn with_annotations<T>(&mut self, change: impl FnOnce(&mut Node) -> Result<T>) -> Result<T> {
        let pairs = self.memory.annotations();
        if pairs.is_empty() {
            return change(&mut self.node);
        }
        let written = self.node.lookup_create(Kind::Mapping, &["metadata", "annotations"]);
        if let Ok(annotations) = written {
            for (key, value) in &pairs {
                annotations.set_field(key, Node::string(value.as_str()))?;
            }
        }
        let result = change(&mut self.node);
        self.take_annotations(&pairs);
        result
    }

    fn take_annotations(&mut self, written: &[(String, String)]) {
        let mut kept =
            Memory { referred_by: std::mem::take(&mut self.memory.referred_by), ..Memory::default() };
        let annotations = self.node.at_mut(&["metadata", "annotations"]);
        let members = annotations.and_then(Node::members_mut);
        let mut found = Vec::new();
        if let Some(members) = members {
            members.retain(|(key, value)| {
                let is_ours = written.iter().any(|(name, _)| key.value == name.as_str());
                if is_ours {
                    found.push((key.value.clone(), value.text().to_owned()));
                }
                !is_ours
            });
        }
        let before = std::mem::take(&mut self.memory);
        for (key, _) in &found {
            match key.strip_prefix(PREFIX).unwrap_or_default() {
                "previousNames" => kept.previous.clone_from(&before.previous),
                "prefixes" => kept.prefixes.clone_from(&before.prefixes),
                "suffixes" => kept.suffixes.clone_from(&before.suffixes),
                "allowNameChange" => kept.allow_name_change = before.allow_name_change,
                "allowKindChange" => kept.allow_kind_change = before.allow_kind_change,
                "generatorBehavior" => kept.behavior = before.behavior,
                "needsHashSuffix" => kept.needs_hash = before.needs_hash,
                "helm-generated" => kept.helm_generated = before.helm_generated,
                _ => {}
            }
        }
        self.memory = kept;
    }

    /// The object on one line with the build's annotations on it, as kustomize prints it in errors.
    #[must_use]
    pub fn to_json(&self) -> String {
        let mut copy = self.clone();
        let value = copy.with_annotations(|node| node.to_value());
        value.map_or_else(|error| format!("<{error}>"), |value| windlass_yaml::json::to_string(&value))
    }

    /// The object as YAML with the build's annotations on it, as kustomize prints it in errors.
    #[must_use]
    pub fn to_yaml(&self) -> String {
        let mut copy = self.clone();
        let value = copy.with_annotations(|node| node.to_value());
        value.map_or_else(|error| error.to_string(), |value| windlass_yaml::to_yaml(&value))
    }

    /// What kustomize does at the end: its own annotations go, and the others are strings from then on.
    ///
    /// # Errors
    /// The metadata is not a map.
    pub fn remove_build_annotations(&mut self) -> Result<()> {
        self.memory = Memory::default();
        let pairs = self.annotations();
        if pairs.is_empty() && !self.annotated {
            return Ok(());
        }
        self.set_annotations(pairs)
    }
}

fn meta_text<'a>(node: &'a Node, field: &str) -> &'a str {
    let metadata = node.get("metadata").filter(|metadata| !metadata.is_nil_or_empty());
    metadata
        .and_then(|metadata| metadata.get(field))
        .filter(|value| !value.is_nil_or_empty())
        .map_or("", Node::text)
}

fn meta_texts(node: &Node, field: &str) -> Vec<(SmolStr, SmolStr)> {
    let Some(map) = node.at(&["metadata", field]) else { return Vec::new() };
    let mut pairs: Vec<(SmolStr, SmolStr)> = Vec::with_capacity(map.members().len());
    for (key, value) in map.members() {
        let text = value.as_scalar().map(|scalar| scalar.value.clone()).unwrap_or_default();
        match pairs.iter_mut().find(|(own, _)| *own == key.value) {
            Some(pair) => pair.1 = text,
            None => pairs.push((key.value.clone(), text)),
        }
    }
    pairs
}

fn set_meta_texts(node: &mut Node, field: &str, mut pairs: Vec<(SmolStr, SmolStr)>) -> Result<()> {
    let metadata = node.lookup_create(Kind::Mapping, &["metadata"])?;
    metadata.clear(field)?;
    if pairs.is_empty() {
        return Ok(());
    }
    pairs.sort();
    let map = metadata.lookup_create(Kind::Mapping, &[field])?;
    for (key, value) in pairs {
        map.set_field(&key, Node::string(value))?;
    }
    Ok(())
}

/// kustomize's `GetValidatedMetadata`: an object must say its kind and its name; a `…List` needs no name.
///
/// # Errors
/// What is missing.
pub fn validate_metadata(node: &Node) -> Result<()> {
    if node.is_null() {
        return Err(Error::invalid("missing kind in object {{ } {{ } map[] map[]}}"));
    }
    let filled = |node: &Node, name: &str| {
        node.get(name).filter(|value| !value.is_nil_or_empty()).map(|value| value.value().to_owned())
    };
    let api_version = filled(node, "apiVersion");
    let kind = filled(node, "kind");
    let metadata = node.get("metadata").filter(|metadata| !metadata.is_nil_or_empty());
    let in_metadata = |name: &str| metadata.and_then(|metadata| filled(metadata, name));
    let map = |name: &str| metadata.and_then(|it| it.get(name)).filter(|map| !map.is_nil_or_empty());
    let (name, namespace) = (in_metadata("name"), in_metadata("namespace"));
    let (labels, annotations) = (map("labels"), map("annotations"));
    if [&api_version, &kind, &name, &namespace].iter().all(|field| field.is_none())
        && labels.is_none()
        && annotations.is_none()
    {
        return Err(Error::invalid("missing Resource metadata"));
    }
    let kind = kind.unwrap_or_default();
    let name = name.unwrap_or_default();
    let what = if kind.is_empty() {
        "missing kind"
    } else if !kind.ends_with("List") && name.is_empty() {
        "missing metadata.name"
    } else {
        return Ok(());
    };
    Err(Error::invalid(format!(
        "{what} in object {{{{{} {kind}}} {{{{{name} {}}} map[{}] map[{}]}}}}",
        api_version.unwrap_or_default(),
        namespace.unwrap_or_default(),
        go_map(labels),
        go_map(annotations),
    )))
}

/// A map as Go's `%v` prints it, without its brackets.
fn go_map(map: Option<&Node>) -> String {
    let mut pairs: Vec<_> = map.iter().flat_map(|map| map.members()).collect();
    pairs.sort_by(|a, b| a.0.value.cmp(&b.0.value));
    let pairs = pairs.iter().map(|(key, value)| format!("{}:{}", key.value, value.value()));
    pairs.collect::<Vec<_>>().join(" ")
}

/// The annotation that says where a resource comes from (`buildMetadata`).
pub const ORIGIN: &str = "config.kubernetes.io/origin";

/// The annotation that says what changed a resource (`buildMetadata`).
pub const TRANSFORMATIONS: &str = "alpha.config.kubernetes.io/transformations";

impl Resource {
    /// Sets or removes one annotation, as kustomize does by writing all of them.
    ///
    /// # Errors
    /// The metadata is not a map.
    pub fn set_annotation(&mut self, key: &str, value: Option<&str>) -> Result<()> {
        let mut pairs = self.annotations();
        pairs.retain(|(own, _)| own != key);
        pairs.extend(value.map(|value| (key.into(), value.into())));
        self.set_annotations(pairs)
    }

    /// kustomize's `CopyMergeMetaDataFieldsFrom`: labels and annotations of `other` below the own ones, its
    /// name, its namespace, and what is remembered of it.
    ///
    /// # Errors
    /// The metadata is not a map.
    pub fn copy_metadata_from(&mut self, other: &Self) -> Result<()> {
        self.set_labels(merged(other.labels(), self.labels()))?;
        let needs_hash = self.memory.needs_hash;
        self.set_annotations(merged(other.annotations(), self.annotations()))?;
        self.memory = other.memory.clone();
        self.memory.needs_hash &= needs_hash;
        self.annotated |= other.annotated;
        self.set_name(other.name())?;
        self.set_namespace(other.namespace())?;
        self.variables.clone_from(&other.variables);
        Ok(())
    }

    /// Puts the texts of `other` in a map such as `data` below the own ones.
    ///
    /// # Errors
    /// The data is not a map.
    pub fn merge_data_from(&mut self, other: &Self, field: &str) -> Result<()> {
        let texts = |resource: &Self| -> Vec<(SmolStr, SmolStr)> {
            let map = resource.node.get(field);
            let members = map.iter().flat_map(|map| map.members());
            members.map(|(key, value)| (key.value.clone(), value.value().into())).collect()
        };
        let mut pairs = merged(texts(other), texts(self));
        self.node.clear(field)?;
        if pairs.is_empty() {
            return Ok(());
        }
        pairs.sort();
        let map = self.node.lookup_create(Kind::Mapping, &[field])?;
        for (key, value) in pairs {
            map.set_field(&key, Node::string(value))?;
        }
        Ok(())
    }
}

/// Both lists of pairs; where a key is in both, that of `over` counts.
fn merged(mut under: Vec<(SmolStr, SmolStr)>, over: Vec<(SmolStr, SmolStr)>) -> Vec<(SmolStr, SmolStr)> {
    for (key, value) in over {
        match under.iter_mut().find(|(own, _)| *own == key) {
            Some(pair) => pair.1 = value,
            None => under.push((key, value)),
        }
    }
    under
}

impl crate::filters::replacement::Replaceable for Resource {
    fn node(&self) -> &Node {
        &self.node
    }

    fn node_mut(&mut self) -> &mut Node {
        &mut self.node
    }

    fn ids(&self) -> Vec<ResId> {
        let current = ResId {
            gvk: self.gvk(),
            name: self.name().into(),
            namespace: self.namespace().into(),
            cluster_scoped: false,
        };
        std::iter::once(current).chain(self.previous_ids()).collect()
    }
}
