//! Following every table of the store: all objects there are, then each change.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc::UnboundedSender;
use tokio::task::JoinSet;
use windlass_kube::Str;

use crate::api::Api;
use crate::resource::Resource;
use crate::store::{EventKind, Key, Stored};

/// How long after a change of definitions their new resources are looked for again: the API registers a
/// resource after its definition is stored.
const REGISTRATION: Duration = Duration::from_millis(200);

/// The table of resource definitions.
const DEFINITIONS: &str = "apiextensions.k8s.io/customresourcedefinitions";

/// Something that happened to an object; the first change of an object that was there before is `Present`.
#[derive(Clone)]
pub(crate) struct Change {
    /// The resource, at its storage version.
    pub(crate) resource: Arc<Resource>,
    /// The object as it is, or its last state.
    pub(crate) object: Arc<Stored>,
    /// The object before, where it changed.
    pub(crate) previous: Option<Arc<Stored>>,
    /// Whether it is gone.
    pub(crate) deleted: bool,
}

/// What followers tell.
#[derive(Clone)]
pub(crate) enum Told {
    /// Something happened.
    Changed(Change),
    /// Everything that was there at the start has been told.
    Synced,
}

impl Change {
    pub(crate) fn storage(&self) -> &str {
        &self.resource.storage
    }

    pub(crate) fn key(&self) -> &Key {
        self.object.key()
    }
}

/// Follows every table, those of definitions to come included, and tells all feeds.
///
/// Ends only when it is dropped; a feed whose receiver is gone is skipped.
pub(crate) async fn follow_all(api: Api, feeds: Vec<UnboundedSender<Told>>) {
    let feeds: Arc<[UnboundedSender<Told>]> = feeds.into();
    let mut followed: HashSet<Str> = HashSet::new();
    let mut followers = JoinSet::new();
    let definitions = api.store().table(DEFINITIONS);
    let mut changes = definitions.subscribe(definitions.list(None).revision).ok();
    let mut first = true;
    loop {
        for resource in stored_resources(&api) {
            if followed.insert(resource.storage.clone()) {
                let (api, feeds) = (api.clone(), feeds.clone());
                let mut follower = Follower::new(api, resource, feeds);
                follower.tell_present();
                followers.spawn(follower.run());
            }
        }
        if std::mem::take(&mut first) {
            tell(&feeds, &Told::Synced);
        }
        let told = match &mut changes {
            Some(subscription) => subscription.next().await.is_ok(),
            None => false,
        };
        if !told {
            changes = definitions.subscribe(definitions.list(None).revision).ok();
        }
        tokio::time::sleep(REGISTRATION).await;
    }
}

/// One resource for each table, at the version it is stored at where that is served.
pub(crate) fn stored_resources(api: &Api) -> Vec<Arc<Resource>> {
    let mut found: Vec<Arc<Resource>> = Vec::new();
    for resource in api.resources() {
        if !resource.has_verb("list") && !resource.has_verb("get") {
            continue;
        }
        match found.iter_mut().find(|have| have.storage == resource.storage) {
            Some(have) if resource.gvk() == resource.storage_gvk => *have = resource,
            Some(_) => {}
            None => found.push(resource),
        }
    }
    found
}

fn tell(feeds: &[UnboundedSender<Told>], told: &Told) {
    for feed in feeds {
        // A controller that has ended needs no news.
        let _ = feed.send(told.clone());
    }
}

struct Follower {
    api: Api,
    resource: Arc<Resource>,
    feeds: Arc<[UnboundedSender<Told>]>,
    seen: u64,
}

impl Follower {
    fn new(api: Api, resource: Arc<Resource>, feeds: Arc<[UnboundedSender<Told>]>) -> Self {
        Self { api, resource, feeds, seen: 0 }
    }

    fn tell_present(&mut self) {
        let snapshot = self.api.store().table(&self.resource.storage).list(None);
        self.seen = snapshot.revision;
        for object in snapshot.objects {
            let resource = self.resource.clone();
            tell(&self.feeds, &Told::Changed(Change { resource, object, previous: None, deleted: false }));
        }
    }

    async fn run(mut self) {
        loop {
            let table = self.api.store().table(&self.resource.storage);
            if let Ok(mut subscription) = table.subscribe(self.seen) {
                while let Ok(events) = subscription.next().await {
                    for event in events {
                        self.seen = event.revision();
                        let change = Change {
                            resource: self.resource.clone(),
                            object: event.object.clone(),
                            previous: event.previous.clone(),
                            deleted: event.kind == EventKind::Deleted,
                        };
                        tell(&self.feeds, &Told::Changed(change));
                    }
                }
            }
            // Too slow for the ring of recent changes: begin with what there is.
            self.tell_present();
        }
    }
}
