//! Admission policies, their bindings, and the requests that they and webhooks are about.

use std::collections::HashSet;

use windlass_cel::Type;
use windlass_kube::{Value, validation};

use super::errors::{Errors, text};
use super::selectors;
use crate::admission::expressions::{Compiler, Outcome, Scope};
use crate::admission::mutating;

/// How many conditions a policy or a webhook may have.
const MAX_CONDITIONS: usize = 64;

/// How many annotations a policy may make.
const MAX_ANNOTATIONS: usize = 20;

/// How long the expression of an annotation may be, in bytes.
const LONGEST_ANNOTATION: usize = 5 * 1024;

const FAILURE_POLICIES: [&str; 2] = ["Fail", "Ignore"];
const MATCH_POLICIES: [&str; 2] = ["Equivalent", "Exact"];
const OPERATIONS: [&str; 5] = ["*", "CONNECT", "CREATE", "DELETE", "UPDATE"];
const SCOPES: [&str; 3] = ["*", "Cluster", "Namespaced"];

pub(super) fn validating_policy(object: &Value, errors: &mut Errors) {
    let empty = Value::object();
    let spec = object.get("spec").unwrap_or(&empty);
    let params = policy(spec, errors);
    let variables = spec.items_at(&["variables"]);
    let mut compiler = if variables.is_empty() { Compiler::plain() } else { Compiler::composing() };
    self::variables(variables, params, &mut compiler, errors);
    let (validations, annotations) = (spec.items_at(&["validations"]), spec.items_at(&["auditAnnotations"]));
    if validations.is_empty() && annotations.is_empty() {
        for field in ["spec.validations", "spec.auditAnnotations"] {
            errors.required(field, "validations or auditAnnotations must contain at least one item");
        }
    }
    for (one, idx) in validations.iter().zip(0..) {
        validation(one, params, &compiler, &format!("spec.validations[{idx}]"), errors);
    }
    if annotations.len() > MAX_ANNOTATIONS {
        let detail = format!("must not have more than {MAX_ANNOTATIONS} auditAnnotations");
        errors.invalid("spec.auditAnnotations", annotations.to_vec(), &detail);
    }
    let name = object.str_at(&["metadata", "name"]).unwrap_or_default();
    let mut keys = HashSet::new();
    for (one, idx) in annotations.iter().zip(0..) {
        let field = format!("spec.auditAnnotations[{idx}]");
        annotation(one, name, params, &compiler, &field, errors);
        if !keys.insert(text(one, "key")) {
            errors.duplicate(&format!("{field}.key"), text(one, "key"));
        }
    }
}

/// What every kind of policy has; whether it has parameters.
fn policy(spec: &Value, errors: &mut Errors) -> bool {
    match text(spec, "failurePolicy") {
        "" => errors.required("spec.failurePolicy", ""),
        given => errors.one_of("spec.failurePolicy", given, &FAILURE_POLICIES),
    }
    let kind = spec.get("paramKind");
    if let Some(kind) = kind {
        param_kind(kind, errors);
    }
    match spec.get("matchConstraints") {
        None => errors.required("spec.matchConstraints", ""),
        Some(constraints) => {
            match_resources(constraints, "spec.matchConstraints", errors);
            if constraints.items_at(&["resourceRules"]).is_empty() {
                errors.required("spec.matchConstraints.resourceRules", "");
            }
        }
    }
    conditions(spec.items_at(&["matchConditions"]), kind.is_some(), "spec.matchConditions", errors);
    kind.is_some()
}

