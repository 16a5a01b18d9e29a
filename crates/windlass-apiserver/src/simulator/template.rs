//! Pods out of templates, and names that follow from a template.

use windlass_kube::{Object, Str, Value, value};

use super::{NODE, Simulator};
use crate::controllers::change::{controller_reference, create};
use crate::resource::Gvr;
use crate::status::Status;

/// A short hash of a template, stable as long as the template is: the letters of Kubernetes' own hashes,
/// though not the same ones.
pub(super) fn template_hash(template: &Value) -> String {
    const ALPHABET: &[u8] = b"bcdfghjklmnpqrstvwxz2456789";
    let mut hash: u64 = 0xcbf2_9ce4_8422_2325;
    for byte in format!("{template:?}").bytes() {
        hash = (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
    }
    (0..10)
        .map(|_| {
            let letter = ALPHABET[usize::try_from(hash % 27).unwrap_or(0)];
            hash /= 27;
            char::from(letter)
        })
        .collect()
}

/// What a new pod is called.
pub(super) enum PodName<'a> {
    /// A random name that begins so.
    Generated(&'a str),
    /// Exactly so.
    Exact(&'a str),
}

impl Simulator {
    /// Makes a pod of its owner's template; `finish` may add to it.
    pub(super) async fn make_pod(
        &self,
        owner: &Object,
        template: &Value,
        name: PodName<'_>,
        finish: impl FnOnce(&mut Value),
    ) -> Result<(), Status> {
        let mut metadata = value!({"ownerReferences": [(controller_reference(owner))]});
        metadata.set_at(&["namespace"], owner.namespace());
        for field in ["labels", "annotations", "finalizers"] {
            if let Some(member) = template.at(&["metadata", field]) {
                metadata.set_at(&[field], member.clone());
            }
        }
        match name {
            PodName::Generated(prefix) => metadata.set_at(&["generateName"], prefix),
            PodName::Exact(name) => metadata.set_at(&["name"], name),
        }
        let spec = template.get("spec").cloned().unwrap_or_else(Value::object);
        let mut pod = value!({"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec});
        let unschedulable = super::pods::wish(&pod, "fail").as_deref() == Some("Unschedulable");
        if !unschedulable && pod.items_at(&["spec", "schedulingGates"]).is_empty() {
            pod.set_at(&["spec", "nodeName"], NODE);
        }
        finish(&mut pod);
        if let Some(pod) = create(&self.api, &Gvr::new("", "v1", "pods"), pod).await? {
            self.note_child("/pods", &pod);
        }
        Ok(())
    }
}

/// A label or annotation of an object under construction.
pub(super) fn set_label(object: &mut Value, key: &str, text: impl Into<Str>) {
    object.set_at(&["metadata", "labels", key], text.into());
}
