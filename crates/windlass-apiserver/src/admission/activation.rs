//! What the variables of an expression are for one request, and evaluating under a budget.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, Weak};

use windlass_cel::{Fault, Foreign, PER_CALL_LIMIT, Value as Cel};
use windlass_kube::{Gvk, Map, Value, value};

use super::Attributes;
use super::expressions::Outcome;
use crate::api::Api;
use crate::resource::Gvr;

/// What the expressions of one policy may cost for one parameter: kube-apiserver's `RuntimeCELCostBudget`.
pub(super) const BUDGET: u64 = 10_000_000;

/// The same for conditions: `RuntimeCELCostBudgetMatchConditions`.
pub(super) const CONDITIONS_BUDGET: u64 = 2_500_000;

/// What is said when the budget is spent.
const OUT_OF_BUDGET: &str =
    "validation failed due to running out of cost budget, no further validation rules will be run";

/// The compiled variables of a policy.
pub(super) type Variables = Arc<[(Arc<str>, Outcome)]>;

/// The values that one request has.
#[derive(Clone, Debug)]
pub(super) struct Activation {
    pub(super) object: Cel,
    pub(super) old_object: Cel,
    pub(super) request: Cel,
    pub(super) namespace: Cel,
    pub(super) params: Cel,
    pub(super) authorizer: Cel,
    pub(super) request_resource: Cel,
}

impl Activation {
    /// The values of a request that a policy matches as a resource and a kind.
    pub(super) fn new(
        api: &Api,
        attributes: &Attributes<'_>,
        resource: &Gvr,
        kind: &Gvk,
        namespace: Option<&Value>,
        params: Option<&Value>,
    ) -> Self {
        let cel = |value: Option<&Value>| value.map_or(Cel::Null, Cel::from_json);
        Self {
            object: cel(attributes.object.as_ref()),
            old_object: cel(attributes.old.as_ref()),
            request: Cel::from_json(&shown_request(api, attributes, resource, kind)),
            namespace: cel(namespace),
            params: cel(params),
            authorizer: super::authority::authorizer(api),
            request_resource: super::authority::request_resource(api, attributes),
        }
    }

    fn get(&self, name: &str) -> Option<Cel> {
        Some(match name {
            "object" => self.object.clone(),
            "oldObject" => self.old_object.clone(),
            "request" => self.request.clone(),
            "namespaceObject" => self.namespace.clone(),
            "params" => self.params.clone(),
            "authorizer" => self.authorizer.clone(),
            "authorizer.requestResource" => self.request_resource.clone(),
            _ => return None,
        })
    }

    /// Evaluates expressions one after the other under one budget.
    pub(super) fn evaluation(&self, variables: &Variables, budget: u64) -> Evaluation {
        let variables = Arc::new_cyclic(|me| Composed {
            me: me.clone(),
            compiled: variables.clone(),
            base: self.clone(),
            known: Mutex::default(),
            cost: AtomicU64::new(0),
        });
        Evaluation { variables, budget }
    }
}

/// The request as expressions see it: `kubernetes.AdmissionRequest`.
fn shown_request(api: &Api, attributes: &Attributes<'_>, resource: &Gvr, kind: &Gvk) -> Value {
    let mut request = request_of(api, attributes, resource, kind);
    request.set_at(&["uid"], "");
    request
}

