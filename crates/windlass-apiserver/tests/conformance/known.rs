//! The scenarios in which the embedded API is known to differ, and why. `docs/differences.md` and
//! `docs/roadmap.md` say it too.

/// Topic and name of a scenario, and the reason.
pub(crate) const DIFFERENT: &[(&str, &str)] = &[
    ("access/aggregated-cluster-roles", "an empty list that is created has no owner here"),
    ("access/default-cluster-roles", "who made a default role is not told the same way"),
    ("access/forbidden-in-words", "the version is said to be that of Windlass"),
    ("admission/service-account-of-pods", "pods get no token volume: nothing runs in them"),
    ("apply/apply-through-another-version", "what two versions own of an autoscaler's target is told apart"),
    (
        "conversion/conversion-applies-across-versions",
        "fields that managers of another version own are compared by their names, not converted",
    ),
    (
        "conversion/conversion-writes",
        "fields that managers of another version own are compared by their names, not converted",
    ),
    ("operations/operations-token", "tokens are given without asking admission"),
    ("objects/field-validation", "a YAML body may say a key twice"),
    ("objects/generate-name", "a refused generated name is random, and in the message"),
    ("objects/update-creates", "an empty list that is created has no owner here"),
    ("patches/strategic-directive-delete", "labels that are gone are shown as null, not as an empty map"),
    (
        "validation/configmaps-and-secrets",
        "Go's JSON error is not imitated: it could show a piece of the secret",
    ),
    ("validation/jobs", "the template of a suspended job may change"),
    ("validation/pod-spec-fields", "whether the service account exists is not asked; some words are missing"),
    ("validation/services", "the address of a headless service is not told to stay"),
];
