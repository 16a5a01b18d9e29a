//! Objects that are rarely read, in little memory.

use windlass_kube::{Object, Value};

/// An object without its managed fields, as compressed JSON.
///
/// A few kilobytes of status repeat themselves, so a third is left of them; packing takes some ten microseconds, which
/// is what one more copy of the object would take.
pub(crate) struct Packed(Box<[u8]>);

impl Packed {
    /// Packs an object.
    pub(crate) fn new(object: &Object) -> Self {
        let mut object = object.clone();
        object.remove_at(&["metadata", "managedFields"]);
        object.remove_at(&["metadata", "annotations", "kubectl.kubernetes.io/last-applied-configuration"]);
        let json = serde_json::to_vec(object.as_map()).expect("writing to memory cannot fail");
        Self(lz4_flex::compress_prepend_size(&json).into_boxed_slice())
    }

    /// The object.
    pub(crate) fn object(&self) -> Object {
        let json = lz4_flex::decompress_size_prepended(&self.0).expect("it was packed here");
        let value: Value = serde_json::from_slice(&json).expect("it was JSON when it was packed");
        Object::try_new(value).expect("it was an object when it was packed")
    }
}

#[cfg(test)]
mod tests {
    use windlass_kube::value;

    use super::*;

    #[test]
    fn what_is_packed_comes_back_without_managed_fields() {
        let object = value!({
            "apiVersion": "argoproj.io/v1alpha1",
            "kind": "Application",
            "metadata": {"name": "shop", "managedFields": [{"manager": "kubectl"}], "annotations": {
                "kubectl.kubernetes.io/last-applied-configuration": "{}", "kept": "yes"
            }},
            "status": {"history": [1, 1.5, null, "ä"]},
        });
        let unpacked = Packed::new(&Object::try_new(object).unwrap()).object();
        let expected = value!({
            "apiVersion": "argoproj.io/v1alpha1",
            "kind": "Application",
            "metadata": {"name": "shop", "annotations": {"kept": "yes"}},
            "status": {"history": [1, 1.5, null, "ä"]},
        });
        assert_eq!(unpacked.into_value(), expected);
    }
}
