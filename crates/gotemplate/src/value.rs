//! The values that templates compute with: Go's, with all the distinctions that a template can see.

mod convert;
mod kind;
mod list;
mod map;
mod object;
mod reclaim;
mod text;

use std::fmt;
use std::sync::Arc;

pub use convert::{ConvertError, MAX_VALUE_DEPTH, MAX_VALUE_NODES, Numbers};
pub use kind::{Kind, Methods, Type, types};
pub use list::List;
pub use map::{Entries, Map};
pub use object::{ErrorText, Object};
pub use text::Str;

use crate::function::Function;

/// A Go value, as a template sees it.
///
/// A clone is cheap and never copies text or containers; of a [`Map`] it is the same map, as in Go.
///
/// No value ([`Value::NoValue`], Go's zero `reflect.Value`) and nil ([`Value::Nil`], a nil interface) differ:
/// a key that is missing is the former, a key whose value is `null` the latter, and `.missing.field` is no
/// value again where `.null.field` is an error. Functions never see the former: for them it is nil.
#[derive(Clone, Default)]
pub enum Value {
    /// No value at all; prints as `<no value>`.
    NoValue,
    /// A nil interface.
    #[default]
    Nil,
    /// `bool`.
    Bool(bool),
    /// `int`.
    Int(i64),
    /// `int64`.
    Int64(i64),
    /// `float64`.
    Float(f64),
    /// A number of one of the rarer types.
    Number(Number),
    /// `string`.
    String(Str),
    /// `[]byte`, as what it holds.
    Bytes(Str),
    /// A slice other than `[]byte`.
    List(List),
    /// A map.
    Map(Map),
    /// A struct, a pointer, a named scalar.
    Object(Arc<dyn Object>),
    /// A function that `call` can call.
    Function(Arc<Function>),
    /// A nil pointer or function of a type.
    NilOf(&'static Type),
}

/// A number of one of the types that templates seldom meet.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Number {
    /// `int8`.
    Int8(i8),
    /// `int16`.
    Int16(i16),
    /// `int32`, which is `rune` too.
    Int32(i32),
    /// `uint`.
    Uint(u64),
    /// `uint8`, which is `byte` too: what `index` of a string gives.
    Uint8(u8),
    /// `uint16`.
    Uint16(u16),
    /// `uint32`.
    Uint32(u32),
    /// `uint64`.
    Uint64(u64),
    /// `float32`.
    Float32(f32),
    /// `complex128`.
    Complex128(f64, f64),
}

impl Value {
    /// The empty string.
    pub const EMPTY: Self = Self::String(Str::new());

