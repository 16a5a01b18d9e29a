//! The functions that a module may import, from `windlass`.
//!
//! | function | meaning |
//! |---|---|
//! | `read(path, length) -> i64` | the size of the file at a path, which `take` then gives; -1 when there is none |
//! | `list(path, length) -> i64` | likewise the names in a folder, a line each, those of folders with a slash at their end |
//! | `variable(name, length) -> i64` | likewise the value of a variable |
//! | `take(place)` | writes what was last answered to memory |
//! | `print(text, length)` | adds to the result |
//! | `fail(text, length)` | ends with an error in words |
//!
//! Paths lead on from the folder that is rendered, or after a slash from the root of the source.

use std::fmt;

use wasmi::errors::HostError;
use wasmi::{Caller, Extern, ExternType, Linker};
use windlass_model::{EntryKind, Tree as _, TreeError};
use windlass_render::PluginSource;

use super::{State, WASM_OUTPUT_BYTES, WasmError};

/// Where the functions are imported from.
const MODULE: &str = "windlass";

const FUNCTIONS: [&str; 6] = ["read", "list", "variable", "take", "print", "fail"];

/// A file that a module reads is no larger than this.
const FILE_BYTES: u64 = 64 * 1024 * 1024;

/// A path, a name or an error in words is no longer than this.
const TEXT_BYTES: usize = 64 * 1024;

/// Says that there is no such thing.
const ABSENT: i64 = -1;

/// What a running module reads from and prints to.
pub(super) struct Host<'a> {
    source: &'a PluginSource<'a>,
    variables: &'a [(String, String)],
    answer: Vec<u8>,
    pub(super) printed: Vec<u8>,
    /// Why the source could not be read, which ended the module.
    pub(super) failure: Option<TreeError>,
}

/// Why a module is ended from here.
#[derive(Debug)]
pub(super) enum Stop {
    /// It says so itself.
    Said(String),
    Output,
    Source,
    Range,
}

impl fmt::Display for Stop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self:?}")
    }
}

impl HostError for Stop {}

impl<'a> Host<'a> {
    pub(super) fn new(source: &'a PluginSource<'a>, variables: &'a [(String, String)]) -> Self {
        Self { source, variables, answer: Vec::new(), printed: Vec::new(), failure: None }
    }

    /// Keeps an answer for `take`, and says how long it is.
    fn answered(&mut self, answer: Option<Vec<u8>>) -> i64 {
        let Some(answer) = answer else { return ABSENT };
        self.answer = answer;
        i64::try_from(self.answer.len()).unwrap_or(i64::MAX)
    }

    fn read(&mut self, path: &str) -> Result<Option<Vec<u8>>, TreeError> {
        let path = self.place(path)?;
        Ok(self.source.tree.read(&path, FILE_BYTES)?.map(|content| content.to_vec()))
    }

    fn list(&mut self, path: &str) -> Result<Option<Vec<u8>>, TreeError> {
        let path = self.place(path)?;
        let Some(members) = self.source.tree.list(&path)? else { return Ok(None) };
        let mut names = String::new();
        for (name, entry) in members {
            names.push_str(&name);
            names.push_str(if entry.kind == EntryKind::Directory { "/\n" } else { "\n" });
        }
        Ok(Some(names.into_bytes()))
    }

    /// The path from the root on.
    fn place(&self, path: &str) -> Result<String, TreeError> {
        let from = if path.starts_with('/') { "" } else { self.source.path };
        let mut parts: Vec<&str> = Vec::new();
        for part in from.split('/').chain(path.split('/')) {
            match part {
                "" | "." => {}
                ".." if parts.pop().is_none() => return Err(TreeError::Outside { path: path.into() }),
                ".." => {}
                part => parts.push(part),
            }
        }
        Ok(parts.join("/"))
    }
}

/// Refuses a module that imports something else.
pub(super) fn check(module: &wasmi::Module) -> Result<(), WasmError> {
    for import in module.imports() {
        let is_known = import.module() == MODULE
            && FUNCTIONS.contains(&import.name())
            && matches!(import.ty(), ExternType::Func(_));
        if !is_known {
            let problem = format!(
                "it imports {} from {}, and there is nothing but functions from {MODULE}: {}",
                import.name(),
                import.module(),
                FUNCTIONS.join(", ")
            );
            return Err(WasmError::Invalid(problem));
        }
    }
    Ok(())
}

