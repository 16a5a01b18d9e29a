//! `ValidatingAdmissionPolicy`: rules in CEL that a write must keep.

use std::collections::BTreeMap;

use windlass_cel::{Type, Value as Cel};
use windlass_kube::{Gvk, Object, Value};

use super::activation::{Activation, BUDGET, CONDITIONS_BUDGET, Variables, namespace_object};
use super::expressions::{Compiler, Outcome, Scope};
use super::matching::{Matched, Matcher};
use super::{Attributes, params};
use crate::api::Api;
use crate::audit;
use crate::status::{Cause, Status};
use crate::store::Key;

/// Where the policies are stored.
pub(super) const POLICIES: &str = "admissionregistration.k8s.io/validatingadmissionpolicies";

/// Where what puts them into force is stored.
pub(super) const BINDINGS: &str = "admissionregistration.k8s.io/validatingadmissionpolicybindings";

/// The longest message that an expression may make, in bytes: `MaxEvaluatedMessageExpressionSizeBytes`.
const LONGEST_MESSAGE: usize = 5 * 1024;

/// The longest audit annotation, in bytes: `maxAuditAnnotationValueLength`.
const LONGEST_ANNOTATION: usize = 10 * 1024;

/// What policies add to what is told of a request, by key.
type Told = BTreeMap<String, Vec<String>>;

/// A policy, compiled.
#[derive(Debug)]
pub(super) struct Policy {
    name: String,
    /// Whether what goes wrong in the policy itself lets requests pass.
    ignores_faults: bool,
    constraints: Matcher,
    param_kind: Option<Gvk>,
    variables: Variables,
    conditions: Vec<Condition>,
    validations: Vec<Validation>,
    annotations: Vec<Annotation>,
}

/// What a policy adds to what is told of a request.
#[derive(Debug)]
struct Annotation {
    key: String,
    text: String,
    program: Outcome,
}

/// What must hold of a request for a policy or a webhook to look at it.
#[derive(Debug)]
pub(super) struct Condition {
    text: String,
    program: Outcome,
}

impl Condition {
    pub(super) fn compile_all(conditions: &[Value], compiler: &Compiler, scope: Scope) -> Vec<Self> {
        let text = |condition: &Value| condition.str_at(&["expression"]).unwrap_or_default().to_owned();
        conditions
            .iter()
            .map(|condition| {
                let text = text(condition);
                let program = compiler.compile(&text, scope, &[Type::Bool]);
                Self { text, program }
            })
            .collect()
    }
}

/// Whether all conditions hold.
pub(super) fn are_met(
    conditions: &[Condition],
    variables: &Variables,
    activation: &Activation,
) -> Result<bool, String> {
    if conditions.is_empty() {
        return Ok(true);
    }
    // Conditions do not see the namespace.
    let activation = Activation { namespace: Cel::Null, ..activation.clone() };
    let mut evaluation = activation.evaluation(variables, CONDITIONS_BUDGET);
    let mut faults = Vec::new();
    for condition in conditions {
        match evaluation.run(&condition.text, &condition.program)? {
            Ok(Cel::Bool(false)) => return Ok(false),
            Ok(_) => {}
            Err(fault) => faults.push(fault),
        }
    }
    match faults.as_slice() {
        [] => Ok(true),
        [only] => Err(only.clone()),
        several => Err(format!("[{}]", several.join(", "))),
    }
}

#[derive(Debug)]
struct Validation {
    text: String,
    program: Outcome,
    message: String,
    message_expression: Option<(String, Outcome)>,
    reason: String,
}

/// Why a policy refuses.
struct Denial {
    message: String,
    reason: String,
    /// Which of the rules it is.
    idx: usize,
}

