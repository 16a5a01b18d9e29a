//! Addresses of buckets: `s3://NAME/PREFIX?endpoint=…&region=…`, `gs://NAME/PREFIX`, `az://ACCOUNT/CONTAINER/PREFIX`.

/// Where objects are, as one address says it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BucketAddress {
    /// What is spoken there.
    pub service: BucketService,
    /// The address of the server, without a slash at the end.
    pub endpoint: String,
    /// Whether the address itself names the server, and it is not the one that everybody means.
    pub names_endpoint: bool,
    /// The bucket; of Azure's the container.
    pub name: String,
    /// The account of Azure's; otherwise empty.
    pub account: String,
    /// The folder in the bucket, without slashes around it; may be empty.
    pub prefix: String,
    /// The region of S3; may be empty.
    pub region: String,
}

/// What a server of objects speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum BucketService {
    /// S3, of Amazon and many others.
    S3,
    /// The JSON API of Google Cloud Storage.
    Google,
    /// Azure's Blob service.
    Azure,
}

/// Why an address is none of a bucket.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BucketAddressError {
    /// It begins otherwise.
    #[error("an address of a bucket begins with s3://, gs:// or az://")]
    Scheme,
    /// It names no bucket, or one that no service would take.
    #[error("the address names no bucket: a name has letters, digits, -, . and _")]
    Name,
    /// Its folder is none, or is written with escapes.
    #[error("the folder of a bucket is written as it is, without . and .. and the letters %, # and \\")]
    Folder,
    /// There is something else behind the question mark.
    #[error("the address of a bucket has no parameters but endpoint and region")]
    Parameter,
    /// The server's address is none.
    #[error(
        "the endpoint of a bucket is an address such as https://s3.example.org, without a user or a query"
    )]
    Endpoint,
}

impl BucketAddress {
    /// Whether a text is meant as the address of a bucket.
    #[must_use]
    pub fn is_meant(text: &str) -> bool {
        service(text).is_some()
    }

    /// Reads an address.
    ///
    /// # Errors
    ///
    /// [`BucketAddressError`] says what is wrong without repeating the address.
    pub fn parse(text: &str) -> Result<Self, BucketAddressError> {
        let (service, rest) = service(text.trim()).ok_or(BucketAddressError::Scheme)?;
        let (place, query) = rest.split_once('?').unwrap_or((rest, ""));
        let (mut endpoint, mut region) = (String::new(), String::new());
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            let (key, value) = pair.split_once('=').ok_or(BucketAddressError::Parameter)?;
            let value = decoded(value).ok_or(BucketAddressError::Parameter)?;
            match key {
                "endpoint" if is_server(&value) => endpoint = value.trim_end_matches('/').to_owned(),
                "endpoint" => return Err(BucketAddressError::Endpoint),
                "region" if is_name(&value) => region = value,
                _ => return Err(BucketAddressError::Parameter),
            }
        }
        let mut parts = place.trim_end_matches('/').split('/');
        let account = match service {
            BucketService::Azure => parts.next().unwrap_or_default(),
            BucketService::S3 | BucketService::Google => "",
        };
        let name = parts.next().unwrap_or_default();
        let has_account = service != BucketService::Azure || is_name(account);
        if !is_name(name) || !has_account {
            return Err(BucketAddressError::Name);
        }
        let folders: Vec<&str> = parts.filter(|part| !part.is_empty()).collect();
        // Nothing that a reader of addresses would take for another one.
        let is_odd = |letter: char| letter.is_control() || matches!(letter, '%' | '#' | '\\');
        if folders.iter().any(|folder| matches!(*folder, "." | "..") || folder.contains(is_odd)) {
            return Err(BucketAddressError::Folder);
        }
        let names_endpoint = !endpoint.is_empty();
        if !names_endpoint {
            endpoint = match service {
                BucketService::S3 if region.is_empty() => "https://s3.us-east-1.amazonaws.com".into(),
                BucketService::S3 => format!("https://s3.{region}.amazonaws.com"),
                BucketService::Google => "https://storage.googleapis.com".into(),
                BucketService::Azure => format!("https://{account}.blob.core.windows.net"),
            };
        }
        Ok(Self {
            service,
            endpoint,
            names_endpoint,
            name: name.into(),
            account: account.into(),
            prefix: folders.join("/"),
            region,
        })
    }

    /// The same as an address on the web, which tells every bucket of every server from others: what credentials are for.
    #[must_use]
    pub fn on_the_web(&self) -> String {
        let Self { endpoint, name, prefix, .. } = self;
        let slash = if prefix.is_empty() { "" } else { "/" };
        format!("{endpoint}/{name}{slash}{prefix}")
    }
}

