//! Remembers renders by what they read.

use std::borrow::Cow;
use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::{Arc, Mutex};

use windlass_helm::ChartCache;
use windlass_kube::{Str, Value};
use windlass_model::{Digest, Renderer, Tree};

use crate::failures::Failures;
use crate::overrides::effective;
use crate::{
    Context, Fetched, Overriding, ReadSet, RenderError, Rendered, Shared, SharedRender, attempt, detect,
    record,
};

/// Keeps renders where they outlive the process. Whatever it loses is rendered again.
///
/// Several processes may use one at the same time.
pub trait RenderStore: Send + Sync {
    /// The records under a key. One that is damaged is none.
    fn load(&self, key: Digest) -> Vec<Vec<u8>>;

    /// Keeps a record under a key, in the place of another one of the same `slot`.
    fn save(&self, key: Digest, slot: u8, record: &[u8]);
}

/// How many records a store keeps under one key: revisions of a folder that are in use at the same time.
const SLOTS: u8 = 4;

/// Raised with every change after which an unchanged source may render to something else: renders that stores keep are
/// found by it and by the version of this crate, which builds between two releases have in common.
const RENDER_FORMAT: u32 = 2;

/// What a cache did since it was made.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// Renders that ran, failed ones too.
    pub rendered: u64,
    /// Answers from memory.
    pub remembered: u64,
    /// Answers from the store.
    pub loaded: u64,
    /// Failures that were told again without trying.
    pub paused: u64,
}

/// Renders that can be used again, bounded by an estimate of their bytes; the least recently used go first.
///
/// Shared by all Units: two that declare the same folder of equal content share one render. What time or chance made
/// stays as it is until an input changes, over a restart too where there is a [`RenderStore`].
pub struct RenderCache {
    state: Mutex<State>,
    capacity: usize,
    store: Option<Arc<dyn RenderStore>>,
    /// What kustomizations have read: many lie on one base.
    files: windlass_kustomize::Cache,
    /// Charts that were parsed: a chart may be rendered with many values.
    charts: ChartCache,
}

/// Bytes of the files of charts that are kept compiled, which take some times that: fifty large charts.
const CHART_BYTES: usize = 16 << 20;

#[derive(Default)]
struct State {
    renders: HashMap<Parameters, Vec<Kept>>,
    failures: Failures<(Parameters, Option<Digest>)>,
    bytes: usize,
    clock: u64,
    counts: Counts,
}

/// Renders of one folder in one context that are kept at once: one per revision in use, which is one, and two while a commit goes
/// round.
const KEPT_PER_FOLDER: usize = 2;

/// Which part of the capacity more is used for what kustomizations have read.
const FILES_SHARE: usize = 8;

/// What may answer in place of a render.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Trust {
    /// What is kept.
    Kept,
    /// Nothing.
    Nothing,
}

#[derive(Clone, PartialEq, Eq, Hash)]
struct Parameters {
    path: Str,
    renderer: Renderer,
    /// Which repository: keeps equal folder names of different repositories apart.
    repository: u64,
    /// Whether encrypted files would have been decrypted.
    decrypting: bool,
    /// Whether Jsonnet would have been evaluated.
    jsonnet: bool,
}

struct Kept {
    render: SharedRender,
    /// The context it was made in, where that matters.
    context: Option<Digest>,
    bytes: usize,
    used: u64,
}

impl RenderCache {
    /// A cache that keeps about `capacity` bytes in memory.
    #[must_use]
    pub fn new(capacity: usize) -> Self {
        Self {
            state: Mutex::default(),
            capacity,
            store: None,
            files: windlass_kustomize::Cache::new(capacity / FILES_SHARE),
            charts: crate::helm::cache(CHART_BYTES),
        }
    }

    /// Also keeps renders in `store`, and takes them from there.
    #[must_use]
    pub fn with_store(self, store: Arc<dyn RenderStore>) -> Self {
        Self { store: Some(store), ..self }
    }

    /// The render of a folder: a kept one if everything it read is unchanged in `tree`, else a new one.
    ///
    /// A failure is told again for a while, without trying, as long as nothing of what it read has changed. That
    /// something elsewhere is not here yet, or could not be fetched, is not remembered: the next call tries.
    ///
    /// # Errors
    ///
    /// As for [`render`](crate::render), and [`RenderError::Again`].
    pub fn render(
        &self,
        repository: &str,
        tree: &dyn Tree,
        path: &str,
        renderer: &Renderer,
        context: &mut Context<'_>,
    ) -> Result<SharedRender, RenderError> {
        self.answer(repository, tree, path, renderer, context, Trust::Kept)
    }

    /// As [`render`](Self::render), past what is kept in memory and in the store, failures too: what time or chance has made
    /// is made anew. The result takes the place of what was kept.
    ///
    /// # Errors
    ///
    /// As for [`render`](crate::render).
    pub fn render_anew(
        &self,
        repository: &str,
        tree: &dyn Tree,
        path: &str,
        renderer: &Renderer,
        context: &mut Context<'_>,
    ) -> Result<SharedRender, RenderError> {
        self.answer(repository, tree, path, renderer, context, Trust::Nothing)
    }

