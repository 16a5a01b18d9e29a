//! Types and kinds, as Go's `reflect` names them.

use std::fmt;

use crate::function::{Context, FunctionError, Signature};
use crate::value::Value;

/// Go's `reflect.Kind`, of the kinds that a template can meet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// No value at all.
    Invalid,
    /// `bool`.
    Bool,
    /// `int`.
    Int,
    /// `int8`.
    Int8,
    /// `int16`.
    Int16,
    /// `int32`.
    Int32,
    /// `int64`.
    Int64,
    /// `uint`.
    Uint,
    /// `uint8`.
    Uint8,
    /// `uint16`.
    Uint16,
    /// `uint32`.
    Uint32,
    /// `uint64`.
    Uint64,
    /// `float32`.
    Float32,
    /// `float64`.
    Float64,
    /// `complex128`.
    Complex128,
    /// An array of fixed length.
    Array,
    /// A channel; no value here has it.
    Chan,
    /// A function.
    Func,
    /// An interface; the kind of a parameter, not of a value.
    Interface,
    /// A map.
    Map,
    /// A pointer.
    Ptr,
    /// A slice.
    Slice,
    /// A string.
    String,
    /// A struct.
    Struct,
}

impl Kind {
    /// The name as `reflect.Kind.String` gives it, which is what sprig's `kindOf` prints.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Invalid => "invalid",
            Self::Bool => "bool",
            Self::Int => "int",
            Self::Int8 => "int8",
            Self::Int16 => "int16",
            Self::Int32 => "int32",
            Self::Int64 => "int64",
            Self::Uint => "uint",
            Self::Uint8 => "uint8",
            Self::Uint16 => "uint16",
            Self::Uint32 => "uint32",
            Self::Uint64 => "uint64",
            Self::Float32 => "float32",
            Self::Float64 => "float64",
            Self::Complex128 => "complex128",
            Self::Array => "array",
            Self::Chan => "chan",
            Self::Func => "func",
            Self::Interface => "interface",
            Self::Map => "map",
            Self::Ptr => "ptr",
            Self::Slice => "slice",
            Self::String => "string",
            Self::Struct => "struct",
        }
    }

    /// Whether this is a signed integer.
    #[must_use]
    pub const fn is_int(self) -> bool {
        matches!(self, Self::Int | Self::Int8 | Self::Int16 | Self::Int32 | Self::Int64)
    }

    /// Whether this is an unsigned integer.
    #[must_use]
    pub const fn is_uint(self) -> bool {
        matches!(self, Self::Uint | Self::Uint8 | Self::Uint16 | Self::Uint32 | Self::Uint64)
    }

    /// Whether this is a float.
    #[must_use]
    pub const fn is_float(self) -> bool {
        matches!(self, Self::Float32 | Self::Float64)
    }

    /// Whether a value of this kind can be nil.
    #[must_use]
    pub const fn can_be_nil(self) -> bool {
        matches!(self, Self::Chan | Self::Func | Self::Interface | Self::Map | Self::Ptr | Self::Slice)
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())
    }
}

/// A Go type: what `%T` prints of it, and what the language asks about it.
///
/// Types are statics: those that every program has are in [`types`], and an engine that brings native objects
/// or named maps declares its own. Two types are the same if they have the same name.
pub struct Type {
    /// The name as `%T` prints it: `map[string]interface {}`, `*semver.Version`.
    pub name: &'static str,
    /// Its kind.
    pub kind: Kind,
    /// What an element of the map, slice or pointer is.
    pub element: Option<&'static Self>,
    /// The unnamed type behind a named map or slice type: `map[string]interface {}` behind `common.Values`.
    /// Values of the one may stand for the other.
    pub underlying: Option<&'static Self>,
    /// The methods that templates can call on values of this type.
    pub methods: Option<&'static dyn Methods>,
    /// The names of the fields of the struct that this is, or points to. Only looked at for nil pointers, whose
    /// values cannot be asked.
    pub fields: &'static [&'static str],
}

impl Type {
    /// A type without elements or methods.
    #[must_use]
    pub const fn new(name: &'static str, kind: Kind) -> Self {
        Self { name, kind, element: None, underlying: None, methods: None, fields: &[] }
    }

    /// This type, with elements of type `element`.
    #[must_use]
    pub const fn of(mut self, element: &'static Self) -> Self {
        self.element = Some(element);
        self
    }

    /// A named type made of an unnamed map or slice type.
    #[must_use]
    pub const fn named(name: &'static str, underlying: &'static Self) -> Self {
        Self {
            name,
            kind: underlying.kind,
            element: underlying.element,
            underlying: Some(underlying),
            methods: None,
            fields: &[],
        }
    }

    /// This type, with methods.
    #[must_use]
    pub const fn with_methods(mut self, methods: &'static dyn Methods) -> Self {
        self.methods = Some(methods);
        self
    }

    /// This type, with the names of its fields.
    #[must_use]
    pub const fn with_fields(mut self, fields: &'static [&'static str]) -> Self {
        self.fields = fields;
        self
    }

    /// Whether a value of this type may be given where `target` is declared.
    #[must_use]
    pub fn assignable_to(&self, target: &Self) -> bool {
        if std::ptr::eq(self, target) || self.name == target.name || target.kind == Kind::Interface {
            return true;
        }
        let same = |one: Option<&'static Self>, other: &Self| one.is_some_and(|one| one.name == other.name);
        same(self.underlying, target) || same(target.underlying, self)
    }
}