fn param_kind(kind: &Value, errors: &mut Errors) {
    let field = "spec.paramKind.apiVersion";
    let version = text(kind, "apiVersion");
    match version.split('/').collect::<Vec<_>>().as_slice() {
        _ if version.is_empty() => errors.required(field, ""),
        [version] => version_label(version, version, errors),
        [group, short] => {
            let wrong = validation::dns1123_subdomain(group);
            if !group.is_empty() && !wrong.is_empty() {
                errors.invalid(field, *group, &wrong.join(","));
            }
            version_label(short, version, errors);
        }
        _ => errors.invalid(field, version, &format!("unexpected GroupVersion string: {version}")),
    }
    let field = "spec.paramKind.kind";
    let kind = text(kind, "kind");
    let wrong = validation::dns1035_label(&kind.to_lowercase());
    if kind.is_empty() {
        errors.required(field, "");
    } else if !wrong.is_empty() {
        let detail = format!("may have mixed case, but should otherwise match: {}", wrong.join(","));
        errors.invalid(field, kind, &detail);
    }
}

fn version_label(version: &str, whole: &str, errors: &mut Errors) {
    let field = "spec.paramKind.apiVersion";
    let wrong = validation::dns1035_label(version);
    if version.is_empty() {
        errors.invalid(field, whole, "version must be specified");
    } else if !wrong.is_empty() {
        errors.invalid(field, version, &wrong.join(","));
    }
}

fn variables(variables: &[Value], params: bool, compiler: &mut Compiler, errors: &mut Errors) {
    for (variable, idx) in variables.iter().zip(0..) {
        let field = format!("spec.variables[{idx}]");
        let name = text(variable, "name");
        if name.trim().is_empty() {
            errors.required(&format!("{field}.name"), "name is not specified");
        } else if !is_identifier(name) {
            errors.invalid(&format!("{field}.name"), name, "must be a valid CEL identifier");
        }
        let expression = text(variable, "expression");
        if expression.trim().is_empty() {
            errors.required(&format!("{field}.expression"), "expression is not specified");
        } else if let Err(why) = compiler.variable(name, expression, params) {
            errors.invalid(&format!("{field}.expression"), expression, &why);
        }
    }
}

/// Whether a name is one that expressions can say as it is.
fn is_identifier(name: &str) -> bool {
    name.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_')
        && name.chars().all(|char| char.is_ascii_alphanumeric() || char == '_')
        // A reserved word gets another name.
        && windlass_cel::escape(name).is_some_and(|escaped| escaped == name.replace("__", "__underscores__"))
}

fn compiled(outcome: Outcome, field: &str, expression: &str, errors: &mut Errors) {
    if let Err(why) = outcome {
        errors.invalid(field, expression, &why);
    }
}

fn validation(one: &Value, params: bool, compiler: &Compiler, path: &str, errors: &mut Errors) {
    let expression = text(one, "expression");
    let field = format!("{path}.expression");
    if expression.trim().is_empty() {
        errors.required(&field, "expression is not specified");
    } else {
        let scope = Scope { params, authorizer: true, patches: false };
        compiled(compiler.compile(expression, scope, &[Type::Bool]), &field, expression, errors);
    }
    let expression = text(one, "messageExpression");
    let field = format!("{path}.messageExpression");
    if !expression.is_empty() && expression.trim().is_empty() {
        errors.invalid(&field, expression, "must be non-empty if specified");
    } else if !expression.is_empty() {
        let scope = Scope { params, authorizer: false, patches: false };
        compiled(compiler.compile(expression, scope, &[Type::String]), &field, expression, errors);
    }
    let message = text(one, "message");
    let field = format!("{path}.message");
    if !message.is_empty() && message.trim().is_empty() {
        errors.invalid(&field, message, "must be non-empty if specified");
    } else if message.trim().contains(['\n', '\r']) {
        errors.invalid(&field, message, "must not contain line breaks");
    }
    if let Some(reason) = one.str_at(&["reason"]) {
        errors.one_of(&format!("{path}.reason"), reason, &["Forbidden", "Invalid", "RequestEntityTooLarge"]);
    }
}

