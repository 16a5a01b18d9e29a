//! What a Kubernetes schema declares: the fields of objects, their types, and how large they may be.

use crate::types::Type;
use crate::value::Value;
use std::collections::BTreeMap;
use std::sync::Arc;
use windlass_go::{duration::Duration, time::Time};
use windlass_yaml::Value as Json;

/// The largest request, by which everything without a bound is bounded; kube-apiserver's constant.
pub const MAX_REQUEST_BYTES: i64 = 3 * 1024 * 1024;

/// The type that a schema declares, with what estimates of cost need.
#[derive(Debug)]
pub struct Declaration {
    ty: Type,
    shape: Shape,
    format: Format,
    list_type: Option<ListType>,
    /// The most items, entries or characters.
    max_elements: i64,
    /// The fewest bytes of JSON.
    min_size: i64,
}

/// What a declared type is made of.
#[derive(Debug)]
pub enum Shape {
    /// Of nothing.
    Simple,
    /// A list of these.
    List(Arc<Declaration>),
    /// A map from strings to these.
    Map(Arc<Declaration>),
    /// Fields, by their escaped names.
    Object(BTreeMap<Arc<str>, Member>),
}

/// How the items of a list are told apart.
#[derive(Clone, Debug)]
pub enum ListType {
    /// No item is there twice.
    Set,
    /// By the fields that are keys.
    Map(Vec<String>),
}

/// A field of an object.
#[derive(Debug)]
pub struct Member {
    name: Box<str>,
    declaration: Arc<Declaration>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Format {
    Plain,
    Byte,
    Duration,
    Date,
    DateTime,
}

impl Member {
    /// Its name in the object.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What it holds.
    #[must_use]
    pub fn declaration(&self) -> &Arc<Declaration> {
        &self.declaration
    }

    pub(crate) fn ty(&self) -> Type {
        self.declaration.ty.clone()
    }
}

impl Declaration {
    /// What a structural schema declares; nothing where rules cannot see it.
    ///
    /// `name` becomes the name of the type in messages. With `is_root`, the fields that every object has are
    /// declared too.
    #[must_use]
    pub fn of_schema(schema: &Json, name: &str, is_root: bool) -> Option<Arc<Self>> {
        Self::build(schema, name, is_root).map(Arc::new)
    }

    /// A type with fields of these types, for variables that no schema describes; their names stay as they are, also
    /// where a schema's would be escaped.
    #[must_use]
    pub fn object(name: &str, fields: Vec<(&str, Arc<Self>)>) -> Arc<Self> {
        let fields = fields
            .into_iter()
            .map(|(field, declaration)| (field.into(), Member { name: field.into(), declaration }))
            .collect();
        Arc::new(Self::new(Type::Struct(name.into()), Shape::Object(fields), 0, 2))
    }

    /// A type without parts.
    #[must_use]
    pub fn simple(ty: Type) -> Arc<Self> {
        Arc::new(Self::new(ty, Shape::Simple, i64::MAX, 1))
    }

    /// A list of these.
    #[must_use]
    pub fn list_of(item: Arc<Self>) -> Arc<Self> {
        Arc::new(Self::new(Type::list(item.ty.clone()), Shape::List(item), i64::MAX, 2))
    }

    /// A map from strings to these.
    #[must_use]
    pub fn map_of(value: Arc<Self>) -> Arc<Self> {
        Arc::new(Self::new(Type::map(Type::String, value.ty.clone()), Shape::Map(value), i64::MAX, 2))
    }

    fn new(ty: Type, shape: Shape, max_elements: i64, min_size: i64) -> Self {
        Self { ty, shape, format: Format::Plain, list_type: None, max_elements, min_size }
    }

    /// Its type.
    #[must_use]
    pub fn ty(&self) -> &Type {
        &self.ty
    }

    /// What it is made of.
    #[must_use]
    pub fn shape(&self) -> &Shape {
        &self.shape
    }

    /// What it has many of.
    #[must_use]
    pub fn item(&self) -> Option<&Arc<Self>> {
        match &self.shape {
            Shape::List(item) | Shape::Map(item) => Some(item),
            _ => None,
        }
    }

