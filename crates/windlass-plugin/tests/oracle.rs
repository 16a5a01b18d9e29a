//! What Argo CD's own code answered, asked of ours.
#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use std::fs;
use std::time::Duration;

use tempfile::TempDir;
use windlass_kube::{Object, Str, Value};
use windlass_model::{MemoryTree, PluginOptions};
use windlass_plugin::{Finding, PluginSettings, Registry};
use windlass_render::{
    ClusterFacts, PluginError, PluginInput, PluginSource, Plugins as _, Printed, RecordingTree,
};
use windlass_sandbox::confined::JobLimits;
use windlass_yaml::json;

const RECORDED: &str = include_str!("data/oracle.jsonl");

/// A pattern with which the original looks around outside of its working copy, and ours does not.
const OUTSIDE: &str = "\"../../*\"";

fn questions(ask: &str) -> Vec<Value> {
    let lines = RECORDED.lines().map(|line| json::parse(line.as_bytes()).unwrap());
    lines.filter(|question| question.str_at(&["ask"]) == Some(ask)).collect()
}

fn settings() -> PluginSettings {
    let limits = JobLimits { time: Duration::from_secs(60), ..JobLimits::default() };
    PluginSettings {
        launcher: env!("CARGO_BIN_EXE_plugin-child").into(),
        limits,
        ..PluginSettings::default()
    }
}

fn registry(definition: &str) -> (Registry, Vec<Finding>) {
    let folder = TempDir::new().unwrap();
    fs::write(folder.path().join("plugin.yaml"), definition).unwrap();
    Registry::load(folder.path(), settings()).unwrap()
}

fn tree(question: &Value) -> MemoryTree {
    let files = question.get("files").and_then(Value::as_object);
    MemoryTree::new(
        files
            .into_iter()
            .flat_map(windlass_kube::Map::iter)
            .map(|(name, content)| (name.clone(), content.as_str().unwrap().to_owned())),
    )
}

/// What comes of asking the plugin of `question`, by its name or by what it looks for.
fn render(question: &Value, name: Option<&str>) -> Result<Option<Printed>, PluginError> {
    let (registry, _) = registry(question.str_at(&["definition"]).unwrap());
    let tree = tree(question);
    let recording = RecordingTree::new(&tree);
    let folder = question.str_at(&["folder"]).unwrap();
    let folder = if folder == "." { "" } else { folder };
    let variables = question.items_at(&["env"]);
    let environment: Vec<(Str, Str)> = variables
        .chunks(2)
        .map(|pair| (pair[0].as_str().unwrap().into(), pair[1].as_str().unwrap().into()))
        .collect();
    let options = name.map(|name| PluginOptions { name: name.into(), ..PluginOptions::default() });
    let input = PluginInput {
        options: options.as_ref(),
        environment: &environment,
        cluster: &ClusterFacts::default(),
    };
    registry.render(&PluginSource { tree: &recording, path: folder }, &input)
}

#[test]
fn definitions_are_read_as_argo_cd_reads_them() {
    for question in questions("config") {
        let text = question.str_at(&["definition"]).unwrap();
        let (registry, findings) = registry(text);
        let names: Vec<&str> = registry.names().map(Str::as_str).collect();
        match question.str_at(&["answer"]) {
            // Its socket's path takes the last part of the name only; ours takes the name.
            Some("b") => assert_eq!(names, ["a/b"]),
            Some(name) => {
                assert_eq!(names, [name], "{text}: {findings:?}");
                assert!(findings.iter().all(|finding| matches!(finding, Finding::Remark { .. })));
            }
            None => {
                assert!(names.is_empty(), "{text}");
                let about_plugins = !matches!(text, "a: b" | "" | "[]") && !text.contains("kind: Other");
                assert!(!about_plugins || !findings.is_empty() || !text.contains("kind:"), "{text}");
            }
        }
    }
}

