//! Audit policies: which requests are told of, and how much of each.
//!
//! Facts: `k8s.io/apiserver` v0.36.3, packages `audit/policy` and `apis/audit/validation`.

use windlass_kube::{Value, validation};

use crate::api::UserInfo;

/// How much of a request is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// Nothing.
    None,
    /// Who did what, when, and how it ended.
    Metadata,
    /// That and what was sent.
    Request,
    /// That and what was answered.
    RequestResponse,
}

impl Level {
    fn parse(text: &str) -> Option<Self> {
        Some(match text {
            "None" => Self::None,
            "Metadata" => Self::Metadata,
            "Request" => Self::Request,
            "RequestResponse" => Self::RequestResponse,
            _ => return None,
        })
    }

    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::None => "None",
            Self::Metadata => "Metadata",
            Self::Request => "Request",
            Self::RequestResponse => "RequestResponse",
        }
    }
}

/// When in the life of a request something is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    RequestReceived,
    /// Of what goes on for long: its answer has begun.
    ResponseStarted,
    ResponseComplete,
    Panic,
}

const STAGES: [Stage; 4] =
    [Stage::RequestReceived, Stage::ResponseStarted, Stage::ResponseComplete, Stage::Panic];

impl Stage {
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::RequestReceived => "RequestReceived",
            Self::ResponseStarted => "ResponseStarted",
            Self::ResponseComplete => "ResponseComplete",
            Self::Panic => "Panic",
        }
    }
}

/// A policy of `audit.k8s.io/v1`.
#[derive(Clone, Debug)]
pub(super) struct Policy {
    rules: Vec<Rule>,
    omitted: Vec<Stage>,
    omits_managed_fields: bool,
}

#[derive(Clone, Debug)]
struct Rule {
    level: Level,
    users: Vec<String>,
    groups: Vec<String>,
    verbs: Vec<String>,
    resources: Vec<Resources>,
    namespaces: Vec<String>,
    paths: Vec<String>,
    omitted: Vec<Stage>,
    omits_managed_fields: Option<bool>,
}

#[derive(Clone, Debug)]
struct Resources {
    group: String,
    resources: Vec<String>,
    names: Vec<String>,
}

/// What a policy says of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Decision {
    pub(super) level: Level,
    pub(super) omitted: Vec<Stage>,
    pub(super) omits_managed_fields: bool,
}

/// What a policy looks at.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Asked {
    pub(crate) verb: String,
    pub(crate) path: String,
    /// What of a resource is meant; nothing for other paths.
    pub(crate) target: Option<Target>,
}

/// The resource that a request names.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Target {
    pub(crate) group: String,
    pub(crate) version: String,
    pub(crate) resource: String,
    pub(crate) subresource: String,
    pub(crate) namespace: String,
    pub(crate) name: String,
}

impl Policy {
    /// Reads a policy from YAML.
    ///
    /// # Errors
    ///
    /// All that is wrong with it, field by field.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let document = windlass_yaml::load(text).map_err(|error| format!("it is no YAML: {error}"))?;
        let (version, kind) = (
            document.str_at(&["apiVersion"]).unwrap_or_default(),
            document.str_at(&["kind"]).unwrap_or_default(),
        );
        if (version, kind) != ("audit.k8s.io/v1", "Policy") {
            return Err(format!("it is a {kind:?} of {version:?}, not a \"Policy\" of \"audit.k8s.io/v1\""));
        }
        let mut wrong = Vec::new();
        let known = ["apiVersion", "kind", "metadata", "rules", "omitStages", "omitManagedFields"];
        only_known(&document, "", &known, &mut wrong);
        let omitted = stages(&document, "omitStages", &mut wrong);
        let rules: Vec<Rule> = document
            .items_at(&["rules"])
            .iter()
            .enumerate()
            .map(|(idx, rule)| Rule::read(rule, &format!("rules[{idx}]"), &omitted, &mut wrong))
            .collect();
        if rules.is_empty() {
            wrong.push("rules: there are none, and so nothing would be told".to_owned());
        }
        if !wrong.is_empty() {
            return Err(wrong.join("; "));
        }
        let omits_managed_fields = document.bool_at(&["omitManagedFields"]) == Some(true);
        Ok(Self { rules, omitted, omits_managed_fields })
    }

    /// What is told of a request: what the first rule says that it matches, nothing where none does.
    pub(super) fn decide(&self, user: &UserInfo, asked: &Asked) -> Decision {
        let rule = self.rules.iter().find(|rule| rule.matches(user, asked));
        match rule {
            Some(rule) => Decision {
                level: rule.level,
                omitted: rule.omitted.clone(),
                omits_managed_fields: rule.omits_managed_fields.unwrap_or(self.omits_managed_fields),
            },
            None => Decision {
                level: Level::None,
                omitted: self.omitted.clone(),
                omits_managed_fields: self.omits_managed_fields,
            },
        }
    }
}

