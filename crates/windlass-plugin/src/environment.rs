//! The variables that a plugin is given: `getPluginParamEnvs` of Argo CD 3.6.

use windlass_kube::{Str, Value};
use windlass_model::PluginParameter;
use windlass_render::{Environment, PluginInput};
use windlass_yaml::json;

use crate::definition::REVISION_VARIABLE;

/// Names and values; of equal names the last one counts, and stands alone.
pub(crate) type Variables = Vec<(String, String)>;

/// The variables for `input`; those of the revision only where the plugin is told of it.
pub(crate) fn variables(input: &PluginInput<'_>, sees_revision: bool) -> Variables {
    let mut build: Vec<(Str, Str)> = input.environment.to_vec();
    build.push(("KUBE_VERSION".into(), kube_version(&input.cluster.version).into()));
    build.push(("KUBE_API_VERSIONS".into(), input.cluster.api_versions.join(",").into()));
    let environment = Environment::new(build.clone());
    let told = build.into_iter().filter(|(name, _)| sees_revision || !name.starts_with(REVISION_VARIABLE));
    let mut variables: Variables = told.map(|(name, value)| (name.to_string(), value.to_string())).collect();
    if let Some(options) = input.options {
        for (name, value) in &options.environment {
            set(&mut variables, &format!("ARGOCD_ENV_{name}"), &environment.expand(value));
        }
        for (name, value) in parameters(&options.parameters) {
            set(&mut variables, &name, &value);
        }
    }
    variables
}

/// Sets a variable as a process sees it: its name ends at the first `=`, wherever that is from.
fn set(variables: &mut Variables, name: &str, value: &str) {
    let text = format!("{name}={value}");
    let Some((name, value)) = text.split_once('=') else { return };
    variables.retain(|(known, _)| known != name);
    variables.push((name.to_owned(), value.to_owned()));
}

/// The parameters as variables: all of them as JSON, and each by its name.
pub(crate) fn parameters(parameters: &[PluginParameter]) -> Variables {
    let mut variables = vec![("ARGOCD_APP_PARAMETERS".to_owned(), as_json(parameters))];
    for parameter in parameters {
        let name = format!("PARAM_{}", escaped(&parameter.name));
        if let Some(text) = &parameter.text {
            variables.push((name.clone(), text.to_string()));
        }
        for (key, value) in parameter.map.iter().flatten() {
            variables.push((format!("{name}_{}", escaped(key)), value.to_string()));
        }
        for (idx, value) in parameter.list.iter().flatten().enumerate() {
            variables.push((format!("{name}_{idx}"), value.to_string()));
        }
    }
    variables
}

fn as_json(parameters: &[PluginParameter]) -> String {
    // What Go makes of a list that was never made.
    if parameters.is_empty() {
        return "null".into();
    }
    let parameters = parameters.iter().map(|parameter| {
        let mut value = Value::object();
        value.set_at(&["name"], parameter.name.clone());
        if let Some(text) = &parameter.text {
            value.set_at(&["string"], text.clone());
        }
        if let Some(map) = &parameter.map {
            let map = map.iter().map(|(key, value)| (key.clone(), Value::from(value.clone())));
            value.set_at(&["map"], Value::Object(map.collect()));
        }
        if let Some(list) = &parameter.list {
            value.set_at(&["array"], Value::Array(list.iter().cloned().map(Value::from).collect()));
        }
        value
    });
    json::to_string(&Value::Array(parameters.collect()))
}

/// A name in capitals, with an underscore for what no variable's name holds.
fn escaped(name: &str) -> String {
    let capital = |character: char| {
        let mut capital = character.to_uppercase();
        match (capital.next(), capital.next()) {
            (Some(one), None) => one,
            // Go knows one letter for one only.
            _ => character,
        }
    };
    let is_kept = |character: &char| matches!(character, 'A'..='Z' | '0'..='9' | '_');
    name.chars().map(|character| Some(capital(character)).filter(is_kept).unwrap_or('_')).collect()
}

