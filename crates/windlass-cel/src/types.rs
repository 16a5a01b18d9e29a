//! Types of expressions.

use std::fmt;
use std::sync::Arc;

/// What an expression evaluates to.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Type {
    /// Anything; checked when it is evaluated.
    Dyn,
    /// Of something that was refused: fits everything, so that one mistake is told once.
    Error,
    /// `null`.
    Null,
    /// `bool`.
    Bool,
    /// A signed integer of 64 bits.
    Int,
    /// An unsigned integer of 64 bits.
    Uint,
    /// A float of 64 bits.
    Double,
    /// Text.
    String,
    /// Bytes.
    Bytes,
    /// A span of time.
    Duration,
    /// A point in time.
    Timestamp,
    /// A list of one type.
    List(Arc<Self>),
    /// A map from one type to one type.
    Map(Arc<(Self, Self)>),
    /// An object with declared fields, by the name of its declaration.
    Struct(Arc<str>),
    /// A type with a name and parameters, like `optional_type(string)` or `net.IP`.
    Opaque(Arc<str>, Arc<[Self]>),
    /// The type of a type.
    Type(Option<Arc<Self>>),
    /// A placeholder, bound while checking.
    Param(Arc<str>),
}

impl Type {
    /// A list of `item`.
    #[must_use]
    pub fn list(item: Self) -> Self {
        Self::List(Arc::new(item))
    }

    /// A map from `key` to `value`.
    #[must_use]
    pub fn map(key: Self, value: Self) -> Self {
        Self::Map(Arc::new((key, value)))
    }

    /// An optional `item`.
    #[must_use]
    pub fn optional(item: Self) -> Self {
        Self::Opaque("optional_type".into(), [item].into())
    }

    pub(crate) fn unwrap_optional(&self) -> Option<&Self> {
        match self {
            Self::Opaque(name, parameters) if &**name == "optional_type" => parameters.first(),
            _ => None,
        }
    }

    pub(crate) fn is_dyn(&self) -> bool {
        matches!(self, Self::Dyn)
    }

    pub(crate) fn is_dyn_or_error(&self) -> bool {
        matches!(self, Self::Dyn | Self::Error)
    }

    /// The types it is made of.
    pub(crate) fn parameters(&self) -> Vec<&Self> {
        match self {
            Self::List(item) => vec![item],
            Self::Map(pair) => vec![&pair.0, &pair.1],
            Self::Opaque(_, parameters) => parameters.iter().collect(),
            Self::Type(Some(inner)) => vec![inner],
            _ => Vec::new(),
        }
    }

    /// The same with other types in place of those it is made of.
    pub(crate) fn with_parameters(&self, mut change: impl FnMut(&Self) -> Self) -> Self {
        match self {
            Self::List(item) => Self::list(change(item)),
            Self::Map(pair) => Self::map(change(&pair.0), change(&pair.1)),
            Self::Opaque(name, parameters) => {
                Self::Opaque(Arc::clone(name), parameters.iter().map(change).collect())
            }
            Self::Type(Some(inner)) => Self::Type(Some(Arc::new(change(inner)))),
            other => other.clone(),
        }
    }

    /// Reads what [`Type`] prints.
    pub(crate) fn parse(text: &str) -> Self {
        if let Some((name, inner)) = text.split_once('(')
            && let Some(inner) = inner.strip_suffix(')')
        {
            let mut depth = 0;
            let parts: Vec<Self> = inner
                .split(|char| {
                    depth += i32::from(char == '(') - i32::from(char == ')');
                    char == ',' && depth == 0
                })
                .map(|part| Self::parse(part.trim()))
                .collect();
            return match (name, parts.as_slice()) {
                ("list", [item]) => Self::list(item.clone()),
                ("map", [key, value]) => Self::map(key.clone(), value.clone()),
                ("type", [inner]) => Self::Type(Some(Arc::new(inner.clone()))),
                _ => Self::Opaque(name.into(), parts.into()),
            };
        }
        match text {
            "dyn" | "any" => Self::Dyn,
            "null" | "null_type" => Self::Null,
            "bool" => Self::Bool,
            "int" => Self::Int,
            "uint" => Self::Uint,
            "double" => Self::Double,
            "string" => Self::String,
            "bytes" => Self::Bytes,
            "duration" | "google.protobuf.Duration" => Self::Duration,
            "timestamp" | "google.protobuf.Timestamp" => Self::Timestamp,
            "type" => Self::Type(None),
            "list" => Self::list(Self::Dyn),
            "map" => Self::map(Self::Dyn, Self::Dyn),
            "optional_type" => Self::optional(Self::Dyn),
            "net.IP" | "net.CIDR" => Self::Opaque(text.into(), [].into()),
            _ if text.len() == 1 => Self::Param(text.into()),
            _ => Self::Struct(text.into()),
        }
    }

    /// The type that a name of a type stands for.
    pub(crate) fn named(name: &str) -> Option<Self> {
        matches!(
            name,
            "bool"
                | "bytes"
                | "double"
                | "google.protobuf.Duration"
                | "google.protobuf.Timestamp"
                | "int"
                | "list"
                | "map"
                | "null_type"
                | "string"
                | "type"
                | "uint"
                | "optional_type"
                | "net.IP"
                | "net.CIDR"
        )
        .then(|| Self::parse(name))
    }
}

impl fmt::Display for Type {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let word = match self {
            Self::Dyn => "dyn",
            Self::Error => "!error!",
            Self::Null => "null",
            Self::Bool => "bool",
            Self::Int => "int",
            Self::Uint => "uint",
            Self::Double => "double",
            Self::String => "string",
            Self::Bytes => "bytes",
            Self::Duration => "duration",
            Self::Timestamp => "timestamp",
            Self::Type(None) => "type",
            Self::Struct(name) | Self::Param(name) => name,
            Self::List(item) => return write!(out, "list({item})"),
            Self::Map(pair) => return write!(out, "map({}, {})", pair.0, pair.1),
            Self::Type(Some(inner)) => return write!(out, "type({inner})"),
            Self::Opaque(name, parameters) => {
                write!(out, "{name}")?;
                if !parameters.is_empty() {
                    let shown: Vec<String> = parameters.iter().map(ToString::to_string).collect();
                    write!(out, "({})", shown.join(", "))?;
                }
                return Ok(());
            }
        };
        out.write_str(word)
    }
}
