//! Requests on resources: from method, path and body to the verb of the API.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::stream;
use http::{Method, Response, header};
use windlass_kube::{Str, Value, value};

use super::accept::{Accepted, Form, Media, is_routed};
use super::body::Body;
use super::path::{Query, Target};
use super::present::{self, Included};
use super::{answer, duplicates, header_text, json_error, reviews};
use crate::api::watch::{Next, Told, bookmark};
use crate::api::{
    Api, DeleteOptions, Deleted, FieldValidation, ListOptions, Patch, Propagation, Watch, WatchOptions,
    WriteOptions, Written,
};
use crate::audit;
use crate::authorize::{Attributes, authorize};
use crate::protobuf;
use crate::resource::{Gvr, Resource};
use crate::status::{Cause, Status};
use crate::store::{PIECE_BYTES, watch_line};

/// How often a watch that wants bookmarks gets one; kube-apiserver sends one a minute.
const BOOKMARK_EVERY: Duration = Duration::from_secs(60);

/// How long a watch lasts that does not say; kube-apiserver chooses between 30 and 60 minutes.
const WATCH_FOR: Duration = Duration::from_secs(45 * 60);

/// What bodies may be.
const BODY_TYPES: [&str; 3] = ["application/json", "application/yaml", "application/vnd.kubernetes.protobuf"];

/// What streams of events may be.
const STREAMS: [&str; 2] =
    ["application/json;stream=watch", "application/vnd.kubernetes.protobuf;stream=watch"];

/// One request on a resource.
pub(super) struct Call {
    pub(super) api: Api,
    pub(super) target: Target,
    pub(super) query: Query,
    pub(super) parts: http::request::Parts,
    pub(super) body: Bytes,
    /// What the answer may be given as.
    pub(super) accepted: Option<Accepted>,
}

impl Call {
    pub(super) async fn answer(self) -> Result<Response<Body>, Status> {
        let deprecated = self.target.gvr == Gvr::new("", "v1", "endpoints") && !self.query.flag("watch");
        let custom = self.api.resource(&self.target.gvr).ok().and_then(|resource| resource.custom.clone());
        let warning = custom.and_then(|custom| custom.deprecation.clone());
        let response = self.answer_plainly().await;
        if let Some(warning) = warning {
            return response.map(|response| answer::warn(response, &[warning]));
        }
        if deprecated {
            audit::annotate(|| "k8s.io/deprecated".into(), || "true".into());
            let warning =
                "v1 Endpoints is deprecated in v1.33+; use discovery.k8s.io/v1 EndpointSlice".to_owned();
            return response.map(|response| answer::warn(response, &[warning]));
        }
        response
    }

    async fn answer_plainly(self) -> Result<Response<Body>, Status> {
        let resource = match self.api.resource(&self.target.gvr) {
            Ok(resource) => resource,
            Err(status) => {
                self.authorize(&self.target.gvr, self.target.namespace.as_deref().unwrap_or_default())?;
                // Below a group that is not served, or is one of definitions, nothing is routed at all.
                let (gvr, resources) = (&self.target.gvr, self.api.registry().current());
                let is_routed = |one: &Arc<Resource>| one.gvr.group == gvr.group && one.custom.is_none();
                let known = gvr.group.is_empty() || resources.iter().any(is_routed);
                return if known { Err(status) } else { Ok(answer::text(404, "404 page not found\n")) };
            }
        };
        let verb = self.verb();
        let namespace = self.namespace(&resource);
        self.authorize(&resource.gvr, &namespace)?;
        if !self.target.subresource.is_empty() {
            return self.answer_subresource(&resource, &namespace).await;
        }
        if !resource.has_verb(verb) {
            return Err(method_not_allowed());
        }
        if resource.namespaced && self.target.namespace.is_none() && self.target.name.is_some() {
            return match resource.custom {
                Some(_) => Ok(answer::text(404, "404 page not found\n")),
                None => Err(Status::no_such_resource()),
            };
        }
        self.accepted()?;
        match (verb, self.target.name.as_deref()) {
            ("get", Some(name)) => self.get(&resource, &namespace, name).await,
            ("list", None) => self.list(&resource).await,
            ("watch", None) => self.watch(&resource),
            ("create", None) if resource.namespaced && self.target.namespace.is_none() => {
                Err(method_not_allowed())
            }
            ("create", None) if !resource.has_verb("get") => {
                let review = self.read_value()?;
                audit::request_object(|| {
                    let mut sent = review.clone();
                    if resource.kind.ends_with("AccessReview") && sent.get("status").is_none() {
                        sent.set_at(&["status", "allowed"], false);
                    }
                    sent
                });
                reviews::answer(&self.api, &resource, &namespace, review, self.query.get("fieldManager"))
                    .map(|review| answer::value(201, &review))
            }
            ("create", None) => {
                let (body, mut options) = (self.read_new(&resource)?, self.write_options("")?);
                let twice = self.duplicate_fields(&resource, &body, &mut options)?;
                let written = self.api.create_on(&resource, &namespace, body, &options).await;
                let written = also_warned(written, twice)?;
                self.written(&resource, &written)
            }
            ("update", Some(name)) => {
                let (body, mut options) = (self.read_value()?, self.write_options("")?);
                let twice = self.duplicate_fields(&resource, &body, &mut options)?;
                let written = self.api.update_on(&resource, &namespace, name, body, &options).await;
                let written = also_warned(written, twice)?;
                self.written(&resource, &written)
            }
            ("patch", Some(name)) => {
                let options = self.write_options("")?;
                let patch = self.read_patch(&options)?;
                let written = self.api.patch_on(&resource, &namespace, name, &patch, &options).await?;
                self.written(&resource, &written)
            }
            ("delete", Some(name)) => {
                let options = self.delete_options()?;
                let mut warnings = Vec::new();
                let deleted =
                    self.api.delete_warning(&resource, &namespace, name, &options, &mut warnings).await?;
                Ok(answer::warn(self.deleted(&resource, deleted), &warnings))
            }
            ("deletecollection", None) => {
                let options = self.delete_options()?;
                let namespace = self.target.namespace.as_deref();
                let (which, mut warnings) = (self.list_options(), Vec::new());
                let objects = self
                    .api
                    .delete_collection_warning(&resource, namespace, &which, &options, &mut warnings)
                    .await?;
                let bare = |object: windlass_kube::Object| {
                    let mut value = object.into_value();
                    if resource.custom.is_none() {
                        value.object_mut().remove("apiVersion");
                        value.object_mut().remove("kind");
                    }
                    value
                };
                let items: Vec<Value> = objects.into_iter().map(bare).collect();
                let kind = format!("{}List", resource.kind);
                let api_version = resource.gvr.group_version();
                let revision = self.api.store().revision().to_string();
                let mut list = value!({
                    "apiVersion": api_version, "kind": kind,
                    "metadata": {"resourceVersion": revision}, "items": items
                });
                if resource.custom.is_some() {
                    list.set_at(&["metadata", "continue"], "");
                }
                Ok(answer::warn(answer::value(200, &list), &warnings))
            }
            _ => Err(method_not_allowed()),
        }
    }

