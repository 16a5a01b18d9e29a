//! What `argocd-cm` says about kinds of resources: health checks, actions, differences that do not count.
//!
//! Two forms, as in Argo CD 3: one key for each kind and matter, `resource.customizations.<matter>.<group>_<Kind>`
//! (`<Kind>` alone for the core group, `all` for all kinds), and the older `resource.customizations`, one YAML text by
//! `group/Kind` in which `*` may stand. Where both speak of the same matter of a kind, the key of its own wins.

use std::collections::BTreeMap;

use windlass_kube::{Object, Str, Value};
use windlass_model::{CountedStatus, IgnoreRule, KnownType, SystemComparing};

/// What is said about kinds, by `group/Kind`; `*` may stand in it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Customizations {
    /// In the order of their keys.
    pub kinds: BTreeMap<Str, Customization>,
    /// What could not be read, in words: one line for each key.
    pub problems: Vec<String>,
}

/// What is said about one kind, or one pattern of kinds.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Customization {
    /// A health check in Lua; empty when there is none.
    pub health: Str,
    /// Actions in Lua, as the YAML text that holds them; empty when there are none.
    pub actions: Str,
    /// Whether the check may use all of Lua's libraries that are safe.
    pub open_libs: bool,
    /// Fields that do not count.
    pub ignore_differences: Option<IgnoreRule>,
    /// Fields of known type.
    pub known_types: Vec<KnownType>,
}

const PREFIX: &str = "resource.customizations";

impl Customizations {
    /// Reads the ConfigMap `argocd-cm`.
    #[must_use]
    pub fn read(config: Option<&Object>) -> Self {
        let mut found = Self::default();
        let Some(Value::Object(data)) = config.and_then(|config| config.at(&["data"])) else { return found };
        if let Some(text) = data.get(PREFIX).and_then(Value::as_str) {
            found.read_combined(text);
        }
        for (key, value) in data.iter() {
            let Some(rest) = key.strip_prefix(PREFIX).and_then(|rest| rest.strip_prefix('.')) else {
                continue;
            };
            let (Some((matter, kind)), Some(text)) = (rest.split_once('.'), value.as_str()) else { continue };
            if let Err(problem) = found.read_one(matter, &kind_of(kind), text) {
                found.problems.push(format!("{key} in argocd-cm cannot be used: {problem}"));
            }
        }
        found
    }

    fn read_combined(&mut self, text: &str) {
        let parsed = match windlass_yaml::load(text) {
            Ok(Value::Object(kinds)) => kinds,
            Ok(Value::Null) => return,
            Ok(_) => {
                self.problems.push(format!("{PREFIX} in argocd-cm cannot be used: it must be a mapping"));
                return;
            }
            Err(error) => {
                self.problems.push(format!("{PREFIX} in argocd-cm cannot be used: {error}"));
                return;
            }
        };
        for (kind, said) in parsed.iter() {
            for (member, matter) in [
                ("health.lua", "health"),
                ("actions", "actions"),
                ("ignoreDifferences", "ignoreDifferences"),
                ("knownTypeFields", "knownTypeFields"),
                ("health.lua.useOpenLibs", "useOpenLibs"),
            ] {
                // The inner texts are YAML themselves; some write them as YAML of the outer text.
                let text = match said.get(member) {
                    None | Some(Value::Null) => continue,
                    Some(Value::String(text)) => text.to_string(),
                    Some(Value::Bool(flag)) => flag.to_string(),
                    Some(other) => windlass_yaml::to_yaml(other),
                };
                if let Err(problem) = self.read_one(matter, kind, &text) {
                    self.problems.push(format!(
                        "{member} of {kind} in {PREFIX} in argocd-cm cannot be used: {problem}"
                    ));
                }
            }
        }
    }

    fn read_one(&mut self, matter: &str, kind: &str, text: &str) -> Result<(), String> {
        let (group, kind_name) = kind.rsplit_once('/').unwrap_or(("", kind));
        let yaml = || windlass_yaml::load(text).map_err(|error| error.to_string());
        let entry = self.kinds.entry(kind.into()).or_default();
        match matter {
            "health" => entry.health = text.into(),
            "actions" => entry.actions = text.into(),
            "useOpenLibs" => entry.open_libs = text.trim() == "true",
            "ignoreDifferences" => {
                let said = yaml()?;
                let list = |key: &str| -> Result<Box<[Str]>, String> {
                    match said.get(key) {
                        None | Some(Value::Null) => Ok(Box::default()),
                        Some(Value::Array(items)) => items
                            .iter()
                            .map(|item| {
                                item.as_str().map(Str::from).ok_or(format!("{key} must be a list of strings"))
                            })
                            .collect(),
                        Some(_) => Err(format!("{key} must be a list of strings")),
                    }
                };
                entry.ignore_differences = Some(IgnoreRule {
                    group: group.into(),
                    kind: kind_name.into(),
                    pointers: list("jsonPointers")?,
                    expressions: list("jqPathExpressions")?,
                    managers: list("managedFieldsManagers")?,
                    ..IgnoreRule::default()
                });
            }
            "knownTypeFields" => {
                let said = yaml()?;
                let known = said.items_at(&[]).iter().map(|item| KnownType {
                    group: group.into(),
                    kind: kind_name.into(),
                    field: item.str_at(&["field"]).unwrap_or_default().into(),
                    type_name: item.str_at(&["type"]).unwrap_or_default().into(),
                });
                entry.known_types = known.collect();
            }
            // Less work for a controller that looks at everything; here nothing is looked at twice.
            "ignoreResourceUpdates" => {}
            other => return Err(format!("{other:?} is not known")),
        }
        Ok(())
    }

