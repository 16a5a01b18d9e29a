//! Identities that one issuer vouches for to another: workload identities of Azure and Google, registries of Azure.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use http::header::{HeaderName, HeaderValue};
use reqwest::Method;
use serde::Deserialize;
use serde_json::{Value, json};

use super::servers::{answered, exchange, of_azure, parse, posted, server, unreadable};
use super::{Asking, GOOGLE_SCOPE, MAX_TOKEN_BYTES, Token, local, unusable};
use crate::artifact::web::Question;
use crate::credentials::{Access, Secret};
use crate::error::SourceError;

/// Whom registries of Azure's call those who come with a token.
pub(super) const AZURE_REGISTRY_USER: &str = "00000000-0000-0000-0000-000000000000";

/// How long Google's tokens for a service account are asked for: what it gives unless it is told otherwise.
const IMPERSONATED_SECONDS: u64 = 3600;

/// A workload of Azure's; what is empty is in the environment.
pub(super) struct Workload<'a> {
    pub(super) authority: &'a str,
    pub(super) tenant: &'a str,
    pub(super) client_id: &'a str,
    pub(super) token_file: &'a Path,
    pub(super) scope: &'a str,
}

impl Workload<'_> {
    /// Exchanges the token in the file, which says who the client is (RFC 7523, 2.2).
    pub(super) fn token(&self, asking: &Asking<'_>, what: &'static str) -> Result<Token, SourceError> {
        let known = |text: &str, name: &str| match text {
            "" => std::env::var(name).unwrap_or_default(),
            text => text.to_owned(),
        };
        let authority = known(self.authority, "AZURE_AUTHORITY_HOST");
        let tenant = known(self.tenant, "AZURE_TENANT_ID");
        let client_id = known(self.client_id, "AZURE_CLIENT_ID");
        let file = known(&self.token_file.to_string_lossy(), "AZURE_FEDERATED_TOKEN_FILE");
        if client_id.is_empty() || file.is_empty() {
            let text = "neither its Secret nor the environment names a client and a file of its token";
            return Err(unusable(asking.repository, what, text));
        }
        let assertion = local::of_file(asking, what, Path::new(&file))?;
        let form = [
            ("grant_type", "client_credentials"),
            ("client_id", client_id.as_str()),
            ("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"),
            ("client_assertion", assertion.text.expose()),
            ("scope", self.scope),
        ];
        of_azure(asking, what, &authority, &tenant, &form)
    }
}

#[derive(Deserialize)]
struct Exchanged {
    refresh_token: String,
}

/// Exchanges a token of Azure's for one of a registry, which is a password there.
pub(super) fn exchanged_at_registry(
    asking: &Asking<'_>,
    what: &'static str,
    registry: &str,
    token: &Secret,
) -> Result<Token, SourceError> {
    let address = format!("{}/oauth2/exchange", registry.trim_end_matches('/'));
    let url = parse(asking, what, &address)?;
    let host = url.host_str().unwrap_or_default();
    let service = url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"));
    let form =
        [("grant_type", "access_token"), ("service", service.as_str()), ("access_token", token.expose())];
    let answer = answered(asking, what, posted(asking, what, &address, &form)?)?;
    let exchanged: Exchanged = serde_json::from_slice(&answer).map_err(|_| unreadable(asking))?;
    // It holds for hours, and says so only inside.
    asking.accepted(what, &exchanged.refresh_token, asking.after(None))
}

#[derive(Deserialize)]
struct External {
    audience: String,
    subject_token_type: String,
    token_url: String,
    credential_source: Source,
    service_account_impersonation_url: Option<String>,
    service_account_impersonation: Option<Impersonation>,
}

#[derive(Deserialize)]
struct Impersonation {
    token_lifetime_seconds: Option<u64>,
}

#[derive(Deserialize)]
struct Source {
    file: Option<PathBuf>,
    url: Option<String>,
    #[serde(default)]
    headers: BTreeMap<String, String>,
    format: Option<Format>,
}

