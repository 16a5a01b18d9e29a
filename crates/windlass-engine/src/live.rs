//! The live index: what is known of a cluster's objects, by name and by the Unit they belong to.

use std::borrow::Borrow;
use std::collections::{HashMap, HashSet};
use std::hash::{BuildHasher, Hash, Hasher, RandomState};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use windlass_kube::{GroupKind, ObjectRef, Str};
use windlass_model::LiveRecord;

/// What is known of the objects of one cluster.
///
/// Objects that belong to a Unit are held as records; of the others, only that they are there.
#[derive(Default)]
pub(crate) struct LiveIndex {
    records: HashSet<ByKey>,
    /// The records of each instance, sorted by key.
    by_instance: HashMap<Str, Vec<Arc<LiveRecord>>>,
    /// Hashes of the names of objects that belong to no Unit. Eight bytes an object; a collision costs one
    /// needless call.
    others: HashSet<u64>,
    hasher: RandomState,
    /// Kinds that are being listed, by namespace (empty for all), with the names seen so far: what is missing at the
    /// end is gone.
    listing: HashMap<GroupKind, HashMap<Str, Seen>>,
    /// All objects of the namespaces in which orphans are looked for.
    residents: HashMap<Str, Residents>,
    /// What [`LiveIndex::resident_news`] tells next.
    resident_news: HashSet<(Str, Option<Str>)>,
    /// At which version objects went that were deleted last, by the hashes of their names; and those before them.
    removed: [HashMap<u64, u64>; 2],
    /// At which version kinds were listed last, by namespace (empty for all): what is not known since was not there.
    listed: HashMap<GroupKind, HashMap<Str, u64>>,
}

/// An owner of an owner, as many times over, is far more than any controller makes; a circle ends here.
const MAX_OWNERS: usize = 16;

/// The objects of one namespace.
struct Residents {
    /// Another one after each change; no two namespaces, of whatever cluster, ever have the same.
    version: u64,
    objects: HashMap<ObjectRef, Resident>,
    /// The same by their uids, for finding owners.
    by_uid: HashMap<Str, ObjectRef>,
}

/// The next version of some namespace's objects.
fn next_version() -> u64 {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    NEXT.fetch_add(1, Ordering::Relaxed)
}

impl Default for Residents {
    fn default() -> Self {
        Self { version: next_version(), objects: HashMap::new(), by_uid: HashMap::new() }
    }
}

impl Residents {
    /// Takes in what is there now; answers what was there before.
    fn put(&mut self, key: &ObjectRef, now: Option<Resident>) -> Option<Resident> {
        let before = match now {
            Some(now) => {
                self.by_uid.insert(now.uid.clone(), key.clone());
                self.objects.insert(key.clone(), now)
            }
            None => self.objects.remove(key),
        };
        if let Some(before) = &before
            && self.objects.get(key).is_none_or(|now| now.uid != before.uid)
        {
            self.by_uid.remove(&before.uid);
        }
        before
    }

    fn of_uid(&self, uid: &Str) -> Option<&Resident> {
        self.objects.get(self.by_uid.get(uid)?)
    }
}

/// What is kept of an object for telling orphans from others.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Resident {
    pub(crate) uid: Str,
    pub(crate) owners: Box<[Str]>,
    pub(crate) instance: Option<Str>,
}

/// How many deletions are remembered at least: many times what happens while the answer to a call is on its way.
const REMEMBERED_REMOVALS: usize = 4096;

/// Hashes of the names that a list has brought so far, as in `others`.
type Seen = HashSet<u64>;

/// A record that is found by its key, which is held once.
struct ByKey(Arc<LiveRecord>);

impl Hash for ByKey {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.key.hash(state);
    }
}

impl PartialEq for ByKey {
    fn eq(&self, other: &Self) -> bool {
        self.0.key == other.0.key
    }
}

impl Eq for ByKey {}

impl Borrow<ObjectRef> for ByKey {
    fn borrow(&self) -> &ObjectRef {
        &self.0.key
    }
}

/// Whose state a change touches.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Touched {
    /// The object.
    pub(crate) key: Option<ObjectRef>,
    /// Instances that had or have it.
    pub(crate) instances: Vec<Str>,
}

/// What the index knows of one name.
pub(crate) enum Known<'a> {
    /// An object that some Unit has.
    Record(&'a LiveRecord),
    /// An object that nobody has.
    Other,
    /// No object.
    Absent,
}

