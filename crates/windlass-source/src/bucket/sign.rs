//! AWS' signature version 4.

use hmac::{Hmac, KeyInit as _, Mac as _};
use reqwest::Url;
use sha2::{Digest as _, Sha256};

/// A key to sign with.
pub(crate) struct Key<'a> {
    pub(crate) id: &'a str,
    pub(crate) secret: &'a str,
    pub(crate) region: &'a str,
    /// What is asked: `s3`, `ecr`.
    pub(crate) service: &'a str,
}

/// What a signed request carries.
pub(crate) struct Signed {
    pub(crate) headers: [(&'static str, String); 2],
    pub(crate) authorization: String,
}

/// What of a request is signed.
pub(crate) struct Signable<'a> {
    pub(crate) method: &'a str,
    pub(crate) url: &'a Url,
    /// The path and the query of the address in the canonical form.
    pub(crate) path: &'a str,
    pub(crate) query: &'a str,
    /// Further headers, with names in lower case that come after `x-amz-date` and are sorted.
    pub(crate) headers: &'a [(&'static str, &'a str)],
    pub(crate) content: &'a [u8],
}

impl Key<'_> {
    /// Signs a request. `seconds` is the time since 1970.
    pub(crate) fn sign(&self, request: &Signable<'_>, seconds: u64) -> Signed {
        let Signable { method, url, path, query, headers: further, content } = request;
        let content = hex(&Sha256::digest(content));
        let (date, time) = timestamp(seconds);
        let host = url.host_str().unwrap_or_default();
        let host = url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"));
        let mut headers = format!("host:{host}\nx-amz-content-sha256:{content}\nx-amz-date:{time}\n");
        let mut names = String::from("host;x-amz-content-sha256;x-amz-date");
        for (name, value) in *further {
            headers.push_str(&format!("{name}:{value}\n"));
            names.push_str(&format!(";{name}"));
        }
        let request = format!("{method}\n{path}\n{query}\n{headers}\n{names}\n{content}");
        let scope = format!("{date}/{}/{}/aws4_request", self.region, self.service);
        let digest = hex(&Sha256::digest(request.as_bytes()));
        let text = format!("AWS4-HMAC-SHA256\n{time}\n{scope}\n{digest}");
        let mut key = format!("AWS4{}", self.secret).into_bytes();
        for part in [date.as_str(), self.region, self.service, "aws4_request"] {
            key = hmac(&key, part.as_bytes());
        }
        let signature = hex(&hmac(&key, text.as_bytes()));
        let credential = format!("{}/{scope}", self.id);
        Signed {
            headers: [("x-amz-content-sha256", content), ("x-amz-date", time)],
            authorization: format!(
                "AWS4-HMAC-SHA256 Credential={credential}, SignedHeaders={names}, Signature={signature}"
            ),
        }
    }
}

/// A path in which everything but slashes and unreserved letters is escaped.
pub(super) fn canonical_path(path: &str) -> String {
    path.split('/').map(escaped).collect::<Vec<_>>().join("/")
}

/// A query with its names sorted and everything escaped.
pub(super) fn canonical_query(pairs: &[(&str, &str)]) -> String {
    let mut pairs: Vec<String> =
        pairs.iter().map(|(name, value)| format!("{}={}", escaped(name), escaped(value))).collect();
    pairs.sort();
    pairs.join("&")
}

/// Text in which everything but unreserved letters is escaped.
pub(super) fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => out.push(byte.into()),
            _ => out.push_str(&format!("%{byte:02X}")),
        }
    }
    out
}

fn hmac(key: &[u8], text: &[u8]) -> Vec<u8> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("a key may have any length");
    mac.update(text);
    mac.finalize().into_bytes().to_vec()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Year, month and day of a number of days since 1970.
pub(super) fn civil(days: u64) -> (u64, u64, u64) {
    // Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms", 2013.
    let days = days + 719_468;
    let (era, of_era) = (days / 146_097, days % 146_097);
    let year_of_era = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * of_year + 2) / 153;
    let day = of_year - (153 * shifted + 2) / 5 + 1;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
    (year_of_era + era * 400 + u64::from(month <= 2), month, day)
}

/// A time as `20261121` and as `20261121T205900Z`.
fn timestamp(seconds: u64) -> (String, String) {
    const DAY: u64 = 86_400;
    let (year, month, day) = civil(seconds / DAY);
    let date = format!("{year:04}{month:02}{day:02}");
    let rest = seconds % DAY;
    let time = format!("{date}T{:02}{:02}{:02}Z", rest / 3_600, rest / 60 % 60, rest % 60);
    (date, time)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_those_of_the_calendar() {
        // `date -u -d @SECONDS +%Y%m%dT%H%M%SZ` of coreutils 9.1.
        for (seconds, time) in [
            (0, "19700101T000000Z"),
            (951_782_400, "20000229T000000Z"),
            (1_709_251_199, "20240229T235959Z"),
            (1_764_547_199, "20251130T235959Z"),
            (4_107_542_399, "21000228T235959Z"),
            (4_107_542_400, "21000301T000000Z"),
        ] {
            assert_eq!(timestamp(seconds).1, time);
        }
    }

    #[test]
    fn calls_of_other_services_are_signed_as_amazons_own_signer_does() {
        // The signer of aws-sdk-go-v2 1.47.7, with its `Signature=` alone.
        for (session, signature) in [
            (None, "9aa52ff7b6e4ae635bf3e0b7c453d9462593be720363c36135b10e45f2cc7d5e"),
            (Some("SESSION/x=="), "687cc0269e0f803f847e1e0dddec7d936c6d07d5c0446464e268cdd075afa6bd"),
        ] {
            let key = Key { id: "KEY", secret: "hunter2", region: "eu-west-1", service: "ecr" };
            let target = ("x-amz-target", "AmazonEC2ContainerRegistry_V20150921.GetAuthorizationToken");
            let session = session.map(|session| ("x-amz-security-token", session));
            let headers: Vec<_> = session.into_iter().chain([target]).collect();
            let url = Url::parse("https://api.ecr.eu-west-1.amazonaws.com/").unwrap();
            let (method, path, query) = ("POST", "/", "");
            let request = Signable { method, url: &url, path, query, headers: &headers, content: b"{}" };
            let signed = key.sign(&request, 1_764_547_199);
            assert_eq!(signed.authorization.rsplit_once("Signature=").unwrap().1, signature);
        }
    }

    #[test]
    fn everything_but_plain_letters_is_escaped() {
        assert_eq!(canonical_path("/b/a b/é+~.txt"), "/b/a%20b/%C3%A9%2B~.txt");
        assert_eq!(
            canonical_query(&[("prefix", "a/b c"), ("list-type", "2")]),
            "list-type=2&prefix=a%2Fb%20c"
        );
    }
}
