//! Jobs run their pods to the end; CronJobs make Jobs when it is time.

use std::time::{Duration, SystemTime};

use windlass_kube::{Object, Value, value};

use super::Simulator;
use super::cron::Schedule;
use super::replicas::is_active;
use super::status::{Condition, MOST_PODS, conditions, is_true, replicas, set_condition};
use super::template::PodName;
use crate::controllers::change::{controller_reference, create, modify, set_status};
use crate::resource::Gvr;
use crate::status::Status;
use crate::store::Key;
use crate::time;

fn jobs() -> Gvr {
    Gvr::new("batch", "v1", "jobs")
}

impl Simulator {
    pub(super) async fn job(&self, key: &Key) -> Result<Option<Duration>, Status> {
        let Some(job) = self.read(&jobs(), key) else { return Ok(None) };
        if job.is_terminating() {
            return Ok(None);
        }
        if is_true(&job, "Complete") || is_true(&job, "Failed") {
            return self.expire(&job).await;
        }
        let pods = self.children(&job, "/pods");
        let ended = |phase: &str| pods.iter().filter(|pod| pod.str_at(&["status", "phase"]) == phase).count();
        let (succeeded, failed) = (ended("Succeeded"), ended("Failed"));
        let active: Vec<&Object> = pods.iter().filter(|pod| is_active(pod)).collect();
        let parallelism = replicas(&job, &["spec", "parallelism"], 1).min(MOST_PODS);
        let completions = replicas(&job, &["spec", "completions"], 1);
        let suspended = job.at(&["spec", "suspend"]).and_then(Value::as_bool) == Some(true);
        let exhausted = failed > replicas(&job, &["spec", "backoffLimit"], 6);
        let mut n_active = active.len();
        if suspended || exhausted {
            for pod in &active {
                self.delete(&Gvr::new("", "v1", "pods"), pod).await?;
            }
            n_active = 0;
        } else if succeeded < completions {
            let wanted = parallelism.min(completions - succeeded);
            let template = job.at(&["spec", "template"]).cloned().unwrap_or_else(Value::object);
            let prefix = format!("{}-", job.name());
            while n_active < wanted {
                let index = succeeded + n_active;
                let indexed = job.str_at(&["spec", "completionMode"]) == "Indexed";
                self.make_pod(&job, &template, PodName::Generated(&prefix), |pod| {
                    if indexed {
                        let key = "batch.kubernetes.io/job-completion-index";
                        pod.set_at(&["metadata", "annotations", key], index.to_string());
                        pod.set_at(&["metadata", "labels", key], index.to_string());
                    }
                })
                .await?;
                n_active += 1;
            }
        }
        let ready = active.iter().filter(|pod| is_true(pod, "Ready")).count();
        let status = job_status(
            &job,
            &Progress { n_active, ready, succeeded, failed, completions, suspended, exhausted },
        );
        set_status(&self.api, &jobs(), &job, &status).await?;
        Ok(None)
    }

    /// A finished job goes when its time to live is over.
    async fn expire(&self, job: &Object) -> Result<Option<Duration>, Status> {
        let Some(seconds) = job.at(&["spec", "ttlSecondsAfterFinished"]).and_then(Value::as_int) else {
            return Ok(None);
        };
        let finished =
            conditions(job).iter().rev().find_map(|c| time::parse(c.str_at(&["lastTransitionTime"])?));
        let age = finished.and_then(|at| SystemTime::now().duration_since(at).ok()).unwrap_or_default();
        let left = Duration::from_secs(u64::try_from(seconds).unwrap_or(0)).saturating_sub(age);
        if !left.is_zero() {
            return Ok(Some(left));
        }
        self.delete(&jobs(), job).await?;
        Ok(None)
    }

    pub(super) async fn cron_job(&self, key: &Key) -> Result<Option<Duration>, Status> {
        let gvr = Gvr::new("batch", "v1", "cronjobs");
        let Some(cron) = self.read(&gvr, key) else { return Ok(None) };
        if cron.is_terminating() {
            return Ok(None);
        }
        let children = self.children(&cron, "batch/jobs");
        self.forget_jobs(&cron, &children).await?;
        let mut last = time::parse(cron.str_at(&["status", "lastScheduleTime"]));
        let mut active: Vec<&Object> =
            children.iter().filter(|job| !is_true(job, "Complete") && !is_true(job, "Failed")).collect();
        let mut again = None;
        let suspended = cron.at(&["spec", "suspend"]).and_then(Value::as_bool) == Some(true);
        let schedule =
            Schedule::parse(cron.str_at(&["spec", "schedule"]), cron.str_at(&["spec", "timeZone"]));
        let mut made = None;
        if let Some(schedule) = schedule.filter(|_| !suspended) {
            let now = SystemTime::now();
            let since =
                last.or_else(|| time::parse(cron.str_at(&["metadata", "creationTimestamp"]))).unwrap_or(now);
            if let Some(due) = schedule.last_between(since, now) {
                let policy = cron.str_at(&["spec", "concurrencyPolicy"]);
                if policy == "Replace" {
                    for job in active.drain(..) {
                        self.delete(&jobs(), job).await?;
                    }
                }
                if policy != "Forbid" || active.is_empty() {
                    made = self.make_job(&cron, due).await?;
                    last = Some(due);
                }
            }
            again = schedule.next_after(now).and_then(|next| next.duration_since(now).ok());
        }
        if let Some(made) = &made {
            active.push(made);
        }
        let references: Vec<Value> = active
            .iter()
            .map(|job| {
                value!({
                    "apiVersion": "batch/v1", "kind": "Job", "name": (job.name()), "namespace": (job.namespace()),
                    "uid": (job.uid()), "resourceVersion": (job.resource_version())
                })
            })
            .collect();
        let finished = children
            .iter()
            .filter_map(|job| job.at(&["status", "completionTime"]))
            .filter_map(Value::as_str)
            .max();
        modify(&self.api, &gvr, &key.namespace, &key.name, "status", |object| {
            let mut status = Value::object();
            if !references.is_empty() {
                status.set_at(&["active"], references.clone());
            }
            if let Some(last) = last {
                status.set_at(&["lastScheduleTime"], time::format(last));
            }
            if let Some(finished) = finished {
                status.set_at(&["lastSuccessfulTime"], finished);
            }
            object.set_at(&["status"], status);
        })
        .await?;
        Ok(again)
    }

