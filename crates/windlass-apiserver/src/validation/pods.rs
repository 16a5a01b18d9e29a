//! Pods, pod templates and their containers.

use std::collections::HashSet;

use windlass_kube::{Value, validation};

use super::errors::{Errors, has, port_name, text};
use super::metadata::{check_labels, labels_and_annotations};
use super::{internal, resources, selectors, volumes};

pub(super) fn pod(object: &Value, errors: &mut Errors) {
    let empty = Value::object();
    spec(object.get("spec").unwrap_or(&empty), "spec", errors);
}

/// A pod template that is the member `key` of an object, or stands at that path.
pub(super) fn template(object: &Value, key: &str, errors: &mut Errors) {
    let empty = Value::object();
    let template = object.get(key.rsplit('.').next().unwrap_or(key)).unwrap_or(&empty);
    if let Some(metadata) = template.get("metadata") {
        labels_and_annotations(metadata, &format!("{key}.metadata"), errors);
    }
    spec(template.get("spec").unwrap_or(&empty), &format!("{key}.spec"), errors);
}

fn spec(spec: &Value, path: &str, errors: &mut Errors) {
    let volumes = volumes::check(spec, path, errors);
    let mut names: HashSet<&str> = HashSet::new();
    if spec.items_at(&["containers"]).is_empty() {
        errors.required(&format!("{path}.containers"), "");
    }
    for list in ["containers", "initContainers"] {
        for (item, idx) in spec.items_at(&[list]).iter().zip(0..) {
            let field = format!("{path}.{list}[{idx}]");
            container(item, &field, spec, &volumes, list == "initContainers", errors);
            let name = text(item, "name");
            if !name.is_empty() && !names.insert(name) {
                errors.duplicate(&format!("{field}.name"), name);
            }
        }
        port_names(spec, list, path, errors);
    }
    let member = |key: &str| format!("{path}.{key}");
    errors.one_of(&member("restartPolicy"), text(spec, "restartPolicy"), &["Always", "OnFailure", "Never"]);
    let policies = ["ClusterFirstWithHostNet", "ClusterFirst", "Default", "None"];
    errors.one_of(&member("dnsPolicy"), text(spec, "dnsPolicy"), &policies);
    if let Some(seconds) =
        spec.int_at(&["activeDeadlineSeconds"]).filter(|n| !(1..=i64::from(i32::MAX)).contains(n))
    {
        errors.invalid(
            &member("activeDeadlineSeconds"),
            seconds,
            "must be between 1 and 2147483647, inclusive",
        );
    }
    if let Some(labels) = spec.get("nodeSelector").and_then(Value::as_object) {
        check_labels(labels, &member("nodeSelector"), errors);
    }
    type Rule = fn(&str) -> Vec<String>;
    let rules: [(&str, Rule); 4] = [
        ("serviceAccountName", validation::dns1123_subdomain),
        ("nodeName", validation::dns1123_subdomain),
        ("hostname", validation::dns1123_label),
        ("subdomain", validation::dns1123_label),
    ];
    for (key, rule) in rules {
        let value = text(spec, key);
        if !value.is_empty() {
            errors.invalid_each(&member(key), value, rule(value));
        }
    }
    tolerations(spec, path, errors);
    spread(spec, path, errors);
    if let Some(context) = spec.get("securityContext") {
        for key in ["fsGroup", "runAsUser", "runAsGroup"] {
            identity(context, key, &member("securityContext"), errors);
        }
    }
    let required = ["affinity", "nodeAffinity", "requiredDuringSchedulingIgnoredDuringExecution"];
    if let Some(selector) = spec.at(&required)
        && selector.items_at(&["nodeSelectorTerms"]).is_empty()
    {
        let field = format!("{path}.{}.nodeSelectorTerms", required.join("."));
        errors.required(&field, "must have at least one node selector term");
    }
}

