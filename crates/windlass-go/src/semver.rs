//! Versions and version constraints as Masterminds/semver 3.5 reads them, the library under Helm, Argo CD and
//! Flux.
//!
//! # Versions
//!
//! [`Version::parse`] is forgiving, as the library's `NewVersion` is: a leading `v`, missing minor and patch
//! numbers and leading zeros are accepted, so `v1.02` is 1.2.0. [`Version::parse_strict`] takes semantic
//! versions only. Ordering and equality leave build metadata out.
//!
//! # Constraints
//!
//! Comparisons joined by spaces or commas must all hold; groups joined by `||` are alternatives.
//!
//! | written | means |
//! |---|---|
//! | `=1.2.3`, `1.2.3` | exactly that version |
//! | `!=1.2.3` | any other |
//! | `>`, `<`, `>=` or `=>`, `<=` or `=<` | order |
//! | `1.2.x`, `1.2.*`, `1.2` | any patch of 1.2 |
//! | `~1.2.3`, `~>1.2.3` | `>=1.2.3, <1.3.0`; `~1` is `>=1.0.0, <2.0.0` |
//! | `^1.2.3` | `>=1.2.3, <2.0.0`; `^0.2.3` is `<0.3.0`, `^0.0.3` is `<0.0.4` |
//! | `1.2 - 1.4.5` | `>=1.2, <=1.4.5`; needs the spaces |
//! | `*` | any release |
//!
//! A pre-release version matches only in a group that names a pre-release itself, and then anywhere in it:
//! `>=1.2.0-0` admits `2.0.0-rc.1`, and `*-0` admits everything.

mod constraint;
mod version;

pub use constraint::{Constraint, ConstraintError, MAX_CONSTRAINT_GROUPS, MAX_CONSTRAINT_LEN, Reason};
pub use version::{MAX_VERSION_LEN, SegmentError, Version, VersionError};
