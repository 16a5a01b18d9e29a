//! What a sync would change, without changing anything: the same render, prepare and dry run as a sync.

use std::collections::HashSet;
use std::sync::Arc;

use crate::clusters::{ClusterState, cluster_secret, named};
use crate::credentials::Credentials;
use crate::fetching::{FetchError, FetchedSource, SourceStores, fetch_sources};
use crate::reach::Reach;
use crate::rendering::{Tools, render_sources};
use crate::target::ClusterTarget;
use crate::unit_state::told;
use windlass_apply::predict;
use windlass_argo::{Cluster, Project, Settings, lower};
use windlass_cluster::{ApiError, ClusterClient, ClusterSecret, LocalLogins};
use windlass_diff::{Difference, Rules, comparable, differences, normalise, taken_over, without_added};
use windlass_kube::{Object, ObjectRef, Value};
use windlass_model::{ClusterRef, Diagnostic, Manifest, Renderer, Strict, Tree, tracking};
use windlass_plan::{Marks, apply_mode, prepare};
use windlass_render::Context;

/// What a sync of one Application would change.
#[derive(Debug, Clone)]
pub struct Preview {
    /// The objects it has, declared or live, sorted.
    pub objects: Vec<ObjectPreview>,
    /// What could not be told, and why.
    pub diagnostics: Vec<Diagnostic>,
    /// The revisions it was rendered from.
    pub revisions: Vec<String>,
}

/// What a sync would do to one object.
#[derive(Debug, Clone)]
pub struct ObjectPreview {
    /// Which object.
    pub key: ObjectRef,
    /// What would happen to it.
    pub change: PreviewChange,
    /// As it is now, without what changes at every write; values of Secrets are hidden. `None` when absent.
    pub live: Option<Value>,
    /// As it would be, in the same form. `None` when it would be deleted.
    pub predicted: Option<Value>,
    /// What differs, field by field, without what does not count.
    pub differences: Vec<Difference>,
}

/// What would happen to an object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PreviewChange {
    /// Nothing.
    None,
    /// It would be created.
    Create,
    /// It would be changed.
    Update,
    /// It is no longer declared, and would be deleted if pruning is on.
    Prune,
    /// The cluster would refuse it, with this sentence.
    Refused(String),
}

