//! `MutatingWebhookConfiguration` and `ValidatingWebhookConfiguration`: services that change and refuse writes.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use windlass_kube::{Map, Str, Value, json_patch, value};

use super::activation::{Activation, Variables, request_of};
use super::expressions::{Compiler, Scope};
use super::matching::{Matched, Matcher};
use super::review::{Client, Unanswered};
use super::validating::{Condition, are_met};
use super::{Attributes, Rounds};
use crate::api::Api;
use crate::api::write::new_uid;
use crate::audit;
use crate::status::Status;
use crate::store::Revision;

/// Where what changes is stored.
pub(super) const MUTATING: &str = "admissionregistration.k8s.io/mutatingwebhookconfigurations";

/// Where what refuses is stored.
pub(super) const VALIDATING: &str = "admissionregistration.k8s.io/validatingwebhookconfigurations";

/// How long a webhook may take that does not say, in seconds.
const DEFAULT_TIMEOUT: u64 = 10;

/// A webhook of a configuration.
#[derive(Debug)]
pub(super) struct Hook {
    /// Tells it apart from all others.
    key: String,
    configuration: String,
    name: String,
    ignores_failures: bool,
    looks_again: bool,
    /// Whether it may be called when nothing is to be written.
    takes_dry_runs: bool,
    timeout: Duration,
    matcher: Matcher,
    conditions: Vec<Condition>,
    client: Client,
    /// The version of `AdmissionReview` that it is asked in, where it takes one that is known.
    version: Option<Str>,
}

/// The webhooks of each configuration, ready to be called.
pub(super) type Hooks = Arc<Vec<Hook>>;

/// What was made of the configurations that are stored.
pub(super) type Known = Mutex<HashMap<Str, (Revision, Hooks)>>;

/// Why there is no consent.
enum Refusal {
    /// The webhook could not be asked, which may be let pass.
    Failed(String),
    /// It refuses, or the request cannot be.
    Refused(Status),
}

/// What a webhook answered that consents.
struct Consent {
    patch: Option<Value>,
    warnings: Vec<String>,
}

pub(super) fn compile(configuration: &Value) -> Vec<Hook> {
    let configuration_name = configuration.str_at(&["metadata", "name"]).unwrap_or_default();
    let hooks = configuration.items_at(&["webhooks"]).iter().zip(0..);
    hooks.map(|(hook, idx)| Hook::new(configuration_name, hook, idx)).collect()
}

impl Hook {
    fn new(configuration: &str, hook: &Value, idx: usize) -> Self {
        let text = |key: &str| hook.str_at(&[key]).unwrap_or_default();
        let scope = Scope { params: false, authorizer: true, patches: false };
        let seconds = hook.int_at(&["timeoutSeconds"]).and_then(|seconds| u64::try_from(seconds).ok());
        let versions = hook.items_at(&["admissionReviewVersions"]).iter().filter_map(Value::as_str);
        Self {
            key: format!("{configuration}/{}/{idx}", text("name")),
            configuration: configuration.to_owned(),
            name: text("name").to_owned(),
            ignores_failures: text("failurePolicy") == "Ignore",
            looks_again: text("reinvocationPolicy") == "IfNeeded",
            takes_dry_runs: matches!(text("sideEffects"), "None" | "NoneOnDryRun"),
            timeout: Duration::from_secs(seconds.unwrap_or(DEFAULT_TIMEOUT)),
            matcher: Matcher::of_webhook(hook),
            conditions: Condition::compile_all(
                hook.items_at(&["matchConditions"]),
                &Compiler::plain(),
                scope,
            ),
            client: Client::new(hook.get("clientConfig").unwrap_or(&Value::Null)),
            version: versions.filter(|version| matches!(*version, "v1" | "v1beta1")).map(Str::new).next(),
        }
    }

