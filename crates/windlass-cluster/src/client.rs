//! One API server, spoken to in raw requests.

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderValue, Method, Request};
use http_body_util::BodyExt;
use kube::client::Body;
use windlass_kube::{Object, Str, Value};
use windlass_model::Propagation;

use crate::{ApiError, Resource};

/// A connection to one API server. A clone shares the connections.
#[derive(Clone)]
pub struct ClusterClient {
    client: kube::Client,
    /// Who is impersonated.
    acts_as: Option<HeaderValue>,
    answers_within: Duration,
}

/// How long an answer may take. kube-apiserver itself ends a call after a minute (`--request-timeout`), so that later
/// nothing comes; and one that was swallowed on its way must not hold up for ever what waits for it.
pub const CALL_TIMEOUT: Duration = Duration::from_secs(65);

/// A user whom no cluster knows, and who may do nothing.
const NOBODY: HeaderValue = HeaderValue::from_static("system:windlass:nobody");

/// How an object is applied.
#[derive(Debug, Clone)]
pub struct ApplyOptions {
    /// The field manager that will own what is applied.
    pub manager: Str,
    /// Whether contested fields are taken over; without it they are a conflict.
    pub force: bool,
    /// Whether the server only says what would happen.
    pub dry_run: bool,
}

impl ApplyOptions {
    /// Applies for real as `manager`, taking over contested fields.
    #[must_use]
    pub fn new(manager: impl Into<Str>) -> Self {
        Self { manager: manager.into(), force: true, dry_run: false }
    }

    /// Only says what would happen.
    #[must_use]
    pub fn dry_run(mut self) -> Self {
        self.dry_run = true;
        self
    }
}

/// How an object is created, replaced or patched. A manager's name alone writes for real, and leaves it to the server
/// what happens to unknown fields.
#[derive(Debug, Clone)]
pub struct WriteOptions {
    /// The field manager that will own what is written.
    pub manager: Str,
    /// Whether fields that the kind does not have are dropped without a word.
    pub drops_unknown_fields: bool,
    /// Whether the server only says what would happen.
    pub dry_run: bool,
}

impl WriteOptions {
    fn query(&self) -> String {
        format!(
            "?fieldManager={}{}{}",
            escape(&self.manager),
            if self.drops_unknown_fields { "&fieldValidation=Ignore" } else { "" },
            if self.dry_run { "&dryRun=All" } else { "" },
        )
    }
}

impl From<&str> for WriteOptions {
    fn from(manager: &str) -> Self {
        Self { manager: manager.into(), drops_unknown_fields: false, dry_run: false }
    }
}

/// How an object is deleted.
#[derive(Debug, Clone, Default)]
pub struct DeleteOptions {
    /// What happens to its dependents; the server's default when absent.
    pub propagation: Option<Propagation>,
    /// The uid it must have; a different one is a conflict.
    pub uid: Option<Str>,
    /// Whether the server only says what would happen.
    pub dry_run: bool,
}

/// One page of a list.
#[derive(Debug, Clone, Default)]
pub struct Page {
    /// The objects, without `apiVersion` and `kind`, as lists carry them for built-in kinds.
    pub items: Vec<Value>,
    /// The version of the collection, from which a watch may start.
    pub resource_version: Str,
    /// What fetches the next page; empty on the last one.
    pub next: Str,
}

impl ClusterClient {
    /// Speaks through an existing client.
    #[must_use]
    pub fn new(client: kube::Client) -> Self {
        Self { client, acts_as: None, answers_within: CALL_TIMEOUT }
    }

    /// The same server, from which an answer, or the beginning of a watch, is awaited for so long.
    #[must_use]
    pub fn answering_within(&self, time: Duration) -> Self {
        Self { answers_within: time, ..self.clone() }
    }

    /// The same server, for calls that are made in the name of `user` (Kubernetes' `Impersonate-User`): it decides by
    /// that user's rights, and those of a ServiceAccount's groups. Where there is no user, nobody's rights count.
    #[must_use]
    pub fn acting_as(&self, user: Option<&str>) -> Self {
        // A name that fits in no header is nobody's.
        let user = user.filter(|user| !user.is_empty()).and_then(|user| HeaderValue::from_str(user).ok());
        Self { acts_as: Some(user.unwrap_or(NOBODY)), ..self.clone() }
    }

