//! The digest by which a lock knows the dependencies it was made for.

use sha2::{Digest, Sha256};
use windlass_yaml::Value;
use windlass_yaml::json::{self, JsonStyle};

use crate::chart::Dependency;

/// The digest that Helm 3 and 4 write into a lock: of the dependencies as declared and as locked.
pub(super) fn of_lock(declared: &[Dependency], locked: &[Dependency]) -> String {
    let mut text = String::from("[");
    list(declared, &mut text);
    text.push(',');
    list(locked, &mut text);
    text.push(']');
    shown(&text)
}

/// The digest that Helm 2 wrote, of what is declared alone; charts of `apiVersion: v1` may still have it.
pub(super) fn of_helm_2(declared: &[Dependency]) -> String {
    let mut text = String::from("{\"dependencies\":");
    list(declared, &mut text);
    text.push('}');
    shown(&text)
}

fn shown(text: &str) -> String {
    let hex: String = Sha256::digest(text.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect();
    format!("sha256:{hex}")
}

fn list(dependencies: &[Dependency], into: &mut String) {
    into.push('[');
    for (idx, dependency) in dependencies.iter().enumerate() {
        if idx > 0 {
            into.push(',');
        }
        member(dependency, into);
    }
    into.push(']');
}

/// A dependency as `encoding/json` prints Helm's struct: its fields in their order, most of them left out when empty.
fn member(dependency: &Dependency, into: &mut String) {
    let texts = |texts: &[_]| Value::from(texts.iter().cloned().map(Value::String).collect::<Vec<_>>());
    let fields = [
        ("name", Some(Value::String(dependency.name.clone()))),
        ("version", text(&dependency.version)),
        ("repository", Some(Value::String(dependency.repository.clone()))),
        ("condition", text(&dependency.condition)),
        ("tags", (!dependency.tags.is_empty()).then(|| texts(&dependency.tags))),
        ("enabled", dependency.enabled.then_some(Value::Bool(true))),
        (
            "import-values",
            (!dependency.written_imports.is_empty()).then(|| Value::from(dependency.written_imports.clone())),
        ),
        ("alias", text(&dependency.alias)),
    ];
    let mut separator = '{';
    for (name, value) in fields {
        let Some(value) = value else { continue };
        into.push(separator);
        separator = ',';
        into.push('"');
        into.push_str(name);
        into.push_str("\":");
        json::write(&value, JsonStyle::default(), into);
    }
    into.push('}');
}

fn text(text: &windlass_yaml::Str) -> Option<Value> {
    (!text.is_empty()).then(|| Value::String(text.clone()))
}
