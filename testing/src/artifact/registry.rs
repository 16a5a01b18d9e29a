//! A registry of the distribution specification 1.1, in memory.

use super::web::{Answer, Handler, Server, WebFault, WebRequest, bad, basic};
use crate::{Identity, Result};
use bytes::Bytes;
use hyper::header::{CONTENT_TYPE, HeaderMap, HeaderName, LINK, LOCATION, RANGE, WWW_AUTHENTICATE};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use std::{
    collections::BTreeMap,
    net::SocketAddr,
    sync::{Mutex, MutexGuard, PoisonError},
};

const DIGEST: HeaderName = HeaderName::from_static("docker-content-digest");
const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";

/// A container registry on a loopback port, with all of pull and push that charts and artifacts need.
///
/// Proven by `helm push` and `helm pull`. Blobs and manifests are in memory and checked against their digests when
/// they are pushed.
#[derive(Debug)]
pub struct OciRegistry {
    server: Server<Registry>,
}

/// Whom a registry lets in.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum RegistryAuth {
    /// Everybody.
    #[default]
    Anyone,
    /// Whoever has the user and password, sent with each request.
    Basic(String, String),
    /// Whoever has a token, which its token server (`/token`) gives for the user and password.
    Token(String, String),
    /// Whoever has a token, which its token server gives to everybody, as public registries have it.
    AnonymousToken,
}

#[derive(Default)]
struct Content {
    blobs: BTreeMap<String, Bytes>,
    /// By repository and digest: media type and bytes.
    manifests: BTreeMap<(String, String), (String, Bytes)>,
    tags: BTreeMap<String, BTreeMap<String, String>>,
    uploads: BTreeMap<u64, Vec<u8>>,
    n_uploads: u64,
    n_tokens: u64,
    tokens: BTreeMap<String, String>,
    redirect_blobs: Option<String>,
    tags_per_page: Option<usize>,
    token_realm: Option<String>,
    hide_digests: bool,
    list_referrers: bool,
}

struct Registry {
    base_url: String,
    auth: RegistryAuth,
    content: Mutex<Content>,
}

impl OciRegistry {
    /// Prepares a registry; without further ado it lets everybody in, over plain HTTP.
    pub fn builder() -> OciRegistryBuilder {
        OciRegistryBuilder::default()
    }

    /// Starts a registry that lets everybody in, over plain HTTP.
    ///
    /// # Errors
    /// When no port can be bound.
    pub fn start() -> Result<Self> {
        Self::builder().start()
    }

    /// The address of a repository: `oci://…`.
    pub fn url(&self, name: &str) -> String {
        let base = self.server.base_url();
        let host = base.split_once("://").map_or("", |(_, host)| host);
        format!("oci://{host}/{name}")
    }

    /// The address of the registry for web requests, without a slash at the end.
    pub fn base_url(&self) -> String {
        self.server.base_url()
    }

    /// The address that it listens on.
    pub fn address(&self) -> SocketAddr {
        self.server.address()
    }

    /// The certificate of the authority that signed the server's, as PEM. `None` without TLS.
    pub fn authority_pem(&self) -> Option<&str> {
        self.server.authority_pem()
    }

    /// A client certificate that the server accepts. `None` without TLS.
    pub fn client_identity(&self) -> Option<&Identity> {
        self.server.client_identity()
    }

    /// Every request so far, in the order in which they came.
    pub fn requests(&self) -> Vec<WebRequest> {
        self.server.requests()
    }

    /// Forgets the requests so far.
    pub fn forget_requests(&self) {
        self.server.forget_requests();
    }

    /// Does this to the next `n_requests` requests whose path has `part_of_path` in it; `usize::MAX` is for ever.
    pub fn fault(&self, part_of_path: &str, n_requests: usize, fault: WebFault) {
        self.server.fault(part_of_path, n_requests, fault);
    }

    /// Ends all faults.
    pub fn clear_faults(&self) {
        self.server.clear_faults();
    }

