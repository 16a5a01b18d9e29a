//! The three glob languages that Go's Kubernetes tools use, each exactly as its library matches.
//!
//! | | [`Gobwas`] | [`path_match`] | [`Doublestar`] |
//! |---|---|---|---|
//! | original | gobwas/glob 0.2.3 | Go's `path.Match`, `filepath.Match` on Unix | bmatcuk/doublestar 4.10 |
//! | used by | Argo CD: directory include and exclude, project rules, RBAC | file patterns, Helm's `.helmignore` | Argo CD's ApplicationSet Git files |
//! | `*` | anything but separators | anything but `/` | anything but `/` |
//! | `**` | anything | the same as `*` | `**/` any directories, `/**` all below |
//! | `?` | one character but separators | one but `/` | one but `/` |
//! | `[a-c]` | class, or one range | classes and ranges | classes and ranges |
//! | negated | `[!a]` | `[^a]` | `[!a]`, `[^a]` |
//! | `{a,b}` | alternatives | plain text | alternatives |
//!
//! Matching never takes exponential time: [`Gobwas`] is simulated state by state in time proportional to
//! pattern × text; the other two backtrack only to the last star. A pattern that would need more than the
//! limits named here is refused when it is compiled.

mod doublestar;
mod gobwas;
mod path;

pub use doublestar::{Doublestar, DoublestarError, MAX_ALTERNATIVES};
pub use gobwas::{Gobwas, GobwasError, MAX_NESTING, MAX_PATTERN_LEN};
pub use path::{BadPattern, path_match};
