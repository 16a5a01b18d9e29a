//! The edits that Argo CD and Flux make before they build.
#![expect(clippy::unwrap_used, reason = "tests")]

mod memory_tree;

use std::collections::BTreeMap;

use memory_tree::MemoryTree;
use windlass_kustomize::kustomization::{Image, Patch, Replica};
use windlass_kustomize::{Edit, Options, Services, build};

const DEPLOYMENT: &str = "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: web}\nspec:\n  replicas: 1\n  selector: {matchLabels: {app: web}}\n  template:\n    metadata: {labels: {app: web}}\n    spec: {containers: [{name: c, image: nginx:1}]}\n";

fn built(edits: &[Edit]) -> String {
    let tree = MemoryTree::new([
        ("app/kustomization.yaml", "resources: [a.yaml]\nimages: [{name: nginx, newName: mirror/nginx}]\n"),
        ("app/a.yaml", DEPLOYMENT),
        ("more/kustomization.yaml", "kind: Component\ncommonAnnotations: {from: component}\n"),
    ]);
    build(&tree, "app", &Options::default(), Services::default(), edits).unwrap().resources.to_yaml().unwrap()
}

#[test]
fn an_edited_build_is_that_of_the_edited_file() {
    let labels: BTreeMap<_, _> = [("team".into(), "x".into())].into();
    let cases: [(Edit, &[&str]); 9] = [
        (Edit::NamePrefix("p-".into()), &["  name: p-web\n"]),
        (Edit::NameSuffix("-s".into()), &["  name: web-s\n"]),
        (Edit::Namespace("n".into()), &["  namespace: \"n\"\n"]),
        (Edit::Images(vec!["nginx=*:2".into()]), &["image: mirror/nginx:2\n"]),
        (
            Edit::ImageOverrides(vec![Image {
                name: "nginx".into(),
                new_tag: "3".into(),
                ..Image::default()
            }]),
            &["image: mirror/nginx:3\n"],
        ),
        (Edit::Replicas(vec![Replica { name: "web".into(), count: 4 }]), &["replicas: 4\n"]),
        (
            Edit::Labels { labels, force: false, without_selector: true, include_templates: true },
            &[
                "  labels:\n    team: x\n",
                "        app: web\n        team: x\n",
                "    matchLabels:\n      app: web\n  template",
            ],
        ),
        (
            Edit::Patches(vec![Patch {
                patch: "[{\"op\": \"add\", \"path\": \"/spec/paused\", \"value\": true}]".into(),
                target: Some(windlass_kustomize::kustomization::Selector::default()),
                ..Patch::default()
            }]),
            &["paused: true\n"],
        ),
        (Edit::Components(vec!["../more".into()]), &["from: component\n"]),
    ];
    for (edit, expected) in cases {
        let text = built(std::slice::from_ref(&edit));
        for part in expected {
            assert!(text.contains(part), "{edit:?} gives\n{text}");
        }
    }
}
