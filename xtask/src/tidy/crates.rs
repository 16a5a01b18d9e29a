//! Which crate may depend on which.

use super::Violation;
use anyhow::{Context, Result, ensure};
use serde_json::Value;
use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
    process::Command,
};

/// What is asked of one crate.
pub(super) struct Rule {
    /// The name of the crate.
    pub(super) name: &'static str,
    /// The crates of ours that it may depend on, outside of its tests.
    may_use: &'static [&'static str],
    /// Whether it is a function of its inputs: no I/O, no clock, no environment, no task.
    pub(super) pure: bool,
}

const fn pure(name: &'static str, may_use: &'static [&'static str]) -> Rule {
    Rule { name, may_use, pure: true }
}

const fn effectful(name: &'static str, may_use: &'static [&'static str]) -> Rule {
    Rule { name, may_use, pure: false }
}

/// The vocabulary: what every stage may know.
const VALUES: &[&str] = &["windlass-go", "windlass-yaml", "windlass-kube", "windlass-model"];

/// The stages; none of them may know another, and only the engine knows them all.
const STAGES: [&str; 5] =
    ["windlass-source", "windlass-render", "windlass-plan", "windlass-apply", "windlass-assess"];

/// Every crate of the workspace, bottom up. See `ARCHITECTURE.md` for what each is.
pub(super) const RULES: &[Rule] = &[
    pure("windlass-go", &[]),
    pure("windlass-yaml", &["windlass-go"]),
    pure("windlass-kube", &["windlass-go", "windlass-yaml"]),
    pure("windlass-cel", &["windlass-go", "windlass-yaml", "windlass-kube"]),
    pure("windlass-model", &["windlass-go", "windlass-yaml", "windlass-kube"]),
    pure("gotemplate", &["windlass-go", "windlass-yaml"]),
    pure("windlass-kustomize", VALUES),
    pure("windlass-signature", &[]),
    // It reads the clock, through the library that knows Sigstore.
    effectful("windlass-artifact-signature", &["windlass-go"]),
    pure(
        "windlass-helm",
        &[
            "gotemplate",
            "windlass-go",
            "windlass-yaml",
            "windlass-kube",
            "windlass-model",
            "windlass-signature",
        ],
    ),
    pure("windlass-argo", VALUES),
    pure("windlass-diff", VALUES),
    effectful(
        "windlass-source",
        &[
            "windlass-go",
            "windlass-yaml",
            "windlass-kube",
            "windlass-model",
            "windlass-signature",
            "windlass-artifact-signature",
        ],
    ),
    pure(
        "windlass-render",
        &[
            "gotemplate",
            "windlass-go",
            "windlass-helm",
            "windlass-kustomize",
            "windlass-yaml",
            "windlass-kube",
            "windlass-model",
        ],
    ),
    effectful("windlass-store", &["windlass-model", "windlass-render"]),
    effectful("windlass-sandbox", &["windlass-yaml", "windlass-kube", "windlass-model", "windlass-render"]),
    effectful(
        "windlass-plugin",
        &[
            "windlass-go",
            "windlass-yaml",
            "windlass-kube",
            "windlass-model",
            "windlass-render",
            "windlass-sandbox",
        ],
    ),
    pure("windlass-plan", VALUES),
    effectful("windlass-apply", VALUES),
    pure(
        "windlass-assess",
        &["windlass-go", "windlass-yaml", "windlass-kube", "windlass-model", "windlass-cel"],
    ),
    effectful("windlass-cluster", VALUES),
    effectful("windlass-apiserver", &["windlass-go", "windlass-yaml", "windlass-kube", "windlass-cel"]),
    effectful(
        "windlass-engine",
        &[
            "windlass-go",
            "windlass-yaml",
            "windlass-kube",
            "windlass-model",
            "windlass-argo",
            "windlass-diff",
            "windlass-source",
            "windlass-kustomize",
            "windlass-render",
            "windlass-store",
            "windlass-plan",
            "windlass-apply",
            "windlass-assess",
            "windlass-cluster",
        ],
    ),
    effectful(
        "windlass-server",
        &["windlass-go", "windlass-yaml", "windlass-kube", "windlass-model", "windlass-source"],
    ),
    effectful(
        "windlass",
        &[
            "gotemplate",
            "windlass-go",
            "windlass-helm",
            "windlass-yaml",
            "windlass-kube",
            "windlass-model",
            "windlass-argo",
            "windlass-diff",
            "windlass-source",
            "windlass-kustomize",
            "windlass-render",
            "windlass-plan",
            "windlass-apply",
            "windlass-assess",
            "windlass-cluster",
            "windlass-apiserver",
            "windlass-engine",
            "windlass-plugin",
            "windlass-sandbox",
            "windlass-server",
        ],
    ),
    effectful("windlass-testing", &[]),
    effectful(
        "windlass-bench",
        &[
            "windlass",
            "gotemplate",
            "windlass-go",
            "windlass-helm",
            "windlass-yaml",
            "windlass-kube",
            "windlass-model",
            "windlass-argo",
            "windlass-diff",
            "windlass-source",
            "windlass-kustomize",
            "windlass-render",
            "windlass-plan",
            "windlass-apply",
            "windlass-assess",
            "windlass-cluster",
            "windlass-apiserver",
            "windlass-engine",
            "windlass-server",
            "windlass-testing",
        ],
    ),
    effectful("xtask", &[]),
];

/// Crates of others that bring a runtime, a client, a clock or chance; a pure crate has no use for them.
const IMPURE: [&str; 20] = [
    "async-trait",
    "axum",
    "chrono",
    "crossbeam",
    "futures",
    "futures-util",
    "getrandom",
    "gix",
    "hyper",
    "hyper-util",
    "kube",
    "rand",
    "rayon",
    "reqwest",
    "rusqlite",
    "rustls",
    "tempfile",
    "tokio",
    "tower",
    "walkdir",
];

/// TLS and cryptography that must not be linked next to rustls with aws-lc-rs.
const SECOND_TLS_STACKS: [&str; 4] = ["native-tls", "openssl", "openssl-sys", "ring"];

/// Checks the manifests against the rules.
pub(super) fn check(root: &Path) -> Result<Vec<Violation>> {
    let metadata = metadata(root)?;
    let mut violations = Vec::new();
    let packages = members(&metadata);
    let known = RULES.iter().map(|rule| rule.name).collect::<BTreeSet<_>>();
    for package in &packages {
        let manifest = place(root, &package.manifest);
        let Some(rule) = RULES.iter().find(|rule| rule.name == package.name) else {
            let what = format!("`{}` has no rule in xtask/src/tidy/crates.rs", package.name);
            violations.push(Violation::new(manifest, what));
            continue;
        };
        for dependency in &package.uses {
            if known.contains(dependency.as_str()) && !rule.may_use.contains(&dependency.as_str()) {
                let why = if STAGES.contains(&rule.name) && STAGES.contains(&dependency.as_str()) {
                    "a stage never uses a stage"
                } else {
                    "it lies above, or beside"
                };
                let what = format!("`{}` must not use `{dependency}`: {why}", rule.name);
                violations.push(Violation::new(manifest.clone(), what));
            }
            if rule.pure && IMPURE.contains(&dependency.as_str()) {
                let what = format!("`{}` is pure and must not use `{dependency}`", rule.name);
                violations.push(Violation::new(manifest.clone(), what));
            }
        }
        check_manifest(package, &manifest, &mut violations)?;
    }
    violations.extend(second_tls_stacks(&linked(root)?));
    Ok(violations)
}

/// Prints the graph, bottom up. What comes through another crate anyway is left out.
pub(super) fn print_graph(root: &Path) -> Result<()> {
    let packages = members(&metadata(root)?);
    let ours = packages.iter().map(|package| package.name.as_str()).collect::<BTreeSet<_>>();
    let uses = packages.iter().map(|package| {
        let uses = package.uses.iter().map(String::as_str).filter(|name| ours.contains(name));
        (package.name.as_str(), uses.collect::<BTreeSet<_>>())
    });
    let uses = uses.collect::<BTreeMap<_, _>>();
    for rule in RULES {
        let Some(direct) = uses.get(rule.name) else { continue };
        let indirect = direct.iter().flat_map(|name| reachable(&uses, name)).collect::<BTreeSet<_>>();
        let needed = direct.difference(&indirect).copied().collect::<Vec<_>>();
        let mark = if rule.pure { "pure" } else { "    " };
        println!("{mark} {:<20} {}", rule.name, needed.join(", "));
    }
    Ok(())
}

/// What a crate uses, through others too.
fn reachable<'a>(uses: &BTreeMap<&'a str, BTreeSet<&'a str>>, from: &str) -> BTreeSet<&'a str> {
    let mut found = BTreeSet::new();
    let mut open = uses.get(from).into_iter().flatten().copied().collect::<Vec<_>>();
    while let Some(name) = open.pop() {
        if found.insert(name) {
            open.extend(uses.get(name).into_iter().flatten());
        }
    }
    found
}

/// A crate of the workspace.
struct Package {
    name: String,
    manifest: String,
    /// The names of its dependencies, but for those of its tests.
    uses: BTreeSet<String>,
}

fn metadata(root: &Path) -> Result<Value> {
    let text = run_cargo(root, &["metadata", "--format-version=1", "--no-deps"])?;
    serde_json::from_str(&text).context("cannot read what cargo metadata prints")
}

fn members(metadata: &Value) -> Vec<Package> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let members = metadata["workspace_members"].as_array().into_iter().flatten().collect::<Vec<_>>();
    let packages = metadata["packages"].as_array().into_iter().flatten();
    packages
        .filter(|package| members.contains(&&package["id"]))
        .map(|package| {
            let dependencies = package["dependencies"].as_array().into_iter().flatten();
            let uses = dependencies.filter(|it| it["kind"] != "dev").map(|it| text(&it["name"])).collect();
            Package { name: text(&package["name"]), manifest: text(&package["manifest_path"]), uses }
        })
        .collect()
}

fn check_manifest(package: &Package, place: &str, violations: &mut Vec<Violation>) -> Result<()> {
    let text = fs::read_to_string(&package.manifest).with_context(|| format!("cannot read {place}"))?;
    let has_lints = text.replace(' ', "").contains("[lints]\nworkspace=true");
    if !has_lints {
        violations.push(Violation::new(place, "does not inherit the lints of the workspace"));
    }
    let folder = Path::new(place).parent().and_then(Path::file_name).and_then(|name| name.to_str());
    if place.starts_with("crates/") && folder != Some(package.name.as_str()) {
        violations.push(Violation::new(place, format!("the crate is called `{}`", package.name)));
    }
    Ok(())
}

/// The packages that our crates are linked with, a line each: `name vVERSION …`.
///
/// `cargo metadata` would not do: it also counts optional dependencies that no feature asks for.
fn linked(root: &Path) -> Result<String> {
    let arguments = ["tree", "--workspace", "--edges=normal", "--prefix=none", "--format={p}"];
    run_cargo(root, &arguments)
}

/// Other TLS stacks among what our crates are linked with.
fn second_tls_stacks(linked: &str) -> Vec<Violation> {
    let names = linked.lines().filter_map(|line| line.split(' ').next()).collect::<BTreeSet<_>>();
    let seconds = SECOND_TLS_STACKS.iter().filter(|name| names.contains(*name));
    let what = |name: &&str| format!("`{name}` is linked: see `cargo tree --workspace --invert {name}`");
    seconds.map(|name| Violation::new("Cargo.lock", what(name))).collect()
}

fn run_cargo(root: &Path, arguments: &[&str]) -> Result<String> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let output =
        Command::new(cargo).args(arguments).current_dir(root).output().context("cannot run cargo")?;
    let complaint = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "cargo {} failed: {complaint}", arguments.join(" "));
    String::from_utf8(output.stdout).context("cargo prints something that is not UTF-8")
}

