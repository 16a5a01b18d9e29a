//! kustomize's built-in generators and transformers, each from its configuration.
//!
//! A kustomization's fields and objects under `generators:`, `transformers:` and `validators:` lead to the
//! same plugins.

mod configurations;
mod patches;
mod transform;

pub(crate) use self::patches::go_quoted;
pub(crate) use self::transform::set_entries;

use windlass_yaml::Value;

use self::configurations::{
    AnnotationsConfig, IamPolicyConfig, ImageConfig, JsonPatchConfig, LabelConfig, NamespaceConfig,
    PatchConfig, PrefixConfig, ReplacementConfig, ReplicaConfig, StrategicConfig, SuffixConfig,
    ValueAddConfig,
};
use self::patches::{JsonPatch, LoadedPatch};
use crate::build::Context;
use crate::config::TransformerConfig;
use crate::decode::{Decode, Encode, decode};
use crate::error::{Error, Result};
use crate::filters::field_spec::FieldSpec;
use crate::filters::images::ImageSetter;
use crate::filters::namespace::{NamespaceSetting, Subjects};
use crate::generators;
use crate::helm::ChartGenerator;
use crate::kustomization::{
    Generator, HelmChart, HelmGlobals, Kustomization, ObjectMeta, Replacement, Replica, SecretGenerator,
};
use crate::loader::Loader;
use crate::node::Node;
use crate::res_map::ResMap;
use crate::resource::Resource;

/// A generator or a transformer, ready to run.
pub(crate) enum Plugin {
    ConfigMap(Generator),
    Secret(SecretGenerator),
    Helm(Box<ChartGenerator>),
    IamPolicy(IamPolicyConfig),
    Annotations(AnnotationsConfig),
    Hash,
    Image(ImageSetter, Vec<FieldSpec>),
    Label(LabelConfig),
    Namespace(NamespaceSetting),
    JsonPatch(JsonPatch),
    StrategicPatches(Vec<Resource>),
    Patch(LoadedPatch),
    Prefix(PrefixConfig),
    Suffix(SuffixConfig),
    PrefixAndSuffix(PrefixConfig, SuffixConfig),
    Replacement(Vec<Replacement>),
    Replicas(Replica, Vec<FieldSpec>),
    ValueAdd(ValueAddConfig),
}

/// The generators that a kustomization's fields mean.
pub(crate) fn generators(
    kustomization: &Kustomization,
    helm_namespace: &str,
    loader: &Loader<'_>,
    context: &Context<'_>,
) -> Result<Vec<(Plugin, &'static str)>> {
    let mut plugins = Vec::new();
    let all = kustomization.generator_options.as_ref();
    for generator in &kustomization.config_map_generator {
        let options = generators::merged_options(generator.options.clone(), all);
        plugins.push((Plugin::ConfigMap(Generator { options, ..generator.clone() }), "ConfigMapGenerator"));
    }
    for generator in &kustomization.secret_generator {
        let options = generators::merged_options(generator.options.clone(), all);
        plugins.push((Plugin::Secret(SecretGenerator { options, ..generator.clone() }), "SecretGenerator"));
    }
    let globals = kustomization.helm_globals.clone().unwrap_or_default();
    for chart in &kustomization.helm_charts {
        let mut chart = chart.clone();
        if chart.namespace.is_empty() {
            chart.namespace = match kustomization.namespace.as_str() {
                "" => helm_namespace.into(),
                namespace => namespace.into(),
            };
        }
        let name = "HelmChartInflationGenerator";
        let generator = ChartGenerator::new(&globals, &chart, loader, context).map_err(|error| {
            let mut config = chart.encode().unwrap_or_else(Value::object);
            if let Some(Value::Object(globals)) = globals.encode() {
                config = Value::Object(merge(&globals, &config));
            }
            trouble(error, name, &config)
        })?;
        plugins.push((Plugin::Helm(Box::new(generator)), name));
    }
    Ok(plugins)
}

fn merge(a: &windlass_yaml::Map, b: &Value) -> windlass_yaml::Map {
    let mut merged = a.clone();
    for (key, value) in b.as_object().into_iter().flat_map(windlass_yaml::Map::iter) {
        merged.insert(key.clone(), value.clone());
    }
    merged
}

fn trouble(error: Error, name: &str, config: &Value) -> Error {
    let config = windlass_yaml::to_yaml(config);
    error.wrap(format!("trouble configuring builtin {name} with config: `\n{config}`"))
}

