//! The `windlass` binary: verbs and printing, thin.

mod actions;
mod admin;
mod app;
mod backup;
mod bucket;
mod cli;
mod cluster;
mod completions;
mod config_file;
mod controller;
mod demo;
mod health;
mod install;
mod logging;
mod output;
mod plan;
mod proj;
mod render;
mod serving;
mod session;
mod up;
mod work_tree;

use std::process::ExitCode;

use clap::Parser;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    // A child of another Windlass does one thing, and reads no settings.
    if windlass_sandbox::serve_if_child() {
        return ExitCode::SUCCESS;
    }
    let arguments = match config_file::with_file(std::env::args_os().collect()) {
        Ok(arguments) => arguments,
        Err(error) => return fail(&error),
    };
    let cli = cli::Cli::parse_from(arguments);
    // One TLS stack for everything; the error only says that it is installed already.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            return fail(&anyhow::Error::new(error).context("the asynchronous runtime could not start"));
        }
    };
    let result = runtime.block_on(cli.run());
    // Blocking work, such as a fetch that hangs, must not hold up the exit.
    runtime.shutdown_background();
    match result {
        Ok(code) => code,
        Err(error) => fail(&error),
    }
}

/// Prints an error with its causes; exit code 1, as for every failure that has no code of its own.
fn fail(error: &anyhow::Error) -> ExitCode {
    output::report(error);
    ExitCode::FAILURE
}
