//! Keys and values to maps: key names, equal keys, merges.

use std::collections::{HashMap, HashSet};

use super::loader::{Built, FrameCommon, Kind, Loader, TypeError};
use crate::error::{YamlError, YamlErrorKind};
use crate::resolve::Dialect;
use crate::scanner::Mark;
use crate::value::{Map, Str, Value};

/// A key with the type it was decoded to, for telling duplicates as Go's maps do.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum TypedKey {
    Null,
    Bool(bool),
    Int(i64),
    Uint(u64),
    /// The bits of a float.
    Float(u64),
    Str(Str),
}

/// What a mapping gathers.
#[derive(Default)]
pub(super) struct Members {
    pub(super) members: Vec<(Str, Value)>,
    /// The keys so far, where equal ones are an error.
    unique: Option<Unique>,
    /// Kind, text and line of each key, for yaml.v3's rule on equal keys.
    raw: Vec<(Kind, Str, u32)>,
    /// yaml.v3 merges when the mapping ends.
    merge: Option<Built>,
}

/// The keys of a map that may not stand twice.
#[derive(Default)]
struct Unique {
    /// The map's own keys.
    own: HashSet<TypedKey>,
    /// Their names.
    names: HashSet<Str>,
    /// The names of keys that were merged in; how these were typed is not known any more.
    merged: HashSet<Str>,
}

impl Unique {
    /// Whether the map's own key is new.
    fn add(&mut self, typed: TypedKey, name: &Str) -> bool {
        if self.own.contains(&typed) || self.merged.contains(name) {
            return false;
        }
        self.own.insert(typed);
        self.names.insert(name.clone());
        true
    }

    /// Whether a merged key is new.
    fn add_merged(&mut self, name: &Str) -> bool {
        !self.names.contains(name) && self.merged.insert(name.clone())
    }
}

/// How many equal keys of one map an error lists. Go lists every pair, which for a key that stands ten
/// thousand times is fifty million lines.
const MAX_PAIRS: usize = 1000;

impl Loader<'_> {
    pub(super) fn member(
        &mut self,
        members: &mut Members,
        common: &mut FrameCommon<'_>,
        key: Built,
        value: Built,
    ) {
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
            let shown = typed.go_syntax();
            if !members.unique.get_or_insert_default().add(typed, &name) {
                self.duplicate(&shown, value.start, key.start);
                return;
            }
        }
        members.members.push((name, value.value));
    }

    /// Notes a key that stands twice; Go says the line of its value.
    fn duplicate(&mut self, shown: &str, value: Mark, start: Mark) {
        let text = format!("line {}: key {shown} already set in map", value.line + 1);
        self.type_errors.push(TypeError { text, start, kind: YamlErrorKind::Duplicate });
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
                        if self.options.strict && !members.unique.get_or_insert_default().add_merged(&name) {
                            self.duplicate(&crate::gosyntax::quote(&name), at, at);
                            continue;
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
    pub(super) fn finish_v3(&mut self, members: &mut Members, common: &FrameCommon<'_>) {
        let mut lines: HashMap<(Kind, &str), Vec<(usize, u32)>> = HashMap::new();
        let mut pairs: Vec<(usize, usize, String, Mark)> = Vec::new();
        for (idx, (kind, raw, line)) in members.raw.iter().enumerate() {
            let earlier = lines.entry((*kind, raw.as_str())).or_default();
            for (first_idx, first) in earlier.iter().take(MAX_PAIRS.saturating_sub(pairs.len())) {
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
                    // Of equal keys the last stays: the map's own before those of earlier maps in the list.
                    let own = std::mem::take(&mut members.members);
                    members.members = maps.into_iter().rev().flatten().chain(own).collect();
                }
                None => self.refuse_merge(at),
            }
        }
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
