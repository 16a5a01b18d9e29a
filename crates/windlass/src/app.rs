//! `windlass app`: everything people do with Applications, through the Kubernetes API alone.

mod actions;
mod delete;
mod destination;
mod diff;
mod explain;
mod follow;
mod get;
mod graph;
mod history;
mod list;
mod local;
mod logs;
mod manifests;
mod orphans;
mod progress;
mod source;
mod source_flags;
mod spec;
mod sync;
mod test;
mod tree;
mod wait;

use std::process::ExitCode;

use anyhow::Result;
use clap::{Args, Subcommand};

pub(crate) use manifests::{declared_objects, in_form};
pub(crate) use source::{Programs, SourceOptions};
pub(crate) use spec::{object_in_file, pair};
pub(crate) use tree::show as show_tree;

use crate::output::{self, ColorOption};
use crate::session::{Connection, Session};

/// Options of `windlass app`.
#[derive(Debug, Args)]
pub(crate) struct AppOptions {
    #[command(flatten)]
    connection: Connection,
    #[command(flatten)]
    color: ColorOption,
    #[command(subcommand)]
    verb: AppVerb,
}

#[derive(Debug, Subcommand)]
enum AppVerb {
    /// List Applications.
    #[command(
        visible_alias = "ls",
        after_help = "\
EXAMPLES
  windlass app list
  windlass app list --all-namespaces -o wide
  windlass app list -l team=payments -o name"
    )]
    List(list::ListOptions),
    /// Show one Application: what it is, how it is, what it waits for.
    #[command(after_help = "\
EXAMPLES
  windlass app get guestbook
  windlass app get guestbook --refresh
  windlass app get team-a/guestbook -o yaml")]
    Get(get::GetOptions),
    /// Create an Application, from flags or from a file.
    #[command(after_help = "\
EXAMPLES
  windlass app create guestbook --repo https://github.com/argoproj/argocd-example-apps \\
      --path guestbook --dest-namespace guestbook --sync-option CreateNamespace=true --auto-sync
  windlass app create --file guestbook.yaml --upsert")]
    Create(Box<spec::CreateOptions>),
    /// Change what an Application asks for.
    #[command(after_help = "\
EXAMPLES
  windlass app set guestbook --revision v1.2.0
  windlass app set guestbook --auto-sync --auto-prune --self-heal
  windlass app set guestbook --sync-policy manual
  windlass app set guestbook -p replicas=3 --values values-prod.yaml
  windlass app set guestbook --source-position 2 --kustomize-image web=registry/web:1.4")]
    Set(Box<spec::SetOptions>),
    /// Take back what `set` told the source's tool: values, images, prefixes and the like.
    #[command(after_help = "\
EXAMPLES
  windlass app unset guestbook -p replicas
  windlass app unset guestbook --values values-prod.yaml --kustomize-image web")]
    Unset(spec::UnsetOptions),
    /// Make the cluster as Git says, now, and follow it to the end.
    #[command(after_help = "\
EXAMPLES
  windlass app sync guestbook
  windlass app sync guestbook --prune --wait
  windlass app sync guestbook --revision 8d3c1f0 --dry-run
  windlass app sync guestbook --local ./deploy   # what this folder declares, until the next sync
  windlass app sync guestbook --resource apps:Deployment:web --resource :ConfigMap:settings

Exit code: 0 when the sync succeeded, 1 when it failed or could not be asked for.")]
    Sync(sync::SyncOptions),
    /// Wait until an Application is synced, healthy and at rest.
    #[command(after_help = "\
EXAMPLES
  windlass app wait guestbook
  windlass app wait guestbook --health --timeout 5m

Without --sync, --health or --operation, all three are waited for.
Exit code: 0 when it came to pass, 1 when the time was up.")]
    Wait(wait::WaitOptions),
    /// Show what a sync would change.
    #[command(after_help = "\
EXAMPLES
  windlass app diff guestbook
  windlass app diff guestbook --revision my-branch
  windlass app diff guestbook --local ./deploy
  windlass app diff guestbook >/dev/null || echo \"there is something to sync\"

