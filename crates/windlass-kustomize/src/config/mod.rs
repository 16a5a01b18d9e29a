//! Where transformers look: the built-in tables and what configurations add to them.

pub(crate) mod crds;

use std::sync::{Arc, LazyLock};

use smol_str::SmolStr;

use crate::decode::{decode, record};
use crate::error::{Error, Result};
use crate::filters::field_spec::FieldSpec;
use crate::res_id::Gvk;

record! {
    /// A kind, and the fields where its names stand.
    pub(crate) struct NameReference("NameBackReferences") {
        /// The group.
        group: SmolStr = "group" in "Gvk",
        /// The version.
        version: SmolStr = "version" in "Gvk",
        /// The kind.
        kind: SmolStr = "kind" in "Gvk",
        /// The fields.
        referrers: Vec<FieldSpec> = "fieldSpecs",
    }
}

record! {
    /// The fields each transformer works on.
    pub(crate) struct TransformerConfig("TransformerConfig") {
        /// Names that get a prefix.
        name_prefix: Vec<FieldSpec> = "namePrefix",
        /// Names that get a suffix.
        name_suffix: Vec<FieldSpec> = "nameSuffix",
        /// Namespaces.
        namespace: Vec<FieldSpec> = "namespace",
        /// Labels and selectors.
        common_labels: Vec<FieldSpec> = "commonLabels",
        /// Further places of labels.
        labels: Vec<FieldSpec> = "labels",
        /// Labels of objects and templates.
        template_labels: Vec<FieldSpec> = "templateLabels",
        /// Annotations.
        common_annotations: Vec<FieldSpec> = "commonAnnotations",
        /// Names of other resources.
        name_reference: Vec<NameReference> = "nameReference",
        /// Fields that may mention variables.
        var_reference: Vec<FieldSpec> = "varReference",
        /// Images.
        images: Vec<FieldSpec> = "images",
        /// Numbers of replicas.
        replicas: Vec<FieldSpec> = "replicas",
    }
}

impl NameReference {
    /// The kind that is referred to.
    #[must_use]
    pub(crate) fn gvk(&self) -> Gvk {
        Gvk { group: self.group.clone(), version: self.version.clone(), kind: self.kind.clone() }
    }
}

/// What kustomize has built in.
static DEFAULTS: LazyLock<Arc<TransformerConfig>> =
    LazyLock::new(|| Arc::new(read_defaults(include_str!("defaults.txt"))));

/// The built-in tables after they were merged into empty ones, which is where every kustomization begins: a
/// field of any kind is then dropped where the same field of one kind comes before it.
static FIRST_MERGE: LazyLock<Arc<TransformerConfig>> = LazyLock::new(|| {
    let merged = merge(Arc::default(), &DEFAULTS);
    merged.unwrap_or_else(|_| Arc::clone(&DEFAULTS))
});

fn read_defaults(text: &str) -> TransformerConfig {
    let mut config = TransformerConfig::default();
    let mut table = "";
    let part = |text: &str| if text == "-" { SmolStr::default() } else { SmolStr::from(text) };
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        let words: Vec<&str> = line.split_whitespace().collect();
        match words[..] {
            [name] => table = name,
            [name, group, version, kind] => {
                table = name;
                let referrers = Vec::new();
                let reference =
                    NameReference { group: part(group), version: part(version), kind: part(kind), referrers };
                config.name_reference.push(reference);
            }
            [group, version, kind, create, path] => {
                let gvk = Gvk { group: part(group), version: part(version), kind: part(kind) };
                let spec = FieldSpec::new(gvk, path, create == "+");
                config.table(table).push(spec);
            }
            _ => {}
        }
    }
    config.sort();
    config
}

impl TransformerConfig {
    /// The built-in tables.
    #[must_use]
    pub(crate) fn defaults() -> Arc<Self> {
        Arc::clone(&DEFAULTS)
    }

    /// Reads a configuration's file.
    ///
    /// # Errors
    /// Text that is not YAML, unknown fields, values of a wrong type.
    pub(crate) fn load(text: &str) -> Result<Self> {
        let options = windlass_yaml::LoadOptions { strict: true, ..windlass_yaml::LoadOptions::default() };
        let value = windlass_yaml::load_with(text, &options)
            .map_err(|error| Error::invalid(format!("error converting YAML to JSON: {error}")))?;
        let mut config: Self = decode(&value, true).map_err(|problem| {
            Error::invalid(format!("error unmarshaling JSON: while decoding JSON: {problem}"))
        })?;
        config.sort();
        Ok(config)
    }

    fn table(&mut self, name: &str) -> &mut Vec<FieldSpec> {
        match name {
            "namePrefix" => &mut self.name_prefix,
            "nameSuffix" => &mut self.name_suffix,
            "namespace" => &mut self.namespace,
            "commonLabels" => &mut self.common_labels,
            "labels" => &mut self.labels,
            "templateLabels" => &mut self.template_labels,
            "commonAnnotations" => &mut self.common_annotations,
            "varReference" => &mut self.var_reference,
            "images" => &mut self.images,
            "replicas" => &mut self.replicas,
            _ => {
                if self.name_reference.is_empty() {
                    self.name_reference.push(NameReference::default());
                }
                &mut self.name_reference.last_mut().expect("one was put in").referrers
            }
        }
    }

