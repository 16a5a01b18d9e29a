//! Renders of things that lie elsewhere are used again while those are what they were, and only then.
#![expect(clippy::unwrap_used, reason = "tests")]

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use windlass_kube::Str;
use windlass_kustomize::remote::{Remote, RepositoryAddress};
use windlass_kustomize::{Error, ErrorKind};
use windlass_model::{Digest, MemoryTree, Renderer, Tree};
use windlass_render::{
    Asked, ChartFiles, ChartRequest, ChartSource, ChartSourceError, Context, Elsewhere, Fetchers, Instant,
    NoCharts, RenderCache, RenderError, RenderStore, SharedRender, World,
};

/// What is at an address.
#[derive(Clone, Copy, PartialEq)]
enum Thing {
    /// It is being fetched.
    Pending,
    /// It cannot be had.
    Failed,
    /// It has this content.
    Text(&'static str),
}

/// A web of files and charts, which one can change.
#[derive(Default)]
struct Web {
    things: Mutex<BTreeMap<String, Thing>>,
    asked: Mutex<Asked>,
}

impl Web {
    fn put(&self, address: &str, thing: Thing) {
        self.things.lock().unwrap().insert(address.to_owned(), thing);
    }

    fn get(&self, address: &str) -> Option<&'static str> {
        let thing = self.things.lock().unwrap().get(address).copied().unwrap_or(Thing::Pending);
        let mut asked = self.asked.lock().unwrap();
        match thing {
            Thing::Pending => asked.pending = true,
            Thing::Failed => asked.failed = true,
            Thing::Text(text) => {
                asked.had.push((address.into(), text.into()));
                return Some(text);
            }
        }
        None
    }
}

impl Elsewhere for Web {
    fn identity(&self, address: &str) -> Option<Str> {
        match self.things.lock().unwrap().get(address)? {
            Thing::Text(text) => Some((*text).into()),
            Thing::Pending | Thing::Failed => None,
        }
    }

    fn take_asked(&self) -> Asked {
        std::mem::take(&mut self.asked.lock().unwrap())
    }
}

impl Remote for Web {
    fn repository(&self, address: &RepositoryAddress) -> windlass_kustomize::Result<Arc<dyn Tree>> {
        Err(Error::new(ErrorKind::Remote, format!("{} is no repository", address.raw)))
    }

    fn file(&self, url: &str) -> windlass_kustomize::Result<Arc<[u8]>> {
        let text = self.get(url).ok_or_else(|| Error::new(ErrorKind::Remote, "not to be had"))?;
        Ok(text.as_bytes().into())
    }
}

impl ChartSource for Web {
    fn fetch(&self, request: &ChartRequest<'_>) -> Result<ChartFiles, ChartSourceError> {
        let value = self.get(request.repository).ok_or("not to be had")?;
        let template =
            format!("apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: inner}}\ndata: {{v: '{value}'}}\n");
        let chart = format!("apiVersion: v2\nname: {}\nversion: 1.0.0\n", request.name);
        Ok(ChartFiles::Tree(Arc::new(MemoryTree::new([
            ("Chart.yaml", chart),
            ("templates/a.yaml", template),
        ]))))
    }
}

/// A clock that stands still, so that every pause lasts.
struct NoTime;

impl World for NoTime {
    fn now(&mut self) -> Instant {
        Instant { seconds: 1_000, nanoseconds: 0 }
    }

    fn random(&mut self, bytes: &mut [u8]) {
        bytes.fill(0);
    }
}

const FILE: &str = "https://files.example/a.yaml";
const CHARTS: &str = "https://charts.example";