fn only_known(value: &Value, path: &str, known: &[&str], wrong: &mut Vec<String>) {
    let members = value.as_object().into_iter().flat_map(|members| members.iter());
    for (key, _) in members.filter(|(key, _)| !known.contains(&key.as_str())) {
        wrong.push(format!("{path}{key}: there is no such field"));
    }
}

fn texts(value: &Value, key: &str, path: &str, wrong: &mut Vec<String>) -> Vec<String> {
    let list = match value.get(key) {
        None | Some(Value::Null) => return Vec::new(),
        Some(Value::Array(list)) => list,
        Some(_) => {
            wrong.push(format!("{path}{key}: is no list"));
            return Vec::new();
        }
    };
    let mut found = Vec::new();
    for (idx, item) in list.iter().enumerate() {
        match item.as_str() {
            Some(text) => found.push(text.to_owned()),
            None => wrong.push(format!("{path}{key}[{idx}]: is no text")),
        }
    }
    found
}

fn stages(value: &Value, path: &str, wrong: &mut Vec<String>) -> Vec<Stage> {
    let prefix = path.strip_suffix("omitStages").unwrap_or_default();
    let mut found = Vec::new();
    for (idx, text) in texts(value, "omitStages", prefix, wrong).into_iter().enumerate() {
        match STAGES.into_iter().find(|stage| stage.as_str() == text) {
            Some(stage) => found.push(stage),
            None => wrong.push(format!(
                "{path}[{idx}]: {text:?} is no stage; allowed are RequestReceived, ResponseStarted, ResponseComplete, Panic"
            )),
        }
    }
    found
}

impl Rule {
    fn read(rule: &Value, path: &str, omitted: &[Stage], wrong: &mut Vec<String>) -> Self {
        let dot = format!("{path}.");
        let known = [
            "level",
            "users",
            "userGroups",
            "verbs",
            "resources",
            "namespaces",
            "nonResourceURLs",
            "omitStages",
            "omitManagedFields",
        ];
        only_known(rule, &dot, &known, wrong);
        let level = match rule.str_at(&["level"]) {
            None | Some("") => {
                wrong.push(format!("{path}.level: is missing"));
                Level::None
            }
            Some(text) => Level::parse(text).unwrap_or_else(|| {
                wrong.push(format!(
                    "{path}.level: {text:?} is no level; allowed are None, Metadata, Request, RequestResponse"
                ));
                Level::None
            }),
        };
        let resources = rule.items_at(&["resources"]).iter().enumerate();
        let resources: Vec<Resources> = resources
            .map(|(idx, one)| Resources::read(one, &format!("{path}.resources[{idx}]"), wrong))
            .collect();
        let paths = texts(rule, "nonResourceURLs", &dot, wrong);
        for (idx, url) in paths.iter().enumerate().filter(|(_, url)| *url != "*") {
            let field = format!("{path}.nonResourceURLs[{idx}]");
            if !url.starts_with('/') {
                wrong.push(format!("{field}: {url:?} does not begin with a '/'"));
            }
            if url.char_indices().any(|(at, letter)| letter == '*' && at + 1 < url.len()) {
                wrong.push(format!("{field}: {url:?} has a '*' that is not its end"));
            }
        }
        let namespaces = texts(rule, "namespaces", &dot, wrong);
        let has_resources = !resources.is_empty() || !namespaces.is_empty();
        if has_resources && !paths.is_empty() {
            wrong.push(format!(
                "{path}.nonResourceURLs: a rule is for resources or for other paths, not for both"
            ));
        }
        let mut all = omitted.to_vec();
        all.extend(stages(rule, &format!("{path}.omitStages"), wrong));
        Self {
            level,
            users: texts(rule, "users", &dot, wrong),
            groups: texts(rule, "userGroups", &dot, wrong),
            verbs: texts(rule, "verbs", &dot, wrong),
            resources,
            namespaces,
            paths,
            omitted: all,
            omits_managed_fields: rule.bool_at(&["omitManagedFields"]),
        }
    }

    fn matches(&self, user: &UserInfo, asked: &Asked) -> bool {
        let is_any = |list: &[String], text: &str| list.is_empty() || list.iter().any(|one| one == text);
        if !is_any(&self.users, &user.name) || !is_any(&self.verbs, &asked.verb) {
            return false;
        }
        if !self.groups.is_empty() && !self.groups.iter().any(|group| user.is_in(group)) {
            return false;
        }
        if !self.namespaces.is_empty() || !self.resources.is_empty() {
            let Some(target) = &asked.target else { return false };
            return is_any(&self.namespaces, &target.namespace)
                && (self.resources.is_empty() || self.resources.iter().any(|one| one.matches(target)));
        }
        if !self.paths.is_empty() {
            let holds = |spec: &String| {
                spec == "*"
                    || *spec == asked.path
                    || (spec.ends_with('*') && asked.path.starts_with(spec.trim_end_matches('*')))
            };
            return asked.target.is_none() && self.paths.iter().any(holds);
        }
        true
    }
}

