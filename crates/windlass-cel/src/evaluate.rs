//! Evaluates, and counts what it costs as cel-go's tracker does: what is counted is part of the language, because
//! limits are set in it.

use crate::check::Checked;
use crate::functions;
use crate::syntax::ast::{ACCUMULATOR, Fold, Kind, NodeId};
use crate::types::Type;
use crate::value::{Key, Map, Struct, Value};
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use windlass_go::re2::Regex;

/// Why an expression has no value.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// A function failed, or something was not there.
    #[error("{0}")]
    Error(Arc<str>),
    /// It cost more than the limit.
    #[error("operation cancelled: actual cost limit exceeded")]
    TooCostly,
}

impl Fault {
    pub(crate) fn new(message: impl Into<Arc<str>>) -> Self {
        Self::Error(message.into())
    }

    pub(crate) fn no_overload() -> Self {
        Self::new("no such overload")
    }
}

/// What evaluation came to, and what it cost.
#[derive(Debug)]
pub struct Outcome {
    /// The value.
    pub value: Result<Value, Fault>,
    /// The cost so far, also where there is no value.
    pub cost: u64,
}

pub(crate) type Evaluated = Result<Value, Fault>;

/// What is known before anything is evaluated.
#[derive(Debug)]
pub(crate) struct Plan {
    constants: Vec<Option<Value>>,
    patterns: HashMap<NodeId, Regex>,
}

impl Plan {
    /// Folds constants and compiles patterns, or says which cannot be.
    pub(crate) fn new(checked: &Checked) -> Result<Self, String> {
        let mut plan = Self { constants: vec![None; checked.tree.nodes.len()], patterns: HashMap::new() };
        plan.visit(checked, checked.tree.root)?;
        Ok(plan)
    }

    fn constant(&self, id: NodeId) -> Option<&Value> {
        self.constants[id as usize].as_ref()
    }

    fn visit(&mut self, checked: &Checked, id: NodeId) -> Result<(), String> {
        stacker::maybe_grow(64 * 1024, 1024 * 1024, || {
            for child in checked.tree.children(id) {
                self.visit(checked, child)?;
            }
            self.constants[id as usize] = self.fold(checked, id)?;
            Ok(())
        })
    }

    fn fold(&mut self, checked: &Checked, id: NodeId) -> Result<Option<Value>, String> {
        Ok(match checked.tree.kind(id) {
            Kind::Literal(value) => Some(value.clone()),
            Kind::Ident(name) if matches!(checked.ty(id), Type::Type(_)) => {
                Some(Value::Type(Arc::clone(name)))
            }
            Kind::List(elements) => {
                let mut items = Vec::with_capacity(elements.len());
                for element in elements {
                    let Some(value) = self.constant(element.value) else { return Ok(None) };
                    match push_element(&mut items, value.clone(), element.optional) {
                        Ok(()) => {}
                        Err(_) => return Ok(None),
                    }
                }
                Some(Value::list(items))
            }
            Kind::Map(entries) => {
                let mut map = BTreeMap::new();
                for entry in entries {
                    let (Some(key), Some(value)) = (self.constant(entry.key), self.constant(entry.value))
                    else {
                        return Ok(None);
                    };
                    if insert_entry(&mut map, key.clone(), value.clone(), entry.optional).is_err() {
                        return Ok(None);
                    }
                }
                Some(Value::Map(Map::Made(Arc::new(map))))
            }
            Kind::Call { target, function, arguments } => {
                let nodes: Vec<NodeId> = target.iter().chain(arguments).copied().collect();
                match (&**function, nodes.as_slice()) {
                    (
                        "bool" | "bytes" | "double" | "duration" | "dyn" | "int" | "string" | "timestamp"
                        | "type" | "uint",
                        [only],
                    ) => match self.constant(*only) {
                        Some(value) => {
                            Some(functions::convert(function, value).map_err(|fault| fault.to_string())?)
                        }
                        None => None,
                    },
                    ("@in", [_, list]) if checked.overload(id) == "in_list" => {
                        matches!(self.constant(*list), Some(Value::List(list)) if list.is_empty())
                            .then_some(Value::Bool(false))
                    }
                    ("matches" | "find" | "findAll", [_, pattern, ..]) => {
                        if let Some(Value::String(pattern)) = self.constant(*pattern) {
                            let regex = Regex::parse(pattern).map_err(|error| error.to_string())?;
                            self.patterns.insert(id, regex);
                        }
                        None
                    }
                    _ => None,
                }
            }
            _ => None,
        })
    }
}