    /// Refuses what the user may not do.
    fn authorize(&self, gvr: &Gvr, namespace: &str) -> Result<(), Status> {
        let name = self.target.name.as_deref().unwrap_or_default();
        // A namespace is in itself.
        let is_namespace = gvr.group.is_empty() && gvr.resource == "namespaces";
        let attributes = Attributes {
            verb: self.verb(),
            group: &gvr.group,
            resource: &gvr.resource,
            subresource: &self.target.subresource,
            namespace: if is_namespace { name } else { namespace },
            name,
        };
        authorize(&self.api, &attributes)
    }

    fn verb(&self) -> &'static str {
        super::asked::verb_of(&self.parts.method, self.target.name.is_some(), self.query.flag("watch"))
    }

    fn namespace(&self, resource: &Resource) -> String {
        if resource.namespaced { self.target.namespace.clone().unwrap_or_default() } else { String::new() }
    }

    /// What the answer is given as.
    fn accepted(&self) -> Result<Accepted, Status> {
        let accept = header_text(&self.parts, header::ACCEPT);
        let is_list = self.target.name.is_none() && self.parts.method == Method::GET;
        let streams: &[&str] = if is_list { &STREAMS } else { &[] };
        let custom = self.api.resource(&self.target.gvr).is_ok_and(|resource| resource.custom.is_some());
        if custom {
            return self.accepted.ok_or_else(|| only_accepted(&BODY_TYPES));
        }
        self.accepted.filter(|_| is_routed(accept)).ok_or_else(|| not_acceptable(accept, streams))
    }

    fn form(&self) -> Result<Form, Status> {
        self.accepted().map(|accepted| accepted.form)
    }

    fn included(&self) -> Included {
        Included::parse(self.query.get("includeObject"))
    }

    /// The answer, compressed where the client takes that, and where it is not to be written anew.
    fn compressed(&self, response: Response<Body>, media: Media) -> Response<Body> {
        let accepts_gzip = header_text(&self.parts, header::ACCEPT_ENCODING).contains("gzip");
        let is_written = media.content_type().as_bytes()
            == response.headers().get(header::CONTENT_TYPE).map_or(&b""[..], |it| it.as_bytes());
        answer::maybe_compressed(response, accepts_gzip && is_written)
    }

    async fn get(&self, resource: &Resource, namespace: &str, name: &str) -> Result<Response<Body>, Status> {
        let Accepted { media, form } = self.accepted()?;
        self.check_version_is_number()?;
        let stored = self.api.stored(resource, namespace, name)?;
        let stored = self.api.one_at_version(resource, &stored).await?;
        let response = match (form, media) {
            (Form::Whole, Media::Protobuf) => {
                let object = crate::api::read::presented(resource, &stored).into_value();
                answer::protobuf(200, protobuf::encode(&object).map_err(Status::internal)?)
            }
            (Form::Whole, _) => answer::json(200, crate::api::read::presented_json(resource, &stored)),
            _ => {
                let object = crate::api::read::presented(resource, &stored);
                answer::json(200, present::object(resource, &object, Bytes::new(), form, self.included()))
            }
        };
        Ok(self.compressed(response, media))
    }

    fn list_options(&self) -> ListOptions {
        let revision = self.query.number("resourceVersion");
        let exact = self.query.get("resourceVersionMatch") == "Exact";
        // At any version kube-apiserver answers from memory, with all there is.
        let is_whole = revision == Some(0) && !exact && self.query.get("continue").is_empty();
        ListOptions {
            label_selector: self.query.get("labelSelector").into(),
            field_selector: self.query.get("fieldSelector").into(),
            limit: self
                .query
                .number("limit")
                .and_then(|limit| usize::try_from(limit).ok())
                .filter(|_| !is_whole)
                .unwrap_or(0),
            continue_token: self.query.get("continue").into(),
            resource_version: revision,
            exact,
        }
    }

    /// A read or watch at what is no resource version fails in the store, not before.
    fn check_version_is_number(&self) -> Result<(), Status> {
        let revision = self.query.get("resourceVersion");
        if revision.is_empty() || revision.parse::<u64>().is_ok() {
            return Ok(());
        }
        let why = format!(
            "resourceVersion: Invalid value: {revision:?}: strconv.ParseUint: parsing {revision:?}: invalid syntax"
        );
        Err(Status::new(500, "", why))
    }

    /// What a watch may say of how its resource version is meant.
    fn check_watch_match(&self) -> Result<(), Status> {
        let how = self.query.get("resourceVersionMatch");
        if matches!(how, "" | "NotOlderThan") {
            return Ok(());
        }
        let why = if self.query.get("sendInitialEvents").is_empty() {
            "resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided"
        } else {
            "sendInitialEvents requires setting resourceVersionMatch to NotOlderThan"
        };
        let causes = vec![
            Cause::forbidden("resourceVersionMatch", why),
            not_supported("resourceVersionMatch", &format!("{how:?}"), "\"NotOlderThan\""),
        ];
        Err(Status::invalid("meta.k8s.io", "ListOptions", "", causes))
    }

    /// What must hold of the resource version a list or watch asks for.
    fn check_revision(&self) -> Result<(), Status> {
        let (revision, how) = (self.query.get("resourceVersion"), self.query.get("resourceVersionMatch"));
        if !revision.is_empty() && revision.parse::<u64>().is_err() {
            return Err(Status::bad_request(format!(
                "invalid resource version: resourceVersion: Invalid value: {revision:?}: strconv.ParseUint: parsing {revision:?}: invalid syntax"
            )));
        }
        let forbidden = |detail: &str| {
            Err(Status::invalid_options("ListOptions", Cause::forbidden("resourceVersionMatch", detail)))
        };
        let streams = !self.query.get("sendInitialEvents").is_empty();
        match how {
            "" if streams => {
                forbidden("sendInitialEvents requires setting resourceVersionMatch to NotOlderThan")
            }
            "" => Ok(()),
            _ if !streams && self.query.flag("watch") => {
                forbidden("resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided")
            }
            _ if !streams && revision.is_empty() => {
                forbidden("resourceVersionMatch is forbidden unless resourceVersion is provided")
            }
            "Exact" if revision == "0" => {
                forbidden("resourceVersionMatch \"exact\" is forbidden for resourceVersion \"0\"")
            }
            "Exact" | "NotOlderThan" => Ok(()),
            other => Err(Status::invalid_options(
                "ListOptions",
                not_supported(
                    "resourceVersionMatch",
                    &format!("{other:?}"),
                    "\"Exact\", \"NotOlderThan\", \"\"",
                ),
            )),
        }
    }

    async fn list(&self, resource: &Resource) -> Result<Response<Body>, Status> {
        let Accepted { media, form } = self.accepted()?;
        if !self.query.get("sendInitialEvents").is_empty() {
            let mut causes =
                vec![Cause::forbidden("sendInitialEvents", "sendInitialEvents is forbidden for list")];
            if !self.query.get("resourceVersionMatch").is_empty()
                && self.query.get("resourceVersion").is_empty()
            {
                let why = "resourceVersionMatch is forbidden unless resourceVersion is provided";
                causes.insert(0, Cause::forbidden("resourceVersionMatch", why));
            }
            return Err(Status::invalid("meta.k8s.io", "ListOptions", "", causes));
        }
        self.check_revision()?;
        let limit = self.query.get("limit");
        if !limit.is_empty() && limit.parse::<i64>().is_err() {
            let why = format!("strconv.ParseInt: parsing {limit:?}: invalid syntax");
            return Err(Status::bad_request(why));
        }
        if !self.query.get("continue").is_empty() && !matches!(self.query.get("resourceVersion"), "" | "0") {
            return Err(Status::bad_request(
                "specifying resource version is not allowed when using continue",
            ));
        }
        let namespace = self.target.namespace.as_deref();
        let page = self.api.page_at_version(resource, namespace, &self.list_options()).await?;
        let response = if media == Media::Protobuf && form == Form::Whole {
            answer::protobuf(200, present::protobuf_list(resource, &page).map_err(Status::internal)?)
        } else {
            answer::json(200, present::list(resource, &page, form, self.included()))
        };
        Ok(self.compressed(response, media))
    }

    fn watch(&self, resource: &Arc<Resource>) -> Result<Response<Body>, Status> {
        let Accepted { media, form } = self.accepted()?;
        if media == Media::Yaml {
            return Err(only_accepted(&STREAMS));
        }
        let is_protobuf = media == Media::Protobuf;
        self.check_version_is_number()?;
        self.check_watch_match()?;
        self.check_revision()?;
        let send_initial_events = self.query.flag("sendInitialEvents");
        let options = WatchOptions {
            label_selector: self.query.get("labelSelector").into(),
            field_selector: self.query.get("fieldSelector").into(),
            resource_version: match self.query.number("resourceVersion") {
                // Without what there is, a watch that names no version begins now.
                None | Some(0) if self.query.has("sendInitialEvents") && !send_initial_events => {
                    Some(self.api.store().revision())
                }
                given => given,
            },
            bookmarks: self.query.flag("allowWatchBookmarks"),
            send_initial_events,
        };
        let timeout = self.query.number("timeoutSeconds").map_or(WATCH_FOR, Duration::from_secs);
        let mut response =
            match self.api.watch_on(resource.clone(), self.target.namespace.as_deref(), &options) {
                Ok(watch) => {
                    let until = tokio::time::Instant::now() + timeout;
                    let follower = Follower {
                        watch,
                        form,
                        is_protobuf,
                        included: self.included(),
                        until,
                        next_bookmark: options
                            .bookmarks
                            .then(|| tokio::time::Instant::now() + BOOKMARK_EVERY),
                        ended: false,
                        has_columns: false,
                        rests_until: None,
                    };
                    Response::new(Body::stream(stream::unfold(follower, Follower::step)))
                }
                // What is too old is said in the stream: that is how the client's reflector expects it.
                Err(status) if status.code == 410 => {
                    Response::new(Body::whole(event_of(is_protobuf, "ERROR", &status.to_value())))
                }
                Err(status) => return Err(status),
            };
        let content_type = if is_protobuf { STREAMS[1] } else { "application/json" };
        let content_type = http::HeaderValue::from_static(content_type);
        response.headers_mut().insert(header::CONTENT_TYPE, content_type);
        let cache = http::HeaderValue::from_static("no-cache, private");
        response.headers_mut().insert(header::CACHE_CONTROL, cache);
        Ok(response)
    }

    /// Fields that stand twice in the body. Where there are some, what else is said of fields is told with them, in their
    /// order, and not again.
    ///
    /// # Errors
    ///
    /// The refusal, where the client wants to be refused.
    fn duplicate_fields(
        &self,
        resource: &Resource,
        body: &Value,
        options: &mut WriteOptions,
    ) -> Result<Vec<String>, Status> {
        let content_type = header_text(&self.parts, header::CONTENT_TYPE);
        if options.field_validation == FieldValidation::Ignore || content_type.contains("protobuf") {
            return Ok(Vec::new());
        }
        let is_strict = options.field_validation == FieldValidation::Strict;
        let is_yaml = content_type.contains("yaml");
        let mut faults = if is_yaml {
            yaml_duplicates(&self.body)
        } else {
            duplicates::find(&self.body).iter().map(|field| format!("duplicate field {field:?}")).collect()
        };
        if faults.is_empty() {
            return Ok(faults);
        }
        if is_yaml && !is_strict {
            let lines = faults.iter().flat_map(|fault| fault.lines().skip(1));
            faults = lines.map(|line| line.trim().to_owned()).collect();
        }
        let unknown = crate::api::write::unknown_fields(resource, body.clone());
        faults.extend(unknown);
        if !is_yaml {
            let order = duplicates::fields(&self.body);
            faults.sort_by_key(|fault| {
                let field = fault.split('"').nth(1).unwrap_or_default();
                order.iter().position(|known| known == field)
            });
        }
        if is_strict {
            let (kind, version) = (&resource.kind, &resource.gvr.version);
            return Err(Status::bad_request(format!(
                "{kind} in version {version:?} cannot be handled as a {kind}: strict decoding error: {}",
                faults.join(", ")
            )));
        }
        options.field_validation = FieldValidation::Ignore;
        Ok(faults)
    }

    /// The object in the body, in whichever format it was sent.
    pub(super) fn read_value(&self) -> Result<Value, Status> {
        let content_type = header_text(&self.parts, header::CONTENT_TYPE);
        match content_type.split(';').next().unwrap_or_default().trim() {
            "" | "application/json" | "*/*" | "application/x-www-form-urlencoded" => read_json(&self.body),
            "application/yaml" => read_yaml(&self.body),
            "application/vnd.kubernetes.protobuf" => protobuf::decode(&self.body)
                .map_err(|error| Status::bad_request(format!("unable to decode the protobuf body: {error}"))),
            _ => Err(Status::unsupported_media_type(&BODY_TYPES)),
        }
    }

    /// The object in the body of a create, refused as the original refuses what names no kind.
    fn read_new(&self, resource: &Resource) -> Result<Value, Status> {
        let unrecognized = |why: &str, body: &str| {
            Status::bad_request(format!(
                "the object provided is unrecognized (must be of type {}): couldn't get version/kind; json parse error: {why} ({body})",
                resource.kind
            ))
        };
        let shown = || match self.body.as_ref() {
            [] => "<empty>".to_owned(),
            bytes if bytes.iter().all(|byte| byte.is_ascii_graphic() && !matches!(byte, b'[' | b'"')) => {
                String::from_utf8_lossy(bytes).into_owned()
            }
            bytes => bytes.iter().take(64).map(|byte| format!("{byte:02x}")).collect(),
        };
        let value = self.read_value().map_err(|status| {
            match status.message.strip_prefix("couldn't get version/kind; json parse error: ") {
                Some(why) => unrecognized(why, &shown()),
                None => status,
            }
        })?;
        if value.as_object().is_none() && resource.custom.is_none() {
            let why = format!(
                "json: cannot unmarshal {} into Go value of type struct {{ APIVersion string \"json:\\\"apiVersion,omitempty\\\"\"; Kind string \"json:\\\"kind,omitempty\\\"\" }}",
                match value {
                    Value::Int(_) | Value::Float(_) => "number",
                    ref other => other.type_name(),
                }
            );
            return Err(unrecognized(&why, &shown()));
        }
        Ok(value)
    }

    fn read_patch(&self, options: &WriteOptions) -> Result<Patch, Status> {
        let patch = self.read_patch_of_type(options)?;
        audit::request_object(|| match &patch {
            Patch::Json(patch) | Patch::Merge(patch) | Patch::Strategic(patch) | Patch::Apply(patch) => {
                patch.clone()
            }
        });
        Ok(patch)
    }

    fn read_patch_of_type(&self, options: &WriteOptions) -> Result<Patch, Status> {
        let content_type = header_text(&self.parts, header::CONTENT_TYPE);
        let media_type = content_type.split(';').next().unwrap_or_default().trim();
        if options.force && media_type != "application/apply-patch+yaml" {
            let cause = Cause::forbidden("force", "may not be specified for non-apply patch");
            return Err(Status::invalid_options("PatchOptions", cause));
        }
        match media_type {
            "application/json-patch+json" => Ok(Patch::Json(read_patch_json(&self.body)?)),
            "application/merge-patch+json" => Ok(Patch::Merge(read_patch_json(&self.body)?)),
            "application/strategic-merge-patch+json" => serde_json::from_slice(&self.body)
                .map(Patch::Strategic)
                .map_err(|error| Status::bad_request(json_error::in_go(&self.body, &error))),
            "application/apply-patch+yaml" if self.query.get("fieldManager").is_empty() => {
                let cause = Cause::required("fieldManager", "is required for apply patch");
                Err(Status::invalid_options("PatchOptions", cause))
            }
            "application/apply-patch+yaml" => Ok(Patch::Apply(read_yaml(&self.body)?)),
            _ => Err(Status::unknown_patch()),
        }
    }

    /// The name of the options that the request has, for refusals.
    fn options_kind(&self) -> &'static str {
        match self.parts.method {
            Method::POST => "CreateOptions",
            Method::PUT => "UpdateOptions",
            Method::PATCH => "PatchOptions",
            _ => "DeleteOptions",
        }
    }

    fn dry_run(&self) -> Result<bool, Status> {
        match self.query.get("dryRun") {
            "" => Ok(false),
            "All" => Ok(true),
            other => Err(Status::invalid_options(
                self.options_kind(),
                not_supported("dryRun", &format!("[{other:?}]"), "\"All\""),
            )),
        }
    }

    /// What must hold of the name of a field manager.
    fn check_field_manager(&self) -> Result<(), Status> {
        /// How long it may be: `FieldManagerMaxLength` of Kubernetes.
        const LONGEST: usize = 128;
        let manager = self.query.get("fieldManager");
        let refused = |reason, message| {
            let cause = Cause { reason, message, field: "fieldManager".into() };
            Err(Status::invalid_options(self.options_kind(), cause))
        };
        if manager.len() > LONGEST {
            return refused("FieldValueTooLong", format!("Too long: may not be more than {LONGEST} bytes"));
        }
        if let Some((at, bad)) = manager.char_indices().find(|(_, letter)| letter.is_control()) {
            let shown = manager.escape_debug().to_string().replace("\\u{1}", "\\x01");
            let why = format!(
                "Invalid value: \"{shown}\": invalid character U+{:04X} (at position {at})",
                u32::from(bad)
            );
            return refused("FieldValueInvalid", why);
        }
        Ok(())
    }

    pub(super) fn write_options(&self, subresource: &str) -> Result<WriteOptions, Status> {
        let field_validation = match self.query.get("fieldValidation") {
            "Strict" => FieldValidation::Strict,
            "Ignore" => FieldValidation::Ignore,
            "" | "Warn" => FieldValidation::Warn,
            other => {
                let supported = "\"\", \"Ignore\", \"Strict\", \"Warn\"";
                let cause = not_supported("fieldValidation", &format!("{other:?}"), supported);
                return Err(Status::invalid_options(self.options_kind(), cause));
            }
        };
        self.check_field_manager()?;
        Ok(WriteOptions {
            dry_run: self.dry_run()?,
            field_manager: self.query.get("fieldManager").into(),
            field_validation,
            force: self.query.flag("force"),
            subresource: subresource.into(),
            said_field_validation: self.query.get("fieldValidation").into(),
        })
    }

    /// What must hold of the options of a deletion.
    fn check_delete_options(&self, body: &Value) -> Result<(), Status> {
        let refused = |cause| Err(Status::invalid_options("DeleteOptions", cause));
        let policy =
            body.str_at(&["propagationPolicy"]).unwrap_or_else(|| self.query.get("propagationPolicy"));
        if !policy.is_empty() && body.bool_at(&["orphanDependents"]).is_some() {
            let why = "orphanDependents and deletionPropagation cannot be both set";
            return refused(Cause::invalid("propagationPolicy", &Value::from(policy), why));
        }
        if !matches!(policy, "" | "Foreground" | "Background" | "Orphan") {
            let supported = "\"Foreground\", \"Background\", \"Orphan\", \"nil\"";
            return refused(not_supported("propagationPolicy", &format!("{policy:?}"), supported));
        }
        let words = body.items_at(&["dryRun"]);
        if words.iter().any(|word| word.as_str() != Some("All")) {
            let shown = Value::from(words.to_vec());
            return refused(not_supported("dryRun", &format!("{shown:?}"), "\"All\""));
        }
        Ok(())
    }

    fn delete_options(&self) -> Result<DeleteOptions, Status> {
        let body = if self.body.is_empty() { Value::object() } else { self.read_value()? };
        let kind = body.str_at(&["kind"]).unwrap_or_default();
        if !matches!(kind, "" | "DeleteOptions") {
            let version = body.str_at(&["apiVersion"]).unwrap_or_default();
            return Err(Status::bad_request(format!(
                "no kind {kind:?} is registered for version {version:?} in scheme \"pkg/runtime/scheme.go:111\""
            )));
        }
        if !self.body.is_empty() {
            audit::request_object(|| said(&body));
        }
        self.check_delete_options(&body)?;
        // Who says something in the body says nothing in the path.
        let said = |key: &str| if self.body.is_empty() { self.query.get(key) } else { "" };
        let propagation = match body
            .str_at(&["propagationPolicy"])
            .filter(|policy| !policy.is_empty())
            .unwrap_or_else(|| said("propagationPolicy"))
        {
            "Orphan" => Some(Propagation::Orphan),
            "Background" => Some(Propagation::Background),
            "Foreground" => Some(Propagation::Foreground),
            _ if body.bool_at(&["orphanDependents"]) == Some(true) => Some(Propagation::Orphan),
            _ => None,
        };
        let grace = body.int_at(&["gracePeriodSeconds"]);
        let precondition =
            |key: &str| body.str_at(&["preconditions", key]).filter(|text| !text.is_empty()).map(Str::new);
        let dry_run = body.items_at(&["dryRun"]).iter().any(|word| word.as_str() == Some("All"));
        let is_asked = self.dry_run()?;
        Ok(DeleteOptions {
            dry_run: dry_run || (is_asked && self.body.is_empty()),
            propagation,
            grace_period_seconds: grace.or_else(|| said("gracePeriodSeconds").parse().ok()),
            uid: precondition("uid"),
            resource_version: precondition("resourceVersion"),
            of_many: false,
            is_admitted: false,
        })
    }

    fn written(&self, resource: &Resource, written: &Written) -> Result<Response<Body>, Status> {
        let form = self.form()?;
        let code = if written.created { 201 } else { 200 };
        let json = present::object(resource, &written.object, written.json.clone(), form, self.included());
        Ok(answer::warn(answer::json(code, json), &written.warnings))
    }

    fn deleted(&self, resource: &Resource, deleted: Deleted) -> Response<Body> {
        let object = match deleted {
            Deleted::Terminating(object) => return answer::value(200, &object.into_value()),
            Deleted::Gone(object) => object,
        };
        if returns_deleted(resource) {
            return answer::value(200, &object.into_value());
        }
        let mut details = Value::object();
        details.set_at(&["name"], object.name());
        if !resource.gvr.group.is_empty() {
            details.set_at(&["group"], resource.gvr.group.clone());
        }
        details.set_at(&["kind"], resource.gvr.resource.clone());
        details.set_at(&["uid"], object.uid());
        answer::value(
            200,
            &value!({
                "kind": "Status", "apiVersion": "v1", "metadata": (windlass_kube::Map::new()),
                "status": "Success", "details": details
            }),
        )
    }

    async fn answer_subresource(
        &self,
        resource: &Arc<Resource>,
        namespace: &str,
    ) -> Result<Response<Body>, Status> {
        let Some(name) = self.target.name.as_deref() else { return Err(Status::no_such_resource()) };
        let subresource = self.target.subresource.as_str();
        let Some(known) = resource.subresource(subresource) else {
            let of_custom = resource.custom.is_some() && matches!(subresource, "status" | "scale");
            let named = Status::not_found(&resource.group_resource(), name);
            return Err(if of_custom { named } else { Status::no_such_resource() });
        };
        let method = &self.parts.method;
        if !matches!(subresource, "log" | "exec" | "attach" | "portforward" | "proxy") {
            self.accepted()?;
        }
        if subresource == "scale" && !known.kind.group.is_empty() {
            return self.answer_scale(resource, namespace, name).await;
        }
        match (subresource, method) {
            ("log", &Method::GET) => self.log(resource, namespace, name),
            ("exec" | "attach" | "portforward" | "proxy", _) => {
                self.connect(resource, known, (namespace, name)).await
            }
            ("eviction", &Method::POST) => self.evict(resource, known, (namespace, name)).await,
            ("binding", &Method::POST) => self.bind(resource, known, (namespace, name)).await,
            ("token", &Method::POST) => {
                let body = self.read_value()?;
                audit::request_object(|| body.clone());
                let options = self.write_options(subresource)?;
                let (token, warnings) =
                    reviews::token(&self.api, resource, known, (namespace, name), body, &options).await?;
                Ok(answer::warn(answer::value(201, &token), &warnings))
            }
            (_, &Method::GET) => self.get(resource, namespace, name).await,
            (_, &Method::PUT) => {
                let body = self.read_value()?;
                let options = self.write_options(subresource)?;
                let written = self.api.update_on(resource, namespace, name, body, &options).await?;
                self.written(resource, &written)
            }
            (_, &Method::PATCH) => {
                let options = self.write_options(subresource)?;
                let patch = self.read_patch(&options)?;
                let written = self.api.patch_on(resource, namespace, name, &patch, &options).await?;
                self.written(resource, &written)
            }
            _ => Err(method_not_allowed()),
        }
    }

    async fn answer_scale(
        &self,
        resource: &Arc<Resource>,
        namespace: &str,
        name: &str,
    ) -> Result<Response<Body>, Status> {
        let options = self.write_options("scale")?;
        let scale = match self.parts.method {
            Method::GET => self.api.scale(resource, namespace, name).await?,
            Method::PUT => {
                let body = self.read_value()?;
                audit::request_object(|| body.clone());
                self.api.set_scale(resource, namespace, name, &options, |_| Ok(body.clone())).await?
            }
            Method::PATCH => {
                let patch = self.read_patch(&options)?;
                if let Patch::Apply(applied) = &patch {
                    let scale = self.api.apply_scale(resource, namespace, name, &options, applied).await?;
                    return self.scaled(&scale);
                }
                self.api
                    .set_scale(resource, namespace, name, &options, |scale| match &patch {
                        Patch::Json(patch) => windlass_kube::json_patch::apply(scale, patch)
                            .map_err(|error| Status::bad_request(error.to_string())),
                        Patch::Merge(patch) | Patch::Strategic(patch) | Patch::Apply(patch) => {
                            Ok(windlass_kube::merge_patch::apply(scale, patch))
                        }
                    })
                    .await?
            }
            _ => return Err(method_not_allowed()),
        };
        self.scaled(&scale)
    }

    fn scaled(&self, scale: &Value) -> Result<Response<Body>, Status> {
        let is_table = self.form()? == Form::Table;
        Ok(if is_table {
            answer::value(200, &present::scale_table(scale))
        } else {
            answer::value(200, scale)
        })
    }

    /// Nothing runs here, so there is nothing to read: as a cluster answers before a pod is scheduled.
    fn log(&self, resource: &Resource, namespace: &str, name: &str) -> Result<Response<Body>, Status> {
        let pod = self.api.stored(resource, namespace, name)?.object();
        let container = self.query.get("container");
        let value = pod.to_value();
        let known = ["containers", "initContainers", "ephemeralContainers"].iter().any(|list| {
            value.items_at(&["spec", list]).iter().any(|one| one.str_at(&["name"]) == Some(container))
        });
        if !container.is_empty() && !known {
            return Err(Status::bad_request(format!("container {container} is not valid for pod {name}")));
        }
        if pod.str_at(&["spec", "nodeName"]).is_empty() {
            return Ok(answer::nothing());
        }
        Ok(answer::text(200, "This pod is simulated: no container runs, and there is no log.\n"))
    }
}

