//! The scenarios in which the embedded API is known to differ, and why. `docs/differences.md` and
//! `docs/roadmap.md` say it too.

/// Topic and name of a scenario, and the reason.
pub(crate) const DIFFERENT: &[(&str, &str)] = &[
    ("access/forbidden-in-words", "the version is said to be that of Windlass"),
    ("apply/apply-through-another-version", "what two versions own of an autoscaler's target is told apart"),
    (
        "conversion/conversion-applies-across-versions",
        "fields that managers of another version own are compared by their names, not converted",
    ),
    (
        "conversion/conversion-writes",
        "fields that managers of another version own are compared by their names, not converted",
    ),
    ("objects/generate-name", "a refused generated name is random, and in the message"),
    ("patches/strategic-directive-delete", "labels that are gone are shown as null, not as an empty map"),
    (
        "validation/configmaps-and-secrets",
        "Go's JSON error is not imitated: it could show a piece of the secret",
    ),
];
