//! Just enough of Rust's lexer to look for names outside of comments, text and tests.

/// The code of a source file: comments, literals and what is only compiled for tests are blank, and
/// every line is where it was.
pub(super) fn code(source: &str) -> String {
    without_tests(&blank_out(source))
}

/// The modules that a file declares for tests only: `#[cfg(test)] mod name;`.
pub(super) fn test_modules(source: &str) -> Vec<String> {
    let code = blank_out(source);
    let mut modules = Vec::new();
    for (start, _) in code.match_indices(TEST_ATTRIBUTE) {
        let rest = code[start + TEST_ATTRIBUTE.len()..].trim_start();
        let Some(rest) = rest.strip_prefix("mod ") else { continue };
        if let Some((name, _)) = rest.split_once(';')
            && name.chars().all(is_identifier)
        {
            modules.push(name.to_owned());
        }
    }
    modules
}

/// The paths that the code names from `root`, which is `std` or the name of a crate: `std::fs`, whether
/// it is written out or stands in a group of a `use`.
pub(super) fn names_below(code: &str, root: &str) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    let needle = format!("{root}::");
    for (start, _) in code.match_indices(&needle) {
        if code[..start].chars().next_back().is_some_and(|before| is_identifier(before) || before == ':') {
            continue;
        }
        let rest = &code[start + needle.len()..];
        let names = match rest.strip_prefix('{') {
            Some(group) => first_names(group),
            None => vec![(0, rest)],
        };
        for (offset, name) in names {
            let position = start + needle.len() + offset;
            let name = name.chars().take_while(|&c| is_identifier(c) || c == ':').collect::<String>();
            found.push((line_of(code, position), name));
        }
    }
    found
}

/// The line (from one) of a position.
pub(super) fn line_of(code: &str, position: usize) -> usize {
    1 + code[..position].matches('\n').count()
}

/// Whether a character may be part of a name.
pub(super) fn is_identifier(character: char) -> bool {
    character.is_alphanumeric() || character == '_'
}

const TEST_ATTRIBUTE: &str = "#[cfg(test)]";

/// The names that a group begins with: of `fs, io::{self, Read}, time::Instant}` these are `fs`, `io`, `time`.
fn first_names(group: &str) -> Vec<(usize, &str)> {
    let mut names = Vec::new();
    let (mut depth, mut expecting) = (0, true);
    for (position, character) in group.char_indices() {
        match character {
            '}' if depth == 0 => break,
            '{' => depth += 1,
            '}' => depth -= 1,
            ',' if depth == 0 => expecting = true,
            _ if expecting && is_identifier(character) => {
                names.push((position, &group[position..]));
                expecting = false;
            }
            _ => {}
        }
    }
    names
}

/// Replaces comments and literals by blanks.
fn blank_out(source: &str) -> String {
    let characters = source.chars().collect::<Vec<_>>();
    let at = |position: usize| characters.get(position).copied().unwrap_or('\0');
    let mut code = String::with_capacity(source.len());
    let mut position = 0;
    while position < characters.len() {
        let end = match (at(position), at(position + 1)) {
            ('/', '/') => line_end(&characters, position),
            ('/', '*') => block_comment_end(&characters, position),
            ('"', _) => string_end(&characters, position),
            ('r' | 'b' | 'c', '"' | '#' | 'r') if !preceded_by_identifier(&code) => {
                prefixed_literal_end(&characters, position)
            }
            // A character, not a lifetime: it is escaped, or closed right behind.
            ('\'', '\\') => quoted_character_end(&characters, position),
            ('\'', _) if at(position + 2) == '\'' => position + 3,
            _ => position,
        };
        if end == position {
            code.push(at(position));
            position += 1;
            continue;
        }
        let blanked = &characters[position..end.min(characters.len())];
        code.extend(blanked.iter().map(|&c| if c == '\n' { '\n' } else { ' ' }));
        position = end;
    }
    code
}

fn preceded_by_identifier(code: &str) -> bool {
    code.chars().next_back().is_some_and(is_identifier)
}

fn line_end(characters: &[char], start: usize) -> usize {
    characters[start..].iter().position(|&c| c == '\n').map_or(characters.len(), |length| start + length)
}

