//! Kinds whose health takes more than a table: counting, combining, looking into several lists.

mod flux;
mod gateway;
mod mesh;
mod numa;
mod operators;
mod platform;
mod promoter;
mod rollout;
mod workloads;

use windlass_kube::{Object, Value};
use windlass_model::{Health, HealthStatus};

use crate::condition::items;

type Check = fn(&Object) -> Option<Health>;

/// The check of a kind, exactly.
pub(super) fn find(group: &str, kind: &str) -> Option<Check> {
    KINDS.iter().find(|(of, name, _)| *of == group && *name == kind).map(|(_, _, check)| *check)
}

/// The check of every kind of some groups.
pub(super) fn find_pattern(group: &str) -> Option<Check> {
    let ends = |end: &str| group.ends_with(end);
    match group {
        _ if ends(".crossplane.io") => Some(operators::crossplane),
        _ if ends(".upbound.io") => Some(operators::upbound),
        "microgateway.airlock.com" => Some(gateway::airlock),
        _ => None,
    }
}

/// All kinds that are here, as group and kind; `_` is any.
pub(super) fn kinds() -> impl Iterator<Item = (&'static str, &'static str)> {
    let patterns = [("_.crossplane.io", "_"), ("_.upbound.io", "_"), ("microgateway.airlock.com", "_")];
    KINDS.iter().map(|(group, kind, _)| (*group, *kind)).chain(patterns)
}

