//! Values of expressions, and objects seen through their schemas without a copy.

use crate::declaration::{Declaration, ListType, Shape};
use core::net::IpAddr;
use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use windlass_go::{duration::Duration, time::Time};
use windlass_kube::quantity::Quantity;
use windlass_yaml::Value as Json;

/// A value. A clone is cheap.
#[derive(Clone, Debug)]
pub enum Value {
    /// `null`.
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// A signed integer.
    Int(i64),
    /// An unsigned integer.
    Uint(u64),
    /// A float.
    Double(f64),
    /// Text.
    String(Arc<str>),
    /// Bytes.
    Bytes(Arc<[u8]>),
    /// A span of time.
    Duration(Duration),
    /// A point in time.
    Timestamp(Box<Time>),
    /// A list.
    List(List),
    /// A map, or an object with fields.
    Map(Map),
    /// Something or nothing.
    Optional(Option<Arc<Self>>),
    /// A type, by its name.
    Type(Arc<str>),
    /// An amount, as `quantity()` reads it.
    Quantity(Arc<Quantity>),
    /// An address, as `url()` reads it.
    Url(Arc<crate::functions::url::Url>),
    /// An IP address.
    Ip(IpAddr),
    /// An IP address with the length of a prefix.
    Cidr(IpAddr, u8),
    /// A semantic version.
    Semver(Arc<crate::functions::semver::Semver>),
    /// A named format of strings.
    Format(&'static crate::functions::format::Format),
    /// What the program around gives.
    Foreign(Arc<dyn Foreign>),
    /// An object that an expression makes of a type without a schema, as patches do.
    Struct(Arc<Struct>),
}

/// A value that the program around gives, with methods and fields of its own.
///
/// The methods are those that kube-apiserver's environment declares for the type, such as `check` of
/// `kubernetes.authorization.ResourceCheck`.
pub trait Foreign: fmt::Debug + Send + Sync {
    /// The name of its type, as `type()` prints it.
    fn type_name(&self) -> &'static str;

    /// Calls a method; nothing where it has none of that name for such arguments.
    fn call(&self, _function: &str, _arguments: &[Value]) -> Option<Result<Value, crate::Fault>> {
        None
    }

    /// Reads a field; nothing where it has none of that name.
    fn field(&self, _name: &str) -> Option<Result<Value, crate::Fault>> {
        None
    }
}

/// An object that an expression made, such as `Object.spec{replicas: 1}`.
#[derive(Debug)]
pub struct Struct {
    /// The name of its type.
    pub name: Arc<str>,
    /// Its fields.
    pub fields: BTreeMap<Arc<str>, Value>,
}

impl Struct {
    /// As JSON, where every field can be.
    #[must_use]
    pub fn to_json(&self) -> Option<windlass_yaml::Map> {
        let mut object = windlass_yaml::Map::new();
        for (name, value) in &self.fields {
            object.insert(&**name, value.to_json()?);
        }
        Some(object)
    }

    /// The types within that are not named like the path to them: each with the name that it should have.
    #[must_use]
    pub fn misnamed(&self) -> Vec<(Arc<str>, String)> {
        let mut found = Vec::new();
        self.find_misnamed(&self.name, &mut found);
        found
    }

    fn find_misnamed(&self, path: &str, found: &mut Vec<(Arc<str>, String)>) {
        if *self.name != *path {
            found.push((Arc::clone(&self.name), path.to_owned()));
        }
        for (field, value) in &self.fields {
            misnamed_in(value, &format!("{path}.{field}"), found);
        }
    }
}

fn misnamed_in(value: &Value, path: &str, found: &mut Vec<(Arc<str>, String)>) {
    match value {
        Value::Struct(inner) => inner.find_misnamed(path, found),
        Value::List(List::Made(items)) => items.iter().for_each(|item| misnamed_in(item, path, found)),
        Value::Map(Map::Made(entries)) => {
            entries.values().for_each(|(_, value)| misnamed_in(value, path, found));
        }
        _ => {}
    }
}

/// A list: made by an expression, or part of an object.
#[derive(Clone, Debug)]
pub enum List {
    /// Of values.
    Made(Arc<Vec<Value>>),
    /// Of what a schema says of each item.
    Json(windlass_yaml::Array, Option<Arc<Declaration>>),
}

/// A map: made by an expression, or an object.
#[derive(Clone, Debug)]
pub enum Map {
    /// By key, each with the key as it was written.
    Made(Arc<BTreeMap<Key, (Value, Value)>>),
    /// An object, whose fields are named as in its schema, or a map of strings.
    Json(windlass_yaml::Map, Option<Arc<Declaration>>),
}

/// A key of a map. Numbers that are equal are the same key.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Key {
    /// A flag.
    Bool(bool),
    /// An integer, signed or not.
    Int(i128),
    /// Text.
    String(Arc<str>),
}

