//! Items of lists with merge keys: finding, putting and dropping them, with all that kyaml's `ElementSetter`
//! does besides.
//!
//! A list is a row of places in a pool of nodes, since one node is in the lists of the object and of the result
//! at once while two lists are merged.

use crate::error::Result;
use crate::node::{Kind, Node};

/// Puts the item at `element` in place of each item whose fields have these values, or at the end if there is
/// none; without an element drops those items.
///
/// An empty value fits any item that has the field at all. Items that are null or empty maps are dropped
/// whatever they say.
pub(super) fn set<K: AsRef<str>, V: AsRef<str>>(
    pool: &[Node],
    list: &mut Vec<usize>,
    element: Option<usize>,
    keys: &[K],
    values: &[V],
) -> Result<()> {
    let first = |texts: Option<&str>| texts.is_some_and(|text| !text.is_empty());
    let of_maps = first(keys.first().map(AsRef::as_ref)) && first(values.first().map(AsRef::as_ref));
    let mut found_any = false;
    let mut kept = Vec::with_capacity(list.len() + 1);
    for place in list.drain(..) {
        let item = &pool[place];
        if item.is_null() || item.kind() == Kind::Mapping && item.members().is_empty() {
            continue;
        }
        if of_maps && item.kind() != Kind::Mapping {
            kept.push(place);
            continue;
        }
        if !fits(item, keys, values)? {
            if !values.is_empty() {
                kept.push(place);
            }
            continue;
        }
        found_any = true;
        kept.extend(element);
    }
    *list = kept;
    if let Some(element) = element
        && !found_any
        && !pool[element].is_null()
    {
        list.push(element);
    }
    Ok(())
}

fn fits<K: AsRef<str>, V: AsRef<str>>(item: &Node, keys: &[K], values: &[V]) -> Result<bool> {
    // Of keys without a value the verdict is that of the key before.
    let mut found = false;
    for (idx, key) in keys.iter().enumerate() {
        if let Some(value) = values.get(idx) {
            let (key, value) = (key.as_ref(), value.as_ref());
            found = if key.is_empty() {
                item.expect_kind(Kind::Scalar)?;
                item.value() == value
            } else {
                item.expect_kind(Kind::Mapping)?;
                item.get(key).is_some_and(|field| value.is_empty() || field.text() == value)
            };
        }
        if !found {
            return Ok(false);
        }
    }
    Ok(!keys.is_empty())
}

/// The nodes of a list; one that stands in several places is copied.
pub(super) fn collect(pool: Vec<Node>, list: &[usize]) -> Vec<Node> {
    let mut pool: Vec<Option<Node>> = pool.into_iter().map(Some).collect();
    list.iter()
        .enumerate()
        .filter_map(
            |(idx, place)| {
                if list[idx + 1..].contains(place) { pool[*place].clone() } else { pool[*place].take() }
            },
        )
        .collect()
}

/// The nodes of a list in which none stands twice.
pub(super) fn collect_distinct(mut pool: Vec<Node>, list: &[usize]) -> Vec<Node> {
    list.iter().map(|place| std::mem::take(&mut pool[*place])).collect()
}