    /// The value's type, as `%T` and sprig's `typeOf` print it; `<nil>` for nil and no value.
    #[must_use]
    pub fn type_of(&self) -> &'static Type {
        match self {
            Self::NoValue | Self::Nil => &types::INVALID,
            Self::Bool(_) => &types::BOOL,
            Self::Int(_) => &types::INT,
            Self::Int64(_) => &types::INT64,
            Self::Float(_) => &types::FLOAT64,
            Self::Number(number) => number.type_of(),
            Self::String(_) => &types::STRING,
            Self::Bytes(_) => &types::BYTES,
            Self::List(list) => list.type_of(),
            Self::Map(map) => map.type_of(),
            Self::Object(object) => object.type_of(),
            Self::Function(function) => function.type_of(),
            Self::NilOf(kind) => kind,
        }
    }

    /// The kind of the value's type, as sprig's `kindOf` prints it.
    #[must_use]
    pub fn kind(&self) -> Kind {
        self.type_of().kind
    }

    /// Whether the value is true to `if`: not nil, not zero, not empty.
    #[must_use]
    pub fn truth(&self) -> bool {
        match self {
            Self::NoValue | Self::Nil | Self::NilOf(_) => false,
            Self::Bool(bool) => *bool,
            Self::Int(int) | Self::Int64(int) => *int != 0,
            Self::Float(float) => *float != 0.0,
            Self::Number(number) => number.truth(),
            Self::String(text) | Self::Bytes(text) => !text.is_empty(),
            Self::List(list) => !list.is_empty(),
            Self::Map(map) => !map.is_empty(),
            Self::Object(object) => object.scalar().is_none_or(|scalar| scalar.truth()),
            Self::Function(_) => true,
        }
    }

    /// Whether there is nothing: no value, a nil interface, pointer, map or slice.
    #[must_use]
    pub fn is_nil(&self) -> bool {
        match self {
            Self::NoValue | Self::Nil | Self::NilOf(_) => true,
            Self::List(list) => list.is_nil(),
            Self::Map(map) => map.is_nil(),
            _ => false,
        }
    }

    /// The zero value of a type, as `reflect.Zero` makes it.
    #[must_use]
    pub fn zero(kind: &'static Type) -> Self {
        match kind.kind {
            Kind::Bool => Self::Bool(false),
            Kind::Int => Self::Int(0),
            Kind::Int64 => Self::Int64(0),
            Kind::Float64 => Self::Float(0.0),
            Kind::Int8 => Self::Number(Number::Int8(0)),
            Kind::Int16 => Self::Number(Number::Int16(0)),
            Kind::Int32 => Self::Number(Number::Int32(0)),
            Kind::Uint => Self::Number(Number::Uint(0)),
            Kind::Uint8 => Self::Number(Number::Uint8(0)),
            Kind::Uint16 => Self::Number(Number::Uint16(0)),
            Kind::Uint32 => Self::Number(Number::Uint32(0)),
            Kind::Uint64 => Self::Number(Number::Uint64(0)),
            Kind::Float32 => Self::Number(Number::Float32(0.0)),
            Kind::Complex128 => Self::Number(Number::Complex128(0.0, 0.0)),
            Kind::String => Self::EMPTY,
            Kind::Slice | Kind::Array => Self::List(List::nil(kind)),
            Kind::Map => Self::Map(Map::nil(kind)),
            Kind::Ptr | Kind::Func => Self::NilOf(kind),
            Kind::Invalid | Kind::Interface | Kind::Chan | Kind::Struct => Self::Nil,
        }
    }

    /// An integer of the type `kind`, cut to its size as Go's conversion does; `None` if that is no integer type,
    /// or a named one.
    #[must_use]
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "what Go's conversion does")]
    pub fn integer(kind: &Type, value: i64) -> Option<Self> {
        if kind.underlying.is_some() {
            return None;
        }
        Some(match kind.kind {
            Kind::Int => Self::Int(value),
            Kind::Int64 => Self::Int64(value),
            Kind::Int8 => Self::Number(Number::Int8(value as i8)),
            Kind::Int16 => Self::Number(Number::Int16(value as i16)),
            Kind::Int32 => Self::Number(Number::Int32(value as i32)),
            Kind::Uint => Self::Number(Number::Uint(value as u64)),
            Kind::Uint8 => Self::Number(Number::Uint8(value as u8)),
            Kind::Uint16 => Self::Number(Number::Uint16(value as u16)),
            Kind::Uint32 => Self::Number(Number::Uint32(value as u32)),
            Kind::Uint64 => Self::Number(Number::Uint64(value as u64)),
            _ => return None,
        })
    }

    /// A `string`.
    #[must_use]
    pub fn string(text: impl Into<Str>) -> Self {
        Self::String(text.into())
    }

    /// A `[]any`.
    #[must_use]
    pub fn list(items: Vec<Self>) -> Self {
        Self::List(List::new(items))
    }

    /// A `[]string`.
    pub fn strings<S: Into<Str>>(items: impl IntoIterator<Item = S>) -> Self {
        Self::List(List::strings(items))
    }

    /// A native object.
    #[must_use]
    pub fn object(object: impl Object + 'static) -> Self {
        Self::Object(Arc::new(object))
    }

    /// The string, if it is a `string`.
    #[must_use]
    pub fn as_string(&self) -> Option<&Str> {
        if let Self::String(text) = self { Some(text) } else { None }
    }

    /// The slice, if it is one other than `[]byte`.
    #[must_use]
    pub fn as_list(&self) -> Option<&List> {
        if let Self::List(list) = self { Some(list) } else { None }
    }

    /// The map, if it is one.
    #[must_use]
    pub fn as_map(&self) -> Option<&Map> {
        if let Self::Map(map) = self { Some(map) } else { None }
    }

    /// The native object as a `T`, if it is one.
    #[must_use]
    pub fn downcast<T: 'static>(&self) -> Option<&T> {
        if let Self::Object(object) = self { object::downcast(object) } else { None }
    }

    /// The value of a signed integer of any size, of a named one too.
    #[must_use]
    pub fn as_int(&self) -> Option<i64> {
        match self {
            Self::Int(int) | Self::Int64(int) => Some(*int),
            Self::Number(Number::Int8(int)) => Some(i64::from(*int)),
            Self::Number(Number::Int16(int)) => Some(i64::from(*int)),
            Self::Number(Number::Int32(int)) => Some(i64::from(*int)),
            Self::Object(object) => object.scalar()?.as_int(),
            _ => None,
        }
    }

    /// The value of an unsigned integer of any size, of a named one too.
    #[must_use]
    pub fn as_uint(&self) -> Option<u64> {
        match self {
            Self::Number(Number::Uint(uint) | Number::Uint64(uint)) => Some(*uint),
            Self::Number(Number::Uint8(uint)) => Some(u64::from(*uint)),
            Self::Number(Number::Uint16(uint)) => Some(u64::from(*uint)),
            Self::Number(Number::Uint32(uint)) => Some(u64::from(*uint)),
            Self::Object(object) => object.scalar()?.as_uint(),
            _ => None,
        }
    }

    /// The value of a float of either size, of a named one too; integers are not floats.
    #[must_use]
    pub fn as_float(&self) -> Option<f64> {
        match self {
            Self::Float(float) => Some(*float),
            Self::Number(Number::Float32(float)) => Some(f64::from(*float)),
            Self::Object(object) => object.scalar()?.as_float(),
            _ => None,
        }
    }
}

