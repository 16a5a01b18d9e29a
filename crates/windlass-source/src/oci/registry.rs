//! One repository of a registry: its tags, manifests and blobs (distribution specification 1.1).

use std::collections::HashSet;
use std::sync::Arc;

use http::header::{ACCEPT, LINK};
use reqwest::{Method, StatusCode, Url};
use serde::Deserialize;

use super::login::Login;
use super::manifest::{ACCEPTED, Descriptor, Document, Manifest, choose_variant};
use crate::artifact::hub::Shared;
use crate::artifact::web::{Question, Reply, protocol, wrong};
use crate::artifact::{ArtifactError, ArtifactOptions, ArtifactUrl, ContentDigest};
use crate::credentials::Access;
use crate::error::SourceError;

/// Tags asked for at once; registries may send fewer.
const TAGS_PER_PAGE: usize = 1_000;

/// The media type of a list of manifests.
const INDEX: &str = "application/vnd.oci.image.index.v1+json";

/// A repository of a registry.
pub(super) struct Registry {
    /// As errors name it: `oci://host/path`.
    pub(super) shown: String,
    /// Its path below the address.
    pub(super) below: String,
    endpoint: Url,
    path: String,
    access: Access,
    shared: Arc<Shared>,
    login: Login,
}

#[derive(Deserialize)]
struct TagPage {
    /// Null for a repository without tags.
    tags: Option<Vec<String>>,
}

impl Registry {
    pub(super) fn new(
        url: &ArtifactUrl,
        below: &str,
        access: &Access,
        options: &ArtifactOptions,
        shared: Arc<Shared>,
    ) -> Result<Self, SourceError> {
        let path =
            [url.path(), below].into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join("/");
        let shown = if below.is_empty() { url.to_string() } else { format!("{url}/{below}") };
        if !is_repository(&path) {
            return Err(protocol(&shown, "its path cannot be the name of a repository in a registry"));
        }
        let scheme = if access.plain_http { "http" } else { "https" };
        // The registry of Docker Hub has a host of its own.
        let host = match url.authority().as_str() {
            "docker.io" | "index.docker.io" => "registry-1.docker.io".to_string(),
            other => other.to_string(),
        };
        let endpoint = Url::parse(&format!("{scheme}://{host}/v2/{path}/"))
            .map_err(|_| protocol(&shown, "it has no usable address"))?;
        let login = Login::new(url, access, options)?;
        Ok(Self { shown, below: below.to_string(), endpoint, path, access: access.clone(), shared, login })
    }

    /// Host and path, as trust policies name a repository.
    pub(super) fn scope(&self) -> String {
        self.shown.trim_start_matches("oci://").to_string()
    }

    /// All tags, in the registry's order.
    pub(super) fn tags(&self) -> Result<Vec<String>, SourceError> {
        let mut tags = Vec::new();
        let mut seen_pages = HashSet::new();
        let mut next = Some(self.address(&format!("tags/list?n={TAGS_PER_PAGE}"))?);
        while let Some(address) = next.take() {
            if !seen_pages.insert(address.to_string()) {
                return Err(protocol(&self.shown, "its list of tags goes in a circle"));
            }
            let reply = self.ask(&Method::GET, &address, None)?;
            if reply.status() != StatusCode::OK {
                return Err(reply.failure(self.login.is_anonymous(), None));
            }
            // A link that leads to another host would take our token there.
            next = next_page(reply.header(LINK), &address).filter(|next| next.origin() == address.origin());
            let limits = &self.shared.web.limits;
            let bytes = reply.bytes("the list of tags", "manifest_bytes", limits.manifest_bytes)?;
            let page: TagPage = serde_json::from_slice(&bytes).map_err(|error| {
                protocol(&self.shown, &format!("its list of tags is not readable: {error}"))
            })?;
            tags.extend(page.tags.unwrap_or_default());
            if tags.len() > limits.tags {
                let (what, limit) = ("the list of tags".to_string(), limits.tags as u64);
                let error = ArtifactError::TooMany { what, limit_name: "tags", limit };
                return Err(wrong(&self.shown, "the list of tags", error));
            }
        }
        Ok(tags)
    }

