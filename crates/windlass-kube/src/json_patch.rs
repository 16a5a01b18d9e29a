//! JSON patch (RFC 6902) as kube-apiserver applies it.
//!
//! Where the server departs from the RFC, so does this: negative indexes count from the end, `replace` of an
//! absent member adds it, `add` without a value adds null, the root cannot be added or removed. Facts and
//! messages: `gopkg.in/evanphx/json-patch.v4` v4.13.0, which kube-apiserver 1.36.3 uses.

use crate::{Array, Map, Str, Value};

/// How many operations one patch may have: kube-apiserver's `maxJSONPatchOperations`.
pub const MAX_OPERATIONS: usize = 10_000;

/// How many bytes of JSON the `copy` operations of one patch may add together: kube-apiserver's
/// `JSONPatchMaxCopyBytes`.
pub const MAX_COPY_BYTES: u64 = 3 * 1024 * 1024;

/// Why a JSON patch was refused. The messages are the server's.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum JsonPatchError {
    /// The patch is no list of operations; the server answers 400.
    #[error("{0}")]
    Decode(String),
    /// More than [`MAX_OPERATIONS`]; the server answers 413.
    #[error("The allowed maximum operations in a JSON patch is {MAX_OPERATIONS}, got {0}")]
    TooManyOperations(usize),
    /// An operation does not apply; the server answers 422.
    #[error("{0}")]
    Apply(String),
}

/// Applies a JSON patch to a document; all operations or none.
///
/// # Errors
///
/// [`JsonPatchError`] says what is wrong with the patch or which operation does not apply.
pub fn apply(document: &Value, patch: &Value) -> Result<Value, JsonPatchError> {
    let operations = match patch {
        Value::Array(operations) => operations.as_slice(),
        Value::Null => &[],
        other => return Err(JsonPatchError::Decode(cannot_unmarshal(other, "jsonpatch.Patch"))),
    };
    for operation in operations {
        if !matches!(operation, Value::Object(_) | Value::Null) {
            return Err(JsonPatchError::Decode(cannot_unmarshal(operation, "jsonpatch.Operation")));
        }
    }
    if operations.len() > MAX_OPERATIONS {
        return Err(JsonPatchError::TooManyOperations(operations.len()));
    }
    let mut document = document.clone();
    let mut copied = 0;
    for operation in operations {
        Operation { members: operation.as_object() }
            .apply(&mut document, &mut copied)
            .map_err(JsonPatchError::Apply)?;
    }
    Ok(document)
}

/// As Go's JSON decoder says that a value does not fit a type.
fn cannot_unmarshal(value: &Value, go_type: &str) -> String {
    let found = match value.type_name() {
        "boolean" => "bool",
        "integer" => "number",
        other => other,
    };
    format!("json: cannot unmarshal {found} into Go value of type {go_type}")
}

struct Operation<'a> {
    members: Option<&'a Map>,
}

const MISSING: &str = "missing value";
const TEST_FAILED: &str = "test failed";