/// The request as others are told it, but for its uid and the objects.
pub(super) fn request_of(api: &Api, attributes: &Attributes<'_>, resource: &Gvr, kind: &Gvk) -> Value {
    let user = api.user();
    let groups: Vec<Value> = user.groups.iter().map(|group| Value::String(group.clone())).collect();
    let mut info = value!({"username": (user.name.clone()), "groups": groups});
    if !user.uid.is_empty() {
        info.set_at(&["uid"], user.uid.clone());
    }
    let of_kind = |kind: &Gvk| value!({"group": (kind.group.clone()), "version": (kind.version.clone()), "kind": (kind.kind.clone())});
    let of_resource = |gvr: &Gvr| value!({"group": (gvr.group.clone()), "version": (gvr.version.clone()), "resource": (gvr.resource.clone())});
    let mut request = value!({
        "kind": (of_kind(kind)),
        "resource": (of_resource(resource)),
        "requestKind": (of_kind(&attributes.kind)),
        "requestResource": (of_resource(&attributes.resource.gvr)),
        "operation": (attributes.operation.as_str()),
        "userInfo": info,
        "object": null,
        "oldObject": null,
        "dryRun": (attributes.dry_run),
        "options": (attributes.options.clone())
    });
    for (key, text) in [
        ("subResource", attributes.subresource),
        ("requestSubResource", attributes.subresource),
        ("name", attributes.name),
        ("namespace", attributes.namespace),
    ] {
        if !text.is_empty() {
            request.set_at(&[key], text);
        }
    }
    request
}

/// What expressions see of a namespace: not who owns its fields.
pub(super) fn namespace_object(namespace: &Value) -> Value {
    let mut shown = Map::new();
    for key in ["apiVersion", "kind", "spec", "status", "metadata"] {
        if let Some(value) = namespace.get(key) {
            shown.insert(key, value.clone());
        }
    }
    let mut shown = Value::Object(shown);
    shown.remove_at(&["metadata", "managedFields"]);
    shown.remove_at(&["metadata", "ownerReferences"]);
    shown
}

/// Expressions that are evaluated one after the other.
pub(super) struct Evaluation {
    variables: Arc<Composed>,
    budget: u64,
}

impl Evaluation {
    /// With what is left after others were evaluated.
    pub(super) fn left(&self) -> u64 {
        self.budget
    }

    /// Evaluates one; the inner error is its own, the outer one ends everything.
    pub(super) fn run(&mut self, text: &str, program: &Outcome) -> Result<Result<Cel, String>, String> {
        let program = match program {
            Ok(program) => program,
            Err(why) => return Ok(Err(format!("compilation error: {why}"))),
        };
        let outcome = program.evaluate(&|name| self.variables.get(name), PER_CALL_LIMIT);
        let composed = self.variables.cost.swap(0, Ordering::Relaxed);
        let cost = composed.saturating_add(outcome.cost);
        if cost > self.budget {
            return Err(OUT_OF_BUDGET.to_owned());
        }
        self.budget -= cost;
        Ok(outcome.value.map_err(|fault| format!("expression '{text}' resulted in error: {fault}")))
    }
}

/// The variables of a policy, each evaluated when it is first read.
#[derive(Debug)]
struct Composed {
    me: Weak<Self>,
    compiled: Variables,
    base: Activation,
    known: Mutex<HashMap<Arc<str>, Result<Cel, Fault>>>,
    cost: AtomicU64,
}

impl Composed {
    fn get(&self, name: &str) -> Option<Cel> {
        if name == "variables" {
            let me: Arc<dyn Foreign> = self.me.upgrade()?;
            return Some(Cel::Foreign(me));
        }
        self.base.get(name)
    }
}

impl Foreign for Composed {
    fn type_name(&self) -> &'static str {
        "kubernetes.variables"
    }

    fn field(&self, name: &str) -> Option<Result<Cel, Fault>> {
        let (name, program) = self.compiled.iter().find(|(known, _)| **known == *name)?;
        if let Some(value) = self.known.lock().expect("no panic under this lock").get(name) {
            return Some(value.clone());
        }
        let value = match program {
            Err(why) => {
                Err(Fault::Error(format!("composited variable {name:?} fails to compile: {why}").into()))
            }
            Ok(program) => {
                let outcome = program.evaluate(&|name| self.get(name), PER_CALL_LIMIT);
                self.cost.fetch_add(outcome.cost, Ordering::Relaxed);
                outcome.value.map_err(|fault| {
                    Fault::Error(format!("composited variable {name:?} fails to evaluate: {fault}").into())
                })
            }
        };
        self.known.lock().expect("no panic under this lock").insert(name.clone(), value.clone());
        Some(value)
    }
}
