//! Calls functions and methods: counts, evaluates and checks the arguments.

use smallvec::SmallVec;

use super::{Executor, Failure, Operand};
use crate::builtin;
use crate::error::ExecErrorKind;
use crate::function::{Function, FunctionError, Signature, Special};
use crate::stack;
use crate::tree::{Constant, Expression, Place, Span};
use crate::value::{Kind, Methods, Number, Str, Type, Value, types};

/// Arguments of one call; most calls have no more than this.
type Arguments = SmallVec<[Value; 4]>;

impl Executor<'_, '_, '_> {
    /// Calls a function. The first of the arguments is its name.
    pub(super) fn function(
        &mut self,
        dot: &Operand,
        (function, name): (&Function, &Str),
        node: Place,
        arguments: Option<Span>,
        last: Option<Value>,
    ) -> Result<Value, Failure> {
        let arguments = operands(arguments);
        let name = name.as_str().unwrap_or_default();
        self.count(function.signature(), name, arguments, last.is_some())?;
        let special = function.as_special();
        if let Some(which @ (Special::And | Special::Or)) = special {
            return self.short_circuit(dot, which, arguments, last);
        }
        let is_call = special == Some(Special::Call);
        let callee = is_call.then(|| self.callee(arguments, last.as_ref()));
        let is_slice = special == Some(Special::Slice);
        let values = self.arguments(dot, function.signature(), arguments, last, is_slice)?;
        let result = match callee {
            Some(callee) => builtin::call(self.context, &callee, &values),
            None => function.call(self.context, &values),
        };
        result.map_err(|error| self.failed(node, name, error))
    }

    /// Calls a method of a value.
    pub(super) fn method(
        &mut self,
        dot: &Operand,
        (methods, receiver, signature): (&dyn Methods, &Value, &Signature),
        node: Place,
        name: &str,
        arguments: Option<Span>,
        last: Option<Value>,
    ) -> Result<Value, Failure> {
        let arguments = operands(arguments);
        self.charge()?;
        self.count(signature, name, arguments, last.is_some())?;
        let values = self.arguments(dot, signature, arguments, last, false)?;
        let result = methods.call(receiver, name, self.context, &values);
        result.map_err(|error| self.failed(node, name, error))
    }

    fn failed(&mut self, node: Place, name: &str, error: FunctionError) -> Failure {
        self.place = node;
        self.fail(ExecErrorKind::Function { name: name.to_owned(), error })
    }

    fn count(&self, signature: &Signature, name: &str, given: Span, has_last: bool) -> Result<(), Failure> {
        let wanted = signature.parameters.len();
        let all = given.len() + usize::from(has_last);
        if signature.variadic.is_some() {
            if all < wanted {
                // The value of the command before is not counted here, in Go.
                let given = given.len();
                return Err(self.complain(format!(
                    "wrong number of args for {name}: want at least {wanted} got {given}"
                )));
            }
        } else if all != wanted {
            return Err(self.complain(format!("wrong number of args for {name}: want {wanted} got {all}")));
        }
        Ok(())
    }

    fn short_circuit(
        &mut self,
        dot: &Operand,
        which: Special,
        arguments: Span,
        last: Option<Value>,
    ) -> Result<Value, Failure> {
        let mut value = Value::NoValue;
        for index in arguments.indexes() {
            value = self.argument(dot, Some(&types::REFLECT), self.tree.expressions[index])?;
            if value.truth() == (which == Special::Or) {
                return Ok(value);
            }
        }
        Ok(last.unwrap_or(value))
    }

    /// What the errors of `call` call the function.
    fn callee(&self, arguments: Span, last: Option<&Value>) -> String {
        if arguments.len() > 0 {
            return self.tree.source(Place::Expression(self.tree.expressions[arguments.start as usize]));
        }
        match last {
            Some(Value::String(text)) => text.to_string(),
            None | Some(Value::NoValue | Value::Nil) => "<invalid Value>".to_owned(),
            Some(value) => format!("<{} Value>", value.type_of().name),
        }
    }

    fn arguments(
        &mut self,
        dot: &Operand,
        signature: &Signature,
        arguments: Span,
        last: Option<Value>,
        is_slice: bool,
    ) -> Result<Arguments, Failure> {
        let mut values = Arguments::with_capacity(arguments.len() + usize::from(last.is_some()));
        for (position, index) in arguments.indexes().enumerate() {
            let kind = signature.parameter(position).unwrap_or(&types::ANY);
            let expression = self.tree.expressions[index];
            let mut value = self.argument(dot, Some(kind), expression)?;
            if is_slice && position > 0 && self.is_boxed(dot, expression) {
                // Go's `slice`, unlike `index`, does not look into an interface.
                value = Value::NilOf(&types::ANY);
            }
            values.push(value);
        }
        if let Some(last) = last {
            let kind = signature.parameter(arguments.len()).unwrap_or(&types::ANY);
            values.push(self.checked(last, kind)?);
        }
        Ok(values)
    }

    /// Whether the argument just evaluated is seen as an `interface {}`.
    fn is_boxed(&self, dot: &Operand, expression: Expression) -> bool {
        match expression {
            Expression::Dot { .. } => dot.is_boxed,
            Expression::Field { .. } | Expression::Variable { .. } | Expression::Chain { .. } => {
                self.was_boxed
            }
            _ => false,
        }
    }

    /// Evaluates an argument for a parameter of type `kind`; without one, nothing is checked.
    pub(super) fn argument(
        &mut self,
        dot: &Operand,
        kind: Option<&'static Type>,
        expression: Expression,
    ) -> Result<Value, Failure> {
        self.place = Place::Expression(expression);
        let tree = self.tree;
        let value = match expression {
            Expression::Dot { .. } => dot.value.clone(),
            Expression::Nil { .. } => return self.nil_for(kind.unwrap_or(&types::ANY)),
            Expression::Field { names, .. } => self.chain(dot, dot, self.place, names, None, None)?,
            Expression::Variable { .. } => self.variable(dot, expression, None, None)?,
            Expression::Pipe { pipe } => stack::deepen(|| self.pipeline(dot, pipe))?,
            Expression::Identifier { name, function, .. } => {
                self.charge()?;
                let function = (&*tree.functions[function as usize], &tree.names[name as usize]);
                self.function(dot, function, self.place, None, None)?
            }
            Expression::Chain { .. } => self.chained(dot, expression, None, None)?,
            _ => return self.typed_constant(kind.unwrap_or(&types::ANY), expression),
        };
        match kind {
            Some(kind) => self.checked(value, kind),
            None => Ok(value),
        }
    }

    /// What `nil` is for a parameter of type `kind`.
    fn nil_for(&self, kind: &'static Type) -> Result<Value, Failure> {
        if kind == &types::REFLECT {
            return Ok(Value::NoValue);
        }
        if kind.kind.can_be_nil() {
            return Ok(Value::zero(kind));
        }
        Err(self.complain(format!("cannot assign nil to {}", kind.name)))
    }

    /// Checks that a value can be given where `kind` is declared.
    fn checked(&self, value: Value, kind: &'static Type) -> Result<Value, Failure> {
        if kind.kind == Kind::Interface {
            return Ok(if matches!(value, Value::NoValue) { Value::Nil } else { value });
        }
        if kind == &types::REFLECT {
            return Ok(value);
        }
        match value {
            Value::NoValue if kind.kind.can_be_nil() => Ok(Value::zero(kind)),
            Value::NoValue => Err(self.complain(format!("invalid value; expected {}", kind.name))),
            Value::Nil => Err(self.wrong_type(kind, "interface {}")),
            _ if value.type_of().assignable_to(kind) => Ok(value),
            _ => Err(self.wrong_type(kind, value.type_of().name)),
        }
    }

    fn wrong_type(&self, wanted: &Type, given: &str) -> Failure {
        self.complain(format!("wrong type for value; expected {}; got {given}", wanted.name))
    }

    /// A constant as a value of the parameter's type.
    fn typed_constant(&mut self, kind: &'static Type, expression: Expression) -> Result<Value, Failure> {
        if kind.kind == Kind::Interface || kind == &types::REFLECT {
            return self.constant(expression);
        }
        let number = match expression {
            Expression::Number { number, .. } => Some(&self.tree.numbers[number as usize]),
            _ => None,
        };
        let (value, expected) = match (kind.kind, expression) {
            (Kind::Bool, Expression::Bool { value, .. }) => (Some(Value::Bool(value)), "bool"),
            (Kind::Bool, _) => (None, "bool"),
            (Kind::String, Expression::String { string, .. }) => {
                (Some(self.tree.strings[string as usize].clone()), "string")
            }
            (Kind::String, _) => (None, "string"),
            (Kind::Complex128, _) => {
                let value = number.and_then(|number| number.complex);
                (value.map(|(real, imaginary)| Value::Number(Number::Complex128(real, imaginary))), "complex")
            }
            (kind, _) if kind.is_float() => (number.and_then(|number| float(kind, number)), "float"),
            (basic, _) if basic.is_int() => {
                let int = number.and_then(|number| number.int);
                (int.map(|int| Value::integer(kind, int).unwrap_or(Value::Int64(int))), "integer")
            }
            (basic, _) if basic.is_uint() => {
                let uint = number.and_then(|number| number.uint);
                let value = uint.and_then(|uint| Value::integer(kind, uint.cast_signed()));
                (value, "unsigned integer")
            }
            _ => {
                let source = self.tree.source(Place::Expression(expression));
                return Err(self.complain(format!("can't handle {source} for arg of type {}", kind.name)));
            }
        };
        value.ok_or_else(|| {
            let source = self.tree.source(Place::Expression(expression));
            self.complain(format!("expected {expected}; found {source}"))
        })
    }
}

/// The arguments without the function's name, which is the first.
fn operands(arguments: Option<Span>) -> Span {
    arguments.map_or(Span::default(), |arguments| Span { start: arguments.start + 1, end: arguments.end })
}

#[expect(clippy::cast_possible_truncation, reason = "Go's reflect.Value.SetFloat narrows, too")]
fn float(kind: Kind, number: &Constant) -> Option<Value> {
    let float = number.float?;
    Some(if kind == Kind::Float32 {
        Value::Number(Number::Float32(float as f32))
    } else {
        Value::Float(float)
    })
}