    /// Finds the cluster as `kubectl` does: `$KUBECONFIG`, `~/.kube/config`, or the pod's service account.
    ///
    /// # Errors
    ///
    /// [`ApiError::Config`] when there is none or it is unusable.
    pub async fn infer() -> Result<Self, ApiError> {
        let config = kube::Config::infer().await.map_err(|error| config_error(&error))?;
        Self::from_config(config)
    }

    /// Speaks to what a kubeconfig file names, at its current context or at `context`.
    ///
    /// # Errors
    ///
    /// [`ApiError::Config`] when the file cannot be read or names nothing usable.
    pub async fn from_kubeconfig(path: &std::path::Path, context: Option<&str>) -> Result<Self, ApiError> {
        let file = kube::config::Kubeconfig::read_from(path).map_err(|error| config_error(&error))?;
        let options =
            kube::config::KubeConfigOptions { context: context.map(Into::into), ..Default::default() };
        let config = kube::Config::from_custom_kubeconfig(file, &options)
            .await
            .map_err(|error| config_error(&error))?;
        Self::from_config(config)
    }

    /// Speaks to the server that `config` describes.
    ///
    /// # Errors
    ///
    /// [`ApiError::Config`] when its certificates or its authentication are unusable.
    pub fn from_config(mut config: kube::Config) -> Result<Self, ApiError> {
        // A watch is silent for long; its own end is asked for by timeoutSeconds.
        config.read_timeout = None;
        // kube's own layer repeats every call, POST included, up to 15 times over some five minutes, and for as long
        // as a Retry-After asks each time; what repeats here is bounded, and whoever calls has a back-off of its own.
        config.default_retry = false;
        let client = kube::Client::try_from(config).map_err(|error| config_error(&error))?;
        Ok(Self::new(client))
    }

    /// Sends a request and reads the whole answer.
    ///
    /// # Errors
    ///
    /// [`ApiError`] when the server cannot be reached or answers with a failure.
    pub async fn send(
        &self,
        method: Method,
        path_and_query: &str,
        content_type: &str,
        body: Vec<u8>,
    ) -> Result<Bytes, ApiError> {
        let request = Request::builder()
            .method(method)
            .uri(path_and_query)
            .header(http::header::ACCEPT, "application/json")
            .header(http::header::CONTENT_TYPE, content_type)
            .body(Body::from(body))
            .map_err(|error| ApiError::Config(format!("{path_and_query} is no request path: {error}")))?;
        self.answer(request).await
    }

    async fn answer(&self, request: Request<Body>) -> Result<Bytes, ApiError> {
        let response = self.begin(request).await?;
        let body = self.in_time(response.into_body().collect()).await?;
        Ok(body.map_err(|error| ApiError::unreachable(&error))?.to_bytes())
    }

    async fn in_time<T>(&self, answer: impl Future<Output = T>) -> Result<T, ApiError> {
        tokio::time::timeout(self.answers_within, answer).await.map_err(|_| ApiError::Unreachable {
            message: format!("no answer within {} (limit CALL_TIMEOUT)", seconds(self.answers_within)),
        })
    }

    /// Sends a request and reads the head of the answer, and the whole answer of a failure.
    ///
    /// A call that the server turned away unseen (429) is made again a few times; no other is, because what became
    /// of it cannot be known here.
    async fn begin(&self, request: Request<Body>) -> Result<http::Response<Body>, ApiError> {
        let (mut head, body) = request.into_parts();
        if let Some(user) = &self.acts_as {
            head.headers.insert("impersonate-user", user.clone());
        }
        let body = body.collect().await.map_err(|error| ApiError::unreachable(&error))?.to_bytes();
        let mut tries = 1;
        loop {
            let request = Request::from_parts(head.clone(), Body::from(body.clone()));
            let response = self.in_time(self.client.send(request)).await?;
            let response = response.map_err(|error| ApiError::unreachable(&error))?;
            let code = response.status();
            if code.is_success() {
                return Ok(response);
            }
            if code == http::StatusCode::TOO_MANY_REQUESTS && tries < BUSY_TRIES {
                tries += 1;
                tokio::time::sleep(pause_asked(response.headers())).await;
                continue;
            }
            let body = self.in_time(response.into_body().collect()).await?;
            let body = body.map_err(|error| ApiError::unreachable(&error))?.to_bytes();
            return Err(ApiError::from_answer(code.as_u16(), &body));
        }
    }

