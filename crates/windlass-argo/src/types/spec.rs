//! What an Application asks for.

use windlass_kube::{Object, Str, Value};

use crate::field::{Entries, Field, FieldProblem, Reader, object};
use crate::types::{NameValue, Source, SourceHydrator, Status};

object! {
    /// What an Application asks for.
    ApplicationSpec {
        /// Where it comes from.
        source "source": Option<Box<Source>>,
        /// Where it goes.
        destination "destination": Destination [required],
        /// The AppProject it is in.
        project "project": Str [required],
        /// When and how it is synced.
        sync_policy "syncPolicy": Option<Box<SyncPolicy>>,
        /// Differences that do not count.
        ignore_differences "ignoreDifferences": Box<[IgnoreDifference]>,
        /// Things for people to know.
        info "info": Box<[NameValue]>,
        /// How many deployments are remembered; 10 when absent.
        revision_history_limit "revisionHistoryLimit": Option<i64>,
        /// Where it comes from, if from several sources.
        sources "sources": Box<[Source]>,
        /// Renders, commits and syncs what was committed.
        source_hydrator "sourceHydrator": Option<Box<SourceHydrator>>,
    }

    /// Where an Application goes.
    Destination {
        /// The URL of the cluster's API server.
        server "server": Str,
        /// The namespace for objects that name none.
        namespace "namespace": Str,
        /// The name of the cluster, instead of its URL.
        name "name": Str,
    }

    /// When and how an Application is synced.
    SyncPolicy {
        /// Syncs by itself.
        automated "automated": Option<Automated>,
        /// Options, each written `Name=value`.
        sync_options "syncOptions": Box<[Str]>,
        /// How failed syncs are repeated.
        retry "retry": Option<Box<RetryStrategy>>,
        /// Labels and annotations for the namespace that CreateNamespace makes.
        managed_namespace_metadata "managedNamespaceMetadata": Option<Box<ManagedNamespaceMetadata>>,
    }

    /// How an Application syncs by itself.
    Automated {
        /// Whether objects that are no longer declared are deleted.
        prune "prune": Option<bool>,
        /// Whether drift is undone.
        self_heal "selfHeal": Option<bool>,
        /// Whether everything may be deleted because nothing is declared any more.
        allow_empty "allowEmpty": Option<bool>,
        /// Whether automation is on; it is when absent.
        enabled "enabled": Option<bool>,
    }

    /// How failed syncs are repeated.
    RetryStrategy {
        /// How often; without end when negative.
        limit "limit": i64,
        /// The pauses.
        backoff "backoff": Option<Box<BackoffSpec>>,
        /// Whether each attempt looks for a newer revision.
        refresh "refresh": bool,
    }

    /// Pauses between attempts.
    BackoffSpec {
        /// The first pause: seconds, or a duration such as `2m`.
        duration "duration": Str,
        /// Each pause is this many times the one before.
        factor "factor": Option<i64>,
        /// No pause is longer.
        max_duration "maxDuration": Str,
    }

    /// Labels and annotations for a namespace.
    ManagedNamespaceMetadata {
        /// Its labels.
        labels "labels": Entries<Str>,
        /// Its annotations.
        annotations "annotations": Entries<Str>,
    }

    /// Differences that do not count.
    IgnoreDifference {
        /// The group of the objects.
        group "group": Str,
        /// Their kind.
        kind "kind": Str [required],
        /// Their name; any when empty.
        name "name": Str,
        /// Their namespace; any when empty.
        namespace "namespace": Str,
        /// Fields, as JSON pointers.
        json_pointers "jsonPointers": Box<[Str]>,
        /// Fields, as jq expressions.
        jq_path_expressions "jqPathExpressions": Box<[Str]>,
        /// Managers whose fields do not count.
        managed_fields_managers "managedFieldsManagers": Box<[Str]>,
    }

    /// A request to do something now.
    Operation {
        /// Sync.
        sync "sync": Option<Box<SyncOperation>>,
        /// Who asked.
        initiated_by "initiatedBy": OperationInitiator,
        /// Things for people to know.
        info "info": Box<[NameValue]>,
        /// How it is repeated when it fails.
        retry "retry": RetryStrategy,
    }

