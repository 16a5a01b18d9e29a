//! Leader election on a Lease: at most one replica acts.

use std::time::Duration;

use tokio::sync::watch;
use tokio::time::Instant;
use windlass_kube::{Object, Str, Value, value};

use crate::{ApiError, ClusterClient, Resource};

/// Which Lease is competed for, and how patiently.
#[derive(Debug, Clone)]
pub struct LeaseOptions {
    /// The Lease's namespace.
    pub namespace: Str,
    /// The Lease's name.
    pub name: Str,
    /// Who we are: unique among the replicas.
    pub identity: Str,
    /// How long a leader that is not heard of stays leader.
    pub duration: Duration,
    /// How often the leader renews and the others look: a third of the duration leaves room for two failures.
    pub renew: Duration,
}

/// Whether this replica leads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Leadership {
    /// Somebody else does, or nobody yet.
    Following,
    /// This one does.
    Leading,
}

/// Competes for the Lease until the receiver of `leadership` is dropped.
///
/// A leader that cannot renew steps down on its own clock before the others may take over: it counts from before
/// its last successful request, they count from when they saw it.
///
/// # Cancel safety
///
/// Dropping the future stops renewing; the Lease then runs out by itself.
pub async fn lead(client: ClusterClient, options: LeaseOptions, leadership: watch::Sender<Leadership>) {
    let resource = Resource::new("coordination.k8s.io", "v1", "Lease", "leases", true);
    let mut observed: Option<(Str, Instant)> = None;
    let mut renewed: Option<Instant> = None;
    loop {
        let started = Instant::now();
        // Two thirds of the duration: a margin for clocks that do not run alike.
        let until = |renewed: Option<Instant>| {
            let left =
                renewed.map(|at| (at + options.duration * 2 / 3).saturating_duration_since(Instant::now()));
            left.map_or(options.renew, |left| left.min(options.renew))
        };
        let step = step(&client, &resource, &options, &mut observed, renewed.is_some());
        // A server that does not answer at all must not keep a leader from stepping down in time.
        let answer = tokio::time::timeout(until(renewed), step)
            .await
            .unwrap_or_else(|_| Err(ApiError::Unreachable { message: "no answer in time".into() }));
        match answer {
            Ok(true) => renewed = Some(started),
            Ok(false) => renewed = None,
            Err(error) => {
                tracing::warn!(lease = %options.name, %error, "lease could not be renewed");
                renewed = renewed.filter(|at| at.elapsed() < options.duration * 2 / 3);
            }
        }
        let now = if renewed.is_some() { Leadership::Leading } else { Leadership::Following };
        leadership.send_if_modified(|current| std::mem::replace(current, now) != now);
        tokio::select! {
            () = tokio::time::sleep(until(renewed)) => {}
            () = leadership.closed() => {
                if renewed.is_some() {
                    release(&client, &resource, &options).await;
                }
                return;
            }
        }
    }
}

/// One look at the Lease; answers whether we hold it afterwards.
async fn step(
    client: &ClusterClient,
    resource: &Resource,
    options: &LeaseOptions,
    observed: &mut Option<(Str, Instant)>,
    leading: bool,
) -> Result<bool, ApiError> {
    let current = match client.get(resource, &options.namespace, &options.name).await {
        Ok(lease) => lease,
        Err(error) if error.is_not_found() => {
            let lease = with_holder(empty_lease(options), options, 0);
            return match client.create(resource, &lease, options.identity.as_str()).await {
                Ok(_) => Ok(true),
                Err(error) if error.is_conflict() => Ok(false),
                Err(error) => Err(error),
            };
        }
        Err(error) => return Err(error),
    };
    let holder = current.str_at(&["spec", "holderIdentity"]);
    if holder != options.identity && !holder.is_empty() {
        // The holder's clock is not ours: count from when we first saw this version of the Lease.
        let version = Str::from(current.resource_version());
        let since = match observed {
            Some((seen, since)) if *seen == version => *since,
            _ => observed.insert((version, Instant::now())).1,
        };
        if since.elapsed() < options.duration {
            return Ok(false);
        }
    }
    let transitions = current.at(&["spec", "leaseTransitions"]).and_then(Value::as_int).unwrap_or(0);
    let transitions = if leading { transitions } else { transitions + 1 };
    match client
        .replace(resource, &with_holder(current, options, transitions), options.identity.as_str())
        .await
    {
        Ok(_) => Ok(true),
        Err(error) if error.is_conflict() => Ok(false),
        Err(error) => Err(error),
    }
}

async fn release(client: &ClusterClient, resource: &Resource, options: &LeaseOptions) {
    let patch = value!({"spec": {"holderIdentity": null, "leaseDurationSeconds": 1}});
    let patched = client
        .merge_patch(resource, &options.namespace, &options.name, &patch, options.identity.as_str())
        .await;
    if let Err(error) = patched {
        tracing::debug!(%error, "lease could not be released; it runs out by itself");
    }
}

fn empty_lease(options: &LeaseOptions) -> Object {
    let mut lease = value!({"apiVersion": "coordination.k8s.io/v1", "kind": "Lease"});
    lease.set_at(&["metadata", "name"], options.name.clone());
    lease.set_at(&["metadata", "namespace"], options.namespace.clone());
    Object::try_new(lease).expect("it has apiVersion and kind")
}

fn with_holder(mut lease: Object, options: &LeaseOptions, transitions: i64) -> Object {
    let now = micro_time();
    if lease.str_at(&["spec", "holderIdentity"]) != options.identity {
        lease.set_at(&["spec", "acquireTime"], now.clone());
    }
    lease.set_at(&["spec", "holderIdentity"], options.identity.clone());
    lease.set_at(&["spec", "leaseDurationSeconds"], i64::try_from(options.duration.as_secs()).unwrap_or(15));
    lease.set_at(&["spec", "renewTime"], now);
    lease.set_at(&["spec", "leaseTransitions"], transitions);
    lease
}

/// Now, as `metav1.MicroTime` is written.
fn micro_time() -> String {
    let now = k8s_openapi::jiff::Timestamp::now();
    now.strftime("%Y-%m-%dT%H:%M:%S.%6fZ").to_string()
}
