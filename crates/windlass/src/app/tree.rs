//! `windlass app tree`: an Application's live objects, under their owners.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::process::ExitCode;

use anyhow::Result;
use clap::Args;
use windlass_assess::{Forest, Node, info};
use windlass_cluster::{ApiError, Discovery, LocalLogins};
use windlass_kube::{Map, Object, ObjectRef, Str, Value};
use windlass_model::Health;

use super::destination::destination;
use crate::cli::LoginOptions;
use crate::output::{self, FormatOption, Table};
use crate::session::Session;
use crate::session::{age_of, is_here};

/// Options of `windlass app tree`.
#[derive(Debug, Clone, Args)]
pub(super) struct TreeOptions {
    /// The Application: NAME, or NAMESPACE/NAME.
    name: String,
    #[command(flatten)]
    format: FormatOption,
    #[command(flatten)]
    logins: LoginOptions,
}

/// What controllers make of what is deployed.
const CHILD_KINDS: [(&str, &str); 7] = [
    ("apps", "ReplicaSet"),
    ("apps", "ControllerRevision"),
    ("batch", "Job"),
    ("", "Pod"),
    ("", "PersistentVolumeClaim"),
    ("discovery.k8s.io", "EndpointSlice"),
    ("", "Endpoints"),
];

/// What stands beside a node of the forest.
#[derive(Debug, Clone, Default)]
struct Beside {
    sync: String,
    created: String,
}

/// A row of the tree.
#[derive(Debug, Clone)]
struct Row {
    depth: usize,
    key: ObjectRef,
    health: Option<Health>,
    info: String,
    beside: Beside,
}

pub(super) async fn run(session: &Session, options: &TreeOptions) -> Result<ExitCode> {
    let application = session.get(&options.name).await?;
    let rows = rows(session, &application, options.logins.allowed()).await?;
    let names = rows.iter().map(|row| &row.key);
    let text = match options.format.output.for_programs(|| nested(&rows), names) {
        Some(text) => text,
        None => print(&application, &rows).print(session.paint),
    };
    output::print(&text)?;
    Ok(ExitCode::SUCCESS)
}

/// Prints the tree of an Application.
pub(crate) async fn show(session: &Session, name: &str) -> Result<String> {
    let application = session.get(name).await?;
    let rows = rows(session, &application, LocalLogins::Refused).await?;
    Ok(print(&application, &rows).print(session.paint))
}

async fn rows(session: &Session, application: &Object, logins: LocalLogins) -> Result<Vec<Row>> {
    let there = destination(session, application, logins);
    let found = match there.await {
        Ok(there) => live_objects(&there, application).await,
        Err(error) => Err(error),
    };
    match found {
        Ok(objects) => Ok(arrange(&objects, application)),
        Err(error) if !is_here(application) => {
            output::note(&format!("{error:#}"));
            output::note("It is deployed to another cluster: only what its status says is shown.");
            Ok(arrange(&[], application))
        }
        Err(error) => Err(error),
    }
}

/// The live objects of an Application, by a session with the cluster that it is deployed to: what its status lists, and
/// what controllers made of that.
pub(super) async fn objects(session: &Session, application: &Object) -> Result<Vec<Object>> {
    let objects = live_objects(session, application).await?;
    let declared = declared(application);
    let roots = objects.iter().filter(|object| declared.contains_key(&object.object_ref()));
    let mut wanted: HashSet<Str> = roots.map(|object| object.uid().into()).collect();
    grow(&mut wanted, &objects);
    Ok(objects.into_iter().filter(|object| wanted.contains(object.uid())).collect())
}

/// The pods of an Application, by a session with the cluster that it is deployed to.
pub(super) async fn pods(
    session: &Session,
    application: &Object,
    root: impl Fn(&ObjectRef) -> bool,
) -> Result<Vec<Object>> {
    let objects = live_objects(session, application).await?;
    let mut wanted: HashSet<Str> = HashSet::new();
    let declared = declared(application);
    for object in &objects {
        let key = object.object_ref();
        if declared.contains_key(&key) && root(&key) {
            wanted.insert(object.uid().into());
        }
    }
    grow(&mut wanted, &objects);
    let is_pod = |object: &Object| object.kind() == "Pod" && object.api_version() == "v1";
    Ok(objects.into_iter().filter(|object| is_pod(object) && wanted.contains(object.uid())).collect())
}

