//! Makes rendered manifests ready for a target.

use std::collections::HashMap;
use std::sync::Arc;

use windlass_kube::{GroupKind, Gvk, ObjectRef, Value};
use windlass_model::{
    ClusterRef, Desired, DesiredHook, Diagnostic, DiagnosticKind, Digest, Manifest, Permissions, Strict,
    Unit, tracking,
};

use crate::duplicates::first_duplicate;
use crate::occasion::rollback_phases;
use crate::{Marks, Treatment, owned_form};

/// Whether objects of a kind live in namespaces.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// They do.
    Namespaced,
    /// They do not.
    Cluster,
    /// The cluster does not serve the kind.
    Unknown,
}

/// What is declared, ready to be compared.
#[derive(Debug, Clone, Default)]
pub struct Prepared {
    /// The objects, each key once.
    pub desired: Vec<Desired>,
    /// The hooks, in the order in which they are declared. One without a name gets it from the plan.
    pub hooks: Vec<DesiredHook>,
    /// Objects that ask to be left alone: neither applied, nor pruned, nor compared.
    pub skipped: Vec<ObjectRef>,
    /// What there is to say about the others.
    pub diagnostics: Vec<Diagnostic>,
}

/// Sets namespaces, checks permissions, stamps tracking marks, and settles duplicates: the last one wins.
///
/// `scope` answers for the target cluster; a kind that it does not serve but that one of `manifests` defines is
/// taken from that definition. An object that cannot be prepared is left out with a diagnostic that names it; the
/// others go on.
pub fn prepare(
    unit: &Unit,
    permissions: &Permissions,
    manifests: &[Manifest],
    scope: impl Fn(&Gvk) -> Scope,
    marks: &Marks,
) -> Prepared {
    let defined = kinds_defined_by(manifests);
    let mut ready: Vec<(Desired, Treatment)> = Vec::with_capacity(manifests.len());
    let mut diagnostics = Vec::new();
    let mut positions: HashMap<ObjectRef, usize> = HashMap::with_capacity(manifests.len());
    for manifest in manifests {
        let gvk = manifest.object.gvk();
        let scope = match scope(&gvk) {
            Scope::Unknown => defined.get(&gvk.group_kind()).copied().unwrap_or(Scope::Unknown),
            known => known,
        };
        let mut treatment = marks.treatment_of(&manifest.object);
        if let Treatment::Hook { phases, .. } = &mut treatment
            && phases.is_empty()
            && unit.policy.hooks.by_event
        {
            *phases = rollback_phases(&manifest.object, marks).into();
        }
        if matches!(&treatment, Treatment::Hook { phases, .. } if phases.is_empty()) {
            // A test of Helm's, or a phase that nobody knows: Argo CD drops it as silently.
            continue;
        }
        match prepare_one(unit, permissions, manifest, &gvk, scope, marks, &treatment) {
            Ok((desired, warnings)) => {
                diagnostics.extend(warnings);
                match positions.get(&desired.key).filter(|_| !desired.key.name.is_empty()) {
                    Some(&at) => {
                        let message = format!("is declared more than once, last at {}", desired.origin);
                        diagnostics.push(
                            Diagnostic::new(DiagnosticKind::RepeatedObject, message)
                                .about(desired.key.clone())
                                .at(ready[at].0.origin.clone()),
                        );
                        ready[at] = (desired, treatment);
                    }
                    None => {
                        positions.insert(desired.key.clone(), ready.len());
                        ready.push((desired, treatment));
                    }
                }
            }
            Err(diagnostic) => diagnostics.push(*diagnostic),
        }
    }
    let mut prepared = Prepared { diagnostics, ..Prepared::default() };
    prepared.desired.reserve_exact(ready.len());
    for (desired, treatment) in ready {
        match treatment {
            Treatment::Member => prepared.desired.push(desired),
            Treatment::Hook { phases, role } => prepared.hooks.push(DesiredHook { desired, phases, role }),
            Treatment::Skipped => prepared.skipped.push(desired.key),
        }
    }
    prepared
}

