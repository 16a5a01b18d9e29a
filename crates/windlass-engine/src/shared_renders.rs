//! Renders that replicas share through a bucket.

use std::error::Error;
use std::sync::Arc;

use windlass_render::RenderStore;
use windlass_source::BucketObjects;
use windlass_store::{Bucket, RecordStore, SharedStore};

use crate::config::StoreBucket;
use crate::fetching::SourceStores;

struct Objects(BucketObjects);

type BucketError = Box<dyn Error + Send + Sync>;

impl Bucket for Objects {
    fn names(&self) -> Result<Vec<String>, BucketError> {
        Ok(self.0.names()?)
    }

    fn get(&self, name: &str, limit: u64) -> Result<Option<Vec<u8>>, BucketError> {
        Ok(self.0.get(name, limit)?)
    }

    fn put(&self, name: &str, content: Vec<u8>) -> Result<(), BucketError> {
        Ok(self.0.put(name, content)?)
    }
}

/// The records of this machine, with those of the bucket behind them where there is one that can be used.
pub(crate) fn store(
    records: RecordStore,
    bucket: Option<&StoreBucket>,
    stores: &SourceStores,
) -> Arc<dyn RenderStore> {
    let Some(StoreBucket { url, access, part, secret }) = bucket else { return Arc::new(records) };
    let objects = match stores.bucket_objects(url, access, part.clone()) {
        Ok(objects) => Arc::new(Objects(objects)),
        Err(error) => {
            tracing::warn!(error = %windlass_source::chain(&error), "renders are not shared");
            return Arc::new(records);
        }
    };
    match SharedStore::new(records, objects, secret.expose().as_bytes()) {
        Ok(shared) => Arc::new(shared),
        Err((records, error)) => {
            tracing::warn!(%error, "renders are not shared");
            Arc::new(records)
        }
    }
}
