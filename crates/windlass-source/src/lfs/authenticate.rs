//! `git-lfs-authenticate`: over SSH, a server says where its LFS server is and with which headers it is asked.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use http::header::{AUTHORIZATION, HeaderName, HeaderValue};
use reqwest::Url;
use serde::Deserialize;

use crate::artifact::ArtifactError;
use crate::artifact::web::{Web, header, protocol, wrong};
use crate::credentials::Access;
use crate::error::SourceError;
use crate::transport::ssh::{self, Ran};
use crate::url::RepositoryUrl;

/// The program that is run on the server.
const PROGRAM: &str = "git-lfs-authenticate";

/// Most that it may write: an address and a token take some 2 kB.
const MAX_GRANT_BYTES: usize = 64 << 10;

/// How long an answer is used that does not say when it ends. A token that ends sooner is renewed when it is refused.
const UNDATED: Duration = Duration::from_secs(5 * 60);

/// An answer is not used in its last seconds, as Git LFS 3 has it: it could end on its way.
const MARGIN: Duration = Duration::from_secs(5);

/// What a shell answers to the name of a program that it does not have.
const NO_SUCH_PROGRAM: u32 = 127;

/// What servers that run nothing but Git say to commands that they do not know: `git shell`, gitolite, others.
const UNKNOWN: [&str; 6] = [
    "unrecognized command",
    "unknown command",
    "unknown git",
    "command not found",
    "invalid command",
    "not a git command",
];

/// Where an LFS server is asked, and with what.
#[derive(Clone)]
pub(super) struct Grant {
    pub(super) batch: Url,
    pub(super) authorization: Option<HeaderValue>,
    pub(super) headers: Vec<(HeaderName, String)>,
    ends: Option<Instant>,
}

impl Grant {
    pub(super) fn is_current(&self) -> bool {
        self.ends.is_some_and(|ends| Instant::now() < ends)
    }
}

#[derive(Default, Deserialize)]
struct Answer {
    #[serde(default)]
    href: Option<String>,
    #[serde(default)]
    header: Option<BTreeMap<String, String>>,
    /// Seconds.
    #[serde(default)]
    expires_in: Option<i64>,
}

/// Asks the server of a repository that is reached over SSH. One that does not know the command has its LFS server at
/// the repository's address over https, which gets no credentials: those that we have are for SSH.
pub(super) fn ask(web: &Web, url: &RepositoryUrl, access: &Access) -> Result<Grant, SourceError> {
    let shown = url.to_string();
    let command = format!("{PROGRAM} {} download", ssh::quoted_if_needed(url.path()));
    let ran = ssh::run(&web.io, url, access, &web.policy, &command, MAX_GRANT_BYTES)?;
    let answer = match ran.status {
        Some(0) if ran.output.len() > MAX_GRANT_BYTES => {
            let what = format!("the answer of {PROGRAM}");
            let limit = MAX_GRANT_BYTES as u64;
            let error = ArtifactError::TooLarge { what: what.clone(), limit_name: "MAX_GRANT_BYTES", limit };
            return Err(wrong(&shown, &what, error));
        }
        // An object: a list would be taken for one, too.
        Some(0) => serde_json::from_slice(&ran.output)
            .and_then(|answer| serde_json::from_value(serde_json::Value::Object(answer)))
            .map_err(|_| protocol(&shown, &format!("the answer of {PROGRAM} is not readable")))?,
        _ if is_unknown(&ran) => Answer::default(),
        status => return Err(failure(url, status, &ran)),
    };
    granted(url, access, answer)
}

/// Whether the server knows no such command.
fn is_unknown(ran: &Ran) -> bool {
    let said = ran.errors.to_lowercase();
    ran.status == Some(NO_SUCH_PROGRAM) || UNKNOWN.iter().any(|words| said.contains(words))
}

/// What a failure means. What the server wrote is not repeated: a token may be in it.
fn failure(url: &RepositoryUrl, status: Option<u32>, ran: &Ran) -> SourceError {
    ssh::known_failure(url, &ran.errors).unwrap_or_else(|| {
        let how = status.map_or("without a status".to_string(), |status| format!("with status {status}"));
        protocol(&url.to_string(), &format!("{PROGRAM} ended {how}"))
    })
}

