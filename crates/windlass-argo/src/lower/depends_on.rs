//! The annotation by which an Application waits for others.

use windlass_kube::{Object, ObjectRef};
use windlass_model::UnitId;

use super::Findings;

/// The Applications that must be synced and healthy before this one is synced: names, each with a namespace and a slash
/// before it where that is another one, with commas or blanks between them.
pub const DEPENDS_ON_ANNOTATION: &str = "windlass.dev/depends-on";

/// The most Applications that one may wait for: a graph that anybody can read has far fewer.
const MAX_DEPENDENCIES: usize = 100;

/// What the annotation names, each once, sorted; what is no name is told.
pub(super) fn depends_on(application: &Object, findings: &mut Findings) -> Box<[UnitId]> {
    let text = application.annotation(DEPENDS_ON_ANNOTATION).unwrap_or_default();
    let words = text.split(|char: char| char == ',' || char.is_whitespace()).filter(|word| !word.is_empty());
    let mut named: Vec<UnitId> = Vec::new();
    for word in words {
        let (namespace, name) = word.split_once('/').unwrap_or((application.namespace(), word));
        let is_name = |text: &str| {
            text.chars().all(|char| matches!(char, 'a'..='z' | '0'..='9' | '-' | '.')) && !text.is_empty()
        };
        if !is_name(name) || !(is_name(namespace) || namespace.is_empty()) {
            findings.invalid(format!("annotation {DEPENDS_ON_ANNOTATION}: {word:?} names no Application"));
            continue;
        }
        named.push(UnitId(ObjectRef::new(crate::GROUP, "Application", namespace, name)));
    }
    named.sort();
    named.dedup();
    if named.len() > MAX_DEPENDENCIES {
        findings.invalid(format!(
            "annotation {DEPENDS_ON_ANNOTATION} names {} Applications; MAX_DEPENDENCIES is {MAX_DEPENDENCIES}",
            named.len()
        ));
        named.clear();
    }
    named.into()
}
