//! Cases whose outcome was recorded from the original: an output in `expected.yaml`, or an error in `expected.error`.

use std::path::Path;

use windlass_kustomize::Error;

/// A case with what came of it here.
pub(crate) struct Outcome {
    /// The name of its folder.
    pub(crate) name: String,
    /// The output or the error.
    pub(crate) given: Result<String, String>,
    /// What the original gave; `None` where it gave the other of the two.
    pub(crate) expected: Option<String>,
}

impl Outcome {
    /// Whether it is the original's.
    pub(crate) fn is_equal(&self) -> bool {
        let (Ok(text) | Err(text)) = &self.given;
        self.expected.as_ref() == Some(text)
    }
}

/// Builds every case below `root` and holds it to `is_as_meant`.
pub(crate) fn hold(
    root: &Path,
    build: impl Fn(&Path) -> Result<String, Error>,
    is_as_meant: impl Fn(&Outcome) -> bool,
) {
    let mut problems = Vec::new();
    let mut count = 0;
    for case in std::fs::read_dir(root).unwrap() {
        let case = case.unwrap().path();
        count += 1;
        let given = build(&case).map_err(|error| format!("{error}\n"));
        let file = if given.is_ok() { "expected.yaml" } else { "expected.error" };
        let name = case.file_name().unwrap().to_str().unwrap().to_owned();
        let expected = std::fs::read_to_string(case.join(file)).ok();
        let outcome = Outcome { name, given, expected };
        if !is_as_meant(&outcome) {
            let Outcome { name, given: Ok(text) | Err(text), expected } = outcome;
            problems.push(format!("=== {name}\n--- the original\n{expected:?}\n--- here\n{text}"));
        }
    }
    assert!(problems.is_empty(), "{} of {count} differ\n{}", problems.len(), problems.join("\n"));
}
