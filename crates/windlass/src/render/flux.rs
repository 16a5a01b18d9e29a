//! `windlass render --app` of Flux's Kustomization: what kustomize-controller would apply, from where its source says.

use std::collections::BTreeMap;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, anyhow, bail};
use windlass_assess::cel::CelChecks;
use windlass_kube::{Object, Str, Value};
use windlass_kustomize::remote::Remote;
use windlass_kustomize::{Options, Services, build, flux};
use windlass_model::Tree;
use windlass_render::Substitution;
use windlass_source::{
    Access, ArtifactKind, ArtifactTarget, ArtifactUrl, Authentication, KnownHosts, LayerSelector,
    OciReference, RepositoryUrl, Secret, TargetRevision,
};
use windlass_yaml::LoadOptions;

use super::fetch::Fetcher;
use super::place::Place;
use super::place_access::KnownAccess;
use crate::app::in_form;
use crate::output::{self, Advised, Format};

/// The group of the objects that are rendered.
const GROUP: &str = "kustomize.toolkit.fluxcd.io";
/// The group of the objects that say where files are.
const SOURCES: &str = "source.toolkit.fluxcd.io";
/// How long Flux lets a fetch take when the source does not say: `spec.timeout` of its CRDs.
const TIMEOUT: Duration = Duration::from_secs(60);

/// A Kustomization, and what it names.
#[derive(Debug)]
pub(super) struct Declared<'a> {
    pub(super) kustomization: &'a Object,
    /// Sources, Secrets and ConfigMaps of the same file.
    pub(super) beside: &'a [&'a Object],
}

/// Files, and what they are the state of.
struct Files {
    tree: Arc<dyn Tree>,
    folder: String,
}

