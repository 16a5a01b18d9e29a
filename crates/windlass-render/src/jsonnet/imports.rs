//! Finding and loading what programs import.

use std::collections::HashMap;
use std::sync::Arc;

use rsjsonnet_lang::interner::InternedStr;
use rsjsonnet_lang::program::{
    Callbacks, EvalStackTraceItem, ImportError, NativeError, Program, Thunk, Value,
};
use rsjsonnet_lang::span::{SourceId, SpanContext, SpanId};
use windlass_kube::Str;
use windlass_model::JsonnetVariable;

use super::corrections::{self, PREFIX};
use super::{EvalError, Files, JsonnetError, Place, words};

/// Loads files, and remembers where each came from.
pub(super) struct Loader<'p, 'f> {
    files: &'f mut dyn Files,
    search: &'f [Str],
    loaded: HashMap<String, Thunk<'p>>,
    sources: HashMap<usize, Text>,
    std_source: SourceId,
    /// Why the last import or native call failed.
    problem: String,
    /// Where that was, when it was in the imported file and not at the import.
    place: Option<Place>,
}

/// A text that was loaded.
struct Text {
    id: SourceId,
    file: Str,
    content: Arc<[u8]>,
    /// The bytes in front of it that are ours.
    prefix: usize,
}

impl<'p, 'f> Loader<'p, 'f> {
    pub(super) fn new(files: &'f mut dyn Files, search: &'f [Str], machine: &Program<'p>) -> Self {
        Self {
            files,
            search,
            loaded: HashMap::new(),
            sources: HashMap::new(),
            std_source: machine.get_stdlib_source().0,
            problem: String::new(),
            place: None,
        }
    }

    /// The file that is evaluated.
    pub(super) fn main(&mut self, machine: &mut Program<'p>, file: &str) -> Result<Thunk<'p>, JsonnetError> {
        let content = self.files.read(file).map_err(JsonnetError::new)?;
        let content = content.ok_or_else(|| JsonnetError::new(format!("the file {file} is not there")))?;
        let thunk = self.load(machine, file, content)?;
        self.loaded.insert(file.to_owned(), thunk.clone());
        Ok(thunk)
    }

    /// The value of a variable.
    pub(super) fn variable(
        &mut self,
        machine: &mut Program<'p>,
        sort: &str,
        variable: &JsonnetVariable,
    ) -> Result<Thunk<'p>, JsonnetError> {
        if !variable.is_code {
            return Ok(machine.value_to_thunk(&Value::string(&variable.value)));
        }
        let name = format!("<{sort}:{}>", variable.name);
        self.load(machine, &name, variable.value.as_bytes().into()).or_else(|error| {
            // What is wrong with a variable matters to those who ask for it.
            let text = format!("error {}", windlass_yaml::json::to_string(&error.to_string().into()));
            self.load(machine, &name, text.as_bytes().into())
        })
    }

