//! One request and its answer, sent when the answer is first read.

use std::future::Future;
use std::io::{self, BufRead, Cursor, Read, Write};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::{Buf, Bytes};
use http::header::HeaderMap;
use reqwest::{Client, Method, Response, StatusCode, Url};

use super::greeting::Listener;
use crate::error::{Message, SourceError};
use crate::transport::FailureSlot;
use crate::transport::runtime::{IoRuntime, Stopped};
use crate::url::RepositoryUrl;

/// What is needed to tell a failed request apart from others.
#[derive(Clone)]
pub(super) struct Account {
    pub(super) repository: RepositoryUrl,
    pub(super) anonymous: bool,
    pub(super) failure: FailureSlot,
    pub(super) limit: Duration,
    pub(super) io: Arc<IoRuntime>,
}

impl Account {
    /// Waits for one step of a request, and tells its failure.
    pub(super) fn wait<T>(&self, step: impl Future<Output = reqwest::Result<T>>) -> io::Result<T> {
        match self.io.wait(self.limit, step) {
            Ok(Ok(result)) => Ok(result),
            Ok(Err(error)) => Err(self.of_request(error)),
            Err(stopped) => Err(self.of_stop(stopped)),
        }
    }

    fn of_stop(&self, stopped: Stopped) -> io::Error {
        self.failure.put(stopped.into_error(&self.repository))
    }

    fn of_request(&self, error: reqwest::Error) -> io::Error {
        self.failure.put(SourceError::of_request(&self.repository.to_string(), error))
    }

    pub(super) fn of_status(&self, status: StatusCode) -> Option<io::Error> {
        if status.is_success() {
            return None;
        }
        let repository = self.repository.to_string();
        let error = match status {
            StatusCode::UNAUTHORIZED => {
                SourceError::AuthenticationFailed { repository, anonymous: self.anonymous }
            }
            StatusCode::FORBIDDEN => SourceError::Forbidden { repository },
            StatusCode::NOT_FOUND | StatusCode::GONE => SourceError::RepositoryNotFound { repository },
            _ if status.is_server_error()
                || matches!(status, StatusCode::TOO_MANY_REQUESTS | StatusCode::REQUEST_TIMEOUT) =>
            {
                SourceError::Unreachable {
                    repository,
                    source: Message::cause(format!("the server answered {status}")),
                }
            }
            _ => SourceError::Protocol {
                repository,
                source: Message::cause(format!("the server answered {status}")),
            },
        };
        Some(self.failure.put(error))
    }

    pub(super) fn of_protocol(&self, text: impl Into<String>) -> io::Error {
        self.failure.put(SourceError::Protocol {
            repository: self.repository.to_string(),
            source: Message::cause(text),
        })
    }
}

/// An answer, and what of its body has arrived and is not read yet.
pub(super) struct Answer {
    /// Where more comes from; `None` where all is here.
    response: Option<Response>,
    pending: Bytes,
    /// Told of what is read, and of the end.
    listener: Option<Listener>,
}

impl Answer {
    fn new(response: Response) -> Self {
        Self { response: Some(response), pending: Bytes::new(), listener: None }
    }

    /// An answer that `listener` is told of.
    pub(super) fn heard(response: Response, listener: Listener) -> Self {
        Self { listener: Some(listener), ..Self::new(response) }
    }

    /// A greeting that was heard before.
    pub(super) fn remembered(body: Bytes) -> Self {
        Self { response: None, pending: body, listener: None }
    }

    fn header_lines(&self) -> Vec<u8> {
        let Some(response) = &self.response else {
            return b"content-type:application/x-git-upload-pack-advertisement\n".to_vec();
        };
        let mut lines = Vec::new();
        for (name, value) in response.headers() {
            lines.extend_from_slice(name.as_str().as_bytes());
            lines.push(b':');
            lines.extend_from_slice(value.as_bytes());
            lines.push(b'\n');
        }
        lines
    }
}

/// A request that is sent when its answer is first read: by then gix has written the whole body.
pub(super) enum Exchange {
    Pending { client: Client, url: Url, headers: HeaderMap, body: Vec<u8> },
    Answered(Answer),
    Failed,
}

#[derive(Clone)]
pub(super) struct Shared {
    exchange: Arc<Mutex<Exchange>>,
    account: Account,
}

impl Shared {
    pub(super) fn new(exchange: Exchange, account: Account) -> Self {
        Self { exchange: Arc::new(Mutex::new(exchange)), account }
    }

    fn with_answer<R>(&self, read: impl FnOnce(&mut Answer) -> io::Result<R>) -> io::Result<R> {
        let mut exchange = self.exchange.lock().unwrap_or_else(PoisonError::into_inner);
        if let Exchange::Pending { .. } = &*exchange
            && let Exchange::Pending { client, url, headers, body } =
                std::mem::replace(&mut *exchange, Exchange::Failed)
        {
            let request = client.request(Method::POST, url).headers(headers).body(body);
            let response = self.account.wait(request.send())?;
            if let Some(error) = self.account.of_status(response.status()) {
                return Err(error);
            }
            *exchange = Exchange::Answered(Answer::new(response));
        }
        match &mut *exchange {
            Exchange::Answered(answer) => read(answer),
            Exchange::Pending { .. } | Exchange::Failed => {
                Err(io::Error::other("the request has failed before"))
            }
        }
    }
}

/// The header lines of an answer.
pub(crate) struct Head {
    shared: Shared,
    lines: Option<Cursor<Vec<u8>>>,
}

impl Head {
    pub(super) fn of(shared: &Shared) -> Self {
        Self { shared: shared.clone(), lines: None }
    }

    fn lines(&mut self) -> io::Result<&mut Cursor<Vec<u8>>> {
        if self.lines.is_none() {
            let lines = self.shared.with_answer(|answer| Ok(answer.header_lines()))?;
            self.lines = Some(Cursor::new(lines));
        }
        Ok(self.lines.get_or_insert_default())
    }
}

impl Read for Head {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.lines()?.read(buffer)
    }
}

impl BufRead for Head {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        self.lines()?.fill_buf()
    }

    fn consume(&mut self, amount: usize) {
        if let Some(lines) = &mut self.lines {
            lines.consume(amount);
        }
    }
}

/// The body of an answer.
pub(crate) struct Body(pub(super) Shared);

impl Read for Body {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let account = &self.0.account;
        self.0.with_answer(|Answer { response, pending, listener }| {
            while pending.is_empty() {
                let piece = match response {
                    Some(response) => account.wait(response.chunk())?,
                    None => None,
                };
                if let Some(listener) = listener {
                    listener.hear(piece.as_deref().unwrap_or_default());
                }
                match piece {
                    Some(piece) => *pending = piece,
                    None => return Ok(0),
                }
            }
            let length = pending.len().min(buffer.len());
            buffer[..length].copy_from_slice(&pending[..length]);
            pending.advance(length);
            Ok(length)
        })
    }
}

/// The body of a request, collected until it is sent: what we ask for is a few lines.
pub(crate) struct PostBody(pub(super) Shared);

impl Write for PostBody {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut exchange = self.0.exchange.lock().unwrap_or_else(PoisonError::into_inner);
        match &mut *exchange {
            Exchange::Pending { body, .. } => {
                body.extend_from_slice(bytes);
                Ok(bytes.len())
            }
            Exchange::Answered(_) | Exchange::Failed => {
                Err(io::Error::other("the request has been sent already"))
            }
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
