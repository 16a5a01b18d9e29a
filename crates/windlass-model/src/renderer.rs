//! How a source is turned into objects, as far as the declaring object says it.

use windlass_kube::Str;

/// How a source is turned into objects.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Renderer {
    /// Whatever the folder turns out to be: a chart, a kustomization, or plain files.
    Detect,
    /// Plain YAML and JSON files, whatever else is there.
    Directory(DirectoryOptions),
    /// A Helm chart.
    Helm(Box<HelmOptions>),
    /// A kustomization.
    Kustomize(Box<KustomizeOptions>),
    /// A plugin that the operator declared.
    Plugin(Box<PluginOptions>),
}

/// What a plugin is given.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct PluginOptions {
    /// The plugin's name, with its version where it has one; found out from the files when empty.
    pub name: Str,
    /// Variables for its environment.
    pub environment: Vec<(Str, Str)>,
    /// Its parameters.
    pub parameters: Vec<PluginParameter>,
}

/// One parameter of a plugin; it may have values of several kinds at once.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct PluginParameter {
    /// Its name.
    pub name: Str,
    /// Its value as a text.
    pub text: Option<Str>,
    /// Its value as a map, sorted by key.
    pub map: Option<Vec<(Str, Str)>>,
    /// Its value as a list.
    pub list: Option<Vec<Str>>,
}

/// Which files of a folder are read.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct DirectoryOptions {
    /// Whether folders below are read too.
    pub recurse: bool,
    /// Only files that match this glob; empty means all.
    pub include: Str,
    /// But not files that match this one.
    pub exclude: Str,
    /// Whether files of any extension are read.
    pub any_extension: bool,
    /// What Jsonnet files are given.
    pub jsonnet: Option<Box<JsonnetOptions>>,
}

/// What Jsonnet programs are given.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct JsonnetOptions {
    /// External variables.
    pub external_variables: Vec<JsonnetVariable>,
    /// Arguments of a program that is a function.
    pub top_level_arguments: Vec<JsonnetVariable>,
    /// Folders in which imports are looked up, from the root of the source on; the last one first.
    pub libraries: Vec<Str>,
}

/// A value for a Jsonnet program.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct JsonnetVariable {
    /// Its name.
    pub name: Str,
    /// Its value: text, or code.
    pub value: Str,
    /// Whether the value is code.
    pub is_code: bool,
}

/// What a chart is rendered with. Values win over one another in the order of the fields that give some.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct HelmOptions {
    /// Value files: relative to the chart, to the repository's root after a slash, to another source after
    /// `$name/`; may be globs. Later ones win.
    pub value_files: Vec<Str>,
    /// Whether a value file that does not exist is passed over.
    pub ignore_missing_value_files: bool,
    /// Values as YAML text; empty means none.
    pub values: Str,
    /// Single values.
    pub parameters: Vec<HelmParameter>,
    /// Single values that are the content of files: names and paths.
    pub file_parameters: Vec<(Str, Str)>,
    /// The release's name; that of the Unit when empty.
    pub release_name: Str,
    /// The release's namespace; that of the target when empty.
    pub namespace: Str,
    /// The version of Kubernetes that templates see; that of the target when empty.
    pub kube_version: Str,
    /// The API versions that templates see; those of the target when empty.
    pub api_versions: Vec<Str>,
    /// Whether the chart's folder of CustomResourceDefinitions is left out.
    pub skip_crds: bool,
    /// Whether hooks that are tests are left out.
    pub skip_tests: bool,
    /// Whether values are used even if the chart's schema forbids them.
    pub skip_schema_validation: bool,
}

/// One value for a chart.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct HelmParameter {
    /// Its path, as `--set` of Helm has it.
    pub name: Str,
    /// Its value.
    pub value: Str,
    /// Whether it stays text even if it looks like a number or boolean.
    pub force_string: bool,
}

/// What is changed about a kustomization before it is built.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct KustomizeOptions {
    /// A prefix for names.
    pub name_prefix: Str,
    /// A suffix for names.
    pub name_suffix: Str,
    /// The namespace for all objects.
    pub namespace: Str,
    /// Image overrides, written `[old=]new[:tag|@digest]`.
    pub images: Vec<Str>,
    /// Replica overrides: names of workloads and counts.
    pub replicas: Vec<(Str, i64)>,
    /// Labels for all objects.
    pub common_labels: Vec<(Str, Str)>,
    /// Whether those replace existing ones.
    pub force_common_labels: bool,
    /// Whether those stay out of selectors.
    pub label_without_selector: bool,
    /// Whether those go into pod templates, where they stay out of selectors.
    pub label_include_templates: bool,
    /// Annotations for all objects.
    pub common_annotations: Vec<(Str, Str)>,
    /// Whether those replace existing ones.
    pub force_common_annotations: bool,
    /// Whether the values of those may refer to the build environment.
    pub common_annotations_envsubst: bool,
    /// Patches.
    pub patches: Vec<KustomizePatch>,
    /// Components.
    pub components: Vec<Str>,
    /// Whether a component that does not exist is passed over.
    pub ignore_missing_components: bool,
    /// The version of Kubernetes that charts see; that of the target when empty.
    pub kube_version: Str,
    /// The API versions that charts see; those of the target when empty.
    pub api_versions: Vec<Str>,
}

/// One patch for a kustomization.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct KustomizePatch {
    /// The file that holds it; empty when it is given as text.
    pub path: Str,
    /// The patch as text.
    pub patch: Str,
    /// Which objects it is for.
    pub target: Option<KustomizeTarget>,
    /// What it may change: `allowNameChange`, `allowKindChange`.
    pub options: Vec<(Str, bool)>,
}

/// Chooses objects for a patch; an empty field chooses all.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct KustomizeTarget {
    /// Their group.
    pub group: Str,
    /// Their version.
    pub version: Str,
    /// Their kind.
    pub kind: Str,
    /// Their name.
    pub name: Str,
    /// Their namespace.
    pub namespace: Str,
    /// A selector over annotations.
    pub annotation_selector: Str,
    /// A selector over labels.
    pub label_selector: Str,
}
