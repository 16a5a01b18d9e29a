//! Tokens that a server hands out: Google's and Azure's, for keys, secrets, and the machine itself.

use std::time::{Duration, UNIX_EPOCH};

use http::header::{ACCEPT, HeaderName};
use reqwest::{Method, StatusCode, Url};
use serde::Deserialize;
use serde_json::json;

use super::{Asking, MAX_TOKEN_BYTES, Token, unusable};
use crate::artifact::web::{Question, protocol};
use crate::credentials::{Access, Secret};
use crate::error::SourceError;
use crate::github_app::signed_claims;

/// The user that Google's tokens are the password of.
pub(super) const GOOGLE_USER: &str = "oauth2accesstoken";

/// Where Google hands out tokens, for keys that do not say.
const GOOGLE_TOKENS: &str = "https://oauth2.googleapis.com/token";

/// Where Azure's public cloud hands out tokens.
const AZURE_AUTHORITY: &str = "https://login.microsoftonline.com";

/// Where machines of both clouds are told who they are.
const METADATA: &str = "http://169.254.169.254";

/// An assertion is good for an hour at most, and clocks differ: it begins earlier.
const ASSERTION_BEGAN: u64 = 60;
const ASSERTION_ENDS: u64 = 3540;

#[derive(Deserialize)]
struct ServiceAccount {
    client_email: String,
    private_key: String,
    private_key_id: Option<String>,
    token_uri: Option<String>,
}

#[derive(Deserialize)]
struct Granted {
    access_token: String,
    expires_in: Option<Seconds>,
}

/// Azure's metadata server writes numbers as texts.
#[derive(Deserialize)]
#[serde(untagged)]
enum Seconds {
    Number(u64),
    Text(String),
}

#[derive(Deserialize)]
struct Refusal {
    error: String,
}

/// The address of a service account.
pub(super) fn google_account(key: &Secret) -> Option<String> {
    serde_json::from_str::<ServiceAccount>(key.expose()).ok().map(|account| account.client_email)
}

/// Exchanges an assertion that is signed with the account's key (RFC 7523).
pub(super) fn of_google(
    asking: &Asking<'_>,
    what: &'static str,
    key: &Secret,
    scope: &str,
) -> Result<Token, SourceError> {
    let account: ServiceAccount = serde_json::from_str(key.expose())
        .map_err(|_| unusable(asking.repository, what, "it is no JSON with client_email and private_key"))?;
    let server = account.token_uri.as_deref().unwrap_or(GOOGLE_TOKENS);
    let now = asking.now.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    let claims = json!({
        "iss": account.client_email,
        "scope": scope,
        "aud": server,
        "iat": now.saturating_sub(ASSERTION_BEGAN),
        "exp": now + ASSERTION_ENDS,
    });
    let private_key = Secret::new(account.private_key);
    let assertion = signed_claims(&private_key, account.private_key_id.as_deref(), &claims)
        .map_err(|text| unusable(asking.repository, what, text))?;
    let form =
        [("grant_type", "urn:ietf:params:oauth:grant-type:jwt-bearer"), ("assertion", assertion.as_str())];
    exchange(asking, what, server, &form)
}

/// Asks for a token in exchange for a client's secret (RFC 6749, 4.4).
pub(super) fn of_azure(
    asking: &Asking<'_>,
    what: &'static str,
    authority: &str,
    tenant: &str,
    form: &[(&str, &str)],
) -> Result<Token, SourceError> {
    let is_name = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.');
    if tenant.is_empty() || !tenant.bytes().all(is_name) {
        return Err(unusable(asking.repository, what, "its tenant is no id and no domain"));
    }
    let authority = if authority.is_empty() { AZURE_AUTHORITY } else { authority.trim_end_matches('/') };
    exchange(asking, what, &format!("{authority}/{tenant}/oauth2/v2.0/token"), form)
}

pub(super) fn of_google_machine(
    asking: &Asking<'_>,
    what: &'static str,
    address: &str,
) -> Result<Token, SourceError> {
    let path = "/computeMetadata/v1/instance/service-accounts/default/token";
    of_machine(asking, what, address, path, &[], ("metadata-flavor", "Google"))
}

pub(super) fn of_azure_machine(
    asking: &Asking<'_>,
    what: &'static str,
    address: &str,
    client_id: &str,
    scope: &str,
) -> Result<Token, SourceError> {
    let resource = scope.trim_end_matches(".default").trim_end_matches('/');
    let mut query = vec![("api-version", "2018-02-01"), ("resource", resource)];
    if !client_id.is_empty() {
        query.push(("client_id", client_id));
    }
    of_machine(asking, what, address, "/metadata/identity/oauth2/token", &query, ("metadata", "true"))
}

