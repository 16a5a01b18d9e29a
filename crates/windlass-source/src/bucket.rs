//! Buckets of servers that speak S3 and of Google Cloud Storage, and containers of Azure's Blob service: listed, and fetched
//! when a name or an ETag has changed.
//!
//! AWS, MinIO, Ceph and others by access key (signature version 4), as well as Google's interoperable keys; Google's own
//! JSON API by bearer token.

mod azure;
mod ignore;
mod listing;
mod objects;
mod sign;

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufWriter, Seek as _, Write};
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use http::header::HeaderName;
use reqwest::{Method, StatusCode, Url};
use sha2::{Digest as _, Sha256};

use crate::archive::ArchiveRoot;
use crate::artifact::hub::{Origin, Shared};
use crate::artifact::web::{Question, Reply, authorization, header, protocol, wrong};
use crate::artifact::{
    ArtifactError, ArtifactRevision, ArtifactSnapshot, ArtifactTarget, ArtifactUrl, ContentDigest,
};
use crate::credentials::{Access, AmazonSession, Authentication, Secret};
use crate::error::{Message, SourceError};
use crate::identity::Purpose;

use ignore::Ignore;
pub(crate) use listing::inside;
use listing::{Listing, Object};
pub use objects::BucketObjects;
pub(crate) use sign::{Key, Signable};
use sign::{canonical_path, canonical_query, escaped};

/// Patterns in the bucket of what is none of its files, as Flux has it.
const IGNORE_FILE: &str = ".sourceignore";

/// A file of patterns is no larger.
const IGNORE_BYTES: u64 = 1 << 20;

/// Before the name of a bucket in paths of Google's API: `storage/v1/b/NAME`.
const GOOGLE_FOLDERS: usize = 3;

/// The region that servers without regions go by.
const NO_REGION: &str = "us-east-1";

/// Which objects of a bucket are wanted.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BucketPart {
    /// The name of the bucket.
    pub name: String,
    /// The region that requests are signed for; `us-east-1` when empty.
    pub region: String,
    /// Only objects whose keys begin like this. It stays part of the paths.
    pub prefix: String,
    /// Whether paths begin behind the prefix, which is a folder then.
    pub is_rooted: bool,
    /// Patterns of what is left out, as `.gitignore` has them; those of a `.sourceignore` in the bucket count before.
    pub ignore: String,
}

impl BucketPart {
    /// What all keys begin with and no path does.
    fn root(&self) -> &str {
        if self.is_rooted { &self.prefix } else { "" }
    }

    fn path_of<'a>(&self, key: &'a str) -> &'a str {
        key.strip_prefix(self.root()).unwrap_or(key)
    }
}

/// Which protocol a server of objects speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Service {
    S3,
    Google,
    Azure,
}

/// Who signs a request to S3; the token of a session may be empty.
struct Signer<'a> {
    id: &'a str,
    secret: &'a Secret,
    token: &'a str,
    region: &'a str,
}

/// The buckets behind an address.
pub(crate) struct Buckets {
    service: Service,
    url: ArtifactUrl,
    access: Access,
    shared: Arc<Shared>,
}

impl Buckets {
    pub(crate) fn new(service: Service, url: ArtifactUrl, mut access: Access, shared: Arc<Shared>) -> Self {
        // A signature gives nothing of the key away.
        let is_signed =
            matches!(access.authentication, Authentication::Basic { .. } | Authentication::Session(_));
        access.credentials_over_http |= is_signed;
        Self { service, url, access, shared }
    }

