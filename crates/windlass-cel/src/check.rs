//! Type checking, by cel-go's rules and in its words.

mod declarations;
mod literals;
mod unify;

use crate::Value;
use crate::environment::Environment;
use crate::problem::Problems;
use crate::syntax::ast::{Fold, Kind, NodeId, Tree};
use crate::types::Type;
use declarations::{Overload, overloads};
use std::sync::Arc;
use unify::{Bindings, most_general};

/// A tree, and of each node its type and the overloads that it may call.
#[derive(Clone, Debug)]
pub(crate) struct Checked {
    pub(crate) tree: Tree,
    pub(crate) types: Vec<Type>,
    pub(crate) overloads: Vec<Vec<&'static str>>,
    /// The variables that it reads.
    pub(crate) variables: Vec<Arc<str>>,
}

impl Checked {
    pub(crate) fn ty(&self, id: NodeId) -> &Type {
        &self.types[id as usize]
    }

    /// The only overload that a call may mean, or nothing if its arguments decide.
    pub(crate) fn overload(&self, id: NodeId) -> &'static str {
        match self.overloads[id as usize].as_slice() {
            [only] => only,
            _ => "",
        }
    }
}

/// Checks a tree; what is wrong with it is reported.
pub(crate) fn check(tree: Tree, environment: &Environment, problems: &mut Problems) -> Checked {
    let count = tree.nodes.len();
    let root = tree.root;
    let mut checker = Checker {
        checked: Checked {
            tree,
            types: vec![Type::Dyn; count],
            overloads: vec![Vec::new(); count],
            variables: Vec::new(),
        },
        environment,
        problems,
        bindings: Bindings::default(),
        scopes: Vec::new(),
        fresh: 0,
    };
    checker.check(root);
    let Checker { mut checked, bindings, .. } = checker;
    for ty in &mut checked.types {
        *ty = bindings.substitute(ty, true);
    }
    if problems.is_empty() {
        literals::check(&checked, problems);
    }
    checked
}

struct Checker<'c> {
    checked: Checked,
    environment: &'c Environment,
    problems: &'c mut Problems,
    bindings: Bindings,
    /// The variables of loops, innermost last.
    scopes: Vec<(Arc<str>, Type)>,
    fresh: usize,
}

/// What a name is.
enum Name {
    Local(Type),
    Variable(Type),
    OfType(Type),
}

