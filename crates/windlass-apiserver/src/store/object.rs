//! One object as the store holds it: its JSON, and the parsed form while it is recent; packed once it is not.

use std::cmp::Ordering;
use std::fmt;
use std::sync::{Mutex, MutexGuard};

use bytes::Bytes;
use windlass_kube::{Map, Object, Str, Value};

use super::packed::{Packed, Packer};
use super::ring::watch_line_of;
use super::{EventKind, Revision};

/// Names an object within its resource.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Key {
    /// The namespace; empty for a cluster-scoped object.
    pub namespace: Str,
    /// The name.
    pub name: Str,
}

impl Key {
    /// Names an object.
    #[must_use]
    pub fn new(namespace: impl Into<Str>, name: impl Into<Str>) -> Self {
        Self { namespace: namespace.into(), name: name.into() }
    }
}

/// The order of etcd's keys, where a `/` ends the namespace: `a-b/x` comes before `a/x`.
impl Ord for Key {
    fn cmp(&self, other: &Self) -> Ordering {
        let namespaces = if self.namespace == other.namespace {
            Ordering::Equal
        } else {
            let ended = |namespace: &Str| namespace.clone().bytes().chain([b'/']).collect::<Vec<_>>();
            match (self.namespace.is_empty(), other.namespace.is_empty()) {
                (true, _) => Ordering::Less,
                (_, true) => Ordering::Greater,
                _ => ended(&self.namespace).cmp(&ended(&other.namespace)),
            }
        };
        namespaces.then_with(|| self.name.cmp(&other.name))
    }
}

impl PartialOrd for Key {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.namespace.is_empty() {
            write!(f, "{}/", self.namespace)?;
        }
        f.write_str(&self.name)
    }
}

/// An object at one revision. While it is recent, its bytes are shared by everybody who sends it.
pub struct Stored {
    key: Key,
    revision: Revision,
    labels: Option<Map>,
    terminating: bool,
    body: Mutex<Body>,
}

/// The object itself. Those who follow changes want the parsed form while a change is recent; a tree takes several
/// times the memory of its JSON, and JSON several times that of its packed form.
enum Body {
    Recent(Bytes, Option<Object>),
    Packed(Packed),
}

impl Stored {
    /// Takes an object with the bytes that are its JSON.
    pub(super) fn new(key: Key, revision: Revision, json: Bytes, object: Object) -> Self {
        let labels = object.at(&["metadata", "labels"]).and_then(Value::as_object).cloned();
        let terminating = object.is_terminating();
        Self { key, revision, labels, terminating, body: Mutex::new(Body::Recent(json, Some(object))) }
    }

    /// An object as somebody is to see it, which is not how it is stored.
    pub(crate) fn shown(key: Key, revision: Revision, object: Object) -> Self {
        let json = serde_json::to_vec(object.as_map()).expect("writing to memory cannot fail");
        Self::new(key, revision, json.into(), object)
    }

    /// Reads an object back; `None` if the bytes are no object.
    pub(super) fn from_json(key: Key, revision: Revision, json: Bytes) -> Option<Self> {
        let object = parse(&json)?;
        let stored = Self::new(key, revision, json, object);
        stored.forget_parsed();
        Some(stored)
    }

    /// What names it.
    #[must_use]
    pub fn key(&self) -> &Key {
        &self.key
    }

    /// The revision of its last change, which is also its `metadata.resourceVersion`.
    #[must_use]
    pub fn revision(&self) -> Revision {
        self.revision
    }

    /// Its compact JSON; a copy if it is no longer recent.
    #[must_use]
    pub fn json(&self) -> Bytes {
        match &*self.body() {
            Body::Recent(json, _) => json.clone(),
            Body::Packed(packed) => packed.unpack().into(),
        }
    }

    /// How many bytes its compact JSON has.
    #[must_use]
    pub fn json_len(&self) -> usize {
        match &*self.body() {
            Body::Recent(json, _) => json.len(),
            Body::Packed(packed) => packed.unpacked_len(),
        }
    }

