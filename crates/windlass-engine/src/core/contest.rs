//! Names those who fight over a field with us: drift that comes back as often as it is undone.

use tokio::time::Instant;
use windlass_model::{Diagnostic, DiagnosticKind, Waiting};

use super::Core;
use super::advance::Compared;
use crate::unit_state::{FREE_HEALS, UnitState};

impl Core {
    /// Notes which objects somebody keeps changing back, with the field and who set it last; forgets them after quiet.
    pub(super) fn note_contest(&mut self, unit: &mut UnitState, compared: &Compared) {
        let Some(last) = unit.last_heal else { return };
        let quiet = unit.quiet_after_heal();
        if last.elapsed() > quiet {
            unit.contested.clear();
            return;
        }
        let backs_off = matches!(unit.waiting, Some(Waiting::Backoff { .. })) && unit.heals >= FREE_HEALS;
        if let Some(rendered) = unit.rendered.as_ref().filter(|_| backs_off) {
            for (object, comparison) in rendered.objects.iter().zip(&compared.states) {
                // What a dry run found out names the field and its writer; what is only known to differ does not.
                let found = unit.verdicts.get(&object.key).map(|verdict| &verdict.difference);
                if let Some(difference) = found.filter(|found| !found.is_empty() && comparison.needs_apply())
                {
                    unit.contested.entry(object.key.clone()).or_insert_with(|| difference.clone());
                }
            }
        }
        if !unit.contested.is_empty() {
            // Whether it has become quiet is seen when it is looked at.
            let soon = std::time::Duration::from_millis(10);
            self.wake_at(last.max(Instant::now() - quiet) + quiet + soon, &unit.id);
        }
    }
}

impl UnitState {
    /// What there is to say about those who change fields back.
    pub(super) fn contest_diagnostics(&self) -> impl Iterator<Item = Diagnostic> {
        let manager = &self.lowered.unit.ownership.field_manager;
        self.contested.iter().map(move |(key, difference)| {
            let message = format!(
                "{manager} and somebody else keep changing it back and forth, so it is undone ever more slowly: \
                 {difference}; let one of them have the field (ignoreDifferences leaves it to the other)"
            );
            Diagnostic::new(DiagnosticKind::Contested, message).about(key.clone())
        })
    }
}
