//! `$patch`: what a map or a list of a patch does to the object's.

use super::elements;
use crate::error::{Error, Result};
use crate::node::Node;

const KEY: &str = "$patch";

/// What is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Directive {
    /// Both are merged, which is so without a directive.
    Merge,
    /// The patch's takes the place of the object's.
    Replace,
    /// The object's goes.
    Delete,
}

fn parse(text: &str) -> Result<Directive> {
    match text {
        "delete" => Ok(Directive::Delete),
        "replace" => Ok(Directive::Replace),
        "merge" => Ok(Directive::Merge),
        _ => Err(Error::invalid(format!("unknown patch strategy '{text}'"))),
    }
}

/// Takes the directive out of a map.
pub(super) fn take_of_map(map: &mut Node) -> Result<Directive> {
    let Some(value) = map.get(KEY) else { return Ok(Directive::Merge) };
    let directive = parse(value.text())?;
    map.clear(KEY)?;
    Ok(directive)
}

/// Takes the directive out of a list: an item that is a map with nothing but the directive.
pub(super) fn take_of_list(list: &mut Node) -> Result<Directive> {
    let Some(item) = list.items().iter().find(|item| item.get(KEY).is_some()) else {
        return Ok(Directive::Merge);
    };
    if item.members().len() > 1 {
        return Ok(Directive::Merge);
    }
    let value = item.get(KEY).map_or("", Node::text).to_owned();
    let directive = parse(&value)?;
    if let Node::Sequence(items) = list {
        let pool = std::mem::take(items);
        let mut places: Vec<usize> = (0..pool.len()).collect();
        elements::set(&pool, &mut places, None, &[KEY], &[value.as_str()])?;
        *items = elements::collect(pool, &places);
    }
    Ok(directive)
}
