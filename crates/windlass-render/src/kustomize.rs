//! Kustomizations that stand in a tree, as Argo CD calls `kustomize build`.

use std::collections::BTreeMap;

use windlass_kube::Str;
use windlass_kustomize::kustomization::{Patch, PatchOptions, Replica, Selector};
use windlass_kustomize::{Edit, Options, Services, build};
use windlass_model::{Diagnostic, KustomizeOptions, KustomizePatch, Manifest, Tree, TreeError};

use crate::manifests::parse_built;
use crate::{RecordingTree, RenderError, resolved, shown};

pub(crate) fn render(
    tree: &RecordingTree<'_>,
    path: &str,
    options: &KustomizeOptions,
) -> Result<(Vec<Manifest>, Vec<Diagnostic>), RenderError> {
    let failed = |error: windlass_kustomize::Error| RenderError::Kustomize {
        path: shown(path),
        problem: error.to_string(),
    };
    let edits = edits(tree, path, options)?;
    let built = build(tree, path, &Options::default(), Services::default(), &edits).map_err(failed)?;
    let text = built.resources.to_yaml().map_err(failed)?;
    let (mut manifests, mut diagnostics) = (Vec::new(), Vec::new());
    parse_built(path, &text, &mut manifests, &mut diagnostics);
    Ok((manifests, diagnostics))
}

/// The edits that the options ask for, in the order in which Argo CD 3.6 makes them.
fn edits(tree: &RecordingTree<'_>, path: &str, options: &KustomizeOptions) -> Result<Vec<Edit>, TreeError> {
    let mut edits = Vec::new();
    if !options.name_prefix.is_empty() {
        edits.push(Edit::NamePrefix(options.name_prefix.clone()));
    }
    if !options.name_suffix.is_empty() {
        edits.push(Edit::NameSuffix(options.name_suffix.clone()));
    }
    if !options.images.is_empty() {
        edits.push(Edit::Images(options.images.clone()));
    }
    if !options.replicas.is_empty() {
        let replicas = options.replicas.iter();
        edits.push(Edit::Replicas(
            replicas.map(|(name, count)| Replica { name: name.clone(), count: *count }).collect(),
        ));
    }
    if !options.common_labels.is_empty() {
        edits.push(Edit::Labels {
            labels: pairs(&options.common_labels),
            force: options.force_common_labels,
            without_selector: options.label_without_selector,
            include_templates: options.label_include_templates,
        });
    }
    if !options.common_annotations.is_empty() {
        edits.push(Edit::Annotations {
            annotations: pairs(&options.common_annotations),
            force: options.force_common_annotations,
        });
    }
    if !options.namespace.is_empty() {
        edits.push(Edit::Namespace(options.namespace.clone()));
    }
    if !options.patches.is_empty() {
        edits.push(Edit::Patches(options.patches.iter().map(patch).collect()));
    }
    let mut components = Vec::with_capacity(options.components.len());
    for component in &options.components {
        if !options.ignore_missing_components || is_there(tree, path, component)? {
            components.push(component.clone());
        }
    }
    if !components.is_empty() {
        edits.push(Edit::Components(components));
    }
    Ok(edits)
}

fn pairs(pairs: &[(Str, Str)]) -> BTreeMap<Str, Str> {
    pairs.iter().cloned().collect()
}

fn patch(patch: &KustomizePatch) -> Patch {
    let allows = |name: &str| patch.options.iter().any(|(option, allowed)| option == name && *allowed);
    Patch {
        path: patch.path.clone(),
        patch: patch.patch.clone(),
        target: patch.target.as_ref().map(|target| Selector {
            group: target.group.clone(),
            version: target.version.clone(),
            kind: target.kind.clone(),
            name: target.name.clone(),
            namespace: target.namespace.clone(),
            annotation_selector: target.annotation_selector.clone(),
            label_selector: target.label_selector.clone(),
        }),
        options: (!patch.options.is_empty()).then(|| PatchOptions {
            allow_name_change: allows("allowNameChange"),
            allow_kind_change: allows("allowKindChange"),
        }),
    }
}

/// Whether a component's folder is in the tree; what leads out of it is not.
fn is_there(tree: &RecordingTree<'_>, path: &str, component: &str) -> Result<bool, TreeError> {
    let Some(component) = resolved(path, component) else { return Ok(false) };
    Ok(tree.entry(&component)?.is_some())
}
