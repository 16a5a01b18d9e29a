//! The floor: the least writes that can do the work, made beforehand and sent by a bare client.
//!
//! A Unit of one object costs one server-side apply and one status write; there is no way around either. The
//! bodies are those that Windlass itself sends: the statuses are taken from an Application that it has synced.

use std::time::Duration;

use anyhow::Result;
use serde_json::{Value, json};

use crate::client::{Api, Call};
use crate::workload::{self, FLOOR, Size};

/// The statuses that Windlass wrote to one Application.
#[derive(Debug, Clone, Default)]
pub(crate) struct Sample {
    /// After the first sync.
    pub(crate) first: Value,
    /// What changed in it with the next commit, as a merge patch.
    pub(crate) change: Value,
}

/// How long the least possible work takes.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Floor {
    /// Creating the Applications.
    pub(crate) create: Duration,
    /// One apply that creates and one status write, a Unit.
    pub(crate) first: Duration,
    /// One apply that changes and one status write, a Unit.
    pub(crate) change: Duration,
    /// One apply that creates, a Unit, and no status.
    pub(crate) applies: Duration,
    /// Bytes of the status writes, the first and a change.
    pub(crate) status_bytes: (usize, usize),
}

/// Measures the floor of so many Units, and leaves nothing behind.
pub(crate) async fn measure(api: &Api, size: Size, sample: &Sample) -> Result<Floor> {
    let mut pool = api.pool().await?;
    let applications = workload::applications(FLOOR);
    let config_maps = workload::config_maps(FLOOR);
    let create = size
        .unit_indices()
        .map(|idx| vec![Call::create(&applications, &workload::application(idx, FLOOR, "file:///floor"))])
        .collect();
    let objects = |unit_idx: usize| {
        (0..size.n_objects).map(move |object_idx| (object_idx, workload::object_name(unit_idx, object_idx)))
    };
    let sync = |value: &str, status: &Value| {
        size.unit_indices()
            .map(|unit_idx| {
                let apply = |(object_idx, name): (usize, String)| {
                    let object = workload::config_map(unit_idx, object_idx, FLOOR, value);
                    Call::apply(&format!("{config_maps}/{name}"), &object)
                };
                let mut calls: Vec<Call> = objects(unit_idx).map(apply).collect();
                let path = format!("{applications}/{}", workload::name(unit_idx));
                calls.push(Call::merge(&path, &json!({"status": status})));
                calls
            })
            .collect::<Vec<_>>()
    };
    let first = sync("1", &sample.first);
    let change = sync("2", &sample.change);
    let applies = size
        .unit_indices()
        .flat_map(|unit_idx| objects(unit_idx).map(move |object| (unit_idx, object)))
        .map(|(unit_idx, (object_idx, name))| {
            let mut object = workload::config_map(unit_idx, object_idx, FLOOR, "1");
            object["metadata"]["name"] = json!(format!("bare-{name}"));
            vec![Call::apply(&format!("{config_maps}/bare-{name}"), &object)]
        })
        .collect();
    let floor = Floor {
        create: pool.run(create).await?,
        first: pool.run(first).await?,
        change: pool.run(change).await?,
        applies: pool.run(applies).await?,
        status_bytes: (sample.first.to_string().len(), sample.change.to_string().len()),
    };
    api.once(&Call::delete(&config_maps)).await?;
    api.once(&Call::delete(&applications)).await?;
    Ok(floor)
}

impl Floor {
    /// The mean of two measurements, one before and one after what is compared with them.
    pub(crate) fn mean(self, other: Self) -> Self {
        Self {
            create: (self.create + other.create) / 2,
            first: (self.first + other.first) / 2,
            change: (self.change + other.change) / 2,
            applies: (self.applies + other.applies) / 2,
            status_bytes: self.status_bytes,
        }
    }
}
