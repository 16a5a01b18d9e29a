//! Carries out a Plan on a Target; makes no decisions.
//!
//! A plan runs wave by wave: whoever drives it starts a wave when what the wave waits for holds, and holds no
//! worker meanwhile. Inside a wave, steps of one rank run at once and ranks run in order.
//!
//! ```no_run
//! # use windlass_apply::{Target, run_wave, verify};
//! # use windlass_model::Plan;
//! # async fn run(plan: &Plan, target: &impl Target) {
//! if !plan.verify_first || verify(plan, target).await.is_empty() {
//!     for wave in &plan.waves {
//!         // … wait for `wave.after_healthy`, then:
//!         let results = run_wave(plan, wave, target).await;
//!     }
//! }
//! # }
//! ```

mod carry;
mod owners;
mod run;
mod target;
mod verify;

pub use carry::predict;
pub use run::{Deletion, StepResult, run_wave};
pub use target::{CallError, CallErrorKind, Target};
pub use verify::{Refusal, verify};
