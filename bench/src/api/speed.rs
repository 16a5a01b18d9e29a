//! How many calls a second, over sixteen connections.

use anyhow::Result;

use super::{namespace, rate, rate_row};
use crate::client::{Api, CONNECTIONS, Call};
use crate::figures::Row;
use crate::workload::{config_map, config_maps, name};

const NAMESPACE: &str = "speed";

/// How many objects the lists have.
const LISTS: [usize; 3] = [1, 100, 5000];

/// How many objects all lists of one size bring together, at most: so that each size takes about as long.
const LISTED_OBJECTS: usize = 200_000;

/// How often the smallest lists are asked for.
const MAX_LISTS: usize = 8_000;

/// Calls a second.
#[derive(Debug, Default)]
pub(super) struct Speed {
    create: f64,
    change: f64,
    same: f64,
    get: f64,
    lists: Vec<(usize, f64)>,
}

/// Measures each kind of call, one kind at a time.
pub(super) async fn measure(api: &Api, n_applies: usize) -> Result<Speed> {
    namespace(api, NAMESPACE).await?;
    let mut pool = api.pool().await?;
    let path = config_maps(NAMESPACE);
    let applies = |value: &str| -> Vec<Vec<Call>> {
        let apply =
            |idx| vec![Call::apply(&format!("{path}/{}", name(idx)), &config_map(idx, 0, NAMESPACE, value))];
        (0..n_applies).map(apply).collect()
    };
    let create = pool.run(applies("1")).await?;
    let change = pool.run(applies("2")).await?;
    let same = pool.run(applies("2")).await?;
    let n_gets = n_applies * 2;
    let gets = (0..n_gets).map(|idx| vec![Call::get(&format!("{path}/{}", name(idx % n_applies)))]);
    let get = pool.run(gets.collect()).await?;
    api.once(&Call::delete(&path)).await?;
    let mut lists = Vec::new();
    for n_objects in LISTS {
        let own = format!("{NAMESPACE}-{n_objects}");
        namespace(api, &own).await?;
        let path = config_maps(&own);
        let creates = (0..n_objects).map(|idx| vec![Call::create(&path, &config_map(idx, 0, &own, "1"))]);
        pool.run(creates.collect()).await?;
        let n_lists = (LISTED_OBJECTS / n_objects).clamp(2 * CONNECTIONS, MAX_LISTS);
        let time = pool.run(vec![vec![Call::get(&path)]; n_lists]).await?;
        api.once(&Call::delete(&path)).await?;
        lists.push((n_objects, rate(n_lists, time)));
    }
    Ok(Speed {
        create: rate(n_applies, create),
        change: rate(n_applies, change),
        same: rate(n_applies, same),
        get: rate(n_gets, get),
        lists,
    })
}

impl Speed {
    pub(super) fn rows(&self, base: Option<&Self>) -> Vec<Row> {
        const TARGET: &str = "≥ 5 × kube-apiserver";
        let row = |what: &str, of: fn(&Self) -> f64| rate_row(what, of(self), base.map(of), TARGET);
        let mut rows = vec![
            row("server-side applies that create", |speed| speed.create),
            row("server-side applies that change", |speed| speed.change),
            row("server-side applies that change nothing", |speed| speed.same),
            row("gets", |speed| speed.get),
        ];
        for (idx, (n_objects, rate)) in self.lists.iter().enumerate() {
            let base = base.and_then(|base| base.lists.get(idx)).map(|(_, rate)| *rate);
            rows.push(rate_row(&format!("lists of {n_objects}"), *rate, base, TARGET));
        }
        rows
    }
}
