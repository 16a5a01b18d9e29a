//! Fakes and harnesses as products: a real cluster, a Git server, a webhook recorder.