impl Value {
    /// Text.
    #[must_use]
    pub fn string(text: &str) -> Self {
        Self::String(text.into())
    }

    /// A list of values.
    #[must_use]
    pub fn list(items: Vec<Self>) -> Self {
        Self::List(List::Made(Arc::new(items)))
    }

    /// A list of texts.
    pub(crate) fn strings(items: impl IntoIterator<Item = String>) -> Self {
        Self::list(items.into_iter().map(|item| Self::String(item.into())).collect())
    }

    /// An object of which no schema is known.
    #[must_use]
    pub fn from_json(json: &Json) -> Self {
        Self::typed(json, None)
    }

    /// An object as its schema declares it.
    #[must_use]
    pub fn declared(json: &Json, declaration: &Arc<Declaration>) -> Self {
        Self::typed(json, Some(declaration))
    }

    fn typed(json: &Json, declaration: Option<&Arc<Declaration>>) -> Self {
        match (json, declaration) {
            (Json::Null, _) => Self::Null,
            (Json::Bool(flag), _) => Self::Bool(*flag),
            (Json::Int(int), Some(declaration)) if matches!(declaration.ty(), crate::Type::Double) =>
            {
                #[expect(clippy::cast_precision_loss, reason = "a number field holds floats")]
                Self::Double(*int as f64)
            }
            (Json::Int(int), _) => Self::Int(*int),
            (Json::Float(float), Some(declaration))
                if matches!(declaration.ty(), crate::Type::Int) && float.fract() == 0.0 =>
            {
                #[expect(clippy::cast_possible_truncation, reason = "the schema was validated")]
                Self::Int(*float as i64)
            }
            (Json::Float(float), _) => Self::Double(*float),
            (Json::String(text), declaration) => {
                if let Some(declaration) = declaration
                    && let Some(read) = declaration.read_string(text)
                {
                    return read;
                }
                Self::string(text)
            }
            (Json::Array(items), declaration) => Self::List(List::Json(items.clone(), declaration.cloned())),
            (Json::Object(map), declaration) => Self::Map(Map::Json(map.clone(), declaration.cloned())),
        }
    }

    /// As JSON, where it can be.
    #[must_use]
    pub fn to_json(&self) -> Option<Json> {
        Some(match self {
            Self::Null => Json::Null,
            Self::Bool(flag) => Json::Bool(*flag),
            Self::Int(int) => Json::Int(*int),
            Self::Uint(uint) => Json::Int(i64::try_from(*uint).ok()?),
            Self::Double(double) if double.is_finite() => Json::Float(*double),
            Self::String(text) => Json::String((&**text).into()),
            Self::Bytes(bytes) => Json::String(crate::functions::base64(bytes).into()),
            Self::Duration(_) | Self::Timestamp(_) => Json::String(crate::functions::to_text(self)?.into()),
            Self::List(List::Json(items, _)) => Json::Array(items.clone()),
            Self::List(list) => {
                let items: Option<Vec<Json>> = list.iter().map(|item| item.to_json()).collect();
                Json::Array(items?.into_iter().collect())
            }
            Self::Map(Map::Json(map, _)) => Json::Object(map.clone()),
            Self::Map(Map::Made(map)) => {
                let mut object = windlass_yaml::Map::new();
                for (key, (_, value)) in map.iter() {
                    let Key::String(key) = key else { return None };
                    object.insert(&**key, value.to_json()?);
                }
                Json::Object(object)
            }
            Self::Optional(Some(inner)) => return inner.to_json(),
            Self::Quantity(quantity) => Json::String(quantity.to_string().into()),
            Self::Struct(made) => Json::Object(made.to_json()?),
            _ => return None,
        })
    }

