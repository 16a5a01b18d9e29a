//! Scalars in each style.

use super::YamlStyle;
use super::analysis::{Analysis, analyze, is_break, is_printable};
use super::writer::{Place, Writer};
use crate::node::NodeStyle;
use crate::scanner::ScalarStyle;

/// What tags leave open about a scalar.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Implicit {
    /// Neither handle nor suffix of a tag is written.
    pub(super) no_tag: bool,
    pub(super) plain: bool,
    pub(super) quoted: bool,
}

impl Implicit {
    pub(super) const ALL: Self = Self { no_tag: true, plain: true, quoted: true };
}

impl Writer {
    /// The style a scalar gets in the end.
    pub(super) fn select_style(
        &self,
        text: &str,
        wanted: ScalarStyle,
        analysis: Analysis,
        place: Place,
        implicit: Implicit,
    ) -> ScalarStyle {
        let flow = self.flow_level > 0;
        let mut style = wanted;
        if place.simple_key && analysis.multiline {
            style = ScalarStyle::DoubleQuoted;
        }
        if style == ScalarStyle::Plain {
            let allowed = if flow { analysis.flow_plain } else { analysis.block_plain };
            let empty = text.is_empty() && (flow || place.simple_key);
            if !allowed || empty || (implicit.no_tag && !implicit.plain) {
                style = ScalarStyle::SingleQuoted;
            }
        }
        if style == ScalarStyle::SingleQuoted && !analysis.single_quoted {
            style = ScalarStyle::DoubleQuoted;
        }
        let block = matches!(style, ScalarStyle::Literal | ScalarStyle::Folded);
        if block && (!analysis.block || flow || place.simple_key) {
            style = ScalarStyle::DoubleQuoted;
        }
        style
    }

    /// Writes a scalar; `line_comment` is what stands behind a block scalar's header.
    pub(super) fn write_scalar(
        &mut self,
        text: &str,
        style: ScalarStyle,
        place: Place,
        line_comment: &mut String,
    ) {
        self.increase_indent(true, false, place, false);
        let foldable = !place.simple_key;
        match style {
            ScalarStyle::Plain => self.write_plain(text, foldable),
            ScalarStyle::SingleQuoted => self.write_single_quoted(text, foldable),
            ScalarStyle::DoubleQuoted => self.write_double_quoted(text, foldable),
            ScalarStyle::Literal => self.write_literal(text, line_comment),
            ScalarStyle::Folded => self.write_folded(text, line_comment),
        }
        self.decrease_indent();
    }

    fn write_plain(&mut self, text: &str, foldable: bool) {
        let skip_blank = self.is_v3() && text.is_empty();
        if !self.whitespace && !skip_blank {
            self.put(' ');
        }
        if foldable && self.style.width.is_some() && text.contains(' ') {
            let mut spaces = false;
            let mut characters = text.chars().peekable();
            while let Some(character) = characters.next() {
                if character == ' ' {
                    let foldable = !spaces && characters.peek() != Some(&' ');
                    if foldable && self.past_width() {
                        self.write_indent();
                    } else {
                        self.put(' ');
                    }
                    spaces = true;
                } else {
                    self.put(character);
                    self.indention = false;
                    spaces = false;
                }
            }
        } else {
            self.put_str(text);
        }
        if !skip_blank {
            self.whitespace = false;
        }
        self.indention = false;
    }

    fn write_single_quoted(&mut self, text: &str, foldable: bool) {
        self.write_indicator("'", true, false, false);
        let mut spaces = false;
        let mut breaks = false;
        let mut characters = text.char_indices().peekable();
        while let Some((idx, character)) = characters.next() {
            let next_is_space = characters.peek().is_some_and(|(_, next)| *next == ' ');
            if character == ' ' {
                let inside = idx > 0 && idx + 1 < text.len();
                if foldable && !spaces && self.past_width() && inside && !next_is_space {
                    self.write_indent();
                } else {
                    self.put(' ');
                }
                spaces = true;
            } else if is_break(character) {
                if !breaks && character == '\n' {
                    self.put_break();
                }
                self.put_text_break(character);
                self.indention = true;
                breaks = true;
            } else {
                if breaks {
                    self.write_indent();
                }
                if character == '\'' {
                    self.put('\'');
                }
                self.put(character);
                self.indention = false;
                spaces = false;
                breaks = false;
            }
        }
        self.write_indicator("'", false, false, false);
        self.whitespace = false;
        self.indention = false;
    }

    fn write_double_quoted(&mut self, text: &str, foldable: bool) {
        self.write_indicator("\"", true, false, false);
        let mut spaces = false;
        // Go's packages look for a byte order mark at the start of the text wherever they are in it.
        let escape_all = text.starts_with('\u{FEFF}');
        let mut characters = text.char_indices().peekable();
        while let Some((idx, character)) = characters.next() {
            if escape_all
                || !is_printable(character)
                || is_break(character)
                || matches!(character, '"' | '\\')
            {
                self.put_escape(character);
                spaces = false;
            } else if character == ' ' {
                let inside = idx > 0 && idx + 1 < text.len();
                if foldable && !spaces && self.past_width() && inside {
                    self.write_indent();
                    if characters.peek().is_some_and(|(_, next)| *next == ' ') {
                        self.put('\\');
                    }
                } else {
                    self.put(' ');
                }
                spaces = true;
            } else {
                self.put(character);
                spaces = false;
            }
        }
        self.write_indicator("\"", false, false, false);
        self.whitespace = false;
        self.indention = false;
    }

