//! Events to [`Value`]s.
//!
//! Values are built bottom-up with an explicit stack. An alias shares the value it names, so a bomb costs no
//! memory here; Go's rule against it is kept by counting what Go would have decoded.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};

use crate::error::{YamlError, YamlErrorKind};
use crate::limits::{Limits, allowed_alias_ratio};
use crate::parser::{Event, EventKind, Parser, Properties};
use crate::resolve::{Dialect, Resolved, resolve};
use crate::scanner::{Mark, ScalarStyle, SyntaxError};
use crate::value::{Array, Map, Str, Value};

/// How a text is loaded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LoadOptions {
    /// Whose rules hold.
    pub dialect: Dialect,
    /// Whether equal keys in a map are an error; with [`Dialect::V3`] they always are.
    pub strict: bool,
    /// What stops the load.
    pub limits: Limits,
}

/// One document of a stream.
#[derive(Clone, Debug, PartialEq)]
pub struct Document {
    /// What the document says; `null` for an empty one.
    pub value: Value,
    /// The line, counted from 1, on which the document's content begins.
    pub line: usize,
}

/// Loads the first document of `text` as `sigs.k8s.io/yaml` does; an empty text is `null`.
///
/// # Errors
/// See [`YamlError`].
pub fn load(text: &str) -> Result<Value, YamlError> {
    load_with(text, &LoadOptions::default())
}

/// Loads the first document of `text`; an empty text is `null`. What follows that document is not read.
///
/// # Errors
/// See [`YamlError`].
pub fn load_with(text: &str, options: &LoadOptions) -> Result<Value, YamlError> {
    Ok(load_first(text, options)?.map_or(Value::Null, |document| document.value))
}

/// The first document of `text`, if there is one.
pub(crate) fn load_first(text: &str, options: &LoadOptions) -> Result<Option<Document>, YamlError> {
    crate::text::check(text, &options.limits)?;
    Loader::new(text, *options).document()
}

/// Loads all documents of a YAML stream, as a YAML decoder that is called again and again does.
///
/// To read manifests the way `kubectl` does, use [`documents`](crate::documents).
///
/// # Errors
/// The first document that cannot be loaded.
pub fn load_all(text: &str, options: &LoadOptions) -> Result<Vec<Document>, YamlError> {
    crate::text::check(text, &options.limits)?;
    let mut loader = Loader::new(text, *options);
    let mut documents = Vec::new();
    while let Some(document) = loader.document()? {
        documents.push(document);
    }
    Ok(documents)
}

/// A key with the type it was decoded to, for telling duplicates as Go's maps do.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum TypedKey {
    Null,
    Bool(bool),
    Int(i64),
    Uint(u64),
    /// The bits of a float.
    Float(u64),
    Str(Str),
}

/// A value being handed to the collection it stands in.
struct Built {
    value: Value,
    /// The key this would be; `None` for a collection.
    key: Option<TypedKey>,
    /// The text and whether `<<` there means a merge.
    raw: Str,
    merge: bool,
    alias: bool,
    kind: Kind,
    start: Mark,
    /// How many nodes Go would decode for this one, and how deep it nests.
    weight: u64,
    height: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Kind {
    Scalar,
    Sequence,
    Mapping,
    Alias,
}

enum Frame<'a> {
    Sequence { items: Vec<Value>, common: FrameCommon<'a> },
    Mapping { members: Members, key: Option<Built>, common: FrameCommon<'a> },
}

struct FrameCommon<'a> {
    anchor: Option<&'a str>,
    start: Mark,
    weight: u64,
    height: usize,
    /// How many type errors there were before this collection.
    errors_before: usize,
    deferred_before: bool,
}

/// What a mapping gathers.
#[derive(Default)]
struct Members {
    members: Vec<(Str, Value)>,
    /// The keys so far, where equal ones are an error.
    seen: HashSet<TypedKey>,
    /// The names of the map's own keys, where equal ones are an error.
    names: HashSet<Str>,
    /// The names of keys that were merged in; how these were typed is not known any more.
    merged: HashSet<Str>,
    /// Kind, text and line of each key, for yaml.v3's rule on equal keys.
    raw: Vec<(Kind, Str, u32)>,
    /// yaml.v3 merges when the mapping ends.
    merge: Option<Built>,
}

/// An anchored node.
enum Anchored {
    /// Its end was not reached yet.
    Open,
    Done {
        value: Value,
        key: Option<TypedKey>,
        weight: u64,
        height: usize,
    },
}

/// One line of `unmarshal errors`.
struct TypeError {
    text: String,
    start: Mark,
    kind: YamlErrorKind,
}

struct Loader<'a> {
    parser: Parser<'a>,
    options: LoadOptions,
    frames: Vec<Frame<'a>>,
    anchors: HashMap<&'a str, Anchored>,
    /// The first error that Go would only meet after it had parsed the whole document.
    deferred: Option<YamlError>,
    type_errors: Vec<TypeError>,
    not_json: Option<YamlError>,
    decoded: u64,
    aliased: u64,
    /// Strings seen as keys: manifests repeat them.
    interned: HashMap<&'a str, Str>,
}

