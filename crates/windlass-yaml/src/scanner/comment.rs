//! Comments, and the tokens they belong to, as yaml.v3 assigns them.
//!
//! A comment is the *head* of what follows, stands in *line* with what precedes it, or is the *foot* of what
//! ended before it. Which one is decided here by columns and empty lines; the parser then hands each comment
//! to the first event whose token does not lie before the comment's token mark.

use super::{Mark, Scanner, TokenKind};

/// A comment, its place, and the place of the token it goes with. One of the three texts is set.
#[derive(Clone, Debug, Default)]
pub(crate) struct Comment {
    /// Where the blanks before it begin: comments whose ends meet are looked at together.
    scan: Mark,
    pub(crate) token: Mark,
    start: Mark,
    end: Mark,
    pub(crate) head: String,
    pub(crate) line: String,
    pub(crate) foot: String,
}

/// How many blanks may stand between a token and its comment, or between two comments.
const MAX_PEEK: usize = 512;

impl Scanner<'_> {
    fn add_comment(&mut self, comment: Comment) {
        if let Some(comments) = &mut self.comments {
            comments.push_back(comment);
        }
    }

    /// A comment behind the dash of a list's first item is the item's head.
    pub(super) fn turn_line_comment_to_head(&mut self) {
        let at_break = self.is_break(0);
        let count = self.queue.len();
        let at = self.at;
        let Some(comment) = self.comments.as_mut().and_then(|comments| comments.back_mut()) else { return };
        if count < 2 || comment.line.is_empty() || at_break {
            return;
        }
        let kinds = (&self.queue[count - 2].kind, &self.queue[count - 1].kind);
        if matches!(kinds, (TokenKind::BlockSequenceStart, TokenKind::BlockEntry)) {
            comment.head = std::mem::take(&mut comment.line);
            if comment.start.line + 1 == at.line {
                comment.token = at;
            }
        }
    }

    /// Reads a comment that stands in line with the token just scanned.
    pub(super) fn scan_line_comment(&mut self, token: Mark) {
        if self.newlines > 0 {
            return;
        }
        let blanks = (0..MAX_PEEK).take_while(|ahead| self.is_blank(*ahead)).count();
        if blanks == MAX_PEEK || self.byte(blanks) != b'#' {
            return;
        }
        (0..blanks).for_each(|_| self.skip());
        let start = self.at;
        self.skip_comment();
        let line = self.since(start.offset).to_owned();
        self.add_comment(Comment { token, start, line, ..Comment::default() });
    }

    /// Reads the comments up to the next token; the cursor is at the first.
    pub(super) fn scan_comments(&mut self, mut scan: Mark) {
        let count = self.queue.len();
        let mut token = self.queue.back().expect("the stream's start is in the queue");
        if token.kind == TokenKind::FlowEntry && count > 1 {
            token = &self.queue[count - 2];
        }
        let after_value = token.kind == TokenKind::Value;
        let mut token_mark = token.start;
        let mut start = Mark::default();
        let mut next_indent = self.indent.max(0);
        let mut recent_empty = false;
        let mut first_empty = self.newlines <= 1;
        let mut line = self.at.line;
        let mut column = self.at.column;
        let mut text = String::new();
        // On this line a comment still is the foot of what precedes it.
        let mut foot_line = None;
        if scan.line > 0 {
            let beside = self.newlines == 0 && self.at.column > 1;
            foot_line = Some(self.at.line + 1 + u32::from(beside) - self.newlines.min(self.at.line + 1));
        }
        let mut peek: usize = 0;
        while peek < MAX_PEEK {
            column += 1;
            let byte = self.byte(peek);
            if matches!(byte, b' ' | b'\t') {
                peek += 1;
                continue;
            }
            let here = Mark {
                offset: self.at.offset + u32::try_from(peek).unwrap_or_default(),
                index: self.at.index + u32::try_from(peek).unwrap_or_default(),
                line,
                column,
            };
            let dedented = i64::from(start.column) - 1 < next_indent;
            let close_flow = self.flow_level > 0 && matches!(byte, b']' | b'}');
            if close_flow || self.is_break_or_end(peek) {
                if close_flow || !recent_empty {
                    let beneath = Some(start.line) == foot_line && !after_value;
                    if close_flow || (first_empty && (beneath || dedented)) {
                        // The first empty line ends the foot of what precedes it.
                        if !text.is_empty() {
                            if dedented {
                                token_mark = start;
                            }
                            let foot = std::mem::take(&mut text);
                            let token = token_mark;
                            self.add_comment(Comment {
                                scan,
                                token,
                                start,
                                end: here,
                                foot,
                                ..Comment::default()
                            });
                            scan = here;
                            token_mark = here;
                        }
                    } else if !text.is_empty() && byte != 0 {
                        text.push('\n');
                    }
                }
                if !self.is_break(peek) {
                    break;
                }
                first_empty = false;
                recent_empty = true;
                column = 0;
                line += 1;
                peek += 1;
                continue;
            }
            if !text.is_empty() && i64::from(column) - 1 < next_indent && column != start.column {
                // At another indentation it is the foot of what precedes it, not the head of what follows.
                let foot = std::mem::take(&mut text);
                self.add_comment(Comment {
                    scan,
                    token: token_mark,
                    start,
                    end: here,
                    foot,
                    ..Comment::default()
                });
                scan = here;
                token_mark = here;
            }
            if byte != b'#' {
                break;
            }
            if text.is_empty() {
                start = here;
            } else {
                text.push('\n');
            }
            recent_empty = false;
            while self.at.index < here.index {
                if self.is_break(0) {
                    self.skip_line();
                } else {
                    self.skip();
                }
            }
            let from = self.at.offset;
            self.skip_comment();
            text.push_str(self.since(from));
            // The break that ends this comment's line is no empty line: look behind it.
            peek = 1;
            column = 0;
            line = self.at.line;
            next_indent = self.indent.max(0);
        }
        if !text.is_empty() {
            let ahead = u32::try_from(peek).unwrap_or_default();
            let end = Mark {
                index: (self.at.index + ahead).saturating_sub(1),
                offset: self.at.offset,
                line,
                column,
            };
            self.add_comment(Comment { scan, token: start, start, end, head: text, ..Comment::default() });
        }
    }

    /// Closes block collections at the comments that stand in their column: those are their feet.
    pub(super) fn unroll_indent_by_comments(&mut self, column: i64, scan: Mark) {
        let mut block_mark = scan;
        block_mark.index = block_mark.index.saturating_sub(1);
        while self.indent > column {
            let mut stop = block_mark.index;
            for comment in self.comments.iter().flatten().rev() {
                if comment.end.index < stop {
                    break;
                }
                if i64::from(comment.start.column) == self.indent + 1 {
                    block_mark = comment.start;
                }
                stop = comment.scan.index;
            }
            self.push_block_end(block_mark);
            self.close_indent();
        }
    }
}
