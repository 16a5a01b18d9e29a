//! `windlass app manifests`.

use std::process::ExitCode;
use std::sync::Arc;

use anyhow::{Context, Result};
use clap::{Args, ValueEnum};
use windlass_argo::{Lowered, Project, lower};
use windlass_cluster::Discovery;
use windlass_engine::{
    Credentials, FetchedSource, Reach, SourceStores, Tools, fetch_sources, render_sources,
};
use windlass_kube::Object;
use windlass_model::{Renderer, Tree};
use windlass_render::Context as RenderContext;

use super::source::{self, SourceOptions};
use crate::output::{self, Format, FormatOption};
use crate::session::Session;

/// Options of `windlass app manifests`.
#[derive(Debug, Clone, Args)]
pub(super) struct ManifestsOptions {
    /// The Application: NAME, or NAMESPACE/NAME.
    name: String,
    /// Where the objects are read.
    #[arg(long, value_enum, default_value_t = Place::Git, value_name = "WHERE")]
    source: Place,
    /// Another revision than the declared one.
    #[arg(long, value_name = "REVISION")]
    revision: Option<String>,
    #[command(flatten)]
    format: FormatOption,
    #[command(flatten)]
    repositories: SourceOptions,
}

/// Where objects are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Place {
    /// As Git declares them.
    Git,
    /// As they live.
    Live,
}

pub(super) async fn run(session: &Session, options: &ManifestsOptions) -> Result<ExitCode> {
    let application = session.get(&options.name).await?;
    let application = source::at_revision(&application, options.revision.as_deref());
    let (objects, is_whole) = match options.source {
        Place::Live => (live(session, &application).await?, true),
        Place::Git => tokio::select! {
            declared = declared(session, &application, &options.repositories) => declared?,
            // The temporary store goes on the way out.
            () = crate::serving::stopped() => anyhow::bail!("interrupted"),
        },
    };
    output::print(&in_form(objects, options.format.output))?;
    Ok(if is_whole { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Objects in the form asked for.
pub(crate) fn in_form(objects: Vec<Object>, form: Format) -> String {
    let name = |object: &Object| {
        format!("{}/{}\n", object.gvk().group_kind().to_string().to_lowercase(), object.name())
    };
    match form {
        Format::Name => objects.iter().map(name).collect(),
        Format::Json => match <[Object; 1]>::try_from(objects) {
            Ok([only]) => output::json(&only.into_value()),
            Err(objects) => output::json(&output::list_of(objects.into_iter().map(Object::into_value))),
        },
        Format::Yaml | Format::Table | Format::Wide => {
            output::documents(objects.into_iter().map(Object::into_value))
        }
    }
}

async fn live(session: &Session, application: &Object) -> Result<Vec<Object>> {
    let discovery = super::tree::discover(session).await?;
    let status = application.at(&["status"]).cloned().unwrap_or_default();
    let mut objects = Vec::new();
    for listed in status.items_at(&["resources"]) {
        let text = |field: &str| listed.str_at(&[field]).unwrap_or_default();
        let Some(resource) = discovery.preferred(text("group"), text("kind")) else { continue };
        match session.client.get(resource, text("namespace"), text("name")).await {
            Ok(mut object) => {
                object.remove_at(&["metadata", "managedFields"]);
                objects.push(object);
            }
            Err(error) if error.is_not_found() => {}
            Err(error) => return Err(session.explained(error, text("name"))),
        }
    }
    Ok(objects)
}

/// The objects, and whether nothing was left out.
async fn declared(
    session: &Session,
    application: &Object,
    repositories: &SourceOptions,
) -> Result<(Vec<Object>, bool)> {
    let settings = source::settings(session).await?;
    let project = source::project(session, application, &settings).await?;
    let project = Project::of(application, project.as_ref());
    let lowered = lower(application, project.as_ref().map_err(Clone::clone), &settings, &[]);
    let store = repositories.store()?;
    let credentials = source::credentials(session).await?;
    let discovery = session
        .client
        .discover()
        .await
        .map_err(|error| session.explained(error, "what the cluster serves"))?;
    let programs = repositories.programs()?;
    let tools = programs.tools();
    declared_objects(&store.stores, &credentials, &lowered, &discovery, tools).await
}

/// What an Application declares, as its sources are now; and whether nothing was left out.
pub(crate) async fn declared_objects(
    stores: &Arc<SourceStores>,
    credentials: &Arc<Credentials>,
    lowered: &Lowered,
    discovery: &Discovery,
    tools: Tools<'_>,
) -> Result<(Vec<Object>, bool)> {
    let fetched = fetch_sources(stores, credentials, lowered).await?;
    let trees: Vec<_> = fetched.iter().map(FetchedSource::tree).collect();
    let render = |idx: usize, tree: &dyn Tree, renderer: &Renderer, context: &mut RenderContext<'_>| {
        let path = &lowered.unit.sources[idx].path;
        windlass_render::render(tree, path, renderer, context)
            .with_context(|| format!("{path} could not be rendered"))
    };
    let reach = Reach::new(stores, credentials, lowered);
    let rendered =
        tokio::task::block_in_place(|| render_sources(lowered, &trees, discovery, tools, &reach, render))?;
    let mut objects = Vec::new();
    let mut is_whole = true;
    for rendered in rendered.into_iter().flatten() {
        for diagnostic in &rendered.diagnostics {
            is_whole &= !diagnostic.kind.is_error();
            output::note(&format!("warning: {diagnostic}"));
        }
        objects.extend(rendered.manifests.into_iter().map(|manifest| manifest.object));
    }
    Ok((objects, is_whole))
}

#[cfg(test)]
mod tests {
    use windlass_kube::Value;

    use super::*;

    #[test]
    fn objects_are_printed_as_kubectl_takes_them() {
        let object = |name: &str| {
            let text = format!("apiVersion: apps/v1\nkind: Deployment\nmetadata: {{name: {name}}}\n");
            Object::try_new(windlass_yaml::load(&text).unwrap()).unwrap()
        };
        let both = vec![object("a"), object("b")];
        assert_eq!(in_form(both.clone(), Format::Name), "deployment.apps/a\ndeployment.apps/b\n");
        let yaml = in_form(both.clone(), Format::Yaml);
        assert_eq!(yaml.matches("---\n").count(), 1);
        let json: Value = serde_json::from_str(&in_form(both, Format::Json)).unwrap();
        assert_eq!(json.items_at(&["items"]).len(), 2);
        let one: Value = serde_json::from_str(&in_form(vec![object("a")], Format::Json)).unwrap();
        assert_eq!(one.str_at(&["kind"]), Some("Deployment"));
    }
}