fn container(
    container: &Value,
    path: &str,
    spec: &Value,
    volumes: &HashSet<&str>,
    init: bool,
    errors: &mut Errors,
) {
    let member = |key: &str| format!("{path}.{key}");
    let name = text(container, "name");
    if name.is_empty() {
        errors.required(&member("name"), "");
    } else {
        errors.invalid_each(&member("name"), name, validation::dns1123_label(name));
    }
    let image = text(container, "image");
    if image.is_empty() {
        errors.required(&member("image"), "");
    } else if image.trim() != image {
        errors.invalid(&member("image"), image, "must not have leading or trailing whitespace");
    }
    let policies = ["File", "FallbackToLogsOnError"];
    errors.one_of(
        &member("terminationMessagePolicy"),
        text(container, "terminationMessagePolicy"),
        &policies,
    );
    let policies = ["Always", "IfNotPresent", "Never"];
    errors.one_of(&member("imagePullPolicy"), text(container, "imagePullPolicy"), &policies);
    ports(container, path, spec, errors);
    environment(container, path, errors);
    volumes::mounts(container, volumes, path, errors);
    if let Some(resources) = container.get("resources") {
        resources::of_container(resources, &member("resources"), errors);
    }
    for name in ["livenessProbe", "readinessProbe", "startupProbe"] {
        if let Some(given) = container.get(name) {
            if init && text(container, "restartPolicy") != "Always" {
                errors.forbidden(
                    &member(name),
                    "may not be set for init containers without restartPolicy=Always",
                );
            } else {
                probe(given, &member(name), name != "readinessProbe", errors);
            }
        }
    }
    for name in ["postStart", "preStop"] {
        if let Some(hook) = container.at(&["lifecycle", name]) {
            handler(hook, &format!("{path}.lifecycle.{name}"), errors);
        }
    }
    security(container, &member("securityContext"), errors);
}

fn ports(container: &Value, path: &str, spec: &Value, errors: &mut Errors) {
    let host = spec.bool_at(&["hostNetwork"]) == Some(true);
    for (port, idx) in container.items_at(&["ports"]).iter().zip(0..) {
        let member = |key: &str| format!("{path}.ports[{idx}].{key}");
        let name = text(port, "name");
        if !name.is_empty() {
            errors.invalid_each(&member("name"), name, port_name(name));
        }
        let number = port.int_at(&["containerPort"]).unwrap_or(0);
        if number == 0 {
            errors.required(&member("containerPort"), "");
        } else {
            errors.port(&member("containerPort"), number);
        }
        let host_port = port.int_at(&["hostPort"]).unwrap_or(0);
        if host_port != 0 {
            errors.port(&member("hostPort"), host_port);
            if host && host_port != number {
                let detail = "must match `containerPort` when `hostNetwork` is true";
                errors.invalid(&member("hostPort"), host_port, detail);
            }
        }
        errors.one_of(&member("protocol"), text(port, "protocol"), &["SCTP", "TCP", "UDP"]);
    }
}

/// Names of ports are unique within a container.
fn port_names(spec: &Value, list: &str, path: &str, errors: &mut Errors) {
    for (container, idx) in spec.items_at(&[list]).iter().zip(0..) {
        let mut seen = HashSet::new();
        for (port, port_idx) in container.items_at(&["ports"]).iter().zip(0..) {
            let name = text(port, "name");
            if !name.is_empty() && port_name(name).is_empty() && !seen.insert(name) {
                errors.duplicate(&format!("{path}.{list}[{idx}].ports[{port_idx}].name"), name);
            }
        }
    }
}

fn variable_name(name: &str) -> Vec<String> {
    if !name.is_empty() && name.bytes().all(|b| (0x20..0x7f).contains(&b) && b != b'=') {
        return Vec::new();
    }
    vec![
        "a valid environment variable name must consist only of printable ASCII characters other than '='"
            .into(),
    ]
}

fn environment(container: &Value, path: &str, errors: &mut Errors) {
    for (variable, idx) in container.items_at(&["env"]).iter().zip(0..) {
        let field = format!("{path}.env[{idx}]");
        let name = text(variable, "name");
        if name.is_empty() {
            errors.required(&format!("{field}.name"), "");
        } else {
            errors.invalid_each(&format!("{field}.name"), name, variable_name(name));
        }
        if let Some(source) = variable.get("valueFrom") {
            variable_source(source, variable, &format!("{field}.valueFrom"), errors);
        }
    }
    for (source, idx) in container.items_at(&["envFrom"]).iter().zip(0..) {
        let field = format!("{path}.envFrom[{idx}]");
        let prefix = text(source, "prefix");
        if !prefix.is_empty() {
            errors.invalid_each(&format!("{field}.prefix"), prefix, variable_name(prefix));
        }
        let given: Vec<&str> =
            ["configMapRef", "secretRef"].into_iter().filter(|key| has(source, key)).collect();
        for key in &given {
            if source.str_at(&[key, "name"]).unwrap_or_default().is_empty() {
                errors.required(&format!("{field}.{key}.name"), "");
            }
        }
        let field = format!("{path}.envFrom");
        if given.is_empty() {
            errors.invalid(&field, "", "must specify one of: `configMapRef` or `secretRef`");
        } else if given.len() > 1 {
            errors.invalid(&field, "", "may not have more than one field specified at a time");
        }
    }
}

