//! Changing the case of words: `title`, `camelcase`, `snakecase` and the like.

use crate::function::{Context, Entry, Signature};
use crate::value::{Str, Value};

use super::arguments::{Answer, STRING, text};
use super::runes::{
    decode, is_digit, is_letter, is_lower, is_number, is_punctuation, is_space, is_title, is_upper, to_lower,
    to_title, to_upper,
};

pub(super) const FUNCTIONS: &[Entry] = &[
    Entry::new("upper", Signature::fixed(&[STRING]), |_, arguments| Ok(mapped(text(arguments, 0), to_upper))),
    Entry::new("lower", Signature::fixed(&[STRING]), |_, arguments| Ok(mapped(text(arguments, 0), to_lower))),
    Entry::new("title", Signature::fixed(&[STRING]), title),
    Entry::new("untitle", Signature::fixed(&[STRING]), untitle),
    Entry::new("swapcase", Signature::fixed(&[STRING]), swapcase),
    Entry::new("initials", Signature::fixed(&[STRING]), initials),
    Entry::new("nospace", Signature::fixed(&[STRING]), nospace),
    Entry::new("camelcase", Signature::fixed(&[STRING]), camelcase),
    Entry::new("snakecase", Signature::fixed(&[STRING]), |_, arguments| {
        Ok(joined_words(text(arguments, 0), '_'))
    }),
    Entry::new("kebabcase", Signature::fixed(&[STRING]), |_, arguments| {
        Ok(joined_words(text(arguments, 0), '-'))
    }),
];

fn mapped(text: &Str, mut map: impl FnMut(char) -> char) -> Value {
    text.lossy().chars().map(&mut map).collect::<String>().into()
}

fn title(_: &mut Context<'_>, arguments: &[Value]) -> Answer {
    let mut previous = ' ';
    Ok(mapped(text(arguments, 0), |char| {
        let starts_word = separates(previous);
        previous = char;
        if starts_word { to_title(char) } else { char }
    }))
}

/// What `strings.Title` takes for the end of a word.
fn separates(char: char) -> bool {
    if char.is_ascii() {
        !char.is_ascii_alphanumeric() && char != '_'
    } else {
        !is_letter(char) && !is_digit(char) && is_space(char)
    }
}

fn untitle(_: &mut Context<'_>, arguments: &[Value]) -> Answer {
    let mut starts_word = true;
    Ok(mapped(text(arguments, 0), |char| {
        if is_space(char) {
            starts_word = true;
            return char;
        }
        if std::mem::take(&mut starts_word) { to_lower(char) } else { char }
    }))
}

fn swapcase(_: &mut Context<'_>, arguments: &[Value]) -> Answer {
    let mut after_space = true;
    Ok(mapped(text(arguments, 0), |char| {
        if is_upper(char) || is_title(char) {
            after_space = false;
            to_lower(char)
        } else if is_lower(char) {
            if std::mem::take(&mut after_space) { to_title(char) } else { to_upper(char) }
        } else {
            after_space = is_space(char);
            char
        }
    }))
}

/// The first byte of each word. The original goes by bytes and takes each for a character.
fn initials(_: &mut Context<'_>, arguments: &[Value]) -> Answer {
    let mut starts_word = true;
    let mut initials = String::new();
    for char in text(arguments, 0).as_bytes().iter().map(|byte| char::from(*byte)) {
        if is_space(char) {
            starts_word = true;
        } else if std::mem::take(&mut starts_word) {
            initials.push(char);
        }
    }
    Ok(initials.into())
}

/// Without white space; once there is some, the original takes each byte for a character.
fn nospace(_: &mut Context<'_>, arguments: &[Value]) -> Answer {
    let whole = text(arguments, 0);
    let chars = || whole.as_bytes().iter().map(|byte| char::from(*byte));
    if chars().any(is_space) {
        Ok(chars().filter(|char| !is_space(*char)).collect::<String>().into())
    } else {
        Ok(whole.clone().into())
    }
}

