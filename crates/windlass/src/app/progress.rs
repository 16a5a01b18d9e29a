//! How far a running sync is, object by object: a line for each piece of news.

use std::collections::HashMap;

use windlass_kube::{GroupKind, Object, ObjectRef, Value};

/// What was told of a sync so far.
#[derive(Debug, Default)]
pub(super) struct Progress {
    /// When the sync began that is told about.
    started: String,
    /// The phase and wave that was named last.
    place: Option<(String, i64)>,
    /// What was told last of each object in each phase.
    told: HashMap<(ObjectRef, String), String>,
    /// The health that was told last.
    health: HashMap<ObjectRef, String>,
}

impl Progress {
    /// The lines that say what has happened since the last look: phases and waves as they begin, and below each what
    /// became of its objects.
    pub(super) fn news(&mut self, application: &Object) -> Vec<String> {
        let state = application.at(&["status", "operationState"]).cloned().unwrap_or_default();
        let asked = application.at(&["operation"]).is_some_and(|operation| !operation.is_null());
        let started = state.str_at(&["startedAt"]).unwrap_or_default();
        // What the status says before the operation has begun is of the one before.
        let is_running = matches!(state.str_at(&["phase"]), Some("Running" | "Terminating"));
        if self.started.is_empty() && asked && !is_running {
            return Vec::new();
        }
        started.clone_into(&mut self.started);
        let listed = application.at(&["status"]).cloned().unwrap_or_default();
        let resources = listed.items_at(&["resources"]);
        let wave_of = |key: &ObjectRef| {
            let found = resources.iter().find(|resource| key_of(resource) == *key);
            found.and_then(|resource| resource.int_at(&["syncWave"])).unwrap_or(0)
        };
        let mut lines = Vec::new();
        for result in state.items_at(&["syncResult", "resources"]) {
            let key = key_of(result);
            let text = |field: &str| result.str_at(&[field]).unwrap_or_default();
            let phase = if text("syncPhase").is_empty() { "Sync" } else { text("syncPhase") };
            let is_hook = !text("hookType").is_empty();
            let word = if is_hook { text("hookPhase") } else { text("status") };
            let said = if text("message").is_empty() {
                word.to_owned()
            } else {
                format!("{word}: {}", text("message"))
            };
            let at = (key.clone(), phase.to_owned());
            if self.told.get(&at) == Some(&said) {
                continue;
            }
            let place = (phase.to_owned(), wave_of(&key));
            if self.place.as_ref() != Some(&place) {
                lines.push(format!("{}, wave {}", place.0, place.1));
                self.place = Some(place);
            }
            let role = if is_hook { " (hook)" } else { "" };
            lines.push(format!("  {}{role} {said}", name_of(&key)));
            self.told.insert(at, said);
        }
        // Of what was applied, how it gets on.
        for resource in resources {
            let key = key_of(resource);
            let Some(health) = resource.str_at(&["health", "status"]) else { continue };
            let is_applied = self.told.keys().any(|(told, _)| *told == key);
            let before = self.health.insert(key.clone(), health.to_owned());
            if is_applied && before.as_deref() != Some(health) && (before.is_some() || health != "Healthy") {
                let message = resource.str_at(&["health", "message"]).unwrap_or_default();
                let message = if message.is_empty() { String::new() } else { format!(": {message}") };
                lines.push(format!("  {} is {health}{message}", name_of(&key)));
            }
        }
        lines
    }
}

fn key_of(entry: &Value) -> ObjectRef {
    let text = |field: &str| entry.str_at(&[field]).unwrap_or_default();
    ObjectRef::new(text("group"), text("kind"), text("namespace"), text("name"))
}

/// `deployment.apps/web`, with the namespace before the name where there is one.
fn name_of(key: &ObjectRef) -> String {
    let kind = GroupKind::new(key.group.clone(), key.kind.clone()).to_string().to_lowercase();
    match key.namespace.as_str() {
        "" => format!("{kind}/{}", key.name),
        namespace => format!("{kind}/{namespace}/{}", key.name),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn application(status: &str) -> Object {
        let text = format!(
            "apiVersion: argoproj.io/v1alpha1\nkind: Application\nmetadata: {{name: shop}}\noperation: {{sync: {{}}}}\nstatus:\n{status}"
        );
        Object::try_new(windlass_yaml::load(&text).unwrap()).unwrap()
    }

    #[test]
    fn every_piece_of_news_is_told_once() {
        let mut progress = Progress::default();
        let before = application(
            "  operationState: {phase: Succeeded, startedAt: a, syncResult: {resources: [{kind: ConfigMap, name: old, status: Synced}]}}\n",
        );
        assert!(progress.news(&before).is_empty());
        let first = "  resources:\n  - {kind: Service, namespace: s, name: front, syncWave: 1, health: {status: Progressing}}\n  \
                     operationState:\n    phase: Running\n    startedAt: b\n    syncResult:\n      resources:\n      \
                     - {group: batch, kind: Job, namespace: s, name: migrate, hookType: PreSync, hookPhase: Running, syncPhase: PreSync}\n";
        assert_eq!(
            progress.news(&application(first)),
            ["PreSync, wave 0", "  job.batch/s/migrate (hook) Running"]
        );
        assert!(progress.news(&application(first)).is_empty());
        let second = format!(
            "{}      - {{kind: Service, namespace: s, name: front, status: Synced, message: service/front serverside-applied, syncPhase: Sync}}\n",
            first.replace("hookPhase: Running", "hookPhase: Succeeded")
        );
        assert_eq!(
            progress.news(&application(&second)),
            [
                "  job.batch/s/migrate (hook) Succeeded",
                "Sync, wave 1",
                "  service/s/front Synced: service/front serverside-applied",
            ]
        );
        let third = second.replace("status: Progressing", "status: Healthy");
        assert_eq!(progress.news(&application(&third)), ["  service/s/front is Healthy"]);
    }
}
