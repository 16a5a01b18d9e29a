//! What Windlass serves over HTTP beside the Kubernetes API: metrics, health, webhooks.
