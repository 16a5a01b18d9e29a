//! Dependencies that are fetched, and charts that are kept: `windlass render helm` is compared with Helm elsewhere.
#![expect(clippy::unwrap_used, reason = "a test")]

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use gotemplate::NoWorld;
use windlass_helm::{
    ChartCache, ChartError, ChartFiles, ChartRequest, ChartSource, ChartSourceError, Dependencies,
    DependencyMode, HelmVersion, LoadOptions, MAX_DEPENDENCIES, NoCharts, Release, RenderRequest,
};
use windlass_model::MemoryTree;

/// Has every chart in every version, and counts what it is asked for.
#[derive(Default)]
struct Everything {
    n_asked: AtomicUsize,
}

impl ChartSource for Everything {
    fn fetch(&self, request: &ChartRequest<'_>) -> Result<ChartFiles, ChartSourceError> {
        self.n_asked.fetch_add(1, Ordering::Relaxed);
        let ChartRequest { name, version, .. } = request;
        if *name == "none" {
            return Err("there is no such chart".into());
        }
        let chart = format!("apiVersion: v2\nname: {name}\nversion: {version}\n");
        let template = format!("kind: {name}\nversion: {version}\nname: {{{{ .Release.Name }}}}\n");
        let tree = MemoryTree::new([("Chart.yaml", chart), ("templates/a.yaml", template)]);
        Ok(ChartFiles::Tree(Arc::new(tree)))
    }
}

/// A chart in `app` with these dependencies, beside a chart in `near`.
fn tree(dependencies: &str) -> MemoryTree {
    tree_with(dependencies, &[])
}

fn tree_with(dependencies: &str, more: &[(&str, &str)]) -> MemoryTree {
    let chart = format!("apiVersion: v2\nname: app\nversion: 0.1.0\ndependencies: {dependencies}\n");
    let files = [
        ("app/Chart.yaml", chart.as_str()),
        ("app/templates/a.yaml", "kind: App\n"),
        ("near/Chart.yaml", "apiVersion: v2\nname: near\nversion: 1.2.3\n"),
        ("near/templates/a.yaml", "kind: Near\n"),
    ];
    MemoryTree::new(files.iter().chain(more).copied())
}

/// The kinds that are rendered, or the error with its causes.
fn kinds(cache: &ChartCache, tree: &MemoryTree, source: &dyn ChartSource) -> Result<Vec<String>, String> {
    let dependencies = Dependencies { source, mode: DependencyMode::Build };
    let kept = cache.load(tree, "app", Some(dependencies)).map_err(|error| text(&error))?;
    let request = RenderRequest::new(
        Release::install("rel", "default").unwrap(),
        gotemplate::Map::new(),
        HelmVersion::V4,
    );
    let rendered = kept.chart.render(&request, &mut NoWorld::default()).unwrap();
    Ok(rendered.manifests.into_iter().map(|manifest| manifest.kind.to_string()).collect())
}

fn text(error: &dyn std::error::Error) -> String {
    error.source().map_or(error.to_string(), |cause| format!("{error}: {}", text(cause)))
}

fn cache(capacity: usize) -> ChartCache {
    ChartCache::new(LoadOptions::of(HelmVersion::V4), capacity)
}

#[test]
fn what_is_missing_is_fetched() {
    let check = |dependencies: &str, expected: Result<&[&str], &str>| {
        let found = kinds(&cache(1 << 20), &tree(dependencies), &Everything::default());
        match (found, expected) {
            (Ok(found), Ok(expected)) => assert_eq!(found, expected, "{dependencies}"),
            (Err(found), Err(expected)) => assert_eq!(found, expected, "{dependencies}"),
            (found, _) => panic!("{dependencies}: {found:?}"),
        }
    };
    check("[]", Ok(&["App"]));
    check("[{name: x, version: 1.0.0, repository: 'https://example.com'}]", Ok(&["App", "x"]));
    check("[{name: near, version: 1.x, repository: 'file://../near'}]", Ok(&["App", "Near"]));
    check("[{name: near, version: 1.x, repository: 'file://.././x/../near/'}]", Ok(&["App", "Near"]));
    check(
        "[{name: near, version: 2.x, repository: 'file://../near'}]",
        Err(
            "can't get a valid version for 1 subchart(s): \"near\" (repository \"file://../near\", version \"2.x\"). \
             Make sure a matching chart version exists in the repo, or change the version constraint in Chart.yaml",
        ),
    );
    check("[{name: far, version: 1.x, repository: 'file://../far'}]", Err("directory far not found"));
    check(
        "[{name: far, version: 1.x, repository: 'file://../../etc'}]",
        Err("the dependency at file://../../etc is outside of the repository"),
    );
    check(
        "[{name: none, version: 1.x, repository: 'https://user:secret@example.com/x'}]",
        Err("could not download none 1.x from https://example.com/x: there is no such chart"),
    );
    check(
        "[{name: a, version: 1.x, repository: '@team'}]",
        Err("no repository definition for @team. Please add them via 'helm repo add'"),
    );
}

