//! The index of a Helm repository: kept as a file, of which only the entries of charts in use are read.

use std::collections::HashMap;
use std::fs::{self, File};
use std::io::{self, Write};
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use windlass_yaml::{Limits, Span, Value, YamlError, spans};

use super::versions::ChartVersion;
use crate::artifact::ContentDigest;
use crate::artifact::tarball::Seen;
use crate::artifact::web::protocol;
use crate::error::SourceError;

/// Charts whose versions are kept in memory; each takes some hundred bytes a version.
const MAX_CHARTS_IN_MEMORY: usize = 64;

/// An index: where the entries of each chart lie in its file.
pub(super) struct Index {
    file: File,
    path: PathBuf,
    charts: HashMap<String, Place>,
    versions: Mutex<HashMap<String, Arc<Vec<ChartVersion>>>>,
}

struct Place {
    range: Range<usize>,
    column: usize,
}

/// Why an index cannot be used.
#[derive(Debug)]
pub(super) enum IndexError {
    /// It is not YAML, or no index.
    Content(String),
    /// It cannot be kept or read again.
    File(PathBuf, io::Error),
}

impl IndexError {
    pub(super) fn into_source_error(self, repository: &str) -> SourceError {
        match self {
            Self::Content(problem) => protocol(repository, &problem),
            Self::File(path, error) => SourceError::store("keep the index", path, error),
        }
    }
}

impl From<YamlError> for IndexError {
    fn from(error: YamlError) -> Self {
        Self::Content(format!("its index cannot be read: {error}"))
    }
}

/// What is noted beside an index.
#[derive(Serialize, Deserialize)]
struct Note {
    etag: Option<String>,
    last_modified: Option<String>,
    digest: String,
}

impl Index {
    /// Takes an index in and keeps it in `folder` for the repository `identity`.
    pub(super) fn read(
        folder: &Path,
        identity: &str,
        seen: &Seen,
        bytes: Vec<u8>,
    ) -> Result<Self, IndexError> {
        let text = String::from_utf8(bytes)
            .map_err(|_| IndexError::Content("its index is no Unicode text".to_string()))?;
        let charts = places(&text)?;
        let name = name_of(identity);
        let path = folder.join(format!("{name}-{}.yaml", &seen.digest.hex()[..16]));
        let note_path = folder.join(format!("{name}.json"));
        let note = Note {
            etag: seen.etag.clone(),
            last_modified: seen.last_modified.clone(),
            digest: seen.digest.to_string(),
        };
        let note = serde_json::to_vec(&note).unwrap_or_default();
        let keep = || -> io::Result<File> {
            write_atomically(&path, text.as_bytes())?;
            write_atomically(&note_path, &note)?;
            File::open(&path)
        };
        let file = keep().map_err(|error| IndexError::File(path.clone(), error))?;
        remove_others(folder, &name, &path);
        Ok(Self { file, path, charts, versions: Mutex::default() })
    }

    /// The index that an earlier process kept, if it is whole.
    pub(super) fn stored(folder: &Path, identity: &str) -> Option<(Seen, Arc<Self>)> {
        let name = name_of(identity);
        let note: Note = serde_json::from_slice(&fs::read(folder.join(format!("{name}.json"))).ok()?).ok()?;
        let digest: ContentDigest = note.digest.parse().ok()?;
        let path = folder.join(format!("{name}-{}.yaml", &digest.hex()[..16]));
        let bytes = fs::read(&path).ok()?;
        if ContentDigest::of(&bytes) != digest {
            return None;
        }
        let charts = places(std::str::from_utf8(&bytes).ok()?).ok()?;
        let file = File::open(&path).ok()?;
        let seen = Seen { etag: note.etag, last_modified: note.last_modified, digest };
        Some((seen, Arc::new(Self { file, path, charts, versions: Mutex::default() })))
    }

    /// The versions of a chart, newest first; `None` when there is no such chart.
    pub(super) fn versions_of(&self, chart: &str) -> Result<Option<Arc<Vec<ChartVersion>>>, IndexError> {
        let mut known = self.versions.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(versions) = known.get(chart) {
            return Ok(Some(versions.clone()));
        }
        let Some(place) = self.charts.get(chart) else { return Ok(None) };
        let mut bytes = vec![0; place.range.len()];
        let failed = |error| IndexError::File(self.path.clone(), error);
        self.file.read_exact_at(&mut bytes, place.range.start as u64).map_err(failed)?;
        let slice = String::from_utf8(bytes)
            .map_err(|_| IndexError::Content("its index is no Unicode text".to_string()))?;
        let span = Span { key: chart.into(), range: place.range.clone(), column: place.column };
        let text = span.indented(&slice);
        let versions = match entries(&text) {
            Ok(versions) => versions,
            // Something stands elsewhere in the index: only the whole tells.
            Err(_) => {
                let whole = fs::read_to_string(&self.path).map_err(failed)?;
                let whole = windlass_yaml::load(&whole)?;
                let items = whole.items_at(&["entries", chart]);
                items.iter().filter_map(ChartVersion::read).collect()
            }
        };
        let versions = Arc::new(super::versions::sorted(versions));
        if known.len() >= MAX_CHARTS_IN_MEMORY {
            known.clear();
        }
        known.insert(chart.to_string(), versions.clone());
        Ok(Some(versions))
    }
}

/// Where the entries of each chart lie.
fn places(text: &str) -> Result<HashMap<String, Place>, IndexError> {
    let limits = Limits::default();
    let members = spans(text, &[], &limits)?;
    let has = |key: &str| members.iter().flatten().any(|member| &*member.key == key);
    if !has("apiVersion") {
        return Err(IndexError::Content("what it sent is no index: it has no apiVersion".to_string()));
    }
    let charts = spans(text, &["entries"], &limits)?.unwrap_or_default();
    let place = |span: Span| (span.key.to_string(), Place { range: span.range, column: span.column });
    Ok(charts.into_iter().map(place).collect())
}

/// Reads the entries of one chart, each on its own.
fn entries(text: &str) -> Result<Vec<ChartVersion>, YamlError> {
    let items = spans(text, &[], &Limits::default())?.unwrap_or_default();
    let mut versions = Vec::with_capacity(items.len());
    for item in items {
        let value: Value = windlass_yaml::load(&item.indented(&text[item.range.clone()]))?;
        versions.extend(ChartVersion::read(&value));
    }
    Ok(versions)
}

fn name_of(identity: &str) -> String {
    Sha256::digest(identity.as_bytes())[..16].iter().map(|byte| format!("{byte:02x}")).collect()
}

fn write_atomically(path: &Path, content: &[u8]) -> io::Result<()> {
    let temporary = path.with_extension("tmp");
    let mut file = File::create(&temporary)?;
    file.write_all(content)?;
    file.sync_all()?;
    fs::rename(&temporary, path)
}

/// Removes the indexes that this one replaces; who still reads one has it open.
fn remove_others(folder: &Path, name: &str, keep: &Path) {
    for file in fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = file.path();
        let is_older = file.file_name().to_string_lossy().starts_with(&format!("{name}-"));
        if is_older && path != keep {
            let _ = fs::remove_file(path);
        }
    }
}
