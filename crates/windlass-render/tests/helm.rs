//! Charts in a tree, with the options of an Application.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeMap;

use windlass_kube::Str;
use windlass_model::{HelmOptions, HelmParameter, MemoryTree, Renderer, SourceType, Tree};
use windlass_render::{
    ClusterFacts, Context, Environment, NoWorld, RenderCache, RenderError, Rendered, SharedRender,
};

const TEMPLATE: &str = "\
apiVersion: v1
kind: ConfigMap
metadata:
  name: {{ .Release.Name }}
  namespace: {{ .Release.Namespace }}
data:
{{- range $key, $value := .Values }}
  {{ $key }}: {{ $value | quote }}
{{- end }}
  version: {{ .Capabilities.KubeVersion.Version | quote }}
  widgets: {{ .Capabilities.APIVersions.Has \"example.com/v1/Widget\" | quote }}
";

fn chart(more: &[(&str, &str)]) -> MemoryTree {
    let mut files = vec![
        ("web/Chart.yaml", "apiVersion: v2\nname: web\nversion: 1.0.0\n"),
        ("web/values.yaml", "from: chart\n"),
        ("web/templates/settings.yaml", TEMPLATE),
        (
            "web/crds/widget.yaml",
            "apiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\nmetadata: {name: widgets.example.com}\n",
        ),
    ];
    files.extend_from_slice(more);
    MemoryTree::new(files)
}

fn context(world: &mut NoWorld) -> Context<'_> {
    let cluster = ClusterFacts {
        version: "v1.36.3".into(),
        api_versions: ["apps/v1", "example.com/v1/Widget"].map(Str::from).into(),
    };
    Context { name: "shop".into(), namespace: "prod".into(), cluster, ..Context::empty(world) }
}

fn render(tree: &dyn Tree, options: HelmOptions) -> Result<Rendered, RenderError> {
    let renderer = Renderer::Helm(Box::new(options));
    windlass_render::render(tree, "web", &renderer, &mut context(&mut NoWorld::default()))
}

/// The data of the ConfigMap, a line each.
fn data(rendered: &Rendered) -> Vec<String> {
    let settings = rendered.manifests.iter().find(|manifest| manifest.object.kind() == "ConfigMap").unwrap();
    let data = settings.object.at(&["data"]).and_then(|data| data.as_object()).unwrap();
    data.iter().map(|(key, value)| format!("{key}={}", value.as_str().unwrap())).collect()
}

fn failure(tree: &dyn Tree, options: HelmOptions) -> String {
    let error = render(tree, options).unwrap_err();
    chain(&error)
}

fn chain(error: &dyn std::error::Error) -> String {
    error.source().map_or_else(|| error.to_string(), |cause| format!("{error}: {}", chain(cause)))
}

#[test]
fn a_chart_is_detected_and_knows_its_release_and_cluster() {
    let mut world = NoWorld::default();
    let rendered =
        windlass_render::render(&chart(&[]), "web", &Renderer::Detect, &mut context(&mut world)).unwrap();
    assert_eq!(rendered.source_type, SourceType::Helm);
    assert_eq!(data(&rendered), ["from=chart", "version=v1.36.3", "widgets=true"]);
    let settings = rendered.manifests.iter().find(|manifest| manifest.object.kind() == "ConfigMap").unwrap();
    assert_eq!((settings.object.name(), settings.object.namespace()), ("shop", "prod"));
    assert_eq!(settings.origin.file, "web/templates/settings.yaml");
    assert!(rendered.manifests.iter().any(|manifest| manifest.object.kind() == "CustomResourceDefinition"));
}

#[test]
fn files_values_and_parameters_win_in_this_order() {
    let tree = chart(&[
        ("web/a.yaml", "a: file\nb: file\nc: file\nd: file\n"),
        ("web/more/one.yaml", "b: one\nc: one\n"),
        ("web/more/two.yaml", "b: two\n"),
        ("shared.yaml", "shared: yes it is\n"),
        ("secret.txt", "a, b\n"),
    ]);
    let options = HelmOptions {
        value_files: ["a.yaml", "more/*.yaml", "/shared.yaml"].map(Str::from).to_vec(),
        values: "c: text\nd: text\n".into(),
        parameters: vec![
            HelmParameter { name: "d".into(), value: "1,2".into(), force_string: false },
            HelmParameter { name: "e".into(), value: "0123".into(), force_string: true },
        ],
        file_parameters: vec![("f".into(), "../secret.txt".into())],
        release_name: "other".into(),
        namespace: "elsewhere".into(),
        kube_version: "1.30.0".into(),
        api_versions: vec!["apps/v1".into()],
        skip_crds: true,
        ..HelmOptions::default()
    };
    let rendered = render(&tree, options).unwrap();
    assert_eq!(
        data(&rendered),
        [
            "a=file",
            "b=two",
            "c=text",
            "d=1,2",
            "e=0123",
            "f=a, b\n",
            "from=chart",
            "shared=yes it is",
            "version=v1.30.0",
            "widgets=false",
        ]
    );
    assert_eq!(rendered.manifests.len(), 1);
    assert_eq!(rendered.manifests[0].object.name(), "other");
}

#[test]
fn value_files_of_another_source_are_read_from_its_tree() {
    let (tree, other) = (chart(&[]), MemoryTree::new([("env/prod.yaml", "from: other\n")]));
    let options = HelmOptions { value_files: vec!["$values/env/prod.yaml".into()], ..HelmOptions::default() };
    let renderer = Renderer::Helm(Box::new(options));
    let mut world = NoWorld::default();
    let mut context = context(&mut world);
    context.references = BTreeMap::from([("values".into(), &other as &dyn Tree)]);
    let rendered = windlass_render::render(&tree, "web", &renderer, &mut context).unwrap();
    assert_eq!(data(&rendered)[0], "from=other");
    let (name, reads) = &rendered.reference_reads[0];
    assert_eq!(name, "values");
    assert!(reads.paths().eq(["env/prod.yaml"].iter()), "{reads:?}");
}

#[test]
fn what_cannot_be_used_is_told() {
    let with = |file: &str| HelmOptions { value_files: vec![file.into()], ..HelmOptions::default() };
    let tree = chart(&[("web/bad.yaml", "a: [")]);
    for (options, said) in [
        (with("missing.yaml"), "the value file web/missing.yaml is not there"),
        (with("*.none"), "values file glob \"*.none\" matched no files"),
        (with("../../up.yaml"), "is outside of the repository"),
        (with("https://example.com/values.yaml"), "is a https address"),
        (with("bad.yaml"), "failed to parse web/bad.yaml"),
        (
            HelmOptions { release_name: "Not_Allowed".into(), ..HelmOptions::default() },
            "spec.source.helm.releaseName",
        ),
        (HelmOptions { kube_version: "new".into(), ..HelmOptions::default() }, "the Kubernetes version"),
    ] {
        let message = failure(&tree, options);
        assert!(message.contains(said), "{message}");
    }
    let ignoring = HelmOptions {
        value_files: vec!["missing.yaml".into(), "*.none".into()],
        ignore_missing_value_files: true,
        ..HelmOptions::default()
    };
    assert_eq!(data(&render(&tree, ignoring).unwrap())[0], "from=chart");
}

#[test]
fn the_build_environment_is_put_in_where_argo_cd_does() {
    let options = HelmOptions {
        value_files: vec!["$values/$NAME.yaml".into(), "$NAME.yaml".into()],
        parameters: vec![HelmParameter {
            name: "$NAME".into(),
            value: "$NAME $$".into(),
            force_string: true,
        }],
        values: "a: $NAME".into(),
        ..HelmOptions::default()
    };
    let environment = Environment::new([("NAME".into(), "web".into())]);
    let resolved = environment.resolve(&Renderer::Helm(Box::new(options)), |name| name == "values");
    let Renderer::Helm(resolved) = resolved else { panic!("{resolved:?}") };
    assert_eq!(resolved.value_files, ["$values/web.yaml", "web.yaml"]);
    assert_eq!((&*resolved.parameters[0].name, &*resolved.parameters[0].value), ("$NAME", "web $"));
    assert_eq!(resolved.values, "a: $NAME");
}

/// What is kept for one name is not taken for another that overrides the source.
#[test]
fn overrides_for_one_name_are_refused_for_that_name() {
    let cache = RenderCache::new(1 << 20);
    let tree = MemoryTree::new([
        ("web/.argocd-source-shop.yaml", "helm: {releaseName: other}\n"),
        ("web/a.yaml", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n"),
    ]);
    let render = |name: &str| {
        let mut world = NoWorld::default();
        let mut context = Context { name: name.into(), ..context(&mut world) };
        cache
            .render("repository", &tree, "web", &Renderer::Detect, &mut context)
            .map_err(|error| error.to_string())
    };
    assert_eq!(render("other").unwrap().manifests.len(), 1);
    assert!(render("shop").unwrap_err().starts_with("web/.argocd-source-shop.yaml overrides"));
}

/// A render is used again while the files it read, the release and the cluster are the same.
#[test]
fn renders_are_kept_by_what_they_depend_on() {
    let cache = RenderCache::new(1 << 20);
    let render = |tree: &MemoryTree, name: &str, version: &str| -> SharedRender {
        let mut world = NoWorld::default();
        let mut context = context(&mut world);
        context.name = name.into();
        context.cluster.version = version.into();
        cache.render("repository", tree, "web", &Renderer::Detect, &mut context).unwrap()
    };
    let first = render(&chart(&[]), "shop", "v1.36.3");
    let is_same = |other: &SharedRender| SharedRender::ptr_eq(&first, other);
    assert!(is_same(&render(&chart(&[]), "shop", "v1.36.3")));
    assert!(is_same(&render(&chart(&[("beside/a.yaml", "")]), "shop", "v1.36.3")), "a file beside the chart");
    assert!(
        !is_same(&render(&chart(&[("web/templates/more.yaml", "")]), "shop", "v1.36.3")),
        "a new template"
    );
    assert!(!is_same(&render(&chart(&[]), "other", "v1.36.3")), "another release");
    assert!(!is_same(&render(&chart(&[]), "shop", "v1.37.0")), "another cluster");
    assert!(is_same(&render(&chart(&[]), "shop", "v1.36.3")), "and back");
}
