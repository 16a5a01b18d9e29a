//! When a kept render is used again, and when not.

#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex};

use proptest::prelude::*;
use windlass_kube::{Value, value};
use windlass_model::{Digest, DirectoryOptions, HelmOptions, MemoryTree, Renderer, Tree};
use windlass_render::{
    Context, Decryption, DecryptionError, Instant, Lookup, LookupRequest, NoWorld, RenderCache, RenderError,
    RenderStore, Rendered, SharedRender, World, render,
};

type Files = BTreeMap<String, String>;

fn tree(files: &Files) -> MemoryTree {
    MemoryTree::new(files.iter().map(|(path, content)| (path.as_str(), content)))
}

fn object(name: &str, data: usize) -> String {
    format!("apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: {name}}}\ndata: {{x: '{data}'}}\n")
}

fn start() -> Files {
    [
        ("app/a.yaml".to_string(), object("a", 0)),
        ("app/README.md".to_string(), "read me".to_string()),
        ("app/sub/b.yaml".to_string(), object("b", 0)),
        ("other/c.yaml".to_string(), object("c", 0)),
    ]
    .into()
}

/// Renders plain files through the cache.
fn plain(
    cache: &RenderCache,
    tree: &dyn Tree,
    path: &str,
    renderer: &Renderer,
) -> Result<SharedRender, RenderError> {
    cache.render("repo", tree, path, renderer, &mut Context::empty(&mut NoWorld::default()))
}

#[test]
fn only_what_was_read_makes_a_render_old() {
    let flat = Renderer::Detect;
    let deep = Renderer::Directory(DirectoryOptions { recurse: true, ..DirectoryOptions::default() });
    // Path, new content (`None` removes), whether the flat and the deep render are made again.
    for (path, content, flat_again, deep_again) in [
        ("app/a.yaml", Some(object("a", 1)), true, true),
        ("app/a.yaml", None, true, true),
        ("app/new.yaml", Some(object("n", 0)), true, true),
        // Looked for and absent before.
        ("app/Chart.yaml", Some(String::new()), true, true),
        ("app/.argocd-source.yaml", Some(String::new()), true, true),
        // Below a folder that only the deep render looked into.
        ("app/sub/b.yaml", Some(object("b", 1)), false, true),
        ("app/sub/new.yaml", Some(object("n", 0)), false, true),
        // Neither reads other folders, or the text of files that are no manifests.
        ("other/c.yaml", Some(object("c", 1)), false, false),
        ("other/d.yaml", Some(object("d", 0)), false, false),
        ("app/README.md", Some("read me again".into()), false, false),
    ] {
        for (renderer, again) in [(&flat, flat_again), (&deep, deep_again)] {
            let cache = RenderCache::new(1 << 20);
            let mut files = start();
            let before = plain(&cache, &tree(&files), "app", renderer).unwrap();
            match &content {
                Some(content) => files.insert(path.into(), content.clone()),
                None => files.remove(path),
            };
            let after = plain(&cache, &tree(&files), "app", renderer);
            let kept = after.is_ok_and(|after| SharedRender::ptr_eq(&before, &after));
            assert_eq!(kept, !again, "{path} {renderer:?}");
            // What was there before is still known.
            let back = plain(&cache, &tree(&start()), "app", renderer).unwrap();
            assert!(SharedRender::ptr_eq(&before, &back), "{path} {renderer:?}");
        }
    }
}

#[test]
fn equal_inputs_share_one_render_and_others_do_not() {
    let cache = RenderCache::new(1 << 20);
    let tree = tree(&start());
    let first = plain(&cache, &tree, "app", &Renderer::Detect).unwrap();
    let second = plain(&cache, &tree, "app", &Renderer::Detect).unwrap();
    assert!(SharedRender::ptr_eq(&first, &second));
    for (repository, path, options) in [
        ("elsewhere", "app", None),
        ("repo", "app/sub", None),
        ("repo", "app", Some(DirectoryOptions { recurse: true, ..DirectoryOptions::default() })),
    ] {
        let renderer = options.map_or(Renderer::Detect, Renderer::Directory);
        let other = cache
            .render(repository, &tree, path, &renderer, &mut Context::empty(&mut NoWorld::default()))
            .unwrap();
        assert!(!SharedRender::ptr_eq(&first, &other));
    }
}

