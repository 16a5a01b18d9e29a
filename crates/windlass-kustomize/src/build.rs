//! A build: from a folder of a Tree to the resources that `kustomize build` prints.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::Arc;

use smol_str::SmolStr;
use windlass_model::Tree;

use crate::cache::Cache;
use crate::edits::Edit;
use crate::error::{Error, Result};
use crate::filters::field_spec::FieldSpec;
use crate::filters::growth::Growth;
use crate::filters::openapi::Schema;
use crate::helm::Helm;
use crate::kustomization::{Kustomization, Loaded, SortOptions};
use crate::loader::Loader;
use crate::node::Node;
use crate::plugins;
use crate::reader;
use crate::remote::{self, Remote};
use crate::res_map::ResMap;
use crate::resource::{ORIGIN, TRANSFORMATIONS};
use crate::sort;
use crate::target::{Accumulator, MAX_OBJECTS, Target};
use crate::{name_reference, variables};

/// The order of the output where the kustomization does not say one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Reorder {
    /// `--reorder legacy`, which is also what `kustomize build` does unasked.
    #[default]
    Legacy,
    /// `--reorder none`: the order in which the resources were gathered.
    None,
}

/// What a build is told beside its folder.
#[derive(Clone, Debug)]
pub struct Options {
    /// Whether files may lie outside of the folder that names them: `--load-restrictor LoadRestrictionsNone`.
    /// They never lie outside of the Tree.
    pub load_from_anywhere: bool,
    /// The order of the output.
    pub reorder: Reorder,
    /// Whether every object gets the label `app.kubernetes.io/managed-by`.
    pub managed_by_label: bool,
    /// Whether a folder without a kustomization is built as if it had one that names all of its files, as Flux
    /// does it; a kustomization that is there is then read as Flux reads it.
    pub generate: bool,
    /// Where the Tree's root is said to be in errors; empty for `/`.
    pub shown_root: String,
    /// API versions that charts are told the cluster has.
    pub helm_api_versions: Vec<String>,
    /// The cluster's version that charts are told.
    pub helm_kube_version: String,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            load_from_anywhere: false,
            reorder: Reorder::Legacy,
            managed_by_label: false,
            generate: false,
            shown_root: String::new(),
            helm_api_versions: Vec::new(),
            helm_kube_version: String::new(),
        }
    }
}

/// What a build needs from outside.
#[derive(Clone, Copy, Default)]
pub struct Services<'a> {
    /// Fetches repositories and files; without it addresses are refused.
    pub remote: Option<&'a dyn Remote>,
    /// Renders charts; without it `helmCharts` are refused.
    pub helm: Option<&'a dyn Helm>,
    /// Keeps what files say for other builds.
    pub cache: Option<&'a Cache>,
}

/// What a build gave.
#[derive(Clone, Debug)]
pub struct Built {
    /// The resources.
    pub resources: ResMap,
    /// What kustomize prints to standard error on the way.
    pub warnings: Vec<String>,
}

/// The state of one build.
pub(crate) struct Context<'a> {
    pub(crate) options: &'a Options,
    pub(crate) helm: Option<&'a dyn Helm>,
    cache: Option<&'a Cache>,
    schema: RefCell<Schema>,
    has_schema: Cell<bool>,
    warnings: RefCell<Vec<String>>,
    objects: Cell<usize>,
    /// What transformers have written.
    pub(crate) growth: Growth,
}

impl Context<'_> {
    pub(crate) fn schema(&self) -> Schema {
        self.schema.borrow().clone()
    }

    /// The objects of a file.
    pub(crate) fn objects(&self, bytes: &Arc<[u8]>) -> Result<Vec<Node>> {
        match self.cache {
            Some(cache) => cache.objects(bytes),
            None => reader::objects(bytes),
        }
    }

    /// The kustomization that a file in the folder `root` is.
    pub(crate) fn kustomization(&self, bytes: &Arc<[u8]>, root: &str) -> Result<Loaded> {
        let text = windlass_yaml::decode_text(bytes)
            .map_err(|error| Error::invalid(format!("invalid Kustomization: {error}")))?;
        match self.cache {
            Some(cache) => cache.kustomization(bytes, &text, root),
            None => Kustomization::load(&text, root),
        }
    }

    /// Whether a kustomization has named a schema.
    pub(crate) fn has_schema(&self) -> bool {
        self.has_schema.get()
    }

    pub(crate) fn use_schema(&self, schema: Schema) {
        *self.schema.borrow_mut() = schema;
        self.has_schema.set(true);
    }

    pub(crate) fn warn(&self, warnings: Vec<String>) {
        self.warnings.borrow_mut().extend(warnings);
    }

    /// Counts objects that came in.
    pub(crate) fn count_objects(&self, count: usize) -> Result<()> {
        let objects = self.objects.get() + count;
        if objects > MAX_OBJECTS {
            return Err(Error::limit(format!(
                "the build has more than the limit MAX_OBJECTS of {MAX_OBJECTS} objects"
            )));
        }
        self.objects.set(objects);
        Ok(())
    }
}

