//! Work that is done outside of the loop: rendering, dry runs.

use std::sync::Arc;
use std::time::Duration;

use futures_util::stream::{self, StreamExt};
use tokio::time::Instant;
use windlass_apply::{CallErrorKind, predict};
use windlass_diff::{Rules, added, differences, normalise, sentence, without_added};
use windlass_kube::{Object, ObjectRef, Str};
use windlass_model::{
    ApplyMode, Backoff, Desired, Diagnostic, DiagnosticKind, Digest, LiveRecord, Manifest, Origin, Renderer,
    SourceType, Strict, Tree, UnitId,
};
use windlass_plan::{Comparison, Marks, apply_mode, prepare};
use windlass_render::jsonnet::Engine;
use windlass_render::{Context, Plugins, ReadSet, RenderCache, RenderError, Rendered};
use windlass_source::{Repository, TrustedKeys};

use super::reached::identity_of;
use super::{Core, Event, PreparedUnit};
use crate::arrival::Lens;
use crate::clusters::{ClusterKey, ClusterState};
use crate::desired_objects::{DesiredObject, DesiredObjects};
use crate::fetching::Fetched;
use crate::metrics::ResultLabel;
use crate::reach::{Address, MAX_REACHED, Reach};
use crate::rendering::{SourceTree, Tools, render_sources};
use crate::signatures::{self, identities};
use crate::source_hub::SourceKey;
use crate::target::ClusterTarget;
use crate::unit_state::{Activity, HookMark, RenderedUnit, UnitState, Verdict, live_state};

/// When a look that told nothing is tried again: as long as a server takes to come back, and ever later where it does not.
const CHECK_RETRY: Backoff =
    Backoff { initial: Duration::from_secs(2), factor: 2.0, max: Duration::from_secs(180) };

/// How many objects of one Unit are looked at at once: as many as are applied at once.
const CONCURRENT_CHECKS: usize = 8;

/// What a dry run found out about one object.
pub(crate) struct CheckedObject {
    key: ObjectRef,
    desired: Digest,
    found: Found,
}

/// What a look at a live object gave.
enum Found {
    /// What is kept of the object as it was read, what applying would change, and what others added that is only told, both in words:
    /// empty for nothing.
    Live(Box<LiveRecord>, Str, Str),
    /// The server says that it is not there.
    Gone,
    /// The server does not let it be looked at.
    Refused(Str),
    /// Nothing: the same look may tell a little later.
    Nothing,
}

/// What a preparation needs; it runs on a blocking thread.
struct Preparation {
    lowered: Arc<windlass_argo::Lowered>,
    sources: Vec<(SourceKey, Fetched)>,
    renders: Arc<RenderCache>,
    jsonnet: Option<Arc<dyn Engine>>,
    plugins: Option<Arc<dyn Plugins>>,
    target: ClusterTarget,
    told: Option<ToldRevisions>,
    reach: Reach,
    /// What of the surroundings it is begun with; see [`RenderedUnit`].
    asked: Digest,
    discovery_version: u64,
    names_version: u64,
    signed: Signed,
    identities: Vec<Str>,
    /// Whether what is kept is passed by.
    anew: bool,
}

/// Who may sign what is rendered.
struct Signed {
    signers: Arc<TrustedKeys>,
    /// The repositories of the sources that must be signed.
    repositories: Vec<Option<Arc<Repository>>>,
}

/// Why nothing is prepared.
enum Unprepared {
    /// What the sources name by addresses is to be fetched first.
    Pending,
    /// It cannot be.
    Failed(Vec<Diagnostic>),
}

/// The revisions that the status named when this process began, with the repositories they are in.
struct ToldRevisions {
    revisions: Vec<Str>,
    /// `None` for what is no Git repository: of charts and artifacts, older versions are not looked at.
    repositories: Vec<Option<Arc<Repository>>>,
}