    /// What does not count when objects are compared. `options` is the text of `resource.compareoptions`.
    #[must_use]
    pub(crate) fn comparing(&self, options: Option<&str>) -> SystemComparing {
        let options = options.and_then(|text| windlass_yaml::load(text).ok()).unwrap_or_default();
        SystemComparing {
            rules: self.kinds.values().filter_map(|it| it.ignore_differences.clone()).collect(),
            ignore_aggregated_roles: options.bool_at(&["ignoreAggregatedRoles"]).unwrap_or(false),
            known_types: self.kinds.values().flat_map(|it| it.known_types.iter().cloned()).collect(),
            status: counted_status(options.at(&["ignoreResourceStatusField"])),
        }
    }
}

/// What `ignoreResourceStatusField` leaves to count: as Argo CD 3.6 reads it (`GetResourceOverrides`), to whom an unknown
/// word means `all`, and YAML's `off` the word `false`.
fn counted_status(ignored: Option<&Value>) -> CountedStatus {
    match ignored {
        Some(Value::Bool(false)) => CountedStatus::All,
        Some(Value::String(word)) => match word.as_str() {
            "crd" => CountedStatus::AllButDefinitions,
            "none" | "off" | "false" => CountedStatus::All,
            _ => CountedStatus::None,
        },
        _ => CountedStatus::None,
    }
}

/// `group/Kind` of the end of a key: `group_Kind`, `Kind` or `all`.
fn kind_of(text: &str) -> String {
    match text.split_once('_') {
        _ if text == "all" => "*/*".to_owned(),
        Some((group, kind)) => format!("{group}/{kind}"),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use windlass_kube::value;

    use super::*;

    fn config(data: Value) -> Object {
        let mut map = value!({"apiVersion": "v1", "kind": "ConfigMap"});
        map.set_at(&["data"], data);
        Object::try_new(map).unwrap()
    }

    #[test]
    fn both_forms_are_read_and_the_key_of_its_own_wins() {
        let old = "apps/Deployment:\n  health.lua: old\n  ignoreDifferences: |\n    jsonPointers: [/spec/replicas]\n\
                   '*.example.org/*':\n  health.lua: pattern\n  health.lua.useOpenLibs: true\n";
        let read = Customizations::read(Some(&config(value!({
            "resource.customizations": old,
            "resource.customizations.health.apps_Deployment": "new",
            "resource.customizations.health.Pod": "core",
            "resource.customizations.ignoreDifferences.all": "managedFieldsManagers: [hpa]\n",
            "resource.customizations.knownTypeFields.example.org_Thing": "- {field: spec.cpu, type: core/Quantity}\n",
            "resource.customizations.ignoreDifferences.example.org_Thing": "jsonPointers: 1\n",
            "url": "https://example.org"
        }))));
        assert_eq!(read.kinds["apps/Deployment"].health, "new");
        assert_eq!(read.kinds["Pod"].health, "core");
        assert!(read.kinds["*.example.org/*"].open_libs);
        assert_eq!(read.problems.len(), 1, "{:?}", read.problems);
        let comparing = read.comparing(Some("ignoreAggregatedRoles: true"));
        assert!(comparing.ignore_aggregated_roles);
        let rules: Vec<String> = comparing
            .rules
            .iter()
            .map(|it| format!("{}/{} {:?} {:?}", it.group, it.kind, it.pointers, it.managers))
            .collect();
        assert_eq!(rules, [r#"*/* [] ["hpa"]"#, r#"apps/Deployment ["/spec/replicas"] []"#]);
        assert_eq!(comparing.known_types[0].field, "spec.cpu");
        assert_eq!(comparing.status, CountedStatus::None);
    }

    #[test]
    fn a_declared_status_counts_where_it_is_not_ignored() {
        let read = |options: &str| Customizations::default().comparing(Some(options)).status;
        for (word, counted) in [
            ("all", CountedStatus::None),
            ("''", CountedStatus::None),
            ("true", CountedStatus::None),
            ("something", CountedStatus::None),
            ("crd", CountedStatus::AllButDefinitions),
            ("none", CountedStatus::All),
            ("off", CountedStatus::All),
            ("'off'", CountedStatus::All),
            ("false", CountedStatus::All),
            ("'false'", CountedStatus::All),
        ] {
            assert_eq!(read(&format!("ignoreResourceStatusField: {word}")), counted, "{word}");
        }
        assert_eq!(read("ignoreAggregatedRoles: true"), CountedStatus::None);
        let definition = ("apiextensions.k8s.io", "CustomResourceDefinition");
        assert!(!CountedStatus::AllButDefinitions.of(definition.0, definition.1));
        assert!(CountedStatus::AllButDefinitions.of("example.org", "Thing"));
        assert!(CountedStatus::All.of(definition.0, definition.1));
    }
}