fn granted(url: &RepositoryUrl, access: &Access, answer: Answer) -> Result<Grant, SourceError> {
    let shown = url.to_string();
    let unusable = || protocol(&shown, &format!("{PROGRAM} names an address that cannot be used"));
    let named = answer.href.filter(|href| !href.is_empty());
    let server = match named {
        Some(href) => Url::parse(&href).map_err(|_| unusable())?,
        None => guessed(url).ok_or_else(unusable)?,
    };
    let is_plain = server.username().is_empty() && server.password().is_none();
    if !matches!(server.scheme(), "https" | "http") || !is_plain {
        return Err(unusable());
    }
    let header_texts = answer.header.unwrap_or_default();
    // Whatever they are called, they are what lets in.
    if server.scheme() == "http" && !header_texts.is_empty() && !access.credentials_over_http {
        return Err(SourceError::ClearTextCredentials { repository: shown });
    }
    let mut authorization = None;
    let mut headers = Vec::new();
    for (name, value) in header_texts {
        match HeaderName::try_from(&name) {
            Ok(AUTHORIZATION) => authorization = Some(header(&shown, &value)?),
            Ok(name) => headers.push((name, value)),
            Err(_) => {}
        }
    }
    let lasts = match answer.expires_in {
        None | Some(0) => UNDATED,
        Some(seconds) => {
            Duration::from_secs(u64::try_from(seconds).unwrap_or_default()).saturating_sub(MARGIN)
        }
    };
    let address = format!("{}/objects/batch", server.as_str().trim_end_matches('/'));
    let batch = Url::parse(&address).map_err(|_| unusable())?;
    Ok(Grant { batch, authorization, headers, ends: Instant::now().checked_add(lasts) })
}

/// The LFS server that Git LFS takes a repository over SSH to have: below its address over https, without the port.
fn guessed(url: &RepositoryUrl) -> Option<Url> {
    let host = if url.host().contains(':') { format!("[{}]", url.host()) } else { url.host().to_string() };
    let mut server = Url::parse(&format!("https://{host}/")).ok()?;
    let path = url.path().trim_matches('/');
    let suffix = if path.ends_with(".git") { "" } else { ".git" };
    server.set_path(&format!("/{path}{suffix}/info/lfs"));
    Some(server)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn grant(repository: &str, answer: &str) -> Result<Grant, SourceError> {
        let access = Access::default();
        granted(&repository.parse().unwrap(), &access, serde_json::from_str(answer).unwrap())
    }

    #[test]
    fn without_an_answer_the_server_is_below_the_address_over_https() {
        for (repository, expected) in [
            ("ssh://git@h:2222/org/app.git", "https://h/org/app.git/info/lfs/objects/batch"),
            ("ssh://git@h/org/app", "https://h/org/app.git/info/lfs/objects/batch"),
            ("git@h:org/app.git", "https://h/org/app.git/info/lfs/objects/batch"),
            ("git@h:app", "https://h/app.git/info/lfs/objects/batch"),
            ("ssh://git@[::1]:22/a", "https://[::1]/a.git/info/lfs/objects/batch"),
            ("git@h:a?b#c", "https://h/a%3Fb%23c.git/info/lfs/objects/batch"),
        ] {
            let grant = grant(repository, "{}").unwrap();
            assert_eq!(grant.batch.as_str(), expected, "{repository}");
            assert!(grant.authorization.is_none() && grant.headers.is_empty() && grant.is_current());
        }
    }

    #[test]
    fn an_answer_is_used_until_shortly_before_its_end() {
        for (expires, is_current) in [("600", true), ("0", true), ("5", false), ("-1", false)] {
            let answer = format!(r#"{{"href": "https://lfs/x/", "expires_in": {expires}}}"#);
            let grant = grant("git@h:app", &answer).unwrap();
            assert_eq!(grant.batch.as_str(), "https://lfs/x/objects/batch");
            assert_eq!(grant.is_current(), is_current, "{expires}");
        }
        // Longer than clocks last: it is asked for each time.
        assert!(grant("git@h:app", &format!(r#"{{"expires_in": {}}}"#, i64::MAX)).is_ok());
    }

    #[test]
    fn what_cannot_be_asked_is_told_without_secrets() {
        for (answer, reason) in [
            (r#"{"href": "file:///t0ken"}"#, "ProtocolError"),
            (r#"{"href": "t0ken"}"#, "ProtocolError"),
            (r#"{"href": "https://ada:t0ken@h/"}"#, "ProtocolError"),
            (r#"{"href": "http://h/", "header": {"X-Key": "t0ken"}}"#, "ClearTextCredentials"),
            (r#"{"href": "https://h/", "header": {"Authorization": "t0ken\n"}}"#, "InvalidCredentials"),
        ] {
            let error = grant("git@h:app", answer).err().unwrap();
            assert_eq!(error.reason(), reason, "{answer}");
            assert!(!crate::chain(&error).contains("t0ken"), "{answer}");
        }
    }
}