/// A path as it is read from the root.
fn place(root: &Path, path: &str) -> String {
    Path::new(path).strip_prefix(root).map_or_else(|_| path.to_owned(), |path| path.display().to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_stage_may_use_a_stage() {
        for rule in RULES.iter().filter(|rule| STAGES.contains(&rule.name)) {
            assert!(!rule.may_use.iter().any(|name| STAGES.contains(name)), "{}", rule.name);
        }
    }

    #[test]
    fn the_rules_know_only_what_lies_below() {
        for (rule_idx, rule) in RULES.iter().enumerate() {
            let below = RULES[..rule_idx].iter().map(|rule| rule.name).collect::<Vec<_>>();
            let strange = rule.may_use.iter().find(|name| !below.contains(name));
            assert_eq!(strange, None, "of {}", rule.name);
        }
    }

    #[test]
    fn a_pure_crate_may_only_use_pure_ones() {
        for rule in RULES.iter().filter(|rule| rule.pure) {
            for name in rule.may_use {
                assert!(
                    RULES.iter().any(|other| other.name == *name && other.pure),
                    "{} uses {name}",
                    rule.name
                );
            }
        }
    }

    #[test]
    fn a_second_tls_stack_is_found() {
        assert_eq!(second_tls_stacks("a v1.0.0 (/a)\nring v0.17.14\nring v0.17.14\n").len(), 1);
        assert_eq!(second_tls_stacks("a v1.0.0 (/a)\nstring v0.1.0\n"), []);
    }
}
