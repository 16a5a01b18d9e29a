//! An object and two patches of it.
#![no_main]

use libfuzzer_sys::fuzz_target;
use windlass_kustomize::{Options, Services, build};
use windlass_model::MemoryTree;

const KUSTOMIZATION: &str = "resources: [object.yaml]\npatches:\n\
    - {target: {kind: .*}, path: strategic.yaml}\n- {target: {kind: .*}, path: json.yaml}\n";

fuzz_target!(|text: &str| {
    let mut parts = text.split('\0');
    let mut next = || parts.next().unwrap_or_default();
    let tree = MemoryTree::new([
        ("kustomization.yaml", KUSTOMIZATION),
        ("object.yaml", next()),
        ("strategic.yaml", next()),
        ("json.yaml", next()),
    ]);
    if let Ok(built) = build(&tree, "", &Options::default(), Services::default(), &[]) {
        let _ = built.resources.to_yaml();
    }
});
