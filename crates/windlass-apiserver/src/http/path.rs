//! What a request's path and query name.

use std::collections::HashMap;

use crate::resource::Gvr;

/// What a path below `/api` or `/apis` names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Target {
    pub(super) gvr: Gvr,
    pub(super) namespace: Option<String>,
    pub(super) name: Option<String>,
    pub(super) subresource: String,
}

/// Splits and decodes a path's segments; `None` if one is not UTF-8.
pub(super) fn segments(path: &str) -> Option<Vec<String>> {
    path.split('/').filter(|segment| !segment.is_empty()).map(|segment| decode(segment, false)).collect()
}

impl Target {
    /// Reads the path of a resource; `None` if it is none.
    pub(super) fn parse(segments: &[String]) -> Option<Self> {
        let (group, version, rest) = match segments {
            [api, version, rest @ ..] if api == "api" => ("", version, rest),
            [apis, group, version, rest @ ..] if apis == "apis" => (group.as_str(), version, rest),
            _ => return None,
        };
        let (namespace, rest) = match rest {
            // Below a namespace stands a resource, but for the namespace's own subresources.
            [namespaces, namespace, resource, rest @ ..]
                if namespaces == "namespaces"
                    && !(group.is_empty() && is_own(resource) && rest.is_empty()) =>
            {
                (Some(namespace.clone()), [std::slice::from_ref(resource), rest].concat())
            }
            rest => (None, rest.to_vec()),
        };
        let (resource, rest) = rest.split_first()?;
        let (name, subresource) = match rest {
            [] => (None, String::new()),
            [name] => (Some(name.clone()), String::new()),
            [name, subresource] => (Some(name.clone()), subresource.clone()),
            [name, subresource, ..] => (Some(name.clone()), subresource.clone()),
        };
        Some(Self { gvr: Gvr::new(group, version.as_str(), resource.as_str()), namespace, name, subresource })
    }
}

/// The segments of a path below the old `/api/v1/watch`, without that word and the name of a single object, which
/// comes second.
pub(super) fn watched(segments: &[String]) -> Option<(Vec<String>, Option<String>)> {
    let at = match segments.first()?.as_str() {
        "api" => 2,
        "apis" => 3,
        _ => return None,
    };
    if segments.get(at)? != "watch" || segments.len() == at + 1 {
        return None;
    }
    let mut plain = segments.to_vec();
    plain.remove(at);
    let target = Target::parse(&plain)?;
    if target.name.is_some() {
        plain.pop();
    }
    Some((plain, target.name))
}

fn is_own(segment: &str) -> bool {
    matches!(segment, "status" | "finalize")
}

/// The parameters of a request; of several of one name the first counts, as in Go's `url.Values.Get`.
#[derive(Debug, Default)]
pub(super) struct Query(HashMap<String, String>);

impl Query {
    pub(super) fn parse(query: &str) -> Self {
        let mut parameters = HashMap::new();
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
            if let (Some(key), Some(value)) = (decode(key, true), decode(value, true)) {
                parameters.entry(key).or_insert(value);
            }
        }
        Self(parameters)
    }

    pub(super) fn get(&self, key: &str) -> &str {
        self.0.get(key).map_or("", String::as_str)
    }

    /// Sets a parameter.
    pub(super) fn set(&mut self, key: &str, value: String) {
        self.0.insert(key.to_owned(), value);
    }

    /// Whether a parameter is there, with a value or without.
    pub(super) fn has(&self, key: &str) -> bool {
        self.0.contains_key(key)
    }

    /// Whether a flag is set, as `strconv.ParseBool` has it.
    pub(super) fn flag(&self, key: &str) -> bool {
        matches!(self.get(key), "1" | "t" | "T" | "true" | "TRUE" | "True")
    }

    pub(super) fn number(&self, key: &str) -> Option<u64> {
        self.get(key).parse().ok()
    }
}

/// Every value of a parameter, in order.
pub(super) fn every(query: &str, key: &str) -> Vec<String> {
    let pairs = query.split('&').filter_map(|pair| pair.split_once('='));
    pairs.filter(|(name, _)| *name == key).filter_map(|(_, value)| decode(value, true)).collect()
}

fn decode(text: &str, plus_is_space: bool) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        match byte {
            b'%' => {
                let mut digit = || char::from(rest.next()?).to_digit(16);
                let (high, low) = (digit()?, digit()?);
                bytes.push(u8::try_from(high * 16 + low).ok()?);
            }
            b'+' if plus_is_space => bytes.push(b' '),
            byte => bytes.push(byte),
        }
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_what_the_path_names() {
        for (path, gvr, namespace, name, subresource) in [
            ("/api/v1/pods", ("", "v1", "pods"), None, None, ""),
            ("/api/v1/namespaces", ("", "v1", "namespaces"), None, None, ""),
            ("/api/v1/namespaces/a", ("", "v1", "namespaces"), None, Some("a"), ""),
            ("/api/v1/namespaces/a/status", ("", "v1", "namespaces"), None, Some("a"), "status"),
            ("/api/v1/namespaces/a/pods", ("", "v1", "pods"), Some("a"), None, ""),
            ("/api/v1/namespaces/a/pods/b/log", ("", "v1", "pods"), Some("a"), Some("b"), "log"),
            (
                "/apis/apps/v1/namespaces/a/deployments/b",
                ("apps", "v1", "deployments"),
                Some("a"),
                Some("b"),
                "",
            ),
            ("/apis/a.io/v1/namespaces/a/status/b", ("a.io", "v1", "status"), Some("a"), Some("b"), ""),
            ("/api/v1/nodes/a%20b", ("", "v1", "nodes"), None, Some("a b"), ""),
        ] {
            let target = Target::parse(&segments(path).unwrap()).unwrap();
            assert_eq!(target.gvr, Gvr::new(gvr.0, gvr.1, gvr.2), "{path}");
            let found = (target.namespace.as_deref(), target.name.as_deref(), target.subresource.as_str());
            assert_eq!(found, (namespace, name, subresource), "{path}");
        }
        assert_eq!(Target::parse(&segments("/api/v1").unwrap()), None);
        let query = Query::parse("a=1%2C2&b=x+y&a=3&watch=true");
        assert_eq!((query.get("a"), query.get("b"), query.flag("watch")), ("1,2", "x y", true));
    }
}
