//! Where an Application comes from.

use windlass_kube::Str;

use crate::field::{Any, Entries, IntOrString, object, text};

object! {
    /// One source of an Application.
    Source {
        /// The URL of the Git repository, Helm repository or OCI artifact.
        repo_url "repoURL": Str [required],
        /// The folder inside a Git repository or OCI artifact.
        path "path": Str,
        /// The branch, tag, commit, version or version range to follow; HEAD when empty.
        target_revision "targetRevision": Str,
        /// Options of the Helm renderer.
        helm "helm": Option<Box<Helm>>,
        /// Options of the Kustomize renderer.
        kustomize "kustomize": Option<Box<Kustomize>>,
        /// Options for folders of plain files.
        directory "directory": Option<Box<Directory>>,
        /// Options of a config management plugin.
        plugin "plugin": Option<Box<Plugin>>,
        /// The name of a chart in a Helm repository.
        chart "chart": Str,
        /// The name by which value files of other sources refer to this one.
        reference "ref": Str,
        /// A name for people.
        name "name": Str,
        /// Only tags with this prefix count, and their rest is compared with a version range.
        tag_prefix "tagPrefix": Str,
    }

    /// Options of the Helm renderer.
    Helm {
        /// Value files, relative to the chart; later ones win.
        value_files "valueFiles": Box<[Str]>,
        /// Single values; they win over all others.
        parameters "parameters": Box<[HelmParameter]>,
        /// The release's name; that of the Application when empty.
        release_name "releaseName": Str,
        /// Values as YAML text.
        values "values": Str,
        /// Single values taken from files.
        file_parameters "fileParameters": Box<[HelmFileParameter]>,
        /// The Helm version; only 3 is known.
        version "version": Str,
        /// Whether credentials go along to other hosts.
        pass_credentials "passCredentials": bool,
        /// Whether a value file that does not exist is passed over.
        ignore_missing_value_files "ignoreMissingValueFiles": bool,
        /// Whether the chart's folder of CustomResourceDefinitions is left out.
        skip_crds "skipCrds": bool,
        /// Values as an object; it wins over the text.
        values_object "valuesObject": Any,
        /// The release's namespace; that of the destination when empty.
        namespace "namespace": Str,
        /// The Kubernetes version that templates see.
        kube_version "kubeVersion": Str,
        /// The API versions that templates see.
        api_versions "apiVersions": Box<[Str]>,
        /// Whether test hooks are left out.
        skip_tests "skipTests": bool,
        /// Whether values are not checked against the chart's schema.
        skip_schema_validation "skipSchemaValidation": bool,
    }

    /// One Helm value.
    HelmParameter {
        /// Its path.
        name "name": Str,
        /// Its value.
        value "value": Str,
        /// Whether the value stays text even if it looks like a number or boolean.
        force_string "forceString": bool,
    }

    /// One Helm value taken from a file.
    HelmFileParameter {
        /// Its path.
        name "name": Str,
        /// The file.
        path "path": Str,
    }

    /// Options of the Kustomize renderer.
    Kustomize {
        /// A prefix for names.
        name_prefix "namePrefix": Str,
        /// A suffix for names.
        name_suffix "nameSuffix": Str,
        /// Image overrides, written `[old=]new[:tag|@digest]`.
        images "images": Box<[Str]>,
        /// Labels for all objects.
        common_labels "commonLabels": Entries<Str>,
        /// The Kustomize version to use.
        version "version": Str,
        /// Annotations for all objects.
        common_annotations "commonAnnotations": Entries<Str>,
        /// Whether labels replace existing ones.
        force_common_labels "forceCommonLabels": bool,
        /// Whether annotations replace existing ones.
        force_common_annotations "forceCommonAnnotations": bool,
        /// The namespace for all objects.
        namespace "namespace": Str,
        /// Whether annotation values may refer to the build environment.
        common_annotations_envsubst "commonAnnotationsEnvsubst": bool,
        /// Replica overrides.
        replicas "replicas": Box<[KustomizeReplicas]>,
        /// Patches.
        patches "patches": Box<[KustomizePatch]>,
        /// Components.
        components "components": Box<[Str]>,
        /// Whether a component that does not exist is passed over.
        ignore_missing_components "ignoreMissingComponents": bool,
        /// Whether labels stay out of selectors.
        label_without_selector "labelWithoutSelector": bool,
        /// The Kubernetes version that charts see.
        kube_version "kubeVersion": Str,
        /// The API versions that charts see.
        api_versions "apiVersions": Box<[Str]>,
        /// Whether labels go into pod templates too.
        label_include_templates "labelIncludeTemplates": bool,
    }

