//! Whose signatures artifacts must have, by the repositories that they are in.

use std::sync::Arc;

use windlass_artifact_signature::{Cosign, Identity, Notation, PolicyError, Verification};
use windlass_go::glob::Gobwas;
use windlass_yaml::Value;

use crate::artifact::ArtifactUrl;

/// What is asked of artifacts, by address. Nothing, unless somebody asks.
///
/// Everything that is asked of a repository must hold.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Verifications(Arc<[VerificationRule]>);

/// What is asked of the repositories that patterns fit.
#[derive(Clone, Debug)]
pub struct VerificationRule {
    repositories: Vec<(String, Gobwas)>,
    demand: Demand,
}

/// What is asked, or why that cannot be known. The latter refuses, for somebody asks for something.
pub(crate) type Demand = Result<Verification, String>;

impl PartialEq for VerificationRule {
    fn eq(&self, other: &Self) -> bool {
        let texts = |rule: &Self| rule.repositories.iter().map(|(text, _)| text.clone()).collect::<Vec<_>>();
        self.demand == other.demand && texts(self) == texts(other)
    }
}

impl Eq for VerificationRule {}

impl Verifications {
    /// These rules together.
    #[must_use]
    pub fn new(rules: Vec<VerificationRule>) -> Self {
        Self(rules.into())
    }

    /// The same of everything.
    #[must_use]
    pub fn of_everything(verification: Verification) -> Self {
        Self::new(vec![VerificationRule::of_everything(verification)])
    }

    /// Whether nothing is asked of anybody.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// What is asked of the repository at `url`, or at `below` it.
    pub(crate) fn asked_of(&self, url: &ArtifactUrl, below: &str) -> Vec<&Demand> {
        if self.0.is_empty() {
            return Vec::new();
        }
        let address = address(url, below);
        self.0.iter().filter(|rule| rule.fits(&address)).map(|rule| &rule.demand).collect()
    }
}

/// The one way of writing an address that patterns are compared with: a registry under two names is one registry.
fn address(url: &ArtifactUrl, below: &str) -> String {
    let shown = url.to_string();
    let shown = ["registry-1.docker.io", "index.docker.io"]
        .iter()
        .find_map(|name| Some(format!("oci://docker.io{}", shown.strip_prefix(&format!("oci://{name}"))?)))
        .unwrap_or(shown);
    if below.is_empty() { shown } else { format!("{shown}/{below}") }
}

fn everything() -> Vec<(String, Gobwas)> {
    vec![("*".to_string(), Gobwas::compile("*", &[]).expect("a star is a pattern"))]
}

impl VerificationRule {
    /// The same of every repository.
    #[must_use]
    pub fn of_everything(verification: Verification) -> Self {
        Self { repositories: everything(), demand: Ok(verification) }
    }

    /// Reads a rule of YAML: `repositories` are patterns of addresses (`oci://ghcr.io/org/*`, in which a star stands for
    /// slashes too), and the rest is the `verify` of Flux's sources with the contents of the Secrets that it names.
    ///
    /// ```
    /// let rule = windlass_source::VerificationRule::read("
    /// repositories: [oci://ghcr.io/org/*]
    /// provider: cosign
    /// matchOIDCIdentity:
    /// - issuer: ^https://token\\.actions\\.githubusercontent\\.com$
    ///   subject: ^https://github\\.com/org/
    /// ");
    /// assert!(rule.problem().is_none());
    /// ```
    ///
    /// A rule that cannot be read refuses what its patterns fit; where they cannot be read either, everything. So does
    /// one with a field that is not known: it may have been meant to ask for more.
    #[must_use]
    pub fn read(text: &str) -> Self {
        let Ok(value) = windlass_yaml::load(text) else {
            let demand = Err("the policy is no YAML".to_string());
            return Self { repositories: everything(), demand };
        };
        let patterns = value.items_at(&["repositories"]).iter().map(|item| {
            let text = item.as_str()?;
            Some((text.to_string(), Gobwas::compile(text, &[]).ok()?))
        });
        match patterns.collect::<Option<Vec<_>>>().filter(|patterns| !patterns.is_empty()) {
            Some(repositories) => Self { repositories, demand: demand(&value) },
            None => {
                let demand = Err("the policy does not say which repositories it is for".to_string());
                Self { repositories: everything(), demand }
            }
        }
    }

    /// Why it cannot be read, if it cannot; it refuses all that it fits then.
    #[must_use]
    pub fn problem(&self) -> Option<&str> {
        self.demand.as_ref().err().map(String::as_str)
    }

    fn fits(&self, address: &str) -> bool {
        self.repositories.iter().any(|(_, pattern)| pattern.is_match(address))
    }
}

