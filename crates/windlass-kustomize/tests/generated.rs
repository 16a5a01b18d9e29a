//! Folders under `tests/generated` build as Flux builds them with the spec beside them: `fluxcd/pkg/kustomize` 1.38
//! with kustomize 5.8.1, recorded by `cargo xtask record flux`.
#![expect(clippy::unwrap_used, reason = "tests")]

mod disk_tree;
mod recorded;

use std::path::Path;

use disk_tree::DiskTree;
use windlass_kustomize::kustomization::{Image, Patch, Selector};
use windlass_kustomize::{Edit, Error, Options, Result, Services, build, edits};
use windlass_model::Tree;
use windlass_yaml::{Value, json};

fn text(value: &Value, key: &str) -> Option<smol_str::SmolStr> {
    value.get(key).and_then(Value::as_str).map(Into::into)
}

fn items<'a>(value: &'a Value, key: &str) -> Vec<&'a Value> {
    match value.get(key) {
        Some(Value::Array(items)) => items.iter().collect(),
        _ => Vec::new(),
    }
}

fn patch(value: &Value) -> Patch {
    let field = |value: &Value, key: &str| text(value, key).unwrap_or_default();
    let written = match value.get("patch") {
        Some(Value::String(text)) => text.to_string(),
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

/// The edits that Flux makes for a spec.
fn edits_of(spec: &Value, tree: &dyn Tree, path: &str) -> Result<Vec<Edit>> {
    let mut made = Vec::new();
    made.extend(text(spec, "targetNamespace").map(Edit::Namespace));
    made.extend(text(spec, "namePrefix").map(Edit::NamePrefix));
    made.extend(text(spec, "nameSuffix").map(Edit::NameSuffix));
    made.push(Edit::Patches(items(spec, "patches").into_iter().map(patch).collect()));
    let ignores = spec.get("ignoreMissingComponents") == Some(&Value::Bool(true));
    let mut components = Vec::new();
    for component in items(spec, "components") {
        let component = component.as_str().unwrap();
        if !edits::is_local_path(component) {
            return Err(Error::invalid(format!("component path '{component}' must be local and relative")));
        }
        let below = format!("{path}/{component}");
        if !ignores || tree.entry(below.trim_start_matches('/')).unwrap().is_some() {
            components.push(component.into());
        }
    }
    made.push(Edit::MoreComponents(components));
    let strategic = items(spec, "patchesStrategicMerge").into_iter();
    made.push(Edit::PatchesStrategicMerge(strategic.map(|it| windlass_yaml::to_yaml(it).into()).collect()));
    made.push(Edit::PatchesJson6902(items(spec, "patchesJson6902").into_iter().map(patch).collect()));
    let image = |value: &Value| Image {
        name: text(value, "name").unwrap_or_default(),
        new_name: text(value, "newName").unwrap_or_default(),
        new_tag: text(value, "newTag").unwrap_or_default(),
        digest: text(value, "digest").unwrap_or_default(),
        ..Image::default()
    };
    made.push(Edit::ImageOverrides(items(spec, "images").into_iter().map(image).collect()));
    let metadata: Vec<_> =
        items(spec, "buildMetadata").into_iter().map(|it| it.as_str().unwrap().into()).collect();
    if !metadata.is_empty() {
        made.push(Edit::BuildMetadata(metadata));
    }
    Ok(made)
}

fn built(case: &Path) -> Result<String> {
    let spec = windlass_yaml::load(&std::fs::read_to_string(case.join("spec.yaml")).unwrap()).unwrap();
    let tree = DiskTree::new(&case.join("root")).unwrap();
    let path = spec.get("path").and_then(Value::as_str).unwrap();
    let options = Options {
        generate: true,
        load_from_anywhere: true,
        reorder: windlass_kustomize::Reorder::None,
        shown_root: "/case".to_owned(),
        ..Options::default()
    };
    let edits = edits_of(&spec, &tree, path)?;
    build(&tree, path, &options, Services::default(), &edits)?.resources.to_yaml()
}

#[test]
fn folders_build_as_flux_builds_them() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/generated");
    // Git keeps no empty folders.
    let build = |case: &Path| {
        std::fs::create_dir_all(case.join("root")).unwrap();
        built(case)
    };
    recorded::hold(&root, build, recorded::Outcome::is_equal);
}
