//! Makes types of OpenAPI documents.

use std::collections::HashMap;
use std::sync::Arc;

use super::{
    Field, ListKind, ListType, MAX_SCHEMA_DEPTH, MapType, PatchStrategy, Presence, Scalar, Type, TypeId,
    Types,
};
use crate::{Gvk, Map, Str, Value};

/// Why a schema was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SchemaError {
    /// The document has neither `definitions` nor `components.schemas`.
    #[error("the document is no OpenAPI v2 or v3: it has neither definitions nor components.schemas")]
    NotOpenApi,
    /// One type of the document.
    #[error("type {name}: {problem}")]
    Type {
        /// The definition it is in.
        name: String,
        /// What is wrong with it.
        problem: String,
    },
    /// Inline types nest too deep.
    #[error("type {name} nests deeper than MAX_SCHEMA_DEPTH ({MAX_SCHEMA_DEPTH}) inline types")]
    TooDeep {
        /// The definition it is in.
        name: String,
    },
}

/// Collects definitions of one or more OpenAPI documents; those of the same name are the same type.
#[derive(Default)]
pub struct TypesBuilder {
    definitions: Vec<(Str, Value)>,
    index: HashMap<Str, usize>,
}

/// The types every set begins with; their order is that of the constants of [`TypeId`].
fn first_types() -> Vec<Type> {
    let any = |id: TypeId, atomic: bool| Type {
        scalar: Some(Scalar::Any),
        list: Some(ListType { items: TypeId::UNTYPED, kind: ListKind::Atomic }),
        map: Some(MapType { fields: Vec::new(), other: Some(id), atomic, untyped: id == TypeId::DEDUCED }),
    };
    let scalar = |scalar| Type { scalar: Some(scalar), ..Type::default() };
    vec![
        any(TypeId::UNTYPED, true),
        any(TypeId::DEDUCED, false),
        scalar(Scalar::Numeric),
        scalar(Scalar::String),
        scalar(Scalar::Boolean),
        scalar(Scalar::Any),
        Type::default(),
    ]
}

pub(super) fn common_types() -> Types {
    Types {
        types: first_types(),
        by_gvk: HashMap::new(),
        by_name: HashMap::new(),
        struct_names: HashMap::new(),
    }
}

impl TypesBuilder {
    /// Adds the definitions of a document, v2 or v3.
    ///
    /// # Errors
    ///
    /// [`SchemaError::NotOpenApi`].
    pub fn add(&mut self, document: &Value) -> Result<(), SchemaError> {
        let definitions = document.get("definitions").or_else(|| document.at(&["components", "schemas"]));
        let definitions = definitions.and_then(Value::as_object).ok_or(SchemaError::NotOpenApi)?;
        for (name, definition) in definitions.iter() {
            self.define(name.clone(), definition.clone());
        }
        Ok(())
    }

    /// Adds one definition.
    pub(super) fn define(&mut self, name: Str, definition: Value) {
        match self.index.get(&name) {
            Some(idx) => {
                // Each v3 document has its own copy; only some of them say which kinds the type is.
                let have = &mut self.definitions[*idx].1;
                if have.get(KIND_EXTENSION).is_none() {
                    *have = definition;
                }
            }
            None => {
                self.index.insert(name.clone(), self.definitions.len());
                self.definitions.push((name, definition));
            }
        }
    }

