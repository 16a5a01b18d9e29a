//! What keeps a cluster in order whether or not workloads run: namespaces empty themselves, what is owned
//! goes with its owner, every namespace has its service account, services know their endpoints.
//!
//! Each controller is one task that follows the store, knows by key what may have changed, and looks at
//! the whole present state of that key; a restart or a lost event costs nothing but a look. Idle, they wait.

pub(crate) mod change;
mod endpoints;
pub(crate) mod follow;
mod garbage;
mod namespaces;
mod policies;
mod protection;
mod quotas;
pub(crate) mod runner;
mod service_accounts;
mod token_secrets;

use std::sync::Arc;

use tokio::sync::mpsc;
use tokio::task::JoinSet;

use crate::api::Api;

/// What to run beside the API.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// The PEM of the cluster's certificate authority, which every namespace gets in `kube-root-ca.crt`.
    pub cluster_ca: Option<String>,
    /// Simulate workloads: pods run without running anything. See [`simulator`](crate::simulator).
    pub simulate_workloads: bool,
}

/// The running controllers. Dropping the handle stops them.
pub struct Controllers {
    tasks: JoinSet<()>,
}

impl Controllers {
    /// Starts the controllers of an API.
    ///
    /// Must be called within a Tokio runtime.
    #[must_use]
    pub fn start(api: &Api, options: &Options) -> Self {
        let api = api.with_field_manager("kube-controller-manager");
        let mut tasks = JoinSet::new();
        let mut feeds = Vec::new();
        let mut feed = || {
            let (sender, receiver) = mpsc::unbounded_channel();
            feeds.push(sender);
            receiver
        };
        let garbage = Arc::new(garbage::GarbageCollector::new(api.clone()));
        tasks.spawn(runner::run(garbage, feed()));
        let namespaces = Arc::new(namespaces::Namespaces::new(api.clone(), options.simulate_workloads));
        tasks.spawn(runner::run(namespaces, feed()));
        let accounts =
            Arc::new(service_accounts::ServiceAccounts::new(api.clone(), options.cluster_ca.clone()));
        tasks.spawn(runner::run(accounts, feed()));
        api.expect_accounts();
        let tokens = token_secrets::TokenSecrets::new(api.clone(), options.cluster_ca.clone());
        tasks.spawn(runner::run(Arc::new(tokens), feed()));
        let endpoints = Arc::new(endpoints::Endpoints::new(api.clone()));
        tasks.spawn(runner::run(endpoints, feed()));
        let protection = Arc::new(protection::Protection::new(api.clone()));
        tasks.spawn(runner::run(protection, feed()));
        let quotas = Arc::new(quotas::Quotas::new(api.clone()));
        tasks.spawn(runner::run(quotas, feed()));
        let policies = Arc::new(policies::Policies::new(api.clone()));
        tasks.spawn(runner::run(policies, feed()));
        if options.simulate_workloads {
            let simulator = Arc::new(crate::simulator::Simulator::new(api.clone()));
            tasks.spawn(runner::run(simulator, feed()));
        }
        tasks.spawn(follow::follow_all(api, feeds));
        Self { tasks }
    }

    /// Stops all controllers and waits until they have.
    ///
    /// A write that is under way is finished by the store; nothing half done stays that a later start
    /// would not complete.
    pub async fn stop(mut self) {
        self.tasks.shutdown().await;
    }
}