#[test]
fn a_failure_ends_when_what_it_read_changes() {
    let cache = RenderCache::new(1 << 20);
    let mut files = Files::new();
    let missing = plain(&cache, &tree(&files), "app", &Renderer::Detect);
    assert!(matches!(missing, Err(RenderError::NoSuchPath { .. })));
    files.insert("app/a.yaml".into(), object("a", 0));
    assert_eq!(plain(&cache, &tree(&files), "app", &Renderer::Detect).unwrap().manifests.len(), 1);
}

#[test]
fn the_cache_stays_within_its_bound_and_keeps_what_is_used() {
    const CAPACITY: usize = 64 * 1024;
    let files: Files =
        (0..400).map(|n| (format!("app-{n}/a.yaml"), object(&format!("name-{n}"), n))).collect();
    let tree = tree(&files);
    let cache = RenderCache::new(CAPACITY);
    let favourite = plain(&cache, &tree, "app-0", &Renderer::Detect).unwrap();
    for n in 1..400 {
        plain(&cache, &tree, &format!("app-{n}"), &Renderer::Detect).unwrap();
        assert!(cache.bytes() <= CAPACITY, "{} bytes after {n}", cache.bytes());
        let again = plain(&cache, &tree, "app-0", &Renderer::Detect).unwrap();
        assert!(SharedRender::ptr_eq(&favourite, &again), "dropped after {n}");
    }
    assert!(cache.bytes() > CAPACITY / 4, "{} bytes", cache.bytes());

    let small = RenderCache::new(64);
    plain(&small, &tree, "app-0", &Renderer::Detect).unwrap();
    assert_eq!(small.bytes(), 0, "what is larger than the cache is not kept");
}

#[test]
fn many_revisions_of_one_folder_do_not_pile_up() {
    let cache = RenderCache::new(1 << 30);
    let mut most = 0;
    for n in 0..50 {
        let files: Files = [("app/a.yaml".to_string(), object("a", n))].into();
        plain(&cache, &tree(&files), "app", &Renderer::Detect).unwrap();
        if n == 9 {
            most = cache.bytes();
        }
    }
    assert!(cache.bytes() <= most + 64, "{} bytes, {most} after ten", cache.bytes());
}

#[derive(Debug, Clone)]
enum Edit {
    Write(String, String),
    Remove(String),
    Undo,
}

fn edit() -> impl Strategy<Value = Edit> {
    let path = prop::sample::select(vec![
        "app/a.yaml",
        "app/b.yaml",
        "app/c.txt",
        "app/sub/a.yaml",
        "app/sub/deep/x.json",
        "app/Chart.yaml",
        "app/.argocd-source.yaml",
        "other/a.yaml",
        "root.yaml",
    ]);
    let content = prop::sample::select(vec![
        object("a", 0),
        object("b", 1),
        object("a", 0) + "---\n" + &object("b", 0),
        String::new(),
        "# +argocd:skip-file-rendering\n".into(),
        "apiVersion: v1\nkind: [\nmetadata: {}\n".into(),
    ]);
    prop_oneof![
        4 => (path.clone(), content).prop_map(|(path, content)| Edit::Write(path.into(), content)),
        2 => path.prop_map(|path| Edit::Remove(path.into())),
        1 => Just(Edit::Undo),
    ]
}