impl<'a> Operation<'a> {
    fn member(&self, key: &str) -> Option<&'a Value> {
        self.members?.get(key)
    }

    fn text(&self, key: &str, absent: &str) -> Result<&'a str, String> {
        match self.member(key) {
            None | Some(Value::Null) => Err(format!("{absent}: {MISSING}")),
            Some(Value::String(text)) => Ok(text),
            Some(other) => Err(cannot_unmarshal(other, "string")),
        }
    }

    fn path(&self) -> Result<&'a str, String> {
        self.text("path", "operation missing path field")
    }

    fn from(&self) -> Result<&'a str, String> {
        self.text("from", "operation, missing from field")
    }

    fn value(&self) -> Value {
        self.member("value").cloned().unwrap_or_default()
    }

    fn apply(&self, document: &mut Value, copied: &mut u64) -> Result<(), String> {
        match self.member("op").and_then(Value::as_str) {
            Some("add") => self.add(document),
            Some("remove") => self.remove(document),
            Some("replace") => self.replace(document),
            Some("move") => self.relocate(document),
            Some("test") => self.test(document),
            Some("copy") => self.copy(document, copied),
            other => Err(format!("Unexpected kind: {}", other.unwrap_or("unknown"))),
        }
    }

    fn add(&self, document: &mut Value) -> Result<(), String> {
        let path = self.path().map_err(|_| format!("add operation failed to decode path: {MISSING}"))?;
        let (mut container, key) = find(document, path).ok_or_else(|| {
            format!("add operation does not apply: doc is missing path: \"{path}\": {MISSING}")
        })?;
        container.add(&key, self.value()).map_err(|why| format!("error in add for path: '{path}': {why}"))
    }

    fn remove(&self, document: &mut Value) -> Result<(), String> {
        let path = self.path().map_err(|_| format!("remove operation failed to decode path: {MISSING}"))?;
        let (mut container, key) = find(document, path).ok_or_else(|| {
            format!("remove operation does not apply: doc is missing path: \"{path}\": {MISSING}")
        })?;
        container.remove(&key).map_err(|why| format!("error in remove for path: '{path}': {why}"))
    }

    fn replace(&self, document: &mut Value) -> Result<(), String> {
        let path = self.path().map_err(|why| format!("replace operation failed to decode path: {why}"))?;
        if path.is_empty() {
            let value = self.value();
            if !matches!(value, Value::Object(_) | Value::Array(_)) {
                return Err("replace operation value must be object or array: %!w(<nil>)".into());
            }
            *document = value;
            return Ok(());
        }
        let (mut container, key) = find(document, path).ok_or_else(|| {
            format!("replace operation does not apply: doc is missing path: {path}: {MISSING}")
        })?;
        container.get(&key).map_err(|_| {
            format!("replace operation does not apply: doc is missing key: {path}: {MISSING}")
        })?;
        container.set(&key, self.value()).map_err(|why| format!("error in remove for path: '{path}': {why}"))
    }

    fn relocate(&self, document: &mut Value) -> Result<(), String> {
        let from = self.from().map_err(|why| format!("move operation failed to decode from: {why}"))?;
        let (mut container, key) = find(document, from).ok_or_else(|| {
            format!("move operation does not apply: doc is missing from path: {from}: {MISSING}")
        })?;
        let at_source = |why: String| format!("error in move for path: '{key}': {why}");
        let value = container.get(&key).map_err(at_source)?.unwrap_or_default();
        container.remove(&key).map_err(at_source)?;
        let path = self.path().map_err(|why| format!("move operation failed to decode path: {why}"))?;
        let (mut container, key) = find(document, path).ok_or_else(|| {
            format!("move operation does not apply: doc is missing destination path: {path}: {MISSING}")
        })?;
        container.add(&key, value).map_err(|why| format!("error in move for path: '{path}': {why}"))
    }

    fn test(&self, document: &mut Value) -> Result<(), String> {
        let path = self.path().map_err(|why| format!("test operation failed to decode path: {why}"))?;
        let expected = self.value();
        let found = if path.is_empty() {
            document.clone()
        } else {
            let (container, key) = find(document, path).ok_or_else(|| {
                format!("test operation does not apply: is missing path: {path}: {MISSING}")
            })?;
            let found =
                container.get(&key).map_err(|why| format!("error in test for path: '{path}': {why}"))?;
            found.unwrap_or_default()
        };
        if same_text(&found, &expected) {
            Ok(())
        } else {
            Err(format!("testing value {path} failed: {TEST_FAILED}"))
        }
    }

    fn copy(&self, document: &mut Value, copied: &mut u64) -> Result<(), String> {
        let from = self.from().map_err(|why| format!("copy operation failed to decode from: {why}"))?;
        let (container, key) = find(document, from).ok_or_else(|| {
            format!("copy operation does not apply: doc is missing from path: {from}: {MISSING}")
        })?;
        let value = container.get(&key).map_err(|why| format!("error in copy for from: '{from}': {why}"))?;
        let path = self.path().map_err(|_| format!("copy operation failed to decode path: {MISSING}"))?;
        let (mut container, key) = find(document, path).ok_or_else(|| {
            format!("copy operation does not apply: doc is missing destination path: {path}: {MISSING}")
        })?;
        *copied += value.as_ref().map_or(0, json_size);
        if *copied > MAX_COPY_BYTES {
            return Err(format!(
                "Unable to complete the copy, the accumulated size increase of copy is {copied}, \
                 exceeding the limit {MAX_COPY_BYTES}"
            ));
        }
        container
            .add(&key, value.unwrap_or_default())
            .map_err(|why| format!("error while adding value during copy: {why}"))
    }
}

/// The object or list that a pointer's last step is taken in.
enum Container<'a> {
    Object(&'a mut Map),
    Array(&'a mut Array),
}

/// The container of what `pointer` names, and the last step.
fn find<'a>(document: &'a mut Value, pointer: &str) -> Option<(Container<'a>, Str)> {
    let mut steps = pointer.split('/');
    steps.next();
    let last = steps.next_back()?;
    let mut here = document;
    for step in steps {
        let step = unescape(step);
        here = match here {
            Value::Object(map) => map.get_mut(&step)?,
            Value::Array(items) => {
                let idx = existing_index(&step, items.len()).ok()?;
                items.as_mut().get_mut(idx)?
            }
            _ => return None,
        };
    }
    let container = match here {
        Value::Object(map) => Container::Object(map),
        Value::Array(items) => Container::Array(items),
        _ => return None,
    };
    Some((container, unescape(last)))
}