fn variable_source(source: &Value, variable: &Value, path: &str, errors: &mut Errors) {
    let kinds = ["fieldRef", "resourceFieldRef", "configMapKeyRef", "secretKeyRef", "fileKeyRef"];
    let given: Vec<&str> = kinds.into_iter().filter(|kind| has(source, kind)).collect();
    for kind in &given {
        let reference = source.get(kind).cloned().unwrap_or_default();
        let field = format!("{path}.{kind}");
        match *kind {
            "fieldRef" => field_reference(&reference, &field, errors),
            "resourceFieldRef" => {
                let resource = text(&reference, "resource");
                let supported = [
                    "limits.cpu",
                    "limits.ephemeral-storage",
                    "limits.memory",
                    "requests.cpu",
                    "requests.ephemeral-storage",
                    "requests.memory",
                ];
                let huge = ["limits.hugepages-", "requests.hugepages-"]
                    .iter()
                    .any(|prefix| resource.starts_with(prefix));
                if resource.is_empty() {
                    errors.required(&format!("{field}.resource"), "");
                } else if !huge {
                    errors.one_of(&format!("{field}.resource"), resource, &supported);
                }
            }
            "fileKeyRef" => {}
            _ => volumes::key_reference(&reference, &field, errors),
        }
    }
    if given.is_empty() {
        errors.invalid(
            path,
            "",
            "must specify one of: `fieldRef`, `resourceFieldRef`, `configMapKeyRef`, `secretKeyRef` or `fileKeyRef`",
        );
    } else if !text(variable, "value").is_empty() {
        errors.invalid(path, "", "may not be specified when `value` is not empty");
    } else if given.len() > 1 {
        errors.invalid(path, "", "may not have more than one field specified at a time");
    }
}

fn field_reference(reference: &Value, path: &str, errors: &mut Errors) {
    let field_path = text(reference, "fieldPath");
    if field_path.is_empty() {
        errors.required(&format!("{path}.fieldPath"), "");
        return;
    }
    let known = [
        "metadata.name",
        "metadata.namespace",
        "metadata.uid",
        "metadata.labels",
        "metadata.annotations",
        "spec.nodeName",
        "spec.serviceAccountName",
        "spec.restartPolicy",
        "spec.schedulerName",
        "spec.hostNetwork",
        "status.phase",
        "status.hostIP",
        "status.hostIPs",
        "status.podIP",
        "status.podIPs",
    ];
    let subscript =
        ["metadata.labels['", "metadata.annotations['"].iter().any(|prefix| field_path.starts_with(prefix));
    if !known.contains(&field_path) && !subscript {
        let detail = format!("error converting fieldPath: field label not supported: {field_path}");
        errors.invalid(&format!("{path}.fieldPath"), field_path, &detail);
    }
}

fn handler(handler: &Value, path: &str, errors: &mut Errors) {
    let kinds = ["exec", "httpGet", "tcpSocket", "grpc", "sleep"];
    let given: Vec<&str> = kinds.into_iter().filter(|kind| has(handler, kind)).collect();
    for extra in given.iter().skip(1) {
        errors.forbidden(&format!("{path}.{extra}"), "may not specify more than 1 handler type");
    }
    let Some(kind) = given.first() else {
        errors.required(path, "must specify a handler type");
        return;
    };
    let action = handler.get(kind).cloned().unwrap_or_default();
    let field = format!("{path}.{kind}");
    match *kind {
        "exec" if action.items_at(&["command"]).is_empty() => {
            errors.required(&format!("{field}.command"), "");
        }
        "httpGet" => {
            if text(&action, "path").is_empty() {
                errors.required(&format!("{field}.path"), "");
            }
            errors.port_or_name(&format!("{field}.port"), action.get("port"));
            errors.one_of(&format!("{field}.scheme"), text(&action, "scheme"), &["HTTP", "HTTPS"]);
        }
        "tcpSocket" | "grpc" => errors.port_or_name(&format!("{field}.port"), action.get("port")),
        _ => {}
    }
}

