//! Ingresses, network policies and endpoint slices.

use std::net::IpAddr;

use windlass_kube::{Value, validation};

use super::errors::{Errors, has, text};
use super::selectors;
use super::services::{NOT_A_NETWORK, is_network};

pub(super) fn ingress(object: &Value, errors: &mut Errors) {
    let empty = Value::object();
    let spec = object.get("spec").unwrap_or(&empty);
    let rules = spec.items_at(&["rules"]);
    match spec.get("defaultBackend") {
        Some(given) => backend(given, "spec.defaultBackend", errors),
        None if rules.is_empty() => {
            errors.invalid_shown("spec", "null", "either `defaultBackend` or `rules` must be specified");
        }
        None => {}
    }
    for (rule, idx) in rules.iter().zip(0..) {
        let field = format!("spec.rules[{idx}]");
        let host = text(rule, "host");
        if host.parse::<IpAddr>().is_ok() {
            errors.invalid(&format!("{field}.host"), host, "must be a DNS name, not an IP address");
        } else if !host.is_empty() {
            errors.invalid_each(&format!("{field}.host"), host, host_name(host));
        }
        if let Some(http) = rule.get("http") {
            let field = format!("{field}.http.paths");
            if http.items_at(&["paths"]).is_empty() {
                errors.required(&field, "");
            }
            for (path, idx) in http.items_at(&["paths"]).iter().zip(0..) {
                http_path(path, &format!("{field}[{idx}]"), errors);
            }
        }
    }
    for (tls, idx) in spec.items_at(&["tls"]).iter().zip(0..) {
        for (host, host_idx) in tls.items_at(&["hosts"]).iter().filter_map(Value::as_str).zip(0..) {
            errors.invalid_each(&format!("spec.tls[{idx}].hosts[{host_idx}]"), host, host_name(host));
        }
    }
    let class = text(spec, "ingressClassName");
    if !class.is_empty() {
        errors.invalid_each("spec.ingressClassName", class, validation::dns1123_subdomain(class));
    }
}

/// What is wrong with the name of a host, whose first part may be a star.
fn host_name(host: &str) -> Vec<String> {
    const WILDCARD: &str = "a wildcard DNS-1123 subdomain must start with '*.', followed by a valid DNS subdomain, which must consist of lower case alphanumeric characters, '-' or '.' and end with an alphanumeric character (e.g. '*.example.com', regex used for validation is '\\*\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')";
    if !host.contains('*') {
        return validation::dns1123_subdomain(host);
    }
    let is_right = host.strip_prefix("*.").is_some_and(|name| validation::dns1123_subdomain(name).is_empty());
    if is_right { Vec::new() } else { vec![WILDCARD.to_owned()] }
}

fn http_path(path: &Value, field: &str, errors: &mut Errors) {
    let given = text(path, "path");
    match text(path, "pathType") {
        "" => {
            errors.required(&format!("{field}.pathType"), "pathType must be specified");
            return;
        }
        "Exact" | "Prefix" => {
            if !given.starts_with('/') {
                errors.invalid(&format!("{field}.path"), given, "must be an absolute path");
            }
            for part in ["//", "/./", "/../", "%2f", "%2F"] {
                if given.contains(part) {
                    errors.invalid(&format!("{field}.path"), given, &format!("must not contain '{part}'"));
                }
            }
        }
        "ImplementationSpecific" => {
            if !given.is_empty() && !given.starts_with('/') {
                errors.invalid(&format!("{field}.path"), given, "must be an absolute path");
            }
        }
        other => {
            let supported = ["Exact", "ImplementationSpecific", "Prefix"];
            errors.not_supported(&format!("{field}.pathType"), other, &supported);
        }
    }
    let empty = Value::object();
    backend(path.get("backend").unwrap_or(&empty), &format!("{field}.backend"), errors);
}