    /// Makes the types.
    ///
    /// # Errors
    ///
    /// [`SchemaError`] names the first definition that could not be understood.
    pub fn build(self) -> Result<Arc<Types>, SchemaError> {
        let mut types = first_types();
        let n_first = types.len();
        let mut by_name = HashMap::with_capacity(self.definitions.len());
        let mut by_gvk = HashMap::new();
        for (name, definition) in &self.definitions {
            let id = TypeId(u32::try_from(types.len()).expect("a document has fewer than 2^32 definitions"));
            types.push(Type::default());
            by_name.insert(name.clone(), id);
            for kind in definition.items_at(&[KIND_EXTENSION]) {
                let part = |key| kind.str_at(&[key]);
                if let (Some(group), Some(version), Some(kind)) =
                    (part("group"), part("version"), part("kind"))
                {
                    by_gvk.insert(Gvk::new(group, version, kind), id);
                }
            }
        }
        let mut converter =
            Converter { types, n_first, by_name, overridden: HashMap::new(), pending: Vec::new() };
        for (name, definition) in &self.definitions {
            let scope =
                Scope { name, is_go: is_go_type(name), preserve_unknown: false, depth: MAX_SCHEMA_DEPTH };
            let ty = converter.definition(definition, &scope)?;
            let id = converter.by_name[name];
            converter.types[id.0 as usize] = ty;
        }
        converter.settle_overrides();
        let last_part = |name: &Str| Str::new(name.rsplit('.').next().unwrap_or_default());
        let mut struct_names: HashMap<TypeId, Str> =
            converter.by_name.iter().map(|(name, id)| (*id, last_part(name))).collect();
        for ((base, _), id) in &converter.overridden {
            if let Some(name) = struct_names.get(base).cloned() {
                struct_names.insert(*id, name);
            }
        }
        Ok(Arc::new(Types { types: converter.types, by_gvk, by_name: converter.by_name, struct_names }))
    }
}

const KIND_EXTENSION: &str = "x-kubernetes-group-version-kind";

/// Definitions that stand for Go structs, whose encoder writes some fields that are not set.
fn is_go_type(name: &str) -> bool {
    let packages =
        ["io.k8s.api.", "io.k8s.apimachinery.", "io.k8s.apiextensions-apiserver.", "io.k8s.kube-aggregator."];
    packages.iter().any(|package| name.starts_with(package))
}

struct Scope<'a> {
    name: &'a str,
    is_go: bool,
    preserve_unknown: bool,
    depth: usize,
}

impl Scope<'_> {
    fn wrong<T>(&self, problem: impl Into<String>) -> Result<T, SchemaError> {
        Err(SchemaError::Type { name: self.name.to_owned(), problem: problem.into() })
    }
}

struct Converter {
    types: Vec<Type>,
    n_first: usize,
    by_name: HashMap<Str, TypeId>,
    /// Copies of a type whose maps are atomic, or granular, where a reference says so.
    overridden: HashMap<(TypeId, bool), TypeId>,
    pending: Vec<(TypeId, TypeId, bool)>,
}

impl Converter {
    fn push(&mut self, ty: Type) -> TypeId {
        let id = TypeId(u32::try_from(self.types.len()).expect("fewer than 2^32 types"));
        self.types.push(ty);
        id
    }

    /// The untyped type has a name too; definitions follow the first types without a gap.
    fn is_named(&self, id: TypeId) -> bool {
        let idx = id.0 as usize;
        id == TypeId::UNTYPED || (self.n_first..self.n_first + self.by_name.len()).contains(&idx)
    }

    fn definition(&mut self, schema: &Value, scope: &Scope<'_>) -> Result<Type, SchemaError> {
        if scope.name.ends_with("apimachinery.pkg.api.resource.Quantity") {
            return Ok(Type { scalar: Some(Scalar::Any), ..Type::default() });
        }
        if scope.name.ends_with("apimachinery.pkg.runtime.RawExtension") {
            return Ok(self.types[TypeId::UNTYPED.0 as usize].clone());
        }
        if schema.str_at(&["$ref"]).is_some() {
            return Ok(Type::default());
        }
        self.inline(schema, scope)
    }

