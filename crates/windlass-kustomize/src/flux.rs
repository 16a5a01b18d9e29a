//! What the spec of Flux's Kustomization changes about a build.
//!
//! Facts from `fluxcd/pkg/kustomize` 1.38.

use smol_str::SmolStr;
use windlass_model::Tree;
use windlass_yaml::{Value, json};

use crate::build::{Options, Reorder};
use crate::edits::{Edit, is_local_path};
use crate::error::{Error, ErrorKind, Result};
use crate::kustomization::{Image, Patch, Selector};

/// How Flux builds: folders without a kustomization get one, files are read from anywhere in the source, and nothing is
/// sorted.
#[must_use]
pub fn options() -> Options {
    Options { generate: true, load_from_anywhere: true, reorder: Reorder::None, ..Options::default() }
}

/// The edits that Flux makes to the kustomization in the folder `path` for a spec: namespace, prefix and suffix, patches,
/// components, images, and what is written onto the output.
///
/// # Errors
/// A component that is no relative path, or cannot be looked at.
pub fn edits(spec: &Value, tree: &dyn Tree, path: &str) -> Result<Vec<Edit>> {
    let mut made = Vec::new();
    made.extend(text(spec, "targetNamespace").map(Edit::Namespace));
    made.extend(text(spec, "namePrefix").map(Edit::NamePrefix));
    made.extend(text(spec, "nameSuffix").map(Edit::NameSuffix));
    made.push(Edit::Patches(items(spec, "patches").map(patch).collect()));
    let ignores = spec.get("ignoreMissingComponents") == Some(&Value::Bool(true));
    let mut components = Vec::new();
    for component in items(spec, "components").filter_map(Value::as_str) {
        if !is_local_path(component) {
            return Err(Error::invalid(format!("component path '{component}' must be local and relative")));
        }
        let below = format!("{path}/{component}");
        let found = tree.entry(below.trim_start_matches('/')).map_err(|error| {
            Error::new(ErrorKind::NotFound, format!("cannot look at component '{component}': {error}"))
        })?;
        if !ignores || found.is_some() {
            components.push(component.into());
        }
    }
    made.push(Edit::MoreComponents(components));
    let strategic = items(spec, "patchesStrategicMerge");
    made.push(Edit::PatchesStrategicMerge(strategic.map(|it| windlass_yaml::to_yaml(it).into()).collect()));
    made.push(Edit::PatchesJson6902(items(spec, "patchesJson6902").map(patch).collect()));
    let image = |value: &Value| Image {
        name: text(value, "name").unwrap_or_default(),
        new_name: text(value, "newName").unwrap_or_default(),
        new_tag: text(value, "newTag").unwrap_or_default(),
        digest: text(value, "digest").unwrap_or_default(),
        ..Image::default()
    };
    made.push(Edit::ImageOverrides(items(spec, "images").map(image).collect()));
    let metadata: Vec<SmolStr> =
        items(spec, "buildMetadata").filter_map(Value::as_str).map(Into::into).collect();
    if !metadata.is_empty() {
        made.push(Edit::BuildMetadata(metadata));
    }
    Ok(made)
}

fn text(value: &Value, key: &str) -> Option<SmolStr> {
    value.get(key).and_then(Value::as_str).map(Into::into)
}

fn items<'a>(value: &'a Value, key: &'a str) -> impl Iterator<Item = &'a Value> {
    value.items_at(&[key]).iter()
}

fn patch(value: &Value) -> Patch {
    let field = |value: &Value, key: &str| text(value, key).unwrap_or_default();
    let written = match value.get("patch") {
        Some(Value::String(text)) => text.to_string(),
        // The deprecated form: a list of operations, which is JSON in the file that Flux writes.
        Some(list) => {
            let mut out = String::new();
            json::write(list, json::JsonStyle::default(), &mut out);
            out
        }
        None => String::new(),
    };
    Patch {
        patch: written.into(),
        target: value.get("target").map(|target| Selector {
            group: field(target, "group"),
            version: field(target, "version"),
            kind: field(target, "kind"),
            name: field(target, "name"),
            namespace: field(target, "namespace"),
            label_selector: field(target, "labelSelector"),
            annotation_selector: field(target, "annotationSelector"),
        }),
        ..Patch::default()
    }
}