    /// The name of its type, as `type()` prints it.
    #[must_use]
    pub fn type_name(&self) -> &str {
        match self {
            Self::Null => "null_type",
            Self::Bool(_) => "bool",
            Self::Int(_) => "int",
            Self::Uint(_) => "uint",
            Self::Double(_) => "double",
            Self::String(_) => "string",
            Self::Bytes(_) => "bytes",
            Self::Duration(_) => "google.protobuf.Duration",
            Self::Timestamp(_) => "google.protobuf.Timestamp",
            Self::List(_) => "list",
            Self::Map(Map::Json(_, Some(declaration))) => match declaration.shape() {
                Shape::Object(_) => crate::check::type_name(declaration.ty()),
                _ => "map",
            },
            Self::Map(_) => "map",
            Self::Optional(_) => "optional_type",
            Self::Type(_) => "type",
            Self::Quantity(_) => "kubernetes.Quantity",
            Self::Url(_) => "kubernetes.URL",
            Self::Ip(_) => "net.IP",
            Self::Cidr(..) => "net.CIDR",
            Self::Semver(_) => "kubernetes.Semver",
            Self::Format(_) => "kubernetes.NamedFormat",
            Self::Foreign(foreign) => foreign.type_name(),
            Self::Struct(made) => &made.name,
        }
    }

    /// What costs count: characters, bytes, items; 1 for everything else.
    pub(crate) fn size(&self) -> u64 {
        let size = match self {
            Self::String(text) => text.chars().count(),
            Self::Bytes(bytes) => bytes.len(),
            Self::List(list) => list.len(),
            Self::Map(map) => map.len(),
            Self::Optional(Some(inner)) => return inner.size(),
            Self::Ip(ip) => usize::from(ip.is_ipv4()) * 4 + usize::from(ip.is_ipv6()) * 16,
            Self::Cidr(_, length) => usize::from(*length).div_ceil(8),
            _ => 1,
        };
        size as u64
    }

