//! What the fuzz targets of templates and charts do with an input. `windlass-helm`'s tests run the same.

use std::sync::Arc;

use gotemplate::{Functions, Limits, Map, NoWorld, Numbers, Str, TemplateSet, Value, sprig};
use windlass_helm::{
    CompiledChart, HelmVersion, LoadLimits, LoadOptions, PrintOptions, Release, RenderRequest, load_archive,
    load_folder, strvals,
};
use windlass_model::MemoryTree;

/// Small, so that an input that uses them up takes a moment.
const LIMITS: Limits = Limits { depth: 500, steps: 50_000, output: 1 << 18, memory: 4 << 20 };

/// What separates the parts of an input.
const SEPARATOR: u8 = 0;

/// Parses a template.
pub fn template_parser(data: &[u8]) {
    let _ = parsed(data);
}

fn parsed(text: &[u8]) -> Option<Arc<TemplateSet>> {
    let mut functions = Functions::builtin();
    sprig::register(&mut functions);
    let mut set = TemplateSet::new(functions);
    set.parse("fuzz", text).ok()?;
    Some(Arc::new(set))
}

/// Executes a template on the values that follow it as YAML.
pub fn template_executor(data: &[u8]) {
    let mut parts = data.splitn(2, |byte| *byte == SEPARATOR);
    let template = parts.next().unwrap_or_default();
    let values = String::from_utf8_lossy(parts.next().unwrap_or_default());
    let Some(set) = parsed(template) else { return };
    let values = windlass_yaml::load(&values).unwrap_or_default();
    let values = Value::from_yaml(&values, Numbers::Float64);
    let _ = set.execute("fuzz", &values, LIMITS, &mut NoWorld::default());
}

/// Reads texts of `--set` and its sisters, one after the other into the same values.
pub fn strvals(data: &[u8]) {
    let values = Map::new();
    for (idx, part) in data.split(|byte| *byte == SEPARATOR).enumerate() {
        let text = String::from_utf8_lossy(part);
        let helm = if idx % 2 == 0 { HelmVersion::V4 } else { HelmVersion::V3 };
        let _ = strvals::set(&text, &values, helm);
        let _ = strvals::set_string(&text, &values, helm);
        let _ = strvals::set_json(&text, &values, helm);
        let _ = strvals::set_literal(&text, &values, helm);
        let _ = strvals::set_file(&text, &values, helm, &mut |path| Ok(Str::from(path.as_bytes().to_vec())));
    }
}

/// Loads an input as a packaged chart, and as a folder of files, each a name, a line's end and a content; renders what
/// can be loaded.
pub fn chart_loader(data: &[u8]) {
    for helm in [HelmVersion::V3, HelmVersion::V4] {
        let limits =
            LoadLimits { chart_bytes: 1 << 20, file_bytes: 1 << 19, files: 200, ..LoadLimits::default() };
        let options = LoadOptions { helm, limits };
        let files = data.split(|byte| *byte == SEPARATOR).filter_map(|file| {
            let end = file.iter().position(|byte| *byte == b'\n')?;
            let path = String::from_utf8_lossy(&file[..end]).into_owned();
            // A Tree has no other paths.
            let is_path = path.split('/').all(|part| !matches!(part, "" | "." | ".."));
            is_path.then(|| (path, &file[end + 1..]))
        });
        for loaded in [load_archive(data, &options), load_folder(&MemoryTree::new(files), "", &options)] {
            let Ok(loaded) = loaded else { continue };
            let Ok(release) = Release::install("rel", "default") else { continue };
            let request = RenderRequest { limits: LIMITS, ..RenderRequest::new(release, Map::new(), helm) };
            let chart = CompiledChart::new(loaded.chart, helm);
            if let Ok(rendered) = chart.render(&request, &mut NoWorld::default()) {
                let _ = rendered.print(&PrintOptions { include_crds: true, ..PrintOptions::default() }, helm);
            }
        }
    }
}
