//! Questions that are created but not kept: access reviews, token reviews, tokens.

use std::time::{Duration, SystemTime};

use windlass_kube::{Map, Value, value};

use crate::api::{Api, UserInfo};
use crate::authorize::{Attributes, allowed_by, path_allowed_by, rules_of};
use crate::resource::{Gvr, Resource};
use crate::status::{Cause, Status};
use crate::time;

/// How long a service account's token lasts where nobody says: an hour, as in a cluster.
const TOKEN_SECONDS: i64 = 3600;

/// The shortest a token may last, as Kubernetes has it: ten minutes.
const SHORTEST_TOKEN: i64 = 600;

/// Answers a review.
pub(super) fn answer(
    api: &Api,
    resource: &Resource,
    namespace: &str,
    mut review: Value,
    manager: &str,
) -> Result<Value, Status> {
    review.set_at(&["apiVersion"], resource.gvr.group_version());
    review.set_at(&["kind"], resource.kind.clone());
    if review.get("metadata").is_none() {
        review.set_at(&["metadata"], Map::new());
    }
    check(resource, namespace, &review)?;
    review = api.tracked_review(resource, review, manager, "")?;
    match resource.gvr.resource.as_str() {
        "selfsubjectaccessreviews" => {
            let allowed = access(api, api.user(), &review, "");
            review.set_at(&["status"], access_status(allowed));
        }
        "subjectaccessreviews" | "localsubjectaccessreviews" => {
            let groups =
                review.items_at(&["spec", "groups"]).iter().filter_map(Value::as_str).map(Into::into);
            let user = UserInfo {
                name: review.str_at(&["spec", "user"]).unwrap_or_default().into(),
                uid: review.str_at(&["spec", "uid"]).unwrap_or_default().into(),
                groups: groups.collect(),
            };
            let allowed = access(api, &user, &review, namespace);
            review.set_at(&["status"], access_status(allowed));
        }
        "selfsubjectrulesreviews" => {
            let asked = review.str_at(&["spec", "namespace"]).unwrap_or_default().to_owned();
            let (paths, resources): (Vec<Value>, Vec<Value>) = rules_of(api, api.user(), &asked)
                .into_iter()
                .partition(|rule| !rule.items_at(&["nonResourceURLs"]).is_empty());
            review.set_at(&["spec"], Map::new());
            review.remove_at(&["metadata", "managedFields"]);
            review.set_at(
                &["status"],
                value!({"incomplete": false, "resourceRules": resources, "nonResourceRules": paths}),
            );
        }
        "selfsubjectreviews" => {
            review.set_at(&["metadata", "creationTimestamp"], time::now());
            review.set_at(&["status", "userInfo"], user_value(api.user()));
        }
        "tokenreviews" => {
            let token = review.str_at(&["spec", "token"]).unwrap_or_default().to_owned();
            let status = match api.tokens().user(&token) {
                Some(user) => value!({"authenticated": true, "user": (user_value(&user))}),
                None => value!({"error": "invalid bearer token", "user": (Map::new())}),
            };
            review.set_at(&["status"], status);
        }
        _ => return Err(Status::no_such_resource()),
    }
    Ok(review)
}

/// What must hold of a review.
fn check(resource: &Resource, namespace: &str, review: &Value) -> Result<(), Status> {
    let refused = |field: &str, shown: &Value, why: &str| {
        let cause = Cause::invalid(field, shown, why);
        Err(Status::invalid(&resource.gvr.group, "", "", vec![cause]))
    };
    let spec = review.get("spec").cloned().unwrap_or_default();
    let of = |key: &str| spec.get(key).filter(|value| !value.is_null());
    match resource.gvr.resource.as_str() {
        "tokenreviews" if spec.str_at(&["token"]).unwrap_or_default().is_empty() => {
            return Err(Status::bad_request("token is required for TokenReview in authentication"));
        }
        "selfsubjectrulesreviews" if spec.str_at(&["namespace"]).unwrap_or_default().is_empty() => {
            return Err(Status::bad_request("no namespace on request"));
        }
        "selfsubjectaccessreviews" | "subjectaccessreviews" | "localsubjectaccessreviews" => {}
        _ => return Ok(()),
    }
    if resource.gvr.resource != "selfsubjectaccessreviews"
        && spec.str_at(&["user"]).unwrap_or_default().is_empty()
        && spec.items_at(&["groups"]).is_empty()
    {
        return refused("spec.user", &Value::from(""), "at least one of user or group must be specified");
    }
    match (of("resourceAttributes"), of("nonResourceAttributes")) {
        (Some(_), Some(other)) => {
            let text = |key: &str| other.str_at(&[key]).unwrap_or_default().to_owned();
            let shown = value!({"Path": (text("path")), "Verb": (text("verb"))});
            return refused(
                "spec.nonResourceAttributes",
                &shown,
                "cannot be specified in combination with resourceAttributes",
            );
        }
        (None, None) => {
            let why = "exactly one of nonResourceAttributes or resourceAttributes must be specified";
            return refused("spec.resourceAttributes", &Value::Null, why);
        }
        (Some(attributes), None) if resource.gvr.resource == "localsubjectaccessreviews" => {
            let asked = attributes.str_at(&["namespace"]).unwrap_or_default();
            if asked != namespace {
                let why = "must match metadata.namespace";
                return refused("spec.resourceAttributes.namespace", &Value::from(asked), why);
            }
        }
        _ => {}
    }
    Ok(())
}