    /// What the request is to the webhook, if it is to be asked.
    async fn is_meant(&self, api: &Api, attributes: &Attributes<'_>) -> Result<Option<Matched>, Status> {
        let Some(matched) = self.matcher.matches(api, attributes)? else { return Ok(None) };
        if self.conditions.is_empty() {
            return Ok(Some(matched));
        }
        let at = attributes.at_kind(api, &matched.kind).await?;
        let activation = Activation::new(api, &at, &attributes.resource.gvr, &matched.kind, None, None);
        match are_met(&self.conditions, &Variables::from([]), &activation) {
            Ok(true) => Ok(Some(matched)),
            Ok(false) => Ok(None),
            Err(_) if self.ignores_failures => Ok(None),
            Err(why) => Err(Status::forbidden(&attributes.resource.group_resource(), attributes.name, why)),
        }
    }

    /// Asks the webhook.
    async fn ask(
        &self,
        api: &Api,
        attributes: &Attributes<'_>,
        matched: &Matched,
        is_mutating: bool,
    ) -> Result<Consent, Refusal> {
        if attributes.dry_run && !self.takes_dry_runs {
            let why = format!("admission webhook {:?} does not support dry run", self.name);
            return Err(Refusal::Refused(Status::bad_request(why)));
        }
        let Some(version) = &self.version else {
            let why = "could not create admission objects: webhook does not accept known AdmissionReview versions (v1, v1beta1)";
            return Err(Refusal::Failed(why.into()));
        };
        let uid = new_uid();
        let at = attributes.at_kind(api, &matched.kind).await.map_err(unconverted)?;
        let mut request = request_of(api, &at, &matched.resource, &matched.kind);
        request.set_at(&["uid"], uid.clone());
        request.set_at(&["object"], at.object.clone().unwrap_or_default());
        request.set_at(&["oldObject"], at.old.clone().unwrap_or_default());
        let api_version = format!("admission.k8s.io/{version}");
        let review =
            value!({"kind": "AdmissionReview", "apiVersion": (api_version.as_str()), "request": request});
        let answer = self.client.post(api, &review, self.timeout).await;
        let answer =
            answer.map_err(|Unanswered(why)| Refusal::Failed(format!("failed to call webhook: {why}")))?;
        let response = checked(&answer, &uid, &api_version, is_mutating)
            .map_err(|why| Refusal::Failed(format!("received invalid webhook response: {why}")))?;
        let warnings =
            response.items_at(&["warnings"]).iter().filter_map(Value::as_str).map(str::to_owned).collect();
        let said = response.get("auditAnnotations").and_then(Value::as_object);
        for (key, text) in said.into_iter().flat_map(|said| said.iter()) {
            let text = text.as_str().unwrap_or_default();
            audit::annotate(|| format!("{}/{key}", self.name), || text.to_owned());
        }
        if response.bool_at(&["allowed"]) != Some(true) {
            let status = refusal(&self.name, response.get("status"));
            return Err(Refusal::Refused(status.warned(warnings)));
        }
        let patch = match response.str_at(&["patch"]).filter(|patch| is_mutating && !patch.is_empty()) {
            None => None,
            Some(encoded) => {
                let bytes = STANDARD.decode(encoded).unwrap_or_default();
                let patch = serde_json::from_slice(&bytes).map_err(|error| {
                    let why = crate::http::go_json_error(&bytes, &error);
                    Refusal::Failed(format!("received undecodable patch in webhook response: {why}"))
                })?;
                Some(patch)
            }
        };
        Ok(Consent { patch, warnings })
    }

    /// Tells the audit log whether the webhook changed the object, and how.
    fn tell(&self, place: &str, is_changed: bool, patch: Option<&Value>) {
        let named = format!("{{\"configuration\":{:?},\"webhook\":{:?}", self.configuration, self.name);
        audit::annotate(
            || format!("mutation.webhook.admission.k8s.io/{place}"),
            || format!("{named},\"mutated\":{is_changed}}}"),
        );
        if let Some(patch) = patch {
            audit::annotate_request(
                || format!("patch.webhook.admission.k8s.io/{place}"),
                || {
                    let patch = serde_json::to_string(patch).unwrap_or_default();
                    format!("{named},\"patch\":{patch},\"patchType\":\"JSONPatch\"}}")
                },
            );
        }
    }

