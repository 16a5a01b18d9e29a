//! A server that speaks S3, and checks signatures with the signer of AWS' own SDK.

use crate::{Error, Result, tool};
use std::{
    io::{BufRead, BufReader, Read, Write},
    net::TcpStream,
    process::{Child, Command, Stdio},
};

/// The program `s3` of `tools/`, with one bucket in memory, called [`S3Server::BUCKET`].
///
/// Reading needs a signature by [`S3Server::KEY`] and [`S3Server::SECRET`]; writing needs a right one or none at all, so
/// that a test can fill the bucket.
#[derive(Debug)]
pub struct S3Server {
    child: Child,
    address: String,
}

impl S3Server {
    /// The bucket that there is.
    pub const BUCKET: &'static str = "apps";
    /// The access key that it knows.
    pub const KEY: &'static str = "KEY";
    /// The secret of the access key.
    pub const SECRET: &'static str = "hunter2";

    /// Starts a server on a loopback port.
    ///
    /// # Errors
    /// When the program is not installed, or does not start.
    pub fn start() -> Result<Self> {
        let cannot = || Error::io("start the server s3");
        let mut child = Command::new(tool("s3")?)
            .args([Self::BUCKET, Self::KEY, Self::SECRET])
            // It ends when this end of the pipe is closed.
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .map_err(cannot())?;
        let mut address = String::new();
        if let Some(output) = child.stdout.take() {
            BufReader::new(output).read_line(&mut address).map_err(cannot())?;
        }
        Ok(Self { child, address: address.trim().to_owned() })
    }

    /// The address of the server, without a slash at the end.
    pub fn base_url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Puts an object in the place of what has its key, which is written as in an address.
    ///
    /// # Errors
    /// When the server cannot be reached, or does not take it.
    pub fn put(&self, key: &str, content: impl AsRef<[u8]>) -> Result<()> {
        self.send("PUT", key, content.as_ref())
    }

    /// Takes an object away.
    ///
    /// # Errors
    /// When the server cannot be reached, or refuses.
    pub fn delete(&self, key: &str) -> Result<()> {
        self.send("DELETE", key, b"")
    }

    fn send(&self, method: &str, key: &str, content: &[u8]) -> Result<()> {
        let cannot = || Error::io(format!("{method} {key} at the server s3"));
        let mut stream = TcpStream::connect(&self.address).map_err(cannot())?;
        let head = format!(
            "{method} /{}/{key} HTTP/1.1\r\nHost: {}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
            Self::BUCKET,
            self.address,
            content.len()
        );
        stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(content)).map_err(cannot())?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).map_err(cannot())?;
        if answer.starts_with("HTTP/1.1 2") {
            return Ok(());
        }
        let line = answer.lines().next().unwrap_or("nothing").to_owned();
        Err(cannot()(std::io::Error::other(format!("it answered {line}"))))
    }
}

impl Drop for S3Server {
    fn drop(&mut self) {
        // Both fail only when it has ended.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
