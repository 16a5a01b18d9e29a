//! The two servers a scenario can run against, behind one way of asking.

use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response, header};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full};
use windlass_apiserver::controllers::{Controllers, Options};
use windlass_apiserver::store::Store;
use windlass_apiserver::{Api, ApiService};
use windlass_testing::{ApiClient, PrivateCluster};

/// The controllers of the real cluster that the embedded API has too: what follows from an API alone.
const CONTROLLERS: &str = "garbage-collector-controller,namespace-controller,serviceaccount-controller,\
    persistentvolumeclaim-protection-controller,persistentvolume-protection-controller,\
    clusterrole-aggregation-controller,validatingadmissionpolicy-status-controller,\
    resourcequota-controller,serviceaccount-token-controller";

/// What our server says before the API is asked.
const UNAUTHORIZED: &str = r#"{"kind":"Status","apiVersion":"v1","metadata":{},"status":"Failure","message":"Unauthorized","reason":"Unauthorized","code":401}"#;

/// Somebody who answers requests.
#[derive(Clone)]
pub(crate) enum Server {
    /// Ours, in process.
    Embedded(ApiService),
    /// kube-apiserver.
    Real(ApiClient),
}

pub(crate) type Body = UnsyncBoxBody<Bytes, Box<dyn std::error::Error + Send + Sync>>;

/// Ours, with its controllers, which end with the second value.
pub(crate) async fn embedded() -> (Server, Controllers) {
    let api = Api::start(Store::in_memory()).await.expect("a store in memory takes the first objects");
    let controllers = Controllers::start(&api, &Options { cluster_ca: None, simulate_workloads: false });
    (Server::Embedded(api.service()), controllers)
}

/// The original, which ends with the second value.
pub(crate) async fn real() -> (Server, PrivateCluster) {
    let cluster = windlass_testing::Cluster::builder()
        .controllers(CONTROLLERS)
        .without_admission("TaintNodesByCondition")
        .nodes(0)
        .start()
        .await
        .expect("the original programs: cargo xtask tools cluster");
    (Server::Real(cluster.api().clone()), cluster)
}

impl Server {
    /// How long something may take that happens by itself, on a busy machine.
    pub(crate) fn patience(&self) -> Duration {
        match self {
            Self::Embedded(_) => Duration::from_secs(10),
            Self::Real(_) => Duration::from_secs(60),
        }
    }

    /// Sends a request as an administrator, or as whom its headers name.
    pub(crate) async fn send(&self, request: Request<Full<Bytes>>) -> Response<Body> {
        match self {
            Self::Embedded(service) => {
                let bearer = request.headers().get(header::AUTHORIZATION).and_then(|it| it.to_str().ok());
                let service = match bearer.and_then(|it| it.strip_prefix("Bearer ")) {
                    Some(token) => service.with_token(token),
                    None => Some(service.clone()),
                };
                let Some(service) = service else {
                    return Response::builder()
                        .status(401)
                        .body(Full::from(UNAUTHORIZED).map_err(|never| match never {}).boxed_unsync())
                        .expect("a response");
                };
                let response = service.answer(request).await;
                response.map(|body| body.map_err(|never| match never {}).boxed_unsync())
            }
            Self::Real(client) => {
                let response = client.open(request).await.expect("the real server answers");
                response.map(|body| body.map_err(Into::into).boxed_unsync())
            }
        }
    }
}
