//! The embedded API against kube-apiserver and etcd: the same requests to both, one after the other in one run.
//!
//! Both are reached as clients reach them: processes of their own, HTTP/1.1 over TLS, an administrator. In memory the
//! embedded API is compared with an etcd that does not wait for its disk, on disk with one that does.

mod delivery;
mod speed;
mod start;

use std::time::Duration;

use anyhow::{Context, Result};
use serde_json::json;
use windlass_testing::{Cluster, PrivateCluster};

use crate::arguments::{Arguments, Which};
use crate::client::{Api, Call};
use crate::figures::{Report, Row, float};
use crate::server::Place;
use crate::windlass::{Mode, Windlass};

/// One server, ready to be measured.
enum Subject {
    Embedded(Box<Windlass>),
    Real(Box<PrivateCluster>),
}

impl Subject {
    fn name(&self, on_disk: bool) -> &'static str {
        match (self, on_disk) {
            (Self::Embedded(_), true) => "embedded API, on disk",
            (Self::Embedded(_), false) => "embedded API, in memory",
            (Self::Real(_), true) => "kube-apiserver and etcd, on disk",
            (Self::Real(_), false) => "kube-apiserver and etcd, without waiting for the disk",
        }
    }
}

/// What one server did; ratios come of two of them.
#[derive(Debug, Default)]
struct Measured {
    speed: speed::Speed,
    delivery: delivery::Delivery,
    slow: delivery::Slow,
    start: start::Start,
}

/// Measures what was asked for.
pub(crate) async fn run(arguments: &Arguments, report: &mut Report) -> Result<()> {
    let folder = tempfile::tempdir()?;
    let real = match arguments.server {
        Which::Embedded => None,
        Which::Real | Which::Both => {
            let cluster = Cluster::builder().unthrottled().nodes(0);
            let cluster = if arguments.on_disk { cluster.durable() } else { cluster };
            let cluster = cluster.start().await?;
            let api = Api::from_kubeconfig(cluster.kubeconfig())?;
            let subject = Subject::Real(Box::new(cluster));
            Some(measure(subject, api, None, arguments, report, None).await?)
        }
    };
    if arguments.server != Which::Real {
        let place = Place::new(arguments, report, folder.path())?;
        let data = place.folder.join("api");
        let mode = Mode::ApiOnly { in_memory: !arguments.on_disk };
        let mut windlass = Windlass::start(&place.binary, &mode, &data)?;
        let cold = windlass.api_ready().await?;
        let api = Api::from_kubeconfig(&windlass.kubeconfig)?;
        let subject = Subject::Embedded(Box::new(windlass));
        let ready = Some((cold, &place));
        measure(subject, api, ready, arguments, report, real.as_ref()).await?;
    }
    Ok(())
}

async fn measure(
    subject: Subject,
    api: Api,
    embedded: Option<(Duration, &Place)>,
    arguments: &Arguments,
    report: &mut Report,
    base: Option<&Measured>,
) -> Result<Measured> {
    let name = subject.name(arguments.on_disk);
    let mut measured = Measured::default();
    measured.start.empty = embedded.map(|(cold, _)| cold);
    measured.start.at_rest_kib = start::resident(&subject);
    measured.speed = speed::measure(&api, arguments.n_applies).await.context(name)?;
    report.add(format!("{name}: calls"), measured.speed.rows(base.map(|base| &base.speed)));
    measured.delivery = delivery::measure(&api, arguments).await.context(name)?;
    report.add(format!("{name}: watches"), measured.delivery.rows());
    measured.slow = delivery::slow_watcher(&api).await.context(name)?;
    report.add(format!("{name}: a watcher that does not read"), measured.slow.rows());
    if arguments.n_stored > 0 {
        start::measure(subject, &api, embedded.map(|(_, place)| place), arguments, &mut measured.start)
            .await
            .context(name)?;
        report.add(format!("{name}: start and memory"), measured.start.rows());
    }
    Ok(measured)
}

/// Makes a namespace.
async fn namespace(api: &Api, name: &str) -> Result<()> {
    let namespace = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}});
    api.once(&Call::apply(&format!("/api/v1/namespaces/{name}"), &namespace)).await?;
    Ok(())
}

/// So many things in such a time, a second.
fn rate(count: usize, time: Duration) -> f64 {
    float(count) / time.as_secs_f64()
}

/// A rate, and how many times that of another server it is.
fn rate_row(what: &str, rate: f64, base: Option<f64>, target: &str) -> Row {
    let row = Row::figure(what, rate, format!("{rate:.0} a second"));
    match base {
        Some(base) => row.times(rate / base).target(target),
        None => row,
    }
}
