//! How much of what a registry offers is looked at.

/// Signatures of one artifact that are looked at: anybody who may push adds one, and each costs the work of a public
/// key (CVE-2023-46737). An artifact that is signed again with every build has a few dozen.
pub const MAX_SIGNATURES: usize = 50;

/// The size of a signature, or of the statement that it is of. Statements that hold a list of all packages have a few
/// megabytes.
pub const MAX_SIGNATURE_BYTES: usize = 8 << 20;

/// Reasons that an error gives; more help nobody.
pub const MAX_REASONS: usize = 4;
