//! `windlass render --watch`: renders a folder again when something in it changes.

use std::collections::BTreeMap;
use std::process::ExitCode;

use anyhow::{Context as _, Result};
use tokio::sync::mpsc;
use windlass_kube::Object;
use windlass_render::{RenderCache, Rendered, SharedRender};
use windlass_source::{FolderChange, FolderWatch};

use super::Drawing;
use crate::output;

/// What is kept of renders, so that a change of what nobody reads renders nothing.
const CACHE_BYTES: usize = 64 << 20;

/// More changed files and objects than this are counted and not named.
const NAMED: usize = 8;

/// Renders and prints, and does so again after each change, until Ctrl-C.
pub(super) async fn run(drawing: &Drawing<'_>) -> Result<ExitCode> {
    let (news, mut changed) = mpsc::unbounded_channel::<Vec<FolderChange>>();
    let tell = move |changes| {
        let _ = news.send(changes);
    };
    // The working folder may go too, and another one come in its place.
    let watch = drawing.root.canonicalize().and_then(|root| FolderWatch::start(root, tell));
    let _watch = watch.with_context(|| format!("the folder {} cannot be watched", drawing.root.display()))?;
    let cache = RenderCache::new(CACHE_BYTES);
    let mut shown: Option<SharedRender> = None;
    let ended = crate::serving::stopped();
    tokio::pin!(ended);
    loop {
        let before = cache.counts().rendered;
        match drawing.render(Some(&cache)) {
            Ok(rendered) => {
                let ran = cache.counts().rendered > before;
                let differing = shown.as_ref().map(|shown| differences(shown, &rendered));
                if shown.is_some() {
                    output::note(&said(
                        ran,
                        differing.as_deref().unwrap_or_default(),
                        rendered.manifests.len(),
                    ));
                }
                if ran {
                    drawing.tell(&rendered);
                }
                // What was read may be others files although the objects are the same.
                if differing.is_none_or(|names| !names.is_empty()) || (ran && drawing.options.explain) {
                    if shown.is_some() {
                        output::print("---\n")?;
                    }
                    drawing.print(&rendered)?;
                }
                shown = Some(rendered);
            }
            // What was printed last still stands.
            Err(error) => output::note(&format!("error: {error:#}")),
        }
        let changes = tokio::select! {
            changes = changed.recv() => changes,
            () = &mut ended => None,
        };
        let Some(mut changes) = changes else { return Ok(ExitCode::SUCCESS) };
        while let Ok(more) = changed.try_recv() {
            changes.extend(more);
        }
        changes.sort();
        changes.dedup();
        let names: Vec<String> = changes.iter().map(ToString::to_string).collect();
        output::note(&format!("changed: {}", listed(&names)));
    }
}

/// What a change led to.
fn said(ran: bool, differing: &[String], n_objects: usize) -> String {
    match (ran, differing) {
        (false, []) => "not rendered: nothing that was read has changed".into(),
        (false, names) => format!("as rendered before: {}", listed(names)),
        (true, []) => format!("rendered again: {n_objects} objects, none of them another"),
        (true, names) => format!("rendered again: {n_objects} objects, others are {}", listed(names)),
    }
}

fn listed(names: &[String]) -> String {
    match names.len() {
        0 => "something that was written a moment before".into(),
        n if n <= NAMED => names.join(" "),
        n => format!("{} and {} more", names[..NAMED].join(" "), n - NAMED),
    }
}

/// The objects that one render has and the other has not, or has otherwise.
fn differences(before: &Rendered, after: &Rendered) -> Vec<String> {
    let (before, after) = (by_name(before), by_name(after));
    let mut names = Vec::new();
    for (name, object) in &after {
        match before.get(name) {
            None => names.push(format!("+{name}")),
            Some(known) if known != object => names.push(format!("~{name}")),
            Some(_) => {}
        }
    }
    names.extend(before.keys().filter(|name| !after.contains_key(*name)).map(|name| format!("-{name}")));
    names
}

/// Objects by what people call them; those that share a name stay in their order.
fn by_name(rendered: &Rendered) -> BTreeMap<String, Vec<&Object>> {
    let mut objects: BTreeMap<String, Vec<&Object>> = BTreeMap::new();
    for manifest in &rendered.manifests {
        let object = &manifest.object;
        let namespace = match object.namespace() {
            "" => String::new(),
            namespace => format!("{namespace}/"),
        };
        let name = format!("{}:{namespace}{}", object.gvk().group_kind(), object.name());
        objects.entry(name).or_default().push(object);
    }
    objects
}
