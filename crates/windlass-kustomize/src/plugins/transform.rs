//! What transformers do to the resources of a kustomization.

use std::collections::HashMap;

use smol_str::SmolStr;

use super::configurations::{PrefixConfig, SuffixConfig, ValueAddConfig};
use super::{Plugin, patches};
use crate::build::Context;
use crate::error::{Error, Result};
use crate::filters::field_spec::FieldSpec;
use crate::filters::namespace::NamespaceSetting;
use crate::filters::openapi::Schema;
use crate::filters::{affix, labels, replacement, replicas, value_add};
use crate::generators;
use crate::kustomization::Replica;
use crate::res_id::IdKey;
use crate::res_map::ResMap;

impl Plugin {
    /// Changes resources.
    pub(crate) fn transform(&self, map: &mut ResMap, context: &Context<'_>) -> Result<()> {
        let schema = &context.schema();
        let growth = &context.growth;
        growth.charge(self.weight(), map.len())?;
        match self {
            Self::ConfigMap(_) | Self::Secret(_) | Self::Helm(_) | Self::IamPolicy(_) => Ok(()),
            Self::Annotations(own) => {
                let pairs: Vec<(SmolStr, SmolStr)> = own.annotations.clone().into_iter().collect();
                set_entries(map, &pairs, &own.field_specs)
            }
            Self::Label(own) => {
                let pairs: Vec<(SmolStr, SmolStr)> = own.labels.clone().into_iter().collect();
                set_entries(map, &pairs, &own.field_specs)
            }
            Self::Hash => add_hashes(map, schema),
            Self::Image(setter, specs) => {
                for resource in map.resources_mut() {
                    let before = resource.node.shared_scalars();
                    setter.apply_everywhere(&mut resource.node)?;
                    setter.apply(&mut resource.node, specs)?;
                    resource.node.settle_shared(&before);
                }
                map.drop_empties();
                Ok(())
            }
            Self::Namespace(setting) => set_namespace(map, setting, schema),
            Self::JsonPatch(patch) => patch.apply(map, schema, growth),
            Self::StrategicPatches(patches) => patches::merge_each(patches, map, schema, growth),
            Self::Patch(patch) => patch.apply(map, schema, growth),
            Self::Prefix(own) => add_prefix(map, own, schema),
            Self::Suffix(own) => add_suffix(map, own, schema),
            Self::PrefixAndSuffix(prefix, suffix) => {
                add_prefix(map, prefix, schema)?;
                add_suffix(map, suffix, schema)
            }
            Self::Replacement(replacements) => {
                replacement::apply(replacements, map.resources_mut(), growth)?;
                map.drop_empties();
                Ok(())
            }
            Self::Replicas(replica, specs) => set_replicas(map, replica, specs, schema),
            Self::ValueAdd(own) => add_value(map, own, schema),
        }
    }
}

impl Plugin {
    /// How many bytes it writes onto an object, as far as that is the same for all.
    fn weight(&self) -> usize {
        let texts = |map: &std::collections::BTreeMap<SmolStr, SmolStr>| {
            map.iter().map(|(key, value)| key.len() + value.len()).sum()
        };
        match self {
            Self::Annotations(own) => texts(&own.annotations),
            Self::Label(own) => texts(&own.labels),
            Self::Namespace(own) => own.namespace.len(),
            Self::Prefix(own) => own.prefix.len(),
            Self::Suffix(own) => own.suffix.len(),
            Self::PrefixAndSuffix(prefix, suffix) => prefix.prefix.len() + suffix.suffix.len(),
            Self::ValueAdd(own) => own.value.len(),
            _ => 0,
        }
    }
}

/// Sets labels or annotations.
pub(crate) fn set_entries(map: &mut ResMap, pairs: &[(SmolStr, SmolStr)], specs: &[FieldSpec]) -> Result<()> {
    if pairs.is_empty() {
        return Ok(());
    }
    for resource in map.resources_mut() {
        labels::set_entries(&mut resource.node, pairs, specs)?;
    }
    map.drop_empties();
    Ok(())
}

fn add_hashes(map: &mut ResMap, schema: &Schema) -> Result<()> {
    for resource in map.resources_mut().iter_mut().filter(|resource| resource.memory.needs_hash) {
        let hash = generators::hash(&resource.node)?;
        resource.store_previous_id(schema);
        let name = format!("{}-{hash}", resource.name());
        resource.set_name(&name)?;
    }
    Ok(())
}

