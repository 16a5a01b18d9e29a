//! Strategic merge patches, as kyaml's `merge2` merges nodes.
//!
//! What is merged, replaced, reordered or dropped follows kyaml step by step, since much of it shows in what
//! `kustomize build` prints: fields of the object that the patch does not name are visited, too, which drops
//! those that are empty (`key:`) and brings lists with merge keys into a new order.
//!
//! Two nodes are walked together, the object's (*dest*) and the patch's (*origin*). Where the object has
//! nothing, kyaml takes the patch's node ([`Walker::added`]) and goes on below with that node on both sides
//! ([`Walker::same`]).

mod directive;
mod elements;
mod list;

use smol_str::SmolStr;

use self::directive::Directive;
pub use self::list::MAX_IRREGULAR_ITEMS;
use super::openapi::{Schema, SchemaId};
use crate::error::Result;
use crate::node::{Kind, Node, Scalar};

/// What became of the object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Merged {
    /// It was changed in place.
    Changed,
    /// The patch says `$patch: delete` of the whole.
    Deleted,
}

/// Merges a patch into an object.
///
/// # Errors
/// Nodes of different kinds, an unknown `$patch`, items of a merged list that are no maps. The object is then
/// in no defined state.
pub fn apply(node: &mut Node, mut patch: Node, schema: &Schema) -> Result<Merged> {
    let before = node.shared_scalars();
    let walked = Walker { schema }.both(node, &mut patch, None)?;
    node.settle_shared(&before);
    // With `$patch: replace` at the top kyaml returns the patch, and kustomize does not look at it.
    Ok(if matches!(walked, Walked::Nothing) { Merged::Deleted } else { Merged::Changed })
}

/// Which node is the result of a walk.
#[derive(Debug)]
enum Walked {
    /// None: the field or item goes.
    Nothing,
    /// The object's, changed in place; where both are one, that one.
    Dest,
    /// The object's explicit null, which stays although nulls go.
    KeptNull,
    /// The patch's.
    Origin,
    /// A new one.
    Fresh(Node),
}

/// What stands beside a list of the object.
enum Sides<'a> {
    /// Nothing.
    Object,
    /// The same list.
    Same,
    /// A list of the patch.
    Both(&'a mut Node),
}

struct Walker<'a> {
    schema: &'a Schema,
}

fn present(node: Option<&Node>) -> Option<&Node> {
    node.filter(|node| !node.is_null())
}