impl LiveIndex {
    /// What is known under `key`.
    pub(crate) fn get(&self, key: &ObjectRef) -> Known<'_> {
        match self.record(key) {
            Some(record) => Known::Record(record),
            None if self.others.contains(&self.hasher.hash_one(key)) => Known::Other,
            None => Known::Absent,
        }
    }

    /// The record under `key`.
    pub(crate) fn record(&self, key: &ObjectRef) -> Option<&LiveRecord> {
        self.records.get(key).map(|record| &*record.0)
    }

    /// The objects marked as `instance`'s, sorted.
    pub(crate) fn of_instance(&self, instance: &str) -> impl Iterator<Item = &LiveRecord> {
        self.by_instance.get(instance).into_iter().flatten().map(|record| &**record)
    }

    /// From now on all objects of a namespace are known; answers whether that is news. What was seen before has to
    /// be listed again then.
    pub(crate) fn keep_residents(&mut self, namespace: &Str) -> bool {
        if self.residents.contains_key(namespace) {
            return false;
        }
        self.residents.insert(namespace.clone(), Residents::default());
        true
    }

    /// All objects of a namespace in which orphans are looked for.
    pub(crate) fn residents(&self, namespace: &str) -> impl Iterator<Item = (&ObjectRef, &Resident)> {
        self.residents.get(namespace).into_iter().flat_map(|residents| &residents.objects)
    }

    /// Changes with what [`residents`](Self::residents) answers.
    pub(crate) fn residents_version(&self, namespace: &str) -> u64 {
        self.residents.get(namespace).map_or(0, |residents| residents.version)
    }

    /// Where objects came or went since this was asked last, each with the instance that it belongs or belonged to: by
    /// its own mark, or that of an owner.
    pub(crate) fn resident_news(&mut self) -> HashSet<(Str, Option<Str>)> {
        std::mem::take(&mut self.resident_news)
    }

    /// Takes in that an object is there, or is not.
    fn note_resident(&mut self, key: &ObjectRef, now: Option<Resident>) {
        let Some(residents) = self.residents.get_mut(&key.namespace) else { return };
        let before = residents.put(key, now.clone());
        if before == now {
            return;
        }
        residents.version = next_version();
        for mut top in before.into_iter().chain(now) {
            for _ in 0..MAX_OWNERS {
                let Some(owner) = top.owners.first().filter(|_| top.instance.is_none()) else { break };
                let Some(found) = residents.of_uid(owner) else { break };
                top = found.clone();
            }
            // Of what is owned by something that cannot be seen there is nothing to say.
            if top.instance.is_some() || top.owners.is_empty() {
                self.resident_news.insert((key.namespace.clone(), top.instance));
            }
        }
    }

    /// How many records are held.
    pub(crate) fn len(&self) -> usize {
        self.records.len()
    }

    /// Takes in the state of an object, as a list or a watch told it. `keep` says that it is wanted although it carries
    /// no mark.
    ///
    /// Answers whom it touches; nobody when nothing changed that matters.
    pub(crate) fn upsert(&mut self, record: LiveRecord, keep: bool) -> Touched {
        self.note_seen(&record.key);
        self.take_in(record, keep)
    }

    /// Takes in the state of an object, as a call answered it: whether it is there still, a list that is under way may
    /// know better.
    pub(crate) fn answered(&mut self, record: LiveRecord, keep: bool) -> Touched {
        if record.resource_version.parse::<u64>().is_err() {
            self.note_seen(&record.key);
        }
        self.take_in(record, keep)
    }

    /// Notes that lists which are under way have brought an object, or need not.
    fn note_seen(&mut self, key: &ObjectRef) {
        let Some(lists) = self.listing.get_mut(&key.group_kind()) else { return };
        let hash = self.hasher.hash_one(key);
        for (namespace, seen) in lists {
            if namespace.is_empty() || *namespace == key.namespace {
                seen.insert(hash);
            }
        }
    }

    fn take_in(&mut self, record: LiveRecord, keep: bool) -> Touched {
        if !self.residents.is_empty() {
            let (uid, owners) = (record.uid.clone(), record.owners.clone());
            let resident = Resident { uid, owners, instance: record.instance.clone() };
            self.note_resident(&record.key, Some(resident));
        }
        let key = record.key.clone();
        let hash = self.hasher.hash_one(&key);
        let wanted = keep || record.instance.is_some();
        if !wanted {
            let was_there = self.drop_record(&key);
            self.others.insert(hash);
            return match was_there {
                Some(instance) => Touched { key: Some(key), instances: instance.into_iter().collect() },
                None => Touched::default(),
            };
        }
        self.others.remove(&hash);
        let old = self.records.get(&key).map(|record| record.0.clone());
        if let Some(old) = &old
            && (is_older(&record, old) || says_the_same(old, &record))
        {
            if record.resource_version != old.resource_version && !is_older(&record, old) {
                let resource_version = record.resource_version;
                self.put(LiveRecord { resource_version, ..LiveRecord::clone(old) });
            }
            return Touched::default();
        }
        let mut instances: Vec<Str> = record.instance.iter().cloned().collect();
        if let Some(old_instance) = old.and_then(|old| old.instance.clone())
            && Some(&old_instance) != record.instance.as_ref()
        {
            self.unlink(&old_instance, &key);
            instances.push(old_instance);
        }
        self.put(record);
        Touched { key: Some(key), instances }
    }

    /// Holds a record, in place of the one with its key.
    fn put(&mut self, record: LiveRecord) {
        let record = Arc::new(record);
        if let Some(instance) = &record.instance {
            let records = self.by_instance.entry(instance.clone()).or_default();
            match records.binary_search_by(|other| other.key.cmp(&record.key)) {
                Ok(at) => records[at] = record.clone(),
                Err(at) => {
                    // Few objects a Unit, many Units: room for more than is there adds up.
                    if records.len() == records.capacity() {
                        records.reserve_exact(records.len() / 2 + 1);
                    }
                    records.insert(at, record.clone());
                }
            }
        }
        self.records.replace(ByKey(record));
    }

    /// Takes in that an object is gone.
    pub(crate) fn remove(&mut self, key: &ObjectRef) -> Touched {
        self.others.remove(&self.hasher.hash_one(key));
        let instances = self.drop_record(key).flatten().into_iter().collect();
        self.note_resident(key, None);
        Touched { key: Some(key.clone()), instances }
    }

    /// Takes in that an object went at this version. What was made anew since stays.
    pub(crate) fn removed_at(&mut self, key: &ObjectRef, version: &str) -> Touched {
        let Ok(version) = version.parse::<u64>() else { return self.remove(key) };
        if self.removed[0].len() >= REMEMBERED_REMOVALS {
            self.removed.swap(0, 1);
            self.removed[0].clear();
        }
        self.removed[0].insert(self.hasher.hash_one(key), version);
        let newer = self.record(key).and_then(|record| record.resource_version.parse::<u64>().ok());
        if newer.is_some_and(|newer| newer > version) {
            return Touched::default();
        }
        self.remove(key)
    }

    /// Takes in what the deletion of an object met; of one without a uid only that there was none.
    ///
    /// Where there was none, the watch has not told so yet, or an answer that was late has put it here. Where there was
    /// one, the watch will tell when it is gone.
    pub(crate) fn deleted(&mut self, key: &ObjectRef, uid: &str, was_there: bool) -> Touched {
        let Some(record) = self.records.get(key).map(|record| record.0.clone()) else {
            return Touched::default();
        };
        if record.uid == uid && was_there && !record.terminating {
            self.put(LiveRecord { terminating: true, ..LiveRecord::clone(&record) });
        }
        let is_gone = !was_there && (uid.is_empty() || record.uid == uid);
        if is_gone { self.remove(key) } else { Touched::default() }
    }

    /// Whether the object went after it was as `record` says: a watch or a list can overtake the answer to a call.
    pub(crate) fn is_removed_since(&self, record: &LiveRecord) -> bool {
        let Ok(version) = record.resource_version.parse::<u64>() else { return false };
        let hash = self.hasher.hash_one(&record.key);
        let removed = self.removed.iter().filter_map(|removed| removed.get(&hash)).max();
        removed.is_some_and(|removed| version <= *removed)
            || (version <= self.listed_at(&record.key) && matches!(self.get(&record.key), Known::Absent))
    }

    /// The version of the last list that would have brought an object.
    fn listed_at(&self, key: &ObjectRef) -> u64 {
        let Some(lists) = self.listed.get(&key.group_kind()) else { return 0 };
        let here = lists.get(&key.namespace).copied().unwrap_or(0);
        here.max(lists.get("").copied().unwrap_or(0))
    }

    /// A list of `kind` begins, in a namespace or (an empty name) everywhere.
    pub(crate) fn begin_listing(&mut self, kind: GroupKind, namespace: Str) {
        self.listing.entry(kind).or_default().insert(namespace, Seen::default());
    }

    /// The list of `kind` is complete, as of `version`: what it did not bring is gone, unless an answer told of a later
    /// state of it.
    pub(crate) fn end_listing(&mut self, kind: &GroupKind, namespace: &Str, version: &str) -> Vec<Touched> {
        let version = version.parse::<u64>().ok();
        let Some(lists) = self.listing.get_mut(kind) else { return Vec::new() };
        let Some(seen) = lists.remove(namespace) else { return Vec::new() };
        if lists.is_empty() {
            self.listing.remove(kind);
        }
        if let Some(version) = version {
            self.listed.entry(kind.clone()).or_default().insert(namespace.clone(), version);
        }
        let is_later = |key: &&ObjectRef| {
            let told = self.record(key).and_then(|record| record.resource_version.parse::<u64>().ok());
            told.zip(version).is_some_and(|(told, version)| told > version)
        };
        let residents = self.residents.values().flat_map(|residents| residents.objects.keys());
        let residents = residents.filter(|key| !self.records.contains(*key));
        let gone: Vec<ObjectRef> = self
            .records
            .iter()
            .map(|record| &record.0.key)
            .chain(residents)
            .filter(|key| key.kind == kind.kind && key.group == kind.group)
            .filter(|key| namespace.is_empty() || key.namespace == *namespace)
            .filter(|key| !seen.contains(&self.hasher.hash_one(key)))
            .filter(|key| !is_later(key))
            .cloned()
            .collect();
        gone.iter().map(|key| self.remove(key)).collect()
    }

    /// Forgets every object of `kind`, because the cluster does not serve it any more.
    pub(crate) fn forget_kind(&mut self, kind: &GroupKind) -> Vec<Touched> {
        self.listing.remove(kind);
        self.begin_listing(kind.clone(), Str::default());
        let gone = self.end_listing(kind, &Str::default(), "");
        self.listed.remove(kind);
        gone
    }

    fn drop_record(&mut self, key: &ObjectRef) -> Option<Option<Str>> {
        let ByKey(record) = self.records.take(key)?;
        if let Some(instance) = &record.instance {
            self.unlink(instance, key);
        }
        Some(record.instance.clone())
    }

    fn unlink(&mut self, instance: &str, key: &ObjectRef) {
        if let Some(records) = self.by_instance.get_mut(instance) {
            if let Ok(at) = records.binary_search_by(|record| record.key.cmp(key)) {
                records.remove(at);
            }
            if records.is_empty() {
                self.by_instance.remove(instance);
            }
        }
    }
}