fn probe(probe: &Value, path: &str, once: bool, errors: &mut Errors) {
    handler(probe, path, errors);
    for key in
        ["initialDelaySeconds", "timeoutSeconds", "periodSeconds", "successThreshold", "failureThreshold"]
    {
        errors.not_negative(probe, key, path);
    }
    let threshold = probe.int_at(&["successThreshold"]).unwrap_or(1);
    if once && threshold != 1 {
        errors.invalid(&format!("{path}.successThreshold"), threshold, "must be 1");
    }
}

fn identity(context: &Value, key: &str, path: &str, errors: &mut Errors) {
    if let Some(number) = context.int_at(&[key]).filter(|number| !(0..=i64::from(i32::MAX)).contains(number))
    {
        errors.invalid(&format!("{path}.{key}"), number, "must be between 0 and 2147483647, inclusive");
    }
}

fn security(container: &Value, path: &str, errors: &mut Errors) {
    let Some(context) = container.get("securityContext") else { return };
    for key in ["runAsUser", "runAsGroup"] {
        identity(context, key, path, errors);
    }
    let added = context.items_at(&["capabilities", "add"]);
    let admin = added.iter().any(|name| name.as_str() == Some("CAP_SYS_ADMIN"));
    let privileged = context.bool_at(&["privileged"]) == Some(true);
    if context.bool_at(&["allowPrivilegeEscalation"]) == Some(false) {
        let shown = internal::shown("core.SecurityContext", context);
        if privileged {
            let why = "cannot set `allowPrivilegeEscalation` to false and `privileged` to true";
            errors.invalid_shown(path, &shown, why);
        }
        if admin {
            let why = "cannot set `allowPrivilegeEscalation` to false and `capabilities.Add` CAP_SYS_ADMIN";
            errors.invalid_shown(path, &shown, why);
        }
    }
}

fn tolerations(spec: &Value, path: &str, errors: &mut Errors) {
    for (toleration, idx) in spec.items_at(&["tolerations"]).iter().zip(0..) {
        let field = format!("{path}.tolerations[{idx}]");
        let (key, operator, value) =
            (text(toleration, "key"), text(toleration, "operator"), text(toleration, "value"));
        if !key.is_empty() {
            errors.invalid_each(&format!("{field}.key"), key, validation::label_key(key));
        } else if operator != "Exists" {
            let detail =
                "operator must be Exists when `key` is empty, which means \"match all values and all keys\"";
            errors.invalid(&format!("{field}.operator"), operator, detail);
        }
        let field_operator = format!("{field}.operator");
        match operator {
            "" | "Equal" => {
                let messages = validation::label_value(value);
                if !messages.is_empty() {
                    errors.invalid(&field_operator, value, &messages.join(";"));
                }
            }
            "Exists" if !value.is_empty() => {
                errors.invalid(&field_operator, value, "value must be empty when `operator` is 'Exists'");
            }
            "Exists" => {}
            "Lt" | "Gt" => errors.not_supported(&field_operator, operator, &["Equal", "Exists", "Lt", "Gt"]),
            _ => errors.not_supported(&field_operator, operator, &["Equal", "Exists"]),
        }
        if toleration.get("tolerationSeconds").is_some() && text(toleration, "effect") != "NoExecute" {
            let why = "effect must be 'NoExecute' when `tolerationSeconds` is set";
            errors.invalid(&format!("{field}.effect"), text(toleration, "effect"), why);
        }
        let effect = text(toleration, "effect");
        if !effect.is_empty() {
            errors.one_of(
                &format!("{field}.effect"),
                effect,
                &["NoSchedule", "PreferNoSchedule", "NoExecute"],
            );
        }
    }
}

fn spread(spec: &Value, path: &str, errors: &mut Errors) {
    for (constraint, idx) in spec.items_at(&["topologySpreadConstraints"]).iter().zip(0..) {
        let field = format!("{path}.topologySpreadConstraints[{idx}]");
        let skew = constraint.int_at(&["maxSkew"]).unwrap_or(0);
        if skew <= 0 {
            errors.invalid(&format!("{field}.maxSkew"), skew, "must be greater than zero");
        }
        if text(constraint, "topologyKey").is_empty() {
            errors.required(&format!("{field}.topologyKey"), "can not be empty");
        }
        let supported = ["DoNotSchedule", "ScheduleAnyway"];
        errors.one_of(
            &format!("{field}.whenUnsatisfiable"),
            text(constraint, "whenUnsatisfiable"),
            &supported,
        );
        if let Some(selector) = constraint.get("labelSelector") {
            selectors::check(selector, &format!("{field}.labelSelector"), errors);
        }
    }
}
