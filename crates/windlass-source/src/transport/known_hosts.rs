//! OpenSSH's `known_hosts`: which key a server must show.

use base64::Engine;
use hmac::{Hmac, KeyInit, Mac};
use sha1::Sha1;

/// What `known_hosts` says about a host's key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// The key is listed for the host.
    Known,
    /// The host is not listed at all.
    UnknownHost,
    /// The host is listed, with other keys.
    OtherKey,
    /// The key is marked as revoked.
    Revoked,
}

impl Verdict {
    /// The problem in words, for every verdict but [`Verdict::Known`].
    pub(crate) fn problem(self) -> &'static str {
        match self {
            Self::Known => "is known",
            Self::UnknownHost => "is not in known_hosts, which does not list the host",
            Self::OtherKey => "differs from the one in known_hosts; the server may be an impostor",
            Self::Revoked => "is marked as revoked in known_hosts",
        }
    }
}

/// Looks up a key, given as its type and its base64 text, for a host and port.
///
/// Understood are plain, bracketed and hashed names, `*` and `?`, negation and `@revoked`. Lines of certificate
/// authorities are passed over: we do not accept host certificates.
pub(crate) fn check(known_hosts: &str, host: &str, port: u16, key_type: &str, key: &str) -> Verdict {
    let name = if port == 22 { host.to_string() } else { format!("[{host}]:{port}") };
    let mut verdict = Verdict::UnknownHost;
    for line in known_hosts.lines() {
        let mut fields = line.split_whitespace().peekable();
        let marker = fields.next_if(|field| field.starts_with('@'));
        let (Some(patterns), Some(line_type), Some(line_key)) = (fields.next(), fields.next(), fields.next())
        else {
            continue;
        };
        if patterns.starts_with('#') || !matches_host(patterns, &name.to_ascii_lowercase()) {
            continue;
        }
        let same = line_type == key_type && line_key.trim_end_matches('=') == key.trim_end_matches('=');
        match (marker, same) {
            (Some("@revoked"), true) => return Verdict::Revoked,
            (Some(_), _) => {}
            (None, true) => verdict = Verdict::Known,
            (None, false) if verdict == Verdict::UnknownHost => verdict = Verdict::OtherKey,
            (None, false) => {}
        }
    }
    verdict
}

/// The key types listed for a host, so that the server is asked for one of them.
pub(crate) fn key_types(known_hosts: &str, host: &str, port: u16) -> Vec<String> {
    let name = if port == 22 { host.to_string() } else { format!("[{host}]:{port}") }.to_ascii_lowercase();
    let mut types = Vec::new();
    for line in known_hosts.lines().filter(|line| !line.starts_with(['#', '@'])) {
        let mut fields = line.split_whitespace();
        if let (Some(patterns), Some(key_type)) = (fields.next(), fields.next())
            && matches_host(patterns, &name)
            && !types.iter().any(|known| known == key_type)
        {
            types.push(key_type.to_string());
        }
    }
    types
}

fn matches_host(patterns: &str, name: &str) -> bool {
    let mut found = false;
    for pattern in patterns.split(',') {
        let (negated, pattern) = pattern.strip_prefix('!').map_or((false, pattern), |rest| (true, rest));
        let fits = match pattern.strip_prefix("|1|") {
            Some(hashed) => matches_hash(hashed, name),
            None => matches_glob(pattern.to_ascii_lowercase().as_bytes(), name.as_bytes()),
        };
        if fits && negated {
            return false;
        }
        found |= fits;
    }
    found
}

fn matches_hash(hashed: &str, name: &str) -> bool {
    let base64 = base64::engine::general_purpose::STANDARD;
    let Some((salt, hash)) = hashed.split_once('|') else { return false };
    let (Ok(salt), Ok(hash)) = (base64.decode(salt), base64.decode(hash)) else { return false };
    Hmac::<Sha1>::new_from_slice(&salt).is_ok_and(|mac| mac.chain_update(name).verify_slice(&hash).is_ok())
}

/// `*` and `?`, without recursion: the last `*` is returned to when a match fails behind it.
fn matches_glob(pattern: &[u8], text: &[u8]) -> bool {
    let (mut at, mut position) = (0, 0);
    let mut retry: Option<(usize, usize)> = None;
    while position < text.len() {
        match pattern.get(at) {
            Some(b'*') => {
                retry = Some((at, position));
                at += 1;
            }
            Some(&byte) if byte == b'?' || byte == text[position] => {
                at += 1;
                position += 1;
            }
            _ => match &mut retry {
                Some((star, from)) => {
                    *from += 1;
                    (at, position) = (*star + 1, *from);
                }
                None => return false,
            },
        }
    }
    pattern[at..].iter().all(|byte| *byte == b'*')
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The first line's name was hashed with `ssh-keygen -H` (OpenSSH 9.2) from `hashed.example.org`.
    const KNOWN: &str = "\
|1|e3ZHZfLjzGz69BHs/9ay/7ya9jk=|Dv+ocJijpgyHZ9z2yyYB26p0x3g= ssh-ed25519 AAAAkey2
# comment
git.example.org,10.0.0.1 ssh-ed25519 AAAAkey1 a comment
[git.example.org]:2222 ssh-ed25519 AAAAkey3
*.wild.org,!bad.wild.org ssh-rsa AAAAkey4
@revoked git.example.org ssh-ed25519 AAAAkey5
@cert-authority *.example.org ssh-ed25519 AAAAkey6
";

    #[test]
    fn a_key_is_known_by_host_port_and_type() {
        for (host, port, key_type, key, expected) in [
            ("git.example.org", 22, "ssh-ed25519", "AAAAkey1", Verdict::Known),
            ("GIT.example.org", 22, "ssh-ed25519", "AAAAkey1", Verdict::Known),
            ("10.0.0.1", 22, "ssh-ed25519", "AAAAkey1", Verdict::Known),
            ("git.example.org", 22, "ssh-rsa", "AAAAkey1", Verdict::OtherKey),
            ("git.example.org", 22, "ssh-ed25519", "AAAAkey9", Verdict::OtherKey),
            ("git.example.org", 22, "ssh-ed25519", "AAAAkey5", Verdict::Revoked),
            ("git.example.org", 22, "ssh-ed25519", "AAAAkey6", Verdict::OtherKey),
            ("git.example.org", 2222, "ssh-ed25519", "AAAAkey3", Verdict::Known),
            ("git.example.org", 2222, "ssh-ed25519", "AAAAkey1", Verdict::OtherKey),
            ("a.wild.org", 22, "ssh-rsa", "AAAAkey4", Verdict::Known),
            ("bad.wild.org", 22, "ssh-rsa", "AAAAkey4", Verdict::UnknownHost),
            ("hashed.example.org", 22, "ssh-ed25519", "AAAAkey2", Verdict::Known),
            ("other.org", 22, "ssh-ed25519", "AAAAkey1", Verdict::UnknownHost),
        ] {
            assert_eq!(check(KNOWN, host, port, key_type, key), expected, "{host} {port} {key_type} {key}");
        }
        assert_eq!(key_types(KNOWN, "git.example.org", 22), ["ssh-ed25519"]);
    }

    #[test]
    fn globs_take_back_what_a_star_took() {
        for (pattern, text, expected) in [
            ("a*c", "abcbc", true),
            ("*", "", true),
            ("a?c", "abc", true),
            ("a?c", "ac", false),
            ("*b", "abc", false),
        ] {
            assert_eq!(matches_glob(pattern.as_bytes(), text.as_bytes()), expected, "{pattern} {text}");
        }
    }
}
