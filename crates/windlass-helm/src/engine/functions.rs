//! The functions that Helm adds to those of the language and of sprig, as far as they need the engine.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use gotemplate::{
    Context, Entry, FunctionError, Functions, LimitExceeded, Numbers, Signature, Str, Value, sprig, types,
};

use super::lookup::{Lookup, LookupRequest};
use super::{Snippet, Snippets};
use crate::HelmVersion;
use crate::text::quote;

/// What one render remembers.
pub(crate) struct State {
    /// How many times each named template is being included.
    included: HashMap<Str, usize>,
    /// How many texts of `tpl` are executing inside each other.
    n_tpl: usize,
    lookup: Arc<dyn Lookup>,
    /// What was asked of the cluster.
    pub(crate) lookups: BTreeSet<LookupRequest>,
    pub(crate) snippets: Option<Snippets>,
}

impl State {
    pub(crate) fn new(lookup: Arc<dyn Lookup>) -> Self {
        Self { included: HashMap::new(), n_tpl: 0, lookup, lookups: BTreeSet::new(), snippets: None }
    }
}

/// The functions of a version of Helm.
pub(super) fn all(helm: HelmVersion) -> Functions {
    let mut functions = Functions::builtin();
    sprig::register(&mut functions);
    functions.register(FUNCTIONS);
    // Helm has them off, because charts are rendered by others than who installs them.
    functions.remove("env");
    functions.remove("expandenv");
    if helm == HelmVersion::V3 {
        for name in NEW_IN_V4 {
            functions.remove(name);
        }
    }
    functions
}

/// What Helm 3 does not have.
const NEW_IN_V4: [&str; 13] = [
    "mustToYaml",
    "mustToToml",
    "mustToDuration",
    "durationSeconds",
    "durationMilliseconds",
    "durationMicroseconds",
    "durationNanoseconds",
    "durationMinutes",
    "durationHours",
    "durationDays",
    "durationWeeks",
    "durationRoundTo",
    "durationTruncateTo",
];

static FUNCTIONS: &[Entry] = &[
    Entry::new("include", Signature::fixed(&[&types::STRING, &types::ANY]), include),
    Entry::new("tpl", Signature::fixed(&[&types::STRING, &types::ANY]), tpl),
    Entry::new("required", Signature::fixed(&[&types::STRING, &types::ANY]), required),
    Entry::new("fail", Signature::fixed(&[&types::STRING]), fail),
    Entry::new(
        "lookup",
        Signature::fixed(&[&types::STRING, &types::STRING, &types::STRING, &types::STRING]),
        lookup,
    ),
    Entry::new("getHostByName", Signature::fixed(&[&types::STRING]), no_host),
];

/// How many times a template may be included inside of itself: what Helm allows.
pub(super) const MAX_INCLUDES: usize = 1000;

fn include(context: &mut Context<'_>, arguments: &[Value]) -> Result<Value, FunctionError> {
    let name = text(&arguments[0]);
    if let Some(state) = context.engine::<State>() {
        let count = state.included.entry(name.clone()).or_insert(0);
        if *count > MAX_INCLUDES {
            return Err(format!(
                "rendering template has a nested reference name: {name}: unable to execute template"
            )
            .into());
        }
        *count += 1;
    }
    let result = context.execute(name.as_bytes(), &arguments[1]);
    if let Some(state) = context.engine::<State>()
        && let Some(count) = state.included.get_mut(name.as_bytes())
    {
        *count -= 1;
    }
    result.map(Value::String)
}

/// The name that Helm gives its set of templates, and each text of `tpl`.
pub(super) const SET_NAME: &str = "gotpl";

/// How many texts of `tpl` may execute inside each other. Charts have a handful; Go would overflow its stack.
pub(super) const MAX_NESTED_TPL: usize = 100;

fn tpl(context: &mut Context<'_>, arguments: &[Value]) -> Result<Value, FunctionError> {
    let text = text(&arguments[0]);
    // Most texts have no action in them, and print themselves.
    if !contains(text.as_bytes(), b"{{") {
        return Ok(Value::String(without_no_value(&text)));
    }
    if let Some(state) = context.engine::<State>() {
        if state.n_tpl >= MAX_NESTED_TPL {
            return Err(LimitExceeded::Depth(MAX_NESTED_TPL).into());
        }
        state.n_tpl += 1;
    }
    let result = tpl_inside(context, &text, &arguments[1]);
    if let Some(state) = context.engine::<State>() {
        state.n_tpl -= 1;
    }
    result
}

