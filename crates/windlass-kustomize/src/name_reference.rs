//! Names of resources in other resources, brought up to date after names have changed.
//!
//! kustomize looks through all resources for each name it meets. Here an index from every name that a
//! resource ever had leads to the few that can be meant, so the cost grows with the number of resources only.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use smol_str::SmolStr;

use crate::config::NameReference;
use crate::error::{Error, Result};
use crate::filters::field_spec::FieldSpec;
use crate::filters::name_reference::{self, NameField};
use crate::filters::openapi::Schema;
use crate::node::Node;
use crate::res_id::{Gvk, NOT_A_NAMESPACE, ResId};
use crate::res_map::ResMap;
use crate::resource::Resource;

/// What is asked of a resource again and again, kept while names are fixed.
struct Candidate {
    current: ResId,
    /// The effective namespace that it had first.
    original_namespace: SmolStr,
    /// The names and kinds that it had.
    previous: Vec<ResId>,
    prefixes: Vec<SmolStr>,
    suffixes: Vec<SmolStr>,
}

struct Index {
    candidates: Vec<Candidate>,
    by_previous_name: HashMap<SmolStr, Vec<usize>>,
    by_original_namespace: HashMap<SmolStr, Vec<usize>>,
}

impl Index {
    fn new(resources: &[Resource], schema: &Schema) -> Self {
        let mut by_previous_name: HashMap<SmolStr, Vec<usize>> = HashMap::new();
        let mut by_original_namespace: HashMap<SmolStr, Vec<usize>> = HashMap::new();
        let mut candidates = Vec::with_capacity(resources.len());
        for (place, resource) in resources.iter().enumerate() {
            let previous: Vec<ResId> = resource.previous_ids().collect();
            for id in &previous {
                let places = by_previous_name.entry(id.name.clone()).or_default();
                if places.last() != Some(&place) {
                    places.push(place);
                }
            }
            let original_namespace: SmolStr = resource.original_id(schema).effective_namespace().into();
            by_original_namespace.entry(original_namespace.clone()).or_default().push(place);
            candidates.push(Candidate {
                current: resource.current_id(schema),
                original_namespace,
                previous,
                prefixes: resource.memory.prefixes.clone(),
                suffixes: resource.memory.suffixes.clone(),
            });
        }
        Self { candidates, by_previous_name, by_original_namespace }
    }
}

/// Stands for the referrer's text in an error while the referrer is being changed.
const OWN_TEXT: &str = "\0referrer\0";

/// The fields of one kind of resource that may hold names, with the kinds that are referred to.
type Fields = Arc<Vec<(Gvk, FieldSpec)>>;

/// Brings all references up to date.
pub(crate) fn fix(map: &mut ResMap, references: &[NameReference], schema: &Schema) -> Result<()> {
    let index = Index::new(map.resources(), schema);
    let mut fields_of: HashMap<(Gvk, Gvk), Fields> = HashMap::new();
    for place in 0..map.len() {
        let resource = &map.resources()[place];
        let kinds = (resource.original_id(schema).gvk, resource.gvk());
        let fields = fields_of.entry(kinds).or_insert_with_key(|kinds| fields_for(kinds, references));
        if fields.is_empty() {
            continue;
        }
        let fields = Arc::clone(fields);
        let namespaces = role_binding_namespaces(&map.resources()[place], &index.candidates[place].current)?;
        if index.by_previous_name.is_empty() {
            continue;
        }
        let mut node = std::mem::take(&mut map.resources_mut()[place].node);
        let before = node.shared_scalars();
        let mut result = Ok(());
        for (target, spec) in fields.iter() {
            let referrer = Referrer {
                index: &index,
                place,
                target,
                role: role_of(&node, spec.path()),
                namespaces: &namespaces,
                resources: map.resources(),
            };
            let id = &index.candidates[place].current;
            result = name_reference::visit(&mut node, spec, &mut |field| referrer.set(field));
            result = result.map_err(|error| {
                let mut own = map.resources()[place].clone();
                own.node.clone_from(&node);
                error
                    .wrap(format!("updating name reference in '{}' field of '{id}'", spec.path()))
                    .reworded(|words| words.replace(OWN_TEXT, &own.to_yaml()))
            });
            if result.is_err() {
                break;
            }
        }
        if !before.is_empty() {
            node.settle_shared(&before);
        }
        map.resources_mut()[place].node = node;
        result?;
    }
    Ok(())
}

