//! A structural schema, compiled: what `openAPIV3Schema` says, read once.

use windlass_go::re2::Regex;
use windlass_kube::{Str, Value};

/// How deep a schema may nest; beyond this it is refused.
pub(crate) const MAX_DEPTH: usize = 128;

/// The schema of one value.
#[derive(Debug, Default)]
pub(crate) struct Node {
    pub(crate) kind: Option<Kind>,
    /// Sorted by name.
    pub(crate) properties: Vec<(Str, Node)>,
    pub(crate) additional: Additional,
    pub(crate) items: Option<Box<Node>>,
    pub(crate) default: Option<Value>,
    pub(crate) nullable: bool,
    pub(crate) preserve_unknown: bool,
    pub(crate) embedded: bool,
    pub(crate) int_or_string: bool,
    pub(crate) list: ListKind,
    pub(crate) rules: Rules,
}

/// Members of an object that are no property.
#[derive(Debug, Default)]
pub(crate) enum Additional {
    /// The schema does not speak of them.
    #[default]
    Unspecified,
    /// They may be anything.
    Any,
    /// They are all like this.
    Like(Box<Node>),
}

/// The JSON types.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Object,
    Array,
    String,
    Integer,
    Number,
    Boolean,
}

/// How the items of a list are told apart.
#[derive(Debug, Default)]
pub(crate) enum ListKind {
    #[default]
    Atomic,
    Set,
    Map(Vec<Str>),
}

/// What must hold of a value beside its type.
#[derive(Debug, Default)]
pub(crate) struct Rules {
    pub(crate) allowed: Vec<Value>,
    pub(crate) format: Str,
    pub(crate) pattern: Option<Regex>,
    pub(crate) minimum: Option<f64>,
    pub(crate) maximum: Option<f64>,
    pub(crate) exclusive_minimum: bool,
    pub(crate) exclusive_maximum: bool,
    pub(crate) multiple_of: Option<f64>,
    pub(crate) min_length: Option<usize>,
    pub(crate) max_length: Option<usize>,
    pub(crate) min_items: Option<usize>,
    pub(crate) max_items: Option<usize>,
    pub(crate) min_properties: Option<usize>,
    pub(crate) max_properties: Option<usize>,
    pub(crate) unique_items: bool,
    pub(crate) required: Vec<Str>,
    pub(crate) all_of: Vec<Node>,
    pub(crate) any_of: Vec<Node>,
    pub(crate) one_of: Vec<Node>,
    pub(crate) not: Option<Box<Node>>,
}

/// Why a schema could not be compiled.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SchemaError {
    /// A pattern that RE2 refuses.
    #[error("pattern {pattern:?} is no regular expression")]
    Pattern {
        /// The pattern.
        pattern: String,
    },
    /// It nests too deep.
    #[error("the schema nests deeper than {MAX_DEPTH}")]
    Depth,
}

impl Kind {
    fn from_word(word: &str) -> Option<Self> {
        Some(match word {
            "object" => Self::Object,
            "array" => Self::Array,
            "string" => Self::String,
            "integer" => Self::Integer,
            "number" => Self::Number,
            "boolean" => Self::Boolean,
            _ => return None,
        })
    }

    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Object => "object",
            Self::Array => "array",
            Self::String => "string",
            Self::Integer => "integer",
            Self::Number => "number",
            Self::Boolean => "boolean",
        }
    }
}

impl Node {
    /// Compiles a schema.
    pub(crate) fn compile(schema: &Value) -> Result<Self, SchemaError> {
        Self::compile_at(schema, 0)
    }

    fn compile_at(schema: &Value, depth: usize) -> Result<Self, SchemaError> {
        if depth > MAX_DEPTH {
            return Err(SchemaError::Depth);
        }
        let flag = |key: &str| schema.bool_at(&[key]).unwrap_or(false);
        let compile = |schema: &Value| Self::compile_at(schema, depth + 1);
        let mut properties = Vec::new();
        if let Some(members) = schema.get("properties").and_then(Value::as_object) {
            for (name, member) in members.iter() {
                properties.push((name.clone(), compile(member)?));
            }
        }
        let additional = match schema.get("additionalProperties") {
            Some(Value::Bool(true)) => Additional::Any,
            Some(like @ Value::Object(_)) => Additional::Like(Box::new(compile(like)?)),
            _ => Additional::Unspecified,
        };
        let items = match schema.get("items") {
            Some(items @ Value::Object(_)) => Some(Box::new(compile(items)?)),
            _ => None,
        };
        let list = match schema.str_at(&["x-kubernetes-list-type"]) {
            Some("set") => ListKind::Set,
            Some("map") => ListKind::Map(texts(schema, "x-kubernetes-list-map-keys")),
            _ => ListKind::Atomic,
        };
        Ok(Self {
            kind: schema.str_at(&["type"]).and_then(Kind::from_word),
            properties,
            additional,
            items,
            default: schema.get("default").cloned(),
            nullable: flag("nullable"),
            preserve_unknown: flag("x-kubernetes-preserve-unknown-fields"),
            embedded: flag("x-kubernetes-embedded-resource"),
            int_or_string: flag("x-kubernetes-int-or-string"),
            list,
            rules: Rules::compile(schema, depth)?,
        })
    }

    /// The schema of the member `name`, of whatever origin.
    pub(crate) fn member(&self, name: &str) -> Option<&Self> {
        match self.properties.binary_search_by(|(have, _)| have.as_str().cmp(name)) {
            Ok(idx) => Some(&self.properties[idx].1),
            Err(_) => match &self.additional {
                Additional::Like(node) => Some(node),
                _ => None,
            },
        }
    }
}

impl Rules {
    fn compile(schema: &Value, depth: usize) -> Result<Self, SchemaError> {
        let flag = |key: &str| schema.bool_at(&[key]).unwrap_or(false);
        let number = |key: &str| schema.get(key).and_then(Value::as_float);
        let count = |key: &str| schema.int_at(&[key]).and_then(|count| usize::try_from(count).ok());
        let several = |key: &str| -> Result<Vec<Node>, SchemaError> {
            schema.items_at(&[key]).iter().map(|schema| Node::compile_at(schema, depth + 1)).collect()
        };
        let pattern = match schema.str_at(&["pattern"]) {
            Some(pattern) if !pattern.is_empty() => {
                Some(Regex::parse(pattern).map_err(|_| SchemaError::Pattern { pattern: pattern.into() })?)
            }
            _ => None,
        };
        let not = match schema.get("not") {
            Some(schema @ Value::Object(_)) => Some(Box::new(Node::compile_at(schema, depth + 1)?)),
            _ => None,
        };
        Ok(Self {
            allowed: schema.items_at(&["enum"]).to_vec(),
            format: schema.str_at(&["format"]).unwrap_or_default().into(),
            pattern,
            minimum: number("minimum"),
            maximum: number("maximum"),
            exclusive_minimum: flag("exclusiveMinimum"),
            exclusive_maximum: flag("exclusiveMaximum"),
            multiple_of: number("multipleOf"),
            min_length: count("minLength"),
            max_length: count("maxLength"),
            min_items: count("minItems"),
            max_items: count("maxItems"),
            min_properties: count("minProperties"),
            max_properties: count("maxProperties"),
            unique_items: flag("uniqueItems"),
            required: texts(schema, "required"),
            all_of: several("allOf")?,
            any_of: several("anyOf")?,
            one_of: several("oneOf")?,
            not,
        })
    }
}

fn texts(value: &Value, key: &str) -> Vec<Str> {
    value.items_at(&[key]).iter().filter_map(Value::as_str).map(Str::new).collect()
}
