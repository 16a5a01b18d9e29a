//! What Go's types do to an object on its way in and out: unknown fields go, empty ones are left out,
//! required ones appear, quantities and times take their canonical form.
//!
//! The table (`shapes.txt`) is printed from the `k8s.io/api` structs by `tools/oracle-apiserver-shapes`.

use std::collections::HashMap;
use std::sync::OnceLock;

use windlass_kube::{Gvk, Map, Str, Value};

use super::quantity::Quantity;

/// A value that Go's decoder refuses, in its words.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// The JSON type does not fit the field.
    #[error("json: cannot unmarshal {found} into Go struct field {owner}.{path} of type {wanted}")]
    Type {
        /// What was found, such as `string` or `number 1.5`.
        found: String,
        /// The Go struct that declares the field, without its package.
        owner: String,
        /// JSON names from the root, dotted; list positions are left out.
        path: String,
        /// The Go type of the field.
        wanted: String,
    },
    /// A quantity that cannot be read.
    #[error("quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'")]
    Quantity,
    /// A time that cannot be read.
    #[error("parsing time {0:?} as \"2006-01-02T15:04:05Z07:00\": cannot parse {rest:?} as {part:?}", rest = unread(.0).0, part = unread(.0).1)]
    Time(String),
    /// Bytes that are no base64.
    #[error("illegal base64 data at input byte {0}")]
    Base64(usize),
}

/// Whether `gvk` is a built-in kind whose shape is known.
#[must_use]
pub fn is_built_in(gvk: &Gvk) -> bool {
    shapes().kind(gvk).is_some()
}

/// The built-in kinds, in no particular order.
pub fn built_in_kinds() -> impl Iterator<Item = &'static Gvk> {
    shapes().kinds.keys()
}

/// Rewrites an object of a built-in kind as the API server would print it after reading it.
///
/// Returns the unknown fields that were dropped, as paths such as `spec.containers[0].imagePolicy`; a
/// caller that validates strictly refuses the object because of them. Objects of other kinds are left
/// alone. Reading back what this wrote changes nothing.
///
/// # Errors
///
/// [`DecodeError`] when a value has the wrong type; the object is then half rewritten and of no use.
pub fn normalize(gvk: &Gvk, object: &mut Value) -> Result<Vec<String>, DecodeError> {
    conformed(gvk, object, false)
}

/// As [`normalize`], but an empty list or map that is printed even when it is empty stays what it was until the object is
/// stored: who sends one owns it.
///
/// # Errors
///
/// As of [`normalize`].
pub fn decode(gvk: &Gvk, object: &mut Value) -> Result<Vec<String>, DecodeError> {
    conformed(gvk, object, true)
}

fn conformed(gvk: &Gvk, object: &mut Value, keeps_empty: bool) -> Result<Vec<String>, DecodeError> {
    let shapes = shapes();
    let Some(root) = shapes.kind(gvk) else { return Ok(Vec::new()) };
    let mut walk = Walk { shapes, unknown: Vec::new(), names: Vec::new(), keeps_empty };
    let mut path = String::new();
    walk.structure(root, object, &mut path)?;
    super::convert::pair_addresses(gvk, object);
    Ok(walk.unknown)
}

#[derive(Debug)]
enum Type {
    String(Str),
    Bool(Str),
    Int(u32, Str),
    Float,
    Bytes,
    Quantity,
    IntOrString,
    Time,
    MicroTime,
    Duration,
    Raw,
    Pointer(Box<Type>),
    List(Box<Type>),
    Dict(Box<Type>),
    Struct(usize),
}

#[derive(Debug)]
struct Field {
    name: Str,
    omit_empty: bool,
    omit_zero: bool,
    ty: Type,
}

impl Field {
    /// Whether Go leaves the field out when it prints `value`.
    fn omits(&self, value: &Value) -> bool {
        let zero_struct = matches!(self.ty, Type::Time | Type::MicroTime) && value.is_null();
        (self.omit_zero && zero_struct) || (self.omit_empty && is_empty(&self.ty, value))
    }
}

#[derive(Debug, Default)]
struct Struct {
    /// With its package, as Go prints it: `v1.PodSpec`.
    go_name: Str,
    /// Sorted by name.
    fields: Vec<Field>,
}

#[derive(Debug, Default)]
struct Shapes {
    kinds: HashMap<Gvk, usize>,
    structs: Vec<Struct>,
}

impl Shapes {
    fn kind(&self, gvk: &Gvk) -> Option<usize> {
        self.kinds.get(gvk).copied()
    }

