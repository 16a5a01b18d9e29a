//! The filters against what kustomize's own modules answered to random cases.
//!
//! `tests/data/filters.jsonl` was recorded from `sigs.k8s.io/kustomize/api` v0.21.1 by
//! `examples/differential.rs`, which also compares any number of fresh cases.
#![expect(clippy::unwrap_used, reason = "a test")]

mod steps;

use windlass_yaml::json;

#[test]
fn filters_answer_as_kustomize_does() {
    let recorded = include_str!("data/filters.jsonl");
    let mut wrong = Vec::new();
    let mut count = 0;
    for line in recorded.lines() {
        let case = json::parse(line.as_bytes()).unwrap();
        let (request, answer) = (case.get("request").unwrap(), case.get("answer").unwrap());
        count += 1;
        let fits = match (steps::run(request), answer.str_at(&["error"])) {
            (Ok(output), None) => answer.str_at(&["output"]).unwrap_or_default() == output,
            (Err(error), Some(expected)) => fits(&error, expected),
            _ => false,
        };
        if !fits {
            wrong.push(format!("{}\nis here {:?}", json::to_string_pretty(&case, 1), steps::run(request)));
        }
    }
    assert!(count >= 1000, "{count} cases were recorded");
    assert!(wrong.is_empty(), "{} of {count} differ; the first:\n{}", wrong.len(), wrong[0]);
}

/// Whether both errors say the same but for a node's contents: nodes here keep neither comments nor flow style.
fn fits(error: &str, expected: &str) -> bool {
    let head = |text: &str| text.split("node contents:").next().unwrap_or_default().to_owned();
    expected.starts_with("panic: ") || head(error) == head(expected)
}
