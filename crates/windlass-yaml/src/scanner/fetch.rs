//! Which token begins here, and what it does to indentation and possible keys.

use super::{Mark, Scanner, SimpleKey, SyntaxError, Token, TokenKind};
use crate::limits::MAX_SYNTAX_DEPTH;

impl<'a> Scanner<'a> {
    /// Appends the next token (and the block tokens that indentation implies) to the queue.
    pub(super) fn fetch(&mut self) -> Result<(), Box<SyntaxError>> {
        if !self.started {
            self.started = true;
            self.keys.push(SimpleKey {
                possible: false,
                required: false,
                indexed: false,
                token_number: 0,
                mark: self.at,
            });
            self.push(TokenKind::StreamStart, self.at, self.at);
            return Ok(());
        }
        let scan_mark = self.at;
        self.skip_to_token()?;
        self.unroll_indent(i64::from(self.at.column), scan_mark);
        if self.at_end() {
            return self.fetch_stream_end();
        }
        if self.at.column == 0 && self.byte(0) == b'%' {
            self.unroll_indent(-1, self.at);
            self.remove_key()?;
            self.key_allowed = false;
            let token = self.scan_directive()?;
            self.queue.push_back(token);
            return Ok(());
        }
        if self.at_document_indicator() {
            let kind = if self.byte(0) == b'-' { TokenKind::DocumentStart } else { TokenKind::DocumentEnd };
            self.unroll_indent(-1, self.at);
            self.remove_key()?;
            self.key_allowed = false;
            self.push_indicator(kind, 3);
            return Ok(());
        }
        if self.comments.is_none() {
            return self.fetch_content();
        }
        let mut comment_mark = self.at;
        let looks_back =
            (self.flow_level == 0 && self.byte(0) == b':') || (self.flow_level > 0 && self.byte(0) == b',');
        if let Some(last) = self.queue.back().filter(|_| looks_back) {
            comment_mark = last.start;
        }
        self.fetch_content()?;
        if self.queue.back().is_none_or(|token| token.kind != TokenKind::BlockEntry) {
            self.scan_line_comment(comment_mark);
        }
        Ok(())
    }

    fn fetch_content(&mut self) -> Result<(), Box<SyntaxError>> {
        let flow = self.flow_level > 0;
        match self.byte(0) {
            b'[' => return self.fetch_flow_start(TokenKind::FlowSequenceStart),
            b'{' => return self.fetch_flow_start(TokenKind::FlowMappingStart),
            b']' => return self.fetch_flow_end(TokenKind::FlowSequenceEnd),
            b'}' => return self.fetch_flow_end(TokenKind::FlowMappingEnd),
            b',' => {
                self.remove_key()?;
                self.key_allowed = true;
                self.push_indicator(TokenKind::FlowEntry, 1);
                return Ok(());
            }
            b'-' if self.is_blank_or_end(1) => return self.fetch_block_entry(),
            b'?' if flow || self.is_blank_or_end(1) => return self.fetch_key(),
            b':' if flow || self.is_blank_or_end(1) => return self.fetch_value(),
            _ => {}
        }
        let token = match self.byte(0) {
            kind @ (b'*' | b'&') => {
                self.save_key()?;
                self.key_allowed = false;
                self.scan_anchor(kind == b'*')?
            }
            b'!' => {
                self.save_key()?;
                self.key_allowed = false;
                self.scan_tag()?
            }
            kind @ (b'|' | b'>') if !flow => {
                self.remove_key()?;
                self.key_allowed = true;
                self.scan_block_scalar(kind == b'|')?
            }
            kind @ (b'\'' | b'"') => {
                self.save_key()?;
                self.key_allowed = false;
                self.scan_quoted(kind == b'\'')?
            }
            b',' | b'[' | b']' | b'{' | b'}' | b'#' | b'|' | b'>' | b'%' | b'@' | b'`' | b' ' | b'\t' => {
                return Err(self.no_token());
            }
            _ => {
                self.save_key()?;
                self.key_allowed = false;
                self.scan_plain()?
            }
        };
        self.queue.push_back(token);
        Ok(())
    }

