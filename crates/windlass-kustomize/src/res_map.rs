//! The resources of a kustomization, in the order they came, no two with the same identity.

use std::collections::HashMap;

use crate::error::{Error, Result};
use crate::filters::openapi::Schema;
use crate::node::Node;
use crate::res_id::{IdKey, ResId};
use crate::resource::{Behavior, Resource};

/// Resources in order.
#[derive(Clone, Debug, Default)]
pub struct ResMap {
    list: Vec<Resource>,
    /// How many resources have each current identity; `None` when that must be counted anew.
    index: Option<HashMap<IdKey, usize>>,
}

impl ResMap {
    /// Without resources.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// From a list.
    ///
    /// # Errors
    /// Two resources with the same identity.
    pub fn from_resources(resources: impl IntoIterator<Item = Resource>, schema: &Schema) -> Result<Self> {
        let mut map = Self::new();
        for resource in resources {
            map.append(resource, schema)?;
        }
        Ok(map)
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.list.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// The resources.
    #[must_use]
    pub fn resources(&self) -> &[Resource] {
        &self.list
    }

    /// The resources, to be changed.
    pub fn resources_mut(&mut self) -> &mut [Resource] {
        self.index = None;
        &mut self.list
    }

    /// The list itself, to be changed in any way; identities are not checked.
    pub fn list_mut(&mut self) -> &mut Vec<Resource> {
        self.index = None;
        &mut self.list
    }

    /// The resources alone.
    #[must_use]
    pub fn into_resources(self) -> Vec<Resource> {
        self.list
    }

    fn index(&mut self, schema: &Schema) -> &mut HashMap<IdKey, usize> {
        let list = &self.list;
        self.index.get_or_insert_with(|| {
            let mut index = HashMap::with_capacity(list.len());
            for resource in list {
                *index.entry(resource.current_id(schema).key()).or_default() += 1;
            }
            index
        })
    }

    /// Adds a resource at the end.
    ///
    /// # Errors
    /// One with the same identity is there.
    pub fn append(&mut self, resource: Resource, schema: &Schema) -> Result<()> {
        let id = resource.current_id(schema);
        let count = self.index(schema).entry(id.key()).or_default();
        if *count > 0 {
            return Err(Error::invalid(format!("may not add resource with an already registered id: {id}")));
        }
        *count = 1;
        self.list.push(resource);
        Ok(())
    }

    /// Adds all resources of another at the end.
    ///
    /// # Errors
    /// One with the same identity is there.
    pub fn append_all(&mut self, other: Self, schema: &Schema) -> Result<()> {
        if self.list.is_empty() {
            *self = other;
            // A JSON patch may have given two resources the same name.
            return self.check_unique(schema);
        }
        other.list.into_iter().try_for_each(|resource| self.append(resource, schema))
    }

    /// Checks that no two resources have the same identity.
    ///
    /// # Errors
    /// Two have.
    pub fn check_unique(&mut self, schema: &Schema) -> Result<()> {
        let list = std::mem::take(&mut self.list);
        self.index = None;
        list.into_iter().try_for_each(|resource| self.append(resource, schema))
    }

    /// Drops resources that are empty.
    pub fn drop_empties(&mut self) {
        self.list_mut().retain(|resource| !resource.node.is_nil_or_empty());
    }

    /// The places of the resources whose current identity is `id`.
    #[must_use]
    pub fn by_current_id(&self, id: &ResId, schema: &Schema) -> Vec<usize> {
        self.places(|resource| resource.current_id(schema).equals(id))
    }

    /// The places of the resources that have an identity, or had it once, that `matches` says yes to.
    pub fn by_any_id(&self, schema: &Schema, mut matches: impl FnMut(&ResId) -> bool) -> Vec<usize> {
        self.places(|resource| {
            !resource.node.is_nil_or_empty()
                && (resource.previous_ids().any(|id| matches(&id)) || matches(&resource.current_id(schema)))
        })
    }

    /// The one resource that has the identity or had it once.
    ///
    /// # Errors
    /// There is none, or more than one.
    pub fn by_id(&self, id: &ResId, schema: &Schema) -> Result<usize> {
        let problem = match self.having_id(id, schema)[..] {
            [place] => return Ok(place),
            [] => "no matches for Id",
            _ => "multiple matches for Id",
        };
        Err(Error::invalid(format!("{problem} {id}; failed to find unique target for patch {id}")))
    }

    /// The places of the resources that have the identity or had it once.
    fn having_id(&self, id: &ResId, schema: &Schema) -> Vec<usize> {
        self.places(|resource| {
            let named = resource.name() == id.name
                || resource.memory.previous.iter().any(|previous| previous.name == id.name);
            named
                && !resource.node.is_nil_or_empty()
                && (resource.previous_ids().any(|own| own.equals(id))
                    || resource.current_id(schema).equals(id))
        })
    }

    fn places(&self, mut matches: impl FnMut(&Resource) -> bool) -> Vec<usize> {
        let places = self.list.iter().enumerate().filter(|(_, resource)| matches(resource));
        places.map(|(place, _)| place).collect()
    }

    /// Takes the resources of a generator in: each is added, merged into or put in the place of another, as
    /// its behavior says.
    ///
    /// # Errors
    /// The behavior does not fit what is there.
    pub fn absorb_all(&mut self, other: Self, schema: &Schema) -> Result<()> {
        other.list.into_iter().try_for_each(|resource| self.absorb(resource, schema))
    }

    fn absorb(&mut self, mut resource: Resource, schema: &Schema) -> Result<()> {
        let id = resource.current_id(schema);
        let behavior = resource.memory.behavior.unwrap_or_default();
        let matches = self.having_id(&id, schema);
        let place = match matches[..] {
            [] if matches!(behavior, Behavior::Merge | Behavior::Replace) => {
                let message = format!("id {} does not exist; cannot merge or replace", go_syntax(&id));
                return Err(Error::invalid(message));
            }
            [] => return self.append(resource, schema),
            [place] => place,
            _ => {
                let found = matches.iter().map(|place| self.list[*place].to_json());
                let found = found.collect::<Vec<_>>().join(" ");
                let message = format!("found multiple objects [{found}] that could accept merge of {id}");
                return Err(Error::invalid(message));
            }
        };
        let old = &self.list[place];
        match behavior {
            Behavior::Replace => resource.copy_metadata_from(old)?,
            Behavior::Merge => {
                let origin = old.annotation(crate::resource::ORIGIN).map(str::to_owned);
                resource.copy_metadata_from(old)?;
                resource.merge_data_from(old, "data")?;
                resource.merge_data_from(old, "binaryData")?;
                if let Some(origin) = origin {
                    resource.set_annotation(crate::resource::ORIGIN, Some(&origin))?;
                }
            }
            _ => {
                return Err(Error::invalid(format!(
                    "id {} exists; can not use behavior: '{}', behavior must be merge or replace",
                    go_syntax(&id),
                    behavior.name()
                )));
            }
        }
        self.resources_mut()[place] = resource;
        Ok(())
    }

    /// All resources as `kustomize build` prints them.
    ///
    /// # Errors
    /// A resource that has no JSON form.
    pub fn to_yaml(&self) -> Result<String> {
        let mut text = String::new();
        for (idx, resource) in self.list.iter().enumerate() {
            if idx > 0 {
                text.push_str("---\n");
            }
            text.push_str(&windlass_yaml::to_yaml(&object_value(&resource.node)?));
        }
        Ok(text)
    }
}

/// The object as a value.
fn object_value(node: &Node) -> Result<windlass_yaml::Value> {
    node.to_value().map_err(|error| {
        // Go prints the map that it made of the object, if it could make one.
        if error.message().starts_with("json: ") {
            return error.wrap(node.go_syntax());
        }
        let duplicate = error.message().starts_with("yaml: unmarshal errors");
        match node.printed_problem().filter(|_| duplicate) {
            Some(problem) => Error::invalid(format!("map[string]interface {{}}(nil): {problem}")),
            None => error.wrap("map[string]interface {}(nil)"),
        }
    })
}

/// An identity as Go's `%#v` prints it.
fn go_syntax(id: &ResId) -> String {
    format!(
        "resid.ResId{{Gvk:resid.Gvk{{Group:{:?}, Version:{:?}, Kind:{:?}, isClusterScoped:{}}}, Name:{:?}, Namespace:{:?}}}",
        id.gvk.group, id.gvk.version, id.gvk.kind, id.cluster_scoped, id.name, id.namespace
    )
}