impl Policy {
    pub(super) fn compile(policy: &Value) -> Self {
        let spec = policy.get("spec").cloned().unwrap_or_default();
        let kind = params::kind(&spec);
        let params = kind.is_some();
        let mut compiler = Compiler::composing();
        let text = |value: &Value, key: &str| value.str_at(&[key]).unwrap_or_default().to_owned();
        let variables = compiler.variables(spec.items_at(&["variables"]), params);
        let scope = Scope { params, authorizer: true, patches: false };
        let conditions = Condition::compile_all(spec.items_at(&["matchConditions"]), &compiler, scope);
        let validations = spec
            .items_at(&["validations"])
            .iter()
            .map(|validation| {
                let expression = text(validation, "expression");
                let program = compiler.compile(&expression, scope, &[Type::Bool]);
                let message_expression = text(validation, "messageExpression");
                let message_expression = (!message_expression.is_empty()).then(|| {
                    let scope = Scope { params, authorizer: false, patches: false };
                    let program = compiler.compile(&message_expression, scope, &[Type::String]);
                    (message_expression, program)
                });
                let reason = text(validation, "reason");
                Validation {
                    text: expression,
                    program,
                    message: text(validation, "message"),
                    message_expression,
                    reason: if reason.is_empty() { "Invalid".to_owned() } else { reason },
                }
            })
            .collect();
        let annotations = spec
            .items_at(&["auditAnnotations"])
            .iter()
            .map(|annotation| {
                let expression = text(annotation, "valueExpression");
                let program = compiler.compile(&expression, scope, &[Type::String, Type::Null]);
                Annotation { key: text(annotation, "key"), text: expression, program }
            })
            .collect();
        Self {
            name: policy.str_at(&["metadata", "name"]).unwrap_or_default().to_owned(),
            ignores_faults: spec.str_at(&["failurePolicy"]) == Some("Ignore"),
            constraints: Matcher::new(spec.get("matchConstraints").unwrap_or(&Value::Null)),
            param_kind: kind,
            variables,
            conditions,
            validations,
            annotations,
        }
    }

    /// What went wrong in the policy itself, which counts as a refusal or not.
    fn fault(&self, message: String) -> Vec<Denial> {
        if self.ignores_faults { Vec::new() } else { vec![Denial { message, reason: String::new(), idx: 0 }] }
    }

    /// Why a request is refused.
    fn check(&self, activation: &Activation) -> Vec<Denial> {
        match are_met(&self.conditions, &self.variables, activation) {
            Ok(true) => {}
            Ok(false) => return Vec::new(),
            Err(fault) => return self.fault(fault),
        }
        let mut evaluation = activation.evaluation(&self.variables, BUDGET);
        let mut results = Vec::with_capacity(self.validations.len());
        for validation in &self.validations {
            match evaluation.run(&validation.text, &validation.program) {
                Ok(result) => results.push(result),
                Err(fatal) => return self.fault(fatal),
            }
        }
        let messages = self.messages(activation, evaluation.left());
        let mut denials = Vec::new();
        for ((validation, result), idx) in self.validations.iter().zip(results).zip(0..) {
            match (result, &messages) {
                (Err(fault), _) => denials.extend(self.fault(fault)),
                (Ok(_), Err(fatal)) => {
                    denials.extend(self.fault(format!("failed messageExpression: {fatal}")));
                }
                (Ok(Cel::Bool(true)), _) => {}
                (Ok(_), Ok(messages)) => {
                    let made = messages.get(idx).cloned().flatten().unwrap_or_default();
                    let message = [made, validation.message.trim().to_owned()]
                        .into_iter()
                        .find(|message| !message.is_empty())
                        .unwrap_or_else(|| format!("failed expression: {}", validation.text.trim()));
                    denials.push(Denial { message, reason: validation.reason.clone(), idx });
                }
            }
        }
        denials
    }

