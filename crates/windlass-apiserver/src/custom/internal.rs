//! Parts of a definition as Go prints its internal types, which is how errors show them.
//!
//! Source: `k8s.io/apiextensions-apiserver` v0.36.3, package `apis/apiextensions`.

use windlass_kube::Value;

/// How Go prints a field that is not set.
#[derive(Clone, Copy)]
enum Unset {
    Text,
    False,
    Null,
}

/// What a field of a schema holds.
#[derive(Clone, Copy)]
enum Holds {
    Plain,
    Schema,
    Schemas,
    SchemaMap,
    Items,
    OrBool,
    Rules,
}

/// The fields of a schema in Go's order: Go's name, JSON's, how it is printed when it is unset, what it holds.
const SCHEMA: &[(&str, &str, Unset, Holds)] = &[
    ("ID", "id", Unset::Text, Holds::Plain),
    ("Schema", "$schema", Unset::Text, Holds::Plain),
    ("Ref", "$ref", Unset::Null, Holds::Plain),
    ("Description", "description", Unset::Text, Holds::Plain),
    ("Type", "type", Unset::Text, Holds::Plain),
    ("Nullable", "nullable", Unset::False, Holds::Plain),
    ("Format", "format", Unset::Text, Holds::Plain),
    ("Title", "title", Unset::Text, Holds::Plain),
    ("Default", "default", Unset::Null, Holds::Plain),
    ("Maximum", "maximum", Unset::Null, Holds::Plain),
    ("ExclusiveMaximum", "exclusiveMaximum", Unset::False, Holds::Plain),
    ("Minimum", "minimum", Unset::Null, Holds::Plain),
    ("ExclusiveMinimum", "exclusiveMinimum", Unset::False, Holds::Plain),
    ("MaxLength", "maxLength", Unset::Null, Holds::Plain),
    ("MinLength", "minLength", Unset::Null, Holds::Plain),
    ("Pattern", "pattern", Unset::Text, Holds::Plain),
    ("MaxItems", "maxItems", Unset::Null, Holds::Plain),
    ("MinItems", "minItems", Unset::Null, Holds::Plain),
    ("UniqueItems", "uniqueItems", Unset::False, Holds::Plain),
    ("MultipleOf", "multipleOf", Unset::Null, Holds::Plain),
    ("Enum", "enum", Unset::Null, Holds::Plain),
    ("MaxProperties", "maxProperties", Unset::Null, Holds::Plain),
    ("MinProperties", "minProperties", Unset::Null, Holds::Plain),
    ("Required", "required", Unset::Null, Holds::Plain),
    ("Items", "items", Unset::Null, Holds::Items),
    ("AllOf", "allOf", Unset::Null, Holds::Schemas),
    ("OneOf", "oneOf", Unset::Null, Holds::Schemas),
    ("AnyOf", "anyOf", Unset::Null, Holds::Schemas),
    ("Not", "not", Unset::Null, Holds::Schema),
    ("Properties", "properties", Unset::Null, Holds::SchemaMap),
    ("AdditionalProperties", "additionalProperties", Unset::Null, Holds::OrBool),
    ("PatternProperties", "patternProperties", Unset::Null, Holds::SchemaMap),
    ("Dependencies", "dependencies", Unset::Null, Holds::Plain),
    ("AdditionalItems", "additionalItems", Unset::Null, Holds::OrBool),
    ("Definitions", "definitions", Unset::Null, Holds::SchemaMap),
    ("ExternalDocs", "externalDocs", Unset::Null, Holds::Plain),
    ("Example", "example", Unset::Null, Holds::Plain),
    ("XPreserveUnknownFields", "x-kubernetes-preserve-unknown-fields", Unset::Null, Holds::Plain),
    ("XEmbeddedResource", "x-kubernetes-embedded-resource", Unset::False, Holds::Plain),
    ("XIntOrString", "x-kubernetes-int-or-string", Unset::False, Holds::Plain),
    ("XListMapKeys", "x-kubernetes-list-map-keys", Unset::Null, Holds::Plain),
    ("XListType", "x-kubernetes-list-type", Unset::Null, Holds::Plain),
    ("XMapType", "x-kubernetes-map-type", Unset::Null, Holds::Plain),
    ("XValidations", "x-kubernetes-validations", Unset::Null, Holds::Rules),
];

/// The fields of a rule in CEL.
const RULE: &[(&str, &str, Unset)] = &[
    ("Rule", "rule", Unset::Text),
    ("Message", "message", Unset::Text),
    ("MessageExpression", "messageExpression", Unset::Text),
    ("Reason", "reason", Unset::Null),
    ("FieldPath", "fieldPath", Unset::Text),
    ("OptionalOldSelf", "optionalOldSelf", Unset::Null),
];

/// The fields of a column.
const COLUMN: &[(&str, &str, Unset)] = &[
    ("Name", "name", Unset::Text),
    ("Type", "type", Unset::Text),
    ("Format", "format", Unset::Text),
    ("Description", "description", Unset::Text),
    ("Priority", "priority", Unset::Null),
    ("JSONPath", "jsonPath", Unset::Text),
];

/// The fields of the `scale` subresource.
const SCALE: &[(&str, &str, Unset)] = &[
    ("SpecReplicasPath", "specReplicasPath", Unset::Text),
    ("StatusReplicasPath", "statusReplicasPath", Unset::Text),
    ("LabelSelectorPath", "labelSelectorPath", Unset::Null),
];

/// The members of a version that move to the definition where they are the same in all versions.
const SHARED: [&str; 4] = ["schema", "subresources", "additionalPrinterColumns", "selectableFields"];

