//! What is asked of an object and is no object that is kept: evictions, bindings, connections.

use std::sync::Arc;

use http::Response;
use windlass_kube::{Map, Value};

use super::answer;
use super::body::Body;
use super::path::every;
use super::verbs::{Call, success};
use crate::admission::{Attributes, Operation};
use crate::api::{DeleteOptions, WriteOptions};
use crate::audit;
use crate::resource::{Resource, Subresource};
use crate::status::Status;

/// The parameters of connections, and what they are.
const CONNECT_PARAMETERS: [(&str, Kind); 8] = [
    ("stdin", Kind::Flag),
    ("stdout", Kind::Flag),
    ("stderr", Kind::Flag),
    ("tty", Kind::Flag),
    ("container", Kind::Text),
    ("path", Kind::Text),
    ("command", Kind::Texts),
    ("ports", Kind::Numbers),
];

#[derive(Clone, Copy)]
enum Kind {
    Flag,
    Text,
    Texts,
    Numbers,
}

impl Call {
    /// What is asked in the body, with the place it is asked for.
    fn asked_of(
        &self,
        resource: &Resource,
        known: &Subresource,
        (namespace, name): (&str, &str),
    ) -> Result<Value, Status> {
        let mut body = self.read_value()?;
        audit::request_object(|| body.clone());
        let named = body.str_at(&["metadata", "name"]).unwrap_or_default();
        if !named.is_empty() && named != name && known.name == "eviction" {
            return Err(Status::bad_request("name in URL does not match name in Eviction object"));
        }
        let kind = resource.kind_of(known);
        body.set_at(&["apiVersion"], kind.api_version());
        body.set_at(&["kind"], kind.kind);
        body.set_at(&["metadata", "name"], name);
        body.set_at(&["metadata", "namespace"], namespace);
        Ok(body)
    }

    /// The same as admission leaves it, with the options it is asked with and what admission warns of.
    async fn admitted(
        &self,
        resource: &Arc<Resource>,
        known: &Subresource,
        place: (&str, &str),
    ) -> Result<(Value, WriteOptions, Vec<String>), Status> {
        let body = self.asked_of(resource, known, place)?;
        let options = self.write_options("")?;
        let asked = Attributes::call(resource, place, known, Operation::Create, body, &options);
        let (body, warnings) = self.api.admit_call(asked).await?;
        Ok((body, options, warnings))
    }

    pub(super) async fn evict(
        &self,
        resource: &Arc<Resource>,
        known: &Subresource,
        place: (&str, &str),
    ) -> Result<Response<Body>, Status> {
        let (eviction, options, warnings) = self.admitted(resource, known, place).await?;
        let (namespace, name) = place;
        let deleted = async {
            self.api.check_disruption(namespace, name)?;
            let options = DeleteOptions {
                dry_run: options.dry_run,
                grace_period_seconds: eviction.int_at(&["deleteOptions", "gracePeriodSeconds"]),
                is_admitted: true,
                ..DeleteOptions::default()
            };
            self.api.delete_on(resource, namespace, name, &options).await
        };
        done(deleted.await.map(drop), warnings)
    }

    pub(super) async fn bind(
        &self,
        resource: &Arc<Resource>,
        known: &Subresource,
        place: (&str, &str),
    ) -> Result<Response<Body>, Status> {
        let (binding, options, warnings) = self.admitted(resource, known, place).await?;
        let bound = self.api.bind(resource, place.0, place.1, &binding, options.dry_run).await;
        done(bound, warnings)
    }

    /// Asks those who may refuse a connection. There is nothing to connect to: nothing runs here.
    pub(super) async fn connect(
        &self,
        resource: &Arc<Resource>,
        known: &Subresource,
        place: (&str, &str),
    ) -> Result<Response<Body>, Status> {
        let mut object: Map = Map::new();
        let kind = resource.kind_of(known);
        object.insert("apiVersion", kind.api_version());
        object.insert("kind", kind.kind);
        let query = self.parts.uri.query().unwrap_or_default();
        for (key, kind) in CONNECT_PARAMETERS {
            let given = every(query, key);
            let Some(first) = given.first() else { continue };
            let said = match kind {
                Kind::Flag if matches!(first.as_str(), "" | "0" | "false") => continue,
                Kind::Flag => Value::Bool(true),
                Kind::Text => Value::from(first.as_str()),
                Kind::Texts => given.iter().map(|text| Value::from(text.as_str())).collect::<Vec<_>>().into(),
                Kind::Numbers => {
                    let numbers = given.iter().flat_map(|text| text.split(','));
                    let numbers = numbers.filter_map(|text| text.parse().ok()).map(Value::Int);
                    numbers.collect::<Vec<_>>().into()
                }
            };
            object.insert(key, said);
        }
        let options = WriteOptions::default();
        let asked = Attributes::call(resource, place, known, Operation::Connect, object.into(), &options);
        let (_, warnings) = self.api.admit_call(asked).await?;
        let (namespace, name) = place;
        self.api.stored(resource, namespace, name).map_err(|status| status.warned(warnings.clone()))?;
        let why = format!("pod {name} does not have a host assigned");
        Err(Status::bad_request(why).warned(warnings))
    }
}

/// The answer to what was asked, with what admission warned of.
fn done(outcome: Result<(), Status>, warnings: Vec<String>) -> Result<Response<Body>, Status> {
    match outcome {
        Ok(()) => Ok(answer::warn(answer::value(201, &success()), &warnings)),
        Err(status) => Err(status.warned(warnings)),
    }
}