    /// Puts an artifact of these layers (media type and bytes) under a tag. Returns the manifest's digest.
    ///
    /// # Errors
    /// When an argument cannot be JSON.
    pub fn push(
        &self,
        name: &str,
        tag: &str,
        layers: &[(&str, &[u8])],
        annotations: &[(&str, &str)],
    ) -> Result<String> {
        let descriptors: Vec<Value> = layers
            .iter()
            .map(|(media_type, bytes)| {
                let digest = digest_of(bytes);
                self.content().blobs.insert(digest.clone(), Bytes::copy_from_slice(bytes));
                json!({"mediaType": media_type, "digest": digest, "size": bytes.len()})
            })
            .collect();
        let annotations: BTreeMap<_, _> = annotations.iter().copied().collect();
        let config =
            json!({"mediaType": "application/vnd.oci.empty.v1+json", "digest": digest_of(b"{}"), "size": 2});
        self.content().blobs.insert(digest_of(b"{}"), Bytes::from_static(b"{}"));
        let manifest = json!({
            "schemaVersion": 2, "mediaType": MANIFEST, "config": config, "layers": descriptors,
            "annotations": annotations,
        });
        self.push_manifest(name, tag, MANIFEST, &manifest)
    }

    /// Puts a manifest or an index under a tag as it is. Returns its digest.
    ///
    /// # Errors
    /// When it cannot be JSON.
    pub fn push_manifest(&self, name: &str, tag: &str, media_type: &str, manifest: &Value) -> Result<String> {
        let bytes = serde_json::to_vec(manifest).map_err(|_| bad("write a manifest as JSON"))?;
        let digest = digest_of(&bytes);
        let mut content = self.content();
        let key = (name.to_owned(), digest.clone());
        content.manifests.insert(key, (media_type.to_owned(), bytes.into()));
        content.tags.entry(name.to_owned()).or_default().insert(tag.to_owned(), digest.clone());
        Ok(digest)
    }

    /// Puts a manifest or an index there byte for byte, under its digest and under `tag`, if there is one.
    pub fn push_manifest_bytes(&self, name: &str, tag: Option<&str>, media_type: &str, bytes: &[u8]) {
        let digest = digest_of(bytes);
        let mut content = self.content();
        let key = (name.to_owned(), digest.clone());
        content.manifests.insert(key, (media_type.to_owned(), Bytes::copy_from_slice(bytes)));
        if let Some(tag) = tag {
            content.tags.entry(name.to_owned()).or_default().insert(tag.to_owned(), digest);
        }
    }

    /// Puts a blob there.
    pub fn push_blob(&self, bytes: &[u8]) {
        self.content().blobs.insert(digest_of(bytes), Bytes::copy_from_slice(bytes));
    }

    /// Takes a tag away.
    pub fn remove_tag(&self, name: &str, tag: &str) {
        self.content().tags.get_mut(name).map(|tags| tags.remove(tag));
    }

    /// Lists what refers to a manifest, as registries of the specification 1.1 do. Without it a client has to look at
    /// the tag that stands for the list.
    pub fn list_referrers(&self) {
        self.content().list_referrers = true;
    }

    /// The tags of a repository.
    pub fn tags(&self, name: &str) -> Vec<String> {
        self.content().tags.get(name).map(|tags| tags.keys().cloned().collect()).unwrap_or_default()
    }

    /// Sends those who ask for a blob to `/blob/DIGEST` at this address, as registries with a storage host do.
    pub fn redirect_blobs_to(&self, base_url: &str) {
        self.content().redirect_blobs = Some(base_url.to_owned());
    }

    /// The bytes of a blob.
    pub fn blob(&self, digest: &str) -> Option<Vec<u8>> {
        self.content().blobs.get(digest).map(|bytes| bytes.to_vec())
    }

    /// Sends at most so many tags at once.
    pub fn set_tags_per_page(&self, n_tags: usize) {
        self.content().tags_per_page = Some(n_tags);
    }

