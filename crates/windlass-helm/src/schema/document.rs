//! A schema as it is written, and what its references lead to.

use windlass_yaml::{Value, json};

use super::failure::quoted;

/// A document of schemas.
pub(super) struct Document {
    root: Value,
    pub(super) draft: Draft,
    /// Subschemas with an identifier or an anchor: the name, and the path to them.
    names: Vec<(String, Vec<String>)>,
}

/// A version of JSON Schema.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Draft {
    Four,
    Six,
    Seven,
    Y2019,
    Y2020,
}

/// How deep subschemas are searched for names; deeper ones are found by paths alone.
const MAX_SEARCH_DEPTH: usize = 64;

impl Document {
    pub(super) fn parse(bytes: &[u8]) -> Result<Self, String> {
        let root = json::parse(bytes).map_err(|error| error.to_string())?;
        let draft = match root.str_at(&["$schema"]) {
            None => Draft::Y2020,
            Some(address) => {
                let name = address.trim_end_matches('#');
                let name = name.strip_prefix("https://").or(name.strip_prefix("http://")).unwrap_or(name);
                match name {
                    "json-schema.org/schema" | "json-schema.org/draft/2020-12/schema" => Draft::Y2020,
                    "json-schema.org/draft/2019-09/schema" => Draft::Y2019,
                    "json-schema.org/draft-07/schema" => Draft::Seven,
                    "json-schema.org/draft-06/schema" => Draft::Six,
                    "json-schema.org/draft-04/schema" => Draft::Four,
                    _ => return Err(elsewhere(address)),
                }
            }
        };
        let mut document = Self { root, draft, names: Vec::new() };
        let mut names = Vec::new();
        document.search(&document.root, &mut Vec::new(), &mut names);
        document.names = names;
        Ok(document)
    }

    pub(super) fn root(&self) -> &Value {
        &self.root
    }

    fn search(&self, here: &Value, path: &mut Vec<String>, names: &mut Vec<(String, Vec<String>)>) {
        if path.len() > MAX_SEARCH_DEPTH {
            return;
        }
        match here {
            Value::Object(map) => {
                let id = if self.draft == Draft::Four { "id" } else { "$id" };
                for (key, prefix) in [(id, ""), ("$anchor", "#"), ("$dynamicAnchor", "#")] {
                    if let Some(name) = map.get(key).and_then(Value::as_str) {
                        names.push((format!("{prefix}{}", name.trim_end_matches('#')), path.clone()));
                    }
                }
                for (key, value) in map.iter() {
                    if matches!(key.as_str(), "enum" | "const" | "default" | "examples") {
                        continue;
                    }
                    path.push(key.to_string());
                    self.search(value, path, names);
                    path.pop();
                }
            }
            Value::Array(items) => {
                for (idx, value) in items.iter().enumerate() {
                    path.push(idx.to_string());
                    self.search(value, path, names);
                    path.pop();
                }
            }
            _ => {}
        }
    }

    /// The schema that a reference leads to.
    pub(super) fn resolve(&self, reference: &str) -> Result<&Value, String> {
        let (address, fragment) = reference.split_once('#').unwrap_or((reference, ""));
        let base = if address.is_empty() {
            &self.root
        } else {
            let short = address.rsplit('/').next().unwrap_or(address);
            let named = self.names.iter().find(|(name, _)| name == address).or_else(|| {
                // A relative address, resolved against that of the document.
                self.names.iter().find(|(name, _)| !address.contains("://") && name.ends_with(short))
            });
            let own = ["values.schema.json", "file:///values.schema.json"];
            match named {
                Some((_, path)) => self.at(&self.root, path).ok_or_else(|| elsewhere(address))?,
                None if own.contains(&address) => &self.root,
                None => return Err(elsewhere(address)),
            }
        };
        let missing = || format!("{} not found", quoted(&format!("#{fragment}")));
        if fragment.is_empty() {
            return Ok(base);
        }
        let fragment = decoded(fragment);
        if let Some(pointer) = fragment.strip_prefix('/') {
            let path: Vec<_> =
                pointer.split('/').map(|part| part.replace("~1", "/").replace("~0", "~")).collect();
            return self.at(base, &path).ok_or_else(missing);
        }
        let anchor = format!("#{fragment}");
        let (_, path) = self.names.iter().find(|(name, _)| *name == anchor).ok_or_else(missing)?;
        self.at(&self.root, path).ok_or_else(missing)
    }

    fn at<'a>(&self, from: &'a Value, path: &[String]) -> Option<&'a Value> {
        path.iter().try_fold(from, |here, part| match here {
            Value::Object(map) => map.get(part),
            Value::Array(items) => items.get(part.parse::<usize>().ok()?),
            _ => None,
        })
    }
}

fn elsewhere(address: &str) -> String {
    format!("failing loading {address:?}: schemas are not fetched from elsewhere")
}

/// A fragment without percent signs.
fn decoded(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, after @ ..] = rest {
        let hex = after.get(..2).and_then(|hex| std::str::from_utf8(hex).ok());
        match hex.and_then(|hex| u8::from_str_radix(hex, 16).ok()) {
            Some(byte) if *first == b'%' => {
                bytes.push(byte);
                rest = &after[2..];
            }
            _ => {
                bytes.push(*first);
                rest = after;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}
