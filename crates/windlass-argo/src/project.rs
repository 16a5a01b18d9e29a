//! The AppProject: what its Applications may deploy, from where and to where.

use std::sync::Arc;

use windlass_go::glob::Gobwas;
use windlass_go::re2::Regex;
use windlass_kube::{Object, Str};
use windlass_model::{
    DestinationRule, Diagnostic, DiagnosticKind, IgnoredOrphans, KindRule, OrphanRules, Permissions,
    SignatureRule, SyncWindow,
};

use crate::integrity::Integrity;
use crate::types::{
    AppProject, ClusterKind, Destination, DestinationServiceAccount, FieldProblemKind, NamespacedKind,
    OrphanedResources, ProjectSpec,
};
use crate::window::WindowRule;
use crate::{Cluster, git_url};

/// A lowered AppProject.
#[derive(Clone, Debug)]
pub struct Project {
    /// Its name.
    pub name: Str,
    /// Destinations and kinds.
    pub permissions: Arc<Permissions>,
    /// What of the target namespaces of its Applications counts as orphaned; `None` when nobody asks.
    pub orphans: Option<Arc<OrphanRules>>,
    /// What there is to say about it: fields that are not known, rules that cannot hold.
    pub diagnostics: Vec<Diagnostic>,
    sources: SourceRules,
    namespaces: Box<[Str]>,
    windows: Box<[WindowRule]>,
    own_clusters_only: bool,
    accounts: Box<[AccountRule]>,
    integrity: Integrity,
}

/// Why an Application has no project.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProjectProblem {
    /// There is none of that name in the control-plane namespace.
    #[error("Application referencing project {0} which does not exist")]
    NotFound(Str),
}

/// Which repositories a project lets its Applications come from; by default none.
#[derive(Clone, Debug, Default)]
pub struct SourceRules(Arc<[SourceRule]>);

#[derive(Clone, Debug)]
struct SourceRule {
    denies: bool,
    /// Whether it is a lone star, which matches slashes as no other does.
    any: bool,
    /// `None` for a malformed pattern, which matches nothing.
    glob: Option<Gobwas>,
}

impl SourceRules {
    /// Whether Applications may come from this repository: some rule allows it, and none forbids it.
    ///
    /// Argo CD's documentation says so too; its code (3.6) also takes a rule that forbids something else for one that
    /// allows, which would open a project to every repository as soon as it forbids one.
    #[must_use]
    pub fn permit(&self, repository: &str) -> bool {
        let url = git_url::normalize(repository).unwrap_or_default();
        let mut matching = self.0.iter().filter(|rule| rule.matches(&url)).peekable();
        matching.peek().is_some() && matching.all(|rule| !rule.denies)
    }
}

/// Which ServiceAccount writes to a place.
#[derive(Clone, Debug)]
struct AccountRule {
    /// `None` for a malformed pattern.
    server: Option<Gobwas>,
    namespace: Option<Gobwas>,
    account: Str,
}

/// What no account's name may contain, lest somebody takes it for a pattern.
const NOT_IN_ACCOUNTS: [char; 8] = ['!', '*', '[', ']', '{', '}', '\\', '/'];

impl Project {
    /// What of a repository must be signed, and by whom; `None` when nothing has to be.
    ///
    /// # Errors
    ///
    /// Why that cannot be told, in words: then nothing of it may be deployed.
    pub fn signatures(&self, repository: &str) -> Result<Option<SignatureRule>, String> {
        self.integrity.rule(repository)
    }

    /// Reads an AppProject. What cannot be read is said in `diagnostics` and permits nothing.
    #[must_use]
    pub fn parse(project: &Object) -> Self {
        let (AppProject { spec, .. }, problems) = AppProject::read(project);
        let name = Str::from(project.name());
        let diagnostics = problems.iter().map(|problem| {
            let (kind, what) = match problem.kind {
                FieldProblemKind::Unknown => (DiagnosticKind::Unsupported, "is not known".to_owned()),
                FieldProblemKind::WrongType { expected, found } => {
                    (DiagnosticKind::InvalidSpec, format!("must be {expected}, this is {found}"))
                }
            };
            Diagnostic::new(kind, format!("AppProject {name}: field {} {what}", problem.path))
        });
        let diagnostics = diagnostics.collect();
        Self::new(name, &spec, diagnostics)
    }

    /// The project that an Application names, read from the AppProject of that name; `default` need not exist.
    ///
    /// # Errors
    ///
    /// [`ProjectProblem::NotFound`] where there is no such object.
    pub fn of(application: &Object, declared: Option<&Object>) -> Result<Self, ProjectProblem> {
        match (declared, project_name(application)) {
            (Some(object), _) => Ok(Self::parse(object)),
            (None, "default") => Ok(Self::built_in()),
            (None, name) => Err(ProjectProblem::NotFound(name.into())),
        }
    }