fn block_comment_end(characters: &[char], start: usize) -> usize {
    let (mut depth, mut position) = (0, start);
    while position + 1 < characters.len() {
        match (characters[position], characters[position + 1]) {
            ('/', '*') => (depth, position) = (depth + 1, position + 2),
            ('*', '/') => (depth, position) = (depth - 1, position + 2),
            _ => position += 1,
        }
        if depth == 0 {
            return position;
        }
    }
    characters.len()
}

fn string_end(characters: &[char], quote: usize) -> usize {
    let mut position = quote + 1;
    while position < characters.len() {
        match characters[position] {
            '\\' => position += 2,
            '"' => return position + 1,
            _ => position += 1,
        }
    }
    characters.len()
}

fn quoted_character_end(characters: &[char], start: usize) -> usize {
    let mut position = start + 3;
    while position < characters.len() && characters[position] != '\'' {
        position += 1;
    }
    position + 1
}

/// The end of `r"…"`, `r#"…"#`, `b"…"`, `br"…"`, `c"…"`; the start, when it is no literal (`r#type`).
fn prefixed_literal_end(characters: &[char], start: usize) -> usize {
    let at = |position: usize| characters.get(position).copied().unwrap_or('\0');
    let mut position = start;
    while matches!(at(position), 'r' | 'b' | 'c') && position < start + 2 {
        position += 1;
    }
    let raw = characters[start..position].contains(&'r');
    let n_hashes = characters[position..].iter().take_while(|&&c| c == '#').count();
    position += n_hashes;
    if at(position) != '"' {
        return start;
    }
    if !raw {
        return string_end(characters, position);
    }
    position += 1;
    while position < characters.len() {
        let closes = at(position) == '"' && (1..=n_hashes).all(|offset| at(position + offset) == '#');
        position += 1;
        if closes {
            return position + n_hashes;
        }
    }
    characters.len()
}

/// Blanks the items that only tests compile, with their bodies.
fn without_tests(code: &str) -> String {
    let mut rest = code;
    let mut kept = String::with_capacity(code.len());
    while let Some(start) = rest.find(TEST_ATTRIBUTE) {
        kept.push_str(&rest[..start]);
        let item = &rest[start..];
        let end = item_end(item);
        kept.extend(item[..end].chars().map(|c| if c == '\n' { '\n' } else { ' ' }));
        rest = &item[end..];
    }
    kept.push_str(rest);
    kept
}

/// The end of an item: its semicolon, or the brace that closes its body.
fn item_end(item: &str) -> usize {
    let mut depth = 0;
    for (position, character) in item.char_indices() {
        match character {
            ';' if depth == 0 => return position + 1,
            '{' => depth += 1,
            '}' if depth == 1 => return position + 1,
            '}' => depth -= 1,
            _ => {}
        }
    }
    item.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_and_literals_are_blank() {
        for (source, expected) in [
            ("a // std::fs\nb", "a           \nb"),
            ("a /* b /* c */ d */ e", "a                   e"),
            ("x(\"std::fs \\\" y\", 'c', '\\'', '\\u{7f}') z", "x(              ,    ,     ,         ) z"),
            ("r#\"a \"b\" c\"# d", "             d"),
            ("b\"x\" br\"y\" r\"\\\" z", "                z"),
            ("fn f<'a>(a: &'a str) {}", "fn f<'a>(a: &'a str) {}"),
            ("r#type for\" \"", "r#type for   "),
        ] {
            assert_eq!(blank_out(source), expected, "{source}");
        }
    }

    #[test]
    fn tests_are_not_code() {
        let source = "use a;\n#[cfg(test)]\nmod tests {\n  fn f() { \"}\" }\n}\nuse b;\n#[cfg(test)]\nmod c;\nuse d;\n";
        let code = code(source);
        assert_eq!(code.split_whitespace().collect::<Vec<_>>(), ["use", "a;", "use", "b;", "use", "d;"]);
        assert_eq!(code.lines().count(), source.lines().count());
        assert_eq!(test_modules(source), ["c"]);
    }

    #[test]
    fn names_are_found_alone_and_in_groups() {
        let found = |code| names_below(code, "std").into_iter().map(|(_, name)| name).collect::<Vec<_>>();
        assert_eq!(found("use std::fs; std::env::var(x)"), ["fs", "env::var"]);
        assert_eq!(
            found("use std::{\n fmt,\n io::{self, Read},\n time::{Duration, Instant},\n};"),
            ["fmt", "io::", "time::"]
        );
        assert_eq!(found("use mystd::fs; crate::std::fs;"), Vec::<String>::new());
    }
}
