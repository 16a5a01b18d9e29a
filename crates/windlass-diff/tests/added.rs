//! What counts as added by others, and how it is taken away.
#![expect(clippy::unwrap_used, reason = "test helpers")]

use windlass_diff::{Rules, added, added_digest, removal};
use windlass_kube::{Object, Value, json_patch};
use windlass_model::{Comparing, IgnoreRule};

/// An object from YAML in which `$` is where its `managedFields` stand: one line for each manager, with the fields in
/// the form of `fieldsV1`.
fn live(managers: &[(&str, &str, &str)]) -> Object {
    let text = "
apiVersion: apps/v1
kind: Deployment
metadata:
  name: web
  namespace: shop
  resourceVersion: '7'
  labels: {app: web, team: a}
  annotations: {mine.dev/a: '1', theirs.dev/b: '2'}
spec:
  paused: true
  replicas: 3
  template:
    spec:
      nodeSelector: {disk: ssd, zone: z}
      containers:
      - {name: web, image: web:1, workingDir: /tmp}
      - {name: sidecar, image: proxy:1}
status: {replicas: 3}
";
    let mut value = windlass_yaml::load(text).unwrap();
    let entries: Vec<Value> = managers
        .iter()
        .map(|(manager, operation, fields)| {
            let (operation, subresource) = operation.split_once('/').unwrap_or((operation, ""));
            windlass_yaml::load(&format!(
                "{{manager: {manager}, operation: {operation}, subresource: '{subresource}', apiVersion: apps/v1, \
                 fieldsType: FieldsV1, time: '2026-11-01T10:00:00Z', fieldsV1: {fields}}}"
            ))
            .unwrap()
        })
        .collect();
    value.set_at(&["metadata", "managedFields"], entries);
    Object::try_new(value).unwrap()
}

const OURS: (&str, &str, &str) = (
    "argocd-controller",
    "Apply",
    r#"{"f:metadata": {"f:annotations": {"f:mine.dev/a": {}}}, "f:spec": {"f:template": {"f:spec": {"f:containers":
       {"k:{\"name\":\"web\"}": {".": {}, "f:name": {}, "f:image": {}}}}}}}"#,
);

fn check(managers: &[(&str, &str, &str)], rules: &Rules, expected: &[&str]) -> Object {
    let live = live(managers);
    let found: Vec<String> =
        added(&live, "argocd-controller", rules).iter().map(ToString::to_string).collect();
    assert_eq!(found, expected);
    live
}

const EDIT: &str = r#"{"f:metadata": {"f:labels": {"f:team": {}}, "f:annotations": {"f:theirs.dev/b": {}}},
    "f:spec": {"f:paused": {}, "f:template": {"f:spec": {"f:nodeSelector": {"f:disk": {}}, "f:containers": {
    "k:{\"name\":\"web\"}": {"f:workingDir": {}, "f:image": {}}, "k:{\"name\":\"sidecar\"}": {".": {}, "f:name": {}, "f:image": {}}}}}}}"#;

#[test]
fn what_stands_in_what_we_declare_is_added() {
    let by = "added by kubectl-edit at 2026-11-01T10:00:00Z";
    let live = check(
        &[OURS, ("kubectl-edit", "Update", EDIT)],
        &Rules::default(),
        &[
            &format!("metadata.annotations[theirs.dev/b]: Git says nothing of it, live \"2\", {by}"),
            &format!("spec.paused: Git says nothing of it, live true, {by}"),
            &format!("spec.template.spec.containers[sidecar]: Git says nothing of it, live an object, {by}"),
            &format!(
                "spec.template.spec.containers[web].workingDir: Git says nothing of it, live \"/tmp\", {by}"
            ),
            &format!("spec.template.spec.nodeSelector: Git says nothing of it, live an object, {by}"),
        ],
    );
    assert!(added_digest(&live, "argocd-controller").is_some());
    let found = added(&live, "argocd-controller", &Rules::default());
    let after = json_patch::apply(&live.to_value(), &removal(&live, &found)).unwrap();
    let spec = windlass_yaml::to_yaml(after.at(&["spec"]).unwrap());
    assert_eq!(
        spec,
        "replicas: 3\ntemplate:\n  spec:\n    containers:\n    - image: web:1\n      name: web\n"
    );
    let annotations = after.at(&["metadata", "annotations"]).unwrap();
    assert_eq!(windlass_yaml::to_yaml(annotations), "mine.dev/a: \"1\"\n");
}

#[test]
fn scalers_and_parts_of_kubernetes_add_nothing() {
    let scaled = r#"{"f:spec": {"f:replicas": {}}}"#;
    let bound = r#"{"f:spec": {"f:template": {"f:spec": {"f:nodeSelector": {"f:zone": {}}}}}}"#;
    let status = r#"{"f:status": {"f:replicas": {}}}"#;
    let managers = [
        OURS,
        ("hpa", "Update/scale", scaled),
        ("kube-controller-manager", "Update", bound),
        ("somebody", "Update", status),
    ];
    let live = check(&managers, &Rules::default(), &[]);
    assert_eq!(added_digest(&live, "argocd-controller"), None);
    // What one of them wrote stays where something beside it goes.
    let disk = r#"{"f:spec": {"f:template": {"f:spec": {"f:nodeSelector": {"f:disk": {}}}}}}"#;
    let line = "spec.template.spec.nodeSelector.disk: Git says nothing of it, live \"ssd\", added by me at \
                2026-11-01T10:00:00Z";
    check(&[OURS, managers[2], ("me", "Update", disk)], &Rules::default(), &[line]);
}

#[test]
fn what_does_not_count_is_not_added() {
    let rule = IgnoreRule {
        group: "apps".into(),
        kind: "Deployment".into(),
        pointers: ["/spec/paused".into(), "/spec/template".into()].into(),
        managers: ["annotator".into()].into(),
        ..IgnoreRule::default()
    };
    let (rules, problems) = Rules::compile(&Comparing { rules: [rule].into(), ..Comparing::default() });
    assert!(problems.is_empty());
    let annotation = r#"{"f:metadata": {"f:annotations": {"f:theirs.dev/b": {}}}}"#;
    check(&[OURS, ("kubectl-edit", "Update", EDIT), ("annotator", "Update", annotation)], &rules, &[]);
}

#[test]
fn nothing_is_added_to_what_was_never_applied() {
    check(&[("kubectl-edit", "Update", EDIT)], &Rules::default(), &[]);
}
