//! The batch API of a repository's LFS server, and what was fetched from it.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, BufWriter, Read as _};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

use http::header::{ACCEPT, AUTHORIZATION, HeaderName};
use reqwest::{Method, Url};
use serde::{Deserialize, Serialize};

use super::authenticate::{self, Grant};
use super::pointer::Pointer;
use crate::artifact::web::{Question, Web, check_place, header, protocol, wrong};
use crate::artifact::{ArtifactError, ContentDigest};
use crate::credentials::Access;
use crate::error::{SourceError, is_disk_full};
use crate::transport::http::authorization;
use crate::url::{RepositoryUrl, Scheme};

/// The media type of the batch API.
const MEDIA_TYPE: &str = "application/vnd.git-lfs+json";

/// Longest answer of the batch API to one object: an address with a signature takes some 2 kB.
const MAX_ANSWER_BYTES: u64 = 256 << 10;

/// Most bytes of LFS content kept for one repository; what was not read for longest goes first. Manifests and charts are small,
/// so that this holds many versions of them.
const MAX_STORED_BYTES: u64 = 1 << 30;

/// Fetches content from the LFS server of one repository, reached with one set of credentials.
pub(crate) struct LfsClient {
    url: RepositoryUrl,
    /// Where its LFS server is, if the repository itself says so.
    endpoint: Option<Url>,
    access: Access,
    web: Arc<Web>,
    folder: PathBuf,
    /// What the server last said over SSH.
    grant: Mutex<Option<Grant>>,
    /// Held while something is fetched: many readers want the same file at once.
    fetching: Mutex<()>,
}

#[derive(Serialize)]
struct Batch<'a> {
    operation: &'a str,
    transfers: [&'a str; 1],
    hash_algo: &'a str,
    objects: [Wanted; 1],
}

#[derive(Serialize)]
struct Wanted {
    oid: String,
    size: u64,
}

#[derive(Deserialize)]
struct Answer {
    #[serde(default)]
    objects: Vec<Offered>,
}

#[derive(Deserialize)]
struct Offered {
    oid: String,
    #[serde(default)]
    actions: Option<Actions>,
    #[serde(default)]
    error: Option<Problem>,
}

#[derive(Deserialize)]
struct Actions {
    download: Option<Download>,
}

#[derive(Deserialize)]
struct Download {
    href: String,
    #[serde(default)]
    header: Option<BTreeMap<String, String>>,
}

#[derive(Deserialize)]
struct Problem {
    #[serde(default)]
    code: u32,
    #[serde(default)]
    message: String,
}

impl LfsClient {
    pub(crate) fn new(
        url: RepositoryUrl,
        endpoint: Option<Url>,
        access: Access,
        web: Arc<Web>,
        folder: PathBuf,
    ) -> Self {
        Self { url, endpoint, access, web, folder, grant: Mutex::default(), fetching: Mutex::default() }
    }

    /// Where its LFS server is asked, and whether that is where our credentials are for.
    fn batch(&self) -> Result<(Url, bool), SourceError> {
        let unusable = || protocol(&self.shown(), "it has no usable address");
        let own = matches!(self.url.scheme(), Scheme::Https | Scheme::Http).then(|| self.url.bare());
        let own = own.map(|text| Url::parse(&text)).transpose().map_err(|_| unusable())?;
        if let Some(endpoint) = &self.endpoint {
            let address = format!("{}/objects/batch", endpoint.as_str().trim_end_matches('/'));
            let batch = Url::parse(&address).map_err(|_| unusable())?;
            let is_own = own.is_some_and(|own| own.origin() == batch.origin());
            return Ok((batch, is_own));
        }
        let Some(own) = own else {
            return Err(protocol(&self.shown(), "it has no LFS server"));
        };
        let address = own.as_str().trim_end_matches('/');
        let suffix = if address.ends_with(".git") { "" } else { ".git" };
        let batch =
            Url::parse(&format!("{address}{suffix}/info/lfs/objects/batch")).map_err(|_| unusable())?;
        Ok((batch, true))
    }

    /// The repository, for people.
    pub(super) fn shown(&self) -> String {
        self.url.to_string()
    }

    /// What a pointer points to, from disk or from the server.
    pub(super) fn content(&self, pointer: &Pointer) -> Result<Vec<u8>, SourceError> {
        let path = self.folder.join(pointer.digest.hex());
        if let Some(known) = stored(&path, pointer) {
            return Ok(known);
        }
        let _fetching = self.fetching.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = stored(&path, pointer) {
            return Ok(known);
        }
        self.fetch(pointer, &path)?;
        stored(&path, pointer).ok_or_else(|| {
            let error = io::Error::new(io::ErrorKind::InvalidData, "it is not what was just written");
            SourceError::store("read", &path, error)
        })
    }

