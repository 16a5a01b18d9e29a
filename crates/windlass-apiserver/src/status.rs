//! What the API answers when it refuses: `Status` objects in the words of the Kubernetes API server.
//!
//! The texts are those of `k8s.io/apimachinery/pkg/api/errors` v0.36.3, which clients compare and print.

use std::fmt;

use windlass_kube::{Map, Str, Value, value};

use crate::resource::GroupResource;

const NO_SUCH_RESOURCE: &str = "the server could not find the requested resource";

/// What the server says of a patch that does not apply.
const REJECTED: &str = "the server rejected our request due to an error in our request";

/// What the server says of a patch in a format it does not know.
const UNKNOWN_PATCH: &str = "415: Unsupported Media Type";

/// Why a request was refused: the `Status` a client gets.
#[derive(Clone, Debug, PartialEq)]
pub struct Status {
    /// The HTTP status code.
    pub code: u16,
    /// The machine-readable reason, such as `NotFound`.
    pub reason: &'static str,
    /// What a person reads.
    pub message: String,
    /// What it is about.
    pub details: Box<Details>,
}

/// What a [`Status`] is about.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Details {
    /// The object's name.
    pub name: Str,
    /// Whether the details are printed though there are none.
    pub shown_when_empty: bool,
    /// Whether empty details are left out where others of the code have them.
    pub hidden: bool,
    /// The object's group.
    pub group: Str,
    /// The resource, or the kind where validation failed.
    pub kind: Str,
    /// The object's uid.
    pub uid: Str,
    /// Each thing that is wrong.
    pub causes: Vec<Cause>,
    /// When to try again, in seconds; 0 for never.
    pub retry_after_seconds: u32,
    /// What the caller should know besides; said beside the status, not in it.
    pub warnings: Vec<String>,
    /// The status as a webhook gave it, of which all is said but its code and message.
    pub given: Option<Value>,
}

/// One thing that is wrong with an object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cause {
    /// The kind of error, such as `FieldValueRequired`.
    pub reason: &'static str,
    /// The error without the field: `Required value: ...`.
    pub message: String,
    /// The field, as `spec.containers[0].name`.
    pub field: String,
}

impl Cause {
    /// A field that must be there.
    #[must_use]
    pub fn required(field: impl Into<String>, detail: &str) -> Self {
        let message =
            if detail.is_empty() { "Required value".into() } else { format!("Required value: {detail}") };
        Self { reason: "FieldValueRequired", message, field: field.into() }
    }

    /// A value that is not acceptable.
    #[must_use]
    pub fn invalid(field: impl Into<String>, value: &Value, detail: &str) -> Self {
        let shown = shown(value);
        Self {
            reason: "FieldValueInvalid",
            message: format!("Invalid value: {shown}: {detail}"),
            field: field.into(),
        }
    }

    /// A value that must not be set here.
    #[must_use]
    pub fn forbidden(field: impl Into<String>, detail: &str) -> Self {
        let message = if detail.is_empty() { "Forbidden".into() } else { format!("Forbidden: {detail}") };
        Self { reason: "FieldValueForbidden", message, field: field.into() }
    }

    /// The cause as a sentence: `spec.replicas: Invalid value: -1: ...`.
    #[must_use]
    pub fn sentence(&self) -> String {
        format!("{}: {}", self.field, self.message)
    }
}

/// A value the way Go's field errors show it.
fn shown(value: &Value) -> String {
    match value {
        Value::String(text) => format!("{text:?}"),
        other => format!("{other:?}"),
    }
}

impl Status {
    /// A refusal without details.
    #[must_use]
    pub fn new(code: u16, reason: &'static str, message: impl Into<String>) -> Self {
        Self { code, reason, message: message.into(), details: Box::default() }
    }

    fn about(mut self, resource: &GroupResource, name: &str) -> Self {
        self.details.group = resource.group.clone();
        self.details.kind = resource.resource.clone();
        self.details.name = name.into();
        self
    }

    /// There is no such object.
    #[must_use]
    pub fn not_found(resource: &GroupResource, name: &str) -> Self {
        Self::new(404, "NotFound", format!("{resource} {name:?} not found")).about(resource, name)
    }

    /// There is no such path.
    #[must_use]
    pub fn no_such_resource() -> Self {
        Self::new(404, "NotFound", NO_SUCH_RESOURCE)
    }

    /// An object of this name exists.
    #[must_use]
    pub fn already_exists(resource: &GroupResource, name: &str) -> Self {
        Self::new(409, "AlreadyExists", format!("{resource} {name:?} already exists")).about(resource, name)
    }

    /// The write was based on another state than the present one.
    #[must_use]
    pub fn conflict(resource: &GroupResource, name: &str, why: &str) -> Self {
        let message = format!("Operation cannot be fulfilled on {resource} {name:?}: {why}");
        Self::new(409, "Conflict", message).about(resource, name)
    }

    /// The write was based on an older state.
    #[must_use]
    pub fn modified(resource: &GroupResource, name: &str) -> Self {
        let why =
            "the object has been modified; please apply your changes to the latest version and try again";
        Self::conflict(resource, name, why)
    }

    /// The object breaks rules; `kind` and `group` are those of its kind.
    #[must_use]
    pub fn invalid(group: &str, kind: &str, name: &str, causes: Vec<Cause>) -> Self {
        let qualified = if group.is_empty() { kind.to_owned() } else { format!("{kind}.{group}") };
        let mut sentences: Vec<String> = Vec::new();
        for sentence in causes.iter().map(Cause::sentence) {
            if !sentences.contains(&sentence) {
                sentences.push(sentence);
            }
        }
        let why = match sentences.as_slice() {
            [only] => only.clone(),
            several => format!("[{}]", several.join(", ")),
        };
        let mut status = Self::new(422, "Invalid", format!("{qualified} {name:?} is invalid: {why}"));
        status.details = Box::new(Details {
            name: name.into(),
            group: group.into(),
            kind: kind.into(),
            causes,
            ..Details::default()
        });
        status
    }

