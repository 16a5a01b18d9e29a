//! Repository URLs in the form that Argo CD compares them in.

/// What may stand in an escaped path beside letters and digits (`validEncoded` of Go's `net/url`).
const ESCAPED_PATH: &str = "-_.~$&+,/:;=@!'()*[]%";
/// What Go leaves alone beside letters and digits when it escapes a path itself.
const PLAIN_PATH: &str = "-_.~$&+,/:;=@";

/// A repository URL in lower case, without `.git`, and with the two spellings of an ssh URL made one; `None` for
/// what is no URL.
///
/// Project rules pass through the same function, as in Argo CD: `*` in them survives there, but not beside braces,
/// which make Go escape the whole path.
pub(crate) fn normalize(repository: &str) -> Option<String> {
    let mut url = repository.trim().to_lowercase();
    if is_ssh(&url) && !url.starts_with("ssh://") {
        // `git@host:path`: only the first colon would be taken for a port.
        url = format!("ssh://{}", url.replacen(':', "/", 1));
    }
    let url = url.strip_suffix(".git").unwrap_or(&url);
    if url.bytes().any(|byte| byte.is_ascii_control()) {
        return None;
    }
    let (base, rest) = match url.split_once("://") {
        Some((scheme, rest)) => {
            let (authority, path) = rest.find(['/', '?', '#']).map_or((rest, ""), |idx| rest.split_at(idx));
            (format!("{scheme}://{}", authority_of(authority)?), path)
        }
        None => (String::new(), url),
    };
    let (path, query) = rest.find(['?', '#']).map_or((rest, ""), |idx| rest.split_at(idx));
    let normal = format!("{base}{}{query}", escaped(path)?);
    Some(normal.strip_prefix("ssh://").map(str::to_owned).unwrap_or(normal))
}

/// User, host and port, if Go takes them.
fn authority_of(text: &str) -> Option<String> {
    let (user, host) = text.rsplit_once('@').map_or((None, text), |(user, host)| (Some(user), host));
    if host.contains([' ', '"', '<', '>', '^', '`', '{', '|', '}', '\\']) {
        return None;
    }
    let port = host.rsplit_once(':').map(|(_, port)| port).filter(|port| !port.ends_with(']'));
    if port.is_some_and(|port| !port.bytes().all(|byte| byte.is_ascii_digit())) {
        return None;
    }
    Some(match user {
        Some(user) => format!("{}@{host}", user.replace('@', "%40")),
        None => host.into(),
    })
}

/// A path as it is where Go takes it for escaped already, escaped anew where not.
fn escaped(path: &str) -> Option<String> {
    let plain = unescaped(path)?;
    let valid = |character: char| character.is_ascii_alphanumeric() || ESCAPED_PATH.contains(character);
    if path.chars().all(valid) {
        return Some(path.into());
    }
    let mut escaped = String::new();
    for byte in plain {
        if byte.is_ascii_alphanumeric() || PLAIN_PATH.contains(char::from(byte)) {
            escaped.push(char::from(byte));
        } else {
            escaped.push_str(&format!("%{byte:02X}"));
        }
    }
    Some(escaped)
}

/// The bytes that a path stands for; `None` for a percent sign without two digits.
fn unescaped(path: &str) -> Option<Vec<u8>> {
    let mut plain = Vec::with_capacity(path.len());
    let mut rest = path.as_bytes();
    while let [first, tail @ ..] = rest {
        rest = if *first == b'%' {
            let digits = std::str::from_utf8(tail.get(..2)?).ok()?;
            plain.push(u8::from_str_radix(digits, 16).ok()?);
            &tail[2..]
        } else {
            plain.push(*first);
            tail
        };
    }
    Some(plain)
}

/// Whether a URL is `user@host:path` or `ssh://user@host/path`: no slash or colon before the last `@`.
fn is_ssh(url: &str) -> bool {
    let rest = url.strip_prefix("ssh://").unwrap_or(url);
    rest.rsplit_once('@').is_some_and(|(user, rest)| !user.contains(['/', ':']) && !rest.is_empty())
}

#[cfg(test)]
mod tests {
    use windlass_kube::Value;

    use super::*;

    #[test]
    fn urls_are_those_of_argo_cd() {
        let answers = include_str!("../tests/data/oracle.jsonl");
        let mut asked = 0;
        for line in answers.lines().skip(1) {
            let answer: Value = serde_json::from_str(line).unwrap();
            if answer.str_at(&["question", "ask"]) == Some("url") {
                let url = answer.str_at(&["question", "url"]).unwrap();
                let expected = answer.str_at(&["answer"]).unwrap();
                assert_eq!(normalize(url).unwrap_or_default(), expected, "{url}");
                asked += 1;
            }
        }
        assert!(asked > 30);
    }
}
