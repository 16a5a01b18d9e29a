//! Whether one type may stand for another, and what that binds placeholders to.

use crate::types::Type;
use std::collections::HashMap;
use std::sync::Arc;

/// What placeholders are bound to. A failed attempt leaves no trace.
#[derive(Default)]
pub(super) struct Bindings {
    bound: HashMap<Arc<str>, Type>,
    /// What was bound before, newest last, to go back to.
    trail: Vec<(Arc<str>, Option<Type>)>,
}

impl Bindings {
    fn find(&self, ty: &Type) -> Option<&Type> {
        match ty {
            Type::Param(name) => self.bound.get(name),
            _ => None,
        }
    }

    fn bind(&mut self, name: &Type, to: Type) {
        if let Type::Param(name) = name {
            let before = self.bound.insert(Arc::clone(name), to);
            self.trail.push((Arc::clone(name), before));
        }
    }

    /// Whether each of `left` fits its partner; binds nothing if one does not.
    pub(super) fn all_assignable(&mut self, left: &[Type], right: &[Type]) -> bool {
        self.trail.clear();
        let fits =
            left.len() == right.len() && left.iter().zip(right).all(|(left, right)| self.fits(left, right));
        if !fits {
            while let Some((name, before)) = self.trail.pop() {
                match before {
                    Some(before) => self.bound.insert(name, before),
                    None => self.bound.remove(&name),
                };
            }
        }
        fits
    }

    pub(super) fn assignable(&mut self, left: &Type, right: &Type) -> bool {
        self.all_assignable(std::slice::from_ref(left), std::slice::from_ref(right))
    }

    fn fits(&mut self, left: &Type, right: &Type) -> bool {
        if matches!(right, Type::Param(_)) {
            let (valid, is_bound) = self.stands_for(left, right);
            if valid {
                return true;
            }
            if is_bound {
                return false;
            }
        }
        if matches!(left, Type::Param(_)) {
            return self.stands_for(right, left).0;
        }
        if left.is_dyn_or_error() || right.is_dyn_or_error() {
            return true;
        }
        match (left, right) {
            (Type::Null, other) | (other, Type::Null) => {
                matches!(
                    other,
                    Type::Null | Type::Opaque(..) | Type::Struct(_) | Type::Duration | Type::Timestamp
                )
            }
            (Type::Type(_), Type::Type(_)) => true,
            (Type::List(left), Type::List(right)) => self.fits(left, right),
            (Type::Map(left), Type::Map(right)) => {
                self.fits(&left.0, &right.0) && self.fits(&left.1, &right.1)
            }
            (Type::Opaque(left_name, left), Type::Opaque(right_name, right)) => {
                left_name == right_name
                    && left.len() == right.len()
                    && left.iter().zip(right.iter()).all(|(left, right)| self.fits(left, right))
            }
            (left, right) => left == right,
        }
    }

    /// Whether the placeholder may be `ty`, and whether it is bound already.
    fn stands_for(&mut self, ty: &Type, placeholder: &Type) -> (bool, bool) {
        if ty == placeholder {
            return (true, true);
        }
        if let Some(bound) = self.find(placeholder).cloned() {
            if *ty == bound {
                return (true, true);
            }
            if self.fits(ty, &bound) {
                let general = most_general(ty, &bound);
                if self.does_not_occur(placeholder, &general) {
                    self.bind(placeholder, general);
                }
                return (true, true);
            }
            return (false, true);
        }
        if self.does_not_occur(placeholder, ty) {
            self.bind(placeholder, ty.clone());
            return (true, false);
        }
        (false, false)
    }

    fn does_not_occur(&self, placeholder: &Type, within: &Type) -> bool {
        if placeholder == within {
            return false;
        }
        match within {
            Type::Param(_) => match self.find(within) {
                Some(bound) => self.does_not_occur(placeholder, bound),
                None => true,
            },
            _ => within.parameters().into_iter().all(|inner| self.does_not_occur(placeholder, inner)),
        }
    }

    /// The type with what placeholders are bound to in their place, and `dyn` for the others if asked.
    pub(super) fn substitute(&self, ty: &Type, unbound_is_dyn: bool) -> Type {
        if let Some(bound) = self.find(ty) {
            return self.substitute(bound, unbound_is_dyn);
        }
        match ty {
            Type::Param(_) if unbound_is_dyn => Type::Dyn,
            _ => ty.with_parameters(|inner| self.substitute(inner, unbound_is_dyn)),
        }
    }
}

/// The more general of two types that fit each other.
pub(super) fn most_general(left: &Type, right: &Type) -> Type {
    if is_as_general(left, right) { left.clone() } else { right.clone() }
}

fn is_as_general(left: &Type, right: &Type) -> bool {
    if left.is_dyn() || matches!(left, Type::Param(_)) {
        return true;
    }
    if right.is_dyn() || matches!(right, Type::Param(_)) {
        return false;
    }
    match (left, right) {
        (Type::Type(_), Type::Type(_)) => true,
        (Type::List(left), Type::List(right)) => is_as_general(left, right),
        (Type::Map(left), Type::Map(right)) => {
            is_as_general(&left.0, &right.0) && is_as_general(&left.1, &right.1)
        }
        (Type::Opaque(left_name, left), Type::Opaque(right_name, right)) => {
            left_name == right_name
                && left.len() == right.len()
                && left.iter().zip(right.iter()).all(|(left, right)| is_as_general(left, right))
        }
        (left, right) => left == right,
    }
}