/// Whether `new` is an earlier state of the same object than `old`: an apply's answer can overtake the watch.
///
/// Versions are opaque by contract; since Kubernetes 1.35 they are promised to be comparable integers, and every
/// server in use has numbered them so. Where they are not numbers, the later arrival wins.
fn is_older(new: &LiveRecord, old: &LiveRecord) -> bool {
    if new.uid != old.uid {
        return false;
    }
    match (new.resource_version.parse::<u128>(), old.resource_version.parse::<u128>()) {
        (Ok(new), Ok(old)) => new < old,
        _ => false,
    }
}

fn says_the_same(old: &LiveRecord, new: &LiveRecord) -> bool {
    old.uid == new.uid
        && old.owned == new.owned
        && old.added == new.added
        && old.health == new.health
        && old.health_ignored == new.health_ignored
        && old.instance == new.instance
        && old.terminating == new.terminating
        && old.hook == new.hook
        && old.held_as_hook == new.held_as_hook
        && old.keep_on_prune == new.keep_on_prune
        && old.confirm_prune == new.confirm_prune
        && old.keep_on_delete == new.keep_on_delete
        && old.uncounted == new.uncounted
        && old.confirm_delete == new.confirm_delete
        && old.images == new.images
        && old.owners == new.owners
}

#[cfg(test)]
mod tests {
    use windlass_kube::Gvk;