    /// Its labels.
    #[must_use]
    pub fn labels(&self) -> Option<&Map> {
        self.labels.as_ref()
    }

    /// Whether its deletion has begun.
    #[must_use]
    pub fn is_terminating(&self) -> bool {
        self.terminating
    }

    /// The object, parsed again if it is no longer recent.
    #[must_use]
    pub fn object(&self) -> Object {
        if let Body::Recent(_, Some(object)) = &*self.body() {
            return object.clone();
        }
        parse(&self.json()).expect("the store holds only what it parsed before")
    }

    pub(super) fn forget_parsed(&self) {
        if let Body::Recent(_, object) = &mut *self.body() {
            *object = None;
        }
    }

    /// Packs the object, now that few will ask for it.
    pub(super) fn pack(&self, packer: &mut Packer) {
        let mut body = self.body();
        if let Body::Recent(json, object) = &mut *body {
            match packer.pack(json) {
                Some(packed) => *body = Body::Packed(packed),
                None => *object = None,
            }
        }
    }

    fn body(&self) -> MutexGuard<'_, Body> {
        self.body.lock().expect("no panic under this lock")
    }
}

fn parse(json: &[u8]) -> Option<Object> {
    Object::try_new(serde_json::from_slice(json).ok()?).ok()
}

impl fmt::Debug for Stored {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} at {}", self.key, self.revision)
    }
}

/// An object's JSON with a gap where its resource version goes, so that it is serialized before its
/// revision is known.
pub(super) struct Encoded {
    json: Vec<u8>,
    gap: usize,
}

impl Encoded {
    /// Serializes everything but `metadata.resourceVersion`.
    pub(super) fn new(object: &Object) -> Self {
        let mut json = Vec::with_capacity(1024);
        let mut gap = 0;
        let mut metadata_written = false;
        json.push(b'{');
        for (key, value) in object.as_map().iter() {
            if !metadata_written && key.as_str() >= "metadata" {
                metadata_written = true;
                let empty = Map::new();
                let metadata = if key == "metadata" { value.as_object().unwrap_or(&empty) } else { &empty };
                gap = write_metadata(&mut json, metadata);
                if key == "metadata" {
                    continue;
                }
            }
            write_member(&mut json, key, value);
        }
        if !metadata_written {
            gap = write_metadata(&mut json, &Map::new());
        }
        json.push(b'}');
        Self { json, gap }
    }

    /// The whole JSON, now that the revision is known: as the line that tells watchers, and the part of it that is
    /// the object. They share one buffer, because nearly every object is watched by somebody.
    pub(super) fn at(&self, revision: Revision, kind: EventKind) -> (Bytes, Bytes) {
        let revision = revision.to_string();
        let (before, after) = self.json.split_at(self.gap);
        let (line, json) = watch_line_of(kind.as_str(), &[before, revision.as_bytes(), after]);
        let json = line.slice(json);
        (line, json)
    }
}

fn separate(json: &mut Vec<u8>) {
    if json.last() != Some(&b'{') {
        json.push(b',');
    }
}

fn write_member(json: &mut Vec<u8>, key: &str, value: &Value) {
    separate(json);
    serde_json::to_writer(&mut *json, key).expect("writing to memory cannot fail");
    json.push(b':');
    serde_json::to_writer(&mut *json, value).expect("writing to memory cannot fail");
}

fn write_metadata(json: &mut Vec<u8>, metadata: &Map) -> usize {
    separate(json);
    json.extend_from_slice(b"\"metadata\":{");
    let mut gap = None;
    let mut open_gap = |json: &mut Vec<u8>| {
        separate(json);
        json.extend_from_slice(b"\"resourceVersion\":\"");
        gap = Some(json.len());
        json.push(b'"');
    };
    let mut opened = false;
    for (key, value) in metadata.iter() {
        if key == "resourceVersion" {
            continue;
        }
        if !opened && key.as_str() > "resourceVersion" {
            opened = true;
            open_gap(json);
        }
        write_member(json, key, value);
    }
    if !opened {
        open_gap(json);
    }
    json.push(b'}');
    gap.expect("opened above")
}