/// Why what the review asks for is allowed; `None` if it is not.
fn access(api: &Api, user: &UserInfo, review: &Value, namespace: &str) -> Option<String> {
    let text = |key: &str| review.str_at(&["spec", "resourceAttributes", key]).unwrap_or_default();
    if review.at(&["spec", "resourceAttributes"]).is_none() {
        let path = |key: &str| review.str_at(&["spec", "nonResourceAttributes", key]).unwrap_or_default();
        return path_allowed_by(api, user, path("verb"), path("path"));
    }
    let namespace = if namespace.is_empty() { text("namespace") } else { namespace };
    let attributes = Attributes {
        verb: text("verb"),
        group: text("group"),
        resource: text("resource"),
        subresource: text("subresource"),
        namespace,
        name: text("name"),
    };
    allowed_by(api, user, &attributes)
}

fn access_status(allowed: Option<String>) -> Value {
    match allowed {
        None => value!({"allowed": false}),
        Some(reason) if reason.is_empty() => value!({"allowed": true}),
        Some(reason) => value!({"allowed": true, "reason": reason}),
    }
}

fn user_value(user: &UserInfo) -> Value {
    let groups: Vec<Value> = user.groups.iter().cloned().map(Value::from).collect();
    let mut value = value!({"username": (user.name.clone()), "groups": groups});
    if !user.uid.is_empty() {
        value.set_at(&["uid"], user.uid.clone());
    }
    value
}

/// Gives a token to a service account.
pub(super) fn token(
    api: &Api,
    namespace: &str,
    name: &str,
    mut request: Value,
    manager: &str,
) -> Result<Value, Status> {
    let accounts = Gvr::new("", "v1", "serviceaccounts");
    let account = api.get(&accounts, namespace, name)?;
    let invalid =
        |name: &str, cause| Status::invalid("authentication.k8s.io", "TokenRequest", name, vec![cause]);
    let named = request.str_at(&["metadata", "name"]).unwrap_or_default();
    if !named.is_empty() && named != name {
        let why = "must match the service account name if specified";
        return Err(invalid(name, Cause::invalid("metadata.name", &Value::from(named), why)));
    }
    if let Some(asked) =
        request.int_at(&["spec", "expirationSeconds"]).filter(|asked| *asked < SHORTEST_TOKEN)
    {
        let why = "may not specify a duration less than 10 minutes";
        return Err(invalid("", Cause::invalid("spec.expirationSeconds", &Value::Int(asked), why)));
    }
    request.set_at(&["apiVersion"], "authentication.k8s.io/v1");
    request.set_at(&["kind"], "TokenRequest");
    if let Some(resource) = api.resource_for(&account.gvk()) {
        request = api.tracked_review(&resource, request, manager, "token")?;
    }
    let seconds = request.int_at(&["spec", "expirationSeconds"]).unwrap_or(TOKEN_SECONDS);
    let user = UserInfo {
        name: format!("system:serviceaccount:{namespace}:{name}").into(),
        uid: account.uid().into(),
        groups: vec![
            "system:serviceaccounts".into(),
            format!("system:serviceaccounts:{namespace}").into(),
            "system:authenticated".into(),
        ],
    };
    let until = SystemTime::now() + Duration::from_secs(u64::try_from(seconds).unwrap_or(0));
    let token = api.tokens().issue(user, until);
    request.set_at(&["metadata", "uid"], account.uid());
    if request.at(&["spec", "boundObjectRef"]).is_none() {
        request.set_at(&["spec", "boundObjectRef"], Value::Null);
    }
    request.set_at(&["metadata", "name"], name);
    request.set_at(&["metadata", "namespace"], namespace);
    request.set_at(&["metadata", "creationTimestamp"], time::now());
    request.set_at(&["spec", "expirationSeconds"], seconds);
    if request.at(&["spec", "audiences"]).is_none() {
        request.set_at(&["spec", "audiences"], value!(["https://kubernetes.default.svc.cluster.local"]));
    }
    request.set_at(&["status"], value!({"token": token, "expirationTimestamp": (time::format(until))}));
    Ok(request)
}
