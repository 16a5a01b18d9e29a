//! The tree that a resource is while it is built.
//!
//! kustomize keeps yaml.v3's nodes and prints each resource through JSON at the end, so comments, flow style
//! and the order of keys never reach its output. What does reach it is how a scalar was written: a field that
//! is set takes over the style of the value it replaces, and an untagged scalar is whatever its text means
//! when it is read again. So a node here is a tag, a style and a text, and nothing else of yaml.v3's.
//!
//! Functions carry the names of kyaml's where they do the same.

use smol_str::SmolStr;
use windlass_yaml::{Dialect, Map, NodeKind, NodeStyle, Value, plain_tag, plain_value};

use crate::error::{Error, Result};

/// How many nodes the aliases of one document may stand for in all; without it 1 kB of YAML can stand for
/// 10⁹ nodes.
pub const MAX_ALIASED_NODES: usize = 1_000_000;

/// The type that a scalar says it has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Tag {
    /// None was given: the text decides when the node is read again.
    #[default]
    None,
    /// `!!str`
    Str,
    /// `!!int`
    Int,
    /// `!!float`
    Float,
    /// `!!bool`
    Bool,
    /// `!!null`
    Null,
    /// `!!timestamp`
    Timestamp,
    /// `!!binary`
    Binary,
    /// `!!merge`, the tag of the key `<<`
    Merge,
    /// Any other tag; such a scalar is a string.
    Other,
}

/// How a scalar is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Style {
    /// Without quotes.
    #[default]
    Plain,
    /// `'…'`
    SingleQuoted,
    /// `"…"`
    DoubleQuoted,
    /// `|`
    Literal,
    /// `>`
    Folded,
}

/// What kind of node something is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// A single value.
    Scalar,
    /// A list.
    Sequence,
    /// A map.
    Mapping,
}

impl Kind {
    /// The name in kyaml's errors.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Scalar => "ScalarNode",
            Self::Sequence => "SequenceNode",
            Self::Mapping => "MappingNode",
        }
    }
}

/// A single value.
///
/// kyaml's setters may put one yaml.v3 node into several fields of a resource (a label into the metadata, a
/// selector and a template), and a later change of any of them changes all. Such scalars have the same
/// [`Scalar::shared`]; [`Node::settle_shared`] carries a change from one to the others.
#[derive(Clone, Debug, Default)]
pub struct Scalar {
    /// The text.
    pub value: SmolStr,
    /// The type it says it has.
    pub tag: Tag,
    /// How it is written.
    pub style: Style,
    /// Which scalars of the resource are one for kustomize; 0 for a scalar of its own.
    pub shared: u32,
    /// Of a key: whether a comment at it or at its value is a JSON object, such as `# {"$kpt-set": "image"}`.
    /// kyaml takes that for the schema of the field, which then says nothing of how lists are merged.
    pub has_comment_schema: bool,
}

impl PartialEq for Scalar {
    fn eq(&self, other: &Self) -> bool {
        self.value == other.value && self.tag == other.tag && self.style == other.style
    }
}

impl Eq for Scalar {}

/// A node of a resource.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Node {
    /// A single value.
    Scalar(Scalar),
    /// A list.
    Sequence(Vec<Node>),
    /// A map: keys and values in the order they were written or set. A key may stand twice; the first counts.
    Mapping(Vec<(Scalar, Node)>),
}

impl Default for Node {
    fn default() -> Self {
        Self::null()
    }
}

impl Tag {
    fn of(short: &str) -> Self {
        match short {
            "" => Self::None,
            "!!str" => Self::Str,
            "!!int" => Self::Int,
            "!!float" => Self::Float,
            "!!bool" => Self::Bool,
            "!!null" => Self::Null,
            "!!timestamp" => Self::Timestamp,
            "!!binary" => Self::Binary,
            "!!merge" => Self::Merge,
            _ => Self::Other,
        }
    }
}

impl Scalar {
    /// A scalar without a tag, as kyaml's `NewScalarRNode`: its text decides what it is.
    #[must_use]
    pub fn untagged(value: impl Into<SmolStr>) -> Self {
        Self { value: value.into(), tag: Tag::None, ..Self::default() }
    }