    fn parse(text: &str) -> Self {
        let names: HashMap<&str, usize> =
            text.lines().filter_map(|line| line.strip_prefix("struct ")).zip(0..).collect();
        let mut shapes = Self::default();
        for line in text.lines() {
            if let Some(kind) = line.strip_prefix("kind ") {
                let mut words = kind.split(' ');
                if let (Some(api_version), Some(kind), Some(name)) =
                    (words.next(), words.next(), words.next())
                {
                    shapes.kinds.insert(Gvk::from_api_version(api_version, kind), names[name]);
                }
            } else if let Some(name) = line.strip_prefix("struct ") {
                let go_name = name.split_once('.').map_or(name, |(_, rest)| rest).into();
                shapes.structs.push(Struct { go_name, fields: Vec::new() });
            } else if let (Some(field), Some(owner)) = (line.strip_prefix(' '), shapes.structs.last_mut()) {
                let (name, ty) = field.split_once(' ').unwrap_or((field, "raw"));
                owner.fields.push(Field {
                    name: name.trim_end_matches(['?', '!']).into(),
                    omit_empty: name.contains('?'),
                    omit_zero: name.contains('!'),
                    ty: Type::parse(ty, &names),
                });
            }
        }
        for owner in &mut shapes.structs {
            owner.fields.sort_by(|a, b| a.name.cmp(&b.name));
        }
        shapes
    }
}

fn shapes() -> &'static Shapes {
    static SHAPES: OnceLock<Shapes> = OnceLock::new();
    SHAPES.get_or_init(|| Shapes::parse(include_str!("shapes.txt")))
}

impl Type {
    fn parse(text: &str, names: &HashMap<&str, usize>) -> Self {
        if let Some(rest) = text.strip_prefix('*') {
            return Self::Pointer(Box::new(Self::parse(rest, names)));
        }
        if let Some(rest) = text.strip_prefix("[]") {
            return Self::List(Box::new(Self::parse(rest, names)));
        }
        if let Some(rest) = text.strip_prefix("{}") {
            return Self::Dict(Box::new(Self::parse(rest, names)));
        }
        if let Some(name) = text.strip_prefix('@') {
            return Self::Struct(names[name]);
        }
        let (base, go_name) = text.split_once(':').unwrap_or((text, text));
        match base {
            "string" => Self::String(go_name.into()),
            "bool" => Self::Bool(go_name.into()),
            "int32" => Self::Int(32, go_name.into()),
            "int64" | "int" => Self::Int(64, go_name.into()),
            "uint8" => Self::Int(8, go_name.into()),
            "float64" => Self::Float,
            "bytes" => Self::Bytes,
            "quantity" => Self::Quantity,
            "intstr" => Self::IntOrString,
            "time" => Self::Time,
            "microtime" => Self::MicroTime,
            "duration" => Self::Duration,
            _ => Self::Raw,
        }
    }

    fn go_name(&self, shapes: &Shapes) -> String {
        match self {
            Self::String(name) | Self::Bool(name) | Self::Int(_, name) => name.to_string(),
            Self::Float => "float64".into(),
            Self::Bytes => "[]uint8".into(),
            Self::Quantity => "resource.Quantity".into(),
            Self::IntOrString => "intstr.IntOrString".into(),
            Self::Time => "v1.Time".into(),
            Self::MicroTime => "v1.MicroTime".into(),
            Self::Duration => "v1.Duration".into(),
            Self::Raw => "interface {}".into(),
            Self::Pointer(inner) => inner.go_name(shapes),
            Self::List(inner) => format!("[]{}", inner.go_name(shapes)),
            Self::Dict(inner) => format!("map[string]{}", inner.go_name(shapes)),
            Self::Struct(idx) => shapes.structs[*idx].go_name.to_string(),
        }
    }
}

struct Walk<'a> {
    shapes: &'a Shapes,
    unknown: Vec<String>,
    /// JSON names from the root, for errors.
    names: Vec<Str>,
    /// Whether what is empty stays apart from what is not there.
    keeps_empty: bool,
}

