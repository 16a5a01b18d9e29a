//! Which fields differ between two values of a type.

use std::collections::BTreeMap;

use super::typed::{Shape, item_element, kind, same_kind, shape_of};
use super::validate::{Problems, ValidationErrors};
use crate::fields::{FieldSet, MAX_DEPTH, PathElement, SetBuilder};
use crate::schema::{ListKind, ListType, MapType, ObjectType, TypeId, Types};
use crate::{Array, Map, Value};

/// Fields that a new value removes, changes or adds; none is in two of them.
#[derive(Clone, Debug, Default)]
pub(super) struct Comparison {
    pub(super) removed: FieldSet,
    pub(super) modified: FieldSet,
    pub(super) added: FieldSet,
}

impl Comparison {
    /// Without some fields and all that is below them.
    pub(super) fn without(self, ignored: Option<&FieldSet>) -> Self {
        let Some(ignored) = ignored else { return self };
        Self {
            removed: self.removed.recursive_difference(ignored),
            modified: self.modified.recursive_difference(ignored),
            added: self.added.recursive_difference(ignored),
        }
    }

    /// Whether nothing differs.
    pub(super) fn is_same(&self) -> bool {
        self.removed.is_empty() && self.modified.is_empty() && self.added.is_empty()
    }

    /// What was modified or added.
    pub(super) fn changed(&self) -> FieldSet {
        self.modified.union(&self.added)
    }
}

pub(super) fn compare(
    object_type: &ObjectType,
    old: &Value,
    new: &Value,
) -> Result<Comparison, ValidationErrors> {
    let mut walk = Walk { types: object_type.types(), problems: Problems::default(), depth: MAX_DEPTH };
    let difference = walk.both(object_type.root(), old, new);
    let comparison = Comparison {
        removed: difference.removed.below,
        modified: difference.modified.below,
        added: difference.added.below,
    };
    walk.problems.into_result(comparison)
}

#[derive(Default)]
struct Difference {
    removed: Side,
    modified: Side,
    added: Side,
}

/// Whether the value itself is meant, and what below it.
#[derive(Default)]
struct Side {
    itself: bool,
    below: FieldSet,
}

impl Side {
    fn itself() -> Self {
        Self { itself: true, below: FieldSet::new() }
    }

    fn union(&self, other: &Self) -> Self {
        Self { itself: self.itself || other.itself, below: self.below.union(&other.below) }
    }
}

impl Difference {
    fn is_empty(&self) -> bool {
        [&self.removed, &self.modified, &self.added].iter().all(|side| !side.itself && side.below.is_empty())
    }

    fn modified() -> Self {
        Self { modified: Side::itself(), ..Self::default() }
    }

    fn union(&self, other: &Self) -> Self {
        Self {
            removed: self.removed.union(&other.removed),
            modified: self.modified.union(&other.modified),
            added: self.added.union(&other.added),
        }
    }
}

/// One level of the three sets.
#[derive(Default)]
struct Level {
    removed: SetBuilder,
    modified: SetBuilder,
    added: SetBuilder,
}

impl Level {
    fn add(&mut self, element: &PathElement, difference: Difference) {
        let sides = [
            (&mut self.removed, difference.removed),
            (&mut self.modified, difference.modified),
            (&mut self.added, difference.added),
        ];
        for (set, side) in sides {
            if side.itself || !side.below.is_empty() {
                set.add(element.clone(), side.itself, side.below);
            }
        }
    }

    fn build(self) -> Difference {
        let side = |set: SetBuilder| Side { itself: false, below: set.build() };
        Difference { removed: side(self.removed), modified: side(self.modified), added: side(self.added) }
    }
}

/// Whether two containers are one and the same in memory.
fn is_shared(old: &Value, new: &Value) -> bool {
    match (old, new) {
        (Value::Array(old), Value::Array(new)) => std::ptr::eq(old.as_slice(), new.as_slice()),
        (Value::Object(old), Value::Object(new)) => match (old.iter().next(), new.iter().next()) {
            (Some((old, _)), Some((new, _))) => std::ptr::eq(old, new),
            _ => false,
        },
        _ => false,
    }
}

struct Walk<'a> {
    types: &'a Types,
    problems: Problems,
    /// How many levels may follow.
    depth: usize,
}

impl<'a> Walk<'a> {
    fn both(&mut self, id: TypeId, old: &Value, new: &Value) -> Difference {
        if is_shared(old, new) {
            return Difference::default();
        }
        let types = self.types;
        let ty = types.get_type(id);
        let (old_kind, new_kind) = (kind(ty, old), kind(ty, new));
        let as_new = self.as_shape(shape_of(ty, new_kind), old, new);
        if same_kind(ty, old_kind, new_kind) {
            return as_new;
        }
        self.as_shape(shape_of(ty, old_kind), old, new).union(&as_new)
    }

    fn as_shape(&mut self, shape: Shape<'a>, old: &Value, new: &Value) -> Difference {
        let as_leaf = || if old == new { Difference::default() } else { Difference::modified() };
        match shape {
            Shape::Scalar(_) | Shape::Never => as_leaf(),
            Shape::Map(map) => {
                let members = |value: &'_ Value| value.as_object().filter(|map| !map.is_empty()).cloned();
                match (members(old), members(new)) {
                    _ if map.atomic => as_leaf(),
                    (None, None) => as_leaf(),
                    (old, new) => self.members(map, &old.unwrap_or_default(), &new.unwrap_or_default()),
                }
            }
            Shape::List(list) => {
                let items = |value: &'_ Value| value.as_array().filter(|items| !items.is_empty()).cloned();
                match (items(old), items(new)) {
                    _ if matches!(list.kind, ListKind::Atomic) => as_leaf(),
                    (None, None) => as_leaf(),
                    (old, new) => self.items(list, &old.unwrap_or_default(), &new.unwrap_or_default()),
                }
            }
        }
    }

