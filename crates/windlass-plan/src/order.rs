//! In which order kinds are applied.

/// The kinds that others depend on come first, those that depend on others come last.
///
/// The order is Argo CD's (`gitops-engine` v3, `pkg/sync/sync_tasks.go`); kinds that are not named come last.
const KIND_ORDER: [&str; 35] = [
    "Namespace",
    "NetworkPolicy",
    "ResourceQuota",
    "LimitRange",
    "PodSecurityPolicy",
    "PodDisruptionBudget",
    "ServiceAccount",
    "Secret",
    "SecretList",
    "ConfigMap",
    "StorageClass",
    "PersistentVolume",
    "PersistentVolumeClaim",
    "CustomResourceDefinition",
    "ClusterRole",
    "ClusterRoleList",
    "ClusterRoleBinding",
    "ClusterRoleBindingList",
    "Role",
    "RoleList",
    "RoleBinding",
    "RoleBindingList",
    "Service",
    "DaemonSet",
    "Pod",
    "ReplicationController",
    "ReplicaSet",
    "Deployment",
    "HorizontalPodAutoscaler",
    "StatefulSet",
    "Job",
    "CronJob",
    "IngressClass",
    "Ingress",
    "APIService",
];

/// The rank of a kind: smaller ones are applied first and pruned last.
#[must_use]
pub fn kind_rank(kind: &str) -> u16 {
    let rank = KIND_ORDER.iter().position(|known| *known == kind).unwrap_or(KIND_ORDER.len());
    u16::try_from(rank).unwrap_or(u16::MAX)
}
