//! One health out of many.

use std::fmt::Write as _;

use windlass_kube::{Object, ObjectRef};
use windlass_model::{Health, HealthStatus};

/// How many causes a roll-up names before it counts the rest; as many as Argo CD shows.
pub const MAX_CAUSES_SHOWN: usize = 3;

/// The annotation by which an object asks to be left out of the roll-up.
const IGNORE_HEALTHCHECK: &str = "argocd.argoproj.io/ignore-healthcheck";

/// One object of a Unit, as far as the Unit's health goes. Hooks are no members.
#[derive(Clone, Copy, Debug)]
pub struct Member<'a> {
    /// Its name.
    pub key: &'a ObjectRef,
    /// What is known of it.
    pub state: MemberState<'a>,
    /// It declares a Unit of its own, whose Missing or Unknown health is its own affair.
    pub is_unit: bool,
}

/// What is known of an object of a Unit.
#[derive(Clone, Copy, Debug)]
pub enum MemberState<'a> {
    /// It is declared and not in the cluster.
    Missing,
    /// It is in the cluster; `None` for a kind without a check.
    Live(Option<&'a Health>),
    /// It is in the cluster and its health does not count, because it [asks for that](ignores_health) or because
    /// it declares the very Unit that is rolled up.
    Uncounted,
}

/// Whether the object asks, by annotation, that its health does not count.
#[must_use]
pub fn ignores_health(object: &Object) -> bool {
    object.annotation(IGNORE_HEALTHCHECK) == Some("true")
}

/// The worst health of all members, naming who caused it.
///
/// Missing objects do not count, as being out of sync says the same; but a Unit with members and none of them live
/// is Missing. A healthy Unit has no message.
#[must_use]
pub fn roll_up<'a>(members: impl IntoIterator<Item = Member<'a>>) -> Health {
    let mut worst = HealthStatus::Healthy;
    let mut causes: Vec<&ObjectRef> = Vec::new();
    let (mut has_members, mut has_live) = (false, false);
    for member in members {
        has_members = true;
        has_live |= !matches!(member.state, MemberState::Missing);
        let MemberState::Live(Some(health)) = member.state else { continue };
        if member.is_unit && matches!(health.status, HealthStatus::Missing | HealthStatus::Unknown) {
            continue;
        }
        if health.status > worst {
            worst = health.status;
            causes.clear();
        }
        if health.status == worst && worst != HealthStatus::Healthy {
            causes.push(member.key);
        }
    }
    if has_members && !has_live && worst < HealthStatus::Missing {
        return HealthStatus::Missing.into();
    }
    Health::new(worst, describe(&causes))
}

/// Names the first causes: `Caused by apps/Deployment:shop/web, Pod:shop/a and 2 more`.
fn describe(causes: &[&ObjectRef]) -> String {
    let mut text = String::new();
    for (idx, cause) in causes.iter().take(MAX_CAUSES_SHOWN).enumerate() {
        text.push_str(if idx == 0 { "Caused by " } else { ", " });
        for (part, end) in
            [(&cause.group, "/"), (&cause.kind, ":"), (&cause.namespace, "/"), (&cause.name, "")]
        {
            if !part.is_empty() {
                text.push_str(part);
                text.push_str(end);
            }
        }
    }
    if causes.len() > MAX_CAUSES_SHOWN {
        write!(text, " and {} more", causes.len() - MAX_CAUSES_SHOWN)
            .expect("writing to a String cannot fail");
    }
    text
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn keys(count: usize) -> Vec<ObjectRef> {
        (0..count).map(|idx| ObjectRef::new("apps", "Deployment", "shop", format!("web-{idx}"))).collect()
    }

    fn check(states: &[Option<HealthStatus>], status: HealthStatus, message: &str) {
        let keys = keys(states.len());
        let healths: Vec<_> = states.iter().map(|status| status.map(Health::from)).collect();
        let members = keys.iter().zip(&healths).map(|(key, health)| Member {
            key,
            state: health.as_ref().map_or(MemberState::Missing, |health| MemberState::Live(Some(health))),
            is_unit: false,
        });
        let found = roll_up(members);
        assert_eq!((found.status, found.message.as_str()), (status, message));
    }

    #[test]
    fn the_worst_counts_and_is_named() {
        use HealthStatus::{Degraded, Healthy, Missing, Progressing, Suspended, Unknown};
        check(&[], Healthy, "");
        check(&[Some(Healthy), Some(Healthy)], Healthy, "");
        check(&[Some(Healthy), Some(Suspended)], Suspended, "Caused by apps/Deployment:shop/web-1");
        check(&[Some(Progressing), Some(Suspended)], Progressing, "Caused by apps/Deployment:shop/web-0");
        check(&[Some(Unknown), Some(Degraded)], Unknown, "Caused by apps/Deployment:shop/web-0");
        check(&[None, None], Missing, "");
        check(&[None, Some(Healthy)], Healthy, "");
        let all = "Caused by apps/Deployment:shop/web-0, apps/Deployment:shop/web-2, apps/Deployment:shop/web-3 and 2 more";
        let degraded = Some(Degraded);
        check(&[degraded, None, degraded, degraded, degraded, degraded], Degraded, all);
    }

    #[test]
    fn what_does_not_count_still_lives() {
        let key = ObjectRef::new("", "Namespace", "", "shop");
        let roll = |state, is_unit| roll_up([Member { key: &key, state, is_unit }]);
        assert_eq!(roll(MemberState::Uncounted, false), Health::default());
        assert_eq!(roll(MemberState::Live(None), false), Health::default());
        let unknown = HealthStatus::Unknown.into();
        assert_eq!(roll(MemberState::Live(Some(&unknown)), true), Health::default());
        assert_eq!(roll(MemberState::Live(Some(&unknown)), false).message, "Caused by Namespace:shop");
        let degraded = HealthStatus::Degraded.into();
        assert_eq!(roll(MemberState::Live(Some(&degraded)), true).status, HealthStatus::Degraded);
    }

    proptest! {
        /// The order of the members changes the message at most.
        #[test]
        fn order_does_not_matter(ranks in proptest::collection::vec(0..6_usize, 1..8)) {
            use HealthStatus::{Degraded, Healthy, Missing, Progressing, Suspended, Unknown};
            let states = [Healthy, Suspended, Progressing, Missing, Degraded, Unknown];
            let healths: Vec<Health> = ranks.iter().map(|rank| states[*rank].into()).collect();
            let keys = keys(ranks.len());
            let member = |(key, health)| Member { key, state: MemberState::Live(Some(health)), is_unit: false };
            let forward = roll_up(keys.iter().zip(&healths).map(member));
            let backward = roll_up(keys.iter().zip(&healths).rev().map(member));
            prop_assert_eq!(forward.status, backward.status);
            prop_assert_eq!(Some(forward.status), healths.iter().map(|health| health.status).max());
        }
    }
}
