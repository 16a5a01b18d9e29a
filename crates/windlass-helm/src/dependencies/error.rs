//! Why dependencies cannot be had.

use windlass_model::TreeError;
use windlass_yaml::Str;

use super::{ChartSourceError, MAX_DEPENDENCIES};
use crate::HelmVersion;
use crate::chart::Dependency;
use crate::load::LoadError;
use crate::text::quote;

/// Why the dependencies of a chart cannot be had. The words are Helm's where it has some.
#[derive(Debug, thiserror::Error)]
pub enum DependencyError {
    /// `Chart.lock` was made for other dependencies.
    #[error(
        "the lock file (Chart.lock) is out of sync with the dependencies file (Chart.yaml). Please update the \
         dependencies{}", if matches!(helm, HelmVersion::V4) { " with 'helm dependency update'" } else { "" }
    )]
    LockOutOfSync {
        /// Whose words are wanted.
        helm: HelmVersion,
    },
    /// `requirements.lock` was made for other dependencies.
    #[error(
        "the lock file (requirements.lock) is out of sync with the dependencies file (requirements.yaml). Please \
         update the dependencies"
    )]
    RequirementsOutOfSync,
    /// Repositories are meant by names that nobody has given them.
    #[error("{0}")]
    UnknownRepositories(String),
    /// A folder is not there.
    #[error("directory {path} not found")]
    NoFolder {
        /// Its path in the Tree.
        path: Str,
    },
    /// A relative address leads out of the Tree.
    #[error("the dependency at {repository} is outside of the repository")]
    Outside {
        /// The address as declared.
        repository: Str,
    },
    /// A version cannot be read.
    #[error("dependency {name} has an invalid version/constraint format: {problem}")]
    InvalidConstraint {
        /// The dependency.
        name: String,
        /// What is wrong.
        problem: String,
    },
    /// The chart in a folder has another version than the lock says.
    #[error("can't get a valid version for dependency {name}")]
    LockedVersion {
        /// The dependency.
        name: Str,
    },
    /// No chart has a version that is allowed.
    #[error("{0}")]
    Unsatisfied(String),
    /// The chart in `charts/` has a version that is not allowed.
    #[error("dependency {name} at version {version} does not satisfy the constraint {wanted}")]
    WrongVersionInside {
        /// The dependency.
        name: Str,
        /// The version it has.
        version: Str,
        /// The versions that are allowed.
        wanted: Str,
    },
    /// There are too many.
    #[error("the chart has more than {MAX_DEPENDENCIES} dependencies (limit MAX_DEPENDENCIES)")]
    TooMany,
    /// A source does not give a chart.
    #[error("could not download {name} {version} from {repository}")]
    Fetch {
        /// The chart.
        name: Str,
        /// The version that is wanted.
        version: Str,
        /// The repository, without a password.
        repository: Str,
        /// Why.
        source: ChartSourceError,
    },
    /// What was fetched is no chart.
    #[error("the dependency {name} from {repository} cannot be loaded")]
    Load {
        /// The chart.
        name: Str,
        /// The repository, without a password.
        repository: Str,
        /// Why.
        source: Box<LoadError>,
    },
    /// The Tree failed.
    #[error("cannot look for dependencies")]
    Tree(#[from] TreeError),
}

impl DependencyError {
    pub(super) fn fetch(dependency: &Dependency, source: ChartSourceError) -> Self {
        let Dependency { name, version, .. } = dependency.clone();
        Self::Fetch { name, version, repository: without_password(&dependency.repository), source }
    }

    pub(super) fn load(dependency: &Dependency, source: LoadError) -> Self {
        let repository = without_password(&dependency.repository);
        Self::Load { name: dependency.name.clone(), repository, source: Box::new(source) }
    }

    pub(super) fn unknown_repositories(unknown: &[Str]) -> Self {
        let shown: Vec<_> = unknown.iter().map(without_password).collect();
        let shown: Vec<&str> = shown.iter().map(Str::as_str).collect();
        let mut text =
            format!("no repository definition for {}. Please add them via 'helm repo add'", shown.join(", "));
        let is_plain =
            |name: &Str| !name.contains("//") && !name.starts_with('@') && !name.starts_with("alias:");
        if unknown.iter().any(is_plain) {
            text.push_str(
                "\nNote that repositories must be URLs or aliases. For example, to refer to the \
                 \"example\"\nrepository, use \"https://charts.example.com/\" or \"@example\" instead \
                 of\n\"example\". Don't forget to add the repo, too ('helm repo add').",
            );
        }
        Self::UnknownRepositories(text)
    }

    pub(super) fn unsatisfied(dependencies: &[&Dependency]) -> Self {
        let shown: Vec<_> = dependencies
            .iter()
            .map(|Dependency { name, repository, version, .. }| {
                format!("{} (repository {}, version {})", quote(name), quote(repository), quote(version))
            })
            .collect();
        Self::Unsatisfied(format!(
            "can't get a valid version for {} subchart(s): {}. Make sure a matching chart version exists in the repo, \
             or change the version constraint in Chart.yaml",
            shown.len(),
            shown.join(", ")
        ))
    }
}

/// An address as it may be shown.
fn without_password(address: &Str) -> Str {
    let Some((scheme, rest)) = address.split_once("://") else { return address.clone() };
    let host_end = rest.find('/').unwrap_or(rest.len());
    match rest[..host_end].rfind('@') {
        Some(at) => Str::from(format!("{scheme}://{}", &rest[at + 1..])),
        None => address.clone(),
    }
}
