//! The managers of an object: reading, sorting, capping and writing `metadata.managedFields`.

use crate::fields::{FieldSet, Operation, managed_fields};
use crate::{Map, Object, Str, Value};

/// How many entries of updates an object keeps; the oldest beyond that are merged into `ancient-changes`.
/// kube-apiserver's `DefaultMaxUpdateManagers`.
pub const MAX_UPDATE_MANAGERS: usize = 10;

const ANCIENT_CHANGES: &str = "ancient-changes";

/// What tells entries apart: appliers have one entry whatever version they apply.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct ManagerId {
    pub(super) manager: Str,
    pub(super) operation: Operation,
    /// Empty for an applier.
    pub(super) api_version: Str,
    pub(super) subresource: Str,
}

impl ManagerId {
    pub(super) fn new(manager: &str, operation: Operation, api_version: &str, subresource: &str) -> Self {
        let api_version = if operation == Operation::Apply { "" } else { api_version };
        Self {
            manager: Str::new(if manager.is_empty() { "unknown" } else { manager }),
            operation,
            api_version: Str::new(api_version),
            subresource: Str::new(subresource),
        }
    }
}

#[derive(Clone, Debug)]
pub(super) struct Entry {
    pub(super) id: ManagerId,
    pub(super) api_version: Str,
    pub(super) set: FieldSet,
    time: Option<Str>,
    /// The fields as they were read and written, to be kept when they do not change.
    written: Option<(FieldSet, Value)>,
}

impl Entry {
    pub(super) fn new(id: ManagerId, api_version: &str, set: FieldSet, time: Option<&str>) -> Self {
        Self { id, api_version: Str::new(api_version), set, time: time.map(Str::new), written: None }
    }

    pub(super) fn time(&self) -> Option<&str> {
        self.time.as_deref()
    }

    pub(super) fn set_time(&mut self, time: &str) {
        self.time = Some(Str::new(time));
    }

    fn seconds(&self) -> i64 {
        self.time().and_then(unix_seconds).unwrap_or(0)
    }

    fn encode(&self) -> Value {
        let fields = match &self.written {
            Some((set, written)) if *set == self.set => written.clone(),
            _ => self.set.to_value(),
        };
        let mut members: Vec<(Str, Value)> = Vec::with_capacity(7);
        members.push((Str::new_static("apiVersion"), self.api_version.clone().into()));
        members.push((Str::new_static("fieldsType"), Value::String(Str::new_static("FieldsV1"))));
        members.push((Str::new_static("fieldsV1"), fields));
        if !self.id.manager.is_empty() {
            members.push((Str::new_static("manager"), self.id.manager.clone().into()));
        }
        let operation = Str::new_static(self.id.operation.as_str());
        members.push((Str::new_static("operation"), Value::String(operation)));
        if !self.id.subresource.is_empty() {
            members.push((Str::new_static("subresource"), self.id.subresource.clone().into()));
        }
        if let Some(time) = &self.time {
            members.push((Str::new_static("time"), time.clone().into()));
        }
        Value::Object(members.into_iter().collect::<Map>())
    }
}

/// All entries of an object.
#[derive(Clone, Debug, Default)]
pub(super) struct Managed {
    entries: Vec<Entry>,
}

impl Managed {
    /// Reads an object's entries; the error is the server's.
    pub(super) fn decode(object: &Object) -> Result<Self, String> {
        let raw = object.at(&["metadata", "managedFields"]).and_then(Value::as_array);
        let raw = raw.map_or(&[][..], |raw| raw.as_slice());
        let mut managed = Self::default();
        for (idx, (entry, raw)) in managed_fields(object).zip(raw).enumerate() {
            let Some(operation) = entry.operation else {
                return Err("operation must be `Apply` or `Update`".into());
            };
            if entry.api_version.is_empty() {
                return Err("apiVersion must not be empty".into());
            }
            match raw.str_at(&["fieldsType"]).unwrap_or_default() {
                "FieldsV1" => {}
                "" => return Err(format!("missing fieldsType in managed fields entry {idx}")),
                other => {
                    let other = crate::go_print::quote(other);
                    return Err(format!("invalid fieldsType {other} in managed fields entry {idx}"));
                }
            }
            let set = entry.fields().map_err(|why| format!("error decoding set: {why}"))?;
            let mut id = ManagerId::new(entry.manager, operation, entry.api_version, entry.subresource);
            id.manager = Str::new(entry.manager);
            let written = entry.fields_v1.map(|written| (set.clone(), written.clone()));
            let api_version = Str::new(entry.api_version);
            managed.put(Entry { id, api_version, set, time: entry.time.map(Str::new), written });
        }
        Ok(managed)
    }