fn annotation(one: &Value, name: &str, params: bool, compiler: &Compiler, path: &str, errors: &mut Errors) {
    let key = format!("{name}/{}", text(one, "key"));
    errors.invalid_each(&format!("{path}.key"), &key, validation::label_key(&key));
    let (field, given) = (format!("{path}.valueExpression"), text(one, "valueExpression"));
    let expression = given.trim();
    if expression.is_empty() {
        errors.required(&field, "valueExpression is not specified");
    } else if expression.len() > LONGEST_ANNOTATION {
        errors.required(&field, &format!("must not exceed {LONGEST_ANNOTATION} bytes in length"));
    } else {
        let scope = Scope { params, authorizer: true, patches: false };
        let outcome = compiler.compile(expression, scope, &[Type::String, Type::Null]);
        compiled(outcome, &field, given, errors);
    }
}

pub(super) fn conditions(conditions: &[Value], params: bool, path: &str, errors: &mut Errors) {
    if conditions.len() > MAX_CONDITIONS {
        errors.too_many(path, conditions.len(), MAX_CONDITIONS);
    }
    let mut names = HashSet::new();
    for (condition, idx) in conditions.iter().zip(0..) {
        let expression = text(condition, "expression").trim();
        let field = format!("{path}[{idx}].expression");
        if expression.is_empty() {
            errors.required(&field, "");
        } else {
            let scope = Scope { params, authorizer: true, patches: false };
            let outcome = Compiler::plain().compile(expression, scope, &[Type::Bool]);
            compiled(outcome, &field, expression, errors);
        }
        let (field, name) = (format!("{path}[{idx}].name"), text(condition, "name"));
        if name.is_empty() {
            errors.required(&field, "");
            continue;
        }
        errors.invalid_each(&field, name, validation::label_key(name));
        if !names.insert(name) {
            errors.duplicate(&field, name);
        }
    }
}

fn match_resources(resources: &Value, path: &str, errors: &mut Errors) {
    match text(resources, "matchPolicy") {
        "" => errors.required(&format!("{path}.matchPolicy"), ""),
        given => errors.one_of(&format!("{path}.matchPolicy"), given, &MATCH_POLICIES),
    }
    for key in ["namespaceSelector", "objectSelector"] {
        let field = format!("{path}.{key}");
        match resources.get(key) {
            None => errors.required(&field, ""),
            Some(selector) => {
                selectors::check(selector, &field, errors);
            }
        }
    }
    for key in ["resourceRules", "excludeResourceRules"] {
        for (rule, idx) in resources.items_at(&[key]).iter().zip(0..) {
            let field = format!("{path}.{key}[{idx}]");
            let mut names = HashSet::new();
            for (name, idx) in rule.items_at(&["resourceNames"]).iter().filter_map(Value::as_str).zip(0..) {
                let field = format!("{field}.resourceNames[{idx}]");
                errors.invalid_each(&field, name, validation::path_segment_name(name));
                if !names.insert(name) {
                    errors.duplicate(&field, name);
                }
            }
            self::rule(rule, &field, errors);
        }
    }
}

/// Operations on resources, of a policy or of a webhook.
pub(super) fn rule(rule: &Value, path: &str, errors: &mut Errors) {
    let field = format!("{path}.operations");
    let operations = rule.items_at(&["operations"]);
    wildcard_alone(operations, &field, "operations", errors);
    for (operation, idx) in operations.iter().filter_map(Value::as_str).zip(0..) {
        errors.one_of(&format!("{field}[{idx}]"), operation, &OPERATIONS);
    }
    wildcard_alone(rule.items_at(&["apiGroups"]), &format!("{path}.apiGroups"), "API groups", errors);
    let field = format!("{path}.apiVersions");
    let versions = rule.items_at(&["apiVersions"]);
    wildcard_alone(versions, &field, "API versions", errors);
    for (version, idx) in versions.iter().zip(0..) {
        if version.as_str() == Some("") {
            errors.required(&format!("{field}[{idx}]"), "");
        }
    }
    resources(rule.items_at(&["resources"]), &format!("{path}.resources"), errors);
    if let Some(scope) = rule.str_at(&["scope"]) {
        errors.one_of(&format!("{path}.scope"), scope, &SCOPES);
    }
}

