//! How buckets are reached: by the variables that every tool for S3 knows.

use anyhow::{Context, Result, bail};
use windlass_engine::StoreBucket;
use windlass_source::{Access, ArtifactUrl, Authentication, BucketPart, Secret};

/// The variable with what shared renders are sealed with.
const STORE_SECRET: &str = "WINDLASS_STORE_SECRET";

/// What the variables say.
pub(crate) struct BucketSettings {
    /// The server.
    pub(crate) endpoint: String,
    /// The region that requests are signed for.
    pub(crate) region: String,
    key: Option<(String, String)>,
}

impl BucketSettings {
    /// Reads the variables.
    pub(crate) fn of_environment() -> Self {
        let variable = |names: &[&str]| {
            names.iter().find_map(|name| std::env::var(name).ok().filter(|value| !value.is_empty()))
        };
        let region = variable(&["AWS_REGION", "AWS_DEFAULT_REGION"]).unwrap_or_else(|| "us-east-1".into());
        let endpoint = variable(&["AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL"])
            .unwrap_or_else(|| format!("https://s3.{region}.amazonaws.com"));
        let key = variable(&["AWS_ACCESS_KEY_ID"]).zip(variable(&["AWS_SECRET_ACCESS_KEY"]));
        Self { endpoint, region, key }
    }

    /// What the server is reached with.
    pub(crate) fn access(&self) -> Access {
        let authentication = match &self.key {
            Some((id, secret)) => {
                Authentication::Basic { username: id.clone(), password: Secret::new(secret.as_str()) }
            }
            None => Authentication::Anonymous,
        };
        // A signature gives nothing of the key away.
        Access { authentication, credentials_over_http: true, ..Access::default() }
    }
}

/// The bucket and prefix of an address such as `s3://bucket/prefix`.
pub(crate) fn name_and_prefix(address: &str) -> Option<(&str, &str)> {
    let rest = address.strip_prefix("s3://")?;
    Some(rest.split_once('/').unwrap_or((rest, "")))
}

/// The bucket that renders are shared through, with what they are sealed with.
pub(crate) fn store_bucket(address: &str) -> Result<StoreBucket> {
    let secret = std::env::var(STORE_SECRET).unwrap_or_default();
    shared_at(address, &BucketSettings::of_environment(), secret)
}

fn shared_at(address: &str, settings: &BucketSettings, secret: String) -> Result<StoreBucket> {
    let Some((name, prefix)) = name_and_prefix(address).filter(|(name, _)| !name.is_empty()) else {
        bail!("{address} is no bucket; one is s3://NAME or s3://NAME/PREFIX");
    };
    if secret.len() < 32 {
        bail!(
            "renders are shared through a bucket only when they are sealed: set {STORE_SECRET} to at least 32 bytes, \
             the same for all replicas"
        );
    }
    let prefix = match prefix.trim_matches('/') {
        "" => String::new(),
        prefix => format!("{prefix}/"),
    };
    let part = BucketPart {
        name: name.to_owned(),
        region: settings.region.clone(),
        prefix: format!("{prefix}renders/"),
        ignore: String::new(),
    };
    let url = ArtifactUrl::parse(&settings.endpoint)
        .with_context(|| format!("the server of the bucket, {}, cannot be used", settings.endpoint))?;
    Ok(StoreBucket { url, access: settings.access(), part, secret: Secret::new(secret) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_shared_without_a_secret() {
        let shared = |address: &str, secret: &str| {
            let settings =
                BucketSettings { endpoint: "https://s3.example".into(), region: "eu".into(), key: None };
            shared_at(address, &settings, secret.to_owned())
        };
        let long = "0123456789abcdef0123456789abcdef";
        let bucket = shared("s3://cache/team/", long).unwrap();
        assert_eq!((bucket.part.name.as_str(), bucket.part.prefix.as_str()), ("cache", "team/renders/"));
        assert!(!format!("{bucket:?}").contains(long));
        for (address, secret) in [("s3://cache", "short"), ("s3://", long), ("https://cache", long)] {
            assert!(shared(address, secret).is_err(), "{address}");
        }
    }
}