impl Core {
    /// Renders the sources of a Unit and makes the objects ready for its target.
    pub(super) fn prepare(&mut self, unit: &mut UnitState, cluster: &ClusterKey, resolved: Vec<Fetched>) {
        let Some(state) = self.clusters.get(cluster) else { return };
        let identities = identities(unit, &resolved, self.credentials.signers(), self.plugins_version);
        let preparation = Preparation {
            told: self.told_revisions(unit, &resolved),
            lowered: unit.lowered.clone(),
            sources: unit.sources.iter().cloned().zip(resolved).collect(),
            renders: self.renders.clone(),
            jsonnet: self.config.jsonnet.clone(),
            plugins: self.config.plugins.as_ref().map(|plugins| plugins.borrow().clone()),
            target: state.target.clone(),
            reach: self.reach(unit),
            asked: unit.lowered_digest,
            discovery_version: state.discovery_version,
            names_version: self.names_version,
            signed: self.signed(unit),
            identities,
            anew: unit.render_anew,
        };
        let ticket = self.ticket();
        unit.held = match std::mem::replace(&mut unit.activity, Activity::Preparing(ticket)) {
            Activity::Gated(run, wave) => Some((run, wave)),
            _ => None,
        };
        let (events, id) = (self.events.clone(), unit.id.clone());
        let span = tracing::debug_span!("prepare", unit = %unit.id);
        self.render_queue.push(move || {
            // Nobody waits for it any more.
            if events.is_closed() {
                return;
            }
            let _entered = span.enter();
            let run = std::panic::AssertUnwindSafe(|| preparation.run());
            let result = std::panic::catch_unwind(run).unwrap_or_else(|_| {
                let message = "rendering failed with a bug of ours; the log has its place";
                Err(Unprepared::Failed(vec![Diagnostic::new(DiagnosticKind::Render, message)]))
            });
            let mut prepared = result.unwrap_or_else(|unprepared| match unprepared {
                Unprepared::Pending => PreparedUnit { pending: true, ..preparation.begin() },
                Unprepared::Failed(diagnostics) => {
                    PreparedUnit { diagnostics, failed: true, ..preparation.begin() }
                }
            });
            prepared.damaged = preparation.damaged();
            preparation.note_reached(&mut prepared);
            let _ = events.blocking_send(Event::Prepared(id, ticket, Box::new(prepared)));
        });
    }

    fn signed(&self, unit: &UnitState) -> Signed {
        let specs = unit.lowered.unit.sources.iter().zip(&unit.sources);
        let repositories = specs
            .map(|(spec, key)| spec.signatures.as_ref().and_then(|_| self.hub.repository(&key.repository)))
            .collect();
        Signed { signers: self.credentials.signers().clone(), repositories }
    }

    /// The revisions that the status named before this process began, as long as nothing was rendered in it: a branch
    /// that moved on while the process was down is no news to the Units whose files are the same.
    fn told_revisions(&self, unit: &UnitState, resolved: &[Fetched]) -> Option<ToldRevisions> {
        let revisions = &unit.previous.revisions;
        let is_first =
            unit.rendered.is_none() && unit.previous.same_sources && unit.lowered.refresh.is_none();
        let moved = revisions.iter().ne(resolved.iter().map(|source| &source.revision));
        if !is_first || !moved || revisions.len() != resolved.len() {
            return None;
        }
        let repositories = unit.sources.iter().map(|key| self.hub.repository(&key.repository)).collect();
        Some(ToldRevisions { revisions: revisions.clone(), repositories })
    }

    pub(super) fn on_prepared(&mut self, id: &UnitId, ticket: u64, prepared: PreparedUnit) {
        if !prepared.pending {
            self.metrics.renders.get_or_create(&ResultLabel::of(!prepared.failed)).inc();
            self.metrics.note_answers(self.renders.counts());
        }
        for key in &prepared.damaged {
            self.hub.repair(&key.repository);
        }
        self.rest_at = Some(Instant::now() + super::REST_AFTER);
        let Some(mut unit) = self.units.remove(id) else { return };
        if matches!(unit.activity, Activity::Preparing(current) if current == ticket) {
            self.follow_reached(&mut unit, Some(&prepared.reached));
            // What is missing is fetched now, and the Unit is looked at again once it is here.
            if !prepared.pending {
                self.take_prepared(&mut unit, prepared);
            }
            self.idle(&mut unit);
            if let Some((run, wave)) = unit.held.take() {
                // Whether it goes on is told apart when the Unit is looked at.
                tracing::debug!(unit = %unit.id, "plan kept");
                unit.activity = Activity::Gated(run, wave);
            }
        }
        self.units.insert(id.clone(), unit);
    }

