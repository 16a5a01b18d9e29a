//! One test of a chart: how it is run, when it has ended, and when it goes.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, anyhow, bail};
use http_body_util::BodyExt as _;
use windlass_argo::Lowered;
use windlass_cluster::{DeleteOptions, Discovery, Resource};
use windlass_kube::{Object, Value};
use windlass_model::tracking;

use crate::session::{MANAGER, Session};

const HOOK: &str = "helm.sh/hook";
const WEIGHT: &str = "helm.sh/hook-weight";
const DELETION: &str = "helm.sh/hook-delete-policy";

/// The first pause between two looks, and the longest.
const PAUSES: [Duration; 2] = [Duration::from_millis(50), Duration::from_millis(500)];

/// The most that is shown of one container's log.
const MAX_LOG_BYTES: usize = 1024 * 1024;

/// Whether an object is a test: Helm's event, under the name it has had since Helm 3 or the one before.
pub(super) fn is_test(object: &Object) -> bool {
    let said = object.annotation(HOOK).unwrap_or_default();
    said.split(',').any(|word| matches!(word.trim(), "test" | "test-success"))
}

/// How a test ended.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Ended {
    Succeeded,
    /// Why it failed.
    Failed(String),
}

/// A test, ready for its cluster.
pub(super) struct TestHook {
    object: Object,
    resource: Resource,
}

impl TestHook {
    /// Gives a declared test its namespace and the mark of its Application.
    ///
    /// # Errors
    ///
    /// When the cluster does not serve its kind, or the project does not permit it.
    pub(super) fn ready(mut object: Object, lowered: &Lowered, discovery: &Discovery) -> Result<Self> {
        let gvk = object.gvk();
        let Some(resource) = discovery.serving(&gvk).cloned() else {
            bail!("the cluster does not serve {gvk}, the kind of the test {}", object.name());
        };
        let target = &lowered.unit.target;
        if !resource.namespaced {
            object.remove_at(&["metadata", "namespace"]);
        } else if object.namespace().is_empty() {
            object.set_at(&["metadata", "namespace"], target.namespace.clone());
        }
        let permissions = &lowered.permissions;
        let permitted = permissions.permits_kind(&gvk.group_kind(), resource.namespaced, object.name());
        permitted.map_err(|why| anyhow!("the test {}: {why}", object.name()))?;
        if resource.namespaced {
            let server = lowered.cluster.as_ref().map_or(windlass_argo::IN_CLUSTER_SERVER, |it| &it.server);
            let permitted = permissions.permits_destination(server, &target.name, object.namespace());
            permitted.map_err(|why| anyhow!("the test {}: {why}", object.name()))?;
        }
        tracking::stamp(&mut object, &lowered.unit.ownership, &target.namespace);
        Ok(Self { object, resource })
    }

    /// Where it comes among others: by its weight, then by its name, as in Helm 4.
    pub(super) fn order(&self) -> (i64, &str) {
        let weight = self.object.annotation(WEIGHT).and_then(|text| text.trim().parse().ok());
        (weight.unwrap_or(0), self.object.name())
    }

    pub(super) fn name(&self) -> &str {
        self.object.name()
    }

    /// It, for people.
    pub(super) fn shown(&self) -> String {
        format!("{} {}", self.object.kind(), self.object.name())
    }

    fn has_policy(&self, policy: &str) -> bool {
        let said = self.object.annotation(DELETION).unwrap_or_default();
        let mut words = said.split(',').map(str::trim).filter(|word| !word.is_empty()).peekable();
        if words.peek().is_none() {
            return policy == "before-hook-creation";
        }
        words.any(|word| word == policy)
    }

