//! `MutatingAdmissionPolicy`: changes in CEL that a write gets before it is checked.

use std::collections::BTreeSet;

use windlass_cel::{Type, Value as Cel};
use windlass_kube::json_patch::{self, JsonPatchError};
use windlass_kube::{Gvk, Object, Value, merge, value};

use super::activation::{BUDGET, Evaluation, Variables};
use super::expressions::{Compiler, Outcome, Scope};
use super::matching::Matcher;
use super::validating::{Condition, activation, are_met, namespace_of};
use super::{Attributes, Rounds, params};
use crate::api::{Api, field_types};
use crate::status::{Cause, Status};

/// Where the policies are stored.
pub(super) const POLICIES: &str = "admissionregistration.k8s.io/mutatingadmissionpolicies";

/// Where what puts them into force is stored.
pub(super) const BINDINGS: &str = "admissionregistration.k8s.io/mutatingadmissionpolicybindings";

/// A policy, compiled.
#[derive(Debug)]
pub(super) struct Policy {
    name: String,
    ignores_faults: bool,
    /// Whether it looks again at what others changed after it.
    looks_again: bool,
    constraints: Matcher,
    param_kind: Option<Gvk>,
    variables: Variables,
    conditions: Vec<Condition>,
    mutations: Vec<Mutation>,
}

#[derive(Debug)]
struct Mutation {
    is_json_patch: bool,
    text: String,
    program: Outcome,
}

/// Why a policy refuses.
struct Fault {
    message: String,
    reason: &'static str,
}

impl Policy {
    pub(super) fn compile(policy: &Value) -> Self {
        let spec = policy.get("spec").cloned().unwrap_or_default();
        let param_kind = params::kind(&spec);
        let params = param_kind.is_some();
        let mut compiler = Compiler::composing();
        let variables = compiler.variables(spec.items_at(&["variables"]), params);
        let scope = Scope { params, authorizer: true, patches: false };
        let conditions = Condition::compile_all(spec.items_at(&["matchConditions"]), &compiler, scope);
        let mutations = spec
            .items_at(&["mutations"])
            .iter()
            .filter_map(|mutation| {
                let is_json_patch = mutation.str_at(&["patchType"]) == Some("JSONPatch");
                let key = if is_json_patch { "jsonPatch" } else { "applyConfiguration" };
                let text = mutation.str_at(&[key, "expression"])?.to_owned();
                let program = compile(&compiler, &text, is_json_patch, params);
                Some(Mutation { is_json_patch, text, program })
            })
            .collect();
        Self {
            name: policy.str_at(&["metadata", "name"]).unwrap_or_default().to_owned(),
            ignores_faults: spec.str_at(&["failurePolicy"]) == Some("Ignore"),
            looks_again: spec.str_at(&["reinvocationPolicy"]) == Some("IfNeeded"),
            constraints: Matcher::new(spec.get("matchConstraints").unwrap_or(&Value::Null)),
            param_kind,
            variables,
            conditions,
            mutations,
        }
    }
}

/// Compiles what makes a patch.
pub(crate) fn compile(compiler: &Compiler, text: &str, is_json_patch: bool, params: bool) -> Outcome {
    let expected = if is_json_patch {
        Type::list(Type::Struct("JSONPatch".into()))
    } else {
        Type::Struct("Object".into())
    };
    compiler.compile(text, Scope { params, authorizer: true, patches: true }, &[expected])
}

impl Mutation {
    /// The object after the change.
    fn apply(
        &self,
        api: &Api,
        attributes: &Attributes<'_>,
        object: &Value,
        evaluation: &mut Evaluation,
    ) -> Result<Value, String> {
        if let Err(why) = &self.program {
            return Err(why.clone());
        }
        let made = evaluation.run(&self.text, &self.program)??;
        match made {
            Cel::List(patch) if self.is_json_patch => {
                let operations: Result<Vec<Value>, String> =
                    patch.iter().map(|operation| operation_of(&operation)).collect();
                match json_patch::apply(object, &Value::from(operations?)) {
                    Ok(patched) => Ok(patched),
                    // A test that fails is how a patch says that it is not for this object.
                    Err(JsonPatchError::Apply(why)) if why.ends_with("test failed") => Ok(object.clone()),
                    Err(error) => Err(format!("JSON Patch: {error}")),
                }
            }
            Cel::Struct(made) => {
                check_names(&made)?;
                let config = made.to_json().ok_or("invalid return type: Object")?;
                merged(api, attributes, object, Value::Object(config))
            }
            other => Err(format!(
                "unsupported return type from ApplyConfiguration expression: {}",
                other.type_name()
            )),
        }
    }
}

