//! Renders the sources of a Unit, each in the context of the others and of its target.

use std::collections::BTreeMap;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use windlass_argo::Lowered;
use windlass_cluster::Discovery;
use windlass_kube::{Str, Value};
use windlass_model::{Renderer, SourceSpec, Tree};
use windlass_render::jsonnet;
use windlass_render::{ClusterFacts, Context, Environment, Overrides, Plugins, Services, World};

use crate::reach::Reach;

/// The state of one source that is rendered.
#[derive(Clone, Copy)]
pub struct SourceTree<'a> {
    /// The commit.
    pub commit: &'a str,
    /// Its files.
    pub tree: &'a dyn Tree,
}

/// What does the work that rendering leaves to others.
#[derive(Clone, Copy, Default)]
pub struct Tools<'a> {
    /// What evaluates Jsonnet; without it, each Jsonnet file is an error that says so.
    pub jsonnet: Option<&'a dyn jsonnet::Engine>,
    /// The plugins that the operator declared.
    pub plugins: Option<&'a dyn Plugins>,
}

/// Calls `render` for every source of a Unit with its options and context; a source that others only refer to gives
/// `None`.
///
/// `trees` has one entry per source, in the same order. What the sources name by addresses is fetched by `reach`, which blocks.
///
/// # Errors
///
/// The first of `render`.
pub fn render_sources<'a, R, E>(
    lowered: &Lowered,
    trees: &[SourceTree<'a>],
    discovery: &Discovery,
    tools: Tools<'a>,
    reach: &Reach,
    mut render: impl FnMut(usize, &'a dyn Tree, &Renderer, &mut Context<'_>) -> Result<R, E>,
) -> Result<Vec<Option<R>>, E> {
    let unit = &lowered.unit;
    let cluster = ClusterFacts {
        version: discovery.kubernetes().clone(),
        api_versions: discovery.api_versions().clone(),
    };
    let references: BTreeMap<Str, &dyn Tree> = unit
        .sources
        .iter()
        .zip(trees)
        .filter(|(spec, _)| !spec.reference.is_empty())
        .map(|(spec, source)| (spec.reference.clone(), source.tree))
        .collect();
    let mut rendered = Vec::with_capacity(trees.len());
    for (idx, (spec, source)) in unit.sources.iter().zip(trees).enumerate() {
        if spec.is_only_referred_to() {
            rendered.push(None);
            continue;
        }
        let mut world = SystemWorld::new();
        let environment = environment(lowered, spec, source.commit);
        let is_source = |name: &str| references.contains_key(name);
        let resolve = |renderer: &Renderer| environment.resolve(renderer, is_source);
        let name = unit.ownership.instance.as_str();
        let declared = lowered.sources.get(idx).map(|source| Declared { source, name, resolve: &resolve });
        let mut context = Context {
            name: unit.id.0.name.clone(),
            namespace: unit.target.namespace.clone(),
            cluster: cluster.clone(),
            environment: environment.clone(),
            references: references.clone(),
            kustomize: reach.build_options().unwrap_or_default(),
            fetchers: reach.fetchers(),
            charts: reach,
            world: &mut world,
            services: Services {
                jsonnet: tools.jsonnet,
                plugins: tools.plugins,
                overrides: declared.as_ref().map(|declared| declared as &dyn Overrides),
                ..Services::default()
            },
        };
        let renderer = environment.resolve(&spec.renderer, is_source);
        rendered.push(Some(render(idx, source.tree, &renderer, &mut context)?));
    }
    Ok(rendered)
}

/// A source as it was declared, for what its repository says about it.
struct Declared<'a> {
    source: &'a windlass_argo::types::Source,
    name: &'a str,
    resolve: &'a dyn Fn(&Renderer) -> Renderer,
}

impl Overrides for Declared<'_> {
    fn name(&self) -> &str {
        self.name
    }

    fn renderer(&self, changes: &[Value]) -> Result<Renderer, String> {
        windlass_argo::overridden(self.source, changes).map(|renderer| (self.resolve)(&renderer))
    }
}

/// Argo CD's build environment.
fn environment(lowered: &Lowered, spec: &SourceSpec, commit: &str) -> Environment {
    let unit = &lowered.unit;
    let short = |length: usize| commit.get(..length).unwrap_or(commit).into();
    Environment::new([
        ("ARGOCD_APP_NAME".into(), unit.ownership.instance.clone()),
        ("ARGOCD_APP_NAMESPACE".into(), unit.target.namespace.clone()),
        ("ARGOCD_APP_PROJECT_NAME".into(), lowered.permissions.project.clone()),
        ("ARGOCD_APP_REVISION".into(), commit.into()),
        ("ARGOCD_APP_REVISION_SHORT".into(), short(7)),
        ("ARGOCD_APP_REVISION_SHORT_8".into(), short(8)),
        ("ARGOCD_APP_SOURCE_REPO_URL".into(), spec.repository.clone()),
        ("ARGOCD_APP_SOURCE_PATH".into(), spec.path.clone()),
        ("ARGOCD_APP_SOURCE_TARGET_REVISION".into(), spec.revision.clone()),
    ])
}

/// The time of the system, and chance that nobody can guess.
#[derive(Debug)]
pub struct SystemWorld {
    /// Templates that still run then are stopped.
    deadline: Option<Instant>,
}

impl SystemWorld {
    /// Templates that run for longer than this hold up others.
    const LONGEST: std::time::Duration = std::time::Duration::from_secs(60);

    /// A world in which the execution begins now, and ends in a minute.
    #[must_use]
    pub fn new() -> Self {
        Self { deadline: Some(Instant::now() + Self::LONGEST) }
    }

    /// A world for somebody who waits as long as it takes, and can interrupt.
    #[must_use]
    pub fn without_deadline() -> Self {
        Self { deadline: None }
    }
}

/// Seconds since 1970, for scripts that ask.
pub(crate) fn seconds_now() -> i64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(now.as_secs()).unwrap_or(i64::MAX)
}

impl Default for SystemWorld {
    fn default() -> Self {
        Self::new()
    }
}

impl World for SystemWorld {
    fn now(&mut self) -> windlass_render::Instant {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        windlass_render::Instant {
            seconds: i64::try_from(now.as_secs()).unwrap_or(i64::MAX),
            nanoseconds: now.subsec_nanos(),
        }
    }

    fn random(&mut self, bytes: &mut [u8]) {
        // A system without chance must not make keys.
        getrandom::fill(bytes).expect("the system gives random bytes");
    }

    fn is_over(&mut self) -> bool {
        self.deadline.is_some_and(|deadline| Instant::now() > deadline)
    }
}
