//! Fields below paths, in objects of some kinds: what kustomize's transformers change.
//!
//! A path such as `spec/template/spec/containers[]/image` goes through lists without saying so; `[]` says that
//! a field is a list and is never made. `\/` is a slash in a key.

use std::sync::Arc;

use smol_str::SmolStr;

use crate::error::{Error, Result};
use crate::filters::path::{self, Found};
use crate::node::{Kind, Node, Scalar, Style, Tag};
use crate::res_id::{Gvk, ResId};

/// Where a transformer looks in objects of some kinds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FieldSpec {
    /// The kinds; empty parts stand for any.
    pub gvk: Gvk,
    /// Whether the field is made where it is missing.
    pub create: bool,
    pub(crate) path: SmolStr,
    pub(crate) steps: Arc<[Step]>,
}

/// One step of a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Step {
    name: SmolStr,
    is_list: bool,
}

/// What is made of a missing or null field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Create {
    /// The kind of the last field; those on the way are maps.
    pub kind: Kind,
    /// The tag a null scalar gets.
    pub tag: Tag,
}

impl Create {
    /// A map.
    pub const MAP: Self = Self { kind: Kind::Mapping, tag: Tag::None };
    /// A string.
    pub const STRING: Self = Self { kind: Kind::Scalar, tag: Tag::Str };
    /// A scalar that says nothing of its type.
    pub const UNTAGGED: Self = Self { kind: Kind::Scalar, tag: Tag::None };
    /// An integer.
    pub const INT: Self = Self { kind: Kind::Scalar, tag: Tag::Int };
}

impl FieldSpec {
    /// A field of objects of some kinds.
    #[must_use]
    pub fn new(gvk: Gvk, path: impl Into<SmolStr>, create: bool) -> Self {
        let path = path.into();
        let steps = path::split(&path, '/').into_iter().map(|name| match name.strip_suffix("[]") {
            Some(list) => Step { name: list.into(), is_list: true },
            None => Step { name: name.into(), is_list: false },
        });
        let steps = steps.collect();
        Self { gvk, create, path, steps }
    }

    /// A field of any object.
    #[must_use]
    pub fn any(path: &str, create: bool) -> Self {
        Self::new(Gvk::default(), path, create)
    }

    /// The path as it was written.
    #[must_use]
    pub fn path(&self) -> &str {
        &self.path
    }

    /// Adds `other` to `specs` unless it is there.
    ///
    /// # Errors
    /// It is there with another `create`.
    pub fn merge_one(specs: &mut Vec<Self>, other: &Self) -> Result<()> {
        match specs.iter().find(|spec| spec.gvk.is_selected_by(&other.gvk) && spec.path == other.path) {
            Some(spec) if spec.create != other.create => Err(Error::invalid("conflicting fieldspecs")),
            Some(_) => Ok(()),
            None => {
                specs.push(other.clone());
                Ok(())
            }
        }
    }

    /// Adds all of `others` to `specs`, in order.
    ///
    /// # Errors
    /// One is there with another `create`.
    pub fn merge_all(specs: &mut Vec<Self>, others: &[Self]) -> Result<()> {
        others.iter().try_for_each(|other| Self::merge_one(specs, other))
    }
}

/// Does `set` with each field that a spec means in an object; nothing for objects of other kinds.
///
/// # Errors
/// A path through what is neither a map nor a list; those of `set`.
pub fn apply(
    node: &mut Node,
    spec: &FieldSpec,
    create: Option<Create>,
    set: &mut dyn FnMut(&mut Node) -> Result<()>,
) -> Result<()> {
    apply_all(node, std::slice::from_ref(spec), create, set)
}

/// Does `set` with each field that any of the specs means.
///
/// # Errors
/// As [`apply`].
pub fn apply_all(
    node: &mut Node,
    specs: &[FieldSpec],
    create: Option<Create>,
    set: &mut dyn FnMut(&mut Node) -> Result<()>,
) -> Result<()> {
    let gvk = gvk_of(node);
    for spec in specs {
        if !gvk.is_selected_by(&spec.gvk) {
            continue;
        }
        let create = create.filter(|_| spec.create);
        Walk { create, set }.node(node, &spec.steps).map_err(|error| {
            error.wrap(format_args!("considering field '{}' of object {}", spec.path, id_of(node)))
        })?;
    }
    Ok(())
}

