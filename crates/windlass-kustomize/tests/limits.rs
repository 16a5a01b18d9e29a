//! Hostile kustomizations end with an error that names what stopped them.
#![expect(clippy::unwrap_used, reason = "tests")]

mod disk_tree;
mod memory_tree;

use memory_tree::MemoryTree;
use windlass_kustomize::{
    Error, ErrorKind, MAX_ALIASED_NODES, MAX_GENERATED, MAX_LEVELS, Options, Services, build,
};

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

#[test]
fn cycles_are_found() {
    let tree = MemoryTree::new([
        ("a/kustomization.yaml", "resources: [../b]\n"),
        ("b/kustomization.yaml", "components: [../c]\n"),
        ("c/kustomization.yaml", "kind: Component\nresources: [../a]\n"),
        ("self/kustomization.yaml", "resources: [.]\n"),
        ("above/in/kustomization.yaml", "resources: [..]\n"),
        ("above/kustomization.yaml", "resources: [in]\n"),
    ]);
    for folder in ["a", "self", "above", "above/in"] {
        let words = problem(&tree, folder).to_string();
        assert!(words.contains("cycle detected"), "{folder}: {words}");
    }
}

#[test]
fn folders_may_lie_deep() {
    let path = "d/".repeat(10_000);
    let tree = MemoryTree::new([
        ("kustomization.yaml".to_owned(), format!("resources: [{path}]\n")),
        (format!("{path}kustomization.yaml"), "resources: [a.yaml]\n".to_owned()),
        (format!("{path}a.yaml"), CONFIG_MAP.to_owned()),
    ]);
    let built = build(&tree, "", &Options::default(), Services::default(), &[]).unwrap();
    assert_eq!(built.resources.len(), 1);
}

#[test]
fn generators_read_a_limited_number_of_bytes() {
    let huge = "x".repeat(MAX_GENERATED / 2 + 1);
    let text = "configMapGenerator: [{name: a, files: [x.txt, y.txt]}]\n";
    let tree =
        MemoryTree::new([("kustomization.yaml", text.to_owned()), ("x.txt", huge.clone()), ("y.txt", huge)]);
    let error = problem(&tree, "");
    assert_eq!(error.kind(), ErrorKind::Limit);
    assert!(error.to_string().contains("MAX_GENERATED"), "{error}");
}

/// A kustomization of one object that is changed by `lines`.
fn changed_by(lines: &str) -> MemoryTree {
    MemoryTree::new([
        ("kustomization.yaml", format!("resources: [a.yaml]\n{lines}")),
        ("a.yaml", format!("{CONFIG_MAP}data: {{a: aaaaaaaa, b: \"\"}}\n")),
    ])
}

#[test]
fn a_json_patch_that_doubles_its_object_is_stopped() {
    let copies: String = (0..60)
        .map(|number| format!("    - {{op: copy, from: /data, path: /data/copy{number}}}\n"))
        .collect();
    let error =
        problem(&changed_by(&format!("patches:\n- target: {{kind: ConfigMap}}\n  patch: |\n{copies}")), "");
    assert!(error.to_string().contains("exceeding the limit"), "{error}");
}

#[test]
fn replacements_that_double_a_value_are_stopped() {
    let whole = "- source: {kind: ConfigMap, fieldPath: data}\n  targets: [{select: {kind: ConfigMap}, fieldPaths: [data.copyN], options: {create: true}}]\n";
    let inside = "- source: {kind: ConfigMap, fieldPath: data.a}\n  targets: [{select: {kind: ConfigMap}, fieldPaths: [data.a], options: {delimiter: \"|\", index: -1}}]\n";
    for one in [whole, inside] {
        let all: String = (0..60).map(|number| one.replace('N', &number.to_string())).collect();
        let error = problem(&changed_by(&format!("replacements:\n{all}")), "");
        assert_eq!(error.kind(), ErrorKind::Limit);
        assert!(error.to_string().contains("MAX_GROWTH"), "{error}");
    }
}

#[test]
fn a_long_variable_is_not_written_everywhere() {
    let value = "v".repeat(1 << 20);
    let arguments = vec!["\"$(V)\""; 2_000].join(", ");
    let tree = MemoryTree::new([
        (
            "kustomization.yaml",
            "resources: [a.yaml, p.yaml]\nvars: [{name: V, objref: {apiVersion: v1, kind: ConfigMap, name: a}, fieldref: {fieldpath: data.a}}]\n".to_owned(),
        ),
        ("a.yaml", format!("{CONFIG_MAP}data: {{a: {value}}}\n")),
        (
            "p.yaml",
            format!("apiVersion: v1\nkind: Pod\nmetadata: {{name: p}}\nspec: {{containers: [{{name: c, args: [{arguments}]}}]}}\n"),
        ),
    ]);
    let error = problem(&tree, "");
    assert_eq!(error.kind(), ErrorKind::Limit);
    assert!(error.to_string().contains("MAX_GROWTH"), "{error}");
}

#[test]
fn a_long_label_is_not_written_onto_many_objects() {
    let objects: Vec<String> =
        (0..2_000).map(|number| CONFIG_MAP.replace("name: a", &format!("name: a{number}"))).collect();
    let tree = MemoryTree::new([
        (
            "kustomization.yaml",
            format!("resources: [a.yaml]\ncommonAnnotations: {{a: {}}}\n", "v".repeat(1 << 20)),
        ),
        ("a.yaml", objects.join("---\n")),
    ]);
    let error = problem(&tree, "");
    assert!(error.to_string().contains("MAX_GROWTH"), "{error}");
}

#[cfg(unix)]
#[test]
fn links_that_lead_out_are_not_followed() {
    let folder = std::env::temp_dir().join(format!("windlass-kustomize-links-{}", std::process::id()));
    let tree = folder.join("tree");
    std::fs::create_dir_all(&tree).unwrap();
    std::fs::write(folder.join("secret.yaml"), CONFIG_MAP).unwrap();
    std::fs::write(tree.join("kustomization.yaml"), "resources: [link.yaml]\n").unwrap();
    std::os::unix::fs::symlink("../secret.yaml", tree.join("link.yaml")).unwrap();
    let disk = disk_tree::DiskTree::new(&tree).unwrap();
    for load_from_anywhere in [false, true] {
        let options = Options { load_from_anywhere, ..Options::default() };
        let error = build(&disk, "", &options, Services::default(), &[]).unwrap_err();
        assert!(error.to_string().contains("link.yaml"), "{error}");
        assert!(!error.to_string().contains("secret.yaml"), "{error}");
    }
    std::fs::remove_dir_all(folder).unwrap();
}