    fn answer(
        &self,
        repository: &str,
        tree: &dyn Tree,
        path: &str,
        renderer: &Renderer,
        context: &mut Context<'_>,
        trust: Trust,
    ) -> Result<SharedRender, RenderError> {
        // Asked for each name anew: one render is shared by many names.
        let renderer = &*effective(tree, path, renderer, context)?;
        let mut hasher = DefaultHasher::new();
        repository.hash(&mut hasher);
        let parameters = Parameters {
            path: path.into(),
            renderer: renderer.clone(),
            repository: hasher.finish(),
            decrypting: context.services.decryption.is_some(),
            jsonnet: context.services.jsonnet.is_some(),
        };
        let tool = match renderer {
            // A path that cannot be listed is told of by rendering it.
            Renderer::Detect => Cow::Owned(detect(tree, path.trim_matches('/')).unwrap_or(Renderer::Detect)),
            declared => Cow::Borrowed(declared),
        };
        // Plain files are the same whatever the context.
        let of_context = match &*tool {
            Renderer::Helm(_) => Some(context.digest(renderer)),
            Renderer::Kustomize(_) => Some(context.kustomize_digest()),
            Renderer::Directory(_) | Renderer::Detect | Renderer::Plugin(_) => None,
        };
        // Where plugins have a say, they and all that they are told count as well.
        let of_context = match context.plugin_digest(renderer) {
            Some(of_plugins) => Some(Digest::combine(of_context.into_iter().chain([of_plugins]))),
            None => of_context,
        };
        // Of directories, only what Jsonnet made is worth a record.
        let may_be_plugin = matches!(renderer, Renderer::Detect) && of_context.is_some();
        let is_recorded = !matches!(*tool, Renderer::Directory(_)) || parameters.jsonnet || may_be_plugin;
        let store = self.store.as_ref().filter(|_| is_recorded);
        let trusted = trust == Trust::Kept;
        let candidates: Vec<SharedRender> = if trusted {
            let state = self.lock();
            let kept = state.renders.get(&parameters).into_iter().flatten();
            let same_context = kept.filter(|kept| kept.context == of_context);
            same_context.map(|kept| kept.render.clone()).collect()
        } else {
            Vec::new()
        };
        for candidate in candidates.into_iter().rev() {
            if holds(&candidate, tree, context)? {
                self.touch(&parameters, &candidate);
                return Ok(candidate);
            }
        }
        if let Some(store) = store.filter(|_| trusted)
            && let Some(loaded) = load(&**store, parameters.key(repository, of_context), tree, context)?
        {
            self.lock().counts.loaded += 1;
            self.keep(parameters, loaded.clone(), of_context);
            return Ok(loaded);
        }
        let failure_key = (parameters, of_context);
        let now = context.world.now().seconds;
        let paused = self.lock().failures.pausing(&failure_key, now).cloned();
        if let Some(paused) = paused.filter(|_| trusted)
            && reads_hold(&paused.reads, &paused.reference_reads, tree, context)?
            && paused.fetched.holds(context.fetchers.record)
        {
            self.lock().counts.paused += 1;
            return Err(paused.error());
        }
        self.lock().counts.rendered += 1;
        let shared = Shared { files: Some(&self.files), charts: &self.charts };
        let rendered = match attempt(tree, path, renderer, context, Overriding::Done, &shared) {
            Ok(rendered) => SharedRender::new(rendered),
            Err(failure) => {
                self.lock().failures.note(failure_key, &failure, now);
                return Err(failure.error);
            }
        };
        self.lock().failures.forget(&failure_key);
        if !rendered.confidential && rendered.fetched != Fetched::Unknown && !rendered.may_pass {
            let (parameters, _) = failure_key;
            if let Some(store) = store.filter(|_| !rendered.is_plain)
                && let Some(record) = record::encode(&rendered)
            {
                let slot = rendered.reads.slot(SLOTS);
                store.save(parameters.key(repository, of_context), slot, &record);
            }
            self.keep(parameters, rendered.clone(), of_context);
        }
        Ok(rendered)
    }

    /// What the cache did so far.
    #[must_use]
    pub fn counts(&self) -> Counts {
        self.lock().counts
    }