fn backend(backend: &Value, field: &str, errors: &mut Errors) {
    match (backend.get("service"), backend.get("resource")) {
        (Some(_), Some(_)) => errors.invalid(field, "", "cannot set both resource and service backends"),
        (None, None) => errors.invalid(field, "", "resource or service backend is required"),
        (None, Some(_)) => {}
        (Some(service), None) => {
            let name = text(service, "name");
            if name.is_empty() {
                errors.required(&format!("{field}.service.name"), "");
            } else {
                errors.invalid_each(&format!("{field}.service.name"), name, validation::dns1123_label(name));
            }
            let port_name = service.str_at(&["port", "name"]).unwrap_or_default();
            let number = service.int_at(&["port", "number"]).unwrap_or(0);
            if !port_name.is_empty() && number != 0 {
                errors.invalid(field, "", "cannot set both port name & port number");
            } else if !port_name.is_empty() {
                let messages = super::errors::port_name(port_name);
                errors.invalid_each(&format!("{field}.service.port.name"), port_name, messages);
            } else if number != 0 {
                errors.port(&format!("{field}.service.port.number"), number);
            } else {
                errors.required(field, "port name or number is required");
            }
        }
    }
}

pub(super) fn policy(object: &Value, errors: &mut Errors) {
    let empty = Value::object();
    let spec = object.get("spec").unwrap_or(&empty);
    if let Some(selector) = spec.get("podSelector") {
        selectors::check(selector, "spec.podSelector", errors);
    }
    for (direction, peers) in [("ingress", "from"), ("egress", "to")] {
        for (rule, idx) in spec.items_at(&[direction]).iter().zip(0..) {
            let field = format!("spec.{direction}[{idx}]");
            for (port, idx) in rule.items_at(&["ports"]).iter().zip(0..) {
                let field = format!("{field}.ports[{idx}]");
                errors.one_of(&format!("{field}.protocol"), text(port, "protocol"), &["SCTP", "TCP", "UDP"]);
                errors.port_or_name(&format!("{field}.port"), port.get("port"));
            }
            for (peer, idx) in rule.items_at(&[peers]).iter().zip(0..) {
                policy_peer(peer, &format!("{field}.{peers}[{idx}]"), errors);
            }
        }
    }
    for (kind, idx) in spec.items_at(&["policyTypes"]).iter().filter_map(Value::as_str).zip(0..) {
        errors.one_of(&format!("spec.policyTypes[{idx}]"), kind, &["Ingress", "Egress"]);
    }
}

fn policy_peer(peer: &Value, field: &str, errors: &mut Errors) {
    let mut given = 0;
    for key in ["podSelector", "namespaceSelector"] {
        if let Some(selector) = peer.get(key) {
            given += 1;
            selectors::check(selector, &format!("{field}.{key}"), errors);
        }
    }
    if let Some(block) = peer.get("ipBlock") {
        let network = text(block, "cidr");
        if network.is_empty() {
            errors.required(&format!("{field}.ipBlock.cidr"), "");
        } else if !is_network(network) {
            errors.invalid(&format!("{field}.ipBlock.cidr"), network, NOT_A_NETWORK);
        }
        if given > 0 {
            errors.forbidden(field, "may not specify both ipBlock and another peer");
        }
        given += 1;
    }
    if given == 0 {
        errors.required(field, "must specify a peer");
    }
}

pub(super) fn endpoint_slice(object: &Value, errors: &mut Errors) {
    let family = text(object, "addressType");
    if family.is_empty() {
        errors.required("addressType", "");
    } else {
        errors.one_of("addressType", family, &["FQDN", "IPv4", "IPv6"]);
    }
    for (endpoint, idx) in object.items_at(&["endpoints"]).iter().zip(0..) {
        if !has(endpoint, "addresses") || endpoint.items_at(&["addresses"]).is_empty() {
            errors.required(&format!("endpoints[{idx}].addresses"), "must contain at least 1 address");
        }
    }
}
