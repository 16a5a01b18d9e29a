//! Prints the CustomResourceDefinitions of the dialect, one JSON document a line.

use std::io::Write as _;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    for definition in windlass_argo::crds() {
        writeln!(std::io::stdout(), "{}", serde_json::to_string(&windlass_kube::Value::from(definition))?)?;
    }
    Ok(())
}