fn is_connector(char: char) -> bool {
    char == '-' || char == '_' || is_space(char)
}

/// Words joined with capitals; what separated them is gone, but for the first of a run and the last of all.
fn camelcase(_: &mut Context<'_>, arguments: &[Value]) -> Answer {
    let chars: Vec<char> = decode(text(arguments, 0).as_bytes()).into_iter().map(|(char, _)| char).collect();
    let leading = chars.iter().take_while(|char| is_connector(**char)).count();
    let mut out: String = chars[..leading.min(chars.len())].iter().collect();
    let Some(first) = chars.get(leading) else {
        // A text of connectors alone keeps its last one twice over.
        out.extend(chars.last());
        return Ok(out.into());
    };
    let mut starts_upper = is_upper(*first);
    let mut current = to_upper(*first);
    for next in &chars[leading + 1..] {
        let previous = current;
        current = *next;
        match (is_connector(previous), is_connector(current)) {
            (true, true) => out.push(previous),
            (true, false) => {
                starts_upper = is_upper(current);
                current = to_upper(current);
            }
            (false, _) => {
                if starts_upper {
                    if is_upper(current) {
                        current = to_lower(current);
                    } else {
                        starts_upper = false;
                    }
                }
                out.push(previous);
            }
        }
    }
    out.push(current);
    Ok(out.into())
}

/// What a stretch of a name is made of.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Word {
    None,
    Invalid,
    Number,
    Upper,
    Alphabet,
    Connector,
    Punctuation,
    Other,
}

/// Letters, but for the common Chinese, Japanese and Korean ones, which are words by themselves.
fn is_alphabetic(char: char) -> bool {
    let is_ideograph =
        matches!(char, '\u{3400}'..='\u{4d85}' | '\u{4e00}'..='\u{9fcc}' | '\u{20000}'..='\u{2b81d}');
    is_letter(char) && !is_ideograph
}

/// Words of a name in lower case, joined by a connector. The rules for numbers are the original's.
fn joined_words(text: &Str, connector: char) -> Value {
    let mut out = Vec::new();
    let mut words = Words { rest: text.as_bytes() };
    if text.is_empty() {
        return Value::EMPTY;
    }
    let (mut kind, mut word) = words.next_word();
    while !words.rest.is_empty() {
        if kind != Word::Connector {
            append(&mut out, kind, word, connector);
        }
        let (before, before_word) = (kind, word);
        (kind, word) = words.next_word();
        match before {
            Word::Number => {
                while matches!(kind, Word::Alphabet | Word::Number) {
                    append(&mut out, kind, word, connector);
                    (kind, word) = words.next_word();
                }
                if !matches!(kind, Word::None | Word::Invalid | Word::Punctuation | Word::Connector) {
                    push(&mut out, connector);
                }
            }
            Word::Connector => append(&mut out, before, before_word, connector),
            Word::Punctuation => {}
            _ if kind != Word::Number => {
                if !matches!(kind, Word::Connector | Word::Punctuation) {
                    push(&mut out, connector);
                }
            }
            _ if words.rest.is_empty() => {}
            _ => {
                let number = word;
                (kind, word) = words.next_word();
                if kind == Word::Alphabet {
                    // Lower case after a number: both are a word of their own.
                    push(&mut out, connector);
                    append(&mut out, Word::Number, number, connector);
                    while matches!(kind, Word::Alphabet | Word::Number) {
                        append(&mut out, kind, word, connector);
                        (kind, word) = words.next_word();
                    }
                    if !matches!(kind, Word::None | Word::Invalid | Word::Connector | Word::Punctuation) {
                        push(&mut out, connector);
                    }
                } else {
                    // The number belongs to the word before it.
                    append(&mut out, Word::Number, number, connector);
                    if !matches!(kind, Word::Connector | Word::Punctuation) {
                        push(&mut out, connector);
                    }
                }
            }
        }
    }
    append(&mut out, kind, word, connector);
    Str::from(out).into()
}

