//! Services with selectors know the addresses of their pods.

use std::collections::BTreeMap;
use std::time::Duration;

use windlass_kube::selector::LabelSelector;
use windlass_kube::{Map, Object, Str, Value, value};

use super::change::{controller_reference, create, get, items, modify};
use super::follow::Change;
use super::runner::Controller;
use crate::api::{Api, DeleteOptions};
use crate::resource::Gvr;
use crate::status::Status;
use crate::store::Key;

/// How many endpoints one slice holds at most, as in Kubernetes.
const SLICE_SIZE: usize = 100;

const MANAGED_BY: &str = "endpointslice-controller.k8s.io";

pub(crate) struct Endpoints {
    api: Api,
}

impl Endpoints {
    pub(crate) fn new(api: Api) -> Self {
        Self { api }
    }

    /// The services of a namespace that select these labels.
    fn selecting(&self, namespace: &str, labels: Option<&Map>) -> Vec<Key> {
        let Some(labels) = labels else { return Vec::new() };
        let services = self.api.store().table("/services").list(Some(namespace)).objects;
        let selects =
            |service: &Object| selector(service).is_some_and(|selector| selector.matches(Some(labels)));
        services
            .iter()
            .filter(|service| selects(&service.object()))
            .map(|service| service.key().clone())
            .collect()
    }

    async fn write_slices(&self, service: &Object, ports: &Value, endpoints: &[Value]) -> Result<(), Status> {
        let gvr = Gvr::new("discovery.k8s.io", "v1", "endpointslices");
        let chunks: Vec<&[Value]> =
            if endpoints.is_empty() { vec![&[]] } else { endpoints.chunks(SLICE_SIZE).collect() };
        let mut names = Vec::new();
        for (idx, chunk) in chunks.iter().enumerate() {
            let name = format!("{}-{}", service.name(), suffix(service.uid(), idx));
            let mut labels =
                service.at(&["metadata", "labels"]).and_then(Value::as_object).cloned().unwrap_or_default();
            labels.insert("endpointslice.kubernetes.io/managed-by", MANAGED_BY);
            labels.insert("kubernetes.io/service-name", service.name());
            if service.str_at(&["spec", "clusterIP"]) == "None" {
                labels.insert("service.kubernetes.io/headless", "");
            }
            let fill = |slice: &mut Object| {
                slice.set_at(&["metadata", "labels"], labels.clone());
                slice.set_at(&["endpoints"], chunk.to_vec());
                slice.set_at(&["ports"], if chunk.is_empty() { Value::Null } else { ports.clone() });
            };
            if get(&self.api, &gvr, service.namespace(), &name).is_some() {
                modify(&self.api, &gvr, service.namespace(), &name, "", fill).await?;
            } else {
                let slice = value!({
                    "apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice",
                    "metadata": {
                        "name": (name.as_str()), "generateName": (format!("{}-", service.name())),
                        "namespace": (service.namespace()), "ownerReferences": [(controller_reference(service))]
                    },
                    "addressType": "IPv4", "endpoints": null, "ports": null
                });
                let mut slice = Object::try_new(slice).map_err(Status::internal)?;
                fill(&mut slice);
                create(&self.api, &gvr, slice.into_value()).await?;
            }
            names.push(name);
        }
        self.delete_others(service, &gvr, &names).await
    }

    async fn delete_others(&self, service: &Object, gvr: &Gvr, names: &[String]) -> Result<(), Status> {
        let table = self.api.store().table("discovery.k8s.io/endpointslices");
        for stored in table.list(Some(service.namespace())).objects {
            let label =
                |key: &str| stored.labels().and_then(|labels| labels.get(key)).and_then(Value::as_str);
            let ours = label("endpointslice.kubernetes.io/managed-by") == Some(MANAGED_BY)
                && label("kubernetes.io/service-name") == Some(service.name());
            if ours && !names.iter().any(|name| *name == stored.key().name) {
                let options = DeleteOptions::default();
                match self.api.delete(gvr, service.namespace(), &stored.key().name, &options).await {
                    Err(status) if status.reason != "NotFound" => return Err(status),
                    _ => {}
                }
            }
        }
        Ok(())
    }