    /// A failure to ask, as the client is told it.
    fn failure(&self, why: &str) -> Status {
        Status::internal(format!("failed calling webhook {:?}: {why}", self.name))
    }
}

/// What is not converted cannot be asked about.
fn unconverted(status: Status) -> Refusal {
    Refusal::Refused(Status::internal(status.message))
}

/// The response in an answer, if it is one to the request.
fn checked<'a>(
    answer: &'a Value,
    uid: &str,
    api_version: &str,
    is_mutating: bool,
) -> Result<&'a Value, String> {
    let response = answer.get("response").filter(|response| !response.is_null());
    let response = response.ok_or("webhook response was absent")?;
    if api_version.ends_with("/v1") {
        let found = response.str_at(&["uid"]).unwrap_or_default();
        if found != uid {
            return Err(format!("expected response.uid={uid:?}, got {found:?}"));
        }
        let (version, kind) = (
            answer.str_at(&["apiVersion"]).unwrap_or_default(),
            answer.str_at(&["kind"]).unwrap_or_default(),
        );
        if (version, kind) != (api_version, "AdmissionReview") {
            return Err(format!(
                "expected webhook response of {api_version}, Kind=AdmissionReview, got {version}, Kind={kind}"
            ));
        }
        let has_patch = response.str_at(&["patch"]).is_some_and(|patch| !patch.is_empty());
        let patch_type = response.str_at(&["patchType"]);
        let wrong = match (is_mutating, has_patch, patch_type) {
            (true, true, None) => "webhook returned response.patch but not response.patchType",
            (true, false, Some(_)) => "webhook returned response.patchType but not response.patch",
            (true, true, Some("")) => "webhook returned invalid response.patchType of \"\"",
            (false, true, _) => "validating webhook may not return response.patch",
            (false, false, Some(_)) => "validating webhook may not return response.patchType",
            _ => return Ok(response),
        };
        return Err(wrong.into());
    }
    Ok(response)
}

/// What a client is told when a webhook refuses.
fn refusal(name: &str, given: Option<&Value>) -> Status {
    let empty = Value::Object(Map::new());
    let given = given.unwrap_or(&empty);
    let text = |key: &str| given.str_at(&[key]).filter(|text| !text.is_empty());
    let denied = format!("admission webhook {name:?} denied the request");
    let message = match (text("message"), text("reason")) {
        (Some(why), _) | (None, Some(why)) => format!("{denied}: {why}"),
        (None, None) => format!("{denied} without explanation"),
    };
    let code = given.int_at(&["code"]).and_then(|code| u16::try_from(code).ok()).unwrap_or(0).max(400);
    let mut status = Status::new(code, "", message);
    status.details.given = Some(given.clone());
    status
}

fn hooks_of(api: &Api, storage: &str) -> Vec<Hooks> {
    let table = api.store().table(storage);
    if table.is_empty() {
        return Vec::new();
    }
    table.list(None).objects.iter().map(|stored| api.compiled().hooks(storage, stored)).collect()
}