fn push(out: &mut Vec<u8>, char: char) {
    out.extend_from_slice(char.encode_utf8(&mut [0; 4]).as_bytes());
}

fn append(out: &mut Vec<u8>, kind: Word, word: &[u8], connector: char) {
    if !matches!(kind, Word::Upper | Word::Connector) {
        out.extend_from_slice(word);
        return;
    }
    for (char, _) in decode(word) {
        push(out, if is_connector(char) { connector } else { to_lower(char) });
    }
}

/// Cuts words off the front of a name.
struct Words<'a> {
    rest: &'a [u8],
}

impl<'a> Words<'a> {
    fn next_word(&mut self) -> (Word, &'a [u8]) {
        if self.rest.is_empty() {
            return (Word::None, &[]);
        }
        let runes = decode(self.rest);
        let (kind, length) = word_at(&runes);
        let (word, rest) = self.rest.split_at(length.min(self.rest.len()));
        self.rest = rest;
        (kind, word)
    }
}

/// The kind of the word at the front, and its length in bytes. Bytes that are no characters belong to it.
fn word_at(runes: &[(char, usize)]) -> (Word, usize) {
    // Runs of U+FFFD are stepped over together with the character that follows them.
    let mut steps: Vec<(Option<char>, usize)> = Vec::new();
    let mut pending = 0;
    for (char, length) in runes {
        pending += length;
        if *char != char::REPLACEMENT_CHARACTER {
            steps.push((Some(*char), pending));
            pending = 0;
        }
    }
    if pending > 0 {
        steps.push((None, pending));
    }
    let Some((Some(first), first_length)) = steps.first().copied() else {
        return (Word::Invalid, pending);
    };
    let run = |from: usize, is_in: &dyn Fn(char) -> bool| -> usize {
        let mut previous = first;
        let taken = steps[from.min(steps.len())..].iter().map_while(|(char, length)| {
            // At the end of the text what is no character counts as the one before it.
            let char = char.unwrap_or(previous);
            previous = char;
            is_in(char).then_some(*length)
        });
        taken.sum()
    };
    let is_small = |char: char| is_alphabetic(char) && !is_upper(char);
    if is_connector(first) {
        (Word::Connector, first_length + run(1, &is_connector))
    } else if is_punctuation(first) {
        (Word::Punctuation, first_length + run(1, &is_punctuation))
    } else if is_upper(first) {
        (Word::Upper, upper_length(&steps, first_length, &run, &is_small))
    } else if is_alphabetic(first) {
        (Word::Alphabet, first_length + run(1, &is_small))
    } else if is_number(first) {
        (Word::Number, first_length + run(1, &is_number))
    } else {
        let ends =
            |char| is_connector(char) || is_alphabetic(char) || is_number(char) || is_punctuation(char);
        (Word::Other, first_length + run(1, &|char| !ends(char)))
    }
}

/// The length in bytes of the run of such characters from a position on.
type Run<'a> = dyn Fn(usize, &dyn Fn(char) -> bool) -> usize + 'a;

/// The length of a word that begins with a capital: `HTTP` of `HTTPServer`, `Server` of `ServerName`.
fn upper_length(
    steps: &[(Option<char>, usize)],
    first_length: usize,
    run: &Run<'_>,
    is_small: &dyn Fn(char) -> bool,
) -> usize {
    let Some((second, second_length)) = steps.get(1).copied() else { return first_length };
    let second = second.unwrap_or('A');
    if is_upper(second) {
        let uppers = 1 + steps[1..].iter().take_while(|(char, _)| char.is_none_or(is_upper)).count();
        let length: usize = steps[..uppers].iter().map(|(_, length)| length).sum();
        match steps.get(uppers) {
            // The last capital begins the next word.
            Some((Some(next), _)) if is_alphabetic(*next) => length - steps[uppers - 1].1,
            _ => length,
        }
    } else if is_alphabetic(second) {
        first_length + second_length + run(2, is_small)
    } else {
        first_length
    }
}