fn tpl_inside(context: &mut Context<'_>, text: &Str, data: &Value) -> Result<Value, FunctionError> {
    let outer = Arc::clone(context.set());
    let snippets = context.engine::<State>().and_then(|state| state.snippets.clone());
    let snippet = match snippets.as_ref().and_then(|snippets| snippets.get(&outer, text)) {
        Some(snippet) => snippet,
        None => {
            context.charge_memory(text.len())?;
            let snippet = Snippet::parse(&outer, text)
                .map_err(|error| format!("cannot parse template {}: {error}", quote(&text.lossy())))?;
            if let Some(snippets) = &snippets {
                snippets.put(&outer, text, &snippet);
            }
            snippet
        }
    };
    match context.execute_template(&snippet.set, &snippet.template, data) {
        Ok(printed) => Ok(Value::String(without_no_value(&printed))),
        Err(FunctionError::Limit(limit)) => Err(limit.into()),
        Err(FunctionError::Execution(error)) if error.limit().is_some() => {
            Err(FunctionError::Execution(error))
        }
        Err(error) => {
            let text = quote(&text.lossy());
            Err(format!("error during tpl function execution for {text}: {error}").into())
        }
    }
}

/// What stands around the words of `fail` and `required`, so that they are found in the error.
pub(super) const WARNING_START: &str = "HELM_ERR_START";
/// See [`WARNING_START`].
pub(super) const WARNING_END: &str = "HELM_ERR_END";

fn required(_: &mut Context<'_>, arguments: &[Value]) -> Result<Value, FunctionError> {
    let is_missing = match &arguments[1] {
        // A typed nil is a value here.
        Value::Nil | Value::NoValue => true,
        Value::String(text) => text.is_empty(),
        _ => false,
    };
    if is_missing {
        return Err(format!("{WARNING_START}{}{WARNING_END}", text(&arguments[0])).into());
    }
    Ok(arguments[1].clone())
}

fn fail(_: &mut Context<'_>, arguments: &[Value]) -> Result<Value, FunctionError> {
    Err(format!("{WARNING_START}{}{WARNING_END}", text(&arguments[0])).into())
}

fn lookup(context: &mut Context<'_>, arguments: &[Value]) -> Result<Value, FunctionError> {
    let [api_version, kind, namespace, name] =
        std::array::from_fn(|index| text(&arguments[index]).lossy().into_owned());
    let request = LookupRequest { api_version, kind, namespace, name };
    let Some(state) = context.engine::<State>() else { return Ok(Value::Map(gotemplate::Map::new())) };
    let found = state.lookup.lookup(&request);
    state.lookups.insert(request);
    // A client decodes whole numbers as int64.
    Ok(Value::from_yaml(&found?, Numbers::Int64))
}

/// Charts may not ask name servers, unless `helm` is told so.
fn no_host(_: &mut Context<'_>, _: &[Value]) -> Result<Value, FunctionError> {
    Ok(Value::EMPTY)
}

fn text(value: &Value) -> Str {
    value.as_string().cloned().unwrap_or_default()
}

fn contains(text: &[u8], part: &[u8]) -> bool {
    text.windows(part.len()).any(|window| window == part)
}

/// Go prints this for what is not there, and Helm takes it away again, wherever it stands.
fn without_no_value(text: &Str) -> Str {
    const NO_VALUE: &str = "<no value>";
    if !contains(text.as_bytes(), NO_VALUE.as_bytes()) {
        return text.clone();
    }
    match text.as_str() {
        Some(text) => Str::from(text.replace(NO_VALUE, "")),
        None => {
            let mut rest = text.as_bytes();
            let mut kept = Vec::with_capacity(rest.len());
            while let Some(first) = rest.first() {
                match rest.strip_prefix(NO_VALUE.as_bytes()) {
                    Some(after) => rest = after,
                    None => {
                        kept.push(*first);
                        rest = &rest[1..];
                    }
                }
            }
            Str::from(kept)
        }
    }
}
