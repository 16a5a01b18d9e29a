//! The authorizer that expressions ask: `authorizer.group('').resource('pods').check('create').allowed()`.

use std::fmt;
use std::sync::Arc;

use windlass_cel::{Fault, Foreign, Value};

use super::Attributes;
use crate::api::{Api, UserInfo};
use crate::authorize::{Attributes as Asked, allowed_by, path_allowed_by};

/// Whose rights are asked about.
#[derive(Clone)]
struct Asker {
    api: Api,
    user: Arc<UserInfo>,
}

impl fmt::Debug for Asker {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}", self.user.name)
    }
}

#[derive(Debug)]
struct Authorizer(Asker);

#[derive(Debug)]
struct GroupCheck {
    asker: Asker,
    group: Arc<str>,
}

#[derive(Debug)]
struct PathCheck {
    asker: Asker,
    path: Arc<str>,
}

#[derive(Clone, Debug)]
struct ResourceCheck {
    asker: Asker,
    group: Arc<str>,
    resource: Arc<str>,
    subresource: Arc<str>,
    namespace: Arc<str>,
    name: Arc<str>,
}

#[derive(Debug)]
struct Decision(Option<String>);

/// The authorizer for the user of a request.
pub(super) fn authorizer(api: &Api) -> Value {
    Value::Foreign(Arc::new(Authorizer(asker(api))))
}

/// The question whether the user may do something else with what the request is about.
pub(super) fn request_resource(api: &Api, attributes: &Attributes<'_>) -> Value {
    Value::Foreign(Arc::new(ResourceCheck {
        asker: asker(api),
        group: attributes.resource.gvr.group.as_str().into(),
        resource: attributes.resource.gvr.resource.as_str().into(),
        subresource: attributes.subresource.into(),
        namespace: attributes.namespace.into(),
        name: attributes.name.into(),
    }))
}

fn asker(api: &Api) -> Asker {
    Asker { api: api.clone(), user: Arc::new(api.user().clone()) }
}

type Called = Option<Result<Value, Fault>>;

fn made(foreign: impl Foreign + 'static) -> Called {
    Some(Ok(Value::Foreign(Arc::new(foreign))))
}

impl Foreign for Authorizer {
    fn type_name(&self) -> &'static str {
        "kubernetes.authorization.Authorizer"
    }

    fn call(&self, function: &str, arguments: &[Value]) -> Called {
        match (function, arguments) {
            ("group", [Value::String(group)]) => {
                made(GroupCheck { asker: self.0.clone(), group: group.clone() })
            }
            ("path", [Value::String(path)]) => {
                if path.is_empty() {
                    return Some(Err(Fault::Error("path must not be empty".into())));
                }
                made(PathCheck { asker: self.0.clone(), path: path.clone() })
            }
            ("serviceAccount", [Value::String(namespace), Value::String(name)]) => {
                let user = UserInfo {
                    name: format!("system:serviceaccount:{namespace}:{name}").into(),
                    groups: vec![
                        "system:serviceaccounts".into(),
                        format!("system:serviceaccounts:{namespace}").into(),
                    ],
                    ..UserInfo::default()
                };
                made(Self(Asker { api: self.0.api.clone(), user: Arc::new(user) }))
            }
            _ => None,
        }
    }
}

impl Foreign for GroupCheck {
    fn type_name(&self) -> &'static str {
        "kubernetes.authorization.GroupCheck"
    }

    fn call(&self, function: &str, arguments: &[Value]) -> Called {
        let ("resource", [Value::String(resource)]) = (function, arguments) else { return None };
        made(ResourceCheck {
            asker: self.asker.clone(),
            group: self.group.clone(),
            resource: resource.clone(),
            subresource: "".into(),
            namespace: "".into(),
            name: "".into(),
        })
    }
}

impl Foreign for PathCheck {
    fn type_name(&self) -> &'static str {
        "kubernetes.authorization.PathCheck"
    }

    fn call(&self, function: &str, arguments: &[Value]) -> Called {
        let ("check", [Value::String(verb)]) = (function, arguments) else { return None };
        made(Decision(path_allowed_by(&self.asker.api, &self.asker.user, verb, &self.path)))
    }
}

impl Foreign for ResourceCheck {
    fn type_name(&self) -> &'static str {
        "kubernetes.authorization.ResourceCheck"
    }

    fn call(&self, function: &str, arguments: &[Value]) -> Called {
        let [Value::String(text)] = arguments else { return None };
        let mut check = self.clone();
        match function {
            "subresource" => check.subresource = text.clone(),
            "namespace" => check.namespace = text.clone(),
            "name" => check.name = text.clone(),
            // Roles do not tell objects apart by their fields.
            "fieldSelector" | "labelSelector" => {}
            "check" => {
                let asked = Asked {
                    verb: text,
                    group: &self.group,
                    resource: &self.resource,
                    subresource: &self.subresource,
                    namespace: &self.namespace,
                    name: &self.name,
                };
                return made(Decision(allowed_by(&self.asker.api, &self.asker.user, &asked)));
            }
            _ => return None,
        }
        made(check)
    }
}

impl Foreign for Decision {
    fn type_name(&self) -> &'static str {
        "kubernetes.authorization.Decision"
    }

    fn call(&self, function: &str, arguments: &[Value]) -> Called {
        let [] = arguments else { return None };
        Some(Ok(match function {
            "allowed" => Value::Bool(self.0.is_some()),
            "errored" => Value::Bool(false),
            "error" => Value::string(""),
            "reason" => Value::string(self.0.as_deref().unwrap_or_default()),
            _ => return None,
        }))
    }
}