/// The numbers of a version, as `ParseGeneric` of Kubernetes' `util/version` reads them.
fn kube_version(version: &str) -> String {
    let version = version.trim_start();
    let numbers = version.strip_prefix('v').unwrap_or(version);
    let end = numbers.find(|character: char| !(character.is_ascii_digit() || character == '.'));
    numbers[..end.unwrap_or(numbers.len())].trim_end_matches('.').to_owned()
}

#[cfg(test)]
mod tests {
    use windlass_model::PluginOptions;

    use super::*;

    /// What Argo CD's `getPluginParamEnvs` answers.
    #[test]
    fn variables_are_those_of_argo_cd() {
        let mut asked = 0;
        for line in include_str!("../tests/data/oracle.jsonl").lines() {
            let question = json::parse(line.as_bytes()).unwrap();
            // A list of no parameters that was written down is `[]` there; here it is as good as none.
            let is_written_empty = question.get("plugin").and_then(|plugin| plugin.get("parameters"))
                == Some(&Value::Array(Vec::new().into_iter().collect()));
            if question.str_at(&["ask"]) != Some("environment") || is_written_empty {
                continue;
            }
            let text = |value: &Value, key: &str| Str::from(value.str_at(&[key]).unwrap_or_default());
            let plugin = question.get("plugin").unwrap();
            let options = PluginOptions {
                name: Str::default(),
                environment: (plugin.items_at(&["env"]).iter())
                    .map(|entry| (text(entry, "name"), text(entry, "value")))
                    .collect(),
                parameters: (plugin.items_at(&["parameters"]).iter())
                    .map(|parameter| PluginParameter {
                        name: text(parameter, "name"),
                        text: parameter.str_at(&["string"]).map(Str::from),
                        map: parameter.get("map").and_then(Value::as_object).map(|map| {
                            map.iter()
                                .map(|(key, value)| (key.clone(), value.as_str().unwrap().into()))
                                .collect()
                        }),
                        list: parameter.get("array").map(|_| {
                            parameter
                                .items_at(&["array"])
                                .iter()
                                .map(|it| it.as_str().unwrap().into())
                                .collect()
                        }),
                    })
                    .collect(),
            };
            let cluster = windlass_render::ClusterFacts {
                version: "v1.36.3".into(),
                api_versions: ["v1".into(), "apps/v1".into()].into(),
            };
            let environment = [("ARGOCD_APP_NAME", "web"), ("ARGOCD_APP_NAMESPACE", "shop")];
            let environment = environment.map(|(name, value)| (name.into(), value.into()));
            let input = PluginInput { options: Some(&options), environment: &environment, cluster: &cluster };
            // The recorded answer is sorted, so of equal names any may be the last: names are compared, and the values
            // of those that stand there once.
            let lines = question.items_at(&["build"]).iter().chain(question.items_at(&["answer"]));
            let lines: Vec<(&str, &str)> = lines.filter_map(|line| line.as_str()?.split_once('=')).collect();
            let found = variables(&input, true);
            for (name, value) in &lines {
                let found: Vec<_> = found.iter().filter(|(known, _)| known == name).collect();
                assert_eq!(found.len(), 1, "{name} of {line}");
                let is_single = lines.iter().filter(|(other, _)| other == name).count() == 1;
                assert!(!is_single || found[0].1 == *value, "{name}={} of {line}", found[0].1);
            }
            assert!(found.iter().all(|(name, _)| lines.iter().any(|(known, _)| known == name)), "{line}");
            asked += 1;
        }
        assert_eq!(asked, 10);
    }

    #[test]
    fn versions_are_numbers() {
        for (version, numbers) in
            [("v1.36.3", "1.36.3"), ("", ""), ("v1.31.2+k3s1", "1.31.2"), ("1.30", "1.30")]
        {
            assert_eq!(kube_version(version), numbers);
        }
    }
}
