//! Lists with merge keys.

use std::collections::HashMap;

use smol_str::SmolStr;

use super::elements;
use super::{Sides, Walked, Walker};
use crate::error::{Error, Result};
use crate::filters::openapi::SchemaId;
use crate::filters::path;
use crate::node::{Kind, Node, Scalar, Tag};

type Values = Vec<SmolStr>;

/// How many items a merged list may have unless each has its own value of its one merge key. kyaml holds every
/// item against every other then, and so does this; 5,000 items take a few seconds.
pub const MAX_IRREGULAR_ITEMS: usize = 5_000;

impl Walker<'_> {
    /// Merges the patch's list into the object's: items of the patch first, then what the object has beside.
    /// Without a list of the patch the object's is brought into the order it would have; so is a list that is
    /// both sides.
    pub(super) fn list(
        &self,
        dest: &mut Node,
        mut sides: Sides<'_>,
        schema: SchemaId,
        keys: &[SmolStr],
    ) -> Result<Walked> {
        let of_values = keys.is_empty();
        let keys: &[SmolStr] = if of_values { &[SmolStr::new_static("")] } else { keys };
        let mut found = Vec::new();
        if let Sides::Both(origin) = &sides {
            collect_values(origin, keys, of_values, &mut found);
        }
        collect_values(dest, keys, of_values, &mut found);
        if found.is_empty() {
            return Ok(Walked::Dest);
        }
        if keys.len() > 1 {
            merge_values(&mut found);
        }
        let mut pool = take_items(dest);
        let mut own: Vec<usize> = (0..pool.len()).collect();
        if let Sides::Both(origin) = &mut sides {
            pool.extend(take_items(origin));
        }
        let theirs: Vec<usize> = (own.len()..pool.len()).collect();
        let is_same = matches!(sides, Sides::Same);
        let merge = Merge { walker: self, items: self.schema.items(schema), is_same };
        if !of_values && let [key] = keys {
            let by_key = |places: &[usize]| distinct(&pool, places, key);
            if let (Some(own_places), Some(their_places)) = (by_key(&own), by_key(&theirs)) {
                let result = merge.distinct_items(&mut pool, &own, &theirs, &own_places, &their_places)?;
                return Ok(Walked::Fresh(Node::Sequence(elements::collect_distinct(pool, &result))));
            }
        }
        if pool.len() > MAX_IRREGULAR_ITEMS {
            return Err(Error::limit(format!(
                "a list to be merged has items without their own value of a merge key, and more items than the \
                 limit MAX_IRREGULAR_ITEMS of {MAX_IRREGULAR_ITEMS}"
            )));
        }
        let mut result = Vec::with_capacity(pool.len());
        let mut valid_keys = Vec::new();
        for values in &found {
            let (names, values) = valid(&found, values, keys);
            merge.item(&mut pool, &mut own, &theirs, &mut result, &names, &values)?;
            valid_keys = names;
        }
        append(&pool, &mut result, &own, &valid_keys)?;
        Ok(Walked::Fresh(Node::Sequence(elements::collect(pool, &result))))
    }
}

/// The places of items by their value of a key, if each is a map that has one of its own.
fn distinct(pool: &[Node], places: &[usize], key: &str) -> Option<HashMap<SmolStr, usize>> {
    let mut found = HashMap::with_capacity(places.len());
    for place in places {
        let Node::Scalar(value) = pool[*place].get(key)? else { return None };
        if value.tag == Tag::Null
            || value.value.is_empty()
            || found.insert(value.value.clone(), *place).is_some()
        {
            return None;
        }
    }
    Some(found)
}

fn take_items(list: &mut Node) -> Vec<Node> {
    list.items_mut().map(std::mem::take).unwrap_or_default()
}

/// Collects what the items of a list say of the keys, each only once.
fn collect_values(list: &Node, keys: &[SmolStr], of_values: bool, found: &mut Vec<Values>) {
    for item in list.items() {
        let values: Values = if of_values {
            vec![SmolStr::new(item.text())]
        } else {
            let value = |key: &SmolStr| item.get(key).filter(|field| !field.is_nil_or_empty());
            keys.iter()
                .map(|key| value(key).map_or_else(SmolStr::default, |it| SmolStr::new(it.text())))
                .collect()
        };
        if !found.contains(&values) {
            found.push(values);
        }
    }
}