/// `~1` is `/` and `~0` is `~`, read in one pass.
fn unescape(step: &str) -> Str {
    if !step.contains('~') {
        return step.into();
    }
    let mut out = String::with_capacity(step.len());
    let mut rest = step;
    while let Some(at) = rest.find('~') {
        out.push_str(&rest[..at]);
        let (c, n_read) = match rest.as_bytes().get(at + 1) {
            Some(b'1') => ('/', 2),
            Some(b'0') => ('~', 2),
            _ => ('~', 1),
        };
        out.push(c);
        rest = &rest[at + n_read..];
    }
    out.push_str(rest);
    out.into()
}

/// As Go's `strconv.Atoi` reads a number, with its words when it cannot.
fn atoi(text: &str) -> Result<i64, String> {
    let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
    let quoted = crate::go_print::quote(text);
    if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return Err(format!("strconv.Atoi: parsing {quoted}: invalid syntax"));
    }
    text.parse().map_err(|_| format!("strconv.Atoi: parsing {quoted}: value out of range"))
}

fn invalid_index(index: i64) -> String {
    format!("Unable to access invalid index: {index}: invalid index referenced")
}

/// Where an index points, counted from the end when negative; below `n_places`.
fn place(index: i64, n_places: usize) -> Result<usize, String> {
    let n_places = i64::try_from(n_places).unwrap_or(i64::MAX);
    let from_start = if index < 0 { index.saturating_add(n_places) } else { index };
    match usize::try_from(from_start) {
        Ok(idx) if from_start < n_places => Ok(idx),
        _ => Err(invalid_index(index)),
    }
}

fn existing_index(step: &str, n_items: usize) -> Result<usize, String> {
    place(atoi(step)?, n_items)
}

impl Container<'_> {
    /// `None` for an absent member.
    fn get(&self, key: &str) -> Result<Option<Value>, String> {
        match self {
            Self::Object(map) => Ok(map.get(key).cloned()),
            Self::Array(items) => Ok(items.get(existing_index(key, items.len())?).cloned()),
        }
    }

    fn set(&mut self, key: &str, value: Value) -> Result<(), String> {
        match self {
            Self::Object(map) => {
                map.insert(key, value);
            }
            Self::Array(items) => {
                let idx = existing_index(key, items.len())?;
                items.as_mut()[idx] = value;
            }
        }
        Ok(())
    }

    fn add(&mut self, key: &str, value: Value) -> Result<(), String> {
        match self {
            Self::Object(map) => {
                map.insert(key, value);
            }
            Self::Array(items) if key == "-" => items.push(value),
            Self::Array(items) => {
                let index =
                    atoi(key).map_err(|why| format!("value was not a proper array index: '{key}': {why}"))?;
                let idx = place(index, items.len() + 1)?;
                items.as_mut().insert(idx, value);
            }
        }
        Ok(())
    }

    fn remove(&mut self, key: &str) -> Result<(), String> {
        match self {
            Self::Object(map) => match map.remove(key) {
                Some(_) => Ok(()),
                None => Err(format!("Unable to remove nonexistent key: {key}: {MISSING}")),
            },
            Self::Array(items) => {
                let idx = existing_index(key, items.len())?;
                items.as_mut().remove(idx);
                Ok(())
            }
        }
    }
}

/// Scalars are compared as they are written, so `1` and `1.5` differ, and so do `1` and `"1"`.
fn same_text(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Array(a), Value::Array(b)) => {
            a.len() == b.len() && a.iter().zip(b.iter()).all(|(a, b)| same_text(a, b))
        }
        (Value::Object(a), Value::Object(b)) => {
            a.len() == b.len()
                && a.iter()
                    .zip(b.iter())
                    .all(|((name_a, a), (name_b, b))| name_a == name_b && same_text(a, b))
        }
        _ => a == b,
    }
}

/// How many bytes of compact JSON a value takes.
fn json_size(value: &Value) -> u64 {
    struct Counter(u64);
    impl std::io::Write for Counter {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0 += bytes.len() as u64;
            Ok(bytes.len())
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }
    let mut counter = Counter(0);
    match serde_json::to_writer(&mut counter, value) {
        Ok(()) => counter.0,
        Err(_) => u64::MAX,
    }
}
