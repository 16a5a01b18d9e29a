//! Repository URLs in the form that Argo CD compares them in.

/// What Go's `url.URL.String` leaves alone in a path beside letters and digits; everything else it escapes.
const PATH_CHARACTERS: &str = "-_.~$&+,/:;=@!'()*[]%";

/// A repository URL in lower case, without `.git`, and with the two spellings of an ssh URL made one; `None` for
/// what is no URL.
///
/// Project rules pass through the same function, so that `*` in them survives and braces do not, as in Argo CD.
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
            let (host, path) = rest.find('/').map_or((rest, ""), |idx| rest.split_at(idx));
            if host.contains([' ', '"', '<', '>', '^', '`', '{', '|', '}', '\\']) {
                return None;
            }
            (format!("{scheme}://{host}"), path)
        }
        None => (String::new(), url),
    };
    let (path, query) = rest.find(['?', '#']).map_or((rest, ""), |idx| rest.split_at(idx));
    let mut normal = base;
    for character in path.chars() {
        if character.is_ascii_alphanumeric() || PATH_CHARACTERS.contains(character) {
            normal.push(character);
        } else {
            let mut bytes = [0; 4];
            for byte in character.encode_utf8(&mut bytes).bytes() {
                normal.push_str(&format!("%{byte:02X}"));
            }
        }
    }
    normal.push_str(query);
    Some(normal.strip_prefix("ssh://").map(str::to_owned).unwrap_or(normal))
}

/// Whether a URL is `user@host:path` or `ssh://user@host/path`: a user without slash or colon before an `@`, and
/// no further one.
fn is_ssh(url: &str) -> bool {
    let rest = url.strip_prefix("ssh://").unwrap_or(url);
    rest.split_once('@')
        .is_some_and(|(user, rest)| !user.contains(['/', ':']) && !rest.is_empty() && !rest.contains('@'))
}
