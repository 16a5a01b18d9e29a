//! Prints the CustomResourceDefinitions as YAML: `cargo run -p windlass-argo --example crds | kubectl apply -f -`.

use std::io::Write as _;

fn main() -> std::io::Result<()> {
    let mut out = std::io::stdout().lock();
    for crd in windlass_argo::crds() {
        write!(out, "---\n{}", windlass_yaml::to_yaml(&crd.to_value()))?;
    }
    Ok(())
}
