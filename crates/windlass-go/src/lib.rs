//! The Go behaviours that Kubernetes tools inherit: semver constraints, globs, durations, RE2.