    /// Names another token server.
    pub fn set_token_realm(&self, realm: &str) {
        self.content().token_realm = Some(realm.to_owned());
    }

    /// Leaves `Docker-Content-Digest` out, as some registries do.
    pub fn hide_digests(&self) {
        self.content().hide_digests = true;
    }

    /// Ends all tokens that were given out.
    pub fn expire_tokens(&self) {
        self.content().tokens.clear();
    }

    fn content(&self) -> MutexGuard<'_, Content> {
        self.server.state.handler.content()
    }
}

/// How to start an [`OciRegistry`].
#[derive(Default)]
#[must_use = "a registry is started by start()"]
pub struct OciRegistryBuilder {
    auth: RegistryAuth,
    tls: bool,
    client_certificates: bool,
}

impl OciRegistryBuilder {
    /// Lets only these in.
    pub fn auth(mut self, auth: RegistryAuth) -> Self {
        self.auth = auth;
        self
    }

    /// Speaks TLS, with a certificate for `localhost` and `127.0.0.1` of an authority that nobody knows.
    pub fn tls(mut self) -> Self {
        self.tls = true;
        self
    }

    /// Speaks TLS, and only to clients that show a certificate of the same authority.
    pub fn client_certificates(mut self) -> Self {
        self.client_certificates = true;
        self
    }

    /// Starts the registry.
    ///
    /// # Errors
    /// When no port can be bound, or no certificate made.
    pub fn start(self) -> Result<OciRegistry> {
        let auth = self.auth;
        let registry = |base_url| Registry { base_url, auth, content: Mutex::default() };
        Ok(OciRegistry { server: Server::start(self.tls, self.client_certificates, registry)? })
    }
}

impl Handler for Registry {
    fn answer(&self, request: &WebRequest, headers: &HeaderMap, body: Bytes) -> Answer {
        if request.path == "/token" {
            return self.give_token(request);
        }
        let Some(path) = request.path.strip_prefix("/v2/") else { return error(404, "NOT_FOUND") };
        let parts: Vec<&str> = path.split('/').collect();
        let (name, kind, rest) =
            match parts.iter().rposition(|it| matches!(*it, "manifests" | "blobs" | "tags" | "referrers")) {
                Some(at) => (parts[..at].join("/"), parts[at], parts[at + 1..].join("/")),
                None => (String::new(), "", String::new()),
            };
        if let Some(refusal) = self.refuse(request, &name) {
            return refusal;
        }
        match (request.method.as_str(), kind) {
            (_, "") => Answer::new(if path.is_empty() { 200 } else { 404 }),
            ("GET", "tags") => self.list_tags(&name, &request.query),
            ("GET", "referrers") => self.get_referrers(&name, &rest),
            ("GET" | "HEAD", "manifests") => self.get_manifest(&name, &rest),
            ("PUT", "manifests") => self.put_manifest(&name, &rest, headers, body),
            ("GET" | "HEAD", "blobs") => self.get_blob(&rest),
            ("POST" | "PATCH" | "PUT", "blobs") => self.upload(&name, &rest, request, &body),
            _ => error(405, "UNSUPPORTED"),
        }
    }
}

impl Registry {
    fn content(&self) -> MutexGuard<'_, Content> {
        self.content.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What to tell those who may not come in.
    fn refuse(&self, request: &WebRequest, name: &str) -> Option<Answer> {
        match &self.auth {
            RegistryAuth::Anyone => None,
            RegistryAuth::Basic(user, password) => (request.authorization != basic(user, password))
                .then(|| error(401, "UNAUTHORIZED").header(WWW_AUTHENTICATE, "Basic realm=\"registry\"")),
            RegistryAuth::Token(..) | RegistryAuth::AnonymousToken => {
                let content = self.content();
                let token = request.authorization.strip_prefix("Bearer ").unwrap_or_default();
                let scope = content.tokens.get(token);
                if scope
                    .is_some_and(|scope| name.is_empty() || scope.contains(&format!("repository:{name}:")))
                {
                    return None;
                }
                let realm = content.token_realm.clone().unwrap_or_else(|| format!("{}/token", self.base_url));
                let actions =
                    if matches!(request.method.as_str(), "GET" | "HEAD") { "pull" } else { "pull,push" };
                let challenge = format!(
                    "Bearer realm=\"{realm}\",service=\"test\",scope=\"repository:{name}:{actions}\""
                );
                Some(error(401, "UNAUTHORIZED").header(WWW_AUTHENTICATE, challenge))
            }
        }
    }