    /// The project `default` as Argo CD creates it: everything is allowed. It stands in where there is no object
    /// of that name.
    #[must_use]
    pub fn built_in() -> Self {
        let spec = ProjectSpec {
            source_repos: ["*".into()].into(),
            destinations: [Destination { server: "*".into(), namespace: "*".into(), name: Str::default() }]
                .into(),
            cluster_resource_whitelist: [ClusterKind {
                group: "*".into(),
                kind: "*".into(),
                name: Str::default(),
            }]
            .into(),
            ..ProjectSpec::default()
        };
        Self::new("default".into(), &spec, Vec::new())
    }

    fn new(name: Str, spec: &ProjectSpec, mut diagnostics: Vec<Diagnostic>) -> Self {
        let read = spec.sync_windows.iter().enumerate().filter_map(|(idx, window)| {
            let refused = |why: String| {
                // Until it can be read, nothing is known of when a sync is allowed.
                let message = format!("AppProject {name}: field spec.syncWindows[{idx}] {why}");
                Diagnostic::new(DiagnosticKind::InvalidSpec, message)
            };
            WindowRule::read(window).map_err(|why| diagnostics.push(refused(why))).ok()
        });
        let windows: Box<[WindowRule]> = read.collect();
        let cluster_rules = |kinds: &[ClusterKind]| {
            let rule = |ClusterKind { group, kind, name }: &ClusterKind| KindRule {
                group: group.clone(),
                kind: kind.clone(),
                name: name.clone(),
            };
            kinds.iter().map(rule).collect()
        };
        let namespaced_rules = |kinds: &[NamespacedKind]| {
            let rule = |NamespacedKind { group, kind }: &NamespacedKind| KindRule {
                group: group.clone(),
                kind: kind.clone(),
                name: Str::default(),
            };
            kinds.iter().map(rule).collect()
        };
        let permissions = Permissions {
            project: name.clone(),
            destinations: spec
                .destinations
                .iter()
                .map(|rule| DestinationRule::new(&rule.server, &rule.name, &rule.namespace))
                .collect(),
            cluster_allow: cluster_rules(&spec.cluster_resource_whitelist),
            cluster_deny: cluster_rules(&spec.cluster_resource_blacklist),
            namespaced_allow: spec.namespace_resource_whitelist.as_deref().map(namespaced_rules),
            namespaced_deny: namespaced_rules(&spec.namespace_resource_blacklist),
        };
        Self {
            name,
            permissions: Arc::new(permissions),
            orphans: spec.orphaned_resources.as_deref().map(|asked| Arc::new(orphan_rules(asked))),
            diagnostics,
            sources: SourceRules(spec.source_repos.iter().map(|pattern| SourceRule::new(pattern)).collect()),
            namespaces: spec.source_namespaces.clone(),
            windows,
            own_clusters_only: spec.permit_only_project_scoped_clusters,
            accounts: spec.destination_service_accounts.iter().map(AccountRule::new).collect(),
            integrity: Integrity::read(spec),
        }
    }

    /// Whether Applications may come from this repository.
    #[must_use]
    pub fn permits_source(&self, repository: &str) -> bool {
        self.sources.permit(repository)
    }

    /// Which repositories Applications may come from.
    #[must_use]
    pub(crate) fn sources(&self) -> &SourceRules {
        &self.sources
    }

    /// Whether Applications may go to this cluster and namespace.
    ///
    /// # Errors
    ///
    /// Why not, in the words of Argo CD.
    pub(crate) fn permits_cluster(
        &self,
        cluster: &Cluster,
        namespace: &str,
        by_name: bool,
    ) -> Result<(), Str> {
        let Cluster { server, name, project } = cluster;
        let permitted = self.permissions.permits_destination(server, name, namespace);
        if permitted.is_ok() && (!self.own_clusters_only || *project == self.name) {
            return Ok(());
        }
        let shown = if by_name { name } else { server };
        Err(format!(
            "application destination server '{shown}' and namespace '{namespace}' do not match any of the allowed \
             destinations in project '{}'",
            self.name
        )
        .into())
    }

    /// The user who writes to a cluster and namespace, if the project names one: the first rule that matches decides.
    ///
    /// An account without a namespace is one of the destination's, or of the Application's where that is empty.
    ///
    /// # Errors
    ///
    /// Which rule cannot be followed, in the words of Argo CD 3.6.
    pub(crate) fn account_for(
        &self,
        server: &str,
        namespace: &str,
        application_namespace: &str,
    ) -> Result<Option<Str>, String> {
        for AccountRule { server: servers, namespace: namespaces, account } in &self.accounts {
            let (Some(servers), Some(namespaces)) = (servers, namespaces) else {
                return Err("invalid glob pattern in destinationServiceAccounts".into());
            };
            if !servers.is_match(server) || !namespaces.is_match(namespace) {
                continue;
            }
            let unfit = |c: char| c.is_control() || NOT_IN_ACCOUNTS.contains(&c);
            if account.trim().is_empty() || account.contains(unfit) {
                return Err(format!("default service account contains invalid chars '{account}'"));
            }
            let own = if namespace.is_empty() { application_namespace } else { namespace };
            return Ok(Some(if account.contains(':') {
                format!("system:serviceaccount:{account}").into()
            } else {
                format!("system:serviceaccount:{own}:{account}").into()
            }));
        }
        Ok(None)
    }

