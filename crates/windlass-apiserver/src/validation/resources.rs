//! Resource requests and limits.

use windlass_kube::{Map, Value, validation};

use super::errors::{Errors, NOT_NEGATIVE};
use crate::defaults::quantity::Quantity;

/// Checks the resources of a container at `path`.
pub(super) fn of_container(resources: &Value, path: &str, errors: &mut Errors) {
    let list = |key: &str| resources.get(key).and_then(Value::as_object).cloned().unwrap_or_default();
    let (limits, requests) = (list("limits"), list("requests"));
    check_list(&limits, &format!("{path}.limits"), errors);
    for (name, request) in requests.iter() {
        check_one(name, request, &format!("{path}.requests"), errors);
        let limit = limits.get(name).and_then(Value::as_str);
        let quantity = |text: Option<&str>| text.and_then(Quantity::parse).map(Quantity::nanos);
        match (quantity(request.as_str()), quantity(limit)) {
            (Some(wanted), Some(allowed)) if wanted > allowed => {
                let detail =
                    format!("must be less than or equal to {name} limit of {}", limit.unwrap_or_default());
                errors.invalid(&format!("{path}.requests"), request.clone(), &detail);
            }
            (Some(wanted), Some(allowed)) if wanted != allowed && !may_overcommit(name) => {
                let detail = format!("must be equal to {name} limit of {}", limit.unwrap_or_default());
                errors.invalid(&format!("{path}.requests"), request.clone(), &detail);
            }
            (Some(_), None) if !may_overcommit(name) => {
                errors.required(
                    &format!("{path}.limits"),
                    "Limit must be set for non overcommitable resources",
                );
            }
            _ => {}
        }
    }
}

fn check_list(list: &Map, path: &str, errors: &mut Errors) {
    for (name, quantity) in list.iter() {
        check_one(name, quantity, path, errors);
    }
}

fn check_one(name: &str, quantity: &Value, path: &str, errors: &mut Errors) {
    let field = format!("{path}[{name}]");
    let messages = validation::label_key(name);
    let sound = messages.is_empty();
    errors.invalid_each(&field, name, messages);
    let standard = matches!(name, "cpu" | "memory" | "ephemeral-storage") || name.starts_with("hugepages-");
    if !name.contains('/') && !standard {
        if sound {
            errors.invalid(&field, name, "must be a standard resource type or fully qualified");
        }
        errors.invalid(&field, name, "must be a standard resource for containers");
    }
    let Some(parsed) = quantity.as_str().and_then(Quantity::parse) else { return };
    if parsed.nanos() < 0 {
        errors.invalid(&field, quantity.clone(), NOT_NEGATIVE);
    }
    if name.contains('/') && !parsed.is_integer() {
        errors.invalid(&field, quantity.clone(), "must be an integer");
    }
}

fn may_overcommit(name: &str) -> bool {
    !name.starts_with("hugepages-") && (!name.contains('/') || name.contains("kubernetes.io/"))
}