    /// The request makes no sense.
    #[must_use]
    pub fn bad_request(message: impl Into<String>) -> Self {
        Self::new(400, "BadRequest", message)
    }

    /// The options of a request break a rule; `kind` names them, such as `PatchOptions`.
    #[must_use]
    pub fn invalid_options(kind: &str, cause: Cause) -> Self {
        Self::invalid("meta.k8s.io", kind, "", vec![cause])
    }

    /// The user may not.
    #[must_use]
    pub fn forbidden(resource: &GroupResource, name: &str, why: impl fmt::Display) -> Self {
        let message = if name.is_empty() {
            format!("{resource} is forbidden: {why}")
        } else {
            format!("{resource} {name:?} is forbidden: {why}")
        };
        Self::new(403, "Forbidden", message).about(resource, name)
    }

    /// Nobody knows who asks.
    #[must_use]
    pub fn unauthorized() -> Self {
        Self::new(401, "Unauthorized", "Unauthorized")
    }

    /// The resource has no such verb.
    #[must_use]
    pub fn method_not_supported(resource: &GroupResource, verb: &str) -> Self {
        let message = format!("{verb} is not supported on resources of kind {:?}", resource.to_string());
        Self::new(405, "MethodNotAllowed", message).about(resource, "")
    }

    /// The history asked for is gone.
    #[must_use]
    pub fn expired(message: impl Into<String>) -> Self {
        Self::new(410, "Expired", message)
    }

    /// The answer cannot be given in a format the client takes.
    #[must_use]
    pub fn not_acceptable(accepted: &[&str]) -> Self {
        let message = format!("406: Not Acceptable\n\nAvailable representations: {}", accepted.join(", "));
        Self::new(406, "NotAcceptable", message)
    }

    /// The body is in a format the server does not read.
    #[must_use]
    pub fn unsupported_media_type(accepted: &[&str]) -> Self {
        let message = format!(
            "the body of the request was in an unknown format - accepted media types include: {}",
            accepted.join(", ")
        );
        Self::new(415, "UnsupportedMediaType", message)
    }

    /// The patch does not apply to the object.
    #[must_use]
    pub fn patch_rejected() -> Self {
        Self::new(422, "Invalid", REJECTED)
    }

    /// The patch is in a format the server does not read.
    #[must_use]
    pub fn unknown_patch() -> Self {
        Self::new(415, "UnsupportedMediaType", UNKNOWN_PATCH)
    }

    /// The body is larger than `limit` bytes.
    #[must_use]
    pub fn too_large(limit: usize) -> Self {
        Self::new(413, "RequestEntityTooLarge", format!("Request entity too large: limit is {limit}"))
    }

    /// Something of ours failed.
    #[must_use]
    pub fn internal(what: impl fmt::Display) -> Self {
        let mut status = Self::new(500, "InternalError", format!("Internal error occurred: {what}"));
        status.details.causes = vec![Cause { reason: "", message: what.to_string(), field: String::new() }];
        status
    }

    /// With more that the caller should know, before what is known already.
    #[must_use]
    pub(crate) fn warned(mut self, warnings: Vec<String>) -> Self {
        self.details.warnings.splice(0..0, warnings);
        self
    }

    /// As the JSON the client gets.
    #[must_use]
    pub fn to_value(&self) -> Value {
        if let Some(given) = &self.details.given {
            let mut status = given.clone();
            let code = i64::from(self.code);
            for (key, value) in [
                ("kind", Value::from("Status")),
                ("apiVersion", Value::from("v1")),
                ("message", Value::from(self.message.as_str())),
                ("code", Value::from(code)),
            ] {
                status.set_at(&[key], value);
            }
            if given.get("metadata").is_none() {
                status.set_at(&["metadata"], Map::new());
            }
            if matches!(given.str_at(&["status"]), None | Some("" | "Success")) {
                status.set_at(&["status"], "Failure");
            }
            return status;
        }
        let mut details = Map::new();
        for (key, text) in [
            ("name", &self.details.name),
            ("group", &self.details.group),
            ("kind", &self.details.kind),
            ("uid", &self.details.uid),
        ] {
            if !text.is_empty() {
                details.insert(key, text.clone());
            }
        }
        if !self.details.causes.is_empty() {
            let causes: Vec<Value> = self.details.causes.iter().map(cause_value).collect();
            details.insert("causes", causes);
        }
        if self.details.retry_after_seconds > 0 {
            details.insert("retryAfterSeconds", self.details.retry_after_seconds);
        }
        let code = i64::from(self.code);
        let mut status = value!({
            "kind": "Status", "apiVersion": "v1", "metadata": (Map::new()), "status": "Failure",
            "message": (self.message.as_str()), "code": code
        });
        if !self.reason.is_empty() {
            status.set_at(&["reason"], self.reason);
        }
        // Go prints these, made by the generic error, with empty details.
        let generic = matches!(self.code, 405 | 406)
            || [NO_SUCH_RESOURCE, REJECTED, UNKNOWN_PATCH].contains(&self.message.as_str());
        let generic = generic && !self.details.hidden;
        if generic || self.details.shown_when_empty || !details.is_empty() {
            status.set_at(&["details"], details);
        }
        status
    }
}

fn cause_value(cause: &Cause) -> Value {
    let mut members = Map::new();
    for (key, text) in [("reason", cause.reason), ("message", &cause.message), ("field", &cause.field)] {
        if !text.is_empty() {
            members.insert(key, text);
        }
    }
    members.into()
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Status {}
