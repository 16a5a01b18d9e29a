//! A kustomization for a folder that has none: all of its files, as Flux makes one.
//!
//! Facts from `fluxcd/pkg/kustomize` 1.38 and 1.44, which its controllers use.

use smol_str::SmolStr;
use windlass_model::{EntryKind, Tree};

use crate::error::{Error, ErrorKind, Result};
use crate::kustomization::{FILE_NAMES, KUSTOMIZATION_VERSION, Kustomization};
use crate::loader::{Loader, MAX_FILE};
use crate::reader;

/// How many files and folders are looked at: what MAX_OBJECTS stands for, one object in each.
pub const MAX_SCANNED: usize = 200_000;

/// How deep folders below are looked into; the recursion is as deep. Git hosts themselves refuse longer paths.
const MAX_FOLDERS: usize = 1_000;

/// Names all YAML files in and below the folder, and the folders below that have a kustomization of their own,
/// which are not looked into.
///
/// # Errors
/// A file that is no YAML of Kubernetes objects; more than [`MAX_SCANNED`] files and folders.
pub(crate) fn kustomization(loader: &Loader<'_>) -> Result<Kustomization> {
    let (tree, folder) = loader.in_own_tree(loader.root()).unwrap_or((loader.own_tree(), ""));
    let mut scan = Scan { tree, root: loader.root(), found: Vec::new(), seen: 0 };
    scan.folder(folder, "", 0)?;
    let mut kustomization = Kustomization {
        api_version: KUSTOMIZATION_VERSION.into(),
        kind: "Kustomization".into(),
        ..Kustomization::default()
    };
    // Without resources Flux writes a namespace, so that kustomize does not find the file empty.
    if scan.found.is_empty() {
        kustomization.namespace = "_placeholder".into();
    }
    kustomization.resources = scan.found;
    Ok(kustomization)
}

struct Scan<'a> {
    tree: &'a dyn Tree,
    /// The folder that is built, as errors show it.
    root: &'a str,
    found: Vec<SmolStr>,
    seen: usize,
}

impl Scan<'_> {
    fn folder(&mut self, path: &str, shown: &str, depth: usize) -> Result<()> {
        if depth > MAX_FOLDERS {
            return Err(Error::limit(format!(
                "folders nest deeper than the limit MAX_FOLDERS of {MAX_FOLDERS}"
            )));
        }
        let failed = |error: &windlass_model::TreeError| {
            Error::new(ErrorKind::NotFound, format!("cannot list '{path}': {error}"))
        };
        let mut members = self.tree.list(path).map_err(|error| failed(&error))?.unwrap_or_default();
        // Go's `filepath.Walk` visits names in the order of their bytes.
        members.sort_by(|(a, _), (b, _)| a.as_bytes().cmp(b.as_bytes()));
        self.seen += members.len();
        if self.seen > MAX_SCANNED {
            return Err(Error::limit(format!(
                "the folder has more than the limit MAX_SCANNED of {MAX_SCANNED} files and folders"
            )));
        }
        for (name, entry) in members {
            let below = if path.is_empty() { name.to_string() } else { format!("{path}/{name}") };
            let shown = format!("{shown}/{name}");
            match entry.kind {
                // A link is visited by `Walk` as what it is: no folder.
                EntryKind::Directory if self.is_link(&below)? => {}
                EntryKind::Directory if self.has_own(&below)? => self.found.push(format!(".{shown}").into()),
                EntryKind::Directory => self.folder(&below, &shown, depth + 1)?,
                EntryKind::File if is_yaml(&name) => {
                    self.check(&below, &shown)?;
                    self.found.push(format!(".{shown}").into());
                }
                _ => {}
            }
        }
        Ok(())
    }

    fn is_link(&self, path: &str) -> Result<bool> {
        let is_link = self.tree.is_link(path);
        is_link.map_err(|error| Error::new(ErrorKind::NotFound, format!("cannot look at '{path}': {error}")))
    }

    fn has_own(&self, folder: &str) -> Result<bool> {
        for name in FILE_NAMES {
            let entry = self.tree.entry(&format!("{folder}/{name}")).map_err(|error| {
                Error::new(ErrorKind::NotFound, format!("cannot look at '{folder}/{name}': {error}"))
            })?;
            if entry.is_some_and(|entry| entry.kind == EntryKind::File) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Whether the file holds objects, or nothing.
    fn check(&self, path: &str, shown: &str) -> Result<()> {
        let read = self.tree.read(path, MAX_FILE);
        let bytes = read
            .map_err(|error| Error::new(ErrorKind::NotFound, format!("cannot read '{path}': {error}")))?
            .unwrap_or_default();
        reader::objects(&bytes).map(drop).map_err(|error| {
            error.wrap(format!("failed to decode Kubernetes YAML from {}{shown}", self.root))
        })
    }
}

/// Go's `filepath.Ext` being `.yaml` or `.yml`.
fn is_yaml(name: &str) -> bool {
    let extension = name.rfind('.').map_or("", |dot| &name[dot..]);
    extension == ".yaml" || extension == ".yml"
}