/// What a rule asks for.
fn demand(value: &Value) -> Demand {
    const COSIGN: &[&str] = &["keys", "matchOIDCIdentity", "trustedRoot"];
    const NOTATION: &[&str] = &["certificates", "trustPolicy"];
    let provider = value.str_at(&["provider"]);
    let known = if provider == Some("notation") { NOTATION } else { COSIGN };
    let is_known = |name: &String| {
        ["repositories", "provider"].contains(&name.as_str()) || known.contains(&name.as_str())
    };
    let fields = value.as_object().into_iter().flat_map(windlass_yaml::Map::keys);
    if let Some(unknown) = fields.map(|it| it.to_string()).find(|name| !is_known(name)) {
        return Err(format!("the policy has the field {unknown}, which is not known"));
    }
    match provider {
        Some("cosign") => cosign(value).map(Verification::Cosign).map_err(|error| error.to_string()),
        Some("notation") => notation(value).map(Verification::Notation).map_err(|error| error.to_string()),
        Some(other) => Err(format!("the policy has the provider {other:?}, which is not known")),
        None => Err("the policy has no provider".to_string()),
    }
}

fn notation(value: &Value) -> Result<Notation, PolicyError> {
    let certificates: Option<Vec<&str>> =
        value.items_at(&["certificates"]).iter().map(Value::as_str).collect();
    let certificates = certificates.ok_or_else(|| PolicyError::Unusable {
        what: "the certificate",
        problem: "it is no text".to_string(),
    })?;
    Notation::new(value.str_at(&["trustPolicy"]).unwrap_or_default(), certificates)
}

fn cosign(value: &Value) -> Result<Cosign, PolicyError> {
    let unusable = |what, problem: &str| PolicyError::Unusable { what, problem: problem.to_string() };
    let root = match value.at(&["trustedRoot"]) {
        None => None,
        Some(root) => Some(root.as_str().ok_or_else(|| unusable("the trusted root", "it is no text"))?),
    };
    let identities = value.items_at(&["matchOIDCIdentity"]).iter().map(|item| {
        let (issuer, subject) = (item.str_at(&["issuer"]), item.str_at(&["subject"]));
        Identity::patterns(issuer.unwrap_or_default(), subject.unwrap_or_default())
    });
    let identities: Vec<_> = identities.collect::<Result<_, _>>()?;
    if value.at(&["keys"]).is_none() {
        return Cosign::keyless(identities, root);
    }
    if !identities.is_empty() || root.is_some() {
        return Err(unusable("the policy", "it names keys and identities; one rule asks for one of them"));
    }
    let keys: Option<Vec<&str>> = value.items_at(&["keys"]).iter().map(Value::as_str).collect();
    Cosign::with_keys(keys.ok_or_else(|| unusable("the public key", "it is no text"))?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn demands(rule: &str, url: &str, below: &str) -> Vec<Option<String>> {
        let rules = Verifications::new(vec![VerificationRule::read(rule)]);
        let url = ArtifactUrl::parse_registry(url).unwrap();
        rules.asked_of(&url, below).into_iter().map(|demand| demand.clone().err()).collect()
    }

    const KEYLESS: &str = "provider: cosign\nmatchOIDCIdentity: [{issuer: ^i$, subject: ^s$}]\n";

    #[test]
    fn rules_fit_by_address() {
        let rule = format!("repositories: ['oci://ghcr.io/org/*', 'oci://docker.io/*']\n{KEYLESS}");
        for (url, below, fits) in [
            ("ghcr.io/org", "web", true),
            ("oci://GHCR.io:443/org/web/", "", true),
            ("ghcr.io/org", "a/b", true),
            ("ghcr.io/organisation", "web", false),
            ("ghcr.io/org", "", false),
            ("registry-1.docker.io/library", "web", true),
            ("index.docker.io/library/web", "", true),
            ("docker.io/library/web", "", true),
        ] {
            assert_eq!(demands(&rule, url, below).len(), usize::from(fits), "{url} {below}");
        }
    }

    #[test]
    fn what_cannot_be_read_refuses() {
        for (rule, problem) in [
            ("{", "the policy is no YAML"),
            ("provider: cosign", "the policy does not say which repositories it is for"),
            ("repositories: [7]", "the policy does not say which repositories it is for"),
            ("repositories: ['*']", "the policy has no provider"),
            ("repositories: ['*']\nprovider: x", "the policy has the provider \"x\", which is not known"),
            (
                "repositories: ['*']\nprovider: cosign\nkey: x",
                "the policy has the field key, which is not known",
            ),
            (
                "repositories: ['*']\nprovider: cosign",
                "without a key, and without an identity of issuer and subject, everybody could sign",
            ),
            (
                "repositories: ['*']\nprovider: cosign\nmatchOIDCIdentity: [{issuer: i}]",
                "an empty pattern would let every identity in",
            ),
            (
                "repositories: ['*']\nprovider: cosign\nkeys: []",
                "the public key cannot be used: there is none",
            ),
        ] {
            assert_eq!(demands(rule, "h/x", ""), [Some(problem.to_string())], "{rule}");
        }
        assert_eq!(demands(&format!("repositories: ['*']\n{KEYLESS}"), "h/x", ""), [None]);
    }
}
