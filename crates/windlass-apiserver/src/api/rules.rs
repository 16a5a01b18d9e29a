//! Validation of built-in kinds: the seam to `crate::validation`.

use windlass_kube::Object;

use crate::custom;
use crate::resource::Resource;
use crate::status::Cause;

/// What is wrong with a new object.
pub(super) fn create(resource: &Resource, object: &Object) -> Vec<Cause> {
    if resource.storage == super::effects::DEFINITIONS {
        return custom::validate_definition(&object.to_value());
    }
    Vec::new()
}

/// What is wrong with a changed object.
pub(super) fn update(resource: &Resource, new: &Object, _old: &Object, subresource: &str) -> Vec<Cause> {
    if resource.storage == super::effects::DEFINITIONS && subresource.is_empty() {
        return custom::validate_definition(&new.to_value());
    }
    Vec::new()
}