    /// A string, as kyaml's `NewStringRNode`: one of several lines is written literally.
    #[must_use]
    pub fn string(value: impl Into<SmolStr>) -> Self {
        let value = value.into();
        let style = if value.contains('\n') { Style::Literal } else { Style::Plain };
        Self { value, tag: Tag::Str, style, ..Self::default() }
    }

    /// Whether this counts as a string for kyaml: tagged so, or not tagged.
    #[must_use]
    pub fn is_string(&self) -> bool {
        matches!(self.tag, Tag::Str | Tag::None)
    }

    /// Whether the scalar is still a string, and so a key of JSON, once it was printed and read again.
    fn check_as_key(&self) -> Result<()> {
        if let Some(collection) = self.value.strip_prefix('\0') {
            return Err(Error::invalid(format!("yaml: invalid map key: {collection}")));
        }
        // An empty key is printed in quotes.
        let is_string =
            self.tag == Tag::Str || self.value.is_empty() || matches!(self.to_value()?, Value::String(_));
        if is_string {
            return Ok(());
        }
        Err(Error::invalid("json: unsupported type: map[interface {}]interface {}"))
    }

    fn go_syntax(&self) -> String {
        match self.to_value() {
            Ok(Value::Null) => "interface {}(nil)".to_owned(),
            Ok(Value::String(text)) => crate::plugins::go_quoted(&text),
            Ok(other) => windlass_yaml::json::to_string(&other),
            Err(_) => go_float(&self.value).to_owned(),
        }
    }

    /// What the scalar is once it was printed and read again, which is how kustomize makes JSON of it.
    ///
    /// # Errors
    /// A text that its tag does not fit; infinity and not-a-number.
    pub fn to_value(&self) -> Result<Value> {
        let text = self.value.as_str();
        let string = || Value::String(self.value.clone());
        let quoted = self.style != Style::Plain;
        match self.tag {
            Tag::Str | Tag::None | Tag::Other | Tag::Merge if self.style == Style::Folded => {
                return Ok(Value::String(refolded(text)));
            }
            Tag::Str | Tag::Other | Tag::Merge => return Ok(string()),
            _ if quoted && self.tag == Tag::None => return Ok(string()),
            Tag::None => {}
            Tag::Binary => {
                use base64::Engine as _;
                let packed: String = text.chars().filter(|c| !matches!(c, '\r' | '\n')).collect();
                let bytes = base64::engine::general_purpose::STANDARD
                    .decode(packed)
                    .map_err(|_| Error::invalid("yaml: !!binary value contains invalid base64 data"))?;
                return Ok(Value::String(String::from_utf8_lossy(&bytes).into_owned().into()));
            }
            _ => {
                let resolved = Tag::of(plain_tag(text, Dialect::V3));
                if resolved == self.tag && quoted {
                    // The tag goes without saying, so it is not printed; the quotes are.
                    return Ok(string());
                }
                if resolved != self.tag && !(self.tag == Tag::Float && resolved == Tag::Int) {
                    let wanted = self.tag.short();
                    let found = plain_tag(text, Dialect::V3);
                    return Err(Error::invalid(format!(
                        "yaml: cannot decode {found} `{text}` as a {wanted}"
                    )));
                }
            }
        }
        if text.contains('\n') {
            return Ok(string());
        }
        match plain_value(text, Dialect::V3) {
            Value::Float(float) if !float.is_finite() => {
                Err(Error::invalid(format!("json: unsupported value: {}", go_float(text))))
            }
            value => Ok(value),
        }
    }
}

/// A folded text after yaml.v3 printed it and read it again: it writes an empty line too many before lines
/// that are indented more.
fn refolded(text: &str) -> SmolStr {
    use windlass_yaml::{DocumentNode, Limits, YamlStyle, nodes_to_yaml, parse_nodes};
    let key = windlass_yaml::Node::string("a");
    let folded = windlass_yaml::Node { style: NodeStyle::Folded, ..windlass_yaml::Node::string(text) };
    let root = windlass_yaml::Node::collection(NodeKind::Mapping, vec![key, folded]);
    let document = DocumentNode { root, head_comment: String::new(), foot_comment: String::new(), line: 1 };
    let printed = nodes_to_yaml(&[document], &YamlStyle::KYAML);
    let read = parse_nodes(&printed, &Limits::default()).ok();
    let value = read.as_ref().and_then(|read| read.first()?.root.get("a"));
    value.map_or_else(|| text.into(), |value| value.value.as_str().into())
}