/// [`apply_all`] with changes of shared scalars carried to all that are one with them.
///
/// # Errors
/// As [`apply`].
pub fn apply_settled(
    node: &mut Node,
    specs: &[FieldSpec],
    create: Option<Create>,
    set: &mut dyn FnMut(&mut Node) -> Result<()>,
) -> Result<()> {
    let before = node.shared_scalars();
    apply_all(node, specs, create, set)?;
    node.settle_shared(&before);
    Ok(())
}

/// Group, version and kind as an object says them.
#[must_use]
pub fn gvk_of(node: &Node) -> Gvk {
    let text = |name: &str| node.get(name).map_or("", Node::text);
    Gvk::new(text("apiVersion"), text("kind"))
}

fn id_of(node: &Node) -> ResId {
    let metadata = node.get("metadata").filter(|metadata| !metadata.is_nil_or_empty());
    let text = |name: &str| {
        let found = metadata.and_then(|metadata| metadata.get(name)).filter(|node| !node.is_nil_or_empty());
        SmolStr::new(found.map_or("", Node::text))
    };
    ResId { gvk: gvk_of(node), name: text("name"), namespace: text("namespace"), cluster_scoped: false }
}

struct Walk<'a> {
    create: Option<Create>,
    set: &'a mut dyn FnMut(&mut Node) -> Result<()>,
}

impl Walk<'_> {
    fn node(&mut self, node: &mut Node, steps: &[Step]) -> Result<()> {
        let Some((step, rest)) = steps.split_first() else { return (self.set)(node) };
        if node.is_null() {
            return Ok(());
        }
        match node {
            Node::Sequence(items) => {
                for item in items {
                    self.node(item, steps).map_err(|error| {
                        let path: Vec<_> = steps.iter().map(Step::to_string).collect();
                        error.wrap(format_args!("visit traversal on path: [{}]", path.join(" ")))
                    })?;
                }
                Ok(())
            }
            Node::Mapping(_) => self.field(node, step, rest),
            Node::Scalar(_) => Err(Error::invalid("expected sequence or mapping node")),
        }
    }

    fn field(&mut self, node: &mut Node, step: &Step, rest: &[Step]) -> Result<()> {
        if step.name.is_empty() {
            return Err(Error::invalid("cannot set or create an empty field name"));
        }
        let create = match self.create {
            _ if step.is_list => None,
            Some(create) if rest.is_empty() => Some(create),
            Some(_) => Some(Create { kind: Kind::Mapping, tag: Tag::None }),
            None => None,
        };
        let found = path::step_create(node, &step.name, create.map(|create| create.kind))
            .map_err(|error| error.wrap(format_args!("fieldName: {}", step.name)))?;
        let Found::Node(field) = found else { return Ok(()) };
        if field.is_null() {
            let kind = if step.is_list { Some(Kind::Sequence) } else { create.map(|create| create.kind) };
            match (kind, &mut *field) {
                // The text stays: a prefix of a null name stands before the word `null`.
                (Some(Kind::Scalar), Node::Scalar(scalar)) => {
                    scalar.tag = create.map_or(Tag::None, |create| create.tag);
                    scalar.style = Style::Plain;
                }
                (Some(kind), field) => *field = Node::empty(kind),
                (None, _) => {}
            }
        }
        self.node(field, rest)
    }
}

impl std::fmt::Display for Step {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}{}", self.name, if self.is_list { "[]" } else { "" })
    }
}

/// Writes a scalar over a node in place, as kyaml's `FieldSetter` without a name: the style of what was there
/// stays.
///
/// # Errors
/// The node is neither a scalar nor null.
pub fn set_scalar(node: &mut Node, value: Scalar) -> Result<()> {
    node.expect_kind(Kind::Scalar)?;
    let style = node.style();
    if let Node::Scalar(scalar) = node {
        *scalar = Scalar { style, shared: scalar.shared, ..value };
    }
    Ok(())
}