impl Walk<'_> {
    fn structure(&mut self, idx: usize, value: &mut Value, path: &mut String) -> Result<(), DecodeError> {
        let shapes = self.shapes;
        let fields = &shapes.structs[idx].fields;
        let members = std::mem::take(value.object_mut());
        let mut given = members.into_iter().peekable();
        let mut kept: Vec<(Str, Value)> = Vec::with_capacity(fields.len());
        for field in fields {
            while let Some((name, _)) = given.next_if(|(name, _)| *name < field.name) {
                self.note_unknown(path, &name);
            }
            let mut member =
                given.next_if(|(name, _)| *name == field.name).map_or(Value::Null, |(_, member)| member);
            let length = path.len();
            if member.is_null() {
                member = self.zero(&field.ty);
            } else {
                if !path.is_empty() {
                    path.push('.');
                }
                path.push_str(&field.name);
                self.names.push(field.name.clone());
                self.conform(&field.ty, &mut member, path, idx)?;
                self.names.pop();
                path.truncate(length);
            }
            if field.omits(&member) {
                continue;
            }
            kept.push((field.name.clone(), member));
        }
        for (name, _) in given {
            self.note_unknown(path, &name);
        }
        *value = Value::Object(kept.into_iter().collect());
        Ok(())
    }

    fn note_unknown(&mut self, path: &str, name: &str) {
        let dot = if path.is_empty() { "" } else { "." };
        self.unknown.push(format!("{path}{dot}{name}"));
    }

    fn zero(&mut self, ty: &Type) -> Value {
        match ty {
            Type::String(_) => "".into(),
            Type::Bool(_) => false.into(),
            Type::Int(..) | Type::IntOrString => Value::Int(0),
            Type::Float => Value::Int(0),
            Type::Quantity => "0".into(),
            Type::Duration => "0s".into(),
            Type::Struct(idx) => {
                let mut value = Value::object();
                // An empty object holds nothing that could be of the wrong type.
                let _ = self.structure(*idx, &mut value, &mut String::new());
                value
            }
            Type::Bytes
            | Type::Time
            | Type::MicroTime
            | Type::Raw
            | Type::Pointer(_)
            | Type::List(_)
            | Type::Dict(_) => Value::Null,
        }
    }

    fn conform(
        &mut self,
        ty: &Type,
        value: &mut Value,
        path: &mut String,
        owner: usize,
    ) -> Result<(), DecodeError> {
        if value.is_null() {
            *value = self.zero(ty);
            return Ok(());
        }
        match ty {
            Type::Pointer(inner) => return self.conform(inner, value, path, owner),
            Type::Raw => {}
            Type::String(_) => {
                if value.as_str().is_none() {
                    return Err(self.mismatch(ty, value, owner));
                }
            }
            Type::Bool(_) => {
                if value.as_bool().is_none() {
                    return Err(self.mismatch(ty, value, owner));
                }
            }
            Type::Int(bits, _) => match value {
                Value::Int(int) if *bits == 64 || i32::try_from(*int).is_ok() => {}
                _ => return Err(self.mismatch(ty, value, owner)),
            },
            Type::Float => {
                if value.as_float().is_none() {
                    return Err(self.mismatch(ty, value, owner));
                }
            }
            Type::Bytes => {
                let Some(text) = value.as_str() else { return Err(self.mismatch(ty, value, owner)) };
                check_base64(text)?;
            }
            Type::Quantity => {
                let text = match value {
                    Value::String(text) => text.clone(),
                    Value::Int(_) | Value::Float(_) => format!("{value:?}").into(),
                    _ => return Err(DecodeError::Quantity),
                };
                *value = Quantity::printed(text.trim()).ok_or(DecodeError::Quantity)?.into();
            }
            Type::IntOrString => match value {
                Value::Int(int) if i32::try_from(*int).is_ok() => {}
                Value::String(_) => {}
                _ => {
                    let wanted = Type::Int(32, "int32".into());
                    return Err(self.mismatch(&wanted, value, owner));
                }
            },
            Type::Time | Type::MicroTime => {
                let Some(text) = value.as_str() else { return Err(self.mismatch(ty, value, owner)) };
                let time: jiff::Timestamp = text.parse().map_err(|_| DecodeError::Time(text.to_owned()))?;
                let time = if matches!(ty, Type::Time) {
                    time.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
                } else {
                    time.strftime("%Y-%m-%dT%H:%M:%S.%6fZ").to_string()
                };
                *value = time.into();
            }
            Type::Duration => {
                if value.as_str().is_none() {
                    return Err(self.mismatch(ty, value, owner));
                }
            }
            Type::List(inner) => {
                let Value::Array(items) = value else { return Err(self.mismatch(ty, value, owner)) };
                if items.is_empty() {
                    // Protobuf, which etcd holds, does not tell an empty list from none.
                    if !self.keeps_empty {
                        *value = Value::Null;
                    }
                    return Ok(());
                }
                let length = path.len();
                for (idx, item) in items.as_mut().iter_mut().enumerate() {
                    path.push_str(&format!("[{idx}]"));
                    self.conform(inner, item, path, owner)?;
                    path.truncate(length);
                }
            }
            Type::Dict(inner) => {
                let Value::Object(members) = value else { return Err(self.mismatch(ty, value, owner)) };
                if members.is_empty() {
                    if !self.keeps_empty {
                        *value = Value::Null;
                    }
                    return Ok(());
                }
                let length = path.len();
                for (key, member) in members.iter_mut() {
                    path.push('.');
                    path.push_str(key);
                    self.conform(inner, member, path, owner)?;
                    if matches!(**inner, Type::Bytes) && member.is_null() {
                        *member = "".into();
                    }
                    if matches!(**inner, Type::Quantity) {
                        round_amount(member);
                    }
                    path.truncate(length);
                }
            }
            Type::Struct(idx) => {
                if value.as_object().is_none() {
                    return Err(self.mismatch(ty, value, owner));
                }
                return self.structure(*idx, value, path);
            }
        }
        Ok(())
    }

    fn mismatch(&self, ty: &Type, value: &Value, owner: usize) -> DecodeError {
        let found = match value {
            Value::Bool(_) => "bool".to_owned(),
            Value::Int(int) if matches!(ty, Type::Int(..)) => format!("number {int}"),
            Value::Float(float) if matches!(ty, Type::Int(..)) => format!("number {float}"),
            Value::Int(_) | Value::Float(_) => "number".to_owned(),
            Value::String(_) => "string".to_owned(),
            Value::Array(_) => "array".to_owned(),
            Value::Null | Value::Object(_) => "object".to_owned(),
        };
        let owner = &self.shapes.structs[owner].go_name;
        DecodeError::Type {
            found,
            owner: owner.rsplit('.').next().unwrap_or(owner).to_owned(),
            path: self.names.join("."),
            wanted: ty.go_name(self.shapes),
        }
    }
}