fn go_float(text: &str) -> &'static str {
    match text.as_bytes().first() {
        Some(b'-') => "-Inf",
        _ if text.eq_ignore_ascii_case(".nan") => "NaN",
        _ => "+Inf",
    }
}

impl Tag {
    /// The short form: `!!str`; empty for none.
    #[must_use]
    pub fn short(self) -> &'static str {
        match self {
            Self::None => "",
            Self::Str => "!!str",
            Self::Int => "!!int",
            Self::Float => "!!float",
            Self::Bool => "!!bool",
            Self::Null => "!!null",
            Self::Timestamp => "!!timestamp",
            Self::Binary => "!!binary",
            Self::Merge => "!!merge",
            Self::Other => "!",
        }
    }
}

impl Node {
    /// `null`, as kyaml's `MakeNullNode`.
    #[must_use]
    pub fn null() -> Self {
        Self::Scalar(Scalar { value: SmolStr::default(), tag: Tag::Null, ..Scalar::default() })
    }

    /// A scalar without a tag: [`Scalar::untagged`].
    #[must_use]
    pub fn untagged(value: impl Into<SmolStr>) -> Self {
        Self::Scalar(Scalar::untagged(value))
    }

    /// A string: [`Scalar::string`].
    #[must_use]
    pub fn string(value: impl Into<SmolStr>) -> Self {
        Self::Scalar(Scalar::string(value))
    }

    /// An empty map.
    #[must_use]
    pub fn map() -> Self {
        Self::Mapping(Vec::new())
    }

    /// An empty node of a kind; an empty scalar has no tag.
    #[must_use]
    pub fn empty(kind: Kind) -> Self {
        match kind {
            Kind::Scalar => Self::Scalar(Scalar::default()),
            Kind::Sequence => Self::Sequence(Vec::new()),
            Kind::Mapping => Self::Mapping(Vec::new()),
        }
    }

    /// What kind of node this is.
    #[must_use]
    pub fn kind(&self) -> Kind {
        match self {
            Self::Scalar(_) => Kind::Scalar,
            Self::Sequence(_) => Kind::Sequence,
            Self::Mapping(_) => Kind::Mapping,
        }
    }

    /// kyaml's `IsTaggedNull`.
    #[must_use]
    pub fn is_null(&self) -> bool {
        matches!(self, Self::Scalar(Scalar { tag: Tag::Null, .. }))
    }

    /// kyaml's `IsNilOrEmpty`: null, an empty map or an empty list; an empty string is not.
    #[must_use]
    pub fn is_nil_or_empty(&self) -> bool {
        match self {
            Self::Scalar(scalar) => scalar.tag == Tag::Null,
            Self::Sequence(items) => items.is_empty(),
            Self::Mapping(members) => members.is_empty(),
        }
    }

    /// The scalar this is.
    #[must_use]
    pub fn as_scalar(&self) -> Option<&Scalar> {
        match self {
            Self::Scalar(scalar) => Some(scalar),
            _ => None,
        }
    }

    /// The text of a scalar as yaml.v3 keeps it; empty for collections.
    #[must_use]
    pub fn text(&self) -> &str {
        self.as_scalar().map_or("", |scalar| scalar.value.as_str())
    }

    /// kyaml's `GetValue`: the text of a scalar that is not null.
    #[must_use]
    pub fn value(&self) -> &str {
        if self.is_null() { "" } else { self.text() }
    }

    /// The items of a list; nothing for any other node.
    #[must_use]
    pub fn items(&self) -> &[Self] {
        match self {
            Self::Sequence(items) => items,
            _ => &[],
        }
    }

    /// The items of a list, to be changed.
    pub fn items_mut(&mut self) -> Option<&mut Vec<Self>> {
        match self {
            Self::Sequence(items) => Some(items),
            _ => None,
        }
    }

    /// The members of a map; nothing for any other node.
    #[must_use]
    pub fn members(&self) -> &[(Scalar, Self)] {
        match self {
            Self::Mapping(members) => members,
            _ => &[],
        }
    }

    /// The members of a map, to be changed.
    pub fn members_mut(&mut self) -> Option<&mut Vec<(Scalar, Self)>> {
        match self {
            Self::Mapping(members) => Some(members),
            _ => None,
        }
    }

