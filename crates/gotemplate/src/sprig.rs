//! The functions of sprig 3.3.0, and those that Helm 4 adds to them.
//!
//! All of Helm's names are here but the three that need its engine (`include`, `tpl`, `lookup`) and the two
//! that Helm takes away (`env`, `expandenv`); `getHostByName` answers nothing, as in Helm unless it is told
//! otherwise. Where sprig and Helm have a function of the same name, it is Helm's.
//!
//! What differs from Go, on purpose:
//!
//! - `keys` and `values` are in the order of the keys; Go has them in any order.
//! - The local time zone is UTC.
//! - Texts that are not UTF-8 reach `regex*` functions with U+FFFD for each byte that is no character.
//! - Chance and time come from the [`World`](crate::World) of the execution.

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

use crate::function::{Entry, Functions};

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

/// Adds them all.
pub fn register(functions: &mut Functions) {
    for family in FAMILIES {
        functions.register(family);
    }
    #[cfg(feature = "crypto")]
    for family in crypto::FAMILIES {
        functions.register(family);
    }
}
