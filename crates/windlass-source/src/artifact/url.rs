//! Addresses of what is published over HTTP and in OCI registries.

use std::fmt;
use std::str::FromStr;

use reqwest::Url;

use crate::credentials::Secret;
use crate::policy::{Policy, Refused};
use crate::url::{MAX_URL_BYTES, ParseUrlError, Scheme};

/// Where charts, artifacts or archives are: `https://…`, `http://…` or `oci://…`.
///
/// Printing never shows the user, the password or the query: people put tokens in all three. Two addresses are equal
/// when they lead to the same place with the same user, password and query.
#[derive(Clone, PartialEq, Eq)]
pub struct ArtifactUrl {
    scheme: ArtifactScheme,
    /// With the scheme `https` for a registry, and without user and password.
    url: Url,
    user: Option<String>,
    password: Option<Secret>,
}

/// How an artifact is reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ArtifactScheme {
    /// HTTP over TLS.
    Https,
    /// HTTP in clear text.
    Http,
    /// The distribution protocol of container registries.
    Oci,
}

impl ArtifactUrl {
    /// Parses an address.
    ///
    /// # Errors
    ///
    /// [`ParseUrlError`] says what is wrong without repeating the address.
    pub fn parse(text: &str) -> Result<Self, ParseUrlError> {
        let url = Self::parse_place(text)?;
        if url.scheme == ArtifactScheme::Oci && url.path().is_empty() {
            Err(ParseUrlError::NoPath)
        } else {
            Ok(url)
        }
    }

    fn parse_place(text: &str) -> Result<Self, ParseUrlError> {
        let text = text.trim();
        if text.is_empty() {
            return Err(ParseUrlError::Empty);
        }
        if text.len() > MAX_URL_BYTES {
            return Err(ParseUrlError::TooLong);
        }
        if text.chars().any(char::is_control) {
            return Err(ParseUrlError::ControlCharacter);
        }
        let (scheme, rest) = text.split_once("://").ok_or(ParseUrlError::UnknownScheme)?;
        let scheme = match scheme.to_ascii_lowercase().as_str() {
            "https" => ArtifactScheme::Https,
            "http" => ArtifactScheme::Http,
            "oci" => ArtifactScheme::Oci,
            _ => return Err(ParseUrlError::UnknownScheme),
        };
        let as_web = if scheme == ArtifactScheme::Http { "http" } else { "https" };
        let mut url = Url::parse(&format!("{as_web}://{rest}")).map_err(|_| ParseUrlError::InvalidHost)?;
        if url.host_str().is_none_or(str::is_empty) {
            return Err(ParseUrlError::NoHost);
        }
        let decoded = |text: &str| crate::url::percent_decode(text);
        let user = Some(decoded(url.username())).filter(|user| !user.is_empty());
        let password = url.password().map(|password| Secret::new(decoded(password)));
        // An address with a host always takes these.
        let _ = url.set_username("");
        let _ = url.set_password(None);
        url.set_fragment(None);
        let trimmed = url.path().trim_end_matches('/').to_string();
        url.set_path(&trimmed);
        Ok(Self { scheme, url, user, password })
    }

    /// Parses the address of a registry as Argo CD writes it for `enableOCI` repositories: `oci://` may be missing, and
    /// so may the path, which the charts' names then begin with.
    ///
    /// # Errors
    ///
    /// As for [`parse`](Self::parse).
    pub fn parse_registry(text: &str) -> Result<Self, ParseUrlError> {
        let text = text.trim();
        let bare = text.strip_prefix("oci://").unwrap_or(text);
        Self::parse_place(&format!("oci://{bare}"))
    }

    /// How it is reached.
    #[must_use]
    pub fn scheme(&self) -> ArtifactScheme {
        self.scheme
    }

    /// The host, in lower case.
    #[must_use]
    pub fn host(&self) -> &str {
        self.url.host_str().unwrap_or_default().trim_matches(['[', ']'])
    }

    /// Host, and port where it is not the scheme's own.
    #[must_use]
    pub fn authority(&self) -> String {
        let host = self.url.host_str().unwrap_or_default();
        self.url.port().map_or_else(|| host.to_string(), |port| format!("{host}:{port}"))
    }