    async fn write_legacy(&self, service: &Object, ports: &Value, endpoints: &[Value]) -> Result<(), Status> {
        let gvr = Gvr::new("", "v1", "endpoints");
        let mut lists: BTreeMap<bool, Vec<Value>> = BTreeMap::new();
        for endpoint in endpoints {
            let ready = endpoint.bool_at(&["conditions", "ready"]) == Some(true);
            let mut address = value!({"ip": (endpoint.items_at(&["addresses"])[0].clone())});
            for field in ["nodeName", "targetRef"] {
                if let Some(member) = endpoint.get(field) {
                    address.set_at(&[field], member.clone());
                }
            }
            lists.entry(ready).or_default().push(address);
        }
        let subsets = if endpoints.is_empty() {
            Value::Null
        } else {
            let mut subset = value!({"ports": (ports.clone())});
            for (ready, addresses) in lists {
                subset.set_at(&[if ready { "addresses" } else { "notReadyAddresses" }], addresses);
            }
            let strip_names = items_without_empty_names(ports);
            subset.set_at(&["ports"], strip_names);
            value!([subset])
        };
        let mut labels =
            service.at(&["metadata", "labels"]).and_then(Value::as_object).cloned().unwrap_or_default();
        labels.insert("endpoints.kubernetes.io/managed-by", "endpoint-controller");
        let fill = |object: &mut Object| {
            object.set_at(&["metadata", "labels"], labels.clone());
            match &subsets {
                Value::Null => {
                    object.remove_at(&["subsets"]);
                }
                subsets => object.set_at(&["subsets"], subsets.clone()),
            }
        };
        if get(&self.api, &gvr, service.namespace(), service.name()).is_some() {
            modify(&self.api, &gvr, service.namespace(), service.name(), "", fill).await?;
            return Ok(());
        }
        let object = value!({
            "apiVersion": "v1", "kind": "Endpoints",
            "metadata": {"name": (service.name()), "namespace": (service.namespace())}
        });
        let mut object = Object::try_new(object).map_err(Status::internal)?;
        fill(&mut object);
        create(&self.api, &gvr, object.into_value()).await?;
        Ok(())
    }
}

impl Controller for Endpoints {
    type Key = Key;

    const NAME: &'static str = "endpoints";

    fn observe(&self, change: &Change) -> Vec<Key> {
        let key = change.key();
        match change.storage() {
            "/services" => vec![key.clone()],
            "/pods" => {
                let mut keys = self.selecting(&key.namespace, change.object.labels());
                if let Some(previous) = &change.previous
                    && previous.labels() != change.object.labels()
                {
                    keys.extend(self.selecting(&key.namespace, previous.labels()));
                }
                keys
            }
            "discovery.k8s.io/endpointslices" if change.deleted => {
                let label =
                    |name: &str| change.object.labels().and_then(|l| l.get(name)).and_then(Value::as_str);
                match label("kubernetes.io/service-name") {
                    Some(service) if label("endpointslice.kubernetes.io/managed-by") == Some(MANAGED_BY) => {
                        vec![Key::new(key.namespace.clone(), service)]
                    }
                    _ => Vec::new(),
                }
            }
            _ => Vec::new(),
        }
    }

    async fn reconcile(&self, key: Key) -> Result<Option<Duration>, Status> {
        let services = Gvr::new("", "v1", "services");
        let endpoints = Gvr::new("", "v1", "endpoints");
        let Some(service) = get(&self.api, &services, &key.namespace, &key.name) else {
            let ours = get(&self.api, &endpoints, &key.namespace, &key.name)
                .is_some_and(|object| object.label("endpoints.kubernetes.io/managed-by").is_some());
            if ours {
                let _ =
                    self.api.delete(&endpoints, &key.namespace, &key.name, &DeleteOptions::default()).await;
            }
            return Ok(None);
        };
        let Some(selector) = selector(&service).filter(|_| !service.is_terminating()) else {
            return Ok(None);
        };
        let publish_all =
            service.at(&["spec", "publishNotReadyAddresses"]).and_then(Value::as_bool) == Some(true);
        let mut found: Vec<(Str, Value, Object)> = Vec::new();
        for stored in self.api.store().table("/pods").list(Some(&key.namespace)).objects {
            if selector.matches(stored.labels()) {
                let pod = stored.object();
                if let Some(endpoint) = endpoint(&pod, publish_all) {
                    found.push((pod.name().into(), endpoint, pod));
                }
            }
        }
        found.sort_by(|a, b| a.0.cmp(&b.0));
        let ports = ports(&service, found.first().map(|(_, _, pod)| pod));
        let list: Vec<Value> = found.into_iter().map(|(_, endpoint, _)| endpoint).collect();
        self.write_slices(&service, &ports, &list).await?;
        self.write_legacy(&service, &ports, &list).await?;
        Ok(None)
    }
}

