//! Checks written in CEL, as Flux's `healthCheckExprs` has them.
//!
//! An expression sees the object's fields as variables: `status`, `spec`, `metadata`, and whatever else it has at
//! the top. `inProgress` is asked first, then `failed`, then `current`; an object of which none holds is in progress.
//! So is one whose `status.observedGeneration` is not its generation, whatever the expressions say.
//!
//! ```
//! use windlass_assess::cel::{CelCheck, CelStatus};
//! use windlass_kube::{Object, value};
//! let check = CelCheck::new("status.phase == 'Ready'", None, None)?;
//! let object = Object::try_new(value!({
//!     "apiVersion": "example.org/v1", "kind": "Thing", "metadata": {"name": "a"}, "status": {"phase": "Ready"}
//! }))?;
//! assert_eq!(check.status(&object)?, CelStatus::Current);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

use windlass_cel::{Environment, Program};
use windlass_kube::{GroupKind, Object, Str, Value};
use windlass_model::{Health, HealthExpressions, HealthStatus};

use crate::Check;

/// What one expression may cost: ten times what kube-apiserver lets a rule cost. Flux has only its timeout.
pub const MAX_COST: u64 = 10_000_000;

/// What the expressions say of an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CelStatus {
    /// It is as declared.
    Current,
    /// It failed.
    Failed,
    /// It is on its way.
    InProgress,
}

/// Why expressions say nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CelError {
    /// The one that is needed is not there.
    #[error("expression Current not specified")]
    NoCurrent,
    /// It cannot be read.
    #[error("failed to parse the expression {name}: {problem}")]
    Parse {
        /// Which of the three.
        name: &'static str,
        /// What is wrong with it.
        problem: String,
    },
    /// It has no value for this object.
    #[error("failed to evaluate the CEL expression '{expression}': {problem}")]
    Evaluate {
        /// The expression.
        expression: String,
        /// What went wrong.
        problem: String,
    },
    /// Its value is neither true nor false.
    #[error("failed to evaluate CEL expression as boolean: '{0}'")]
    NotBoolean(String),
    /// Checks are given in another form than a list of apiVersion, kind and expressions.
    #[error("a check needs apiVersion, kind and current")]
    Form,
}

/// The expressions for objects of a kind.
#[derive(Debug, Clone)]
pub struct CelCheck {
    in_progress: Option<Expression>,
    failed: Option<Expression>,
    current: Expression,
}

#[derive(Debug, Clone)]
struct Expression {
    text: Str,
    program: Program,
}

impl Expression {
    fn parse(name: &'static str, text: &str) -> Result<Self, CelError> {
        match Environment::open().compile(text) {
            Ok(program) => Ok(Self { text: text.into(), program }),
            Err(error) => Err(CelError::Parse {
                name,
                problem: format!("failed to parse the CEL expression '{text}': {error}"),
            }),
        }
    }

    fn holds(&self, object: &Object) -> Result<bool, CelError> {
        let value = object.to_value();
        let variables = |name: &str| value.get(name).map(windlass_cel::Value::from_json);
        match self.program.evaluate(&variables, MAX_COST).value {
            Ok(windlass_cel::Value::Bool(holds)) => Ok(holds),
            Ok(_) => Err(CelError::NotBoolean(self.text.to_string())),
            Err(fault) => {
                Err(CelError::Evaluate { expression: self.text.to_string(), problem: fault.to_string() })
            }
        }
    }
}

impl CelCheck {
    /// Reads expressions; an empty one is none.
    ///
    /// # Errors
    ///
    /// [`CelError`], in Flux's words.
    pub fn new(current: &str, failed: Option<&str>, in_progress: Option<&str>) -> Result<Self, CelError> {
        if current.is_empty() {
            return Err(CelError::NoCurrent);
        }
        let parse = |name, text: Option<&str>| match text {
            None | Some("") => Ok(None),
            Some(text) => Expression::parse(name, text).map(Some),
        };
        Ok(Self {
            current: Expression::parse("Current", current)?,
            failed: parse("Failed", failed)?,
            in_progress: parse("InProgress", in_progress)?,
        })
    }

