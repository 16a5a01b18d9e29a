//! Merges an applied configuration over a live value; nothing is removed here.

use std::collections::HashMap;

use super::typed::{Shape, item_element, kind, shape_of};
use super::validate::{Problems, ValidationErrors};
use crate::fields::PathElement;
use crate::schema::{ListKind, ListType, MapType, ObjectType, TypeId, Types};
use crate::{Array, Map, Str, Value};

/// The merged object; `None` when that is the live one.
pub(super) fn combine(
    object_type: &ObjectType,
    live: &Value,
    config: &Value,
) -> Result<Option<Value>, ValidationErrors> {
    let mut walk = Walk { types: object_type.types(), problems: Problems::default() };
    let merged = walk.merge(object_type.root(), live, config);
    walk.problems.into_result(match merged {
        Merged::Live => None,
        Merged::New(value) => Some(value),
    })
}

enum Merged {
    /// The live value, untouched.
    Live,
    New(Value),
}

struct Walk<'a> {
    types: &'a Types,
    problems: Problems,
}

/// What names the items of a list, in order, and where each is; `None` where there are two of a name.
struct Index {
    elements: Vec<PathElement>,
    by_element: Places,
}

/// Items by name: few are searched, many are hashed by their printed name.
enum Places {
    Few(Vec<(PathElement, Option<usize>)>),
    Many(HashMap<String, Option<usize>>),
}

/// Up to here searching is faster than printing and hashing.
const FEW: usize = 16;

impl Places {
    fn get(&self, element: &PathElement) -> Option<Option<usize>> {
        match self {
            Self::Few(places) => places.iter().find(|(have, _)| have == element).map(|(_, place)| *place),
            Self::Many(places) => places.get(&element.to_key()).copied(),
        }
    }

    fn put(&mut self, element: &PathElement, place: Option<usize>) {
        match self {
            Self::Few(places) => match places.iter_mut().find(|(have, _)| have == element) {
                Some((_, have)) => *have = place,
                None => places.push((element.clone(), place)),
            },
            Self::Many(places) => {
                places.insert(element.to_key(), place);
            }
        }
    }
}

