//! Collecting what is wrong, in the forms of apimachinery's field errors.

use windlass_kube::Value;

use crate::status::Cause;

/// What a rule about whole numbers says.
pub(super) const NOT_NEGATIVE: &str = "must be greater than or equal to 0";

/// What has been found wrong so far.
#[derive(Default)]
pub(super) struct Errors {
    causes: Vec<Cause>,
}

impl Errors {
    pub(super) fn into_causes(self) -> Vec<Cause> {
        self.causes
    }

    fn add(&mut self, reason: &'static str, field: &str, message: String) {
        self.causes.push(Cause { reason, message, field: field.to_owned() });
    }

    pub(super) fn required(&mut self, field: &str, detail: &str) {
        self.causes.push(Cause::required(field, detail));
    }

    pub(super) fn invalid(&mut self, field: &str, value: impl Into<Value>, detail: &str) {
        self.causes.push(Cause::invalid(field, &value.into(), detail));
    }

    /// A value shown in a form of its own.
    pub(super) fn invalid_shown(&mut self, field: &str, shown: &str, detail: &str) {
        self.add("FieldValueInvalid", field, format!("Invalid value: {shown}: {detail}"));
    }

    /// Each message is an error about the same text.
    pub(super) fn invalid_each(&mut self, field: &str, text: &str, messages: Vec<String>) {
        for message in messages {
            self.invalid(field, text, &message);
        }
    }

    pub(super) fn forbidden(&mut self, field: &str, detail: &str) {
        self.causes.push(Cause::forbidden(field, detail));
    }

    pub(super) fn duplicate(&mut self, field: &str, text: &str) {
        self.add("FieldValueDuplicate", field, format!("Duplicate value: {text:?}"));
    }

    pub(super) fn duplicate_shown(&mut self, field: &str, shown: &str) {
        self.add("FieldValueDuplicate", field, format!("Duplicate value: {shown}"));
    }

    pub(super) fn not_found(&mut self, field: &str, text: &str) {
        self.add("FieldValueNotFound", field, format!("Not found: {text:?}"));
    }

    pub(super) fn not_supported(&mut self, field: &str, text: &str, supported: &[&str]) {
        self.not_supported_shown(field, &format!("{text:?}"), supported);
    }

    pub(super) fn not_supported_shown(&mut self, field: &str, shown: &str, supported: &[&str]) {
        let list: Vec<String> = supported.iter().map(|text| format!("{text:?}")).collect();
        let message = format!("Unsupported value: {shown}: supported values: {}", list.join(", "));
        self.add("FieldValueNotSupported", field, message);
    }

    /// A text that must be one of a few.
    pub(super) fn one_of(&mut self, field: &str, text: &str, supported: &[&str]) {
        if !supported.contains(&text) {
            self.not_supported(field, text, supported);
        }
    }

    /// A number that must not be below zero; absent is fine.
    pub(super) fn not_negative(&mut self, object: &Value, key: &str, path: &str) {
        if let Some(number) = object.int_at(&[key]).filter(|number| *number < 0) {
            self.invalid(&join(path, key), number, NOT_NEGATIVE);
        }
    }

    pub(super) fn port(&mut self, field: &str, number: i64) {
        if !(1..=65_535).contains(&number) {
            self.invalid(field, number, "must be between 1 and 65535, inclusive");
        }
    }

    /// A number of a port, or the name of one.
    pub(super) fn port_or_name(&mut self, field: &str, port: Option<&Value>) {
        match port {
            Some(Value::Int(number)) => self.port(field, *number),
            Some(Value::String(name)) => self.invalid_each(field, name, port_name(name)),
            _ => {}
        }
    }
}

/// The name of a port, as `IsValidPortName` checks it.
pub(super) fn port_name(name: &str) -> Vec<String> {
    let mut messages = Vec::new();
    if name.len() > 15 {
        messages.push("must be no more than 15 characters".into());
    }
    if !name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-') {
        messages.push("must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-)".into());
    }
    if !name.bytes().any(|b| b.is_ascii_lowercase()) {
        messages.push("must contain at least one letter (a-z)".into());
    }
    if name.contains("--") {
        messages.push("must not contain consecutive hyphens".into());
    }
    if name.starts_with('-') || name.ends_with('-') {
        messages.push("must not begin or end with a hyphen".into());
    }
    messages
}

/// The key of a ConfigMap or Secret.
pub(super) fn config_key(key: &str) -> Vec<String> {
    let mut messages = Vec::new();
    if key.len() > 253 {
        messages.push("must be no more than 253 characters".into());
    }
    let allowed = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.');
    if key.is_empty() || !key.bytes().all(allowed) {
        messages.push(
            "a valid config key must consist of alphanumeric characters, '-', '_' or '.' (e.g. 'key.name',  or \
             'KEY_NAME',  or 'key-name', regex used for validation is '[-._a-zA-Z0-9]+')"
                .into(),
        );
    }
    if key == "." {
        messages.push("must not be '.'".into());
    } else if key == ".." {
        messages.push("must not be '..'".into());
    } else if key.starts_with("..") {
        messages.push("must not start with '..'".into());
    }
    messages
}

/// A path within a volume.
pub(super) fn local_path(errors: &mut Errors, field: &str, path: &str) {
    if path.starts_with('/') {
        errors.invalid(field, path, "must be a relative path");
    }
    if path.split('/').any(|part| part == "..") {
        errors.invalid(field, path, "must not contain '..'");
    }
}

/// `a.b`, or `b` at the root.
pub(super) fn join(path: &str, key: &str) -> String {
    if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") }
}

/// The text under `key`, empty when absent.
pub(super) fn text<'a>(object: &'a Value, key: &str) -> &'a str {
    object.str_at(&[key]).unwrap_or_default()
}

/// Whether a member is set to something but null.
pub(super) fn has(object: &Value, key: &str) -> bool {
    object.get(key).is_some_and(|member| !member.is_null())
}

impl Errors {
    pub(super) fn too_many(&mut self, field: &str, n_items: usize, most: usize) {
        let message = format!("Too many: {n_items}: must have at most {most} items");
        self.add("FieldValueTooMany", field, message);
    }

    pub(super) fn too_long(&mut self, field: &str, detail: &str) {
        self.add("FieldValueTooLong", field, format!("Too long: {detail}"));
    }
}

impl Errors {
    pub(super) fn len(&self) -> usize {
        self.causes.len()
    }
}