/// What a write did, or why it was refused, with warnings that come before all others.
fn also_warned(written: Result<Written, Status>, warnings: Vec<String>) -> Result<Written, Status> {
    match written {
        Ok(mut written) => {
            written.warnings.splice(0..0, warnings);
            Ok(written)
        }
        Err(status) => Err(status.warned(warnings)),
    }
}

fn not_supported(field: &str, value: &str, supported: &str) -> Cause {
    Cause {
        reason: "FieldValueNotSupported",
        message: format!("Unsupported value: {value}: supported values: {supported}"),
        field: field.into(),
    }
}

/// The kinds whose deletion answers with the object: `ReturnDeletedObject` in kube-apiserver 1.36's registry.
fn returns_deleted(resource: &Resource) -> bool {
    match resource.gvr.group.as_str() {
        "" => matches!(
            resource.gvr.resource.as_str(),
            "pods"
                | "services"
                | "serviceaccounts"
                | "persistentvolumes"
                | "persistentvolumeclaims"
                | "podtemplates"
                | "resourcequotas"
                | "namespaces"
        ),
        "storage.k8s.io" => resource.gvr.resource != "csistoragecapacities",
        "resource.k8s.io" => true,
        _ => false,
    }
}

/// The options of a deletion as they are told.
fn said(body: &Value) -> Value {
    let mut said = body.clone();
    said.set_at(&["kind"], "DeleteOptions");
    // The original tells of them in the version that it has them in itself.
    said.set_at(&["apiVersion"], "meta.k8s.io/__internal");
    said
}

