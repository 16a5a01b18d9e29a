//! Dependencies that a chart declares and does not bring along.
//!
//! What `helm dependency build` and `helm dependency update` leave in `charts/`, made without a file system: the
//! dependencies are loaded from the chart's own Tree (`file://`) or from a [`ChartSource`], and put among the charts
//! inside.

mod digest;
mod error;
mod source;

use std::collections::BTreeMap;
use std::sync::Arc;

use windlass_go::semver::Constraint;
use windlass_model::{Digest, EntryKind, Tree};
use windlass_yaml::Str;

pub use error::DependencyError;
pub use source::{ChartFiles, ChartRequest, ChartSource, ChartSourceError, NoCharts};

use crate::chart::{Chart, Dependency, Lock};
use crate::load::{self, Budget, LoadOptions, Loaded};
use crate::text::{clean, quote};
use crate::values::dependencies::is_compatible;

/// More dependencies of one chart are not fetched: public charts declare up to forty.
pub const MAX_DEPENDENCIES: usize = 256;

/// What is done about dependencies that are not there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum DependencyMode {
    /// As `helm dependency build` and Argo CD: what the lock says, and as [`Self::Update`] where there is no lock.
    #[default]
    Build,
    /// As `helm dependency update`: the newest versions that the chart allows, whatever the lock says.
    Update,
}

/// Where dependencies are looked for.
#[derive(Clone, Copy)]
pub struct Dependencies<'a> {
    /// Charts of repositories.
    pub source: &'a dyn ChartSource,
    /// Which versions are wanted.
    pub mode: DependencyMode,
}

/// The chart with what it declares: fetched if anything is missing, else as it is.
///
/// `path` is the chart's folder in `tree`; relative `file://` addresses are meant from there on, and cannot leave
/// the Tree. Like Helm this looks only at the outermost chart: what a dependency needs it has to bring along.
///
/// # Errors
///
/// [`DependencyError`], in Helm's words where Helm has some.
pub fn complete(
    loaded: Loaded,
    tree: &dyn Tree,
    path: &str,
    dependencies: Dependencies<'_>,
    options: &LoadOptions,
) -> Result<Loaded, DependencyError> {
    if loaded.chart.missing_dependencies().is_empty() {
        return Ok(loaded);
    }
    let fetched = fetch(&loaded.chart, tree, path, dependencies, options)?;
    Ok(fetched.into_loaded(&loaded))
}

/// Charts that were fetched for another.
pub(crate) struct Fetched {
    /// By the names that their archives would have in `charts/`.
    charts: BTreeMap<Str, Loaded>,
    /// The dependencies that are in `charts/` by the chart's own account.
    local: Vec<Str>,
}

/// Fetches what a chart declares.
pub(crate) fn fetch(
    chart: &Chart,
    tree: &dyn Tree,
    path: &str,
    dependencies: Dependencies<'_>,
    options: &LoadOptions,
) -> Result<Fetched, DependencyError> {
    let fetching = Fetching { chart, tree, path, dependencies, budget: Budget::new(options) };
    fetching.run()
}

impl Fetched {
    /// The digest of a chart with these, of that of the chart alone.
    pub(crate) fn digest(&self, chart: Digest) -> Digest {
        let fetched = self
            .charts
            .iter()
            .flat_map(|(place, loaded)| [Digest::of_bytes(place.as_bytes()), loaded.digest]);
        Digest::combine(std::iter::once(chart).chain(fetched))
    }