fn check_names(made: &windlass_cel::Struct) -> Result<(), String> {
    let wrong: Vec<String> = made
        .misnamed()
        .into_iter()
        .map(|(name, expected)| {
            format!(
                "unexpected type name {name:?}, expected {expected:?}, which matches field name path from root Object type"
            )
        })
        .collect();
    if wrong.is_empty() { Ok(()) } else { Err(format!("type mismatch: {}", wrong.join("\n"))) }
}

/// One operation of a JSON patch.
fn operation_of(made: &Cel) -> Result<Value, String> {
    let Cel::Struct(made) = made else {
        return Err("type mismatch: JSONPatchType.expression should evaluate to array of JSONPatch".into());
    };
    let mut operation = value!({"op": "", "path": ""});
    for (field, value) in &made.fields {
        match (&**field, value) {
            ("value", value) => {
                if let Cel::Struct(inner) = value {
                    check_names(inner)?;
                }
                let json = value
                    .to_json()
                    .ok_or("JSONPath valueExpression evaluated to a type that could not marshal to JSON")?;
                operation.set_at(&["value"], json);
            }
            (field, Cel::String(text)) => operation.set_at(&[field], &**text),
            _ => {}
        }
    }
    Ok(operation)
}

/// An object with the fields of a configuration, as an apply without ownership merges them.
fn merged(
    api: &Api,
    attributes: &Attributes<'_>,
    object: &Value,
    mut config: Value,
) -> Result<Value, String> {
    for key in ["apiVersion", "kind"] {
        config.set_at(&[key], object.get(key).cloned().unwrap_or_default());
    }
    let object_type = field_types(api, attributes.resource, &attributes.kind);
    let fields = object.at(&["metadata", "managedFields"]).cloned();
    let read = |value: Value| Object::try_new(value).map_err(|error| error.to_string());
    let mut live = read(object.clone())?;
    live.remove_at(&["metadata", "managedFields"]);
    let mut config = read(config)?;
    let atomics = atomics(&object_type, &config);
    if !atomics.is_empty() {
        return Err(format!(
            "error applying patch: invalid ApplyConfiguration: may not mutate atomic arrays, maps or structs: {}",
            atomics.join(", ")
        ));
    }
    // Applies name their object; what has no name yet goes by one that is taken away again.
    let name = live.at(&["metadata", "name"]).cloned().unwrap_or_default();
    config.set_at(&["metadata", "name"], name.clone());
    let request = merge::Request {
        manager: "policy",
        object_type: &object_type,
        subresource: "",
        now: "",
        ignored: None,
    };
    let applied = merge::apply(Some(&live), &config, &request, true)
        .map_err(|error| format!("error applying patch: {error}"))?;
    let mut merged = applied.object.into_value();
    merged.remove_at(&["metadata", "managedFields"]);
    if let Some(fields) = fields {
        merged.set_at(&["metadata", "managedFields"], fields);
    }
    if name.is_null() {
        merged.remove_at(&["metadata", "name"]);
    }
    Ok(merged)
}

/// The lists, maps and structs of a configuration that can only be set as a whole.
fn atomics(object_type: &windlass_kube::schema::ObjectType, config: &Object) -> Vec<String> {
    use windlass_kube::fields::PathElement;
    let mut found = BTreeSet::new();
    for path in merge::fields_of(object_type, config).leaves().paths() {
        let mut here = Some(config.to_value());
        for element in path.iter() {
            here = match (element, here) {
                (PathElement::Field(name), Some(value)) => value.get(name).cloned(),
                _ => None,
            };
        }
        let is_whole = match here {
            Some(Value::Array(items)) => !items.is_empty(),
            Some(Value::Object(map)) => !map.is_empty(),
            _ => false,
        };
        if is_whole {
            found.insert(path.to_string());
        }
    }
    found.into_iter().map(|path| if path.starts_with('.') { path } else { format!(".{path}") }).collect()
}

