//! One kustomization of a build: what it gathers, generates and transforms.

use std::rc::Rc;
use std::sync::Arc;

use crate::build::Context;
use crate::config::{TransformerConfig, crds};
use crate::error::{Error, ErrorKind, Result};
use crate::filters::openapi::Schema;
use crate::generated;
use crate::kustomization::{COMPONENT, FILE_NAMES, Kustomization};
use crate::loader::Loader;
use crate::node::{Kind, Node};
use crate::origin::{ConfiguredBy, Origin};
use crate::plugins::{self, Plugin};
use crate::reader;
use crate::res_map::ResMap;
use crate::resource::{ORIGIN, Resource, TRANSFORMATIONS};
use crate::variables::{self, Variables};

/// How many objects a build may hold: the largest public kustomization we know has 6,000.
pub const MAX_OBJECTS: usize = 200_000;

/// The version of Kubernetes whose schema kustomize 5.8 has built in.
const BUILT_IN_OPENAPI: &str = "v1.21.2";

/// The resources of a kustomization and what was said about changing them.
#[derive(Default)]
pub(crate) struct Accumulator {
    pub(crate) resources: ResMap,
    pub(crate) config: Arc<TransformerConfig>,
    pub(crate) variables: Variables,
}

/// A kustomization that is being built.
pub(crate) struct Target<'a> {
    kustomization: Kustomization,
    file_name: &'static str,
    loader: Rc<Loader<'a>>,
    origin: Option<Origin>,
    /// The namespace that a kustomization above gives to charts.
    helm_namespace: String,
}

/// What makes a plugin and where it comes from.
type WithOrigin = (Plugin, Option<Origin>);

impl<'a> Target<'a> {
    /// Reads the kustomization of a folder.
    pub(crate) fn load(loader: Rc<Loader<'a>>, context: &Context<'a>) -> Result<Self> {
        let Some((file_name, bytes)) = find(&loader)? else {
            let names = FILE_NAMES.map(|name| format!("'{name}'"));
            let message = format!(
                "unable to find one of {}, {} or {} in directory '{}'",
                names[0],
                names[1],
                names[2],
                loader.root()
            );
            return Err(Error::new(ErrorKind::NotFound, message));
        };
        let loaded = context.kustomization(&bytes, loader.root())?;
        context.warn(loaded.warnings);
        Ok(Self::new(loaded.kustomization, file_name, loader))
    }

    fn new(kustomization: Kustomization, file_name: &'static str, loader: Rc<Loader<'a>>) -> Self {
        Self { kustomization, file_name, loader, origin: None, helm_namespace: String::new() }
    }

    /// Reads the kustomization of a folder as Flux does, or makes one of the folder's files.
    pub(crate) fn load_or_generate(loader: Rc<Loader<'a>>, context: &Context<'a>) -> Result<Self> {
        if let Some((name, bytes)) = find(&loader)? {
            let text = windlass_yaml::decode_text(&bytes)
                .map_err(|error| Error::invalid(format!("invalid Kustomization: {error}")))?;
            let loaded = Kustomization::load_leniently(&text, loader.root())?;
            context.warn(loaded.warnings);
            return Ok(Self::new(loaded.kustomization, name, loader));
        }
        let kustomization = generated::kustomization(&loader)?;
        Ok(Self::new(kustomization, FILE_NAMES[0], loader))
    }

    /// The kustomization at the top, changed by the build's edits.
    pub(crate) fn edit(&mut self, edit: impl FnOnce(&mut Kustomization) -> Result<()>) -> Result<()> {
        edit(&mut self.kustomization)?;
        if !self.kustomization.build_metadata.is_empty() {
            self.origin = Some(Origin::default());
        }
        Ok(())
    }

    pub(crate) fn kustomization(&self) -> &Kustomization {
        &self.kustomization
    }