fn prepare_one(
    unit: &Unit,
    permissions: &Permissions,
    manifest: &Manifest,
    gvk: &Gvk,
    scope: Scope,
    marks: &Marks,
    treatment: &Treatment,
) -> Result<(Desired, Vec<Diagnostic>), Box<Diagnostic>> {
    let mut object = manifest.object.clone();
    let mut warnings = Vec::new();
    let problem = |kind, message: String| {
        let mut key = manifest.object.object_ref();
        if key.name.is_empty() {
            key.name = manifest.object.str_at(&["metadata", "generateName"]).into();
        }
        Box::new(Diagnostic::new(kind, message).about(key).at(manifest.origin.clone()))
    };
    let generated = object.at(&["metadata", "generateName"]).is_some();
    let named_later = generated && matches!(treatment, Treatment::Hook { .. });
    if object.name().is_empty() && !named_later {
        return Err(if generated {
            let message = "has generateName and no name: only hooks can be made anew each time";
            problem(DiagnosticKind::Unsupported, message.into())
        } else {
            problem(DiagnosticKind::Compare, format!("{} has no metadata.name", gvk.kind))
        });
    }
    match scope {
        Scope::Cluster => {
            object.remove_at(&["metadata", "namespace"]);
        }
        Scope::Namespaced | Scope::Unknown => {
            if object.namespace().is_empty() && !unit.target.namespace.is_empty() {
                object.set_at(&["metadata", "namespace"], unit.target.namespace.clone());
            }
            if scope == Scope::Namespaced && object.namespace().is_empty() {
                let message = "needs a namespace: neither the object nor the destination names one";
                return Err(problem(DiagnosticKind::Compare, message.into()));
            }
        }
    }
    let namespaced = scope != Scope::Cluster;
    permissions
        .permits_kind(&gvk.group_kind(), namespaced, object.name())
        .map_err(|why| problem(DiagnosticKind::Sync, why.to_string()))?;
    if namespaced {
        let (server, cluster) = match &unit.target.cluster {
            ClusterRef::Local => ("https://kubernetes.default.svc", unit.target.name.as_str()),
            ClusterRef::Server(server) => (server.as_str(), unit.target.name.as_str()),
            ClusterRef::Name(name) => ("", name.as_str()),
        };
        permissions
            .permits_destination(server, cluster, object.namespace())
            .map_err(|why| problem(DiagnosticKind::Sync, why.to_string()))?;
    }
    let wave = marks.wave_of(&object).unwrap_or_else(|text| {
        warnings
            .push(*problem(DiagnosticKind::Render, format!("its wave {text:?} is no integer; 0 is used")));
        0
    });
    if let Some(Err(why)) = object.annotation(marks.strict).map(str::parse::<Strict>) {
        warnings.push(*problem(DiagnosticKind::Unsupported, format!("annotation {} {why}", marks.strict)));
    }
    if let Some(duplicate) = first_duplicate(&object) {
        let message = format!(
            "{duplicate}; server-side apply cannot take that, so the object is applied by a three-way merge"
        );
        warnings.push(*problem(DiagnosticKind::RepeatedObject, message));
    }
    // Argo CD leaves definitions unmarked: what else serves the kind must not vanish with one Unit.
    // A hook without a name is stamped when it gets one: its mark names it.
    if gvk.kind != "CustomResourceDefinition" && !object.name().is_empty() {
        tracking::stamp(&mut object, &unit.ownership, &unit.target.namespace);
    }
    let status = unit.comparing.system.status.of(&gvk.group, &gvk.kind);
    if !status {
        object.remove_at(&["status"]);
    }
    object.remove_at(&["metadata", "managedFields"]);
    let desired = Desired {
        key: object.object_ref(),
        gvk: gvk.clone(),
        digest: Digest::of_value(&owned_form(&object, status)),
        object: Arc::new(object),
        origin: manifest.origin.clone(),
        wave,
    };
    Ok((desired, warnings))
}

/// The kinds that CustomResourceDefinitions among `manifests` bring.
fn kinds_defined_by(manifests: &[Manifest]) -> HashMap<GroupKind, Scope> {
    let definitions =
        manifests.iter().filter(|manifest| manifest.object.kind() == "CustomResourceDefinition");
    definitions
        .map(|manifest| {
            let object = &manifest.object;
            let scope = match object.at(&["spec", "scope"]).and_then(Value::as_str) {
                Some("Cluster") => Scope::Cluster,
                _ => Scope::Namespaced,
            };
            (
                GroupKind::new(object.str_at(&["spec", "group"]), object.str_at(&["spec", "names", "kind"])),
                scope,
            )
        })
        .collect()
}