    fn take_prepared(&mut self, unit: &mut UnitState, prepared: PreparedUnit) {
        let cluster = self.cluster_key(unit);
        unit.render_anew &= !prepared.anew;
        let before = unit.rendered.take();
        self.set_extra_reads(unit, &prepared.read_paths);
        let receipts: std::collections::HashMap<ObjectRef, windlass_model::Receipt> = before
            .iter()
            .flat_map(|before| &before.objects)
            .filter_map(|object| Some((object.key.clone(), object.receipt?)))
            .collect();
        let objects: DesiredObjects = prepared
            .desired
            .iter()
            .map(|desired| DesiredObject {
                key: desired.key.clone(),
                gvk: desired.gvk.clone(),
                digest: desired.digest,
                wave: desired.wave,
                strict: Marks::ARGO.options_of(&desired.object).strict,
                receipt: receipts.get(&desired.key).copied(),
            })
            .collect();
        let hook_marks: Vec<HookMark> = prepared.hooks.iter().map(HookMark::of).collect();
        let digest = Digest::combine(
            objects
                .iter()
                .flat_map(|object| [Digest::of_bytes(object.key.to_string().as_bytes()), object.digest])
                .chain(hook_marks.iter().map(HookMark::asked)),
        );
        if before.as_ref().is_none_or(|before| before.digest != digest) {
            unit.reset_backoff();
        }
        if let Some(state) = cluster.as_ref().and_then(|key| self.clusters.get_mut(key)) {
            let now = RenderedUnit::watched_keys(&objects, &hook_marks);
            state.want(&unit.shared_id, before.iter().flat_map(RenderedUnit::keys), now);
            let policy = &unit.lowered.unit.policy.namespace;
            if policy.create && !(policy.labels.is_empty() && policy.annotations.is_empty()) {
                let namespace =
                    ObjectRef::new("", "Namespace", "", unit.lowered.unit.target.namespace.clone());
                state.wanted.insert(namespace, &unit.shared_id);
            }
        }
        let mut diagnostics = prepared.diagnostics;
        diagnostics.extend(cluster.iter().flat_map(|server| self.excluded(server, &objects)));
        let rendered = RenderedUnit {
            shown: prepared.unchanged_since.unwrap_or_else(|| prepared.revisions.clone()),
            revisions: prepared.revisions,
            identities: prepared.identities,
            asked: prepared.asked,
            discovery: prepared.discovery,
            source_types: prepared.source_types,
            diagnostics,
            objects,
            hook_marks,
            skipped: prepared.skipped,
            digest,
            bodies: Some(prepared.desired),
            hooks: prepared.hooks,
            failed: prepared.failed,
            reached: prepared.reached_identities,
            names: prepared.names,
        };
        if unit.synced.is_none() && unit.was_synced_at(&rendered.shown) {
            // The status of an earlier process says so.
            unit.synced = Some(rendered.digest);
        }
        unit.rendered = Some(rendered);
        // What the last attempt ran into stays true until the next one, unless an input changed.
        let failing = unit.failures > 0;
        unit.trouble.retain(|diagnostic| failing && diagnostic.kind == DiagnosticKind::Sync);
        unit.waiting = None;
    }

    /// Says which declared objects are of a kind that `resource.exclusions` excludes, in Argo CD's words: it leaves them
    /// out, while here they are deployed all the same.
    fn excluded(&self, server: &str, objects: &[DesiredObject]) -> Vec<Diagnostic> {
        let kinds: std::collections::BTreeSet<(&str, &str)> =
            objects.iter().map(|object| (object.key.group.as_str(), object.key.kind.as_str())).collect();
        let excluded: Vec<(&str, &str)> = kinds
            .into_iter()
            .filter(|(group, kind)| !self.settings.kinds.looks_at(group, kind, server))
            .collect();
        let is_excluded = |key: &ObjectRef| excluded.contains(&(key.group.as_str(), key.kind.as_str()));
        let found = objects.iter().map(|object| &object.key).filter(|key| is_excluded(key));
        found
            .map(|key| {
                let ObjectRef { group, kind, name, .. } = key;
                let message = format!("Resource {group}/{kind} {name} is excluded in the settings");
                Diagnostic::new(DiagnosticKind::ExcludedObject, message)
            })
            .collect()
    }

