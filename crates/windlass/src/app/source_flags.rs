//! Flags of `windlass app create`, `set` and `unset` that speak of a source: where it is, and what its tool is told.
//!
//! Names and rules are those of `argocd app set` 3.4 where it has them: a parameter, an image, a replica count or a variable
//! takes the place of the one with the same name.

use std::path::PathBuf;

use anyhow::{Context, Result, bail};
use clap::Args;
use windlass_kube::{Value, value};

use super::spec::pair;
use crate::output::Advised;

type Pair = (String, String);

/// Which of several sources is meant.
#[derive(Debug, Clone, Default, Args)]
pub(super) struct WhichSource {
    /// Of several sources, the one at this place, counted from 1.
    #[arg(long, value_name = "N")]
    source_position: Option<usize>,
    /// Of several sources, the one of this name.
    #[arg(long, value_name = "NAME", conflicts_with = "source_position")]
    source_name: Option<String>,
}

/// What a source is, by flags.
#[derive(Debug, Clone, Default, Args)]
pub(super) struct SourceFlags {
    /// The address of the Git repository, the Helm repository or the registry.
    #[arg(long, value_name = "URL")]
    repo: Option<String>,
    /// The chart in a Helm repository or registry; --revision then is its version, or a range.
    #[arg(long, value_name = "NAME", conflicts_with = "path")]
    helm_chart: Option<String>,
    /// The folder in the repository.
    #[arg(long, value_name = "DIR")]
    path: Option<String>,
    /// Branch, tag, commit or version range; HEAD when absent.
    #[arg(long, visible_alias = "target-revision", value_name = "REVISION")]
    revision: Option<String>,
    /// The name by which other sources refer to files of this one: `$NAME/values.yaml`.
    #[arg(long, value_name = "NAME")]
    r#ref: Option<String>,
    #[command(flatten)]
    which: WhichSource,
    /// Read folders below too.
    #[arg(long)]
    directory_recurse: bool,
    /// Read only files that match this glob.
    #[arg(long, value_name = "GLOB")]
    directory_include: Option<String>,
    /// Leave out files that match this glob.
    #[arg(long, value_name = "GLOB")]
    directory_exclude: Option<String>,
    #[command(flatten, next_help_heading = "Helm")]
    helm: HelmFlags,
    #[command(flatten, next_help_heading = "Kustomize")]
    kustomize: KustomizeFlags,
    #[command(flatten, next_help_heading = "Jsonnet")]
    jsonnet: JsonnetFlags,
    #[command(flatten, next_help_heading = "Plugins")]
    plugin: PluginFlags,
}

/// What Helm is told.
#[derive(Debug, Clone, Default, Args)]
struct HelmFlags {
    /// A value, written NAME=VALUE, as with `helm --set`. Repeatable.
    #[arg(short = 'p', long = "parameter", visible_alias = "helm-set", value_name = "NAME=VALUE", value_parser = pair)]
    parameters: Vec<Pair>,
    /// A value that is a text whatever it looks like. Repeatable.
    #[arg(long = "helm-set-string", value_name = "NAME=VALUE", value_parser = pair)]
    strings: Vec<Pair>,
    /// A value that is the content of a file of the chart. Repeatable.
    #[arg(long = "helm-set-file", value_name = "NAME=FILE", value_parser = pair)]
    files: Vec<Pair>,
    /// A values file of the source, in place of those named before. Repeatable.
    #[arg(long = "values", value_name = "FILE")]
    value_files: Vec<String>,
    /// A file here whose values the Application itself shall hold; - is standard input.
    #[arg(long, value_name = "FILE")]
    values_literal_file: Option<PathBuf>,
    /// Values files that are not there are left out.
    #[arg(long)]
    ignore_missing_value_files: bool,
    /// The name of the release; that of the Application by default.
    #[arg(long, value_name = "NAME")]
    release_name: Option<String>,
    /// The namespace that the chart is told; that of the destination by default.
    #[arg(long, value_name = "NAME")]
    helm_namespace: Option<String>,
    /// Leave out the chart's definitions of custom resources.
    #[arg(long)]
    helm_skip_crds: bool,
    /// Do not check the values by the chart's schema.
    #[arg(long)]
    helm_skip_schema_validation: bool,
    /// Leave out the chart's tests.
    #[arg(long)]
    helm_skip_tests: bool,
    /// Send the repository's credentials wherever its index says that charts are.
    #[arg(long)]
    helm_pass_credentials: bool,
}