fn push_element(items: &mut Vec<Value>, value: Value, optional: bool) -> Result<(), Fault> {
    match (optional, value) {
        (false, value) => items.push(value),
        (true, Value::Optional(None)) => {}
        (true, Value::Optional(Some(value))) => items.push((*value).clone()),
        (true, value) => {
            return Err(Fault::new(format!(
                "cannot initialize optional list element from non-optional value {value}"
            )));
        }
    }
    Ok(())
}

fn insert_entry(
    map: &mut BTreeMap<Key, (Value, Value)>,
    key: Value,
    value: Value,
    optional: bool,
) -> Result<(), Fault> {
    let Some(place) = key.key() else {
        return Err(Fault::new(format!("unsupported key type: {}", key.type_name())));
    };
    let value = match (optional, value) {
        (false, value) => value,
        (true, Value::Optional(Some(value))) => (*value).clone(),
        (true, Value::Optional(None)) => {
            map.remove(&place);
            return Ok(());
        }
        (true, value) => {
            return Err(Fault::new(format!(
                "cannot initialize optional entry '{key}' from non-optional value {value}"
            )));
        }
    };
    map.insert(place, (key, value));
    Ok(())
}

/// Whether objects of a type are made without a schema; no schema's type is named so.
fn is_patch_type(name: &str) -> bool {
    let name = name.strip_prefix('.').unwrap_or(name);
    matches!(name, "Object" | "JSONPatch") || name.starts_with("Object.")
}

/// Evaluates a checked expression.
pub(crate) fn evaluate(
    checked: &Checked,
    plan: &Plan,
    variables: &dyn Fn(&str) -> Option<Value>,
    limit: u64,
) -> Outcome {
    let mut evaluator = Evaluator { checked, plan, variables, limit, cost: 0, scopes: Vec::new() };
    let value = evaluator.eval(checked.tree.root);
    Outcome { value, cost: evaluator.cost }
}

struct Evaluator<'e> {
    checked: &'e Checked,
    plan: &'e Plan,
    variables: &'e dyn Fn(&str) -> Option<Value>,
    limit: u64,
    cost: u64,
    scopes: Vec<Scope<'e>>,
}

/// The variables of a loop.
struct Scope<'e> {
    fold: &'e Fold,
    /// Evaluated when it is first read.
    gathered: Option<Evaluated>,
    first: Value,
    second: Value,
    /// Whether the result is being computed, which the variables are not part of.
    is_done: bool,
}

/// What a chain of selections came to.
enum Selected {
    Plain(Value),
    Present(Value),
    Absent,
}

impl Selected {
    fn of(value: Value) -> Self {
        match value {
            Value::Optional(Some(value)) => Self::Present((*value).clone()),
            Value::Optional(None) => Self::Absent,
            value => Self::Plain(value),
        }
    }

    fn into_value(self) -> Value {
        match self {
            Self::Plain(value) => value,
            Self::Present(value) => Value::Optional(Some(Arc::new(value))),
            Self::Absent => Value::Optional(None),
        }
    }
}

impl<'e> Evaluator<'e> {
    fn spend(&mut self, cost: u64) -> Result<(), Fault> {
        self.cost = self.cost.saturating_add(cost);
        if self.cost > self.limit { Err(Fault::TooCostly) } else { Ok(()) }
    }

