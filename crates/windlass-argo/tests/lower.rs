//! Applications in, Units out.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use std::fmt::Write as _;

use windlass_argo::{Cluster, Lowered, Settings, finalizer_patch};
use windlass_kube::{Object, Str, Value};
use windlass_model::{Renderer, SourceKind, SourceSpec, Unit};

/// What a person wants to see of a lowered Application, a line each; what is as by default is left out.
fn shown(application: &Object, lowered: &Lowered) -> String {
    let mut text = String::new();
    let Lowered { unit, .. } = lowered;
    for SourceSpec { repository, kind, revision, tag_prefix, path, reference, renderer, signatures } in
        &unit.sources
    {
        write!(text, "source {repository} at {revision:?} in {path:?}").unwrap();
        if *kind != SourceKind::Git {
            write!(text, " {kind:?}").unwrap();
        }
        if !tag_prefix.is_empty() {
            write!(text, " tags {tag_prefix}*").unwrap();
        }
        if !reference.is_empty() {
            write!(text, " as ${reference}").unwrap();
        }
        if let Some(rule) = signatures {
            write!(text, " signed {rule:?}").unwrap();
        }
        match renderer {
            Renderer::Detect => writeln!(text).unwrap(),
            Renderer::Directory(options) => writeln!(text, " {options:?}").unwrap(),
            Renderer::Helm(options) => writeln!(text, " {options:?}").unwrap(),
            Renderer::Kustomize(options) => writeln!(text, " {options:?}").unwrap(),
            Renderer::Plugin(options) => writeln!(text, " {options:?}").unwrap(),
        }
    }
    let target = &unit.target;
    writeln!(text, "target {:?} {} namespace {:?}", target.cluster, target.name, target.namespace).unwrap();
    writeln!(text, "instance {} manager {}", unit.ownership.instance, unit.ownership.field_manager).unwrap();
    if *unit.ownership.former_managers != ["kubectl-client-side-apply", "argocd-controller"].map(Str::from) {
        writeln!(text, "takes over from {:?}", unit.ownership.former_managers).unwrap();
    }
    // The policy's members that are not those of an Application that says nothing.
    let plain = support::objects("apiVersion: argoproj.io/v1alpha1\nkind: Application\nspec: {}").remove(0);
    let plain = format!("{:#?}", support::lowered(&[plain], &Settings::default(), &[]).1.unit.policy);
    for (line, default) in members(&format!("{:#?}", unit.policy)).iter().zip(members(&plain)) {
        if *line != default {
            writeln!(text, "policy {line}").unwrap();
        }
    }
    if let Some(request) = &lowered.request {
        writeln!(text, "request {request:?}").unwrap();
    }
    for depended in &unit.depends_on {
        writeln!(text, "depends on {depended}").unwrap();
    }
    for check in &unit.health_checks {
        writeln!(text, "health {check:?}").unwrap();
    }
    for (name, value) in [
        ("refused", lowered.refused.as_ref().map(ToString::to_string)),
        ("terminate", lowered.terminate.then(String::new)),
        ("refresh", lowered.refresh.map(|refresh| format!("{refresh:?}"))),
        ("paused", lowered.paused.then(String::new)),
    ] {
        if let Some(value) = value {
            writeln!(text, "{}", format!("{name} {value}").trim_end()).unwrap();
        }
    }
    if application.is_terminating() {
        writeln!(text, "deletion {:?}, then {:?}", lowered.deletion, finalizer_patch(application)).unwrap();
    }
    for diagnostic in &unit.diagnostics {
        writeln!(text, "{:?}: {diagnostic}", diagnostic.kind).unwrap();
    }
    text
}

/// The members of a pretty-printed struct, a line each.
fn members(pretty: &str) -> Vec<String> {
    let mut members: Vec<String> = Vec::new();
    for line in pretty.lines().filter_map(|line| line.strip_prefix("    ")) {
        match members.last_mut() {
            Some(last) if line.starts_with([' ', '}', ']', ')']) => last.push_str(line.trim_start()),
            _ => members.push(line.into()),
        }
    }
    members
}

fn clusters() -> [Cluster; 1] {
    [Cluster { server: "https://far.example.org".into(), name: "far".into(), project: "".into() }]
}

fn settings() -> Settings {
    Settings { application_namespaces: ["team-*".into()].into(), ..Settings::default() }
}

#[test]
fn applications_lower_as_recorded() {
    for (path, yaml) in support::inputs("lower") {
        let (application, lowered) = support::lowered(&support::objects(&yaml), &settings(), &clusters());
        support::check(&path, "txt", &shown(&application, &lowered));
    }
}

/// A Unit without what tells apart Applications that mean the same.
fn meaning(yaml: &str) -> Unit {
    let (_, mut lowered) = support::lowered(&support::objects(yaml), &settings(), &clusters());
    lowered.unit.id.0.name = "same".into();
    lowered.unit.ownership.instance = "same".into();
    lowered.unit
}