    /// The number of replicas of one workload.
    KustomizeReplicas {
        /// The workload's name.
        name "name": Str [required],
        /// How many.
        count "count": IntOrString [required],
    }

    /// One Kustomize patch.
    KustomizePatch {
        /// The file that holds it.
        path "path": Str,
        /// The patch as text.
        patch "patch": Str,
        /// Which objects it is for.
        target "target": Option<Box<KustomizeSelector>>,
        /// What the patch may change.
        options "options": Entries<bool>,
    }

    /// Chooses objects for a patch.
    KustomizeSelector {
        /// Their group.
        group "group": Str,
        /// Their version.
        version "version": Str,
        /// Their kind.
        kind "kind": Str,
        /// Their name.
        name "name": Str,
        /// Their namespace.
        namespace "namespace": Str,
        /// A selector over annotations.
        annotation_selector "annotationSelector": Str,
        /// A selector over labels.
        label_selector "labelSelector": Str,
    }

    /// Options for folders of plain files.
    Directory {
        /// Whether folders below are read too.
        recurse "recurse": bool,
        /// Options for Jsonnet files.
        jsonnet "jsonnet": Option<Jsonnet>,
        /// Files that match this glob are left out.
        exclude "exclude": Str,
        /// Only files that match this glob are read.
        include "include": Str,
        /// Whether files of any extension are read, not only YAML, JSON and Jsonnet.
        disable_extension_filter "disableExtensionFilter": bool,
    }

    /// Options for Jsonnet files.
    Jsonnet {
        /// External variables.
        ext_vars "extVars": Box<[JsonnetVariable]>,
        /// Top-level arguments.
        tlas "tlas": Box<[JsonnetVariable]>,
        /// Folders in which imports are looked up.
        libs "libs": Box<[Str]>,
    }

    /// One Jsonnet variable.
    JsonnetVariable {
        /// Its name.
        name "name": Str [required],
        /// Its value.
        value "value": Str [required],
        /// Whether the value is Jsonnet code.
        code "code": bool,
    }

    /// Options of a config management plugin.
    Plugin {
        /// The plugin's name; found out when empty.
        name "name": Str,
        /// Its environment.
        env "env": Box<[NameValue]>,
        /// Its parameters.
        parameters "parameters": Box<[PluginParameter]>,
    }

    /// A name and a value.
    NameValue {
        /// The name.
        name "name": Str [required],
        /// The value.
        value "value": Str [required],
    }

    /// One parameter of a plugin.
    PluginParameter {
        /// Its name.
        name "name": Str [always],
        /// Its value, if it is a text.
        string "string": Option<Str>,
        /// Its value, if it is a map.
        map "map": Option<Entries<Str>>,
        /// Its value, if it is a list.
        array "array": Option<Box<[Str]>>,
    }

    /// Renders one source, commits the result, and syncs that.
    SourceHydrator {
        /// What is rendered.
        dry_source "drySource": DrySource [required],
        /// Where the rendered files are synced from.
        sync_source "syncSource": SyncSource [required],
        /// Where the rendered files are written first, if not where they are synced from.
        hydrate_to "hydrateTo": Option<Box<HydrateTo>>,
    }

    /// What a hydrator renders.
    DrySource {
        /// The URL of the Git repository.
        repo_url "repoURL": Str [required],
        /// The revision to follow.
        target_revision "targetRevision": Str [required],
        /// The folder.
        path "path": Str [required],
        /// Options of the Helm renderer.
        helm "helm": Option<Box<Helm>>,
        /// Options of the Kustomize renderer.
        kustomize "kustomize": Option<Box<Kustomize>>,
        /// Options for folders of plain files.
        directory "directory": Option<Box<Directory>>,
        /// Options of a config management plugin.
        plugin "plugin": Option<Box<Plugin>>,
    }

    /// Where rendered files are synced from.
    SyncSource {
        /// The branch.
        target_branch "targetBranch": Str [required],
        /// The folder; never the root.
        path "path": HydratedPath [required],
        /// The URL of the Git repository; that of the dry source when empty.
        repo_url "repoURL": Str,
    }

    /// Where rendered files are written first.
    HydrateTo {
        /// The branch.
        target_branch "targetBranch": Str [required],
    }
}

text! {
    /// The folder of rendered files, which must not be the root.
    HydratedPath {"type": "string", "minLength": 1, "pattern": "^.{2,}|[^./]$"}
}
