//! Go's replacement templates.

use std::sync::LazyLock;

use super::{Captures, Regex};

/// Appends `template` with its `$` references filled in.
pub(super) fn expand(regex: &Regex, found: &Captures<'_>, template: &str, to: &mut String) {
    let mut rest = template;
    while let Some((before, after)) = rest.split_once('$') {
        to.push_str(before);
        rest = after;
        if let Some(after) = rest.strip_prefix('$') {
            to.push('$');
            rest = after;
        } else if let Some((name, after)) = split_reference(rest) {
            to.push_str(resolve(regex, found, name));
            rest = after;
        } else {
            to.push('$');
        }
    }
    to.push_str(rest);
}

/// Splits `name` or `{name}` off the front; a name is of letters, digits and underscores, as long as it goes.
fn split_reference(text: &str) -> Option<(&str, &str)> {
    static NAME: LazyLock<regex::Regex> =
        LazyLock::new(|| regex::Regex::new(r"\A[\p{L}\p{Nd}_]+").expect("a fixed pattern compiles"));
    let (is_braced, text) = text.strip_prefix('{').map_or((false, text), |text| (true, text));
    let (name, rest) = text.split_at(NAME.find(text)?.end());
    if is_braced { Some((name, rest.strip_prefix('}')?)) } else { Some((name, rest)) }
}

fn resolve<'t>(regex: &Regex, found: &Captures<'t>, name: &str) -> &'t str {
    // A number with a leading zero, or beyond what a pattern could have, is a name.
    let is_number =
        name.bytes().all(|byte| byte.is_ascii_digit()) && (name.len() == 1 || !name.starts_with('0'));
    if is_number && let Ok(idx) = name.parse::<usize>() {
        return found.get(idx).unwrap_or_default();
    }
    let mut named = regex.group_names().enumerate().filter(|(_, known)| *known == Some(name));
    named.find_map(|(idx, _)| found.get(idx)).unwrap_or_default()
}
