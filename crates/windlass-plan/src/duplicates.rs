//! Items that a list names twice: server-side apply cannot take them, `kubectl apply` could.

use std::collections::BTreeSet;

use windlass_kube::{Object, Value};

/// The lists of core, apps and batch whose items have a key, with the fields of the key and what stands for an
/// absent one: as the OpenAPI document of Kubernetes 1.36 has them (`x-kubernetes-list-map-keys`).
const KEYED: [(&str, &[(&str, &str)]); 8] = [
    ("env", &[("name", "")]),
    ("containers", &[("name", "")]),
    ("initContainers", &[("name", "")]),
    ("volumes", &[("name", "")]),
    ("volumeMounts", &[("mountPath", "")]),
    ("imagePullSecrets", &[("name", "")]),
    ("hostAliases", &[("ip", "")]),
    ("ports", &[("containerPort", ""), ("port", ""), ("protocol", "TCP")]),
];

/// The first item that `object` names twice, with its place: `spec.containers[0].env names LEVEL twice`.
pub(crate) fn first_duplicate(object: &Object) -> Option<String> {
    let gvk = object.gvk();
    if !matches!(gvk.group.as_str(), "" | "apps" | "batch") {
        return None;
    }
    let spec = object.at(&["spec"])?;
    search(spec, &mut String::from("spec"))
}

fn search(value: &Value, path: &mut String) -> Option<String> {
    let length = path.len();
    match value {
        Value::Object(members) => {
            for (name, member) in members.iter() {
                path.push('.');
                path.push_str(name);
                if let (Value::Array(items), Some((_, keys))) =
                    (member, KEYED.iter().find(|(list, _)| *list == name.as_str()))
                    && let Some(twice) = named_twice(items.as_slice(), keys)
                {
                    return Some(format!("{path} names {twice} twice"));
                }
                let found = search(member, path);
                path.truncate(length);
                if found.is_some() {
                    return found;
                }
            }
            None
        }
        Value::Array(items) => items.iter().enumerate().find_map(|(idx, item)| {
            path.push_str(&format!("[{idx}]"));
            let found = search(item, path);
            path.truncate(length);
            found
        }),
        _ => None,
    }
}

fn named_twice(items: &[Value], keys: &[(&str, &str)]) -> Option<String> {
    let mut seen = BTreeSet::new();
    items.iter().find_map(|item| {
        let parts: Vec<String> = keys
            .iter()
            .map(|(key, default)| match item.get(key) {
                Some(Value::String(text)) => text.to_string(),
                Some(Value::Int(number)) => number.to_string(),
                _ => (*default).to_owned(),
            })
            .filter(|part| !part.is_empty())
            .collect();
        let name = parts.join("/");
        // What has no key is refused for another reason.
        let has_key =
            item.get(keys[0].0).is_some() || keys.get(1).is_some_and(|(key, _)| item.get(key).is_some());
        (has_key && !seen.insert(name.clone())).then_some(name)
    })
}

#[cfg(test)]
mod tests {
    use windlass_kube::value;

    use super::*;

    #[test]
    fn the_item_and_its_place_are_named() {
        let deployment = |env: Value, ports: Value| {
            let container = value!({"name": "main", "env": (env), "ports": (ports)});
            Object::try_new(value!({
                "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web"},
                "spec": {"template": {"spec": {"containers": [(container)]}}},
            }))
            .expect("it is an object")
        };
        let none = value!([]);
        let cases = [
            (value!([{"name": "A", "value": "1"}, {"name": "B"}]), none.clone(), None),
            (
                value!([{"name": "A", "value": "1"}, {"name": "A"}]),
                none.clone(),
                Some("spec.template.spec.containers[0].env names A twice"),
            ),
            (none.clone(), value!([{"containerPort": 80}, {"containerPort": 80, "protocol": "UDP"}]), None),
            (
                none,
                value!([{"containerPort": 80, "name": "a"}, {"containerPort": 80, "protocol": "TCP"}]),
                Some("spec.template.spec.containers[0].ports names 80/TCP twice"),
            ),
        ];
        for (env, ports, expected) in cases {
            assert_eq!(first_duplicate(&deployment(env, ports)).as_deref(), expected);
        }
    }
}
