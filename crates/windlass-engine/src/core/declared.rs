//! What people declare: Applications, projects, Secrets and settings.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use windlass_argo::{
    Cluster, Lowered, Project, ProjectProblem, Settings, lower, previous, project_name, with_inherited,
};
use windlass_cluster::{ClusterSecret, SECRET_TYPE, WatchEvent, secret_data};
use windlass_kube::{Object, Str, Value};
use windlass_model::{Diagnostic, DiagnosticKind, UnitId};

use super::Core;
use crate::clusters::named;
use crate::credentials::{self, Credentials, RepositorySecret};
use crate::fetching::locate;
use crate::source_hub::{SourceKey, key_of};
use crate::unit_state::{UnitState, asked_digest, operation_digest};

/// The kind of the declaring objects.
pub(crate) const APPLICATION_KIND: &str = "Application";

/// What a Secret of the control plane holds.
#[derive(Clone, PartialEq)]
pub(crate) enum ReadSecret {
    /// Access to a repository, or to all below an address.
    Repository(Box<RepositorySecret>),
    /// A target cluster.
    Cluster(Box<ClusterSecret>),
}

impl Core {
    pub(super) fn on_application(&mut self, event: WatchEvent) {
        match event {
            WatchEvent::Listing => {
                self.seen.clear();
                // A list is the truth, also where a restored server counts from an earlier version.
                self.units.values_mut().for_each(|unit| unit.forget_version());
            }
            WatchEvent::Applied(object) => {
                let id = UnitId(object.object_ref());
                self.seen.insert(id.clone());
                if !self.keep_elsewhere(&id, &object) {
                    self.take_application(&id, &object);
                }
            }
            WatchEvent::Deleted(object) => {
                let id = UnitId(object.object_ref());
                self.forget_elsewhere(&id);
                self.forget_unit(&id);
            }
            WatchEvent::Listed(_) => {
                let gone: Vec<UnitId> = self
                    .units
                    .keys()
                    .chain(self.elsewhere.ids())
                    .filter(|id| !self.seen.contains(*id))
                    .cloned()
                    .collect();
                for id in &gone {
                    self.forget_elsewhere(id);
                    self.forget_unit(id);
                }
                self.seen.clear();
                self.listed.applications = true;
            }
            WatchEvent::NotServed => {
                tracing::warn!(
                    "the cluster does not serve Applications; run `windlass install | kubectl apply -f -`"
                );
            }
            WatchEvent::Failing(problem) => tracing::warn!(%problem, "applications cannot be watched"),
        }
    }

    pub(super) fn take_application(&mut self, id: &UnitId, object: &Object) {
        let asked = asked_digest(object);
        let before = self.units.get(id).map(|unit| unit.lowered.unit.depends_on.clone()).unwrap_or_default();
        if let Some(unit) = self.units.get_mut(id) {
            if unit.is_overtaken(object) {
                return;
            }
            unit.seen_version(object.resource_version());
            unit.set_declared(object);
            if unit.asked == asked {
                self.seen_again(id);
                return;
            }
            unit.asked = asked;
            if object.at(&["operation"]).is_none_or(Value::is_null) {
                unit.done_request = None;
            }
            let lowered = self.lower(object);
            if let Some(unit) = self.units.get_mut(id) {
                if lowered.refresh.is_none() {
                    unit.refresh_taken = false;
                }
                if lowered.unit != unit.lowered.unit {
                    unit.reset_backoff();
                }
                unit.set_lowered(lowered);
            }
        } else {
            let lowered = self.lower(object);
            let unit = UnitState::new(object, lowered, previous(object));
            self.touch_neighbours(&unit.lowered.unit.ownership.instance);
            self.units.insert(id.clone(), Box::new(unit));
        }
        self.bind_sources(id);
        self.dirty.insert(id.clone());
        if self.units.get(id).is_some_and(|unit| unit.lowered.unit.depends_on != before) {
            self.dependencies_changed();
        }
    }

