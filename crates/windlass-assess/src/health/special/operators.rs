//! Operators of databases, queues, certificates and clouds.

use windlass_kube::{Object, Value};
use windlass_model::Health;

use super::{
    Degraded, Fields, Healthy, Progressing, Suspended, Unknown, conditions, generation_differs, is, say,
};

pub(super) fn crossplane(object: &Object) -> Option<Health> {
    const WITHOUT_CONDITIONS: [&str; 11] = [
        "Composition",
        "CompositionRevision",
        "DeploymentRuntimeConfig",
        "EnvironmentConfig",
        "ImageConfig",
        "ProviderConfig",
        "ProviderConfigUsage",
        "ControllerConfig",
        "StoreConfig",
        "ClusterProviderConfig",
        "ClusterProviderConfigUsage",
    ];
    const GOOD: [&str; 6] =
        ["Ready", "Healthy", "Offered", "Established", "ValidPipeline", "RevisionHealthy"];
    managed(object, &WITHOUT_CONDITIONS, &GOOD)
}

pub(super) fn upbound(object: &Object) -> Option<Health> {
    const WITHOUT_CONDITIONS: [&str; 5] = [
        "ProviderConfig",
        "ProviderConfigUsage",
        "StoreConfig",
        "ClusterProviderConfig",
        "ClusterProviderConfigUsage",
    ];
    managed(object, &WITHOUT_CONDITIONS, &["Ready"])
}

fn managed(object: &Object, without_conditions: &[&str], good: &[&str]) -> Option<Health> {
    let all = conditions(object);
    if all.is_empty() {
        if !without_conditions.contains(&object.kind()) {
            return say(Progressing, "Provisioning ...");
        }
        let in_use = object.has("status.users");
        return say(Healthy, if in_use { "Resource is in use." } else { "Resource is up-to-date." });
    }
    let mut told = Health::new(Progressing, "Provisioning ...");
    for condition in all {
        let (of, status) = (condition.text("type"), condition.text("status"));
        if matches!(of, "LastAsyncOperation" | "Synced") && status == "False" {
            return say(Degraded, condition.text("message"));
        }
        let resting = of == "Established"
            && good.contains(&"Established")
            && condition.text("reason") == "InactiveManagedResource"
            && object.text("spec.state") != "Active";
        if (good.contains(&of) && status == "True") || resting {
            told = Health::new(Healthy, "Resource is up-to-date.");
        }
    }
    Some(told)
}

/// The kinds of Crossplane's classic AWS provider.
pub(super) fn aws(object: &Object) -> Option<Health> {
    let noun = match object.kind() {
        "Distribution" => "distribution",
        "ResourceRecordSet" => "resourcrecordset",
        kind => kind,
    };
    if !object.has("status.conditions") {
        return say(Progressing, format!("Waiting for {noun} to be created"));
    }
    let (mut ready, mut synced, mut paused) = (None, None, None);
    let mut problem = "";
    for condition in conditions(object) {
        let holds = condition.text("status") == "True";
        match condition.text("type") {
            "Ready" => ready = Some((holds, condition.text("reason"))),
            "Synced" => {
                synced = Some(holds);
                match condition.text("reason") {
                    "ReconcileError" => problem = condition.text("message"),
                    reason @ "ReconcilePaused" => paused = Some(reason),
                    _ => {}
                }
            }
            _ => {}
        }
    }
    let is_synced = synced == Some(true);
    match (ready, paused) {
        (Some((true, reason)), _) if is_synced => say(Healthy, reason),
        (_, Some(reason)) if !is_synced => say(Suspended, reason),
        (None | Some((false, _)), None) if is_synced => {
            say(Progressing, format!("Waiting for {noun} to be available"))
        }
        _ => say(Degraded, problem),
    }
}

pub(super) fn crossplane_provider(object: &Object) -> Option<Health> {
    let last = |of: &str| conditions(object).iter().rev().find(|it| it.text("type") == of);
    let told = (last("Installed"), last("Healthy"));
    let holds = |it: Option<&Value>| it.is_some_and(|it| it.text("status") == "True");
    let status = if holds(told.0) && holds(told.1) { Healthy } else { Degraded };
    match told {
        (Some(a), Some(b)) => say(status, format!("{} {}", a.text("reason"), b.text("reason"))),
        (Some(one), None) | (None, Some(one)) => say(status, one.text("reason")),
        (None, None) => say(Progressing, "Waiting for provider to be installed"),
    }
}

