//! From files to a chart.

use std::collections::BTreeMap;
use std::sync::Arc;

use windlass_model::Digest;
use windlass_yaml::{Str, Value};

use super::{Budget, LoadError, Loaded, archive, values_file::parse_values};
use crate::chart::{Chart, DecodeError, File, Lock, Metadata};
use crate::text::extension;

/// Refuses a chart whose `apiVersion` Helm 4 does not know.
pub(super) fn check_api_version(files: &[File]) -> Result<(), LoadError> {
    let Some(file) = files.iter().find(|file| file.name == "Chart.yaml") else {
        return Err(LoadError::NoChartFile);
    };
    match yaml("Chart.yaml", &file.data)?.str_at(&["apiVersion"]) {
        None | Some("" | "v1" | "v2") => Ok(()),
        // Helm 4 can read such a chart, but not install it.
        Some("v3") => Err(LoadError::NotYetSupportedVersion),
        Some(_) => Err(LoadError::UnsupportedVersion),
    }
}

/// Makes a chart of its files.
pub(super) fn chart(files: Vec<File>, budget: &mut Budget) -> Result<Loaded, LoadError> {
    let digest = digest(&files);
    let chart = Arc::new(assemble(files, budget)?);
    Ok(Loaded { chart, warnings: std::mem::take(&mut budget.warnings), digest })
}

/// The digest of names and contents.
pub(crate) fn digest(files: &[File]) -> Digest {
    let parts = files.iter().flat_map(|file| [file.name.as_bytes(), &file.data]);
    Digest::combine(parts.map(Digest::of_bytes))
}

fn assemble(files: Vec<File>, budget: &mut Budget) -> Result<Chart, LoadError> {
    const V1: &str = "v1";
    let helm = budget.options.helm;
    let mut metadata = None;
    if let Some(file) = files.iter().find(|file| file.name == "Chart.yaml") {
        let read: &mut Metadata = metadata.insert(Metadata::default());
        decode("Chart.yaml", &file.data, |value| read.read(value))?;
        if read.api_version.is_empty() {
            read.api_version = Str::from(V1);
        }
    }
    let mut has_metadata = metadata.is_some();
    let mut metadata = metadata.unwrap_or_default();
    let mut lock = None;
    let mut templates = Vec::new();
    let mut values = Value::Null;
    let mut schema = None;
    let mut others = Vec::new();
    let mut subcharts: BTreeMap<Str, Vec<File>> = BTreeMap::new();
    for file in files {
        match file.name.as_str() {
            "Chart.yaml" => {}
            "Chart.lock" => lock = Some(decode("Chart.lock", &file.data, Lock::read)?),
            "values.yaml" => {
                let map = parse_values(&file.data, helm)
                    .map_err(|error| LoadError::File { file: "values.yaml", problem: error.to_string() })?;
                values = Value::Object(map);
            }
            "values.schema.json" => schema = Some(file.data),
            "requirements.yaml" => {
                has_metadata = true;
                if metadata.api_version != V1 {
                    budget.warn(
                        "Warning: Dependencies are handled in Chart.yaml since apiVersion \"v2\". We recommend \
                         migrating dependencies to Chart.yaml."
                            .into(),
                    );
                }
                decode("requirements.yaml", &file.data, |value| metadata.read(value))?;
                if metadata.api_version == V1 {
                    others.push(file);
                }
            }
            "requirements.lock" => {
                lock = Some(decode("requirements.lock", &file.data, Lock::read)?);
                has_metadata = true;
                if metadata.api_version == V1 {
                    others.push(file);
                } else {
                    budget.warn(
                        "Warning: Dependency locking is handled in Chart.lock since apiVersion \"v2\". We \
                         recommend migrating to Chart.lock."
                            .into(),
                    );
                }
            }
            name if name.starts_with("templates/") => templates.push(file),
            name => match name.strip_prefix("charts/") {
                Some(_) if extension(name) == ".prov" => others.push(file),
                Some(inner) => {
                    let top = inner.split('/').next().unwrap_or(inner);
                    let member = File { name: Str::from(inner), data: file.data };
                    subcharts.entry(Str::from(top)).or_default().push(member);
                }
                None => others.push(file),
            },
        }
    }
    if !has_metadata {
        return Err(LoadError::NoChartFile);
    }
    metadata.validate()?;
    let mut dependencies = Vec::with_capacity(subcharts.len());
    for (name, files) in subcharts {
        if name.starts_with(['_', '.']) {
            continue;
        }
        budget.depth += 1;
        if budget.depth > budget.options.limits.depth {
            return Err(LoadError::TooDeep(budget.options.limits.depth));
        }
        let mut inner = subchart(&name, files, &metadata.name, budget)?;
        inner.place = name;
        budget.depth -= 1;
        dependencies.push(Arc::new(inner));
    }
    Ok(Chart {
        metadata,
        lock,
        templates,
        values,
        schema,
        files: others,
        dependencies,
        place: Str::default(),
    })
}

fn subchart(name: &Str, files: Vec<File>, chart: &Str, budget: &mut Budget) -> Result<Chart, LoadError> {
    let loaded = if extension(name) == ".tgz" {
        let first = files.first().expect("a subchart is made by its first file");
        if first.name != *name {
            return Err(LoadError::NotAnArchive {
                chart: chart.clone(),
                expected: name.clone(),
                found: first.name.clone(),
            });
        }
        archive::files(&first.data, budget).and_then(|files| assemble(files, budget))
    } else {
        // A file that lies in charts/ itself makes a chart without files.
        let files = files.into_iter().filter_map(|file| {
            let (_, inner) = file.name.split_once('/')?;
            Some(File { name: Str::from(inner), data: file.data })
        });
        assemble(files.collect(), budget)
    };
    loaded.map_err(|error| match error {
        LoadError::ChartTooLarge(_)
        | LoadError::FileTooLarge { .. }
        | LoadError::TooManyFiles(_)
        | LoadError::TooDeep(_) => error,
        error => LoadError::Subchart { subchart: name.clone(), chart: chart.clone(), error: Box::new(error) },
    })
}

/// Loads a file and reads it as a Go type.
fn decode<T>(
    name: &'static str,
    data: &[u8],
    read: impl FnOnce(&Value) -> Result<T, DecodeError>,
) -> Result<T, LoadError> {
    let value = yaml(name, data)?;
    read(&value).map_err(|error| LoadError::File { file: name, problem: error.to_string() })
}

fn yaml(name: &'static str, data: &[u8]) -> Result<Value, LoadError> {
    let text = windlass_yaml::decode_text(data).map_err(|error| LoadError::yaml(name, &error))?;
    windlass_yaml::load(&text).map_err(|error| LoadError::yaml(name, &error))
}