/// Lets every webhook that is meant change the object, one after the other.
///
/// # Errors
///
/// The first refusal.
pub(super) async fn mutate(
    api: &Api,
    attributes: &mut Attributes<'_>,
    rounds: &mut Rounds,
    warnings: &mut Vec<String>,
) -> Result<(), Status> {
    let configurations = hooks_of(api, MUTATING);
    if configurations.is_empty() {
        return Ok(());
    }
    rounds.begin(attributes.object.as_ref());
    for (idx, hook) in configurations.iter().flat_map(|hooks| hooks.iter()).enumerate() {
        let Some(matched) = hook.is_meant(api, attributes).await? else { continue };
        if rounds.is_again && !rounds.is_due(&hook.key) {
            continue;
        }
        let asked = hook.ask(api, attributes, &matched, true).await;
        if let Ok(consent) = &asked {
            warnings.extend(consent.warnings.iter().cloned());
        }
        let place = format!("round_{}_index_{idx}", u8::from(rounds.is_again));
        let patch = match &asked {
            Ok(Consent { patch, .. }) => patch.clone(),
            Err(_) => None,
        };
        let patched = match asked {
            Ok(Consent { patch: Some(patch), .. }) if patch.as_array().is_some_and(|it| !it.is_empty()) => {
                patched(api, attributes, &matched, hook, &patch).await
            }
            Ok(_) => Ok(false),
            Err(refusal) => Err(refusal),
        };
        if let Ok(true) = patched {
            rounds.changed();
        }
        hook.tell(&place, matches!(patched, Ok(true)), patch.filter(|_| patched.is_ok()).as_ref());
        if hook.looks_again {
            rounds.looks_again(hook.key.clone());
        }
        match patched {
            Ok(_) => {}
            Err(Refusal::Failed(_)) if hook.ignores_failures => audit::annotate(
                || format!("failed-open.mutation.webhook.admission.k8s.io/{place}"),
                || hook.name.clone(),
            ),
            Err(Refusal::Failed(why)) => return Err(hook.failure(&why)),
            Err(Refusal::Refused(status)) => return Err(status),
        }
    }
    rounds.end(attributes.object.as_ref(), false);
    Ok(())
}

/// Applies a patch; whether it changed anything.
async fn patched(
    api: &Api,
    attributes: &mut Attributes<'_>,
    matched: &Matched,
    hook: &Hook,
    patch: &Value,
) -> Result<bool, Refusal> {
    let Some(object) = &attributes.object else {
        let why = format!(
            "admission webhook {:?} attempted to modify the object, which is not supported for this operation",
            hook.name
        );
        return Err(Refusal::Refused(Status::internal(why)));
    };
    let at = api.at_kind(attributes.resource, object, &matched.kind).await.map_err(unconverted)?;
    let changed = json_patch::apply(&at, patch).map_err(|error| Refusal::Refused(Status::internal(error)))?;
    let changed = api.at_kind(attributes.resource, &changed, &attributes.kind).await.map_err(unconverted)?;
    let changed = api
        .reread(attributes.resource, changed)
        .map_err(|status| Refusal::Refused(Status::internal(status.message)))?;
    let is_changed = *object != changed;
    attributes.object = Some(changed);
    Ok(is_changed)
}

/// Asks every webhook that is meant, all at once.
///
/// # Errors
///
/// The refusal of the first that refuses, by the order of the configurations.
pub(super) async fn validate(
    api: &Api,
    attributes: &Attributes<'_>,
    warnings: &mut Vec<String>,
) -> Result<(), Status> {
    let configurations = hooks_of(api, VALIDATING);
    let mut meant = Vec::new();
    for hook in configurations.iter().flat_map(|hooks| hooks.iter()) {
        if let Some(matched) = hook.is_meant(api, attributes).await? {
            meant.push((hook, matched));
        }
    }
    let asked = meant.iter().map(|(hook, matched)| hook.ask(api, attributes, matched, false));
    let answers = futures_util::future::join_all(asked).await;
    let mut refused = None;
    for (((hook, _), answer), idx) in meant.iter().zip(answers).zip(0..) {
        match answer {
            Ok(consent) => warnings.extend(consent.warnings),
            Err(Refusal::Failed(_)) if hook.ignores_failures => audit::annotate(
                || format!("failed-open.validating.webhook.admission.k8s.io/round_0_index_{idx}"),
                || hook.name.clone(),
            ),
            Err(Refusal::Failed(why)) => {
                refused.get_or_insert_with(|| hook.failure(&why));
            }
            Err(Refusal::Refused(status)) => {
                refused.get_or_insert(status);
            }
        }
    }
    refused.map_or(Ok(()), Err)
}
