//! Kustomizations and Components: every field, current and deprecated, and how a file becomes one.

mod fields;

use std::collections::BTreeMap;

use smol_str::SmolStr;
use windlass_yaml::Value;

pub use self::fields::{
    FieldOptions, FieldReference, Generator, GeneratorOptions, HelmChart, HelmChartArguments, HelmGlobals,
    Image, Label, LegacySortOptions, ObjectMeta, Patch, PatchOptions, Replacement, Replica, SecretGenerator,
    Selector, SortOptions, SourceSelector, TargetSelector, Var, VarTarget,
};
use crate::decode::{decode, record};
use crate::error::{Error, Result};

/// The names a kustomization's file may have, in the order they are tried.
pub const FILE_NAMES: [&str; 3] = ["kustomization.yaml", "kustomization.yml", "Kustomization"];

pub(crate) const KUSTOMIZATION_VERSION: &str = "kustomize.config.k8s.io/v1beta1";
const COMPONENT_VERSION: &str = "kustomize.config.k8s.io/v1alpha1";

/// The kind of a component.
pub const COMPONENT: &str = "Component";

record! {
    /// A kustomization or a component.
    pub struct Kustomization("Kustomization") {
        /// `Kustomization` or `Component`.
        kind: SmolStr = "kind" in "TypeMeta",
        /// The version of this format.
        api_version: SmolStr = "apiVersion" in "TypeMeta",
        /// Metadata, which nothing reads.
        metadata: Option<ObjectMeta> = "metadata",
        /// The schema: `version` or `path`.
        openapi: BTreeMap<SmolStr, SmolStr> = "openapi",
        /// What goes in front of names.
        name_prefix: SmolStr = "namePrefix",
        /// What goes behind names.
        name_suffix: SmolStr = "nameSuffix",
        /// The namespace of everything.
        namespace: SmolStr = "namespace",
        /// Labels for objects, selectors and templates; deprecated.
        common_labels: BTreeMap<SmolStr, SmolStr> = "commonLabels",
        /// Labels.
        labels: Vec<Label> = "labels",
        /// Annotations for objects and templates.
        common_annotations: BTreeMap<SmolStr, SmolStr> = "commonAnnotations",
        /// Strategic merge patches, or their files; deprecated.
        patches_strategic_merge: Vec<SmolStr> = "patchesStrategicMerge",
        /// JSON patches; deprecated.
        patches_json: Vec<Patch> = "patchesJson6902",
        /// Patches.
        patches: Vec<Patch> = "patches",
        /// Changes of images.
        images: Vec<Image> = "images",
        /// Changes of images; deprecated.
        image_tags: Vec<Image> = "imageTags",
        /// Values copied between resources.
        replacements: Vec<Replacement> = "replacements",
        /// Numbers of replicas.
        replicas: Vec<Replica> = "replicas",
        /// Variables; deprecated.
        vars: Vec<Var> = "vars",
        /// The order of the output.
        sort_options: Option<SortOptions> = "sortOptions",
        /// Files, folders and repositories with resources.
        resources: Vec<SmolStr> = "resources",
        /// Folders and repositories with components.
        components: Vec<SmolStr> = "components",
        /// Files with definitions of custom resources.
        crds: Vec<SmolStr> = "crds",
        /// Folders with resources; deprecated.
        bases: Vec<SmolStr> = "bases",
        /// ConfigMaps to be generated.
        config_map_generator: Vec<Generator> = "configMapGenerator",
        /// Secrets to be generated.
        secret_generator: Vec<SecretGenerator> = "secretGenerator",
        /// Settings for all charts.
        helm_globals: Option<HelmGlobals> = "helmGlobals",
        /// Charts to be rendered.
        helm_charts: Vec<HelmChart> = "helmCharts",
        /// Charts to be rendered; deprecated.
        helm_chart_inflation_generator: Vec<HelmChartArguments> = "helmChartInflationGenerator",
        /// Options of all generators.
        generator_options: Option<GeneratorOptions> = "generatorOptions",
        /// Files that say where transformers look.
        configurations: Vec<SmolStr> = "configurations",
        /// Generators as objects: files or inline.
        generators: Vec<SmolStr> = "generators",
        /// Transformers as objects: files or inline.
        transformers: Vec<SmolStr> = "transformers",
        /// Validators as objects: files or inline.
        validators: Vec<SmolStr> = "validators",
        /// What is written onto the output: `originAnnotations`, `transformerAnnotations`, `managedByLabel`.
        build_metadata: Vec<SmolStr> = "buildMetadata",
    }
}

/// What a deprecated field is called, and what takes its place.
const DEPRECATED: [(&str, &str, &str); 6] = [
    ("bases", "resources", ""),
    ("commonLabels", "labels", ""),
    ("imageTags", "images", ""),
    ("patchesJson6902", "patches", ""),
    ("patchesStrategicMerge", "patches", ""),
    ("vars", "replacements", "[EXPERIMENTAL] "),
];