/// A list that must have something, and nothing beside `*`.
fn wildcard_alone(list: &[Value], field: &str, what: &str, errors: &mut Errors) {
    if list.is_empty() {
        errors.required(field, "");
    }
    if list.len() > 1 && list.iter().any(|one| one.as_str() == Some("*")) {
        let detail = format!("if '*' is present, must not specify other {what}");
        errors.invalid(field, list.to_vec(), &detail);
    }
}

fn resources(list: &[Value], field: &str, errors: &mut Errors) {
    if list.is_empty() {
        errors.required(field, "");
    }
    let (mut with_any_part, mut part_of_any) = (HashSet::new(), HashSet::new());
    let mut is_last_plain = false;
    for (full, idx) in list.iter().filter_map(Value::as_str).zip(0..) {
        let field = format!("{field}[{idx}]");
        if full.is_empty() {
            errors.required(&field, "");
            continue;
        }
        let Some((resource, part)) = full.split_once('/') else {
            is_last_plain = full != "*";
            continue;
        };
        if with_any_part.contains(resource) {
            let detail = format!("if '{resource}/*' is present, must not specify {full}");
            errors.invalid(&field, full, &detail);
        }
        if part_of_any.contains(part) {
            let detail = format!("if '*/{part}' is present, must not specify {full}");
            errors.invalid(&field, full, &detail);
        }
        if part == "*" {
            with_any_part.insert(resource);
        }
        if resource == "*" {
            part_of_any.insert(part);
        }
    }
    let has = |word: &str| list.iter().any(|one| one.as_str() == Some(word));
    if list.len() > 1 && has("*/*") {
        errors.invalid(field, list.to_vec(), "if '*/*' is present, must not specify other resources");
    }
    if has("*") && is_last_plain {
        let detail = "if '*' is present, must not specify other resources without subresources";
        errors.invalid(field, list.to_vec(), detail);
    }
}

pub(super) fn mutating_policy(object: &Value, errors: &mut Errors) {
    let empty = Value::object();
    let spec = object.get("spec").unwrap_or(&empty);
    let params = policy(spec, errors);
    only_mutable(spec.get("matchConstraints"), "spec.matchConstraints", errors);
    let mut compiler = Compiler::composing();
    variables(spec.items_at(&["variables"]), params, &mut compiler, errors);
    let mutations = spec.items_at(&["mutations"]);
    if mutations.is_empty() {
        errors.required("spec.mutations", "mutations must contain at least one item");
    }
    for (one, idx) in mutations.iter().zip(0..) {
        mutation(one, params, &compiler, &format!("spec.mutations[{idx}]"), errors);
    }
    match text(spec, "reinvocationPolicy") {
        "" => errors.required("spec.reinvocationPolicy", ""),
        given => errors.one_of("spec.reinvocationPolicy", given, &["IfNeeded", "Never"]),
    }
}

/// What is deleted cannot be changed.
fn only_mutable(resources: Option<&Value>, path: &str, errors: &mut Errors) {
    for rule in resources.map_or(&[][..], |resources| resources.items_at(&["resourceRules"])) {
        for operation in rule.items_at(&["operations"]).iter().filter_map(Value::as_str) {
            errors.one_of(
                &format!("{path}.resourceRules.operations"),
                operation,
                &["*", "CONNECT", "CREATE", "UPDATE"],
            );
        }
    }
}