pub(super) fn stack_install(object: &Object) -> Option<Health> {
    let mut told = Health::new(Progressing, "Waiting for stack to be installed");
    for condition in object.list("status.conditionedStatus.conditions") {
        if condition.text("type") == "Ready" {
            told.message = condition.text("reason").into();
            if condition.text("status") == "True" {
                told.status = Healthy;
                break;
            }
        }
    }
    Some(told)
}

pub(super) fn api_manager(object: &Object) -> Option<Health> {
    const WAITING: &str = "Waiting for 3scale APIManager status...";
    const AVAILABLE: &str = "3scale APIManager is available";
    let deployments = "status.deployments";
    if object.has(deployments) {
        let has = |of: &str| object.has(&format!("{deployments}.{of}"));
        if has("ready") && !has("starting") && !has("stopped") {
            return say(Healthy, AVAILABLE);
        }
    }
    for condition in conditions(object).iter().filter(|it| it.text("type") == "Available") {
        if condition.text("status") == "True" {
            return say(Healthy, AVAILABLE);
        }
        if !condition.text("reason").is_empty() {
            return say(Degraded, format!("3scale APIManager is degraded: {}", condition.text("reason")));
        }
    }
    say(Progressing, WAITING)
}

pub(super) fn resource_pool(object: &Object) -> Option<Health> {
    if !object.has("status.conditions") {
        return say(Progressing, "Waiting for status");
    }
    if generation_differs(object, object.number("status.observedGeneration")) {
        return say(Progressing, "Waiting for reconciliation (generation mismatch)");
    }
    if let Some(Value::Object(exhausted)) = object.find("status.exhaustions")
        && !exhausted.is_empty()
    {
        let names: Vec<&str> = exhausted.keys().map(windlass_kube::Str::as_str).collect();
        return say(Degraded, format!("Pool exhausted for: {}", names.join(", ")));
    }
    for condition in conditions(object) {
        if is(condition, "Ready", "False") {
            return say(Degraded, condition.text("message"));
        }
        if is(condition, "Ready", "True") {
            return say(Healthy, condition.text("message"));
        }
    }
    say(Progressing, "Waiting for Ready condition")
}

pub(super) fn cassandra(object: &Object) -> Option<Health> {
    let incomplete = |rack: &Value| match (rack.number("members"), rack.number("readyMembers")) {
        (Some(members), Some(ready)) => members != ready,
        _ => false,
    };
    match object.find("status.racks") {
        Some(Value::Object(racks)) if !racks.values().any(incomplete) => say(Healthy, ""),
        _ => say(Progressing, "Waiting for Cassandra Cluster"),
    }
}

pub(super) fn ceph_cluster(object: &Object) -> Option<Health> {
    if !object.has("status") {
        return say(Progressing, "Waiting for status to be reported");
    }
    let mut status = Progressing;
    let mut parts: Vec<String> = Vec::new();
    if let Some(health) = object.maybe_text("status.ceph.health") {
        let mut details = String::new();
        if let Some(Value::Object(found)) = object.find("status.ceph.details") {
            let messages: Vec<&str> = found.values().filter_map(|it| it.maybe_text("message")).collect();
            if !messages.is_empty() {
                details = format!(" ({})", messages.join("; "));
            }
        }
        status = match health {
            "HEALTH_ERR" | "HEALTH_WARN" => Degraded,
            "HEALTH_OK" => Healthy,
            _ => Progressing,
        };
        parts.push(format!("Ceph health is {health}{details}"));
    }
    if let Some(state) = object.maybe_text("status.state")
        && status == Healthy
    {
        parts.push(format!("Ceph cluster state is {state}"));
        status = match state {
            "Created" | "Connected" => Healthy,
            "Error" => Degraded,
            _ => Progressing,
        };
    }
    parts.extend(object.maybe_text("status.message").filter(|it| !it.is_empty()).map(str::to_owned));
    say(status, parts.join(" - "))
}

