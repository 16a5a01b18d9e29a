//! Questions that are created but not kept: access reviews, token reviews, tokens.

use std::time::{Duration, SystemTime};

use windlass_kube::{Map, Value, value};

use crate::api::{Api, UserInfo};
use crate::authorize::{Attributes, is_allowed};
use crate::resource::{Gvr, Resource};
use crate::status::Status;
use crate::time;

/// How long a service account's token lasts where nobody says: an hour, as in a cluster.
const TOKEN_SECONDS: i64 = 3600;

/// Answers a review.
pub(super) fn answer(
    api: &Api,
    resource: &Resource,
    namespace: &str,
    mut review: Value,
) -> Result<Value, Status> {
    review.set_at(&["apiVersion"], resource.gvr.group_version());
    review.set_at(&["kind"], resource.kind.clone());
    if review.get("metadata").is_none() {
        review.set_at(&["metadata"], Map::new());
    }
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
            let rules = if api.user().is_in("system:masters") {
                value!([{"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]}])
            } else {
                value!([])
            };
            review.set_at(
                &["status"],
                value!({"incomplete": false, "resourceRules": rules, "nonResourceRules": [{"nonResourceURLs": ["*"], "verbs": ["*"]}]}),
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

fn access(api: &Api, user: &UserInfo, review: &Value, namespace: &str) -> bool {
    let text = |key: &str| review.str_at(&["spec", "resourceAttributes", key]).unwrap_or_default();
    if review.at(&["spec", "resourceAttributes"]).is_none() {
        return user.is_in("system:masters");
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
    is_allowed(api, user, &attributes)
}

fn access_status(allowed: bool) -> Value {
    if allowed { value!({"allowed": true}) } else { value!({"allowed": false}) }
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
pub(super) fn token(api: &Api, namespace: &str, name: &str, mut request: Value) -> Result<Value, Status> {
    let accounts = Gvr::new("", "v1", "serviceaccounts");
    let account = api.get(&accounts, namespace, name)?;
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
    request.set_at(&["apiVersion"], "authentication.k8s.io/v1");
    request.set_at(&["kind"], "TokenRequest");
    request.set_at(&["metadata", "name"], name);
    request.set_at(&["metadata", "namespace"], namespace);
    request.set_at(&["metadata", "creationTimestamp"], time::now());
    request.set_at(&["spec", "expirationSeconds"], seconds);
    if request.at(&["spec", "audiences"]).is_none() {
        request.set_at(&["spec", "audiences"], value!(["https://kubernetes.default.svc"]));
    }
    request.set_at(&["status"], value!({"token": token, "expirationTimestamp": (time::format(until))}));
    Ok(request)
}
