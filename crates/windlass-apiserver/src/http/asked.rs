//! What a request asks for, as policies of audit name it.

use http::{Method, Uri};

use super::path::{Query, Target, segments, watched};
use crate::audit::{Asked, Target as Named};

/// Reads method and address: `RequestInfo` of kube-apiserver.
pub(crate) fn asked(method: &Method, uri: &Uri) -> Asked {
    let plain =
        || Asked { verb: method.as_str().to_ascii_lowercase(), path: uri.path().to_owned(), target: None };
    let Some(mut words) = segments(uri.path()) else { return plain() };
    let query = Query::parse(uri.query().unwrap_or_default());
    let mut is_watch = query.flag("watch");
    let mut watched_name = None;
    if let Some((without, name)) = watched(&words) {
        (words, watched_name, is_watch) = (without, name, true);
    }
    let Some(target) = Target::parse(&words) else { return plain() };
    let is_namespace = target.gvr.group.is_empty() && target.gvr.resource == "namespaces";
    let mut name = target.name.clone().or(watched_name);
    let verb = verb_of(method, target.name.is_some(), is_watch);
    if matches!(verb, "list" | "watch") {
        // One object that is selected by its name is named.
        let exact = query.get("fieldSelector").strip_prefix("metadata.name=");
        name = name.or_else(|| exact.filter(|it| !it.contains([',', '='])).map(str::to_owned));
    }
    let name = name.unwrap_or_default();
    let namespace = target.namespace.unwrap_or_default();
    Asked {
        verb: verb.to_owned(),
        path: uri.path().to_owned(),
        target: Some(Named {
            group: target.gvr.group.to_string(),
            version: target.gvr.version.to_string(),
            resource: target.gvr.resource.to_string(),
            subresource: target.subresource,
            namespace: if is_namespace { name.clone() } else { namespace },
            name,
        }),
    }
}

/// What a request for objects does, as rules and logs call it. One object is watched by a field selector: asking for a watch
/// means nothing beside its name.
pub(super) fn verb_of(method: &Method, is_named: bool, is_watch: bool) -> &'static str {
    match (method, is_named) {
        (&Method::GET | &Method::HEAD, true) => "get",
        (&Method::GET | &Method::HEAD, false) if is_watch => "watch",
        (&Method::GET | &Method::HEAD, false) => "list",
        (&Method::POST, _) => "create",
        (&Method::PUT, _) => "update",
        (&Method::PATCH, _) => "patch",
        (&Method::DELETE, true) => "delete",
        (&Method::DELETE, false) => "deletecollection",
        _ => "",
    }
}
