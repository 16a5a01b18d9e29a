//! Fields of custom resources that hold amounts or durations: `1000m` and `1` are the same there.

use windlass_go::duration::Duration;
use windlass_kube::quantity::Quantity;
use windlass_kube::{Object, Value};

use crate::rules::Rules;

/// Kinds whose pod template Argo CD always reads as one.
fn is_built_in(group: &str, kind: &str) -> bool {
    (group, kind) == ("argoproj.io", "Rollout")
}

/// Writes every field of a known type in the one form that values of equal meaning share.
pub(crate) fn settle(object: &mut Object, rules: &Rules) {
    let key = object.object_ref();
    if is_built_in(&key.group, &key.kind) {
        settle_at(object, "spec.template.spec", "core/v1/PodSpec");
    }
    for (applies, known) in &rules.known_types {
        if applies.to(&key) {
            settle_at(object, &known.field, &known.type_name);
        }
    }
}

fn settle_at(object: &mut Object, path: &str, type_name: &str) {
    let steps: Vec<&str> = path.split('.').filter(|step| !step.is_empty()).collect();
    let mut value = object.to_value();
    at_path(&mut value, &steps, type_name);
    if let Ok(settled) = Object::try_new(value) {
        *object = settled;
    }
}

fn at_path(value: &mut Value, steps: &[&str], type_name: &str) {
    match (value, steps) {
        (value, []) => settle_value(value, type_name),
        (Value::Array(items), steps) => {
            items.as_mut().iter_mut().for_each(|item| at_path(item, steps, type_name));
        }
        (Value::Object(map), [first, rest @ ..]) => {
            if let Some(member) = map.get_mut(first) {
                at_path(member, rest, type_name);
            }
        }
        _ => {}
    }
}

fn settle_value(value: &mut Value, type_name: &str) {
    match type_name {
        "core/Quantity" | "core/v1/Quantity" => quantity(value),
        "meta/v1/Duration" => {
            if let Some(duration) = value.as_str().and_then(|text| Duration::parse(text).ok()) {
                *value = duration.to_string().into();
            }
        }
        "core/v1/ResourceList" => each_member(value, quantity),
        _ => resources_below(value),
    }
}

/// The amounts of anything that has pods in it: `limits` and `requests` wherever they stand, `sizeLimit`, `storage`.
fn resources_below(value: &mut Value) {
    match value {
        Value::Array(items) => items.as_mut().iter_mut().for_each(resources_below),
        Value::Object(map) => {
            for (key, member) in map.iter_mut() {
                match key.as_str() {
                    "limits" | "requests" | "capacity" | "overhead" | "hard" => each_member(member, quantity),
                    "sizeLimit" | "divisor" => quantity(member),
                    _ => resources_below(member),
                }
            }
        }
        _ => {}
    }
}

fn each_member(value: &mut Value, settle: fn(&mut Value)) {
    if let Value::Object(map) = value {
        map.iter_mut().for_each(|(_, member)| settle(member));
    }
}

/// One form for equal amounts. It is for comparing alone and shown to nobody.
fn quantity(value: &mut Value) {
    if !matches!(value, Value::String(_) | Value::Int(_) | Value::Float(_)) {
        return;
    }
    if let Ok(amount) = Quantity::from_value(value) {
        *value = if amount.as_float().abs() < 1e15 && amount.milli_value() % 1000 != 0 {
            format!("{}m", amount.milli_value()).into()
        } else {
            amount.value().to_string().into()
        };
    }
}