    async fn make_job(&self, cron: &Object, due: SystemTime) -> Result<Option<Object>, Status> {
        let minutes = due.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_secs() / 60;
        let template = cron.at(&["spec", "jobTemplate"]).cloned().unwrap_or_else(Value::object);
        let mut job = value!({"apiVersion": "batch/v1", "kind": "Job"});
        job.set_at(&["metadata"], template.get("metadata").cloned().unwrap_or_else(Value::object));
        job.set_at(&["metadata", "name"], format!("{}-{minutes}", cron.name()));
        job.set_at(&["metadata", "namespace"], cron.namespace());
        job.set_at(&["metadata", "ownerReferences"], value!([(controller_reference(cron))]));
        job.set_at(
            &["metadata", "annotations", "batch.kubernetes.io/cronjob-scheduled-timestamp"],
            time::format(due),
        );
        job.set_at(&["spec"], template.get("spec").cloned().unwrap_or_else(Value::object));
        let made = create(&self.api, &jobs(), job).await?;
        if let Some(made) = &made {
            self.note_child("batch/jobs", made);
        }
        Ok(made)
    }

    async fn forget_jobs(&self, cron: &Object, children: &[Object]) -> Result<(), Status> {
        for (kind, field, otherwise) in
            [("Complete", "successfulJobsHistoryLimit", 3), ("Failed", "failedJobsHistoryLimit", 1)]
        {
            let limit = replicas(cron, &["spec", field], otherwise);
            let mut ended: Vec<&Object> =
                children.iter().filter(|job| is_true(job, kind) && !job.is_terminating()).collect();
            ended.sort_by_key(|job| job.str_at(&["status", "startTime"]).to_owned());
            for job in ended.iter().take(ended.len().saturating_sub(limit)) {
                self.delete(&jobs(), job).await?;
            }
        }
        Ok(())
    }
}

/// How far a job has come.
struct Progress {
    n_active: usize,
    ready: usize,
    succeeded: usize,
    failed: usize,
    completions: usize,
    suspended: bool,
    exhausted: bool,
}

fn job_status(job: &Object, progress: &Progress) -> Value {
    let mut status = value!({"terminating": 0});
    status.set_at(&["uncountedTerminatedPods"], Value::object());
    let mut list = conditions(job);
    let mut set = |kind: &str, on: bool, reason: &str, message: &str| {
        set_condition(&mut list, &Condition { kind, status: on, reason, message });
    };
    let complete = progress.succeeded >= progress.completions && progress.n_active == 0;
    if complete {
        let message = "Reached expected number of succeeded pods";
        set("SuccessCriteriaMet", true, "CompletionsReached", message);
        set("Complete", true, "CompletionsReached", message);
    } else if progress.exhausted {
        let message = "Job has reached the specified backoff limit";
        set("FailureTarget", true, "BackoffLimitExceeded", message);
        set("Failed", true, "BackoffLimitExceeded", message);
    } else if progress.suspended {
        set("Suspended", true, "JobSuspended", "Job suspended");
    } else if is_true(job, "Suspended") {
        set("Suspended", false, "JobResumed", "Job resumed");
    }
    for (field, n) in
        [("active", progress.n_active), ("succeeded", progress.succeeded), ("failed", progress.failed)]
    {
        if n > 0 {
            status.set_at(&[field], i64::try_from(n).unwrap_or(i64::MAX));
        }
    }
    status.set_at(&["ready"], i64::try_from(progress.ready).unwrap_or(0));
    if !progress.suspended {
        let start = job.at(&["status", "startTime"]).cloned().unwrap_or_else(|| time::now().into());
        status.set_at(&["startTime"], start);
    }
    if complete {
        let end = job.at(&["status", "completionTime"]).cloned().unwrap_or_else(|| time::now().into());
        status.set_at(&["completionTime"], end);
    }
    for condition in &mut list {
        if condition.get("lastProbeTime").is_none() {
            let since = condition.get("lastTransitionTime").cloned().unwrap_or_default();
            condition.set_at(&["lastProbeTime"], since);
        }
    }
    if !list.is_empty() {
        status.set_at(&["conditions"], list);
    }
    status
}