impl Walker<'_> {
    /// The schema of a node: the one its parent says, or that of the kind it says itself.
    fn schema_of(&self, given: Option<SchemaId>, nodes: [Option<&Node>; 2]) -> Option<SchemaId> {
        given.or_else(|| {
            nodes.into_iter().flatten().find_map(|node| {
                let filled = |name: &str| node.get(name).filter(|value| !value.is_nil_or_empty());
                let (kind, version) = (filled("kind")?.value(), filled("apiVersion")?.value());
                self.schema.of_type(version, kind)
            })
        })
    }

    /// The schema of a field: what a comment there says counts before all else.
    fn field_schema(
        &self,
        schema: Option<SchemaId>,
        key: &Scalar,
        other: Option<&Scalar>,
    ) -> Option<SchemaId> {
        if key.has_comment_schema || other.is_some_and(|key| key.has_comment_schema) {
            return Some(SchemaId::NOTHING);
        }
        self.schema.field(schema?, &key.value)
    }

    /// A node that the patch does not name.
    fn untouched(&self, dest: &mut Node, schema: Option<SchemaId>) -> Result<Walked> {
        match dest {
            Node::Scalar(scalar) if dest_is_null(scalar) => {
                // `key: null` stays, `key:` goes.
                Ok(if scalar.value.is_empty() { Walked::Nothing } else { Walked::KeptNull })
            }
            Node::Scalar(_) => Ok(Walked::Dest),
            Node::Mapping(_) => {
                let schema = self.schema_of(schema, [Some(dest), None]);
                self.members(dest, None, schema)?;
                Ok(Walked::Dest)
            }
            Node::Sequence(_) => match self.merged_by(schema) {
                Some((id, keys)) => self.list(dest, Sides::Object, id, keys),
                None => Ok(Walked::Dest),
            },
        }
    }

    /// A node of the patch where the object has none.
    fn added(&self, node: &mut Node, schema: Option<SchemaId>) -> Result<Walked> {
        match node.kind() {
            Kind::Scalar => Ok(Walked::Dest),
            Kind::Mapping => {
                let schema = self.schema_of(schema, [Some(node), None]);
                // What is wrong with a directive is not said here.
                if matches!(directive::take_of_map(node), Ok(Directive::Delete)) {
                    return Ok(Walked::Nothing);
                }
                self.same_members(node, schema)?;
                Ok(Walked::Dest)
            }
            // Directives of an added list are items like any other.
            Kind::Sequence => match self.merged_by(schema) {
                Some((id, keys)) => self.list(node, Sides::Same, id, keys),
                None => Ok(Walked::Dest),
            },
        }
    }

    /// A node that is both sides.
    fn same(&self, node: &mut Node, schema: Option<SchemaId>) -> Result<Walked> {
        match node.kind() {
            Kind::Scalar => Ok(Walked::Dest),
            Kind::Mapping => {
                let schema = self.schema_of(schema, [Some(node), None]);
                if directive::take_of_map(node)? == Directive::Delete {
                    return Ok(Walked::Nothing);
                }
                self.same_members(node, schema)?;
                Ok(Walked::Dest)
            }
            Kind::Sequence => match self.merged_by(schema) {
                Some((id, keys)) => {
                    if directive::take_of_list(node)? == Directive::Delete {
                        return Ok(Walked::Nothing);
                    }
                    self.list(node, Sides::Same, id, keys)
                }
                None => Ok(Walked::Dest),
            },
        }
    }

    /// The keys by which a list is merged.
    fn merged_by(&self, schema: Option<SchemaId>) -> Option<(SchemaId, &[SmolStr])> {
        schema.and_then(|id| Some((id, self.schema.merge_keys(id)?)))
    }

    /// A node of the object and one of the patch.
    fn both(&self, dest: &mut Node, origin: &mut Node, schema: Option<SchemaId>) -> Result<Walked> {
        if dest.is_null() {
            if origin.is_null() {
                return Ok(Walked::Origin);
            }
            return Ok(match self.added(origin, schema)? {
                Walked::Dest => Walked::Origin,
                other => other,
            });
        }
        let schema = self.schema_of(schema, [Some(dest), present(Some(origin))]);
        origin.expect_kind(dest.kind())?;
        match dest.kind() {
            Kind::Scalar => Ok(Walked::Origin),
            Kind::Mapping => {
                if origin.is_null() {
                    return Ok(Walked::Nothing);
                }
                match directive::take_of_map(origin)? {
                    Directive::Delete => Ok(Walked::Nothing),
                    Directive::Replace => {
                        self.same_members(origin, schema)?;
                        Ok(Walked::Origin)
                    }
                    Directive::Merge => {
                        self.members(dest, Some(origin), schema)?;
                        Ok(Walked::Dest)
                    }
                }
            }
            Kind::Sequence => {
                let Some((id, keys)) = self.merged_by(schema) else { return Ok(Walked::Origin) };
                if origin.is_null() {
                    return Ok(Walked::Nothing);
                }
                match directive::take_of_list(origin)? {
                    Directive::Delete => Ok(Walked::Nothing),
                    Directive::Replace => Ok(match self.list(origin, Sides::Same, id, keys)? {
                        Walked::Dest => Walked::Origin,
                        other => other,
                    }),
                    Directive::Merge => self.list(dest, Sides::Both(origin), id, keys),
                }
            }
        }
    }

    /// The members of a map of the object, with those of the patch's map.
    fn members(
        &self,
        dest: &mut Node,
        mut origin: Option<&mut Node>,
        schema: Option<SchemaId>,
    ) -> Result<()> {
        let own = firsts(dest.members());
        let theirs = origin.as_deref().map_or_else(Vec::new, |origin| firsts(origin.members()));
        let Node::Mapping(members) = dest else { return Ok(()) };
        let mut gone: Vec<usize> = Vec::new();
        let (mut own, mut theirs) = (own.into_iter().peekable(), theirs.into_iter().peekable());
        loop {
            let order = match (own.peek(), theirs.peek(), origin.as_deref()) {
                (None, None, _) => break,
                (Some(_), None, _) | (_, _, None) => std::cmp::Ordering::Less,
                (None, Some(_), _) => std::cmp::Ordering::Greater,
                (Some(own), Some(theirs), Some(origin)) => {
                    members[*own].0.value.cmp(&origin.members()[*theirs].0.value)
                }
            };
            let own = if order.is_le() { own.next() } else { None };
            let theirs = if order.is_ge() { theirs.next() } else { None };
            let theirs = match (theirs, origin.as_deref_mut()) {
                (Some(idx), Some(Node::Mapping(members))) => Some(&mut members[idx]),
                _ => None,
            };
            match (own, theirs) {
                (Some(idx), None) => {
                    let (key, value) = &mut members[idx];
                    let field = self.field_schema(schema, key, None);
                    match self.untouched(value, field)? {
                        Walked::Nothing => gone.push(idx),
                        Walked::Dest => value.quote_words(),
                        Walked::Fresh(list) => *value = list,
                        Walked::KeptNull | Walked::Origin => {}
                    }
                }
                (Some(idx), Some((origin_key, origin))) => {
                    let (key, value) = &mut members[idx];
                    let field = self.field_schema(schema, key, Some(origin_key));
                    let new = match self.both(value, origin, field)? {
                        Walked::Nothing => None,
                        Walked::Dest => {
                            value.quote_words();
                            continue;
                        }
                        Walked::KeptNull => continue,
                        // A copy: items of the patch are still looked up by their fields.
                        Walked::Origin => Some(origin.clone()).filter(|node| !node.is_null()),
                        Walked::Fresh(node) => Some(node),
                    };
                    match new {
                        Some(new) => write_over(value, new),
                        None => gone.push(idx),
                    }
                }
                (None, Some((key, origin))) => {
                    let field = self.field_schema(schema, key, None);
                    let (new, style) = match self.added(origin, field)? {
                        Walked::Fresh(node) => (node, crate::node::Style::Plain),
                        Walked::Nothing => continue,
                        _ => (origin.clone(), key.style),
                    };
                    if !new.is_null() {
                        let mut new = new;
                        new.quote_words();
                        members.push((Scalar { style, ..Scalar::untagged(key.value.clone()) }, new));
                    }
                }
                (None, None) => break,
            }
        }
        remove(members, gone);
        Ok(())
    }

    /// The members of a map that is both sides.
    fn same_members(&self, node: &mut Node, schema: Option<SchemaId>) -> Result<()> {
        let names = firsts(node.members());
        let Node::Mapping(members) = node else { return Ok(()) };
        let mut gone: Vec<usize> = Vec::new();
        for idx in names {
            let (key, value) = &mut members[idx];
            let field = self.field_schema(schema, key, None);
            match self.same(value, field)? {
                Walked::Nothing => gone.push(idx),
                Walked::Fresh(list) => *value = list,
                _ if value.is_null() => gone.push(idx),
                _ => value.quote_words(),
            }
        }
        remove(members, gone);
        Ok(())
    }
}

fn dest_is_null(scalar: &Scalar) -> bool {
    scalar.tag == crate::node::Tag::Null
}

/// The places of a map's members in the order of their names, of equal names the first.
fn firsts(members: &[(Scalar, Node)]) -> Vec<usize> {
    let mut places: Vec<usize> = (0..members.len()).collect();
    let name = |idx: &usize| -> &SmolStr { &members[*idx].0.value };
    places.sort_by(|left, right| name(left).cmp(name(right)));
    places.dedup_by(|later, first| name(later) == name(first));
    places
}

fn remove(members: &mut Vec<(Scalar, Node)>, mut gone: Vec<usize>) {
    gone.sort_unstable();
    for idx in gone.into_iter().rev() {
        members.remove(idx);
    }
}

/// Writes a node over another in place: a scalar takes over the style of what was there, unless that was a
/// collection.
fn write_over(field: &mut Node, mut new: Node) {
    new.quote_words();
    if let Node::Scalar(scalar) = &mut new {
        scalar.style = field.style();
        scalar.shared = field.as_scalar().map_or(0, |old| old.shared);
    }
    *field = new;
}