impl Declared<'_> {
    /// Renders it and prints its objects. `place` is where its files are, instead of where its source says.
    pub(super) fn run(&self, place: Option<&str>, fetcher: &Fetcher, form: Format) -> Result<ExitCode> {
        if let Some(said) = self.kustomization.at(&["spec", "healthCheckExprs"]) {
            // kustomize-controller does nothing then either: `InvalidCELExpression`.
            CelChecks::read(said).context("spec.healthCheckExprs cannot be used")?;
        }
        let files = self.files(place, fetcher)?;
        let objects = self.objects(&files, fetcher)?;
        output::print(&in_form(objects, form))?;
        Ok(ExitCode::SUCCESS)
    }

    fn spec(&self, path: &[&str]) -> &str {
        let path = [&["spec"], path].concat();
        self.kustomization.str_at(&path)
    }

    /// An object of the same file; one without a namespace is in that of the Kustomization.
    fn find(&self, kind: &str, namespace: &str, name: &str) -> Option<&Object> {
        let own = self.kustomization.namespace();
        let namespace = if namespace.is_empty() { own } else { namespace };
        let is_there =
            |it: &Object| it.namespace() == namespace || it.namespace().is_empty() || own.is_empty();
        self.beside.iter().copied().find(|it| it.kind() == kind && it.name() == name && is_there(it))
    }

    fn files(&self, place: Option<&str>, fetcher: &Fetcher) -> Result<Files> {
        if let Some(text) = place {
            let place = Place::parse(text, None)?;
            let found = place
                .open(fetcher, &KnownAccess::default())
                .with_context(|| format!("{text} cannot be rendered"))?;
            return Ok(Files { tree: found.tree, folder: found.folder });
        }
        let (kind, name) = (self.spec(&["sourceRef", "kind"]), self.spec(&["sourceRef", "name"]));
        let Some(source) = self.find(kind, self.spec(&["sourceRef", "namespace"]), name) else {
            return Err(Advised::error(
                format!("its source, {kind} {name}, is not in the file"),
                "put it there, too, or say where the files are: windlass render --app FILE DIR|URL",
            ));
        };
        let tree = match kind {
            "GitRepository" => self.repository(source, fetcher),
            "OCIRepository" => self.artifact(source, fetcher),
            other => {
                return Err(Advised::error(
                    format!("a source of kind {other} is not fetched from here"),
                    "say where the files are: windlass render --app FILE DIR|URL",
                ));
            }
        };
        let tree = tree.with_context(|| format!("{kind} {name} cannot be fetched"))?;
        Ok(Files { tree, folder: String::new() })
    }

    /// A GitRepository: its `ref` counts as in source-controller 1.9, commit before name, semver, tag and branch.
    fn repository(&self, source: &Object, fetcher: &Fetcher) -> Result<Arc<dyn Tree>> {
        let said = |key: &str| Some(source.str_at(&["spec", "ref", key])).filter(|text| !text.is_empty());
        let target = match (said("commit"), said("name"), said("semver"), said("tag"), said("branch")) {
            (Some(commit), ..) => TargetRevision::Commit(commit.parse()?),
            (_, Some(name), ..) => TargetRevision::Name(name.into()),
            (_, _, Some(range), ..) => {
                TargetRevision::Range { range: range.into(), tag_prefix: String::new() }
            }
            (_, _, _, Some(tag), _) => TargetRevision::Name(format!("refs/tags/{tag}")),
            (.., Some(branch)) => TargetRevision::Name(format!("refs/heads/{branch}")),
            // What source-controller takes then.
            _ => TargetRevision::Name("refs/heads/master".into()),
        };
        let url: RepositoryUrl = source.str_at(&["spec", "url"]).parse()?;
        let submodules = source.at(&["spec", "recurseSubmodules"]).and_then(Value::as_bool) == Some(true);
        let secret = self.secret_of(source)?;
        let access_to = |_: &RepositoryUrl, access: Access| secret.iter().fold(access, with_secret);
        fetcher
            .clone_at(&url, &target, timeout(source), submodules, access_to)
            .map(|(tree, _)| tree)
            .map_err(|problem| anyhow!("{problem}"))
    }

    /// An OCIRepository: digest before semver and tag.
    fn artifact(&self, source: &Object, fetcher: &Fetcher) -> Result<Arc<dyn Tree>> {
        let said = |key: &str| Some(source.str_at(&["spec", "ref", key])).filter(|text| !text.is_empty());
        let reference = match (said("digest"), said("semver"), said("tag")) {
            (Some(digest), ..) => OciReference::Digest(digest.parse()?),
            (_, Some(range), _) => {
                OciReference::Range { range: range.into(), filter: said("semverFilter").map(str::to_owned) }
            }
            (_, _, tag) => OciReference::Tag(tag.unwrap_or("latest").into()),
        };
        let layer = match source.str_at(&["spec", "layerSelector", "mediaType"]) {
            "" => LayerSelector::First,
            media_type => LayerSelector::MediaType(media_type.into()),
        };
        let url = ArtifactUrl::parse(source.str_at(&["spec", "url"]))?;
        let insecure = source.at(&["spec", "insecure"]).and_then(Value::as_bool) == Some(true);
        let access = Access { plain_http: insecure, credentials_over_http: insecure, ..Access::default() };
        let access = self.secret_of(source)?.iter().fold(access, with_secret);
        let target = ArtifactTarget::Oci { reference, layer };
        let snapshot = fetcher.artifact(&url, ArtifactKind::Oci, &access, &target)?;
        Ok(Arc::new(snapshot.tree))
    }

    /// The Secret that a source names, which must be in the file.
    fn secret_of(&self, source: &Object) -> Result<Option<SecretData>> {
        let name = source.str_at(&["spec", "secretRef", "name"]);
        if name.is_empty() {
            return Ok(None);
        }
        let found = self.find("Secret", source.namespace(), name);
        let secret = found.with_context(|| format!("its Secret {name} is not in the file"))?;
        SecretData::read(secret).map(Some)
    }

    /// Builds as Flux does, replaces variables, and writes the common labels and annotations.
    fn objects(&self, files: &Files, fetcher: &Fetcher) -> Result<Vec<Object>> {
        let path = self.spec(&["path"]).trim_start_matches("./").trim_matches('/');
        let path = match (files.folder.trim_matches('/'), path) {
            ("", path) => path.to_owned(),
            (folder, "" | ".") => folder.to_owned(),
            (folder, path) => format!("{folder}/{path}"),
        };
        let path = if path == "." { String::new() } else { path };
        if self.kustomization.at(&["spec", "decryption"]).is_some() {
            output::note("warning: spec.decryption is not acted on; encrypted values stay as they are");
        }
        let spec = self.kustomization.at(&["spec"]).cloned().unwrap_or_default();
        let options = Options { shown_root: path.clone(), ..flux::options() };
        let services = Services { remote: Some(fetcher as &dyn Remote), ..Services::default() };
        let edits = flux::edits(&spec, &*files.tree, &path).map_err(|error| anyhow!("{error}"))?;
        let built =
            build(&*files.tree, &path, &options, services, &edits).map_err(|error| anyhow!("{error}"))?;
        built.warnings.iter().for_each(|warning| output::note(warning));
        let text = built.resources.to_yaml().map_err(|error| anyhow!("{error}"))?;
        let substitution = self.substitution()?;
        let mut objects = Vec::new();
        for document in windlass_yaml::documents(&text, &LoadOptions::default()) {
            let value = document?.value;
            if value.is_null() {
                continue;
            }
            let mut object = Object::try_new(value)?;
            if let Some(substitution) = &substitution {
                let what = format!("{} {}", object.kind(), object.name());
                object = substitution.apply(&object).with_context(|| format!("variables in {what}"))?;
            }
            for field in ["labels", "annotations"] {
                let common = spec.at(&["commonMetadata", field]).and_then(Value::as_object);
                for (key, value) in common.into_iter().flat_map(windlass_kube::Map::iter) {
                    object.set_at(&["metadata", field, key], value.clone());
                }
            }
            objects.push(object);
        }
        Ok(objects)
    }

    /// The variables of `postBuild`: those of each object that it names, a later one over an earlier, and its own over
    /// all. Unset ones are an error, as in kustomize-controller since 1.9.
    fn substitution(&self) -> Result<Option<Substitution>> {
        let Some(settings) = self.kustomization.at(&["spec", "postBuild"]) else { return Ok(None) };
        let mut variables: Vec<(Str, Str)> = Vec::new();
        for reference in settings.items_at(&["substituteFrom"]) {
            let text = |key: &str| reference.str_at(&[key]).unwrap_or_default();
            let (kind, name) = (text("kind"), text("name"));
            let Some(object) = self.find(kind, "", name) else {
                if reference.bool_at(&["optional"]) == Some(true) {
                    continue;
                }
                bail!("postBuild.substituteFrom: {kind} {name} is not in the file");
            };
            if kind == "Secret" {
                let SecretData(data) = SecretData::read(object)?;
                variables.extend(data.into_iter().map(|(key, value)| (key, value.expose().into())));
            } else {
                variables.extend(texts(object.at(&["data"])));
            }
        }
        variables.extend(texts(settings.at(&["substitute"])));
        let substitution = Substitution::new(variables, true)?;
        let is_always = settings.str_at(&["substituteStrategy"]) == Some("Always");
        Ok((is_always || !substitution.is_empty()).then_some(substitution))
    }
}