    pub(super) fn lower(&self, object: &Object) -> Lowered {
        let name = project_name(object);
        let built_in;
        let project = match self.projects.get(name) {
            Some(project) => Ok(project),
            None if name == "default" => {
                built_in = Project::built_in();
                Ok(&built_in)
            }
            None => Err(ProjectProblem::NotFound(name.into())),
        };
        let clusters: Vec<Cluster> = self.cluster_secrets.values().map(named).collect();
        lower(object, project, &self.settings, &clusters)
    }

    /// Lowers again every Unit for which `affected` holds: something beside it changed.
    fn lower_again(&mut self, affected: impl Fn(&Object) -> bool) {
        let ids: Vec<UnitId> = self.units.keys().cloned().collect();
        for id in ids {
            let Some(object) = self.units.get(&id).map(|unit| unit.declared()) else { continue };
            if !affected(&object) {
                continue;
            }
            let lowered = self.lower(&object);
            if let Some(unit) = self.units.get_mut(&id) {
                unit.set_lowered(lowered);
                unit.reset_backoff();
            }
            self.bind_sources(&id);
            self.dirty.insert(id);
        }
    }

    pub(super) fn forget_unit(&mut self, id: &UnitId) {
        let Some(mut unit) = self.units.remove(id) else { return };
        self.unfollow_orphans(&mut unit);
        self.touch_neighbours(&unit.lowered.unit.ownership.instance);
        for (key, spec) in unit.sources.iter().zip(&unit.lowered.unit.sources) {
            self.unregister_reader(key, &spec.path, id);
            self.hub.unfollow(key);
            self.drop_unused_source(key);
        }
        for (key, path) in &unit.extra_reads {
            self.unregister_reader(key, path, id);
        }
        for reached in &unit.reached {
            self.unfollow_reached(id, &reached.key);
        }
        for cluster in self.clusters.values_mut() {
            cluster.wanted.forget(id);
            cluster.forget_checks_of(&unit.lowered.unit.ownership.instance);
        }
        self.dirty.remove(id);
    }

    /// Follows the sources that a Unit names now, and no others.
    pub(super) fn bind_sources(&mut self, id: &UnitId) {
        let Some(mut unit) = self.units.remove(id) else { return };
        let specs = unit.lowered.unit.sources.clone();
        let overrides = unit.request_revisions().to_vec();
        let mut keys = Vec::with_capacity(specs.len());
        let mut problems = Vec::new();
        for (idx, spec) in specs.iter().enumerate() {
            let revision = overrides.get(idx).filter(|text| !text.is_empty()).unwrap_or(&spec.revision);
            let (place, target) = match locate(spec, revision) {
                Ok(found) => found,
                Err(error) => {
                    let message = format!("repoURL cannot be used: {error}");
                    problems.push(Diagnostic::new(DiagnosticKind::InvalidSpec, message));
                    continue;
                }
            };
            let project = &unit.lowered.permissions.project;
            let key = key_of(&self.credentials, &place, target, Some(project));
            keys.push((key, place, spec.path.clone()));
        }
        let old: Vec<SourceKey> = std::mem::take(&mut unit.sources);
        let old_paths = std::mem::take(&mut unit.source_paths);
        for (key, path) in old.iter().zip(&old_paths) {
            self.unregister_reader(key, path, id);
        }
        for (key, place, path) in keys {
            let access = self.credentials.for_place(&place, &unit.lowered.permissions.project);
            self.hub.follow(&place, &access, &key);
            self.sources.entry(key.clone()).or_default();
            self.register_reader(&key, &path, &unit.shared_id);
            unit.sources.push(key);
            unit.source_paths.push(path);
        }
        // Followed first, unfollowed then: what stays is not dropped in between.
        for key in &old {
            self.hub.unfollow(key);
            self.drop_unused_source(key);
        }
        unit.source_problems = problems;
        self.follow_reached(&mut unit, None);
        self.units.insert(id.clone(), unit);
    }

    pub(super) fn register_reader(&mut self, key: &SourceKey, path: &Str, id: &Arc<UnitId>) {
        self.readers.entry(key.clone()).or_default().entry(path.clone()).or_default().insert(id.clone());
    }