    /// Uses the schema that the kustomization names. One that was set stays, but for the one at the top.
    pub(crate) fn set_schema(&self, context: &Context<'a>, is_top: bool) -> Result<()> {
        let openapi = &self.kustomization.openapi;
        let bytes = match openapi.get("path") {
            Some(path) => Some(self.loader.load(path)?),
            None => None,
        };
        if context.has_schema() && !is_top {
            return Ok(());
        }
        let version = openapi.get("version");
        match (version, bytes) {
            (Some(_), Some(_)) => {
                Err(Error::invalid("builtin version and custom schema provided, cannot use both"))
            }
            (_, Some(bytes)) => {
                let text = windlass_yaml::decode_text(&bytes)
                    .map_err(|error| Error::invalid(format!("invalid schema file: {error}")))?;
                context.use_schema(Schema::custom(&text)?);
                Ok(())
            }
            (None, None) => Ok(()),
            (Some(version), None) if version.is_empty() => Ok(()),
            (Some(version), None) if version == BUILT_IN_OPENAPI => {
                context.use_schema(Schema::built_in());
                Ok(())
            }
            (Some(_), None) => Err(Error::invalid("the specified OpenAPI version is not built in")),
        }
    }

    /// Gathers, generates and transforms. A component works on what its parent has gathered.
    pub(crate) fn accumulate(&mut self, mut to: Accumulator, context: &Context<'a>) -> Result<Accumulator> {
        let schema = context.schema();
        let paths = std::mem::take(&mut self.kustomization.resources);
        self.add_resources(&mut to, &paths, context).map_err(|error| error.wrap("accumulating resources"))?;
        self.kustomization.resources = paths;
        let config = self.configuration()?;
        to.config =
            std::mem::take(&mut to.config).merged(&config).map_err(|error| error.wrap("merging config"))?;
        let from_crds = crds::load(&self.loader, &self.kustomization.crds).map_err(|error| {
            let paths = self.kustomization.crds.join(" ");
            error.wrap(format!("loading CRDs [{paths}]"))
        })?;
        to.config = std::mem::take(&mut to.config)
            .merged(&Arc::new(from_crds))
            .map_err(|error| error.wrap("merging CRDs"))?;
        self.generate(&mut to, context)?;
        let paths = self.kustomization.components.clone();
        for path in &paths {
            to = self
                .add_component(to, path, context)
                .map_err(|error| error.wrap("accumulating components"))?;
        }
        self.transform(&mut to, context)?;
        self.validate(&mut to, context)?;
        variables::add(&mut to.resources, &mut to.variables, &self.kustomization.vars, &schema).map_err(
            |error| {
                let all = variables::shown_all(&self.kustomization.vars);
                error.wrap(format!("merging vars {all}"))
            },
        )?;
        Ok(to)
    }

    fn configuration(&self) -> Result<Arc<TransformerConfig>> {
        let defaults = TransformerConfig::defaults();
        if self.kustomization.configurations.is_empty() {
            return Ok(defaults);
        }
        let mut own = Arc::new(TransformerConfig::default());
        for path in &self.kustomization.configurations {
            let bytes = self.loader.load(path)?;
            let text = windlass_yaml::decode_text(&bytes)
                .map_err(|error| Error::invalid(format!("error converting YAML to JSON: {error}")))?;
            own = own.merged(&Arc::new(TransformerConfig::load(&text)?))?;
        }
        defaults.merged(&own)
    }

    fn add_resources(
        &mut self,
        to: &mut Accumulator,
        paths: &[smol_str::SmolStr],
        context: &Context<'a>,
    ) -> Result<()> {
        for path in paths {
            let Err(as_file) = self.add_file(to, path, context) else { continue };
            if matches!(as_file.kind(), ErrorKind::Http | ErrorKind::Limit) {
                return Err(as_file);
            }
            let accumulating = |error: Error| error.wrap(format!("accumulation err='{as_file}'"));
            let loader = match self.loader.descend(path) {
                Ok(loader) => loader,
                Err(_) if as_file.kind() == ErrorKind::MalformedYaml => return Err(as_file),
                Err(error) => return Err(accumulating(error)),
            };
            let origin = self.origin.clone();
            if let Some(origin) = &mut self.origin {
                *origin = origin.append(path);
            }
            let below = self.add_folder(Accumulator::default(), loader, false, context);
            self.origin = origin;
            let below = below.map_err(accumulating)?;
            let root = path;
            to.merge(below.0, context).map_err(|error| {
                accumulating(error.wrap(format!("recursed merging from path '{}'", below.1)))
            })?;
            let _ = root;
        }
        Ok(())
    }

