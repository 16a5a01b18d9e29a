//! Replicas that share work: each holds a Lease of its own, and acts on its part of the Units.
//!
//! There is no leader. A replica says in its Lease among whom it takes the work to be shared, its *view*; who acts on a
//! Unit follows from a view by rendezvous hashing, so a replica that comes or goes moves no Units but its own.
//!
//! # Guarantees
//!
//! No two replicas act on one Unit at a time. A replica acts on a Unit only while its own view gives the Unit to it, its
//! Lease with that view is stored, and no view that it has read since gives the Unit to that view's owner. Before it
//! gives a Unit away it ends what it has under way there, and only then says so. Who cannot renew its Lease stops on its
//! own clock, after two thirds of the time after which the others take it for gone.
//!
//! Messages that a replica gets and that concern all travel on its Lease, too.

mod member;
mod shards;

use std::time::Duration;

use tokio::sync::{mpsc, watch};
use tokio::time::Instant;
use windlass_kube::{Object, Str, Value};

use crate::{ApiError, ClusterClient, DeleteOptions, Resource, WatchEvent, WatchScope};
use member::Member;
pub use shards::Shards;

/// The label by which the Leases of one control plane's replicas are found; its value is the group's name.
pub const REPLICA_LABEL: &str = "windlass.dev/replica-of";

/// With whom replicas share work, and how patiently.
#[derive(Debug, Clone)]
pub struct ShareOptions {
    /// The Leases' namespace.
    pub namespace: Str,
    /// What all who share the work have in common.
    pub group: Str,
    /// Who we are: unique among the replicas.
    pub identity: Str,
    /// How long a replica that is not heard of is taken to be at work.
    pub duration: Duration,
    /// How often each renews its Lease: a third of the duration leaves room for two failures.
    pub renew: Duration,
}

impl ShareOptions {
    /// The name of our Lease: an identity may have letters that a name may not.
    fn lease_name(&self) -> String {
        format!("{}-{}", self.group, windlass_model::Digest::of_bytes(self.identity.as_bytes()))
    }

    fn selector(&self) -> Str {
        format!("{REPLICA_LABEL}={}", self.group).into()
    }
}

/// What a replica is to act on from now on.
#[derive(Debug, Clone, PartialEq)]
pub struct Assignment {
    /// Grows with every assignment.
    pub number: u64,
    /// Which Units.
    pub shards: Shards,
}

/// What concerns all replicas, whoever heard of it.
pub struct Messages {
    /// What this one heard of.
    pub outgoing: mpsc::Receiver<Value>,
    /// What the others did. One that cannot be taken is dropped.
    pub incoming: mpsc::Sender<Value>,
}

/// Takes part in the work until the receivers of `assignments` are dropped.
///
/// The first assignment comes when it is sure that nobody else acts on what it names; `None` says that nothing may be
/// done until the next. Whoever receives an assignment ends what it has under way on Units that are not part of it, and
/// then says its number by `settled`.
///
/// # Cancel safety
///
/// Dropping the future stops renewing; the Lease then runs out by itself, or is ended by [`leave`].
pub async fn share(
    client: ClusterClient,
    options: ShareOptions,
    assignments: watch::Sender<Option<Assignment>>,
    settled: watch::Receiver<u64>,
    messages: Messages,
) {
    /// What wakes us is looked at at once.
    const BUFFER: usize = 16;
    let (sender, mut events) = mpsc::channel(BUFFER);
    let scope = WatchScope { namespace: options.namespace.clone(), label_selector: options.selector() };
    let watching = crate::watch(client.clone(), leases(), scope, sender);
    let mut replica = Replica {
        member: Member::new(options.identity.clone(), options.duration),
        client,
        options,
        assignments,
        settled,
        incoming: messages.incoming,
    };
    let mut outgoing = messages.outgoing;
    let taking_part = async {
        loop {
            let limit = replica.member.left(Instant::now()).unwrap_or(replica.options.renew);
            // A server that does not answer at all must not keep anybody at work for too long.
            let step = tokio::time::timeout(limit.min(replica.options.renew), replica.step()).await;
            let failed = match step {
                Ok(Ok(())) => false,
                Ok(Err(error)) => {
                    tracing::warn!(%error, "the Lease of this replica could not be renewed");
                    true
                }
                Err(_) => {
                    tracing::warn!("the Lease of this replica could not be renewed: no answer in time");
                    true
                }
            };
            replica.stop_in_time();
            let now = Instant::now();
            let left = replica.member.left(now).unwrap_or(replica.options.renew);
            let pause = if failed { replica.options.renew / 5 } else { replica.options.renew };
            let wake = tokio::time::sleep(pause.min(left));
            tokio::pin!(wake);
            loop {
                tokio::select! {
                    () = &mut wake => break,
                    () = replica.assignments.closed() => return,
                    Ok(()) = replica.settled.changed() => break,
                    Some(message) = outgoing.recv() => {
                        replica.member.say(message);
                        break;
                    }
                    event = events.recv() => {
                        if event.is_none_or(|event| replica.is_news(&event)) {
                            break;
                        }
                    }
                }
            }
        }
    };
    tokio::select! {
        () = watching => {}
        () = taking_part => {}
    }
}

