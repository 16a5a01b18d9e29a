//! Jsonnet programs against the answers of go-jsonnet 0.22 (`tools/oracle-jsonnet`), and as files of a source.
#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use windlass_kube::{Str, Value};
use windlass_model::{DirectoryOptions, JsonnetOptions, JsonnetVariable, MemoryTree, Renderer};
use windlass_render::jsonnet::{Engine, Files, Inline, JsonnetError, Program};
use windlass_render::{Context, NoWorld, RenderCache, Rendered, render};

/// Programs that go-jsonnet answers differently, with the reason. They must stay different, or leave this list.
const DIFFERENT: &[(&str, &str)] = &[
    ("1e-7 + ''", "numbers in text are the shortest that mean the same, not of 17 digits"),
    ("'%.1f' % 2.55", "formats round half-way cases of decimal digits in another way"),
    ("std.reverse('ab')", "a string is taken for the list of its characters"),
    ("'%.0f' % 2.5", "formats round half-way cases of decimal digits in another way"),
];

/// The files of a case, in memory or in a folder.
struct Case<'a> {
    request: &'a Value,
    root: Option<&'a Path>,
    read: Vec<String>,
}

impl Files for Case<'_> {
    fn read(&mut self, path: &str) -> Result<Option<Arc<[u8]>>, String> {
        self.read.push(path.into());
        if let Some(root) = self.root {
            return Ok(std::fs::read(root.join(path)).ok().map(Arc::from));
        }
        Ok(self.request.at(&["files", path]).and_then(Value::as_str).map(|text| text.as_bytes().into()))
    }
}

fn variables(request: &Value, key: &str) -> Vec<JsonnetVariable> {
    let variable = |variable: &Value| JsonnetVariable {
        name: variable.str_at(&["name"]).unwrap().into(),
        value: variable.str_at(&["value"]).unwrap().into(),
        is_code: variable.bool_at(&["code"]).unwrap_or(false),
    };
    request.items_at(&[key]).iter().map(variable).collect()
}

fn evaluate(request: &Value) -> Result<Value, JsonnetError> {
    let program = Program {
        file: request.str_at(&["file"]).unwrap().into(),
        external_variables: variables(request, "ext"),
        top_level_arguments: variables(request, "tla"),
        search: request.items_at(&["libs"]).iter().filter_map(Value::as_str).map(Str::from).collect(),
    };
    let mut case = Case { request, root: request.str_at(&["root"]).map(Path::new), read: Vec::new() };
    let json = Inline.evaluate(&program, &mut case)?;
    Ok(windlass_yaml::json::parse(json.as_bytes()).unwrap())
}

/// Whether both fail, or give the same.
fn agree(request: &Value, answer: &Result<Value, JsonnetError>) -> bool {
    match (request.get("json"), answer) {
        (Some(expected), Ok(value)) => expected == value,
        (None, Err(_)) => true,
        _ => false,
    }
}

