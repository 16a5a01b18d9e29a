//! Credentials for registries as Docker and Kubernetes write them: `config.json`, `kubernetes.io/dockerconfigjson`.

use std::collections::BTreeMap;

use base64::Engine;
use serde::Deserialize;

use super::url::ArtifactUrl;
use crate::credentials::{Authentication, Secret};

/// The credentials in a docker `config.json`, by registry.
///
/// Helpers and stores are programs and are not run. Printing shows no secret.
#[derive(Clone, Debug, Default)]
pub struct DockerConfig {
    entries: Vec<(String, Authentication)>,
}

/// Why a text is no docker configuration. Nothing of the text is repeated.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DockerConfigError {
    /// It is not JSON, or its `auths` is no map of objects.
    #[error("it is no docker configuration")]
    NotJson,
    /// An `auth` is not base64 of `user:password`.
    #[error("an auth in it is not the base64 form of user:password")]
    BadAuth,
}

#[derive(Deserialize)]
struct File {
    #[serde(default)]
    auths: BTreeMap<String, Entry>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Entry {
    auth: Option<String>,
    username: Option<String>,
    password: Option<String>,
    identitytoken: Option<String>,
    registrytoken: Option<String>,
}

impl DockerConfig {
    /// Reads a `config.json`.
    ///
    /// # Errors
    ///
    /// [`DockerConfigError`].
    pub fn parse(text: &str) -> Result<Self, DockerConfigError> {
        let file: File = serde_json::from_str(text).map_err(|_| DockerConfigError::NotJson)?;
        let mut entries = Vec::new();
        for (registry, entry) in file.auths {
            if let Some(authentication) = entry.authentication()? {
                entries.push((place(&registry), authentication));
            }
        }
        Ok(Self { entries })
    }

    /// What to use for `url`: the entry with the longest path that fits, hosts with a `*` in a part of their name
    /// included, as Kubernetes' kubelet has it.
    #[must_use]
    pub fn for_url(&self, url: &ArtifactUrl) -> Option<&Authentication> {
        let wanted = place(&format!("{}/{}", url.authority(), url.path()));
        self.entries
            .iter()
            .filter(|(registry, _)| {
                let (host, path) = registry.split_once('/').unwrap_or((registry, ""));
                let (wanted_host, wanted_path) = wanted.split_once('/').unwrap_or((&wanted, ""));
                let below = wanted_path.strip_prefix(path);
                host_fits(host, wanted_host)
                    && below.is_some_and(|rest| path.is_empty() || rest.is_empty() || rest.starts_with('/'))
            })
            .max_by_key(|(registry, _)| (registry.matches('/').count(), registry.len()))
            .map(|(_, authentication)| authentication)
    }
}

impl Entry {
    fn authentication(self) -> Result<Option<Authentication>, DockerConfigError> {
        let filled = |text: Option<String>| text.filter(|text| !text.is_empty());
        if let Some(token) = filled(self.identitytoken) {
            return Ok(Some(Authentication::IdentityToken(Secret::new(token))));
        }
        if let Some(token) = filled(self.registrytoken) {
            return Ok(Some(Authentication::Bearer(Secret::new(token))));
        }
        if let Some(auth) = filled(self.auth) {
            let decoded = base64::engine::general_purpose::STANDARD
                .decode(auth.trim())
                .ok()
                .and_then(|bytes| String::from_utf8(bytes).ok())
                .ok_or(DockerConfigError::BadAuth)?;
            let (username, password) = decoded.split_once(':').ok_or(DockerConfigError::BadAuth)?;
            // Docker pads what it encodes with zero bytes.
            let password = Secret::new(password.trim_end_matches('\0'));
            return Ok(Some(Authentication::Basic { username: username.to_string(), password }));
        }
        Ok(match (filled(self.username), filled(self.password)) {
            (Some(username), password) => {
                Some(Authentication::Basic { username, password: Secret::new(password.unwrap_or_default()) })
            }
            _ => None,
        })
    }
}

/// Host and path without scheme, version and the many names of Docker Hub.
fn place(registry: &str) -> String {
    let bare = registry.split_once("://").map_or(registry, |(_, rest)| rest).trim_end_matches('/');
    let bare = bare.strip_suffix("/v1").or_else(|| bare.strip_suffix("/v2")).unwrap_or(bare);
    let (host, path) = bare.split_once('/').unwrap_or((bare, ""));
    let host = match host.to_ascii_lowercase().as_str() {
        "docker.io" | "registry-1.docker.io" | "index.docker.io" => "index.docker.io".to_string(),
        other => other.to_string(),
    };
    if path.is_empty() { host } else { format!("{host}/{path}") }
}

fn host_fits(pattern: &str, host: &str) -> bool {
    if !pattern.contains('*') {
        return pattern == host;
    }
    let (pattern, host): (Vec<_>, Vec<_>) = (pattern.split('.').collect(), host.split('.').collect());
    pattern.len() == host.len()
        && pattern.iter().zip(&host).all(|(pattern, part)| match pattern.split_once('*') {
            Some((before, after)) => {
                part.len() >= before.len() + after.len() && part.starts_with(before) && part.ends_with(after)
            }
            None => pattern == part,
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_most_specific_entry_is_used() {
        let auth = |user: &str| base64::engine::general_purpose::STANDARD.encode(format!("{user}:p:w"));
        let text = format!(
            r#"{{"auths": {{
                "https://index.docker.io/v1/": {{"auth": "{}"}},
                "ghcr.io": {{"username": "host", "password": "p:w"}},
                "ghcr.io/org": {{"auth": "{}"}},
                "*.pkg.dev": {{"auth": "{}"}},
                "acr.example.org": {{"identitytoken": "t", "auth": "AAAA"}},
                "none.example.org": {{}}
            }}, "credHelpers": {{"x": "y"}}}}"#,
            auth("hub"),
            auth("org"),
            auth("glob")
        );
        let config = DockerConfig::parse(&text).unwrap();
        for (url, expected) in [
            ("oci://docker.io/library/x", "hub"),
            ("oci://registry-1.docker.io/bitnamicharts/nginx", "hub"),
            ("oci://ghcr.io/other/x", "host"),
            ("oci://ghcr.io/org/x", "org"),
            ("oci://ghcr.io/organisation/x", "host"),
            ("oci://eu.pkg.dev/x", "glob"),
            ("oci://a.eu.pkg.dev/x", "none"),
            ("oci://ghcr.io:8443/org/x", "none"),
            ("oci://acr.example.org/x", "identity token"),
            ("oci://none.example.org/x", "none"),
        ] {
            let found = match config.for_url(&url.parse().unwrap()) {
                Some(Authentication::Basic { username, password }) => {
                    assert_eq!(password.expose(), "p:w");
                    username.as_str()
                }
                Some(Authentication::IdentityToken(_)) => "identity token",
                Some(_) => "other",
                None => "none",
            };
            assert_eq!(found, expected, "{url}");
        }
        assert!(!format!("{config:?}").contains("p:w"));
    }

    #[test]
    fn what_is_no_configuration_is_refused_without_repeating_it() {
        assert_eq!(DockerConfig::parse("secret").unwrap_err(), DockerConfigError::NotJson);
        let bad = r#"{"auths": {"h": {"auth": "c2VjcmV0"}}}"#;
        assert_eq!(DockerConfig::parse(bad).unwrap_err(), DockerConfigError::BadAuth);
        assert!(DockerConfig::parse("{}").is_ok());
    }
}
