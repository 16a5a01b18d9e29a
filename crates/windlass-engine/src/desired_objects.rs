//! The objects that a Unit declares, in their order and by name.

use std::ops::Deref;

use windlass_kube::{Gvk, ObjectRef};
use windlass_model::{Digest, Receipt, Strict};

/// A declared object, without its body.
#[derive(Debug, Clone)]
pub(crate) struct DesiredObject {
    pub(crate) key: ObjectRef,
    pub(crate) gvk: Gvk,
    pub(crate) digest: Digest,
    pub(crate) wave: i32,
    /// What it says about fields that others add; `None` leaves it to the policy.
    pub(crate) strict: Option<Strict>,
    pub(crate) receipt: Option<Receipt>,
}

/// All of one Unit, in the order in which they are declared. One is found by its name without looking at every other:
/// a Unit may have many thousands, and the results of all of them come one by one.
#[derive(Debug, Clone, Default)]
pub(crate) struct DesiredObjects {
    objects: Box<[DesiredObject]>,
    /// The places in `objects`, in the order of the names. Four bytes each, where a map would hold every name again.
    by_key: Box<[u32]>,
}

impl DesiredObjects {
    /// The object under `key`; the first one if several are.
    pub(crate) fn get(&self, key: &ObjectRef) -> Option<&DesiredObject> {
        self.place(key).map(|place| &self.objects[place])
    }

    /// The same, to be changed. Its key stays.
    pub(crate) fn set_receipt(&mut self, key: &ObjectRef, receipt: Receipt) {
        if let Some(place) = self.place(key) {
            self.objects[place].receipt = Some(receipt);
        }
    }

    fn place(&self, key: &ObjectRef) -> Option<usize> {
        let key_at = |place: &u32| &self.objects[*place as usize].key;
        let first = self.by_key.partition_point(|place| key_at(place) < key);
        let place = self.by_key.get(first).filter(|place| key_at(place) == key)?;
        Some(*place as usize)
    }
}

impl FromIterator<DesiredObject> for DesiredObjects {
    fn from_iter<I: IntoIterator<Item = DesiredObject>>(objects: I) -> Self {
        let objects: Box<[DesiredObject]> = objects.into_iter().collect();
        let n_objects = u32::try_from(objects.len()).expect("a source is limited to far fewer objects");
        let mut by_key: Box<[u32]> = (0..n_objects).collect();
        // Of the same name the first comes first: the sort is stable.
        by_key.sort_by(|a, b| objects[*a as usize].key.cmp(&objects[*b as usize].key));
        Self { objects, by_key }
    }
}

impl Deref for DesiredObjects {
    type Target = [DesiredObject];

    fn deref(&self) -> &[DesiredObject] {
        &self.objects
    }
}

impl<'a> IntoIterator for &'a DesiredObjects {
    type Item = &'a DesiredObject;
    type IntoIter = std::slice::Iter<'a, DesiredObject>;

    fn into_iter(self) -> Self::IntoIter {
        self.objects.iter()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn object(name: &str, wave: i32) -> DesiredObject {
        DesiredObject {
            key: ObjectRef::new("", "ConfigMap", "default", name.to_owned()),
            gvk: Gvk::new("", "v1", "ConfigMap"),
            digest: Digest::of_bytes(name.as_bytes()),
            wave,
            strict: None,
            receipt: None,
        }
    }

    #[test]
    fn names_are_found_and_the_order_stays() {
        let names = ["m", "a", "z", "a", "b"];
        let mut objects: DesiredObjects =
            names.iter().zip(0..).map(|(name, idx)| object(name, idx)).collect();
        assert_eq!(objects.iter().map(|it| it.wave).collect::<Vec<_>>(), [0, 1, 2, 3, 4]);
        for (name, wave) in [("a", Some(1)), ("b", Some(4)), ("m", Some(0)), ("z", Some(2)), ("c", None)] {
            assert_eq!(objects.get(&object(name, 0).key).map(|it| it.wave), wave, "{name}");
        }
        let receipt = Receipt { desired: Digest::of_bytes(b"1"), owned: Digest::of_bytes(b"2") };
        objects.set_receipt(&object("a", 0).key, receipt);
        objects.set_receipt(&object("none", 0).key, receipt);
        let with: Vec<i32> = objects.iter().filter(|it| it.receipt.is_some()).map(|it| it.wave).collect();
        assert_eq!(with, [1]);
    }

    #[test]
    fn none_has_none() {
        let none = DesiredObjects::default();
        assert!(none.is_empty());
        assert!(none.get(&object("a", 0).key).is_none());
    }
}