    fn put_escape(&mut self, character: char) {
        let short = match character {
            '\0' => '0',
            '\x07' => 'a',
            '\x08' => 'b',
            '\t' => 't',
            '\n' => 'n',
            '\x0B' => 'v',
            '\x0C' => 'f',
            '\r' => 'r',
            '\x1B' => 'e',
            '"' => '"',
            '\\' => '\\',
            '\u{85}' => 'N',
            '\u{A0}' => '_',
            '\u{2028}' => 'L',
            '\u{2029}' => 'P',
            _ => {
                let code = u32::from(character);
                let escape = match code {
                    0..=0xFF => format!("\\x{code:02X}"),
                    0x100..=0xFFFF => format!("\\u{code:04X}"),
                    _ => format!("\\U{code:08X}"),
                };
                self.put_str(&escape);
                return;
            }
        };
        self.put('\\');
        self.put(short);
    }

    fn write_block_hints(&mut self, text: &str) {
        if text.starts_with(|c: char| c == ' ' || is_break(c)) {
            let hint = self.style.indent.to_string();
            self.write_indicator(&hint, false, false, false);
        }
        let mut from_end = text.chars().rev();
        let hint = match (from_end.next(), from_end.next()) {
            (Some(last), before) if is_break(last) => {
                if before.is_none_or(is_break) {
                    "+"
                } else {
                    return;
                }
            }
            _ => "-",
        };
        self.write_indicator(hint, false, false, false);
    }

    /// The break after a block scalar's header, after its comment if there is one.
    fn end_block_header(&mut self, line_comment: &mut String) {
        if line_comment.is_empty() {
            self.put_break();
        } else {
            self.write_line_comment(line_comment);
        }
        self.indention = true;
        self.whitespace = true;
    }

    fn write_literal(&mut self, text: &str, line_comment: &mut String) {
        self.write_indicator("|", true, false, false);
        self.write_block_hints(text);
        self.end_block_header(line_comment);
        let mut rest = text;
        let mut breaks = true;
        while let Some(character) = rest.chars().next() {
            if is_break(character) {
                self.put_text_break(character);
                self.indention = true;
                breaks = true;
                rest = &rest[character.len_utf8()..];
            } else {
                if breaks {
                    self.write_indent();
                }
                let (line, after) = rest.split_at(rest.find(is_break).unwrap_or(rest.len()));
                self.put_str(line);
                self.indention = false;
                breaks = false;
                rest = after;
            }
        }
    }

    fn write_folded(&mut self, text: &str, line_comment: &mut String) {
        self.write_indicator(">", true, false, false);
        self.write_block_hints(text);
        self.end_block_header(line_comment);
        let mut breaks = true;
        let mut leading_spaces = true;
        // libyaml looks at the breaks at the text's very start here, and so do Go's translations.
        let after_breaks = text.trim_start_matches(is_break);
        let starts_blank = after_breaks.chars().next().is_none_or(|c| matches!(c, ' ' | '\t' | '\0'));
        let mut characters = text.chars().peekable();
        while let Some(character) = characters.next() {
            if is_break(character) {
                if !breaks && !leading_spaces && character == '\n' && !starts_blank {
                    self.put_break();
                }
                self.put_text_break(character);
                self.indention = true;
                breaks = true;
            } else {
                if breaks {
                    self.write_indent();
                    leading_spaces = matches!(character, ' ' | '\t');
                }
                let single = character == ' ' && characters.peek() != Some(&' ');
                if !breaks && single && self.past_width() {
                    self.write_indent();
                } else {
                    self.put(character);
                }
                self.indention = false;
                breaks = false;
            }
        }
    }
}

/// A scalar on one line, by itself.
pub(crate) fn scalar_line(text: &str, style: NodeStyle, in_flow: bool, layout: &YamlStyle) -> String {
    let mut writer = Writer::new(YamlStyle { width: None, ..*layout });
    writer.flow_level = usize::from(in_flow);
    let wanted = match style {
        NodeStyle::SingleQuoted => ScalarStyle::SingleQuoted,
        NodeStyle::DoubleQuoted => ScalarStyle::DoubleQuoted,
        _ => ScalarStyle::Plain,
    };
    // A simple key is what may not take more than a line.
    let place = Place { simple_key: true, ..Place::default() };
    let analysis = analyze(text, !writer.is_v3());
    let style = writer.select_style(text, wanted, analysis, place, Implicit::ALL);
    writer.write_scalar(text, style, place, &mut String::new());
    writer.out
}
