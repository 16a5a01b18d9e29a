//! Sync windows of an AppProject: how they are written, and which Applications they are for.

use windlass_go::cron::Schedule;
use windlass_go::duration::Duration;
use windlass_go::glob::Gobwas;
use windlass_kube::Str;
use windlass_model::SyncWindow;

use crate::types::{self, Destination};

/// Reads a window as a project declares it.
///
/// # Errors
///
/// Why it cannot be used, in words that follow its name.
pub fn sync_window(declared: &types::SyncWindow) -> Result<SyncWindow, String> {
    WindowRule::read(declared).map(|rule| rule.window)
}

/// A window with what it is for.
#[derive(Clone, Debug)]
pub(crate) struct WindowRule {
    pub(crate) window: SyncWindow,
    applications: Globs,
    namespaces: Globs,
    clusters: Globs,
    /// Whether all lists must match that are there, instead of one.
    all: bool,
}

impl WindowRule {
    /// Reads a window; why not, in words that follow the field's name.
    pub(crate) fn read(declared: &types::SyncWindow) -> Result<Self, String> {
        let allows = match declared.kind.as_str() {
            "allow" => true,
            "deny" => false,
            other => return Err(format!("has kind {other:?}, and can only be allow or deny")),
        };
        let schedule = Schedule::parse(&declared.schedule, &declared.time_zone)
            .map_err(|problem| format!("cannot be used: {problem}"))?;
        let duration = Duration::parse(&declared.duration).ok().and_then(|duration| duration.try_into().ok());
        let duration =
            duration.ok_or_else(|| format!("has duration {:?}, which cannot be read", declared.duration))?;
        let zone = if declared.time_zone.is_empty() { "UTC" } else { &declared.time_zone };
        let mut description =
            format!("{} {:?} for {} ({zone})", declared.kind, declared.schedule, declared.duration);
        if !declared.description.is_empty() {
            description = format!("{description}, {:?}", declared.description);
        }
        Ok(Self {
            window: SyncWindow {
                allows,
                schedule,
                duration,
                manual_sync: declared.manual_sync,
                overrun: declared.sync_overrun,
                description: description.into(),
            },
            applications: Globs::new(&declared.applications),
            namespaces: Globs::new(&declared.namespaces),
            clusters: Globs::new(&declared.clusters),
            all: declared.and_operator,
        })
    }

    /// Whether it is for an Application: as Argo CD 3.6 decides (`SyncWindows.Matches`).
    pub(crate) fn is_for(&self, application: &str, destination: &Destination) -> bool {
        let by_application = self.applications.matches(&[application]);
        let by_cluster = self.clusters.matches(&[&destination.name, &destination.server]);
        let by_namespace = self.namespaces.globs.iter().any(|glob| glob.is_match(&destination.namespace));
        let lists = [
            (&self.applications, by_application),
            (&self.clusters, by_cluster),
            (&self.namespaces, by_namespace),
        ];
        let mut said = lists.iter().filter(|(globs, _)| globs.is_said).peekable();
        if self.all {
            said.peek().is_some() && said.all(|(_, matches)| *matches)
        } else {
            said.any(|(_, matches)| *matches)
        }
    }
}

#[derive(Clone, Debug)]
struct Globs {
    /// Whether the list says anything.
    is_said: bool,
    globs: Box<[Gobwas]>,
}

impl Globs {
    /// A malformed pattern matches nothing.
    fn new(patterns: &[Str]) -> Self {
        Self {
            is_said: !patterns.is_empty(),
            globs: patterns.iter().filter_map(|pattern| Gobwas::compile(pattern, &[]).ok()).collect(),
        }
    }

    fn matches(&self, names: &[&str]) -> bool {
        names
            .iter()
            .filter(|name| !name.is_empty())
            .any(|name| self.globs.iter().any(|glob| glob.is_match(name)))
    }
}
