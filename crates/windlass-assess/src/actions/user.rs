//! Users' own actions, in Lua: `resource.customizations.actions.*` of Argo CD.

use windlass_kube::{Object, Str, Value};

use super::{Action, ActionError, Change, Parameter, actions, run_action};
use crate::lua::{Clock, LuaError, Script};

/// The actions that a user defined for a kind.
#[derive(Debug, Clone)]
pub struct UserActions {
    discovery: Option<Script>,
    definitions: Vec<(Str, Script)>,
    merge_built_in: bool,
}

/// Why a text defines no actions.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the actions cannot be read: {0}")]
pub struct UserActionsProblem(String);

impl UserActions {
    /// Reads the YAML of a customization: `discovery.lua`, `definitions` of `name` and `action.lua`, and
    /// `mergeBuiltinActions`.
    ///
    /// # Errors
    ///
    /// When it is no YAML of that form.
    pub fn parse(text: &str, clock: &Clock) -> Result<Self, UserActionsProblem> {
        let said = windlass_yaml::load(text).map_err(|error| UserActionsProblem(error.to_string()))?;
        let mut definitions = Vec::new();
        for definition in said.items_at(&["definitions"]) {
            let (Some(name), Some(script)) =
                (definition.str_at(&["name"]), definition.str_at(&["action.lua"]))
            else {
                return Err(UserActionsProblem("a definition needs name and action.lua".into()));
            };
            definitions.push((name.into(), Script::new(script, clock.clone())));
        }
        let discovery = said.str_at(&["discovery.lua"]).map(|script| Script::new(script, clock.clone()));
        let merge_built_in = said.bool_at(&["mergeBuiltinActions"]).unwrap_or(false);
        Ok(Self { discovery, definitions, merge_built_in })
    }

    /// The actions of an object: those that the discovery script names, and the built-in ones if they are merged.
    ///
    /// # Errors
    ///
    /// When the script fails or returns something else.
    pub fn actions(&self, object: &Object) -> Result<Vec<Action>, ActionError> {
        let mut found = if self.merge_built_in { actions(object) } else { Vec::new() };
        if let Some(discovery) = &self.discovery {
            let failed = |problem| ActionError::Script {
                kind: object.kind().into(),
                name: "discovery".into(),
                problem,
            };
            match discovery.run("discovery.lua", object, None).map_err(failed)? {
                Value::Object(named) => {
                    for (name, said) in named.iter() {
                        found.retain(|action| action.name != *name);
                        found.push(read(name, said));
                    }
                }
                Value::Array(items) if items.is_empty() => {}
                Value::Null => {}
                other => {
                    let found = other.type_name().into();
                    return Err(failed(LuaError::Returned { found, expected: "a table of actions" }));
                }
            }
        }
        found.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(found)
    }

    /// Performs an action: the user's own, else the built-in one if they are merged.
    ///
    /// # Errors
    ///
    /// [`ActionError`].
    pub fn run(
        &self,
        object: &Object,
        name: &str,
        parameters: &[(Str, Str)],
        now: i64,
    ) -> Result<Vec<Change>, ActionError> {
        let Some((_, script)) = self.definitions.iter().find(|(defined, _)| defined == name) else {
            if self.merge_built_in {
                return run_action(object, name, parameters, now);
            }
            let known: Vec<&str> = self.definitions.iter().map(|(name, _)| name.as_str()).collect();
            let (kind, name) = (object.kind().into(), name.into());
            return Err(ActionError::Unknown { kind, name, known: known.join(", ") });
        };
        let failed = |problem| ActionError::Script { kind: object.kind().into(), name: name.into(), problem };
        let parameters: windlass_kube::Map =
            parameters.iter().map(|(key, value)| (key.clone(), Value::String(value.clone()))).collect();
        let returned = script.run("action.lua", object, Some(&Value::Object(parameters))).map_err(failed)?;
        changes(returned).map_err(failed)
    }
}

fn read(name: &Str, said: &Value) -> Action {
    let text = |key: &str| Str::from(said.str_at(&[key]).unwrap_or_default());
    let parameters = said.items_at(&["params"]).iter().map(|parameter| Parameter {
        name: parameter.str_at(&["name"]).unwrap_or_default().into(),
        default: parameter.str_at(&["default"]).unwrap_or_default().into(),
    });
    Action {
        name: name.clone(),
        title: text("displayName"),
        is_disabled: said.bool_at(&["disabled"]).unwrap_or(false),
        icon: text("iconClass"),
        parameters: parameters.collect(),
    }
}

/// An action returns the object as it is to be, or a list of operations with their objects.
fn changes(returned: Value) -> Result<Vec<Change>, LuaError> {
    let bad = |found: &str| LuaError::Returned {
        found: found.to_owned(),
        expected: "an object, or a list of {operation, resource}",
    };
    let object = |value: Value| Object::try_new(value).map_err(|error| bad(&error.to_string()));
    match returned {
        Value::Array(items) => items
            .into_vec()
            .into_iter()
            .map(|item| {
                let resource = object(item.get("resource").cloned().unwrap_or_default())?;
                match item.str_at(&["operation"]) {
                    Some("create") => Ok(Change::Create(resource)),
                    Some("patch") => Ok(Change::Patch(resource)),
                    other => Err(bad(&format!("the operation {:?}", other.unwrap_or_default()))),
                }
            })
            .collect(),
        other => Ok(vec![Change::Patch(object(other)?)]),
    }
}
