//! Functions that change what was rendered.
//!
//! Helm 3 hands the printed manifests over, without hooks, and takes what comes back as it is. Helm 4 hands all files
//! over as one stream of documents, each with an annotation that says which file it is from, and sorts what comes
//! back into files, manifests and hooks; for that it prints every document anew, in the style of Kustomize.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use windlass_yaml::{DocumentNode, Limits, Node, NodeKind, NodeStyle, YamlStyle};

use crate::HelmVersion;
use crate::manifest::{self, Hook, Manifest, ManifestError};
use crate::text::{base, is_space};

/// A function from manifests to manifests.
pub trait PostRenderer: Send + Sync {
    /// Changes a stream of YAML documents.
    ///
    /// # Errors
    ///
    /// Why it cannot.
    fn run(&self, manifests: &str) -> Result<String, PostRenderFailure>;
}

/// Why a post-renderer fails.
pub type PostRenderFailure = Box<dyn std::error::Error + Send + Sync>;

impl<F: Fn(&str) -> Result<String, PostRenderFailure> + Send + Sync> PostRenderer for F {
    fn run(&self, manifests: &str) -> Result<String, PostRenderFailure> {
        self(manifests)
    }
}

/// What Helm 4 hands to a post-renderer; Helm 3 hands over manifests alone.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum PostRenderStrategy {
    /// Manifests and hooks together.
    #[default]
    Combined,
    /// Hooks, and then manifests.
    Separate,
    /// Manifests alone.
    NoHooks,
}

/// A post-renderer, and what it is given.
#[derive(Clone)]
pub struct PostRendering {
    /// The function.
    pub renderer: Arc<dyn PostRenderer>,
    /// What it is given by Helm 4.
    pub strategy: PostRenderStrategy,
    /// Whether it is given the files of `crds/`, too, by Helm 3.
    pub include_crds: bool,
}

/// Why there is nothing that was post-rendered.
#[derive(Debug, thiserror::Error)]
pub enum PostRenderError {
    /// The function fails.
    #[error("error while running post render on {0}")]
    Run(&'static str, #[source] PostRenderFailure),
    /// What is rendered is no YAML.
    #[error("error merging {what}: parsing {file}: {problem}")]
    Merge {
        /// Which files.
        what: &'static str,
        /// The file.
        file: Arc<str>,
        /// What is wrong with it.
        problem: String,
    },
    /// What came back is no YAML.
    #[error("error while parsing post rendered output{0}: {1}")]
    Output(&'static str, String),
    /// What is rendered is no manifest.
    #[error(transparent)]
    Manifest(#[from] ManifestError),
}

impl fmt::Debug for PostRendering {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "PostRendering({:?})", self.strategy)
    }
}

/// Where Helm 4 remembers which file a document is from.
const FILE_ANNOTATION: &str = "postrenderer.helm.sh/postrender-filename";

type Files = Vec<(Arc<str>, String)>;

impl PostRendering {
    /// What Helm 4 makes of files.
    pub(crate) fn files(&self, files: &Files) -> Result<Files, PostRenderError> {
        if self.strategy == PostRenderStrategy::Combined {
            return Ok(self.group("manifests", "files", ("", ""), files)?.into_iter().collect());
        }
        let (manifests, hooks) = manifest::sort(files, HelmVersion::V4)?;
        let hooks = by_source(hooks.into_iter().map(|Hook { source, text, .. }| (source, text)));
        let manifests = by_source(manifests.into_iter().map(|Manifest { source, text, .. }| (source, text)));
        let mut all = BTreeMap::new();
        if !hooks.is_empty() {
            let hooks = if self.strategy == PostRenderStrategy::Separate {
                self.group("hooks", "hooks", (" for hooks", "hooks-"), &hooks)?
            } else {
                hooks.into_iter().collect()
            };
            all = hooks;
        }
        if !manifests.is_empty() {
            for (file, text) in
                self.group("manifests", "manifests", (" for manifests", "manifests-"), &manifests)?
            {
                append(&mut all, file, &text);
            }
        }
        Ok(all.into_iter().collect())
    }

    /// What Helm 3 makes of the manifests as they are printed.
    pub(crate) fn text(&self, printed: &str) -> Result<String, PostRenderError> {
        self.renderer.run(printed).map_err(|failure| PostRenderError::Run("files", failure))
    }