    fn inline(&mut self, schema: &Value, scope: &Scope<'_>) -> Result<Type, SchemaError> {
        let Some(depth) = scope.depth.checked_sub(1) else {
            return Err(SchemaError::TooDeep { name: scope.name.to_owned() });
        };
        let preserves = schema.bool_at(&["x-kubernetes-preserve-unknown-fields"]) == Some(true);
        let scope = Scope { preserve_unknown: scope.preserve_unknown || preserves, depth, ..*scope };
        let word = schema.get("type").and_then(|ty| ty.as_str().or_else(|| ty.as_array()?.first()?.as_str()));
        Ok(match word.unwrap_or_default() {
            "" => Type {
                scalar: Some(Scalar::Any),
                list: Some(self.list(schema, &scope)?),
                map: Some(self.map(schema, &scope)?),
            },
            "object" => Type { map: Some(self.map(schema, &scope)?), ..Type::default() },
            "array" => Type { list: Some(self.list(schema, &scope)?), ..Type::default() },
            word => Type { scalar: Some(scalar(word, schema)), ..Type::default() },
        })
    }

    /// The type of a property, of items or of additional properties.
    fn reference(&mut self, schema: &Value, scope: &Scope<'_>) -> Result<TypeId, SchemaError> {
        let reference = schema.str_at(&["$ref"]).or_else(|| match schema.items_at(&["allOf"]) {
            [only] => only.str_at(&["$ref"]),
            _ => None,
        });
        if let Some(reference) = reference {
            let name = reference.rsplit('/').next().unwrap_or_default();
            let Some(id) = self.by_name.get(name).copied() else {
                return scope.wrong(format!("there is no type {name}"));
            };
            return match map_kind(schema, scope)? {
                Some(atomic) => Ok(self.overriding(id, atomic)),
                None => Ok(id),
            };
        }
        let ty = self.inline(schema, scope)?;
        Ok(match ty {
            Type { scalar: Some(scalar), list: None, map: None } => match scalar {
                Scalar::Numeric => TypeId::NUMERIC,
                Scalar::String => TypeId::STRING,
                Scalar::Boolean => TypeId::BOOLEAN,
                Scalar::Any => TypeId::ANY_SCALAR,
            },
            ty => self.push(ty),
        })
    }

    fn overriding(&mut self, base: TypeId, atomic: bool) -> TypeId {
        if let Some(id) = self.overridden.get(&(base, atomic)) {
            return *id;
        }
        let id = self.push(Type::default());
        self.overridden.insert((base, atomic), id);
        self.pending.push((id, base, atomic));
        id
    }

    fn settle_overrides(&mut self) {
        for (id, base, atomic) in std::mem::take(&mut self.pending) {
            let mut ty = self.types[base.0 as usize].clone();
            match (&mut ty.map, &mut ty.list) {
                (Some(map), _) => map.atomic = atomic,
                (None, Some(list)) if atomic => list.kind = ListKind::Atomic,
                _ => {}
            }
            self.types[id.0 as usize] = ty;
        }
    }

    fn map(&mut self, schema: &Value, scope: &Scope<'_>) -> Result<MapType, SchemaError> {
        let empty = Map::new();
        let properties = schema.get("properties").and_then(Value::as_object).unwrap_or(&empty);
        let required = schema.items_at(&["required"]);
        let mut fields = Vec::with_capacity(properties.len());
        for (name, property) in properties.iter() {
            let is_required = required.iter().any(|required| required.as_str() == Some(name));
            let ty = self.reference(property, scope)?;
            let default = property.get("default").filter(|default| !default.is_null()).cloned();
            let presence = if scope.is_go {
                presence(property, default.as_ref(), is_required)
            } else {
                Presence::Omitted
            };
            fields.push(Field {
                name: name.clone(),
                ty,
                default,
                presence,
                omits_empty: scope.is_go && !is_required,
                patch: patch_strategy(property),
            });
        }
        let other = match schema.get("additionalProperties") {
            None | Some(Value::Null) => {
                (scope.preserve_unknown || properties.is_empty()).then_some(TypeId::DEDUCED)
            }
            Some(Value::Bool(allowed)) => allowed.then_some(TypeId::DEDUCED),
            Some(schema) => Some(self.reference(schema, scope)?),
        };
        let takes_anything = other.is_some_and(|other| {
            // A named type other than the deduced one counts as typed, whatever it is.
            other == TypeId::DEDUCED
                || (!self.is_named(other) && self.types[other.0 as usize].scalar == Some(Scalar::Any))
        });
        let atomic = map_kind(schema, scope)? == Some(true);
        Ok(MapType { untyped: takes_anything && fields.is_empty(), fields, other, atomic })
    }

