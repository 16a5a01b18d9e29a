//! Templates that can call each other.

use std::collections::HashMap;
use std::sync::Arc;

use crate::context::{Context, Limits, World};
use crate::error::{ExecError, ParseError};
use crate::function::Functions;
use crate::parse;
use crate::tree::Template;
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
    name: Str,
    /// How many sets are extended inside each other.
    generation: usize,
}

/// How many sets may extend each other before their templates are copied into one: a lookup asks each in turn.
const MAX_GENERATIONS: usize = 8;

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
            name: Str::new(),
            generation: 0,
        }
    }

    /// This set, with another answer to missing keys.
    #[must_use]
    pub fn missing_key(mut self, missing_key: MissingKey) -> Self {
        self.missing_key = missing_key;
        self
    }

    /// This set, with a name, which shows only in the error that it has no template of some other name.
    #[must_use]
    pub fn named(mut self, name: impl Into<Str>) -> Self {
        self.name = name.into();
        self
    }

    /// This set, with other delimiters than `{{` and `}}` for what is parsed from now on; an empty one stands
    /// for the usual one.
    #[must_use]
    pub fn delimiters(mut self, left: impl Into<Str>, right: impl Into<Str>) -> Self {
        self.delimiters = Some((left.into(), right.into()));
        self
    }

    /// Parses `text` as the template `name`, with the templates that it defines, and returns the former.
    ///
    /// If the text is nothing but space, and there is a template of that name already, then what is returned is
    /// not what the set has under that name: [`Context::execute_template`] executes it all the same.
    ///
    /// # Errors
    /// If it is no template; nothing is added then.
    pub fn parse(&mut self, name: &str, text: impl AsRef<[u8]>) -> Result<Arc<Template>, ParseError> {
        let parsed = parse::parse(name, text.as_ref(), self.delimiters.as_ref(), &self.functions)?;
        let this = parsed.get(name.as_bytes()).map(Arc::clone);
        for (name, template) in parsed {
            if template.is_empty && self.lookup(name.as_bytes()).is_some() {
                continue;
            }
            self.templates.insert(name, template);
        }
        Ok(this.expect("the parser gives what it was asked for among the rest"))
    }

    /// A new set that sees all templates of this one, and can add and replace without this one noticing.
    ///
    /// Costs the same however many templates there are: what Helm's `tpl` parses into.
    #[must_use]
    pub fn extend(self: &Arc<Self>) -> Self {
        let mut set = Self {
            outer: Some(Arc::clone(self)),
            templates: HashMap::new(),
            functions: Arc::clone(&self.functions),
            missing_key: self.missing_key,
            delimiters: self.delimiters.clone(),
            name: self.name.clone(),
            generation: self.generation + 1,
        };
        if set.generation > MAX_GENERATIONS {
            set.flatten();
        }
        set
    }

    /// Copies the references to all templates into this set alone.
    fn flatten(&mut self) {
        let mut outer = self.outer.take();
        while let Some(set) = outer {
            for (name, template) in &set.templates {
                self.templates.entry(name.clone()).or_insert_with(|| Arc::clone(template));
            }
            outer = set.outer.as_ref().map(Arc::clone);
        }
        self.generation = 0;
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
        let mut output = Vec::new();
        Context::new(Arc::clone(self), limits, world).execute_to(name, data, &mut output)?;
        Ok(output)
    }

    pub(crate) fn name(&self) -> &Str {
        &self.name
    }

    pub(crate) fn missing(&self) -> MissingKey {
        self.missing_key
    }

    /// The template of that name.
    #[must_use]
    pub fn get(&self, name: &(impl AsRef<[u8]> + ?Sized)) -> Option<&Arc<Template>> {
        self.lookup(name.as_ref())
    }

    pub(crate) fn lookup(&self, name: &[u8]) -> Option<&Arc<Template>> {
        match self.templates.get(name) {
            Some(template) => Some(template),
            None => self.outer.as_ref()?.lookup(name),
        }
    }
}
