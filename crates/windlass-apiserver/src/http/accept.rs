//! Which form of an answer the client takes.

/// The forms an object or list can be given in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// The object itself.
    Whole,
    /// The table that `kubectl get` prints.
    Table,
    /// Only names, labels, owners and the like.
    Metadata,
}

/// The first form in an `Accept` header that this server can give; `None` if there is none.
///
/// YAML is made of JSON afterwards. The ranges are taken in the client's order: weights are not used by Kubernetes
/// clients, and kube-apiserver ignores them too.
pub(super) fn form(accept: &str) -> Option<Form> {
    if accept.trim().is_empty() {
        return Some(Form::Whole);
    }
    accept.split(',').find_map(|range| {
        let mut parts = range.split(';').map(str::trim);
        let media_type = parts.next().unwrap_or_default();
        if !matches!(media_type, "application/json" | "*/*" | "application/*") {
            return None;
        }
        let parameters: Vec<(&str, &str)> = parts.filter_map(|part| part.split_once('=')).collect();
        let parameter =
            |name: &str| parameters.iter().find(|(have, _)| *have == name).map(|(_, value)| *value);
        match (parameter("as"), parameter("g"), parameter("v")) {
            (None, ..) => Some(Form::Whole),
            (Some("Table"), Some("meta.k8s.io"), Some("v1" | "v1beta1")) => Some(Form::Table),
            (
                Some("PartialObjectMetadata" | "PartialObjectMetadataList"),
                Some("meta.k8s.io"),
                Some("v1" | "v1beta1"),
            ) => Some(Form::Metadata),
            _ => None,
        }
    })
}

/// Whether the first form that this server can give is YAML.
pub(super) fn prefers_yaml(accept: &str) -> bool {
    let mut types = accept.split(',').map(|range| range.split(';').next().unwrap_or_default().trim());
    types.find(|media_type| {
        matches!(*media_type, "application/yaml" | "application/json" | "*/*" | "application/*")
    }) == Some("application/yaml")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn takes_the_first_that_can_be_given() {
        for (accept, expected) in [
            ("", Some(Form::Whole)),
            ("application/json;as=Table;v=v1;g=meta.k8s.io,application/json", Some(Form::Table)),
            ("application/vnd.kubernetes.protobuf,application/json", Some(Form::Whole)),
            (
                "application/vnd.kubernetes.protobuf;as=PartialObjectMetadata;g=meta.k8s.io;v=v1,application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1,application/json",
                Some(Form::Metadata),
            ),
            ("application/json;as=Other;v=v1;g=meta.k8s.io", None),
            ("text/html, */*;q=0.1", Some(Form::Whole)),
            ("application/yaml", None),
        ] {
            assert_eq!(form(accept), expected, "{accept}");
        }
    }

    #[test]
    fn takes_yaml_where_it_comes_first() {
        for (accept, expected) in [
            ("application/yaml", true),
            ("text/html, application/yaml;q=0.9, application/json", true),
            ("application/json, application/yaml", false),
            ("", false),
        ] {
            assert_eq!(prefers_yaml(accept), expected, "{accept}");
        }
    }
}