    /// Whether two values are equal, by the rules of `==`.
    #[must_use]
    pub fn equals(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Null, Self::Null) => true,
            (Self::Bool(left), Self::Bool(right)) => left == right,
            (Self::String(left), Self::String(right)) | (Self::Type(left), Self::Type(right)) => {
                left == right
            }
            (Self::Bytes(left), Self::Bytes(right)) => left == right,
            (Self::Duration(left), Self::Duration(right)) => left == right,
            (Self::Timestamp(left), Self::Timestamp(right)) => {
                (left.unix(), left.nanosecond()) == (right.unix(), right.nanosecond())
            }
            (Self::List(left), Self::List(right)) => left.equals(right),
            (Self::Map(left), Self::Map(right)) => left.equals(right),
            (Self::Optional(None), Self::Optional(None)) => true,
            (Self::Optional(Some(left)), Self::Optional(Some(right))) => left.equals(right),
            (Self::Quantity(left), Self::Quantity(right)) => left == right,
            (Self::Url(left), Self::Url(right)) => left.to_string() == right.to_string(),
            (Self::Ip(left), Self::Ip(right)) => left == right,
            (Self::Cidr(left, left_length), Self::Cidr(right, right_length)) => {
                (left, left_length) == (right, right_length)
            }
            (Self::Semver(left), Self::Semver(right)) => left.compare(right) == Ordering::Equal,
            (Self::Format(left), Self::Format(right)) => left.name == right.name,
            _ => self.compare_numbers(other) == Some(Ordering::Equal),
        }
    }

    /// The order of two values, where they have one.
    pub(crate) fn compare(&self, other: &Self) -> Option<Ordering> {
        match (self, other) {
            (Self::Bool(left), Self::Bool(right)) => Some(left.cmp(right)),
            (Self::String(left), Self::String(right)) => Some(left.as_bytes().cmp(right.as_bytes())),
            (Self::Bytes(left), Self::Bytes(right)) => Some(left.cmp(right)),
            (Self::Duration(left), Self::Duration(right)) => Some(left.cmp(right)),
            (Self::Timestamp(left), Self::Timestamp(right)) => {
                Some((left.unix(), left.nanosecond()).cmp(&(right.unix(), right.nanosecond())))
            }
            _ => self.compare_numbers(other),
        }
    }

    fn compare_numbers(&self, other: &Self) -> Option<Ordering> {
        #[expect(clippy::cast_precision_loss, reason = "as in cel-go")]
        fn with_int(double: f64, int: i64) -> Option<Ordering> {
            if double < -9_223_372_036_854_775_808.0 {
                Some(Ordering::Less)
            } else if double > 9_223_372_036_854_775_807.0 {
                Some(Ordering::Greater)
            } else {
                double.partial_cmp(&(int as f64))
            }
        }
        #[expect(clippy::cast_precision_loss, reason = "as in cel-go")]
        fn with_uint(double: f64, uint: u64) -> Option<Ordering> {
            if double < 0.0 {
                Some(Ordering::Less)
            } else if double > 18_446_744_073_709_551_615.0 {
                Some(Ordering::Greater)
            } else {
                double.partial_cmp(&(uint as f64))
            }
        }
        match (self, other) {
            (Self::Int(left), Self::Int(right)) => Some(left.cmp(right)),
            (Self::Uint(left), Self::Uint(right)) => Some(left.cmp(right)),
            (Self::Int(left), Self::Uint(right)) => Some(i128::from(*left).cmp(&i128::from(*right))),
            (Self::Uint(left), Self::Int(right)) => Some(i128::from(*left).cmp(&i128::from(*right))),
            (Self::Double(left), Self::Double(right)) => left.partial_cmp(right),
            (Self::Double(left), Self::Int(right)) => with_int(*left, *right),
            (Self::Int(left), Self::Double(right)) => with_int(*right, *left).map(Ordering::reverse),
            (Self::Double(left), Self::Uint(right)) => with_uint(*left, *right),
            (Self::Uint(left), Self::Double(right)) => with_uint(*right, *left).map(Ordering::reverse),
            _ => None,
        }
    }

    /// As a key of a map, if it may be one.
    pub(crate) fn key(&self) -> Option<Key> {
        match self {
            Self::Bool(flag) => Some(Key::Bool(*flag)),
            Self::Int(int) => Some(Key::Int(i128::from(*int))),
            Self::Uint(uint) => Some(Key::Int(i128::from(*uint))),
            #[expect(clippy::cast_possible_truncation, reason = "whole and in range")]
            Self::Double(double) if double.fract() == 0.0 && double.abs() < 1e19 => {
                Some(Key::Int(*double as i128))
            }
            Self::String(text) => Some(Key::String(Arc::clone(text))),
            _ => None,
        }
    }
}

impl List {
    /// How many items it has.
    #[must_use]
    pub fn len(&self) -> usize {
        match self {
            Self::Made(items) => items.len(),
            Self::Json(items, _) => items.as_slice().len(),
        }
    }

    /// Whether it has no items.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The item at a place.
    #[must_use]
    pub fn get(&self, idx: usize) -> Option<Value> {
        match self {
            Self::Made(items) => items.get(idx).cloned(),
            Self::Json(items, declaration) => {
                let item = declaration.as_ref().and_then(|declaration| declaration.item());
                items.as_slice().get(idx).map(|json| Value::typed(json, item))
            }
        }
    }