    /// A field, by its escaped name.
    #[must_use]
    pub fn field(&self, name: &str) -> Option<&Member> {
        match &self.shape {
            Shape::Object(fields) => fields.get(name),
            _ => None,
        }
    }

    /// A field, by its name in the object.
    pub(crate) fn field_of(&self, name: &str) -> Option<(&str, &Arc<Self>)> {
        let Shape::Object(fields) = &self.shape else { return None };
        let escaped = escape(name)?;
        let (escaped, member) = fields.get_key_value(&*escaped)?;
        Some((escaped, &member.declaration))
    }

    pub(crate) fn list_type(&self) -> Option<&ListType> {
        self.list_type.as_ref()
    }

    pub(crate) fn max_elements(&self) -> i64 {
        self.max_elements
    }

    /// How often a rule on it could run in one request.
    #[must_use]
    pub fn max_cardinality(&self) -> u64 {
        u64::try_from(MAX_REQUEST_BYTES / (self.min_size + 1)).unwrap_or_default()
    }

    /// Every object type within, by name.
    pub(crate) fn collect(self: &Arc<Self>, found: &mut BTreeMap<Arc<str>, Arc<Self>>) {
        match &self.shape {
            Shape::Simple => {}
            Shape::List(item) | Shape::Map(item) => item.collect(found),
            Shape::Object(fields) => {
                if let Type::Struct(name) = &self.ty {
                    found.insert(Arc::clone(name), Arc::clone(self));
                }
                for member in fields.values() {
                    member.declaration.collect(found);
                }
            }
        }
    }

    /// What a text stands for where its format is more than text.
    pub(crate) fn read_string(&self, text: &str) -> Option<Value> {
        match self.format {
            Format::Plain => None,
            Format::Byte => crate::functions::from_base64(text).map(|bytes| Value::Bytes(bytes.into())),
            Format::Duration => Duration::parse(text).ok().map(Value::Duration),
            Format::Date => read_time("2006-01-02", text),
            Format::DateTime => read_time("2006-01-02T15:04:05.999999999Z07:00", text),
        }
    }

    fn build(schema: &Json, name: &str, is_root: bool) -> Option<Self> {
        let number = |key: &str| schema.get(key).and_then(Json::as_int).map(|number| number.max(0));
        if schema.bool_at(&["x-kubernetes-int-or-string"]) == Some(true) {
            let most = number("maxLength").map_or(MAX_REQUEST_BYTES - 2, |length| length.saturating_mul(4));
            return Some(Self::new(Type::Dyn, Shape::Simple, most, 1));
        }
        match schema.str_at(&["type"])? {
            "array" => {
                let items = schema.get("items")?;
                let item = Self::build(items, &format!("{name}.@idx"), is_embedded(items))?;
                let most = number("maxItems").unwrap_or((MAX_REQUEST_BYTES - 2) / (item.min_size + 1));
                let mut list = Self::new(Type::list(item.ty.clone()), Shape::List(Arc::new(item)), most, 2);
                list.list_type = match schema.str_at(&["x-kubernetes-list-type"]) {
                    Some("set") => Some(ListType::Set),
                    Some("map") => Some(ListType::Map(
                        schema
                            .items_at(&["x-kubernetes-list-map-keys"])
                            .iter()
                            .filter_map(|key| key.as_str().map(str::to_owned))
                            .collect(),
                    )),
                    _ => None,
                };
                Some(list)
            }
            "object" => Self::build_object(schema, name, is_root),
            "string" => {
                let most = || MAX_REQUEST_BYTES - 2;
                let (ty, format, max, min) = match schema.str_at(&["format"]) {
                    Some("byte") => (Type::Bytes, Format::Byte, number("maxLength").unwrap_or_else(most), 2),
                    Some("duration") => (Type::Duration, Format::Duration, 32, 3),
                    Some("date") => (Type::Timestamp, Format::Date, 12, 12),
                    Some("date-time") => (Type::Timestamp, Format::DateTime, 32, 21),
                    _ => {
                        let longest = || {
                            schema
                                .items_at(&["enum"])
                                .iter()
                                .filter_map(|value| value.as_str().map(str::len))
                                .max()
                        };
                        let max = match number("maxLength") {
                            Some(length) => length.saturating_mul(4),
                            None if schema.items_at(&["enum"]).is_empty() => most(),
                            None => i64::try_from(longest().unwrap_or(0)).unwrap_or(i64::MAX),
                        };
                        (Type::String, Format::Plain, max, 2)
                    }
                };
                Some(Self { format, ..Self::new(ty, Shape::Simple, max, min) })
            }
            "boolean" => Some(Self::new(Type::Bool, Shape::Simple, 0, 4)),
            "number" => Some(Self::new(Type::Double, Shape::Simple, 0, 1)),
            "integer" => Some(Self::new(Type::Int, Shape::Simple, 0, 1)),
            _ => None,
        }
    }