/// What Kustomize is told.
#[derive(Debug, Clone, Default, Args)]
struct KustomizeFlags {
    /// An image, written IMAGE:TAG, IMAGE=OTHER:TAG or IMAGE@DIGEST. Repeatable.
    #[arg(long = "kustomize-image", value_name = "IMAGE")]
    images: Vec<String>,
    /// A number of replicas, written NAME=N. Repeatable.
    #[arg(long = "kustomize-replica", value_name = "NAME=N", value_parser = pair)]
    replicas: Vec<Pair>,
    /// What all names begin with.
    #[arg(long = "nameprefix", value_name = "TEXT")]
    name_prefix: Option<String>,
    /// What all names end with.
    #[arg(long = "namesuffix", value_name = "TEXT")]
    name_suffix: Option<String>,
    /// The namespace that is written into all objects.
    #[arg(long, value_name = "NAME")]
    kustomize_namespace: Option<String>,
    /// A label of all objects, written NAME=VALUE. Repeatable.
    #[arg(long = "kustomize-common-label", value_name = "NAME=VALUE", value_parser = pair)]
    common_labels: Vec<Pair>,
    /// An annotation of all objects, written NAME=VALUE. Repeatable.
    #[arg(long = "kustomize-common-annotation", value_name = "NAME=VALUE", value_parser = pair)]
    common_annotations: Vec<Pair>,
}

/// What Jsonnet is told.
#[derive(Debug, Clone, Default, Args)]
struct JsonnetFlags {
    /// A top-level argument, written NAME=TEXT. Repeatable.
    #[arg(long = "jsonnet-tla-str", value_name = "NAME=TEXT", value_parser = pair)]
    arguments: Vec<Pair>,
    /// A top-level argument that is code, written NAME=CODE. Repeatable.
    #[arg(long = "jsonnet-tla-code", value_name = "NAME=CODE", value_parser = pair)]
    argument_codes: Vec<Pair>,
    /// An external variable, written NAME=TEXT. Repeatable.
    #[arg(long = "jsonnet-ext-var-str", value_name = "NAME=TEXT", value_parser = pair)]
    variables: Vec<Pair>,
    /// An external variable that is code, written NAME=CODE. Repeatable.
    #[arg(long = "jsonnet-ext-var-code", value_name = "NAME=CODE", value_parser = pair)]
    variable_codes: Vec<Pair>,
    /// A folder of the repository that imports are looked for in. Repeatable.
    #[arg(long = "jsonnet-libs", value_name = "DIR")]
    libraries: Vec<String>,
}

/// What a plugin is told.
#[derive(Debug, Clone, Default, Args)]
struct PluginFlags {
    /// The plugin that renders it.
    #[arg(long, value_name = "NAME")]
    config_management_plugin: Option<String>,
    /// A variable, written NAME=VALUE. Repeatable.
    #[arg(long = "plugin-env", value_name = "NAME=VALUE", value_parser = pair)]
    environment: Vec<Pair>,
}

/// What a source shall no longer be told, by flags.
#[derive(Debug, Clone, Default, Args)]
pub(super) struct UnsetFlags {
    #[command(flatten)]
    which: WhichSource,
    /// The name by which other sources refer to it.
    #[arg(long)]
    r#ref: bool,
    /// A value that was set, by its name. Repeatable.
    #[arg(short = 'p', long = "parameter", value_name = "NAME", help_heading = "Helm")]
    parameters: Vec<String>,
    /// A values file. Repeatable.
    #[arg(long = "values", value_name = "FILE", help_heading = "Helm")]
    value_files: Vec<String>,
    /// The values that the Application itself holds.
    #[arg(long, help_heading = "Helm")]
    values_literal: bool,
    /// That missing values files are left out.
    #[arg(long, help_heading = "Helm")]
    ignore_missing_value_files: bool,
    /// The name of the release.
    #[arg(long, help_heading = "Helm")]
    release_name: bool,
    /// That credentials are sent wherever the index says.
    #[arg(long, help_heading = "Helm")]
    pass_credentials: bool,
    /// An image, by its name. Repeatable.
    #[arg(long = "kustomize-image", value_name = "IMAGE", help_heading = "Kustomize")]
    images: Vec<String>,
    /// A number of replicas, by its name. Repeatable.
    #[arg(long = "kustomize-replica", value_name = "NAME", help_heading = "Kustomize")]
    replicas: Vec<String>,
    /// What all names begin with.
    #[arg(long = "nameprefix", help_heading = "Kustomize")]
    name_prefix: bool,
    /// What all names end with.
    #[arg(long = "namesuffix", help_heading = "Kustomize")]
    name_suffix: bool,
    /// The namespace of all objects.
    #[arg(long, help_heading = "Kustomize")]
    kustomize_namespace: bool,
    /// A variable of the plugin, by its name. Repeatable.
    #[arg(long = "plugin-env", value_name = "NAME", help_heading = "Plugins")]
    variables: Vec<String>,
}

