//! Addresses of repositories and files elsewhere, and who fetches them.

use std::sync::Arc;
use std::time::Duration;

use windlass_model::Tree;

use crate::error::{Error, ErrorKind, Result};

/// Fetches what kustomizations name by an address. A build without one refuses addresses.
pub trait Remote: Send + Sync {
    /// The Tree of a repository, with its submodules if the address asks for them.
    ///
    /// # Errors
    /// It could not be fetched.
    fn repository(&self, address: &RepositoryAddress) -> Result<Arc<dyn Tree>>;

    /// The bytes of a file.
    ///
    /// # Errors
    /// It could not be fetched; [`http_status`] if a server answered with another status than success.
    fn file(&self, url: &str) -> Result<Arc<[u8]>>;
}

/// The address of a folder in a repository.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RepositoryAddress {
    /// The address as it was written.
    pub raw: String,
    /// The repository, as Git is told.
    pub repository: String,
    /// The folder in the repository; empty for its root.
    pub folder: String,
    /// The branch, tag or commit; empty for the default branch.
    pub reference: String,
    /// How long the fetch may take.
    pub timeout: Duration,
    /// Whether submodules are fetched too.
    pub submodules: bool,
}

/// How long kustomize lets a fetch take unless the address says otherwise.
const TIMEOUT: Duration = Duration::from_secs(27);

/// Whether a path is the address of a file.
pub(crate) fn is_file(path: &str) -> bool {
    let lower = path.get(..8).unwrap_or(path).to_ascii_lowercase();
    lower.starts_with("http://") || lower.starts_with("https://")
}

/// The error of a server's answer that is no success: kustomize does not take the address for a repository then.
#[must_use]
pub fn http_status(status: u16, words: &str) -> Error {
    Error::new(ErrorKind::Http, format!("HTTP Error: status code {status} ({words})"))
}

/// What is said where nobody fetches.
pub(crate) fn refused(address: &str) -> Error {
    let message = format!("remote resources are not allowed here, so '{address}' was not fetched");
    Error::new(ErrorKind::Remote, message)
}

/// The repository that a path names; nothing if it names none.
#[must_use]
pub fn parse(raw: &str) -> Option<RepositoryAddress> {
    if raw.starts_with('/') {
        return None;
    }
    let (path, query) = raw.split_once('?').unwrap_or((raw, ""));
    let (host, rest) = host(path)?;
    let (repository, folder) = split(rest, host.starts_with("file://"))?;
    if repository.is_empty() {
        return None;
    }
    let cleaned = crate::loader::clean(folder.trim_start_matches('/'));
    if cleaned.split('/').next() == Some("..") {
        return None;
    }
    let mut address = RepositoryAddress {
        raw: raw.to_owned(),
        repository: format!("{host}{repository}"),
        folder: folder.strip_prefix('/').unwrap_or(folder).to_owned(),
        reference: String::new(),
        timeout: TIMEOUT,
        submodules: true,
    };
    read_query(query, &mut address);
    Some(address)
}

fn read_query(query: &str, address: &mut RepositoryAddress) {
    let value = |name: &str| {
        let pairs = query.split('&').filter_map(|pair| pair.split_once('='));
        pairs.into_iter().find(|(key, value)| *key == name && !value.is_empty()).map(|(_, value)| value)
    };
    if let Some(reference) = value("ref").or_else(|| value("version")) {
        address.reference = reference.replace("%2F", "/").replace("%2f", "/");
    }
    if let Some(timeout) = value("timeout") {
        let seconds = timeout.strip_suffix('s').unwrap_or(timeout).parse::<u64>();
        let minutes = timeout.strip_suffix('m').and_then(|minutes| minutes.parse::<u64>().ok());
        match (seconds, minutes) {
            (Ok(seconds), _) if seconds > 0 => address.timeout = Duration::from_secs(seconds),
            (_, Some(minutes)) if minutes > 0 => address.timeout = Duration::from_secs(60 * minutes),
            _ => {}
        }
    }
    match value("submodules") {
        Some("false" | "0" | "f" | "F" | "FALSE" | "False") => address.submodules = false,
        Some("true" | "1" | "t" | "T" | "TRUE" | "True") => address.submodules = true,
        _ => {}
    }
}

