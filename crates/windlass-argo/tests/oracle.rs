//! Project rules and tracking marks against the answers of Argo CD's own code (see `tools/oracle-argo`).

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use windlass_argo::{Project, Settings, TrackingMethod, types};
use windlass_kube::{GroupKind, Object, Value, merge_patch, value};
use windlass_model::{Ownership, tracking};

/// The recorded questions of one kind, each with its answer.
fn recorded(ask: &str) -> Vec<(Value, Value)> {
    let answers = include_str!("data/oracle.jsonl").lines().skip(1);
    let mut found = Vec::new();
    for line in answers {
        let line: Value = serde_json::from_str(line).unwrap();
        if line.str_at(&["question", "ask"]) == Some(ask) {
            found.push((line.get("question").unwrap().clone(), line.get("answer").unwrap().clone()));
        }
    }
    assert!(!found.is_empty());
    found
}

fn text<'a>(question: &'a Value, key: &str) -> &'a str {
    question.str_at(&[key]).unwrap_or_default()
}

fn project(question: &Value) -> Project {
    let mut project =
        value!({"apiVersion": "argoproj.io/v1alpha1", "kind": "AppProject", "metadata": {"name": "team"}});
    project.set_at(&["spec"], question.get("project").cloned().unwrap_or_else(Value::object));
    Project::parse(&Object::try_new(project).unwrap())
}

/// Whether a rule of the project forbids: then Argo CD takes it for one that allows what it does not forbid, and we
/// do not.
fn forbids(question: &Value, keys: &[&str]) -> bool {
    fn any(value: &Value) -> bool {
        match value {
            Value::String(pattern) => pattern.starts_with('!'),
            Value::Array(items) => items.iter().any(any),
            Value::Object(members) => members.values().any(any),
            _ => false,
        }
    }
    any(question.at(keys).unwrap())
}

#[test]
fn sources_are_permitted_as_in_argo_cd() {
    let mut stricter = 0;
    for (question, answer) in recorded("source") {
        let own = project(&question).permits_source(text(&question, "url"));
        let theirs = answer.as_bool().unwrap();
        if theirs && !own && forbids(&question, &["project", "sourceRepos"]) {
            stricter += 1;
        } else {
            assert_eq!(own, theirs, "{question:?}");
        }
    }
    assert!(stricter > 0, "the difference is real");
}

#[test]
fn destinations_are_permitted_as_in_argo_cd() {
    let mut stricter = 0;
    for (question, answer) in recorded("destination") {
        let [server, name, namespace] = ["server", "name", "namespace"].map(|key| text(&question, key));
        let own = project(&question).permissions.permits_destination(server, name, namespace).is_ok();
        let theirs = answer.as_bool().unwrap();
        if theirs && !own && forbids(&question, &["project", "destinations"]) {
            stricter += 1;
        } else {
            assert_eq!(own, theirs, "{question:?}");
        }
    }
    assert!(stricter > 0, "the difference is real");
}

#[test]
fn kinds_are_permitted_as_in_argo_cd() {
    for (question, answer) in recorded("kind") {
        let kind = GroupKind::new(text(&question, "group"), text(&question, "kind"));
        let namespaced = question.bool_at(&["namespaced"]).unwrap_or(false);
        let own = project(&question).permissions.permits_kind(&kind, namespaced, text(&question, "name"));
        assert_eq!(own.is_ok(), answer.as_bool().unwrap(), "{question:?}");
    }
}

#[test]
fn namespaces_are_permitted_as_in_argo_cd() {
    for (question, answer) in recorded("namespace") {
        let namespace = text(&question, "namespace");
        // The control plane's own namespace needs no permission.
        let own = namespace == "argocd" || project(&question).permits_namespace(namespace);
        assert_eq!(own, answer.as_bool().unwrap(), "{question:?}");
    }
}

fn settings(question: &Value) -> Settings {
    Settings {
        tracking: match text(question, "method") {
            "label" => TrackingMethod::Label,
            "annotation+label" => TrackingMethod::AnnotationAndLabel,
            _ => TrackingMethod::Annotation,
        },
        installation_id: text(question, "id").into(),
        ..Settings::default()
    }
}

#[test]
fn marks_are_written_as_by_argo_cd() {
    for (question, answer) in recorded("stamp") {
        let settings = settings(&question);
        let ownership = Ownership {
            field_manager: "m".into(),
            former_managers: Box::default(),
            instance: text(&question, "instance").into(),
            tracking: settings.tracking(),
            installation: Some(settings.installation()),
        };
        let mut object = Object::try_new(question.get("object").unwrap().clone()).unwrap();
        tracking::stamp(&mut object, &ownership, text(&question, "namespace"));
        assert_eq!(object.at(&["metadata"]).unwrap(), &answer, "{question:?}");
        let instance = tracking::instance_of(&object, &ownership.tracking, ownership.installation.as_ref());
        let cluster_scoped =
            object.kind() == "Namespace" || object.name().is_empty() || object.namespace().is_empty();
        assert!(cluster_scoped || instance.as_ref() == Some(&ownership.instance), "{question:?}");
    }
}

#[test]
fn marks_are_read_as_by_argo_cd() {
    let mut inherited = 0;
    for (question, answer) in recorded("instance") {
        let settings = settings(&question);
        let object = Object::try_new(question.get("object").unwrap().clone()).unwrap();
        let installation = settings.installation();
        let own =
            tracking::instance_of(&object, &settings.tracking(), Some(&installation)).unwrap_or_default();
        let theirs = answer.as_str().unwrap();
        let mark = object.annotation(windlass_argo::TRACKING_ANNOTATION).unwrap_or_default();
        match mark.parse::<tracking::TrackingId>() {
            // Argo CD reads the name first and asks later whether the mark is the object's own.
            Ok(id) if !id.names(&object) => {
                assert_eq!(own, "", "{question:?}");
                inherited += 1;
            }
            _ => assert_eq!(own, theirs, "{question:?}"),
        }
    }
    assert!(inherited > 0);
}

/// What Argo CD's own types print of statuses that we raised, of an Application with every field set, and of one
/// with nothing but empty objects: ours print the same.
#[test]
fn applications_are_printed_as_by_argo_cd() {
    for (question, answer) in recorded("roundtrip") {
        let mut application = value!({"apiVersion": "argoproj.io/v1alpha1", "kind": "Application"});
        for (part, value) in question.get("application").unwrap().as_object().unwrap().iter() {
            application.set_at(&[part], value.clone());
        }
        application.remove_at(&["status", "windlass"]);
        let raised = application.get("spec").is_none();
        let (read, problems) = types::Application::read(&Object::try_new(application.clone()).unwrap());
        assert_eq!(problems, []);
        assert_same(&answer, "status", &read.status.to_value());
        if raised {
            assert_eq!(application.get("status"), answer.get("status"));
            continue;
        }
        assert_same(&answer, "spec", &read.spec.to_value());
        assert_same(&answer, "operation", &read.operation.unwrap().to_value());
    }
}

/// Fails with nothing but what differs.
fn assert_same(answer: &Value, part: &str, own: &Value) {
    let theirs = answer.get(part).unwrap();
    assert!(theirs == own, "{part}: ours as a patch on theirs {:?}", merge_patch::diff(theirs, own));
}