    /// Creates it, after what an earlier run left is gone where its policy says so, and waits until it has ended.
    pub(super) async fn run(&self, session: &Session, limit: Option<Duration>) -> Result<Ended> {
        let begun = Instant::now();
        let is_over = || limit.is_some_and(|limit| begun.elapsed() >= limit);
        let (namespace, name) = (self.object.namespace(), self.object.name());
        let client = &session.client;
        let [mut pause, longest] = PAUSES;
        if self.has_policy("before-hook-creation") {
            self.delete(session).await?;
            loop {
                match client.get(&self.resource, namespace, name).await {
                    Err(error) if error.is_not_found() => break,
                    Err(error) if !error.is_transient() => {
                        return Err(session.explained(error, &self.shown()));
                    }
                    _ if is_over() => return Ok(Ended::Failed("the one before it does not go".into())),
                    _ => tokio::time::sleep(longest.min(pause)).await,
                }
                pause = (pause * 3 / 2).min(longest);
            }
        }
        if let Err(error) = client.create(&self.resource, &self.object, MANAGER).await {
            return Err(anyhow::Error::new(error).context("it cannot be created"));
        }
        pause = PAUSES[0];
        loop {
            match client.get(&self.resource, namespace, name).await {
                Ok(live) => {
                    if let Some(ended) = ended(&live) {
                        return Ok(ended);
                    }
                }
                Err(error) if error.is_not_found() => {
                    return Ok(Ended::Failed("somebody has deleted it".into()));
                }
                // A server that does not answer for a while is waited for.
                Err(error) if error.is_transient() => {}
                Err(error) => return Err(session.explained(error, &self.shown())),
            }
            if is_over() {
                return Ok(Ended::Failed("timed out waiting for its end".into()));
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 3 / 2).min(longest);
        }
    }

    /// Deletes it where its policy says so.
    pub(super) async fn clean_up(&self, session: &Session, has_succeeded: bool) -> Result<()> {
        let policy = if has_succeeded { "hook-succeeded" } else { "hook-failed" };
        if self.has_policy(policy) { self.delete(session).await } else { Ok(()) }
    }

    async fn delete(&self, session: &Session) -> Result<()> {
        let options = DeleteOptions {
            propagation: Some(windlass_model::Propagation::Background),
            ..Default::default()
        };
        let (namespace, name) = (self.object.namespace(), self.object.name());
        let deleted = session.client.delete(&self.resource, namespace, name, &options).await;
        deleted.with_context(|| format!("{} cannot be deleted", self.shown()))
    }

    /// The logs of its pods, each under a line that names the pod; what cannot be read says why.
    pub(super) async fn logs(&self, session: &Session) -> String {
        let pods = Resource::new("", "v1", "Pod", "pods", true);
        let namespace = self.object.namespace();
        let found = match self.object.kind() {
            "Pod" => session.client.get(&pods, namespace, self.object.name()).await.map(|pod| vec![pod]),
            "Job" => {
                let selector = format!("batch.kubernetes.io/job-name={}", self.object.name());
                session.client.list(&pods, namespace, &selector).await
            }
            _ => Ok(Vec::new()),
        };
        let found = match found {
            Ok(found) => found,
            Err(error) => return format!("POD LOGS: {}\n{error}\n", self.object.name()),
        };
        let mut text = String::new();
        for pod in found {
            text.push_str(&format!("POD LOGS: {}\n", pod.name()));
            for container in pod.to_value().items_at(&["spec", "containers"]) {
                let container = container.str_at(&["name"]).unwrap_or_default();
                let path =
                    format!("/api/v1/namespaces/{namespace}/pods/{}/log?container={container}", pod.name());
                text.push_str(&log(session, &path).await.unwrap_or_else(|problem| format!("{problem}\n")));
            }
            text.push('\n');
        }
        text
    }
}

