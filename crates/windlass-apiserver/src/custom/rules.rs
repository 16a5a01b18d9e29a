//! `x-kubernetes-validations`: the rules in CEL that a schema states, checked on objects.

use std::sync::Arc;

use windlass_cel::{Declaration, Environment, Fault, PER_CALL_LIMIT, Program, Type};
use windlass_kube::{Str, Value};

use crate::status::Cause;

/// What all rules of one object may cost together: kube-apiserver's budget, about a second there.
const OBJECT_BUDGET: u64 = 10_000_000;

/// The longest message that an expression may make, in bytes, as in kube-apiserver.
const LONGEST_MESSAGE: usize = 5 * 1024;

/// The rules at one place of a schema, and below.
#[derive(Debug)]
pub(crate) struct RuleNode {
    /// The type that the schema states.
    kind: Str,
    declaration: Option<Arc<Declaration>>,
    rules: Vec<Rule>,
    items: Option<Box<Self>>,
    properties: Vec<(Str, Self)>,
    additional: Option<Box<Self>>,
    all_of: Vec<Self>,
    /// The keys by which items are told apart, in a list that is a map.
    list_keys: Option<Vec<Str>>,
}

#[derive(Debug)]
struct Rule {
    text: String,
    message: String,
    /// Nothing for an empty rule.
    program: Option<Result<Program, String>>,
    message_program: Option<Program>,
    reason: Str,
    field_path: String,
    old_is_optional: bool,
    uses_old: bool,
}

/// What rules found.
#[derive(Debug, Default)]
pub(crate) struct Found {
    pub(crate) causes: Vec<Cause>,
    /// What is wrong where nothing changed.
    pub(crate) warnings: Vec<String>,
}

/// What an environment of a rule declares: the value here, and the value that was here.
pub(super) fn environment(declaration: &Arc<Declaration>, old_is_optional: bool) -> Environment {
    let environment = Environment::new().with_declared("self", declaration);
    if old_is_optional {
        environment.with_optional("oldSelf", declaration)
    } else {
        environment.with_declared("oldSelf", declaration)
    }
}

/// Compiles a rule; the error is worded as kube-apiserver words it.
pub(super) fn compile_rule(environment: &Environment, text: &str) -> Result<Program, String> {
    let program = environment.compile(text).map_err(|error| match error {
        windlass_cel::CompileError::Problems(problems) => format!("compilation failed: {problems}"),
        windlass_cel::CompileError::Constant(message) => format!("program instantiation failed: {message}"),
    })?;
    if *program.ty() != Type::Bool {
        return Err("cel expression must evaluate to a bool".into());
    }
    Ok(program)
}

/// Compiles what makes a message.
pub(super) fn compile_message(environment: &Environment, text: &str) -> Result<Program, String> {
    let program = environment.compile(text).map_err(|error| match error {
        windlass_cel::CompileError::Problems(problems) => {
            format!("messageExpression compilation failed: {problems}")
        }
        windlass_cel::CompileError::Constant(message) => {
            format!("messageExpression instantiation failed: {message}")
        }
    })?;
    if *program.ty() != Type::String {
        return Err("messageExpression must evaluate to a string".into());
    }
    Ok(program)
}

impl RuleNode {
    /// Compiles the rules of a schema; nothing if it has none.
    pub(super) fn compile(schema: &Value) -> Option<Self> {
        if !has_rules(schema, 0) {
            return None;
        }
        let declaration = Declaration::of_schema(schema, "selfType", true);
        Self::build(schema, schema, declaration.as_ref(), 0)
    }

