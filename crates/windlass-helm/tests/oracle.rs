//! Small charts, each showing one rule, against what Helm 4.3.1 and 3.21.4 print: `tests/charts`, renewed by
//! `cargo xtask record helm`.
#![expect(clippy::unwrap_used, reason = "a test")]

use std::fs;
use std::path::Path;
use std::sync::Arc;

use gotemplate::{NoWorld, Str};
use windlass_helm::{
    Capabilities, CompiledChart, HelmVersion, KubeVersion, LoadOptions, Overrides, PostRenderStrategy,
    PostRendering, PrintOptions, Release, RenderError, RenderRequest, load_folder,
};
use windlass_model::MemoryTree;

#[test]
fn every_rule_is_as_helm_has_it() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/charts");
    let mut n_cases = 0;
    let mut different = Vec::new();
    let mut paths: Vec<_> = fs::read_dir(folder).unwrap().map(|member| member.unwrap().path()).collect();
    paths.sort();
    for path in paths {
        let text = fs::read_to_string(&path).unwrap();
        let case = Case::parse(&text);
        for (section, helm) in [("helm 4.3.1", HelmVersion::V4), ("helm 3.21.4", HelmVersion::V3)] {
            n_cases += 1;
            let expected = case.section(section);
            let found = match case.render(helm) {
                Ok(text) => text,
                Err(error) => format!("Error: {}\n", error.trim_end()),
            };
            let name = path.file_stem().unwrap().to_string_lossy().into_owned();
            // Helm walks the members of an object in random order.
            let is_random = name.starts_with("schema");
            let comparable = |text: &str| {
                let mut lines: Vec<_> = text.lines().map(str::to_owned).collect();
                if is_random {
                    lines.sort();
                }
                lines
            };
            if expected != found && comparable(expected) != comparable(&found) {
                different.push(format!("{name} ({section})\n--- helm\n{expected}--- ours\n{found}"));
            }
        }
    }
    assert!(different.is_empty(), "{} of {n_cases} differ:\n{}", different.len(), different.join("\n"));
}

/// What a post-renderer makes of a text in these steps, each a line.
fn changed(text: &str, steps: &str) -> String {
    let mut text = text.to_owned();
    for step in steps.lines() {
        match step.splitn(3, ' ').collect::<Vec<_>>()[..] {
            ["replace", one, other] => text = text.replace(one, other),
            ["append", ..] => {
                text.push_str(&step["append ".len()..]);
                text.push('\n');
            }
            _ => panic!("unknown step {step}"),
        }
    }
    text
}

/// A case as it is written down: sections under lines `-- NAME --`.
struct Case<'a>(Vec<(&'a str, String)>);

impl<'a> Case<'a> {
    fn parse(text: &'a str) -> Self {
        let mut sections: Vec<(&str, String)> = Vec::new();
        for line in text.split_inclusive('\n') {
            let name = line.trim_end().strip_prefix("-- ").and_then(|rest| rest.strip_suffix(" --"));
            match (name, sections.last_mut()) {
                (Some(name), _) => sections.push((name, String::new())),
                (None, Some((_, text))) => text.push_str(line),
                (None, None) => {}
            }
        }
        Self(sections)
    }

    fn section(&self, name: &str) -> &str {
        self.0.iter().find(|(section, _)| *section == name).map_or("", |(_, text)| text)
    }

    fn render(&self, helm: HelmVersion) -> Result<String, String> {
        let files = self
            .0
            .iter()
            .filter(|(name, _)| !matches!(*name, "args" | "post-renderer") && !name.starts_with("helm "));
        let tree = MemoryTree::new(files.map(|(name, text)| (*name, text.as_bytes())));
        let file = |name: &str| -> Vec<u8> { self.section(name).as_bytes().to_vec() };
        let mut positional = Vec::new();
        let mut overrides = Overrides::default();
        let mut namespace = "default".to_owned();
        let mut kube_version = "v1.34.0".to_owned();
        let mut capabilities = Capabilities::default_of(helm);
        let (mut is_upgrade, mut skip_schema_validation) = (false, false);
        let mut show_only = Vec::new();
        let mut print = PrintOptions::default();
        let mut arguments = self.section("args").lines();
        while let Some(argument) = arguments.next() {
            let mut value = || arguments.next().unwrap().to_owned();
            match argument {
                "-f" => {
                    let name = value();
                    let bytes = file(&name);
                    overrides.files.push((name, bytes));
                }
                "--set" => overrides.set.push(value()),
                "--set-string" => overrides.set_string.push(value()),
                "--set-json" => overrides.set_json.push(value()),
                "--set-file" => overrides.set_file.push(value()),
                "--set-literal" => overrides.set_literal.push(value()),
                "-n" => namespace = value(),
                "--kube-version" => kube_version = value(),
                "-a" => capabilities.api_versions.extend(value().split(',').map(str::to_owned)),
                "-s" | "--show-only" => show_only.push(value()),
                "--is-upgrade" => is_upgrade = true,
                "--skip-schema-validation" => skip_schema_validation = true,
                "--include-crds" => print.include_crds = true,
                "--skip-tests" => print.skip_tests = true,
                "--no-hooks" => print.no_hooks = true,
                flag if flag.starts_with('-') => panic!("unknown flag {flag}"),
                name => positional.push(name),
            }
        }
        let [name, chart] = positional.as_slice() else { panic!("a release and a chart") };
        capabilities.kube_version = KubeVersion::parse(&kube_version, helm).map_err(|e| e.to_string())?;
        let values =
            overrides.merge(helm, |name| Ok(Str::from(file(name)))).map_err(|error| error.to_string())?;
        let loaded = load_folder(&tree, chart, &LoadOptions::of(helm)).map_err(|error| error.to_string())?;
        let release = Release { name: (*name).to_owned(), namespace, revision: 1, is_upgrade };
        let steps = self.section("post-renderer").to_owned();
        let post_rendering = (!steps.is_empty()).then(|| PostRendering {
            renderer: Arc::new(move |text: &str| Ok(changed(text, &steps))),
            strategy: PostRenderStrategy::Combined,
            include_crds: print.include_crds,
        });
        let request = RenderRequest {
            capabilities,
            skip_schema_validation,
            post_rendering,
            ..RenderRequest::new(release, values, helm)
        };
        let rendered = CompiledChart::new(loaded.chart, helm)
            .render(&request, &mut NoWorld::default())
            .map_err(|error| {
                // What the program says beside what went wrong.
                let hint = match error {
                    RenderError::KubeVersion { .. }
                    | RenderError::Parse(_)
                    | RenderError::Template(_)
                    | RenderError::Manifest(_)
                    | RenderError::PostRender(_) => "\n\nUse --debug flag to render out invalid YAML",
                    _ => "",
                };
                format!("{error}{hint}")
            })?;
        rendered
            .print(&PrintOptions { show_only: &show_only, ..print }, helm)
            .map_err(|error| error.to_string())
    }
}
