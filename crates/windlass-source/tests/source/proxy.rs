//! A small HTTP front for tests: redirects, forwards one request per connection, or stalls in the middle.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

/// What a [`Front`] does with a request.
#[derive(Clone)]
pub(crate) enum Answer {
    /// Sends the client elsewhere; `{tail}` is replaced by the part of the request's path behind `.git`.
    Redirect(String),
    /// Passes it on, with other words in its first line, and at most this many bytes of the answer.
    Forward { host: String, replacements: Vec<(String, String)>, stall_after: usize },
}

/// A listener on a loopback port; its threads end with the test process.
pub(crate) struct Front {
    port: u16,
    heads: Arc<Mutex<Vec<String>>>,
}

impl Front {
    pub(crate) fn redirecting_to(repository: &str) -> Self {
        Self::answering(Answer::Redirect(format!("{repository}{{tail}}")))
    }

    pub(crate) fn forwarding_to(base_url: &str, replacements: &[(&str, &str)]) -> Self {
        Self::stalling(base_url, replacements, usize::MAX)
    }

    pub(crate) fn stalling(base_url: &str, replacements: &[(&str, &str)], stall_after: usize) -> Self {
        Self::answering(Answer::Forward {
            host: base_url.trim_start_matches("http://").to_string(),
            replacements: replacements.iter().map(|(from, to)| (from.to_string(), to.to_string())).collect(),
            stall_after,
        })
    }

    pub(crate) fn answering(answer: Answer) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let heads = Arc::new(Mutex::new(Vec::new()));
        let log = heads.clone();
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let (answer, log) = (answer.clone(), log.clone());
                thread::spawn(move || serve(client, &answer, &log));
            }
        });
        Self { port, heads }
    }

    pub(crate) fn base_url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    pub(crate) fn url(&self, name: &str) -> String {
        format!("{}/{name}.git", self.base_url())
    }

    /// The heads of the requests so far.
    pub(crate) fn heads(&self) -> Vec<String> {
        self.heads.lock().unwrap().clone()
    }
}

/// Reads one request, answers it, and closes the connection.
fn serve(client: TcpStream, answer: &Answer, log: &Mutex<Vec<String>>) {
    let mut reader = BufReader::new(client.try_clone().unwrap());
    let mut head = String::new();
    let mut length = 0;
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line).unwrap_or(0) == 0 {
            return;
        }
        if line == "\r\n" {
            break;
        }
        if let Some(value) = line.to_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse().unwrap();
        }
        if !line.to_lowercase().starts_with("connection:") {
            head.push_str(&line);
        }
    }
    log.lock().unwrap().push(head.clone());
    let mut body = vec![0; length];
    reader.read_exact(&mut body).unwrap();
    let mut client = client;
    match answer {
        Answer::Redirect(location) => {
            let path = head.split(' ').nth(1).unwrap();
            let tail = path.split_once(".git").map_or("", |(_, tail)| tail);
            let location = location.replace("{tail}", tail);
            let _ = write!(
                client,
                "HTTP/1.1 302 Found\r\nLocation: {location}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
            );
        }
        Answer::Forward { host, replacements, stall_after } => {
            for (from, to) in replacements {
                head = head.replace(from, to);
            }
            let Ok(mut server) = TcpStream::connect(host) else { return };
            // A proxy sends on the path alone.
            let head = match head.split_once(" http://") {
                Some((method, rest)) => format!("{method} /{}", rest.split_once('/').unwrap().1),
                None => head,
            };
            let _ = write!(server, "{head}Connection: close\r\n\r\n");
            let _ = server.write_all(&body);
            let mut left = *stall_after;
            let mut buffer = vec![0; 8192];
            while let Ok(read) = server.read(&mut buffer)
                && read > 0
            {
                let sent = read.min(left);
                if client.write_all(&buffer[..sent]).is_err() {
                    return;
                }
                left -= sent;
                if left == 0 {
                    // Says nothing more and does not hang up either, until the client does.
                    let _ = client.read(&mut buffer);
                    return;
                }
            }
        }
    }
}
