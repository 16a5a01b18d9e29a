//! Plugins that are WebAssembly modules: what they read is what counts, and how those end that go too far.
#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use std::fmt::Write as _;
use std::fs;

use sha2::Digest as _;
use tempfile::TempDir;
use windlass_model::{MemoryTree, PluginOptions, Renderer};
use windlass_plugin::{Finding, PluginSettings, Registry};
use windlass_render::{Context, Environment, NoWorld, ReadKind, RenderCache, Rendered};

const EXAMPLE: &str = include_str!("../examples/labels.wat");

fn hex(bytes: &[u8]) -> String {
    let mut text = String::new();
    for byte in sha2::Sha256::digest(bytes) {
        write!(text, "{byte:02x}").unwrap();
    }
    text
}

fn load(wat: &str, sha256: Option<&str>) -> (Registry, Vec<Finding>) {
    let folder = TempDir::new().unwrap();
    let module = wat::parse_str(wat).unwrap();
    fs::write(folder.path().join("m.wasm"), &module).unwrap();
    let sha256 = sha256.map_or_else(|| hex(&module), str::to_owned);
    let definition = format!(
        "apiVersion: windlass.dev/v1alpha1\nkind: WasmPlugin\nmetadata: {{name: m}}\n\
         spec: {{version: v1, module: m.wasm, sha256: '{sha256}', discover: {{fileName: names.txt}}}}\n"
    );
    fs::write(folder.path().join("m.yaml"), definition).unwrap();
    Registry::load(folder.path(), PluginSettings::default()).unwrap()
}

fn registry(wat: &str) -> Registry {
    let (registry, findings) = load(wat, None);
    assert!(findings.is_empty(), "{}", findings[0]);
    registry
}

fn render(registry: &Registry, files: &[(&str, &str)], name: Option<&str>) -> Result<Rendered, String> {
    let tree = MemoryTree::new(files.iter().copied());
    let mut world = NoWorld::default();
    let mut context = Context::empty(&mut world);
    context.services.plugins = Some(registry);
    context.environment = Environment::new([("ARGOCD_APP_NAME".into(), "web".into())]);
    let renderer = match name {
        None => Renderer::Detect,
        Some(name) => {
            Renderer::Plugin(Box::new(PluginOptions { name: name.into(), ..PluginOptions::default() }))
        }
    };
    windlass_render::render(&tree, "app", &renderer, &mut context).map_err(|error| error.to_string())
}

#[test]
fn what_a_module_reads_and_looks_for_is_recorded_exactly() {
    let registry = registry(EXAMPLE);
    let files = [("app/names.txt", "a\nb\n../c\n"), ("app/a", "1"), ("app/unread", ""), ("c", "1")];
    let rendered = render(&registry, &files, None).unwrap();
    let found: Vec<_> = rendered
        .manifests
        .iter()
        .map(|manifest| (manifest.object.name(), manifest.object.str_at(&["data", "there"])))
        .collect();
    assert_eq!(found, [("a", "yes"), ("b", "no"), ("../c", "yes")]);
    assert_eq!(rendered.plugin, "m-v1");
    assert!(!rendered.by_chance);
    let reads: Vec<_> = rendered.reads.kinds().map(|(path, kind)| (path.as_str(), kind)).collect();
    let expected = [
        // Of the look for files that override the source.
        ("app/.argocd-source.yaml", ReadKind::Absent),
        ("app/a", ReadKind::File),
        ("app/b", ReadKind::Absent),
        ("app/names.txt", ReadKind::File),
        ("c", ReadKind::File),
    ];
    assert_eq!(reads, expected);
}

#[test]
fn only_what_a_module_read_makes_it_run_again() {
    let registry = registry(EXAMPLE);
    let cache = RenderCache::new(1 << 20);
    let run = |files: &[(&str, &str)]| {
        let tree = MemoryTree::new(files.iter().copied());
        let mut world = NoWorld::default();
        let mut context = Context::empty(&mut world);
        context.services.plugins = Some(&registry);
        let rendered = cache.render("shop", &tree, "app", &Renderer::Detect, &mut context).unwrap();
        (rendered.manifests.len(), cache.counts().rendered)
    };
    assert_eq!(run(&[("app/names.txt", "a\nb\n"), ("app/a", "1")]), (2, 1));
    // Beside it in the same folder, and elsewhere.
    assert_eq!(run(&[("app/names.txt", "a\nb\n"), ("app/a", "1"), ("app/x", ""), ("y", "")]), (2, 1));
    // A file that it looked for appears, one changes.
    assert_eq!(run(&[("app/names.txt", "a\nb\n"), ("app/a", "1"), ("app/b", "")]), (2, 2));
    assert_eq!(run(&[("app/names.txt", "a\n"), ("app/a", "1")]), (1, 3));
}

