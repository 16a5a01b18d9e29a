//! Whether what is deployed was signed by who has to.

use std::sync::Arc;

use windlass_kube::Str;
use windlass_model::{Diagnostic, DiagnosticKind, Renderer, SignatureRule, SourceSpec};
use windlass_source::signature::Finding;
use windlass_source::{Repository, Revision, SignatureScope, SignedRevision, SourceError, TrustedKeys};

use crate::fetching::Fetched;
use crate::rendering::seconds_now;
use crate::unit_state::UnitState;

/// Of what is not signed as it has to be, this many are told, as with Argo CD: the newest.
const PROBLEMS: usize = 10;

/// What is told of a folder where the project asks for signatures.
pub(crate) const UNSIGNABLE: &str =
    "a folder of this machine has no commits, and the project asks for signatures of them";

/// What tells the sources from what was rendered before: their content, who may sign it where that matters, and how often
/// plugins were read anew where they may render it.
pub(crate) fn identities(
    unit: &UnitState,
    resolved: &[Fetched],
    signers: &TrustedKeys,
    plugins_version: u64,
) -> Vec<Str> {
    let may_be_plugin =
        |source: &SourceSpec| matches!(source.renderer, Renderer::Plugin(_) | Renderer::Detect);
    let plugins = (plugins_version > 0 && unit.lowered.unit.sources.iter().any(may_be_plugin))
        .then(|| Str::from(format!("plugins read {plugins_version} times")));
    let rules = unit.lowered.unit.sources.iter().any(|source| source.signatures.is_some());
    let signers = rules.then(|| Str::from(format!("signed by one of {}", signers.id())));
    resolved.iter().map(Fetched::identity).chain(signers).chain(plugins).collect()
}

/// What of a revision is not signed as a rule says; nothing when all is well.
pub(crate) fn check(
    repository: &Arc<Repository>,
    revision: &Revision,
    rule: &SignatureRule,
    signers: &TrustedKeys,
) -> Result<Vec<Diagnostic>, SourceError> {
    let scope = if rule.history { SignatureScope::History } else { SignatureScope::Head };
    let now = u64::try_from(seconds_now()).unwrap_or_default();
    let found = repository.signatures(revision, scope, signers, now)?;
    let mut told: Vec<&str> = Vec::new();
    let mut problems = Vec::new();
    for signed in &found {
        let Some(problem) = problem(signed, rule) else { continue };
        // One key has often signed many commits. Those that nobody signed have many authors.
        let key = signed.finding.key();
        let is_tag = revision.tag_object.is_some() && revision.tag.as_ref() == Some(&signed.name);
        if !key.is_empty() && !is_tag {
            if told.contains(&key) {
                continue;
            }
            told.push(key);
        }
        problems.push(Diagnostic::new(DiagnosticKind::Source, problem));
        if problems.len() >= PROBLEMS {
            break;
        }
    }
    Ok(problems)
}

/// What is wrong, in Argo CD 3.6's words.
fn problem(signed: &SignedRevision, rule: &SignatureRule) -> Option<String> {
    let SignedRevision { name, author, finding } = signed;
    let what = match finding {
        Finding::Good { key } if rule.keys.iter().any(|allowed| allowed.eq_ignore_ascii_case(key)) => {
            return None;
        }
        Finding::Good { .. } => "signed with unallowed key",
        Finding::Unsigned => "unsigned",
        Finding::Bad { .. } => "bad signature",
        Finding::ExpiredSignature { .. } => "expired signature",
        Finding::ExpiredKey { .. } => "signed with expired key",
        Finding::RevokedKey { .. } => "signed with revoked key",
        Finding::UnknownKey { .. } => "signed with key not in keyring",
    };
    let key = finding.key();
    Some(format!("GIT/GPG: Failed verifying revision {name} by '{author}': {what} (key_id={key})"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_has_to_be_named_by_the_rule() {
        let rule = SignatureRule { history: false, keys: ["D56C4FCA57A46444".into()].into() };
        let told = |finding: Finding| {
            problem(&SignedRevision { name: "v1".into(), author: "Jane <j@h>".into(), finding }, &rule)
        };
        assert_eq!(told(Finding::Good { key: "D56C4FCA57A46444".into() }), None);
        for (finding, said) in [
            (Finding::Good { key: "A".into() }, "signed with unallowed key (key_id=A)"),
            (Finding::Unsigned, "unsigned (key_id=)"),
            (Finding::Bad { key: "D56C4FCA57A46444".into() }, "bad signature (key_id=D56C4FCA57A46444)"),
        ] {
            let expected = format!("GIT/GPG: Failed verifying revision v1 by 'Jane <j@h>': {said}");
            assert_eq!(told(finding), Some(expected));
        }
    }
}