    /// The entries an update starts from: those the request sends, if it sends any that can be read, otherwise
    /// those of the old object; none when it asks for a reset.
    pub(super) fn of_update(old: Option<&Object>, new: &Object, is_subresource: bool) -> Option<Self> {
        let of_old = || old.and_then(|old| Self::decode(old).ok());
        if is_subresource {
            return of_old();
        }
        if let Some(Value::Array(entries)) = new.at(&["metadata", "managedFields"]) {
            let is_reset = match entries.as_slice() {
                [] => true,
                [Value::Object(only)] => only.is_empty(),
                _ => false,
            };
            if is_reset {
                return None;
            }
        }
        Self::decode(new).ok().filter(|managed| !managed.is_empty()).or_else(of_old)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    pub(super) fn entries(&self) -> impl Iterator<Item = &Entry> {
        self.entries.iter()
    }

    pub(super) fn entries_mut(&mut self) -> impl Iterator<Item = &mut Entry> {
        self.entries.iter_mut()
    }

    pub(super) fn get(&self, id: &ManagerId) -> Option<&Entry> {
        self.entries.iter().find(|entry| entry.id == *id)
    }

    pub(super) fn get_mut(&mut self, id: &ManagerId) -> Option<&mut Entry> {
        self.entries.iter_mut().find(|entry| entry.id == *id)
    }

    pub(super) fn take(&mut self, id: &ManagerId) -> Option<Entry> {
        let idx = self.entries.iter().position(|entry| entry.id == *id)?;
        Some(self.entries.remove(idx))
    }

    /// Sets an entry; of two with one id the last stays.
    pub(super) fn put(&mut self, entry: Entry) {
        match self.get_mut(&entry.id) {
            Some(have) => *have = entry,
            None => self.entries.push(entry),
        }
    }

    pub(super) fn drop_empty(&mut self) {
        self.entries.retain(|entry| !entry.set.is_empty());
    }

    /// Merges the oldest updates, version by version, until few enough are left.
    pub(super) fn cap_update_managers(&mut self) {
        let is_update = |entry: &&Entry| entry.id.operation == Operation::Update;
        let mut updaters: Vec<Entry> = self.entries.iter().filter(is_update).cloned().collect();
        if updaters.len() <= MAX_UPDATE_MANAGERS {
            return;
        }
        updaters.sort_by(|a, b| {
            let key = |entry: &Entry| (entry.id.manager.clone(), entry.id.api_version.clone());
            a.seconds().cmp(&b.seconds()).then_with(|| key(a).cmp(&key(b)))
        });
        let mut n_left = updaters.len();
        let mut first_of_version: Vec<(Str, ManagerId)> = Vec::new();
        for updater in updaters {
            if n_left <= MAX_UPDATE_MANAGERS {
                break;
            }
            let version = updater.api_version.clone();
            let Some((_, first)) = first_of_version.iter().find(|(have, _)| *have == version) else {
                first_of_version.push((version, updater.id));
                continue;
            };
            let bucket = ManagerId::new(ANCIENT_CHANGES, Operation::Update, &version, "");
            if self.get(&bucket).is_none()
                && let Some(mut first) = self.take(first)
            {
                first.id = bucket.clone();
                self.put(first);
            }
            if let Some(bucket) = self.get_mut(&bucket) {
                bucket.set = updater.set.union(&bucket.set);
                bucket.time = updater.time.clone();
            }
            self.take(&updater.id);
            n_left -= 1;
        }
    }

    /// Writes the entries, sorted as the server sorts them.
    pub(super) fn encode(mut self, object: &mut Object) {
        if self.entries.is_empty() {
            strip(object);
            return;
        }
        self.entries.sort_by(|a, b| {
            let by_operation = a.id.operation.as_str().cmp(b.id.operation.as_str());
            by_operation
                .then_with(|| a.seconds().cmp(&b.seconds()))
                .then_with(|| a.id.manager.cmp(&b.id.manager))
                .then_with(|| a.api_version.cmp(&b.api_version))
                .then_with(|| a.id.subresource.cmp(&b.id.subresource))
        });
        let entries: Vec<Value> = self.entries.iter().map(Entry::encode).collect();
        object.set_at(&["metadata", "managedFields"], entries);
    }
}

/// Whether the applier owns just `set` already, at that version: then an apply that merges to the live object
/// changes nothing at all.
pub(super) fn owns_just(
    live: &Object,
    request: &super::Request<'_>,
    api_version: &str,
    set: &FieldSet,
) -> bool {
    let mut own = managed_fields(live).filter(|entry| {
        entry.manager == request.manager
            && entry.operation == Some(Operation::Apply)
            && entry.subresource == request.subresource
    });
    match (own.next(), own.next()) {
        (Some(only), None) => {
            only.api_version == api_version
                && only.fields().is_ok_and(|fields| fields == *set && !set.is_empty())
        }
        _ => false,
    }
}

/// Takes `metadata.managedFields` away.
pub(super) fn strip(object: &mut Object) {
    if object.at(&["metadata", "managedFields"]).is_some() {
        object.remove_at(&["metadata", "managedFields"]);
    }
}

/// Gives `new` the recorded times of `old` when nothing but those times differs, so that a write which changes
/// nothing is no write.
///
/// The server does this after defaulting and admission, for every kind of write to an existing object.
pub fn keep_times_of_unchanged(old: &Object, new: &mut Object) {
    let entries = |object: &Object| {
        object.at(&["metadata", "managedFields"]).and_then(Value::as_array).cloned().unwrap_or_default()
    };
    let (old_entries, new_entries) = (entries(old), entries(new));
    if old_entries.len() != new_entries.len() {
        return;
    }
    let without_time = |entry: &Value| {
        let mut entry = entry.clone();
        entry.remove_at(&["time"]);
        entry
    };
    if !old_entries.iter().zip(new_entries.iter()).all(|(old, new)| without_time(old) == without_time(new)) {
        return;
    }
    let mut bare_old = old.clone();
    let mut bare_new = new.clone();
    strip(&mut bare_old);
    strip(&mut bare_new);
    bare_old.remove_at(&["metadata", "resourceVersion"]);
    bare_new.remove_at(&["metadata", "resourceVersion"]);
    if bare_old == bare_new && !old_entries.is_empty() {
        new.set_at(&["metadata", "managedFields"], old_entries);
    }
}

/// Seconds since 1970 of an RFC 3339 time.
fn unix_seconds(text: &str) -> Option<i64> {
    let number = |range: std::ops::Range<usize>| text.get(range)?.parse::<i64>().ok();
    let (year, month, day) = (number(0..4)?, number(5..7)?, number(8..10)?);
    let (hour, minute, second) = (number(11..13)?, number(14..16)?, number(17..19)?);
    let zone = text.get(19..)?.trim_start_matches(|c: char| c == '.' || c.is_ascii_digit());
    let offset = match zone.split_at_checked(1)? {
        ("Z" | "z", "") => 0,
        (sign @ ("+" | "-"), rest) => {
            let (hours, minutes) = rest.split_once(':')?;
            let seconds = hours.parse::<i64>().ok()? * 3600 + minutes.parse::<i64>().ok()? * 60;
            if sign == "-" { -seconds } else { seconds }
        }
        _ => return None,
    };
    // Days since 1970 of a date in the Gregorian calendar, counting years from March.
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let days = 365 * year + year.div_euclid(4) - year.div_euclid(100)
        + year.div_euclid(400)
        + (153 * month + 2) / 5
        + day
        - 719_469;
    Some(days * 86_400 + hour * 3600 + minute * 60 + second - offset)
}
