//! Saying who we are to a registry: basic authentication, or a token from its token server.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use http::header::{HeaderValue, WWW_AUTHENTICATE};
use reqwest::{StatusCode, Url};
use serde::Deserialize;

use crate::artifact::web::{
    Question, Reply, Web, authorization, check_place, header, protocol, shown_as, wrong,
};
use crate::artifact::{ArtifactError, ArtifactOptions, ArtifactUrl};
use crate::credentials::{Access, Authentication, Secret};
use crate::error::SourceError;
use crate::identity::Purpose;

/// How long a token holds whose server does not say: the distribution specification's answer.
const DEFAULT_LIFETIME: Duration = Duration::from_secs(60);

/// A token is not used in the last seconds before it ends.
const MARGIN: Duration = Duration::from_secs(10);

/// Token servers that are another domain than the registry they serve, as their operators document it.
const KNOWN_TOKEN_HOSTS: [(&str, &str); 1] = [("dhi.io", "auth.docker.io")];

/// The state of our introduction to one repository of a registry.
pub(super) struct Login {
    host: String,
    access: Access,
    /// User and password, or a bearer token, as a header; an identity's is had when it is asked for.
    own: Option<HeaderValue>,
    url: ArtifactUrl,
    refresh: Option<Secret>,
    token_hosts: Vec<String>,
    current: Mutex<Option<(HeaderValue, Option<Instant>)>>,
}

/// What a registry asks for (RFC 7235).
#[derive(Debug, Default, PartialEq, Eq)]
struct Challenge {
    realm: String,
    service: Option<String>,
    scope: Option<String>,
}

#[derive(Deserialize)]
struct Token {
    token: Option<String>,
    access_token: Option<String>,
    expires_in: Option<u64>,
}

impl Login {
    pub(super) fn new(
        url: &ArtifactUrl,
        access: &Access,
        options: &ArtifactOptions,
    ) -> Result<Self, SourceError> {
        let refresh = match &access.authentication {
            Authentication::IdentityToken(token) => Some(token.clone()),
            _ => None,
        };
        let is_identity = matches!(access.authentication, Authentication::Identity(_));
        let own =
            if refresh.is_some() || is_identity { None } else { shown_as(url, &access.authentication)? };
        // A token that was given is shown at once; a password only when it is asked for.
        let at_once = matches!(access.authentication, Authentication::Bearer(_));
        let current = Mutex::new(own.clone().filter(|_| at_once).map(|value| (value, None)));
        let token_hosts = options.token_hosts.clone();
        let (host, access, url) = (url.host().to_string(), access.clone(), url.clone());
        Ok(Self { host, access, own, url, refresh, token_hosts, current })
    }

    /// What to send with a request now.
    pub(super) fn current(&self) -> Option<HeaderValue> {
        let current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        let (value, ends) = current.as_ref()?;
        ends.is_none_or(|ends| Instant::now() < ends).then(|| value.clone())
    }

    /// Whether no credentials are configured.
    pub(super) fn is_anonymous(&self) -> bool {
        let is_identity = matches!(self.access.authentication, Authentication::Identity(_));
        self.own.is_none() && self.refresh.is_none() && !is_identity
    }

    /// What is shown to whom our credentials may go.
    fn own(&self, web: &Web) -> Result<Option<HeaderValue>, SourceError> {
        match self.access.authentication {
            Authentication::Identity(_) => authorization(web, &self.url, &self.access, Purpose::Registry),
            _ => Ok(self.own.clone()),
        }
    }

    /// Does what the registry asks for in a reply that lets nobody in; `None` when there is nothing we can do.
    pub(super) fn answer(
        &self,
        web: &Web,
        reply: &Reply<'_>,
        repository: &str,
        path: &str,
    ) -> Result<Option<HeaderValue>, SourceError> {
        let challenges: Vec<&str> = reply.headers(WWW_AUTHENTICATE).collect();
        let answer = match challenges.iter().find_map(|text| bearer_challenge(text)) {
            Some(challenge) => Some(self.fetch_token(web, &challenge, repository, path)?),
            None => {
                let wants_basic = challenges
                    .iter()
                    .any(|text| text.get(..5).is_some_and(|it| it.eq_ignore_ascii_case("basic")));
                match wants_basic {
                    true => self.own(web)?.map(|value| (value, None)),
                    false => None,
                }
            }
        };
        let was = self.current();
        let Some((value, ends)) = answer else { return Ok(None) };
        // The same again would be refused again.
        if was.as_ref() == Some(&value) {
            return Ok(None);
        }
        *self.current.lock().unwrap_or_else(PoisonError::into_inner) = Some((value.clone(), ends));
        Ok(Some(value))
    }