fn mutation(one: &Value, params: bool, compiler: &Compiler, path: &str, errors: &mut Errors) {
    let field = format!("{path}.patchType");
    let (own, other) = match text(one, "patchType") {
        "" => {
            errors.required(&field, "");
            return;
        }
        "JSONPatch" => ("jsonPatch", "applyConfiguration"),
        "ApplyConfiguration" => ("applyConfiguration", "jsonPatch"),
        given => {
            errors.one_of(&field, given, &["ApplyConfiguration", "JSONPatch"]);
            return;
        }
    };
    let given = text(one, "patchType");
    match one.get(own) {
        None => {
            let detail = format!("must be specified when patchType is {given}");
            errors.required(&format!("{path}.{own}"), &detail);
        }
        Some(patch) => {
            let field = format!("{path}.{own}.expression");
            let expression = text(patch, "expression").trim();
            if expression.is_empty() {
                errors.required(&field, "");
            } else {
                let outcome = mutating::compile(compiler, expression, own == "jsonPatch", params);
                compiled(outcome, &field, expression, errors);
            }
        }
    }
    if one.get(other).is_some() {
        let detail = format!("must not be specified when patchType is {given}");
        errors.invalid(&format!("{path}.{other}"), format!("{{{other}}}"), &detail);
    }
}

pub(super) fn mutating_binding(object: &Value, errors: &mut Errors) {
    binding(object, errors);
    only_mutable(object.at(&["spec", "matchResources"]), "spec.matchResources", errors);
}

pub(super) fn validating_binding(object: &Value, errors: &mut Errors) {
    binding(object, errors);
    let field = "spec.validationActions";
    let actions = object.items_at(&["spec", "validationActions"]);
    let mut seen = HashSet::new();
    for (action, idx) in actions.iter().filter_map(Value::as_str).zip(0..) {
        errors.one_of(&format!("{field}[{idx}]"), action, &["Audit", "Deny", "Warn"]);
        if !seen.insert(action) {
            errors.duplicate(&format!("{field}[{idx}]"), action);
        }
    }
    if seen.contains("Deny") && seen.contains("Warn") {
        let detail = "must not contain both Deny and Warn (repeating the same validation failure information in the API response and headers serves no purpose)";
        errors.invalid(field, actions.to_vec(), detail);
    }
    if seen.is_empty() {
        errors.required(field, "at least one validation action is required");
    }
}

/// What every kind of binding has.
fn binding(object: &Value, errors: &mut Errors) {
    match object.str_at(&["spec", "policyName"]).unwrap_or_default() {
        "" => errors.required("spec.policyName", ""),
        name => errors.invalid_each("spec.policyName", name, validation::dns1123_subdomain(name)),
    }
    if let Some(reference) = object.at(&["spec", "paramRef"]) {
        param_reference(reference, errors);
    }
    if let Some(resources) = object.at(&["spec", "matchResources"]) {
        match_resources(resources, "spec.matchResources", errors);
    }
}

fn param_reference(reference: &Value, errors: &mut Errors) {
    let (name, selector) = (text(reference, "name"), reference.get("selector"));
    let exclusive = "name and selector are mutually exclusive";
    if !name.is_empty() {
        errors.invalid_each("spec.paramRef.name", name, validation::path_segment_name(name));
        if selector.is_some() {
            errors.forbidden("spec.paramRef.name", exclusive);
        }
    }
    match selector {
        Some(selector) => {
            selectors::check(selector, "spec.paramRef.selector", errors);
            if !name.is_empty() {
                errors.forbidden("spec.paramRef.selector", exclusive);
            }
        }
        None if name.is_empty() => {
            errors.required("spec.paramRef", "one of name or selector must be specified");
        }
        None => {}
    }
    let field = "spec.paramRef.parameterNotFoundAction";
    match text(reference, "parameterNotFoundAction") {
        "" => errors.required(field, ""),
        given => errors.one_of(field, given, &["Deny", "Allow"]),
    }
}

/// The webhooks of a configuration. What was stored under looser rules may stay.
pub(super) fn webhooks(object: &Value, is_mutating: bool, errors: &mut Errors) {
    let mut names = HashSet::new();
    for (hook, idx) in object.items_at(&["webhooks"]).iter().zip(0..) {
        let field = format!("webhooks[{idx}]");
        webhook(hook, is_mutating, &field, errors);
        review_versions(hook, &format!("{field}.admissionReviewVersions"), errors);
        let name = text(hook, "name");
        if !name.is_empty() && !names.insert(name) {
            errors.duplicate(&format!("{field}.name"), name);
        }
    }
}

