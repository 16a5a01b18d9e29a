//! Slices.

use std::sync::{Arc, OnceLock};

use super::kind::{Type, types};
use super::{Value, reclaim};

/// A shared slice of values, with its Go type; a clone is a reference count.
///
/// Nothing in the language writes to an element of a slice, so its items can be borrowed. The one exception
/// among the sprig functions is `sortAlpha`, which sorts a `[]string` where it is: see [`List::sort_once`].
#[derive(Clone)]
pub struct List(Arc<Inner>);

struct Inner {
    kind: &'static Type,
    is_nil: bool,
    items: Vec<Value>,
    sorted: OnceLock<Vec<Value>>,
}

impl List {
    /// A `[]any`.
    #[must_use]
    pub fn new(items: Vec<Value>) -> Self {
        Self::typed(&types::LIST, items)
    }

    /// A slice of the type `kind`, whose items are of its element type.
    #[must_use]
    pub fn typed(kind: &'static Type, items: Vec<Value>) -> Self {
        Self(Arc::new(Inner { kind, is_nil: false, items, sorted: OnceLock::new() }))
    }

    /// The nil slice of the type `kind`, which encoders print as `null`.
    #[must_use]
    pub fn nil(kind: &'static Type) -> Self {
        Self(Arc::new(Inner { kind, is_nil: true, items: Vec::new(), sorted: OnceLock::new() }))
    }

    /// A `[]string`.
    pub fn strings<S: Into<super::Str>>(items: impl IntoIterator<Item = S>) -> Self {
        Self::typed(&types::STRINGS, items.into_iter().map(|item| Value::String(item.into())).collect())
    }

    /// Its type.
    #[must_use]
    pub fn type_of(&self) -> &'static Type {
        self.0.kind
    }

    /// Whether this is a nil slice, which is empty too.
    #[must_use]
    pub fn is_nil(&self) -> bool {
        self.0.is_nil
    }

    /// The items.
    #[must_use]
    pub fn items(&self) -> &[Value] {
        self.0.sorted.get().unwrap_or(&self.0.items)
    }

    /// How many items there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.items.len()
    }

    /// Whether there are no items.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.items.is_empty()
    }

    /// Whether both are the same slice, not only equal ones.
    #[must_use]
    pub fn is_same(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }

    /// Puts the items into the order of `sort`, for everyone who holds this slice.
    ///
    /// Works once; later calls change nothing, so `sort` has to be the same each time.
    pub fn sort_once(&self, sort: impl FnOnce(&mut Vec<Value>)) {
        self.0.sorted.get_or_init(|| {
            let mut items = self.0.items.clone();
            sort(&mut items);
            items
        });
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        if !self.items.is_empty() {
            reclaim::values(std::mem::take(&mut self.items));
            if let Some(sorted) = self.sorted.take() {
                reclaim::values(sorted);
            }
        }
    }
}

impl FromIterator<Value> for List {
    fn from_iter<I: IntoIterator<Item = Value>>(items: I) -> Self {
        Self::new(items.into_iter().collect())
    }
}