    fn group(
        &self,
        merged: &'static str,
        run: &'static str,
        (shown, prefix): (&'static str, &'static str),
        files: &Files,
    ) -> Result<BTreeMap<Arc<str>, String>, PostRenderError> {
        let stream = annotate_and_merge(merged, files)?;
        let changed = self.renderer.run(&stream).map_err(|failure| PostRenderError::Run(run, failure))?;
        split_and_deannotate(&changed, prefix).map_err(|problem| PostRenderError::Output(shown, problem))
    }
}

fn by_source(documents: impl Iterator<Item = (Arc<str>, String)>) -> Files {
    let mut files = BTreeMap::new();
    for (source, text) in documents {
        append(&mut files, source, &text);
    }
    files.into_iter().collect()
}

fn append(files: &mut BTreeMap<Arc<str>, String>, file: Arc<str>, text: &str) {
    let known = files.entry(file).or_default();
    if !known.is_empty() {
        known.push_str("\n---\n");
    }
    known.push_str(text);
}

fn annotate_and_merge(what: &'static str, files: &Files) -> Result<String, PostRenderError> {
    let mut merged = Vec::new();
    for (file, content) in files {
        if base(file).starts_with('_') || content.trim_matches(is_space).is_empty() {
            continue;
        }
        for text in manifest::split(content, HelmVersion::V4) {
            let failed = |problem| PostRenderError::Merge { what, file: file.clone(), problem };
            for mut document in parse(text).map_err(failed)? {
                annotate(&mut document.root, file).map_err(failed)?;
                merged.push(document);
            }
        }
    }
    Ok(print(&mut merged))
}

fn split_and_deannotate(text: &str, prefix: &str) -> Result<BTreeMap<Arc<str>, String>, String> {
    let documents = parse(text).map_err(|problem| format!("error parsing YAML: {problem}"))?;
    let mut files: BTreeMap<Arc<str>, Vec<DocumentNode>> = BTreeMap::new();
    for (idx, mut document) in documents.into_iter().enumerate() {
        let annotations =
            document.root.get_mut("metadata").and_then(|metadata| metadata.get_mut("annotations"));
        let file = annotations.and_then(|annotations| take(annotations, FILE_ANNOTATION));
        let file = file.map(|file| file.value).filter(|file| !file.is_empty());
        let file = file.unwrap_or_else(|| format!("generated-by-postrender-{prefix}{idx}.yaml"));
        files.entry(Arc::from(file)).or_default().push(document);
    }
    Ok(files.into_iter().map(|(file, mut documents)| (file, print(&mut documents))).collect())
}

/// The documents of a text, the items of a list in its place.
fn parse(text: &str) -> Result<Vec<DocumentNode>, String> {
    let text = text.replace("\r\n", "\n");
    let mut documents = Vec::new();
    let parts = documents_of(&text)?;
    let only = parts.len() == 1;
    for part in parts {
        let parsed = windlass_yaml::parse_nodes(part, &Limits::default())
            .map_err(|error| format!("MalformedYAMLError: {error}"))?;
        let Some(document) = parsed.into_iter().next() else { continue };
        if is_empty(&document.root) && document.root.kind == NodeKind::Scalar {
            continue;
        }
        let kind = document.root.get("kind").map_or("", |kind| kind.value.as_str());
        let is_list = only && matches!(kind, "List" | "ResourceList");
        match items(&document.root).filter(|_| is_list) {
            Some(items) => documents.extend(items.into_iter().map(|root| DocumentNode {
                root,
                head_comment: String::new(),
                foot_comment: String::new(),
                line: 0,
            })),
            None => documents.push(document),
        }
    }
    Ok(documents)
}

fn items(root: &Node) -> Option<Vec<Node>> {
    let items = root.get("items").filter(|items| items.kind == NodeKind::Sequence)?;
    Some(items.content.clone())
}

/// The parts of a text between lines that begin with `---`. All but the last keep their last line break.
fn documents_of(text: &str) -> Result<Vec<&str>, String> {
    let mut parts = Vec::new();
    if text.is_empty() {
        return Ok(parts);
    }
    let (mut begin, mut from) = (0, 0);
    while let Some(place) = text[from..].find("\n---") {
        let line = from + place + 1;
        let Some(length) = text[line..].find('\n') else { break };
        let rest = text[line + 3..line + length].trim();
        if !rest.is_empty() && !rest.starts_with('#') {
            return Err(format!("invalid document separator: {}", text[line..line + length].trim()));
        }
        parts.push(&text[begin..line]);
        begin = line + length + 1;
        from = begin;
    }
    parts.push(&text[begin..]);
    Ok(parts)
}

fn print(documents: &mut [DocumentNode]) -> String {
    for document in documents.iter_mut() {
        clear_empty_annotations(&mut document.root);
    }
    windlass_yaml::nodes_to_yaml(documents, &YamlStyle::KYAML)
}

fn annotate(root: &mut Node, file: &str) -> Result<(), String> {
    if root.kind != NodeKind::Mapping {
        let found = if root.kind == NodeKind::Sequence { "SequenceNode" } else { "ScalarNode" };
        let document = DocumentNode {
            root: root.clone(),
            head_comment: String::new(),
            foot_comment: String::new(),
            line: 0,
        };
        let contents = windlass_yaml::nodes_to_yaml(&[document], &YamlStyle::KYAML);
        return Err(format!(
            "wrong node kind: expected MappingNode but got {found}: node contents:\n{contents}"
        ));
    }
    clear_empty_annotations(root);
    let metadata = member(root, "metadata");
    let annotations = member(metadata, "annotations");
    let value = Node { style: NodeStyle::SingleQuoted, ..Node::string(file) };
    match annotations.get_mut(FILE_ANNOTATION) {
        Some(known) => *known = value,
        None => annotations.content.extend([Node::string(FILE_ANNOTATION), value]),
    }
    Ok(())
}

/// The map that a map has under a name, made if it has none.
fn member<'a>(map: &'a mut Node, name: &str) -> &'a mut Node {
    let is_map = map.get(name).is_some_and(|member| member.kind == NodeKind::Mapping);
    if !is_map {
        take(map, name);
        map.content.extend([Node::string(name), Node::collection(NodeKind::Mapping, Vec::new())]);
    }
    map.get_mut(name).expect("it was there, or was added")
}

/// Takes a member out of a map.
fn take(map: &mut Node, name: &str) -> Option<Node> {
    if map.kind != NodeKind::Mapping {
        return None;
    }
    let idx = map.content.iter().step_by(2).position(|key| key.value == name)?;
    map.content.drain(2 * idx..2 * idx + 2).nth(1)
}

fn clear_empty_annotations(root: &mut Node) {
    if let Some(metadata) = root.get_mut("metadata")
        && metadata.get("annotations").is_some_and(is_empty)
    {
        take(metadata, "annotations");
    }
    if root.get("metadata").is_some_and(is_empty) {
        take(root, "metadata");
    }
}

fn is_empty(node: &Node) -> bool {
    match node.kind {
        NodeKind::Scalar => node.tag == "!!null" || node.value.is_empty(),
        _ => node.content.is_empty(),
    }
}