    /// What is to be told of a request beside what is told of all, by key.
    ///
    /// # Errors
    ///
    /// Where an expression fails, and the policy may not.
    fn annotate(&self, activation: &Activation, found: &mut Told) -> Result<(), String> {
        if self.annotations.is_empty()
            || !matches!(are_met(&self.conditions, &self.variables, activation), Ok(true))
        {
            return Ok(());
        }
        let mut evaluation = activation.evaluation(&self.variables, BUDGET);
        for annotation in &self.annotations {
            let outcome = match evaluation.run(&annotation.text, &annotation.program) {
                Ok(outcome) => outcome,
                Err(fatal) => Err(fatal),
            };
            match outcome {
                Ok(Cel::String(text)) if !text.trim().is_empty() => {
                    let mut end = text.trim().len().min(LONGEST_ANNOTATION);
                    while !text.trim().is_char_boundary(end) {
                        end -= 1;
                    }
                    let text = text.trim()[..end].to_owned();
                    let values = found.entry(annotation.key.clone()).or_default();
                    if !values.contains(&text) {
                        values.push(text);
                    }
                }
                Ok(_) => {}
                Err(_) if self.ignores_faults => {}
                Err(fault) => return Err(fault),
            }
        }
        Ok(())
    }

    /// The messages that expressions make, where they make one that is fit.
    fn messages(&self, activation: &Activation, budget: u64) -> Result<Vec<Option<String>>, String> {
        let mut evaluation = activation.evaluation(&self.variables, budget);
        let mut messages = Vec::with_capacity(self.validations.len());
        for validation in &self.validations {
            let Some((text, program)) = &validation.message_expression else {
                messages.push(None);
                continue;
            };
            messages.push(match evaluation.run(text, program)? {
                Ok(Cel::String(message)) => {
                    let message = message.trim();
                    (message.len() <= LONGEST_MESSAGE && !message.contains('\n')).then(|| message.to_owned())
                }
                _ => None,
            });
        }
        Ok(messages)
    }
}

/// Asks every policy that is in force.
///
/// # Errors
///
/// The first refusal.
pub(super) async fn dispatch(
    api: &Api,
    attributes: &Attributes<'_>,
    warnings: &mut Vec<String>,
) -> Result<(), Status> {
    let bindings = api.store().table(BINDINGS);
    if bindings.is_empty() {
        return Ok(());
    }
    let bindings: Vec<Object> = bindings.list(None).objects.iter().map(|stored| stored.object()).collect();
    let mut denied = None;
    for stored in api.store().table(POLICIES).list(None).objects {
        let bound =
            bindings.iter().filter(|it| it.str_at(&["spec", "policyName"]) == stored.key().name.as_str());
        let bound: Vec<&Object> = bound.collect();
        if bound.is_empty() {
            continue;
        }
        let policy = api.compiled().validating(&stored);
        let mut refuse = |binding: Option<&str>, denial: Denial| {
            denied.get_or_insert_with(|| refusal(attributes, &policy.name, binding, &denial));
        };
        let matched = match policy.constraints.matches(api, attributes) {
            Ok(None) => continue,
            Ok(Some(matched)) => matched,
            Err(status) => {
                let why = format!("failed to configure policy: {}", status.message);
                policy.fault(why).into_iter().for_each(|denial| refuse(None, denial));
                continue;
            }
        };
        let param_resource = match policy.param_kind.as_ref().map(|kind| params::resource_of(api, kind)) {
            None => None,
            Some(Ok(resource)) => Some(resource),
            Some(Err(why)) => {
                let why = format!("failed to configure policy: {why}");
                policy.fault(why).into_iter().for_each(|denial| refuse(None, denial));
                continue;
            }
        };
        let mut told = Told::new();
        for binding in bound {
            let Some(params) = params::given(api, attributes, binding, param_resource.as_deref()) else {
                continue;
            };
            let params = match params {
                Ok(params) => params,
                Err(why) => {
                    let why = format!("failed to configure binding: {why}");
                    policy.fault(why).into_iter().for_each(|denial| refuse(Some(binding.name()), denial));
                    continue;
                }
            };
            let namespace = namespace_of(api, attributes)?;
            let at = attributes.at_kind(api, &matched.kind).await?;
            for param in params {
                let activation = activation(api, &at, &matched, namespace.as_ref(), param.as_ref());
                for denial in policy.check(&activation) {
                    let actions = binding.at(&["spec", "validationActions"]).and_then(Value::as_array);
                    for action in actions.into_iter().flat_map(|actions| actions.iter()) {
                        match action.as_str() {
                            Some("Deny") => refuse(
                                Some(binding.name()),
                                Denial {
                                    message: denial.message.clone(),
                                    reason: denial.reason.clone(),
                                    idx: denial.idx,
                                },
                            ),
                            Some("Warn") => warnings.push(format!(
                                "Validation failed for ValidatingAdmissionPolicy '{}' with binding '{}': {}",
                                policy.name,
                                binding.name(),
                                denial.message
                            )),
                            Some("Audit") => audit::annotate(
                                || "validation.policy.admission.k8s.io/validation_failure".into(),
                                || failure(&policy.name, binding, &denial),
                            ),
                            _ => {}
                        }
                    }
                }
                if let Err(why) = policy.annotate(&activation, &mut told) {
                    refuse(Some(binding.name()), Denial { message: why, reason: String::new(), idx: 0 });
                }
            }
        }
        for (key, values) in told {
            audit::annotate(|| format!("{}/{key}", policy.name), || values.join(", "));
        }
    }
    denied.map_or(Ok(()), Err)
}