/// How many different keys are kept for sharing: real manifests have a few hundred.
const MAX_INTERNED: usize = 4096;

impl<'a> Loader<'a> {
    fn new(text: &'a str, options: LoadOptions) -> Self {
        Self {
            // Reading comments is part of how yaml.v3 finds its tokens.
            parser: Parser::new(text, options.dialect == Dialect::V3, options.dialect == Dialect::V3),
            options,
            frames: Vec::new(),
            anchors: HashMap::new(),
            deferred: None,
            type_errors: Vec::new(),
            not_json: None,
            decoded: 0,
            aliased: 0,
            interned: HashMap::new(),
        }
    }

    fn next(&mut self) -> Result<Event<'a>, YamlError> {
        let prefer_context = self.options.dialect == Dialect::V3;
        self.parser.next().map_err(|error: SyntaxError| error.into_error(prefer_context))
    }

    /// The next document of the stream, if there is one.
    fn document(&mut self) -> Result<Option<Document>, YamlError> {
        loop {
            match self.next()?.kind {
                EventKind::StreamEnd => return Ok(None),
                EventKind::DocumentStart => break,
                _ => {}
            }
        }
        // yaml.v3 keeps the anchors of earlier documents.
        if self.options.dialect == Dialect::Sigs {
            self.anchors.clear();
        }
        self.decoded = 1;
        self.aliased = 0;
        let mut root: Option<Built> = None;
        loop {
            let event = self.next()?;
            if event.kind == EventKind::DocumentEnd {
                break;
            }
            if let Some(built) = self.take(event)? {
                root = self.give(built);
            }
        }
        if let Some(error) = self.deferred.take() {
            return Err(error);
        }
        if !self.type_errors.is_empty() {
            return Err(self.unmarshal_errors());
        }
        if let Some(error) = self.not_json.take() {
            return Err(error);
        }
        let root = root.expect("a document has a node");
        Ok(Some(Document { value: root.value, line: root.start.line as usize + 1 }))
    }

    fn unmarshal_errors(&mut self) -> YamlError {
        let errors = std::mem::take(&mut self.type_errors);
        let first = &errors[0];
        let problem = first.text.split_once(": ").map_or(first.text.as_str(), |(_, problem)| problem);
        let mut text = String::from("yaml: unmarshal errors:");
        for error in &errors {
            text.push_str("\n  ");
            text.push_str(&error.text);
        }
        YamlError::new(first.kind, problem, first.start.position()).with_text(text)
    }

    /// Keeps the first error that does not stop the parser.
    fn defer(&mut self, kind: YamlErrorKind, problem: impl Into<String>, at: Mark) {
        if self.deferred.is_none() {
            self.deferred = Some(YamlError::new(kind, problem, at.position()));
        }
    }

    /// Works off one event; returns a node that is complete.
    fn take(&mut self, event: Event<'a>) -> Result<Option<Built>, YamlError> {
        let start = event.start;
        match event.kind {
            EventKind::Scalar { properties, value, style, .. } => {
                let built = self.scalar(&properties, value, style, start);
                self.define(properties.anchor, &built);
                Ok(Some(built))
            }
            EventKind::Alias(name) => Ok(Some(self.alias(name, start)?)),
            EventKind::SequenceStart { properties, .. } => {
                let common = self.open(&properties, start)?;
                self.frames.push(Frame::Sequence { items: Vec::new(), common });
                Ok(None)
            }
            EventKind::MappingStart { properties, .. } => {
                let common = self.open(&properties, start)?;
                self.frames.push(Frame::Mapping { members: Members::default(), key: None, common });
                Ok(None)
            }
            EventKind::SequenceEnd | EventKind::MappingEnd => Ok(self.close()),
            _ => Ok(None),
        }
    }

    fn open(&mut self, properties: &Properties<'a>, start: Mark) -> Result<FrameCommon<'a>, YamlError> {
        if self.frames.len() >= self.options.limits.depth {
            return Err(self.too_deep(start));
        }
        if let Some(name) = properties.anchor {
            self.anchors.insert(name, Anchored::Open);
        }
        Ok(FrameCommon {
            anchor: properties.anchor,
            start,
            weight: 1,
            height: 0,
            errors_before: self.type_errors.len(),
            deferred_before: self.deferred.is_some(),
        })
    }

    fn too_deep(&self, at: Mark) -> YamlError {
        let problem = format!("values nest deeper than the limit depth of {}", self.options.limits.depth);
        YamlError::new(YamlErrorKind::Limit, problem, at.position())
    }

    fn define(&mut self, anchor: Option<&'a str>, built: &Built) {
        if let Some(name) = anchor {
            let done = Anchored::Done {
                value: built.value.clone(),
                key: built.key.clone(),
                weight: built.weight,
                height: built.height,
            };
            self.anchors.insert(name, done);
        }
    }

    fn count(&mut self, aliased: u64, at: Mark) {
        self.decoded = self.decoded.saturating_add(1);
        if aliased == 0 {
            return;
        }
        self.decoded = self.decoded.saturating_add(aliased);
        self.aliased = self.aliased.saturating_add(aliased);
        #[expect(clippy::cast_precision_loss, reason = "counts stay far below 2^53")]
        let ratio = self.aliased as f64 / self.decoded as f64;
        let excessive =
            self.aliased > 100 && self.decoded > 1000 && ratio > allowed_alias_ratio(self.decoded);
        if excessive && self.options.limits.aliases {
            self.defer(YamlErrorKind::Limit, "document contains excessive aliasing", at);
        }
    }

    fn alias(&mut self, name: &str, start: Mark) -> Result<Built, YamlError> {
        let mut built = Built {
            value: Value::Null,
            key: Some(TypedKey::Null),
            raw: Str::new(name),
            merge: false,
            alias: true,
            kind: Kind::Alias,
            start,
            weight: 1,
            height: 0,
        };
        match self.anchors.get(name) {
            None => {
                let problem = format!("unknown anchor '{name}' referenced");
                return Err(YamlError::new(YamlErrorKind::Anchor, problem, start.position()));
            }
            Some(Anchored::Open) => {
                let problem = format!("anchor '{name}' value contains itself");
                self.defer(YamlErrorKind::Anchor, problem, start);
            }
            Some(Anchored::Done { value, key, weight, height, .. }) => {
                built.value = value.clone();
                built.key = key.clone();
                built.weight = weight.saturating_add(1);
                built.height = *height;
            }
        }
        if self.frames.len() + built.height > self.options.limits.depth {
            return Err(self.too_deep(start));
        }
        Ok(built)
    }

    fn intern(&mut self, text: Cow<'a, str>) -> Str {
        let Cow::Borrowed(text) = text else { return Str::from(text) };
        // Short strings are kept in place and cost nothing to make.
        if text.len() <= 23 {
            return Str::new(text);
        }
        if let Some(have) = self.interned.get(text) {
            return have.clone();
        }
        let made = Str::new(text);
        if self.interned.len() < MAX_INTERNED {
            self.interned.insert(text, made.clone());
        }
        made
    }

    fn scalar(
        &mut self,
        properties: &Properties<'_>,
        text: Cow<'a, str>,
        style: ScalarStyle,
        start: Mark,
    ) -> Built {
        let plain = style == ScalarStyle::Plain;
        let tag = properties.tag.as_deref();
        let v3 = self.options.dialect == Dialect::V3;
        let untagged = tag.is_none() || (v3 && tag == Some("!"));
        let merge = text == "<<"
            && match tag {
                None => plain,
                Some("!") => !v3 || plain,
                Some(tag) => tag == "tag:yaml.org,2002:merge",
            };
        let resolved = if untagged {
            if plain { resolve(&text, self.options.dialect, v3) } else { Resolved::Str }
        } else {
            match self.tagged(tag.unwrap_or_default(), &text, start) {
                Tagged::Resolved(resolved) => resolved,
                Tagged::Text(text) => return scalar_built(Str::from(text), merge, start),
            }
        };
        let in_key = matches!(self.frames.last(), Some(Frame::Mapping { key: None, .. }));
        let (value, key) = match resolved {
            Resolved::Null => (Value::Null, TypedKey::Null),
            Resolved::Bool(bool) => (Value::Bool(bool), TypedKey::Bool(bool)),
            Resolved::Int(int) => (Value::Int(int), TypedKey::Int(int)),
            #[expect(clippy::cast_precision_loss, reason = "what Kubernetes' JSON decoder does")]
            Resolved::Uint(uint) => (Value::Float(uint as f64), TypedKey::Uint(uint)),
            Resolved::Float(float) => {
                if !float.is_finite() && !in_key {
                    self.refuse_float(float, start);
                }
                (json_number(float), TypedKey::Float(float.to_bits()))
            }
            Resolved::Timestamp(timestamp) if v3 => {
                return scalar_built(Str::from(timestamp.to_string()), merge, start);
            }
            Resolved::Timestamp(_) | Resolved::Str => {
                let text = if in_key { self.intern(text) } else { Str::from(text) };
                return scalar_built(text, merge, start);
            }
        };
        let raw = if v3 && in_key { Str::from(text) } else { Str::default() };
        Built {
            value,
            key: Some(key),
            raw,
            merge,
            alias: false,
            kind: Kind::Scalar,
            start,
            weight: 1,
            height: 0,
        }
    }

    fn refuse_float(&mut self, float: f64, at: Mark) {
        if self.not_json.is_none() {
            let name = if float.is_nan() {
                "NaN"
            } else if float > 0.0 {
                "+Inf"
            } else {
                "-Inf"
            };
            let problem = format!("unsupported value: {name}");
            let text = format!("json: {problem}");
            let error = YamlError::new(YamlErrorKind::NotJson, problem, at.position()).with_text(text);
            self.not_json = Some(error);
        }
    }

    /// A scalar with an explicit tag.
    fn tagged(&mut self, tag: &str, text: &str, at: Mark) -> Tagged {
        let short = tag.strip_prefix("tag:yaml.org,2002:");
        let wanted = match short {
            Some("str") => return Tagged::Resolved(Resolved::Str),
            Some(short @ ("bool" | "int" | "float" | "null" | "timestamp")) => short,
            Some("binary") => return self.binary(text, at),
            _ => return Tagged::Resolved(Resolved::Str),
        };
        let resolved = resolve(text, self.options.dialect, wanted == "timestamp");
        if resolved.tag().strip_prefix("!!") == Some(wanted) {
            return Tagged::Resolved(resolved);
        }
        if let (Resolved::Int(int), "float") = (&resolved, wanted) {
            #[expect(clippy::cast_precision_loss, reason = "what Go's conversion does")]
            return Tagged::Resolved(Resolved::Float(*int as f64));
        }
        let problem = format!("cannot decode {} `{text}` as a !!{wanted}", resolved.tag());
        self.defer(YamlErrorKind::Type, problem, at);
        Tagged::Resolved(Resolved::Str)
    }

    fn binary(&mut self, text: &str, at: Mark) -> Tagged {
        match crate::base64::decode(text) {
            // encoding/json writes bytes that are not UTF-8 as replacement characters.
            Some(bytes) => Tagged::Text(String::from_utf8_lossy(&bytes).into_owned()),
            None => {
                self.defer(YamlErrorKind::Type, "!!binary value contains invalid base64 data", at);
                Tagged::Resolved(Resolved::Str)
            }
        }
    }

    /// Ends the innermost collection.
    fn close(&mut self) -> Option<Built> {
        let (value, kind, common) = match self.frames.pop()? {
            Frame::Sequence { items, common } => (Value::Array(Array::from(items)), Kind::Sequence, common),
            Frame::Mapping { mut members, common, .. } => {
                if self.options.dialect == Dialect::V3 {
                    self.finish_v3(&mut members, &common);
                }
                let map: Map = members.members.into_iter().collect();
                (Value::Object(map), Kind::Mapping, common)
            }
        };
        let built = Built {
            value,
            key: None,
            raw: Str::default(),
            merge: false,
            alias: false,
            kind,
            start: common.start,
            weight: common.weight,
            height: common.height + 1,
        };
        self.define(common.anchor, &built);
        Some(built)
    }

    /// Hands a complete node to the collection it stands in; the document's root comes back.
    fn give(&mut self, built: Built) -> Option<Built> {
        let Some(mut frame) = self.frames.pop() else {
            self.tally(&built);
            return Some(built);
        };
        match &mut frame {
            Frame::Sequence { items, common } => {
                self.tally(&built);
                common.grow(&built);
                items.push(built.value);
            }
            Frame::Mapping { key: key @ None, .. } => *key = Some(built),
            Frame::Mapping { members, key, common } => {
                let key = key.take().expect("the arm above handles an absent key");
                self.member(members, common, key, built);
            }
        }
        self.frames.push(frame);
        None
    }

    /// Counts a leaf as Go's decoder would; collections are counted by what is in them, and themselves.
    fn tally(&mut self, built: &Built) {
        self.count(if built.alias { built.weight - 1 } else { 0 }, built.start);
    }

    fn member(&mut self, members: &mut Members, common: &mut FrameCommon<'_>, key: Built, value: Built) {
        if self.options.dialect == Dialect::V3 {
            members.raw.push((key.kind, key.raw.clone(), key.start.line));
        }
        common.grow(&value);
        if key.merge {
            self.tally(&value);
            self.merge(members, value);
            return;
        }
        common.grow(&key);
        self.tally(&key);
        self.tally(&value);
        let Some(typed) = key.key else {
            let shown = crate::gosyntax::value(&key.value, self.options.dialect);
            self.defer(YamlErrorKind::NotJson, format!("invalid map key: {shown}"), key.start);
            return;
        };
        let Some(name) = self.key_name(&typed, &value.value, key.start) else { return };
        if self.options.strict && self.options.dialect == Dialect::Sigs {
            if members.seen.contains(&typed) || members.merged.contains(&name) {
                let text =
                    format!("line {}: key {} already set in map", value.start.line + 1, typed.go_syntax());
                self.type_errors.push(TypeError { text, start: key.start, kind: YamlErrorKind::Duplicate });
                return;
            }
            members.seen.insert(typed);
            members.names.insert(name.clone());
        }
        members.members.push((name, value.value));
    }

    /// The JSON name of a key, as `sigs.k8s.io/yaml` converts it.
    fn key_name(&mut self, key: &TypedKey, value: &Value, at: Mark) -> Option<Str> {
        let kind = match key {
            TypedKey::Str(text) => return Some(text.clone()),
            TypedKey::Bool(bool) => return Some(Str::new_static(if *bool { "true" } else { "false" })),
            TypedKey::Int(int) => return Some(Str::from(int.to_string())),
            TypedKey::Float(bits) => {
                return Some(Str::from(crate::float::go_g32(f64::from_bits(*bits))));
            }
            TypedKey::Null => "%!s(<nil>)",
            TypedKey::Uint(_) => "uint64",
        };
        if self.not_json.is_none() {
            let (key, value) = (
                key.go_syntax(),
                match value {
                    Value::Null => "<nil>".to_owned(),
                    value => crate::gosyntax::value(value, self.options.dialect),
                },
            );
            let problem = format!("unsupported map key of type: {kind}, key: {key}, value: {value}");
            let error = YamlError::new(YamlErrorKind::NotJson, problem.clone(), at.position());
            self.not_json = Some(error.with_text(problem));
        }
        None
    }

    /// Takes in the map or maps that `<<` names.
    fn merge(&mut self, members: &mut Members, built: Built) {
        if self.options.dialect == Dialect::V3 {
            members.merge = Some(built);
            return;
        }
        let at = built.start;
        match merged_maps(built) {
            // Earlier maps of a list win over later ones, so they are written last.
            Some(maps) => {
                for map in maps.into_iter().rev() {
                    for (name, value) in map {
                        if self.options.strict {
                            if members.names.contains(&name) || members.merged.contains(&name) {
                                let shown = crate::gosyntax::quote(&name);
                                let text = format!("line {}: key {shown} already set in map", at.line + 1);
                                let kind = YamlErrorKind::Duplicate;
                                self.type_errors.push(TypeError { text, start: at, kind });
                                continue;
                            }
                            members.merged.insert(name.clone());
                        }
                        members.members.push((name, value));
                    }
                }
            }
            None => self.refuse_merge(at),
        }
    }

    fn refuse_merge(&mut self, at: Mark) {
        let problem = "map merge requires map or sequence of maps as the value";
        self.defer(YamlErrorKind::Type, problem, at);
    }

    /// yaml.v3's end of a mapping: no key twice, then merges fill in what is absent.
    fn finish_v3(&mut self, members: &mut Members, common: &FrameCommon<'_>) {
        let mut lines: HashMap<(Kind, &str), Vec<(usize, u32)>> = HashMap::new();
        let mut pairs: Vec<(usize, usize, String, Mark)> = Vec::new();
        for (idx, (kind, raw, line)) in members.raw.iter().enumerate() {
            let earlier = lines.entry((*kind, raw.as_str())).or_default();
            for (first_idx, first) in earlier.iter() {
                let text = format!(
                    "line {}: mapping key {} already defined at line {}",
                    line + 1,
                    crate::gosyntax::quote(raw),
                    first + 1
                );
                pairs.push((*first_idx, idx, text, Mark { line: *line, ..common.start }));
            }
            earlier.push((idx, *line));
        }
        if !pairs.is_empty() {
            // What is wrong inside this mapping is not looked at by Go any more.
            self.type_errors.truncate(common.errors_before);
            if !common.deferred_before {
                self.deferred = None;
            }
            pairs.sort_by_key(|(first, second, ..)| (*first, *second));
            for (_, _, text, start) in pairs {
                self.type_errors.push(TypeError { text, start, kind: YamlErrorKind::Duplicate });
            }
        }
        if let Some(built) = members.merge.take() {
            let at = built.start;
            match merged_maps(built) {
                Some(maps) => {
                    let mut map: Map = std::mem::take(&mut members.members).into_iter().collect();
                    for (name, value) in maps.into_iter().flatten() {
                        if !map.contains_key(&name) {
                            map.insert(name, value);
                        }
                    }
                    members.members = map.into_iter().collect();
                }
                None => self.refuse_merge(at),
            }
        }
    }
}

