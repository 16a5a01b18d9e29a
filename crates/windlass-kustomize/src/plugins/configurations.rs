//! The configurations of plugins, as objects have them.

use std::collections::BTreeMap;

use smol_str::SmolStr;

use crate::decode::record;
use crate::filters::field_spec::FieldSpec;
use crate::kustomization::{Image, ObjectMeta, PatchOptions, Replacement, Replica, Selector};

record! {
    /// Annotations and where they go.
    pub(crate) struct AnnotationsConfig("AnnotationsTransformerPlugin") {
        annotations: BTreeMap<SmolStr, SmolStr> = "annotations",
        field_specs: Vec<FieldSpec> = "fieldSpecs",
    }
}

record! {
    /// Labels and where they go.
    pub(crate) struct LabelConfig("LabelTransformerPlugin") {
        labels: BTreeMap<SmolStr, SmolStr> = "labels",
        field_specs: Vec<FieldSpec> = "fieldSpecs",
    }
}

record! {
    /// A change of images and where it is made.
    pub(crate) struct ImageConfig("ImageTagTransformerPlugin") {
        image_tag: Image = "imageTag",
        field_specs: Vec<FieldSpec> = "fieldSpecs",
    }
}

record! {
    /// A namespace and where it goes.
    pub(crate) struct NamespaceConfig("NamespaceTransformerPlugin") {
        metadata: ObjectMeta = "metadata",
        field_specs: Vec<FieldSpec> = "fieldSpecs",
        unset_only: bool = "unsetOnly",
        set_role_binding_subjects: SmolStr = "setRoleBindingSubjects",
    }
}

record! {
    /// A patch of either sort.
    pub(crate) struct PatchConfig("PatchTransformerPlugin") {
        path: SmolStr = "path",
        patch: SmolStr = "patch",
        target: Option<Selector> = "target",
        options: Option<PatchOptions> = "options",
    }
}

record! {
    /// Strategic merge patches.
    pub(crate) struct StrategicConfig("PatchStrategicMergeTransformerPlugin") {
        paths: Vec<SmolStr> = "paths",
        patches: SmolStr = "patches",
    }
}

record! {
    /// A JSON patch.
    pub(crate) struct JsonPatchConfig("PatchJson6902TransformerPlugin") {
        target: Option<Selector> = "target",
        path: SmolStr = "path",
        operations: SmolStr = "jsonOp",
    }
}

record! {
    /// A prefix and where it goes.
    pub(crate) struct PrefixConfig("PrefixTransformerPlugin") {
        prefix: SmolStr = "prefix",
        field_specs: Vec<FieldSpec> = "fieldSpecs",
    }
}

record! {
    /// A suffix and where it goes.
    pub(crate) struct SuffixConfig("SuffixTransformerPlugin") {
        suffix: SmolStr = "suffix",
        field_specs: Vec<FieldSpec> = "fieldSpecs",
    }
}

record! {
    /// Replacements.
    pub(crate) struct ReplacementConfig("ReplacementTransformerPlugin") {
        replacements: Vec<Replacement> = "replacements",
    }
}

record! {
    /// A number of replicas and where it goes.
    pub(crate) struct ReplicaConfig("ReplicaCountTransformerPlugin") {
        replica: Replica = "replica",
        field_specs: Vec<FieldSpec> = "fieldSpecs",
    }
}

record! {
    /// Where a value is added.
    pub(crate) struct ValueAddTarget("Target") {
        selector: Option<Selector> = "selector",
        field_path: SmolStr = "fieldPath",
        file_path_position: i64 = "filePathPosition",
    }
}

record! {
    /// A value to be added.
    pub(crate) struct ValueAddConfig("ValueAddTransformerPlugin") {
        value: SmolStr = "value",
        targets: Vec<ValueAddTarget> = "targets",
        target_file_path: SmolStr = "targetFilePath",
    }
}

record! {
    /// A Kubernetes service account's name.
    pub(crate) struct KubernetesService("KubernetesService") {
        name: SmolStr = "name",
        namespace: SmolStr = "namespace",
    }
}

record! {
    /// A cloud's service account.
    pub(crate) struct ServiceAccount("ServiceAccount") {
        name: SmolStr = "name",
        project_id: SmolStr = "projectId",
    }
}

record! {
    /// A service account for a cloud.
    pub(crate) struct IamPolicyConfig("IAMPolicyGeneratorPlugin") {
        cloud: SmolStr = "cloud",
        kubernetes_service: KubernetesService = "kubernetesService",
        service_account: ServiceAccount = "serviceAccount",
    }
}