    fn eval(&mut self, id: NodeId) -> Evaluated {
        if let Some(constant) = self.plan.constant(id) {
            return Ok(constant.clone());
        }
        stacker::maybe_grow(64 * 1024, 1024 * 1024, || self.eval_node(id))
    }

    fn is_attribute(&self, id: NodeId) -> bool {
        if self.plan.constant(id).is_some() {
            return false;
        }
        match self.checked.tree.kind(id) {
            Kind::Ident(_) | Kind::Select { .. } => true,
            Kind::Call { function, .. } => matches!(&**function, "_[_]" | "_[?_]" | "_?._" | "_?_:_"),
            _ => false,
        }
    }

    /// Whether the base of a chain is a choice, which costs nothing itself.
    fn is_choice(&self, id: NodeId) -> bool {
        match self.checked.tree.kind(id) {
            Kind::Select { operand, .. } => self.is_attribute(*operand) && self.is_choice(*operand),
            Kind::Call { function, arguments, .. } => match &**function {
                "_?_:_" => true,
                "_[_]" | "_[?_]" | "_?._" => self.is_attribute(arguments[0]) && self.is_choice(arguments[0]),
                _ => false,
            },
            _ => false,
        }
    }

    fn eval_node(&mut self, id: NodeId) -> Evaluated {
        if self.is_attribute(id) {
            let selected = self.resolve(id);
            if matches!(selected, Err(Fault::TooCostly)) {
                return Err(Fault::TooCostly);
            }
            let is_test = matches!(self.checked.tree.kind(id), Kind::Select { test_only: true, .. });
            if !self.is_choice(id) && !is_test {
                self.spend(1)?;
            }
            return selected.map(Selected::into_value);
        }
        let checked = self.checked;
        match checked.tree.kind(id) {
            Kind::Call { target, function, arguments } => self.call(id, *target, function, arguments),
            Kind::List(elements) => {
                let mut items = Vec::with_capacity(elements.len());
                for element in elements {
                    let value = self.eval(element.value)?;
                    push_element(&mut items, value, element.optional)?;
                }
                self.spend(10)?;
                Ok(Value::list(items))
            }
            Kind::Map(entries) => {
                let mut map = BTreeMap::new();
                for entry in entries {
                    let key = self.eval(entry.key)?;
                    let value = self.eval(entry.value)?;
                    insert_entry(&mut map, key, value, entry.optional)?;
                }
                self.spend(30)?;
                Ok(Value::Map(Map::Made(Arc::new(map))))
            }
            Kind::Struct { name, fields } if is_patch_type(name) => {
                let mut made = BTreeMap::new();
                for field in fields {
                    match (field.optional, self.eval(field.value)?) {
                        (true, Value::Optional(None)) => {}
                        (true, Value::Optional(Some(value))) => {
                            made.insert(Arc::clone(&field.name), (*value).clone());
                        }
                        (true, value) => {
                            return Err(Fault::new(format!(
                                "cannot initialize optional entry '{}' from non-optional value {value}",
                                field.name
                            )));
                        }
                        (false, value) => {
                            made.insert(Arc::clone(&field.name), value);
                        }
                    }
                }
                self.spend(40)?;
                let name = name.strip_prefix('.').unwrap_or(name).into();
                Ok(Value::Struct(Arc::new(Struct { name, fields: made })))
            }
            Kind::Struct { fields, .. } => {
                let mut map = BTreeMap::new();
                for field in fields {
                    let value = self.eval(field.value)?;
                    insert_entry(&mut map, Value::String(Arc::clone(&field.name)), value, field.optional)?;
                }
                self.spend(40)?;
                Ok(Value::Map(Map::Made(Arc::new(map))))
            }
            Kind::Fold(fold) => self.fold(fold),
            _ => Err(Fault::new("invalid expression")),
        }
    }