    /// The token server: GET with a password, POST with a refresh token, which is the password here.
    fn give_token(&self, request: &WebRequest) -> Answer {
        let allowed = match &self.auth {
            RegistryAuth::Token(user, password) => request.authorization == basic(user, password),
            RegistryAuth::AnonymousToken => true,
            RegistryAuth::Anyone | RegistryAuth::Basic(..) => false,
        };
        if !allowed {
            return error(401, "UNAUTHORIZED");
        }
        let scope: String = query(&request.query, "scope").into_iter().collect::<Vec<_>>().join(" ");
        let mut content = self.content();
        content.n_tokens += 1;
        let token = format!("token-{}", content.n_tokens);
        content.tokens.insert(token.clone(), scope);
        Answer::new(200)
            .header(CONTENT_TYPE, "application/json")
            .body(json!({"token": token, "expires_in": 300}).to_string())
    }

    fn list_tags(&self, name: &str, asked: &str) -> Answer {
        let content = self.content();
        let Some(tags) = content.tags.get(name) else { return error(404, "NAME_UNKNOWN") };
        let last = query(asked, "last").pop().unwrap_or_default();
        let wanted = query(asked, "n").pop().and_then(|n| n.parse().ok()).unwrap_or(usize::MAX);
        let n_tags = wanted.min(content.tags_per_page.unwrap_or(usize::MAX));
        let mut left = tags.keys().filter(|tag| **tag > last);
        let page: Vec<&String> = left.by_ref().take(n_tags).collect();
        let more = left.next().is_some();
        let answer = Answer::new(200).header(CONTENT_TYPE, "application/json");
        let answer = match page.last().filter(|_| more) {
            Some(last) => {
                answer.header(LINK, format!("</v2/{name}/tags/list?n={n_tags}&last={last}>; rel=\"next\""))
            }
            None => answer,
        };
        answer.body(json!({"name": name, "tags": page}).to_string())
    }

    fn get_manifest(&self, name: &str, reference: &str) -> Answer {
        let content = self.content();
        let digest = match content.tags.get(name).and_then(|tags| tags.get(reference)) {
            Some(digest) => digest.clone(),
            None => reference.to_owned(),
        };
        let Some((media_type, bytes)) = content.manifests.get(&(name.to_owned(), digest.clone())) else {
            return error(404, "MANIFEST_UNKNOWN");
        };
        let answer = Answer::new(200).header(CONTENT_TYPE, media_type.clone()).body(bytes.clone());
        if content.hide_digests { answer } else { answer.header(DIGEST, digest) }
    }

    fn get_referrers(&self, name: &str, subject: &str) -> Answer {
        let content = self.content();
        if !content.list_referrers {
            return error(404, "NOT_FOUND");
        }
        let mut listed = Vec::new();
        for ((repository, digest), (media_type, bytes)) in &content.manifests {
            let manifest: Value = serde_json::from_slice(bytes).unwrap_or_default();
            if repository == name && manifest["subject"]["digest"] == subject {
                let artifact_type = match &manifest["artifactType"] {
                    Value::Null => &manifest["config"]["mediaType"],
                    given => given,
                };
                listed.push(json!({
                    "mediaType": media_type, "digest": digest, "size": bytes.len(), "artifactType": artifact_type,
                    "annotations": manifest["annotations"],
                }));
            }
        }
        let media_type = "application/vnd.oci.image.index.v1+json";
        let index = json!({"schemaVersion": 2, "mediaType": media_type, "manifests": listed});
        Answer::new(200).header(CONTENT_TYPE, media_type).body(index.to_string())
    }

