//! Orphans: the objects of a namespace that belong to no Unit.

use std::collections::{HashMap, HashSet};

use windlass_kube::{GroupKind, ObjectRef, Str};
use windlass_model::{OrphanRules, Permissions};

/// An object of a namespace, as far as it counts here.
#[derive(Clone, Copy, Debug)]
pub struct Resident<'a> {
    /// What names it.
    pub key: &'a ObjectRef,
    /// Its uid.
    pub uid: &'a Str,
    /// The uids of its owners.
    pub owners: &'a [Str],
    /// Whether a mark says that it belongs to a Unit that exists.
    pub has_unit: bool,
}

/// The orphans among all objects of a namespace, sorted: those that nobody owns and that belong to no Unit, and what
/// they own. What the Unit `declares`, what `rules` ignore and what it may not deploy itself does not count, as in
/// `getResourceTree` of Argo CD 3.6.
#[must_use]
pub fn orphans<'a>(
    residents: impl Iterator<Item = Resident<'a>>,
    declares: impl Fn(&ObjectRef) -> bool,
    rules: &OrphanRules,
    permissions: &Permissions,
    place: (&str, &str),
) -> Vec<&'a ObjectRef> {
    let permitted = |key: &ObjectRef| {
        let kind = GroupKind::new(key.group.clone(), key.kind.clone());
        permissions.permits_kind(&kind, true, &key.name).is_ok()
            && permissions.permits_destination(place.0, place.1, &key.namespace).is_ok()
    };
    let mut found: Vec<Resident<'a>> = Vec::new();
    let mut owned: HashMap<&Str, Vec<Resident<'a>>> = HashMap::new();
    for resident in residents.filter(|resident| !resident.has_unit) {
        if resident.owners.is_empty() {
            let key = resident.key;
            if !key.namespace.is_empty() && !declares(key) && !rules.ignores(key) && permitted(key) {
                found.push(resident);
            }
        } else {
            resident.owners.iter().for_each(|owner| owned.entry(owner).or_default().push(resident));
        }
    }
    let mut seen: HashSet<&Str> = found.iter().map(|resident| resident.uid).collect();
    let mut next = 0;
    while let Some(owner) = found.get(next) {
        for resident in owned.get(owner.uid).into_iter().flatten() {
            if permitted(resident.key) && seen.insert(resident.uid) {
                found.push(*resident);
            }
        }
        next += 1;
    }
    let mut keys: Vec<&ObjectRef> = found.iter().map(|resident| resident.key).collect();
    keys.sort();
    keys
}

#[cfg(test)]
mod tests {
    use windlass_model::{DestinationRule, IgnoredOrphans, KindRule};

    use super::*;

    /// `group/Kind name [<owner] [@unit]`, and the names that count.
    fn check(rules: &OrphanRules, permissions: &Permissions, objects: &[&str], expected: &[&str]) {
        let parsed: Vec<(ObjectRef, Str, Vec<Str>, bool)> = objects
            .iter()
            .map(|line| {
                let mut words = line.split(' ');
                let (group, kind) = words.next().unwrap().rsplit_once('/').unwrap();
                let name = words.next().unwrap();
                let rest: Vec<&str> = words.collect();
                let owners = rest.iter().filter_map(|word| word.strip_prefix('<')).map(Str::from).collect();
                let has_unit = rest.iter().any(|word| word.starts_with('@'));
                (ObjectRef::new(group, kind, "web", name), name.into(), owners, has_unit)
            })
            .collect();
        let residents = parsed.iter().map(|(key, uid, owners, has_unit)| Resident {
            key,
            uid,
            owners,
            has_unit: *has_unit,
        });
        let declares = |key: &ObjectRef| key.name.starts_with("declared");
        let found = orphans(residents, declares, rules, permissions, ("https://a", ""));
        let names: Vec<&str> = found.iter().map(|key| key.name.as_str()).collect();
        assert_eq!(names, expected);
    }

    #[test]
    fn what_belongs_to_nobody_and_what_it_owns_are_orphans() {
        check(
            &OrphanRules::default(),
            &Permissions::everything("p"),
            &[
                "apps/Deployment mine @a",
                "apps/ReplicaSet mine-1 <mine",
                "apps/Deployment stray",
                "apps/ReplicaSet stray-1 <stray",
                "/Pod stray-1-x <stray-1",
                "/Pod of-somebody <elsewhere",
                "/ConfigMap declared",
                "/ConfigMap of-mine <stray @a",
            ],
            &["stray-1-x", "stray", "stray-1"],
        );
    }

    #[test]
    fn what_kubernetes_makes_is_no_orphan() {
        check(
            &OrphanRules::default(),
            &Permissions::everything("p"),
            &[
                "/ConfigMap kube-root-ca.crt",
                "/ServiceAccount default",
                "/Service kubernetes",
                "/Secret default",
            ],
            &["default", "kubernetes"],
        );
    }

    #[test]
    fn rules_ignore_by_patterns_and_an_empty_group_is_core() {
        let ignored = [
            IgnoredOrphans::new("", "Secret", "*.example.com"),
            IgnoredOrphans::new("apps", "", ""),
            IgnoredOrphans::new("", "Deploy*", ""),
            IgnoredOrphans::new("[", "Pod", ""),
        ];
        let rules = OrphanRules { warn: true, ignored: ignored.into() };
        let objects = [
            "/Secret a.example.com",
            "/Secret example",
            "apps/StatefulSet set",
            "extensions/Deployment old",
            "/Pod pod",
        ];
        check(&rules, &Permissions::everything("p"), &objects, &["pod", "example", "old"]);
    }

    #[test]
    fn what_the_project_may_not_deploy_is_no_orphan() {
        let denied = KindRule { group: "".into(), kind: "Secret".into(), name: Str::default() };
        let mut permissions = Permissions::everything("p");
        permissions.namespaced_deny = [denied].into();
        let objects = ["/Secret a", "/ConfigMap b", "/Secret c <b"];
        check(&OrphanRules::default(), &permissions, &objects, &["b"]);
        permissions.destinations = [DestinationRule::new("*", "", "another")].into();
        check(&OrphanRules::default(), &permissions, &objects, &[]);
    }
}