    /// The digest that a tag points to; `None` when there is no such tag.
    ///
    /// Asked for with HEAD, which registries do not count as a pull; with GET where that gives no digest.
    pub(super) fn digest_of(&self, tag: &str) -> Result<Option<ContentDigest>, SourceError> {
        let address = self.address(&format!("manifests/{tag}"))?;
        let head = self.ask(&Method::HEAD, &address, Some(ACCEPTED))?;
        if head.status() == StatusCode::NOT_FOUND {
            return Ok(None);
        }
        if head.status() == StatusCode::OK
            && let Some(digest) = head.header("docker-content-digest").and_then(|text| text.parse().ok())
        {
            return Ok(Some(digest));
        }
        let reply = self.ask(&Method::GET, &address, Some(ACCEPTED))?;
        match reply.status() {
            StatusCode::NOT_FOUND => return Ok(None),
            StatusCode::OK => {}
            _ => return Err(reply.failure(self.login.is_anonymous(), Some(&format!("tag {tag}")))),
        }
        let limit = self.shared.web.limits.manifest_bytes;
        Ok(Some(ContentDigest::of(&reply.bytes("the manifest", "manifest_bytes", limit)?)))
    }

    /// The manifest of this digest, or of the variant that an index of this digest has for us.
    pub(super) fn manifest(&self, digest: ContentDigest) -> Result<Manifest, SourceError> {
        let variants = match self.document(digest)? {
            Document::Manifest(manifest) => return Ok(manifest),
            Document::Index(variants) => variants,
        };
        let chosen = choose_variant(&variants)
            .ok_or_else(|| protocol(&self.shown, "it has several variants and none for linux/amd64"))?;
        let chosen = chosen.digest().map_err(|error| wrong(&self.shown, &digest.to_string(), error))?;
        match self.document(chosen)? {
            Document::Manifest(manifest) => Ok(manifest),
            Document::Index(_) => Err(protocol(&self.shown, "its index leads to another index")),
        }
    }

    /// What the registry says refers to a digest; `None` where it has no such list (distribution specification 1.1,
    /// "Listing Referrers"). Only the first page is read: there are more than anybody looks at.
    pub(super) fn referrers(&self, digest: ContentDigest) -> Result<Option<Vec<Descriptor>>, SourceError> {
        let reply = self.ask(&Method::GET, &self.address(&format!("referrers/{digest}"))?, Some(INDEX))?;
        let what = "the list of what refers to it";
        match reply.status() {
            StatusCode::OK => {}
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN | StatusCode::TOO_MANY_REQUESTS => {
                return Err(reply.failure(self.login.is_anonymous(), Some(what)));
            }
            status if status.is_client_error() => return Ok(None),
            _ => return Err(reply.failure(self.login.is_anonymous(), Some(what))),
        }
        let bytes = reply.bytes(what, "manifest_bytes", self.shared.web.limits.manifest_bytes)?;
        match Document::read(&bytes) {
            Ok(Document::Index(referrers)) => Ok(Some(referrers)),
            // Some older registries answer anything they do not know with a page of theirs.
            _ => Ok(None),
        }
    }

    pub(super) fn document(&self, digest: ContentDigest) -> Result<Document, SourceError> {
        let reply = self.ask(&Method::GET, &self.address(&format!("manifests/{digest}"))?, Some(ACCEPTED))?;
        let what = format!("manifest {digest}");
        if reply.status() != StatusCode::OK {
            return Err(reply.failure(self.login.is_anonymous(), Some(&what)));
        }
        let bytes = reply.bytes(&what, "manifest_bytes", self.shared.web.limits.manifest_bytes)?;
        let actual = ContentDigest::of(&bytes);
        if actual != digest {
            let error = ArtifactError::DigestMismatch { what: what.clone(), expected: digest, actual };
            return Err(wrong(&self.shown, &what, error));
        }
        Document::read(&bytes).map_err(|problem| protocol(&self.shown, &problem))
    }

