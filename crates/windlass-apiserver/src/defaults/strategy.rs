//! What each built-in kind's strategy sets or keeps at create and update: status, generation, labels that
//! follow from identity, finalizers that protect.

use windlass_kube::{Gvk, Str, Value, value};

use super::{default, made, pod};

/// What a create depends on beside the object.
#[derive(Clone, Debug, Default)]
pub struct CreateContext {
    /// Now, as `metav1.Time` prints it.
    pub now: Str,
    /// Of a Pod with `priorityClassName`: that PriorityClass, if there is one.
    pub priority_class: Option<Value>,
    /// The name of the cluster's default StorageClass, if there is one.
    pub default_storage_class: Option<Str>,
    /// Whether pods without a service account get `default`, as the admission plugin of that name does.
    pub service_accounts: bool,
}

/// Where an object's `metadata.generation` comes from.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Generation {
    None,
    /// It grows when any of these members changes.
    Of(&'static [&'static str]),
    /// It grows when one of these changes, or the annotations.
    OrAnnotations(&'static [&'static str]),
    /// It grows when anything but metadata changes, or the labels.
    Content,
    /// As `Of`, but a new object has none.
    OfLater(&'static [&'static str]),
}

fn generation(gvk: &Gvk) -> Generation {
    match (gvk.group.as_str(), gvk.kind.as_str()) {
        ("apps", "Deployment") => Generation::OrAnnotations(&["spec"]),
        ("apps", "ReplicaSet" | "StatefulSet" | "DaemonSet")
        | ("batch", "Job" | "CronJob")
        | ("", "ReplicationController" | "Pod")
        | ("policy", "PodDisruptionBudget")
        | ("networking.k8s.io", "Ingress" | "IngressClass" | "NetworkPolicy")
        | ("apiextensions.k8s.io", "CustomResourceDefinition")
        | (
            "admissionregistration.k8s.io",
            "ValidatingAdmissionPolicy"
            | "ValidatingAdmissionPolicyBinding"
            | "MutatingAdmissionPolicy"
            | "MutatingAdmissionPolicyBinding",
        ) => Generation::Of(&["spec"]),
        (
            "admissionregistration.k8s.io",
            "ValidatingWebhookConfiguration" | "MutatingWebhookConfiguration",
        ) => Generation::Of(&["webhooks"]),
        ("", "PodTemplate") => Generation::Of(&["template"]),
        ("scheduling.k8s.io", "PriorityClass") => Generation::Of(&[]),
        ("discovery.k8s.io", "EndpointSlice") => Generation::Content,
        ("storage.k8s.io", "CSIDriver") => Generation::OfLater(&["spec"]),
        _ => Generation::None,
    }
}

/// Whether objects of a built-in kind carry `metadata.generation`.
#[must_use]
pub fn has_generation(gvk: &Gvk) -> bool {
    generation(gvk) != Generation::None
}

/// Whether a built-in kind has a `status` subresource: writes of the object leave status alone.
#[must_use]
pub fn has_status(gvk: &Gvk) -> bool {
    matches!(
        (gvk.group.as_str(), gvk.kind.as_str()),
        ("apps", "Deployment" | "ReplicaSet" | "StatefulSet" | "DaemonSet")
            | ("batch", "Job" | "CronJob")
            | (
                "",
                "Pod"
                    | "ReplicationController"
                    | "Service"
                    | "Namespace"
                    | "Node"
                    | "PersistentVolume"
                    | "PersistentVolumeClaim"
                    | "ResourceQuota"
            )
            | ("policy", "PodDisruptionBudget")
            | ("networking.k8s.io", "Ingress" | "ServiceCIDR")
            | ("autoscaling", "HorizontalPodAutoscaler")
            | ("certificates.k8s.io", "CertificateSigningRequest")
            | ("storage.k8s.io", "VolumeAttachment")
            | ("admissionregistration.k8s.io", "ValidatingAdmissionPolicy")
            | ("apiextensions.k8s.io", "CustomResourceDefinition")
            | ("apiregistration.k8s.io", "APIService")
    )
}

