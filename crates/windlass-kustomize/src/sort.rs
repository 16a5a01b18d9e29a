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
            ((rank(&id.gvk.kind), gvk_key(&id.gvk), id_key(&id)), resource)
        })
        .collect();
    keyed.sort_by(|(a, _), (b, _)| a.cmp(b));
    let sorted = keyed.into_iter().map(|(_, resource)| resource).collect::<Vec<_>>();
    *map = ResMap::from_resources(sorted, schema)
        .map_err(|error| error.wrap("SortOrderTransformer: Failed to append to resources"))?;
    Ok(())
}

fn gvk_key(gvk: &Gvk) -> String {
    let or = |text: &SmolStr, none: &str| if text.is_empty() { none.to_owned() } else { text.to_string() };
    [or(&gvk.group, "~G"), or(&gvk.version, "~V"), or(&gvk.kind, "~K")].join("_")
}

fn id_key(id: &ResId) -> String {
    let or = |text: &SmolStr, none: &str| if text.is_empty() { none.to_owned() } else { text.to_string() };
    [id.gvk.to_string(), or(&id.namespace, "~X"), or(&id.name, "~N")].join("|")
}
