//! The records inside a kustomization.

use std::collections::BTreeMap;

use smol_str::SmolStr;
use windlass_yaml::Value;

use crate::decode::{Decode, Decoder, Encode, record};
use crate::filters::field_spec::FieldSpec;
use crate::res_id::{Gvk, ResId};

record! {
    /// Name, namespace, labels and annotations.
    pub struct ObjectMeta("ObjectMeta") {
        /// The name.
        name: SmolStr = "name",
        /// The namespace.
        namespace: SmolStr = "namespace",
        /// The labels.
        labels: BTreeMap<SmolStr, SmolStr> = "labels",
        /// The annotations.
        annotations: BTreeMap<SmolStr, SmolStr> = "annotations",
    }
}

record! {
    /// Labels and where they go.
    pub struct Label("Label") {
        /// Keys and values.
        pairs: BTreeMap<SmolStr, SmolStr> = "pairs",
        /// Whether they go into selectors and templates too.
        include_selectors: bool = "includeSelectors",
        /// Whether they go into templates too.
        include_templates: bool = "includeTemplates",
        /// Further fields they go to.
        fields: Vec<FieldSpec> = "fields",
    }
}

record! {
    /// A field of certain kinds, as it is written.
    struct WrittenFieldSpec("FieldSpec") {
        /// The group; empty for any.
        group: SmolStr = "group" in "Gvk",
        /// The version; empty for any.
        version: SmolStr = "version" in "Gvk",
        /// The kind; empty for any.
        kind: SmolStr = "kind" in "Gvk",
        /// The path: keys with `/` between them, `[]` behind lists.
        path: SmolStr = "path",
        /// Whether the field is created.
        create: bool = "create",
    }
}

impl Decode for FieldSpec {
    fn go_type() -> String {
        WrittenFieldSpec::go_type()
    }

    fn decode(value: &Value, decoder: &mut Decoder) -> Self {
        let WrittenFieldSpec { group, version, kind, path, create } =
            WrittenFieldSpec::decode(value, decoder);
        Self::new(Gvk { group, version, kind }, path, create)
    }
}

record! {
    /// Which resources are meant.
    pub struct Selector("Selector") {
        /// A regular expression for the group.
        group: SmolStr = "group" in "ResId.Gvk",
        /// A regular expression for the version.
        version: SmolStr = "version" in "ResId.Gvk",
        /// A regular expression for the kind.
        kind: SmolStr = "kind" in "ResId.Gvk",
        /// A regular expression for the name.
        name: SmolStr = "name" in "ResId",
        /// A regular expression for the namespace.
        namespace: SmolStr = "namespace" in "ResId",
        /// A selector of annotations.
        annotation_selector: SmolStr = "annotationSelector",
        /// A selector of labels.
        label_selector: SmolStr = "labelSelector",
    }
}

record! {
    /// What a patch may do beside patching.
    pub struct PatchOptions("PatchArgs") {
        /// Whether it may change the target's name.
        allow_name_change: bool = "allowNameChange",
        /// Whether it may change the target's kind.
        allow_kind_change: bool = "allowKindChange",
    }
}

record! {
    /// A patch: strategic merge or JSON.
    pub struct Patch("Patch") {
        /// The file with the patch.
        path: SmolStr = "path",
        /// The patch itself.
        patch: SmolStr = "patch",
        /// What is patched.
        target: Option<Selector> = "target",
        /// What the patch may do beside.
        options: Option<PatchOptions> = "options",
    }
}

record! {
    /// A change of image names, tags and digests.
    pub struct Image("Image") {
        /// The name of the image that is changed.
        name: SmolStr = "name",
        /// Its new name.
        new_name: SmolStr = "newName",
        /// What is put behind its tag.
        tag_suffix: SmolStr = "tagSuffix",
        /// Its new tag.
        new_tag: SmolStr = "newTag",
        /// Its new digest.
        digest: SmolStr = "digest",
    }
}

record! {
    /// How a value is taken from or put into a field.
    pub struct FieldOptions("FieldOptions") {
        /// What the field is split at.
        delimiter: SmolStr = "delimiter",
        /// Which part is meant.
        index: i64 = "index",
        /// Not used by kustomize.
        encoding: SmolStr = "encoding",
        /// Whether the field is created.
        create: bool = "create",
    }
}

record! {
    /// Where a replacement's value comes from.
    pub struct SourceSelector("SourceSelector") {
        /// The group.
        group: SmolStr = "group" in "ResId.Gvk",
        /// The version.
        version: SmolStr = "version" in "ResId.Gvk",
        /// The kind.
        kind: SmolStr = "kind" in "ResId.Gvk",
        /// The name.
        name: SmolStr = "name" in "ResId",
        /// The namespace.
        namespace: SmolStr = "namespace" in "ResId",
        /// The field; `metadata.name` unless said otherwise.
        field_path: SmolStr = "fieldPath",
        /// Which part of it.
        options: Option<FieldOptions> = "options",
    }
}