    pub(crate) async fn get_accepting(&self, path: &str, accept: &str) -> Result<Value, ApiError> {
        let request = Request::get(path)
            .header(http::header::ACCEPT, accept)
            .body(Body::empty())
            .map_err(|error| ApiError::Config(error.to_string()))?;
        let body = self.answer(request).await?;
        decode(&format!("GET {path}"), &body)
    }

    /// Opens an answer that is read as it comes: a watch, or a log that is followed.
    ///
    /// # Errors
    ///
    /// [`ApiError`] when the server cannot be reached or answers with a failure.
    pub async fn open(&self, path: &str) -> Result<Body, ApiError> {
        let request = Request::get(path)
            .header(http::header::ACCEPT, "application/json")
            .body(Body::empty())
            .map_err(|error| ApiError::Config(error.to_string()))?;
        Ok(self.begin(request).await?.into_body())
    }

    /// Reads the JSON at a path.
    ///
    /// # Errors
    ///
    /// [`ApiError`] as for [`ClusterClient::send`], or when the answer is no JSON.
    pub async fn get_path(&self, path_and_query: &str) -> Result<Value, ApiError> {
        let body = self.send(Method::GET, path_and_query, "application/json", Vec::new()).await?;
        decode(&format!("GET {path_and_query}"), &body)
    }

    /// Reads an object.
    ///
    /// # Errors
    ///
    /// [`ApiError`]; an absent object is a [`Status`](crate::Status) with code 404.
    pub async fn get(&self, resource: &Resource, namespace: &str, name: &str) -> Result<Object, ApiError> {
        let path = object_path(resource, namespace, name);
        let body = self.send(Method::GET, &path, "application/json", Vec::new()).await?;
        decode_object(&format!("GET {path}"), &body)
    }

    /// Reads one page of the objects in `namespace`, or of all when that is empty.
    ///
    /// # Errors
    ///
    /// [`ApiError`]; a continuation that is too old is a [`Status`](crate::Status) with code 410.
    pub async fn list_page(
        &self,
        resource: &Resource,
        namespace: &str,
        label_selector: &str,
        limit: u32,
        next: &str,
    ) -> Result<Page, ApiError> {
        let mut path = format!("{}?limit={limit}", resource.path(namespace));
        for (name, value) in [("labelSelector", label_selector), ("continue", next)] {
            if !value.is_empty() {
                path.push_str(&format!("&{name}={}", escape(value)));
            }
        }
        let body = self.send(Method::GET, &path, "application/json", Vec::new()).await?;
        let mut list: Value = decode(&format!("GET {path}"), &body)?;
        let text = |path: &[&str]| Str::from(list.str_at(path).unwrap_or_default());
        let (resource_version, next) =
            (text(&["metadata", "resourceVersion"]), text(&["metadata", "continue"]));
        let items = match list.remove_at(&["items"]) {
            Some(Value::Array(items)) => items.into_vec(),
            _ => Vec::new(),
        };
        Ok(Page { items, resource_version, next })
    }

    /// Reads all objects in `namespace`, or everywhere when that is empty, with `apiVersion` and `kind` set.
    ///
    /// # Errors
    ///
    /// [`ApiError`] of the first page that fails.
    pub async fn list(
        &self,
        resource: &Resource,
        namespace: &str,
        label_selector: &str,
    ) -> Result<Vec<Object>, ApiError> {
        let mut objects = Vec::new();
        let mut next = Str::default();
        loop {
            let page = self.list_page(resource, namespace, label_selector, PAGE_SIZE, &next).await?;
            objects.extend(page.items.into_iter().filter_map(|item| complete(resource, item)));
            if page.next.is_empty() {
                return Ok(objects);
            }
            next = page.next;
        }
    }

    /// Applies an object server-side and returns it as it is then.
    ///
    /// # Errors
    ///
    /// [`ApiError`]; contested fields are a conflict unless `force` is set.
    pub async fn apply(
        &self,
        resource: &Resource,
        object: &Object,
        options: &ApplyOptions,
    ) -> Result<Object, ApiError> {
        let path = format!(
            "{}?fieldManager={}&force={}{}",
            object_path(resource, object.namespace(), object.name()),
            escape(&options.manager),
            options.force,
            if options.dry_run { "&dryRun=All" } else { "" },
        );
        let body =
            serde_json::to_vec(object.as_map()).map_err(|error| ApiError::Config(error.to_string()))?;
        let answer = self.send(Method::PATCH, &path, "application/apply-patch+yaml", body).await?;
        decode_object(&format!("PATCH {path}"), &answer)
    }

