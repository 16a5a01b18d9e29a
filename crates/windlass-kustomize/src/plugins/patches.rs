//! Patches: how they are read, and how they find what they patch.

use std::collections::HashSet;

use super::Plugin;
use super::configurations::{JsonPatchConfig, PatchConfig, StrategicConfig};
use crate::error::{Error, Result};
use crate::filters::growth::{Growth, weight};
use crate::filters::json6902;
use crate::filters::openapi::Schema;
use crate::filters::selector::{self, SelectorRegex};
use crate::filters::strategic_merge::{self, Merged};
use crate::kustomization::Selector;
use crate::loader::Loader;
use crate::node::Node;
use crate::reader;
use crate::res_id::ResId;
use crate::res_map::ResMap;
use crate::resource::Resource;

/// A patch of the field `patches`.
pub(crate) struct LoadedPatch {
    source: String,
    target: Option<Selector>,
    content: Content,
}

enum Content {
    Strategic(Vec<Resource>),
    Json(json6902::Patch),
    Nothing,
}

/// A patch of the field `patchesJson6902`.
pub(crate) struct JsonPatch {
    target: Selector,
    patch: json6902::Patch,
}

fn resources(text: &[u8]) -> Result<Vec<Resource>> {
    Ok(reader::objects(text)?.into_iter().map(Resource::new).collect())
}

/// Reads a patch of the field `patches`: whether it is a strategic merge or a JSON patch shows when both are
/// tried.
pub(super) fn patch(config: &PatchConfig, loader: &Loader<'_>) -> Result<Plugin> {
    let shown = || {
        use crate::decode::Encode as _;
        let trimmed = PatchConfig { patch: config.patch.clone(), ..config.clone() };
        windlass_yaml::to_yaml(&trimmed.encode().unwrap_or_else(windlass_yaml::Value::object))
    };
    let inline = config.patch.trim();
    let (text, source) = match (inline.is_empty(), config.path.is_empty()) {
        (true, true) => {
            return Err(Error::invalid(format!("must specify one of patch and path in\n{}", shown())));
        }
        (false, false) => {
            let message = format!("patch and path can't be set at the same time\n{}", shown());
            return Err(Error::invalid(message));
        }
        (false, true) => (inline.as_bytes().to_vec(), format!("[patch: {}]", go_quoted(inline))),
        (true, false) => {
            let bytes = loader.load(&config.path).map_err(|error| {
                error.wrap(format!("failed to get the patch file from path({})", config.path))
            })?;
            (bytes.to_vec(), format!("[path: {}]", go_quoted(&config.path)))
        }
    };
    let strategic = resources(&text);
    let text = String::from_utf8_lossy(&text);
    let json = if text.is_empty() {
        Err(Error::invalid("empty json patch operations"))
    } else {
        json6902::Patch::parse(&text)
    };
    let target = config.target.clone();
    let content = match (strategic, json) {
        (Ok(strategic), Ok(json)) if !strategic.is_empty() && !json.is_empty() => {
            let message = format!("illegally qualifies as both an SM and JSON patch: {source}");
            return Err(Error::invalid(message));
        }
        (Err(_), Err(_)) => {
            return Err(Error::invalid(format!("unable to parse SM or JSON patch from {source}")));
        }
        (Ok(mut strategic), _) => {
            if let Some(options) = &config.options {
                for patch in &mut strategic {
                    patch.memory.allow_name_change |= options.allow_name_change;
                    patch.memory.allow_kind_change |= options.allow_kind_change;
                    if options.allow_name_change || options.allow_kind_change {
                        let annotations = patch.annotations();
                        patch.set_annotations(annotations)?;
                    }
                }
            }
            if strategic.is_empty() { Content::Nothing } else { Content::Strategic(strategic) }
        }
        (Err(_), Ok(json)) => Content::Json(json),
    };
    Ok(Plugin::Patch(LoadedPatch { source, target, content }))
}

/// A text as Go's `%q` prints it.
pub(crate) fn go_quoted(text: &str) -> String {
    let mut quoted = String::from("\"");
    for c in text.chars() {
        match c {
            '"' => quoted.push_str("\\\""),
            '\\' => quoted.push_str("\\\\"),
            '\n' => quoted.push_str("\\n"),
            '\t' => quoted.push_str("\\t"),
            '\r' => quoted.push_str("\\r"),
            c if c.is_control() => quoted.push_str(&format!("\\x{:02x}", u32::from(c))),
            c => quoted.push(c),
        }
    }
    quoted.push('"');
    quoted
}