/// A kustomization and the warnings that kustomize prints when it reads it.
#[derive(Clone, Debug, PartialEq)]
pub struct Loaded {
    /// The kustomization, its deprecated fields moved where they belong.
    pub kustomization: Kustomization,
    /// One for each deprecated field.
    pub warnings: Vec<String>,
}

impl Kustomization {
    /// Reads the text of a file in the folder `root`.
    ///
    /// # Errors
    /// Text that is not YAML, unknown fields, values of a wrong type, an empty kustomization, a wrong kind or
    /// version.
    pub fn load(text: &str, root: &str) -> Result<Loaded> {
        Self::load_with(text, root, true)
    }

    /// Reads the text of a file in the folder `root` as Flux does: what is not known is passed over, and a
    /// kustomization without resources is none that is empty.
    ///
    /// # Errors
    /// As for [`load`](Self::load), less those of unknown fields and of an empty kustomization.
    pub fn load_leniently(text: &str, root: &str) -> Result<Loaded> {
        Self::load_with(text, root, false)
    }

    fn load_with(text: &str, root: &str, strict: bool) -> Result<Loaded> {
        let value = windlass_yaml::load(text)
            .map_err(|error| Error::invalid(format!("invalid Kustomization: {error}")))?;
        let mut kustomization: Self = decode(&value, strict)
            .map_err(|problem| Error::invalid(format!("invalid Kustomization: {problem}")))?;
        let is_set = |key: &str| value.get(key).is_some_and(|value| !value.is_null());
        let warnings = DEPRECATED.iter().filter(|(field, ..)| is_set(field)).map(|(field, instead, how)| {
            format!(
                "# Warning: '{field}' is deprecated. Please use '{instead}' instead. {how}Run 'kustomize edit fix' to update your Kustomization automatically."
            )
        });
        let warnings = warnings.collect();
        if !strict && kustomization.resources.is_empty() {
            // Flux writes this so that kustomize does not find the file empty; it shows in what is built.
            kustomization.build_metadata = vec!["originAnnotations".into()];
        } else if is_empty(&value) {
            return Err(Error::invalid("kustomization.yaml is empty"));
        }
        kustomization.fix();
        kustomization.check_type(root)?;
        Ok(Loaded { kustomization, warnings })
    }

    /// Moves deprecated fields where they belong and fills in kind and version.
    fn fix(&mut self) {
        if self.kind.is_empty() {
            self.kind = "Kustomization".into();
        }
        if self.api_version.is_empty() {
            self.api_version =
                if self.kind == COMPONENT { COMPONENT_VERSION } else { KUSTOMIZATION_VERSION }.into();
        }
        self.resources.append(&mut self.bases);
        self.images.append(&mut self.image_tags);
        let env_to_envs = |env: &mut SmolStr, envs: &mut Vec<SmolStr>| {
            if !env.is_empty() {
                envs.push(std::mem::take(env));
            }
        };
        for generator in &mut self.config_map_generator {
            env_to_envs(&mut generator.env, &mut generator.envs);
        }
        for generator in &mut self.secret_generator {
            env_to_envs(&mut generator.env, &mut generator.envs);
        }
        let mut globals = HelmGlobals::default();
        for old in std::mem::take(&mut self.helm_chart_inflation_generator) {
            if !old.helm_home.is_empty() {
                globals.config_home = old.helm_home;
            }
            if !old.chart_home.is_empty() {
                globals.chart_home = old.chart_home;
            }
            self.helm_charts.push(HelmChart {
                name: old.chart_name,
                version: old.chart_version,
                repo: old.chart_repo_url,
                values_file: old.values,
                values_inline: old.values_local,
                values_merge: old.values_merge,
                release_name: old.release_name,
                ..HelmChart::default()
            });
        }
        if self.helm_globals.is_none() && globals != HelmGlobals::default() {
            self.helm_globals = Some(globals);
        }
    }

    fn check_type(&self, root: &str) -> Result<()> {
        let mut problems = Vec::new();
        if self.kind != "Kustomization" && self.kind != COMPONENT {
            problems.push("kind should be Kustomization or Component".to_owned());
        }
        let version = if self.kind == COMPONENT { COMPONENT_VERSION } else { KUSTOMIZATION_VERSION };
        if self.api_version != version {
            problems.push(format!("apiVersion for {} should be {version}", self.kind));
        }
        if problems.is_empty() {
            return Ok(());
        }
        Err(Error::invalid(format!(
            "Failed to read kustomization file under {root}:\n{}",
            problems.join("\n")
        )))
    }
}

/// Whether nothing but kind and version is said. An empty list says something, unless its field is one that
/// is moved to another.
fn is_empty(value: &Value) -> bool {
    const MOVED: [&str; 3] = ["bases", "imageTags", "helmChartInflationGenerator"];
    let Some(map) = value.as_object() else { return true };
    map.iter().all(|(key, value)| match value {
        Value::Null => true,
        Value::String(text) => {
            text.is_empty() || key.eq_ignore_ascii_case("kind") || key.eq_ignore_ascii_case("apiVersion")
        }
        Value::Array(items) => items.is_empty() && MOVED.iter().any(|moved| key.eq_ignore_ascii_case(moved)),
        _ => false,
    })
}
