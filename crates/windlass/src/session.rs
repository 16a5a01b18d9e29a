//! The connection that the verbs share, and how they name, read and write the control plane's objects.

use std::path::PathBuf;

use anyhow::{Context, Result};
use clap::Args;
use windlass_argo::Settings;
use windlass_cluster::{ApiError, ClusterClient, Resource};
use windlass_kube::{Object, Str, Value};
use windlass_model::Time;

use crate::output::{self, Advised, Paint};

/// The field manager of what people do from here.
pub(crate) const MANAGER: &str = "windlass-cli";

/// Which server is spoken to.
#[derive(Debug, Clone, Args)]
pub(crate) struct Connection {
    /// The kubeconfig to use. Default: as kubectl finds it, and then that of `windlass up`.
    #[arg(long, global = true, value_name = "FILE")]
    pub(crate) kubeconfig: Option<PathBuf>,
    /// The context in it; the current one by default.
    #[arg(long, global = true, value_name = "NAME")]
    pub(crate) context: Option<String>,
    /// The namespace of the Applications.
    #[arg(
        short,
        long,
        global = true,
        env = "WINDLASS_NAMESPACE",
        default_value = "argocd",
        value_name = "NAME"
    )]
    pub(crate) namespace: String,
}

impl Connection {
    /// Connects; nothing is sent yet.
    pub(crate) async fn client(&self) -> Result<ClusterClient> {
        if let Some(path) = &self.kubeconfig {
            return ClusterClient::from_kubeconfig(path, self.context.as_deref())
                .await
                .with_context(|| format!("the kubeconfig {} cannot be used", path.display()));
        }
        if !has_usual_kubeconfig() {
            let own = crate::serving::default_data_dir().join("kubeconfig");
            if own.exists() {
                output::note(&format!("Using {}, written by `windlass up`.", own.display()));
                return ClusterClient::from_kubeconfig(&own, self.context.as_deref())
                    .await
                    .with_context(|| format!("the kubeconfig {} cannot be used", own.display()));
            }
        }
        let found = match &self.context {
            None => ClusterClient::infer().await.map_err(anyhow::Error::new),
            Some(context) => {
                let options =
                    kube::config::KubeConfigOptions { context: Some(context.clone()), ..Default::default() };
                match kube::Config::from_kubeconfig(&options).await {
                    Ok(config) => ClusterClient::from_config(config).map_err(anyhow::Error::new),
                    Err(error) => Err(error.into()),
                }
            }
        };
        found.map_err(|error| {
            error.context(Advised {
                problem: "no cluster to talk to".into(),
                advice: "name one with --kubeconfig or KUBECONFIG, or start one with `windlass up`".into(),
            })
        })
    }
}

/// Whether there is a kubeconfig where `kubectl` looks, or this is a pod.
fn has_usual_kubeconfig() -> bool {
    let named = std::env::var_os("KUBECONFIG").is_some_and(|paths| !paths.is_empty());
    let at_home =
        std::env::var_os("HOME").is_some_and(|home| PathBuf::from(home).join(".kube/config").exists());
    named || at_home || std::env::var_os("KUBERNETES_SERVICE_HOST").is_some()
}

/// A kind of object that verbs work with.
pub(crate) struct Kind {
    /// How the API serves it.
    pub(crate) resource: Resource,
    /// The command that shows those there are.
    lists: &'static str,
}

impl Kind {
    fn of_dialect(kind: &str, plural: &str, lists: &'static str) -> Self {
        let resource = Resource::new(windlass_argo::GROUP, windlass_argo::VERSION, kind, plural, true);
        Self { resource, lists }
    }

    /// Applications.
    pub(crate) fn application() -> Self {
        Self::of_dialect("Application", "applications", "windlass app list --all-namespaces")
    }

    /// AppProjects.
    pub(crate) fn project() -> Self {
        Self::of_dialect("AppProject", "appprojects", "windlass proj list")
    }