fn webhook(hook: &Value, is_mutating: bool, path: &str, errors: &mut Errors) {
    let name = text(hook, "name");
    let field = format!("{path}.name");
    let wrong = validation::dns1123_subdomain(name);
    if name.is_empty() {
        errors.required(&field, "");
    } else if !wrong.is_empty() {
        errors.invalid_each(&field, name, wrong);
    } else if name.split('.').count() < 3 {
        errors.invalid(&field, name, "should be a domain with at least three segments separated by dots");
    }
    for (one, idx) in hook.items_at(&["rules"]).iter().zip(0..) {
        rule(one, &format!("{path}.rules[{idx}]"), errors);
    }
    if let Some(given) = hook.str_at(&["failurePolicy"]) {
        errors.one_of(&format!("{path}.failurePolicy"), given, &FAILURE_POLICIES);
    }
    if let Some(given) = hook.str_at(&["matchPolicy"]) {
        errors.one_of(&format!("{path}.matchPolicy"), given, &MATCH_POLICIES);
    }
    match hook.str_at(&["sideEffects"]) {
        None => errors.required(&format!("{path}.sideEffects"), "must specify one of None, NoneOnDryRun"),
        Some(given) => errors.one_of(&format!("{path}.sideEffects"), given, &["None", "NoneOnDryRun"]),
    }
    if let Some(seconds) = hook.int_at(&["timeoutSeconds"]).filter(|seconds| !(1..=30).contains(seconds)) {
        let detail = "the timeout value must be between 1 and 30 seconds";
        errors.invalid(&format!("{path}.timeoutSeconds"), seconds, detail);
    }
    for key in ["namespaceSelector", "objectSelector"] {
        if let Some(selector) = hook.get(key) {
            selectors::check(selector, &format!("{path}.{key}"), errors);
        }
    }
    if let Some(given) = hook.str_at(&["reinvocationPolicy"]).filter(|_| is_mutating) {
        errors.one_of(&format!("{path}.reinvocationPolicy"), given, &["IfNeeded", "Never"]);
    }
    let empty = Value::object();
    let client = hook.get("clientConfig").unwrap_or(&empty);
    let field = format!("{path}.clientConfig");
    match (client.str_at(&["url"]), client.get("service")) {
        (Some(url), None) => webhook_url(url, &format!("{field}.url"), errors),
        (None, Some(service)) => webhook_service(service, &format!("{field}.service"), errors),
        _ => errors.required(&field, "exactly one of url or service is required"),
    }
    conditions(hook.items_at(&["matchConditions"]), false, &format!("{path}.matchConditions"), errors);
}

fn review_versions(hook: &Value, field: &str, errors: &mut Errors) {
    let versions = hook.items_at(&["admissionReviewVersions"]);
    known_versions(versions, field, "must specify one of v1, v1beta1", errors);
}

/// The versions of a review that a webhook takes, among which must be one that is known.
fn known_versions(versions: &[Value], field: &str, absent: &str, errors: &mut Errors) {
    if versions.is_empty() {
        errors.required(field, absent);
        return;
    }
    let mut seen = HashSet::new();
    for (version, idx) in versions.iter().filter_map(Value::as_str).zip(0..) {
        let field = format!("{field}[{idx}]");
        if seen.insert(version) {
            errors.invalid_each(&field, version, validation::dns1035_label(version));
        } else {
            errors.invalid(&field, version, "duplicate version");
        }
    }
    if !seen.contains("v1") && !seen.contains("v1beta1") {
        errors.invalid(field, versions.to_vec(), "must include at least one of v1, v1beta1");
    }
}

