//! The objects that a binding gives a policy as parameters.

use windlass_kube::selector::LabelSelector;
use windlass_kube::{Gvk, Object, Value};

use super::Attributes;
use super::matching::Matcher;
use crate::api::{Api, ListOptions};
use crate::resource::Resource;

/// The kind of a policy's parameters, where it has some.
pub(super) fn kind(spec: &Value) -> Option<Gvk> {
    let kind = spec.get("paramKind")?;
    let text = |key: &str| kind.str_at(&[key]).unwrap_or_default();
    Some(Gvk::from_api_version(text("apiVersion"), text("kind")))
}

/// The resource of a policy's parameters.
///
/// # Errors
///
/// When no such kind is served.
pub(super) fn resource_of(api: &Api, kind: &Gvk) -> Result<std::sync::Arc<Resource>, String> {
    api.resource_for(kind).ok_or_else(|| {
        format!(
            "failed to find resource referenced by paramKind: '{}, Kind={}'",
            if kind.group.is_empty() { format!("/{}", kind.version) } else { kind.api_version().to_string() },
            kind.kind
        )
    })
}

/// The parameters that a binding gives its policy for a request; `None` when it is not for that request.
///
/// The error is in kube-apiserver's words.
pub(super) fn given(
    api: &Api,
    attributes: &Attributes<'_>,
    binding: &Object,
    resource: Option<&Resource>,
) -> Option<Result<Vec<Option<Value>>, String>> {
    if let Some(meant) = binding.at(&["spec", "matchResources"]) {
        match Matcher::new(meant).matches(api, attributes) {
            Ok(matched) => drop(matched?),
            Err(status) => return Some(Err(status.message)),
        }
    }
    Some(collect(api, resource, binding.at(&["spec", "paramRef"]), attributes.namespace))
}

/// The parameters that a binding refers to; one that is none where the policy has no parameters, or the binding does
/// not say which.
///
/// # Errors
///
/// In kube-apiserver's words, when there are none though there must be some.
fn collect(
    api: &Api,
    resource: Option<&Resource>,
    reference: Option<&Value>,
    namespace: &str,
) -> Result<Vec<Option<Value>>, String> {
    let (Some(resource), Some(reference)) = (resource, reference) else { return Ok(vec![None]) };
    let text = |key: &str| reference.str_at(&[key]).filter(|text| !text.is_empty());
    let namespace = match (resource.namespaced, text("namespace")) {
        (true, Some(named)) => named,
        (true, None) if namespace.is_empty() => {
            return Err(
                "cannot use namespaced paramRef in policy binding that matches cluster-scoped resources"
                    .into(),
            );
        }
        (true, None) => namespace,
        (false, Some(_)) => {
            return Err("paramRef.namespace must not be provided for a cluster-scoped `paramKind`".into());
        }
        (false, None) => "",
    };
    let found: Vec<Option<Value>> = match (text("name"), reference.get("selector")) {
        (Some(name), _) => api
            .get(&resource.gvr, namespace, name)
            .ok()
            .map(|object| Some(object.into_value()))
            .into_iter()
            .collect(),
        (None, Some(selector)) => {
            let selector = LabelSelector::from_object(Some(selector)).map_err(|error| error.to_string())?;
            let place = resource.namespaced.then_some(namespace);
            let list = api
                .list(&resource.gvr, place, &ListOptions::default())
                .map_err(|status| status.to_string())?;
            let chosen = list.items.into_iter().filter(|object| selector.matches_object(object));
            chosen.map(|object| Some(object.into_value())).collect()
        }
        (None, None) => return Err("one of name or selector must be provided".into()),
    };
    if found.is_empty() && text("parameterNotFoundAction") == Some("Deny") {
        return Err("no params found for policy binding with `Deny` parameterNotFoundAction".into());
    }
    Ok(found)
}