    fn no_token(&self) -> Box<SyntaxError> {
        self.error(self.at, "found character that cannot start any token")
    }

    fn push(&mut self, kind: TokenKind<'a>, start: Mark, end: Mark) {
        self.queue.push_back(Token { kind, start, end });
    }

    /// Appends a token of `width` ASCII characters and moves over them.
    fn push_indicator(&mut self, kind: TokenKind<'a>, width: usize) {
        let start = self.at;
        (0..width).for_each(|_| self.skip());
        self.push(kind, start, self.at);
    }

    fn skip_to_token(&mut self) -> Result<(), Box<SyntaxError>> {
        let scan_mark = self.at;
        loop {
            while self.byte(0) == b' '
                || (self.byte(0) == b'\t' && (self.flow_level > 0 || !self.key_allowed))
            {
                self.skip();
            }
            if self.comments.is_some() {
                self.turn_line_comment_to_head();
                if self.byte(0) == b'#' {
                    self.scan_comments(scan_mark);
                }
            } else if self.byte(0) == b'#' {
                self.skip_comment();
            }
            if !self.is_break(0) {
                return Ok(());
            }
            self.skip_line();
            if self.flow_level == 0 {
                self.key_allowed = true;
            }
        }
    }

    /// Moves to the end of the line.
    pub(super) fn skip_comment(&mut self) {
        while !self.is_break_or_end(0) {
            self.skip();
        }
    }

    fn save_key(&mut self) -> Result<(), Box<SyntaxError>> {
        if !self.key_allowed {
            return Ok(());
        }
        let required = self.flow_level == 0 && self.indent == i64::from(self.at.column);
        let key = SimpleKey {
            possible: true,
            required,
            indexed: true,
            token_number: self.taken + self.queue.len(),
            mark: self.at,
        };
        self.remove_key()?;
        *self.keys.last_mut().expect("the block level has an entry") = key;
        Ok(())
    }

    fn remove_key(&mut self) -> Result<(), Box<SyntaxError>> {
        let key = self.keys.last_mut().expect("the block level has an entry");
        if key.possible {
            if key.required {
                let mark = key.mark;
                return Err(self.error(mark, "could not find expected ':'"));
            }
            key.possible = false;
        }
        Ok(())
    }

    /// Opens a block collection if `column` lies deeper than the present one; the token goes before token
    /// `number`, or last.
    fn roll_indent(
        &mut self,
        column: u32,
        number: Option<usize>,
        kind: TokenKind<'a>,
        mark: Mark,
    ) -> Result<(), Box<SyntaxError>> {
        if self.flow_level > 0 || self.indent >= i64::from(column) {
            return Ok(());
        }
        self.indents.push(self.indent);
        self.indent = i64::from(column);
        if self.indents.len() > MAX_SYNTAX_DEPTH {
            let context = self.keys.last().map_or(mark, |key| key.mark);
            return Err(self.error(context, "exceeded max depth of 10000"));
        }
        let token = Token { kind, start: mark, end: mark };
        match number {
            Some(number) => self.insert(number, token),
            None => self.queue.push_back(token),
        }
        Ok(())
    }

    /// Puts a token in the place of token `number`; last, if that one was handed out already.
    fn insert(&mut self, number: usize, token: Token<'a>) {
        match number.checked_sub(self.taken) {
            Some(idx) => self.queue.insert(idx.min(self.queue.len()), token),
            None => self.queue.push_back(token),
        }
    }

    /// Closes the block collections deeper than `column`.
    fn unroll_indent(&mut self, column: i64, scan_mark: Mark) {
        if self.flow_level > 0 || self.indent <= column {
            return;
        }
        if self.look_ahead {
            self.unroll_indent_by_comments(column, scan_mark);
            return;
        }
        while self.indent > column {
            self.push_block_end(self.at);
            self.close_indent();
        }
    }

