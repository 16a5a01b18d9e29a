//! Folders under `tests/generated` build as Flux builds them with the spec beside them: `fluxcd/pkg/kustomize` 1.38
//! with kustomize 5.8.1, recorded by `cargo xtask record flux`.
#![expect(clippy::unwrap_used, reason = "tests")]

mod disk_tree;
mod recorded;

use std::path::Path;

use disk_tree::DiskTree;
use windlass_kustomize::{Options, Result, Services, build, flux};
use windlass_yaml::Value;

fn built(case: &Path) -> Result<String> {
    let spec = windlass_yaml::load(&std::fs::read_to_string(case.join("spec.yaml")).unwrap()).unwrap();
    let tree = DiskTree::new(&case.join("root")).unwrap();
    let path = spec.get("path").and_then(Value::as_str).unwrap();
    let options = Options { shown_root: "/case".to_owned(), ..flux::options() };
    let edits = flux::edits(&spec, &tree, path)?;
    build(&tree, path, &options, Services::default(), &edits)?.resources.to_yaml()
}

#[test]
fn folders_build_as_flux_builds_them() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/generated");
    // Git keeps no empty folders.
    let build = |case: &Path| {
        std::fs::create_dir_all(case.join("root")).unwrap();
        built(case)
    };
    recorded::hold(&root, build, recorded::Outcome::is_equal);
}