    /// The chart with these inside, as `helm dependency build` leaves it: archives that no dependency asks for any
    /// more are gone, folders stay.
    pub(crate) fn into_loaded(self, loaded: &Loaded) -> Loaded {
        let digest = self.digest(loaded.digest);
        let is_kept = |inner: &Chart| {
            let is_archive = crate::text::extension(&inner.place) == ".tgz";
            !self.charts.contains_key(&inner.place)
                && (!is_archive || self.local.contains(&inner.metadata.name))
        };
        let mut inside: Vec<Arc<Chart>> =
            loaded.chart.dependencies.iter().filter(|inner| is_kept(inner)).cloned().collect();
        let mut warnings = loaded.warnings.clone();
        for (place, fetched) in self.charts {
            inside.push(Arc::new(Chart { place, ..fetched.chart.as_ref().clone() }));
            warnings.extend(fetched.warnings);
        }
        inside.sort_by(|one, other| one.place.cmp(&other.place));
        let chart = Chart { dependencies: inside, ..loaded.chart.as_ref().clone() };
        Loaded { chart: Arc::new(chart), warnings, digest }
    }
}

fn request_for(dependency: &Dependency) -> ChartRequest<'_> {
    let Dependency { name, version, repository, .. } = dependency;
    ChartRequest { repository, name, version }
}

struct Fetching<'a> {
    chart: &'a Chart,
    tree: &'a dyn Tree,
    path: &'a str,
    dependencies: Dependencies<'a>,
    budget: Budget,
}

/// Where a dependency is.
enum Place {
    /// In `charts/`.
    Inside,
    /// In this folder of the Tree.
    Folder(String),
    /// In a repository.
    Repository,
}

