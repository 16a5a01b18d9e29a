//! Namespaces of objects, and of what refers to namespaces.

use smol_str::SmolStr;

use super::field_spec::{Create, FieldSpec, apply, apply_settled, gvk_of, set_scalar};
use super::openapi::Schema;
use super::path::{self, Found};
use crate::error::{Error, Result};
use crate::node::{Kind, Node, Scalar, Tag};

/// Which subjects of role bindings get the namespace.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Subjects {
    /// Those named `default`.
    #[default]
    NamedDefault,
    /// All of kind `ServiceAccount`.
    AllServiceAccounts,
    /// None.
    None,
}

impl Subjects {
    /// From a transformer's `setRoleBindingSubjects`.
    ///
    /// # Errors
    /// An unknown word.
    pub fn parse(text: &str) -> Result<Self> {
        match text {
            "" | "defaultOnly" => Ok(Self::NamedDefault),
            "allServiceAccounts" => Ok(Self::AllServiceAccounts),
            "none" => Ok(Self::None),
            _ => Err(Error::invalid(format!(
                "invalid value {text:?} for setRoleBindingSubjects: must be one of \"defaultOnly\", \"none\" or \
                 \"allServiceAccounts\""
            ))),
        }
    }
}

/// A namespace and where it goes.
#[derive(Clone, Debug, Default)]
pub struct NamespaceSetting {
    /// The namespace.
    pub namespace: SmolStr,
    /// Fields that get it beside `metadata.namespace`.
    pub specs: Vec<FieldSpec>,
    /// Whether what is there already stays.
    pub unset_only: bool,
    /// Which subjects of role bindings get it.
    pub subjects: Subjects,
}

const METADATA_NAMESPACE: &str = "metadata/namespace";
const METADATA_NAME: &str = "metadata/name";
const SUBJECTS_NAMESPACE: &str = "subjects/namespace";

impl NamespaceSetting {
    /// Sets the namespace of an object, unless its kind is known to have none, and the fields of the specs.
    ///
    /// # Errors
    /// A field that is no scalar.
    pub fn apply(&self, node: &mut Node, schema: &Schema) -> Result<()> {
        let gvk = gvk_of(node);
        if !schema.is_cluster_scoped(&gvk) {
            let spec = FieldSpec::any(METADATA_NAMESPACE, true);
            apply(node, &spec, Some(Create::UNTAGGED), &mut |field| self.set(field))?;
        }
        let is_binding = is_role_binding(&gvk.kind);
        if is_binding {
            self.bind(node)?;
        }
        let api_version = node.get("apiVersion").map_or("", Node::text);
        let is_meant = |spec: &&FieldSpec| match spec.path() {
            METADATA_NAMESPACE => false,
            // Only a namespace is named like its namespace.
            METADATA_NAME => api_version == "v1",
            SUBJECTS_NAMESPACE => !(is_binding && is_role_binding(&spec.gvk.kind)),
            _ => true,
        };
        let specs: Vec<FieldSpec> = self.specs.iter().filter(is_meant).cloned().collect();
        apply_settled(node, &specs, Some(Create::STRING), &mut |field| self.set(field)).map_err(|error| {
            let words = error.message();
            if words.contains("wrong node kind: ") && !words.contains(" but got ScalarNode") {
                error.wrap("namespace field specs must target scalar nodes")
            } else {
                error.wrap("namespace transformation failed")
            }
        })
    }

    fn set(&self, field: &mut Node) -> Result<()> {
        if self.unset_only && field.kind() == Kind::Scalar && !field.value().is_empty() {
            return Ok(());
        }
        let value = Scalar { value: self.namespace.clone(), tag: Tag::Str, ..Scalar::default() };
        set_scalar(field, value)
    }

    fn bind(&self, node: &mut Node) -> Result<()> {
        let (field, wanted) = match self.subjects {
            Subjects::None => return Ok(()),
            Subjects::NamedDefault => ("name", "default"),
            Subjects::AllServiceAccounts => ("kind", "ServiceAccount"),
        };
        let Some(subjects) = path::lookup_mut(node, &["subjects"])? else { return Ok(()) };
        let prefix = "setting namespace on (cluster)role binding subjects";
        path::items(subjects).map_err(|error| error.wrap(prefix))?;
        for subject in subjects.items_mut().into_iter().flatten() {
            self.bind_subject(subject, field, wanted).map_err(|error| error.wrap(prefix))?;
        }
        Ok(())
    }

    fn bind_subject(&self, subject: &mut Node, field: &str, wanted: &str) -> Result<()> {
        let looking =
            |error: Error| error.wrap(format_args!("looking up {field} on (cluster)role binding subject"));
        let Some(found) = path::field(subject, field).map_err(looking)? else { return Ok(()) };
        found.expect_kind(Kind::Scalar).map_err(looking)?;
        if found.is_null() || found.text() != wanted {
            return Ok(());
        }
        let setting = |error: Error| error.wrap("setting namespace field on (cluster)role binding subject");
        match path::step_create(subject, "namespace", Some(Kind::Scalar)).map_err(setting)? {
            Found::Node(namespace) => self.set(namespace),
            Found::Nothing => Ok(()),
        }
    }
}

fn is_role_binding(kind: &str) -> bool {
    matches!(kind, "RoleBinding" | "ClusterRoleBinding")
}
