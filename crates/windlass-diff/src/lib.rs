//! Which differences between what is declared and what is live count, and what they are in words.
//!
//! - [`Rules`] are what people said about differences that do not count, ready for use: JSON pointers, jq
//!   expressions, managers whose fields are their own, and what a control plane says for all.
//! - [`normalise`] takes what does not count out of both sides. [`respected`] puts what is live in its place into
//!   what is declared, for those who want it kept when they sync.
//! - [`taken_over`] takes out of a prediction what goes when somebody's fields are taken over.
//! - [`differences`] names what is left, field by field, with who set it last.
//! - [`added`] names what others added beneath what we own, and [`removal`] takes it away.
//! - [`jq`] is the language of those expressions, with a budget.
//!
//! Nothing here reads a clock, a file or the network. Every expression ends: [`jq::MAX_STEPS`].

mod added;
pub mod jq;
mod known_types;
mod normalise;
mod rules;
mod taking_over;
mod words;

pub use added::{Added, added, added_digest, removal, without_added};
pub use normalise::{Normalised, normalise, respected};
pub use rules::{RuleProblem, Rules};
pub use taking_over::taken_over;
pub use words::{Difference, comparable, differences, sentence};
