//! Reads what `tools/oracle-kube` recorded.

#![allow(dead_code, clippy::unwrap_used, reason = "each test uses its part")]

use windlass_kube::Value;

/// The lines of a recording, without the first, which names the versions.
pub(crate) fn cases(name: &str) -> Vec<Value> {
    let lines = lines(name);
    assert!(lines[0].str_at(&["oracle"]).is_some(), "{name} names its oracle");
    lines[1..].to_vec()
}

/// All lines of a recording.
pub(crate) fn lines(name: &str) -> Vec<Value> {
    let path = format!("{}/tests/data/{name}", env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(&path).unwrap_or_else(|why| panic!("{path}: {why}"));
    text.lines()
        .map(|line| serde_json::from_str(line).unwrap_or_else(|why| panic!("{name}: {why}: {line}")))
        .collect()
}

/// Collects what differs, so that one run shows all of it.
#[derive(Default)]
pub(crate) struct Report {
    n_checks: usize,
    failures: Vec<String>,
}

impl Report {
    /// Compares one thing.
    pub(crate) fn check<T: PartialEq + std::fmt::Debug>(
        &mut self,
        of: impl Fn() -> String,
        ours: &T,
        expected: &T,
    ) {
        self.n_checks += 1;
        if ours != expected {
            self.failures.push(format!("{}\n  ours:     {ours:?}\n  expected: {expected:?}", of()));
        }
    }

    /// Fails with the first differences, if there are any; `at_least` guards against checks that check nothing.
    pub(crate) fn finish(self, at_least: usize) {
        assert!(self.n_checks >= at_least, "only {} checks ran", self.n_checks);
        let n = self.failures.len();
        let shown: Vec<String> = self.failures.into_iter().take(12).collect();
        assert!(n == 0, "{n} of {} checks failed:\n{}", self.n_checks, shown.join("\n"));
    }
}
