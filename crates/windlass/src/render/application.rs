//! `windlass render --app`: what an Application in a file says, from where it says.

use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::{Context, Result, bail};
use base64::Engine as _;
use windlass_argo::{Lowered, Project, Settings, lower, project_name, with_inherited};
use windlass_cluster::Discovery;
use windlass_engine::Credentials;
use windlass_kube::{Object, Value};
use windlass_yaml::LoadOptions;

use super::fetch::Fetcher;
use crate::app::{SourceOptions, declared_objects, in_form};
use crate::output::{self, Format};

/// The namespace of the control plane, where the Application names none.
const CONTROL_PLANE: &str = "argocd";

/// What a file holds.
#[derive(Debug, Default)]
struct Declared {
    applications: Vec<Object>,
    projects: Vec<Object>,
    secrets: Vec<Object>,
    settings: Vec<Object>,
    /// Flux's Kustomizations.
    kustomizations: Vec<Object>,
    /// Where those have files from.
    sources: Vec<Object>,
}

/// Renders the Application in `file` and prints its objects.
pub(super) async fn run(
    file: &Path,
    place: Option<&str>,
    sources: &SourceOptions,
    form: Format,
) -> Result<ExitCode> {
    let text = if file.as_os_str() == "-" {
        std::io::read_to_string(std::io::stdin()).context("standard input cannot be read")?
    } else {
        std::fs::read_to_string(file).with_context(|| format!("{} cannot be read", file.display()))?
    };
    let declared = Declared::read(&text).with_context(|| format!("{} cannot be used", file.display()))?;
    if let [kustomization] = &declared.kustomizations[..] {
        let beside = [&declared.sources[..], &declared.secrets, &declared.settings];
        let beside: Vec<&Object> = beside.into_iter().flatten().collect();
        let flux = super::flux::Declared { kustomization, beside: &beside };
        return tokio::task::block_in_place(|| flux.run(place, &Fetcher::default(), form));
    }
    if let Some(place) = place {
        bail!("an Application says itself where it is from; {place} cannot be another place");
    }
    let lowered = declared.lowered()?;
    let fatal: Vec<_> = lowered.unit.diagnostics.iter().filter(|it| it.kind.is_error()).collect();
    for diagnostic in &lowered.unit.diagnostics {
        let word = if diagnostic.kind.is_error() { "error" } else { "warning" };
        output::note(&format!("{word}: {diagnostic}"));
    }
    if !fatal.is_empty() {
        bail!("the Application cannot be acted on");
    }
    let credentials = Arc::new(Credentials::read(&declared.secrets, &declared.settings));
    let store = sources.store()?;
    // Nothing is known of the cluster it goes to.
    let discovery = Discovery::default();
    let programs = sources.programs()?;
    let tools = programs.tools();
    let rendered = tokio::select! {
        rendered = declared_objects(&store.stores, &credentials, &lowered, &discovery, tools) => rendered?,
        // The temporary store goes on the way out.
        () = crate::serving::stopped() => bail!("interrupted"),
    };
    let (objects, is_whole) = rendered;
    output::print(&in_form(objects, form))?;
    Ok(if is_whole { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

impl Declared {
    /// Sorts the objects of a text by what they are for; others are left out.
    fn read(text: &str) -> Result<Self> {
        let mut declared = Self::default();
        for document in windlass_yaml::documents(text, &LoadOptions::default()) {
            let value = document?.value;
            if value.is_null() {
                continue;
            }
            let object = Object::try_new(value)?;
            match (object.api_version(), object.kind()) {
                (version, "Application") if version.starts_with(windlass_argo::GROUP) => {
                    declared.applications.push(object);
                }
                (version, "AppProject") if version.starts_with(windlass_argo::GROUP) => {
                    declared.projects.push(object);
                }
                ("v1", "Secret") => declared.secrets.push(encoded(object)),
                ("v1", "ConfigMap") => declared.settings.push(object),
                _ if super::flux::is_kustomization(&object) => declared.kustomizations.push(object),
                _ if super::flux::is_source(&object) => declared.sources.push(object),
                _ => {}
            }
        }
        Ok(declared)
    }

    fn lowered(&self) -> Result<Lowered> {
        let application = match self.applications.as_slice() {
            [one] => one,
            [] if self.kustomizations.len() > 1 => {
                bail!("there are {} Kustomizations in it, and one is rendered", self.kustomizations.len())
            }
            [] => bail!("there is no Application in it, nor a Kustomization of Flux's"),
            several => bail!("there are {} Applications in it, and one is rendered", several.len()),
        };
        let map = |name: &str| self.settings.iter().find(|map| map.name() == name);
        let mut application = application.clone();
        if application.namespace().is_empty() {
            application.set_at(&["metadata", "namespace"], CONTROL_PLANE);
        }
        let settings = Settings::read(application.namespace(), map("argocd-cm"), map("argocd-cmd-params-cm"));
        let name = project_name(&application);
        let find = |name: &str| self.projects.iter().find(|project| project.name() == name);
        let project = find(name).map(|object| with_inherited(object, &settings.global_projects, find));
        let project = Project::of(&application, project.as_deref());
        Ok(lower(&application, project.as_ref().map_err(Clone::clone), &settings, &[]))
    }
}

/// A Secret as a server has it: what is written as text is in its data.
fn encoded(mut secret: Object) -> Object {
    let text = secret.remove_at(&["stringData"]).unwrap_or_default();
    for (key, value) in text.as_object().into_iter().flat_map(windlass_kube::Map::iter) {
        let bytes = value.as_str().unwrap_or_default();
        let encoded = base64::engine::general_purpose::STANDARD.encode(bytes);
        secret.set_at(&["data", key], Value::from(encoded));
    }
    secret
}

#[cfg(test)]
mod tests {
    use windlass_model::SourceKind;

    use super::*;

    const FILE: &str = "\
apiVersion: argoproj.io/v1alpha1
kind: Application
metadata: {name: web}
spec:
  project: shop
  source: {repoURL: 'https://charts.example.org', chart: web, targetRevision: 1.x}
  destination: {server: 'https://kubernetes.default.svc', namespace: shop}
---
apiVersion: argoproj.io/v1alpha1
kind: AppProject
metadata: {name: shop}
spec: {sourceRepos: ['*'], destinations: [{server: '*', namespace: '*'}]}
---
apiVersion: v1
kind: Secret
metadata: {name: charts, labels: {argocd.argoproj.io/secret-type: repository}}
stringData: {type: helm, url: 'https://charts.example.org', password: hunter2}
---
apiVersion: v1
kind: Service
metadata: {name: beside}
";

    #[test]
    fn a_file_holds_all_that_an_application_depends_on() {
        let declared = Declared::read(FILE).unwrap();
        let lowered = declared.lowered().unwrap();
        assert!(lowered.unit.diagnostics.is_empty(), "{:?}", lowered.unit.diagnostics);
        assert!(matches!(lowered.unit.sources[0].kind, SourceKind::Chart { .. }));
        assert_eq!(declared.secrets[0].str_at(&["data", "password"]), "aHVudGVyMg==");
        let without = FILE.split_once("---").unwrap().0;
        let lowered = Declared::read(without).unwrap().lowered().unwrap();
        assert!(lowered.unit.diagnostics.iter().any(|it| it.kind.is_error()));
        for (text, problem) in [
            (
                FILE.replace("kind: Application\n", "kind: Other\n"),
                "there is no Application in it, nor a Kustomization of Flux's",
            ),
            (format!("{FILE}---\n{FILE}"), "there are 2 Applications in it, and one is rendered"),
        ] {
            let said = Declared::read(&text).unwrap().lowered().err().map(|error| error.to_string());
            assert_eq!(said.as_deref(), Some(problem));
        }
    }
}