    pub(super) fn unregister_reader(&mut self, key: &SourceKey, path: &Str, id: &UnitId) {
        if let Some(readers) = self.readers.get_mut(key)
            && let Some(units) = readers.get_mut(path)
        {
            units.remove(id);
            if units.is_empty() {
                readers.remove(path);
            }
        }
    }

    pub(super) fn drop_unused_source(&mut self, key: &SourceKey) {
        if self.readers.get(key).is_some_and(std::collections::BTreeMap::is_empty) {
            self.readers.remove(key);
            self.sources.remove(key);
        }
    }

    pub(super) fn on_project(&mut self, event: WatchEvent) {
        match event {
            WatchEvent::Applied(object) => {
                let name = Str::from(object.name());
                self.declared_projects.insert(name.clone(), object);
                self.take_project(&name);
            }
            WatchEvent::Deleted(object) => {
                let name = Str::from(object.name());
                self.declared_projects.remove(&name);
                self.take_project(&name);
            }
            WatchEvent::Listed(_) | WatchEvent::NotServed => self.listed.projects = true,
            WatchEvent::Listing => {}
            WatchEvent::Failing(problem) => tracing::warn!(%problem, "projects cannot be watched"),
        }
    }

    /// Reads a project that changed, and those that inherit from it.
    fn take_project(&mut self, name: &Str) {
        let inherits = |other: &Str| {
            let global = &self.settings.global_projects;
            let Some(object) = self.declared_projects.get(other) else { return false };
            global.iter().any(|entry| entry.project == *name && entry.is_for(object))
        };
        let changed: HashSet<Str> = self
            .declared_projects
            .keys()
            .filter(|other| inherits(other))
            .chain(std::iter::once(name))
            .cloned()
            .collect();
        changed.iter().for_each(|name| self.read_project(name));
        self.lower_again(|application| changed.contains(project_name(application)));
    }

    fn read_project(&mut self, name: &Str) {
        let project = self.declared_projects.get(name).map(|object| {
            let find = |name: &str| self.declared_projects.get(name);
            Project::parse(&with_inherited(object, &self.settings.global_projects, find))
        });
        match project {
            Some(project) => self.projects.insert(name.clone(), project),
            None => self.projects.remove(name),
        };
    }

    pub(super) fn on_settings(&mut self, event: WatchEvent) {
        match event {
            WatchEvent::Applied(object) => match object.name() {
                name @ ("argocd-cm" | "argocd-cmd-params-cm") => {
                    self.setting_maps.insert(name.into(), object.clone());
                    self.take_settings();
                    if name == credentials::PARAMETERS_MAP {
                        self.credential_maps.insert(name.into(), object.clone());
                        self.take_credentials();
                    }
                }
                name @ (credentials::KNOWN_HOSTS_MAP
                | credentials::CERTIFICATES_MAP
                | credentials::SIGNERS_MAP
                | credentials::VERIFICATIONS_MAP) => {
                    self.credential_maps.insert(name.into(), object.clone());
                    self.take_credentials();
                }
                _ => {}
            },
            WatchEvent::Listed(_) | WatchEvent::NotServed => self.listed.settings = true,
            WatchEvent::Deleted(object) => {
                if self.setting_maps.remove(object.name()).is_some() {
                    self.take_settings();
                }
                if self.credential_maps.remove(object.name()).is_some() {
                    self.take_credentials();
                }
            }
            WatchEvent::Listing => {}
            WatchEvent::Failing(problem) => tracing::warn!(%problem, "settings cannot be watched"),
        }
    }

    fn take_settings(&mut self) {
        let (config, parameters) =
            (self.setting_maps.get("argocd-cm"), self.setting_maps.get("argocd-cmd-params-cm"));
        let settings = Settings::read(&self.config.control_plane_namespace, config, parameters);
        for problem in &settings.customizations.problems {
            tracing::warn!(%problem, "a customization was left out");
        }
        let before = std::mem::replace(&mut self.settings, settings);
        if self.settings != before {
            let names: Vec<Str> = self.declared_projects.keys().cloned().collect();
            names.iter().for_each(|name| self.read_project(name));
            // Every record was read through the old settings.
            self.clusters.clear();
            self.lower_again(|_| true);
        }
    }

