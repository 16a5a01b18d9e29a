//! Keeps a real cluster up until Ctrl-C, and prints how to reach it.

#![expect(clippy::print_stdout, reason = "a program for people")]

use windlass_testing::{Cluster, Result};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    let cluster = Cluster::shared().await?;
    println!("export KUBECONFIG={}", cluster.kubeconfig().display());
    println!("# logs are in {}; Ctrl-C ends the cluster", cluster.logs().display());
    if let Err(error) = tokio::signal::ctrl_c().await {
        println!("cannot wait for Ctrl-C: {error}");
    }
    Ok(())
}