pub(super) fn success() -> Value {
    value!({"kind": "Status", "apiVersion": "v1", "metadata": (windlass_kube::Map::new()), "status": "Success", "code": 201})
}

fn method_not_allowed() -> Status {
    Status::new(405, "MethodNotAllowed", "the server does not allow this method on the requested resource")
}

pub(super) fn read_json(bytes: &[u8]) -> Result<Value, Status> {
    serde_json::from_slice(bytes).map_err(|error| {
        let why = json_error::in_go(bytes, &error);
        Status::bad_request(format!("couldn't get version/kind; json parse error: {why}"))
    })
}

fn read_patch_json(bytes: &[u8]) -> Result<Value, Status> {
    serde_json::from_slice(bytes).map_err(|error| {
        Status::bad_request(format!("error decoding patch: {}", json_error::in_go(bytes, &error)))
    })
}

/// What is said of keys that stand twice in a map.
fn yaml_duplicates(bytes: &[u8]) -> Vec<String> {
    let options = windlass_yaml::LoadOptions { strict: true, ..windlass_yaml::LoadOptions::default() };
    match std::str::from_utf8(bytes).map(|text| windlass_yaml::load_with(text, &options)) {
        Ok(Err(error)) if error.kind() == windlass_yaml::YamlErrorKind::Duplicate => vec![error.to_string()],
        _ => Vec::new(),
    }
}

