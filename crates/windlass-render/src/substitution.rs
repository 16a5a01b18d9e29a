//! Variables in rendered objects, as Flux's `postBuild` replaces them: `${name}`, and what a shell can do with it.

mod functions;
mod template;

use std::collections::BTreeMap;

use windlass_kube::{Object, Str};
use windlass_yaml::{YamlError, to_yaml};

/// The label or annotation that keeps an object as it is, with the value `disabled`.
const SUBSTITUTE_MARK: &str = "kustomize.toolkit.fluxcd.io/substitute";

/// Values for the variables of objects.
#[derive(Clone, Default)]
pub struct Substitution {
    variables: BTreeMap<Str, Str>,
    strict: bool,
}

/// Names the variables alone: their values may be secret.
impl std::fmt::Debug for Substitution {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let names: Vec<_> = self.variables.keys().collect();
        f.debug_struct("Substitution").field("variables", &names).field("strict", &self.strict).finish()
    }
}

/// Why variables cannot be replaced. Values are never told.
#[derive(Debug, thiserror::Error)]
pub enum SubstitutionError {
    /// A name that no reference could name.
    #[error("'{name}' var name is invalid, must match '^[_[:alpha:]][_[:alpha:][:digit:]]*$'")]
    Name {
        /// The name.
        name: Str,
    },
    /// A reference that is not well formed.
    #[error("{0}")]
    Syntax(#[from] SyntaxError),
    /// A variable has no value, and that is not allowed.
    #[error("variable not set (strict mode): {name:?}")]
    NotSet {
        /// The variable.
        name: String,
    },
    /// What the text became is no YAML any more.
    #[error("what the variables make of it cannot be parsed")]
    Yaml(#[from] YamlError),
    /// What the text became is no object any more.
    #[error("what the variables make of it is no Kubernetes object")]
    Object(#[from] windlass_kube::NotAnObject),
}

/// What is wrong with a reference, in the words of `fluxcd/pkg/envsubst`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SyntaxError {
    /// An operator that does not exist, or that is not written to its end.
    #[error("bad substitution")]
    Bad,
    /// No `}`.
    #[error("missing closing brace")]
    MissingBrace,
    /// No name after `${`.
    #[error("unable to parse variable name")]
    Name,
    /// No text after an operator that needs some.
    #[error("unable to parse substitution within function")]
    Argument,
    /// A default that does not begin as one.
    #[error("unable to parse default function")]
    Default,
    /// References in references.
    #[error(
        "more than {} references within each other (limit NESTED_REFERENCES)",
        template::NESTED_REFERENCES
    )]
    TooDeep,
}

impl Substitution {
    /// These variables; line breaks are taken out of their values. With `strict` a reference to any other is an error,
    /// else it is empty.
    ///
    /// # Errors
    ///
    /// [`SubstitutionError::Name`].
    pub fn new(
        variables: impl IntoIterator<Item = (Str, Str)>,
        strict: bool,
    ) -> Result<Self, SubstitutionError> {
        let mut known = BTreeMap::new();
        for (name, value) in variables {
            let mut bytes = name.bytes();
            let begins_well = bytes.next().is_some_and(|byte| byte.is_ascii_alphabetic() || byte == b'_');
            if !begins_well || !bytes.all(|byte| byte.is_ascii_alphanumeric() || byte == b'_') {
                return Err(SubstitutionError::Name { name });
            }
            let value = if value.contains('\n') { value.replace('\n', "").into() } else { value };
            known.insert(name, value);
        }
        Ok(Self { variables: known, strict })
    }

    /// Whether there are no variables: Flux 2.9 then leaves objects as they are, unless it is told to replace always.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.variables.is_empty()
    }

    /// The text with its references replaced.
    ///
    /// Only `${…}` refers; `$${` is `${`. The grammar is that of `fluxcd/pkg/envsubst` 1.9.0.
    ///
    /// # Errors
    ///
    /// [`SubstitutionError::Syntax`] and [`SubstitutionError::NotSet`].
    pub fn expand(&self, text: &str) -> Result<String, SubstitutionError> {
        template::expand(text, &|name| match self.variables.get(name) {
            Some(value) => Some(value.as_str()),
            None if self.strict => None,
            None => Some(""),
        })
    }

    /// The object with its references replaced, wherever they stand; what a value makes of its field is decided by
    /// YAML, so `${N}` may become a number.
    ///
    /// # Errors
    ///
    /// [`SubstitutionError`].
    pub fn apply(&self, object: &Object) -> Result<Object, SubstitutionError> {
        let is_off = |value: Option<&str>| value == Some("disabled");
        if is_off(object.label(SUBSTITUTE_MARK)) || is_off(object.annotation(SUBSTITUTE_MARK)) {
            return Ok(object.clone());
        }
        let text = to_yaml(&object.to_value());
        if !text.contains('$') {
            return Ok(object.clone());
        }
        Ok(Object::try_new(windlass_yaml::load(&self.expand(&text)?)?)?)
    }
}
