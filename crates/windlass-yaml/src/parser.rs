//! Tokens to events: the grammar, as a machine with an explicit stack, so that depth costs no native stack.

use std::borrow::Cow;

use crate::scanner::{Mark, ScalarStyle, Scanner, Stage, SyntaxError, Token, TokenKind};

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum EventKind<'a> {
    StreamStart,
    StreamEnd,
    DocumentStart,
    DocumentEnd,
    Alias(&'a str),
    Scalar {
        properties: Properties<'a>,
        value: Cow<'a, str>,
        style: ScalarStyle,
        /// Where the scalar itself begins, after its properties.
        content: Mark,
    },
    SequenceStart {
        properties: Properties<'a>,
        flow: bool,
    },
    SequenceEnd,
    MappingStart {
        properties: Properties<'a>,
        flow: bool,
    },
    MappingEnd,
}

/// The anchor and tag in front of a node.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Properties<'a> {
    pub(crate) anchor: Option<&'a str>,
    /// The tag with its handle resolved; `None` where there is none.
    pub(crate) tag: Option<Cow<'a, str>>,
}

/// The comments around a node.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Comments {
    pub(crate) head: String,
    pub(crate) line: String,
    pub(crate) foot: String,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Event<'a> {
    pub(crate) kind: EventKind<'a>,
    pub(crate) start: Mark,
    pub(crate) end: Mark,
    /// Only set where comments are kept and there are some.
    pub(crate) comments: Option<Box<Comments>>,
}

#[derive(Clone, Copy, Debug)]
enum State {
    StreamStart,
    ImplicitDocumentStart,
    DocumentStart,
    DocumentContent,
    DocumentEnd,
    BlockNode,
    BlockSequenceFirstEntry,
    BlockSequenceEntry,
    IndentlessSequenceEntry,
    BlockMappingFirstKey,
    BlockMappingKey,
    BlockMappingValue,
    FlowSequenceFirstEntry,
    FlowSequenceEntry,
    FlowSequenceEntryMappingKey,
    FlowSequenceEntryMappingValue,
    FlowSequenceEntryMappingEnd,
    FlowMappingFirstKey,
    FlowMappingKey,
    FlowMappingValue,
    FlowMappingEmptyValue,
    End,
}

/// Which nodes may stand at a place.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    Flow,
    Block,
    /// A mapping's key or value, where a sequence needs no indentation of its own.
    BlockOrIndentless,
}

pub(crate) struct Parser<'a> {
    scanner: Scanner<'a>,
    state: State,
    states: Vec<State>,
    marks: Vec<Mark>,
    tag_directives: Vec<(&'a str, Cow<'a, str>)>,
    with_comments: bool,
    comments: Comments,
    stem_comment: Option<String>,
}

const TAG_PREFIX: &str = "tag:yaml.org,2002:";

type Parsed<'a> = Result<Event<'a>, Box<SyntaxError>>;

impl<'a> Parser<'a> {
    /// A parser over `text`; see [`Scanner::new`].
    pub(crate) fn new(text: &'a str, look_ahead: bool, with_comments: bool) -> Self {
        Self {
            scanner: Scanner::new(text, look_ahead, with_comments),
            state: State::StreamStart,
            states: Vec::new(),
            marks: Vec::new(),
            tag_directives: Vec::new(),
            with_comments,
            comments: Comments::default(),
            stem_comment: None,
        }
    }

