//! Which kinds live in namespaces, where no server can be asked.

use std::collections::HashMap;

use windlass_kube::{GroupKind, Gvk, Object};
use windlass_plan::Scope;

/// The groups of Kubernetes itself, as kube-apiserver 1.36.3 serves them. Others that end in `.k8s.io`, as that of the
/// Gateway API, come by definitions of their own.
const GROUPS: [&str; 21] = [
    "",
    "admissionregistration.k8s.io",
    "apiextensions.k8s.io",
    "apiregistration.k8s.io",
    "apps",
    "authentication.k8s.io",
    "authorization.k8s.io",
    "autoscaling",
    "batch",
    "certificates.k8s.io",
    "coordination.k8s.io",
    "discovery.k8s.io",
    "events.k8s.io",
    "flowcontrol.apiserver.k8s.io",
    "networking.k8s.io",
    "node.k8s.io",
    "policy",
    "rbac.authorization.k8s.io",
    "resource.k8s.io",
    "scheduling.k8s.io",
    "storage.k8s.io",
];

/// Their kinds that live in no namespace (`kubectl api-resources --namespaced=false`, kube-apiserver 1.36.3).
const CLUSTER_KINDS: [(&str, &str); 34] = [
    ("", "ComponentStatus"),
    ("", "Namespace"),
    ("", "Node"),
    ("", "PersistentVolume"),
    ("admissionregistration.k8s.io", "MutatingAdmissionPolicy"),
    ("admissionregistration.k8s.io", "MutatingAdmissionPolicyBinding"),
    ("admissionregistration.k8s.io", "MutatingWebhookConfiguration"),
    ("admissionregistration.k8s.io", "ValidatingAdmissionPolicy"),
    ("admissionregistration.k8s.io", "ValidatingAdmissionPolicyBinding"),
    ("admissionregistration.k8s.io", "ValidatingWebhookConfiguration"),
    ("apiextensions.k8s.io", "CustomResourceDefinition"),
    ("apiregistration.k8s.io", "APIService"),
    ("authentication.k8s.io", "SelfSubjectReview"),
    ("authentication.k8s.io", "TokenReview"),
    ("authorization.k8s.io", "SelfSubjectAccessReview"),
    ("authorization.k8s.io", "SelfSubjectRulesReview"),
    ("authorization.k8s.io", "SubjectAccessReview"),
    ("certificates.k8s.io", "CertificateSigningRequest"),
    ("flowcontrol.apiserver.k8s.io", "FlowSchema"),
    ("flowcontrol.apiserver.k8s.io", "PriorityLevelConfiguration"),
    ("networking.k8s.io", "IPAddress"),
    ("networking.k8s.io", "IngressClass"),
    ("networking.k8s.io", "ServiceCIDR"),
    ("node.k8s.io", "RuntimeClass"),
    ("rbac.authorization.k8s.io", "ClusterRole"),
    ("rbac.authorization.k8s.io", "ClusterRoleBinding"),
    ("resource.k8s.io", "DeviceClass"),
    ("resource.k8s.io", "ResourceSlice"),
    ("scheduling.k8s.io", "PriorityClass"),
    ("storage.k8s.io", "CSIDriver"),
    ("storage.k8s.io", "CSINode"),
    ("storage.k8s.io", "StorageClass"),
    ("storage.k8s.io", "VolumeAttachment"),
    ("storage.k8s.io", "VolumeAttributesClass"),
];

/// Which kinds live in namespaces, as far as files can tell.
pub(crate) struct Scopes {
    seen: HashMap<GroupKind, Scope>,
}

impl Scopes {
    /// What `live` objects tell: definitions among them, and where any other object is.
    pub(crate) fn of(live: &[Object]) -> Self {
        let mut seen = HashMap::new();
        for object in live {
            let scope = if object.namespace().is_empty() { Scope::Cluster } else { Scope::Namespaced };
            seen.insert(object.gvk().group_kind(), scope);
        }
        // What they say counts more than where an object was seen.
        for object in live.iter().filter(|object| object.kind() == "CustomResourceDefinition") {
            let kind =
                GroupKind::new(object.str_at(&["spec", "group"]), object.str_at(&["spec", "names", "kind"]));
            let is_namespaced = object.str_at(&["spec", "scope"]) == "Namespaced";
            seen.insert(kind, if is_namespaced { Scope::Namespaced } else { Scope::Cluster });
        }
        Self { seen }
    }

    /// Where objects of a kind live.
    pub(crate) fn scope(&self, gvk: &Gvk) -> Scope {
        let (group, kind) = (gvk.group.as_str(), gvk.kind.as_str());
        if CLUSTER_KINDS.contains(&(group, kind)) {
            Scope::Cluster
        } else if GROUPS.contains(&group) {
            Scope::Namespaced
        } else {
            self.seen.get(&gvk.group_kind()).copied().unwrap_or(Scope::Unknown)
        }
    }
}

#[cfg(test)]
mod tests {
    use windlass_kube::value;

    use super::*;

    #[test]
    fn kinds_are_known_by_kubernetes_by_definitions_and_by_what_is_live() {
        let object = |value| Object::try_new(value).expect("it has apiVersion and kind");
        let live = [
            object(value!({
                "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
                "metadata": {"name": "clusterissuers.cert-manager.io"},
                "spec": {"group": "cert-manager.io", "names": {"kind": "ClusterIssuer"}, "scope": "Cluster"},
            })),
            object(value!({
                "apiVersion": "gateway.networking.k8s.io/v1", "kind": "GatewayClass", "metadata": {"name": "a"},
            })),
            object(value!({
                "apiVersion": "gateway.networking.k8s.io/v1", "kind": "Gateway",
                "metadata": {"name": "a", "namespace": "web"},
            })),
        ];
        let scopes = Scopes::of(&live);
        for (group, version, kind, scope) in [
            ("", "v1", "ConfigMap", Scope::Namespaced),
            ("", "v1", "Namespace", Scope::Cluster),
            ("storage.k8s.io", "v1", "CSINode", Scope::Cluster),
            ("storage.k8s.io", "v1", "CSIStorageCapacity", Scope::Namespaced),
            ("cert-manager.io", "v1", "ClusterIssuer", Scope::Cluster),
            ("cert-manager.io", "v1", "Issuer", Scope::Unknown),
            ("gateway.networking.k8s.io", "v1", "GatewayClass", Scope::Cluster),
            ("gateway.networking.k8s.io", "v1", "Gateway", Scope::Namespaced),
            ("snapshot.storage.k8s.io", "v1", "VolumeSnapshotClass", Scope::Unknown),
        ] {
            assert_eq!(scopes.scope(&Gvk::new(group, version, kind)), scope, "{group}/{kind}");
        }
    }
}
