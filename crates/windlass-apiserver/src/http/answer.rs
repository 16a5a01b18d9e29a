//! Making HTTP answers: JSON and what is made of it, Status, warnings, compression.

use std::io::Write;

use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use http::{HeaderMap, HeaderValue, Response, StatusCode, header};
use windlass_kube::Value;

use super::accept::Media;
use super::body::Body;
use crate::protobuf;
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

/// An answer of protobuf.
pub(super) fn protobuf(code: u16, bytes: impl Into<Bytes>) -> Response<Body> {
    let mut response = json(code, bytes);
    let media_type = HeaderValue::from_static("application/vnd.kubernetes.protobuf");
    response.headers_mut().insert(header::CONTENT_TYPE, media_type);
    response
}

/// The same answer written otherwise; a stream of events stays as it is, and what is not JSON.
pub(super) async fn in_media(response: Response<Body>, media: Media) -> Response<Body> {
    let is_json = response.headers().get(header::CONTENT_TYPE).is_some_and(|media_type| {
        let media_type = media_type.as_bytes();
        media_type == b"application/json" || media_type.starts_with(b"application/json;")
    });
    let is_packed = response.headers().contains_key(header::CONTENT_ENCODING);
    if media == Media::Json || !is_json || is_packed || !response.body().is_whole() {
        return response;
    }
    let (mut parts, body) = response.into_parts();
    let bytes = match http_body_util::BodyExt::collect(body).await {
        Ok(collected) => collected.to_bytes(),
        Err(never) => match never {},
    };
    let written: Option<Bytes> = serde_json::from_slice::<Value>(&bytes).ok().and_then(|value| match media {
        Media::Json => None,
        Media::Yaml => Some(windlass_yaml::to_yaml(&value).into()),
        // What has no such form stays JSON: a client that could not take that has been refused before.
        Media::Protobuf => protobuf::encode(&value).ok().map(Bytes::from),
    });
    let Some(written) = written else { return Response::from_parts(parts, Body::whole(bytes)) };
    if let Some(content_type) = parts.headers.get_mut(header::CONTENT_TYPE) {
        let said = content_type.to_str().unwrap_or_default();
        let parameters = said.strip_prefix("application/json").unwrap_or_default();
        if let Ok(changed) = HeaderValue::from_str(&format!("{}{parameters}", media.content_type())) {
            *content_type = changed;
        }
    }
    parts.headers.remove(header::CONTENT_LENGTH);
    Response::from_parts(parts, Body::whole(written))
}

/// A document about the keys of tokens, which everybody may keep for an hour.
pub(super) fn public(content_type: &'static str, document: &Value) -> Response<Body> {
    let mut response = value(200, document);
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("public, max-age=3600"));
    response
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

/// An answer, compressed where it is large and the client takes gzip.
pub(super) fn maybe_compressed(response: Response<Body>, accepts_gzip: bool) -> Response<Body> {
    let is_large =
        response.body().whole_bytes().is_some_and(|bytes| accepts_gzip && bytes.len() >= MIN_COMPRESSED);
    if !is_large {
        return response;
    }
    let (mut parts, body) = response.into_parts();
    let Some(compressed) = body.whole_bytes().and_then(|bytes| gzip(bytes).ok()) else {
        return Response::from_parts(parts, body);
    };
    packed(&mut parts.headers);
    Response::from_parts(parts, Body::whole(compressed))
}

fn packed(headers: &mut HeaderMap) {
    headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"));
    headers.insert(header::VARY, HeaderValue::from_static("Accept-Encoding"));
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
    packed(response.headers_mut());
    response
}