fn read_yaml(bytes: &[u8]) -> Result<Value, Status> {
    // Clients send JSON as YAML: reading it as what it is saves time.
    if bytes.first() == Some(&b'{')
        && let Ok(value) = serde_json::from_slice(bytes)
    {
        return Ok(value);
    }
    let text =
        std::str::from_utf8(bytes).map_err(|_| Status::bad_request("error decoding YAML: not UTF-8"))?;
    windlass_yaml::load(text).map_err(|error| {
        Status::bad_request(format!("error decoding YAML: error converting YAML to JSON: {error}"))
    })
}

/// A watch event around an object, in one of the two ways to write it.
fn event_of(is_protobuf: bool, kind: &str, object: &Value) -> Bytes {
    match protobuf::encode(object) {
        Ok(written) if is_protobuf => protobuf::frame(kind, &written),
        _ => watch_line(kind, &answer::json_bytes(object)),
    }
}

/// Nothing of what the client takes can be given; `streams` are the other types that the path has.
pub(super) fn not_acceptable(accept: &str, streams: &[&str]) -> Status {
    if is_routed(accept) {
        only_accepted(&BODY_TYPES)
    } else {
        Status::not_acceptable(&[&BODY_TYPES[..], streams].concat())
    }
}

fn only_accepted(media_types: &[&str]) -> Status {
    let why = format!("only the following media types are accepted: {}", media_types.join(", "));
    let mut status = Status::new(406, "NotAcceptable", why);
    status.details.hidden = true;
    status
}

