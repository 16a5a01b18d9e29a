//! The charts that a chart of the user's needs: from repositories, registries and folders.

use std::path::{Component, Path, PathBuf};
use std::sync::{Arc, OnceLock};

use windlass_engine::ArtifactCharts;
use windlass_helm::{ChartFiles, ChartRequest, ChartSource, ChartSourceError};
use windlass_source::{ArtifactLimits, ArtifactStore, ArtifactUrl, FileAnswer, FolderTree, Policy};

use super::chart_access::ChartReach;
use crate::up::Scratch;

/// No packaged chart is larger than this: what Helm itself takes from one, uncompressed.
const MAX_ARCHIVE: u64 = 100 << 20;

/// Whatever the user of this machine can reach. What is fetched is gone when this is dropped.
#[derive(Default)]
pub(super) struct UserCharts {
    reach: ChartReach,
    names: Vec<(String, String)>,
    /// Opened when the first chart is fetched.
    store: OnceLock<Result<(ArtifactStore, Scratch), String>>,
}

impl UserCharts {
    /// Charts with the addresses of repositories by names, beside those that Helm knows.
    pub(super) fn new(names: Vec<(String, String)>, reach: ChartReach) -> Self {
        Self { reach, names, store: OnceLock::new() }
    }

    /// A chart that is not the dependency of another one.
    pub(super) fn chart(&self, request: &ChartRequest<'_>) -> Result<ChartFiles, ChartSourceError> {
        let access = |url: &_| self.reach.for_chart(url);
        ArtifactCharts::new(self.store()?).with_access(access).fetch(request)
    }

    /// A packaged chart by the address of its file.
    pub(super) fn archive(&self, address: &str) -> Result<Vec<u8>, ChartSourceError> {
        let url = ArtifactUrl::parse(address)?;
        let access = self.reach.for_chart(&url).access;
        match self.store()?.file(&url, &access, MAX_ARCHIVE)? {
            FileAnswer::Found(bytes) => Ok(bytes),
            FileAnswer::Status(status, words) => Err(format!("{url} answers {status} {words}").into()),
        }
    }

    fn store(&self) -> Result<&ArtifactStore, ChartSourceError> {
        let opened = self.store.get_or_init(|| {
            let scratch = Scratch::new().map_err(|error| format!("{error:#}"))?;
            let folder = scratch.path.join("charts");
            let store = ArtifactStore::open(folder, Policy::trusting(), ArtifactLimits::default());
            Ok((store.map_err(|error| windlass_source::chain(&error))?, scratch))
        });
        opened.as_ref().map(|(store, _)| store).map_err(|problem| problem.clone().into())
    }
}

impl ChartSource for UserCharts {
    fn fetch(&self, request: &ChartRequest<'_>) -> Result<ChartFiles, ChartSourceError> {
        if let Some(folder) = request.repository.strip_prefix("file://") {
            return Ok(ChartFiles::Tree(Arc::new(FolderTree::open(folder)?)));
        }
        let access = |url: &_| self.reach.for_dependency(url);
        ArtifactCharts::new(self.store()?).with_access(access).fetch(request)
    }

    fn address_of(&self, name: &str) -> Option<String> {
        let given = self.names.iter().find(|(known, _)| known == name).map(|(_, address)| address.clone());
        given.or_else(|| self.reach.address_of(name))
    }
}

/// The nearest folder above `root` that the relative addresses of a chart in `chart` do not lead out of.
pub(super) fn common_root<'a>(
    root: &Path,
    chart: &Path,
    repositories: impl IntoIterator<Item = &'a str>,
) -> PathBuf {
    let mut root = root.to_owned();
    for repository in repositories {
        let Some(relative) = repository.strip_prefix("file://").filter(|path| !path.starts_with('/')) else {
            continue;
        };
        let mut target = chart.to_owned();
        for component in Path::new(relative).components() {
            match component {
                Component::ParentDir => {
                    target.pop();
                }
                Component::Normal(name) => target.push(name),
                _ => {}
            }
        }
        while !target.starts_with(&root) && root.pop() {}
    }
    root
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_root_is_no_higher_than_needed() {
        let root = |repositories: &[&str]| {
            let root = common_root(Path::new("/a/b/c"), Path::new("/a/b/c"), repositories.iter().copied());
            root.to_string_lossy().into_owned()
        };
        assert_eq!(root(&[]), "/a/b/c");
        assert_eq!(root(&["file://charts/x", "https://example.com/../../.."]), "/a/b/c");
        assert_eq!(root(&["file://../x", "file://../../x/../y"]), "/a");
        assert_eq!(root(&["file://../../../../../../etc"]), "/");
        assert_eq!(root(&["file:///etc"]), "/a/b/c");
    }
}
