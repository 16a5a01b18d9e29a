//! Values copied from one resource into others.

use smol_str::SmolStr;
use windlass_yaml::{Dialect, LoadOptions, YamlStyle};

use super::growth::{Growth, weight};
use super::path_match::{self, PathTree as _};
use super::selector::SelectorRegex;
use super::{path, print};
use crate::error::{Error, Result};
use crate::kustomization::{FieldOptions, Replacement, Selector, SourceSelector, TargetSelector};
use crate::node::{Kind, Node};
use crate::res_id::{Gvk, ResId};

/// A resource that replacements read from and write to.
pub trait Replaceable {
    /// Its node.
    fn node(&self) -> &Node;
    /// Its node, to be written to.
    fn node_mut(&mut self) -> &mut Node;
    /// The identity it has and those it had, none of them with its scope looked up.
    fn ids(&self) -> Vec<ResId>;
}

const DEFAULT_FIELD_PATH: &str = "metadata.name";

/// Carries out replacements, one after the other.
///
/// # Errors
/// A source that is missing or ambiguous, a field that is missing, options that do not fit; more than `growth` allows.
pub fn apply<R: Replaceable>(
    replacements: &[Replacement],
    resources: &mut [R],
    growth: &Growth,
) -> Result<()> {
    for replacement in replacements {
        if replacement.source.is_none() && replacement.source_value.is_none()
            || replacement.targets.is_empty()
        {
            return Err(Error::invalid("replacements must specify a source and at least one target"));
        }
        let source = source_value(replacement, resources)?;
        for target in &replacement.targets {
            let default = TargetSelector::default();
            apply_to(target.as_ref().unwrap_or(&default), &source, resources, growth)?;
        }
    }
    Ok(())
}

/// A replacement's value.
enum Source {
    /// A value of its own.
    Fixed(Node),
    /// What a field of a resource says at the time, should a target be that field itself.
    Field { resource: usize, path: Vec<String>, first: Node },
}

impl Source {
    fn value<R: Replaceable>(&self, resources: &[R]) -> Node {
        match self {
            Self::Fixed(node) => node.clone(),
            Self::Field { resource, path, first } => {
                let found = path::lookup(resources[*resource].node(), path).ok().flatten();
                found.unwrap_or(first).clone()
            }
        }
    }
}

fn source_value<R: Replaceable>(replacement: &Replacement, resources: &[R]) -> Result<Source> {
    let source = match (&replacement.source_value, &replacement.source) {
        (Some(_), Some(_)) => {
            return Err(Error::invalid("value and resource selectors are mutually exclusive"));
        }
        (Some(value), None) => return Ok(Source::Fixed(Node::untagged(value.clone()))),
        (None, Some(source)) => source,
        (None, None) => {
            return Err(Error::invalid("replacements must specify a source and at least one target"));
        }
    };
    let selector = source_id(source);
    let mut chosen: Option<usize> = None;
    for (place, resource) in resources.iter().enumerate() {
        if resource.ids().iter().any(|id| id.is_selected_by(&selector)) {
            if chosen.is_some() {
                let words = format!("multiple matches for selector {}", shown_source(source));
                return Err(Error::invalid(words));
            }
            chosen = Some(place);
        }
    }
    let Some(chosen) = chosen else {
        return Err(Error::invalid(format!("nothing selected by {}", shown_source(source))));
    };
    let field_path = if source.field_path.is_empty() { DEFAULT_FIELD_PATH } else { &source.field_path };
    let parts = path::split_with_brackets(field_path, '.');
    let found = path::lookup(resources[chosen].node(), &parts)
        .map_err(|error| error.wrap("error looking up replacement source"))?;
    let Some(found) = found.filter(|node| !node.is_nil_or_empty()) else {
        let words = format!("fieldPath `{field_path}` is missing for replacement source {selector}");
        return Err(Error::invalid(words));
    };
    match source.options.as_ref().filter(|options| !options.delimiter.is_empty()) {
        Some(options) => refined(options, found).map(Source::Fixed),
        None => Ok(Source::Field { resource: chosen, first: found.clone(), path: parts }),
    }
}

