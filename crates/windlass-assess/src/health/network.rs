//! Kinds that wait for a load balancer.

use windlass_kube::Object;
use windlass_model::Health;

use super::{healthy, progressing};
use crate::condition::items;

pub(super) fn service(object: &Object) -> Health {
    if object.str_at(&["spec", "type"]) == "LoadBalancer" { balanced(object) } else { healthy("") }
}

pub(super) fn ingress(object: &Object) -> Health {
    balanced(object)
}

fn balanced(object: &Object) -> Health {
    match items(object, &["status", "loadBalancer", "ingress"]) {
        [] => progressing(""),
        _ => healthy(""),
    }
}