The cluster itself says how each object would be (a dry run of the same apply as a sync's), so defaults and \
fields of other owners are no differences. Lines with - are live, lines with + would be.
Exit code: 0 without differences, 1 with some, 2 when it could not be told.")]
    Diff(diff::DiffOptions),
    /// Say why it is not synced, not healthy or not done.
    #[command(after_help = "\
EXAMPLES
  windlass app explain guestbook

Exit code: 0 when there is nothing to explain, 1 otherwise.")]
    Explain(explain::ExplainOptions),
    /// List what was deployed.
    #[command(after_help = "\
EXAMPLES
  windlass app history guestbook")]
    History(history::HistoryOptions),
    /// Go back to something deployed before.
    #[command(after_help = "\
EXAMPLES
  windlass app history guestbook
  windlass app rollback guestbook        # to the deployment before the last
  windlass app rollback guestbook 3 --prune

An Application that syncs by itself would go forward again at once, so this is refused while it does.")]
    Rollback(sync::RollbackOptions),
    /// Run the tests that its chart brings along: hooks of Helm's event `test`.
    #[command(after_help = "\
EXAMPLES
  windlass app test guestbook
  windlass app test guestbook --filter name=connects --logs
  windlass app test guestbook --filter '!name=slow' --timeout 10m -o json

The tests are those of the revision that was deployed last. They run one after the other, by helm.sh/hook-weight, until \
one fails, with your own rights in the cluster that it is deployed to, and go as helm.sh/hook-delete-policy says.
Exit code: 0 when all succeeded or there are none, 1 otherwise.")]
    Test(test::TestOptions),
    /// Show an Application's objects under their owners, down to pods.
    #[command(after_help = "\
EXAMPLES
  windlass app tree guestbook
  windlass app tree guestbook -o json")]
    Tree(tree::TreeOptions),
    /// Show which Applications wait for which.
    #[command(after_help = "\
EXAMPLES
  windlass app graph
  windlass app graph shop          # what it waits for, and what waits for it
  windlass app graph --dot | dot -Tsvg > graph.svg

An Application says what it depends on by its annotation windlass.dev/depends-on.")]
    Graph(graph::GraphOptions),
    /// Delete an Application, with its objects or without.
    #[command(after_help = "\
EXAMPLES
  windlass app delete guestbook
  windlass app delete guestbook --cascade=orphan --yes   # its objects stay
  windlass app delete guestbook --yes --wait")]
    Delete(delete::DeleteOptions),
    /// End the operation that runs.
    #[command(
        visible_alias = "terminate-op",
        after_help = "\
EXAMPLES
  windlass app terminate guestbook"
    )]
    Terminate(sync::TerminateOptions),
    /// Print the logs of an Application's pods.
    #[command(after_help = "\
EXAMPLES
  windlass app logs guestbook
  windlass app logs guestbook --kind Deployment --name web --follow --tail 20
  windlass app logs guestbook --container nginx --since 10m")]
    Logs(logs::LogsOptions),
    /// Print an Application's objects as Git declares them, or as they live.
    #[command(after_help = "\
EXAMPLES
  windlass app manifests guestbook
  windlass app manifests guestbook --source live
  windlass app manifests guestbook --revision v1.2.0")]
    Manifests(manifests::ManifestsOptions),
    /// List an Application's objects.
    #[command(after_help = "\
EXAMPLES
  windlass app resources guestbook
  windlass app resources guestbook -o name
  windlass app resources guestbook --orphaned   # what is there, and belongs to no Application")]
    Resources(get::ResourcesOptions),
    /// Do something to live objects: restart, scale, pause and the like.
    Actions(actions::ActionsOptions),
    /// Look at Git and the cluster again, now.
    #[command(after_help = "\
EXAMPLES
  windlass app refresh guestbook
  windlass app refresh guestbook --hard   # forget what was rendered before")]
    Refresh(get::RefreshOptions),
}

/// Runs a verb. The exit code is part of what `diff`, `wait` and `sync` say.
pub(crate) async fn run(options: AppOptions) -> Result<ExitCode> {
    let AppOptions { connection, color, verb } = options;
    let failure = if matches!(verb, AppVerb::Diff(_)) { diff::EXIT_UNKNOWN } else { 1 };
    let ran = async {
        let session = Session::connect(&connection, color.paint()).await?;
        match verb {
            AppVerb::List(options) => list::run(&session, &options).await,
            AppVerb::Get(options) => get::run(&session, &options).await,
            AppVerb::Create(options) => spec::create(&session, &options).await,
            AppVerb::Set(options) => spec::set(&session, &options).await,
            AppVerb::Unset(options) => spec::unset(&session, &options).await,
            AppVerb::Sync(options) => sync::run(&session, &options).await,
            AppVerb::Wait(options) => wait::run(&session, &options).await,
            AppVerb::Diff(options) => diff::run(&session, &options).await,
            AppVerb::Explain(options) => explain::run(&session, &options).await,
            AppVerb::History(options) => history::run(&session, &options).await,
            AppVerb::Rollback(options) => sync::rollback(&session, &options).await,
            AppVerb::Test(options) => test::run(&session, &options).await,
            AppVerb::Tree(options) => tree::run(&session, &options).await,
            AppVerb::Graph(options) => graph::run(&session, &options).await,
            AppVerb::Delete(options) => delete::run(&session, &options).await,
            AppVerb::Terminate(options) => sync::terminate(&session, &options).await,
            AppVerb::Logs(options) => logs::run(&session, &options).await,
            AppVerb::Manifests(options) => manifests::run(&session, &options).await,
            AppVerb::Resources(options) => get::resources(&session, &options).await,
            AppVerb::Actions(options) => actions::run(&session, &options).await,
            AppVerb::Refresh(options) => get::refresh(&session, &options).await,
        }
    };
    match ran.await {
        Ok(code) => Ok(code),
        Err(error) => {
            output::report(&error);
            Ok(ExitCode::from(failure))
        }
    }
}