pub(super) fn strategic(config: &StrategicConfig, loader: &Loader<'_>) -> Result<Plugin> {
    if config.paths.is_empty() && config.patches.is_empty() {
        return Err(Error::invalid("empty file path and empty patch content"));
    }
    let mut patches = Vec::new();
    for path in &config.paths {
        // For long, what looks like a patch has been one.
        let inline = resources(path.as_bytes());
        let read = inline.or_else(|_| {
            let bytes = loader.load(path)?;
            resources(&bytes).map_err(|error| reader::in_file(error, path))
        });
        patches.extend(read?);
    }
    if !config.patches.is_empty() {
        patches.extend(resources(config.patches.as_bytes())?);
    }
    if patches.is_empty() {
        let files = config.paths.join(" ");
        let message = format!("patch appears to be empty; files=[{files}], Patch={}", config.patches);
        return Err(Error::invalid(message));
    }
    Ok(Plugin::StrategicPatches(patches))
}

pub(super) fn json(config: &JsonPatchConfig, loader: &Loader<'_>) -> Result<Plugin> {
    let Some(target) = config.target.as_ref().filter(|target| !target.name.is_empty()) else {
        return Err(Error::invalid("must specify the target name"));
    };
    let text = match (config.path.is_empty(), config.operations.is_empty()) {
        (true, true) => return Err(Error::invalid("empty file path and empty jsonOp")),
        (false, false) => return Err(Error::invalid("must specify a file path or jsonOp, not both")),
        (true, false) => config.operations.to_string(),
        (false, true) => {
            let text = String::from_utf8_lossy(&loader.load(&config.path)?).into_owned();
            if text.is_empty() {
                let message = format!("patch file '{}' empty seems to be empty", config.path);
                return Err(Error::invalid(message));
            }
            text
        }
    };
    let shown = if text.starts_with('[') {
        text.clone()
    } else {
        let value = windlass_yaml::load(&text).map_err(|error| Error::invalid(error.to_string()))?;
        windlass_yaml::json::to_string(&value)
    };
    let patch = json6902::Patch::parse(&text).map_err(|error| error.wrap(format!("decoding {shown}")))?;
    if patch.is_empty() {
        let message = format!("patch appears to be empty; file={}, JsonOp={shown}", config.path);
        return Err(Error::invalid(message));
    }
    Ok(Plugin::JsonPatch(JsonPatch { target: target.clone(), patch }))
}

/// The places of the resources that a selector means, by their present or first identity.
pub(super) fn select(map: &ResMap, selector: &Selector, schema: &Schema) -> Result<Vec<usize>> {
    let regex = SelectorRegex::new(selector)?;
    let mut places = Vec::new();
    for (place, resource) in map.resources().iter().enumerate() {
        let gvk = resource.gvk();
        if !regex.matches_gvk(&gvk) {
            continue;
        }
        let current = resource.current_id(schema);
        let original = resource.original_id(schema);
        let selected = (regex.matches_namespace(original.effective_namespace())
            || regex.matches_namespace(current.effective_namespace()))
            && (regex.matches_name(&original.name) || regex.matches_name(&current.name))
            && regex.matches_labels(&resource.node)?
            && regex.matches_annotations(&resource.node)?;
        if selected {
            places.push(place);
        }
    }
    Ok(places)
}

impl LoadedPatch {
    pub(super) fn apply(&self, map: &mut ResMap, schema: &Schema, growth: &Growth) -> Result<()> {
        match &self.content {
            Content::Nothing => Ok(()),
            Content::Json(patch) => {
                let Some(target) = &self.target else {
                    let source = &self.source;
                    return Err(Error::invalid(format!("must specify a target for JSON patch {source}")));
                };
                for place in select(map, target, schema)? {
                    let resource = &mut map.resources_mut()[place];
                    resource.store_previous_id(schema);
                    apply_json(resource, patch, growth)?;
                }
                Ok(())
            }
            Content::Strategic(patches) => self.merge(patches, map, schema, growth),
        }
    }