    /// The value of the first key `name` of a map.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Self> {
        self.members().iter().find(|(key, _)| key.value == name).map(|(_, value)| value)
    }

    /// The value of the first key `name` of a map, to be changed.
    pub fn get_mut(&mut self, name: &str) -> Option<&mut Self> {
        self.members_mut()?.iter_mut().find(|(key, _)| key.value == name).map(|(_, value)| value)
    }

    /// The node below a path of map keys.
    #[must_use]
    pub fn at(&self, path: &[&str]) -> Option<&Self> {
        path.iter().try_fold(self, |node, name| node.get(name))
    }

    /// The node below a path of map keys, to be changed.
    pub fn at_mut(&mut self, path: &[&str]) -> Option<&mut Self> {
        path.iter().try_fold(self, |node, name| node.get_mut(name))
    }

    /// kyaml's `ErrorIfInvalid`: a null passes for any kind.
    ///
    /// # Errors
    /// The node is of another kind.
    pub fn expect_kind(&self, kind: Kind) -> Result<()> {
        if self.is_null() || self.kind() == kind {
            return Ok(());
        }
        let message = format!(
            "wrong node kind: expected {} but got {}: node contents:\n{}",
            kind.name(),
            self.kind().name(),
            crate::filters::print::to_text(self)
        );
        Err(Error::invalid(message))
    }

    /// kyaml's `FieldSetter` with a name: a null clears the field, an existing value hands its style on, a new
    /// field goes to the end under a plain key. A null node has no fields and gets none, any other kind is an
    /// error.
    ///
    /// # Errors
    /// The node is not a map.
    pub fn set_field(&mut self, name: &str, mut value: Self) -> Result<()> {
        value.quote_words();
        if value.is_null() {
            self.clear(name)?;
            return Ok(());
        }
        if self.is_null() {
            // kyaml puts the field below the null, where nobody sees it.
            return Ok(());
        }
        self.expect_kind(Kind::Mapping)?;
        if let Some(field) = self.get_mut(name) {
            if let Self::Scalar(new) = &mut value {
                new.style = field.style();
                new.shared = field.as_scalar().map_or(0, |old| old.shared);
            }
            *field = value;
            return Ok(());
        }
        self.become_map().push((Scalar::untagged(name), value));
        Ok(())
    }

    /// A plain string that YAML 1.1 would read as something else gets double quotes, as kyaml's `FieldSetter`
    /// gives it before it sets it.
    pub fn quote_words(&mut self) {
        if let Self::Scalar(scalar) = self
            && scalar.is_string()
            && scalar.style == Style::Plain
            && is_yaml_1_1_non_string(&scalar.value)
        {
            scalar.style = Style::DoubleQuoted;
        }
    }

    /// kyaml's `MapEntrySetter`: key and value replace those that are there, whatever the value is.
    pub fn set_entry(&mut self, key: Scalar, value: Self) {
        match self
            .members_mut()
            .and_then(|members| members.iter_mut().find(|(own, _)| own.value == key.value))
        {
            Some(entry) => *entry = (key, value),
            None => self.become_map().push((key, value)),
        }
    }

    /// kyaml's `Clear`: takes a field out of a map and returns it.
    ///
    /// # Errors
    /// The node is neither a map nor null.
    pub fn clear(&mut self, name: &str) -> Result<Option<Self>> {
        self.expect_kind(Kind::Mapping)?;
        let Some(members) = self.members_mut() else { return Ok(None) };
        let place = members.iter().position(|(key, _)| key.value == name);
        Ok(place.map(|idx| members.remove(idx).1))
    }

    /// kyaml's `LookupCreate` for paths of map keys: maps are made on the way, a last node of `kind` at the
    /// end. What is there already is returned whatever it is.
    ///
    /// # Errors
    /// Something on the way is not a map.
    pub fn lookup_create(&mut self, kind: Kind, path: &[&str]) -> Result<&mut Self> {
        let mut node = self;
        for (idx, name) in path.iter().enumerate() {
            node.expect_kind(Kind::Mapping)?;
            let kind = if idx + 1 == path.len() { kind } else { Kind::Mapping };
            let members = node.become_map();
            let place = match members.iter().position(|(key, _)| key.value == *name) {
                Some(place) => place,
                None => {
                    members.push((Scalar::untagged(*name), Self::empty(kind)));
                    members.len() - 1
                }
            };
            node = &mut members[place].1;
        }
        Ok(node)
    }

    /// A number for [`Scalar::shared`] that no scalar here has.
    #[must_use]
    pub fn next_shared(&self) -> u32 {
        let mut highest = 0;
        self.walk(&mut |node| {
            if let Self::Scalar(scalar) = node {
                highest = highest.max(scalar.shared);
            }
        });
        highest + 1
    }

    /// What every shared scalar says now, for [`Node::settle_shared`]; empty if none is shared.
    #[must_use]
    pub fn shared_scalars(&self) -> Vec<Scalar> {
        let mut found: Vec<Scalar> = Vec::new();
        self.walk(&mut |node| {
            if let Self::Scalar(scalar) = node
                && scalar.shared != 0
                && !found.iter().any(|other| other.shared == scalar.shared)
            {
                found.push(scalar.clone());
            }
        });
        found
    }

    /// Carries changes of shared scalars to all that are one with them. `before` is what they said before the
    /// change ([`Node::shared_scalars`]).
    pub fn settle_shared(&mut self, before: &[Scalar]) {
        for old in before {
            let mut changed = None;
            // Merging goes through fields by their names, and what it writes last stays. It also puts words in
            // quotes that it leaves as they are: no more than that does not count beside a write.
            self.walk_by_name(&mut |node| {
                if let Self::Scalar(scalar) = node
                    && scalar.shared == old.shared
                    && scalar != old
                {
                    let is_written = scalar.value != old.value || scalar.tag != old.tag;
                    if is_written || changed.as_ref().is_none_or(|last: &Scalar| last.value == old.value) {
                        changed = Some(scalar.clone());
                    }
                }
            });
            let Some(changed) = changed else { continue };
            self.walk_mut(&mut |node| {
                if let Self::Scalar(scalar) = node
                    && scalar.shared == changed.shared
                {
                    *scalar = changed.clone();
                }
            });
        }
    }

    /// Calls `visit` for this node and every value below it.
    pub fn walk<'a>(&'a self, visit: &mut dyn FnMut(&'a Self)) {
        let mut open = vec![self];
        while let Some(node) = open.pop() {
            visit(node);
            open.extend(node.items().iter().rev());
            open.extend(node.members().iter().rev().map(|(_, value)| value));
        }
    }

    /// [`Node::walk`] through the members of maps in the order of their names.
    fn walk_by_name<'a>(&'a self, visit: &mut dyn FnMut(&'a Self)) {
        let mut open = vec![self];
        while let Some(node) = open.pop() {
            visit(node);
            open.extend(node.items().iter().rev());
            let mut members: Vec<_> = node.members().iter().collect();
            members.sort_by(|(left, _), (right, _)| right.value.cmp(&left.value));
            open.extend(members.into_iter().map(|(_, value)| value));
        }
    }

    /// Calls `visit` for this node and every value below it, which it may change.
    pub fn walk_mut(&mut self, visit: &mut dyn FnMut(&mut Self)) {
        visit(self);
        match self {
            Self::Scalar(_) => {}
            Self::Sequence(items) => items.iter_mut().for_each(|item| item.walk_mut(visit)),
            Self::Mapping(members) => members.iter_mut().for_each(|(_, value)| value.walk_mut(visit)),
        }
    }

    /// The style of a scalar that another takes over when it is written here; plain for collections and nulls.
    #[must_use]
    pub fn style(&self) -> Style {
        let scalar = self.as_scalar().filter(|scalar| scalar.tag != Tag::Null);
        scalar.map_or(Style::Plain, |scalar| scalar.style)
    }

    /// The members of this map; a node that is no map becomes an empty one first.
    fn become_map(&mut self) -> &mut Vec<(Scalar, Self)> {
        if self.kind() != Kind::Mapping {
            *self = Self::map();
        }
        match self {
            Self::Mapping(members) => members,
            _ => unreachable!("it is a map now"),
        }
    }

    /// How many nodes there are, this one included.
    #[must_use]
    pub fn count(&self) -> usize {
        let mut count = 0;
        let mut open = vec![self];
        while let Some(node) = open.pop() {
            count += 1;
            open.extend(node.items());
            open.extend(node.members().iter().map(|(_, value)| value));
        }
        count
    }

    /// The node as YAML, for messages.
    #[must_use]
    pub fn to_text(&self) -> String {
        match self.to_value() {
            Ok(value) => windlass_yaml::to_yaml(&value),
            Err(error) => error.to_string(),
        }
    }

    /// The value that kustomize gets when it prints the node and reads it again.
    ///
    /// # Errors
    /// A key that stands twice or is no string; a scalar that its tag does not fit.
    pub fn to_value(&self) -> Result<Value> {
        match self {
            Self::Scalar(scalar) => scalar.to_value(),
            Self::Sequence(items) => {
                let values = items.iter().map(Self::to_value).collect::<Result<Vec<_>>>()?;
                Ok(Value::Array(values.into()))
            }
            Self::Mapping(members) => {
                let mut entries = Vec::with_capacity(members.len());
                for (key, value) in members {
                    key.check_as_key()?;
                    entries.push((key.value.clone(), value.to_value()?));
                }
                let map: Map = entries.into_iter().collect();
                if map.len() != members.len() {
                    return Err(duplicate(members));
                }
                Ok(Value::Object(map))
            }
        }
    }

    /// What is wrong with the node once it is printed and read again, with the lines of that print.
    #[must_use]
    pub fn printed_problem(&self) -> Option<String> {
        use windlass_yaml::{DocumentNode, LoadOptions, YamlStyle, load_with, nodes_to_yaml};
        let root = self.to_yaml_node();
        let document =
            DocumentNode { root, head_comment: String::new(), foot_comment: String::new(), line: 1 };
        let printed = nodes_to_yaml(&[document], &YamlStyle::KYAML);
        let options = LoadOptions { dialect: Dialect::V3, ..LoadOptions::default() };
        load_with(&printed, &options).err().map(|error| error.to_string())
    }

    /// What Go's `%#v` prints of the object after it was read into `map[string]interface{}`.
    #[must_use]
    pub fn go_syntax(&self) -> String {
        match self {
            Self::Scalar(scalar) => scalar.go_syntax(),
            Self::Sequence(items) => {
                let items = items.iter().map(Self::go_syntax).collect::<Vec<_>>().join(", ");
                format!("[]interface {{}}{{{items}}}")
            }
            Self::Mapping(members) => {
                let strings = members.iter().all(|(key, _)| key.check_as_key().is_ok());
                let mut shown: Vec<(bool, &str, String)> = members
                    .iter()
                    .map(|(key, value)| {
                        let is_string = key.check_as_key().is_ok();
                        let key_text =
                            if is_string { crate::plugins::go_quoted(&key.value) } else { key.go_syntax() };
                        (!is_string, key.value.as_str(), format!("{key_text}:{}", value.go_syntax()))
                    })
                    .collect();
                shown.sort();
                let shown = shown.into_iter().map(|(_, _, text)| text).collect::<Vec<_>>().join(", ");
                let key_type = if strings { "string" } else { "interface {}" };
                format!("map[{key_type}]interface {{}}{{{shown}}}")
            }
        }
    }

    fn to_yaml_node(&self) -> windlass_yaml::Node {
        let of_scalar = |scalar: &Scalar| windlass_yaml::Node {
            style: match scalar.style {
                Style::Plain => NodeStyle::Plain,
                Style::SingleQuoted => NodeStyle::SingleQuoted,
                Style::DoubleQuoted => NodeStyle::DoubleQuoted,
                Style::Literal => NodeStyle::Literal,
                Style::Folded => NodeStyle::Folded,
            },
            tag: scalar.tag.short().to_owned(),
            ..windlass_yaml::Node::string(scalar.value.as_str())
        };
        match self {
            Self::Scalar(scalar) => of_scalar(scalar),
            Self::Sequence(items) => {
                let content = items.iter().map(Self::to_yaml_node).collect();
                windlass_yaml::Node::collection(NodeKind::Sequence, content)
            }
            Self::Mapping(members) => {
                let content = members.iter().flat_map(|(key, value)| [of_scalar(key), value.to_yaml_node()]);
                windlass_yaml::Node::collection(NodeKind::Mapping, content.collect())
            }
        }
    }

    /// A value as nodes, as kyaml's `FromMap` makes them: by printing and reading it.
    #[must_use]
    pub fn from_value(value: &Value) -> Self {
        match value {
            Value::Null => Self::Scalar(Scalar { value: "null".into(), tag: Tag::Null, ..Scalar::default() }),
            Value::Bool(bool) => Self::Scalar(Scalar {
                value: if *bool { "true" } else { "false" }.into(),
                tag: Tag::Bool,
                ..Scalar::default()
            }),
            Value::Int(int) => {
                Self::Scalar(Scalar { value: int.to_string().into(), tag: Tag::Int, ..Scalar::default() })
            }
            Value::Float(_) => {
                let text = windlass_yaml::json::to_string(value);
                Self::Scalar(Scalar { value: text.into(), tag: Tag::Float, ..Scalar::default() })
            }
            Value::String(text) => Self::Scalar(printed_string(text)),
            Value::Array(items) => Self::Sequence(items.iter().map(Self::from_value).collect()),
            Value::Object(map) => Self::Mapping(
                map.iter().map(|(key, value)| (printed_string(key), Self::from_value(value))).collect(),
            ),
        }
    }

    /// A document as nodes, its aliases replaced by what they stand for and its merges (`<<`) carried out.
    ///
    /// # Errors
    /// A key that is no scalar, a merge with what is no map, an alias inside of what it stands for, and
    /// aliases that stand for more than [`MAX_ALIASED_NODES`].
    pub fn from_document(root: &windlass_yaml::Node) -> Result<Self> {
        Reader::default().node(root)
    }
}

