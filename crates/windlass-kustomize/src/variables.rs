//! Variables (`vars`): names for fields of resources, put where `$(NAME)` stands.

use std::collections::{BTreeMap, HashMap, HashSet};

use smol_str::SmolStr;

use crate::error::{Error, Result};
use crate::filters::field_spec::FieldSpec;
use crate::filters::growth::Growth;
use crate::filters::openapi::Schema;
use crate::filters::path;
use crate::filters::refvar::{self, VariableValue};
use crate::kustomization::{Var, VarTarget};
use crate::res_id::{Gvk, ResId};
use crate::res_map::ResMap;

/// The variables of a kustomization and of those below it, by name.
pub(crate) type Variables = BTreeMap<SmolStr, Var>;

/// Adds variables and writes onto the resources which of them they are the objects of.
pub(crate) fn add(map: &mut ResMap, known: &mut Variables, new: &[Var], schema: &Schema) -> Result<()> {
    for variable in new {
        let object = &variable.object;
        let wanted = ResId::new(object.gvk(), object.name.clone(), object.namespace.clone(), schema);
        let exact = !wanted.namespace.is_empty() || wanted.cluster_scoped;
        let found =
            map.by_any_id(schema, |id| if exact { wanted.equals(id) } else { wanted.gvkn_equals(id) });
        match found[..] {
            [] => {}
            [place] => map.resources_mut()[place].variables.push(variable.name.as_str().into()),
            _ => {
                let gvk = object.gvk();
                let object = VarTarget { group: gvk.group, version: gvk.version, ..object.clone() };
                let shown = shown(&Var { object, ..variable.clone() });
                let count = found.len();
                let message = format!("found {count} resId matches for var {shown} (unable to disambiguate)");
                return Err(Error::invalid(message));
            }
        }
    }
    new.iter().try_for_each(|variable| insert(known, variable.clone()))
}

/// Adds a variable.
pub(crate) fn insert(known: &mut Variables, mut variable: Var) -> Result<()> {
    if known.contains_key(&variable.name) {
        return Err(Error::invalid(format!("var '{}' already encountered", variable.name)));
    }
    if variable.field.field_path.is_empty() {
        variable.field.field_path = "metadata.name".into();
    }
    let gvk = variable.object.gvk();
    (variable.object.group, variable.object.version) = (gvk.group, gvk.version);
    known.insert(variable.name.clone(), variable);
    Ok(())
}

/// A variable as Go's `%v` prints it; its object has a method of its own for that.
fn shown(variable: &Var) -> String {
    let VarTarget { group, version, kind, .. } = variable.object.clone();
    let gvk = Gvk { group, version, kind };
    format!("{{{} {gvk} {{{}}}}}", variable.name, variable.field.field_path)
}

/// Variables as Go's `%v` prints them.
pub(crate) fn shown_all(variables: &[Var]) -> String {
    format!("[{}]", variables.iter().map(shown).collect::<Vec<_>>().join(" "))
}

/// Puts the variables where they are mentioned; returns the names of those that are mentioned nowhere.
pub(crate) fn resolve(
    map: &mut ResMap,
    variables: &Variables,
    specs: &[FieldSpec],
    growth: &Growth,
) -> Result<Vec<SmolStr>> {
    if variables.is_empty() {
        return Ok(Vec::new());
    }
    let mut values: HashMap<SmolStr, Option<VariableValue>> = HashMap::new();
    for variable in variables.values() {
        values.insert(variable.name.clone(), value_of(map, variable)?);
    }
    let mut used: HashSet<SmolStr> = HashSet::new();
    let mut problem = Ok(());
    for resource in map.resources_mut() {
        for spec in specs {
            refvar::apply_variables(&mut resource.node, spec, &mut |name| {
                let value = values.get(name)?.clone()?;
                used.insert(name.into());
                if let VariableValue::Text(text) = &value
                    && let Err(error) = growth.charge(text.len(), 1)
                {
                    problem = Err(error);
                    return None;
                }
                Some(value)
            })?;
            std::mem::replace(&mut problem, Ok(()))?;
        }
    }
    Ok(variables.keys().filter(|name| !used.contains(*name)).cloned().collect())
}

/// What a variable stands for; nothing for a map or a list, which cannot be put anywhere.
fn value_of(map: &ResMap, variable: &Var) -> Result<Option<VariableValue>> {
    let mut objects = map.resources().iter();
    let Some(object) = objects.find(|object| object.variables.iter().any(|name| **name == *variable.name))
    else {
        let shown = shown(variable);
        let message = format!("var '{shown}' cannot be mapped to a field in the set of known resources");
        return Err(Error::invalid(message));
    };
    let missing = || {
        let shown = shown(variable);
        Error::invalid(format!("field specified in var '{shown}' not found in corresponding resource"))
    };
    let steps: Vec<String> = path::split_with_brackets(&variable.field.field_path, '.')
        .into_iter()
        .flat_map(slice_index)
        .collect();
    let field = path::lookup(&object.node, &steps).ok().flatten().ok_or_else(missing)?;
    refvar::variable_value(field).map_err(|_| missing())
}

/// `ports[0]` to `ports` and `0`.
fn slice_index(step: String) -> Vec<String> {
    if let Some((name, index)) = step.strip_suffix(']').and_then(|step| step.rsplit_once('['))
        && !name.is_empty()
        && index.parse::<usize>().is_ok()
    {
        return vec![name.to_owned(), index.to_owned()];
    }
    vec![step]
}
