//! Conversion by webhook: versions of a custom resource that differ in more than their name.
//!
//! Facts and words: `k8s.io/apiextensions-apiserver` v0.36.3, package `apiserver/conversion`.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use windlass_kube::{Gvk, Map, Object, Str, Value, strategic, validation, value};

use crate::admission::{Client, Unanswered};
use crate::api::Api;
use crate::api::write::new_uid;
use crate::status::Status;
use crate::store::{Key, Revision, Stored};

/// How long the webhook may take: what kube-apiserver 1.36 gives it.
const TIMEOUT: Duration = Duration::from_secs(30);

/// How many objects one review holds: an answer is of bounded size, and the larger a review the later its first object.
const MAX_OBJECTS_OF_REVIEW: usize = 256;

/// How many converted objects are kept, so that each watcher of a version does not ask for them anew.
const MAX_KEPT: usize = 4096;

/// The webhook that converts the objects of a definition.
#[derive(Debug)]
pub(crate) struct Conversion {
    client: Client,
    /// The version of `ConversionReview` that it is asked in.
    review: Option<&'static str>,
    kept: Mutex<Kept>,
}

/// What an object at a revision is at another version, by its key and that version.
type Kept = HashMap<(Key, Str), (Revision, Arc<Stored>)>;

impl Conversion {
    /// Reads `spec.conversion` of a definition; nothing where its versions differ in their name alone.
    pub(super) fn of_definition(spec: &Value) -> Option<Self> {
        let conversion = spec.get("conversion").filter(|it| it.str_at(&["strategy"]) == Some("Webhook"))?;
        let versions = conversion.items_at(&["webhook", "conversionReviewVersions"]);
        Some(Self {
            client: Client::new(conversion.at(&["webhook", "clientConfig"]).unwrap_or(&Value::Null)),
            review: versions.iter().find_map(|version| match version.as_str() {
                Some("v1") => Some("v1"),
                Some("v1beta1") => Some("v1beta1"),
                _ => None,
            }),
            kept: Mutex::default(),
        })
    }

    /// Stored objects at another version, each still at its key and revision.
    ///
    /// # Errors
    ///
    /// When the webhook fails for one of them.
    pub(crate) async fn at_version(
        &self,
        api: &Api,
        mut stored: Vec<Arc<Stored>>,
        to: &Gvk,
        finish: impl Fn(&mut Value),
    ) -> Result<Vec<Arc<Stored>>, Status> {
        let mut missing = Vec::new();
        let api_version = to.api_version();
        {
            let kept = self.kept.lock().expect("no panic under this lock");
            for (idx, one) in stored.iter_mut().enumerate() {
                match kept.get(&(one.key().clone(), api_version.clone())) {
                    Some((revision, converted)) if *revision == one.revision() => *one = converted.clone(),
                    _ => missing.push(idx),
                }
            }
        }
        for batch in missing.chunks(MAX_OBJECTS_OF_REVIEW) {
            let objects = batch.iter().map(|idx| stored[*idx].object()).collect();
            let converted = self.convert(api, objects, to).await?;
            let mut kept = self.kept.lock().expect("no panic under this lock");
            if kept.len() + batch.len() > MAX_KEPT {
                kept.clear();
            }
            for (idx, object) in batch.iter().zip(converted) {
                let before = &stored[*idx];
                let mut value = object.into_value();
                finish(&mut value);
                let object = Object::try_new(value).map_err(Status::internal)?;
                let after = Arc::new(Stored::shown(before.key().clone(), before.revision(), object));
                kept.insert((before.key().clone(), api_version.clone()), (before.revision(), after.clone()));
                stored[*idx] = after;
            }
        }
        Ok(stored)
    }

    /// Objects at another version; those that are at it stay as they are.
    ///
    /// # Errors
    ///
    /// When the webhook cannot be asked, refuses, or answers what is no conversion.
    pub(crate) async fn convert(
        &self,
        api: &Api,
        mut objects: Vec<Object>,
        to: &Gvk,
    ) -> Result<Vec<Object>, Status> {
        let to = to.api_version();
        let others: Vec<usize> = (0..objects.len()).filter(|idx| objects[*idx].api_version() != to).collect();
        let Some(first) = others.first() else { return Ok(objects) };
        let gvk = objects[*first].gvk();
        let shown = format!("{}/{}, Kind={}", gvk.group, gvk.version, gvk.kind);
        let failed = |why: String| Status::new(500, "", format!("conversion webhook for {shown} {why}"));
        let Some(review) = self.review else {
            return Err(Status::new(500, "", "no supported conversion review versions"));
        };
        let api_version = format!("apiextensions.k8s.io/{review}");
        let uid = new_uid();
        let sent: Vec<Value> = others.iter().map(|idx| objects[*idx].to_value()).collect();
        let request = value!({
            "kind": "ConversionReview", "apiVersion": (api_version.as_str()),
            "request": {"uid": (uid.clone()), "desiredAPIVersion": (to.clone()), "objects": sent}
        });
        let answer = self.client.post(api, &request, TIMEOUT).await;
        let answer = answer.map_err(|Unanswered(why)| failed(format!("failed: {why}")))?;
        let converted =
            converted_of(&answer, &uid, &api_version).map_err(|why| failed(format!("failed: {why}")))?;
        if converted.len() != others.len() {
            let why = format!("returned {} objects, expected {}", converted.len(), others.len());
            return Err(failed(why));
        }
        for (idx, converted) in others.iter().zip(converted) {
            objects[*idx] = taken(&objects[*idx], converted, &to).map_err(|problem| match problem {
                Problem::Unreadable(why) => Status::new(500, "", why),
                Problem::Object(why) => failed(format!("returned invalid object{why}")),
                Problem::Metadata(why) => failed(format!("returned invalid metadata: {why}")),
            })?;
        }
        Ok(objects)
    }
}

