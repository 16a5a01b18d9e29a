//! Which of the charts inside take part, under which names, and what their parents import from them.
//!
//! Facts from Helm's `dependencies.go`, whose steps are kept in order: names become aliases, tags and then
//! conditions decide on the values of the whole tree, and only then values are imported, bottom up.

use gotemplate::value::Entries;
use gotemplate::{Map, Value, types};
use windlass_go::semver::{Constraint, Version};
use windlass_yaml::Str;

use super::coalesce::{Coalescing, Nulls, TypeMismatch};
use super::{deep_copy, from_file, path_value, table};
use crate::HelmVersion;
use crate::chart::{Chart, Dependency, ImportValue};
use crate::text::quote;
use crate::warning::Warning;

/// A chart as it takes part in one render.
#[derive(Clone)]
pub(crate) struct Node<'a> {
    pub(crate) chart: &'a Chart,
    /// Its name, or the alias it is declared under.
    pub(crate) name: Str,
    /// The declared dependencies that take part; `None` if none are declared.
    pub(crate) declared: Option<Vec<Declared<'a>>>,
    /// The charts inside that take part.
    pub(crate) children: Vec<Self>,
    /// The chart's defaults with what it imported; `None` as long as they are those of the file.
    imported: Option<Map>,
}

/// A declared dependency.
#[derive(Clone, Debug)]
pub(crate) struct Declared<'a> {
    pub(crate) dependency: &'a Dependency,
    /// The alias, or the name.
    pub(crate) name: Str,
    pub(crate) enabled: bool,
    /// Whether its imports were processed, which changes how they are shown.
    pub(crate) is_processed: bool,
}

impl<'a> Node<'a> {
    /// The chart with everything inside, before anything was decided.
    pub(crate) fn new(chart: &'a Chart) -> Self {
        Self {
            chart,
            name: chart.metadata.name.clone(),
            declared: chart
                .metadata
                .dependencies
                .as_ref()
                .map(|declared| declared.iter().map(Declared::new).collect()),
            children: chart.dependencies.iter().map(|inner| Node::new(inner.as_ref())).collect(),
            imported: None,
        }
    }

    /// A copy of the chart's defaults.
    pub(crate) fn defaults(&self) -> Map {
        match &self.imported {
            Some(imported) => deep_copy(imported),
            None => from_file(&self.chart.values),
        }
    }
}

impl<'a> Declared<'a> {
    fn new(dependency: &'a Dependency) -> Self {
        Self { dependency, name: dependency.name.clone(), enabled: dependency.enabled, is_processed: false }
    }
}

/// Decides which charts take part, and imports values.
pub(crate) fn process(
    root: &mut Node<'_>,
    values: &Map,
    helm: HelmVersion,
    warnings: &mut Vec<Warning>,
) -> Result<(), TypeMismatch> {
    enable(root, values, "", helm, warnings)?;
    import(root, helm, warnings)
}

fn enable(
    node: &mut Node<'_>,
    values: &Map,
    path: &str,
    helm: HelmVersion,
    warnings: &mut Vec<Warning>,
) -> Result<(), TypeMismatch> {
    let Some(mut declared) = node.declared.take() else { return Ok(()) };
    let is_declared = |child: &Node<'_>, declared: &[Declared<'_>]| {
        declared.iter().any(|one| {
            child.name == one.name && is_compatible(&one.dependency.version, &child.chart.metadata.version)
        })
    };
    let mut children: Vec<_> =
        node.children.iter().filter(|child| !is_declared(child, &declared)).cloned().collect();
    for one in &mut declared {
        let found = node.children.iter().find(|child| {
            child.name == one.name && is_compatible(&one.dependency.version, &child.chart.metadata.version)
        });
        let alias = &one.dependency.alias;
        if let Some(found) = found {
            let mut child = found.clone();
            if !alias.is_empty() {
                child.name = alias.clone();
            }
            children.push(child);
        }
        if !alias.is_empty() {
            one.name = alias.clone();
        }
        one.enabled = true;
    }
    node.children = children;
    let values = {
        let copy = deep_copy(values);
        Coalescing { helm, nulls: Nulls::Delete, warnings }.run(node, &copy)?;
        copy
    };
    tags(&mut declared, &values, warnings);
    conditions(&mut declared, &values, path, warnings);
    let disabled: Vec<Str> = declared.iter().filter(|one| !one.enabled).map(|one| one.name.clone()).collect();
    node.children.retain(|child| !disabled.contains(&child.name));
    declared.retain(|one| !disabled.contains(&one.name));
    for child in &mut node.children {
        let path = format!("{path}{}.", child.name);
        enable(child, &values, &path, helm, warnings)?;
    }
    // Helm makes no difference any more between no declared dependency and none that takes part.
    node.declared = Some(declared).filter(|declared| !declared.is_empty());
    Ok(())
}

