//! The engine against a cluster that is already there.

use anyhow::{Context, Result};
use windlass_cluster::ClusterClient;

use crate::cli::ControllerOptions;
use crate::serving;

pub(crate) async fn run(options: ControllerOptions) -> Result<()> {
    let client = match &options.kubeconfig {
        Some(path) => ClusterClient::from_kubeconfig(path, options.context.as_deref()).await,
        None => ClusterClient::infer().await,
    }
    .context("no cluster to work on; name one with --kubeconfig, or use `windlass up`")?;
    let data = options.data_dir.clone().unwrap_or_else(serving::default_data_dir);
    serving::run(&options.engine, client, &data, options.share_work, serving::stopped()).await
}