fn source_id(source: &SourceSelector) -> ResId {
    let gvk = Gvk { group: source.group.clone(), version: source.version.clone(), kind: source.kind.clone() };
    ResId { gvk, name: source.name.clone(), namespace: source.namespace.clone(), cluster_scoped: false }
}

fn shown_source(source: &SourceSelector) -> String {
    let mut shown = source_id(source).to_string();
    if !source.field_path.is_empty() {
        shown = format!("{shown}:{}", source.field_path);
    }
    match &source.options {
        Some(options) if !options.delimiter.is_empty() || options.create => {
            format!("{shown}:{}({}), create={}", options.delimiter, options.index, options.create)
        }
        _ => shown,
    }
}

/// The part of the source's value that the options mean.
fn refined(options: &FieldOptions, node: &Node) -> Result<Node> {
    let Node::Scalar(scalar) = node else {
        return Err(Error::invalid("delimiter option can only be used with scalar nodes"));
    };
    let mut parts = node.value().split(options.delimiter.as_str());
    let part = usize::try_from(options.index).ok().and_then(|idx| parts.nth(idx));
    let Some(part) = part else {
        let words = format!("options.index {} is out of bounds for value {}", options.index, node.value());
        return Err(Error::invalid(words));
    };
    let mut scalar = scalar.clone();
    scalar.value = part.into();
    Ok(Node::Scalar(scalar))
}

fn apply_to<R: Replaceable>(
    target: &TargetSelector,
    source: &Source,
    resources: &mut [R],
    growth: &Growth,
) -> Result<()> {
    let Some(select) = &target.select else {
        return Err(Error::invalid("target must specify resources to select"));
    };
    let wrong = |error: Error| error.wrap("error creating target selector");
    let selects = SelectorRegex::new(select).map_err(wrong)?;
    let rejects = target.reject.iter().map(|reject| {
        let default = Selector::default();
        SelectorRegex::new(reject.as_ref().unwrap_or(&default)).map_err(wrong)
    });
    let rejects = rejects.collect::<Result<Vec<_>>>()?;
    let fits = |regex: &SelectorRegex, id: &ResId| {
        regex.matches_gvk(&id.gvk) && regex.matches_name(&id.name) && regex.matches_namespace(&id.namespace)
    };
    let default_paths = [SmolStr::new_static(DEFAULT_FIELD_PATH)];
    let paths: &[SmolStr] = if target.field_paths.is_empty() { &default_paths } else { &target.field_paths };
    for place in 0..resources.len() {
        let resource = &resources[place];
        let by_metadata = |regex: &SelectorRegex| -> Result<bool> {
            Ok(regex.matches_annotations(resource.node())? && regex.matches_labels(resource.node())?)
        };
        if !by_metadata(&selects)? {
            continue;
        }
        let mut rejected = false;
        for reject in rejects.iter().filter(|reject| reject.is_by_metadata()) {
            rejected = rejected || by_metadata(reject)?;
        }
        if rejected {
            continue;
        }
        let ids = resource.ids();
        let mut by_id = rejects.iter().filter(|reject| !reject.has_no_id());
        if by_id.any(|reject| ids.iter().any(|id| fits(reject, id))) {
            continue;
        }
        if !ids.iter().any(|id| fits(&selects, id)) {
            continue;
        }
        let before = resource.node().shared_scalars();
        for field_path in paths {
            // kyaml hands the source's node on, not a copy: a target that is the source changes the value.
            let value = source.value(resources);
            write(resources[place].node_mut(), &value, field_path, target.options.as_ref(), growth)?;
        }
        resources[place].node_mut().settle_shared(&before);
    }
    Ok(())
}