    fn put_manifest(&self, name: &str, reference: &str, headers: &HeaderMap, body: Bytes) -> Answer {
        let digest = digest_of(&body);
        if reference.starts_with("sha256:") && reference != digest {
            return error(400, "DIGEST_INVALID");
        }
        let media_type =
            headers.get(CONTENT_TYPE).and_then(|it| it.to_str().ok()).unwrap_or(MANIFEST).to_owned();
        let mut content = self.content();
        content.manifests.insert((name.to_owned(), digest.clone()), (media_type, body));
        if !reference.starts_with("sha256:") {
            content.tags.entry(name.to_owned()).or_default().insert(reference.to_owned(), digest.clone());
        }
        Answer::new(201).header(LOCATION, format!("/v2/{name}/manifests/{digest}")).header(DIGEST, digest)
    }

    fn get_blob(&self, digest: &str) -> Answer {
        let content = self.content();
        let Some(bytes) = content.blobs.get(digest) else { return error(404, "BLOB_UNKNOWN") };
        if let Some(base) = &content.redirect_blobs {
            return Answer::new(307).header(LOCATION, format!("{base}/blob/{digest}"));
        }
        Answer::new(200)
            .header(CONTENT_TYPE, "application/octet-stream")
            .header(DIGEST, digest)
            .body(bytes.clone())
    }

    /// `POST uploads/`, then `PATCH` and `PUT` at the place it answers; or all in one.
    fn upload(&self, name: &str, rest: &str, request: &WebRequest, body: &Bytes) -> Answer {
        let mut content = self.content();
        let number = match rest.strip_prefix("uploads").map(|it| it.trim_matches('/')) {
            Some("") if request.method == "POST" => {
                content.n_uploads += 1;
                let number = content.n_uploads;
                content.uploads.insert(number, Vec::new());
                number
            }
            Some(number) => number.parse().unwrap_or_default(),
            None => return error(404, "NOT_FOUND"),
        };
        let Some(upload) = content.uploads.get_mut(&number) else { return error(404, "BLOB_UPLOAD_UNKNOWN") };
        upload.extend_from_slice(body);
        let length = upload.len();
        let Some(promised) = query(&request.query, "digest").pop() else {
            let status = if request.method == "POST" { 202 } else { 204 };
            return Answer::new(status)
                .header(LOCATION, format!("/v2/{name}/blobs/uploads/{number}"))
                .header(RANGE, format!("0-{}", length.saturating_sub(1)));
        };
        let bytes = content.uploads.remove(&number).unwrap_or_default();
        let digest = digest_of(&bytes);
        if digest != promised {
            return error(400, "DIGEST_INVALID");
        }
        content.blobs.insert(digest.clone(), bytes.into());
        Answer::new(201).header(LOCATION, format!("/v2/{name}/blobs/{digest}")).header(DIGEST, digest)
    }
}

fn error(status: u16, code: &str) -> Answer {
    Answer::new(status)
        .header(CONTENT_TYPE, "application/json")
        .body(json!({"errors": [{"code": code, "message": code}]}).to_string())
}

fn digest_of(bytes: &[u8]) -> String {
    let hex: String = Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect();
    format!("sha256:{hex}")
}

/// The values of a query's parameter, with their escapes undone.
fn query(query: &str, name: &str) -> Vec<String> {
    query
        .split('&')
        .filter_map(|pair| pair.split_once('='))
        .filter(|(key, _)| *key == name)
        .map(|(_, value)| value.replace("%3A", ":").replace("%2F", "/").replace("%2C", ",").replace('+', " "))
        .collect()
}