    /// ApplicationSets.
    pub(crate) fn application_set() -> Self {
        Self::of_dialect("ApplicationSet", "applicationsets", "kubectl get applicationsets --all-namespaces")
    }

    /// Secrets: repositories, clusters and settings.
    pub(crate) fn secret() -> Self {
        Self { resource: Resource::new("", "v1", "Secret", "secrets", true), lists: "kubectl get secrets" }
    }

    /// ConfigMaps: settings.
    pub(crate) fn config_map() -> Self {
        let resource = Resource::new("", "v1", "ConfigMap", "configmaps", true);
        Self { resource, lists: "kubectl get configmaps" }
    }

    fn name(&self) -> &str {
        &self.resource.gvk.kind
    }
}

/// A connection with what the verbs need to know beside it.
pub(crate) struct Session {
    /// The server.
    pub(crate) client: ClusterClient,
    /// The namespace of Applications that are named without one, and of the control plane's own objects.
    pub(crate) namespace: String,
    /// Colours for stdout.
    pub(crate) paint: Paint,
    applications: Kind,
}

impl Session {
    /// Connects.
    pub(crate) async fn connect(connection: &Connection, paint: Paint) -> Result<Self> {
        Ok(Self::new(connection.client().await?, &connection.namespace, paint))
    }

    /// Speaks through `client`.
    pub(crate) fn new(client: ClusterClient, namespace: &str, paint: Paint) -> Self {
        Self { client, namespace: namespace.into(), paint, applications: Kind::application() }
    }