pub(super) fn elasticsearch(object: &Object) -> Option<Health> {
    const UNKNOWN: &str = "Elasticsearch Cluster status is unknown. Ensure your ArgoCD is current and then check \
                           for/file a bug report: https://github.com/argoproj/argo-cd/issues";
    let Some(available) = object.number("status.availableNodes") else { return say(Unknown, UNKNOWN) };
    let wanted: f64 = object.list("spec.nodeSets").iter().filter_map(|set| set.number("count")).sum();
    if available < wanted {
        return say(
            Progressing,
            format!("The desired amount of availableNodes is {wanted} but the current amount is {available}"),
        );
    }
    if available > wanted || !object.has("status.health") {
        return say(Unknown, UNKNOWN);
    }
    let hint = "Check the status of indices, replicas and shards";
    match (object.text("status.phase"), object.text("status.health")) {
        ("Ready", "green") => say(Healthy, "Elasticsearch Cluster status is Green"),
        ("Ready", "yellow") => say(Progressing, format!("Elasticsearch Cluster status is Yellow. {hint}")),
        ("Ready", "red") => say(Degraded, format!("Elasticsearch Cluster status is Red. {hint}")),
        (phase @ ("ApplyingChanges" | "MigratingData"), _) => {
            say(Progressing, format!("Elasticsearch phase is {phase}"))
        }
        ("Invalid", _) => say(Degraded, "Elasticsearch phase is Invalid"),
        _ => say(Unknown, UNKNOWN),
    }
}

pub(super) fn cluster_external_secret(object: &Object) -> Option<Health> {
    let last = conditions(object).last().filter(|it| it.text("status") == "True");
    match last.map(|it| (it.text("type"), it.text("message"))) {
        Some(("Ready", message)) => say(Healthy, message),
        Some(("PartiallyReady" | "NotReady", message)) => say(Degraded, message),
        _ => say(Progressing, "Waiting for ClusterExternalSecret"),
    }
}

pub(super) fn grafana_part(object: &Object) -> Option<Health> {
    let is_folder = object.kind() == "GrafanaFolder";
    let mut told = Health::new(Progressing, "");
    let mut message = String::new();
    for condition in conditions(object).iter().filter(|it| it.has("status")) {
        if !message.is_empty() {
            message.push_str(", ");
        }
        if let Some(reason) = condition.maybe_text("reason") {
            message.push_str(reason);
            if let Some(of) = condition.maybe_text("type") {
                message.push_str(&format!(" for {of}"));
                if let Some(why) = condition.maybe_text("message") {
                    message.push_str(&format!(" because {why}"));
                }
            }
        }
        let is_mismatch = is_folder && condition.text("type") == "FolderUIDMismatch";
        let bad = if is_mismatch { "True" } else { "False" };
        if condition.text("status") == bad {
            return say(Degraded, message);
        }
        if condition.text("status") == "True" {
            told.status = Healthy;
        }
    }
    told.message = message.into();
    Some(told)
}

pub(super) fn iam_role(object: &Object) -> Option<Health> {
    let text =
        |path: &str| object.find(path).map_or_else(|| "<none>".to_owned(), crate::health::table::printed);
    let (name, arn, id) = (text("status.roleName"), text("status.roleARN"), text("status.roleID"));
    match object.text("status.state") {
        "Ready" => say(Healthy, format!("Role '{name}' exists with ARN '{arn}' and ID '{id}'.")),
        "Error" | "RolesMaxLimitReached" | "PolicyNotAllowed" | "RoleNameNotAvailable" => {
            let mut message = "Failed to reconcile the Iamrole ".to_owned();
            if let Some(count) = object.number("status.retryCount").filter(|count| *count > 0.0) {
                message.push_str(&format!("(retry {count}) "));
            }
            message.push_str(&format!("for role '{name}' with ARN '{arn}' and ID '{id}'."));
            if let Some(error) = object.maybe_text("status.errorDescription") {
                message.push_str(&format!(" Reconciliation error was: {error}"));
            }
            say(Degraded, message)
        }
        _ => say(Progressing, "Waiting for Iamrole to be reconciled"),
    }
}

