//! Benchmarks: Windlass against the least that could be done, in one run on one machine.
//!
//! `spine` measures what a user waits for (Units created, commits that arrive) on the embedded and on the real API
//! server, each next to the *floor* of the same run: a bare client that makes only the writes that cannot be left
//! out. `monorepo` measures one repository of thousands of folders,
//! `extremes` what large, slow and sick Units cost, `api` the embedded API against kube-apiserver. `micro` measures
//! single operations in process. Nothing is asserted but that the work was done.

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "figures go to stdout, progress to stderr")]

mod api;
mod arguments;
mod client;
mod extremes;
mod figures;
mod floor;
mod follow;
mod helm;
mod kustomize;
mod machine;
mod micro;
mod monorepo;
mod repositories;
mod scene;
mod server;
mod spine;
mod usage;
mod windlass;
mod workload;

use anyhow::Result;
use clap::Parser;

use crate::arguments::{Arguments, What};

/// What is measured in process has the allocator that it has in the binary.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    // One TLS stack for everything; the error only says that it is installed already.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let machine = machine::Machine::read();
    let mut report = figures::Report::new(&machine);
    if arguments.what == What::Kustomize {
        kustomize::run(&mut report, arguments.binary().ok().as_deref())?;
    }
    if arguments.what == What::Helm {
        helm::run(&mut report, arguments.binary().ok().as_deref(), &arguments.charts)?;
    }
    if matches!(arguments.what, What::All | What::Spine) {
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
        runtime.block_on(spine::run(&arguments, &mut report))?;
    }
    if matches!(arguments.what, What::All | What::Monorepo) {
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
        runtime.block_on(monorepo::run(&arguments, &mut report))?;
    }
    if matches!(arguments.what, What::All | What::Extremes) {
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
        runtime.block_on(extremes::run(&arguments, &mut report))?;
    }
    if arguments.what == What::Api {
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
        runtime.block_on(api::run(&arguments, &mut report))?;
    }
    if arguments.what == What::Repositories {
        repositories::run(&arguments, &mut report)?;
    }
    if matches!(arguments.what, What::All | What::Micro) {
        micro::run(&mut report)?;
    }
    report.finish();
    println!("{}", report.to_markdown());
    if let Some(path) = &arguments.json {
        std::fs::write(path, serde_json::to_vec_pretty(&report)?)?;
    }
    Ok(())
}
