//! Whether a live object is as declared: by receipt, without guessing at defaults.

use windlass_kube::{Object, Value};
use windlass_model::{Digest, LiveRecord, Receipt};

/// What comparing one declared object with its live state says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Comparison {
    /// It is as declared.
    InSync,
    /// It is not in the cluster.
    Missing,
    /// What is declared is not what was last applied.
    Changed,
    /// Fields that we own read differently from what they did after we applied them.
    Drifted,
    /// It is in the cluster, but our manager owns nothing of it.
    Unowned,
    /// Our fields do not read as declared, and no receipt says how they did after applying: the server may have
    /// normalised them. One dry run gives the answer.
    Unverified,
    /// It is as declared, and others have added fields that an object that is kept strictly must not have.
    Added,
}

impl Comparison {
    /// Whether applying would, or might, change something.
    #[must_use]
    pub fn needs_apply(self) -> bool {
        self != Self::InSync
    }
}

/// Compares a declared object with what the live index and the last receipt know of it.
///
/// `owned` in a [`LiveRecord`] and `desired`, the `digest` of a [`Desired`](windlass_model::Desired), are digests of the same form ([`owned_form`]), so
/// where the server stored what we sent as we sent it, they are equal and no receipt is needed: after a restart
/// nothing has to be asked again.
#[must_use]
pub fn compare(desired: Digest, live: Option<&LiveRecord>, receipt: Option<&Receipt>) -> Comparison {
    let Some(live) = live else { return Comparison::Missing };
    let Some(owned) = live.owned else { return Comparison::Unowned };
    if owned == desired {
        return Comparison::InSync;
    }
    match receipt {
        Some(receipt) if receipt.desired != desired => Comparison::Changed,
        Some(receipt) if receipt.owned != owned => Comparison::Drifted,
        Some(_) => Comparison::InSync,
        None => Comparison::Unverified,
    }
}

/// The part of an object whose ownership server-side apply tracks: without what names the object, without what
/// the server alone sets, and without nulls, which own nothing. Its `status` is in it where that counts.
#[must_use]
pub fn owned_form(object: &Object, status: bool) -> Value {
    let mut value = object.to_value();
    let map = value.object_mut();
    map.remove("apiVersion");
    map.remove("kind");
    if !status {
        map.remove("status");
    }
    if let Some(Value::Object(metadata)) = map.get_mut("metadata") {
        for key in [
            "name",
            "namespace",
            "uid",
            "resourceVersion",
            "generation",
            "creationTimestamp",
            "selfLink",
            "managedFields",
            "deletionTimestamp",
            "deletionGracePeriodSeconds",
        ] {
            metadata.remove(key);
        }
        if metadata.is_empty() {
            map.remove("metadata");
        }
    }
    drop_nulls(&mut value);
    value
}

fn drop_nulls(value: &mut Value) {
    match value {
        Value::Object(map) => {
            if map.values().any(Value::is_null) {
                map.retain(|_, value| !value.is_null());
            }
            if map.values().any(|value| matches!(value, Value::Object(_) | Value::Array(_))) {
                map.iter_mut().for_each(|(_, value)| drop_nulls(value));
            }
        }
        Value::Array(items)
            if items.iter().any(|value| matches!(value, Value::Object(_) | Value::Array(_))) =>
        {
            items.as_mut().iter_mut().for_each(drop_nulls);
        }
        _ => {}
    }
}