    fn merge(&self, patches: &[Resource], map: &mut ResMap, schema: &Schema, growth: &Growth) -> Result<()> {
        if let Some(target) = &self.target {
            let [patch] = patches else {
                let source = &self.source;
                return Err(Error::invalid(format!(
                    "Multiple Strategic-Merge Patches in one `patches` entry is not allowed to set `patches.target` field: {source}"
                )));
            };
            let selected = select(map, target, schema).map_err(|error| {
                error.wrap(format!(
                    "unable to find patch target {} in `resources`",
                    go_quoted(&selector::shown(target))
                ))
            })?;
            return merge_into_all(map, &selected, patch, schema, growth);
        }
        for patch in patches {
            let id = patch.original_id(schema);
            let place = map.by_id(&id, schema).map_err(|error| {
                error
                    .wrap(format!("no resource matches strategic merge patch {}", go_quoted(&id.to_string())))
            })?;
            merge_into(&mut map.resources_mut()[place], patch, schema)?;
        }
        Ok(())
    }
}

impl JsonPatch {
    pub(super) fn apply(&self, map: &mut ResMap, schema: &Schema, growth: &Growth) -> Result<()> {
        for place in select(map, &self.target, schema)? {
            apply_json(&mut map.resources_mut()[place], &self.patch, growth)?;
        }
        Ok(())
    }
}

fn apply_json(resource: &mut Resource, patch: &json6902::Patch, growth: &Growth) -> Result<()> {
    let before = weight(&resource.node);
    let memory = resource.memory.clone();
    resource.with_annotations(|node| patch.apply(node))?;
    growth.charge(weight(&resource.node).saturating_sub(before), 1)?;
    // kustomize writes its own annotations again, whatever the patch did to them.
    resource.memory = memory;
    let annotations = resource.annotations();
    resource.set_annotations(annotations)
}

/// Merges patches into the one resource that each names, as the field `patchesStrategicMerge` does.
pub(super) fn merge_each(
    patches: &[Resource],
    map: &mut ResMap,
    schema: &Schema,
    growth: &Growth,
) -> Result<()> {
    for patch in patches {
        let place = map.by_id(&patch.original_id(schema), schema)?;
        merge_into_all(map, &[place], patch, schema, growth)?;
    }
    Ok(())
}

/// Merges a patch into all selected resources; resources that share a selected one's identity are selected
/// too.
fn merge_into_all(
    map: &mut ResMap,
    selected: &[usize],
    patch: &Resource,
    schema: &Schema,
    growth: &Growth,
) -> Result<()> {
    growth.charge(weight(&patch.node), selected.len())?;
    let ids: HashSet<ResId> =
        selected.iter().map(|place| map.resources()[*place].current_id(schema)).collect();
    for resource in map.resources_mut() {
        if !ids.contains(&resource.current_id(schema)) {
            continue;
        }
        let mut own = patch.clone();
        own.copy_metadata_from(patch)?;
        let gvk = resource.gvk();
        own.set_kind(&gvk.kind)?;
        own.node.set_field("apiVersion", Node::untagged(gvk.api_version()))?;
        own.set_kind(patch.kind())?;
        merge_into(resource, &own, schema)?;
    }
    map.drop_empties();
    map.check_unique(schema)
}

fn merge_into(resource: &mut Resource, patch: &Resource, schema: &Schema) -> Result<()> {
    let name = resource.name().to_owned();
    let namespace = resource.namespace().to_owned();
    let kind = resource.kind().to_owned();
    let (name_changes, kind_changes) = (patch.memory.allow_name_change, patch.memory.allow_kind_change);
    if name_changes || kind_changes {
        resource.store_previous_id(schema);
    }
    let merge = |node: &mut Node| strategic_merge::apply(node, patch.node.clone(), schema);
    let merged = if may_remove_annotations(&patch.node) {
        resource.with_annotations(merge)
    } else {
        merge(&mut resource.node)
    };
    if merged? == Merged::Deleted {
        resource.node = Node::null();
    }
    if resource.node.is_nil_or_empty() {
        return Ok(());
    }
    // With the patch, what it may do was merged into the object, where only errors show it.
    resource.memory.allow_name_change |= name_changes;
    resource.memory.allow_kind_change |= kind_changes;
    if !kind_changes {
        resource.set_kind(&kind)?;
    }
    if !name_changes {
        resource.set_name(&name)?;
    }
    resource.set_namespace(&namespace)
}

/// Whether a patch may take away annotations as a whole, and kustomize's own with them.
fn may_remove_annotations(patch: &Node) -> bool {
    let is_directive = |node: Option<&Node>| {
        node.is_some_and(|node| {
            node.is_null() || node.get("$patch").is_some() || node.get("$retainKeys").is_some()
        })
    };
    is_directive(Some(patch))
        || is_directive(patch.get("metadata"))
        || is_directive(patch.at(&["metadata", "annotations"]))
}