/// Makes values that differ only in what one of them does not say the same.
fn merge_values(found: &mut [Values]) {
    for left in 0..found.len() {
        // kyaml goes on with what it read before it changed anything for this one.
        let before = found[left].clone();
        for right in 0..found.len() {
            if let Some(merged) = matched(&before, &found[right]) {
                found[left].clone_from(&merged);
                found[right] = merged;
            }
        }
    }
}

fn matched(left: &[SmolStr], right: &[SmolStr]) -> Option<Values> {
    let mut common = false;
    let mut merged = Vec::with_capacity(left.len());
    for (left, right) in left.iter().zip(right) {
        if left == right {
            common = true;
        } else if !left.is_empty() && !right.is_empty() {
            return None;
        }
        merged.push(if left.is_empty() { right.clone() } else { left.clone() });
    }
    common.then_some(merged)
}

/// The keys that any of the values says, with what these values say of them; all keys if none says any.
fn valid(all: &[Values], values: &[SmolStr], keys: &[SmolStr]) -> (Values, Values) {
    let said = |idx: usize| all.iter().any(|values| !values[idx].is_empty());
    let places: Vec<usize> = (0..keys.len()).filter(|idx| said(*idx)).collect();
    if places.is_empty() {
        return (keys.to_vec(), values.to_vec());
    }
    let pick = |from: &[SmolStr]| places.iter().map(|idx| from[*idx].clone()).collect();
    (pick(keys), pick(values))
}

struct Merge<'a> {
    walker: &'a Walker<'a>,
    items: Option<SchemaId>,
    /// Whether both sides are one list.
    is_same: bool,
}

