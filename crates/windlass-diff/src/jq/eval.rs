//! Evaluates terms: every value that a term gives is handed on with the path that it was found at.

use std::cell::Cell;
use std::rc::Rc;

use windlass_kube::{Map, Str, Value};

use super::builtin::{self, PRELUDE};
use super::parse::{Function, Pattern, Term, TextPart};
use super::{JqError, MAX_DEPTH, MAX_STEPS, Step, bounds, child, position};

/// Why an evaluation does not go on.
#[derive(Debug)]
pub(super) enum Stop {
    /// An error that `try` catches.
    Error(Value),
    /// `break`, to the label with this number.
    Break(u64),
    /// A limit, which nothing catches.
    Limit(JqError),
}

/// Ends with an error that `try` catches.
pub(super) fn raise<T>(message: impl Into<Str>) -> Result<T, Stop> {
    Err(Stop::Error(Value::String(message.into())))
}

/// Where a value was found.
#[derive(Debug, Clone)]
pub(super) enum Place {
    /// Nobody asks.
    Unasked,
    /// Here.
    At(Option<Rc<Trail>>),
    /// It was computed and is found nowhere.
    Nowhere,
}

/// A path, last step first.
#[derive(Debug)]
pub(super) struct Trail {
    step: Step,
    before: Option<Rc<Trail>>,
}

impl Place {
    pub(super) fn then(&self, step: Step) -> Self {
        match self {
            Self::At(before) => Self::At(Some(Rc::new(Trail { step, before: before.clone() }))),
            other => other.clone(),
        }
    }

    /// The place of something computed.
    pub(super) fn lost(&self) -> Self {
        if matches!(self, Self::Unasked) { Self::Unasked } else { Self::Nowhere }
    }

    fn steps(&self) -> Option<Vec<Step>> {
        let Self::At(mut trail) = self.clone() else { return None };
        let mut steps = Vec::new();
        while let Some(found) = trail {
            steps.push(found.step.clone());
            trail = found.before.clone();
        }
        steps.reverse();
        Some(steps)
    }
}

/// A value and its place.
#[derive(Debug, Clone)]
pub(super) struct Item {
    pub(super) value: Value,
    pub(super) place: Place,
}

impl Item {
    pub(super) fn computed(&self, value: impl Into<Value>) -> Self {
        Self { value: value.into(), place: self.place.lost() }
    }

    pub(super) fn plain(value: impl Into<Value>) -> Self {
        Self { value: value.into(), place: Place::Unasked }
    }

    fn traced(&self) -> Self {
        Self { value: self.value.clone(), place: Place::At(None) }
    }
}

/// What is bound where a term stands, innermost first.
#[derive(Clone)]
pub(super) struct Scope<'t>(Option<Rc<Bound<'t>>>);

struct Bound<'t> {
    name: &'t str,
    what: What<'t>,
    before: Scope<'t>,
}

enum What<'t> {
    Variable(Value),
    Label(u64),
    /// A function; its own scope is the one that ends with it.
    Function(&'t Function),
    /// An argument that is a filter.
    Argument(&'t Term, Scope<'t>),
}

impl<'t> Scope<'t> {
    fn with(&self, name: &'t str, what: What<'t>) -> Self {
        Self(Some(Rc::new(Bound { name, what, before: self.clone() })))
    }

    fn iter(&self) -> impl Iterator<Item = &Rc<Bound<'t>>> {
        std::iter::successors(self.0.as_ref(), |bound| bound.before.0.as_ref())
    }
}

pub(super) type Sink<'s> = &'s mut dyn FnMut(Item) -> Result<(), Stop>;

/// Counts what an evaluation takes.
pub(super) struct Machine {
    steps: Cell<u64>,
    depth: Cell<u32>,
    labels: Cell<u64>,
}

/// Values of this many bytes or items cost one step more: what is copied is paid for.
const SIZE_PER_STEP: usize = 32;

