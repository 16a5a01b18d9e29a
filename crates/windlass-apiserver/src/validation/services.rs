//! Services.

use std::collections::HashSet;
use std::net::IpAddr;

use windlass_kube::{Value, validation};

use super::errors::{Errors, text};
use super::metadata::check_labels;

pub(super) const NOT_AN_ADDRESS: &str = "must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)";
pub(super) const NOT_A_NETWORK: &str = "must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)";

pub(super) fn service(object: &Value, errors: &mut Errors) {
    let empty = Value::object();
    let spec = object.get("spec").unwrap_or(&empty);
    let kind = text(spec, "type");
    let address = text(spec, "clusterIP");
    let headless = address == "None";
    if spec.items_at(&["ports"]).is_empty() && !headless && kind != "ExternalName" {
        errors.required("spec.ports", "");
    }
    errors.one_of("spec.type", kind, &["ClusterIP", "ExternalName", "LoadBalancer", "NodePort"]);
    if kind == "ExternalName" {
        let name = text(spec, "externalName").trim_end_matches('.');
        if name.is_empty() {
            errors.required("spec.externalName", "");
        } else {
            errors.invalid_each("spec.externalName", name, validation::dns1123_subdomain(name));
        }
    } else if !address.is_empty() && !headless && address.parse::<IpAddr>().is_err() {
        errors.invalid("spec.clusterIPs[0]", address, NOT_AN_ADDRESS);
    }
    if headless && matches!(kind, "LoadBalancer" | "NodePort") {
        let detail = format!("may not be set to 'None' for {kind} services");
        errors.invalid("spec.clusterIPs[0]", address, &detail);
    }
    ports(spec, kind, errors);
    if let Some(selector) = spec.get("selector").and_then(Value::as_object) {
        check_labels(selector, "spec.selector", errors);
    }
    errors.one_of("spec.sessionAffinity", text(spec, "sessionAffinity"), &["ClientIP", "None"]);
    for (address, idx) in spec.items_at(&["externalIPs"]).iter().filter_map(Value::as_str).zip(0..) {
        if address.parse::<IpAddr>().is_err() {
            errors.invalid(&format!("spec.externalIPs[{idx}]"), address, NOT_AN_ADDRESS);
        }
    }
    let ranges = spec.items_at(&["loadBalancerSourceRanges"]);
    // The server spells the field as Go does.
    if !ranges.is_empty() && kind != "LoadBalancer" {
        errors.forbidden("spec.LoadBalancerSourceRanges", "may only be used when `type` is 'LoadBalancer'");
    }
    for (range, idx) in ranges.iter().filter_map(Value::as_str).zip(0..) {
        if !is_network(range.trim()) {
            errors.invalid(&format!("spec.LoadBalancerSourceRanges[{idx}]"), range, NOT_A_NETWORK);
        }
    }
    let policy = text(spec, "externalTrafficPolicy");
    let external = matches!(kind, "LoadBalancer" | "NodePort")
        || (kind == "ClusterIP" && !spec.items_at(&["externalIPs"]).is_empty());
    if !policy.is_empty() && !external {
        errors.invalid(
            "spec.externalTrafficPolicy",
            policy,
            "may only be set for externally-accessible services",
        );
    } else if external {
        errors.one_of("spec.externalTrafficPolicy", policy, &["Cluster", "Local"]);
    }
}

pub(super) fn is_network(text: &str) -> bool {
    text.split_once('/').is_some_and(|(address, bits)| match address.parse::<IpAddr>() {
        Ok(IpAddr::V4(_)) => bits.parse::<u8>().is_ok_and(|bits| bits <= 32),
        Ok(IpAddr::V6(_)) => bits.parse::<u8>().is_ok_and(|bits| bits <= 128),
        Err(_) => false,
    })
}

fn ports(spec: &Value, kind: &str, errors: &mut Errors) {
    let ports = spec.items_at(&["ports"]);
    let mut names = HashSet::new();
    let mut numbers = HashSet::new();
    for (port, idx) in ports.iter().zip(0..) {
        let field = format!("spec.ports[{idx}]");
        let name = text(port, "name");
        if name.is_empty() {
            if ports.len() > 1 {
                errors.required(&format!("{field}.name"), "");
            }
        } else {
            errors.invalid_each(&format!("{field}.name"), name, validation::dns1123_label(name));
            if !names.insert(name) {
                errors.duplicate(&format!("{field}.name"), name);
            }
        }
        let number = port.int_at(&["port"]).unwrap_or(0);
        errors.port(&format!("{field}.port"), number);
        let protocol = text(port, "protocol");
        errors.one_of(&format!("{field}.protocol"), protocol, &["SCTP", "TCP", "UDP"]);
        errors.port_or_name(&format!("{field}.targetPort"), port.get("targetPort"));
        if port.int_at(&["nodePort"]).is_some_and(|port| port != 0)
            && matches!(kind, "ClusterIP" | "ExternalName")
        {
            let detail = format!("may not be used when `type` is '{kind}'");
            errors.forbidden(&format!("{field}.nodePort"), &detail);
        }
        if !numbers.insert((number, protocol)) {
            let shown = format!(
                "{{\"Name\":\"\",\"Protocol\":{protocol:?},\"AppProtocol\":null,\"Port\":{number},\"TargetPort\":0,\"NodePort\":0}}"
            );
            errors.duplicate_shown(&field, &shown);
        }
    }
}
