//! `windlass app test`: runs the tests that a chart brings along, as `helm test` does.

mod hook;

use std::process::ExitCode;
use std::str::FromStr;
use std::time::Duration;

use anyhow::{Result, bail};
use clap::Args;
use windlass_kube::{Object, Value, value};

use super::destination::{clusters, connect, lowered};
use super::follow::{limit, timeout};
use super::manifests::declared_objects;
use super::source::{self, SourceOptions};
use crate::output::{self, Advised, Format, FormatOption};
use crate::session::{Session, now, revisions, short};
use hook::{Ended, TestHook};

/// Options of `windlass app test`.
#[derive(Debug, Clone, Args)]
pub(super) struct TestOptions {
    /// The Application: NAME, or NAMESPACE/NAME.
    name: String,
    /// Only the tests of these names, or all but those with `!` before them. Repeatable, or with commas.
    #[arg(long, value_delimiter = ',', value_name = "[!]name=NAME")]
    filter: Vec<Filter>,
    /// Print the logs of the tests' pods after all of them have run, before any is deleted.
    #[arg(long)]
    logs: bool,
    /// How long each test may take: seconds, or a time such as 5m; 0 is without end.
    #[arg(long, value_parser = timeout, default_value = "5m", value_name = "TIME")]
    timeout: Duration,
    #[command(flatten)]
    format: FormatOption,
    #[command(flatten)]
    sources: SourceOptions,
}

/// Which tests are meant.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Filter {
    Only(String),
    Without(String),
}

impl FromStr for Filter {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (is_without, rest) = match text.trim().strip_prefix('!') {
            Some(rest) => (true, rest),
            None => (false, text.trim()),
        };
        match rest.split_once('=') {
            Some(("name", name)) if !name.is_empty() => {
                Ok(if is_without { Self::Without(name.into()) } else { Self::Only(name.into()) })
            }
            _ => Err("write name=NAME or !name=NAME".into()),
        }
    }
}

/// Whether a test of that name is meant, as Helm has it: named ones alone where some are named, and never one that is
/// left out.
fn is_meant(filters: &[Filter], name: &str) -> bool {
    let is_named = filters.iter().any(|filter| matches!(filter, Filter::Only(only) if only == name));
    let is_left_out = filters.iter().any(|filter| matches!(filter, Filter::Without(out) if out == name));
    let names_some = filters.iter().any(|filter| matches!(filter, Filter::Only(_)));
    !is_left_out && (is_named || !names_some)
}

/// What became of one test.
struct Suite {
    name: String,
    started: String,
    completed: String,
    /// Why it failed; empty where it succeeded.
    problem: String,
}

pub(super) async fn run(session: &Session, options: &TestOptions) -> Result<ExitCode> {
    let application = session.get(&options.name).await?;
    let (application, revision) = deployed(&application)?;
    let settings = source::settings(session).await?;
    let project = source::project(session, &application, &settings).await?;
    let clusters = clusters(session).await?;
    let lowered = lowered(&application, project.as_ref(), &settings, &clusters);
    if let Some(fatal) = lowered.unit.diagnostics.iter().find(|diagnostic| diagnostic.kind.is_error()) {
        bail!("the Application cannot be acted on: {fatal}");
    }
    let there = connect(session, &lowered, &clusters, options.sources.logins())?;
    let discovery = super::tree::discover(&there).await?;
    let store = options.sources.store()?;
    let credentials = source::credentials(session).await?;
    let programs = options.sources.programs()?;
    let rendering = declared_objects(&store.stores, &credentials, &lowered, &discovery, programs.tools());
    let (objects, _) = tokio::select! {
        rendered = rendering => rendered?,
        // The temporary store goes on the way out.
        () = crate::serving::stopped() => bail!("interrupted"),
    };
    let mut tests = Vec::new();
    for object in objects.into_iter().filter(hook::is_test) {
        if is_meant(&options.filter, object.name()) {
            tests.push(TestHook::ready(object, &lowered, &discovery)?);
        }
    }
    tests.sort_by(|a, b| a.order().cmp(&b.order()));
    let (suites, failed) = run_all(&there, &tests, options).await?;
    let form = options.format.output;
    output::print(&told(&application, &lowered.unit.target.namespace, &revision, &suites, form))?;
    if let Some(problem) = failed {
        output::report(&anyhow::anyhow!(problem));
        return Ok(ExitCode::FAILURE);
    }
    Ok(ExitCode::SUCCESS)
}

/// Runs tests one after the other until one fails; then logs, and what is deleted by its policy.
async fn run_all(
    session: &Session,
    tests: &[TestHook],
    options: &TestOptions,
) -> Result<(Vec<Suite>, Option<String>)> {
    let mut suites = Vec::new();
    let mut failed = None;
    for test in tests {
        output::note(&format!("{}: running", test.shown()));
        let started = now().to_string();
        let ended = test.run(session, limit(options.timeout)).await;
        let problem = match ended {
            Ok(Ended::Succeeded) => String::new(),
            Ok(Ended::Failed(problem)) => problem,
            Err(error) => format!("{error:#}"),
        };
        let said = if problem.is_empty() { "succeeded".to_owned() } else { format!("failed: {problem}") };
        output::note(&format!("{}: {said}", test.shown()));
        let has_failed = !problem.is_empty();
        if has_failed {
            failed = Some(format!("the test {} failed: {problem}", test.shown()));
        }
        suites.push(Suite { name: test.name().into(), started, completed: now().to_string(), problem });
        if has_failed {
            break;
        }
    }
    if options.logs {
        for test in &tests[..suites.len()] {
            output::print(&test.logs(session).await)?;
        }
    }
    for (test, suite) in tests.iter().zip(&suites) {
        test.clean_up(session, suite.problem.is_empty()).await?;
    }
    Ok((suites, failed))
}