    pub(super) fn push_block_end(&mut self, mark: Mark) {
        self.push(TokenKind::BlockEnd, mark, mark);
    }

    pub(super) fn close_indent(&mut self) {
        self.indent = self.indents.pop().expect("every indentation was pushed");
    }

    fn fetch_stream_end(&mut self) -> Result<(), Box<SyntaxError>> {
        if self.at.column != 0 {
            self.at.column = 0;
            self.at.line += 1;
        }
        self.unroll_indent(-1, self.at);
        self.remove_key()?;
        self.key_allowed = false;
        self.push(TokenKind::StreamEnd, self.at, self.at);
        Ok(())
    }

    fn fetch_flow_start(&mut self, kind: TokenKind<'a>) -> Result<(), Box<SyntaxError>> {
        self.save_key()?;
        let token_number = self.taken + self.queue.len();
        self.keys.push(SimpleKey {
            possible: false,
            required: false,
            indexed: false,
            token_number,
            mark: self.at,
        });
        self.flow_level += 1;
        if self.flow_level > MAX_SYNTAX_DEPTH {
            return Err(self.error(self.at, "exceeded max depth of 10000"));
        }
        self.key_allowed = true;
        self.push_indicator(kind, 1);
        Ok(())
    }

    fn fetch_flow_end(&mut self, kind: TokenKind<'a>) -> Result<(), Box<SyntaxError>> {
        self.remove_key()?;
        if self.flow_level > 0 {
            self.flow_level -= 1;
            let ended = self.keys.pop();
            let outer = self.keys.last_mut();
            if let (Some(ended), Some(outer)) = (ended, outer)
                && ended.token_number == outer.token_number
            {
                outer.indexed = false;
            }
        }
        self.key_allowed = false;
        self.push_indicator(kind, 1);
        Ok(())
    }

    fn fetch_block_entry(&mut self) -> Result<(), Box<SyntaxError>> {
        if self.flow_level == 0 {
            if !self.key_allowed {
                return Err(self.error(self.at, "block sequence entries are not allowed in this context"));
            }
            self.roll_indent(self.at.column, None, TokenKind::BlockSequenceStart, self.at)?;
        }
        self.remove_key()?;
        self.key_allowed = true;
        self.push_indicator(TokenKind::BlockEntry, 1);
        Ok(())
    }

    fn fetch_key(&mut self) -> Result<(), Box<SyntaxError>> {
        if self.flow_level == 0 {
            if !self.key_allowed {
                return Err(self.error(self.at, "mapping keys are not allowed in this context"));
            }
            self.roll_indent(self.at.column, None, TokenKind::BlockMappingStart, self.at)?;
        }
        self.remove_key()?;
        self.key_allowed = self.flow_level == 0;
        self.push_indicator(TokenKind::Key, 1);
        Ok(())
    }

    fn fetch_value(&mut self) -> Result<(), Box<SyntaxError>> {
        let last = self.keys.len() - 1;
        if self.key_is_valid(last)? {
            let key = self.keys[last];
            let token = Token { kind: TokenKind::Key, start: key.mark, end: key.mark };
            self.insert(key.token_number, token);
            self.roll_indent(
                key.mark.column,
                Some(key.token_number),
                TokenKind::BlockMappingStart,
                key.mark,
            )?;
            self.keys[last].possible = false;
            self.key_allowed = false;
        } else {
            if self.flow_level == 0 {
                if !self.key_allowed {
                    return Err(self.error(self.at, "mapping values are not allowed in this context"));
                }
                self.roll_indent(self.at.column, None, TokenKind::BlockMappingStart, self.at)?;
            }
            self.key_allowed = self.flow_level == 0;
        }
        self.push_indicator(TokenKind::Value, 1);
        Ok(())
    }
}