    fn list(&mut self, schema: &Value, scope: &Scope<'_>) -> Result<ListType, SchemaError> {
        let kind = list_kind(schema, scope)?;
        let items = match schema.get("items") {
            Some(items) => self.reference(items, scope)?,
            None if schema.str_at(&["type"]).is_some() => {
                return scope.wrong("`items` must be specified on arrays");
            }
            None => TypeId::UNTYPED,
        };
        Ok(ListType { items, kind })
    }
}

fn scalar(word: &str, schema: &Value) -> Scalar {
    match (word, schema.str_at(&["format"]).unwrap_or_default()) {
        ("integer" | "number", _) => Scalar::Numeric,
        ("boolean", _) => Scalar::Boolean,
        ("string", "" | "byte") => Scalar::String,
        _ => Scalar::Any,
    }
}

/// What Go's encoder writes for an unset field. The generator of the documents gives structs that are no pointers
/// the default `{}`, and leaves `omitempty` fields out of `required`.
fn presence(property: &Value, default: Option<&Value>, is_required: bool) -> Presence {
    match default {
        Some(Value::Object(map)) if map.is_empty() => Presence::Struct,
        Some(zero @ (Value::String(_) | Value::Int(_) | Value::Float(_) | Value::Bool(_))) if is_required => {
            Presence::Value(zero.clone())
        }
        _ if is_required => match property.str_at(&["type"]) {
            // v2 documents have no defaults, so the zero value of a scalar is taken from its type.
            Some("string") if property.get("format").is_none() => Presence::Value(Value::from("")),
            Some("integer" | "number") => Presence::Value(Value::Int(0)),
            Some("boolean") => Presence::Value(Value::Bool(false)),
            _ => Presence::Value(Value::Null),
        },
        _ => Presence::Omitted,
    }
}

fn patch_strategy(property: &Value) -> PatchStrategy {
    let strategies = property.str_at(&["x-kubernetes-patch-strategy"]).unwrap_or_default();
    let has = |strategy| strategies.split(',').any(|have| have == strategy);
    PatchStrategy {
        merge: has("merge"),
        replace: has("replace"),
        retain_keys: has("retainKeys"),
        merge_key: property.str_at(&["x-kubernetes-patch-merge-key"]).map(Str::new),
    }
}

/// Whether a map is said to be atomic, or granular.
fn map_kind(schema: &Value, scope: &Scope<'_>) -> Result<Option<bool>, SchemaError> {
    match schema.str_at(&["x-kubernetes-map-type"]) {
        None => Ok(None),
        Some("atomic") => Ok(Some(true)),
        Some("granular") => Ok(Some(false)),
        Some(other) => scope.wrong(format!("unknown map type {other}")),
    }
}

fn list_kind(schema: &Value, scope: &Scope<'_>) -> Result<ListKind, SchemaError> {
    if let Some(word) = schema.str_at(&["x-kubernetes-list-type"]) {
        return match word {
            "atomic" => Ok(ListKind::Atomic),
            "set" => Ok(ListKind::Set),
            "map" => {
                let keys = schema.items_at(&["x-kubernetes-list-map-keys"]);
                if keys.is_empty() {
                    return scope.wrong("missing map keys");
                }
                Ok(ListKind::Map(keys.iter().filter_map(Value::as_str).map(Str::new).collect()))
            }
            other => scope.wrong(format!("unknown list type {other}")),
        };
    }
    Ok(match schema.str_at(&["x-kubernetes-patch-strategy"]) {
        Some("merge" | "merge,retainKeys") => match schema.str_at(&["x-kubernetes-patch-merge-key"]) {
            Some(key) => ListKind::Map([Str::new(key)].into()),
            None => ListKind::Set,
        },
        _ => ListKind::Atomic,
    })
}
