//! Azure's signature of a request without a body: `SharedKey` (Blob service, "Authorize with Shared Key").

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;

/// The version of the service's protocol that is spoken.
pub(super) const VERSION: &str = "2021-08-06";

/// What a GET of a path, escaped as it is sent, with a query is signed with, by the key of an account; `None` when the
/// key is not base64. `date` is as `x-ms-date` says it.
pub(super) fn authorization(
    account: &str,
    key: &str,
    path: &str,
    query: &[(&str, &str)],
    date: &str,
) -> Option<String> {
    let mut parameters: Vec<String> =
        query.iter().map(|(name, value)| format!("\n{}:{value}", name.to_lowercase())).collect();
    parameters.sort();
    let headers = format!("x-ms-date:{date}\nx-ms-version:{VERSION}\n");
    // Twelve lines: the method, and eleven headers that a GET does not need.
    let text = format!("GET{}{headers}/{account}{path}{}", "\n".repeat(12), parameters.concat());
    let key = STANDARD.decode(key.trim()).ok()?;
    let mut mac = Hmac::<Sha256>::new_from_slice(&key).ok()?;
    mac.update(text.as_bytes());
    Some(format!("SharedKey {account}:{}", STANDARD.encode(mac.finalize().into_bytes())))
}

/// A time in seconds since 1970 as HTTP writes it: `Fri, 21 Nov 2026 23:15:07 GMT`.
pub(super) fn date(seconds: u64) -> String {
    const DAYS: [&str; 7] = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"];
    const MONTHS: [&str; 12] =
        ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let (days, second) = (seconds / 86_400, seconds % 86_400);
    let (year, month, day) = super::sign::civil(days);
    let weekday = DAYS[usize::try_from(days % 7).unwrap_or_default()];
    let month = MONTHS[usize::try_from(month - 1).unwrap_or_default() % 12];
    let (hour, minute, second) = (second / 3_600, second / 60 % 60, second % 60);
    format!("{weekday}, {day:02} {month} {year:04} {hour:02}:{minute:02}:{second:02} GMT")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_those_of_http() {
        for (seconds, expected) in [
            (0, "Thu, 01 Jan 1970 00:00:00 GMT"),
            (1_767_225_599, "Wed, 31 Dec 2025 23:59:59 GMT"),
            (1_709_210_096, "Thu, 29 Feb 2024 12:34:56 GMT"),
        ] {
            assert_eq!(date(seconds), expected);
        }
    }

    /// Requests that Azurite 3.35.0 took, which checks what they are signed with.
    #[test]
    fn signatures_are_those_that_the_service_takes() {
        // The account that every Azurite has.
        const ACCOUNT: &str = "devstoreaccount1";
        const KEY: &str =
            "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==";
        let date = date(1_795_302_907);
        let list = |prefix| vec![("restype", "container"), ("comp", "list"), ("prefix", prefix)];
        for (path, query, signature) in [
            ("/devstoreaccount1/apps", list(""), "rZNwkRbY8YwN9TH8lcNiKgsx/VVbj9r8tbtxe2kCb6U="),
            ("/devstoreaccount1/apps", list("deploy/é +&"), "2xJmhRCNWRvq09D/wBhqfoz3qzYpVIlw2m7qLU20L+U="),
            (
                "/devstoreaccount1/apps/deploy/a.yaml",
                Vec::new(),
                "QNT5Xo3CI+mbMfJM9wFxjk6brNtCxpyYuKGebAPmJ10=",
            ),
            (
                "/devstoreaccount1/apps/deploy/%C3%A9%20%2B%26.yaml",
                Vec::new(),
                "On/ckp0IMz/peU1meNNO8Wpujzi9XIR0x09IVIDPwkE=",
            ),
        ] {
            let made = authorization(ACCOUNT, KEY, path, &query, &date);
            assert_eq!(made, Some(format!("SharedKey {ACCOUNT}:{signature}")), "{path} {query:?}");
        }
        assert_eq!(authorization(ACCOUNT, "no key", "/", &[], &date), None);
    }
}