impl WhichSource {
    /// Changes the source that is meant, if `change` does anything.
    ///
    /// # Errors
    ///
    /// What `change` says; several sources of which none is named, and one that is not there.
    fn change(&self, spec: &mut Value, change: impl Fn(&mut Value) -> Result<()>) -> Result<()> {
        let mut sources = spec.items_at(&["sources"]).to_vec();
        let n_sources = sources.len();
        let at = match (self.source_position, &self.source_name) {
            (Some(position), _) => Some(position.wrapping_sub(1)),
            (None, Some(name)) => {
                let found = sources.iter().position(|source| source.str_at(&["name"]) == Some(name));
                Some(found.with_context(|| format!("the Application has no source of the name {name}"))?)
            }
            (None, None) => None,
        };
        if n_sources == 0 {
            if at.is_some_and(|at| at != 0) {
                bail!("the Application has one source");
            }
            let mut source = spec.remove_at(&["source"]).unwrap_or_else(Value::object);
            change(&mut source)?;
            if source.as_object().is_some_and(|members| !members.is_empty()) {
                spec.set_at(&["source"], source);
            }
            return Ok(());
        }
        let Some(at) = at else {
            // What would be done to any source is done to none.
            let before = sources.clone();
            sources.iter_mut().try_for_each(&change)?;
            if sources != before {
                return Err(Advised::error(
                    format!("the Application has {n_sources} sources, and nothing says which one is meant"),
                    "--source-position N names one, or --source-name where they have names",
                ));
            }
            return Ok(());
        };
        let source = sources
            .get_mut(at)
            .with_context(|| format!("the Application has {n_sources} sources, counted from 1"))?;
        change(source)?;
        spec.set_at(&["sources"], sources);
        Ok(())
    }
}

impl SourceFlags {
    /// Writes what the flags say into the source that they mean.
    ///
    /// # Errors
    ///
    /// See [`WhichSource::change`]; a file of values that cannot be read, a number that is none.
    pub(super) fn apply(&self, spec: &mut Value) -> Result<()> {
        // Standard input can be read once.
        let literal = self.helm.values_literal_file.as_deref().map(super::spec::value_in_file).transpose()?;
        self.which.change(spec, |source| self.apply_to(source, literal.as_ref()))
    }