impl Checker<'_> {
    fn report(&mut self, id: NodeId, message: String) {
        self.problems.report(self.checked.tree.at(id), message);
    }

    fn set(&mut self, id: NodeId, ty: Type) {
        self.checked.types[id as usize] = ty;
    }

    fn ty(&self, id: NodeId) -> Type {
        self.checked.types[id as usize].clone()
    }

    fn fresh(&mut self) -> Type {
        self.fresh += 1;
        Type::Param(format!("_var{}", self.fresh - 1).into())
    }

    fn check(&mut self, id: NodeId) {
        stacker::maybe_grow(64 * 1024, 1024 * 1024, || self.check_node(id));
    }

    fn check_node(&mut self, id: NodeId) {
        match self.checked.tree.kind(id).clone() {
            Kind::Missing => self.set(id, Type::Error),
            Kind::Literal(value) => {
                let ty = match value {
                    Value::Bool(_) => Type::Bool,
                    Value::Int(_) => Type::Int,
                    Value::Uint(_) => Type::Uint,
                    Value::Double(_) => Type::Double,
                    Value::String(_) => Type::String,
                    Value::Bytes(_) => Type::Bytes,
                    _ => Type::Null,
                };
                self.set(id, ty);
            }
            Kind::Ident(name) => self.check_ident(id, &name),
            Kind::Select { operand, field, test_only } => self.check_select(id, operand, &field, test_only),
            Kind::Call { target, function, arguments } => self.check_call(id, target, &function, &arguments),
            Kind::List(elements) => {
                let mut joined: Option<Type> = None;
                for element in elements {
                    self.check(element.value);
                    let ty = self.element_type(element.value, element.optional);
                    joined = Some(self.join(joined, ty));
                }
                let item = joined.unwrap_or_else(|| self.fresh());
                self.set(id, Type::list(item));
            }
            Kind::Map(entries) => {
                let (mut keys, mut values): (Option<Type>, Option<Type>) = (None, None);
                for entry in entries {
                    self.check(entry.key);
                    let key = self.ty(entry.key);
                    keys = Some(self.join(keys, key));
                    self.check(entry.value);
                    let value = self.element_type(entry.value, entry.optional);
                    values = Some(self.join(values, value));
                }
                let key = keys.unwrap_or_else(|| self.fresh());
                let value = values.unwrap_or_else(|| self.fresh());
                self.set(id, Type::map(key, value));
            }
            Kind::Struct { name, fields } => self.check_struct(id, &name, &fields),
            Kind::Fold(fold) => self.check_fold(id, &fold),
        }
    }

    fn element_type(&mut self, id: NodeId, optional: bool) -> Type {
        let ty = self.ty(id);
        if !optional {
            return ty;
        }
        match ty.unwrap_optional() {
            Some(inner) => inner.clone(),
            None => {
                if !ty.is_dyn() {
                    self.mismatch(id, &Type::optional(ty.clone()), &ty);
                }
                ty
            }
        }
    }

    fn mismatch(&mut self, id: NodeId, expected: &Type, found: &Type) {
        self.report(id, format!("expected type '{expected}' but found '{found}'"));
    }

    fn join(&mut self, previous: Option<Type>, current: Type) -> Type {
        let Some(previous) = previous else { return current };
        if self.bindings.assignable(&previous, &current) {
            return most_general(&previous, &current);
        }
        // Reported when everything else is right.
        Type::Dyn
    }

    fn look_up(&self, name: &str) -> Option<Name> {
        let name = name.strip_prefix('.').unwrap_or(name);
        if let Some((_, ty)) = self.scopes.iter().rev().find(|(known, _)| **known == *name) {
            return Some(Name::Local(ty.clone()));
        }
        if let Some(ty) = self.environment.variable(name) {
            return Some(Name::Variable(ty.clone()));
        }
        if self.environment.declaration(name).is_some() || self.environment.is_patch_type(name) {
            return Some(Name::OfType(Type::Struct(name.into())));
        }
        Type::named(name).map(Name::OfType)
    }

    fn undeclared(&mut self, id: NodeId, name: &str) {
        self.set(id, Type::Error);
        self.report(id, format!("undeclared reference to '{name}' (in container '')"));
    }

    fn check_ident(&mut self, id: NodeId, name: &str) {
        match self.look_up(name) {
            Some(found) => self.resolve(id, name, found),
            None if self.environment.is_open() => self.resolve(id, name, Name::Variable(Type::Dyn)),
            None => self.undeclared(id, name),
        }
    }

    /// Makes a node a name that is known.
    fn resolve(&mut self, id: NodeId, name: &str, found: Name) {
        let name: Arc<str> = name.strip_prefix('.').unwrap_or(name).into();
        let node = &mut self.checked.tree.nodes[id as usize];
        match found {
            Name::Local(ty) => {
                node.kind = Kind::Ident(name);
                self.set(id, ty);
            }
            Name::Variable(ty) => {
                node.kind = Kind::Ident(Arc::clone(&name));
                if !self.checked.variables.contains(&name) {
                    self.checked.variables.push(name);
                }
                self.set(id, ty);
            }
            Name::OfType(ty) => {
                node.kind = Kind::Ident(name);
                self.set(id, Type::Type(Some(Arc::new(ty))));
            }
        }
    }

    fn check_select(&mut self, id: NodeId, operand: NodeId, field: &str, test_only: bool) {
        if !test_only
            && let Some(name) = self.checked.tree.qualified_name(id)
            && let Some(found) = self.look_up(&name)
        {
            self.resolve(id, &name, found);
            return;
        }
        let ty = self.field_type(id, operand, field, false);
        let ty = if test_only { Type::Bool } else { self.bindings.substitute(&ty, false) };
        self.set(id, ty);
    }

    /// The type of a field of an operand, which is checked first.
    fn field_type(&mut self, id: NodeId, operand: NodeId, field: &str, optional: bool) -> Type {
        self.check(operand);
        let operand_type = self.bindings.substitute(&self.ty(operand), false);
        let (target, is_optional) = match operand_type.unwrap_optional() {
            Some(inner) => (inner.clone(), true),
            None => (operand_type, false),
        };
        let result = match &target {
            Type::Map(pair) => pair.1.clone(),
            Type::Struct(name) if self.environment.is_patch_type(name) => patch_field(name, field),
            Type::Struct(name) => match self.environment.declaration(name) {
                None => {
                    self.report(id, format!("unexpected failed resolution of '{name}'"));
                    Type::Error
                }
                Some(declaration) => match declaration.field(field) {
                    Some(found) => found.ty(),
                    None => {
                        self.report(id, format!("undefined field '{field}'"));
                        Type::Error
                    }
                },
            },
            Type::Param(_) => {
                self.bindings.assignable(&Type::Dyn, &target);
                Type::Dyn
            }
            other => {
                if !other.is_dyn_or_error() {
                    self.report(id, format!("type '{other}' does not support field selection"));
                }
                Type::Dyn
            }
        };
        if is_optional || optional { Type::optional(result) } else { result }
    }

    fn check_call(&mut self, id: NodeId, target: Option<NodeId>, function: &str, arguments: &[NodeId]) {
        if function == "_?._" {
            let field = match self.checked.tree.kind(arguments[1]) {
                Kind::Literal(Value::String(field)) => field.to_string(),
                _ => String::new(),
            };
            self.set(arguments[1], Type::String);
            let ty = self.field_type(id, arguments[0], &field, true);
            let ty = self.bindings.substitute(&ty, false);
            self.set(id, ty);
            self.checked.overloads[id as usize].push("select_optional_field");
            return;
        }
        for argument in arguments {
            self.check(*argument);
        }
        let known = |function: &str| {
            overloads(function)
                .filter(|_| function != "jsonpatch.escapeKey" || self.environment.has_patches())
        };
        let Some(target) = target else {
            match known(function) {
                Some(found) => self.resolve_overload(id, function, found, None, arguments),
                None => self.undeclared(id, function),
            }
            return;
        };
        // `a.b.c()` is a function of that name, or the function `c` of `a.b`.
        if let Some(prefix) = self.checked.tree.qualified_name(target) {
            let name = format!("{prefix}.{function}");
            let name = name.strip_prefix('.').unwrap_or(&name);
            if let Some(found) = known(name) {
                self.checked.tree.nodes[id as usize].kind =
                    Kind::Call { target: None, function: name.into(), arguments: arguments.to_vec() };
                self.resolve_overload(id, name, found, None, arguments);
                return;
            }
        }
        self.check(target);
        match overloads(function) {
            Some(found) => self.resolve_overload(id, function, found, Some(target), arguments),
            None => self.undeclared(id, function),
        }
    }

    fn resolve_overload(
        &mut self,
        id: NodeId,
        function: &str,
        candidates: &'static [Overload],
        target: Option<NodeId>,
        arguments: &[NodeId],
    ) {
        let nodes: Vec<NodeId> = target.iter().chain(arguments).copied().collect();
        let types: Vec<Type> = nodes.iter().map(|node| self.ty(*node)).collect();
        if matches!(function, "_&&_" | "_||_") {
            let mut fits = true;
            for (node, ty) in nodes.iter().zip(&types) {
                if !self.bindings.assignable(ty, &Type::Bool) {
                    self.mismatch(*node, &Type::Bool, ty);
                    fits = false;
                }
            }
            self.set(id, if fits { Type::Bool } else { Type::Error });
            self.checked.overloads[id as usize].push(candidates[0].id);
            return;
        }
        let mut result: Option<Type> = None;
        for overload in candidates.iter().filter(|overload| overload.is_member == target.is_some()) {
            if overload.arguments.len() != types.len() {
                continue;
            }
            let fresh: Vec<(String, Type)> =
                overload.parameters.iter().map(|name| (name.clone(), self.fresh())).collect();
            let instance: Vec<Type> = overload.arguments.iter().map(|ty| instantiate(ty, &fresh)).collect();
            if !self.bindings.all_assignable(&types, &instance) {
                continue;
            }
            self.checked.overloads[id as usize].push(overload.id);
            let ty = self.bindings.substitute(&instantiate(&overload.result, &fresh), false);
            result = Some(match result {
                None => ty,
                Some(before) if before.is_dyn() || before == ty => before,
                Some(_) => Type::Dyn,
            });
        }
        let ty = result.unwrap_or_else(|| {
            let shown: Vec<String> =
                types.iter().map(|ty| self.bindings.substitute(ty, true).to_string()).collect();
            let signature = match (target, shown.split_first()) {
                (Some(_), Some((first, rest))) => format!("{first}.({})", rest.join(", ")),
                _ => format!("({})", shown.join(", ")),
            };
            self.report(id, format!("found no matching overload for '{function}' applied to '{signature}'"));
            Type::Error
        });
        self.set(id, ty);
    }

    fn check_struct(&mut self, id: NodeId, name: &str, fields: &[crate::syntax::ast::Field]) {
        let plain = name.strip_prefix('.').unwrap_or(name);
        let Some(found) = self.look_up(name) else {
            self.undeclared(id, name);
            return;
        };
        let ty = match found {
            Name::OfType(ty @ Type::Struct(_)) => ty,
            Name::OfType(other) => {
                let shown = match other {
                    Type::Opaque(name, _) => name.to_string(),
                    other => type_name(&other).to_owned(),
                };
                self.report(id, format!("'{shown}' is not a message type"));
                Type::Error
            }
            Name::Local(ty) | Name::Variable(ty) => {
                self.report(id, format!("'{ty}' is not a type"));
                Type::Error
            }
        };
        self.set(id, ty);
        for field in fields {
            self.check(field.value);
            let is_patch = self.environment.is_patch_type(plain);
            let declared = match self.environment.declaration(plain) {
                None if is_patch => patch_field(plain, &field.name),
                None => {
                    self.problems.report(field.at, format!("unexpected failed resolution of '{plain}'"));
                    Type::Error
                }
                Some(declaration) => match declaration.field(&field.name) {
                    Some(found) => found.ty(),
                    None => {
                        self.problems.report(field.at, format!("undefined field '{}'", field.name));
                        Type::Error
                    }
                },
            };
            let given = self.element_type(field.value, field.optional);
            if !self.bindings.assignable(&declared, &given) {
                self.problems.report(
                    field.at,
                    format!(
                        "expected type of field '{}' is '{declared}' but provided type is '{given}'",
                        field.name
                    ),
                );
            }
        }
    }

    fn check_fold(&mut self, id: NodeId, fold: &Fold) {
        self.check(fold.range);
        self.check(fold.start);
        let range = self.bindings.substitute(&self.ty(fold.range), false);
        let gathered = self.ty(fold.start);
        let depth = self.scopes.len();
        self.scopes.push((Arc::clone(&fold.accumulator), gathered.clone()));
        let (first, second) = match &range {
            Type::List(item) if fold.second.is_some() => (Type::Int, (**item).clone()),
            Type::List(item) => ((**item).clone(), Type::Dyn),
            Type::Map(pair) => (pair.0.clone(), pair.1.clone()),
            Type::Dyn | Type::Error | Type::Param(_) => {
                self.bindings.assignable(&Type::Dyn, &range);
                (Type::Dyn, Type::Dyn)
            }
            other => {
                self.report(
                    fold.range,
                    format!(
                        "expression of type '{other}' cannot be range of a comprehension (must be list, map, or dynamic)"
                    ),
                );
                (Type::Error, Type::Error)
            }
        };
        self.scopes.push((Arc::clone(&fold.variable), first));
        if let Some(name) = &fold.second {
            self.scopes.push((Arc::clone(name), second));
        }
        self.check(fold.condition);
        self.assert(fold.condition, &Type::Bool);
        self.check(fold.step);
        self.assert(fold.step, &gathered);
        self.scopes.truncate(depth + 1);
        self.check(fold.result);
        self.scopes.truncate(depth);
        let ty = self.bindings.substitute(&self.ty(fold.result), false);
        self.set(id, ty);
    }

    fn assert(&mut self, id: NodeId, expected: &Type) {
        let found = self.ty(id);
        if !self.bindings.assignable(expected, &found) {
            self.mismatch(id, expected, &found);
        }
    }
}

