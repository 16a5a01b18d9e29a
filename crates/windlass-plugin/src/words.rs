//! What a program said, as it may be shown.

/// Variables whose names hold one of these hold secrets.
const SECRET_NAMES: [&str; 7] = ["TOKEN", "PASSWORD", "PASSWD", "SECRET", "KEY", "CREDENTIAL", "AUTH"];

/// Shorter values are too common to be taken out of a text.
const SECRET_LENGTH: usize = 4;

/// The text without control characters, without the users of addresses and without the values of secret variables.
pub(crate) fn shown(text: &str, variables: &[(String, String)]) -> String {
    let mut text = without_users(&without_controls(text));
    let is_secret = |name: &str| {
        let name = name.to_uppercase();
        (name.starts_with("ARGOCD_ENV_") || name.starts_with("PARAM_"))
            && SECRET_NAMES.iter().any(|word| name.contains(word))
    };
    let secrets = variables.iter().filter(|(name, value)| is_secret(name) && value.len() >= SECRET_LENGTH);
    for (_, value) in secrets {
        text = text.replace(value.as_str(), "[redacted]");
    }
    text
}

fn without_controls(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    let mut characters = text.chars().peekable();
    while let Some(character) = characters.next() {
        match character {
            // A sequence for a terminal ends with a letter.
            '\u{1b}' if characters.peek() == Some(&'[') => {
                while characters.next().is_some_and(|inside| !inside.is_ascii_alphabetic()) {}
            }
            '\n' => shown.push('\n'),
            '\t' => shown.push(' '),
            character if character.is_control() => {}
            character => shown.push(character),
        }
    }
    shown
}

fn without_users(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find("://") {
        let (before, after) = rest.split_at(at + 3);
        shown.push_str(before);
        let end = after.find(|character: char| character == '/' || character.is_whitespace());
        let host = &after[..end.unwrap_or(after.len())];
        match host.rfind('@') {
            Some(user) => {
                shown.push_str("[redacted]");
                rest = &after[user..];
            }
            None => rest = after,
        }
    }
    shown.push_str(rest);
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_shown_that_should_not_be() {
        let variables = [("ARGOCD_ENV_API_TOKEN", "hunter2"), ("PARAM_KEY", "abc"), ("PARAM_IMAGE", "web:1")];
        let variables = variables.map(|(name, value)| (name.to_owned(), value.to_owned()));
        for (text, expected) in [
            ("plain", "plain"),
            ("\u{1b}[31mred\u{1b}[0m\u{7}\tx\r\ny", "red x\ny"),
            (
                "at https://me:pw@host/x and ssh://git@h",
                "at https://[redacted]@host/x and ssh://[redacted]@h",
            ),
            ("sent hunter2 for web:1 abc", "sent [redacted] for web:1 abc"),
        ] {
            assert_eq!(shown(text, &variables), expected);
        }
    }
}