    fn members(&mut self, map: &MapType, old: &Map, new: &Map) -> Difference {
        let mut level = Level::default();
        let (mut olds, mut news) = (old.iter().peekable(), new.iter().peekable());
        loop {
            let order = match (olds.peek(), news.peek()) {
                (None, None) => break,
                (Some(_), None) => std::cmp::Ordering::Less,
                (None, Some(_)) => std::cmp::Ordering::Greater,
                (Some((old, _)), Some((new, _))) => old.cmp(new),
            };
            let old = if order.is_le() { olds.next() } else { None };
            let new = if order.is_ge() { news.next() } else { None };
            let Some((name, _)) = old.or(new) else { break };
            if let (Some((_, Value::String(old))), Some((_, Value::String(new)))) = (old, new)
                && old == new
            {
                continue;
            }
            let id = map.member(name).unwrap_or(TypeId::NEVER);
            let count = self.problems.count();
            let difference = self.either(id, old.map(|(_, value)| value), new.map(|(_, value)| value));
            if self.problems.count() > count {
                self.problems.below(count, &PathElement::Field(name.clone()));
            }
            if !difference.is_empty() {
                level.add(&PathElement::Field(name.clone()), difference);
            }
        }
        level.build()
    }

    fn either(&mut self, id: TypeId, old: Option<&Value>, new: Option<&Value>) -> Difference {
        if self.depth == 0 {
            self.problems.add(format!("nests deeper than MAX_DEPTH ({MAX_DEPTH}) levels"));
            return Difference::default();
        }
        self.depth -= 1;
        let difference = match (old, new) {
            (Some(old), Some(new)) => self.both(id, old, new),
            (Some(old), None) => Difference { removed: self.whole(id, old), ..Difference::default() },
            (None, Some(new)) => Difference { added: self.whole(id, new), ..Difference::default() },
            (None, None) => Difference::default(),
        };
        self.depth += 1;
        difference
    }

    /// A value that is on one side only: itself and all that is in it.
    fn whole(&mut self, id: TypeId, value: &Value) -> Side {
        if self.depth == 0 {
            self.problems.add(format!("nests deeper than MAX_DEPTH ({MAX_DEPTH}) levels"));
            return Side::itself();
        }
        self.depth -= 1;
        let types = self.types;
        let ty = types.get_type(id);
        let below = match (shape_of(ty, kind(ty, value)), value) {
            (Shape::Map(map), Value::Object(members)) if !map.atomic => {
                let mut set = SetBuilder::with_capacity(members.len());
                for (name, member) in members.iter() {
                    let count = self.problems.count();
                    let side = self.whole(map.member(name).unwrap_or(TypeId::NEVER), member);
                    if self.problems.count() > count {
                        self.problems.below(count, &PathElement::Field(name.clone()));
                    }
                    set.add(PathElement::Field(name.clone()), true, side.below);
                }
                set.build()
            }
            (Shape::List(list), Value::Array(items)) if !matches!(list.kind, ListKind::Atomic) => {
                let mut set = SetBuilder::with_capacity(items.len());
                for (element, items) in self.by_element(list, items) {
                    let below = match items.as_slice() {
                        [only] => self.whole(list.items, only).below,
                        _ => FieldSet::new(),
                    };
                    set.add(element, true, below);
                }
                set.build()
            }
            _ => FieldSet::new(),
        };
        self.depth += 1;
        Side { itself: true, below }
    }

    fn by_element<'v>(&mut self, list: &ListType, items: &'v Array) -> BTreeMap<PathElement, Vec<&'v Value>> {
        let mut by_element: BTreeMap<PathElement, Vec<&'v Value>> = BTreeMap::new();
        for (idx, item) in items.iter().enumerate() {
            match item_element(self.types, list, item) {
                Ok(element) => by_element.entry(element).or_default().push(item),
                Err(why) => self.problems.add(format!("element {idx}: {why}")),
            }
        }
        by_element
    }

    fn items(&mut self, list: &ListType, old: &Array, new: &Array) -> Difference {
        let olds = self.by_element(list, old);
        let news = self.by_element(list, new);
        let mut level = Level::default();
        let only_new = news.keys().filter(|element| !olds.contains_key(element));
        for element in olds.keys().chain(only_new) {
            let side = |items: &BTreeMap<PathElement, Vec<&'_ Value>>| {
                items
                    .get(element)
                    .map(|items| items.iter().copied().cloned().collect::<Vec<Value>>())
                    .unwrap_or_default()
            };
            let (old, new) = (side(&olds), side(&news));
            let count = self.problems.count();
            let difference = match (old.as_slice(), new.as_slice()) {
                ([] | [_], [] | [_]) => self.either(list.items, old.first(), new.first()),
                // Several of a name are compared as one value.
                ([_, _, ..], [_, _, ..]) if old == new => Difference::default(),
                ([_, _, ..], [_, _, ..]) => Difference::modified(),
                ([_, _, ..], _) => {
                    let added = self.either(list.items, None, new.first());
                    added.union(&Difference { removed: Side::itself(), ..Difference::default() })
                }
                (_, _) => {
                    let removed = self.either(list.items, old.first(), None);
                    removed.union(&Difference { added: Side::itself(), ..Difference::default() })
                }
            };
            if self.problems.count() > count {
                self.problems.below(count, element);
            }
            if !difference.is_empty() {
                level.add(element, difference);
            }
        }
        level.build()
    }
}