    /// The next event; the stream's end again and again once it was reached.
    pub(crate) fn next(&mut self) -> Parsed<'a> {
        match self.state {
            State::StreamStart => self.stream_start(),
            State::ImplicitDocumentStart => self.document_start(true),
            State::DocumentStart => self.document_start(false),
            State::DocumentContent => self.document_content(),
            State::DocumentEnd => self.document_end(),
            State::BlockNode => self.node(Place::Block),
            State::BlockSequenceFirstEntry => {
                self.open_collection()?;
                self.block_sequence_entry()
            }
            State::BlockSequenceEntry => self.block_sequence_entry(),
            State::IndentlessSequenceEntry => self.indentless_sequence_entry(),
            State::BlockMappingFirstKey => {
                self.open_collection()?;
                self.block_mapping_key()
            }
            State::BlockMappingKey => self.block_mapping_key(),
            State::BlockMappingValue => self.block_mapping_value(),
            State::FlowSequenceFirstEntry => {
                self.open_collection()?;
                self.flow_sequence_entry(true)
            }
            State::FlowSequenceEntry => self.flow_sequence_entry(false),
            State::FlowSequenceEntryMappingKey => self.flow_sequence_entry_mapping_key(),
            State::FlowSequenceEntryMappingValue => self.flow_sequence_entry_mapping_value(),
            State::FlowSequenceEntryMappingEnd => {
                self.state = State::FlowSequenceEntry;
                let at = self.peek()?.start;
                Ok(event(EventKind::MappingEnd, at, at))
            }
            State::FlowMappingFirstKey => {
                self.open_collection()?;
                self.flow_mapping_key(true)
            }
            State::FlowMappingKey => self.flow_mapping_key(false),
            State::FlowMappingValue => self.flow_mapping_value(false),
            State::FlowMappingEmptyValue => self.flow_mapping_value(true),
            State::End => Ok(event(EventKind::StreamEnd, Mark::default(), Mark::default())),
        }
    }

    fn peek(&mut self) -> Result<&Token<'a>, Box<SyntaxError>> {
        if self.with_comments {
            self.unfold_comments()?;
        }
        self.scanner.peek()
    }

    /// Takes the comments that belong to tokens up to the next one.
    fn unfold_comments(&mut self) -> Result<(), Box<SyntaxError>> {
        let token = self.scanner.peek()?;
        let (index, block_end) = (token.start.index, token.kind == TokenKind::BlockEnd);
        let Some(comments) = self.scanner.comments_mut() else { return Ok(()) };
        while let Some(comment) = comments.front() {
            if index < comment.token.index || (block_end && !comment.head.is_empty()) {
                break;
            }
            append_lines(&mut self.comments.head, &comment.head);
            append_lines(&mut self.comments.foot, &comment.foot);
            append_lines(&mut self.comments.line, &comment.line);
            comments.pop_front();
        }
        Ok(())
    }

    /// Gives the event the comments gathered so far.
    fn take_comments(&mut self, event: &mut Event<'a>) {
        if self.with_comments {
            let comments = std::mem::take(&mut self.comments);
            self.stem_comment = None;
            if comments != Comments::default() {
                event.comments = Some(Box::new(comments));
            }
        }
    }

    fn take_stem_comment(&mut self, event: &mut Event<'a>) {
        if let Some(stem) = self.stem_comment.take() {
            event.comments.get_or_insert_default().head = stem;
        }
    }

    fn pop_state(&mut self) {
        self.state = self.states.pop().expect("a state was pushed for every node");
    }

    /// Moves past the token that opens a collection.
    fn open_collection(&mut self) -> Result<(), Box<SyntaxError>> {
        self.peek()?;
        let token = self.scanner.next()?;
        self.marks.push(token.start);
        Ok(())
    }

    fn error(at: Mark, problem: &'static str) -> Box<SyntaxError> {
        Box::new(SyntaxError { stage: Stage::Parser, problem, context: Mark::default(), at })
    }

    /// An error in the innermost open collection.
    fn collection_error(&mut self, at: Mark, problem: &'static str) -> Box<SyntaxError> {
        let context = self.marks.pop().unwrap_or_default();
        Box::new(SyntaxError { stage: Stage::Parser, problem, context, at })
    }

    fn stream_start(&mut self) -> Parsed<'a> {
        let token = self.scanner.next()?;
        self.state = State::ImplicitDocumentStart;
        Ok(event(EventKind::StreamStart, token.start, token.end))
    }

    fn document_start(&mut self, implicit: bool) -> Parsed<'a> {
        if !implicit {
            while self.peek()?.kind == TokenKind::DocumentEnd {
                self.scanner.next()?;
            }
        }
        let token = self.peek()?;
        let (start, end) = (token.start, token.end);
        match token.kind {
            TokenKind::StreamEnd => {
                self.state = State::End;
                self.scanner.next()?;
                let mut event = event(EventKind::StreamEnd, start, end);
                self.take_comments(&mut event);
                Ok(event)
            }
            TokenKind::VersionDirective(..) | TokenKind::TagDirective { .. } | TokenKind::DocumentStart => {
                self.explicit_document_start(start)
            }
            _ if !implicit => self.explicit_document_start(start),
            _ => {
                self.tag_directives.clear();
                self.states.push(State::DocumentEnd);
                self.state = State::BlockNode;
                let mut event = event(EventKind::DocumentStart, start, end);
                let head = self.split_document_comment();
                if !head.is_empty() {
                    event.comments.get_or_insert_default().head = head;
                }
                Ok(event)
            }
        }
    }

    /// A head comment before an empty line belongs to the document, the rest to its first node.
    fn split_document_comment(&mut self) -> String {
        let head = &self.comments.head;
        let cut = match head.strip_suffix('\n') {
            // A trailing break counts as an empty line.
            Some(before) if !before.is_empty() => Some((before.len(), head.len())),
            _ => head.rfind("\n\n").map(|idx| (idx, idx + 2)),
        };
        let Some((end, rest)) = cut else { return String::new() };
        let document = head[..end].to_owned();
        self.comments.head = head[rest..].to_owned();
        document
    }

    fn explicit_document_start(&mut self, start: Mark) -> Parsed<'a> {
        self.directives()?;
        let token = self.peek()?;
        if token.kind != TokenKind::DocumentStart {
            let at = token.start;
            return Err(Self::error(at, "did not find expected <document start>"));
        }
        let end = token.end;
        self.scanner.next()?;
        self.states.push(State::DocumentEnd);
        self.state = State::DocumentContent;
        Ok(event(EventKind::DocumentStart, start, end))
    }

    fn directives(&mut self) -> Result<(), Box<SyntaxError>> {
        let mut versioned = false;
        self.tag_directives.clear();
        loop {
            let at = self.peek()?.start;
            match &self.peek()?.kind {
                TokenKind::VersionDirective(major, minor) => {
                    let supported = *major == 1 && *minor == 1;
                    if versioned {
                        return Err(Self::error(at, "found duplicate %YAML directive"));
                    }
                    if !supported {
                        return Err(Self::error(at, "found incompatible YAML document"));
                    }
                    versioned = true;
                    self.scanner.next()?;
                }
                TokenKind::TagDirective { .. } => {
                    let TokenKind::TagDirective { handle, prefix } = self.scanner.next()?.kind else {
                        unreachable!("just peeked at a tag directive")
                    };
                    if self.tag_directives.iter().any(|(have, _)| *have == handle) {
                        return Err(Self::error(at, "found duplicate %TAG directive"));
                    }
                    self.tag_directives.push((handle, prefix));
                }
                _ => return Ok(()),
            }
        }
    }

    fn document_content(&mut self) -> Parsed<'a> {
        let token = self.peek()?;
        if matches!(
            token.kind,
            TokenKind::VersionDirective(..)
                | TokenKind::TagDirective { .. }
                | TokenKind::DocumentStart
                | TokenKind::DocumentEnd
                | TokenKind::StreamEnd
        ) {
            let at = token.start;
            self.pop_state();
            return Ok(self.empty_scalar(at));
        }
        self.node(Place::Block)
    }

    fn document_end(&mut self) -> Parsed<'a> {
        let token = self.peek()?;
        let start = token.start;
        let mut end = start;
        if token.kind == TokenKind::DocumentEnd {
            end = token.end;
            self.scanner.next()?;
        }
        self.state = State::DocumentStart;
        let mut event = event(EventKind::DocumentEnd, start, end);
        self.take_comments(&mut event);
        if let Some(comments) = event.comments.as_mut().filter(|comments| comments.foot.is_empty()) {
            comments.foot = std::mem::take(&mut comments.head);
        }
        Ok(event)
    }

    fn node(&mut self, place: Place) -> Parsed<'a> {
        self.peek()?;
        if let TokenKind::Alias(name) = self.scanner.peek()?.kind {
            let token = self.scanner.next()?;
            self.pop_state();
            let mut event = event(EventKind::Alias(name), token.start, token.end);
            self.take_comments(&mut event);
            return Ok(event);
        }
        let start = self.scanner.peek()?.start;
        let mut end = start;
        let properties = self.properties(start, &mut end)?;
        let token = self.peek()?;
        let token_end = token.end;
        let (kind, state) = match &token.kind {
            TokenKind::BlockEntry if place == Place::BlockOrIndentless => {
                (EventKind::SequenceStart { properties, flow: false }, State::IndentlessSequenceEntry)
            }
            TokenKind::Scalar { .. } => {
                let token = self.scanner.next()?;
                let content = token.start;
                let TokenKind::Scalar { value, style } = token.kind else {
                    unreachable!("just peeked at a scalar")
                };
                self.pop_state();
                let mut event =
                    event(EventKind::Scalar { properties, value, style, content }, start, token.end);
                self.take_comments(&mut event);
                return Ok(event);
            }
            TokenKind::FlowSequenceStart => {
                (EventKind::SequenceStart { properties, flow: true }, State::FlowSequenceFirstEntry)
            }
            TokenKind::FlowMappingStart => {
                (EventKind::MappingStart { properties, flow: true }, State::FlowMappingFirstKey)
            }
            TokenKind::BlockSequenceStart if place != Place::Flow => {
                (EventKind::SequenceStart { properties, flow: false }, State::BlockSequenceFirstEntry)
            }
            TokenKind::BlockMappingStart if place != Place::Flow => {
                (EventKind::MappingStart { properties, flow: false }, State::BlockMappingFirstKey)
            }
            _ if properties != Properties::default() => {
                self.pop_state();
                let kind = EventKind::Scalar {
                    properties,
                    value: Cow::Borrowed(""),
                    style: ScalarStyle::Plain,
                    content: end,
                };
                return Ok(event(kind, start, end));
            }
            _ => {
                let at = token.start;
                let problem = "did not find expected node content";
                return Err(Box::new(SyntaxError { stage: Stage::Parser, problem, context: start, at }));
            }
        };
        self.state = state;
        let indentless = matches!(state, State::IndentlessSequenceEntry);
        let flow = matches!(state, State::FlowSequenceFirstEntry | State::FlowMappingFirstKey);
        let mut event = event(kind, start, token_end);
        if flow {
            self.take_comments(&mut event);
        } else if !indentless {
            self.take_stem_comment(&mut event);
        }
        Ok(event)
    }

    /// The anchor and the tag before a node, in either order.
    fn properties(&mut self, start: Mark, end: &mut Mark) -> Result<Properties<'a>, Box<SyntaxError>> {
        let mut anchor = None;
        let mut tag = None;
        for _ in 0..2 {
            let token = self.peek()?;
            match &token.kind {
                TokenKind::Anchor(name) if anchor.is_none() => {
                    anchor = Some(*name);
                    *end = token.end;
                    self.scanner.next()?;
                }
                TokenKind::Tag { .. } if tag.is_none() => {
                    let token = self.scanner.next()?;
                    *end = token.end;
                    tag = Some(token);
                }
                _ => break,
            }
        }
        // Go looks at the token after the properties before it resolves the tag.
        self.peek()?;
        let tag = match tag {
            Some(Token { kind: TokenKind::Tag { handle, suffix }, start: at, .. }) => {
                Some(self.resolve_handle(handle, suffix, start, at)?).filter(|tag| !tag.is_empty())
            }
            _ => None,
        };
        Ok(Properties { anchor, tag })
    }

    fn resolve_handle(
        &self,
        handle: &str,
        suffix: Cow<'a, str>,
        context: Mark,
        at: Mark,
    ) -> Result<Cow<'a, str>, Box<SyntaxError>> {
        if handle.is_empty() {
            return Ok(suffix);
        }
        let declared = self.tag_directives.iter().find(|(have, _)| *have == handle);
        let prefix = match (declared, handle) {
            (Some((_, prefix)), _) => prefix.as_ref(),
            (None, "!") => "!",
            (None, "!!") => TAG_PREFIX,
            (None, _) => {
                let problem = "found undefined tag handle";
                return Err(Box::new(SyntaxError { stage: Stage::Parser, problem, context, at }));
            }
        };
        Ok(Cow::Owned(format!("{prefix}{suffix}")))
    }

    fn empty_scalar(&self, at: Mark) -> Event<'a> {
        let kind = EventKind::Scalar {
            properties: Properties::default(),
            value: Cow::Borrowed(""),
            style: ScalarStyle::Plain,
            content: at,
        };
        event(kind, at, at)
    }

    /// Ends the innermost collection with the token at the head.
    fn close_collection(&mut self, kind: EventKind<'a>) -> Parsed<'a> {
        self.peek()?;
        self.pop_state();
        self.marks.pop();
        let token = self.scanner.next()?;
        let mut event = event(kind, token.start, token.end);
        self.take_comments(&mut event);
        Ok(event)
    }

    fn block_sequence_entry(&mut self) -> Parsed<'a> {
        let token = self.peek()?;
        match token.kind {
            TokenKind::BlockEntry => {
                let mark = self.entry_indicator()?;
                if matches!(self.peek()?.kind, TokenKind::BlockEntry | TokenKind::BlockEnd) {
                    self.state = State::BlockSequenceEntry;
                    return Ok(self.empty_scalar(mark));
                }
                self.states.push(State::BlockSequenceEntry);
                self.node(Place::Block)
            }
            TokenKind::BlockEnd => {
                self.pop_state();
                self.marks.pop();
                let token = self.scanner.next()?;
                Ok(event(EventKind::SequenceEnd, token.start, token.end))
            }
            _ => {
                let at = token.start;
                Err(self.collection_error(at, "did not find expected '-' indicator"))
            }
        }
    }

    /// Moves past a `-`; a head comment before it that an inner collection does not share is its stem.
    fn entry_indicator(&mut self) -> Result<Mark, Box<SyntaxError>> {
        let token = self.scanner.next()?;
        let stem = self.comments.head.len();
        if self.with_comments && stem > 0 {
            let token = self.peek()?;
            if matches!(token.kind, TokenKind::BlockSequenceStart | TokenKind::BlockMappingStart) {
                let head = std::mem::take(&mut self.comments.head);
                self.comments.head = head.get(stem + 1..).unwrap_or_default().to_owned();
                self.stem_comment = Some(head[..stem].to_owned());
            }
        }
        Ok(token.end)
    }

    fn indentless_sequence_entry(&mut self) -> Parsed<'a> {
        let token = self.peek()?;
        if token.kind != TokenKind::BlockEntry {
            let at = token.start;
            self.pop_state();
            return Ok(event(EventKind::SequenceEnd, at, at));
        }
        let mark = self.entry_indicator()?;
        if matches!(
            self.peek()?.kind,
            TokenKind::BlockEntry | TokenKind::Key | TokenKind::Value | TokenKind::BlockEnd
        ) {
            self.state = State::IndentlessSequenceEntry;
            return Ok(self.empty_scalar(mark));
        }
        self.states.push(State::IndentlessSequenceEntry);
        self.node(Place::Block)
    }

    fn block_mapping_key(&mut self) -> Parsed<'a> {
        let token = self.peek()?;
        match token.kind {
            TokenKind::Key => {
                let mark = token.end;
                self.scanner.next()?;
                if matches!(self.peek()?.kind, TokenKind::Key | TokenKind::Value | TokenKind::BlockEnd) {
                    self.state = State::BlockMappingValue;
                    return Ok(self.empty_scalar(mark));
                }
                self.states.push(State::BlockMappingValue);
                self.node(Place::BlockOrIndentless)
            }
            TokenKind::BlockEnd => self.close_collection(EventKind::MappingEnd),
            _ => {
                let at = token.start;
                Err(self.collection_error(at, "did not find expected key"))
            }
        }
    }

    fn block_mapping_value(&mut self) -> Parsed<'a> {
        let token = self.peek()?;
        let at = token.start;
        if token.kind != TokenKind::Value {
            self.state = State::BlockMappingKey;
            return Ok(self.empty_scalar(at));
        }
        let mark = token.end;
        self.scanner.next()?;
        if matches!(self.peek()?.kind, TokenKind::Key | TokenKind::Value | TokenKind::BlockEnd) {
            self.state = State::BlockMappingKey;
            return Ok(self.empty_scalar(mark));
        }
        self.states.push(State::BlockMappingKey);
        self.node(Place::BlockOrIndentless)
    }

    fn flow_sequence_entry(&mut self, first: bool) -> Parsed<'a> {
        let mut token = self.peek()?;
        if token.kind != TokenKind::FlowSequenceEnd {
            if !first {
                if token.kind != TokenKind::FlowEntry {
                    let at = token.start;
                    return Err(self.collection_error(at, "did not find expected ',' or ']'"));
                }
                self.scanner.next()?;
                token = self.peek()?;
            }
            match token.kind {
                TokenKind::Key => {
                    let token = self.scanner.next()?;
                    self.state = State::FlowSequenceEntryMappingKey;
                    let kind = EventKind::MappingStart { properties: Properties::default(), flow: true };
                    return Ok(event(kind, token.start, token.end));
                }
                TokenKind::FlowSequenceEnd => {}
                _ => {
                    self.states.push(State::FlowSequenceEntry);
                    return self.node(Place::Flow);
                }
            }
        }
        self.close_collection(EventKind::SequenceEnd)
    }

    fn flow_sequence_entry_mapping_key(&mut self) -> Parsed<'a> {
        let token = self.peek()?;
        if matches!(token.kind, TokenKind::Value | TokenKind::FlowEntry | TokenKind::FlowSequenceEnd) {
            // libyaml takes the token here, whichever it is, and so do Go's translations of it.
            let mark = token.end;
            self.scanner.next()?;
            self.state = State::FlowSequenceEntryMappingValue;
            return Ok(self.empty_scalar(mark));
        }
        self.states.push(State::FlowSequenceEntryMappingValue);
        self.node(Place::Flow)
    }

    fn flow_sequence_entry_mapping_value(&mut self) -> Parsed<'a> {
        let token = self.peek()?;
        let at = token.start;
        if token.kind == TokenKind::Value {
            self.scanner.next()?;
            if !matches!(self.peek()?.kind, TokenKind::FlowEntry | TokenKind::FlowSequenceEnd) {
                self.states.push(State::FlowSequenceEntryMappingEnd);
                return self.node(Place::Flow);
            }
        }
        self.state = State::FlowSequenceEntryMappingEnd;
        Ok(self.empty_scalar(at))
    }

    fn flow_mapping_key(&mut self, first: bool) -> Parsed<'a> {
        let mut token = self.peek()?;
        if token.kind != TokenKind::FlowMappingEnd {
            if !first {
                if token.kind != TokenKind::FlowEntry {
                    let at = token.start;
                    return Err(self.collection_error(at, "did not find expected ',' or '}'"));
                }
                self.scanner.next()?;
                token = self.peek()?;
            }
            match token.kind {
                TokenKind::Key => {
                    self.scanner.next()?;
                    let token = self.peek()?;
                    if matches!(
                        token.kind,
                        TokenKind::Value | TokenKind::FlowEntry | TokenKind::FlowMappingEnd
                    ) {
                        let at = token.start;
                        self.state = State::FlowMappingValue;
                        return Ok(self.empty_scalar(at));
                    }
                    self.states.push(State::FlowMappingValue);
                    return self.node(Place::Flow);
                }
                TokenKind::FlowMappingEnd => {}
                _ => {
                    self.states.push(State::FlowMappingEmptyValue);
                    return self.node(Place::Flow);
                }
            }
        }
        self.close_collection(EventKind::MappingEnd)
    }

    fn flow_mapping_value(&mut self, empty: bool) -> Parsed<'a> {
        let token = self.peek()?;
        let at = token.start;
        if !empty && token.kind == TokenKind::Value {
            self.scanner.next()?;
            if !matches!(self.peek()?.kind, TokenKind::FlowEntry | TokenKind::FlowMappingEnd) {
                self.states.push(State::FlowMappingKey);
                return self.node(Place::Flow);
            }
        }
        self.state = State::FlowMappingKey;
        Ok(self.empty_scalar(at))
    }
}

fn event(kind: EventKind<'_>, start: Mark, end: Mark) -> Event<'_> {
    Event { kind, start, end, comments: None }
}

fn append_lines(into: &mut String, lines: &str) {
    if lines.is_empty() {
        return;
    }
    if !into.is_empty() {
        into.push('\n');
    }
    into.push_str(lines);
}