/// Takes in whatever is owned by what was taken in.
fn grow(wanted: &mut HashSet<Str>, objects: &[Object]) {
    loop {
        let before = wanted.len();
        for object in objects {
            if owners(object).iter().any(|owner| wanted.contains(owner)) {
                wanted.insert(object.uid().into());
            }
        }
        if wanted.len() == before {
            return;
        }
    }
}

/// What the status lists, with its sync status.
fn declared(application: &Object) -> HashMap<ObjectRef, String> {
    let status = application.at(&["status"]).cloned().unwrap_or_default();
    let entry = |resource: &Value| {
        let text = |field: &str| resource.str_at(&[field]).unwrap_or_default();
        let key = ObjectRef::new(text("group"), text("kind"), text("namespace"), text("name"));
        (key, text("status").to_owned())
    };
    status.items_at(&["resources"]).iter().map(entry).collect()
}

/// The declared objects that live, and what may be their descendants.
async fn live_objects(session: &Session, application: &Object) -> Result<Vec<Object>> {
    let discovery = discover(session).await?;
    let declared = declared(application);
    let mut keys: Vec<&ObjectRef> = declared.keys().collect();
    keys.sort();
    let mut objects: Vec<Object> = Vec::new();
    for key in keys {
        let Some(resource) = discovery.preferred(&key.group, &key.kind) else { continue };
        match session.client.get(resource, &key.namespace, &key.name).await {
            Ok(object) => objects.push(object),
            Err(error) if error.is_not_found() => {}
            Err(error) => return Err(session.explained(error, &key.to_string())),
        }
    }
    let namespaces: BTreeSet<Str> =
        objects.iter().map(|object| object.namespace().into()).filter(|it: &Str| !it.is_empty()).collect();
    let mut seen: HashSet<Str> = objects.iter().map(|object| object.uid().into()).collect();
    for namespace in &namespaces {
        for (group, kind) in CHILD_KINDS {
            let Some(resource) = discovery.preferred(group, kind) else { continue };
            match session.client.list(resource, namespace, "").await {
                Ok(listed) => {
                    objects.extend(listed.into_iter().filter(|object| seen.insert(object.uid().into())));
                }
                Err(error) if is_hidden(&error) => {
                    output::note(&format!("{kind} in namespace {namespace} cannot be listed: {error}"));
                }
                Err(error) => return Err(session.explained(error, kind)),
            }
        }
    }
    Ok(objects)
}

fn is_hidden(error: &ApiError) -> bool {
    matches!(error.code(), Some(403 | 404))
}

/// What the server serves.
pub(super) async fn discover(session: &Session) -> Result<Discovery> {
    session.client.discover().await.map_err(|error| session.explained(error, "what the cluster serves"))
}

fn owners(object: &Object) -> Vec<Str> {
    let metadata = object.at(&["metadata"]).cloned().unwrap_or_default();
    let references = metadata.items_at(&["ownerReferences"]);
    let controller_first = |reference: &&Value| reference.bool_at(&["controller"]) != Some(true);
    let mut references: Vec<&Value> = references.iter().collect();
    references.sort_by_key(controller_first);
    references.iter().filter_map(|reference| reference.str_at(&["uid"])).map(Str::from).collect()
}

