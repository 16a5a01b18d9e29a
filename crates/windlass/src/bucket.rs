//! How buckets are reached: by the variables that every tool for S3, for Google's and for Azure's buckets knows.

use anyhow::{Context, Result, bail};
use windlass_engine::StoreBucket;
use windlass_model::{BucketAddress, BucketService};
use windlass_source::{
    Access, ArtifactKind, ArtifactUrl, Authentication, BucketPart, GOOGLE_STORAGE_SCOPE, Identity,
    IdentitySource, Secret,
};

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

/// A bucket that an address names, with what the variables say of it.
pub(crate) struct BucketReached {
    /// The server.
    pub(crate) endpoint: String,
    /// What is spoken there.
    pub(crate) kind: ArtifactKind,
    /// What it is reached with.
    pub(crate) access: Access,
    /// The region that requests are signed for.
    pub(crate) region: String,
}

impl BucketReached {
    /// Reads the variables of the service that the address is of.
    pub(crate) fn of_environment(address: &BucketAddress) -> Result<Self> {
        let variable = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
        let else_from = |name: &str| {
            let server = variable(name).filter(|_| !address.names_endpoint);
            server.unwrap_or_else(|| address.endpoint.clone())
        };
        let mut access = Access { credentials_over_http: true, ..Access::default() };
        Ok(match address.service {
            BucketService::S3 => {
                let settings = BucketSettings::of_environment();
                let has_own = address.names_endpoint || !address.region.is_empty();
                let has_variable =
                    variable("AWS_ENDPOINT_URL_S3").or_else(|| variable("AWS_ENDPOINT_URL")).is_some();
                let endpoint = match has_own && (address.names_endpoint || !has_variable) {
                    true => address.endpoint.clone(),
                    false => settings.endpoint.clone(),
                };
                let region = match address.region.is_empty() {
                    true => settings.region.clone(),
                    false => address.region.clone(),
                };
                Self { endpoint, kind: ArtifactKind::Buckets, access: settings.access(), region }
            }
            BucketService::Google => {
                if let Some(token) = variable("GOOGLE_OAUTH_ACCESS_TOKEN") {
                    access.authentication = Authentication::Bearer(Secret::new(token));
                } else if let Some(path) = variable("GOOGLE_APPLICATION_CREDENTIALS") {
                    let key = std::fs::read_to_string(&path)
                        .with_context(|| format!("the credentials in {path} cannot be read"))?;
                    let source = IdentitySource::of_google(Secret::new(key), GOOGLE_STORAGE_SCOPE);
                    access.authentication = Authentication::Identity(Box::new(Identity::new(source)));
                }
                access.credentials_over_http = false;
                let endpoint = else_from("STORAGE_EMULATOR_HOST");
                let kind = ArtifactKind::GoogleBuckets;
                Self { endpoint, kind, access, region: String::new() }
            }
            BucketService::Azure => {
                let mut endpoint = else_from("AZURE_STORAGE_BLOB_ENDPOINT");
                if let Some(signature) = variable("AZURE_STORAGE_SAS_TOKEN") {
                    endpoint = format!("{endpoint}?{}", signature.trim_start_matches('?'));
                }
                if let Some(key) = variable("AZURE_STORAGE_KEY") {
                    let username = address.account.clone();
                    access.authentication = Authentication::Basic { username, password: Secret::new(key) };
                }
                let kind = ArtifactKind::AzureContainers;
                Self { endpoint, kind, access, region: String::new() }
            }
        })
    }
}

/// The bucket and prefix of an address such as `s3://bucket/prefix`.
fn name_and_prefix(address: &str) -> Option<(&str, &str)> {
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
        ..BucketPart::default()
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