    fn build_object(schema: &Json, name: &str, is_root: bool) -> Option<Self> {
        if let Some(values) = schema.get("additionalProperties").filter(|values| values.as_object().is_some())
            && !is_root
        {
            let value = Self::build(values, &format!("{name}.@elem"), is_embedded(values))?;
            let most = schema
                .get("maxProperties")
                .and_then(Json::as_int)
                .map_or((MAX_REQUEST_BYTES - 2) / (value.min_size + 6), |most| most.max(0));
            return Some(Self::new(
                Type::map(Type::String, value.ty.clone()),
                Shape::Map(Arc::new(value)),
                most,
                2,
            ));
        }
        let mut properties = match schema.get("properties") {
            Some(Json::Object(properties)) => properties.clone(),
            _ => windlass_yaml::Map::new(),
        };
        if is_root {
            let text = windlass_yaml::value!({"type": "string"});
            properties.insert("kind", text.clone());
            properties.insert("apiVersion", text);
            let metadata = windlass_yaml::value!({
                "type": "object",
                "properties": {"name": {"type": "string"}, "generateName": {"type": "string"}},
            });
            properties.insert("metadata", metadata);
        }
        let required: Vec<&str> = schema.items_at(&["required"]).iter().filter_map(Json::as_str).collect();
        let mut fields = BTreeMap::new();
        let mut size = 2;
        for (field, property) in properties.iter() {
            let escaped = escape(field);
            let type_name = format!("{name}.{}", escaped.as_deref().unwrap_or(field));
            let Some(declaration) = Self::build(property, &type_name, is_embedded(property)) else {
                continue;
            };
            if required.contains(&&**field) && property.get("default").is_none_or(Json::is_null) {
                size += i64::try_from(field.len()).unwrap_or(0) + declaration.min_size + 4;
            }
            if let Some(escaped) = escaped {
                let member = Member { name: field.as_str().into(), declaration: Arc::new(declaration) };
                fields.insert(escaped.into(), member);
            }
        }
        Some(Self::new(Type::Struct(name.into()), Shape::Object(fields), 0, size))
    }
}

fn is_embedded(schema: &Json) -> bool {
    schema.bool_at(&["x-kubernetes-embedded-resource"]) == Some(true)
}

fn read_time(layout: &str, text: &str) -> Option<Value> {
    Time::parse(layout, text, &windlass_go::time::Zone::Utc).ok().map(|time| Value::Timestamp(Box::new(time)))
}

/// The name by which expressions know a field, as kube-apiserver escapes it; nothing if they cannot name it.
#[must_use]
pub fn escape(name: &str) -> Option<String> {
    const WORDS: [&str; 21] = [
        "true",
        "false",
        "null",
        "in",
        "as",
        "break",
        "const",
        "continue",
        "else",
        "for",
        "function",
        "if",
        "import",
        "let",
        "loop",
        "package",
        "namespace",
        "return",
        "var",
        "void",
        "while",
    ];
    if name.is_empty() || name.starts_with(|char: char| char.is_ascii_digit()) {
        return None;
    }
    if WORDS.contains(&name) {
        return Some(format!("__{name}__"));
    }
    if !name.chars().all(|char| char.is_ascii_alphanumeric() || matches!(char, '_' | '.' | '-' | '/')) {
        return None;
    }
    Some(
        name.replace("__", "__underscores__")
            .replace('.', "__dot__")
            .replace('-', "__dash__")
            .replace('/', "__slash__"),
    )
}