/// Whether a replacement of an object of a built-in kind must say which version it replaces.
///
/// The server then answers `metadata.resourceVersion: Invalid value: 0: must be specified for an update`.
#[must_use]
pub fn needs_resource_version(gvk: &Gvk) -> bool {
    matches!(
        (gvk.group.as_str(), gvk.kind.as_str()),
        ("policy", "PodDisruptionBudget")
            | ("coordination.k8s.io", "Lease")
            | ("node.k8s.io", "RuntimeClass")
            | ("storage.k8s.io", "CSIDriver" | "CSINode" | "CSIStorageCapacity" | "VolumeAttachment")
            | (
                "admissionregistration.k8s.io",
                "MutatingWebhookConfiguration"
                    | "ValidatingWebhookConfiguration"
                    | "MutatingAdmissionPolicy"
                    | "MutatingAdmissionPolicyBinding"
                    | "ValidatingAdmissionPolicy"
                    | "ValidatingAdmissionPolicyBinding"
            )
    )
}

/// Finishes a new object of a built-in kind that is normalized and has its defaults, name, namespace and uid.
///
/// Afterwards the object reads as a cluster would print it, but for what is allocated (a Service's
/// addresses) and what controllers add.
pub fn prepare_for_create(gvk: &Gvk, object: &mut Value, context: &CreateContext) {
    if has_status(gvk) && !matches!(gvk.kind.as_str(), "Node") {
        object.object_mut().remove("status");
    }
    match generation(gvk) {
        // What was sent stands.
        Generation::None => {}
        Generation::OfLater(_) => {
            object.remove_at(&["metadata", "generation"]);
        }
        _ => object.set_at(&["metadata", "generation"], 1_i64),
    }
    match (gvk.group.as_str(), gvk.kind.as_str()) {
        ("", "Pod") => create_pod(object, context),
        ("", "Namespace") => create_namespace(object),
        ("", "PersistentVolume") => {
            object.set_at(&["status"], value!({"phase": "Pending"}));
            object.set_at(&["status", "lastPhaseTransitionTime"], context.now.clone());
            add_finalizer(object, "kubernetes.io/pv-protection");
        }
        ("", "PersistentVolumeClaim") => create_claim(object, context),
        ("", "Secret") => merge_string_data(object),
        ("", "Service") => sync_cluster_ips(object),
        ("apps", "DaemonSet") => {
            let key = "deprecated.daemonset.template.generation";
            default(made(made(object, "metadata"), "annotations"), key, "1");
        }
        ("batch", "Job") => generate_selector(object),
        ("apiextensions.k8s.io", "CustomResourceDefinition")
            if object.bool_at(&["spec", "preserveUnknownFields"]) == Some(false) =>
        {
            object.remove_at(&["spec", "preserveUnknownFields"]);
        }
        _ => {}
    }
    // What is read from storage is defaulted and printed by the same rules again.
    super::apply_defaults(gvk, object);
    let _ = super::normalize(gvk, object);
}

/// Finishes a replacement: what clients may not change is taken from the present object.
///
/// Both objects are normalized and defaulted. Metadata that no client sets (uid, creation time) is the
/// caller's affair; generation is set here.
pub fn prepare_for_update(gvk: &Gvk, new: &mut Value, old: &Value) {
    if has_status(gvk) {
        keep(new, old, &["status"]);
    }
    match (gvk.group.as_str(), gvk.kind.as_str()) {
        ("", "Namespace") => keep(new, old, &["spec", "finalizers"]),
        ("", "Secret") => merge_string_data(new),
        ("", "Service") => update_service(new, old),
        ("", "Pod") => {
            // A pod's priority follows from its class at create.
            for field in [
                "priority",
                "preemptionPolicy",
                "serviceAccountName",
                "serviceAccount",
                "nodeName",
                "tolerations",
            ] {
                if new.at(&["spec", field]).is_none() {
                    keep(new, old, &["spec", field]);
                }
            }
        }
        ("apps", "DaemonSet") => {
            let path = ["metadata", "annotations", "deprecated.daemonset.template.generation"];
            let before = old.str_at(&path).and_then(|text| text.parse::<i64>().ok()).unwrap_or(1);
            let changed = new.at(&["spec", "template"]) != old.at(&["spec", "template"]);
            new.set_at(&path, (before + i64::from(changed)).to_string());
        }
        ("apiextensions.k8s.io", "CustomResourceDefinition") => crate::custom::store(new),
        _ => {}
    }
    super::apply_defaults(gvk, new);
    let _ = super::normalize(gvk, new);
    let before = old.int_at(&["metadata", "generation"]).unwrap_or(0);
    let differs = |members: &[&str]| members.iter().any(|member| new.get(member) != old.get(member));
    let changed = match generation(gvk) {
        Generation::None => {
            match old.at(&["metadata", "generation"]) {
                Some(generation) => new.set_at(&["metadata", "generation"], generation.clone()),
                None => {
                    new.remove_at(&["metadata", "generation"]);
                }
            }
            return;
        }
        Generation::Of(members) | Generation::OfLater(members) => differs(members),
        Generation::OrAnnotations(members) => {
            differs(members) || new.at(&["metadata", "annotations"]) != old.at(&["metadata", "annotations"])
        }
        Generation::Content => {
            let content = |object: &Value| {
                let mut object = object.clone();
                object.object_mut().remove("metadata");
                object
            };
            content(new) != content(old) || new.at(&["metadata", "labels"]) != old.at(&["metadata", "labels"])
        }
    };
    let generation = before + i64::from(changed);
    if generation > 0 {
        new.set_at(&["metadata", "generation"], generation);
    }
}

