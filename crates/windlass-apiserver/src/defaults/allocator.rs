//! Cluster addresses and node ports of Services.

use std::collections::HashSet;

use windlass_kube::{Str, Value};

/// The services' network: 10.96.0.0/16, the range most clusters have.
const NETWORK: [u8; 2] = [10, 96];
/// Host parts that can be given out: 10.96.0.1 belongs to `kubernetes` itself, the last is a broadcast.
const HOSTS: std::ops::Range<u32> = 2..65_535;
/// Kubernetes' own range of node ports.
const NODE_PORTS: std::ops::RangeInclusive<i64> = 30_000..=32_767;

/// Why a Service gets no address: the field and the server's words.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{field}: Invalid value: {value}: {detail}")]
pub struct AllocationError {
    /// The field, such as `spec.clusterIPs`.
    pub field: String,
    /// The value that was asked for, as JSON.
    pub value: String,
    /// Why not.
    pub detail: String,
}

/// Hands out cluster addresses and node ports, and knows which are in use.
///
/// Holds nothing but the two sets: at start, [`observe`](Self::observe) every stored Service.
#[derive(Clone, Debug, Default)]
pub struct ServiceAllocator {
    addresses: HashSet<Str>,
    ports: HashSet<i64>,
}

impl ServiceAllocator {
    /// With only the address of the `kubernetes` Service taken.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Notes what a stored Service uses.
    pub fn observe(&mut self, service: &Value) {
        self.addresses.extend(addresses(service));
        self.ports.extend(node_ports(service));
    }

    /// Frees what a deleted Service used.
    pub fn release(&mut self, service: &Value) {
        for address in addresses(service) {
            self.addresses.remove(&address);
        }
        for port in node_ports(service) {
            self.ports.remove(&port);
        }
    }

    /// Completes a Service with families, addresses and ports, after it was prepared for create or update.
    ///
    /// With `old`, what the Service had and no longer has is freed. On an error nothing is taken. For a dry
    /// run, allocate on a clone.
    ///
    /// # Errors
    ///
    /// An address or port that was asked for is taken or outside the range, or none is left.
    pub fn allocate(&mut self, service: &mut Value, old: Option<&Value>) -> Result<(), AllocationError> {
        let mut next = self.clone();
        if let Some(old) = old {
            next.release(old);
        }
        next.families_and_addresses(service)?;
        next.node_ports(service)?;
        *self = next;
        Ok(())
    }

    fn families_and_addresses(&mut self, service: &mut Value) -> Result<(), AllocationError> {
        let spec = super::made(service, "spec");
        if spec.str_at(&["type"]) == Some("ExternalName") {
            return Ok(());
        }
        let headless = spec.str_at(&["clusterIP"]) == Some("None");
        let selects =
            spec.get("selector").and_then(Value::as_object).is_some_and(|selector| !selector.is_empty());
        let policy = if headless && !selects { "RequireDualStack" } else { "SingleStack" };
        super::default(spec, "ipFamilyPolicy", policy);
        let mut families = spec.items_at(&["ipFamilies"]).to_vec();
        if families.is_empty() {
            families.push("IPv4".into());
        }
        if headless
            && !selects
            && families.len() < 2
            && spec.str_at(&["ipFamilyPolicy"]) != Some("SingleStack")
        {
            families.push(if families[0].as_str() == Some("IPv4") { "IPv6".into() } else { "IPv4".into() });
        }
        spec.set_at(&["ipFamilies"], families);
        if headless {
            spec.set_at(&["clusterIPs"], vec![Value::from("None")]);
            return Ok(());
        }
        let address = match spec.str_at(&["clusterIP"]).filter(|address| !address.is_empty()) {
            Some(asked) => self.take_address(asked)?,
            None => self.any_address(service)?,
        };
        service.set_at(&["spec", "clusterIP"], address.clone());
        service.set_at(&["spec", "clusterIPs"], vec![Value::from(address)]);
        Ok(())
    }

    fn take_address(&mut self, asked: &str) -> Result<Str, AllocationError> {
        let refuse = |detail: &str| {
            Err(AllocationError {
                field: "spec.clusterIPs".into(),
                value: format!("[{asked:?}]"),
                detail: format!("failed to allocate IP {asked}: {detail}"),
            })
        };
        let Ok(parsed) = asked.parse::<std::net::Ipv4Addr>() else {
            return refuse("the provided IP is not an IPv4 address");
        };
        if parsed.octets()[..2] != NETWORK {
            return refuse("the provided network does not match the current range");
        }
        if !self.addresses.insert(asked.into()) {
            return refuse("provided IP is already allocated");
        }
        Ok(asked.into())
    }

