//! Objects that are rarely read, in little memory: packed against another object of their resource.
//!
//! Objects of one resource say the same things in the same order, managed fields most of all, so that one of them is
//! a good dictionary for the others.

use std::sync::Arc;

use lz4_flex::block::{compress_with_dict, decompress_with_dict};

/// Shorter JSON is not worth the bookkeeping.
const MIN_BYTES: usize = 256;

/// A dictionary costs time at every packing; the head of an object is what others share with it.
const MAX_DICTIONARY: usize = 8 << 10;

/// How many objects share a dictionary at least, so that dictionaries take little next to what they save.
const MIN_USES: usize = 64;

/// One packed piece of JSON.
pub(super) struct Packed {
    bytes: Box<[u8]>,
    n_unpacked: u32,
    dictionary: Arc<[u8]>,
}

impl Packed {
    /// The JSON.
    pub(super) fn unpack(&self) -> Vec<u8> {
        decompress_with_dict(&self.bytes, self.unpacked_len(), &self.dictionary).expect("it was packed here")
    }

    /// How many bytes the JSON has.
    pub(super) fn unpacked_len(&self) -> usize {
        self.n_unpacked as usize
    }
}

/// Packs the objects of one resource.
#[derive(Default)]
pub(super) struct Packer {
    dictionary: Option<Arc<[u8]>>,
    n_uses: usize,
}

impl Packer {
    /// Packs JSON; `None` where that saves nothing.
    pub(super) fn pack(&mut self, json: &[u8]) -> Option<Packed> {
        let n_unpacked = u32::try_from(json.len()).ok().filter(|_| json.len() >= MIN_BYTES)?;
        let dictionary = self.dictionary.get_or_insert_with(|| head(json)).clone();
        let bytes = compress_with_dict(json, &dictionary);
        self.n_uses += 1;
        // Objects that the dictionary no longer resembles: the next ones are packed against this one.
        if self.n_uses >= MIN_USES && bytes.len() > json.len() / 3 {
            self.dictionary = Some(head(json));
            self.n_uses = 0;
        }
        (bytes.len() < json.len()).then(|| Packed { bytes: bytes.into(), n_unpacked, dictionary })
    }
}

fn head(json: &[u8]) -> Arc<[u8]> {
    json[..json.len().min(MAX_DICTIONARY)].into()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn object(name: &str, data: &str) -> Vec<u8> {
        let fields = r#""managedFields":[{"apiVersion":"v1","fieldsType":"FieldsV1","fieldsV1":{"f:data":{".":{},"f:a":{}}},"manager":"argocd-controller","operation":"Apply"}]"#;
        format!(r#"{{"apiVersion":"v1","data":{{"a":"{data}"}},"kind":"ConfigMap","metadata":{{{fields},"name":"{name}","namespace":"default"}}}}"#)
            .into_bytes()
    }

    #[test]
    fn alike_objects_take_a_fraction() {
        let mut packer = Packer::default();
        let objects: Vec<_> = (0..100).map(|n| object(&format!("settings-{n}"), "some value")).collect();
        let packed: Vec<_> = objects.iter().map(|json| packer.pack(json).unwrap()).collect();
        let n_packed: usize = packed.iter().map(|packed| packed.bytes.len()).sum();
        let n_bytes: usize = objects.iter().map(Vec::len).sum();
        assert!(n_packed * 4 < n_bytes, "{n_packed} of {n_bytes}");
        assert!(packed.iter().zip(&objects).all(|(packed, json)| packed.unpack() == *json));
    }

    #[test]
    fn a_dictionary_that_no_longer_fits_is_replaced() {
        let mut packer = Packer::default();
        for n in 0..MIN_USES {
            packer.pack(&object(&format!("{n}"), "x"));
        }
        let other =
            |n: usize| format!("[{}{n}]", "[9,8,7,6,5,4,3,2,1,[8,6,4,2,[7,5,3,1]]],".repeat(8)).into_bytes();
        let first = packer.dictionary.clone();
        let incompressible: Vec<u8> =
            (0..2000u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
        packer.pack(&incompressible);
        assert_ne!(packer.dictionary, first);
        assert_eq!(packer.pack(&other(1)).unwrap().unpack(), other(1));
    }

    proptest! {
        #[test]
        fn what_is_packed_comes_back(pieces in proptest::collection::vec(("[a-z]{1,9}", ".{0,900}"), 1..20)) {
            let mut packer = Packer::default();
            for (name, data) in &pieces {
                let json = object(name, data);
                if let Some(packed) = packer.pack(&json) {
                    prop_assert_eq!(packed.unpacked_len(), json.len());
                    prop_assert_eq!(packed.unpack(), json);
                }
            }
        }
    }
}
