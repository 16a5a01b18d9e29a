//! Paths into nodes, as kyaml splits and follows them.

use smol_str::SmolStr;

use crate::error::{Error, Result};
use crate::node::{Kind, Node, Scalar};

/// Where a step leads.
pub enum Found<'a> {
    /// To a node.
    Node(&'a mut Node),
    /// To nothing.
    Nothing,
}

/// Splits a path at a delimiter; a backslash before the delimiter keeps it. One delimiter at the start is
/// skipped.
#[must_use]
pub fn split(path: &str, delimiter: char) -> Vec<String> {
    let mut parts: Vec<String> = Vec::new();
    let mut pieces = path.split(delimiter).peekable();
    if path.contains(delimiter) {
        pieces.next_if(|piece| piece.is_empty());
    }
    for piece in pieces {
        match parts.last_mut() {
            Some(last) if last.ends_with('\\') => {
                last.pop();
                last.push(delimiter);
                last.push_str(piece);
            }
            _ => parts.push(piece.to_owned()),
        }
    }
    parts
}

/// Splits a path, keeping together what is in brackets: `[name=a.b]` stays as it is, `[a.b]` loses its
/// brackets.
#[must_use]
pub fn split_with_brackets(path: &str, delimiter: char) -> Vec<String> {
    let mut parts = Vec::new();
    let mut pieces = split(path, delimiter).into_iter();
    while let Some(mut piece) = pieces.next() {
        if piece.starts_with('[') && !piece.ends_with(']') {
            for next in pieces.by_ref() {
                piece.push(delimiter);
                piece.push_str(&next);
                if next.ends_with(']') {
                    break;
                }
            }
            if !piece.contains('=') {
                piece = piece.trim_matches(['[', ']']).to_owned();
            }
        }
        parts.push(piece);
    }
    parts
}

/// The number that Go's `strconv.Atoi` reads.
#[must_use]
pub fn atoi(text: &str) -> Option<i64> {
    let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    text.parse().ok()
}

/// Whether a part is `[…]`.
#[must_use]
pub fn is_list_index(part: &str) -> bool {
    part.starts_with('[') && part.ends_with(']')
}

/// Whether a part is a number that is not negative.
#[must_use]
pub fn is_index_number(part: &str) -> bool {
    atoi(part).is_some_and(|number| number >= 0)
}

/// The name and the value of `[name=value]`.
///
/// # Errors
/// There is no `=`.
pub fn split_index(part: &str) -> Result<(&str, &str)> {
    let inner = part.strip_suffix(']').unwrap_or(part);
    let inner = inner.strip_prefix('[').unwrap_or(inner);
    inner.split_once('=').ok_or_else(|| {
        Error::invalid("list path element must contain fieldName=fieldValue for element to match")
    })
}

/// The kind that a missing field gets, from the part that follows it.
#[must_use]
pub fn kind_before(next: Option<&str>, last: Kind) -> Kind {
    match next {
        None | Some("") => last,
        Some(next) if is_list_index(next) || is_index_number(next) => Kind::Sequence,
        Some(_) => Kind::Mapping,
    }
}

/// The items of a list; none of null.
///
/// # Errors
/// Anything else.
pub fn items(node: &Node) -> Result<&[Node]> {
    node.expect_kind(Kind::Sequence)?;
    Ok(node.items())
}

/// kyaml's `Get`: a field of a map, nothing of null.
///
/// # Errors
/// Anything else.
pub fn field<'a>(node: &'a Node, name: &str) -> Result<Option<&'a Node>> {
    node.expect_kind(Kind::Mapping)?;
    Ok(node.get(name))
}

/// The place of the first item with fields of these values; with an empty name, of the item with that text.
///
/// # Errors
/// Neither a list nor null.
pub fn matching_item<N: AsRef<str>, V: AsRef<str>>(
    list: &Node,
    names: &[N],
    values: &[V],
) -> Result<Option<usize>> {
    let items = items(list)?;
    if names.first().is_none_or(|name| name.as_ref().is_empty()) {
        let wanted = values.first().map_or("", AsRef::as_ref);
        return Ok(items.iter().position(|item| item.text() == wanted));
    }
    let fits = |item: &Node| {
        let mut wanted = names.iter().zip(values);
        wanted.all(|(name, value)| item.get(name.as_ref()).is_some_and(|node| node.text() == value.as_ref()))
    };
    Ok(items.iter().position(fits))
}

enum Place {
    Item(usize),
    Member(usize),
    Nothing,
    /// A field that is not there, by its name.
    MissingField,
    /// An item that is not there, by name and value.
    MissingItem(SmolStr, SmolStr),
}

