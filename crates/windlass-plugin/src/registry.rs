//! Which plugin renders a folder, and that it does: `DetectConfigManagementPlugin` and what follows of Argo CD 3.6.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use windlass_kube::{Str, Value};
use windlass_model::Digest;
use windlass_render::{PluginError, PluginInput, PluginSource, Plugins, Printed};
use windlass_sandbox::confined::{Confinement, JobError, JobLimits};

use crate::command::{RunError, Runner, Sandbox};
use crate::definition::{Definition, Engine, announcement};
use crate::discovery::{finds_file, finds_glob};
use crate::environment::variables;
use crate::folder::{self, Finding};

/// How plugins run.
#[derive(Debug, Clone)]
pub struct PluginSettings {
    /// The program that confines itself and becomes the plugin: usually [`windlass_sandbox::THIS_PROGRAM`].
    pub launcher: PathBuf,
    /// Where programs are looked for.
    pub search: String,
    /// Whether programs are confined.
    pub confinement: Confinement,
    /// What a program may use.
    pub limits: JobLimits,
}

impl Default for PluginSettings {
    fn default() -> Self {
        Self {
            launcher: windlass_sandbox::THIS_PROGRAM.into(),
            search: "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin".into(),
            confinement: Confinement::Required,
            limits: JobLimits::default(),
        }
    }
}

/// The plugins of a folder.
#[derive(Debug)]
pub struct Registry {
    folder: PathBuf,
    /// In the order in which they are asked whether they take a folder.
    definitions: Vec<Arc<Definition>>,
    broken: Vec<PathBuf>,
    settings: PluginSettings,
}

/// Whether a plugin takes a folder.
#[derive(Clone, Copy)]
enum Takes {
    Yes,
    No,
    /// It looks for nothing, and takes what asks for it.
    WhenNamed,
}

impl Registry {
    /// Reads the plugins that are declared in `folder`; the findings are for the operator.
    ///
    /// # Errors
    ///
    /// When the folder cannot be read. A file of it that cannot be used is a finding.
    pub fn load(folder: &Path, settings: PluginSettings) -> std::io::Result<(Self, Vec<Finding>)> {
        let (definitions, findings) = folder::read(folder)?;
        let definitions = definitions.into_iter().map(Arc::new).collect();
        Ok((Self::new(folder, definitions, &findings, settings), findings))
    }

    fn new(
        folder: &Path,
        mut definitions: Vec<Arc<Definition>>,
        findings: &[Finding],
        settings: PluginSettings,
    ) -> Self {
        // Argo CD asks them in the order of the names of their sockets.
        definitions.sort_by_cached_key(|definition| format!("{}.sock", definition.name));
        let broken = findings.iter().filter_map(|finding| match finding {
            Finding::Broken { file, .. } => Some(file.clone()),
            Finding::Kept { .. } | Finding::Remark { .. } => None,
        });
        Self { folder: folder.into(), broken: broken.collect(), definitions, settings }
    }

    /// Reads the folder again: the plugins that there are now, or `None` when they are the same.
    ///
    /// Where a file cannot be used any more, the plugin that it declared stays, unless another file declares that name.
    ///
    /// # Errors
    ///
    /// When the folder cannot be read.
    pub fn reread(&self) -> std::io::Result<Option<(Self, Vec<Finding>)>> {
        let (read, found) = folder::read(&self.folder)?;
        let mut definitions: Vec<Arc<Definition>> = read.into_iter().map(Arc::new).collect();
        let mut findings = Vec::with_capacity(found.len());
        for finding in found {
            findings.push(match finding {
                Finding::Broken { file, error } => {
                    let before = self.definitions.iter().find(|definition| definition.file == file);
                    let is_free = |name: &Str| definitions.iter().all(|it| it.name != *name);
                    match before.filter(|before| is_free(&before.name)) {
                        Some(before) => {
                            definitions.push(before.clone());
                            Finding::Kept { file, error }
                        }
                        None => Finding::Broken { file, error },
                    }
                }
                finding => finding,
            });
        }
        let now = Self::new(&self.folder, definitions, &findings, self.settings.clone());
        let known = |registry: &Self| -> Vec<(Str, Digest)> {
            registry.definitions.iter().map(|it| (it.name.clone(), it.digest)).collect()
        };
        let is_same = known(self) == known(&now) && self.broken == now.broken;
        let has_news = findings.iter().any(|finding| matches!(finding, Finding::Kept { .. }));
        Ok((!is_same || has_news).then_some((now, findings)))
    }