impl Walk<'_> {
    fn merge(&mut self, id: TypeId, live: &Value, config: &Value) -> Merged {
        let ty = self.types.get_type(id);
        let new = || Merged::New(config.clone());
        match shape_of(ty, kind(ty, config)) {
            Shape::Scalar(_) => match (live, config) {
                (Value::String(a), Value::String(b)) if a == b => Merged::Live,
                (Value::Int(a), Value::Int(b)) if a == b => Merged::Live,
                (Value::Bool(a), Value::Bool(b)) if a == b => Merged::Live,
                _ => new(),
            },
            Shape::Map(MapType { atomic: true, .. })
            | Shape::List(ListType { kind: ListKind::Atomic, .. }) => {
                if live == config {
                    Merged::Live
                } else {
                    new()
                }
            }
            Shape::Map(map) => {
                let live_map = live.as_object().filter(|map| !map.is_empty());
                let config_map = config.as_object().filter(|map| !map.is_empty());
                match (live_map, config_map) {
                    (Some(live), Some(config)) => self.members(map, live, config),
                    // Null and {} take nothing away from what is there.
                    (Some(_), None) => Merged::Live,
                    _ => new(),
                }
            }
            Shape::List(list) => {
                let live_items = live.as_array().filter(|items| !items.is_empty());
                let config_items = config.as_array().filter(|items| !items.is_empty());
                match (live_items, config_items) {
                    (Some(live), Some(config)) => self.items(list, live, config),
                    (Some(_), None) => Merged::Live,
                    _ => new(),
                }
            }
            Shape::Never => new(),
        }
    }

    fn members(&mut self, map: &MapType, live: &Map, config: &Map) -> Merged {
        let mut changes: Vec<(&Str, Value)> = Vec::new();
        for (name, value) in config.iter() {
            let Some(have) = live.get(name) else {
                changes.push((name, value.clone()));
                continue;
            };
            let id = map.member(name).unwrap_or(TypeId::NEVER);
            let count = self.problems.count();
            if let Merged::New(value) = self.merge(id, have, value) {
                changes.push((name, value));
            }
            if self.problems.count() > count {
                self.problems.below(count, &PathElement::Field(name.clone()));
            }
        }
        if changes.is_empty() {
            return Merged::Live;
        }
        let mut merged = live.clone();
        for (name, value) in changes {
            merged.insert(name.clone(), value);
        }
        Merged::New(Value::Object(merged))
    }

    fn index(&mut self, list: &ListType, items: &Array, allow_duplicates: bool) -> Index {
        let places = if items.len() <= FEW {
            Places::Few(Vec::new())
        } else {
            Places::Many(HashMap::with_capacity(items.len()))
        };
        let mut index = Index { elements: Vec::with_capacity(items.len()), by_element: places };
        for (idx, item) in items.iter().enumerate() {
            let element = match item_element(self.types, list, item) {
                Ok(element) => element,
                Err(why) => {
                    self.problems.add(format!("element {idx}: {why}"));
                    continue;
                }
            };
            match index.by_element.get(&element) {
                None => index.by_element.put(&element, Some(idx)),
                Some(_) if allow_duplicates => index.by_element.put(&element, None),
                Some(_) => {
                    self.problems.add(format!("duplicate entries for key {element}"));
                    continue;
                }
            }
            index.elements.push(element);
        }
        index
    }

    /// Items keep the order of the configuration where they are in both, and live items stay where they are
    /// relative to those.
    fn items(&mut self, list: &ListType, live: &Array, config: &Array) -> Merged {
        let count = self.problems.count();
        let right = self.index(list, config, false);
        let left = self.index(list, live, true);
        if self.problems.count() > count {
            return Merged::Live;
        }
        let mut out = Vec::with_capacity(live.len().max(config.len()));
        let mut changed = false;
        let shared: Vec<&PathElement> =
            right.elements.iter().filter(|element| left.by_element.get(element).is_some()).collect();
        let mut shared = shared.into_iter();
        let mut next_shared = shared.next();
        let mut merged_right = vec![false; right.elements.len()];
        let (mut l, mut r) = (0, 0);
        while l < left.elements.len() || r < right.elements.len() {
            if l < left.elements.len() && r < right.elements.len() {
                let element = &left.elements[l];
                if *element == right.elements[r] {
                    merged_right[r] = true;
                    let (value, is_new) = self.item(list, element, &left, live, &config[r]);
                    // An item that moved makes a new list even when it is the same item.
                    changed |= is_new || out.len() != l;
                    out.push(value);
                    l += 1;
                    r += 1;
                    next_shared = shared.next();
                    continue;
                }
                let in_right = right.by_element.get(element).is_some();
                if in_right && next_shared.is_some_and(|next| next != element) {
                    // Shared, but not the one whose turn it is.
                    l += 1;
                    changed = true;
                    continue;
                }
            }
            if l < left.elements.len() {
                let element = &left.elements[l];
                match right.by_element.get(element) {
                    None => {
                        changed |= out.len() != l;
                        out.push(live[l].clone());
                        l += 1;
                        continue;
                    }
                    Some(place) if place.is_some_and(|place| merged_right[place]) => {
                        l += 1;
                        changed = true;
                    }
                    Some(_) => {}
                }
            }
            if r < right.elements.len() {
                let element = &right.elements[r];
                merged_right[r] = true;
                let (value, _) = self.item(list, element, &left, live, &config[r]);
                changed = true;
                out.push(value);
                r += 1;
                if next_shared.is_some_and(|next| next == element) {
                    next_shared = shared.next();
                }
            }
        }
        if changed || out.len() != live.len() { Merged::New(Value::Array(out.into())) } else { Merged::Live }
    }

    /// One item of the configuration, merged with the live one of that name; and whether that differs from it.
    fn item(
        &mut self,
        list: &ListType,
        element: &PathElement,
        left: &Index,
        live: &Array,
        config: &Value,
    ) -> (Value, bool) {
        let have = match left.by_element.get(element) {
            Some(Some(place)) => &live[place],
            // Where there are two of a name, neither is merged with.
            Some(None) => &Value::Null,
            None => return (config.clone(), true),
        };
        let count = self.problems.count();
        let merged = self.merge(list.items, have, config);
        if self.problems.count() > count {
            self.problems.below(count, element);
        }
        match merged {
            Merged::Live => (have.clone(), false),
            Merged::New(value) => (value, true),
        }
    }
}
