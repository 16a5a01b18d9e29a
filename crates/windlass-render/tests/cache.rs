//! When a kept render is used again, and when not.

use std::collections::BTreeMap;

use proptest::prelude::*;
use windlass_model::{DirectoryOptions, MemoryTree, Renderer, Tree};
use windlass_render::{Context, NoWorld, RenderCache, RenderError, Rendered, SharedRender, render};

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
fn failures_are_not_kept() {
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