    /// The folder in which the plugins are declared.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The names of the plugins, as sources name them.
    pub fn names(&self) -> impl Iterator<Item = &Str> {
        self.definitions.iter().map(|definition| &definition.name)
    }

    /// The parameters that a plugin announces for a folder, those that it finds out first, as in Argo CD; `None` when
    /// there is no such plugin.
    ///
    /// # Errors
    ///
    /// [`PluginError`] when the command that finds them out fails or prints something else.
    pub fn announcements(
        &self,
        name: &str,
        source: &PluginSource<'_>,
        input: &PluginInput<'_>,
    ) -> Result<Option<Vec<Value>>, PluginError> {
        let Some(definition) = self.definitions.iter().find(|definition| definition.name == name) else {
            return Ok(None);
        };
        let mut announced = Vec::new();
        if let Engine::Command(plugin) = &definition.engine
            && !definition.parameters.dynamic.is_empty()
        {
            let variables = variables(input, definition.sees_revision);
            let mut runner = Runner::new(self.sandbox(), plugin, source, &variables);
            let printed = runner
                .run(&definition.parameters.dynamic)
                .map_err(|problem| failed(definition, "its spec.parameters.dynamic", problem))?;
            let list = windlass_yaml::json::parse(printed.as_bytes()).map_err(|error| {
                named(definition, &format!("announces parameters that are no JSON: {error}"))
            })?;
            match list {
                Value::Array(list) => {
                    for one in list.as_slice() {
                        let one = announcement(one)
                            .map_err(|problem| named(definition, &format!("announces {problem}")))?;
                        announced.push(one);
                    }
                }
                Value::Null => {}
                other => {
                    let problem = format!("announces parameters by {}, not a list", other.type_name());
                    return Err(named(definition, &problem));
                }
            }
        }
        announced.extend(definition.parameters.fixed.iter().cloned());
        Ok(Some(announced))
    }

