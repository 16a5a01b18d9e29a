//! Kustomizations under `tests/edited` build as kustomize 5.8.1 builds them after its own `edit` commands, which are
//! those that Argo CD runs. Recorded by `cargo xtask kustomizations --record`.
#![expect(clippy::unwrap_used, reason = "tests")]

mod disk_tree;
mod recorded;

use std::collections::BTreeMap;
use std::path::Path;

use disk_tree::DiskTree;
use smol_str::SmolStr;
use windlass_kustomize::kustomization::Replica;
use windlass_kustomize::{Edit, Error, Options, Services, build};

/// Cases that are told what is wrong in other words or at another time, with the reason.
const OTHER_WORDS: [(&str, &str); 2] = [
    ("component-missing", "`edit` looks for the folder; here the build does"),
    ("label-bad-name", "a command line takes the name for a flag"),
];

fn pairs(words: &[&str]) -> BTreeMap<SmolStr, SmolStr> {
    let pair = |word: &&str| word.split_once(':').map(|(key, value)| (key.into(), value.into())).unwrap();
    words.iter().map(pair).collect()
}

fn edit(line: &str) -> Edit {
    let words: Vec<&str> = line.split_whitespace().collect();
    let has = |flag: &str| words.contains(&flag);
    let rest: Vec<&str> = words[2..].iter().copied().filter(|word| !word.starts_with("--")).collect();
    match (words[0], words[1]) {
        ("set", "nameprefix") => Edit::NamePrefix(rest[0].into()),
        ("set", "namesuffix") => Edit::NameSuffix(rest[0].into()),
        ("set", "namespace") => Edit::Namespace(rest[0].into()),
        ("set", "image") => Edit::Images(rest.iter().map(|image| SmolStr::from(*image)).collect()),
        ("set", "replicas") => {
            let replica = |word: &&str| {
                let (name, count) = word.split_once('=').unwrap();
                Replica { name: name.into(), count: count.parse().unwrap() }
            };
            Edit::Replicas(rest.iter().map(replica).collect())
        }
        ("add", "label") => Edit::Labels {
            labels: pairs(&rest),
            force: has("--force"),
            without_selector: has("--without-selector"),
            include_templates: has("--include-templates"),
        },
        ("add", "annotation") => Edit::Annotations { annotations: pairs(&rest), force: has("--force") },
        ("add", "component") => Edit::Components(rest.iter().map(|path| SmolStr::from(*path)).collect()),
        other => panic!("no edit {other:?}"),
    }
}

fn built(case: &Path) -> Result<String, Error> {
    let tree = DiskTree::new(case).unwrap();
    let folder = if case.join("overlay").is_dir() { "overlay" } else { "" };
    let edits: Vec<Edit> = std::fs::read_to_string(case.join("edits")).unwrap().lines().map(edit).collect();
    let options = Options { shown_root: "/case".to_owned(), ..Options::default() };
    build(&tree, folder, &options, Services::default(), &edits)?.resources.to_yaml()
}

#[test]
fn edited_kustomizations_build_as_recorded() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/edited");
    recorded::hold(&root, built, |outcome| {
        outcome.is_equal() != OTHER_WORDS.iter().any(|(other, _)| *other == outcome.name)
    });
}
