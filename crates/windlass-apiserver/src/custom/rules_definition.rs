//! What is wrong with the rules that a definition states, found when the definition is written.

use std::sync::Arc;

use windlass_cel::Declaration;
use windlass_kube::{Map, Str, Value};

use super::rules::{compile_message, compile_rule, environment};
use super::schema::MAX_DEPTH;
use crate::status::Cause;

/// The most that one rule may be estimated to cost, over all the times it could run in one request.
const RULE_LIMIT: u64 = 10_000_000;
/// The most that all rules of a definition may be estimated to cost.
const DEFINITION_LIMIT: u64 = 100_000_000;
/// How many of the most expensive rules are named.
const NAMED: usize = 4;

const REASONS: [&str; 4] =
    ["FieldValueDuplicate", "FieldValueForbidden", "FieldValueInvalid", "FieldValueRequired"];

/// Adds what is wrong with rules. Expressions are compiled only where the schema is right, because else their errors
/// would be those of the schema in other words, and not around or at the fields of these faults.
pub(super) fn check(
    schema: &Value,
    path: &str,
    is_structural: bool,
    faults: &[String],
    causes: &mut Vec<Cause>,
) {
    let mut checker =
        Checker { causes, total: 0, expensive: Vec::new(), is_structural, faults: faults.to_vec() };
    let declaration = Declaration::of_schema(schema, "selfType", true);
    let place = Place { path: path.to_owned(), cardinality: Some(1), uncorrelated: None, depth: 0 };
    checker.node(schema, declaration.as_ref(), &place);
    let Checker { total, expensive, .. } = checker;
    if total > DEFINITION_LIMIT {
        for (field, _) in expensive {
            let why =
                "contributed to estimated rule cost total exceeding cost limit for entire OpenAPIv3 schema";
            causes.push(Cause::forbidden(field, why));
        }
        let name = "x-kubernetes-validations estimated rule cost total for entire OpenAPIv3 schema";
        causes.push(Cause::forbidden(path, &over(name, total, DEFINITION_LIMIT)));
    }
}

struct Place {
    path: String,
    /// How many of it one object has at most; nothing if nothing bounds them.
    cardinality: Option<u64>,
    /// The list around it of which items of before and after cannot be paired.
    uncorrelated: Option<String>,
    depth: usize,
}

struct Checker<'c> {
    causes: &'c mut Vec<Cause>,
    total: u64,
    expensive: Vec<(String, u64)>,
    is_structural: bool,
    /// The fields of the schema of which something else is wrong.
    faults: Vec<String>,
}

#[expect(clippy::cast_precision_loss, reason = "a factor is shown")]
fn over(name: &str, cost: u64, limit: u64) -> String {
    let factor = cost as f64 / limit as f64;
    let shown = if factor > 100.0 {
        "more than 100x".to_owned()
    } else if factor < 1.5 {
        format!("{factor:.6}x")
    } else {
        format!("{factor:.1}x")
    };
    format!(
        "{name} exceeds budget by factor of {shown} (try simplifying the rule, or adding maxItems, maxProperties, and maxLength where arrays, maps, and strings are declared)"
    )
}