/// A watch as it is sent.
struct Follower {
    watch: Watch,
    form: Form,
    is_protobuf: bool,
    included: Included,
    until: tokio::time::Instant,
    next_bookmark: Option<tokio::time::Instant>,
    ended: bool,
    /// Whether a table has said what its columns are: only the first does.
    has_columns: bool,
    /// Nothing more is sent before that.
    rests_until: Option<tokio::time::Instant>,
}

/// Among how many watches of one resource what they are told is made once for all. Fewer are told as soon with less.
const SHARED_AMONG: usize = 8;

/// How long a watch rests after each piece, where so many follow one resource: about as long as telling all of them
/// takes. Then a storm of changes goes out in fewer and larger pieces, and each comes sooner; what comes after a while
/// without news goes out at once, and where few follow there is no rest.
fn rest_among(n_followers: usize) -> Option<Duration> {
    /// What one piece costs on both sides, however little is in it: waking up, encrypting, calls of the system.
    const PIECE_COST: Duration = Duration::from_micros(20);
    const LONGEST: Duration = Duration::from_millis(25);
    const FEW: usize = 100;
    let n_others = u32::try_from(n_followers).unwrap_or(u32::MAX);
    (n_followers >= FEW).then(|| PIECE_COST.saturating_mul(n_others).min(LONGEST))
}