    fn load(
        &mut self,
        machine: &mut Program<'p>,
        file: &str,
        content: Arc<[u8]>,
    ) -> Result<Thunk<'p>, JsonnetError> {
        let mut text = Vec::with_capacity(PREFIX.len() + content.len());
        text.extend_from_slice(PREFIX.as_bytes());
        text.extend_from_slice(&content);
        let (context, id) = machine.span_manager_mut().insert_source_context(text.len());
        let key = self.sources.len();
        self.sources.insert(key, Text { id, file: file.into(), content, prefix: PREFIX.len() });
        machine.load_source(context, &text, true, file).map_err(|error| {
            let (problem, span) = words::of_load(&error);
            JsonnetError {
                trace: self.place(machine, span).into_iter().collect(),
                ..JsonnetError::new(problem)
            }
        })
    }

    /// An evaluation's error with its places.
    pub(super) fn failed(&mut self, machine: &Program<'p>, error: &EvalError) -> JsonnetError {
        let (problem, span) = words::of_evaluation(&error.kind, &self.problem);
        let mut trace: Vec<Place> = self.place.take().into_iter().collect();
        let spans = span.into_iter().chain(error.stack_trace.iter().rev().filter_map(words::span_of));
        for place in spans.filter_map(|span| self.place(machine, span)) {
            if trace.last() != Some(&place) && trace.len() < TRACE_PLACES {
                trace.push(place);
            }
        }
        JsonnetError { trace, ..JsonnetError::new(problem) }
    }

    /// The place of a span; `None` for the standard library's own and for what we put before a text.
    fn place(&self, machine: &Program<'p>, span: SpanId) -> Option<Place> {
        let (context, start, _) = machine.span_manager().get_span(span);
        let SpanContext::Source(id) = *machine.span_manager().get_context(context);
        if id == self.std_source {
            return None;
        }
        let text = self.sources.values().find(|text| text.id == id)?;
        let before = text.content.get(..start.checked_sub(text.prefix)?)?;
        let line_start = memchr::memrchr(b'\n', before).map_or(0, |at| at + 1);
        let count = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
        Some(Place {
            file: text.file.clone(),
            line: count(memchr::memchr_iter(b'\n', before).count() + 1),
            column: count(String::from_utf8_lossy(&before[line_start..]).chars().count() + 1),
        })
    }

    /// Finds what `path` means in the file that imports it.
    fn find(
        &mut self,
        machine: &Program<'p>,
        from: SpanId,
        path: &str,
    ) -> Result<(String, Arc<[u8]>), ImportError> {
        self.place = None;
        let fail = |loader: &mut Self, problem: String| {
            loader.problem = problem;
            Err(ImportError)
        };
        if path.starts_with('/') {
            return fail(self, format!("the import {path:?} leads out of the source"));
        }
        let (context, ..) = machine.span_manager().get_span(from);
        let SpanContext::Source(id) = *machine.span_manager().get_context(context);
        let importing = self.sources.values().find(|text| text.id == id).map(|text| text.file.clone());
        let beside = importing.as_deref().and_then(|file| Some(file.rsplit_once('/')?.0)).unwrap_or("");
        let folders: Vec<Str> =
            std::iter::once(Str::from(beside)).chain(self.search.iter().rev().cloned()).collect();
        for folder in folders {
            let Some(candidate) = crate::resolved(&folder, path) else {
                return fail(self, format!("the import {path:?} leads out of the source"));
            };
            match self.files.read(&candidate) {
                Ok(Some(content)) => return Ok((candidate, content)),
                Ok(None) => {}
                Err(problem) => return fail(self, problem),
            }
        }
        fail(self, format!("couldn't open import {path:?}: no match locally or in the Jsonnet library paths"))
    }
}

/// Of the places that an error came through, this many are told.
const TRACE_PLACES: usize = 8;

impl<'p> Callbacks<'p> for Loader<'p, '_> {
    fn import(
        &mut self,
        machine: &mut Program<'p>,
        from: SpanId,
        path: &str,
    ) -> Result<Thunk<'p>, ImportError> {
        let (file, content) = self.find(machine, from, path)?;
        if let Some(thunk) = self.loaded.get(&file) {
            return Ok(thunk.clone());
        }
        let thunk = self.load(machine, &file, content).map_err(|error| {
            self.problem = error.problem;
            self.place = error.trace.into_iter().next();
            ImportError
        })?;
        self.loaded.insert(file, thunk.clone());
        Ok(thunk)
    }

    fn import_str(
        &mut self,
        machine: &mut Program<'p>,
        from: SpanId,
        path: &str,
    ) -> Result<String, ImportError> {
        let (_, content) = self.find(machine, from, path)?;
        Ok(String::from_utf8_lossy(&content).into_owned())
    }

    fn import_bin(
        &mut self,
        machine: &mut Program<'p>,
        from: SpanId,
        path: &str,
    ) -> Result<Vec<u8>, ImportError> {
        let (_, content) = self.find(machine, from, path)?;
        Ok(content.to_vec())
    }

    /// Nobody reads what programs trace.
    fn trace(&mut self, _: &mut Program<'p>, _: &str, _: &[EvalStackTraceItem]) {}

    fn native_call(
        &mut self,
        machine: &mut Program<'p>,
        name: InternedStr<'p>,
        arguments: &[Value<'p>],
    ) -> Result<Value<'p>, NativeError> {
        self.place = None;
        corrections::call(machine, name, arguments, &mut self.problem)
    }
}