/// The transformers that a kustomization's fields mean, in kustomize's order.
pub(crate) fn transformers(
    kustomization: &Kustomization,
    config: &TransformerConfig,
    loader: &Loader<'_>,
    context: &Context<'_>,
) -> Result<Vec<(Plugin, &'static str)>> {
    let mut plugins = Vec::new();
    if !kustomization.patches_strategic_merge.is_empty() {
        let name = "PatchStrategicMergeTransformer";
        let own =
            StrategicConfig { paths: kustomization.patches_strategic_merge.clone(), ..Default::default() };
        plugins.push((configured(&own, name, |own| patches::strategic(own, loader))?, name));
    }
    for patch in &kustomization.patches {
        let name = "PatchTransformer";
        let own = PatchConfig {
            path: patch.path.clone(),
            patch: patch.patch.clone(),
            target: patch.target.clone(),
            options: patch.options.clone(),
        };
        plugins.push((configured(&own, name, |own| patches::patch(own, loader))?, name));
    }
    if !kustomization.namespace.is_empty() {
        let setting = NamespaceSetting {
            namespace: kustomization.namespace.clone(),
            specs: config.namespace.clone(),
            unset_only: false,
            subjects: Subjects::NamedDefault,
        };
        plugins.push((Plugin::Namespace(setting), "NamespaceTransformer"));
    }
    if !kustomization.name_prefix.is_empty() {
        let own = PrefixConfig {
            prefix: kustomization.name_prefix.clone(),
            field_specs: config.name_prefix.clone(),
        };
        plugins.push((Plugin::Prefix(own), "PrefixTransformer"));
    }
    if !kustomization.name_suffix.is_empty() {
        let own = SuffixConfig {
            suffix: kustomization.name_suffix.clone(),
            field_specs: config.name_suffix.clone(),
        };
        plugins.push((Plugin::Suffix(own), "SuffixTransformer"));
    }
    labels(kustomization, config, &mut plugins)?;
    if !kustomization.common_annotations.is_empty() {
        let own = AnnotationsConfig {
            annotations: kustomization.common_annotations.clone(),
            field_specs: config.common_annotations.clone(),
        };
        plugins.push((Plugin::Annotations(own), "AnnotationsTransformer"));
    }
    for patch in &kustomization.patches_json {
        let name = "PatchJson6902Transformer";
        let own = JsonPatchConfig {
            target: patch.target.clone(),
            path: patch.path.clone(),
            operations: patch.patch.clone(),
        };
        plugins.push((configured(&own, name, |own| patches::json(own, loader))?, name));
    }
    for replica in &kustomization.replicas {
        plugins.push((Plugin::Replicas(replica.clone(), config.replicas.clone()), "ReplicaCountTransformer"));
    }
    for image in &kustomization.images {
        plugins.push((image_plugin(image, config.images.clone())?, "ImageTagTransformer"));
    }
    if !kustomization.replacements.is_empty() {
        let name = "ReplacementTransformer";
        let own = ReplacementConfig { replacements: kustomization.replacements.clone() };
        let plugin = replacements(&own, loader).map_err(|error| {
            // The struct that kustomize prints here has no names of its own for its fields.
            let mut config = Value::object();
            config.set_at(&["Replacements"], own.replacements.encode().unwrap_or_default());
            trouble(error, name, &config)
        })?;
        plugins.push((plugin, name));
    }
    let _ = context;
    Ok(plugins)
}

fn configured<C: Encode>(config: &C, name: &str, make: impl FnOnce(&C) -> Result<Plugin>) -> Result<Plugin> {
    make(config).map_err(|error| trouble(error, name, &config.encode().unwrap_or_else(Value::object)))
}

