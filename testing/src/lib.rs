//! Fakes and harnesses as products: a real cluster, a Git server, a webhook recorder.
//!
//! Everything here is the real program, or a real protocol on a real socket, on free loopback ports.
//! Nothing outlives the process that started it: guards clean up when they are dropped, and a keeper
//! process cleans up when the owner panics, is interrupted, or is killed with no chance to say goodbye.
//!
//! | type | what it is |
//! |---|---|
//! | [`Cluster`] | etcd, kube-apiserver, kube-controller-manager, kube-scheduler and kwok; nodes are ready, pods run |
//! | [`Kubectl`] | the real kubectl, against any API that a kubeconfig leads to |
//! | [`GitServer`] | `git http-backend` over HTTP or HTTPS, with authentication, a request log and faults |
//! | [`SshGitServer`] | Git over a real `sshd`, with its own host key and client key |
//! | [`OciRegistry`] | a container registry, with authentication, a request log and faults |
//! | [`FileServer`] | a web server of files with ETags, for Helm repositories and archives |
//! | [`S3Server`] | a bucket of a server that speaks S3 and checks signatures with AWS' own signer |
//! | [`Repository`] | a bare repository that takes commits as fast as `git fast-import` does |
//! | [`WebhookReceiver`] | records the requests it gets, and waits for the n-th |
//! | [`ReviewServer`] | a webhook for admission and conversion, over HTTPS |
//! | [`Proxy`] | an HTTP proxy that remembers where it was asked to go |
//! | [`FaultProxy`] | an API server behind a bad network: late, busy, cut, lost, black holes ([`ApiFaults`]) |
//! | [`Seeded`] | numbers that look random and follow from a seed |
//! | [`SmallDisk`] | a disk that can be filled |
//! | [`Process`] | a program that dies with its guard, and with its owner |
//! | [`Authority`] | a certificate authority of one's own |
//! | [`eventually`] | asks again until it is so, and says what was wrong last if it never is |
//!
//! The servers run on threads of their own, so blocking test code may talk to them.
//!
//! ```no_run
//! # fn main() -> Result<(), windlass_testing::Error> {
//! use windlass_testing::GitServer;
//!
//! let server = GitServer::builder().basic_auth("ada", "s3cret").start()?;
//! let repository = server.repository("team/shop")?;
//! let first = repository.commit("main").file("app/config.yaml", "kind: ConfigMap\n").submit()?;
//! println!("{} is at {first}", server.url("team/shop"));
//! # Ok(())
//! # }
//! ```

mod api_faults;
mod artifact;
mod authority;
mod background;
mod cluster;
mod error;
mod eventually;
pub mod git;
mod keeper;
mod kubectl;
mod port;
mod process;
mod proxy;
mod review;
mod seeded;
mod small_disk;
mod tools;
mod webhook;

pub use api_faults::{
    AnsweredWrite, ApiFault, ApiFaults, BrokenOff, FaultProxy, FaultRule, FaultyBody, Traffic,
};
pub use artifact::{
    FileServer, FileServerBuilder, OciRegistry, OciRegistryBuilder, RegistryAuth, S3Server, WebFault,
    WebRequest,
};
pub use authority::{Authority, Identity};
pub use cluster::{ApiClient, ApiError, Cluster, ClusterBuilder, Namespace, PrivateCluster};
pub use error::{Error, Result};
pub use eventually::{Overdue, eventually, eventually_blocking};
pub use git::{
    CommitBuilder, CommitId, Fault, GitRequest, GitServer, GitServerBuilder, Repository, SshGitServer,
};
pub use kubectl::Kubectl;
pub use port::free_port;
pub use process::{Process, ProcessBuilder};
pub use proxy::Proxy;
pub use review::ReviewServer;
pub use seeded::Seeded;
pub use small_disk::SmallDisk;
pub use tools::{tool, workspace_root};
pub use webhook::{WebhookReceiver, WebhookRequest};