    /// The value of a name, a selection, an index or a choice, without the cost of reading it.
    fn resolve(&mut self, id: NodeId) -> Result<Selected, Fault> {
        let checked = self.checked;
        match checked.tree.kind(id) {
            Kind::Ident(name) => self.read(name).map(Selected::of),
            Kind::Select { operand, field, test_only } => {
                let base = self.base(*operand)?;
                self.qualify(base, &Value::String(Arc::clone(field)), false, *test_only)
            }
            Kind::Call { function, arguments, .. } if **function == *"_?_:_" => {
                let condition = self.eval(arguments[0])?;
                let chosen = match condition {
                    Value::Bool(true) => arguments[1],
                    Value::Bool(false) => arguments[2],
                    _ => return Err(Fault::no_overload()),
                };
                self.base(chosen)
            }
            Kind::Call { function, arguments, .. } => {
                let base = self.base(arguments[0])?;
                // The key of something that is not there is not looked at.
                if matches!(base, Selected::Absent) {
                    return Ok(Selected::Absent);
                }
                let key = if let Some(constant) = self.plan.constant(arguments[1]) {
                    Ok(constant.clone())
                } else if self.is_attribute(arguments[1]) {
                    self.resolve(arguments[1]).map(Selected::into_value)
                } else {
                    self.eval(arguments[1])
                };
                let key = match key {
                    Ok(key) => key,
                    Err(Fault::TooCostly) => return Err(Fault::TooCostly),
                    Err(fault) => {
                        self.spend(1)?;
                        return Err(fault);
                    }
                };
                self.qualify(base, &key, **function != *"_[_]", false)
            }
            _ => self.eval(id).map(Selected::of),
        }
    }

    fn base(&mut self, id: NodeId) -> Result<Selected, Fault> {
        stacker::maybe_grow(64 * 1024, 1024 * 1024, || {
            if self.is_attribute(id) { self.resolve(id) } else { self.eval(id).map(Selected::of) }
        })
    }

    /// Applies one selection or index.
    fn qualify(
        &mut self,
        base: Selected,
        key: &Value,
        optional: bool,
        test_only: bool,
    ) -> Result<Selected, Fault> {
        let (value, is_optional) = match base {
            Selected::Absent if test_only => return Ok(Selected::Plain(Value::Bool(false))),
            Selected::Absent => return Ok(Selected::Absent),
            Selected::Present(value) => (value, true),
            Selected::Plain(value) => (value, optional),
        };
        let looked_up = functions::index(&value, key, is_optional || test_only);
        if test_only {
            if matches!(looked_up, Ok(Some(_)) | Err(_)) || !is_optional {
                self.spend(1)?;
            }
            return Ok(Selected::Plain(Value::Bool(looked_up?.is_some())));
        }
        if !matches!(looked_up, Ok(None)) {
            self.spend(1)?;
        }
        Ok(match looked_up? {
            None => Selected::Absent,
            Some(found) if is_optional => Selected::Present(found),
            Some(found) => Selected::Plain(found),
        })
    }

    fn read(&mut self, name: &str) -> Evaluated {
        let mut idx = self.scopes.len();
        while idx > 0 {
            idx -= 1;
            let scope = &self.scopes[idx];
            if *scope.fold.accumulator == *name {
                return self.read_gathered(idx);
            }
            if scope.is_done {
                continue;
            }
            if *scope.fold.variable == *name {
                return Ok(scope.first.clone());
            }
            if scope.fold.second.as_deref() == Some(name) {
                return Ok(scope.second.clone());
            }
        }
        match (self.variables)(name) {
            Some(value) => Ok(value),
            None => Err(Fault::new(format!("no such attribute(s): {name}"))),
        }
    }

    fn read_gathered(&mut self, idx: usize) -> Evaluated {
        if let Some(gathered) = &self.scopes[idx].gathered {
            return gathered.clone();
        }
        // What a loop starts with is evaluated outside of it.
        let inner = self.scopes.split_off(idx);
        let start = self.eval(inner[0].fold.start);
        self.scopes.extend(inner);
        if !matches!(start, Err(Fault::TooCostly)) {
            self.scopes[idx].gathered = Some(start.clone());
        }
        start
    }

