//! Which styles can express a scalar.

/// What libyaml's emitter finds out about a scalar before it chooses a style.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Analysis {
    pub(super) multiline: bool,
    pub(super) flow_plain: bool,
    pub(super) block_plain: bool,
    pub(super) single_quoted: bool,
    pub(super) block: bool,
}

/// Whether a character is printed as it is; Go's packages escape all beyond the basic plane.
pub(super) fn is_printable(character: char) -> bool {
    matches!(character, '\n' | ' '..='~' | '\u{A0}'..='\u{FFFD}') && character != '\u{FEFF}'
}

pub(super) fn is_break(character: char) -> bool {
    matches!(character, '\r' | '\n' | '\u{85}' | '\u{2028}' | '\u{2029}')
}

/// Analyses `text`; `tabs` says whether a tab rules out block scalars, as in yaml.v2.
pub(super) fn analyze(text: &str, tabs_are_special: bool) -> Analysis {
    if text.is_empty() {
        return Analysis {
            multiline: false,
            flow_plain: false,
            block_plain: true,
            single_quoted: true,
            block: false,
        };
    }
    let mut block_indicators = text.starts_with("---") || text.starts_with("...");
    let mut flow_indicators = block_indicators;
    let mut line_breaks = false;
    let mut special = false;
    let mut tabs = false;
    let mut break_space = false;
    let mut space_break = false;
    let mut preceded_by_blank = true;
    let mut previous_space = false;
    let mut previous_break = false;
    let mut characters = text.chars().peekable();
    let mut first = true;
    while let Some(character) = characters.next() {
        let followed_by_blank = characters.peek().is_none_or(|next| matches!(next, ' ' | '\t'));
        match character {
            '#' if first || preceded_by_blank => {
                flow_indicators = true;
                block_indicators = true;
            }
            ',' | '[' | ']' | '{' | '}' => {
                flow_indicators = true;
                block_indicators |= first;
            }
            '&' | '*' | '!' | '|' | '>' | '\'' | '"' | '%' | '@' | '`' if first => {
                flow_indicators = true;
                block_indicators = true;
            }
            '?' => {
                flow_indicators = true;
                block_indicators |= first && followed_by_blank;
            }
            ':' => {
                flow_indicators = true;
                block_indicators |= followed_by_blank;
            }
            '-' if first && followed_by_blank => {
                flow_indicators = true;
                block_indicators = true;
            }
            '\t' if !tabs_are_special => tabs = true,
            _ => {}
        }
        special |= !is_printable(character) && (character != '\t' || tabs_are_special);
        if character == ' ' {
            break_space |= previous_break;
            previous_space = true;
            previous_break = false;
        } else if is_break(character) {
            line_breaks = true;
            space_break |= previous_space;
            previous_space = false;
            previous_break = true;
        } else {
            previous_space = false;
            previous_break = false;
        }
        preceded_by_blank = matches!(character, ' ' | '\t' | '\0') || is_break(character);
        first = false;
    }
    let is_edge = |character: Option<char>| character.is_some_and(|c| c == ' ' || is_break(c));
    let edges = is_edge(text.chars().next()) || is_edge(text.chars().next_back());
    let quotes = break_space || space_break || tabs || special;
    let plain = !edges && !quotes && !line_breaks;
    Analysis {
        multiline: line_breaks,
        flow_plain: plain && !flow_indicators,
        block_plain: plain && !block_indicators,
        single_quoted: !quotes,
        block: !text.ends_with(' ') && !space_break && !special,
    }
}
