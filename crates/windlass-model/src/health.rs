//! Health: how well a live object does what it is for.

use std::fmt;

use serde::{Deserialize, Serialize};
use windlass_kube::Str;

/// The states of health, best first: a later one is worse, as Argo CD 3 orders them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, Default)]
pub enum HealthStatus {
    /// It does what it is for.
    #[default]
    Healthy,
    /// It was told to pause.
    Suspended,
    /// It is on its way.
    Progressing,
    /// It is not in the cluster.
    Missing,
    /// It failed, or stopped getting better.
    Degraded,
    /// Its state could not be told.
    Unknown,
}

impl HealthStatus {
    /// The word users know.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Healthy => "Healthy",
            Self::Suspended => "Suspended",
            Self::Progressing => "Progressing",
            Self::Missing => "Missing",
            Self::Degraded => "Degraded",
            Self::Unknown => "Unknown",
        }
    }
}

impl fmt::Display for HealthStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// A state of health and what there is to say about it.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Default)]
pub struct Health {
    /// The state.
    pub status: HealthStatus,
    /// Why, for a person; empty when there is nothing to say.
    pub message: Str,
}

impl Health {
    /// A state with a message.
    #[must_use]
    pub fn new(status: HealthStatus, message: impl Into<Str>) -> Self {
        Self { status, message: message.into() }
    }
}

impl From<HealthStatus> for Health {
    fn from(status: HealthStatus) -> Self {
        Self { status, message: Str::default() }
    }
}