    /// Its items in order.
    pub fn iter(&self) -> impl Iterator<Item = Value> + '_ {
        (0..self.len()).filter_map(|idx| self.get(idx))
    }

    fn list_type(&self) -> Option<&ListType> {
        match self {
            Self::Json(_, Some(declaration)) => declaration.list_type(),
            _ => None,
        }
    }

    /// What identifies an item of a list that is a map: its keys.
    fn identity(keys: &[String], item: &Value) -> Vec<Option<Json>> {
        let json = item.to_json().unwrap_or_default();
        keys.iter().map(|key| json.get(key).cloned()).collect()
    }

    fn equals(&self, other: &Self) -> bool {
        if self.len() != other.len() {
            return false;
        }
        match self.list_type().or(other.list_type()) {
            Some(ListType::Set) => self.iter().all(|item| other.iter().any(|known| known.equals(&item))),
            Some(ListType::Map(keys)) => self.iter().all(|item| {
                let identity = Self::identity(keys, &item);
                other.iter().any(|known| Self::identity(keys, &known) == identity && known.equals(&item))
            }),
            _ => self.iter().zip(other.iter()).all(|(left, right)| left.equals(&right)),
        }
    }

    /// Both, one after the other; a set stays one, and a list that is a map is overlaid.
    pub(crate) fn concat(self, other: &Self) -> Self {
        match self.list_type().cloned() {
            Some(ListType::Set) => {
                let mut items: Vec<Value> = self.iter().collect();
                for item in other.iter() {
                    if !items.iter().any(|known| known.equals(&item)) {
                        items.push(item);
                    }
                }
                Self::Made(Arc::new(items))
            }
            Some(ListType::Map(keys)) => {
                let mut items: Vec<Value> = self.iter().collect();
                for item in other.iter() {
                    let identity = Self::identity(&keys, &item);
                    match items.iter_mut().find(|known| Self::identity(&keys, known) == identity) {
                        Some(known) => *known = item,
                        None => items.push(item),
                    }
                }
                Self::Made(Arc::new(items))
            }
            _ => {
                let mut items = match self {
                    Self::Made(items) => items,
                    Self::Json(..) => Arc::new(self.iter().collect()),
                };
                // Copies nothing while a loop gathers, because it owns what it gathered.
                Arc::make_mut(&mut items).extend(other.iter());
                Self::Made(items)
            }
        }
    }
}

impl Map {
    /// How many entries it has.
    #[must_use]
    pub fn len(&self) -> usize {
        match self {
            Self::Made(map) => map.len(),
            Self::Json(map, _) => map.len(),
        }
    }

    /// Whether it has no entries.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether it is an object with declared fields.
    pub(crate) fn is_object(&self) -> bool {
        matches!(self, Self::Json(_, Some(declaration)) if matches!(declaration.shape(), Shape::Object(_)))
    }

    /// The value of a key.
    #[must_use]
    pub fn get(&self, key: &Value) -> Option<Value> {
        match (self, key) {
            (Self::Made(map), key) => map.get(&key.key()?).map(|(_, value)| value.clone()),
            (Self::Json(map, declaration), Value::String(key)) => match declaration {
                None => map.get(key).map(Value::from_json),
                Some(declaration) => match declaration.shape() {
                    Shape::Object(_) => {
                        let field = declaration.field(key)?;
                        map.get(field.name()).map(|json| Value::typed(json, Some(field.declaration())))
                    }
                    _ => map.get(key).map(|json| Value::typed(json, declaration.item())),
                },
            },
            _ => None,
        }
    }

    /// Its entries, by key.
    #[must_use]
    pub fn entries(&self) -> Vec<(Value, Value)> {
        match self {
            Self::Made(map) => map.values().cloned().collect(),
            Self::Json(map, declaration) => map
                .iter()
                .filter_map(|(key, json)| match declaration {
                    Some(declaration) if matches!(declaration.shape(), Shape::Object(_)) => {
                        let (escaped, field) = declaration.field_of(key)?;
                        Some((Value::string(escaped), Value::typed(json, Some(field))))
                    }
                    Some(declaration) => Some((Value::string(key), Value::typed(json, declaration.item()))),
                    None => Some((Value::string(key), Value::from_json(json))),
                })
                .collect(),
        }
    }

    fn equals(&self, other: &Self) -> bool {
        self.len() == other.len()
            && self
                .entries()
                .into_iter()
                .all(|(key, value)| other.get(&key).is_some_and(|other| value.equals(&other)))
    }
}

/// Shows a value as one reads it in a message.
impl fmt::Display for Value {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match crate::functions::to_text(self) {
            Some(text) => out.write_str(&text),
            None => write!(out, "{}", self.type_name()),
        }
    }
}