/// The declared objects with their descendants; what is not live stands there as missing.
fn arrange(objects: &[Object], application: &Object) -> Vec<Row> {
    let declared = declared(application);
    let mut beside: HashMap<Str, Beside> = HashMap::new();
    let mut wanted: HashSet<Str> = HashSet::new();
    let mut missing: HashSet<&ObjectRef> = declared.keys().collect();
    for object in objects {
        let key = object.object_ref();
        let sync = declared.get(&key).cloned().unwrap_or_default();
        if let Some((key, _)) = declared.get_key_value(&key) {
            missing.remove(key);
            wanted.insert(object.uid().into());
        }
        let created = object.str_at(&["metadata", "creationTimestamp"]).to_owned();
        beside.insert(object.uid().into(), Beside { sync, created });
    }
    grow(&mut wanted, objects);
    let mut nodes: Vec<Node> = objects
        .iter()
        .filter(|object| wanted.contains(object.uid()))
        .map(|object| Node {
            key: object.object_ref(),
            uid: object.uid().into(),
            owners: owners(object),
            health: windlass_assess::health(object),
            info: info(object),
        })
        .collect();
    for key in missing {
        let uid = Str::from(format!("missing: {key}"));
        let sync = declared.get(key).cloned().unwrap_or_default();
        beside.insert(uid.clone(), Beside { sync, created: String::new() });
        let health = health_in_status(application, key);
        nodes.push(Node { key: key.clone(), uid, owners: Vec::new(), health, info: Vec::new() });
    }
    let forest = Forest::new(nodes);
    forest
        .walk()
        .map(|(depth, node)| Row {
            depth,
            key: node.key.clone(),
            health: node.health.clone(),
            info: node
                .info
                .iter()
                .filter(|info| !matches!(info.name.as_str(), "Node" | "Status Reason"))
                .map(|info| info.value.to_string())
                .collect::<Vec<_>>()
                .join(" "),
            beside: beside.get(&node.uid).cloned().unwrap_or_default(),
        })
        .collect()
}

/// The health that the status gives an object that cannot be seen.
fn health_in_status(application: &Object, key: &ObjectRef) -> Option<Health> {
    let status = application.at(&["status"]).cloned().unwrap_or_default();
    let said = status.items_at(&["resources"]).iter().find(|resource| {
        let text = |field: &str| resource.str_at(&[field]).unwrap_or_default();
        text("group") == key.group
            && text("kind") == key.kind
            && text("namespace") == key.namespace
            && text("name") == key.name
    })?;
    let word = said.str_at(&["health", "status"])?;
    use windlass_model::HealthStatus::{Degraded, Healthy, Missing, Progressing, Suspended, Unknown};
    let all = [Healthy, Suspended, Progressing, Missing, Degraded, Unknown];
    let status = all.into_iter().find(|status| status.as_str() == word)?;
    Some(Health::new(status, said.str_at(&["health", "message"]).unwrap_or_default()))
}

/// The tree with box lines, the Application at its root.
fn print(application: &Object, rows: &[Row]) -> Table {
    let mut table = Table::new(["OBJECT", "SYNC", "HEALTH", "INFO", "AGE"]);
    table.row([
        format!("Application {}/{}", application.namespace(), application.name()),
        application.str_at(&["status", "sync", "status"]).to_owned(),
        application.str_at(&["status", "health", "status"]).to_owned(),
        String::new(),
        age_of(application.str_at(&["metadata", "creationTimestamp"])),
    ]);
    for (row, lines) in rows.iter().zip(box_lines(&rows.iter().map(|row| row.depth).collect::<Vec<_>>())) {
        let health = row.health.as_ref().map(|health| health.status.as_str()).unwrap_or_default();
        table.row([
            format!("{lines}{}", row.key),
            row.beside.sync.clone(),
            health.to_owned(),
            row.info.clone(),
            age_of(&row.beside.created),
        ]);
    }
    table
}

/// The lines before each row of a tree whose rows have these depths, below one root.
fn box_lines(depths: &[usize]) -> Vec<String> {
    let is_last = |idx: usize, depth: usize| {
        let next = depths[idx + 1..].iter().find(|other| **other <= depth);
        next.is_none_or(|other| *other < depth)
    };
    let mut open: Vec<bool> = Vec::new();
    let mut lines = Vec::with_capacity(depths.len());
    for (idx, &depth) in depths.iter().enumerate() {
        open.truncate(depth);
        let mut line: String = open.iter().map(|goes_on| if *goes_on { "│  " } else { "   " }).collect();
        let last = is_last(idx, depth);
        line.push_str(if last { "└─ " } else { "├─ " });
        open.push(!last);
        lines.push(line);
    }
    lines
}

