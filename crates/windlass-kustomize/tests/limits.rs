//! Hostile kustomizations end with an error that names what stopped them.
#![expect(clippy::unwrap_used, reason = "tests")]

mod memory_tree;

use memory_tree::MemoryTree;
use windlass_kustomize::{Error, ErrorKind, MAX_ALIASED_NODES, MAX_LEVELS, Options, Services, build};

fn problem(tree: &MemoryTree, folder: &str) -> Error {
    let built = build(tree, folder, &Options::default(), Services::default(), &[]);
    built.and_then(|built| built.resources.to_yaml()).unwrap_err()
}

const CONFIG_MAP: &str = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n";

#[test]
fn kustomizations_lie_on_each_other_up_to_a_limit() {
    let tower = |levels: usize| {
        let mut files = vec![("0/kustomization.yaml".to_owned(), "resources: [a.yaml]\n".to_owned())];
        files.push(("0/a.yaml".to_owned(), CONFIG_MAP.to_owned()));
        files.extend((1..levels).map(|level| {
            (
                format!("{level}/kustomization.yaml"),
                format!("resources: [../{}]\nnamePrefix: p-\n", level - 1),
            )
        }));
        MemoryTree::new(files)
    };
    let highest = build(
        &tower(MAX_LEVELS),
        &(MAX_LEVELS - 1).to_string(),
        &Options::default(),
        Services::default(),
        &[],
    );
    assert_eq!(highest.unwrap().resources.len(), 1);
    let error = problem(&tower(10_000), "9999");
    assert!(error.to_string().contains("MAX_LEVELS"), "{}", &error.to_string()[..200]);
}

#[test]
fn aliases_stand_for_a_limited_number_of_nodes() {
    let mut bomb = format!("{CONFIG_MAP}x0: &x0 [a, a, a, a, a, a, a, a, a, a]\n");
    for level in 1..10 {
        let below = vec![format!("*x{}", level - 1); 10].join(", ");
        bomb.push_str(&format!("x{level}: &x{level} [{below}]\n"));
    }
    let tree = MemoryTree::new([
        ("kustomization.yaml", "resources: [a.yaml]\n".to_owned()),
        ("a.yaml", bomb.clone()),
    ]);
    let error = problem(&tree, "");
    assert_eq!(error.kind(), ErrorKind::Limit, "{error}");
    assert!(error.to_string().contains(&MAX_ALIASED_NODES.to_string()), "{error}");
    // The kustomization itself is held to the rule of Go's decoder.
    let tree = MemoryTree::new([("kustomization.yaml", bomb)]);
    assert!(problem(&tree, "").to_string().starts_with("invalid Kustomization: "));
}

#[test]
fn an_alias_inside_of_its_anchor_is_an_error() {
    let tree = MemoryTree::new([
        ("kustomization.yaml", "resources: [a.yaml]\n".to_owned()),
        ("a.yaml", format!("{CONFIG_MAP}data: &d\n  a: *d\n")),
    ]);
    assert!(problem(&tree, "").to_string().contains("anchor 'd' value contains itself"));
}

#[test]
fn values_nest_up_to_a_limit() {
    let deep = format!("{CONFIG_MAP}data: {}{}\n", "[".repeat(5_000), "]".repeat(5_000));
    let tree =
        MemoryTree::new([("kustomization.yaml", "resources: [a.yaml]\n".to_owned()), ("a.yaml", deep)]);
    assert!(problem(&tree, "").to_string().contains("limit depth"));
}

#[test]
fn patterns_of_targets_take_linear_time() {
    let text = format!(
        "resources: [a.yaml]\npatches:\n- target: {{name: \"(a*)*{}b\"}}\n  patch: '[{{\"op\": \"remove\", \"path\": \"/x\"}}]'\n",
        "(a*)*".repeat(50)
    );
    let object = CONFIG_MAP.replace("name: a", &format!("name: {}", "a".repeat(250)));
    let tree = MemoryTree::new([("kustomization.yaml", text), ("a.yaml", object)]);
    let built = build(&tree, "", &Options::default(), Services::default(), &[]).unwrap();
    assert_eq!(built.resources.len(), 1);
    let huge = "resources: [a.yaml]\npatches:\n- target: {name: \"((a{1000}){1000}){1000}\"}\n  patch: '[{\"op\": \"remove\", \"path\": \"/x\"}]'\n";
    let tree = MemoryTree::new([("kustomization.yaml", huge), ("a.yaml", CONFIG_MAP)]);
    let _ = problem(&tree, "");
}

#[test]
fn files_are_read_inside_of_the_tree_only() {
    let tree = MemoryTree::new([("a/kustomization.yaml", "resources: [../../../etc/passwd]\n")]);
    let anywhere = Options { load_from_anywhere: true, ..Options::default() };
    let error = build(&tree, "a", &anywhere, Services::default(), &[]).unwrap_err();
    assert!(error.to_string().contains("/etc/passwd: no such file or directory"), "{error}");
}
