//! What goes when fields that were applied client-side are taken over.

use windlass_kube::fields::{FieldSet, ManagedFieldsEntry, Operation, PathElement, managed_fields};
use windlass_kube::{Object, Str};

use crate::jq::{Step, delete_paths};
use crate::normalise::locate;

/// What a dry run predicted, without the fields that go when the fields of `former` managers are taken over.
///
/// Applying server-side leaves alone what others own. Who takes over owns it then, so what is not declared goes: that is
/// what a former manager owns by updates in `live`, and neither `manager` nor anybody else owns in `predicted`. What names
/// an object and its `status` stay.
#[must_use]
pub fn taken_over(predicted: &Object, live: &Object, former: &[Str]) -> Object {
    let is_former = |entry: &ManagedFieldsEntry<'_>| {
        entry.operation == Some(Operation::Update)
            && entry.subresource.is_empty()
            && former.iter().any(|name| name == entry.manager)
    };
    let mut theirs = FieldSet::default();
    for entry in managed_fields(live).filter(is_former) {
        theirs = theirs.union(&entry.fields().unwrap_or_default());
    }
    if theirs.is_empty() {
        return predicted.clone();
    }
    let mut kept = FieldSet::default();
    for entry in managed_fields(predicted).filter(|entry| !is_former(entry)) {
        kept = kept.union(&entry.fields().unwrap_or_default());
    }
    let value = predicted.to_value();
    let gone = theirs.difference(&kept).paths();
    let is_fixed = |first: &PathElement| match first {
        PathElement::Field(name) => ["apiVersion", "kind", "status"].contains(&name.as_str()),
        _ => false,
    };
    // What holds something that stays is no field of its own.
    let holds_kept = |path: &[PathElement]| {
        kept.paths().iter().any(|kept| kept.0.len() > path.len() && kept.0.starts_with(path))
    };
    let paths: Vec<Vec<Step>> = gone
        .iter()
        .filter(|path| path.0.first().is_some_and(|first| !is_fixed(first)) && path.0.len() > 1)
        .filter(|path| !holds_kept(&path.0))
        .filter_map(|path| locate(&value, path))
        .collect();
    Object::try_new(delete_paths(value, paths)).unwrap_or_else(|_| predicted.clone())
}

#[cfg(test)]
mod tests {
    use windlass_kube::{Value, value};

    use super::*;

    fn object(data: Value, managed: Value) -> Object {
        Object::try_new(value!({
            "apiVersion": "v1", "kind": "ConfigMap",
            "metadata": {"name": "a", "managedFields": (managed)}, "data": (data)
        }))
        .unwrap()
    }

    fn entry(manager: &str, operation: &str, keys: &[&str]) -> Value {
        let mut fields = value!({"f:data": {".": {"a": 1}}});
        fields.set_at(&["f:data", "."], Value::object());
        for key in keys {
            fields.set_at(&["f:data", &format!("f:{key}")], Value::object());
        }
        value!({"manager": (manager), "operation": (operation), "apiVersion": "v1", "fieldsType": "FieldsV1", "fieldsV1": (fields)})
    }

    #[test]
    fn what_nobody_else_owns_goes() {
        let kubectl = entry("kubectl-client-side-apply", "Update", &["declared", "old", "shared"]);
        let other = entry("somebody", "Update", &["shared"]);
        let live = object(
            value!({"declared": "1", "old": "1", "shared": "1"}),
            value!([(kubectl.clone()), (other.clone())]),
        );
        let ours = entry("argocd-controller", "Apply", &["declared"]);
        let predicted = object(
            value!({"declared": "2", "old": "1", "shared": "1"}),
            value!([(ours), (kubectl), (other)]),
        );
        let former = ["kubectl-client-side-apply".into(), "argocd-controller".into()];
        let found = taken_over(&predicted, &live, &former);
        assert_eq!(found.at(&["data"]), Some(&value!({"declared": "2", "shared": "1"})));
        assert_eq!(taken_over(&predicted, &live, &[]), predicted);
    }
}