pub(super) fn run(term: &Term, input: &Value) -> Result<Vec<Value>, JqError> {
    let mut found = Vec::new();
    start(term, &Item::plain(input.clone()), &mut |item| {
        found.push(item.value);
        Ok(())
    })?;
    Ok(found)
}

pub(super) fn paths(term: &Term, input: &Value) -> Result<Vec<Vec<Step>>, JqError> {
    let mut found = Vec::new();
    start(term, &Item { value: input.clone(), place: Place::At(None) }, &mut |item| {
        match item.place.steps() {
            Some(steps) => found.push(steps),
            None => return raise("a result is no part of the object"),
        }
        Ok(())
    })?;
    Ok(found)
}

fn start(term: &Term, input: &Item, out: Sink<'_>) -> Result<(), JqError> {
    let machine = Machine { steps: Cell::new(0), depth: Cell::new(0), labels: Cell::new(0) };
    let mut scope = Scope(None);
    for function in PRELUDE.iter() {
        scope = scope.with(&function.name, What::Function(function));
    }
    match machine.eval(term, &scope, input, out) {
        Ok(()) => Ok(()),
        Err(Stop::Error(value)) => Err(JqError::Raised(match value {
            Value::String(text) => text.to_string(),
            other => builtin::to_text(&other),
        })),
        Err(Stop::Break(_)) => Err(JqError::Raised("break without its label".into())),
        Err(Stop::Limit(limit)) => Err(limit),
    }
}

impl Machine {
    /// Pays for work on something of this size.
    pub(super) fn pay(&self, size: usize) -> Result<(), Stop> {
        let steps = self.steps.get() + 1 + (size / SIZE_PER_STEP) as u64;
        self.steps.set(steps);
        if steps > MAX_STEPS { Err(Stop::Limit(JqError::Steps)) } else { Ok(()) }
    }

