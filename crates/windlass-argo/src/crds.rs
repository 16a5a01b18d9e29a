//! The CustomResourceDefinitions of the dialect, generated from its types.

use windlass_kube::{Object, Value, value};

use crate::field::{Any, Field, object_schema};
use crate::types::{ApplicationSpec, Operation, ProjectSpec, ProjectStatus, Status};
use crate::{GROUP, VERSION};

/// The CustomResourceDefinitions of Application, AppProject and ApplicationSet.
///
/// Names, scope, printer columns and the absence of a status subresource on Application and AppProject are those of
/// Argo CD 3.6. The schema of an ApplicationSet keeps any field: Windlass does not act on them yet.
#[must_use]
pub fn crds() -> Vec<Object> {
    let application = Definition {
        kind: "Application",
        plural: "applications",
        short_names: value!(["app", "apps"]),
        columns: value!([
            {"name": "Sync Status", "type": "string", "jsonPath": ".status.sync.status"},
            {"name": "Health Status", "type": "string", "jsonPath": ".status.health.status"},
            {"name": "Revision", "type": "string", "jsonPath": ".status.sync.revision", "priority": 10},
            {"name": "Project", "type": "string", "jsonPath": ".spec.project", "priority": 10}
        ]),
        description: "Keeps objects in a cluster as a source declares them.",
        members: vec![
            ("spec", ApplicationSpec::schema(), true, "What it asks for."),
            ("status", Status::schema(), false, "How it is."),
            (
                "operation",
                Operation::schema(),
                false,
                "What somebody asks to do now; removed when it is done.",
            ),
        ],
        status_subresource: false,
    };
    let project = Definition {
        kind: "AppProject",
        plural: "appprojects",
        short_names: value!(["appproj", "appprojs"]),
        columns: Value::Null,
        description: "Says what its Applications may deploy, from where and to where, and who may do what with them.",
        members: vec![
            ("spec", ProjectSpec::schema(), true, "What it allows."),
            ("status", ProjectStatus::schema(), false, "How it is."),
        ],
        status_subresource: false,
    };
    let application_set = Definition {
        kind: "ApplicationSet",
        plural: "applicationsets",
        short_names: value!(["appset", "appsets"]),
        columns: Value::Null,
        description: "Makes Applications from a template. Stored, and not acted on yet.",
        members: vec![
            ("spec", Any::schema(), true, "What it asks for; any field is kept."),
            ("status", Any::schema(), false, "How it is; any field is kept."),
        ],
        status_subresource: true,
    };
    vec![application.object(), project.object(), application_set.object()]
}

struct Definition {
    kind: &'static str,
    plural: &'static str,
    short_names: Value,
    columns: Value,
    description: &'static str,
    members: Vec<crate::field::Member>,
    status_subresource: bool,
}

impl Definition {
    fn object(self) -> Object {
        let mut members = vec![
            ("apiVersion", value!({"type": "string"}), false, "The version of this object's schema."),
            ("kind", value!({"type": "string"}), false, "The kind of this object."),
            // The API server refuses anything more here, a description included.
            ("metadata", value!({"type": "object"}), true, ""),
        ];
        members.extend(self.members);
        let mut schema = object_schema(members);
        schema.set_at(&["description"], self.description);
        let mut version = value!({"name": VERSION, "served": true, "storage": true});
        version.set_at(&["schema", "openAPIV3Schema"], schema);
        if !self.columns.is_null() {
            version.set_at(&["additionalPrinterColumns"], self.columns);
        }
        if self.status_subresource {
            version.set_at(&["subresources", "status"], Value::object());
        }
        let name = format!("{}.{GROUP}", self.plural);
        let definition = value!({
            "apiVersion": "apiextensions.k8s.io/v1",
            "kind": "CustomResourceDefinition",
            "metadata": {
                "name": (name.clone()),
                "labels": {"app.kubernetes.io/name": name, "app.kubernetes.io/part-of": "argocd"}
            },
            "spec": {
                "group": GROUP,
                "names": {
                    "kind": (self.kind),
                    "listKind": (format!("{}List", self.kind)),
                    "plural": (self.plural),
                    "shortNames": (self.short_names),
                    "singular": (self.kind.to_lowercase())
                },
                "scope": "Namespaced",
                "versions": [version]
            }
        });
        Object::try_new(definition).expect("a definition has apiVersion, kind and metadata")
    }
}
