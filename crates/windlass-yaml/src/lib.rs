//! YAML and JSON as Kubernetes tools read and write them.
//!
//! ```
//! let pod = windlass_yaml::load("kind: Pod\nmetadata: {name: web, labels: {on: yes}}\n")?;
//! assert_eq!(pod.str_at(&["metadata", "name"]), Some("web"));
//! assert_eq!(pod.bool_at(&["metadata", "labels", "true"]), Some(true));
//! # Ok::<(), windlass_yaml::YamlError>(())
//! ```
//!
//! - [`load`], [`load_with`], [`load_all`]: YAML to [`Value`], by the rules of `sigs.k8s.io/yaml` or yaml.v3.
//! - [`load_manifest`], [`documents`]: the objects of a manifest, each with its own result and line.
//! - [`to_yaml`]: values to YAML, byte-equal to Go's.
//! - [`parse_nodes`], [`nodes_to_yaml`], [`edit`]: YAML with its comments, and edits that keep all other bytes.
//! - [`spans`]: where the parts of a long text lie, without loading it.
//! - [`json`]: JSON in and out, as Go's `encoding/json` and Kubernetes' own decoder have it.
//!
//! # Why a parser of our own
//!
//! Go's packages are translations of libyaml, and Kubernetes tools inherit its verdicts: under-indented
//! continuation lines of quoted scalars, a block scalar at the end of a file without a line break, the 1,024
//! characters of a simple key, the words of each error. The event parsers there are for Rust follow YAML 1.2
//! and differ in exactly these; correcting one from outside would be a second scanner beside the first. So the
//! scanner and the grammar here keep libyaml's rules themselves, and the whole crate is compared with Go:
//! `docs/differences-yaml.md` has the result.
//!
//! Nothing here recurses over input but the printers, and these only over values that a limit has bounded.

mod base64;
pub mod edit;
mod emit;
mod error;
mod float;
mod gosyntax;
pub mod json;
mod limits;
mod load;
mod manifest;
mod node;
mod parser;
mod plain;
mod resolve;
mod scanner;
mod spans;
mod text;
mod timestamp;
mod value;

pub use emit::{YamlStyle, nodes_to_yaml, to_yaml, to_yaml_with};
pub use error::{Position, YamlError, YamlErrorKind, snippet};
pub use limits::{Limits, MAX_DEPTH, MAX_INPUT};
pub use load::{Document, LoadOptions, load, load_all, load_with};
pub use manifest::{ManifestError, Part, documents, load_manifest, parts};
pub use node::{DocumentNode, Node, NodeKind, NodeStyle, parse_nodes};
pub use plain::{plain_tag, plain_value};
pub use resolve::Dialect;
pub use spans::{Span, spans};
pub use text::decode_text;
pub use value::{Array, Map, Str, Value};
