//! The runtime that the fakes run on, apart from the test's own.
//!
//! A test may block its thread (a Git client that is not async, a child process it waits for) while
//! a fake has to answer; on the test's own single-threaded runtime that would be a deadlock.

use std::sync::OnceLock;
use tokio::runtime::{Builder, Runtime};

/// Two threads: enough to answer one request while another is delayed on purpose.
const THREADS: usize = 2;

/// The runtime of all fakes in this process.
pub(crate) fn runtime() -> &'static Runtime {
    static RUNTIME: OnceLock<Runtime> = OnceLock::new();
    RUNTIME.get_or_init(|| {
        Builder::new_multi_thread()
            .worker_threads(THREADS)
            .thread_name("windlass-testing")
            .enable_all()
            .build()
            .expect("a runtime needs threads and an epoll descriptor, without which no test could run")
    })
}

/// Binds a loopback port that the operating system chooses, on the background runtime.
pub(crate) fn listen() -> crate::Result<(tokio::net::TcpListener, std::net::SocketAddr)> {
    let _guard = runtime().enter();
    let attempt = || crate::Error::io("bind a loopback port");
    let listener = std::net::TcpListener::bind(("127.0.0.1", 0)).map_err(attempt())?;
    listener.set_nonblocking(true).map_err(attempt())?;
    let address = listener.local_addr().map_err(attempt())?;
    Ok((tokio::net::TcpListener::from_std(listener).map_err(attempt())?, address))
}