/// Finishes a write of the `status` subresource: everything but status stays as it is.
///
/// Metadata may change there as it may in Kubernetes, but for what `kind`'s strategy keeps.
pub fn prepare_for_status_update(gvk: &Gvk, new: &mut Value, old: &Value, now: &str) {
    let status = new.get("status").cloned();
    let metadata = new.get("metadata").cloned();
    *new = old.clone();
    match status {
        Some(status) => new.set_at(&["status"], status),
        None => {
            new.object_mut().remove("status");
        }
    }
    if let Some(metadata) = metadata {
        new.set_at(&["metadata"], metadata);
    }
    match old.at(&["metadata", "generation"]) {
        Some(generation) => new.set_at(&["metadata", "generation"], generation.clone()),
        None => {
            new.remove_at(&["metadata", "generation"]);
        }
    }
    match (gvk.group.as_str(), gvk.kind.as_str()) {
        ("apps", "Deployment") => keep(new, old, &["metadata", "labels"]),
        ("", "Pod") => {
            keep(new, old, &["metadata", "ownerReferences"]);
            if new.at(&["status", "qosClass"]).is_none() {
                keep(new, old, &["status", "qosClass"]);
            }
        }
        ("", "PersistentVolume") => {
            let path = ["status", "lastPhaseTransitionTime"];
            if new.at(&["status", "phase"]) != old.at(&["status", "phase"]) {
                new.set_at(&path, now);
            } else if new.at(&path).is_none() {
                keep(new, old, &path);
            }
        }
        _ => {}
    }
    super::apply_defaults(gvk, new);
    let _ = super::normalize(gvk, new);
}

fn keep(new: &mut Value, old: &Value, path: &[&str]) {
    match old.at(path) {
        Some(value) => new.set_at(path, value.clone()),
        None => {
            new.remove_at(path);
        }
    }
}

fn add_finalizer(object: &mut Value, finalizer: &str) {
    if object.at(&["metadata", "deletionTimestamp"]).is_some() {
        return;
    }
    let list = made(made(object, "metadata"), "finalizers");
    if list.as_array().is_none() {
        *list = Value::Array(Vec::new().into());
    }
    if let Some(finalizers) = list.as_array_mut()
        && !finalizers.iter().any(|have| have.as_str() == Some(finalizer))
    {
        finalizers.push(finalizer);
    }
}

fn create_namespace(object: &mut Value) {
    object.set_at(&["status"], value!({"phase": "Active"}));
    let mut finalizers = object.items_at(&["spec", "finalizers"]).to_vec();
    if !finalizers.iter().any(|finalizer| finalizer.as_str() == Some("kubernetes")) {
        finalizers.push("kubernetes".into());
    }
    object.set_at(&["spec", "finalizers"], finalizers);
}