#[test]
fn programs_give_what_go_jsonnet_gives() {
    let mut wrong = Vec::new();
    for line in include_str!("data/jsonnet.jsonl").lines() {
        let request = windlass_yaml::json::parse(line.as_bytes()).unwrap();
        let answer = evaluate(&request);
        let text = request.at(&["files", "app/main.jsonnet"]).and_then(Value::as_str).unwrap_or("");
        let known = DIFFERENT.iter().any(|(program, _)| *program == text);
        if agree(&request, &answer) == known {
            let expected = request.get("json").or(request.get("error"));
            wrong.push(format!("{text}\n  expected {expected:?}\n  got {answer:?}"));
        }
    }
    assert!(wrong.is_empty(), "{} differ:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn errors_say_file_and_line() {
    let files = |files: &[(&str, &str)]| -> Value {
        let files = files.iter().map(|(name, text)| (*name, Value::from(*text)));
        let files: windlass_yaml::Map = files.collect();
        let mut request = Value::object();
        request.set_at(&["file"], "app/main.jsonnet");
        request.set_at(&["files"], Value::Object(files));
        request
    };
    for (given, expected) in [
        (&[("app/main.jsonnet", "{\n  a: ]\n}")][..], "app/main.jsonnet:2:6"),
        (&[("app/main.jsonnet", "{\n  é: error 'x',\n}")], "app/main.jsonnet:2:"),
        (&[("app/main.jsonnet", "{\n  a: error 'broken',\n}")], "broken at app/main.jsonnet:2:6"),
        (
            &[("app/main.jsonnet", "local x = 1;\nunknown")],
            "unknown variable: unknown at app/main.jsonnet:2:1",
        ),
        (
            &[("app/main.jsonnet", "\nimport 'a.libsonnet'"), ("app/a.libsonnet", "1 +\n+ ]")],
            "at app/a.libsonnet:2:3, from app/main.jsonnet:2:1",
        ),
        (
            &[
                ("app/main.jsonnet", "\n(import 'a.libsonnet').f(1)"),
                ("app/a.libsonnet", "{\n f(x):: error 'e'\n}"),
            ],
            "e at app/a.libsonnet:2:9, from app/main.jsonnet:2:1",
        ),
        (
            &[("app/main.jsonnet", "import '../../etc/passwd'")],
            "the import \"../../etc/passwd\" leads out of the source at app/main.jsonnet:1:1",
        ),
        (&[("app/main.jsonnet", "import '/etc/passwd'")], "leads out of the source"),
        (&[("app/main.jsonnet", "local f(x) = f(x) + 1; f(1)")], "(limit STACK_FRAMES)"),
        (&[("app/main.jsonnet", "import 'main.jsonnet'")], "infinite recursion"),
        (
            &[
                ("app/main.jsonnet", "import 'b.libsonnet'"),
                ("app/b.libsonnet", "(import 'c.libsonnet') + {}"),
                ("app/c.libsonnet", "import 'b.libsonnet'"),
            ],
            "infinite recursion",
        ),
        (&[("app/main.jsonnet", "std.parseYaml('a: [')")], "failed to parse YAML"),
    ] {
        let message = evaluate(&files(given)).unwrap_err().to_string();
        assert!(message.contains(expected), "{given:?}\n{message}");
    }
}

fn rendered(files: &[(&str, &str)], jsonnet: Option<JsonnetOptions>) -> Rendered {
    let tree = MemoryTree::new(files.iter().copied());
    let options = DirectoryOptions { jsonnet: jsonnet.map(Box::new), ..DirectoryOptions::default() };
    let renderer = Renderer::Directory(options);
    let mut world = NoWorld::default();
    let mut context = Context::empty(&mut world);
    context.services.jsonnet = Some(&Inline);
    render(&tree, "app", &renderer, &mut context).unwrap()
}

const OBJECT: &str = "{apiVersion: 'v1', kind: 'ConfigMap', metadata: {name: 'a'}}";

#[test]
fn files_of_a_folder_are_evaluated_with_what_the_source_gives() {
    let variable = |name: &str, value: &str, is_code| JsonnetVariable {
        name: name.into(),
        value: value.into(),
        is_code,
    };
    let options = JsonnetOptions {
        external_variables: vec![variable("team", "blue", false)],
        top_level_arguments: vec![variable("count", "1 + 1", true)],
        libraries: vec!["vendor".into(), "/lib/".into()],
    };
    let program = "local named = import 'named.libsonnet';\n\
                   function(count=0) [named(std.extVar('team') + i) for i in std.range(1, count)]";
    let named = "function(name) {apiVersion: 'v1', kind: 'ConfigMap', metadata: {name: name}}";
    let rendered = rendered(
        &[
            ("app/a.jsonnet", program),
            ("app/b.yaml", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: plain}\n"),
            ("app/c.libsonnet", "error 'is not evaluated'"),
            ("app/d.jsonnet", "// +argocd:skip-file-rendering\nerror 'is not evaluated'"),
            ("lib/named.libsonnet", named),
        ],
        Some(options),
    );
    assert_eq!(rendered.diagnostics, []);
    let names: Vec<_> = rendered.manifests.iter().map(|manifest| manifest.object.name()).collect();
    assert_eq!(names, ["blue1", "blue2", "plain"]);
    // Looked for beside the file first, then in the last library.
    let read: Vec<&str> =
        rendered.reads.paths().map(Str::as_str).filter(|path| path.contains("named")).collect();
    assert_eq!(read, ["app/named.libsonnet", "lib/named.libsonnet"]);
}

#[test]
fn a_result_is_one_object_or_a_list_and_nothing_else() {
    let told = |program: &str| {
        let rendered = rendered(&[("app/a.jsonnet", program)], None);
        let names = rendered.manifests.iter().map(|manifest| manifest.object.name().to_owned());
        names.chain(rendered.diagnostics.iter().map(ToString::to_string)).collect::<Vec<_>>()
    };
    assert_eq!(told(OBJECT), ["a"]);
    assert_eq!(told(&format!("[{OBJECT}, null, {OBJECT}]")), ["a", "a"]);
    assert_eq!(told(&format!("{{apiVersion: 'v1', kind: 'List', items: [{OBJECT}]}}")), ["a"]);
    for (program, problem) in [
        ("'text'", "app/a.jsonnet: is no Kubernetes object: "),
        ("{}", "app/a.jsonnet: is no Kubernetes object: "),
        ("[1]", "app/a.jsonnet: is no Kubernetes object: "),
        ("\n{a: error 'stop'}", "app/a.jsonnet:2: cannot be evaluated: stop at app/a.jsonnet:2:5"),
    ] {
        let told = told(program);
        assert!(told.len() == 1 && told[0].starts_with(problem), "{program}: {told:?}");
    }
    let outside = JsonnetOptions { libraries: vec!["../lib".into()], ..JsonnetOptions::default() };
    let rendered = rendered(&[("app/a.jsonnet", OBJECT)], Some(outside));
    assert_eq!(rendered.diagnostics.len(), 1);
}

#[test]
fn what_is_imported_is_part_of_what_was_read() {
    let files: BTreeMap<&str, &str> = [
        ("app/a.jsonnet", "import '../lib/x.libsonnet'"),
        ("lib/x.libsonnet", OBJECT),
        ("lib/y.libsonnet", "1"),
    ]
    .into();
    let list: Vec<_> = files.iter().map(|(path, text)| (*path, *text)).collect();
    let reads = rendered(&list, None).reads;
    for (path, text, holds) in [
        ("lib/x.libsonnet", "{}", false),
        ("lib/y.libsonnet", "2", true),
        ("app/c.txt", "", false),
        ("other/z.libsonnet", "", true),
    ] {
        let mut changed = files.clone();
        changed.insert(path, text);
        assert_eq!(reads.holds_in(&MemoryTree::new(changed)).unwrap(), holds, "{path}");
    }
}

/// An engine that is out of time until it is told otherwise.
#[derive(Debug, Default)]
struct Busy(std::sync::atomic::AtomicBool);

impl Engine for Busy {
    fn evaluate(&self, program: &Program, files: &mut dyn Files) -> Result<String, JsonnetError> {
        if self.0.load(std::sync::atomic::Ordering::Relaxed) {
            return Inline.evaluate(program, files);
        }
        Err(JsonnetError { may_pass: true, ..JsonnetError::new("it ran for too long") })
    }
}

#[test]
fn what_may_do_better_at_another_time_is_kept_in_no_cache() {
    let tree = MemoryTree::new([("app/a.jsonnet", OBJECT)]);
    let renderer = Renderer::Directory(DirectoryOptions::default());
    let engine = Busy::default();
    let mut world = NoWorld::default();
    let mut context = Context::empty(&mut world);
    context.services.jsonnet = Some(&engine);
    let cache = RenderCache::new(1 << 20);
    let mut counted = || {
        let rendered = cache.render("shop", &tree, "app", &renderer, &mut context).unwrap();
        (rendered.diagnostics.len(), rendered.manifests.len())
    };
    assert_eq!(counted(), (1, 0));
    assert_eq!(counted(), (1, 0));
    engine.0.store(true, std::sync::atomic::Ordering::Relaxed);
    assert_eq!(counted(), (0, 1));
    assert_eq!(counted(), (0, 1));
    assert_eq!(cache.counts().rendered, 3);
}

#[test]
fn without_an_engine_each_file_is_an_error_and_the_rest_is_rendered() {
    let manifest = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: plain}\n";
    let files = [("app/a.jsonnet", OBJECT), ("app/b.yaml", manifest), ("app/c.libsonnet", "1")];
    let tree = MemoryTree::new(files);
    let renderer = Renderer::Directory(DirectoryOptions::default());
    let mut world = NoWorld::default();
    let mut context = Context::empty(&mut world);
    let cache = RenderCache::new(1 << 20);
    let off = cache.render("shop", &tree, "app", &renderer, &mut context).unwrap();
    let told: Vec<String> = off.diagnostics.iter().map(ToString::to_string).collect();
    assert!(
        told.len() == 1 && told[0] == "app/a.jsonnet: cannot be evaluated: nothing here runs Jsonnet",
        "{told:?}"
    );
    assert!(off.diagnostics[0].kind.is_error());
    assert_eq!(off.manifests.len(), 1);
    // A kept render without it is none for who has it, and the other way round.
    context.services.jsonnet = Some(&Inline);
    let on = cache.render("shop", &tree, "app", &renderer, &mut context).unwrap();
    assert_eq!((on.diagnostics.len(), on.manifests.len()), (0, 2));
    context.services.jsonnet = None;
    let off = cache.render("shop", &tree, "app", &renderer, &mut context).unwrap();
    assert_eq!((off.diagnostics.len(), off.manifests.len()), (1, 1));
}