record! {
    /// Where a replacement's value goes.
    pub struct TargetSelector("TargetSelector") {
        /// The resources.
        select: Option<Selector> = "select",
        /// Those of them that are left alone.
        reject: Vec<Option<Selector>> = "reject",
        /// The fields.
        field_paths: Vec<SmolStr> = "fieldPaths",
        /// Which part of them.
        options: Option<FieldOptions> = "options",
    }
}

record! {
    /// A value that is copied from one resource into others, or a file with such.
    pub struct Replacement("ReplacementField") {
        /// Where the value comes from.
        source: Option<SourceSelector> = "source" in "Replacement",
        /// Where it goes.
        targets: Vec<Option<TargetSelector>> = "targets" in "Replacement",
        /// The value itself.
        source_value: Option<SmolStr> = "sourceValue" in "Replacement",
        /// The file with the replacement instead.
        path: SmolStr = "path",
    }
}

record! {
    /// A number of replicas.
    pub struct Replica("Replica") {
        /// The resource's name.
        name: SmolStr = "name",
        /// The number.
        count: i64 = "count",
    }
}

record! {
    /// The object of a variable.
    pub struct VarTarget("Target") {
        /// Group and version in one.
        api_version: SmolStr = "apiVersion",
        /// The group.
        group: SmolStr = "group" in "Gvk",
        /// The version.
        version: SmolStr = "version" in "Gvk",
        /// The kind.
        kind: SmolStr = "kind" in "Gvk",
        /// The name.
        name: SmolStr = "name",
        /// The namespace; empty for any.
        namespace: SmolStr = "namespace",
    }
}

record! {
    /// The field of a variable.
    pub struct FieldReference("FieldSelector") {
        /// The path, with dots.
        field_path: SmolStr = "fieldPath",
    }
}

record! {
    /// A variable: a name for a field of an object.
    pub struct Var("Var") {
        /// The name.
        name: SmolStr = "name",
        /// The object.
        object: VarTarget = "objref",
        /// The field.
        field: FieldReference = "fieldref",
    }
}

record! {
    /// First and last kinds of the legacy order.
    pub struct LegacySortOptions("LegacySortOptions") {
        /// Kinds that come first.
        order_first: Vec<SmolStr> = "orderFirst",
        /// Kinds that come last.
        order_last: Vec<SmolStr> = "orderLast",
    }
}

record! {
    /// The order of the output.
    pub struct SortOptions("SortOptions") {
        /// `legacy` or `fifo`.
        order: SmolStr = "order",
        /// The kinds of the legacy order.
        legacy: Option<LegacySortOptions> = "legacySortOptions",
    }
}

record! {
    /// Options of generators.
    pub struct GeneratorOptions("GeneratorOptions") {
        /// Labels of what is generated.
        labels: BTreeMap<SmolStr, SmolStr> = "labels",
        /// Annotations of what is generated.
        annotations: BTreeMap<SmolStr, SmolStr> = "annotations",
        /// Whether no hash goes behind the name.
        disable_name_suffix_hash: bool = "disableNameSuffixHash",
        /// Whether what is generated is immutable.
        immutable: bool = "immutable",
    }
}

record! {
    /// A ConfigMap or Secret to be generated.
    pub struct Generator("ConfigMapArgs") {
        /// The namespace.
        namespace: SmolStr = "namespace" in "GeneratorArgs",
        /// The name.
        name: SmolStr = "name" in "GeneratorArgs",
        /// `create`, `replace` or `merge`.
        behavior: SmolStr = "behavior" in "GeneratorArgs",
        /// `key=value`.
        literals: Vec<SmolStr> = "literals" in "GeneratorArgs.KvPairSources",
        /// `path` or `key=path`.
        files: Vec<SmolStr> = "files" in "GeneratorArgs.KvPairSources",
        /// Files of `key=value` lines.
        envs: Vec<SmolStr> = "envs" in "GeneratorArgs.KvPairSources",
        /// One such file, deprecated.
        env: SmolStr = "env" in "GeneratorArgs.KvPairSources",
        /// Options.
        options: Option<GeneratorOptions> = "options" in "GeneratorArgs",
    }
}