    fn fetch(&self, pointer: &Pointer, path: &Path) -> Result<(), SourceError> {
        let shown = self.shown();
        let what = format!("LFS object {}", pointer.digest.hex());
        let _permit = self.web.permits.acquire();
        let (download, grant) = self.offered(pointer, &what)?;
        let url = Url::parse(&download.href)
            .map_err(|_| protocol(&shown, "its LFS server names an address that cannot be used"))?;
        check_place(&self.web, &shown, &url)?;
        let own_origin = Url::parse(&self.url.bare()).map(|own| own.origin());
        let access = self.web.signed_in(&self.url, &self.access)?;
        let mut question = Question::get(&shown, &access, url.clone());
        for (name, value) in download.header.unwrap_or_default() {
            match HeaderName::try_from(&name) {
                Ok(AUTHORIZATION) => question.authorization = Some(header(&shown, &value)?),
                Ok(name) => question = question.with_header(name, &value),
                Err(_) => {}
            }
        }
        // What it gave over SSH is for that server, as our own credentials are for the repository's.
        if question.authorization.is_none()
            && let Some(grant) = grant.filter(|grant| grant.batch.origin() == url.origin())
        {
            question.authorization = grant.authorization;
        }
        if question.authorization.is_none() && own_origin.is_ok_and(|own| own == url.origin()) {
            question.authorization = authorization(&self.url, &access)?;
        }
        let anonymous = question.authorization.is_none();
        let reply = self.web.ask(question)?;
        if !reply.status().is_success() {
            return Err(reply.failure(anonymous, Some(&what)));
        }
        let failed = |error: io::Error| {
            if is_disk_full(&error) {
                SourceError::DiskFull { repository: shown.clone(), folder: self.folder.clone() }
            } else {
                SourceError::store("write", path, error)
            }
        };
        fs::create_dir_all(&self.folder).map_err(failed)?;
        let incoming = path.with_extension("tmp");
        let mut file = BufWriter::new(File::create(&incoming).map_err(failed)?);
        let saved = reply.save(&mut file, &what, "size", pointer.size);
        let kept = saved.and_then(|(actual, _)| {
            if actual != pointer.digest {
                let expected = pointer.digest;
                let error = ArtifactError::DigestMismatch { what: what.clone(), expected, actual };
                return Err(wrong(&shown, &what, error));
            }
            let file = file.into_inner().map_err(|error| failed(error.into_error()))?;
            file.sync_all().map_err(failed)?;
            fs::rename(&incoming, path).map_err(failed)
        });
        if kept.is_err() {
            let _ = fs::remove_file(&incoming);
        }
        kept.inspect(|()| evict(&self.folder, path, MAX_STORED_BYTES))
    }

    /// What the server says over SSH, where that is how it is asked; and whether it said so before.
    fn granted(&self) -> Result<Option<(Grant, bool)>, SourceError> {
        if self.url.scheme() != Scheme::Ssh || self.endpoint.is_some() {
            return Ok(None);
        }
        let mut known = self.grant.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(grant) = known.as_ref().filter(|grant| grant.is_current()) {
            return Ok(Some((grant.clone(), true)));
        }
        let grant = authenticate::ask(&self.web, &self.url, &self.access)?;
        *known = Some(grant.clone());
        Ok(Some((grant, false)))
    }

    /// Where the server says that the content is, and what it was asked with if it was asked for that over SSH.
    fn offered(&self, pointer: &Pointer, what: &str) -> Result<(Download, Option<Grant>), SourceError> {
        let Some((grant, is_old)) = self.granted()? else {
            return Ok((self.asked(pointer, what, None)?, None));
        };
        match self.asked(pointer, what, Some(&grant)) {
            // A token may end before its time.
            Err(SourceError::AuthenticationFailed { .. } | SourceError::Forbidden { .. }) if is_old => {
                *self.grant.lock().unwrap_or_else(PoisonError::into_inner) = None;
                let grant = self.granted()?.map(|(grant, _)| grant);
                Ok((self.asked(pointer, what, grant.as_ref())?, grant))
            }
            answer => answer.map(|download| (download, Some(grant))),
        }
    }