#[test]
fn nothing_is_asked_for_a_chart_that_brings_all() {
    let source = Everything::default();
    let mut files = vec![("app/charts/x/Chart.yaml", "apiVersion: v2\nname: x\nversion: 1.0.0\n")];
    files.push((
        "app/Chart.yaml",
        "apiVersion: v2\nname: app\nversion: 0.1.0\ndependencies: [{name: x, version: 1.0.0, repository: '@a'}]\n",
    ));
    let tree = MemoryTree::new(files);
    assert_eq!(kinds(&cache(0), &tree, &source).unwrap(), Vec::<String>::new());
    assert_eq!(source.n_asked.load(Ordering::Relaxed), 0);
}

#[test]
fn two_aliases_are_one_fetch_and_too_many_are_refused() {
    let source = Everything::default();
    let twice = "[{name: x, version: 1.0.0, repository: 'https://a', alias: one}, \
                 {name: x, version: 1.0.0, repository: 'https://a', alias: two}]";
    assert_eq!(kinds(&cache(0), &tree(twice), &source).unwrap(), ["App", "x", "x"]);
    assert_eq!(source.n_asked.load(Ordering::Relaxed), 1);
    let many: Vec<_> = (0..=MAX_DEPENDENCIES)
        .map(|number| format!("{{name: n{number}, version: 1.0.0, repository: 'https://a'}}"))
        .collect();
    let error = kinds(&cache(0), &tree(&format!("[{}]", many.join(", "))), &source).unwrap_err();
    assert!(error.contains("limit MAX_DEPENDENCIES"), "{error}");
}

#[test]
fn a_kept_chart_is_that_of_the_same_files() {
    let cache = cache(1 << 20);
    let load = |tree: &MemoryTree| cache.load(tree, "app", None).unwrap();
    let first = load(&tree("[]"));
    assert!(Arc::ptr_eq(&first, &load(&tree("[]"))));
    assert!(!Arc::ptr_eq(&first, &load(&tree("[{name: x}]"))));
    assert_eq!(cache.len(), 2);
    // What was fetched is part of what a chart is.
    let with = |version: &str| {
        let chart = format!("apiVersion: v2\nname: near\nversion: {version}\n");
        let near = "[{name: near, version: '*', repository: 'file://../near'}]";
        let tree = tree_with(near, &[("near/Chart.yaml", &chart)]);
        let dependencies = Dependencies { source: &NoCharts, mode: DependencyMode::Build };
        cache.load(&tree, "app", Some(dependencies)).unwrap()
    };
    let one = with("1.0.0");
    assert!(Arc::ptr_eq(&one, &with("1.0.0")));
    assert!(!Arc::ptr_eq(&one, &with("1.0.1")));
}

#[test]
fn the_least_recently_used_charts_go_first() {
    let chart =
        |size: usize| tree_with("[]", &[("app/templates/big.yaml", &format!("# {}\n", "x".repeat(size)))]);
    let cache = cache(10_000);
    let load = |size| cache.load(&chart(size), "app", None).unwrap();
    let kept = load(3_000);
    let _ = load(3_001);
    assert!(Arc::ptr_eq(&kept, &load(3_000)));
    let _ = load(3_002);
    assert_eq!(cache.len(), 2);
    assert!(Arc::ptr_eq(&kept, &load(3_000)));
    // One that does not fit drives nothing out.
    let _ = load(20_000);
    assert_eq!(cache.len(), 2);
    assert!(matches!(cache.load(&chart(1), "nowhere", None), Err(ChartError::Load(_))));
}