pub(super) fn keycloak(object: &Object) -> Option<Health> {
    if !object.has("status.conditions") {
        return say(Progressing, "Waiting for Keycloak status conditions to exist");
    }
    let mut sorted: Vec<&Value> = conditions(object).iter().collect();
    // Those without a time come last.
    let order = |it: &Value| {
        let time = it.text("lastTransitionTime").to_owned();
        (time.is_empty(), time)
    };
    sorted.sort_by_key(|it| order(it));
    for condition in sorted {
        if is(condition, "Ready", "True") {
            return say(Healthy, "");
        }
        if is(condition, "HasErrors", "True") {
            return say(Degraded, format!("Has Errors: {}", condition.text("message")));
        }
    }
    say(Progressing, "")
}

pub(super) fn mariadb_part(object: &Object) -> Option<Health> {
    let mut told = Health::new(Progressing, "No status info available");
    for condition in conditions(object) {
        told.message = condition.text("message").into();
        if condition.text("type") == "Ready" {
            told.status = if condition.text("status") == "True" { Healthy } else { Degraded };
            break;
        }
    }
    Some(told)
}

pub(super) fn mariadb_job(object: &Object) -> Option<Health> {
    let mut told = Health::new(Progressing, "No status info available");
    for condition in conditions(object) {
        told.message = format!("{} {}", condition.text("reason"), condition.text("message")).into();
        match (condition.text("reason"), condition.text("status")) {
            ("JobComplete", "True") => told.status = Healthy,
            ("JobFailed", "True") => told.status = Degraded,
            _ => continue,
        }
        break;
    }
    Some(told)
}

pub(super) fn kafka_cluster(object: &Object) -> Option<Health> {
    const WAITING: &str = "Waiting for KafkaCluster";
    let state = object.text("status.state");
    if state == "ClusterRollingUpgrading" {
        return say(Progressing, "Kafka Cluster is Rolling Upgrading.");
    }
    let Some(Value::Object(brokers)) = object.find("status.brokersState") else {
        return say(Progressing, WAITING);
    };
    let is_good = |broker: &Value| {
        broker.text("configurationState") == "ConfigInSync"
            && matches!(
                broker.text("gracefulActionState.cruiseControlState"),
                "GracefulUpscaleSucceeded" | "GracefulDownscaleSucceeded"
            )
    };
    if !brokers.values().all(is_good) {
        return say(Degraded, "Broker Config is out of Sync or CruiseControlState is not Ready");
    }
    match (object.maybe_text("status.cruiseControlTopicStatus"), state) {
        (Some("CruiseControlTopicReady"), "ClusterRunning") => {
            say(Healthy, "Kafka Brokers, CruiseControl and cluster are in Healthy State.")
        }
        (None | Some("CruiseControlTopicNotReady"), "ClusterReconciling") => {
            say(Progressing, "Kafka Cluster is Reconciling.")
        }
        _ => say(Progressing, WAITING),
    }
}

pub(super) fn prometheus(object: &Object) -> Option<Health> {
    let mut told = Health::new(Progressing, "Waiting for initialization");
    for condition in conditions(object).iter().filter(|it| it.text("type") == "Available") {
        if condition.text("status") == "True" {
            told = Health::new(Healthy, "All instances are available");
            continue;
        }
        told.status = if condition.text("reason") == "SomePodsNotReady" { Progressing } else { Degraded };
        told.message = condition.maybe_text("message").unwrap_or_else(|| condition.text("reason")).into();
    }
    Some(told)
}