const KINDS: &[(&str, &str, Check)] = &[
    ("apps.3scale.net", "APIManager", operators::api_manager),
    ("apps.kruise.io", "DaemonSet", workloads::kruise_daemon_set),
    ("apps.kruise.io", "StatefulSet", workloads::kruise_stateful_set),
    ("apps.openshift.io", "DeploymentConfig", workloads::deployment_config),
    ("argoproj.io", "Rollout", rollout::rollout),
    ("capsule.clastix.io", "ResourcePool", operators::resource_pool),
    ("cassandra.rook.io", "Cluster", operators::cassandra),
    ("ceph.rook.io", "CephCluster", operators::ceph_cluster),
    ("cloudfront.aws.crossplane.io", "Distribution", operators::aws),
    ("cluster.x-k8s.io", "MachinePool", platform::machine_pool),
    ("controlplane.cluster.x-k8s.io", "AWSManagedControlPlane", platform::aws_control_plane),
    ("core.spinkube.dev", "SpinApp", workloads::spin_app),
    ("elasticsearch.k8s.elastic.co", "Elasticsearch", operators::elasticsearch),
    ("external-secrets.io", "ClusterExternalSecret", operators::cluster_external_secret),
    ("flagger.app", "Canary", rollout::canary),
    ("game.kruise.io", "GameServer", workloads::game_server),
    ("game.kruise.io", "GameServerSet", workloads::game_server_set),
    ("gateway.envoyproxy.io", "BackendTrafficPolicy", gateway::envoy_policy),
    ("gateway.envoyproxy.io", "ClientTrafficPolicy", gateway::envoy_policy),
    ("gateway.envoyproxy.io", "EnvoyExtensionPolicy", gateway::envoy_policy),
    ("gateway.envoyproxy.io", "EnvoyPatchPolicy", gateway::envoy_policy),
    ("gateway.envoyproxy.io", "SecurityPolicy", gateway::envoy_policy),
    ("gateway.networking.k8s.io", "BackendTLSPolicy", gateway::backend_tls_policy),
    ("gateway.networking.k8s.io", "GRPCRoute", gateway::route),
    ("gateway.networking.k8s.io", "Gateway", gateway::gateway),
    ("gateway.networking.k8s.io", "HTTPRoute", gateway::route),
    ("gateway.networking.k8s.io", "ListenerSet", gateway::listener_set),
    ("gateway.networking.k8s.io", "TLSRoute", gateway::tls_route),
    ("gateway.solo.io", "Gateway", mesh::solo),
    ("gateway.solo.io", "MatchableHttpGateway", mesh::solo),
    ("gateway.solo.io", "RouteOption", mesh::solo),
    ("gateway.solo.io", "RouteTable", mesh::solo),
    ("gateway.solo.io", "VirtualHostOption", mesh::solo),
    ("gateway.solo.io", "VirtualService", mesh::solo),
    ("gloo.solo.io", "Proxy", mesh::solo),
    ("gloo.solo.io", "Settings", mesh::solo),
    ("gloo.solo.io", "Upstream", mesh::solo),
    ("gloo.solo.io", "UpstreamGroup", mesh::solo),
    ("grafana.integreatly.org", "GrafanaDashboard", operators::grafana_part),
    ("grafana.integreatly.org", "GrafanaFolder", operators::grafana_part),
    ("helm.toolkit.fluxcd.io", "HelmRelease", flux::flux),
    ("iam.aws.crossplane.io", "Policy", operators::aws),
    ("iam.aws.crossplane.io", "Role", operators::aws),
    ("iam.aws.crossplane.io", "RolePolicyAttachment", operators::aws),
    ("iammanager.keikoproj.io", "Iamrole", operators::iam_role),
    ("image.toolkit.fluxcd.io", "ImagePolicy", flux::flux),
    ("image.toolkit.fluxcd.io", "ImageRepository", flux::flux),
    ("image.toolkit.fluxcd.io", "ImageUpdateAutomation", flux::flux),
    ("k8s.keycloak.org", "Keycloak", operators::keycloak),
    ("k8s.mariadb.com", "Database", operators::mariadb_part),
    ("k8s.mariadb.com", "Grant", operators::mariadb_part),
    ("k8s.mariadb.com", "SqlJob", operators::mariadb_job),
    ("k8s.mariadb.com", "User", operators::mariadb_part),
    ("kafka.banzaicloud.io", "KafkaCluster", operators::kafka_cluster),
    ("keda.sh", "ScaledJob", workloads::scaled),
    ("keda.sh", "ScaledObject", workloads::scaled),
    ("kiali.io", "Kiali", mesh::kiali),
    ("kubevirt.io", "VirtualMachine", platform::virtual_machine),
    ("kubevirt.io", "VirtualMachineInstance", platform::virtual_machine_instance),
    ("kustomize.toolkit.fluxcd.io", "Kustomization", flux::flux),
    ("monitoring.coreos.com", "Alertmanager", operators::prometheus),
    ("monitoring.coreos.com", "Prometheus", operators::prometheus),
    ("monitoring.coreos.com", "ThanosRuler", operators::prometheus),
    ("networking.gke.io", "ManagedCertificate", platform::managed_certificate),
    ("notification.toolkit.fluxcd.io", "Receiver", flux::flux),
    ("numaflow.numaproj.io", "InterStepBufferService", numa::flow),
    ("numaflow.numaproj.io", "MonoVertex", numa::flow),
    ("numaflow.numaproj.io", "Pipeline", numa::flow),
    ("numaflow.numaproj.io", "Vertex", numa::flow),
    ("numaplane.numaproj.io", "ISBServiceRollout", numa::plane),
    ("numaplane.numaproj.io", "MonoVertexRollout", numa::plane),
    ("numaplane.numaproj.io", "NumaflowControllerRollout", numa::plane),
    ("numaplane.numaproj.io", "PipelineRollout", numa::plane),
    ("ocs.openshift.io", "StorageCluster", platform::storage_cluster),
    ("opentelemetry.io", "OpenTelemetryCollector", workloads::collector),
    ("operator.knative.dev", "KnativeEventing", mesh::knative_operator),
    ("operator.knative.dev", "KnativeServing", mesh::knative_operator),
    ("operators.coreos.com", "Subscription", platform::subscription),
    ("pkg.crossplane.io", "Provider", operators::crossplane_provider),
    ("policies.kyverno.io", "DeletingPolicy", operators::kyverno_policy),
    ("policies.kyverno.io", "GeneratingPolicy", operators::kyverno_policy),
    ("policies.kyverno.io", "ImageValidatingPolicy", operators::kyverno_policy),
    ("policies.kyverno.io", "MutatingPolicy", operators::kyverno_policy),
    ("policies.kyverno.io", "NamespacedDeletingPolicy", operators::kyverno_policy),
    ("policies.kyverno.io", "NamespacedGeneratingPolicy", operators::kyverno_policy),
    ("policies.kyverno.io", "NamespacedImageValidatingPolicy", operators::kyverno_policy),
    ("policies.kyverno.io", "NamespacedMutatingPolicy", operators::kyverno_policy),
    ("policies.kyverno.io", "NamespacedValidatingPolicy", operators::kyverno_policy),
    ("policies.kyverno.io", "ValidatingPolicy", operators::kyverno_policy),
    ("policy.open-cluster-management.io", "ConfigurationPolicy", platform::configuration_policy),
    ("policy.open-cluster-management.io", "Policy", platform::governed_policy),
    ("postgresql.cnpg.io", "Cluster", operators::cnpg_cluster),
    ("proclaim.dogmatiq.io", "DNSSDServiceInstance", mesh::service_instance),
    ("projectcontour.io", "HTTPProxy", mesh::http_proxy),
    ("promoter.argoproj.io", "ArgoCDCommitStatus", promoter::promoter),
    ("promoter.argoproj.io", "ChangeTransferPolicy", promoter::promoter),
    ("promoter.argoproj.io", "ClusterScmProvider", promoter::promoter),
    ("promoter.argoproj.io", "CommitStatus", promoter::promoter),
    ("promoter.argoproj.io", "GitCommitStatus", promoter::promoter),
    ("promoter.argoproj.io", "GitRepository", promoter::promoter),
    ("promoter.argoproj.io", "PromotionStrategy", promoter::promoter),
    ("promoter.argoproj.io", "PullRequest", promoter::promoter),
    ("promoter.argoproj.io", "ScmProvider", promoter::promoter),
    ("promoter.argoproj.io", "TimedCommitStatus", promoter::promoter),
    ("promoter.argoproj.io", "WebRequestCommitStatus", promoter::promoter),
    ("rabbitmq.com", "RabbitmqCluster", operators::rabbitmq_cluster),
    ("rds.aws.crossplane.io", "DBCluster", operators::aws),
    ("rds.aws.crossplane.io", "DBInstance", operators::aws),
    ("route.openshift.io", "Route", platform::route),
    ("route53.aws.crossplane.io", "ResourceRecordSet", operators::aws),
    ("s3.aws.crossplane.io", "Bucket", operators::aws),
    ("serving.knative.dev", "Service", mesh::knative_service),
    ("serving.kserve.io", "InferenceService", mesh::inference_service),
    ("serving.kserve.io", "LLMInferenceService", mesh::llm_inference_service),
    ("solr.apache.org", "SolrCloud", operators::solr),
    ("source.toolkit.fluxcd.io", "Bucket", flux::flux),
    ("source.toolkit.fluxcd.io", "GitRepository", flux::flux),
    ("source.toolkit.fluxcd.io", "HelmChart", flux::flux),
    ("source.toolkit.fluxcd.io", "HelmRepository", flux::flux),
    ("source.toolkit.fluxcd.io", "OCIRepository", flux::flux),
    ("sparkoperator.k8s.io", "SparkApplication", workloads::spark),
    ("stacks.crossplane.io", "ClusterStackInstall", operators::stack_install),
    ("work.karmada.io", "ClusterResourceBinding", platform::cluster_resource_binding),
    ("work.karmada.io", "ResourceBinding", platform::resource_binding),
];

