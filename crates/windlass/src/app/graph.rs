//! `windlass app graph`: which Applications wait for which.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::process::ExitCode;

use anyhow::Result;
use clap::Args;
use windlass_argo::DEPENDS_ON_ANNOTATION;
use windlass_kube::{Map, Object, Value};

use crate::output::{self, FormatOption, Table};
use crate::session::Session;

/// Options of `windlass app graph`.
#[derive(Debug, Clone, Args)]
pub(super) struct GraphOptions {
    /// Only this Application, what it waits for and what waits for it: NAME, or NAMESPACE/NAME.
    name: Option<String>,
    /// Applications of all namespaces.
    #[arg(short = 'A', long)]
    all_namespaces: bool,
    /// Print it for Graphviz.
    #[arg(long)]
    dot: bool,
    #[command(flatten)]
    format: FormatOption,
}

/// One Application of the graph.
#[derive(Debug, Clone, Default)]
struct Node {
    sync: String,
    health: String,
    depends_on: BTreeSet<String>,
    waits_for: BTreeSet<String>,
}

/// Applications by `namespace/name`.
type Graph = BTreeMap<String, Node>;

pub(super) async fn run(session: &Session, options: &GraphOptions) -> Result<ExitCode> {
    let namespace = if options.all_namespaces { "" } else { &session.namespace };
    let applications = session.list(namespace, "").await?;
    let mut graph = graph_of(&applications);
    match &options.name {
        Some(name) => {
            session.get(name).await?;
            let (namespace, name) = session.split(name);
            graph = around(&graph, &format!("{namespace}/{name}"));
        }
        // What has nothing to do with others is no part of a graph.
        None => graph = connected(&graph),
    }
    if graph.is_empty() {
        output::note(&format!(
            "No Application depends on another; the annotation is {DEPENDS_ON_ANNOTATION}."
        ));
        return Ok(ExitCode::SUCCESS);
    }
    let text = match options.format.output.for_programs(|| value(&graph), graph.keys()) {
        _ if options.dot => dot(&graph),
        Some(text) => text,
        None => table(&graph).print(session.paint),
    };
    output::print(&text)?;
    Ok(ExitCode::SUCCESS)
}

/// What an Application depends on, as its status says, or its annotation before the engine has looked at it.
pub(super) fn dependencies_of(application: &Object) -> Vec<(String, bool)> {
    let status = application.at(&["status"]).cloned().unwrap_or_default();
    let told = status.items_at(&["windlass", "dependsOn"]);
    if !told.is_empty() {
        let entry = |entry: &Value| {
            let name = entry.str_at(&["application"]).unwrap_or_default().to_owned();
            (name, entry.bool_at(&["waiting"]) == Some(true))
        };
        return told.iter().map(entry).collect();
    }
    let text = application.annotation(DEPENDS_ON_ANNOTATION).unwrap_or_default();
    let words = text.split(|char: char| char == ',' || char.is_whitespace()).filter(|word| !word.is_empty());
    let full = |word: &str| match word.contains('/') {
        true => word.to_owned(),
        false => format!("{}/{word}", application.namespace()),
    };
    words.map(|word| (full(word), false)).collect()
}

fn graph_of(applications: &[Object]) -> Graph {
    let mut graph = Graph::new();
    for application in applications {
        let said = |path: &[&str]| match application.str_at(path) {
            "" => "Unknown".to_owned(),
            said => said.to_owned(),
        };
        let mut node = Node {
            sync: said(&["status", "sync", "status"]),
            health: said(&["status", "health", "status"]),
            ..Node::default()
        };
        for (name, awaited) in dependencies_of(application) {
            if awaited {
                node.waits_for.insert(name.clone());
            }
            node.depends_on.insert(name);
        }
        graph.insert(format!("{}/{}", application.namespace(), application.name()), node);
    }
    let named: BTreeSet<String> = graph.values().flat_map(|node| node.depends_on.clone()).collect();
    for name in named {
        let absent = || Node { sync: "Absent".into(), health: "Absent".into(), ..Node::default() };
        graph.entry(name).or_insert_with(absent);
    }
    graph
}

/// Those that depend on another or that another depends on.
fn connected(graph: &Graph) -> Graph {
    let named: BTreeSet<&String> = graph.values().flat_map(|node| &node.depends_on).collect();
    let kept = graph.iter().filter(|(name, node)| !node.depends_on.is_empty() || named.contains(name));
    kept.map(|(name, node)| (name.clone(), node.clone())).collect()
}

/// One, all that it depends on, and all that depend on it.
fn around(graph: &Graph, name: &str) -> Graph {
    let mut kept: BTreeSet<&str> = BTreeSet::from([name]);
    let mut below = vec![name];
    while let Some(at) = below.pop() {
        for next in graph.get(at).into_iter().flat_map(|node| &node.depends_on) {
            if kept.insert(next) {
                below.push(next);
            }
        }
    }
    let mut above = vec![name];
    while let Some(at) = above.pop() {
        for (other, _) in graph.iter().filter(|(_, node)| node.depends_on.contains(at)) {
            if kept.insert(other) {
                above.push(other);
            }
        }
    }
    graph
        .iter()
        .filter(|(name, _)| kept.contains(name.as_str()))
        .map(|(name, node)| (name.clone(), node.clone()))
        .collect()
}