#[derive(Deserialize)]
struct Format {
    #[serde(rename = "type")]
    kind: String,
    subject_token_field_name: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Impersonated {
    access_token: String,
    expire_time: String,
}

/// Whether credentials of Google's are those of an external account.
pub(super) fn is_external(config: &Secret) -> bool {
    serde_json::from_str::<Value>(config.expose()).is_ok_and(|config| config["type"] == "external_account")
}

/// Exchanges the token of another issuer at Google's token service (RFC 8693), and that for one of a service account where the
/// configuration names one.
pub(super) fn of_google(
    asking: &Asking<'_>,
    what: &'static str,
    config: &Secret,
    scope: &str,
) -> Result<Token, SourceError> {
    let config: External = serde_json::from_str(config.expose()).map_err(|_| {
        unusable(asking.repository, what, "it is no external_account whose source is a file or a URL")
    })?;
    let subject = config.credential_source.token(asking, what)?;
    let impersonates = config.service_account_impersonation_url.is_some();
    let form = [
        ("audience", config.audience.as_str()),
        ("grant_type", "urn:ietf:params:oauth:grant-type:token-exchange"),
        ("requested_token_type", "urn:ietf:params:oauth:token-type:access_token"),
        ("scope", if impersonates { GOOGLE_SCOPE } else { scope }),
        ("subject_token_type", config.subject_token_type.as_str()),
        ("subject_token", subject.expose()),
    ];
    let token = exchange(asking, what, &config.token_url, &form)?;
    let Some(address) = &config.service_account_impersonation_url else { return Ok(token) };
    let lifetime = config.service_account_impersonation.and_then(|it| it.token_lifetime_seconds);
    let lifetime = format!("{}s", lifetime.unwrap_or(IMPERSONATED_SECONDS));
    let mut question = Question::get(asking.repository, &asking.access, server(asking, what, address)?);
    question.method = Method::POST;
    let mut shown =
        HeaderValue::try_from(format!("Bearer {}", token.text.expose())).map_err(|_| unreadable(asking))?;
    shown.set_sensitive(true);
    question.authorization = Some(shown);
    let body = json!({"scope": [scope], "lifetime": lifetime}).to_string();
    question.body = Some(("application/json", body.into_bytes()));
    let answer = answered(asking, what, question)?;
    let granted: Impersonated = serde_json::from_slice(&answer).map_err(|_| unreadable(asking))?;
    let ends = local::time(&granted.expire_time).ok_or_else(|| unreadable(asking))?;
    asking.accepted(what, &granted.access_token, Some(ends))
}

impl Source {
    /// The token that another issuer gave.
    fn token(&self, asking: &Asking<'_>, what: &'static str) -> Result<Secret, SourceError> {
        let text = match (&self.file, &self.url) {
            (Some(path), _) => local::text_of(asking, what, path)?,
            (None, Some(url)) => {
                // A server of the machine, asked directly.
                let access = Access { timeouts: asking.access.timeouts, ..Access::default() };
                let mut question = Question::get(asking.repository, &access, parse(asking, what, url)?);
                for (name, value) in &self.headers {
                    let name = HeaderName::try_from(name.as_str())
                        .map_err(|_| unusable(asking.repository, what, "one of its headers has no name"))?;
                    question = question.with_header(name, value);
                }
                question.is_of_machine = true;
                let answer = answered(asking, what, question)?;
                String::from_utf8(answer).map_err(|_| unreadable(asking))?
            }
            (None, None) => {
                let text = "its credential_source is neither a file nor a URL";
                return Err(unusable(asking.repository, what, text));
            }
        };
        let wrong = || unusable(asking.repository, what, "what its credential_source gives has no token");
        let text = match &self.format {
            Some(format) if format.kind == "json" => {
                let value: Value = serde_json::from_str(&text).map_err(|_| wrong())?;
                let field = format.subject_token_field_name.as_deref().ok_or_else(wrong)?;
                value[field].as_str().ok_or_else(wrong)?.to_owned()
            }
            _ => text,
        };
        debug_assert!(text.len() as u64 <= MAX_TOKEN_BYTES, "both ways are bounded");
        let token = asking.accepted(what, &text, asking.after(Some(Duration::ZERO)))?;
        Ok(token.text)
    }
}