/// Lets every policy that is in force change the object.
///
/// # Errors
///
/// All that went wrong.
pub(super) async fn dispatch(
    api: &Api,
    attributes: &mut Attributes<'_>,
    rounds: &mut Rounds,
) -> Result<(), Status> {
    let bindings = api.store().table(BINDINGS);
    if bindings.is_empty() || attributes.object.is_none() {
        return Ok(());
    }
    rounds.begin(attributes.object.as_ref());
    let bindings: Vec<Object> = bindings.list(None).objects.iter().map(|stored| stored.object()).collect();
    let mut faults: Vec<Fault> = Vec::new();
    let mut invocations = Vec::new();
    for stored in api.store().table(POLICIES).list(None).objects {
        let policy = api.compiled().mutating(&stored);
        let mut fault = |binding: Option<&str>, why: String| {
            if !policy.ignores_faults {
                let shown = match binding {
                    Some(binding) => {
                        format!(
                            "policy '{}' with binding '{binding}' denied request: failed to configure binding: {why}",
                            policy.name
                        )
                    }
                    None => {
                        format!("policy {:?} denied request: failed to configure policy: {why}", policy.name)
                    }
                };
                faults.push(Fault { message: shown, reason: "" });
            }
        };
        let matched = match policy.constraints.matches(api, attributes) {
            Ok(None) => continue,
            Ok(Some(matched)) => matched,
            Err(status) => {
                fault(None, status.message);
                continue;
            }
        };
        let param_resource = match policy.param_kind.as_ref().map(|kind| params::resource_of(api, kind)) {
            None => None,
            Some(Ok(resource)) => Some(resource),
            Some(Err(why)) => {
                fault(None, why);
                continue;
            }
        };
        let bound = bindings.iter().filter(|it| it.str_at(&["spec", "policyName"]) == policy.name);
        for binding in bound {
            let Some(found) = params::given(api, attributes, binding, param_resource.as_deref()) else {
                continue;
            };
            match found {
                Ok(found) => invocations.extend(
                    found
                        .into_iter()
                        .map(|param| (policy.clone(), binding.name().to_owned(), matched.clone(), param)),
                ),
                Err(why) => fault(Some(binding.name()), why),
            }
        }
    }
    let namespace = namespace_of(api, attributes)?;
    let mut is_patched = false;
    for (policy, binding, matched, param) in invocations {
        let mut fault = |why: String| {
            if !policy.ignores_faults {
                let shown =
                    format!("policy '{}' with binding '{binding}' denied request: {why}", policy.name);
                faults.push(Fault { message: shown, reason: "Invalid" });
            }
        };
        let values = |attributes: &Attributes<'_>| {
            activation(api, attributes, &matched, namespace.as_ref(), param.as_ref())
        };
        match are_met(
            &policy.conditions,
            &policy.variables,
            &values(&attributes.at_kind(api, &matched.kind).await?),
        ) {
            Ok(true) => {}
            Ok(false) => continue,
            Err(why) => {
                if !policy.ignores_faults {
                    fault(why);
                }
                continue;
            }
        }
        let key = format!("{}/{binding}/{}", policy.name, param_key(param.as_ref()));
        if rounds.is_again && !rounds.is_due(&key) {
            continue;
        }
        let before = attributes.object.clone();
        for mutation in &policy.mutations {
            let Some(object) = attributes.object.clone() else { continue };
            let mut at = attributes.at_kind(api, &matched.kind).await?;
            let mut evaluation = values(&at).evaluation(&policy.variables, BUDGET);
            let object = at.object.clone().unwrap_or(object);
            at.kind = matched.kind.clone();
            match mutation.apply(api, &at, &object, &mut evaluation) {
                Ok(changed) => {
                    let changed = api.at_kind(attributes.resource, &changed, &attributes.kind).await?;
                    match api.reread(attributes.resource, changed) {
                        Ok(changed) => {
                            attributes.object = Some(changed);
                            is_patched = true;
                        }
                        Err(status) => fault(status.message),
                    }
                }
                Err(why) => fault(why),
            }
        }
        if attributes.object != before {
            rounds.changed();
        }
        if policy.looks_again {
            rounds.looks_again(key);
        }
    }
    rounds.end(attributes.object.as_ref(), is_patched);
    refused(attributes, faults)
}

fn param_key(param: Option<&Value>) -> String {
    let text = |key: &str| param.and_then(|param| param.str_at(&["metadata", key])).unwrap_or_default();
    format!("{}/{}", text("namespace"), text("name"))
}

fn refused(attributes: &Attributes<'_>, faults: Vec<Fault>) -> Result<(), Status> {
    let Some(first) = faults.first() else { return Ok(()) };
    let mut status = Status::forbidden(&attributes.resource.group_resource(), attributes.shown_name(), "");
    status.message.clone_from(&first.message);
    if !first.reason.is_empty() {
        status.reason = first.reason;
    }
    status.details.causes = faults
        .into_iter()
        .map(|fault| Cause { reason: "", message: fault.message, field: String::new() })
        .collect();
    Err(status)
}
