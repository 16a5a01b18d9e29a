//! Renderers that the operator declares in a folder: Argo CD's config management plugins, and WebAssembly modules.
//!
//! A plugin of programs sees its folder of the source as files that were written for it, and runs where
//! [`windlass_sandbox::confined`] leaves it: its inputs are all of that folder. A module has nothing but functions that
//! read from the source, so its inputs are exactly what it read. Which plugins there are and how they behave follows Argo CD
//! 3.6 (`cmpserver/plugin`, `util/app/discovery`); answers of its own code are in `tests/data`, recorded by
//! `tools/oracle-plugin`.

mod command;
mod definition;
mod discovery;
mod environment;
mod folder;
mod registry;
mod wasm;
mod words;
mod working_copy;
mod zglob;

pub use definition::DefinitionError;
pub use folder::{DEFAULT_FOLDER, Finding};
pub use registry::{PluginSettings, Registry};
pub use wasm::{WASM_FUEL, WASM_MEMORY_BYTES, WASM_OUTPUT_BYTES};
pub use working_copy::{COPY_BYTES, COPY_FILES};