    /// Who asked for an operation.
    OperationInitiator {
        /// The user.
        username "username": Str,
        /// Whether the policy did.
        automated "automated": bool,
    }

    /// A request to sync.
    SyncOperation {
        /// The revision to sync to, if not the declared one.
        revision "revision": Str,
        /// Whether objects that are no longer declared are deleted.
        prune "prune": bool,
        /// Whether nothing is changed.
        dry_run "dryRun": bool,
        /// How objects are applied.
        sync_strategy "syncStrategy": Option<Box<SyncStrategy>>,
        /// Only these objects.
        resources "resources": Box<[SyncOperationResource]>,
        /// The source to use instead of the declared one.
        source "source": Option<Box<Source>>,
        /// Objects to use instead of the declared ones.
        manifests "manifests": Box<[Str]>,
        /// Options, each written `Name=value`.
        sync_options "syncOptions": Box<[Str]>,
        /// The sources to use instead of the declared ones.
        sources "sources": Box<[Source]>,
        /// The revisions to sync to, one per source.
        revisions "revisions": Box<[Str]>,
        /// How often drift was undone in a row.
        self_heal_attempts "autoHealAttemptsCount": i64,
    }

    /// How objects are applied.
    SyncStrategy {
        /// Without hooks.
        apply "apply": Option<ForceOption>,
        /// With hooks.
        hook "hook": Option<ForceOption>,
    }

    /// Whether objects may be deleted and created anew.
    ForceOption {
        /// Whether they may.
        force "force": bool,
    }

    /// One object to be synced.
    SyncOperationResource {
        /// Its group.
        group "group": Str,
        /// Its kind.
        kind "kind": Str [required],
        /// Its name.
        name "name": Str [required],
        /// Its namespace; any when empty.
        namespace "namespace": Str,
    }
}

/// An Application, without its metadata.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Application {
    /// What it asks for.
    pub spec: ApplicationSpec,
    /// How it is.
    pub status: Status,
    /// What somebody asks to do now.
    pub operation: Option<Box<Operation>>,
}

impl Application {
    /// Reads an Application; what is unknown or of a wrong type is named and left out.
    #[must_use]
    pub fn read(object: &Object) -> (Self, Vec<FieldProblem>) {
        let mut reader = Reader::default();
        let mut read = Self::default();
        for (key, value) in object.as_map().iter() {
            match key.as_str() {
                "spec" => read.spec = reader.below(key, |reader| Field::read(value, reader)),
                "status" => read.status = reader.below(key, |reader| Field::read(value, reader)),
                "operation" => read.operation = reader.below(key, |reader| Field::read(value, reader)),
                "apiVersion" | "kind" | "metadata" => {}
                other => reader.unknown(other),
            }
        }
        (read, reader.problems)
    }
}

impl ApplicationSpec {
    /// The sources that count: the list when it is not empty, the single one otherwise.
    #[must_use]
    pub fn sources(&self) -> &[Source] {
        match &self.source {
            _ if !self.sources.is_empty() => &self.sources,
            Some(source) => std::slice::from_ref(source),
            None => &[],
        }
    }

    /// As it stands in an object.
    #[must_use]
    pub fn to_value(&self) -> Value {
        self.write()
    }

    /// The same with other sources, in the list or alone.
    #[must_use]
    pub fn with_sources(&self, sources: &[Source], as_list: bool) -> Self {
        let alone = sources.first().filter(|_| !as_list).cloned().map(Box::new);
        let list = if as_list { sources.into() } else { Box::default() };
        Self { source: alone, sources: list, source_hydrator: None, ..self.clone() }
    }

    /// Whether the list of sources counts.
    #[must_use]
    pub fn has_multiple_sources(&self) -> bool {
        !self.sources.is_empty()
    }
}

impl Operation {
    /// Whether it names sources in the list.
    pub(crate) fn has_list_of_sources(&self) -> bool {
        self.sync.as_deref().is_some_and(|sync| !sync.sources.is_empty())
    }

    /// As it stands in an object.
    #[must_use]
    pub fn to_value(&self) -> Value {
        self.write()
    }
}

impl SyncStrategy {
    /// Whether objects may be deleted and created anew, under either strategy.
    pub(crate) fn force(&self) -> bool {
        [&self.apply, &self.hook].into_iter().flatten().any(|option| option.force)
    }
}
