//! Evaluates variables, fields and methods.

use windlass_go::fmt::quote;

use super::{Executor, Failure, Operand};
use crate::set::MissingKey;
use crate::stack;
use crate::tree::{Expression, NO_SLOT, Place, Span};
use crate::value::{Kind, Str, Type, Value};

impl Executor<'_, '_, '_> {
    /// Evaluates a variable with the fields behind it.
    pub(super) fn variable(
        &mut self,
        dot: &Operand,
        expression: Expression,
        arguments: Option<Span>,
        last: Option<Value>,
    ) -> Result<Value, Failure> {
        let Expression::Variable { slot, names, .. } = expression else {
            return Err(self.complain("not a variable"));
        };
        self.place = Place::Expression(expression);
        if slot == NO_SLOT {
            return Err(self.undefined(names.start));
        }
        if names.len() == 1 {
            if let Some(arguments) = arguments {
                self.not_a_function(arguments, last.is_some())?;
            }
            let operand = &self.slots[slot as usize];
            self.was_boxed = operand.is_boxed;
            return Ok(operand.value.clone());
        }
        let value = self.slots[slot as usize].clone();
        let fields = Span { start: names.start + 1, end: names.end };
        self.chain(dot, &value, Place::Expression(expression), fields, arguments, last)
    }

    /// Evaluates the fields of what is between parentheses, or of a function's result.
    pub(super) fn chained(
        &mut self,
        dot: &Operand,
        expression: Expression,
        arguments: Option<Span>,
        last: Option<Value>,
    ) -> Result<Value, Failure> {
        let Expression::Chain { inner, names, .. } = expression else {
            return Err(self.complain("not a chain"));
        };
        self.place = Place::Expression(expression);
        let inner = self.tree.expressions[inner as usize];
        if matches!(inner, Expression::Nil { .. }) {
            let source = self.tree.source(self.place);
            return Err(self.complain(format!("indirection through explicit nil in {source}")));
        }
        self.place = Place::Expression(inner);
        let value = match inner {
            Expression::Pipe { pipe } => stack::deepen(|| self.pipeline(dot, pipe))?,
            _ => self.argument(dot, None, inner)?,
        };
        self.chain(dot, &Operand::plain(value), Place::Expression(expression), names, arguments, last)
    }

    /// Looks up one field after the other; the last may be a method with arguments.
    pub(super) fn chain(
        &mut self,
        dot: &Operand,
        receiver: &Operand,
        node: Place,
        names: Span,
        arguments: Option<Span>,
        last: Option<Value>,
    ) -> Result<Value, Failure> {
        let tree = self.tree;
        let Some((name, names)) = tree.names(names).split_last() else { return Ok(receiver.value.clone()) };
        let Some((first, names)) = names.split_first() else {
            let operand = self.field(dot, name, node, arguments, last, receiver)?;
            self.was_boxed = operand.is_boxed;
            return Ok(operand.value);
        };
        let mut value = self.field(dot, first, node, None, None, receiver)?;
        for name in names {
            value = self.field(dot, name, node, None, None, &value)?;
        }
        let operand = self.field(dot, name, node, arguments, last, &value)?;
        self.was_boxed = operand.is_boxed;
        Ok(operand.value)
    }

    fn field(
        &mut self,
        dot: &Operand,
        name: &Str,
        node: Place,
        arguments: Option<Span>,
        last: Option<Value>,
        receiver: &Operand,
    ) -> Result<Operand, Failure> {
        let value = &receiver.value;
        match value {
            Value::NoValue if self.missing() == MissingKey::Error => {
                let name = quote(name.as_bytes());
                return Err(self.complain(format!("nil data; no entry for key {name}")));
            }
            Value::NoValue => return Ok(Operand::plain(Value::NoValue)),
            Value::Nil => {
                return Err(self.complain(format!("nil pointer evaluating interface {{}}.{name}")));
            }
            _ => {}
        }
        if let Some(methods) = value.type_of().methods
            && let Some(method) = name.as_str()
            && let Some(signature) = methods.signature(method)
        {
            let value = self.method(dot, (methods, value, signature), node, method, arguments, last)?;
            return Ok(Operand::plain(value));
        }
        let has_arguments = arguments.is_some_and(|arguments| arguments.len() > 1) || last.is_some();
        match value {
            Value::Map(_) if has_arguments => {
                Err(self.complain(format!("{name} is not a method but has arguments")))
            }
            Value::Map(map) => {
                let is_boxed = is_boxed(map.type_of());
                match map.get(name) {
                    Some(value) => Ok(Operand { value, is_boxed }),
                    None => self.missing_key(name, map.type_of()),
                }
            }
            Value::Object(object) => match name.as_str().and_then(|name| object.field(name)) {
                Some(_) if has_arguments => {
                    Err(self.complain(format!("{name} has arguments but cannot be invoked as function")))
                }
                Some(value) => Ok(Operand::plain(value)),
                None => Err(self.no_field(name, receiver)),
            },
            Value::NilOf(kind)
                if kind.kind == Kind::Ptr && kind.fields.iter().any(|field| name == *field) =>
            {
                let kind = if receiver.is_boxed { "interface {}" } else { kind.name };
                Err(self.complain(format!("nil pointer evaluating {kind}.{name}")))
            }
            _ => Err(self.no_field(name, receiver)),
        }
    }

    fn missing(&self) -> MissingKey {
        self.context.set().missing()
    }

    fn missing_key(&self, name: &Str, kind: &Type) -> Result<Operand, Failure> {
        match self.missing() {
            MissingKey::Default => Ok(Operand::plain(Value::NoValue)),
            MissingKey::Zero => {
                Ok(Operand { value: kind.element.map_or(Value::Nil, Value::zero), is_boxed: is_boxed(kind) })
            }
            MissingKey::Error => {
                let name = quote(name.as_bytes());
                Err(self.complain(format!("map has no entry for key {name}")))
            }
        }
    }

    fn no_field(&self, name: &Str, receiver: &Operand) -> Failure {
        let kind = if receiver.is_boxed { "interface {}" } else { receiver.value.type_of().name };
        if let Value::Object(object) = &receiver.value
            && object.fields().iter().any(|(field, _)| name == *field)
        {
            return self.complain(format!("{name} is an unexported field of struct type {kind}"));
        }
        self.complain(format!("can't evaluate field {name} in type {kind}"))
    }
}

/// Whether what is in a container of that type is seen as an `interface {}`.
pub(super) fn is_boxed(kind: &Type) -> bool {
    kind.element.is_none_or(|element| element.kind == Kind::Interface)
}