    fn set_extra_reads(&mut self, unit: &mut UnitState, reads: &[(SourceKey, Vec<Str>)]) {
        for (key, path) in std::mem::take(&mut unit.extra_reads) {
            if let Some(units) = self.readers.get_mut(&key).and_then(|readers| readers.get_mut(&path)) {
                units.remove(&unit.id);
            }
        }
        for (key, paths) in reads {
            for path in paths {
                self.register_reader(key, path, &unit.shared_id);
                unit.extra_reads.push((key.clone(), path.clone()));
            }
        }
        // A folder of the Unit's own may have been emptied of readers above.
        for (key, path) in unit.sources.iter().zip(&unit.source_paths) {
            self.register_reader(key, path, &unit.shared_id);
        }
    }

    /// Finds out by dry runs whether applying these objects would change anything.
    pub(super) fn check(&mut self, unit: &mut UnitState, cluster: &ClusterKey, objects: Vec<Desired>) {
        let ticket = self.ticket();
        let Some(state) = self.clusters.get(cluster) else { return };
        unit.activity = Activity::Checking(ticket);
        self.metrics.dry_runs.inc_by(objects.len() as u64);
        let target = unit.writing_to(&state.target);
        let manager = unit.lowered.unit.ownership.field_manager.clone();
        let rules = unit.rules.clone().unwrap_or_default();
        let lowered = unit.lowered.clone();
        let (permits, lens, id) = (state.permits.clone(), state.lens.clone(), unit.id.clone());
        let span = tracing::debug_span!("check", unit = %unit.id, objects = objects.len());
        let checking = async move {
            let looks: Vec<_> = objects
                .iter()
                .map(|desired| {
                    let mode = apply_mode(&desired.object, &lowered.unit);
                    check_one(&target, &lens, &manager, desired, mode, &rules)
                })
                .collect();
            let checked = stream::iter(looks).buffer_unordered(CONCURRENT_CHECKS).collect().await;
            Event::Checked(id, ticket, checked)
        };
        self.call_beside(&unit.id, permits, span, checking);
    }

    pub(super) fn on_checked(&mut self, id: &UnitId, ticket: u64, objects: Vec<CheckedObject>) {
        let Some(mut unit) = self.units.remove(id) else { return };
        if matches!(unit.activity, Activity::Checking(current) if current == ticket) {
            let cluster = self.cluster_key(&unit);
            let told_nothing = objects.iter().any(|checked| matches!(checked.found, Found::Nothing));
            unit.failed_checks = if told_nothing { unit.failed_checks.saturating_add(1) } else { 0 };
            for checked in objects {
                let Some(state) = cluster.as_ref().and_then(|key| self.clusters.get_mut(key)) else {
                    continue;
                };
                let rendered = unit.rendered.as_ref().and_then(|rendered| rendered.objects.get(&checked.key));
                let strict = rendered.map(|object| unit.strictness(object)).unwrap_or_default();
                let (live, difference, added) = match checked.found {
                    Found::Live(record, difference, added) => {
                        let live = live_state(&record, strict);
                        state.take(*record);
                        (live, difference, added)
                    }
                    Found::Gone => {
                        state.live.remove(&checked.key);
                        continue;
                    }
                    Found::Refused(problem) => match state.live.record(&checked.key) {
                        Some(known) => (live_state(known, strict), problem, Str::default()),
                        None => continue,
                    },
                    Found::Nothing => {
                        let at = Instant::now() + CHECK_RETRY.pause(unit.failed_checks);
                        unit.check_at = Some(at);
                        self.wake_at(at, id);
                        continue;
                    }
                };
                let verdict = Verdict { desired: checked.desired, live, difference, added };
                unit.verdicts.insert(checked.key, verdict);
            }
            self.idle(&mut unit);
        }
        self.units.insert(id.clone(), unit);
    }
}

impl ClusterState {
    /// Notes which objects a Unit declares.
    pub(super) fn want<'a>(
        &mut self,
        id: &Arc<UnitId>,
        before: impl Iterator<Item = &'a ObjectRef> + Clone,
        now: impl Iterator<Item = &'a ObjectRef> + Clone,
    ) {
        // Most changes are changes of content, and leave the names as they are.
        if before.clone().eq(now.clone()) {
            return;
        }
        for key in before {
            self.wanted.remove(key, id);
        }
        for key in now {
            self.wanted.insert(key.clone(), id);
        }
    }
}

