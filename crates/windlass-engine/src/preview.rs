//! What a sync would change, without changing anything: the same render, prepare and dry run as a sync.

use std::sync::Arc;

use crate::clusters::ClusterState;
use crate::credentials::Credentials;
use crate::fetching::{FetchError, FetchedSource, SourceStores, fetch_sources};
use crate::reach::Reach;
use crate::rendering::render_sources;
use crate::respecting::RespectingTarget;
use crate::target::ClusterTarget;
use crate::unit_state::told;
use windlass_apply::predict;
use windlass_argo::{Project, Settings, lower, project_name};
use windlass_cluster::{ApiError, ClusterClient};
use windlass_diff::{Difference, Rules, comparable, differences, normalise};
use windlass_kube::{Object, ObjectRef, Value};
use windlass_model::{ClusterRef, Diagnostic, Manifest, Renderer, Tree, tracking};
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
    /// Only the cluster that holds the Application can be looked at from here.
    #[error("the destination is another cluster; a preview of those is not possible yet")]
    OtherCluster,
    /// The Application cannot be acted on.
    #[error("the Application cannot be acted on: {0}")]
    Invalid(String),
}

/// Finds out what a sync of `application` would change, with what `credentials` give it, and Jsonnet if it is given.
///
/// # Errors
///
/// [`PreviewError`] when nothing can be said at all.
pub async fn preview(
    client: &ClusterClient,
    stores: &Arc<SourceStores>,
    application: &Object,
    project: Option<&Object>,
    credentials: &Arc<Credentials>,
    settings: &Settings,
    jsonnet: Option<&dyn windlass_render::jsonnet::Engine>,
) -> Result<Preview, PreviewError> {
    let project = match project {
        Some(object) => Ok(Project::parse(object)),
        None if project_name(application) == "default" => Ok(Project::built_in()),
        None => Err(windlass_argo::ProjectProblem::NotFound(project_name(application).into())),
    };
    let lowered = lower(application, project.as_ref().map_err(Clone::clone), settings, &[]);
    let unit = &lowered.unit;
    if let Some(fatal) = unit.diagnostics.iter().find(|diagnostic| diagnostic.kind.is_error()) {
        return Err(PreviewError::Invalid(fatal.to_string()));
    }
    if unit.target.cluster != ClusterRef::Local {
        return Err(PreviewError::OtherCluster);
    }
    let (rules, problems) = Rules::compile(&unit.comparing);
    let target = ClusterTarget { client: client.clone(), discovery: client.discover().await? };
    let fetched = fetch_sources(stores, credentials, &lowered).await?;
    let trees: Vec<_> = fetched.iter().map(FetchedSource::tree).collect();
    let render = |idx: usize, tree: &dyn Tree, renderer: &Renderer, context: &mut Context<'_>| {
        windlass_render::render(tree, &unit.sources[idx].path, renderer, context)
    };
    let reach = Reach::new(stores, credentials, &lowered);
    let rendered = tokio::task::block_in_place(|| {
        render_sources(&lowered, &trees, &target.discovery, jsonnet, &reach, render)
    })?;
    let mut manifests: Vec<Manifest> = Vec::new();
    let mut diagnostics = unit.diagnostics.clone();
    diagnostics.extend(problems.iter().map(told));
    for rendered in rendered.into_iter().flatten() {
        manifests.extend(rendered.manifests);
        diagnostics.extend(rendered.diagnostics);
    }
    let revisions = fetched.iter().map(|source| source.revision().to_string()).collect();
    let scope = |gvk: &windlass_kube::Gvk| ClusterState::scope(&target.discovery, gvk);
    let prepared = prepare(unit, &lowered.permissions, &manifests, scope, &Marks::ARGO);
    diagnostics.extend(prepared.diagnostics);
    let rules_for_writing = unit.policy.respect_ignored.then(|| Arc::new(rules.clone()));
    let writing =
        RespectingTarget { target: target.as_identity(&unit.target.identity), rules: rules_for_writing };
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
            None => live.as_ref().map(comparable),
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
            live: Some(comparable(&live)),
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
    let mut found = Vec::new();
    for key in previous.objects.iter().filter(|key| !desired.iter().any(|desired| desired.key == **key)) {
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
