//! What a real kube-apiserver said of itself, recorded by `record/record.py` into one asset.

use std::collections::HashMap;
use std::io::Read;
use std::sync::OnceLock;

use flate2::read::ZlibDecoder;
use windlass_kube::Value;

static ASSET: &[u8] = include_bytes!("../assets/kubernetes-1.36.3.bin");

/// The version of Kubernetes that was recorded.
pub(crate) const KUBERNETES_VERSION: &str = "v1.36.3";

struct Slot {
    packed: &'static [u8],
    n_bytes: usize,
}

fn index() -> &'static HashMap<String, Slot> {
    static INDEX: OnceLock<HashMap<String, Slot>> = OnceLock::new();
    INDEX.get_or_init(|| read_index().expect("the asset is part of the program"))
}

fn read_index() -> Option<HashMap<String, Slot>> {
    let (length, rest) = ASSET.split_first_chunk::<4>()?;
    let (header, body) = rest.split_at_checked(u32::from_le_bytes(*length) as usize)?;
    let header: Value = serde_json::from_slice(&inflate(header, 0)?).ok()?;
    let mut index = HashMap::new();
    for document in header.items_at(&["documents"]) {
        let [name, offset, length, n_bytes] = document.as_array()?.as_slice() else { return None };
        let number = |value: &Value| usize::try_from(value.as_int()?).ok();
        let packed = body.get(number(offset)?..)?.get(..number(length)?)?;
        index.insert(name.as_str()?.to_owned(), Slot { packed, n_bytes: number(n_bytes)? });
    }
    Some(index)
}

fn inflate(packed: &[u8], n_bytes: usize) -> Option<Vec<u8>> {
    let mut out = Vec::with_capacity(n_bytes);
    ZlibDecoder::new(packed).read_to_end(&mut out).ok()?;
    Some(out)
}

/// The bytes of a recorded document, inflated anew on each call.
pub(crate) fn bytes(name: &str) -> Option<Vec<u8>> {
    let slot = index().get(name)?;
    inflate(slot.packed, slot.n_bytes)
}

/// A recorded document, parsed anew on each call.
pub(crate) fn document(name: &str) -> Option<Value> {
    serde_json::from_slice(&bytes(name)?).ok()
}

/// Whether there is a recorded document of that name.
pub(crate) fn has(name: &str) -> bool {
    index().contains_key(name)
}

/// The names of the recorded documents that begin with `prefix`, without it, sorted.
pub(crate) fn names(prefix: &str) -> Vec<&'static str> {
    let mut names: Vec<&str> = index().keys().filter_map(|name| name.strip_prefix(prefix)).collect();
    names.sort_unstable();
    names
}

/// The schemas of all built-in kinds without their descriptions, by definition name; parsed once.
pub(crate) fn schemas() -> &'static Value {
    static SCHEMAS: OnceLock<Value> = OnceLock::new();
    SCHEMAS.get_or_init(|| document("schemas").expect("the asset is part of the program"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_asset_can_be_read() {
        let version = document("version").unwrap();
        assert_eq!(version.str_at(&["gitVersion"]), Some(KUBERNETES_VERSION));
        assert!(names("paths/").contains(&"apis/apps/v1"));
        assert!(schemas().get("io.k8s.api.apps.v1.Deployment").is_some());
    }
}
