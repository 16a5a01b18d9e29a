//! Programs of a plugin, run on a working copy.

use std::path::{Path, PathBuf};

use windlass_model::TreeError;
use windlass_render::PluginSource;
use windlass_sandbox::confined::{Job, JobError, run};

use crate::PluginSettings;
use crate::definition::{CommandLine, CommandPlugin};
use crate::words;
use crate::working_copy::{CopyError, WorkingCopy};

/// Where and how programs run.
#[derive(Clone, Copy)]
pub(crate) struct Sandbox<'a> {
    pub(crate) settings: &'a PluginSettings,
    /// The folder of the definitions: programs may lie beside them.
    pub(crate) folder: &'a Path,
}

/// Why a program gave no text.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RunError {
    #[error(transparent)]
    Job(#[from] JobError),
    #[error("it prints something that is not UTF-8")]
    NoText,
    #[error("{0}")]
    Copy(CopyError),
    #[error("the source cannot be read")]
    Tree(#[source] TreeError),
}

/// Runs the programs of one plugin, one after another, in one working copy, which goes with it.
pub(crate) struct Runner<'a> {
    sandbox: Sandbox<'a>,
    plugin: &'a CommandPlugin,
    source: &'a PluginSource<'a>,
    variables: &'a [(String, String)],
    copy: Option<WorkingCopy>,
}

impl<'a> Runner<'a> {
    pub(crate) fn new(
        sandbox: Sandbox<'a>,
        plugin: &'a CommandPlugin,
        source: &'a PluginSource<'a>,
        variables: &'a [(String, String)],
    ) -> Self {
        Self { sandbox, plugin, source, variables, copy: None }
    }

    /// What a program prints, without a newline at its end.
    pub(crate) fn run(&mut self, line: &CommandLine) -> Result<String, RunError> {
        let copy = match &mut self.copy {
            Some(copy) => copy,
            none => {
                let (tree, path) = (self.source.tree, self.source.path);
                let plugin = self.plugin;
                let copy = WorkingCopy::write(tree, path, plugin.whole_repository, plugin.preserve_file_mode);
                none.insert(copy.map_err(|error| match error {
                    CopyError::Tree(error) => RunError::Tree(error),
                    error => RunError::Copy(error),
                })?)
            }
        };
        let text = |path: PathBuf| path.to_string_lossy().into_owned();
        let settings = self.sandbox.settings;
        let own = [
            ("PATH", settings.search.clone()),
            ("HOME", text(copy.home())),
            ("TMPDIR", text(copy.temporary())),
            ("LANG", "C.UTF-8".into()),
        ];
        let mut environment: Vec<_> = own.map(|(name, value)| (name.to_owned(), value)).into();
        // A name that is nothing is passed over, as in Argo CD.
        environment.extend(self.variables.iter().filter(|(name, _)| !name.is_empty()).cloned());
        let mut readable = self.plugin.readable.clone();
        readable.push(self.sandbox.folder.into());
        let job = Job {
            command: line,
            folder: copy.place(),
            environment: &environment,
            readable: &readable,
            writable: &[copy.root().into()],
            network: self.plugin.network,
            confinement: settings.confinement,
            limits: settings.limits,
        };
        let printed = run(&settings.launcher, &job).map_err(|error| match error {
            JobError::Failed { status, words, network } => {
                JobError::Failed { status, words: words::shown(&words, self.variables), network }
            }
            other => other,
        })?;
        let mut printed = String::from_utf8(printed).map_err(|_| RunError::NoText)?;
        if printed.ends_with('\n') {
            printed.pop();
        }
        Ok(printed)
    }
}