    /// The sync windows that are for an Application.
    pub(crate) fn windows_for(&self, application: &str, destination: &Destination) -> Vec<SyncWindow> {
        let matching = self.windows.iter().filter(|rule| rule.is_for(application, destination));
        matching.map(|rule| rule.window.clone()).collect()
    }

    /// Whether Applications of this namespace may be in the project.
    #[must_use]
    pub fn permits_namespace(&self, namespace: &str) -> bool {
        in_list(&self.namespaces, namespace)
    }
}

impl AccountRule {
    fn new(rule: &DestinationServiceAccount) -> Self {
        Self {
            server: Gobwas::compile(&rule.server, &[]).ok(),
            namespace: Gobwas::compile(&rule.namespace, &[]).ok(),
            account: rule.default_service_account.clone(),
        }
    }
}

impl SourceRule {
    fn new(pattern: &str) -> Self {
        let denied = pattern.strip_prefix('!');
        let text = git_url::normalize(denied.unwrap_or(pattern)).unwrap_or_default();
        Self { denies: denied.is_some(), any: pattern == "*", glob: Gobwas::compile(&text, &['/']).ok() }
    }

    fn matches(&self, url: &str) -> bool {
        self.any || self.glob.as_ref().is_some_and(|glob| glob.is_match(url))
    }
}

/// Whether a namespace matches one of a list of globs and `/regular expressions/`.
#[must_use]
pub fn in_list(patterns: &[Str], namespace: &str) -> bool {
    patterns.iter().any(|pattern| {
        let expression = pattern.strip_prefix('/').and_then(|rest| rest.strip_suffix('/'));
        expression.and_then(|text| Regex::parse(text).ok()).is_some_and(|regex| regex.is_match(namespace))
            || Gobwas::compile(pattern, &[]).is_ok_and(|glob| glob.is_match(namespace))
    })
}

/// The name of the project that `application` is in; `default` when it names none.
#[must_use]
pub fn project_name(application: &Object) -> &str {
    match application.str_at(&["spec", "project"]) {
        "" => "default",
        name => name,
    }
}

/// What counts as orphaned.
fn orphan_rules(asked: &OrphanedResources) -> OrphanRules {
    let ignored = asked.ignore.iter().map(|key| IgnoredOrphans::new(&key.group, &key.kind, &key.name));
    OrphanRules { warn: asked.warn == Some(true), ignored: ignored.collect() }
}

#[cfg(test)]
mod tests {
    use windlass_kube::value;

    use super::*;

    fn project(accounts: windlass_kube::Value) -> Project {
        Project::parse(
            &Object::try_new(value!({
                "apiVersion": "argoproj.io/v1alpha1", "kind": "AppProject", "metadata": {"name": "team"},
                "spec": {"destinationServiceAccounts": (accounts)}
            }))
            .unwrap(),
        )
    }

    /// The cases of Argo CD 3.6.1's `util/settings/impersonation.go`.
    #[test]
    fn first_matching_account_writes() {
        let team = project(value!([
            {"server": "https://a.example", "namespace": "web", "defaultServiceAccount": "first"},
            {"server": "https://*.example", "namespace": "web-*", "defaultServiceAccount": "tenants:second"},
            {"server": "*", "namespace": "", "defaultServiceAccount": "third"},
            {"server": "*", "namespace": "bad", "defaultServiceAccount": "a*"},
            {"server": "*", "namespace": "none", "defaultServiceAccount": " "},
            {"server": "*", "namespace": "x", "defaultServiceAccount": "a\nb"}
        ]));
        let user = |server, namespace| team.account_for(server, namespace, "argocd");
        let is = |text: &str| Ok(Some(Str::from(text)));
        assert_eq!(user("https://a.example", "web"), is("system:serviceaccount:web:first"));
        assert_eq!(user("https://b.example", "web-1"), is("system:serviceaccount:tenants:second"));
        assert_eq!(user("https://b.example", ""), is("system:serviceaccount:argocd:third"));
        assert_eq!(user("https://b.example", "web"), Ok(None));
        for namespace in ["bad", "none", "x"] {
            let refused = user("https://b.example", namespace).unwrap_err();
            assert!(refused.starts_with("default service account contains invalid chars"), "{refused}");
        }
    }
}