/// Whether all versions say the same under this name.
pub(super) fn is_shared(versions: &[Value], member: &str) -> bool {
    versions.iter().all(|version| version.get(member) == versions.first().and_then(|first| first.get(member)))
}

/// A list of versions.
pub(super) fn versions(versions: &[Value]) -> String {
    let shared = SHARED.map(|member| is_shared(versions, member));
    let shown: Vec<String> = versions
        .iter()
        .map(|version| {
            let own = |idx: usize| version.get(SHARED[idx]).filter(|_| !shared[idx]);
            let flag = |key: &str| version.bool_at(&[key]) == Some(true);
            let or_null = |shown: Option<String>| shown.unwrap_or_else(|| "null".into());
            format!(
                "{{\"Name\":{},\"Served\":{},\"Storage\":{},\"Deprecated\":{},\"DeprecationWarning\":{},\"Schema\":{},\"Subresources\":{},\"AdditionalPrinterColumns\":{},\"SelectableFields\":{}}}",
                json(version.get("name"), Unset::Text),
                flag("served"),
                flag("storage"),
                flag("deprecated"),
                json(version.get("deprecationWarning"), Unset::Null),
                or_null(own(0).map(|own| format!(
                    "{{\"OpenAPIV3Schema\":{}}}",
                    or_null(own.get("openAPIV3Schema").map(schema))
                ))),
                or_null(own(1).map(subresources)),
                or_null(own(2).map(|own| list(own, |column| plain(column, COLUMN)))),
                or_null(own(3).map(|own| list(own, |field| {
                    format!("{{\"JSONPath\":{}}}", json(field.get("jsonPath"), Unset::Text))
                }))),
            )
        })
        .collect();
    format!("[{}]", shown.join(","))
}

fn subresources(subresources: &Value) -> String {
    let status = if subresources.get("status").is_some() { "{}" } else { "null" };
    let scale = subresources.get("scale").map_or_else(|| "null".into(), |scale| plain(scale, SCALE));
    format!("{{\"Status\":{status},\"Scale\":{scale}}}")
}

/// A schema.
pub(super) fn schema(of: &Value) -> String {
    let fields: Vec<String> = SCHEMA
        .iter()
        .map(|(go, key, unset, holds)| {
            let value = of.get(key).filter(|value| !value.is_null());
            let shown = match (holds, value) {
                (_, None) | (Holds::Plain, _) => json(value, *unset),
                (Holds::Schema, Some(value)) => schema(value),
                (Holds::Schemas, Some(value)) => list(value, schema),
                (Holds::Rules, Some(value)) => list(value, |rule| plain(rule, RULE)),
                (Holds::SchemaMap, Some(value)) => map(value),
                (Holds::Items, Some(value)) => match value {
                    Value::Array(_) => {
                        format!("{{\"Schema\":null,\"JSONSchemas\":{}}}", list(value, schema))
                    }
                    _ => format!("{{\"Schema\":{},\"JSONSchemas\":null}}", schema(value)),
                },
                (Holds::OrBool, Some(Value::Bool(allows))) => {
                    format!("{{\"Allows\":{allows},\"Schema\":null}}")
                }
                (Holds::OrBool, Some(value)) => {
                    format!("{{\"Allows\":true,\"Schema\":{}}}", schema(value))
                }
            };
            format!("\"{go}\":{shown}")
        })
        .collect();
    format!("{{{}}}", fields.join(","))
}

fn map(value: &Value) -> String {
    let members = value.as_object().into_iter().flat_map(windlass_kube::Map::iter);
    let members: Vec<String> =
        members.map(|(key, value)| format!("{}:{}", text(key), schema(value))).collect();
    format!("{{{}}}", members.join(","))
}

fn list(value: &Value, each: impl Fn(&Value) -> String) -> String {
    let items: Vec<String> = value.as_array().into_iter().flat_map(|items| items.iter()).map(each).collect();
    format!("[{}]", items.join(","))
}

fn plain(value: &Value, fields: &[(&str, &str, Unset)]) -> String {
    let fields: Vec<String> = fields
        .iter()
        .map(|(go, key, unset)| match (*key, value.get(key)) {
            ("priority", None) => format!("\"{go}\":0"),
            (_, value) => format!("\"{go}\":{}", json(value, *unset)),
        })
        .collect();
    format!("{{{}}}", fields.join(","))
}

fn text(text: &str) -> String {
    json(Some(&Value::from(text)), Unset::Text)
}

/// A value as Go's `encoding/json` writes it.
fn json(value: Option<&Value>, unset: Unset) -> String {
    match (value.filter(|value| !value.is_null()), unset) {
        (None, Unset::Text) => "\"\"".into(),
        (None, Unset::False) => "false".into(),
        (None, Unset::Null) => "null".into(),
        (Some(value), _) => windlass_yaml::json::to_string(value)
            .replace('<', "\\u003c")
            .replace('>', "\\u003e")
            .replace('&', "\\u0026"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use windlass_kube::value;

    #[test]
    fn a_schema_shows_every_field_in_gos_order() {
        let shown = schema(&value!({
            "type": "object", "additionalProperties": true,
            "properties": {"a": {"type": "array", "items": {"type": "string", "pattern": "<"}}}
        }));
        assert!(shown.starts_with(r#"{"ID":"","Schema":"","Ref":null,"Description":"","Type":"object","#));
        assert!(shown.contains(r#""AdditionalProperties":{"Allows":true,"Schema":null}"#), "{shown}");
        assert!(shown.contains(r#""Pattern":"\u003c""#), "{shown}");
        assert!(shown.ends_with(r#""XMapType":null,"XValidations":null}"#), "{shown}");
    }
}
