//! Types of objects: what their fields are, and how lists and maps merge.
//!
//! [`Types`] is a compact graph made once from OpenAPI documents (v2 or v3, as kube-apiserver publishes them) or
//! from the structural schema of a CustomResourceDefinition; [`ObjectType`] is one kind in it, cheap to clone.
//! Kinds without a schema have the [deduced](ObjectType::deduced) type: maps merge, lists are atomic.
//!
//! Facts: `k8s.io/kube-openapi` `schemaconv` as of kubernetes 1.36.3; `structured-merge-diff/v6` v6.3.3 `typed`.

mod build;
mod crd;

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, LazyLock};

pub use build::{SchemaError, TypesBuilder};

use crate::{Gvk, Str, Value};

/// How deep a schema may nest inline types; beyond this a document is refused.
pub const MAX_SCHEMA_DEPTH: usize = 128;

/// An immutable set of types, shared by all who use it.
pub struct Types {
    types: Vec<Type>,
    by_gvk: HashMap<Gvk, TypeId>,
    by_name: HashMap<Str, TypeId>,
    /// The last part of the name of each definition, which is the name of its Go struct.
    struct_names: HashMap<TypeId, Str>,
}

/// The type of the objects of one kind.
#[derive(Clone)]
pub struct ObjectType {
    types: Arc<Types>,
    root: TypeId,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct TypeId(u32);

impl TypeId {
    /// Any value; nothing in it is told apart.
    pub(crate) const UNTYPED: Self = Self(0);
    /// Any value; maps in it merge, lists are atomic.
    pub(crate) const DEDUCED: Self = Self(1);
    pub(crate) const NUMERIC: Self = Self(2);
    pub(crate) const STRING: Self = Self(3);
    pub(crate) const BOOLEAN: Self = Self(4);
    pub(crate) const ANY_SCALAR: Self = Self(5);
    /// No value is valid.
    pub(crate) const NEVER: Self = Self(6);
}

/// What a value may be; more than one where the schema leaves it open.
#[derive(Clone, Debug, Default)]
pub(crate) struct Type {
    pub(crate) scalar: Option<Scalar>,
    pub(crate) list: Option<ListType>,
    pub(crate) map: Option<MapType>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Scalar {
    Numeric,
    String,
    Boolean,
    Any,
}

#[derive(Clone, Debug)]
pub(crate) struct ListType {
    pub(crate) items: TypeId,
    pub(crate) kind: ListKind,
}

#[derive(Clone, Debug)]
pub(crate) enum ListKind {
    /// One value as a whole.
    Atomic,
    /// Scalars, each at most once.
    Set,
    /// Objects, named by the values of these fields.
    Map(Box<[Str]>),
}

#[derive(Clone, Debug)]
pub(crate) struct MapType {
    /// Sorted by name.
    pub(crate) fields: Vec<Field>,
    /// The type of members that are no field; `None` forbids them.
    pub(crate) other: Option<TypeId>,
    /// One value as a whole.
    pub(crate) atomic: bool,
    /// Has no fields and takes anything.
    pub(crate) untyped: bool,
}

#[derive(Clone, Debug)]
pub(crate) struct Field {
    pub(crate) name: Str,
    pub(crate) ty: TypeId,
    pub(crate) default: Option<Value>,
    pub(crate) presence: Presence,
    /// Whether Go leaves it out when it is null or empty.
    pub(crate) omits_empty: bool,
    pub(crate) patch: PatchStrategy,
}

/// What Go's encoder writes for a field that is not set.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Presence {
    /// Nothing.
    Omitted,
    /// The zero value of its struct.
    Struct,
    /// This value.
    Value(Value),
}

/// How a strategic merge patch treats a field.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct PatchStrategy {
    pub(crate) merge: bool,
    pub(crate) replace: bool,
    pub(crate) retain_keys: bool,
    pub(crate) merge_key: Option<Str>,
}

impl Types {
    /// Starts from nothing; add documents, then build.
    #[must_use]
    pub fn builder() -> TypesBuilder {
        TypesBuilder::default()
    }

    /// Makes types of one OpenAPI document, v2 or v3.
    ///
    /// # Errors
    ///
    /// [`SchemaError`] names what could not be understood.
    pub fn from_openapi(document: &Value) -> Result<Arc<Self>, SchemaError> {
        let mut builder = Self::builder();
        builder.add(document)?;
        builder.build()
    }

    /// The type of a kind.
    #[must_use]
    pub fn get(self: &Arc<Self>, gvk: &Gvk) -> Option<ObjectType> {
        self.by_gvk.get(gvk).map(|root| ObjectType { types: Arc::clone(self), root: *root })
    }

    /// The type of a definition, such as `io.k8s.api.core.v1.PodSpec`.
    #[must_use]
    pub fn get_by_name(self: &Arc<Self>, name: &str) -> Option<ObjectType> {
        self.by_name.get(name).map(|root| ObjectType { types: Arc::clone(self), root: *root })
    }

    /// The kinds it has types for, in no order.
    pub fn kinds(&self) -> impl Iterator<Item = &Gvk> {
        self.by_gvk.keys()
    }

    /// The name of the Go struct that a type stands for; empty when it has none.
    pub(crate) fn struct_name(&self, id: TypeId) -> &str {
        self.struct_names.get(&id).map_or("", Str::as_str)
    }