/// Whether a version satisfies a constraint; no if either cannot be read.
pub(crate) fn is_compatible(constraint: &str, version: &str) -> bool {
    match (Version::parse(version), Constraint::parse(constraint)) {
        (Ok(version), Ok(constraint)) => constraint.matches(&version),
        _ => false,
    }
}

fn tags(declared: &mut [Declared<'_>], values: &Map, warnings: &mut Vec<Warning>) {
    let Ok(tags) = table(values, "tags") else { return };
    for one in declared {
        let (mut is_on, mut is_off) = (false, false);
        for tag in &one.dependency.tags {
            match tags.get(tag.as_str()) {
                None => {}
                Some(Value::Bool(true)) => is_on = true,
                Some(Value::Bool(false)) => is_off = true,
                Some(_) => {
                    let text = format!("Warning: Tag '{tag}' for chart {} returned non-bool value", one.name);
                    warnings.push(Warning(text));
                }
            }
        }
        one.enabled = is_on || !is_off;
    }
}

fn conditions(declared: &mut [Declared<'_>], values: &Map, path: &str, warnings: &mut Vec<Warning>) {
    for one in declared {
        let conditions = one.dependency.condition.trim_matches(crate::text::is_space);
        for condition in conditions.split(',').filter(|condition| !condition.is_empty()) {
            match path_value(values, &format!("{path}{condition}")) {
                None => {}
                Some(Value::Bool(enabled)) => {
                    one.enabled = enabled;
                    break;
                }
                Some(_) => {
                    let name = &one.name;
                    let text = format!(
                        "Warning: Condition path '{condition}' for chart {name} returned non-bool value"
                    );
                    warnings.push(Warning(text));
                }
            }
        }
    }
}

/// Gives each chart what it imports from those inside, the innermost first.
fn import(node: &mut Node<'_>, helm: HelmVersion, warnings: &mut Vec<Warning>) -> Result<(), TypeMismatch> {
    for child in &mut node.children {
        import(child, helm, warnings)?;
    }
    if node.declared.is_none() {
        return Ok(());
    }
    let values = Map::new();
    Coalescing { helm, nulls: Nulls::Keep, warnings }.run(node, &values)?;
    let imported = Map::new();
    for one in node.declared.iter_mut().flatten() {
        for import in &one.dependency.import_values {
            let (child, parent) = match import {
                ImportValue::Table { child, parent } => (child.to_string(), parent.as_str()),
                ImportValue::Export(name) => (format!("exports.{name}"), "."),
                ImportValue::Other(_) => continue,
            };
            let found = match table(&values, &format!("{}.{child}", one.name)) {
                Ok(found) => found,
                Err(name) => {
                    let name = quote(&name);
                    let text = match import {
                        ImportValue::Table { .. } => {
                            format!(
                                "Warning: ImportValues missing table from chart {}: {name} is not a table",
                                one.name
                            )
                        }
                        _ => format!("Warning: ImportValues missing table: {name} is not a table"),
                    };
                    warnings.push(Warning(text));
                    continue;
                }
            };
            let place = placed(parent, found);
            Coalescing { helm, nulls: Nulls::Keep, warnings }.tables(&imported, &place, "", Nulls::Keep);
        }
        one.is_processed = true;
    }
    let values = deep_copy(&values);
    Coalescing { helm, nulls: Nulls::Keep, warnings }.tables(&values, &imported, "", Nulls::Keep);
    node.imported = Some(values);
    Ok(())
}

/// A table below the names of a path.
fn placed(path: &str, table: Map) -> Map {
    if path == "." {
        return table;
    }
    path.rsplit('.').fold(table, |inner, name| {
        Map::typed(&types::MAP, Entries::from_iter([(gotemplate::Str::from(name), Value::Map(inner))]))
    })
}
