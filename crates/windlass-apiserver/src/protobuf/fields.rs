//! The recorded fields of every struct, read once.

use std::collections::HashMap;
use std::sync::OnceLock;

use windlass_kube::Str;

/// A message's fields, by their numbers.
#[derive(Debug, Default)]
pub(super) struct Struct {
    fields: Vec<(u64, Field)>,
}

/// One field.
#[derive(Debug)]
pub(super) struct Field {
    /// Its name in JSON; empty where its own fields appear in its place.
    pub(super) name: Str,
    /// Whether Go leaves it out of JSON when it is zero.
    pub(super) omits_empty: bool,
    pub(super) kind: Kind,
}

/// What a field holds.
#[derive(Debug)]
pub(super) enum Kind {
    Bool,
    Int,
    Float,
    String,
    Bytes,
    Quantity,
    IntOrString,
    Time {
        micros: bool,
    },
    Duration,
    Raw,
    SchemaOrBool,
    SchemaOrArray,
    SchemaOrStrings,
    Struct(Str),
    Pointer(Box<Kind>),
    List(Box<Kind>),
    Map(Box<Kind>),
    /// A message that holds nothing but a list.
    Items(Box<Kind>),
}

impl Struct {
    pub(super) fn field(&self, number: u64) -> Option<&Field> {
        let at = self.fields.binary_search_by_key(&number, |(have, _)| *have).ok()?;
        Some(&self.fields[at].1)
    }

    pub(super) fn fields(&self) -> &[(u64, Field)] {
        &self.fields
    }
}

impl Kind {
    fn parse(text: &str) -> Option<Self> {
        let boxed = |rest: &str| Self::parse(rest).map(Box::new);
        if let Some(rest) = text.strip_prefix('*') {
            return boxed(rest).map(Self::Pointer);
        }
        if let Some(rest) = text.strip_prefix("[]") {
            return boxed(rest).map(Self::List);
        }
        if let Some(rest) = text.strip_prefix("{}") {
            return boxed(rest).map(Self::Map);
        }
        if let Some(rest) = text.strip_prefix('=') {
            return boxed(rest).map(Self::Items);
        }
        if let Some(name) = text.strip_prefix('@') {
            return Some(Self::Struct(name.into()));
        }
        Some(match text {
            "bool" => Self::Bool,
            "int" | "int8" | "int16" | "int32" | "int64" | "uint8" | "uint16" | "uint32" | "uint64" => {
                Self::Int
            }
            "float32" | "float64" => Self::Float,
            "string" => Self::String,
            "bytes" => Self::Bytes,
            "quantity" => Self::Quantity,
            "intstr" => Self::IntOrString,
            "time" => Self::Time { micros: false },
            "microtime" => Self::Time { micros: true },
            "duration" => Self::Duration,
            "raw" => Self::Raw,
            "schemaorbool" => Self::SchemaOrBool,
            "schemaorarray" => Self::SchemaOrArray,
            "schemaorstrings" => Self::SchemaOrStrings,
            _ => return None,
        })
    }
}

struct Recorded {
    structs: HashMap<Str, Struct>,
    /// By `apiVersion` and kind.
    kinds: HashMap<(Str, Str), Str>,
}

fn recorded() -> &'static Recorded {
    static RECORDED: OnceLock<Recorded> = OnceLock::new();
    RECORDED.get_or_init(|| {
        let mut recorded = Recorded { structs: HashMap::new(), kinds: HashMap::new() };
        let mut current = Str::default();
        for line in include_str!("fields.txt").lines() {
            let words: Vec<&str> = line.split_whitespace().collect();
            match words.as_slice() {
                ["kind", group_version, kind, name] => {
                    recorded.kinds.insert((Str::new(group_version), Str::new(kind)), Str::new(name));
                }
                ["struct", name] => {
                    current = Str::new(name);
                    recorded.structs.entry(current.clone()).or_default();
                }
                [number, name, kind] => {
                    let omits_empty = name.ends_with('?');
                    let name = name.trim_end_matches('?');
                    let name = if name == "-" { Str::default() } else { Str::new(name) };
                    let field = Kind::parse(kind).map(|kind| Field { name, omits_empty, kind });
                    if let (Ok(number), Some(field)) = (number.parse(), field) {
                        recorded.structs.entry(current.clone()).or_default().fields.push((number, field));
                    }
                }
                _ => {}
            }
        }
        for of in recorded.structs.values_mut() {
            of.fields.sort_by_key(|(number, _)| *number);
        }
        recorded
    })
}

pub(super) fn structs() -> &'static HashMap<Str, Struct> {
    &recorded().structs
}

/// The struct of a kind. Options are the same in every group; documents of discovery may name no version.
pub(super) fn struct_of_kind(api_version: &str, kind: &str) -> Option<&'static Struct> {
    let recorded = recorded();
    let name = match kind {
        "DeleteOptions" | "CreateOptions" | "UpdateOptions" | "PatchOptions" => {
            format!("meta.v1.{kind}").into()
        }
        _ => {
            let api_version = if api_version.is_empty() { "v1" } else { api_version };
            recorded.kinds.get(&(Str::new(api_version), Str::new(kind)))?.clone()
        }
    };
    recorded.structs.get(&name)
}
