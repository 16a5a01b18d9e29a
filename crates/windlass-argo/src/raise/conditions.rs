//! What people should know, as conditions.

use std::collections::BTreeSet;

use windlass_kube::Str;
use windlass_model::{Diagnostic, DiagnosticKind, Report, Time};

use crate::raise::fit;
use crate::types::{Condition, Timestamp};

/// The condition type of a diagnostic: Argo CD's own, and one of ours for what it has no word for.
pub(super) fn kind(kind: DiagnosticKind) -> &'static str {
    match kind {
        DiagnosticKind::InvalidSpec => "InvalidSpecError",
        DiagnosticKind::Unsupported => "UnsupportedFieldWarning",
        DiagnosticKind::Source | DiagnosticKind::Render | DiagnosticKind::Compare => "ComparisonError",
        DiagnosticKind::Sync => "SyncError",
        DiagnosticKind::Delete => "DeletionError",
        DiagnosticKind::RepeatedObject => "RepeatedResourceWarning",
        DiagnosticKind::SharedObject => "SharedResourceWarning",
        DiagnosticKind::ExcludedObject => "ExcludedResourceWarning",
        DiagnosticKind::Orphaned => "OrphanedResourceWarning",
        DiagnosticKind::Added => "AddedFieldWarning",
        DiagnosticKind::Contested => "ContestedFieldWarning",
    }
}

/// The conditions for what lowering and the engine found, by type and message; each said once.
pub(super) fn conditions(
    previous: &[Condition],
    report: &Report,
    lowering: &[Diagnostic],
) -> Box<[Condition]> {
    let said: BTreeSet<(&str, Str)> = lowering
        .iter()
        .chain(&report.diagnostics)
        .map(|diagnostic| (kind(diagnostic.kind), fit::shortened(&diagnostic.to_string())))
        .collect();
    let hidden = said.len().saturating_sub(fit::CONDITIONS);
    let mut conditions: Vec<Condition> = said
        .into_iter()
        .take(fit::CONDITIONS)
        .map(|(kind, message)| condition(previous, kind, message, report.observed))
        .collect();
    if hidden > 0 {
        let message = format!("{hidden} more conditions are left out");
        conditions.push(condition(previous, fit::TRUNCATED, message.into(), report.observed));
    }
    conditions.into()
}

/// A condition that keeps its time if it was there before.
pub(super) fn condition(previous: &[Condition], kind: &str, message: Str, now: Time) -> Condition {
    let same = previous.iter().find(|condition| condition.kind == kind && condition.message == message);
    let since = same.and_then(|condition| condition.last_transition_time.0).unwrap_or(now);
    Condition { kind: kind.into(), message, last_transition_time: Timestamp(Some(since)) }
}