    /// An address that follows from the Service's identity, or the next free one.
    fn any_address(&mut self, service: &Value) -> Result<Str, AllocationError> {
        let count = HOSTS.end - HOSTS.start;
        let start = identity(service, 0) % count;
        for step in 0..count {
            let host = HOSTS.start + (start + step) % count;
            let address = Str::from(format!("{}.{}.{}.{}", NETWORK[0], NETWORK[1], host >> 8, host & 255));
            if self.addresses.insert(address.clone()) {
                return Ok(address);
            }
        }
        Err(AllocationError {
            field: "spec.clusterIPs".into(),
            value: "[]".into(),
            detail: "range is full".into(),
        })
    }

    fn node_ports(&mut self, service: &mut Value) -> Result<(), AllocationError> {
        let kind = service.str_at(&["spec", "type"]).unwrap_or_default().to_owned();
        let wanted = kind == "NodePort"
            || (kind == "LoadBalancer"
                && service.bool_at(&["spec", "allocateLoadBalancerNodePorts"]) != Some(false));
        let identities: Vec<u32> = (0..64).map(|salt| identity(service, salt)).collect();
        // A port may be used by two protocols.
        let mut mine: Vec<(i64, Str)> = Vec::new();
        let mut failure = None;
        let mut idx = 0_usize;
        super::each(super::made(service, "spec"), "ports", |port| {
            let path = format!("spec.ports[{idx}].nodePort");
            let seed = identities[idx % identities.len()];
            idx += 1;
            let protocol = Str::from(port.str_at(&["protocol"]).unwrap_or("TCP"));
            match port.int_at(&["nodePort"]).filter(|number| *number != 0) {
                Some(number) => {
                    let shared = mine.iter().any(|(have, other)| *have == number && *other != protocol);
                    if !NODE_PORTS.contains(&number) {
                        failure.get_or_insert(AllocationError {
                            field: path,
                            value: number.to_string(),
                            detail: "provided port is not in the valid range. The range of valid ports is 30000-32767"
                                .into(),
                        });
                    } else if !self.ports.insert(number) && !shared {
                        failure.get_or_insert(AllocationError {
                            field: path,
                            value: number.to_string(),
                            detail: "provided port is already allocated".into(),
                        });
                    }
                    mine.push((number, protocol));
                }
                None if wanted => match self.any_port(seed) {
                    Some(number) => {
                        port.set_at(&["nodePort"], number);
                        mine.push((number, protocol));
                    }
                    None => {
                        let detail = "failed to allocate a nodePort: range is full".into();
                        failure.get_or_insert(AllocationError { field: path, value: "0".into(), detail });
                    }
                },
                None => {}
            }
        });
        if kind == "LoadBalancer"
            && service.str_at(&["spec", "externalTrafficPolicy"]) == Some("Local")
            && service.int_at(&["spec", "healthCheckNodePort"]).unwrap_or(0) == 0
            && let Some(number) = self.any_port(identities[63])
        {
            service.set_at(&["spec", "healthCheckNodePort"], number);
        }
        failure.map_or(Ok(()), Err)
    }

    fn any_port(&mut self, seed: u32) -> Option<i64> {
        let (low, high) = (*NODE_PORTS.start(), *NODE_PORTS.end());
        let count = high - low + 1;
        (0..count).map(|step| low + (i64::from(seed) + step) % count).find(|port| self.ports.insert(*port))
    }
}

fn addresses(service: &Value) -> Vec<Str> {
    let usable = |address: &&str| !address.is_empty() && *address != "None";
    service
        .items_at(&["spec", "clusterIPs"])
        .iter()
        .filter_map(Value::as_str)
        .filter(usable)
        .map(Str::from)
        .collect()
}

fn node_ports(service: &Value) -> Vec<i64> {
    let ports = service.items_at(&["spec", "ports"]).iter().filter_map(|port| port.int_at(&["nodePort"]));
    ports.chain(service.int_at(&["spec", "healthCheckNodePort"])).filter(|port| *port != 0).collect()
}

/// A number that follows from namespace and name (FNV-1a).
fn identity(service: &Value, salt: u32) -> u32 {
    let mut hash: u32 = 0x811c_9dc5 ^ salt.wrapping_mul(0x9e37_79b9);
    for part in ["namespace", "name"] {
        for byte in service.str_at(&["metadata", part]).unwrap_or_default().bytes().chain([0]) {
            hash = (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193);
        }
    }
    hash
}
