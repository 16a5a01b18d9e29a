//! The rules of this project that no lint knows.
//!
//! - which of our crates may depend on which, and which may use no runtime, client or clock at all;
//! - pure crates touch no file, network, environment, clock, thread or task in their sources either;
//! - every source file opens with a line that says what it is for;
//! - nothing is called `utils`, `helpers` or `common`;
//! - every crate inherits the lints, and its folder bears its name;
//! - links in the documents lead somewhere, and the map shows every crate;
//! - there is one TLS stack: neither `ring` nor OpenSSL is linked.

mod crates;
mod documents;
mod rust_source;
mod sources;

use anyhow::{Result, bail};
use std::{fmt, path::Path};

/// Checks everything, and prints every violation.
pub(crate) fn check(root: &Path) -> Result<()> {
    let mut violations = crates::check(root)?;
    let n_files = sources::check(root, &mut violations)?;
    documents::check(root, &mut violations)?;
    for violation in &violations {
        println!("{violation}");
    }
    if !violations.is_empty() {
        bail!("tidy found {} violations", violations.len());
    }
    println!("tidy: {n_files} files and {} crates keep the rules", crates::RULES.len());
    Ok(())
}

/// Prints which of our crates uses which.
pub(crate) fn print_graph(root: &Path) -> Result<()> {
    crates::print_graph(root)
}

/// Something that is against the rules, and where.
#[derive(Debug, PartialEq, Eq)]
struct Violation {
    place: String,
    what: String,
}

impl Violation {
    fn new(place: impl Into<String>, what: impl Into<String>) -> Self {
        Self { place: place.into(), what: what.into() }
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}: {}", self.place, self.what)
    }
}
