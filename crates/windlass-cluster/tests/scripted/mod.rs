//! An API server that answers as a script says, in process: no sockets, so that paused clocks stay exact.
#![allow(dead_code, unreachable_pub, reason = "each test binary uses its part of the script")]

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use futures_util::stream;
use http::{Request, Response};
use http_body::Frame;
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full, StreamBody};
use kube::client::Body;
use windlass_cluster::ClusterClient;
use windlass_kube::Value;

type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// What one request is answered with.
pub enum Answer {
    /// A status code and a body.
    Json(u16, Value),
    /// A successful answer whose body comes in pieces.
    Stream(Vec<Piece>),
    /// No answer: the connection fails.
    Unreachable,
}

/// A piece of a body.
pub enum Piece {
    /// Text.
    Data(String),
    /// Bytes, which may be half a character.
    Bytes(Vec<u8>),
    /// The connection breaks.
    Cut,
    /// The body ends.
    End,
    /// Nothing more comes, and the connection stays open.
    Hang,
}

/// The server; requests beyond the script are never answered.
#[derive(Clone)]
pub struct Server(Arc<State>);

struct State {
    script: Mutex<VecDeque<Answer>>,
    asked: Mutex<Vec<(String, String)>>,
}

impl Server {
    /// A server with a script, one answer a request.
    pub fn new(script: Vec<Answer>) -> Self {
        Self(Arc::new(State { script: Mutex::new(script.into()), asked: Mutex::default() }))
    }

    /// A client of this server.
    pub fn client(&self) -> ClusterClient {
        let server = self.clone();
        let service = tower::service_fn(move |request| server.clone().answer(request));
        ClusterClient::new(kube::Client::new(service, "default"))
    }

    /// Method, path and query of each request so far.
    pub fn asked(&self) -> Vec<String> {
        self.0.asked.lock().expect("nothing panics").iter().map(|(head, _)| head.clone()).collect()
    }

    /// The body of each request so far.
    #[allow(dead_code, reason = "each test file uses its part of this")]
    pub fn bodies(&self) -> Vec<String> {
        self.0.asked.lock().expect("nothing panics").iter().map(|(_, body)| body.clone()).collect()
    }

    async fn answer(
        self,
        request: Request<Body>,
    ) -> Result<Response<UnsyncBoxBody<Bytes, BoxError>>, BoxError> {
        let (head, body) = request.into_parts();
        let body = body.collect().await?.to_bytes();
        let body = String::from_utf8_lossy(&body).into_owned();
        self.0.asked.lock().expect("nothing panics").push((format!("{} {}", head.method, head.uri), body));
        let answer = self.0.script.lock().expect("nothing panics").pop_front();
        match answer {
            None => std::future::pending().await,
            Some(Answer::Unreachable) => Err("connection refused".into()),
            Some(Answer::Json(code, value)) => {
                let body = Full::from(serde_json::to_vec(&value)?).map_err(|never| match never {});
                Ok(Response::builder().status(code).body(body.boxed_unsync())?)
            }
            Some(Answer::Stream(pieces)) => {
                let pieces = stream::unfold(VecDeque::from(pieces), |mut pieces| async {
                    let frame = match pieces.pop_front()? {
                        Piece::Data(text) => Ok(Frame::data(Bytes::from(text))),
                        Piece::Bytes(bytes) => Ok(Frame::data(Bytes::from(bytes))),
                        Piece::Cut => Err(BoxError::from("connection reset by peer")),
                        Piece::End => return None,
                        Piece::Hang => std::future::pending::<Result<Frame<Bytes>, BoxError>>().await,
                    };
                    Some((frame, pieces))
                });
                Ok(Response::new(StreamBody::new(pieces).boxed_unsync()))
            }
        }
    }
}
