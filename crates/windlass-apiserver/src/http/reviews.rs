//! Questions that are created but not kept: access reviews, token reviews, tokens.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use windlass_kube::{Map, Object, Str, Value, value};

use crate::admission::{Attributes as Call, Operation};
use crate::api::{Api, UserInfo, WriteOptions};
use crate::audit;
use crate::authorize::{Attributes, allowed_by, path_allowed_by, rules_of};
use crate::resource::{GroupResource, Gvr, Resource, Subresource};
use crate::status::{Cause, Status};
use crate::time;
use crate::tokens::{Authenticated, Claims, ISSUER};

/// How long a service account's token lasts where nobody says: an hour, as in a cluster.
const TOKEN_SECONDS: i64 = 3600;

/// The shortest a token may last, as Kubernetes has it: ten minutes.
const SHORTEST_TOKEN: i64 = 600;

/// The longest a token may last, as Kubernetes has it.
const LONGEST_TOKEN: i64 = 1 << 32;

/// How long the tokens last that kubelets ask for: an hour, and seven seconds by which they are known.
const WARNED_TOKEN: i64 = 3607;

/// How long those are accepted: a year.
const EXTENDED_TOKEN: i64 = 365 * 24 * 3600;

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
                ..UserInfo::default()
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
            let audiences = review.items_at(&["spec", "audiences"]).iter().filter_map(Value::as_str);
            let audiences: Vec<Str> = audiences.map(Str::new).collect();
            let status = match api.authenticate(&token, &audiences) {
                Ok(Authenticated { user, audiences }) => {
                    let audiences: Vec<Value> = audiences.into_iter().map(Value::from).collect();
                    value!({"authenticated": true, "user": (user_value(&user)), "audiences": audiences})
                }
                Err(why) => value!({"error": why, "user": (Map::new())}),
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
    for (key, texts) in &user.extra {
        let texts: Vec<Value> = texts.iter().cloned().map(Value::from).collect();
        value.set_at(&["extra", key], texts);
    }
    value
}

/// Gives a token to a service account.
pub(super) async fn token(
    api: &Api,
    resource: &Arc<Resource>,
    known: &Subresource,
    (namespace, name): (&str, &str),
    mut request: Value,
    options: &WriteOptions,
) -> Result<(Value, Vec<String>), Status> {
    let invalid =
        |name: &str, cause| Status::invalid("authentication.k8s.io", "TokenRequest", name, vec![cause]);
    let said = |request: &Value, key: &str| request.str_at(&["metadata", key]).unwrap_or_default().to_owned();
    let in_namespace = said(&request, "namespace");
    if !in_namespace.is_empty() && in_namespace != namespace {
        let why = "the namespace of the provided object does not match the namespace sent on the request";
        return Err(Status::bad_request(why));
    }
    let named = said(&request, "name");
    if !named.is_empty() && named != name {
        let why = "must match the service account name if specified";
        return Err(invalid(name, Cause::invalid("metadata.name", &Value::from(named), why)));
    }
    api.check_namespace(resource, namespace, name)?;
    let account = api.get(&Gvr::new("", "v1", "serviceaccounts"), namespace, name)?;
    let token_requests =
        GroupResource { group: "authentication.k8s.io".into(), resource: "TokenRequest".into() };
    let uid = said(&request, "uid");
    if !uid.is_empty() && uid != account.uid() {
        let why = format!(
            "the UID in the token request ({uid}) does not match the UID of the service account ({})",
            account.uid()
        );
        return Err(Status::conflict(&token_requests, name, &why));
    }
    request.set_at(&["apiVersion"], "authentication.k8s.io/v1");
    request.set_at(&["kind"], "TokenRequest");
    if request.int_at(&["spec", "expirationSeconds"]).is_none() {
        request.set_at(&["spec", "expirationSeconds"], TOKEN_SECONDS);
    }
    request = api.tracked_review(resource, request, &options.field_manager, "token")?;
    let now = SystemTime::now();
    if request.items_at(&["spec", "audiences"]).is_empty() {
        request.set_at(&["spec", "audiences"], value!([ISSUER]));
    }
    for (key, text) in [("uid", account.uid()), ("name", name), ("namespace", namespace)] {
        request.set_at(&["metadata", key], text);
    }
    request.set_at(&["metadata", "creationTimestamp"], time::format(now));
    if request.at(&["spec", "boundObjectRef"]).is_none() {
        request.set_at(&["spec", "boundObjectRef"], Value::Null);
    }
    request.set_at(&["status"], value!({"token": "", "expirationTimestamp": null}));
    let attributes = Call::call(resource, (namespace, name), known, Operation::Create, request, options);
    let (mut request, warnings) = api.admit_call(attributes).await?;
    let seconds = request.int_at(&["spec", "expirationSeconds"]).unwrap_or(TOKEN_SECONDS);
    let why = match seconds {
        ..SHORTEST_TOKEN => Some("may not specify a duration less than 10 minutes"),
        _ if seconds > LONGEST_TOKEN => Some("may not specify a duration larger than 2^32 seconds"),
        _ => None,
    };
    if let Some(why) = why {
        return Err(invalid("", Cause::invalid("spec.expirationSeconds", &Value::Int(seconds), why)));
    }
    let audiences = request.items_at(&["spec", "audiences"]).to_vec();
    let bound = match request.at(&["spec", "boundObjectRef"]).filter(|bound| !bound.is_null()) {
        Some(reference) => bound_to(api, namespace, name, reference)?,
        None => Vec::new(),
    };
    // A pod's own token, as long as kubelets ask for: programs that do not read it again get a year.
    let of_pod = bound.first().is_some_and(|(kind, ..)| *kind == "pod");
    let is_ours = audiences.iter().all(|audience| audience.as_str() == Some(ISSUER));
    let extended = of_pod && is_ours && seconds == WARNED_TOKEN;
    let claims = Claims {
        account: &account,
        bound,
        audiences,
        seconds: if extended { EXTENDED_TOKEN } else { seconds },
        warn_after: extended.then_some(seconds),
    };
    let (token, id) = api.tokens().issue(&claims).map_err(Status::internal)?;
    audit::annotate(|| "authentication.kubernetes.io/issued-credential-id".into(), || format!("JTI={id}"));
    let until = now + Duration::from_secs(u64::try_from(seconds).unwrap_or(0));
    request.set_at(&["spec", "expirationSeconds"], seconds);
    request.set_at(&["status"], value!({"token": token, "expirationTimestamp": (time::format(until))}));
    Ok((request, warnings))
}

