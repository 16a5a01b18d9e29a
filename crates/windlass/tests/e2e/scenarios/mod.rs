//! The stories, by subject. Each takes the server to run on.

pub(crate) mod administration;
pub(crate) mod bad_days;
pub(crate) mod bad_input;
pub(crate) mod caching;
pub(crate) mod charts;
pub(crate) mod deletion;
pub(crate) mod dependencies;
pub(crate) mod differences;
pub(crate) mod hooks;
pub(crate) mod install;
pub(crate) mod operations;
pub(crate) mod options;
pub(crate) mod projects;
pub(crate) mod pruning;
pub(crate) mod renderers;
pub(crate) mod sharing;
pub(crate) mod signatures;
pub(crate) mod sources;
pub(crate) mod syncing;
pub(crate) mod takeover;
pub(crate) mod verbs;
pub(crate) mod waves;
