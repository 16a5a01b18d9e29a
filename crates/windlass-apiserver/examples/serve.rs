//! Serves the embedded API: `serve ADDRESS DIRECTORY|- KUBECONFIG [simulate]`, until it is killed.

use std::io::Write;
use std::path::PathBuf;

use windlass_apiserver::{Config, Data, Server};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [address, directory, kubeconfig, rest @ ..] = arguments.as_slice() else {
        return Err("usage: serve ADDRESS DIRECTORY|- KUBECONFIG [simulate]".into());
    };
    let begun = std::time::Instant::now();
    let data = if directory == "-" { Data::Memory } else { Data::Dir(PathBuf::from(directory)) };
    let simulate_workloads = rest.iter().any(|word| word == "simulate");
    let config = Config { data, listen: address.parse()?, simulate_workloads, ..Config::default() };
    let server = Server::start(config).await?;
    std::fs::write(kubeconfig, server.kubeconfig()?)?;
    writeln!(std::io::stdout(), "{} {} {:?}", server.url(), server.admin_token(), begun.elapsed())?;
    std::future::pending::<()>().await;
    Ok(())
}
