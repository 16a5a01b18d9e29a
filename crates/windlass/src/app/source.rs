//! What the engine reads beside an Application, read from here: its project, settings, and access to repositories.

use std::sync::Arc;

use anyhow::{Context, Result, bail};
use clap::Args;
use windlass_argo::{Settings, project_name, with_inherited};
use windlass_cluster::{LocalLogins, SECRET_TYPE};
use windlass_engine::{Credentials, SourceStores, Tools};
use windlass_kube::{Object, Value};
use windlass_model::Tree;
use windlass_plugin::Registry;
use windlass_render::{ClusterFacts, PluginInput, PluginSource, Plugins, RecordingTree};
use windlass_sandbox::ChildJsonnet;
use windlass_source::Policy;

use crate::cli::{JsonnetOptions, LoginOptions, PluginOptions};
use crate::output;
use crate::session::{Kind, Session};
use crate::up::Scratch;

/// Which repositories may be read from here, and what may be done with them.
#[derive(Debug, Clone, Args)]
pub(crate) struct SourceOptions {
    /// Allow repositories on this machine: file:// addresses, plain paths and loopback hosts.
    #[arg(long, env = "WINDLASS_ALLOW_LOCAL_REPOSITORIES")]
    allow_local_repositories: bool,
    #[command(flatten)]
    jsonnet: JsonnetOptions,
    #[command(flatten)]
    plugins: PluginOptions,
    #[command(flatten)]
    logins: LoginOptions,
}

/// What does the work that rendering leaves to others.
pub(crate) struct Programs {
    jsonnet: ChildJsonnet,
    plugins: Option<Registry>,
}

impl Programs {
    pub(crate) fn tools(&self) -> Tools<'_> {
        let plugins = self.plugins.as_ref().map(|plugins| plugins as &dyn Plugins);
        Tools { jsonnet: Some(&self.jsonnet), plugins }
    }

    /// The parameters that a plugin announces for a folder.
    pub(crate) fn announced(&self, plugin: &str, tree: &dyn Tree, path: &str) -> Result<Vec<Value>> {
        let Some(plugins) = &self.plugins else {
            bail!("there are no plugins; name the folder in which they are declared with --plugins")
        };
        let recording = RecordingTree::new(tree);
        let source = PluginSource { tree: &recording, path };
        let cluster = ClusterFacts::default();
        let input = PluginInput { options: None, environment: &[], cluster: &cluster };
        plugins.announcements(plugin, &source, &input)?.with_context(|| {
            let names: Vec<&str> = plugins.names().map(|name| name.as_str()).collect();
            format!("there is no plugin {plugin}; there are: {}", names.join(", "))
        })
    }
}

/// A store of repositories in a folder that goes with it.
pub(crate) struct TemporaryStore {
    pub(crate) stores: Arc<SourceStores>,
    _folder: Scratch,
}

impl SourceOptions {
    pub(crate) fn store(&self) -> Result<TemporaryStore> {
        let folder = Scratch::new()?;
        let mut policy = if self.allow_local_repositories { Policy::trusting() } else { Policy::default() };
        policy.local_logins = self.logins() == LocalLogins::Allowed;
        let stores = SourceStores::open(&folder.path, policy)
            .context("the temporary store for repositories could not be made")?;
        Ok(TemporaryStore { stores: Arc::new(stores), _folder: folder })
    }

    /// How other clusters may be logged in to.
    pub(crate) fn logins(&self) -> LocalLogins {
        self.logins.allowed()
    }

    /// What evaluates Jsonnet, and the plugins.
    pub(crate) fn programs(&self) -> Result<Programs> {
        let plugins = self.plugins.registry(|finding| output::note(&format!("warning: {finding}")))?;
        Ok(Programs { jsonnet: self.jsonnet.engine(), plugins })
    }
}

/// The settings of the control plane.
pub(super) async fn settings(session: &Session) -> Result<Settings> {
    let maps = Kind::config_map();
    let config = session.find_of(&maps, "argocd-cm").await?;
    let parameters = session.find_of(&maps, "argocd-cmd-params-cm").await?;
    Ok(Settings::read(&session.namespace, config.as_ref(), parameters.as_ref()))
}

/// The project of an Application, if there is such an object.
pub(super) async fn project(
    session: &Session,
    application: &Object,
    settings: &Settings,
) -> Result<Option<Object>> {
    let kind = Kind::project();
    let Some(project) = session.find_of(&kind, project_name(application)).await? else { return Ok(None) };
    let mut inherited = Vec::new();
    for entry in settings.global_projects.iter().filter(|entry| entry.is_for(&project)) {
        inherited.extend(session.find_of(&kind, &entry.project).await?);
    }
    let named = |name: &str| inherited.iter().find(|project| project.name() == name);
    Ok(Some(with_inherited(&project, &settings.global_projects, named).into_owned()))
}

/// The Secrets that give access to repositories and clusters.
pub(super) async fn secrets(session: &Session) -> Result<Vec<Object>> {
    session.list_of(&Kind::secret(), &session.namespace, SECRET_TYPE).await
}

/// What repositories are reached with, as the engine would have it.
pub(super) async fn credentials(session: &Session) -> Result<Arc<Credentials>> {
    let secrets = secrets(session).await?;
    let maps = Kind::config_map();
    let mut settings = Vec::new();
    for name in Credentials::SETTINGS {
        settings.extend(session.find_of(&maps, name).await?);
    }
    Ok(Arc::new(Credentials::read(&secrets, &settings)))
}

/// The Application as if it named another revision; with several sources, the first of them does.
pub(super) fn at_revision(application: &Object, revision: Option<&str>) -> Object {
    let mut application = application.clone();
    let Some(revision) = revision else { return application };
    let spec = application.at(&["spec"]).cloned().unwrap_or_default();
    let mut several: Vec<Value> = spec.items_at(&["sources"]).to_vec();
    match several.first_mut() {
        Some(first) => {
            first.set_at(&["targetRevision"], revision);
            application.set_at(&["spec", "sources"], several);
        }
        None => application.set_at(&["spec", "source", "targetRevision"], revision),
    }
    application
}
