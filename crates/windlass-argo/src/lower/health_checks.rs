//! The annotation by which an Application tells the health of its objects itself.

use windlass_kube::{Object, Value};
use windlass_model::HealthExpressions;

use super::Findings;

/// Checks of health in CEL for the objects of an Application: a list as Flux's `healthCheckExprs` has it, in YAML.
pub const HEALTH_CHECKS_ANNOTATION: &str = "windlass.dev/health-check-exprs";

/// The most kinds that one Application may have checks for: each of its objects is compared with all of them.
const MAX_HEALTH_CHECKS: usize = 100;

/// What the annotation says; what cannot be read is told.
pub(super) fn health_checks(application: &Object, findings: &mut Findings) -> Box<[HealthExpressions]> {
    let Some(text) = application.annotation(HEALTH_CHECKS_ANNOTATION) else { return Box::default() };
    let mut invalid = |why: String| {
        findings.invalid(format!("annotation {HEALTH_CHECKS_ANNOTATION}: {why}"));
        Box::default()
    };
    let read = match windlass_yaml::load(text) {
        Ok(read) => read,
        Err(error) => return invalid(error.to_string()),
    };
    let Value::Array(list) = &read else { return invalid("is no list".into()) };
    if list.len() > MAX_HEALTH_CHECKS {
        return invalid(format!("has {} checks; MAX_HEALTH_CHECKS is {MAX_HEALTH_CHECKS}", list.len()));
    }
    let mut checks = Vec::with_capacity(list.len());
    for (idx, said) in list.iter().enumerate() {
        let known = ["apiVersion", "kind", "current", "failed", "inProgress"];
        let members = said.as_object().into_iter().flat_map(windlass_kube::Map::iter);
        if let Some((name, _)) = members
            .into_iter()
            .find(|(name, value)| !known.contains(&name.as_str()) || value.as_str().is_none())
        {
            return invalid(format!("[{idx}].{name} is not known, or no text"));
        }
        let text = |key: &str| said.str_at(&[key]).unwrap_or_default().into();
        let check = HealthExpressions {
            api_version: text("apiVersion"),
            kind: text("kind"),
            current: text("current"),
            failed: text("failed"),
            in_progress: text("inProgress"),
        };
        if check.api_version.is_empty() || check.kind.is_empty() || check.current.is_empty() {
            return invalid(format!("[{idx}] needs apiVersion, kind and current"));
        }
        checks.push(check);
    }
    checks.into()
}