/// Writes a value into the fields that a path leads to.
fn write(
    node: &mut Node,
    value: &Node,
    field_path: &str,
    options: Option<&FieldOptions>,
    growth: &Growth,
) -> Result<()> {
    let bytes = weight(value);
    growth.charge(bytes, 1)?;
    let create = options.is_some_and(|options| options.create).then(|| value.kind());
    let parts = path::split_with_brackets(field_path, '.');
    if write_inside_text(node, value, &parts, create).is_ok() {
        return Ok(());
    }
    let missing = || {
        let verb = if create.is_some() { "find or create" } else { "find" };
        format!("unable to {verb} field {field_path:?} in replacement target")
    };
    let found = path_match::find(node, &parts, create).map_err(|error| error.wrap(missing()))?;
    if found.places.is_empty() && found.unseen == 0 {
        return Err(Error::invalid(missing()));
    }
    growth.charge(bytes, found.places.len())?;
    for place in &found.places {
        set(path_match::at(node, place), value, options)?;
    }
    Ok(())
}

fn set(field: &mut Node, value: &Node, options: Option<&FieldOptions>) -> Result<()> {
    let joined;
    let mut value = value;
    if let Some(options) = options.filter(|options| !options.delimiter.is_empty()) {
        if field.kind() != Kind::Scalar {
            return Err(Error::invalid("delimiter option can only be used with scalar nodes"));
        }
        let mut parts: Vec<&str> = field.text().split(options.delimiter.as_str()).collect();
        match usize::try_from(options.index) {
            Err(_) => parts.insert(0, value.value()),
            Ok(idx) if idx >= parts.len() => parts.push(value.value()),
            Ok(idx) => parts[idx] = value.value(),
        }
        joined = Node::untagged(parts.join(options.delimiter.as_str()));
        value = &joined;
    }
    match field {
        // The type stays what it was: a number written into a string is a string.
        Node::Scalar(scalar) => scalar.value = value.text().into(),
        field => *field = value.clone(),
    }
    Ok(())
}

/// Writes a value into a text that is YAML or JSON itself. Whatever does not work is an error that nobody
/// sees: the path is then followed without looking into texts.
fn write_inside_text(node: &mut Node, value: &Node, parts: &[String], create: Option<Kind>) -> Result<()> {
    let nothing = || Error::invalid("no structured data found in path");
    let mut document = None;
    let mut depth = 0;
    for count in 1..parts.len() {
        let Ok(Some(found)) = path::lookup(node, &parts[..count]) else { continue };
        if found.kind() == Kind::Scalar
            && let Ok(parsed) = path_match::parse(found.text())
        {
            document = Some((parsed, found.text().to_owned()));
            depth = count;
            break;
        }
    }
    let (mut document, text) = document.ok_or_else(nothing)?;
    let found = path_match::find(&mut document, &parts[depth..], create)?;
    if found.places.is_empty() && found.unseen == 0 {
        return Err(Error::invalid("unable to find field in structured data"));
    }
    for place in &found.places {
        let field = path_match::at(&mut document, place);
        if field.kind() == Kind::Scalar {
            field.value = value.text().to_owned();
        } else {
            *field = print::to_yaml_node(value);
        }
    }
    let printed = windlass_yaml::nodes_to_yaml(&[print::document(document)], &YamlStyle::KYAML);
    let changed = if text.trim_start().starts_with(['{', '[']) {
        let options = LoadOptions { dialect: Dialect::V3, ..LoadOptions::default() };
        let json = windlass_yaml::load_with(&printed, &options)
            .map_err(|error| Error::invalid(format!("failed to unmarshal YAML data: {error}")))?;
        if text.contains('\n') && text.contains("  ") {
            windlass_yaml::json::to_string_pretty(&json, 2)
        } else {
            windlass_yaml::json::to_string(&json)
        }
    } else {
        printed.trim().to_owned()
    };
    match path::lookup_mut(node, &parts[..depth])? {
        Some(Node::Scalar(scalar)) => {
            scalar.value = changed.into();
            Ok(())
        }
        _ => Err(nothing()),
    }
}
