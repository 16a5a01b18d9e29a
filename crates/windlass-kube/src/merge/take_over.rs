//! Moves the fields of client-side apply to an applier, before it applies for the first time.

use crate::fields::{FieldSet, Operation, managed_fields};
use crate::{Object, Value};

/// The `managedFields` with which `applier` owns what `updater` owned through updates, so that applying neither
/// conflicts with it nor leaves fields behind that nobody removes. `None` when there is nothing to move, or it
/// cannot be read.
///
/// Does what `client-go`'s `csaupgrade` v0.36.3 does, which kubectl and Argo CD use: entries of the updater at
/// the applier's version are united with the applier's, those at other versions are dropped. Send the list with
/// the object's `resourceVersion`, or a concurrent change of ownership is lost.
#[must_use]
pub fn take_over(object: &Object, updater: &str, applier: &str, subresource: &str) -> Option<Value> {
    let raw = object.at(&["metadata", "managedFields"])?.as_array()?;
    let entries: Vec<_> = managed_fields(object).collect();
    if entries.len() != raw.len() {
        return None;
    }
    let is = |idx: usize, manager: &str, operation: Operation| {
        let entry = &entries[idx];
        entry.manager == manager && entry.operation == Some(operation) && entry.subresource == subresource
    };
    let first = |manager, operation| (0..entries.len()).find(|idx| is(*idx, manager, operation));
    let updates: Vec<usize> = (0..entries.len()).filter(|idx| is(*idx, updater, Operation::Update)).collect();
    let target = first(applier, Operation::Apply).or_else(|| updates.first().copied())?;
    let mut fields: FieldSet = entries[target].fields().ok()?;
    let at_version = updates
        .iter()
        .find(|idx| **idx != target && entries[**idx].api_version == entries[target].api_version);
    if let Some(idx) = at_version {
        fields = fields.union(&entries[*idx].fields().ok()?);
    }
    let mut moved = raw.get(target)?.clone();
    moved.set_at(&["manager"], applier);
    moved.set_at(&["operation"], Operation::Apply.as_str());
    moved.set_at(&["fieldsV1"], fields.to_value());
    let kept = raw.iter().enumerate().filter(|(idx, _)| *idx == target || !updates.contains(idx));
    let list: Vec<Value> =
        kept.map(|(idx, entry)| if idx == target { moved.clone() } else { entry.clone() }).collect();
    (list != raw.as_slice()).then(|| list.into())
}
