//! Programs of others run in a process of their own, which can be ended.
//!
//! A Jsonnet program may compute for ever, fill the memory, or be nested deeper than any stack. So Windlass starts itself
//! once more as a child ([`serve_if_child`]), which limits its own memory, knows no environment, opens no file, and asks
//! its parent for each import; the parent answers from the source alone, and ends the child when its time is up.
//! A child that did well takes the next program.
//!
//! Plugins are programs of their own, which see files and may write some: [`confined`] runs them.

mod child;
pub mod confined;
mod limits;
mod messages;
mod parent;

pub use child::serve_if_child;
pub use limits::{IDLE_CHILDREN, IDLE_SECONDS, Limits, MEMORY_BYTES, RESULT_BYTES, RUN_SECONDS};
pub use parent::{ChildJsonnet, THIS_PROGRAM};