fn create_pod(object: &mut Value, context: &CreateContext) {
    let spec = made(object, "spec");
    if context.service_accounts {
        default(spec, "serviceAccountName", "default");
        default(spec, "serviceAccount", "default");
    }
    // The Priority admission plugin.
    let (priority, preemption) = match (&context.priority_class, spec.str_at(&["priorityClassName"])) {
        (Some(class), _) => (
            class.int_at(&["value"]).unwrap_or(0),
            class.str_at(&["preemptionPolicy"]).unwrap_or("PreemptLowerPriority").to_owned(),
        ),
        (None, Some("system-node-critical")) => (2_000_001_000, "PreemptLowerPriority".to_owned()),
        (None, Some("system-cluster-critical")) => (2_000_000_000, "PreemptLowerPriority".to_owned()),
        (None, _) => (0, "PreemptLowerPriority".to_owned()),
    };
    spec.set_at(&["priority"], priority);
    default(spec, "preemptionPolicy", preemption);
    default_tolerations(spec);
    let mut status = value!({"phase": "Pending"});
    status.set_at(&["qosClass"], pod::quality_of_service(spec));
    if !spec.items_at(&["schedulingGates"]).is_empty() {
        status.set_at(
            &["conditions"],
            value!([{
                "type": "PodScheduled", "status": "False", "reason": "SchedulingGated", "lastProbeTime": null,
                "message": "Scheduling is blocked due to non-empty scheduling gates",
                "lastTransitionTime": (context.now.clone())
            }]),
        );
    }
    object.set_at(&["status"], status);
}