impl UnitState {
    /// Whether the status said, when it was first seen, that a sync at these revisions had succeeded.
    fn was_synced_at(&self, revisions: &[Str]) -> bool {
        let previous = self.previous.operation.as_ref();
        previous.is_some_and(|operation| {
            operation.phase == windlass_model::OperationPhase::Succeeded && operation.revisions == revisions
        })
    }
}

impl Preparation {
    /// What is known before anything is rendered.
    fn begin(&self) -> PreparedUnit {
        PreparedUnit {
            desired: Vec::new(),
            hooks: Vec::new(),
            skipped: Vec::new(),
            diagnostics: Vec::new(),
            source_types: Vec::new(),
            revisions: self.sources.iter().map(|(_, source)| source.revision.clone()).collect(),
            identities: self.identities.clone(),
            damaged: Vec::new(),
            unchanged_since: None,
            read_paths: Vec::new(),
            failed: false,
            reached: Vec::new(),
            reached_identities: Vec::new(),
            asked: self.asked,
            discovery: self.discovery_version,
            names: None,
            anew: self.anew,
            pending: false,
        }
    }

    /// The sources whose files turned out to be damaged.
    fn damaged(&self) -> Vec<SourceKey> {
        let damaged = self.sources.iter().filter(|(_, source)| source.files.is_damaged());
        let reached = self.reach.touched();
        let reached = reached.iter().filter_map(|address| self.reach.known(address));
        let reached = reached.filter(|(_, known)| known.as_ref().is_ok_and(|known| known.files.is_damaged()));
        damaged.map(|(key, _)| key.clone()).chain(reached.map(|(key, _)| key.clone())).collect()
    }

    /// Says what was asked for by addresses, and whether it was there.
    fn note_reached(&self, prepared: &mut PreparedUnit) {
        prepared.names = self.reach.asked_for_names().then_some(self.names_version);
        let touched = self.reach.touched();
        if touched.len() > MAX_REACHED {
            let message = format!(
                "the sources name more than {MAX_REACHED} things by addresses (limit MAX_REACHED); \
                 bring some of them along"
            );
            prepared.diagnostics = vec![Diagnostic::new(DiagnosticKind::Render, message)];
            prepared.failed = true;
            prepared.pending = false;
            return;
        }
        if !prepared.pending {
            let known = touched.iter().filter_map(|address| self.reach.known(address));
            prepared.reached_identities = known.map(|(_, known)| identity_of(known)).collect();
        }
        let is_wanted = |address: &Address| prepared.pending || self.reach.known(address).is_some();
        prepared.reached = touched.into_iter().filter(is_wanted).collect();
    }

    /// Fails unless every source is signed as it has to be.
    fn check_signatures(&self) -> Result<(), Unprepared> {
        let mut problems = Vec::new();
        for ((spec, (_, fetched)), repository) in
            self.lowered.unit.sources.iter().zip(&self.sources).zip(&self.signed.repositories)
        {
            let Some(rule) = &spec.signatures else { continue };
            let found = match (repository, &fetched.git) {
                (Some(repository), Some(revision)) => {
                    signatures::check(repository, revision, rule, &self.signed.signers)
                }
                (Some(_), None) => Ok(vec![Diagnostic::new(DiagnosticKind::Source, signatures::UNSIGNABLE)]),
                // Not followed any more: another preparation is under way.
                _ => return Err(Unprepared::Pending),
            };
            problems.extend(found.unwrap_or_else(|error| {
                let message = format!("signatures cannot be checked: {}", windlass_source::chain(&error));
                vec![Diagnostic::new(DiagnosticKind::Source, message)]
            }));
        }
        if problems.is_empty() { Ok(()) } else { Err(Unprepared::Failed(problems)) }
    }

