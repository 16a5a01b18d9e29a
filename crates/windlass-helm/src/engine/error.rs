//! Errors of templates, as Helm prints them.

use gotemplate::{ExecError, ExecErrorKind, FunctionError, LimitExceeded, ParseError};

use super::functions::{WARNING_END, WARNING_START};
use crate::HelmVersion;

/// A template that does not parse.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("parse error at ({location}): {message}")]
pub struct ParseFailure {
    /// The template's path and the line.
    pub location: String,
    /// What is wrong.
    pub message: String,
}

impl ParseFailure {
    /// Helm shows only the last part of what Go says.
    pub(super) fn new(name: &str, error: &ParseError) -> Self {
        let text = error.to_string();
        let parts: Vec<&str> = text.split(": ").collect();
        let location = parts.get(1).map_or(name, |location| *location).to_owned();
        Self { location, message: parts.last().map_or("", |last| *last).to_owned() }
    }
}

/// A template that fails.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{text}")]
pub struct TemplateError {
    /// What Helm prints.
    pub text: String,
    /// The limit that was reached, if that is why.
    pub limit: Option<LimitExceeded>,
}

impl TemplateError {
    /// What Helm makes of what went wrong.
    pub(super) fn of(error: FunctionError, helm: HelmVersion) -> Self {
        match error {
            FunctionError::Execution(error) => Self { limit: error.limit(), text: execution(&error, helm) },
            FunctionError::Limit(limit) => Self { text: limit.to_string(), limit: Some(limit) },
            other => Self { text: other.to_string(), limit: None },
        }
    }
}

fn execution(error: &ExecError, helm: HelmVersion) -> String {
    let text = error.to_string();
    let mut parts = text.splitn(3, ": ");
    let (Some(_), Some(location), Some(rest)) = (parts.next(), parts.next(), parts.next()) else {
        return text;
    };
    if let Some(message) = warning(rest) {
        return format!("execution error at ({location}): {message}");
    }
    match helm {
        HelmVersion::V3 => text,
        HelmVersion::V4 => trace(error).unwrap_or(text),
    }
}

/// The words of `fail` or `required` in an error.
fn warning(text: &str) -> Option<&str> {
    let start = text.find(WARNING_START)? + WARNING_START.len();
    let end = text[start..].rfind(WARNING_END)? + start;
    Some(&text[start..end])
}

/// One line of places for each template that was executing, and what went wrong; none if some error in the chain
/// is not the language's own.
fn trace(error: &ExecError) -> Option<String> {
    let mut places: Vec<Place> = Vec::new();
    let mut add = |text: &str| -> Option<()> {
        let place = Place::parse(text)?;
        if places.last() != Some(&place) {
            places.push(place);
        }
        Some(())
    };
    let mut here = error;
    loop {
        add(&here.to_string())?;
        match &here.kind {
            ExecErrorKind::Function { error: FunctionError::Execution(inner), .. } => here = inner,
            ExecErrorKind::Function { error, .. } => {
                add(&error.to_string())?;
                break;
            }
            _ => break,
        }
    }
    let text: String = places.iter().map(Place::shown).collect();
    Some(text.trim_matches(crate::text::is_space).to_owned())
}

/// A part of a chain of errors.
#[derive(PartialEq)]
struct Place {
    location: String,
    executing: String,
    message: String,
}

impl Place {
    fn parse(text: &str) -> Option<Self> {
        let rest = text.strip_prefix("template: ")?;
        if rest.starts_with("no template ") {
            return Some(Self {
                location: String::new(),
                executing: String::new(),
                message: text.to_owned(),
            });
        }
        let without_next = |message: &str| message.split(" template:").next().unwrap_or("").to_owned();
        if let Some((location, after)) = rest.split_once(": executing ")
            && let Some(after) = after.strip_prefix('"')
            && let Some((function, after)) = after.split_once('"')
            && let Some(after) = after.strip_prefix(" at <")
            && let Some((action, message)) = after.split_once(">: ")
        {
            return Some(Self {
                location: location.to_owned(),
                executing: format!("executing \"{function}\" at <{action}>:"),
                message: without_next(message),
            });
        }
        let (location, message) = rest.rsplit_once(": ")?;
        Some(Self { location: location.to_owned(), executing: String::new(), message: without_next(message) })
    }

    fn shown(&self) -> String {
        let mut text = String::new();
        for (part, after) in [(&self.location, "\n  "), (&self.executing, "\n    "), (&self.message, "\n")] {
            if !part.is_empty() {
                text.push_str(part);
                text.push_str(after);
            }
        }
        text
    }
}