    /// Creates an object and returns it as it is then.
    ///
    /// # Errors
    ///
    /// [`ApiError`]; an existing object is a conflict.
    pub async fn create(
        &self,
        resource: &Resource,
        object: &Object,
        options: impl Into<WriteOptions>,
    ) -> Result<Object, ApiError> {
        let path = format!("{}{}", resource.path(object.namespace()), options.into().query());
        let body =
            serde_json::to_vec(object.as_map()).map_err(|error| ApiError::Config(error.to_string()))?;
        let answer = self.send(Method::POST, &path, "application/json", body).await?;
        decode_object(&format!("POST {path}"), &answer)
    }

    /// Replaces an object; a `resourceVersion` in it must still be the current one.
    ///
    /// # Errors
    ///
    /// [`ApiError`]; a version that is not current is a conflict.
    pub async fn replace(
        &self,
        resource: &Resource,
        object: &Object,
        options: impl Into<WriteOptions>,
    ) -> Result<Object, ApiError> {
        let path = object_path(resource, object.namespace(), object.name());
        let path = format!("{path}{}", options.into().query());
        let body =
            serde_json::to_vec(object.as_map()).map_err(|error| ApiError::Config(error.to_string()))?;
        let answer = self.send(Method::PUT, &path, "application/json", body).await?;
        decode_object(&format!("PUT {path}"), &answer)
    }

    /// Applies a JSON merge patch and returns the object as it is then.
    ///
    /// # Errors
    ///
    /// [`ApiError`].
    pub async fn merge_patch(
        &self,
        resource: &Resource,
        namespace: &str,
        name: &str,
        patch: &Value,
        options: impl Into<WriteOptions>,
    ) -> Result<Object, ApiError> {
        let patch = serde_json::to_vec(patch).map_err(|error| ApiError::Config(error.to_string()))?;
        let (path, answer) = self.send_merge_patch(resource, namespace, name, patch, options.into()).await?;
        decode_object(&format!("PATCH {path}"), &answer)
    }