    /// `stated` says what must hold, `node` what there is: they are two below `allOf`.
    fn build(
        stated: &Value,
        node: &Value,
        declaration: Option<&Arc<Declaration>>,
        depth: usize,
    ) -> Option<Self> {
        if depth > super::schema::MAX_DEPTH {
            return None;
        }
        let rules = match declaration {
            Some(declaration) => stated
                .items_at(&["x-kubernetes-validations"])
                .iter()
                .map(|rule| Rule::new(rule, declaration))
                .collect(),
            None => Vec::new(),
        };
        let below = |stated: &Value, node: &Value, declaration: Option<&Arc<Declaration>>| {
            Self::build(stated, node, declaration, depth + 1)
        };
        let item = declaration.and_then(|declaration| declaration.item());
        let object = |value: &Value| value.as_object().is_some();
        let items = match (stated.get("items"), node.get("items")) {
            (Some(stated), Some(node)) if object(stated) => below(stated, node, item).map(Box::new),
            _ => None,
        };
        let additional = match (stated.get("additionalProperties"), node.get("additionalProperties")) {
            (Some(stated), Some(node)) if object(stated) && object(node) => {
                below(stated, node, item).map(Box::new)
            }
            _ => None,
        };
        let mut properties = Vec::new();
        for (name, stated) in
            stated.get("properties").and_then(Value::as_object).into_iter().flat_map(|map| map.iter())
        {
            let Some(node) = node.at(&["properties", name]) else { continue };
            let made;
            let declaration = match windlass_cel::escape(name) {
                Some(escaped) => declaration
                    .and_then(|declaration| declaration.field(&escaped))
                    .map(|member| member.declaration()),
                // It cannot be named from outside, but has rules of its own.
                None => {
                    let embedded = node.bool_at(&["x-kubernetes-embedded-resource"]) == Some(true);
                    made = Declaration::of_schema(node, "selfType", embedded);
                    made.as_ref()
                }
            };
            if declaration.is_some()
                && let Some(property) = below(stated, node, declaration)
            {
                properties.push((name.clone(), property));
            }
        }
        let all_of: Vec<Self> =
            stated.items_at(&["allOf"]).iter().filter_map(|part| below(part, node, declaration)).collect();
        if rules.is_empty()
            && items.is_none()
            && additional.is_none()
            && properties.is_empty()
            && all_of.is_empty()
        {
            return None;
        }
        let list_keys = (node.str_at(&["x-kubernetes-list-type"]) == Some("map")).then(|| {
            node.items_at(&["x-kubernetes-list-map-keys"])
                .iter()
                .filter_map(Value::as_str)
                .map(Str::new)
                .collect()
        });
        Some(Self {
            kind: node.str_at(&["type"]).unwrap_or_default().into(),
            declaration: declaration.cloned(),
            rules,
            items,
            properties,
            additional,
            all_of,
            list_keys,
        })
    }
}

fn has_rules(schema: &Value, depth: usize) -> bool {
    if depth > super::schema::MAX_DEPTH {
        return false;
    }
    if !schema.items_at(&["x-kubernetes-validations"]).is_empty() {
        return true;
    }
    let below = |schema: &Value| has_rules(schema, depth + 1);
    schema.get("items").is_some_and(below)
        || schema.get("additionalProperties").is_some_and(below)
        || schema.items_at(&["allOf"]).iter().any(below)
        || schema
            .get("properties")
            .and_then(Value::as_object)
            .is_some_and(|properties| properties.values().any(below))
}

impl Rule {
    fn new(rule: &Value, declaration: &Arc<Declaration>) -> Self {
        let text = |key: &str| rule.str_at(&[key]).unwrap_or_default();
        let old_is_optional = rule.bool_at(&["optionalOldSelf"]) == Some(true);
        let environment = environment(declaration, old_is_optional);
        let program = (!text("rule").trim().is_empty()).then(|| compile_rule(&environment, text("rule")));
        let message_program = match text("messageExpression") {
            "" => None,
            expression => compile_message(&environment, expression).ok(),
        };
        let uses_old = matches!(&program, Some(Ok(program)) if program.reads("oldSelf"));
        Self {
            text: text("rule").trim().to_owned(),
            message: text("message").trim().to_owned(),
            program,
            message_program,
            reason: text("reason").into(),
            field_path: normal_path(text("fieldPath")),
            old_is_optional,
            uses_old,
        }
    }

    /// The rule in a message.
    fn shown(&self) -> &str {
        if self.message.is_empty() { &self.text } else { &self.message }
    }
}

/// `.a.b['c']` as a path of fields.
fn normal_path(path: &str) -> String {
    let path = path.trim().replace("['", ".").replace("']", "");
    path.strip_prefix('.').unwrap_or(&path).to_owned()
}

/// Checks an object, and what it was before.
pub(super) fn check(node: &RuleNode, new: &Value, old: Option<&Value>, found: &mut Found) {
    let mut run = Run { budget: OBJECT_BUDGET, found, is_update: old.is_some() };
    run.node(node, new, old, "", Before::Same(old));
}