/// Short ways to the fields that these checks read; null counts as absent.
pub(super) trait Fields {
    fn find(&self, path: &str) -> Option<&Value>;

    fn text(&self, path: &str) -> &str {
        self.find(path).and_then(Value::as_str).unwrap_or_default()
    }

    fn maybe_text(&self, path: &str) -> Option<&str> {
        self.find(path).and_then(Value::as_str)
    }

    fn number(&self, path: &str) -> Option<f64> {
        self.find(path).and_then(Value::as_float)
    }

    fn has(&self, path: &str) -> bool {
        self.find(path).is_some()
    }

    fn is_true(&self, path: &str) -> bool {
        self.find(path).and_then(Value::as_bool) == Some(true)
    }

    fn list(&self, path: &str) -> &[Value] {
        self.find(path).map(|value| value.items_at(&[])).unwrap_or_default()
    }
}

impl Fields for Object {
    fn find(&self, path: &str) -> Option<&Value> {
        let steps: Vec<&str> = path.split('.').collect();
        self.at(&steps).filter(|value| !value.is_null())
    }
}

impl Fields for Value {
    fn find(&self, path: &str) -> Option<&Value> {
        let steps: Vec<&str> = path.split('.').collect();
        self.at(&steps).filter(|value| !value.is_null())
    }
}

/// The conditions in `status`.
fn conditions(object: &Object) -> &[Value] {
    items(object, &["status", "conditions"])
}

/// Whether a condition is of a type and has a status.
fn is(condition: &Value, kind: &str, status: &str) -> bool {
    condition.text("type") == kind && condition.text("status") == status
}

fn say(status: HealthStatus, message: impl Into<windlass_kube::Str>) -> Option<Health> {
    Some(Health::new(status, message))
}

/// Whether what was observed is not the newest: both are known, and differ.
fn generation_differs(object: &Object, observed: Option<f64>) -> bool {
    match (object.number("metadata.generation"), observed) {
        (Some(generation), Some(observed)) => generation != observed,
        _ => false,
    }
}

use HealthStatus::{Degraded, Healthy, Progressing, Suspended, Unknown};