/// What a render gives, without what it read.
fn given(result: Result<&Rendered, &RenderError>) -> String {
    match result {
        Ok(rendered) => format!("{:?} {:?}", rendered.manifests, rendered.diagnostics),
        Err(error) => error.to_string(),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 32, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_cache_answers_as_a_fresh_render_would(edits in prop::collection::vec(edit(), 1..24)) {
        let cache = RenderCache::new(16 * 1024);
        let mut history = vec![start()];
        for edit in edits {
            let mut files = history.last().unwrap().clone();
            match edit {
                Edit::Write(path, content) => {
                    files.insert(path, content);
                }
                Edit::Remove(path) => {
                    files.remove(&path);
                }
                Edit::Undo => files = history[history.len() / 2].clone(),
            }
            let tree = tree(&files);
            for path in ["app", "app/sub", ""] {
                for renderer in [
                    Renderer::Detect,
                    Renderer::Directory(DirectoryOptions { recurse: true, ..DirectoryOptions::default() }),
                    Renderer::Directory(DirectoryOptions { exclude: "a*".into(), ..DirectoryOptions::default() }),
                ] {
                    let cached = plain(&cache, &tree, path, &renderer);
                    let fresh = render(&tree, path, &renderer, &mut Context::empty(&mut NoWorld::default()));
                    prop_assert_eq!(given(cached.as_deref()), given(fresh.as_ref()));
                    prop_assert!(cache.bytes() <= 16 * 1024);
                }
            }
            history.push(files);
        }
    }
}

/// A world in which time stands still until it is told, and chance is not the same twice.
struct Clock(i64, u8);

impl World for Clock {
    fn now(&mut self) -> Instant {
        Instant { seconds: self.0, nanoseconds: 0 }
    }

    fn random(&mut self, bytes: &mut [u8]) {
        for byte in bytes {
            self.1 = self.1.wrapping_mul(31).wrapping_add(7);
            *byte = self.1;
        }
    }
}

fn monorepo() -> Files {
    [
        ("plain/a.yaml", object("a", 0)),
        ("shared/kustomization.yaml", "resources: [x.yaml]\n".into()),
        ("shared/x.yaml", object("x", 0)),
        ("one/kustomization.yaml", "resources: [../shared]\nnamePrefix: one-\n".into()),
        ("two/kustomization.yaml", "resources: [../shared]\nnamePrefix: two-\n".into()),
        ("chart/Chart.yaml", "apiVersion: v2\nname: chart\nversion: 1.0.0\n".into()),
        ("chart/values.yaml", "a: 0\n".into()),
        (
            "chart/templates/t.yaml",
            "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: {{ .Release.Name }}}\ndata: {v: {{ .Capabilities.KubeVersion | \
             quote }}, a: {{ .Values.a | quote }}}\n"
                .into(),
        ),
        ("values/prod.yaml", "a: 1\n".into()),
        ("values/extra/one.yaml", "a: 2\n".into()),
        ("README.md", "read me".into()),
    ]
    .map(|(path, text): (&str, String)| (path.to_owned(), text))
    .into()
}

/// A Unit of the monorepo: a name for the list of renders, its folder, and its renderer.
type UnitOf = (&'static str, &'static str, Renderer);

fn units() -> Vec<UnitOf> {
    let helm = |value_files: &[&str], release_name: &str| {
        Renderer::Helm(Box::new(HelmOptions {
            value_files: value_files.iter().copied().map(Into::into).collect(),
            release_name: release_name.into(),
            ignore_missing_value_files: true,
            ..HelmOptions::default()
        }))
    };
    vec![
        ("plain", "plain", Renderer::Detect),
        ("one", "one", Renderer::Detect),
        ("two", "two", Renderer::Detect),
        ("chart", "chart", Renderer::Detect),
        ("prod", "chart", helm(&["/values/prod.yaml"], "")),
        ("glob", "chart", helm(&["/values/extra/*.yaml"], "")),
        ("named", "chart", helm(&[], "fixed")),
        // The same as `named` under another name.
        ("again", "chart", helm(&[], "fixed")),
    ]
}

/// Renders all Units and says which renders ran.
fn ran(cache: &RenderCache, files: &Files, rename: &str, version: &str) -> Vec<&'static str> {
    let tree = tree(files);
    let mut ran = Vec::new();
    for (name, path, renderer) in units() {
        let mut world = Clock(0, 1);
        let mut context = Context::empty(&mut world);
        context.name = format!("{name}{rename}").into();
        context.cluster.version = version.into();
        let before = cache.counts().rendered;
        cache.render("repo", &tree, path, &renderer, &mut context).unwrap();
        if cache.counts().rendered > before {
            ran.push(name);
        }
    }
    ran
}

