//! `windlass app diff`: live against what a sync would make of it.

use std::fmt::Write as _;
use std::process::ExitCode;

use anyhow::{Context, Result};
use clap::Args;
use similar::{ChangeTag, TextDiff};
use windlass_engine::{ObjectPreview, PreviewChange, PreviewInput, preview};
use windlass_kube::Value;

use super::local::LocalOptions;
use super::source::{self, SourceOptions};
use crate::output::{self, Paint, Tone};
use crate::session::Session;

/// The exit code when it could not be told; 1 says that there are differences.
pub(super) const EXIT_UNKNOWN: u8 = 2;
/// The exit code when there are differences.
const EXIT_DIFFERENT: u8 = 1;

/// Options of `windlass app diff`.
#[derive(Debug, Clone, Args)]
pub(super) struct DiffOptions {
    /// The Application: NAME, or NAMESPACE/NAME.
    name: String,
    /// Compare with this revision instead of the declared one.
    #[arg(long = "revision", id = "revisions", value_name = "REVISION")]
    revision: Option<String>,
    #[command(flatten)]
    local: LocalOptions,
    /// Whether differences give exit code 1.
    #[arg(long, default_value_t = true, action = clap::ArgAction::Set, num_args = 0..=1, require_equals = true, default_missing_value = "true", value_name = "BOOL")]
    exit_code: bool,
    /// Lines of context around each difference.
    #[arg(long, short = 'U', default_value_t = 3, value_name = "LINES")]
    unified: usize,
    #[command(flatten)]
    source: SourceOptions,
}

pub(super) async fn run(session: &Session, options: &DiffOptions) -> Result<ExitCode> {
    let application = session.get(&options.name).await?;
    let application = source::at_revision(&application, options.revision.as_deref());
    let local = options.local.manifests(session, &application, &options.source).await?;
    let settings = source::settings(session).await?;
    let (credentials, project, secrets) = tokio::try_join!(
        source::credentials(session),
        source::project(session, &application, &settings),
        source::secrets(session),
    )?;
    let store = options.source.store()?;
    let programs = options.source.programs()?;
    let input = PreviewInput {
        client: &session.client,
        stores: &store.stores,
        application: &application,
        project: project.as_ref(),
        credentials: &credentials,
        secrets: &secrets,
        settings: &settings,
        tools: programs.tools(),
        local: local.as_deref(),
        logins: options.source.logins(),
    };
    let previewing = preview(&input);
    let found = tokio::select! {
        found = previewing => found.with_context(|| format!("what a sync of {} would change cannot be told", options.name))?,
        // The temporary store goes on the way out.
        () = crate::serving::stopped() => anyhow::bail!("interrupted"),
    };
    let prunes = application.at(&["spec", "syncPolicy", "automated"]).and_then(|it| it.bool_at(&["prune"]))
        == Some(true);
    let mut n_changes = 0;
    let mut text = String::new();
    for object in found.objects.iter().filter(|object| object.change != PreviewChange::None) {
        n_changes += 1;
        text.push_str(&section(object, options.unified, session.paint));
    }
    output::print(&text)?;
    for diagnostic in &found.diagnostics {
        output::note(&format!("warning: {diagnostic}"));
    }
    if !prunes && found.objects.iter().any(|object| object.change == PreviewChange::Prune) {
        output::note("hint: objects that are no longer declared go only with `windlass app sync --prune`");
    }
    output::note(&match n_changes {
        0 => "No differences.".to_owned(),
        1 => "1 object differs.".to_owned(),
        n => format!("{n} objects differ."),
    });
    if found.diagnostics.iter().any(|diagnostic| diagnostic.kind.is_error()) {
        return Ok(ExitCode::from(EXIT_UNKNOWN));
    }
    Ok(if n_changes > 0 && options.exit_code { ExitCode::from(EXIT_DIFFERENT) } else { ExitCode::SUCCESS })
}

/// One object's part of the answer.
fn section(object: &ObjectPreview, context: usize, paint: Paint) -> String {
    let what = match &object.change {
        PreviewChange::None => "stays".to_owned(),
        PreviewChange::Create => "would be created".to_owned(),
        PreviewChange::Update => "would be changed".to_owned(),
        PreviewChange::Prune => "is no longer declared, would be pruned".to_owned(),
        PreviewChange::Refused(why) => format!("would be refused: {why}"),
    };
    let mut text = paint.tone(Tone::Strong, &format!("===== {} {what} =====", object.key));
    text.push('\n');
    for difference in object.differences.iter().filter(|_| object.change == PreviewChange::Update) {
        text.push_str(&paint.tone(Tone::Dim, &format!("# {difference}")));
        text.push('\n');
    }
    let (live, predicted) = (yaml(object.live.as_ref()), yaml(object.predicted.as_ref()));
    text.push_str(&unified(&live, &predicted, context, paint));
    text
}

fn yaml(value: Option<&Value>) -> String {
    value.map(windlass_yaml::to_yaml).unwrap_or_default()
}

/// The lines that differ, with some around them.
fn unified(old: &str, new: &str, context: usize, paint: Paint) -> String {
    let mut text = String::new();
    let diff = TextDiff::from_lines(old, new);
    for hunk in diff.unified_diff().context_radius(context).iter_hunks() {
        let _ = writeln!(text, "{}", paint.tone(Tone::Dim, hunk.header().to_string().trim_end()));
        for change in hunk.iter_changes() {
            let (sign, tone) = match change.tag() {
                ChangeTag::Delete => ('-', Tone::Bad),
                ChangeTag::Insert => ('+', Tone::Good),
                ChangeTag::Equal => (' ', Tone::Plain),
            };
            let line = format!("{sign}{}", change.value().trim_end_matches('\n'));
            let _ = writeln!(text, "{}", paint.tone(tone, &line));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use windlass_kube::ObjectRef;

    use super::*;

    #[test]
    fn a_change_shows_both_sides() {
        let load = |text: &str| windlass_yaml::load(text).ok();
        let object = ObjectPreview {
            key: ObjectRef::new("apps", "Deployment", "shop", "web"),
            change: PreviewChange::Update,
            live: load("kind: Deployment\nspec: {replicas: 9, paused: false}\n"),
            predicted: load("kind: Deployment\nspec: {replicas: 2, paused: false}\n"),
            differences: Vec::new(),
        };
        assert_eq!(
            section(&object, 1, Paint(false)),
            "===== Deployment.apps shop/web would be changed =====\n\
             @@ -3,2 +3,2 @@\n   paused: false\n-  replicas: 9\n+  replicas: 2\n"
        );
        let coloured = section(&object, 0, Paint(true));
        assert!(
            coloured.contains("\x1b[31m-  replicas: 9\x1b[0m\n\x1b[32m+  replicas: 2\x1b[0m"),
            "{coloured}"
        );
    }

    #[test]
    fn what_is_created_or_pruned_shows_one_side() {
        let value = windlass_yaml::load("a: 1\n").ok();
        let key = ObjectRef::new("", "ConfigMap", "shop", "a");
        let created = ObjectPreview {
            key: key.clone(),
            change: PreviewChange::Create,
            live: None,
            predicted: value.clone(),
            differences: Vec::new(),
        };
        assert!(section(&created, 3, Paint(false)).ends_with("@@ -0,0 +1 @@\n+a: 1\n"));
        let pruned = ObjectPreview {
            key,
            change: PreviewChange::Prune,
            live: value,
            predicted: None,
            differences: Vec::new(),
        };
        assert!(section(&pruned, 3, Paint(false)).ends_with("@@ -1 +0,0 @@\n-a: 1\n"));
    }
}