/// What ratcheting compares a value with.
#[derive(Clone, Copy)]
enum Before<'v> {
    /// The value that was here.
    Same(Option<&'v Value>),
    /// Nothing can be said of this value; whether something around it is as it was.
    Around(bool),
}

struct Run<'r> {
    budget: u64,
    found: &'r mut Found,
    is_update: bool,
}

/// Nothing more is checked.
struct Stop;

impl Run<'_> {
    fn node(&mut self, node: &RuleNode, value: &Value, old: Option<&Value>, path: &str, before: Before<'_>) {
        let _ = self.visit(node, value, old, path, before);
    }

    fn visit(
        &mut self,
        node: &RuleNode,
        value: &Value,
        old: Option<&Value>,
        path: &str,
        before: Before<'_>,
    ) -> Result<(), Stop> {
        if value.is_null() {
            return Ok(());
        }
        self.rules(node, value, old, path, before)?;
        for part in &node.all_of {
            // What `allOf` says is not let pass for being old.
            self.visit(part, value, old, path, Before::Around(false))?;
        }
        let unchanged = || match before {
            Before::Same(before) => before.is_some_and(|before| before == value),
            Before::Around(unchanged) => unchanged,
        };
        match value {
            Value::Array(items) => {
                let Some(item_node) = &node.items else { return Ok(()) };
                for (idx, item) in items.as_slice().iter().enumerate() {
                    let counterpart = |items: Option<&'_ Value>| -> Option<Value> {
                        let keys = node.list_keys.as_ref()?;
                        let same = |other: &&Value| keys.iter().all(|key| other.get(key) == item.get(key));
                        items?.as_array()?.as_slice().iter().find(same).cloned()
                    };
                    let old_item = counterpart(old);
                    let before = match (before, &node.list_keys) {
                        (Before::Same(_), Some(_)) => Before::Same(old_item.as_ref()),
                        _ => Before::Around(unchanged()),
                    };
                    self.visit(item_node, item, old_item.as_ref(), &format!("{path}[{idx}]"), before)?;
                }
            }
            Value::Object(map) => {
                for (key, member) in map.iter() {
                    let old_member = old.and_then(|old| old.get(key));
                    let before = match before {
                        Before::Same(before) => Before::Same(before.and_then(|before| before.get(key))),
                        around => around,
                    };
                    if let Some(additional) = &node.additional {
                        self.visit(additional, member, old_member, &format!("{path}[{key}]"), before)?;
                    }
                    if let Ok(idx) = node.properties.binary_search_by(|(name, _)| name.as_str().cmp(key)) {
                        let path = if path.is_empty() { key.to_string() } else { format!("{path}.{key}") };
                        self.visit(&node.properties[idx].1, member, old_member, &path, before)?;
                    }
                }
            }
            _ => {}
        }
        Ok(())
    }

    fn rules(
        &mut self,
        node: &RuleNode,
        value: &Value,
        old: Option<&Value>,
        path: &str,
        before: Before<'_>,
    ) -> Result<(), Stop> {
        let Some(declaration) = node.declaration.as_ref().filter(|_| !node.rules.is_empty()) else {
            return Ok(());
        };
        let field = if path.is_empty() { "<nil>" } else { path };
        let kind = Value::String(node.kind.clone());
        let invalid = |detail: &str| Cause::invalid(field, &kind, detail);
        let out_of_budget =
            "validation failed due to running out of cost budget, no further validation rules will be run";
        if self.budget == 0 {
            self.found.causes.push(invalid(out_of_budget));
            return Err(Stop);
        }
        let this = windlass_cel::Value::declared(value, declaration);
        let old = old.filter(|old| !old.is_null());
        let old_value = old.map(|old| windlass_cel::Value::declared(old, declaration));
        for rule in &node.rules {
            let program = match &rule.program {
                None => continue,
                Some(Err(message)) => {
                    self.found.causes.push(invalid(&format!("rule compile error: {message}")));
                    continue;
                }
                Some(Ok(program)) => program,
            };
            if rule.uses_old && old.is_none() && !rule.old_is_optional {
                continue;
            }
            let variables = |name: &str| match name {
                "self" => Some(this.clone()),
                "oldSelf" if rule.old_is_optional => {
                    Some(windlass_cel::Value::Optional(old_value.clone().map(Arc::new)))
                }
                "oldSelf" => old_value.clone(),
                _ => None,
            };
            let outcome = program.evaluate(&variables, PER_CALL_LIMIT);
            if outcome.cost > self.budget {
                self.found.causes.push(invalid(out_of_budget));
                return Err(Stop);
            }
            self.budget -= outcome.cost;
            match outcome.value {
                Ok(windlass_cel::Value::Bool(true)) => continue,
                Ok(_) => {}
                Err(Fault::TooCostly) => {
                    self.found.causes.push(invalid(&format!(
                        "'{}': no further validation rules will be run due to call cost exceeds limit for rule: {}",
                        Fault::TooCostly,
                        rule.shown()
                    )));
                    return Err(Stop);
                }
                Err(fault) if fault.to_string().starts_with("no such overload") => {
                    self.found.causes.push(invalid(&format!(
                        "'{fault}': call arguments did not match a supported operator, function or macro signature for rule: {}",
                        rule.shown()
                    )));
                    continue;
                }
                Err(fault) => {
                    self.found.causes.push(invalid(&format!("{fault} evaluating rule: {}", rule.shown())));
                    continue;
                }
            }
            let field = match (path, rule.field_path.as_str()) {
                (path, "") => {
                    if path.is_empty() {
                        "<nil>".to_owned()
                    } else {
                        path.to_owned()
                    }
                }
                ("", below) => below.to_owned(),
                (path, below) => format!("{path}.{below}"),
            };
            let (cause, stop) = match self.message(rule, &variables) {
                Ok(detail) => (failure(node, value, &field, rule, &detail), false),
                Err(detail) => (Cause::invalid(field, &kind, &detail), true),
            };
            let unchanged = match before {
                Before::Same(before) => self.is_update && before == Some(value),
                Before::Around(unchanged) => self.is_update && unchanged,
            };
            if unchanged && !rule.uses_old {
                self.found.warnings.push(cause.sentence());
            } else {
                self.found.causes.push(cause);
            }
            if stop {
                return Err(Stop);
            }
        }
        Ok(())
    }

    /// What to say of a rule that does not hold; an error ends the validation.
    fn message(
        &mut self,
        rule: &Rule,
        variables: &dyn Fn(&str) -> Option<windlass_cel::Value>,
    ) -> Result<String, String> {
        if let Some(program) = &rule.message_program {
            let outcome = program.evaluate(variables, PER_CALL_LIMIT);
            if outcome.cost > self.budget {
                return Err(
                    "messageExpression evaluation failed due to running out of cost budget, no further validation rules will be run"
                        .into(),
                );
            }
            self.budget -= outcome.cost;
            if let Ok(windlass_cel::Value::String(text)) = outcome.value {
                let text = text.trim();
                if !text.is_empty() && !text.contains('\n') && text.len() <= LONGEST_MESSAGE {
                    return Ok(text.to_owned());
                }
            }
        }
        Ok(if rule.message.is_empty() { format!("failed rule: {}", rule.text) } else { rule.message.clone() })
    }
}

/// The error that a rule's reason asks for.
fn failure(node: &RuleNode, value: &Value, field: &str, rule: &Rule, detail: &str) -> Cause {
    let is_container = matches!(node.kind.as_str(), "object" | "array");
    match rule.reason.as_str() {
        "FieldValueForbidden" => Cause::forbidden(field, detail),
        "FieldValueRequired" => Cause::required(field, detail),
        "FieldValueDuplicate" => {
            let message = if is_container {
                "Duplicate value".to_owned()
            } else {
                Cause::invalid(field, value, "")
                    .message
                    .replacen("Invalid", "Duplicate", 1)
                    .trim_end_matches(": ")
                    .to_owned()
            };
            Cause { reason: "FieldValueDuplicate", message, field: field.to_owned() }
        }
        _ if is_container => Cause {
            reason: "FieldValueInvalid",
            message: format!("Invalid value: {detail}"),
            field: field.to_owned(),
        },
        _ => Cause::invalid(field, value, detail),
    }
}