    /// Splits `namespace/name`; a bare name is in the session's namespace.
    pub(crate) fn split<'a>(&'a self, name: &'a str) -> (&'a str, &'a str) {
        name.split_once('/').unwrap_or((&self.namespace, name))
    }

    /// Reads an Application.
    pub(crate) async fn get(&self, name: &str) -> Result<Object> {
        self.get_of(&self.applications, name).await
    }

    /// Reads an object of a kind: NAME, or NAMESPACE/NAME.
    pub(crate) async fn get_of(&self, kind: &Kind, name: &str) -> Result<Object> {
        let (namespace, name) = self.split(name);
        let read = self.client.get(&kind.resource, namespace, name).await;
        read.map_err(|error| explained(kind, error, &format!("{} {namespace}/{name}", kind.name())))
    }

    /// Reads an Application that may be gone.
    pub(crate) async fn find(&self, name: &str) -> Result<Option<Object>> {
        self.find_of(&self.applications, name).await
    }

    /// Reads an object of a kind that may not be there: NAME, or NAMESPACE/NAME.
    pub(crate) async fn find_of(&self, kind: &Kind, name: &str) -> Result<Option<Object>> {
        let (namespace, name) = self.split(name);
        match self.client.get(&kind.resource, namespace, name).await {
            Ok(object) => Ok(Some(object)),
            Err(error) if error.is_not_found() && !is_kind_missing(&error) => Ok(None),
            Err(error) => Err(explained(kind, error, &format!("{} {namespace}/{name}", kind.name()))),
        }
    }

    /// Reads all Applications of a namespace, or of all when that is empty.
    pub(crate) async fn list(&self, namespace: &str, selector: &str) -> Result<Vec<Object>> {
        self.list_of(&self.applications, namespace, selector).await
    }

    /// Reads the Applications of this control plane: those of its namespace, and of those that it admits. Others on the same
    /// cluster are another control plane's.
    pub(crate) async fn own_applications(&self) -> Result<Vec<Object>> {
        let admitted = self.admitted_namespaces().await?;
        let mut applications = self.list("", "").await?;
        applications.retain(|application| self.is_own(application, &admitted));
        Ok(applications)
    }

    /// Where else Applications of this control plane may live, as globs or `/regular expressions/`.
    pub(crate) async fn admitted_namespaces(&self) -> Result<Box<[Str]>> {
        let parameters = self.find_of(&Kind::config_map(), "argocd-cmd-params-cm").await?;
        Ok(Settings::read(&self.namespace, None, parameters.as_ref()).application_namespaces)
    }

    /// Whether an object is in the namespace of the control plane, or in an admitted one.
    pub(crate) fn is_own(&self, object: &Object, admitted: &[Str]) -> bool {
        object.namespace() == self.namespace || windlass_argo::in_list(admitted, object.namespace())
    }

    /// Reads all objects of a kind in a namespace, or in all when that is empty.
    pub(crate) async fn list_of(&self, kind: &Kind, namespace: &str, selector: &str) -> Result<Vec<Object>> {
        let listed = self.client.list(&kind.resource, namespace, selector).await;
        listed.map_err(|error| explained(kind, error, &format!("{}s", kind.name())))
    }

    /// Creates an Application.
    pub(crate) async fn create(&self, object: &Object) -> Result<Object, ApiError> {
        self.client.create(&self.applications.resource, object, MANAGER).await
    }

    /// Changes an Application by a merge patch.
    pub(crate) async fn patch(&self, name: &str, patch: &Value) -> Result<Object, ApiError> {
        let (namespace, name) = self.split(name);
        self.client.merge_patch(&self.applications.resource, namespace, name, patch, MANAGER).await
    }

    /// Deletes an Application; its finalizers decide what happens to its objects.
    pub(crate) async fn delete(&self, object: &Object) -> Result<(), ApiError> {
        self.delete_of(&self.applications, object).await
    }

    /// Deletes what was read, and nothing else of its name.
    pub(crate) async fn delete_of(&self, kind: &Kind, object: &Object) -> Result<(), ApiError> {
        let options =
            windlass_cluster::DeleteOptions { uid: Some(object.uid().into()), ..Default::default() };
        self.client.delete(&kind.resource, object.namespace(), object.name(), &options).await
    }

    /// Changes an Application that is read by what `change` makes of it, again while somebody else is quicker.
    pub(crate) async fn update(
        &self,
        name: &str,
        change: impl FnMut(&Object) -> Result<Option<Value>>,
    ) -> Result<Object> {
        self.update_of(&self.applications, name, change).await
    }

    /// Changes an object that is read by the merge patch that `change` makes of it, again while somebody else is
    /// quicker; without a patch nothing is written.
    pub(crate) async fn update_of(
        &self,
        kind: &Kind,
        name: &str,
        mut change: impl FnMut(&Object) -> Result<Option<Value>>,
    ) -> Result<Object> {
        /// The engine writes often while it works; more conflicts in a row than these are no coincidence.
        const ATTEMPTS: usize = 20;
        let what = format!("{} {name}", kind.name());
        for _ in 0..ATTEMPTS {
            let object = self.get_of(kind, name).await?;
            let Some(mut patch) = change(&object)? else { return Ok(object) };
            patch.set_at(&["metadata", "resourceVersion"], object.resource_version());
            let (namespace, name) = (object.namespace(), object.name());
            match self.client.merge_patch(&kind.resource, namespace, name, &patch, MANAGER).await {
                Err(error) if error.is_conflict() => {}
                Err(error) => return Err(explained(kind, error, &what)),
                Ok(object) => return Ok(object),
            }
        }
        anyhow::bail!("{what} changed {ATTEMPTS} times while it was to be written; try again")
    }

    /// An error about Applications with what to do about it.
    pub(crate) fn explained(&self, error: ApiError, what: &str) -> anyhow::Error {
        explained(&self.applications, error, what)
    }
}

