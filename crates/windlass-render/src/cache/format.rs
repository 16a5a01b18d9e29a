//! Whether sources still render to what they did under this [`RENDER_FORMAT`](super::RENDER_FORMAT).

use gotemplate::NoWorld;
use windlass_model::{Digest, DirectoryOptions, MemoryTree, Renderer};

use super::RENDER_FORMAT;
use crate::jsonnet::Inline;
use crate::{Context, record, render};

/// A name, files, and the digest of what they render to.
type Source = (&'static str, &'static [(&'static str, &'static str)], &'static str);

/// Sources that use as much of each renderer as fits on a page, and what they render to under which format.
///
/// When a digest is another one: a source that has not changed renders to something else, so renders that are kept on disk
/// must not be found any more. Raise `RENDER_FORMAT` and write down the digests that the test prints.
const RENDERED: (u32, [Source; 4]) = (
    2,
    [
        (
            "directory",
            &[
                (
                    "app/a.yaml",
                    "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndata: {n: 0777, on: yes, f: 1e3, t: |-\n  x\n }\n---\napiVersion: v1\nkind: List\nitems:\n- {apiVersion: v1, kind: Secret, metadata: {name: b}, stringData: {k: v}}\n",
                ),
                (
                    "app/b.json",
                    "{\"apiVersion\": \"v1\", \"kind\": \"Service\", \"metadata\": {\"name\": \"c\"}, \"spec\": {\"ports\": [{\"port\": 8e1}]}}",
                ),
                ("app/broken.yaml", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: [\n"),
            ],
            "26410863aa1688821c3def95820a302d",
        ),
        (
            "jsonnet",
            &[
                (
                    "app/a.jsonnet",
                    "local l = import 'l.libsonnet'; [l.map('a'), l.map('b') + {data: {n: '%05.2f' % 1.005, y: std.manifestYamlDoc({a: 1.5}), h: std.sha256('x')}}]",
                ),
                ("app/l.libsonnet", "{map(n):: {apiVersion: 'v1', kind: 'ConfigMap', metadata: {name: n}}}"),
            ],
            "3b103b5cb1317aa2722a75c7a482420b",
        ),
        (
            "helm",
            &[
                ("app/Chart.yaml", "apiVersion: v2\nname: web\nversion: 1.2.3\nappVersion: '9'\n"),
                ("app/values.yaml", "n: 1000000\nimage: {tag: v1}\nlist: [a, b]\n"),
                (
                    "app/templates/_h.tpl",
                    "{{- define \"web.name\" -}}{{ .Release.Name | trunc 63 | trimSuffix \"-\" }}{{- end -}}",
                ),
                (
                    "app/templates/a.yaml",
                    "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: {{ include \"web.name\" . }}\n  labels: {chart: {{ .Chart.Name }}-{{ .Chart.Version | quote }}}\ndata:\n  n: {{ .Values.n | quote }}\n  tag: {{ .Values.image.tag | default \"x\" | upper }}\n{{- range $i, $e := .Values.list }}\n  {{ $e }}: {{ printf \"%03d %v\" $i (dict \"k\" $e) | quote }}\n{{- end }}\n  yaml: |\n{{ toYaml .Values | indent 4 }}\n",
                ),
                (
                    "app/crds/crd.yaml",
                    "apiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\nmetadata: {name: xs.example.org}\n",
                ),
            ],
            "f523407fccc347a39173a5ad1497894d",
        ),
        (
            "kustomize",
            &[
                (
                    "app/kustomization.yaml",
                    "resources: [../base]\nnamePrefix: p-\nnamespace: shop\nimages: [{name: nginx, newTag: '2'}]\nlabels: [{pairs: {team: x}, includeSelectors: true}]\nconfigMapGenerator: [{name: conf, literals: [a=b]}]\npatches:\n- patch: '[{\"op\": \"replace\", \"path\": \"/spec/replicas\", \"value\": 3}]'\n  target: {kind: Deployment}\n",
                ),
                ("base/kustomization.yaml", "resources: [d.yaml]\n"),
                (
                    "base/d.yaml",
                    "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: web}\nspec:\n  replicas: 1\n  selector: {matchLabels: {app: web}}\n  template:\n    metadata: {labels: {app: web}}\n    spec:\n      containers: [{name: web, image: 'nginx:1', envFrom: [{configMapRef: {name: conf}}]}]\n",
                ),
            ],
            "3471d08de76e2dd62d5edb19821f2a23",
        ),
    ],
);

#[test]
fn what_renders_to_something_else_has_another_format() {
    let (format, sources) = RENDERED;
    let mut wrong = Vec::new();
    for (name, files, expected) in sources {
        let tree = MemoryTree::new(files.iter().copied());
        let mut world = NoWorld::default();
        let mut context = Context::empty(&mut world);
        (context.name, context.namespace) = ("web".into(), "shop".into());
        context.services.jsonnet = Some(&Inline);
        let renderer = match name {
            "directory" | "jsonnet" => Renderer::Directory(DirectoryOptions::default()),
            _ => Renderer::Detect,
        };
        let rendered = render(&tree, "app", &renderer, &mut context).unwrap();
        assert!(!rendered.manifests.is_empty(), "{name}");
        let found = Digest::of_bytes(&record::encode(&rendered).unwrap()).to_string();
        if found != expected {
            wrong.push(format!("{name}: {found:?}, not {expected:?}"));
        }
    }
    assert!(
        wrong.is_empty() && format == RENDER_FORMAT,
        "raise RENDER_FORMAT beyond {format} and write this down:\n{}",
        wrong.join("\n")
    );
}