    fn add_file(&mut self, to: &mut Accumulator, path: &str, context: &Context<'a>) -> Result<()> {
        let schema = context.schema();
        let loading = |error: Error| error.wrap(format!("accumulating resources from '{path}'"));
        let bytes = self.loader.load(path).map_err(loading)?;
        let objects = context.objects(&bytes).map_err(|error| loading(reader::in_file(error, path)))?;
        let mut resources: Vec<Resource> = objects.into_iter().map(Resource::new).collect();
        context.count_objects(resources.len())?;
        if let Some(origin) = &self.origin {
            let text = origin.append(path).to_text();
            for resource in &mut resources {
                let annotations = resource.node.lookup_create(Kind::Mapping, &["metadata", "annotations"])?;
                annotations.set_field(ORIGIN, Node::string(text.as_str()))?;
            }
        }
        let resources = ResMap::from_resources(resources, &schema).map_err(loading)?;
        to.resources
            .append_all(resources, &schema)
            .map_err(|error| error.wrap(format!("merging resources from '{path}'")))
    }

    fn add_component(&mut self, to: Accumulator, path: &str, context: &Context<'a>) -> Result<Accumulator> {
        let quoted = plugins::go_quoted;
        let loader = self
            .loader
            .descend(path)
            .map_err(|error| error.reworded(|words| format!("loader.New {}", quoted(words))))?;
        let origin = self.origin.clone();
        if let Some(origin) = &mut self.origin {
            *origin = origin.append(path);
        }
        let result = self.add_folder(to, loader, true, context);
        self.origin = origin;
        let result = result.and_then(|(mut built, root)| {
            let unique = built.resources.check_unique(&context.schema());
            unique.map_err(|error| error.wrap(format!("recursed merging from path '{root}'")))?;
            Ok((built, root))
        });
        let (result, _) = result
            .map_err(|error| error.reworded(|words| format!("accumulateDirectory: {}", quoted(words))))?;
        Ok(result)
    }

    /// Builds the kustomization of a folder; returns what it gathered, and the folder.
    fn add_folder(
        &self,
        to: Accumulator,
        loader: Rc<Loader<'a>>,
        is_component: bool,
        context: &Context<'a>,
    ) -> Result<(Accumulator, String)> {
        let root = loader.root().to_owned();
        let mut target = Target::load(loader, context)
            .map_err(|error| error.wrap(format!("couldn't make target for path '{root}'")))?;
        target.kustomization.build_metadata.clone_from(&self.kustomization.build_metadata);
        target.origin.clone_from(&self.origin);
        if self.kustomization.namespace.is_empty() {
            target.helm_namespace.clone_from(&self.helm_namespace);
        } else {
            target.helm_namespace = self.kustomization.namespace.to_string();
        }
        target.set_schema(context, false)?;
        let kind = target.kustomization.kind.as_str();
        if is_component && kind != COMPONENT {
            let message = format!("expected kind '{COMPONENT}' for path '{root}' but got '{kind}'");
            return Err(Error::invalid(message));
        }
        if !is_component && kind == COMPONENT {
            return Err(Error::invalid(format!("expected kind != '{COMPONENT}' for path '{root}'")));
        }
        let built = target
            .accumulate(to, context)
            .map_err(|error| error.wrap(format!("recursed accumulation of path '{root}'")))?;
        Ok((built, root))
    }

    fn plugin_origin(&self, kind: &str) -> Option<Origin> {
        let origin = self.origin.as_ref()?;
        Some(Origin {
            path: String::new(),
            repository: origin.repository.clone(),
            reference: origin.reference.clone(),
            configured_in: origin.append(self.file_name).path,
            configured_by: ConfiguredBy {
                api_version: "builtin".to_owned(),
                kind: kind.to_owned(),
                ..ConfiguredBy::default()
            },
        })
    }

