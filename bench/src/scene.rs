//! A process that is measured, with everything around it.

use std::time::{Duration, Instant};

use anyhow::Result;
use windlass_testing::Repository;

use crate::client::{Api, Call};
use crate::follow::Follower;
use crate::server::{Place, Server};
use crate::windlass::Windlass;
use crate::workload::{self, CONTROL_PLANE, TARGET};

/// After this much silence nothing more is expected to be written.
pub(crate) const SETTLE: Duration = Duration::from_millis(700);

/// Everything around one measured process.
pub(crate) struct Scene {
    pub(crate) windlass: Windlass,
    pub(crate) api: Api,
    pub(crate) follower: Follower,
    pub(crate) repository: Repository,
}

impl Scene {
    /// Starts a process that has nothing to do yet, for the Units of this repository.
    pub(crate) async fn start(
        server: &Server,
        place: &Place,
        repository: Repository,
        timeout: Duration,
    ) -> Result<Self> {
        let (windlass, api, _) = server.engine(place).await?;
        let follower = Follower::start(&api, timeout).await?;
        tokio::time::sleep(SETTLE).await;
        Ok(Self { windlass, api, follower, repository })
    }

    /// Announces a commit and waits until these Units are synced at it.
    pub(crate) async fn push(&mut self, names: Vec<String>, revision: &str) -> Result<Duration> {
        let begun = Instant::now();
        self.windlass.push(&self.repository).await?;
        let last = self.follower.synced(names, revision).await?;
        Ok(last.saturating_duration_since(begun))
    }

    /// Ends the process, and removes what it left where the server outlives it.
    pub(crate) async fn finish(self, server: &Server) -> Result<()> {
        self.windlass.stop()?;
        if matches!(server, Server::Real(_)) {
            clear(&self.api).await?;
        }
        Ok(())
    }
}

/// Removes what a measurement left.
pub(crate) async fn clear(api: &Api) -> Result<()> {
    for kind in [workload::applications(CONTROL_PLANE), workload::config_maps(TARGET)] {
        api.once(&Call::delete(&kind)).await?;
    }
    Ok(())
}
