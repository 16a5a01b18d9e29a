//! What a folder on this machine declares, in place of what an Application's repository does.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use clap::Args;
use windlass_argo::{Project, lower};
use windlass_engine::{Reach, SourceTree, render_sources};
use windlass_kube::Object;
use windlass_model::{Manifest, Renderer, Tree};
use windlass_render::Context as RenderContext;
use windlass_source::FolderTree;

use super::source::{self, SourceOptions};
use crate::output::{self, Advised};
use crate::session::Session;
use crate::work_tree::{self, InRepository};

/// Which folder of this machine takes the place of a repository's.
#[derive(Debug, Clone, Args)]
pub(super) struct LocalOptions {
    /// Take what this folder declares instead of what the repository does, rendered as the Application says.
    #[arg(long, value_name = "DIR", conflicts_with = "revisions")]
    local: Option<PathBuf>,
    /// The root of the repository that DIR is in: files above DIR may be referred to. Default: the nearest folder above
    /// with a .git, else DIR.
    #[arg(long, value_name = "DIR", requires = "local")]
    local_repo_root: Option<PathBuf>,
}

impl LocalOptions {
    /// The folder, if one is named.
    pub(super) fn folder(&self) -> Option<&Path> {
        self.local.as_deref()
    }

    /// What the folder declares.
    ///
    /// # Errors
    ///
    /// What cannot be read or rendered: half of what is declared must not be taken for all.
    pub(super) async fn manifests(
        &self,
        session: &Session,
        application: &Object,
        sources: &SourceOptions,
    ) -> Result<Option<Vec<Manifest>>> {
        let Some(folder) = &self.local else { return Ok(None) };
        let shown = folder.display();
        let InRepository { root, path } = match &self.local_repo_root {
            Some(root) => work_tree::in_root(root, folder),
            None => work_tree::in_repository(folder),
        }?;
        let settings = source::settings(session).await?;
        let project = source::project(session, application, &settings).await?;
        let project = Project::of(application, project.as_ref());
        let lowered = lower(application, project.as_ref().map_err(Clone::clone), &settings, &[]);
        if lowered.unit.sources.len() != 1 {
            return Err(Advised::error(
                "the Application has several sources, and one folder takes the place of one",
                "commit to a branch and use --revision",
            ));
        }
        let tree = FolderTree::open(&root)
            .with_context(|| format!("the folder {} cannot be read", root.display()))?;
        let trees = [SourceTree { commit: "", tree: &tree }];
        let discovery = session
            .client
            .discover()
            .await
            .map_err(|error| session.explained(error, "what the cluster serves"))?;
        let render = |_: usize, tree: &dyn Tree, renderer: &Renderer, context: &mut RenderContext<'_>| {
            windlass_render::render(tree, &path, renderer, context)
                .with_context(|| format!("{shown} could not be rendered"))
        };
        let store = sources.store()?;
        let credentials = source::credentials(session).await?;
        let reach = Reach::new(&store.stores, &credentials, &lowered);
        let programs = sources.programs()?;
        let tools = programs.tools();
        let rendered = tokio::task::block_in_place(|| {
            render_sources(&lowered, &trees, &discovery, tools, &reach, render)
        })?;
        let mut manifests = Vec::new();
        let mut failed = false;
        for rendered in rendered.into_iter().flatten() {
            for diagnostic in &rendered.diagnostics {
                failed |= diagnostic.kind.is_error();
                output::note(&format!("warning: {diagnostic}"));
            }
            manifests.extend(rendered.manifests);
        }
        anyhow::ensure!(!failed, "{shown} could not be rendered as a whole");
        Ok(Some(manifests))
    }
}