impl PartialEq for Type {
    fn eq(&self, other: &Self) -> bool {
        std::ptr::eq(self, other) || self.name == other.name
    }
}

impl fmt::Debug for Type {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name)
    }
}

/// The methods of a type.
pub trait Methods: Send + Sync {
    /// What the method `name` takes; `None` if there is no such method.
    fn signature(&self, name: &str) -> Option<&'static Signature>;

    /// Calls the method `name`. The arguments have been checked against its signature.
    ///
    /// # Errors
    /// Whatever the method complains of; templates print it as `error calling NAME: …`.
    fn call(
        &self,
        receiver: &Value,
        name: &str,
        context: &mut Context<'_>,
        arguments: &[Value],
    ) -> Result<Value, FunctionError>;
}

/// The types that every program has.
pub mod types {
    use super::{Kind, Type};
    use crate::value::object::ErrorMethods;

    /// `interface {}`, which takes anything.
    pub static ANY: Type = Type::new("interface {}", Kind::Interface);
    /// `reflect.Value`: a parameter that takes anything, and sees the difference between no value and nil.
    pub static REFLECT: Type = Type::new("reflect.Value", Kind::Struct);
    /// `bool`.
    pub static BOOL: Type = Type::new("bool", Kind::Bool);
    /// `int`.
    pub static INT: Type = Type::new("int", Kind::Int);
    /// `int8`.
    pub static INT8: Type = Type::new("int8", Kind::Int8);
    /// `int16`.
    pub static INT16: Type = Type::new("int16", Kind::Int16);
    /// `int32`.
    pub static INT32: Type = Type::new("int32", Kind::Int32);
    /// `int64`.
    pub static INT64: Type = Type::new("int64", Kind::Int64);
    /// `uint`.
    pub static UINT: Type = Type::new("uint", Kind::Uint);
    /// `uint8`.
    pub static UINT8: Type = Type::new("uint8", Kind::Uint8);
    /// `uint16`.
    pub static UINT16: Type = Type::new("uint16", Kind::Uint16);
    /// `uint32`.
    pub static UINT32: Type = Type::new("uint32", Kind::Uint32);
    /// `uint64`.
    pub static UINT64: Type = Type::new("uint64", Kind::Uint64);
    /// `float32`.
    pub static FLOAT32: Type = Type::new("float32", Kind::Float32);
    /// `float64`.
    pub static FLOAT64: Type = Type::new("float64", Kind::Float64);
    /// `complex128`.
    pub static COMPLEX128: Type = Type::new("complex128", Kind::Complex128);
    /// `string`.
    pub static STRING: Type = Type::new("string", Kind::String);
    /// `[]byte`, which Go calls `[]uint8`.
    pub static BYTES: Type = Type::new("[]uint8", Kind::Slice).of(&UINT8);
    /// `[]any`.
    pub static LIST: Type = Type::new("[]interface {}", Kind::Slice).of(&ANY);
    /// `[][]any`.
    pub static LISTS: Type = Type::new("[][]interface {}", Kind::Slice).of(&LIST);
    /// `[]string`.
    pub static STRINGS: Type = Type::new("[]string", Kind::Slice).of(&STRING);
    /// `[][]byte`.
    pub static BYTES_LIST: Type = Type::new("[][]uint8", Kind::Slice).of(&BYTES);
    /// `[]int`.
    pub static INTS: Type = Type::new("[]int", Kind::Slice).of(&INT);
    /// `[]int64`.
    pub static INT64S: Type = Type::new("[]int64", Kind::Slice).of(&INT64);
    /// `[]float64`.
    pub static FLOAT64S: Type = Type::new("[]float64", Kind::Slice).of(&FLOAT64);
    /// `[]bool`.
    pub static BOOLS: Type = Type::new("[]bool", Kind::Slice).of(&BOOL);
    /// `[]map[string]any`.
    pub static MAPS: Type = Type::new("[]map[string]interface {}", Kind::Slice).of(&MAP);
    /// `map[string]any`.
    pub static MAP: Type = Type::new("map[string]interface {}", Kind::Map).of(&ANY);
    /// `map[string]string`.
    pub static STRING_MAP: Type = Type::new("map[string]string", Kind::Map).of(&STRING);
    /// `map[string]int`.
    pub static INT_MAP: Type = Type::new("map[string]int", Kind::Map).of(&INT);
    /// `map[string]bool`.
    pub static BOOL_MAP: Type = Type::new("map[string]bool", Kind::Map).of(&BOOL);
    /// `map[string][]byte`.
    pub static BYTES_MAP: Type = Type::new("map[string][]uint8", Kind::Map).of(&BYTES);
    /// `map[string][]string`.
    pub static STRINGS_MAP: Type = Type::new("map[string][]string", Kind::Map).of(&STRINGS);
    /// A function, as `call` takes it.
    pub static FUNC: Type = Type::new("func(...interface {}) (interface {}, error)", Kind::Func);
    /// An error made of a text, as `errors.New` makes it.
    pub static ERROR: Type = Type::new("*errors.errorString", Kind::Ptr).with_methods(&ErrorMethods);
    /// What has no type: nil, and no value.
    pub static INVALID: Type = Type::new("<nil>", Kind::Invalid);
}
