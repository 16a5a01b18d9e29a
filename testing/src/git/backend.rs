//! Running `git http-backend` for one request. See: git-http-backend(1) and RFC 3875, the CGI.

use super::{
    http::{Body, plain},
    repository::git_command,
};
use bytes::Bytes;
use futures_util::{StreamExt, TryStreamExt};
use http_body_util::{BodyExt, BodyStream, StreamBody};
use hyper::{
    Request, Response, StatusCode,
    body::{Frame, Incoming},
    header::{HeaderName, HeaderValue},
};
use std::{io, path::Path, process::Stdio};
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    process::{ChildStdin, Command},
};
use tokio_util::io::ReaderStream;

/// Enough of a request to tell whether it asks for a pack: the command is in its first line, or, before
/// protocol 2, its first line begins with `want`.
const PEEKED_BYTES: usize = 64;

/// What `git http-backend` answered.
pub(super) struct Outcome {
    pub(super) response: Response<Body>,
    /// Whether the request asked for a pack.
    pub(super) fetch: bool,
}

/// Hands a request to `git http-backend`. The answer is streamed, and the program ends with it.
pub(super) async fn run(root: &Path, request: Request<Incoming>, user: Option<&str>) -> io::Result<Outcome> {
    let mut command = Command::from(git_command(root));
    command.arg("http-backend").kill_on_drop(true);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
    command.env("GIT_PROJECT_ROOT", root).env("GIT_HTTP_EXPORT_ALL", "1");
    command.env("PATH_INFO", request.uri().path());
    command.env("QUERY_STRING", request.uri().query().unwrap_or_default());
    command.env("REQUEST_METHOD", request.method().as_str()).env("REMOTE_ADDR", "127.0.0.1");
    let variables = [
        ("content-type", "CONTENT_TYPE"),
        ("content-length", "CONTENT_LENGTH"),
        ("content-encoding", "HTTP_CONTENT_ENCODING"),
        ("git-protocol", "GIT_PROTOCOL"),
    ];
    for (header, variable) in variables {
        if let Some(value) = request.headers().get(header).and_then(|value| value.to_str().ok()) {
            command.env(variable, value);
        }
    }
    if let Some(user) = user {
        command.env("REMOTE_USER", user);
    }
    let is_upload_pack = request.uri().path().ends_with("/git-upload-pack");
    let gzipped = request.headers().get("content-encoding").is_some_and(|value| value == "gzip");
    let mut child = command.spawn()?;
    let input = child.stdin.take().ok_or_else(|| io::Error::other("no standard input"))?;
    let output = child.stdout.take().ok_or_else(|| io::Error::other("no standard output"))?;

    let mut body = BodyStream::new(request.into_body());
    let first = next_piece(&mut body).await?;
    // Clients compress long lists of what they have, which only a fetch sends.
    let fetch = is_upload_pack && (gzipped || asks_for_a_pack(first.as_deref().unwrap_or_default()));
    let feeder = tokio::spawn(feed(input, first, body));

    let mut output = BufReader::new(output);
    let Some(mut response) = read_head(&mut output).await? else {
        feeder.abort();
        return Ok(Outcome {
            response: plain(StatusCode::BAD_GATEWAY, "git http-backend said nothing\n"),
            fetch,
        });
    };
    let pieces =
        ReaderStream::new(output).map_ok(Frame::data).chain(futures_util::stream::once(async move {
            // The last, empty piece owns the program, so that it lives as long as its answer is read.
            let _ = child.wait().await;
            Ok(Frame::data(Bytes::new()))
        }));
    *response.body_mut() = StreamBody::new(pieces).boxed_unsync();
    Ok(Outcome { response, fetch })
}

/// Writes the body of the request to the program. It may stop reading whenever it likes.
async fn feed(mut input: ChildStdin, first: Option<Bytes>, mut body: BodyStream<Incoming>) -> io::Result<()> {
    let mut piece = first;
    while let Some(bytes) = piece {
        input.write_all(&bytes).await?;
        piece = next_piece(&mut body).await?;
    }
    input.shutdown().await
}

async fn next_piece(body: &mut BodyStream<Incoming>) -> io::Result<Option<Bytes>> {
    while let Some(frame) = body.next().await {
        if let Ok(data) = frame.map_err(io::Error::other)?.into_data() {
            return Ok(Some(data));
        }
    }
    Ok(None)
}

fn asks_for_a_pack(body: &[u8]) -> bool {
    let start = &body[..body.len().min(PEEKED_BYTES)];
    let contains = |needle: &[u8]| start.windows(needle.len()).any(|window| window == needle);
    contains(b"command=fetch") || contains(b"want ")
}

/// Reads the header of a CGI answer; `None` when the program ended without one.
async fn read_head(output: &mut (impl AsyncBufReadExt + Unpin)) -> io::Result<Option<Response<Body>>> {
    /// `git http-backend` writes a handful of short lines.
    const LONGEST_HEAD: u64 = 64 * 1024;
    let mut response = plain(StatusCode::OK, "");
    let mut output = output.take(LONGEST_HEAD);
    let mut seen = false;
    loop {
        let mut text = String::new();
        if output.read_line(&mut text).await? == 0 {
            return Ok(None);
        }
        let text = text.trim_end_matches(['\r', '\n']);
        if text.is_empty() {
            return Ok(seen.then_some(response));
        }
        seen = true;
        let Some((name, value)) = text.split_once(": ") else { continue };
        if name.eq_ignore_ascii_case("status") {
            let status = value.split(' ').next().unwrap_or_default().parse().unwrap_or(502);
            *response.status_mut() = StatusCode::from_u16(status).map_err(io::Error::other)?;
            continue;
        }
        let name = name.parse::<HeaderName>().map_err(io::Error::other)?;
        let value = value.parse::<HeaderValue>().map_err(io::Error::other)?;
        response.headers_mut().append(name, value);
    }
}