    pub(super) fn on_secret(&mut self, event: WatchEvent) {
        match event {
            WatchEvent::Listing => self.seen_secrets.clear(),
            WatchEvent::Applied(object) => {
                let name = Str::from(object.name());
                self.seen_secrets.insert(name.clone());
                match read_secret(&object) {
                    Ok(read) => self.set_secret(name, Some(read)),
                    Err(problem) => {
                        tracing::warn!(secret = %name, %problem, "secret cannot be used");
                        self.set_secret(name, None);
                    }
                }
            }
            WatchEvent::Deleted(object) => self.set_secret(object.name().into(), None),
            WatchEvent::Listed(_) => {
                let gone: Vec<Str> =
                    self.secrets.keys().filter(|name| !self.seen_secrets.contains(*name)).cloned().collect();
                gone.into_iter().for_each(|name| self.set_secret(name, None));
                self.listed.secrets = true;
            }
            WatchEvent::NotServed => self.listed.secrets = true,
            WatchEvent::Failing(problem) => tracing::warn!(%problem, "secrets cannot be watched"),
        }
    }

    fn set_secret(&mut self, name: Str, read: Option<ReadSecret>) {
        if self.secrets.get(&name) == read.as_ref() {
            return;
        }
        match read {
            Some(read) => self.secrets.insert(name, read),
            None => self.secrets.remove(&name),
        };
        let mut clusters = HashMap::new();
        for read in self.secrets.values() {
            if let ReadSecret::Cluster(secret) = read {
                clusters.insert(secret.server.clone(), secret.as_ref().clone());
            }
        }
        if clusters != self.cluster_secrets {
            self.clusters.retain(|key, _| self.cluster_secrets.get(key) == clusters.get(key));
            self.cluster_problems.clear();
            self.cluster_secrets = clusters;
            self.lower_again(|_| true);
        }
        self.take_credentials();
    }

    /// Puts together what repositories are reached with, and reaches for them anew where that changed.
    fn take_credentials(&mut self) {
        let secrets = self.secrets.values().filter_map(|read| match read {
            ReadSecret::Repository(secret) => Some(secret.as_ref()),
            ReadSecret::Cluster(_) => None,
        });
        let credentials = Credentials::new(secrets, self.credential_maps.values());
        if credentials == *self.credentials {
            return;
        }
        let is_renamed = !credentials.has_names_of(&self.credentials);
        self.names_version += u64::from(is_renamed);
        let signers_changed = credentials.signers() != self.credentials.signers();
        self.credentials = Arc::new(credentials);
        self.hub.set_credentials(&self.credentials);
        let ids: Vec<UnitId> = self.units.keys().cloned().collect();
        for id in ids {
            self.bind_sources(&id);
            // What is being rendered now may turn out to depend on them, too.
            let depends = |unit: &UnitState| {
                unit.is_busy() || unit.rendered.as_ref().is_some_and(|rendered| rendered.names.is_some())
            };
            if signers_changed || is_renamed && self.units.get(&id).is_some_and(|unit| depends(unit)) {
                self.dirty.insert(id);
            }
        }
    }
}

impl UnitState {
    /// The revisions that the operation which is asked for, or runs, overrides.
    pub(super) fn request_revisions(&self) -> &[Str] {
        let running = self.operation.as_ref().map(|run| &run.request);
        let asked = self.lowered.request.as_ref().filter(|_| !self.request_is_done());
        running.or(asked).map_or(&[], |request| &request.revisions)
    }

    /// Whether the operation that the object asks for was carried out already.
    pub(super) fn request_is_done(&self) -> bool {
        self.done_request.is_some() && operation_digest(&self.declared()) == self.done_request
    }
}

fn read_secret(object: &Object) -> Result<ReadSecret, String> {
    let data = secret_data(object)?;
    let kind = object.label(SECRET_TYPE).unwrap_or_default();
    if kind == "cluster" {
        return ClusterSecret::read(&data).map(Box::new).map(ReadSecret::Cluster);
    }
    RepositorySecret::read(kind, &data).map(Box::new).map(ReadSecret::Repository)
}
