//! What is asked of literals beyond their types: that they can be read, and that aggregates are of one type.

use super::Checked;
use crate::Value;
use crate::problem::Problems;
use crate::syntax::ast::{Kind, NodeId};
use crate::types::Type;

/// Reports literals that cannot be what they are used for.
pub(super) fn check(checked: &Checked, problems: &mut Problems) {
    let mut order = Vec::new();
    let mut exempt = Vec::new();
    collect(checked, checked.tree.root, &mut order, &mut exempt);
    for id in &order {
        check_layout(checked, *id, problems);
    }
    for function in ["duration", "timestamp", "matches"] {
        for id in &order {
            check_call(checked, *id, function, problems);
        }
    }
    order.retain(|id| !exempt.contains(id));
    for id in &order {
        if let Kind::List(elements) = checked.tree.kind(*id) {
            let mut first: Option<&Type> = None;
            for element in elements {
                let ty = checked.ty(element.value);
                let ty = if element.optional { ty.unwrap_optional().unwrap_or(ty) } else { ty };
                match first {
                    None => first = Some(ty),
                    Some(first) if first == ty => {}
                    Some(first) => {
                        problems.report(checked.tree.at(element.value), mismatch(first, ty));
                        break;
                    }
                }
            }
        }
    }
    for id in &order {
        if let Kind::Map(entries) = checked.tree.kind(*id) {
            let mut first: Option<(&Type, &Type)> = None;
            for entry in entries {
                let key = checked.ty(entry.key);
                let value = checked.ty(entry.value);
                let value = if entry.optional { value.unwrap_optional().unwrap_or(value) } else { value };
                let Some((keys, values)) = first else {
                    first = Some((key, value));
                    continue;
                };
                if keys != key {
                    problems.report(checked.tree.at(entry.key), mismatch(keys, key));
                }
                if values != value {
                    problems.report(checked.tree.at(entry.value), mismatch(values, value));
                }
            }
        }
    }
}

fn mismatch(expected: &Type, found: &Type) -> String {
    format!("expected type '{expected}' but found '{found}'")
}

/// Every node, the outer ones first; and those inside of `format()`, whose lists may be of many types.
fn collect(checked: &Checked, id: NodeId, order: &mut Vec<NodeId>, exempt: &mut Vec<NodeId>) {
    let mut open = vec![(id, false)];
    while let Some((id, mut is_exempt)) = open.pop() {
        order.push(id);
        if is_exempt && matches!(checked.tree.kind(id), Kind::List(_) | Kind::Map(_)) {
            exempt.push(id);
        }
        if let Kind::Call { function, .. } = checked.tree.kind(id) {
            is_exempt |= **function == *"format";
        }
        open.extend(checked.tree.children(id).into_iter().rev().map(|child| (child, is_exempt)));
    }
}

fn check_layout(checked: &Checked, id: NodeId, problems: &mut Problems) {
    let Kind::Call { target: Some(target), function, arguments } = checked.tree.kind(id) else { return };
    let (Kind::Literal(Value::String(layout)), [list]) = (checked.tree.kind(*target), arguments.as_slice())
    else {
        return;
    };
    let Kind::List(elements) = checked.tree.kind(*list) else { return };
    if **function != *"format" {
        return;
    }
    let types: Vec<&Type> = elements.iter().map(|element| checked.ty(element.value)).collect();
    if let Err((item, message)) = crate::functions::printf::check(layout, &types) {
        let place = item.and_then(|item| elements.get(item)).map_or(id, |element| element.value);
        problems.report(checked.tree.at(place), message);
    }
}

fn check_call(checked: &Checked, id: NodeId, wanted: &str, problems: &mut Problems) {
    let Kind::Call { function, arguments, .. } = checked.tree.kind(id) else { return };
    if **function != *wanted {
        return;
    }
    let Some(argument) = arguments.first() else { return };
    let Kind::Literal(literal) = checked.tree.kind(*argument) else { return };
    let is_wrong = match (wanted, literal) {
        ("matches", Value::String(pattern)) => windlass_go::re2::Regex::parse(pattern).is_err(),
        ("matches", _) => false,
        _ => crate::functions::convert(wanted, literal).is_err(),
    };
    if is_wrong {
        problems.report(checked.tree.at(*argument), format!("invalid {wanted} argument"));
    }
}
