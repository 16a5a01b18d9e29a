//! Executes the templates of a chart and of those inside it.

mod chart_object;
mod cluster;
mod error;
mod files;
mod functions;
mod lookup;
mod scope;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use gotemplate::{Context, MissingKey, ParseError, Template, TemplateSet, Value, World};

pub use error::{ParseFailure, TemplateError};
pub(crate) use functions::State;
pub use lookup::{Lookup, LookupRequest, NoCluster};
pub(crate) use scope::{Scope, scopes};

use crate::HelmVersion;
use crate::text::base;
use crate::values::dependencies::Node;

/// Templates that were parsed, and what of them stays the same from render to render.
pub(crate) struct Program {
    set: Arc<TemplateSet>,
    /// The templates to execute, in order: the deepest first, then backwards by name.
    order: Vec<Planned>,
    snippets: Snippets,
}

/// A template to execute.
#[derive(Debug)]
struct Planned {
    name: Arc<str>,
    /// The index of the scope of its chart.
    scope: usize,
    /// `.Template.BasePath`.
    base_path: String,
}

impl Program {
    /// Parses the templates of the charts that take part.
    ///
    /// All share one space of names, and what is parsed later replaces: a parent's definitions those of its
    /// children.
    pub(crate) fn parse(root: &Node<'_>, helm: HelmVersion) -> Result<Self, ParseFailure> {
        let mut templates: HashMap<String, (&[u8], usize, String)> = HashMap::new();
        let mut n_scopes = 0;
        collect(root, "", &mut n_scopes, &mut templates);
        let mut order: Vec<_> = templates.into_iter().collect();
        let depth = |name: &str| name.bytes().filter(|byte| *byte == b'/').count();
        order.sort_by(|(a, _), (b, _)| (depth(b), b).cmp(&(depth(a), a)));
        let mut set =
            TemplateSet::new(functions::all(helm)).named(functions::SET_NAME).missing_key(MissingKey::Zero);
        for (name, (text, _, _)) in &order {
            set.parse(name, text).map_err(|error| ParseFailure::new(name, &error))?;
        }
        let planned = order.into_iter().filter(|(name, _)| !base(name).starts_with('_'));
        let order = planned
            .map(|(name, (_, scope, base_path))| Planned { name: Arc::from(name), scope, base_path })
            .collect();
        Ok(Self { set: Arc::new(set), order, snippets: Snippets::default() })
    }

    /// Executes the templates, each with the scope of its chart, and returns what they print.
    pub(crate) fn execute(
        &self,
        scopes: &[Scope],
        state: &mut State,
        limits: gotemplate::Limits,
        world: &mut dyn World,
        helm: HelmVersion,
    ) -> Result<Execution, TemplateError> {
        state.snippets = Some(self.snippets.clone());
        let mut context = Context::new(Arc::clone(&self.set), limits, world).with_engine(state);
        let mut files = Vec::with_capacity(self.order.len());
        for planned in &self.order {
            let scope = &scopes[planned.scope];
            scope.enter(&planned.name, &planned.base_path);
            let printed = context
                .execute(planned.name.as_bytes(), &Value::Map(scope.dot().clone()))
                .map_err(|error| TemplateError::of(error, helm))?;
            let text = String::from_utf8_lossy(printed.as_bytes());
            files.push((planned.name.clone(), text.replace("<no value>", "")));
        }
        Ok(Execution { files, asked_world: context.asked_world(), steps: context.steps() })
    }
}

/// What the templates printed.
pub(crate) struct Execution {
    pub(crate) files: Vec<(Arc<str>, String)>,
    /// Whether time or chance were asked for.
    pub(crate) asked_world: bool,
    pub(crate) steps: u64,
}

fn collect<'a>(
    node: &Node<'a>,
    parent: &str,
    n_scopes: &mut usize,
    templates: &mut HashMap<String, (&'a [u8], usize, String)>,
) {
    let path = full_path(parent, &node.name);
    let scope = *n_scopes;
    *n_scopes += 1;
    for child in &node.children {
        collect(child, &path, n_scopes, templates);
    }
    for file in &node.chart.templates {
        if node.chart.is_library() && !base(&file.name).starts_with('_') {
            continue;
        }
        let name = crate::text::clean(&format!("{path}/{}", file.name));
        let base_path = crate::text::clean(&format!("{path}/templates"));
        templates.insert(name, (&file.data, scope, base_path));
    }
}

/// The path of a chart: `web`, `web/charts/db`.
pub(crate) fn full_path(parent: &str, name: &str) -> String {
    if parent.is_empty() { name.to_owned() } else { format!("{parent}/charts/{name}") }
}

/// Texts of `tpl` that were parsed, shared by the renders of one program.
#[derive(Clone, Default)]
pub(crate) struct Snippets(Arc<Mutex<HashMap<SnippetKey, Snippet>>>);

/// The address of the set that a text was parsed into, and the text.
type SnippetKey = (usize, gotemplate::Str);

/// A parsed text.
#[derive(Clone)]
pub(crate) struct Snippet {
    pub(crate) set: Arc<TemplateSet>,
    pub(crate) template: Arc<Template>,
    /// Keeps the address in the key from being used again.
    _outer: Arc<TemplateSet>,
}

impl Snippet {
    /// Parses a text among the templates of a set, which does not notice.
    pub(crate) fn parse(outer: &Arc<TemplateSet>, text: &gotemplate::Str) -> Result<Self, ParseError> {
        let mut set = outer.extend();
        let template = set.parse(functions::SET_NAME, text.as_bytes())?;
        Ok(Self { set: Arc::new(set), template, _outer: Arc::clone(outer) })
    }
}

/// How many parsed texts are kept. Charts have some dozens; a text made of values changes with them.
const MAX_SNIPPETS: usize = 1024;

/// How long a text may be to be kept, in bytes.
const MAX_SNIPPET_BYTES: usize = 16 << 10;

impl Snippets {
    pub(crate) fn get(&self, outer: &Arc<TemplateSet>, text: &gotemplate::Str) -> Option<Snippet> {
        let key = (Arc::as_ptr(outer).addr(), text.clone());
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(&key).cloned()
    }

    pub(crate) fn put(&self, outer: &Arc<TemplateSet>, text: &gotemplate::Str, snippet: &Snippet) {
        if text.len() > MAX_SNIPPET_BYTES {
            return;
        }
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.len() >= MAX_SNIPPETS {
            kept.clear();
        }
        kept.insert((Arc::as_ptr(outer).addr(), text.clone()), snippet.clone());
    }
}
