//! The Go behaviours that Kubernetes tools inherit: semver constraints, globs, durations and times, schedules,
//! RE2.
//!
//! Argo CD, Flux, Helm and kubectl are Go programs, so their file formats quietly contain Go's libraries:
//! `targetRevision: 1.x` means what Masterminds/semver says, `include: '{*.yml,*.yaml}'` what gobwas/glob
//! says, `duration: 1h30m` what `time.ParseDuration` says. No crate agrees with them in the corners, and the
//! corners are where two tools start to fight over a cluster. Each module here reproduces one of them and is
//! tested against results recorded from the Go original (`tests/data`, renewed by `tools/oracle-go`).
//!
//! Everything is a pure function: no clock, no network, no files. Nothing panics on hostile input, and every
//! match runs in time bounded by a polynomial of pattern and text.
//!
//! ```
//! use windlass_go::duration::Duration;
//! use windlass_go::glob::Gobwas;
//! use windlass_go::re2::Regex;
//! use windlass_go::semver::{Constraint, Version};
//!
//! // Which tag does `~1.4` choose? Pre-releases only if the constraint names one.
//! let constraint = Constraint::parse("~1.4")?;
//! let tags = ["v1.3.9", "v1.4.0", "v1.4.7", "v1.5.0-rc.1"];
//! let best = tags.iter().filter_map(|tag| Version::parse(tag).ok()).filter(|tag| constraint.matches(tag)).max();
//! assert_eq!(best.as_ref().map(Version::original), Some("v1.4.7"));
//!
//! assert!(Gobwas::compile("{*.yml,*.yaml}", &[])?.is_match("deep/values.yaml"));
//! assert_eq!(Duration::parse("1.5h")?.to_string(), "1h30m0s");
//! assert_eq!(Regex::parse(r"^(\w+)-(\d+)$")?.replace_all("web-7", "$2 of ${1}"), "7 of web");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! Planned here, a module of its own with its own oracle: kubectl JSONPath.

pub mod cron;
pub mod duration;
pub mod fmt;
pub mod glob;
pub mod re2;
pub mod semver;
pub mod time;