    /// Hands everything that `term` gives for `item` to `out`.
    pub(super) fn eval<'t>(
        &self,
        term: &'t Term,
        scope: &Scope<'t>,
        item: &Item,
        out: Sink<'_>,
    ) -> Result<(), Stop> {
        self.pay(0)?;
        let depth = self.depth.get() + 1;
        if depth > MAX_DEPTH {
            return Err(Stop::Limit(JqError::Depth));
        }
        self.depth.set(depth);
        /// Room that one level needs at most, and what is added when it is short.
        const ROOM: usize = 128 * 1024;
        const MORE: usize = 2 * 1024 * 1024;
        let result = stacker::maybe_grow(ROOM, MORE, || self.eval_inside(term, scope, item, out));
        self.depth.set(depth - 1);
        result
    }

    /// All that `term` gives, without places.
    pub(super) fn all<'t>(
        &self,
        term: &'t Term,
        scope: &Scope<'t>,
        value: &Value,
    ) -> Result<Vec<Value>, Stop> {
        let mut found = Vec::new();
        self.eval(term, scope, &Item::plain(value.clone()), &mut |item| {
            found.push(item.value);
            Ok(())
        })?;
        Ok(found)
    }

    fn each<'t>(
        &self,
        term: &'t Term,
        scope: &Scope<'t>,
        item: &Item,
        with: &mut dyn FnMut(Value) -> Result<(), Stop>,
    ) -> Result<(), Stop> {
        self.eval(term, scope, &Item::plain(item.value.clone()), &mut |found| with(found.value))
    }

    fn eval_inside<'t>(
        &self,
        term: &'t Term,
        scope: &Scope<'t>,
        item: &Item,
        out: Sink<'_>,
    ) -> Result<(), Stop> {
        match term {
            Term::Identity => out(item.clone()),
            Term::Literal(value) => out(item.computed(value.clone())),
            Term::Variable(name) => match self.variable(name, scope) {
                Some(value) => out(item.computed(value)),
                None => raise(format!("variable ${name} is not bound")),
            },
            Term::Pipe(first, second) => {
                self.eval(first, scope, item, &mut |found| self.eval(second, scope, &found, out))
            }
            Term::Comma(first, second) => {
                self.eval(first, scope, item, out)?;
                self.eval(second, scope, item, out)
            }
            Term::Index(of, key) => self.eval(of, scope, item, &mut |found| {
                self.each(key, scope, item, &mut |key| {
                    if let Value::Object(bounds) = &key {
                        let bound = |name| bounds.get(name).and_then(Value::as_int);
                        return out(slice(&found, bound("start"), bound("end"))?);
                    }
                    out(index(&found, &key)?)
                })
            }),
            Term::Slice(of, from, to) => self.eval(of, scope, item, &mut |found| {
                let bound = |term: &'t Option<Box<Term>>| match term {
                    None => Ok(vec![Value::Null]),
                    Some(term) => self.all(term, scope, &item.value),
                };
                for to in bound(to)? {
                    for from in bound(from)? {
                        out(slice(&found, bound_of(&from, f64::floor)?, bound_of(&to, f64::ceil)?)?)?;
                    }
                }
                Ok(())
            }),
            Term::Iterate(of) => self.eval(of, scope, item, &mut |found| self.iterate(&found, out)),
            Term::Negate(of) => self.each(of, scope, item, &mut |value| {
                out(item.computed(builtin::arithmetic(self, "-", &Value::Int(0), &value)?))
            }),
            Term::Binary(op, left, right) => self.each(right, scope, item, &mut |right| {
                self.each(left, scope, item, &mut |left| {
                    out(item.computed(builtin::binary(self, op, &left, &right)?))
                })
            }),
            Term::And(left, right) => self.each(left, scope, item, &mut |left| {
                if !truthy(&left) {
                    return out(item.computed(false));
                }
                self.each(right, scope, item, &mut |right| out(item.computed(truthy(&right))))
            }),
            Term::Or(left, right) => self.each(left, scope, item, &mut |left| {
                if truthy(&left) {
                    return out(item.computed(true));
                }
                self.each(right, scope, item, &mut |right| out(item.computed(truthy(&right))))
            }),
            Term::Alternative(left, right) => self.alternative(left, right, scope, item, out),
            Term::Try(body, caught) => self.guard(body, caught.as_deref(), scope, item, out),
            Term::If(test, then, otherwise) => {
                self.each(test, scope, item, &mut |found| match (truthy(&found), otherwise) {
                    (true, _) => self.eval(then, scope, item, out),
                    (false, Some(otherwise)) => self.eval(otherwise, scope, item, out),
                    (false, None) => out(item.clone()),
                })
            }
            Term::Reduce(source, pattern, start, update) => self.eval(start, scope, item, &mut |start| {
                let mut state = Some(start);
                self.each(source, scope, item, &mut |value| {
                    self.bind(pattern, &value, scope, &mut |scope| {
                        let before = state.take().unwrap_or_else(|| Item::plain(Value::Null));
                        let before = item.computed(before.value);
                        self.eval(update, &scope, &before, &mut |next| {
                            state = Some(next);
                            Ok(())
                        })
                    })
                })?;
                out(state.take().unwrap_or_else(|| item.computed(Value::Null)))
            }),
            Term::Foreach(source, pattern, start, update, extract) => {
                self.eval(start, scope, item, &mut |start| {
                    let mut state = start;
                    self.each(source, scope, item, &mut |value| {
                        self.bind(pattern, &value, scope, &mut |scope| {
                            let before = state.clone();
                            self.eval(update, &scope, &before, &mut |next| {
                                state = next.clone();
                                match extract {
                                    Some(extract) => self.eval(extract, &scope, &next, out),
                                    None => out(next),
                                }
                            })
                        })
                    })
                })
            }
            Term::Bind(source, pattern, body) => self.each(source, scope, item, &mut |value| {
                self.bind(pattern, &value, scope, &mut |scope| self.eval(body, &scope, item, out))
            }),
            Term::Label(name, body) => {
                let label = self.labels.get() + 1;
                self.labels.set(label);
                let inner = scope.with(name, What::Label(label));
                match self.eval(body, &inner, item, out) {
                    Err(Stop::Break(broken)) if broken == label => Ok(()),
                    other => other,
                }
            }
            Term::Break(name) => {
                let label = scope.iter().find_map(|bound| match bound.what {
                    What::Label(label) if bound.name == name => Some(label),
                    _ => None,
                });
                label.map_or_else(|| raise(format!("label ${name} is not there")), |it| Err(Stop::Break(it)))
            }
            Term::Define(function, body) => {
                self.eval(body, &scope.with(&function.name, What::Function(function)), item, out)
            }
            Term::Call(name, arguments) => self.call(name, arguments, scope, item, out),
            Term::List(body) => {
                let items = match body {
                    None => Vec::new(),
                    Some(body) => self.all(body, scope, &item.value)?,
                };
                self.pay(items.len())?;
                out(item.computed(Value::Array(items.into())))
            }
            Term::Object(members) => self.object(members, Map::new(), scope, item, out),
            Term::Format(name) => out(item.computed(builtin::format(name, &item.value)?)),
            Term::Text(format, parts) => {
                self.text(format.as_deref().unwrap_or("text"), parts, String::new(), scope, item, out)
            }
        }
    }

    fn variable(&self, name: &str, scope: &Scope<'_>) -> Option<Value> {
        scope.iter().find_map(|bound| match &bound.what {
            What::Variable(value) if bound.name == name => Some(value.clone()),
            _ => None,
        })
    }

    fn iterate(&self, item: &Item, out: Sink<'_>) -> Result<(), Stop> {
        has_place(item)?;
        match &item.value {
            Value::Array(items) => {
                for (idx, value) in items.iter().enumerate() {
                    let step = Step::Index(i64::try_from(idx).unwrap_or(i64::MAX));
                    self.pay(0)?;
                    out(Item { value: value.clone(), place: item.place.then(step) })?;
                }
            }
            Value::Object(map) => {
                for (key, value) in map.iter() {
                    self.pay(0)?;
                    out(Item { value: value.clone(), place: item.place.then(Step::Key(key.clone())) })?;
                }
            }
            other => return raise(format!("cannot iterate over {}", builtin::shown(other))),
        }
        Ok(())
    }

    fn alternative<'t>(
        &self,
        left: &'t Term,
        right: &'t Term,
        scope: &Scope<'t>,
        item: &Item,
        out: Sink<'_>,
    ) -> Result<(), Stop> {
        let mut any = false;
        // Errors of the left side count as nothing; errors of what follows must not be caught here.
        let mut after = None;
        let result = self.eval(left, scope, item, &mut |found| {
            if truthy(&found.value) {
                any = true;
                out(found).inspect_err(|_| after = Some(()))?;
            }
            Ok(())
        });
        match result {
            Err(stop) if after.is_some() => return Err(stop),
            Err(Stop::Error(_)) | Ok(()) => {}
            Err(other) => return Err(other),
        }
        if any { Ok(()) } else { self.eval(right, scope, item, out) }
    }

    fn guard<'t>(
        &self,
        body: &'t Term,
        caught: Option<&'t Term>,
        scope: &Scope<'t>,
        item: &Item,
        out: Sink<'_>,
    ) -> Result<(), Stop> {
        let mut after = None;
        let result = self.eval(body, scope, item, &mut |found| out(found).inspect_err(|_| after = Some(())));
        match result {
            Err(stop) if after.is_some() => Err(stop),
            Err(Stop::Error(error)) => match caught {
                Some(caught) => self.eval(caught, scope, &item.computed(error), out),
                None => Ok(()),
            },
            other => other,
        }
    }

    fn bind<'t>(
        &self,
        pattern: &'t Pattern,
        value: &Value,
        scope: &Scope<'t>,
        with: &mut dyn FnMut(Scope<'t>) -> Result<(), Stop>,
    ) -> Result<(), Stop> {
        match pattern {
            Pattern::Variable(name) => with(scope.with(name, What::Variable(value.clone()))),
            Pattern::List(items) => self.bind_list(items, 0, value, scope, with),
            Pattern::Object(members) => self.bind_object(members, value, scope, with),
        }
    }

    fn bind_list<'t>(
        &self,
        items: &'t [Pattern],
        at: i64,
        value: &Value,
        scope: &Scope<'t>,
        with: &mut dyn FnMut(Scope<'t>) -> Result<(), Stop>,
    ) -> Result<(), Stop> {
        let Some((first, rest)) = items.split_first() else { return with(scope.clone()) };
        let part = index(&Item::plain(value.clone()), &Value::Int(at))?.value;
        self.bind(first, &part, scope, &mut |scope| self.bind_list(rest, at + 1, value, &scope, with))
    }

    fn bind_object<'t>(
        &self,
        members: &'t [(Term, Option<Str>, Option<Pattern>)],
        value: &Value,
        scope: &Scope<'t>,
        with: &mut dyn FnMut(Scope<'t>) -> Result<(), Stop>,
    ) -> Result<(), Stop> {
        let Some(((key, name, below), rest)) = members.split_first() else { return with(scope.clone()) };
        for key in self.all(key, scope, value)? {
            let part = index(&Item::plain(value.clone()), &key)?.value;
            let scope = match name {
                Some(name) => scope.with(name, What::Variable(part.clone())),
                None => scope.clone(),
            };
            match below {
                Some(below) => {
                    self.bind(below, &part, &scope, &mut |scope| {
                        self.bind_object(rest, value, &scope, with)
                    })?;
                }
                None => self.bind_object(rest, value, &scope, with)?,
            }
        }
        Ok(())
    }

    fn call<'t>(
        &self,
        name: &'t str,
        arguments: &'t [Term],
        scope: &Scope<'t>,
        item: &Item,
        out: Sink<'_>,
    ) -> Result<(), Stop> {
        for bound in scope.iter().filter(|bound| bound.name == name) {
            match &bound.what {
                What::Argument(term, of) if arguments.is_empty() => return self.eval(term, of, item, out),
                What::Function(function) if function.parameters.len() == arguments.len() => {
                    let mut inner = Scope(Some(bound.clone()));
                    for (parameter, argument) in function.parameters.iter().zip(arguments) {
                        inner = inner.with(parameter, What::Argument(argument, scope.clone()));
                    }
                    return self.eval(&function.body, &inner, item, out);
                }
                _ => {}
            }
        }
        match (name, arguments) {
            ("empty", []) => Ok(()),
            ("error", []) => Err(Stop::Error(item.value.clone())),
            ("error", [message]) => self.each(message, scope, item, &mut |it| Err(Stop::Error(it))),
            ("path", [of]) => self.eval(of, scope, &item.traced(), &mut |found| match found.place.steps() {
                Some(steps) => out(item.computed(builtin::from_steps(&steps))),
                None => raise("invalid path expression"),
            }),
            ("getpath", [of]) => self.each(of, scope, item, &mut |path| {
                has_place(item)?;
                let mut found = item.clone();
                for step in builtin::to_steps(&path)? {
                    let value = match (&found.value, &step) {
                        (Value::Null, _) => Value::Null,
                        (value, Step::Slice(from, to)) => {
                            slice(&Item::plain(value.clone()), *from, *to)?.value
                        }
                        (Value::Object(_), Step::Key(_)) | (Value::Array(_), Step::Index(_)) => {
                            child(&found.value, &step).cloned().unwrap_or_default()
                        }
                        (other, _) => {
                            return raise(format!("cannot follow the path into {}", builtin::shown(other)));
                        }
                    };
                    found = Item { value, place: found.place.then(step) };
                }
                out(found)
            }),
            ("recurse", []) => self.descend(item, out),
            ("select", [test]) => self.each(test, scope, item, &mut |found| {
                if truthy(&found) { out(item.clone()) } else { Ok(()) }
            }),
            ("first", [of]) => self.limited(1, of, scope, item, out),
            ("last", [of]) => {
                let mut last = None;
                self.eval(of, scope, item, &mut |found| {
                    last = Some(found);
                    Ok(())
                })?;
                last.map_or(Ok(()), out)
            }
            ("limit", [count, of]) => self.each(count, scope, item, &mut |count| {
                let count = count.as_int().unwrap_or(0);
                if count <= 0 { Ok(()) } else { self.limited(count, of, scope, item, out) }
            }),
            ("range", [from, to, by]) => self.each(from, scope, item, &mut |from| {
                self.each(to, scope, item, &mut |to| {
                    self.each(by, scope, item, &mut |by| {
                        let (Some(mut at), Some(to), Some(by)) =
                            (from.as_float(), to.as_float(), by.as_float())
                        else {
                            return raise("range needs numbers");
                        };
                        while (by > 0.0 && at < to) || (by < 0.0 && at > to) {
                            self.pay(0)?;
                            out(item.computed(builtin::number(at)))?;
                            at += by;
                        }
                        Ok(())
                    })
                })
            }),
            ("sort_by" | "group_by" | "unique_by" | "min_by" | "max_by", [by]) => {
                let Value::Array(items) = &item.value else {
                    return raise(format!("{name} needs a list, this is {}", builtin::shown(&item.value)));
                };
                let mut keyed = Vec::with_capacity(items.len());
                for value in items.iter() {
                    keyed.push((Value::Array(self.all(by, scope, value)?.into()), value.clone()));
                }
                self.pay(items.len())?;
                out(item.computed(builtin::by_key(name, keyed)))
            }
            (_, arguments) => self.native(name, arguments, Vec::new(), scope, item, out),
        }
    }

    /// Calls a function of values for all combinations of what its arguments give, the last one slowest.
    fn native<'t>(
        &self,
        name: &str,
        arguments: &'t [Term],
        given: Vec<Value>,
        scope: &Scope<'t>,
        item: &Item,
        out: Sink<'_>,
    ) -> Result<(), Stop> {
        let Some((last, rest)) = arguments.split_last() else {
            let given: Vec<Value> = given.into_iter().rev().collect();
            for value in builtin::call(self, name, &item.value, &given)? {
                out(item.computed(value))?;
            }
            return Ok(());
        };
        self.each(last, scope, item, &mut |value| {
            let mut given = given.clone();
            given.push(value);
            self.native(name, rest, given, scope, item, out)
        })
    }

    fn limited<'t>(
        &self,
        count: i64,
        of: &'t Term,
        scope: &Scope<'t>,
        item: &Item,
        out: Sink<'_>,
    ) -> Result<(), Stop> {
        let label = self.labels.get() + 1;
        self.labels.set(label);
        let mut left = count;
        let result = self.eval(of, scope, item, &mut |found| {
            left -= 1;
            out(found)?;
            if left == 0 { Err(Stop::Break(label)) } else { Ok(()) }
        });
        match result {
            Err(Stop::Break(broken)) if broken == label => Ok(()),
            other => other,
        }
    }

    /// The value and everything below it.
    fn descend(&self, item: &Item, out: Sink<'_>) -> Result<(), Stop> {
        self.pay(0)?;
        out(item.clone())?;
        if matches!(item.value, Value::Array(_) | Value::Object(_)) {
            stacker::maybe_grow(128 * 1024, 2 * 1024 * 1024, || {
                self.iterate(item, &mut |found| self.descend(&found, out))
            })?;
        }
        Ok(())
    }

    fn object<'t>(
        &self,
        members: &'t [(Term, Term)],
        made: Map,
        scope: &Scope<'t>,
        item: &Item,
        out: Sink<'_>,
    ) -> Result<(), Stop> {
        let Some(((key, value), rest)) = members.split_first() else {
            return out(item.computed(Value::Object(made)));
        };
        self.each(key, scope, item, &mut |key| {
            let Value::String(key) = key else {
                return raise(format!("a key must be a string, this is {}", builtin::shown(&key)));
            };
            self.each(value, scope, item, &mut |value| {
                let mut made = made.clone();
                self.pay(made.len())?;
                made.insert(key.clone(), value);
                self.object(rest, made, scope, item, out)
            })
        })
    }

    fn text<'t>(
        &self,
        format: &str,
        parts: &'t [TextPart],
        made: String,
        scope: &Scope<'t>,
        item: &Item,
        out: Sink<'_>,
    ) -> Result<(), Stop> {
        match parts.split_first() {
            None => out(item.computed(made)),
            Some((TextPart::Text(text), rest)) => self.text(format, rest, made + text, scope, item, out),
            Some((TextPart::Code(code), rest)) => self.each(code, scope, item, &mut |value| {
                let text = builtin::format(format, &value)?;
                self.pay(made.len())?;
                let made = format!("{made}{}", text.as_str().unwrap_or_default());
                self.text(format, rest, made, scope, item, out)
            }),
        }
    }
}

