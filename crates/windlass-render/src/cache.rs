//! Remembers renders by what they read.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Mutex;

use windlass_helm::ChartCache;
use windlass_kube::{Str, Value};
use windlass_model::{Digest, Renderer, SourceType, Tree};

use crate::{Context, RenderError, Rendered, SharedRender, refuse_overrides, render_sharing};

/// Renders that can be used again, bounded by an estimate of their bytes; the least recently used go first.
///
/// Shared by all Units: two that declare the same folder of equal content share one render.
pub struct RenderCache {
    state: Mutex<State>,
    capacity: usize,
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
    bytes: usize,
    clock: u64,
}

/// Renders of one folder in one context that are kept at once: one per revision in use, which is one, and two while a commit goes
/// round.
const KEPT_PER_FOLDER: usize = 2;

/// Which part of the capacity more is used for what kustomizations have read.
const FILES_SHARE: usize = 8;

#[derive(Clone, PartialEq, Eq, Hash)]
struct Parameters {
    path: Str,
    renderer: Renderer,
    /// Which repository: keeps equal folder names of different repositories apart.
    repository: u64,
}

struct Kept {
    render: SharedRender,
    /// The context it was made in, where that matters.
    context: Option<Digest>,
    bytes: usize,
    used: u64,
}

impl RenderCache {
    /// A cache that keeps about `capacity` bytes.
    #[must_use]
    pub fn new(capacity: usize) -> Self {
        Self {
            state: Mutex::default(),
            capacity,
            files: windlass_kustomize::Cache::new(capacity / FILES_SHARE),
            charts: crate::helm::cache(CHART_BYTES),
        }
    }

    /// The render of a folder: a kept one if everything it read is unchanged in `tree`, else a new one.
    ///
    /// # Errors
    ///
    /// As for [`render`](crate::render). Failures are not kept.
    pub fn render(
        &self,
        repository: &str,
        tree: &dyn Tree,
        path: &str,
        renderer: &Renderer,
        context: &mut Context<'_>,
    ) -> Result<SharedRender, RenderError> {
        // Asked for each name anew: one render is shared by many names.
        refuse_overrides(tree, path, &context.name)?;
        let mut hasher = DefaultHasher::new();
        repository.hash(&mut hasher);
        let parameters =
            Parameters { path: path.into(), renderer: renderer.clone(), repository: hasher.finish() };
        let mut digest = None;
        let candidates: Vec<SharedRender> = {
            let state = self.lock();
            let kept = state.renders.get(&parameters).into_iter().flatten();
            let same_context = kept.filter(|kept| {
                kept.context.is_none_or(|known| known == *digest.get_or_insert_with(|| context.digest()))
            });
            same_context.map(|kept| kept.render.clone()).collect()
        };
        for candidate in candidates.into_iter().rev() {
            if holds(&candidate, tree, context)? {
                self.touch(&parameters, &candidate);
                return Ok(candidate);
            }
        }
        let rendered = SharedRender::new(render_sharing(
            tree,
            path,
            renderer,
            context,
            Some(&self.files),
            &self.charts,
        )?);
        if rendered.fetched {
            // No read set says whether what lies elsewhere is still the same.
            return Ok(rendered);
        }
        // Plain files are the same whatever the context.
        let of_context = (rendered.source_type != SourceType::Directory)
            .then(|| digest.unwrap_or_else(|| context.digest()));
        self.keep(parameters, rendered.clone(), of_context);
        Ok(rendered)
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

/// Whether everything that a render read is as it was.
fn holds(render: &Rendered, tree: &dyn Tree, context: &Context<'_>) -> Result<bool, RenderError> {
    for (name, reads) in &render.reference_reads {
        let Some(tree) = context.references.get(name) else { return Ok(false) };
        if !reads.holds_in(*tree)? {
            return Ok(false);
        }
    }
    Ok(render.reads.holds_in(tree)?)
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