/// The DefaultTolerationSeconds admission plugin: pods stay five minutes on a node that is gone.
fn default_tolerations(spec: &mut Value) {
    let mut tolerations = spec.items_at(&["tolerations"]).to_vec();
    for key in ["node.kubernetes.io/not-ready", "node.kubernetes.io/unreachable"] {
        let tolerated = tolerations.iter().any(|toleration| {
            let covers = |field: &str, wanted: &str| {
                toleration.str_at(&[field]).is_none_or(|have| have.is_empty() || have == wanted)
            };
            covers("key", key) && covers("effect", "NoExecute")
        });
        if !tolerated {
            tolerations.push(
                value!({"key": key, "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 300}),
            );
        }
    }
    spec.set_at(&["tolerations"], tolerations);
}

fn create_claim(object: &mut Value, context: &CreateContext) {
    let legacy = ["metadata", "annotations", "volume.beta.kubernetes.io/storage-class"];
    if let Some(class) = &context.default_storage_class
        && object.at(&["spec", "storageClassName"]).is_none()
        && object.at(&legacy).is_none()
    {
        object.set_at(&["spec", "storageClassName"], class.clone());
    }
    // The two names of a claim's data source follow each other.
    let of = |name: &str| object.at(&["spec", name]).filter(|source| !source.is_null()).cloned();
    match (of("dataSource"), of("dataSourceRef")) {
        (Some(source), None) => object.set_at(&["spec", "dataSourceRef"], source),
        (None, Some(source)) if source.get("namespace").is_none() => {
            object.set_at(&["spec", "dataSource"], source);
        }
        _ => {}
    }
    add_finalizer(object, "kubernetes.io/pvc-protection");
}

/// `stringData` is a way to write `data`.
fn merge_string_data(object: &mut Value) {
    let Some(Value::Object(strings)) = object.object_mut().remove("stringData") else { return };
    for (key, text) in strings {
        if let Some(text) = text.as_str() {
            object.set_at(&["data", key.as_str()], base64(text.as_bytes()));
        }
    }
}

fn base64(bytes: &[u8]) -> String {
    use base64::Engine;
    base64::engine::general_purpose::STANDARD.encode(bytes)
}

fn generate_selector(object: &mut Value) {
    if object.bool_at(&["spec", "manualSelector"]) == Some(true) {
        return;
    }
    let name = object.str_at(&["metadata", "name"]).unwrap_or_default().to_owned();
    let uid = object.str_at(&["metadata", "uid"]).unwrap_or_default().to_owned();
    // A job without labels of its own shares its template's, and so gets the generated ones as well.
    let template_labels = ["spec", "template", "metadata", "labels"];
    let shares = object.at(&template_labels).is_some()
        && object.at(&["metadata", "labels"]) == object.at(&template_labels);
    let spec = made(object, "spec");
    let labels = made(made(made(spec, "template"), "metadata"), "labels").object_mut();
    for (label, text) in [
        ("job-name", &name),
        ("batch.kubernetes.io/job-name", &name),
        ("controller-uid", &uid),
        ("batch.kubernetes.io/controller-uid", &uid),
    ] {
        if !labels.contains_key(label) {
            labels.insert(label, text.as_str());
        }
    }
    let all = Value::Object(labels.clone());
    let selector = made(made(spec, "selector"), "matchLabels").object_mut();
    if !selector.contains_key("batch.kubernetes.io/controller-uid") {
        selector.insert("batch.kubernetes.io/controller-uid", uid);
    }
    if shares {
        object.set_at(&["metadata", "labels"], all);
    }
}

/// `clusterIP` is the first of `clusterIPs`, whichever was given.
fn sync_cluster_ips(object: &mut Value) {
    let spec = made(object, "spec");
    let first = spec.items_at(&["clusterIPs"]).first().and_then(Value::as_str).map(str::to_owned);
    match (spec.str_at(&["clusterIP"]).map(str::to_owned), first) {
        (Some(one), None) => spec.set_at(&["clusterIPs"], vec![Value::from(one)]),
        (None, Some(one)) => spec.set_at(&["clusterIP"], one),
        _ => {}
    }
}

fn update_service(new: &mut Value, old: &Value) {
    let kind = |service: &Value| service.str_at(&["spec", "type"]).unwrap_or("ClusterIP").to_owned();
    let (before, after) = (kind(old), kind(new));
    let has_address = |kind: &str| kind != "ExternalName";
    let has_port = |kind: &str| matches!(kind, "NodePort" | "LoadBalancer");
    if has_address(&before) && has_address(&after) {
        // An address that was asked for anew stands alone until it is refused.
        let asked = new.str_at(&["spec", "clusterIP"]).map(str::to_owned);
        let moved = asked.is_some() && asked.as_deref() != old.str_at(&["spec", "clusterIP"]);
        if moved && new.at(&["spec", "clusterIPs"]) == old.at(&["spec", "clusterIPs"]) {
            // Who says one address means it for the list, too.
            new.set_at(&["spec", "clusterIPs"], vec![Value::from(asked.as_deref().unwrap_or_default())]);
        }
        for field in ["clusterIP", "clusterIPs", "ipFamilies", "ipFamilyPolicy"] {
            if new.at(&["spec", field]).is_none() && !(moved && field == "clusterIPs") {
                keep(new, old, &["spec", field]);
            }
        }
    } else if has_address(&before) {
        for field in ["clusterIP", "clusterIPs", "ipFamilies", "ipFamilyPolicy"] {
            if new.at(&["spec", field]) == old.at(&["spec", field]) {
                new.remove_at(&["spec", field]);
            }
        }
    }
    sync_cluster_ips(new);
    let old_ports = old.items_at(&["spec", "ports"]).to_vec();
    let taken: Vec<i64> =
        new.items_at(&["spec", "ports"]).iter().filter_map(|port| port.int_at(&["nodePort"])).collect();
    let same_ports = old_ports
        .iter()
        .map(|port| port.get("nodePort"))
        .eq(new.items_at(&["spec", "ports"]).iter().map(|port| port.get("nodePort")));
    super::each(made(new, "spec"), "ports", |port| {
        if has_port(&before) && has_port(&after) && port.get("nodePort").is_none() {
            let named = old_ports.iter().find(|old| old.get("name") == port.get("name"));
            if let Some(number) =
                named.and_then(|old| old.int_at(&["nodePort"])).filter(|n| !taken.contains(n))
            {
                port.set_at(&["nodePort"], number);
            }
        } else if has_port(&before) && !has_port(&after) && same_ports {
            port.object_mut().remove("nodePort");
        }
    });
    let drop_if_same = |new: &mut Value, field: &str| {
        if new.at(&["spec", field]) == old.at(&["spec", field]) {
            new.remove_at(&["spec", field]);
        }
    };
    if before == "LoadBalancer" && after != "LoadBalancer" {
        drop_if_same(new, "allocateLoadBalancerNodePorts");
        drop_if_same(new, "loadBalancerClass");
        drop_if_same(new, "healthCheckNodePort");
    }
    if after == "ExternalName" {
        drop_if_same(new, "internalTrafficPolicy");
    }
    if has_port(&before) && !has_port(&after) && new.items_at(&["spec", "externalIPs"]).is_empty() {
        drop_if_same(new, "externalTrafficPolicy");
    }
    if before == "LoadBalancer"
        && after == "LoadBalancer"
        && new.at(&["spec", "healthCheckNodePort"]).is_none()
    {
        keep(new, old, &["spec", "healthCheckNodePort"]);
    }
    if after != "LoadBalancer" {
        new.set_at(&["status", "loadBalancer"], Value::object());
    }
}