/// The label that says who manages an object.
const MANAGED_BY: &str = "app.kubernetes.io/managed-by";

/// Builds the kustomization in `folder`, with `edits` made to it first.
///
/// # Errors
/// What `kustomize build` says after `Error: `; limits name themselves.
pub fn build(
    tree: &dyn Tree,
    folder: &str,
    options: &Options,
    services: Services<'_>,
    edits: &[Edit],
) -> Result<Built> {
    let restricted = !options.load_from_anywhere;
    let loader = Loader::top(tree, &options.shown_root, folder, restricted, services.remote)?;
    build_from(loader, options, services, edits)
}

/// Builds the kustomization that an address names: `https://…//folder?ref=…`, `git@…`, `github.com/…`.
///
/// # Errors
/// As for [`build`]; and where nothing is fetched, or the text is no address.
pub fn build_address(
    address: &str,
    options: &Options,
    services: Services<'_>,
    edits: &[Edit],
) -> Result<Built> {
    let Some(parsed) = remote::parse(address) else {
        return Err(Error::invalid(format!("'{address}' is not the address of a repository")));
    };
    let Some(remote) = services.remote else { return Err(remote::refused(address)) };
    build_from(Loader::at_address(parsed, remote)?, options, services, edits)
}

fn build_from<'a>(
    loader: Rc<Loader<'a>>,
    options: &'a Options,
    services: Services<'a>,
    edits: &[Edit],
) -> Result<Built> {
    let context = Context {
        options,
        helm: services.helm,
        cache: services.cache,
        schema: RefCell::new(Schema::built_in()),
        has_schema: Cell::new(false),
        warnings: RefCell::default(),
        objects: Cell::new(0),
        growth: Growth::default(),
    };
    let mut target = if options.generate {
        Target::load_or_generate(loader, &context)?
    } else {
        Target::load(loader, &context)?
    };
    target.edit(|kustomization| edits.iter().try_for_each(|edit| edit.apply(kustomization)))?;
    target.set_schema(&context, true)?;
    let mut gathered = target.accumulate(Accumulator::default(), &context)?;
    finish(&mut gathered, &context)?;
    let kustomization = target.kustomization();
    let mut resources = gathered.resources;
    let schema = context.schema();
    match (&kustomization.sort_options, options.reorder) {
        (Some(sort_options), _) => sort::apply(&mut resources, sort_options, &schema)?,
        (None, Reorder::Legacy) => {
            let legacy = SortOptions { order: "legacy".into(), legacy: None };
            sort::apply(&mut resources, &legacy, &schema)?;
        }
        (None, Reorder::None) => {}
    }
    let says = |what: &str| kustomization.build_metadata.iter().any(|option| option == what);
    if options.managed_by_label || says("managedByLabel") {
        let label = [(SmolStr::from(MANAGED_BY), SmolStr::from(concat!("kustomize-", "v5.8.1")))];
        plugins::set_entries(&mut resources, &label, &[FieldSpec::any("metadata/labels", true)])?;
    }
    for resource in resources.resources_mut() {
        resource.remove_build_annotations()?;
        if !says("originAnnotations") {
            resource.set_annotation(ORIGIN, None)?;
        }
        if !says("transformerAnnotations") {
            resource.set_annotation(TRANSFORMATIONS, None)?;
        }
    }
    let warnings = context.warnings.take();
    Ok(Built { resources, warnings })
}

/// What is done once, when everything is gathered: hashes, references, variables, objects that are not to be
/// applied.
fn finish(gathered: &mut Accumulator, context: &Context<'_>) -> Result<()> {
    let schema = context.schema();
    plugins::Plugin::Hash.transform(&mut gathered.resources, context)?;
    name_reference::fix(&mut gathered.resources, &gathered.config.name_reference, &schema)?;
    let unused = variables::resolve(
        &mut gathered.resources,
        &gathered.variables,
        &gathered.config.var_reference,
        &context.growth,
    )?;
    if !unused.is_empty() {
        let names = unused.join(",");
        context.warn(vec![format!("well-defined vars that were never replaced: {names}")]);
    }
    drop_local(&mut gathered.resources)?;
    // A JSON patch may have given two resources the same name; kustomize panics here.
    gathered.resources.check_unique(&schema)
}

/// Drops objects with the annotation that says they are not for the cluster.
fn drop_local(resources: &mut ResMap) -> Result<()> {
    let mut problem = Ok(());
    resources.list_mut().retain(|resource| {
        if resource.node.is_nil_or_empty() {
            return false;
        }
        if let Err(error) = crate::resource::validate_metadata(&resource.node)
            && problem.is_ok()
        {
            problem = Err(error);
        }
        let local = resource.annotation("config.kubernetes.io/local-config");
        local.is_none_or(|text| text == "false")
    });
    problem
}
