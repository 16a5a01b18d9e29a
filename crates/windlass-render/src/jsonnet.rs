//! Jsonnet programs, as go-jsonnet 0.22 runs them for Argo CD.
//!
//! The language is that of `rsjsonnet-lang`; what it answers differently from go-jsonnet is corrected where a program
//! can be told so (`corrections`), and written down in `docs/differences.md` where it cannot.

mod corrections;
mod imports;
mod words;

use std::sync::Arc;

use rsjsonnet_lang::arena::Arena;
use rsjsonnet_lang::program::{self, EvalError};
use windlass_kube::Str;
use windlass_model::JsonnetVariable;

use imports::Loader;

/// Calls within calls that a program may make. go-jsonnet allows 500 of its own, which are counted differently.
pub const STACK_FRAMES: usize = 2_000;

/// A file that is imported is no larger than this.
pub const FILE_BYTES: u64 = 32 * 1024 * 1024;

/// Stack for the parser, which goes as deep as the text is nested; of programs that are evaluated by [`Inline`].
const PARSER_STACK_BYTES: usize = 64 * 1024 * 1024;

/// A file to evaluate, and what it is given.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Program {
    /// The path of the file.
    pub file: Str,
    /// What `std.extVar` answers. Of equal names the last counts.
    pub external_variables: Vec<JsonnetVariable>,
    /// The arguments, where the file is a function.
    pub top_level_arguments: Vec<JsonnetVariable>,
    /// Folders in which imports are looked up when nothing stands beside the importing file; the last one first.
    pub search: Vec<Str>,
}

/// Where files come from. Paths are relative to the root, without `.` and `..`.
pub trait Files {
    /// The content of a file; `None` when there is none.
    ///
    /// # Errors
    ///
    /// Why it cannot be read, in words that say which file.
    fn read(&mut self, path: &str) -> Result<Option<Arc<[u8]>>, String>;
}

/// Runs programs. [`Inline`] does so at once; others may put the program where it can be ended.
pub trait Engine: std::fmt::Debug + Send + Sync {
    /// The JSON that the program evaluates to.
    ///
    /// # Errors
    ///
    /// [`JsonnetError`] with the place in the program.
    fn evaluate(&self, program: &Program, files: &mut dyn Files) -> Result<String, JsonnetError>;
}

/// Runs programs on the thread that asks, without a limit of time and memory, on a stack that deep nesting overflows:
/// for programs that are trusted. `windlass-sandbox` has an engine for the others.
#[derive(Debug, Clone, Copy, Default)]
pub struct Inline;

/// A place in a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// The file, or `<extvar:name>`.
    pub file: Str,
    /// The line, counted from 1.
    pub line: u32,
    /// The column in characters, counted from 1.
    pub column: u32,
}

impl std::fmt::Display for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}:{}:{}", self.file, self.line, self.column)
    }
}

/// Why a program gives nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{problem}{}", Trace(.trace))]
pub struct JsonnetError {
    /// What happened.
    pub problem: String,
    /// Where, innermost first; empty when it is about the program as a whole.
    pub trace: Vec<Place>,
    /// Whether the same program may do better at another time, on a machine that is less busy.
    pub may_pass: bool,
}

impl JsonnetError {
    /// An error about the program as a whole.
    #[must_use]
    pub fn new(problem: impl Into<String>) -> Self {
        Self { problem: problem.into(), trace: Vec::new(), may_pass: false }
    }

    /// The line of `file` in which it happened, or from which it was reached; 0 when that is not known.
    #[must_use]
    pub fn line_in(&self, file: &str) -> u32 {
        self.trace.iter().find(|place| place.file == file).map_or(0, |place| place.line)
    }
}

/// Prints the places that an error came through.
struct Trace<'a>(&'a [Place]);

impl std::fmt::Display for Trace<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for (idx, place) in self.0.iter().enumerate() {
            f.write_str(if idx == 0 { " at " } else { ", from " })?;
            place.fmt(f)?;
        }
        Ok(())
    }
}

impl Engine for Inline {
    fn evaluate(&self, program: &Program, files: &mut dyn Files) -> Result<String, JsonnetError> {
        evaluate_on(PARSER_STACK_BYTES, program, files)
    }
}

/// Runs a program on this thread, on a stack of so many bytes. A text that is nested deeper ends the process.
///
/// # Errors
///
/// [`JsonnetError`] with the place in the program.
pub fn evaluate_on(
    stack_bytes: usize,
    program: &Program,
    files: &mut dyn Files,
) -> Result<String, JsonnetError> {
    // Everything that the program made is dropped with it, so nothing half-made can be seen.
    let run = std::panic::AssertUnwindSafe(|| stacker::grow(stack_bytes, || evaluate(program, files)));
    std::panic::catch_unwind(run)
        .unwrap_or_else(|_| Err(JsonnetError::new("the Jsonnet engine failed with a bug of its own")))
}

fn evaluate(program: &Program, files: &mut dyn Files) -> Result<String, JsonnetError> {
    let arena = Arena::new();
    let mut machine = program::Program::new(&arena);
    machine.set_max_stack(STACK_FRAMES);
    corrections::register(&mut machine);
    let mut loader = Loader::new(files, &program.search, &machine);
    for variable in last_of_each(&program.external_variables) {
        let value = loader.variable(&mut machine, "extvar", variable)?;
        let name = machine.intern_str(&variable.name);
        machine.add_ext_var(name, &value);
    }
    let main = loader.main(&mut machine, &program.file)?;
    let mut value =
        machine.eval_value(&main, &mut loader).map_err(|error| loader.failed(&machine, &error))?;
    if value.is_function() {
        let mut arguments = Vec::new();
        for variable in last_of_each(&program.top_level_arguments) {
            let value = loader.variable(&mut machine, "top-level-arg", variable)?;
            arguments.push((machine.intern_str(&variable.name), value));
        }
        value = machine
            .eval_call(&main, &[], &arguments, &mut loader)
            .map_err(|error| loader.failed(&machine, &error))?;
    }
    machine.manifest_json(&value, false).map_err(|error| loader.failed(&machine, &error))
}

/// Of variables with equal names the last.
fn last_of_each(variables: &[JsonnetVariable]) -> impl Iterator<Item = &JsonnetVariable> {
    variables.iter().enumerate().filter_map(|(idx, variable)| {
        let again = variables[idx + 1..].iter().any(|later| later.name == variable.name);
        (!again).then_some(variable)
    })
}