    fn apply_to(&self, source: &mut Value, literal: Option<&Value>) -> Result<()> {
        set_texts(
            source,
            &[],
            &[
                ("repoURL", &self.repo),
                ("path", &self.path),
                ("chart", &self.helm_chart),
                ("targetRevision", &self.revision),
                ("ref", &self.r#ref),
            ],
        );
        // A source is a folder or a chart.
        if self.helm_chart.is_some() {
            source.remove_at(&["path"]);
        }
        if self.path.is_some() {
            source.remove_at(&["chart"]);
        }
        set_texts(
            source,
            &["directory"],
            &[("include", &self.directory_include), ("exclude", &self.directory_exclude)],
        );
        set_switches(source, "directory", &[("recurse", self.directory_recurse)]);
        self.helm.apply_to(source, literal);
        self.kustomize.apply_to(source)?;
        self.jsonnet.apply_to(source);
        set_texts(source, &["plugin"], &[("name", &self.plugin.config_management_plugin)]);
        for (name, value) in &self.plugin.environment {
            put(source, &["plugin", "env"], value!({"name": (name.as_str()), "value": (value.as_str())}));
        }
        Ok(())
    }
}

impl HelmFlags {
    fn apply_to(&self, source: &mut Value, literal: Option<&Value>) {
        let kinds = [(&self.parameters, false), (&self.strings, true)];
        for ((name, value), is_text) in
            kinds.into_iter().flat_map(|(all, is)| all.iter().map(move |one| (one, is)))
        {
            let mut parameter = value!({"name": (name.as_str()), "value": (value.as_str())});
            if is_text {
                parameter.set_at(&["forceString"], true);
            }
            put(source, &["helm", "parameters"], parameter);
        }
        for (name, path) in &self.files {
            put(
                source,
                &["helm", "fileParameters"],
                value!({"name": (name.as_str()), "path": (path.as_str())}),
            );
        }
        if !self.value_files.is_empty() {
            let files: Vec<Value> = self.value_files.iter().map(|file| file.as_str().into()).collect();
            source.set_at(&["helm", "valueFiles"], files);
        }
        if let Some(literal) = literal {
            source.remove_at(&["helm", "values"]);
            source.set_at(&["helm", "valuesObject"], literal.clone());
        }
        set_texts(
            source,
            &["helm"],
            &[("releaseName", &self.release_name), ("namespace", &self.helm_namespace)],
        );
        set_switches(
            source,
            "helm",
            &[
                ("ignoreMissingValueFiles", self.ignore_missing_value_files),
                ("skipCrds", self.helm_skip_crds),
                ("skipSchemaValidation", self.helm_skip_schema_validation),
                ("skipTests", self.helm_skip_tests),
                ("passCredentials", self.helm_pass_credentials),
            ],
        );
    }
}

impl KustomizeFlags {
    fn apply_to(&self, source: &mut Value) -> Result<()> {
        for image in &self.images {
            let mut images = source.items_at(&["kustomize", "images"]).to_vec();
            match images.iter_mut().find(|other| other.as_str().is_some_and(|other| same_image(other, image)))
            {
                Some(other) => *other = image.as_str().into(),
                None => images.push(image.as_str().into()),
            }
            source.set_at(&["kustomize", "images"], images);
        }
        for (name, count) in &self.replicas {
            let count: i64 = count
                .parse()
                .with_context(|| format!("--kustomize-replica {name}={count}: {count} is no number"))?;
            put(source, &["kustomize", "replicas"], value!({"name": (name.as_str()), "count": (count)}));
        }
        set_texts(
            source,
            &["kustomize"],
            &[
                ("namePrefix", &self.name_prefix),
                ("nameSuffix", &self.name_suffix),
                ("namespace", &self.kustomize_namespace),
            ],
        );
        for (field, pairs) in
            [("commonLabels", &self.common_labels), ("commonAnnotations", &self.common_annotations)]
        {
            for (name, value) in pairs {
                source.set_at(&["kustomize", field, name], value.as_str());
            }
        }
        Ok(())
    }
}

impl JsonnetFlags {
    fn apply_to(&self, source: &mut Value) {
        for (field, pairs, is_code) in [
            ("tlas", &self.arguments, false),
            ("tlas", &self.argument_codes, true),
            ("extVars", &self.variables, false),
            ("extVars", &self.variable_codes, true),
        ] {
            for (name, value) in pairs {
                let mut variable = value!({"name": (name.as_str()), "value": (value.as_str())});
                if is_code {
                    variable.set_at(&["code"], true);
                }
                put(source, &["directory", "jsonnet", field], variable);
            }
        }
        if !self.libraries.is_empty() {
            let mut libraries = source.items_at(&["directory", "jsonnet", "libs"]).to_vec();
            for library in &self.libraries {
                if !libraries.iter().any(|known| known.as_str() == Some(library)) {
                    libraries.push(library.as_str().into());
                }
            }
            source.set_at(&["directory", "jsonnet", "libs"], libraries);
        }
    }
}

impl UnsetFlags {
    /// Takes what the flags name out of the source that they mean.
    ///
    /// # Errors
    ///
    /// See [`WhichSource::change`].
    pub(super) fn apply(&self, spec: &mut Value) -> Result<()> {
        self.which.change(spec, |source| {
            self.apply_to(source);
            Ok(())
        })
    }

