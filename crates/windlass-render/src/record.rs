//! Renders as bytes, for stores that outlive the process.

use windlass_helm::LookupRequest;
use windlass_kube::{Object, ObjectRef, Str, Value};
use windlass_model::{Diagnostic, DiagnosticKind, Digest, Manifest, Origin, SourceType};
use windlass_yaml::{Map, json};

use crate::{Fetched, ReadSet, Rendered};

/// A record of another layout is none.
const LAYOUT: i64 = 2;

/// The kinds of diagnostics that renders have, by what they are called in records.
const KINDS: [(&str, DiagnosticKind); 4] = [
    ("render", DiagnosticKind::Render),
    ("source", DiagnosticKind::Source),
    ("unsupported", DiagnosticKind::Unsupported),
    ("invalid", DiagnosticKind::InvalidSpec),
];

const SOURCE_TYPES: [SourceType; 4] =
    [SourceType::Directory, SourceType::Helm, SourceType::Kustomize, SourceType::Plugin];

/// The render as bytes; `None` for one that no record can hold.
pub(crate) fn encode(rendered: &Rendered) -> Option<Vec<u8>> {
    let mut record = Value::object();
    record.set_at(&["layout"], LAYOUT);
    record.set_at(&["type"], rendered.source_type.as_str());
    record.set_at(&["chance"], rendered.by_chance);
    record.set_at(&["plain"], rendered.is_plain);
    record.set_at(&["plugin"], rendered.plugin.clone());
    let manifests = rendered.manifests.iter().map(|manifest| {
        list([
            manifest.object.to_value(),
            manifest.origin.file.clone().into(),
            i64::from(manifest.origin.line).into(),
        ])
    });
    record.set_at(&["manifests"], list(manifests));
    let mut diagnostics = Vec::with_capacity(rendered.diagnostics.len());
    for diagnostic in &rendered.diagnostics {
        let (kind, _) = KINDS.iter().find(|(_, kind)| *kind == diagnostic.kind)?;
        let mut value = Value::object();
        value.set_at(&["kind"], *kind);
        value.set_at(&["message"], diagnostic.message.clone());
        if let Some(origin) = &diagnostic.origin {
            value.set_at(&["file"], origin.file.clone());
            value.set_at(&["line"], i64::from(origin.line));
        }
        if let Some(object) = &diagnostic.object {
            let parts = [&object.group, &object.kind, &object.namespace, &object.name];
            value.set_at(&["object"], list(parts.map(|part| part.clone().into())));
        }
        diagnostics.push(value);
    }
    record.set_at(&["diagnostics"], list(diagnostics));
    record.set_at(&["reads"], rendered.reads.to_value());
    let references = rendered.reference_reads.iter();
    record.set_at(
        &["references"],
        list(references.map(|(name, reads)| list([name.clone().into(), reads.to_value()]))),
    );
    let lookups = rendered.lookups.iter().map(|(request, digest)| {
        let parts = [&request.api_version, &request.kind, &request.namespace, &request.name];
        let parts = parts.map(|part| Value::from(part.as_str()));
        list(parts.into_iter().chain([digest.to_string().into()]))
    });
    record.set_at(&["lookups"], list(lookups));
    match &rendered.fetched {
        Fetched::Nothing => {}
        Fetched::Known(fetched)
            if !fetched.iter().any(|(address, at)| names_user(address) || names_user(at)) =>
        {
            let fetched =
                fetched.iter().map(|(address, at)| list([address.clone().into(), at.clone().into()]));
            record.set_at(&["fetched"], list(fetched));
        }
        Fetched::Known(_) | Fetched::Unknown => return None,
    }
    Some(json::to_vec(&record))
}

/// Whether an address may hold a password: what is kept on disk holds none that is known as one.
fn names_user(address: &str) -> bool {
    address
        .split("://")
        .skip(1)
        .any(|rest| rest.split(['/', '"', ' ']).next().is_some_and(|host| host.contains('@')))
}

