//! The patch by which `kubectl apply` changes an object without server-side apply.

use windlass_kube::{Map, Value};

/// The JSON merge patch that makes `live` say what `wanted` says, and drops what `original`, the state that was
/// applied last, said and `wanted` does not. What neither says stays. Lists are replaced as a whole.
#[must_use]
pub fn three_way_patch(original: &Value, wanted: &Value, live: &Value) -> Value {
    let mut patch = Map::new();
    if let (Value::Object(wanted), Value::Object(live)) = (wanted, live) {
        for (key, value) in wanted.iter() {
            match (value, live.get(key)) {
                (Value::Null, _) => {}
                (Value::Object(_), Some(there @ Value::Object(_))) => {
                    let before = original.get(key).cloned().unwrap_or_default();
                    let inner = three_way_patch(&before, value, there);
                    if !is_empty(&inner) {
                        patch.insert(key.clone(), inner);
                    }
                }
                (value, Some(there)) if value == there => {}
                (value, _) => {
                    patch.insert(key.clone(), value.clone());
                }
            }
        }
        let dropped = original.as_object().into_iter().flat_map(Map::iter);
        for (key, _) in dropped.filter(|(key, _)| !wanted.contains_key(key) && live.contains_key(key)) {
            patch.insert(key.clone(), Value::Null);
        }
    }
    patch.into()
}

/// Whether a patch changes nothing.
#[must_use]
pub fn is_empty(patch: &Value) -> bool {
    patch.as_object().is_none_or(Map::is_empty)
}

#[cfg(test)]
mod tests {
    use windlass_kube::{merge_patch, value};

    use super::*;

    #[test]
    fn what_was_applied_before_and_is_gone_is_dropped_and_the_rest_stays() {
        let original = value!({"data": {"a": "1", "gone": "1"}, "list": [1]});
        let wanted = value!({"data": {"a": "2", "new": "1"}, "list": [1, 1]});
        let live = value!({"data": {"a": "1", "gone": "1", "theirs": "1"}, "list": [1], "status": {"x": 1}});
        let patch = three_way_patch(&original, &wanted, &live);
        let merged = merge_patch::apply(&live, &patch);
        let expected =
            value!({"data": {"a": "2", "new": "1", "theirs": "1"}, "list": [1, 1], "status": {"x": 1}});
        assert_eq!(merged, expected);
        assert!(is_empty(&three_way_patch(&wanted, &wanted, &merged)));
    }
}