    fn apply_to(&self, source: &mut Value) {
        for (path, names) in [
            (&["helm", "parameters"][..], &self.parameters),
            (&["helm", "fileParameters"], &self.parameters),
            (&["kustomize", "replicas"], &self.replicas),
            (&["plugin", "env"], &self.variables),
        ] {
            take(source, path, |entry| names.iter().any(|name| entry.str_at(&["name"]) == Some(name)));
        }
        take(source, &["helm", "valueFiles"], |entry| {
            self.value_files.iter().any(|file| entry.as_str() == Some(file))
        });
        take(source, &["kustomize", "images"], |entry| {
            entry.as_str().is_some_and(|image| self.images.iter().any(|name| same_image(image, name)))
        });
        for (path, is_meant) in [
            (&["ref"][..], self.r#ref),
            (&["helm", "values"], self.values_literal),
            (&["helm", "valuesObject"], self.values_literal),
            (&["helm", "ignoreMissingValueFiles"], self.ignore_missing_value_files),
            (&["helm", "releaseName"], self.release_name),
            (&["helm", "passCredentials"], self.pass_credentials),
            (&["kustomize", "namePrefix"], self.name_prefix),
            (&["kustomize", "nameSuffix"], self.name_suffix),
            (&["kustomize", "namespace"], self.kustomize_namespace),
        ] {
            if is_meant {
                source.remove_at(path);
            }
        }
        // A tool that is told nothing is not named: the folder says which one it is for.
        for tool in ["helm", "kustomize"] {
            if source.at(&[tool]).and_then(Value::as_object).is_some_and(windlass_kube::Map::is_empty) {
                source.remove_at(&[tool]);
            }
        }
    }
}

/// Puts an entry where the one of its name is, or at the end.
fn put(source: &mut Value, path: &[&str], entry: Value) {
    let mut entries = source.items_at(path).to_vec();
    match entries.iter_mut().find(|other| other.str_at(&["name"]) == entry.str_at(&["name"])) {
        Some(other) => *other = entry,
        None => entries.push(entry),
    }
    source.set_at(path, entries);
}

/// Takes out the entries that are meant, and a list that nothing is left of.
fn take(source: &mut Value, path: &[&str], is_meant: impl Fn(&Value) -> bool) {
    let before = source.items_at(path);
    let left: Vec<Value> = before.iter().filter(|entry| !is_meant(entry)).cloned().collect();
    if left.len() == before.len() {
        return;
    }
    if left.is_empty() {
        source.remove_at(path);
    } else {
        source.set_at(path, left);
    }
}

fn set_texts(source: &mut Value, below: &[&str], texts: &[(&str, &Option<String>)]) {
    for (field, text) in texts {
        if let Some(text) = text {
            let path: Vec<&str> = below.iter().chain([field]).copied().collect();
            source.set_at(&path, text.as_str());
        }
    }
}

fn set_switches(source: &mut Value, tool: &str, switches: &[(&str, bool)]) {
    for (field, _) in switches.iter().filter(|(_, is_on)| *is_on) {
        source.set_at(&[tool, field], true);
    }
}

/// Whether two texts change the same image: what stands before the second's `=`, `:` or `@` is equal (as Argo CD 3.4 has it).
fn same_image(image: &str, other: &str) -> bool {
    let delimiter = ['=', ':', '@'].into_iter().find(|&it| other.contains(it)).unwrap_or(':');
    let name = |text: &str| text.split(delimiter).next().unwrap_or_default().to_owned();
    name(image) == name(other)
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Debug, Parser)]
    struct SetLine {
        #[command(flatten)]
        flags: SourceFlags,
    }

    #[derive(Debug, Parser)]
    struct UnsetLine {
        #[command(flatten)]
        flags: UnsetFlags,
    }

    fn changed(before: &str, verb: &str, line: &str) -> Result<String, String> {
        let mut spec = windlass_yaml::load(before).unwrap();
        let words = std::iter::once(verb).chain(line.split_whitespace());
        let parse = |error: clap::Error| error.to_string();
        match verb {
            "set" => SetLine::try_parse_from(words).map_err(parse)?.flags.apply(&mut spec),
            _ => UnsetLine::try_parse_from(words).map_err(parse)?.flags.apply(&mut spec),
        }
        .map_err(|error| error.to_string())?;
        Ok(serde_json::to_string(&spec).unwrap())
    }