/// Ends the Lease of a replica that has stopped, so that the others need not wait for it to run out.
pub async fn leave(client: &ClusterClient, options: &ShareOptions) {
    let name = options.lease_name();
    let left = client.delete(&leases(), &options.namespace, &name, &DeleteOptions::default()).await;
    if let Err(error) = left {
        tracing::debug!(%error, "the Lease of this replica could not be deleted; it runs out by itself");
    }
}

fn leases() -> Resource {
    Resource::new("coordination.k8s.io", "v1", "Lease", "leases", true)
}

struct Replica {
    member: Member,
    client: ClusterClient,
    options: ShareOptions,
    assignments: watch::Sender<Option<Assignment>>,
    settled: watch::Receiver<u64>,
    incoming: mpsc::Sender<Value>,
}

impl Replica {
    /// One look at all Leases, and what follows from it for our own.
    async fn step(&mut self) -> Result<(), ApiError> {
        let own = self.look().await?;
        let target = self.member.live(Instant::now());
        let settled = *self.settled.borrow_and_update();
        if self.member.is_published() && own.is_none() {
            // Somebody took us for gone.
            self.stop();
        }
        match self.member.next(&target, settled) {
            member::Next::Rest if self.is_due() => self.publish(own, None).await?,
            member::Next::Rest => {}
            member::Next::Narrow => {
                self.assign();
                if self.is_due() {
                    self.publish(own, None).await?;
                }
                return Ok(());
            }
            member::Next::Publish => {
                self.publish(own, Some(target)).await?;
                // What the others say counts from after they can read what we say.
                self.look().await?;
            }
        }
        self.assign();
        for (name, uid) in self.member.forgotten(Instant::now()) {
            // A holder that comes back all the same finds its Lease gone and begins anew.
            let options = DeleteOptions { uid: Some(uid), ..DeleteOptions::default() };
            self.client.delete(&leases(), &self.options.namespace, &name, &options).await?;
        }
        Ok(())
    }

    /// Reads all Leases; answers our own.
    async fn look(&mut self) -> Result<Option<Object>, ApiError> {
        let found = self.client.list(&leases(), &self.options.namespace, &self.options.selector()).await?;
        let (own, others): (Vec<Object>, Vec<Object>) = found
            .into_iter()
            .partition(|lease| member::holder(lease) == Some(self.options.identity.as_str()));
        for message in self.member.see(&others, Instant::now()) {
            let _ = self.incoming.try_send(message);
        }
        Ok(own.into_iter().next())
    }

    /// Whether the Lease is to be renewed, or to say more.
    fn is_due(&self) -> bool {
        self.member.is_due(Instant::now(), self.options.renew)
    }

    /// Renews our Lease, with a new view if there is one.
    async fn publish(&mut self, own: Option<Object>, view: Option<member::View>) -> Result<(), ApiError> {
        let started = Instant::now();
        let said = view.clone().unwrap_or_else(|| self.member.published());
        let lease = self.member.lease(own.as_ref(), &self.options, &said);
        let manager = self.options.identity.as_str();
        match own {
            Some(_) => self.client.replace(&leases(), &lease, manager).await?,
            None => self.client.create(&leases(), &lease, manager).await?,
        };
        self.member.renewed(started, view);
        Ok(())
    }

    /// Tells what is to be acted on, if that is news.
    fn assign(&mut self) {
        let shards = self.member.shards(Instant::now());
        let number = self.member.number();
        self.assignments.send_if_modified(|current| {
            let is_news = current.as_ref().is_none_or(|current| current.shards != shards);
            if is_news {
                *current = Some(Assignment { number: number + 1, shards });
            }
            is_news
        });
        self.member.assigned(self.assignments.borrow().as_ref().map_or(0, |assignment| assignment.number));
    }

    /// Stops when the Lease was not renewed for too long.
    fn stop_in_time(&mut self) {
        if self.member.left(Instant::now()).is_some_and(|left| left.is_zero()) {
            tracing::warn!("this replica could not renew its Lease in time and stops");
            self.stop();
        }
    }

    fn stop(&mut self) {
        self.member.forget_published();
        self.assignments.send_if_modified(|current| current.take().is_some());
    }

    /// Whether an event of the watch says more than that somebody is still there.
    fn is_news(&self, event: &WatchEvent) -> bool {
        match event {
            WatchEvent::Applied(lease) => self.member.is_news(lease),
            WatchEvent::Deleted(_) => true,
            _ => false,
        }
    }
}
