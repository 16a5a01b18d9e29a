//! Trust policies (specification "Trust Store and Trust Policy" 1.0 of the Notary Project).

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;

use super::envelope::Scheme;
use super::name::Name;
use crate::PolicyError;

/// A policy for artifacts of registries.
#[derive(Clone, Debug)]
pub(super) struct Policy {
    statements: Vec<Statement>,
}

/// What is asked of some repositories.
#[derive(Clone, Debug)]
pub(crate) struct Statement {
    scopes: BTreeSet<String>,
    /// `None` where nothing is asked.
    pub(super) enforcement: Option<Enforcement>,
    /// Of which kinds there are stores.
    pub(super) stores: Vec<Scheme>,
    /// Whose signatures count; `None` is everybody's whom the stores vouch for.
    identities: Option<Vec<Name>>,
}

/// What happens when a check fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Action {
    Enforce,
    Log,
    Skip,
}

/// What happens for each check. That an envelope is whole is enforced always.
#[derive(Clone, Debug)]
pub(super) struct Enforcement {
    pub(super) authenticity: Action,
    pub(super) authentic_timestamp: Action,
    pub(super) expiry: Action,
    pub(super) revocation: Action,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Document {
    version: String,
    trust_policies: Vec<Raw>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Raw {
    name: String,
    registry_scopes: Vec<String>,
    signature_verification: Level,
    #[serde(default)]
    trust_stores: Vec<String>,
    #[serde(default)]
    trusted_identities: Vec<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Level {
    level: String,
    #[serde(default, rename = "override")]
    overrides: BTreeMap<String, String>,
}

impl Policy {
    pub(super) fn parse(text: &str) -> Result<Self, PolicyError> {
        let unusable = |problem: String| PolicyError::Unusable { what: "the trust policy", problem };
        let document: Document = serde_json::from_str(text).map_err(|error| unusable(error.to_string()))?;
        if document.version != "1.0" {
            return Err(unusable(format!("its version is {:?} and not 1.0", document.version)));
        }
        let mut scopes = BTreeSet::new();
        let mut statements = Vec::new();
        for raw in document.trust_policies {
            let of_statement = |problem: String| unusable(format!("its statement {:?} {problem}", raw.name));
            let statement = Statement::read(&raw).map_err(of_statement)?;
            if let Some(twice) = statement.scopes.iter().find(|scope| !scopes.insert((*scope).clone())) {
                return Err(of_statement(format!("has the scope {twice}, which another has too")));
            }
            statements.push(statement);
        }
        if statements.is_empty() {
            return Err(unusable("it has no statement".to_string()));
        }
        Ok(Self { statements })
    }

    /// The statement for a repository: one that names it goes before the one for all.
    pub(super) fn statement(&self, repository: &str) -> Option<&Statement> {
        let of = |scope: &str| self.statements.iter().find(|statement| statement.scopes.contains(scope));
        of(repository).or_else(|| of("*"))
    }
}

impl Statement {
    fn read(raw: &Raw) -> Result<Self, String> {
        let enforcement = enforcement(&raw.signature_verification)?;
        let scopes: BTreeSet<String> = raw.registry_scopes.iter().cloned().collect();
        if scopes.is_empty() || (scopes.len() > 1 && scopes.contains("*")) {
            return Err("needs scopes: repositories, or * alone".to_string());
        }
        if let Some(scope) = scopes.iter().find(|scope| scope.contains('*') && *scope != "*") {
            return Err(format!("has the scope {scope:?}, in which a star stands for nothing"));
        }
        let stores = raw.trust_stores.iter().map(|store| match store.split_once(':') {
            Some(("ca", name)) if !name.is_empty() => Ok(Scheme::Certificate),
            Some(("signingAuthority", name)) if !name.is_empty() => Ok(Scheme::SigningAuthority),
            _ => Err(format!("names the store {store:?}, which is of no supported kind")),
        });
        let stores = stores.collect::<Result<Vec<_>, _>>()?;
        if enforcement.is_some() && (stores.is_empty() || raw.trusted_identities.is_empty()) {
            return Err("needs trust stores and trusted identities".to_string());
        }
        let is_everybody = raw.trusted_identities.iter().any(|identity| identity == "*");
        if is_everybody && raw.trusted_identities.len() > 1 {
            return Err("trusts everybody and somebody".to_string());
        }
        let identities = raw.trusted_identities.iter().filter(|identity| *identity != "*").map(|identity| {
            let name = identity.strip_prefix("x509.subject:").map(|name| Name::parse(name.trim()));
            match name {
                Some(Ok(name)) if ["C", "ST", "O"].iter().all(|key| name.has(key)) => Ok(name),
                Some(Ok(_)) => Err(format!("trusts {identity:?}, which must have C, ST and O")),
                Some(Err(problem)) => Err(format!("trusts {identity:?}: {problem}")),
                None => Err(format!("trusts {identity:?}, which is no x509.subject")),
            }
        });
        let identities = identities.collect::<Result<Vec<_>, _>>()?;
        let identities = (!is_everybody).then_some(identities);
        Ok(Self { scopes, enforcement, stores, identities })
    }

    /// Whether the statement names the subject of a certificate, or everybody.
    pub(super) fn trusts(&self, subject: Option<&Name>) -> bool {
        match &self.identities {
            None => true,
            Some(names) => subject.is_some_and(|subject| names.iter().any(|name| name.is_part_of(subject))),
        }
    }
}

fn enforcement(level: &Level) -> Result<Option<Enforcement>, String> {
    let mut found = match level.level.as_str() {
        "strict" => Enforcement::STRICT,
        "permissive" => Enforcement::PERMISSIVE,
        "audit" => Enforcement::AUDIT,
        "skip" if level.overrides.is_empty() => return Ok(None),
        "skip" => return Err("skips, and says what else to do".to_string()),
        other => return Err(format!("has the level {other:?}, which is none")),
    };
    for (check, action) in &level.overrides {
        let action = match action.as_str() {
            "enforce" => Action::Enforce,
            "log" => Action::Log,
            "skip" => Action::Skip,
            other => return Err(format!("wants {other:?} to be done, which cannot be")),
        };
        match check.as_str() {
            "authenticity" => found.authenticity = action,
            "authenticTimestamp" => found.authentic_timestamp = action,
            "expiry" => found.expiry = action,
            "revocation" => found.revocation = action,
            other => return Err(format!("wants to change {other:?}, which cannot be changed")),
        }
    }
    Ok(Some(found))
}
