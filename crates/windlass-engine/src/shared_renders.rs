//! Renders and fetched artifacts that replicas share through a bucket.

use std::error::Error;
use std::sync::Arc;

use windlass_model::Digest;
use windlass_render::RenderStore;
use windlass_source::{BucketObjects, SharedPacks};
use windlass_store::{Bucket, RecordStore, SharedBlobs, SharedStore};

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

struct Packs(SharedBlobs);

impl Packs {
    /// Apart from the keys of renders, which are made of other things.
    fn key(key: &str) -> Digest {
        Digest::of_bytes(format!("pack {key}").as_bytes())
    }
}

impl SharedPacks for Packs {
    fn load(&self, key: &str) -> Option<Vec<u8>> {
        self.0.load(Self::key(key))
    }

    fn save(&self, key: &str, pack: &[u8]) {
        self.0.save(Self::key(key), pack);
    }
}

/// The records of this machine, with those of the bucket behind them where there is one that can be used; fetched
/// artifacts are shared through it, too.
pub(crate) fn store(
    records: RecordStore,
    bucket: Option<&StoreBucket>,
    stores: &SourceStores,
) -> Arc<dyn RenderStore> {
    let Some(bucket) = bucket else { return Arc::new(records) };
    match blobs(bucket, stores) {
        Ok(blobs) => {
            stores.share_packs(Arc::new(Packs(blobs.clone())));
            Arc::new(SharedStore::new(records, blobs))
        }
        Err(error) => {
            tracing::warn!(error, "nothing is shared with other replicas");
            Arc::new(records)
        }
    }
}

fn blobs(bucket: &StoreBucket, stores: &SourceStores) -> Result<SharedBlobs, String> {
    let StoreBucket { url, access, part, secret } = bucket;
    let objects = stores.bucket_objects(url, access, part.clone());
    let objects = objects.map_err(|error| windlass_source::chain(&error))?;
    SharedBlobs::new(Arc::new(Objects(objects)), secret.expose().as_bytes())
        .map_err(|error| error.to_string())
}