fn place(node: &Node, part: &str) -> Result<Place> {
    if let Some(number) = atoi(part) {
        let idx = usize::try_from(number)
            .map_err(|_| Error::invalid(format!("array index {number} cannot be negative")))?;
        return Ok(if idx < items(node)?.len() { Place::Item(idx) } else { Place::Nothing });
    }
    match part {
        "-" => match items(node)?.len().checked_sub(1) {
            Some(idx) => Ok(Place::Item(idx)),
            // Go's program ends with a panic here.
            None => Err(Error::invalid("`-` in a path stands for the last item, and the list is empty")),
        },
        "*" => Err(Error::invalid("wildcard is not supported in PathGetter")),
        _ if is_list_index(part) => {
            let (name, value) = split_index(part)?;
            let found = matching_item(node, &[name], &[value])?;
            Ok(found.map_or_else(|| Place::MissingItem(name.into(), value.into()), Place::Item))
        }
        _ => {
            node.expect_kind(Kind::Mapping)?;
            let found = node.members().iter().position(|(key, _)| key.value == part);
            Ok(found.map_or(Place::MissingField, Place::Member))
        }
    }
}

/// What one step leads to; with a kind, a missing field or `[name=value]` item is made of that kind. Null has
/// nothing and gets nothing.
///
/// # Errors
/// A step into a node of another kind, a step that means nothing.
pub fn step_create<'a>(node: &'a mut Node, part: &str, create: Option<Kind>) -> Result<Found<'a>> {
    let part = part.trim();
    if part.is_empty() {
        return Ok(Found::Node(node));
    }
    let place = place(node, part)?;
    if node.is_null() && matches!(place, Place::MissingField) {
        return Ok(Found::Nothing);
    }
    match (place, create, node) {
        (Place::Item(idx), _, Node::Sequence(items)) => Ok(Found::Node(&mut items[idx])),
        (Place::Member(idx), _, Node::Mapping(members)) => Ok(Found::Node(&mut members[idx].1)),
        (Place::MissingField, Some(kind), Node::Mapping(members)) => {
            members.push((Scalar::untagged(part), Node::empty(kind)));
            Ok(Found::Node(&mut members.last_mut().expect("one was just put there").1))
        }
        (Place::MissingItem(name, value), Some(_), Node::Sequence(items)) => {
            let value = Node::untagged(value);
            let item =
                if name.is_empty() { value } else { Node::Mapping(vec![(Scalar::untagged(name), value)]) };
            items.push(item);
            Ok(Found::Node(items.last_mut().expect("one was just put there")))
        }
        _ => Ok(Found::Nothing),
    }
}

/// What a path leads to: keys, `[name=value]`, numbers, `-` for the last item. Blank parts are skipped.
///
/// # Errors
/// A step into a node of another kind, a step that means nothing.
pub fn lookup<'a, P: AsRef<str>>(node: &'a Node, parts: &[P]) -> Result<Option<&'a Node>> {
    let mut at = node;
    for part in parts.iter().map(|part| part.as_ref().trim()).filter(|part| !part.is_empty()) {
        at = match place(at, part)? {
            Place::Item(idx) => &at.items()[idx],
            Place::Member(idx) => &at.members()[idx].1,
            _ => return Ok(None),
        };
    }
    Ok(Some(at))
}

/// [`lookup`], to change what is found.
///
/// # Errors
/// As [`lookup`].
pub fn lookup_mut<'a, P: AsRef<str>>(node: &'a mut Node, parts: &[P]) -> Result<Option<&'a mut Node>> {
    let mut at = node;
    for part in parts {
        match step_create(at, part.as_ref(), None)? {
            Found::Node(next) => at = next,
            Found::Nothing => return Ok(None),
        }
    }
    Ok(Some(at))
}

/// [`lookup`], making what is missing; the last field of a kind.
///
/// # Errors
/// As [`lookup`].
pub fn lookup_create<'a, P: AsRef<str>>(
    node: &'a mut Node,
    kind: Kind,
    parts: &[P],
) -> Result<Option<&'a mut Node>> {
    let parts: Vec<&str> =
        parts.iter().map(|part| part.as_ref().trim()).filter(|it| !it.is_empty()).collect();
    let mut at = node;
    for (idx, part) in parts.iter().enumerate() {
        let kind = kind_before(parts.get(idx + 1).copied(), kind);
        match step_create(at, part, Some(kind))? {
            Found::Node(next) => at = next,
            Found::Nothing => return Ok(None),
        }
    }
    Ok(Some(at))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn splits_as_kyaml_does() {
        assert_eq!(split("a/b\\/c/d", '/'), ["a", "b/c", "d"]);
        assert_eq!(split("/a/b", '/'), ["a", "b"]);
        assert_eq!(split("", '/'), [""]);
        assert_eq!(split("//a", '/'), ["", "a"]);
        assert_eq!(split_with_brackets("a.[name=x.y].b", '.'), ["a", "[name=x.y]", "b"]);
        assert_eq!(split_with_brackets("a.[x.y/z].b", '.'), ["a", "x.y/z", "b"]);
        assert_eq!(split_with_brackets("a.[x]", '.'), ["a", "[x]"]);
        assert_eq!(split_with_brackets("a.b\\.c", '.'), ["a", "b.c"]);
    }
}
