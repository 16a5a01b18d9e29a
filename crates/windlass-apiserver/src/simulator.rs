//! Workloads that only seem to run, for demos and tests: off unless asked for, and every pod it touches is
//! on a node that is labelled as simulated.
//!
//! Deployments, StatefulSets, DaemonSets, Jobs and CronJobs make pods, pods become ready as kwok makes them,
//! claims are bound, load balancers get an address. Nothing is ever started. One workload gets at most
//! 5,000 pods.
//!
//! Annotations on a pod (or pod template) make trouble to look at:
//!
//! | annotation | effect |
//! |---|---|
//! | `simulator.windlass.dev/fail: ImagePullBackOff` | the pod waits with that reason |
//! | `simulator.windlass.dev/fail: CrashLoopBackOff` | its containers restart without end |
//! | `simulator.windlass.dev/fail: Unschedulable` | no node takes it |
//! | `simulator.windlass.dev/fail: NotReady` | it runs and never becomes ready |
//! | `simulator.windlass.dev/fail: Error` | of a Job, the pod fails |
//! | `simulator.windlass.dev/ready-after: 2s` | it becomes ready so long after it was created |
//! | `simulator.windlass.dev/run-for: 5s` | of a Job, the pod ends so long after it was created |

mod around;
mod cron;
mod daemons;
mod deployments;
mod index;
mod jobs;
mod pods;
mod replicas;
mod revisions;
mod stateful;
mod status;
mod template;

use std::sync::Mutex;
use std::time::Duration;

use windlass_kube::{Object, Str};

use crate::api::{Api, DeleteOptions};
use crate::controllers::change::get;
use crate::controllers::follow::Change;
use crate::controllers::runner::Controller;
use crate::resource::Gvr;
use crate::status::Status;
use crate::store::Key;

use index::Index;

/// The name of the one node there is.
pub const NODE: &str = "windlass-simulated-node";

/// The label that says that nothing behind an object is real.
pub const SIMULATED: &str = "simulator.windlass.dev/simulated";

/// An object, by where it is stored.
type Node = (Str, Key);

/// Makes workloads seem to run.
pub(crate) struct Simulator {
    api: Api,
    index: Mutex<Index>,
}

impl Simulator {
    pub(crate) fn new(api: Api) -> Self {
        Self { api, index: Mutex::default() }
    }

    fn index(&self) -> std::sync::MutexGuard<'_, Index> {
        self.index.lock().expect("no panic under this lock")
    }

    /// The objects in `storage` that `owner` controls, as they are now.
    fn children(&self, owner: &Object, storage: &str) -> Vec<Object> {
        let keys = self.index().children(owner.uid(), storage);
        let table = self.api.store().table(storage);
        keys.into_iter().filter_map(|key| table.get(&key)).map(|stored| stored.object()).collect()
    }

    /// Notes a child before its event arrives, so that it is not made twice.
    fn note_child(&self, storage: &str, child: &Object) {
        self.index().put(storage, child);
    }

    /// Deletes an object at once; that it is gone already is fine.
    async fn delete(&self, gvr: &Gvr, object: &Object) -> Result<(), Status> {
        let options = DeleteOptions {
            grace_period_seconds: Some(0),
            uid: Some(object.uid().into()),
            propagation: Some(crate::api::Propagation::Background),
            ..DeleteOptions::default()
        };
        match self.api.delete(gvr, object.namespace(), object.name(), &options).await {
            Err(status) if !matches!(status.reason, "NotFound" | "Conflict") => Err(status),
            _ => Ok(()),
        }
    }

    fn read(&self, gvr: &Gvr, key: &Key) -> Option<Object> {
        get(&self.api, gvr, &key.namespace, &key.name)
    }
}

impl Controller for Simulator {
    type Key = Node;

    const NAME: &'static str = "workload-simulator";

    fn observe(&self, change: &Change) -> Vec<Node> {
        let storage = change.storage();
        let key = change.key().clone();
        match storage {
            "/pods" | "apps/replicasets" | "batch/jobs" | "apps/controllerrevisions" => {
                // The present state counts, not the event's: it may be newer.
                let present = self.api.store().table(storage).get(&key);
                let object = change.object.object();
                let mut index = self.index();
                let mut keys: Vec<Node> = index.owner(storage, &key).into_iter().collect();
                match present {
                    Some(present) => index.put(storage, &present.object()),
                    None => index.remove(storage, &key),
                }
                keys.extend(index::owner_of(&object));
                keys.dedup();
                if storage == "/pods" {
                    keys.extend(self.budgets_of(&key.namespace));
                }
                if !change.deleted {
                    keys.push((storage.into(), key));
                }
                keys
            }
            "/nodes" if change.deleted && key.name == NODE => vec![(storage.into(), key)],
            "/persistentvolumeclaims" => vec![(storage.into(), key)],
            "apps/deployments" | "apps/statefulsets" if !change.deleted => {
                let mut keys = self.autoscalers_of(&key.namespace);
                keys.push((storage.into(), key));
                keys
            }
            "apps/daemonsets"
            | "/replicationcontrollers"
            | "batch/cronjobs"
            | "/services"
            | "networking.k8s.io/ingresses"
            | "policy/poddisruptionbudgets"
            | "autoscaling/horizontalpodautoscalers"
                if !change.deleted =>
            {
                vec![(storage.into(), key)]
            }
            // The first thing there is in any cluster: a chance to bring up the node.
            "/namespaces" if key.name == "kube-system" || key.name == "default" => {
                vec![("/nodes".into(), Key::new("", NODE))]
            }
            _ => Vec::new(),
        }
    }

    async fn reconcile(&self, (storage, key): Node) -> Result<Option<Duration>, Status> {
        match storage.as_str() {
            "/pods" => self.pod(&key).await,
            "apps/replicasets" => self.replica_set(&key).await,
            "/replicationcontrollers" => self.replication_controller(&key).await,
            "apps/deployments" => self.deployment(&key).await,
            "apps/statefulsets" => self.stateful_set(&key).await,
            "apps/daemonsets" => self.daemon_set(&key).await,
            "batch/jobs" => self.job(&key).await,
            "batch/cronjobs" => self.cron_job(&key).await,
            "/persistentvolumeclaims" => self.claim(&key).await,
            "/services" => self.service(&key).await,
            "networking.k8s.io/ingresses" => self.ingress(&key).await,
            "policy/poddisruptionbudgets" => self.disruption_budget(&key).await,
            "autoscaling/horizontalpodautoscalers" => self.autoscaler(&key).await,
            "/nodes" => self.node().await,
            _ => Ok(None),
        }
    }
}