/// What a service selects; `None` for one that selects nothing.
fn selector(service: &Object) -> Option<LabelSelector> {
    let labels = service.at(&["spec", "selector"])?.as_object()?;
    (!labels.is_empty()).then(|| LabelSelector::from_map(labels))
}

/// A pod as an endpoint; `None` while it has no address or when it has ended.
fn endpoint(pod: &Object, publish_all: bool) -> Option<Value> {
    let address = pod.str_at(&["status", "podIP"]);
    if address.is_empty() || matches!(pod.str_at(&["status", "phase"]), "Succeeded" | "Failed") {
        return None;
    }
    let ready = items(pod, &["status", "conditions"])
        .iter()
        .any(|c| c.str_at(&["type"]) == Some("Ready") && c.str_at(&["status"]) == Some("True"));
    let terminating = pod.is_terminating();
    let mut endpoint = value!({
        "addresses": [address],
        "conditions": {"ready": (publish_all || (ready && !terminating)), "serving": ready, "terminating": terminating},
        "targetRef": {"kind": "Pod", "name": (pod.name()), "namespace": (pod.namespace()), "uid": (pod.uid())}
    });
    if !pod.str_at(&["spec", "nodeName"]).is_empty() {
        endpoint.set_at(&["nodeName"], pod.str_at(&["spec", "nodeName"]));
    }
    Some(endpoint)
}

/// The ports that pods answer on; named ones as a pod names them.
fn ports(service: &Object, pod: Option<&Object>) -> Value {
    let list: Vec<Value> = items(service, &["spec", "ports"])
        .iter()
        .filter_map(|port| {
            let protocol = port.str_at(&["protocol"]).unwrap_or("TCP");
            let number = match port.get("targetPort") {
                Some(Value::Int(number)) => *number,
                Some(Value::String(name)) => named_port(pod?, name, protocol)?,
                _ => port.int_at(&["port"])?,
            };
            let name = port.str_at(&["name"]).unwrap_or_default();
            let mut endpoint = value!({"name": name, "port": number, "protocol": protocol});
            if let Some(application) = port.get("appProtocol") {
                endpoint.set_at(&["appProtocol"], application.clone());
            }
            Some(endpoint)
        })
        .collect();
    list.into()
}

fn named_port(pod: &Object, name: &str, protocol: &str) -> Option<i64> {
    items(pod, &["spec", "containers"])
        .iter()
        .flat_map(|container| container.items_at(&["ports"]))
        .find(|port| {
            port.str_at(&["name"]) == Some(name) && port.str_at(&["protocol"]).unwrap_or("TCP") == protocol
        })?
        .int_at(&["containerPort"])
}

fn items_without_empty_names(ports: &Value) -> Vec<Value> {
    let strip = |port: &Value| {
        let mut port = port.clone();
        if port.str_at(&["name"]) == Some("") {
            port.object_mut().remove("name");
        }
        port
    };
    ports.as_array().map_or_else(Vec::new, |ports| ports.iter().map(strip).collect())
}

/// Five letters that follow from the service and the slice's number, so that a name is found again.
fn suffix(uid: &str, idx: usize) -> String {
    const ALPHABET: &[u8] = b"bcdfghjklmnpqrstvwxz2456789";
    let mut hash: u64 = 0xcbf2_9ce4_8422_2325;
    for byte in uid.bytes().chain(idx.to_le_bytes()) {
        hash = (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
    }
    (0..5)
        .map(|_| {
            let letter = ALPHABET[(hash % 27) as usize];
            hash /= 27;
            char::from(letter)
        })
        .collect()
}
