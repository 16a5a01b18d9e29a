//! Making HTTP answers: JSON, Status, warnings, compression.

use std::io::Write;

use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use http::{HeaderValue, Response, StatusCode, header};
use windlass_kube::Value;

use super::body::Body;
use crate::status::Status;

/// From which size answers are compressed where the client takes it; kube-apiserver's own threshold.
const MIN_COMPRESSED: usize = 128 << 10;

pub(super) fn json_bytes(value: &Value) -> Bytes {
    serde_json::to_vec(value).expect("writing to memory cannot fail").into()
}

/// An answer of JSON.
pub(super) fn json(code: u16, bytes: impl Into<Bytes>) -> Response<Body> {
    let mut response = Response::new(Body::whole(bytes));
    *response.status_mut() = StatusCode::from_u16(code).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache, private"));
    response
}

pub(super) fn value(code: u16, value: &Value) -> Response<Body> {
    json(code, json_bytes(value))
}

pub(super) fn text(code: u16, text: impl Into<String>) -> Response<Body> {
    let mut response = json(code, text.into());
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    response
}

/// Nothing.
pub(super) fn nothing() -> Response<Body> {
    let mut response = Response::new(Body::whole(Bytes::new()));
    *response.status_mut() = StatusCode::NO_CONTENT;
    response
}

/// A refusal.
pub(super) fn status(status: &Status) -> Response<Body> {
    let mut response = value(status.code, &status.to_value());
    if status.details.retry_after_seconds > 0 {
        let seconds = HeaderValue::from(status.details.retry_after_seconds);
        response.headers_mut().insert(header::RETRY_AFTER, seconds);
    }
    warn(response, &status.details.warnings)
}

/// The same answer in YAML; a stream of events stays as it is.
pub(super) async fn in_yaml(response: Response<Body>) -> Response<Body> {
    if !response.body().is_whole() {
        return response;
    }
    let is_json = response
        .headers()
        .get(header::CONTENT_TYPE)
        .is_some_and(|media_type| media_type.as_bytes().starts_with(b"application/json"));
    if !is_json {
        return response;
    }
    let (mut parts, body) = response.into_parts();
    let bytes = match http_body_util::BodyExt::collect(body).await {
        Ok(collected) => collected.to_bytes(),
        Err(never) => match never {},
    };
    match serde_json::from_slice::<Value>(&bytes) {
        Ok(value) => {
            parts.headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/yaml"));
            parts.headers.remove(header::CONTENT_LENGTH);
            Response::from_parts(parts, Body::whole(windlass_yaml::to_yaml(&value)))
        }
        Err(_) => Response::from_parts(parts, Body::whole(bytes)),
    }
}

/// Adds warnings as RFC 7234 writes them.
pub(super) fn warn(mut response: Response<Body>, warnings: &[String]) -> Response<Body> {
    for warning in warnings {
        let quoted = warning.replace('\\', "\\\\").replace('"', "\\\"");
        if let Ok(header) = HeaderValue::from_str(&format!("299 - \"{quoted}\"")) {
            response.headers_mut().append(header::WARNING, header);
        }
    }
    response
}

/// JSON, compressed where it is large and the client takes gzip.
pub(super) fn maybe_compressed(code: u16, bytes: Bytes, accepts_gzip: bool) -> Response<Body> {
    if !accepts_gzip || bytes.len() < MIN_COMPRESSED {
        return json(code, bytes);
    }
    match gzip(&bytes) {
        Ok(compressed) => gzipped(code, compressed),
        Err(_) => json(code, bytes),
    }
}

/// Compresses bytes, quickly rather than well.
pub(super) fn gzip(bytes: &[u8]) -> std::io::Result<Bytes> {
    let mut encoder = GzEncoder::new(Vec::with_capacity(bytes.len() / 4), Compression::fast());
    encoder.write_all(bytes)?;
    Ok(encoder.finish()?.into())
}

/// JSON that is compressed already.
pub(super) fn gzipped(code: u16, compressed: Bytes) -> Response<Body> {
    let mut response = json(code, compressed);
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"));
    headers.insert(header::VARY, HeaderValue::from_static("Accept-Encoding"));
    response
}