    /// The estimated bytes kept now.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.lock().bytes
    }

    fn touch(&self, parameters: &Parameters, render: &SharedRender) {
        let mut state = self.lock();
        state.clock += 1;
        let now = state.clock;
        state.counts.remembered += 1;
        let kept = state.renders.get_mut(parameters).into_iter().flatten();
        for kept in kept.filter(|kept| SharedRender::ptr_eq(&kept.render, render)) {
            kept.used = now;
        }
    }

    fn keep(&self, parameters: Parameters, render: SharedRender, context: Option<Digest>) {
        let bytes =
            render.manifests.iter().map(|manifest| estimate(&manifest.object.to_value())).sum::<usize>()
                + render.reads.bytes()
                + 256;
        if bytes > self.capacity {
            return;
        }
        let mut state = self.lock();
        state.clock += 1;
        let used = state.clock;
        state.bytes += bytes;
        let kept = state.renders.entry(parameters).or_default();
        kept.push(Kept { render, context, bytes, used });
        let of_context = |kept: &Kept| kept.context == context;
        if kept.iter().filter(|kept| of_context(kept)).count() > KEPT_PER_FOLDER
            && let Some(oldest) = kept.iter().position(of_context)
        {
            state.bytes -= kept.remove(oldest).bytes;
        }
        if state.bytes > self.capacity {
            state.evict(self.capacity);
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

impl Parameters {
    /// Under which a store keeps it. A newer version of the renderers looks elsewhere, see [`RENDER_FORMAT`].
    fn key(&self, repository: &str, context: Option<Digest>) -> Digest {
        let context = context.map(|digest| digest.to_string()).unwrap_or_default();
        let Self { path, renderer, decrypting, jsonnet, repository: _ } = self;
        let version = env!("CARGO_PKG_VERSION");
        let text = format!(
            "{version} {RENDER_FORMAT}\n{repository:?}\n{path:?}\n{context}\n{decrypting} {jsonnet}\n{renderer:?}"
        );
        Digest::of_bytes(text.as_bytes())
    }
}

/// A render from a store whose inputs are unchanged.
fn load(
    store: &dyn RenderStore,
    key: Digest,
    tree: &dyn Tree,
    context: &Context<'_>,
) -> Result<Option<SharedRender>, RenderError> {
    for record in store.load(key) {
        let Some(rendered) = record::decode(&record) else { continue };
        if holds(&rendered, tree, context)? {
            return Ok(Some(SharedRender::new(rendered)));
        }
    }
    Ok(None)
}

/// Whether everything that a render read is as it was, also elsewhere, and the cluster still answers what it did.
fn holds(render: &Rendered, tree: &dyn Tree, context: &Context<'_>) -> Result<bool, RenderError> {
    let answers = render.lookups.iter().all(|(request, answer)| context.answer(request) == *answer);
    Ok(answers
        && reads_hold(&render.reads, &render.reference_reads, tree, context)?
        && render.fetched.holds(context.fetchers.record))
}

fn reads_hold(
    reads: &ReadSet,
    reference_reads: &[(Str, ReadSet)],
    tree: &dyn Tree,
    context: &Context<'_>,
) -> Result<bool, RenderError> {
    for (name, reads) in reference_reads {
        let Some(tree) = context.references.get(name) else { return Ok(false) };
        if !reads.holds_in(*tree)? {
            return Ok(false);
        }
    }
    Ok(reads.holds_in(tree)?)
}

impl State {
    /// Drops the least recently used until a tenth of the capacity is free, so that this is rare.
    fn evict(&mut self, capacity: usize) {
        let mut by_age: Vec<u64> = self.renders.values().flatten().map(|kept| kept.used).collect();
        by_age.sort_unstable();
        let goal = capacity - capacity / 10;
        // Half of the renders at a time until it fits; each pass is linear.
        while self.bytes > goal && !by_age.is_empty() {
            let cut = by_age[by_age.len() / 2];
            let bytes = &mut self.bytes;
            self.renders.retain(|_, kept| {
                kept.retain(|kept| {
                    let keep = kept.used > cut;
                    if !keep {
                        *bytes -= kept.bytes;
                    }
                    keep
                });
                !kept.is_empty()
            });
            by_age.retain(|used| *used > cut);
        }
    }
}

/// About how many bytes a value takes in memory.
fn estimate(value: &Value) -> usize {
    /// A value stands in 24 to 32 bytes of its container; strings up to 23 bytes need no more.
    const NODE: usize = 32;
    NODE + match value {
        Value::String(text) if text.len() > 23 => text.len() + 16,
        Value::Array(items) => 16 + items.iter().map(estimate).sum::<usize>(),
        Value::Object(map) => 16 + map.values().map(|value| 24 + estimate(value)).sum::<usize>(),
        _ => 0,
    }
}

#[cfg(test)]
mod format;

#[cfg(test)]
mod tests {
    use gotemplate::NoWorld;
    use windlass_model::MemoryTree;

    use super::*;
    use crate::{Decryption, DecryptionError};

    struct Nothing;

    impl Decryption for Nothing {
        fn decrypt(&self, _: &str, _: &[u8]) -> Result<Option<Vec<u8>>, DecryptionError> {
            Ok(None)
        }
    }

    #[test]
    fn charts_that_may_hold_plaintext_are_not_kept_compiled() {
        let tree = MemoryTree::new([("app/Chart.yaml", "apiVersion: v2\nname: web\nversion: 1.0.0\n")]);
        let cache = RenderCache::new(1 << 20);
        let mut world = NoWorld::default();
        let mut context = Context::empty(&mut world);
        (context.name, context.namespace) = ("web".into(), "default".into());
        context.services.decryption = Some(&Nothing);
        cache.render("shop", &tree, "app", &Renderer::Detect, &mut context).unwrap();
        assert!(cache.charts.is_empty());
        context.services.decryption = None;
        cache.render("shop", &tree, "app", &Renderer::Detect, &mut context).unwrap();
        assert_eq!(cache.charts.len(), 1);
    }
}
