//! The functions of sprig 3.3.0, and those that Helm 4 adds to them.
//!
//! All of Helm's names are here but the three that need its engine (`include`, `tpl`, `lookup`) and the two
//! that Helm takes away (`env`, `expandenv`); `getHostByName` answers nothing, as in Helm unless it is told
//! otherwise. Where sprig and Helm have a function of the same name, it is Helm's.
//!
//! What differs from Go, on purpose:
//!
//! - `keys` and `values` are in the order of the keys; Go has them in any order.
//! - The local time zone is UTC, and the time zone database is the one compiled into the program.
//! - Chance and time come from the [`World`](crate::World) of the execution.
//! - Every call is charged for the text it is given and makes, and for each value it goes through.
//!
//! What differs and nobody will miss: an `uint64` beyond `int64` in `toYaml` is a float; `slice` cannot reach into
//! the spare capacity that Go's lists happen to have; keys on the curves P-224 and P-521 are not read;
//! `fromJson` of a number that no float can hold says so, but does not keep what else was read.

mod arguments;
mod cases;
mod cast;
#[cfg(feature = "crypto")]
mod crypto;
mod dates;
mod decimals;
mod defaults;
mod dicts;
mod display;
mod document;
mod durations;
mod encoding;
mod equality;
mod hashes;
mod json;
mod lists;
mod merge;
mod numbers;
mod paths;
mod pretty;
mod random;
mod reflection;
mod regex;
mod runes;
mod semver;
mod serialization;
mod text;
mod time_methods;
mod toml;
mod urls;

use crate::function::{Entry, Function, Functions};
use crate::value::{Str, Value};

pub use dates::{time, time_value};
pub use durations::{duration, duration_value};
pub use semver::original as version_original;

/// The functions, family by family.
const FAMILIES: &[&[Entry]] = &[
    cases::FUNCTIONS,
    dates::FUNCTIONS,
    decimals::FUNCTIONS,
    defaults::FUNCTIONS,
    dicts::FUNCTIONS,
    durations::FUNCTIONS,
    encoding::FUNCTIONS,
    equality::FUNCTIONS,
    hashes::FUNCTIONS,
    json::FUNCTIONS,
    lists::FUNCTIONS,
    merge::FUNCTIONS,
    numbers::FUNCTIONS,
    paths::FUNCTIONS,
    random::FUNCTIONS,
    reflection::FUNCTIONS,
    regex::FUNCTIONS,
    semver::FUNCTIONS,
    serialization::FUNCTIONS,
    text::FUNCTIONS,
    urls::FUNCTIONS,
];

/// How many bytes of text a function is given at the price of one step.
const BYTES_PER_STEP: usize = 256;

/// Adds them all.
pub fn register(functions: &mut Functions) {
    for entry in FAMILIES.iter().copied().flatten() {
        functions.insert(entry.name, accounted(entry));
    }
    #[cfg(feature = "crypto")]
    for entry in crypto::FAMILIES.iter().copied().flatten() {
        functions.insert(entry.name, accounted(entry));
    }
}

/// The function, accounting for the text it is given and the text it makes: a call takes as long as its text
/// is, so that a loop over a long one would outlast any number of nodes.
fn accounted(entry: &Entry) -> Function {
    let body = entry.body;
    Function::new(entry.signature, move |context, arguments| {
        let given: usize = arguments.iter().filter_map(Value::as_string).map(Str::len).sum();
        if given >= BYTES_PER_STEP {
            context.charge((given / BYTES_PER_STEP) as u64)?;
        }
        let answer = body(context, arguments)?;
        if let Value::String(text) = &answer {
            context.charge_memory(text.len())?;
        }
        Ok(answer)
    })
}
