//! Makes the type of a custom kind of its structural schema.

use super::{ObjectType, SchemaError, Types};
use crate::{Str, Value, value};

const ROOT: &str = "custom";
/// A Go struct: custom objects go through it too.
const OBJECT_META: &str = "io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta";

impl ObjectType {
    /// The type of a custom kind: `schema` is the `openAPIV3Schema` of one of its versions.
    ///
    /// `apiVersion`, `kind` and `metadata` are what they are for every object, whatever the schema says, there
    /// and in every `x-kubernetes-embedded-resource`.
    ///
    /// # Errors
    ///
    /// [`SchemaError`] says what could not be understood.
    pub fn from_crd(schema: &Value, preserve_unknown_fields: bool) -> Result<Self, SchemaError> {
        let mut builder = Types::builder();
        builder.define(Str::new_static(OBJECT_META), object_meta());
        let mut schema = embed(schema, super::MAX_SCHEMA_DEPTH)?;
        as_resource(&mut schema);
        if preserve_unknown_fields {
            schema.set_at(&["x-kubernetes-preserve-unknown-fields"], true);
        }
        builder.define(Str::new_static(ROOT), schema);
        let types = builder.build()?;
        Ok(types.get_by_name(ROOT).expect("just defined"))
    }
}

fn as_resource(schema: &mut Value) {
    schema.set_at(&["type"], "object");
    schema.set_at(&["properties", "apiVersion"], value!({"type": "string"}));
    schema.set_at(&["properties", "kind"], value!({"type": "string"}));
    schema.set_at(&["properties", "metadata"], value!({"$ref": (format!("#/definitions/{OBJECT_META}"))}));
}

/// Gives embedded resources the fields that every object has.
fn embed(schema: &Value, depth: usize) -> Result<Value, SchemaError> {
    let Some(depth) = depth.checked_sub(1) else {
        return Err(SchemaError::TooDeep { name: ROOT.to_owned() });
    };
    let mut schema = schema.clone();
    if let Some(properties) = schema.get("properties").and_then(Value::as_object).cloned() {
        let mut embedded = crate::Map::new();
        for (name, property) in properties {
            embedded.insert(name, embed(&property, depth)?);
        }
        schema.set_at(&["properties"], embedded);
    }
    for key in ["items", "additionalProperties"] {
        if let Some(inner @ Value::Object(_)) = schema.get(key) {
            let inner = embed(inner, depth)?;
            schema.set_at(&[key], inner);
        }
    }
    if schema.bool_at(&["x-kubernetes-embedded-resource"]) == Some(true) {
        as_resource(&mut schema);
    }
    Ok(schema)
}

/// `metadata`, as far as merging goes: `io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta` of kubernetes 1.36.3.
fn object_meta() -> Value {
    let string = || value!({"type": "string"});
    let time = || value!({"type": "string", "format": "date-time"});
    let strings = || value!({"type": "object", "additionalProperties": {"type": "string"}});
    value!({
        "type": "object",
        "properties": {
            "annotations": (strings()),
            "creationTimestamp": (time()),
            "deletionGracePeriodSeconds": {"type": "integer"},
            "deletionTimestamp": (time()),
            "finalizers": {
                "type": "array", "items": {"type": "string"},
                "x-kubernetes-list-type": "set", "x-kubernetes-patch-strategy": "merge"
            },
            "generateName": (string()),
            "generation": {"type": "integer"},
            "labels": (strings()),
            "managedFields": {
                "type": "array", "x-kubernetes-list-type": "atomic",
                "items": {"type": "object", "properties": {
                    "apiVersion": (string()), "fieldsType": (string()), "fieldsV1": {"type": "object"},
                    "manager": (string()), "operation": (string()), "subresource": (string()), "time": (time())
                }}
            },
            "name": (string()),
            "namespace": (string()),
            "ownerReferences": {
                "type": "array", "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["uid"],
                "x-kubernetes-patch-strategy": "merge", "x-kubernetes-patch-merge-key": "uid",
                "items": {"type": "object", "x-kubernetes-map-type": "atomic", "properties": {
                    "apiVersion": (string()), "blockOwnerDeletion": {"type": "boolean"},
                    "controller": {"type": "boolean"}, "kind": (string()), "name": (string()), "uid": (string())
                }}
            },
            "resourceVersion": (string()),
            "selfLink": (string()),
            "uid": (string())
        }
    })
}
