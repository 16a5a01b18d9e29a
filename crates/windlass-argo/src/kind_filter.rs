//! Which kinds are looked at where nobody declared one: `resource.exclusions` and `resource.inclusions` of `argocd-cm`.

use windlass_go::glob::Gobwas;
use windlass_kube::{Str, Value};

/// Kinds that are never looked at, as in Argo CD 3.6 (`util/settings/resources_filter.go`): many, short-lived, and
/// declared by nobody.
const NEVER: [(&str, &str); 4] =
    [("events.k8s.io", ""), ("metrics.k8s.io", ""), ("", "Event"), ("coordination.k8s.io", "Lease")];

/// What the `argocd-cm` that Argo CD 3.6 is installed with excludes, for a control plane that has no `argocd-cm` or
/// none that says so. Kinds that can be created only, such as reviews, need no entry: they cannot be listed.
const BY_DEFAULT: [(&[&str], &[&str]); 4] = [
    (&["", "discovery.k8s.io"], &["Endpoints", "EndpointSlice"]),
    (&["cert-manager.io"], &["CertificateRequest"]),
    (&["cilium.io"], &["CiliumIdentity", "CiliumEndpoint", "CiliumEndpointSlice"]),
    (
        &["kyverno.io", "reports.kyverno.io", "wgpolicyk8s.io"],
        &["PolicyReport", "EphemeralReport", "AdmissionReport", "BackgroundScanReport", "UpdateRequest"],
    ),
];

/// Which kinds are looked at. The default is that of a fresh Argo CD 3.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct KindFilter {
    /// `None` where the settings do not say.
    excluded: Option<Vec<Entry>>,
    included: Vec<Entry>,
}

/// One entry of a list: each part that is empty matches anything.
#[derive(Clone, Debug, Default, PartialEq)]
struct Entry {
    groups: Vec<Str>,
    kinds: Vec<Str>,
    clusters: Vec<Str>,
}

impl KindFilter {
    /// Reads the texts of both keys, with what cannot be read, in words.
    pub(crate) fn read(exclusions: Option<&str>, inclusions: Option<&str>) -> (Self, Vec<String>) {
        let mut problems = Vec::new();
        let mut list = |key: &str, text: Option<&str>| {
            text.map(|text| {
                entries(text).unwrap_or_else(|why| {
                    problems.push(format!("{key} in argocd-cm cannot be used: {why}"));
                    Vec::new()
                })
            })
        };
        let excluded = list("resource.exclusions", exclusions);
        let included = list("resource.inclusions", inclusions).unwrap_or_default();
        (Self { excluded, included }, problems)
    }

    /// Whether objects of a kind are looked at in the cluster with this server.
    #[must_use]
    pub fn looks_at(&self, group: &str, kind: &str, server: &str) -> bool {
        let never = |(of_group, of_kind): &(&str, &str)| {
            *of_group == group && (of_kind.is_empty() || *of_kind == kind)
        };
        if NEVER.iter().any(never) {
            return false;
        }
        let mut included = self.included.iter().filter(|entry| entry.is_for(server)).peekable();
        if included.peek().is_some() && !included.any(|entry| entry.matches(group, kind, server)) {
            return false;
        }
        match &self.excluded {
            Some(excluded) => !excluded.iter().any(|entry| entry.matches(group, kind, server)),
            None => {
                !BY_DEFAULT.iter().any(|(groups, kinds)| groups.contains(&group) && kinds.contains(&kind))
            }
        }
    }
}

impl Entry {
    fn matches(&self, group: &str, kind: &str, server: &str) -> bool {
        (self.groups.is_empty() || any_matches(&self.groups, group))
            && (self.kinds.is_empty() || self.kinds.iter().any(|it| *it == "*" || *it == kind))
            && self.is_for(server)
    }

    fn is_for(&self, server: &str) -> bool {
        self.clusters.is_empty() || any_matches(&self.clusters, server)
    }
}

fn any_matches(patterns: &[Str], text: &str) -> bool {
    patterns.iter().any(|pattern| Gobwas::compile(pattern, &[]).is_ok_and(|glob| glob.is_match(text)))
}

fn entries(text: &str) -> Result<Vec<Entry>, String> {
    let parsed = windlass_yaml::load(text).map_err(|error| error.to_string())?;
    if parsed.is_null() {
        return Ok(Vec::new());
    }
    let items = parsed.as_array().ok_or("it must be a list")?;
    let texts = |entry: &Value, field: &str| -> Vec<Str> {
        entry.items_at(&[field]).iter().filter_map(Value::as_str).map(Str::from).collect()
    };
    let entry = |entry: &Value| Entry {
        groups: texts(entry, "apiGroups"),
        kinds: texts(entry, "kinds"),
        clusters: texts(entry, "clusters"),
    };
    Ok(items.iter().map(entry).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(filter: &KindFilter, yes: &[(&str, &str)], no: &[(&str, &str)]) {
        for (expected, kinds) in [(true, yes), (false, no)] {
            for (group, kind) in kinds {
                assert_eq!(filter.looks_at(group, kind, "https://a"), expected, "{group}/{kind}");
            }
        }
    }

    #[test]
    fn what_says_nothing_excludes_what_a_fresh_installation_does() {
        check(
            &KindFilter::default(),
            &[("", "Pod"), ("apps", "Deployment")],
            &[
                ("", "Event"),
                ("events.k8s.io", "Event"),
                ("coordination.k8s.io", "Lease"),
                ("", "Endpoints"),
                ("discovery.k8s.io", "EndpointSlice"),
            ],
        );
    }

    #[test]
    fn lists_of_the_settings_count() {
        let exclusions = "- apiGroups: ['*.example']\n  kinds: [Thing]\n  clusters: ['https://*']\n- kinds: [Secret]\n\
                          - apiGroups: [all.of.it]\n- apiGroups: [x]\n  clusters: ['https://b']\n";
        let (filter, problems) = KindFilter::read(Some(exclusions), None);
        assert!(problems.is_empty());
        check(
            &filter,
            &[("a.example", "Other"), ("", "Endpoints"), ("x", "Y")],
            &[("a.example", "Thing"), ("b", "Secret"), ("all.of.it", "A"), ("", "Event")],
        );
        let (filter, _) =
            KindFilter::read(Some("- kinds: [Pod]\n"), Some("- apiGroups: ['']\n  kinds: ['*']\n"));
        check(&filter, &[("", "ConfigMap")], &[("", "Pod"), ("apps", "Deployment"), ("", "Event")]);
        let (_, problems) = KindFilter::read(Some("a: b"), Some("["));
        assert_eq!(problems.len(), 2);
        assert_eq!(problems[0], "resource.exclusions in argocd-cm cannot be used: it must be a list");
    }
}
