//! GitHub Apps: tokens for an installation, bought with a signed statement and renewed before they end.

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::header::{ACCEPT, HeaderName};
use reqwest::{Method, StatusCode, Url};
use rustls::SignatureScheme;
use rustls_pki_types::PrivateKeyDer;
use rustls_pki_types::pem::PemObject as _;
use serde::Deserialize;

use crate::artifact::web::{Question, Web, header, protocol};
use crate::credentials::{Access, Authentication, GitHubApp, Secret};
use crate::error::{Message, SourceError};
use crate::identity::Purpose;
use crate::url::RepositoryUrl;

/// Where GitHub's API is, for those who host nothing of it themselves.
const PUBLIC_API: &str = "https://api.github.com";

/// A token is good for an hour; one this old is replaced, so that a long fetch does not outlive it.
const RENEW_AFTER: Duration = Duration::from_secs(45 * 60);

/// A statement is good for ten minutes at most, and clocks differ: it begins earlier and ends sooner.
const STATEMENT_BEGAN: u64 = 60;
const STATEMENT_ENDS: u64 = 540;

/// Longest answer read: a token comes with a list of permissions of some kilobytes.
const MAX_ANSWER_BYTES: u64 = 1 << 20;

/// Tokens kept.
const MAX_TOKENS: usize = 256;

/// The user that a token is the password of.
const USER: &str = "x-access-token";

/// Tokens of installations, by what they were bought with.
#[derive(Default)]
pub(crate) struct GitHubTokens(Mutex<HashMap<String, (GitHubApp, Secret, Instant)>>);

#[derive(Deserialize)]
struct Token {
    token: String,
}

#[derive(Deserialize)]
struct Installation {
    id: u64,
}

impl Web {
    /// The access that requests to a repository are made with: a GitHub App's, and an identity's, is exchanged for a
    /// token.
    pub(crate) fn signed_in<'a>(
        &self,
        url: &RepositoryUrl,
        access: &'a Access,
    ) -> Result<Cow<'a, Access>, SourceError> {
        let app: &GitHubApp = match &access.authentication {
            Authentication::GitHubApp(app) => app,
            Authentication::Identity(_) => {
                let authentication = self.shown_for(&url.to_string(), access, Purpose::Git)?;
                return Ok(Cow::Owned(Access { authentication, ..access.clone() }));
            }
            _ => return Ok(Cow::Borrowed(access)),
        };
        let key = token_key(url, app);
        let known = {
            let tokens = self.github.lock();
            tokens.get(&key).filter(|(of, _, bought)| of == app && bought.elapsed() < RENEW_AFTER).cloned()
        };
        let token = match known {
            Some((_, token, _)) => token,
            None => {
                let token = self.buy(url, access, app)?;
                let mut tokens = self.github.lock();
                if tokens.len() >= MAX_TOKENS {
                    tokens.clear();
                }
                tokens.insert(key, (app.clone(), token.clone(), Instant::now()));
                token
            }
        };
        let authentication = Authentication::Basic { username: USER.into(), password: token };
        Ok(Cow::Owned(Access { authentication, ..access.clone() }))
    }

    /// Buys a new token the next time: the one there is was not accepted.
    pub(crate) fn forget_token(&self, url: &RepositoryUrl, access: &Access) {
        match &access.authentication {
            Authentication::GitHubApp(app) => drop(self.github.lock().remove(&token_key(url, app))),
            Authentication::Identity(identity) => identity.forget(),
            _ => {}
        }
    }

    fn buy(&self, url: &RepositoryUrl, access: &Access, app: &GitHubApp) -> Result<Secret, SourceError> {
        let shown = url.to_string();
        let statement = statement(app, &shown)?;
        let base = if app.api_url.is_empty() { PUBLIC_API } else { app.api_url.trim_end_matches('/') };
        let ask = |method: Method, path: &str| {
            let address = Url::parse(&format!("{base}{path}"))
                .map_err(|_| invalid(&shown, "address of GitHub's API", "it is no address"))?;
            // Certificates and proxy are those of the repository's host.
            let mut question = Question::get(&shown, access, address)
                .with_header(ACCEPT, "application/vnd.github+json")
                .with_header(HeaderName::from_static("x-github-api-version"), "2022-11-28");
            question.method = method;
            question.authorization = Some(header(&shown, &format!("Bearer {statement}"))?);
            let reply = self.ask(question)?;
            match reply.status() {
                StatusCode::OK | StatusCode::CREATED => {
                    reply.bytes("the answer of GitHub's API", "MAX_ANSWER_BYTES", MAX_ANSWER_BYTES)
                }
                StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => {
                    Err(SourceError::AuthenticationFailed { repository: shown.clone(), anonymous: false })
                }
                StatusCode::NOT_FOUND => Err(invalid(
                    &shown,
                    "GitHub App",
                    "GitHub knows no installation of it with this id, or none for this repository",
                )),
                _ => Err(reply.failure(false, None)),
            }
        };
        let unreadable = || protocol(&shown, "the answer of GitHub's API is not readable");
        let installation = match app.installation_id {
            Some(id) => id,
            None => {
                let path = url.path().trim_matches('/').trim_end_matches(".git").to_string();
                let answer = ask(Method::GET, &format!("/repos/{path}/installation"))?;
                let found: Installation = serde_json::from_slice(&answer).map_err(|_| unreadable())?;
                found.id
            }
        };
        let answer = ask(Method::POST, &format!("/app/installations/{installation}/access_tokens"))?;
        let token: Token = serde_json::from_slice(&answer).map_err(|_| unreadable())?;
        Ok(Secret::new(token.token))
    }
}

