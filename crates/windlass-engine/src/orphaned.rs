//! The orphans around one Application, found out by listing its namespace once.

use std::collections::{HashMap, HashSet};

use windlass_argo::{Cluster, Project, Settings, lower};
use windlass_assess::{Resident, orphans};
use windlass_cluster::{ClusterClient, ClusterSecret, LocalLogins, Resource};
use windlass_kube::{Object, ObjectRef, Str};
use windlass_model::{ClusterRef, tracking};

use crate::arrival::owner_uids;
use crate::clusters::{cluster_secret, named};
use crate::core::deletion::application_resource;
use crate::preview::PreviewError;

/// Everything that is needed to find orphans.
#[derive(Clone, Copy)]
pub struct OrphanedInput<'a> {
    /// The cluster that holds the Application.
    pub client: &'a ClusterClient,
    /// The Application.
    pub application: &'a Object,
    /// Its project, if there is such an object.
    pub project: Option<&'a Object>,
    /// Secrets of the control plane: those of clusters say how the destination is reached.
    pub secrets: &'a [Object],
    /// The settings of the control plane.
    pub settings: &'a Settings,
    /// Whether a cluster Secret may have a program run, or a file read, to log in.
    pub logins: LocalLogins,
}

/// Lists the orphans in the target namespace of an Application, sorted, each as it lives; `None` where its project does not ask for them.
/// Kinds that may not be listed are in the second part, with the reason.
///
/// # Errors
///
/// [`PreviewError`] when nothing can be said at all.
pub async fn orphaned(input: &OrphanedInput<'_>) -> Result<Option<(Vec<Object>, Vec<String>)>, PreviewError> {
    let OrphanedInput { client: home, application, project, secrets, settings, logins } = *input;
    let project = Project::of(application, project);
    let clusters: Vec<ClusterSecret> = secrets.iter().filter_map(cluster_secret).collect();
    let known: Vec<Cluster> = clusters.iter().map(named).collect();
    let lowered = lower(application, project.as_ref().map_err(Clone::clone), settings, &known);
    let (unit, namespace) = (&lowered.unit, &lowered.unit.target.namespace);
    let Some(rules) = lowered.orphans.as_deref().filter(|_| !namespace.is_empty()) else { return Ok(None) };
    let secret = match &unit.target.cluster {
        ClusterRef::Local => None,
        ClusterRef::Server(server) => Some(clusters.iter().find(|secret| secret.server == *server)),
        ClusterRef::Name(name) => Some(clusters.iter().find(|secret| secret.name == *name)),
    };
    let (other, server);
    let client = match secret {
        None => {
            server = Str::new_static(windlass_argo::IN_CLUSTER_SERVER);
            home
        }
        Some(None) => return Err(PreviewError::UnknownCluster),
        Some(Some(secret)) => {
            server = secret.server.clone();
            other = secret.connect(logins).map_err(PreviewError::Cluster)?;
            &other
        }
    };
    let discovery = client.discover().await?;
    let mut kinds: Vec<Resource> = discovery
        .all()
        .filter(|resource| resource.namespaced && resource.watchable)
        .filter(|resource| settings.kinds.looks_at(&resource.gvk.group, &resource.gvk.kind, &server))
        .filter_map(|resource| discovery.preferred(&resource.gvk.group, &resource.gvk.kind).cloned())
        .collect();
    kinds.sort_by(|a, b| a.gvk.cmp(&b.gvk));
    kinds.dedup();
    let mut objects: Vec<Object> = Vec::new();
    let mut hidden = Vec::new();
    for kind in &kinds {
        match client.list(kind, namespace, "").await {
            Ok(listed) => objects.extend(listed),
            // Gone since it was discovered: it has no objects any more.
            Err(error) if error.is_not_found() => {}
            Err(error) => hidden.push(format!("{} cannot be listed: {error}", kind.gvk.group_kind())),
        }
    }
    let (method, installation) = (settings.tracking(), settings.installation());
    let keys: Vec<Listed> = objects
        .iter()
        .map(|object| Listed {
            key: object.object_ref(),
            uid: object.uid().into(),
            owners: owner_uids(object),
            instance: tracking::instance_of(object, &method, Some(&installation)),
        })
        .collect();
    let mut exists: HashMap<&Str, bool> = HashMap::new();
    for instance in keys.iter().filter_map(|listed| listed.instance.as_ref()) {
        if exists.contains_key(instance) {
            continue;
        }
        let (namespace, name) =
            instance.split_once('_').unwrap_or((settings.control_plane_namespace.as_str(), instance));
        let found = home.get(&application_resource(), namespace, name).await;
        exists.insert(instance, !found.is_err_and(|error| error.is_not_found()));
    }
    let declared: HashSet<ObjectRef> = application
        .at(&["status"])
        .map(|status| status.items_at(&["resources"]).iter().map(listed_key).collect())
        .unwrap_or_default();
    let residents = keys.iter().map(|Listed { key, uid, owners, instance }| Resident {
        key,
        uid,
        owners,
        has_unit: instance.as_ref().is_some_and(|instance| exists.get(instance) == Some(&true)),
    });
    let place = (server.as_str(), unit.target.name.as_str());
    let found: Vec<ObjectRef> =
        orphans(residents, |key| declared.contains(key), rules, &lowered.permissions, place)
            .into_iter()
            .cloned()
            .collect();
    let mut by_key: HashMap<ObjectRef, Object> =
        objects.into_iter().map(|object| (object.object_ref(), object)).collect();
    Ok(Some((found.iter().filter_map(|key| by_key.remove(key)).collect(), hidden)))
}

/// What counts of an object of the namespace.
struct Listed {
    key: ObjectRef,
    uid: Str,
    owners: Box<[Str]>,
    instance: Option<Str>,
}

/// The key of an entry of `status.resources`.
fn listed_key(entry: &windlass_kube::Value) -> ObjectRef {
    let text = |field: &str| entry.str_at(&[field]).unwrap_or_default();
    ObjectRef::new(text("group"), text("kind"), text("namespace"), text("name"))
}
