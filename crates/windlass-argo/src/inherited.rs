//! What projects inherit from others: `globalProjects` of `argocd-cm`.

use std::borrow::Cow;

use windlass_kube::selector::LabelSelector;
use windlass_kube::{Object, Str, Value};

/// Projects whose labels match inherit what another project permits and forbids.
#[derive(Clone, Debug, PartialEq)]
pub struct GlobalProject {
    selector: LabelSelector,
    /// The project that is inherited from.
    pub project: Str,
}

/// The lists of a project's `spec` that are inherited, as in Argo CD 3.6 (`mergeVirtualProject`).
const INHERITED: [&str; 8] = [
    "sourceRepos",
    "destinations",
    "clusterResourceWhitelist",
    "clusterResourceBlacklist",
    "namespaceResourceWhitelist",
    "namespaceResourceBlacklist",
    "syncWindows",
    "destinationServiceAccounts",
];

impl GlobalProject {
    /// Whether a project inherits from it; nobody inherits from themselves.
    #[must_use]
    pub fn is_for(&self, project: &Object) -> bool {
        self.project != project.name() && self.selector.matches_object(project)
    }

    /// Reads the setting `globalProjects`: YAML, a list of `projectName` and `labelSelector`.
    ///
    /// # Errors
    ///
    /// What is wrong with it, in words.
    pub(crate) fn read(text: &str) -> Result<Box<[Self]>, String> {
        let read = windlass_yaml::load(text).map_err(|error| error.to_string())?;
        let Value::Array(items) = read else {
            return if read == Value::Null { Ok(Box::default()) } else { Err("it is no list".into()) };
        };
        let entries = items.iter().enumerate().map(|(idx, item)| {
            let everything = Value::object();
            let selector = item.at(&["labelSelector"]).unwrap_or(&everything);
            let selector = LabelSelector::from_object(Some(selector))
                .map_err(|error| format!("entry {idx}: labelSelector: {error}"))?;
            let project = item.str_at(&["projectName"]).filter(|name| !name.is_empty());
            let project = project.ok_or_else(|| format!("entry {idx} has no projectName"))?;
            Ok(Self { selector, project: project.into() })
        });
        entries.collect()
    }
}

/// A project with what it inherits; the project itself where it inherits nothing.
///
/// `find` gives the AppProject of a name, from the same namespace.
#[must_use]
pub fn with_inherited<'a, 'b>(
    project: &'a Object,
    global: &[GlobalProject],
    find: impl Fn(&str) -> Option<&'b Object>,
) -> Cow<'a, Object> {
    let mut project = Cow::Borrowed(project);
    for entry in global {
        let Some(from) = find(&entry.project).filter(|_| entry.is_for(&project)) else { continue };
        for field in INHERITED {
            let items = |object: &Object| match object.at(&["spec", field]) {
                Some(Value::Array(items)) => items.to_vec(),
                _ => Vec::new(),
            };
            let inherited = items(from);
            if inherited.is_empty() {
                continue;
            }
            let merged: Vec<Value> = items(&project).into_iter().chain(inherited).collect();
            project.to_mut().set_at(&["spec", field], Value::from(merged));
        }
    }
    project
}

#[cfg(test)]
mod tests {
    use windlass_kube::value;

    use super::*;

    fn project(name: &str, tier: &str, spec: Value) -> Object {
        let object = value!({
            "apiVersion": "argoproj.io/v1alpha1", "kind": "AppProject",
            "metadata": {"name": (name), "labels": {"tier": (tier)}}, "spec": (spec)
        });
        Object::try_new(object).unwrap()
    }

    #[test]
    fn lists_of_matching_projects_are_appended() {
        let global = GlobalProject::read(
            "- projectName: base\n  labelSelector:\n    matchExpressions:\n    - {key: tier, operator: In, values: [prod]}\n",
        )
        .unwrap();
        let base = project("base", "prod", value!({"sourceRepos": ["b"], "namespaceResourceWhitelist": []}));
        let find = |name: &str| (name == "base").then_some(&base);
        let team = project("team", "prod", value!({"sourceRepos": ["a"]}));
        let merged = with_inherited(&team, &global, find);
        assert_eq!(merged.at(&["spec", "sourceRepos"]), Some(&value!(["a", "b"])));
        // An empty list of what is allowed would forbid everything; it is not inherited.
        assert_eq!(merged.at(&["spec", "namespaceResourceWhitelist"]), None);
        for alone in [&base, &project("test", "test", value!({"sourceRepos": ["a"]}))] {
            assert!(matches!(with_inherited(alone, &global, find), Cow::Borrowed(_)));
        }
        assert!(matches!(with_inherited(&team, &global, |_| None), Cow::Borrowed(_)));
    }

    #[test]
    fn bad_settings_are_told() {
        for (text, problem) in [
            ("a: b", "it is no list"),
            ("- labelSelector: {}", "entry 0 has no projectName"),
            (
                "- projectName: a\n  labelSelector: {matchExpressions: [{key: a, operator: Near}]}",
                "entry 0: labelSelector",
            ),
            ("- [", "line"),
        ] {
            let refused = GlobalProject::read(text).unwrap_err();
            assert!(refused.contains(problem), "{text}: {refused}");
        }
        assert_eq!(GlobalProject::read("").unwrap().len(), 0);
    }
}
