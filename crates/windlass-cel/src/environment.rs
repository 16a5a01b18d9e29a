//! What an expression may name, and expressions that were compiled against it.

use crate::check::{Checked, check};
use crate::declaration::Declaration;
use crate::estimate::{Estimate, estimate};
use crate::evaluate::{Outcome, Plan, evaluate};
use crate::problem::Problems;
use crate::types::Type;
use crate::value::Value;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Variables and the types of objects.
#[derive(Clone, Debug, Default)]
pub struct Environment {
    variables: BTreeMap<Arc<str>, Type>,
    declarations: BTreeMap<Arc<str>, Arc<Declaration>>,
    /// Sizes for estimates, by variable.
    roots: BTreeMap<Arc<str>, Arc<Declaration>>,
    /// Whether any name may be read, and types are found out while evaluating.
    is_open: bool,
    /// Whether patches may be made.
    has_patches: bool,
}

/// Why an expression was not compiled.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CompileError {
    /// It is not well formed, or not well typed.
    #[error("{0}")]
    Problems(Problems),
    /// A constant in it cannot be computed, such as a pattern that is none.
    #[error("{0}")]
    Constant(String),
}

/// A compiled expression.
#[derive(Clone, Debug)]
pub struct Program {
    checked: Arc<Checked>,
    plan: Arc<Plan>,
    roots: BTreeMap<Arc<str>, Arc<Declaration>>,
}

impl Environment {
    /// The functions of kube-apiserver, and no variables.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The functions, and variables of any name: nothing is checked before it is evaluated.
    #[must_use]
    pub fn open() -> Self {
        Self { is_open: true, ..Self::default() }
    }

    /// Adds a variable.
    #[must_use]
    pub fn with_variable(mut self, name: &str, ty: Type) -> Self {
        self.variables.insert(name.into(), ty);
        self
    }

    /// Adds the types of which patches are made, `Object`, its fields and `JSONPatch`, and `jsonpatch.escapeKey`.
    #[must_use]
    pub fn with_patches(mut self) -> Self {
        self.has_patches = true;
        self
    }

    /// Whether a type is one that patches are made of.
    pub(crate) fn is_patch_type(&self, name: &str) -> bool {
        self.has_patches && (matches!(name, "Object" | "JSONPatch") || name.starts_with("Object."))
    }

    pub(crate) fn has_patches(&self) -> bool {
        self.has_patches
    }

    /// Adds a variable that a schema describes.
    #[must_use]
    pub fn with_declared(self, name: &str, declaration: &Arc<Declaration>) -> Self {
        let ty = declaration.ty().clone();
        self.with_typed(name, declaration, ty)
    }

    /// Adds a variable that may have no value, and else is as a schema describes.
    #[must_use]
    pub fn with_optional(self, name: &str, declaration: &Arc<Declaration>) -> Self {
        let ty = Type::optional(declaration.ty().clone());
        self.with_typed(name, declaration, ty)
    }

    fn with_typed(mut self, name: &str, declaration: &Arc<Declaration>, ty: Type) -> Self {
        declaration.collect(&mut self.declarations);
        self.roots.insert(name.into(), Arc::clone(declaration));
        self.variables.insert(name.into(), ty);
        self
    }

    pub(crate) fn variable(&self, name: &str) -> Option<&Type> {
        self.variables.get(name)
    }

    pub(crate) fn is_open(&self) -> bool {
        self.is_open
    }

    pub(crate) fn declaration(&self, name: &str) -> Option<&Arc<Declaration>> {
        self.declarations.get(name)
    }

    /// Checks an expression and makes it ready to be evaluated.
    ///
    /// # Errors
    ///
    /// [`CompileError`], worded as cel-go words it.
    pub fn compile(&self, text: &str) -> Result<Program, CompileError> {
        let mut problems = Problems::new(text);
        let tree = crate::syntax::parse(text, &mut problems);
        if !problems.is_empty() {
            return Err(CompileError::Problems(problems));
        }
        let checked = check(tree, self, &mut problems);
        if !problems.is_empty() && !self.is_open {
            return Err(CompileError::Problems(problems));
        }
        let plan = Plan::new(&checked).map_err(CompileError::Constant)?;
        Ok(Program { checked: Arc::new(checked), plan: Arc::new(plan), roots: self.roots.clone() })
    }
}

impl Program {
    /// The type of what it evaluates to.
    #[must_use]
    pub fn ty(&self) -> &Type {
        self.checked.ty(self.checked.tree.root)
    }

    /// Whether it reads a variable.
    #[must_use]
    pub fn reads(&self, variable: &str) -> bool {
        self.checked.variables.iter().any(|name| **name == *variable)
    }

    /// The least and the most that it can cost.
    #[must_use]
    pub fn estimate(&self) -> Estimate {
        estimate(&self.checked, &self.roots)
    }

    /// Evaluates it, with what the variables are, until it has cost more than the limit.
    #[must_use]
    pub fn evaluate(&self, variables: &dyn Fn(&str) -> Option<Value>, limit: u64) -> Outcome {
        evaluate(&self.checked, &self.plan, variables, limit)
    }
}
