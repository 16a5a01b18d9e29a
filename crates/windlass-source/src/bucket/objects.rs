//! Single objects of a bucket, read and written by name.

use reqwest::{Method, StatusCode};

use super::sign::canonical_path;
use super::{BucketPart, Buckets, NO_REGION};
use crate::error::SourceError;

/// The objects of a bucket below a prefix.
///
/// Methods block on the network: call them from a blocking thread.
pub struct BucketObjects {
    buckets: Buckets,
    part: BucketPart,
}

impl BucketObjects {
    pub(crate) fn new(buckets: Buckets, part: BucketPart) -> Self {
        Self { buckets, part }
    }

    fn region(&self) -> &str {
        if self.part.region.is_empty() { NO_REGION } else { &self.part.region }
    }

    fn path(&self, name: &str) -> String {
        canonical_path(&format!("{}/{}{name}", self.part.name, self.part.prefix))
    }

    /// The names of all objects, without the prefix.
    ///
    /// # Errors
    ///
    /// [`SourceError`] when the bucket cannot be listed.
    pub fn names(&self) -> Result<Vec<String>, SourceError> {
        let objects = self.buckets.list(&self.part, self.region())?;
        let names =
            objects.into_keys().filter_map(|key| Some(key.strip_prefix(&self.part.prefix)?.to_owned()));
        Ok(names.collect())
    }

    /// The content of an object of no more than `limit` bytes; `None` when there is none.
    ///
    /// # Errors
    ///
    /// [`SourceError`] when it cannot be read.
    pub fn get(&self, name: &str, limit: u64) -> Result<Option<Vec<u8>>, SourceError> {
        let (reply, anonymous) =
            self.buckets.send(Method::GET, &self.path(name), &[], self.region(), None)?;
        match reply.status() {
            StatusCode::OK => reply.bytes("an object of the bucket", "limit", limit).map(Some),
            StatusCode::NOT_FOUND => Ok(None),
            _ => Err(reply.failure(anonymous, None)),
        }
    }

    /// Puts an object in the place of what has its name.
    ///
    /// # Errors
    ///
    /// [`SourceError`] when the server does not take it.
    pub fn put(&self, name: &str, content: Vec<u8>) -> Result<(), SourceError> {
        let body = Some(("application/octet-stream", content));
        let (reply, anonymous) =
            self.buckets.send(Method::PUT, &self.path(name), &[], self.region(), body)?;
        if reply.status().is_success() { Ok(()) } else { Err(reply.failure(anonymous, None)) }
    }
}