#[test]
fn folders_are_found_as_argo_cd_finds_them() {
    let mut wrong = Vec::new();
    let mut asked = 0;
    for question in questions("discover") {
        let definition = question.str_at(&["definition"]).unwrap();
        let shown = definition.lines().find(|line| line.contains("discover")).unwrap_or_default();
        let folder = question.str_at(&["folder"]).unwrap();
        let expected = question.bool_at(&["answer", "supported"]).unwrap_or(false);
        // The command that generates has nothing to read, so whoever takes the folder fails.
        let found = match render(&question, None) {
            Ok(None) => false,
            Err(error) if error.to_string().contains("its spec.generate") => true,
            other => panic!("{shown}: {other:?}"),
        };
        asked += 1;
        if found != expected && !shown.contains(OUTSIDE) {
            wrong.push(format!("{shown} in {folder:?}: {found}, not {expected}"));
        }
    }
    assert!(wrong.is_empty(), "{} of {asked} wrong:\n{}", wrong.len(), wrong.join("\n"));
    assert!(asked > 140, "{asked}");
}

#[test]
fn what_is_printed_is_taken_as_argo_cd_takes_it() {
    let mut wrong = Vec::new();
    let mut asked = 0;
    for question in questions("generate") {
        asked += 1;
        let tree = tree(&question);
        let (registry, _) = registry(question.str_at(&["definition"]).unwrap());
        let options = PluginOptions { name: "p".into(), ..PluginOptions::default() };
        let renderer = windlass_model::Renderer::Plugin(Box::new(options));
        let mut world = windlass_render::NoWorld::default();
        let mut context = windlass_render::Context::empty(&mut world);
        context.services.plugins = Some(&registry);
        context.environment = windlass_render::Environment::new([("A".into(), "b c".into())]);
        let rendered = windlass_render::render(&tree, "app", &renderer, &mut context);
        let shown =
            format!("{:?} {:?}", question.str_at(&["files", "app/out"]), question.str_at(&["definition"]));
        match (rendered, question.get("answer")) {
            (Ok(rendered), Some(answer)) => {
                // What is a list is taken apart later there.
                let mut expected = Vec::new();
                for object in answer.as_array().unwrap().as_slice() {
                    match object.get("items") {
                        Some(Value::Array(items)) => expected.extend(items.as_slice().iter().cloned()),
                        _ => expected.push(object.clone()),
                    }
                }
                let found: Vec<Value> =
                    rendered.manifests.iter().map(|manifest| Object::to_value(&manifest.object)).collect();
                if found != expected {
                    wrong.push(format!("{shown}: {found:?}, not {expected:?}"));
                }
            }
            (Err(_), None) => {}
            // An object without a version is none here; there it fails later.
            (Err(_), Some(_))
                if question.str_at(&["files", "app/out"]) == Some("kind: A\nmetadata: {name: x}\n") => {}
            (found, expected) => wrong.push(format!(
                "{shown}: {:?}, not {expected:?} ({:?})",
                found.map(|rendered| rendered.manifests.len()).map_err(|error| error.to_string()),
                question.str_at(&["error"])
            )),
        }
    }
    assert!(wrong.is_empty(), "{} of {asked} wrong:\n{}", wrong.len(), wrong.join("\n"));
    assert!(asked > 30, "{asked}");
}

#[test]
fn parameters_are_announced_as_argo_cd_announces_them() {
    for question in questions("announce") {
        let (registry, _) = registry(question.str_at(&["definition"]).unwrap());
        let tree = MemoryTree::new([("app/x", "")]);
        let recording = RecordingTree::new(&tree);
        let input = PluginInput { options: None, environment: &[], cluster: &ClusterFacts::default() };
        let source = PluginSource { tree: &recording, path: "app" };
        let found = registry.announcements("p", &source, &input);
        match (found, question.get("answer")) {
            (Ok(found), Some(Value::Null)) => assert_eq!(found.unwrap(), []),
            (Ok(found), Some(answer)) => {
                assert_eq!(found.unwrap(), answer.as_array().unwrap().as_slice(), "{question:?}");
            }
            (Err(_), None) => {}
            (found, _) => panic!("{question:?}: {found:?}"),
        }
    }
}
