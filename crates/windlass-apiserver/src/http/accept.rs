//! Which form of an answer the client takes, read from `Accept` as `k8s.io/apimachinery` v0.36.3 reads it.

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

/// How an answer is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Media {
    Json,
    Yaml,
    Protobuf,
}

/// In the order in which `*/*` finds them.
const SERVED: [Media; 3] = [Media::Json, Media::Yaml, Media::Protobuf];

impl Media {
    /// Its name in headers.
    pub(super) fn content_type(self) -> &'static str {
        match self {
            Self::Json => "application/json",
            Self::Yaml => "application/yaml",
            Self::Protobuf => "application/vnd.kubernetes.protobuf",
        }
    }
}

/// What an answer is given as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Accepted {
    pub(super) media: Media,
    pub(super) form: Form,
}

/// Whom the answer comes from, which decides what it may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Endpoint {
    /// A built-in resource.
    BuiltIn,
    /// A resource of a definition: there is no protobuf of its objects.
    Custom,
    /// What is no resource, and refusals: no other form than the whole.
    Plain,
    /// The documents of discovery.
    Discovery,
}

/// One range of the header.
struct Clause<'a> {
    main: &'a str,
    sub: &'a str,
    quality: f64,
    parameters: Vec<(&'a str, &'a str)>,
}

impl Clause<'_> {
    /// Go's order: by quality, what is said exactly before what is not.
    fn is_before(&self, other: &Self) -> bool {
        self.quality > other.quality
            || (self.main != "*" && other.main == "*")
            || (self.sub != "*" && other.sub == "*")
    }

    fn covers(&self, media: Media) -> bool {
        let exact = media.content_type().split_once('/') == Some((self.main, self.sub));
        exact || (self.sub == "*" && matches!(self.main, "application" | "*"))
    }

    fn parameter(&self, name: &str) -> Option<&str> {
        // A later one replaces an earlier one.
        self.parameters.iter().rev().find(|(have, _)| *have == name).map(|(_, value)| *value)
    }

    /// The form that this range asks for, if it can be had there.
    fn form(&self, endpoint: Endpoint, media: Media) -> Option<Form> {
        let stream = self.parameter("stream").unwrap_or_default();
        if !stream.is_empty() && (media == Media::Yaml || stream != "watch") {
            return None;
        }
        if endpoint != Endpoint::Plain && !matches!(self.parameter("sv"), None | Some("" | "v1")) {
            return None;
        }
        let convert = ["as", "g", "v"].map(|name| self.parameter(name));
        if convert == [None; 3] {
            let allowed = match endpoint {
                Endpoint::Custom => media != Media::Protobuf,
                Endpoint::BuiltIn | Endpoint::Plain => true,
                Endpoint::Discovery => false,
            };
            return allowed.then_some(Form::Whole);
        }
        let [kind, group, version] = convert.map(Option::unwrap_or_default);
        if endpoint == Endpoint::Discovery {
            let aggregated = [kind, group, version] == ["APIGroupDiscoveryList", "apidiscovery.k8s.io", "v2"];
            return aggregated.then_some(Form::Whole);
        }
        if endpoint == Endpoint::Plain || group != "meta.k8s.io" || !matches!(version, "v1" | "v1beta1") {
            return None;
        }
        match kind {
            "Table" if media != Media::Protobuf => Some(Form::Table),
            "PartialObjectMetadata" | "PartialObjectMetadataList" => Some(Form::Metadata),
            _ => None,
        }
    }
}

/// What is the best for an `Accept` header; `None` where nothing is acceptable.
pub(super) fn negotiate(accept: &str, endpoint: Endpoint) -> Option<Accepted> {
    if accept.is_empty() && endpoint != Endpoint::Discovery {
        return Some(Accepted { media: Media::Json, form: Form::Whole });
    }
    clauses(accept).iter().find_map(|clause| {
        let mut covered = SERVED.into_iter().filter(|media| clause.covers(*media));
        covered.find_map(|media| clause.form(endpoint, media).map(|form| Accepted { media, form }))
    })
}