pub(super) fn kyverno_policy(object: &Object) -> Option<Health> {
    let kind = object.kind();
    let Some(status) = object.find("status.conditionStatus") else {
        return say(Progressing, format!("Waiting for {kind} status"));
    };
    let all = status.list("conditions");
    if let Some(generation) = object.number("metadata.generation")
        && all.iter().any(|it| it.number("observedGeneration").is_some_and(|seen| seen < generation))
    {
        return say(Progressing, format!("Waiting for {kind} status to reflect latest generation"));
    }
    let own = Some(status.text("message")).filter(|text| !text.is_empty());
    // Those that run in a webhook are ready by its condition, the others by any.
    let by_webhook = ["Validating", "Mutating"].iter().any(|it| kind.contains(it));
    if status.is_true("ready") {
        let good = |it: &&Value| {
            it.text("status") == "True" && (!by_webhook || it.text("type") == "WebhookConfigured")
        };
        let told = all.iter().find(good).and_then(|it| it.maybe_text("message"));
        let ignores_own = by_webhook && !kind.contains("Image");
        let own = own.filter(|_| !ignores_own);
        return say(Healthy, told.or(own).unwrap_or("Policy is ready"));
    }
    if let Some(failed) = all.iter().find(|it| it.text("status") == "False") {
        return say(Degraded, format!("{}: {}", failed.text("type"), failed.text("message")));
    }
    say(Degraded, own.unwrap_or("Policy is not ready"))
}

pub(super) fn cnpg_cluster(object: &Object) -> Option<Health> {
    if object.annotation("cnpg.io/reconciliationLoop") == Some("disabled") {
        return say(Suspended, "Cluster reconciliation is suspended");
    }
    let reason = object.text("status.phaseReason");
    if !object.has("status.conditions") {
        return say(Progressing, reason);
    }
    if let Some(hibernation) = conditions(object).iter().find(|it| it.text("type") == "cnpg.io/hibernation") {
        let status = if hibernation.text("status") == "True" { Suspended } else { Degraded };
        return say(status, hibernation.text("message"));
    }
    let status = match object.text("status.phase") {
        "Cluster in healthy state" => Healthy,
        "Setting up primary"
        | "Creating a new replica"
        | "Upgrading cluster"
        | "Waiting for the instances to become active"
        | "Promoting to primary cluster" => Progressing,
        "Switchover in progress"
        | "Failing over"
        | "Upgrading Postgres major version"
        | "Cluster upgrade delayed"
        | "Waiting for user action"
        | "Primary instance is being restarted in-place"
        | "Primary instance is being restarted without a switchover"
        | "Cluster cannot execute instance online upgrade due to missing architecture binary"
        | "Online upgrade in progress"
        | "Applying configuration" => Degraded,
        "Unable to create required cluster objects"
        | "Cluster cannot proceed to reconciliation due to an unknown plugin being required"
        | "Cluster has incomplete or invalid image catalog"
        | "Cluster is unrecoverable and needs manual intervention" => Suspended,
        _ => Unknown,
    };
    say(status, reason)
}

pub(super) fn rabbitmq_cluster(object: &Object) -> Option<Health> {
    let (mut available, mut replicas, mut reason) = ("", "", "");
    for condition in conditions(object) {
        match condition.text("type") {
            "ReconcileSuccess" if condition.text("status") == "False" => {
                return say(Degraded, condition.text("message"));
            }
            "ClusterAvailable" => available = condition.text("status"),
            "AllReplicasReady" => (replicas, reason) = (condition.text("status"), condition.text("reason")),
            _ => {}
        }
    }
    let is_scaled_to_zero = reason == "ScaledToZero" && object.number("spec.replicas") == Some(0.0);
    match (available, replicas) {
        ("Unknown", _) | (_, "Unknown") => {
            say(Progressing, "Waiting for RabbitMQ cluster readiness (conditions unknown)")
        }
        (_, "False") if is_scaled_to_zero => say(Suspended, "RabbitmqCluster is scaled to 0 replicas"),
        ("False", _) => say(Progressing, "Waiting for RabbitMQ cluster formation"),
        (_, "False") => say(Progressing, "Waiting for RabbitMQ instances ready"),
        ("True", "True") => say(Healthy, "RabbitMQ cluster ready"),
        _ => say(Progressing, "Waiting for RabbitMQ Operator"),
    }
}

pub(super) fn solr(object: &Object) -> Option<Health> {
    if !object.has("status.solrNodes") {
        return say(Progressing, "Waiting for solr to exist");
    }
    if object.list("status.solrNodes").iter().any(|node| !node.is_true("ready")) {
        return say(Progressing, "Not all replicas are ready");
    }
    say(Healthy, "Solr is ready")
}