    fn fetch_token(
        &self,
        web: &Web,
        challenge: &Challenge,
        repository: &str,
        path: &str,
    ) -> Result<(HeaderValue, Option<Instant>), SourceError> {
        let mut realm = Url::parse(&challenge.realm)
            .map_err(|_| protocol(repository, "it names a token server whose address cannot be read"))?;
        let realm_host = realm.host_str().unwrap_or_default().to_string();
        check_place(web, repository, &realm)?;
        if !self.is_anonymous() && !self.trusts(&realm_host) {
            let error = ArtifactError::ForeignTokenServer { realm: realm_host };
            return Err(wrong(repository, "a token", error));
        }
        let own_scope = format!("repository:{path}:pull");
        let scope = match &challenge.scope {
            // Never more than reading.
            Some(scope)
                if scope.starts_with("repository:") && scope.ends_with(":pull") && !scope.contains(' ') =>
            {
                scope
            }
            _ => &own_scope,
        };
        let mut question = Question::get(repository, &self.access, realm.clone());
        match &self.refresh {
            Some(refresh) => {
                let mut form = Url::parse("https://form/").map_err(|_| protocol(repository, "no form"))?;
                form.query_pairs_mut()
                    .append_pair("grant_type", "refresh_token")
                    .append_pair("service", challenge.service.as_deref().unwrap_or_default())
                    .append_pair("client_id", "windlass")
                    .append_pair("scope", scope)
                    .append_pair("refresh_token", refresh.expose());
                if realm.scheme() == "http" && !self.access.credentials_over_http {
                    return Err(SourceError::ClearTextCredentials { repository: repository.to_string() });
                }
                question.method = reqwest::Method::POST;
                question.body =
                    form.query().map(|form| ("application/x-www-form-urlencoded", form.as_bytes().to_vec()));
            }
            None => {
                let mut pairs = realm.query_pairs_mut();
                if let Some(service) = &challenge.service {
                    pairs.append_pair("service", service);
                }
                pairs.append_pair("scope", scope);
                drop(pairs);
                question.url = realm;
                question.authorization = self.own(web)?;
            }
        }
        let reply = web.ask(question)?;
        if reply.status() != StatusCode::OK {
            return Err(reply.failure(self.is_anonymous(), None));
        }
        let bytes = reply.bytes("the token", "manifest_bytes", web.limits.manifest_bytes)?;
        // No part of the answer is repeated: it may hold a token.
        let unreadable = || protocol(repository, "its token server's answer cannot be read");
        let token: Token = serde_json::from_slice(&bytes).map_err(|_| unreadable())?;
        let lifetime = token.expires_in.map_or(DEFAULT_LIFETIME, Duration::from_secs);
        let text = token.token.or(token.access_token).filter(|it| !it.is_empty()).ok_or_else(unreadable)?;
        let value = header(repository, &format!("Bearer {text}"))?;
        Ok((value, Instant::now().checked_add(lifetime.saturating_sub(MARGIN))))
    }

    /// Whether our credentials may go to a token server: the registry's own host, one of its domain, or one that is
    /// allowed.
    fn trusts(&self, realm_host: &str) -> bool {
        let host = self.host.as_str();
        let registry =
            if matches!(host, "docker.io" | "index.docker.io") { "registry-1.docker.io" } else { host };
        registry.eq_ignore_ascii_case(realm_host)
            || KNOWN_TOKEN_HOSTS.contains(&(registry, realm_host))
            || self.token_hosts.iter().any(|allowed| allowed.eq_ignore_ascii_case(realm_host))
            || domain(registry).is_some_and(|own| domain(realm_host) == Some(own))
    }
}

/// The last two parts of a name; `None` for addresses and single words.
fn domain(host: &str) -> Option<&str> {
    if host.trim_matches(['[', ']']).parse::<std::net::IpAddr>().is_ok() {
        return None;
    }
    let mut dots = host.rmatch_indices('.');
    let _ = dots.next()?;
    Some(dots.next().map_or(host, |(at, _)| &host[at + 1..]))
}

/// Reads `Bearer realm="…",service="…",scope="…"`.
fn bearer_challenge(text: &str) -> Option<Challenge> {
    let (scheme, mut rest) = text.trim().split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("bearer") {
        return None;
    }
    let mut challenge = Challenge::default();
    while let Some((key, after)) = rest.trim_start_matches([' ', ',']).split_once('=') {
        let (value, tail) = match after.strip_prefix('"') {
            Some(quoted) => quoted.split_once('"')?,
            None => after.split_once(',').unwrap_or((after, "")),
        };
        match key.trim().to_ascii_lowercase().as_str() {
            "realm" => challenge.realm = value.to_string(),
            "service" => challenge.service = Some(value.to_string()),
            "scope" => challenge.scope = Some(value.to_string()),
            _ => {}
        }
        rest = tail;
    }
    (!challenge.realm.is_empty()).then_some(challenge)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn challenges_are_read() {
        let text = r#"Bearer realm="https://auth.h/token",service="reg",scope="repository:a/b:pull,push""#;
        let challenge = bearer_challenge(text).unwrap();
        assert_eq!(challenge.realm, "https://auth.h/token");
        assert_eq!(challenge.service.as_deref(), Some("reg"));
        assert_eq!(challenge.scope.as_deref(), Some("repository:a/b:pull,push"));
        assert_eq!(bearer_challenge("bearer realm=x, error=y").unwrap().realm, "x");
        for other in ["", "Basic realm=\"x\"", "Bearer", "Bearer realm=\"x", "Bearer service=\"x\""] {
            assert_eq!(bearer_challenge(other), None, "{other}");
        }
    }

    #[test]
    fn credentials_stay_in_the_registry_s_domain() {
        for (registry, realm, trusted) in [
            ("registry-1.docker.io", "auth.docker.io", true),
            ("docker.io", "auth.docker.io", true),
            ("ghcr.io", "ghcr.io", true),
            ("registry.gitlab.com", "gitlab.com", true),
            ("dhi.io", "auth.docker.io", true),
            ("ghcr.io", "evil.io", false),
            ("registry.example.org", "registry.example.org.evil.net", false),
            ("registry.example.org", "allowed.net", true),
            ("10.0.0.1", "10.1.0.1", false),
            ("localhost", "evil", false),
        ] {
            let options =
                ArtifactOptions { token_hosts: vec!["allowed.net".into()], ..ArtifactOptions::default() };
            let url = ArtifactUrl::parse(&format!("oci://{registry}/x")).unwrap();
            let login = Login::new(&url, &Access::default(), &options).unwrap();
            assert_eq!(login.trusts(realm), trusted, "{registry} {realm}");
        }
    }
}
