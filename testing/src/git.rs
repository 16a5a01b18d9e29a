//! Git repositories and the servers that serve them.
//!
//! The servers are the real ones (`git http-backend`, `sshd` with `git-shell`); only what stands around
//! them is ours: a socket, a lock on the door, a log of who came, and faults on request.

mod backend;
mod http;
mod repository;
mod ssh;

pub use http::{Fault, GitRequest, GitServer, GitServerBuilder};
pub use repository::{CommitBuilder, CommitId, Repository};
pub use ssh::SshGitServer;