type Calling<'c, 'a> = Caller<'c, State<'a>>;

/// Makes the functions known.
pub(super) fn define(linker: &mut Linker<State<'_>>) -> Result<(), WasmError> {
    let defined = linker
        .func_wrap(MODULE, "read", |mut caller: Calling<'_, '_>, path: u32, length: u32| {
            let path = text(&caller, path, length)?;
            let host = &mut caller.data_mut().host;
            let found = host.read(&path);
            asked(host, found)
        })
        .and_then(|linker| {
            linker.func_wrap(MODULE, "list", |mut caller: Calling<'_, '_>, path: u32, length: u32| {
                let path = text(&caller, path, length)?;
                let host = &mut caller.data_mut().host;
                let found = host.list(&path);
                asked(host, found)
            })
        })
        .and_then(|linker| {
            linker.func_wrap(MODULE, "variable", |mut caller: Calling<'_, '_>, name: u32, length: u32| {
                let name = text(&caller, name, length)?;
                let host = &mut caller.data_mut().host;
                let found = host.variables.iter().find(|(known, _)| *known == name);
                let found = found.map(|(_, value)| value.clone().into_bytes());
                Ok::<i64, wasmi::Error>(host.answered(found))
            })
        })
        .and_then(|linker| {
            linker.func_wrap(MODULE, "take", |mut caller: Calling<'_, '_>, place: u32| {
                let answer = std::mem::take(&mut caller.data_mut().host.answer);
                let memory = memory(&caller)?;
                let written = memory.write(&mut caller, place as usize, &answer);
                written.map_err(|_| wasmi::Error::host(Stop::Range))
            })
        })
        .and_then(|linker| {
            linker.func_wrap(MODULE, "print", |mut caller: Calling<'_, '_>, place: u32, length: u32| {
                let printed = caller.data().host.printed.len();
                if printed.saturating_add(length as usize) > WASM_OUTPUT_BYTES {
                    return Err(wasmi::Error::host(Stop::Output));
                }
                let bytes = bytes(&caller, place, length)?;
                caller.data_mut().host.printed.extend(bytes);
                Ok(())
            })
        })
        .and_then(|linker| {
            linker.func_wrap(MODULE, "fail", |caller: Calling<'_, '_>, place: u32, length: u32| {
                let words = text(&caller, place, length)?;
                Err::<(), _>(wasmi::Error::host(Stop::Said(words)))
            })
        });
    defined.map(|_| ()).map_err(|error| WasmError::Invalid(error.to_string()))
}

fn asked(host: &mut Host<'_>, found: Result<Option<Vec<u8>>, TreeError>) -> Result<i64, wasmi::Error> {
    match found {
        Ok(found) => Ok(host.answered(found)),
        Err(error) => {
            host.failure = Some(error);
            Err(wasmi::Error::host(Stop::Source))
        }
    }
}

fn memory(caller: &Calling<'_, '_>) -> Result<wasmi::Memory, wasmi::Error> {
    caller.get_export("memory").and_then(Extern::into_memory).ok_or_else(|| wasmi::Error::host(Stop::Range))
}

/// Bytes of the module's memory.
fn bytes(caller: &Calling<'_, '_>, place: u32, length: u32) -> Result<Vec<u8>, wasmi::Error> {
    let memory = memory(caller)?;
    let (from, length) = (place as usize, length as usize);
    let found = memory.data(caller).get(from..from.saturating_add(length));
    found.map(<[u8]>::to_vec).ok_or_else(|| wasmi::Error::host(Stop::Range))
}

/// A text of the module's memory; what is no UTF-8 names nothing.
fn text(caller: &Calling<'_, '_>, place: u32, length: u32) -> Result<String, wasmi::Error> {
    if length as usize > TEXT_BYTES {
        return Err(wasmi::Error::host(Stop::Range));
    }
    Ok(String::from_utf8_lossy(&bytes(caller, place, length)?).into_owned())
}
