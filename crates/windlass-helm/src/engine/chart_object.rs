//! `.Chart`: in Helm 4 a map, in Helm 3 a struct.

use std::any::Any;

use gotemplate::value::Entries;
use gotemplate::{Kind, List, Map, Object, Str, Type, Value, types};

use crate::HelmVersion;
use crate::chart::{ImportValue, Metadata};
use crate::values::dependencies::{Declared, Node};

/// What `.Chart` is for a chart.
pub(super) fn chart(node: &Node<'_>, is_root: bool, helm: HelmVersion) -> Value {
    let fields = metadata(&node.chart.metadata, &node.name, node.declared.as_deref(), helm);
    match helm {
        HelmVersion::V4 => {
            let mut entries: Entries =
                fields.into_iter().map(|field| (Str::from_static(field.name), field.value)).collect();
            entries.insert(Str::from_static("IsRoot"), Value::Bool(is_root));
            Value::Map(Map::typed(&types::MAP, entries))
        }
        HelmVersion::V3 => {
            let metadata = Value::object(Struct { kind: &METADATA, fields });
            Value::object(Chart { metadata, is_root })
        }
    }
}

/// A field of a Go struct.
#[derive(Clone)]
struct Field {
    name: &'static str,
    /// Its name in documents, and whether it is left out there when empty.
    encoded: (&'static str, bool),
    value: Value,
}

fn field(name: &'static str, encoded: &'static str, value: Value) -> Field {
    Field { name, encoded: (encoded, true), value }
}

static METADATA: Type = Type::new("chart.Metadata", Kind::Struct);
static MAINTAINER: Type = Type::new("*chart.Maintainer", Kind::Ptr);
static MAINTAINERS: Type = Type::new("[]*chart.Maintainer", Kind::Slice).of(&MAINTAINER);
static DEPENDENCY: Type = Type::new("*chart.Dependency", Kind::Ptr);
static DEPENDENCIES: Type = Type::new("[]*chart.Dependency", Kind::Slice).of(&DEPENDENCY);
static CHART: Type = Type::new("struct { chart.Metadata; IsRoot bool }", Kind::Struct);

fn metadata(
    metadata: &Metadata,
    name: &str,
    declared: Option<&[Declared<'_>]>,
    helm: HelmVersion,
) -> Vec<Field> {
    let text = |text: &str| Value::from(text);
    let strings = |texts: &[windlass_yaml::Str]| strings(texts, helm);
    let annotations = match &metadata.annotations {
        None => Map::nil(&types::STRING_MAP),
        Some(annotations) => {
            let entries = annotations.iter().map(|(key, value)| (Str::from(key.clone()), text(value)));
            Map::typed(&types::STRING_MAP, entries.collect())
        }
    };
    let maintainers = metadata.maintainers.iter().map(|maintainer| {
        let fields = vec![
            field("Name", "name", text(&maintainer.name)),
            field("Email", "email", text(&maintainer.email)),
            field("URL", "url", text(&maintainer.url)),
        ];
        record(&MAINTAINER, fields, helm)
    });
    let dependencies =
        declared.into_iter().flatten().map(|one| record(&DEPENDENCY, dependency(one, helm), helm));
    vec![
        field("Name", "name", text(name)),
        field("Home", "home", text(&metadata.home)),
        field("Sources", "sources", strings(&metadata.sources)),
        field("Version", "version", text(&metadata.version)),
        field("Description", "description", text(&metadata.description)),
        field("Keywords", "keywords", strings(&metadata.keywords)),
        field("Maintainers", "maintainers", list(&MAINTAINERS, maintainers.collect(), helm)),
        field("Icon", "icon", text(&metadata.icon)),
        field("APIVersion", "apiVersion", text(&metadata.api_version)),
        field("Condition", "condition", text(&metadata.condition)),
        field("Tags", "tags", text(&metadata.tags)),
        field("AppVersion", "appVersion", text(&metadata.app_version)),
        field("Deprecated", "deprecated", Value::Bool(metadata.deprecated)),
        field("Annotations", "annotations", Value::Map(annotations)),
        field("KubeVersion", "kubeVersion", text(&metadata.kube_version)),
        field("Dependencies", "dependencies", list(&DEPENDENCIES, dependencies.collect(), helm)),
        field("Type", "type", text(&metadata.kind)),
    ]
}

fn dependency(one: &Declared<'_>, helm: HelmVersion) -> Vec<Field> {
    let declared = one.dependency;
    let text = |text: &str| Value::from(text);
    let imports = declared.import_values.iter().filter_map(|import| {
        let (child, parent) = match import {
            ImportValue::Other(value) if one.is_processed => {
                let _ = value;
                return None;
            }
            ImportValue::Other(value) => {
                return Some(Value::from_yaml(value, gotemplate::Numbers::Float64));
            }
            ImportValue::Export(name) if one.is_processed => (format!("exports.{name}"), ".".to_owned()),
            ImportValue::Export(name) => return Some(text(name)),
            ImportValue::Table { child, parent } => (child.to_string(), parent.to_string()),
        };
        let kind = if one.is_processed { &types::STRING_MAP } else { &types::MAP };
        let entries = [("child", child), ("parent", parent)];
        let entries = entries.into_iter().map(|(key, value)| (Str::from_static(key), Value::from(value)));
        Some(Value::Map(Map::typed(kind, entries.collect())))
    });
    let required = |mut field: Field| {
        field.encoded.1 = false;
        field
    };
    vec![
        required(field("Name", "name", text(&one.name))),
        field("Version", "version", text(&declared.version)),
        required(field("Repository", "repository", text(&declared.repository))),
        field("Condition", "condition", text(&declared.condition)),
        field("Tags", "tags", strings(&declared.tags, helm)),
        field("Enabled", "enabled", Value::Bool(one.enabled)),
        field("ImportValues", "import-values", list(&types::LIST, imports.collect(), helm)),
        field("Alias", "alias", text(&declared.alias)),
    ]
}

/// Helm 4 makes every list one of `any`, and none of them nil.
fn list(kind: &'static Type, items: Vec<Value>, helm: HelmVersion) -> Value {
    Value::List(match helm {
        HelmVersion::V4 => List::new(items),
        HelmVersion::V3 if items.is_empty() => List::nil(kind),
        HelmVersion::V3 => List::typed(kind, items),
    })
}

fn strings(texts: &[windlass_yaml::Str], helm: HelmVersion) -> Value {
    list(&types::STRINGS, texts.iter().map(|text| Value::String(Str::from(text.clone()))).collect(), helm)
}

fn record(kind: &'static Type, fields: Vec<Field>, helm: HelmVersion) -> Value {
    match helm {
        HelmVersion::V3 => Value::object(Struct { kind, fields }),
        HelmVersion::V4 => {
            let entries = fields.into_iter().map(|field| (Str::from_static(field.name), field.value));
            Value::Map(Map::typed(&types::MAP, entries.collect()))
        }
    }
}

/// A Go struct, or a pointer to one.
struct Struct {
    kind: &'static Type,
    fields: Vec<Field>,
}

impl Object for Struct {
    fn type_of(&self) -> &'static Type {
        self.kind
    }

    fn as_any(&self) -> &dyn Any {
        self
    }

    fn fields(&self) -> Vec<(&'static str, Value)> {
        self.fields.iter().map(|field| (field.name, field.value.clone())).collect()
    }

    fn field(&self, name: &str) -> Option<Value> {
        self.fields.iter().find(|field| field.name == name).map(|field| field.value.clone())
    }

    fn encoded(&self) -> Value {
        let kept = self.fields.iter().filter(|field| !field.encoded.1 || field.value.truth());
        let entries = kept.map(|field| (Str::from_static(field.encoded.0), field.value.clone()));
        Value::Map(Map::typed(&types::MAP, entries.collect()))
    }
}

/// The struct that Helm 3 makes of a chart: its metadata, embedded, and whether it is the outermost.
struct Chart {
    metadata: Value,
    is_root: bool,
}

impl Object for Chart {
    fn type_of(&self) -> &'static Type {
        &CHART
    }

    fn as_any(&self) -> &dyn Any {
        self
    }

    fn fields(&self) -> Vec<(&'static str, Value)> {
        vec![("Metadata", self.metadata.clone()), ("IsRoot", Value::Bool(self.is_root))]
    }

    fn field(&self, name: &str) -> Option<Value> {
        match name {
            "Metadata" => Some(self.metadata.clone()),
            "IsRoot" => Some(Value::Bool(self.is_root)),
            _ => self.metadata.downcast::<Struct>()?.field(name),
        }
    }

    fn encoded(&self) -> Value {
        let Some(metadata) = self.metadata.downcast::<Struct>() else { return Value::Nil };
        let encoded = metadata.encoded();
        if let Value::Map(map) = &encoded {
            map.insert("IsRoot", Value::Bool(self.is_root));
        }
        encoded
    }
}
