//! Compares every built-in action with Argo CD's script for it; `tools/oracle-health` says how those are asked.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

use windlass_assess::actions::{Change, actions, run_action};
use windlass_kube::{Map, Object, Str, Value};

/// What all clocks said when Argo CD's scripts were asked.
const MOMENT: i64 = 1_700_000_000;

/// An object's actions: name, whether it is disabled, and what else Argo CD shows of it.
fn told(action: &Value, name: &str) -> String {
    let text = |key: &str| action.str_at(&[key]).unwrap_or_default().to_owned();
    let asks = action.items_at(&["params"]).iter();
    let asks: Vec<String> = asks
        .map(|it| {
            format!(
                "{}={}",
                it.str_at(&["name"]).unwrap_or_default(),
                it.str_at(&["default"]).unwrap_or_default()
            )
        })
        .collect();
    let disabled = action.bool_at(&["disabled"]) == Some(true);
    format!("{name} {disabled} {:?} {:?} {}", text("displayName"), text("iconClass"), asks.join(","))
}

/// Without members that hold nothing: Lua does not tell an empty list from an empty object, nor null from nothing.
fn settled(mut value: Value) -> Value {
    match &mut value {
        Value::Object(map) => {
            map.iter_mut().for_each(|(_, member)| *member = settled(std::mem::take(member)));
            map.retain(|_, member| match member {
                Value::Null => false,
                Value::Object(map) => !map.is_empty(),
                Value::Array(items) => !items.is_empty(),
                _ => true,
            });
        }
        Value::Array(items) => {
            items.as_mut().iter_mut().for_each(|item| *item = settled(std::mem::take(item)));
        }
        _ => {}
    }
    value
}

fn parameters(case: &Value, action: &str) -> Vec<(Str, Str)> {
    let given = case.at(&["parameters", action]).and_then(Value::as_object);
    let given = given.into_iter().flat_map(Map::iter);
    given.map(|(name, value)| (name.clone(), value.as_str().unwrap_or_default().into())).collect()
}

/// What Argo CD writes: a list of what it creates and patches, or the object patched.
fn written(recorded: &Value) -> Vec<Value> {
    match recorded {
        Value::Array(steps) => steps
            .iter()
            .map(|step| {
                let mut made = Value::object();
                made.set_at(&["operation"], step.str_at(&["operation"]).unwrap_or_default());
                made.set_at(&["resource"], settled(step.get("resource").unwrap().clone()));
                made
            })
            .collect(),
        object => {
            let mut made = Value::object();
            made.set_at(&["operation"], "patch");
            made.set_at(&["resource"], settled(object.clone()));
            vec![made]
        }
    }
}

fn ours(changes: Vec<Change>) -> Vec<Value> {
    let shown = |change| {
        let (operation, object) = match change {
            Change::Patch(object) => ("patch", object),
            Change::Create(object) => ("create", object),
        };
        let mut made = Value::object();
        made.set_at(&["operation"], operation);
        made.set_at(&["resource"], settled(object.into_value()));
        made
    };
    changes.into_iter().map(shown).collect()
}

#[test]
fn actions_are_and_do_what_those_of_argo_cd_are_and_do() {
    let text = include_str!("data/actions.jsonl");
    let (mut wrong, mut n_asked, mut kinds) = (Vec::new(), 0, std::collections::BTreeSet::new());
    for line in text.lines().skip(1) {
        let case: Value = serde_json::from_str(line).unwrap();
        let name = case.str_at(&["name"]).unwrap();
        let object = Object::try_new(case.at(&["object"]).unwrap().clone()).unwrap();
        let found = case.at(&["actions"]).and_then(Value::as_object).into_iter().flat_map(Map::iter);
        let theirs: Vec<String> = found.map(|(name, action)| told(action, name)).collect();
        let here: Vec<String> = actions(&object)
            .iter()
            .map(|action| {
                let asks: Vec<String> =
                    action.parameters.iter().map(|it| format!("{}={}", it.name, it.default)).collect();
                let (title, icon) = (action.title.as_str(), action.icon.as_str());
                format!("{} {} {title:?} {icon:?} {}", action.name, action.is_disabled, asks.join(","))
            })
            .collect();
        if here != theirs {
            wrong.push(format!("{name}\n   ours   {here:?}\n   theirs {theirs:?}"));
        }
        let wrote = case.at(&["wrote"]).and_then(Value::as_object).into_iter().flat_map(Map::iter);
        for (action, recorded) in wrote {
            n_asked += 1;
            kinds.insert(format!("{} {action}", object.gvk().group_kind()));
            let theirs = written(recorded);
            match run_action(&object, action, &parameters(&case, action), MOMENT).map(ours) {
                Ok(ours) if ours == theirs => {}
                Ok(ours) => {
                    let text =
                        |values: &[Value]| values.iter().map(windlass_yaml::to_yaml).collect::<String>();
                    wrong.push(format!(
                        "{name} {action}\n   ours   {}\n   theirs {}",
                        text(&ours),
                        text(&theirs)
                    ));
                }
                Err(error) => wrong.push(format!("{name} {action}: {error}")),
            }
        }
        let failed = case.at(&["failed"]).and_then(Value::as_object).into_iter().flat_map(Map::iter);
        for (action, message) in failed {
            // A disabled action whose script stumbles over what is not there says nothing of what it means to do.
            if message.as_str().is_some_and(|message| message.contains("attempt to index")) {
                continue;
            }
            n_asked += 1;
            let done = run_action(&object, action, &parameters(&case, action), MOMENT);
            if done.is_ok() {
                wrong.push(format!("{name} {action}\n   ours   {done:?}\n   theirs {message:?}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{} of {n_asked} differ:\n{}", wrong.len(), wrong.join("\n"));
    assert!(n_asked > 250 && kinds.len() >= 100, "{n_asked} actions, {} kinds of them", kinds.len());
}