/// A rule that was broken, as the audit log has it.
fn failure(policy: &str, binding: &Object, denial: &Denial) -> String {
    let actions = binding.at(&["spec", "validationActions"]).cloned().unwrap_or_default();
    let message = serde_json::to_string(&denial.message).unwrap_or_default();
    format!(
        "[{{\"message\":{message},\"policy\":{policy:?},\"binding\":{:?},\"expressionIndex\":{},\"validationActions\":{actions:?}}}]",
        binding.name(),
        denial.idx
    )
}

/// The values of a request, which is at the version that a policy asked for.
pub(super) fn activation(
    api: &Api,
    attributes: &Attributes<'_>,
    matched: &Matched,
    namespace: Option<&Value>,
    params: Option<&Value>,
) -> Activation {
    Activation::new(api, attributes, &matched.resource, &matched.kind, namespace, params)
}

/// The namespace of a request; a namespace is in none.
pub(super) fn namespace_of(api: &Api, attributes: &Attributes<'_>) -> Result<Option<Value>, Status> {
    if attributes.namespace.is_empty() || attributes.resource.storage == "/namespaces" {
        return Ok(None);
    }
    let namespaces = crate::resource::GroupResource::new("", "namespaces");
    let stored = api.store().table("/namespaces").get(&Key::new("", attributes.namespace));
    let stored = stored.ok_or_else(|| Status::not_found(&namespaces, attributes.namespace))?;
    Ok(Some(namespace_object(&stored.object().to_value())))
}

fn refusal(attributes: &Attributes<'_>, policy: &str, binding: Option<&str>, denial: &Denial) -> Status {
    let message = match binding {
        Some(binding) => format!(
            "ValidatingAdmissionPolicy '{policy}' with binding '{binding}' denied request: {}",
            denial.message
        ),
        None => format!("ValidatingAdmissionPolicy '{policy}' denied request: {}", denial.message),
    };
    let mut status =
        Status::forbidden(&attributes.resource.group_resource(), attributes.shown_name(), &message);
    (status.reason, status.code) = match denial.reason.as_str() {
        "Forbidden" => ("Forbidden", 403),
        "Unauthorized" => ("Unauthorized", 401),
        "RequestEntityTooLarge" => ("RequestEntityTooLarge", 413),
        _ => ("Invalid", 422),
    };
    status.details.causes.push(Cause { reason: "", message, field: String::new() });
    status
}