impl Fetching<'_> {
    fn run(mut self) -> Result<Fetched, DependencyError> {
        let declared = self.resolved_names()?;
        if declared.len() > MAX_DEPENDENCIES {
            return Err(DependencyError::TooMany);
        }
        let lock = self.chart.lock.as_ref().filter(|_| self.dependencies.mode == DependencyMode::Build);
        let is_locked = lock.is_some();
        let wanted = match lock {
            Some(lock) => {
                self.check(lock, &declared)?;
                lock.dependencies.clone()
            }
            None => declared,
        };
        if wanted.len() > MAX_DEPENDENCIES {
            return Err(DependencyError::TooMany);
        }
        let mut elsewhere = Vec::new();
        for dependency in &wanted {
            if matches!(self.place_of(&dependency.repository), Ok(Place::Repository)) {
                elsewhere.push(request_for(dependency));
            }
        }
        self.dependencies.source.expect(&elsewhere);
        let mut fetched = Fetched { charts: BTreeMap::new(), local: Vec::new() };
        let mut unsatisfied = Vec::new();
        let mut known: Vec<&Dependency> = Vec::new();
        for dependency in &wanted {
            let is_same = |other: &&Dependency| {
                (&other.name, &other.version, &other.repository)
                    == (&dependency.name, &dependency.version, &dependency.repository)
            };
            // Two aliases of one chart need it once.
            if known.iter().any(is_same) {
                continue;
            }
            known.push(dependency);
            let invalid = |problem: String| {
                let name = if is_locked { dependency.name.to_string() } else { quote(&dependency.name) };
                DependencyError::InvalidConstraint { name, problem }
            };
            let constraint =
                || Constraint::parse(&dependency.version).map_err(|error| invalid(error.to_string()));
            if !is_locked {
                constraint()?;
            }
            let loaded = match self.place_of(&dependency.repository)? {
                Place::Inside => {
                    constraint()?;
                    self.check_inside(dependency)?;
                    fetched.local.push(dependency.name.clone());
                    continue;
                }
                Place::Folder(folder) => {
                    constraint()?;
                    let loaded = self.folder(dependency, &folder)?;
                    if !is_compatible(&dependency.version, &loaded.chart.metadata.version) {
                        if is_locked {
                            return Err(DependencyError::LockedVersion { name: dependency.name.clone() });
                        }
                        unsatisfied.push(dependency);
                        continue;
                    }
                    loaded
                }
                Place::Repository => self.repository(dependency)?,
            };
            let metadata = &loaded.chart.metadata;
            let place = Str::from(format!("{}-{}.tgz", metadata.name, metadata.version));
            fetched.charts.insert(place, loaded);
        }
        if unsatisfied.is_empty() { Ok(fetched) } else { Err(DependencyError::unsatisfied(&unsatisfied)) }
    }

    /// The declared dependencies with addresses in the place of names for repositories.
    fn resolved_names(&self) -> Result<Vec<Dependency>, DependencyError> {
        let mut declared = self.chart.metadata.dependencies.clone().unwrap_or_default();
        let mut unknown = Vec::new();
        for dependency in &mut declared {
            let repository = dependency.repository.clone();
            let name = repository.strip_prefix('@').or_else(|| repository.strip_prefix("alias:"));
            match name {
                Some(name) => match self.dependencies.source.address_of(name) {
                    Some(address) => dependency.repository = Str::from(address),
                    None => unknown.push(repository),
                },
                None if repository.is_empty() => {}
                None if repository.starts_with("file://") => {
                    self.place_of(&repository)?;
                }
                None if repository.contains("://") => {}
                None => unknown.push(repository),
            }
        }
        if unknown.is_empty() { Ok(declared) } else { Err(DependencyError::unknown_repositories(&unknown)) }
    }

    /// Refuses a lock that was made for other dependencies.
    fn check(&self, lock: &Lock, declared: &[Dependency]) -> Result<(), DependencyError> {
        if *lock.digest == *digest::of_lock(declared, &lock.dependencies) {
            return Ok(());
        }
        if self.chart.metadata.api_version != "v1" {
            return Err(DependencyError::LockOutOfSync { helm: self.budget.options.helm });
        }
        let written = self.chart.metadata.dependencies.as_deref().unwrap_or_default();
        if *lock.digest == *digest::of_helm_2(written) {
            return Ok(());
        }
        Err(DependencyError::RequirementsOutOfSync)
    }

    fn place_of(&self, repository: &str) -> Result<Place, DependencyError> {
        if repository.is_empty() {
            return Ok(Place::Inside);
        }
        let Some(relative) = repository.strip_prefix("file://").filter(|path| !path.starts_with('/')) else {
            return Ok(Place::Repository);
        };
        let root = self.path.trim_matches('/');
        let folder = clean(format!("{root}/{relative}").trim_start_matches('/'));
        if folder == ".." || folder.starts_with("../") {
            return Err(DependencyError::Outside { repository: Str::from(repository) });
        }
        let folder = if folder == "." { String::new() } else { folder };
        match self.tree.entry(&folder)? {
            Some(entry) if entry.kind == EntryKind::Directory => Ok(Place::Folder(folder)),
            _ => Err(DependencyError::NoFolder { path: Str::from(folder) }),
        }
    }

    /// Refuses a dependency that should be in `charts/` and is not, or in another version.
    fn check_inside(&self, dependency: &Dependency) -> Result<(), DependencyError> {
        let found = self.chart.dependencies.iter().find(|inner| inner.place == dependency.name);
        let Some(found) = found else {
            return Err(DependencyError::NoFolder { path: Str::from(format!("charts/{}", dependency.name)) });
        };
        if is_compatible(&dependency.version, &found.metadata.version) {
            return Ok(());
        }
        Err(DependencyError::WrongVersionInside {
            name: dependency.name.clone(),
            version: found.metadata.version.clone(),
            wanted: dependency.version.clone(),
        })
    }

    fn folder(&mut self, dependency: &Dependency, folder: &str) -> Result<Loaded, DependencyError> {
        load::folder_files(self.tree, folder, &mut self.budget)
            .and_then(|files| load::chart(files, &mut self.budget))
            .map_err(|source| DependencyError::load(dependency, source))
    }

    fn repository(&mut self, dependency: &Dependency) -> Result<Loaded, DependencyError> {
        let files = self
            .dependencies
            .source
            .fetch(&request_for(dependency))
            .map_err(|source| DependencyError::fetch(dependency, source))?;
        let files = match files {
            ChartFiles::Tree(tree) => load::folder_files(tree.as_ref(), "", &mut self.budget),
            ChartFiles::Archive(bytes) => load::archive_files(&bytes, &mut self.budget),
        };
        files
            .and_then(|files| load::chart(files, &mut self.budget))
            .map_err(|source| DependencyError::load(dependency, source))
    }
}
