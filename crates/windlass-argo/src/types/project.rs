//! What an AppProject asks for.

use windlass_kube::{Object, Str};

use crate::field::{Entries, Field, FieldProblem, Reader, object, text};
use crate::types::Destination;

object! {
    /// What an AppProject allows.
    ProjectSpec {
        /// Where Applications may come from.
        source_repos "sourceRepos": Box<[Str]>,
        /// Where they may go.
        destinations "destinations": Box<[Destination]>,
        /// For people.
        description "description": ProjectDescription,
        /// Roles for people and machines.
        roles "roles": Box<[ProjectRole]>,
        /// Cluster-scoped kinds that may be deployed.
        cluster_resource_whitelist "clusterResourceWhitelist": Box<[ClusterKind]>,
        /// Namespaced kinds that may not be deployed.
        namespace_resource_blacklist "namespaceResourceBlacklist": Box<[NamespacedKind]>,
        /// Whether and how objects that belong to no Application are watched.
        orphaned_resources "orphanedResources": Option<Box<OrphanedResources>>,
        /// When syncs are allowed.
        sync_windows "syncWindows": Box<[SyncWindow]>,
        /// Namespaced kinds that may be deployed; all when absent.
        namespace_resource_whitelist "namespaceResourceWhitelist": Option<Box<[NamespacedKind]>>,
        /// Keys that commits must be signed with.
        signature_keys "signatureKeys": Box<[SignatureKey]>,
        /// Cluster-scoped kinds that may not be deployed.
        cluster_resource_blacklist "clusterResourceBlacklist": Box<[ClusterKind]>,
        /// Namespaces in which Applications may live.
        source_namespaces "sourceNamespaces": Box<[Str]>,
        /// Whether only clusters of this project may be used.
        permit_only_project_scoped_clusters "permitOnlyProjectScopedClusters": bool,
        /// Service accounts that syncs act as.
        destination_service_accounts "destinationServiceAccounts": Box<[DestinationServiceAccount]>,
        /// How commits must be signed.
        source_integrity "sourceIntegrity": Option<Box<SourceIntegrity>>,
    }

    /// A role of a project.
    ProjectRole {
        /// Its name.
        name "name": Str [required],
        /// For people.
        description "description": Str,
        /// What it may do.
        policies "policies": Box<[Str]>,
        /// Tokens that were given out.
        jwt_tokens "jwtTokens": Box<[JwtToken]>,
        /// Groups whose members have it.
        groups "groups": Box<[Str]>,
    }

    /// A token that was given out.
    JwtToken {
        /// When, in seconds since 1970.
        issued_at "iat": i64 [required],
        /// Until when, in seconds since 1970.
        expires_at "exp": i64,
        /// Its id.
        id "id": Str,
    }

    /// A cluster-scoped kind, by patterns.
    ClusterKind {
        /// The group.
        group "group": Str [required],
        /// The kind.
        kind "kind": Str [required],
        /// The name; any when empty.
        name "name": Str,
    }

    /// A namespaced kind, by patterns.
    NamespacedKind {
        /// The group.
        group "group": Str [required],
        /// The kind.
        kind "kind": Str [required],
    }

    /// How objects that belong to no Application are watched.
    OrphanedResources {
        /// Whether a condition says how many there are; it does not when absent.
        warn "warn": Option<bool>,
        /// Objects that do not count.
        ignore "ignore": Box<[OrphanedKey]>,
    }

    /// Objects by group, kind and name.
    OrphanedKey {
        /// The group.
        group "group": Str,
        /// The kind.
        kind "kind": Str,
        /// The name.
        name "name": Str,
    }

    /// When syncs are allowed.
    SyncWindow {
        /// Whether it allows or denies: `allow` or `deny`.
        kind "kind": Str,
        /// When it opens, as a cron line.
        schedule "schedule": Str,
        /// For how long.
        duration "duration": Str,
        /// Which Applications it is for.
        applications "applications": Box<[Str]>,
        /// Which namespaces it is for.
        namespaces "namespaces": Box<[Str]>,
        /// Which clusters it is for.
        clusters "clusters": Box<[Str]>,
        /// Whether people may sync all the same.
        manual_sync "manualSync": bool,
        /// The time zone of the schedule.
        time_zone "timeZone": Str,
        /// Whether all three lists must match instead of one.
        and_operator "andOperator": bool,
        /// For people.
        description "description": Str,
        /// Whether a sync that has begun may go on when it closes.
        sync_overrun "syncOverrun": bool,
    }

    /// A key that commits may be signed with.
    SignatureKey {
        /// Its id.
        key_id "keyID": Str [required],
    }

    /// The service account that syncs to a place act as.
    DestinationServiceAccount {
        /// The server.
        server "server": Str [required],
        /// The namespace.
        namespace "namespace": Str,
        /// The account, written `name` or `namespace:name`.
        default_service_account "defaultServiceAccount": Str [required],
    }

    /// How sources must be signed.
    SourceIntegrity {
        /// In Git.
        git "git": Option<Box<GitIntegrity>> [required],
    }

    /// How commits must be signed.
    GitIntegrity {
        /// Rules; those whose repositories match count.
        policies "policies": Box<[GitIntegrityPolicy]> [required],
    }

    /// How commits of some repositories must be signed.
    GitIntegrityPolicy {
        /// The repositories.
        repos "repos": Box<[IntegrityRepository]> [required],
        /// The signature.
        gpg "gpg": Option<Box<GpgPolicy>> [required],
    }

    /// Repositories by their URL.
    IntegrityRepository {
        /// The pattern.
        url "url": Str [required],
    }

    /// Signatures by GnuPG keys.
    GpgPolicy {
        /// What must be signed: `none`, `head` or `strict`.
        mode "mode": Str [required],
        /// The keys.
        keys "keys": Box<[Str]> [required],
    }

    /// How an AppProject is.
    ProjectStatus {
        /// Tokens that were given out, by role.
        jwt_tokens_by_role "jwtTokensByRole": Entries<JwtTokens>,
    }

    /// Tokens that were given out.
    JwtTokens {
        /// The tokens.
        items "items": Box<[JwtToken]>,
    }
}

text! {
    /// What people should know of a project.
    ProjectDescription {"type": "string", "maxLength": 255}
}

/// An AppProject, without its metadata.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct AppProject {
    /// What it allows.
    pub spec: ProjectSpec,
    /// How it is.
    pub status: ProjectStatus,
}

impl AppProject {
    /// Reads an AppProject; what is unknown or of a wrong type is named and left out.
    #[must_use]
    pub fn read(object: &Object) -> (Self, Vec<FieldProblem>) {
        let mut reader = Reader::default();
        let mut read = Self::default();
        for (key, value) in object.as_map().iter() {
            match key.as_str() {
                "spec" => read.spec = reader.below(key, |reader| Field::read(value, reader)),
                "status" => read.status = reader.below(key, |reader| Field::read(value, reader)),
                "apiVersion" | "kind" | "metadata" => {}
                other => reader.unknown(other),
            }
        }
        (read, reader.problems)
    }
}