#[test]
fn exactly_the_renders_run_whose_inputs_changed() {
    let all = ["plain", "one", "two", "chart", "prod", "glob", "named"];
    let charts = ["chart", "prod", "glob", "named"];
    // What is done to the repository (`None` removes), and which renders run then.
    for (what, path, content, expected) in [
        ("a commit beside", "README.md", Some("again"), &[][..]),
        ("a folder beside", "three/a.yaml", Some("a: 1"), &[]),
        ("a file of plain files", "plain/a.yaml", Some("# empty"), &["plain"]),
        ("another plain file", "plain/b.yaml", Some("# empty"), &["plain"]),
        ("an overlay", "one/kustomization.yaml", Some("resources: [../shared]\n"), &["one"]),
        (
            "a shared base",
            "shared/x.yaml",
            Some("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: y}\n"),
            &["one", "two"],
        ),
        ("a file beside a base that nobody names", "shared/unused.txt", Some(""), &[]),
        ("a template", "chart/templates/more.yaml", Some("# empty"), &charts),
        ("a values file", "values/prod.yaml", Some("a: 5"), &["prod"]),
        ("a values file goes", "values/prod.yaml", None, &["prod"]),
        ("a file that a glob matches now", "values/extra/two.yaml", Some("a: 6"), &["glob"]),
        ("a file that a glob does not match", "values/extra/two.txt", Some("a: 6"), &["glob"]),
    ] {
        let cache = RenderCache::new(1 << 20);
        let mut files = monorepo();
        assert_eq!(ran(&cache, &files, "", "v1.30.0"), all);
        assert_eq!(ran(&cache, &files, "", "v1.30.0"), [""; 0]);
        match content {
            Some(content) => files.insert(path.into(), content.into()),
            None => files.remove(path),
        };
        assert_eq!(ran(&cache, &files, "", "v1.30.0"), expected, "{what}");
        assert_eq!(ran(&cache, &files, "", "v1.30.0"), [""; 0], "{what}");
    }
    let cache = RenderCache::new(1 << 20);
    let files = monorepo();
    ran(&cache, &files, "", "v1.30.0");
    // Only who is called by the name of the Unit depends on it.
    assert_eq!(ran(&cache, &files, "-new", "v1.30.0"), ["chart", "prod", "glob"]);
    assert_eq!(ran(&cache, &files, "-new", "v1.31.0"), charts);
}

#[test]
fn a_failure_is_told_again_and_tried_again_after_a_while() {
    let cache = RenderCache::new(1 << 20);
    let broken: Files =
        [("app/kustomization.yaml".to_string(), "resources: [missing.yaml]\n".to_string())].into();
    let run = |files: &Files, seconds: i64| {
        let mut world = Clock(seconds, 1);
        let result =
            cache.render("repo", &tree(files), "app", &Renderer::Detect, &mut Context::empty(&mut world));
        (result.map_err(|error| error.to_string()), cache.counts().rendered)
    };
    let (first, n) = run(&broken, 0);
    let problem = first.unwrap_err();
    assert!(problem.contains("missing.yaml") && n == 1, "{problem}");
    // Seconds, and how many renders ran by then.
    for (seconds, n) in [(1, 1), (9, 1), (10, 2), (11, 2), (29, 2), (30, 3), (69, 3), (70, 4)] {
        let (again, ran) = run(&broken, seconds);
        assert_eq!((again.unwrap_err(), ran), (problem.clone(), n), "at {seconds}");
    }
    // What it looked for is there now.
    let mut mended = broken.clone();
    mended.insert("app/missing.yaml".into(), object("a", 0));
    let (result, ran) = run(&mended, 71);
    assert_eq!((result.unwrap().manifests.len(), ran), (1, 5));
    // A commit beside the broken folder changes nothing.
    let mut beside = broken.clone();
    beside.insert("other.txt".into(), String::new());
    assert_eq!(run(&broken, 72).1, 6);
    assert_eq!(run(&beside, 73).1, 6);
}