fn service(text: &str) -> Option<(BucketService, &str)> {
    let of = |scheme: &str, service| text.strip_prefix(scheme).map(|rest| (service, rest));
    of("s3://", BucketService::S3)
        .or_else(|| of("gs://", BucketService::Google))
        .or_else(|| of("az://", BucketService::Azure))
}

/// Whether a text can be the name of a bucket, an account or a region, and nothing that leads elsewhere.
fn is_name(text: &str) -> bool {
    let is_letter = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_');
    text.bytes().all(is_letter) && text.bytes().any(|byte| byte.is_ascii_alphanumeric())
}

fn is_server(text: &str) -> bool {
    let rest = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"));
    rest.is_some_and(|rest| {
        !rest.is_empty() && rest.bytes().all(|byte| byte.is_ascii_graphic() && !b"?#@\\".contains(&byte))
    })
}

/// Text with `%XX` resolved; `None` where that is no text.
fn decoded(text: &str) -> Option<String> {
    let mut out = Vec::with_capacity(text.len());
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        if byte != b'%' {
            out.push(byte);
            continue;
        }
        let mut digit = || bytes.next().and_then(|byte| char::from(byte).to_digit(16));
        let (high, low) = (digit()?, digit()?);
        out.push(u8::try_from(high * 16 + low).ok()?);
    }
    String::from_utf8(out).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read() {
        for (text, expected, region) in [
            ("s3://apps", "https://s3.us-east-1.amazonaws.com/apps", ""),
            ("s3://apps/team/a/", "https://s3.us-east-1.amazonaws.com/apps/team/a", ""),
            ("s3://apps//a?region=eu-west-1", "https://s3.eu-west-1.amazonaws.com/apps/a", "eu-west-1"),
            (
                "s3://apps/a?endpoint=https://minio.example.org:9000/&region=x",
                "https://minio.example.org:9000/apps/a",
                "x",
            ),
            ("s3://apps?endpoint=http%3A%2F%2Fm", "http://m/apps", ""),
            ("gs://apps/a", "https://storage.googleapis.com/apps/a", ""),
            ("az://shop/apps/a", "https://shop.blob.core.windows.net/apps/a", ""),
        ] {
            let address = BucketAddress::parse(text).unwrap();
            assert_eq!((address.on_the_web().as_str(), address.region.as_str()), (expected, region));
            assert_eq!(address.names_endpoint, text.contains("endpoint"));
        }
    }

    #[test]
    fn what_is_no_address_is_refused() {
        for (text, error) in [
            ("https://apps", BucketAddressError::Scheme),
            ("s3://", BucketAddressError::Name),
            ("s3:///a", BucketAddressError::Name),
            ("s3://../a", BucketAddressError::Name),
            ("s3://a@b", BucketAddressError::Name),
            ("az://shop", BucketAddressError::Name),
            ("az://evil.org#/apps", BucketAddressError::Name),
            ("s3://a/../b", BucketAddressError::Folder),
            ("s3://a/%2e%2e/b", BucketAddressError::Folder),
            ("s3://a/b#c", BucketAddressError::Folder),
            ("s3://a?token=x", BucketAddressError::Parameter),
            ("s3://a?region", BucketAddressError::Parameter),
            ("s3://a?region=x.evil.org/", BucketAddressError::Parameter),
            ("s3://a?endpoint=%zz", BucketAddressError::Parameter),
            ("s3://a?endpoint=minio", BucketAddressError::Endpoint),
            ("s3://a?endpoint=https://u:p@h", BucketAddressError::Endpoint),
            ("s3://a?endpoint=https://h%3Fx", BucketAddressError::Endpoint),
        ] {
            assert_eq!(BucketAddress::parse(text), Err(error), "{text}");
        }
    }
}