    use super::*;

    fn record(name: &str, version: u64, instance: Option<&str>) -> LiveRecord {
        LiveRecord {
            key: ObjectRef::new("", "ConfigMap", "ns", name),
            gvk: Gvk::new("", "v1", "ConfigMap"),
            uid: format!("uid-{name}").into(),
            resource_version: version.to_string().into(),
            owners: Box::default(),
            instance: instance.map(Str::from),
            owned: Some(windlass_model::Digest::of_bytes(&version.to_le_bytes())),
            added: None,
            health: None,
            health_ignored: false,
            terminating: false,
            hook: false,
            held_as_hook: false,
            keep_on_prune: false,
            confirm_prune: None,
            keep_on_delete: false,
            uncounted: false,
            confirm_delete: false,
            images: Box::default(),
            last_writer: None,
            applied: None,
            begun: Str::default(),
        }
    }

    #[test]
    fn an_older_state_never_replaces_a_newer_one() {
        let mut index = LiveIndex::default();
        index.upsert(record("a", 5, Some("app")), false);
        assert_eq!(index.upsert(record("a", 4, Some("app")), false), Touched::default());
        assert_eq!(index.record(&record("a", 0, None).key).unwrap().resource_version, "5");
    }

    #[test]
    fn the_answer_to_a_call_brings_nothing_back_that_was_deleted_since() {
        let mut index = LiveIndex::default();
        let key = record("a", 0, None).key;
        index.removed_at(&key, "6");
        assert!(index.is_removed_since(&record("a", 5, Some("app"))));
        assert!(!index.is_removed_since(&record("a", 7, Some("app"))));
        assert!(!index.is_removed_since(&record("b", 5, Some("app"))));
        // Made anew before the news of its deletion came.
        index.upsert(record("a", 7, Some("app")), false);
        assert_eq!(index.removed_at(&key, "6"), Touched::default());
        assert!(index.record(&key).is_some());
        assert_eq!(index.removed_at(&key, "8").instances, ["app"]);
    }