/// In which step each can be synced at the earliest: 0 for what depends on nothing, `None` inside a cycle or behind one.
fn levels(graph: &Graph) -> BTreeMap<&str, Option<usize>> {
    let mut levels: BTreeMap<&str, Option<usize>> = BTreeMap::new();
    loop {
        let mut found = Vec::new();
        for (name, node) in graph.iter().filter(|(name, _)| !levels.contains_key(name.as_str())) {
            let below: Option<Vec<usize>> =
                node.depends_on.iter().map(|other| levels.get(other.as_str()).copied().flatten()).collect();
            if let Some(below) = below {
                found.push((name.as_str(), Some(below.into_iter().max().map_or(0, |level| level + 1))));
            }
        }
        if found.is_empty() {
            levels.extend(
                graph
                    .keys()
                    .map(String::as_str)
                    .filter(|name| !levels.contains_key(name))
                    .map(|name| (name, None))
                    .collect::<Vec<_>>(),
            );
            return levels;
        }
        levels.extend(found);
    }
}

fn table(graph: &Graph) -> Table {
    let levels = levels(graph);
    let mut rows: Vec<(usize, &String, &Node)> =
        graph.iter().map(|(name, node)| (levels[name.as_str()].unwrap_or(usize::MAX), name, node)).collect();
    rows.sort_by_key(|(level, name, _)| (*level, *name));
    let mut table = Table::new(["STEP", "NAME", "SYNC", "HEALTH", "DEPENDS ON", "WAITS FOR"]);
    for (level, name, node) in rows {
        let level = if level == usize::MAX { "cycle".to_owned() } else { level.to_string() };
        let joined = |names: &BTreeSet<String>| names.iter().cloned().collect::<Vec<_>>().join(", ");
        table.row([
            level,
            name.clone(),
            node.sync.clone(),
            node.health.clone(),
            joined(&node.depends_on),
            joined(&node.waits_for),
        ]);
    }
    table
}

fn dot(graph: &Graph) -> String {
    let mut text = String::from("digraph applications {\n  rankdir = LR;\n");
    for (name, node) in graph {
        let _ =
            writeln!(text, "  {name:?} [label = {:?}];", format!("{name}\n{}, {}", node.sync, node.health));
        for other in &node.depends_on {
            let style = if node.waits_for.contains(other) { " [style = bold]" } else { "" };
            let _ = writeln!(text, "  {name:?} -> {other:?}{style};");
        }
    }
    text.push_str("}\n");
    text
}

fn value(graph: &Graph) -> Value {
    let levels = levels(graph);
    let node = |(name, node): (&String, &Node)| {
        let list = |names: &BTreeSet<String>| {
            Value::from(names.iter().map(|name| Value::from(name.as_str())).collect::<Vec<_>>())
        };
        let mut entry = Map::new();
        entry.insert("application", name.as_str());
        if let Some(level) = levels[name.as_str()] {
            entry.insert("step", i64::try_from(level).unwrap_or(i64::MAX));
        }
        entry.insert("sync", node.sync.as_str());
        entry.insert("health", node.health.as_str());
        entry.insert("dependsOn", list(&node.depends_on));
        entry.insert("waitsFor", list(&node.waits_for));
        Value::from(entry)
    };
    Value::from(graph.iter().map(node).collect::<Vec<_>>())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::output::Paint;

    fn application(name: &str, depends_on: &str, status: &str) -> Object {
        let text = format!(
            "apiVersion: argoproj.io/v1alpha1\nkind: Application\nmetadata:\n  name: {name}\n  namespace: argocd\n  \
             annotations: {{windlass.dev/depends-on: {depends_on:?}}}\nstatus: {status}\n"
        );
        Object::try_new(windlass_yaml::load(&text).unwrap()).unwrap()
    }

    fn applications() -> Vec<Object> {
        let done = "{sync: {status: Synced}, health: {status: Healthy}}";
        vec![
            application("alone", "", done),
            application("base", "", done),
            application("queue", "base", done),
            application(
                "web",
                "base queue,team-b/gone",
                "{sync: {status: OutOfSync}, health: {status: Healthy}, windlass: {dependsOn: [{application: argocd/base}, \
                 {application: argocd/queue}, {application: team-b/gone, waiting: true}]}}",
            ),
        ]
    }

    #[test]
    fn steps_follow_from_what_depends_on_what() {
        let expected = "\
STEP   NAME           SYNC        HEALTH    DEPENDS ON                              WAITS FOR
0      argocd/base    Synced      Healthy
0      team-b/gone    Absent      Absent
1      argocd/queue   Synced      Healthy   argocd/base
2      argocd/web     OutOfSync   Healthy   argocd/base, argocd/queue, team-b/gone   team-b/gone
";
        let normal = |text: &str| {
            text.lines().map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ")).collect::<Vec<_>>()
        };
        assert_eq!(
            normal(&table(&connected(&graph_of(&applications()))).print(Paint(false))),
            normal(expected)
        );
    }

    #[test]
    fn a_cycle_has_no_steps() {
        let graph = graph_of(&[
            application("a", "b", "{}"),
            application("b", "a", "{}"),
            application("c", "b", "{}"),
        ]);
        assert!(levels(&graph).values().all(Option::is_none));
    }

    #[test]
    fn around_one_is_what_is_below_and_above() {
        let graph = graph_of(&applications());
        let names: Vec<String> = around(&graph, "argocd/queue").into_keys().collect();
        assert_eq!(names, ["argocd/base", "argocd/queue", "argocd/web"]);
    }

    #[test]
    fn graphviz_can_read_it() {
        let text = dot(&around(&graph_of(&applications()), "team-b/gone"));
        assert!(text.contains("  \"argocd/web\" -> \"team-b/gone\" [style = bold];\n"), "{text}");
    }
}