/// Why there is no preview.
#[derive(Debug, thiserror::Error)]
pub enum PreviewError {
    /// A call failed.
    #[error("the cluster could not be asked")]
    Api(#[from] ApiError),
    /// A source cannot be had.
    #[error(transparent)]
    Fetch(#[from] FetchError),
    /// The source cannot be rendered.
    #[error("the source could not be rendered")]
    Render(#[from] windlass_render::RenderError),
    /// No Secret says how the destination is reached.
    #[error("the destination is a cluster that no Secret of the control plane registers")]
    UnknownCluster,
    /// The destination cannot be reached as its Secret says.
    #[error("the destination cluster cannot be reached: {0}")]
    Cluster(String),
    /// The Application cannot be acted on.
    #[error("the Application cannot be acted on: {0}")]
    Invalid(String),
}

/// Everything that a preview depends on.
#[derive(Clone, Copy)]
pub struct PreviewInput<'a> {
    /// The cluster that holds the Application.
    pub client: &'a ClusterClient,
    /// Where repositories are kept.
    pub stores: &'a Arc<SourceStores>,
    /// The Application.
    pub application: &'a Object,
    /// Its project, if there is such an object.
    pub project: Option<&'a Object>,
    /// What repositories are reached with.
    pub credentials: &'a Arc<Credentials>,
    /// Secrets of the control plane: those of clusters say how the destination is reached.
    pub secrets: &'a [Object],
    /// The settings of the control plane.
    pub settings: &'a Settings,
    /// What does the work that rendering leaves to others.
    pub tools: Tools<'a>,
    /// Whether a cluster Secret may have a program run, or a file read, to log in.
    pub logins: LocalLogins,
    /// What is declared, where it is not what the sources declare.
    pub local: Option<&'a [Manifest]>,
}

/// Finds out what a sync of an Application would change.
///
/// # Errors
///
/// [`PreviewError`] when nothing can be said at all.
pub async fn preview(input: &PreviewInput<'_>) -> Result<Preview, PreviewError> {
    let PreviewInput {
        client,
        stores,
        application,
        project,
        credentials,
        secrets,
        settings,
        tools,
        local,
        logins,
    } = *input;
    let project = Project::of(application, project);
    let clusters: Vec<ClusterSecret> = secrets.iter().filter_map(cluster_secret).collect();
    let known: Vec<Cluster> = clusters.iter().map(named).collect();
    let lowered = lower(application, project.as_ref().map_err(Clone::clone), settings, &known);
    let unit = &lowered.unit;
    if let Some(fatal) = unit.diagnostics.iter().find(|diagnostic| diagnostic.kind.is_error()) {
        return Err(PreviewError::Invalid(fatal.to_string()));
    }
    let secret = match &unit.target.cluster {
        ClusterRef::Local => None,
        ClusterRef::Server(server) => Some(clusters.iter().find(|secret| secret.server == *server)),
        ClusterRef::Name(name) => Some(clusters.iter().find(|secret| secret.name == *name)),
    };
    let other;
    let client = match secret {
        None => client,
        Some(None) => return Err(PreviewError::UnknownCluster),
        Some(Some(secret)) => {
            other = secret.connect(logins).map_err(PreviewError::Cluster)?;
            &other
        }
    };
    let (rules, problems) = Rules::compile(&unit.comparing);
    let target = ClusterTarget::new(client.clone(), client.discover().await?);
    let mut diagnostics = unit.diagnostics.clone();
    diagnostics.extend(problems.iter().map(told));
    let (manifests, revisions) = match local {
        Some(local) => (local.to_vec(), Vec::new()),
        None => {
            let fetched = fetch_sources(stores, credentials, &lowered).await?;
            let trees: Vec<_> = fetched.iter().map(FetchedSource::tree).collect();
            let render = |idx: usize, tree: &dyn Tree, renderer: &Renderer, context: &mut Context<'_>| {
                windlass_render::render(tree, &unit.sources[idx].path, renderer, context)
            };
            let reach = Reach::new(stores, credentials, &lowered);
            let rendered = tokio::task::block_in_place(|| {
                render_sources(&lowered, &trees, &target.discovery, tools, &reach, render)
            })?;
            let mut manifests: Vec<Manifest> = Vec::new();
            for rendered in rendered.into_iter().flatten() {
                manifests.extend(rendered.manifests);
                diagnostics.extend(rendered.diagnostics);
            }
            (manifests, fetched.iter().map(|source| source.revision().to_string()).collect())
        }
    };
    let scope = |gvk: &windlass_kube::Gvk| ClusterState::scope(&target.discovery, gvk);
    let prepared = prepare(unit, &lowered.permissions, &manifests, scope, &Marks::ARGO);
    diagnostics.extend(prepared.diagnostics);
    let writing =
        target.written_by(&unit.target.identity, Some(Arc::new(rules.clone())), unit.policy.respect_ignored);
    let mut objects = Vec::new();
    for desired in &prepared.desired {
        let live = match target.discovery.preferred(&desired.key.group, &desired.key.kind) {
            Some(resource) => found(client.get(resource, &desired.key.namespace, &desired.key.name).await)?,
            None => None,
        };
        let mode = apply_mode(&desired.object, unit);
        let predicted =
            predict(&writing, &desired.gvk, &desired.object, &unit.ownership.field_manager, mode).await;
        let manager = &unit.ownership.field_manager;
        let predicted = match (predicted, &live) {
            (Ok(predicted), Some(live)) if !mode.replace => {
                Ok(taken_over(&predicted, live, &unit.ownership.former_managers))
            }
            (predicted, _) => predicted,
        };
        let predicted = predicted.map(|predicted| match mode.strict {
            Strict::Revert => without_added(predicted, manager, &rules),
            Strict::Off | Strict::Report => predicted,
        });
        let normalised = match (&predicted, &live) {
            (Ok(predicted), Some(live)) => Some(normalise(predicted, live, &rules)),
            _ => None,
        };
        let different = match (&normalised, &live) {
            (Some(both), Some(live)) => differences(&both.desired, &both.live, live, manager),
            _ => Vec::new(),
        };
        // What does not count is not shown as a difference; it is on neither side.
        let live = match &normalised {
            Some(both) => Some(comparable(&both.live)),
            None => live.as_ref().map(|live| comparable(&normalise(live, live, &rules).live)),
        };
        let (change, predicted) = match predicted {
            Err(error)
                if error.kind == windlass_apply::CallErrorKind::NamespaceMissing
                    && unit.policy.namespace.create =>
            {
                (PreviewChange::Create, Some(comparable(&desired.object)))
            }
            Err(error) => (PreviewChange::Refused(error.to_string()), Some(comparable(&desired.object))),
            Ok(predicted) => {
                let predicted = comparable(normalised.as_ref().map_or(&predicted, |both| &both.desired));
                let change = match &live {
                    None => PreviewChange::Create,
                    Some(live) if *live == predicted => PreviewChange::None,
                    Some(_) => PreviewChange::Update,
                };
                (change, Some(predicted))
            }
        };
        objects.push(ObjectPreview {
            key: desired.key.clone(),
            change,
            live,
            predicted,
            differences: different,
        });
    }
    for live in undeclared(client, &target, application, unit, &prepared.desired).await? {
        objects.push(ObjectPreview {
            key: live.object_ref(),
            change: PreviewChange::Prune,
            live: Some(comparable(&normalise(&live, &live, &rules).live)),
            predicted: None,
            differences: Vec::new(),
        });
    }
    objects.sort_by(|a, b| a.key.cmp(&b.key));
    Ok(Preview { objects, diagnostics, revisions })
}

/// Live objects that carry the Unit's mark and are not declared. Only kinds that the status or the source names
/// are looked at.
async fn undeclared(
    client: &ClusterClient,
    target: &ClusterTarget,
    application: &Object,
    unit: &windlass_model::Unit,
    desired: &[windlass_model::Desired],
) -> Result<Vec<Object>, ApiError> {
    let previous = windlass_argo::previous(application);
    let declared: HashSet<&ObjectRef> = desired.iter().map(|desired| &desired.key).collect();
    let mut found = Vec::new();
    for key in previous.objects.iter().filter(|key| !declared.contains(key)) {
        let Some(resource) = target.discovery.preferred(&key.group, &key.kind) else { continue };
        let Some(live) = self::found(client.get(resource, &key.namespace, &key.name).await)? else {
            continue;
        };
        let instance =
            tracking::instance_of(&live, &unit.ownership.tracking, unit.ownership.installation.as_ref());
        if instance.as_ref() == Some(&unit.ownership.instance) {
            found.push(live);
        }
    }
    Ok(found)
}

fn found(answer: Result<Object, ApiError>) -> Result<Option<Object>, ApiError> {
    match answer {
        Ok(object) => Ok(Some(object)),
        Err(error) if error.is_not_found() => Ok(None),
        Err(error) => Err(error),
    }
}