/// A module that imports everything and does one thing.
fn doing(what: &str) -> String {
    let imports = [
        "\"read\" (func $read (param i32 i32) (result i64))",
        "\"list\" (func $list (param i32 i32) (result i64))",
        "\"variable\" (func $variable (param i32 i32) (result i64))",
        "\"take\" (func $take (param i32))",
        "\"print\" (func $print (param i32 i32))",
        "\"fail\" (func $fail (param i32 i32))",
    ];
    let imports: String = imports.iter().map(|import| format!("(import \"windlass\" {import})\n")).collect();
    format!(
        "(module {imports} (memory (export \"memory\") 2)\n\
         (data (i32.const 0) \"sub/../.\") (data (i32.const 16) \"ARGOCD_APP_NAME\") (data (i32.const 32) \"../../x\")\n\
         (data (i32.const 48) \"\\ff\\fe words \\1b[31m\")\n\
         (data (i32.const 64) \"apiVersion: v1\\nkind: A\\nmetadata: {{name: x}}\\nseen:        \\22\")\n\
         (func (export \"render\") (local $size i64) {what}))"
    )
}

#[test]
fn folders_and_variables_are_answered() {
    let files = [("app/names.txt", ""), ("app/sub/x", "")];
    let seen = |asked: &str| {
        let what = format!(
            "(local.set $size {asked}) (call $take (i32.const 1000)) (call $print (i32.const 64) (i32.const 57))\n\
             (call $print (i32.const 1000) (i32.wrap_i64 (local.get $size))) (call $print (i32.const 120) (i32.const 1))"
        );
        let rendered = render(&registry(&doing(&what)), &files, None).unwrap();
        rendered.manifests[0].object.str_at(&["seen"]).to_owned()
    };
    assert_eq!(seen("(call $list (i32.const 0) (i32.const 8))"), "names.txt sub/ ");
    assert_eq!(seen("(call $list (i32.const 0) (i32.const 4))"), "x ");
    assert_eq!(seen("(call $variable (i32.const 16) (i32.const 15))"), "web");
}

#[test]
fn each_way_to_go_too_far_is_an_error_of_its_own() {
    for (what, expected) in [
        ("(loop $l (br $l))", "ran for more than 1000000000 steps (limit WASM_FUEL)"),
        (
            "(drop (memory.grow (i32.const 10000)))",
            "takes more than 268435456 bytes of memory (limit WASM_MEMORY_BYTES)",
        ),
        (
            "(loop $l (call $print (i32.const 0) (i32.const 65536)) (br $l))",
            "prints more than 10485760 bytes (limit WASM_OUTPUT_BYTES)",
        ),
        (
            "(call $print (i32.const 131000) (i32.const 1000))",
            "stopped: it named a place outside of its memory",
        ),
        (
            "(drop (call $read (i32.const -1) (i32.const 4)))",
            "stopped: it named a place outside of its memory",
        ),
        ("unreachable", "stopped: "),
        ("(call $print (i32.const 48) (i32.const 2))", "prints something that is not UTF-8"),
        ("(call $fail (i32.const 48) (i32.const 13))", "failed: \u{fffd}\u{fffd} words "),
    ] {
        let error = render(&registry(&doing(what)), &[("app/names.txt", "")], None).unwrap_err();
        let prefix = format!("app cannot be rendered by a plugin: the plugin m-v1 {expected}");
        assert!(error.starts_with(&prefix), "{error}");
    }
    let error = render(
        &registry(&doing("(drop (call $read (i32.const 32) (i32.const 7)))")),
        &[("app/names.txt", "")],
        None,
    );
    assert_eq!(error.unwrap_err(), "cannot read the source");
    let deep =
        "(module (memory (export \"memory\") 1) (func $f (call $f)) (func (export \"render\") (call $f)))";
    let error = render(&registry(deep), &[("app/names.txt", "")], None).unwrap_err();
    assert!(error.contains("the plugin m-v1 stopped: "), "{error}");
    let garbage = doing("(call $print (i32.const 0) (i32.const 8))");
    let error = render(&registry(&garbage), &[("app/names.txt", "")], None).unwrap_err();
    assert!(error.contains("what the plugin m-v1 printed is no Kubernetes object"), "{error}");
}

