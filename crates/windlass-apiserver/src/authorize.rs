//! Who may do what: members of `system:masters` everything, everybody else what roles allow.

use windlass_kube::{Object, Value};

use crate::api::{Api, UserInfo};
use crate::resource::GroupResource;
use crate::status::Status;
use crate::store::Key;

const ROLES: &str = "rbac.authorization.k8s.io";

/// What somebody wants to do.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Attributes<'a> {
    pub(crate) verb: &'a str,
    pub(crate) group: &'a str,
    pub(crate) resource: &'a str,
    pub(crate) subresource: &'a str,
    pub(crate) namespace: &'a str,
    pub(crate) name: &'a str,
}

/// Refuses what the API's user may not do.
///
/// # Errors
///
/// `Forbidden`, in the server's words.
pub(crate) fn authorize(api: &Api, attributes: &Attributes<'_>) -> Result<(), Status> {
    if is_allowed(api, api.user(), attributes) {
        return Ok(());
    }
    let full = if attributes.subresource.is_empty() {
        attributes.resource.to_owned()
    } else {
        format!("{}/{}", attributes.resource, attributes.subresource)
    };
    let place = if attributes.namespace.is_empty() {
        "at the cluster scope".to_owned()
    } else {
        format!("in the namespace {:?}", attributes.namespace)
    };
    let why = format!(
        "User {:?} cannot {} resource {full:?} in API group {:?} {place}",
        api.user().name,
        attributes.verb,
        attributes.group
    );
    Err(Status::forbidden(&GroupResource::new(attributes.group, attributes.resource), attributes.name, why))
}

/// Whether a user may do something.
pub(crate) fn is_allowed(api: &Api, user: &UserInfo, attributes: &Attributes<'_>) -> bool {
    // What everybody may ask about themselves.
    let about_self = matches!(
        attributes.resource,
        "selfsubjectaccessreviews" | "selfsubjectrulesreviews" | "selfsubjectreviews"
    );
    if user.is_in("system:masters") || (about_self && user.is_in("system:authenticated")) {
        return true;
    }
    let everywhere = api.store().table(&format!("{ROLES}/clusterrolebindings")).list(None);
    if everywhere.objects.iter().any(|binding| binding_allows(api, user, &binding.object(), attributes)) {
        return true;
    }
    if attributes.namespace.is_empty() {
        return false;
    }
    let here = api.store().table(&format!("{ROLES}/rolebindings")).list(Some(attributes.namespace));
    here.objects.iter().any(|binding| binding_allows(api, user, &binding.object(), attributes))
}

fn binding_allows(api: &Api, user: &UserInfo, binding: &Object, attributes: &Attributes<'_>) -> bool {
    let binding_value = binding.to_value();
    let concerns = binding_value.items_at(&["subjects"]).iter().any(|subject| names(subject, user));
    if !concerns {
        return false;
    }
    let role_name = binding.str_at(&["roleRef", "name"]);
    let (table, key) = match binding.str_at(&["roleRef", "kind"]) {
        "Role" => ("roles", Key::new(binding.namespace(), role_name)),
        _ => ("clusterroles", Key::new("", role_name)),
    };
    let Some(role) = api.store().table(&format!("{ROLES}/{table}")).get(&key) else { return false };
    role.object().to_value().items_at(&["rules"]).iter().any(|rule| rule_allows(rule, attributes))
}

fn names(subject: &Value, user: &UserInfo) -> bool {
    let name = subject.str_at(&["name"]).unwrap_or_default();
    match subject.str_at(&["kind"]) {
        Some("User") => user.name == name,
        Some("Group") => user.is_in(name),
        Some("ServiceAccount") => {
            let namespace = subject.str_at(&["namespace"]).unwrap_or_default();
            user.name == format!("system:serviceaccount:{namespace}:{name}")
        }
        _ => false,
    }
}

fn rule_allows(rule: &Value, attributes: &Attributes<'_>) -> bool {
    let has = |key: &str, wanted: &str| {
        rule.items_at(&[key])
            .iter()
            .any(|have| have.as_str().is_some_and(|have| have == "*" || have == wanted))
    };
    let full = format!("{}/{}", attributes.resource, attributes.subresource);
    let any = format!("*/{}", attributes.subresource);
    let resource_holds = if attributes.subresource.is_empty() {
        has("resources", attributes.resource)
    } else {
        has("resources", &full) || has("resources", &any)
    };
    let names = rule.items_at(&["resourceNames"]);
    has("verbs", attributes.verb)
        && has("apiGroups", attributes.group)
        && resource_holds
        && (names.is_empty() || names.iter().any(|name| name.as_str() == Some(attributes.name)))
}