pub(super) fn truthy(value: &Value) -> bool {
    !matches!(value, Value::Null | Value::Bool(false))
}

/// What is computed has no place, and nothing below it has.
fn has_place(item: &Item) -> Result<(), Stop> {
    if matches!(item.place, Place::Nowhere) {
        return raise(format!("invalid path expression near {}", builtin::shown(&item.value)));
    }
    Ok(())
}

fn index(item: &Item, key: &Value) -> Result<Item, Stop> {
    has_place(item)?;
    let (value, step) = match (&item.value, key) {
        (Value::Object(map), Value::String(name)) => {
            (map.get(name).cloned().unwrap_or_default(), Step::Key(name.clone()))
        }
        (Value::Null, Value::String(name)) => (Value::Null, Step::Key(name.clone())),
        (Value::Array(items), Value::Int(_) | Value::Float(_)) => {
            let idx = whole(key);
            let found = position(idx, items.len()).and_then(|at| items.get(at)).cloned();
            (found.unwrap_or_default(), Step::Index(idx))
        }
        (Value::Null, Value::Int(_) | Value::Float(_)) => (Value::Null, Step::Index(whole(key))),
        (Value::Array(_), Value::Array(_)) => {
            return Ok(item.computed(builtin::indices(&item.value, key)));
        }
        (of, key) => {
            return raise(format!("cannot index {} with {}", builtin::shown(of), builtin::shown(key)));
        }
    };
    Ok(Item { value, place: item.place.then(step) })
}

