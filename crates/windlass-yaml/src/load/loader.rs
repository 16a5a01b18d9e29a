//! Events to values.
//!
//! Values are built bottom-up with an explicit stack. An alias shares the value it names, so a bomb costs no
//! memory here; Go's rule against it is kept by counting what Go would have decoded.

use std::borrow::Cow;
use std::collections::HashMap;

use super::mapping::{Members, TypedKey};
use super::{Document, LoadOptions};
use crate::error::{YamlError, YamlErrorKind};
use crate::limits::allowed_alias_ratio;
use crate::parser::{Event, EventKind, Parser, Properties};
use crate::resolve::{Dialect, Resolved, resolve};
use crate::scanner::{Mark, ScalarStyle, SyntaxError};
use crate::value::{Array, Map, Str, Value};

/// A value being handed to the collection it stands in.
pub(super) struct Built {
    pub(super) value: Value,
    /// The key this would be; `None` for a collection.
    pub(super) key: Option<TypedKey>,
    /// The text and whether `<<` there means a merge.
    pub(super) raw: Str,
    pub(super) merge: bool,
    pub(super) alias: bool,
    pub(super) kind: Kind,
    pub(super) start: Mark,
    /// How many nodes Go would decode for this one, and how deep it nests.
    pub(super) weight: u64,
    pub(super) height: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Kind {
    Scalar,
    Sequence,
    Mapping,
    Alias,
}

enum Frame<'a> {
    Sequence { items: Vec<Value>, common: FrameCommon<'a> },
    Mapping(Box<MappingFrame<'a>>),
}

struct MappingFrame<'a> {
    members: Members,
    key: Option<Built>,
    common: FrameCommon<'a>,
}

pub(super) struct FrameCommon<'a> {
    pub(super) anchor: Option<&'a str>,
    pub(super) start: Mark,
    pub(super) weight: u64,
    pub(super) height: usize,
    /// How many type errors there were before this collection.
    pub(super) errors_before: usize,
    pub(super) deferred_before: bool,
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
pub(super) struct TypeError {
    pub(super) text: String,
    pub(super) start: Mark,
    pub(super) kind: YamlErrorKind,
}

pub(super) struct Loader<'a> {
    parser: Parser<'a>,
    pub(super) options: LoadOptions,
    frames: Vec<Frame<'a>>,
    anchors: HashMap<&'a str, Anchored>,
    /// The first error that Go would only meet after it had parsed the whole document.
    pub(super) deferred: Option<YamlError>,
    pub(super) type_errors: Vec<TypeError>,
    pub(super) not_json: Option<YamlError>,
    decoded: u64,
    aliased: u64,
    /// Strings seen as keys: manifests repeat them.
    interned: HashMap<&'a str, Str>,
}

/// How many different keys are kept for sharing: real manifests have a few hundred.
const MAX_INTERNED: usize = 4096;

impl<'a> Loader<'a> {
    pub(super) fn new(text: &'a str, options: LoadOptions) -> Self {
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
        self.parser.next().map_err(|error: Box<SyntaxError>| error.into_error(prefer_context))
    }

    /// The next document of the stream, if there is one.
    pub(super) fn document(&mut self) -> Result<Option<Document>, YamlError> {
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
            // Going on would take the memory that the limit is there to save.
            if let Some(error) = self.deferred.take_if(|error| error.kind() == YamlErrorKind::Limit) {
                return Err(error);
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
    pub(super) fn defer(&mut self, kind: YamlErrorKind, problem: impl Into<String>, at: Mark) {
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
                let frame = MappingFrame { members: Members::default(), key: None, common };
                self.frames.push(Frame::Mapping(Box::new(frame)));
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
        let in_key = matches!(self.frames.last(), Some(Frame::Mapping(frame)) if frame.key.is_none());
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
            Frame::Mapping(frame) => {
                let MappingFrame { mut members, common, .. } = *frame;
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
            Frame::Mapping(frame) => match frame.key.take() {
                None => frame.key = Some(built),
                Some(key) => self.member(&mut frame.members, &mut frame.common, key, built),
            },
        }
        self.frames.push(frame);
        None
    }

    /// Counts a leaf as Go's decoder would; collections are counted by what is in them, and themselves.
    pub(super) fn tally(&mut self, built: &Built) {
        self.count(if built.alias { built.weight - 1 } else { 0 }, built.start);
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

impl FrameCommon<'_> {
    pub(super) fn grow(&mut self, built: &Built) {
        self.weight = self.weight.saturating_add(built.weight);
        self.height = self.height.max(built.height);
    }
}

/// A float as it comes back from the JSON that `sigs.k8s.io/yaml` writes: integral ones are integers there.
pub(crate) fn json_number(float: f64) -> Value {
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