/// Whether a string needs quotes to be one for YAML 1.1: kyaml's `IsYaml1_1NonString`.
#[must_use]
pub fn is_yaml_1_1_non_string(text: &str) -> bool {
    !text.is_empty()
        && !text.contains('\n')
        && !matches!(windlass_yaml::load(text), Ok(Value::String(_)) | Err(_))
}

/// A string as it is read back after yaml.v3 printed it.
fn printed_string(text: &str) -> Scalar {
    Scalar { value: text.into(), tag: Tag::Str, style: printed_style(text), ..Scalar::default() }
}

/// The style that yaml.v3 prints a string in.
fn printed_style(text: &str) -> Style {
    let is_word = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b'/');
    let is_plain = text.as_bytes().first().is_some_and(u8::is_ascii_alphabetic)
        && text.bytes().all(is_word)
        && text.len() > 5;
    if is_plain {
        // Longer than any word that YAML 1.1 takes for something else.
        return Style::Plain;
    }
    let printed = windlass_yaml::to_yaml_with(&Value::String(text.into()), &windlass_yaml::YamlStyle::KYAML);
    match printed.as_bytes().first() {
        Some(b'"') => Style::DoubleQuoted,
        Some(b'\'') => Style::SingleQuoted,
        Some(b'|') => Style::Literal,
        _ => Style::Plain,
    }
}

