//! The loop: triggers, live index, and the wiring of the stages.