fn without_prefix<'a>(text: &'a str, prefix: &str) -> Option<&'a str> {
    let head = text.get(..prefix.len())?;
    head.eq_ignore_ascii_case(prefix).then(|| &text[prefix.len()..])
}

/// The part up to and with the host, and what follows it.
fn host(path: &str) -> Option<(String, &str)> {
    let path = without_prefix(path, "git::").unwrap_or(path);
    let schemes = ["ssh://", "https://", "http://", "file://"];
    let found = schemes.iter().find_map(|scheme| Some((*scheme, without_prefix(path, scheme)?)));
    let (scheme, rest) = found.unwrap_or(("", path));
    let (user, rest) = user(rest);
    let lower = rest.get(..11).unwrap_or_default().to_ascii_lowercase();
    let is_github = lower == "github.com/" || lower == "github.com:";
    let scp = scheme.is_empty() && (!user.is_empty() || is_github);
    if scheme.is_empty() && !scp {
        return None;
    }
    if scheme == "file://" {
        return Some((scheme.to_owned(), rest));
    }
    let mut end = rest.find('/');
    if scp {
        let colon = rest.find(':');
        if end.is_none() || colon.is_some_and(|colon| colon > 0 && Some(colon) < end) {
            end = colon;
        }
    }
    let (host, rest) = end.map_or((rest, ""), |end| rest.split_at(end + 1));
    if is_github {
        if scheme == "ssh://" || !user.is_empty() {
            return Some((format!("{user}github.com:"), rest));
        }
        return Some(("https://github.com/".to_owned(), rest));
    }
    (!host.is_empty()).then(|| (format!("{scheme}{user}{host}"), rest))
}

fn user(text: &str) -> (&str, &str) {
    let is_name = |name: &str| {
        name.starts_with(|c: char| c.is_ascii_alphabetic())
            && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '-')
    };
    match text.split_once('@') {
        Some((name, _)) if is_name(name) => text.split_at(name.len() + 1),
        _ => ("", text),
    }
}

/// The repository's path and the folder in it.
fn split(path: &str, whole: bool) -> Option<(&str, &str)> {
    if let Some(place) = path.find("_git/") {
        let begin = place + "_git/".len();
        let end = path[begin..].find('/').map_or(path.len(), |end| begin + end);
        return Some((&path[..end], path.get(end + 1..).unwrap_or("")));
    }
    if let Some((repository, folder)) = path.split_once("//") {
        return Some((repository, folder));
    }
    if let Some(place) = path.find(".git") {
        return Some(path.split_at(place + ".git".len()));
    }
    if whole {
        return Some((path, ""));
    }
    let mut slashes = path.match_indices('/').map(|(place, _)| place);
    slashes.next()?;
    match slashes.next() {
        Some(end) => Some((&path[..end], &path[end + 1..])),
        None => Some((path, "")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_told_from_paths() {
        for path in ["../base", "base", "/abs", "a/b/c.yaml", "github.com", "x@y"] {
            assert_eq!(parse(path), None, "{path}");
        }
        let cases = [
            ("https://github.com/o/r//p/q?ref=v1", "https://github.com/o/r", "p/q", "v1"),
            ("github.com/o/r/p", "https://github.com/o/r", "p", ""),
            ("git@github.com:o/r.git/p", "git@github.com:o/r.git", "p", ""),
            ("https://git.example/o/r.git//p?version=x", "https://git.example/o/r.git", "p", "x"),
            ("https://dev.azure.com/o/p/_git/r/sub/dir", "https://dev.azure.com/o/p/_git/r", "sub/dir", ""),
            ("file:///tmp/r", "file:///tmp/r", "", ""),
        ];
        for (raw, repository, folder, reference) in cases {
            let address = parse(raw).unwrap();
            assert_eq!(
                (address.repository.as_str(), address.folder.as_str(), address.reference.as_str()),
                (repository, folder, reference),
                "{raw}"
            );
        }
    }
}