/// Amounts of resources have no parts below a thousandth; what has is rounded up.
fn round_amount(member: &mut Value) {
    if let Some(quantity) = member.as_str().and_then(Quantity::parse) {
        let rounded = quantity.round_up_to_milli();
        if rounded != quantity {
            *member = rounded.to_string().into();
        }
    }
}

/// Go's `omitempty`: false, 0, "", nil, and anything of length 0; never a struct.
fn is_empty(ty: &Type, value: &Value) -> bool {
    match (ty, value) {
        (Type::Time | Type::MicroTime, _) => false,
        (_, Value::Null) => true,
        (Type::String(_), Value::String(text)) => text.is_empty(),
        (Type::Bool(_), Value::Bool(bool)) => !bool,
        (Type::Int(..) | Type::Float, number) => number.as_float() == Some(0.0),
        (Type::Bytes, Value::String(text)) => text.is_empty(),
        (Type::List(_), Value::Array(items)) => items.is_empty(),
        (Type::Dict(_), Value::Object(members)) => Map::is_empty(members),
        _ => false,
    }
}

fn check_base64(text: &str) -> Result<(), DecodeError> {
    let bytes: Vec<u8> = text.bytes().filter(|byte| !matches!(byte, b'\n' | b'\r')).collect();
    let padding = bytes.iter().rev().take_while(|byte| **byte == b'=').count().min(2);
    let body = &bytes[..bytes.len() - padding];
    if let Some(idx) = body.iter().position(|b| !(b.is_ascii_alphanumeric() || matches!(b, b'+' | b'/'))) {
        return Err(DecodeError::Base64(idx));
    }
    if !bytes.len().is_multiple_of(4) {
        return Err(DecodeError::Base64(bytes.len() / 4 * 4));
    }
    Ok(())
}

/// What is left of a text where it ceases to be a time, and what part of a time should stand there.
fn unread(text: &str) -> (&str, &'static str) {
    const PARTS: [&str; 11] = ["2006", "-", "01", "-", "02", "T", "15", ":", "04", ":", "05"];
    let mut rest = text;
    for part in PARTS {
        let found = rest.get(..part.len()).filter(|found| {
            if part.starts_with(|first: char| first.is_ascii_digit()) {
                found.bytes().all(|byte| byte.is_ascii_digit())
            } else {
                *found == part
            }
        });
        if found.is_none() {
            return (rest, part);
        }
        rest = &rest[part.len()..];
    }
    let fraction =
        rest.strip_prefix('.').map(|rest| rest.trim_start_matches(|digit: char| digit.is_ascii_digit()));
    (fraction.unwrap_or(rest), "Z07:00")
}
