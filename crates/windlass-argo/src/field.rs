//! Typed fields: one declaration gives the Rust type, its reader, its writer and its OpenAPI schema.
//!
//! Reading never fails as a whole: what is unknown or of a wrong type is named by its path and left at its
//! default. Writing leaves out what Go's `omitempty` leaves out, so that what is written is byte for byte what
//! Argo CD's own types would print.

use std::fmt::Write as _;

use windlass_kube::{Map, Str, Value, value};
use windlass_model::Time;

/// What a reader found that it could not take.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FieldProblem {
    /// Where, such as `spec.source.path`.
    pub path: Str,
    /// What is wrong there.
    pub kind: FieldProblemKind,
}

/// What is wrong with a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FieldProblemKind {
    /// There is no such field.
    Unknown,
    /// It holds a value of another type.
    WrongType {
        /// What it should hold.
        expected: &'static str,
        /// What it holds.
        found: &'static str,
    },
}

/// Keeps the path while a value is read, and what was found wrong on it.
#[derive(Debug, Default)]
pub(crate) struct Reader {
    path: String,
    pub(crate) problems: Vec<FieldProblem>,
}

impl Reader {
    pub(crate) fn below<T>(&mut self, key: &str, read: impl FnOnce(&mut Self) -> T) -> T {
        let len = self.path.len();
        if len > 0 {
            self.path.push('.');
        }
        self.path.push_str(key);
        let result = read(self);
        self.path.truncate(len);
        result
    }

    fn item<T>(&mut self, idx: usize, read: impl FnOnce(&mut Self) -> T) -> T {
        let len = self.path.len();
        write!(self.path, "[{idx}]").expect("writing to a String cannot fail");
        let result = read(self);
        self.path.truncate(len);
        result
    }

    fn wrong(&mut self, expected: &'static str, found: &Value) {
        // Go's decoder takes null for any field and leaves it at its zero value.
        if !found.is_null() {
            let kind = FieldProblemKind::WrongType { expected, found: found.type_name() };
            self.problems.push(FieldProblem { path: self.path.as_str().into(), kind });
        }
    }

    pub(crate) fn unknown(&mut self, key: &str) {
        self.below(key, |reader| {
            let path = reader.path.as_str().into();
            reader.problems.push(FieldProblem { path, kind: FieldProblemKind::Unknown });
        });
    }
}

/// A type that stands for a field of an object.
pub(crate) trait Field: Default {
    /// The schema, without a description.
    fn schema() -> Value;
    /// Takes the value; what does not fit goes to the reader.
    fn read(value: &Value, reader: &mut Reader) -> Self;
    /// The value, whether it would be left out or not.
    fn write(&self) -> Value;
    /// Whether Go's `omitempty` leaves it out.
    fn is_omitted(&self) -> bool;
}

macro_rules! scalar {
    ($type:ty, $schema:tt, $expected:literal, $value:ident => $read:expr, $this:ident => $write:expr, $omitted:expr) => {
        impl Field for $type {
            fn schema() -> Value {
                value!($schema)
            }

            fn read($value: &Value, reader: &mut Reader) -> Self {
                $read.unwrap_or_else(|| {
                    reader.wrong($expected, $value);
                    Self::default()
                })
            }

            fn write(&self) -> Value {
                let $this = self;
                $write
            }

            fn is_omitted(&self) -> bool {
                let $this = self;
                $omitted
            }
        }
    };
}

scalar!(Str, {"type": "string"}, "string",
    value => value.as_str().map(Self::from), this => Value::from(this.clone()), this.is_empty());
scalar!(bool, {"type": "boolean"}, "boolean", value => value.as_bool(), this => Value::from(*this), !*this);
scalar!(i64, {"type": "integer", "format": "int64"}, "integer",
    value => value.as_int(), this => Value::from(*this), *this == 0);
scalar!(Timestamp, {"type": "string", "format": "date-time"}, "time as in RFC 3339",
    value => value.as_str().and_then(|text| text.parse().ok()).map(|time| Self(Some(time))),
    this => this.0.map_or(Value::Null, |time| time.to_string().into()), this.0.is_none());
scalar!(Any, {"type": "object", "x-kubernetes-preserve-unknown-fields": true}, "object",
    value => value.as_object().map(|_| Self(value.clone())), this => this.0.clone(), this.0.is_null());
scalar!(IntOrString, {"anyOf": [{"type": "integer"}, {"type": "string"}], "x-kubernetes-int-or-string": true},
    "integer or string",
    value => (value.as_int().is_some() || value.as_str().is_some()).then(|| Self(value.clone())),
    this => this.0.clone(), this.0.is_null());

/// A point in time, or none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Timestamp(pub Option<Time>);

/// An object of any content, or null when absent.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Any(pub Value);

/// A number or a text, or null when absent.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct IntOrString(pub Value);

/// A map of texts to values, sorted by key.
#[derive(Clone, Debug, PartialEq)]
pub struct Entries<T>(pub Box<[(Str, T)]>);

impl<T> Default for Entries<T> {
    fn default() -> Self {
        Self(Box::default())
    }
}

impl<T: Field> Field for Option<T> {
    fn schema() -> Value {
        T::schema()
    }

    fn read(value: &Value, reader: &mut Reader) -> Self {
        if value.is_null() {
            return None;
        }
        let before = reader.problems.len();
        let read = T::read(value, reader);
        // What could not be read at all is absent rather than zero.
        let unread = reader.problems[before..].iter().any(|problem| problem.path == reader.path);
        (!unread).then_some(read)
    }

    fn write(&self) -> Value {
        self.as_ref().map_or(Value::Null, T::write)
    }

