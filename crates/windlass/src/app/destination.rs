//! The cluster that an Application is deployed to, where that is not the one that holds it.

use anyhow::{Context as _, Result, anyhow};
use windlass_argo::{Cluster, Lowered, Project, Settings, lower};
use windlass_cluster::{ClusterSecret, LocalLogins};
use windlass_kube::Object;
use windlass_model::ClusterRef;

use super::source;
use crate::session::{Session, is_here};

/// A session with the cluster that an Application is deployed to: with the rights that its Secret gives, where that is
/// another one.
///
/// # Errors
///
/// When that cluster is not registered, or the caller may not read how it is reached.
pub(super) async fn destination(
    session: &Session,
    application: &Object,
    logins: LocalLogins,
) -> Result<Session> {
    if is_here(application) {
        return Ok(Session::new(session.client.clone(), &session.namespace, session.paint));
    }
    let settings = source::settings(session).await?;
    let project = source::project(session, application, &settings).await?;
    let clusters = clusters(session).await?;
    let lowered = lowered(application, project.as_ref(), &settings, &clusters);
    connect(session, &lowered, &clusters, logins)
}

/// The clusters that are registered, as far as their Secrets can be read.
pub(super) async fn clusters(session: &Session) -> Result<Vec<ClusterSecret>> {
    let secrets = source::secrets(session).await?;
    Ok(secrets.iter().filter_map(ClusterSecret::of).filter_map(Result::ok).collect())
}

/// What an Application means, where these clusters are known.
pub(super) fn lowered(
    application: &Object,
    project: Option<&Object>,
    settings: &Settings,
    clusters: &[ClusterSecret],
) -> Lowered {
    let known: Vec<Cluster> = clusters
        .iter()
        .map(|secret| Cluster {
            server: secret.server.clone(),
            name: secret.name.clone(),
            project: secret.project.clone(),
        })
        .collect();
    let project = Project::of(application, project);
    lower(application, project.as_ref().map_err(Clone::clone), settings, &known)
}

/// A session with the cluster that a Unit goes to.
pub(super) fn connect(
    session: &Session,
    lowered: &Lowered,
    clusters: &[ClusterSecret],
    logins: LocalLogins,
) -> Result<Session> {
    let found = match &lowered.unit.target.cluster {
        ClusterRef::Local => {
            return Ok(Session::new(session.client.clone(), &session.namespace, session.paint));
        }
        ClusterRef::Server(server) => clusters.iter().find(|secret| secret.server == *server),
        ClusterRef::Name(name) => clusters.iter().find(|secret| secret.name == *name),
    };
    let secret = found.context("its destination cluster is not registered; see `windlass cluster list`")?;
    let client = secret
        .connect(logins)
        .map_err(|problem| anyhow!("{problem}"))
        .with_context(|| format!("the cluster {} cannot be used", secret.server))?;
    Ok(Session::new(client, &session.namespace, session.paint))
}