    #[test]
    fn what_a_list_does_not_bring_is_gone() {
        let mut index = LiveIndex::default();
        index.upsert(record("a", 1, Some("app")), false);
        index.upsert(record("b", 2, Some("app")), false);
        let kind = GroupKind::new("", "ConfigMap");
        let everywhere = Str::default();
        index.begin_listing(kind.clone(), everywhere.clone());
        index.upsert(record("b", 3, Some("app")), false);
        let touched = index.end_listing(&kind, &everywhere, "9");
        assert_eq!(touched.len(), 1);
        assert_eq!(touched[0].instances, ["app"]);
        assert_eq!(index.of_instance("app").count(), 1);
    }

    #[test]
    fn the_answer_to_a_call_brings_nothing_back_that_a_list_no_longer_shows() {
        let mut index = LiveIndex::default();
        let (kind, everywhere) = (GroupKind::new("", "ConfigMap"), Str::default());
        let list = |index: &mut LiveIndex, version: &str| {
            index.begin_listing(kind.clone(), everywhere.clone());
            index.upsert(record("there", 3, Some("app")), false);
            // Answers come at any time; what is older than the list says nothing that the list does not know better.
            index.answered(record("gone", 5, Some("app")), false);
            index.answered(record("new", 12, Some("app")), false);
            index.end_listing(&kind, &everywhere, version)
        };
        assert_eq!(list(&mut index, "9").len(), 1);
        let known = |index: &LiveIndex, name: &str| index.record(&record(name, 0, None).key).is_some();
        assert!(known(&index, "there") && !known(&index, "gone") && known(&index, "new"));
        assert!(index.is_removed_since(&record("gone", 9, Some("app"))));
        assert!(!index.is_removed_since(&record("gone", 10, Some("app"))));
        assert!(!index.is_removed_since(&record("there", 4, Some("app"))));
        // Of a namespace's list only what is in that namespace.
        let mut index = LiveIndex::default();
        index.begin_listing(kind.clone(), "other".into());
        index.end_listing(&kind, &"other".into(), "9");
        assert!(!index.is_removed_since(&record("gone", 5, Some("app"))));
        index.begin_listing(kind.clone(), "ns".into());
        index.end_listing(&kind, &"ns".into(), "9");
        assert!(index.is_removed_since(&record("gone", 5, Some("app"))));
        // A kind that is not served any more may come back with versions of its own.
        index.forget_kind(&kind);
        assert!(!index.is_removed_since(&record("gone", 5, Some("app"))));
    }