    /// As [`merge_patch`](Self::merge_patch), for who follows the object anyway: takes the patch as JSON, which is a
    /// fraction of its tree while it waits to be sent, and returns only the object's version.
    ///
    /// # Errors
    ///
    /// [`ApiError`].
    pub async fn merge_patch_unread(
        &self,
        resource: &Resource,
        namespace: &str,
        name: &str,
        patch: Vec<u8>,
        options: impl Into<WriteOptions>,
    ) -> Result<Str, ApiError> {
        #[derive(serde::Deserialize)]
        struct Answer {
            metadata: Metadata,
        }
        #[derive(serde::Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Metadata {
            resource_version: Str,
        }
        let (path, answer) = self.send_merge_patch(resource, namespace, name, patch, options.into()).await?;
        let read: Result<Answer, _> = serde_json::from_slice(&answer);
        let read = read.map_err(|error| ApiError::Decode {
            request: format!("PATCH {path}"),
            problem: error.to_string(),
        })?;
        Ok(read.metadata.resource_version)
    }

    async fn send_merge_patch(
        &self,
        resource: &Resource,
        namespace: &str,
        name: &str,
        body: Vec<u8>,
        options: WriteOptions,
    ) -> Result<(String, Bytes), ApiError> {
        let path = object_path(resource, namespace, name);
        let path = format!("{path}{}", options.query());
        let answer = self.send(Method::PATCH, &path, "application/merge-patch+json", body).await?;
        Ok((path, answer))
    }

    /// Applies a JSON patch and returns the object as it is then.
    ///
    /// # Errors
    ///
    /// [`ApiError`]; a patch that writes a `resourceVersion` which is not the current one is a conflict.
    pub async fn json_patch(
        &self,
        resource: &Resource,
        namespace: &str,
        name: &str,
        patch: &Value,
        options: impl Into<WriteOptions>,
    ) -> Result<Object, ApiError> {
        let path = object_path(resource, namespace, name);
        let path = format!("{path}{}", options.into().query());
        let body = serde_json::to_vec(patch).map_err(|error| ApiError::Config(error.to_string()))?;
        let answer = self.send(Method::PATCH, &path, "application/json-patch+json", body).await?;
        decode_object(&format!("PATCH {path}"), &answer)
    }

    /// Deletes an object. With finalizers it goes later; an absent object is no error.
    ///
    /// # Errors
    ///
    /// [`ApiError`]; a different uid than asked for is a conflict.
    pub async fn delete(
        &self,
        resource: &Resource,
        namespace: &str,
        name: &str,
        options: &DeleteOptions,
    ) -> Result<(), ApiError> {
        self.delete_known(resource, namespace, name, options).await.map(drop)
    }

    /// Deletes an object, and answers whether it was there.
    ///
    /// # Errors
    ///
    /// [`ApiError`] when the server refuses or cannot be reached.
    pub async fn delete_known(
        &self,
        resource: &Resource,
        namespace: &str,
        name: &str,
        options: &DeleteOptions,
    ) -> Result<bool, ApiError> {
        let mut body = Value::object();
        body.set_at(&["apiVersion"], "v1");
        body.set_at(&["kind"], "DeleteOptions");
        if let Some(propagation) = options.propagation {
            body.set_at(&["propagationPolicy"], propagation.as_str());
        }
        if let Some(uid) = &options.uid {
            body.set_at(&["preconditions", "uid"], uid.clone());
        }
        if options.dry_run {
            body.set_at(&["dryRun"], vec![Value::from("All")]);
        }
        let path = object_path(resource, namespace, name);
        let body = serde_json::to_vec(&body).map_err(|error| ApiError::Config(error.to_string()))?;
        match self.send(Method::DELETE, &path, "application/json", body).await {
            Ok(_) => Ok(true),
            Err(error) if error.is_not_found() => Ok(false),
            Err(error) => Err(error),
        }
    }
}

/// How often a call is made in all while the server turns it away as too busy; then it is the caller's to wait.
const BUSY_TRIES: u32 = 4;

/// A server that is too busy is never waited for longer than this at a time, whatever it asks for.
const LONGEST_BUSY_PAUSE: Duration = Duration::from_secs(2);

/// How long a server that turned a call away asks to be left alone, within bounds.
fn pause_asked(headers: &http::HeaderMap) -> Duration {
    let seconds = headers.get(http::header::RETRY_AFTER).and_then(|value| value.to_str().ok()?.parse().ok());
    Duration::from_secs(seconds.unwrap_or(1)).min(LONGEST_BUSY_PAUSE)
}

fn seconds(time: Duration) -> String {
    format!("{}s", time.as_secs_f64())
}

/// How many objects a page of a list holds: client-go's figure, a balance of round trips and memory.
pub(crate) const PAGE_SIZE: u32 = 500;

/// A list leaves `apiVersion` and `kind` out of its items for built-in kinds.
pub(crate) fn complete(resource: &Resource, mut item: Value) -> Option<Object> {
    let members = item.as_object_mut()?;
    members.insert("apiVersion", resource.gvk.api_version());
    members.insert("kind", resource.gvk.kind.clone());
    Object::try_new(item).ok()
}

fn object_path(resource: &Resource, namespace: &str, name: &str) -> String {
    format!("{}/{}", resource.path(namespace), escape(name))
}

/// Percent-encodes everything but what a path segment or a query value may hold as it is.
pub(crate) fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~:".contains(&byte) {
            escaped.push(char::from(byte));
        } else {
            escaped.push_str(&format!("%{byte:02X}"));
        }
    }
    escaped
}

pub(crate) fn decode(request: &str, body: &[u8]) -> Result<Value, ApiError> {
    serde_json::from_slice(body)
        .map_err(|error| ApiError::Decode { request: request.into(), problem: error.to_string() })
}

fn decode_object(request: &str, body: &[u8]) -> Result<Object, ApiError> {
    Object::try_new(decode(request, body)?)
        .map_err(|error| ApiError::Decode { request: request.into(), problem: error.to_string() })
}

fn config_error(error: &dyn std::error::Error) -> ApiError {
    match ApiError::unreachable(error) {
        ApiError::Unreachable { message } => ApiError::Config(message),
        other => other,
    }
}
