//! What an API server, or the way to it, answers instead of what was asked for.

use windlass_kube::{Str, Value};

/// A failed call.
#[derive(Debug, thiserror::Error)]
pub enum ApiError {
    /// The server answered with a failure.
    #[error("{0}")]
    Status(Box<Status>),
    /// The server could not be reached, or broke off.
    #[error("the API server cannot be reached: {message}")]
    Unreachable {
        /// What went wrong, the chain of causes in one line.
        message: String,
    },
    /// The answer is no JSON, or not the JSON that was asked for.
    #[error("the API server's answer to {request} cannot be read: {problem}")]
    Decode {
        /// The request's method and path.
        request: String,
        /// What is wrong with the answer.
        problem: String,
    },
    /// The connection's settings are unusable.
    #[error("the cluster's connection settings are unusable: {0}")]
    Config(String),
}

/// A `metav1.Status` that reports a failure.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[error("{message}")]
pub struct Status {
    /// The HTTP status code.
    pub code: u16,
    /// The stable word, such as `NotFound`.
    pub reason: Str,
    /// The server's sentence.
    pub message: Str,
    /// What exactly is wrong, field by field.
    pub causes: Vec<StatusCause>,
}

/// One cause of a failure.
#[derive(Debug, Clone, PartialEq)]
pub struct StatusCause {
    /// The stable word, such as `FieldValueRequired`.
    pub reason: Str,
    /// The field, such as `spec.replicas`.
    pub field: Str,
    /// The sentence.
    pub message: Str,
}

impl ApiError {
    pub(crate) fn from_answer(code: u16, body: &[u8]) -> Self {
        let value: Value = serde_json::from_slice(body).unwrap_or_default();
        let text = |path: &[&str]| Str::from(value.str_at(path).unwrap_or_default());
        let mut message = text(&["message"]);
        if message.is_empty() {
            /// As much of an unexpected answer as helps; the rest would drown the sentence.
            const SHOWN: usize = 200;
            let body: String = String::from_utf8_lossy(body).chars().take(SHOWN).collect();
            message = format!("HTTP status {code}: {}", body.trim()).into();
        }
        let causes = value.items_at(&["details", "causes"]).iter().map(|cause| StatusCause {
            reason: cause.str_at(&["reason"]).unwrap_or_default().into(),
            field: cause.str_at(&["field"]).unwrap_or_default().into(),
            message: cause.str_at(&["message"]).unwrap_or_default().into(),
        });
        Self::Status(Box::new(Status { code, reason: text(&["reason"]), message, causes: causes.collect() }))
    }

    pub(crate) fn unreachable(error: &dyn std::error::Error) -> Self {
        let mut message = error.to_string();
        let mut source = error.source();
        while let Some(cause) = source {
            let cause_text = cause.to_string();
            if !message.contains(&cause_text) {
                message = format!("{message}: {cause_text}");
            }
            source = cause.source();
        }
        Self::Unreachable { message }
    }

    /// The HTTP status code; `None` when the server did not answer.
    #[must_use]
    pub fn code(&self) -> Option<u16> {
        if let Self::Status(status) = self { Some(status.code) } else { None }
    }

    /// Whether the object, or its kind, is not there.
    #[must_use]
    pub fn is_not_found(&self) -> bool {
        self.code() == Some(404)
    }

    /// Whether somebody else wrote in between, or owns what was applied.
    #[must_use]
    pub fn is_conflict(&self) -> bool {
        self.code() == Some(409)
    }

    /// Whether a watch or a list asked for a version that is gone.
    #[must_use]
    pub fn is_gone(&self) -> bool {
        self.code() == Some(410)
    }

    /// Whether the server looked at the object and refused it, so that trying again is no use.
    #[must_use]
    pub fn is_refusal(&self) -> bool {
        matches!(self.code(), Some(400 | 403 | 413 | 415 | 422))
    }

    /// Whether the same call may succeed a little later.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Unreachable { .. } => true,
            Self::Status(status) => matches!(status.code, 429 | 500 | 502 | 503 | 504),
            Self::Decode { .. } | Self::Config(_) => false,
        }
    }
}