#[expect(clippy::cast_possible_truncation, reason = "a position beyond the range is one beyond the list")]
fn whole(key: &Value) -> i64 {
    key.as_int().unwrap_or_else(|| key.as_float().unwrap_or(0.0).floor() as i64)
}

#[expect(clippy::cast_possible_truncation, reason = "a position beyond the range is one beyond the list")]
fn bound_of(value: &Value, round: fn(f64) -> f64) -> Result<Option<i64>, Stop> {
    match value {
        Value::Null => Ok(None),
        Value::Int(at) => Ok(Some(*at)),
        Value::Float(at) => Ok(Some(round(*at) as i64)),
        other => raise(format!("a slice needs numbers, this is {}", builtin::shown(other))),
    }
}

fn slice(item: &Item, from: Option<i64>, to: Option<i64>) -> Result<Item, Stop> {
    has_place(item)?;
    let value = match &item.value {
        Value::Null => Value::Null,
        Value::Array(items) => {
            let (from, to) = bounds(from, to, items.len());
            Value::Array(items[from..to].to_vec().into())
        }
        Value::String(text) => {
            let chars: Vec<char> = text.chars().collect();
            let (from, to) = bounds(from, to, chars.len());
            return Ok(item.computed(chars[from..to].iter().collect::<String>()));
        }
        other => return raise(format!("cannot take a slice of {}", builtin::shown(other))),
    };
    Ok(Item { value, place: item.place.then(Step::Slice(from, to)) })
}
