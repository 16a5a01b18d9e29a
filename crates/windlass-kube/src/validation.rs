//! Validation of names, labels and annotations, in the words of `k8s.io/apimachinery` v0.36.3.
//!
//! Each function returns the messages for one value; none when it is valid.

use std::fmt;

use crate::Map;
use crate::go_print::quote;

/// How long a DNS-1123 label, a label's name and a label's value may be.
pub const LABEL_MAX_LENGTH: usize = 63;
/// How long a DNS-1123 subdomain may be.
pub const SUBDOMAIN_MAX_LENGTH: usize = 253;
/// How many bytes the annotations of one object may have together.
pub const TOTAL_ANNOTATIONS_MAX_SIZE: usize = 256 * 1024;

const LABEL_FORMAT: &str = "[a-z0-9]([-a-z0-9]*[a-z0-9])?";
const SUBDOMAIN_FORMAT: &str = "[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*";
const DNS1035_FORMAT: &str = "[a-z]([-a-z0-9]*[a-z0-9])?";
const KEY_FORMAT: &str = "([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]";
const KEY_RULE: &str = "must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an \
                        alphanumeric character";

fn with_format(rule: &str, examples: &str, format: &str) -> String {
    format!("{rule} (e.g. {examples}, regex used for validation is '{format}')")
}

fn too_long(max: usize, unit: &str) -> String {
    format!("must be no more than {max} {unit}")
}

fn is_alphanumeric_at_ends(text: &str, inside: impl Fn(u8) -> bool, end: impl Fn(u8) -> bool) -> bool {
    match text.as_bytes() {
        [] => false,
        [only] => end(*only),
        [first, middle @ .., last] => end(*first) && end(*last) && middle.iter().all(|b| inside(*b)),
    }
}

fn is_lower_alphanumeric(byte: u8) -> bool {
    byte.is_ascii_lowercase() || byte.is_ascii_digit()
}

fn is_label(text: &str) -> bool {
    is_alphanumeric_at_ends(text, |b| is_lower_alphanumeric(b) || b == b'-', is_lower_alphanumeric)
}

fn is_subdomain(text: &str) -> bool {
    text.split('.').all(is_label)
}

fn is_key_name(text: &str) -> bool {
    is_alphanumeric_at_ends(
        text,
        |b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.'),
        |b| b.is_ascii_alphanumeric(),
    )
}

/// A DNS-1123 label: names of namespaces, ports, containers.
#[must_use]
pub fn dns1123_label(text: &str) -> Vec<String> {
    let mut messages = Vec::new();
    if text.len() > LABEL_MAX_LENGTH {
        messages.push(too_long(LABEL_MAX_LENGTH, "characters"));
    }
    if !is_label(text) {
        messages.push(if is_subdomain(text) {
            "must not contain dots".into()
        } else {
            with_format(
                "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must \
                 start and end with an alphanumeric character",
                "'my-name',  or '123-abc'",
                LABEL_FORMAT,
            )
        });
    }
    messages
}

/// A DNS-1123 subdomain: names of most objects.
#[must_use]
pub fn dns1123_subdomain(text: &str) -> Vec<String> {
    subdomain(text, "characters")
}

fn subdomain(text: &str, unit: &str) -> Vec<String> {
    let mut messages = Vec::new();
    if text.len() > SUBDOMAIN_MAX_LENGTH {
        messages.push(too_long(SUBDOMAIN_MAX_LENGTH, unit));
    }
    if !is_subdomain(text) {
        messages.push(with_format(
            "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and \
             must start and end with an alphanumeric character",
            "'example.com'",
            SUBDOMAIN_FORMAT,
        ));
    }
    messages
}

/// A DNS-1035 label: names of services.
#[must_use]
pub fn dns1035_label(text: &str) -> Vec<String> {
    let mut messages = Vec::new();
    if text.len() > LABEL_MAX_LENGTH {
        messages.push(too_long(LABEL_MAX_LENGTH, "characters"));
    }
    if !is_label(text) || !text.starts_with(|c: char| c.is_ascii_lowercase()) {
        messages.push(with_format(
            "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an alphabetic \
             character, and end with an alphanumeric character",
            "'my-name',  or 'abc-123'",
            DNS1035_FORMAT,
        ));
    }
    messages
}

