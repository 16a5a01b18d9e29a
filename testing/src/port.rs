//! Ports for programs that cannot be asked to choose one themselves.

use crate::{Error, Result};
use std::net::TcpListener;

/// Finds a loopback port on which nothing listens.
///
/// The port is free when this returns and may be taken a moment later: prefer port zero where the
/// program supports it, and try again with another port where it does not.
///
/// # Errors
/// When no loopback port can be bound at all.
pub fn free_port() -> Result<u16> {
    let attempt = || Error::io("find a free loopback port");
    let listener = TcpListener::bind(("127.0.0.1", 0)).map_err(attempt())?;
    Ok(listener.local_addr().map_err(attempt())?.port())
}
