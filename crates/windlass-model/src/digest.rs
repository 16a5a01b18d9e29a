//! Content digests: what tells whether something changed.

use std::fmt;

use windlass_kube::Value;

/// 128 bits of BLAKE3: enough to tell contents apart, small enough to keep one per object.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Digest([u8; 16]);

impl Digest {
    /// The digest of `bytes`.
    #[must_use]
    pub fn of_bytes(bytes: &[u8]) -> Self {
        let mut short = [0; 16];
        short.copy_from_slice(&blake3::hash(bytes).as_bytes()[..16]);
        Self(short)
    }

    /// The digest of a value: equal values have equal digests, however their numbers are held.
    #[must_use]
    pub fn of_value(value: &Value) -> Self {
        let mut hasher = Hasher::default();
        hasher.value(value);
        hasher.finish()
    }

    /// A digest that some other content store made, cut or hashed to our length.
    #[must_use]
    pub fn from_foreign(bytes: &[u8]) -> Self {
        match bytes.first_chunk::<16>() {
            Some(first) => Self(*first),
            None => Self::of_bytes(bytes),
        }
    }

    /// The digest of several digests, in order.
    #[must_use]
    pub fn combine(parts: impl IntoIterator<Item = Self>) -> Self {
        let mut hasher = blake3::Hasher::new();
        for part in parts {
            hasher.update(&part.0);
        }
        let mut short = [0; 16];
        short.copy_from_slice(&hasher.finalize().as_bytes()[..16]);
        Self(short)
    }
}

/// Prints hexadecimal.
impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Feeds a value to BLAKE3 with a tag and a length before each part, so that no two values collide by layout.
#[derive(Default)]
struct Hasher {
    buffer: Vec<u8>,
}

impl Hasher {
    fn value(&mut self, value: &Value) {
        match value {
            Value::Null => self.buffer.push(0),
            Value::Bool(bool) => self.buffer.extend([1, u8::from(*bool)]),
            Value::Int(_) | Value::Float(_) => match value.as_int() {
                Some(int) => {
                    self.buffer.push(2);
                    self.buffer.extend(int.to_le_bytes());
                }
                None => {
                    self.buffer.push(3);
                    self.buffer.extend(value.as_float().unwrap_or_default().to_bits().to_le_bytes());
                }
            },
            Value::String(string) => {
                self.buffer.push(4);
                self.text(string);
            }
            Value::Array(items) => {
                self.buffer.push(5);
                self.buffer.extend((items.len() as u64).to_le_bytes());
                items.iter().for_each(|item| self.value(item));
            }
            Value::Object(map) => {
                self.buffer.push(6);
                self.buffer.extend((map.len() as u64).to_le_bytes());
                for (key, value) in map.iter() {
                    self.text(key);
                    self.value(value);
                }
            }
        }
    }

    fn text(&mut self, text: &str) {
        self.buffer.extend((text.len() as u64).to_le_bytes());
        self.buffer.extend(text.as_bytes());
    }

    fn finish(self) -> Digest {
        Digest::of_bytes(&self.buffer)
    }
}

#[cfg(test)]
mod tests {
    use windlass_kube::value;

    use super::*;

    #[test]
    fn equal_values_have_equal_digests() {
        let one = value!({"a": 1, "b": ["x", null]});
        let mut other = value!({"b": ["x", null]});
        other.object_mut().insert("a", 1.0);
        assert_eq!(Digest::of_value(&one), Digest::of_value(&other));
        assert_ne!(Digest::of_value(&one), Digest::of_value(&value!({"a": 1, "b": ["x"]})));
        assert_ne!(Digest::of_value(&value!(["ab"])), Digest::of_value(&value!(["a", "b"])));
    }
}