    fn generate(&mut self, to: &mut Accumulator, context: &Context<'a>) -> Result<()> {
        let schema = context.schema();
        let own = plugins::generators(&self.kustomization, &self.helm_namespace, &self.loader, context)?;
        let mut all: Vec<WithOrigin> = Vec::new();
        for (plugin, kind) in own {
            all.push((plugin, self.plugin_origin(kind)));
        }
        let paths = self.kustomization.generators.clone();
        let external = self
            .external(
                &paths,
                context,
                |plugin, id| {
                    if plugin.is_generator() {
                        return Ok(());
                    }
                    Err(Error::invalid(format!("plugin {id} not a generator")))
                },
                true,
            )
            .map_err(|error| error.wrap("loading generator plugins"))?;
        all.extend(external);
        for (plugin, origin) in all {
            let mut generated = plugin.generate(&self.loader, context)?;
            context.count_objects(generated.len())?;
            if let Some(origin) = origin {
                let text = origin.to_text();
                for resource in generated.resources_mut() {
                    if resource.annotation(ORIGIN).is_none() {
                        resource.set_annotation(ORIGIN, Some(&text))?;
                    }
                }
            }
            to.resources
                .absorb_all(generated, &schema)
                .map_err(|error| error.wrap("merging from generator"))?;
        }
        Ok(())
    }

    /// The plugins under `generators:`, `transformers:` or `validators:`: each entry is an object, a file of
    /// objects or a folder with a kustomization that builds them.
    fn external(
        &mut self,
        entries: &[smol_str::SmolStr],
        context: &Context<'a>,
        check: impl Fn(&Plugin, &str) -> Result<()>,
        generators: bool,
    ) -> Result<Vec<WithOrigin>> {
        if entries.is_empty() {
            return Ok(Vec::new());
        }
        let schema = context.schema();
        let what = if generators { "generator" } else { "transformer" };
        let mut gathered = Accumulator::default();
        let mut paths = Vec::new();
        for entry in entries {
            let inline = reader::objects(entry.as_bytes())
                .and_then(|objects| ResMap::from_resources(objects.into_iter().map(Resource::new), &schema));
            let Ok(mut inline) = inline else {
                paths.push(entry.clone());
                continue;
            };
            if let Some(origin) = &self.origin {
                let text = origin.append(self.file_name).to_text();
                for resource in inline.resources_mut() {
                    resource.set_annotation(ORIGIN, Some(&text))?;
                }
            }
            gathered
                .resources
                .append_all(inline, &schema)
                .map_err(|error| error.wrap(format!("configuring external {what}")))?;
        }
        self.add_resources(&mut gathered, &paths, context)?;
        let mut plugins = Vec::new();
        for resource in gathered.resources.resources() {
            let plugin = plugins::from_object(resource, &self.loader, context);
            let id = resource.original_id(&schema).to_string();
            let plugin = plugin.and_then(|plugin| check(&plugin, &id).map(|()| plugin));
            let plugin = match plugin {
                Err(error) if generators => return Err(error.wrap("failed to load generator")),
                other => other?,
            };
            let origin = resource.annotation(ORIGIN).map(|text| {
                let origin = Origin::parse(text);
                Origin {
                    path: String::new(),
                    repository: origin.repository,
                    reference: origin.reference,
                    configured_in: origin.path,
                    configured_by: ConfiguredBy {
                        api_version: resource.api_version().to_owned(),
                        kind: resource.kind().to_owned(),
                        name: resource.name().to_owned(),
                        namespace: resource.namespace().to_owned(),
                    },
                }
            });
            plugins.push((plugin, origin));
        }
        Ok(plugins)
    }

