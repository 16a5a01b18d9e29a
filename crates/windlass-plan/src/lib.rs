//! Compares what is declared with what is live, and plans the steps between.
//!
//! Everything here is a synchronous function of its arguments: no clock, no network, no random number. Preview,
//! diff, dry run, sync, prune and deletion all come from one [`Plan`](windlass_model::Plan), and [`check`] says
//! what must hold of any of them.
//!
//! 1. [`prepare`] makes rendered manifests ready for a target: namespaces, tracking marks, permissions, waves.
//! 2. [`compare`] tells, per object, whether live is as declared — without a call where a receipt proves it.
//! 3. [`plan`] and [`plan_deletion`] order the steps.

mod check;
mod compare;
mod duplicates;
mod hooks;
mod marks;
mod occasion;
mod order;
mod planner;
mod prepare;
mod windows;

pub use check::{Violation, check};
pub use compare::{Comparison, compare, owned_form};
pub use hooks::{DeletionStage, deletion_stage, failure_plan, hook_keys, hook_name, termination_plan};
pub use marks::{Marks, SyncOptions, Treatment};
pub use occasion::{HelmEvent, Occasion, on_occasion};
pub use order::kind_rank;
pub use planner::{HookInput, PlanInput, apply_mode, plan, plan_deletion};
pub use prepare::{Prepared, Scope, prepare};
pub use windows::{WindowVerdict, window_verdict};
