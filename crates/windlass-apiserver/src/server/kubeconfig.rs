//! The file that tells clients where the server is and who they are.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use windlass_kube::value;

/// A kubeconfig with one cluster, one user and one context; JSON, which is YAML.
pub(super) fn kubeconfig(url: &str, ca_pem: &str, certificate_pem: &str, key_pem: &str) -> String {
    let encode = |text: &str| STANDARD.encode(text);
    let config = value!({
        "apiVersion": "v1", "kind": "Config", "current-context": "windlass",
        "clusters": [{"name": "windlass", "cluster": {"server": url, "certificate-authority-data": (encode(ca_pem))}}],
        "users": [{"name": "windlass", "user": {
            "client-certificate-data": (encode(certificate_pem)), "client-key-data": (encode(key_pem))
        }}],
        "contexts": [{"name": "windlass", "context": {"cluster": "windlass", "user": "windlass"}}]
    });
    format!("{config:?}\n")
}