fn duplicate(members: &[(Scalar, Node)]) -> Error {
    let twice = members
        .iter()
        .enumerate()
        .find(|(idx, (key, _))| members[..*idx].iter().any(|(earlier, _)| earlier.value == key.value));
    let key = twice.map_or("", |(_, (key, _))| key.value.as_str());
    Error::invalid(format!("yaml: unmarshal errors:\n  mapping key {key:?} already defined"))
}

#[derive(Default)]
struct Reader<'a> {
    /// What each anchor stands for; `None` while its node is being read.
    anchors: std::collections::HashMap<&'a str, Option<Node>>,
    aliased: usize,
}

impl<'a> Reader<'a> {
    fn node(&mut self, from: &'a windlass_yaml::Node) -> Result<Node> {
        if !from.anchor.is_empty() {
            self.anchors.insert(&from.anchor, None);
        }
        let node = match from.kind {
            NodeKind::Alias => return self.alias(&from.value),
            NodeKind::Scalar => Node::Scalar(scalar_of(from)),
            NodeKind::Sequence => {
                Node::Sequence(from.content.iter().map(|item| self.node(item)).collect::<Result<_>>()?)
            }
            NodeKind::Mapping => self.mapping(from)?,
        };
        if !from.anchor.is_empty() {
            self.anchors.insert(&from.anchor, Some(node.clone()));
        }
        Ok(node)
    }