/// Whether built-in resources are routed at all for that header: their routes know these types, and no more.
pub(super) fn is_routed(accept: &str) -> bool {
    accept.is_empty()
        || accept.split(',').any(|range| {
            let media_type = range.split(';').next().unwrap_or_default().trim();
            media_type == "*/*" || SERVED.iter().any(|media| media.content_type() == media_type)
        })
}

fn clauses(accept: &str) -> Vec<Clause<'_>> {
    let mut clauses: Vec<Clause<'_>> = Vec::new();
    for range in accept.split(',') {
        let mut parts = range.trim_matches(' ').split(';');
        let media_type = parts.next().unwrap_or_default();
        let (main, sub) = match media_type.split_once('/') {
            Some((main, sub)) if !sub.is_empty() && !sub.contains('/') => (main.trim_matches(' '), sub),
            None if media_type.trim_matches(' ') == "*" => ("*", "*"),
            _ => continue,
        };
        let mut clause = Clause { main, sub: sub.trim_matches(' '), quality: 1.0, parameters: Vec::new() };
        for part in parts {
            let Some((name, value)) = part.split_once('=') else { continue };
            if value.is_empty() || value.contains('=') {
                continue;
            }
            match name.trim_matches(' ') {
                "q" => clause.quality = value.parse().unwrap_or(0.0),
                name => clause.parameters.push((name, value.trim_matches(' '))),
            }
        }
        // Go's sort of so few, whose order is no order: what comes later moves forward while it is before.
        let mut at = clauses.len();
        while at > 0 && clause.is_before(&clauses[at - 1]) {
            at -= 1;
        }
        clauses.insert(at, clause);
    }
    clauses
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn takes_the_best_that_can_be_given() {
        use Endpoint::{BuiltIn, Custom, Discovery, Plain};
        use Form::{Metadata, Table, Whole};
        use Media::{Json, Protobuf, Yaml};
        let typed = "application/vnd.kubernetes.protobuf,application/json";
        let metadata = "application/vnd.kubernetes.protobuf;as=PartialObjectMetadata;g=meta.k8s.io;v=v1,application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1,application/json";
        let table = "application/json;as=Table;v=v1;g=meta.k8s.io,application/json";
        for (accept, endpoint, expected) in [
            ("", BuiltIn, Some((Json, Whole))),
            ("", Discovery, None),
            (table, BuiltIn, Some((Json, Table))),
            (table, Plain, Some((Json, Whole))),
            (typed, BuiltIn, Some((Protobuf, Whole))),
            (typed, Custom, Some((Json, Whole))),
            (typed, Plain, Some((Protobuf, Whole))),
            ("application/vnd.kubernetes.protobuf", Custom, None),
            (metadata, BuiltIn, Some((Protobuf, Metadata))),
            (metadata, Custom, Some((Protobuf, Metadata))),
            ("application/vnd.kubernetes.protobuf;as=Table;v=v1;g=meta.k8s.io", BuiltIn, None),
            ("application/json;as=Other;v=v1;g=meta.k8s.io", BuiltIn, None),
            ("application/json;v=v1", BuiltIn, None),
            ("text/html, */*;q=0.1", BuiltIn, Some((Json, Whole))),
            ("*/*, application/yaml", BuiltIn, Some((Yaml, Whole))),
            ("application/json;q=0.5,application/yaml;q=0.9", BuiltIn, Some((Yaml, Whole))),
            ("application/yaml;stream=watch", BuiltIn, None),
            ("application/vnd.kubernetes.protobuf;stream=watch", BuiltIn, Some((Protobuf, Whole))),
            ("application/json;stream=other", BuiltIn, None),
            ("application/*", BuiltIn, Some((Json, Whole))),
            ("application", BuiltIn, None),
        ] {
            let expected = expected.map(|(media, form)| Accepted { media, form });
            assert_eq!(negotiate(accept, endpoint), expected, "{accept} {endpoint:?}");
        }
        assert!(!is_routed("application/*") && is_routed("text/html, */*;q=0.1") && is_routed(typed));
    }
}
