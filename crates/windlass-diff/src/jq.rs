//! The jq language, as far as expressions that name fields use it, with a budget instead of a clock.
//!
//! Argo CD runs `del(EXPRESSION)` with gojq and stops it after a second. Here a step budget stops it, so that the
//! same expression on the same object always ends the same way. What an expression uses and this module does not
//! know is an error when it is parsed, never a silent difference.
//!
//! Not there: assignment operators, `input`, `env`, `now` and dates, `limit` by label of other filters, SQL-like
//! operators, `getpath` with slices, modules. They name no field.

mod builtin;
mod eval;
mod parse;
mod token;

use windlass_kube::{Str, Value};

use parse::Term;

/// Steps that one evaluation may take: a second's work of gojq is of this order, real expressions take hundreds.
pub const MAX_STEPS: u64 = 2_000_000;

/// Nesting of an evaluation, recursion of its own functions included; each level takes some hundred bytes.
pub const MAX_DEPTH: u32 = 5_000;

/// Why an expression cannot be used.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum JqError {
    /// The text is no expression, or uses what is not there.
    #[error("jq: {message} at character {at}")]
    Syntax {
        /// What is wrong.
        message: String,
        /// The character, counted from 1.
        at: usize,
    },
    /// It raised an error on this value.
    #[error("jq: {0}")]
    Raised(String),
    /// It took more than [`MAX_STEPS`].
    #[error("jq: stopped after {MAX_STEPS} steps")]
    Steps,
    /// It nested deeper than [`MAX_DEPTH`].
    #[error("jq: stopped at a depth of {MAX_DEPTH}")]
    Depth,
}

/// One step of a path into a value.
#[derive(Debug, Clone, PartialEq)]
pub enum Step {
    /// A member of an object.
    Key(Str),
    /// An item of a list, from the end when negative.
    Index(i64),
    /// Items from one position up to another.
    Slice(Option<i64>, Option<i64>),
}

/// A parsed expression.
#[derive(Debug, Clone)]
pub struct Filter(Term);

impl Filter {
    /// Parses an expression.
    ///
    /// # Errors
    ///
    /// [`JqError::Syntax`].
    pub fn parse(text: &str) -> Result<Self, JqError> {
        let term = parse::parse(text)?;
        builtin::check(&term)?;
        Ok(Self(term))
    }

    /// All that it gives for `input`.
    ///
    /// # Errors
    ///
    /// What it raised, or the limit that it reached.
    pub fn run(&self, input: &Value) -> Result<Vec<Value>, JqError> {
        eval::run(&self.0, input)
    }

    /// The paths that it names in `input`, in its order.
    ///
    /// # Errors
    ///
    /// As [`run`](Self::run); also when something that it gives is no part of `input`.
    pub fn paths(&self, input: &Value) -> Result<Vec<Vec<Step>>, JqError> {
        eval::paths(&self.0, input)
    }

    /// `input` without what it names, as `del(…)` of jq.
    ///
    /// # Errors
    ///
    /// As [`paths`](Self::paths).
    pub fn delete(&self, input: &Value) -> Result<Value, JqError> {
        Ok(delete_paths(input.clone(), self.paths(input)?))
    }
}

/// `value` without what lies at `paths`; a path that leads nowhere is passed over.
#[must_use]
pub fn delete_paths(mut value: Value, mut paths: Vec<Vec<Step>>) -> Value {
    paths.iter_mut().for_each(|path| settle(&value, path));
    // Later positions first, so that earlier deletions do not move them.
    paths.sort_by(|a, b| b.iter().map(order).cmp(a.iter().map(order)));
    paths.dedup();
    for path in paths {
        value = delete_path(value, &path);
    }
    value
}

/// Turns positions from the end into positions from the start.
fn settle(value: &Value, path: &mut [Step]) {
    let mut at = Some(value);
    for step in path {
        if let (Step::Index(idx), Some(Value::Array(items))) = (&mut *step, at)
            && *idx < 0
        {
            *idx += i64::try_from(items.len()).unwrap_or(i64::MAX);
        }
        at = at.and_then(|value| child(value, step));
    }
}

fn order(step: &Step) -> (u8, i64, &str) {
    match step {
        Step::Index(idx) => (0, *idx, ""),
        Step::Slice(from, _) => (1, from.unwrap_or(0), ""),
        Step::Key(key) => (2, 0, key),
    }
}

/// The part of `value` one step below.
pub(crate) fn child<'a>(value: &'a Value, step: &Step) -> Option<&'a Value> {
    match (value, step) {
        (Value::Object(map), Step::Key(key)) => map.get(key),
        (Value::Array(items), Step::Index(idx)) => items.get(position(*idx, items.len())?),
        _ => None,
    }
}

/// A position counted from either end.
pub(crate) fn position(idx: i64, len: usize) -> Option<usize> {
    let idx = if idx < 0 { idx.checked_add(i64::try_from(len).ok()?)? } else { idx };
    usize::try_from(idx).ok().filter(|idx| *idx < len)
}

/// The bounds of a slice of a list of `len`.
pub(crate) fn bounds(from: Option<i64>, to: Option<i64>, len: usize) -> (usize, usize) {
    let clamp = |at: i64| {
        let at = if at < 0 { at.saturating_add(i64::try_from(len).unwrap_or(i64::MAX)) } else { at };
        usize::try_from(at.max(0)).unwrap_or(usize::MAX).min(len)
    };
    let from = from.map_or(0, clamp);
    (from, to.map_or(len, clamp).max(from))
}

fn delete_path(mut value: Value, path: &[Step]) -> Value {
    let Some((first, rest)) = path.split_first() else { return Value::Null };
    match (&mut value, first) {
        (Value::Object(map), Step::Key(key)) => {
            if rest.is_empty() {
                map.remove(key);
            } else if let Some(member) = map.get_mut(key) {
                *member = delete_path(std::mem::take(member), rest);
            }
        }
        (Value::Array(items), Step::Index(idx)) => {
            if let Some(idx) = position(*idx, items.len()) {
                if rest.is_empty() {
                    items.as_mut().remove(idx);
                } else {
                    let item = &mut items.as_mut()[idx];
                    *item = delete_path(std::mem::take(item), rest);
                }
            }
        }
        (Value::Array(items), Step::Slice(from, to)) => {
            let (from, to) = bounds(*from, *to, items.len());
            if rest.is_empty() {
                items.as_mut().drain(from..to);
            } else {
                let part: Value = Value::Array(items[from..to].to_vec().into());
                if let Value::Array(changed) = delete_path(part, rest) {
                    items.as_mut().splice(from..to, changed.into_vec());
                }
            }
        }
        _ => {}
    }
    value
}