/// How a definition of custom resources has its versions converted; `conversion` as it is read, the fields as the
/// original names them inside.
pub(super) fn conversion(conversion: &Value, errors: &mut Errors) {
    const CLIENT: &str = "spec.conversion.webhookClientConfig";
    const VERSIONS: &str = "spec.conversion.conversionReviewVersions";
    let strategy = text(conversion, "strategy");
    errors.one_of("spec.conversion.strategy", strategy, &["None", "Webhook"]);
    let client = conversion.at(&["webhook", "clientConfig"]);
    let versions = conversion.items_at(&["webhook", "conversionReviewVersions"]);
    if strategy != "Webhook" {
        let why = "should not be set when strategy is not set to Webhook";
        if client.is_some() {
            errors.forbidden(CLIENT, why);
        }
        if !versions.is_empty() {
            errors.forbidden(VERSIONS, why);
        }
        return;
    }
    match client.map(|client| (client.str_at(&["url"]), client.get("service"))) {
        None => errors.required(CLIENT, "required when strategy is set to Webhook"),
        Some((Some(url), None)) => webhook_url(url, &format!("{CLIENT}.url"), errors),
        Some((None, Some(service))) => webhook_service(service, &format!("{CLIENT}.service"), errors),
        Some(_) => errors.required(CLIENT, "exactly one of url or service is required"),
    }
    known_versions(versions, VERSIONS, "", errors);
}

fn webhook_url(url: &str, field: &str, errors: &mut Errors) {
    let form = "desired format: https://host[/path]";
    let (scheme, rest) = url.split_once("://").unwrap_or(("", url));
    if scheme != "https" {
        errors.invalid(field, scheme, &format!("'https' is the only allowed URL scheme; {form}"));
    }
    let (rest, fragment) = rest.split_once('#').unwrap_or((rest, ""));
    let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
    let (user, host) = match rest.split('/').next().unwrap_or_default().rsplit_once('@') {
        Some((user, host)) => (user, host),
        None => ("", rest.split('/').next().unwrap_or_default()),
    };
    if host.is_empty() {
        errors.invalid(field, host, &format!("host must be specified; {form}"));
    }
    if !user.is_empty() {
        errors.invalid(field, user, "user information is not permitted in the URL");
    }
    if !fragment.is_empty() {
        errors.invalid(field, fragment, "fragments are not permitted in the URL");
    }
    if !query.is_empty() {
        errors.invalid(field, query, "query parameters are not permitted in the URL");
    }
}

fn webhook_service(service: &Value, field: &str, errors: &mut Errors) {
    // kube-apiserver 1.36 takes one for the other.
    for (key, named) in [("namespace", "name"), ("name", "namespace")] {
        if text(service, key).is_empty() {
            errors.required(&format!("{field}.{named}"), "");
        }
    }
    if let Some(port) = service.int_at(&["port"]).filter(|port| !(1..=65_535).contains(port)) {
        let detail = "port is not valid: must be between 1 and 65535, inclusive";
        errors.invalid(&format!("{field}.port"), port, detail);
    }
    let Some(path) = service.str_at(&["path"]) else { return };
    let field = format!("{field}.path");
    if path == "/" || path.is_empty() {
        return;
    }
    if path == "//" {
        errors.invalid(&field, path, "segment[0] may not be empty");
        return;
    }
    if !path.starts_with('/') {
        errors.invalid(&field, path, "must start with a '/'");
    }
    let mut rest = path.chars();
    rest.next();
    let whole = rest.as_str();
    let whole = whole.strip_suffix('/').unwrap_or(whole);
    for (segment, idx) in whole.split('/').zip(0..) {
        if segment.is_empty() {
            errors.invalid(&field, path, &format!("segment[{idx}] may not be empty"));
            continue;
        }
        for message in validation::dns1123_subdomain(segment) {
            errors.invalid(&field, path, &format!("segment[{idx}]: {message}"));
        }
    }
}
