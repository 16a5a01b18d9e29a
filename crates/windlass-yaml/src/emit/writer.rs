//! The emitter's pen: columns, indentation, and when a blank or a line break is due.

use super::YamlStyle;
use crate::resolve::Dialect;

/// Where a node stands; it decides about lists' indentation and scalars' styles.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Place {
    /// The value (or key) of a mapping.
    pub(super) mapping: bool,
    /// A key that fits on one line.
    pub(super) simple_key: bool,
    /// An item of a block sequence.
    pub(super) block_item: bool,
}

pub(super) struct Writer {
    pub(super) out: String,
    pub(super) style: YamlStyle,
    pub(super) indent: i64,
    indents: Vec<i64>,
    pub(super) column: usize,
    /// The last thing written was blank.
    pub(super) whitespace: bool,
    /// Only indentation and `-`, `?`, `:` indicators stand on this line.
    pub(super) indention: bool,
    pub(super) flow_level: usize,
    /// The indentation of the last foot comment, if an empty line is due after it.
    pub(super) foot_indent: i64,
}

impl Writer {
    pub(super) fn new(mut style: YamlStyle) -> Self {
        if !(2..=9).contains(&style.indent) {
            style.indent = 2;
        }
        if style.width.is_some_and(|width| width <= 2 * style.indent) {
            style.width = Some(80);
        }
        Self {
            out: String::new(),
            style,
            indent: -1,
            indents: Vec::new(),
            column: 0,
            whitespace: true,
            indention: true,
            flow_level: 0,
            foot_indent: -1,
        }
    }

    pub(super) fn is_v3(&self) -> bool {
        self.style.dialect == Dialect::V3
    }

    fn best_indent(&self) -> i64 {
        i64::try_from(self.style.indent).unwrap_or(2)
    }

    /// Goes one level deeper. `compact` takes the two columns of a sequence's dash off again.
    pub(super) fn increase_indent(&mut self, flow: bool, indentless: bool, place: Place, compact: bool) {
        self.indents.push(self.indent);
        let best = self.best_indent();
        if self.indent < 0 {
            self.indent = if flow { best } else { 0 };
        } else if indentless {
        } else if !self.is_v3() {
            self.indent += best;
        } else if place.block_item {
            // Below a dash there are always two columns.
            self.indent += 2;
        } else {
            self.indent = best * ((self.indent + best) / best);
            if compact {
                self.indent -= 2;
            }
        }
    }

    pub(super) fn decrease_indent(&mut self) {
        self.indent = self.indents.pop().unwrap_or(-1);
    }

    /// Whether a folding is due at this column.
    pub(super) fn past_width(&self) -> bool {
        self.style.width.is_some_and(|width| self.column > width)
    }

    pub(super) fn put(&mut self, character: char) {
        self.out.push(character);
        self.column += 1;
    }

    pub(super) fn put_str(&mut self, text: &str) {
        self.out.push_str(text);
        self.column += if text.is_ascii() { text.len() } else { text.chars().count() };
    }

    pub(super) fn put_break(&mut self) {
        self.out.push('\n');
        self.column = 0;
        if self.is_v3() {
            self.indention = true;
        }
    }

    /// Writes a line break of the text itself.
    pub(super) fn put_text_break(&mut self, character: char) {
        if character == '\n' {
            self.put_break();
        } else {
            self.out.push(character);
            self.column = 0;
            if self.is_v3() {
                self.indention = true;
            }
        }
    }

    pub(super) fn write_indent(&mut self) {
        let indent = self.indent.max(0);
        let column = i64::try_from(self.column).unwrap_or(i64::MAX);
        if !self.indention || column > indent || (column == indent && !self.whitespace) {
            self.put_break();
        }
        if self.is_v3() {
            if self.foot_indent == indent {
                self.put_break();
            }
            self.foot_indent = -1;
        }
        while i64::try_from(self.column).is_ok_and(|column| column < indent) {
            self.put(' ');
        }
        self.whitespace = true;
        if !self.is_v3() {
            self.indention = true;
        }
    }

    pub(super) fn write_indicator(
        &mut self,
        text: &str,
        needs_blank: bool,
        is_blank: bool,
        is_indention: bool,
    ) {
        if needs_blank && !self.whitespace {
            self.put(' ');
        }
        self.put_str(text);
        self.whitespace = is_blank;
        self.indention = self.indention && is_indention;
    }
}
