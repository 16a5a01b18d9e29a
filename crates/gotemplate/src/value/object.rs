//! Native objects: structs and other types of the embedding program.

use std::any::Any;
use std::sync::Arc;

use super::{Methods, Str, Type, Value};
use crate::function::{Context, FunctionError, Signature};

/// A native object that templates can hold: a struct, a pointer to one, or a named scalar.
///
/// Its methods are those of its [`Type`]. Everything else here has a default that fits an opaque object.
///
/// ```
/// use std::sync::Arc;
/// use gotemplate::{Kind, Object, Type, Value};
///
/// struct Release { name: String }
/// static RELEASE: Type = Type::new("*release.Release", Kind::Ptr);
///
/// impl Object for Release {
///     fn type_of(&self) -> &'static Type { &RELEASE }
///     fn as_any(&self) -> &dyn std::any::Any { self }
///     fn fields(&self) -> Vec<(&'static str, Value)> { vec![("Name", Value::from(self.name.as_str()))] }
/// }
/// let release = Value::Object(Arc::new(Release { name: "web".into() }));
/// # let _ = release;
/// ```
pub trait Object: Send + Sync {
    /// Its type, with its methods. The kind says what it is to Go: a struct, a pointer to one, a scalar.
    fn type_of(&self) -> &'static Type;

    /// The object itself, to be downcast by the functions that know it.
    fn as_any(&self) -> &dyn Any;

    /// The fields of a struct, in the order they are declared in. Those that are not exported are printed, too;
    /// [`Object::field`] must not give them.
    fn fields(&self) -> Vec<(&'static str, Value)> {
        Vec::new()
    }

    /// One field. Objects with many fields, or costly ones, answer this without making the others.
    fn field(&self, name: &str) -> Option<Value> {
        self.fields().into_iter().find(|(field, _)| *field == name).map(|(_, value)| value)
    }

    /// What its `Error` or `String` method returns, if it has one: what printing it shows.
    fn text(&self) -> Option<Str> {
        None
    }

    /// The basic value of a named scalar: an `Int64` for a `time.Duration`.
    fn scalar(&self) -> Option<Value> {
        None
    }

    /// Another value of this type, of a basic value that was computed: the numbers below a named number.
    fn with_scalar(&self, _scalar: Value) -> Option<Value> {
        None
    }

    /// What an encoder to JSON or YAML sees in its place; by default a map of its fields.
    fn encoded(&self) -> Value {
        match self.scalar() {
            Some(scalar) => scalar,
            None => {
                let fields = self.fields().into_iter();
                Value::Map(fields.map(|(name, value)| (Str::from_static(name), value)).collect())
            }
        }
    }

    /// Whether it equals `other`, which has the same type. By default only if it is the same object.
    fn equals(&self, other: &dyn Object) -> bool {
        std::ptr::addr_eq(std::ptr::from_ref(self.as_any()), std::ptr::from_ref(other.as_any()))
    }
}

/// The object as type `T`.
pub(super) fn downcast<T: 'static>(object: &Arc<dyn Object>) -> Option<&T> {
    object.as_any().downcast_ref()
}

/// An error that is a value, as Go's `errors.New` makes it.
pub struct ErrorText(pub Str);

impl Object for ErrorText {
    fn type_of(&self) -> &'static Type {
        &super::types::ERROR
    }

    fn as_any(&self) -> &dyn Any {
        self
    }

    fn fields(&self) -> Vec<(&'static str, Value)> {
        vec![("s", Value::String(self.0.clone()))]
    }

    /// The one field is not exported.
    fn field(&self, _: &str) -> Option<Value> {
        None
    }

    fn text(&self) -> Option<Str> {
        Some(self.0.clone())
    }
}

/// The one method of errors.
pub(super) struct ErrorMethods;

impl Methods for ErrorMethods {
    fn signature(&self, name: &str) -> Option<&'static Signature> {
        static NONE: Signature = Signature::fixed(&[]);
        (name == "Error").then_some(&NONE)
    }

    fn call(
        &self,
        receiver: &Value,
        _: &str,
        _: &mut Context<'_>,
        _: &[Value],
    ) -> Result<Value, FunctionError> {
        Ok(receiver.downcast::<ErrorText>().map_or(Value::EMPTY, |error| Value::String(error.0.clone())))
    }
}
