//! Label selectors.

use windlass_kube::selector::LabelSelector;
use windlass_kube::{Map, Value, validation};

use super::errors::{Errors, text};
use super::metadata::check_labels;

/// Checks a label selector; whether it is in order.
pub(super) fn check(selector: &Value, path: &str, errors: &mut Errors) -> bool {
    let before = errors.len();
    if let Some(labels) = selector.get("matchLabels").and_then(Value::as_object) {
        check_labels(labels, &format!("{path}.matchLabels"), errors);
    }
    for (expression, idx) in selector.items_at(&["matchExpressions"]).iter().zip(0..) {
        let field = format!("{path}.matchExpressions[{idx}]");
        let values = expression.items_at(&["values"]);
        match text(expression, "operator") {
            "In" | "NotIn" if values.is_empty() => {
                errors.required(
                    &format!("{field}.values"),
                    "must be specified when `operator` is 'In' or 'NotIn'",
                );
            }
            "Exists" | "DoesNotExist" if !values.is_empty() => {
                let detail = "may not be specified when `operator` is 'Exists' or 'DoesNotExist'";
                errors.forbidden(&format!("{field}.values"), detail);
            }
            "In" | "NotIn" | "Exists" | "DoesNotExist" => {}
            other => errors.invalid(&format!("{field}.operator"), other, "not a valid selector operator"),
        }
        let key = text(expression, "key");
        errors.invalid_each(&format!("{field}.key"), key, validation::label_key(key));
        for (value, idx) in values.iter().filter_map(Value::as_str).zip(0..) {
            let messages = validation::label_value(value);
            errors.invalid_each(&format!("{field}.values[{idx}]"), value, messages);
        }
    }
    errors.len() == before
}

/// Checks a workload's selector and that its template's labels match it.
///
/// `empty` is what the server says of a selector that selects everything; `None` where it says nothing.
pub(super) fn of_workload(
    spec: &Value,
    template: &str,
    path: &str,
    empty: Option<&str>,
    errors: &mut Errors,
) {
    let field = format!("{path}.selector");
    let labels = spec.at(&["template", "metadata", "labels"]).and_then(Value::as_object);
    let no_match = |errors: &mut Errors| {
        let shown = labels.map_or("null".to_owned(), shown_labels);
        errors.invalid_shown(
            &format!("{template}.metadata.labels"),
            &shown,
            "`selector` does not match template `labels`",
        );
    };
    let Some(selector) = spec.get("selector").filter(|selector| !selector.is_null()) else {
        errors.required(&field, "");
        no_match(errors);
        return;
    };
    let sound = check(selector, &field, errors);
    let everything = selector.items_at(&["matchExpressions"]).is_empty()
        && selector.get("matchLabels").and_then(Value::as_object).is_none_or(Map::is_empty);
    if let Some(empty) = empty.filter(|_| everything) {
        errors.invalid_shown(&field, "{}", empty);
        return;
    }
    match LabelSelector::from_object(Some(selector)) {
        Ok(parsed) if sound => {
            if !everything && !parsed.matches(labels) {
                no_match(errors);
            }
        }
        _ => errors.invalid_shown(&field, &shown(selector), "invalid label selector"),
    }
}

/// A selector in the order of Go's struct.
pub(super) fn shown(selector: &Value) -> String {
    let members = ["matchLabels", "matchExpressions"];
    let set = members.iter().filter_map(|key| Some(format!("{key:?}:{:?}", selector.get(key)?)));
    format!("{{{}}}", set.collect::<Vec<_>>().join(","))
}

pub(super) fn shown_labels(labels: &Map) -> String {
    format!("{:?}", Value::Object(labels.clone()))
}