record! {
    /// A Secret to be generated.
    pub struct SecretGenerator("SecretArgs") {
        /// The namespace.
        namespace: SmolStr = "namespace" in "GeneratorArgs",
        /// The name.
        name: SmolStr = "name" in "GeneratorArgs",
        /// `create`, `replace` or `merge`.
        behavior: SmolStr = "behavior" in "GeneratorArgs",
        /// `key=value`.
        literals: Vec<SmolStr> = "literals" in "GeneratorArgs.KvPairSources",
        /// `path` or `key=path`.
        files: Vec<SmolStr> = "files" in "GeneratorArgs.KvPairSources",
        /// Files of `key=value` lines.
        envs: Vec<SmolStr> = "envs" in "GeneratorArgs.KvPairSources",
        /// One such file, deprecated.
        env: SmolStr = "env" in "GeneratorArgs.KvPairSources",
        /// Options.
        options: Option<GeneratorOptions> = "options" in "GeneratorArgs",
        /// The Secret's type; `Opaque` unless said otherwise.
        secret_type: SmolStr = "type",
    }
}

record! {
    /// Settings for all charts.
    pub struct HelmGlobals("HelmGlobals") {
        /// The folder of charts; `charts` unless said otherwise.
        chart_home: SmolStr = "chartHome",
        /// Helm's own settings, which are not used here.
        config_home: SmolStr = "configHome",
    }
}

record! {
    /// A chart to be rendered.
    pub struct HelmChart("HelmChart") {
        /// The chart's name.
        name: SmolStr = "name",
        /// Its version.
        version: SmolStr = "version",
        /// Its repository.
        repo: SmolStr = "repo",
        /// The release's name.
        release_name: SmolStr = "releaseName",
        /// The release's namespace.
        namespace: SmolStr = "namespace",
        /// Further files of values.
        additional_values_files: Vec<SmolStr> = "additionalValuesFiles",
        /// The file of values.
        values_file: SmolStr = "valuesFile",
        /// Values.
        values_inline: Option<Value> = "valuesInline",
        /// `merge`, `override` or `replace`.
        values_merge: SmolStr = "valuesMerge",
        /// Whether the chart's CRDs are rendered.
        include_crds: bool = "includeCRDs",
        /// Whether hooks are left out.
        skip_hooks: bool = "skipHooks",
        /// API versions that the cluster is taken to have.
        api_versions: Vec<SmolStr> = "apiVersions",
        /// The cluster's version.
        kube_version: SmolStr = "kubeVersion",
        /// A template for the release's name.
        name_template: SmolStr = "nameTemplate",
        /// Whether tests are left out.
        skip_tests: bool = "skipTests",
        /// Whether Helm prints more.
        debug: bool = "debug",
        /// Whether versions before a release count.
        devel: bool = "devel",
    }
}

record! {
    /// A chart to be rendered, in the deprecated form.
    pub struct HelmChartArguments("HelmChartArgs") {
        /// The chart's name.
        chart_name: SmolStr = "chartName",
        /// Its version.
        chart_version: SmolStr = "chartVersion",
        /// Its repository.
        chart_repo_url: SmolStr = "chartRepoUrl",
        /// The folder of charts.
        chart_home: SmolStr = "chartHome",
        /// Not used by kustomize.
        chart_repo_name: SmolStr = "chartRepoName",
        /// Not used by kustomize.
        helm_bin: SmolStr = "helmBin",
        /// Helm's own settings.
        helm_home: SmolStr = "helmHome",
        /// The file of values.
        values: SmolStr = "values",
        /// Values.
        values_local: Option<Value> = "valuesLocal",
        /// `merge`, `override` or `replace`.
        values_merge: SmolStr = "valuesMerge",
        /// The release's name.
        release_name: SmolStr = "releaseName",
        /// Not used by kustomize.
        release_namespace: SmolStr = "releaseNamespace",
        /// Not used by kustomize.
        extra_args: Vec<SmolStr> = "extraArgs",
    }
}

impl SourceSelector {
    /// The identity that is looked for.
    #[must_use]
    pub fn id(&self) -> ResId {
        ResId {
            gvk: Gvk { group: self.group.clone(), version: self.version.clone(), kind: self.kind.clone() },
            name: self.name.clone(),
            namespace: self.namespace.clone(),
            cluster_scoped: false,
        }
    }
}

impl VarTarget {
    /// Group, version and kind; `apiVersion` wins.
    #[must_use]
    pub fn gvk(&self) -> Gvk {
        let (mut group, mut version) = (self.group.clone(), self.version.clone());
        match self.api_version.split('/').collect::<Vec<_>>()[..] {
            [""] => {}
            [only] => version = only.into(),
            [first, second] => (group, version) = (first.into(), second.into()),
            _ => {}
        }
        Gvk { group, version, kind: self.kind.clone() }
    }
}

impl Encode for FieldSpec {
    fn encode(&self) -> Option<Value> {
        let Gvk { group, version, kind } = self.gvk.clone();
        WrittenFieldSpec { group, version, kind, path: self.path().into(), create: self.create }.encode()
    }
}

impl Default for FieldSpec {
    fn default() -> Self {
        Self::new(Gvk::default(), "", false)
    }
}
