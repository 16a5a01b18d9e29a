//! The folder in which the operator declares plugins.

use std::fs;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use crate::definition::{Definition, DefinitionError};

/// Where plugins are declared when nothing else is said.
pub const DEFAULT_FOLDER: &str = "/etc/windlass/plugins";

/// A file that declares a plugin is no larger than this.
const DEFINITION_BYTES: u64 = 1024 * 1024;

/// A module is no larger than this: as much as the compiled form of large ones takes to be made in a second.
const MODULE_BYTES: u64 = 32 * 1024 * 1024;

/// Something about a file that the operator should know.
#[derive(Debug)]
pub enum Finding {
    /// It declares nothing; a source that asks for the plugin by the file's content gets none.
    Broken {
        /// The file.
        file: PathBuf,
        /// Why.
        error: DefinitionError,
    },
    /// It declares nothing any more, and the plugin that it declared before stays.
    Kept {
        /// The file.
        file: PathBuf,
        /// Why.
        error: DefinitionError,
    },
    /// It declares a plugin, and says something that has no effect.
    Remark {
        /// The file.
        file: PathBuf,
        /// What it says.
        remark: String,
    },
}

impl std::fmt::Display for Finding {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Broken { file, error } => {
                write!(f, "the plugin of {} cannot be used: it {error}", file.display())
            }
            Self::Kept { file, error } => {
                let file = file.display();
                write!(f, "the plugin of {file} stays what it was, as it cannot be used now: it {error}")
            }
            Self::Remark { file, remark } => write!(f, "the plugin of {} {remark}", file.display()),
        }
    }
}

/// Reads the YAML files of a folder, in the order of their names; other objects in them are left out.
pub(crate) fn read(folder: &Path) -> std::io::Result<(Vec<Definition>, Vec<Finding>)> {
    let mut files: Vec<PathBuf> = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        // Kubernetes mounts ConfigMaps by links to files in folders that begin with dots.
        let is_yaml = path.extension().is_some_and(|extension| extension == "yaml" || extension == "yml");
        if is_yaml && path.is_file() {
            files.push(path);
        }
    }
    files.sort();
    let (mut definitions, mut findings) = (Vec::<Definition>::new(), Vec::new());
    for file in files {
        let broken = |error| Finding::Broken { file: file.clone(), error };
        let text = match bytes(&file, DEFINITION_BYTES) {
            Ok(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
            Err(problem) => {
                findings.push(broken(DefinitionError::Unreadable(problem)));
                continue;
            }
        };
        if !Definition::is_one(&text) {
            continue;
        }
        match Definition::read(&text, &|name| bytes(&folder.join(name), MODULE_BYTES)) {
            Ok((mut definition, remarks)) => {
                definition.file.clone_from(&file);
                findings
                    .extend(remarks.into_iter().map(|remark| Finding::Remark { file: file.clone(), remark }));
                if definitions.iter().any(|known| known.name == definition.name) {
                    findings.push(broken(DefinitionError::Twice(definition.name)));
                } else {
                    definitions.push(definition);
                }
            }
            Err(error) => findings.push(broken(error)),
        }
    }
    Ok((definitions, findings))
}

fn bytes(file: &Path, limit: u64) -> Result<Vec<u8>, String> {
    let opened = fs::File::open(file).map_err(|error| format!("{}: {error}", file.display()))?;
    let mut bytes = Vec::new();
    opened.take(limit + 1).read_to_end(&mut bytes).map_err(|error| format!("{}: {error}", file.display()))?;
    if bytes.len() as u64 > limit {
        return Err(format!("{} is larger than {limit} bytes", file.display()));
    }
    Ok(bytes)
}
