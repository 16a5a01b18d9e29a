//! Plugins made of programs: what they are given, which renders run, and how those fail that misbehave.
#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use std::fs;
use std::time::Duration;

use tempfile::TempDir;
use windlass_kube::Str;
use windlass_model::{Entry, MemoryTree, PluginOptions, Renderer, Tree, TreeError};
use windlass_plugin::{PluginSettings, Registry};
use windlass_render::{Context, Environment, NoWorld, RenderCache, Rendered, SharedRender};
use windlass_sandbox::confined::JobLimits;

/// What a program prints that renders: an object with what it was given.
const PRINT: &str = r#"printf 'apiVersion: v1\nkind: ConfigMap\nmetadata: {name: made}\ndata:\n  in: "%s"\n' "$(cat in.txt)""#;

fn limits() -> JobLimits {
    JobLimits { time: Duration::from_secs(60), ..JobLimits::default() }
}

fn definition(name: &str, annotations: &str, spec: &str) -> String {
    format!(
        "apiVersion: argoproj.io/v1alpha1\nkind: ConfigManagementPlugin\n\
         metadata:\n  name: {name}\n  annotations: {{{annotations}}}\nspec:\n{spec}"
    )
}

/// The spec of a plugin that runs a script.
fn script(script: &str) -> String {
    let script = script.replace('\'', "''");
    format!("  generate: {{command: [bash, -c, '{script}']}}\n")
}

fn registry(definitions: &[String], limits: JobLimits) -> Registry {
    let folder = TempDir::new().unwrap();
    for (idx, definition) in definitions.iter().enumerate() {
        fs::write(folder.path().join(format!("{idx}.yaml")), definition).unwrap();
    }
    let launcher = env!("CARGO_BIN_EXE_plugin-child").into();
    let settings = PluginSettings { launcher, limits, ..PluginSettings::default() };
    let (registry, findings) = Registry::load(folder.path(), settings).unwrap();
    assert!(findings.is_empty(), "{findings:?}");
    registry
}

fn named(name: &str) -> Renderer {
    Renderer::Plugin(Box::new(PluginOptions { name: name.into(), ..PluginOptions::default() }))
}

fn render(registry: &Registry, tree: &dyn Tree, renderer: &Renderer) -> Result<Rendered, String> {
    let mut world = NoWorld::default();
    let mut context = Context::empty(&mut world);
    context.services.plugins = Some(registry);
    context.environment = Environment::new([("ARGOCD_APP_REVISION".into(), "abc".into())]);
    windlass_render::render(tree, "app", renderer, &mut context).map_err(|error| error.to_string())
}

fn failure(spec: &str, limits: JobLimits) -> String {
    let registry = registry(&[definition("p", "", spec)], limits);
    let tree = MemoryTree::new([("app/in.txt", "x")]);
    let error = render(&registry, &tree, &named("p")).unwrap_err();
    let prefix = "app cannot be rendered by a plugin: ";
    error.strip_prefix(prefix).unwrap_or_else(|| panic!("{error}")).to_owned()
}

#[test]
fn each_way_to_misbehave_is_an_error_of_its_own() {
    let brief = JobLimits { time: Duration::from_millis(500), ..limits() };
    let small = JobLimits { output_bytes: 100_000, processes: 16, ..limits() };
    for (spec, limits, expected) in [
        (
            script("sleep 1000"),
            brief,
            "it ran for more than 0.5 seconds (limit PLUGIN_SECONDS, see --plugin-seconds)",
        ),
        (script("yes"), small, "it prints more than 100000 bytes (limit PLUGIN_OUTPUT_BYTES)"),
        (
            script("while :; do sleep 1000 & done"),
            small,
            "it runs more than 16 processes at once (limit PLUGIN_PROCESSES)",
        ),
        (
            script("echo https://me:pw@host said no >&2; exit 4"),
            limits(),
            "it ended with exit status: 4: https://[redacted]@host said no",
        ),
        (script("printf '\\377\\376'"), limits(), "it prints something that is not UTF-8"),
    ] {
        assert_eq!(failure(&spec, limits), format!("the plugin p failed at its spec.generate: {expected}"));
    }
    let error = failure(&script("exec 3<>/dev/tcp/127.0.0.1/1"), limits());
    assert!(error.contains("Network is unreachable"), "{error}");
    assert!(error.ends_with("(it has no network unless its definition says so)"), "{error}");
    let error = failure(&script("echo 'a: ['"), limits());
    assert!(error.starts_with("what the plugin p printed cannot be parsed: "), "{error}");
    let error = failure(&script("echo just words"), limits());
    assert!(error.starts_with("what the plugin p printed is no Kubernetes object: "), "{error}");
    let with_init = format!("  init: {{command: ['false']}}\n{}", script(PRINT));
    assert_eq!(
        failure(&with_init, limits()),
        "the plugin p failed at its spec.init: it ended with exit status: 1"
    );
}