    /// The path without its first and last slash.
    #[must_use]
    pub fn path(&self) -> &str {
        self.url.path().trim_matches('/')
    }

    /// The user that the address names.
    #[must_use]
    pub fn user(&self) -> Option<&str> {
        self.user.as_deref()
    }

    /// The password that the address holds.
    #[must_use]
    pub fn password(&self) -> Option<&Secret> {
        self.password.as_ref()
    }

    /// What credential prefixes are compared with: without user and query, and without the scheme for registries.
    #[must_use]
    pub fn normalised(&self) -> String {
        let place = format!("{}{}", self.authority(), self.url.path().trim_end_matches('/'));
        match self.scheme {
            ArtifactScheme::Oci => place,
            ArtifactScheme::Https => format!("https://{place}"),
            ArtifactScheme::Http => format!("http://{place}"),
        }
    }

    /// What tells it from addresses that print alike: a digest of what stands behind the question mark, if anything does.
    #[must_use]
    pub fn query_digest(&self) -> Option<windlass_model::Digest> {
        self.url.query().map(|query| windlass_model::Digest::of_bytes(query.as_bytes()))
    }

    /// What requests are sent to.
    pub(crate) fn web(&self) -> &Url {
        &self.url
    }

    /// Everything that tells two addresses apart, to be hashed.
    pub(crate) fn identity(&self) -> String {
        format!("{self} {}", self.url.query().unwrap_or_default())
    }
}

/// Whether policy lets requests go to `url`, as far as its text tells.
pub(crate) fn check_web(policy: &Policy, url: &Url) -> Result<(), Refused> {
    let scheme = if url.scheme() == "http" { Scheme::Http } else { Scheme::Https };
    if !matches!(url.scheme(), "http" | "https") || !policy.schemes.contains(&scheme) {
        return Err(Refused::Scheme { scheme });
    }
    policy.check_host(url.host_str().unwrap_or_default().trim_matches(['[', ']']))
}

impl FromStr for ArtifactUrl {
    type Err = ParseUrlError;

    fn from_str(text: &str) -> Result<Self, ParseUrlError> {
        Self::parse(text)
    }
}

/// Prints the address without user, password and query.
impl fmt::Display for ArtifactUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.scheme == ArtifactScheme::Oci {
            f.write_str("oci://")?;
        }
        f.write_str(&self.normalised())
    }
}

impl fmt::Debug for ArtifactUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ArtifactUrl({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_normalised_and_keep_their_secrets() {
        for (text, shown, normalised) in [
            ("https://Charts.example.org/", "https://charts.example.org", "https://charts.example.org"),
            ("https://u:p@h:8443/a/?token=t", "https://h:8443/a", "https://h:8443/a"),
            ("HTTP://h:80/a", "http://h/a", "http://h/a"),
            ("oci://ghcr.io/org/charts/", "oci://ghcr.io/org/charts", "ghcr.io/org/charts"),
            ("oci://h:5000/x", "oci://h:5000/x", "h:5000/x"),
        ] {
            let url = ArtifactUrl::parse(text).unwrap();
            assert_eq!((url.to_string().as_str(), url.normalised().as_str()), (shown, normalised));
        }
        let url = ArtifactUrl::parse("https://u%40x:p%3A@h/a").unwrap();
        assert_eq!((url.user(), url.password().map(Secret::expose)), (Some("u@x"), Some("p:")));
        assert_eq!(ArtifactUrl::parse_registry("h/x").unwrap(), ArtifactUrl::parse("oci://h/x").unwrap());
        assert_eq!(ArtifactUrl::parse_registry("h:5000").unwrap().to_string(), "oci://h:5000");
    }

    #[test]
    fn what_is_no_address_is_refused() {
        for (text, error) in [
            ("", ParseUrlError::Empty),
            ("charts", ParseUrlError::UnknownScheme),
            ("file:///x", ParseUrlError::UnknownScheme),
            ("https://", ParseUrlError::InvalidHost),
            ("oci://h", ParseUrlError::NoPath),
            ("https://h/\n", ParseUrlError::InvalidHost),
        ] {
            // A line break at the end is trimmed like other white space.
            match ArtifactUrl::parse(text) {
                Err(found) => assert_eq!(found, error, "{text}"),
                Ok(_) => assert_eq!(text, "https://h/\n"),
            }
        }
    }
}
