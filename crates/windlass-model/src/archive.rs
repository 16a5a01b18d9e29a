//! Addresses of archives: `https://HOST/APP.tar.gz`, or `archive+https://HOST/ANYTHING`.

/// Says that what stands at an address of the web is an archive, whatever it is called.
const PREFIX: &str = "archive+";

/// How addresses of archives end. No repository of Git's has such a name.
const SUFFIXES: [&str; 3] = [".tar.gz", ".tgz", ".tar"];

/// The address on the web of the archive that `text` means, if it means one.
///
/// ```
/// use windlass_model::archive_url;
/// assert_eq!(archive_url("https://h/app.tgz"), Some("https://h/app.tgz"));
/// assert_eq!(archive_url("archive+https://h/app?format=tar"), Some("https://h/app?format=tar"));
/// assert_eq!(archive_url("https://h/app.git"), None);
/// ```
#[must_use]
pub fn archive_url(text: &str) -> Option<&str> {
    let text = text.trim();
    let is_web = |text: &str| ["https://", "http://"].iter().any(|scheme| text.starts_with(scheme));
    if let Some(url) = text.strip_prefix(PREFIX) {
        return is_web(url).then_some(url);
    }
    let path = text.split(['?', '#']).next().unwrap_or_default().to_ascii_lowercase();
    (is_web(text) && SUFFIXES.iter().any(|suffix| path.ends_with(suffix))).then_some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn archives_are_told_by_their_end_or_by_name() {
        for (text, url) in [
            ("https://h/a/app-1.0.tar.gz", Some("https://h/a/app-1.0.tar.gz")),
            ("http://h/APP.TGZ?token=x", Some("http://h/APP.TGZ?token=x")),
            ("https://h/app.tar", Some("https://h/app.tar")),
            ("archive+https://codeload.h/org/app/tar.gz/v1", Some("https://codeload.h/org/app/tar.gz/v1")),
            ("archive+http://h/x", Some("http://h/x")),
            ("archive+ssh://h/x", None),
            ("archive+/etc", None),
            ("https://h/org/app", None),
            ("https://h/org/app?x=.tgz", None),
            ("ssh://git@h/app.tgz", None),
            ("oci://h/app.tgz", None),
            ("", None),
        ] {
            assert_eq!(archive_url(text), url, "{text}");
        }
    }
}