fn set_namespace(map: &mut ResMap, setting: &NamespaceSetting, schema: &Schema) -> Result<()> {
    if setting.namespace.is_empty() {
        return Ok(());
    }
    let mut counts: HashMap<IdKey, usize> = HashMap::with_capacity(map.len());
    for resource in map.resources() {
        *counts.entry(resource.current_id(schema).key()).or_default() += 1;
    }
    for place in 0..map.len() {
        let resource = &mut map.list_mut()[place];
        if resource.node.is_nil_or_empty() || resource.memory.helm_generated {
            continue;
        }
        if let Some(count) = counts.get_mut(&resource.current_id(schema).key()) {
            *count = count.saturating_sub(1);
        }
        resource.store_previous_id(schema);
        let before = resource.node.shared_scalars();
        setting.apply(&mut resource.node, schema)?;
        resource.node.settle_shared(&before);
        let id = resource.current_id(schema);
        let count = counts.entry(id.key()).or_default();
        *count += 1;
        if *count != 1 {
            let matches = map.by_current_id(&id, schema);
            let shown = matches.iter().map(|place| map.resources()[*place].to_json());
            let shown = shown.collect::<Vec<_>>().join(" ");
            let message = format!("namespace transformation produces ID conflict: [{shown}]");
            return Err(Error::invalid(message));
        }
    }
    Ok(())
}

fn add_prefix(map: &mut ResMap, own: &PrefixConfig, schema: &Schema) -> Result<()> {
    affixed(map, &own.field_specs, schema, |resource, spec| {
        if spec.path() == "metadata/name" {
            resource.add_prefix(&own.prefix);
            if !own.prefix.is_empty() {
                resource.store_previous_id(schema);
            }
        }
        affix::add_prefix(&mut resource.node, &own.prefix, spec)
    })
}

fn add_suffix(map: &mut ResMap, own: &SuffixConfig, schema: &Schema) -> Result<()> {
    affixed(map, &own.field_specs, schema, |resource, spec| {
        if spec.path() == "metadata/name" {
            resource.add_suffix(&own.suffix);
            if !own.suffix.is_empty() {
                resource.store_previous_id(schema);
            }
        }
        affix::add_suffix(&mut resource.node, &own.suffix, spec)
    })
}

fn affixed(
    map: &mut ResMap,
    specs: &[FieldSpec],
    schema: &Schema,
    change: impl Fn(&mut crate::resource::Resource, &FieldSpec) -> Result<()>,
) -> Result<()> {
    for resource in map.resources_mut() {
        let gvk = resource.original_id(schema).gvk;
        if affix::is_exempt(&gvk) {
            continue;
        }
        let before = resource.node.shared_scalars();
        for spec in specs.iter().filter(|spec| gvk.is_selected_by(&spec.gvk)) {
            change(resource, spec)?;
        }
        resource.node.settle_shared(&before);
    }
    Ok(())
}

fn set_replicas(map: &mut ResMap, replica: &Replica, specs: &[FieldSpec], schema: &Schema) -> Result<()> {
    let mut found = false;
    for spec in specs {
        let places = map.by_any_id(schema, |id| id.name == replica.name && id.gvk.is_selected_by(&spec.gvk));
        for place in places {
            found = true;
            let resource = &mut map.resources_mut()[place];
            let before = resource.node.shared_scalars();
            replicas::set_count(&mut resource.node, replica.count, spec)?;
            resource.node.settle_shared(&before);
        }
    }
    if found {
        return Ok(());
    }
    let kinds = specs.iter().map(|spec| spec.gvk.to_string()).collect::<Vec<_>>().join(" ");
    Err(Error::invalid(format!(
        "resource with name {} does not match a config with the following GVK [{kinds}]",
        replica.name
    )))
}

fn add_value(map: &mut ResMap, own: &ValueAddConfig, schema: &Schema) -> Result<()> {
    for target in &own.targets {
        let places = match &target.selector {
            Some(selector) => patches::select(map, selector, schema)?,
            None => (0..map.len()).collect(),
        };
        for place in places {
            let resource = &mut map.resources_mut()[place];
            let before = resource.node.shared_scalars();
            if target.field_path == "metadata/namespace" {
                let setting =
                    NamespaceSetting { namespace: own.value.clone(), ..NamespaceSetting::default() };
                setting.apply(&mut resource.node, schema)?;
            } else {
                let position = usize::try_from(target.file_path_position).unwrap_or(0);
                value_add::add(&mut resource.node, &own.value, &target.field_path, position)?;
            }
            resource.node.settle_shared(&before);
        }
    }
    Ok(())
}