/// The fields of resources that had the first kind and have the second now.
fn fields_for((original, current): &(Gvk, Gvk), references: &[NameReference]) -> Fields {
    let mut fields = Vec::new();
    for reference in references {
        let own = reference.referrers.iter().filter(|spec| original.is_selected_by(&spec.gvk));
        fields.extend(own.map(|spec| (reference.gvk(), FieldSpec { gvk: current.clone(), ..spec.clone() })));
    }
    Arc::new(fields)
}

/// The namespaces of the service accounts that a role binding names.
fn role_binding_namespaces(resource: &Resource, id: &ResId) -> Result<HashSet<SmolStr>> {
    let mut namespaces = HashSet::new();
    if resource.kind() != "RoleBinding" || id.cluster_scoped {
        return Ok(namespaces);
    }
    for subject in resource.node.get("subjects").into_iter().flat_map(Node::items) {
        let Some(namespace) = subject.get("namespace") else { continue };
        if subject.get("kind").is_none_or(|kind| kind.text() != "ServiceAccount") {
            continue;
        }
        match namespace
            .as_scalar()
            .filter(|scalar| scalar.is_string() || scalar.tag == crate::node::Tag::Timestamp)
        {
            Some(text) => {
                namespaces.insert(text.value.clone());
            }
            None => {
                let id = id.to_string();
                return Err(Error::invalid(format!(
                    "Invalid Input: namespace is blank for resource {id:?}\n"
                )));
            }
        }
    }
    Ok(namespaces)
}

/// The role that a binding names, where the field is its name.
fn role_of(node: &Node, path: &str) -> Option<Gvk> {
    if !path.ends_with("roleRef/name") {
        return None;
    }
    let role = node.get("roleRef")?;
    let text = |name: &str| Some(SmolStr::from(role.get(name)?.text()));
    Some(Gvk { group: text("apiGroup")?, version: SmolStr::default(), kind: text("kind")? })
}

/// A resource with a field that may hold another's name.
struct Referrer<'a> {
    index: &'a Index,
    place: usize,
    /// The kind that is referred to.
    target: &'a Gvk,
    role: Option<Gvk>,
    namespaces: &'a HashSet<SmolStr>,
    resources: &'a [Resource],
}