/// Answers what it is told, and counts.
struct Cluster(Value);

impl Lookup for Cluster {
    fn lookup(&self, request: &LookupRequest) -> Result<Value, String> {
        assert_eq!((request.kind.as_str(), request.name.as_str()), ("Secret", "db"));
        Ok(self.0.clone())
    }
}

#[test]
fn what_the_cluster_answers_is_an_input() {
    let cache = RenderCache::new(1 << 20);
    let files: Files = [
        ("chart/Chart.yaml", "apiVersion: v2\nname: chart\nversion: 1.0.0\n"),
        (
            "chart/templates/t.yaml",
            "{{- $old := lookup \"v1\" \"Secret\" \"ns\" \"db\" }}\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndata: {old: {{ \
             dig \"data\" \"p\" \"none\" $old | quote }}}\n",
        ),
    ]
    .map(|(path, text)| (path.to_owned(), text.to_owned()))
    .into();
    let run = |answer: Option<Value>| {
        let mut world = Clock(0, 1);
        let mut context = Context::empty(&mut world);
        context.name = "app".into();
        context.services.lookup = answer.map(|answer| Arc::new(Cluster(answer)) as Arc<dyn Lookup>);
        let rendered = cache.render("repo", &tree(&files), "chart", &Renderer::Detect, &mut context).unwrap();
        let old = rendered.manifests[0].object.str_at(&["data", "old"]).to_owned();
        (old, cache.counts().rendered)
    };
    let found = value!({"data": {"p": "x"}});
    assert_eq!(run(None), ("none".into(), 1));
    assert_eq!(run(Some(Value::object())), ("none".into(), 1));
    assert_eq!(run(Some(found.clone())), ("x".into(), 2));
    assert_eq!(run(Some(found)), ("x".into(), 2));
    assert_eq!(run(None), ("none".into(), 2));
}

/// A store in memory that shows what it was given.
#[derive(Default)]
struct Records(Mutex<HashMap<(Digest, u8), Vec<u8>>>);

impl RenderStore for Records {
    fn load(&self, key: Digest) -> Vec<Vec<u8>> {
        let records = self.0.lock().unwrap();
        records.iter().filter(|((known, _), _)| *known == key).map(|(_, record)| record.clone()).collect()
    }

    fn save(&self, key: Digest, slot: u8, record: &[u8]) {
        self.0.lock().unwrap().insert((key, slot), record.to_vec());
    }
}

/// Files that begin with `#rot13` are encrypted.
struct Rot13;

impl Decryption for Rot13 {
    fn decrypt(&self, _: &str, content: &[u8]) -> Result<Option<Vec<u8>>, DecryptionError> {
        let Some(text) = content.strip_prefix(b"#rot13\n") else { return Ok(None) };
        if text.is_empty() {
            return Err(DecryptionError("there is nothing".into()));
        }
        let turned = |byte: &u8| match byte {
            b'a'..=b'z' => (byte - b'a' + 13) % 26 + b'a',
            b'A'..=b'Z' => (byte - b'A' + 13) % 26 + b'A',
            other => *other,
        };
        Ok(Some(text.iter().map(turned).collect()))
    }
}

