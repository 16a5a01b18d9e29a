//! Comments, and the tokens they belong to, as yaml.v3 assigns them.

use std::borrow::Cow;

use super::{Mark, Scanner};

/// A comment and the place of the token it goes with.
#[derive(Clone, Debug)]
pub(crate) struct Comment<'a> {
    pub(crate) token: Mark,
    pub(crate) head: Cow<'a, str>,
    pub(crate) line: Cow<'a, str>,
    pub(crate) foot: Cow<'a, str>,
}

impl Scanner<'_> {
    pub(super) fn turn_line_comment_to_head(&mut self) {}

    pub(super) fn scan_comments(&mut self, _scan_mark: Mark) {
        self.skip_comment();
    }

    pub(super) fn scan_line_comment(&mut self, _token: Mark) {}

    pub(super) fn unroll_indent_by_comments(&mut self, column: i64, _scan_mark: Mark) {
        while self.indent > column {
            self.push_block_end(self.at);
            self.close_indent();
        }
    }
}
