//! The scenarios in which the embedded API is known to differ, and why. `docs/differences.md` and
//! `docs/roadmap.md` say it too.

/// Topic and name of a scenario, and the reason.
pub(crate) const DIFFERENT: &[(&str, &str)] = &[
    ("access/forbidden-in-words", "the version is said to be that of Windlass"),
    ("objects/generate-name", "a refused generated name is random, and in the message"),
    ("patches/strategic-directive-delete", "labels that are gone are shown as null, not as an empty map"),
    (
        "validation/configmaps-and-secrets",
        "Go's JSON error is not imitated: it could show a piece of the secret",
    ),
];