    /// The blob of this digest, which the reader has to check.
    pub(super) fn blob(&self, digest: ContentDigest) -> Result<Reply<'_>, SourceError> {
        let reply = self.ask(&Method::GET, &self.address(&format!("blobs/{digest}"))?, None)?;
        if reply.status() != StatusCode::OK {
            return Err(reply.failure(self.login.is_anonymous(), Some(&format!("blob {digest}"))));
        }
        Ok(reply)
    }

    fn address(&self, below: &str) -> Result<Url, SourceError> {
        let joined = Url::parse(&format!("{}{below}", self.endpoint));
        joined.map_err(|_| protocol(&self.shown, "it has no usable address"))
    }

    /// Sends a request; logs in and sends it again when the registry asks who we are.
    fn ask(&self, method: &Method, address: &Url, accept: Option<&str>) -> Result<Reply<'_>, SourceError> {
        let web = &self.shared.web;
        let question = |authorization| {
            let mut question = Question::get(&self.shown, &self.access, address.clone());
            question.method = method.clone();
            question.authorization = authorization;
            question.is_public = self.login.is_anonymous();
            match accept {
                Some(types) => question.with_header(ACCEPT, types),
                None => question,
            }
        };
        let reply = web.ask(question(self.login.current()))?;
        // Only the registry itself may ask for credentials, not a host that it redirected to (CVE-2020-15157).
        if reply.status() != StatusCode::UNAUTHORIZED || reply.redirected_away {
            return Ok(reply);
        }
        let Some(authorization) = self.login.answer(web, &reply, &self.shown, &self.path)? else {
            return Ok(reply);
        };
        web.ask(question(Some(authorization)))
    }
}

/// The address in a `Link` header with `rel="next"` (RFC 8288).
fn next_page(link: Option<&str>, base: &Url) -> Option<Url> {
    let (target, attributes) = link?.trim().strip_prefix('<')?.split_once('>')?;
    let is_next = attributes.replace([' ', '"'], "").split(';').any(|attribute| attribute == "rel=next");
    is_next.then(|| base.join(target).ok()).flatten()
}

/// Whether a path can name a repository (distribution specification 1.1, "Pulling manifests").
fn is_repository(path: &str) -> bool {
    let part_fits = |part: &str| {
        let fits = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '.' | '_' | '-');
        part.chars().all(fits)
            && part.starts_with(|c: char| c.is_ascii_alphanumeric())
            && part.ends_with(|c: char| c.is_ascii_alphanumeric())
    };
    path.len() <= 255 && path.split('/').all(part_fits)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_to_the_next_page_are_read() {
        let base = Url::parse("https://h/v2/x/tags/list?n=2").unwrap();
        let next = |link| next_page(Some(link), &base).map(|url| url.to_string());
        let expected = Some("https://h/v2/x/tags/list?n=2&last=b".to_string());
        assert_eq!(next("</v2/x/tags/list?n=2&last=b>; rel=\"next\""), expected);
        assert_eq!(next("<https://h/v2/x/tags/list?n=2&last=b>;rel=next"), expected);
        assert_eq!(next("</x>; rel=\"prev\""), None);
        assert_eq!(next("nonsense"), None);
    }

    #[test]
    fn names_of_repositories_are_checked() {
        for (path, fits) in [
            ("a", true),
            ("org/charts/web-app", true),
            ("a..b", true),
            ("A", false),
            ("a//b", false),
            ("../a", false),
            ("a/", false),
            ("a?b", false),
        ] {
            assert_eq!(is_repository(path), fits, "{path}");
        }
    }
}