    fn asked(&self, pointer: &Pointer, what: &str, grant: Option<&Grant>) -> Result<Download, SourceError> {
        let shown = self.shown();
        let (url, is_own) = match grant {
            Some(grant) => (grant.batch.clone(), false),
            None => self.batch()?,
        };
        let oid = pointer.digest.hex();
        let batch = Batch {
            operation: "download",
            transfers: ["basic"],
            hash_algo: "sha256",
            objects: [Wanted { oid: oid.clone(), size: pointer.size }],
        };
        let access = self.web.signed_in(&self.url, &self.access)?;
        let mut question = Question::get(&shown, &access, url).with_header(ACCEPT, MEDIA_TYPE);
        question.method = Method::POST;
        if is_own {
            question.authorization = authorization(&self.url, &access)?;
        }
        if let Some(grant) = grant {
            question.authorization.clone_from(&grant.authorization);
            for (name, value) in &grant.headers {
                question = question.with_header(name.clone(), value);
            }
        }
        let text = serde_json::to_string(&batch)
            .map_err(|_| protocol(&shown, "a question to its LFS server cannot be written"))?;
        question.body = Some((MEDIA_TYPE, text.into_bytes()));
        let anonymous = question.authorization.is_none();
        let reply = self.web.ask(question)?;
        if !reply.status().is_success() {
            return Err(reply.failure(anonymous, Some("LFS server")));
        }
        let bytes = reply.bytes("the answer of the LFS server", "MAX_ANSWER_BYTES", MAX_ANSWER_BYTES)?;
        let answer: Answer = serde_json::from_slice(&bytes)
            .map_err(|_| protocol(&shown, "the answer of its LFS server is not readable"))?;
        let offered = answer.objects.into_iter().find(|offered| offered.oid.eq_ignore_ascii_case(&oid));
        let none = || wrong(&shown, what, ArtifactError::NotFound { what: what.to_string() });
        match offered {
            Some(Offered { error: Some(Problem { code: 404 | 410, .. }), .. }) => Err(none()),
            Some(Offered { error: Some(problem), .. }) => Err(protocol(
                &shown,
                &format!("its LFS server says {} {:?}", problem.code, shortened(&problem.message)),
            )),
            Some(Offered { actions: Some(Actions { download: Some(download) }), .. }) => Ok(download),
            _ => Err(none()),
        }
    }
}

/// Removes what was not read for longest until what is kept is below the limit.
fn evict(folder: &Path, newest: &Path, limit: u64) {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let mut files: Vec<(SystemTime, u64, PathBuf)> = entries
        .filter_map(|entry| {
            let metadata = entry.metadata().ok()?;
            Some((metadata.modified().ok()?, metadata.len(), entry.path()))
        })
        .collect();
    files.sort();
    let mut total: u64 = files.iter().map(|(_, bytes, _)| bytes).sum();
    for (_, bytes, path) in files {
        if total <= limit {
            return;
        }
        if path != newest && fs::remove_file(&path).is_ok() {
            total = total.saturating_sub(bytes);
        }
    }
}

/// The content on disk, if it is there and what it should be.
fn stored(path: &Path, pointer: &Pointer) -> Option<Vec<u8>> {
    let mut file = File::open(path).ok()?;
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes).ok()?;
    if bytes.len() as u64 == pointer.size && ContentDigest::of(&bytes) == pointer.digest {
        // When it was read last decides what goes first; where that cannot be noted it is when it was fetched.
        let _ = file.set_modified(SystemTime::now());
        return Some(bytes);
    }
    let _ = fs::remove_file(path);
    None
}

/// What a server says, for one line of a message.
fn shortened(text: &str) -> String {
    /// Enough for a sentence.
    const LONGEST: usize = 200;
    text.chars().take(LONGEST).collect()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn what_was_not_read_for_longest_goes_first() {
        let folder = tempfile::tempdir().unwrap();
        let pointer =
            |text: &str| Pointer { digest: ContentDigest::of(text.as_bytes()), size: text.len() as u64 };
        let path = |text: &str| folder.path().join(pointer(text).digest.hex());
        let long_ago = SystemTime::now() - Duration::from_secs(3600);
        for (age, text) in ["oldest", "middle", "newest"].into_iter().enumerate() {
            fs::write(path(text), text).unwrap();
            let at = long_ago + Duration::from_secs(age as u64);
            File::options().write(true).open(path(text)).unwrap().set_modified(at).unwrap();
        }
        assert_eq!(stored(&path("oldest"), &pointer("oldest")).as_deref(), Some(&b"oldest"[..]));
        evict(folder.path(), &path("newest"), 12);
        assert!(path("oldest").exists() && path("newest").exists() && !path("middle").exists());
        // What is not what it should be is none, and goes.
        fs::write(path("oldest"), "0ldest").unwrap();
        assert!(stored(&path("oldest"), &pointer("oldest")).is_none() && !path("oldest").exists());
    }
}