/// The type of a field of what patches are made of.
fn patch_field(name: &str, field: &str) -> Type {
    match (name, field) {
        ("JSONPatch", "op" | "from" | "path") => Type::String,
        ("JSONPatch", "value") => Type::Dyn,
        // kube-apiserver knows of every field, but of these no type; nothing fits one without a name.
        ("JSONPatch", _) => Type::Opaque("".into(), [].into()),
        _ => Type::Dyn,
    }
}

fn instantiate(ty: &Type, fresh: &[(String, Type)]) -> Type {
    match ty {
        Type::Param(name) => match fresh.iter().find(|(known, _)| **known == **name) {
            Some((_, ty)) => ty.clone(),
            None => ty.clone(),
        },
        _ => ty.with_parameters(|inner| instantiate(inner, fresh)),
    }
}

/// The name of a type without what it is made of.
pub(crate) fn type_name(ty: &Type) -> &str {
    match ty {
        Type::Dyn => "dyn",
        Type::Error => "error",
        Type::Null => "null_type",
        Type::Bool => "bool",
        Type::Int => "int",
        Type::Uint => "uint",
        Type::Double => "double",
        Type::String => "string",
        Type::Bytes => "bytes",
        Type::Duration => "google.protobuf.Duration",
        Type::Timestamp => "google.protobuf.Timestamp",
        Type::List(_) => "list",
        Type::Map(_) => "map",
        Type::Type(_) => "type",
        Type::Struct(name) | Type::Opaque(name, _) | Type::Param(name) => name,
    }
}
