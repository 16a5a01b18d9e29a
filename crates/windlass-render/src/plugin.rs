//! Renderers that the operator declared: what they are asked, and what is made of their answers.

use windlass_kube::Str;
use windlass_model::{PluginOptions, SourceType, TreeError};

use crate::manifests::parse_printed;
use crate::{ClusterFacts, Context, Made, RecordingTree, RenderError, shown};

/// The plugins that the operator declared.
///
/// What they read of a source they read through the tree of the [`PluginSource`], so that it is recorded; all else that
/// an answer depends on is in the [`PluginInput`].
pub trait Plugins: std::fmt::Debug + Send + Sync {
    /// Whether there are plugins that take folders whose source names no tool.
    fn discovers(&self) -> bool;

    /// The text that `input` comes down to for those plugins that it is about: two inputs with equal texts give equal
    /// objects for equal files. It may hold secrets and is digested.
    fn identity(&self, input: &PluginInput<'_>) -> String;

    /// Renders a folder; `None` when no plugin was asked for and none takes it.
    ///
    /// # Errors
    ///
    /// [`PluginError`] when a plugin was asked for that is not there, or one fails.
    fn render(
        &self,
        source: &PluginSource<'_>,
        input: &PluginInput<'_>,
    ) -> Result<Option<Printed>, PluginError>;
}

/// What a plugin renders.
#[derive(Clone, Copy)]
pub struct PluginSource<'a> {
    /// The files.
    pub tree: &'a RecordingTree<'a>,
    /// The folder among them.
    pub path: &'a str,
}

/// All else that a plugin's answer may depend on.
#[derive(Clone, Copy, Debug)]
pub struct PluginInput<'a> {
    /// What the source says of plugins, if it does.
    pub options: Option<&'a PluginOptions>,
    /// The build environment.
    pub environment: &'a [(Str, Str)],
    /// The cluster that is rendered for.
    pub cluster: &'a ClusterFacts,
}

/// What a plugin printed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Printed {
    /// The plugin's name, with its version where it has one.
    pub plugin: Str,
    /// The manifests.
    pub text: String,
    /// Whether the same might be printed otherwise at another time.
    pub by_chance: bool,
}

/// Why a plugin gives nothing.
#[derive(Debug, thiserror::Error)]
pub enum PluginError {
    /// The plugin is not there, does not take the folder, or fails.
    #[error("{problem}")]
    Failed {
        /// What is wrong, with the plugin's name, without a secret.
        problem: String,
    },
    /// The source cannot be read.
    #[error("the source cannot be read")]
    Tree(#[from] TreeError),
}

impl PluginError {
    /// A failure in words.
    #[must_use]
    pub fn failed(problem: impl Into<String>) -> Self {
        Self::Failed { problem: problem.into() }
    }
}

impl<'a> Context<'a> {
    /// What plugins may know of this context.
    pub(crate) fn plugin_input<'b>(&'b self, options: Option<&'b PluginOptions>) -> PluginInput<'b> {
        PluginInput { options, environment: self.environment.entries(), cluster: &self.cluster }
    }
}

/// What the plugin that `options` ask for makes of a folder; without options, `None` unless a plugin takes it.
pub(crate) fn render(
    tree: &RecordingTree<'_>,
    path: &str,
    options: Option<&PluginOptions>,
    context: &Context<'_>,
) -> Result<Option<Made>, RenderError> {
    let failed = |problem: String| RenderError::Plugin { path: shown(path), problem };
    let Some(plugins) = context.services.plugins else {
        return match options {
            None => Ok(None),
            Some(_) => Err(failed("no plugins are declared here (see --plugins)".into())),
        };
    };
    if options.is_none() && !plugins.discovers() {
        return Ok(None);
    }
    let printed = match plugins.render(&PluginSource { tree, path }, &context.plugin_input(options)) {
        Ok(Some(printed)) => printed,
        Ok(None) => return Ok(None),
        Err(PluginError::Tree(error)) => return Err(error.into()),
        Err(PluginError::Failed { problem }) => return Err(failed(problem)),
    };
    let mut manifests = Vec::new();
    let mut problems = Vec::new();
    parse_printed(path, &printed.text, &mut manifests, &mut problems);
    // As in Argo CD, one document that is none spoils the whole: what a broken plugin prints beside it is no answer.
    if let Some(problem) = problems.first() {
        return Err(failed(format!("what the plugin {} printed {}", printed.plugin, problem.message)));
    }
    Ok(Some(Made {
        source_type: SourceType::Plugin,
        manifests,
        diagnostics: Vec::new(),
        by_chance: printed.by_chance,
        lookups: Vec::new(),
        fetched: false,
        may_pass: false,
        is_plain: false,
        plugin: printed.plugin,
    }))
}
