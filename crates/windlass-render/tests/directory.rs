//! Which files of a folder become objects, by the rules of Argo CD 3.6 (`reposerver/repository/repository.go`).

use std::sync::Arc;

use windlass_kube::Str;
use windlass_model::{
    DiagnosticKind, DirectoryOptions, Entry, MemoryTree, Renderer, SourceType, Tree, TreeError,
};
use windlass_render::{Context, NoWorld, RenderError, Rendered};

const MANIFESTS_BYTES: usize = 10 * 1024 * 1024;

fn render(tree: &dyn Tree, path: &str, renderer: &Renderer) -> Result<Rendered, RenderError> {
    windlass_render::render(tree, path, renderer, &mut Context::empty(&mut NoWorld::default()))
}

fn object(name: &str) -> String {
    format!("apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: {name}\n")
}

fn directory(options: DirectoryOptions) -> Renderer {
    Renderer::Directory(options)
}

/// The names of the objects with their origins, and the diagnostics, one a line.
fn told(rendered: &Rendered) -> Vec<String> {
    let objects =
        rendered.manifests.iter().map(|manifest| format!("{} {}", manifest.origin, manifest.object.name()));
    objects.chain(rendered.diagnostics.iter().map(|diagnostic| format!("! {diagnostic}"))).collect()
}

fn told_of(files: &[(&str, &str)]) -> Vec<String> {
    let tree = MemoryTree::new(files.iter().copied());
    told(&render(&tree, "app", &Renderer::Detect).expect("the folder is there"))
}

