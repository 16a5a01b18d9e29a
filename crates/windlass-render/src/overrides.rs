//! Files beside the manifests that change how they are rendered: `.argocd-source.yaml`, `.argocd-source-NAME.yaml`.

use std::borrow::Cow;

use windlass_kube::{Str, Value};
use windlass_model::{EntryKind, Renderer, Tree};

use crate::{Context, RenderError, joined};

/// Such a file is no larger than this.
const FILE_BYTES: u64 = 1024 * 1024;

/// Applies what such files say to a source as it was declared.
pub trait Overrides {
    /// NAME: that of what is rendered, as its dialect has it in file names.
    fn name(&self) -> &str;

    /// How the source is rendered after these changes, in their order, with everything that it refers to resolved.
    ///
    /// # Errors
    ///
    /// What is wrong with the last of them.
    fn renderer(&self, changes: &[Value]) -> Result<Renderer, String>;
}

/// How the folder is rendered, after what stands in it.
pub(crate) fn effective<'r>(
    tree: &dyn Tree,
    path: &str,
    declared: &'r Renderer,
    context: &Context<'_>,
) -> Result<Cow<'r, Renderer>, RenderError> {
    let overrides = context.services.overrides;
    let name = overrides.map_or(context.name.as_str(), Overrides::name);
    let of_name = format!(".argocd-source-{name}.yaml");
    let names = [Some(".argocd-source.yaml"), (!name.is_empty()).then_some(of_name.as_str())];
    let mut changes = Vec::new();
    let mut renderer = Cow::Borrowed(declared);
    for name in names.into_iter().flatten() {
        let file = joined(path, name);
        if tree.entry(&file)?.is_none_or(|entry| entry.kind != EntryKind::File) {
            continue;
        }
        let Some(content) = tree.read(&file, FILE_BYTES)? else { continue };
        let file = Str::from(file);
        let Some(overrides) = overrides else { return Err(RenderError::Overrides { file }) };
        let failed = |problem: String| RenderError::Override { file: file.clone(), problem };
        let text = std::str::from_utf8(&content).map_err(|error| failed(error.to_string()))?;
        changes.push(windlass_yaml::load(text).map_err(|error| failed(error.to_string()))?);
        renderer = Cow::Owned(overrides.renderer(&changes).map_err(failed)?);
    }
    Ok(renderer)
}