/// The converted objects in an answer, if it is one to the review.
fn converted_of<'a>(answer: &'a Value, uid: &str, api_version: &str) -> Result<&'a [Value], String> {
    let text = |path: &[&str]| answer.str_at(path).unwrap_or_default();
    let is_v1 = api_version.ends_with("/v1");
    if is_v1 && (text(&["apiVersion"]), text(&["kind"])) != (api_version, "ConversionReview") {
        return Err(format!(
            "expected webhook response of {api_version}, Kind=ConversionReview, got {}, Kind={}",
            text(&["apiVersion"]),
            text(&["kind"])
        ));
    }
    if answer.get("response").is_none_or(Value::is_null) {
        return Err("no response provided".into());
    }
    let found = text(&["response", "uid"]);
    if is_v1 && found != uid {
        return Err(format!("expected response.uid={uid:?}, got {found:?}"));
    }
    match (text(&["response", "result", "status"]), text(&["response", "result", "message"])) {
        ("Success", _) => Ok(answer.items_at(&["response", "convertedObjects"])),
        (status, "") => Err(format!("response.result.status was '{status}', not 'Success'")),
        (_, message) => Err(message.to_owned()),
    }
}

/// What is wrong with a converted object.
enum Problem {
    Unreadable(String),
    Object(String),
    Metadata(String),
}

/// A converted object with the metadata of the original, of which it may change labels and annotations only.
fn taken(original: &Object, converted: &Value, to: &str) -> Result<Object, Problem> {
    let text = |path: &[&str]| converted.str_at(path).unwrap_or_default();
    if converted.as_object().is_none() {
        let why = format!(
            "json: cannot unmarshal {} into Go value of type map[string]interface {{}}",
            converted.type_name()
        );
        return Err(Problem::Unreadable(why));
    }
    if text(&["apiVersion"]) != to {
        let why =
            format!(" at index 0: invalid groupVersion (expected {to}, received {})", text(&["apiVersion"]));
        return Err(Problem::Object(why));
    }
    if text(&["kind"]) != original.kind() {
        let why =
            format!(" at index 0: invalid kind (expected {}, received {})", original.kind(), text(&["kind"]));
        return Err(Problem::Object(why));
    }
    for (what, key) in [("name", "name"), ("namespace", "namespace"), ("UID", "uid")] {
        let (before, after) = (original.str_at(&["metadata", key]), text(&["metadata", key]));
        if before != after {
            return Err(Problem::Object(format!(": must have the same {what}: {before} != {after}")));
        }
    }
    let metadata = match converted.get("metadata") {
        None => return Err(Problem::Metadata("missing metadata in converted object".into())),
        Some(Value::Object(metadata)) => metadata,
        Some(other) => {
            let why = format!("invalid metadata of type {} in converted object", strategic::go_type(other));
            return Err(Problem::Metadata(why));
        }
    };
    let mut value = converted.clone();
    let mut kept = original.at(&["metadata"]).cloned().unwrap_or_else(Value::object);
    for key in ["labels", "annotations"] {
        match metadata.get(key) {
            None | Some(Value::Null) => {
                kept.object_mut().remove(key);
            }
            Some(Value::Object(texts)) => {
                check_texts(key, texts, kept.get(key))?;
                kept.set_at(&[key], texts.clone());
            }
            Some(other) => {
                let why = format!(
                    "invalid metadata.{key} of type {} in converted object",
                    strategic::go_type(other)
                );
                return Err(Problem::Metadata(why));
            }
        }
    }
    value.set_at(&["metadata"], kept);
    Object::try_new(value).map_err(|error| Problem::Unreadable(error.to_string()))
}

/// Whether labels or annotations that a webhook changed may be so.
fn check_texts(key: &str, texts: &Map, before: Option<&Value>) -> Result<(), Problem> {
    for (name, text) in texts.iter() {
        if text.as_str().is_none() {
            let why = format!(
                "metadata.{key}[{name}] must be a string, but is {} in converted object",
                strategic::go_type(text)
            );
            return Err(Problem::Metadata(why));
        }
    }
    if before.and_then(Value::as_object) == Some(texts) {
        return Ok(());
    }
    let found = match key {
        "labels" => validation::labels(texts, "metadata.labels"),
        _ => validation::annotations(texts, "metadata.annotation"),
    };
    let found: Vec<String> = found
        .into_iter()
        .map(super::cause_of)
        .map(|cause| format!("{}: {}", cause.field, cause.message))
        .collect();
    match found.as_slice() {
        [] => Ok(()),
        [one] => Err(Problem::Metadata(one.clone())),
        many => Err(Problem::Metadata(format!("[{}]", many.join(", ")))),
    }
}
