//! `windlass completions`, `man` and `version`: what the binary says about itself.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result};
use clap::{Args, CommandFactory};
use windlass_kube::{Value, value};

use crate::cli::Cli;
use crate::output::{self, Format, FormatOption};
use crate::session::Connection;

/// Options of `windlass completions`.
#[derive(Debug, Clone, Args)]
pub(crate) struct CompletionsOptions {
    /// The shell.
    shell: clap_complete::Shell,
}

/// Prints a completion script.
pub(crate) fn completions(options: &CompletionsOptions) -> Result<()> {
    let mut script = Vec::new();
    clap_complete::generate(options.shell, &mut Cli::command(), "windlass", &mut script);
    output::print(&String::from_utf8(script)?)
}

/// Options of `windlass man`.
#[derive(Debug, Clone, Args)]
pub(crate) struct ManOptions {
    /// Where the pages are written, one per verb. Without it, the first page is printed.
    dir: Option<PathBuf>,
}

/// Writes manual pages.
pub(crate) fn man(options: &ManOptions) -> Result<()> {
    match &options.dir {
        None => {
            let mut page = Vec::new();
            clap_mangen::Man::new(Cli::command()).render(&mut page)?;
            output::print(&String::from_utf8(page)?)
        }
        Some(dir) => {
            std::fs::create_dir_all(dir).with_context(|| format!("cannot make {}", dir.display()))?;
            clap_mangen::generate_to(Cli::command(), dir)
                .with_context(|| format!("the manual pages could not be written to {}", dir.display()))?;
            output::note(&format!(
                "Manual pages written to {}; read one with man {}",
                dir.display(),
                dir.join("windlass.1").display()
            ));
            Ok(())
        }
    }
}

/// Options of `windlass version`.
#[derive(Debug, Clone, Args)]
pub(crate) struct VersionOptions {
    #[command(flatten)]
    connection: Connection,
    #[command(flatten)]
    format: FormatOption,
    /// Do not ask the server.
    #[arg(long)]
    client: bool,
}

/// Whoever asks for a version does not want to wait for a server that is away.
const SERVER_TIME: Duration = Duration::from_secs(2);

/// Prints the version of this binary, and that of the server if it answers soon.
pub(crate) async fn version(options: &VersionOptions) -> Result<()> {
    let mut versions = value!({"client": (env!("CARGO_PKG_VERSION"))});
    if !options.client {
        let asking = async {
            let client = options.connection.client().await?;
            Ok::<Value, anyhow::Error>(client.get_path("/version").await?)
        };
        match tokio::time::timeout(SERVER_TIME, asking).await {
            Ok(Ok(server)) => {
                versions.set_at(&["server"], server.str_at(&["gitVersion"]).unwrap_or_default());
            }
            Ok(Err(error)) => output::note(&format!("No server: {error}.")),
            Err(_) => {
                output::note(&format!("No server: it did not answer within {}.", output::age(SERVER_TIME)));
            }
        }
    }
    output::print(&match options.format.output {
        Format::Json => output::json(&versions),
        Format::Yaml => windlass_yaml::to_yaml(&versions),
        Format::Table | Format::Wide | Format::Name => {
            let mut text = format!("windlass {}\n", env!("CARGO_PKG_VERSION"));
            if let Some(server) = versions.str_at(&["server"]) {
                text.push_str(&format!("server: Kubernetes {server}\n"));
            }
            text
        }
    })
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[test]
    fn the_command_line_holds_together() {
        Cli::command().debug_assert();
    }

    #[test]
    fn every_verb_parses() {
        for line in [
            "app list -A -o wide",
            "app ls -o name --kubeconfig k --context c -n team",
            "app get guestbook --refresh",
            "app create a --repo u --path p --revision r --dest-namespace n --dest-server s --project p --auto-prune --self-heal --sync-policy automated --upsert",
            "app create -f a.yaml",
            "app set a --revision v1",
            "app sync a --revision r --prune --dry-run --resource apps:Deployment:web --wait --timeout 5m",
            "app sync a --async",
            "app wait a b --sync --health --operation --timeout 30",
            "app diff a --revision r --exit-code=false --allow-local-repositories",
            "app diff a --exit-code",
            "app history a -o wide",
            "app rollback a 3 --prune",
            "app tree a -o json --color never",
            "app delete a --cascade=orphan -y --wait",
            "app terminate a",
            "app logs a -c nginx -f --tail 5 --since 1h --kind Deployment --name web",
            "app manifests a --source live -o json",
            "app resources a",
            "app refresh a --hard",
            "render . --path deploy -r --include *.yaml --exclude x -o name",
            "install --namespace n --image i --replicas 3 --apply-role none",
            "install --crds-only",
            "demo --repo u --path p --once",
            "completions bash",
            "man /tmp/x",
            "version -o json --client",
        ] {
            let words = std::iter::once("windlass").chain(line.split_whitespace());
            if let Err(error) = Cli::try_parse_from(words) {
                panic!("{line}: {error}");
            }
        }
        for line in
            ["app", "app get", "app create", "app sync a --wait --async", "app delete", "app get a -o xml"]
        {
            let words = std::iter::once("windlass").chain(line.split_whitespace());
            assert!(Cli::try_parse_from(words).is_err(), "{line}");
        }
    }
}