    #[test]
    fn lists_of_single_namespaces_leave_the_others_alone() {
        let in_namespace = |name: &str, version, namespace: &str| {
            let mut record = record(name, version, Some("app"));
            record.key.namespace = namespace.into();
            record
        };
        let mut index = LiveIndex::default();
        index.upsert(in_namespace("a", 1, "one"), false);
        index.upsert(in_namespace("b", 1, "two"), false);
        let kind = GroupKind::new("", "ConfigMap");
        index.begin_listing(kind.clone(), "one".into());
        index.begin_listing(kind.clone(), "two".into());
        index.upsert(in_namespace("b", 2, "two"), false);
        assert_eq!(index.end_listing(&kind, &"two".into(), "9"), []);
        assert_eq!(index.end_listing(&kind, &"one".into(), "9").len(), 1);
        assert_eq!(index.end_listing(&kind, &"one".into(), "9"), []);
        assert_eq!(index.of_instance("app").count(), 1);
    }

    #[test]
    fn where_orphans_are_looked_for_all_objects_are_known() {
        let namespace = Str::from("ns");
        let mut index = LiveIndex::default();
        assert_eq!(index.upsert(record("early", 1, None), false), Touched::default());
        assert!(index.keep_residents(&namespace) && !index.keep_residents(&namespace));
        let told = |index: &mut LiveIndex, record: LiveRecord| {
            index.upsert(record, false);
            let mut news: Vec<_> = index.resident_news().into_iter().collect();
            news.sort();
            assert!(news.iter().all(|(namespace, _)| namespace == "ns"));
            news.into_iter().map(|(_, instance)| instance).collect::<Vec<_>>()
        };
        let (mine, nobody) = (Some(Str::from("app")), None);
        assert_eq!(told(&mut index, record("mine", 1, Some("app"))), std::slice::from_ref(&mine));
        assert_eq!(told(&mut index, record("stray", 1, None)), std::slice::from_ref(&nobody));
        assert!(told(&mut index, record("stray", 2, None)).is_empty());
        // What is owned counts with its owner.
        let mut pod = record("pod", 1, None);
        pod.owners = ["uid-mine".into()].into();
        assert_eq!(told(&mut index, pod.clone()), std::slice::from_ref(&mine));
        pod.key.name = "lost".into();
        pod.owners = ["uid-of-nobody".into()].into();
        assert!(told(&mut index, pod).is_empty());
        let version = index.residents_version("ns");
        assert!(told(&mut index, record("stray", 3, None)).is_empty());
        assert_eq!(index.residents_version("ns"), version);
        // Whom it belonged to before is told of, too.
        assert_eq!(told(&mut index, record("other", 1, None)), std::slice::from_ref(&nobody));
        assert_ne!(index.residents_version("ns"), version);
        assert_eq!(told(&mut index, record("other", 2, Some("app"))), [nobody.clone(), mine]);
        // A list that does not bring it shows that it is gone, though no Unit has it.
        let kind = GroupKind::new("", "ConfigMap");
        index.begin_listing(kind.clone(), Str::default());
        index.upsert(record("mine", 3, Some("app")), false);
        index.end_listing(&kind, &Str::default(), "9");
        assert!(index.resident_news().contains(&(namespace, nobody)));
        let left: Vec<&str> = index.residents("ns").map(|(key, _)| key.name.as_str()).collect();
        assert_eq!(left, ["mine"]);
    }

    #[test]
    fn what_a_deletion_met_is_known() {
        let mut index = LiveIndex::default();
        index.upsert(record("a", 1, Some("app")), false);
        let key = record("a", 0, None).key;
        // Of another object of the name nothing was said.
        assert_eq!(index.deleted(&key, "uid-other", false), Touched::default());
        assert_eq!(index.deleted(&key, "uid-other", true), Touched::default());
        assert!(index.record(&key).is_some_and(|record| !record.terminating));
        assert_eq!(index.deleted(&key, "uid-a", true), Touched::default());
        assert!(index.record(&key).is_some_and(|record| record.terminating));
        assert_eq!(index.deleted(&key, "uid-a", false).instances, ["app"]);
        assert!(index.record(&key).is_none());
        index.upsert(record("a", 2, Some("app")), false);
        assert_eq!(index.deleted(&key, "", false).instances, ["app"]);
    }

    #[test]
    fn an_object_that_loses_its_mark_leaves_its_unit() {
        let mut index = LiveIndex::default();
        index.upsert(record("a", 1, Some("app")), false);
        let touched = index.upsert(record("a", 2, None), false);
        assert_eq!(touched.instances, ["app"]);
        assert!(matches!(index.get(&record("a", 0, None).key), Known::Other));
        let touched = index.upsert(record("a", 3, None), true);
        assert!(touched.instances.is_empty() && touched.key.is_some());
        assert!(matches!(index.get(&record("a", 0, None).key), Known::Record(_)));
    }
}
