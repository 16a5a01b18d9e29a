//! What files of a repository may change about a source: `mergeSourceParameters` of Argo CD 3.6.
#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use windlass_argo::{Project, Settings, lower, overridden};
use windlass_kube::{Object, Value};
use windlass_model::{DirectoryOptions, Renderer};

fn source(text: &str) -> windlass_argo::types::Source {
    let spec = format!(
        "apiVersion: argoproj.io/v1alpha1\nkind: Application\nmetadata: {{name: a, namespace: argocd}}\nspec:\n  project: default\n  \
         destination: {{server: 'https://kubernetes.default.svc', namespace: a}}\n  source: {text}\n"
    );
    let application = Object::try_new(windlass_yaml::load(&spec).unwrap()).unwrap();
    let lowered = lower(&application, Ok(&Project::built_in()), &Settings::default(), &[]);
    lowered.sources[0].clone()
}

fn patches(texts: &[&str]) -> Vec<Value> {
    texts.iter().map(|text| windlass_yaml::load(text).unwrap()).collect()
}

#[test]
fn what_tools_are_told_can_be_changed_and_nothing_else() {
    let declared = source(
        "{repoURL: 'https://example.org/a.git', path: app, helm: {valueFiles: [a.yaml], releaseName: old}}",
    );
    let changes = patches(&[
        "{helm: {releaseName: new, parameters: [{name: image.tag, value: v1}]}, path: other, repoURL: x, unknown: 1}",
        "{helm: {parameters: [{name: image.tag, value: v2}]}}",
    ]);
    let Renderer::Helm(options) = overridden(&declared, &changes).unwrap() else { panic!("a chart") };
    assert_eq!(options.release_name, "new");
    assert_eq!(options.value_files, ["a.yaml"]);
    // A list is replaced as a whole.
    assert_eq!(options.parameters.len(), 1);
    assert_eq!(options.parameters[0].value, "v2");
    let Renderer::Helm(options) = overridden(&declared, &patches(&["{helm: {valueFiles: null}}"])).unwrap()
    else {
        panic!("a chart")
    };
    assert!(options.value_files.is_empty());
    assert_eq!(overridden(&declared, &patches(&["{helm: null}"])).unwrap(), Renderer::Detect);
    let recurse = overridden(&declared, &patches(&["{helm: null, directory: {recurse: true}}"])).unwrap();
    assert_eq!(
        recurse,
        Renderer::Directory(DirectoryOptions { recurse: true, ..DirectoryOptions::default() })
    );
}

#[test]
fn what_cannot_be_merged_is_refused_in_words() {
    let declared = source("{repoURL: 'https://example.org/a.git', path: app, helm: {releaseName: old}}");
    for (patch, problem) in [
        ("null", "it is null, not an object"),
        ("[1]", "it is "),
        ("{helm: text}", "field helm must be "),
        ("{kustomize: {namePrefix: x}}", "the source: multiple application sources defined: Kustomize,Helm"),
    ] {
        let error = overridden(&declared, &patches(&[patch])).unwrap_err();
        assert!(error.starts_with(problem), "{patch}: {error}");
    }
}

#[test]
fn plugins_are_given_what_is_merged() {
    let declared = source(
        "{repoURL: 'https://example.org/a.git', path: app, plugin: {name: a-v1, env: [{name: A, value: $B}], \
         parameters: [{name: one, string: x}, {name: two, map: {b: '2', a: '1'}, array: []}]}}",
    );
    let plugin = |changes: &[&str]| match overridden(&declared, &patches(changes)).unwrap() {
        Renderer::Plugin(options) => *options,
        other => panic!("{other:?}"),
    };
    let options = plugin(&[]);
    assert_eq!(options.name, "a-v1");
    assert_eq!(options.environment, [("A".into(), "$B".into())]);
    assert_eq!(options.parameters[0].text.as_deref(), Some("x"));
    let map = [("a".into(), "1".into()), ("b".into(), "2".into())];
    assert_eq!(options.parameters[1].map.as_deref(), Some(map.as_slice()));
    assert_eq!(options.parameters[1].list.as_deref(), Some([].as_slice()));
    let options = plugin(&["{plugin: {name: null, env: [{name: C, value: d}]}}"]);
    assert_eq!((options.name.as_str(), options.parameters.len()), ("", 2));
    assert_eq!(options.environment, [("C".into(), "d".into())]);
    // As in Argo CD, an empty block asks for a plugin, whichever takes the folder.
    let found =
        overridden(&declared, &patches(&["{plugin: {name: null, env: null, parameters: null}}"])).unwrap();
    assert_eq!(found, Renderer::Plugin(Box::default()));
}