/// The Application as it was deployed last, with its tests, and the revision of that.
fn deployed(application: &Object) -> Result<(Object, String)> {
    let history = application.at(&["status", "history"]).and_then(Value::as_array);
    let newest = history.and_then(|history| history.last().cloned());
    let Some(newest) = newest else {
        return Err(Advised::error(
            "nothing was deployed yet, so there is nothing to test",
            format!("deploy it first: windlass app sync {}", application.name()),
        ));
    };
    let revisions = revisions(&newest);
    let mut application = application.clone();
    let several: Vec<Value> =
        application.at(&["spec"]).cloned().unwrap_or_default().items_at(&["sources"]).to_vec();
    let at = |mut source: Value, revision: Option<&&str>| {
        if let Some(revision) = revision {
            source.set_at(&["targetRevision"], *revision);
        }
        // Leaving tests out is for syncs.
        source.remove_at(&["helm", "skipTests"]);
        source
    };
    if several.is_empty() {
        let source = application.at(&["spec", "source"]).cloned().unwrap_or_default();
        application.set_at(&["spec", "source"], at(source, revisions.first()));
    } else {
        let sources = several.into_iter().enumerate().map(|(idx, source)| at(source, revisions.get(idx)));
        let sources: Vec<Value> = sources.collect();
        application.set_at(&["spec", "sources"], sources);
    }
    Ok((application, revisions.first().map_or(String::new(), |revision| short(revision).to_owned())))
}

/// What is said in the end: as `helm test` says it, or as a value.
fn told(application: &Object, namespace: &str, revision: &str, suites: &[Suite], form: Format) -> String {
    let phase = |suite: &Suite| if suite.problem.is_empty() { "Succeeded" } else { "Failed" };
    match form {
        Format::Json | Format::Yaml => {
            let suites: Vec<Value> = suites
                .iter()
                .map(|suite| {
                    value!({
                        "name": (suite.name.as_str()),
                        "phase": (phase(suite)),
                        "message": (suite.problem.as_str()),
                        "started": (suite.started.as_str()),
                        "completed": (suite.completed.as_str()),
                    })
                })
                .collect();
            let all = value!({
                "name": (application.name()), "namespace": (namespace), "revision": (revision), "tests": (suites)
            });
            if form == Format::Json { output::json(&all) } else { windlass_yaml::to_yaml(&all) }
        }
        Format::Name => suites.iter().map(|suite| format!("{} {}\n", suite.name, phase(suite))).collect(),
        Format::Table | Format::Wide => {
            let name = application.name();
            let mut text = format!("NAME: {name}\nNAMESPACE: {namespace}\nREVISION: {revision}\n");
            if suites.is_empty() {
                text.push_str("TEST SUITE: None\n");
            }
            for suite in suites {
                text.push_str(&format!(
                    "TEST SUITE:     {}\nLast Started:   {}\nLast Completed: {}\nPhase:          {}\n",
                    suite.name,
                    suite.started,
                    suite.completed,
                    phase(suite)
                ));
            }
            text
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tests_are_chosen_by_name() {
        let chosen = |filters: &[&str]| {
            let filters: Vec<Filter> = filters.iter().map(|text| text.parse().unwrap()).collect();
            ["a", "b", "c"].into_iter().filter(|name| is_meant(&filters, name)).collect::<String>()
        };
        assert_eq!(chosen(&[]), "abc");
        assert_eq!(chosen(&["name=a", "name=c"]), "ac");
        assert_eq!(chosen(&["!name=b"]), "ac");
        assert_eq!(chosen(&["name=a", "name=b", "!name=b"]), "a");
        for text in ["a", "name=", "kind=Pod", "!"] {
            assert!(text.parse::<Filter>().is_err(), "{text}");
        }
    }

    #[test]
    fn what_was_deployed_is_tested() {
        let application = |history: &str| {
            let text = format!(
                "apiVersion: argoproj.io/v1alpha1\nkind: Application\nmetadata: {{name: shop}}\n\
                 spec: {{source: {{path: a, targetRevision: main, helm: {{skipTests: true}}}}}}\nstatus: {{{history}}}\n"
            );
            Object::try_new(windlass_yaml::load(&text).unwrap()).unwrap()
        };
        assert!(deployed(&application("")).is_err());
        let (object, revision) =
            deployed(&application("history: [{revision: old}, {revision: v1}]")).unwrap();
        assert_eq!((revision.as_str(), object.str_at(&["spec", "source", "targetRevision"])), ("v1", "v1"));
        assert_eq!(object.at(&["spec", "source", "helm", "skipTests"]), None);
        let suite = |name: &str, problem: &str| Suite {
            name: name.into(),
            started: "s".into(),
            completed: "c".into(),
            problem: problem.into(),
        };
        let suites = [suite("a", ""), suite("b", "no luck")];
        assert_eq!(
            told(&object, "ns", "v1", &suites, Format::Table),
            "NAME: shop\nNAMESPACE: ns\nREVISION: v1\n\
             TEST SUITE:     a\nLast Started:   s\nLast Completed: c\nPhase:          Succeeded\n\
             TEST SUITE:     b\nLast Started:   s\nLast Completed: c\nPhase:          Failed\n"
        );
        assert!(told(&object, "ns", "v1", &[], Format::Table).ends_with("TEST SUITE: None\n"));
        assert_eq!(told(&object, "ns", "v1", &suites, Format::Name), "a Succeeded\nb Failed\n");
    }
}
