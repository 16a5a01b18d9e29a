//! Who may do what: members of `system:masters` everything, everybody else what roles allow.

use windlass_kube::{Object, Value};

use crate::api::{Api, UserInfo};
use crate::audit;
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
    told(check(api, attributes))
}

/// Tells the audit log what was decided.
fn told(decision: Result<String, Status>) -> Result<(), Status> {
    let (word, reason) = match &decision {
        Ok(reason) => ("allow", reason.as_str()),
        Err(_) => ("forbid", ""),
    };
    audit::annotate(|| "authorization.k8s.io/decision".into(), || word.into());
    audit::annotate(|| "authorization.k8s.io/reason".into(), || reason.into());
    decision.map(drop)
}

/// As [`authorize`], with the reason why it is allowed, and unheard.
///
/// # Errors
///
/// `Forbidden`, in the server's words.
pub(crate) fn check(api: &Api, attributes: &Attributes<'_>) -> Result<String, Status> {
    if let Some(reason) = allowed_by(api, api.user(), attributes) {
        return Ok(reason);
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

/// Refuses a path that is no resource, where the API's user may not ask for it.
///
/// # Errors
///
/// `Forbidden`, in the server's words.
pub(crate) fn authorize_path(api: &Api, method: &http::Method, path: &str) -> Result<(), Status> {
    let verb = match method.as_str() {
        "GET" => "get".to_owned(),
        other => other.to_ascii_lowercase(),
    };
    if let Some(reason) = path_allowed_by(api, api.user(), &verb, path) {
        return told(Ok(reason));
    }
    let why = format!("forbidden: User {:?} cannot {verb} path {path:?}", api.user().name);
    let mut status = Status::new(403, "Forbidden", why);
    status.details.shown_when_empty = true;
    told(Err(status))
}

/// Whether a user may do something.
pub(crate) fn is_allowed(api: &Api, user: &UserInfo, attributes: &Attributes<'_>) -> bool {
    allowed_by(api, user, attributes).is_some()
}

/// Why a user may do something, `None` if they may not; nothing to say of those who may do everything.
pub(crate) fn allowed_by(api: &Api, user: &UserInfo, attributes: &Attributes<'_>) -> Option<String> {
    granted(api, user, attributes.namespace, &|rule| rule_allows(rule, attributes))
}

/// Why a user may ask for a path that is no resource.
pub(crate) fn path_allowed_by(api: &Api, user: &UserInfo, verb: &str, path: &str) -> Option<String> {
    granted(api, user, "", &|rule| path_rule_allows(rule, verb, path))
}

/// The binding that gives a user a rule that `holds`, in words.
fn granted(api: &Api, user: &UserInfo, namespace: &str, holds: &dyn Fn(&Value) -> bool) -> Option<String> {
    if user.is_in("system:masters") {
        return Some(String::new());
    }
    let mut found = None;
    each_rule(api, user, namespace, &mut |rule, source| {
        if found.is_none() && holds(rule) {
            found = Some(source());
        }
        found.is_none()
    });
    found
}

/// The rules that hold for a user, everywhere and in one namespace, in no order that means anything.
pub(crate) fn rules_of(api: &Api, user: &UserInfo, namespace: &str) -> Vec<Value> {
    let mut rules = Vec::new();
    if user.is_in("system:masters") {
        let everything = serde_json::json!([
            {"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]}, {"nonResourceURLs": ["*"], "verbs": ["*"]}
        ]);
        let everything: Value = serde_json::from_value(everything).unwrap_or_default();
        rules.extend(everything.as_array().into_iter().flat_map(|list| list.iter().cloned()));
    }
    each_rule(api, user, namespace, &mut |rule, _| {
        rules.push(rule.clone());
        true
    });
    rules
}

/// Shows every rule that holds for a user until the visitor has seen enough.
fn each_rule(
    api: &Api,
    user: &UserInfo,
    namespace: &str,
    visit: &mut dyn FnMut(&Value, &dyn Fn() -> String) -> bool,
) {
    let mut bindings = api.store().table(&format!("{ROLES}/clusterrolebindings")).list(None).objects;
    if !namespace.is_empty() {
        bindings.extend(api.store().table(&format!("{ROLES}/rolebindings")).list(Some(namespace)).objects);
    }
    for stored in bindings {
        let binding = stored.object();
        let value = binding.to_value();
        let Some(subject) = value.items_at(&["subjects"]).iter().find(|subject| names(subject, user)) else {
            continue;
        };
        for rule in role_rules(api, &binding).items_at(&["rules"]) {
            if !visit(rule, &|| reason(&binding, subject)) {
                return;
            }
        }
    }
}

/// The role that a binding refers to.
pub(crate) fn role_rules(api: &Api, binding: &Object) -> Value {
    let role_name = binding.str_at(&["roleRef", "name"]);
    let (table, key) = match binding.str_at(&["roleRef", "kind"]) {
        "Role" => ("roles", Key::new(binding.namespace(), role_name)),
        _ => ("clusterroles", Key::new("", role_name)),
    };
    let role = api.store().table(&format!("{ROLES}/{table}")).get(&key);
    role.map(|role| role.object().into_value()).unwrap_or_default()
}

fn reason(binding: &Object, subject: &Value) -> String {
    let text = |key: &str| subject.str_at(&[key]).unwrap_or_default().to_owned();
    let subject = match subject.str_at(&["kind"]) {
        Some("ServiceAccount") => {
            format!("ServiceAccount {:?}", format!("{}/{}", text("name"), text("namespace")))
        }
        _ => format!("{} {:?}", text("kind"), text("name")),
    };
    let binding_name = if binding.namespace().is_empty() {
        binding.name().to_owned()
    } else {
        format!("{}/{}", binding.name(), binding.namespace())
    };
    format!(
        "RBAC: allowed by {} {binding_name:?} of {} {:?} to {subject}",
        binding.kind(),
        binding.str_at(&["roleRef", "kind"]),
        binding.str_at(&["roleRef", "name"]),
    )
}

/// The rules in a role that a user may not hand on, because they do not have them: all but what is covered
/// by rules of their own. Members of `system:masters` have everything.
pub(crate) fn not_held(api: &Api, user: &UserInfo, namespace: &str, rules: &[Value]) -> Vec<Value> {
    if user.is_in("system:masters") {
        return Vec::new();
    }
    let held = rules_of(api, user, namespace);
    rules.iter().filter(|rule| !is_covered(rule, &held)).cloned().collect()
}

/// Whether every combination in a rule is allowed by one of those held.
fn is_covered(rule: &Value, held: &[Value]) -> bool {
    let words = |key: &str| -> Vec<String> {
        let list = rule.items_at(&[key]).iter().filter_map(Value::as_str).map(str::to_owned);
        list.collect()
    };
    let paths = words("nonResourceURLs");
    let verbs = words("verbs");
    if !paths.is_empty() {
        return verbs
            .iter()
            .all(|verb| paths.iter().all(|path| held.iter().any(|rule| path_rule_allows(rule, verb, path))));
    }
    let names = words("resourceNames");
    let names = if names.is_empty() { vec![String::new()] } else { names };
    let (groups, resources) = (words("apiGroups"), words("resources"));
    verbs.iter().all(|verb| {
        groups.iter().all(|group| {
            resources.iter().all(|full| {
                let (resource, subresource) = full.split_once('/').unwrap_or((full, ""));
                names.iter().all(|name| {
                    let wanted = Attributes { verb, group, resource, subresource, namespace: "", name };
                    held.iter().any(|rule| rule_allows(rule, &wanted))
                })
            })
        })
    })
}

fn path_rule_allows(rule: &Value, verb: &str, path: &str) -> bool {
    let verbs = rule.items_at(&["verbs"]).iter().filter_map(Value::as_str);
    let mut paths = rule.items_at(&["nonResourceURLs"]).iter().filter_map(Value::as_str);
    verbs.into_iter().any(|have| have == "*" || have == verb)
        && paths.any(|have| {
            have == "*" || have == path || have.strip_suffix('*').is_some_and(|start| path.starts_with(start))
        })
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
