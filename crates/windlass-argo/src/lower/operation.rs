//! The `operation` field: a sync that somebody asks for.

use windlass_kube::{GroupKind, Str};
use windlass_model::{Initiator, Selection, SyncRequest};

use super::policy::{self, Findings, retry};
use crate::types::{ApplicationSpec, Operation, RetryStrategy, Source, SyncStrategy};

/// What the field asks for.
///
/// # Errors
///
/// Why it cannot be carried out: doing something else instead would be worse.
pub(super) fn request(
    operation: &Operation,
    spec: &ApplicationSpec,
    findings: &mut dyn Findings,
) -> Result<SyncRequest, Str> {
    let Some(sync) = operation.sync.as_deref() else {
        return Err("Invalid operation request: no operation specified".into());
    };
    let strategy = sync.sync_strategy.as_deref();
    let force = strategy.is_some_and(SyncStrategy::force);
    let own_policy = (force || !sync.sync_options.is_empty()).then(|| {
        let mut options = policy::policy(spec, &mut Silent);
        let declared = spec.sync_policy.as_deref().map(|policy| &*policy.sync_options).unwrap_or_default();
        for option in sync.sync_options.iter().filter(|option| !declared.contains(option)) {
            policy::apply_option(option, "operation.sync.syncOptions", &mut options, findings);
        }
        options.apply.force |= force;
        options
    });
    let own_policy = own_policy.filter(|own| *own != policy::policy(spec, &mut Silent));
    let revisions = if sync.revisions.is_empty() && !sync.revision.is_empty() {
        vec![sync.revision.clone()]
    } else {
        sync.revisions.to_vec()
    };
    let selection = sync.resources.iter().map(|resource| Selection {
        kind: GroupKind::new(resource.group.clone(), resource.kind.clone()),
        namespace: resource.namespace.clone(),
        name: resource.name.clone(),
    });
    let own_retry = operation.retry != RetryStrategy::default();
    Ok(SyncRequest {
        revisions,
        manifests: sync.manifests.iter().cloned().collect(),
        prune: sync.prune,
        dry_run: sync.dry_run,
        selection: selection.collect(),
        skip_hooks: strategy.is_some_and(|strategy| strategy.apply.is_some()),
        policy: own_policy.map(Box::new),
        initiator: Initiator {
            username: operation.initiated_by.username.clone(),
            automated: operation.initiated_by.automated,
        },
        retry: own_retry.then(|| retry(Some(&operation.retry), "operation.retry", findings)),
    })
}

/// The Application's spec with the sources that an operation names in place of its own; `None` where it names none, or
/// its own but for their revisions, as a rollback does.
pub(super) fn overriding(operation: &Operation, spec: &ApplicationSpec) -> Option<ApplicationSpec> {
    let sync = operation.sync.as_deref()?;
    let named: Box<[Source]> = match &sync.source {
        _ if !sync.sources.is_empty() => sync.sources.clone(),
        Some(source) => [Source::clone(source)].into(),
        None => return None,
    };
    let at_any_revision = |source: &Source| Source { target_revision: Str::default(), ..source.clone() };
    if named.iter().map(at_any_revision).eq(spec.sources().iter().map(at_any_revision)) {
        return None;
    }
    Some(spec.with_sources(&named, !sync.sources.is_empty()))
}

/// What the Application's own policy has to say is said where it is lowered.
struct Silent;

impl Findings for Silent {
    fn refuse(&mut self, _: String) {}

    fn ignore(&mut self, _: String) {}
}