impl Merge<'_> {
    /// Merges lists whose items all have their own value of the one key: what the rest of this file does, in
    /// one pass. Returns the places of what remains.
    fn distinct_items(
        &self,
        pool: &mut [Node],
        own: &[usize],
        theirs: &[usize],
        own_places: &HashMap<SmolStr, usize>,
        their_places: &HashMap<SmolStr, usize>,
    ) -> Result<Vec<usize>> {
        // By the place of the patch's item that of the object's, and the other way around.
        let mut partner: HashMap<usize, usize> = HashMap::with_capacity(their_places.len());
        for (value, place) in their_places {
            if let Some(other) = own_places.get(value) {
                partner.insert(*place, *other);
                partner.insert(*other, *place);
            }
        }
        let mut result = Vec::with_capacity(pool.len());
        for place in theirs {
            let mut origin = std::mem::take(&mut pool[*place]);
            let (place, walked) = match partner.get(place) {
                Some(own) => {
                    let walked = self.walker.both(&mut pool[*own], &mut origin, self.items)?;
                    // kyaml puts the patch's item into the result, and then the object's over it.
                    (
                        *own,
                        if matches!(walked, Walked::Origin) && is_void(&origin) {
                            Walked::Nothing
                        } else {
                            walked
                        },
                    )
                }
                None => {
                    let walked = self.walker.added(&mut origin, self.items)?;
                    pool[*place] = origin;
                    (*place, walked)
                }
            };
            if !matches!(walked, Walked::Nothing) && !is_void(&pool[place]) {
                result.push(place);
            }
        }
        for place in own.iter().filter(|place| !partner.contains_key(place)) {
            let item = &mut pool[*place];
            let walked = if self.is_same {
                self.walker.same(item, self.items)?
            } else {
                self.walker.untouched(item, self.items)?
            };
            if !matches!(walked, Walked::Nothing) && !is_void(item) {
                result.push(*place);
            }
        }
        Ok(result)
    }

    /// Merges the items with these values and puts the outcome into the result.
    fn item(
        &self,
        pool: &mut Vec<Node>,
        own: &mut Vec<usize>,
        theirs: &[usize],
        result: &mut Vec<usize>,
        names: &[SmolStr],
        values: &[SmolStr],
    ) -> Result<()> {
        let place = self.walk(pool, own, theirs, names, values)?;
        let Some(place) = place.filter(|place| !is_void(&pool[*place])) else {
            for _ in names {
                elements::set(pool, own, None, names, values)?;
            }
            return Ok(());
        };
        for (name, value) in names.iter().zip(values) {
            let item = &mut pool[place];
            if !value.is_empty() && item.get(name).is_none() {
                if name.is_empty() {
                    item.expect_kind(Kind::Scalar)?;
                    let style = item.style();
                    *item = Node::Scalar(Scalar { style, ..Scalar::untagged(value.clone()) });
                } else {
                    item.set_field(name, Node::untagged(value.clone()))?;
                }
            }
        }
        elements::set(pool, result, Some(place), names, values)
    }

    /// Walks the object's and the patch's item with these values; the place of what comes out.
    fn walk(
        &self,
        pool: &mut Vec<Node>,
        own: &[usize],
        theirs: &[usize],
        names: &[SmolStr],
        values: &[SmolStr],
    ) -> Result<Option<usize>> {
        let (names, values) = valid(&[values.to_vec()], values, names);
        let dest = find(pool, own, &names, &values);
        let origin = find(pool, theirs, &names, &values);
        let (place, walked) = match (dest, origin) {
            (None, None) => return Ok(None),
            (Some(dest), None) => {
                let mut node = std::mem::take(&mut pool[dest]);
                let walked = if self.is_same {
                    self.walker.same(&mut node, self.items)
                } else {
                    self.walker.untouched(&mut node, self.items)
                };
                pool[dest] = node;
                (dest, walked?)
            }
            (None, Some(origin)) => {
                let mut node = std::mem::take(&mut pool[origin]);
                let walked = self.walker.added(&mut node, self.items);
                pool[origin] = node;
                (origin, walked?)
            }
            (Some(dest), Some(origin)) => {
                let mut node = std::mem::take(&mut pool[dest]);
                let mut patch = std::mem::take(&mut pool[origin]);
                let walked = self.walker.both(&mut node, &mut patch, self.items);
                pool[dest] = node;
                pool[origin] = patch;
                match walked? {
                    Walked::Origin => (origin, Walked::Dest),
                    walked => (dest, walked),
                }
            }
        };
        Ok(match walked {
            Walked::Nothing => None,
            Walked::Fresh(node) => {
                pool.push(node);
                Some(pool.len() - 1)
            }
            Walked::Dest | Walked::KeptNull | Walked::Origin => Some(place),
        })
    }
}

/// Whether an item is null or an empty map, which merged lists do not keep.
fn is_void(item: &Node) -> bool {
    item.is_null() || item.kind() == Kind::Mapping && item.members().is_empty()
}

/// The first item of a list with these values.
fn find(pool: &[Node], list: &[usize], names: &[SmolStr], values: &[SmolStr]) -> Option<usize> {
    let fits = |place: &&usize| {
        let item = &pool[**place];
        if names[0].is_empty() {
            return item.text() == values[0];
        }
        names
            .iter()
            .zip(values)
            .all(|(name, value)| item.get(name).is_some_and(|it| it.text() == value.as_str()))
    };
    list.iter().find(fits).copied()
}

/// Puts the items of the object behind those that were merged; each that is there already stays there.
fn append(pool: &[Node], result: &mut Vec<usize>, own: &[usize], keys: &[SmolStr]) -> Result<()> {
    for place in own {
        if keys[0].is_empty() {
            let value = SmolStr::new(pool[*place].text());
            elements::set(pool, result, Some(*place), &[""], &[value])?;
            continue;
        }
        let mut values: Values = Vec::with_capacity(keys.len());
        for key in keys {
            match path::field(&pool[*place], key)? {
                Some(field) => values.push(SmolStr::new(field.text())),
                None => result.push(*place),
            }
        }
        if keys.len() > 1 {
            elements::set(pool, result, None, keys, &values)?;
        }
        elements::set(pool, result, Some(*place), keys, &values)?;
    }
    Ok(())
}