#[test]
fn a_module_that_cannot_be_used_is_told_when_it_is_read() {
    let empty = "(module (memory (export \"memory\") 1) (func (export \"render\")))";
    for (wat, sha256, expected) in [
        (empty, Some("00"), "its bytes have the SHA-256 "),
        ("(module (memory (export \"memory\") 1))", None, "it exports no render"),
        ("(module (func (export \"render\")))", None, "it exports no memory"),
        (
            "(module (import \"wasi_snapshot_preview1\" \"fd_write\" (func)) (memory (export \"memory\") 1) (func (export \"render\")))",
            None,
            "it is no WebAssembly that runs here: it imports fd_write from wasi_snapshot_preview1",
        ),
    ] {
        let (registry, findings) = load(wat, sha256);
        assert_eq!(registry.names().count(), 0);
        assert!(findings[0].to_string().contains(expected), "{}", findings[0]);
        let error = render(&registry, &[("app/x", "")], Some("m-v1")).unwrap_err();
        assert!(
            error.contains("there is no plugin m-v1; none is declared; ") && error.ends_with("see the log"),
            "{error}"
        );
    }
    let far = "(module (memory (export \"memory\") 30000) (func (export \"render\")))";
    let (_, findings) = load(far, None);
    assert!(findings[0].to_string().ends_with("(limit WASM_MEMORY_BYTES)"), "{}", findings[0]);
    let typed = "(module (memory (export \"memory\") 1) (func (export \"render\") (param i32)))";
    assert!(render(&registry(typed), &[("app/names.txt", "")], None).is_err());
}

#[test]
fn files_that_change_change_their_plugins() {
    let folder = TempDir::new().unwrap();
    let module = wat::parse_str(EXAMPLE).unwrap();
    fs::write(folder.path().join("m.wasm"), &module).unwrap();
    let declare = |file: &str, name: &str, sha256: &str| {
        let definition = format!(
            "apiVersion: windlass.dev/v1alpha1\nkind: WasmPlugin\nmetadata: {{name: {name}}}\n\
             spec: {{module: m.wasm, sha256: '{sha256}'}}\n"
        );
        fs::write(folder.path().join(file), definition).unwrap();
    };
    let names = |registry: &Registry| registry.names().map(ToString::to_string).collect::<Vec<_>>().join(" ");
    let right = hex(&module);
    declare("a.yaml", "a", &right);
    declare("b.yaml", "b", &right);
    let (first, _) = Registry::load(folder.path(), PluginSettings::default()).unwrap();
    assert!(first.reread().unwrap().is_none(), "nothing has changed");
    fs::write(folder.path().join("README"), "about").unwrap();
    assert!(first.reread().unwrap().is_none(), "nothing has changed that declares plugins");

    // One that goes, and one that comes.
    fs::remove_file(folder.path().join("b.yaml")).unwrap();
    declare("c.yaml", "c", &right);
    let (second, findings) = first.reread().unwrap().unwrap();
    assert_eq!((names(&second), findings.len()), ("a c".into(), 0));
    assert_eq!(names(&first), "a b", "who renders with the first goes on");

    // One that cannot be used any more stays, however often it is looked at, and one that is new is none.
    declare("c.yaml", "c", "00");
    declare("d.yaml", "d", "00");
    let (mut registry, mut findings) = second.reread().unwrap().unwrap();
    for _ in 0..2 {
        assert_eq!(names(&registry), "a c");
        assert!(matches!(&findings[..], [Finding::Kept { .. }, Finding::Broken { .. }]), "{findings:?}");
        assert!(findings[0].to_string().contains("stays what it was"), "{}", findings[0]);
        assert!(render(&registry, &[("app/names.txt", "x\n"), ("app/x", "1")], Some("c")).is_ok());
        (registry, findings) = registry.reread().unwrap().unwrap();
    }
    // Its name may be declared by another file meanwhile.
    declare("e.yaml", "c", &right);
    let (third, findings) = registry.reread().unwrap().unwrap();
    assert_eq!(names(&third), "a c");
    assert!(findings.iter().all(|finding| matches!(finding, Finding::Broken { .. })), "{findings:?}");
    // A folder that is gone takes nothing with it.
    fs::remove_dir_all(folder.path()).unwrap();
    assert!(third.reread().is_err());
    assert_eq!(names(&third), "a c");
}