    fn fold(&mut self, fold: &'e Fold) -> Evaluated {
        let range = self.eval(fold.range)?;
        let rounds = match (&range, fold.second.is_some()) {
            (Value::List(list), _) => list.len(),
            (Value::Map(map), _) => map.len(),
            (other, true) => {
                return Err(Fault::new(format!(
                    "unsupported comprehension range type: {}",
                    other.type_name()
                )));
            }
            (other, false) => {
                return Err(Fault::new(format!("got '{}', expected iterable type", go_type(other))));
            }
        };
        let entries = match &range {
            Value::Map(map) if rounds > 0 => map.entries(),
            _ => Vec::new(),
        };
        self.scopes.push(Scope {
            fold,
            gathered: None,
            first: Value::Null,
            second: Value::Null,
            is_done: false,
        });
        let place = self.scopes.len() - 1;
        let result = self.rounds(fold, place, rounds, &range, &entries);
        self.scopes.truncate(place);
        result
    }

    fn rounds(
        &mut self,
        fold: &'e Fold,
        place: usize,
        rounds: usize,
        range: &Value,
        entries: &[(Value, Value)],
    ) -> Evaluated {
        for idx in 0..rounds {
            let (first, second) = match range {
                Value::List(list) => {
                    let item = list.get(idx).unwrap_or(Value::Null);
                    match fold.second {
                        Some(_) => (Value::Int(i64::try_from(idx).unwrap_or(i64::MAX)), item),
                        None => (item, Value::Null),
                    }
                }
                _ => match entries.get(idx) {
                    Some(entry) => entry.clone(),
                    None => break,
                },
            };
            self.scopes[place].first = first;
            self.scopes[place].second = second;
            match self.eval(fold.condition) {
                Ok(Value::Bool(true)) => {}
                Ok(Value::Bool(false)) => break,
                Err(Fault::TooCostly) => return Err(Fault::TooCostly),
                Ok(_) | Err(_) => {}
            }
            let step = self.eval(fold.step);
            if matches!(step, Err(Fault::TooCostly)) {
                return step;
            }
            self.scopes[place].gathered = Some(step);
        }
        self.scopes[place].is_done = true;
        self.eval(fold.result)
    }

    fn call(
        &mut self,
        id: NodeId,
        target: Option<NodeId>,
        function: &str,
        arguments: &[NodeId],
    ) -> Evaluated {
        match function {
            "_&&_" | "_||_" => return self.logical(function == "_||_", arguments),
            "or" | "orValue" => {
                let base = target.unwrap_or_default();
                return match self.eval(base)? {
                    Value::Optional(Some(value)) if function == "or" => Ok(Value::Optional(Some(value))),
                    Value::Optional(Some(value)) => Ok((*value).clone()),
                    Value::Optional(None) => self.eval(arguments[0]),
                    _ => Err(Fault::no_overload()),
                };
            }
            "@in" if self.checked.overload(id) == "in_list" => {
                if let Some(Value::List(list)) = self.plan.constant(arguments[1])
                    && list.iter().all(|item| {
                        matches!(
                            item,
                            Value::Bool(_)
                                | Value::Int(_)
                                | Value::Uint(_)
                                | Value::Double(_)
                                | Value::String(_)
                                | Value::Null
                        )
                    })
                {
                    let wanted = self.eval(arguments[0])?;
                    return Ok(Value::Bool(list.iter().any(|item| item.equals(&wanted))));
                }
            }
            _ => {}
        }
        let nodes: Vec<NodeId> = target.iter().chain(arguments).copied().collect();
        let overload = self.checked.overload(id);
        let evaluates_all = nodes.len() == 1
            || (nodes.len() == 2
                && overload != "string_format"
                && !self.plan.patterns.contains_key(&id)
                && (!overload.is_empty() || functions::is_one_function(function)));
        let mut values: Vec<Evaluated> = Vec::with_capacity(nodes.len());
        for (idx, node) in nodes.iter().enumerate() {
            // What a loop gathers is handed over instead of copied; the step gives it back.
            let is_gathered = idx == 0
                && matches!(function, "_+_" | "cel.@mapInsert")
                && matches!(self.checked.tree.kind(*node), Kind::Ident(name) if **name == *ACCUMULATOR);
            let value = if is_gathered { self.take_gathered() } else { self.eval(*node) };
            if matches!(value, Err(Fault::TooCostly)) {
                return value;
            }
            let stop = value.is_err()
                && !evaluates_all
                && idx + 1 < nodes.len()
                && function != "@not_strictly_false";
            values.push(value);
            if stop {
                break;
            }
        }
        let is_complete = values.len() == nodes.len();
        if function == "@not_strictly_false" {
            self.spend(1)?;
            return Ok(Value::Bool(!matches!(values[0], Ok(Value::Bool(false)))));
        }
        let sizes: Vec<u64> = values.iter().map(functions::cost::size).collect();
        let charge = functions::cost::Charge::before(function, &values);
        let fault = values.iter().find_map(|value| value.as_ref().err().cloned());
        let result = match fault {
            Some(fault) => Err(fault),
            None => {
                let values: Vec<Value> = values.into_iter().filter_map(Result::ok).collect();
                let room = self.limit.saturating_sub(self.cost);
                functions::call(function, values, self.plan.patterns.get(&id), room)
            }
        };
        if is_complete {
            let cost = charge.cost(function, overload, &sizes, &result);
            self.spend(cost)?;
        }
        result
    }