impl Checker<'_> {
    fn node(&mut self, schema: &Value, declaration: Option<&Arc<Declaration>>, place: &Place) {
        if place.depth > MAX_DEPTH {
            return;
        }
        let count = |key: &str| {
            schema.get(key).and_then(Value::as_int).map(|count| u64::try_from(count).unwrap_or(0))
        };
        let additional = schema.get("additionalProperties");
        let each = match schema.str_at(&["type"]) {
            Some("object") if additional.is_some() => count("maxProperties"),
            Some("array") => count("maxItems"),
            _ => Some(1),
        };
        let cardinality = match (place.cardinality, each) {
            (Some(here), Some(each)) => Some(here.saturating_mul(each)),
            _ => None,
        };
        let below = |step: String, uncorrelated: Option<String>| Place {
            path: format!("{}{step}", place.path),
            cardinality,
            uncorrelated: place.uncorrelated.clone().or(uncorrelated),
            depth: place.depth + 1,
        };
        let item = declaration.and_then(|declaration| declaration.item());
        for (name, property) in
            schema.get("properties").and_then(Value::as_object).into_iter().flat_map(Map::iter)
        {
            let declared = windlass_cel::escape(name)
                .and_then(|name| Some(Arc::clone(declaration?.field(&name)?.declaration())))
                .or_else(|| {
                    let embedded = property.bool_at(&["x-kubernetes-embedded-resource"]) == Some(true);
                    Declaration::of_schema(property, "selfType", embedded)
                });
            self.node(property, declared.as_ref(), &below(format!(".properties[{name}]"), None));
        }
        if let Some(items) = schema.get("items").filter(|items| items.as_object().is_some()) {
            let paired = schema.str_at(&["x-kubernetes-list-type"]) == Some("map");
            self.node(items, item, &below(".items".into(), (!paired).then(|| place.path.clone())));
        }
        if let Some(additional) = additional.filter(|additional| additional.as_object().is_some()) {
            self.node(additional, item, &below(".additionalProperties".into(), None));
        }
        self.rules(schema, declaration, place);
    }

    fn rules(&mut self, schema: &Value, declaration: Option<&Arc<Declaration>>, place: &Place) {
        let rules = schema.items_at(&["x-kubernetes-validations"]);
        for (idx, rule) in rules.iter().enumerate() {
            let before = self.causes.len();
            self.form(schema, rule, &format!("{}.x-kubernetes-validations[{idx}]", place.path));
            self.faults.extend(self.causes[before..].iter().map(|cause| cause.field.clone()));
        }
        let is_below = |field: &String| {
            field
                .strip_prefix(place.path.as_str())
                .is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
        };
        if !self.is_structural || rules.is_empty() || self.faults.iter().any(is_below) {
            return;
        }
        let Some(declaration) = declaration else {
            let why = "Internal error: internal error: failed to construct type information for x-kubernetes-validations rules: unable to convert structural schema to CEL declarations";
            self.causes.push(Cause {
                reason: "InternalError",
                message: why.into(),
                field: format!("{}.x-kubernetes-validations", place.path),
            });
            return;
        };
        let times = place.cardinality.unwrap_or_else(|| declaration.max_cardinality());
        for (idx, rule) in rules.iter().enumerate() {
            self.rule(
                rule,
                declaration,
                times,
                &format!("{}.x-kubernetes-validations[{idx}]", place.path),
                place,
            );
        }
    }

    /// What can be said of a rule without reading its expressions.
    fn form(&mut self, schema: &Value, rule: &Value, path: &str) {
        let text = |key: &str| rule.str_at(&[key]).unwrap_or_default();
        let breaks = |text: &str| text.contains(['\n', '\r']);
        let is_set = |key: &str| !text(key).is_empty();
        let is_blank = |key: &str| is_set(key) && text(key).trim().is_empty();
        let field = |key: &str| format!("{path}.{key}");
        if text("rule").trim().is_empty() {
            self.causes.push(Cause::required(field("rule"), "rule is not specified"));
        } else if is_blank("message") {
            let value = Value::from(text("message"));
            self.causes.push(Cause::invalid(field("message"), &value, "must be non-empty if specified"));
        } else if breaks(text("message").trim()) {
            let value = Value::from(text("message"));
            self.causes.push(Cause::invalid(field("message"), &value, "must not contain line breaks"));
        } else if breaks(text("rule").trim()) && !is_set("message") {
            let why = "message must be specified if rule contains line breaks";
            self.causes.push(Cause::required(field("message"), why));
        }
        if is_blank("messageExpression") {
            let why = "messageExpression must be non-empty if specified";
            self.causes.push(Cause::required(field("messageExpression"), why));
        }
        if is_set("reason") && !REASONS.contains(&text("reason")) {
            let supported = REASONS.map(|reason| format!("{reason:?}")).join(", ");
            self.causes.push(Cause {
                reason: "FieldValueNotSupported",
                message: format!("Unsupported value: {:?}: supported values: {supported}", text("reason")),
                field: field("reason"),
            });
        }
        let value = Value::from(text("fieldPath"));
        if is_blank("fieldPath") {
            self.causes.push(Cause::invalid(field("fieldPath"), &value, "must be non-empty if specified"));
        }
        if breaks(text("fieldPath")) {
            self.causes.push(Cause::invalid(field("fieldPath"), &value, "must not contain line breaks"));
        }
        if is_set("fieldPath") && !path_is_valid(schema, text("fieldPath")) {
            self.causes.push(Cause::invalid(field("fieldPath"), &value, "must be a valid path"));
        }
    }

    fn rule(&mut self, rule: &Value, declaration: &Arc<Declaration>, times: u64, path: &str, place: &Place) {
        let text = |key: &str| rule.str_at(&[key]).unwrap_or_default();
        let field = format!("{path}.rule");
        let old_is_optional = rule.bool_at(&["optionalOldSelf"]);
        let environment = environment(declaration, old_is_optional == Some(true));
        let compiled = compile_rule(&environment, text("rule"));
        let cost = compiled.as_ref().map_or(0, |program| program.estimate().max.saturating_mul(times));
        if cost > RULE_LIMIT {
            self.causes.push(Cause::forbidden(field.clone(), &over("estimated rule cost", cost, RULE_LIMIT)));
        }
        self.observe(&field, cost);
        let program = match compiled {
            Ok(program) => program,
            Err(message) => {
                self.causes.push(shown_rule(&field, rule, &message));
                if old_is_optional.is_some() {
                    self.needless(path, old_is_optional);
                }
                return;
            }
        };
        if !text("messageExpression").is_empty() {
            let field = format!("{path}.messageExpression");
            match compile_message(&environment, text("messageExpression")) {
                Ok(message) => {
                    let cost = message.estimate().max;
                    if cost > RULE_LIMIT {
                        let why = over("estimated messageExpression cost", cost, RULE_LIMIT);
                        self.causes.push(Cause::forbidden(field.clone(), &why));
                    }
                    self.observe(&field, cost);
                }
                Err(message) => self.causes.push(shown_rule(&field, rule, &message)),
            }
        }
        if program.reads("oldSelf") {
            if let Some(around) = &place.uncorrelated {
                let why = format!(
                    "oldSelf cannot be used on the uncorrelatable portion of the schema within {around}"
                );
                self.causes.push(Cause::invalid(field, &Value::from(text("rule")), &why));
            }
        } else if old_is_optional.is_some() {
            self.needless(path, old_is_optional);
        }
    }

    fn needless(&mut self, path: &str, old_is_optional: Option<bool>) {
        let why = "may not be set if oldSelf is not used in rule";
        let value = Value::Bool(old_is_optional.unwrap_or_default());
        self.causes.push(Cause::invalid(format!("{path}.optionalOldSelf"), &value, why));
    }

    fn observe(&mut self, field: &str, cost: u64) {
        self.total = self.total.saturating_add(cost);
        if cost >= DEFINITION_LIMIT / 100 {
            self.expensive.push((field.to_owned(), cost));
            self.expensive.sort_by_key(|(_, cost)| std::cmp::Reverse(*cost));
            self.expensive.truncate(NAMED);
        }
    }
}