    fn sort(&mut self) {
        for table in self.tables_mut() {
            table.1.sort_by_cached_key(|spec| order_key(&spec.gvk));
        }
        self.name_reference.sort_by_cached_key(|reference| order_key(&reference.gvk()));
    }

    fn tables_mut(&mut self) -> [(&'static str, &mut Vec<FieldSpec>); 10] {
        [
            ("NamePrefix", &mut self.name_prefix),
            ("NameSuffix", &mut self.name_suffix),
            ("NameSpace", &mut self.namespace),
            ("CommonAnnotations", &mut self.common_annotations),
            ("CommonLabels", &mut self.common_labels),
            ("Labels", &mut self.labels),
            ("TemplateLabels", &mut self.template_labels),
            ("VarReference", &mut self.var_reference),
            ("Images", &mut self.images),
            ("Replicas", &mut self.replicas),
        ]
    }

    /// Both configurations in one.
    ///
    /// # Errors
    /// The same field, once to be created and once not.
    pub(crate) fn merged(self: Arc<Self>, other: &Arc<Self>) -> Result<Arc<Self>> {
        let is_empty = |config: &Arc<Self>| **config == Self::default();
        let is_built_in =
            |config: &Arc<Self>| Arc::ptr_eq(config, &DEFAULTS) || Arc::ptr_eq(config, &FIRST_MERGE);
        if is_built_in(other) && Arc::ptr_eq(&self, &FIRST_MERGE) || is_empty(other) {
            return Ok(self);
        }
        if is_built_in(other) && is_empty(&self) {
            return Ok(Arc::clone(&FIRST_MERGE));
        }
        merge(self, other)
    }
}

fn merge(
    mut config: Arc<TransformerConfig>,
    other: &Arc<TransformerConfig>,
) -> Result<Arc<TransformerConfig>> {
    let merged = Arc::make_mut(&mut config);
    let mut theirs = (**other).clone();
    for ((name, own), (_, theirs)) in merged.tables_mut().into_iter().zip(theirs.tables_mut()) {
        FieldSpec::merge_all(own, theirs)
            .map_err(|error| error.wrap(format!("failed to merge {name} fieldSpec")))?;
    }
    for theirs in &theirs.name_reference {
        match merged.name_reference.iter_mut().find(|own| own.gvk() == theirs.gvk()) {
            Some(own) => FieldSpec::merge_all(&mut own.referrers, &theirs.referrers)
                .map_err(|error| error.wrap("failed to merge NameReference fieldSpec"))?,
            None => merged.name_reference.push(theirs.clone()),
        }
    }
    merged.sort();
    Ok(config)
}

/// Kinds that come first.
pub(crate) const FIRST: [&str; 22] = [
    "Namespace",
    "ResourceQuota",
    "StorageClass",
    "CustomResourceDefinition",
    "ServiceAccount",
    "PodSecurityPolicy",
    "Role",
    "ClusterRole",
    "RoleBinding",
    "ClusterRoleBinding",
    "ConfigMap",
    "Secret",
    "Endpoints",
    "Service",
    "LimitRange",
    "PriorityClass",
    "PersistentVolume",
    "PersistentVolumeClaim",
    "Deployment",
    "StatefulSet",
    "CronJob",
    "PodDisruptionBudget",
];

/// Kinds that come last.
pub(crate) const LAST: [&str; 2] = ["MutatingWebhookConfiguration", "ValidatingWebhookConfiguration"];

/// The order of kinds that tables and lists are sorted by: `resid.Gvk.IsLessThan`.
pub(crate) fn order_key(gvk: &Gvk) -> (i32, String) {
    let place = |kinds: &[&str]| kinds.iter().position(|kind| *kind == gvk.kind);
    let rank = match (place(&FIRST), place(&LAST)) {
        (Some(place), _) => i32::try_from(place).unwrap_or(0) - 22,
        (None, Some(place)) => i32::try_from(place).unwrap_or(0) + 1,
        (None, None) => 0,
    };
    let or = |text: &SmolStr, none: &str| if text.is_empty() { none.to_owned() } else { text.to_string() };
    let text = [or(&gvk.group, "~G"), or(&gvk.version, "~V"), or(&gvk.kind, "~K")].join("_");
    (rank, text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_built_in_tables_are_read_whole() {
        let config = TransformerConfig::defaults();
        let count: usize = config.name_reference.iter().map(|it| it.referrers.len()).sum();
        let fields = include_str!("defaults.txt").lines().filter(|line| line.starts_with("  ")).count();
        let mut copy = (*config).clone();
        let others: usize = copy.tables_mut().iter().map(|(_, table)| table.len()).sum();
        assert_eq!(count + others, fields);
    }
}