    /// What the expressions say of an object.
    ///
    /// # Errors
    ///
    /// [`CelError`] when one that is asked has no value; in Flux, too, the health is then not told.
    pub fn status(&self, object: &Object) -> Result<CelStatus, CelError> {
        let number = |path: &[&str]| match object.at(path) {
            Some(Value::Int(number)) => Some(*number),
            _ => None,
        };
        if let (Some(observed), Some(generation)) =
            (number(&["status", "observedGeneration"]), number(&["metadata", "generation"]))
            && observed != generation
        {
            return Ok(CelStatus::InProgress);
        }
        let asked = [
            (self.in_progress.as_ref(), CelStatus::InProgress),
            (self.failed.as_ref(), CelStatus::Failed),
            (Some(&self.current), CelStatus::Current),
        ];
        for (expression, status) in asked {
            if let Some(expression) = expression
                && expression.holds(object)?
            {
                return Ok(status);
            }
        }
        Ok(CelStatus::InProgress)
    }
}

impl Check for CelCheck {
    /// An expression that has no value leaves the health Unknown, and says why.
    fn assess(&self, object: &Object) -> Option<Health> {
        Some(match self.status(object) {
            Ok(CelStatus::Current) => Health::new(HealthStatus::Healthy, ""),
            Ok(CelStatus::Failed) => Health::new(HealthStatus::Degraded, ""),
            Ok(CelStatus::InProgress) => Health::new(HealthStatus::Progressing, ""),
            Err(error) => Health::new(HealthStatus::Unknown, error.to_string()),
        })
    }
}

/// The checks of a `healthCheckExprs`, by apiVersion and kind.
#[derive(Debug, Clone, Default)]
pub struct CelChecks {
    checks: Vec<(Str, Str, CelCheck)>,
}

impl CelChecks {
    /// Reads a list as it stands in a Kustomization or a HelmRelease, or an object that has one in its spec.
    ///
    /// # Errors
    ///
    /// [`CelError`] of the first check that cannot be read.
    pub fn read(value: &Value) -> Result<Self, CelError> {
        let list = [&["spec", "healthCheckExprs"][..], &["healthCheckExprs"][..]];
        let list = list.into_iter().find_map(|path| value.at(path)).unwrap_or(value);
        let list = list.as_array().ok_or(CelError::Form)?;
        let mut checks = Vec::new();
        for check in list.as_slice() {
            let text = |key: &str| check.str_at(&[key]);
            let (Some(version), Some(kind)) = (text("apiVersion"), text("kind")) else {
                return Err(CelError::Form);
            };
            let made =
                CelCheck::new(text("current").unwrap_or_default(), text("failed"), text("inProgress"))?;
            checks.push((version.into(), kind.into(), made));
        }
        Ok(Self { checks })
    }

    /// Reads checks that were taken apart already.
    ///
    /// # Errors
    ///
    /// [`CelError`] of the first check that cannot be read.
    pub fn of(said: &[HealthExpressions]) -> Result<Self, CelError> {
        let checks = said.iter().map(|said| {
            let made = CelCheck::new(&said.current, Some(&said.failed), Some(&said.in_progress))?;
            Ok((said.api_version.clone(), said.kind.clone(), made))
        });
        Ok(Self { checks: checks.collect::<Result<_, CelError>>()? })
    }

    /// The kinds that there are checks for.
    pub fn kinds(&self) -> impl Iterator<Item = GroupKind> {
        self.checks.iter().map(|(version, kind, _)| {
            let group = version.split_once('/').map_or("", |(group, _)| group);
            GroupKind::new(group, kind.clone())
        })
    }
}

impl Check for CelChecks {
    fn assess(&self, object: &Object) -> Option<Health> {
        let (_, _, check) = self
            .checks
            .iter()
            .find(|(version, kind, _)| *version == object.api_version() && *kind == object.kind())?;
        check.assess(object)
    }
}