/// An error that shows the whole rule, with the names of its fields in Go.
fn shown_rule(field: &str, rule: &Value, message: &str) -> Cause {
    let json = |key: &str| {
        let value = Value::from(rule.str_at(&[key]).unwrap_or_default());
        windlass_yaml::json::to_string(&value)
            .replace('<', "\\u003c")
            .replace('>', "\\u003e")
            .replace('&', "\\u0026")
    };
    let reason = if rule.str_at(&["reason"]).is_some() { json("reason") } else { "null".to_owned() };
    let optional = match rule.bool_at(&["optionalOldSelf"]) {
        Some(flag) => flag.to_string(),
        None => "null".to_owned(),
    };
    let shown = format!(
        "{{\"Rule\":{},\"Message\":{},\"MessageExpression\":{},\"Reason\":{reason},\"FieldPath\":{},\"OptionalOldSelf\":{optional}}}",
        json("rule"),
        json("message"),
        json("messageExpression"),
        json("fieldPath"),
    );
    Cause {
        reason: "FieldValueInvalid",
        message: format!("Invalid value: {shown}: {message}"),
        field: field.to_owned(),
    }
}

/// Whether a path names a field of the schema.
fn path_is_valid(schema: &Value, path: &str) -> bool {
    let mut here = schema;
    let mut rest = path;
    while !rest.is_empty() {
        let (name, after): (Str, &str) = if let Some(quoted) = rest.strip_prefix("['") {
            match quoted.split_once("']") {
                Some((name, after)) => (name.replace("\\'", "'").into(), after),
                None => return false,
            }
        } else if let Some(named) = rest.strip_prefix('.') {
            let end = named.find(['.', '[']).unwrap_or(named.len());
            (named[..end].into(), &named[end..])
        } else {
            return false;
        };
        let below = match here.get("properties") {
            Some(_) => here.at(&["properties", &name]),
            None => here.get("additionalProperties").filter(|values| values.as_object().is_some()),
        };
        match below {
            Some(below) => here = below,
            None => return false,
        }
        rest = after;
    }
    true
}
