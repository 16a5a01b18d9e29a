//! Flux's kinds: how many of the conditions that matter hold.

use windlass_kube::Object;
use windlass_model::Health;

use super::{Degraded, Fields, Healthy, Progressing, Suspended, conditions, is, say};

/// Which conditions count, and how many of them are enough.
struct Counts {
    /// Conditions that count for it when they are true, beside Ready.
    good: &'static [&'static str],
    /// The status of Ready that counts as being on its way.
    waiting: &'static str,
    /// The only reasons for which Reconciling counts; empty is any.
    reasons: &'static [&'static str],
    /// How many good ones make it healthy.
    enough: u32,
}

pub(super) fn flux(object: &Object) -> Option<Health> {
    let kind = object.kind();
    if kind != "ImagePolicy" && object.is_true("spec.suspend") {
        return say(Suspended, format!("{kind} is suspended"));
    }
    if kind == "HelmRepository" && object.text("spec.type") == "oci" {
        let message = "Helm repositories of type 'oci' do not contain any information in the status.";
        return say(Healthy, message);
    }
    if !object.has("status.conditions") {
        return say(Progressing, "Status unknown");
    }
    let counts = match kind {
        "HelmRelease" => {
            Counts { good: &["Released", "TestSuccess"], waiting: "Unknown", reasons: &[], enough: 2 }
        }
        "ImagePolicy" => Counts {
            good: &[],
            waiting: "False",
            reasons: &["NewGeneration", "AccessingRepository", "ApplyingPolicy"],
            enough: 1,
        },
        "ImageRepository" => {
            Counts { good: &[], waiting: "False", reasons: &["NewGeneration", "Scanning"], enough: 1 }
        }
        "ImageUpdateAutomation" | "Kustomization" => {
            Counts { good: &[], waiting: "Unknown", reasons: &[], enough: 1 }
        }
        "Receiver" => Counts { good: &[], waiting: "False", reasons: &[], enough: 1 },
        _ => Counts { good: &["ArtifactInStorage"], waiting: "Unknown", reasons: &[], enough: 2 },
    };
    let (mut on_the_way, mut good, mut message) = (0, 0, String::new());
    for condition in conditions(object) {
        let (of, status, reason) =
            (condition.text("type"), condition.text("status"), condition.text("reason"));
        match of {
            "Ready" => {
                good += u32::from(status == "True");
                on_the_way += u32::from(status == counts.waiting);
                message = reason.to_owned();
            }
            "Reconciling" if status == "True" => {
                on_the_way += u32::from(counts.reasons.is_empty() || counts.reasons.contains(&reason));
            }
            "ArtifactOutdated" if counts.good.contains(&"ArtifactInStorage") && status == "True" => {
                message.push_str(&format!(" {reason}"));
            }
            of if counts.good.contains(&of) && is(condition, of, "True") => good += 1,
            _ => {}
        }
    }
    let status = match (on_the_way, good) {
        (2, _) if kind == "Receiver" => Degraded,
        (2, _) => Progressing,
        (_, good) if good == counts.enough => Healthy,
        _ => Degraded,
    };
    say(status, message)
}