    fn alias(&mut self, name: &str) -> Result<Node> {
        match self.anchors.get(name) {
            Some(Some(node)) => {
                self.aliased += node.count();
                if self.aliased > MAX_ALIASED_NODES {
                    let message = format!(
                        "aliases stand for more than the limit MAX_ALIASED_NODES of {MAX_ALIASED_NODES} nodes"
                    );
                    return Err(Error::limit(message));
                }
                Ok(node.clone())
            }
            Some(None) => Err(Error::invalid(format!("yaml: anchor '{name}' value contains itself"))),
            None => Err(Error::invalid(format!("yaml: unknown anchor '{name}' referenced"))),
        }
    }

    fn mapping(&mut self, from: &'a windlass_yaml::Node) -> Result<Node> {
        let mut members = Vec::with_capacity(from.content.len() / 2);
        let mut merges: Option<Vec<Node>> = None;
        for (key, value) in from.members() {
            // A map or a list as a key is found out when the resource is printed, if it ever is.
            let has_comment_schema = has_comment_schema(value) || has_comment_schema(key);
            let key = match self.node(key)? {
                Node::Scalar(key) => Scalar { has_comment_schema, ..key },
                collection => {
                    let value = format!("\0{}", collection.go_syntax()).into();
                    Scalar { value, tag: Tag::Other, ..Scalar::default() }
                }
            };
            if key.tag == Tag::Merge {
                if merges.is_some() {
                    return Err(Error::invalid("duplicate merge key"));
                }
                merges = Some(self.merge_values(value)?);
                continue;
            }
            members.push((key, self.node(value)?));
        }
        let Some(merges) = merges else { return Ok(Node::Mapping(members)) };
        let own = members.clone();
        let mut node = Node::Mapping(members);
        for (key, value) in merges.into_iter().flat_map(Node::into_members).chain(own) {
            node.set_entry(key, value);
        }
        Ok(node)
    }