    pub(crate) fn get_type(&self, id: TypeId) -> &Type {
        &self.types[id.0 as usize]
    }
}

impl ObjectType {
    /// The type of kinds that have no schema: maps merge, lists and scalars are replaced.
    #[must_use]
    pub fn deduced() -> Self {
        static DEDUCED: LazyLock<Arc<Types>> = LazyLock::new(|| Arc::new(build::common_types()));
        Self { types: Arc::clone(&DEDUCED), root: TypeId::DEDUCED }
    }

    pub(crate) fn types(&self) -> &Types {
        &self.types
    }

    pub(crate) fn root(&self) -> TypeId {
        self.root
    }

    /// What Go's encoder writes for an object of this type with nothing set; an empty object for custom kinds.
    ///
    /// Field ownership depends on it: what the zero value has is not "added" by a create.
    #[must_use]
    pub fn zero_value(&self) -> Value {
        self.types.zero_value(self.root, MAX_SCHEMA_DEPTH)
    }

    /// Makes an object of a built-in kind what the server makes of it by decoding and encoding it: fields that Go
    /// always writes are set (`resources: {}` of a container), null, empty lists and empty maps are left out
    /// where Go leaves them out. Of custom kinds only `metadata` is treated so.
    ///
    /// Zero numbers, empty strings and `false` stay: the documents do not say which of them Go leaves out.
    pub fn encode_as_go(&self, value: &mut Value) {
        self.types.encode_as_go(value, self.root, MAX_SCHEMA_DEPTH);
    }
}

impl Types {
    fn zero_value(&self, id: TypeId, depth: usize) -> Value {
        let fields = self.get_type(id).map.iter().flat_map(|map| &map.fields);
        let present = fields.filter_map(|field| {
            let value = match &field.presence {
                Presence::Omitted => return None,
                Presence::Struct if depth == 0 => return None,
                Presence::Struct => self.zero_value(field.ty, depth - 1),
                Presence::Value(value) => value.clone(),
            };
            Some((field.name.clone(), value))
        });
        Value::Object(present.collect())
    }

    fn encode_as_go(&self, value: &mut Value, id: TypeId, depth: usize) {
        if depth == 0 {
            return;
        }
        let ty = self.get_type(id);
        match value {
            Value::Object(map) => {
                let Some(map_type) = &ty.map else { return };
                if map.iter().any(|(name, value)| self.is_omitted(map_type, name, value)) {
                    map.retain(|name, value| !self.is_omitted(map_type, name, value));
                }
                for field in &map_type.fields {
                    if field.presence == Presence::Omitted
                        || map.get(&field.name).is_some_and(|v| !v.is_null())
                    {
                        continue;
                    }
                    let present = match &field.presence {
                        Presence::Value(value) => value.clone(),
                        _ => self.zero_value(field.ty, depth - 1),
                    };
                    if map.get(&field.name) != Some(&present) {
                        map.insert(field.name.clone(), present);
                    }
                }
                let is_container = |value: &Value| matches!(value, Value::Object(_) | Value::Array(_));
                if map_type.atomic && map_type.fields.is_empty() || !map.values().any(is_container) {
                    return;
                }
                for (name, value) in map.iter_mut() {
                    if let (Some(id), true) = (map_type.member(name), is_container(value)) {
                        self.encode_as_go(value, id, depth - 1);
                    }
                }
            }
            Value::Array(items) => {
                let Some(list) = &ty.list else { return };
                if items.iter().any(|item| item.as_object().is_some()) {
                    for item in items.as_mut() {
                        self.encode_as_go(item, list.items, depth - 1);
                    }
                }
            }
            _ => {}
        }
    }

    fn is_omitted(&self, map_type: &MapType, name: &str, value: &Value) -> bool {
        let Some(field) = map_type.field(name).filter(|field| field.omits_empty) else { return false };
        match value {
            // Go writes a time that is not set as null, unless it is a pointer: the documents do not say which.
            Value::Null => {
                self.get_type(field.ty).scalar != Some(Scalar::Any) || self.get_type(field.ty).map.is_some()
            }
            Value::Array(items) => items.is_empty(),
            Value::Object(map) if map.is_empty() => {
                // A struct with nothing set is written, an empty Go map is not.
                let ty = self.get_type(field.ty).map.as_ref();
                ty.is_some_and(|ty| ty.fields.is_empty() && ty.other.is_some() && !ty.untyped)
            }
            _ => false,
        }
    }
}

impl MapType {
    /// A field of that name.
    pub(crate) fn field(&self, name: &str) -> Option<&Field> {
        self.fields.binary_search_by(|field| field.name.as_str().cmp(name)).ok().map(|idx| &self.fields[idx])
    }

    /// The type of the member of that name.
    pub(crate) fn member(&self, name: &str) -> Option<TypeId> {
        self.field(name).map(|field| field.ty).or(self.other)
    }
}

impl fmt::Debug for Types {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Types")
            .field("n_types", &self.types.len())
            .field("n_kinds", &self.by_gvk.len())
            .finish()
    }
}

impl fmt::Debug for ObjectType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("ObjectType").field(&self.root.0).finish()
    }
}