impl Referrer<'_> {
    fn own(&self) -> &Candidate {
        &self.index.candidates[self.place]
    }

    fn set(&self, field: NameField<'_>) -> Result<()> {
        match field {
            NameField::Name(field) => self.set_scalar(field),
            NameField::Reference(field) => self.set_mapping(field),
        }
    }

    fn set_scalar(&self, field: &mut Node) -> Result<()> {
        let old = SmolStr::from(field.text());
        let same = |a: &Candidate, b: &Candidate| a.current.name == b.current.name;
        let Some(place) = self.select(&old, |_| true, same)? else { return Ok(()) };
        let name = &self.index.candidates[place].current.name;
        if *name == old {
            return Ok(());
        }
        name_reference::set_name(field, name)
    }

    fn set_mapping(&self, field: &mut Node) -> Result<()> {
        let Some(name) = field.get("name") else {
            return Err(Error::invalid("path config error; no 'name' field in node"));
        };
        let old = SmolStr::from(name.text());
        let namespace = field.get("namespace").map(|namespace| SmolStr::from(namespace.text()));
        let by_original = namespace.as_ref().is_some_and(|namespace| {
            let places = self.index.by_original_namespace.get(namespace);
            *namespace != NOT_A_NAMESPACE
                && places
                    .into_iter()
                    .flatten()
                    .any(|place| self.could_refer_to(&self.index.candidates[*place]))
        });
        let fits = |candidate: &Candidate| match &namespace {
            None => true,
            Some(namespace) if *namespace == NOT_A_NAMESPACE => false,
            Some(namespace) if by_original => candidate.original_namespace == *namespace,
            Some(namespace) => candidate.current.effective_namespace() == *namespace,
        };
        let same = |a: &Candidate, b: &Candidate| {
            a.current.name == b.current.name && a.current.namespace == b.current.namespace
        };
        let Some(place) = self.select(&old, fits, same)? else { return Ok(()) };
        let found = &self.index.candidates[place].current;
        if found.name == old && found.namespace.is_empty() {
            return Ok(());
        }
        name_reference::set_reference(field, "name", &found.name)?;
        if found.namespace.is_empty() {
            return Ok(());
        }
        name_reference::set_reference(field, "namespace", &found.namespace)
    }

    /// Whether the referrer and another one may have to do with each other at all.
    fn could_refer_to(&self, other: &Candidate) -> bool {
        let own = &self.own().current;
        own.cluster_scoped
            || other.current.cluster_scoped
            || own.effective_namespace() == other.current.effective_namespace()
            || self.namespaces.contains(&other.current.namespace)
    }

    /// The one resource that had the name `old`.
    fn select(
        &self,
        old: &SmolStr,
        fits: impl Fn(&Candidate) -> bool,
        same: impl Fn(&Candidate, &Candidate) -> bool,
    ) -> Result<Option<usize>> {
        let own = self.own();
        let Some(places) = self.index.by_previous_name.get(old) else { return Ok(None) };
        let selected_by =
            |candidate: &Candidate, gvk: &Gvk| candidate.previous.iter().any(|id| id.gvk.is_selected_by(gvk));
        let found = places.iter().copied().filter(|place| {
            let candidate = &self.index.candidates[*place];
            self.could_refer_to(candidate)
                && fits(candidate)
                && selected_by(candidate, self.target)
                && self.role.as_ref().is_none_or(|role| selected_by(candidate, role))
                && (own.current.cluster_scoped
                    || candidate.current.cluster_scoped
                    || candidate.current.gvk.kind == "ServiceAccount"
                    || own.current.effective_namespace() == candidate.current.effective_namespace())
        });
        let mut found: Vec<usize> = found.collect();
        if found.len() == 1 {
            return Ok(found.pop());
        }
        found.retain(|place| self.same_context(&self.index.candidates[*place], true));
        if found.len() > 1 {
            found.retain(|place| self.same_context(&self.index.candidates[*place], false));
        }
        let Some((first, others)) = found.split_first() else { return Ok(None) };
        let first_candidate = &self.index.candidates[*first];
        if others.iter().all(|place| same(first_candidate, &self.index.candidates[*place])) {
            return Ok(Some(*first));
        }
        Err(self.ambiguous(&found))
    }

    /// Whether both were prefixed and suffixed by the same kustomizations.
    fn same_context(&self, other: &Candidate, allow_empty: bool) -> bool {
        let own = self.own();
        let same = |own: &[SmolStr], other: &[SmolStr]| {
            let empty = allow_empty && (own.is_empty() || other.is_empty());
            empty || same_ending(own, other)
        };
        same(&own.prefixes, &other.prefixes) && same(&own.suffixes, &other.suffixes)
    }

    fn ambiguous(&self, found: &[usize]) -> Error {
        let ids = found.iter().map(|place| self.index.candidates[*place].current.to_string());
        let ids = ids.collect::<Vec<_>>().join(", ");
        let mut message = format!(
            "found multiple possible referrals: {ids}\n\n**** Too many possible referral targets to referrer:\n{OWN_TEXT}\n"
        );
        for (number, place) in found.iter().enumerate() {
            let text = self.resources[*place].to_yaml();
            message.push_str(&format!("--- possible referral {number}:\n{text}\n"));
        }
        Error::invalid(message)
    }
}

/// Whether the longer list ends with the shorter one; an empty one is the ending of an empty one only.
fn same_ending(a: &[SmolStr], b: &[SmolStr]) -> bool {
    let (short, long) = if a.len() > b.len() { (b, a) } else { (a, b) };
    if short.is_empty() { long.is_empty() } else { long.ends_with(short) }
}