/// What a token is bound to: the claims of it.
fn bound_to(
    api: &Api,
    namespace: &str,
    account: &str,
    reference: &Value,
) -> Result<Vec<(&'static str, Str, Str)>, Status> {
    let text = |key: &str| reference.str_at(&[key]).unwrap_or_default();
    let (group, version) = text("apiVersion").split_once('/').unwrap_or(("", text("apiVersion")));
    let (kind, name) = (text("kind"), text("name"));
    let core =
        |resource: &str, namespace: &str, name: &str| api.get(&Gvr::new("", "v1", resource), namespace, name);
    let claim = |kind, object: &Object| (kind, Str::new(object.name()), Str::new(object.uid()));
    let (bound, uid) = match (group, kind) {
        ("", "Pod") => {
            let pod = core("pods", namespace, name)?;
            if pod.str_at(&["spec", "serviceAccountName"]) != account {
                return Err(Status::bad_request(format!(
                    "cannot bind token for serviceaccount {account:?} to pod running with different serviceaccount name."
                )));
            }
            let mut bound = vec![claim("pod", &pod)];
            let node = pod.str_at(&["spec", "nodeName"]);
            if !node.is_empty() {
                let uid = core("nodes", "", node).map(|node| Str::new(node.uid())).unwrap_or_default();
                bound.push(("node", node.into(), uid));
            }
            (bound, pod.uid().to_owned())
        }
        ("", "Node") => {
            let node = core("nodes", "", name)?;
            (vec![claim("node", &node)], node.uid().to_owned())
        }
        ("", "Secret") => {
            let secret = core("secrets", namespace, name)?;
            (vec![claim("secret", &secret)], secret.uid().to_owned())
        }
        _ => {
            let why = format!("cannot bind token to object of type {group}/{version}, Kind={kind}");
            return Err(Status::bad_request(why));
        }
    };
    let wanted = text("uid");
    if !wanted.is_empty() && wanted != uid {
        let of = GroupResource { group: group.into(), resource: kind.into() };
        let why = format!(
            "the UID in the bound object reference ({wanted}) does not match the UID in record. The object might have been deleted and then recreated"
        );
        return Err(Status::conflict(&of, name, &why));
    }
    Ok(bound)
}
