//! Fields that are owned at another version than the one that is written.

use super::compare::{self, Comparison};
use super::managers::Managed;
use super::{ApplyError, Request, remove};
use crate::Value;
use crate::fields::FieldSet;
use crate::schema::ObjectType;

/// The versions of a kind.
pub trait Versions {
    /// How fields merge at a version; nothing where it is not served any more, and then what is owned at it is
    /// forgotten.
    fn object_type(&self, api_version: &str) -> Option<ObjectType>;

    /// An object at another version.
    ///
    /// # Errors
    ///
    /// Why it cannot be converted.
    fn convert(&self, object: &Value, api_version: &str) -> Result<Value, String>;
}

/// One way of seeing all versions: those of a kind, or only the one that is written.
#[derive(Clone, Copy)]
pub(super) struct Seen<'a> {
    pub(super) versions: Option<&'a dyn Versions>,
    pub(super) api_version: &'a str,
}

impl Seen<'_> {
    /// The other versions, where something is owned at one.
    fn others(&self, managed: &Managed) -> Option<&dyn Versions> {
        let others = managed.entries().any(|entry| entry.api_version.as_str() != self.api_version);
        self.versions.filter(|_| others)
    }

    /// Forgets what is owned at versions that are there no more.
    pub(super) fn forget_unserved(&self, managed: &mut Managed) {
        let Some(versions) = self.others(managed) else { return };
        for entry in managed.entries_mut() {
            if entry.api_version.as_str() != self.api_version
                && versions.object_type(&entry.api_version).is_none()
            {
                entry.set = FieldSet::new();
            }
        }
        managed.drop_empty();
    }

    /// How fields merge at a version.
    pub(super) fn object_type(&self, api_version: &str, here: &ObjectType) -> ObjectType {
        let other = self.versions.filter(|_| api_version != self.api_version);
        other.and_then(|versions| versions.object_type(api_version)).unwrap_or_else(|| here.clone())
    }

    /// What differs between two objects, at each version at which something is owned.
    pub(super) fn comparisons(
        &self,
        managed: &Managed,
        (old, new): (&Value, &Value),
        here: &Comparison,
        request: &Request<'_>,
    ) -> Result<Comparisons, ApplyError> {
        let mut comparisons = Comparisons { others: Vec::new() };
        let Some(versions) = self.others(managed) else { return Ok(comparisons) };
        if here.is_same() {
            return Ok(comparisons);
        }
        for entry in managed.entries() {
            let version = entry.api_version.as_str();
            if version == self.api_version || comparisons.others.iter().any(|(known, _)| known == version) {
                continue;
            }
            let Some(object_type) = versions.object_type(version) else { continue };
            let convert = |value: &Value| versions.convert(value, version).map_err(ApplyError::Unconverted);
            let (old, new) = (convert(old)?, convert(new)?);
            let comparison = compare::compare(&object_type, &old, &new).map_err(ApplyError::Merge)?;
            comparisons.others.push((version.to_owned(), comparison.without(request.ignored)));
        }
        Ok(comparisons)
    }

    /// Removes from the merged object what the applier applied last and nobody owns now; see `remove::prune`.
    pub(super) fn prune(
        &self,
        here: &ObjectType,
        merged: &Value,
        managed: &Managed,
        (last, last_version): (&FieldSet, &str),
    ) -> Result<Option<Value>, ApplyError> {
        let versions = match self.versions {
            Some(versions) if self.others(managed).is_some() || last_version != self.api_version => versions,
            _ => return Ok(remove::prune(here, merged, managed, last)),
        };
        let convert = |value: &Value, version: &str, from: &str| {
            if version == from {
                return Ok(value.clone());
            }
            versions.convert(value, version).map_err(ApplyError::Unconverted)
        };
        let of = |version: &str| {
            if version == self.api_version { Some(here.clone()) } else { versions.object_type(version) }
        };
        let Some(last_type) = of(last_version) else { return Ok(None) };
        let merged_at_last = convert(merged, last_version, self.api_version)?;
        let mut order: Vec<&str> = vec![last_version];
        for entry in managed.entries() {
            if !order.contains(&entry.api_version.as_str()) {
                order.push(&entry.api_version);
            }
        }
        let mut pruned = remove::without(&last_type, &merged_at_last, last);
        let (mut whole, mut at) = (merged_at_last.clone(), last_version);
        // What went with its parent but is owned comes back.
        for version in order {
            let Some(object_type) = of(version) else { continue };
            let owned = managed.entries().filter(|entry| entry.api_version.as_str() == version);
            let owned = owned.fold(FieldSet::new(), |all, entry| all.union(&entry.set));
            if owned.is_empty() && version == last_version {
                continue;
            }
            whole = convert(&whole, version, at)?;
            pruned = convert(&pruned, version, at)?;
            pruned = remove::add_back_owned(&object_type, &whole, &pruned, &owned);
            at = version;
        }
        // So does what the applier never owned.
        let pruned = convert(&pruned, last_version, at)?;
        let pruned = remove::add_back_dangling(&last_type, &merged_at_last, &pruned, last);
        let pruned = convert(&pruned, self.api_version, last_version)?;
        Ok((pruned != *merged).then_some(pruned))
    }
}

/// What differs at other versions than the one that is written.
pub(super) struct Comparisons {
    others: Vec<(String, Comparison)>,
}

impl Comparisons {
    /// What differs at a version.
    pub(super) fn at<'c>(&'c self, api_version: &str, here: &'c Comparison) -> &'c Comparison {
        self.others.iter().find(|(version, _)| version == api_version).map_or(here, |(_, other)| other)
    }
}
