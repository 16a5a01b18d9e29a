//! Whose signature an artifact must have, from the command line.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use clap::Args;
use windlass_source::artifact_signature::{Cosign, Identity};
use windlass_source::{Verification, VerificationRule, Verifications};

/// What is asked of the signatures of artifacts and charts of registries.
#[derive(Debug, Clone, Default, Args)]
pub(crate) struct VerifyOptions {
    /// Take only what cosign signed with this public key (PEM). Repeatable; one of them is enough.
    #[arg(long = "verify-cosign-key", value_name = "FILE", conflicts_with_all = ["cosign_identity", "cosign_issuer"])]
    cosign_keys: Vec<PathBuf>,
    /// Take only what this identity signed: an address of mail, or of a workload. Between slashes it is a pattern.
    #[arg(long, value_name = "SUBJECT", requires = "cosign_issuer")]
    cosign_identity: Option<String>,
    /// Who vouches for --cosign-identity, such as https://accounts.google.com. Between slashes it is a pattern.
    #[arg(long, value_name = "URL", requires = "cosign_identity")]
    cosign_issuer: Option<String>,
    /// The authorities and logs to believe (trusted_root.json), instead of Sigstore's public service.
    #[arg(long, value_name = "FILE", requires = "cosign_identity")]
    trusted_root: Option<PathBuf>,
    /// Take only what is signed as a policy says, written as in the ConfigMap windlass-artifact-signatures. Repeatable.
    #[arg(long = "verify-policy", value_name = "FILE")]
    policies: Vec<PathBuf>,
}

impl VerifyOptions {
    /// Reads the files that are named.
    pub(crate) fn read(&self) -> Result<Verifications> {
        let mut rules = Vec::new();
        for path in &self.policies {
            let rule = VerificationRule::read(&text(path)?);
            if let Some(problem) = rule.problem() {
                bail!("{} cannot be used: {problem}", path.display());
            }
            rules.push(rule);
        }
        if let Some(cosign) = self.cosign()? {
            rules.push(VerificationRule::of_everything(Verification::Cosign(cosign)));
        }
        Ok(Verifications::new(rules))
    }

    fn cosign(&self) -> Result<Option<Cosign>> {
        if let (Some(subject), Some(issuer)) = (&self.cosign_identity, &self.cosign_issuer) {
            let root = self.trusted_root.as_deref().map(text).transpose()?;
            let identity = match (pattern(issuer), pattern(subject)) {
                (None, None) => Identity::exact(issuer, subject),
                (issuer_pattern, subject_pattern) => {
                    let as_pattern = |pattern: Option<&str>, exact: &str| {
                        pattern.map_or_else(|| format!("^{}$", quoted(exact)), str::to_owned)
                    };
                    Identity::patterns(
                        &as_pattern(issuer_pattern, issuer),
                        &as_pattern(subject_pattern, subject),
                    )?
                }
            };
            return Ok(Some(Cosign::keyless(vec![identity], root.as_deref())?));
        }
        if self.cosign_keys.is_empty() {
            return Ok(None);
        }
        let keys = self.cosign_keys.iter().map(|path| text(path)).collect::<Result<Vec<_>>>()?;
        Ok(Some(Cosign::with_keys(keys.iter().map(String::as_str))?))
    }
}

/// What stands between slashes. An address has no slash in front.
fn pattern(text: &str) -> Option<&str> {
    text.strip_prefix('/')?.strip_suffix('/')
}

/// A text as a pattern that fits nothing else.
fn quoted(text: &str) -> String {
    let special = |c: char| c.is_ascii_punctuation() && !matches!(c, '/' | '_' | '-' | '@' | ':');
    text.chars().flat_map(|c| special(c).then_some('\\').into_iter().chain([c])).collect()
}

fn text(path: &Path) -> Result<String> {
    std::fs::read_to_string(path).with_context(|| format!("{} cannot be read", path.display()))
}