impl Number {
    fn type_of(self) -> &'static Type {
        match self {
            Self::Int8(_) => &types::INT8,
            Self::Int16(_) => &types::INT16,
            Self::Int32(_) => &types::INT32,
            Self::Uint(_) => &types::UINT,
            Self::Uint8(_) => &types::UINT8,
            Self::Uint16(_) => &types::UINT16,
            Self::Uint32(_) => &types::UINT32,
            Self::Uint64(_) => &types::UINT64,
            Self::Float32(_) => &types::FLOAT32,
            Self::Complex128(..) => &types::COMPLEX128,
        }
    }

    fn truth(self) -> bool {
        match self {
            Self::Int8(int) => int != 0,
            Self::Int16(int) => int != 0,
            Self::Int32(int) => int != 0,
            Self::Uint(uint) | Self::Uint64(uint) => uint != 0,
            Self::Uint8(uint) => uint != 0,
            Self::Uint16(uint) => uint != 0,
            Self::Uint32(uint) => uint != 0,
            Self::Float32(float) => float != 0.0,
            Self::Complex128(real, imaginary) => real != 0.0 || imaginary != 0.0,
        }
    }
}

/// Shows the scalar, or the type of what could be deep.
impl fmt::Debug for Value {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoValue => formatter.write_str("<no value>"),
            Self::Nil => formatter.write_str("nil"),
            Self::Bool(bool) => write!(formatter, "{bool}"),
            Self::Int(int) => write!(formatter, "int({int})"),
            Self::Int64(int) => write!(formatter, "int64({int})"),
            Self::Float(float) => write!(formatter, "float64({float})"),
            Self::Number(number) => write!(formatter, "{number:?}"),
            Self::String(text) => write!(formatter, "{text:?}"),
            Self::List(list) => write!(formatter, "{}[{} items]", list.type_of().name, list.len()),
            Self::Map(map) => write!(formatter, "{}[{} entries]", map.type_of().name, map.len()),
            _ => formatter.write_str(self.type_of().name),
        }
    }
}

impl From<bool> for Value {
    fn from(bool: bool) -> Self {
        Self::Bool(bool)
    }
}

impl From<f64> for Value {
    fn from(float: f64) -> Self {
        Self::Float(float)
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::String(text.into())
    }
}

impl From<String> for Value {
    fn from(text: String) -> Self {
        Self::String(text.into())
    }
}

impl From<Str> for Value {
    fn from(text: Str) -> Self {
        Self::String(text)
    }
}

impl From<Vec<Value>> for Value {
    fn from(items: Vec<Value>) -> Self {
        Self::list(items)
    }
}

impl From<List> for Value {
    fn from(list: List) -> Self {
        Self::List(list)
    }
}

impl From<Map> for Value {
    fn from(map: Map) -> Self {
        Self::Map(map)
    }
}