#[test]
fn plaintext_enters_no_cache() {
    let secret = "ncvIrefvba: i1\nxvaq: Frperg\nzrgnqngn: {anzr: q}\nfgevatQngn: {c: ulcreybat}\n";
    let files: Files = [
        ("app/secret.yaml".to_owned(), format!("#rot13\n{secret}")),
        ("plain/a.yaml".to_owned(), object("a", 0)),
        ("chart/Chart.yaml".to_owned(), "apiVersion: v2\nname: chart\nversion: 1.0.0\n".to_owned()),
        ("chart/values.yaml".to_owned(), "#rot13\nc: ulcreybat\n".to_owned()),
        ("chart/templates/t.yaml".to_owned(), "a: {{ .Values.p | quote }}\n".to_owned()),
        ("broken/a.yaml".to_owned(), "#rot13\n".to_owned()),
        ("fails/kustomization.yaml".to_owned(), "#rot13\nulcreybat: [\n".to_owned()),
    ]
    .into();
    let records = Arc::new(Records::default());
    let cache = RenderCache::new(1 << 20).with_store(records.clone());
    let run = |path: &str, decryption: Option<&dyn Decryption>| {
        let mut world = Clock(0, 1);
        let mut context = Context::empty(&mut world);
        context.name = "app".into();
        context.services.decryption = decryption;
        cache.render("repo", &tree(&files), path, &Renderer::Detect, &mut context)
    };
    let first = run("app", Some(&Rot13)).unwrap();
    assert_eq!(first.manifests[0].object.str_at(&["stringData", "p"]), "hyperlong");
    assert!(first.confidential);
    // Rendered again each time, as nothing of it is kept.
    let second = run("app", Some(&Rot13)).unwrap();
    assert!(!SharedRender::ptr_eq(&first, &second));
    assert_eq!((cache.bytes(), cache.counts().rendered), (0, 2));
    assert!(run("chart", Some(&Rot13)).is_ok_and(|rendered| rendered.confidential));
    for _ in 0..2 {
        let error = run("fails", Some(&Rot13)).unwrap_err();
        assert!(!matches!(error, RenderError::Again { .. }), "{error}");
    }
    let broken = run("broken", Some(&Rot13)).unwrap_err();
    assert!(matches!(broken, RenderError::Tree(_)), "{broken}");
    assert!(records.0.lock().unwrap().is_empty());
    // What is not encrypted is kept as ever, but apart from what nobody would have decrypted.
    assert!(SharedRender::ptr_eq(&run("plain", Some(&Rot13)).unwrap(), &run("plain", Some(&Rot13)).unwrap()));
    assert!(run("app", None).is_ok_and(|rendered| rendered.manifests.is_empty()));
    assert!(run("chart", None).is_ok_and(|rendered| !rendered.confidential));
    let kept: Vec<u8> = records.0.lock().unwrap().values().flatten().copied().collect();
    assert!(!String::from_utf8_lossy(&kept).contains("hyperlong"));
}

#[test]
fn a_stored_render_is_the_render() {
    let records = Arc::new(Records::default());
    let mut files = monorepo();
    files.insert("plain/bad.yaml".into(), "apiVersion: v1\nkind: [\nmetadata: {}\n".into());
    for (name, path, renderer) in units() {
        let run = || {
            let cache = RenderCache::new(1 << 20).with_store(records.clone());
            let mut world = Clock(0, 1);
            let mut context = Context::empty(&mut world);
            context.name = name.into();
            let rendered = cache.render("repo", &tree(&files), path, &renderer, &mut context).unwrap();
            (rendered, cache.counts())
        };
        let (fresh, _) = run();
        let (stored, counts) = run();
        // What is only parsed is parsed again.
        let expected = if name == "plain" { (1, 0) } else { (0, 1) };
        assert_eq!((counts.rendered, counts.loaded), expected, "{name}");
        assert_eq!(format!("{fresh:?}"), format!("{stored:?}"));
    }
}