    /// The maps to be merged, the one that counts most last.
    fn merge_values(&mut self, from: &'a windlass_yaml::Node) -> Result<Vec<Node>> {
        match from.kind {
            NodeKind::Mapping => Ok(vec![self.node(from)?]),
            NodeKind::Alias => match self.node(from)? {
                node @ Node::Mapping(_) => Ok(vec![node]),
                _ => Err(Error::invalid("invalid map merge: received alias for a non-map value")),
            },
            NodeKind::Sequence => {
                let mut values = Vec::new();
                for item in &from.content {
                    if item.kind == NodeKind::Sequence {
                        return Err(Error::invalid("invalid map merge: received a nested sequence"));
                    }
                    values.splice(0..0, self.merge_values(item)?);
                }
                Ok(values)
            }
            NodeKind::Scalar => {
                Err(Error::invalid("map merge requires map or sequence of maps as the value"))
            }
        }
    }
}

impl Node {
    fn into_members(self) -> Vec<(Scalar, Self)> {
        match self {
            Self::Mapping(members) => members,
            _ => Vec::new(),
        }
    }
}

/// Whether the comment that kyaml reads first is a JSON object that says anything.
fn has_comment_schema(node: &windlass_yaml::Node) -> bool {
    let comment = if node.line_comment.is_empty() { &node.head_comment } else { &node.line_comment };
    let json = comment.trim_start_matches('#').trim();
    json.starts_with('{')
        && matches!(windlass_yaml::json::parse(json.as_bytes()), Ok(Value::Object(map)) if !map.is_empty())
}

fn scalar_of(from: &windlass_yaml::Node) -> Scalar {
    let tag = Tag::of(&from.tag);
    let mut style = match from.style {
        NodeStyle::Plain | NodeStyle::Flow => Style::Plain,
        NodeStyle::SingleQuoted => Style::SingleQuoted,
        NodeStyle::DoubleQuoted => Style::DoubleQuoted,
        NodeStyle::Literal => Style::Literal,
        NodeStyle::Folded => Style::Folded,
    };
    // What a plain scalar cannot say inside of brackets is printed in quotes there, and is a string from then on.
    if from.in_flow
        && style == Style::Plain
        && !from.tagged
        && (tag == Tag::Null && from.value.is_empty() || tag == Tag::Timestamp && from.value.contains(':'))
    {
        style = Style::SingleQuoted;
    }
    if from.tagged && !matches!(tag, Tag::Str | Tag::Other) {
        // A tag that was written is printed again, so quotes do not make a string of it.
        style = Style::Plain;
    }
    Scalar { value: SmolStr::from(from.value.as_str()), tag, style, ..Scalar::default() }
}
