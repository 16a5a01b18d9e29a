//! Carries out a Plan on a Target; makes no decisions.