impl GitHubTokens {
    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<String, (GitHubApp, Secret, Instant)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// An installation whose id is given serves many repositories with one token; one that is looked for may differ.
fn token_key(url: &RepositoryUrl, app: &GitHubApp) -> String {
    match app.installation_id {
        Some(id) => format!("{} {} {id}", app.api_url, app.app_id),
        None => format!("{} {} of {}", app.api_url, app.app_id, url.normalised()),
    }
}

/// The signed statement (a JSON web token) that says which App asks.
fn statement(app: &GitHubApp, repository: &str) -> Result<String, SourceError> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    let claims = serde_json::json!({
        "iat": now.saturating_sub(STATEMENT_BEGAN), "exp": now + STATEMENT_ENDS, "iss": app.app_id.to_string(),
    });
    signed_claims(&app.private_key, None, &claims)
        .map_err(|text| invalid(repository, "private key of the GitHub App", text))
}

/// A JSON web token, signed with an RSA key (RS256), or what is wrong with the key.
pub(crate) fn signed_claims(
    private_key: &Secret,
    key_id: Option<&str>,
    claims: &serde_json::Value,
) -> Result<String, &'static str> {
    let mut header = serde_json::json!({"alg": "RS256", "typ": "JWT"});
    if let Some(id) = key_id {
        header["kid"] = id.into();
    }
    let encode = |value: &serde_json::Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let said = format!("{}.{}", encode(&header), encode(claims));
    let key = PrivateKeyDer::from_pem_slice(private_key.expose().as_bytes())
        .map_err(|_| "it holds no PEM private key")?;
    let key = rustls::crypto::aws_lc_rs::sign::any_supported_type(&key)
        .map_err(|_| "it is no key that can sign")?;
    let signer = key.choose_scheme(&[SignatureScheme::RSA_PKCS1_SHA256]).ok_or("it is no RSA key")?;
    let signature = signer.sign(said.as_bytes()).map_err(|_| "signing with it failed")?;
    Ok(format!("{said}.{}", URL_SAFE_NO_PAD.encode(signature)))
}

fn invalid(repository: &str, what: &'static str, text: &str) -> SourceError {
    SourceError::InvalidAccess { repository: repository.to_string(), what, source: Message::cause(text) }
}
