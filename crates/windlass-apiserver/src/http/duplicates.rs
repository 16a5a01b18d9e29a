//! Fields that a JSON document has more than once.

use std::collections::HashSet;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

/// The fields that occur again in the object they stand in, as paths such as `spec.ports[0].name`, in the
/// order of the text. What is no JSON has none.
pub(super) fn find(json: &[u8]) -> Vec<String> {
    walked(json).twice
}

/// All fields in the order of the text, each where it is first.
pub(super) fn fields(json: &[u8]) -> Vec<String> {
    walked(json).all
}

fn walked(json: &[u8]) -> Found {
    let mut found = Found::default();
    let mut deserializer = serde_json::Deserializer::from_slice(json);
    // What cannot be read is refused elsewhere.
    let _ = Walk { path: String::new(), found: &mut found }.deserialize(&mut deserializer);
    found
}

#[derive(Default)]
struct Found {
    all: Vec<String>,
    twice: Vec<String>,
}

/// Walks one value.
struct Walk<'a> {
    path: String,
    found: &'a mut Found,
}

impl<'de> DeserializeSeed<'de> for Walk<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Walk<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_bool<E>(self, _: bool) -> Result<(), E> {
        Ok(())
    }

    fn visit_i64<E>(self, _: i64) -> Result<(), E> {
        Ok(())
    }

    fn visit_u64<E>(self, _: u64) -> Result<(), E> {
        Ok(())
    }

    fn visit_f64<E>(self, _: f64) -> Result<(), E> {
        Ok(())
    }

    fn visit_str<E>(self, _: &str) -> Result<(), E> {
        Ok(())
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<(), A::Error> {
        let mut idx = 0;
        while seq
            .next_element_seed(Walk { path: format!("{}[{idx}]", self.path), found: self.found })?
            .is_some()
        {
            idx += 1;
        }
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let mut seen: HashSet<String> = HashSet::new();
        while let Some(key) = map.next_key::<String>()? {
            let path = if self.path.is_empty() { key.clone() } else { format!("{}.{key}", self.path) };
            if seen.insert(key) {
                self.found.all.push(path.clone());
                map.next_value_seed(Walk { path, found: self.found })?;
            } else {
                self.found.twice.push(path);
                map.next_value::<IgnoredAny>()?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_what_occurs_twice() {
        let json = br#"{"a":1,"b":{"c":[{"d":1,"d":2}],"c":3},"a":{"x":1,"x":2}}"#;
        assert_eq!(find(json), ["b.c[0].d", "b.c", "a"]);
        assert!(find(b"{").is_empty() && find(br#"{"a":[1,null,true,1.5,"x",-1]}"#).is_empty());
    }
}