    #[test]
    fn tools_are_told_and_told_no_more() {
        for (before, verb, line, after) in [
            (
                "{source: {helm: {parameters: [{name: a, value: '1'}, {name: b, value: x}]}}}",
                "set",
                "-p a=2 --helm-set c=d=e --helm-set-string b=7 --helm-set-file f=g.txt",
                r#"{"source":{"helm":{"fileParameters":[{"name":"f","path":"g.txt"}],"parameters":[{"name":"a","value":"2"},{"forceString":true,"name":"b","value":"7"},{"name":"c","value":"d=e"}]}}}"#,
            ),
            (
                "{source: {helm: {valueFiles: [a.yaml]}}}",
                "set",
                "--values b.yaml --values c.yaml --release-name web --helm-skip-crds",
                r#"{"source":{"helm":{"releaseName":"web","skipCrds":true,"valueFiles":["b.yaml","c.yaml"]}}}"#,
            ),
            (
                "{source: {kustomize: {images: ['nginx:1', 'other=team/other:1']}}}",
                "set",
                "--kustomize-image nginx:2 --kustomize-image other=mine:3 --kustomize-image new@sha256:ab --kustomize-replica web=3",
                r#"{"source":{"kustomize":{"images":["nginx:2","other=mine:3","new@sha256:ab"],"replicas":[{"count":3,"name":"web"}]}}}"#,
            ),
            (
                "{source: {}}",
                "set",
                "--nameprefix a- --kustomize-common-label k=v --kustomize-namespace n",
                r#"{"source":{"kustomize":{"commonLabels":{"k":"v"},"namePrefix":"a-","namespace":"n"}}}"#,
            ),
            (
                "{source: {directory: {jsonnet: {tlas: [{name: a, value: b}]}}}}",
                "set",
                "--jsonnet-tla-code a={} --jsonnet-ext-var-str x=y --jsonnet-libs lib --directory-recurse",
                r#"{"source":{"directory":{"jsonnet":{"extVars":[{"name":"x","value":"y"}],"libs":["lib"],"tlas":[{"code":true,"name":"a","value":"{}"}]},"recurse":true}}}"#,
            ),
            (
                "{}",
                "set",
                "--config-management-plugin p --plugin-env A=b --ref v",
                r#"{"source":{"plugin":{"env":[{"name":"A","value":"b"}],"name":"p"},"ref":"v"}}"#,
            ),
            (
                "{sources: [{repoURL: a}, {repoURL: b}]}",
                "set",
                "--source-position 2 -p a=1",
                r#"{"sources":[{"repoURL":"a"},{"helm":{"parameters":[{"name":"a","value":"1"}]},"repoURL":"b"}]}"#,
            ),
            (
                "{sources: [{repoURL: a, name: one}]}",
                "set",
                "--source-name one --revision v2",
                r#"{"sources":[{"name":"one","repoURL":"a","targetRevision":"v2"}]}"#,
            ),
            (
                "{source: {helm: {parameters: [{name: a, value: b}], valueFiles: [v.yaml, w.yaml], valuesObject: {c: 1}}}}",
                "unset",
                "-p a --values v.yaml --values-literal",
                r#"{"source":{"helm":{"valueFiles":["w.yaml"]}}}"#,
            ),
            (
                "{source: {helm: {releaseName: a}, path: p}}",
                "unset",
                "--release-name",
                r#"{"source":{"path":"p"}}"#,
            ),
            (
                "{source: {kustomize: {images: ['a=b:1', 'c:2'], namePrefix: x}}}",
                "unset",
                "--kustomize-image a=b --nameprefix --kustomize-image c",
                "{}",
            ),
            (
                "{sources: [{path: a}, {path: b}]}",
                "unset",
                "-p nothing",
                r#"{"sources":[{"path":"a"},{"path":"b"}]}"#,
            ),
        ] {
            assert_eq!(changed(before, verb, line).as_deref(), Ok(after), "{verb} {line}");
        }
    }

    #[test]
    fn the_source_that_is_meant_has_to_be_there() {
        let two = "{sources: [{repoURL: a, ref: x}, {repoURL: b}]}";
        for (before, verb, line, said) in [
            (two, "set", "-p a=1", "nothing says which one is meant"),
            (two, "unset", "--ref", "nothing says which one is meant"),
            (two, "set", "-p a=1 --source-position 3", "has 2 sources"),
            (two, "set", "-p a=1 --source-position 0", "has 2 sources"),
            (two, "set", "-p a=1 --source-name n", "no source of the name n"),
            ("{source: {}}", "set", "-p a=1 --source-position 2", "one source"),
            ("{source: {}}", "set", "--kustomize-replica a=b", "b is no number"),
            ("{source: {}}", "set", "-p a", "write NAME=VALUE"),
            ("{source: {}}", "set", "--values-literal-file /nowhere/values.yaml", "cannot be read"),
        ] {
            let error = changed(before, verb, line).unwrap_err();
            assert!(error.contains(said), "{line}: {error}");
        }
    }
}
