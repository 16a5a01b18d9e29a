//! The order of the output.

use smol_str::SmolStr;

use crate::config;
use crate::error::{Error, Result};
use crate::filters::openapi::Schema;
use crate::kustomization::SortOptions;
use crate::res_id::{Gvk, ResId};
use crate::res_map::ResMap;

/// Puts resources in the order that the options say.
pub(crate) fn apply(map: &mut ResMap, options: &SortOptions, schema: &Schema) -> Result<()> {
    match options.order.as_str() {
        "legacy" => {}
        "fifo" if options.legacy.is_some() => {
            let message = "the field 'sortOptions.legacySortOptions' is set but the selected sort order is 'fifo', not 'legacy'";
            return Err(Error::invalid(message));
        }
        "fifo" => return Ok(()),
        _ => return Err(Error::invalid("the field 'sortOptions.order' must be one of [fifo, legacy]")),
    }
    let (first, last): (Vec<SmolStr>, Vec<SmolStr>) = match &options.legacy {
        Some(legacy) => (legacy.order_first.clone(), legacy.order_last.clone()),
        None => (config::FIRST.map(SmolStr::from).to_vec(), config::LAST.map(SmolStr::from).to_vec()),
    };
    let rank = |kind: &str| -> isize {
        let place = |kinds: &[SmolStr]| kinds.iter().rposition(|own| own == kind);
        match (place(&last), place(&first)) {
            (Some(place), _) => 1 + place.cast_signed(),
            (None, Some(place)) => place.cast_signed() - first.len().cast_signed(),
            (None, None) => 0,
        }
    };
    let list = std::mem::take(map.list_mut());
    let mut keyed: Vec<_> = list
        .into_iter()
        .map(|resource| {
            let id = resource.current_id(schema);
            (
                Key {
                    rank: rank(&id.gvk.kind),
                    gvk_text: gvk_key(&id.gvk),
                    id_text: id_key(&id),
                    gvk: id.gvk,
                },
                resource,
            )
        })
        .collect();
    keyed.sort_by(|(a, _), (b, _)| a.compare(b));
    let sorted = keyed.into_iter().map(|(_, resource)| resource).collect::<Vec<_>>();
    *map = ResMap::from_resources(sorted, schema)
        .map_err(|error| error.wrap("SortOrderTransformer: Failed to append to resources"))?;
    Ok(())
}

/// What a resource is sorted by.
struct Key {
    rank: isize,
    gvk_text: String,
    id_text: String,
    gvk: Gvk,
}

impl Key {
    fn compare(&self, other: &Self) -> std::cmp::Ordering {
        if self.gvk == other.gvk {
            return self.id_text.cmp(&other.id_text);
        }
        let by_gvk = || {
            // Kubernetes' own namespaces come before those of others.
            let namespaces = self.gvk.kind == "Namespace" && other.gvk.kind == "Namespace";
            if namespaces && (self.gvk.group.is_empty() || other.gvk.group.is_empty()) {
                other.gvk_text.cmp(&self.gvk_text)
            } else {
                self.gvk_text.cmp(&other.gvk_text)
            }
        };
        self.rank.cmp(&other.rank).then_with(by_gvk)
    }
}

fn gvk_key(gvk: &Gvk) -> String {
    let or = |text: &SmolStr, none: &str| if text.is_empty() { none.to_owned() } else { text.to_string() };
    [or(&gvk.group, "~G"), or(&gvk.version, "~V"), or(&gvk.kind, "~K")].join("_")
}

fn id_key(id: &ResId) -> String {
    let or = |text: &SmolStr, none: &str| if text.is_empty() { none.to_owned() } else { text.to_string() };
    [id.gvk.to_string(), or(&id.namespace, "~X"), or(&id.name, "~N")].join("|")
}
