//! Which resources a patch or a replacement is for: patterns and selectors.

use smol_str::SmolStr;
use windlass_go::re2::Regex;
use windlass_kube::selector::{LabelSelector, ParseSelectorError};

use crate::error::{Error, Result};
use crate::kustomization::Selector;
use crate::node::Node;
use crate::res_id::Gvk;

/// A selector as kustomize's messages show it.
#[must_use]
pub fn shown(selector: &Selector) -> String {
    let or = |text: &SmolStr, none: &'static str| if text.is_empty() { none.into() } else { text.clone() };
    let gvk =
        Gvk { group: selector.group.clone(), version: selector.version.clone(), kind: selector.kind.clone() };
    let (name, namespace) = (or(&selector.name, "[noName]"), or(&selector.namespace, "[noNs]"));
    let (annotations, labels) = (&selector.annotation_selector, &selector.label_selector);
    format!("{gvk}/{name}.{namespace}:a={annotations}:l={labels}")
}

/// A [`Selector`] with its patterns compiled.
#[derive(Clone, Debug)]
pub struct SelectorRegex {
    group: Option<Regex>,
    version: Option<Regex>,
    kind: Option<Regex>,
    name: Option<Regex>,
    namespace: Option<Regex>,
    annotations: Option<Result<LabelSelector>>,
    labels: Option<Result<LabelSelector>>,
    has_no_id: bool,
}

impl SelectorRegex {
    /// Compiles the patterns, each of which must match the whole text. Selectors of labels that cannot be read
    /// are an error only when an object is held against them.
    ///
    /// # Errors
    /// What is no pattern.
    pub fn new(selector: &Selector) -> Result<Self> {
        let pattern = |text: &str| -> Result<Option<Regex>> {
            if text.is_empty() {
                return Ok(None);
            }
            let whole = format!("^(?:{text})$");
            let refused = |error: windlass_go::re2::RegexError| Error::invalid(error.to_string());
            Regex::parse(&whole).map(Some).map_err(refused)
        };
        let labels = |text: &str| {
            (!text.is_empty())
                .then(|| text.parse().map_err(|error: ParseSelectorError| Error::invalid(error.to_string())))
        };
        let (group, version, kind) =
            (pattern(&selector.group)?, pattern(&selector.version)?, pattern(&selector.kind)?);
        let (name, namespace) = (pattern(&selector.name)?, pattern(&selector.namespace)?);
        let patterns = [&group, &version, &kind, &name, &namespace];
        let has_no_id = patterns.iter().all(|pattern| pattern.is_none());
        Ok(Self {
            group,
            version,
            kind,
            name,
            namespace,
            annotations: labels(&selector.annotation_selector),
            labels: labels(&selector.label_selector),
            has_no_id,
        })
    }

    /// Whether group, version and kind fit.
    #[must_use]
    pub fn matches_gvk(&self, gvk: &Gvk) -> bool {
        fits(self.group.as_ref(), &gvk.group)
            && fits(self.version.as_ref(), &gvk.version)
            && fits(self.kind.as_ref(), &gvk.kind)
    }

    /// Whether a name fits.
    #[must_use]
    pub fn matches_name(&self, name: &str) -> bool {
        fits(self.name.as_ref(), name)
    }

    /// Whether a namespace fits.
    #[must_use]
    pub fn matches_namespace(&self, namespace: &str) -> bool {
        fits(self.namespace.as_ref(), namespace)
    }

    /// Whether the labels of an object fit.
    ///
    /// # Errors
    /// A selector that cannot be read.
    pub fn matches_labels(&self, node: &Node) -> Result<bool> {
        matches(self.labels.as_ref(), node, "labels")
    }

    /// Whether the annotations of an object fit.
    ///
    /// # Errors
    /// A selector that cannot be read.
    pub fn matches_annotations(&self, node: &Node) -> Result<bool> {
        matches(self.annotations.as_ref(), node, "annotations")
    }

    /// Whether the selector says nothing of group, version, kind, name and namespace.
    #[must_use]
    pub fn has_no_id(&self) -> bool {
        self.has_no_id
    }

    /// Whether it says anything of labels or annotations.
    #[must_use]
    pub fn is_by_metadata(&self) -> bool {
        self.annotations.is_some() || self.labels.is_some()
    }
}

fn matches(selector: Option<&Result<LabelSelector>>, node: &Node, field: &str) -> Result<bool> {
    let Some(selector) = selector else { return Ok(true) };
    let selector = selector.as_ref().map_err(Clone::clone)?;
    let map = node.get("metadata").and_then(|metadata| metadata.get(field));
    // Of equal keys the last counts.
    Ok(selector.matches_with(|name| {
        let mut members = map?.members().iter().rev();
        members.find(|(key, _)| key.value == name).map(|(_, value)| value.text())
    }))
}

fn fits(pattern: Option<&Regex>, text: &str) -> bool {
    pattern.is_none_or(|pattern| pattern.is_match(text))
}
