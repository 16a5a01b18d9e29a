//! Status conditions, and short ways to the fields that checks read.

use windlass_kube::{Object, Value};

/// One entry of `status.conditions`; absent fields are empty.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Condition<'a> {
    pub(crate) kind: &'a str,
    pub(crate) status: &'a str,
    pub(crate) reason: &'a str,
    pub(crate) message: &'a str,
}

impl<'a> Condition<'a> {
    fn read(value: &'a Value) -> Self {
        let text = |key| value.str_at(&[key]).unwrap_or_default();
        Self { kind: text("type"), status: text("status"), reason: text("reason"), message: text("message") }
    }

    pub(crate) fn is_true(self) -> bool {
        self.status == "True"
    }
}

/// The conditions of an object, in its order.
pub(crate) fn conditions(object: &Object) -> impl Iterator<Item = Condition<'_>> {
    items(object, &["status", "conditions"]).iter().map(Condition::read)
}

/// The first condition of a type.
pub(crate) fn condition<'a>(object: &'a Object, kind: &str) -> Option<Condition<'a>> {
    conditions(object).find(|condition| condition.kind == kind)
}

/// The list under `path`, empty when absent.
pub(crate) fn items<'a>(object: &'a Object, path: &[&str]) -> &'a [Value] {
    object.at(path).map(|value| value.items_at(&[])).unwrap_or_default()
}

/// The number under `path`.
pub(crate) fn number(object: &Object, path: &[&str]) -> Option<i64> {
    object.at(path).and_then(Value::as_int)
}

/// The number `status.<field>`, 0 when absent.
pub(crate) fn count(object: &Object, field: &str) -> i64 {
    number(object, &["status", field]).unwrap_or(0)
}

/// Whether the controller has not yet looked at the newest spec.
pub(crate) fn is_behind(object: &Object) -> bool {
    object.generation() > count(object, "observedGeneration")
}