    fn take_gathered(&mut self) -> Evaluated {
        let place = self.scopes.iter().rposition(|scope| *scope.fold.accumulator == *ACCUMULATOR);
        let value = match place {
            Some(place) => match self.scopes[place].gathered.take() {
                Some(gathered) => gathered,
                None => {
                    let start = self.read_gathered(place);
                    self.scopes[place].gathered = None;
                    start
                }
            },
            None => Err(Fault::no_overload()),
        };
        self.spend(1)?;
        value
    }

    fn logical(&mut self, is_or: bool, arguments: &[NodeId]) -> Evaluated {
        let mut fault = None;
        for argument in arguments {
            match self.eval(*argument) {
                Ok(Value::Bool(value)) if value == is_or => return Ok(Value::Bool(is_or)),
                Ok(Value::Bool(_)) => {}
                Err(Fault::TooCostly) => return Err(Fault::TooCostly),
                Ok(_) => fault = fault.or(Some(Fault::no_overload())),
                Err(other) => fault = fault.or(Some(other)),
            }
        }
        match fault {
            Some(fault) => Err(fault),
            None => Ok(Value::Bool(!is_or)),
        }
    }
}

/// The name of a value's type in Go, which one message has.
fn go_type(value: &Value) -> &'static str {
    match value {
        Value::Null => "types.Null",
        Value::Bool(_) => "types.Bool",
        Value::Int(_) => "types.Int",
        Value::Uint(_) => "types.Uint",
        Value::Double(_) => "types.Double",
        Value::String(_) => "types.String",
        Value::Bytes(_) => "types.Bytes",
        _ => "types.Val",
    }
}

/// Adds to a map that is made; a key that is there already is refused.
pub(crate) fn insert_new(map: Map, key: Value, value: Value) -> Result<Map, Fault> {
    let mut made = match map {
        Map::Made(made) => made,
        other => Arc::new(
            other.entries().into_iter().filter_map(|(key, value)| Some((key.key()?, (key, value)))).collect(),
        ),
    };
    let Some(place) = key.key() else {
        return Err(Fault::new(format!("unsupported key type: {}", key.type_name())));
    };
    if made.contains_key(&place) {
        return Err(Fault::new(format!("insert failed: key {key} already exists")));
    }
    Arc::make_mut(&mut made).insert(place, (key, value));
    Ok(Map::Made(made))
}