async fn log(session: &Session, path: &str) -> Result<String, String> {
    let mut body = session.client.open(path).await.map_err(|error| error.to_string())?;
    let mut bytes = Vec::new();
    while let Some(frame) = body.frame().await {
        bytes.extend_from_slice(&frame.map_err(|error| error.to_string())?.into_data().unwrap_or_default());
        if bytes.len() > MAX_LOG_BYTES {
            bytes.truncate(MAX_LOG_BYTES);
            bytes.extend_from_slice(b"\n(cut: limit MAX_LOG_BYTES)\n");
            break;
        }
    }
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// Whether an object that is a test has ended: a Job or a Pod by itself, anything else once it is there, as in Helm.
fn ended(live: &Object) -> Option<Ended> {
    match (live.gvk().group.as_str(), live.kind()) {
        ("batch", "Job") => {
            let conditions = live.at(&["status", "conditions"]).and_then(Value::as_array);
            conditions.into_iter().flatten().find_map(|condition| {
                let holds = condition.str_at(&["status"]) == Some("True");
                let why =
                    condition.str_at(&["reason"]).filter(|it| !it.is_empty()).unwrap_or("no reason given");
                match condition.str_at(&["type"]) {
                    Some("Complete") if holds => Some(Ended::Succeeded),
                    Some("Failed") if holds => Some(Ended::Failed(format!("job failed: {why}"))),
                    _ => None,
                }
            })
        }
        ("", "Pod") => match live.str_at(&["status", "phase"]) {
            "Succeeded" => Some(Ended::Succeeded),
            "Failed" => {
                let message = live.str_at(&["status", "message"]);
                let why = if message.is_empty() { String::new() } else { format!(": {message}") };
                Some(Ended::Failed(format!("pod {} failed{why}", live.name())))
            }
            _ => None,
        },
        _ => Some(Ended::Succeeded),
    }
}

#[cfg(test)]
mod tests {
    use windlass_kube::value;

    use super::*;

    fn object(api_version: &str, kind: &str, rest: &Value) -> Object {
        let mut object = value!({"apiVersion": (api_version), "kind": (kind), "metadata": {"name": "check"}});
        for (key, value) in rest.as_object().unwrap().iter() {
            object.set_at(&[key.as_str()], value.clone());
        }
        Object::try_new(object).unwrap()
    }

    fn test(annotations: &Value) -> TestHook {
        let mut object = object("batch/v1", "Job", &Value::object());
        object.set_at(&["metadata", "annotations"], annotations.clone());
        TestHook { object, resource: Resource::new("batch", "v1", "Job", "jobs", true) }
    }

    #[test]
    fn what_is_a_test_says_so() {
        for (said, expected) in [
            ("test", true),
            ("pre-install, test", true),
            ("test-success", true),
            ("test-failure", false),
            ("post-install", false),
        ] {
            assert_eq!(is_test(&test(&value!({"helm.sh/hook": (said)})).object), expected, "{said}");
        }
    }

    #[test]
    fn a_test_is_deleted_by_its_policy() {
        let kept = |policy: Option<&str>| {
            let test = match policy {
                Some(policy) => test(&value!({"helm.sh/hook-delete-policy": (policy)})),
                None => test(&Value::object()),
            };
            ["before-hook-creation", "hook-succeeded", "hook-failed"].map(|one| test.has_policy(one))
        };
        assert_eq!(kept(None), [true, false, false]);
        assert_eq!(kept(Some("hook-succeeded,hook-failed")), [false, true, true]);
        assert_eq!(kept(Some("before-hook-creation, hook-succeeded")), [true, true, false]);
        assert_eq!(test(&value!({"helm.sh/hook-weight": "-5"})).order(), (-5, "check"));
        assert_eq!(test(&value!({"helm.sh/hook-weight": "heavy"})).order(), (0, "check"));
    }

    #[test]
    fn tests_end_as_helm_sees_it() {
        let job = |kind: &str, status: &str| {
            let conditions = value!([{"type": (kind), "status": (status), "reason": "BackoffLimitExceeded"}]);
            ended(&object("batch/v1", "Job", &value!({"status": {"conditions": (conditions)}})))
        };
        assert_eq!(job("Complete", "True"), Some(Ended::Succeeded));
        assert_eq!(job("Complete", "False"), None);
        assert_eq!(job("Failed", "True"), Some(Ended::Failed("job failed: BackoffLimitExceeded".into())));
        assert_eq!(job("Suspended", "True"), None);
        let pod = |phase: &str| ended(&object("v1", "Pod", &value!({"status": {"phase": (phase)}})));
        assert_eq!(pod("Running"), None);
        assert_eq!(pod("Succeeded"), Some(Ended::Succeeded));
        assert_eq!(pod("Failed"), Some(Ended::Failed("pod check failed".into())));
        assert_eq!(ended(&object("v1", "ConfigMap", &Value::object())), Some(Ended::Succeeded));
    }
}
