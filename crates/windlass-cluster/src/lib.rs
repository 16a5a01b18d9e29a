//! The client side of a Kubernetes API: raw requests, discovery, watches, leases.