impl Resources {
    fn read(one: &Value, path: &str, wrong: &mut Vec<String>) -> Self {
        let dot = format!("{path}.");
        only_known(one, &dot, &["group", "resources", "resourceNames"], wrong);
        let group = one.str_at(&["group"]).unwrap_or_default().to_owned();
        if !matches!(group.as_str(), "" | "*") {
            for why in validation::dns1123_subdomain(&group) {
                wrong.push(format!("{path}.group: {group:?}: {why}"));
            }
        }
        let resources = texts(one, "resources", &dot, wrong);
        let names = texts(one, "resourceNames", &dot, wrong);
        if !names.is_empty() && resources.is_empty() {
            wrong.push(format!("{path}.resourceNames: needs at least one of resources beside it"));
        }
        Self { group, resources, names }
    }

    fn matches(&self, target: &Target) -> bool {
        if self.group != "*" && self.group != target.group {
            return false;
        }
        if self.resources.is_empty() {
            return true;
        }
        if !self.names.is_empty() && !self.names.contains(&target.name) {
            return false;
        }
        let full = if target.subresource.is_empty() {
            target.resource.clone()
        } else {
            format!("{}/{}", target.resource, target.subresource)
        };
        self.resources.iter().any(|resource| {
            resource == "*"
                || *resource == full
                || (!target.subresource.is_empty()
                    && resource.strip_prefix("*/") == Some(target.subresource.as_str()))
                || resource.strip_suffix("/*") == Some(target.resource.as_str())
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn policy(rules: &str) -> Policy {
        Policy::parse(&format!(
            "apiVersion: audit.k8s.io/v1\nkind: Policy\nomitStages: [Panic]\nrules:\n{rules}"
        ))
        .unwrap()
    }

    fn asked(resource: &str, subresource: &str, name: &str) -> Asked {
        let text = str::to_owned;
        Asked {
            verb: "get".into(),
            path: String::new(),
            target: Some(Target {
                version: "v1".into(),
                resource: text(resource),
                subresource: text(subresource),
                namespace: "ns".into(),
                name: text(name),
                ..Target::default()
            }),
        }
    }

    #[test]
    fn the_first_rule_that_matches_decides() {
        let policy = policy(
            "- {level: None, users: [quiet]}\n- {level: Request, resources: [{group: '', resources: [pods/*, '*/scale']}]}\n- {level: Metadata, resources: [{group: '', resources: [secrets], resourceNames: [a]}], omitStages: [RequestReceived]}\n- {level: RequestResponse, nonResourceURLs: ['/healthz*']}",
        );
        let user = |name: &str| UserInfo { name: name.into(), ..UserInfo::admin("x") };
        let level = |name: &str, asked: &Asked| policy.decide(&user(name), asked).level;
        assert_eq!(level("quiet", &asked("secrets", "", "a")), Level::None);
        assert_eq!(level("a", &asked("pods", "log", "a")), Level::Request);
        assert_eq!(level("a", &asked("pods", "", "a")), Level::Request);
        assert_eq!(level("a", &asked("others", "scale", "a")), Level::Request);
        assert_eq!(level("a", &asked("secrets", "", "b")), Level::None);
        let decision = policy.decide(&user("a"), &asked("secrets", "", "a"));
        assert_eq!((decision.level, decision.omitted.len()), (Level::Metadata, 2));
        let path = Asked { path: "/healthz/ping".into(), verb: "get".into(), target: None };
        assert_eq!(level("a", &path), Level::RequestResponse);
    }

    #[test]
    fn a_bad_policy_says_where_it_is_bad() {
        let text = "apiVersion: audit.k8s.io/v1\nkind: Policy\nomitStages: [Begin]\nextra: 1\nrules:\n- {level: All, nonResourceURLs: [a*b], namespaces: [x]}\n- {resources: [{group: UP, resourceNames: [a]}], verbs: get}";
        let why = Policy::parse(text).unwrap_err();
        for part in [
            "extra: there is no such field",
            "omitStages[0]: \"Begin\" is no stage",
            "rules[0].level: \"All\" is no level",
            "rules[0].nonResourceURLs[0]: \"a*b\" does not begin with a '/'",
            "rules[0].nonResourceURLs[0]: \"a*b\" has a '*' that is not its end",
            "rules[0].nonResourceURLs: a rule is for resources or for other paths",
            "rules[1].level: is missing",
            "rules[1].resources[0].group: \"UP\"",
            "rules[1].resources[0].resourceNames: needs at least one",
            "rules[1].verbs: is no list",
        ] {
            assert!(why.contains(part), "{part} is not in {why}");
        }
        assert!(Policy::parse("kind: Policy").unwrap_err().contains("audit.k8s.io/v1"));
        let empty = Policy::parse("apiVersion: audit.k8s.io/v1\nkind: Policy").unwrap_err();
        assert!(empty.contains("rules: there are none"), "{empty}");
    }
}