/// A kustomization of a file elsewhere, and a chart with a dependency elsewhere.
fn sources() -> [(MemoryTree, &'static str); 2] {
    let kustomization = format!("resources: ['{FILE}']\n");
    let chart = format!(
        "apiVersion: v2\nname: outer\nversion: 1.0.0\n\
         dependencies: [{{name: inner, version: 1.x, repository: '{CHARTS}'}}]\n"
    );
    [
        (MemoryTree::new([("kustomization.yaml", kustomization)]), FILE),
        (MemoryTree::new([("Chart.yaml", chart)]), CHARTS),
    ]
}

fn render(cache: &RenderCache, tree: &MemoryTree, web: &Web) -> Result<SharedRender, RenderError> {
    let mut world = NoTime;
    let mut context = Context::empty(&mut world);
    context.name = "app".into();
    context.fetchers = Fetchers { bases: Some(web), charts: None, record: Some(web) };
    context.charts = web;
    cache.render("repository", tree, "", &Renderer::Detect, &mut context)
}

const ONE: Thing = Thing::Text("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: one}\n");
const TWO: Thing = Thing::Text("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: two}\n");

#[test]
fn what_is_not_here_yet_is_no_failure() {
    for (tree, address) in sources() {
        let (cache, web) = (RenderCache::new(1 << 20), Web::default());
        for thing in [Thing::Pending, Thing::Failed] {
            web.put(address, thing);
            for _ in 0..3 {
                let error = render(&cache, &tree, &web).unwrap_err();
                assert_eq!(matches!(error, RenderError::Pending { .. }), thing == Thing::Pending, "{error}");
            }
        }
        assert_eq!(cache.counts().paused, 0);
        web.put(address, Thing::Text("v"));
        // It is tried at once; that what came is no YAML of an object is a failure like any other.
        if let Err(error) = render(&cache, &tree, &web) {
            assert!(matches!(error, RenderError::Kustomize { .. }), "{error}");
            assert!(matches!(render(&cache, &tree, &web), Err(RenderError::Again { .. })));
        }
        assert_eq!(cache.counts().rendered, 7);
    }
}

#[test]
fn renders_are_kept_while_things_elsewhere_are_the_same() {
    for (tree, address) in sources() {
        let (cache, web) = (RenderCache::new(1 << 20), Web::default());
        web.put(address, ONE);
        let first = render(&cache, &tree, &web).unwrap();
        assert!(SharedRender::ptr_eq(&first, &render(&cache, &tree, &web).unwrap()));
        web.put(address, TWO);
        let second = render(&cache, &tree, &web).unwrap();
        assert_ne!(first.manifests[0].object, second.manifests[0].object);
        web.put(address, ONE);
        assert!(SharedRender::ptr_eq(&first, &render(&cache, &tree, &web).unwrap()));
        // Somebody who has no way to it does not get what others have made of it.
        web.put(address, Thing::Failed);
        render(&cache, &tree, &web).unwrap_err();
        assert_eq!(cache.counts().rendered, 3);
    }
}

/// A store in memory.
#[derive(Default)]
struct Records(Mutex<BTreeMap<(String, u8), Vec<u8>>>);

impl RenderStore for Records {
    fn load(&self, key: Digest) -> Vec<Vec<u8>> {
        let records = self.0.lock().unwrap();
        records.iter().filter(|((known, _), _)| *known == key.to_string()).map(|(_, it)| it.clone()).collect()
    }

    fn save(&self, key: Digest, slot: u8, record: &[u8]) {
        self.0.lock().unwrap().insert((key.to_string(), slot), record.to_vec());
    }
}

#[test]
fn a_restart_takes_from_the_store_once_things_elsewhere_are_here() {
    for (tree, address) in sources() {
        let records = Arc::new(Records::default());
        let restarted = || RenderCache::new(1 << 20).with_store(records.clone());
        let web = Web::default();
        web.put(address, ONE);
        let first = render(&restarted(), &tree, &web).unwrap();
        let cache = restarted();
        web.put(address, Thing::Pending);
        assert!(matches!(render(&cache, &tree, &web), Err(RenderError::Pending { .. })));
        web.put(address, ONE);
        let again = render(&cache, &tree, &web).unwrap();
        assert_eq!(format!("{first:?}"), format!("{again:?}"));
        assert_eq!((cache.counts().loaded, cache.counts().rendered), (1, 1), "the one that was pending");
        // Other things make another render, in this process and in the next.
        web.put(address, TWO);
        let other = render(&restarted(), &tree, &web).unwrap();
        assert_ne!(first.manifests[0].object, other.manifests[0].object);
    }
}

#[test]
fn an_address_with_a_password_is_in_no_record() {
    let records = Arc::new(Records::default());
    let cache = RenderCache::new(1 << 20).with_store(records.clone());
    let address = "https://ada:hunter2@files.example/a.yaml";
    let tree = MemoryTree::new([("kustomization.yaml", format!("resources: ['{address}']\n"))]);
    let web = Web::default();
    web.put(address, ONE);
    render(&cache, &tree, &web).unwrap();
    assert!(records.0.lock().unwrap().is_empty());
}

#[test]
fn a_failure_is_told_again_only_while_things_elsewhere_are_the_same() {
    let [(tree, address), _] = sources();
    let (cache, web) = (RenderCache::new(1 << 20), Web::default());
    web.put(address, Thing::Text("no object"));
    render(&cache, &tree, &web).unwrap_err();
    assert!(matches!(render(&cache, &tree, &web), Err(RenderError::Again { .. })));
    web.put(address, ONE);
    assert_eq!(render(&cache, &tree, &web).unwrap().manifests[0].object.name(), "one");
}

#[test]
fn what_nobody_keeps_count_of_is_fetched_every_time() {
    let [(tree, address), _] = sources();
    let (cache, web) = (RenderCache::new(1 << 20), Web::default());
    for (thing, name) in [(ONE, "one"), (TWO, "two")] {
        web.put(address, thing);
        let mut world = NoTime;
        let mut context = Context::empty(&mut world);
        context.fetchers = Fetchers { bases: Some(&web), charts: None, record: None };
        context.charts = &NoCharts;
        let rendered = cache.render("repository", &tree, "", &Renderer::Detect, &mut context).unwrap();
        assert_eq!(rendered.manifests[0].object.name(), name);
    }
}