    fn run(&self) -> Result<PreparedUnit, Unprepared> {
        self.check_signatures()?;
        let mut prepared = self.begin();
        let unit = &self.lowered.unit;
        if let Some(local) = self.lowered.request.as_ref().filter(|request| !request.manifests.is_empty()) {
            if unit.sources.iter().any(|source| source.signatures.is_some()) {
                // Argo CD's words: nobody has signed them.
                let message = "Cannot use local manifests when source integrity is enforced";
                return Err(Unprepared::Failed(vec![Diagnostic::new(DiagnosticKind::Source, message)]));
            }
            prepared.source_types = vec![SourceType::Directory; unit.sources.len()];
            // What somebody brought along is no revision of a source.
            prepared.revisions = Vec::new();
            let manifests = local_manifests(&local.manifests).map_err(Unprepared::Failed)?;
            self.make_ready(&mut prepared, &manifests);
            return Ok(prepared);
        }
        let mut manifests: Vec<Manifest> = Vec::new();
        let mut unchanged = self.told.is_some();
        let trees: Vec<SourceTree<'_>> = self
            .sources
            .iter()
            .map(|(_, source)| SourceTree { commit: &source.revision, tree: source.files.tree() })
            .collect();
        let render = |idx: usize, tree: &dyn Tree, renderer: &Renderer, context: &mut Context<'_>| {
            let (key, _): &(SourceKey, _) = &self.sources[idx];
            let place = match key.target.chart() {
                Some(chart) => format!("{} {chart}", key.repository).into(),
                None => key.repository.clone(),
            };
            let path = &unit.sources[idx].path;
            if self.anew {
                return self.renders.render_anew(&place, tree, path, renderer, context);
            }
            self.renders.render(&place, tree, path, renderer, context)
        };
        let failed = |error: &dyn std::error::Error| {
            let message = windlass_source::chain(error);
            Unprepared::Failed(vec![Diagnostic::new(DiagnosticKind::Render, message)])
        };
        let discovery = &self.target.discovery;
        let tools = Tools { jsonnet: self.jsonnet.as_deref(), plugins: self.plugins.as_deref() };
        let rendered = render_sources(&self.lowered, &trees, discovery, tools, &self.reach, render).map_err(
            |error| match error {
                RenderError::Pending { .. } => Unprepared::Pending,
                error => failed(&error),
            },
        )?;
        for (source_idx, ((spec, (key, _)), rendered)) in
            unit.sources.iter().zip(&self.sources).zip(rendered).enumerate()
        {
            let Some(rendered) = rendered else {
                prepared.source_types.push(SourceType::Reference);
                continue;
            };
            if rendered.source_type == SourceType::Kustomize {
                self.reach.build_options().map_err(|error| failed(&error))?;
            }
            // What was fetched beside the source may be another thing now.
            unchanged = unchanged
                && rendered.fetched == windlass_render::Fetched::Nothing
                && self.is_unchanged(source_idx, &rendered.reads);
            prepared.source_types.push(rendered.source_type);
            prepared.diagnostics.extend(rendered.diagnostics.iter().cloned());
            prepared.read_paths.push((key.clone(), reads_outside(&rendered, &spec.path)));
            for (name, reads) in &rendered.reference_reads {
                let referred = unit.sources.iter().position(|spec| spec.reference == *name);
                unchanged = unchanged && referred.is_some_and(|idx| self.is_unchanged(idx, reads));
                if let Some((key, _)) = referred.map(|idx| &self.sources[idx]) {
                    prepared.read_paths.push((key.clone(), reads.paths().cloned().collect()));
                }
            }
            manifests.extend(rendered.manifests.iter().cloned());
        }
        prepared.unchanged_since =
            self.told.as_ref().filter(|_| unchanged).map(|told| told.revisions.clone());
        self.make_ready(&mut prepared, &manifests);
        Ok(prepared)
    }

    /// Makes what is declared ready for the target.
    fn make_ready(&self, prepared: &mut PreparedUnit, manifests: &[Manifest]) {
        let discovery = &self.target.discovery;
        let scope = |gvk: &windlass_kube::Gvk| ClusterState::scope(discovery, gvk);
        let ready = prepare(&self.lowered.unit, &self.lowered.permissions, manifests, scope, &Marks::ARGO);
        prepared.desired = ready.desired;
        prepared.hooks = ready.hooks;
        prepared.skipped = ready.skipped;
        prepared.diagnostics.extend(ready.diagnostics);
    }
}