/// A Tree in which every file is a program.
struct Programs(MemoryTree);

impl Tree for Programs {
    fn entry(&self, path: &str) -> Result<Option<Entry>, TreeError> {
        self.0.entry(path)
    }

    fn list(&self, path: &str) -> Result<Option<Vec<(Str, Entry)>>, TreeError> {
        self.0.list(path)
    }

    fn is_executable(&self, _: &str) -> Result<bool, TreeError> {
        Ok(true)
    }

    fn read(&self, path: &str, limit: u64) -> Result<Option<std::sync::Arc<[u8]>>, TreeError> {
        self.0.read(path, limit)
    }
}

#[test]
fn programs_among_the_files_can_be_run_only_where_that_was_asked_for() {
    let printing = format!("#!/bin/bash\n{PRINT}\n");
    let tree = Programs(MemoryTree::new([("app/in.txt", "x"), ("app/bin/print.sh", printing.as_str())]));
    for (field, is_run) in
        [("", false), ("  preserveFileMode: false\n", false), ("  preserveFileMode: true\n", true)]
    {
        let spec = format!("{field}{}", script("./bin/print.sh"));
        let registry = registry(&[definition("p", "", &spec)], limits());
        match render(&registry, &tree, &named("p")) {
            Ok(rendered) => assert!(is_run && rendered.manifests[0].object.name() == "made", "{field}"),
            Err(error) => assert!(!is_run && error.contains("ermission denied"), "{field}: {error}"),
        }
    }
}

#[test]
fn a_plugin_that_is_not_there_or_does_not_take_the_folder_is_told() {
    let looks = format!("  version: v1\n  discover: {{fileName: none}}\n{}", script(PRINT));
    let registry = registry(&[definition("a", "", &looks), definition("b", "", &script(PRINT))], limits());
    let tree = MemoryTree::new([("app/in.txt", "x")]);
    for (name, problem) in [
        ("c", "there is no plugin c; declared are a-v1, b"),
        ("a", "there is no plugin a; declared are a-v1, b"),
        ("a-v1", "the plugin a-v1 does not take it: its spec.discover finds nothing"),
        ("", "no plugin that is declared here takes it"),
    ] {
        let error = render(&registry, &tree, &named(name)).unwrap_err();
        assert_eq!(error, format!("app cannot be rendered by a plugin: {problem}"));
    }
    assert_eq!(render(&registry, &tree, &named("b")).unwrap().plugin, "b");
}

#[test]
fn those_that_look_for_folders_come_before_the_other_tools_in_the_order_of_their_names() {
    let looks = |name: &str, version: &str, how: &str| {
        let spec = format!("  version: '{version}'\n  discover: {{{how}}}\n{}", script(PRINT));
        definition(name, "", &spec)
    };
    let tree = MemoryTree::new([
        ("app/in.txt", "x"),
        ("app/Chart.yaml", "apiVersion: v2\nname: x\nversion: 1.0.0\n"),
        ("app/kustomization.yaml", "resources: []\n"),
    ]);
    for (definitions, plugin) in [
        (vec![looks("b", "", "fileName: in.txt"), looks("a", "", "find: {glob: '**/in.txt'}")], "a"),
        // By the names of their sockets, in which a dash comes before the dot.
        (vec![looks("a", "", "fileName: in.txt"), looks("a", "v1", "fileName: in.txt")], "a-v1"),
        (vec![looks("a", "", "find: {command: ['false']}"), looks("b", "", "find: {command: [ls]}")], "b"),
        (vec![looks("a", "", "fileName: other")], ""),
    ] {
        let registry = registry(&definitions, limits());
        let rendered = render(&registry, &tree, &Renderer::Detect).unwrap();
        assert_eq!(rendered.plugin, plugin);
        assert_eq!(rendered.manifests.len(), usize::from(!plugin.is_empty()));
    }
}

/// What it was told of the environment, as the program saw it.
#[test]
fn the_revision_is_told_to_those_that_ask_for_it() {
    let tree = MemoryTree::new([("app/in.txt", "x")]);
    let print = "echo \"{apiVersion: v1, kind: A, metadata: {name: 'r'}, env: '$(env | grep -c REVISION)'}\"";
    for (annotations, script_text, seen) in [
        ("", print.to_owned(), "0"),
        ("", format!(": $ARGOCD_APP_REVISION; {print}"), "1"),
        ("windlass.dev/revision: 'true'", print.to_owned(), "1"),
    ] {
        let registry = registry(&[definition("p", annotations, &script(&script_text))], limits());
        let rendered = render(&registry, &tree, &named("p")).unwrap();
        assert_eq!(rendered.manifests[0].object.str_at(&["env"]), seen, "{script_text}");
    }
}

