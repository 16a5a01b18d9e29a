//! A webhook that API servers ask: it answers `AdmissionReview`s and `ConversionReview`s.

use crate::{
    Result,
    artifact::web::{Answer, Handler, Server},
    artifact::{WebFault, WebRequest},
};
use bytes::Bytes;
use hyper::header::{CONTENT_TYPE, HeaderMap};
use serde_json::{Value, json};
use std::fmt;

/// An HTTPS server on a loopback port that answers reviews as a function says.
///
/// ```no_run
/// # fn main() -> Result<(), windlass_testing::Error> {
/// use serde_json::json;
/// let server = windlass_testing::ReviewServer::start(|path, request| match path {
///     "/deny" => json!({"allowed": false, "status": {"message": format!("not {}", request["name"])}}),
///     _ => json!({"allowed": true}),
/// })?;
/// println!("{}/deny, trusted by {}", server.base_url(), server.authority_pem());
/// # Ok(())
/// # }
/// ```
pub struct ReviewServer {
    server: Server<Reviews>,
}

type Answering = Box<dyn Fn(&str, &Value) -> Value + Send + Sync>;

struct Reviews(Answering);

impl ReviewServer {
    /// Starts a server; the function gets the path and the `request` of each review, and makes the `response`, whose
    /// `uid` is filled in where it has none.
    ///
    /// # Errors
    /// When no port can be bound.
    pub fn start(answer: impl Fn(&str, &Value) -> Value + Send + Sync + 'static) -> Result<Self> {
        Ok(Self { server: Server::start(true, false, |_| Reviews(Box::new(answer)))? })
    }

    /// The address of all paths, without a slash at the end.
    pub fn base_url(&self) -> String {
        self.server.base_url()
    }

    /// The certificate of the authority that signed the server's, as PEM.
    pub fn authority_pem(&self) -> &str {
        self.server.authority_pem().unwrap_or_default()
    }

    /// Every request so far, in the order in which they came.
    pub fn requests(&self) -> Vec<WebRequest> {
        self.server.requests()
    }

    /// Does something else for the next requests whose path contains a text.
    pub fn fail_next(&self, part_of_path: &str, count: usize, fault: WebFault) {
        self.server.fault(part_of_path, count, fault);
    }
}

impl fmt::Debug for ReviewServer {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("ReviewServer").field("base_url", &self.base_url()).finish()
    }
}

impl Handler for Reviews {
    fn answer(&self, request: &WebRequest, _: &HeaderMap, body: Bytes) -> Answer {
        let Ok(review) = serde_json::from_slice::<Value>(&body) else { return Answer::new(400) };
        let mut response = (self.0)(&request.path, &review["request"]);
        if response.get("uid").is_none() && !response.is_null() {
            response["uid"] = review["request"]["uid"].clone();
        }
        let answer =
            json!({"apiVersion": review["apiVersion"], "kind": review["kind"], "response": response});
        Answer::new(200).header(CONTENT_TYPE, "application/json").body(answer.to_string())
    }
}
