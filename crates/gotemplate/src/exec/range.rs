//! Executes `range`.

use super::field::is_boxed;
use super::{Executor, Failure, Flow, Operand};
use crate::format;
use crate::tree::{Branch, Pipe, Span};
use crate::value::{Number, Value};

/// The body of a `range`, and the variables that it sets.
struct Loop {
    pipe: Pipe,
    body: Span,
}

impl Executor<'_, '_, '_> {
    pub(super) fn range(&mut self, dot: &Operand, branch: Branch) -> Result<Flow, Failure> {
        let each = Loop { pipe: self.tree.pipes[branch.pipe as usize], body: branch.list };
        let value = self.pipeline(dot, branch.pipe)?;
        let ran = match &value {
            Value::NoValue | Value::Nil => false,
            Value::List(list) => {
                let is_boxed = is_boxed(list.type_of());
                for (index, item) in list.items().iter().enumerate() {
                    let item = Operand { value: item.clone(), is_boxed };
                    if self.iteration(&each, position(index), &item)? {
                        break;
                    }
                }
                !list.is_empty()
            }
            Value::Map(map) => {
                // What the body sets in the map does not change what is gone over.
                let entries = map.entries();
                let is_boxed = is_boxed(map.type_of());
                let ran = !entries.is_empty();
                for (key, value) in entries {
                    if self.iteration(&each, Value::String(key), &Operand { value, is_boxed })? {
                        break;
                    }
                }
                ran
            }
            Value::Bytes(bytes) => {
                for (index, byte) in bytes.as_bytes().iter().enumerate() {
                    let item = Operand::plain(Value::Number(Number::Uint8(*byte)));
                    if self.iteration(&each, position(index), &item)? {
                        break;
                    }
                }
                !bytes.is_empty()
            }
            _ => self.integers(&each, &value)?,
        };
        match branch.otherwise {
            Some(otherwise) if !ran => self.walk(dot, otherwise),
            _ => Ok(Flow::Next),
        }
    }

    /// Goes over the integers below `value`.
    fn integers(&mut self, each: &Loop, value: &Value) -> Result<bool, Failure> {
        let kind = value.kind();
        if !kind.is_int() && !kind.is_uint() {
            return Err(self.complain(format!("range can't iterate over {}", self.shown(value)?)));
        }
        if each.pipe.declarations.len() > 1 {
            let value = self.shown(value)?;
            return Err(self.complain(format!("can't use {value} to iterate over more than one variable")));
        }
        let end = match value.as_int() {
            Some(int) => u64::try_from(int).unwrap_or(0),
            None => value.as_uint().unwrap_or(0),
        };
        for index in 0..end {
            let item = Value::integer(value.type_of(), index.cast_signed());
            let mut item = item.unwrap_or(Value::Int(index.cast_signed()));
            if let Value::Object(object) = &value
                && let Some(named) = object.with_scalar(item.clone())
            {
                item = named;
            }
            let item = Operand::plain(item);
            if self.iteration(each, Value::NoValue, &item)? {
                break;
            }
        }
        Ok(end > 0)
    }

    /// The value as `%v` prints it, a pointer as the struct behind it, without its methods.
    fn shown(&self, value: &Value) -> Result<String, Failure> {
        let mut text = Vec::new();
        format::print_struct(&mut text, value).map_err(|error| self.complain(error.to_string()))?;
        Ok(String::from_utf8_lossy(&text).into_owned())
    }

    /// Executes the body once; says whether that was the last time.
    fn iteration(&mut self, each: &Loop, index: Value, item: &Operand) -> Result<bool, Failure> {
        self.charge()?;
        let tree = self.tree;
        match &tree.declarations[each.pipe.declarations.indexes()] {
            [] => {}
            [only] => self.set(only.slot, only.name, item.clone())?,
            [first, second, ..] => {
                self.set(first.slot, first.name, Operand::plain(index))?;
                self.set(second.slot, second.name, item.clone())?;
            }
        }
        Ok(self.walk(item, each.body)? == Flow::Break)
    }
}

fn position(index: usize) -> Value {
    Value::Int(i64::try_from(index).unwrap_or(i64::MAX))
}
