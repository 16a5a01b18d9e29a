//! Names those who fight over a field with us: drift that comes back as often as it is undone.

use tokio::time::Instant;
use windlass_model::{Diagnostic, DiagnosticKind, Waiting};

use super::Core;
use super::advance::Compared;
use crate::unit_state::UnitState;

impl Core {
    /// Notes which objects somebody keeps changing back, with the field and who set it last; forgets them after quiet.
    pub(super) fn note_contest(&mut self, unit: &mut UnitState, compared: &Compared) {
        let now = Instant::now();
        unit.healed.forget_quiet(now);
        unit.contested.retain(|key, _| unit.healed.count(key) > 0);
        let backs_off = matches!(unit.waiting, Some(Waiting::Backoff { .. }));
        if let Some(rendered) = unit.rendered.as_ref().filter(|_| backs_off) {
            for (object, comparison) in rendered.objects.iter().zip(&compared.states) {
                if !comparison.needs_apply() || !unit.healed.is_contested(&object.key) {
                    continue;
                }
                // What a dry run found out names the field and its writer; what is only known to differ does not.
                let found = unit.verdicts.get(&object.key).map(|verdict| &verdict.difference);
                if let Some(difference) = found.filter(|found| !found.is_empty()) {
                    unit.contested.entry(object.key.clone()).or_insert_with(|| difference.clone());
                }
            }
        }
        let quiet_at = unit.contested.keys().filter_map(|key| unit.healed.quiet_at(key)).min();
        if let Some(quiet_at) = quiet_at {
            // Whether it has become quiet is seen when it is looked at.
            let soon = std::time::Duration::from_millis(10);
            self.wake_at(quiet_at.max(now) + soon, &unit.id);
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