/// An error of the API with what to do about it.
pub(crate) fn explained(kind: &Kind, error: ApiError, what: &str) -> anyhow::Error {
    let (problem, advice) = if is_kind_missing(&error) {
        (
            format!("the cluster does not know {}s", kind.name()),
            "run `windlass install | kubectl apply --server-side -f -` once, or name another cluster with --kubeconfig"
                .to_owned(),
        )
    } else if error.is_not_found() {
        let lists = kind.lists;
        (
            format!("there is no {what}"),
            format!("`{lists}` shows those there are; -n or NAMESPACE/NAME chooses a namespace"),
        )
    } else if error.code() == Some(403) {
        (format!("{what}: not allowed"), "ask for a role that allows it, or use another context".into())
    } else if error.code() == Some(401) {
        (
            "the cluster does not know who you are".into(),
            "the credentials in the kubeconfig are for another cluster, or no longer good; `windlass up` writes new ones"
                .into(),
        )
    } else if matches!(error, ApiError::Unreachable { .. }) {
        (
            "the cluster does not answer".into(),
            "is it running? `windlass up` starts one; --kubeconfig or --context chooses another".into(),
        )
    } else {
        return anyhow::Error::new(error).context(format!("{what} cannot be read or written"));
    };
    anyhow::Error::new(error).context(Advised { problem, advice })
}

/// Whether the server does not serve the kind at all, rather than not having the object.
fn is_kind_missing(error: &ApiError) -> bool {
    // The server names the object when it looked for one, and nothing when it did not know where to look.
    matches!(error, ApiError::Status(status) if status.code == 404 && !status.message.contains('"'))
}

/// Now, to the second.
pub(crate) fn now() -> Time {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    Time::from_unix(i64::try_from(since.as_secs()).unwrap_or(0))
}

/// How long ago a time of Kubernetes was; empty when there is none.
pub(crate) fn age_of(text: &str) -> String {
    text.parse::<Time>().map_or_else(|_| String::new(), |time| output::age(now().since(time)))
}

/// The revision as people say it: a commit id by its first digits.
pub(crate) fn short(revision: &str) -> &str {
    /// As Argo CD and `git log --oneline` abbreviate.
    const DIGITS: usize = 7;
    let is_commit =
        matches!(revision.len(), 40 | 64) && revision.bytes().all(|byte| byte.is_ascii_hexdigit());
    if is_commit { &revision[..DIGITS] } else { revision }
}

/// The revisions of a status or an operation: the one, or those of several sources.
pub(crate) fn revisions(value: &Value) -> Vec<&str> {
    let many: Vec<&str> = value.items_at(&["revisions"]).iter().filter_map(Value::as_str).collect();
    if many.is_empty() {
        value.str_at(&["revision"]).filter(|text| !text.is_empty()).into_iter().collect()
    } else {
        many
    }
}

/// The sources of a spec: the list, or the single one.
pub(crate) fn sources(spec: &Value) -> Vec<&Value> {
    let many: Vec<&Value> = spec.items_at(&["sources"]).iter().collect();
    if many.is_empty() { spec.at(&["source"]).into_iter().collect() } else { many }
}

/// Whether it is deployed to the cluster that holds it, so that its objects can be seen from here.
pub(crate) fn is_here(application: &Object) -> bool {
    let server = application.str_at(&["spec", "destination", "server"]);
    let name = application.str_at(&["spec", "destination", "name"]);
    matches!(server, "" | windlass_argo::IN_CLUSTER_SERVER)
        && matches!(name, "" | windlass_argo::IN_CLUSTER_NAME)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_commit_ids_are_shortened() {
        assert_eq!(short("8d3c1f0aa1b2c3d4e5f60718293a4b5c6d7e8f90"), "8d3c1f0");
        for kept in ["v1.2.0", "main", "", "8d3c1f0", "release/2026-11-21-with-a-name-of-40-letters."] {
            assert_eq!(short(kept), kept);
        }
    }

    #[test]
    fn several_sources_win_over_the_single_one() {
        let spec = windlass_yaml::load("source: {path: a}\nsources: [{path: b}, {path: c}]\n").unwrap();
        let paths: Vec<_> = sources(&spec).iter().filter_map(|source| source.str_at(&["path"])).collect();
        assert_eq!(paths, ["b", "c"]);
        let status = windlass_yaml::load("revision: x\n").unwrap();
        assert_eq!(revisions(&status), ["x"]);
    }
}
