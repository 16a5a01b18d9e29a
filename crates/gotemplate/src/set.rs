//! Templates that can call each other.

use std::collections::HashMap;
use std::sync::Arc;

use crate::context::{Context, Limits, World};
use crate::error::{ExecError, ParseError};
use crate::function::Functions;
use crate::value::{Str, Value};

/// What looking up a key that a map does not have gives.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum MissingKey {
    /// No value, which prints `<no value>`.
    #[default]
    Default,
    /// The zero value of the map's element type, which for `any` is nil.
    Zero,
    /// An error.
    Error,
}

/// One parsed template.
pub(crate) struct Template {}

/// Templates that can call each other by name, and the functions they can call.
///
/// Parsing adds the text under its name, and each `define` and `block` in it under theirs. As in Go, the later
/// definition replaces the earlier one, except that one of nothing but space and comments never replaces.
pub struct TemplateSet {
    outer: Option<Arc<TemplateSet>>,
    templates: HashMap<Str, Arc<Template>>,
    functions: Arc<Functions>,
    missing_key: MissingKey,
    delimiters: Option<(Str, Str)>,
}

impl TemplateSet {
    /// A set without templates.
    #[must_use]
    pub fn new(functions: impl Into<Arc<Functions>>) -> Self {
        Self {
            outer: None,
            templates: HashMap::new(),
            functions: functions.into(),
            missing_key: MissingKey::Default,
            delimiters: None,
        }
    }

    /// This set, with another answer to missing keys.
    #[must_use]
    pub fn missing_key(mut self, missing_key: MissingKey) -> Self {
        self.missing_key = missing_key;
        self
    }

    /// This set, with other delimiters than `{{` and `}}` for what is parsed from now on; an empty one stands
    /// for the usual one.
    #[must_use]
    pub fn delimiters(mut self, left: impl Into<Str>, right: impl Into<Str>) -> Self {
        self.delimiters = Some((left.into(), right.into()));
        self
    }

    /// Parses `text` as the template `name`, with the templates that it defines.
    ///
    /// # Errors
    /// If it is no template; nothing is added then.
    pub fn parse(&mut self, _name: &str, _text: &str) -> Result<(), ParseError> {
        Ok(())
    }

    /// A new set that sees all templates of this one, and can add and replace without this one noticing.
    ///
    /// Costs the same however many templates there are: what Helm's `tpl` parses into.
    #[must_use]
    pub fn extend(self: &Arc<Self>) -> Self {
        Self {
            outer: Some(Arc::clone(self)),
            templates: HashMap::new(),
            functions: Arc::clone(&self.functions),
            missing_key: self.missing_key,
            delimiters: self.delimiters.clone(),
        }
    }

    /// This set, calling other functions from what is parsed from now on.
    #[must_use]
    pub fn with_functions(mut self, functions: impl Into<Arc<Functions>>) -> Self {
        self.functions = functions.into();
        self
    }

    /// The functions.
    #[must_use]
    pub fn functions(&self) -> &Arc<Functions> {
        &self.functions
    }

    /// Whether there is a template of that name.
    #[must_use]
    pub fn contains(&self, name: &str) -> bool {
        self.lookup(name.as_bytes()).is_some()
    }

    /// The names of all templates, sorted.
    #[must_use]
    pub fn names(&self) -> Vec<Str> {
        let mut names = self.outer.as_ref().map_or_else(Vec::new, |outer| outer.names());
        names.extend(self.templates.keys().cloned());
        names.sort();
        names.dedup();
        names
    }

    /// Executes the template `name` with the dot at `data`, and returns what it prints.
    ///
    /// # Errors
    /// What it fails with; what it printed until then is lost.
    pub fn execute(
        self: &Arc<Self>,
        name: &str,
        data: &Value,
        limits: Limits,
        world: &mut dyn World,
    ) -> Result<Vec<u8>, ExecError> {
        crate::exec::execute(&mut Context::new(Arc::clone(self), limits, world), name, data)
    }

    pub(crate) fn lookup(&self, name: &[u8]) -> Option<&Arc<Template>> {
        match self.templates.get(name) {
            Some(template) => Some(template),
            None => self.outer.as_ref()?.lookup(name),
        }
    }
}