impl Follower {
    /// The next piece of the stream: one event, and those that are ready behind it.
    async fn step(mut self) -> Option<(Bytes, Self)> {
        if self.ended {
            return None;
        }
        if let Some(until) = self.rests_until.take() {
            tokio::time::sleep_until(until).await;
        }
        let mut bookmark_at = self.next_bookmark.unwrap_or(self.until);
        let shares =
            self.form == Form::Whole && self.watch.shares() && self.watch.n_followers() >= SHARED_AMONG;
        let told = loop {
            tokio::select! {
                biased;
                told = self.watch.next_of(shares.then_some(self.is_protobuf)) => break told,
                () = tokio::time::sleep_until(self.until.min(bookmark_at)) => {
                    if tokio::time::Instant::now() >= self.until {
                        return None;
                    }
                    bookmark_at = tokio::time::Instant::now() + BOOKMARK_EVERY;
                    self.next_bookmark = Some(bookmark_at);
                    // None while something that came before is still to be told.
                    if let Some(revision) = self.watch.progress() {
                        break Ok(Next::Told(Told::Bookmark { revision, initial: false }));
                    }
                }
            }
        };
        match told {
            Ok(Next::Piece(piece)) => {
                // There is more already: a long list is not told slowly.
                self.rest(piece.is_full);
                Some((piece.bytes, self))
            }
            Ok(Next::Told(told)) => {
                self.rest(false);
                let first = self.line(&told);
                let Some(second) = self.watch.told_now() else { return Some((first, self)) };
                let mut piece = first.to_vec();
                piece.extend_from_slice(&self.line(&second));
                while piece.len() < PIECE_BYTES {
                    let Some(told) = self.watch.told_now() else { break };
                    piece.extend_from_slice(&self.line(&told));
                }
                if piece.len() >= PIECE_BYTES {
                    self.rests_until = None;
                }
                Some((piece.into(), self))
            }
            Err(status) => {
                self.ended = true;
                Some((event_of(self.is_protobuf, "ERROR", &status.to_value()), self))
            }
        }
    }