/// The render of a record; `None` for bytes that are none.
pub(crate) fn decode(bytes: &[u8]) -> Option<Rendered> {
    let record = json::parse(bytes).ok()?;
    if record.int_at(&["layout"]) != Some(LAYOUT) {
        return None;
    }
    let kind = record.str_at(&["type"])?;
    let source_type = SOURCE_TYPES.into_iter().find(|source_type| source_type.as_str() == kind)?;
    let manifest = |value: &Value| {
        let [object, file, line] = value.as_array()?.as_slice() else { return None };
        Some(Manifest { object: Object::try_new(object.clone()).ok()?, origin: origin(file, line)? })
    };
    let lookup = |value: &Value| {
        let [api_version, kind, namespace, name, found] = value.as_array()?.as_slice() else { return None };
        let text = |value: &Value| value.as_str().map(str::to_owned);
        let request = LookupRequest {
            api_version: text(api_version)?,
            kind: text(kind)?,
            namespace: text(namespace)?,
            name: text(name)?,
        };
        Some((request, digest(found.as_str()?)?))
    };
    let reference = |value: &Value| {
        let [name, reads] = value.as_array()?.as_slice() else { return None };
        Some((Str::from(name.as_str()?), ReadSet::from_value(reads)?))
    };
    let fetched = |value: &Value| {
        let [address, at] = value.as_array()?.as_slice() else { return None };
        Some((Str::from(address.as_str()?), Str::from(at.as_str()?)))
    };
    let fetched = match record.get("fetched") {
        None => Fetched::Nothing,
        Some(_) => Fetched::Known(record.items_at(&["fetched"]).iter().map(fetched).collect::<Option<_>>()?),
    };
    Some(Rendered {
        manifests: record.items_at(&["manifests"]).iter().map(manifest).collect::<Option<_>>()?,
        diagnostics: record.items_at(&["diagnostics"]).iter().map(diagnostic).collect::<Option<_>>()?,
        source_type,
        reads: ReadSet::from_value(record.get("reads")?)?,
        reference_reads: record.items_at(&["references"]).iter().map(reference).collect::<Option<_>>()?,
        by_chance: record.bool_at(&["chance"])?,
        confidential: false,
        fetched,
        may_pass: false,
        is_plain: record.bool_at(&["plain"])?,
        plugin: record.str_at(&["plugin"])?.into(),
        lookups: record.items_at(&["lookups"]).iter().map(lookup).collect::<Option<_>>()?,
    })
}

fn diagnostic(value: &Value) -> Option<Diagnostic> {
    let kind = value.str_at(&["kind"])?;
    let (_, kind) = KINDS.iter().find(|(name, _)| *name == kind)?;
    let mut diagnostic = Diagnostic::new(*kind, value.str_at(&["message"])?);
    if let (Some(file), Some(line)) = (value.get("file"), value.get("line")) {
        diagnostic = diagnostic.at(origin(file, line)?);
    }
    if let [group, kind, namespace, name] = value.items_at(&["object"]) {
        let text = |value: &Value| value.as_str().map(Str::from);
        diagnostic =
            diagnostic.about(ObjectRef::new(text(group)?, text(kind)?, text(namespace)?, text(name)?));
    }
    Some(diagnostic)
}

fn origin(file: &Value, line: &Value) -> Option<Origin> {
    Some(Origin { file: file.as_str()?.into(), line: u32::try_from(line.as_int()?).ok()? })
}

fn list(items: impl IntoIterator<Item = Value>) -> Value {
    Value::Array(items.into_iter().collect())
}

/// A digest as it prints.
fn digest(text: &str) -> Option<Digest> {
    let mut bytes = [0; 16];
    if text.len() != 32 || !text.is_ascii() {
        return None;
    }
    for (idx, byte) in bytes.iter_mut().enumerate() {
        *byte = u8::from_str_radix(&text[2 * idx..2 * idx + 2], 16).ok()?;
    }
    Some(Digest::from_foreign(&bytes))
}

/// A path that was read, with what stood there.
type Digested = (Str, Option<Digest>);

impl ReadSet {
    /// As it stands in a record.
    fn to_value(&self) -> Value {
        let digests = |reads: &[(Str, Option<Digest>)]| -> Value {
            let reads = reads.iter().map(|(path, digest)| {
                (path.clone(), digest.map_or(Value::Null, |digest| digest.to_string().into()))
            });
            Value::Object(reads.collect())
        };
        let links: Map =
            self.links.iter().map(|(path, linked)| (path.clone(), Value::Bool(*linked))).collect();
        list([digests(&self.entries), digests(&self.listings), Value::Object(links), digests(&self.subtrees)])
    }

    fn from_value(value: &Value) -> Option<Self> {
        let [entries, listings, links, subtrees] = value.as_array()?.as_slice() else { return None };
        let digests = |reads: &Value| -> Option<Box<[Digested]>> {
            let one = |(path, value): (&Str, &Value)| match value {
                Value::Null => Some((path.clone(), None)),
                value => Some((path.clone(), Some(digest(value.as_str()?)?))),
            };
            reads.as_object()?.iter().map(one).collect()
        };
        let link = |(path, value): (&Str, &Value)| Some((path.clone(), value.as_bool()?));
        Some(Self {
            entries: digests(entries)?,
            listings: digests(listings)?,
            links: links.as_object()?.iter().map(link).collect::<Option<_>>()?,
            subtrees: digests(subtrees)?,
        })
    }
}