/// The members of an object that are texts.
fn texts(object: Option<&Value>) -> impl Iterator<Item = (Str, Str)> {
    let members = object.and_then(Value::as_object).into_iter().flat_map(windlass_kube::Map::iter);
    members.filter_map(|(key, value)| Some((key.clone(), value.as_str()?.into())))
}

/// The data of a Secret, as text; what is written as text was encoded when the file was read.
struct SecretData(BTreeMap<Str, Secret>);

impl SecretData {
    fn read(secret: &Object) -> Result<Self> {
        let data = windlass_cluster::secret_data(secret)
            .map_err(|problem| anyhow!("Secret {} cannot be used: {problem}", secret.name()))?;
        let texts = data.into_iter().map(|(key, bytes)| (key, Secret::new(String::from_utf8_lossy(&bytes))));
        Ok(Self(texts.collect()))
    }

    fn get(&self, key: &str) -> Option<&Secret> {
        self.0.get(key)
    }
}

/// What a source is reached with: the keys of Flux's Secrets.
fn with_secret(mut access: Access, secret: &SecretData) -> Access {
    let text = |key: &str| secret.get(key).map(Secret::expose);
    if let Some(key) = secret.get("identity") {
        let passphrase = secret.get("password").cloned();
        access.authentication = Authentication::SshKey { private_key: key.clone(), passphrase };
    } else if let Some(token) = secret.get("bearerToken") {
        access.authentication = Authentication::Bearer(token.clone());
    } else if let Some(password) = secret.get("password") {
        let username = text("username").unwrap_or("git").to_owned();
        access.authentication = Authentication::Basic { username, password: password.clone() };
    }
    if let Some(known) = text("known_hosts") {
        access.known_hosts = KnownHosts::Strict(known.to_owned());
    }
    if let Some(authorities) = text("ca.crt").or_else(|| text("caFile")) {
        access.tls.authorities = Some(authorities.to_owned());
    }
    access
}

