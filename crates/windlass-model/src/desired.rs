//! What a source declares, before and after it is made ready for a target.

use std::fmt;
use std::sync::Arc;

use windlass_kube::{Gvk, Object, ObjectRef, Str};

use crate::{Digest, HookRole, Phase};

/// Where in a source an object or an error comes from.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Origin {
    /// The file's path inside the Tree.
    pub file: Str,
    /// The line it starts at, from 1; 0 when a line means nothing.
    pub line: u32,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.file)?;
        if self.line > 0 { write!(f, ":{}", self.line) } else { Ok(()) }
    }
}

/// An object as a renderer made it.
#[derive(Clone, Debug, PartialEq)]
pub struct Manifest {
    /// The object, as declared.
    pub object: Object,
    /// Where it comes from.
    pub origin: Origin,
}

/// An object made ready for its target: namespace set, tracking stamped, its place in the order known.
#[derive(Clone, Debug, PartialEq)]
pub struct Desired {
    /// What names it in the target.
    pub key: ObjectRef,
    /// Its kind with version.
    pub gvk: Gvk,
    /// The object as it will be applied.
    pub object: Arc<Object>,
    /// The digest of `object`.
    pub digest: Digest,
    /// Where it comes from.
    pub origin: Origin,
    /// Its wave; smaller first.
    pub wave: i32,
}

/// A declared object that runs as a hook.
#[derive(Clone, Debug, PartialEq)]
pub struct DesiredHook {
    /// The object. Its name is empty where it has only `generateName`: it gets one when a plan is made.
    pub desired: Desired,
    /// When it runs, in order; each once.
    pub phases: Box<[Phase]>,
    /// What it is as a hook.
    pub role: HookRole,
}
