//! Passwords of Amazon's registries (ECR), asked for with an access key or as a role.

use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::header::{ACCEPT, HeaderName, HeaderValue};
use reqwest::Method;
use serde::Deserialize;

use super::servers::{answered, posted, server, unreadable};
use super::{AmazonLogin, Asking, Token, local, unusable};
use crate::artifact::web::Question;
use crate::bucket::{Key, Signable, inside};
use crate::credentials::{AmazonSession, Secret};
use crate::error::SourceError;

/// Whom registries of Amazon's call those who come with a password.
pub(super) const REGISTRY_USER: &str = "AWS";

/// The call for a password, of the registry's API of 2015-09-21.
const CALL: &str = "AmazonEC2ContainerRegistry_V20150921.GetAuthorizationToken";

/// What sessions of a role are called in its log.
const SESSION: &str = "windlass";

/// A key, and the session that it is of.
struct Keys {
    id: String,
    secret: Secret,
    session: Option<Secret>,
    ends: Option<SystemTime>,
}

/// A session of a role, as a text that [`read_session`] reads.
pub(super) fn session(
    asking: &Asking<'_>,
    what: &'static str,
    region: &str,
    login: &AmazonLogin,
) -> Result<Token, SourceError> {
    check_region(asking, what, region)?;
    let keys = match login {
        AmazonLogin::Key { id, secret } => {
            Keys { id: id.clone(), secret: secret.clone(), session: None, ends: None }
        }
        AmazonLogin::Role { role, token_file, endpoint } => {
            role_keys(asking, what, region, role, token_file, endpoint)?
        }
    };
    let token = keys.session.as_ref().map(Secret::expose).unwrap_or_default();
    let text = serde_json::json!([keys.id, keys.secret.expose(), token]).to_string();
    Ok(Token { text: Secret::new(text), ends: keys.ends.or_else(|| asking.after(None)) })
}

/// What [`session`] made a text of.
pub(super) fn read_session(text: &Secret) -> Option<AmazonSession> {
    let (id, secret, token): (String, String, String) = serde_json::from_str(text.expose()).ok()?;
    Some(AmazonSession { id, secret: Secret::new(secret), token: Secret::new(token) })
}

fn check_region(asking: &Asking<'_>, what: &'static str, region: &str) -> Result<(), SourceError> {
    let is_region = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    if region.is_empty() || !region.bytes().all(is_region) {
        return Err(unusable(asking.repository, what, "its region is none"));
    }
    Ok(())
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Answer {
    authorization_data: Vec<Authorization>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Authorization {
    authorization_token: String,
    /// Seconds since 1970.
    expires_at: f64,
}

/// Asks for the password of all registries of a region that `login` may read.
pub(super) fn registry_password(
    asking: &Asking<'_>,
    what: &'static str,
    region: &str,
    endpoint: &str,
    login: &AmazonLogin,
) -> Result<Token, SourceError> {
    check_region(asking, what, region)?;
    let keys = match login {
        AmazonLogin::Key { id, secret } => {
            Keys { id: id.clone(), secret: secret.clone(), session: None, ends: None }
        }
        AmazonLogin::Role { role, token_file, endpoint } => {
            role_keys(asking, what, region, role, token_file, endpoint)?
        }
    };
    let endpoint = match endpoint.trim_end_matches('/') {
        "" => format!("https://api.ecr.{region}.amazonaws.com"),
        endpoint => endpoint.to_owned(),
    };
    let url = server(asking, what, &format!("{endpoint}/"))?;
    let mut further = Vec::new();
    if let Some(session) = &keys.session {
        further.push(("x-amz-security-token", session.expose()));
    }
    further.push(("x-amz-target", CALL));
    let content = b"{}".to_vec();
    let key = Key { id: &keys.id, secret: keys.secret.expose(), region, service: "ecr" };
    let (path, query) = ("/", "");
    let request = Signable { method: "POST", url: &url, path, query, headers: &further, content: &content };
    let since = asking.now.duration_since(UNIX_EPOCH).unwrap_or_default();
    let signed = key.sign(&request, since.as_secs());
    let mut question = Question::get(asking.repository, &asking.access, url.clone());
    question.method = Method::POST;
    let signed_headers = signed.headers.iter().map(|(name, value)| (*name, value.as_str()));
    for (name, value) in signed_headers.chain(further.iter().copied()) {
        question = question.with_header(HeaderName::from_static(name), value);
    }
    question.authorization =
        Some(HeaderValue::try_from(signed.authorization).map_err(|_| unreadable(asking))?);
    question.body = Some(("application/x-amz-json-1.1", content));
    let answer = answered(asking, what, question)?;
    let answer: Answer = serde_json::from_slice(&answer).map_err(|_| unreadable(asking))?;
    let given = answer.authorization_data.first().ok_or_else(|| unreadable(asking))?;
    let pair = STANDARD.decode(&given.authorization_token).ok().and_then(|it| String::from_utf8(it).ok());
    let password = pair.as_deref().and_then(|pair| pair.strip_prefix("AWS:"));
    let password = password.ok_or_else(|| unreadable(asking))?;
    let ends = Duration::try_from_secs_f64(given.expires_at).map_err(|_| unreadable(asking))?;
    asking.accepted(what, password, SystemTime::UNIX_EPOCH.checked_add(ends))
}

/// The keys of a session of a role, for a token that another issuer gave.
fn role_keys(
    asking: &Asking<'_>,
    what: &'static str,
    region: &str,
    role: &str,
    token_file: &Path,
    endpoint: &str,
) -> Result<Keys, SourceError> {
    let known = |text: &str, name: &str| match text {
        "" => std::env::var(name).unwrap_or_default(),
        text => text.to_owned(),
    };
    let role = known(role, "AWS_ROLE_ARN");
    let file = known(&token_file.to_string_lossy(), "AWS_WEB_IDENTITY_TOKEN_FILE");
    if role.is_empty() || file.is_empty() {
        let text = "neither its Secret nor the environment names a role and a file of its token";
        return Err(unusable(asking.repository, what, text));
    }
    let token = local::of_file(asking, what, Path::new(&file))?;
    let endpoint = match endpoint.trim_end_matches('/') {
        "" => format!("https://sts.{region}.amazonaws.com"),
        endpoint => endpoint.to_owned(),
    };
    let form = [
        ("Action", "AssumeRoleWithWebIdentity"),
        ("Version", "2011-06-15"),
        ("RoleArn", role.as_str()),
        ("RoleSessionName", SESSION),
        ("WebIdentityToken", token.text.expose()),
    ];
    // It answers in JSON to those who take that, of which its documentation does not speak.
    let question = posted(asking, what, &format!("{endpoint}/"), &form)?.with_header(ACCEPT, "text/xml");
    let answer = answered(asking, what, question)?;
    let text = String::from_utf8(answer).map_err(|_| unreadable(asking))?;
    let given = inside(&text, "Credentials").ok_or_else(|| unreadable(asking))?;
    let field = |name: &str| {
        let text = inside(given, name).map(str::trim).filter(|text| !text.is_empty());
        text.filter(|text| text.bytes().all(|byte| byte.is_ascii_graphic())).ok_or_else(|| unreadable(asking))
    };
    Ok(Keys {
        id: field("AccessKeyId")?.to_owned(),
        secret: Secret::new(field("SecretAccessKey")?),
        session: Some(Secret::new(field("SessionToken")?)),
        ends: inside(given, "Expiration").and_then(local::time),
    })
}