    /// Asks for something below the address that is there. The path is escaped already.
    fn ask(&self, path: &str, query: &[(&str, &str)], region: &str) -> Result<Reply<'_>, SourceError> {
        let (reply, anonymous) = self.send(Method::GET, path, query, region, None)?;
        match reply.status() {
            StatusCode::OK => Ok(reply),
            // S3 says so also of a key that it does not know.
            _ => Err(reply.failure(anonymous, None)),
        }
    }

    /// Sends a signed request about something below the address, whose path is escaped already. Also says whether it went without a name.
    fn send(
        &self,
        method: Method,
        path: &str,
        query: &[(&str, &str)],
        region: &str,
        body: Option<(&'static str, Vec<u8>)>,
    ) -> Result<(Reply<'_>, bool), SourceError> {
        let name = match self.service {
            Service::S3 | Service::Azure => path.split('/').next(),
            Service::Google => path.split('/').nth(GOOGLE_FOLDERS),
        };
        let shown = format!("{}/{}", self.url, name.unwrap_or_default());
        let mut url = self.url.web().clone();
        // The address' own path is escaped as addresses are.
        let before = crate::url::percent_decode(url.path().trim_end_matches('/'));
        let path = format!("{}/{path}", canonical_path(&before));
        let parameters = query;
        let mut query = canonical_query(query);
        let authentication = match &self.access.authentication {
            Authentication::Identity(_) if self.service == Service::S3 => {
                self.shared.web.shown_for(&shown, &self.access, Purpose::Bucket)?
            }
            authentication => authentication.clone(),
        };
        // A shared access signature stands in the address.
        let signature = match &authentication {
            Authentication::SharedAccess(signature) => {
                if url.scheme() == "http" && !self.access.credentials_over_http {
                    return Err(SourceError::ClearTextCredentials { repository: shown });
                }
                Some(signature.expose().trim().trim_start_matches('?'))
            }
            _ => url.query(),
        };
        if let Some(signature) = signature.filter(|_| self.service == Service::Azure) {
            let separator = if query.is_empty() { "" } else { "&" };
            query = format!("{query}{separator}{signature}");
        }
        let text = format!("{}{path}?{query}", url.origin().ascii_serialization());
        url = Url::parse(text.trim_end_matches('?'))
            .map_err(|_| protocol(&shown, "its address takes no path"))?;
        let mut question = Question::get(&shown, &self.access, url);
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let date = azure::date(since.as_secs());
        if self.service == Service::Azure {
            question = question
                .with_header(HeaderName::from_static("x-ms-date"), &date)
                .with_header(HeaderName::from_static("x-ms-version"), azure::VERSION);
        }
        question.method = method;
        match &authentication {
            Authentication::Basic { username, password } if self.service == Service::Azure => {
                let signed = azure::authorization(username, password.expose(), &path, parameters, &date);
                let signed = signed.ok_or_else(|| SourceError::InvalidAccess {
                    repository: shown.clone(),
                    what: "account key",
                    source: Message::cause("it is not base64"),
                })?;
                question.authorization = Some(header(&shown, &signed)?);
            }
            Authentication::Basic { .. } if self.service == Service::Google => {
                return Err(SourceError::InvalidAccess {
                    repository: shown.clone(),
                    what: "access key",
                    source: Message::cause(
                        "Google's interoperable keys are for s3://BUCKET?endpoint=https://storage.googleapis.com",
                    ),
                });
            }
            Authentication::Basic { username: id, password: secret } => {
                self.sign(&mut question, &Signer { id, secret, token: "", region }, &path, &query, &body)?;
            }
            Authentication::Session(session) if self.service == Service::S3 => {
                let AmazonSession { id, secret, token } = &**session;
                let signer = Signer { id, secret, token: token.expose(), region };
                self.sign(&mut question, &signer, &path, &query, &body)?;
            }
            _ => {
                question.authorization =
                    authorization(&self.shared.web, &self.url, &self.access, Purpose::Bucket)?;
            }
        }
        let anonymous = question.authorization.is_none();
        question.body = body;
        Ok((self.shared.web.ask(question)?, anonymous))
    }

    /// Signs a request as Amazon has it.
    fn sign(
        &self,
        question: &mut Question<'_>,
        signer: &Signer<'_>,
        path: &str,
        query: &str,
        body: &Option<(&'static str, Vec<u8>)>,
    ) -> Result<(), SourceError> {
        let Signer { id, secret, token, region } = *signer;
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let key = Key { id, secret: secret.expose(), region, service: "s3" };
        let content = body.as_ref().map_or(&[][..], |(_, content)| content);
        let session = [("x-amz-security-token", token)];
        let headers = if token.is_empty() { &[][..] } else { &session[..] };
        let (method, url) = (question.method.as_str(), &question.url);
        let signed = key.sign(&Signable { method, url, path, query, headers, content }, since.as_secs());
        let signed_headers = signed.headers.iter().map(|(name, value)| (*name, value.as_str()));
        for (name, value) in signed_headers.chain(headers.iter().copied()) {
            let value = header(question.repository, value)?;
            question.headers.insert(HeaderName::from_static(name), value);
        }
        question.authorization = Some(header(question.repository, &signed.authorization)?);
        Ok(())
    }

    /// Every object with the prefix, page after page.
    fn list(&self, part: &BucketPart, region: &str) -> Result<BTreeMap<String, Object>, SourceError> {
        let (shown, limits) = (self.url.to_string(), &self.shared.web.limits);
        let mut objects = BTreeMap::new();
        let mut token = String::new();
        loop {
            let (mut query, next) = match self.service {
                Service::S3 => (vec![("encoding-type", "url"), ("list-type", "2")], "continuation-token"),
                Service::Azure => (vec![("comp", "list"), ("restype", "container")], "marker"),
                Service::Google => {
                    (vec![("fields", "items(name,etag,generation),nextPageToken")], "pageToken")
                }
            };
            query.push(("prefix", &part.prefix));
            if !token.is_empty() {
                query.push((next, &token));
            }
            let path = match self.service {
                Service::S3 | Service::Azure => canonical_path(&part.name),
                Service::Google => format!("storage/v1/b/{}/o", escaped(&part.name)),
            };
            let reply = self.ask(&path, &query, region)?;
            let bytes = reply.bytes("the list of objects", "manifest_bytes", limits.manifest_bytes)?;
            let page = match self.service {
                Service::S3 => Listing::parse(&bytes),
                Service::Azure => Listing::parse_azure(&bytes),
                Service::Google => Listing::parse_google(&bytes),
            };
            let page = page.ok_or_else(|| protocol(&shown, "its list of objects cannot be read"))?;
            // Keys that end with a slash stand for folders in tools that know only files.
            let files = page.objects.into_iter().filter(|(key, _)| !key.ends_with('/'));
            objects.extend(files);
            if objects.len() > limits.archive.entries {
                let limit = limits.archive.entries as u64;
                let what = format!("the bucket {}", part.name);
                return Err(wrong(
                    &shown,
                    &part.name,
                    ArtifactError::TooMany { what, limit_name: "entries", limit },
                ));
            }
            match page.next {
                Some(next) if next != token => token = next,
                _ => return Ok(objects),
            }
        }
    }

    fn object(&self, part: &BucketPart, key: &str, region: &str) -> Result<Reply<'_>, SourceError> {
        match self.service {
            Service::S3 | Service::Azure => {
                self.ask(&canonical_path(&format!("{}/{key}", part.name)), &[], region)
            }
            Service::Google => {
                let path = format!("storage/v1/b/{}/o/{}", escaped(&part.name), escaped(key));
                self.ask(&path, &[("alt", "media")], region)
            }
        }
    }

    /// What is wanted of the bucket now.
    fn wanted(&self, part: &BucketPart, region: &str) -> Result<BTreeMap<String, Object>, SourceError> {
        let mut objects = self.list(part, region)?;
        let mut patterns = String::new();
        let ignore_file = format!("{}{IGNORE_FILE}", part.root());
        let ignore_key = objects.keys().find(|key| **key == ignore_file).cloned();
        if let Some(key) = ignore_key {
            let bytes = self.object(part, &key, region)?.bytes(IGNORE_FILE, "IGNORE_BYTES", IGNORE_BYTES)?;
            patterns = format!("{}\n", String::from_utf8_lossy(&bytes));
            objects.remove(&key);
        }
        let ignore = Ignore::parse(&format!("{patterns}{}", part.ignore));
        objects.retain(|key, _| !ignore.matches(part.path_of(key)));
        Ok(objects)
    }

    /// Fetches the objects into an archive, and that into the store.
    fn fetch(
        &self,
        part: &BucketPart,
        region: &str,
        objects: &BTreeMap<String, Object>,
        digest: ContentDigest,
    ) -> Result<crate::artifact::ArtifactTree, SourceError> {
        let (shown, limits) = (self.url.to_string(), &self.shared.web.limits);
        let (file, path) = self
            .shared
            .trees
            .incoming()
            .map_err(|error| SourceError::store("create a file in", "packs", error))?;
        let _litter = crate::artifact::Litter(&path);
        let failed = |error| SourceError::store("write", &path, error);
        let mut archive = tar::Builder::new(BufWriter::new(file));
        let mut left = limits.archive_bytes;
        for key in objects.keys() {
            let bytes = self.object(part, key, region)?.bytes(key, "archive_bytes", left)?;
            left -= bytes.len() as u64;
            let mut header = tar::Header::new_gnu();
            header.set_size(bytes.len() as u64);
            header.set_mode(0o644);
            archive.append_data(&mut header, part.path_of(key), bytes.as_slice()).map_err(|error| {
                tracing::debug!(%error, key, "an object has a key that is no path");
                protocol(&shown, &format!("the key {key:?} is no path of a file"))
            })?;
        }
        let mut writer = archive.into_inner().map_err(failed)?;
        writer.flush().map_err(failed)?;
        let mut file = writer.into_inner().map_err(|error| failed(error.into_error()))?;
        file.rewind().map_err(failed)?;
        self.shared
            .trees
            .put(&self.identity(part, digest), file, digest, ArchiveRoot::Top, &limits.archive)
            .map_err(|error| wrong(&shown, &part.name, error))
    }
}

