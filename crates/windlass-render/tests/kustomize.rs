//! Kustomizations in a tree, with the options of an Application.

use windlass_kube::Str;
use windlass_model::{
    KustomizeOptions, KustomizePatch, KustomizeTarget, MemoryTree, Renderer, SourceType, Tree,
};
use windlass_render::{Context, NoWorld, RenderError, Rendered};

fn tree() -> MemoryTree {
    MemoryTree::new([
        ("base/kustomization.yaml", "resources: [deployment.yaml]\n"),
        (
            "base/deployment.yaml",
            "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: web}\nspec:\n  replicas: 1\n  selector: \
             {matchLabels: {app: web}}\n  template:\n    metadata: {labels: {app: web}}\n    spec: {containers: \
             [{name: web, image: 'web:1'}]}\n",
        ),
        ("overlay/kustomization.yaml", "resources: [../base]\nnamePrefix: old-\n"),
        (
            "more/kustomization.yaml",
            "apiVersion: kustomize.config.k8s.io/v1alpha1\nkind: Component\ncommonAnnotations: {more: here}\n",
        ),
    ])
}

fn render(tree: &dyn Tree, path: &str, renderer: &Renderer) -> Result<Rendered, RenderError> {
    windlass_render::render(tree, path, renderer, &mut Context::empty(&mut NoWorld::default()))
}

#[test]
fn a_kustomization_is_detected_and_its_bases_are_read() {
    let rendered = render(&tree(), "overlay", &Renderer::Detect).unwrap();
    assert_eq!(rendered.source_type, SourceType::Kustomize);
    assert_eq!(rendered.manifests[0].object.name(), "old-web");
    assert!(rendered.reads.paths().any(|path| path == "base/deployment.yaml"), "{:?}", rendered.reads);
    let broken = MemoryTree::new([("a/kustomization.yaml", "resources: [missing.yaml]\n")]);
    let message = render(&broken, "a", &Renderer::Detect).unwrap_err().to_string();
    assert!(
        message.starts_with("the kustomization in a cannot be built: accumulating resources"),
        "{message}"
    );
}

#[test]
fn the_options_of_an_application_are_edits() {
    let patch = KustomizePatch {
        patch: "- {op: replace, path: /spec/template/spec/containers/0/name, value: patched}".into(),
        target: Some(KustomizeTarget { kind: "Deployment".into(), ..KustomizeTarget::default() }),
        ..KustomizePatch::default()
    };
    let options = KustomizeOptions {
        name_prefix: "new-".into(),
        name_suffix: "-blue".into(),
        namespace: "shop".into(),
        images: vec!["web=registry.example.com/web:2".into()],
        replicas: vec![("web".into(), 3)],
        common_labels: vec![("team".into(), "a".into())],
        label_without_selector: true,
        common_annotations: vec![("note".into(), "b".into())],
        patches: vec![patch],
        components: ["../more", "../absent"].map(Str::from).to_vec(),
        ignore_missing_components: true,
        ..KustomizeOptions::default()
    };
    let rendered = render(&tree(), "overlay", &Renderer::Kustomize(Box::new(options))).unwrap();
    let object = &rendered.manifests[0].object;
    assert_eq!((object.name(), object.namespace()), ("new-web-blue", "shop"));
    assert_eq!(object.at(&["spec", "replicas"]).and_then(|replicas| replicas.as_int()), Some(3));
    assert_eq!(object.str_at(&["metadata", "labels", "team"]), "a");
    assert_eq!(object.at(&["spec", "selector", "matchLabels", "team"]), None);
    assert_eq!(object.annotation("note"), Some("b"));
    assert_eq!(object.annotation("more"), Some("here"));
    let spec = object.at(&["spec", "template", "spec"]).unwrap();
    let container = &spec.items_at(&["containers"])[0];
    assert_eq!(container.str_at(&["image"]), Some("registry.example.com/web:2"));
    assert_eq!(container.str_at(&["name"]), Some("patched"));
}
