//! Files to a build.
#![no_main]

use libfuzzer_sys::fuzz_target;
use windlass_kustomize::{Options, Services, build};
use windlass_model::MemoryTree;

fuzz_target!(|text: &str| {
    let files = text.split("=== ").filter_map(|file| file.split_once('\n'));
    let files: Vec<(&str, &str)> = files.filter(|(path, _)| is_path(path)).collect();
    let tree = MemoryTree::new(files);
    for generate in [false, true] {
        let options = Options { generate, ..Options::default() };
        if let Ok(built) = build(&tree, "", &options, Services::default(), &[]) {
            let _ = built.resources.to_yaml();
        }
    }
});

fn is_path(path: &str) -> bool {
    path.split('/').all(|part| !matches!(part, "" | "." | ".."))
}