struct Fixture {
    registry: Registry,
    cache: RenderCache,
}

impl Fixture {
    fn new(annotations: &str, text: &str) -> Self {
        let registry = registry(&[definition("p", annotations, &script(text))], limits());
        Self { registry, cache: RenderCache::new(1 << 20) }
    }

    /// Renders, and says how many renders ran so far.
    fn render(&self, files: &[(&str, &str)], revision: &str, renderer: &Renderer) -> (SharedRender, u64) {
        let tree = MemoryTree::new(files.iter().copied());
        let mut world = NoWorld::default();
        let mut context = Context::empty(&mut world);
        context.services.plugins = Some(&self.registry);
        context.environment = Environment::new([
            ("ARGOCD_APP_NAME".into(), "web".into()),
            ("ARGOCD_APP_REVISION".into(), revision.into()),
        ]);
        let rendered = self.cache.render("shop", &tree, "app", renderer, &mut context).unwrap();
        (rendered, self.cache.counts().rendered)
    }
}

#[test]
fn only_what_a_plugin_depends_on_makes_it_run_again() {
    let fixture = Fixture::new("", PRINT);
    let p = named("p");
    let files = [("app/in.txt", "1"), ("app/sub/x", "1"), ("beside/y", "1")];
    let (first, ran) = fixture.render(&files, "r1", &p);
    assert_eq!((first.manifests[0].object.str_at(&["data", "in"]), ran), ("1", 1));
    // A commit beside its folder, and a revision that it is not told of.
    let beside = [("app/in.txt", "1"), ("app/sub/x", "1"), ("beside/y", "2"), ("new", "")];
    assert_eq!(fixture.render(&beside, "r2", &p).1, 1);
    // A commit inside, be it to a file that it does not look at: nobody knows that.
    let inside = [("app/in.txt", "1"), ("app/sub/x", "2"), ("beside/y", "1")];
    assert_eq!(fixture.render(&inside, "r2", &p).1, 2);
    let added = [("app/in.txt", "1"), ("app/sub/x", "1"), ("app/sub/z", ""), ("beside/y", "1")];
    assert_eq!(fixture.render(&added, "r2", &p).1, 3);
    // Other parameters.
    let options = PluginOptions {
        name: "p".into(),
        environment: vec![("A".into(), "$ARGOCD_APP_NAME".into())],
        ..PluginOptions::default()
    };
    let with_environment = Renderer::Plugin(Box::new(options.clone()));
    assert_eq!(fixture.render(&files, "r2", &with_environment).1, 4);
    assert_eq!(fixture.render(&files, "r3", &with_environment).1, 4);
    let of_revision =
        PluginOptions { environment: vec![("A".into(), "$ARGOCD_APP_REVISION".into())], ..options };
    let of_revision = Renderer::Plugin(Box::new(of_revision));
    assert_eq!(fixture.render(&files, "r3", &of_revision).1, 5);
    assert_eq!(fixture.render(&files, "r4", &of_revision).1, 6);
    // And back to what is still known.
    assert_eq!(fixture.render(&added, "r5", &p).1, 6);
}

#[test]
fn one_that_sees_the_repository_runs_again_for_all_of_it() {
    let fixture = Fixture::new("windlass.dev/reads: repository", &PRINT.replace("in.txt", "../beside/y"));
    let p = named("p");
    let (first, _) = fixture.render(&[("app/x", ""), ("beside/y", "1")], "r", &p);
    assert_eq!(first.manifests[0].object.str_at(&["data", "in"]), "1");
    let (second, ran) = fixture.render(&[("app/x", ""), ("beside/y", "2")], "r", &p);
    assert_eq!((second.manifests[0].object.str_at(&["data", "in"]), ran), ("2", 2));
}

#[test]
fn a_file_that_a_plugin_looks_for_makes_it_take_the_folder() {
    let looks = format!("  discover: {{fileName: in.txt}}\n{}", script(PRINT));
    let registry = registry(&[definition("p", "", &looks)], limits());
    let fixture = Fixture { registry, cache: RenderCache::new(1 << 20) };
    let plain = ("app/a.yaml", "{apiVersion: v1, kind: A, metadata: {name: a}}\n");
    let (rendered, ran) = fixture.render(&[plain], "r", &Renderer::Detect);
    assert_eq!((rendered.plugin.as_str(), ran), ("", 1));
    assert_eq!(fixture.render(&[plain, ("beside", "")], "r2", &Renderer::Detect).1, 1);
    let (rendered, ran) = fixture.render(&[plain, ("app/in.txt", "1")], "r", &Renderer::Detect);
    assert_eq!((rendered.plugin.as_str(), ran), ("p", 2));
    let (rendered, ran) = fixture.render(&[plain], "r3", &Renderer::Detect);
    assert_eq!((rendered.plugin.as_str(), ran), ("", 2));
}
