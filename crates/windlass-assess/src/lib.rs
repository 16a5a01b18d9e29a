//! Health per kind, its roll-up, and the resource tree.
//!
//! The health of an object is what Argo CD 3.6 says of it, word for word: people read these messages, and write
//! alerts and scripts on them. The rules were read in its sources and are tested against what its own code answers
//! (`tests/data`, renewed by `tools/oracle-health`).
//!
//! - [`health`] looks at one object; a kind without a check has no health and counts as nothing.
//! - [`Checks`] adds checks of one's own, which go before the built-in ones.
//! - [`roll_up`] makes one health out of many and names the causes.
//! - [`Forest`] arranges objects under their owners.
//! - [`orphans`] finds what belongs to no Unit.
//! - [`images`] and [`info`] give the columns that are shown beside an object.
//!
//! ```
//! use windlass_assess::{Member, MemberState, health, roll_up};
//! use windlass_kube::{Object, value};
//! use windlass_model::HealthStatus;
//!
//! let claim = Object::try_new(value!({
//!     "apiVersion": "v1", "kind": "PersistentVolumeClaim",
//!     "metadata": {"name": "data", "namespace": "shop"}, "status": {"phase": "Pending"}
//! }))?;
//! let found = health(&claim).expect("claims have a check");
//! assert_eq!(found.status, HealthStatus::Progressing);
//!
//! let key = claim.object_ref();
//! let all = roll_up([Member { key: &key, state: MemberState::Live(Some(&found)), is_unit: false }]);
//! assert_eq!(all.message, "Caused by PersistentVolumeClaim:shop/data");
//! # Ok::<(), windlass_kube::NotAnObject>(())
//! ```
//!
//! Pure: no clock, no network. A check sees one object and nothing else, so health can be computed when an event
//! arrives and the object dropped.

pub mod actions;
pub mod cel;
mod checks;
mod condition;
mod health;
mod info;
pub mod lua;
mod orphans;
mod roll_up;
mod tree;

pub use checks::{Check, Checks};
pub use health::{health, known_kinds};
pub use info::{Info, images, info};
pub use orphans::{Resident, orphans};
pub use roll_up::{MAX_CAUSES_SHOWN, Member, MemberState, ignores_health, roll_up};
pub use tree::{Forest, Node};