enum Tagged {
    Resolved(Resolved),
    Text(String),
}

fn scalar_built(text: Str, merge: bool, start: Mark) -> Built {
    Built {
        key: Some(TypedKey::Str(text.clone())),
        raw: text.clone(),
        value: Value::String(text),
        merge,
        alias: false,
        kind: Kind::Scalar,
        start,
        weight: 1,
        height: 0,
    }
}

/// The maps a merge value names; `None` if it is anything but maps.
fn merged_maps(built: Built) -> Option<Vec<Map>> {
    match built.value {
        Value::Object(map) => Some(vec![map]),
        Value::Array(items) if !built.alias => items
            .into_iter()
            .map(|item| if let Value::Object(map) = item { Some(map) } else { None })
            .collect(),
        _ => None,
    }
}

impl FrameCommon<'_> {
    fn grow(&mut self, built: &Built) {
        self.weight = self.weight.saturating_add(built.weight);
        self.height = self.height.max(built.height);
    }
}

impl TypedKey {
    /// The key as Go's `%#v` prints it.
    fn go_syntax(&self) -> String {
        match self {
            Self::Null => "<nil>".to_owned(),
            Self::Bool(bool) => bool.to_string(),
            Self::Int(int) => int.to_string(),
            Self::Uint(uint) => format!("{uint:#x}"),
            Self::Float(bits) => crate::float::go_g(f64::from_bits(*bits)),
            Self::Str(text) => crate::gosyntax::quote(text),
        }
    }
}

/// A float as it comes back from the JSON that `sigs.k8s.io/yaml` writes: integral ones are integers there.
fn json_number(float: f64) -> Value {
    const EXACT: f64 = 9_007_199_254_740_992.0;
    if float.fract() == 0.0 && float.abs() < 1e21 {
        #[expect(clippy::cast_possible_truncation, reason = "the range was checked")]
        if float.abs() < EXACT {
            return Value::Int(float as i64);
        }
        // The digits are the shortest that name the float, not its exact value.
        if let Ok(int) = format!("{float}").parse() {
            return Value::Int(int);
        }
    }
    Value::Float(float)
}
