//! Validation of built-in kinds: the seam to `crate::validation`.

use windlass_kube::Object;

use crate::resource::Resource;
use crate::status::Cause;
use crate::{custom, validation};

/// What is wrong with a new object.
pub(super) fn create(resource: &Resource, object: &Object) -> Vec<Cause> {
    if resource.storage == super::effects::DEFINITIONS {
        return custom::validate_definition(&object.to_value(), None);
    }
    validation::validate_create(&resource.gvk(), &object.to_value())
}

/// What is to be said of an object that is accepted.
pub(super) fn warnings(resource: &Resource, new: &Object, old: Option<&Object>) -> Vec<String> {
    if let Some(custom) = &resource.custom {
        return custom.warnings(new, old);
    }
    validation::warnings(&resource.gvk(), &new.to_value(), old.map(Object::to_value).as_ref())
}

/// What is wrong with a changed object.
pub(super) fn update(resource: &Resource, new: &Object, old: &Object, subresource: &str) -> Vec<Cause> {
    if resource.storage == super::effects::DEFINITIONS && subresource.is_empty() {
        return custom::validate_definition(&new.to_value(), Some(&old.to_value()));
    }
    validation::validate_update(&resource.gvk(), &new.to_value(), &old.to_value())
}