#[test]
fn applications_that_mean_the_same_lower_to_equal_units() {
    let head = "apiVersion: argoproj.io/v1alpha1\nkind: Application\n";
    let one = format!(
        "{head}metadata: {{name: a, namespace: argocd}}\nspec:\n  project: default\n  source: {{repoURL: u, path: a/b, \
         directory: {{recurse: false}}}}\n  destination: {{server: 'https://kubernetes.default.svc', namespace: n}}\n"
    );
    let other = format!(
        "{head}metadata: {{name: b, namespace: argocd, labels: {{x: y}}}}\nspec:\n  project: ''\n  sources:\n  - {{repoURL: \
         u, path: ./a//b/, helm: {{}}}}\n  destination: {{name: in-cluster, namespace: n}}\n  syncPolicy: {{automated: \
         {{enabled: false}}, retry: {{backoff: {{duration: 5s, factor: 2, maxDuration: 3m}}}}, syncOptions: \
         [ServerSideApply=true]}}\n  revisionHistoryLimit: 10\n"
    );
    assert_eq!(meaning(&one), meaning(&other));
    assert_ne!(meaning(&one), meaning(&one.replace("a/b", "a/c")));
}

/// Every field that the schema knows is either acted on or named when it is set.
#[test]
fn no_field_is_silently_ignored() {
    let crds = windlass_argo::crds();
    let version = &crds[0].at(&["spec", "versions"]).unwrap().as_array().unwrap()[0];
    let schema = version.at(&["schema", "openAPIV3Schema"]).unwrap();
    let (mut acted, mut named) = (0, 0);
    for part in ["spec", "operation"] {
        let mut leaves = Vec::new();
        fields(schema.at(&["properties", part]).unwrap(), &mut vec![part.to_owned()], &mut leaves);
        for (path, value) in leaves {
            let mut application = base();
            let keys: Vec<&str> = path.iter().map(String::as_str).collect();
            application.set_at(&keys, value);
            let (_, before) = support::lowered(&[base()], &settings(), &[]);
            let (_, after) = support::lowered(&[application], &settings(), &[]);
            let shown = path.join(".");
            // The name of a field below a list or a free map is that of the list or map.
            let mentioned =
                after.unit.diagnostics.iter().any(|diagnostic| diagnostic.message.contains(&shown))
                    || after.refused.as_ref().is_some_and(|why| why.contains(&shown));
            // For people, or asked for by default.
            let changed = shown == "spec.info"
                || shown == "spec.source.name"
                || shown.starts_with("operation.i")
                || shown == "operation.sync.autoHealAttemptsCount"
                || shown.ends_with("retry.refresh")
                || shown == "spec.syncPolicy.automated.enabled"
                || format!("{:?}", (&before.unit, &before.request, &before.refused))
                    != format!("{:?}", (&after.unit, &after.request, &after.refused));
            assert!(mentioned || changed, "{shown} is ignored");
            if mentioned { named += 1 } else { acted += 1 }
        }
    }
    assert!(acted > 60 && named > 10, "{acted} acted on, {named} named");
}

fn base() -> Object {
    let yaml = "apiVersion: argoproj.io/v1alpha1\nkind: Application\nmetadata: {name: a, namespace: argocd}\nspec:\n  \
                project: default\n  source: {repoURL: 'https://example.org/a.git', path: a}\n  destination: {server: \
                'https://kubernetes.default.svc'}\n  syncPolicy: {automated: {}, syncOptions: [CreateNamespace=true]}\n\
                operation: {sync: {}}\n";
    support::objects(yaml).remove(0)
}

/// The paths of all fields down to lists and free maps, each with a value that says something.
fn fields(schema: &Value, path: &mut Vec<String>, leaves: &mut Vec<(Vec<String>, Value)>) {
    if let Some(properties) = schema.get("properties").and_then(Value::as_object) {
        for (key, member) in properties.iter() {
            // Sources in a list are those of `spec.source`.
            if key != "sources" {
                path.push(key.to_string());
                fields(member, path, leaves);
                path.pop();
            }
        }
        return;
    }
    leaves.push((path.clone(), example(schema, path)));
}

fn example(schema: &Value, path: &[String]) -> Value {
    match schema.str_at(&["type"]) {
        Some("boolean") => true.into(),
        Some("integer") => 77.into(),
        Some("array") => vec![example(schema.get("items").unwrap(), path)].into(),
        Some("object") => match schema.get("properties").and_then(Value::as_object) {
            Some(members) => Value::Object(
                members.iter().map(|(key, member)| (key.clone(), example(member, path))).collect(),
            ),
            None => windlass_kube::value!({"key": "value"}),
        },
        _ if path.last().is_some_and(|key| key.ends_with("uration")) => "77s".into(),
        _ => "https://77.example.org".into(),
    }
}