fn of_machine(
    asking: &Asking<'_>,
    what: &'static str,
    address: &str,
    path: &str,
    query: &[(&str, &str)],
    (header, value): (&'static str, &str),
) -> Result<Token, SourceError> {
    let base = if address.is_empty() { METADATA } else { address.trim_end_matches('/') };
    let mut url = parse(asking, what, &format!("{base}{path}"))?;
    if !query.is_empty() {
        url.query_pairs_mut().extend_pairs(query);
    }
    // The machine's own server is asked directly.
    let access = Access { timeouts: asking.access.timeouts, ..Access::default() };
    let mut question = Question::get(asking.repository, &access, url);
    question = question.with_header(HeaderName::from_static(header), value);
    question.is_of_machine = true;
    granted(asking, what, question)
}

/// Sends a form to a token server; only there, and not in clear text.
pub(super) fn exchange(
    asking: &Asking<'_>,
    what: &'static str,
    server: &str,
    form: &[(&str, &str)],
) -> Result<Token, SourceError> {
    granted(asking, what, posted(asking, what, server, form)?)
}

/// The address of a token server, which is not asked in clear text.
pub(super) fn server(asking: &Asking<'_>, what: &'static str, address: &str) -> Result<Url, SourceError> {
    let url = parse(asking, what, address)?;
    if url.scheme() != "https" && !asking.access.credentials_over_http {
        return Err(SourceError::ClearTextCredentials { repository: asking.repository.to_string() });
    }
    Ok(url)
}

/// A form for a token server.
pub(super) fn posted<'a>(
    asking: &'a Asking<'_>,
    what: &'static str,
    address: &str,
    form: &[(&str, &str)],
) -> Result<Question<'a>, SourceError> {
    let url = server(asking, what, address)?;
    let mut encoded = parse(asking, what, "https://form/")?;
    encoded.query_pairs_mut().extend_pairs(form);
    let body = encoded.query().unwrap_or_default().as_bytes().to_vec();
    let mut question = Question::get(asking.repository, &asking.access, url);
    question.method = Method::POST;
    question.body = Some(("application/x-www-form-urlencoded", body));
    Ok(question)
}

fn granted(asking: &Asking<'_>, what: &'static str, question: Question<'_>) -> Result<Token, SourceError> {
    let answer = answered(asking, what, question)?;
    let granted: Granted = serde_json::from_slice(&answer).map_err(|_| unreadable(asking))?;
    let seconds = match granted.expires_in {
        None => None,
        Some(Seconds::Number(seconds)) => Some(seconds),
        Some(Seconds::Text(text)) => Some(text.parse().map_err(|_| unreadable(asking))?),
    };
    asking.accepted(what, &granted.access_token, asking.after(seconds.map(Duration::from_secs)))
}

/// What an answer is called that is not of its form.
pub(super) fn unreadable(asking: &Asking<'_>) -> SourceError {
    protocol(asking.repository, "its token server's answer cannot be read")
}

/// The answer of a token server that hands something out.
pub(super) fn answered(
    asking: &Asking<'_>,
    what: &'static str,
    question: Question<'_>,
) -> Result<Vec<u8>, SourceError> {
    let question = match question.headers.contains_key(ACCEPT) {
        true => question,
        false => question.with_header(ACCEPT, "application/json"),
    };
    let reply = asking.web.ask(question)?;
    let status = reply.status();
    let is_refused = matches!(
        status,
        StatusCode::BAD_REQUEST | StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN | StatusCode::NOT_FOUND
    );
    if status.is_redirection() {
        return Err(protocol(asking.repository, "its token server redirects, and secrets are not sent on"));
    }
    if status != StatusCode::OK && !is_refused {
        return Err(reply.failure(false, None));
    }
    let answer = reply.bytes("the token", "MAX_TOKEN_BYTES", MAX_TOKEN_BYTES)?;
    if is_refused {
        // Codes of RFC 6749 and nothing else of the answer, which may repeat what was sent.
        let code = serde_json::from_slice(&answer).map(|refusal: Refusal| refusal.error).unwrap_or_default();
        let is_code = code.len() <= 40 && code.bytes().all(|it| it.is_ascii_lowercase() || it == b'_');
        let code = if is_code && !code.is_empty() { format!(" ({code})") } else { String::new() };
        let text = format!("the token server answered {status}{code}");
        return Err(unusable(asking.repository, what, &text));
    }
    Ok(answer)
}

pub(super) fn parse(asking: &Asking<'_>, what: &'static str, address: &str) -> Result<Url, SourceError> {
    Url::parse(address)
        .map_err(|_| unusable(asking.repository, what, "the address of its token server is no address"))
}