/// A path segment name, the rule for kinds whose names are not DNS names (roles, bindings).
#[must_use]
pub fn path_segment_name(text: &str) -> Vec<String> {
    if text == "." || text == ".." {
        return vec![format!("may not be '{text}'")];
    }
    ["/", "%"]
        .iter()
        .filter(|part| text.contains(**part))
        .map(|part| format!("may not contain '{part}'"))
        .collect()
}

/// A label's or annotation's key: an optional DNS subdomain and `/`, then a name.
#[must_use]
pub fn label_key(text: &str) -> Vec<String> {
    let name_rule = || with_format(KEY_RULE, "'MyName',  or 'my.name',  or '123-abc'", KEY_FORMAT);
    let mut messages = Vec::new();
    let mut parts = text.split('/');
    let name = match (parts.next(), parts.next(), parts.next()) {
        (Some(name), None, _) => name,
        (Some(prefix), Some(name), None) => {
            if prefix.is_empty() {
                messages.push("prefix part must be non-empty".into());
            } else {
                let of_prefix = subdomain(prefix, "bytes");
                messages.extend(of_prefix.into_iter().map(|message| format!("prefix part {message}")));
            }
            name
        }
        _ => {
            messages.push(format!(
                "a valid label key {} with an optional DNS subdomain prefix and '/' (e.g. 'example.com/MyName')",
                name_rule()
            ));
            return messages;
        }
    };
    if name.is_empty() {
        messages.push("name part must be non-empty".into());
    } else if name.len() > LABEL_MAX_LENGTH {
        messages.push(format!("name part {}", too_long(LABEL_MAX_LENGTH, "bytes")));
    }
    if !is_key_name(name) {
        messages.push(format!("name part {}", name_rule()));
    }
    messages
}

/// A label's value.
#[must_use]
pub fn label_value(text: &str) -> Vec<String> {
    let mut messages = Vec::new();
    if text.len() > LABEL_MAX_LENGTH {
        messages.push(too_long(LABEL_MAX_LENGTH, "bytes"));
    }
    if !text.is_empty() && !is_key_name(text) {
        messages.push(with_format(
            "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must \
             start and end with an alphanumeric character",
            "'MyValue',  or 'my_value',  or '12345'",
            "(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?",
        ));
    }
    messages
}

/// What is wrong with one field, as the server reports it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{field}: {kind}: {detail}", kind = InvalidWith(.value.as_deref()))]
pub struct Invalid {
    /// Where, such as `metadata.labels`.
    pub field: String,
    /// The value as printed; `None` where the message prints none.
    pub value: Option<String>,
    /// The rule.
    pub detail: String,
}

struct InvalidWith<'a>(Option<&'a str>);

impl fmt::Display for InvalidWith<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(value) => write!(f, "Invalid value: {value}"),
            None => f.write_str("Too long"),
        }
    }
}

impl Invalid {
    /// An invalid string.
    #[must_use]
    pub fn string(field: impl Into<String>, value: &str, detail: impl Into<String>) -> Self {
        Self { field: field.into(), value: Some(quote(value)), detail: detail.into() }
    }
}

/// Checks the labels of an object or of a template at `field`.
#[must_use]
pub fn labels(labels: &Map, field: &str) -> Vec<Invalid> {
    let mut found = Vec::new();
    for (key, value) in labels.iter() {
        found.extend(label_key(key).into_iter().map(|detail| Invalid::string(field, key, detail)));
        let value = value.as_str().unwrap_or_default();
        found.extend(label_value(value).into_iter().map(|detail| Invalid::string(field, value, detail)));
    }
    found
}

/// Checks annotations at `field`: their keys, and their size together.
#[must_use]
pub fn annotations(annotations: &Map, field: &str) -> Vec<Invalid> {
    let mut found = Vec::new();
    let mut size = 0;
    for (key, value) in annotations.iter() {
        // Prefixes of annotations may have upper case; the server lowers the key before it checks.
        let messages = label_key(&key.to_lowercase());
        found.extend(messages.into_iter().map(|detail| Invalid::string(field, key, detail)));
        size += key.len() + value.as_str().map_or(0, str::len);
    }
    if size > TOTAL_ANNOTATIONS_MAX_SIZE {
        let detail = format!("may not be more than {TOTAL_ANNOTATIONS_MAX_SIZE} bytes");
        found.push(Invalid { field: field.into(), value: None, detail });
    }
    found
}