    fn external_transformers(
        &mut self,
        entries: &[smol_str::SmolStr],
        context: &Context<'a>,
    ) -> Result<Vec<WithOrigin>> {
        self.external(
            entries,
            context,
            |plugin, id| {
                if plugin.is_generator() {
                    return Err(Error::invalid(format!("plugin {id} not a transformer")));
                }
                Ok(())
            },
            false,
        )
    }

    fn transform(&mut self, to: &mut Accumulator, context: &Context<'a>) -> Result<()> {
        let own = plugins::transformers(&self.kustomization, &to.config, &self.loader, context)?;
        let mut all: Vec<WithOrigin> = Vec::new();
        for (plugin, kind) in own {
            all.push((plugin, self.plugin_origin(kind)));
        }
        let entries = self.kustomization.transformers.clone();
        all.extend(self.external_transformers(&entries, context)?);
        for (plugin, origin) in all {
            plugin.transform(&mut to.resources, context)?;
            if let Some(origin) = origin {
                add_transformation(&mut to.resources, &origin)?;
            }
            if to.resources.resources().iter().any(|resource| resource.node.is_nil_or_empty()) {
                to.resources.drop_empties();
            }
        }
        Ok(())
    }

    fn validate(&mut self, to: &mut Accumulator, context: &Context<'a>) -> Result<()> {
        let entries = self.kustomization.validators.clone();
        for (plugin, _) in self.external_transformers(&entries, context)? {
            let before = to.resources.clone();
            plugin.transform(&mut to.resources, context)?;
            let changed = before.len() != to.resources.len()
                || before
                    .resources()
                    .iter()
                    .zip(to.resources.resources())
                    .any(|(before, after)| without_validated_by(before) != without_validated_by(after));
            if changed {
                return Err(Error::invalid("validator shouldn't modify the resource map"));
            }
        }
        Ok(())
    }
}

fn without_validated_by(resource: &Resource) -> Node {
    let mut node = resource.node.clone();
    if let Some(labels) = node.at_mut(&["metadata", "labels"])
        && labels.get("validated-by").is_some()
        && let Some(members) = labels.members_mut()
    {
        members.retain(|(key, _)| key.value != "validated-by");
    }
    if node.at(&["metadata", "labels"]).is_some_and(Node::is_nil_or_empty)
        && let Some(metadata) = node.get_mut("metadata").and_then(Node::members_mut)
    {
        metadata.retain(|(key, _)| key.value != "labels");
    }
    node
}

/// Writes down what changed resources, or what made them where that is not known yet.
fn add_transformation(map: &mut ResMap, origin: &Origin) -> Result<()> {
    for resource in map.resources_mut() {
        if resource.node.is_nil_or_empty() {
            continue;
        }
        if resource.annotation(ORIGIN).is_none() {
            resource.set_annotation(ORIGIN, Some(&origin.to_text()))?;
            continue;
        }
        let mut list = resource.annotation(TRANSFORMATIONS).unwrap_or_default().to_owned();
        list.push_str(&origin.to_entry());
        resource.set_annotation(TRANSFORMATIONS, Some(&list))?;
    }
    Ok(())
}

impl Accumulator {
    /// Takes in what a kustomization below has gathered.
    fn merge(&mut self, other: Self, context: &Context<'_>) -> Result<()> {
        self.resources.append_all(other.resources, &context.schema())?;
        self.config = std::mem::take(&mut self.config).merged(&other.config)?;
        for variable in other.variables.into_values() {
            variables::insert(&mut self.variables, variable)?;
        }
        Ok(())
    }
}

/// A kustomization file's name and content.
type Found = (&'static str, Arc<[u8]>);

/// The one kustomization file of a folder.
fn find(loader: &Loader<'_>) -> Result<Option<Found>> {
    let mut found = None;
    for name in FILE_NAMES {
        match loader.load(name) {
            Ok(bytes) if found.is_none() => found = Some((name, bytes)),
            Ok(_) => {
                let message = format!("Found multiple kustomization files under: {}\n", loader.root());
                return Err(Error::invalid(message));
            }
            Err(error) if error.kind() == ErrorKind::Limit => return Err(error),
            Err(_) => {}
        }
    }
    Ok(found)
}
