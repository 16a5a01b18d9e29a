//! Where the parts of a map or list lie in a text, found without building anything.
//!
//! For long texts of which one part is wanted, such as the index of a Helm repository.

use std::ops::Range;

use crate::error::{Position, YamlError, YamlErrorKind};
use crate::limits::Limits;
use crate::parser::{Event, EventKind, Parser};
use crate::value::Str;

/// One member of a map, or one item of a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Span {
    /// The member's key; empty for an item of a list.
    pub key: Str,
    /// The bytes of its value.
    pub range: Range<usize>,
    /// How many characters stand before the value in its first line.
    pub column: usize,
}

impl Span {
    /// The value alone, as a text that means the same: indented as it was.
    ///
    /// `slice` are the bytes of [`range`](Self::range).
    #[must_use]
    pub fn indented(&self, slice: &str) -> String {
        let mut text = String::with_capacity(self.column + slice.len());
        text.extend(std::iter::repeat_n(' ', self.column));
        text.push_str(slice);
        text
    }
}

/// The parts of the collection at `path` in the first document of `text`: its map keys lead from the root there.
///
/// `None` when there is no such collection. Keys that appear twice are both reported. A part that holds an alias to
/// something outside of it cannot be loaded alone.
///
/// # Errors
/// Text that is not YAML, as far as the collection's end, and what [`Limits::input`] and [`Limits::depth`] forbid.
pub fn spans(text: &str, path: &[&str], limits: &Limits) -> Result<Option<Vec<Span>>, YamlError> {
    crate::text::check(text, limits)?;
    let mut events = Events { parser: Parser::new(text, false, false), depth: limits.depth };
    loop {
        match events.next()?.kind {
            EventKind::StreamStart => {}
            EventKind::DocumentStart => break,
            _ => return Ok(None),
        }
    }
    let mut node = events.next()?;
    'path: for wanted in path {
        let EventKind::MappingStart { .. } = node.kind else { return Ok(None) };
        loop {
            let key = events.next()?;
            let found = match &key.kind {
                EventKind::MappingEnd => return Ok(None),
                EventKind::Scalar { value, .. } => value == wanted,
                _ => false,
            };
            events.skip(&key)?;
            node = events.next()?;
            if found {
                continue 'path;
            }
            events.skip(&node)?;
        }
    }
    let is_map = match node.kind {
        EventKind::MappingStart { .. } => true,
        EventKind::SequenceStart { .. } => false,
        _ => return Ok(None),
    };
    let mut parts = Vec::new();
    loop {
        let first = events.next()?;
        if matches!(first.kind, EventKind::MappingEnd | EventKind::SequenceEnd) {
            return Ok(Some(parts));
        }
        let (key, value) = if is_map {
            let key = match &first.kind {
                EventKind::Scalar { value, .. } => Str::from(&**value),
                _ => Str::default(),
            };
            events.skip(&first)?;
            (key, events.next()?)
        } else {
            (Str::default(), first)
        };
        let end = events.skip(&value)?;
        let start = value.start.offset as usize;
        parts.push(Span { key, range: start..end.max(start), column: value.start.column as usize });
    }
}

struct Events<'a> {
    parser: Parser<'a>,
    depth: usize,
}

impl<'a> Events<'a> {
    fn next(&mut self) -> Result<Event<'a>, YamlError> {
        self.parser.next().map_err(|error| error.into_error(false))
    }

    /// Passes over the rest of the node that `first` begins, and answers where it ends.
    fn skip(&mut self, first: &Event<'a>) -> Result<usize, YamlError> {
        let mut end = first.end;
        let mut open = match first.kind {
            EventKind::MappingStart { .. } | EventKind::SequenceStart { .. } => 1_usize,
            _ => return Ok(end.offset as usize),
        };
        while open > 0 {
            let event = self.next()?;
            end = event.end;
            match event.kind {
                EventKind::MappingStart { .. } | EventKind::SequenceStart { .. } => open += 1,
                EventKind::MappingEnd | EventKind::SequenceEnd => open -= 1,
                _ => {}
            }
            if open > self.depth {
                let at = event.start;
                let position = Position { line: at.line as usize + 1, column: at.column as usize + 1 };
                let problem = format!("values nest deeper than the limit depth of {}", self.depth);
                return Err(YamlError::new(YamlErrorKind::Limit, problem, position));
            }
        }
        Ok(end.offset as usize)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::load;

    const INDEX: &str = "apiVersion: v1\nentries:\n  # the first\n  alpha:\n  - name: alpha\n    note: |\n      a: b\n      - c\n    version: 1.0.0\n  - {name: alpha, version: \"0.1\n  .0\"}\n  beta: []\n  gamma:\n      - name: gamma\n        maintainers:\n        - name: g\ngenerated: now\n";

    #[test]
    fn the_parts_of_a_map_mean_alone_what_they_mean_in_the_whole() {
        let flow = "{\"entries\": {\"alpha\": [{\"name\": \"x\"}, {\"name\": \"y\"}], \"beta\": []}}";
        for text in [INDEX, flow, &INDEX.replace("\n", "\r\n")] {
            let whole = load(text).unwrap();
            let found = spans(text, &["entries"], &Limits::default()).unwrap().unwrap();
            assert_eq!(found.len(), whole.at(&["entries"]).unwrap().as_object().unwrap().len());
            for span in found {
                let part = span.indented(&text[span.range.clone()]);
                assert_eq!(load(&part).unwrap(), *whole.at(&["entries", &span.key]).unwrap(), "{part}");
                let items = spans(&part, &[], &Limits::default()).unwrap().unwrap();
                let expected = whole.items_at(&["entries", &span.key]);
                assert_eq!(items.len(), expected.len());
                for (item, expected) in items.iter().zip(expected) {
                    assert_eq!(load(&item.indented(&part[item.range.clone()])).unwrap(), *expected);
                }
            }
        }
    }

    #[test]
    fn what_is_no_collection_has_no_parts() {
        let none = |text: &str, path: &[&str]| spans(text, path, &Limits::default()).unwrap().is_none();
        assert!(none("", &["a"]));
        assert!(none("a: 1", &["a"]));
        assert!(none("a: 1", &["b"]));
        assert!(none("- 1", &["b"]));
        assert!(spans("a: [", &["a"], &Limits::default()).is_err());
        let shallow = Limits { depth: 2, ..Limits::default() };
        assert!(spans("a: [[[[]]]]", &["b"], &shallow).is_err());
    }
}