/// The revision of a bucket, as Flux has it: over its keys and ETags, sorted.
fn revision(objects: &BTreeMap<String, Object>) -> ContentDigest {
    let mut hasher = Sha256::new();
    for (key, object) in objects {
        hasher.update(format!("{key} {}\n", object.etag));
    }
    ContentDigest::finish(hasher)
}

impl Origin for Buckets {
    fn refresh(&self) -> Result<(), SourceError> {
        Ok(())
    }

    fn resolve(&self, target: &ArtifactTarget) -> Result<ArtifactRevision, SourceError> {
        let (part, region) = self.part(target)?;
        Ok(ArtifactRevision { version: None, digest: revision(&self.wanted(part, region)?) })
    }

    fn update(&self, target: &ArtifactTarget) -> Result<ArtifactSnapshot, SourceError> {
        let (part, region) = self.part(target)?;
        let objects = self.wanted(part, region)?;
        let digest = revision(&objects);
        let tree = match self.shared.trees.get(&self.identity(part, digest)) {
            Some(tree) => tree,
            None => self.fetch(part, region, &objects, digest)?,
        };
        Ok(ArtifactSnapshot {
            revision: ArtifactRevision { version: None, digest },
            tree,
            annotations: BTreeMap::new(),
            signers: Vec::new(),
        })
    }
}

impl Buckets {
    fn identity(&self, part: &BucketPart, digest: ContentDigest) -> String {
        let root = part.root();
        format!("bucket {} {} {digest} {root}", self.url, part.name)
    }

    fn part<'a>(&self, target: &'a ArtifactTarget) -> Result<(&'a BucketPart, &'a str), SourceError> {
        let ArtifactTarget::Bucket(part) = target else {
            return Err(protocol(&self.url.to_string(), "it has buckets and no charts or layers"));
        };
        let known: BTreeSet<char> =
            ('a'..='z').chain('A'..='Z').chain('0'..='9').chain("-._".chars()).collect();
        if part.name.is_empty() || !part.name.chars().all(|letter| known.contains(&letter)) {
            return Err(protocol(&self.url.to_string(), "a bucket is named by letters, digits, -, . and _"));
        }
        Ok((part, if part.region.is_empty() { NO_REGION } else { &part.region }))
    }
}