#[test]
fn files_are_chosen_as_in_argo_cd() {
    let files = [
        "a.yaml",
        "b.yml",
        "c.json",
        "d.txt",
        "e.YAML",
        "noextension",
        ".hidden.yaml",
        "env/prod/p.yaml",
        "env/stage.yaml",
        "z.yaml",
    ];
    let tree = MemoryTree::new(files.map(|file| {
        let name = file.rsplit(['/', '.']).nth(1).unwrap_or(file);
        let name = name.rsplit('/').next().unwrap().trim_matches('.').to_lowercase();
        let content = if file.ends_with(".json") {
            format!(r#"{{"apiVersion":"v1","kind":"ConfigMap","metadata":{{"name":"{name}"}}}}"#)
        } else {
            object(&name)
        };
        (format!("app/{file}"), content)
    }));
    let options = |recurse, include: &str, exclude: &str, any_extension| DirectoryOptions {
        recurse,
        include: include.into(),
        exclude: exclude.into(),
        any_extension,
        jsonnet: None,
    };
    for (options, expected) in [
        (options(false, "", "", false), ".hidden.yaml a.yaml b.yml c.json z.yaml"),
        (
            options(true, "", "", false),
            ".hidden.yaml a.yaml b.yml c.json env/prod/p.yaml env/stage.yaml z.yaml",
        ),
        // `*` passes slashes: the globs have no separators.
        (options(true, "*.yaml", "", false), ".hidden.yaml a.yaml env/prod/p.yaml env/stage.yaml z.yaml"),
        (options(true, "env/*", "", false), "env/prod/p.yaml env/stage.yaml"),
        (options(true, "{a,z}.yaml", "", false), "a.yaml z.yaml"),
        // Exclude wins over include.
        (options(true, "*.yaml", "env/*", false), ".hidden.yaml a.yaml z.yaml"),
        (options(true, "", "*", false), ""),
        // Folders that do not match are walked all the same.
        (options(true, "env/prod/p.yaml", "", false), "env/prod/p.yaml"),
        // The extension filter comes before the patterns, unless it is off.
        (options(false, "d.txt", "", false), ""),
        (options(false, "{d.txt,noext*}", "", true), "d.txt noextension"),
    ] {
        let rendered = render(&tree, "app", &directory(options.clone())).unwrap();
        let found: Vec<&str> =
            rendered.manifests.iter().map(|manifest| &manifest.origin.file["app/".len()..]).collect();
        assert_eq!(found.join(" "), expected, "{options:?}");
        assert!(rendered.diagnostics.is_empty(), "{:?}", rendered.diagnostics);
        assert_eq!(rendered.source_type, SourceType::Directory);
    }
}

#[test]
fn the_root_of_a_repository_is_a_folder_like_any_other() {
    let tree = MemoryTree::new([("a.yaml", object("a"))]);
    for path in ["", "/"] {
        assert_eq!(told(&render(&tree, path, &Renderer::Detect).unwrap()), ["a.yaml:1 a"]);
    }
}

#[test]
fn a_pattern_that_cannot_be_used_is_named() {
    let tree = MemoryTree::new([("app/a.yaml", object("a"))]);
    let options = DirectoryOptions { exclude: "[".into(), ..DirectoryOptions::default() };
    let error = render(&tree, "app", &directory(options)).unwrap_err();
    assert!(matches!(&error, RenderError::Pattern { field: "exclude", pattern, .. } if pattern == "["));
}

#[test]
fn a_marked_file_is_left_out_and_not_counted() {
    let big = format!("# +argocd:skip-file-rendering\n#{}", "x".repeat(MANIFESTS_BYTES - 100));
    let found = told_of(&[
        ("app/a.yaml", &object("a")),
        ("app/b.yaml", &big),
        ("app/c.yaml", &(object("c") + "# +argocd:skip-file-rendering")),
        ("app/d.yaml", &object("d")),
    ]);
    assert_eq!(found, ["app/a.yaml:1 a", "app/d.yaml:1 d"]);
}

#[test]
fn lists_are_taken_apart_by_their_items() {
    for (content, expected) in [
        (
            "apiVersion: v1\nkind: List\nitems:\n- {apiVersion: v1, kind: ConfigMap, metadata: {name: a}}\n- {apiVersion: v1, kind: Secret, metadata: {name: b}}\n",
            vec!["app/x.yaml:1 a", "app/x.yaml:1 b"],
        ),
        // The kind does not matter.
        (
            "apiVersion: v1\nkind: Bag\nitems:\n- {apiVersion: v1, kind: ConfigMap, metadata: {name: a}}\n",
            vec!["app/x.yaml:1 a"],
        ),
        ("apiVersion: v1\nkind: ConfigMapList\nitems: []\n", vec![]),
        ("apiVersion: v1\nkind: ConfigMapList\nitems: null\n", vec![]),
        ("apiVersion: v1\nkind: Bag\nmetadata: {name: a}\nspec: {}\nitems: null\n", vec!["app/x.yaml:1 a"]),
        (
            "apiVersion: v1\nkind: List\nmetadata: {}\nitems:\n- {apiVersion: v1, kind: ConfigMap, metadata: {name: a}}\n- text\n",
            vec![
                "app/x.yaml:1 a",
                "! app/x.yaml:1: is no Kubernetes object: a Kubernetes object must be a mapping, this is a string",
            ],
        ),
    ] {
        assert_eq!(told_of(&[("app/x.yaml", content)]), expected, "{content}");
    }
}

#[test]
fn an_object_is_placed_at_its_first_key() {
    let content =
        format!("# a comment\n\n{}---\n# another\n\n\n{}---\n---\n{}", object("a"), object("b"), object("c"));
    assert_eq!(
        told_of(&[("app/x.yaml", &content)]),
        ["app/x.yaml:3 a", "app/x.yaml:11 b", "app/x.yaml:17 c"]
    );
    let json = "\n\n{\"apiVersion\":\"v1\",\"kind\":\"ConfigMap\",\n\"metadata\":{\"name\":\"a\"}}";
    assert_eq!(told_of(&[("app/x.json", json)]), ["app/x.json:3 a"]);
}

#[test]
fn a_bad_document_spoils_no_other() {
    let content = format!("{}---\nkind: [\n---\n{}---\njust: data\n", object("a"), object("b"));
    let found = told_of(&[("app/x.yaml", &content), ("app/y.yaml", &object("c"))]);
    assert_eq!(found.len(), 5, "{found:#?}");
    assert_eq!(found[..3], ["app/x.yaml:1 a", "app/x.yaml:8 b", "app/y.yaml:1 c"]);
    assert!(found[3].starts_with("! app/x.yaml:") && found[3].contains("cannot be parsed: "), "{found:#?}");
    assert_eq!(found[4], "! app/x.yaml:13: is no Kubernetes object: apiVersion is not set");
}

#[test]
fn what_merely_lies_beside_the_manifests_is_left_out() {
    let found = told_of(&[
        ("app/.pre-commit-config.yaml", "repos: []\n"),
        ("app/broken.yaml", "{{ not yaml\n"),
        ("app/empty.yaml", ""),
        ("app/comment.yaml", "# nothing\n---\n# nothing\n"),
        ("app/list.yaml", "- a\n- b\n"),
        ("app/package.json", r#"{"name": "x", "version": "1"}"#),
        ("app/prose.yaml", "of some kind: [ the apiVersion and the metadata\n"),
        ("app/z.yaml", &object("z")),
    ]);
    assert_eq!(found, ["app/z.yaml:1 z"]);
    let found = told_of(&[("app/settings.json", "{\"name\": \n")]);
    assert!(
        found[0].starts_with("! app/settings.json:") && found[0].contains("cannot be parsed"),
        "{found:?}"
    );
    let meant = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: {{ .Values.name }}\n";
    let found = told_of(&[("app/template.yaml", meant)]);
    assert!(found[0].starts_with("! app/template.yaml:"), "{found:?}");
}

#[test]
fn text_may_have_a_byte_order_mark() {
    let utf16 = |mark: [u8; 2], bytes: fn(u16) -> [u8; 2]| -> Vec<u8> {
        mark.into_iter().chain(object("a").encode_utf16().flat_map(bytes)).collect()
    };
    let utf8 = [&[0xEF, 0xBB, 0xBF], object("a").as_bytes()].concat();
    for content in [utf8, utf16([0xFF, 0xFE], u16::to_le_bytes), utf16([0xFE, 0xFF], u16::to_be_bytes)] {
        let tree = MemoryTree::new([("app/x.yaml", content)]);
        assert_eq!(told(&render(&tree, "app", &Renderer::Detect).unwrap()), ["app/x.yaml:1 a"]);
    }
    let latin: &[u8] = b"apiVersion: v1\nkind: ConfigMap\nmetadata: {name: caf\xE9}\n";
    let odd: &[u8] = &[0xFF, 0xFE, 0x41];
    let tree =
        MemoryTree::new([("app/x.yaml", latin), ("app/y.yaml", odd), ("app/z.yaml", object("z").as_bytes())]);
    assert_eq!(
        told(&render(&tree, "app", &Renderer::Detect).unwrap()),
        [
            "app/z.yaml:1 z",
            "! app/x.yaml: is neither UTF-8 text nor UTF-16 text with a byte order mark",
            "! app/y.yaml: is neither UTF-8 text nor UTF-16 text with a byte order mark",
        ]
    );
}

#[test]
fn size_limits_name_themselves() {
    let large = object("large") + &"#".repeat(MANIFESTS_BYTES);
    let found = told_of(&[("app/a.yaml", &object("a")), ("app/large.yaml", &large)]);
    assert_eq!(found[0], "app/a.yaml:1 a");
    assert!(found[1].contains("limit MANIFESTS_BYTES"), "{found:?}");

    let half = object("half") + &"#".repeat(MANIFESTS_BYTES / 2);
    let tree = MemoryTree::new([("app/a.yaml", &half), ("app/b.yaml", &half)]);
    let error = render(&tree, "app", &Renderer::Detect).unwrap_err();
    assert!(matches!(error, RenderError::TooLarge { .. }));
    assert!(error.to_string().contains("limit MANIFESTS_BYTES"), "{error}");
}

#[test]
fn folders_that_are_too_deep_are_named_and_the_rest_goes_on() {
    let deep = format!("app/{}x.yaml", "d/".repeat(70));
    let edge = format!("app/{}x.yaml", "e/".repeat(63));
    let tree =
        MemoryTree::new([(deep, object("deep")), (edge, object("edge")), ("app/z.yaml".into(), object("z"))]);
    let options = DirectoryOptions { recurse: true, ..DirectoryOptions::default() };
    let rendered = render(&tree, "app", &directory(options)).unwrap();
    let names: Vec<&str> = rendered.manifests.iter().map(|manifest| manifest.object.name()).collect();
    assert_eq!(names, ["edge", "z"]);
    let [diagnostic] = rendered.diagnostics.as_slice() else { panic!("{:?}", rendered.diagnostics) };
    assert_eq!(diagnostic.kind, DiagnosticKind::Render);
    assert!(diagnostic.message.contains("limit FOLDER_DEPTH"), "{diagnostic}");
}

#[test]
fn a_source_that_gives_nothing_at_all_says_why() {
    let tree = MemoryTree::new([
        ("file", ""),
        ("chart/Chart.yaml", ""),
        ("chart/a.yaml", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n"),
        ("like/MyChart.yaml", ""),
        ("k1/kustomization.yaml", ""),
        ("k2/kustomization.yml", ""),
        ("k3/Kustomization", ""),
        ("overridden/.argocd-source.yaml", "directory: {recurse: true}\n"),
        ("both/Chart.yaml", ""),
        ("both/kustomization.yaml", ""),
    ]);
    for (path, expected) in [
        ("absent", "absent: app path does not exist"),
        ("file", "file: app path is not a directory"),
        ("chart", "the chart in chart cannot be rendered: validation: chart.metadata.name is required"),
        (
            "overridden",
            "overridden/.argocd-source.yaml overrides fields of the source, which is not acted on here: nothing \
             is deployed",
        ),
        ("k1", "the kustomization in k1 cannot be built: kustomization.yaml is empty"),
        ("k3", "the kustomization in k3 cannot be built: kustomization.yaml is empty"),
        ("both", "the kustomization in both cannot be built: kustomization.yaml is empty"),
    ] {
        assert_eq!(render(&tree, path, &Renderer::Detect).unwrap_err().to_string(), expected);
    }
    assert!(matches!(render(&tree, "../x", &Renderer::Detect), Err(RenderError::Tree(_))));
    // Whoever asks for plain files gets them.
    let plain = render(&tree, "chart", &directory(DirectoryOptions::default())).unwrap();
    assert_eq!(told(&plain), ["chart/a.yaml:1 a"]);
    let nothing = MemoryTree::new([("empty/.gitkeep", "")]);
    assert_eq!(told(&render(&nothing, "empty", &Renderer::Detect).unwrap()), [""; 0]);
}

/// A Tree in which one folder is there by a symbolic link.
struct Linked(MemoryTree, bool);

impl Tree for Linked {
    fn entry(&self, path: &str) -> Result<Option<Entry>, TreeError> {
        self.0.entry(path)
    }

    fn list(&self, path: &str) -> Result<Option<Vec<(Str, Entry)>>, TreeError> {
        self.0.list(path)
    }

    fn is_link(&self, path: &str) -> Result<bool, TreeError> {
        Ok(self.1 && path == "app/linked")
    }

    fn read(&self, path: &str, limit: u64) -> Result<Option<Arc<[u8]>>, TreeError> {
        self.0.read(path, limit)
    }
}

#[test]
fn a_folder_that_a_link_leads_to_is_not_gone_into() {
    let files = || MemoryTree::new([("app/a.yaml", object("a")), ("app/linked/b.yaml", object("b"))]);
    let recurse = directory(DirectoryOptions { recurse: true, ..DirectoryOptions::default() });
    let rendered = render(&Linked(files(), true), "app", &recurse).unwrap();
    assert_eq!(told(&rendered), ["app/a.yaml:1 a"]);
    // The answer holds while the link is one.
    assert!(rendered.reads.holds_in(&Linked(files(), true)).unwrap());
    assert!(!rendered.reads.holds_in(&Linked(files(), false)).unwrap());
}

/// A Tree in which one folder cannot be listed and one file cannot be read, because of a symbolic link.
struct BadLinks(MemoryTree);

impl Tree for BadLinks {
    fn entry(&self, path: &str) -> Result<Option<Entry>, TreeError> {
        self.0.entry(path)
    }

    fn list(&self, path: &str) -> Result<Option<Vec<(Str, Entry)>>, TreeError> {
        if path == "app/bad" {
            return Err(TreeError::Link {
                path: "app/bad/link".into(),
                problem: "points outside of the repository",
            });
        }
        self.0.list(path)
    }

    fn read(&self, path: &str, limit: u64) -> Result<Option<Arc<[u8]>>, TreeError> {
        match path {
            "app/loop.yaml" => Err(TreeError::Link { path: path.into(), problem: "is part of a loop" }),
            "app/store.yaml" => {
                Err(TreeError::Store { path: path.into(), source: "the disk is gone".into() })
            }
            _ => self.0.read(path, limit),
        }
    }
}

#[test]
fn a_bad_link_is_named_and_a_failing_store_fails_the_render() {
    let files =
        [("app/a.yaml", object("a")), ("app/bad/b.yaml", object("b")), ("app/loop.yaml", object("l"))];
    let recurse = directory(DirectoryOptions { recurse: true, ..DirectoryOptions::default() });
    let tree = BadLinks(MemoryTree::new(files.clone()));
    assert_eq!(
        told(&render(&tree, "app", &recurse).unwrap()),
        [
            "app/a.yaml:1 a",
            "! app/bad: the symbolic link app/bad/link points outside of the repository",
            "! app/loop.yaml: the symbolic link app/loop.yaml is part of a loop",
        ]
    );
    let tree = BadLinks(MemoryTree::new(files.into_iter().chain([("app/store.yaml", String::new())])));
    assert!(matches!(render(&tree, "app", &recurse), Err(RenderError::Tree(TreeError::Store { .. }))));
}
