//! Plugins that are WebAssembly modules: nothing but functions that read the source.
//!
//! A module runs in an interpreter. It has no files, no network, no clock and no chance: what it imports is what
//! `host` defines, and a module that wants more is refused when it is read. So its result is a function of what it read, which is
//! recorded file by file.

mod host;

use std::fmt::Write as _;

use sha2::Digest as _;
use wasmi::{Config, Engine, Linker, Store, StoreLimits, StoreLimitsBuilder, TrapCode};
use windlass_model::{Digest, TreeError};
use windlass_render::PluginSource;

use host::{Host, Stop};

/// What a module may do, in steps of the interpreter: some seconds' worth.
pub const WASM_FUEL: u64 = 1_000_000_000;

/// The memory of a module.
pub const WASM_MEMORY_BYTES: usize = 256 * 1024 * 1024;

/// What a module may print: as much as all manifests of a folder may be.
pub const WASM_OUTPUT_BYTES: usize = 10 * 1024 * 1024;

/// WebAssembly counts memory in these.
const PAGE_BYTES: u64 = 64 * 1024;

/// Entries of all tables of a module: large programs have some ten thousand functions.
const TABLE_ELEMENTS: usize = 1_000_000;

/// The function that renders.
const ENTRY: &str = "render";

/// A module that is ready to run.
pub(crate) struct Module {
    module: wasmi::Module,
    linker_engine: Engine,
    digest: Digest,
    bytes: Box<[u8]>,
}

/// Why a module gives nothing.
#[derive(Debug, thiserror::Error)]
pub(crate) enum WasmError {
    #[error("its bytes have the SHA-256 {found}, not {declared}")]
    Checksum { declared: String, found: String },
    #[error("it is no WebAssembly that runs here: {0}")]
    Invalid(String),
    #[error("it exports no {0}")]
    Missing(&'static str),
    #[error("ran for more than {WASM_FUEL} steps (limit WASM_FUEL)")]
    Fuel,
    #[error("takes more than {WASM_MEMORY_BYTES} bytes of memory (limit WASM_MEMORY_BYTES)")]
    Memory,
    #[error("prints more than {WASM_OUTPUT_BYTES} bytes (limit WASM_OUTPUT_BYTES)")]
    Output,
    #[error("prints something that is not UTF-8")]
    NoText,
    #[error("failed: {0}")]
    Said(String),
    #[error("stopped: {0}")]
    Trap(String),
    #[error("the source cannot be read")]
    Tree(#[source] TreeError),
}

/// What a running module is given, with what bounds it.
struct State<'a> {
    host: Host<'a>,
    limits: StoreLimits,
}

impl std::fmt::Debug for Module {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Module({})", self.digest)
    }
}

impl Module {
    /// Checks the bytes against their checksum, and makes them ready.
    pub(crate) fn compile(bytes: &[u8], declared: &str) -> Result<Self, WasmError> {
        let mut found = String::new();
        for byte in sha2::Sha256::digest(bytes) {
            let _ = write!(found, "{byte:02x}");
        }
        if !declared.eq_ignore_ascii_case(&found) {
            return Err(WasmError::Checksum { declared: declared.into(), found });
        }
        let mut config = Config::default();
        config.consume_fuel(true).ignore_custom_sections(true);
        let engine = Engine::new(&config);
        let invalid = |error: wasmi::Error| WasmError::Invalid(error.to_string());
        let module = wasmi::Module::new(&engine, bytes).map_err(invalid)?;
        for (name, is_there) in [
            ("memory", module.get_export("memory").is_some_and(|it| it.memory().is_some())),
            (ENTRY, module.get_export(ENTRY).is_some_and(|it| it.func().is_some())),
        ] {
            if !is_there {
                return Err(WasmError::Missing(name));
            }
        }
        let pages = module.get_export("memory").and_then(|it| it.memory().map(|memory| memory.minimum()));
        if pages.is_some_and(|pages| pages.saturating_mul(PAGE_BYTES) > WASM_MEMORY_BYTES as u64) {
            return Err(WasmError::Memory);
        }
        host::check(&module)?;
        Ok(Self { module, linker_engine: engine, digest: Digest::of_bytes(bytes), bytes: bytes.into() })
    }

    /// The digest of its bytes.
    pub(crate) fn digest(&self) -> Digest {
        self.digest
    }

    /// Whether a text stands in it.
    pub(crate) fn mentions(&self, text: &str) -> bool {
        self.bytes.windows(text.len()).any(|window| window == text.as_bytes())
    }

    /// What it prints for a folder.
    pub(crate) fn render(
        &self,
        source: &PluginSource<'_>,
        variables: &[(String, String)],
    ) -> Result<String, WasmError> {
        let limits = StoreLimitsBuilder::new()
            .memory_size(WASM_MEMORY_BYTES)
            .table_elements(TABLE_ELEMENTS)
            .instances(1)
            .memories(1)
            .trap_on_grow_failure(true)
            .build();
        let state = State { host: Host::new(source, variables), limits };
        let mut store = Store::new(&self.linker_engine, state);
        store.limiter(|state| &mut state.limits);
        let failed = |error: wasmi::Error| told(&error);
        store.set_fuel(WASM_FUEL).map_err(failed)?;
        let mut linker = <Linker<State<'_>>>::new(&self.linker_engine);
        host::define(&mut linker)?;
        let instance = linker.instantiate_and_start(&mut store, &self.module).map_err(failed)?;
        let entry = instance.get_typed_func::<(), ()>(&store, ENTRY).map_err(failed)?;
        let result = entry.call(&mut store, ());
        let host = &mut store.data_mut().host;
        if let Some(error) = host.failure.take() {
            return Err(WasmError::Tree(error));
        }
        result.map_err(failed)?;
        String::from_utf8(std::mem::take(&mut host.printed)).map_err(|_| WasmError::NoText)
    }
}

/// What an error of the interpreter says about the module.
fn told(error: &wasmi::Error) -> WasmError {
    if let Some(stop) = error.downcast_ref::<Stop>() {
        return match stop {
            Stop::Said(words) => WasmError::Said(crate::words::shown(words, &[])),
            Stop::Output => WasmError::Output,
            Stop::Source => WasmError::Trap("the source cannot be read".into()),
            Stop::Range => WasmError::Trap("it named a place outside of its memory".into()),
        };
    }
    match error.as_trap_code() {
        Some(TrapCode::OutOfFuel) => return WasmError::Fuel,
        Some(TrapCode::GrowthOperationLimited | TrapCode::OutOfSystemMemory) => return WasmError::Memory,
        _ => {}
    }
    WasmError::Trap(error.to_string())
}