    fn is_omitted(&self) -> bool {
        self.is_none()
    }
}

impl<T: Field> Field for Box<T> {
    fn schema() -> Value {
        T::schema()
    }

    fn read(value: &Value, reader: &mut Reader) -> Self {
        Self::new(T::read(value, reader))
    }

    fn write(&self) -> Value {
        T::write(self)
    }

    fn is_omitted(&self) -> bool {
        T::is_omitted(self)
    }
}

impl<T: Field> Field for Box<[T]> {
    fn schema() -> Value {
        let mut schema = value!({"type": "array"});
        schema.set_at(&["items"], T::schema());
        schema
    }

    fn read(value: &Value, reader: &mut Reader) -> Self {
        let Some(items) = value.as_array() else {
            reader.wrong("array", value);
            return Self::default();
        };
        items.iter().enumerate().map(|(idx, item)| reader.item(idx, |reader| T::read(item, reader))).collect()
    }

    fn write(&self) -> Value {
        Value::Array(self.iter().map(T::write).collect())
    }

    fn is_omitted(&self) -> bool {
        self.is_empty()
    }
}

impl<T: Field> Field for Entries<T> {
    fn schema() -> Value {
        let mut schema = value!({"type": "object"});
        schema.set_at(&["additionalProperties"], T::schema());
        schema
    }

    fn read(value: &Value, reader: &mut Reader) -> Self {
        let Some(members) = value.as_object() else {
            reader.wrong("object", value);
            return Self::default();
        };
        let read =
            |(key, value): (&Str, &Value)| (key.clone(), reader.below(key, |reader| T::read(value, reader)));
        Self(members.iter().map(read).collect())
    }

    fn write(&self) -> Value {
        Value::Object(self.0.iter().map(|(key, value)| (key.clone(), value.write())).collect())
    }

    fn is_omitted(&self) -> bool {
        self.0.is_empty()
    }
}

/// One member of an object's schema: key, schema, whether it is required, description.
pub(crate) type Member = (&'static str, Value, bool, &'static str);

/// The schema of an object with these members.
pub(crate) fn object_schema(members: Vec<Member>) -> Value {
    let required: Vec<Value> =
        members.iter().filter(|(_, _, required, _)| *required).map(|(key, ..)| Value::from(*key)).collect();
    let properties: Map = members
        .into_iter()
        .map(|(key, mut schema, _, description)| {
            if !description.is_empty() {
                schema.set_at(&["description"], description.trim());
            }
            (key, schema)
        })
        .collect();
    let mut schema = value!({"type": "object"});
    schema.set_at(&["properties"], properties);
    if !required.is_empty() {
        schema.set_at(&["required"], required);
    }
    schema
}

/// Declares a struct whose fields are members of a Kubernetes object.
///
/// `name "jsonName": Type` declares an optional member; `[required]` after the type makes the schema require it
/// and the writer always write it, `[always]` only the latter.
macro_rules! object {
    ($(
        $(#[doc = $doc:literal])*
        $name:ident {
            $($(#[doc = $field_doc:literal])* $field:ident $key:literal : $type:ty $([$flag:ident])?),* $(,)?
        }
    )*) => {$(
        $(#[doc = $doc])*
        #[derive(Clone, Debug, Default, PartialEq)]
        pub struct $name {
            $($(#[doc = $field_doc])* pub $field: $type,)*
        }

        impl $crate::field::Field for $name {
            fn schema() -> windlass_kube::Value {
                $crate::field::object_schema(vec![$((
                    $key,
                    <$type as $crate::field::Field>::schema(),
                    object!(@required $($flag)?),
                    concat!($($field_doc),*),
                )),*])
            }

            fn read(value: &windlass_kube::Value, reader: &mut $crate::field::Reader) -> Self {
                let mut read = Self::default();
                let Some(members) = value.as_object() else {
                    reader.wrong_object(value);
                    return read;
                };
                for (key, value) in members.iter() {
                    match key.as_str() {
                        $($key => {
                            read.$field = reader.below($key, |reader| $crate::field::Field::read(value, reader));
                        })*
                        other => reader.unknown(other),
                    }
                }
                read
            }

            fn write(&self) -> windlass_kube::Value {
                let mut members = windlass_kube::Map::new();
                $(if object!(@always $($flag)?) || !$crate::field::Field::is_omitted(&self.$field) {
                    members.insert($key, $crate::field::Field::write(&self.$field));
                })*
                members.into()
            }

            fn is_omitted(&self) -> bool {
                false
            }
        }
    )*};
    (@required required) => { true };
    (@required $($other:ident)?) => { false };
    (@always $flag:ident) => { true };
    (@always) => { false };
}

impl Reader {
    pub(crate) fn wrong_object(&mut self, found: &Value) {
        self.wrong("object", found);
    }
}

/// Declares a text whose schema says more than its type.
macro_rules! text {
    ($($(#[doc = $doc:literal])* $name:ident $schema:tt)*) => {$(
        $(#[doc = $doc])*
        #[derive(Clone, Debug, Default, PartialEq, Eq)]
        pub struct $name(pub windlass_kube::Str);

        impl $crate::field::Field for $name {
            fn schema() -> windlass_kube::Value {
                windlass_kube::value!($schema)
            }

            fn read(value: &windlass_kube::Value, reader: &mut $crate::field::Reader) -> Self {
                Self($crate::field::Field::read(value, reader))
            }

            fn write(&self) -> windlass_kube::Value {
                self.0.clone().into()
            }

            fn is_omitted(&self) -> bool {
                self.0.is_empty()
            }
        }
    )*};
}

pub(crate) use {object, text};