fn timeout(source: &Object) -> Duration {
    let said = windlass_go::duration::Duration::parse(source.str_at(&["spec", "timeout"])).ok();
    said.and_then(|said| said.try_into().ok()).unwrap_or(TIMEOUT)
}

/// Whether a file's object is one of Flux's that is rendered here.
pub(super) fn is_kustomization(object: &Object) -> bool {
    object.kind() == "Kustomization" && object.api_version().starts_with(GROUP)
}

/// Whether a file's object says where Flux has files from.
pub(super) fn is_source(object: &Object) -> bool {
    object.api_version().starts_with(SOURCES)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn objects(text: &str) -> Vec<Object> {
        let options = LoadOptions::default();
        let read = windlass_yaml::documents(text, &options);
        read.map(|document| Object::try_new(document.unwrap().value).unwrap()).collect()
    }

    const FILE: &str = "\
apiVersion: kustomize.toolkit.fluxcd.io/v1
kind: Kustomization
metadata: {name: web, namespace: shop}
spec:
  path: ./deploy
  targetNamespace: shop
  namePrefix: a-
  commonMetadata: {labels: {team: shop}}
  images: [{name: nginx, newTag: '2'}]
  postBuild:
    substitute: {SIZE: large}
    substituteFrom: [{kind: ConfigMap, name: settings}, {kind: Secret, name: none, optional: true}]
---
apiVersion: v1
kind: ConfigMap
metadata: {name: settings}
data: {SIZE: small, ZONE: eu}
";

    fn rendered(file: &str) -> Result<Vec<Object>, String> {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("deploy")).unwrap();
        let pod = "apiVersion: v1\nkind: Pod\nmetadata: {name: web, annotations: {zone: '${ZONE}', size: '${SIZE}'}}\nspec: {containers: [{name: c, image: nginx:1}]}\n";
        std::fs::write(folder.path().join("deploy/pod.yaml"), pod).unwrap();
        let all = objects(file);
        let (kustomization, beside) = all.split_first().unwrap();
        let beside: Vec<&Object> = beside.iter().collect();
        let declared = Declared { kustomization, beside: &beside };
        let fetcher = Fetcher::default();
        let place = folder.path().to_str().unwrap();
        let files = declared.files(Some(place), &fetcher).map_err(|error| format!("{error:#}"))?;
        declared.objects(&files, &fetcher).map_err(|error| format!("{error:#}"))
    }

    #[test]
    fn a_kustomization_is_rendered_as_flux_does() {
        let objects = rendered(FILE).unwrap();
        let [pod] = &objects[..] else { panic!("{objects:?}") };
        assert_eq!((pod.name(), pod.namespace()), ("a-web", "shop"));
        assert_eq!(pod.label("team"), Some("shop"));
        assert_eq!((pod.annotation("zone"), pod.annotation("size")), (Some("eu"), Some("large")));
        assert_eq!(pod.items_at(&["spec", "containers"])[0].str_at(&["image"]), Some("nginx:2"));
    }

    #[test]
    fn what_is_missing_is_named() {
        let without = FILE.split_once("---").unwrap().0;
        assert_eq!(
            rendered(without).unwrap_err(),
            "postBuild.substituteFrom: ConfigMap settings is not in the file"
        );
        let unset = FILE.replace(", ZONE: eu", "");
        assert!(rendered(&unset).unwrap_err().contains("variable not set (strict mode): \"ZONE\""));
        let all = objects(FILE);
        let declared = Declared { kustomization: &all[0], beside: &[] };
        let error = declared.files(None, &Fetcher::default()).err().unwrap();
        assert!(error.to_string().contains("is not in the file"), "{error}");
    }
}