/// The objects that an operation brings along; if one cannot be read, none is used.
fn local_manifests(texts: &[Str]) -> Result<Vec<Manifest>, Vec<Diagnostic>> {
    let mut manifests = Vec::with_capacity(texts.len());
    let mut problems = Vec::new();
    for (idx, text) in texts.iter().enumerate() {
        let origin = Origin { file: format!("operation.sync.manifests[{idx}]").into(), line: 0 };
        let read = windlass_yaml::load(text).map_err(|error| error.to_string());
        match read.and_then(|value| Object::try_new(value).map_err(|error| error.to_string())) {
            Ok(object) => manifests.push(Manifest { object, origin }),
            Err(problem) => {
                let message = format!("is no object: {problem}");
                problems.push(Diagnostic::new(DiagnosticKind::Render, message).at(origin));
            }
        }
    }
    if problems.is_empty() { Ok(manifests) } else { Err(problems) }
}

impl Preparation {
    /// Whether what was read of a source reads the same at the revision that the status names.
    fn is_unchanged(&self, source_idx: usize, reads: &ReadSet) -> bool {
        let Some(told) = &self.told else { return false };
        let revision = &told.revisions[source_idx];
        if *revision == self.sources[source_idx].1.revision {
            return true;
        }
        let Some(repository) = &told.repositories[source_idx] else { return false };
        // A commit that is no longer here cannot be compared with; then its name is news.
        let tree = revision.parse().ok().and_then(|revision| repository.tree(revision).ok().flatten());
        tree.is_some_and(|tree| reads.holds_in(&tree).unwrap_or(false))
    }
}

fn reads_outside(rendered: &Rendered, folder: &str) -> Vec<Str> {
    let inside = |path: &str| {
        folder.is_empty()
            || path.strip_prefix(folder).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    };
    rendered.reads.paths().filter(|path| !inside(path)).cloned().collect()
}

async fn check_one(
    target: &ClusterTarget,
    lens: &Lens,
    manager: &str,
    desired: &Desired,
    mode: ApplyMode,
    rules: &Rules,
) -> CheckedObject {
    let found = look_at(target, lens, manager, desired, mode, rules).await;
    CheckedObject { key: desired.key.clone(), desired: desired.digest, found }
}

async fn look_at(
    target: &ClusterTarget,
    lens: &Lens,
    manager: &str,
    desired: &Desired,
    mode: ApplyMode,
    rules: &Rules,
) -> Found {
    // Not served any more: its watch tells what becomes of it.
    let Some(resource) = target.discovery.serving(&desired.gvk) else { return Found::Nothing };
    let live = match target.client.get(resource, &desired.key.namespace, &desired.key.name).await {
        Ok(live) => live,
        Err(error) if error.is_not_found() => return Found::Gone,
        Err(error) if error.is_refusal() => return Found::Refused(format!("cannot be read: {error}").into()),
        // What cannot be looked at is not gone.
        Err(_) => return Found::Nothing,
    };
    let mut told = Str::default();
    let difference = match predict(target, &desired.gvk, &desired.object, manager, mode).await {
        Ok(predicted) => {
            let predicted = match mode.strict {
                Strict::Off => predicted,
                Strict::Report => {
                    let lines: Vec<String> =
                        added(&predicted, manager, rules).iter().map(ToString::to_string).collect();
                    told = lines.join("; ").into();
                    predicted
                }
                Strict::Revert => without_added(predicted, manager, rules),
            };
            let normalised = normalise(&predicted, &live, rules);
            for problem in &normalised.problems {
                tracing::warn!(object = %desired.key, %problem, "an expression of ignoreDifferences failed");
            }
            sentence(&differences(&normalised.desired, &normalised.live, &live, manager)).into()
        }
        Err(error) if error.kind == CallErrorKind::Transient => return Found::Nothing,
        Err(error) => format!("would be refused: {error}").into(),
    };
    Found::Live(Box::new(lens.record(&live)), difference, told)
}

/// Whether the answer to "is it as declared" is worth a dry run.
pub(super) fn wants_check(comparison: Comparison) -> bool {
    matches!(
        comparison,
        Comparison::Unowned
            | Comparison::Unverified
            | Comparison::Changed
            | Comparison::Drifted
            | Comparison::Added
    )
}
