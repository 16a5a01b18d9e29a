//! Files beside the manifests that change how they are rendered.
use windlass_kube::Value;
use windlass_model::{DirectoryOptions, MemoryTree, Renderer};
use windlass_render::{
    Context, NoWorld, Overrides, RenderCache, RenderError, Services, SharedRender, render,
};

/// Knows of folders only.
struct Declared(&'static str);

impl Overrides for Declared {
    fn name(&self) -> &str {
        self.0
    }

    fn renderer(&self, changes: &[Value]) -> Result<Renderer, String> {
        let mut options = DirectoryOptions::default();
        for change in changes {
            options.recurse = change.bool_at(&["recurse"]).unwrap_or(options.recurse);
            options.exclude = change.str_at(&["exclude"]).map_or(options.exclude, Into::into);
            if change.get("bad").is_some() {
                return Err("bad is not known".into());
            }
        }
        Ok(Renderer::Directory(options))
    }
}

fn object(name: &str) -> String {
    format!("apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: {name}}}\n")
}

fn tree(more: &[(&str, &str)]) -> MemoryTree {
    let mut files = vec![
        ("app/a.yaml".to_owned(), object("a")),
        ("app/b.yaml".to_owned(), object("b")),
        ("app/sub/c.yaml".to_owned(), object("c")),
    ];
    files.extend(more.iter().map(|(path, text)| ((*path).to_owned(), (*text).to_owned())));
    MemoryTree::new(files)
}

fn names(render: &windlass_render::Rendered) -> String {
    render.manifests.iter().map(|manifest| manifest.object.name()).collect()
}

const ALL: (&str, &str) = ("app/.argocd-source.yaml", "recurse: true\n");
const OF_WEB: (&str, &str) = ("app/.argocd-source-web.yaml", "exclude: a.yaml\n");

#[test]
fn the_file_for_all_comes_before_the_file_for_one() {
    for (name, files, expected) in [
        ("web", &[][..], "ab"),
        ("web", &[ALL], "abc"),
        ("web", &[OF_WEB], "b"),
        ("web", &[ALL, OF_WEB], "bc"),
        ("shop", &[ALL, OF_WEB], "abc"),
        ("web", &[ALL, ("app/.argocd-source-web.yaml", "recurse: false")], "ab"),
        // A folder of that name is none.
        ("web", &[("app/.argocd-source-web.yaml/x", "")], "ab"),
    ] {
        let declared = Declared(name);
        let mut world = NoWorld::default();
        let mut context = Context::empty(&mut world);
        context.services.overrides = Some(&declared);
        let rendered = render(&tree(files), "app", &Renderer::Detect, &mut context).unwrap();
        assert_eq!(names(&rendered), expected, "{name} {files:?}");
    }
}

#[test]
fn what_cannot_be_used_names_the_file() {
    for (text, problem) in [("bad: 1", "bad is not known"), ("a: [", "")] {
        let declared = Declared("web");
        let mut world = NoWorld::default();
        let mut context = Context::empty(&mut world);
        context.services.overrides = Some(&declared);
        let tree = tree(&[("app/.argocd-source.yaml", text)]);
        let error = render(&tree, "app", &Renderer::Detect, &mut context).unwrap_err();
        assert!(matches!(error, RenderError::Override { .. }), "{error}");
        let expected = format!("app/.argocd-source.yaml cannot override fields of the source: {problem}");
        assert!(error.to_string().starts_with(&expected), "{error}");
    }
    let error = render(&tree(&[ALL]), "app", &Renderer::Detect, &mut Context::empty(&mut NoWorld::default()));
    assert!(matches!(error.unwrap_err(), RenderError::Overrides { .. }));
}

#[test]
fn names_that_mean_the_same_share_a_render_and_others_do_not() {
    let cache = RenderCache::new(1 << 20);
    let run = |name: &'static str, files: &[(&str, &str)]| -> SharedRender {
        let declared = Declared(name);
        let mut world = NoWorld::default();
        let mut context = Context::empty(&mut world);
        context.services = Services { overrides: Some(&declared), ..Services::default() };
        cache.render("repo", &tree(files), "app", &Renderer::Detect, &mut context).unwrap()
    };
    let both = [ALL, OF_WEB];
    let (web, shop, other) = (run("web", &both), run("shop", &both), run("other", &both));
    assert_eq!((names(&web), names(&shop)), ("bc".into(), "abc".into()));
    assert!(SharedRender::ptr_eq(&shop, &other));
    assert_eq!(cache.counts().rendered, 2);
    assert_eq!(names(&run("web", &[ALL])), "abc");
}