    /// Rests after a piece, unless there is more to tell.
    fn rest(&mut self, is_more: bool) {
        let rest = if is_more { None } else { rest_among(self.watch.n_followers()) };
        self.rests_until = rest.map(|rest| tokio::time::Instant::now() + rest);
    }

    fn line(&mut self, told: &Told) -> Bytes {
        if self.form == Form::Whole {
            return if self.is_protobuf { self.watch.frame(told) } else { self.watch.line(told) };
        }
        let resource = &self.watch.resource().clone();
        match told {
            Told::Bookmark { revision, initial } => {
                let object = bookmark(resource, *revision, *initial).to_value();
                let metadata = object.get("metadata").cloned().unwrap_or_default();
                let shown = match self.form {
                    Form::Table => value!({
                        "kind": "Table", "apiVersion": "meta.k8s.io/v1",
                        "metadata": {"resourceVersion": (revision.to_string())}, "columnDefinitions": [],
                        "rows": [{"cells": [], "object": {"kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1", "metadata": metadata}}]
                    }),
                    _ => value!({
                        "kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1", "metadata": metadata
                    }),
                };
                event_of(self.is_protobuf, "BOOKMARK", &shown)
            }
            Told::Initial(_) | Told::Change(..) => {
                let kind = match told {
                    Told::Change(_, kind, _) => kind.as_str(),
                    _ => "ADDED",
                };
                let Some(object) = self.watch.told_object(told) else { return Bytes::new() };
                let mut shown = present::event_object(resource, &object, self.form, self.included);
                if self.form == Form::Table && std::mem::replace(&mut self.has_columns, true) {
                    shown.set_at(&["columnDefinitions"], Value::Null);
                }
                event_of(self.is_protobuf, kind, &shown)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn watches_rest_only_among_many_and_never_for_long() {
        let millis = |n_followers| rest_among(n_followers).map(|rest| rest.as_millis());
        assert_eq!(
            [1, 99, 100, 1000, 2000, usize::MAX].map(millis),
            [None, None, Some(2), Some(20), Some(25), Some(25)]
        );
    }
}
