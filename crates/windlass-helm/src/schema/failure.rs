//! What is wrong with values: a tree of places and reasons.

use std::fmt::Write as _;

use crate::text::quote;

/// A keyword that is not satisfied.
#[derive(Debug)]
pub(super) struct Failure {
    /// The path of the value.
    pub(super) at: Vec<String>,
    /// What is wrong with it.
    pub(super) text: String,
    pub(super) kind: FailureKind,
    /// What is wrong inside, or with each alternative.
    pub(super) causes: Vec<Failure>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum FailureKind {
    /// Several failures of one schema.
    Group,
    /// A schema that was referred to; not shown if it has one failure.
    Reference,
    Keyword,
}

impl Failure {
    /// The failures, a line each, without that of the whole.
    pub(super) fn shown(&self) -> String {
        let mut text = String::new();
        if self.kind == FailureKind::Group {
            for cause in &self.causes {
                cause.show(0, &mut text);
            }
        } else {
            self.show(0, &mut text);
        }
        text
    }

    fn show(&self, indent: usize, text: &mut String) {
        let mut indent = indent;
        if self.kind != FailureKind::Reference || self.causes.len() != 1 {
            if !text.is_empty() {
                text.push('\n');
            }
            for _ in 0..indent {
                text.push_str("  ");
            }
            let pointer: String = self
                .at
                .iter()
                .map(|part| format!("/{}", part.replace('~', "~0").replace('/', "~1")))
                .collect();
            let _ = write!(text, "- at {}: {}", quoted(&pointer), self.text);
            indent += 1;
        }
        for cause in &self.causes {
            cause.show(indent, text);
        }
    }
}

/// A text between single quotes.
pub(super) fn quoted(text: &str) -> String {
    let double = quote(text).replace("\\\"", "\"").replace('\'', "\\'");
    format!("'{}'", &double[1..double.len() - 1])
}

pub(super) fn all_quoted<S: AsRef<str>>(texts: &[S]) -> String {
    texts.iter().map(|text| quoted(text.as_ref())).collect::<Vec<_>>().join(", ")
}

/// A number as the messages show it: English, with a comma after each thousand.
pub(super) fn number(float: f64) -> String {
    let plain = format!("{float}");
    let (sign, plain) = plain.strip_prefix('-').map_or(("", plain.as_str()), |rest| ("-", rest));
    let (whole, fraction) = plain.split_once('.').map_or((plain, None), |(whole, rest)| (whole, Some(rest)));
    let mut text = String::from(sign);
    for (idx, digit) in whole.chars().enumerate() {
        if idx > 0 && (whole.len() - idx).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    if let Some(fraction) = fraction {
        text.push('.');
        text.push_str(fraction);
    }
    text
}

/// A count as the messages show it.
#[expect(clippy::cast_precision_loss, reason = "counts stay far below 2^53")]
pub(super) fn count(count: usize) -> String {
    number(count as f64)
}