fn labels(
    kustomization: &Kustomization,
    config: &TransformerConfig,
    plugins: &mut Vec<(Plugin, &'static str)>,
) -> Result<()> {
    if kustomization.labels.is_empty() && kustomization.common_labels.is_empty() {
        return Ok(());
    }
    let failed = |error: Error| error.wrap("failed to merge labels");
    for label in &kustomization.labels {
        let mut specs = label.fields.clone();
        FieldSpec::merge_all(&mut specs, &config.labels).map_err(failed)?;
        if label.include_selectors {
            FieldSpec::merge_all(&mut specs, &config.common_labels).map_err(failed)?;
        } else {
            if label.include_templates {
                FieldSpec::merge_all(&mut specs, &config.template_labels)
                    .map_err(|error| error.wrap("failed to merge template fieldSpec"))?;
            }
            FieldSpec::merge_one(&mut specs, &FieldSpec::any("metadata/labels", true)).map_err(failed)?;
        }
        let own = LabelConfig { labels: label.pairs.clone(), field_specs: specs };
        plugins.push((Plugin::Label(own), "LabelTransformer"));
    }
    let own = LabelConfig {
        labels: kustomization.common_labels.clone(),
        field_specs: config.common_labels.clone(),
    };
    plugins.push((Plugin::Label(own), "LabelTransformer"));
    Ok(())
}

fn image_plugin(image: &crate::kustomization::Image, specs: Vec<FieldSpec>) -> Result<Plugin> {
    Ok(Plugin::Image(ImageSetter::new(image.clone())?, specs))
}

fn replacements(config: &ReplacementConfig, loader: &Loader<'_>) -> Result<Plugin> {
    let mut all = Vec::new();
    for replacement in &config.replacements {
        if replacement.path.is_empty() {
            all.push(replacement.clone());
            continue;
        }
        if replacement.source.is_some() || !replacement.targets.is_empty() {
            return Err(Error::invalid("cannot specify both path and inline replacement"));
        }
        let bytes = loader.load(&replacement.path)?;
        let value = value_of(&bytes)?;
        match &value {
            Value::Array(_) => all.extend(from_value::<Vec<Replacement>>(&value)?),
            Value::Object(_) => all.push(from_value(&value)?),
            other => {
                let kind = match other {
                    Value::Null => "invalid",
                    Value::Bool(_) => "bool",
                    Value::String(_) => "string",
                    _ => "float64",
                };
                let message =
                    format!("unsupported replacement type encountered within replacement path: {kind}");
                return Err(Error::invalid(message));
            }
        }
    }
    Ok(Plugin::Replacement(all))
}

/// A file's YAML as `sigs.k8s.io/yaml` reads it.
pub(crate) fn value_of(bytes: &[u8]) -> Result<Value> {
    let text = windlass_yaml::decode_text(bytes)
        .map_err(|error| Error::invalid(format!("error converting YAML to JSON: {error}")))?;
    windlass_yaml::load(&text)
        .map_err(|error| Error::invalid(format!("error converting YAML to JSON: {error}")))
}

fn from_value<T: Decode>(value: &Value) -> Result<T> {
    decode(value, false)
        .map_err(|problem| Error::invalid(format!("error unmarshaling JSON: while decoding JSON: {problem}")))
}

/// The plugin that an object under `generators:`, `transformers:` or `validators:` is.
pub(crate) fn from_object(resource: &Resource, loader: &Loader<'_>, context: &Context<'_>) -> Result<Plugin> {
    let schema = context.schema();
    let id = resource.original_id(&schema);
    if !(id.gvk.group.is_empty() && id.gvk.version == "builtin") {
        let message = format!("external plugins disabled; unable to load external plugin '{}'", id.gvk.kind);
        return Err(Error::new(crate::error::ErrorKind::Refused, message));
    }
    let value =
        resource.node.to_value().map_err(|error| error.wrap(format!("marshalling yaml from res {id}")))?;
    let plugin = by_kind(resource.kind(), &value, loader, context);
    match plugin {
        Some(plugin) => plugin.map_err(|error| error.wrap(format!("plugin {id} fails configuration"))),
        None => {
            let gvk = resource.gvk();
            // Go prints the struct, which has a String method.
            Err(Error::invalid(format!("unable to load builtin {gvk}")))
        }
    }
}

fn by_kind(kind: &str, value: &Value, loader: &Loader<'_>, context: &Context<'_>) -> Option<Result<Plugin>> {
    let metadata = || -> Result<ObjectMeta> {
        value.get("metadata").map_or_else(|| Ok(ObjectMeta::default()), from_value)
    };
    let plugin = match kind {
        "ConfigMapGenerator" => metadata().and_then(|metadata| {
            let mut own: Generator = from_value(value)?;
            fill(&mut own.name, metadata.name);
            fill(&mut own.namespace, metadata.namespace);
            Ok(Plugin::ConfigMap(own))
        }),
        "SecretGenerator" => metadata().and_then(|metadata| {
            let mut own: SecretGenerator = from_value(value)?;
            fill(&mut own.name, metadata.name);
            fill(&mut own.namespace, metadata.namespace);
            Ok(Plugin::Secret(own))
        }),
        "HelmChartInflationGenerator" => from_value::<HelmGlobals>(value).and_then(|globals| {
            let chart: HelmChart = from_value(value)?;
            ChartGenerator::new(&globals, &chart, loader, context)
                .map(|generator| Plugin::Helm(Box::new(generator)))
        }),
        "IAMPolicyGenerator" => from_value(value).map(Plugin::IamPolicy),
        "AnnotationsTransformer" => from_value(value).map(Plugin::Annotations),
        "HashTransformer" => Ok(Plugin::Hash),
        "ImageTagTransformer" => {
            from_value(value).and_then(|own: ImageConfig| image_plugin(&own.image_tag, own.field_specs))
        }
        "LabelTransformer" => from_value(value).map(Plugin::Label),
        "NamespaceTransformer" => {
            let own = from_value(value)
                .map_err(|error: Error| error.wrap("unmarshalling NamespaceTransformer config"));
            own.and_then(|own: NamespaceConfig| {
                let subjects = Subjects::parse(&own.set_role_binding_subjects)?;
                Ok(Plugin::Namespace(NamespaceSetting {
                    namespace: own.metadata.namespace,
                    specs: own.field_specs,
                    unset_only: own.unset_only,
                    subjects,
                }))
            })
        }
        "PatchJson6902Transformer" => from_value(value).and_then(|own| patches::json(&own, loader)),
        "PatchStrategicMergeTransformer" => {
            from_value(value).and_then(|own| patches::strategic(&own, loader))
        }
        "PatchTransformer" => from_value(value).and_then(|own| patches::patch(&own, loader)),
        "PrefixSuffixTransformer" => from_value(value)
            .and_then(has_specs)
            .and_then(|prefix| Ok(Plugin::PrefixAndSuffix(prefix, from_value(value)?))),
        "PrefixTransformer" => from_value(value).and_then(has_specs).map(Plugin::Prefix),
        "SuffixTransformer" => from_value::<SuffixConfig>(value).and_then(|own| {
            if own.field_specs.is_empty() {
                return Err(Error::invalid("fieldSpecs is not expected to be nil"));
            }
            Ok(Plugin::Suffix(own))
        }),
        "ReplacementTransformer" => from_value(value).and_then(|own| replacements(&own, loader)),
        "ReplicaCountTransformer" => {
            from_value(value).map(|own: ReplicaConfig| Plugin::Replicas(own.replica, own.field_specs))
        }
        "ValueAddTransformer" => from_value(value).and_then(|own| value_add(own, loader)),
        _ => return None,
    };
    Some(plugin)
}

fn has_specs(own: PrefixConfig) -> Result<PrefixConfig> {
    if own.field_specs.is_empty() {
        return Err(Error::invalid("fieldSpecs is not expected to be nil"));
    }
    Ok(own)
}

fn fill(field: &mut smol_str::SmolStr, other: smol_str::SmolStr) {
    if field.is_empty() {
        *field = other;
    }
}

fn value_add(mut own: ValueAddConfig, loader: &Loader<'_>) -> Result<Plugin> {
    own.value = own.value.trim().into();
    if own.value.is_empty() {
        own.value = loader.root().rsplit('/').next().unwrap_or_default().into();
    }
    if !own.target_file_path.is_empty() {
        let value = value_of(&loader.load(&own.target_file_path)?)?;
        let more: ValueAddConfig = from_value(&value)?;
        own.targets.extend(more.targets);
    }
    if own.targets.is_empty() {
        return Err(Error::invalid("must specify at least one target"));
    }
    for target in &own.targets {
        if target.field_path.is_empty() {
            return Err(Error::invalid("fieldPath cannot be empty"));
        }
        if target.file_path_position < 0 {
            let position = target.file_path_position;
            return Err(Error::invalid(format!("value of FilePathPosition ({position}) cannot be negative")));
        }
    }
    Ok(Plugin::ValueAdd(own))
}

impl Plugin {
    /// Whether it makes resources.
    pub(crate) fn is_generator(&self) -> bool {
        matches!(self, Self::ConfigMap(_) | Self::Secret(_) | Self::Helm(_) | Self::IamPolicy(_))
    }

    /// Makes resources.
    pub(crate) fn generate(&self, loader: &Loader<'_>, context: &Context<'_>) -> Result<ResMap> {
        let schema = context.schema();
        let one = |resource: Resource| ResMap::from_resources([resource], &schema);
        match self {
            Self::ConfigMap(generator) => one(generators::config_map(loader, generator)?),
            Self::Secret(generator) => one(generators::secret(loader, generator)?),
            Self::Helm(generator) => generator.generate(loader, context),
            Self::IamPolicy(policy) => one(iam_policy(policy)?),
            _ => Ok(ResMap::new()),
        }
    }
}

/// The service account that a policy for Google's cloud describes.
fn iam_policy(policy: &IamPolicyConfig) -> Result<Resource> {
    if policy.cloud != "gke" {
        return Err(Error::invalid(format!("cloud provider {} not supported yet", policy.cloud)));
    }
    let service = &policy.kubernetes_service;
    let account = &policy.service_account;
    let email = format!("{}@{}.iam.gserviceaccount.com", account.name, account.project_id);
    let mut node = Node::map();
    node.set_field("apiVersion", Node::string("v1"))?;
    node.set_field("kind", Node::string("ServiceAccount"))?;
    let metadata = node.lookup_create(crate::node::Kind::Mapping, &["metadata"])?;
    metadata
        .lookup_create(crate::node::Kind::Mapping, &["annotations"])?
        .set_field("iam.gke.io/gcp-service-account", Node::string(email))?;
    metadata.set_field("name", Node::untagged(service.name.clone()))?;
    if !service.namespace.is_empty() {
        metadata.set_field("namespace", Node::untagged(service.namespace.clone()))?;
    }
    Ok(Resource::new(node))
}