    fn sandbox(&self) -> Sandbox<'_> {
        Sandbox { settings: &self.settings, folder: &self.folder }
    }

    /// Those that `input` is about: one that it names, or all that look for folders.
    fn asked<'a>(&'a self, input: &PluginInput<'a>) -> impl Iterator<Item = &'a Arc<Definition>> {
        let name = input.options.map(|options| options.name.as_str()).filter(|name| !name.is_empty());
        self.definitions.iter().filter(move |definition| match name {
            Some(name) => definition.name == name,
            None => definition.discover.is_configured(),
        })
    }

    fn is_unknown(&self, name: &str) -> PluginError {
        let names: Vec<&str> = self.names().map(Str::as_str).collect();
        let mut problem = match names.as_slice() {
            [] => format!("there is no plugin {name}; none is declared"),
            names => format!("there is no plugin {name}; declared are {}", names.join(", ")),
        };
        if !self.broken.is_empty() {
            let files: Vec<String> = self.broken.iter().map(|file| file.display().to_string()).collect();
            problem.push_str(&format!("; {} cannot be used, see the log", files.join(", ")));
        }
        PluginError::failed(problem)
    }

    fn generate(
        &self,
        definition: &Definition,
        source: &PluginSource<'_>,
        input: &PluginInput<'_>,
        is_named: bool,
    ) -> Result<Option<Printed>, PluginError> {
        let variables = variables(input, definition.sees_revision);
        let printed = |text, by_chance| Printed { plugin: definition.name.clone(), text, by_chance };
        match &definition.engine {
            Engine::Wasm(module) => {
                if !takes(self.finds(definition, source, None)?, is_named) {
                    return Ok(None);
                }
                let text = module.render(source, &variables).map_err(|problem| match problem {
                    crate::wasm::WasmError::Tree(error) => PluginError::Tree(error),
                    problem => named(definition, &problem.to_string()),
                })?;
                Ok(Some(printed(text, false)))
            }
            Engine::Command(plugin) => {
                let mut runner = Runner::new(self.sandbox(), plugin, source, &variables);
                if !takes(self.finds(definition, source, Some(&mut runner))?, is_named) {
                    return Ok(None);
                }
                if !plugin.init.is_empty() {
                    runner
                        .run(&plugin.init)
                        .map_err(|problem| failed(definition, "its spec.init", problem))?;
                }
                let text = runner
                    .run(&plugin.generate)
                    .map_err(|problem| failed(definition, "its spec.generate", problem))?;
                Ok(Some(printed(text, true)))
            }
        }
    }

    fn finds(
        &self,
        definition: &Definition,
        source: &PluginSource<'_>,
        runner: Option<&mut Runner<'_>>,
    ) -> Result<Takes, PluginError> {
        let discover = &definition.discover;
        let found = if !discover.file_name.is_empty() {
            finds_file(source.tree, source.path, &discover.file_name)?
        } else if !discover.glob.is_empty() {
            finds_glob(source.tree, source.path, &discover.glob)?
        } else if let Some(runner) = runner.filter(|_| !discover.command.is_empty()) {
            match runner.run(&discover.command) {
                Ok(printed) => !printed.is_empty(),
                // One that is not there or ends without success takes no folder. What is ended from here says nothing of
                // it: another tool must not take over a folder because the machine was busy.
                Err(RunError::Job(JobError::Failed { .. } | JobError::Launch(_))) => false,
                Err(problem) => return Err(failed(definition, "its spec.discover.find", problem)),
            }
        } else {
            return Ok(Takes::WhenNamed);
        };
        Ok(if found { Takes::Yes } else { Takes::No })
    }
}

fn takes(takes: Takes, is_named: bool) -> bool {
    match takes {
        Takes::Yes => true,
        Takes::No => false,
        Takes::WhenNamed => is_named,
    }
}

fn named(definition: &Definition, problem: &str) -> PluginError {
    PluginError::failed(format!("the plugin {} {problem}", definition.name))
}

fn failed(definition: &Definition, what: &str, problem: RunError) -> PluginError {
    match problem {
        RunError::Tree(error) => PluginError::Tree(error),
        problem => PluginError::failed(format!("the plugin {} failed at {what}: {problem}", definition.name)),
    }
}

impl Plugins for Registry {
    fn discovers(&self) -> bool {
        self.definitions.iter().any(|definition| definition.discover.is_configured())
    }

    fn identity(&self, input: &PluginInput<'_>) -> String {
        let mut text = format!("{:?} {:?}\n", self.settings.confinement, self.settings.limits);
        let mut sees_revision = false;
        for definition in self.asked(input) {
            let digest: Digest = definition.digest;
            text.push_str(&format!("{} {digest}\n", definition.name));
            sees_revision |= definition.sees_revision;
        }
        text.push_str(&format!("{:?}", variables(input, sees_revision)));
        text
    }

    fn render(
        &self,
        source: &PluginSource<'_>,
        input: &PluginInput<'_>,
    ) -> Result<Option<Printed>, PluginError> {
        let name = input.options.map(|options| options.name.as_str()).filter(|name| !name.is_empty());
        let mut asked = false;
        for definition in self.asked(input) {
            asked = true;
            if let Some(printed) = self.generate(definition, source, input, name.is_some())? {
                return Ok(Some(printed));
            }
        }
        match name {
            Some(name) if !asked => Err(self.is_unknown(name)),
            Some(name) => Err(PluginError::failed(format!(
                "the plugin {name} does not take it: its spec.discover finds nothing"
            ))),
            None => Ok(None),
        }
    }
}
