//! What expressions of policies may name, and compiling them.

use std::sync::{Arc, LazyLock};

use windlass_cel::{CompileError, Declaration, Environment, Program, Type};
use windlass_kube::Value;

/// A compiled expression, or why it could not be compiled.
pub(crate) type Outcome = Result<Program, String>;

/// Which variables there are besides the object, what it was, the request and the namespace.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Scope {
    pub(crate) params: bool,
    pub(crate) authorizer: bool,
    /// Whether patches may be made.
    pub(crate) patches: bool,
}

/// Compiles the expressions of one policy, in their order: later ones may use the variables of earlier ones.
#[derive(Debug)]
pub(crate) struct Compiler {
    variables: Vec<(Arc<str>, Arc<Declaration>)>,
    /// Whether `variables` may be named.
    composes: bool,
}

impl Compiler {
    /// For expressions without variables of their own.
    pub(crate) fn plain() -> Self {
        Self { variables: Vec::new(), composes: false }
    }

    /// For expressions with variables of their own.
    pub(crate) fn composing() -> Self {
        Self { variables: Vec::new(), composes: true }
    }

    /// Compiles what must have one of some types; any where there are none.
    pub(crate) fn compile(&self, text: &str, scope: Scope, expected: &[Type]) -> Outcome {
        let program = self.environment(scope).compile(text).map_err(|error| match error {
            CompileError::Problems(problems) => format!("compilation failed: {problems}"),
            CompileError::Constant(message) => format!("program instantiation failed: {message}"),
        })?;
        if expected.is_empty() || expected.contains(program.ty()) {
            return Ok(program);
        }
        let found = shown(program.ty());
        Err(match expected {
            [only] => format!("must evaluate to {} but got {found}", shown(only)),
            several => {
                let several: Vec<String> = several.iter().map(shown).collect();
                format!("must evaluate to one of [{}] but got {found}", several.join(" "))
            }
        })
    }

    /// Compiles a variable, which the expressions after it may use.
    pub(crate) fn variable(&mut self, name: &str, text: &str, params: bool) -> Outcome {
        let outcome = self.compile(text, Scope { params, authorizer: true, patches: false }, &[]);
        let declared = match &outcome {
            Ok(program) => declaration(program.ty()),
            Err(_) => Declaration::simple(Type::Dyn),
        };
        self.variables.push((name.into(), declared));
        outcome
    }

    /// Compiles all variables of a policy.
    pub(super) fn variables(&mut self, variables: &[Value], params: bool) -> Arc<[(Arc<str>, Outcome)]> {
        let text = |variable: &Value, key: &str| variable.str_at(&[key]).unwrap_or_default().to_owned();
        let compiled = variables.iter().map(|variable| {
            let name = text(variable, "name");
            let program = self.variable(&name, &text(variable, "expression"), params);
            (name.into(), program)
        });
        compiled.collect()
    }

    fn environment(&self, scope: Scope) -> Environment {
        let mut environment = Environment::new()
            .with_variable("object", Type::Dyn)
            .with_variable("oldObject", Type::Dyn)
            .with_declared("namespaceObject", &NAMESPACE)
            .with_declared("request", &REQUEST);
        if scope.params {
            environment = environment.with_variable("params", Type::Dyn);
        }
        if scope.authorizer {
            let opaque = |name: &str| Type::Struct(name.into());
            environment = environment
                .with_variable("authorizer", opaque("kubernetes.authorization.Authorizer"))
                .with_variable(
                    "authorizer.requestResource",
                    opaque("kubernetes.authorization.ResourceCheck"),
                );
        }
        if scope.patches {
            environment = environment.with_patches();
        }
        if self.composes {
            let fields = self.variables.iter().map(|(name, declared)| (&**name, declared.clone())).collect();
            environment =
                environment.with_declared("variables", &Declaration::object("kubernetes.variables", fields));
        }
        environment
    }
}

fn shown(ty: &Type) -> String {
    match ty {
        Type::Null => "null_type".to_owned(),
        other => other.to_string(),
    }
}

/// What a variable of a type is declared as: kube-apiserver keeps simple types, lists and maps.
fn declaration(ty: &Type) -> Arc<Declaration> {
    match ty {
        Type::List(item) => Declaration::list_of(declaration(item)),
        Type::Map(pair) if pair.0 == Type::String => Declaration::map_of(declaration(&pair.1)),
        Type::Bool
        | Type::Bytes
        | Type::Double
        | Type::Duration
        | Type::Int
        | Type::Null
        | Type::String
        | Type::Timestamp
        | Type::Uint => Declaration::simple(ty.clone()),
        _ => Declaration::simple(Type::Dyn),
    }
}

fn text() -> Arc<Declaration> {
    Declaration::simple(Type::String)
}

fn texts() -> Arc<Declaration> {
    Declaration::list_of(text())
}

static REQUEST: LazyLock<Arc<Declaration>> = LazyLock::new(|| {
    let kind = Declaration::object(
        "kubernetes.GroupVersionKind",
        vec![("group", text()), ("version", text()), ("kind", text())],
    );
    let resource = Declaration::object(
        "kubernetes.GroupVersionResource",
        vec![("group", text()), ("version", text()), ("resource", text())],
    );
    let user = Declaration::object(
        "kubernetes.UserInfo",
        vec![
            ("username", text()),
            ("uid", text()),
            ("groups", texts()),
            ("extra", Declaration::map_of(texts())),
        ],
    );
    Declaration::object(
        "kubernetes.AdmissionRequest",
        vec![
            ("kind", kind.clone()),
            ("resource", resource.clone()),
            ("subResource", text()),
            ("requestKind", kind),
            ("requestResource", resource),
            ("requestSubResource", text()),
            ("name", text()),
            ("namespace", text()),
            ("operation", text()),
            ("userInfo", user),
            ("dryRun", Declaration::simple(Type::Bool)),
            ("options", Declaration::simple(Type::Dyn)),
        ],
    )
});

static NAMESPACE: LazyLock<Arc<Declaration>> = LazyLock::new(|| {
    let time = || Declaration::simple(Type::Timestamp);
    let int = || Declaration::simple(Type::Int);
    let labels = || Declaration::map_of(text());
    let condition = Declaration::object(
        "kubernetes.NamespaceCondition",
        vec![
            ("status", text()),
            ("type", text()),
            ("lastTransitionTime", time()),
            ("message", text()),
            ("reason", text()),
        ],
    );
    let status = Declaration::object(
        "kubernetes.NamespaceStatus",
        vec![("conditions", Declaration::list_of(condition)), ("phase", text())],
    );
    let metadata = Declaration::object(
        "kubernetes.NamespaceMetadata",
        vec![
            ("name", text()),
            ("generateName", text()),
            ("namespace", text()),
            ("labels", labels()),
            ("annotations", labels()),
            ("UID", text()),
            ("creationTimestamp", time()),
            ("deletionGracePeriodSeconds", int()),
            ("deletionTimestamp", time()),
            ("generation", int()),
            ("resourceVersion", text()),
            ("finalizers", texts()),
        ],
    );
    let spec = Declaration::object("kubernetes.NamespaceSpec", vec![("finalizers", texts())]);
    Declaration::object(
        "kubernetes.Namespace",
        vec![("metadata", metadata), ("spec", spec), ("status", status)],
    )
});