/// The tree as nested lists.
fn nested(rows: &[Row]) -> Value {
    // Children are complete when the next row is no deeper; from the last row back, all are.
    let mut pending: HashMap<usize, Vec<Value>> = HashMap::new();
    for row in rows.iter().rev() {
        let mut value: Map = [
            ("group", row.key.group.clone()),
            ("kind", row.key.kind.clone()),
            ("namespace", row.key.namespace.clone()),
            ("name", row.key.name.clone()),
        ]
        .into_iter()
        .collect();
        for (field, text) in
            [("sync", &row.beside.sync), ("createdAt", &row.beside.created), ("info", &row.info)]
        {
            if !text.is_empty() {
                value.insert(field, text.as_str());
            }
        }
        if let Some(health) = &row.health {
            value.entry("health").set_at(&["status"], health.status.as_str());
            if !health.message.is_empty() {
                value.entry("health").set_at(&["message"], health.message.clone());
            }
        }
        let mut children = pending.remove(&(row.depth + 1)).unwrap_or_default();
        children.reverse();
        if !children.is_empty() {
            value.insert("children", children);
        }
        pending.entry(row.depth).or_default().push(value.into());
    }
    let roots: Vec<Value> = pending.remove(&0).unwrap_or_default().into_iter().rev().collect();
    roots.into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::output::Paint;

    fn object(text: &str) -> Object {
        Object::try_new(windlass_yaml::load(text).unwrap()).unwrap()
    }

    fn application() -> Object {
        object(
            "
apiVersion: argoproj.io/v1alpha1
kind: Application
metadata: {name: guestbook, namespace: argocd}
status:
  sync: {status: OutOfSync}
  health: {status: Missing}
  resources:
  - {group: apps, kind: Deployment, namespace: shop, name: web, status: Synced}
  - {kind: Service, namespace: shop, name: web, status: OutOfSync, health: {status: Missing}}
  - {kind: ConfigMap, namespace: shop, name: a, status: Synced}
",
        )
    }

    fn live() -> Vec<Object> {
        [
            "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a, namespace: shop, uid: u1}\n",
            "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: web, namespace: shop, uid: u2}\n",
            "apiVersion: apps/v1\nkind: ReplicaSet\nmetadata: {name: web-1, namespace: shop, uid: u3, ownerReferences: [{uid: u2, controller: true}]}\n",
            "apiVersion: v1\nkind: Pod\nmetadata: {name: web-1-a, namespace: shop, uid: u4, ownerReferences: [{uid: u3, controller: true}]}\nstatus: {phase: Running}\n",
            "apiVersion: v1\nkind: Pod\nmetadata: {name: stray, namespace: shop, uid: u5}\n",
        ]
        .map(object)
        .to_vec()
    }

    #[test]
    fn the_tree_goes_down_to_pods_and_leaves_strangers_out() {
        let rows = arrange(&live(), &application());
        let text = print(&application(), &rows).print(Paint(false));
        let first_column: Vec<String> = text
            .lines()
            .map(|line| line.chars().take(44).collect::<String>().trim_end().to_owned())
            .collect();
        assert_eq!(
            first_column,
            [
                "OBJECT                             SYNC",
                "Application argocd/guestbook       OutOfSync",
                "├─ ConfigMap shop/a                Synced",
                "├─ Service shop/web                OutOfSync",
                "└─ Deployment.apps shop/web        Synced",
                "   └─ ReplicaSet.apps shop/web-1",
                "      └─ Pod shop/web-1-a",
            ]
        );
        assert!(text.contains("Service shop/web                OutOfSync   Missing"), "{text}");
        assert!(!text.contains("stray"));
    }

    #[test]
    fn box_lines_close_where_a_branch_ends() {
        let lines = box_lines(&[0, 1, 2, 1, 0, 1]);
        assert_eq!(lines, ["├─ ", "│  ├─ ", "│  │  └─ ", "│  └─ ", "└─ ", "   └─ "]);
        assert_eq!(box_lines(&[]), Vec::<String>::new());
    }

    #[test]
    fn nested_lists_hold_the_same_tree() {
        let value = nested(&arrange(&live(), &application()));
        let roots = value.items_at(&[]);
        assert_eq!(roots.len(), 3);
        let deployment = roots.iter().find(|root| root.str_at(&["kind"]) == Some("Deployment")).unwrap();
        let set = &deployment.items_at(&["children"])[0];
        assert_eq!(set.str_at(&["name"]), Some("web-1"));
        assert_eq!(set.items_at(&["children"])[0].str_at(&["name"]), Some("web-1-a"));
    }
}
