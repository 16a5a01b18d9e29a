//! Log lines: constant messages, everything that varies in fields.

use std::io::IsTerminal;

use anyhow::{Context, Result};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::format::FmtSpan;

use crate::cli::{Global, LogFormat};

/// Libraries say little unless they are named in the level.
const QUIET: &str = "rustls=info,hyper=info,hyper_util=info,h2=info,tower=info,kube=info,gix=info,russh=warn";

/// Starts logging to standard error.
///
/// # Errors
///
/// When the level cannot be read.
pub(crate) fn start(global: &Global) -> Result<()> {
    let filter = EnvFilter::try_new(format!("{QUIET},{}", global.log)).with_context(|| {
        format!("--log {:?} is no level such as info or windlass_engine=debug", global.log)
    })?;
    let logs = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    let started = match global.log_format {
        LogFormat::Text => logs
            .with_ansi(std::io::stderr().is_terminal())
            .with_target(false)
            .with_span_events(FmtSpan::NONE)
            .try_init(),
        LogFormat::Json => logs.json().flatten_event(true).try_init(),
    };
    started.map_err(|error| anyhow::anyhow!("logging could not start: {error}"))
}
